
/*
 * Whether a balancer should give this node connections: rms_health, and
 * "GET .../health" below rms_status.  And "POST .../drain" below rms_status, by
 * which an admin takes the node out before it is stopped.  Content handlers;
 * nothing of them waits, or asks another host.
 */


#include "ngx_http_rms_pool.h"
#include "ngx_http_rms_conf.h"


static const char *ngx_http_rms_health(ngx_http_request_t *r);
static ngx_uint_t ngx_http_rms_health_leaving(ngx_http_rms_main_conf_t *rmcf);
static ngx_int_t ngx_http_rms_drain(ngx_http_request_t *r, ngx_uint_t on);


char *
ngx_http_rms_health_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_rms_loc_conf_t *rlcf = conf;

    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler) {
        return "stands beside another content handler; give it a location of "
               "its own, as in \"location = /rms/health { rms_health; "
               "access_log off; }\"";
    }

    rlcf->health = 1;
    clcf->handler = ngx_http_rms_health_handler;

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_rms_health_handler(ngx_http_request_t *r)
{
    const char  *why;
    ngx_str_t    allow = ngx_string("GET, HEAD");
    ngx_str_t    no_store = ngx_string("no-store");

    if (r->method != NGX_HTTP_GET && r->method != NGX_HTTP_HEAD) {
        (void) ngx_http_rms_header_out(r, "Allow", &allow);
        return NGX_HTTP_NOT_ALLOWED;
    }

    if (ngx_http_rms_header_out(r, "Cache-Control", &no_store) == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    why = ngx_http_rms_health(r);

    return ngx_http_rms_wrong(r, why ? NGX_HTTP_SERVICE_UNAVAILABLE
                                     : NGX_HTTP_OK, why ? why : "ok\n");
}


/* NULL: it is well. */

static const char *
ngx_http_rms_health(ngx_http_request_t *r)
{
    ngx_http_rms_loc_conf_t   *rlcf;
    ngx_http_rms_main_conf_t  *rmcf;

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_rms_module);
    rmcf = ngx_http_get_module_main_conf(r, ngx_http_rms_module);

    /* a node without rms_pass or rms_auth has no state */

    if (rmcf->zone == NULL) {
        return ngx_exiting ? "stopping\n" : NULL;
    }

    if (ngx_http_rms_health_leaving(rmcf)) {
        return "stopping\n";
    }

    if (rmcf->zone->shared->pool.draining) {
        return "draining\n";
    }

    switch (ngx_http_rms_store_closed(rmcf, rlcf)) {

    case RMS_REASON_LIST_STALE:
        return "list stale\n";

    case RMS_REASON_STORE_AWAY:
        return "store away\n";

    default:
        return NULL;
    }
}


/* A worker that has a successor leaves, and the node stays. */

static ngx_uint_t
ngx_http_rms_health_leaving(ngx_http_rms_main_conf_t *rmcf)
{
    return ngx_exiting
           && rmcf->zone->shared->pool.running == rmcf->generation;
}


ngx_int_t
ngx_http_rms_drain_handler(ngx_http_request_t *r)
{
    ngx_int_t         rc;
    ngx_str_t         values[1];
    static ngx_str_t  names[] = { ngx_string("on"), ngx_null_string };

    rc = ngx_http_rms_admit(r, NGX_HTTP_POST, "POST");
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    if (!ngx_http_rms_own_page(r)) {
        return ngx_http_rms_wrong(r, NGX_HTTP_FORBIDDEN,
                                  "Send \"X-RMS-Admin: 1\", and no \"Origin\" "
                                  "but the address of this host.\n");
    }

    rc = ngx_http_rms_arguments(r, names, values);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc == NGX_OK && values[0].len == 1
        && (values[0].data[0] == '0' || values[0].data[0] == '1'))
    {
        return ngx_http_rms_drain(r, values[0].data[0] == '1');
    }

    return ngx_http_rms_wrong(r, NGX_HTTP_BAD_REQUEST,
                              "Write \"?on=1\" or \"?on=0\".\n");
}


/* What it is already may be asked for again: the first time counts. */

static ngx_int_t
ngx_http_rms_drain(ngx_http_request_t *r, ngx_uint_t on)
{
    ngx_str_t                   who;
    rms_str_t                   value, since = rms_string("since");
    ngx_uint_t                  changed;
    ngx_atomic_uint_t           when;
    ngx_http_rms_json_t         js;
    ngx_http_rms_main_conf_t   *rmcf;
    ngx_http_rms_pool_state_t  *pool;

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_rms_module);
    pool = &rmcf->zone->shared->pool;

    ngx_shmtx_lock(&rmcf->zone->shpool->mutex);

    changed = (pool->draining != 0) != on;

    if (changed) {
        pool->draining = on ? (ngx_atomic_uint_t) ngx_time() : 0;
    }

    when = pool->draining;

    ngx_shmtx_unlock(&rmcf->zone->shpool->mutex);

    if (changed) {
        who = ngx_http_rms_escape(r->pool,
                      ngx_http_rms_account_name(ngx_http_rms_ctx_get(r)));

        ngx_http_rms_event(NGX_LOG_NOTICE, r->connection->log, 0,
                           "node %s: by=\"%V\"",
                           on ? "is draining" : "is not draining any more",
                           &who);

        ngx_http_rms_pool_announce(rmcf);
    }

    value = (rms_str_t) rms_string("false");

    if (on) {
        value = (rms_str_t) rms_string("true");
    }

    ngx_http_rms_json_start(&js, r->pool);
    ngx_http_rms_json_open(&js, NULL, '{');
    ngx_http_rms_json_value(&js, "draining", &value);

    if (on) {
        ngx_http_rms_json_number(&js, &since, when);
    }

    ngx_http_rms_json_close(&js, '}');

    return ngx_http_rms_json_send(r, &js);
}
