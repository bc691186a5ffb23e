
/*
 * Which server commands go to.  With "server": the first of the list that is
 * a master.  With "sentinel": the master that a Sentinel names, and the next
 * one as soon as it announces it.  Channels are subscribed to at the server
 * that commands go to, on a connection of their own.  In the worker, from
 * timers and from the posted events of connections.
 */


#include "ngx_http_rms_redis_link.h"


static void ngx_http_rms_redis_timer(ngx_http_rms_redis_t *redis,
    ngx_event_t *ev, ngx_event_handler_pt handler);
static void ngx_http_rms_redis_again(ngx_event_t *ev, ngx_msec_t time);
static void ngx_http_rms_redis_try(ngx_event_t *ev);
static void ngx_http_rms_redis_try_next(ngx_http_rms_redis_t *redis);
static void ngx_http_rms_redis_note(ngx_http_rms_redis_t *redis,
    ngx_http_rms_redis_conn_t *conn);
static void ngx_http_rms_redis_away(ngx_http_rms_redis_t *redis);
static ngx_uint_t ngx_http_rms_redis_first(ngx_http_rms_redis_t *redis,
    rms_redis_stage_e stage, uint32_t away);
static void ngx_http_rms_redis_command_ready(ngx_http_rms_redis_conn_t *conn);
static ngx_int_t ngx_http_rms_redis_here(ngx_http_rms_redis_conn_t *conn);
static void ngx_http_rms_redis_command_lost(ngx_http_rms_redis_conn_t *conn,
    ngx_uint_t was_ready);
static void ngx_http_rms_redis_told_back(ngx_http_rms_redis_t *redis);
static void ngx_http_rms_redis_channels_open(ngx_event_t *ev);
static void ngx_http_rms_redis_channels_ready(ngx_http_rms_redis_conn_t *conn);
static void ngx_http_rms_redis_channels_reply(ngx_http_rms_redis_conn_t *conn,
    const rms_redis_reply_t *reply);
static void ngx_http_rms_redis_channels_lost(ngx_http_rms_redis_conn_t *conn,
    ngx_uint_t was_ready);
static void ngx_http_rms_redis_sentinel_ready(ngx_http_rms_redis_conn_t *conn);
static void ngx_http_rms_redis_sentinel_reply(ngx_http_rms_redis_conn_t *conn,
    const rms_redis_reply_t *reply);
static void ngx_http_rms_redis_sentinel_lost(ngx_http_rms_redis_conn_t *conn,
    ngx_uint_t was_ready);
static void ngx_http_rms_redis_sentinel_again(ngx_event_t *ev);
static void ngx_http_rms_redis_go(ngx_http_rms_redis_t *redis,
    rms_redis_address_t *address);
static void ngx_http_rms_redis_ping(ngx_event_t *ev);
static rms_redis_push_t ngx_http_rms_redis_pushed(
    ngx_http_rms_redis_conn_t *conn, const rms_redis_reply_t *reply);


void
ngx_http_rms_redis_link_init(ngx_http_rms_redis_t *redis)
{
    ngx_uint_t                      i;
    ngx_http_rms_redis_conn_t      *channels;
    ngx_http_rms_redis_listener_t  *listeners;

    ngx_http_rms_redis_conn_init(&redis->command, redis, RMS_REDIS_COMMANDS);
    ngx_http_rms_redis_conn_init(&redis->channels, redis, RMS_REDIS_CHANNELS);
    ngx_http_rms_redis_conn_init(&redis->sentinel, redis, RMS_REDIS_SENTINEL);

    redis->command.ready = ngx_http_rms_redis_command_ready;
    redis->command.reply = ngx_http_rms_redis_reply;
    redis->command.lost = ngx_http_rms_redis_command_lost;

    channels = &redis->channels;
    channels->ready = ngx_http_rms_redis_channels_ready;
    channels->reply = ngx_http_rms_redis_channels_reply;
    channels->lost = ngx_http_rms_redis_channels_lost;
    channels->look.handler = ngx_http_rms_redis_ping;

    listeners = redis->listeners.elts;

    for (i = 0; i < redis->listeners.nelts; i++) {
        channels->login.channels[i] = listeners[i].channel;
    }

    channels->login.n_channels = redis->listeners.nelts;

    redis->sentinel.ready = ngx_http_rms_redis_sentinel_ready;
    redis->sentinel.reply = ngx_http_rms_redis_sentinel_reply;
    redis->sentinel.lost = ngx_http_rms_redis_sentinel_lost;
    redis->sentinel.look.handler = ngx_http_rms_redis_ping;

    ngx_http_rms_redis_timer(redis, &redis->retry, ngx_http_rms_redis_try);
    ngx_http_rms_redis_timer(redis, &redis->channels_retry,
                             ngx_http_rms_redis_channels_open);
    ngx_http_rms_redis_timer(redis, &redis->sentinel_retry,
                             ngx_http_rms_redis_sentinel_again);

    /* Sentinels are equal, and need not all carry the same load */

    redis->next = redis->sentinels.nelts
                  ? (ngx_uint_t) ngx_random() % redis->sentinels.nelts : 0;
    redis->since = ngx_time();

    ngx_add_timer(&redis->retry, 1);
}


