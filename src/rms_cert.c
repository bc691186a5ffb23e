/*
 * The names of a client certificate.  OpenSSL reads the certificate; what it
 * gives is copied into memory of the caller.  OpenSSL's queue of errors is
 * left as it was.
 */

#include <limits.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "rms_cert.h"


typedef struct {
    rms_str_t  dns[RMS_CERT_NAMES_MAX];
    rms_str_t  upns[RMS_CERT_NAMES_MAX];
    size_t     n_dns;
    size_t     n_upns;
} rms_cert_found_t;


static rms_rc_e rms_cert_thumbprint(const X509 *cert, rms_cert_names_t *out);
static rms_rc_e rms_cert_san(const X509 *cert, const rms_mem_t *mem,
    rms_cert_names_t *out);
static void rms_cert_find(GENERAL_NAMES *san, rms_cert_found_t *found);
static rms_rc_e rms_cert_copy(const rms_cert_found_t *found,
    const rms_mem_t *mem, rms_cert_names_t *out);
static unsigned char *rms_cert_move(rms_str_t *to, const rms_str_t *from,
    size_t n, unsigned char *p);
static int rms_cert_dns(const ASN1_IA5STRING *s, rms_str_t *name);
static int rms_cert_upn(const OTHERNAME *other, rms_str_t *name);
static int rms_cert_upn_valid(const rms_str_t *name);


rms_rc_e
rms_cert_names(const X509 *cert, const rms_mem_t *mem, rms_cert_names_t *out)
{
    rms_rc_e  rc;

    memset(out, 0, sizeof(rms_cert_names_t));

    (void) ERR_set_mark();

    rc = rms_cert_thumbprint(cert, out);

    if (rc == RMS_OK) {
        rc = rms_cert_san(cert, mem, out);
    }

    (void) ERR_pop_to_mark();

    if (rc != RMS_OK) {
        memset(out, 0, sizeof(rms_cert_names_t));
    }

    return rc;
}


rms_rc_e
rms_cert_names_der(const rms_str_t *der, const rms_mem_t *mem,
    rms_cert_names_t *out)
{
    X509                 *cert;
    rms_rc_e              rc;
    const unsigned char  *p;

    memset(out, 0, sizeof(rms_cert_names_t));

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

    rc = (p == der->data + der->len) ? rms_cert_names(cert, mem, out)
                                     : RMS_INVALID;
    X509_free(cert);

    return rc;
}


static rms_rc_e
rms_cert_thumbprint(const X509 *cert, rms_cert_names_t *out)
{
    size_t             i;
    unsigned           len;
    unsigned char      hash[EVP_MAX_MD_SIZE];
    static const char  hex[] = "0123456789abcdef";

    if (X509_digest(cert, EVP_sha256(), hash, &len) != 1
        || len * 2 != RMS_CERT_THUMBPRINT_LEN)
    {
        return RMS_NOMEM;
    }

    for (i = 0; i < len; i++) {
        out->thumbprint[2 * i] = (unsigned char) hex[hash[i] >> 4];
        out->thumbprint[2 * i + 1] = (unsigned char) hex[hash[i] & 15];
    }

    return RMS_OK;
}


static rms_rc_e
rms_cert_san(const X509 *cert, const rms_mem_t *mem, rms_cert_names_t *out)
{
    rms_rc_e          rc;
    GENERAL_NAMES    *san;
    rms_cert_found_t  found;

    found.n_dns = 0;
    found.n_upns = 0;

    /* NULL: none, malformed, or more than one (RFC 5280 4.2) */

    san = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);

    if (san == NULL) {
        return RMS_OK;
    }

    rms_cert_find(san, &found);
    rc = rms_cert_copy(&found, mem, out);
    GENERAL_NAMES_free(san);

    return rc;
}


