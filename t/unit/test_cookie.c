/*
 * Cookies: finding ours among others, and what we set.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "rms_cookie.h"


#define array_n(a)  (sizeof(a) / sizeof((a)[0]))


static rms_str_t
str(const char *s)
{
    rms_str_t  r;

    r.data = (unsigned char *) s;
    r.len = strlen(s);

    return r;
}


static void
every_value_of_our_name_is_found(void **state)
{
    size_t     i, k, n;
    rms_rc_e   rc;
    rms_str_t  name, headers[3], values[4];

    static const struct {
        const char  *headers[3];
        const char  *values[4];
    } cases[] = {
        { { "rms=a" }, { "a" } },
        { { "rms=" }, { "" } },
        { { "a=b; rms=c; d=e" }, { "c" } },
        { { "a=b;rms=c;d=e" }, { "c" } },
        { { " \trms =\t c \t; x" }, { "c" } },
        { { ";;rms=a;;" }, { "a" } },
        { { "rms=a=b==" }, { "a=b==" } },
        { { "rms=a; rms=b", "rms=c" }, { "a", "b", "c" } },
        { { "a=b", "", "rms=c" }, { "c" } },
        { { "a=\"x; rms=c; y\"" }, { "c" } },           /* RFC 6265 5.2  */

        { { "rms" }, { NULL } },
        { { "=rms" }, { NULL } },
        { { "rms; a=b" }, { NULL } },
        { { "arms=a; rmsa=b; RMS=c; rm=d" }, { NULL } },
        { { "a=rms=b" }, { NULL } },
        { { "rms=\"a\"" }, { NULL } },
        { { "rms=a b" }, { NULL } },
        { { "rms=a,b" }, { NULL } },
        { { "rms=a\\b" }, { NULL } },
        { { "rms=a\x01" }, { NULL } },
        { { "rms=a\x7f" }, { NULL } },
        { { "rms=a\xc3\xa4" }, { NULL } },
        { { "" }, { NULL } }
    };

    (void) state;

    name = str("rms");

    for (i = 0; i < array_n(cases); i++) {

        for (n = 0; n < 3 && cases[i].headers[n]; n++) {
            headers[n] = str(cases[i].headers[n]);
        }

        rc = rms_cookie_find(headers, n, &name, values, 4, &n);
        assert_int_equal(rc, cases[i].values[0] ? RMS_OK : RMS_DECLINED);

        for (k = 0; k < n; k++) {
            assert_non_null(cases[i].values[k]);
            assert_int_equal(values[k].len, strlen(cases[i].values[k]));
            assert_memory_equal(values[k].data, cases[i].values[k],
                                values[k].len);
        }

        assert_true(k == 4 || cases[i].values[k] == NULL);
    }
}


static void
our_cookie_is_left_out_and_no_other(void **state)
{
    size_t          i, gone;
    char            buf[64];
    rms_str_t       name, header, left;

    static const struct {
        const char  *header;
        const char  *left;
        size_t       gone;
    } cases[] = {
        { "rms=a", "", 1 },
        { "rms=", "", 1 },
        { "rms=a;", "", 1 },
        { " rms = a ; ", "", 1 },
        { "rms=a; rms=b;rms=\"c\"", "", 3 },
        { "rms=a; b=c", "b=c", 1 },
        { "b=c; rms=a", "b=c", 1 },
        { "b=c; rms=a; d=e", "b=c; d=e", 1 },
        { "b=c;rms=a;d=e", "b=c;d=e", 1 },
        { "rms=a;  b=c;d=e", "b=c;d=e", 1 },
        { "a=\"x; rms=c; y\"", "a=\"x; y\"", 1 },
        { "RMS=a; arms=b; rms; =rms; x=rms=a", "RMS=a; arms=b; rms; =rms; "
          "x=rms=a", 0 },
        { "", "", 0 }
    };

    (void) state;

    name = str("rms");

    for (i = 0; i < array_n(cases); i++) {
        header = str(cases[i].header);
        left.data = (unsigned char *) buf;
        memset(buf, '!', sizeof(buf));

        gone = rms_cookie_without(&header, &name, &left);

        assert_int_equal(gone, cases[i].gone);
        assert_int_equal(left.len, strlen(cases[i].left));
        assert_memory_equal(buf, cases[i].left, left.len);
        assert_int_equal(buf[header.len], '!');
    }
}


