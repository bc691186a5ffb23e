/*
 * SOAP bodies.  The first byte picks the operation and the SOAP version; with
 * its highest bit set the rest are numbers of fragments, which reach odd
 * nestings sooner than bytes do.
 *
 * The result may not depend on how the body is cut; the depths agree with
 * each other; and the byte search never says another licensor than the
 * parser.
 */

#include <stdlib.h>

#include "rms_soap.h"


#define PARTS_MAX  8192
#define BODY_MAX   16384    /* where a long tag is refused depends on cuts */

#define ENV11  "http://schemas.xmlsoap.org/soap/envelope/"
#define ENV12  "http://www.w3.org/2003/05/soap-envelope"
#define LIC    "http://microsoft.com/DRM/LicensingService"
#define EDIT   "http://microsoft.com/DRM/EditIssuanceLicenseService"
#define A      "{aaaaaaaa-0000-4000-8000-00000000000a}"
#define B      "{bbbbbbbb-0000-4000-8000-00000000000b}"

#define TO_ITEM                                                               \
    "<s:Envelope xmlns:s=\"" ENV11 "\" xmlns:l=\"" LIC "\"><s:Body>"          \
    "<AcquireLicense xmlns=\"" LIC "\"><RequestParams><AcquireLicenseParams>"
#define TO_ID                                                                 \
    "<ISSUEDPRINCIPALS><PRINCIPAL><OBJECT type=\"MS-DRM-Server\">"            \
    "<ID type=\"MS-GUID\">"
#define FROM_ID  "</ID></OBJECT></PRINCIPAL></ISSUEDPRINCIPALS>"
#define XRML(g)  "<XrML xmlns=\"\"><BODY>" TO_ID g FROM_ID "</BODY></XrML>"
#define LICENCE(g)                                                            \
    "<IssuanceLicense><Certificate>" XRML(g)                                  \
    "</Certificate></IssuanceLicense>"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);


static const char  *fragments[] = {
    TO_ITEM, LICENCE(A), LICENCE(B), XRML(A), XRML(B), TO_ID, FROM_ID, A, B,
    "<s:Envelope xmlns:s=\"" ENV11 "\">", "<s:Header>", "</s:Header>",
    "<s:Header/>", "<s:Body>", "</s:Body>", "</s:Envelope>",
    "<AcquireLicense xmlns=\"" LIC "\">", "<AcquireLicense>",
    "</AcquireLicense>", "<RequestParams>", "<RequestParams/>",
    "</RequestParams>", "</RequestParams >", "<AcquireLicenseParams>",
    "</AcquireLicenseParams>", "</AcquireLicenseParams\n>",
    "<IssuanceLicense>", "<IssuanceLicense/>",
    "<IssuanceLicense xmlns=\"\">", "<IssuanceLicense xmlns='" LIC "'>",
    "<IssuanceLicense xmlns=\"" LIC "\">", "</IssuanceLicense>",
    "</IssuanceLicense >", "<l:IssuanceLicense>", "</l:IssuanceLicense>",
    "<Certificate>", "</Certificate>", "<Certificate/>", "<LicenseeCerts>",
    "</LicenseeCerts>", "</LicenseeCerts >", "<LicenseeCerts/>",
    "<LicenseeCerts x=\">\">", "<LicenseeCerts x='>'>",
    "<LicenseeCertsX>", "</LicenseeCertsX>", "<ApplicationData>",
    "</ApplicationData>", "<ApplicationData a=\"/\">",
    "<ApplicationData a=\" xmlns=\" />", "<XrML xmlns=\"\">", "<XrML>",
    "<XrML xmlns:l=\"\">", "<XrML a=\" xmlns:\" xmlns=\"\">", "</XrML>",
    "<BODY>", "<BODY xmlns=\"u\">", "<BODY/>", "</BODY>",
    "<ISSUEDPRINCIPALS>", "</ISSUEDPRINCIPALS>", "<PRINCIPAL>",
    "</PRINCIPAL>", "<OBJECT type=\"MS-DRM-Server\">", "<OBJECT>",
    "</OBJECT>", "<ID type=\"MS-GUID\">", "<ID>", "</ID>", "</ID >",
    "<!--", "-->", "<![CDATA[", "]]>", "<?x ?>", " ", "\r\n", "x", "&lt;",
    "&#97;", "&", "<x>", "</x>", "<x/>", "'", "\"", "<", ">", "/>",
    "<xmlns>", "</xmlns>", "<nil/>", "<ISSUER>", "</ISSUER>",
    "<IssuanceLicense nil=\"true\">",
    "<IssuanceLicense xmlns:i=\"http://www.w3.org/2001/XMLSchema-instance\""
    " i:nil=\"true\">",
    "<SignedIssuanceLicense>", "</SignedIssuanceLicense>",
    "<EditIssuanceLicense xmlns=\"" EDIT "\"><RequestParams>"
    "<EditIssuanceLicenseParams>",
};

