/*
 * Files of rules: what is read, what is refused and where, contradictions,
 * patterns and their anchors.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "rms_acl_text.h"
#include "test_mem.h"
#include "test_pattern.h"


#define CERT    "00112233445566778899aabbccddeeff"                            \
                "00112233445566778899aabbccddeeff"
#define COLONS  "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:"            \
                "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF"


static test_mem_t            tm;
static rms_acl_list_t        list;
static rms_acl_text_error_t  error;


static rms_str_t
str(const char *s)
{
    rms_str_t  r;

    r.len = strlen(s);
    r.data = (unsigned char *) s;

    return r;
}


static rms_rc_e
read_n(const char *text, size_t len, const rms_acl_list_t *before)
{
    rms_str_t         s;
    rms_mem_t        *mem;
    static rms_str_t  file = rms_string("/etc/nginx/rms.acl");

    mem = test_mem_init(&tm, 0);

    s.data = (unsigned char *) text;
    s.len = len;

    return rms_acl_text_read(&s, &file, before ? before->rules : NULL,
                             before ? before->n : 0, &test_regex, mem, &list,
                             &error);
}


static rms_rc_e
read_text(const char *text)
{
    return read_n(text, strlen(text), NULL);
}


static void
a_file_holds_the_arguments_of_rms_allow(void **state)
{
    size_t     i;
    rms_str_t  value, file;

    static const char  text[] =
        "# servers\n"
        "exchange sid=S-1-5-21-1-2-3-1118   # a group\n"
        "\n"
        "\tsharepoint\taccount=svc-sp@CONTOSO.COM account=SP01$@CONTOSO.COM \n"
        "   \n"
        "fci account=~FS\\d+\\$@CONTOSO\\.COM\r\n"
        "partner cert=" COLONS " cert=dns:Relay.Example.COM\n"
        "user cert=upn:Bob@Contoso.com account=a#b@X#Y\n"
        "user any";

    static const struct {
        rms_role_e       role;
        rms_acl_kind_e   kind;
        const char      *value;
        unsigned         line;
    } want[] = {
        { RMS_ROLE_EXCHANGE, RMS_ACL_SID, "S-1-5-21-1-2-3-1118", 2 },
        { RMS_ROLE_SHAREPOINT, RMS_ACL_ACCOUNT, "svc-sp@CONTOSO.COM", 4 },
        { RMS_ROLE_SHAREPOINT, RMS_ACL_ACCOUNT, "SP01$@CONTOSO.COM", 4 },
        { RMS_ROLE_FCI, RMS_ACL_PATTERN, "FS\\d+\\$@CONTOSO\\.COM", 6 },
        { RMS_ROLE_PARTNER, RMS_ACL_CERT, CERT, 7 },
        { RMS_ROLE_PARTNER, RMS_ACL_CERT_DNS, "relay.example.com", 7 },
        { RMS_ROLE_USER, RMS_ACL_CERT_UPN, "bob@contoso.com", 8 },
        { RMS_ROLE_USER, RMS_ACL_ACCOUNT, "a#b@X#Y", 8 },
        { RMS_ROLE_USER, RMS_ACL_ANY, "", 9 }
    };

    char  copy[sizeof(text)];

    (void) state;

    memcpy(copy, text, sizeof(text) - 1);
    copy[sizeof(text) - 1] = '\n';

    assert_int_equal(read_n(copy, sizeof(text), NULL), RMS_OK);
    assert_memory_equal(copy, text, sizeof(text) - 1);

    assert_int_equal(list.n, sizeof(want) / sizeof(want[0]));
    assert_int_equal(list.n_before, 0);

    /* nothing points into what was read */

    memset(copy, 'x', sizeof(copy));

    file = str("/etc/nginx/rms.acl");

    for (i = 0; i < list.n; i++) {
        value = str(want[i].value);

        assert_int_equal(list.rules[i].role, want[i].role);
        assert_int_equal(list.rules[i].kind, want[i].kind);
        assert_int_equal(list.rules[i].line, want[i].line);
        assert_true(rms_str_eq(&list.rules[i].value, &value));
        assert_true(rms_str_eq(&list.rules[i].file, &file));
    }

    assert_string_equal(list.rules[3].pattern,
                        "\\A(?:FS\\d+\\$@CONTOSO\\.COM)\\z");

    value = str("S-1-5-21-1-2-3-1118");
    assert_int_equal(list.rules[0].sid.n, 5);
    assert_int_equal(list.rules[0].sid.sub[4], 1118);

    test_mem_free(&tm);
}


