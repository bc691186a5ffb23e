/*
 * rms_scan: what is of the plain form and what it says, and what is left to
 * the parser.  That libxml2 says the same is for t/fuzz/fuzz_scan.c.
 */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "rms_scan.h"


#define DECL  "<?xml version=\"1.0\" encoding=\"utf-8\"?>"
#define LONG  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"


/*
 * The tags of a document: "+" and a name with {namespace}, "-", at the end
 * "." or "!".  Of exact size, so that a sanitizer sees a read past the end.
 */

static const char *
tags(const char *text, size_t len)
{
    static char     out[4096];

    size_t          n;
    unsigned char  *data;
    rms_scan_e      tag;
    rms_scan_t      s;

    data = malloc(len ? len : 1);
    assert_non_null(data);
    memcpy(data, text, len);

    n = 0;
    tag = RMS_SCAN_OTHER;

    if (rms_scan_open(&s, data, len) && rms_scan_clean(data, len)) {
        for ( ;; ) {
            tag = rms_scan_next(&s);

            if (tag == RMS_SCAN_START) {
                n += (size_t) snprintf(out + n, sizeof(out) - n,
                                       "+{%.*s}%.*s", (int) s.uri.len,
                                       s.uri.data ? (char *) s.uri.data : "",
                                       (int) (s.name.len - s.name.prefix),
                                       s.name.data + s.name.prefix);

            } else if (tag == RMS_SCAN_END) {
                n += (size_t) snprintf(out + n, sizeof(out) - n, "-");

            } else {
                break;
            }

            assert_true(n < sizeof(out));
        }
    }

    snprintf(out + n, sizeof(out) - n, tag == RMS_SCAN_DONE ? "." : "!");
    free(data);

    return out;
}


static void
plain_documents_are_read(void **state)
{
    size_t  i;

    static const char  *t[][2] = {
        { "<a/>", "+{}a-." },
        { "<a></a>", "+{}a-." },
        { "<a ></a>", "+{}a-." },
        { "<a\r\n/>", "+{}a-." },
        { "\r\n\t <a/> \n", "+{}a-." },
        { DECL "<a/>", "+{}a-." },
        { DECL "\n<a/>", "+{}a-." },
        { "<?xml version='1.0' encoding='UTF-8'?><a/>", "+{}a-." },
        { "<?xml version=\"1.0\"?><a/>", "+{}a-." },
        { "<a>x<b>y</b>z<c/></a>", "+{}a+{}b-+{}c--." },
        { "<_.-9>&lt;&gt;&amp;&quot;&apos;\">'</_.-9>", "+{}_.-9-." },
        { "<a xmlns=\"urn:x\"><b/><c xmlns=''><d/></c><e/></a>",
          "+{urn:x}a+{urn:x}b-+{}c+{}d--+{urn:x}e--." },
        { "<a xmlns='http://x/y'><b xmlns='urn:z'/><c/></a>",
          "+{http://x/y}a+{urn:z}b-+{http://x/y}c--." },
        { "<p:a xmlns:p=\"https://x.y/\"><b/><p:c xmlns:p='urn:q'/><p:d/>"
          "</p:a>",
          "+{https://x.y/}a+{}b-+{urn:q}c-+{https://x.y/}d--." },
        { "<a p:b='1' xmlns:p='urn:p' c=\"'\" d='\"'/>", "+{}a-." },
        { "<a b='>'/>", "+{}a-." },
        { "<a b='&lt;'>]]</a>", "+{}a-." },
        { "<a>\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\x7f</a>", "+{}a-." },
        { "<a b='\xc3\xa4'/>", "+{}a-." },
    };

    (void) state;

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        assert_string_equal(tags(t[i][0], strlen(t[i][0])), t[i][1]);
    }
}


/* Whether they are well-formed or not: nothing is said of them. */

