
/*
 * Revocation of sessions: "POST .../revoke?account=..." below rms_status, and
 * what it is remembered by.  Revocations are numbered: what began before the
 * one of its account, or of all, is over.  No clock is in it.  A session of a
 * cookie that is met again is deleted then; connections ask with each request.
 */


#include "ngx_http_rms_module.h"
#include "ngx_http_rms_status.h"
#include "rms_principal.h"


static ngx_int_t ngx_http_rms_revoke_answer(ngx_http_request_t *r,
    const rms_str_t *account);
static ngx_uint_t ngx_http_rms_revoke_ours(ngx_http_request_t *r);
static uint64_t ngx_http_rms_revoke(ngx_http_request_t *r,
    const rms_str_t *account);
static uint64_t ngx_http_rms_revoked_hash(const rms_str_t *account);


ngx_int_t
ngx_http_rms_revoke_handler(ngx_http_request_t *r)
{
    ngx_int_t         rc;
    ngx_str_t         values[2];
    rms_principal_t   principal;
    static ngx_str_t  names[] = {
        ngx_string("account"),
        ngx_string("all"),
        ngx_null_string
    };

    rc = ngx_http_rms_admit(r, NGX_HTTP_POST, "POST");
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    if (!ngx_http_rms_revoke_ours(r)) {
        return ngx_http_rms_wrong(r, NGX_HTTP_FORBIDDEN,
                                  "Send \"X-RMS-Admin: 1\", and no \"Origin\" "
                                  "but the address of this host.\n");
    }

    rc = ngx_http_rms_arguments(r, names, values);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc == NGX_OK && values[0].data && values[1].data == NULL
        && rms_principal_parse(&values[0], &principal) == RMS_OK)
    {
        return ngx_http_rms_revoke_answer(r, &values[0]);
    }

    if (rc == NGX_OK && values[0].data == NULL && values[1].len == 1
        && values[1].data[0] == '1')
    {
        return ngx_http_rms_revoke_answer(r, &values[0]);
    }

    return ngx_http_rms_wrong(r, NGX_HTTP_BAD_REQUEST,
                              "Write \"?account=name@REALM\" or "
                              "\"?all=1\".\n");
}


static ngx_int_t
ngx_http_rms_revoke_answer(ngx_http_request_t *r, const rms_str_t *account)
{
    uint64_t              epoch;
    rms_str_t             name = rms_string("revocation");
    rms_str_t             all = rms_string("true"), one = rms_string("false");
    ngx_str_t             whom, who;
    ngx_http_rms_json_t   js;

    epoch = ngx_http_rms_revoke(r, account);

    who = ngx_http_rms_escape(r->pool,
                      ngx_http_rms_account_name(ngx_http_rms_ctx_get(r)));
    whom = ngx_http_rms_escape(r->pool, account);

    ngx_http_rms_count(r, RMS_COUNT_REVOCATIONS, 1);
    ngx_http_rms_event(NGX_LOG_NOTICE, r->connection->log, 0,
                       "sessions revoked: account=\"%V\"%s by=\"%V\"",
                       &whom, account->len ? "" : " all=1", &who);

    ngx_http_rms_json_start(&js, r->pool);
    ngx_http_rms_json_open(&js, NULL, '{');

    if (account->len) {
        ngx_http_rms_json_string(&js, "account", account);
    }

    ngx_http_rms_json_value(&js, "all", account->len ? &one : &all);
    ngx_http_rms_json_number(&js, &name, (ngx_atomic_uint_t) epoch);
    ngx_http_rms_json_close(&js, '}');

    return ngx_http_rms_json_send(r, &js);
}


/*
 * Is it a request that no other site's page can make a browser send?  Sessions
 * and Kerberos alike are sent along by browsers; a header of this name is not,
 * unless we allow it, which we never do (CORS).
 */

static ngx_uint_t
ngx_http_rms_revoke_ours(ngx_http_request_t *r)
{
    rms_str_t    values[1], own, *host;
    ngx_uint_t   n;

    n = ngx_http_rms_header_find(&r->headers_in.headers, "X-RMS-Admin",
                                 sizeof("X-RMS-Admin") - 1, values, 1);

    if (n != 1 || values[0].len != 1 || values[0].data[0] != '1') {
        return 0;
    }

    n = ngx_http_rms_header_find(&r->headers_in.headers, "Origin",
                                 sizeof("Origin") - 1, values, 1);

    if (n == 0) {
        return 1;
    }

    if (n > 1 || r->headers_in.host == NULL) {
        return 0;
    }

    ngx_str_set(&own, "http://");

    if (ngx_http_rms_tls(r)) {
        ngx_str_set(&own, "https://");
    }

    host = &r->headers_in.host->value;

    return values[0].len == own.len + host->len
           && ngx_memcmp(values[0].data, own.data, own.len) == 0
           && ngx_strncasecmp(values[0].data + own.len, host->data, host->len)
              == 0;
}


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

static uint64_t
ngx_http_rms_revoke(ngx_http_request_t *r, const rms_str_t *account)
{
    uint64_t                 hash, epoch;
    ngx_uint_t               i;
    ngx_http_rms_zone_t     *zone;
    ngx_http_rms_revoked_t  *revoked, *oldest;

    zone = ngx_http_rms_zone(r);
    hash = ngx_http_rms_revoked_hash(account);

    ngx_shmtx_lock(&zone->shpool->mutex);

    epoch = ++zone->shared->epoch;

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
        oldest->epoch = epoch;
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    return epoch;
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