static void
rms_cert_find(GENERAL_NAMES *san, rms_cert_found_t *found)
{
    int            i;
    rms_str_t      name;
    GENERAL_NAME  *general;

    for (i = 0; i < sk_GENERAL_NAME_num(san); i++) {
        general = sk_GENERAL_NAME_value(san, i);

        if (general->type == GEN_DNS) {
            if (found->n_dns < RMS_CERT_NAMES_MAX
                && rms_cert_dns(general->d.dNSName, &name))
            {
                found->dns[found->n_dns++] = name;
            }

        } else if (general->type == GEN_OTHERNAME) {
            if (found->n_upns < RMS_CERT_NAMES_MAX
                && rms_cert_upn(general->d.otherName, &name))
            {
                found->upns[found->n_upns++] = name;
            }
        }
    }
}


/* One allocation: both arrays, then the names. */

static rms_rc_e
rms_cert_copy(const rms_cert_found_t *found, const rms_mem_t *mem,
    rms_cert_names_t *out)
{
    size_t          i, n, size;
    rms_str_t      *names;
    unsigned char  *p;

    n = found->n_dns + found->n_upns;

    if (n == 0) {
        return RMS_OK;
    }

    size = n * sizeof(rms_str_t);

    for (i = 0; i < found->n_dns; i++) {
        size += found->dns[i].len;
    }

    for (i = 0; i < found->n_upns; i++) {
        size += found->upns[i].len;
    }

    names = rms_alloc(mem, size);
    if (names == NULL) {
        return RMS_NOMEM;
    }

    p = (unsigned char *) (names + n);
    p = rms_cert_move(names, found->dns, found->n_dns, p);
    (void) rms_cert_move(names + found->n_dns, found->upns, found->n_upns, p);

    out->dns = names;
    out->n_dns = found->n_dns;
    out->upns = names + found->n_dns;
    out->n_upns = found->n_upns;

    return RMS_OK;
}


static unsigned char *
rms_cert_move(rms_str_t *to, const rms_str_t *from, size_t n,
    unsigned char *p)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        to[i].len = from[i].len;
        to[i].data = memcpy(p, from[i].data, from[i].len);
        p += from[i].len;
    }

    return p;
}


static int
rms_cert_dns(const ASN1_IA5STRING *s, rms_str_t *name)
{
    int                   i, len;
    const unsigned char  *data;

    len = ASN1_STRING_length(s);
    data = ASN1_STRING_get0_data(s);

    if (len <= 0 || len > RMS_CERT_DNS_MAX) {
        return 0;
    }

    for (i = 0; i < len; i++) {
        if (data[i] <= 0x20 || data[i] >= 0x7f) {
            return 0;
        }
    }

    name->len = (size_t) len;
    name->data = (unsigned char *) (uintptr_t) data;

    return 1;
}


/* 1.3.6.1.4.1.311.20.2.3, a UTF8String ([MS-PKCA] 3.1.5.2.1) */

static int
rms_cert_upn(const OTHERNAME *other, rms_str_t *name)
{
    int                  len;
    const ASN1_STRING   *s;

    if (OBJ_obj2nid(other->type_id) != NID_ms_upn
        || other->value->type != V_ASN1_UTF8STRING)
    {
        return 0;
    }

    s = other->value->value.utf8string;
    len = ASN1_STRING_length(s);

    if (len <= 0 || len > RMS_CERT_UPN_MAX) {
        return 0;
    }

    name->len = (size_t) len;
    name->data = (unsigned char *) (uintptr_t) ASN1_STRING_get0_data(s);

    return rms_cert_upn_valid(name);
}


/* user@suffix, one '@'; C1 controls are refused like those of ASCII. */

static int
rms_cert_upn_valid(const rms_str_t *name)
{
    int            n, left;
    size_t         at;
    unsigned long  c;
    unsigned char *p;

    p = name->data;
    left = (int) name->len;
    at = 0;

    while (left > 0) {
        n = UTF8_getc(p, left, &c);

        if (n <= 0 || c < 0x20 || (c >= 0x7f && c < 0xa0)) {
            return 0;
        }

        if (c == '@') {
            if (at != 0 || p == name->data || left == 1) {
                return 0;
            }

            at = 1;
        }

        p += n;
        left -= n;
    }

    return at != 0;
}
