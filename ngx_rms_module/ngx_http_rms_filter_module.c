
/*
 * The filter module: step 8 of a request's way.  Answers of a backend stream
 * through untouched but for the three operations that ngx_http_rms_rewrite.c
 * collects.  Error pages of nginx become plain text, a backend that would not
 * have our identity becomes a 502, and the mutual-authentication token is
 * added to any answer but a 401.
 */


#include "ngx_http_rms_module.h"


static ngx_int_t ngx_http_rms_filter_init(ngx_conf_t *cf);
static ngx_int_t ngx_http_rms_header_filter(ngx_http_request_t *r);
static ngx_http_rms_ctx_t *ngx_http_rms_too_large(ngx_http_request_t *r);
static ngx_int_t ngx_http_rms_error_page(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx);
static ngx_int_t ngx_http_rms_replace(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx, ngx_uint_t status, rms_reason_e reason);
static void ngx_http_rms_hide_all(ngx_http_request_t *r);
static rms_reason_e ngx_http_rms_handover_reason(ngx_uint_t status,
    rms_reason_e reason);
static ngx_int_t ngx_http_rms_backend_answer(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx);
static ngx_int_t ngx_http_rms_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static void ngx_http_rms_account_start(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx);
static void ngx_http_rms_account(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx, ngx_chain_t *in);
static void ngx_http_rms_account_end(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx);
static void ngx_http_rms_consume(ngx_chain_t *in);
static ngx_int_t ngx_http_rms_send_plain(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx, ngx_chain_t *in);
static ngx_int_t ngx_http_rms_request_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static ngx_uint_t ngx_http_rms_overfull(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx);


static ngx_http_module_t  ngx_http_rms_filter_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_http_rms_filter_init,              /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_rms_filter_module = {
    NGX_MODULE_V1,
    &ngx_http_rms_filter_module_ctx,       /* module context */
    NULL,                                  /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;
static ngx_http_output_body_filter_pt    ngx_http_next_body_filter;
static ngx_http_request_body_filter_pt   ngx_http_next_request_body_filter;


/* For the rewriter, which sends what it held back. */

ngx_int_t
ngx_http_rms_next_header(ngx_http_request_t *r)
{
    return ngx_http_next_header_filter(r);
}


ngx_int_t
ngx_http_rms_next_body(ngx_http_request_t *r, ngx_chain_t *in)
{
    return ngx_http_next_body_filter(r, in);
}


static ngx_int_t
ngx_http_rms_header_filter(ngx_http_request_t *r)
{
    ngx_int_t                 rc;
    ngx_http_rms_ctx_t       *ctx;
    ngx_http_rms_loc_conf_t  *rlcf;

    ctx = ngx_http_rms_ctx_get(r);
    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_rms_module);

    if (ctx == NULL && r->err_status == NGX_HTTP_REQUEST_ENTITY_TOO_LARGE) {
        ctx = ngx_http_rms_too_large(r);
    }

    if (ctx == NULL) {
        return ngx_http_next_header_filter(r);
    }

    rc = NGX_OK;

    if (r->err_status >= NGX_HTTP_BAD_REQUEST) {
        rc = ngx_http_rms_error_page(r, ctx);

    } else if (ctx->handed_over && rlcf->handover && r->upstream) {
        rc = ngx_http_rms_backend_answer(r, ctx);
    }

    if (rc == NGX_ERROR || ngx_http_rms_add_token(r, ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ctx->collecting) {
        return NGX_OK;
    }

    return ngx_http_next_header_filter(r);
}


/*
 * client_max_body_size is looked at before any phase of ours: the refusal
 * gets its context, and so its line, counter and plain text, here.
 */

static ngx_http_rms_ctx_t *
ngx_http_rms_too_large(ngx_http_request_t *r)
{
    ngx_http_rms_ctx_t       *ctx;
    ngx_http_rms_loc_conf_t  *rlcf;

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_rms_module);

    if (rlcf->pass == NULL) {
        return NULL;
    }

    ctx = ngx_http_rms_ctx_create(r);

    if (ctx) {
        ctx->verdict = rms_policy_refuse(RMS_REASON_BODY_TOO_LARGE);
        ngx_http_rms_log_verdict(r, ctx);
        ngx_http_rms_count_verdict(r, ctx);
    }

    return ctx;
}


/*
 * nginx is about to send a page of its own for an RMS location.  A redirect
 * by error_page has another location by now and keeps what it wants.
 */

