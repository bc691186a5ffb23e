
/*
 * Documents put into Redis: sealed, in place of the version that the node
 * believes to be there, with the news of it for the other nodes.
 */


#include "ngx_http_rms_sync.h"


struct ngx_http_rms_put_s {
    ngx_http_rms_sync_t         *sync;
    rms_str_t                    bytes;
    ngx_http_rms_stamp_of_t      stamp;
    ngx_http_rms_redis_op_t     *op;
    ngx_http_rms_put_pt          handler;
    void                        *data;
};


static void ngx_http_rms_sync_answer(void *data,
    const rms_redis_reply_t *reply);
static void ngx_http_rms_sync_sent(ngx_http_rms_sync_t *sync,
    ngx_http_rms_stamp_of_t *stamp);
static void ngx_http_rms_sync_put_back(void *data,
    const rms_redis_reply_t *reply);
static void ngx_http_rms_sync_drop(ngx_http_rms_sync_t *sync);
static void ngx_http_rms_sync_dropped(void *data,
    const rms_redis_reply_t *reply);


/*
 * Stores, if Redis has what the node thinks it has; so two nodes that change
 * one document at a time cannot overwrite each other.  What is no stamp of
 * ours counts as nothing, so that nobody can shut us out with it.  Without a
 * stamp to store it removes.  What is stored is stored, though its news may
 * not be told: nodes look for themselves.
 */

static const rms_str_t  ngx_http_rms_sync_script = rms_string(
    "local v = redis.pcall('HGET', KEYS[1], 'v') "
    "if type(v) == 'table' then "
    "if string.sub(v.err, 1, 9) ~= 'WRONGTYPE' then return v end "
    "redis.call('DEL', KEYS[1]) v = false end "
    "if not v or #v > 27 or not string.find(v, "
    "'^[1-9]%d*%-' .. string.rep('[0-9a-f]', 8) .. '$') then v = '0' end "
    "if v ~= ARGV[1] then return {0, v} end "
    "if ARGV[2] == '' then redis.call('DEL', KEYS[1]) return {1, '0'} end "
    "redis.call('HSET', KEYS[1], 'v', ARGV[2], 'd', ARGV[3]) "
    "redis.call('EXPIRE', KEYS[1], ARGV[4]) "
    "redis.pcall('PUBLISH', ARGV[5], ARGV[6]) "
    "return {1, ARGV[2]}");


ngx_http_rms_put_t *
ngx_http_rms_sync_put(ngx_http_rms_main_conf_t *rmcf, ngx_uint_t kind,
    const rms_str_t *bytes, ngx_pool_t *pool, ngx_http_rms_put_pt handler,
    void *data)
{
    u_char                           buf[NGX_HTTP_RMS_SYNC_STAMP];
    rms_str_t                        expected;
    rms_document_t                   document;
    ngx_http_rms_put_t              *put;
    ngx_http_rms_stamp_of_t          own;
    ngx_http_rms_shared_document_t  *stored;

    put = ngx_palloc(pool, sizeof(ngx_http_rms_put_t));
    if (put == NULL) {
        return NULL;
    }

    stored = &rmcf->zone->shared->documents[kind];

    put->sync = ngx_http_rms_sync_get(kind);
    put->bytes = *bytes;
    put->handler = handler;
    put->data = data;

    /* of a version that is not there yet Redis knows nothing */

    ngx_shmtx_lock(&rmcf->zone->shpool->mutex);

    own.version = stored->stored;
    own.tag = (uint32_t) stored->tag;

    ngx_shmtx_unlock(&rmcf->zone->shpool->mutex);

    /*
     * a list takes the place of the version it was made of, and no other:
     * another worker may have taken a newer one since that was read
     */

    if (kind == NGX_HTTP_RMS_LIST) {

        if (rms_document_decode(bytes, &document) != RMS_OK) {
            return NULL;
        }

        if (own.version != document.version - 1) {
            own.version = document.version - 1;
            own.tag = 0;
        }
    }

    ngx_http_rms_sync_stamp_text(&own, buf, &expected);

    put->op = ngx_http_rms_sync_send(put->sync, bytes, &expected, pool,
                                     ngx_http_rms_sync_answer, put,
                                     &put->stamp);

    return put->op ? put : NULL;
}


/* Redis has less than the node: an older one, a bad one, or none at all. */

