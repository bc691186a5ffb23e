
/*
 * Types and prototypes the files of the glue share.  The glue owns phases,
 * memory, sockets, timers and shared memory; what a request means and what
 * may happen to it is decided in src/ (rms_*).
 */

#ifndef _NGX_HTTP_RMS_MODULE_H_INCLUDED_
#define _NGX_HTTP_RMS_MODULE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#define RMS_HOST_STR  ngx_str_t

#include "rms_types.h"
#include "rms_acl.h"
#include "rms_acl_pattern.h"
#include "rms_acl_text.h"
#include "rms_backoff.h"
#include "rms_cbind.h"
#include "rms_endpoint.h"
#include "rms_gss.h"
#include "rms_gss_ntlm.h"
#include "rms_inflate.h"
#include "rms_media.h"
#include "rms_metrics.h"
#include "rms_negotiate.h"
#include "rms_node.h"
#include "rms_outcome.h"
#include "rms_policy.h"
#include "rms_replay.h"
#include "rms_revoked.h"
#include "rms_rewrite.h"
#include "rms_seal.h"
#include "rms_session.h"
#include "rms_sid_pack.h"
#include "rms_soap.h"
#include "rms_store.h"
#include "rms_url.h"

#include "ngx_http_rms_zone.h"


#if !(NGX_THREADS)
#error ngx_http_rms_module needs nginx built --with-threads
#endif


#define NGX_HTTP_RMS_VERSION       "0.1.0"

#define NGX_HTTP_RMS_AUTH_OFF        0x00
#define NGX_HTTP_RMS_AUTH_NEGOTIATE  0x01
#define NGX_HTTP_RMS_AUTH_NTLM       0x02
#define NGX_HTTP_RMS_AUTH_CERT       0x04

#define NGX_HTTP_RMS_SESSION_OFF     0
#define NGX_HTTP_RMS_SESSION_CONNECTION  1
#define NGX_HTTP_RMS_SESSION_COOKIE  2

#define NGX_HTTP_RMS_INSPECT_ON    0
#define NGX_HTTP_RMS_INSPECT_STRICT  1

#define NGX_HTTP_RMS_REPLAY_OFF    0
#define NGX_HTTP_RMS_REPLAY_LOCAL  1
#define NGX_HTTP_RMS_REPLAY_SHARED 2

/* without Redis: go on with what the node has, or answer 503 */
#define NGX_HTTP_RMS_STORE_LOCAL   0
#define NGX_HTTP_RMS_STORE_DENY    1

#define NGX_HTTP_RMS_ANONYMOUS_BODY  (1024 * 1024)

/* bytes of a change of the shared list */
#define NGX_HTTP_RMS_ADMIN_BODY      (1024 * 1024)

/* a body is stored with its framing: chunks, or the frames of HTTP/3 */
#define ngx_http_rms_stored_framed(r)                                         \
    ((r)->headers_in.chunked || (r)->http_version > NGX_HTTP_VERSION_20)

/* bytes such a body of so many may take with it */
#define ngx_http_rms_framed(size)  ((size) + (size) / 4)

/* and what the frames of a short one may: their headers, and unknown ones */
#define NGX_HTTP_RMS_FRAMES        1024

/* milliseconds a login may stay on the thread pool before it is given up */
#define NGX_HTTP_RMS_TASK_TIMEOUT  30000

/*
 * and how long a worker that leaves waits for a thread that asks the KDC, which
 * nobody waits for any more: libkrb5 gives up long before
 */
#define NGX_HTTP_RMS_ORPHAN_TIMEOUT  (15 * 60 * 1000)

/* milliseconds a half-done handshake may wait for its next leg */
#define NGX_HTTP_RMS_LEG_TIMEOUT   30000

/* half-done handshakes of a worker; the oldest one goes for a newer one */
#define NGX_HTTP_RMS_LEGS_MAX      1024

#define NGX_HTTP_RMS_RETRY_AFTER   "10"

/* seconds a session may last at most */
#define NGX_HTTP_RMS_SESSION_MAX   (7 * 24 * 3600)


/* failed logins of a worker whose answer waits at one time */
#define NGX_HTTP_RMS_HELD_MAX      1024

/* bytes that name what identities of a location are good for */
#define NGX_HTTP_RMS_SCOPE         16


