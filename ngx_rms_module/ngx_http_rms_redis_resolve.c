
/*
 * The addresses of a server with a name, asked for at each attempt: a server
 * may move.  In the worker; the addresses are of the attempt.
 */


#include "ngx_http_rms_redis_link.h"


static void ngx_http_rms_redis_conn_resolved(ngx_resolver_ctx_t *ctx);
static ngx_int_t ngx_http_rms_redis_conn_addrs(ngx_http_rms_redis_conn_t *conn,
    ngx_resolver_ctx_t *ctx);


void
ngx_http_rms_redis_conn_resolve(ngx_http_rms_redis_conn_t *conn)
{
    ngx_resolver_ctx_t  *ctx, temp;

    if (conn->redis->resolver == NULL) {
        ngx_http_rms_redis_conn_fail(conn, RMS_REDIS_STAGE_RESOLVE, 0,
                                     "no \"resolver\" for a name");
        return;
    }

    ngx_memzero(&temp, sizeof(ngx_resolver_ctx_t));
    temp.name = conn->server->host;

    ctx = ngx_resolve_start(conn->redis->resolver, &temp);

    if (ctx == NULL || ctx == NGX_NO_RESOLVER) {
        ngx_http_rms_redis_conn_fail(conn, RMS_REDIS_STAGE_RESOLVE, 0,
                                     ctx ? "no \"resolver\" for a name"
                                         : "no memory");
        return;
    }

    ctx->name = conn->server->host;
    ctx->handler = ngx_http_rms_redis_conn_resolved;
    ctx->data = conn;
    ctx->timeout = conn->redis->resolver_timeout;
    ctx->cancelable = 1;

    conn->resolving = ctx;

    if (ngx_resolve_name(ctx) != NGX_OK) {
        conn->resolving = NULL;
        ngx_http_rms_redis_conn_fail(conn, RMS_REDIS_STAGE_RESOLVE, 0,
                                     "the resolver does not take the name");
    }
}


static void
ngx_http_rms_redis_conn_resolved(ngx_resolver_ctx_t *ctx)
{
    ngx_int_t                   rc, state;
    ngx_http_rms_redis_conn_t  *conn = ctx->data;

    state = ctx->state;
    rc = state ? NGX_DECLINED : ngx_http_rms_redis_conn_addrs(conn, ctx);

    conn->resolving = NULL;
    ngx_resolve_name_done(ctx);

    if (rc == NGX_OK) {
        ngx_http_rms_redis_conn_connect(conn);
        return;
    }

    ngx_http_rms_redis_conn_fail(conn, RMS_REDIS_STAGE_RESOLVE, 0, "%s",
                                 state ? ngx_resolver_strerror(state)
                                       : "no memory");
}


/* The resolver's addresses are gone when it is done. */

static ngx_int_t
ngx_http_rms_redis_conn_addrs(ngx_http_rms_redis_conn_t *conn,
    ngx_resolver_ctx_t *ctx)
{
    ngx_uint_t        i;
    ngx_addr_t       *addrs;
    struct sockaddr  *sa;

    addrs = ngx_pcalloc(conn->pool, ctx->naddrs * sizeof(ngx_addr_t));

    if (addrs == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < ctx->naddrs; i++) {
        sa = ngx_palloc(conn->pool, ctx->addrs[i].socklen);

        if (sa == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(sa, ctx->addrs[i].sockaddr, ctx->addrs[i].socklen);
        ngx_inet_set_port(sa, conn->server->port);

        addrs[i].sockaddr = sa;
        addrs[i].socklen = ctx->addrs[i].socklen;
        addrs[i].name = conn->server->name;
    }

    conn->addrs = addrs;
    conn->naddrs = ctx->naddrs;

    return NGX_OK;
}