static void
a_file_without_rules_is_an_empty_list(void **state)
{
    size_t  i;

    static const char  *texts[] = { "", "\n", "# nobody\n", " \t\r\n\n" };

    (void) state;

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(read_text(texts[i]), RMS_OK);
        assert_int_equal(list.n, 0);
        test_mem_free(&tm);
    }
}


static void
errors_name_the_line_and_say_what_to_write(void **state)
{
    size_t  i;

    static const struct {
        const char  *text;
        unsigned     line;
        const char  *say;
    } want[] = {
        { "exchange\n", 1, "a role without a rule" },
        { "exchange # any\n", 1, "a role without a rule" },
        { "\n\nadmins any\n", 3, "unknown role \"admins\"; write exchange" },
        { "none any\n", 1, "unknown role \"none\"" },
        { "ex\"change any\n", 1, "quotes are not read here" },
        { "account=A$@X\n", 1, "unknown role \"account=A$@X\"" },
        { "rms_allow user any\n", 1, "leave out \"rms_allow\"" },
        { "user any;\n", 1, "leave it out" },
        { "user any ;\n", 1, "leave it out" },
        { "user;\n", 1, "leave it out" },
        { "user \"account=A B@X\"\n", 1, "quotes are not read here" },
        { "user 'account=A@X'\n", 1, "quotes are not read here" },
        { "user account=\"A@X\"\n", 1, "quotes are not read here" },
        { "user account='A@X\n", 1, "quotes are not read here" },
        { "user account=O'Brien@X\nuser x\n", 2, "invalid rule \"x\": a rule" },
        { "user account=A\n", 1, "invalid rule \"account=A\": not an account" },
        { "user account=X\\A\n", 1, "DOMAIN\\name is not an account" },
        { "user sid=S-1\n", 1, "not a SID" },
        { "user cert=0011:22\n", 1, "\"cert=0011:22\": not a certificate" },
        { "user cert=dns:*.x\n", 1, "without \"*\"" },
        { "user any=\n", 1, "unknown kind of rule" },
        { "user any\nuser any", 2, "may be cut short; end it with a newline" },
        { "user any\n#", 2, "may be cut short" },
        { "user any\n ", 2, "may be cut short" },
        { "user any\rfci any\n", 1, "carriage return inside a line" },
        { "user any\r\r\n", 1, "carriage return inside a line" },
        { "user\x0b" "any\n", 1, "control character at column 5" },
        { "# \x7f\n", 1, "control character at column 3" },
        { "user any # \xc2\x85\n", 1, "control character at column 12" },
        { "# \xc3\xb6\n# \xf6\n", 2, "byte 0xf6 at column 3 is not UTF-8" },
        { "# \xc3", 1, "not UTF-8" },
        { "\xef\xbb\xbfuser any\n", 1, "byte order mark" },
        { "user any\n\xef\xbb\xbfuser any\n", 2, "unknown role" },
        { "\xff\xfeu\n", 1, "byte 0xff at column 1 is not UTF-8" },
        { "user account=~!\n", 1,
          "invalid pattern \"account=~!\": parenthesis \\x22missing\\x22" },
        { "user account=~)|(?:.*\n", 1, "invalid pattern" },
        { "user account=~(*ACCEPT)x\n", 1, "it holds a verb, \\x22(*\\x22" },
        { "user account=~x(*F)\n", 1, "it holds a verb" },
        { "user account=~\n", 1, "nothing after" },
        { "user any\nfci account=\xc3\xb6\n", 2, "\"account=\\xc3\\xb6\"" }
    };

    (void) state;

    for (i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        assert_int_equal(read_text(want[i].text), RMS_INVALID);
        assert_int_equal(error.line, want[i].line);
        assert_int_equal(list.n, 0);
        assert_null(list.rules);

        if (strstr(error.text, want[i].say) == NULL) {
            assert_string_equal(error.text, want[i].say);
        }

        test_mem_free(&tm);
    }

    assert_int_equal(read_n("u\0s\0\n\0", 6, NULL), RMS_INVALID);
    assert_int_equal(error.line, 1);
    assert_non_null(strstr(error.text, "zero byte; save the file as UTF-8"));
    test_mem_free(&tm);
}