void
ngx_http_rms_redis_link_close(ngx_http_rms_redis_t *redis)
{
    if (redis->retry.timer_set) {
        ngx_del_timer(&redis->retry);
    }

    if (redis->channels_retry.timer_set) {
        ngx_del_timer(&redis->channels_retry);
    }

    if (redis->sentinel_retry.timer_set) {
        ngx_del_timer(&redis->sentinel_retry);
    }

    ngx_http_rms_redis_conn_close(&redis->channels);
    ngx_http_rms_redis_conn_close(&redis->sentinel);
    ngx_http_rms_redis_conn_close(&redis->command);

    if (redis->here_pool) {
        ngx_destroy_pool(redis->here_pool);
        redis->here_pool = NULL;
    }

    if (redis->master_pool) {
        ngx_destroy_pool(redis->master_pool);
        redis->master_pool = NULL;
    }
}


/* No timer of Redis keeps a worker that leaves. */

static void
ngx_http_rms_redis_timer(ngx_http_rms_redis_t *redis, ngx_event_t *ev,
    ngx_event_handler_pt handler)
{
    ngx_memzero(ev, sizeof(ngx_event_t));

    ev->handler = handler;
    ev->data = &redis->command;
    ev->log = redis->worker_log;
    ev->cancelable = 1;
}


static void
ngx_http_rms_redis_again(ngx_event_t *ev, ngx_msec_t time)
{
    if (!ev->timer_set) {
        ngx_add_timer(ev, time);
    }
}


/* A round: each server, or each Sentinel, once. */

static void
ngx_http_rms_redis_try(ngx_event_t *ev)
{
    ngx_http_rms_redis_conn_t  *conn = ev->data;
    ngx_http_rms_redis_t       *redis = conn->redis;

    rms_redis_breaker_try(&redis->breaker);

    redis->tried = 0;
    redis->stage = RMS_REDIS_STAGE_NONE;
    redis->why[0] = '\0';

    /* a Sentinel that is subscribed to cannot be asked */

    ngx_http_rms_redis_conn_close(&redis->sentinel);

    if (redis->sentinel_retry.timer_set) {
        ngx_del_timer(&redis->sentinel_retry);
    }

    ngx_http_rms_redis_try_next(redis);
}


static void
ngx_http_rms_redis_try_next(ngx_http_rms_redis_t *redis)
{
    ngx_http_rms_redis_server_t  *server;

    if (redis->sentinels.nelts) {
        server = redis->sentinels.elts;
        ngx_http_rms_redis_conn_open(&redis->sentinel, &server[redis->next]);
        return;
    }

    server = redis->servers.elts;
    ngx_http_rms_redis_conn_open(&redis->command, &server[redis->next]);
}


/* What this server said; of a round the stage counts that came furthest. */

