/* The names of client certificates: what is taken, and what is left out. */

#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <openssl/err.h>

#include "rms_cert.h"
#include "test_mem.h"
#include "test_x509.h"


#define NELEMS(a)  (sizeof(a) / sizeof((a)[0]))

/* SAN: dNSName is [2]; a UPN is [0] { 1.3.6.1.4.1.311.20.2.3, [0] { tag } } */

#define UPN_OID       "\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x14\x02\x03"


typedef struct {
    unsigned char  data[64 * 1024];
    size_t         len;
} san_t;


static void
san_put(san_t *san, unsigned tag, const void *data, size_t len)
{
    unsigned char  *p;

    assert_true(san->len + len + 4 < sizeof(san->data));

    p = san->data + san->len;
    *p++ = (unsigned char) tag;

    if (len >= 0x80) {
        *p++ = 0x82;
        *p++ = (unsigned char) (len >> 8);
    }

    *p++ = (unsigned char) len;
    memcpy(p, data, len);
    san->len = (size_t) (p + len - san->data);
}


static void
san_upn(san_t *san, unsigned tag, const void *name, size_t len)
{
    static san_t  s, inner, other;

    s.len = inner.len = other.len = 0;

    san_put(&s, tag, name, len);
    san_put(&inner, 0xa0, s.data, s.len);

    memcpy(other.data, UPN_OID, 12);
    memcpy(other.data + 12, inner.data, inner.len);
    san_put(san, 0xa0, other.data, 12 + inner.len);
}


static X509 *
san_cert(const san_t *san, size_t n)
{
    rms_str_t     s;
    static san_t  all;

    all.len = 0;
    san_put(&all, 0x30, san->data, san->len);

    s.data = all.data;
    s.len = all.len;

    return test_x509(TEST_KEY_EC, "SHA256", &s, n);
}


/* One name in, one or none out. */

static void
one(const san_t *san, const rms_str_t *dns, const rms_str_t *upn)
{
    X509              *cert;
    test_mem_t         mem;
    rms_cert_names_t   names;

    cert = san_cert(san, 1);

    assert_int_equal(rms_cert_names(cert, test_mem_init(&mem, 0), &names),
                     RMS_OK);
    assert_int_equal(names.n_dns, dns ? 1 : 0);
    assert_int_equal(names.n_upns, upn ? 1 : 0);
    assert_int_equal(mem.calls, (dns || upn) ? 1 : 0);
    assert_true(!dns || rms_str_eq(&names.dns[0], dns));
    assert_true(!upn || rms_str_eq(&names.upns[0], upn));
    assert_int_equal(ERR_peek_error(), 0);

    test_mem_free(&mem);
    X509_free(cert);
}


static void
thumbprint_is_sha256_of_the_der(void **state)
{
    X509              *cert;
    char               hex[65];
    size_t             i;
    rms_str_t          der;
    test_mem_t         mem;
    unsigned char      hash[32];
    rms_cert_names_t   names;

    (void) state;

    cert = test_x509(TEST_KEY_ED25519, NULL, NULL, 0);
    der = test_x509_der(cert);
    assert_int_equal(EVP_Digest(der.data, der.len, hash, NULL, EVP_sha256(),
                                NULL), 1);

    for (i = 0; i < 32; i++) {
        (void) snprintf(hex + 2 * i, 3, "%02x", hash[i]);
    }

    assert_int_equal(rms_cert_names_der(&der, test_mem_init(&mem, 0), &names),
                     RMS_OK);
    assert_memory_equal(names.thumbprint, hex, 64);
    assert_int_equal(names.n_dns + names.n_upns, 0);

    der.len--;
    assert_int_equal(rms_cert_names_der(&der, &mem.mem, &names), RMS_INVALID);
    der.len = 0;
    assert_int_equal(rms_cert_names_der(&der, &mem.mem, &names), RMS_INVALID);

    OPENSSL_free(der.data);
    X509_free(cert);
}


static void
dns_name_is_printable_ascii_or_left_out(void **state)
{
    char         longest[RMS_CERT_DNS_MAX + 1];
    size_t       i;
    rms_str_t    name;
    static san_t san;

    static const struct {
        rms_str_t  name;
        int        good;
    } rows[] = {
        { rms_string("exch01.corp.example"), 1 },
        { rms_string("*.corp.example"), 1 },
        { rms_string("EXCH01.Corp.Example"), 1 },
        { rms_string(""), 0 },
        { rms_string("exch01.corp.example\0.evil.example"), 0 },
        { rms_string("exch01\0"), 0 },
        { rms_string("exch01 corp"), 0 },
        { rms_string("exch01\n"), 0 },
        { rms_string("exch01\x7f"), 0 },
        { rms_string("exch\xc3\xb6.example"), 0 }
    };

    (void) state;

    for (i = 0; i < NELEMS(rows); i++) {
        san.len = 0;
        san_put(&san, 0x82, rows[i].name.data, rows[i].name.len);
        one(&san, rows[i].good ? &rows[i].name : NULL, NULL);
    }

    memset(longest, 'a', sizeof(longest));
    name.data = (unsigned char *) longest;

    for (name.len = sizeof(longest) - 1; name.len <= sizeof(longest);
         name.len++)
    {
        san.len = 0;
        san_put(&san, 0x82, longest, name.len);
        one(&san, name.len < sizeof(longest) ? &name : NULL, NULL);
    }
}


