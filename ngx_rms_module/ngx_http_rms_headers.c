
/*
 * Headers in and out: finding, removing, adding, and what a request carries
 * to a backend.  The proxy module copies every line of the list whatever its
 * hash says, so a header that must not leave is taken out of the list itself.
 */


#include "ngx_http_rms_module.h"
#include "rms_cookie.h"

#include <openssl/crypto.h>


static ngx_uint_t ngx_http_rms_header_is(ngx_table_elt_t *h, const char *name,
    size_t len);
static ngx_int_t ngx_http_rms_challenge_add(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx, ngx_uint_t i, ngx_str_t *value);
static ngx_int_t ngx_http_rms_attach_identity(ngx_http_request_t *r,
    ngx_http_rms_identity_t *identity);
static void ngx_http_rms_wipe(void *data);
static ngx_int_t ngx_http_rms_keep_headers(ngx_http_request_t *r,
    rms_rewrite_rule_e rewrite);
static ngx_uint_t ngx_http_rms_dropped(ngx_table_elt_t *h,
    rms_rewrite_rule_e rewrite);
static ngx_int_t ngx_http_rms_keep_cookies(ngx_http_request_t *r,
    ngx_table_elt_t *h);
static ngx_int_t ngx_http_rms_prepare_media(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx);


/* What a backend never gets to see, or gets from us instead. */

static ngx_str_t  ngx_http_rms_dropped_headers[] = {
    ngx_string("Authorization"),
    ngx_string("Proxy-Authorization"),
    ngx_string("Range"),
    ngx_string("If-Range"),
    ngx_string("Trailer"),
    ngx_string("X-HTTP-Method"),
    ngx_string("X-HTTP-Method-Override"),
    ngx_string("X-Method-Override"),
    ngx_string("X-Original-URL"),
    ngx_string("X-Rewrite-URL"),
    ngx_string("SOAPAction"),
    ngx_string("Content-Type"),
    ngx_string("Content-Encoding"),
    ngx_null_string
};


static ngx_uint_t
ngx_http_rms_header_is(ngx_table_elt_t *h, const char *name, size_t len)
{
    return h->key.len == len
           && ngx_strncasecmp(h->key.data, (u_char *) name, len) == 0;
}


/* Answers how many lines there are; the first max values go to values. */

ngx_uint_t
ngx_http_rms_header_find(ngx_list_t *headers, const char *name, size_t len,
    rms_str_t *values, ngx_uint_t max)
{
    ngx_uint_t        i, n;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    n = 0;

    for (part = &headers->part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (!ngx_http_rms_header_is(&h[i], name, len)) {
                continue;
            }

            if (n < max) {
                values[n] = h[i].value;
            }

            n++;
        }
    }

    return n;
}


/* Hides every line of a name from the client. */

void
ngx_http_rms_header_hide(ngx_list_t *headers, const char *name, size_t len)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &headers->part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (ngx_http_rms_header_is(&h[i], name, len)) {
                h[i].hash = 0;
            }
        }
    }
}


/*
 * Adds a request header for the backend.  hidden: with hash 0 the line goes
 * out all the same, but no $http_* variable and so no access log shows it.
 */

