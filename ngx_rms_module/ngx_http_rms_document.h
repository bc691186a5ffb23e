
/*
 * Documents that all nodes have the same of: the shared list of rules and the
 * revocations.  Each has a version; a node never goes back to an older one.
 */

#ifndef _NGX_HTTP_RMS_DOCUMENT_H_INCLUDED_
#define _NGX_HTTP_RMS_DOCUMENT_H_INCLUDED_


#include "ngx_http_rms_module.h"
#include "ngx_http_rms_redis.h"
#include "rms_document.h"
#include "rms_list.h"


/* ngx_http_rms_document.c */

/*
 * The bytes of the node's own document, from the pool; NGX_DECLINED: there is
 * none, NGX_ERROR: no memory.
 */

ngx_int_t ngx_http_rms_document_get(ngx_http_rms_main_conf_t *rmcf,
    ngx_uint_t kind, ngx_pool_t *pool, rms_str_t *bytes);

/*
 * Takes a document that came from Redis, the state file or an operator.
 * NGX_OK: the node goes by it; NGX_DECLINED: it has it already; NGX_AGAIN: it
 * has a newer one, or brought revocations together: the others must be told;
 * NGX_ERROR: refused, which was logged with source.
 */

ngx_int_t ngx_http_rms_document_take(ngx_http_rms_main_conf_t *rmcf,
    ngx_uint_t kind, const rms_str_t *bytes, const char *source,
    ngx_log_t *log);

/* The versions of the list that the node has; n is 0 when there is none. */

ngx_int_t ngx_http_rms_document_list(ngx_http_rms_main_conf_t *rmcf,
    ngx_pool_t *pool, rms_list_t *list);

/* A version of the list as a document's bytes. */

ngx_int_t ngx_http_rms_document_pack(ngx_pool_t *pool, const rms_list_t *list,
    rms_str_t *bytes);


/* ngx_http_rms_sync.c */

typedef enum {
    NGX_HTTP_RMS_PUT_STORED = 0,
    NGX_HTTP_RMS_PUT_CONFLICT,          /* Redis has another version */
    NGX_HTTP_RMS_PUT_REFUSED,           /* Redis answered with an error */
    NGX_HTTP_RMS_PUT_UNKNOWN            /* no answer: it may be stored */
} ngx_http_rms_put_e;

typedef void (*ngx_http_rms_put_pt)(void *data, ngx_http_rms_put_e result);

/*
 * Stores a document in Redis in place of the version the node has, and takes
 * it then.  NULL: not sent, the handler is not called.  From the pool; the
 * answer is dropped after ngx_http_rms_sync_cancel().
 */

typedef struct ngx_http_rms_put_s  ngx_http_rms_put_t;

ngx_http_rms_put_t *ngx_http_rms_sync_put(ngx_http_rms_main_conf_t *rmcf,
    ngx_uint_t kind, const rms_str_t *bytes, ngx_pool_t *pool,
    ngx_http_rms_put_pt handler, void *data);
void ngx_http_rms_sync_cancel(ngx_http_rms_put_t *put);

/* Asks Redis for a newer version now. */

void ngx_http_rms_sync_now(ngx_http_rms_main_conf_t *rmcf, ngx_uint_t kind);

/* Are revocations known up to this moment, so that sessions may be believed? */

ngx_uint_t ngx_http_rms_sync_fresh(ngx_http_rms_main_conf_t *rmcf);

ngx_int_t ngx_http_rms_sync_init_worker(ngx_cycle_t *cycle,
    ngx_http_rms_main_conf_t *rmcf);


/* ngx_http_rms_state.c */

char *ngx_http_rms_state_file_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* Into a new zone, before workers are there: a cold start has a list. */

void ngx_http_rms_state_load(ngx_http_rms_main_conf_t *rmcf, ngx_log_t *log);

void ngx_http_rms_state_init_worker(ngx_http_rms_main_conf_t *rmcf);

/* Writes what the zone has, on a thread; again when it changes meanwhile. */

void ngx_http_rms_state_save(ngx_http_rms_main_conf_t *rmcf);


#endif /* _NGX_HTTP_RMS_DOCUMENT_H_INCLUDED_ */
