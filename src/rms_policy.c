/*
 * Roles, what each may do, and the verdict: the one place that decides.
 * Pure functions and constant tables, any thread; nothing is allocated.
 */

#include "rms_policy.h"


/*
 * Certify means different things at different files, and a federation
 * directory is a permission of its own: these have bits of their own above
 * the operations.
 */

enum {
    RMS_GRANT_SERVER_CERTIFY = RMS_OP_MAX,
    RMS_GRANT_MOBILE_CERTIFY,
    RMS_GRANT_EXTERNAL,
    RMS_GRANT_MAX
};


_Static_assert(RMS_GRANT_MAX <= 32, "a grant must fit into 32 bits");


#define rms_bit(n)  ((uint32_t) 1 << (n))


typedef struct {
    rms_answer_e    answer;
    unsigned        status;
} rms_denial_t;


typedef struct {
    rms_str_t       name;
    unsigned        status;
} rms_reason_t;


static rms_verdict_t rms_policy_deny(rms_reason_e reason,
    const rms_denial_t *denial);
static const rms_denial_t *rms_policy_denial(rms_deny_e deny);
static int rms_policy_publishes(const rms_question_t *q);
static int rms_policy_identified(const rms_question_t *q,
    const rms_backend_t *backend);
static unsigned rms_policy_bit(const rms_endpoint_t *ep, rms_operation_e op);
static rms_rc_e rms_policy_adjustable(rms_role_e role, const rms_str_t *name,
    uint32_t *mask);
static rms_rc_e rms_policy_mask(const rms_str_t *name, uint32_t *mask);


static const rms_str_t  rms_role_names[RMS_ROLE_MAX] = {
    [RMS_ROLE_NONE] = rms_string("none"),
    [RMS_ROLE_EXCHANGE] = rms_string("exchange"),
    [RMS_ROLE_SHAREPOINT] = rms_string("sharepoint"),
    [RMS_ROLE_FCI] = rms_string("fci"),
    [RMS_ROLE_RMS_SERVER] = rms_string("rms_server"),
    [RMS_ROLE_USER] = rms_string("user"),
    [RMS_ROLE_PARTNER] = rms_string("partner"),
    [RMS_ROLE_ADMIN] = rms_string("admin")
};


/*
 * The status of a refusal outside of the decision.  A 401 starts or restarts
 * a handshake; where that would only loop (NTLM that is switched off, too
 * many legs) the answer is 403.
 */

