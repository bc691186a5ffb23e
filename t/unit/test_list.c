/*
 * The shared list: edits, the versions before it, and its body.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "rms_list.h"
#include "test_mem.h"
#include "test_pattern.h"


static rms_acl_text_error_t  error;


static rms_str_t
str(const char *text)
{
    rms_str_t  s;

    s.data = (unsigned char *) text;
    s.len = strlen(text);

    return s;
}


/* The list with one version of that text. */

static rms_list_t
list_of(const char *text)
{
    rms_list_t          list;
    rms_list_version_t  version;

    memset(&list, 0, sizeof(list));
    memset(&version, 0, sizeof(version));

    version.version = 7;
    version.text = str(text);

    rms_list_push(&list, &version);

    return list;
}


/* rules: lines with their ends, at most 300; "-" is an empty array */

static rms_rc_e
edit(const rms_list_t *list, rms_list_op_e op, const char *rules,
    const rms_mem_t *mem, rms_str_t *text)
{
    const char       *end;
    rms_list_edit_t   e;

    static rms_str_t  lines[300];

    memset(&e, 0, sizeof(e));

    e.op = op;
    e.rules = lines;

    while (*rules != '\0' && e.n < 300) {
        end = strchr(rules, '|');
        end = end ? end : rules + strlen(rules);

        lines[e.n].data = (unsigned char *) rules;
        lines[e.n++].len = (size_t) (end - rules);

        rules = end + (*end == '|');
    }

    return rms_list_edit(list, &e, &test_regex, mem, text, &error);
}


static void
an_edit_gives_the_rules_in_their_one_form(void **state)
{
    size_t       i;
    rms_str_t    text;
    rms_list_t   list;
    test_mem_t   mem;

    static const struct {
        const char     *had;
        rms_list_op_e   op;
        const char     *rules;
        const char     *now;
    } want[] = {
        { "", RMS_LIST_ADD, "user  any", "user any\n" },
        { "", RMS_LIST_ADD, "user account=A@X any # both\r",
          "user account=A@X\nuser any\n" },
        { "user any\n", RMS_LIST_ADD, "fci account=B@X|user any",
          "user any\nfci account=B@X\n" },
        { "user any\n", RMS_LIST_ADD, "fci account=B@X|fci account=B@X|#|",
          "user any\nfci account=B@X\n" },
        { "", RMS_LIST_ADD, "user account=~A+", "user account=~A+\n" },
        { "", RMS_LIST_ADD, "user sid=S-1-05-18", NULL },
        { "user any\nfci account=B@X\nuser account=C@X\n", RMS_LIST_REMOVE,
          "fci account=B@X", "user any\nuser account=C@X\n" },
        { "user any\nfci account=B@X\nuser any\n", RMS_LIST_REMOVE,
          "user any", "fci account=B@X\n" },
        { "user any\n", RMS_LIST_REMOVE, "user any", "" },
        { "user any\n", RMS_LIST_REPLACE, "fci account=B@X",
          "fci account=B@X\n" },
        { "user any\n", RMS_LIST_REPLACE, "", "" }
    };

    (void) state;

    for (i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        list = list_of(want[i].had);

        if (want[i].now == NULL) {
            assert_int_equal(edit(&list, want[i].op, want[i].rules,
                                  test_mem_init(&mem, 0), &text),
                             RMS_INVALID);
        } else {
            assert_int_equal(edit(&list, want[i].op, want[i].rules,
                                  test_mem_init(&mem, 0), &text), RMS_OK);
            assert_int_equal(text.len, strlen(want[i].now));
            assert_memory_equal(text.data, want[i].now, text.len);
        }

        test_mem_free(&mem);
    }
}


