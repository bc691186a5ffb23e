
/*
 * Records in the zone: of sessions, and of the last login of each account.  The
 * lock of the zone is held while one is read, tested, and written back with the
 * time it was seen, so that no other worker's deletion is undone.
 */


#include "ngx_http_rms_module.h"

#include <openssl/crypto.h>


typedef struct {
    rms_session_t                session;
    rms_str_t                    value;         /* that it points into */
    uint32_t                     number;        /* in the store */
    uint64_t                     expires;       /* anew, of "touched", or 0 */
    rms_str_t                    touched;
    ngx_uint_t                   kept;          /* by the store */
} ngx_http_rms_record_t;


static rms_rc_e ngx_http_rms_record_read(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx, const rms_store_key_t *key,
    ngx_http_rms_record_t *record);
static rms_rc_e ngx_http_rms_record_valid(ngx_http_rms_zone_t *zone,
    ngx_http_rms_ctx_t *ctx, const rms_store_key_t *key,
    ngx_http_rms_record_t *record, uint64_t now);
static void ngx_http_rms_record_touch(ngx_http_rms_zone_t *zone,
    const rms_store_key_t *key, ngx_http_rms_record_t *record, uint64_t now);
static ngx_http_rms_caller_t *ngx_http_rms_record_build(
    ngx_http_rms_loc_conf_t *rlcf, rms_session_t *session);
static void ngx_http_rms_record_sids(ngx_http_rms_caller_t *caller,
    rms_session_t *session);
static rms_rc_e ngx_http_rms_record_describe(ngx_http_rms_ctx_t *ctx,
    rms_session_t *session);
static rms_rc_e ngx_http_rms_record_put(ngx_http_request_t *r,
    const rms_store_key_t *key, rms_session_t *session);


/* seconds that the groups of a login are remembered */
#define NGX_HTTP_RMS_LAST_LOGIN  (30 * 24 * 3600)


/* of this worker: a record on its way in or out, the same anew, its SIDs */
static u_char  ngx_http_rms_record_bytes[RMS_SESSION_ENCODED_MAX];
static u_char  ngx_http_rms_record_touched[RMS_SESSION_ENCODED_MAX];
static u_char  ngx_http_rms_record_packed[RMS_SESSION_SIDS_MAX];


/*
 * Whose session is it?  NGX_OK: *caller, with a reference for the one who
 * asks.  NGX_DECLINED: nobody's.  NGX_ERROR: no memory.
 */

ngx_int_t
ngx_http_rms_record_caller(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx,
    const rms_store_key_t *key, ngx_http_rms_caller_t **caller)
{
    rms_rc_e               rc;
    ngx_http_rms_record_t  record;

    rc = ngx_http_rms_record_read(r, ctx, key, &record);

    *caller = rc == RMS_OK
              ? ngx_http_rms_record_build(ctx->conf, &record.session) : NULL;

    if (*caller && record.kept) {
        ngx_http_rms_callers_keep(r, key, record.number, &record.session,
                                  *caller);
    }

    OPENSSL_cleanse(record.value.data, record.value.len);

    return rc != RMS_OK ? NGX_DECLINED : *caller ? NGX_OK : NGX_ERROR;
}


