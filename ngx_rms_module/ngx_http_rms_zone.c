
/*
 * The zone: counters, accounts seen, the replay cache, the store of sessions,
 * failed logins, the shared documents.  Offsets only, so that it may be mapped
 * anywhere; it survives a reload, and a zone of another
 * layout is left behind and begun anew.
 */


#include "ngx_http_rms_module.h"
#include "ngx_http_rms_conf.h"
#include "ngx_http_rms_document.h"
#include "ngx_http_rms_pool.h"


/* How many entries of each table the zone holds. */

typedef struct {
    size_t                       replay;
    size_t                       store;
    size_t                       backoff;
} ngx_http_rms_layout_t;


static ngx_int_t ngx_http_rms_zone_init(ngx_shm_zone_t *shm_zone, void *data);
static ngx_int_t ngx_http_rms_zone_attach(ngx_shm_zone_t *shm_zone,
    ngx_http_rms_zone_t *zone);
static ngx_http_rms_layout_t ngx_http_rms_zone_layout(
    ngx_shm_zone_t *shm_zone);
static ngx_int_t ngx_http_rms_zone_create(ngx_shm_zone_t *shm_zone,
    ngx_http_rms_zone_t *zone);
static ngx_int_t ngx_http_rms_zone_small(ngx_shm_zone_t *shm_zone);
static void ngx_http_rms_zone_backends(ngx_http_rms_main_conf_t *rmcf,
    ngx_http_rms_shared_t *shared);


#define NGX_HTTP_RMS_MAGIC  0x524d5333          /* "RMS3" */


/* Sessions and what explain knows of last logins share the store. */

static const unsigned  ngx_http_rms_store_parts[RMS_STORE_KINDS] = { 3, 1 };


ngx_int_t
ngx_http_rms_zone_add(ngx_conf_t *cf, ngx_http_rms_main_conf_t *rmcf)
{
    if (rmcf->zone_size == 0) {
        ngx_str_set(&rmcf->zone_name, "rms");
        rmcf->zone_size = 16 * 1024 * 1024;
    }

    rmcf->shm_zone = ngx_shared_memory_add(cf, &rmcf->zone_name,
                                           rmcf->zone_size,
                                           &ngx_http_rms_module);
    if (rmcf->shm_zone == NULL) {
        return NGX_ERROR;
    }

    rmcf->zone = ngx_pcalloc(cf->pool, sizeof(ngx_http_rms_zone_t));
    if (rmcf->zone == NULL) {
        return NGX_ERROR;
    }

    /*
     * an authenticator is good from one skew before to one skew after its
     * time, so that is how long it must be remembered: rms_replay.h
     */

    rmcf->zone->window = 2 * rms_gss_clock_skew();

    rmcf->shm_zone->init = ngx_http_rms_zone_init;
    rmcf->shm_zone->data = rmcf;

    return NGX_OK;
}


static ngx_int_t
ngx_http_rms_zone_init(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_http_rms_zone_t       *zone;
    ngx_http_rms_main_conf_t  *rmcf;

    rmcf = shm_zone->data;
    zone = rmcf->zone;

    zone->shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (data) {

        if (ngx_http_rms_zone_attach(shm_zone, zone) != NGX_OK) {
            ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                          "\"rms_zone\" \"%V\" has the layout of another "
                          "version; write another name, or restart nginx",
                          &shm_zone->shm.name);
            return NGX_ERROR;
        }

    } else {
        if (ngx_http_rms_zone_create(shm_zone, zone) != NGX_OK) {
            return NGX_ERROR;
        }

        ngx_http_rms_state_load(rmcf, shm_zone->shm.log);
    }

    rmcf->generation = ++zone->shared->pool.loads;

    ngx_http_rms_zone_backends(rmcf, zone->shared);

    return NGX_OK;
}


/*
 * Takes over what an earlier cycle left.  Its own structures are not looked
 * at: they may be those of another version, whose workers still write to it.
 */

static ngx_int_t
ngx_http_rms_zone_attach(ngx_shm_zone_t *shm_zone, ngx_http_rms_zone_t *zone)
{
    u_char                  *addr;
    ngx_http_rms_shared_t   *shared;
    ngx_http_rms_layout_t    layout;

    shared = zone->shpool->data;
    addr = shm_zone->shm.addr;

    if (shared->magic != NGX_HTTP_RMS_MAGIC
        || shared->size != sizeof(ngx_http_rms_shared_t))
    {
        return NGX_DECLINED;
    }

    layout = ngx_http_rms_zone_layout(shm_zone);

    zone->replay = rms_replay_attach(addr + shared->replay, layout.replay,
                                     zone->window);

    if (zone->replay == NULL
        || rms_store_attach(&zone->store, addr + shared->store, layout.store,
                            ngx_http_rms_store_parts)
           != RMS_OK
        || rms_backoff_attach(&zone->backoff, addr + shared->backoff,
                              layout.backoff)
           != RMS_OK)
    {
        return NGX_DECLINED;
    }

    zone->shared = shared;

    return NGX_OK;
}