static void
an_edit_that_changes_nothing_says_so(void **state)
{
    rms_str_t   text;
    rms_list_t  list, none;
    test_mem_t  mem;

    (void) state;

    list = list_of("user any\nfci account=B@X\n");
    memset(&none, 0, sizeof(none));

    test_mem_init(&mem, 0);

    assert_int_equal(edit(&list, RMS_LIST_ADD, "fci account=B@X", &mem.mem,
                          &text), RMS_DECLINED);
    assert_int_equal(edit(&list, RMS_LIST_REPLACE,
                          "user any|fci account=B@X", &mem.mem, &text),
                     RMS_DECLINED);
    assert_int_equal(edit(&none, RMS_LIST_REPLACE, "", &mem.mem, &text),
                     RMS_DECLINED);

    test_mem_free(&mem);
}


static void
a_wrong_rule_is_told_by_its_number_in_the_request(void **state)
{
    size_t      i;
    rms_str_t   text;
    rms_list_t  list;
    test_mem_t  mem;

    static const struct {
        rms_list_op_e   op;
        const char     *rules;
        unsigned        line;
        const char     *why;
    } want[] = {
        { RMS_LIST_ADD, "user account=A@X|users any", 2, "unknown role" },
        { RMS_LIST_ADD, "user account=A@X|#|user any;", 3, "semicolon" },
        { RMS_LIST_ADD, "user account=A@X|user any\nadmin any", 2,
          "a line end inside a rule" },
        { RMS_LIST_ADD, "user account=A@X account=C@X|fci account=B@X", 2,
          "\"account=B@X\" has role \"user\" already" },
        { RMS_LIST_ADD, "user account=A@X|fci account=A@X", 2,
          "has role \"user\" already" },
        { RMS_LIST_ADD, "user account=~!", 1, "invalid pattern" },
        { RMS_LIST_ADD, "# nobody", 1, "no rule in it" },
        { RMS_LIST_REPLACE, "#|", 1, "no rule in it" },
        { RMS_LIST_REMOVE, "user account=B@X|user account=A@X", 2,
          "the list has no such rule: user \"account=A@X\"" },
        { RMS_LIST_REMOVE, "fci account=B@X", 1, "no such rule" },
        { RMS_LIST_RESTORE, "", 0, "this version is not kept" }
    };

    (void) state;

    list = list_of("user account=B@X\n");

    for (i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        assert_int_equal(edit(&list, want[i].op, want[i].rules,
                              test_mem_init(&mem, 0), &text), RMS_INVALID);
        assert_int_equal(error.line, want[i].line);
        assert_non_null(strstr(error.text, want[i].why));

        test_mem_free(&mem);
    }
}


/* n rules of that form, joined by end */

static char *
many(const char *format, size_t n, char end)
{
    char    *text;
    size_t   i, len, room;

    room = n * (strlen(format) + 140) + 1;
    text = malloc(room);
    assert_non_null(text);

    for (i = 0, len = 0; i < n; i++) {
        len += (size_t) snprintf(text + len, room - len, format, i);
        text[len++] = end;
    }

    text[len - (end == '|')] = '\0';

    return text;
}


static void
a_list_that_could_not_be_read_back_is_refused(void **state)
{
    char        *rules;
    rms_str_t    text;
    rms_list_t   list;
    test_mem_t   mem;

    (void) state;

    test_mem_init(&mem, 0);

    rules = many("user account=a%zu@X", RMS_ACL_RULES_MAX, '\n');
    list = list_of(rules);
    assert_int_equal(edit(&list, RMS_LIST_ADD, "fci account=B@X", &mem.mem,
                          &text), RMS_TOO_LARGE);
    assert_int_equal(error.line, 0);
    assert_non_null(strstr(error.text, "more than 10000 rules"));
    free(rules);

    rules = many("user account=~a%zu", RMS_ACL_PATTERNS_MAX, '\n');
    list = list_of(rules);
    assert_int_equal(edit(&list, RMS_LIST_ADD, "user account=~b", &mem.mem,
                          &text), RMS_TOO_LARGE);
    assert_int_equal(error.line, 0);
    assert_non_null(strstr(error.text, "more than 100 patterns"));
    free(rules);

    rules = many("user account=a%0120zu@X", 4000, '\n');
    list = list_of(rules);
    assert_int_equal(edit(&list, RMS_LIST_ADD, "fci account=B@X", &mem.mem,
                          &text), RMS_TOO_LARGE);
    assert_non_null(strstr(error.text, "longer than 512 KiB"));
    free(rules);

    list = list_of("");
    rules = many("user account=a%zu@X", RMS_LIST_EDIT_MAX + 1, '|');
    assert_int_equal(edit(&list, RMS_LIST_ADD, rules, &mem.mem, &text),
                     RMS_TOO_LARGE);
    assert_non_null(strstr(error.text, "more than 256 rules in one change"));
    assert_int_equal(edit(&list, RMS_LIST_REPLACE, rules, &mem.mem, &text),
                     RMS_OK);
    free(rules);

    test_mem_free(&mem);
}