typedef struct ngx_http_rms_callers_s  ngx_http_rms_callers_t;
typedef struct ngx_http_rms_ctx_s   ngx_http_rms_ctx_t;
typedef struct ngx_http_rms_explain_s  ngx_http_rms_explain_t;
typedef struct ngx_http_rms_main_conf_s  ngx_http_rms_main_conf_t;
typedef struct ngx_http_rms_task_s  ngx_http_rms_task_t;


/* What tells one version of a file from another. */

typedef struct {
    struct timespec              mtime;
    struct timespec              ctime;
    ino_t                        inode;
    off_t                        size;
} ngx_http_rms_stamp_t;


/* An identity of ours: one Authorization value, read again when it changes. */

typedef struct {
    ngx_str_t                    path;
    ngx_str_t                    value;         /* malloc'd, wiped on change */
    ngx_http_rms_stamp_t         stamp;
    ngx_uint_t                   failed;
} ngx_http_rms_identity_t;


/* A file of rules, and who goes by it. */

typedef struct {
    ngx_str_t                    path;
    ngx_array_t                  lists;         /* ngx_http_rms_list_t * */
    ngx_http_rms_stamp_t         stamp;
    time_t                       looked;        /* and found unchanged */
    ngx_uint_t                   failed;
    ngx_str_t                    text;          /* at load only */
} ngx_http_rms_acl_file_t;


typedef struct {
    ngx_str_t                    name;
    rms_backend_t                policy;
    ngx_str_t                    pass;          /* "@azure" */
    ngx_array_t                  bases;         /* rms_str_t */
    rms_url_t                    first;         /* the first base, parsed */
    ngx_str_t                    path;          /* "/_wmcs" */
    ngx_str_t                    upstream_host;
    ngx_str_t                    tenant;        /* first base less /_wmcs */
    ngx_http_rms_identity_t     *identity;
    ngx_uint_t                   slot;          /* in the zone */
    ngx_uint_t                   tls;           /* 0 no, 1 verified, 2 not */
    ngx_uint_t                   used;          /* named in an rms_pass */
    ngx_uint_t                   given;         /* bits of parameters */
    u_char                      *file;
    ngx_uint_t                   line;
} ngx_http_rms_backend_conf_t;


/* A keytab and the acceptor that reads it; one per path. */

typedef struct {
    ngx_str_t                    path;
    rms_gss_acceptor_t          *acceptor;
} ngx_http_rms_keytab_t;


struct ngx_http_rms_main_conf_s {
    ngx_flag_t                   used;
    ngx_str_t                    zone_name;
    ssize_t                      zone_size;
    ngx_shm_zone_t              *shm_zone;
    ngx_http_rms_zone_t         *zone;
    ngx_str_t                    krb5_pool_name;
    ngx_thread_pool_t           *krb5_pool;
    ngx_str_t                    ntlm_pool_name;
    ngx_thread_pool_t           *ntlm_pool;
    size_t                       body_memory;
    ngx_array_t                  backends;      /* of pointers, as below */
    ngx_array_t                  keytabs;       /* ngx_http_rms_keytab_t * */
    ngx_array_t                  lists;         /* ngx_http_rms_list_t * */
    ngx_array_t                  acl_files;     /* ... _acl_file_t * */
    ngx_array_t                  identities;    /* ngx_http_rms_identity_t * */
    ngx_array_t                  nameless;      /* ngx_http_rms_nameless_t */
    ngx_array_t                  passing;       /* ngx_http_rms_passing_t */
    ngx_array_t                  cookies;       /* names, ngx_str_t */
    ngx_http_rms_callers_t      *callers;       /* of this worker, or NULL */
    struct ngx_http_rms_redis_s *redis;         /* NULL: one node */
    rms_seal_ring_t             *seal;          /* NULL: no keys */
    ngx_str_t                    state_file;
    ngx_thread_pool_t           *state_pool;
    ngx_atomic_uint_t            generation;    /* pool.loads, when loaded */
    u_char                       digest[RMS_NODE_CONF];  /* of all this */
};


/*
 * Rules as they are at one time.  Those of a file give way to new ones while
 * requests still refer to them, hence the count and the pool.
 */

typedef struct ngx_http_rms_rules_s  ngx_http_rms_rules_t;