/*
 * Half of the zone remembers authenticators, but 64 MiB at most: a generation
 * is cleared under the lock.  A quarter keeps sessions, a sixteenth failed
 * logins; see docs/directives.md.
 */

static ngx_http_rms_layout_t
ngx_http_rms_zone_layout(ngx_shm_zone_t *shm_zone)
{
    size_t                 size;
    ngx_http_rms_layout_t  layout;

    size = shm_zone->shm.size;

    layout.replay = rms_replay_fit(ngx_min(size / 2, 64 * 1024 * 1024));
    layout.store = rms_store_fit(size / 4);
    layout.backoff = rms_backoff_fit(ngx_min(size / 16, 4 * 1024 * 1024));

    return layout;
}


static ngx_int_t
ngx_http_rms_zone_create(ngx_shm_zone_t *shm_zone, ngx_http_rms_zone_t *zone)
{
    u_char                 *replay, *store, *backoff;
    ngx_http_rms_shared_t  *shared;
    ngx_http_rms_layout_t   layout;

    shared = ngx_slab_calloc(zone->shpool, sizeof(ngx_http_rms_shared_t));
    if (shared == NULL) {
        return ngx_http_rms_zone_small(shm_zone);
    }

    shared->magic = NGX_HTTP_RMS_MAGIC;
    shared->size = sizeof(ngx_http_rms_shared_t);
    shared->created = ngx_time();

    layout = ngx_http_rms_zone_layout(shm_zone);

    replay = ngx_slab_alloc(zone->shpool, rms_replay_size(layout.replay));
    store = ngx_slab_alloc(zone->shpool, rms_store_size(layout.store));
    backoff = ngx_slab_alloc(zone->shpool, rms_backoff_size(layout.backoff));

    if (replay == NULL || store == NULL || backoff == NULL) {
        return ngx_http_rms_zone_small(shm_zone);
    }

    if (ngx_http_rms_pool_create(shared) != NGX_OK) {
        return NGX_ERROR;
    }

    zone->shared = shared;
    zone->replay = rms_replay_init(replay, layout.replay, zone->window);

    if (zone->replay == NULL
        || rms_store_init(&zone->store, store, layout.store,
                          ngx_http_rms_store_parts)
           != RMS_OK
        || rms_backoff_init(&zone->backoff, backoff, layout.backoff) != RMS_OK)
    {
        return NGX_ERROR;
    }

    shared->replay = replay - (u_char *) shm_zone->shm.addr;
    shared->store = store - (u_char *) shm_zone->shm.addr;
    shared->backoff = backoff - (u_char *) shm_zone->shm.addr;

    zone->shpool->data = shared;

    return NGX_OK;
}


static ngx_int_t
ngx_http_rms_zone_small(ngx_shm_zone_t *shm_zone)
{
    ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                  "\"rms_zone\" \"%V\" is too small; write a larger size",
                  &shm_zone->shm.name);

    return NGX_ERROR;
}


/* A backend keeps its counters across reloads by its name. */

static void
ngx_http_rms_zone_backends(ngx_http_rms_main_conf_t *rmcf,
    ngx_http_rms_shared_t *shared)
{
    ngx_uint_t                      i, k;
    ngx_http_rms_backend_conf_t   **backends;
    ngx_http_rms_backend_stats_t   *stats;

    backends = rmcf->backends.elts;

    for (i = 0; i < rmcf->backends.nelts; i++) {

        backends[i]->slot = NGX_HTTP_RMS_BACKENDS_MAX;

        for (k = 0; k < NGX_HTTP_RMS_BACKENDS_MAX; k++) {
            stats = &shared->backends[k];

            if (stats->name[0] == '\0') {
                ngx_memcpy(stats->name, backends[i]->name.data,
                           backends[i]->name.len);
            }

            if (ngx_strlen(stats->name) == backends[i]->name.len
                && ngx_memcmp(stats->name, backends[i]->name.data,
                              backends[i]->name.len) == 0)
            {
                backends[i]->slot = k;
                break;
            }
        }
    }
}


ngx_http_rms_shared_t *
ngx_http_rms_shared(ngx_http_request_t *r)
{
    ngx_http_rms_main_conf_t  *rmcf;

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_rms_module);

    return rmcf->zone ? rmcf->zone->shared : NULL;
}


ngx_slab_pool_t *
ngx_http_rms_shpool(ngx_http_request_t *r)
{
    ngx_http_rms_main_conf_t  *rmcf;

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_rms_module);

    return rmcf->zone->shpool;
}