#define N_FRAGMENTS  (sizeof(fragments) / sizeof(fragments[0]))


static const rms_operation_e  operations[] = {
    RMS_OP_ACQUIRE_LICENSE, RMS_OP_ACQUIRE_PRE_LICENSE,
    RMS_OP_ACQUIRE_ISSUANCE_LICENSE, RMS_OP_EDIT_ISSUANCE_LICENSE,
    RMS_OP_GET_SERVER_INFO, RMS_OP_CERTIFY, RMS_OP_ACQUIRE_LICENSE,
    RMS_OP_ACQUIRE_LICENSE,
};


static void
expect(int truth)
{
    if (!truth) {
        abort();
    }
}


static int
same(const rms_licensor_t *a, const rms_licensor_t *b)
{
    return a->len == b->len && memcmp(a->guid, b->guid, a->len) == 0;
}


/* Bodies cut into pieces of so many bytes; 0: one piece. */

static rms_body_t
cut(rms_str_t *parts, const unsigned char *data, size_t size, size_t step)
{
    size_t      i;
    rms_body_t  body;

    if (step == 0 || size / step >= PARTS_MAX) {
        step = size;
    }

    for (i = 0; size; i++) {
        parts[i].data = (unsigned char *) data;
        parts[i].len = step < size ? step : size;
        data += parts[i].len;
        size -= parts[i].len;
    }

    body.parts = parts;
    body.n = i;

    return body;
}


static size_t
assemble(unsigned char *text, const uint8_t *data, size_t size)
{
    size_t  i, n, len;

    for (len = 0, i = 0; i < size; i++) {
        n = strlen(fragments[data[i] % N_FRAGMENTS]);

        if (len + n > BODY_MAX) {
            break;
        }

        memcpy(text + len, fragments[data[i] % N_FRAGMENTS], n);
        len += n;
    }

    return len;
}


static void
check(const unsigned char *data, size_t size, const rms_operation_t *op,
    rms_soap_version_e version)
{
    static rms_str_t      parts[PARTS_MAX], pieces[PARTS_MAX];
    static const size_t   steps[] = { 1, 3, 64 };

    size_t                i;
    rms_rc_e              rc, again;
    rms_body_t            body, cuts;
    rms_licensor_t        found, licensor;
    rms_soap_result_t     first, read, strict, r;

    body = cut(parts, data, size, 0);

    first = rms_soap_read(&body, version, op, RMS_SOAP_FIRST);
    read = rms_soap_read(&body, version, op, RMS_SOAP_LICENSOR);
    strict = rms_soap_read(&body, version, op, RMS_SOAP_STRICT);

    expect(first.licensor.len == 0);
    expect(read.licensor.len == 0 || read.licensor.len == 36);
    expect(read.error == RMS_SOAP_FINE || read.licensor.len == 0);
    expect(first.error == RMS_SOAP_FINE || read.error == first.error);
    expect(read.error == RMS_SOAP_FINE || strict.error == read.error);

    if (strict.error == RMS_SOAP_FINE) {
        expect(read.error == RMS_SOAP_FINE && strict.parsed_all);
        expect(same(&read.licensor, &strict.licensor));
    }

    rc = rms_soap_search(&body, op, &found);
    expect(rc == RMS_OK ? found.len == 36
                        : rc == RMS_DECLINED && found.len == 0);

    if (read.error == RMS_SOAP_FINE && rc == RMS_OK) {
        expect(same(&read.licensor, &found));
    }

    for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        cuts = cut(pieces, data, size, steps[i]);

        again = rms_soap_search(&cuts, op, &licensor);
        expect(again == rc && same(&licensor, &found));

        r = rms_soap_read(&cuts, version, op, RMS_SOAP_LICENSOR);
        expect((r.error == RMS_SOAP_FINE) == (read.error == RMS_SOAP_FINE));
        expect(same(&r.licensor, &read.licensor));
    }
}


int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void) argc;
    (void) argv;

    rms_xml_init();

    return 0;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static unsigned char    text[BODY_MAX];

    rms_soap_version_e      version;
    const rms_operation_t  *op;

    if (size < 1 || size > BODY_MAX) {
        return 0;
    }

    op = rms_operation_get(operations[*data & 7]);
    version = *data & 8 ? RMS_SOAP_12 : RMS_SOAP_11;

    if (*data & 0x80) {
        size = assemble(text, data + 1, size - 1);
        check(text, size, op, version);

    } else {
        check(data + 1, size - 1, op, version);
    }

    return 0;
}
