
/*
 * Documents and Redis: told of each change through a channel, asked for once a
 * second by one worker of the node, fetched when they are newer and put back
 * when Redis has an older one or none (how: ngx_http_rms_put.c).  In Redis a
 * document is a hash of "v", its version and the first bytes of its record's
 * salt, and "d", the record.
 */


#include "ngx_http_rms_sync.h"


/* milliseconds between looks */
#define NGX_HTTP_RMS_SYNC        1000

/* looks after which its time is set anew */
#define NGX_HTTP_RMS_SYNC_RENEW  600

/* looks after which the record of Redis is read, though it has our stamp */
#define NGX_HTTP_RMS_SYNC_VERIFY 60

/* seconds for which revocations may be taken as known */
#define NGX_HTTP_RMS_SYNC_FRESH  5


static void ngx_http_rms_sync_timer(ngx_event_t *ev);
static ngx_uint_t ngx_http_rms_sync_turn(ngx_http_rms_main_conf_t *rmcf);
static void ngx_http_rms_sync_state(void *data, ngx_uint_t up);
static void ngx_http_rms_sync_message(void *data, const rms_str_t *channel,
    const rms_str_t *message);
static void ngx_http_rms_sync_forged(ngx_http_rms_main_conf_t *rmcf,
    const rms_str_t *channel);
static void ngx_http_rms_sync_ask(ngx_http_rms_sync_t *sync);
static void ngx_http_rms_sync_asked(void *data,
    const rms_redis_reply_t *reply);
static ngx_int_t ngx_http_rms_sync_there(ngx_http_rms_sync_t *sync,
    const rms_redis_reply_t *reply);
static void ngx_http_rms_sync_compare(ngx_http_rms_sync_t *sync);
static void ngx_http_rms_sync_fetch(ngx_http_rms_sync_t *sync);
static void ngx_http_rms_sync_fetched(void *data,
    const rms_redis_reply_t *reply);
static void ngx_http_rms_sync_open(ngx_http_rms_sync_t *sync,
    ngx_http_rms_stamp_of_t *stamp, const rms_str_t *record);
static ngx_int_t ngx_http_rms_sync_unseal(ngx_http_rms_sync_t *sync,
    ngx_http_rms_stamp_of_t *stamp, const rms_str_t *record,
    ngx_pool_t *pool, rms_str_t *bytes);
static void ngx_http_rms_sync_verify(ngx_http_rms_sync_t *sync,
    const rms_str_t *record);
static void ngx_http_rms_sync_foul(ngx_http_rms_sync_t *sync);
static ngx_uint_t ngx_http_rms_sync_have(ngx_http_rms_sync_t *sync,
    ngx_http_rms_stamp_of_t *stamp);
static ngx_uint_t ngx_http_rms_sync_ours(ngx_http_rms_sync_t *sync,
    ngx_http_rms_stamp_of_t *stamp);
static ngx_uint_t ngx_http_rms_sync_heard(ngx_http_rms_sync_t *sync,
    ngx_http_rms_stamp_of_t *stamp);
static void ngx_http_rms_sync_own(ngx_http_rms_sync_t *sync,
    ngx_http_rms_stamp_of_t *stamp);
static ngx_int_t ngx_http_rms_sync_stamp_read(const rms_str_t *text,
    ngx_http_rms_stamp_of_t *stamp);
static ngx_uint_t ngx_http_rms_sync_same(ngx_http_rms_stamp_of_t *a,
    ngx_http_rms_stamp_of_t *b);