void
ngx_http_rms_count(ngx_http_request_t *r, rms_count_e id, ngx_uint_t n)
{
    ngx_http_rms_shared_t  *shared;

    shared = ngx_http_rms_shared(r);

    if (shared) {
        (void) ngx_atomic_fetch_add(&shared->counters[id], n);
    }
}


void
ngx_http_rms_count_reason(ngx_http_request_t *r, rms_reason_e reason)
{
    ngx_http_rms_shared_t  *shared;

    shared = ngx_http_rms_shared(r);

    if (shared) {
        (void) ngx_atomic_fetch_add(&shared->reasons[reason], 1);
    }
}


/* What the verdict did, per operation and backend. */

void
ngx_http_rms_count_verdict(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx)
{
    rms_operation_e         op;
    ngx_http_rms_shared_t  *shared;

    shared = ngx_http_rms_shared(r);

    if (shared == NULL) {
        return;
    }

    op = ctx->operation ? ctx->operation->id : RMS_OP_NONE;

    if (!ctx->verdict.allow) {
        (void) ngx_atomic_fetch_add(&shared->counters[RMS_COUNT_DENIED], 1);
        (void) ngx_atomic_fetch_add(&shared->denied[op], 1);
        (void) ngx_atomic_fetch_add(&shared->reasons[ctx->verdict.reason], 1);
        return;
    }

    (void) ngx_atomic_fetch_add(&shared->counters[RMS_COUNT_FORWARDED], 1);
    (void) ngx_atomic_fetch_add(&shared->forwarded[op], 1);

    if (ctx->backend->slot < NGX_HTTP_RMS_BACKENDS_MAX) {
        (void) ngx_atomic_fetch_add(
                         &shared->backends[ctx->backend->slot].requests, 1);
    }
}


/*
 * An answer of ours after the hand-over: a backend failed (errors), would not
 * have our identity (refused), or nginx was told to limit its callers.
 */

void
ngx_http_rms_count_answer(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx,
    rms_reason_e reason)
{
    ngx_http_rms_shared_t         *shared;
    ngx_http_rms_backend_stats_t  *stats;

    shared = ngx_http_rms_shared(r);

    if (shared == NULL) {
        return;
    }

    (void) ngx_atomic_fetch_add(&shared->reasons[reason], 1);

    if (reason < RMS_REASON_BACKEND_REFUSED
        || reason > RMS_REASON_BACKEND_ANSWER)
    {
        return;
    }

    (void) ngx_atomic_fetch_add(&shared->counters[RMS_COUNT_BACKEND_ERRORS],
                                1);

    if (ctx->backend->slot >= NGX_HTTP_RMS_BACKENDS_MAX) {
        return;
    }

    stats = &shared->backends[ctx->backend->slot];

    (void) ngx_atomic_fetch_add(reason == RMS_REASON_BACKEND_REFUSED
                                ? &stats->refused : &stats->errors, 1);
}


/*
 * known: the caller has a role.  Who has none fills three quarters at most,
 * and cannot keep the servers out.
 */

rms_replay_e
ngx_http_rms_replay_check(ngx_http_request_t *r, const unsigned char *hash,
    ngx_uint_t known)
{
    rms_replay_e          rc;
    ngx_http_rms_zone_t  *zone;

    zone = ((ngx_http_rms_main_conf_t *)
            ngx_http_get_module_main_conf(r, ngx_http_rms_module))->zone;

    ngx_shmtx_lock(&zone->shpool->mutex);

    rc = rms_replay_check(zone->replay, hash, (uint64_t) ngx_time(),
                          known ? 0
                          : rms_replay_stats(zone->replay).capacity / 4);

    ngx_shmtx_unlock(&zone->shpool->mutex);

    return rc;
}


ngx_http_rms_zone_t *
ngx_http_rms_zone(ngx_http_request_t *r)
{
    ngx_http_rms_main_conf_t  *rmcf;

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_rms_module);

    return rmcf->zone;
}


/* Is this the first worker that has these rules of a file? */

ngx_uint_t
ngx_http_rms_tell(ngx_http_rms_zone_t *zone, ngx_str_t *path, uint32_t rules)
{
    uint32_t              hash;
    ngx_uint_t            i, first;
    ngx_http_rms_told_t  *told;

    hash = ngx_crc32_long(path->data, path->len);
    first = 1;

    ngx_shmtx_lock(&zone->shpool->mutex);

    for (i = 0; i < NGX_HTTP_RMS_FILES; i++) {
        told = &zone->shared->told[i];

        if (told->path == 0 || told->path == hash) {
            first = (told->path == 0 || told->rules != rules);
            told->path = hash;
            told->rules = rules;
            break;
        }
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    return first;
}
