/* rms_media: which headers name one action, and which do not. */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "rms_media.h"


#define URI  "http://microsoft.com/DRM/LicensingService/AcquireLicense"


typedef struct {
    const char          *type;
    const char          *type2;         /* a second Content-Type         */
    const char          *action;
    const char          *action2;       /* a second SOAPAction           */
    rms_rc_e             rc;
    rms_soap_version_e   version;
} media_case_t;


static rms_str_t
str(const char *s)
{
    rms_str_t  t;

    t.data = (unsigned char *) s;
    t.len = s != NULL ? strlen(s) : 0;

    return t;
}


static void
check(const media_case_t *c, size_t n)
{
    size_t       i;
    rms_rc_e     rc;
    rms_str_t    type[2], action[2];
    rms_media_t  media;

    for (i = 0; i < n; i++, c++) {
        type[0] = str(c->type);
        type[1] = str(c->type2);
        action[0] = str(c->action);
        action[1] = str(c->action2);

        rc = rms_media_parse(type,
                             (size_t) (c->type != NULL)
                             + (c->type2 != NULL),
                             action,
                             (size_t) (c->action != NULL)
                             + (c->action2 != NULL), &media);

        if (rc != c->rc) {
            fail_msg("%s | %s: %d", c->type ? c->type : "-",
                     c->action ? c->action : "-", rc);
        }

        if (rc == RMS_OK) {
            assert_int_equal(media.version, c->version);
            assert_int_equal(media.action.len, sizeof(URI) - 1);
            assert_memory_equal(media.action.data, URI, sizeof(URI) - 1);
        }
    }
}


#define check_table(table)                                                    \
    check(table, sizeof(table) / sizeof(table[0]))


static void
soap_1_1_takes_the_action_of_the_header(void **state)
{
    static const media_case_t  c[] = {
        { "text/xml; charset=utf-8", NULL, "\"" URI "\"", NULL,
          RMS_OK, RMS_SOAP_11 },
        { "text/xml", NULL, URI, NULL, RMS_OK, RMS_SOAP_11 },
        { "Text/XML ; CharSet=\"UTF-8\"", NULL, " \t\"" URI "\" ", NULL,
          RMS_OK, RMS_SOAP_11 },
        { "text/xml;charset=us-ascii", NULL, "  " URI "\t", NULL,
          RMS_OK, RMS_SOAP_11 },
        { "text/xml; action=\"" URI "\"", NULL, URI, NULL,
          RMS_OK, RMS_SOAP_11 },
        { " text/xml;; charset=utf-8;", NULL, URI, NULL,
          RMS_OK, RMS_SOAP_11 },
        { "text/xml; x=\"a;b\"; charset=utf-8", NULL, URI, NULL,
          RMS_OK, RMS_SOAP_11 },
    };

    (void) state;

    check_table(c);
}


static void
soap_1_2_takes_the_action_of_the_media_type(void **state)
{
    static const media_case_t  c[] = {
        { "application/soap+xml; charset=utf-8; action=\"" URI "\"", NULL,
          NULL, NULL, RMS_OK, RMS_SOAP_12 },
        { "Application/SOAP+XML;ACTION=" URI ";charset=UTF-8", NULL,
          NULL, NULL, RMS_OK, RMS_SOAP_12 },
        { "application/soap+xml; action=\"" URI "\"", NULL,
          "\"" URI "\"", NULL, RMS_OK, RMS_SOAP_12 },
    };

    (void) state;

    check_table(c);
}


