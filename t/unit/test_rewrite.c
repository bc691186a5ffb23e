/*
 * rms_rewrite: the three places of [protocol] 2.7 and nothing else.
 */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "rms_place_scan.h"
#include "rms_rewrite.h"
#include "rms_soap.h"
#include "test_mem.h"


#define FILE_MAX  65536

#define DECL      "<?xml version=\"1.0\" encoding=\"utf-8\"?>"
#define SOAP_11   "http://schemas.xmlsoap.org/soap/envelope/"
#define SOAP_12   "http://www.w3.org/2003/05/soap-envelope"
#define DRM       "http://microsoft.com/DRM/ServerService"

#define OPEN      "<s:Envelope xmlns:s=\"" SOAP_11 "\"><s:Body>"
#define CLOSE     "</s:Body></s:Envelope>"

#define USER(x)                                                               \
    OPEN "<FindServiceLocationsForUserResponse xmlns=\"" DRM "\">"            \
    "<FindServiceLocationsForUserResult>" x                                   \
    "</FindServiceLocationsForUserResult>"                                    \
    "</FindServiceLocationsForUserResponse>" CLOSE

#define LOC(x)      "<ServiceLocationResponse>" x "</ServiceLocationResponse>"
#define URL(x)      USER(LOC("<URL>" x "</URL><Type>T</Type>"))

/* URL("https://b/_wmcs"), cut in its type */

#define USER_HEAD                                                             \
    OPEN "<FindServiceLocationsForUserResponse xmlns=\"" DRM "\">"            \
    "<FindServiceLocationsForUserResult><ServiceLocationResponse>"            \
    "<URL>https://b/_wmcs</URL><Type>"
#define USER_TAIL                                                             \
    "</Type></ServiceLocationResponse></FindServiceLocationsForUserResult>"   \
    "</FindServiceLocationsForUserResponse>" CLOSE

#define INFO(x)                                                               \
    OPEN "<GetServerInfoResponse xmlns=\"" DRM "\"><GetServerInfoResult>" x   \
    "</GetServerInfoResult></GetServerInfoResponse>" CLOSE

#define REQ(type, x)                                                          \
    "<Results xmlns=\"\"><ServerInfoRequest Type=\"" type "\">" x             \
    "</ServerInfoRequest></Results>"

#define SLOC(x)                                                               \
    INFO(REQ("ServiceLocations",                                              \
             "<ServiceLocations>" x "</ServiceLocations>"))


typedef struct {
    const char  *in;
    const char  *out;               /* NULL: as it came */
    size_t       found, replaced;
} case_t;


static rms_str_t  bases[] = {
    rms_string("http://rms01.corp.harbourline.example/_wmcs"),
    rms_string("https://rights.harbourline.example/_wmcs"),
    rms_string("https://b/_wmcs"),
    rms_string("https://b/_wmcs/long"),
    rms_string("https://b/odd&amp;")
};

static rms_url_map_t  map = {
    bases, 5,
    rms_string("https://rights-gateway.edge.harbourline.example/_wmcs")
};

static rms_url_map_t  short_map = { bases, 5, rms_string("https://edge/x") };


static rms_str_t
str(const char *s)
{
    rms_str_t  v;

    v.len = strlen(s);
    v.data = (unsigned char *) s;

    return v;
}


static rms_str_t
slurp(const char *path)
{
    FILE       *f;
    rms_str_t   v;

    f = fopen(path, "rb");
    assert_non_null(f);

    v.data = malloc(FILE_MAX);
    assert_non_null(v.data);
    v.len = fread(v.data, 1, FILE_MAX, f);
    assert_true(v.len < FILE_MAX);
    fclose(f);

    return v;
}


/*
 * rms_rewrite(), whose result the parser's way must have as well, and the
 * scanner's if it answers.  Taken in place of rms_rewrite() below.
 */

static rms_rc_e
rewrite_both(const rms_str_t *in, rms_rewrite_rule_e rule,
    const rms_url_map_t *by, const rms_mem_t *mem,
    rms_rewrite_result_t *result)
{
    int                   scan;
    rms_rc_e              rc, other;
    test_mem_t            own;
    rms_rewrite_result_t  r;

    rc = rms_rewrite(in, rule, by, mem, result);

    for (scan = 0; scan <= 1; scan++) {
        other = rms_rewrite_by(scan, in, rule, by, test_mem_init(&own, 0),
                               &r);

        if (other != rc) {
            assert_true(scan && other == RMS_DECLINED);

        } else if (rc == RMS_OK) {
            assert_int_equal(r.found, result->found);
            assert_int_equal(r.replaced, result->replaced);
            assert_true(rms_str_eq(&r.body, &result->body));
        }

        test_mem_free(&own);
    }

    return rc;
}


static rms_rc_e
rewrite(const char *in, rms_rewrite_rule_e rule)
{
    rms_rc_e              rc;
    rms_str_t             input;
    test_mem_t            mem;
    rms_rewrite_result_t  result;

    input = str(in);
    rc = rewrite_both(&input, rule, &short_map, test_mem_init(&mem, 0),
                     &result);
    test_mem_free(&mem);

    return rc;
}


static void
check(const case_t *t, size_t n, rms_rewrite_rule_e rule)
{
    size_t                i;
    rms_rc_e              rc;
    rms_str_t             input, want;
    test_mem_t            mem;
    rms_rewrite_result_t  result;

    for (i = 0; i < n; i++) {
        input = str(t[i].in);
        want = str(t[i].out ? t[i].out : t[i].in);

        rc = rewrite_both(&input, rule, &short_map, test_mem_init(&mem, 0),
                         &result);

        if (rc != RMS_OK || result.found != t[i].found
            || result.replaced != t[i].replaced
            || !rms_str_eq(&result.body, &want))
        {
            fail_msg("case %zu: rc %d found %zu replaced %zu\n%s\n%.*s\n", i,
                     rc, result.found, result.replaced, t[i].in,
                     (int) result.body.len, (char *) result.body.data);
        }

        if (t[i].replaced == 0) {
            assert_ptr_equal(result.body.data, input.data);
        }

        test_mem_free(&mem);
    }
}


