/*
 * rms_outcome: what is counted in an answer, however it is cut.
 */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "rms_outcome.h"


#define LICENCE  RMS_OP_ACQUIRE_LICENSE
#define PRE      RMS_OP_ACQUIRE_PRE_LICENSE

#define OPEN     "<s:Envelope xmlns:s=\"urn:s\"><s:Body>"
#define CLOSE    "</s:Body></s:Envelope>"

#define RESULT(items)                                                         \
    OPEN "<AcquireLicenseResponse xmlns=\"urn:l\"><AcquireLicenseResult>"     \
    items "</AcquireLicenseResult></AcquireLicenseResponse>" CLOSE
#define ITEM(inner)                                                           \
    "<AcquireLicenseResponse><CertificateChain><Certificate>" inner           \
    "</Certificate></CertificateChain></AcquireLicenseResponse>"
#define FAILED(name)                                                          \
    "<" name " xmlns=\"\"><ExceptionString>x</ExceptionString></" name ">"

#define LICENSES(items)                                                       \
    OPEN "<AcquirePreLicenseResponse><AcquirePreLicenseResult>"               \
    "<AcquirePreLicenseResponse><Licenses>" items "</Licenses>"               \
    "<CertificateChain><Certificate/></CertificateChain>"                     \
    "</AcquirePreLicenseResponse></AcquirePreLicenseResult>"                  \
    "</AcquirePreLicenseResponse>" CLOSE

#define FAULT(text)                                                           \
    OPEN "<s:Fault><faultcode>s:Server</faultcode><faultstring>" text         \
    "</faultstring><detail /></s:Fault>" CLOSE
#define CODED(code, text)                                                     \
    OPEN "<s:Fault><faultcode>" code "</faultcode><faultstring>" text         \
    "</faultstring></s:Fault>" CLOSE

#define LIC  "Microsoft.DigitalRightsManagement.Licensing."


typedef struct {
    const char       *text;
    rms_operation_e   op;
    uint32_t          items, failed;
    const char       *fault;
} want_t;


static unsigned char *
sample(const char *name, size_t *len)
{
    long            size;
    FILE           *f;
    char            path[256];
    unsigned char  *data;

    snprintf(path, sizeof(path), "t/samples/%s.xml", name);

    f = fopen(path, "rb");
    assert_non_null(f);

    fseek(f, 0, SEEK_END);
    size = ftell(f);
    rewind(f);
    assert_true(size > 0);

    data = malloc((size_t) size);
    assert_non_null(data);

    *len = fread(data, 1, (size_t) size, f);
    assert_int_equal(*len, size);
    fclose(f);

    return data;
}


static void
assert_outcome(const rms_outcome_t *o, const want_t *w)
{
    const rms_str_t  *fault;

    assert_int_equal(o->items, w->items);
    assert_int_equal(o->failed, w->failed);

    fault = rms_outcome_fault(o);

    if (w->fault == NULL) {
        assert_null(fault);
        return;
    }

    assert_non_null(fault);
    assert_int_equal(fault->len, strlen(w->fault));
    assert_memory_equal(fault->data, w->fault, fault->len);
}


/* In pieces of one size; each is a block of its own, as a sanitizer likes. */

static void
assert_pieces(const unsigned char *data, size_t len, size_t step,
    const want_t *w)
{
    size_t          i, n;
    rms_outcome_t   o;
    unsigned char  *piece;

    piece = step < 4096 ? malloc(step) : NULL;
    rms_outcome_start(&o, w->op);

    for (i = 0; i < len; i += n) {
        n = len - i < step ? len - i : step;

        if (piece) {
            memcpy(piece + step - n, data + i, n);
        }

        rms_outcome_feed(&o, piece ? piece + step - n : data + i, n);
    }

    rms_outcome_feed(&o, NULL, 0);
    free(piece);

    assert_outcome(&o, w);
}


static void
assert_texts(const want_t *t, size_t n)
{
    size_t  i, step, len;

    for (i = 0; i < n; i++) {
        len = strlen(t[i].text);

        for (step = 1; step <= len; step++) {
            assert_pieces((const unsigned char *) t[i].text, len, step, &t[i]);
        }
    }
}


