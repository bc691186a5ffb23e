/*
 * Channel bindings of TLS: what ties a login to the connection it comes over.
 * Pure functions, any thread.  Who uses the result: rms_gss.h.
 */

#ifndef RMS_CBIND_H
#define RMS_CBIND_H


#include "rms_types.h"


/* "tls-server-end-point:" and the longest hash */
#define RMS_CBIND_MAX  (21 + 64)


struct x509_st;                 /* OpenSSL's X509                        */


typedef enum {
    RMS_CBIND_OFF = 0,          /* bindings of a client are not looked at */
    RMS_CBIND_ALLOW,            /* wrong ones are refused, none is fine  */
    RMS_CBIND_REQUIRE           /* none is refused as well               */
} rms_cbind_mode_e;


typedef struct {
    size_t         len;
    unsigned char  data[RMS_CBIND_MAX];
} rms_cbind_t;


/*
 * The application data of the server's bindings, RFC 5929 4.1: the prefix and
 * the hash of the certificate, by the hash of its signature; SHA-256 instead
 * of MD5 and SHA-1.  cert: ours, the one SNI selected; not kept.
 *
 * RMS_UNSUPPORTED: the signature has no hash of its own (Ed25519, Ed448), or
 * one without a fixed length.  RFC 5929 leaves these open and clients differ,
 * so with such a certificate nobody can be bound: the caller refuses it at
 * load.  RMS_NOMEM.  With any but RMS_OK out->len is 0.
 */
rms_rc_e rms_cbind_server(const struct x509_st *cert, rms_cbind_t *out);


/* The same of a certificate in DER; RMS_INVALID: it is none. */
rms_rc_e rms_cbind_server_der(const rms_str_t *der, rms_cbind_t *out);


#endif /* RMS_CBIND_H */
