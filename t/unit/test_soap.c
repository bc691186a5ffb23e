/*
 * rms_soap: what the reader accepts, what it refuses and with which error,
 * which licensor it finds; and that the byte search never says another one.
 * Reads t/samples, so it runs from the root of the tree.
 */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <libxml/xmlmemory.h>

#include "rms_soap.h"
#include "rms_xml.h"


#define ENV11   "http://schemas.xmlsoap.org/soap/envelope/"
#define ENV12   "http://www.w3.org/2003/05/soap-envelope"
#define LIC     "http://microsoft.com/DRM/LicensingService"
#define PUB     "http://microsoft.com/DRM/PublishingService"
#define XSI     "http://www.w3.org/2001/XMLSchema-instance"

#define DECL    "<?xml version=\"1.0\" encoding=\"utf-8\"?>"
#define OPEN    "<s:Envelope xmlns:s=\"" ENV11 "\" xmlns:xsi=\"" XSI "\""     \
                " xmlns:l=\"" LIC "\">"
#define BODY    OPEN "<s:Body>"
#define CLOSE   "</s:Body></s:Envelope>"
#define OP      "<AcquireLicense xmlns=\"" LIC "\">"
#define OP_END  "</AcquireLicense>"

#define ITEM      "<AcquireLicenseParams>"
#define ITEM_END  "</AcquireLicenseParams>"
#define HEAD      BODY OP "<RequestParams>" ITEM
#define TAIL      ITEM_END "</RequestParams>" OP_END CLOSE

#define GUID_A  "aaaaaaaa-0000-4000-8000-00000000000a"
#define GUID_B  "bbbbbbbb-0000-4000-8000-00000000000b"

#define PRINCIPAL_OF(text)                                                    \
    "<PRINCIPAL><OBJECT type=\"MS-DRM-Server\"><ID type=\"MS-GUID\">" text    \
    "</ID></OBJECT></PRINCIPAL>"
#define XRML_WITH(inner)                                                      \
    "<XrML version=\"1.2\" xmlns=\"\"><BODY type=\"Microsoft Rights Label\">" \
    "<ISSUEDTIME>2025-03-05T08:02</ISSUEDTIME>" inner "</BODY></XrML>"
#define XRML(guid)                                                            \
    XRML_WITH("<ISSUEDPRINCIPALS>" PRINCIPAL_OF("{" guid "}")                 \
              "</ISSUEDPRINCIPALS>")
#define CERT(guid)     "<Certificate>" XRML(guid) "</Certificate>"
#define LICENCE(guid)  "<IssuanceLicense>" CERT(guid) "</IssuanceLicense>"


typedef struct {
    const char  *body;
    const char  *guid;          /* what the parser finds, "" for none    */
    int          searched;      /* the search must find it too           */
} licensor_case_t;


static rms_soap_result_t
read_parts(const char *text, size_t len, size_t step,
    rms_soap_version_e version, rms_operation_e op, rms_soap_depth_e depth)
{
    size_t              i, n;
    rms_str_t          *parts;
    rms_body_t          body;
    rms_soap_result_t   result;

    n = step ? len / step + 2 : 2;
    parts = calloc(n, sizeof(rms_str_t));
    assert_non_null(parts);

    for (i = 0; i < n && len; i++) {
        parts[i].data = (unsigned char *) text;
        parts[i].len = step && step < len ? step : len;
        text += parts[i].len;
        len -= parts[i].len;
    }

    body.parts = parts;
    body.n = n;                         /* the last one is empty */

    result = rms_soap_read(&body, version, rms_operation_get(op), depth);
    free(parts);

    return result;
}


static rms_soap_error_e
read_as(const char *text, size_t len, rms_soap_depth_e depth)
{
    return read_parts(text, len, 0, RMS_SOAP_11, RMS_OP_ACQUIRE_LICENSE,
                      depth).error;
}


static rms_rc_e
search(const char *text, size_t len, size_t split, rms_operation_e op,
    rms_licensor_t *licensor)
{
    rms_str_t   parts[3];
    rms_body_t  body;

    parts[0].data = (unsigned char *) text;
    parts[0].len = split;
    parts[1].data = NULL;
    parts[1].len = 0;
    parts[2].data = (unsigned char *) text + split;
    parts[2].len = len - split;

    body.parts = parts;
    body.n = 3;

    return rms_soap_search(&body, rms_operation_get(op), licensor);
}