static void
too_many_of_our_name_are_none(void **state)
{
    size_t     n;
    rms_str_t  name, header, values[2];

    (void) state;

    name = str("rms");

    header = str("rms=a; x=y; rms=b");
    assert_int_equal(rms_cookie_find(&header, 1, &name, values, 2, &n),
                     RMS_OK);
    assert_int_equal(n, 2);

    /* one that cannot be ours counts as well */

    header = str("rms=a; rms=\"x\"; rms=b");
    assert_int_equal(rms_cookie_find(&header, 1, &name, values, 2, &n),
                     RMS_TOO_LARGE);
    assert_int_equal(n, 0);

    assert_int_equal(rms_cookie_find(NULL, 0, &name, values, 2, &n),
                     RMS_DECLINED);
}


static void
headers_are_read_to_a_limit(void **state)
{
    size_t      n;
    rms_str_t   name, headers[2], values[2];

    static unsigned char  buf[RMS_COOKIE_SCAN_MAX + 1];

    (void) state;

    name = str("rms");
    memset(buf, ';', sizeof(buf));
    memcpy(buf + RMS_COOKIE_SCAN_MAX - 5, "rms=a", 5);

    headers[0].data = buf;
    headers[0].len = RMS_COOKIE_SCAN_MAX;
    assert_int_equal(rms_cookie_find(headers, 1, &name, values, 2, &n),
                     RMS_OK);

    headers[0].len = RMS_COOKIE_SCAN_MAX + 1;
    assert_int_equal(rms_cookie_find(headers, 1, &name, values, 2, &n),
                     RMS_TOO_LARGE);

    headers[0].len = RMS_COOKIE_SCAN_MAX - 5;
    headers[1].data = buf;
    headers[1].len = 6;
    assert_int_equal(rms_cookie_find(headers, 2, &name, values, 2, &n),
                     RMS_TOO_LARGE);
}


static void
name_is_a_token_and_keeps_its_promise(void **state)
{
    size_t     i;
    rms_str_t  name;

    static const struct {
        const char  *name;
        rms_rc_e     plain;
        rms_rc_e     secure;
    } cases[] = {
        { "rms", RMS_OK, RMS_OK },
        { "a!#$%&'*+-.^_`|~9Z", RMS_OK, RMS_OK },
        { "__Host", RMS_OK, RMS_OK },
        { "a__Host-b", RMS_OK, RMS_OK },
        { "__Host-rms", RMS_UNSUPPORTED, RMS_OK },
        { "__Secure-rms", RMS_UNSUPPORTED, RMS_OK },
        { "__hOST-rms", RMS_UNSUPPORTED, RMS_OK },
        { "__SECURE-", RMS_UNSUPPORTED, RMS_OK },
        { "1234567890123456789012345678901234567890123456789012345678901234",
          RMS_OK, RMS_OK },
        { "12345678901234567890123456789012345678901234567890123456789012345",
          RMS_INVALID, RMS_INVALID },
        { "", RMS_INVALID, RMS_INVALID },
        { "a b", RMS_INVALID, RMS_INVALID },
        { "a=b", RMS_INVALID, RMS_INVALID },
        { "a;b", RMS_INVALID, RMS_INVALID },
        { "a,b", RMS_INVALID, RMS_INVALID },
        { "a\"", RMS_INVALID, RMS_INVALID },
        { "a/b", RMS_INVALID, RMS_INVALID },
        { "a\r\nb", RMS_INVALID, RMS_INVALID },
        { "\xc3\xa4", RMS_INVALID, RMS_INVALID },
        { "\x7f", RMS_INVALID, RMS_INVALID }
    };

    (void) state;

    for (i = 0; i < array_n(cases); i++) {
        name = str(cases[i].name);
        assert_int_equal(rms_cookie_check(&name, 0), cases[i].plain);
        assert_int_equal(rms_cookie_check(&name, 1), cases[i].secure);
    }

    name.data = (unsigned char *) "a\0b";
    name.len = 3;
    assert_int_equal(rms_cookie_check(&name, 1), RMS_INVALID);
}


