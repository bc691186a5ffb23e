
/*
 * Revocation of sessions.  Revocations are numbered: what began before the one
 * of its account, or of all, is over.  No clock is in it.  A session of a
 * cookie that is met again is deleted then; connections ask with each request.
 */


#include "ngx_http_rms_module.h"


static uint64_t ngx_http_rms_revoked_hash(const rms_str_t *account);


/* The number of the last revocation; a login takes it along. */

uint64_t
ngx_http_rms_epoch(ngx_http_request_t *r)
{
    return (uint64_t) ngx_http_rms_zone(r)->shared->epoch;
}


/* With the lock of the zone: when were sessions of the account revoked? */

uint64_t
ngx_http_rms_revoked(ngx_http_rms_zone_t *zone, const rms_str_t *account)
{
    uint64_t                 hash, epoch;
    ngx_uint_t               i;
    ngx_http_rms_revoked_t  *revoked;

    epoch = zone->shared->revoked_all;

    if (epoch == zone->shared->epoch) {
        return epoch;
    }

    hash = ngx_http_rms_revoked_hash(account);
    revoked = zone->shared->revoked;

    for (i = 0; i < NGX_HTTP_RMS_REVOKED; i++) {
        if (revoked[i].account == hash && revoked[i].epoch > epoch) {
            epoch = revoked[i].epoch;
        }
    }

    return epoch;
}


ngx_uint_t
ngx_http_rms_caller_revoked(ngx_http_request_t *r,
    ngx_http_rms_caller_t *caller)
{
    uint64_t              epoch;
    ngx_http_rms_zone_t  *zone;

    zone = ngx_http_rms_zone(r);

    ngx_shmtx_lock(&zone->shpool->mutex);
    epoch = ngx_http_rms_revoked(zone, &caller->account);
    ngx_shmtx_unlock(&zone->shpool->mutex);

    return caller->epoch < epoch;
}


/*
 * Revokes the sessions of an account, or with an empty one all.  A revocation
 * that is pushed out by newer ones revokes all sessions of its time: that
 * costs logins, and no session outlives its revocation.
 */

void
ngx_http_rms_revoke(ngx_http_request_t *r, const rms_str_t *account)
{
    uint64_t                 hash;
    ngx_uint_t               i;
    ngx_http_rms_zone_t     *zone;
    ngx_http_rms_revoked_t  *revoked, *oldest;

    zone = ngx_http_rms_zone(r);
    hash = ngx_http_rms_revoked_hash(account);

    ngx_shmtx_lock(&zone->shpool->mutex);

    zone->shared->epoch++;

    if (account->len == 0) {
        zone->shared->revoked_all = zone->shared->epoch;

    } else {
        revoked = zone->shared->revoked;
        oldest = &revoked[0];

        for (i = 0; i < NGX_HTTP_RMS_REVOKED; i++) {

            if (revoked[i].account == hash) {
                oldest = &revoked[i];
                break;
            }

            if (revoked[i].epoch < oldest->epoch) {
                oldest = &revoked[i];
            }
        }

        if (oldest->account != hash
            && oldest->epoch > zone->shared->revoked_all)
        {
            zone->shared->revoked_all = oldest->epoch;
        }

        oldest->account = hash;
        oldest->epoch = zone->shared->epoch;
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);
}


/*
 * FNV-1a, and without case: accounts that differ in nothing else, and any
 * whose hashes meet, are revoked together.
 */

static uint64_t
ngx_http_rms_revoked_hash(const rms_str_t *account)
{
    size_t    i;
    uint64_t  hash;

    hash = 0xcbf29ce484222325;

    for (i = 0; i < account->len; i++) {
        hash ^= rms_lower(account->data[i]);
        hash *= 0x100000001b3;
    }

    return hash ? hash : 1;
}