#define assert_table(t)  assert_texts(t, sizeof(t) / sizeof(t[0]))


static const want_t  samples[] = {
    { "07-acquirelicense.response", LICENCE, 1, 0, NULL },
    { "07b-acquirelicense-plfirst.response", LICENCE, 1, 0, NULL },
    { "07c-acquirelicense-soap12.response", LICENCE, 1, 0, NULL },
    { "07d-acquirelicense-batch3-partial.response", LICENCE, 3, 1, NULL },
    { "07e-acquirelicense-othercluster.response", LICENCE, 0, 0,
      "RightsLabelNoMatchingIssuedPrincipal" },
    { "08-acquireprelicense.response", PRE, 4, 1, NULL },
    { "19-acquirelicense-mode1.response", LICENCE, 1, 0, NULL },
    { "16-acquirecontentkey.response", RMS_OP_ACQUIRE_CONTENT_KEY, 0, 0,
      "ClusterNotDecommissioned" },
    { "fault-malformeddataversion", PRE, 0, 0, "MalformedDataVersion" },
    { "fault-nested", LICENCE, 0, 0, "InvalidPersonaCertTime" },
    { "fault-norights", LICENCE, 0, 0, "NoRightsForRequestedPrincipal" },
    { "fault-onlinepublishingdisabled", RMS_OP_ACQUIRE_ISSUANCE_LICENSE, 0, 0,
      "OnlinePublishingDisabled" },
    { "fault-onlinepublishingdisabled-soap12", RMS_OP_NONE, 0, 0,
      "OnlinePublishingDisabled" },
    { "fault-unauthorized", RMS_OP_CERTIFY, 0, 0, "UnauthorizedAccess" },
    { "fault-unknownaction", LICENCE, 0, 0, "other" },
    { "fault-unspecified", LICENCE, 0, 0, "UnspecifiedError" },
    { "fault-unsupporteddataversion", LICENCE, 0, 0,
      "UnsupportedDataVersion" },
    { "01-findservicelocationsforuser.response",
      RMS_OP_FIND_SERVICE_LOCATIONS_FOR_USER, 0, 0, NULL },
    { "02-certify.response", RMS_OP_CERTIFY, 0, 0, NULL },
    { "03-servercertify.response", RMS_OP_CERTIFY, 0, 0, NULL },
    { "04-getlicensorcertificate.response", RMS_OP_GET_LICENSOR_CERTIFICATE,
      0, 0, NULL },
    { "05-getclientlicensorcert.response", RMS_OP_GET_CLIENT_LICENSOR_CERT,
      0, 0, NULL },
    { "06-acquireissuancelicense.response", RMS_OP_ACQUIRE_ISSUANCE_LICENSE,
      0, 0, NULL },
    { "09-acquiretemplateinformation.response",
      RMS_OP_ACQUIRE_TEMPLATE_INFORMATION, 0, 0, NULL },
    { "10-acquiretemplates.response", RMS_OP_ACQUIRE_TEMPLATES, 0, 0, NULL },
    { "11-editissuancelicense.response", RMS_OP_EDIT_ISSUANCE_LICENSE, 0, 0,
      NULL },
    { "12-getserverinfo.response", RMS_OP_GET_SERVER_INFO, 0, 0, NULL },
    { "13-precertify.response", RMS_OP_PRECERTIFY, 0, 0, NULL },
    { "14-findservicelocations.response", RMS_OP_FIND_SERVICE_LOCATIONS, 0, 0,
      NULL },
    { "15-isprincipalmemberof.response", RMS_OP_IS_PRINCIPAL_MEMBER_OF, 0, 0,
      NULL },
    { "17-subenroll.response", RMS_OP_SUB_ENROLL, 0, 0, NULL },
    { "07-acquirelicense.request", LICENCE, 0, 0, NULL },
    { "08-acquireprelicense.request", PRE, 0, 0, NULL }
};