static ngx_http_rms_sync_t  ngx_http_rms_syncs[NGX_HTTP_RMS_DOCUMENTS];
static ngx_str_t            ngx_http_rms_sync_channel;
static ngx_event_t          ngx_http_rms_sync_event;
static ngx_connection_t     ngx_http_rms_sync_connection;


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

    ngx_http_rms_sync_channel = ngx_http_rms_redis_key(rmcf, cycle->pool,
                                                       "channel", &changes);

    for (i = 0; i < NGX_HTTP_RMS_DOCUMENTS; i++) {
        sync = &ngx_http_rms_syncs[i];

        ngx_memzero(sync, sizeof(ngx_http_rms_sync_t));

        sync->rmcf = rmcf;
        sync->kind = i;
        sync->name = (char *) names[i].data;
        sync->verify = 1;
        sync->key = ngx_http_rms_redis_key(rmcf, cycle->pool, "document",
                                           &names[i]);
        sync->channel = ngx_http_rms_sync_channel;

        if (sync->key.len == 0) {
            return NGX_ERROR;
        }
    }

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


ngx_http_rms_sync_t *
ngx_http_rms_sync_get(ngx_uint_t kind)
{
    return &ngx_http_rms_syncs[kind];
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
    ngx_http_rms_stamp_of_t    told;
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
        ngx_http_rms_sync_forged(rmcf, channel);
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

    if (!ngx_http_rms_sync_have(&ngx_http_rms_syncs[i], &told)) {
        ngx_http_rms_sync_now(rmcf, i);
    }
}


/* Who can write to Redis can say what he likes; it is not listened to. */

static void
ngx_http_rms_sync_forged(ngx_http_rms_main_conf_t *rmcf,
    const rms_str_t *channel)
{
    static time_t  told;

    (void) ngx_atomic_fetch_add(
                  &rmcf->zone->shared->counters[RMS_COUNT_RECORDS_REFUSED], 1);

    if (told && ngx_time() - told < NGX_HTTP_RMS_SYNC_QUIET) {
        return;
    }

    told = ngx_time();

    ngx_http_rms_event(NGX_LOG_ERR, ngx_cycle->log, 3001,
                       "message of Redis refused: channel=\"%V\" it is not "
                       "sealed with a key of \"rms_seal_key_file\", or not "
                       "for this channel", channel);
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

    sync->looks++;

    if (sync->looks % NGX_HTTP_RMS_SYNC_VERIFY == 0) {
        sync->verify = 1;
    }

    if (sync->looks % NGX_HTTP_RMS_SYNC_RENEW == 0) {
        (void) ngx_http_rms_redis_send(sync->rmcf, renew, 3, NULL, NULL);
    }
}


static void
ngx_http_rms_sync_asked(void *data, const rms_redis_reply_t *reply)
{
    ngx_http_rms_sync_t *sync = data;

    sync->asked = 0;

    switch (ngx_http_rms_sync_there(sync, reply)) {

    case NGX_OK:
        ngx_http_rms_sync_compare(sync);
        return;

    case NGX_DECLINED:
        ngx_http_rms_sync_foul(sync);
        return;
    }
}


/* NGX_DECLINED: something is there that no node wrote. */

static ngx_int_t
ngx_http_rms_sync_there(ngx_http_rms_sync_t *sync,
    const rms_redis_reply_t *reply)
{
    ngx_memzero(&sync->there, sizeof(ngx_http_rms_stamp_of_t));

    if (reply == NULL) {
        return NGX_ERROR;
    }

    switch (reply->type) {

    case RMS_REDIS_NIL:
        return NGX_OK;

    case RMS_REDIS_STRING:
        return ngx_http_rms_sync_stamp_read(&reply->str, &sync->there)
               == NGX_OK ? NGX_OK : NGX_DECLINED;

    case RMS_REDIS_ERROR:
        return reply->str.len >= 9
               && ngx_memcmp(reply->str.data, "WRONGTYPE", 9) == 0
               ? NGX_DECLINED : NGX_ERROR;

    default:
        return NGX_ERROR;
    }
}


