/*
 * Any bytes as a certificate: what is said of it keeps its promises, and the
 * binding of a server is made of the same bytes.  Bytes that do not begin as
 * one are the names of a subjectAltName, in a certificate of ours: that is a
 * hundred times faster than to have OpenSSL read a new one.
 */

#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "rms_cbind.h"
#include "rms_cert.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
check(int good)
{
    if (!good) {
        abort();
    }
}


static void *
alloc(void *memory, size_t size)
{
    *(void **) memory = malloc(size);

    return *(void **) memory;
}


static void
name(const rms_str_t *s, int upn)
{
    size_t  i, ats;

    check(s->len > 0
          && s->len <= (upn ? RMS_CERT_UPN_MAX : RMS_CERT_DNS_MAX));

    for (ats = 0, i = 0; i < s->len; i++) {
        check(s->data[i] >= 0x20 && s->data[i] != 0x7f);
        check(upn || (s->data[i] > 0x20 && s->data[i] < 0x7f));
        ats += (s->data[i] == '@');
    }

    check(!upn || ats == 1);
}


static void
names_check(rms_rc_e rc, const rms_cert_names_t *names)
{
    int     i;
    size_t  n;

    check(names->n_dns <= RMS_CERT_NAMES_MAX
          && names->n_upns <= RMS_CERT_NAMES_MAX);

    for (n = 0; n < names->n_dns; n++) {
        name(&names->dns[n], 0);
    }

    for (n = 0; n < names->n_upns; n++) {
        name(&names->upns[n], 1);
    }

    for (i = 0; rc == RMS_OK && i < RMS_CERT_THUMBPRINT_LEN; i++) {
        check(memchr("0123456789abcdef", names->thumbprint[i], 16) != NULL);
    }

    /* nothing is left for the host to stumble over */

    check(ERR_peek_error() == 0);
}


static X509 *
ours(void)
{
    X509         *cert;
    EVP_PKEY     *key;
    static X509  *made;

    if (made != NULL) {
        return made;
    }

    cert = X509_new();
    key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL,
              (const unsigned char *) "0123456789abcdef0123456789abcdef", 32);

    check(cert && key && X509_set_version(cert, X509_VERSION_3)
          && X509_gmtime_adj(X509_getm_notBefore(cert), 0)
          && X509_gmtime_adj(X509_getm_notAfter(cert), 3600)
          && X509_set_pubkey(cert, key) && X509_sign(cert, key, NULL));

    EVP_PKEY_free(key);
    made = cert;

    return made;
}


/* The bytes as GeneralNames, with the tag and length they need. */

static void
san(const uint8_t *data, size_t size, const rms_mem_t *mem)
{
    rms_rc_e            rc;
    unsigned char      *der;
    X509_EXTENSION     *ext;
    rms_cert_names_t    names;
    ASN1_OCTET_STRING  *value;

    der = malloc(size + 4);
    check(der != NULL && size <= 0xffff);

    der[0] = 0x30;
    der[1] = 0x82;
    der[2] = (unsigned char) (size >> 8);
    der[3] = (unsigned char) size;

    if (size > 0) {
        memcpy(der + 4, data, size);
    }

    value = ASN1_OCTET_STRING_new();
    check(value && ASN1_OCTET_STRING_set(value, der, (int) size + 4));
    ext = X509_EXTENSION_create_by_NID(NULL, NID_subject_alt_name, 0, value);
    check(ext && X509_add_ext(ours(), ext, -1));
    X509_EXTENSION_free(ext);

    rc = rms_cert_names(ours(), mem, &names);
    check(rc == RMS_OK);
    names_check(rc, &names);

    X509_EXTENSION_free(X509_delete_ext(ours(), 0));
    ASN1_OCTET_STRING_free(value);
    free(der);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    void              *memory = NULL;
    rms_rc_e           rc;
    rms_mem_t          mem;
    rms_str_t          der;
    rms_cbind_t        cbind;
    rms_cert_names_t   names;

    mem.alloc = alloc;
    mem.data = &memory;

    if (size > 0xffff) {
        return 0;
    }

    if (size == 0 || data[0] != 0x30) {
        san(data, size, &mem);
        free(memory);

        return 0;
    }

    der.data = (unsigned char *) data;
    der.len = size;

    rc = rms_cert_names_der(&der, &mem, &names);
    names_check(rc, &names);

    free(memory);

    check((rms_cbind_server_der(&der, &cbind) == RMS_INVALID)
          == (rc == RMS_INVALID));
    check(cbind.len == 0
          || (cbind.len > 21
              && memcmp(cbind.data, "tls-server-end-point:", 21) == 0));
    check(ERR_peek_error() == 0);

    return 0;
}
