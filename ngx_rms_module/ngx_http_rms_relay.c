
/*
 * The content handler rms_pass: steps 3 to 7 of a request's way.  It reads
 * the body, asks the core for the verdict, and hands the request over to the
 * backend's named location, or answers.
 */


#include "ngx_http_rms_module.h"


static ngx_int_t ngx_http_rms_get(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx);
static ngx_int_t ngx_http_rms_post(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx);
static void ngx_http_rms_question(ngx_http_rms_ctx_t *ctx, rms_question_t *q);
static rms_reason_e ngx_http_rms_read_headers(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx);
static ngx_int_t ngx_http_rms_read_body(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx);
static void ngx_http_rms_body_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_rms_body_parts(ngx_http_request_t *r,
    rms_body_t *body);
static rms_reason_e ngx_http_rms_inspect(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx);
static rms_soap_result_t ngx_http_rms_soap(ngx_http_rms_ctx_t *ctx,
    rms_body_t *body);
static rms_reason_e ngx_http_rms_soap_reason(rms_soap_error_e error);
static ngx_int_t ngx_http_rms_decide(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx);
static ngx_int_t ngx_http_rms_hand_over(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx);
static ngx_int_t ngx_http_rms_deny(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx, rms_reason_e reason);


ngx_int_t
ngx_http_rms_pass_handler(ngx_http_request_t *r)
{
    ngx_int_t            rc;
    ngx_http_rms_ctx_t  *ctx;

    if (r != r->main) {
        ngx_http_rms_count_reason(r, RMS_REASON_SUBREQUEST);
        return NGX_HTTP_FORBIDDEN;
    }

    ctx = ngx_http_rms_ctx_create(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->verdict.computed || ctx->reading) {

        /*
         * an internal redirect back to us: one verdict, no second way; what
         * error_page was to dress up is said as it is
         */

        return r->err_status >= NGX_HTTP_BAD_REQUEST
               ? (ngx_int_t) r->err_status : NGX_HTTP_NOT_FOUND;
    }

    ngx_http_rms_count(r, RMS_COUNT_REQUESTS, 1);

    /* satisfy any may have let the request pass our ACCESS handler */

    rc = ngx_http_rms_classify(r, ctx);

    if (rc != NGX_OK) {
        return rc;
    }

    ngx_http_rms_authorise(r, ctx);

    if (r->method == NGX_HTTP_POST) {
        return ngx_http_rms_post(r, ctx);
    }

    return ngx_http_rms_get(r, ctx);
}


/*
 * Service pages and GetRmsoUri.aspx: any authenticated caller of our own
 * realm, or a role.
 */

static ngx_int_t
ngx_http_rms_get(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx)
{
    if (r->method != NGX_HTTP_GET && r->method != NGX_HTTP_HEAD) {
        return ngx_http_rms_deny(r, ctx, RMS_REASON_METHOD);
    }

    if (ctx->path.has_query
        || (ctx->path.endpoint && ctx->path.endpoint->never))
    {
        return ngx_http_rms_deny(r, ctx, RMS_REASON_UNKNOWN_PATH);
    }

    if (ctx->acl.role == RMS_ROLE_NONE
        && (ctx->auth_state != NGX_HTTP_RMS_IDENTIFIED
            || ctx->caller->foreign))
    {
        return ngx_http_rms_deny(r, ctx, ctx->acl.reason);
    }

    return ngx_http_rms_page(r, ctx);
}


static ngx_int_t
ngx_http_rms_post(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx)
{
    rms_reason_e     reason;
    rms_question_t   q;

    if (ctx->path.kind != RMS_PATH_ENDPOINT) {
        return ngx_http_rms_deny(r, ctx, RMS_REASON_METHOD);
    }

    reason = ngx_http_rms_read_headers(r, ctx);

    /* who has no role learns nothing about what else is wrong */

    if (reason != RMS_REASON_NONE && ctx->acl.role != RMS_ROLE_NONE) {
        return ngx_http_rms_deny(r, ctx, reason);
    }

    ngx_http_rms_question(ctx, &q);

    ctx->verdict = rms_policy_admit(&q);

    if (!ctx->verdict.allow) {
        if (ctx->acl.role == RMS_ROLE_NONE
            && ctx->acl.reason == RMS_REASON_FOREIGN_REALM)
        {
            ctx->verdict.reason = RMS_REASON_FOREIGN_REALM;
        }

        return ngx_http_rms_answer(r, ctx);
    }

    /* admitted to be read; not allowed yet */

    ngx_memzero(&ctx->verdict, sizeof(rms_verdict_t));

    return ngx_http_rms_read_body(r, ctx);
}


