
/*
 * Documents and Redis: told of each change through a channel, asked for once a
 * second by one worker of the node, fetched when they are newer and put back
 * when Redis has an older one or none.  In Redis a document is a hash of "v",
 * its version and the first bytes of its record's salt, and "d", the record.
 */


#include "ngx_http_rms_document.h"


/* milliseconds between looks */
#define NGX_HTTP_RMS_SYNC        1000

/* seconds a document stays in Redis; it is put there again before */
#define NGX_HTTP_RMS_SYNC_TTL    "2592000"

/* looks after which its time is set anew */
#define NGX_HTTP_RMS_SYNC_RENEW  600

/* seconds for which revocations may be taken as known */
#define NGX_HTTP_RMS_SYNC_FRESH  5

/* "18446744073709551615-ffffffff" */
#define NGX_HTTP_RMS_SYNC_STAMP  32


/* What Redis has, or what the node believes it has. */

typedef struct {
    uint64_t                     version;       /* 0: nothing */
    uint32_t                     tag;
} ngx_http_rms_stamp_of_t;


/* A kind of document, of this worker. */

typedef struct {
    ngx_http_rms_main_conf_t    *rmcf;
    ngx_uint_t                   kind;
    const char                  *name;
    ngx_str_t                    key;
    ngx_uint_t                   asked;         /* an answer is due */
    ngx_http_rms_stamp_of_t      refused;       /* was not to be used ... */
    ngx_uint_t                   damaged;       /* ... by anybody */
    u_char                       stamp[NGX_HTTP_RMS_SYNC_STAMP];
    size_t                       stamp_len;     /* as Redis said it */
} ngx_http_rms_sync_t;


struct ngx_http_rms_put_s {
    ngx_http_rms_sync_t         *sync;
    rms_str_t                    bytes;
    ngx_http_rms_stamp_of_t      stamp;
    ngx_http_rms_redis_op_t     *op;
    ngx_http_rms_put_pt          handler;
    void                        *data;
};


static void ngx_http_rms_sync_timer(ngx_event_t *ev);
static ngx_uint_t ngx_http_rms_sync_turn(ngx_http_rms_main_conf_t *rmcf);
static void ngx_http_rms_sync_state(void *data, ngx_uint_t up);
static void ngx_http_rms_sync_message(void *data, const rms_str_t *channel,
    const rms_str_t *message);
static void ngx_http_rms_sync_ask(ngx_http_rms_sync_t *sync);
static void ngx_http_rms_sync_asked(void *data,
    const rms_redis_reply_t *reply);
static void ngx_http_rms_sync_fetch(ngx_http_rms_sync_t *sync);
static void ngx_http_rms_sync_fetched(void *data,
    const rms_redis_reply_t *reply);
static void ngx_http_rms_sync_open(ngx_http_rms_sync_t *sync,
    ngx_http_rms_stamp_of_t *stamp, const rms_str_t *record);
static ngx_int_t ngx_http_rms_sync_unseal(ngx_http_rms_sync_t *sync,
    ngx_http_rms_stamp_of_t *stamp, const rms_str_t *record,
    ngx_pool_t *pool, rms_str_t *bytes);
static void ngx_http_rms_sync_confirm(ngx_http_rms_sync_t *sync,
    ngx_http_rms_stamp_of_t *stamp);
static ngx_uint_t ngx_http_rms_sync_ours(ngx_http_rms_sync_t *sync,
    ngx_http_rms_stamp_of_t *stamp);
static ngx_uint_t ngx_http_rms_sync_late(ngx_http_rms_sync_t *sync,
    ngx_http_rms_stamp_of_t *stamp);
static void ngx_http_rms_sync_sent(ngx_http_rms_sync_t *sync,
    ngx_http_rms_stamp_of_t *stamp);
static void ngx_http_rms_sync_back(ngx_http_rms_sync_t *sync);
static void ngx_http_rms_sync_put_back(void *data,
    const rms_redis_reply_t *reply);
