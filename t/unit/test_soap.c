/*
 * rms_soap: what the reader accepts, and what it refuses with which error.
 * Who issued the licence is in test_licensor.c.
 */

#include "test_soap.h"

#include <libxml/xmlmemory.h>

#include "rms_xml.h"


static rms_soap_error_e
read_as(const char *text, size_t len, rms_soap_depth_e depth)
{
    return read_parts(text, len, 0, RMS_SOAP_11, RMS_OP_ACQUIRE_LICENSE,
                      depth).error;
}


static void
every_sample_is_read_at_every_depth_in_any_pieces(void **state)
{
    static const size_t  steps[] = { 0, 1, 2, 7, 100, 4096 };

    char               *data;
    size_t              i, j, len;
    unsigned            depth;
    rms_soap_result_t   r;

    (void) state;

    for (i = 0; i < N_SAMPLES; i++) {
        data = sample(samples[i].name, &len);

        for (depth = RMS_SOAP_FIRST; depth <= RMS_SOAP_STRICT; depth++) {
            for (j = 0; j < sizeof(steps) / sizeof(steps[0]); j++) {
                r = read_parts(data, len, steps[j], samples[i].version,
                               samples[i].op, depth);
                assert_int_equal(r.error, RMS_SOAP_FINE);
                assert_int_equal(r.parsed_all, depth == RMS_SOAP_STRICT);

                if (depth == RMS_SOAP_FIRST) {
                    assert_int_equal(r.licensor.len, 0);

                } else {
                    assert_guid(&r.licensor, samples[i].guid);
                }
            }
        }

        free(data);
    }
}


static void
every_sample_is_refused_under_another_operation_or_version(void **state)
{
    char               *data;
    size_t              i, len;
    unsigned            op;
    rms_soap_result_t   r;

    (void) state;

    for (i = 0; i < N_SAMPLES; i++) {
        data = sample(samples[i].name, &len);

        for (op = RMS_OP_NONE + 1; op < RMS_OP_MAX; op++) {
            r = read_parts(data, len, 0, samples[i].version, op,
                           RMS_SOAP_FIRST);
            assert_int_equal(r.error, op == samples[i].op
                                      ? RMS_SOAP_FINE
                                      : RMS_SOAP_OTHER_OPERATION);
        }

        r = read_parts(data, len, 0,
                       samples[i].version == RMS_SOAP_11 ? RMS_SOAP_12
                                                         : RMS_SOAP_11,
                       samples[i].op, RMS_SOAP_FIRST);
        assert_int_equal(r.error, RMS_SOAP_NOT_SOAP);

        free(data);
    }
}


static void
a_truncated_sample_is_refused_until_the_stop_point(void **state)
{
    char               *data;
    size_t              len, cut, stop;
    rms_soap_result_t   r;

    (void) state;

    data = sample("07-acquirelicense", &len);
    stop = 0;

    for (cut = 0; cut < 1200; cut++) {
        r = read_parts(data, cut, 0, RMS_SOAP_11, RMS_OP_ACQUIRE_LICENSE,
                       RMS_SOAP_FIRST);

        if (r.error == RMS_SOAP_FINE) {
            stop = stop ? stop : cut;

        } else {
            assert_int_equal(r.error, RMS_SOAP_MALFORMED);
            assert_int_equal(stop, 0);
        }
    }

    assert_true(stop > 0);

    for (cut = len - 1; cut > len - 100; cut--) {
        r = read_parts(data, cut, 0, RMS_SOAP_11, RMS_OP_ACQUIRE_LICENSE,
                       RMS_SOAP_STRICT);
        assert_int_equal(r.error, RMS_SOAP_MALFORMED);
    }

    free(data);
}


/* What is wrong before or at the first child is refused at every depth. */

