
/*
 * One connection to Redis: resolve, connect, TLS, log in; then bytes out and
 * replies in.  Each stage has a deadline.  It lives in the configuration of
 * the worker and is opened again and again; what an attempt allocates goes
 * when it is closed, which happens in the posted event "failed", in a timer,
 * or at the worker's end, and nowhere else.
 */


#include "ngx_http_rms_redis_link.h"

#include <openssl/crypto.h>


#define NGX_HTTP_RMS_REDIS_READ   16384
#define NGX_HTTP_RMS_REDIS_READS  64            /* in one event */


static void ngx_http_rms_redis_conn_connected(ngx_http_rms_redis_conn_t *conn);
static void ngx_http_rms_redis_conn_within(ngx_http_rms_redis_conn_t *conn,
    ngx_msec_t time);
static ngx_uint_t ngx_http_rms_redis_conn_refused(
    ngx_http_rms_redis_conn_t *conn);
static void ngx_http_rms_redis_conn_step(ngx_http_rms_redis_conn_t *conn);
static void ngx_http_rms_redis_conn_stepped(ngx_http_rms_redis_conn_t *conn,
    const rms_redis_reply_t *reply);
static void ngx_http_rms_redis_conn_read(ngx_event_t *rev);
static ngx_int_t ngx_http_rms_redis_conn_replies(
    ngx_http_rms_redis_conn_t *conn);
static void ngx_http_rms_redis_conn_write(ngx_event_t *wev);
static void ngx_http_rms_redis_conn_sent(ngx_http_rms_redis_conn_t *conn);
static ngx_int_t ngx_http_rms_redis_conn_room(ngx_http_rms_redis_conn_t *conn,
    size_t len);
static void ngx_http_rms_redis_conn_late(ngx_event_t *ev);
static rms_redis_stage_e ngx_http_rms_redis_conn_stage(
    ngx_http_rms_redis_conn_t *conn);
static void ngx_http_rms_redis_conn_failed(ngx_event_t *ev);
static void ngx_http_rms_redis_conn_release(ngx_http_rms_redis_conn_t *conn);


void
ngx_http_rms_redis_conn_init(ngx_http_rms_redis_conn_t *conn,
    ngx_http_rms_redis_t *redis, rms_redis_use_e use)
{
    ngx_memzero(conn, sizeof(ngx_http_rms_redis_conn_t));

    conn->redis = redis;
    conn->ident = -1;

    /* nginx's own lines would come with each attempt, ours do once */

    conn->log = *redis->worker_log;
    conn->log.log_level = NGX_LOG_ALERT;

    conn->login.use = use;
    conn->login.username = redis->username;
    conn->login.password = redis->password;
    conn->login.database = (unsigned) redis->database;
    conn->login.probe = redis->probe;
    conn->login.master = redis->master_name;

    conn->deadline.handler = ngx_http_rms_redis_conn_late;
    conn->flush.handler = ngx_http_rms_redis_conn_flush;
    conn->failed.handler = ngx_http_rms_redis_conn_failed;

    conn->deadline.data = conn->flush.data = conn->failed.data = conn;
    conn->deadline.log = conn->flush.log = conn->failed.log = &conn->log;
    conn->deadline.cancelable = 1;

    conn->look.data = conn;
    conn->look.log = &conn->log;
    conn->look.cancelable = 1;
}


/* What goes wrong here is told by lost(), later. */

void
ngx_http_rms_redis_conn_open(ngx_http_rms_redis_conn_t *conn,
    ngx_http_rms_redis_server_t *server)
{
    ngx_http_rms_redis_conn_release(conn);

    conn->server = server;
    conn->addr = 0;
    conn->stage = RMS_REDIS_STAGE_NONE;
    conn->state = NGX_HTTP_RMS_REDIS_RESOLVE;

    conn->pool = ngx_create_pool(1024, &conn->log);

    if (conn->pool == NULL) {
        ngx_http_rms_redis_conn_fail(conn, RMS_REDIS_STAGE_CONNECT, 0,
                                     "no memory");
        return;
    }

    if (server->naddrs == 0) {
        ngx_http_rms_redis_conn_resolve(conn);
        return;
    }

    conn->addrs = server->addrs;
    conn->naddrs = server->naddrs;

    ngx_http_rms_redis_conn_connect(conn);
}


