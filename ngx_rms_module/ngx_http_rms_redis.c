
/*
 * Commands under way.  They are answered in the order they were sent, so one
 * whose time is over, or whose asker has gone, keeps its place in the queue
 * until its answer has come and been dropped.  An op is freed when its answer
 * comes or the connection goes.  In the worker.
 */


#include "ngx_http_rms_redis_link.h"


struct ngx_http_rms_redis_op_s {
    ngx_queue_t                    queue;
    ngx_http_rms_redis_t          *redis;
    ngx_int_t                      ident;       /* after 3 pointers: -1 */
    ngx_http_rms_redis_answer_pt   handler;     /* NULL: nobody waits */
    void                          *data;
    ngx_event_t                    deadline;
    ngx_msec_t                     sent;
    unsigned                       late:1;
    unsigned                       look:1;      /* ours, to see who is there */
};


static ngx_http_rms_redis_op_t *ngx_http_rms_redis_put(
    ngx_http_rms_redis_t *redis, const rms_str_t *argv, ngx_uint_t n);
static void ngx_http_rms_redis_op_free(ngx_http_rms_redis_op_t *op);
static void ngx_http_rms_redis_op_answer(ngx_http_rms_redis_op_t *op,
    const rms_redis_reply_t *reply);
static void ngx_http_rms_redis_op_late(ngx_event_t *ev);
static void ngx_http_rms_redis_look(ngx_event_t *ev);
static void ngx_http_rms_redis_looked(ngx_http_rms_redis_conn_t *conn,
    const rms_redis_reply_t *reply);
static void ngx_http_rms_redis_complain(ngx_http_rms_redis_t *redis,
    const rms_redis_reply_t *reply);
static void ngx_http_rms_redis_tell(ngx_http_rms_redis_t *redis,
    ngx_uint_t up);


ngx_http_rms_redis_op_t *
ngx_http_rms_redis_send(ngx_http_rms_main_conf_t *rmcf, const rms_str_t *argv,
    ngx_uint_t n, ngx_http_rms_redis_answer_pt handler, void *data)
{
    ngx_http_rms_redis_t     *redis = rmcf->redis;
    ngx_http_rms_redis_op_t  *op;

    if (redis == NULL || !redis->started) {
        return NULL;
    }

    op = ngx_http_rms_redis_put(redis, argv, n);

    if (op == NULL) {
        ngx_http_rms_redis_count(redis, RMS_COUNT_REDIS_NOT_SENT);
        return NULL;
    }

    op->handler = handler;
    op->data = data;

    /* a request waits, and so the worker, for this long at most */

    op->deadline.cancelable = (handler == NULL);

    ngx_http_rms_redis_count(redis, RMS_COUNT_REDIS_COMMANDS);

    return op;
}


static ngx_http_rms_redis_op_t *
ngx_http_rms_redis_put(ngx_http_rms_redis_t *redis, const rms_str_t *argv,
    ngx_uint_t n)
{
    ngx_http_rms_redis_op_t  *op;

    if (!ngx_http_rms_redis_usable(&redis->command) || redis->stopped
        || redis->nops >= NGX_HTTP_RMS_REDIS_OPS)
    {
        return NULL;
    }

    op = ngx_calloc(sizeof(ngx_http_rms_redis_op_t), redis->worker_log);

    if (op == NULL) {
        return NULL;
    }

    if (ngx_http_rms_redis_conn_send(&redis->command, argv, n) != NGX_OK) {
        ngx_free(op);
        return NULL;
    }

    op->redis = redis;
    op->ident = -1;
    op->sent = ngx_current_msec;

    op->deadline.handler = ngx_http_rms_redis_op_late;
    op->deadline.data = op;
    op->deadline.log = redis->worker_log;

    ngx_queue_insert_tail(&redis->ops, &op->queue);
    redis->nops++;

    ngx_add_timer(&op->deadline, redis->timeout);

    return op;
}


void
ngx_http_rms_redis_flush(ngx_http_rms_main_conf_t *rmcf)
{
    if (ngx_http_rms_redis_up(rmcf)) {
        ngx_http_rms_redis_conn_flush(&rmcf->redis->command.flush);
    }
}


void
ngx_http_rms_redis_cancel(ngx_http_rms_redis_op_t *op)
{
    if (op) {
        op->handler = NULL;
        op->deadline.cancelable = 1;
    }
}


ngx_uint_t
ngx_http_rms_redis_up(ngx_http_rms_main_conf_t *rmcf)
{
    return rmcf->redis && rmcf->redis->started
           && ngx_http_rms_redis_usable(&rmcf->redis->command);
}


