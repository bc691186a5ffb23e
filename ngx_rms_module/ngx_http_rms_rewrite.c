
/*
 * The rewriter's place in an answer's way: answers of three operations are
 * collected under a cap, decoded if need be, rewritten and proven by the
 * core, and sent with their exact length; what cannot be is a 502.
 */


#include "ngx_http_rms_module.h"


static void ngx_http_rms_collect_end(ngx_http_request_t *r, ngx_int_t rc);
static ngx_uint_t ngx_http_rms_is_location(ngx_table_elt_t *h);
static ngx_int_t ngx_http_rms_map_location(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx, ngx_table_elt_t *h);
static ngx_int_t ngx_http_rms_url_map_get(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx, rms_url_map_t *map);
static ngx_int_t ngx_http_rms_public_url(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx, ngx_str_t *url);
static ngx_int_t ngx_http_rms_grow(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx, size_t size);
static ngx_uint_t ngx_http_rms_cut_short(ngx_http_request_t *r, ngx_buf_t *b);
static ngx_int_t ngx_http_rms_finish(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx);
static ngx_int_t ngx_http_rms_rewrite_answer(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx, rms_rewrite_result_t *result);
static ngx_int_t ngx_http_rms_send_answer(ngx_http_request_t *r,
    ngx_str_t *body);
static ngx_int_t ngx_http_rms_fail_answer(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx, const char *why);



/* Holds the header: the length is known when the body has been rewritten. */

ngx_int_t
ngx_http_rms_collect_start(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx)
{
    rms_str_t         value;
    const char       *why;
    ngx_table_elt_t  *coding;

    why = NULL;
    value = r->headers_out.content_type;
    coding = r->headers_out.content_encoding;
    ctx->coding = RMS_CODING_IDENTITY;

    if (coding && coding->hash) {
        ctx->coding = rms_coding_parse(&coding->value);
    }

    if (ngx_http_rms_header_find(&r->headers_out.headers, "Content-Encoding",
                                 sizeof("Content-Encoding") - 1, NULL, 0)
        > 1)
    {
        ctx->coding = RMS_CODING_UNKNOWN;
    }

    if (r->headers_out.status != NGX_HTTP_OK) {
        why = "status is not 200";

    } else if (!rms_media_is_xml(&value)) {
        why = "not XML";

    } else if (ctx->coding == RMS_CODING_UNKNOWN) {
        why = "unknown Content-Encoding";

    } else if (r->headers_out.content_length_n > RMS_REWRITE_MAX) {
        why = "too large to be rewritten";
    }

    if (why) {
        ngx_http_rms_event(NGX_LOG_ERR, r->connection->log, 3000,
                           "answer of backend \"%V\" not usable: %s "
                           "operation=%V", &ctx->backend->name, why,
                           &ctx->operation->name);

        return ngx_http_rms_instead(r, ctx, NGX_HTTP_BAD_GATEWAY,
                                    RMS_REASON_BACKEND_ANSWER);
    }

    ctx->collecting = 1;

    ctx->finalize = r->upstream->finalize_request;
    r->upstream->finalize_request = ngx_http_rms_collect_end;

    r->main_filter_need_in_memory = 1;
    r->allow_ranges = 0;

    return NGX_OK;
}


/*
 * A broken chunk makes nginx give up the upstream without a word to the
 * filters, and close; what is held back can still become a clean 502.
 */

static void
ngx_http_rms_collect_end(ngx_http_request_t *r, ngx_int_t rc)
{
    ngx_http_rms_ctx_t  *ctx;

    ctx = ngx_http_rms_ctx_get(r);

    if (ctx == NULL) {
        return;
    }

    ctx->finalize(r, rc);

    if (rc == NGX_ERROR && ctx->collecting && !r->connection->error) {
        r->keepalive = 0;
        (void) ngx_http_rms_fail_answer(r, ctx, "broken framing");
    }
}


/*
 * A redirect to a backend's own name would lead around us.  The list is what
 * counts: headers_out.location stays empty where proxy_redirect is not off
 * and none of its rules applied.
 */