static void
assert_guid(const rms_licensor_t *licensor, const char *guid)
{
    assert_int_equal(licensor->len, strlen(guid));
    assert_memory_equal(licensor->guid, guid, strlen(guid));
}


static char *
sample(const char *name, size_t *len)
{
    char   path[256], *data;
    FILE  *f;
    long   size;

    snprintf(path, sizeof(path), "t/samples/%s.request.xml", name);

    f = fopen(path, "rb");
    assert_non_null(f);
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    size = ftell(f);
    assert_true(size > 0);
    rewind(f);

    data = malloc((size_t) size);
    assert_non_null(data);
    *len = fread(data, 1, (size_t) size, f);
    assert_int_equal(*len, size);
    fclose(f);

    return data;
}


#define HARBOURLINE  "bbe8ec23-d6d0-4f3b-96fc-aff43326c557"


static const struct {
    const char          *name;
    rms_operation_e      op;
    rms_soap_version_e   version;
    const char          *guid;          /* "": none                      */
} samples[] = {
    { "01-findservicelocationsforuser",
      RMS_OP_FIND_SERVICE_LOCATIONS_FOR_USER, RMS_SOAP_11, "" },
    { "02-certify", RMS_OP_CERTIFY, RMS_SOAP_11, "" },
    { "03-servercertify", RMS_OP_CERTIFY, RMS_SOAP_11, "" },
    { "04-getlicensorcertificate", RMS_OP_GET_LICENSOR_CERTIFICATE,
      RMS_SOAP_11, "" },
    { "05-getclientlicensorcert", RMS_OP_GET_CLIENT_LICENSOR_CERT,
      RMS_SOAP_11, "" },
    { "05b-getclientlicensorcert-soap12", RMS_OP_GET_CLIENT_LICENSOR_CERT,
      RMS_SOAP_12, "" },
    { "06-acquireissuancelicense", RMS_OP_ACQUIRE_ISSUANCE_LICENSE,
      RMS_SOAP_11, HARBOURLINE },
    { "07-acquirelicense", RMS_OP_ACQUIRE_LICENSE, RMS_SOAP_11, HARBOURLINE },
    { "07b-acquirelicense-plfirst", RMS_OP_ACQUIRE_LICENSE, RMS_SOAP_11,
      HARBOURLINE },
    { "07c-acquirelicense-soap12", RMS_OP_ACQUIRE_LICENSE, RMS_SOAP_12,
      HARBOURLINE },
    { "07d-acquirelicense-batch3-partial", RMS_OP_ACQUIRE_LICENSE,
      RMS_SOAP_11, HARBOURLINE },
    { "07e-acquirelicense-othercluster", RMS_OP_ACQUIRE_LICENSE, RMS_SOAP_11,
      "d2b3f66c-c604-4eaf-b5a6-073473f0f433" },
    { "08-acquireprelicense", RMS_OP_ACQUIRE_PRE_LICENSE, RMS_SOAP_11,
      HARBOURLINE },
    { "09-acquiretemplateinformation", RMS_OP_ACQUIRE_TEMPLATE_INFORMATION,
      RMS_SOAP_11, "" },
    { "10-acquiretemplates", RMS_OP_ACQUIRE_TEMPLATES, RMS_SOAP_11, "" },
    { "11-editissuancelicense", RMS_OP_EDIT_ISSUANCE_LICENSE, RMS_SOAP_11,
      HARBOURLINE },
    { "12-getserverinfo", RMS_OP_GET_SERVER_INFO, RMS_SOAP_11, "" },
    { "13-precertify", RMS_OP_PRECERTIFY, RMS_SOAP_11, "" },
    { "14-findservicelocations", RMS_OP_FIND_SERVICE_LOCATIONS, RMS_SOAP_11,
      "" },
    { "15-isprincipalmemberof", RMS_OP_IS_PRINCIPAL_MEMBER_OF, RMS_SOAP_11,
      "" },
    { "16-acquirecontentkey", RMS_OP_ACQUIRE_CONTENT_KEY, RMS_SOAP_11, "" },
    { "17-subenroll", RMS_OP_SUB_ENROLL, RMS_SOAP_11, "" },
    { "18-activate", RMS_OP_ACTIVATE, RMS_SOAP_11, "" },
    { "19-acquirelicense-mode1", RMS_OP_ACQUIRE_LICENSE, RMS_SOAP_11,
      "12d185fd-717c-4f50-926d-466bf8a7c213" },
};

