
/*
 * "rms_session cookie": a random number tells who it is.  Its record is in the
 * zone, under a hash of the number (ngx_http_rms_record.c); what a record says
 * is kept by each worker that read it (ngx_http_rms_callers.c).  In the ACCESS
 * phase.
 */


#include "ngx_http_rms_module.h"
#include "rms_cookie.h"

#include <openssl/crypto.h>


static ngx_uint_t ngx_http_rms_cookie_key(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx, rms_store_key_t *key);
static rms_rc_e ngx_http_rms_cookie_store(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx);
static rms_rc_e ngx_http_rms_cookie_set(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx, unsigned char *id);


#define NGX_HTTP_RMS_COOKIES  16


/*
 * NGX_OK: the caller is known.  NGX_DECLINED: no session.  NGX_AGAIN: another
 * node may know, and the request comes again.  NGX_ERROR.
 */

ngx_int_t
ngx_http_rms_cookie_find(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx)
{
    ngx_int_t               rc;
    rms_store_key_t         key;
    ngx_http_rms_caller_t  *caller;

    if (!ngx_http_rms_cookie_key(r, ctx, &key)) {
        return NGX_DECLINED;
    }

    caller = ngx_http_rms_callers_find(r, ctx, &key);

    if (caller == NULL) {
        rc = ngx_http_rms_record_caller(r, ctx, &key, &caller);

        if (rc == NGX_DECLINED) {
            return ngx_http_rms_remote_find(r, ctx, &key);
        }

        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (!ngx_http_rms_caller_fits(caller, ctx->conf)
        || ngx_http_rms_session_short(ctx, caller))
    {
        ngx_http_rms_caller_free(caller);
        return NGX_DECLINED;
    }

    ngx_http_rms_caller_set(ctx, caller);
    ctx->session = NGX_HTTP_RMS_SESSION_COOKIE;

    ngx_http_rms_count(r, RMS_COUNT_SESSION_HITS, 1);

    return NGX_OK;
}


static ngx_uint_t
ngx_http_rms_cookie_key(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx,
    rms_store_key_t *key)
{
    rms_str_t   headers[NGX_HTTP_RMS_COOKIES];
    ngx_uint_t  n;
    u_char      id[RMS_SESSION_ID];

    n = ngx_http_rms_header_find(&r->headers_in.headers, "Cookie",
                                 sizeof("Cookie") - 1, headers,
                                 NGX_HTTP_RMS_COOKIES);

    if (n == 0 || n > NGX_HTTP_RMS_COOKIES
        || rms_session_cookie(headers, n, &ctx->conf->session_name, id)
           != RMS_OK
        || rms_session_key(id, key->id) != RMS_OK)
    {
        return 0;
    }

    key->kind = NGX_HTTP_RMS_STORE_SESSION;

    return 1;
}


/* After a login.  Whatever goes wrong here costs the session, not the login. */

void
ngx_http_rms_cookie_begin(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx)
{
    rms_rc_e  rc;

    /* "__Host-" over plain HTTP: no browser would keep it */

    rc = rms_cookie_check(&ctx->conf->session_name, ngx_http_rms_tls(r));

    if (rc != RMS_OK) {
        ngx_http_rms_event(NGX_LOG_WARN, r->connection->log, 3000,
                           "no session: its cookie \"%V\" is for TLS, and "
                           "this is plain HTTP; each request logs in anew",
                           &ctx->conf->session_name);
        return;
    }

    rc = ngx_http_rms_cookie_store(r, ctx);

    if (rc == RMS_OK) {
        ngx_http_rms_count(r, RMS_COUNT_SESSIONS, 1);
        return;
    }

    ngx_http_rms_event(NGX_LOG_WARN, r->connection->log, 3000,
                       "no session: %s; each request logs in anew",
                       rc == RMS_TOO_LARGE
                       ? "the account has too many groups"
                       : rc == RMS_UNSUPPORTED ? "no randomness"
                       : "no memory in the zone");
}


static rms_rc_e
ngx_http_rms_cookie_store(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx)
{
    rms_rc_e         rc;
    rms_store_key_t  key;
    u_char           id[RMS_SESSION_ID];

    key.kind = NGX_HTTP_RMS_STORE_SESSION;

    rc = rms_session_id_make(id);

    if (rc == RMS_OK) {
        rc = rms_session_key(id, key.id);
    }

    if (rc == RMS_OK) {
        rc = ngx_http_rms_record_write(r, ctx, &key);
    }

    if (rc == RMS_OK) {
        rc = ngx_http_rms_cookie_set(r, ctx, id);
    }

    OPENSSL_cleanse(id, sizeof(id));

    return rc;
}


/* It is sent by the header filter, with whatever answer there will be. */

static rms_rc_e
ngx_http_rms_cookie_set(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx,
    unsigned char *id)
{
    rms_str_t     text;
    rms_cookie_t  cookie;
    u_char        value[RMS_SESSION_TEXT];

    ngx_memzero(&cookie, sizeof(rms_cookie_t));

    rms_session_id_text(id, value);

    cookie.name = ctx->conf->session_name;
    cookie.value.data = value;
    cookie.value.len = RMS_SESSION_TEXT;
    cookie.site = RMS_COOKIE_LAX;
    cookie.secure = ngx_http_rms_tls(r);

    text.len = RMS_COOKIE_TEXT_MAX;
    text.data = ngx_pnalloc(r->pool, RMS_COOKIE_TEXT_MAX);

    if (text.data == NULL) {
        return RMS_NOMEM;
    }

    if (rms_cookie_format(&cookie, &text) != RMS_OK) {
        return RMS_INVALID;
    }

    ctx->cookie = text;

    return RMS_OK;
}