static void
ngx_http_rms_question(ngx_http_rms_ctx_t *ctx, rms_question_t *q)
{
    ngx_memzero(q, sizeof(rms_question_t));

    q->role = ctx->acl.role;
    q->authenticated = (ctx->auth_state == NGX_HTTP_RMS_IDENTIFIED);
    q->endpoint = ctx->path.endpoint;
    q->op = ctx->operation ? ctx->operation->id : RMS_OP_NONE;
    q->licensor = &ctx->licensor;
    q->grants = ctx->conf->grants;
    q->deny = (rms_deny_e) ctx->conf->deny;
    q->backends = ctx->conf->policies;
    q->n_backends = ctx->conf->pass->nelts;
}


/* What the headers say the request is; 415 and 400 before a byte is read. */

static rms_reason_e
ngx_http_rms_read_headers(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx)
{
    rms_rc_e     rc;
    rms_str_t    types[4], actions[4], coding[1];
    ngx_uint_t   n_types, n_actions, n;
    ngx_list_t  *headers;

    headers = &r->headers_in.headers;

    n_types = ngx_http_rms_header_find(headers, "Content-Type",
                                       sizeof("Content-Type") - 1, types, 4);
    n_actions = ngx_http_rms_header_find(headers, "SOAPAction",
                                         sizeof("SOAPAction") - 1, actions, 4);
    n = ngx_http_rms_header_find(headers, "Content-Encoding",
                                 sizeof("Content-Encoding") - 1, coding, 1);

    if (n_types) {
        ctx->media.version = rms_media_version(&types[0]);
    }

    if (n > 1 || (n && !rms_media_identity(&coding[0]))) {
        return RMS_REASON_ENCODING;
    }

    if (n_types > 4 || n_actions > 4) {
        return RMS_REASON_BAD_ACTION;
    }

    rc = rms_media_parse(types, n_types, actions, n_actions, &ctx->media);

    if (rc != RMS_OK) {
        return rc == RMS_UNSUPPORTED ? RMS_REASON_MEDIA_TYPE
                                     : RMS_REASON_BAD_ACTION;
    }

    ctx->operation = rms_operation_by_action(&ctx->media.action);

    if (ctx->operation == NULL
        || !rms_endpoint_serves(ctx->path.endpoint, ctx->operation->id))
    {
        ctx->operation = NULL;
        return RMS_REASON_ACTION_MISMATCH;
    }

    return RMS_REASON_NONE;
}


/* Whole and in memory, under the endpoint's limit and the worker's budget. */

static ngx_int_t
ngx_http_rms_read_body(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx)
{
    ngx_int_t  rc;

    ctx->body_limit = ctx->path.endpoint->body_max;

    if (ctx->auth_state != NGX_HTTP_RMS_IDENTIFIED
        && ctx->body_limit > NGX_HTTP_RMS_ANONYMOUS_BODY)
    {
        ctx->body_limit = NGX_HTTP_RMS_ANONYMOUS_BODY;
    }

    if (r->headers_in.content_length_n > (off_t) ctx->body_limit) {
        return ngx_http_rms_deny(r, ctx, RMS_REASON_BODY_TOO_LARGE);
    }

    if (r->request_body || r->discard_body) {
        /* somebody read it, or part of it: a rest would never come */
        return ngx_http_rms_deny(r, ctx, RMS_REASON_INTERNAL);
    }

    if (ngx_http_rms_body_reserve(r, ctx) != NGX_OK) {
        return ngx_http_rms_deny(r, ctx, RMS_REASON_BODY_MEMORY);
    }

    ctx->reading = 1;
    r->request_body_in_single_buf = 1;

    rc = ngx_http_read_client_request_body(r, ngx_http_rms_body_handler);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    return NGX_DONE;
}


static void
ngx_http_rms_body_handler(ngx_http_request_t *r)
{
    ngx_int_t            rc;
    rms_reason_e         reason;
    ngx_http_rms_ctx_t  *ctx;

    ctx = ngx_http_rms_ctx_get(r);

    reason = ngx_http_rms_inspect(r, ctx);

    rc = (reason == RMS_REASON_NONE) ? ngx_http_rms_decide(r, ctx)
                                     : ngx_http_rms_deny(r, ctx, reason);

    ngx_http_finalize_request(r, rc);
}


/* The pieces the body was read in, for the core; nothing is copied. */