static void
bodies_that_are_not_this_operation_are_refused_at_every_depth(void **state)
{
    static const struct {
        const char        *body;
        rms_soap_error_e   error;
    } c[] = {
        { "", RMS_SOAP_MALFORMED },
        { " ", RMS_SOAP_MALFORMED },
        { "x", RMS_SOAP_MALFORMED },
        { "<", RMS_SOAP_MALFORMED },
        { DECL, RMS_SOAP_MALFORMED },
        { " " DECL BODY OP OP_END CLOSE, RMS_SOAP_MALFORMED },
        { "<x/>", RMS_SOAP_NOT_SOAP },
        { "<Envelope/>", RMS_SOAP_NOT_SOAP },
        { "<Envelope xmlns=\"" ENV12 "\"/>", RMS_SOAP_NOT_SOAP },
        { "<envelope xmlns=\"" ENV11 "\"/>", RMS_SOAP_NOT_SOAP },
        { "<Envelope xmlns=\"" ENV11 "\"/>", RMS_SOAP_NOT_SOAP },
        { OP OP_END, RMS_SOAP_NOT_SOAP },
        { OPEN OP OP_END "</s:Envelope>", RMS_SOAP_NOT_SOAP },
        { OPEN "<Body>" OP OP_END "</Body></s:Envelope>", RMS_SOAP_NOT_SOAP },
        { OPEN "<Body xmlns=\"" ENV12 "\">" OP OP_END "</Body></s:Envelope>",
          RMS_SOAP_NOT_SOAP },
        { OPEN "<Body xmlns=\"urn:x\"/><s:Body>" OP OP_END CLOSE,
          RMS_SOAP_NOT_SOAP },
        { OPEN "<s:Header/><s:Header/><s:Body>" OP OP_END CLOSE,
          RMS_SOAP_NOT_SOAP },
        { OPEN "<s:Fault/><s:Body>" OP OP_END CLOSE, RMS_SOAP_NOT_SOAP },
        { OPEN "<s:Header>" OP OP_END "</s:Header></s:Envelope>",
          RMS_SOAP_NOT_SOAP },
        { OPEN "x<s:Body>" OP OP_END CLOSE, RMS_SOAP_MALFORMED },
        { BODY "x" OP OP_END CLOSE, RMS_SOAP_MALFORMED },
        { BODY "&#120;" OP OP_END CLOSE, RMS_SOAP_MALFORMED },
        { BODY "<![CDATA[ ]]>" OP OP_END CLOSE, RMS_SOAP_MALFORMED },
        { BODY "<![CDATA[]]>" OP OP_END CLOSE, RMS_SOAP_MALFORMED },
        { BODY "<?x y?>" OP OP_END CLOSE, RMS_SOAP_NOT_SOAP },
        { OPEN "<?x y?><s:Body>" OP OP_END CLOSE, RMS_SOAP_NOT_SOAP },
        { OPEN "<s:Header><?x?></s:Header><s:Body>" OP OP_END CLOSE,
          RMS_SOAP_NOT_SOAP },
        { BODY CLOSE, RMS_SOAP_OTHER_OPERATION },
        { OPEN "<s:Body/></s:Envelope>", RMS_SOAP_OTHER_OPERATION },
        { BODY "<AcquireLicense/>" CLOSE, RMS_SOAP_OTHER_OPERATION },
        { BODY "<AcquireLicense xmlns=\"" PUB "\"/>" CLOSE,
          RMS_SOAP_OTHER_OPERATION },
        { BODY "<AcquireLicense xmlns=\"" LIC "/\"/>" CLOSE,
          RMS_SOAP_OTHER_OPERATION },
        { BODY "<acquireLicense xmlns=\"" LIC "\"/>" CLOSE,
          RMS_SOAP_OTHER_OPERATION },
        { BODY "<AcquireLicenseX xmlns=\"" LIC "\"/>" CLOSE,
          RMS_SOAP_OTHER_OPERATION },
        { BODY "<l:AcquirePreLicense/>" CLOSE, RMS_SOAP_OTHER_OPERATION },
        { BODY "<GetClientLicensorCert xmlns=\"" PUB "\"/>" OP OP_END CLOSE,
          RMS_SOAP_OTHER_OPERATION },
        { BODY "<!--" OP OP_END "--><x/>" CLOSE, RMS_SOAP_OTHER_OPERATION },
        { BODY "&lt;AcquireLicense/&gt;" CLOSE, RMS_SOAP_MALFORMED },
        { BODY "<q:AcquireLicense/>" CLOSE, RMS_SOAP_MALFORMED },
        { BODY "<l:AcquireLicense a='1' a='2'/>" CLOSE, RMS_SOAP_MALFORMED },
        { BODY "<l:AcquireLicense xmlns:m=\"" LIC "\" l:a='' m:a=''/>" CLOSE,
          RMS_SOAP_MALFORMED },
        { OPEN "<s:Header>&x;</s:Header><s:Body>" OP OP_END CLOSE,
          RMS_SOAP_MALFORMED },
        { OPEN "<s:Header>\xc3\x28</s:Header><s:Body>" OP OP_END CLOSE,
          RMS_SOAP_MALFORMED },
        { OPEN "<s:Header>\x01</s:Header><s:Body>" OP OP_END CLOSE,
          RMS_SOAP_MALFORMED },
        { OPEN "<s:Header></s:Body>" OP OP_END CLOSE, RMS_SOAP_MALFORMED },
    };

    size_t    i;
    unsigned  depth;

    (void) state;

    for (i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
        for (depth = RMS_SOAP_FIRST; depth <= RMS_SOAP_STRICT; depth++) {
            if (read_as(c[i].body, strlen(c[i].body), depth) != c[i].error) {
                fail_msg("%s: %d at depth %u", c[i].body,
                         read_as(c[i].body, strlen(c[i].body), depth), depth);
            }
        }
    }
}


