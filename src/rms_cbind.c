/*
 * Channel bindings of TLS, tls-server-end-point (RFC 5929 4).  Any thread;
 * nothing is kept.  OpenSSL's queue of errors is left as it was: the host
 * would take what lies there for an error of its own.
 */

#include <limits.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "rms_cbind.h"


#define RMS_CBIND_PREFIX      "tls-server-end-point:"
#define RMS_CBIND_PREFIX_LEN  (sizeof(RMS_CBIND_PREFIX) - 1)


static rms_rc_e rms_cbind_hash(const X509 *cert, rms_cbind_t *out);
static const EVP_MD *rms_cbind_md(const X509 *cert);


rms_rc_e
rms_cbind_server(const X509 *cert, rms_cbind_t *out)
{
    rms_rc_e  rc;

    (void) ERR_set_mark();
    rc = rms_cbind_hash(cert, out);
    (void) ERR_pop_to_mark();

    if (rc != RMS_OK) {
        out->len = 0;
    }

    return rc;
}


rms_rc_e
rms_cbind_server_der(const rms_str_t *der, rms_cbind_t *out)
{
    X509                 *cert;
    rms_rc_e              rc;
    const unsigned char  *p;

    out->len = 0;

    if (der->len == 0 || der->len > LONG_MAX) {
        return RMS_INVALID;
    }

    p = der->data;

    (void) ERR_set_mark();
    cert = d2i_X509(NULL, &p, (long) der->len);
    (void) ERR_pop_to_mark();

    if (cert == NULL) {
        return RMS_INVALID;
    }

    rc = (p == der->data + der->len) ? rms_cbind_server(cert, out)
                                     : RMS_INVALID;
    X509_free(cert);

    return rc;
}


static rms_rc_e
rms_cbind_hash(const X509 *cert, rms_cbind_t *out)
{
    unsigned       len;
    const EVP_MD  *md;
    unsigned char  hash[EVP_MAX_MD_SIZE];

    md = rms_cbind_md(cert);

    if (md == NULL) {
        return RMS_UNSUPPORTED;
    }

    if (X509_digest(cert, md, hash, &len) != 1
        || len > RMS_CBIND_MAX - RMS_CBIND_PREFIX_LEN)
    {
        return RMS_NOMEM;
    }

    memcpy(out->data, RMS_CBIND_PREFIX, RMS_CBIND_PREFIX_LEN);
    memcpy(out->data + RMS_CBIND_PREFIX_LEN, hash, len);

    out->len = RMS_CBIND_PREFIX_LEN + len;

    return RMS_OK;
}


/*
 * The hash of the signature, for RSASSA-PSS from its parameters; that of an
 * EdDSA signature is not one of the certificate (RFC 8032 5.1).
 */

static const EVP_MD *
rms_cbind_md(const X509 *cert)
{
    int            nid;
    const EVP_MD  *md;

    if (X509_get_signature_info((X509 *) (uintptr_t) cert, &nid, NULL, NULL,
                                NULL)
        != 1)
    {
        return NULL;
    }

    if (nid == NID_md5 || nid == NID_sha1) {
        nid = NID_sha256;
    }

    md = (nid == NID_undef) ? NULL : EVP_get_digestbynid(nid);

    if (md == NULL || (EVP_MD_get_flags(md) & EVP_MD_FLAG_XOF)) {
        return NULL;
    }

    return md;
}