static void
file_and_lines_are_bounded(void **state)
{
    char    *text;
    size_t   i, len;

    static const char  line[] = "user any\n";

    (void) state;

    text = malloc(RMS_ACL_TEXT_MAX + 2);
    assert_non_null(text);

    /* a comment of just the bound, and one byte more */

    memset(text, '#', RMS_ACL_TEXT_MAX + 2);
    text[RMS_ACL_LINE_MAX] = '\n';
    assert_int_equal(read_n(text, RMS_ACL_LINE_MAX + 1, NULL), RMS_OK);
    test_mem_free(&tm);

    memcpy(text + RMS_ACL_LINE_MAX, "\r\n", 2);
    assert_int_equal(read_n(text, RMS_ACL_LINE_MAX + 2, NULL), RMS_OK);
    test_mem_free(&tm);

    memcpy(text + RMS_ACL_LINE_MAX, "#\n", 2);
    assert_int_equal(read_n(text, RMS_ACL_LINE_MAX + 2, NULL), RMS_TOO_LARGE);
    assert_int_equal(error.line, 1);
    assert_non_null(strstr(error.text, "longer than 4096 bytes; write the"));
    test_mem_free(&tm);

    /* so with the file */

    memset(text, '\n', RMS_ACL_TEXT_MAX + 1);
    assert_int_equal(read_n(text, RMS_ACL_TEXT_MAX, NULL), RMS_OK);
    test_mem_free(&tm);

    assert_int_equal(read_n(text, RMS_ACL_TEXT_MAX + 1, NULL), RMS_TOO_LARGE);
    assert_int_equal(error.line, 0);
    assert_non_null(strstr(error.text, "longer than 1048576 bytes"));
    test_mem_free(&tm);

    /* so with the rules */

    for (i = 0, len = 0; i <= RMS_ACL_RULES_MAX; i++) {
        memcpy(text + len, line, sizeof(line) - 1);
        len += sizeof(line) - 1;
    }

    assert_int_equal(read_n(text, len - sizeof(line) + 1, NULL), RMS_OK);
    assert_int_equal(list.n, RMS_ACL_RULES_MAX);
    test_mem_free(&tm);

    assert_int_equal(read_n(text, len, NULL), RMS_TOO_LARGE);
    assert_int_equal(error.line, RMS_ACL_RULES_MAX + 1);
    assert_non_null(strstr(error.text, "more than 10000 rules"));
    test_mem_free(&tm);

    free(text);
}


static void
patterns_are_bounded_apart_from_those_before(void **state)
{
    size_t           i, len;
    char             text[RMS_ACL_PATTERNS_MAX * 32];
    test_mem_t       first;
    rms_acl_list_t   before;

    (void) state;

    assert_int_equal(read_text("user account=~A account=~B account=~C\n"),
                     RMS_OK);
    first = tm;
    before = list;

    for (i = 0, len = 0; i < RMS_ACL_PATTERNS_MAX; i++) {
        len += (size_t) snprintf(text + len, sizeof(text) - len,
                                 "user account=~x%zu\n", i);
    }

    assert_int_equal(read_n(text, len, &before), RMS_OK);
    test_mem_free(&tm);

    len += (size_t) snprintf(text + len, sizeof(text) - len,
                             "user account=~y\n");

    assert_int_equal(read_n(text, len, &before), RMS_TOO_LARGE);
    assert_int_equal(error.line, RMS_ACL_PATTERNS_MAX + 1);
    assert_non_null(strstr(error.text, "more than 100 patterns"));

    test_mem_free(&tm);
    test_mem_free(&first);
}