struct ngx_http_rms_rules_s {
    rms_acl_rule_t              *rules;
    size_t                       n;
    size_t                       own;           /* index: those of the file */
    uint32_t                     own_hash;
    uint32_t                     hash;
    ngx_uint_t                   wants_sids;
    ngx_uint_t                   refs;
    ngx_pool_t                  *pool;          /* NULL: the cycle's */
    struct ngx_http_rms_rules_s  *base;         /* it begins with, or NULL */
};


/*
 * The list of a location: its lines of rms_allow, then those of its file, then
 * those of the shared list.
 */

typedef struct {
    ngx_array_t                 *allow;         /* rms_acl_rule_t, or NULL */
    ngx_http_rms_acl_file_t     *file;          /* or NULL */
    ngx_http_rms_rules_t        *base;          /* of the configuration */
    ngx_http_rms_rules_t        *rules;         /* that requests go by */
    ngx_http_rms_rules_t        *next;          /* while a file is read */
    ngx_http_rms_main_conf_t    *rmcf;          /* NULL: no shared list */
    ngx_atomic_uint_t            changes;       /* of it, in rules */
    ngx_uint_t                   relays;        /* of an rms_pass ... */
    ngx_uint_t                   logins;        /* ... that asks for a login */
} ngx_http_rms_list_t;


typedef struct {
    ngx_uint_t                   auth;          /* bits */
    ngx_array_t                 *pass;          /* of backends */
    rms_backend_t               *policies;      /* the same, for the core */
    ngx_str_t                    keytab;
    ngx_http_rms_keytab_t       *acceptor;
    ngx_str_t                    ntlm_user_file;
    rms_gss_ntlm_t              *ntlm;
    u_char                       scope[NGX_HTTP_RMS_SCOPE];
    ngx_array_t                 *allow;         /* rms_acl_rule_t */
    ngx_http_rms_acl_file_t     *acl_file;
    ngx_flag_t                   acl_shared;
    time_t                       acl_max_age;   /* seconds, 0: any */
    ngx_uint_t                   store_error;
    ngx_http_rms_list_t         *list;
    rms_grants_t                *grants;
    ngx_array_t                 *domains;       /* ngx_keyval_t */
    ngx_uint_t                   deny;
    ngx_uint_t                   inspect;
    ngx_uint_t                   replay;
    ngx_uint_t                   binding;
    ngx_uint_t                   session;
    ngx_str_t                    session_name;
    time_t                       session_ttl;
    time_t                       session_idle;
    ngx_http_complex_value_t    *public_url;
    ngx_flag_t                   status;
    ngx_flag_t                   admin;
    ngx_flag_t                   health;
    ngx_flag_t                   handover;      /* a backend's pass location */
    u_char                      *pass_file;     /* where rms_pass stands */
    ngx_uint_t                   pass_line;
} ngx_http_rms_loc_conf_t;


/* An "if" or limit_except: no location tree shows it. */

typedef struct {
    ngx_http_core_srv_conf_t    *cscf;
    ngx_http_core_loc_conf_t    *clcf;
    ngx_http_rms_loc_conf_t     *parent;
} ngx_http_rms_nameless_t;


/* A location of rms_pass. */

typedef struct {
    ngx_str_t                    server;
    ngx_str_t                    location;
    ngx_http_rms_loc_conf_t     *conf;
} ngx_http_rms_passing_t;


/*
 * Who was identified, however that was done: in a pool of its own, since the
 * requests of a connection or of a cookie share it.  Constant, but for the time
 * it was seen and what is known of revocations.
 */

typedef struct {
    ngx_pool_t                  *pool;
    ngx_uint_t                   refs;
    rms_session_mech_e           mech;
    ngx_str_t                    account;       /* empty: a certificate's */
    ngx_str_t                    name;          /* for lines, never empty */
    ngx_str_t                    service;
    rms_sid_set_t               *sids;          /* NULL: not known */
    const rms_sid_t             *user;          /* of these, or NULL */
    const char                  *sids_why;      /* they are not known */
    rms_cert_names_t            *cert;          /* or NULL */
    time_t                       created;
    time_t                       seen;
    uint64_t                     epoch;         /* of revocations */
    uint64_t                     revoked;       /* the last of them that ... */
    ngx_atomic_uint_t            changes;       /* ... was there by then */
    u_char                       scope[NGX_HTTP_RMS_SCOPE];
    unsigned                     foreign:1;
    unsigned                     bound:1;       /* to the TLS channel */
    unsigned                     unasked:1;     /* for its SIDs */
} ngx_http_rms_caller_t;


