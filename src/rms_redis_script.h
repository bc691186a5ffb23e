/*
 * What is said to a server before it is of use, as a state machine without a
 * socket: log in, choose the database, make sure that it is a master and does
 * commands; or ask a Sentinel who the master is; then subscribe.  The owner
 * sends what rms_redis_script_next() gives and tells each reply.
 */

#ifndef RMS_REDIS_SCRIPT_H
#define RMS_REDIS_SCRIPT_H


#include "rms_redis.h"


#define RMS_REDIS_CHANNELS_MAX  16
#define RMS_REDIS_SCRIPT_ARGS   (RMS_REDIS_CHANNELS_MAX + 1)


/* What a connection is for. */

typedef enum {
    RMS_REDIS_COMMANDS = 0,
    RMS_REDIS_CHANNELS,
    RMS_REDIS_SENTINEL
} rms_redis_use_e;


/* As configured; strings stay the caller's and outlive the script. */

typedef struct {
    rms_redis_use_e       use;
    rms_str_t             username;     /* empty: the default user       */
    rms_str_t             password;     /* empty: no AUTH                */
    unsigned              database;
    rms_str_t             probe;        /* a key we may look for         */
    rms_str_t             master;       /* its name at the Sentinels     */
    rms_str_t             channels[RMS_REDIS_CHANNELS_MAX];
    size_t                n_channels;
} rms_redis_login_t;


typedef enum {
    RMS_REDIS_STEP_AUTH = 0,
    RMS_REDIS_STEP_SELECT,
    RMS_REDIS_STEP_ROLE,
    RMS_REDIS_STEP_PROBE,
    RMS_REDIS_STEP_MASTER,
    RMS_REDIS_STEP_SUBSCRIBE,
    RMS_REDIS_STEP_DONE
} rms_redis_step_e;


typedef struct {
    const rms_redis_login_t   *login;
    rms_redis_step_e           step;
    unsigned                   asked:1;     /* for a password, by a Sentinel */
    size_t                     left;        /* channels not confirmed yet */
    rms_redis_address_t        address;     /* that a Sentinel told      */
    char                       database[16];
    rms_redis_stage_e          stage;       /* that failed               */
    char                       why[RMS_REDIS_TEXT];
} rms_redis_script_t;


typedef enum {
    RMS_REDIS_SCRIPT_NEXT = 0,          /* send what next() gives        */
    RMS_REDIS_SCRIPT_WAIT,              /* another reply belongs to it   */
    RMS_REDIS_SCRIPT_READY,
    RMS_REDIS_SCRIPT_FAILED             /* stage and why say where       */
} rms_redis_script_e;


/* A connection was made: from the start. */
void rms_redis_script_start(rms_redis_script_t *script,
    const rms_redis_login_t *login);


/*
 * The command to send now: fills argv[0..RMS_REDIS_SCRIPT_ARGS), which refers
 * to the login and the script.  Answers the number of arguments; 0: nothing is
 * left to send, the connection is ready.
 */
size_t rms_redis_script_next(rms_redis_script_t *script, rms_str_t *argv);


/* A reply to it came. */
rms_redis_script_e rms_redis_script_reply(rms_redis_script_t *script,
    const rms_redis_reply_t *reply);


#endif /* RMS_REDIS_SCRIPT_H */