static void
samples_are_counted_in_pieces_of_every_size(void **state)
{
    size_t          i, step, len;
    unsigned char  *data;

    (void) state;

    for (i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        data = sample(samples[i].text, &len);

        for (step = 1; step <= len; step++) {
            assert_pieces(data, len, step, &samples[i]);
        }

        free(data);
    }
}


static void
a_sample_is_counted_cut_in_two_anywhere(void **state)
{
    size_t          i, cut, len;
    rms_outcome_t   o, rest;
    unsigned char  *data;

    (void) state;

    for (i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        data = sample(samples[i].text, &len);
        rms_outcome_start(&o, samples[i].op);

        for (cut = 0; cut < len; cut++) {
            rest = o;
            rms_outcome_feed(&rest, data + cut, len - cut);
            assert_outcome(&rest, &samples[i]);
            rms_outcome_feed(&o, data + cut, 1);
        }

        free(data);
    }
}


static void
items_are_counted_whatever_their_form(void **state)
{
    static const want_t  t[] = {
        { RESULT(""), LICENCE, 0, 0, NULL },
        { RESULT(ITEM("") ITEM("")), LICENCE, 2, 0, NULL },
        { RESULT(ITEM("") "<AcquireLicenseResponse/>"
                 "<AcquireLicenseResponse xsi:nil='true' />"), LICENCE, 3, 0,
          NULL },
        { RESULT(ITEM("<XrML>a</XrML>")
                 ITEM(FAILED("AcquireLicenseException"))), LICENCE, 2, 1,
          NULL },
        { RESULT(ITEM(FAILED("x:AcquireLicenseException"))
                 ITEM("<y.z:AcquireLicenseException/>")), LICENCE, 2, 2,
          NULL },
        { RESULT(ITEM("") FAILED("AcquireLicenseException") ITEM("")),
          LICENCE, 3, 1, NULL },
        { OPEN "<q:AcquireLicenseResponse xmlns:q='urn:l'>\n"
          "<q:AcquireLicenseResult\n>\r\n<q:AcquireLicenseResponse\ta='>'>"
          "</q:AcquireLicenseResponse><q:AcquireLicenseResponse/>"
          "</q:AcquireLicenseResult></q:AcquireLicenseResponse>" CLOSE,
          LICENCE, 2, 0, NULL },
        { LICENSES("<Certificate><XrML/></Certificate><Certificate/>"
                   "<Certificate xsi:nil=\"true\"/>"), PRE, 3, 0, NULL },
        { LICENSES("<Certificate>" FAILED("AcquirePreLicenseException")
                   "</Certificate>" FAILED("p:AcquirePreLicenseException")
                   "<c:Certificate>u</c:Certificate>"), PRE, 3, 2, NULL },
        { OPEN "<AcquirePreLicenseResponse><Licenses/><CertificateChain>"
          "<Certificate>a</Certificate></CertificateChain>"
          "</AcquirePreLicenseResponse>" CLOSE, PRE, 0, 0, NULL },
        { LICENSES("<Certificate>a</Certificate>"), LICENCE, 0, 0, NULL },
        { LICENSES("<Certificate>a</Certificate>"), RMS_OP_CERTIFY, 0, 0,
          NULL }
    };

    (void) state;

    assert_table(t);
}