static void
contradictions_are_found_against_all_rules_before(void **state)
{
    size_t           i;
    rms_rc_e         rc;
    test_mem_t       first;
    rms_acl_list_t   before;

    static const char  lines[] =
        "exchange account=A$@X account=~EX sid=S-1-5-18\n"
        "user any cert=" CERT " cert=dns:a.b\n";

    static const struct {
        const char  *text;
        unsigned     line;
        const char  *say;
    } want[] = {
        { "exchange account=A$@X account=EXCH01$@X any\n", 1,
          "\"any\" has role \"user\" already, by \"any\" in "
          "/etc/nginx/rms.acl:2, and role \"exchange\" here" },
        { "exchange account=A$@X account=EXCH01$@X account=~EX\n", 0, NULL },
        { "user account=A$@X\n", 1, "has role \"exchange\" already" },
        { "user account=a$@X\n", 0, NULL },
        { "user account=EXCH01$@X\n", 1,
          "\"account=EXCH01$@X\" has role \"exchange\" already, by "
          "\"account=~EX\" in /etc/nginx/rms.acl:1, and role \"user\" here; a "
          "caller has one role, remove one of the two" },
        { "user account=~EX\n", 1, "by \"account=~EX\"" },
        { "user account=~E\n", 0, NULL },
        { "fci sid=S-1-5-18\n", 1, "has role \"exchange\" already" },
        { "fci sid=S-1-5-19\n", 0, NULL },
        { "fci cert=" COLONS "\n", 1, "\"cert=" CERT "\" has role \"user\"" },
        { "fci cert=dns:A.B\n", 1, "\"cert=dns:a.b\" has role \"user\"" },
        { "fci cert=upn:a@b\n", 0, NULL },
        { "fci account=F@X\n\nuser account=G@X account=F@X\n", 3,
          "by \"account=F@X\" in /etc/nginx/rms.acl:1" },
        { "fci account=F@X\nfci account=F@X\nuser account=F@X\n", 3,
          "by \"account=F@X\" in /etc/nginx/rms.acl:1" },
        { "fci account=~F\nfci account=F@X\nuser account=FF@X\n", 3,
          "by \"account=~F\"" },
        { "user account=FF@X\nfci account=~F\n", 0, NULL }
    };

    (void) state;

    assert_int_equal(read_text(lines), RMS_OK);
    first = tm;
    before = list;

    for (i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        rc = read_n(want[i].text, strlen(want[i].text), &before);

        if (want[i].say == NULL) {
            assert_int_equal(rc, RMS_OK);
            assert_int_equal(list.n_before, before.n);
            assert_memory_equal(list.rules, before.rules,
                                before.n * sizeof(rms_acl_rule_t));
            test_mem_free(&tm);
            continue;
        }

        assert_int_equal(rc, RMS_INVALID);
        assert_int_equal(error.line, want[i].line);

        if (strstr(error.text, want[i].say) == NULL) {
            assert_string_equal(error.text, want[i].say);
        }

        test_mem_free(&tm);
    }

    test_mem_free(&first);
}


/* The quick search says what the plain one of rms_allow says. */

static void
ten_thousand_rules_are_checked_as_one_by_one(void **state)
{
    char     *text;
    size_t    i, len, room;
    unsigned  seed;

    (void) state;

    room = 48 * RMS_ACL_RULES_MAX;
    text = malloc(room);
    assert_non_null(text);

    for (i = 0, len = 0; i < RMS_ACL_RULES_MAX; i++) {
        len += (size_t) snprintf(text + len, room - len,
                                 "%s sid=S-1-5-21-1-2-3-%zu\n",
                                 i % 2 ? "fci" : "user", i);
    }

    assert_int_equal(read_n(text, len, NULL), RMS_OK);
    assert_int_equal(list.n, RMS_ACL_RULES_MAX);
    test_mem_free(&tm);

    for (seed = 1; seed < 200; seed++) {

        for (i = 0, len = 0; i < 30; i++) {
            len += (size_t) snprintf(text + len, room - len,
                                     "%s account=%s%zu@X\n",
                                     (i * seed) % 7 ? "fci" : "user",
                                     (i * seed) % 5 == 4 ? "~A" : "A",
                                     (i * i * seed) % 97);
        }

        (void) read_n(text, len, NULL);

        for (i = 0; i < list.n; i++) {
            assert_null(rms_acl_conflict(list.rules, i, &list.rules[i],
                                         test_pattern_match));
        }

        test_mem_free(&tm);
    }

    free(text);
}