static void
a_missing_or_empty_action_is_refused(void **state)
{
    static const media_case_t  c[] = {
        { "text/xml", NULL, NULL, NULL, RMS_INVALID, 0 },
        { "text/xml", NULL, "", NULL, RMS_INVALID, 0 },
        { "text/xml", NULL, "\"\"", NULL, RMS_INVALID, 0 },
        { "text/xml", NULL, "   ", NULL, RMS_INVALID, 0 },
        { "text/xml", NULL, "\"", NULL, RMS_INVALID, 0 },
        { "text/xml; action=\"" URI "\"", NULL, NULL, NULL, RMS_INVALID, 0 },
        { "application/soap+xml", NULL, NULL, NULL, RMS_INVALID, 0 },
        { "application/soap+xml", NULL, URI, NULL, RMS_INVALID, 0 },
        { "application/soap+xml; action=\"\"", NULL, NULL, NULL,
          RMS_INVALID, 0 },
    };

    (void) state;

    check_table(c);
}


static void
headers_that_disagree_are_refused(void **state)
{
    static const media_case_t  c[] = {
        { "text/xml", NULL, URI, URI "x", RMS_INVALID, 0 },
        { "text/xml", NULL, URI, "\"" URI "\"", RMS_INVALID, 0 },
        { "text/xml", NULL, URI, URI, RMS_OK, RMS_SOAP_11 },
        { "text/xml", "text/xml; charset=utf-8", URI, NULL, RMS_INVALID, 0 },
        { "text/xml", "text/xml", URI, NULL, RMS_OK, RMS_SOAP_11 },
        { "text/xml", "", URI, NULL, RMS_INVALID, 0 },
        { "application/soap+xml; action=\"" URI "\"", NULL, URI "x", NULL,
          RMS_INVALID, 0 },
        { "text/xml; action=\"" URI "x\"", NULL, URI, NULL, RMS_INVALID, 0 },
        { "application/soap+xml; action=\"" URI "\"; action=\"" URI "x\"",
          NULL, NULL, NULL, RMS_INVALID, 0 },
        { "application/soap+xml; action=\"" URI "\"; action=" URI,
          NULL, NULL, NULL, RMS_OK, RMS_SOAP_12 },
        { "text/xml; charset=utf-8; charset=utf-16", NULL, URI, NULL,
          RMS_INVALID, 0 },
    };

    (void) state;

    check_table(c);
}


static void
other_media_types_and_charsets_are_unsupported(void **state)
{
    static const media_case_t  c[] = {
        { NULL, NULL, URI, NULL, RMS_UNSUPPORTED, 0 },
        { "text/plain", NULL, URI, NULL, RMS_UNSUPPORTED, 0 },
        { "text/xmlx", NULL, URI, NULL, RMS_UNSUPPORTED, 0 },
        { "application/xml", NULL, URI, NULL, RMS_UNSUPPORTED, 0 },
        { "application/x-www-form-urlencoded", NULL, URI, NULL,
          RMS_UNSUPPORTED, 0 },
        { "multipart/related; type=\"text/xml\"", NULL, URI, NULL,
          RMS_UNSUPPORTED, 0 },
        { "text/xml; charset=utf-16", NULL, URI, NULL, RMS_UNSUPPORTED, 0 },
        { "text/xml; charset=utf-7", NULL, URI, NULL, RMS_UNSUPPORTED, 0 },
        { "text/xml; charset=iso-8859-1", NULL, URI, NULL,
          RMS_UNSUPPORTED, 0 },
        { "application/soap+xml; charset=utf-16le; action=" URI, NULL,
          NULL, NULL, RMS_UNSUPPORTED, 0 },
    };

    (void) state;

    check_table(c);
}