static void
plain_variations_of_a_message_are_fine_at_every_depth(void **state)
{
    static const char  *c[] = {
        BODY OP OP_END CLOSE,
        DECL BODY OP OP_END CLOSE,
        "\xef\xbb\xbf" DECL BODY OP OP_END CLOSE,
        "\xef\xbb\xbf" BODY OP OP_END CLOSE,
        "\r\n" BODY OP OP_END CLOSE "\r\n",
        DECL "<?xml-stylesheet href='x'?><!-- <x> -->" BODY OP OP_END CLOSE,
        "<?xml version='1.0' encoding='UTF-8' standalone='yes'?>"
        BODY OP OP_END CLOSE,
        "<?xml version='1.0' encoding = 'Us-AsCiI'?>" BODY OP OP_END CLOSE,
        "<?xml version='1.0'?>" BODY OP OP_END CLOSE,
        OPEN "\n <!-- c --><s:Header/>\n<s:Body>\n\t<!-- c -->"
        OP OP_END "\n" CLOSE,
        OPEN "<s:Header>text<x/><![CDATA[<]]></s:Header><s:Body>" OP OP_END
        CLOSE,
        OPEN "<s:Header><s:Body>" "<x/>" "</s:Body></s:Header><s:Body>"
        OP OP_END CLOSE,
        BODY "<l:AcquireLicense>&lt;x&#33;</l:AcquireLicense>" CLOSE,
        BODY "<AcquireLicense xmlns='" LIC "'/>" CLOSE,
        "<Envelope xmlns=\"" ENV11 "\"><Body>" OP OP_END "</Body></Envelope>",
        OPEN "<s:Body s:encodingStyle=\"x\">" OP OP_END CLOSE,
    };

    size_t    i;
    unsigned  depth;

    (void) state;

    for (i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
        for (depth = RMS_SOAP_FIRST; depth <= RMS_SOAP_STRICT; depth++) {
            if (read_as(c[i], strlen(c[i]), depth) != RMS_SOAP_FINE) {
                fail_msg("%s: %d", c[i], read_as(c[i], strlen(c[i]), depth));
            }
        }
    }
}


