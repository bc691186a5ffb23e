/*
 * Roles and the verdict.  The table of the design stands here once more, as
 * literals, and every cell of it is asked.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "rms_policy.h"


/* Roles by letter: what a cell allows without any rms_grant. */

typedef struct {
    rms_file_e       file;
    rms_operation_e  op;
    const char      *roles;
} cell_t;


typedef struct {
    char             letter;
    rms_role_e       role;
    const char      *name;
} role_t;


static const role_t  roles[] = {
    { 'N', RMS_ROLE_NONE, "none" },
    { 'E', RMS_ROLE_EXCHANGE, "exchange" },
    { 'S', RMS_ROLE_SHAREPOINT, "sharepoint" },
    { 'F', RMS_ROLE_FCI, "fci" },
    { 'R', RMS_ROLE_RMS_SERVER, "rms_server" },
    { 'U', RMS_ROLE_USER, "user" },
    { 'P', RMS_ROLE_PARTNER, "partner" },
    { 'A', RMS_ROLE_ADMIN, "admin" }
};

#define N_ROLES  (sizeof(roles) / sizeof(roles[0]))


static const cell_t  cells[] = {
    { RMS_FILE_CERTIFICATION, RMS_OP_CERTIFY, "U" },
    { RMS_FILE_SERVER_CERTIFICATION, RMS_OP_CERTIFY, "ESF" },
    { RMS_FILE_MOBILE_CERTIFICATION, RMS_OP_CERTIFY, "" },
    { RMS_FILE_MOBILE_DEVICE_CERTIFICATION, RMS_OP_CERTIFY, "" },
    { RMS_FILE_MAC_CERTIFICATION, RMS_OP_CERTIFY, "" },
    { RMS_FILE_PRECERTIFICATION, RMS_OP_PRECERTIFY, "ER" },
    { RMS_FILE_ACTIVATION, RMS_OP_ACTIVATE, "" },
    { RMS_FILE_SUB_ENROLL, RMS_OP_SUB_ENROLL, "" },
    { RMS_FILE_CERTIFICATION_SERVER, RMS_OP_FIND_SERVICE_LOCATIONS, "R" },
    { RMS_FILE_CERTIFICATION_SERVER, RMS_OP_GET_LICENSOR_CERTIFICATE,
      "ESFRUP" },
    { RMS_FILE_CERTIFICATION_SERVER, RMS_OP_GET_SERVER_INFO, "ESFRU" },
    { RMS_FILE_CERTIFICATION_LOCATOR, RMS_OP_FIND_SERVICE_LOCATIONS_FOR_USER,
      "ESFU" },
    { RMS_FILE_LICENSE, RMS_OP_ACQUIRE_LICENSE, "ESFUP" },
    { RMS_FILE_LICENSE, RMS_OP_ACQUIRE_PRE_LICENSE, "E" },
    { RMS_FILE_PUBLISH, RMS_OP_ACQUIRE_ISSUANCE_LICENSE, "ESFU" },
    { RMS_FILE_PUBLISH, RMS_OP_GET_CLIENT_LICENSOR_CERT, "ESFU" },
    { RMS_FILE_EDIT_ISSUANCE_LICENSE, RMS_OP_EDIT_ISSUANCE_LICENSE, "ESF" },
    { RMS_FILE_TEMPLATE_DISTRIBUTION, RMS_OP_ACQUIRE_TEMPLATE_INFORMATION,
      "ESFU" },
    { RMS_FILE_TEMPLATE_DISTRIBUTION, RMS_OP_ACQUIRE_TEMPLATES, "ESFU" },
    { RMS_FILE_LICENSING_SERVER, RMS_OP_FIND_SERVICE_LOCATIONS, "R" },
    { RMS_FILE_LICENSING_SERVER, RMS_OP_GET_LICENSOR_CERTIFICATE, "ESFRUP" },
    { RMS_FILE_LICENSING_SERVER, RMS_OP_GET_SERVER_INFO, "ESFRU" },
    { RMS_FILE_LICENSING_LOCATOR, RMS_OP_FIND_SERVICE_LOCATIONS_FOR_USER,
      "ESFU" },
    { RMS_FILE_GROUP_EXPANSION, RMS_OP_IS_PRINCIPAL_MEMBER_OF, "R" },
    { RMS_FILE_DECOMMISSION, RMS_OP_ACQUIRE_CONTENT_KEY, "" },
    { RMS_FILE_EXT_CERTIFICATION, RMS_OP_CERTIFY, "" },
    { RMS_FILE_EXT_CERTIFICATION_SERVER, RMS_OP_GET_LICENSOR_CERTIFICATE, "" },
    { RMS_FILE_EXT_CERTIFICATION_LOCATOR,
      RMS_OP_FIND_SERVICE_LOCATIONS_FOR_USER, "" },
    { RMS_FILE_EXT_LICENSE, RMS_OP_ACQUIRE_LICENSE, "" },
    { RMS_FILE_EXT_PUBLISH, RMS_OP_ACQUIRE_ISSUANCE_LICENSE, "" },
    { RMS_FILE_EXT_PUBLISH, RMS_OP_GET_CLIENT_LICENSOR_CERT, "" },
    { RMS_FILE_EXT_LICENSING_SERVER, RMS_OP_GET_LICENSOR_CERTIFICATE, "" },
    { RMS_FILE_EXT_LICENSING_LOCATOR, RMS_OP_FIND_SERVICE_LOCATIONS_FOR_USER,
      "" }
};

