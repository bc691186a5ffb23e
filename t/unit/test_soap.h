/*
 * Messages for the tests of rms_soap: pieces to build them of, and those of
 * t/samples; the tests run from the root of the tree.
 */

#ifndef TEST_SOAP_H
#define TEST_SOAP_H


#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "rms_soap.h"
#include "rms_soap_scan.h"


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


typedef rms_soap_result_t (*reader_t)(const rms_body_t *body,
    rms_soap_version_e version, const rms_operation_t *op,
    rms_soap_depth_e depth);


static inline rms_soap_result_t
read_parts_by(reader_t reader, const char *text, size_t len, size_t step,
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

    result = reader(&body, version, rms_operation_get(op), depth);
    free(parts);

    return result;
}


/* With the short cut and without it, which may make no difference. */

static inline rms_soap_result_t
read_parts(const char *text, size_t len, size_t step,
    rms_soap_version_e version, rms_operation_e op, rms_soap_depth_e depth)
{
    rms_soap_result_t   result, parsed;

    result = read_parts_by(rms_soap_read, text, len, step, version, op,
                           depth);
    parsed = read_parts_by(rms_soap_parse, text, len, step, version, op,
                           depth);

    assert_int_equal(result.error, parsed.error);
    assert_int_equal(result.parsed_all, parsed.parsed_all);
    assert_int_equal(result.licensor.len, parsed.licensor.len);
    assert_memory_equal(result.licensor.guid, parsed.licensor.guid,
                        sizeof(parsed.licensor.guid));

    return result;
}


static inline void
assert_guid(const rms_licensor_t *licensor, const char *guid)
{
    assert_int_equal(licensor->len, strlen(guid));
    assert_memory_equal(licensor->guid, guid, strlen(guid));
}


static inline char *
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


#endif /* TEST_SOAP_H */