static void
bytes_that_are_not_utf_8_are_unsupported_before_they_are_read(void **state)
{
    static const rms_str_t  c[] = {
        rms_string("\xff\xfe<\0s\0"),
        rms_string("\xfe\xff\0<\0s"),
        rms_string("<\0s\0:\0"),
        rms_string("\0<\0s"),
        rms_string("\xff\xfe\0\0<\0\0\0"),
        rms_string("\0\0\xfe\xff\0\0\0<"),
        rms_string("\0\0\0<"),
        rms_string("\x4c\x6f\xa7\x94"),
        rms_string("<?xml version='1.0' encoding='utf-16'?><x/>"),
        rms_string("<?xml version='1.0' encoding='utf-7'?><x/>"),
        rms_string("<?xml version='1.0' encoding='utf8'?><x/>"),
        rms_string("<?xml version='1.0' encoding='iso-8859-1'?><x/>"),
        rms_string("\xef\xbb\xbf<?xml version='1.0' encoding='x'?><x/>"),
        rms_string("<?xml version='1.0' encoding='encoding'?><x/>"),
        rms_string("<?xml version='1.0'\n\tencoding\r=\n\"ebcdic-us\"?><x/>"),
        rms_string(BODY "<x>\0</x>"),
    };

    static const char  nul[] =
        BODY OP "<RequestParams xmlns=\"" LIC "\"><x>" LICENCE(GUID_A)
        "\0</x></RequestParams>" OP_END CLOSE;

    size_t    i, len;
    unsigned  depth;

    (void) state;

    for (i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
        for (depth = RMS_SOAP_FIRST; depth <= RMS_SOAP_STRICT; depth++) {
            assert_int_equal(read_as((char *) c[i].data, c[i].len, depth),
                             RMS_SOAP_NOT_UTF8);
        }
    }

    /* a NUL far behind the head, in what LICENSOR reads and FIRST does not */

    len = sizeof(nul) - 1;

    assert_int_equal(read_as(nul, len, RMS_SOAP_FIRST), RMS_SOAP_FINE);
    assert_int_equal(read_as(nul, len, RMS_SOAP_LICENSOR), RMS_SOAP_NOT_UTF8);
    assert_int_equal(read_as(nul, len, RMS_SOAP_STRICT), RMS_SOAP_NOT_UTF8);
}


static void
broken_declarations_are_malformed(void **state)
{
    static const char  *c[] = {
        "<?xml version='1.0' encoding='utf-8'><s/>",
        "<?xml version='1.0' encoding=utf-8?><s/>",
        "<?xml version='1.0' encoding?><s/>",
        "<?xml version='1.0' encoding='utf-8?><s/>",
        "<?xml encoding='utf-8'?>" BODY OP OP_END CLOSE,
        "<?xml version='1.0' encoding='utf-8' encoding='utf-16'?>"
        BODY OP OP_END CLOSE,
        "<?xml version='1.0' xencoding='utf-8'?>" BODY OP OP_END CLOSE,
    };

    size_t  i;

    (void) state;

    for (i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
        assert_int_equal(read_as(c[i], strlen(c[i]), RMS_SOAP_FIRST),
                         RMS_SOAP_MALFORMED);
    }
}


static void
a_doctype_is_refused_with_and_without_a_subset(void **state)
{
    static const char  *c[] = {
        DECL "<!DOCTYPE x>" BODY OP OP_END CLOSE,
        "<!DOCTYPE s:Envelope [<!ENTITY a \"b\">]>" BODY OP OP_END CLOSE,
        "<!DOCTYPE x SYSTEM \"file:///etc/hostname\">" BODY OP OP_END CLOSE,
        "<!DOCTYPE x PUBLIC \"a\" \"http://127.0.0.1/x.dtd\" [ %a; ]>"
        BODY OP OP_END CLOSE,
    };

    size_t    i;
    unsigned  depth;

    (void) state;

    for (i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
        for (depth = RMS_SOAP_FIRST; depth <= RMS_SOAP_STRICT; depth++) {
            assert_int_equal(read_as(c[i], strlen(c[i]), depth),
                             RMS_SOAP_DOCTYPE);
        }
    }
}


