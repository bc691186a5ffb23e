/*
 * Certificates for tests, made on the spot: signed by themselves, with a
 * subjectAltName of any bytes.  Everything stops the test when it fails.
 */

#ifndef TEST_X509_H
#define TEST_X509_H


#include <stdlib.h>

#include <openssl/asn1.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "rms_types.h"


typedef enum {
    TEST_KEY_EC = 0,
    TEST_KEY_RSA,
    TEST_KEY_RSA_PSS,           /* the signature alone                   */
    TEST_KEY_ED25519
} test_key_e;


static inline EVP_PKEY *
test_x509_key(test_key_e kind)
{
    EVP_PKEY         *key;
    static EVP_PKEY  *keys[4];

    if (kind == TEST_KEY_RSA_PSS) {
        kind = TEST_KEY_RSA;
    }

    key = keys[kind];

    if (key == NULL) {
        key = (kind == TEST_KEY_RSA) ? EVP_RSA_gen(2048)
              : (kind == TEST_KEY_EC) ? EVP_EC_gen("P-256")
              : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
        assert_non_null(key);
        keys[kind] = key;
    }

    return key;
}


/* n extensions with the same bytes; md NULL with a key that has no choice. */

static inline X509 *
test_x509(test_key_e kind, const char *md, const rms_str_t *san, size_t n)
{
    X509               *cert;
    EVP_PKEY           *key;
    EVP_MD_CTX         *ctx;
    EVP_PKEY_CTX       *pctx;
    X509_EXTENSION     *ext;
    ASN1_OCTET_STRING  *data;

    key = test_x509_key(kind);
    cert = X509_new();
    assert_non_null(cert);

    assert_int_equal(X509_set_version(cert, X509_VERSION_3), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(cert), 1), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(cert), 0));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(cert), 3600));
    assert_int_equal(X509_set_pubkey(cert, key), 1);
    assert_int_equal(X509_NAME_add_entry_by_txt(X509_get_subject_name(cert),
                         "CN", MBSTRING_ASC,
                         (const unsigned char *) "test", -1, -1, 0), 1);

    for ( ; n > 0; n--) {
        data = ASN1_OCTET_STRING_new();
        assert_int_equal(ASN1_OCTET_STRING_set(data, san->data,
                                               (int) san->len), 1);
        ext = X509_EXTENSION_create_by_NID(NULL, NID_subject_alt_name, 0,
                                           data);
        assert_non_null(ext);
        assert_int_equal(X509_add_ext(cert, ext, -1), 1);
        X509_EXTENSION_free(ext);
        ASN1_OCTET_STRING_free(data);
    }

    ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(ctx, &pctx,
                                        md ? EVP_get_digestbyname(md) : NULL,
                                        NULL, key), 1);

    if (kind == TEST_KEY_RSA_PSS) {
        assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(pctx,
                             RSA_PKCS1_PSS_PADDING), 1);
        assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx,
                             RSA_PSS_SALTLEN_DIGEST), 1);
    }

    assert_true(X509_sign_ctx(cert, ctx) > 0);
    EVP_MD_CTX_free(ctx);

    return cert;
}


static inline rms_str_t
test_x509_der(X509 *cert)
{
    int             len;
    rms_str_t       der;
    unsigned char  *p = NULL;

    len = i2d_X509(cert, &p);
    assert_true(len > 0);

    der.len = (size_t) len;
    der.data = p;

    return der;
}


static inline void
test_x509_keys_free(void)
{
    EVP_PKEY_free(test_x509_key(TEST_KEY_EC));
    EVP_PKEY_free(test_x509_key(TEST_KEY_RSA));
    EVP_PKEY_free(test_x509_key(TEST_KEY_ED25519));
}


#endif /* TEST_X509_H */
