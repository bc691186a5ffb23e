
/*
 * What stays with a client's real connection, never with a request: the
 * half-done GSSAPI context of a handshake of more than one leg, and the caller
 * that "rms_session connection" binds to it.  Both go away with the
 * connection; a context also when no next leg comes in time, or when too many
 * newer ones wait.
 */


#include "ngx_http_rms_module.h"


static void ngx_http_rms_conn_cleanup(void *data);
static void ngx_http_rms_leg_expire(ngx_event_t *ev);
static void ngx_http_rms_leg_drop(ngx_http_rms_conn_t *conn);


/* of this worker: connections with half-done handshakes, the oldest last */
static ngx_queue_t  ngx_http_rms_legs;
static ngx_uint_t   ngx_http_rms_n_legs;


void
ngx_http_rms_conn_init(void)
{
    ngx_queue_init(&ngx_http_rms_legs);
    ngx_http_rms_n_legs = 0;
}


ngx_http_rms_conn_t *
ngx_http_rms_conn_find(ngx_connection_t *c)
{
    ngx_pool_cleanup_t   *cln;
    ngx_http_rms_conn_t  *conn;

    for (cln = c->pool->cleanup; cln; cln = cln->next) {

        if (cln->handler != ngx_http_rms_conn_cleanup) {
            continue;
        }

        conn = cln->data;

        /* c->number never repeats; the address of a connection does (D5) */

        return conn->number == c->number ? conn : NULL;
    }

    return NULL;
}


ngx_http_rms_conn_t *
ngx_http_rms_conn_get(ngx_connection_t *c)
{
    ngx_pool_cleanup_t   *cln;
    ngx_http_rms_conn_t  *conn;

    conn = ngx_http_rms_conn_find(c);

    if (conn) {
        return conn;
    }

    cln = ngx_pool_cleanup_add(c->pool, sizeof(ngx_http_rms_conn_t));
    if (cln == NULL) {
        return NULL;
    }

    conn = cln->data;
    ngx_memzero(conn, sizeof(ngx_http_rms_conn_t));

    conn->number = c->number;

    conn->leg.expire.handler = ngx_http_rms_leg_expire;
    conn->leg.expire.data = c;
    conn->leg.expire.log = c->log;
    conn->leg.expire.cancelable = 1;

    cln->handler = ngx_http_rms_conn_cleanup;

    return conn;
}


static void
ngx_http_rms_conn_cleanup(void *data)
{
    ngx_http_rms_conn_t *conn = data;

    ngx_http_rms_leg_drop(conn);
    ngx_http_rms_conn_bind(conn, NULL);
}


/* Binds a caller to the connection, in place of the one before; or nobody. */

void
ngx_http_rms_conn_bind(ngx_http_rms_conn_t *conn,
    ngx_http_rms_caller_t *caller)
{
    if (caller) {
        caller->refs++;
    }

    ngx_http_rms_caller_free(conn->caller);

    conn->caller = caller;
}


/* Keeps a context for the next leg; the context is freed if that fails. */

ngx_int_t
ngx_http_rms_leg_keep(ngx_connection_t *c, ngx_http_rms_leg_t *given)
{
    ngx_queue_t          *oldest;
    ngx_http_rms_conn_t  *conn;

    conn = ngx_http_rms_conn_get(c);

    if (conn == NULL) {
        rms_gss_context_free(given->context);
        return NGX_ERROR;
    }

    ngx_http_rms_leg_drop(conn);

    if (ngx_http_rms_n_legs == NGX_HTTP_RMS_LEGS_MAX) {
        oldest = ngx_queue_last(&ngx_http_rms_legs);
        ngx_http_rms_leg_drop(ngx_queue_data(oldest, ngx_http_rms_conn_t,
                                             leg.queue));
    }

    conn->leg.context = given->context;
    conn->leg.scope = given->scope;
    conn->leg.mech = given->mech;
    conn->leg.legs = given->legs;
    conn->leg.epoch = given->epoch;

    ngx_queue_insert_head(&ngx_http_rms_legs, &conn->leg.queue);
    ngx_http_rms_n_legs++;

    ngx_add_timer(&conn->leg.expire, NGX_HTTP_RMS_LEG_TIMEOUT);

    return NGX_OK;
}


/* The context moves to the caller. */

rms_gss_context_t *
ngx_http_rms_leg_take(ngx_http_rms_conn_t *conn)
{
    rms_gss_context_t  *context;

    context = conn->leg.context;

    if (context == NULL) {
        return NULL;
    }

    conn->leg.context = NULL;

    ngx_queue_remove(&conn->leg.queue);
    ngx_http_rms_n_legs--;

    if (conn->leg.expire.timer_set) {
        ngx_del_timer(&conn->leg.expire);
    }

    return context;
}


static void
ngx_http_rms_leg_drop(ngx_http_rms_conn_t *conn)
{
    rms_gss_context_t  *context;

    context = ngx_http_rms_leg_take(conn);

    if (context) {
        rms_gss_context_free(context);
    }
}


static void
ngx_http_rms_leg_expire(ngx_event_t *ev)
{
    ngx_connection_t     *c;
    ngx_http_rms_conn_t  *conn;

    c = ev->data;
    conn = ngx_http_rms_conn_find(c);

    if (conn) {
        ngx_http_rms_leg_drop(conn);
    }
}
