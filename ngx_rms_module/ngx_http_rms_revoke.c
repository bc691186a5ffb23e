
/*
 * Revocation of sessions: "POST .../revoke?account=..." below rms_status, and
 * what it is remembered by.  Revocations are numbered: what began before the
 * one of its account, or of all, is over.  No clock is in it.  A session of a
 * cookie that is met again is deleted then; connections ask with each request.
 */


#include "ngx_http_rms_module.h"
#include "ngx_http_rms_document.h"
#include "ngx_http_rms_status.h"
#include "rms_principal.h"


/* A revocation on its way to the other nodes. */

typedef struct {
    ngx_http_request_t          *request;
    rms_str_t                    account;       /* empty: all */
    uint64_t                     epoch;
    ngx_http_rms_put_t          *put;
} ngx_http_rms_revoking_t;


static ngx_int_t ngx_http_rms_revoke_start(ngx_http_request_t *r,
    const rms_str_t *account);
static void ngx_http_rms_revoke_cleanup(void *data);
static void ngx_http_rms_revoke_told(void *data, ngx_http_rms_put_e result);
static ngx_int_t ngx_http_rms_revoke_answer(ngx_http_rms_revoking_t *revoking,
    const char *pool);
static uint64_t ngx_http_rms_revoke(ngx_http_request_t *r,
    const rms_str_t *account);


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

    if (!ngx_http_rms_own_page(r)) {
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
        return ngx_http_rms_revoke_start(r, &values[0]);
    }

    if (rc == NGX_OK && values[0].data == NULL && values[1].len == 1
        && values[1].data[0] == '1')
    {
        return ngx_http_rms_revoke_start(r, &values[0]);
    }

    return ngx_http_rms_wrong(r, NGX_HTTP_BAD_REQUEST,
                              "Write \"?account=name@REALM\" or "
                              "\"?all=1\".\n");
}


static ngx_int_t
ngx_http_rms_revoke_start(ngx_http_request_t *r, const rms_str_t *account)
{
    ngx_int_t                  rc;
    rms_str_t                  bytes;
    ngx_str_t                  whom, who;
    ngx_http_cleanup_t        *cln;
    ngx_http_rms_revoking_t   *revoking;
    ngx_http_rms_main_conf_t  *rmcf;

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_rms_module);

    revoking = ngx_pcalloc(r->pool, sizeof(ngx_http_rms_revoking_t));
    cln = ngx_http_cleanup_add(r, 0);

    if (revoking == NULL || cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    revoking->request = r;
    revoking->account = *account;
    revoking->epoch = ngx_http_rms_revoke(r, account);

    who = ngx_http_rms_escape(r->pool,
                      ngx_http_rms_account_name(ngx_http_rms_ctx_get(r)));
    whom = ngx_http_rms_escape(r->pool, account);

    ngx_http_rms_count(r, RMS_COUNT_REVOCATIONS, 1);
    ngx_http_rms_event(NGX_LOG_NOTICE, r->connection->log, 0,
                       "sessions revoked: account=\"%V\"%s by=\"%V\"",
                       &whom, account->len ? "" : " all=1", &who);

    ngx_http_rms_state_save(rmcf);

    if (rmcf->redis == NULL) {
        return ngx_http_rms_revoke_answer(revoking, NULL);
    }

    rc = ngx_http_rms_document_get(rmcf, NGX_HTTP_RMS_REVOKED, r->pool,
                                   &bytes);

    if (rc == NGX_OK) {
        revoking->put = ngx_http_rms_sync_put(rmcf, NGX_HTTP_RMS_REVOKED,
                                              &bytes, r->pool,
                                              ngx_http_rms_revoke_told,
                                              revoking);
    }

    if (revoking->put == NULL) {
        return ngx_http_rms_revoke_answer(revoking, "pending");
    }

    cln->handler = ngx_http_rms_revoke_cleanup;
    cln->data = revoking;

    r->main->count++;

    return NGX_DONE;
}


static void
ngx_http_rms_revoke_cleanup(void *data)
{
    ngx_http_rms_revoking_t *revoking = data;

    ngx_http_rms_sync_cancel(revoking->put);
}


/* What was not stored at once is brought together with what Redis has. */

static void
ngx_http_rms_revoke_told(void *data, ngx_http_rms_put_e result)
{
    ngx_http_rms_revoking_t *revoking = data;

    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = revoking->request;
    c = r->connection;

    revoking->put = NULL;

    ngx_http_finalize_request(r, ngx_http_rms_revoke_answer(revoking,
                              result == NGX_HTTP_RMS_PUT_STORED ? "stored"
                                                                : "pending"));
    ngx_http_run_posted_requests(c);
}