static void
a_restored_version_is_the_text_of_then(void **state)
{
    rms_str_t        text;
    rms_list_t       list;
    test_mem_t       mem;
    rms_list_edit_t  e;

    (void) state;

    list = list_of("user any\n");
    rms_list_push(&list, &list.versions[0]);
    list.versions[0].version = 8;
    list.versions[0].text = str("fci account=B@X\n");

    memset(&e, 0, sizeof(e));
    e.op = RMS_LIST_RESTORE;
    e.version = 7;

    assert_int_equal(rms_list_edit(&list, &e, &test_regex,
                                   test_mem_init(&mem, 0), &text, &error),
                     RMS_OK);
    assert_true(rms_str_is(&text, "user any\n"));

    e.version = 8;
    assert_int_equal(rms_list_edit(&list, &e, &test_regex, &mem.mem, &text,
                                   &error), RMS_DECLINED);

    e.version = 6;
    assert_int_equal(rms_list_edit(&list, &e, &test_regex, &mem.mem, &text,
                                   &error), RMS_INVALID);

    test_mem_free(&mem);
}


static void
an_edit_without_memory_is_none(void **state)
{
    size_t         at, op;
    rms_rc_e       rc;
    rms_str_t      text;
    rms_list_t     list;
    test_mem_t     mem;

    (void) state;

    list = list_of("user any\nfci account=B@X\n");

    for (op = RMS_LIST_ADD; op <= RMS_LIST_REPLACE; op++) {

        for (at = 1; ; at++) {
            rc = edit(&list, (rms_list_op_e) op,
                      op == RMS_LIST_ADD ? "user account=C@X" : "user any",
                      test_mem_init(&mem, at), &text);
            test_mem_free(&mem);

            if (mem.calls < at) {
                break;
            }

            assert_int_equal(rc, RMS_NOMEM);
        }

        assert_int_equal(rc, RMS_OK);
        assert_in_range(at, 8, 40);
    }
}


static void
same(const rms_list_t *a, const rms_list_t *b, size_t n)
{
    size_t  i;

    assert_int_equal(b->n, n);

    for (i = 0; i < n; i++) {
        assert_true(rms_str_eq(&a->versions[i].text, &b->versions[i].text));

        if (i) {
            assert_int_equal(a->versions[i].version, b->versions[i].version);
            assert_int_equal(a->versions[i].when, b->versions[i].when);
            assert_true(rms_str_eq(&a->versions[i].who, &b->versions[i].who));
            assert_true(rms_str_eq(&a->versions[i].note,
                                   &b->versions[i].note));
        }
    }
}


static rms_list_t
history(void)
{
    size_t              i;
    rms_list_t          list;
    rms_list_version_t  version;

    static const char *const  texts[] = {
        "", "user any\n", "a\nuser any\n", "a\nuser any\nb\n",
        "a\nx\nuser any\nb\n", "a\nx\nb\n", "a\nb\n", "b\n", "c\nb\n", "c\n",
        "c\nc\n", "c\nc\nc\n", "c\nc\n", "", "no end", "end", "a\nend",
        "a\nb\nend", "b\nend", "\n", "\n\n", "a\n\n", "\n\xc3\xa9\n"
    };

    memset(&list, 0, sizeof(list));
    memset(&version, 0, sizeof(version));

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        version.version = i + 1;
        version.when = 1700000000 + i;
        version.who = str(i % 2 ? "alice@X" : "\"b\\ob\"@X");
        version.note = str(i % 3 ? "why" : "");
        version.text = str(texts[i]);

        rms_list_push(&list, &version);
    }

    return list;
}