ngx_uint_t
ngx_http_rms_redis_begins(ngx_http_rms_main_conf_t *rmcf)
{
    ngx_http_rms_redis_t  *redis = rmcf->redis;

    return redis && redis->started && !ngx_exiting
           && redis->connected == 0 && redis->failed == 0
           && ngx_current_msec - redis->began
              < redis->connect_timeout + redis->timeout;
}


ngx_int_t
ngx_http_rms_redis_subscribe(ngx_http_rms_main_conf_t *rmcf,
    ngx_str_t *channel, ngx_http_rms_redis_message_pt handler, void *data)
{
    ngx_http_rms_redis_t           *redis = rmcf->redis;
    ngx_http_rms_redis_listener_t  *listener;

    if (redis == NULL) {
        return NGX_OK;
    }

    if (redis->started || redis->listeners.nelts >= RMS_REDIS_CHANNELS_MAX) {
        return NGX_ERROR;
    }

    listener = ngx_array_push(&redis->listeners);

    if (listener == NULL) {
        return NGX_ERROR;
    }

    listener->channel = *channel;
    listener->handler = handler;
    listener->data = data;

    return NGX_OK;
}


ngx_int_t
ngx_http_rms_redis_watch(ngx_http_rms_main_conf_t *rmcf,
    ngx_http_rms_redis_state_pt handler, void *data)
{
    ngx_http_rms_redis_watcher_t  *watcher;

    if (rmcf->redis == NULL) {
        return NGX_OK;
    }

    watcher = ngx_array_push(&rmcf->redis->watchers);

    if (watcher == NULL) {
        return NGX_ERROR;
    }

    watcher->handler = handler;
    watcher->data = data;

    return NGX_OK;
}


ngx_str_t
ngx_http_rms_redis_key(ngx_http_rms_main_conf_t *rmcf, ngx_pool_t *pool,
    const char *kind, const rms_str_t *name)
{
    u_char     *p;
    ngx_str_t   key, *prefix;

    ngx_str_null(&key);

    if (rmcf->redis == NULL) {
        return key;
    }

    prefix = &rmcf->redis->prefix;

    p = ngx_pnalloc(pool, prefix->len + sizeof("v1::") - 1 + ngx_strlen(kind)
                          + name->len);
    if (p == NULL) {
        return key;
    }

    key.data = p;
    p = ngx_cpymem(p, prefix->data, prefix->len);
    p = ngx_sprintf(p, "v1:%s:", kind);
    p = ngx_cpymem(p, name->data, name->len);
    key.len = p - key.data;

    return key;
}


ngx_int_t
ngx_http_rms_redis_init_worker(ngx_cycle_t *cycle,
    ngx_http_rms_main_conf_t *rmcf)
{
    ngx_http_rms_redis_t  *redis = rmcf->redis;

    if (redis == NULL
        || (ngx_process != NGX_PROCESS_WORKER
            && ngx_process != NGX_PROCESS_SINGLE))
    {
        return NGX_OK;
    }

    redis->rmcf = rmcf;
    redis->worker_log = cycle->log;
    redis->began = ngx_current_msec;
    redis->started = 1;

    ngx_queue_init(&redis->ops);

    ngx_http_rms_redis_link_init(redis);

    redis->command.look.handler = ngx_http_rms_redis_look;

    return NGX_OK;
}


/*
 * Who waits for an answer keeps the worker, so nobody waits any more; but for
 * a worker that is told to end at once, whose requests end with it.
 */

void
ngx_http_rms_redis_exit_worker(ngx_http_rms_main_conf_t *rmcf)
{
    ngx_queue_t           *q, *next;
    ngx_http_rms_redis_t  *redis = rmcf->redis;

    if (redis == NULL || !redis->started) {
        return;
    }

    redis->stopped = 1;

    ngx_http_rms_redis_link_close(redis);

    for (q = ngx_queue_head(&redis->ops);
         q != ngx_queue_sentinel(&redis->ops);
         q = next)
    {
        next = ngx_queue_next(q);
        ngx_http_rms_redis_op_free(ngx_queue_data(q, ngx_http_rms_redis_op_t,
                                                  queue));
    }
}


static void
ngx_http_rms_redis_op_free(ngx_http_rms_redis_op_t *op)
{
    if (op->deadline.timer_set) {
        ngx_del_timer(&op->deadline);
    }

    ngx_queue_remove(&op->queue);
    op->redis->nops--;

    ngx_free(op);
}


