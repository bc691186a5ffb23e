
/*
 * Level 2 of cookie sessions: their records in Redis, sealed, so that each
 * node of a pool knows who logged in at another.  Redis is asked when the zone
 * knows nothing of a cookie, and told of a new session and, now and then, that
 * one is in use; an answer to a client never waits for that.  A request that
 * waits for Redis is in the ACCESS phase; when it goes, so does its question.
 */


#include "ngx_http_rms_document.h"

#include <openssl/crypto.h>


/* Somebody who waits for the record of a session. */

typedef struct {
    ngx_http_request_t          *request;
    rms_store_key_t              key;
    ngx_str_t                    name;          /* in Redis */
    ngx_http_rms_redis_op_t     *op;
} ngx_http_rms_remote_t;


static void ngx_http_rms_remote_cleanup(void *data);
static void ngx_http_rms_remote_answer(void *data,
    const rms_redis_reply_t *reply);
static void ngx_http_rms_remote_open(ngx_http_rms_remote_t *remote,
    const rms_str_t *record);
static rms_session_state_e ngx_http_rms_remote_keep(
    ngx_http_rms_remote_t *remote, const rms_str_t *text);
static void ngx_http_rms_remote_refused(ngx_http_rms_remote_t *remote,
    rms_rc_e rc);
static void ngx_http_rms_remote_resume(ngx_http_request_t *r);
static ngx_str_t ngx_http_rms_remote_name(ngx_http_rms_main_conf_t *rmcf,
    ngx_pool_t *pool, const rms_store_key_t *key);


/* of this worker: a record on its way out, or in */
static u_char  ngx_http_rms_remote_sealed[RMS_SESSION_ENCODED_MAX
                                          + RMS_SEAL_OVERHEAD];
static u_char  ngx_http_rms_remote_bytes[RMS_SESSION_ENCODED_MAX];


/*
 * NGX_AGAIN: the request waits, and comes to the phase again with
 * ctx->remote set; NGX_DECLINED: Redis cannot be asked, or was.
 */

ngx_int_t
ngx_http_rms_remote_find(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx,
    const rms_store_key_t *key)
{
    rms_str_t                  argv[2] = { rms_string("GET"),
                                           rms_null_string };
    ngx_http_cleanup_t        *cln;
    ngx_http_rms_remote_t     *remote;
    ngx_http_rms_main_conf_t  *rmcf;

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_rms_module);

    /* who was revoked must be known before anybody is believed */

    if (rmcf->redis == NULL || ctx->remote || !ngx_http_rms_redis_up(rmcf)
        || !ngx_http_rms_sync_fresh(rmcf))
    {
        return NGX_DECLINED;
    }

    remote = ngx_palloc(r->pool, sizeof(ngx_http_rms_remote_t));
    cln = ngx_http_cleanup_add(r, 0);

    if (remote == NULL || cln == NULL) {
        return NGX_ERROR;
    }

    remote->request = r;
    remote->key = *key;
    remote->name = ngx_http_rms_remote_name(rmcf, r->pool, key);

    if (remote->name.len == 0) {
        return NGX_ERROR;
    }

    argv[1] = remote->name;

    remote->op = ngx_http_rms_redis_send(rmcf, argv, 2,
                                         ngx_http_rms_remote_answer, remote);
    if (remote->op == NULL) {
        return NGX_DECLINED;
    }

    cln->handler = ngx_http_rms_remote_cleanup;
    cln->data = remote;

    ctx->remote = 1;
    ctx->auth_state = NGX_HTTP_RMS_WAITING;

    return NGX_AGAIN;
}


static void
ngx_http_rms_remote_cleanup(void *data)
{
    ngx_http_rms_remote_t *remote = data;

    ngx_http_rms_redis_cancel(remote->op);
    remote->op = NULL;
}


static void
ngx_http_rms_remote_answer(void *data, const rms_redis_reply_t *reply)
{
    ngx_http_rms_remote_t *remote = data;

    ngx_http_request_t  *r;

    r = remote->request;
    remote->op = NULL;

    ngx_http_set_log_request(r->connection->log, r);

    if (reply && reply->type == RMS_REDIS_STRING) {
        ngx_http_rms_remote_open(remote, &reply->str);
    }

    ngx_http_rms_ctx_get(r)->auth_state = NGX_HTTP_RMS_ANONYMOUS;

    ngx_http_rms_remote_resume(r);
}


/* A good record goes into the zone, where the request finds it. */

static void
ngx_http_rms_remote_open(ngx_http_rms_remote_t *remote,
    const rms_str_t *record)
{
    rms_rc_e                   rc;
    rms_str_t                  text;
    rms_session_state_e        state;
    ngx_http_request_t        *r;
    ngx_http_rms_main_conf_t  *rmcf;

    r = remote->request;
    rmcf = ngx_http_get_module_main_conf(r, ngx_http_rms_module);

    text.data = ngx_http_rms_remote_bytes;
    text.len = sizeof(ngx_http_rms_remote_bytes);

    rc = rms_unseal(rmcf->seal, &remote->name, record, &text);

    if (rc != RMS_OK) {
        ngx_http_rms_remote_refused(remote, rc);
        return;
    }

    state = ngx_http_rms_remote_keep(remote, &text);

    OPENSSL_cleanse(ngx_http_rms_remote_bytes, text.len);

    if (state == RMS_SESSION_VALID) {
        ngx_http_rms_count(r, RMS_COUNT_SESSIONS_SHARED, 1);
    }

    /* nobody will ask for it again */

    if (state == RMS_SESSION_REVOKED) {
        ngx_http_rms_remote_delete(rmcf, &remote->key);
    }
}