static void
other_documents_are_left_to_the_parser(void **state)
{
    size_t       i;
    const char  *said;

    static const char  *t[] = {
        "", " ", "x", "<", "<a", "<a>", "<a/", "</a>", "<a></b>", "<a></ab>",
        "<a><b></bx</a>", "<a><b></b/></a>",
        "<ab></a>", "<a/><b/>", "<a/>x", "x<a/>", "<a></a></a>", "<a><b></a>",
        "<a></a", "<a></", "<a/>" DECL, " " DECL "<a/>", DECL,
        "<?xml version=\"1.1\"?><a/>",
        "<?xml version=\"1.0\" encoding=\"utf-16\"?><a/>",
        "<?xml version=\"1.0\" encoding=\"utf-8\" standalone='yes'?><a/>",
        "\xef\xbb\xbf<a/>", "<!-- --><a/>", "<a><!-- --></a>", "<a/><!-- -->",
        "<a><![CDATA[]]></a>", "<a><?x?></a>", "<?x?><a/>", "<!DOCTYPE a><a/>",

        /* names */
        "<1/>", "<-/>", "< a/>", "<:a/>", "<a:/>", "<a:b:c/>", "<p:a/>",
        "<xml/>", "<xmla/>", "<XMLa/>", "<a xml:b=''/>", "<a xmlb=''/>",
        "<\xc3\xa4/>", "<a\xc3\xa4/>", "<xmlns:a/>", "<xmlns/>",

        /* attributes */
        "<a b/>", "<a b=/>", "<a b=c/>", "<a b='/>", "<a b='c\"/>",
        "<a b='1'c='2'/>", "<a b ='1'/>", "<a b= '1'/>", "<a b='<'/>",
        "<a b='\t'/>", "<a b='\n'/>", "<a b='&#60;'/>", "<a b='&'/>",
        "<a b='' b=''/>", "<a p:b=''/>", "<a / >", "<a /",
        "<a b='' p:b='' xmlns:p='urn:p'/>",
        "<a p:b='' q:b='' xmlns:p='urn:p' xmlns:q='urn:p'/>",

        /* namespaces */
        "<a xmlns='http:///x'/>", "<a xmlns='urn:1'/>",
        "<a xmlns='u'/>", "<a xmlns='http://'/>", "<a xmlns='http://a:1/'/>",
        "<a xmlns='http://a b'/>", "<a xmlns='http://a#b'/>",
        "<a xmlns='ftp://a'/>", "<a xmlns='urn:'/>", "<a xmlns='urn:a%zz'/>",
        "<a xmlns:p=''/>", "<a xmlns='urn:a' xmlns='urn:b'/>",
        "<a xmlns:p='urn:a' xmlns:p='urn:b'/>", "<a xmlns:='urn:a'/>",
        "<a xmlns:xml='http://www.w3.org/XML/1998/namespace'/>",
        "<a xmlns:xmlns='urn:a'/>", "<a xmlnsp='urn:a'/>",
        "<a xmlns='http://www.w3.org/XML/1998/namespace'/>",
        "<a xmlns:p='http://www.w3.org/2000/xmlns/'/>",
        "<a><b xmlns:p='urn:p'/><p:c/></a>",

        /* text */
        "<a>&</a>", "<a>&x;</a>", "<a>&#32;</a>", "<a>&lt</a>", "<a>&LT;</a>",
        "<a>]]></a>", "<a b=']]>'/>", "<a>\x01</a>", "<a>\x1f</a>",
        "<a>" LONG LONG "\x0b" LONG LONG "</a>", "<a>\xff</a>",
        "<a>\xc3</a>", "<a>\xc0\xaf</a>", "<a>\xe0\x80\xaf</a>",
        "<a>\xed\xa0\x80</a>", "<a>\xf0\x8f\xbf\xbf</a>",
        "<a>\xf4\x90\x80\x80</a>", "<a>\xef\xbf\xbe</a>",
        "<a>\xef\xbf\xbf</a>", "<a>\x80</a>", "<a/>\xe2\x82",
    };

    (void) state;

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        said = tags(t[i], strlen(t[i]));

        if (said[strlen(said) - 1] != '!') {
            fail_msg("read: %s", t[i]);
        }
    }

    assert_string_equal(tags("<a>\0</a>", 8), "!");
}