static void
headers_that_do_not_parse_are_refused(void **state)
{
    static const media_case_t  c[] = {
        { "", NULL, URI, NULL, RMS_INVALID, 0 },
        { "text", NULL, URI, NULL, RMS_INVALID, 0 },
        { "text/xml/x", NULL, URI, NULL, RMS_INVALID, 0 },
        { "text/xml charset=utf-8", NULL, URI, NULL, RMS_INVALID, 0 },
        { "text/xml, text/xml", NULL, URI, NULL, RMS_INVALID, 0 },
        { "text/xml; charset", NULL, URI, NULL, RMS_INVALID, 0 },
        { "text/xml; charset=", NULL, URI, NULL, RMS_INVALID, 0 },
        { "text/xml; charset=\"utf-8", NULL, URI, NULL, RMS_INVALID, 0 },
        { "text/xml; charset=utf-8 x", NULL, URI, NULL, RMS_INVALID, 0 },
        { "text/xml; charset=\"utf-8\"x", NULL, URI, NULL, RMS_INVALID, 0 },
        { "text/xml; charset = utf-8", NULL, URI, NULL, RMS_INVALID, 0 },
        { "text/xml; =utf-8", NULL, URI, NULL, RMS_INVALID, 0 },
        { "application/soap+xml; action=\"http:\\//x\"", NULL, NULL, NULL,
          RMS_INVALID, 0 },
        { "text/xml", NULL, "\"" URI, NULL, RMS_INVALID, 0 },
        { "text/xml", NULL, URI "\"", NULL, RMS_INVALID, 0 },
        { "text/xml", NULL, "\"" URI "\", \"" URI "\"", NULL,
          RMS_INVALID, 0 },
        { "text/xml", NULL, "\" " URI "\"", NULL, RMS_INVALID, 0 },
        { "text/xml", NULL, URI "\x01", NULL, RMS_INVALID, 0 },
        { "text/xml", NULL, URI "\xc3\xa4", NULL, RMS_INVALID, 0 },
    };

    (void) state;

    check_table(c);
}


static void
the_version_is_known_before_anything_else_is_checked(void **state)
{
    static const struct {
        const char          *type;
        rms_soap_version_e   version;
    } c[] = {
        { "text/xml; charset=\"", RMS_SOAP_11 },
        { " TEXT/XML", RMS_SOAP_11 },
        { "application/soap+xml;x", RMS_SOAP_12 },
        { "application/soap+xmlx", RMS_SOAP_NONE },
        { "", RMS_SOAP_NONE },
        { NULL, RMS_SOAP_NONE },
    };

    size_t     i;
    rms_str_t  s;

    (void) state;

    for (i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
        s = str(c[i].type);
        assert_int_equal(rms_media_version(&s), c[i].version);
    }
}


static void
only_identity_and_nothing_are_no_encoding(void **state)
{
    static const struct {
        const char  *value;
        int          identity;
    } c[] = {
        { NULL, 1 }, { "", 1 }, { " ", 1 }, { "identity", 1 },
        { " Identity ", 1 }, { "gzip", 0 }, { "identity, gzip", 0 },
        { "identityx", 0 }, { "deflate", 0 },
    };

    size_t     i;
    rms_str_t  s;

    (void) state;

    for (i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
        s = str(c[i].value);
        assert_int_equal(!!rms_media_identity(&s), c[i].identity);
    }
}


static void
dime_and_html_are_not_xml(void **state)
{
    static const struct {
        const char  *value;
        int          xml;
    } c[] = {
        { "text/xml; charset=utf-8", 1 }, { "application/soap+xml", 1 },
        { "Application/XML", 1 }, { "application/dime", 0 },
        { "text/html", 0 }, { "", 0 }, { NULL, 0 },
    };

    size_t     i;
    rms_str_t  s;

    (void) state;

    for (i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
        s = str(c[i].value);
        assert_int_equal(!!rms_media_is_xml(&s), c[i].xml);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(soap_1_1_takes_the_action_of_the_header),
        cmocka_unit_test(soap_1_2_takes_the_action_of_the_media_type),
        cmocka_unit_test(a_missing_or_empty_action_is_refused),
        cmocka_unit_test(headers_that_disagree_are_refused),
        cmocka_unit_test(other_media_types_and_charsets_are_unsupported),
        cmocka_unit_test(headers_that_do_not_parse_are_refused),
        cmocka_unit_test(the_version_is_known_before_anything_else_is_checked),
        cmocka_unit_test(only_identity_and_nothing_are_no_encoding),
        cmocka_unit_test(dime_and_html_are_not_xml),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