static void
only_strict_sees_what_follows_the_first_child(void **state)
{
    static const struct {
        const char        *body;
        rms_soap_error_e   error;
    } c[] = {
        { BODY OP OP_END "<GetClientLicensorCert xmlns=\"" PUB "\"/>" CLOSE,
          RMS_SOAP_SECOND_CHILD },
        { BODY OP OP_END "<x/>" CLOSE, RMS_SOAP_SECOND_CHILD },
        { BODY OP OP_END OP OP_END CLOSE, RMS_SOAP_SECOND_CHILD },
        { BODY OP OP_END "x" CLOSE, RMS_SOAP_MALFORMED },
        { BODY OP OP_END "</s:Body><s:Body/></s:Envelope>",
          RMS_SOAP_NOT_SOAP },
        { BODY OP OP_END "</s:Body><x/></s:Envelope>", RMS_SOAP_NOT_SOAP },
        { BODY OP OP_END "</s:Body>x</s:Envelope>", RMS_SOAP_MALFORMED },
        { BODY OP OP_END CLOSE "<x/>", RMS_SOAP_MALFORMED },
        { BODY OP OP_END CLOSE "x", RMS_SOAP_MALFORMED },
        { BODY OP "<?x?>" OP_END CLOSE, RMS_SOAP_NOT_SOAP },
        { BODY OP "&x;" OP_END CLOSE, RMS_SOAP_MALFORMED },
        { BODY OP, RMS_SOAP_MALFORMED },
        { BODY OP OP_END CLOSE "<?x?><!-- x --> ", RMS_SOAP_FINE },
    };

    size_t  i;

    (void) state;

    for (i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
        assert_int_equal(read_as(c[i].body, strlen(c[i].body),
                                 RMS_SOAP_FIRST), RMS_SOAP_FINE);
        assert_int_equal(read_as(c[i].body, strlen(c[i].body),
                                 RMS_SOAP_STRICT), c[i].error);
    }
}


/* Builds head + n times unit + tail and reads it. */

static rms_soap_error_e
read_repeated(const char *head, const char *unit, size_t n, const char *tail,
    rms_soap_depth_e depth)
{
    char              *data, *p;
    size_t             len;
    rms_soap_error_e   error;

    len = strlen(head) + n * strlen(unit) + strlen(tail);
    data = malloc(len + 1);
    assert_non_null(data);

    p = stpcpy(data, head);

    while (n--) {
        p = stpcpy(p, unit);
    }

    stpcpy(p, tail);

    error = read_as(data, len, depth);
    free(data);

    return error;
}


static void
depth_attributes_namespaces_and_markup_are_bounded(void **state)
{
    char    unit[64], *big;
    size_t  i, len;

    (void) state;

    assert_int_equal(read_repeated(BODY OP, "<a>", RMS_SOAP_DEPTH_MAX - 3, "",
                                   RMS_SOAP_STRICT), RMS_SOAP_MALFORMED);
    assert_int_equal(read_repeated(BODY OP, "<a>", RMS_SOAP_DEPTH_MAX - 2, "",
                                   RMS_SOAP_STRICT), RMS_SOAP_TOO_DEEP);
    assert_int_equal(read_repeated(OPEN "<s:Header>", "<a>", 1000000, "",
                                   RMS_SOAP_FIRST), RMS_SOAP_TOO_DEEP);

    /* one tag with too many attributes, or namespaces in scope */

    for (i = 63; i <= 64; i++) {
        big = calloc(1, 8192);
        assert_non_null(big);
        strcpy(big, BODY "<l:AcquireLicense");

        for (len = 0; len <= i; len++) {
            snprintf(unit, sizeof(unit), " a%zu=''", len);
            strcat(big, unit);
        }

        strcat(big, "/>" CLOSE);
        assert_int_equal(read_as(big, strlen(big), RMS_SOAP_FIRST),
                         i == 63 ? RMS_SOAP_FINE : RMS_SOAP_MALFORMED);
        free(big);
    }

    for (i = 14; i <= 15; i++) {                /* two each, four above */
        big = calloc(1, 8192);
        assert_non_null(big);

        for (len = 0; len < i; len++) {
            strcat(big, "</a>");
        }

        strcat(big, OP_END CLOSE);
        assert_int_equal(read_repeated(BODY OP, "<a xmlns:p='u' xmlns:q='u'>",
                                       i, big, RMS_SOAP_STRICT),
                         i == 14 ? RMS_SOAP_FINE : RMS_SOAP_MALFORMED);
        free(big);
    }

    assert_int_equal(read_repeated(BODY OP,
                                   "<a xmlns:p='u' xmlns:q='u'></a>", 1000,
                                   OP_END CLOSE, RMS_SOAP_STRICT),
                     RMS_SOAP_FINE);

    /* markup that does not end */

    assert_int_equal(read_repeated(OPEN "<!--", "x", 100000,
                                   "--><s:Body>" OP OP_END CLOSE,
                                   RMS_SOAP_FIRST), RMS_SOAP_MALFORMED);
    assert_int_equal(read_repeated(OPEN "<s:Body a='", "x", 100000,
                                   "'>" OP OP_END CLOSE, RMS_SOAP_FIRST),
                     RMS_SOAP_MALFORMED);
    assert_int_equal(read_repeated(OPEN "<s:Body a='", "x", 10000,
                                   "'>" OP OP_END CLOSE, RMS_SOAP_FIRST),
                     RMS_SOAP_FINE);
}