static void
no_document_is_read_when_it_is_cut(void **state)
{
    size_t  i;

    static const char  t[] =
        DECL "<p:a xmlns:p=\"urn:p\" b='c'>x<d e=\"f\"/>&amp;\xc3\xa4</p:a>";

    (void) state;

    assert_string_equal(tags(t, sizeof(t) - 1), "+{urn:p}a+{}d--.");

    for (i = 0; i < sizeof(t) - 1; i++) {
        assert_non_null(strchr(tags(t, i), '!'));
    }
}


/* head, n times unit, then n times back, tail */

static int
is_read(const char *head, const char *unit, const char *back, size_t n,
    const char *tail)
{
    int             read;
    char           *p;
    size_t          i, len;
    rms_scan_e      tag;
    rms_scan_t      s;
    unsigned char  *data;

    len = strlen(head) + n * (strlen(unit) + strlen(back)) + strlen(tail);
    data = malloc(len + 1);
    assert_non_null(data);
    p = stpcpy((char *) data, head);

    for (i = 0; i < n; i++) {
        p = stpcpy(p, unit);
    }

    for (i = 0; i < n; i++) {
        p = stpcpy(p, back);
    }

    stpcpy(p, tail);

    tag = RMS_SCAN_OTHER;

    if (rms_scan_open(&s, data, len)) {
        do {
            tag = rms_scan_next(&s);
        } while (tag == RMS_SCAN_START || tag == RMS_SCAN_END);
    }

    read = tag == RMS_SCAN_DONE;
    free(data);

    return read;
}


static void
bounds_are_exact(void **state)
{
    char    attrs[1024], unit[32];
    size_t  i;

    (void) state;

    assert_true(is_read("", "<a>", "</a>", RMS_SCAN_DEPTH_MAX, ""));
    assert_false(is_read("", "<a>", "</a>", RMS_SCAN_DEPTH_MAX + 1, ""));

    assert_true(is_read("<a>", "<b/>", "", RMS_SCAN_ELEMENTS_MAX - 1, "</a>"));
    assert_false(is_read("<a>", "<b/>", "", RMS_SCAN_ELEMENTS_MAX, "</a>"));

    assert_true(is_read("<a>", "x", "", RMS_SCAN_SIZE_MAX - 7, "</a>"));
    assert_false(is_read("<a>", "x", "", RMS_SCAN_SIZE_MAX - 6, "</a>"));

    assert_true(is_read("<a b='", "x", "", RMS_SCAN_TAG_MAX - 9, "'/>"));
    assert_false(is_read("<a b='", "x", "", RMS_SCAN_TAG_MAX - 8, "'/>"));

    assert_true(is_read("", "<a xmlns:p='urn:p'>", "</a>", RMS_SCAN_NS_MAX,
                        ""));
    assert_false(is_read("", "<a xmlns:p='urn:p'>", "</a>",
                         RMS_SCAN_NS_MAX + 1, ""));
    assert_true(is_read("<b>", "<a xmlns:p='urn:p'></a>", "", 100, "</b>"));

    for (attrs[0] = '\0', i = 0; i <= RMS_SCAN_ATTR_MAX; i++) {
        assert_true(is_read("<a", attrs, "", 1, "/>"));
        snprintf(unit, sizeof(unit), " a%zu=''", i);
        strcat(attrs, unit);
    }

    assert_false(is_read("<a", attrs, "", 1, "/>"));
}


