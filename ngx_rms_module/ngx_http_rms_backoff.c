
/*
 * Failed logins: how long the answer to one waits.  The table is in the zone,
 * so that all workers count together.
 */


#include "ngx_http_rms_module.h"


static void ngx_http_rms_backoff_address(ngx_http_request_t *r,
    rms_str_t *address);


/* after so many half-lives nothing is left to forget, in seconds */
#define NGX_HTTP_RMS_FORGOTTEN  (32 * RMS_BACKOFF_HALF_LIFE / 1000)


ngx_msec_t
ngx_http_rms_backoff_failed(ngx_http_request_t *r, const rms_str_t *claimed)
{
    unsigned              delay;
    rms_str_t             address;
    ngx_time_t           *tp;
    ngx_http_rms_zone_t  *zone;

    zone = ngx_http_rms_zone(r);
    tp = ngx_timeofday();

    ngx_http_rms_backoff_address(r, &address);

    zone->shared->failed = (ngx_atomic_uint_t) tp->sec;

    ngx_shmtx_lock(&zone->shpool->mutex);

    delay = rms_backoff_fail(&zone->backoff,
                             (uint64_t) tp->sec * 1000 + tp->msec, claimed,
                             &address);

    ngx_shmtx_unlock(&zone->shpool->mutex);

    return delay;
}


/* Where nobody failed of late, a login has nothing to do with the table. */

void
ngx_http_rms_backoff_passed(ngx_http_request_t *r,
    ngx_http_rms_caller_t *caller)
{
    rms_str_t             address;
    ngx_http_rms_zone_t  *zone;

    zone = ngx_http_rms_zone(r);

    if (ngx_time() - (time_t) zone->shared->failed > NGX_HTTP_RMS_FORGOTTEN) {
        return;
    }

    ngx_http_rms_backoff_address(r, &address);

    ngx_shmtx_lock(&zone->shpool->mutex);
    rms_backoff_success(&zone->backoff, &caller->account, &address);
    ngx_shmtx_unlock(&zone->shpool->mutex);
}


static void
ngx_http_rms_backoff_address(ngx_http_request_t *r, rms_str_t *address)
{
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    switch (r->connection->sockaddr->sa_family) {

    case AF_INET:
        sin = (struct sockaddr_in *) r->connection->sockaddr;
        address->data = (u_char *) &sin->sin_addr;
        address->len = 4;
        return;

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) r->connection->sockaddr;
        address->data = (u_char *) &sin6->sin6_addr;
        address->len = 16;
        return;
#endif

    default:
        ngx_str_null(address);
        return;
    }
}
