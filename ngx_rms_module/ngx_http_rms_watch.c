
/*
 * Files that are read again when they change: identities and access lists.
 * Each worker looks once a second.  Every path to a file is an operator's, on
 * a local disk: what a look costs is one stat().
 */


#include "ngx_http_rms_module.h"


#define NGX_HTTP_RMS_WATCH  1000


static void ngx_http_rms_watch_timer(ngx_event_t *ev);


static ngx_event_t       ngx_http_rms_watch_event;
static ngx_connection_t  ngx_http_rms_watch_connection;


void
ngx_http_rms_watch_init_worker(ngx_cycle_t *cycle,
    ngx_http_rms_main_conf_t *rmcf)
{
    ngx_event_t  *ev;

    if (rmcf->identities.nelts + rmcf->acl_files.nelts == 0
        || (ngx_process != NGX_PROCESS_WORKER
            && ngx_process != NGX_PROCESS_SINGLE))
    {
        return;
    }

    ev = &ngx_http_rms_watch_event;

    ngx_memzero(ev, sizeof(ngx_event_t));
    ngx_http_rms_watch_connection.fd = (ngx_socket_t) -1;
    ngx_http_rms_watch_connection.data = rmcf;

    ev->handler = ngx_http_rms_watch_timer;
    ev->data = &ngx_http_rms_watch_connection;
    ev->log = cycle->log;
    ev->cancelable = 1;

    ngx_add_timer(ev, NGX_HTTP_RMS_WATCH);
}


static void
ngx_http_rms_watch_timer(ngx_event_t *ev)
{
    ngx_uint_t                 i;
    ngx_connection_t          *c;
    ngx_http_rms_identity_t  **identities;
    ngx_http_rms_acl_file_t  **files;
    ngx_http_rms_main_conf_t  *rmcf;

    c = ev->data;
    rmcf = c->data;

    identities = rmcf->identities.elts;

    for (i = 0; i < rmcf->identities.nelts; i++) {
        ngx_http_rms_identity_look(rmcf, identities[i], ev->log);
    }

    files = rmcf->acl_files.elts;

    for (i = 0; i < rmcf->acl_files.nelts; i++) {
        ngx_http_rms_acl_file_look(rmcf, files[i], ev->log);
    }

    ngx_add_timer(ev, NGX_HTTP_RMS_WATCH);
}


void
ngx_http_rms_stamp(ngx_http_rms_stamp_t *stamp, ngx_file_info_t *fi)
{
    stamp->mtime = fi->st_mtim;
    stamp->ctime = fi->st_ctim;
    stamp->inode = fi->st_ino;
    stamp->size = fi->st_size;
}


/* To the nanosecond: two versions of one length may come within a second. */

ngx_uint_t
ngx_http_rms_stamp_differs(ngx_http_rms_stamp_t *stamp, ngx_file_info_t *fi)
{
    return fi->st_mtim.tv_sec != stamp->mtime.tv_sec
           || fi->st_mtim.tv_nsec != stamp->mtime.tv_nsec
           || fi->st_ctim.tv_sec != stamp->ctime.tv_sec
           || fi->st_ctim.tv_nsec != stamp->ctime.tv_nsec
           || fi->st_ino != stamp->inode
           || fi->st_size != stamp->size;
}