/* T8, T9, T10, T11 */

static void
samples_equal_their_relayed_form(void **state)
{
    char                  path[256];
    size_t                i;
    rms_str_t             in, want;
    test_mem_t            mem;
    rms_rewrite_result_t  result;

    static const struct {
        const char       *name;
        rms_operation_e   op;
        size_t            found, replaced;
    } t[] = {
        { "01-findservicelocationsforuser",
          RMS_OP_FIND_SERVICE_LOCATIONS_FOR_USER, 4, 4 },
        { "01b-findservicelocationsforuser-otherforest",
          RMS_OP_FIND_SERVICE_LOCATIONS_FOR_USER, 2, 0 },
        { "12-getserverinfo", RMS_OP_GET_SERVER_INFO, 3, 3 },
        { "14-findservicelocations", RMS_OP_FIND_SERVICE_LOCATIONS, 1, 1 }
    };

    (void) state;

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        (void) snprintf(path, sizeof(path), "t/samples/%s.response.xml",
                        t[i].name);
        in = slurp(path);

        (void) snprintf(path, sizeof(path),
                        "t/samples/%s.response.relayed.xml", t[i].name);
        want = slurp(path);

        assert_int_equal(rewrite_both(&in, rms_rewrite_rule(t[i].op), &map,
                                     test_mem_init(&mem, 0), &result),
                         RMS_OK);
        assert_int_equal(result.found, t[i].found);
        assert_int_equal(result.replaced, t[i].replaced);
        assert_int_equal(result.body.len, want.len);
        assert_memory_equal(result.body.data, want.data, want.len);

        test_mem_free(&mem);
        free(in.data);
        free(want.data);
    }
}


static void
only_three_operations_have_a_rule(void **state)
{
    unsigned            op;
    rms_rewrite_rule_e  want;

    (void) state;

    for (op = RMS_OP_NONE; op <= RMS_OP_MAX; op++) {
        want = RMS_REWRITE_NONE;

        if (op == RMS_OP_FIND_SERVICE_LOCATIONS_FOR_USER
            || op == RMS_OP_FIND_SERVICE_LOCATIONS)
        {
            want = RMS_REWRITE_LOCATIONS;

        } else if (op == RMS_OP_GET_SERVER_INFO) {
            want = RMS_REWRITE_SERVER_INFO;
        }

        assert_int_equal(rms_rewrite_rule((rms_operation_e) op), want);
    }
}


static void
without_a_rule_nothing_is_read(void **state)
{
    rms_str_t             in;
    test_mem_t            mem;
    rms_rewrite_result_t  result;

    (void) state;

    in = str("\x01 not XML");
    assert_int_equal(rewrite_both(&in, RMS_REWRITE_NONE, &map,
                                 test_mem_init(&mem, 0), &result), RMS_OK);
    assert_ptr_equal(result.body.data, in.data);
    assert_int_equal(mem.calls, 0);
}


/* T15 to T18 and [protocol] 9.5 to 9.14 */