static void
ngx_http_rms_redis_note(ngx_http_rms_redis_t *redis,
    ngx_http_rms_redis_conn_t *conn)
{
    u_char  *p, *last;

    p = (u_char *) redis->why;
    last = p + sizeof(redis->why) - 1;
    p += ngx_strlen(p);

    p = ngx_slprintf(p, last, "%s%s\"%V\": %s", redis->why[0] ? ", " : "",
                     conn->login.use == RMS_REDIS_SENTINEL ? "sentinel " : "",
                     &conn->server->name, conn->why);
    *p = '\0';

    if (conn->stage > redis->stage) {
        redis->stage = conn->stage;
    }
}


/* Nobody is left to try: one line for an outage, and one for a new stage. */

static void
ngx_http_rms_redis_away(ngx_http_rms_redis_t *redis)
{
    ngx_uint_t  bit;

    redis->failed = ngx_time();
    redis->last_stage = redis->stage;
    ngx_memcpy(redis->last_why, redis->why, sizeof(redis->why));

    if (!redis->outage) {
        redis->outage = 1;
        redis->told = 0;
        redis->since = ngx_time();
    }

    bit = (ngx_uint_t) 1 << redis->stage;

    if (!(redis->told & bit) && !ngx_exiting) {
        redis->told |= bit;

        if (ngx_http_rms_redis_first(redis, redis->stage, 1)) {
            ngx_http_rms_event(NGX_LOG_ERR, redis->worker_log, 3001,
                               "redis away: stage=%s %s",
                               rms_redis_stage_name(redis->stage),
                               redis->why);
        }
    }

    ngx_http_rms_redis_again(&redis->retry,
                             rms_redis_breaker_failed(&redis->breaker,
                                                      ngx_current_msec,
                                                      ngx_random()));
}


/* Is this the first worker of the node that says so? */

static ngx_uint_t
ngx_http_rms_redis_first(ngx_http_rms_redis_t *redis, rms_redis_stage_e stage,
    uint32_t away)
{
    u_char                buf[sizeof("redis away at command")];
    ngx_str_t             name;
    ngx_http_rms_zone_t  *zone = redis->rmcf->zone;

    if (zone == NULL || zone->shared == NULL) {
        return 1;
    }

    name.data = buf;
    name.len = ngx_snprintf(buf, sizeof(buf), "redis away at %s",
                            rms_redis_stage_name(stage))
               - buf;

    return ngx_http_rms_tell(zone, &name, away);
}


static void
ngx_http_rms_redis_command_ready(ngx_http_rms_redis_conn_t *conn)
{
    ngx_http_rms_redis_t  *redis = conn->redis;

    rms_redis_breaker_ready(&redis->breaker, ngx_current_msec);

    if (ngx_http_rms_redis_here(conn) != NGX_OK) {
        ngx_http_rms_redis_conn_fail(conn, RMS_REDIS_STAGE_CONNECT, 0,
                                     "no memory");
        return;
    }

    ngx_http_rms_redis_told_back(redis);

    redis->outage = 0;
    redis->since = ngx_time();

    if (redis->connected++) {
        ngx_http_rms_redis_count(redis, RMS_COUNT_REDIS_RECONNECTS);
    }

    ngx_http_rms_redis_came_up(redis);

    if (redis->listeners.nelts && !ngx_exiting) {
        ngx_memzero(&redis->channels_breaker, sizeof(rms_redis_breaker_t));
        ngx_http_rms_redis_channels_open(&redis->channels_retry);
    }
}


static void
ngx_http_rms_redis_told_back(ngx_http_rms_redis_t *redis)
{
    ngx_uint_t  i, first;

    if (redis->outage) {

        for (first = 0, i = 0; i < RMS_REDIS_STAGE_MAX; i++) {
            if (redis->told & ((ngx_uint_t) 1 << i)) {
                first |= ngx_http_rms_redis_first(redis, i, 0);
            }
        }

        if (first) {
            ngx_http_rms_event(NGX_LOG_NOTICE, redis->worker_log, 0,
                               "redis is back: server=\"%V\" after=%Ts",
                               &redis->here.name, ngx_time() - redis->since);
        }

    } else if (redis->connected == 0) {
        ngx_http_rms_event(NGX_LOG_INFO, redis->worker_log, 0,
                           "redis connected: server=\"%V\"",
                           &redis->here.name);
    }
}