static void
long_text_is_read_and_a_long_header_is_not(void **state)
{
    (void) state;

    assert_int_equal(read_repeated(BODY OP, "yyyyyyyyyyyyyyyy", 1000000,
                                   OP_END CLOSE, RMS_SOAP_STRICT),
                     RMS_SOAP_FINE);
    assert_int_equal(read_repeated(BODY OP "<x>", "<a>&lt;</a> ", 90000,
                                   "</x>" OP_END CLOSE, RMS_SOAP_STRICT),
                     RMS_SOAP_FINE);
    assert_int_equal(read_repeated(BODY OP "<x>", "<a>&lt;</a> ", 110000,
                                   "</x>" OP_END CLOSE, RMS_SOAP_STRICT),
                     RMS_SOAP_MALFORMED);
    assert_int_equal(read_repeated(BODY OP "<![CDATA[", "yyyyyyyyyyyyyyy&",
                                   10000, "]]>" OP_END CLOSE,
                                   RMS_SOAP_STRICT), RMS_SOAP_FINE);
    assert_int_equal(read_repeated(OPEN "<s:Header>", "yyyyyyyy", 30000,
                                   "</s:Header><s:Body>" OP OP_END CLOSE,
                                   RMS_SOAP_FIRST), RMS_SOAP_FINE);
    assert_int_equal(read_repeated(OPEN "<s:Header>", "yyyyyyyy", 33000,
                                   "</s:Header><s:Body>" OP OP_END CLOSE,
                                   RMS_SOAP_FIRST), RMS_SOAP_NOT_SOAP);
    assert_int_equal(read_repeated(OPEN "<s:Header>", "yyyyyyyy", 33000,
                                   "</s:Header><s:Body>" OP OP_END CLOSE,
                                   RMS_SOAP_STRICT), RMS_SOAP_NOT_SOAP);
}


static int
scan_parts(const char *text, size_t len, size_t cut,
    rms_soap_version_e version, rms_operation_e op, int strict)
{
    rms_str_t   parts[3];
    rms_body_t  body;

    memset(parts, 0, sizeof(parts));
    parts[0].data = (unsigned char *) text;
    parts[0].len = cut;
    parts[2].data = (unsigned char *) text + cut;
    parts[2].len = len - cut;
    body.parts = parts;
    body.n = 3;

    return rms_soap_scan(&body, version, rms_operation_get(op), strict);
}


/* Otherwise the tables above would not test the short cut. */

static void
samples_need_no_parser_wherever_their_start_is_cut(void **state)
{
    char    *data;
    size_t   i, cut, len;

    (void) state;

    for (i = 0; i < N_SAMPLES; i++) {
        data = sample(samples[i].name, &len);

        for (cut = 0; cut <= len && cut < 3000; cut++) {
            assert_true(scan_parts(data, len, cut, samples[i].version,
                                   samples[i].op, 0));
        }

        assert_true(scan_parts(data, len, 0, samples[i].version,
                               samples[i].op, 1));
        free(data);
    }
}