static void
location_urls_are_replaced(void **state)
{
    static const case_t  t[] = {

        /* the base and what may follow it */
        { URL("https://b/_wmcs"), URL("https://edge/x"), 1, 1 },
        { URL("https://b/_wmcs/"), URL("https://edge/x/"), 1, 1 },
        { URL("HTTPS://B:443/_WMCS/Licensing"),
          URL("https://edge/x/Licensing"), 1, 1 },
        { URL("https://b/_wmcs?a=%20#f"), URL("https://edge/x?a=%20#f"),
          1, 1 },
        { URL("https://b/_wmcs/long/x"), URL("https://edge/x/x"), 1, 1 },
        { URL("http://rms01.corp.harbourline.example:80/_wmcs/licensing"),
          URL("https://edge/x/licensing"), 1, 1 },

        /* foreign and look-alike */
        { URL("https://c/_wmcs"), NULL, 1, 0 },
        { URL("https://b.evil/_wmcs"), NULL, 1, 0 },
        { URL("https://b/_wmcsx"), NULL, 1, 0 },
        { URL("https://b@evil/_wmcs"), NULL, 1, 0 },
        { URL("http://b/_wmcs"), NULL, 1, 0 },
        { URL("see https://b/_wmcs"), NULL, 1, 0 },
        { URL("https://b/_wmcs x"), NULL, 1, 0 },

        /* white space stays */
        { URL(" \t\r\n https://b/_wmcs/a \r\n"),
          URL(" \t\r\n https://edge/x/a \r\n"), 1, 1 },

        /* escapes: the tail as it was, the base by its meaning */
        { URL("https://b/_wmcs/a?b=1&amp;c=&#50;"),
          URL("https://edge/x/a?b=1&amp;c=&#50;"), 1, 1 },
        { URL("https://b/_w&#109;cs/a?b=1&amp;c=\xc3\xa4'"),
          URL("https://edge/x/a?b=1&amp;c=\xc3\xa4&apos;"), 1, 1 },
        { URL("&#x68;ttps://b/_wmcs"), URL("https://edge/x"), 1, 1 },
        { URL("https://b/_wmcs&#x2F;a"), URL("https://edge/x&#x2F;a"), 1, 1 },
        { URL("https://b/_wmcs&#x78;"), NULL, 1, 0 },
        { URL("https://b/odd&amp;amp;/a"), URL("https://edge/x/a"), 1, 1 },
        { URL("https://b/odd&amp;/a"), NULL, 1, 0 },
        { URL("&#32;https&#58;//b/_wmcs&#13;"),
          URL(" https://edge/x&#13;"), 1, 1 },

        /* markup inside of the value */
        { URL("<![CDATA[https://b/_wmcs/a]]>"), URL("https://edge/x/a"),
          1, 1 },
        { URL("<![CDATA[https://b/_wmcs/a?b&c]]>"),
          URL("https://edge/x/a?b&amp;c"), 1, 1 },
        { URL("<!-- a -->https://b/_wmcs/a<?pi x?>"),
          URL("https://edge/x/a"), 1, 1 },
        { URL("https://b<!-- a -->/_wmcs/a"), URL("https://edge/x/a"), 1, 1 },
        { URL("https://b/_wmcs/a<!-- </URL> -->"),
          URL("https://edge/x/a<!-- </URL> -->"), 1, 1 },
        { URL("<!-- </URL> -->https://b/_wmcs/a"),
          URL("https://edge/x/a"), 1, 1 },
        { URL("https://c/_wmcs<!-- https://b/_wmcs -->"), NULL, 1, 0 },

        /* empty, absent, nil */
        { URL(""), NULL, 0, 0 },
        { URL(" \r\n "), NULL, 0, 0 },
        { URL("<![CDATA[]]>"), NULL, 0, 0 },
        { USER(LOC("<URL/>")), NULL, 0, 0 },
        { USER(LOC("<URL />")), NULL, 0, 0 },
        { USER(LOC("<Type>https://b/_wmcs</Type>")), NULL, 0, 0 },
        { USER("<ServiceLocationResponse/>"), NULL, 0, 0 },
        { USER("<ServiceLocationResponse xsi:nil=\"true\" xmlns:xsi="
               "\"http://www.w3.org/2001/XMLSchema-instance\"/>"),
          NULL, 0, 0 },
        { USER(""), NULL, 0, 0 },
        { OPEN "<FindServiceLocationsResponse xmlns=\"" DRM "\"/>" CLOSE,
          NULL, 0, 0 },

        /* several, with other things between */
        { USER(LOC("<Type>T</Type><URL>https://b/_wmcs/1</URL>")
               "<!-- https://b/_wmcs -->" LOC("<URL>https://c/_wmcs/2</URL>")
               LOC("<URL a=\"https://b/_wmcs\" >https://b/_wmcs/3</URL >")),
          USER(LOC("<Type>T</Type><URL>https://edge/x/1</URL>")
               "<!-- https://b/_wmcs -->" LOC("<URL>https://c/_wmcs/2</URL>")
               LOC("<URL a=\"https://b/_wmcs\" >https://edge/x/3</URL >")),
          3, 2 },

        /* the place alone decides */
        { USER("<URL>https://b/_wmcs</URL>"), NULL, 0, 0 },
        { USER("<X>" LOC("<URL>https://b/_wmcs</URL>") "</X>"), NULL, 0, 0 },
        { USER(LOC("<X><URL>https://b/_wmcs</URL></X>")), NULL, 0, 0 },
        { USER(LOC("<URL xmlns=\"urn:x\">https://b/_wmcs</URL>")),
          NULL, 0, 0 },
        { USER(LOC("<URL xmlns=\"\">https://b/_wmcs</URL>")), NULL, 0, 0 },
        { USER(LOC("<Url>https://b/_wmcs</Url>")), NULL, 0, 0 },
        { USER("<ServiceLocationResponse xmlns=\"urn:x\"><URL xmlns=\"" DRM
               "\">https://b/_wmcs</URL></ServiceLocationResponse>"),
          NULL, 0, 0 },
        { USER("<X/>" LOC("<Y/><URL>https://b/_wmcs</URL>")),
          USER("<X/>" LOC("<Y/><URL>https://edge/x</URL>")), 1, 1 },
        { OPEN "<FindServiceLocationsForUserResponse xmlns=\"" DRM "\">"
          "<FindServiceLocationsResult>" LOC("<URL>https://b/_wmcs</URL>")
          "</FindServiceLocationsResult>"
          "</FindServiceLocationsForUserResponse>" CLOSE, NULL, 0, 0 },
        { "<s:Envelope xmlns:s=\"" SOAP_11 "\"><s:Header>"
          "<FindServiceLocationsForUserResponse xmlns=\"" DRM "\">"
          "<FindServiceLocationsForUserResult>"
          LOC("<URL>https://b/_wmcs</URL>")
          "</FindServiceLocationsForUserResult>"
          "</FindServiceLocationsForUserResponse></s:Header><s:Body>"
          "<FindServiceLocationsForUserResponse xmlns=\"" DRM "\"/>" CLOSE,
          NULL, 0, 0 },

        /* prefixes, declaration, mark, SOAP 1.2 */
        { "\xef\xbb\xbf" DECL "\r\n<e:Envelope xmlns:e='" SOAP_12 "' "
          "xmlns:q='" DRM "'><e:Body><q:FindServiceLocationsResponse>"
          "<q:FindServiceLocationsResult><q:ServiceLocationResponse>"
          "<q:URL>https://b/_wmcs/a</q:URL></q:ServiceLocationResponse>"
          "</q:FindServiceLocationsResult></q:FindServiceLocationsResponse>"
          "</e:Body></e:Envelope>\r\n<!-- end -->\n",
          "\xef\xbb\xbf" DECL "\r\n<e:Envelope xmlns:e='" SOAP_12 "' "
          "xmlns:q='" DRM "'><e:Body><q:FindServiceLocationsResponse>"
          "<q:FindServiceLocationsResult><q:ServiceLocationResponse>"
          "<q:URL>https://edge/x/a</q:URL></q:ServiceLocationResponse>"
          "</q:FindServiceLocationsResult></q:FindServiceLocationsResponse>"
          "</e:Body></e:Envelope>\r\n<!-- end -->\n", 1, 1 },
        { "<?xml version='1.0' encoding='US-ASCII'?>" URL("https://b/_wmcs"),
          "<?xml version='1.0' encoding='US-ASCII'?>" URL("https://edge/x"),
          1, 1 },
        { "<?xml version=\"1.0\"?>\n" URL("https://b/_wmcs"),
          "<?xml version=\"1.0\"?>\n" URL("https://edge/x"), 1, 1 },
        { "<?xml version=\"1.0\" encoding=\"UTF-8\"?><!-- \xc3\xa4 -->"
          URL("https://b/_wmcs"),
          "<?xml version=\"1.0\" encoding=\"UTF-8\"?><!-- \xc3\xa4 -->"
          URL("https://edge/x"), 1, 1 }
    };

    (void) state;

    check(t, sizeof(t) / sizeof(t[0]), RMS_REWRITE_LOCATIONS);
}