static void
each_version_comes_back_as_it_was(void **state)
{
    rms_str_t   body;
    rms_list_t  list, back;
    test_mem_t  mem;

    (void) state;

    list = history();
    assert_int_equal(list.n, RMS_LIST_VERSIONS);
    assert_int_equal(list.versions[0].version, 23);
    assert_int_equal(list.versions[20].version, 3);

    test_mem_init(&mem, 0);

    assert_int_equal(rms_list_encode(&list, &mem.mem, &body), RMS_OK);
    assert_int_equal(rms_list_decode(&body, &mem.mem, &back), RMS_OK);

    same(&list, &back, RMS_LIST_VERSIONS);

    test_mem_free(&mem);
}


static void
the_oldest_versions_go_when_there_is_no_room(void **state)
{
    size_t       i;
    char        *texts[2];
    rms_str_t    body;
    rms_list_t   list, back;
    test_mem_t   mem;

    (void) state;

    texts[0] = many("user account=~a%084zu\\d", 5000, '\n');
    texts[1] = many("user account=~b%084zu\\d", 5000, '\n');

    list = history();

    for (i = 0; i < list.n; i++) {
        list.versions[i].text = str(texts[i % 2]);
        assert_in_range(list.versions[i].text.len, 1, RMS_LIST_TEXT_MAX);
    }

    test_mem_init(&mem, 0);

    assert_int_equal(rms_list_encode(&list, &mem.mem, &body), RMS_OK);
    assert_in_range(body.len, RMS_LIST_BODY_MAX / 2, RMS_LIST_BODY_MAX);
    assert_int_equal(rms_list_decode(&body, &mem.mem, &back), RMS_OK);

    same(&list, &back, 2);

    test_mem_free(&mem);
    free(texts[0]);
    free(texts[1]);
}


static void
what_is_too_long_is_not_encoded(void **state)
{
    char        *text;
    rms_str_t    body, long_one;
    rms_list_t   list;
    test_mem_t   mem;

    (void) state;

    text = malloc(RMS_LIST_TEXT_MAX + 1);
    assert_non_null(text);
    memset(text, 'x', RMS_LIST_TEXT_MAX + 1);
    long_one.data = (unsigned char *) text;

    test_mem_init(&mem, 0);

    memset(&list, 0, sizeof(list));
    assert_int_equal(rms_list_encode(&list, &mem.mem, &body), RMS_INVALID);

    list = history();
    long_one.len = RMS_LIST_TEXT_MAX + 1;
    list.versions[1].text = long_one;
    assert_int_equal(rms_list_encode(&list, &mem.mem, &body), RMS_INVALID);

    list = history();
    long_one.len = RMS_LIST_WHO_MAX + 1;
    list.versions[1].who = long_one;
    assert_int_equal(rms_list_encode(&list, &mem.mem, &body), RMS_INVALID);

    list = history();
    long_one.len = RMS_LIST_NOTE_MAX + 1;
    list.versions[1].note = long_one;
    assert_int_equal(rms_list_encode(&list, &mem.mem, &body), RMS_INVALID);

    long_one.len = RMS_LIST_NOTE_MAX;
    list.versions[1].note = long_one;
    assert_int_equal(rms_list_encode(&list, &mem.mem, &body), RMS_OK);

    test_mem_free(&mem);
    free(text);
}


#define ITEM(v, head, tail, text)                                             \
    "{\"version\":" v ",\"when\":1,\"who\":\"a\",\"note\":\"\","              \
    "\"head\":" head ",\"tail\":" tail ",\"text\":\"" text "\"}"


