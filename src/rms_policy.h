/*
 * Roles, what each may do, and the verdict: the one place that decides.
 * Pure functions, any thread; tables are built at load and constant after.
 */

#ifndef RMS_POLICY_H
#define RMS_POLICY_H


#include "rms_types.h"
#include "rms_endpoint.h"
#include "rms_rewrite.h"
#include "rms_soap.h"


typedef enum {
    RMS_ROLE_NONE = 0,
    RMS_ROLE_EXCHANGE,
    RMS_ROLE_SHAREPOINT,
    RMS_ROLE_FCI,
    RMS_ROLE_RMS_SERVER,
    RMS_ROLE_USER,
    RMS_ROLE_PARTNER,
    RMS_ROLE_ADMIN,             /* status and administration only        */
    RMS_ROLE_MAX
} rms_role_e;


/* Why a request was refused; the name is $rms_reason and a counter. */

typedef enum {
    RMS_REASON_NONE = 0,
    RMS_REASON_BAD_PATH,
    RMS_REASON_UNKNOWN_PATH,
    RMS_REASON_METHOD,
    RMS_REASON_NO_CREDENTIALS,
    RMS_REASON_AUTH_CONTINUE,       /* another leg is needed             */
    RMS_REASON_AUTH_FAILED,
    RMS_REASON_AUTH_MALFORMED,      /* header, base64, token             */
    RMS_REASON_AUTH_SCHEME,         /* a scheme this location has not    */
    RMS_REASON_NTLM_NOT_ALLOWED,
    RMS_REASON_LEGS,                /* more legs than allowed, or on HTTP/2 */
    RMS_REASON_REPLAY,
    RMS_REASON_REPLAY_FULL,
    RMS_REASON_AUTH_BUSY,           /* queue of the thread pool is full  */
    RMS_REASON_AUTH_TIMEOUT,
    RMS_REASON_AUTH_UNAVAILABLE,    /* keytab unreadable at run time ... */
    RMS_REASON_STORE_AWAY,          /* rms_on_store_error deny           */
    RMS_REASON_LIST_STALE,          /* rms_acl_max_age                   */
    RMS_REASON_FOREIGN_REALM,
    RMS_REASON_NO_ROLE,             /* no rule names this caller         */
    RMS_REASON_OPERATION,           /* the role may not do this          */
    RMS_REASON_NEVER,               /* nobody may                        */
    RMS_REASON_READ_ONLY,
    RMS_REASON_MEDIA_TYPE,          /* 415                               */
    RMS_REASON_ENCODING,            /* 415: Content-Encoding             */
    RMS_REASON_BAD_ACTION,          /* 400: missing, repeated            */
    RMS_REASON_ACTION_MISMATCH,     /* 400: action is not of this file   */
    RMS_REASON_BODY_MISMATCH,       /* 400: body is not of this action   */
    RMS_REASON_BAD_BODY,            /* 400: not well-formed ...          */
    RMS_REASON_BODY_TOO_LARGE,      /* 413                               */
    RMS_REASON_BODY_MEMORY,         /* 503: rms_body_memory              */
    RMS_REASON_LIMITED,             /* limit_req, limit_conn             */
    RMS_REASON_SUBREQUEST,
    RMS_REASON_NO_VERDICT,          /* hand-over location entered alone  */
    RMS_REASON_BACKEND_REFUSED,     /* backend answered 401 or 407       */
    RMS_REASON_BACKEND_DOWN,        /* 502 by nginx -> 503               */
    RMS_REASON_BACKEND_TIMEOUT,     /* 504 by nginx                      */
    RMS_REASON_BACKEND_ANSWER,      /* an answer we must rewrite and cannot */
    RMS_REASON_INTERNAL,
    RMS_REASON_MAX
} rms_reason_e;


typedef enum {
    RMS_ANSWER_FORWARD = 0,
    RMS_ANSWER_FAULT_UNAUTHORIZED,  /* HTTP 500, SOAP fault              */
    RMS_ANSWER_FAULT_PUBLISHING,    /* HTTP 500, SOAP fault              */
    RMS_ANSWER_401,                 /* with the location's challenges    */
    RMS_ANSWER_STATUS               /* plain text with the status        */
} rms_answer_e;


typedef enum {
    RMS_DENY_FAULT = 0,
    RMS_DENY_401,
    RMS_DENY_403
} rms_deny_e;


typedef enum {
    RMS_READ_ONLY_401 = 0,
    RMS_READ_ONLY_FAULT
} rms_read_only_answer_e;


