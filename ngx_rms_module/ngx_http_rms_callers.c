
/*
 * What this worker made of the records of cookie sessions that it met last, so
 * that the next request of each copies, reads and allocates nothing.
 *
 * Nothing here outlives the zone: when any record has gone, and once a second,
 * the store is asked with its lock for the number of the record that the key
 * has now, and only the very record that was read before is taken as read.  So
 * what another worker deleted, wrote anew, or dropped to make room is gone
 * here as well, and a session in use stays in use for the store.  Times, scope
 * and revocations are tested with each request.  Whatever is not plainly good
 * is left to ngx_http_rms_record.c, which also writes back when a session was
 * seen.
 *
 * Keys are hashes of the numbers of cookies.  At most so many callers and so
 * many bytes; who was not asked for longest goes first, and is wiped.  They
 * belong to the worker's cycle and go with it.
 */


#include "ngx_http_rms_module.h"

#include <openssl/crypto.h>


#define NGX_HTTP_RMS_CALLERS         256
#define NGX_HTTP_RMS_CALLERS_MEMORY  (4 * 1024 * 1024)

/* by a byte of the key, which is a hash */
#define NGX_HTTP_RMS_CALLERS_CHAINS  256


typedef struct ngx_http_rms_met_s  ngx_http_rms_met_t;

struct ngx_http_rms_met_s {
    ngx_queue_t                  queue;
    ngx_http_rms_met_t          *next;          /* of its chain */
    rms_store_key_t              key;
    uint32_t                     number;        /* of the record, */
    uint64_t                     gone;          /* when so many had gone, */
    uint64_t                     looked;        /* at this time */
    rms_session_t                session;
    ngx_http_rms_caller_t       *caller;
    size_t                       size;
};


struct ngx_http_rms_callers_s {
    ngx_queue_t                  recent;        /* the last one first */
    ngx_queue_t                  free;
    size_t                       memory;
    ngx_http_rms_met_t          *chains[NGX_HTTP_RMS_CALLERS_CHAINS];
    ngx_http_rms_met_t           met[NGX_HTTP_RMS_CALLERS];
};


static ngx_http_rms_callers_t *ngx_http_rms_callers_create(void);
static void ngx_http_rms_callers_cleanup(void *data);
static ngx_http_rms_met_t **ngx_http_rms_callers_link(
    ngx_http_rms_callers_t *callers, const rms_store_key_t *key);
static ngx_uint_t ngx_http_rms_callers_there(ngx_http_rms_zone_t *zone,
    ngx_http_rms_met_t *met, uint64_t now);
static rms_session_state_e ngx_http_rms_callers_state(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx, ngx_http_rms_met_t *met);
static size_t ngx_http_rms_callers_size(const rms_session_t *session,
    ngx_http_rms_caller_t *caller);
static void ngx_http_rms_callers_drop(ngx_http_rms_callers_t *callers,
    ngx_http_rms_met_t **link);
static void ngx_http_rms_callers_drop_last(ngx_http_rms_callers_t *callers);


/*
 * Whose session is it?  With a reference for the one who asks; NULL: the
 * record must tell.
 */

ngx_http_rms_caller_t *
ngx_http_rms_callers_find(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx,
    const rms_store_key_t *key)
{
    ngx_http_rms_met_t        *met, **link;
    rms_session_state_e        state;
    ngx_http_rms_callers_t    *callers;
    ngx_http_rms_main_conf_t  *rmcf;

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_rms_module);
    callers = rmcf->callers;

    if (callers == NULL) {
        return NULL;
    }

    link = ngx_http_rms_callers_link(callers, key);
    met = *link;

    if (met == NULL) {
        return NULL;
    }

    state = ngx_http_rms_callers_state(r, ctx, met);

    if (state == RMS_SESSION_VALID) {
        ngx_queue_remove(&met->queue);
        ngx_queue_insert_head(&callers->recent, &met->queue);

        met->caller->refs++;

        return met->caller;
    }

    if (state != RMS_SESSION_ELSEWHERE) {
        ngx_http_rms_callers_drop(callers, link);
    }

    return NULL;
}


/* Where the pointer to it is; there it is NULL if it is not known. */

static ngx_http_rms_met_t **
ngx_http_rms_callers_link(ngx_http_rms_callers_t *callers,
    const rms_store_key_t *key)
{
    ngx_http_rms_met_t  **link;

    link = &callers->chains[key->id[0]];

    while (*link && ngx_memcmp((*link)->key.id, key->id, RMS_STORE_KEY) != 0) {
        link = &(*link)->next;
    }

    return link;
}


/*
 * Is the record there that was read?  The store is asked, with the lock, when
 * any record has gone, and once a second, which tells it that this one is in
 * use: before it is full, none goes for want of use.
 */

static ngx_uint_t
ngx_http_rms_callers_there(ngx_http_rms_zone_t *zone, ngx_http_rms_met_t *met,
    uint64_t now)
{
    rms_rc_e  rc;
    uint32_t  number;
    uint64_t  gone;

    gone = rms_store_gone(&zone->store);

    if (gone == met->gone && now == met->looked) {
        return 1;
    }

    ngx_shmtx_lock(&zone->shpool->mutex);
    rc = rms_store_look(&zone->store, &met->key, now, &number);
    ngx_shmtx_unlock(&zone->shpool->mutex);

    met->gone = gone;
    met->looked = now;

    return rc == RMS_OK && number == met->number;
}