static rms_rc_e
ngx_http_rms_record_read(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx,
    const rms_store_key_t *key, ngx_http_rms_record_t *record)
{
    rms_rc_e              rc;
    uint64_t              now;
    ngx_http_rms_zone_t  *zone;

    zone = ngx_http_rms_zone(r);
    now = (uint64_t) ngx_time();

    record->kept = 0;
    record->expires = 0;
    record->value.data = ngx_http_rms_record_bytes;
    record->value.len = sizeof(ngx_http_rms_record_bytes);

    ngx_shmtx_lock(&zone->shpool->mutex);

    rc = rms_store_get(&zone->store, key, &record->value, now);

    if (rc == RMS_OK) {
        rc = ngx_http_rms_record_valid(zone, ctx, key, record, now);
    }

    if (rc == RMS_OK) {
        record->kept = (rms_store_look(&zone->store, key, now,
                                       &record->number)
                        == RMS_OK);
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    if (record->expires) {
        ngx_http_rms_remote_put(
                    ngx_http_get_module_main_conf(r, ngx_http_rms_module),
                    key, &record->touched, record->expires, 1);

        OPENSSL_cleanse(record->touched.data, record->touched.len);
    }

    return rc;
}


/* A record whose session is over, or that cannot be read, goes. */

static rms_rc_e
ngx_http_rms_record_valid(ngx_http_rms_zone_t *zone, ngx_http_rms_ctx_t *ctx,
    const rms_store_key_t *key, ngx_http_rms_record_t *record, uint64_t now)
{
    rms_rc_e             rc;
    rms_session_t       *session;
    rms_session_state_e  state;

    session = &record->session;

    rc = rms_session_decode(&record->value, session);

    state = rc == RMS_OK
            ? rms_session_state(session, ctx->conf->scope, now,
                                ngx_http_rms_revoked(zone, &session->account))
            : RMS_SESSION_EXPIRED;

    if (state == RMS_SESSION_ELSEWHERE) {
        return RMS_DECLINED;
    }

    if (state != RMS_SESSION_VALID) {
        (void) rms_store_delete(&zone->store, key);
        return RMS_DECLINED;
    }

    if (rms_session_touch_due(session, now)) {
        ngx_http_rms_record_touch(zone, key, record, now);
    }

    return RMS_OK;
}


/* Redis is told behind the lock. */

static void
ngx_http_rms_record_touch(ngx_http_rms_zone_t *zone,
    const rms_store_key_t *key, ngx_http_rms_record_t *record, uint64_t now)
{
    uint64_t  expires;

    record->touched.data = ngx_http_rms_record_touched;
    record->touched.len = sizeof(ngx_http_rms_record_touched);

    record->session.seen = now;

    if (rms_session_encode(&record->session, &record->touched) != RMS_OK) {
        return;
    }

    expires = rms_session_expires(&record->session);

    (void) rms_store_put(&zone->store, key, &record->touched, expires, now);

    record->expires = expires;
}


static ngx_http_rms_caller_t *
ngx_http_rms_record_build(ngx_http_rms_loc_conf_t *rlcf,
    rms_session_t *session)
{
    ngx_http_rms_caller_t  *caller;

    caller = ngx_http_rms_caller_create(rlcf, session->mech);
    if (caller == NULL) {
        return NULL;
    }

    caller->account.len = session->account.len;
    caller->account.data = ngx_pstrdup(caller->pool, &session->account);
    caller->name = caller->account;
    caller->service.len = session->service.len;
    caller->service.data = ngx_pstrdup(caller->pool, &session->service);
    caller->foreign = session->foreign;
    caller->created = (time_t) session->created;
    caller->seen = (time_t) session->seen;
    caller->epoch = session->epoch;

    ngx_memcpy(caller->scope, session->scope, NGX_HTTP_RMS_SCOPE);

    if (caller->account.data == NULL || caller->service.data == NULL) {
        ngx_http_rms_caller_free(caller);
        return NULL;
    }

    ngx_http_rms_record_sids(caller, session);

    return caller;
}


/* SIDs that cannot be read are not known: rules by them fail closed. */

static void
ngx_http_rms_record_sids(ngx_http_rms_caller_t *caller,
    rms_session_t *session)
{
    rms_mem_t       mem;
    rms_sid_t      *user;
    rms_sid_set_t  *sids;

    caller->sids_why = "its session began without them";

    if (session->sids.len == 0) {
        caller->unasked = 1;
        return;
    }

    mem = ngx_http_rms_mem(caller->pool);
    sids = ngx_palloc(caller->pool, sizeof(rms_sid_set_t));
    user = ngx_palloc(caller->pool, sizeof(rms_sid_t));

    if (sids == NULL || user == NULL
        || rms_sid_unpack(&session->sids, &mem, sids) != RMS_OK)
    {
        return;
    }

    caller->sids = sids;

    if (session->has_user) {
        *user = session->user;
        caller->user = user;
    }
}


rms_rc_e
ngx_http_rms_record_write(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx,
    const rms_store_key_t *key)
{
    rms_rc_e       rc;
    rms_session_t  session;

    rc = ngx_http_rms_record_describe(ctx, &session);

    return rc == RMS_OK ? ngx_http_rms_record_put(r, key, &session) : rc;
}


static rms_rc_e
ngx_http_rms_record_describe(ngx_http_rms_ctx_t *ctx, rms_session_t *session)
{
    ngx_http_rms_caller_t  *caller;

    caller = ctx->caller;

    ngx_memzero(session, sizeof(rms_session_t));

    session->account = caller->account;
    session->service = caller->service;
    session->mech = caller->mech;
    session->foreign = caller->foreign;
    session->created = (uint64_t) caller->created;
    session->seen = (uint64_t) caller->seen;
    session->lifetime = (uint32_t) ctx->conf->session_ttl;
    session->idle = (uint32_t) ctx->conf->session_idle;
    session->epoch = caller->epoch;

    ngx_memcpy(session->scope, caller->scope, NGX_HTTP_RMS_SCOPE);

    if (caller->sids == NULL) {
        return RMS_OK;
    }

    if (caller->user) {
        session->user = *caller->user;
        session->has_user = 1;
    }

    session->sids.data = ngx_http_rms_record_packed;
    session->sids.len = sizeof(ngx_http_rms_record_packed);

    return rms_sid_pack(caller->sids, &session->sids);
}


static rms_rc_e
ngx_http_rms_record_put(ngx_http_request_t *r, const rms_store_key_t *key,
    rms_session_t *session)
{
    rms_rc_e              rc;
    rms_str_t             value;
    ngx_http_rms_zone_t  *zone;

    zone = ngx_http_rms_zone(r);

    value.data = ngx_http_rms_record_bytes;
    value.len = sizeof(ngx_http_rms_record_bytes);

    rc = rms_session_encode(session, &value);
    if (rc != RMS_OK) {
        return rc;
    }

    ngx_shmtx_lock(&zone->shpool->mutex);

    rc = rms_store_put(&zone->store, key, &value,
                       rms_session_expires(session), (uint64_t) ngx_time());

    ngx_shmtx_unlock(&zone->shpool->mutex);

    if (rc == RMS_OK && key->kind == NGX_HTTP_RMS_STORE_SESSION) {
        ngx_http_rms_remote_put(
                    ngx_http_get_module_main_conf(r, ngx_http_rms_module),
                    key, &value, rms_session_expires(session), 0);
    }

    OPENSSL_cleanse(ngx_http_rms_record_bytes, value.len);

    return rc;
}


/* Which groups an account had, for "explain"; nothing is decided by it. */

void
ngx_http_rms_last_login(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx)
{
    rms_session_t    session;
    rms_store_key_t  key;

    if (ctx->caller->sids == NULL || ctx->caller->account.len == 0
        || ngx_http_rms_record_describe(ctx, &session) != RMS_OK
        || rms_session_account_key(&session.account, key.id) != RMS_OK)
    {
        return;
    }

    key.kind = NGX_HTTP_RMS_STORE_TICKET;

    session.lifetime = NGX_HTTP_RMS_LAST_LOGIN;
    session.idle = NGX_HTTP_RMS_LAST_LOGIN;

    (void) ngx_http_rms_record_put(r, &key, &session);
}


/* NGX_OK; NGX_DECLINED: there is none, or it cannot be read. */

ngx_int_t
ngx_http_rms_last_login_read(ngx_http_request_t *r, const rms_str_t *account,
    ngx_pool_t *pool, rms_sid_set_t *sids, time_t *when, ngx_uint_t *foreign)
{
    rms_rc_e              rc;
    rms_mem_t             mem;
    rms_str_t             value;
    rms_session_t         session;
    rms_store_key_t       key;
    ngx_http_rms_zone_t  *zone;

    zone = ngx_http_rms_zone(r);
    mem = ngx_http_rms_mem(pool);

    value.data = ngx_http_rms_record_bytes;
    value.len = sizeof(ngx_http_rms_record_bytes);

    key.kind = NGX_HTTP_RMS_STORE_TICKET;

    if (rms_session_account_key(account, key.id) != RMS_OK) {
        return NGX_DECLINED;
    }

    ngx_shmtx_lock(&zone->shpool->mutex);
    rc = rms_store_get(&zone->store, &key, &value, (uint64_t) ngx_time());
    ngx_shmtx_unlock(&zone->shpool->mutex);

    if (rc == RMS_OK) {
        rc = rms_session_decode(&value, &session);
    }

    if (rc != RMS_OK || !rms_str_eq(&session.account, account)
        || rms_sid_unpack(&session.sids, &mem, sids) != RMS_OK)
    {
        return NGX_DECLINED;
    }

    *when = (time_t) session.created;
    *foreign = session.foreign;

    return NGX_OK;
}