void
ngx_http_rms_redis_conn_connect(ngx_http_rms_redis_conn_t *conn)
{
    ngx_err_t               err;
    ngx_int_t               rc;
    ngx_addr_t             *addr;
    ngx_connection_t       *c;
    ngx_peer_connection_t  *peer;

    addr = &conn->addrs[conn->addr];
    peer = &conn->peer;

    ngx_memzero(peer, sizeof(ngx_peer_connection_t));

    peer->sockaddr = addr->sockaddr;
    peer->socklen = addr->socklen;
    peer->name = &addr->name;
    peer->get = ngx_event_get_peer;
    peer->log = &conn->log;
    peer->log_error = NGX_ERROR_ERR;

    conn->state = NGX_HTTP_RMS_REDIS_CONNECT;

    ngx_set_errno(0);
    rc = ngx_event_connect_peer(peer);
    err = ngx_socket_errno;

    c = peer->connection;

    if (c == NULL || (rc != NGX_OK && rc != NGX_AGAIN)) {
        ngx_http_rms_redis_conn_fail(conn, RMS_REDIS_STAGE_CONNECT, err,
                                     "connect() failed");
        return;
    }

    c->data = conn;
    c->pool = conn->pool;
    c->log = &conn->log;
    c->read->log = c->log;
    c->write->log = c->log;

    ngx_http_rms_redis_conn_events(conn);
    ngx_http_rms_redis_conn_within(conn, conn->redis->connect_timeout);

    if (rc == NGX_OK) {
        ngx_http_rms_redis_conn_connected(conn);
    }
}


void
ngx_http_rms_redis_conn_events(ngx_http_rms_redis_conn_t *conn)
{
    conn->peer.connection->read->handler = ngx_http_rms_redis_conn_read;
    conn->peer.connection->write->handler = ngx_http_rms_redis_conn_write;
}


static void
ngx_http_rms_redis_conn_connected(ngx_http_rms_redis_conn_t *conn)
{
    if (conn->peer.sockaddr->sa_family != AF_UNIX) {
        (void) ngx_tcp_nodelay(conn->peer.connection);
    }

    if (conn->redis->tls) {
        conn->state = NGX_HTTP_RMS_REDIS_TLS;
        ngx_http_rms_redis_conn_within(conn, conn->redis->connect_timeout);
        ngx_http_rms_redis_conn_tls(conn);
        return;
    }

    ngx_http_rms_redis_conn_login(conn);
}


/* ngx_add_timer() alone would keep a timer that ends not much earlier. */

static void
ngx_http_rms_redis_conn_within(ngx_http_rms_redis_conn_t *conn,
    ngx_msec_t time)
{
    if (conn->deadline.timer_set) {
        ngx_del_timer(&conn->deadline);
    }

    ngx_add_timer(&conn->deadline, time);
}


static ngx_uint_t
ngx_http_rms_redis_conn_refused(ngx_http_rms_redis_conn_t *conn)
{
    int        err;
    socklen_t  len;

    err = 0;
    len = sizeof(int);

    if (getsockopt(conn->peer.connection->fd, SOL_SOCKET, SO_ERROR,
                   (void *) &err, &len)
        == -1)
    {
        err = ngx_socket_errno;
    }

    if (err) {
        ngx_http_rms_redis_conn_fail(conn, RMS_REDIS_STAGE_CONNECT, err,
                                     "connect() failed");
    }

    return err != 0;
}


void
ngx_http_rms_redis_conn_login(ngx_http_rms_redis_conn_t *conn)
{
    conn->reader = rms_redis_reader_create(0);

    if (conn->reader == NULL) {
        ngx_http_rms_redis_conn_fail(conn, RMS_REDIS_STAGE_CONNECT, 0,
                                     "no memory");
        return;
    }

    conn->state = NGX_HTTP_RMS_REDIS_LOGIN;

    rms_redis_script_start(&conn->script, &conn->login);

    ngx_http_rms_redis_conn_step(conn);
}