static void
look_alikes_are_not_counted(void **state)
{
    static const want_t  t[] = {
        { RESULT(ITEM("<!-- " FAILED("AcquireLicenseException")
                      ITEM("") " -- > -->")), LICENCE, 1, 0, NULL },
        { RESULT(ITEM("<![CDATA[" FAILED("AcquireLicenseException")
                      " ]] > ]>]]>")), LICENCE, 1, 0, NULL },
        { RESULT(ITEM("<?pi <AcquireLicenseException> ? > ?>")), LICENCE, 1, 0,
          NULL },
        { RESULT(ITEM("&lt;AcquireLicenseException&gt;"
                      "<a b=\"AcquireLicenseException\">"
                      "AcquireLicenseException</a>")), LICENCE, 1, 0, NULL },
        { RESULT(ITEM("<AcquireLicenseExceptions/>"
                      "<XAcquireLicenseException/>"
                      "<acquirelicenseexception/><AcquireLicense/>"
                      "<AcquireLicenseException.AcquireLicenseException/>"
                      "<AcquireLicenseException:x/>")), LICENCE, 1, 0, NULL },
        { RESULT(ITEM("<XrML a='/'>" FAILED("AcquireLicenseException")
                      "<Xr></Xr></x:XrML>" FAILED("AcquireLicenseException")
                      "<XrML/></XrML>")
                 ITEM("<XrML><!--</XrML>--><![CDATA[</XrML>]]>"
                      FAILED("AcquireLicenseException") ITEM("") "</XrML>")
                 ITEM("<x:XrML></x:XrML>")), LICENCE, 3, 0, NULL },
        { OPEN "<r><s:Fault><faultstring>System.FormatException</faultstring>"
          "</s:Fault></r>" CLOSE, LICENCE, 0, 0, NULL },
        { OPEN "<r/><s:Fault/>" CLOSE, RMS_OP_CERTIFY, 0, 0, NULL },
        { "<s:Envelope><s:Fault/><s:Body/><s:Fault/></s:Envelope>", LICENCE,
          0, 0, NULL },
        { OPEN CLOSE "<s:Fault/>", LICENCE, 0, 0, NULL },
        { "<!DOCTYPE x>" RESULT(ITEM("")), LICENCE, 0, 0, NULL },
        { "<html><body>Service Unavailable</body></html>", LICENCE, 0, 0,
          NULL },
        { "<", LICENCE, 0, 0, NULL },
        { "<<<>>></</><!<!-<!><![CDATA", LICENCE, 0, 0, NULL }
    };

    (void) state;

    assert_table(t);
}


static void
a_fault_is_the_innermost_known_exception(void **state)
{
    static const want_t  t[] = {
        { FAULT("System.ArgumentException"), LICENCE, 0, 0, "Argument" },
        { FAULT("System.ArgumentNullException: x"), LICENCE, 0, 0,
          "ArgumentNull" },
        { FAULT("System.FormatException-x"), LICENCE, 0, 0, "Format" },
        { FAULT("System.FormatException x"), LICENCE, 0, 0, "Format" },
        { FAULT("A sentence ends in System.FormatException."), LICENCE, 0, 0,
          "Format" },
        { FAULT("Exception of type '" LIC "DrmacIsExcludedException' was "
                "thrown."), LICENCE, 0, 0, "DrmacIsExcluded" },
        { FAULT("AcquirePreLicenseInvalidLicenseeException"), PRE, 0, 0,
          "AcquirePreLicenseInvalidLicensee" },
        { FAULT("Microsoft.DigitalRightsManagement.OnlinePublishingDisabled"
                "Exception"), LICENCE, 0, 0, "OnlinePublishingDisabled" },
        { FAULT("System.FormatException: a ---&gt; System.ArgumentException: b"
                " ---> " LIC "DrmacIsExcludedException: c"), LICENCE, 0, 0,
          "DrmacIsExcluded" },
        { FAULT("System.FormatException: a ---> New.Exception: b"), LICENCE,
          0, 0, "Format" },
        { FAULT("a ---&#62; System.FormatException: not a System.Argument"
                "Exception\n --- End of inner exception stack trace ---\n"
                "  at System.InvalidOperationException..ctor()"), LICENCE, 0,
          0, "Format" },
        { FAULT("System.FormatException: a --> System.ArgumentException"),
          LICENCE, 0, 0, "Format" },
        { FAULT("System.FormatExceptional, XFormatException, Exception, "
                "formatexception, System.FormatException.More, "
                "UnsignedIssuanceLicenseNoMatchingIssuedPrincipalXException"),
          LICENCE, 0, 0, "other" },
        { FAULT("x<!-- System.FormatException -->y"), LICENCE, 0, 0, "other" },
        { FAULT("<![CDATA[System.FormatException]]>"), LICENCE, 0, 0,
          "Format" },
        { FAULT("a<![CDATA[ ---> <System.FormatException>"), LICENCE, 0, 0,
          "Format" },
        { FAULT("<b a='System.FormatException'/>"), LICENCE, 0, 0, "other" },
        { FAULT(""), LICENCE, 0, 0, "other" },
        { CODED("System.FormatException", "no name"), LICENCE, 0, 0,
          "Format" },
        { CODED("s:System.FormatException", "System.ArgumentException"),
          LICENCE, 0, 0, "Argument" },
        { OPEN "<Fault><faultstring>System.ArgumentException</faultstring>"
          "<faultcode>System.FormatException</faultcode></Fault>" CLOSE,
          LICENCE, 0, 0, "Argument" },
        { OPEN "<!-- x --><s:Fault/>" CLOSE, LICENCE, 0, 0, "other" },
        { OPEN "<s:Fault><detail><faultstring>System.FormatException"
          "</faultstring></detail><faultstring>System.ArgumentException: x"
          "</faultstring></s:Fault>" CLOSE, LICENCE, 0, 0, "Argument" },
        { OPEN "<s:Fault><faultstring>x</faultstring><detail><faultcode>"
          "System.FormatException</faultcode></detail></s:Fault>" CLOSE,
          LICENCE, 0, 0, "other" },
        { OPEN "<s:Fault><s:Code><s:Value>s:Receiver</s:Value><s:Subcode>"
          "<s:Value>System.FormatException</s:Value></s:Subcode></s:Code>"
          "<s:Reason><s:Text xml:lang='en'>x</s:Text></s:Reason></s:Fault>"
          CLOSE, LICENCE, 0, 0, "Format" },
        { OPEN "<s:Fault><faultstring>x</faultstring></s:Fault><faultstring>"
          "System.FormatException</faultstring>" CLOSE, LICENCE, 0, 0,
          "other" }
    };

    (void) state;

    assert_table(t);
}