/* A handshake that waits for its next leg. */

typedef struct {
    rms_gss_context_t           *context;
    rms_session_mech_e           mech;
    ngx_uint_t                   legs;
    uint64_t                     epoch;         /* of the first one */
    u_char                      *scope;
    ngx_event_t                  expire;
    ngx_queue_t                  queue;
} ngx_http_rms_leg_t;


typedef struct {
    ngx_atomic_uint_t            number;
    ngx_http_rms_leg_t           leg;
    ngx_http_rms_caller_t       *caller;
} ngx_http_rms_conn_t;


typedef enum {
    NGX_HTTP_RMS_ANONYMOUS = 0,
    NGX_HTTP_RMS_WAITING,                       /* on the thread pool */
    NGX_HTTP_RMS_IDENTIFIED,
    NGX_HTTP_RMS_REFUSED
} ngx_http_rms_auth_state_e;


struct ngx_http_rms_ctx_s {
    ngx_http_rms_loc_conf_t     *conf;          /* of the rms location */

    /* 1 classify */
    rms_path_t                   path;
    ngx_uint_t                   classified;

    /* 2 identify */
    ngx_http_rms_auth_state_e    auth_state;
    ngx_int_t                    auth_status;   /* when refused */
    rms_reason_e                 auth_reason;
    ngx_http_rms_task_t         *task;
    ngx_http_rms_caller_t       *caller;        /* NULL: nobody yet */
    rms_scheme_e                 scheme;
    ngx_str_t                    auth_token;    /* base64, for the client */
    ngx_table_elt_t             *challenge[2];
    ngx_uint_t                   session;       /* that told who it is */
    ngx_uint_t                   remote;        /* Redis was asked for it */
    ngx_str_t                    cookie;        /* to set with the answer */
    uint64_t                     epoch;         /* when the login began */

    /* 3 authorise */
    ngx_http_rms_rules_t        *rules;         /* acl.rule is one of them */
    rms_acl_answer_t             acl;
    ngx_uint_t                   authorised;

    /* 4 inspect */
    rms_media_t                  media;
    const rms_operation_t       *operation;
    rms_licensor_t               licensor;
    size_t                       body_limit;
    ngx_uint_t                   reading;       /* the body, once */
    size_t                       body_reserved;
    size_t                       anonymous_reserved;
    size_t                       body_seen;

    /* 5 decide */
    rms_verdict_t                verdict;
    ngx_http_rms_backend_conf_t *backend;
    ngx_uint_t                   handed_over;
    ngx_uint_t                   entered;       /* the hand-over location */
    ngx_str_t                    uri;           /* as handed over */

    /* 8 rewrite */
    ngx_uint_t                   collecting;
    void                       (*finalize)(ngx_http_request_t *r,
                                           ngx_int_t rc);
    ngx_uint_t                   token_added;
    rms_reason_e                 answer_reason;
    rms_coding_e                 coding;
    u_char                      *answer;
    size_t                       answer_len;
    size_t                       answer_size;
    ngx_str_t                    plain;         /* replaces an error page */
    ngx_uint_t                   plain_sent;

    /* 9 account */
    ngx_uint_t                   accounting;
    rms_outcome_t                outcome;

    ngx_http_rms_explain_t      *explain;       /* while it asks the KDC */

    u_char                       id[33];        /* hex, NUL-terminated */
};


extern ngx_module_t  ngx_http_rms_module;
extern ngx_module_t  ngx_http_rms_filter_module;


/* ngx_http_rms_acl.c */

rms_acl_answer_t ngx_http_rms_role(ngx_http_rms_rules_t *rules,
    ngx_http_rms_caller_t *caller);
void ngx_http_rms_authorise(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx);

/* ngx_http_rms_ctx.c */

ngx_http_rms_ctx_t *ngx_http_rms_ctx_get(ngx_http_request_t *r);
ngx_http_rms_ctx_t *ngx_http_rms_ctx_create(ngx_http_request_t *r);
ngx_int_t ngx_http_rms_body_reserve(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx);
rms_mem_t ngx_http_rms_mem(ngx_pool_t *pool);
u_char *ngx_http_rms_request_id(ngx_http_rms_ctx_t *ctx);
rms_reason_e ngx_http_rms_reason(ngx_http_rms_ctx_t *ctx);

