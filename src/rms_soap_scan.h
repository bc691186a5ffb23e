/*
 * The two ways to read a request: the scanner of the plain form, and the
 * parser for all else.  rms_soap_read() takes the first where it can; the
 * tests compare them.  Private to the SOAP reader.  No state.
 */

#ifndef RMS_SOAP_SCAN_H
#define RMS_SOAP_SCAN_H


#include "rms_soap.h"


/*
 * Non-zero: the parser would find nothing wrong, at RMS_SOAP_FIRST or, with
 * strict set, at RMS_SOAP_STRICT.  0 says nothing.
 */
int rms_soap_scan(const rms_body_t *body, rms_soap_version_e version,
    const rms_operation_t *op, int strict);


/* rms_soap_read() by the parser alone. */
rms_soap_result_t rms_soap_parse(const rms_body_t *body,
    rms_soap_version_e version, const rms_operation_t *op,
    rms_soap_depth_e depth);


/* The namespace of an Envelope. */

#define RMS_SOAP_ENV_11  "http://schemas.xmlsoap.org/soap/envelope/"
#define RMS_SOAP_ENV_12  "http://www.w3.org/2003/05/soap-envelope"


#endif /* RMS_SOAP_SCAN_H */
