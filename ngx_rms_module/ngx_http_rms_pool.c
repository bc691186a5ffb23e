
/*
 * Announcements: one worker of a node puts what the node is into Redis every
 * five seconds, sealed, and reads what others have put there; at once when
 * something of it changes.  All nodes of a pool are fields of one hash, "time
 * record", by the clock of Redis; a field that is not renewed is taken out by
 * the others, and the hash ends with the last of them.
 */


#include "ngx_http_rms_pool.h"
#include "ngx_http_rms_document.h"

#include <openssl/rand.h>


/* milliseconds between looks whether it is time, and between announcements */
#define NGX_HTTP_RMS_POOL_TICK    1000
#define NGX_HTTP_RMS_POOL_PERIOD  5000

/* hex digits of an id */
#define NGX_HTTP_RMS_POOL_ID      (2 * RMS_NODE_ID)

#define NGX_HTTP_RMS_POOL_RECORD  (RMS_NODE_ENCODED_MAX + RMS_SEAL_OVERHEAD)

/* a record is bound to the hash and to its field: "KEY ID" */
#define NGX_HTTP_RMS_POOL_CONTEXT  512

/* values of an answer for a node: id, age, record */
#define NGX_HTTP_RMS_POOL_VALUES  3

#define ngx_http_rms_pool_string(n)   ngx_http_rms_pool_value(n)
#define ngx_http_rms_pool_value(n)    #n


static void ngx_http_rms_pool_timer(ngx_event_t *ev);
static void ngx_http_rms_pool_state(void *data, ngx_uint_t up);
static ngx_uint_t ngx_http_rms_pool_turn(ngx_http_rms_main_conf_t *rmcf,
    ngx_atomic_uint_t mark);
static ngx_atomic_uint_t ngx_http_rms_pool_mark(const rms_node_t *node);
static void ngx_http_rms_pool_send(ngx_http_rms_main_conf_t *rmcf,
    const rms_node_t *node);
static ngx_int_t ngx_http_rms_pool_context(const rms_str_t *id,
    u_char *buf, rms_str_t *context);
static void ngx_http_rms_pool_answer(void *data,
    const rms_redis_reply_t *reply);
static void ngx_http_rms_pool_read(ngx_http_rms_main_conf_t *rmcf,
    const rms_redis_reply_t *reply, rms_node_t *nodes);
static ngx_int_t ngx_http_rms_pool_open(ngx_http_rms_main_conf_t *rmcf,
    const rms_redis_reply_t *value, uint64_t now, rms_node_t *node,
    const char **why);
static void ngx_http_rms_pool_refused(ngx_http_rms_main_conf_t *rmcf,
    ngx_uint_t refused, ngx_atomic_uint_t mark, const char *why);


/*
 * The server's clock decides who is still there, so that those of nodes may
 * differ.  What is too long, too much or of a time to come goes.
 */

static const rms_str_t  ngx_http_rms_pool_script = rms_string(
    "local t = redis.call('TIME') "
    "local now = t[1] * 1000 + math.floor(t[2] / 1000) "
    "local ttl = tonumber(ARGV[3]) "
    "redis.call('HSET', KEYS[1], ARGV[1], "
                "string.format('%.0f ', now) .. ARGV[2]) "
    "redis.call('PEXPIRE', KEYS[1], ARGV[3]) "
    "local all = redis.call('HGETALL', KEYS[1]) "
    "local out = {now} "
    "for i = 1, #all, 2 do "
        "local v = all[i + 1] "
        "local at = string.match(v, '^(%d+) ') "
        "local age = at and now - tonumber(at) "
        "if not at or age > ttl or age < -ttl "
            "or #v > 15 + tonumber(ARGV[4]) or #out > 3 * ARGV[5] then "
            "redis.call('HDEL', KEYS[1], all[i]) "
        "else "
            "out[#out + 1] = all[i] "
            "out[#out + 1] = math.max(age, 0) "
            "out[#out + 1] = string.sub(v, #at + 2) "
        "end "
    "end "
    "return out");