#define N_CELLS  (sizeof(cells) / sizeof(cells[0]))


static rms_str_t
str(const char *s)
{
    rms_str_t  r;

    r.len = strlen(s);
    r.data = (unsigned char *) s;

    return r;
}


static const char *
allowed_roles(rms_file_e file, rms_operation_e op)
{
    size_t  i;

    for (i = 0; i < N_CELLS; i++) {
        if (cells[i].file == file && cells[i].op == op) {
            return cells[i].roles;
        }
    }

    return "";
}


static rms_rc_e
grant(rms_grants_t *g, rms_role_e role, const char *name)
{
    rms_str_t  s = str(name);

    return rms_policy_grant(g, role, &s);
}


static rms_rc_e
revoke(rms_grants_t *g, rms_role_e role, const char *name)
{
    rms_str_t  s = str(name);

    return rms_policy_revoke(g, role, &s);
}


/* Grants what rms_policy_grant_name() printed: names with blanks between. */

static void
grant_line(rms_grants_t *g, rms_role_e role, const rms_str_t *line)
{
    char   buf[128], *name;

    assert_in_range(line->len, 1, sizeof(buf) - 1);
    memcpy(buf, line->data, line->len);
    buf[line->len] = '\0';

    for (name = strtok(buf, " "); name != NULL; name = strtok(NULL, " ")) {
        assert_int_equal(grant(g, role, name), RMS_OK);
    }
}


/* A question that is allowed, to be bent by the tests. */

static rms_question_t
question(const rms_backend_t *backends, size_t n)
{
    rms_question_t  q;

    memset(&q, 0, sizeof(q));

    q.role = RMS_ROLE_EXCHANGE;
    q.authenticated = 1;
    q.endpoint = rms_endpoint_get(RMS_FILE_LICENSE);
    q.op = RMS_OP_ACQUIRE_LICENSE;
    q.backends = backends;
    q.n_backends = n;

    return q;
}


static void
every_cell_of_the_role_table_is_as_designed(void **state)
{
    int          may, want;
    size_t       r, f, o;
    const char  *letters;

    (void) state;

    for (f = 0; f < RMS_FILE_MAX; f++) {
        for (o = 0; o <= RMS_OP_MAX; o++) {
            letters = allowed_roles((rms_file_e) f, (rms_operation_e) o);

            for (r = 0; r < N_ROLES; r++) {
                want = strchr(letters, roles[r].letter) != NULL;
                may = rms_policy_may(roles[r].role,
                                     rms_endpoint_get((rms_file_e) f),
                                     (rms_operation_e) o, NULL);

                if (may != want) {
                    fail_msg("role %s file %zu operation %zu: %d",
                             roles[r].name, f, o, may);
                }
            }
        }
    }
}


static void
nobody_asks_for_nothing(void **state)
{
    (void) state;

    assert_false(rms_policy_may(RMS_ROLE_EXCHANGE, NULL,
                                RMS_OP_ACQUIRE_LICENSE, NULL));
    assert_false(rms_policy_may(RMS_ROLE_MAX,
                                rms_endpoint_get(RMS_FILE_LICENSE),
                                RMS_OP_ACQUIRE_LICENSE, NULL));
    assert_false(rms_policy_may((rms_role_e) 1000,
                                rms_endpoint_get(RMS_FILE_LICENSE),
                                RMS_OP_ACQUIRE_LICENSE, NULL));
}


static void
role_names_parse_back(void **state)
{
    size_t      i;
    rms_str_t   s;
    rms_role_e  role;

    (void) state;

    for (i = 0; i < N_ROLES; i++) {
        s = str(roles[i].name);
        assert_true(rms_str_eq(&s, rms_role_name(roles[i].role)));

        if (roles[i].role == RMS_ROLE_NONE) {
            continue;
        }

        role = RMS_ROLE_NONE;
        assert_int_equal(rms_role_parse(&s, &role), RMS_OK);
        assert_int_equal(role, roles[i].role);
    }

    assert_string_equal((const char *) rms_role_name(RMS_ROLE_MAX)->data,
                        "none");
}


