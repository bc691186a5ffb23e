/*
 * rms_text: what callers send cannot break a log line, JSON or XML.
 */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <libxml/parser.h>

#include "rms_text.h"


typedef struct {
    rms_str_t    in;
    const char  *out;
} text_case_t;


static void
assert_escaped(size_t (*escape)(unsigned char *, const rms_str_t *),
    const text_case_t *t, size_t n)
{
    size_t         i, len;
    unsigned char  buf[256];

    for (i = 0; i < n; i++) {
        len = escape(NULL, &t[i].in);
        assert_int_equal(len, strlen(t[i].out));

        memset(buf, 'Z', sizeof(buf));
        assert_int_equal(escape(buf, &t[i].in), len);
        assert_memory_equal(buf, t[i].out, len);
        assert_int_equal(buf[len], 'Z');
    }
}


static void
log_values_cannot_break_a_line(void **state)
{
    size_t         i, n;
    unsigned char  buf[64];

    static const text_case_t  t[] = {
        { rms_string(""), "" },
        { rms_string("EXCH01$@CORP.EXAMPLE"), "EXCH01$@CORP.EXAMPLE" },
        { rms_string("a\r\nb\0c"), "a\\x0d\\x0ab\\x00c" },
        { rms_string("\"\\ ~\x7f"), "\\x22\\x5c ~\\x7f" },
        { rms_string("\x1b[2J"), "\\x1b[2J" },
        { rms_string("\xc3\xa4\xff"), "\\xc3\\xa4\\xff" }
    };

    (void) state;

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        n = rms_text_log(buf, sizeof(buf), &t[i].in);
        assert_int_equal(n, strlen(t[i].out));
        assert_memory_equal(buf, t[i].out, n);
    }
}


static void
long_log_values_end_in_dots_at_a_whole_character(void **state)
{
    size_t         i, n;
    unsigned char  buf[16];

    static const struct {
        size_t       size;
        rms_str_t    in;
        const char  *out;
    } t[] = {
        { 10, rms_string("0123456789"), "0123456789" },
        { 9, rms_string("0123456789"), "012345..." },
        { 8, rms_string("a\n\n"), "a\\x0a..." },
        { 9, rms_string("a\n\n"), "a\\x0a\\x0a" },
        { 7, rms_string("a\n\n"), "a..." },
        { 3, rms_string("abcd"), "..." },
        { 2, rms_string("abcd"), ".." },
        { 0, rms_string("abcd"), "" },
        { 3, rms_string("\n"), "..." },
        { 0, rms_string(""), "" }
    };

    (void) state;

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        memset(buf, 'Z', sizeof(buf));
        n = rms_text_log(buf, t[i].size, &t[i].in);
        assert_int_equal(n, strlen(t[i].out));
        assert_memory_equal(buf, t[i].out, n);
        assert_int_equal(buf[t[i].size], 'Z');
        assert_true(n <= t[i].size);
    }
}


static void
json_strings_are_valid_utf8(void **state)
{
    static const text_case_t  t[] = {
        { rms_string(""), "" },
        { rms_string("a\"b\\c/"), "a\\\"b\\\\c/" },
        { rms_string("\0\n\x1f\x7f"), "\\u0000\\u000a\\u001f\x7f" },
        { rms_string("\xc3\xa4\xe2\x82\xac\xf0\x9f\x94\x91"),
          "\xc3\xa4\xe2\x82\xac\xf0\x9f\x94\x91" },
        { rms_string("\xc3"), "\xef\xbf\xbd" },
        { rms_string("\xc3\"x"), "\xef\xbf\xbd\\\"x" },
        { rms_string("\xc0\xaf"), "\xef\xbf\xbd\xef\xbf\xbd" },
        { rms_string("\xed\xa0\x80"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
        { rms_string("\xe0\x80\x80"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
        { rms_string("\xf0\x80\x80\x80"),
          "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
        { rms_string("\xf4\x90\x80\x80"),
          "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
        { rms_string("\xf5" "a\xe2\x82"),
          "\xef\xbf\xbd" "a\xef\xbf\xbd\xef\xbf\xbd" },
        { rms_string("\xf4\x8f\xbf\xbf"), "\xf4\x8f\xbf\xbf" }
    };

    (void) state;

    assert_escaped(rms_text_json, t, sizeof(t) / sizeof(t[0]));
}


static void
xml_text_is_escaped(void **state)
{
    static const text_case_t  t[] = {
        { rms_string("https://h/?a=1&b=<\"'>"),
          "https://h/?a=1&amp;b=&lt;&quot;&apos;&gt;" },
        { rms_string("a\t\r\nb"), "a&#9;&#13;&#10;b" },
        { rms_string("\0\x01\x1f"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
        { rms_string("\xef\xbf\xbf\xef\xbf\xbe"),
          "\xef\xbf\xbd\xef\xbf\xbd" },
        { rms_string("\xef\xbf\xbd\xc3\xa4\xff"),
          "\xef\xbf\xbd\xc3\xa4\xef\xbf\xbd" }
    };

    (void) state;

    assert_escaped(rms_text_xml, t, sizeof(t) / sizeof(t[0]));
}


/* Whatever the bytes are, a parser reads the document. */

static void
xml_text_of_any_bytes_is_well_formed(void **state)
{
    size_t         len;
    unsigned       a, b;
    xmlDocPtr      doc;
    rms_str_t      in;
    unsigned char  raw[2], buf[64];

    (void) state;

    in.data = raw;
    in.len = 2;

    for (a = 0; a < 256; a++) {
        for (b = 0; b < 256; b += 5) {
            raw[0] = (unsigned char) a;
            raw[1] = (unsigned char) b;

            memcpy(buf, "<a b=\"", 6);
            len = 6 + rms_text_xml(buf + 6, &in);
            memcpy(buf + len, "\"/>", 3);
            len += 3;

            doc = xmlReadMemory((char *) buf, (int) len, NULL, NULL,
                                XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
            assert_non_null(doc);
            xmlFreeDoc(doc);
        }
    }
}


int
main(void)
{
    int                      rc;
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(log_values_cannot_break_a_line),
        cmocka_unit_test(long_log_values_end_in_dots_at_a_whole_character),
        cmocka_unit_test(json_strings_are_valid_utf8),
        cmocka_unit_test(xml_text_is_escaped),
        cmocka_unit_test(xml_text_of_any_bytes_is_well_formed)
    };

    rc = cmocka_run_group_tests(tests, NULL, NULL);

    xmlCleanupParser();

    return rc;
}
