/*
 * Where the publishing licence stands in the requests that carry one; shared
 * by the SOAP reader and the byte search.  Private to the two.
 */

#ifndef RMS_SOAP_LICENCE_H
#define RMS_SOAP_LICENCE_H


#include "rms_soap.h"


/*
 * Longest text taken for a GUID: 38 characters and some indentation.  A text
 * that fills it was cut and is none.
 */
#define RMS_LICENSOR_TEXT_MAX  128


typedef struct {
    const char  *params;        /* "AcquireLicenseParams"                */
    const char  *element;       /* "IssuanceLicense"                     */
    unsigned     chain:1;       /* XrML stands in Certificate elements   */
} rms_licence_t;


/* NULL for an operation without a publishing licence. */
const rms_licence_t *rms_licence_get(rms_operation_e op);


/* XML's white space. */

static inline int
rms_licence_is_blank(unsigned char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}


#endif /* RMS_SOAP_LICENCE_H */