typedef enum {
    RMS_BACKEND_AZURE = 0,
    RMS_BACKEND_ADRMS
} rms_backend_kind_e;


typedef enum {
    RMS_IDENTITY_NONE = 0,
    RMS_IDENTITY_FILE
} rms_identity_e;


/* What may be done: one bit per (role, operation), by file where it matters. */

typedef struct {
    uint32_t    grant[RMS_ROLE_MAX];    /* bit = operation, added        */
    uint32_t    revoke[RMS_ROLE_MAX];   /* bit = operation, removed      */
} rms_grants_t;


/* What the decision needs to know of a backend. */

typedef struct {
    rms_backend_kind_e      kind;
    rms_identity_e          identity;
    rms_licensor_t          licensor;       /* len 0: not routed by it   */
    unsigned                read_only:1;
    rms_read_only_answer_e  read_only_answer;
} rms_backend_t;


/* The verdict: computed once, nothing else decides. */

typedef struct {
    unsigned            computed:1;     /* 0: denied                     */
    unsigned            allow:1;
    rms_reason_e        reason;
    rms_answer_e        answer;
    unsigned            status;         /* HTTP status of a denial       */
    size_t              backend;        /* index into the rms_pass list  */
    unsigned            attach_identity:1;
    rms_rewrite_rule_e  rewrite;
} rms_verdict_t;


typedef struct {
    rms_role_e              role;
    unsigned                authenticated:1;
    const rms_endpoint_t   *endpoint;
    rms_operation_e         op;
    const rms_licensor_t   *licensor;   /* may be NULL                   */
    const rms_grants_t     *grants;     /* may be NULL                   */
    rms_deny_e              deny;
    const rms_backend_t    *backends;
    size_t                  n_backends; /* at least 1                    */
} rms_question_t;


/*
 * Names as the configuration language and the variables write them.
 * rms_role_parse: RMS_OK or RMS_DECLINED.
 */
const rms_str_t *rms_role_name(rms_role_e role);
rms_rc_e rms_role_parse(const rms_str_t *name, rms_role_e *role);
const rms_str_t *rms_reason_name(rms_reason_e reason);


/*
 * Adds an operation to (or takes it from) a role.  Name is an operation's
 * name, or for Certify "Certify", "ServerCertify" (ServerCertification.asmx),
 * "MobileCertify" (mobilecertification, mobiledevicecertification,
 * maccertification), or "External" (any operation below a ...external
 * directory the role may call inside).  RMS_OK; RMS_DECLINED: no such name;
 * RMS_UNSUPPORTED: nobody may ever (SubEnroll, AcquireContentKey, Activate,
 * Enroll), or the role is admin.
 */
rms_rc_e rms_policy_grant(rms_grants_t *grants, rms_role_e role,
    const rms_str_t *name);
rms_rc_e rms_policy_revoke(rms_grants_t *grants, rms_role_e role,
    const rms_str_t *name);


/*
 * What rms_grant would need for this call, as event 2001 prints it: a name, or
 * two with a blank between ("External AcquireLicense").  NULL when nobody may
 * ever, or when this file does not serve this operation.
 */
const rms_str_t *rms_policy_grant_name(const rms_endpoint_t *ep,
    rms_operation_e op);


/* May this role use this operation at this file?  The table of the design. */
int rms_policy_may(rms_role_e role, const rms_endpoint_t *ep,
    rms_operation_e op, const rms_grants_t *grants);


/* The backend for a licensor: the first with this GUID, else 0. */
size_t rms_policy_route(const rms_backend_t *backends, size_t n,
    const rms_licensor_t *licensor);


/*
 * The decision, in this order: never, role, operation, read-only.  Publishing
 * in read-only is denied by operation and by file ([protocol] 8.1).
 * An identity of ours is attached only for authenticated exchange,
 * sharepoint, fci and rms_server (law 3).
 */
rms_verdict_t rms_policy_decide(const rms_question_t *q);


/*
 * Role and operation alone, before the body is read; allow = 1 means "go on",
 * not "forward".
 */
rms_verdict_t rms_policy_admit(const rms_question_t *q);


/*
 * A denial made outside of rms_policy_decide(): a computed verdict with this
 * reason and the HTTP status it stands for (400, 401, 403, 404, 405, 413, 415,
 * 500, 502, 503, 504).  401 is RMS_ANSWER_401, others RMS_ANSWER_STATUS.
 */
rms_verdict_t rms_policy_refuse(rms_reason_e reason);


#endif /* RMS_POLICY_H */
