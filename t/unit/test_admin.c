/*
 * The JSON of the administration of the shared list.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "rms_admin.h"
#include "test_mem.h"


static char  error[RMS_ADMIN_ERROR];


static rms_str_t
str(const char *text)
{
    rms_str_t  s;

    s.data = (unsigned char *) text;
    s.len = strlen(text);

    return s;
}


static rms_rc_e
parse(const char *json, test_mem_t *mem, rms_admin_request_t *request)
{
    rms_str_t  s;

    s = str(json);

    return rms_admin_read(&s, test_mem_init(mem, 0), request, error);
}


static void
a_request_says_what_to_do(void **state)
{
    test_mem_t           mem;
    rms_admin_request_t  r;

    (void) state;

    assert_int_equal(parse("{\"op\":\"add\",\"rules\":[\"user any\",\"\"],"
                           "\"note\":\"\\u00e9t\\u00e9\",\"dry_run\":true}",
                           &mem, &r), RMS_OK);
    assert_int_equal(r.edit.op, RMS_LIST_ADD);
    assert_int_equal(r.edit.n, 2);
    assert_true(rms_str_is(&r.edit.rules[0], "user any"));
    assert_int_equal(r.edit.rules[1].len, 0);
    assert_true(rms_str_is(&r.note, "\xc3\xa9t\xc3\xa9"));
    assert_int_equal(r.dry_run, 1);
    test_mem_free(&mem);

    assert_int_equal(parse("{\"rules\":[\"fci any\"],\"op\":\"remove\"}", &mem,
                           &r), RMS_OK);
    assert_int_equal(r.edit.op, RMS_LIST_REMOVE);
    assert_int_equal(r.note.len, 0);
    assert_int_equal(r.dry_run, 0);
    test_mem_free(&mem);

    assert_int_equal(parse(" {\"op\":\"replace\",\"rules\":[],"
                           "\"dry_run\":false} ", &mem, &r), RMS_OK);
    assert_int_equal(r.edit.op, RMS_LIST_REPLACE);
    assert_int_equal(r.edit.n, 0);
    assert_int_equal(r.dry_run, 0);
    test_mem_free(&mem);

    assert_int_equal(parse("{\"op\":\"restore\",\"version\":"
                           "9223372036854775807}", &mem, &r), RMS_OK);
    assert_int_equal(r.edit.op, RMS_LIST_RESTORE);
    assert_true(r.edit.version == INT64_MAX);
    test_mem_free(&mem);
}


static void
any_other_request_is_refused_with_a_reason(void **state)
{
    size_t               i;
    test_mem_t           mem;
    rms_admin_request_t  r;

    static const struct {
        const char  *json;
        const char  *why;
    } want[] = {
        { "", "not a JSON object" },
        { "null", "not a JSON object" },
        { "[]", "not a JSON object" },
        { "{", "not a JSON object" },
        { "{} {}", "not a JSON object" },
        { "{\"op\":\"add\",\"op\":\"add\"}", "not a JSON object" },
        { "{\"op\":\"add\",\"rules\":[\"\xff\"]}", "not a JSON object" },
        { "{\"op\":\"add\",\"rules\":[\"\\u0000\"]}", "not a JSON object" },
        { "{\"op\":\"restore\",\"version\":9223372036854775808}",
          "not a JSON object" },
        { "{}", "\"op\" is" },
        { "{\"op\":1}", "\"op\" is" },
        { "{\"op\":\"Add\",\"rules\":[\"\"]}", "\"op\" is" },
        { "{\"op\":\"add\",\"rules\":[\"\"],\"dryrun\":true}", "members are" },
        { "{\"op\":\"add\",\"rules\":[\"\"],\"version\":1}", "members are" },
        { "{\"op\":\"restore\",\"rules\":[],\"version\":1}", "members are" },
        { "{\"op\":\"add\"}", "\"rules\" is an array" },
        { "{\"op\":\"add\",\"rules\":{}}", "\"rules\" is an array" },
        { "{\"op\":\"remove\",\"rules\":[]}", "\"rules\" is an array" },
        { "{\"op\":\"add\",\"rules\":[\"a\",null]}", "not a string" },
        { "{\"op\":\"replace\",\"rules\":[],\"note\":null}", "\"note\" is" },
        { "{\"op\":\"replace\",\"rules\":[],\"note\":\"a\\tb\"}", "\"note\"" },
        { "{\"op\":\"replace\",\"rules\":[],\"note\":\"\\u007f\"}",
          "\"note\"" },
        { "{\"op\":\"replace\",\"rules\":[],\"note\":\"\\u0085\"}",
          "\"note\"" },
        { "{\"op\":\"replace\",\"rules\":[],\"dry_run\":\"no\"}", "dry_run" },
        { "{\"op\":\"restore\"}", "\"version\" is" },
        { "{\"op\":\"restore\",\"version\":0}", "\"version\" is" },
        { "{\"op\":\"restore\",\"version\":1.0}", "\"version\" is" },
        { "{\"op\":\"restore\",\"version\":\"1\"}", "\"version\" is" }
    };

    (void) state;

    for (i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        error[0] = '\0';
        assert_int_equal(parse(want[i].json, &mem, &r), RMS_INVALID);
        assert_non_null(strstr(error, want[i].why));
        test_mem_free(&mem);
    }
}


static void
limits_are_kept(void **state)
{
    char                 json[512];
    size_t               len;
    test_mem_t           mem;
    rms_str_t            s;
    rms_admin_request_t  r;

    static unsigned char  large[RMS_ADMIN_BODY_MAX + 1];
    static const char     head[] =
        "{\"op\":\"replace\",\"rules\":[],\"note\":\"";

    (void) state;

    for (len = RMS_LIST_NOTE_MAX; len <= RMS_LIST_NOTE_MAX + 1; len++) {
        memset(json, 'x', sizeof(json));
        memcpy(json, head, sizeof(head) - 1);
        memcpy(json + sizeof(head) - 1 + len, "\"}", 3);

        assert_int_equal(parse(json, &mem, &r), len == RMS_LIST_NOTE_MAX
                                                ? RMS_OK : RMS_INVALID);
        test_mem_free(&mem);
    }

    memset(large, ' ', sizeof(large));
    memcpy(large, "{\"op\":\"replace\",\"rules\":[]}", 27);
    s.data = large;

    s.len = RMS_ADMIN_BODY_MAX;
    assert_int_equal(rms_admin_read(&s, test_mem_init(&mem, 0), &r, error),
                     RMS_OK);
    test_mem_free(&mem);

    s.len = RMS_ADMIN_BODY_MAX + 1;
    assert_int_equal(rms_admin_read(&s, test_mem_init(&mem, 0), &r, error),
                     RMS_INVALID);
    test_mem_free(&mem);
}


static void
if_match_is_one_number_in_quotes(void **state)
{
    size_t     i;
    uint64_t   version;
    rms_str_t  s;

    static const char *const  wrong[] = {
        "", "\"", "\"\"", "1", "\"1", "1\"", "'1'", "*", "\"*\"", "W/\"1\"",
        "\"1\", \"2\"", "\"01\"", "\"00\"", "\"-1\"", "\"+1\"", "\" 1\"",
        "\"1 \"", "\"1\" ", "\"0x1\"", "\"1.0\"", "\"1234567890123456789\""
    };

    (void) state;

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        s = str(wrong[i]);
        assert_int_equal(rms_admin_match(&s, &version), RMS_INVALID);
    }

    s = str("\"0\"");
    assert_int_equal(rms_admin_match(&s, &version), RMS_OK);
    assert_true(version == 0);

    s = str("\"17\"");
    assert_int_equal(rms_admin_match(&s, &version), RMS_OK);
    assert_true(version == 17);

    s = str("\"123456789012345678\"");
    assert_int_equal(rms_admin_match(&s, &version), RMS_OK);
    assert_true(version == 123456789012345678);
}


static void
is_json(const rms_str_t *json, const char *want)
{
    size_t  i, k;

    /* blanks and line ends beside */

    for (i = 0, k = 0; i < json->len; i++) {
        if (json->data[i] != ' ' && json->data[i] != '\n') {
            assert_int_equal(json->data[i], want[k]);
            k++;
        }
    }

    assert_int_equal(want[k], '\0');
    assert_int_equal(json->data[json->len - 1], '\n');
}