static const rms_reason_t  rms_reasons[RMS_REASON_MAX] = {
    [RMS_REASON_NONE] = { rms_string("none"), 500 },
    [RMS_REASON_BAD_PATH] = { rms_string("bad_path"), 400 },
    [RMS_REASON_UNKNOWN_PATH] = { rms_string("unknown_path"), 404 },
    [RMS_REASON_METHOD] = { rms_string("method"), 405 },
    [RMS_REASON_NO_CREDENTIALS] = { rms_string("no_credentials"), 401 },
    [RMS_REASON_AUTH_CONTINUE] = { rms_string("auth_continue"), 401 },
    [RMS_REASON_AUTH_FAILED] = { rms_string("auth_failed"), 401 },
    [RMS_REASON_AUTH_MALFORMED] = { rms_string("auth_malformed"), 401 },
    [RMS_REASON_AUTH_SCHEME] = { rms_string("auth_scheme"), 401 },
    [RMS_REASON_NTLM_NOT_ALLOWED] = { rms_string("ntlm_not_allowed"), 403 },
    [RMS_REASON_LEGS] = { rms_string("legs"), 403 },
    [RMS_REASON_REPLAY] = { rms_string("replay"), 401 },
    [RMS_REASON_REPLAY_FULL] = { rms_string("replay_full"), 503 },
    [RMS_REASON_AUTH_BUSY] = { rms_string("auth_busy"), 503 },
    [RMS_REASON_AUTH_TIMEOUT] = { rms_string("auth_timeout"), 503 },
    [RMS_REASON_AUTH_UNAVAILABLE] = { rms_string("auth_unavailable"), 503 },
    [RMS_REASON_STORE_AWAY] = { rms_string("store_away"), 503 },
    [RMS_REASON_LIST_STALE] = { rms_string("list_stale"), 503 },
    [RMS_REASON_FOREIGN_REALM] = { rms_string("foreign_realm"), 403 },
    [RMS_REASON_NO_ROLE] = { rms_string("no_role"), 403 },
    [RMS_REASON_OPERATION] = { rms_string("operation"), 403 },
    [RMS_REASON_NEVER] = { rms_string("never"), 403 },
    [RMS_REASON_READ_ONLY] = { rms_string("read_only"), 401 },
    [RMS_REASON_MEDIA_TYPE] = { rms_string("media_type"), 415 },
    [RMS_REASON_ENCODING] = { rms_string("encoding"), 415 },
    [RMS_REASON_BAD_ACTION] = { rms_string("bad_action"), 400 },
    [RMS_REASON_ACTION_MISMATCH] = { rms_string("action_mismatch"), 400 },
    [RMS_REASON_BODY_MISMATCH] = { rms_string("body_mismatch"), 400 },
    [RMS_REASON_BAD_BODY] = { rms_string("bad_body"), 400 },
    [RMS_REASON_BODY_TOO_LARGE] = { rms_string("body_too_large"), 413 },
    [RMS_REASON_BODY_MEMORY] = { rms_string("body_memory"), 503 },
    [RMS_REASON_LIMITED] = { rms_string("limited"), 503 },
    [RMS_REASON_SUBREQUEST] = { rms_string("subrequest"), 403 },
    [RMS_REASON_NO_VERDICT] = { rms_string("no_verdict"), 403 },
    [RMS_REASON_BACKEND_REFUSED] = { rms_string("backend_refused"), 502 },
    [RMS_REASON_BACKEND_DOWN] = { rms_string("backend_down"), 503 },
    [RMS_REASON_BACKEND_TIMEOUT] = { rms_string("backend_timeout"), 504 },
    [RMS_REASON_BACKEND_ANSWER] = { rms_string("backend_answer"), 502 },
    [RMS_REASON_INTERNAL] = { rms_string("internal"), 500 }
};


static const rms_denial_t  rms_denials[] = {
    [RMS_DENY_FAULT] = { RMS_ANSWER_FAULT_UNAUTHORIZED, 500 },
    [RMS_DENY_401] = { RMS_ANSWER_401, 401 },
    [RMS_DENY_403] = { RMS_ANSWER_STATUS, 403 }
};


static const rms_denial_t  rms_read_only_denials[] = {
    [RMS_READ_ONLY_401] = { RMS_ANSWER_401, 401 },
    [RMS_READ_ONLY_FAULT] = { RMS_ANSWER_FAULT_PUBLISHING, 500 }
};


/* What every server product that protects content does. */

#define RMS_SERVER_DEFAULT                                                    \
    (rms_bit(RMS_GRANT_SERVER_CERTIFY)                                        \
     | rms_bit(RMS_OP_ACQUIRE_LICENSE)                                        \
     | rms_bit(RMS_OP_GET_CLIENT_LICENSOR_CERT)                               \
     | rms_bit(RMS_OP_ACQUIRE_ISSUANCE_LICENSE)                               \
     | rms_bit(RMS_OP_EDIT_ISSUANCE_LICENSE)                                  \
     | rms_bit(RMS_OP_ACQUIRE_TEMPLATE_INFORMATION)                           \
     | rms_bit(RMS_OP_ACQUIRE_TEMPLATES)                                      \
     | rms_bit(RMS_OP_FIND_SERVICE_LOCATIONS_FOR_USER)                        \
     | rms_bit(RMS_OP_GET_LICENSOR_CERTIFICATE)                               \
     | rms_bit(RMS_OP_GET_SERVER_INFO))