static void
server_info_attributes_are_replaced(void **state)
{
    static const case_t  t[] = {
        { SLOC("<ServiceLocation Type=\"L\" Url=\"https://b/_wmcs/l\" />"),
          SLOC("<ServiceLocation Type=\"L\" Url=\"https://edge/x/l\" />"),
          1, 1 },
        { SLOC("<ServiceLocation Url='https://b/_wmcs/l\"'/>"),
          SLOC("<ServiceLocation Url='https://edge/x/l\"'/>"), 1, 1 },
        { SLOC("<ServiceLocation\r\n  Url \t=\n 'HTTPS://B/_WMCS'></"
               "ServiceLocation>"),
          SLOC("<ServiceLocation\r\n  Url \t=\n 'https://edge/x'></"
               "ServiceLocation>"), 1, 1 },
        { SLOC("<ServiceLocation Url=\"https://b/_wmcs?a&amp;b\"/>"),
          SLOC("<ServiceLocation Url=\"https://edge/x?a&amp;b\"/>"), 1, 1 },
        { SLOC("<ServiceLocation Url='https://b/_w&#x6d;cs?a&amp;b&apos;'/>"),
          SLOC("<ServiceLocation Url='https://edge/x?a&amp;b&apos;'/>"),
          1, 1 },
        { SLOC("<ServiceLocation Url='&#9;https&#58;//b/_wmcs&#10;'/>"),
          SLOC("<ServiceLocation Url='&#9;https://edge/x&#10;'/>"), 1, 1 },
        { SLOC("<ServiceLocation Url=' \r\n\thttps://b/_wmcs '/>"),
          SLOC("<ServiceLocation Url=' \r\n\thttps://edge/x '/>"), 1, 1 },

        /* the attribute is the one named Url, wherever it stands */
        { SLOC("<ServiceLocation A='Url=\"https://b/_wmcs\"' "
               "xUrl='https://b/_wmcs' Urlx='https://b/_wmcs' "
               "xmlns:p='urn:p' p:Url='https://b/_wmcs' "
               "Url='https://b/_wmcs/1' B='>'/>"),
          SLOC("<ServiceLocation A='Url=\"https://b/_wmcs\"' "
               "xUrl='https://b/_wmcs' Urlx='https://b/_wmcs' "
               "xmlns:p='urn:p' p:Url='https://b/_wmcs' "
               "Url='https://edge/x/1' B='>'/>"), 1, 1 },
        { SLOC("<ServiceLocation A='/>' Url='https://b/_wmcs/1' B='/>'/>"),
          SLOC("<ServiceLocation A='/>' Url='https://edge/x/1' B='/>'/>"),
          1, 1 },
        { SLOC("<ServiceLocation URL='https://b/_wmcs'/>"
               "<ServiceLocation url='https://b/_wmcs'/>"), NULL, 0, 0 },

        /* empty and foreign */
        { SLOC("<ServiceLocation Url=\"\" /><ServiceLocation/>"
               "<ServiceLocation Url=' '/>"), NULL, 0, 0 },
        { SLOC("<ServiceLocation Url=\"https://c/_wmcs\" />"), NULL, 1, 0 },
        { SLOC("<ServiceLocation Url='https://c/_wmcs'/>"
               "<ServiceLocation Url='https://b/_wmcs'/>"
               "<ServiceLocation Url=''/>"),
          SLOC("<ServiceLocation Url='https://c/_wmcs'/>"
               "<ServiceLocation Url='https://edge/x'/>"
               "<ServiceLocation Url=''/>"), 2, 1 },

        /* the namespace of the example, and the inherited one */
        { INFO("<Results><ServerInfoRequest Type='ServiceLocations'>"
               "<ServiceLocations><ServiceLocation Url='https://b/_wmcs'/>"
               "</ServiceLocations></ServerInfoRequest></Results>"),
          INFO("<Results><ServerInfoRequest Type='ServiceLocations'>"
               "<ServiceLocations><ServiceLocation Url='https://edge/x'/>"
               "</ServiceLocations></ServerInfoRequest></Results>"), 1, 1 },
        { INFO("<Results xmlns='urn:x'><ServerInfoRequest "
               "Type='ServiceLocations'><ServiceLocations><ServiceLocation "
               "Url='https://b/_wmcs'/></ServiceLocations>"
               "</ServerInfoRequest></Results>"), NULL, 0, 0 },

        /* the place alone decides; never inside a certificate */
        { INFO(REQ("VersionInfo", "<ServiceLocations><ServiceLocation "
                   "Url='https://b/_wmcs'/></ServiceLocations>")),
          NULL, 0, 0 },
        { INFO(REQ("ServerLicensorCertificate",
                   "<ServerLicensorCertificateChain><XrML><ServiceLocations>"
                   "<ServiceLocation Url='https://b/_wmcs'/>"
                   "</ServiceLocations><ADDRESS type='URL'>https://b/_wmcs"
                   "</ADDRESS></XrML></ServerLicensorCertificateChain>")),
          NULL, 0, 0 },
        { INFO(REQ("ServiceLocations", "<XrML><ServiceLocations>"
                   "<ServiceLocation Url='https://b/_wmcs'/>"
                   "</ServiceLocations></XrML>")), NULL, 0, 0 },
        { SLOC("<ServiceLocation><ServiceLocation Url='https://b/_wmcs'/>"
               "</ServiceLocation>"), NULL, 0, 0 },
        { INFO("<Results xmlns=''><ServerInfoRequest><ServiceLocations>"
               "<ServiceLocation Url='https://b/_wmcs'/></ServiceLocations>"
               "</ServerInfoRequest></Results>"), NULL, 0, 0 },
        { INFO("&lt;ServiceLocation Url='https://b/_wmcs'/&gt;"),
          NULL, 0, 0 }
    };

    (void) state;

    check(t, sizeof(t) / sizeof(t[0]), RMS_REWRITE_SERVER_INFO);
}