static rms_list_version_t
version_of(uint64_t number, const char *text)
{
    rms_list_version_t  v;

    memset(&v, 0, sizeof(v));

    v.version = number;
    v.when = number ? 1715000000 : 0;
    v.who = str("\xc3\xa9\"@X");
    v.note = str("");
    v.text = str(text);

    return v;
}


static void
answers_are_what_the_manual_says(void **state)
{
    rms_str_t           json;
    rms_list_t          list;
    test_mem_t          mem;
    rms_list_version_t  v;
    rms_admin_source_t  source = { "redis", 3, 1 };

    static rms_acl_diff_t  diff;

    (void) state;

    test_mem_init(&mem, 0);

    v = version_of(17, "user any\nfci account=~\\d@X\n");
    assert_int_equal(rms_admin_list(&v, &source, &mem.mem, &json), RMS_OK);
    is_json(&json, "{\"version\":17,\"when\":\"2024-05-06T12:53:20Z\","
            "\"who\":\"\\u00E9\\\"@X\",\"note\":\"\",\"rules\":[\"userany\","
            "\"fciaccount=~\\\\d@X\"],\"store\":\"redis\",\"age\":3,"
            "\"stale\":true}");

    memset(&v, 0, sizeof(v));
    assert_int_equal(rms_admin_list(&v, NULL, &mem.mem, &json), RMS_OK);
    is_json(&json, "{\"version\":0,\"when\":null,\"who\":\"\",\"note\":\"\","
            "\"rules\":[]}");

    memset(&list, 0, sizeof(list));
    assert_int_equal(rms_admin_history(&list, &mem.mem, &json), RMS_OK);
    is_json(&json, "{\"history\":[]}");

    v = version_of(1, "");
    rms_list_push(&list, &v);
    v = version_of(2, "a\nb\n");
    rms_list_push(&list, &v);
    assert_int_equal(rms_admin_history(&list, &mem.mem, &json), RMS_OK);
    is_json(&json, "{\"history\":["
            "{\"version\":2,\"when\":\"2024-05-06T12:53:20Z\","
            "\"who\":\"\\u00E9\\\"@X\",\"note\":\"\",\"rules\":2},"
            "{\"version\":1,\"when\":\"2024-05-06T12:53:20Z\","
            "\"who\":\"\\u00E9\\\"@X\",\"note\":\"\",\"rules\":0}]}");

    diff.added = 1;
    diff.removed = 2;
    diff.changed = 3;
    diff.reordered = 1;
    diff.n_lines = 1;
    strcpy(diff.lines[0], "added \"x\"");
    assert_int_equal(rms_admin_change(5, &diff, 1, NULL, &mem.mem, &json),
                     RMS_OK);
    is_json(&json, "{\"version\":5,\"dry_run\":true,\"changed\":3,\"added\":1,"
            "\"removed\":2,\"reordered\":true,\"changes\":"
            "[\"added\\\"x\\\"\"]}");
    assert_int_equal(rms_admin_change(5, &diff, 0, "zone", &mem.mem, &json),
                     RMS_OK);
    assert_non_null(memmem(json.data, json.len, "\"stored\": \"zone\"", 16));

    test_mem_free(&mem);
}


