
/*
 * Answers of our own: denials (a SOAP fault, a 401 with the challenges, plain
 * text), the service page, GetRmsoUri.aspx.  Exact length, body of the
 * request discarded, connection kept; never HTML to a SOAP client.
 */


#include "ngx_http_rms_module.h"
#include "rms_fault.h"


static ngx_int_t ngx_http_rms_answer_fault(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx);
static ngx_int_t ngx_http_rms_answer_status(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx);
static ngx_int_t ngx_http_rms_tenant(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx, ngx_str_t *body);


static ngx_str_t  ngx_http_rms_text_type = ngx_string("text/plain");


/* A denial, as the verdict wants it; logged and counted here, once. */

ngx_int_t
ngx_http_rms_answer(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx)
{
    ngx_http_rms_log_verdict(r, ctx);
    ngx_http_rms_count_verdict(r, ctx);

    switch (ctx->verdict.answer) {

    case RMS_ANSWER_FAULT_UNAUTHORIZED:
    case RMS_ANSWER_FAULT_PUBLISHING:
        return ngx_http_rms_answer_fault(r, ctx);

    default:
        return ngx_http_rms_answer_status(r, ctx);
    }
}


static ngx_int_t
ngx_http_rms_answer_fault(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx)
{
    rms_fault_e         fault;
    rms_str_t           type[1];
    rms_soap_version_e  version;

    version = ctx->media.version;

    if (version == RMS_SOAP_NONE
        && ngx_http_rms_header_find(&r->headers_in.headers, "Content-Type",
                                    sizeof("Content-Type") - 1, type, 1))
    {
        version = rms_media_version(&type[0]);
    }

    fault = ctx->verdict.answer == RMS_ANSWER_FAULT_PUBLISHING
            ? RMS_FAULT_PUBLISHING : RMS_FAULT_UNAUTHORIZED;

    return ngx_http_rms_send(r, NGX_HTTP_INTERNAL_SERVER_ERROR,
                             rms_fault_type(version),
                             rms_fault_body(fault, version));
}


static ngx_int_t
ngx_http_rms_answer_status(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx)
{
    ngx_str_t   body, after = ngx_string(NGX_HTTP_RMS_RETRY_AFTER);
    ngx_str_t   allow = ngx_string("GET, HEAD, POST");
    ngx_uint_t  status;

    status = ctx->verdict.status;

    /* what IIS sends when the ACL of a file denies: azure-mde.md 4.1 */

    if (status == NGX_HTTP_UNAUTHORIZED
        && ctx->conf->auth != NGX_HTTP_RMS_AUTH_OFF
        && ngx_http_rms_challenge(r, ctx, NULL) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (status == NGX_HTTP_SERVICE_UNAVAILABLE
        && ngx_http_rms_header_out(r, "Retry-After", &after) == NULL)
    {
        return NGX_ERROR;
    }

    if (status == NGX_HTTP_NOT_ALLOWED) {

        if (ctx->path.kind == RMS_PATH_RMSO_URI) {
            ngx_str_set(&allow, "GET, HEAD");
        }

        if (ngx_http_rms_header_out(r, "Allow", &allow) == NULL) {
            return NGX_ERROR;
        }
    }

    if (ngx_http_rms_plain_text(r, status, ctx->verdict.reason, &body)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_rms_send(r, status, &ngx_http_rms_text_type, &body);
}


/* "403 no_role, request 5f1c...": short, for people, no page. */

ngx_int_t
ngx_http_rms_plain_text(ngx_http_request_t *r, ngx_uint_t status,
    rms_reason_e reason, ngx_str_t *out)
{
    u_char              *p;
    ngx_str_t            nothing = ngx_null_string;
    const rms_str_t     *name;
    ngx_http_rms_ctx_t  *ctx;

    ctx = ngx_http_rms_ctx_get(r);
    name = rms_reason_name(reason);

    out->data = ngx_pnalloc(r->pool, 128);
    if (out->data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_snprintf(out->data, 128, "%ui%s%V, request %s\n", status,
                     reason ? " " : "", reason ? name : &nothing,
                     ngx_http_rms_request_id(ctx));

    out->len = p - out->data;

    return NGX_OK;
}


ngx_int_t
ngx_http_rms_page(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx)
{
    ngx_str_t  body, type = ngx_string("text/html; charset=utf-8");
    rms_mem_t  mem;

    if (ctx->path.kind == RMS_PATH_RMSO_URI) {

        if (ngx_http_rms_tenant(r, ctx, &body) != NGX_OK) {
            ctx->verdict = rms_policy_refuse(RMS_REASON_UNKNOWN_PATH);
            return ngx_http_rms_answer(r, ctx);
        }

        type = ngx_http_rms_text_type;

    } else {
        mem = ngx_http_rms_mem(r->pool);

        if (rms_fault_page(ctx->path.endpoint, &mem, &body)
            != RMS_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    ngx_http_rms_count(r, RMS_COUNT_PAGES, 1);

    return ngx_http_rms_send(r, NGX_HTTP_OK, &type, &body);
}


/* The address GenConnectorConfig.ps1 asks for: azure-mde.md E4, G6. */

static ngx_int_t
ngx_http_rms_tenant(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx,
    ngx_str_t *body)
{
    ngx_uint_t                     i;
    ngx_http_rms_backend_conf_t  **pass;

    pass = ctx->conf->pass->elts;

    for (i = 0; i < ctx->conf->pass->nelts; i++) {
        if (pass[i]->policy.kind == RMS_BACKEND_AZURE) {
            *body = pass[i]->tenant;
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_http_rms_send(ngx_http_request_t *r, ngx_uint_t status,
    const ngx_str_t *type, const ngx_str_t *body)
{
    ngx_int_t     rc;
    ngx_chain_t   out;

    /* as nginx does for its own pages: a body we drop is not asked for */

    r->expect_tested = 1;

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    r->headers_out.status = status;
    r->headers_out.content_length_n = body->len;
    r->headers_out.content_type = *type;
    r->headers_out.content_type_len = type->len;
    r->headers_out.content_type_lowcase = NULL;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    if (ngx_http_rms_whole_body(r, body, &out) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_output_filter(r, &out);
}


/* A body in one piece, which is also the last. */

ngx_int_t
ngx_http_rms_whole_body(ngx_http_request_t *r, const ngx_str_t *body,
    ngx_chain_t *out)
{
    ngx_buf_t  *b;

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = body->data;
    b->last = body->data + body->len;
    b->memory = body->len ? 1 : 0;
    b->last_buf = 1;
    b->last_in_chain = 1;

    out->buf = b;
    out->next = NULL;

    return NGX_OK;
}