static void
a_tag_says_where_it_is_and_what_it_holds(void **state)
{
    rms_scan_t              s;
    const rms_scan_attr_t  *attr;

    static const char  t[] =
        "<p:a xmlns:p='urn:p' xmlns='urn:d' p:x='1' y=\"&lt;\"> text <b/>"
        "</p:a>";

    const unsigned char  *data = (const unsigned char *) t;

    (void) state;

    assert_true(rms_scan_open(&s, data, sizeof(t) - 1));
    assert_int_equal(rms_scan_next(&s), RMS_SCAN_START);
    assert_int_equal(s.depth, 1);
    assert_int_equal(s.n_attrs, 2);
    assert_ptr_equal(s.tag, data);
    assert_true(rms_scan_is(&s, "a", 1, "urn:p", 5));
    assert_false(rms_scan_is(&s, "b", 1, "urn:p", 5));
    assert_false(rms_scan_is(&s, "a", 1, "urn:d", 5));
    assert_false(rms_scan_is(&s, "p:a", 3, "urn:p", 5));

    assert_null(rms_scan_attr(&s, "x"));
    attr = rms_scan_attr(&s, "y");
    assert_non_null(attr);
    assert_int_equal(attr->len, 4);
    assert_memory_equal(attr->value, "&lt;", 4);

    assert_int_equal(rms_scan_next(&s), RMS_SCAN_START);
    assert_int_equal(s.depth, 2);
    assert_int_equal(s.tag - s.text, 6);
    assert_memory_equal(s.text, " text ", 6);
    assert_false(rms_scan_blank(s.text, s.tag));
    assert_true(rms_scan_blank(s.text, s.text + 1));
    assert_true(rms_scan_is(&s, "b", 1, "urn:d", 5));
    assert_null(rms_scan_attr(&s, "y"));

    assert_int_equal(rms_scan_next(&s), RMS_SCAN_END);
    assert_int_equal(s.depth, 1);
    assert_ptr_equal(s.text, s.tag);
    assert_int_equal(rms_scan_next(&s), RMS_SCAN_END);
    assert_int_equal(s.depth, 0);
    assert_int_equal(rms_scan_next(&s), RMS_SCAN_DONE);
}


static void
a_moved_scanner_goes_on_in_the_other_text(void **state)
{
    rms_scan_t  s;

    static const char  a[] = "<p:a xmlns:p='urn:p' xmlns='urn:d'><p:b/></x>";
    static const char  b[] = "<p:a xmlns:p='urn:p' xmlns='urn:d'><c/></p:a>";

    unsigned char  *first;

    (void) state;

    first = malloc(sizeof(a) - 1);
    assert_non_null(first);
    memcpy(first, a, sizeof(a) - 1);

    assert_true(rms_scan_open(&s, first, sizeof(a) - 1));
    assert_int_equal(rms_scan_next(&s), RMS_SCAN_START);
    assert_true(rms_scan_move(&s, (const unsigned char *) b, sizeof(b) - 1));

    memset(first, 'x', sizeof(a) - 1);
    free(first);

    assert_int_equal(rms_scan_next(&s), RMS_SCAN_START);
    assert_true(rms_scan_is(&s, "c", 1, "urn:d", 5));
    assert_int_equal(rms_scan_next(&s), RMS_SCAN_END);
    assert_int_equal(rms_scan_next(&s), RMS_SCAN_END);
    assert_int_equal(rms_scan_next(&s), RMS_SCAN_DONE);

    assert_false(rms_scan_move(&s, (const unsigned char *) b,
                               RMS_SCAN_SIZE_MAX + 1));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(plain_documents_are_read),
        cmocka_unit_test(other_documents_are_left_to_the_parser),
        cmocka_unit_test(no_document_is_read_when_it_is_cut),
        cmocka_unit_test(bounds_are_exact),
        cmocka_unit_test(a_tag_says_where_it_is_and_what_it_holds),
        cmocka_unit_test(a_moved_scanner_goes_on_in_the_other_text)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