static rms_session_state_e
ngx_http_rms_remote_keep(ngx_http_rms_remote_t *remote, const rms_str_t *text)
{
    uint64_t              now;
    rms_session_t         session;
    ngx_http_rms_ctx_t   *ctx;
    ngx_http_rms_zone_t  *zone;
    rms_session_state_e   state;

    if (rms_session_decode(text, &session) != RMS_OK) {
        ngx_http_rms_remote_refused(remote, RMS_UNSUPPORTED);
        return RMS_SESSION_EXPIRED;
    }

    ctx = ngx_http_rms_ctx_get(remote->request);
    zone = ngx_http_rms_zone(remote->request);
    now = (uint64_t) ngx_time();

    ngx_shmtx_lock(&zone->shpool->mutex);

    state = rms_session_state(&session, ctx->conf->scope, now,
                              ngx_http_rms_revoked(zone, &session.account));

    if (state == RMS_SESSION_VALID) {
        (void) rms_store_put(&zone->store, &remote->key, text,
                             rms_session_expires(&session), now);
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    return state;
}


/* A miss, and an event; once a second is enough to be found. */

static void
ngx_http_rms_remote_refused(ngx_http_rms_remote_t *remote, rms_rc_e rc)
{
    static time_t  told;

    ngx_http_rms_count(remote->request, RMS_COUNT_RECORDS_REFUSED, 1);

    if (told == ngx_time()) {
        return;
    }

    told = ngx_time();

    ngx_http_rms_event(NGX_LOG_ERR, remote->request->connection->log, 3001,
                       "record of Redis refused: key=\"%V\" %s; its session "
                       "is not known, and its client logs in anew",
                       &remote->name,
                       rc == RMS_DECLINED
                       ? "is sealed with a key that is not in "
                         "\"rms_seal_key_file\" (rotated away, or of another "
                         "pool)"
                       : rc == RMS_UNSUPPORTED
                       ? "has the form of another version"
                       : "was changed, cut short or moved");
}


static void
ngx_http_rms_remote_resume(ngx_http_request_t *r)
{
    ngx_connection_t  *c;

    c = r->connection;

    r->write_event_handler(r);

    ngx_http_run_posted_requests(c);
}


/*
 * Sends a record that the zone took.  only: where Redis has one already, so
 * that a touch brings back nothing that was deleted.  As long as revocations
 * of this node wait to be told, other nodes could not tell whether the session
 * began before them, and do not get it: rms_revoked.h.
 */

void
ngx_http_rms_remote_put(ngx_http_rms_main_conf_t *rmcf,
    const rms_store_key_t *key, const rms_str_t *text, uint64_t expires,
    ngx_uint_t only)
{
    u_char                  px[NGX_INT64_LEN];
    uint64_t                now;
    rms_str_t               argv[6], sealed;
    ngx_pool_t             *pool;
    ngx_http_rms_shared_t  *shared;

    now = (uint64_t) ngx_time();

    if (rmcf->redis == NULL || expires <= now) {
        return;
    }

    shared = rmcf->zone->shared;

    if (shared->epoch != shared->documents[NGX_HTTP_RMS_REVOKED].known
        || !ngx_http_rms_redis_up(rmcf))
    {
        return;
    }

    pool = ngx_create_pool(512, ngx_cycle->log);
    if (pool == NULL) {
        return;
    }

    sealed.data = ngx_http_rms_remote_sealed;
    sealed.len = sizeof(ngx_http_rms_remote_sealed);

    ngx_str_set(&argv[0], "SET");
    argv[1] = ngx_http_rms_remote_name(rmcf, pool, key);

    if (argv[1].len
        && rms_seal(rmcf->seal, &argv[1], text, &sealed) == RMS_OK)
    {
        argv[2] = sealed;
        ngx_str_set(&argv[3], "PX");
        argv[4].data = px;
        argv[4].len = ngx_sprintf(px, "%uL", (expires - now) * 1000) - px;
        ngx_str_set(&argv[5], "XX");

        (void) ngx_http_rms_redis_send(rmcf, argv, only ? 6 : 5, NULL, NULL);

        /* the client may come with its cookie to another node at once */

        if (!only) {
            ngx_http_rms_redis_flush(rmcf);
        }
    }

    ngx_destroy_pool(pool);
}


void
ngx_http_rms_remote_delete(ngx_http_rms_main_conf_t *rmcf,
    const rms_store_key_t *key)
{
    rms_str_t    argv[2] = { rms_string("DEL"), rms_null_string };
    ngx_pool_t  *pool;

    if (rmcf->redis == NULL || !ngx_http_rms_redis_up(rmcf)) {
        return;
    }

    pool = ngx_create_pool(512, ngx_cycle->log);
    if (pool == NULL) {
        return;
    }

    argv[1] = ngx_http_rms_remote_name(rmcf, pool, key);

    if (argv[1].len) {
        (void) ngx_http_rms_redis_send(rmcf, argv, 2, NULL, NULL);
    }

    ngx_destroy_pool(pool);
}


static ngx_str_t
ngx_http_rms_remote_name(ngx_http_rms_main_conf_t *rmcf, ngx_pool_t *pool,
    const rms_store_key_t *key)
{
    u_char     hex[2 * RMS_STORE_KEY];
    rms_str_t  name;

    name.data = hex;
    name.len = ngx_hex_dump(hex, (u_char *) key->id, RMS_STORE_KEY) - hex;

    return ngx_http_rms_redis_key(rmcf, pool, "session", &name);
}