static ngx_int_t
ngx_http_rms_body_parts(ngx_http_request_t *r, rms_body_t *body)
{
    size_t        n;
    rms_str_t    *parts;
    ngx_chain_t  *cl;

    n = 0;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {

        if (cl->buf->in_file || r->request_body->temp_file) {
            ngx_log_error(NGX_LOG_ALERT, r->connection->log, 0,
                          "rms request body went to a file");
            return NGX_ERROR;
        }

        n++;
    }

    parts = ngx_palloc(r->pool, (n + 1) * sizeof(rms_str_t));
    if (parts == NULL) {
        return NGX_ERROR;
    }

    body->parts = parts;
    body->n = n;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        parts->data = cl->buf->pos;
        parts->len = cl->buf->last - cl->buf->pos;

        ngx_http_rms_count(r, RMS_COUNT_BODY_BYTES, parts->len);
        parts++;
    }

    return NGX_OK;
}


static rms_reason_e
ngx_http_rms_inspect(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx)
{
    rms_body_t         body;
    rms_soap_result_t  result;

    if (r->request_body == NULL
        || ngx_http_rms_body_parts(r, &body) != NGX_OK)
    {
        return RMS_REASON_INTERNAL;
    }

    result = ngx_http_rms_soap(ctx, &body);

    if (result.error != RMS_SOAP_FINE) {
        ngx_http_rms_event(NGX_LOG_WARN, r->connection->log, 0,
                           "body refused: %s",
                           rms_soap_error_text(result.error));

        return ngx_http_rms_soap_reason(result.error);
    }

    ctx->licensor = result.licensor;

    return RMS_REASON_NONE;
}


/* With one backend the first element is all there is to know. */

static rms_soap_result_t
ngx_http_rms_soap(ngx_http_rms_ctx_t *ctx, rms_body_t *body)
{
    rms_soap_depth_e   depth;
    rms_soap_result_t  result;

    depth = ctx->conf->inspect == NGX_HTTP_RMS_INSPECT_STRICT
            ? RMS_SOAP_STRICT : RMS_SOAP_FIRST;

    result = rms_soap_read(body, ctx->media.version, ctx->operation, depth);

    if (result.error != RMS_SOAP_FINE || ctx->conf->pass->nelts == 1
        || rms_soap_search(body, ctx->operation, &result.licensor) == RMS_OK)
    {
        return result;
    }

    return rms_soap_read(body, ctx->media.version, ctx->operation,
                         RMS_SOAP_LICENSOR);
}


static rms_reason_e
ngx_http_rms_soap_reason(rms_soap_error_e error)
{
    switch (error) {

    case RMS_SOAP_NOT_UTF8:
        return RMS_REASON_MEDIA_TYPE;

    case RMS_SOAP_OTHER_OPERATION:
    case RMS_SOAP_SECOND_CHILD:
        return RMS_REASON_BODY_MISMATCH;

    case RMS_SOAP_NO_MEMORY:
        return RMS_REASON_BODY_MEMORY;

    default:
        return RMS_REASON_BAD_BODY;
    }
}


/* The verdict: once, here. */

static ngx_int_t
ngx_http_rms_decide(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx)
{
    rms_question_t                 q;
    ngx_http_rms_backend_conf_t  **pass;

    ngx_http_rms_question(ctx, &q);

    ctx->verdict = rms_policy_decide(&q);

    pass = ctx->conf->pass->elts;
    ctx->backend = pass[ctx->verdict.backend];

    if (!ctx->verdict.allow) {
        return ngx_http_rms_answer(r, ctx);
    }

    if (ngx_http_rms_hand_over(r, ctx) != NGX_OK) {
        return ngx_http_rms_deny(r, ctx, RMS_REASON_INTERNAL);
    }

    ngx_http_rms_count_verdict(r, ctx);

    return ngx_http_named_location(r, &ctx->backend->pass);
}


/* The request line is the table's: nothing of the client's spelling goes on. */

static ngx_int_t
ngx_http_rms_hand_over(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx)
{
    u_char           *p;
    const rms_str_t  *path;

    if (ngx_http_rms_prepare_headers(r, ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    path = &ctx->path.endpoint->path;

    p = ngx_pnalloc(r->pool, ctx->backend->path.len + path->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    r->uri.data = p;
    r->uri.len = ctx->backend->path.len + path->len;

    p = ngx_cpymem(p, ctx->backend->path.data, ctx->backend->path.len);
    ngx_memcpy(p, path->data, path->len);

    ctx->uri = r->uri;

    ngx_str_null(&r->args);
    r->valid_unparsed_uri = 0;
    r->quoted_uri = 0;
    r->add_uri_to_alias = 0;
    ngx_http_set_exten(r);

    ctx->handed_over = 1;

    return NGX_OK;
}


static ngx_int_t
ngx_http_rms_deny(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx,
    rms_reason_e reason)
{
    ctx->verdict = rms_policy_refuse(reason);

    return ngx_http_rms_answer(r, ctx);
}