static void
without_memory_there_is_no_answer(void **state)
{
    size_t               at;
    rms_rc_e             rc;
    rms_str_t            s, json;
    rms_list_t           list;
    test_mem_t           mem;
    rms_list_version_t   v;
    rms_admin_request_t  r;

    static rms_acl_diff_t  diff;

    (void) state;

    s = str("{\"op\":\"add\",\"rules\":[\"a\",\"b\"],\"note\":\"x\"}");

    for (at = 1; ; at++) {
        rc = rms_admin_read(&s, test_mem_init(&mem, at), &r, error);
        test_mem_free(&mem);

        if (mem.calls < at) {
            break;
        }

        assert_int_equal(rc, RMS_NOMEM);
    }

    assert_int_equal(rc, RMS_OK);
    assert_int_equal(at, 1 + 4);

    memset(&list, 0, sizeof(list));
    v = version_of(1, "");

    assert_int_equal(rms_admin_list(&v, NULL, test_mem_init(&mem, 1), &json),
                     RMS_NOMEM);
    assert_int_equal(rms_admin_history(&list, test_mem_init(&mem, 1), &json),
                     RMS_NOMEM);
    assert_int_equal(rms_admin_change(1, &diff, 0, NULL,
                                      test_mem_init(&mem, 1), &json),
                     RMS_NOMEM);
}


static void
a_name_that_is_not_utf8_gives_no_answer_and_no_crash(void **state)
{
    rms_str_t           json;
    test_mem_t          mem;
    rms_list_version_t  v;

    (void) state;

    v = version_of(1, "a\n\xff\n");
    assert_int_equal(rms_admin_list(&v, NULL, test_mem_init(&mem, 0), &json),
                     RMS_NOMEM);

    v = version_of(1, "");
    v.who = str("\xff");
    assert_int_equal(rms_admin_list(&v, NULL, &mem.mem, &json), RMS_NOMEM);

    test_mem_free(&mem);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(a_request_says_what_to_do),
        cmocka_unit_test(any_other_request_is_refused_with_a_reason),
        cmocka_unit_test(limits_are_kept),
        cmocka_unit_test(if_match_is_one_number_in_quotes),
        cmocka_unit_test(answers_are_what_the_manual_says),
        cmocka_unit_test(without_memory_there_is_no_answer),
        cmocka_unit_test(a_name_that_is_not_utf8_gives_no_answer_and_no_crash)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
