
/*
 * Looks for leaks where nginx is meant to leave none: in a worker that has
 * finished its last request and destroyed its cycle.  A terminated worker
 * leaves its connections, the master and "nginx -t" leave their cycle, by
 * design: there LeakSanitizer is not asked (leak_check_at_exit=0).
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http.h>

#include <sanitizer/lsan_interface.h>


static ngx_int_t ngx_leak_check_init_module(ngx_cycle_t *cycle);
static void ngx_leak_check_exit_process(ngx_cycle_t *cycle);
static void ngx_leak_check_sessions(ngx_cycle_t *cycle);
static void ngx_leak_check(void);


static const char  *ngx_leak_check_log;


static ngx_core_module_t  ngx_leak_check_module_ctx = {
    ngx_string("leak_check"),
    NULL,
    NULL
};


ngx_module_t  ngx_leak_check_module = {
    NGX_MODULE_V1,
    &ngx_leak_check_module_ctx,            /* module context */
    NULL,                                  /* module directives */
    NGX_CORE_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_leak_check_init_module,            /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_leak_check_exit_process,           /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


/* A worker has no environment of its own: what it needs is read before. */

static ngx_int_t
ngx_leak_check_init_module(ngx_cycle_t *cycle)
{
    ngx_leak_check_log = getenv("LEAK_CHECK_LOG");

    return NGX_OK;
}


/* The pool of the cycle is destroyed after this call and before exit(). */

static void
ngx_leak_check_exit_process(ngx_cycle_t *cycle)
{
    if (ngx_leak_check_log != NULL && ngx_exiting && !ngx_terminate) {
        ngx_leak_check_sessions(cycle);
        (void) atexit(ngx_leak_check);
    }
}


/*
 * nginx keeps the last TLS session of each backend, and the end of a worker
 * does not free it.
 */

static void
ngx_leak_check_sessions(ngx_cycle_t *cycle)
{
    ngx_uint_t                       i;
    ngx_http_upstream_rr_peer_t     *peer;
    ngx_http_upstream_rr_peers_t    *peers;
    ngx_http_upstream_srv_conf_t   **uscfp;
    ngx_http_upstream_main_conf_t   *umcf;

    umcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_upstream_module);
    if (umcf == NULL) {
        return;
    }

    uscfp = umcf->upstreams.elts;

    for (i = 0; i < umcf->upstreams.nelts; i++) {

        for (peers = uscfp[i]->peer.data; peers; peers = peers->next) {

            if (peers->shpool) {
                break;
            }

            for (peer = peers->peer; peer; peer = peer->next) {
                if (peer->ssl_session) {
                    SSL_SESSION_free(peer->ssl_session);
                    peer->ssl_session = NULL;
                }
            }
        }
    }
}


/* One byte for each worker that was looked at, so that a run can say how many. */

static void
ngx_leak_check(void)
{
    int  fd;

    fd = open(ngx_leak_check_log, O_WRONLY|O_APPEND);

    if (fd != -1) {
        (void) !write(fd, ".", 1);
        (void) close(fd);
    }

    (void) __lsan_do_recoverable_leak_check();
}