static ngx_int_t
ngx_http_rms_error_page(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx)
{
    ngx_uint_t                status;
    rms_reason_e              reason;
    ngx_http_rms_loc_conf_t  *rlcf;

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_rms_module);

    if (rlcf->pass == NULL && !rlcf->handover) {
        return NGX_OK;
    }

    status = r->err_status;
    reason = ngx_http_rms_reason(ctx);

    if (ctx->handed_over) {
        reason = ngx_http_rms_handover_reason(status, reason);

        /* a 502 of nginx itself: the backend is gone, and may come back */

        if (status == NGX_HTTP_BAD_GATEWAY) {
            status = NGX_HTTP_SERVICE_UNAVAILABLE;
        }
    }

    return ngx_http_rms_replace(r, ctx, status, reason);
}


/* What nginx's own status means behind a verdict that allowed. */

static rms_reason_e
ngx_http_rms_handover_reason(ngx_uint_t status, rms_reason_e reason)
{
    switch (status) {

    case NGX_HTTP_BAD_GATEWAY:
        return RMS_REASON_BACKEND_DOWN;

    case NGX_HTTP_GATEWAY_TIME_OUT:
        return RMS_REASON_BACKEND_TIMEOUT;

    case NGX_HTTP_SERVICE_UNAVAILABLE:
    case NGX_HTTP_TOO_MANY_REQUESTS:
        return RMS_REASON_LIMITED;

    default:
        return reason;
    }
}


/* The answer of a backend: refused, not HTTP, to be rewritten, or as it is. */

static ngx_int_t
ngx_http_rms_backend_answer(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx)
{
    ngx_uint_t  status;

    status = r->upstream->headers_in.status_n;

    if (status == 0) {

        /* the proxy module took it for HTTP/0.9 */

        r->http_version = r->http_major * 1000 + r->http_minor;

        return ngx_http_rms_instead(r, ctx, NGX_HTTP_SERVICE_UNAVAILABLE,
                                    RMS_REASON_BACKEND_DOWN);
    }

    /* RFC 9110 15.2: never the last answer; nginx takes it for one */

    if (status < NGX_HTTP_OK) {
        ngx_http_rms_event(NGX_LOG_ERR, r->connection->log, 3000,
                           "answer of backend \"%V\" not usable: interim "
                           "status=%ui operation=%V", &ctx->backend->name,
                           status, &ctx->operation->name);

        return ngx_http_rms_instead(r, ctx, NGX_HTTP_BAD_GATEWAY,
                                    RMS_REASON_BACKEND_ANSWER);
    }

    if (status == NGX_HTTP_UNAUTHORIZED || status == 407) {
        ngx_http_rms_event(NGX_LOG_ERR, r->connection->log, 3000,
                           "backend \"%V\" refused our identity: status=%ui "
                           "endpoint=%V", &ctx->backend->name, status,
                           &ctx->path.endpoint->path);

        return ngx_http_rms_instead(r, ctx, NGX_HTTP_BAD_GATEWAY,
                                    RMS_REASON_BACKEND_REFUSED);
    }

    /* challenges are between us and the backend */

    ngx_http_rms_header_hide(&r->headers_out.headers, "WWW-Authenticate",
                             sizeof("WWW-Authenticate") - 1);
    ngx_http_rms_header_hide(&r->headers_out.headers, "Proxy-Authenticate",
                             sizeof("Proxy-Authenticate") - 1);
    r->headers_out.www_authenticate = NULL;

    if (ngx_http_rms_map_locations(r, ctx) != NGX_OK) {
        return ngx_http_rms_instead(r, ctx, NGX_HTTP_BAD_GATEWAY,
                                    RMS_REASON_BACKEND_ANSWER);
    }

    if (ctx->verdict.rewrite != RMS_REWRITE_NONE && status < 300) {
        return ngx_http_rms_collect_start(r, ctx);
    }

    ngx_http_rms_account_start(r, ctx);

    return NGX_OK;
}


/* In place of an answer of a backend, of which no header is kept. */

ngx_int_t
ngx_http_rms_instead(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx,
    ngx_uint_t status, rms_reason_e reason)
{
    ngx_http_rms_hide_all(r);

    return ngx_http_rms_replace(r, ctx, status, reason);
}


/* Puts a short plain text in place of whatever was to be sent. */