static ngx_http_rms_redis_op_t *ngx_http_rms_sync_send(
    ngx_http_rms_sync_t *sync, const rms_str_t *bytes,
    const rms_str_t *expected, ngx_pool_t *pool,
    ngx_http_rms_redis_answer_pt handler, void *data,
    ngx_http_rms_stamp_of_t *stamp);
static void ngx_http_rms_sync_answer(void *data,
    const rms_redis_reply_t *reply);
static ngx_http_rms_put_e ngx_http_rms_sync_result(
    const rms_redis_reply_t *reply);
static void ngx_http_rms_sync_own(ngx_http_rms_sync_t *sync,
    ngx_http_rms_stamp_of_t *stamp);
static ngx_int_t ngx_http_rms_sync_stamp_read(const rms_str_t *text,
    ngx_http_rms_stamp_of_t *stamp);
static void ngx_http_rms_sync_stamp_text(ngx_http_rms_stamp_of_t *stamp,
    u_char *buf, rms_str_t *text);
static uint32_t ngx_http_rms_sync_tag(const rms_str_t *record);
static ngx_uint_t ngx_http_rms_sync_same(ngx_http_rms_stamp_of_t *a,
    ngx_http_rms_stamp_of_t *b);


/*
 * Stores, if Redis has what the node thinks it has; so two nodes that change
 * one document at a time cannot overwrite each other.
 */

static const rms_str_t  ngx_http_rms_sync_script = rms_string(
    "local v = redis.call('HGET', KEYS[1], 'v') or '0' "
    "if v ~= ARGV[1] then return {0, v} end "
    "redis.call('HSET', KEYS[1], 'v', ARGV[2], 'd', ARGV[3]) "
    "redis.call('EXPIRE', KEYS[1], ARGV[4]) "
    "redis.call('PUBLISH', ARGV[5], ARGV[6]) "
    "return {1, ARGV[2]}");


static ngx_http_rms_sync_t  ngx_http_rms_syncs[NGX_HTTP_RMS_DOCUMENTS];
static ngx_str_t            ngx_http_rms_sync_channel;
static ngx_event_t          ngx_http_rms_sync_event;
static ngx_connection_t     ngx_http_rms_sync_connection;
static ngx_uint_t           ngx_http_rms_sync_looks;