static void
unknown_role_names_are_declined(void **state)
{
    size_t      i;
    rms_str_t   s;
    rms_role_e  role;

    static const char  *bad[] = {
        "", "none", "Exchange", "exchang", "exchange ", "rms-server", "root"
    };

    (void) state;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        s = str(bad[i]);
        assert_int_equal(rms_role_parse(&s, &role), RMS_DECLINED);
    }
}


static void
every_reason_has_its_name_and_status(void **state)
{
    size_t         i;
    rms_str_t      s;
    rms_verdict_t  v;

    static const struct {
        const char  *name;
        unsigned     status;
    } want[] = {
        { "none", 500 }, { "bad_path", 400 }, { "unknown_path", 404 },
        { "method", 405 }, { "no_credentials", 401 },
        { "auth_continue", 401 }, { "auth_failed", 401 },
        { "auth_malformed", 401 }, { "auth_scheme", 401 },
        { "ntlm_not_allowed", 403 }, { "legs", 403 }, { "replay", 401 },
        { "replay_full", 503 }, { "auth_busy", 503 },
        { "auth_timeout", 503 }, { "auth_unavailable", 503 },
        { "store_away", 503 }, { "list_stale", 503 },
        { "foreign_realm", 403 },
        { "no_role", 403 }, { "operation", 403 }, { "never", 403 },
        { "read_only", 401 }, { "media_type", 415 }, { "encoding", 415 },
        { "bad_action", 400 }, { "action_mismatch", 400 },
        { "body_mismatch", 400 }, { "bad_body", 400 },
        { "body_too_large", 413 }, { "body_memory", 503 }, { "limited", 503 },
        { "subrequest", 403 }, { "no_verdict", 403 },
        { "backend_refused", 502 }, { "backend_down", 503 },
        { "backend_timeout", 504 }, { "backend_answer", 502 },
        { "internal", 500 }
    };

    (void) state;

    assert_int_equal(sizeof(want) / sizeof(want[0]), RMS_REASON_MAX);

    for (i = 0; i < RMS_REASON_MAX; i++) {
        s = str(want[i].name);
        assert_true(rms_str_eq(&s, rms_reason_name((rms_reason_e) i)));

        v = rms_policy_refuse((rms_reason_e) i);
        assert_true(v.computed);
        assert_false(v.allow);
        assert_false(v.attach_identity);
        assert_int_equal(v.status, want[i].status);
        assert_int_equal(v.answer, want[i].status == 401 ? RMS_ANSWER_401
                                                         : RMS_ANSWER_STATUS);
        assert_int_equal(v.reason, i == RMS_REASON_NONE ? RMS_REASON_INTERNAL
                                                        : (rms_reason_e) i);
    }

    v = rms_policy_refuse(RMS_REASON_MAX);
    assert_int_equal(v.reason, RMS_REASON_INTERNAL);
    assert_int_equal(v.status, 500);
    assert_ptr_equal(rms_reason_name(RMS_REASON_MAX),
                     rms_reason_name(RMS_REASON_INTERNAL));
}


static void
the_printed_grant_allows_the_call_and_only_it(void **state)
{
    size_t           i, r;
    rms_grants_t     g;
    const rms_str_t  *line;
    const rms_endpoint_t  *ep;

    (void) state;

    for (i = 0; i < N_CELLS; i++) {
        ep = rms_endpoint_get(cells[i].file);
        line = rms_policy_grant_name(ep, cells[i].op);

        if (ep->never || rms_operation_get(cells[i].op)->never) {
            assert_null(line);
            continue;
        }

        assert_non_null(line);

        for (r = 1; r < N_ROLES - 1; r++) {
            memset(&g, 0, sizeof(g));
            grant_line(&g, roles[r].role, line);

            assert_true(rms_policy_may(roles[r].role, ep, cells[i].op, &g));
            assert_int_equal(rms_policy_may(RMS_ROLE_PARTNER, ep, cells[i].op,
                                            &g),
                             roles[r].role == RMS_ROLE_PARTNER
                             || strchr(cells[i].roles, 'P') != NULL);
            assert_false(rms_policy_may(RMS_ROLE_NONE, ep, cells[i].op, &g));
            assert_false(rms_policy_may(RMS_ROLE_ADMIN, ep, cells[i].op, &g));
        }
    }
}


