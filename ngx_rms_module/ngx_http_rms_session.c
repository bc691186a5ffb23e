
/*
 * rms_session: who was identified is remembered, by the connection or by a
 * cookie and a record in the zone.  The identity is used again, never a
 * decision.
 */


#include "ngx_http_rms_module.h"
#include "ngx_http_rms_conf.h"
#include "rms_cookie.h"
#include "rms_session.h"

#include <openssl/crypto.h>


static char *ngx_http_rms_session_parameter(ngx_conf_t *cf,
    ngx_http_rms_loc_conf_t *rlcf, ngx_str_t *value);
static ngx_int_t ngx_http_rms_session_connection(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx);
static ngx_uint_t ngx_http_rms_session_over(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx, ngx_http_rms_caller_t *caller);
static ngx_uint_t ngx_http_rms_session_short(ngx_http_rms_ctx_t *ctx,
    ngx_http_rms_caller_t *caller);
static ngx_uint_t ngx_http_rms_session_shared(ngx_http_request_t *r);
static ngx_int_t ngx_http_rms_session_cookie(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx);
static ngx_uint_t ngx_http_rms_session_id(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx, rms_store_key_t *key);
static rms_rc_e ngx_http_rms_session_read(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx, rms_store_key_t *key, rms_session_t *session);
static void ngx_http_rms_session_touch(ngx_http_rms_zone_t *zone,
    rms_store_key_t *key, rms_session_t *session, uint64_t now);
static ngx_http_rms_caller_t *ngx_http_rms_session_caller(
    ngx_http_rms_loc_conf_t *rlcf, rms_session_t *session);
static void ngx_http_rms_session_bind(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx);
static void ngx_http_rms_session_store(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx);
static rms_rc_e ngx_http_rms_session_describe(ngx_http_rms_ctx_t *ctx,
    rms_session_t *session);
static rms_rc_e ngx_http_rms_session_write(ngx_http_request_t *r,
    unsigned char *id, rms_session_t *session);
static rms_rc_e ngx_http_rms_session_put(ngx_http_request_t *r,
    rms_store_key_t *key, rms_session_t *session);
static rms_rc_e ngx_http_rms_session_set_cookie(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx, unsigned char *id);


#define NGX_HTTP_RMS_COOKIES  16

/* seconds that the groups of a login are remembered */
#define NGX_HTTP_RMS_LAST_LOGIN  (30 * 24 * 3600)


/* of this worker: a record on its way in or out, the same anew, its SIDs */
static u_char  ngx_http_rms_record[RMS_SESSION_ENCODED_MAX];
static u_char  ngx_http_rms_touched[RMS_SESSION_ENCODED_MAX];
static u_char  ngx_http_rms_packed[RMS_SESSION_SIDS_MAX];


char *
ngx_http_rms_session_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_rms_loc_conf_t *rlcf = conf;

    char        *rv;
    ngx_str_t   *value;
    ngx_uint_t   i;

    if (rlcf->session != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        rlcf->session = NGX_HTTP_RMS_SESSION_OFF;

    } else if (ngx_strcmp(value[1].data, "connection") == 0) {
        rlcf->session = NGX_HTTP_RMS_SESSION_CONNECTION;

    } else if (ngx_strcmp(value[1].data, "cookie") == 0) {
        rlcf->session = NGX_HTTP_RMS_SESSION_COOKIE;

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" in \"rms_session\"; write "
                           "off, connection or cookie", &value[1]);
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {
        rv = ngx_http_rms_session_parameter(cf, rlcf, &value[i]);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (rlcf->session_ttl != NGX_CONF_UNSET
        && rlcf->session_idle != NGX_CONF_UNSET
        && rlcf->session_idle > rlcf->session_ttl)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"idle\" in \"rms_session\" is longer than "
                           "\"ttl\"; write a shorter one");
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_rms_session_parameter(ngx_conf_t *cf, ngx_http_rms_loc_conf_t *rlcf,
    ngx_str_t *value)
{
    time_t     *time;
    ngx_str_t   s;

    s.data = (u_char *) ngx_strchr(value->data, '=');

    if (s.data && rlcf->session != NGX_HTTP_RMS_SESSION_OFF) {
        s.data++;
        s.len = value->data + value->len - s.data;

        if (ngx_strncmp(value->data, "name=", 5) == 0
            && rlcf->session == NGX_HTTP_RMS_SESSION_COOKIE
            && rlcf->session_name.data == NULL
            && rms_cookie_check(&s, 1) == RMS_OK)
        {
            rlcf->session_name = s;
            return NGX_CONF_OK;
        }

        time = ngx_strncmp(value->data, "ttl=", 4) == 0 ? &rlcf->session_ttl
               : ngx_strncmp(value->data, "idle=", 5) == 0
               ? &rlcf->session_idle : NULL;

        if (time && *time == NGX_CONF_UNSET) {
            *time = ngx_parse_time(&s, 1);

            if (*time > 0 && *time <= NGX_HTTP_RMS_SESSION_MAX) {
                return NGX_CONF_OK;
            }
        }
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" in \"rms_session\"; write "
                       "\"rms_session connection ttl=8h idle=1h;\" or "
                       "\"rms_session cookie name=rms_session ttl=8h "
                       "idle=1h;\", with times up to 7d", value);

    return NGX_CONF_ERROR;
}