ngx_int_t
ngx_http_rms_sync_init_worker(ngx_cycle_t *cycle,
    ngx_http_rms_main_conf_t *rmcf)
{
    ngx_uint_t            i;
    ngx_event_t          *ev;
    ngx_http_rms_sync_t  *sync;
    static rms_str_t      names[] = { rms_string("list"),
                                      rms_string("revoked") };
    static rms_str_t      changes = rms_string("changes");

    for (i = 0; i < NGX_HTTP_RMS_DOCUMENTS; i++) {
        sync = &ngx_http_rms_syncs[i];

        ngx_memzero(sync, sizeof(ngx_http_rms_sync_t));

        sync->rmcf = rmcf;
        sync->kind = i;
        sync->name = (char *) names[i].data;
        sync->key = ngx_http_rms_redis_key(rmcf, cycle->pool, "document",
                                           &names[i]);
        if (sync->key.len == 0) {
            return NGX_ERROR;
        }
    }

    ngx_http_rms_sync_channel = ngx_http_rms_redis_key(rmcf, cycle->pool,
                                                       "channel", &changes);

    if (ngx_http_rms_sync_channel.len == 0
        || ngx_http_rms_redis_subscribe(rmcf, &ngx_http_rms_sync_channel,
                                        ngx_http_rms_sync_message, rmcf)
           != NGX_OK
        || ngx_http_rms_redis_watch(rmcf, ngx_http_rms_sync_state, rmcf)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ev = &ngx_http_rms_sync_event;

    ngx_memzero(ev, sizeof(ngx_event_t));
    ngx_http_rms_sync_connection.fd = (ngx_socket_t) -1;
    ngx_http_rms_sync_connection.data = rmcf;

    ev->handler = ngx_http_rms_sync_timer;
    ev->data = &ngx_http_rms_sync_connection;
    ev->log = cycle->log;
    ev->cancelable = 1;

    ngx_add_timer(ev, NGX_HTTP_RMS_SYNC);

    return NGX_OK;
}


static void
ngx_http_rms_sync_timer(ngx_event_t *ev)
{
    ngx_uint_t                 i;
    ngx_connection_t          *c;
    ngx_http_rms_main_conf_t  *rmcf;

    c = ev->data;
    rmcf = c->data;

    if (ngx_http_rms_redis_up(rmcf) && ngx_http_rms_sync_turn(rmcf)) {
        for (i = 0; i < NGX_HTTP_RMS_DOCUMENTS; i++) {
            ngx_http_rms_sync_now(rmcf, i);
        }
    }

    ngx_add_timer(ev, NGX_HTTP_RMS_SYNC);
}


/* The workers of a node take turns: one look a second is enough for all. */

static ngx_uint_t
ngx_http_rms_sync_turn(ngx_http_rms_main_conf_t *rmcf)
{
    ngx_atomic_t       *next;
    ngx_atomic_uint_t   due;

    next = &rmcf->zone->shared->sync_next;
    due = *next;

    /* a clock that was set back does not stop the looks */

    return (due <= (ngx_atomic_uint_t) ngx_current_msec
            || due > (ngx_atomic_uint_t) ngx_current_msec
                     + 2 * NGX_HTTP_RMS_SYNC)
           && ngx_atomic_cmp_set(next, due,
                                 (ngx_atomic_uint_t) ngx_current_msec
                                 + NGX_HTTP_RMS_SYNC - 50);
}


static void
ngx_http_rms_sync_state(void *data, ngx_uint_t up)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_RMS_DOCUMENTS; i++) {
        ngx_http_rms_syncs[i].asked = 0;

        if (up) {
            ngx_http_rms_sync_now(data, i);
        }
    }
}


/* What it says is a reason to look, never more than that. */

static void
ngx_http_rms_sync_message(void *data, const rms_str_t *channel,
    const rms_str_t *message)
{
    u_char                     buf[64];
    rms_str_t                  text;
    ngx_uint_t                 i;
    ngx_http_rms_stamp_of_t    own, told;
    ngx_http_rms_main_conf_t  *rmcf = data;

    if (message == NULL) {
        ngx_http_rms_sync_state(data, ngx_http_rms_redis_up(rmcf));
        return;
    }

    text.data = buf;
    text.len = sizeof(buf);

    if (rms_unseal(rmcf->seal, channel, message, &text) != RMS_OK
        || text.len < 2)
    {
        (void) ngx_atomic_fetch_add(
                  &rmcf->zone->shared->counters[RMS_COUNT_RECORDS_REFUSED], 1);
        return;
    }

    i = text.data[0] - '0';

    text.data++;
    text.len--;

    if (i >= NGX_HTTP_RMS_DOCUMENTS
        || ngx_http_rms_sync_stamp_read(&text, &told) != NGX_OK)
    {
        return;
    }

    ngx_http_rms_sync_own(&ngx_http_rms_syncs[i], &own);

    if (!ngx_http_rms_sync_same(&own, &told)
        && !ngx_http_rms_sync_ours(&ngx_http_rms_syncs[i], &told))
    {
        ngx_http_rms_sync_now(rmcf, i);
    }
}


void
ngx_http_rms_sync_now(ngx_http_rms_main_conf_t *rmcf, ngx_uint_t kind)
{
    ngx_http_rms_sync_t  *sync;

    sync = &ngx_http_rms_syncs[kind];

    if (sync->rmcf == rmcf && !sync->asked && !ngx_exiting) {
        ngx_http_rms_sync_ask(sync);
    }
}


