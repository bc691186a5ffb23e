/*
 * The HTTP headers that say what a SOAP request is: Content-Type,
 * Content-Encoding, SOAPAction.  Pure functions, any thread.
 */

#ifndef RMS_MEDIA_H
#define RMS_MEDIA_H


#include "rms_types.h"


typedef enum {
    RMS_SOAP_NONE = 0,
    RMS_SOAP_11,                /* text/xml + SOAPAction header          */
    RMS_SOAP_12                 /* application/soap+xml; action="..."    */
} rms_soap_version_e;


typedef struct {
    rms_soap_version_e  version;
    rms_str_t           action;     /* points into the headers; unquoted */
} rms_media_t;


/*
 * Reads the headers of a SOAP request ([protocol] 4.1, 9.39).
 *
 * content_type, soap_action: values of the headers, in order, n_* of each;
 * repeated headers are accepted only when byte-equal.  The action may be
 * quoted or not and surrounded by blanks.  A SOAPAction header beside the
 * SOAP 1.2 action parameter must agree with it.
 *
 * RMS_OK: out is filled (action.len > 0).
 * RMS_UNSUPPORTED (415): not a SOAP media type, or a charset other than UTF-8
 * (us-ascii is accepted as a subset).
 * RMS_INVALID (400): unparsable, repeated and different, action missing or
 * empty, header and parameter disagree.
 */
rms_rc_e rms_media_parse(const rms_str_t *content_type, size_t n_content_type,
    const rms_str_t *soap_action, size_t n_soap_action, rms_media_t *out);


/*
 * SOAP version by media type alone, without any other check: for the form of
 * a fault to a request that is refused before it is inspected.
 */
rms_soap_version_e rms_media_version(const rms_str_t *content_type);


/*
 * Non-zero when a Content-Encoding value means "not encoded": empty or
 * "identity" in any case ([protocol] 3.4: anything else is 415).
 */
int rms_media_identity(const rms_str_t *content_encoding);


/* Non-zero when a response Content-Type is XML the rewriter may read. */
int rms_media_is_xml(const rms_str_t *content_type);


#endif /* RMS_MEDIA_H */