/* The very address, for the other connection: a name may have several. */

static ngx_int_t
ngx_http_rms_redis_here(ngx_http_rms_redis_conn_t *conn)
{
    ngx_pool_t                   *pool;
    ngx_addr_t                   *addr;
    ngx_http_rms_redis_t         *redis = conn->redis;
    ngx_http_rms_redis_server_t  *here;

    pool = ngx_create_pool(1024, redis->worker_log);

    if (pool == NULL) {
        return NGX_ERROR;
    }

    here = &redis->here;
    addr = ngx_palloc(pool, sizeof(ngx_addr_t));

    if (addr) {
        addr->socklen = conn->peer.socklen;
        addr->sockaddr = ngx_palloc(pool, addr->socklen);
        here->name.data = ngx_pstrdup(pool, &conn->server->name);
        here->host.data = ngx_pnalloc(pool, conn->server->host.len + 1);
    }

    if (addr == NULL || addr->sockaddr == NULL || here->name.data == NULL
        || here->host.data == NULL)
    {
        ngx_memzero(here, sizeof(ngx_http_rms_redis_server_t));
        ngx_destroy_pool(pool);
        return NGX_ERROR;
    }

    ngx_memcpy(addr->sockaddr, conn->peer.sockaddr, addr->socklen);
    ngx_memcpy(here->host.data, conn->server->host.data,
               conn->server->host.len);
    here->host.data[conn->server->host.len] = '\0';

    here->name.len = conn->server->name.len;
    here->host.len = conn->server->host.len;
    here->port = conn->server->port;
    addr->name = here->name;
    here->addrs = addr;
    here->naddrs = 1;

    if (redis->here_pool) {
        ngx_destroy_pool(redis->here_pool);
    }

    redis->here_pool = pool;

    return NGX_OK;
}


static void
ngx_http_rms_redis_command_lost(ngx_http_rms_redis_conn_t *conn,
    ngx_uint_t was_ready)
{
    ngx_uint_t             n;
    ngx_http_rms_redis_t  *redis = conn->redis;

    if (was_ready) {

        if (redis->channels_retry.timer_set) {
            ngx_del_timer(&redis->channels_retry);
        }

        ngx_http_rms_redis_conn_close(&redis->channels);

        redis->stage = RMS_REDIS_STAGE_NONE;
        redis->why[0] = '\0';
        redis->since = ngx_time();

        ngx_http_rms_redis_went_down(redis);
    }

    if (conn->stage == RMS_REDIS_STAGE_NONE && ngx_exiting) {
        return;
    }

    ngx_http_rms_redis_note(redis, conn);

    n = redis->servers.nelts;

    if (!was_ready && n) {
        redis->next = (redis->next + 1) % n;
        redis->tried++;

        if (redis->tried < n) {
            ngx_http_rms_redis_try_next(redis);
            return;
        }
    }

    ngx_http_rms_redis_away(redis);
}


static void
ngx_http_rms_redis_channels_open(ngx_event_t *ev)
{
    ngx_http_rms_redis_conn_t  *conn = ev->data;
    ngx_http_rms_redis_t       *redis = conn->redis;

    if (ngx_http_rms_redis_usable(&redis->command) && !ngx_exiting) {
        rms_redis_breaker_try(&redis->channels_breaker);
        ngx_http_rms_redis_conn_open(&redis->channels, &redis->here);
    }
}


/* What was said while nobody listened is lost: they look for themselves. */

static void
ngx_http_rms_redis_channels_ready(ngx_http_rms_redis_conn_t *conn)
{
    ngx_uint_t                      i;
    ngx_http_rms_redis_t           *redis = conn->redis;
    ngx_http_rms_redis_listener_t  *listener;

    conn->peer.connection->idle = 1;

    rms_redis_breaker_ready(&redis->channels_breaker, ngx_current_msec);
    ngx_add_timer(&conn->look, NGX_HTTP_RMS_REDIS_LOOK);

    listener = redis->listeners.elts;

    for (i = 0; i < redis->listeners.nelts; i++) {
        listener[i].handler(listener[i].data, &listener[i].channel, NULL);
    }
}


