/*
 * Publishing licences in requests, and the licensor's GUID.  Constant data
 * and pure functions: any thread, nothing to free.
 */

#include "rms_soap_licence.h"


#define RMS_GUID_LEN  36


static int rms_licensor_guid(const unsigned char *p, unsigned char *guid);


/* [protocol] 2.2 and 2.3; the element around the licence differs. */

static const rms_licence_t  rms_licences[RMS_OP_MAX] = {
    [RMS_OP_ACQUIRE_LICENSE] =
        { "AcquireLicenseParams", "IssuanceLicense", 1 },
    [RMS_OP_ACQUIRE_PRE_LICENSE] =
        { "AcquirePreLicenseParams", "IssuanceLicense", 1 },
    [RMS_OP_ACQUIRE_ISSUANCE_LICENSE] =
        { "AcquireIssuanceLicenseParams", "UnsignedIssuanceLicense", 0 },
    [RMS_OP_EDIT_ISSUANCE_LICENSE] =
        { "EditIssuanceLicenseParams", "SignedIssuanceLicense", 0 },
};


const rms_licence_t *
rms_licence_get(rms_operation_e op)
{
    if ((unsigned) op >= RMS_OP_MAX || rms_licences[op].element == NULL) {
        return NULL;
    }

    return &rms_licences[op];
}


rms_rc_e
rms_licensor_parse(const rms_str_t *text, rms_licensor_t *out)
{
    size_t                len;
    const unsigned char  *p;

    out->len = 0;

    p = text->data;
    len = text->len;

    while (len && rms_licence_is_blank(*p)) {
        p++;
        len--;
    }

    while (len && rms_licence_is_blank(p[len - 1])) {
        len--;
    }

    if (len == RMS_GUID_LEN + 2 && p[0] == '{' && p[len - 1] == '}') {
        p++;
        len -= 2;
    }

    if (len != RMS_GUID_LEN || !rms_licensor_guid(p, out->guid)) {
        return RMS_INVALID;
    }

    out->len = RMS_GUID_LEN;

    return RMS_OK;
}


static int
rms_licensor_guid(const unsigned char *p, unsigned char *guid)
{
    size_t         i;
    unsigned char  c;

    for (i = 0; i < RMS_GUID_LEN; i++) {
        c = rms_lower(p[i]);

        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (c != '-') {
                return 0;
            }

        } else if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
            return 0;
        }

        guid[i] = c;
    }

    return 1;
}