static ngx_int_t
ngx_http_rms_replace(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx,
    ngx_uint_t status, rms_reason_e reason)
{
    ngx_str_t  after = ngx_string(NGX_HTTP_RMS_RETRY_AFTER);

    ctx->answer_reason = reason;

    /* of the refusals before a hand-over, each brings its own */

    if (ctx->handed_over && status == NGX_HTTP_SERVICE_UNAVAILABLE
        && ngx_http_rms_header_out(r, "Retry-After", &after) == NULL)
    {
        return NGX_ERROR;
    }

    if (ngx_http_rms_plain_text(r, status, reason, &ctx->plain) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ctx->handed_over) {
        ngx_http_rms_count_answer(r, ctx, reason);
    }

    if (r->err_status) {
        r->err_status = status;
    }

    r->headers_out.status = status;
    ngx_str_null(&r->headers_out.status_line);

    ngx_http_clear_content_length(r);
    ngx_http_clear_accept_ranges(r);
    ngx_http_clear_last_modified(r);
    ngx_http_clear_etag(r);

    r->headers_out.content_length_n = ctx->plain.len;
    ngx_str_set(&r->headers_out.content_type, "text/plain");
    r->headers_out.content_type_len = sizeof("text/plain") - 1;
    r->headers_out.content_type_lowcase = NULL;
    ngx_str_null(&r->headers_out.charset);

    return NGX_OK;
}


static void
ngx_http_rms_hide_all(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_out.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            h[i].hash = 0;
        }
    }

    r->headers_out.www_authenticate = NULL;
    r->headers_out.content_encoding = NULL;
    r->headers_out.location = NULL;
}


/* RFC 4559 4.2: the last token goes with the answer, never with a refusal. */