#define N_SAMPLES  (sizeof(samples) / sizeof(samples[0]))


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
search_finds_the_licensor_of_every_sample_wherever_it_is_split(void **state)
{
    char            *data;
    size_t           i, len, split;
    rms_licensor_t   licensor;

    (void) state;

    for (i = 0; i < N_SAMPLES; i++) {
        data = sample(samples[i].name, &len);

        for (split = 0; split <= len; split += split < 3000 ? 1 : 997) {

            assert_int_equal(search(data, len, split, samples[i].op,
                                    &licensor),
                             samples[i].guid[0] != '\0' ? RMS_OK
                                                        : RMS_DECLINED);
            assert_guid(&licensor, samples[i].guid);
        }

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

    size_t    i;
    unsigned  depth;

    (void) state;

    for (i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
        for (depth = RMS_SOAP_FIRST; depth <= RMS_SOAP_STRICT; depth++) {
            assert_int_equal(read_as((char *) c[i].data, c[i].len, depth),
                             RMS_SOAP_NOT_UTF8);
        }
    }

    /* behind the first child, but before the end */

    assert_int_equal(read_as(BODY OP "\0" OP_END CLOSE,
                             sizeof(BODY OP "\0" OP_END CLOSE) - 1,
                             RMS_SOAP_LICENSOR), RMS_SOAP_NOT_UTF8);
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

    assert_int_equal(read_repeated(BODY OP,
                                   "<a xmlns:p='u' xmlns:q='u'>", 62, "",
                                   RMS_SOAP_STRICT), RMS_SOAP_MALFORMED);
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

    assert_int_equal(read_repeated(BODY OP, "xxxxxxxxxxxxxxxx", 1000000,
                                   OP_END CLOSE, RMS_SOAP_STRICT),
                     RMS_SOAP_FINE);
    assert_int_equal(read_repeated(BODY OP "<x>", "<a>&lt;</a> ", 200000,
                                   "</x>" OP_END CLOSE, RMS_SOAP_STRICT),
                     RMS_SOAP_FINE);
    assert_int_equal(read_repeated(BODY OP "<![CDATA[", "xxxxxxxxxxxxxxx&",
                                   10000, "]]>" OP_END CLOSE,
                                   RMS_SOAP_STRICT), RMS_SOAP_FINE);
    assert_int_equal(read_repeated(OPEN "<s:Header>", "xxxxxxxx", 30000,
                                   "</s:Header><s:Body>" OP OP_END CLOSE,
                                   RMS_SOAP_FIRST), RMS_SOAP_FINE);
    assert_int_equal(read_repeated(OPEN "<s:Header>", "xxxxxxxx", 33000,
                                   "</s:Header><s:Body>" OP OP_END CLOSE,
                                   RMS_SOAP_FIRST), RMS_SOAP_NOT_SOAP);
    assert_int_equal(read_repeated(OPEN "<s:Header>", "xxxxxxxx", 33000,
                                   "</s:Header><s:Body>" OP OP_END CLOSE,
                                   RMS_SOAP_STRICT), RMS_SOAP_NOT_SOAP);
}


static void
check_licensor(const licensor_case_t *c, size_t n, rms_operation_e op)
{
    size_t              i, len, split;
    unsigned            depth;
    rms_rc_e            rc;
    rms_licensor_t      licensor;
    rms_soap_result_t   r;

    for (i = 0; i < n; i++) {
        len = strlen(c[i].body);

        for (depth = RMS_SOAP_LICENSOR; depth <= RMS_SOAP_STRICT; depth++) {
            r = read_parts(c[i].body, len, 3, RMS_SOAP_11, op, depth);

            if (r.error != RMS_SOAP_FINE) {
                fail_msg("%s: %d", c[i].body, r.error);
            }

            if (r.licensor.len != strlen(c[i].guid)
                || memcmp(r.licensor.guid, c[i].guid, r.licensor.len) != 0)
            {
                fail_msg("%s: %.*s", c[i].body, (int) r.licensor.len,
                         (char *) r.licensor.guid);
            }
        }

        for (split = 0; split <= len; split++) {
            rc = search(c[i].body, len, split, op, &licensor);

            if (rc != (c[i].searched ? RMS_OK : RMS_DECLINED)) {
                fail_msg("%s: search %d", c[i].body, rc);
            }

            assert_guid(&licensor, c[i].searched ? c[i].guid : "");
        }
    }
}


#define check_licensor_table(table, op)                                       \
    check_licensor(table, sizeof(table) / sizeof(table[0]), op)


static void
the_first_licence_that_is_not_nil_has_the_licensor(void **state)
{
    static const licensor_case_t  c[] = {
        { HEAD LICENCE(GUID_A) TAIL, GUID_A, 1 },
        { HEAD "<LicenseeCerts>" CERT(GUID_B) "</LicenseeCerts>"
          LICENCE(GUID_A) TAIL, GUID_A, 1 },
        { HEAD LICENCE(GUID_A) "<LicenseeCerts>" CERT(GUID_B)
          "</LicenseeCerts>" TAIL, GUID_A, 1 },
        { HEAD "<IssuanceLicense>" CERT(GUID_A) CERT(GUID_B)
          "</IssuanceLicense>" TAIL, GUID_A, 1 },
        { HEAD LICENCE(GUID_A) ITEM_END ITEM LICENCE(GUID_B) TAIL,
          GUID_A, 1 },
        { HEAD "<LicenseeCerts/>" LICENCE(GUID_A) TAIL, GUID_A, 1 },
        { HEAD ITEM_END ITEM LICENCE(GUID_B) TAIL, GUID_B, 0 },
        { HEAD "<IssuanceLicense/>" ITEM_END ITEM LICENCE(GUID_B) TAIL,
          GUID_B, 0 },
        { HEAD "<IssuanceLicense xsi:nil=\"true\"/>" ITEM_END ITEM
          LICENCE(GUID_B) TAIL, GUID_B, 0 },
        { HEAD "<IssuanceLicense xsi:nil=\"true\">" CERT(GUID_A)
          "</IssuanceLicense>" ITEM_END ITEM LICENCE(GUID_B) TAIL,
          GUID_B, 0 },
        { HEAD "<IssuanceLicense><Certificate xsi:nil=\"1\">" XRML(GUID_A)
          "</Certificate>" CERT(GUID_B) "</IssuanceLicense>" TAIL,
          GUID_B, 0 },
        { HEAD "<IssuanceLicense xsi:nil=\"false\">" CERT(GUID_A)
          "</IssuanceLicense>" TAIL, GUID_A, 0 },
        { HEAD "<IssuanceLicense><Certificate/>" CERT(GUID_A)
          "</IssuanceLicense>" TAIL, GUID_A, 0 },
        { HEAD "<IssuanceLicense><Certificate>" XRML_WITH("")
          "</Certificate>" CERT(GUID_B) "</IssuanceLicense>" TAIL, "", 0 },
        { HEAD TAIL, "", 0 },
        { BODY OP OP_END CLOSE, "", 0 },
    };

    (void) state;

    check_licensor_table(c, RMS_OP_ACQUIRE_LICENSE);
}


static void
forms_of_the_same_licence_have_the_same_licensor(void **state)
{
    static const licensor_case_t  c[] = {
        { DECL "\r\n" HEAD LICENCE(GUID_A) TAIL, GUID_A, 1 },
        { "\xef\xbb\xbf" DECL HEAD LICENCE(GUID_A) TAIL, GUID_A, 1 },
        { OPEN "<s:Header><x>Body</x></s:Header>\n<s:Body>\n  " OP
          "\n<RequestParams xmlns=\"" LIC "\">\n" ITEM "\n"
          LICENCE(GUID_A) TAIL, GUID_A, 1 },
        { HEAD "<IssuanceLicense l:arrayType=\"Certificate[2]\">"
          CERT(GUID_A) "</IssuanceLicense>" TAIL, GUID_A, 1 },
        { "<Envelope xmlns=\"" ENV11 "\"><Header/><Body>" OP
          "<RequestParams>" ITEM LICENCE(GUID_A) ITEM_END
          "</RequestParams>" OP_END "</Body></Envelope>", GUID_A, 1 },
        { HEAD "<!-- c -->" LICENCE(GUID_A) TAIL, GUID_A, 0 },
        { BODY "<l:AcquireLicense><l:RequestParams><l:AcquireLicenseParams>"
          "<l:IssuanceLicense><l:Certificate>" XRML(GUID_A)
          "</l:Certificate></l:IssuanceLicense></l:AcquireLicenseParams>"
          "</l:RequestParams></l:AcquireLicense>" CLOSE, GUID_A, 0 },
        { BODY "<AcquireLicense xmlns='" LIC "'><RequestParams>" ITEM
          LICENCE(GUID_A) TAIL, GUID_A, 0 },
    };

    (void) state;

    check_licensor_table(c, RMS_OP_ACQUIRE_LICENSE);
}


static void
the_text_of_the_guid_is_read_as_a_licence_writes_it(void **state)
{
#define ID_OF(text)                                                           \
    HEAD "<IssuanceLicense><Certificate>"                                     \
    XRML_WITH("<ISSUEDPRINCIPALS>" PRINCIPAL_OF(text) "</ISSUEDPRINCIPALS>")  \
    "</Certificate></IssuanceLicense>" TAIL
#define BLANKS  "                    "

    static const licensor_case_t  c[] = {
        { ID_OF("{AAAAAAAA-0000-4000-8000-00000000000A}"), GUID_A, 1 },
        { ID_OF(GUID_A), GUID_A, 1 },
        { ID_OF("\r\n\t {" GUID_A "}\r\n "), GUID_A, 1 },
        { ID_OF("<![CDATA[{" GUID_A "}]]>"), GUID_A, 0 },
        { ID_OF("{aaaaaaa&#97;-0000-4000-8000-00000000000a}"), GUID_A, 0 },
        { ID_OF("{aaaaaaaa<!-- c -->-0000-4000-8000-00000000000a}"),
          GUID_A, 0 },
        { ID_OF("{aaaaaaaa<x>z</x>-0000-4000-8000-00000000000a}"),
          GUID_A, 0 },
        { ID_OF(GUID_A BLANKS BLANKS BLANKS BLANKS "           "),
          GUID_A, 1 },
        { ID_OF(GUID_A BLANKS BLANKS BLANKS BLANKS "            "), "", 0 },
        { ID_OF(GUID_A BLANKS BLANKS BLANKS BLANKS BLANKS "x"), "", 0 },
        { ID_OF("{" GUID_A), "", 0 },
        { ID_OF(""), "", 0 },
        { ID_OF("gaaaaaaa-0000-4000-8000-00000000000a"), "", 0 },
    };

    (void) state;

    check_licensor_table(c, RMS_OP_ACQUIRE_LICENSE);
}


static void
an_object_or_id_of_another_kind_is_no_licensor(void **state)
{
#define OBJ(object, id)                                                       \
    HEAD "<IssuanceLicense><Certificate>"                                     \
    XRML_WITH("<ISSUEDPRINCIPALS><PRINCIPAL><OBJECT " object "><ID " id ">"   \
              GUID_B "</ID></OBJECT></PRINCIPAL>" PRINCIPAL_OF(GUID_A)        \
              "</ISSUEDPRINCIPALS>")                                          \
    "</Certificate></IssuanceLicense>" TAIL

    static const licensor_case_t  c[] = {
        { OBJ("type=\"MS-DRM-Server\"", "type=\"MS-GUID\""), GUID_B, 1 },
        { OBJ("type=\"Group-Identity\"", "type=\"MS-GUID\""), GUID_A, 0 },
        { OBJ("type=\"MS-DRM-Server\"", "type=\"Windows\""), GUID_A, 0 },
        { OBJ("", "type=\"MS-GUID\""), GUID_A, 0 },
        { OBJ("xsi:type=\"MS-DRM-Server\"", "type=\"MS-GUID\""), GUID_A, 0 },
        { OBJ("type='MS-DRM-Server'", "type=\"MS-GUID\""), GUID_B, 0 },
        { OBJ("x=\"y\" type=\"MS-DRM-Server\"", "type=\"MS-GUID\""),
          GUID_B, 0 },
    };

    (void) state;

    check_licensor_table(c, RMS_OP_ACQUIRE_LICENSE);
}


/* What an attacker would write to be routed to another cluster. */

static void
fakes_do_not_change_the_licensor(void **state)
{
#define FAKE       ITEM LICENCE(GUID_B) ITEM_END
#define FAKE_BODY  "<s:Body>" OP "<RequestParams>" FAKE "</RequestParams>"    \
                   OP_END "</s:Body>"

    static const licensor_case_t  c[] = {

        /* the real thing in ApplicationData, before the real thing */

        { HEAD "<ApplicationData>" LICENCE(GUID_B) "</ApplicationData>"
          LICENCE(GUID_A) TAIL, GUID_A, 1 },
        { HEAD "<ApplicationData><ApplicationData/></ApplicationData>"
          LICENCE(GUID_A) TAIL, GUID_A, 0 },
        { HEAD "<ApplicationData><ApplicationData></ApplicationData>"
          LICENCE(GUID_B) "</ApplicationData>" LICENCE(GUID_A) TAIL,
          GUID_A, 0 },

        /* in a comment, CDATA, escaped, in an attribute */

        { HEAD "<!--" LICENCE(GUID_B) "-->" LICENCE(GUID_A) TAIL, GUID_A, 0 },
        { HEAD "<ApplicationData><!--</ApplicationData>" LICENCE(GUID_B)
          "--></ApplicationData>" LICENCE(GUID_A) TAIL, GUID_A, 0 },
        { HEAD "<ApplicationData><![CDATA[</ApplicationData>"
          LICENCE(GUID_B) "]]></ApplicationData>" LICENCE(GUID_A) TAIL,
          GUID_A, 0 },
        { HEAD "<IssuanceLicense><Certificate>&lt;XrML xmlns=\"\"&gt;"
          "</Certificate>" CERT(GUID_A) "</IssuanceLicense>" TAIL,
          GUID_A, 0 },
        { HEAD "<ApplicationData x=\"/\">" LICENCE(GUID_B)
          "</ApplicationData>" LICENCE(GUID_A) TAIL, GUID_A, 1 },
        { HEAD "<ApplicationData x='/>' y=\">\">" LICENCE(GUID_B)
          "</ApplicationData>" LICENCE(GUID_A) TAIL, GUID_A, 0 },
        { HEAD "<ApplicationData y=\"/>\">" LICENCE(GUID_B)
          "</ApplicationData>" LICENCE(GUID_A) TAIL, GUID_A, 1 },

        /* end tags with blanks, so that an ancestor's end tag seems to be
           the one of the element beside the way */

        { BODY OP "<RequestParams>" ITEM "<RequestParams></RequestParams >"
          ITEM_END "</RequestParams>" LICENCE(GUID_B) OP_END CLOSE, "", 0 },
        { HEAD "<ApplicationData></ApplicationData\n>" LICENCE(GUID_A) TAIL,
          GUID_A, 0 },

        /* in the Header, in LicenseeCerts, beside the operation */

        { OPEN "<s:Header>" FAKE_BODY "</s:Header><s:Body>" OP
          "<RequestParams>" ITEM LICENCE(GUID_A) TAIL, GUID_A, 1 },
        { OPEN "<s:Header><s:Header></s:Header>" FAKE_BODY
          "</s:Header><s:Body>" OP "<RequestParams>" ITEM LICENCE(GUID_A)
          TAIL, GUID_A, 0 },
        { HEAD "<LicenseeCerts><Certificate>" LICENCE(GUID_B)
          "</Certificate></LicenseeCerts>" LICENCE(GUID_A) TAIL, GUID_A, 1 },
        { BODY OP "<x>" FAKE "</x><RequestParams>" ITEM LICENCE(GUID_A)
          TAIL, GUID_A, 0 },

        /* right names in other namespaces */

        { HEAD "<IssuanceLicense xmlns=\"urn:x\">" CERT(GUID_B)
          "</IssuanceLicense>" LICENCE(GUID_A) TAIL, GUID_A, 0 },
        { HEAD "<IssuanceLicense x=\"xmlns\" xmlns=\"urn:x\">" CERT(GUID_B)
          "</IssuanceLicense>" LICENCE(GUID_A) TAIL, GUID_A, 0 },
        { HEAD "<s:IssuanceLicense>" CERT(GUID_B) "</s:IssuanceLicense>"
          LICENCE(GUID_A) TAIL, GUID_A, 0 },
        { HEAD "<l:IssuanceLicense>" CERT(GUID_B) "</l:IssuanceLicense>"
          LICENCE(GUID_A) TAIL, GUID_B, 0 },
        { HEAD "<IssuanceLicense><Certificate><XrML>"
          "<BODY xmlns=\"\"><ISSUEDPRINCIPALS>" PRINCIPAL_OF(GUID_B)
          "</ISSUEDPRINCIPALS></BODY></XrML></Certificate>" CERT(GUID_A)
          "</IssuanceLicense>" TAIL, GUID_A, 0 },
        { HEAD "<IssuanceLicense><Certificate>"
          XRML_WITH("<ISSUEDPRINCIPALS xmlns=\"urn:x\">"
                    PRINCIPAL_OF(GUID_B) "</ISSUEDPRINCIPALS>"
                    "<ISSUEDPRINCIPALS>" PRINCIPAL_OF(GUID_A)
                    "</ISSUEDPRINCIPALS>")
          "</Certificate></IssuanceLicense>" TAIL, GUID_A, 0 },

        /* one level too deep or too high */

        { HEAD "<x>" LICENCE(GUID_B) "</x>" LICENCE(GUID_A) TAIL, GUID_A, 1 },
        { HEAD "<IssuanceLicense><x>" CERT(GUID_B) "</x>" CERT(GUID_A)
          "</IssuanceLicense>" TAIL, GUID_A, 0 },
        { HEAD "<IssuanceLicense>" XRML(GUID_B) CERT(GUID_A)
          "</IssuanceLicense>" TAIL, GUID_A, 0 },
        { HEAD "<IssuanceLicense><Certificate>"
          XRML_WITH("<ISSUER><ISSUEDPRINCIPALS>" PRINCIPAL_OF(GUID_B)
                    "</ISSUEDPRINCIPALS></ISSUER><ISSUEDPRINCIPALS>"
                    PRINCIPAL_OF(GUID_A) "</ISSUEDPRINCIPALS>")
          "</Certificate></IssuanceLicense>" TAIL, GUID_A, 1 },
    };

    (void) state;

    check_licensor_table(c, RMS_OP_ACQUIRE_LICENSE);
}


static void
unsigned_and_signed_licences_stand_without_a_certificate(void **state)
{
#define PUBLISH(inner)                                                        \
    BODY "<AcquireIssuanceLicense xmlns=\"" PUB "\"><RequestParams>"          \
    "<AcquireIssuanceLicenseParams>" inner "</AcquireIssuanceLicenseParams>"  \
    "</RequestParams></AcquireIssuanceLicense>" CLOSE
#define EDIT(inner)                                                           \
    BODY "<EditIssuanceLicense xmlns=\"http://microsoft.com/DRM/"             \
    "EditIssuanceLicenseService\"><RequestParams><EditIssuanceLicenseParams>" \
    inner "</EditIssuanceLicenseParams></RequestParams>"                      \
    "</EditIssuanceLicense>" CLOSE

    static const licensor_case_t  publish[] = {
        { PUBLISH("<UnsignedIssuanceLicense>" XRML(GUID_A)
                  "</UnsignedIssuanceLicense>"), GUID_A, 1 },
        { PUBLISH("<UnsignedIssuanceLicense>" CERT(GUID_A)
                  "</UnsignedIssuanceLicense>"), "", 0 },
        { PUBLISH(LICENCE(GUID_A)), "", 0 },
    };

    static const licensor_case_t  edit[] = {
        { EDIT("<SignedIssuanceLicense>" XRML(GUID_A)
               "</SignedIssuanceLicense><UnsignedIssuanceLicense>"
               XRML(GUID_B) "</UnsignedIssuanceLicense>"), GUID_A, 1 },
        { EDIT("<UnsignedIssuanceLicense>" XRML(GUID_B)
               "</UnsignedIssuanceLicense><SignedIssuanceLicense>"
               XRML(GUID_A) "</SignedIssuanceLicense>"), GUID_A, 1 },
        { EDIT("<UnsignedIssuanceLicense>" XRML(GUID_B)
               "</UnsignedIssuanceLicense>"), "", 0 },
    };

    (void) state;

    check_licensor_table(publish, RMS_OP_ACQUIRE_ISSUANCE_LICENSE);
    check_licensor_table(edit, RMS_OP_EDIT_ISSUANCE_LICENSE);
}


/* The padding puts the last byte of </ID> at the limit, or one behind it. */

static void
the_licensor_is_sought_in_a_bounded_part_only(void **state)
{
    static const char   head[] = HEAD "<LicenseeCerts>";
    static const char   rest[] = "</LicenseeCerts>" LICENCE(GUID_A) TAIL;

    char               *data;
    size_t              len, end, past;
    rms_licensor_t      licensor;
    rms_soap_result_t   r;

    (void) state;

    end = (size_t) (strstr(rest, "</ID>") - rest) + 5;

    for (past = 0; past <= 1; past++) {
        len = RMS_SOAP_LICENSOR_MAX + past - end + sizeof(rest) - 1;
        data = malloc(len);
        assert_non_null(data);
        memset(data, 'x', len);
        memcpy(data, head, sizeof(head) - 1);
        memcpy(data + len - sizeof(rest) + 1, rest, sizeof(rest) - 1);

        r = read_parts(data, len, 0, RMS_SOAP_11, RMS_OP_ACQUIRE_LICENSE,
                       RMS_SOAP_LICENSOR);
        assert_int_equal(r.error, RMS_SOAP_FINE);
        assert_guid(&r.licensor, past ? "" : GUID_A);
        assert_false(r.parsed_all);

        r = read_parts(data, len, 4096, RMS_SOAP_11, RMS_OP_ACQUIRE_LICENSE,
                       RMS_SOAP_STRICT);
        assert_int_equal(r.error, RMS_SOAP_FINE);
        assert_guid(&r.licensor, past ? "" : GUID_A);
        assert_true(r.parsed_all);

        assert_int_equal(search(data, len, 777, RMS_OP_ACQUIRE_LICENSE,
                                &licensor), past ? RMS_DECLINED : RMS_OK);
        assert_guid(&licensor, past ? "" : GUID_A);

        free(data);
    }
}


static void
a_guid_is_brought_to_one_form(void **state)
{
    static const struct {
        const char  *text;
        rms_rc_e     rc;
    } c[] = {
        { GUID_A, RMS_OK },
        { "{" GUID_A "}", RMS_OK },
        { " \t\r\n{AAAAAAAA-0000-4000-8000-00000000000A} ", RMS_OK },
        { "", RMS_INVALID },
        { "   ", RMS_INVALID },
        { "{" GUID_A, RMS_INVALID },
        { GUID_A "}", RMS_INVALID },
        { "(" GUID_A ")", RMS_INVALID },
        { "{ " GUID_A "}", RMS_INVALID },
        { GUID_A "a", RMS_INVALID },
        { "aaaaaaaa-0000-4000-8000-00000000000", RMS_INVALID },
        { "aaaaaaaa-0000-4000-8000000-0000000000", RMS_INVALID },
        { "aaaaaaaa00000-4000-8000-00000000000a", RMS_INVALID },
        { "aaaaaaag-0000-4000-8000-00000000000a", RMS_INVALID },
    };

    size_t          i;
    rms_str_t       text;
    rms_licensor_t  licensor;

    (void) state;

    for (i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
        text.data = (unsigned char *) c[i].text;
        text.len = strlen(c[i].text);

        assert_int_equal(rms_licensor_parse(&text, &licensor), c[i].rc);
        assert_guid(&licensor, c[i].rc == RMS_OK ? GUID_A : "");
    }
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
        r = read_parts(data, len, 0, RMS_SOAP_11, RMS_OP_ACQUIRE_LICENSE,
                       RMS_SOAP_LICENSOR);
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
        cmocka_unit_test(
            search_finds_the_licensor_of_every_sample_wherever_it_is_split),
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
        cmocka_unit_test(the_first_licence_that_is_not_nil_has_the_licensor),
        cmocka_unit_test(forms_of_the_same_licence_have_the_same_licensor),
        cmocka_unit_test(
            the_text_of_the_guid_is_read_as_a_licence_writes_it),
        cmocka_unit_test(an_object_or_id_of_another_kind_is_no_licensor),
        cmocka_unit_test(fakes_do_not_change_the_licensor),
        cmocka_unit_test(
            unsigned_and_signed_licences_stand_without_a_certificate),
        cmocka_unit_test(the_licensor_is_sought_in_a_bounded_part_only),
        cmocka_unit_test(a_guid_is_brought_to_one_form),
        cmocka_unit_test(every_error_has_its_own_text),
        cmocka_unit_test(without_memory_nothing_is_fine_that_was_not_read),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