static void
ngx_http_rms_redis_conn_step(ngx_http_rms_redis_conn_t *conn)
{
    size_t     n;
    rms_str_t  argv[RMS_REDIS_SCRIPT_ARGS];

    n = rms_redis_script_next(&conn->script, argv);

    if (n == 0) {

        if (conn->deadline.timer_set) {
            ngx_del_timer(&conn->deadline);
        }

        conn->state = NGX_HTTP_RMS_REDIS_READY;
        conn->ready(conn);
        return;
    }

    ngx_http_rms_redis_conn_within(conn, conn->redis->timeout);

    if (ngx_http_rms_redis_conn_send(conn, argv, n) != NGX_OK) {
        ngx_http_rms_redis_conn_fail(conn, RMS_REDIS_STAGE_CONNECT, 0,
                                     "no memory");
    }
}


static void
ngx_http_rms_redis_conn_stepped(ngx_http_rms_redis_conn_t *conn,
    const rms_redis_reply_t *reply)
{
    switch (rms_redis_script_reply(&conn->script, reply)) {

    case RMS_REDIS_SCRIPT_NEXT:
    case RMS_REDIS_SCRIPT_READY:
        ngx_http_rms_redis_conn_step(conn);
        break;

    case RMS_REDIS_SCRIPT_WAIT:
        break;

    case RMS_REDIS_SCRIPT_FAILED:
        ngx_http_rms_redis_conn_fail(conn, conn->script.stage, 0, "%s",
                                     conn->script.why);
    }
}


static void
ngx_http_rms_redis_conn_read(ngx_event_t *rev)
{
    u_char                      buf[NGX_HTTP_RMS_REDIS_READ];
    ssize_t                     n;
    ngx_uint_t                  i;
    ngx_connection_t           *c = rev->data;
    ngx_http_rms_redis_conn_t  *conn = c->data;

    if (conn->failing) {
        return;
    }

    /*
     * nginx closes idle connections when a worker begins to leave, and those
     * with an error when its time is over; requests that it still has may need
     * the connection for commands, which is not among the idle ones
     */

    if (c->close) {
        ngx_http_rms_redis_conn_fail(conn, RMS_REDIS_STAGE_NONE, 0,
                                     "the worker leaves");
        return;
    }

    if (conn->state == NGX_HTTP_RMS_REDIS_CONNECT) {
        (void) ngx_http_rms_redis_conn_refused(conn);
        return;
    }

    for (i = 0; i < NGX_HTTP_RMS_REDIS_READS; i++) {

        n = c->recv(c, buf, sizeof(buf));

        if (n == NGX_AGAIN) {

            if (ngx_handle_read_event(rev, 0) != NGX_OK) {
                ngx_http_rms_redis_conn_fail(conn, RMS_REDIS_STAGE_CONNECT, 0,
                                             "no events for the connection");
            }

            return;
        }

        if (n <= 0) {
            ngx_http_rms_redis_conn_fail(conn,
                                     ngx_http_rms_redis_conn_stage(conn),
                                     0, "the server closed the connection");
            return;
        }

        if (rms_redis_reader_feed(conn->reader, buf, n) != RMS_OK
            || ngx_http_rms_redis_conn_replies(conn) != NGX_OK)
        {
            return;
        }
    }

    ngx_post_event(rev, &ngx_posted_next_events);
}


/* NGX_OK: read on. */

static ngx_int_t
ngx_http_rms_redis_conn_replies(ngx_http_rms_redis_conn_t *conn)
{
    rms_rc_e                  rc;
    const rms_redis_reply_t  *reply;

    for ( ;; ) {

        rc = rms_redis_reader_next(conn->reader, &reply);

        if (rc == RMS_AGAIN) {
            return NGX_OK;
        }

        if (rc != RMS_OK) {
            ngx_http_rms_redis_conn_fail(conn, RMS_REDIS_STAGE_PARSE, 0, "%s",
                                        rms_redis_reader_error(conn->reader));
            return NGX_ERROR;
        }

        if (conn->state == NGX_HTTP_RMS_REDIS_READY) {
            conn->reply(conn, reply);

        } else {
            ngx_http_rms_redis_conn_stepped(conn, reply);
        }

        if (conn->failing) {
            return NGX_ERROR;
        }
    }
}