static void
ngx_http_rms_sync_compare(ngx_http_rms_sync_t *sync)
{
    ngx_http_rms_stamp_of_t  own;

    ngx_http_rms_sync_own(sync, &own);

    if (ngx_http_rms_sync_have(sync, &sync->there)) {
        ngx_memzero(&sync->refused, sizeof(ngx_http_rms_stamp_of_t));
        ngx_http_rms_sync_confirm(sync, &sync->there);

        if (sync->verify && sync->there.version) {
            ngx_http_rms_sync_fetch(sync);
        }

    } else if (sync->there.version < own.version
               && ngx_http_rms_sync_heard(sync, &sync->there))
    {
        sync->damaged = 0;
        ngx_memzero(&sync->refused, sizeof(ngx_http_rms_stamp_of_t));
        ngx_http_rms_sync_back(sync);

    } else if (!ngx_http_rms_sync_same(&sync->there, &sync->refused)) {
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

    ngx_int_t                 rc;
    rms_str_t                 record = rms_null_string;
    const rms_redis_reply_t  *stamp;

    sync->asked = 0;

    stamp = reply && reply->type == RMS_REDIS_ARRAY && reply->n == 2
            ? &reply->elements[0] : reply;

    rc = ngx_http_rms_sync_there(sync, stamp);

    if (rc == NGX_DECLINED) {
        ngx_http_rms_sync_foul(sync);
        return;
    }

    /* gone meanwhile, or no answer: the next look will tell */

    if (rc != NGX_OK || stamp == reply || sync->there.version == 0) {
        return;
    }

    if (reply->elements[1].type == RMS_REDIS_STRING) {
        record = reply->elements[1].str;
    }

    if (ngx_http_rms_sync_have(sync, &sync->there)) {

        if (sync->verify) {
            ngx_http_rms_sync_verify(sync, &record);
        }

        return;
    }

    /* another worker was faster: what it has is no older than this */

    if (!ngx_http_rms_sync_heard(sync, &sync->there)) {
        ngx_http_rms_sync_open(sync, &sync->there, &record);
    }
}


/*
 * A damaged record gives way to ours, or goes, for a node that has one to put
 * it there; one that others may be able to read (a new key, a newer node)
 * stays.
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
    sync->damaged = 0;

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

        if (sync->damaged) {
            ngx_http_rms_sync_back(sync);
        }

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
    rms_rc_e        rc;
    rms_document_t  document;

    bytes->len = record->len;
    bytes->data = ngx_palloc(pool, record->len + 1);

    if (bytes->data == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_http_rms_sync_tag(record) == stamp->tag
         ? rms_unseal(sync->rmcf->seal, &sync->key, record, bytes)
         : RMS_INVALID;

    /* a version that somebody wrote beside a record of another one */

    if (rc == RMS_OK && rms_document_decode(bytes, &document) == RMS_OK
        && document.version != stamp->version)
    {
        rc = RMS_INVALID;
    }

    sync->damaged = (rc == RMS_INVALID);

    if (rc == RMS_OK) {
        return NGX_OK;
    }

    ngx_http_rms_sync_refuse(sync,
                       rc == RMS_DECLINED
                       ? "is sealed with a key that is not in "
                         "\"rms_seal_key_file\" (rotated away, or of another "
                         "pool)"
                       : rc == RMS_UNSUPPORTED
                       ? "has the form of another version"
                       : "was changed, cut short or moved");

    return NGX_ERROR;
}


/*
 * It has the stamp of what we have: is it still what we wrote, so that a node
 * that starts can read it, and sealed with the key that will be there longest?
 * Not asked of each record that comes: as long as nodes have different first
 * keys they would seal it in turns without a rest.
 */

static void
ngx_http_rms_sync_verify(ngx_http_rms_sync_t *sync, const rms_str_t *record)
{
    ngx_int_t    rc;
    rms_str_t    bytes;
    ngx_pool_t  *pool;

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, ngx_cycle->log);
    if (pool == NULL) {
        return;
    }

    sync->damaged = 0;
    sync->verify = 0;

    rc = ngx_http_rms_sync_unseal(sync, &sync->there, record, pool, &bytes);

    ngx_destroy_pool(pool);

    if (sync->damaged
        || (rc == NGX_OK && !rms_seal_current(sync->rmcf->seal, record)))
    {
        ngx_http_rms_sync_back(sync);
    }
}