static void
faults_pass_untouched(void **state)
{
    size_t                i;
    char                  path[256];
    rms_str_t             in;
    test_mem_t            mem;
    rms_rewrite_result_t  result;

    static const char *names[] = {
        "malformeddataversion", "nested", "norights",
        "onlinepublishingdisabled", "onlinepublishingdisabled-soap12",
        "unauthorized", "unknownaction", "unspecified",
        "unsupporteddataversion"
    };

    static const case_t  t[] = {
        { OPEN "<s:Fault><faultstring>https://b/_wmcs</faultstring><detail>"
          LOC("<URL xmlns=\"" DRM "\">https://b/_wmcs</URL>")
          "</detail></s:Fault>" CLOSE, NULL, 0, 0 }
    };

    (void) state;

    check(t, 1, RMS_REWRITE_LOCATIONS);
    check(t, 1, RMS_REWRITE_SERVER_INFO);

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        (void) snprintf(path, sizeof(path), "t/samples/fault-%s.xml",
                        names[i]);
        in = slurp(path);

        assert_int_equal(rewrite_both(&in, RMS_REWRITE_LOCATIONS, &map,
                                     test_mem_init(&mem, 0), &result),
                         RMS_OK);
        assert_ptr_equal(result.body.data, in.data);
        assert_int_equal(result.found, 0);

        test_mem_free(&mem);
        free(in.data);
    }
}


static void
what_is_not_the_answer_is_refused(void **state)
{
    size_t  i;

    static const char *t[] = {
        "",
        "x",
        "<a/>",
        "<html><body>https://b/_wmcs</body></html>",
        DECL,
        OPEN CLOSE,
        OPEN "https://b/_wmcs" CLOSE,
        "<s:Envelope xmlns:s='" SOAP_11 "'/>",
        "<s:Envelope xmlns:s='urn:x'><s:Body><s:Fault/></s:Body>"
        "</s:Envelope>",
        "<s:Envelope xmlns:s='" SOAP_11 "' xmlns:t='" SOAP_12 "'><t:Body>"
        "<s:Fault/></t:Body></s:Envelope>",
        OPEN "<t:Fault xmlns:t='" SOAP_12 "'/>" CLOSE,
        OPEN "<Fault/>" CLOSE,
        OPEN "<AcquireLicenseResponse xmlns=\"" DRM "\"/>" CLOSE,
        OPEN "<FindServiceLocationsForUserResponse xmlns=\"urn:x\"/>" CLOSE,
        OPEN "<FindServiceLocationsForUserResponse/>" CLOSE,
        INFO(""),                           /* the answer of another rule  */
        OPEN "<s:Fault/><s:Fault/>" CLOSE,
        OPEN "<s:Fault/><FindServiceLocationsResponse xmlns=\"" DRM "\"/>"
        CLOSE,
        "<s:Envelope xmlns:s=\"" SOAP_11 "\"><s:Body><s:Fault/></s:Body>"
        "<s:Body><s:Fault/></s:Body></s:Envelope>",
        "<s:Envelope xmlns:s=\"" SOAP_11 "\"><s:Body><s:Fault/></s:Body>"
        "<s:Body/></s:Envelope>",
        URL("<a/>"),
        URL("https://b/_wmcs<a/>"),

        "<!DOCTYPE s:Envelope>" URL("https://b/_wmcs"),
        "<!DOCTYPE s:Envelope [<!ENTITY a 'https://b/_wmcs'>]>" URL("&a;"),
        URL("&a;"),
        URL("&#0;"),
        URL("https://b/_wmcs") "<a/>",
        URL("https://b/_wmcs") "x",
        URL("https://b/_wmcs\xff"),
        URL("https://b/_wmcs\xc0\xaf"),
        URL("https://b/_wmcs\x01"),
        USER("<p:a/>"),
        USER("<a b='1' b='2'/>"),
        USER("<a b='<'/>"),
        " " DECL URL("https://b/_wmcs")
    };

    (void) state;

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        if (rewrite(t[i], RMS_REWRITE_LOCATIONS) != RMS_INVALID) {
            fail_msg("accepted: %s", t[i]);
        }
    }
}


static void
truncation_anywhere_is_refused(void **state)
{
    size_t                i, k;
    rms_str_t             in, cut;
    test_mem_t            mem;
    rms_rewrite_result_t  result;

    static const char *t[] = {
        DECL URL("https://b/_wmcs/a"),
        SLOC("<ServiceLocation Url='https://b/_wmcs/a'/>")
    };

    (void) state;

    for (i = 0; i < 2; i++) {
        in = str(t[i]);

        for (k = 0; k < in.len; k++) {
            cut.len = k;
            cut.data = malloc(k + 1);
            assert_non_null(cut.data);
            memcpy(cut.data, in.data, k);

            assert_int_equal(rewrite_both(&cut, i ? RMS_REWRITE_SERVER_INFO
                                                 : RMS_REWRITE_LOCATIONS,
                                         &short_map, test_mem_init(&mem, 0),
                                         &result), RMS_INVALID);

            test_mem_free(&mem);
            free(cut.data);
        }
    }
}