static void
patterns_are_compiled_alone_and_then_anchored(void **state)
{
    size_t            i;
    rms_rc_e          rc;
    rms_str_t         why;
    rms_mem_t        *mem;
    rms_acl_rule_t    rule;
    unsigned char     buf[RMS_ACL_PATTERN_ERROR];

    static const rms_acl_regex_t  none = { NULL, NULL, NULL };

    static const struct {
        const char  *pattern;
        rms_rc_e     rc;
        const char  *last;
    } want[] = {
        { "EXCH\\d+", RMS_OK, "\\A(?:EXCH\\d+)\\z" },
        { "a|b", RMS_OK, "\\A(?:a|b)\\z" },
        { ")|(?:.*", RMS_INVALID, ")|(?:.*" },
        { "(*ACCEPT)", RMS_INVALID, "" },
        { "x(*", RMS_INVALID, "" },
        { "(a)*", RMS_OK, "\\A(?:(a)*)\\z" },
        { "^", RMS_NOMEM, "^" },
        { "", RMS_INVALID, "" }
    };

    (void) state;

    for (i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        mem = test_mem_init(&tm, 0);
        memset(&rule, 0, sizeof(rule));
        test_pattern_last[0] = '\0';

        rule.value = str(want[i].pattern);
        why.data = buf;
        why.len = sizeof(buf);

        rc = rms_acl_pattern_compile(&rule, &test_regex, mem, &why);

        assert_int_equal(rc, want[i].rc);
        assert_string_equal(test_pattern_last, want[i].last);
        assert_true((rc == RMS_OK) == (rule.pattern != NULL));
        test_mem_free(&tm);
    }

    rule.value = str("x");
    rule.value.len = 2;     /* its zero */
    why.len = sizeof(buf);
    mem = test_mem_init(&tm, 0);
    assert_int_equal(rms_acl_pattern_compile(&rule, &test_regex, mem, &why),
                     RMS_INVALID);

    /* a host without patterns, and little room for the reason */

    why.len = 8;
    rule.value.len = 1;
    assert_int_equal(rms_acl_pattern_compile(&rule, &none, mem, &why),
                     RMS_INVALID);
    assert_int_equal(why.len, 8);
    assert_memory_equal(why.data, "patterns", 8);

    test_mem_free(&tm);
}


static void
without_memory_there_is_no_list(void **state)
{
    size_t           n;
    rms_rc_e         rc;
    rms_str_t        text, file;
    rms_mem_t       *mem;

    (void) state;

    text = str("user account=~A account=B@X\nfci any\n");
    file = str("f");

    for (n = 1; n < 20; n++) {
        mem = test_mem_init(&tm, n);
        rc = rms_acl_text_read(&text, &file, NULL, 0, &test_regex, mem, &list,
                               &error);
        test_mem_free(&tm);

        if (tm.calls < n) {
            assert_int_equal(rc, RMS_OK);
            break;
        }

        assert_int_equal(rc, RMS_NOMEM);
        assert_int_equal(list.n, 0);
        assert_null(list.rules);
    }

    assert_int_equal(n, 6);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_holds_the_arguments_of_rms_allow),
        cmocka_unit_test(a_file_without_rules_is_an_empty_list),
        cmocka_unit_test(errors_name_the_line_and_say_what_to_write),
        cmocka_unit_test(file_and_lines_are_bounded),
        cmocka_unit_test(patterns_are_bounded_apart_from_those_before),
        cmocka_unit_test(contradictions_are_found_against_all_rules_before),
        cmocka_unit_test(ten_thousand_rules_are_checked_as_one_by_one),
        cmocka_unit_test(patterns_are_compiled_alone_and_then_anchored),
        cmocka_unit_test(without_memory_there_is_no_list)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