static void
ngx_http_rms_redis_channels_reply(ngx_http_rms_redis_conn_t *conn,
    const rms_redis_reply_t *reply)
{
    ngx_uint_t                      i;
    rms_redis_push_t                push;
    ngx_http_rms_redis_t           *redis = conn->redis;
    ngx_http_rms_redis_listener_t  *listener;

    push = ngx_http_rms_redis_pushed(conn, reply);

    if (push.kind != RMS_REDIS_PUSH_MESSAGE) {
        return;
    }

    listener = redis->listeners.elts;

    for (i = 0; i < redis->listeners.nelts; i++) {
        if (rms_str_eq(&listener[i].channel, &push.channel)) {
            listener[i].handler(listener[i].data, &listener[i].channel,
                                &push.message);
        }
    }
}


/*
 * Commands still go to the server.  A server that is gone takes that
 * connection too, and says so there; but a user may have commands and no
 * channels, which nobody else would tell.
 */

static void
ngx_http_rms_redis_channels_lost(ngx_http_rms_redis_conn_t *conn,
    ngx_uint_t was_ready)
{
    ngx_http_rms_redis_t  *redis = conn->redis;

    if (ngx_exiting) {
        return;
    }

    if (!was_ready && redis->channels_breaker.failures == 0) {
        ngx_http_rms_event(NGX_LOG_ERR, redis->worker_log, 3001,
                           "redis channels away: stage=%s \"%V\": %s",
                           rms_redis_stage_name(conn->stage),
                           &conn->server->name, conn->why);
    }

    ngx_http_rms_redis_again(&redis->channels_retry,
                       rms_redis_breaker_failed(&redis->channels_breaker,
                                                ngx_current_msec,
                                                ngx_random()));
}


static void
ngx_http_rms_redis_sentinel_ready(ngx_http_rms_redis_conn_t *conn)
{
    ngx_http_rms_redis_t  *redis = conn->redis;

    conn->peer.connection->idle = 1;

    rms_redis_breaker_ready(&redis->sentinel_breaker, ngx_current_msec);
    ngx_add_timer(&conn->look, NGX_HTTP_RMS_REDIS_LOOK);

    ngx_http_rms_redis_go(redis, &conn->script.address);
}


static void
ngx_http_rms_redis_sentinel_reply(ngx_http_rms_redis_conn_t *conn,
    const rms_redis_reply_t *reply)
{
    rms_redis_push_t       push;
    rms_redis_address_t    address;
    ngx_http_rms_redis_t  *redis = conn->redis;

    push = ngx_http_rms_redis_pushed(conn, reply);

    if (push.kind == RMS_REDIS_PUSH_MESSAGE
        && rms_redis_switch(&push.message, &redis->master_name, &address)
           == RMS_OK)
    {
        ngx_http_rms_redis_go(redis, &address);
    }
}


static void
ngx_http_rms_redis_sentinel_lost(ngx_http_rms_redis_conn_t *conn,
    ngx_uint_t was_ready)
{
    ngx_uint_t             down;
    ngx_http_rms_redis_t  *redis = conn->redis;

    if (ngx_exiting && conn->stage == RMS_REDIS_STAGE_NONE) {
        return;
    }

    redis->next = (redis->next + 1) % redis->sentinels.nelts;

    down = redis->command.state == NGX_HTTP_RMS_REDIS_IDLE;

    if (!was_ready) {

        if (down) {
            ngx_http_rms_redis_note(redis, conn);
        }

        redis->tried++;

        if (redis->tried < redis->sentinels.nelts) {
            ngx_http_rms_redis_try_next(redis);
            return;
        }

        if (down) {
            ngx_http_rms_redis_away(redis);
            return;
        }
    }

    if (redis->retry.timer_set) {
        return;
    }

    ngx_http_rms_redis_again(&redis->sentinel_retry,
                       rms_redis_breaker_failed(&redis->sentinel_breaker,
                                                ngx_current_msec,
                                                ngx_random()));
}