ngx_int_t
ngx_http_rms_header_in(ngx_http_request_t *r, const char *name,
    ngx_str_t *value, ngx_uint_t hidden)
{
    size_t            len;
    ngx_table_elt_t  *h;

    len = ngx_strlen(name);

    h = ngx_list_push(&r->headers_in.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->key.len = len;
    h->key.data = (u_char *) name;
    h->value = *value;

    h->lowcase_key = ngx_pnalloc(r->pool, len);
    if (h->lowcase_key == NULL) {
        ngx_str_null(&h->value);
        return NGX_ERROR;
    }

    h->hash = ngx_hash_strlow(h->lowcase_key, h->key.data, len);

    if (hidden) {
        h->hash = 0;
    }

    return NGX_OK;
}


ngx_table_elt_t *
ngx_http_rms_header_out(ngx_http_request_t *r, const char *name,
    ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NULL;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    h->key.len = ngx_strlen(name);
    h->key.data = (u_char *) name;
    h->value = *value;

    return h;
}


/*
 * The challenges of the location (RFC 4559 4.1), or between two legs the one
 * with the token, alone.
 */

ngx_int_t
ngx_http_rms_challenge(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx,
    ngx_str_t *token)
{
    ngx_str_t   value;
    ngx_uint_t  i;

    /* an internal redirect may ask a second time: one set of ours */

    for (i = 0; i < 2; i++) {
        if (ctx->challenge[i]) {
            ctx->challenge[i]->hash = 0;
            ctx->challenge[i] = NULL;
        }
    }

    if (token && token->len) {
        return ngx_http_rms_token_value(r, ctx, token, &value) == NGX_OK
               ? ngx_http_rms_challenge_add(r, ctx, 0, &value) : NGX_ERROR;
    }

    ngx_str_set(&value, "Negotiate");

    if (ngx_http_rms_challenge_add(r, ctx, 0, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    if (!ngx_http_rms_ntlm_possible(r, ctx->conf)) {
        return NGX_OK;
    }

    ngx_str_set(&value, "NTLM");

    return ngx_http_rms_challenge_add(r, ctx, 1, &value);
}


static ngx_int_t
ngx_http_rms_challenge_add(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx,
    ngx_uint_t i, ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_http_rms_header_out(r, "WWW-Authenticate", value);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ctx->challenge[i] = h;

#if (nginx_version >= 1023000)
    if (i > 0) {
        ctx->challenge[0]->next = h;
        return NGX_OK;
    }
#endif

    r->headers_out.www_authenticate = h;

    return NGX_OK;
}


/* The token under the scheme the client speaks. */

ngx_int_t
ngx_http_rms_token_value(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx,
    ngx_str_t *token, ngx_str_t *value)
{
    u_char     *p;
    ngx_str_t   scheme = ngx_string("Negotiate ");

    if (ctx->scheme == RMS_SCHEME_NTLM) {
        ngx_str_set(&scheme, "NTLM ");
    }

    value->len = scheme.len + token->len;
    value->data = ngx_pnalloc(r->pool, value->len);
    if (value->data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(value->data, scheme.data, scheme.len);
    ngx_memcpy(p, token->data, token->len);

    return NGX_OK;
}


/*
 * What the backend must not see goes, what it needs comes: design 1,
 * "Hand-over".  The body and its length stay as they came.
 */

ngx_int_t
ngx_http_rms_prepare_headers(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx)
{
    ngx_str_t  identity = ngx_string("identity");

    if (ngx_http_rms_keep_headers(r, ctx->verdict.rewrite) != NGX_OK) {
        return NGX_ERROR;
    }

    r->headers_in.authorization = NULL;
    r->headers_in.range = NULL;
    r->headers_in.if_range = NULL;

    /* no tunnel through us, whatever a backend answers */
    r->headers_in.upgrade = NULL;

    if (ctx->verdict.rewrite != RMS_REWRITE_NONE
        && ngx_http_rms_header_in(r, "Accept-Encoding", &identity, 1)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ctx->verdict.attach_identity
        && ngx_http_rms_attach_identity(r, ctx->backend->identity) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_rms_prepare_media(r, ctx);
}


/*
 * A copy, since the file may change while limit_req holds the request; wiped
 * when the request ends.
 */

static ngx_int_t
ngx_http_rms_attach_identity(ngx_http_request_t *r,
    ngx_http_rms_identity_t *identity)
{
    ngx_str_t           *own;
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_str_t));
    if (cln == NULL) {
        return NGX_ERROR;
    }

    own = cln->data;

    own->data = ngx_pstrdup(r->pool, &identity->value);
    if (own->data == NULL) {
        return NGX_ERROR;
    }

    own->len = identity->value.len;
    cln->handler = ngx_http_rms_wipe;

    return ngx_http_rms_header_in(r, "Authorization", own, 1);
}


static void
ngx_http_rms_wipe(void *data)
{
    ngx_str_t  *secret = data;

    OPENSSL_cleanse(secret->data, secret->len);
}


/* Takes our identity (and all else no backend sees) out of the list. */

ngx_int_t
ngx_http_rms_drop_identity(ngx_http_request_t *r)
{
    return ngx_http_rms_keep_headers(r, RMS_REWRITE_NONE);
}


/*
 * Copies the lines that may go on into a list of their own.  The old lines
 * stay in memory: nginx keeps pointers to some of them.
 */

static ngx_int_t
ngx_http_rms_keep_headers(ngx_http_request_t *r, rms_rewrite_rule_e rewrite)
{
    ngx_uint_t        i;
    ngx_list_t        kept;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h, *copy, line;

    if (ngx_list_init(&kept, r->pool, 20, sizeof(ngx_table_elt_t)) != NGX_OK) {
        return NGX_ERROR;
    }

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (ngx_http_rms_dropped(&h[i], rewrite)) {
                continue;
            }

            line = h[i];

            if (ngx_http_rms_keep_cookies(r, &line) != NGX_OK) {
                return NGX_ERROR;
            }

            if (line.value.len == 0 && h[i].value.len != 0) {
                continue;
            }

            copy = ngx_list_push(&kept);
            if (copy == NULL) {
                return NGX_ERROR;
            }

            *copy = line;
        }
    }

    r->headers_in.headers = kept;

    /* an empty list has its last part inside of itself */

    if (kept.last == &kept.part) {
        r->headers_in.headers.last = &r->headers_in.headers.part;
    }

    return NGX_OK;
}


/* Our cookies go; a line with nothing else in it becomes empty. */

static ngx_int_t
ngx_http_rms_keep_cookies(ngx_http_request_t *r, ngx_table_elt_t *h)
{
    rms_str_t                  left;
    ngx_str_t                 *names;
    ngx_uint_t                 i;
    ngx_http_rms_main_conf_t  *rmcf;

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_rms_module);

    if (rmcf->cookies.nelts == 0
        || !ngx_http_rms_header_is(h, "Cookie", sizeof("Cookie") - 1))
    {
        return NGX_OK;
    }

    names = rmcf->cookies.elts;

    for (i = 0; i < rmcf->cookies.nelts; i++) {

        left.data = ngx_pnalloc(r->pool, h->value.len + 1);
        if (left.data == NULL) {
            return NGX_ERROR;
        }

        if (rms_cookie_without(&h->value, &names[i], &left)) {
            left.data[left.len] = '\0';
            h->value = left;
        }
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_rms_dropped(ngx_table_elt_t *h, rms_rewrite_rule_e rewrite)
{
    ngx_str_t  *name;

    for (name = ngx_http_rms_dropped_headers; name->len; name++) {
        if (ngx_http_rms_header_is(h, (char *) name->data, name->len)) {
            return 1;
        }
    }

    return rewrite != RMS_REWRITE_NONE
           && ngx_http_rms_header_is(h, "Accept-Encoding",
                                     sizeof("Accept-Encoding") - 1);
}


/* The action goes out as the table spells it, in one place, once. */

static ngx_int_t
ngx_http_rms_prepare_media(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx)
{
    u_char           *p;
    ngx_str_t         value;
    const rms_str_t  *action;

    action = &ctx->operation->action;

    value.data = ngx_pnalloc(r->pool, action->len + 128);
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    if (ctx->media.version == RMS_SOAP_12) {
        p = ngx_sprintf(value.data, "application/soap+xml; charset=utf-8; "
                                    "action=\"%V\"", action);
        value.len = p - value.data;

        return ngx_http_rms_header_in(r, "Content-Type", &value, 0);
    }

    p = ngx_sprintf(value.data, "\"%V\"", action);
    value.len = p - value.data;

    if (ngx_http_rms_header_in(r, "SOAPAction", &value, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_str_set(&value, "text/xml; charset=utf-8");

    return ngx_http_rms_header_in(r, "Content-Type", &value, 0);
}