static void
cookie_is_written_with_its_attributes(void **state)
{
    size_t         i;
    rms_str_t      out;
    rms_cookie_t   c;
    unsigned char  buf[RMS_COOKIE_TEXT_MAX];

    static const struct {
        const char         *name;
        const char         *value;
        rms_cookie_site_e   site;
        unsigned            secure;
        unsigned            has_max_age;
        uint32_t            max_age;
        const char         *text;
    } cases[] = {
        { "rms", "abc", RMS_COOKIE_LAX, 0, 0, 7,
          "rms=abc; Path=/; HttpOnly; SameSite=Lax" },
        { "__Host-rms", "abc", RMS_COOKIE_STRICT, 1, 0, 0,
          "__Host-rms=abc; Path=/; HttpOnly; SameSite=Strict; Secure" },
        { "rms", "", RMS_COOKIE_LAX, 1, 1, 0,
          "rms=; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=0" },
        { "rms", "abc", RMS_COOKIE_LAX, 0, 1, UINT32_MAX,
          "rms=abc; Path=/; HttpOnly; SameSite=Lax; Max-Age=4294967295" }
    };

    (void) state;

    for (i = 0; i < array_n(cases); i++) {
        memset(&c, 0, sizeof(c));
        c.name = str(cases[i].name);
        c.value = str(cases[i].value);
        c.site = cases[i].site;
        c.secure = cases[i].secure & 1;
        c.has_max_age = cases[i].has_max_age & 1;
        c.max_age = cases[i].max_age;

        out.data = buf;
        out.len = sizeof(buf);
        assert_int_equal(rms_cookie_format(&c, &out), RMS_OK);
        assert_int_equal(out.len, strlen(cases[i].text));
        assert_memory_equal(buf, cases[i].text, out.len);

        memset(buf, 0x77, sizeof(buf));
        assert_int_equal(rms_cookie_format(&c, &out), RMS_OK);
        assert_int_equal(buf[out.len], 0x77);
        out.len--;
        assert_int_equal(rms_cookie_format(&c, &out), RMS_TOO_LARGE);
    }
}


static void
nothing_gets_into_the_header(void **state)
{
    size_t          i;
    rms_str_t       out;
    rms_cookie_t    c;
    unsigned char   buf[RMS_COOKIE_TEXT_MAX];
    unsigned char   longest[RMS_COOKIE_VALUE_MAX + 1];

    static const char *const  values[] = {
        "a; Domain=x", "a\r\nX: y", "a b", "\"a\"", "a,b", "a\\", "\xc3\xa4"
    };

    (void) state;

    memset(&c, 0, sizeof(c));
    memset(longest, 'a', sizeof(longest));
    c.name = str("rms");
    out.data = buf;

    for (i = 0; i < array_n(values); i++) {
        c.value = str(values[i]);
        out.len = sizeof(buf);
        assert_int_equal(rms_cookie_format(&c, &out), RMS_INVALID);
    }

    /* the longest of all is what the buffer was made for */

    c.name.data = longest;
    c.name.len = RMS_COOKIE_NAME_MAX;
    c.value.data = longest;
    c.value.len = RMS_COOKIE_VALUE_MAX;
    c.secure = c.has_max_age = 1;
    c.max_age = UINT32_MAX;
    c.site = RMS_COOKIE_STRICT;
    out.len = sizeof(buf);
    assert_int_equal(rms_cookie_format(&c, &out), RMS_OK);

    c.value.len++;
    out.len = sizeof(buf);
    assert_int_equal(rms_cookie_format(&c, &out), RMS_INVALID);

    c.value.len = 0;
    c.name = str("__Host-rms");
    c.secure = 0;
    assert_int_equal(rms_cookie_format(&c, &out), RMS_UNSUPPORTED);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_value_of_our_name_is_found),
        cmocka_unit_test(our_cookie_is_left_out_and_no_other),
        cmocka_unit_test(too_many_of_our_name_are_none),
        cmocka_unit_test(headers_are_read_to_a_limit),
        cmocka_unit_test(name_is_a_token_and_keeps_its_promise),
        cmocka_unit_test(cookie_is_written_with_its_attributes),
        cmocka_unit_test(nothing_gets_into_the_header)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