/* A level that says "rms_session" says all of it. */

void
ngx_http_rms_session_merge(ngx_http_rms_loc_conf_t *prev,
    ngx_http_rms_loc_conf_t *conf)
{
    if (conf->session == NGX_CONF_UNSET_UINT) {
        conf->session = prev->session;
        conf->session_name = prev->session_name;
        conf->session_ttl = prev->session_ttl;
        conf->session_idle = prev->session_idle;
    }

    if (conf->session == NGX_CONF_UNSET_UINT) {
        conf->session = NGX_HTTP_RMS_SESSION_OFF;
    }

    if (conf->session_name.data == NULL) {
        ngx_str_set(&conf->session_name, "rms_session");
    }

    if (conf->session_ttl == NGX_CONF_UNSET) {
        conf->session_ttl = 8 * 3600;
    }

    if (conf->session_idle == NGX_CONF_UNSET) {
        conf->session_idle = ngx_min(3600, conf->session_ttl);
    }
}


/* NGX_OK: the caller is known.  NGX_DECLINED: no session.  NGX_ERROR. */

ngx_int_t
ngx_http_rms_session_find(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx)
{
    switch (ctx->conf->session) {

    case NGX_HTTP_RMS_SESSION_CONNECTION:
        return ngx_http_rms_session_connection(r, ctx);

    case NGX_HTTP_RMS_SESSION_COOKIE:
        return ngx_http_rms_session_cookie(r, ctx);

    default:
        return NGX_DECLINED;
    }
}


static ngx_int_t
ngx_http_rms_session_connection(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx)
{
    ngx_http_rms_conn_t    *conn;
    ngx_http_rms_caller_t  *caller;

    conn = ngx_http_rms_conn_find(r->connection);

    if (conn == NULL || conn->caller == NULL) {
        return NGX_DECLINED;
    }

    caller = conn->caller;

    if (ngx_http_rms_session_shared(r)) {
        ngx_http_rms_event(NGX_LOG_WARN, r->connection->log, 2000,
                           "session of a connection ended: a request on it "
                           "came through a proxy (Via, Forwarded or "
                           "X-Forwarded-For), which may share connections; "
                           "write \"rms_session cookie\" or \"off\"");
        ngx_http_rms_conn_bind(conn, NULL);

        return NGX_DECLINED;
    }

    if (ngx_http_rms_session_over(r, ctx, caller)) {
        ngx_http_rms_conn_bind(conn, NULL);
        return NGX_DECLINED;
    }

    if (!ngx_http_rms_caller_fits(caller, ctx->conf)
        || ngx_http_rms_session_short(ctx, caller))
    {
        return NGX_DECLINED;
    }

    caller->seen = ngx_time();
    caller->refs++;

    ngx_http_rms_caller_set(ctx, caller);
    ctx->session = NGX_HTTP_RMS_SESSION_CONNECTION;

    ngx_http_rms_count(r, RMS_COUNT_SESSION_HITS, 1);

    return NGX_OK;
}


