
/*
 * Handshakes of more than one leg: the half-done GSSAPI context stays with
 * the client's real connection, never with a request, and goes away with the
 * connection, with the next leg, or when no next leg comes in time.
 */


#include "ngx_http_rms_module.h"


static void ngx_http_rms_leg_cleanup(void *data);
static void ngx_http_rms_leg_expire(ngx_event_t *ev);
static void ngx_http_rms_leg_drop(ngx_http_rms_leg_t *leg);


ngx_http_rms_leg_t *
ngx_http_rms_leg_find(ngx_connection_t *c)
{
    ngx_pool_cleanup_t  *cln;
    ngx_http_rms_leg_t  *leg;

    for (cln = c->pool->cleanup; cln; cln = cln->next) {

        if (cln->handler != ngx_http_rms_leg_cleanup) {
            continue;
        }

        leg = cln->data;

        /* c->number never repeats; the address of a connection does (D5) */

        return leg->number == c->number ? leg : NULL;
    }

    return NULL;
}


/* Keeps a context for the next leg; the context is freed if that fails. */

ngx_http_rms_leg_t *
ngx_http_rms_leg_keep(ngx_connection_t *c, ngx_http_rms_keytab_t *keytab,
    rms_gss_context_t *context, ngx_uint_t legs)
{
    ngx_pool_cleanup_t  *cln;
    ngx_http_rms_leg_t  *leg;

    leg = ngx_http_rms_leg_find(c);

    if (leg == NULL) {
        cln = ngx_pool_cleanup_add(c->pool, sizeof(ngx_http_rms_leg_t));
        if (cln == NULL) {
            rms_gss_context_free(context);
            return NULL;
        }

        leg = cln->data;
        ngx_memzero(leg, sizeof(ngx_http_rms_leg_t));

        leg->number = c->number;
        leg->expire.handler = ngx_http_rms_leg_expire;
        leg->expire.data = c;
        leg->expire.log = c->log;
        leg->expire.cancelable = 1;

        cln->handler = ngx_http_rms_leg_cleanup;
        cln->data = leg;
    }

    ngx_http_rms_leg_drop(leg);

    leg->keytab = keytab;
    leg->context = context;
    leg->legs = legs;

    ngx_add_timer(&leg->expire, NGX_HTTP_RMS_LEG_TIMEOUT);

    return leg;
}


/* The context moves to the caller. */

rms_gss_context_t *
ngx_http_rms_leg_take(ngx_http_rms_leg_t *leg)
{
    rms_gss_context_t  *context;

    context = leg->context;
    leg->context = NULL;

    if (leg->expire.timer_set) {
        ngx_del_timer(&leg->expire);
    }

    return context;
}


static void
ngx_http_rms_leg_drop(ngx_http_rms_leg_t *leg)
{
    rms_gss_context_t  *context;

    context = ngx_http_rms_leg_take(leg);

    if (context) {
        rms_gss_context_free(context);
    }
}


static void
ngx_http_rms_leg_cleanup(void *data)
{
    ngx_http_rms_leg_drop(data);
}


static void
ngx_http_rms_leg_expire(ngx_event_t *ev)
{
    ngx_connection_t    *c;
    ngx_http_rms_leg_t  *leg;

    c = ev->data;
    leg = ngx_http_rms_leg_find(c);

    if (leg) {
        ngx_http_rms_leg_drop(leg);
    }
}