static void
other_encodings_are_unsupported(void **state)
{
    size_t                i;
    test_mem_t            mem;
    rms_rewrite_result_t  result;

    static rms_str_t  t[] = {
        rms_string("<?xml version='1.0' encoding='iso-8859-1'?>"
                   URL("https://b/_wmcs")),
        rms_string("<?xml version='1.0' encoding='utf-16'?>"
                   URL("https://b/_wmcs")),
        rms_string("<?xml version='1.0' encoding='utf-7'?>"
                   URL("https://b/_wmcs")),
        rms_string("\xff\xfe<\0a\0/\0>\0"),
        rms_string("\xfe\xff\0<\0a\0/\0>"),
        rms_string("<\0a\0/\0>\0"),
        rms_string("\0<\0a\0/\0>"),
        rms_string(URL("https://b/_wmcs") "\0")
    };

    (void) state;

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        assert_int_equal(rewrite_both(&t[i], RMS_REWRITE_LOCATIONS, &short_map,
                                     test_mem_init(&mem, 0), &result),
                         RMS_UNSUPPORTED);
        test_mem_free(&mem);
    }
}


/* head, n times unit, tail */

static rms_str_t
repeat(const char *head, const char *unit, size_t n, const char *tail)
{
    size_t          u;
    rms_str_t       v;
    unsigned char  *p;

    u = strlen(unit);
    v.len = strlen(head) + n * u + strlen(tail);
    v.data = p = malloc(v.len + 1);
    assert_non_null(p);

    p = (unsigned char *) stpcpy((char *) p, head);

    while (n--) {
        memcpy(p, unit, u);
        p += u;
    }

    memcpy(p, tail, strlen(tail));

    return v;
}


static void
assert_repeat(const char *head, const char *unit, size_t n, const char *tail,
    rms_rc_e want)
{
    rms_rc_e              rc;
    rms_str_t             in;
    test_mem_t            mem;
    rms_rewrite_result_t  result;

    in = repeat(head, unit, n, tail);

    rc = rewrite_both(&in, RMS_REWRITE_LOCATIONS, &short_map,
                     test_mem_init(&mem, 0), &result);
    test_mem_free(&mem);
    free(in.data);

    assert_int_equal(rc, want);
}


static void
bounds_are_exact(void **state)
{
    const size_t  frame = sizeof(URL("")) - 1;

    static const char  head[] =
        OPEN "<FindServiceLocationsResponse xmlns=\"" DRM "\">"
        "<FindServiceLocationsResult>";
    static const char  tail[] =
        "</FindServiceLocationsResult></FindServiceLocationsResponse>" CLOSE;

    (void) state;

    assert_repeat(head, LOC("<URL>https://b/_wmcs</URL>"),
                  RMS_REWRITE_URLS_MAX, tail, RMS_OK);
    assert_repeat(head, LOC("<URL>https://b/_wmcs</URL>"),
                  RMS_REWRITE_URLS_MAX + 1, tail, RMS_TOO_LARGE);

    assert_repeat("", " ", RMS_REWRITE_MAX - frame, URL(""), RMS_OK);
    assert_repeat("", " ", RMS_REWRITE_MAX - frame + 1, URL(""),
                  RMS_TOO_LARGE);

    assert_repeat(OPEN "<FindServiceLocationsResponse xmlns=\"" DRM "\">"
                  "<FindServiceLocationsResult><ServiceLocationResponse>"
                  "<URL>", "a", RMS_PLACE_VALUE_MAX,
                  "</URL></ServiceLocationResponse>"
                  "</FindServiceLocationsResult>"
                  "</FindServiceLocationsResponse>" CLOSE, RMS_OK);
    assert_repeat(OPEN "<FindServiceLocationsResponse xmlns=\"" DRM "\">"
                  "<FindServiceLocationsResult><ServiceLocationResponse>"
                  "<URL>", "a", RMS_PLACE_VALUE_MAX + 1,
                  "</URL></ServiceLocationResponse>"
                  "</FindServiceLocationsResult>"
                  "</FindServiceLocationsResponse>" CLOSE, RMS_TOO_LARGE);

    assert_repeat(head, "<a>", 10000, tail, RMS_INVALID);
}


/* Positions must hold wherever the parser's buffer ends. */

static void
positions_hold_at_every_offset(void **state)
{
    size_t                n;
    rms_str_t             in, want;
    test_mem_t            mem;
    rms_rewrite_result_t  result;

    (void) state;

    for (n = 3900; n < 4300; n++) {
        in = repeat("<!--", "\xc3\xa4", n, "-->"
                    USER(LOC("<URL>https://b/_wmcs/a&amp;b</URL>")
                         LOC("<URL><![CDATA[https://b/_wmcs]]></URL>")));
        want = repeat("<!--", "\xc3\xa4", n, "-->"
                      USER(LOC("<URL>https://edge/x/a&amp;b</URL>")
                           LOC("<URL>https://edge/x</URL>")));

        assert_int_equal(rewrite_both(&in, RMS_REWRITE_LOCATIONS, &short_map,
                                     test_mem_init(&mem, 0), &result),
                         RMS_OK);
        assert_true(rms_str_eq(&result.body, &want));

        test_mem_free(&mem);
        free(in.data);
        free(want.data);
    }
}