static ngx_uint_t
ngx_http_rms_session_over(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx,
    ngx_http_rms_caller_t *caller)
{
    time_t  now;

    now = ngx_time();

    return now < caller->seen
           || now - caller->created >= ctx->conf->session_ttl
           || now - caller->seen >= ctx->conf->session_idle
           || ngx_http_rms_caller_revoked(r, caller);
}


/*
 * Rules by sid= where the session began without SIDs, for there were none:
 * another login tells them.
 */

static ngx_uint_t
ngx_http_rms_session_short(ngx_http_rms_ctx_t *ctx,
    ngx_http_rms_caller_t *caller)
{
    return caller->unasked && ctx->conf->list
           && ctx->conf->list->rules->wants_sids;
}


/* A proxy in front that says so may send the requests of several clients. */

static ngx_uint_t
ngx_http_rms_session_shared(ngx_http_request_t *r)
{
    ngx_uint_t         i;
    static ngx_str_t   names[] = {
        ngx_string("Via"),
        ngx_string("Forwarded"),
        ngx_string("X-Forwarded-For")
    };

    for (i = 0; i < 3; i++) {
        if (ngx_http_rms_header_find(&r->headers_in.headers,
                                     (char *) names[i].data, names[i].len,
                                     NULL, 0))
        {
            return 1;
        }
    }

    return 0;
}


/* Who begins to log in again is nobody until that is done. */

void
ngx_http_rms_session_unbind(ngx_http_request_t *r)
{
    ngx_http_rms_conn_t  *conn;

    conn = ngx_http_rms_conn_find(r->connection);

    if (conn) {
        ngx_http_rms_conn_bind(conn, NULL);
    }
}


