/*
 * The names of a client certificate, as the access list compares them: plain
 * data.  Whoever fills it owns the memory behind it, which must live as long
 * as the caller it describes.
 */

#ifndef RMS_CERT_NAMES_H
#define RMS_CERT_NAMES_H


#include "rms_types.h"


#define RMS_CERT_THUMBPRINT_LEN  64     /* SHA-256 in hex                */
#define RMS_CERT_NAMES_MAX       64     /* names of one kind             */


/*
 * Names are kept as the certificate spells them: not empty, without zero
 * bytes (one that holds such is left out), not folded; the list compares
 * without regard to ASCII case.  dns: SAN dNSName (RFC 5280 4.2.1.6).  upns:
 * the UTF8String of SAN otherName 1.3.6.1.4.1.311.20.2.3, user@suffix.
 */

typedef struct {
    unsigned char     thumbprint[RMS_CERT_THUMBPRINT_LEN];
                                        /* of the DER, lower-case hex    */
    const rms_str_t  *dns;
    size_t            n_dns;
    const rms_str_t  *upns;
    size_t            n_upns;
} rms_cert_names_t;


#endif /* RMS_CERT_NAMES_H */