static void
the_scanner_leaves_what_it_does_not_know_to_the_parser(void **state)
{
    static const char  *c[] = {
        "\xef\xbb\xbf" BODY OP OP_END CLOSE,
        BODY "<!-- -->" OP OP_END CLOSE,
        BODY "<l:AcquireLicense xmlns:q='http://q#r'/>" CLOSE,
        BODY "<l:AcquireLicense >" "</l:AcquireLicense >" CLOSE,
        BODY OP "<![CDATA[]]>" OP_END CLOSE,
        BODY OP "&#32;" OP_END CLOSE,
        BODY OP OP_END CLOSE "<!-- -->",
    };

    size_t  i;

    (void) state;

    for (i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
        assert_false(scan_parts(c[i], strlen(c[i]), 0, RMS_SOAP_11,
                                RMS_OP_ACQUIRE_LICENSE, 1));
        assert_int_equal(read_as(c[i], strlen(c[i]), RMS_SOAP_STRICT),
                         RMS_SOAP_FINE);
    }
}


/* Said of the scanner alone: for an operation with a licence it has no say. */

static void
the_scanner_does_not_find_fine_what_strict_refuses(void **state)
{
    static const char  *c[] = {
        BODY OP OP_END "<x/>" CLOSE,
        BODY OP OP_END OP OP_END CLOSE,
        BODY OP OP_END "x" CLOSE,
        BODY "x" OP OP_END CLOSE,
        BODY OP OP_END "</s:Body><s:Body/></s:Envelope>",
        BODY OP OP_END "</s:Body><s:Body>" OP OP_END CLOSE,
        BODY OP OP_END "</s:Body><s:Header/></s:Envelope>",
        BODY OP OP_END "</s:Body><x/></s:Envelope>",
        BODY OP OP_END "</s:Body>x</s:Envelope>",
        BODY OP OP_END CLOSE "<x/>",
        BODY OP OP_END CLOSE "x",
        BODY OP OP_END "</s:Body>",
        BODY OP OP_END,
        BODY OP,
        BODY CLOSE,
        OPEN "<s:Body/></s:Envelope>",
        OPEN "<s:Header>" OP OP_END "</s:Header></s:Envelope>",
        OPEN "<s:Header>" OP OP_END "</s:Header><s:Body/></s:Envelope>",
        BODY "<x>" OP OP_END "</x>" CLOSE,
        BODY OP "\x01" OP_END CLOSE,
        BODY OP "]]>" OP_END CLOSE,
    };

    static const char  good[] = OPEN "<s:Header>x</s:Header>\n<s:Body>\t"
                                OP "x" OP_END " </s:Body>\r\n</s:Envelope>\n";

    size_t  i;

    (void) state;

    assert_true(scan_parts(good, sizeof(good) - 1, 0, RMS_SOAP_11,
                           RMS_OP_ACQUIRE_LICENSE, 1));

    for (i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
        if (scan_parts(c[i], strlen(c[i]), 0, RMS_SOAP_11,
                       RMS_OP_ACQUIRE_LICENSE, 1))
        {
            fail_msg("fine: %s", c[i]);
        }

        assert_int_not_equal(read_as(c[i], strlen(c[i]), RMS_SOAP_STRICT),
                             RMS_SOAP_FINE);
    }
}


/* rms_xml_sniff() looks at more than the parser has to read. */

static void
a_nul_in_the_head_counts_behind_the_first_child(void **state)
{
    static const char  t[] =
        "<Envelope xmlns=\"" ENV11 "\"><Body>" OP "\0";

    (void) state;

    assert_int_equal(read_as(t, sizeof(t) - 1, RMS_SOAP_FIRST),
                     RMS_SOAP_NOT_UTF8);
    assert_int_equal(read_as(t, sizeof(t) - 2, RMS_SOAP_FIRST),
                     RMS_SOAP_FINE);
}