/* Whatever has to be written or read anew counts as expired. */

static rms_session_state_e
ngx_http_rms_callers_state(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx,
    ngx_http_rms_met_t *met)
{
    uint64_t  now;

    now = (uint64_t) ngx_time();

    if (!ngx_http_rms_callers_there(ngx_http_rms_zone(r), met, now)
        || rms_session_touch_due(&met->session, now))
    {
        return RMS_SESSION_EXPIRED;
    }

    return rms_session_state(&met->session, ctx->conf->scope, now,
                             ngx_http_rms_caller_revoked(r, met->caller));
}


/*
 * Keeps what was made of the record of this number.  Without memory nothing is
 * kept, and nothing is wrong.
 */

void
ngx_http_rms_callers_keep(ngx_http_request_t *r, const rms_store_key_t *key,
    uint32_t number, const rms_session_t *session,
    ngx_http_rms_caller_t *caller)
{
    ngx_queue_t               *q;
    ngx_http_rms_met_t        *met, **link;
    ngx_http_rms_callers_t    *callers;
    ngx_http_rms_main_conf_t  *rmcf;

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_rms_module);

    if (rmcf->callers == NULL) {
        rmcf->callers = ngx_http_rms_callers_create();
    }

    callers = rmcf->callers;
    if (callers == NULL) {
        return;
    }

    link = ngx_http_rms_callers_link(callers, key);

    if (*link) {
        ngx_http_rms_callers_drop(callers, link);
    }

    if (ngx_queue_empty(&callers->free)) {
        ngx_http_rms_callers_drop_last(callers);
    }

    q = ngx_queue_head(&callers->free);
    met = ngx_queue_data(q, ngx_http_rms_met_t, queue);

    met->key = *key;
    met->number = number;
    met->looked = 0;
    met->session = *session;
    met->session.account = caller->account;
    met->session.service = caller->service;
    ngx_str_null(&met->session.sids);
    met->caller = caller;
    met->size = ngx_http_rms_callers_size(session, caller);

    caller->refs++;
    callers->memory += met->size;

    met->next = callers->chains[key->id[0]];
    callers->chains[key->id[0]] = met;

    ngx_queue_remove(q);
    ngx_queue_insert_head(&callers->recent, q);

    while (callers->memory > NGX_HTTP_RMS_CALLERS_MEMORY) {
        ngx_http_rms_callers_drop_last(callers);
    }
}


/* What the caller's pool holds, about: its first block, and the SIDs. */

static size_t
ngx_http_rms_callers_size(const rms_session_t *session,
    ngx_http_rms_caller_t *caller)
{
    if (caller->sids == NULL) {
        return 1024;
    }

    return 1024 + rms_sid_set_size(caller->sids->n_domains,
                                   session->sids.len / 4);
}


static ngx_http_rms_callers_t *
ngx_http_rms_callers_create(void)
{
    ngx_uint_t               i;
    ngx_pool_cleanup_t      *cln;
    ngx_http_rms_callers_t  *callers;

    cln = ngx_pool_cleanup_add(ngx_cycle->pool,
                               sizeof(ngx_http_rms_callers_t));
    if (cln == NULL) {
        return NULL;
    }

    callers = cln->data;
    ngx_memzero(callers, sizeof(ngx_http_rms_callers_t));

    cln->handler = ngx_http_rms_callers_cleanup;

    ngx_queue_init(&callers->recent);
    ngx_queue_init(&callers->free);

    for (i = 0; i < NGX_HTTP_RMS_CALLERS; i++) {
        ngx_queue_insert_tail(&callers->free, &callers->met[i].queue);
    }

    return callers;
}


static void
ngx_http_rms_callers_cleanup(void *data)
{
    ngx_http_rms_callers_t *callers = data;

    while (!ngx_queue_empty(&callers->recent)) {
        ngx_http_rms_callers_drop_last(callers);
    }
}


static void
ngx_http_rms_callers_drop_last(ngx_http_rms_callers_t *callers)
{
    ngx_queue_t         *q;
    ngx_http_rms_met_t  *met;

    q = ngx_queue_last(&callers->recent);
    met = ngx_queue_data(q, ngx_http_rms_met_t, queue);

    ngx_http_rms_callers_drop(callers,
                              ngx_http_rms_callers_link(callers, &met->key));
}


/* Requests that are on their way keep the caller as long as they need it. */

static void
ngx_http_rms_callers_drop(ngx_http_rms_callers_t *callers,
    ngx_http_rms_met_t **link)
{
    ngx_http_rms_met_t  *met;

    met = *link;
    *link = met->next;

    callers->memory -= met->size;

    ngx_http_rms_caller_free(met->caller);
    ngx_queue_remove(&met->queue);

    OPENSSL_cleanse(met, sizeof(ngx_http_rms_met_t));

    ngx_queue_insert_head(&callers->free, &met->queue);
}