/* The handler may send and cancel others; its own op is no more for it. */

static void
ngx_http_rms_redis_op_answer(ngx_http_rms_redis_op_t *op,
    const rms_redis_reply_t *reply)
{
    ngx_http_rms_redis_answer_pt  handler;

    handler = op->handler;
    op->handler = NULL;

    if (handler) {
        handler(op->data, reply);
    }
}


static void
ngx_http_rms_redis_op_late(ngx_event_t *ev)
{
    ngx_http_rms_redis_op_t  *op = ev->data;
    ngx_http_rms_redis_t     *redis = op->redis;

    op->late = 1;

    ngx_http_rms_redis_count(redis, RMS_COUNT_REDIS_TIMEOUTS);

    /* what was sent together is late together, and that is once */

    if ((ngx_msec_int_t) (op->sent - redis->late) < 0) {
        ngx_http_rms_redis_op_answer(op, NULL);
        return;
    }

    redis->late = ngx_current_msec;

    if (rms_redis_breaker_timeout(&redis->breaker)) {
        ngx_http_rms_redis_conn_fail(&redis->command, RMS_REDIS_STAGE_COMMAND,
                                     0, "no answer within %M ms, %d times",
                                     redis->timeout, RMS_REDIS_TIMEOUTS);
    }

    ngx_http_rms_redis_op_answer(op, NULL);
}


void
ngx_http_rms_redis_reply(ngx_http_rms_redis_conn_t *conn,
    const rms_redis_reply_t *reply)
{
    char                      why[RMS_REDIS_TEXT];
    rms_redis_stage_e         stage;
    ngx_http_rms_redis_t     *redis = conn->redis;
    ngx_http_rms_redis_op_t  *op;

    if (ngx_queue_empty(&redis->ops)) {
        ngx_http_rms_redis_conn_fail(conn, RMS_REDIS_STAGE_PARSE, 0,
                                     "an answer that nobody asked for");
        return;
    }

    op = ngx_queue_data(ngx_queue_head(&redis->ops), ngx_http_rms_redis_op_t,
                        queue);

    if (!op->late) {
        rms_redis_breaker_answered(&redis->breaker);
    }

    if (reply->type == RMS_REDIS_ERROR) {
        ngx_http_rms_redis_complain(redis, reply);
    }

    stage = rms_redis_judge(reply, why);

    if (stage != RMS_REDIS_STAGE_NONE) {
        ngx_http_rms_redis_conn_fail(conn, stage, 0, "%s", why);

    } else if (op->look) {
        ngx_http_rms_redis_looked(conn, reply);
    }

    ngx_http_rms_redis_op_answer(op, reply);
    ngx_http_rms_redis_op_free(op);
}


void
ngx_http_rms_redis_came_up(ngx_http_rms_redis_t *redis)
{
    redis->late = ngx_current_msec;

    ngx_add_timer(&redis->command.look, NGX_HTTP_RMS_REDIS_LOOK);

    ngx_http_rms_redis_tell(redis, 1);
}


/* The connection is closed: what was asked on it has no answer. */

void
ngx_http_rms_redis_went_down(ngx_http_rms_redis_t *redis)
{
    ngx_queue_t               waiting, *q, *next;
    ngx_http_rms_redis_op_t  *op;

    /* a handler that sends finds nobody, but may well cancel another op */

    ngx_queue_init(&waiting);

    if (!ngx_queue_empty(&redis->ops)) {
        ngx_queue_add(&waiting, &redis->ops);
        ngx_queue_init(&redis->ops);
    }

    for (q = ngx_queue_head(&waiting);
         q != ngx_queue_sentinel(&waiting);
         q = next)
    {
        next = ngx_queue_next(q);
        op = ngx_queue_data(q, ngx_http_rms_redis_op_t, queue);

        ngx_http_rms_redis_op_answer(op, NULL);
        ngx_http_rms_redis_op_free(op);
    }

    ngx_http_rms_redis_tell(redis, 0);
}


static void
ngx_http_rms_redis_tell(ngx_http_rms_redis_t *redis, ngx_uint_t up)
{
    ngx_uint_t                     i;
    ngx_http_rms_redis_watcher_t  *watcher;

    watcher = redis->watchers.elts;

    for (i = 0; i < redis->watchers.nelts; i++) {
        watcher[i].handler(watcher[i].data, up);
    }
}


/*
 * Is it still there, and still a master?  A master that was made a replica by
 * hand keeps its connections, and answers reads with what it had.
 */