ngx_int_t
ngx_http_rms_add_token(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx)
{
    ngx_str_t  value;

    if (ctx->cookie.len) {

        if (ngx_http_rms_header_out(r, "Set-Cookie", &ctx->cookie) == NULL) {
            return NGX_ERROR;
        }

        ctx->cookie.len = 0;
    }

    if (ctx->auth_state != NGX_HTTP_RMS_IDENTIFIED
        || ctx->auth_token.len == 0 || ctx->token_added
        || r->headers_out.status == NGX_HTTP_UNAUTHORIZED
        || r->err_status == NGX_HTTP_UNAUTHORIZED)
    {
        return NGX_OK;
    }

    if (ngx_http_rms_token_value(r, ctx, &ctx->auth_token, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    ctx->token_added = 1;

    return ngx_http_rms_header_out(r, "WWW-Authenticate", &value) ? NGX_OK
                                                                  : NGX_ERROR;
}


static ngx_int_t
ngx_http_rms_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_int_t            rc;
    ngx_chain_t         *cl;
    ngx_http_rms_ctx_t  *ctx;

    ctx = in ? ngx_http_rms_ctx_get(r) : NULL;

    if (ctx == NULL) {
        return ngx_http_next_body_filter(r, in);
    }

    if (ctx->plain.len) {
        return ngx_http_rms_send_plain(r, ctx, in);
    }

    if (!ctx->collecting) {
        ngx_http_rms_account(r, ctx, in);
        return ngx_http_next_body_filter(r, in);
    }

    for (cl = in; cl; cl = cl->next) {

        rc = ngx_http_rms_collect(r, ctx, cl->buf);

        if (rc != NGX_AGAIN) {
            ngx_http_rms_consume(cl);
            return rc;
        }
    }

    return NGX_OK;
}


/* What streams by is counted on its way; a compressed answer is not. */

static void
ngx_http_rms_account_start(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx)
{
    rms_str_t   coding[2];
    ngx_uint_t  n;

    n = ngx_http_rms_header_find(&r->headers_out.headers, "Content-Encoding",
                                 sizeof("Content-Encoding") - 1, coding, 2);

    if (n > 1 || (n == 1
                  && rms_coding_parse(&coding[0]) != RMS_CODING_IDENTITY))
    {
        return;
    }

    ctx->accounting = 1;
    rms_outcome_start(&ctx->outcome, ctx->operation->id);
}


static void
ngx_http_rms_account(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx,
    ngx_chain_t *in)
{
    ngx_buf_t  *b;

    for ( /* void */ ; in && ctx->accounting; in = in->next) {
        b = in->buf;

        if (ngx_buf_in_memory(b)) {
            rms_outcome_feed(&ctx->outcome, b->pos, b->last - b->pos);

        } else if (b->in_file) {
            ctx->accounting = 0;
            return;
        }

        if (b->last_buf) {
            ngx_http_rms_account_end(r, ctx);
        }
    }
}


static void
ngx_http_rms_account_end(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx)
{
    rms_outcome_t    *o;
    const rms_str_t  *fault;

    o = &ctx->outcome;
    ctx->accounting = 0;

    fault = rms_outcome_fault(o);

    if (fault) {
        ngx_http_rms_count(r, RMS_COUNT_FAULTS, 1);
        ngx_http_rms_event(NGX_LOG_INFO, r->connection->log, 0,
                           "answer: operation=%V backend=%V status=%ui "
                           "fault=%V", &ctx->operation->name,
                           &ctx->backend->name, r->headers_out.status, fault);

    } else if (o->items || o->failed) {
        ngx_http_rms_count(r, RMS_COUNT_ITEMS, o->items);
        ngx_http_rms_count(r, RMS_COUNT_ITEMS_FAILED, o->failed);
        ngx_http_rms_event(NGX_LOG_INFO, r->connection->log, 0,
                           "answer: operation=%V backend=%V status=%ui "
                           "items=%uD failed=%uD", &ctx->operation->name,
                           &ctx->backend->name, r->headers_out.status,
                           o->items, o->failed);
    }
}


/* Nobody waits for the rest of a backend's answer: it may have no end. */

void
ngx_http_rms_leave_backend(ngx_http_request_t *r)
{
    if (r->upstream && r->upstream->pipe) {
        r->upstream->pipe->upstream_done = 1;
        r->upstream->keepalive = 0;
    }
}


/* What is left unread would keep the buffers of the pipe busy. */

static void
ngx_http_rms_consume(ngx_chain_t *in)
{
    for ( /* void */ ; in; in = in->next) {
        in->buf->pos = in->buf->last;
        in->buf->file_pos = in->buf->file_last;
    }
}


/* The plain text once; the rest of what was to be sent is consumed. */

static ngx_int_t
ngx_http_rms_send_plain(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx,
    ngx_chain_t *in)
{
    ngx_chain_t  out;

    ngx_http_rms_consume(in);

    if (ctx->plain_sent) {
        return ngx_http_next_body_filter(r, NULL);
    }

    ctx->plain_sent = 1;
    ngx_http_rms_leave_backend(r);

    if (ngx_http_rms_whole_body(r, &ctx->plain, &out) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_next_body_filter(r, &out);
}


/*
 * Counts a request body while it is read: a chunked one has no length to look
 * at first.
 */

static ngx_int_t
ngx_http_rms_request_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_chain_t         *cl;
    ngx_http_rms_ctx_t  *ctx;

    ctx = ngx_http_rms_ctx_get(r);

    if (ctx == NULL || ctx->body_limit == 0) {
        return ngx_http_next_request_body_filter(r, in);
    }

    for (cl = in; cl; cl = cl->next) {
        ctx->body_seen += cl->buf->last - cl->buf->pos;
    }

    if (ctx->body_seen > ctx->body_limit || ngx_http_rms_overfull(r, ctx)) {
        if (!ctx->verdict.computed) {
            ctx->verdict = rms_policy_refuse(RMS_REASON_BODY_TOO_LARGE);
            ngx_http_rms_log_verdict(r, ctx);
            ngx_http_rms_count_verdict(r, ctx);
        }

        return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
    }

    return ngx_http_next_request_body_filter(r, in);
}


/*
 * Framing counts as well: chunk extensions, and frames of HTTP/3 that nobody
 * knows, could fill what the budget never saw.  A buffer that is full with more
 * to come would go to a file.
 */

static ngx_uint_t
ngx_http_rms_overfull(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx)
{
    ngx_buf_t                *b;
    ngx_http_request_body_t  *rb;

    rb = r->request_body;
    b = rb->buf;

    if (b == NULL) {
        return 0;
    }

    if (ngx_http_rms_stored_framed(r)
        && (size_t) (b->last - b->start) > ctx->body_reserved)
    {
        return 1;
    }

    return rb->rest > 0 && rb->bufs && b->last == b->end;
}


static ngx_int_t
ngx_http_rms_filter_init(ngx_conf_t *cf)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_rms_header_filter;

    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_rms_body_filter;

    ngx_http_next_request_body_filter = ngx_http_top_request_body_filter;
    ngx_http_top_request_body_filter = ngx_http_rms_request_body_filter;

    return NGX_OK;
}