static void
grant_names_tell_the_files_of_certify_apart(void **state)
{
    size_t     i;
    rms_str_t  s;

    static const struct {
        rms_file_e       file;
        rms_operation_e  op;
        const char      *name;
    } want[] = {
        { RMS_FILE_CERTIFICATION, RMS_OP_CERTIFY, "Certify" },
        { RMS_FILE_SERVER_CERTIFICATION, RMS_OP_CERTIFY, "ServerCertify" },
        { RMS_FILE_MOBILE_CERTIFICATION, RMS_OP_CERTIFY, "MobileCertify" },
        { RMS_FILE_MAC_CERTIFICATION, RMS_OP_CERTIFY, "MobileCertify" },
        { RMS_FILE_LICENSE, RMS_OP_ACQUIRE_LICENSE, "AcquireLicense" },
        { RMS_FILE_EXT_LICENSE, RMS_OP_ACQUIRE_LICENSE,
          "External AcquireLicense" },
        { RMS_FILE_EXT_CERTIFICATION, RMS_OP_CERTIFY, "External Certify" }
    };

    (void) state;

    for (i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        s = str(want[i].name);
        assert_true(rms_str_eq(&s,
            rms_policy_grant_name(rms_endpoint_get(want[i].file),
                                  want[i].op)));
    }

    assert_null(rms_policy_grant_name(NULL, RMS_OP_CERTIFY));
    assert_null(rms_policy_grant_name(rms_endpoint_get(RMS_FILE_LICENSE),
                                      RMS_OP_NONE));
    assert_null(rms_policy_grant_name(rms_endpoint_get(RMS_FILE_LICENSE),
                                      RMS_OP_CERTIFY));
}


static void
revoke_takes_away_and_the_last_line_counts(void **state)
{
    rms_grants_t           g;
    const rms_endpoint_t  *ep;

    (void) state;

    memset(&g, 0, sizeof(g));
    ep = rms_endpoint_get(RMS_FILE_LICENSE);

    assert_int_equal(revoke(&g, RMS_ROLE_FCI, "AcquireLicense"), RMS_OK);
    assert_false(rms_policy_may(RMS_ROLE_FCI, ep, RMS_OP_ACQUIRE_LICENSE, &g));
    assert_true(rms_policy_may(RMS_ROLE_USER, ep, RMS_OP_ACQUIRE_LICENSE, &g));

    assert_int_equal(grant(&g, RMS_ROLE_FCI, "AcquireLicense"), RMS_OK);
    assert_true(rms_policy_may(RMS_ROLE_FCI, ep, RMS_OP_ACQUIRE_LICENSE, &g));

    assert_int_equal(grant(&g, RMS_ROLE_FCI, "AcquirePreLicense"), RMS_OK);
    assert_int_equal(revoke(&g, RMS_ROLE_FCI, "AcquirePreLicense"), RMS_OK);
    assert_int_equal(g.grant[RMS_ROLE_FCI] & g.revoke[RMS_ROLE_FCI], 0);
    assert_false(rms_policy_may(RMS_ROLE_FCI, ep, RMS_OP_ACQUIRE_PRE_LICENSE,
                                &g));
}


static void
revoking_server_certify_keeps_user_certify(void **state)
{
    rms_grants_t  g;

    (void) state;

    memset(&g, 0, sizeof(g));

    assert_int_equal(grant(&g, RMS_ROLE_EXCHANGE, "Certify"), RMS_OK);
    assert_int_equal(revoke(&g, RMS_ROLE_EXCHANGE, "ServerCertify"), RMS_OK);

    assert_true(rms_policy_may(RMS_ROLE_EXCHANGE,
                               rms_endpoint_get(RMS_FILE_CERTIFICATION),
                               RMS_OP_CERTIFY, &g));
    assert_false(rms_policy_may(RMS_ROLE_EXCHANGE,
                               rms_endpoint_get(RMS_FILE_SERVER_CERTIFICATION),
                                RMS_OP_CERTIFY, &g));
    assert_false(rms_policy_may(RMS_ROLE_EXCHANGE,
                               rms_endpoint_get(RMS_FILE_MOBILE_CERTIFICATION),
                                RMS_OP_CERTIFY, &g));
}