static const uint32_t  rms_role_defaults[RMS_ROLE_MAX] = {
    [RMS_ROLE_EXCHANGE] = RMS_SERVER_DEFAULT
                          | rms_bit(RMS_OP_PRECERTIFY)
                          | rms_bit(RMS_OP_ACQUIRE_PRE_LICENSE),
    [RMS_ROLE_SHAREPOINT] = RMS_SERVER_DEFAULT,
    [RMS_ROLE_FCI] = RMS_SERVER_DEFAULT,
    [RMS_ROLE_RMS_SERVER] = rms_bit(RMS_OP_PRECERTIFY)
                            | rms_bit(RMS_OP_FIND_SERVICE_LOCATIONS)
                            | rms_bit(RMS_OP_IS_PRINCIPAL_MEMBER_OF)
                            | rms_bit(RMS_OP_GET_LICENSOR_CERTIFICATE)
                            | rms_bit(RMS_OP_GET_SERVER_INFO),
    [RMS_ROLE_USER] = rms_bit(RMS_OP_CERTIFY)
                      | rms_bit(RMS_OP_ACQUIRE_LICENSE)
                      | rms_bit(RMS_OP_GET_CLIENT_LICENSOR_CERT)
                      | rms_bit(RMS_OP_ACQUIRE_ISSUANCE_LICENSE)
                      | rms_bit(RMS_OP_ACQUIRE_TEMPLATE_INFORMATION)
                      | rms_bit(RMS_OP_ACQUIRE_TEMPLATES)
                      | rms_bit(RMS_OP_FIND_SERVICE_LOCATIONS_FOR_USER)
                      | rms_bit(RMS_OP_GET_LICENSOR_CERTIFICATE)
                      | rms_bit(RMS_OP_GET_SERVER_INFO),
    [RMS_ROLE_PARTNER] = rms_bit(RMS_OP_ACQUIRE_LICENSE)
                         | rms_bit(RMS_OP_GET_LICENSOR_CERTIFICATE)
};


static const rms_str_t  rms_server_certify = rms_string("ServerCertify");
static const rms_str_t  rms_mobile_certify = rms_string("MobileCertify");
static const rms_str_t  rms_external = rms_string("External");
static const rms_str_t  rms_enroll = rms_string("Enroll");


/* What a call below a ...external directory needs: both of them. */

static const rms_str_t  rms_external_names[RMS_OP_MAX] = {
    [RMS_OP_CERTIFY] = rms_string("External Certify"),
    [RMS_OP_ACQUIRE_LICENSE] = rms_string("External AcquireLicense"),
    [RMS_OP_ACQUIRE_ISSUANCE_LICENSE] =
        rms_string("External AcquireIssuanceLicense"),
    [RMS_OP_GET_CLIENT_LICENSOR_CERT] =
        rms_string("External GetClientLicensorCert"),
    [RMS_OP_FIND_SERVICE_LOCATIONS_FOR_USER] =
        rms_string("External FindServiceLocationsForUser"),
    [RMS_OP_GET_LICENSOR_CERTIFICATE] =
        rms_string("External GetLicensorCertificate")
};


const rms_str_t *
rms_role_name(rms_role_e role)
{
    if ((unsigned) role >= RMS_ROLE_MAX) {
        role = RMS_ROLE_NONE;
    }

    return &rms_role_names[role];
}


rms_rc_e
rms_role_parse(const rms_str_t *name, rms_role_e *role)
{
    unsigned  i;

    for (i = RMS_ROLE_NONE + 1; i < RMS_ROLE_MAX; i++) {
        if (rms_str_eq(name, &rms_role_names[i])) {
            *role = (rms_role_e) i;
            return RMS_OK;
        }
    }

    return RMS_DECLINED;
}


const rms_str_t *
rms_reason_name(rms_reason_e reason)
{
    if ((unsigned) reason >= RMS_REASON_MAX) {
        reason = RMS_REASON_INTERNAL;
    }

    return &rms_reasons[reason].name;
}


rms_rc_e
rms_policy_grant(rms_grants_t *grants, rms_role_e role, const rms_str_t *name)
{
    rms_rc_e  rc;
    uint32_t  mask;

    rc = rms_policy_adjustable(role, name, &mask);
    if (rc != RMS_OK) {
        return rc;
    }

    /* the last line about an operation counts */

    grants->grant[role] |= mask;
    grants->revoke[role] &= ~mask;

    return RMS_OK;
}


rms_rc_e
rms_policy_revoke(rms_grants_t *grants, rms_role_e role,
    const rms_str_t *name)
{
    rms_rc_e  rc;
    uint32_t  mask;

    rc = rms_policy_adjustable(role, name, &mask);
    if (rc != RMS_OK) {
        return rc;
    }

    grants->revoke[role] |= mask;
    grants->grant[role] &= ~mask;

    return RMS_OK;
}


