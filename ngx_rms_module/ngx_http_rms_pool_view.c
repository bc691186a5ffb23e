
/*
 * The view of the pool: what the last look has found, in the zone, so that
 * every worker can show it; and in what the nodes disagree.  The node itself is
 * shown as it is, not as it was announced.
 */


#include "ngx_http_rms_pool.h"


/*
 * Milliseconds a disagreement lasts before the log is told: by then a node that
 * was about to change has changed, and has said so.
 */
#define NGX_HTTP_RMS_POOL_LASTS  6000

/* places for nodes are taken so many at a time */
#define NGX_HTTP_RMS_POOL_STEP   8

/* others, and the node itself */
#define NGX_HTTP_RMS_POOL_MAX    (RMS_NODES_MAX + 1)


static rms_node_t *ngx_http_rms_pool_room(ngx_http_rms_zone_t *zone,
    ngx_uint_t n);
static ngx_uint_t ngx_http_rms_pool_nodes(ngx_http_rms_main_conf_t *rmcf,
    rms_node_t *nodes);
static ngx_uint_t ngx_http_rms_pool_lasts(ngx_http_rms_zone_t *zone,
    uint64_t mark);
static void ngx_http_rms_pool_tell(ngx_http_rms_main_conf_t *rmcf,
    rms_node_t *nodes);
static void ngx_http_rms_pool_node(ngx_http_rms_json_t *js,
    const rms_node_t *node, ngx_uint_t self);
static void ngx_http_rms_pool_hex(ngx_http_rms_json_t *js, const char *name,
    const u_char *bytes, size_t len);
static void ngx_http_rms_pool_text(ngx_http_rms_json_t *js, const char *name,
    const char *text);
static void ngx_http_rms_pool_number(ngx_http_rms_json_t *js, char *name,
    uint64_t value);
static void ngx_http_rms_pool_warnings(ngx_http_rms_json_t *js,
    ngx_http_rms_main_conf_t *rmcf, const rms_node_t *nodes, ngx_uint_t n);


void
ngx_http_rms_pool_keep(ngx_http_rms_main_conf_t *rmcf,
    const rms_node_t *nodes, ngx_uint_t n)
{
    rms_node_t                 *places;
    ngx_http_rms_zone_t        *zone;
    ngx_http_rms_pool_state_t  *pool;

    zone = rmcf->zone;
    pool = &zone->shared->pool;

    ngx_shmtx_lock(&zone->shpool->mutex);

    places = ngx_http_rms_pool_room(zone, n);
    pool->n = 0;

    if (places) {
        ngx_memcpy(places, nodes, n * sizeof(rms_node_t));
        pool->n = n;
    }

    pool->looked = (ngx_atomic_uint_t) ngx_current_msec;

    ngx_shmtx_unlock(&zone->shpool->mutex);

    if (n && places == NULL) {
        ngx_http_rms_event(NGX_LOG_WARN, ngx_cycle->log, 0,
                           "the zone has no room for the %ui nodes of the "
                           "pool; write a larger size in \"rms_zone\"", n);
    }

    places = ngx_alloc(NGX_HTTP_RMS_POOL_MAX * sizeof(rms_node_t),
                       ngx_cycle->log);

    if (places) {
        ngx_http_rms_pool_tell(rmcf, places);
        ngx_free(places);
    }
}


/* With the lock; NULL: none is needed, or there is none. */

static rms_node_t *
ngx_http_rms_pool_room(ngx_http_rms_zone_t *zone, ngx_uint_t n)
{
    u_char                     *places;
    ngx_uint_t                  room;
    ngx_http_rms_pool_state_t  *pool;

    pool = &zone->shared->pool;

    if (n > pool->room) {
        room = ngx_align(n, NGX_HTTP_RMS_POOL_STEP);

        places = ngx_slab_alloc_locked(zone->shpool,
                                       room * sizeof(rms_node_t));
        if (places == NULL) {
            return NULL;
        }

        if (pool->room) {
            ngx_slab_free_locked(zone->shpool,
                                 (u_char *) zone->shpool + pool->nodes);
        }

        pool->nodes = places - (u_char *) zone->shpool;
        pool->room = room;
    }

    return n ? (rms_node_t *) ((u_char *) zone->shpool + pool->nodes) : NULL;
}