static void
external_opens_only_what_the_role_may_inside(void **state)
{
    rms_grants_t  g;

    (void) state;

    memset(&g, 0, sizeof(g));

    assert_int_equal(grant(&g, RMS_ROLE_PARTNER, "External"), RMS_OK);
    assert_int_equal(grant(&g, RMS_ROLE_USER, "External"), RMS_OK);

    assert_true(rms_policy_may(RMS_ROLE_PARTNER,
                               rms_endpoint_get(RMS_FILE_EXT_LICENSE),
                               RMS_OP_ACQUIRE_LICENSE, &g));
    assert_false(rms_policy_may(RMS_ROLE_PARTNER,
                                rms_endpoint_get(RMS_FILE_EXT_CERTIFICATION),
                                RMS_OP_CERTIFY, &g));
    assert_false(rms_policy_may(RMS_ROLE_PARTNER,
                                rms_endpoint_get(RMS_FILE_EXT_PUBLISH),
                                RMS_OP_GET_CLIENT_LICENSOR_CERT, &g));
    assert_true(rms_policy_may(RMS_ROLE_USER,
                               rms_endpoint_get(RMS_FILE_EXT_CERTIFICATION),
                               RMS_OP_CERTIFY, &g));
    assert_false(rms_policy_may(RMS_ROLE_EXCHANGE,
                                rms_endpoint_get(RMS_FILE_EXT_LICENSE),
                                RMS_OP_ACQUIRE_LICENSE, &g));
}


static void
grants_refuse_what_nobody_may_and_what_has_no_name(void **state)
{
    size_t        i;
    rms_grants_t  g, zero;

    static const struct {
        rms_role_e   role;
        const char  *name;
        rms_rc_e     rc;
    } want[] = {
        { RMS_ROLE_EXCHANGE, "SubEnroll", RMS_UNSUPPORTED },
        { RMS_ROLE_EXCHANGE, "AcquireContentKey", RMS_UNSUPPORTED },
        { RMS_ROLE_EXCHANGE, "Activate", RMS_UNSUPPORTED },
        { RMS_ROLE_EXCHANGE, "Enroll", RMS_UNSUPPORTED },
        { RMS_ROLE_ADMIN, "AcquireLicense", RMS_UNSUPPORTED },
        { RMS_ROLE_ADMIN, "External", RMS_UNSUPPORTED },
        { RMS_ROLE_NONE, "AcquireLicense", RMS_UNSUPPORTED },
        { RMS_ROLE_MAX, "AcquireLicense", RMS_UNSUPPORTED },
        { RMS_ROLE_USER, "acquirelicense", RMS_DECLINED },
        { RMS_ROLE_USER, "AcquireLicense ", RMS_DECLINED },
        { RMS_ROLE_USER, "servercertify", RMS_DECLINED },
        { RMS_ROLE_USER, "all", RMS_DECLINED },
        { RMS_ROLE_USER, "", RMS_DECLINED },
        { RMS_ROLE_ADMIN, "all", RMS_DECLINED }
    };

    (void) state;

    memset(&g, 0, sizeof(g));
    memset(&zero, 0, sizeof(zero));

    for (i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        assert_int_equal(grant(&g, want[i].role, want[i].name), want[i].rc);
        assert_int_equal(revoke(&g, want[i].role, want[i].name), want[i].rc);
    }

    assert_memory_equal(&g, &zero, sizeof(g));
}


static void
nobody_may_even_with_every_bit_granted(void **state)
{
    size_t        f, o, r;
    rms_grants_t  g;

    static const rms_operation_e  never[] = {
        RMS_OP_ACTIVATE, RMS_OP_SUB_ENROLL, RMS_OP_ACQUIRE_CONTENT_KEY
    };

    (void) state;

    memset(&g, 0, sizeof(g));
    memset(g.grant, 0xff, sizeof(g.grant));

    for (r = 0; r < N_ROLES; r++) {
        for (f = 0; f < RMS_FILE_MAX; f++) {
            for (o = 0; o < sizeof(never) / sizeof(never[0]); o++) {
                assert_false(rms_policy_may(roles[r].role,
                                            rms_endpoint_get((rms_file_e) f),
                                            never[o], &g));
            }
        }
    }
}


static void
allowed_call_is_forwarded_with_its_rewrite_rule(void **state)
{
    rms_verdict_t   v;
    rms_backend_t   b;
    rms_question_t  q;

    (void) state;

    memset(&b, 0, sizeof(b));
    q = question(&b, 1);

    v = rms_policy_decide(&q);
    assert_true(v.computed);
    assert_true(v.allow);
    assert_int_equal(v.reason, RMS_REASON_NONE);
    assert_int_equal(v.answer, RMS_ANSWER_FORWARD);
    assert_int_equal(v.backend, 0);
    assert_int_equal(v.rewrite, RMS_REWRITE_NONE);

    q.endpoint = rms_endpoint_get(RMS_FILE_LICENSING_LOCATOR);
    q.op = RMS_OP_FIND_SERVICE_LOCATIONS_FOR_USER;
    assert_int_equal(rms_policy_decide(&q).rewrite, RMS_REWRITE_LOCATIONS);

    q.endpoint = rms_endpoint_get(RMS_FILE_CERTIFICATION_SERVER);
    q.op = RMS_OP_GET_SERVER_INFO;
    assert_int_equal(rms_policy_decide(&q).rewrite, RMS_REWRITE_SERVER_INFO);

    q.role = RMS_ROLE_RMS_SERVER;
    q.op = RMS_OP_FIND_SERVICE_LOCATIONS;
    assert_int_equal(rms_policy_decide(&q).rewrite, RMS_REWRITE_LOCATIONS);
}