void
ngx_http_rms_sync_back(ngx_http_rms_sync_t *sync)
{
    u_char                           buf[NGX_HTTP_RMS_SYNC_STAMP];
    rms_str_t                        bytes, expected;
    ngx_int_t                        rc;
    ngx_pool_t                      *pool;
    ngx_http_rms_stamp_of_t          stamp;
    ngx_http_rms_shared_document_t  *own;

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, ngx_cycle->log);
    if (pool == NULL) {
        return;
    }

    own = &sync->rmcf->zone->shared->documents[sync->kind];

    sync->older = sync->there.version && !sync->damaged
                  && sync->there.version < (sync->kind == NGX_HTTP_RMS_LIST
                                            ? own->version : own->known);

    ngx_http_rms_sync_stamp_text(&sync->there, buf, &expected);

    rc = ngx_http_rms_document_get(sync->rmcf, sync->kind, pool, &bytes);

    if (rc == NGX_OK
        && ngx_http_rms_sync_send(sync, &bytes, &expected, pool,
                                  ngx_http_rms_sync_put_back, sync, &stamp))
    {
        sync->asked = 1;
    }

    ngx_destroy_pool(pool);

    if (rc == NGX_DECLINED && sync->damaged) {
        ngx_http_rms_sync_drop(sync);
    }
}


static void
ngx_http_rms_sync_put_back(void *data, const rms_redis_reply_t *reply)
{
    ngx_http_rms_sync_t *sync = data;

    sync->asked = 0;

    if (ngx_http_rms_sync_result(reply) != NGX_HTTP_RMS_PUT_STORED) {
        return;
    }

    /* only now it is known that it was there, and not on its way */

    if (sync->older) {
        ngx_http_rms_sync_refuse(sync, "was older than what this node has, "
                                       "which took its place");
    }

    ngx_http_rms_event(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                       "%s put into Redis",
                       sync->kind == NGX_HTTP_RMS_LIST ? "shared list"
                                                       : "revocations");

    /* and look whether it is what we have */

    ngx_http_rms_sync_now(sync->rmcf, sync->kind);
}


/*
 * We have none: with a bad one gone, whoever has a good one sees that Redis
 * has none.
 */

static void
ngx_http_rms_sync_drop(ngx_http_rms_sync_t *sync)
{
    u_char     buf[NGX_HTTP_RMS_SYNC_STAMP];
    rms_str_t  argv[6];

    ngx_str_set(&argv[0], "EVAL");
    argv[1] = ngx_http_rms_sync_script;
    ngx_str_set(&argv[2], "1");
    argv[3] = sync->key;
    ngx_http_rms_sync_stamp_text(&sync->there, buf, &argv[4]);
    ngx_str_set(&argv[5], "");

    if (ngx_http_rms_redis_send(sync->rmcf, argv, 6,
                                ngx_http_rms_sync_dropped, sync))
    {
        sync->asked = 1;
    }
}


static void
ngx_http_rms_sync_dropped(void *data, const rms_redis_reply_t *reply)
{
    ngx_http_rms_sync_t *sync = data;

    sync->asked = 0;

    (void) ngx_http_rms_sync_result(reply);
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


ngx_http_rms_put_e
ngx_http_rms_sync_result(const rms_redis_reply_t *reply)
{
    char           text[RMS_REDIS_TEXT];
    static time_t  told;

    if (reply == NULL) {
        return NGX_HTTP_RMS_PUT_UNKNOWN;
    }

    if (reply->type == RMS_REDIS_ARRAY && reply->n == 2
        && reply->elements[0].type == RMS_REDIS_INTEGER)
    {
        return reply->elements[0].integer == 1 ? NGX_HTTP_RMS_PUT_STORED
                                               : NGX_HTTP_RMS_PUT_CONFLICT;
    }

    if (told && ngx_time() - told < NGX_HTTP_RMS_SYNC_QUIET) {
        return NGX_HTTP_RMS_PUT_REFUSED;
    }

    told = ngx_time();

    text[0] = '\0';

    if (reply->type == RMS_REDIS_ERROR) {
        rms_redis_printable(text, sizeof(text), &reply->str);
    }

    ngx_http_rms_event(NGX_LOG_ERR, ngx_cycle->log, 3001,
                       "Redis did not store a document: \"%s\"; let its user "
                       "run EVAL, HGET, HSET, DEL, EXPIRE and PUBLISH on our "
                       "keys and channels, and look at its memory", text);

    return NGX_HTTP_RMS_PUT_REFUSED;
}


/* Sealed for its key, and the news of it for the channel. */

ngx_http_rms_redis_op_t *
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

    argv[8] = sync->channel;
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


static void
ngx_http_rms_sync_sent(ngx_http_rms_sync_t *sync,
    ngx_http_rms_stamp_of_t *stamp)
{
    ngx_http_rms_shared_document_t  *own;

    own = &sync->rmcf->zone->shared->documents[sync->kind];

    ngx_shmtx_lock(&sync->rmcf->zone->shpool->mutex);

    own->sent[own->next] = *stamp;
    own->next = (own->next + 1) % NGX_HTTP_RMS_SENT;

    ngx_shmtx_unlock(&sync->rmcf->zone->shpool->mutex);
}


/* buf: NGX_HTTP_RMS_SYNC_STAMP bytes */

void
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

uint32_t
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