/* ngx_http_rms_headers.c */

void ngx_http_rms_header_hide(ngx_list_t *headers, const char *name,
    size_t len);
ngx_uint_t ngx_http_rms_header_find(ngx_list_t *headers, const char *name,
    size_t len, rms_str_t *values, ngx_uint_t max);
ngx_int_t ngx_http_rms_header_in(ngx_http_request_t *r, const char *name,
    ngx_str_t *value, ngx_uint_t hidden);
ngx_table_elt_t *ngx_http_rms_header_out(ngx_http_request_t *r,
    const char *name, ngx_str_t *value);
ngx_int_t ngx_http_rms_challenge(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx, ngx_str_t *token);
ngx_int_t ngx_http_rms_token_value(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx, ngx_str_t *token, ngx_str_t *value);
ngx_int_t ngx_http_rms_drop_identity(ngx_http_request_t *r);
ngx_int_t ngx_http_rms_prepare_headers(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx);

/* ngx_http_rms_auth.c */

ngx_uint_t ngx_http_rms_ntlm_possible(ngx_http_request_t *r,
    ngx_http_rms_loc_conf_t *rlcf);
ngx_int_t ngx_http_rms_access_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_rms_preaccess_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_rms_classify(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx);
ngx_int_t ngx_http_rms_refuse(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx,
    rms_reason_e reason, ngx_int_t status);

/* ngx_http_rms_auth_gss.c */

ngx_int_t ngx_http_rms_gss_start(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx, rms_str_t *token, rms_session_mech_e mech,
    ngx_http_rms_conn_t *conn);

/* ngx_http_rms_conn.c */

void ngx_http_rms_conn_init(void);
ngx_http_rms_conn_t *ngx_http_rms_conn_find(ngx_connection_t *c);
ngx_http_rms_conn_t *ngx_http_rms_conn_get(ngx_connection_t *c);
void ngx_http_rms_conn_bind(ngx_http_rms_conn_t *conn,
    ngx_http_rms_caller_t *caller);
ngx_int_t ngx_http_rms_leg_keep(ngx_connection_t *c,
    ngx_http_rms_leg_t *given);
rms_gss_context_t *ngx_http_rms_leg_take(ngx_http_rms_conn_t *conn);

/* ngx_http_rms_caller.c */

ngx_http_rms_caller_t *ngx_http_rms_caller_create(
    ngx_http_rms_loc_conf_t *rlcf, rms_session_mech_e mech);
ngx_http_rms_caller_t *ngx_http_rms_caller_login(ngx_http_rms_loc_conf_t *rlcf,
    rms_session_mech_e mech, rms_gss_login_t *login);
void ngx_http_rms_caller_free(ngx_http_rms_caller_t *caller);
void ngx_http_rms_caller_set(ngx_http_rms_ctx_t *ctx,
    ngx_http_rms_caller_t *caller);
ngx_uint_t ngx_http_rms_caller_fits(ngx_http_rms_caller_t *caller,
    ngx_http_rms_loc_conf_t *rlcf);
ngx_str_t *ngx_http_rms_account_name(ngx_http_rms_ctx_t *ctx);
const ngx_str_t *ngx_http_rms_mech_name(rms_session_mech_e mech);

/* ngx_http_rms_relay.c */

ngx_int_t ngx_http_rms_pass_handler(ngx_http_request_t *r);

/* ngx_http_rms_answer.c */

ngx_int_t ngx_http_rms_answer(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx);
ngx_int_t ngx_http_rms_page(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx);
ngx_int_t ngx_http_rms_plain_text(ngx_http_request_t *r, ngx_uint_t status,
    rms_reason_e reason, ngx_str_t *out);
ngx_int_t ngx_http_rms_send(ngx_http_request_t *r, ngx_uint_t status,
    const ngx_str_t *type, const ngx_str_t *body);
ngx_int_t ngx_http_rms_whole_body(ngx_http_request_t *r,
    const ngx_str_t *body, ngx_chain_t *out);

/* ngx_http_rms_event.c */

void ngx_http_rms_event(ngx_uint_t level, ngx_log_t *log, ngx_uint_t id,
    const char *fmt, ...);