static ngx_str_t         ngx_http_rms_pool_key;
static ngx_uint_t        ngx_http_rms_pool_asked;
static ngx_event_t       ngx_http_rms_pool_event;
static ngx_connection_t  ngx_http_rms_pool_connection;


ngx_int_t
ngx_http_rms_pool_create(ngx_http_rms_shared_t *shared)
{
    return RAND_bytes(shared->pool.id, RMS_NODE_ID) == 1 ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_http_rms_pool_init_worker(ngx_cycle_t *cycle,
    ngx_http_rms_main_conf_t *rmcf)
{
    rms_str_t     name = rms_string("all");
    ngx_event_t  *ev;

    ngx_http_rms_pool_asked = 0;
    ngx_http_rms_pool_key = ngx_http_rms_redis_key(rmcf, cycle->pool, "nodes",
                                                   &name);

    if (ngx_http_rms_pool_key.len == 0
        || ngx_http_rms_redis_watch(rmcf, ngx_http_rms_pool_state, rmcf)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ev = &ngx_http_rms_pool_event;

    ngx_memzero(ev, sizeof(ngx_event_t));
    ngx_http_rms_pool_connection.fd = (ngx_socket_t) -1;
    ngx_http_rms_pool_connection.data = rmcf;

    ev->handler = ngx_http_rms_pool_timer;
    ev->data = &ngx_http_rms_pool_connection;
    ev->log = cycle->log;
    ev->cancelable = 1;

    ngx_add_timer(ev, NGX_HTTP_RMS_POOL_TICK);

    return NGX_OK;
}


static void
ngx_http_rms_pool_timer(ngx_event_t *ev)
{
    ngx_connection_t  *c;

    c = ev->data;

    ngx_http_rms_pool_announce(c->data);

    ngx_add_timer(ev, NGX_HTTP_RMS_POOL_TICK);
}


static void
ngx_http_rms_pool_state(void *data, ngx_uint_t up)
{
    ngx_http_rms_pool_asked = 0;

    if (up) {
        ngx_http_rms_pool_announce(data);
    }
}


void
ngx_http_rms_pool_announce(ngx_http_rms_main_conf_t *rmcf)
{
    rms_node_t         node;
    ngx_atomic_uint_t  mark;

    if (ngx_exiting || ngx_http_rms_pool_asked
        || !ngx_http_rms_redis_up(rmcf))
    {
        return;
    }

    ngx_http_rms_pool_self(rmcf, &node);

    mark = ngx_http_rms_pool_mark(&node);

    if (ngx_http_rms_pool_turn(rmcf, mark)) {
        ngx_http_rms_pool_send(rmcf, &node);
    }
}


void
ngx_http_rms_pool_self(ngx_http_rms_main_conf_t *rmcf, rms_node_t *node)
{
    rms_str_t               version = rms_string(NGX_HTTP_RMS_VERSION);
    rms_str_t               server = rms_string(NGINX_VERSION);
    ngx_str_t               name;
    ngx_http_rms_shared_t  *shared;

    shared = rmcf->zone->shared;

    ngx_memzero(node, sizeof(rms_node_t));

    node->health = shared->pool.draining ? RMS_NODE_DRAINING : RMS_NODE_OK;
    ngx_memcpy(node->id, shared->pool.id, RMS_NODE_ID);
    ngx_memcpy(node->conf, rmcf->digest, RMS_NODE_CONF);
    node->rules = ngx_http_rms_pool_rules(rmcf);
    node->pid = (uint32_t) (ngx_process == NGX_PROCESS_WORKER ? ngx_parent
                                                              : ngx_pid);
    node->list = shared->documents[NGX_HTTP_RMS_LIST].version;
    node->started = (uint64_t) shared->created;
    node->time = (uint64_t) ngx_time();

    name = ngx_cycle->hostname;

    rms_node_text(node->name, sizeof(node->name), &name);
    rms_node_text(node->version, sizeof(node->version), &version);
    rms_node_text(node->server, sizeof(node->server), &server);
}


/* One worker at a time, when it is time, or others know it otherwise. */

static ngx_uint_t
ngx_http_rms_pool_turn(ngx_http_rms_main_conf_t *rmcf, ngx_atomic_uint_t mark)
{
    ngx_atomic_uint_t           due, now;
    ngx_http_rms_pool_state_t  *pool;

    pool = &rmcf->zone->shared->pool;
    due = pool->next;
    now = (ngx_atomic_uint_t) ngx_current_msec;

    /* a clock that was set back does not stop announcements */

    if (due > now && due <= now + 2 * NGX_HTTP_RMS_POOL_PERIOD
        && pool->announced == mark)
    {
        return 0;
    }

    if (!ngx_atomic_cmp_set(&pool->next, due,
                            now + NGX_HTTP_RMS_POOL_PERIOD - 50))
    {
        return 0;
    }

    pool->announced = mark;

    return 1;
}


/* Of all that does not change by itself. */

static ngx_atomic_uint_t
ngx_http_rms_pool_mark(const rms_node_t *node)
{
    rms_node_t  still;

    still = *node;
    still.time = 0;

    return ngx_crc32_long((u_char *) &still, sizeof(rms_node_t));
}


static void
ngx_http_rms_pool_send(ngx_http_rms_main_conf_t *rmcf, const rms_node_t *node)
{
    u_char     id[NGX_HTTP_RMS_POOL_ID], buf[NGX_HTTP_RMS_POOL_CONTEXT];
    u_char     plain[RMS_NODE_ENCODED_MAX], sealed[NGX_HTTP_RMS_POOL_RECORD];
    rms_str_t  argv[9], text, context;

    ngx_str_set(&argv[0], "EVAL");
    argv[1] = ngx_http_rms_pool_script;
    ngx_str_set(&argv[2], "1");
    argv[3] = ngx_http_rms_pool_key;

    argv[4].data = id;
    argv[4].len = ngx_hex_dump(id, (u_char *) node->id, RMS_NODE_ID) - id;

    text.data = plain;
    text.len = sizeof(plain);
    argv[5].data = sealed;
    argv[5].len = sizeof(sealed);

    if (rms_node_encode(node, &text) != RMS_OK
        || ngx_http_rms_pool_context(&argv[4], buf, &context) != NGX_OK
        || rms_seal(rmcf->seal, &context, &text, &argv[5]) != RMS_OK)
    {
        ngx_http_rms_event(NGX_LOG_ERR, ngx_cycle->log, 3001,
                           "this node could not be announced to the pool");
        return;
    }

    ngx_str_set(&argv[6], ngx_http_rms_pool_string(NGX_HTTP_RMS_POOL_TTL));
    ngx_str_set(&argv[7], "2048");
    ngx_str_set(&argv[8], ngx_http_rms_pool_string(RMS_NODES_MAX));

    if (ngx_http_rms_redis_send(rmcf, argv, 9, ngx_http_rms_pool_answer, rmcf))
    {
        ngx_http_rms_pool_asked = 1;
    }
}


static ngx_int_t
ngx_http_rms_pool_context(const rms_str_t *id, u_char *buf, rms_str_t *context)
{
    u_char  *last;

    if (ngx_http_rms_pool_key.len + 1 + id->len > NGX_HTTP_RMS_POOL_CONTEXT) {
        return NGX_ERROR;
    }

    last = ngx_cpymem(buf, ngx_http_rms_pool_key.data,
                      ngx_http_rms_pool_key.len);
    *last++ = ' ';
    last = ngx_cpymem(last, id->data, id->len);

    context->data = buf;
    context->len = last - buf;

    return NGX_OK;
}


static void
ngx_http_rms_pool_answer(void *data, const rms_redis_reply_t *reply)
{
    ngx_http_rms_main_conf_t *rmcf = data;

    rms_node_t  *nodes;

    ngx_http_rms_pool_asked = 0;

    if (reply == NULL || reply->type != RMS_REDIS_ARRAY || reply->n == 0
        || reply->elements[0].type != RMS_REDIS_INTEGER)
    {
        return;
    }

    nodes = ngx_alloc(RMS_NODES_MAX * sizeof(rms_node_t), ngx_cycle->log);

    if (nodes) {
        ngx_http_rms_pool_read(rmcf, reply, nodes);
        ngx_free(nodes);
    }
}


static void
ngx_http_rms_pool_read(ngx_http_rms_main_conf_t *rmcf,
    const rms_redis_reply_t *reply, rms_node_t *nodes)
{
    size_t              i;
    uint64_t            now;
    ngx_int_t           rc;
    ngx_uint_t          n, refused;
    const char         *why;
    ngx_atomic_uint_t   mark;
    rms_redis_reply_t  *value;

    now = (uint64_t) reply->elements[0].integer;
    n = 0;
    refused = 0;
    mark = 0;
    why = NULL;

    for (i = 1;
         i + NGX_HTTP_RMS_POOL_VALUES <= reply->n && n < RMS_NODES_MAX;
         i += NGX_HTTP_RMS_POOL_VALUES)
    {
        value = &reply->elements[i];

        rc = ngx_http_rms_pool_open(rmcf, value, now, &nodes[n], &why);

        if (rc == NGX_OK) {
            n++;

        } else if (rc == NGX_ERROR) {
            refused++;
            mark += ngx_crc32_long(value[2].str.data, value[2].str.len);
        }
    }

    rmcf->zone->shared->pool.clock = ngx_time() - (time_t) (now / 1000);

    ngx_http_rms_pool_refused(rmcf, refused, mark, why);
    ngx_http_rms_pool_keep(rmcf, nodes, n);
}


/* NGX_OK; NGX_DECLINED: this node's own; NGX_ERROR: not to be believed. */

static ngx_int_t
ngx_http_rms_pool_open(ngx_http_rms_main_conf_t *rmcf,
    const rms_redis_reply_t *value, uint64_t now, rms_node_t *node,
    const char **why)
{
    u_char     buf[NGX_HTTP_RMS_POOL_CONTEXT], id[NGX_HTTP_RMS_POOL_ID];
    u_char     plain[NGX_HTTP_RMS_POOL_RECORD];
    rms_rc_e   rc;
    rms_str_t  text, context, own;

    if (value[0].type != RMS_REDIS_STRING || value[1].type != RMS_REDIS_INTEGER
        || value[2].type != RMS_REDIS_STRING)
    {
        return NGX_DECLINED;
    }

    own.data = id;
    own.len = ngx_hex_dump(id, rmcf->zone->shared->pool.id, RMS_NODE_ID) - id;

    if (rms_str_eq(&own, &value[0].str)) {
        return NGX_DECLINED;
    }

    text.data = plain;
    text.len = sizeof(plain);

    rc = ngx_http_rms_pool_context(&value[0].str, buf, &context) == NGX_OK
         ? rms_unseal(rmcf->seal, &context, &value[2].str, &text)
         : RMS_INVALID;

    if (rc == RMS_OK) {
        rc = rms_node_decode(&text, node);
    }

    if (rc != RMS_OK) {
        *why = rc == RMS_DECLINED
               ? "sealed with a key that is not in \"rms_seal_key_file\" "
                 "(rotated away, or of another pool)"
               : rc == RMS_UNSUPPORTED ? "in the form of another version"
               : "changed, cut short or moved";
        return NGX_ERROR;
    }

    node->age = (uint32_t) value[1].integer;
    node->clock = (int32_t) ((int64_t) node->time
                             - (int64_t) (now - node->age) / 1000);

    return NGX_OK;
}


/* Once for what is the same in each look. */

static void
ngx_http_rms_pool_refused(ngx_http_rms_main_conf_t *rmcf, ngx_uint_t refused,
    ngx_atomic_uint_t mark, const char *why)
{
    ngx_http_rms_shared_t  *shared;

    shared = rmcf->zone->shared;

    if (refused && shared->pool.refused != mark) {
        (void) ngx_atomic_fetch_add(
                        &shared->counters[RMS_COUNT_RECORDS_REFUSED], refused);

        ngx_http_rms_event(NGX_LOG_ERR, ngx_cycle->log, 3001,
                           "records of Redis refused: key=\"%V\" n=%ui, the "
                           "last %s; such a node is not in the view of the "
                           "pool", &ngx_http_rms_pool_key, refused, why);
    }

    shared->pool.refused = mark;
}