static void
ngx_http_rms_redis_conn_write(ngx_event_t *wev)
{
    ngx_connection_t           *c = wev->data;
    ngx_http_rms_redis_conn_t  *conn = c->data;

    if (conn->failing) {
        return;
    }

    if (conn->state == NGX_HTTP_RMS_REDIS_CONNECT) {

        if (!ngx_http_rms_redis_conn_refused(conn)) {
            ngx_http_rms_redis_conn_connected(conn);
        }

        return;
    }

    ngx_http_rms_redis_conn_flush(&conn->flush);
}


/* Appends a command; what one turn of the loop asks goes out together. */

ngx_int_t
ngx_http_rms_redis_conn_send(ngx_http_rms_redis_conn_t *conn,
    const rms_str_t *argv, ngx_uint_t n)
{
    ngx_int_t  rc;
    rms_str_t  command;

    if (conn->failing || rms_redis_command(argv, n, &command) != RMS_OK) {
        return NGX_ERROR;
    }

    rc = ngx_http_rms_redis_conn_room(conn, command.len);

    if (rc == NGX_OK) {
        ngx_memcpy(conn->out + conn->out_end, command.data, command.len);
        conn->out_end += command.len;
        ngx_post_event(&conn->flush, &ngx_posted_events);
    }

    rms_redis_command_free(&command);

    return rc;
}


static ngx_int_t
ngx_http_rms_redis_conn_room(ngx_http_rms_redis_conn_t *conn, size_t len)
{
    size_t   size, used;
    u_char  *out;

    used = conn->out_end - conn->out_start;

    if (len > NGX_HTTP_RMS_REDIS_UNSENT - used) {
        return NGX_DECLINED;
    }

    if (len <= conn->out_size - conn->out_end) {
        return NGX_OK;
    }

    for (size = 4096; size < used + len; size *= 2) { /* void */ }

    out = ngx_alloc(size, &conn->log);

    if (out == NULL) {
        return NGX_ERROR;
    }

    if (used) {
        ngx_memcpy(out, conn->out + conn->out_start, used);
    }

    if (conn->out) {
        OPENSSL_cleanse(conn->out, conn->out_end);
        ngx_free(conn->out);
    }

    conn->out = out;
    conn->out_size = size;
    conn->out_start = 0;
    conn->out_end = used;

    return NGX_OK;
}


void
ngx_http_rms_redis_conn_flush(ngx_event_t *ev)
{
    ssize_t                     n;
    ngx_connection_t           *c;
    ngx_http_rms_redis_conn_t  *conn = ev->data;

    c = conn->peer.connection;

    if (c == NULL || conn->failing) {
        return;
    }

    while (conn->out_start < conn->out_end && c->write->ready) {

        n = c->send(c, conn->out + conn->out_start,
                    conn->out_end - conn->out_start);

        if (n == NGX_AGAIN) {
            break;
        }

        if (n <= 0) {
            ngx_http_rms_redis_conn_fail(conn,
                                     ngx_http_rms_redis_conn_stage(conn),
                                     0, "the connection broke");
            return;
        }

        conn->out_start += n;
    }

    if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
        ngx_http_rms_redis_conn_fail(conn, RMS_REDIS_STAGE_CONNECT, 0,
                                     "no events for the connection");
        return;
    }

    ngx_http_rms_redis_conn_sent(conn);
}


/* All went out: nothing of it stays, and a large buffer goes. */

static void
ngx_http_rms_redis_conn_sent(ngx_http_rms_redis_conn_t *conn)
{
    if (conn->out == NULL || conn->out_start < conn->out_end) {
        return;
    }

    OPENSSL_cleanse(conn->out, conn->out_end);

    conn->out_start = 0;
    conn->out_end = 0;

    if (conn->out_size > 65536) {
        ngx_free(conn->out);
        conn->out = NULL;
        conn->out_size = 0;
    }
}


static void
ngx_http_rms_redis_conn_late(ngx_event_t *ev)
{
    ngx_msec_t                  after;
    ngx_http_rms_redis_conn_t  *conn = ev->data;

    after = conn->state == NGX_HTTP_RMS_REDIS_LOGIN
            ? conn->redis->timeout : conn->redis->connect_timeout;

    ngx_http_rms_redis_conn_fail(conn, ngx_http_rms_redis_conn_stage(conn), 0,
                                 "no answer within %M ms", after);
}


/* Where a connection is that breaks, or says nothing. */