static void
every_exception_of_the_specifications_is_known(void **state)
{
    size_t  i, len;
    char    text[512];
    want_t  want;

    static const char  *names[] = {
        "UnauthorizedAccess", "ArgumentNull", "Argument",
        "ArgumentOutOfRange", "Format", "DRMSArgument",
        "MalformedDataVersion", "UnsupportedDataVersion", "InvalidOperation",
        "UnspecifiedError", "VerifyEmailAddressFailed", "ADEntrySearchFailed",
        "VerifyMachineCertificateChainFailed", "BlackBoxIsInvalid",
        "UnsupportedCryptographicSet", "InvalidPersonaCertSignature",
        "InvalidPersonaCertTime", "UnexpectedPersonaCert",
        "UntrustedPersonaCert", "DrmacIsExcluded", "CredentialCreationTime",
        "InvalidRightsLabelSignature",
        "IssuanceLicenseIsNotWithinValidTimeRange",
        "RightsLabelNoMatchingIssuedPrincipal",
        "NoRightsForRequestedPrincipal", "OnlinePublishingDisabled",
        "UnsignedIssuanceLicenseNoMatchingIssuedPrincipal",
        "InvalidOfficialRightsTemplate", "CryptoUnsupportedSymKey",
        "EnablingBitsHashDoesNotMatch", "ServerRepublishIllegal",
        "InvalidSignedIssuanceLicense", "AcquirePreLicenseInvalidLicensee",
        "ClusterNotDecommissioned", "ClusterDecommissioned"
    };

    (void) state;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(text, sizeof(text), FAULT("A.b.%sException: x"), names[i]);
        len = strlen(text);

        want = (want_t) { text, LICENCE, 0, 0, names[i] };

        assert_pieces((unsigned char *) text, len, len, &want);
        assert_pieces((unsigned char *) text, len, 1, &want);
    }
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_are_counted_in_pieces_of_every_size),
        cmocka_unit_test(a_sample_is_counted_cut_in_two_anywhere),
        cmocka_unit_test(items_are_counted_whatever_their_form),
        cmocka_unit_test(look_alikes_are_not_counted),
        cmocka_unit_test(a_fault_is_the_innermost_known_exception),
        cmocka_unit_test(every_exception_of_the_specifications_is_known)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
