
/*
 * The nodes of a pool, as each of them sees the others, and whether a balancer
 * should give this one connections.
 */

#ifndef _NGX_HTTP_RMS_POOL_H_INCLUDED_
#define _NGX_HTTP_RMS_POOL_H_INCLUDED_


#include "ngx_http_rms_module.h"
#include "ngx_http_rms_status.h"
#include "rms_node.h"


/* ngx_http_rms_pool.c */

/* Of a new zone: who the node is, for as long as the zone lives. */

ngx_int_t ngx_http_rms_pool_create(ngx_http_rms_shared_t *shared);

ngx_int_t ngx_http_rms_pool_init_worker(ngx_cycle_t *cycle,
    ngx_http_rms_main_conf_t *rmcf);

/* Tells the others, without waiting for the turn. */

void ngx_http_rms_pool_announce(ngx_http_rms_main_conf_t *rmcf);

/* The node itself, as of now. */

void ngx_http_rms_pool_self(ngx_http_rms_main_conf_t *rmcf, rms_node_t *node);


/* ngx_http_rms_pool_view.c */

/*
 * Keeps what a look has found: n nodes, and nothing of those that were there
 * before.  Tells in the log in what they disagree, when that has lasted.
 */

void ngx_http_rms_pool_keep(ngx_http_rms_main_conf_t *rmcf,
    const rms_node_t *nodes, ngx_uint_t n);

/* The members of "pool" in the status. */

void ngx_http_rms_pool_status(ngx_http_rms_json_t *js,
    ngx_http_rms_main_conf_t *rmcf);


/* ngx_http_rms_pool_conf.c */

/* rmcf->digest: the same where nodes should answer the same. */

ngx_int_t ngx_http_rms_pool_conf(ngx_conf_t *cf,
    ngx_http_rms_main_conf_t *rmcf);

/* Of the rules that requests go by at this moment. */

uint32_t ngx_http_rms_pool_rules(ngx_http_rms_main_conf_t *rmcf);


/* ngx_http_rms_health.c */

char *ngx_http_rms_health_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
ngx_int_t ngx_http_rms_health_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_rms_drain_handler(ngx_http_request_t *r);


#endif /* _NGX_HTTP_RMS_POOL_H_INCLUDED_ */