static rms_rc_e
rms_policy_adjustable(rms_role_e role, const rms_str_t *name, uint32_t *mask)
{
    rms_rc_e  rc;

    rc = rms_policy_mask(name, mask);
    if (rc != RMS_OK) {
        return rc;
    }

    if (role == RMS_ROLE_NONE || (unsigned) role >= RMS_ROLE_ADMIN) {
        return RMS_UNSUPPORTED;
    }

    return RMS_OK;
}


static rms_rc_e
rms_policy_mask(const rms_str_t *name, uint32_t *mask)
{
    const rms_operation_t  *op;

    if (rms_str_eq(name, &rms_server_certify)) {
        *mask = rms_bit(RMS_GRANT_SERVER_CERTIFY);
        return RMS_OK;
    }

    if (rms_str_eq(name, &rms_mobile_certify)) {
        *mask = rms_bit(RMS_GRANT_MOBILE_CERTIFY);
        return RMS_OK;
    }

    if (rms_str_eq(name, &rms_external)) {
        *mask = rms_bit(RMS_GRANT_EXTERNAL);
        return RMS_OK;
    }

    /* Enroll is not even below /_wmcs ([MS-RMPR] 3.6), so it has no row */

    if (rms_str_eq(name, &rms_enroll)) {
        return RMS_UNSUPPORTED;
    }

    op = rms_operation_by_name(name);
    if (op == NULL) {
        return RMS_DECLINED;
    }

    if (op->never) {
        return RMS_UNSUPPORTED;
    }

    *mask = rms_bit(op->id);

    return RMS_OK;
}


const rms_str_t *
rms_policy_grant_name(const rms_endpoint_t *ep, rms_operation_e id)
{
    const rms_operation_t  *op;

    op = rms_operation_get(id);

    if (ep == NULL || op == NULL || ep->never || op->never
        || !rms_endpoint_serves(ep, id))
    {
        return NULL;
    }

    if (ep->external) {
        return &rms_external_names[id];
    }

    switch (rms_policy_bit(ep, id)) {

    case RMS_GRANT_SERVER_CERTIFY:
        return &rms_server_certify;

    case RMS_GRANT_MOBILE_CERTIFY:
        return &rms_mobile_certify;

    default:
        return &op->name;
    }
}


/*
 * One action serves users, servers and telephones; only the file tells them
 * apart ([MS-RMPR] 3.3.4.1: the same Certify at three addresses).
 */

static unsigned
rms_policy_bit(const rms_endpoint_t *ep, rms_operation_e op)
{
    if (op != RMS_OP_CERTIFY) {
        return op;
    }

    switch (ep->id) {

    case RMS_FILE_SERVER_CERTIFICATION:
        return RMS_GRANT_SERVER_CERTIFY;

    case RMS_FILE_MOBILE_CERTIFICATION:
    case RMS_FILE_MOBILE_DEVICE_CERTIFICATION:
    case RMS_FILE_MAC_CERTIFICATION:
        return RMS_GRANT_MOBILE_CERTIFY;

    default:
        return op;
    }
}


int
rms_policy_may(rms_role_e role, const rms_endpoint_t *ep, rms_operation_e id,
    const rms_grants_t *grants)
{
    uint32_t                have, need;
    const rms_operation_t  *op;

    op = rms_operation_get(id);

    if (ep == NULL || op == NULL || ep->never || op->never) {
        return 0;
    }

    if (role == RMS_ROLE_NONE || (unsigned) role >= RMS_ROLE_ADMIN) {
        return 0;
    }

    if (!rms_endpoint_serves(ep, id)) {
        return 0;
    }

    have = rms_role_defaults[role];

    if (grants != NULL) {
        have = (have | grants->grant[role]) & ~grants->revoke[role];
    }

    need = rms_bit(rms_policy_bit(ep, id));

    if (ep->external) {
        need |= rms_bit(RMS_GRANT_EXTERNAL);
    }

    return (have & need) == need;
}


size_t
rms_policy_route(const rms_backend_t *backends, size_t n,
    const rms_licensor_t *licensor)
{
    size_t                 i;
    const rms_licensor_t  *l;

    if (licensor == NULL || licensor->len != sizeof(licensor->guid)) {
        return 0;
    }

    for (i = 0; i < n; i++) {
        l = &backends[i].licensor;

        if (l->len == licensor->len
            && memcmp(l->guid, licensor->guid, l->len) == 0)
        {
            return i;
        }
    }

    return 0;
}