static void
denials_follow_rms_deny(void **state)
{
    size_t          i, k;
    rms_backend_t   b;
    rms_verdict_t   v;
    rms_question_t  q;

    static const struct {
        rms_deny_e    deny;
        rms_answer_e  answer;
        unsigned      status;
    } want[] = {
        { RMS_DENY_FAULT, RMS_ANSWER_FAULT_UNAUTHORIZED, 500 },
        { RMS_DENY_401, RMS_ANSWER_401, 401 },
        { RMS_DENY_403, RMS_ANSWER_STATUS, 403 },
        { (rms_deny_e) 77, RMS_ANSWER_STATUS, 403 }
    };

    static const struct {
        rms_role_e       role;
        rms_file_e       file;
        rms_operation_e  op;
        rms_reason_e     reason;
    } ask[] = {
        { RMS_ROLE_NONE, RMS_FILE_LICENSE, RMS_OP_ACQUIRE_LICENSE,
          RMS_REASON_NO_ROLE },
        { RMS_ROLE_PARTNER, RMS_FILE_PUBLISH, RMS_OP_GET_CLIENT_LICENSOR_CERT,
          RMS_REASON_OPERATION },
        { RMS_ROLE_ADMIN, RMS_FILE_LICENSE, RMS_OP_ACQUIRE_LICENSE,
          RMS_REASON_OPERATION },
        { RMS_ROLE_EXCHANGE, RMS_FILE_LICENSE, RMS_OP_CERTIFY,
          RMS_REASON_OPERATION },
        { RMS_ROLE_EXCHANGE, RMS_FILE_DECOMMISSION,
          RMS_OP_ACQUIRE_CONTENT_KEY, RMS_REASON_NEVER },
        { RMS_ROLE_NONE, RMS_FILE_SUB_ENROLL, RMS_OP_SUB_ENROLL,
          RMS_REASON_NEVER },
        { RMS_ROLE_USER, RMS_FILE_ACTIVATION, RMS_OP_NONE,
          RMS_REASON_NEVER }
    };

    (void) state;

    memset(&b, 0, sizeof(b));
    b.read_only = 1;                /* comes last, so it changes nothing */
    q = question(&b, 1);

    for (i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        for (k = 0; k < sizeof(ask) / sizeof(ask[0]); k++) {
            q.deny = want[i].deny;
            q.role = ask[k].role;
            q.endpoint = rms_endpoint_get(ask[k].file);
            q.op = ask[k].op;

            v = rms_policy_decide(&q);
            assert_true(v.computed);
            assert_false(v.allow);
            assert_int_equal(v.reason, ask[k].reason);
            assert_int_equal(v.answer, want[i].answer);
            assert_int_equal(v.status, want[i].status);
            assert_false(v.attach_identity);

            v = rms_policy_admit(&q);
            assert_false(v.allow);
            assert_int_equal(v.reason, ask[k].reason);
            assert_int_equal(v.status, want[i].status);
        }
    }
}