static rms_redis_stage_e
ngx_http_rms_redis_conn_stage(ngx_http_rms_redis_conn_t *conn)
{
    switch (conn->state) {

    case NGX_HTTP_RMS_REDIS_RESOLVE:
        return RMS_REDIS_STAGE_RESOLVE;

    case NGX_HTTP_RMS_REDIS_CONNECT:
        return RMS_REDIS_STAGE_CONNECT;

    case NGX_HTTP_RMS_REDIS_TLS:
        return RMS_REDIS_STAGE_TLS;

    case NGX_HTTP_RMS_REDIS_LOGIN:

        if (conn->script.step == RMS_REDIS_STEP_AUTH) {
            return RMS_REDIS_STAGE_AUTH;
        }

        /* fall through */

    default:
        return RMS_REDIS_STAGE_COMMAND;
    }
}


void
ngx_http_rms_redis_conn_fail(ngx_http_rms_redis_conn_t *conn,
    rms_redis_stage_e stage, ngx_err_t err, const char *fmt, ...)
{
    u_char   *p, *last;
    va_list   args;

    if (conn->failing) {
        return;
    }

    p = (u_char *) conn->why;
    last = p + sizeof(conn->why) - 1;

    va_start(args, fmt);
    p = ngx_vslprintf(p, last, fmt, args);
    va_end(args);

    if (err) {
        p = ngx_slprintf(p, last, " (%d: ", err);
        p = ngx_strerror(err, p, last - p);
        p = ngx_slprintf(p, last, ")");
    }

    *p = '\0';

    conn->stage = stage;
    conn->failing = 1;

    ngx_post_event(&conn->failed, &ngx_posted_events);
}


/* A name may have several addresses: the next one, before all is lost. */

static void
ngx_http_rms_redis_conn_failed(ngx_event_t *ev)
{
    ngx_pool_t                 *pool;
    ngx_uint_t                  was_ready;
    ngx_http_rms_redis_conn_t  *conn = ev->data;

    was_ready = conn->state == NGX_HTTP_RMS_REDIS_READY;

    if (!was_ready && conn->addr + 1 < conn->naddrs && !ngx_exiting) {

        /* the addresses live in the pool */

        pool = conn->pool;
        conn->pool = NULL;
        ngx_http_rms_redis_conn_release(conn);

        conn->pool = pool;
        conn->addr++;
        ngx_http_rms_redis_conn_connect(conn);
        return;
    }

    ngx_http_rms_redis_conn_close(conn);

    conn->lost(conn, was_ready);
}


void
ngx_http_rms_redis_conn_close(ngx_http_rms_redis_conn_t *conn)
{
    ngx_http_rms_redis_conn_release(conn);

    conn->addrs = NULL;
    conn->naddrs = 0;
}


static void
ngx_http_rms_redis_conn_release(ngx_http_rms_redis_conn_t *conn)
{
    ngx_connection_t  *c;

    if (conn->resolving) {
        ngx_resolve_name_done(conn->resolving);
        conn->resolving = NULL;
    }

    if (conn->deadline.timer_set) {
        ngx_del_timer(&conn->deadline);
    }

    if (conn->look.timer_set) {
        ngx_del_timer(&conn->look);
    }

    if (conn->flush.posted) {
        ngx_delete_posted_event(&conn->flush);
    }

    if (conn->failed.posted) {
        ngx_delete_posted_event(&conn->failed);
    }

    c = conn->peer.connection;

    if (c) {

#if (NGX_SSL)
        if (c->ssl) {
            c->ssl->no_wait_shutdown = 1;
            c->ssl->no_send_shutdown = 1;
            (void) ngx_ssl_shutdown(c);
        }
#endif

        ngx_close_connection(c);
        conn->peer.connection = NULL;
    }

    if (conn->out) {
        OPENSSL_cleanse(conn->out, conn->out_end);
        ngx_free(conn->out);
        conn->out = NULL;
    }

    rms_redis_reader_free(conn->reader);

    if (conn->pool) {
        ngx_destroy_pool(conn->pool);
        conn->pool = NULL;
    }

    conn->reader = NULL;
    conn->out_size = 0;
    conn->out_start = 0;
    conn->out_end = 0;
    conn->looking = 0;
    conn->failing = 0;
    conn->state = NGX_HTTP_RMS_REDIS_IDLE;
}