static void
the_target_is_escaped(void **state)
{
    size_t                i;
    rms_str_t             in, want;
    test_mem_t            mem;
    rms_url_map_t         odd;
    rms_rewrite_result_t  result;

    static const char *t[][2] = {
        { URL("https://b/_wmcs/a"), URL("https://e/&amp;&lt;&apos;/a") },
        { URL("<![CDATA[https://b/_wmcs/a]]>"),
          URL("https://e/&amp;&lt;&apos;/a") }
    };

    (void) state;

    odd = map;
    odd.target = str("https://e/&<'");

    for (i = 0; i < 2; i++) {
        in = str(t[i][0]);
        want = str(t[i][1]);

        assert_int_equal(rewrite_both(&in, RMS_REWRITE_LOCATIONS, &odd,
                                     test_mem_init(&mem, 0), &result),
                         RMS_OK);
        assert_true(rms_str_eq(&result.body, &want));
        test_mem_free(&mem);
    }
}


/*
 * A target that changes when it is read again, as no URL does: the check
 * after the splice must see it.
 */

static void
a_result_that_reads_differently_is_refused(void **state)
{
    rms_str_t             in;
    test_mem_t            mem;
    rms_url_map_t         odd;
    rms_rewrite_result_t  result;

    (void) state;

    odd = map;
    odd.target = str("https://e/\x01");
    in = str(URL("https://b/_wmcs/a"));

    assert_int_equal(rewrite_both(&in, RMS_REWRITE_LOCATIONS, &odd,
                                 test_mem_init(&mem, 0), &result),
                     RMS_INVALID);
    assert_ptr_equal(result.body.data, in.data);
    test_mem_free(&mem);

    odd.target = str("  ");
    in = str(URL("https://b/_wmcs"));

    assert_int_equal(rewrite_both(&in, RMS_REWRITE_LOCATIONS, &odd,
                                 test_mem_init(&mem, 0), &result),
                     RMS_INVALID);
    test_mem_free(&mem);
}


static void
no_memory_is_reported_at_every_allocation(void **state)
{
    size_t                i, n;
    rms_rc_e              rc;
    rms_str_t             in;
    test_mem_t            mem;
    rms_url_map_t         odd;
    rms_rewrite_result_t  result;

    static const struct {
        int          scan;
        const char  *in;
        size_t       least;
    } t[] = {
        { 0, USER(LOC("<URL>https://b/_wmcs/a</URL>")
                  LOC("<URL>https://c/</URL>")
                  LOC("<URL><![CDATA[https://b/_wmcs]]></URL>")), 6 },
        { 0, SLOC("<ServiceLocation Url='https://b/_wmcs/a'/>"), 4 },
        { 1, USER(LOC("<URL>https://b/_wmcs/a</URL>")), 3 },
        { 1, SLOC("<ServiceLocation Url='https://b/_wmcs/a'/>"), 3 }
    };

    (void) state;

    odd = short_map;
    odd.target = str("https://edge/x(y)");      /* is written to memory */

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        in = str(t[i].in);

        for (n = 1; ; n++) {
            rc = rms_rewrite_by(t[i].scan, &in,
                                i & 1 ? RMS_REWRITE_SERVER_INFO
                                      : RMS_REWRITE_LOCATIONS,
                                &odd, test_mem_init(&mem, n), &result);
            test_mem_free(&mem);

            if (rc == RMS_OK) {
                break;
            }

            assert_int_equal(rc, RMS_NOMEM);
            assert_ptr_equal(result.body.data, in.data);
        }

        assert_true(n > t[i].least);
    }
}


/* Otherwise the tables above would not test the short cut. */

static void
what_servers_write_needs_no_parser(void **state)
{
    size_t                i;
    rms_str_t             in;
    test_mem_t            mem;
    rms_rewrite_result_t  result;

    static const struct {
        const char          *name;
        rms_rewrite_rule_e   rule;
    } t[] = {
        { "t/samples/01-findservicelocationsforuser.response.xml",
          RMS_REWRITE_LOCATIONS },
        { "t/samples/01b-findservicelocationsforuser-otherforest.response.xml",
          RMS_REWRITE_LOCATIONS },
        { "t/samples/12-getserverinfo.response.xml",
          RMS_REWRITE_SERVER_INFO },
        { "t/samples/14-findservicelocations.response.xml",
          RMS_REWRITE_LOCATIONS },
        { "t/samples/fault-norights.xml", RMS_REWRITE_LOCATIONS }
    };

    (void) state;

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        in = slurp(t[i].name);
        assert_int_equal(rms_rewrite_by(1, &in, t[i].rule, &map,
                                        test_mem_init(&mem, 0), &result),
                         RMS_OK);
        test_mem_free(&mem);
        free(in.data);
    }
}


/* The second reading goes on from a mark; in front of it bytes must agree. */

static void
a_second_reading_sees_each_byte_that_differs(void **state)
{
    size_t            i, seen;
    rms_str_t         in, text;
    rms_places_t      before, after;
    rms_place_scan_t  mark, kept;

    (void) state;

    in = slurp("t/samples/12-getserverinfo.response.xml");

    assert_int_equal(rms_place_scan(&in, RMS_REWRITE_SERVER_INFO, &before,
                                    &kept), RMS_OK);
    seen = (size_t) (kept.scan.p - in.data);
    assert_true(seen <= before.place[0].start);
    assert_int_equal(before.n, 3);

    text.len = in.len;
    text.data = malloc(in.len);
    assert_non_null(text.data);
    memcpy(text.data, in.data, in.len);

    mark = kept;
    assert_int_equal(rms_place_scan_on(&mark, &text, &after), RMS_OK);
    assert_int_equal(after.n, before.n);

    for (i = 0; i < before.n; i++) {
        assert_int_equal(after.place[i].start, before.place[i].start);
        assert_int_equal(after.place[i].end, before.place[i].end);
        assert_ptr_equal(after.place[i].value.data,
                         text.data + after.place[i].start);
    }

    for (i = 0; i < in.len; i++) {
        text.data[i] = (unsigned char) (in.data[i] ^ 1);
        mark = kept;

        if (i < seen) {
            assert_int_equal(rms_place_scan_on(&mark, &text, &after),
                             RMS_DECLINED);
        }

        text.data[i] = '<';
        mark = kept;

        if (in.data[i] != '<') {
            assert_int_equal(rms_place_scan_on(&mark, &text, &after),
                             RMS_DECLINED);
        }

        text.data[i] = in.data[i];
    }

    for (i = 0; i < in.len; i++) {
        text.len = i;
        mark = kept;
        assert_int_equal(rms_place_scan_on(&mark, &text, &after),
                         RMS_DECLINED);
    }

    free(text.data);
    free(in.data);
}


