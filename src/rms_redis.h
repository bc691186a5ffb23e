/*
 * Redis without sockets: commands to bytes, what a reply is and what an error
 * of the server means, messages of channels and of Sentinels.  Pure functions,
 * any thread.  RESP2 only; Valkey speaks the same.
 */

#ifndef RMS_REDIS_H
#define RMS_REDIS_H


#include "rms_types.h"


#define RMS_REDIS_ARGS_MAX     64               /* of one command        */
#define RMS_REDIS_COMMAND_MAX  (4u * 1024 * 1024)  /* bytes of one       */
#define RMS_REDIS_HOST_MAX     255
#define RMS_REDIS_TEXT         192              /* of an explanation     */


typedef enum {
    RMS_REDIS_STRING = 1,
    RMS_REDIS_ARRAY,
    RMS_REDIS_INTEGER,
    RMS_REDIS_NIL,
    RMS_REDIS_STATUS,
    RMS_REDIS_ERROR
} rms_redis_type_e;


typedef struct rms_redis_reply_s  rms_redis_reply_t;

struct rms_redis_reply_s {
    rms_redis_type_e      type;
    rms_str_t             str;          /* string, status, error         */
    int64_t               integer;
    rms_redis_reply_t    *elements;     /* array                         */
    size_t                n;
};


/* Where work with a server failed. */

typedef enum {
    RMS_REDIS_STAGE_NONE = 0,
    RMS_REDIS_STAGE_RESOLVE,
    RMS_REDIS_STAGE_CONNECT,
    RMS_REDIS_STAGE_TLS,
    RMS_REDIS_STAGE_AUTH,
    RMS_REDIS_STAGE_ROLE,
    RMS_REDIS_STAGE_COMMAND,
    RMS_REDIS_STAGE_PARSE,
    RMS_REDIS_STAGE_MAX
} rms_redis_stage_e;


/* What the first word of an error says. */

typedef enum {
    RMS_REDIS_ERROR_OTHER = 0,
    RMS_REDIS_ERROR_ERR,                /* the command itself is wrong   */
    RMS_REDIS_ERROR_AUTH,               /* NOAUTH, WRONGPASS             */
    RMS_REDIS_ERROR_NOPERM,
    RMS_REDIS_ERROR_READONLY,
    RMS_REDIS_ERROR_CLUSTER,            /* MOVED, ASK, CLUSTERDOWN, ...  */
    RMS_REDIS_ERROR_LOADING,
    RMS_REDIS_ERROR_MASTERDOWN,
    RMS_REDIS_ERROR_OOM,
    RMS_REDIS_ERROR_BUSY,
    RMS_REDIS_ERROR_NOSCRIPT
} rms_redis_error_e;


/* What comes in on a connection that has subscribed. */

typedef enum {
    RMS_REDIS_PUSH_INVALID = 0,
    RMS_REDIS_PUSH_MESSAGE,
    RMS_REDIS_PUSH_PONG,
    RMS_REDIS_PUSH_SUBSCRIBED
} rms_redis_push_e;

typedef struct {
    rms_redis_push_e      kind;
    rms_str_t             channel;
    rms_str_t             message;
} rms_redis_push_t;


typedef struct {
    unsigned char         host[RMS_REDIS_HOST_MAX];
    size_t                len;
    unsigned              port;         /* 1..65535                      */
} rms_redis_address_t;


/*
 * A command as the bytes to send.  out is the caller's, to be freed with
 * rms_redis_command_free().  RMS_OK; RMS_INVALID: no argument; RMS_TOO_LARGE;
 * RMS_NOMEM.
 */
rms_rc_e rms_redis_command(const rms_str_t *argv, size_t n, rms_str_t *out);

/* Frees and wipes: a password may be in it. */
void rms_redis_command_free(rms_str_t *command);


/* "resolve", "connect", "TLS", ...; "" for none. */
const char *rms_redis_stage_name(rms_redis_stage_e stage);


/* Of a reply that is an error. */
rms_redis_error_e rms_redis_error(const rms_redis_reply_t *reply);


/*
 * Whether a server that answers so is still the one to ask.  STAGE_NONE: it
 * is, whatever became of this command.  Otherwise text (RMS_REDIS_TEXT bytes,
 * terminated, printable) says why not.
 */
rms_redis_stage_e rms_redis_judge(const rms_redis_reply_t *reply, char *text);


/*
 * Of the answer to ROLE.  STAGE_NONE: a master.  Otherwise as above.
 */
rms_redis_stage_e rms_redis_role(const rms_redis_reply_t *reply, char *text);


/*
 * The master in an answer to SENTINEL get-master-addr-by-name.  RMS_OK;
 * RMS_DECLINED: the Sentinel does not know the name; RMS_INVALID.
 */
rms_rc_e rms_redis_master(const rms_redis_reply_t *reply,
    rms_redis_address_t *address);


/*
 * The new master in a message of +switch-master.  RMS_OK; RMS_DECLINED: of
 * another name; RMS_INVALID.
 */
rms_rc_e rms_redis_switch(const rms_str_t *message, const rms_str_t *name,
    rms_redis_address_t *address);


/* Strings refer to the reply. */
rms_redis_push_t rms_redis_push(const rms_redis_reply_t *reply);


/*
 * src as text of dst (size bytes, terminated): printable ASCII without quotes,
 * anything else becomes "?", what does not fit is left out.
 */
void rms_redis_printable(char *dst, size_t size, const rms_str_t *src);


#endif /* RMS_REDIS_H */