static void
ngx_http_rms_redis_look(ngx_event_t *ev)
{
    rms_str_t                   role = rms_string("ROLE");
    ngx_http_rms_redis_t       *redis;
    ngx_http_rms_redis_op_t    *op;
    ngx_http_rms_redis_conn_t  *conn = ev->data;

    redis = conn->redis;

    op = ngx_http_rms_redis_put(redis, &role, 1);

    if (op) {
        op->look = 1;
        op->deadline.cancelable = 1;
    }

    /* what is late is looked at more often, to know soon */

    ngx_add_timer(ev, redis->breaker.timeouts || op == NULL
                      ? ngx_min(redis->timeout, NGX_HTTP_RMS_REDIS_LOOK)
                      : NGX_HTTP_RMS_REDIS_LOOK);
}


static void
ngx_http_rms_redis_looked(ngx_http_rms_redis_conn_t *conn,
    const rms_redis_reply_t *reply)
{
    char               why[RMS_REDIS_TEXT];
    rms_redis_stage_e  stage;

    if (reply->type == RMS_REDIS_ERROR) {
        rms_redis_printable(why, 80, &reply->str);
        ngx_http_rms_redis_conn_fail(conn, RMS_REDIS_STAGE_COMMAND, 0,
                                     "the server answers to ROLE: %s", why);
        return;
    }

    stage = rms_redis_role(reply, why);

    if (stage != RMS_REDIS_STAGE_NONE) {
        ngx_http_rms_redis_conn_fail(conn, stage, 0, "%s", why);
    }
}


/*
 * An error in an answer: counted, and said once a minute.  Who asked knows
 * what to do about it.  What stands behind a comma may repeat arguments.
 */

static void
ngx_http_rms_redis_complain(ngx_http_rms_redis_t *redis,
    const rms_redis_reply_t *reply)
{
    char       text[80];
    u_char    *comma;
    rms_str_t  str;

    if (rms_redis_error(reply) == RMS_REDIS_ERROR_NOSCRIPT) {
        return;
    }

    ngx_http_rms_redis_count(redis, RMS_COUNT_REDIS_ERRORS);

    if (redis->complained && ngx_time() - redis->complained < 60) {
        return;
    }

    redis->complained = ngx_time();

    str = reply->str;
    comma = ngx_strlchr(str.data, str.data + str.len, ',');

    if (comma) {
        str.len = comma - str.data;
    }

    rms_redis_printable(text, sizeof(text), &str);

    ngx_http_rms_event(NGX_LOG_WARN, redis->worker_log, 0,
                       "redis answers: server=\"%V\" error=\"%s\"",
                       &redis->here.name, text);
}


void
ngx_http_rms_redis_count(ngx_http_rms_redis_t *redis, rms_count_e id)
{
    ngx_http_rms_zone_t  *zone = redis->rmcf->zone;

    if (zone && zone->shared) {
        (void) ngx_atomic_fetch_add(&zone->shared->counters[id], 1);
    }
}


/* As the worker that answers sees it. */

void
ngx_http_rms_redis_status(ngx_http_rms_json_t *js,
    ngx_http_rms_main_conf_t *rmcf)
{
    rms_str_t              s;
    rms_str_t              waiting = rms_string("waiting");
    rms_str_t              since = rms_string("since");
    rms_str_t              failed = rms_string("failed");
    rms_str_t              channels = rms_string("channels");
    ngx_uint_t             up;
    ngx_http_rms_redis_t  *redis = rmcf->redis;

    up = ngx_http_rms_redis_up(rmcf);

    s.data = (u_char *) (up ? "up" : "away");
    s.len = ngx_strlen(s.data);
    ngx_http_rms_json_string(js, "state", &s);

    if (up) {
        ngx_http_rms_json_string(js, "server", &redis->here.name);
        ngx_http_rms_json_text(js, "role", "master");
        ngx_http_rms_json_number(js, &channels,
                                 ngx_http_rms_redis_usable(&redis->channels));
    }

    ngx_http_rms_json_number(js, &since, redis->since);
    ngx_http_rms_json_number(js, &waiting, redis->nops);

    if (redis->failed) {
        s.data = (u_char *) rms_redis_stage_name(redis->last_stage);
        s.len = ngx_strlen(s.data);
        ngx_http_rms_json_string(js, "stage", &s);

        s.data = (u_char *) redis->last_why;
        s.len = ngx_strlen(s.data);
        ngx_http_rms_json_string(js, "why", &s);

        ngx_http_rms_json_number(js, &failed, redis->failed);
    }
}
