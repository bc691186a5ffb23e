
/*
 * The request context: made once per main request, lives in its pool and is
 * found again after internal redirects, which clear nginx's table of
 * contexts.  A subrequest never finds one.
 */


#include "ngx_http_rms_module.h"

#include <openssl/rand.h>


static void ngx_http_rms_ctx_redirected(ngx_http_rms_ctx_t *ctx,
    ngx_http_rms_loc_conf_t *rlcf);
static void ngx_http_rms_ctx_cleanup(void *data);
static void *ngx_http_rms_pool_alloc(void *data, size_t size);


/* of this worker: bytes of request bodies in memory */
static size_t  ngx_http_rms_body_used;
static size_t  ngx_http_rms_anonymous_used;


ngx_http_rms_ctx_t *
ngx_http_rms_ctx_get(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t  *cln;
    ngx_http_rms_ctx_t  *ctx;

    if (r != r->main) {
        return NULL;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_rms_module);

    if (ctx || !(r->internal || r->filter_finalize)) {
        return ctx;
    }

    for (cln = r->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_http_rms_ctx_cleanup) {
            ctx = cln->data;
            ngx_http_set_ctx(r, ctx, ngx_http_rms_module);
            break;
        }
    }

    return ctx;
}


ngx_http_rms_ctx_t *
ngx_http_rms_ctx_create(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t       *cln;
    ngx_http_rms_ctx_t       *ctx;
    ngx_http_rms_loc_conf_t  *rlcf;

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_rms_module);

    ctx = ngx_http_rms_ctx_get(r);

    if (ctx) {

        if (ctx->conf != rlcf && !ctx->handed_over) {

            ngx_http_rms_ctx_redirected(ctx, rlcf);
        }

        return ctx;
    }

    if (r != r->main) {
        return NULL;
    }

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_rms_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    ctx = cln->data;
    ngx_memzero(ctx, sizeof(ngx_http_rms_ctx_t));

    cln->handler = ngx_http_rms_ctx_cleanup;

    ctx->conf = rlcf;

    ngx_http_set_ctx(r, ctx, ngx_http_rms_module);

    return ctx;
}


/*
 * The identity stays where the new location would have found the same one; all
 * else is asked again.
 */

static void
ngx_http_rms_ctx_redirected(ngx_http_rms_ctx_t *ctx,
    ngx_http_rms_loc_conf_t *rlcf)
{
    if (ctx->auth_state == NGX_HTTP_RMS_IDENTIFIED
        && !ngx_http_rms_caller_fits(ctx->caller, rlcf))
    {
        ngx_http_rms_caller_set(ctx, NULL);
        ngx_str_null(&ctx->auth_token);
        ngx_str_null(&ctx->cookie);
    }

    ctx->conf = rlcf;
    ctx->classified = 0;
    ctx->authorised = 0;
}


static void
ngx_http_rms_ctx_cleanup(void *data)
{
    ngx_http_rms_ctx_t *ctx = data;

    ngx_http_rms_body_used -= ctx->body_reserved;
    ngx_http_rms_anonymous_used -= ctx->anonymous_reserved;

    ngx_http_rms_caller_free(ctx->caller);
    ngx_http_rms_rules_free(ctx->rules);
}


/*
 * Takes a body's memory from the worker's budget before it is read.  A length
 * that is not known counts as the most that may come, with its framing; what
 * was taken is also the most that will be stored.  Anonymous callers share a
 * quarter, so that they cannot keep the servers out.
 */

ngx_int_t
ngx_http_rms_body_reserve(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx)
{
    size_t                     size, budget;
    ngx_http_rms_main_conf_t  *rmcf;

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_rms_module);

    budget = rmcf->body_memory;

    if (r->headers_in.content_length_n < 0) {
        size = ngx_min(ngx_http_rms_framed(ctx->body_limit), budget);

    } else if (ngx_http_rms_stored_framed(r)) {
        size = (size_t) r->headers_in.content_length_n;
        size = ngx_min(ngx_http_rms_framed(size) + NGX_HTTP_RMS_FRAMES,
                       budget);

    } else {
        size = (size_t) r->headers_in.content_length_n;
    }

    if (ngx_http_rms_body_used > budget
        || size > budget - ngx_http_rms_body_used)
    {
        return NGX_BUSY;
    }

    if (ctx->auth_state != NGX_HTTP_RMS_IDENTIFIED) {

        if (ngx_http_rms_anonymous_used + size > budget / 4) {
            return NGX_BUSY;
        }

        ngx_http_rms_anonymous_used += size;
        ctx->anonymous_reserved = size;
    }

    ngx_http_rms_body_used += size;
    ctx->body_reserved = size;

    return NGX_OK;
}


rms_mem_t
ngx_http_rms_mem(ngx_pool_t *pool)
{
    rms_mem_t  mem;

    mem.alloc = ngx_http_rms_pool_alloc;
    mem.data = pool;

    return mem;
}


static void *
ngx_http_rms_pool_alloc(void *data, size_t size)
{
    return ngx_palloc(data, size);
}


/* Names this request in answers and logs; made when first asked for. */

u_char *
ngx_http_rms_request_id(ngx_http_rms_ctx_t *ctx)
{
    u_char  bytes[16];

    if (ctx->id[0] == '\0') {

        if (RAND_bytes(bytes, 16) != 1) {
            ngx_memzero(bytes, 16);
        }

        *ngx_hex_dump(ctx->id, bytes, 16) = '\0';
    }

    return ctx->id;
}


/* The reason that counts: the latest thing that went wrong. */

rms_reason_e
ngx_http_rms_reason(ngx_http_rms_ctx_t *ctx)
{
    if (ctx->answer_reason) {
        return ctx->answer_reason;
    }

    if (ctx->verdict.computed) {
        return ctx->verdict.reason;
    }

    return ctx->auth_reason;
}
