
/*
 * Redis, as the rest of the glue sees it: commands that go out pipelined on
 * one connection of the worker, answers that come back in order or not at
 * all, and channels on a second connection.  Nothing here waits.
 */

#ifndef _NGX_HTTP_RMS_REDIS_H_INCLUDED_
#define _NGX_HTTP_RMS_REDIS_H_INCLUDED_


#include "ngx_http_rms_module.h"
#include "rms_redis.h"


typedef struct ngx_http_rms_redis_s     ngx_http_rms_redis_t;
typedef struct ngx_http_rms_redis_op_s  ngx_http_rms_redis_op_t;


/*
 * What became of a command.  reply: of the server, valid within the call, an
 * error of its own (-ERR ...) included; NULL: there is none and will be none
 * (deadline, connection lost, worker exits), and whether the server has done
 * it is not known.  Called once, from an event of its own and never from
 * within ngx_http_rms_redis_send(); not called after a cancel.
 */

typedef void (*ngx_http_rms_redis_answer_pt)(void *data,
    const rms_redis_reply_t *reply);

/*
 * A message of a channel of ours.  message: valid within the call.  NULL: the
 * subscription is new or was lost for a while, and messages may be missing:
 * look for yourself.
 */

typedef void (*ngx_http_rms_redis_message_pt)(void *data,
    const rms_str_t *channel, const rms_str_t *message);

/* The connection came up (1) or was lost (0). */

typedef void (*ngx_http_rms_redis_state_pt)(void *data, ngx_uint_t up);


/*
 * Sends argv[0..n), copied.  NULL: not sent, the handler is not called: no
 * rms_redis, away (breaker open), queue full, no memory, worker exits.
 * handler may be NULL: nobody wants to know.  deadline: rms_redis's timeout.
 */

ngx_http_rms_redis_op_t *ngx_http_rms_redis_send(
    ngx_http_rms_main_conf_t *rmcf, const rms_str_t *argv, ngx_uint_t n,
    ngx_http_rms_redis_answer_pt handler, void *data);

/*
 * What was sent goes out now, and not only at the end of this turn of the loop:
 * for what must be there before an answer that the turn gives a client.
 */

void ngx_http_rms_redis_flush(ngx_http_rms_main_conf_t *rmcf);

/* Who asked is gone: the answer is dropped when it comes.  NULL is fine. */

void ngx_http_rms_redis_cancel(ngx_http_rms_redis_op_t *op);

/* Is there a connection that is ready for commands now? */

ngx_uint_t ngx_http_rms_redis_up(ngx_http_rms_main_conf_t *rmcf);

/* Has the worker begun a moment ago, and cannot tell yet?  Never for long. */

ngx_uint_t ngx_http_rms_redis_begins(ngx_http_rms_main_conf_t *rmcf);

/*
 * Before init_worker() connects: channels (names with the prefix) and who is
 * told of messages and of the command connection's comings and goings.
 */

ngx_int_t ngx_http_rms_redis_subscribe(ngx_http_rms_main_conf_t *rmcf,
    ngx_str_t *channel, ngx_http_rms_redis_message_pt handler, void *data);
ngx_int_t ngx_http_rms_redis_watch(ngx_http_rms_main_conf_t *rmcf,
    ngx_http_rms_redis_state_pt handler, void *data);

/*
 * A key of ours: prefix, "v1:", kind, ":", name; from the pool.  len 0 when
 * there is no memory.
 */

ngx_str_t ngx_http_rms_redis_key(ngx_http_rms_main_conf_t *rmcf,
    ngx_pool_t *pool, const char *kind, const rms_str_t *name);

/* Connects; the worker has its own. */

ngx_int_t ngx_http_rms_redis_init_worker(ngx_cycle_t *cycle,
    ngx_http_rms_main_conf_t *rmcf);
void ngx_http_rms_redis_exit_worker(ngx_http_rms_main_conf_t *rmcf);


#endif /* _NGX_HTTP_RMS_REDIS_H_INCLUDED_ */