static void
ngx_http_rms_sync_ask(ngx_http_rms_sync_t *sync)
{
    rms_str_t  argv[3] = { rms_string("HGET"), rms_null_string,
                           rms_string("v") };
    rms_str_t  renew[3] = { rms_string("EXPIRE"), rms_null_string,
                            rms_string(NGX_HTTP_RMS_SYNC_TTL) };

    argv[1] = sync->key;
    renew[1] = sync->key;

    if (ngx_http_rms_redis_send(sync->rmcf, argv, 3, ngx_http_rms_sync_asked,
                                sync))
    {
        sync->asked = 1;
    }

    if (++ngx_http_rms_sync_looks % NGX_HTTP_RMS_SYNC_RENEW == 0) {
        (void) ngx_http_rms_redis_send(sync->rmcf, renew, 3, NULL, NULL);
    }
}


static void
ngx_http_rms_sync_asked(void *data, const rms_redis_reply_t *reply)
{
    ngx_http_rms_sync_t *sync = data;

    rms_str_t                nothing = rms_string("0");
    const rms_str_t         *text;
    ngx_http_rms_stamp_of_t  own, there;

    sync->asked = 0;

    if (reply == NULL || (reply->type != RMS_REDIS_STRING
                          && reply->type != RMS_REDIS_NIL))
    {
        return;
    }

    text = reply->type == RMS_REDIS_NIL ? &nothing : &reply->str;

    if (text->len > sizeof(sync->stamp)) {
        return;
    }

    ngx_memcpy(sync->stamp, text->data, text->len);
    sync->stamp_len = text->len;

    if (ngx_http_rms_sync_stamp_read(text, &there) != NGX_OK) {
        ngx_memzero(&there, sizeof(ngx_http_rms_stamp_of_t));
    }

    ngx_http_rms_sync_own(sync, &own);

    if (ngx_http_rms_sync_same(&there, &own)
        || ngx_http_rms_sync_ours(sync, &there))
    {
        ngx_http_rms_sync_confirm(sync, &there);

    } else if (there.version < own.version) {
        ngx_http_rms_sync_back(sync);

    } else if (!ngx_http_rms_sync_same(&there, &sync->refused)) {
        ngx_http_rms_sync_fetch(sync);

    } else if (sync->damaged) {
        ngx_http_rms_sync_back(sync);
    }
}


static void
ngx_http_rms_sync_fetch(ngx_http_rms_sync_t *sync)
{
    rms_str_t  argv[4] = { rms_string("HMGET"), rms_null_string,
                           rms_string("v"), rms_string("d") };

    argv[1] = sync->key;

    if (ngx_http_rms_redis_send(sync->rmcf, argv, 4,
                                ngx_http_rms_sync_fetched, sync))
    {
        sync->asked = 1;
    }
}


static void
ngx_http_rms_sync_fetched(void *data, const rms_redis_reply_t *reply)
{
    ngx_http_rms_sync_t *sync = data;

    ngx_http_rms_stamp_of_t  stamp;

    sync->asked = 0;

    if (reply == NULL || reply->type != RMS_REDIS_ARRAY || reply->n != 2
        || reply->elements[0].type != RMS_REDIS_STRING
        || reply->elements[1].type != RMS_REDIS_STRING
        || reply->elements[0].str.len > sizeof(sync->stamp)
        || ngx_http_rms_sync_stamp_read(&reply->elements[0].str, &stamp)
           != NGX_OK)
    {
        return;
    }

    sync->stamp_len = reply->elements[0].str.len;
    ngx_memcpy(sync->stamp, reply->elements[0].str.data, sync->stamp_len);

    /* another worker was faster: what it has is no older than this */

    if (ngx_http_rms_sync_late(sync, &stamp)) {
        return;
    }

    ngx_http_rms_sync_open(sync, &stamp, &reply->elements[1].str);
}


/*
 * A damaged record gives way to ours, if we have one; one that others may be
 * able to read (a new key, a newer node) stays.
 */

