/*
 * What changed between two lists of rules.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "rms_acl_diff.h"
#include "rms_acl_text.h"
#include "test_mem.h"
#include "test_pattern.h"


static rms_acl_diff_t  diff;


static rms_acl_list_t
rules(test_mem_t *tm, const char *text)
{
    rms_str_t             s;
    rms_acl_list_t        list;
    rms_acl_text_error_t  error;

    static rms_str_t  file = rms_string("f");

    s.data = (unsigned char *) text;
    s.len = strlen(text);

    assert_int_equal(rms_acl_text_read(&s, &file, NULL, 0, &test_regex,
                                       test_mem_init(tm, 0), &list, &error),
                     RMS_OK);

    return list;
}


static void
changes_are_told_by_what_rules_say(void **state)
{
    size_t          i, k;
    test_mem_t      first, second, work;
    rms_acl_list_t  old, now;

    static const struct {
        const char  *old;
        const char  *now;
        size_t       added, removed, changed;
        const char  *lines[4];
    } want[] = {
        { "", "", 0, 0, 0, { NULL } },
        { "user any\n", "# moved\n\nuser any\n", 0, 0, 0, { NULL } },
        { "user any account=A@B\n", "user any\nuser account=A@B\n", 0, 0, 0,
          { NULL } },
        { "user any\n", "user any any\nuser any\n", 0, 0, 0, { NULL } },
        { "user cert=dns:A.b\n", "user cert=dns:a.B\n", 0, 0, 0, { NULL } },
        { "", "exchange sid=S-1-5-18\n", 1, 0, 0,
          { "added exchange \"sid=S-1-5-18\" (f:1)" } },
        { "", "user any\nuser any\nuser any\n", 1, 0, 0,
          { "added user \"any\" (f:1)" } },
        { "", "user account=~A\\d account=~A\\d\n",
          1, 0, 0, { "added user \"account=~A\\x5cd\" (f:1)" } },
        { "fci account=FS01$@X any\nfci any\n", "\nuser any\n", 0, 1, 1,
          { "role of \"any\" was fci, is user (f:2)",
            "removed fci \"account=FS01$@X\"" } },
        { "user account=C@X account=A@X\nfci account=B@X\n",
          "fci account=D@X\nuser account=B@X account=A@X\n", 1, 1, 1,
          { "role of \"account=B@X\" was fci, is user (f:2)",
            "added fci \"account=D@X\" (f:1)",
            "removed user \"account=C@X\"" } },
        { "user account=A@X account=B@X\n", "user account=B@X account=A@X\n",
          0, 0, 0, { "the same rules in another order" } }
    };

    (void) state;

    for (i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        old = rules(&first, want[i].old);
        now = rules(&second, want[i].now);

        assert_int_equal(rms_acl_diff(old.rules, old.n, now.rules, now.n,
                                      test_mem_init(&work, 0), &diff), RMS_OK);

        assert_int_equal(diff.added, want[i].added);
        assert_int_equal(diff.removed, want[i].removed);
        assert_int_equal(diff.changed, want[i].changed);

        for (k = 0; want[i].lines[k] != NULL; k++) {
            assert_in_range(k, 0, diff.n_lines - 1);
            assert_string_equal(diff.lines[k], want[i].lines[k]);
        }

        assert_int_equal(diff.n_lines, k);
        assert_int_equal(diff.reordered,
                         k != 0 && strstr(diff.lines[0], "order") != NULL);

        test_mem_free(&first);
        test_mem_free(&second);
        test_mem_free(&work);
    }
}


static void
long_lists_of_changes_end_in_a_number(void **state)
{
    char           *text;
    size_t          i, len, room;
    test_mem_t      first, second, work;
    rms_acl_list_t  old, now;

    (void) state;

    room = 40 * RMS_ACL_RULES_MAX;
    text = malloc(room);
    assert_non_null(text);

    for (i = 0, len = 0; i < RMS_ACL_RULES_MAX; i++) {
        len += (size_t) snprintf(text + len, room - len,
                                 "fci account=A%zu@X\n", i);
    }

    old = rules(&first, "user account=A7@X account=B@X\n");
    now = rules(&second, text);

    assert_int_equal(rms_acl_diff(old.rules, old.n, now.rules, now.n,
                                  test_mem_init(&work, 0), &diff), RMS_OK);

    assert_int_equal(diff.changed, 1);
    assert_int_equal(diff.added, RMS_ACL_RULES_MAX - 1);
    assert_int_equal(diff.removed, 1);
    assert_int_equal(diff.n_lines, RMS_ACL_DIFF_LINES + 1);
    assert_string_equal(diff.lines[0],
                        "role of \"account=A7@X\" was user, is fci (f:8)");
    assert_string_equal(diff.lines[1], "added fci \"account=A0@X\" (f:1)");
    assert_string_equal(diff.lines[RMS_ACL_DIFF_LINES], "and 9981 more");

    /* just as many as there are lines */

    assert_int_equal(rms_acl_diff(NULL, 0, now.rules, RMS_ACL_DIFF_LINES,
                                  &work.mem, &diff), RMS_OK);
    assert_int_equal(diff.n_lines, RMS_ACL_DIFF_LINES);

    test_mem_free(&first);
    test_mem_free(&second);
    test_mem_free(&work);
    free(text);
}


/* Rules of nginx.conf may hold any byte, and be of any length. */

static void
values_are_escaped_and_cut(void **state)
{
    char            value[2000];
    size_t          i;
    test_mem_t      work;
    rms_acl_rule_t  rule;

    (void) state;

    memset(&rule, 0, sizeof(rule));
    memset(value, '\n', sizeof(value));

    rule.role = RMS_ROLE_USER;
    rule.kind = RMS_ACL_PATTERN;
    rule.value.data = (unsigned char *) value;
    rule.value.len = sizeof(value);
    rule.file = rule.value;

    assert_int_equal(rms_acl_diff(&rule, 0, &rule, 1, test_mem_init(&work, 0),
                                  &diff), RMS_OK);
    assert_int_equal(diff.n_lines, 1);
    assert_in_range(strlen(diff.lines[0]), 260, RMS_ACL_DIFF_LINE - 1);
    assert_memory_equal(diff.lines[0], "added user \"account=~\\x0a\\x0a", 29);

    for (i = 0; diff.lines[0][i] != '\0'; i++) {
        assert_in_range(diff.lines[0][i], ' ', '~');
    }

    test_mem_free(&work);
}


static void
without_memory_nothing_is_said(void **state)
{
    size_t          n;
    test_mem_t      first, work;
    rms_acl_list_t  now;

    (void) state;

    now = rules(&first, "user any\n");

    for (n = 1; n <= 2; n++) {
        assert_int_equal(rms_acl_diff(NULL, 0, now.rules, now.n,
                                      test_mem_init(&work, n), &diff),
                         RMS_NOMEM);
        assert_int_equal(diff.n_lines, 0);
        assert_int_equal(diff.added, 0);
        test_mem_free(&work);
    }

    assert_int_equal(rms_acl_diff(NULL, 0, now.rules, now.n,
                                  test_mem_init(&work, 3), &diff), RMS_OK);

    test_mem_free(&work);
    test_mem_free(&first);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_are_told_by_what_rules_say),
        cmocka_unit_test(long_lists_of_changes_end_in_a_number),
        cmocka_unit_test(values_are_escaped_and_cut),
        cmocka_unit_test(without_memory_nothing_is_said)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