static void
publishing_at_a_read_only_backend_is_denied(void **state)
{
    size_t          i, d, a;
    rms_backend_t   b;
    rms_verdict_t   v;
    rms_question_t  q;

    static const struct {
        rms_file_e       file;
        rms_operation_e  op;
        unsigned         publish;
    } want[] = {
        { RMS_FILE_PUBLISH, RMS_OP_ACQUIRE_ISSUANCE_LICENSE, 1 },
        { RMS_FILE_PUBLISH, RMS_OP_GET_CLIENT_LICENSOR_CERT, 1 },
        { RMS_FILE_EDIT_ISSUANCE_LICENSE, RMS_OP_EDIT_ISSUANCE_LICENSE, 1 },
        { RMS_FILE_LICENSE, RMS_OP_ACQUIRE_LICENSE, 0 },
        { RMS_FILE_LICENSE, RMS_OP_ACQUIRE_PRE_LICENSE, 0 },
        { RMS_FILE_SERVER_CERTIFICATION, RMS_OP_CERTIFY, 0 },
        { RMS_FILE_PRECERTIFICATION, RMS_OP_PRECERTIFY, 0 },
        { RMS_FILE_TEMPLATE_DISTRIBUTION, RMS_OP_ACQUIRE_TEMPLATES, 0 },
        { RMS_FILE_LICENSING_LOCATOR, RMS_OP_FIND_SERVICE_LOCATIONS_FOR_USER,
          0 },
        { RMS_FILE_LICENSING_SERVER, RMS_OP_GET_LICENSOR_CERTIFICATE, 0 },
        { RMS_FILE_LICENSING_SERVER, RMS_OP_GET_SERVER_INFO, 0 }
    };

    (void) state;

    memset(&b, 0, sizeof(b));
    b.read_only = 1;
    b.identity = RMS_IDENTITY_FILE;
    q = question(&b, 1);

    for (i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        for (d = RMS_DENY_FAULT; d <= RMS_DENY_403; d++) {
            for (a = RMS_READ_ONLY_401; a <= RMS_READ_ONLY_FAULT; a++) {
                q.endpoint = rms_endpoint_get(want[i].file);
                q.op = want[i].op;
                q.deny = (rms_deny_e) d;
                b.read_only_answer = (rms_read_only_answer_e) a;

                v = rms_policy_decide(&q);
                assert_true(v.computed);
                assert_int_equal(v.allow, !want[i].publish);

                if (!want[i].publish) {
                    continue;
                }

                assert_int_equal(v.reason, RMS_REASON_READ_ONLY);
                assert_int_equal(v.answer, a == RMS_READ_ONLY_FAULT
                                           ? RMS_ANSWER_FAULT_PUBLISHING
                                           : RMS_ANSWER_401);
                assert_int_equal(v.status, a == RMS_READ_ONLY_FAULT ? 500
                                                                    : 401);
                assert_false(v.attach_identity);
            }
        }
    }

    b.read_only = 0;
    q.endpoint = rms_endpoint_get(RMS_FILE_PUBLISH);
    q.op = RMS_OP_GET_CLIENT_LICENSOR_CERT;
    assert_true(rms_policy_decide(&q).allow);
}


static void
read_only_denies_by_file_and_by_operation(void **state)
{
    rms_backend_t   b;
    rms_question_t  q;
    rms_endpoint_t  ep;

    (void) state;

    memset(&b, 0, sizeof(b));
    b.read_only = 1;
    q = question(&b, 1);
    q.endpoint = &ep;

    /* a consuming operation at a file that publishes */

    ep = *rms_endpoint_get(RMS_FILE_LICENSE);
    ep.publish = 1;
    assert_int_equal(rms_policy_decide(&q).reason, RMS_REASON_READ_ONLY);

    /* a publishing operation at a file that does not */

    ep = *rms_endpoint_get(RMS_FILE_PUBLISH);
    ep.publish = 0;
    q.op = RMS_OP_GET_CLIENT_LICENSOR_CERT;
    assert_int_equal(rms_policy_decide(&q).reason, RMS_REASON_READ_ONLY);
}


static void
admission_does_not_ask_the_backend(void **state)
{
    rms_verdict_t   v;
    rms_question_t  q;

    (void) state;

    q = question(NULL, 0);
    q.endpoint = rms_endpoint_get(RMS_FILE_PUBLISH);
    q.op = RMS_OP_GET_CLIENT_LICENSOR_CERT;

    v = rms_policy_admit(&q);
    assert_true(v.computed);
    assert_true(v.allow);
    assert_false(v.attach_identity);
}


static void
incomplete_question_is_refused(void **state)
{
    rms_backend_t   b;
    rms_verdict_t   v;
    rms_question_t  q;

    (void) state;

    memset(&b, 0, sizeof(b));

    q = question(&b, 1);
    q.endpoint = NULL;
    v = rms_policy_decide(&q);
    assert_false(v.allow);
    assert_int_equal(v.reason, RMS_REASON_INTERNAL);
    assert_int_equal(v.status, 500);

    q = question(&b, 1);
    q.op = RMS_OP_NONE;
    assert_int_equal(rms_policy_decide(&q).reason, RMS_REASON_INTERNAL);

    q = question(&b, 0);
    v = rms_policy_decide(&q);
    assert_false(v.allow);
    assert_int_equal(v.reason, RMS_REASON_INTERNAL);

    q = question(NULL, 1);
    v = rms_policy_decide(&q);
    assert_false(v.allow);
    assert_int_equal(v.reason, RMS_REASON_INTERNAL);
}