static void
ngx_http_rms_sync_open(ngx_http_rms_sync_t *sync,
    ngx_http_rms_stamp_of_t *stamp, const rms_str_t *record)
{
    char         source[sizeof("Redis, ") + 16];
    ngx_int_t    rc;
    rms_str_t    bytes;
    ngx_log_t   *log;
    ngx_pool_t  *pool;

    log = ngx_cycle->log;

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, log);
    if (pool == NULL) {
        return;
    }

    (void) ngx_snprintf((u_char *) source, sizeof(source), "Redis, %s%Z",
                        sync->name);

    rc = ngx_http_rms_sync_unseal(sync, stamp, record, pool, &bytes);

    if (rc == NGX_OK) {
        rc = ngx_http_rms_document_take(sync->rmcf, sync->kind, &bytes,
                                        source, log);
    }

    ngx_destroy_pool(pool);

    switch (rc) {

    case NGX_AGAIN:
        ngx_http_rms_sync_back(sync);
        return;

    case NGX_ERROR:
        sync->refused = *stamp;
        return;

    default:
        ngx_http_rms_sync_confirm(sync, stamp);
    }
}


static ngx_int_t
ngx_http_rms_sync_unseal(ngx_http_rms_sync_t *sync,
    ngx_http_rms_stamp_of_t *stamp, const rms_str_t *record,
    ngx_pool_t *pool, rms_str_t *bytes)
{
    rms_rc_e  rc;

    bytes->len = record->len;
    bytes->data = ngx_palloc(pool, record->len + 1);

    if (bytes->data == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_http_rms_sync_tag(record) == stamp->tag
         ? rms_unseal(sync->rmcf->seal, &sync->key, record, bytes)
         : RMS_INVALID;

    sync->damaged = (rc == RMS_INVALID);

    if (rc == RMS_OK) {
        return NGX_OK;
    }

    (void) ngx_atomic_fetch_add(
            &sync->rmcf->zone->shared->counters[RMS_COUNT_RECORDS_REFUSED], 1);

    ngx_http_rms_event(NGX_LOG_ERR, ngx_cycle->log, 3001,
                       "record of Redis refused: key=\"%V\" %s; what this "
                       "node has stays in use", &sync->key,
                       rc == RMS_DECLINED
                       ? "is sealed with a key that is not in "
                         "\"rms_seal_key_file\" (rotated away, or of another "
                         "pool)"
                       : rc == RMS_UNSUPPORTED
                       ? "has the form of another version"
                       : "was changed, cut short or moved");

    return NGX_ERROR;
}


static void
ngx_http_rms_sync_confirm(ngx_http_rms_sync_t *sync,
    ngx_http_rms_stamp_of_t *stamp)
{
    ngx_http_rms_shared_document_t  *own;

    own = &sync->rmcf->zone->shared->documents[sync->kind];

    ngx_shmtx_lock(&sync->rmcf->zone->shpool->mutex);

    own->stored = stamp->version;
    own->tag = stamp->tag;
    own->confirmed = ngx_time();

    if (own->known < stamp->version) {
        own->known = stamp->version;
    }

    ngx_shmtx_unlock(&sync->rmcf->zone->shpool->mutex);
}


/*
 * Revocations that this node sent itself, by whichever worker: all of them are
 * in the zone, and none is news.  Merged with themselves they would be taken
 * for revocations that two nodes have numbered alike.  A list is fetched: the
 * worker that sent it may be gone before it took it.
 */

static ngx_uint_t
ngx_http_rms_sync_ours(ngx_http_rms_sync_t *sync,
    ngx_http_rms_stamp_of_t *stamp)
{
    ngx_uint_t                       i;
    ngx_http_rms_shared_document_t  *own;

    own = &sync->rmcf->zone->shared->documents[sync->kind];

    for (i = 0; sync->kind == NGX_HTTP_RMS_REVOKED && i < NGX_HTTP_RMS_SENT;
         i++)
    {
        if (stamp->version && own->sent[i] == stamp->tag) {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_rms_sync_late(ngx_http_rms_sync_t *sync,
    ngx_http_rms_stamp_of_t *stamp)
{
    ngx_http_rms_stamp_of_t          own;
    ngx_http_rms_shared_document_t  *document;

    document = &sync->rmcf->zone->shared->documents[sync->kind];

    ngx_http_rms_sync_own(sync, &own);

    return ngx_http_rms_sync_same(&own, stamp)
           || ngx_http_rms_sync_ours(sync, stamp)
           || (sync->kind == NGX_HTTP_RMS_REVOKED
               && stamp->version < document->known);
}


static void
ngx_http_rms_sync_sent(ngx_http_rms_sync_t *sync,
    ngx_http_rms_stamp_of_t *stamp)
{
    ngx_http_rms_shared_document_t  *own;

    own = &sync->rmcf->zone->shared->documents[sync->kind];

    ngx_shmtx_lock(&sync->rmcf->zone->shpool->mutex);

    own->sent[own->next] = stamp->tag;
    own->next = (own->next + 1) % NGX_HTTP_RMS_SENT;

    ngx_shmtx_unlock(&sync->rmcf->zone->shpool->mutex);
}


/* Redis has less than the node: an older one, a bad one, or none at all. */

static void
ngx_http_rms_sync_back(ngx_http_rms_sync_t *sync)
{
    rms_str_t                 bytes, expected;
    ngx_int_t                 rc;
    ngx_pool_t               *pool;
    ngx_http_rms_stamp_of_t   stamp;

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, ngx_cycle->log);
    if (pool == NULL) {
        return;
    }

    expected.data = sync->stamp;
    expected.len = sync->stamp_len;

    rc = ngx_http_rms_document_get(sync->rmcf, sync->kind, pool, &bytes);

    if (rc == NGX_OK
        && ngx_http_rms_sync_send(sync, &bytes, &expected, pool,
                                  ngx_http_rms_sync_put_back, sync, &stamp))
    {
        sync->asked = 1;
    }

    ngx_destroy_pool(pool);
}


static void
ngx_http_rms_sync_put_back(void *data, const rms_redis_reply_t *reply)
{
    ngx_http_rms_sync_t *sync = data;

    sync->asked = 0;

    if (ngx_http_rms_sync_result(reply) != NGX_HTTP_RMS_PUT_STORED) {
        return;
    }

    ngx_http_rms_event(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                       "%s put into Redis, which had an older one or none",
                       sync->kind == NGX_HTTP_RMS_LIST ? "shared list"
                                                       : "revocations");

    /* and look whether it is what we have */

    ngx_http_rms_sync_ask(sync);
}


ngx_http_rms_put_t *
ngx_http_rms_sync_put(ngx_http_rms_main_conf_t *rmcf, ngx_uint_t kind,
    const rms_str_t *bytes, ngx_pool_t *pool, ngx_http_rms_put_pt handler,
    void *data)
{
    u_char                           buf[NGX_HTTP_RMS_SYNC_STAMP];
    rms_str_t                        expected;
    ngx_http_rms_put_t              *put;
    ngx_http_rms_stamp_of_t          own;
    ngx_http_rms_shared_document_t  *stored;

    put = ngx_palloc(pool, sizeof(ngx_http_rms_put_t));
    if (put == NULL) {
        return NULL;
    }

    stored = &rmcf->zone->shared->documents[kind];

    put->sync = &ngx_http_rms_syncs[kind];
    put->bytes = *bytes;
    put->handler = handler;
    put->data = data;

    /* of a version that is not there yet Redis knows nothing */

    own.version = stored->stored;
    own.tag = (uint32_t) stored->tag;

    ngx_http_rms_sync_stamp_text(&own, buf, &expected);

    put->op = ngx_http_rms_sync_send(put->sync, bytes, &expected, pool,
                                     ngx_http_rms_sync_answer, put,
                                     &put->stamp);

    return put->op ? put : NULL;
}


void
ngx_http_rms_sync_cancel(ngx_http_rms_put_t *put)
{
    if (put && put->op) {
        ngx_http_rms_redis_cancel(put->op);
        put->op = NULL;
    }
}


static void
ngx_http_rms_sync_answer(void *data, const rms_redis_reply_t *reply)
{
    ngx_http_rms_put_t *put = data;

    ngx_http_rms_put_e  result;

    put->op = NULL;

    result = ngx_http_rms_sync_result(reply);

    if (result == NGX_HTTP_RMS_PUT_STORED) {

        /* revocations counted here before they were sent */

        if (put->sync->kind == NGX_HTTP_RMS_REVOKED
            || ngx_http_rms_document_take(put->sync->rmcf, put->sync->kind,
                                          &put->bytes, "an operator",
                                          ngx_cycle->log)
               != NGX_ERROR)
        {
            ngx_http_rms_sync_confirm(put->sync, &put->stamp);
        }

    } else {
        ngx_http_rms_sync_now(put->sync->rmcf, put->sync->kind);
    }

    put->handler(put->data, result);
}


static ngx_http_rms_put_e
ngx_http_rms_sync_result(const rms_redis_reply_t *reply)
{
    ngx_str_t  text;

    if (reply == NULL) {
        return NGX_HTTP_RMS_PUT_UNKNOWN;
    }

    if (reply->type == RMS_REDIS_ARRAY && reply->n == 2
        && reply->elements[0].type == RMS_REDIS_INTEGER)
    {
        return reply->elements[0].integer == 1 ? NGX_HTTP_RMS_PUT_STORED
                                               : NGX_HTTP_RMS_PUT_CONFLICT;
    }

    ngx_str_null(&text);

    if (reply->type == RMS_REDIS_ERROR) {
        text = reply->str;
        text.len = ngx_min(text.len, 200);
    }

    ngx_http_rms_event(NGX_LOG_ERR, ngx_cycle->log, 3001,
                       "Redis did not store a document: \"%V\"; let its user "
                       "run EVAL, HGET, HSET, EXPIRE and PUBLISH on our keys "
                       "and channels, and look at its memory", &text);

    return NGX_HTTP_RMS_PUT_REFUSED;
}


/* Sealed for its key, and the news of it for the channel. */

static ngx_http_rms_redis_op_t *
ngx_http_rms_sync_send(ngx_http_rms_sync_t *sync, const rms_str_t *bytes,
    const rms_str_t *expected, ngx_pool_t *pool,
    ngx_http_rms_redis_answer_pt handler, void *data,
    ngx_http_rms_stamp_of_t *stamp)
{
    u_char          buf[NGX_HTTP_RMS_SYNC_STAMP + 1];
    u_char          news[sizeof(buf) + RMS_SEAL_OVERHEAD];
    rms_str_t       argv[10], record, text, told;
    rms_document_t  document;

    record.len = bytes->len + RMS_SEAL_OVERHEAD;
    record.data = ngx_palloc(pool, record.len);

    if (record.data == NULL
        || rms_document_decode(bytes, &document) != RMS_OK
        || rms_seal(sync->rmcf->seal, &sync->key, bytes, &record) != RMS_OK)
    {
        return NULL;
    }

    stamp->version = document.version;
    stamp->tag = ngx_http_rms_sync_tag(&record);

    buf[0] = (u_char) ('0' + sync->kind);
    ngx_http_rms_sync_stamp_text(stamp, buf + 1, &text);

    told.data = buf;
    told.len = text.len + 1;

    argv[8] = ngx_http_rms_sync_channel;
    argv[9].data = news;
    argv[9].len = sizeof(news);

    if (rms_seal(sync->rmcf->seal, &argv[8], &told, &argv[9]) != RMS_OK)
    {
        return NULL;
    }

    ngx_str_set(&argv[0], "EVAL");
    argv[1] = ngx_http_rms_sync_script;
    ngx_str_set(&argv[2], "1");
    argv[3] = sync->key;
    argv[4] = *expected;
    argv[5] = text;
    argv[6] = record;
    ngx_str_set(&argv[7], NGX_HTTP_RMS_SYNC_TTL);

    /* before it is there: the news of it may be faster than the answer */

    ngx_http_rms_sync_sent(sync, stamp);

    return ngx_http_rms_redis_send(sync->rmcf, argv, 10, handler, data);
}


/*
 * The version the node has, and the record of Redis it is known to be in; with
 * another version there the tag says nothing.
 */

static void
ngx_http_rms_sync_own(ngx_http_rms_sync_t *sync,
    ngx_http_rms_stamp_of_t *stamp)
{
    ngx_http_rms_shared_t           *shared;
    ngx_http_rms_shared_document_t  *own;

    shared = sync->rmcf->zone->shared;
    own = &shared->documents[sync->kind];

    stamp->version = sync->kind == NGX_HTTP_RMS_LIST ? own->version
                                                     : shared->epoch;
    stamp->tag = stamp->version == own->stored ? (uint32_t) own->tag : 0;
}


static ngx_int_t
ngx_http_rms_sync_stamp_read(const rms_str_t *text,
    ngx_http_rms_stamp_of_t *stamp)
{
    off_t       version;
    u_char     *dash;
    ngx_int_t   tag;

    stamp->version = 0;
    stamp->tag = 0;

    if (rms_str_is(text, "0")) {
        return NGX_OK;
    }

    dash = ngx_strlchr(text->data, text->data + text->len, '-');

    if (dash == NULL || text->data + text->len - dash != 9) {
        return NGX_ERROR;
    }

    version = ngx_atoof(text->data, dash - text->data);
    tag = ngx_hextoi(dash + 1, 8);

    if (version <= 0 || tag == NGX_ERROR) {
        return NGX_ERROR;
    }

    stamp->version = (uint64_t) version;
    stamp->tag = (uint32_t) tag;

    return NGX_OK;
}


/* buf: NGX_HTTP_RMS_SYNC_STAMP bytes */

static void
ngx_http_rms_sync_stamp_text(ngx_http_rms_stamp_of_t *stamp, u_char *buf,
    rms_str_t *text)
{
    u_char  *last;

    last = stamp->version
           ? ngx_snprintf(buf, NGX_HTTP_RMS_SYNC_STAMP, "%uL-%08xD",
                          stamp->version, stamp->tag)
           : ngx_cpymem(buf, "0", 1);

    text->data = buf;
    text->len = last - buf;
}


/* The salt is random: no two records have the same, and a 0 is none. */

static uint32_t
ngx_http_rms_sync_tag(const rms_str_t *record)
{
    u_char    *p;
    uint32_t   tag;

    if (record->len < RMS_SEAL_HEADER) {
        return 0;
    }

    p = record->data + RMS_SEAL_HEADER - RMS_SEAL_SALT;
    tag = (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16
          | (uint32_t) p[2] << 8 | p[3];

    return tag ? tag : 1;
}


static ngx_uint_t
ngx_http_rms_sync_same(ngx_http_rms_stamp_of_t *a, ngx_http_rms_stamp_of_t *b)
{
    return a->version == b->version && a->tag == b->tag;
}


ngx_uint_t
ngx_http_rms_sync_fresh(ngx_http_rms_main_conf_t *rmcf)
{
    time_t                           confirmed;
    ngx_http_rms_shared_document_t  *own;

    own = &rmcf->zone->shared->documents[NGX_HTTP_RMS_REVOKED];
    confirmed = (time_t) own->confirmed;

    return confirmed != 0 && ngx_time() >= confirmed
           && ngx_time() - confirmed <= NGX_HTTP_RMS_SYNC_FRESH;
}
