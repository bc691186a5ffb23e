
/*
 * Inside of the Redis driver: one connection (conn), which server it goes to
 * (link), commands under way (redis).  All of it is of one worker; the rest of
 * the glue includes ngx_http_rms_redis.h alone.
 */

#ifndef _NGX_HTTP_RMS_REDIS_LINK_H_INCLUDED_
#define _NGX_HTTP_RMS_REDIS_LINK_H_INCLUDED_


#include "ngx_http_rms_redis.h"
#include "ngx_http_rms_status.h"
#include "rms_redis_breaker.h"
#include "rms_redis_reader.h"
#include "rms_redis_script.h"


/* commands without an answer, and bytes that wait to be sent, at one time */

#define NGX_HTTP_RMS_REDIS_OPS      1024
#define NGX_HTTP_RMS_REDIS_UNSENT   (8 * 1024 * 1024)

/* milliseconds between two looks at a server, while nothing is late */

#define NGX_HTTP_RMS_REDIS_LOOK     1000


typedef struct ngx_http_rms_redis_conn_s  ngx_http_rms_redis_conn_t;


typedef struct {
    ngx_str_t                      name;        /* for lines */
    ngx_str_t                      host;        /* empty: a unix socket */
    in_port_t                      port;
    ngx_addr_t                    *addrs;       /* none: to be resolved */
    ngx_uint_t                     naddrs;
} ngx_http_rms_redis_server_t;


typedef enum {
    NGX_HTTP_RMS_REDIS_IDLE = 0,
    NGX_HTTP_RMS_REDIS_RESOLVE,
    NGX_HTTP_RMS_REDIS_CONNECT,
    NGX_HTTP_RMS_REDIS_TLS,
    NGX_HTTP_RMS_REDIS_LOGIN,
    NGX_HTTP_RMS_REDIS_READY
} ngx_http_rms_redis_state_e;


/*
 * One connection.  Whatever goes wrong only marks it and posts an event; there
 * it is closed, and lost() told.  Its own functions never close it under the
 * feet of their callers.
 */

struct ngx_http_rms_redis_conn_s {
    ngx_http_rms_redis_t          *redis;
    ngx_http_rms_redis_server_t   *server;
    ngx_pool_t                    *pool;        /* of one attempt */
    ngx_int_t                      ident;       /* after 3 pointers: -1 */

    void                         (*ready)(ngx_http_rms_redis_conn_t *conn);
    void                         (*reply)(ngx_http_rms_redis_conn_t *conn,
                                          const rms_redis_reply_t *reply);
    void                         (*lost)(ngx_http_rms_redis_conn_t *conn,
                                         ngx_uint_t was_ready);

    rms_redis_login_t              login;
    rms_redis_script_t             script;
    rms_redis_reader_t            *reader;

    ngx_http_rms_redis_state_e     state;
    ngx_resolver_ctx_t            *resolving;
    ngx_addr_t                    *addrs;
    ngx_uint_t                     naddrs;
    ngx_uint_t                     addr;        /* the one in use */
    ngx_peer_connection_t          peer;
    ngx_log_t                      log;         /* quiet: see conn_init() */

    u_char                        *out;         /* malloc'd */
    size_t                         out_size;
    size_t                         out_start;
    size_t                         out_end;

    ngx_event_t                    deadline;    /* of a stage */
    ngx_event_t                    flush;       /* posted */
    ngx_event_t                    failed;      /* posted */
    ngx_event_t                    look;        /* health, of link and redis */
    ngx_uint_t                     looking;     /* its answers to come */

    rms_redis_stage_e              stage;       /* that failed, and why */
    char                           why[RMS_REDIS_TEXT];
    unsigned                       failing:1;
};


/* A channel and who listens. */

typedef struct {
    ngx_str_t                      channel;
    ngx_http_rms_redis_message_pt  handler;
    void                          *data;
} ngx_http_rms_redis_listener_t;

typedef struct {
    ngx_http_rms_redis_state_pt    handler;
    void                          *data;
} ngx_http_rms_redis_watcher_t;


/* The link to one server or another, and what it looks like from outside. */

struct ngx_http_rms_redis_s {
    /* as configured */
    ngx_array_t                    servers;     /* ..._redis_server_t */
    ngx_array_t                    sentinels;   /* the same */
    ngx_str_t                      master_name;
    ngx_str_t                      username;
    ngx_str_t                      password;    /* wiped with the cycle */
    ngx_int_t                      database;
    ngx_str_t                      prefix;
    ngx_str_t                      probe;       /* a key with it */
    ngx_flag_t                     tls;
    ngx_str_t                      tls_ca;
    ngx_str_t                      tls_name;
    ngx_msec_t                     connect_timeout;
    ngx_msec_t                     timeout;
    ngx_resolver_t                *resolver;
    ngx_msec_t                     resolver_timeout;
#if (NGX_SSL)
    ngx_ssl_t                     *ssl;
#endif
    u_char                        *file;        /* where the block stands */
    ngx_uint_t                     line;
    ngx_uint_t                     given;       /* bits of parameters */

