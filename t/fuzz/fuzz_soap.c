/*
 * SOAP bodies.  The first byte picks the operation and the SOAP version; with
 * its highest bit set the rest are numbers of fragments, which reach odd
 * nestings sooner than bytes do.
 *
 * Each input: the byte search never says another licensor than the parser,
 * and the scanner finds nothing fine that the parser refuses.
 * The result may not depend on how the body is cut, and the depths agree with
 * each other: each of these is another parse of the same bytes, so libFuzzer
 * gets one of them for an input (a sum of its bytes says which), a replay all.
 */

#include <stdlib.h>

#include "rms_soap.h"
#include "rms_soap_scan.h"


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


/* What the body in one piece says. */

typedef struct {
    rms_body_t              body;
    rms_soap_version_e      version;
    const rms_operation_t  *op;
    rms_rc_e                rc;
    rms_licensor_t          found;
    rms_soap_result_t       read;
} answers_t;


static const size_t  steps[] = { 1, 3, 64 };
static int           every = 1;     /* all checks for each input */


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


/* A body cut into pieces of so many bytes, or one if they were too many. */

static rms_body_t
cut(rms_str_t *parts, const unsigned char *data, size_t size, size_t step)
{
    size_t      i;
    rms_body_t  body;

    if (size / step >= PARTS_MAX) {
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


/* The licensor by search and by parser, from the body in one piece. */

static void
check_search(answers_t *a)
{
    a->read = rms_soap_read(&a->body, a->version, a->op, RMS_SOAP_LICENSOR);
    a->rc = rms_soap_search(&a->body, a->op, &a->found);

    expect(a->rc == RMS_OK ? a->found.len == 36
                           : a->rc == RMS_DECLINED && a->found.len == 0);
    expect(a->read.licensor.len == 0 || a->read.licensor.len == 36);
    expect(a->read.error == RMS_SOAP_FINE || a->read.licensor.len == 0);

    if (a->read.error == RMS_SOAP_FINE && a->rc == RMS_OK) {
        expect(same(&a->read.licensor, &a->found));
    }
}


/* What the scanner finds fine, the parser finds fine. */

static void
check_scan(const answers_t *a)
{
    rms_soap_result_t  r, s;

    if (rms_soap_scan(&a->body, a->version, a->op, 0)) {
        r = rms_soap_parse(&a->body, a->version, a->op, RMS_SOAP_FIRST);
        expect(r.error == RMS_SOAP_FINE && !r.parsed_all);
    }

    if (rms_soap_scan(&a->body, a->version, a->op, 1)) {
        r = rms_soap_parse(&a->body, a->version, a->op, RMS_SOAP_STRICT);
        s = rms_soap_read(&a->body, a->version, a->op, RMS_SOAP_STRICT);
        expect(r.error == RMS_SOAP_FINE && s.error == RMS_SOAP_FINE);
        expect(r.parsed_all && s.parsed_all);
        expect(same(&r.licensor, &s.licensor));
    }
}


static void
check_first(const answers_t *a)
{
    rms_soap_result_t  r;

    r = rms_soap_read(&a->body, a->version, a->op, RMS_SOAP_FIRST);

    expect(r.licensor.len == 0);
    expect(r.error == RMS_SOAP_FINE || a->read.error == r.error);
}


static void
check_strict(const answers_t *a)
{
    rms_soap_result_t  r;

    r = rms_soap_read(&a->body, a->version, a->op, RMS_SOAP_STRICT);

    expect(a->read.error == RMS_SOAP_FINE || r.error == a->read.error);

    if (r.error == RMS_SOAP_FINE) {
        expect(a->read.error == RMS_SOAP_FINE && r.parsed_all);
        expect(same(&a->read.licensor, &r.licensor));
    }
}


static void
check_cut(const answers_t *a, size_t step)
{
    static rms_str_t   pieces[PARTS_MAX];

    rms_rc_e           rc;
    rms_body_t         cuts;
    rms_licensor_t     licensor;
    rms_soap_result_t  r;

    cuts = cut(pieces, a->body.parts[0].data, a->body.parts[0].len, step);

    rc = rms_soap_search(&cuts, a->op, &licensor);
    expect(rc == a->rc && same(&licensor, &a->found));

    r = rms_soap_read(&cuts, a->version, a->op, RMS_SOAP_LICENSOR);
    expect((r.error == RMS_SOAP_FINE) == (a->read.error == RMS_SOAP_FINE));
    expect(same(&r.licensor, &a->read.licensor));
}


static void
check(const unsigned char *data, size_t size, const rms_operation_t *op,
    rms_soap_version_e version)
{
    size_t     i;
    unsigned   sum;
    rms_str_t  part;
    answers_t  a;

    part.data = (unsigned char *) data;
    part.len = size;
    a.body.parts = &part;
    a.body.n = size != 0;
    a.op = op;
    a.version = version;

    check_search(&a);
    check_scan(&a);

    if (size == 0) {
        return;
    }

    for (sum = 0, i = 0; i < size; i++) {
        sum = sum * 31 + data[i];
    }

    sum ^= sum >> 16;

    if (every || sum % 8 == 0) {
        check_first(&a);
    }

    if (every || sum % 8 == 1) {
        check_strict(&a);
    }

    for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        if (every || sum % 64 == i * 8 + 2) {
            check_cut(&a, steps[i]);
        }
    }
}


int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void) argc;
    (void) argv;

    rms_xml_init();
    every = 0;

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