void ngx_http_rms_log_verdict(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx);
void ngx_http_rms_log_caller(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx);
void ngx_http_rms_log_lists(ngx_cycle_t *cycle,
    ngx_http_rms_main_conf_t *rmcf);
void ngx_http_rms_log_change(ngx_http_rms_main_conf_t *rmcf,
    ngx_http_rms_acl_file_t *file, ngx_log_t *log);
ngx_str_t ngx_http_rms_escape(ngx_pool_t *pool, const rms_str_t *value);

/* ngx_http_rms_filter_module.c */

ngx_int_t ngx_http_rms_next_header(ngx_http_request_t *r);
ngx_int_t ngx_http_rms_next_body(ngx_http_request_t *r, ngx_chain_t *in);
ngx_int_t ngx_http_rms_instead(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx,
    ngx_uint_t status, rms_reason_e reason);
void ngx_http_rms_leave_backend(ngx_http_request_t *r);
ngx_int_t ngx_http_rms_add_token(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx);

/* ngx_http_rms_rewrite.c */

ngx_int_t ngx_http_rms_collect_start(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx);
ngx_int_t ngx_http_rms_collect(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx,
    ngx_buf_t *b);
ngx_int_t ngx_http_rms_map_locations(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx);

/* ngx_http_rms_identity.c */

void ngx_http_rms_identity_look(ngx_http_rms_main_conf_t *rmcf,
    ngx_http_rms_identity_t *identity, ngx_log_t *log);

/* ngx_http_rms_session.c */

void ngx_http_rms_session_merge(ngx_http_rms_loc_conf_t *prev,
    ngx_http_rms_loc_conf_t *conf);
ngx_int_t ngx_http_rms_session_find(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx);
void ngx_http_rms_session_begin(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx);
void ngx_http_rms_session_unbind(ngx_http_request_t *r);
ngx_uint_t ngx_http_rms_session_short(ngx_http_rms_ctx_t *ctx,
    ngx_http_rms_caller_t *caller);

/* ngx_http_rms_cookie.c */

ngx_int_t ngx_http_rms_cookie_find(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx);
void ngx_http_rms_cookie_begin(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx);

/* ngx_http_rms_remote.c */

ngx_int_t ngx_http_rms_remote_find(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx, const rms_store_key_t *key);
void ngx_http_rms_remote_put(ngx_http_rms_main_conf_t *rmcf,
    const rms_store_key_t *key, const rms_str_t *text, uint64_t expires,
    ngx_uint_t only);
void ngx_http_rms_remote_delete(ngx_http_rms_main_conf_t *rmcf,
    const rms_store_key_t *key);

/* ngx_http_rms_callers.c */

ngx_http_rms_caller_t *ngx_http_rms_callers_find(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx, const rms_store_key_t *key);
void ngx_http_rms_callers_keep(ngx_http_request_t *r,
    const rms_store_key_t *key, uint32_t number,
    const rms_session_t *session, ngx_http_rms_caller_t *caller);

/* ngx_http_rms_record.c */

ngx_int_t ngx_http_rms_record_caller(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx, const rms_store_key_t *key,
    ngx_http_rms_caller_t **caller);
rms_rc_e ngx_http_rms_record_write(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx, const rms_store_key_t *key);
void ngx_http_rms_last_login(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx);
ngx_int_t ngx_http_rms_last_login_read(ngx_http_request_t *r,
    const rms_str_t *account, ngx_pool_t *pool, rms_sid_set_t *sids,
    time_t *when, ngx_uint_t *foreign);

/* ngx_http_rms_rules.c */

ngx_http_rms_rules_t *ngx_http_rms_rules_now(ngx_http_rms_list_t *list);
ngx_http_rms_rules_t *ngx_http_rms_rules_hold(ngx_http_rms_list_t *list);
ngx_http_rms_rules_t *ngx_http_rms_rules_create(ngx_pool_t *pool);
void ngx_http_rms_rules_close(ngx_http_rms_rules_t *rules, size_t own);
ngx_uint_t ngx_http_rms_rules_mixed(ngx_http_rms_list_t *list,
    ngx_http_rms_rules_t *rules, rms_acl_text_error_t *error);