static void
upn_is_a_utf8string_of_user_and_suffix_or_left_out(void **state)
{
    char          longest[RMS_CERT_UPN_MAX + 1];
    size_t        i;
    rms_str_t     name;
    static san_t  san;

    static const struct {
        unsigned   tag;
        rms_str_t  name;
        int        good;
    } rows[] = {
        { 0x0c, rms_string("alice@corp.example"), 1 },
        { 0x0c, rms_string("J\xc3\xbcrgen@corp.example"), 1 },
        { 0x16, rms_string("alice@corp.example"), 0 },
        { 0x13, rms_string("alice@corp.example"), 0 },
        { 0x0c, rms_string(""), 0 },
        { 0x0c, rms_string("alice"), 0 },
        { 0x0c, rms_string("@corp.example"), 0 },
        { 0x0c, rms_string("alice@"), 0 },
        { 0x0c, rms_string("alice@corp@example"), 0 },
        { 0x0c, rms_string("alice@corp.example\0@evil"), 0 },
        { 0x0c, rms_string("ali\tce@corp.example"), 0 },
        { 0x0c, rms_string("ali\xc2\x85" "ce@corp.example"), 0 },
        { 0x0c, rms_string("ali\xff" "ce@corp.example"), 0 },
        { 0x0c, rms_string("ali\xc0\x80" "ce@corp.example"), 0 },
        { 0x0c, rms_string("alice@corp.example\xc3"), 0 }
    };

    (void) state;

    for (i = 0; i < NELEMS(rows); i++) {
        san.len = 0;
        san_upn(&san, rows[i].tag, rows[i].name.data, rows[i].name.len);
        one(&san, NULL, rows[i].good ? &rows[i].name : NULL);
    }

    memset(longest, 'a', sizeof(longest));
    longest[1] = '@';
    name.data = (unsigned char *) longest;

    for (name.len = sizeof(longest) - 1; name.len <= sizeof(longest);
         name.len++)
    {
        san.len = 0;
        san_upn(&san, 0x0c, longest, name.len);
        one(&san, NULL, name.len < sizeof(longest) ? &name : NULL);
    }
}


static void
other_names_are_left_out(void **state)
{
    static san_t  san;

    (void) state;

    san.len = 0;
    san_put(&san, 0x81, "a@corp.example", 14);
    san_put(&san, 0x86, "http://corp.example", 19);
    san_put(&san, 0x87, "\x7f\x00\x00\x01", 4);
    one(&san, NULL, NULL);

    /* an otherName of another kind, 1.3.6.1.5.2.2 */

    san.len = 0;
    san_put(&san, 0xa0, "\x06\x06\x2b\x06\x01\x05\x02\x02\xa0\x05\x0c\x03"
            "a@b", 15);
    one(&san, NULL, NULL);
}


static void
malformed_or_doubled_extension_has_no_names(void **state)
{
    X509              *cert;
    size_t             i;
    rms_str_t          s;
    test_mem_t         mem;
    static san_t       san;
    rms_cert_names_t   names;

    (void) state;

    san.len = 0;
    san_put(&san, 0x82, "good.example", 12);

    for (i = 0; i < 2; i++) {
        if (i == 0) {
            cert = san_cert(&san, 2);

        } else {
            s.data = (unsigned char *) "\x30\x10\x82\x0c" "good.example";
            s.len = 16;
            cert = test_x509(TEST_KEY_EC, "SHA256", &s, 1);
        }

        assert_int_equal(rms_cert_names(cert, test_mem_init(&mem, 0), &names),
                         RMS_OK);
        assert_int_equal(names.n_dns, 0);
        assert_int_not_equal(names.thumbprint[0], 0);
        assert_int_equal(ERR_peek_error(), 0);
        X509_free(cert);
    }
}


static void
bad_name_among_good_ones_is_left_out_and_the_number_is_bounded(void **state)
{
    X509              *cert;
    char               buf[32];
    size_t             i;
    test_mem_t         mem;
    static san_t       san;
    rms_cert_names_t   names;

    (void) state;

    san.len = 0;
    san_put(&san, 0x82, "b\0d", 3);

    for (i = 0; i < RMS_CERT_NAMES_MAX + 8; i++) {
        (void) snprintf(buf, sizeof(buf), "u%zu@h", i);
        san_put(&san, 0x82, buf, strlen(buf));
        san_upn(&san, 0x0c, buf, strlen(buf));
    }

    cert = san_cert(&san, 1);
    assert_int_equal(rms_cert_names(cert, test_mem_init(&mem, 0), &names),
                     RMS_OK);

    assert_int_equal(names.n_dns, RMS_CERT_NAMES_MAX);
    assert_int_equal(names.n_upns, RMS_CERT_NAMES_MAX);
    assert_true(rms_str_is(&names.dns[0], "u0@h"));
    assert_true(rms_str_is(&names.upns[63], "u63@h"));

    test_mem_free(&mem);
    X509_free(cert);
}


static void
no_memory_leaves_nothing(void **state)
{
    X509              *cert;
    test_mem_t         mem;
    static san_t       san;
    rms_cert_names_t   names, zero;

    (void) state;

    san.len = 0;
    san_put(&san, 0x82, "good.example", 12);
    cert = san_cert(&san, 1);
    memset(&zero, 0, sizeof(zero));

    assert_int_equal(rms_cert_names(cert, test_mem_init(&mem, 1), &names),
                     RMS_NOMEM);
    assert_memory_equal(&names, &zero, sizeof(zero));
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
        cmocka_unit_test(thumbprint_is_sha256_of_the_der),
        cmocka_unit_test(dns_name_is_printable_ascii_or_left_out),
        cmocka_unit_test(upn_is_a_utf8string_of_user_and_suffix_or_left_out),
        cmocka_unit_test(other_names_are_left_out),
        cmocka_unit_test(malformed_or_doubled_extension_has_no_names),
        cmocka_unit_test(
            bad_name_among_good_ones_is_left_out_and_the_number_is_bounded),
        cmocka_unit_test(no_memory_leaves_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, teardown);
}