void
ngx_http_rms_sync_refuse(ngx_http_rms_sync_t *sync, const char *why)
{
    (void) ngx_atomic_fetch_add(
            &sync->rmcf->zone->shared->counters[RMS_COUNT_RECORDS_REFUSED], 1);

    if (sync->why == why && ngx_time() - sync->told < NGX_HTTP_RMS_SYNC_QUIET)
    {
        return;
    }

    sync->why = why;
    sync->told = ngx_time();

    ngx_http_rms_event(NGX_LOG_ERR, ngx_cycle->log, 3001,
                       "record of Redis refused: key=\"%V\" %s; what this "
                       "node has stays in use", &sync->key, why);
}


/* A key of another type, or a version that is none. */

static void
ngx_http_rms_sync_foul(ngx_http_rms_sync_t *sync)
{
    sync->damaged = 1;

    ngx_memzero(&sync->there, sizeof(ngx_http_rms_stamp_of_t));

    ngx_http_rms_sync_refuse(sync, "was not written by a node");
    ngx_http_rms_sync_back(sync);
}


void
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


/* Is it what the node has, so that there is nothing to do? */

static ngx_uint_t
ngx_http_rms_sync_have(ngx_http_rms_sync_t *sync,
    ngx_http_rms_stamp_of_t *stamp)
{
    ngx_http_rms_stamp_of_t  own;

    ngx_http_rms_sync_own(sync, &own);

    return ngx_http_rms_sync_same(&own, stamp)
           || (stamp->version == own.version
               && ngx_http_rms_sync_ours(sync, stamp));
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
        if (stamp->version && ngx_http_rms_sync_same(&own->sent[i], stamp)) {
            return 1;
        }
    }

    return 0;
}


/*
 * Has the node everything that is in this one?  Of lists the newer one has.
 * Revocations that the node has not told yet are no reason to think so.
 */

static ngx_uint_t
ngx_http_rms_sync_heard(ngx_http_rms_sync_t *sync,
    ngx_http_rms_stamp_of_t *stamp)
{
    ngx_http_rms_shared_document_t  *own;

    own = &sync->rmcf->zone->shared->documents[sync->kind];

    if (sync->kind == NGX_HTTP_RMS_LIST) {
        return stamp->version < own->version;
    }

    return stamp->version < own->known
           || (stamp->version == own->stored
               && stamp->tag == (uint32_t) own->tag)
           || ngx_http_rms_sync_ours(sync, stamp);
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
    u_char     *dash, buf[NGX_HTTP_RMS_SYNC_STAMP];
    ngx_int_t   tag;
    rms_str_t   again;

    ngx_memzero(stamp, sizeof(ngx_http_rms_stamp_of_t));

    dash = ngx_strlchr(text->data, text->data + text->len, '-');

    if (dash == NULL || dash - text->data > NGX_HTTP_RMS_SYNC_DIGITS
        || text->data + text->len - dash != 9)
    {
        return NGX_ERROR;
    }

    version = ngx_atoof(text->data, dash - text->data);
    tag = ngx_hextoi(dash + 1, 8);

    if (version <= 0 || tag == NGX_ERROR) {
        return NGX_ERROR;
    }

    stamp->version = (uint64_t) version;
    stamp->tag = (uint32_t) tag;

    /* the script compares the text: there is one for each stamp */

    ngx_http_rms_sync_stamp_text(stamp, buf, &again);

    if (rms_str_eq(&again, text)) {
        return NGX_OK;
    }

    ngx_memzero(stamp, sizeof(ngx_http_rms_stamp_of_t));

    return NGX_ERROR;
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
