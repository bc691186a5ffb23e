/*
 * Why a caller has its role or none.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>

#include "rms_acl_text.h"
#include "rms_explain.h"
#include "test_mem.h"
#include "test_pattern.h"
#include "test_sids.h"


#define HINTS_MAX  4


static test_mem_t      held;            /* what the rules live in        */
static rms_acl_list_t  list;
static size_t          json_calls, json_fail_at;


static rms_str_t
str(const char *s)
{
    rms_str_t  r;

    r.len = strlen(s);
    r.data = (unsigned char *) s;

    return r;
}


static rms_explain_t
ask(const char *text, const char *account)
{
    rms_str_t             s;
    rms_explain_t         q;
    rms_acl_text_error_t  error;

    static rms_str_t  file = rms_string("/etc/nginx/rms.acl");

    s = str(text);

    assert_int_equal(rms_acl_text_read(&s, &file, NULL, 0, &test_regex,
                                       test_mem_init(&held, 0), &list, &error),
                     RMS_OK);

    memset(&q, 0, sizeof(q));

    q.rules = list.rules;
    q.n = list.n;
    q.match = test_pattern_match;
    q.caller.authenticated = 1;
    q.caller.account = str(account);

    return q;
}


static json_t *
answer(const rms_explain_t *q)
{
    size_t       i;
    json_t      *tree;
    rms_str_t    json;
    test_mem_t   tm;

    static const char  *members[] = {
        "account", "sids", "foreign", "role", "rule", "reason",
        "sids_unknown", "may", "hints"
    };

    assert_int_equal(rms_explain(q, test_mem_init(&tm, 0), &json), RMS_OK);

    for (i = 0; i < json.len; i++) {
        assert_true(json.data[i] == '\n'
                    || (json.data[i] >= ' ' && json.data[i] <= '~'));
    }

    tree = json_loadb((char *) json.data, json.len, JSON_ALLOW_NUL, NULL);
    assert_non_null(tree);
    assert_int_equal(json_object_size(tree), 9);

    for (i = 0; i < 9; i++) {
        assert_non_null(json_object_get(tree, members[i]));
    }

    test_mem_free(&tm);

    return tree;
}


static const char *
text_of(const json_t *tree, const char *key)
{
    return json_string_value(json_object_get(tree, key));
}


static int
may(const json_t *tree, const char *operation, const char *path)
{
    int     found;
    size_t  i;
    json_t  *entry;

    found = 0;

    json_array_foreach(json_object_get(tree, "may"), i, entry) {
        found += (strcmp(text_of(entry, "operation"), operation) == 0
                  && strcmp(text_of(entry, "path"), path) == 0);
    }

    return found;
}


static void
a_role_comes_with_its_rule_and_what_it_may_do(void **state)
{
    json_t         *tree, *rule;
    rms_str_t       name;
    rms_grants_t    grants;
    rms_explain_t   q;

    (void) state;

    q = ask("user any\n\nsharepoint account=SP01$@X\n", "SP01$@X");
    tree = answer(&q);

    assert_string_equal(text_of(tree, "account"), "SP01$@X");
    assert_string_equal(text_of(tree, "role"), "sharepoint");
    assert_true(json_is_null(json_object_get(tree, "reason")));
    assert_true(json_is_null(json_object_get(tree, "sids")));
    assert_true(json_is_false(json_object_get(tree, "foreign")));
    assert_true(json_is_false(json_object_get(tree, "sids_unknown")));

    rule = json_object_get(tree, "rule");
    assert_string_equal(text_of(rule, "text"), "account=SP01$@X");
    assert_string_equal(text_of(rule, "file"), "/etc/nginx/rms.acl");
    assert_int_equal(json_integer_value(json_object_get(rule, "line")), 3);

    assert_int_equal(may(tree, "AcquireLicense", "/licensing/license.asmx"),
                     1);
    assert_int_equal(may(tree, "Certify",
                         "/certification/ServerCertification.asmx"), 1);
    assert_int_equal(may(tree, "Certify",
                         "/certification/certification.asmx"), 0);
    assert_int_equal(may(tree, "AcquirePreLicense",
                         "/licensing/license.asmx"), 0);
    assert_int_equal(json_array_size(json_object_get(tree, "hints")), 0);
    json_decref(tree);

    /* with what was granted and taken away */

    memset(&grants, 0, sizeof(grants));
    name = str("AcquirePreLicense");
    assert_int_equal(rms_policy_grant(&grants, RMS_ROLE_SHAREPOINT, &name),
                     RMS_OK);
    name = str("ServerCertify");
    assert_int_equal(rms_policy_revoke(&grants, RMS_ROLE_SHAREPOINT, &name),
                     RMS_OK);
    q.grants = &grants;

    tree = answer(&q);
    assert_int_equal(may(tree, "AcquirePreLicense",
                         "/licensing/license.asmx"), 1);
    assert_int_equal(may(tree, "Certify",
                         "/certification/ServerCertification.asmx"), 0);
    json_decref(tree);

    test_mem_free(&held);
}