    /* of the worker */
    ngx_http_rms_main_conf_t      *rmcf;
    ngx_log_t                     *worker_log;
    ngx_array_t                    listeners;
    ngx_array_t                    watchers;
    ngx_http_rms_redis_conn_t      command;
    ngx_http_rms_redis_conn_t      channels;
    ngx_http_rms_redis_conn_t      sentinel;
    rms_redis_breaker_t            breaker;
    rms_redis_breaker_t            channels_breaker;
    rms_redis_breaker_t            sentinel_breaker;
    ngx_event_t                    retry;
    ngx_event_t                    channels_retry;
    ngx_event_t                    sentinel_retry;
    ngx_queue_t                    ops;         /* sent, in order */
    ngx_uint_t                     nops;
    ngx_msec_t                     late;        /* when one was, last */
    ngx_msec_t                     began;       /* the worker */
    ngx_uint_t                     next;        /* of servers or sentinels */
    ngx_uint_t                     tried;       /* of them, this time */
    ngx_http_rms_redis_server_t    here;        /* the server in use, told */
    ngx_http_rms_redis_server_t    master;      /* or by a Sentinel */
    ngx_pool_t                    *here_pool;
    ngx_pool_t                    *master_pool;
    time_t                         since;       /* of the present state */
    ngx_uint_t                     connected;   /* how often */
    ngx_uint_t                     outage;      /* there is one */
    ngx_uint_t                     told;        /* bits: stages of the outage */
    rms_redis_stage_e              stage;       /* of this round, so far */
    char                           why[RMS_REDIS_TEXT * 2];
    rms_redis_stage_e              last_stage;  /* of the last failure */
    char                           last_why[RMS_REDIS_TEXT * 2];
    time_t                         failed;      /* when that was */
    time_t                         complained;  /* of errors in answers */
    unsigned                       started:1;
    unsigned                       stopped:1;   /* the worker exits */
};


#define ngx_http_rms_redis_usable(conn)                                       \
    ((conn)->state == NGX_HTTP_RMS_REDIS_READY && !(conn)->failing)


/* ngx_http_rms_redis_conn.c */

void ngx_http_rms_redis_conn_init(ngx_http_rms_redis_conn_t *conn,
    ngx_http_rms_redis_t *redis, rms_redis_use_e use);
void ngx_http_rms_redis_conn_open(ngx_http_rms_redis_conn_t *conn,
    ngx_http_rms_redis_server_t *server);
ngx_int_t ngx_http_rms_redis_conn_send(ngx_http_rms_redis_conn_t *conn,
    const rms_str_t *argv, ngx_uint_t n);
void ngx_http_rms_redis_conn_flush(ngx_event_t *ev);
void ngx_http_rms_redis_conn_fail(ngx_http_rms_redis_conn_t *conn,
    rms_redis_stage_e stage, ngx_err_t err, const char *fmt, ...);
void ngx_http_rms_redis_conn_close(ngx_http_rms_redis_conn_t *conn);
void ngx_http_rms_redis_conn_connect(ngx_http_rms_redis_conn_t *conn);
void ngx_http_rms_redis_conn_login(ngx_http_rms_redis_conn_t *conn);
void ngx_http_rms_redis_conn_events(ngx_http_rms_redis_conn_t *conn);

/* ngx_http_rms_redis_resolve.c */

void ngx_http_rms_redis_conn_resolve(ngx_http_rms_redis_conn_t *conn);

/* ngx_http_rms_redis_tls.c */

void ngx_http_rms_redis_conn_tls(ngx_http_rms_redis_conn_t *conn);

/* ngx_http_rms_redis_link.c */

void ngx_http_rms_redis_link_init(ngx_http_rms_redis_t *redis);
void ngx_http_rms_redis_link_close(ngx_http_rms_redis_t *redis);

/* ngx_http_rms_redis_conf.c */

ngx_int_t ngx_http_rms_redis_server(ngx_pool_t *pool, ngx_str_t *value,
    ngx_http_rms_redis_server_t *server, const char **err);

/* ngx_http_rms_redis.c: what the link tells it */

void ngx_http_rms_redis_came_up(ngx_http_rms_redis_t *redis);
void ngx_http_rms_redis_went_down(ngx_http_rms_redis_t *redis);
void ngx_http_rms_redis_reply(ngx_http_rms_redis_conn_t *conn,
    const rms_redis_reply_t *reply);
void ngx_http_rms_redis_count(ngx_http_rms_redis_t *redis, rms_count_e id);


#endif /* _NGX_HTTP_RMS_REDIS_LINK_H_INCLUDED_ */