static rms_licensor_t
licensor(const char *guid)
{
    rms_licensor_t  l;

    memset(&l, 0, sizeof(l));
    l.len = strlen(guid);
    memcpy(l.guid, guid, l.len);

    return l;
}


static void
licensor_selects_the_first_backend_that_has_it(void **state)
{
    size_t          i;
    rms_backend_t   b[4];
    rms_licensor_t  l;
    rms_question_t  q;

    static const struct {
        const char  *guid;
        size_t       backend;
    } want[] = {
        { "4f1a2b3c-0000-4000-8000-123456789abc", 1 },
        { "4f1a2b3c-0000-4000-8000-123456789abd", 2 },
        { "4f1a2b3c-0000-4000-8000-123456789abe", 0 },
        { "", 0 }
    };

    (void) state;

    memset(b, 0, sizeof(b));
    b[1].licensor = licensor(want[0].guid);
    b[2].licensor = licensor(want[1].guid);
    b[3].licensor = licensor(want[0].guid);
    b[2].read_only = 1;

    q = question(b, 4);

    for (i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        l = licensor(want[i].guid);
        assert_int_equal(rms_policy_route(b, 4, &l), want[i].backend);

        q.licensor = &l;
        assert_int_equal(rms_policy_decide(&q).backend, want[i].backend);
    }

    assert_int_equal(rms_policy_route(b, 4, NULL), 0);

    /* read-only is a property of the backend that was chosen */

    l = licensor(want[1].guid);
    q.licensor = &l;
    q.endpoint = rms_endpoint_get(RMS_FILE_EDIT_ISSUANCE_LICENSE);
    q.op = RMS_OP_EDIT_ISSUANCE_LICENSE;
    assert_int_equal(rms_policy_decide(&q).reason, RMS_REASON_READ_ONLY);
    assert_int_equal(rms_policy_decide(&q).backend, 2);

    l = licensor(want[0].guid);
    assert_true(rms_policy_decide(&q).allow);
}


static void
our_identity_goes_only_with_authenticated_servers(void **state)
{
    size_t          r, authenticated, identity;
    unsigned        want;
    rms_backend_t   b;
    rms_verdict_t   v;
    rms_question_t  q;

    (void) state;

    memset(&b, 0, sizeof(b));
    q = question(&b, 1);

    /* every role but admin and none may ask for this one */

    q.endpoint = rms_endpoint_get(RMS_FILE_LICENSING_SERVER);
    q.op = RMS_OP_GET_LICENSOR_CERTIFICATE;

    for (r = 1; r < N_ROLES - 1; r++) {
        for (authenticated = 0; authenticated < 2; authenticated++) {
            for (identity = RMS_IDENTITY_NONE; identity <= RMS_IDENTITY_FILE;
                 identity++)
            {
                q.role = roles[r].role;
                q.authenticated = (authenticated != 0);
                b.identity = (rms_identity_e) identity;

                want = authenticated && identity == RMS_IDENTITY_FILE
                       && strchr("ESFR", roles[r].letter) != NULL;

                v = rms_policy_decide(&q);
                assert_true(v.allow);
                assert_int_equal(v.attach_identity, want);
            }
        }
    }
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cell_of_the_role_table_is_as_designed),
        cmocka_unit_test(nobody_asks_for_nothing),
        cmocka_unit_test(role_names_parse_back),
        cmocka_unit_test(unknown_role_names_are_declined),
        cmocka_unit_test(every_reason_has_its_name_and_status),
        cmocka_unit_test(the_printed_grant_allows_the_call_and_only_it),
        cmocka_unit_test(grant_names_tell_the_files_of_certify_apart),
        cmocka_unit_test(revoke_takes_away_and_the_last_line_counts),
        cmocka_unit_test(revoking_server_certify_keeps_user_certify),
        cmocka_unit_test(external_opens_only_what_the_role_may_inside),
        cmocka_unit_test(grants_refuse_what_nobody_may_and_what_has_no_name),
        cmocka_unit_test(nobody_may_even_with_every_bit_granted),
        cmocka_unit_test(allowed_call_is_forwarded_with_its_rewrite_rule),
        cmocka_unit_test(denials_follow_rms_deny),
        cmocka_unit_test(publishing_at_a_read_only_backend_is_denied),
        cmocka_unit_test(read_only_denies_by_file_and_by_operation),
        cmocka_unit_test(admission_does_not_ask_the_backend),
        cmocka_unit_test(incomplete_question_is_refused),
        cmocka_unit_test(licensor_selects_the_first_backend_that_has_it),
        cmocka_unit_test(our_identity_goes_only_with_authenticated_servers)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
