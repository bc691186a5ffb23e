/*
 * A client certificate that TLS has verified, as the access list sees it.
 * Whether it is verified is the business of the server in front.  Pure
 * functions, any thread.
 */

#ifndef RMS_CERT_H
#define RMS_CERT_H


#include <openssl/x509.h>

#include "rms_cert_names.h"
#include "rms_types.h"


/* bytes of one name: RFC 1035 2.3.4, and as an account */
#define RMS_CERT_DNS_MAX  253
#define RMS_CERT_UPN_MAX  512


/*
 * Thumbprint and names of cert, which is not kept; arrays and names are in
 * memory of mem, and nothing of it when there are none.
 *
 * A name that cannot be one is left out, never cut or mended: empty, too
 * long, with a zero or another control, a dNSName not of printable ASCII, a
 * UPN that is no UTF8String, not UTF-8, or not user@suffix.  After
 * RMS_CERT_NAMES_MAX of a kind the rest is left out.  Where the extension is
 * malformed, or is there twice, the certificate has no names.
 *
 * RMS_OK, RMS_NOMEM (out is zeroed).
 */
rms_rc_e rms_cert_names(const X509 *cert, const rms_mem_t *mem,
    rms_cert_names_t *out);


/* The same of a certificate in DER; RMS_INVALID: it is none. */
rms_rc_e rms_cert_names_der(const rms_str_t *der, const rms_mem_t *mem,
    rms_cert_names_t *out);


#endif /* RMS_CERT_H */