void ngx_http_rms_rules_free(ngx_http_rms_rules_t *rules);
void ngx_http_rms_acl_file_look(ngx_http_rms_main_conf_t *rmcf,
    ngx_http_rms_acl_file_t *file, ngx_log_t *log);
const rms_acl_rule_t *ngx_http_rms_partner_mix(ngx_http_rms_list_t *list,
    ngx_http_rms_rules_t *rules, const char **why);
rms_acl_regex_t ngx_http_rms_regex(ngx_pool_t *pool);

/* ngx_http_rms_shared.c */

void ngx_http_rms_shared_renew(ngx_http_rms_list_t *list);
rms_rc_e ngx_http_rms_shared_check(ngx_http_rms_main_conf_t *rmcf,
    const rms_str_t *text, ngx_pool_t *pool, rms_acl_text_error_t *error);
ngx_int_t ngx_http_rms_store_await(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx);
ngx_int_t ngx_http_rms_store_check(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx);
rms_reason_e ngx_http_rms_store_closed(ngx_http_rms_main_conf_t *rmcf,
    ngx_http_rms_loc_conf_t *rlcf);
time_t ngx_http_rms_shared_age(ngx_http_rms_main_conf_t *rmcf);

/* ngx_http_rms_replay.c */

/* NGX_OK: the token is new; NGX_BUSY: it was seen; NGX_DECLINED: not known. */

typedef void (*ngx_http_rms_replayed_pt)(void *data, ngx_int_t rc);

typedef struct {
    ngx_http_rms_replayed_pt     handler;
    void                        *data;
} ngx_http_rms_replaying_t;

ngx_int_t ngx_http_rms_replay_share(ngx_http_rms_main_conf_t *rmcf,
    const unsigned char *hash, ngx_http_rms_replaying_t *replaying);

/* ngx_http_rms_watch.c */

void ngx_http_rms_watch_init_worker(ngx_cycle_t *cycle,
    ngx_http_rms_main_conf_t *rmcf);
void ngx_http_rms_stamp(ngx_http_rms_stamp_t *stamp, ngx_file_info_t *fi);
ngx_uint_t ngx_http_rms_stamp_differs(ngx_http_rms_stamp_t *stamp,
    ngx_file_info_t *fi);

/* ngx_http_rms_zone.c */

void ngx_http_rms_count(ngx_http_request_t *r, rms_count_e id, ngx_uint_t n);
void ngx_http_rms_count_reason(ngx_http_request_t *r, rms_reason_e reason);
void ngx_http_rms_count_verdict(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx);
void ngx_http_rms_count_answer(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx, rms_reason_e reason);
ngx_http_rms_shared_t *ngx_http_rms_shared(ngx_http_request_t *r);
ngx_slab_pool_t *ngx_http_rms_shpool(ngx_http_request_t *r);
rms_replay_e ngx_http_rms_replay_check(ngx_http_request_t *r,
    const unsigned char *hash, ngx_uint_t known);
ngx_http_rms_zone_t *ngx_http_rms_zone(ngx_http_request_t *r);
ngx_uint_t ngx_http_rms_tell(ngx_http_rms_zone_t *zone, ngx_str_t *path,
    uint32_t rules);

/* ngx_http_rms_revoke.c */

uint64_t ngx_http_rms_epoch(ngx_http_request_t *r);
uint64_t ngx_http_rms_revoked(ngx_http_rms_zone_t *zone,
    const rms_str_t *account);
uint64_t ngx_http_rms_caller_revoked(ngx_http_request_t *r,
    ngx_http_rms_caller_t *caller);

/* ngx_http_rms_backoff.c */

ngx_msec_t ngx_http_rms_backoff_failed(ngx_http_request_t *r,
    const rms_str_t *claimed);
void ngx_http_rms_backoff_passed(ngx_http_request_t *r,
    ngx_http_rms_caller_t *caller);

/* ngx_http_rms_cert.c */

ngx_int_t ngx_http_rms_cert_identify(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx);
void ngx_http_rms_binding(ngx_http_request_t *r,
    ngx_http_rms_loc_conf_t *rlcf, rms_gss_login_t *login);
#if (NGX_HTTP_SSL)
void ngx_http_rms_binding_sessions(SSL_CTX *ssl);
#endif
ngx_uint_t ngx_http_rms_tls(ngx_http_request_t *r);


#endif /* _NGX_HTTP_RMS_MODULE_H_INCLUDED_ */