rms_verdict_t
rms_policy_admit(const rms_question_t *q)
{
    rms_verdict_t           v;
    const rms_operation_t  *op;

    if (q->endpoint == NULL) {
        return rms_policy_refuse(RMS_REASON_INTERNAL);
    }

    op = rms_operation_get(q->op);

    if (q->endpoint->never || (op != NULL && op->never)) {
        return rms_policy_deny(RMS_REASON_NEVER, rms_policy_denial(q->deny));
    }

    if (q->role == RMS_ROLE_NONE) {
        return rms_policy_deny(RMS_REASON_NO_ROLE, rms_policy_denial(q->deny));
    }

    if (op == NULL) {
        return rms_policy_refuse(RMS_REASON_INTERNAL);
    }

    if (!rms_policy_may(q->role, q->endpoint, q->op, q->grants)) {
        return rms_policy_deny(RMS_REASON_OPERATION,
                               rms_policy_denial(q->deny));
    }

    memset(&v, 0, sizeof(rms_verdict_t));

    v.computed = 1;
    v.allow = 1;

    return v;
}


rms_verdict_t
rms_policy_decide(const rms_question_t *q)
{
    size_t                i;
    rms_verdict_t         v;
    const rms_backend_t  *backend;

    v = rms_policy_admit(q);
    if (!v.allow) {
        return v;
    }

    if (q->backends == NULL || q->n_backends == 0) {
        return rms_policy_refuse(RMS_REASON_INTERNAL);
    }

    i = rms_policy_route(q->backends, q->n_backends, q->licensor);
    backend = &q->backends[i];

    if (backend->read_only && rms_policy_publishes(q)) {
        v = rms_policy_deny(RMS_REASON_READ_ONLY,
                            &rms_read_only_denials[backend->read_only_answer
                                                   == RMS_READ_ONLY_FAULT]);
        v.backend = i;
        return v;
    }

    v.backend = i;
    v.answer = RMS_ANSWER_FORWARD;
    v.attach_identity = rms_policy_identified(q, backend) ? 1 : 0;
    v.rewrite = rms_rewrite_rule(q->op);

    return v;
}


/*
 * By operation, and by file whatever the operation is: nothing at publish.asmx
 * may pass ([MS-RMPR] 3.5.4).
 */

static int
rms_policy_publishes(const rms_question_t *q)
{
    return q->endpoint->publish || rms_operation_get(q->op)->publish;
}


/*
 * Our own credential speaks for servers of ours alone.  A user or a partner
 * who got it would act as the relay.
 */

static int
rms_policy_identified(const rms_question_t *q, const rms_backend_t *backend)
{
    if (!q->authenticated || backend->identity == RMS_IDENTITY_NONE) {
        return 0;
    }

    switch (q->role) {

    case RMS_ROLE_EXCHANGE:
    case RMS_ROLE_SHAREPOINT:
    case RMS_ROLE_FCI:
    case RMS_ROLE_RMS_SERVER:
        return 1;

    default:
        return 0;
    }
}


rms_verdict_t
rms_policy_refuse(rms_reason_e reason)
{
    rms_denial_t  denial;

    if (reason == RMS_REASON_NONE || (unsigned) reason >= RMS_REASON_MAX) {
        reason = RMS_REASON_INTERNAL;
    }

    denial.status = rms_reasons[reason].status;
    denial.answer = (denial.status == 401) ? RMS_ANSWER_401
                                           : RMS_ANSWER_STATUS;

    return rms_policy_deny(reason, &denial);
}


static rms_verdict_t
rms_policy_deny(rms_reason_e reason, const rms_denial_t *denial)
{
    rms_verdict_t  v;

    memset(&v, 0, sizeof(rms_verdict_t));

    v.computed = 1;
    v.reason = reason;
    v.answer = denial->answer;
    v.status = denial->status;

    return v;
}


static const rms_denial_t *
rms_policy_denial(rms_deny_e deny)
{
    if ((unsigned) deny > RMS_DENY_403) {
        deny = RMS_DENY_403;
    }

    return &rms_denials[deny];
}
