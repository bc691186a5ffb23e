
/*
 * rms_session: who was identified is remembered, by the connection (here) or by
 * a cookie (ngx_http_rms_cookie.c).  The identity is used again, never a
 * decision.
 */


#include "ngx_http_rms_module.h"
#include "ngx_http_rms_conf.h"
#include "rms_cookie.h"


static char *ngx_http_rms_session_parameter(ngx_conf_t *cf,
    ngx_http_rms_loc_conf_t *rlcf, ngx_str_t *value);
static ngx_int_t ngx_http_rms_session_connection(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx);
static ngx_uint_t ngx_http_rms_session_over(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx, ngx_http_rms_caller_t *caller);
static ngx_uint_t ngx_http_rms_session_shared(ngx_http_request_t *r);
static void ngx_http_rms_session_bind(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx);


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
        return ngx_http_rms_cookie_find(r, ctx);

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
           || caller->epoch < ngx_http_rms_caller_revoked(r, caller);
}


/*
 * Rules by sid= where the session began without SIDs, for there were none:
 * another login tells them.
 */

ngx_uint_t
ngx_http_rms_session_short(ngx_http_rms_ctx_t *ctx,
    ngx_http_rms_caller_t *caller)
{
    return caller->unasked && ctx->conf->list
           && ngx_http_rms_rules_now(ctx->conf->list)->wants_sids;
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


/* After a login.  Whatever goes wrong here costs the session, not the login. */

void
ngx_http_rms_session_begin(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx)
{
    if (ctx->conf->session == NGX_HTTP_RMS_SESSION_CONNECTION) {
        ngx_http_rms_session_bind(r, ctx);
    }

    if (ctx->conf->session == NGX_HTTP_RMS_SESSION_COOKIE) {
        ngx_http_rms_cookie_begin(r, ctx);
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