static ngx_int_t
ngx_http_rms_session_cookie(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx)
{
    rms_session_t           session;
    rms_store_key_t         key;
    ngx_http_rms_caller_t  *caller;

    if (!ngx_http_rms_session_id(r, ctx, &key)
        || ngx_http_rms_session_read(r, ctx, &key, &session) != RMS_OK)
    {
        return NGX_DECLINED;
    }

    caller = ngx_http_rms_session_caller(ctx->conf, &session);

    OPENSSL_cleanse(ngx_http_rms_record, sizeof(ngx_http_rms_record));

    if (caller == NULL) {
        return NGX_ERROR;
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
ngx_http_rms_session_id(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx,
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


/* The record stays where session points to until the next one is read. */

static rms_rc_e
ngx_http_rms_session_read(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx,
    rms_store_key_t *key, rms_session_t *session)
{
    rms_rc_e              rc;
    uint64_t              now;
    rms_str_t             value;
    ngx_http_rms_zone_t  *zone;
    rms_session_state_e   state;

    zone = ngx_http_rms_zone(r);
    now = (uint64_t) ngx_time();

    value.data = ngx_http_rms_record;
    value.len = sizeof(ngx_http_rms_record);

    ngx_shmtx_lock(&zone->shpool->mutex);

    rc = rms_store_get(&zone->store, key, &value, now);

    if (rc == RMS_OK) {
        rc = rms_session_decode(&value, session);

        state = rc == RMS_OK
                ? rms_session_state(session, ctx->conf->scope, now,
                                    ngx_http_rms_revoked(zone,
                                                         &session->account))
                : RMS_SESSION_EXPIRED;

        if (state == RMS_SESSION_ELSEWHERE) {
            rc = RMS_DECLINED;

        } else if (state != RMS_SESSION_VALID) {
            (void) rms_store_delete(&zone->store, key);
            rc = RMS_DECLINED;

        } else if (rms_session_touch_due(session, now)) {
            ngx_http_rms_session_touch(zone, key, session, now);
        }
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    return rc;
}


static void
ngx_http_rms_session_touch(ngx_http_rms_zone_t *zone, rms_store_key_t *key,
    rms_session_t *session, uint64_t now)
{
    rms_str_t  value;

    value.data = ngx_http_rms_touched;
    value.len = sizeof(ngx_http_rms_touched);

    session->seen = now;

    if (rms_session_encode(session, &value) == RMS_OK) {
        (void) rms_store_put(&zone->store, key, &value,
                             rms_session_expires(session), now);
    }

    OPENSSL_cleanse(ngx_http_rms_touched, value.len);
}


static ngx_http_rms_caller_t *
ngx_http_rms_session_caller(ngx_http_rms_loc_conf_t *rlcf,
    rms_session_t *session)
{
    rms_mem_t               mem;
    ngx_http_rms_caller_t  *caller;

    caller = ngx_http_rms_caller_create(rlcf, session->mech);
    if (caller == NULL) {
        return NULL;
    }

    mem = ngx_http_rms_mem(caller->pool);

    caller->account.len = session->account.len;
    caller->account.data = ngx_pstrdup(caller->pool, &session->account);
    caller->name = caller->account;
    caller->service.len = session->service.len;
    caller->service.data = ngx_pstrdup(caller->pool, &session->service);
    caller->foreign = session->foreign;
    caller->created = (time_t) session->created;
    caller->seen = (time_t) session->seen;
    caller->epoch = session->epoch;

    ngx_memcpy(caller->scope, session->scope, NGX_HTTP_RMS_SCOPE);

    if (caller->account.data == NULL || caller->service.data == NULL) {
        ngx_http_rms_caller_free(caller);
        return NULL;
    }

    /* SIDs that cannot be read are not known: rules by them fail closed */

    caller->sids_why = "its session began without them";

    if (session->sids.len == 0) {
        caller->unasked = 1;
        return caller;
    }

    caller->sids = ngx_palloc(caller->pool, sizeof(rms_sid_set_t));

    if (caller->sids == NULL
        || rms_sid_unpack(&session->sids, &mem, caller->sids) != RMS_OK)
    {
        caller->sids = NULL;
    }

    return caller;
}


/* After a login.  Whatever goes wrong here costs the session, not the login. */

void
ngx_http_rms_session_begin(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx)
{
    if (ctx->conf->session == NGX_HTTP_RMS_SESSION_CONNECTION) {
        ngx_http_rms_session_bind(r, ctx);
    }

    if (ctx->conf->session == NGX_HTTP_RMS_SESSION_COOKIE) {
        ngx_http_rms_session_store(r, ctx);
    }
}


/* As IIS does; streams of HTTP/2 share a connection that nobody is bound to. */

static void
ngx_http_rms_session_bind(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx)
{
    ngx_http_rms_conn_t  *conn;

    if (r->http_version != NGX_HTTP_VERSION_11
        || ngx_http_rms_session_shared(r))
    {
        return;
    }

    conn = ngx_http_rms_conn_get(r->connection);

    if (conn) {
        ngx_http_rms_conn_bind(conn, ctx->caller);
        ngx_http_rms_count(r, RMS_COUNT_SESSIONS, 1);
    }
}


static void
ngx_http_rms_session_store(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx)
{
    rms_rc_e        rc;
    rms_session_t   session;
    u_char          id[RMS_SESSION_ID];

    /* "__Host-" over plain HTTP: no browser would keep it */

    rc = rms_cookie_check(&ctx->conf->session_name, ngx_http_rms_tls(r));

    if (rc != RMS_OK) {
        ngx_http_rms_event(NGX_LOG_WARN, r->connection->log, 3000,
                           "no session: its cookie \"%V\" is for TLS, and "
                           "this is plain HTTP; each request logs in anew",
                           &ctx->conf->session_name);
        return;
    }

    rc = rms_session_id_make(id);

    if (rc == RMS_OK) {
        rc = ngx_http_rms_session_describe(ctx, &session);
    }

    if (rc == RMS_OK) {
        rc = ngx_http_rms_session_write(r, id, &session);
    }

    if (rc == RMS_OK) {
        rc = ngx_http_rms_session_set_cookie(r, ctx, id);
    }

    OPENSSL_cleanse(id, sizeof(id));

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
ngx_http_rms_session_describe(ngx_http_rms_ctx_t *ctx, rms_session_t *session)
{
    ngx_http_rms_caller_t  *caller;

    caller = ctx->caller;

    ngx_memzero(session, sizeof(rms_session_t));

    session->account = caller->account;
    session->service = caller->service;
    session->mech = caller->mech;
    session->foreign = caller->foreign;
    session->created = (uint64_t) caller->created;
    session->seen = (uint64_t) caller->seen;
    session->lifetime = (uint32_t) ctx->conf->session_ttl;
    session->idle = (uint32_t) ctx->conf->session_idle;
    session->epoch = caller->epoch;

    ngx_memcpy(session->scope, caller->scope, NGX_HTTP_RMS_SCOPE);

    if (caller->sids == NULL) {
        return RMS_OK;
    }

    session->sids.data = ngx_http_rms_packed;
    session->sids.len = sizeof(ngx_http_rms_packed);

    return rms_sid_pack(caller->sids, &session->sids);
}


static rms_rc_e
ngx_http_rms_session_write(ngx_http_request_t *r, unsigned char *id,
    rms_session_t *session)
{
    rms_rc_e         rc;
    rms_store_key_t  key;

    key.kind = NGX_HTTP_RMS_STORE_SESSION;

    rc = rms_session_key(id, key.id);

    return rc == RMS_OK ? ngx_http_rms_session_put(r, &key, session) : rc;
}


static rms_rc_e
ngx_http_rms_session_put(ngx_http_request_t *r, rms_store_key_t *key,
    rms_session_t *session)
{
    rms_rc_e              rc;
    rms_str_t             value;
    ngx_http_rms_zone_t  *zone;

    zone = ngx_http_rms_zone(r);

    value.data = ngx_http_rms_record;
    value.len = sizeof(ngx_http_rms_record);

    rc = rms_session_encode(session, &value);
    if (rc != RMS_OK) {
        return rc;
    }

    ngx_shmtx_lock(&zone->shpool->mutex);

    rc = rms_store_put(&zone->store, key, &value,
                       rms_session_expires(session), (uint64_t) ngx_time());

    ngx_shmtx_unlock(&zone->shpool->mutex);

    OPENSSL_cleanse(ngx_http_rms_record, value.len);

    return rc;
}


/* It is sent by the header filter, with whatever answer there will be. */

static rms_rc_e
ngx_http_rms_session_set_cookie(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx,
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


/* Which groups an account had, for "explain"; nothing is decided by it. */

void
ngx_http_rms_last_login(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx)
{
    rms_session_t    session;
    rms_store_key_t  key;

    if (ctx->caller->sids == NULL || ctx->caller->account.len == 0
        || ngx_http_rms_session_describe(ctx, &session) != RMS_OK
        || rms_session_account_key(&session.account, key.id) != RMS_OK)
    {
        return;
    }

    key.kind = NGX_HTTP_RMS_STORE_TICKET;

    session.lifetime = NGX_HTTP_RMS_LAST_LOGIN;
    session.idle = NGX_HTTP_RMS_LAST_LOGIN;

    (void) ngx_http_rms_session_put(r, &key, &session);
}


/* NGX_OK; NGX_DECLINED: there is none, or it cannot be read. */

ngx_int_t
ngx_http_rms_last_login_read(ngx_http_request_t *r, const rms_str_t *account,
    ngx_pool_t *pool, rms_sid_set_t *sids, time_t *when, ngx_uint_t *foreign)
{
    rms_rc_e              rc;
    rms_mem_t             mem;
    rms_str_t             value;
    rms_session_t         session;
    rms_store_key_t       key;
    ngx_http_rms_zone_t  *zone;

    zone = ngx_http_rms_zone(r);
    mem = ngx_http_rms_mem(pool);

    value.data = ngx_http_rms_record;
    value.len = sizeof(ngx_http_rms_record);

    key.kind = NGX_HTTP_RMS_STORE_TICKET;

    if (rms_session_account_key(account, key.id) != RMS_OK) {
        return NGX_DECLINED;
    }

    ngx_shmtx_lock(&zone->shpool->mutex);
    rc = rms_store_get(&zone->store, &key, &value, (uint64_t) ngx_time());
    ngx_shmtx_unlock(&zone->shpool->mutex);

    if (rc == RMS_OK) {
        rc = rms_session_decode(&value, &session);
    }

    if (rc != RMS_OK || !rms_str_eq(&session.account, account)
        || rms_sid_unpack(&session.sids, &mem, sids) != RMS_OK)
    {
        return NGX_DECLINED;
    }

    *when = (time_t) session.created;
    *foreign = session.foreign;

    return NGX_OK;
}