static void
what_is_no_body_is_refused(void **state)
{
    size_t      i;
    rms_str_t   body;
    rms_list_t  list;
    test_mem_t  mem;

    static const char *const  wrong[] = {
        "", "x", "[]", "{}", "{\"text\":\"\"}", "{\"history\":[]}",
        "{\"text\":1,\"history\":[]}", "{\"text\":\"\",\"history\":{}}",
        "{\"text\":\"\",\"history\":[],\"more\":1}",
        "{\"text\":\"\",\"text\":\"\",\"history\":[]}",
        "{\"text\":\"\",\"history\":[1]}",
        "{\"text\":\"a\\u0000\",\"history\":[]}",
        "{\"text\":\"a\\n\",\"history\":[" ITEM("0", "0", "0", "") "]}",
        "{\"text\":\"a\\n\",\"history\":[" ITEM("-1", "0", "0", "") "]}",
        "{\"text\":\"a\\n\",\"history\":[" ITEM("\"1\"", "0", "0", "") "]}",
        "{\"text\":\"a\\n\",\"history\":[" ITEM("1", "2", "0", "") "]}",
        "{\"text\":\"a\\n\",\"history\":[" ITEM("1", "0", "2", "") "]}",
        "{\"text\":\"a\\n\",\"history\":[" ITEM("1", "1", "1", "") "]}",
        "{\"text\":\"a\\n\",\"history\":[" ITEM("1", "9999999", "0", "") "]}",
        "{\"text\":\"a\\n\",\"history\":[" ITEM("2", "0", "0", "") ","
            ITEM("2", "0", "0", "") "]}",
        "{\"text\":\"a\\n\",\"history\":[" ITEM("2", "0", "0", "") ","
            ITEM("3", "0", "0", "") "]}"
    };

    (void) state;

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        body = str(wrong[i]);
        assert_int_equal(rms_list_decode(&body, test_mem_init(&mem, 0),
                                         &list), RMS_INVALID);
        assert_int_equal(list.n, 0);
        test_mem_free(&mem);
    }

    body = str("{\"text\":\"a\\n\",\"history\":[" ITEM("2", "1", "0", "b\\n")
               "," ITEM("1", "0", "1", "") "]}");
    assert_int_equal(rms_list_decode(&body, test_mem_init(&mem, 0), &list),
                     RMS_OK);
    assert_int_equal(list.n, 3);
    assert_true(rms_str_is(&list.versions[1].text, "a\nb\n"));
    assert_true(rms_str_is(&list.versions[2].text, "b\n"));
    test_mem_free(&mem);
}


static void
a_codec_without_memory_leaves_no_list(void **state)
{
    size_t      at;
    rms_rc_e    rc;
    rms_str_t   body, copy;
    rms_list_t  list, back;
    test_mem_t  keep, mem;

    (void) state;

    list = history();

    assert_int_equal(rms_list_encode(&list, test_mem_init(&mem, 1), &copy),
                     RMS_NOMEM);
    test_mem_free(&mem);

    assert_int_equal(rms_list_encode(&list, test_mem_init(&keep, 0), &body),
                     RMS_OK);

    for (at = 1; ; at++) {
        rc = rms_list_decode(&body, test_mem_init(&mem, at), &back);
        test_mem_free(&mem);

        if (mem.calls < at) {
            break;
        }

        assert_int_equal(rc, RMS_NOMEM);
        assert_int_equal(back.n, 0);
    }

    assert_int_equal(rc, RMS_OK);
    assert_in_range(at, 1 + 20 * 4, 200);

    test_mem_free(&keep);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(an_edit_gives_the_rules_in_their_one_form),
        cmocka_unit_test(an_edit_that_changes_nothing_says_so),
        cmocka_unit_test(a_wrong_rule_is_told_by_its_number_in_the_request),
        cmocka_unit_test(a_list_that_could_not_be_read_back_is_refused),
        cmocka_unit_test(a_restored_version_is_the_text_of_then),
        cmocka_unit_test(an_edit_without_memory_is_none),
        cmocka_unit_test(each_version_comes_back_as_it_was),
        cmocka_unit_test(the_oldest_versions_go_when_there_is_no_room),
        cmocka_unit_test(what_is_too_long_is_not_encoded),
        cmocka_unit_test(what_is_no_body_is_refused),
        cmocka_unit_test(a_codec_without_memory_leaves_no_list)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