ngx_int_t
ngx_http_rms_map_locations(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_out.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (ngx_http_rms_is_location(&h[i])
                && ngx_http_rms_map_location(r, ctx, &h[i]) != NGX_OK)
            {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_rms_is_location(ngx_table_elt_t *h)
{
    ngx_uint_t         i;
    static ngx_str_t   names[] = {
        ngx_string("Location"),
        ngx_string("Content-Location")
    };

    for (i = 0; i < 2; i++) {
        if (h->hash && h->key.len == names[i].len
            && ngx_strncasecmp(h->key.data, names[i].data, names[i].len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_http_rms_map_location(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx,
    ngx_table_elt_t *h)
{
    u_char         *p;
    size_t          n;
    ngx_str_t       value;
    rms_url_map_t   map;

    if (ngx_http_rms_url_map_get(r, ctx, &map) != NGX_OK) {
        return NGX_ERROR;
    }

    n = rms_url_map(&h->value, &map);

    if (n == 0) {
        return NGX_OK;
    }

    value.len = map.target.len + h->value.len - n;
    value.data = ngx_pnalloc(r->pool, value.len);
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(value.data, map.target.data, map.target.len);
    ngx_memcpy(p, h->value.data + n, h->value.len - n);

    h->value = value;

    return NGX_OK;
}


static ngx_int_t
ngx_http_rms_url_map_get(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx,
    rms_url_map_t *map)
{
    u_char     *p;
    ngx_str_t   url;

    if (ngx_http_rms_public_url(r, ctx, &url) != NGX_OK) {
        return NGX_ERROR;
    }

    map->target.len = url.len + sizeof("/_wmcs") - 1;
    map->target.data = ngx_pnalloc(r->pool, map->target.len);
    if (map->target.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(map->target.data, url.data, url.len);
    ngx_memcpy(p, "/_wmcs", sizeof("/_wmcs") - 1);

    map->bases = ctx->backend->bases.elts;
    map->n_bases = ctx->backend->bases.nelts;

    return NGX_OK;
}


/* Where clients find us: as configured, else as this one did. */

static ngx_int_t
ngx_http_rms_public_url(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx,
    ngx_str_t *url)
{
    u_char      *p;
    in_port_t    port;
    ngx_str_t    host;
    ngx_uint_t   tls;

    if (ctx->conf->public_url) {
        return ngx_http_complex_value(r, ctx->conf->public_url, url);
    }

#if (NGX_HTTP_SSL)
    tls = r->connection->ssl ? 1 : 0;
#else
    tls = 0;
#endif

    host = r->headers_in.server;

    if (host.len == 0) {
        host = ((ngx_http_core_srv_conf_t *)
                ngx_http_get_module_srv_conf(r, ngx_http_core_module))
               ->server_name;
    }

    if (host.len == 0 || host.data[0] == '_' || host.data[0] == '*') {

        /* HTTP/1.0 without Host, and a server without a name of its own */

        ngx_http_rms_event(NGX_LOG_ERR, r->connection->log, 3000,
                           "no public address for this answer; write "
                           "\"rms_public_url\"");
        return NGX_ERROR;
    }

    if (ngx_connection_local_sockaddr(r->connection, NULL, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    port = ngx_inet_get_port(r->connection->local_sockaddr);

    url->data = ngx_pnalloc(r->pool, sizeof("https://:65535") + host.len);
    if (url->data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(url->data, "%s://%V", tls ? "https" : "http", &host);

    if (port && port != (tls ? 443 : 80)) {
        p = ngx_sprintf(p, ":%ui", (ngx_uint_t) port);
    }

    url->len = p - url->data;

    return NGX_OK;
}


/* NGX_AGAIN: more is to come; anything else is the result of the filter. */

ngx_int_t
ngx_http_rms_collect(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx,
    ngx_buf_t *b)
{
    size_t  size;

    size = ngx_buf_in_memory(b) ? b->last - b->pos : 0;

    if (b->in_file && !ngx_buf_in_memory(b)) {
        return ngx_http_rms_fail_answer(r, ctx, "answer went to a file");
    }

    if (ctx->answer_len + size > RMS_REWRITE_MAX) {
        return ngx_http_rms_fail_answer(r, ctx, "too large to be rewritten");
    }

    if (size) {
        if (ngx_http_rms_grow(r, ctx, size) != NGX_OK) {
            return NGX_ERROR;
        }

        ngx_memcpy(ctx->answer + ctx->answer_len, b->pos, size);
        ctx->answer_len += size;
        b->pos = b->last;
    }

    if (b->last_buf) {
        return ngx_http_rms_finish(r, ctx);
    }

    if (ngx_http_rms_cut_short(r, b)) {
        return ngx_http_rms_fail_answer(r, ctx, "cut short");
    }

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_rms_grow(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx, size_t size)
{
    u_char  *p;
    size_t   n;

    if (ctx->answer_len + size <= ctx->answer_size) {
        return NGX_OK;
    }

    n = ctx->answer_size * 2;

    if (ctx->answer_size == 0 && r->headers_out.content_length_n > 0) {
        n = (size_t) r->headers_out.content_length_n;
    }

    if (n < ctx->answer_len + size) {
        n = ctx->answer_len + size;
    }

    if (n < 16384) {
        n = 16384;
    }

    p = ngx_palloc(r->pool, n);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (ctx->answer_len) {
        ngx_memcpy(p, ctx->answer, ctx->answer_len);
        (void) ngx_pfree(r->pool, ctx->answer);
    }

    ctx->answer = p;
    ctx->answer_size = n;

    return NGX_OK;
}


/*
 * A backend that ends in the middle: nginx believes the header was sent, so
 * it flushes and closes; held back as it is, a clean 502 can still be said.
 */

static ngx_uint_t
ngx_http_rms_cut_short(ngx_http_request_t *r, ngx_buf_t *b)
{
    ngx_event_pipe_t  *p;

    p = r->upstream ? r->upstream->pipe : NULL;

    return b->flush && p && (p->upstream_error || p->upstream_eof);
}


static ngx_int_t
ngx_http_rms_finish(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx)
{
    rms_rewrite_result_t  result;

    if (ngx_http_rms_rewrite_answer(r, ctx, &result) != NGX_OK) {
        return ngx_http_rms_fail_answer(r, ctx, "cannot be rewritten");
    }

    if (result.replaced) {
        ngx_http_rms_count(r, RMS_COUNT_REWRITTEN, 1);
        ngx_http_rms_count(r, RMS_COUNT_URLS_REPLACED, result.replaced);
    }

    if (result.found > result.replaced) {
        ngx_http_rms_event(NGX_LOG_INFO, r->connection->log, 0,
                           "%uz of %uz service locations lie under no base of "
                           "backend \"%V\" and stay as they are",
                           result.found - result.replaced, result.found,
                           &ctx->backend->name);
    }

    ctx->collecting = 0;

    if (ctx->coding != RMS_CODING_IDENTITY) {
        r->headers_out.content_encoding->hash = 0;
        r->headers_out.content_encoding = NULL;
    }

    if (result.replaced || ctx->coding != RMS_CODING_IDENTITY) {
        ngx_http_clear_last_modified(r);
        ngx_http_clear_etag(r);
        ngx_http_rms_header_hide(&r->headers_out.headers, "Content-MD5",
                                 sizeof("Content-MD5") - 1);
    }

    ngx_http_clear_accept_ranges(r);
    ngx_http_clear_content_length(r);
    r->headers_out.content_length_n = result.body.len;

    return ngx_http_rms_send_answer(r, &result.body);
}


static ngx_int_t
ngx_http_rms_rewrite_answer(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx,
    rms_rewrite_result_t *result)
{
    rms_mem_t      mem;
    rms_str_t      answer, decoded;
    rms_url_map_t  map;

    mem = ngx_http_rms_mem(r->pool);

    answer.data = ctx->answer;
    answer.len = ctx->answer_len;

    if (ctx->coding != RMS_CODING_IDENTITY) {

        if (rms_inflate(&answer, ctx->coding, RMS_REWRITE_MAX, &mem, &decoded)
            != RMS_OK)
        {
            return NGX_ERROR;
        }

        answer = decoded;
    }

    if (ngx_http_rms_url_map_get(r, ctx, &map) != NGX_OK) {
        return NGX_ERROR;
    }

    return rms_rewrite(&answer, ctx->verdict.rewrite, &map, &mem, result)
           == RMS_OK ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_rms_send_answer(ngx_http_request_t *r, ngx_str_t *body)
{
    ngx_int_t     rc;
    ngx_chain_t   out;

    rc = ngx_http_rms_next_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    if (ngx_http_rms_whole_body(r, body, &out) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_rms_next_body(r, &out);
}


/* What cannot be rewritten and proven is never sent. */

static ngx_int_t
ngx_http_rms_fail_answer(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx,
    const char *why)
{
    ngx_http_rms_event(NGX_LOG_ERR, r->connection->log, 3000,
                       "answer of backend \"%V\" not usable: %s operation=%V",
                       &ctx->backend->name, why,
                       &ctx->operation->name);

    ctx->collecting = 0;
    ctx->token_added = 0;

    if (ngx_http_rms_instead(r, ctx, NGX_HTTP_BAD_GATEWAY,
                             RMS_REASON_BACKEND_ANSWER)
        != NGX_OK
        || ngx_http_rms_add_token(r, ctx) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ctx->plain_sent = 1;
    ngx_http_rms_leave_backend(r);

    return ngx_http_rms_send_answer(r, &ctx->plain);
}
