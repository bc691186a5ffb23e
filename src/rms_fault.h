/*
 * The answers we make ourselves: SOAP faults and the service page.
 * Pure functions, any thread.
 */

#ifndef RMS_FAULT_H
#define RMS_FAULT_H


#include "rms_types.h"
#include "rms_media.h"
#include "rms_endpoint.h"


typedef enum {
    RMS_FAULT_UNAUTHORIZED = 0, /* System.UnauthorizedAccessException    */
    RMS_FAULT_PUBLISHING        /* ...OnlinePublishingDisabledException  */
} rms_fault_e;


/*
 * The fault as [protocol] 3.2 and 3.4 want it, in the SOAP version of the
 * request (RMS_SOAP_NONE: 1.1), no VersionData.  Constant bytes, equal to
 * the samples fault-unauthorized.xml, fault-onlinepublishingdisabled.xml
 * and their SOAP 1.2 forms.
 */
const rms_str_t *rms_fault_body(rms_fault_e fault, rms_soap_version_e version);


/* "text/xml; charset=utf-8" or "application/soap+xml; charset=utf-8". */
const rms_str_t *rms_fault_type(rms_soap_version_e version);


/*
 * The service page a GET of a known .asmx shows ([protocol] 9.26): small,
 * holds the service's name and no host.  RMS_OK or RMS_NOMEM.
 */
rms_rc_e rms_fault_page(const rms_endpoint_t *ep, const rms_mem_t *mem,
    rms_str_t *out);


#endif /* RMS_FAULT_H */
