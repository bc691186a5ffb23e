/* tls-server-end-point: which hash, of which bytes. */

#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <openssl/err.h>

#include "rms_cbind.h"
#include "test_x509.h"


#define NELEMS(a)  (sizeof(a) / sizeof((a)[0]))


static void
hash_is_that_of_the_signature_and_sha256_at_least(void **state)
{
    X509           *cert;
    size_t          i;
    unsigned        len;
    rms_str_t       der;
    rms_cbind_t     cbind, again;
    unsigned char   hash[EVP_MAX_MD_SIZE];

    static const struct {
        test_key_e   key;
        const char  *md;
        const char  *expect;
    } rows[] = {
        { TEST_KEY_RSA, "MD5", "SHA256" },
        { TEST_KEY_RSA, "SHA1", "SHA256" },
        { TEST_KEY_RSA, "SHA224", "SHA224" },
        { TEST_KEY_RSA, "SHA256", "SHA256" },
        { TEST_KEY_RSA, "SHA384", "SHA384" },
        { TEST_KEY_RSA, "SHA512", "SHA512" },
        { TEST_KEY_RSA_PSS, "SHA1", "SHA256" },
        { TEST_KEY_RSA_PSS, "SHA256", "SHA256" },
        { TEST_KEY_RSA_PSS, "SHA512", "SHA512" },
        { TEST_KEY_EC, "SHA1", "SHA256" },
        { TEST_KEY_EC, "SHA256", "SHA256" },
        { TEST_KEY_EC, "SHA384", "SHA384" }
    };

    (void) state;

    for (i = 0; i < NELEMS(rows); i++) {
        cert = test_x509(rows[i].key, rows[i].md, NULL, 0);
        der = test_x509_der(cert);

        assert_int_equal(rms_cbind_server(cert, &cbind), RMS_OK);

        assert_int_equal(EVP_Digest(der.data, der.len, hash, &len,
                                    EVP_get_digestbyname(rows[i].expect),
                                    NULL), 1);

        assert_int_equal(cbind.len, 21 + len);
        assert_memory_equal(cbind.data, "tls-server-end-point:", 21);
        assert_memory_equal(cbind.data + 21, hash, len);

        assert_int_equal(rms_cbind_server_der(&der, &again), RMS_OK);
        assert_int_equal(again.len, cbind.len);
        assert_memory_equal(again.data, cbind.data, cbind.len);

        OPENSSL_free(der.data);
        X509_free(cert);
    }
}


static void
signature_without_a_hash_is_unsupported(void **state)
{
    X509         *cert;
    rms_cbind_t   cbind;

    (void) state;

    cert = test_x509(TEST_KEY_ED25519, NULL, NULL, 0);
    cbind.len = 1;

    assert_int_equal(rms_cbind_server(cert, &cbind), RMS_UNSUPPORTED);
    assert_int_equal(cbind.len, 0);
    assert_int_equal(ERR_peek_error(), 0);
    X509_free(cert);
}


static void
cut_or_lengthened_certificate_is_none(void **state)
{
    X509         *cert;
    rms_str_t     der, other;
    rms_cbind_t   cbind;

    (void) state;

    cert = test_x509(TEST_KEY_EC, "SHA256", NULL, 0);
    der = test_x509_der(cert);

    for (other = der, other.len = 0; other.len < der.len; other.len++) {
        cbind.len = 1;
        assert_int_equal(rms_cbind_server_der(&other, &cbind), RMS_INVALID);
        assert_int_equal(cbind.len, 0);
    }

    other.len = der.len + 1;
    other.data = calloc(1, other.len);
    memcpy(other.data, der.data, der.len);

    assert_int_equal(rms_cbind_server_der(&other, &cbind), RMS_INVALID);
    assert_int_equal(ERR_peek_error(), 0);

    free(other.data);
    OPENSSL_free(der.data);
    X509_free(cert);
}


static int
teardown(void **state)
{
    (void) state;

    test_x509_keys_free();

    return 0;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(hash_is_that_of_the_signature_and_sha256_at_least),
        cmocka_unit_test(signature_without_a_hash_is_unsupported),
        cmocka_unit_test(cut_or_lengthened_certificate_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, teardown);
}