/* Commands find their server without it, only the next fail-over needs one. */

static void
ngx_http_rms_redis_sentinel_again(ngx_event_t *ev)
{
    ngx_http_rms_redis_conn_t  *conn = ev->data;
    ngx_http_rms_redis_t       *redis = conn->redis;

    rms_redis_breaker_try(&redis->sentinel_breaker);

    redis->tried = 0;
    ngx_http_rms_redis_try_next(redis);
}


/* Commands go to this address from now on, if they do not already. */

static void
ngx_http_rms_redis_go(ngx_http_rms_redis_t *redis,
    rms_redis_address_t *address)
{
    u_char                       *p;
    ngx_str_t                     value;
    ngx_pool_t                   *pool;
    const char                   *err;
    ngx_http_rms_redis_server_t   server;
    u_char                        buf[RMS_REDIS_HOST_MAX + sizeof("[]:65535")];

    p = ngx_snprintf(buf, sizeof(buf),
                     memchr(address->host, ':', address->len) ? "[%*s]:%ui"
                                                              : "%*s:%ui",
                     address->len, address->host, (ngx_uint_t) address->port);

    value.data = buf;
    value.len = p - buf;

    if (redis->command.state != NGX_HTTP_RMS_REDIS_IDLE
        && rms_str_eq(&value, &redis->master.name))
    {
        return;
    }

    if (ngx_http_rms_redis_usable(&redis->command)) {

        ngx_http_rms_event(NGX_LOG_NOTICE, redis->worker_log, 0,
                           "redis fail-over: from=\"%V\" to=\"%V\"",
                           &redis->here.name, &value);

        ngx_http_rms_redis_conn_close(&redis->channels);
        ngx_http_rms_redis_conn_close(&redis->command);
        ngx_http_rms_redis_went_down(redis);

    } else {
        ngx_http_rms_redis_conn_close(&redis->command);
    }

    if (redis->retry.timer_set) {
        ngx_del_timer(&redis->retry);
    }

    pool = ngx_create_pool(1024, redis->worker_log);

    if (pool == NULL
        || ngx_http_rms_redis_server(pool, &value, &server, &err) != NGX_OK)
    {
        if (pool) {
            ngx_destroy_pool(pool);
        }

        ngx_http_rms_redis_again(&redis->retry, RMS_REDIS_DELAY_MAX);
        return;
    }

    if (redis->master_pool) {
        ngx_destroy_pool(redis->master_pool);
    }

    redis->master_pool = pool;
    redis->master = server;

    rms_redis_breaker_try(&redis->breaker);
    ngx_http_rms_redis_conn_open(&redis->command, &redis->master);
}


/* Is anybody there, on a connection that only listens? */

static void
ngx_http_rms_redis_ping(ngx_event_t *ev)
{
    rms_str_t                   ping = rms_string("PING");
    ngx_http_rms_redis_conn_t  *conn = ev->data;

    if (conn->looking) {
        ngx_http_rms_redis_conn_fail(conn, RMS_REDIS_STAGE_COMMAND, 0,
                                     "no answer to PING");
        return;
    }

    conn->looking = 1;

    if (ngx_http_rms_redis_conn_send(conn, &ping, 1) != NGX_OK) {
        ngx_http_rms_redis_conn_fail(conn, RMS_REDIS_STAGE_COMMAND, 0,
                                     "no memory");
        return;
    }

    ngx_add_timer(ev, ngx_max(NGX_HTTP_RMS_REDIS_LOOK,
                              conn->redis->timeout));
}


static rms_redis_push_t
ngx_http_rms_redis_pushed(ngx_http_rms_redis_conn_t *conn,
    const rms_redis_reply_t *reply)
{
    rms_redis_push_t  push;

    push = rms_redis_push(reply);

    if (push.kind == RMS_REDIS_PUSH_PONG) {
        conn->looking = 0;

    } else if (push.kind == RMS_REDIS_PUSH_INVALID) {
        ngx_http_rms_redis_conn_fail(conn, RMS_REDIS_STAGE_PARSE, 0,
                                     "a message that is not one of Redis");
    }

    return push;
}