static void
a_second_reading_sees_what_is_no_character(void **state)
{
    size_t            i;
    rms_str_t         in, text;
    rms_places_t      places;
    rms_place_scan_t  mark;

    static const char  *t[] = { "T", "\x01", "&", "\xff", "]]>" };

    (void) state;

    in = str(URL("https://b/_wmcs"));

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        text = repeat(USER_HEAD, t[i], 1, USER_TAIL);

        assert_int_equal(rms_place_scan(&in, RMS_REWRITE_LOCATIONS, &places,
                                        &mark), RMS_OK);
        assert_int_equal(rms_place_scan_on(&mark, &text, &places),
                         i ? RMS_DECLINED : RMS_OK);
        free(text.data);
    }
}


static unsigned
next_random(unsigned *x)
{
    *x = *x * 1103515245u + 12345u;

    return *x >> 8;
}


/*
 * Is out equal to in but for places, each of which is as before or as in the
 * relayed sample?  ranges: starts and lengths in in; the base covers cover.
 */

static int
only_places_differ(const rms_str_t *in, const rms_str_t *out,
    const rms_places_t *places, const rms_str_t *target)
{
    size_t     i, from, to, n;
    rms_str_t  url;

    from = 0;
    to = 0;

    for (i = 0; i < places->n; i++) {
        url.data = in->data + places->place[i].start;
        url.len = places->place[i].end - places->place[i].start;
        n = places->place[i].start - from;

        if (out->len - to < n || memcmp(in->data + from, out->data + to, n)) {
            return 0;
        }

        from += n;
        to += n;

        n = rms_url_map(&url, &map);

        if (out->len - to >= target->len
            && memcmp(out->data + to, target->data, target->len) == 0)
        {
            from += n;
            to += target->len;
        }
    }

    return in->len - from == out->len - to
           && memcmp(in->data + from, out->data + to, in->len - from) == 0;
}


/* [protocol] 10, property test */

static void
flipped_bytes_outside_of_urls_pass_or_are_refused(void **state)
{
    size_t                i, k, pos, passed, seen;
    unsigned              x, round;
    rms_rc_e              rc;
    rms_str_t             in;
    test_mem_t            mem, other;
    rms_places_t          places;
    unsigned char         saved;
    rms_rewrite_rule_e    rule;
    rms_rewrite_result_t  result;

    static const char *names[] = {
        "t/samples/01-findservicelocationsforuser.response.xml",
        "t/samples/12-getserverinfo.response.xml",
        "t/samples/14-findservicelocations.response.xml"
    };

    (void) state;

    for (i = 0; i < 3; i++) {
        in = slurp(names[i]);
        rule = i == 1 ? RMS_REWRITE_SERVER_INFO : RMS_REWRITE_LOCATIONS;

        assert_int_equal(rms_place_find(&in, rule, test_mem_init(&other, 0),
                                        &places), RMS_OK);
        x = (unsigned) i + 1;
        passed = 0;
        seen = 0;

        for (round = 0; round < 3000; round++) {
            pos = next_random(&x) % in.len;

            for (k = 0; k < places.n; k++) {
                if (pos >= places.place[k].start && pos < places.place[k].end)
                {
                    break;
                }
            }

            if (k != places.n) {
                continue;
            }

            saved = in.data[pos];
            in.data[pos] = (unsigned char) (round & 1
                                            ? next_random(&x)
                                            : saved ^ (1u << (round / 2 % 8)));

            rc = rewrite_both(&in, rule, &map, test_mem_init(&mem, 0),
                             &result);
            seen++;

            if (rc == RMS_OK) {
                passed++;
                assert_true(only_places_differ(&in, &result.body, &places,
                                               &map.target));
            }

            test_mem_free(&mem);
            in.data[pos] = saved;
        }

        assert_true(passed > 100);
        assert_true(seen > 1000);

        test_mem_free(&other);
        free(in.data);
    }
}


int
main(void)
{
    int                      rc;
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(samples_equal_their_relayed_form),
        cmocka_unit_test(only_three_operations_have_a_rule),
        cmocka_unit_test(without_a_rule_nothing_is_read),
        cmocka_unit_test(location_urls_are_replaced),
        cmocka_unit_test(server_info_attributes_are_replaced),
        cmocka_unit_test(faults_pass_untouched),
        cmocka_unit_test(what_is_not_the_answer_is_refused),
        cmocka_unit_test(truncation_anywhere_is_refused),
        cmocka_unit_test(other_encodings_are_unsupported),
        cmocka_unit_test(bounds_are_exact),
        cmocka_unit_test(positions_hold_at_every_offset),
        cmocka_unit_test(the_target_is_escaped),
        cmocka_unit_test(a_result_that_reads_differently_is_refused),
        cmocka_unit_test(no_memory_is_reported_at_every_allocation),
        cmocka_unit_test(what_servers_write_needs_no_parser),
        cmocka_unit_test(a_second_reading_sees_each_byte_that_differs),
        cmocka_unit_test(a_second_reading_sees_what_is_no_character),
        cmocka_unit_test(flipped_bytes_outside_of_urls_pass_or_are_refused)
    };

    rms_xml_init();

    rc = cmocka_run_group_tests(tests, NULL, NULL);

    rms_xml_done();

    return rc;
}