/* Those that are there now, sorted, and this one. */

static ngx_uint_t
ngx_http_rms_pool_nodes(ngx_http_rms_main_conf_t *rmcf, rms_node_t *nodes)
{
    uint64_t                    passed, age;
    ngx_uint_t                  i, n, found;
    rms_node_t                 *seen;
    ngx_http_rms_zone_t        *zone;
    ngx_http_rms_pool_state_t  *pool;

    zone = rmcf->zone;
    pool = &zone->shared->pool;

    ngx_http_rms_pool_self(rmcf, &nodes[0]);
    nodes[0].clock = rmcf->redis ? (int32_t) pool->clock : 0;
    n = 1;

    ngx_shmtx_lock(&zone->shpool->mutex);

    found = rmcf->redis ? pool->n : 0;
    seen = (rms_node_t *) ((u_char *) zone->shpool + pool->nodes);

    passed = (ngx_atomic_uint_t) ngx_current_msec > pool->looked
             ? (ngx_atomic_uint_t) ngx_current_msec - pool->looked : 0;

    for (i = 0; i < found; i++) {
        age = seen[i].age + passed;

        if (age <= NGX_HTTP_RMS_POOL_TTL) {
            nodes[n] = seen[i];
            nodes[n++].age = (uint32_t) age;
        }
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    rms_node_sort(nodes, n);

    return n;
}


static void
ngx_http_rms_pool_tell(ngx_http_rms_main_conf_t *rmcf, rms_node_t *nodes)
{
    size_t              i, told;
    uint64_t            mark;
    ngx_uint_t          n;
    rms_node_warning_t  warnings[RMS_NODE_WARNINGS];

    n = ngx_http_rms_pool_nodes(rmcf, nodes);
    told = rms_node_compare(nodes, n, warnings, &mark);

    if (!ngx_http_rms_pool_lasts(rmcf->zone, mark)) {
        return;
    }

    for (i = 0; i < told; i++) {
        ngx_http_rms_event(NGX_LOG_WARN, ngx_cycle->log, 0,
                           "pool: %s", warnings[i].text);
    }

    if (told == 0) {
        ngx_http_rms_event(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                           "pool: the nodes agree again");
    }
}


/* Is it time to tell what has this mark, and does nobody else? */

static ngx_uint_t
ngx_http_rms_pool_lasts(ngx_http_rms_zone_t *zone, uint64_t mark)
{
    ngx_uint_t                  lasts;
    ngx_atomic_uint_t           now;
    ngx_http_rms_pool_state_t  *pool;

    pool = &zone->shared->pool;
    now = (ngx_atomic_uint_t) ngx_current_msec;
    lasts = 0;

    ngx_shmtx_lock(&zone->shpool->mutex);

    if (pool->mark != mark) {
        pool->mark = mark;
        pool->since = now;

    } else if (pool->told != mark
               && now - pool->since >= NGX_HTTP_RMS_POOL_LASTS)
    {
        pool->told = mark;
        lasts = 1;
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    return lasts;
}


void
ngx_http_rms_pool_status(ngx_http_rms_json_t *js,
    ngx_http_rms_main_conf_t *rmcf)
{
    u_char      *own;
    ngx_uint_t   i, n;
    rms_node_t  *nodes;

    nodes = ngx_palloc(js->pool, NGX_HTTP_RMS_POOL_MAX * sizeof(rms_node_t));
    if (nodes == NULL) {
        js->failed = 1;
        return;
    }

    n = ngx_http_rms_pool_nodes(rmcf, nodes);
    own = rmcf->zone->shared->pool.id;

    ngx_http_rms_pool_hex(js, "node", own, RMS_NODE_ID);
    ngx_http_rms_json_open(js, "nodes", '[');

    for (i = 0; i < n; i++) {
        ngx_http_rms_pool_node(js, &nodes[i],
                               ngx_memcmp(nodes[i].id, own, RMS_NODE_ID) == 0);
    }

    ngx_http_rms_json_close(js, ']');
    ngx_http_rms_pool_warnings(js, rmcf, nodes, n);
}


static void
ngx_http_rms_pool_node(ngx_http_rms_json_t *js, const rms_node_t *node,
    ngx_uint_t self)
{
    u_char     rules[8], clock[NGX_INT32_LEN + 1];
    rms_str_t  value;

    ngx_http_rms_json_open(js, NULL, '{');
    ngx_http_rms_pool_hex(js, "id", node->id, RMS_NODE_ID);

    if (self) {
        value = (rms_str_t) rms_string("true");
        ngx_http_rms_json_value(js, "self", &value);
    }

    ngx_http_rms_pool_text(js, "name", node->name);
    ngx_http_rms_pool_number(js, "pid", node->pid);
    ngx_http_rms_pool_text(js, "health",
                           node->health == RMS_NODE_OK ? "ok" : "draining");
    ngx_http_rms_pool_text(js, "version", node->version);
    ngx_http_rms_pool_text(js, "nginx", node->server);
    ngx_http_rms_pool_number(js, "list", node->list);

    value.data = rules;
    value.len = ngx_sprintf(rules, "%08xD", node->rules) - rules;
    ngx_http_rms_json_string(js, "rules", &value);

    ngx_http_rms_pool_hex(js, "configuration", node->conf, RMS_NODE_CONF);
    ngx_http_rms_pool_number(js, "started", node->started);
    ngx_http_rms_pool_number(js, "age", node->age / 1000);

    value.data = clock;
    value.len = ngx_sprintf(clock, "%D", node->clock) - clock;
    ngx_http_rms_json_value(js, "clock", &value);

    ngx_http_rms_json_close(js, '}');
}


static void
ngx_http_rms_pool_hex(ngx_http_rms_json_t *js, const char *name,
    const u_char *bytes, size_t len)
{
    u_char     buf[2 * RMS_NODE_ID];
    rms_str_t  value;

    value.data = buf;
    value.len = ngx_hex_dump(buf, (u_char *) bytes, len) - buf;

    ngx_http_rms_json_string(js, name, &value);
}


static void
ngx_http_rms_pool_text(ngx_http_rms_json_t *js, const char *name,
    const char *text)
{
    rms_str_t  value;

    value.data = (u_char *) text;
    value.len = ngx_strlen(text);

    ngx_http_rms_json_line(js, name, &value);
}


static void
ngx_http_rms_pool_number(ngx_http_rms_json_t *js, char *name, uint64_t value)
{
    rms_str_t  member;

    member.data = (u_char *) name;
    member.len = ngx_strlen(name);

    ngx_http_rms_json_number(js, &member, (ngx_atomic_uint_t) value);
}


static void
ngx_http_rms_pool_warnings(ngx_http_rms_json_t *js,
    ngx_http_rms_main_conf_t *rmcf, const rms_node_t *nodes, ngx_uint_t n)
{
    size_t               i, told;
    uint64_t             mark;
    ngx_atomic_uint_t    looked, now;
    rms_node_warning_t   warnings[RMS_NODE_WARNINGS];

    told = rms_node_compare(nodes, n, warnings, &mark);

    ngx_http_rms_json_open(js, "warnings", '[');

    for (i = 0; i < told; i++) {
        ngx_http_rms_pool_text(js, NULL, warnings[i].text);
    }

    looked = rmcf->zone->shared->pool.looked;
    now = (ngx_atomic_uint_t) ngx_current_msec;

    if (rmcf->redis && (looked == 0 || now > looked + NGX_HTTP_RMS_POOL_TTL)) {
        ngx_http_rms_pool_text(js, NULL, "this node does not see the pool: "
                                         "Redis is away");
    }

    ngx_http_rms_json_close(js, ']');
}