static void
without_a_role_the_nearest_reasons_are_told(void **state)
{
    size_t          i, k;
    json_t         *tree, *hints, *rule;
    rms_explain_t   q;

    static const struct {
        const char  *rules;
        const char  *account;
        int          foreign;
        const char  *reason;
        struct {
            const char  *kind;
            const char  *rule;
        } hints[HINTS_MAX];
    } want[] = {
        { "", "A@X", 0, "no_role", { { "no_rules", NULL } } },
        { "user account=B@X\n", "A@X", 0, "no_role", { { NULL, NULL } } },
        { "user account=EXCH01$@X account=exch01$@X\n", "Exch01$@X", 0,
          "no_role", { { "case", "account=EXCH01$@X" } } },
        { "user account=EXCH01$@X\n", "EXCH01$@x", 0, "no_role",
          { { "case", "account=EXCH01$@X" } } },
        { "user account=EXCH01$@X\n", "exch01@x", 0, "no_role",
          { { "dollar", "account=EXCH01$@X" } } },
        { "user account=A@X\n", "A$@X", 0, "no_role",
          { { "dollar", "account=A@X" } } },
        { "user account=A@X\n", "A$@Y", 0, "no_role", { { NULL, NULL } } },
        { "user account=B@X account=A@X account=A@Z\n", "A@Y", 0, "no_role",
          { { "other_realm", "account=A@X" } } },
        { "user account=EXCH01$@X\n", "CONTOSO\\exch01$", 0,
          "not_an_account", { { "netbios_form", "account=EXCH01$@X" } } },
        { "user account=EXCH01$@X\n", "CONTOSO\\EXCH01", 0,
          "not_an_account", { { "netbios_form", NULL },
                              { "dollar", "account=EXCH01$@X" } } },
        { "user account=~CONTOSO any\n", "CONTOSO\\EXCH01$", 0,
          "not_an_account", { { "netbios_form", NULL } } },
        { "user account=EXCH01$@X any\n", "EXCH01$", 0, "not_an_account",
          { { "no_realm", "account=EXCH01$@X" } } },
        { "user any\n", "A@X@Y", 0, "not_an_account",
          { { "not_an_account", NULL } } },
        { "user any\n", "CONTOSO\\A@X", 0, "not_an_account",
          { { "not_an_account", NULL } } },
        { "user account=~EXCH\n", "exch01$@X", 0, "no_role",
          { { "case", "account=~EXCH" } } },
        { "user account=~EXCH01$@X\n", "EXCH01@X", 0, "no_role",
          { { "dollar", "account=~EXCH01$@X" } } },
        { "user account=~SVC@X\n", "SVC$@X", 0, "no_role",
          { { "dollar", "account=~SVC@X" } } },
        { "user account=~@X\n", "$@X", 0, "no_role", { { NULL, NULL } } },
        { "user sid=S-1-5-18\n", "A@X", 0, "no_role",
          { { "sids_unknown", "sid=S-1-5-18" } } },
        { "user any\nfci sid=S-1-5-18\n", "A@X", 0, "no_role",
          { { "sids_unknown", "sid=S-1-5-18" } } },
        { "user any\n", "A@X", 1, "foreign_realm",
          { { "foreign_realm", "any" } } },
        { "user account=~A any\n", "A@X", 1, "foreign_realm",
          { { "foreign_realm", "account=~A" } } },
        { "user account=A@OURS\n", "A@X", 1, "foreign_realm",
          { { "other_realm", "account=A@OURS" }, { "foreign_realm", NULL } } },
        { "user sid=S-1-5-18\n", "A@X", 1, "foreign_realm",
          { { "foreign_realm", NULL },
            { "sids_unknown", "sid=S-1-5-18" } } }
    };

    (void) state;

    for (i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        q = ask(want[i].rules, want[i].account);
        q.caller.foreign = want[i].foreign ? 1 : 0;
        tree = answer(&q);

        assert_string_equal(text_of(tree, "role"), "none");
        assert_string_equal(text_of(tree, "reason"), want[i].reason);
        assert_true(json_is_null(json_object_get(tree, "rule")));
        assert_int_equal(json_array_size(json_object_get(tree, "may")), 0);

        hints = json_object_get(tree, "hints");

        for (k = 0; k < HINTS_MAX && want[i].hints[k].kind != NULL; k++) {
            assert_in_range(k, 0, json_array_size(hints));
            assert_string_equal(text_of(json_array_get(hints, k), "kind"),
                                want[i].hints[k].kind);
            assert_in_range(strlen(text_of(json_array_get(hints, k), "text")),
                            20, 200);

            rule = json_object_get(json_array_get(hints, k), "rule");

            if (want[i].hints[k].rule == NULL) {
                assert_true(json_is_null(rule));

            } else {
                assert_string_equal(text_of(rule, "text"),
                                    want[i].hints[k].rule);
            }
        }

        assert_int_equal(json_array_size(hints), k);

        json_decref(tree);
        test_mem_free(&held);
    }
}