static ngx_int_t
ngx_http_rms_revoke_answer(ngx_http_rms_revoking_t *revoking,
    const char *pool)
{
    rms_str_t             how, name = rms_string("revocation");
    rms_str_t             all = rms_string("true"), one = rms_string("false");
    ngx_http_rms_json_t   js;

    ngx_http_rms_json_start(&js, revoking->request->pool);
    ngx_http_rms_json_open(&js, NULL, '{');

    if (revoking->account.len) {
        ngx_http_rms_json_string(&js, "account", &revoking->account);
    }

    ngx_http_rms_json_value(&js, "all", revoking->account.len ? &one : &all);
    ngx_http_rms_json_number(&js, &name,
                             (ngx_atomic_uint_t) revoking->epoch);

    if (pool) {
        how.data = (u_char *) pool;
        how.len = ngx_strlen(pool);

        ngx_http_rms_json_string(&js, "pool", &how);
    }

    ngx_http_rms_json_close(&js, '}');

    return ngx_http_rms_json_send(revoking->request, &js);
}


/*
 * Is it a request that no other site's page can make a browser send?  Sessions
 * and Kerberos alike are sent along by browsers; a header of this name is not,
 * unless we allow it, which we never do (CORS).
 */

ngx_uint_t
ngx_http_rms_own_page(ngx_http_request_t *r)
{
    rms_str_t    values[1];
    ngx_uint_t   n;

    n = ngx_http_rms_header_find(&r->headers_in.headers, "X-RMS-Admin",
                                 sizeof("X-RMS-Admin") - 1, values, 1);

    return n == 1 && values[0].len == 1 && values[0].data[0] == '1'
           && ngx_http_rms_same_origin(r);
}


/* No "Origin" (RFC 6454 7), or our own. */

ngx_uint_t
ngx_http_rms_same_origin(ngx_http_request_t *r)
{
    rms_str_t    values[1], own, host;
    ngx_uint_t   n;

    n = ngx_http_rms_header_find(&r->headers_in.headers, "Origin",
                                 sizeof("Origin") - 1, values, 1);

    if (n == 0) {
        return 1;
    }

    if (n > 1) {
        return 0;
    }

    ngx_str_set(&own, "http://");

    if (ngx_http_rms_tls(r)) {
        ngx_str_set(&own, "https://");
    }

    if (r->headers_in.host) {
        host = r->headers_in.host->value;

    } else {
        /* HTTP/3 has no Host, and its ":authority" is no header (D15) */

        host.data = r->host_start;
        host.len = r->host_end - r->host_start;
    }

    return host.len
           && values[0].len == own.len + host.len
           && ngx_memcmp(values[0].data, own.data, own.len) == 0
           && ngx_strncasecmp(values[0].data + own.len, host.data, host.len)
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
    return rms_revoked_at(&zone->shared->revoked,
                          rms_revoked_account(account));
}


/*
 * The same, without the lock as long as nothing was revoked: who was asked for
 * when the table was as it is now has its answer.
 */

uint64_t
ngx_http_rms_caller_revoked(ngx_http_request_t *r,
    ngx_http_rms_caller_t *caller)
{
    ngx_http_rms_zone_t  *zone;

    zone = ngx_http_rms_zone(r);

    if (caller->changes != zone->shared->revoked_changes) {
        ngx_shmtx_lock(&zone->shpool->mutex);

        caller->revoked = ngx_http_rms_revoked(zone, &caller->account);
        caller->changes = zone->shared->revoked_changes;

        ngx_shmtx_unlock(&zone->shpool->mutex);
    }

    return caller->revoked;
}


/* Revokes the sessions of an account, or with an empty one all. */

static uint64_t
ngx_http_rms_revoke(ngx_http_request_t *r, const rms_str_t *account)
{
    uint64_t              epoch;
    ngx_http_rms_zone_t  *zone;

    zone = ngx_http_rms_zone(r);

    ngx_shmtx_lock(&zone->shpool->mutex);

    epoch = rms_revoked_add(&zone->shared->revoked,
                            account->len ? rms_revoked_account(account) : 0);

    zone->shared->epoch = epoch;
    zone->shared->revoked_changes++;

    ngx_shmtx_unlock(&zone->shpool->mutex);

    return epoch;
}
