/*
 * Account names.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "rms_principal.h"


typedef struct {
    const char  *text;
    const char  *name;
    const char  *realm;
} split_t;


static rms_str_t
str(const char *s)
{
    rms_str_t  r;

    r.len = strlen(s);
    r.data = (unsigned char *) s;

    return r;
}


/* A copy of just this length: the sanitizer sees a byte read beyond it. */

static rms_str_t
copy(const char *s)
{
    rms_str_t  r;

    r.len = strlen(s);
    r.data = malloc(r.len ? r.len : 1);
    assert_non_null(r.data);
    memcpy(r.data, s, r.len);

    return r;
}


static rms_rc_e
parse(const char *s)
{
    rms_rc_e         rc;
    rms_str_t        text = copy(s);
    rms_principal_t  p;

    rc = rms_principal_parse(&text, &p);
    free(text.data);

    return rc;
}


static rms_rc_e
check_rule(const char *s)
{
    rms_rc_e   rc;
    rms_str_t  text = copy(s);

    rc = rms_principal_check_rule(&text);
    free(text.data);

    return rc;
}


static void
principal_splits_at_the_unescaped_at_sign(void **state)
{
    size_t           i;
    rms_str_t        text, want;
    rms_principal_t  p;

    static const split_t  good[] = {
        { "EXCH01$@CONTOSO.COM", "EXCH01$", "CONTOSO.COM" },
        { "HTTP/rms.contoso.com@CONTOSO.COM", "HTTP/rms.contoso.com",
          "CONTOSO.COM" },
        { "a@B", "a", "B" },
        { "svc\\@old@CONTOSO.COM", "svc\\@old", "CONTOSO.COM" },
        { "svc\\/x@CONTOSO.COM", "svc\\/x", "CONTOSO.COM" },
        { "svc\\\\@CONTOSO.COM", "svc\\\\", "CONTOSO.COM" },
        { "j\xc3\xbcrgen@CONTOSO.COM", "j\xc3\xbcrgen", "CONTOSO.COM" },
        { "two words@CONTOSO.COM", "two words", "CONTOSO.COM" },
        { "a@contoso.com", "a", "contoso.com" }
    };

    (void) state;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        text = str(good[i].text);
        assert_int_equal(rms_principal_parse(&text, &p), RMS_OK);

        want = str(good[i].name);
        assert_true(rms_str_eq(&want, &p.name));

        want = str(good[i].realm);
        assert_true(rms_str_eq(&want, &p.realm));
    }
}


static void
broken_principals_are_refused(void **state)
{
    size_t  i;

    static const char  *bad[] = {
        "", "@", "a", "a@", "@B", "a@@B", "a@B@C", "a@B@", "@a@B",
        "a\\@B", "a\\", "a@B\\", "a\\x@B", "a@B\\@C", "a@B\\\\C",
        "a@B\xc3\x9c", "a@B\x7f"
    };

    (void) state;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(parse(bad[i]), RMS_INVALID);
    }
}


static void
control_characters_are_refused_bare_and_escaped(void **state)
{
    unsigned         c;
    rms_str_t        text;
    rms_principal_t  p;
    unsigned char    buf[8];

    (void) state;

    text.data = buf;

    for (c = 0; c < 0x20; c++) {
        text.len = 4;

        memcpy(buf, "aX@B", 4);
        buf[1] = (unsigned char) c;
        assert_int_equal(rms_principal_parse(&text, &p), RMS_INVALID);

        memcpy(buf, "a@XB", 4);
        buf[2] = (unsigned char) c;
        assert_int_equal(rms_principal_parse(&text, &p), RMS_INVALID);
    }

    assert_int_equal(parse("a\x7f@B"), RMS_INVALID);
    assert_int_equal(parse("a\xc2\x9b" "31m@B"), RMS_INVALID);
    assert_int_equal(parse("a\xc2\xa0@B"), RMS_OK);

    /* as krb5_unparse_name() shows them */

    assert_int_equal(parse("a\\nb@B"), RMS_INVALID);
    assert_int_equal(parse("a\\tb@B"), RMS_INVALID);
    assert_int_equal(parse("a\\bb@B"), RMS_INVALID);
    assert_int_equal(parse("a\\0b@B"), RMS_INVALID);
}


static void
principal_has_a_longest_length(void **state)
{
    rms_str_t        text;
    rms_principal_t  p;
    unsigned char    buf[RMS_PRINCIPAL_LEN_MAX + 1];

    (void) state;

    memset(buf, 'a', sizeof(buf));
    buf[100] = '@';
    text.data = buf;

    text.len = RMS_PRINCIPAL_LEN_MAX;
    assert_int_equal(rms_principal_parse(&text, &p), RMS_OK);

    text.len = RMS_PRINCIPAL_LEN_MAX + 1;
    assert_int_equal(rms_principal_parse(&text, &p), RMS_INVALID);
}


static void
domain_form_in_a_rule_is_told_apart(void **state)
{
    size_t  i;

    static const struct {
        const char  *text;
        rms_rc_e     rc;
    } want[] = {
        { "EXCH01$@CONTOSO.COM", RMS_OK },
        { "svc\\@old@CONTOSO.COM", RMS_OK },
        { "HTTP/rms\\/x@CONTOSO.COM", RMS_OK },
        { "CONTOSO\\EXCH01$", RMS_UNSUPPORTED },
        { "CONTOSO\\nick", RMS_UNSUPPORTED },
        { "CONTOSO\\\\nick", RMS_UNSUPPORTED },
        { "CONTOSO\nick", RMS_UNSUPPORTED },
        { "CONTOSO\tom", RMS_UNSUPPORTED },
        { "CONTOSO\root", RMS_UNSUPPORTED },
        { "CONTOSO\\svc@CONTOSO.COM", RMS_UNSUPPORTED },
        { "CONTOSO\\\\svc@CONTOSO.COM", RMS_UNSUPPORTED },
        { "CONTOSO\\", RMS_UNSUPPORTED },
        { "EXCH01$", RMS_INVALID },
        { "EXCH01$@", RMS_INVALID },
        { "", RMS_INVALID }
    };

    (void) state;

    for (i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        assert_int_equal(check_rule(want[i].text), want[i].rc);
    }
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(principal_splits_at_the_unescaped_at_sign),
        cmocka_unit_test(broken_principals_are_refused),
        cmocka_unit_test(control_characters_are_refused_bare_and_escaped),
        cmocka_unit_test(principal_has_a_longest_length),
        cmocka_unit_test(domain_form_in_a_rule_is_told_apart)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