static void
a_caller_may_be_asked_for_by_its_groups_alone(void **state)
{
    json_t         *tree;
    rms_sid_set_t   set;
    rms_explain_t   q;

    (void) state;

    q = ask("fci sid=S-1-5-21-1-2-3-500\nuser any\n", "");
    q.caller.sids = test_sids(&set, (const char *const []) {
                                  "S-1-5-21-1-2-3-500", "S-1-5-18", NULL });

    tree = answer(&q);
    assert_true(json_is_null(json_object_get(tree, "account")));
    assert_int_equal(json_integer_value(json_object_get(tree, "sids")), 2);
    assert_string_equal(text_of(tree, "role"), "fci");
    json_decref(tree);

    /* nobody knows: any is no answer, and the flag says why */

    q.caller.sids = NULL;
    tree = answer(&q);
    assert_string_equal(text_of(tree, "role"), "none");
    assert_true(json_is_true(json_object_get(tree, "sids_unknown")));
    json_decref(tree);

    /* nobody asks an anonymous caller */

    q.caller.authenticated = 0;
    tree = answer(&q);
    assert_string_equal(text_of(tree, "role"), "user");
    json_decref(tree);

    q.n = 1;
    tree = answer(&q);
    assert_string_equal(text_of(tree, "reason"), "no_role");
    assert_int_equal(json_array_size(json_object_get(tree, "hints")), 0);
    json_decref(tree);

    free(set.domains);
    test_mem_free(&held);
}


static void
whatever_is_asked_for_is_text_in_the_answer(void **state)
{
    json_t         *tree;
    rms_explain_t   q;

    static const char  bytes[] = "a\"\\\n\xff<\xc3\xb6\0z";

    (void) state;

    q = ask("user any\n", "");
    q.caller.account.data = (unsigned char *) bytes;
    q.caller.account.len = sizeof(bytes) - 1;

    tree = answer(&q);

    assert_int_equal(json_string_length(json_object_get(tree, "account")), 12);
    assert_memory_equal(text_of(tree, "account"),
                        "a\"\\\n\xef\xbf\xbd<\xc3\xb6\0z", 12);
    assert_string_equal(text_of(tree, "role"), "none");

    json_decref(tree);
    test_mem_free(&held);
}


static void *
json_malloc(size_t size)
{
    return (++json_calls == json_fail_at) ? NULL : malloc(size);
}


static void
without_memory_there_is_no_answer(void **state)
{
    size_t          n;
    rms_rc_e        rc;
    rms_str_t       json;
    test_mem_t      tm;
    rms_explain_t   q;

    (void) state;

    q = ask("partner account=A@X account=a@X\n", "A@X");

    for (n = 1; n < 1000; n++) {
        rc = rms_explain(&q, test_mem_init(&tm, n), &json);
        test_mem_free(&tm);

        if (tm.calls < n) {
            assert_int_equal(rc, RMS_OK);
            break;
        }

        assert_int_equal(rc, RMS_NOMEM);
    }

    assert_in_range(n, 10, 999);

    /* and without that of the library */

    q.caller.account = str("A@Y");
    json_set_alloc_funcs(json_malloc, free);

    for (n = 1; n < 1000; n++) {
        json_calls = 0;
        json_fail_at = n;

        rc = rms_explain(&q, test_mem_init(&tm, 0), &json);
        test_mem_free(&tm);

        if (json_calls < n) {
            assert_int_equal(rc, RMS_OK);
            break;
        }

        assert_int_equal(rc, RMS_NOMEM);
    }

    assert_in_range(n, 10, 999);

    json_set_alloc_funcs(malloc, free);
    test_mem_free(&held);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_role_comes_with_its_rule_and_what_it_may_do),
        cmocka_unit_test(without_a_role_the_nearest_reasons_are_told),
        cmocka_unit_test(a_caller_may_be_asked_for_by_its_groups_alone),
        cmocka_unit_test(whatever_is_asked_for_is_text_in_the_answer),
        cmocka_unit_test(without_memory_there_is_no_answer)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