static void
every_error_has_its_own_text(void **state)
{
    unsigned  i, j;

    (void) state;

    for (i = RMS_SOAP_FINE; i <= RMS_SOAP_NO_MEMORY; i++) {
        for (j = i + 1; j <= RMS_SOAP_NO_MEMORY + 1; j++) {
            assert_string_not_equal(rms_soap_error_text(i),
                                    rms_soap_error_text(j));
        }
    }
}


/* libxml2's allocator, failing at the n-th call from arming on. */

static size_t  memory_calls, memory_fail_at;


static void
memory_quiet(void *data, const char *format, ...)
{
    (void) data;
    (void) format;
}


static int
memory_fails(void)
{
    return memory_fail_at != 0 && ++memory_calls >= memory_fail_at;
}


static void *
memory_malloc(size_t size)
{
    return memory_fails() ? NULL : malloc(size);
}


static void *
memory_realloc(void *p, size_t size)
{
    return memory_fails() ? NULL : realloc(p, size);
}


static char *
memory_strdup(const char *s)
{
    return memory_fails() ? NULL : strdup(s);
}


static void
without_memory_nothing_is_fine_that_was_not_read(void **state)
{
    char               *data;
    size_t              i, len, refused, no_memory;
    rms_soap_result_t   r;

    (void) state;

    data = sample("07-acquirelicense", &len);
    refused = 0;
    no_memory = 0;
    xmlSetGenericErrorFunc(NULL, memory_quiet);

    for (i = 1; i < 400; i++) {
        memory_calls = 0;
        memory_fail_at = i;
        r = read_parts_by(rms_soap_read, data, len, 0, RMS_SOAP_11,
                          RMS_OP_ACQUIRE_LICENSE, RMS_SOAP_LICENSOR);
        memory_fail_at = 0;

        if (r.error == RMS_SOAP_FINE) {
            assert_guid(&r.licensor, HARBOURLINE);
            continue;
        }

        /* libxml2 does not call every failure by its name */

        refused++;
        no_memory += r.error == RMS_SOAP_NO_MEMORY;
        assert_true(r.error == RMS_SOAP_NO_MEMORY
                    || r.error == RMS_SOAP_MALFORMED);
        assert_int_equal(r.licensor.len, 0);
    }

    xmlSetGenericErrorFunc(NULL, NULL);

    assert_true(refused > 10);
    assert_true(no_memory > refused / 2);
    free(data);
}


static int
set_up(void **state)
{
    (void) state;

    if (xmlMemSetup(free, memory_malloc, memory_realloc, memory_strdup) != 0) {
        return -1;
    }

    rms_xml_init();

    return 0;
}


static int
tear_down(void **state)
{
    (void) state;

    rms_xml_done();

    return 0;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(every_sample_is_read_at_every_depth_in_any_pieces),
        cmocka_unit_test(
            every_sample_is_refused_under_another_operation_or_version),
        cmocka_unit_test(a_truncated_sample_is_refused_until_the_stop_point),
        cmocka_unit_test(
            bodies_that_are_not_this_operation_are_refused_at_every_depth),
        cmocka_unit_test(
            plain_variations_of_a_message_are_fine_at_every_depth),
        cmocka_unit_test(
            bytes_that_are_not_utf_8_are_unsupported_before_they_are_read),
        cmocka_unit_test(broken_declarations_are_malformed),
        cmocka_unit_test(a_doctype_is_refused_with_and_without_a_subset),
        cmocka_unit_test(only_strict_sees_what_follows_the_first_child),
        cmocka_unit_test(depth_attributes_namespaces_and_markup_are_bounded),
        cmocka_unit_test(long_text_is_read_and_a_long_header_is_not),
        cmocka_unit_test(samples_need_no_parser_wherever_their_start_is_cut),
        cmocka_unit_test(
            the_scanner_leaves_what_it_does_not_know_to_the_parser),
        cmocka_unit_test(the_scanner_does_not_find_fine_what_strict_refuses),
        cmocka_unit_test(a_nul_in_the_head_counts_behind_the_first_child),
        cmocka_unit_test(every_error_has_its_own_text),
        cmocka_unit_test(without_memory_nothing_is_fine_that_was_not_read),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
