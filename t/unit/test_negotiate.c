/*
 * The Authorization header, base64, token framings, the AP-REQ's clear parts.
 */

#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "rms_der.h"
#include "rms_negotiate.h"
#include "ticket.h"


#define NELEMS(a)  (sizeof(a) / sizeof((a)[0]))


static rms_str_t
lit(const char *s)
{
    rms_str_t  v;

    v.data = (unsigned char *) s;
    v.len = strlen(s);

    return v;
}


static void
authorization_scheme_ignores_case_and_blanks(void **state)
{
    size_t        i;
    rms_str_t     value, rest, want;
    rms_scheme_e  scheme;

    static const struct {
        const char    *value;
        rms_scheme_e   scheme;
        const char    *rest;
    } t[] = {
        { "",                     RMS_SCHEME_NONE,      "" },
        { " \t ",                 RMS_SCHEME_NONE,      "" },
        { "Negotiate YII=",       RMS_SCHEME_NEGOTIATE, "YII=" },
        { "nEGOTIATE  \tYII= \t", RMS_SCHEME_NEGOTIATE, "YII=" },
        { "  Negotiate YII=",     RMS_SCHEME_NEGOTIATE, "YII=" },
        { "Negotiate",            RMS_SCHEME_NEGOTIATE, "" },
        { "Negotiate ",           RMS_SCHEME_NEGOTIATE, "" },
        { "Negotiate a b",        RMS_SCHEME_NEGOTIATE, "a b" },
        { "NTLM TlRM",            RMS_SCHEME_NTLM,      "TlRM" },
        { "bearer x.y.z",         RMS_SCHEME_BEARER,    "x.y.z" },
        { "Basic dTpw",           RMS_SCHEME_OTHER,     "dTpw" },
        { "NegotiateX YII=",      RMS_SCHEME_OTHER,     "YII=" },
        { "Negotiat YII=",        RMS_SCHEME_OTHER,     "YII=" },
        { "Negotiate,NTLM x",     RMS_SCHEME_OTHER,     "x" },
        { "YII=",                 RMS_SCHEME_OTHER,     "" }
    };

    (void) state;

    for (i = 0; i < NELEMS(t); i++) {
        value = lit(t[i].value);
        want = lit(t[i].rest);
        scheme = rms_authorization_split(&value, &rest);

        assert_int_equal(scheme, t[i].scheme);
        assert_int_equal(rest.len, want.len);
        assert_memory_equal(rest.data, want.data, want.len);
    }
}


static void
base64_takes_only_the_canonical_form(void **state)
{
    size_t         i;
    rms_str_t      src, dst;
    unsigned char  buf[64];

    static const struct {
        const char  *src;
        rms_rc_e     rc;
        const char  *out;
    } t[] = {
        { "",           RMS_OK,      "" },
        { "Zg==",       RMS_OK,      "f" },
        { "Zm8=",       RMS_OK,      "fo" },
        { "Zm9v",       RMS_OK,      "foo" },
        { "Zm9vYmFy",   RMS_OK,      "foobar" },
        { "Pz8/Pj4+",   RMS_OK,      "??\x3f>>>" },
        { "Zh==",       RMS_INVALID, "" },      /* bits behind the end */
        { "Zm9=",       RMS_INVALID, "" },
        { "Zg",         RMS_INVALID, "" },
        { "Zg=",        RMS_INVALID, "" },
        { "Zg===",      RMS_INVALID, "" },
        { "====",       RMS_INVALID, "" },
        { "Z===",       RMS_INVALID, "" },
        { "Zg==Zg==",   RMS_INVALID, "" },
        { "Zg=v",       RMS_INVALID, "" },
        { " Zm9v",      RMS_INVALID, "" },
        { " Zm9vYmF",   RMS_INVALID, "" },
        { "Zm9vYm\n=",  RMS_INVALID, "" },
        { "Zm9vYm F",   RMS_INVALID, "" },
        { "Zm9v\r\n\r\n", RMS_INVALID, "" },
        { "Pz8_Pj4-",   RMS_INVALID, "" },
        { "Zm9-",       RMS_INVALID, "" },
        { "Zm9\xff",    RMS_INVALID, "" }
    };

    (void) state;

    for (i = 0; i < NELEMS(t); i++) {
        src = lit(t[i].src);
        dst.data = buf;

        assert_int_equal(rms_base64_decode(&src, sizeof(buf), &dst), t[i].rc);
        assert_int_equal(dst.len, strlen(t[i].out));
        assert_memory_equal(dst.data, t[i].out, dst.len);
    }
}


static void
base64_is_bounded_by_decoded_bytes(void **state)
{
    rms_str_t      src, dst;
    unsigned char  buf[16];

    (void) state;

    dst.data = buf;
    src = lit("Zm9vYmE=");

    assert_int_equal(rms_base64_decode(&src, 5, &dst), RMS_OK);
    assert_int_equal(rms_base64_decode(&src, 4, &dst), RMS_TOO_LARGE);
    assert_int_equal(dst.len, 0);
}


static void
base64_round_trip_writes_no_byte_too_many(void **state)
{
    size_t         i, len;
    rms_str_t      src, enc, dec;

    (void) state;

    for (len = 0; len < 260; len++) {
        src.len = len;
        src.data = malloc(len + 1);
        enc.data = malloc(rms_base64_encoded(len) + 1);
        assert_non_null(src.data);
        assert_non_null(enc.data);

        for (i = 0; i < len; i++) {
            src.data[i] = (unsigned char) (i * 151 + len);
        }

        enc.data[rms_base64_encoded(len)] = 0xa5;
        rms_base64_encode(&src, &enc);
        assert_int_equal(enc.len, rms_base64_encoded(len));
        assert_int_equal(enc.data[enc.len], 0xa5);

        dec.data = malloc(rms_base64_decoded_max(enc.len) + 1);
        assert_non_null(dec.data);
        dec.data[rms_base64_decoded_max(enc.len)] = 0xa5;
        assert_int_equal(rms_base64_decode(&enc, len, &dec), RMS_OK);
        assert_true(rms_str_eq(&dec, &src));
        assert_int_equal(dec.data[rms_base64_decoded_max(enc.len)], 0xa5);

        free(src.data);
        free(enc.data);
        free(dec.data);
    }
}


static void
der_refuses_every_second_spelling(void **state)
{
    size_t     i;
    int64_t    v;
    rms_str_t  in;

    static const struct {
        const char  *in;
        size_t       len;
        int          ok;
        int64_t      value;
    } t[] = {
        { "\xa0\x03\x02\x01\x05", 5, 1, 5 },
        { "\xa0\x03\x02\x01\x00", 5, 1, 0 },
        { "\xa0\x03\x02\x01\xff", 5, 1, -1 },
        { "\xa0\x04\x02\x02\x00\x80", 6, 1, 128 },
        { "\xa0\x07\x02\x05\x00\xff\xff\xff\xff", 9, 1, 4294967295 },
        { "\xa0\x06\x02\x04\x80\x00\x00\x00", 8, 1, INT32_MIN },
        { "\xa0\x07\x02\x05\x01\x00\x00\x00\x00", 9, 0, 0 },
        { "\xa0\x07\x02\x05\xff\x7f\xff\xff\xff", 9, 0, 0 },
        { "\xa0\x04\x02\x02\x00\x05", 6, 0, 0 },        /* padded        */
        { "\xa0\x04\x02\x02\xff\x85", 6, 0, 0 },
        { "\xa0\x02\x02\x00", 4, 0, 0 },
        { "\xa0\x81\x03\x02\x01\x05", 6, 0, 0 },        /* long length   */
        { "\xa0\x82\x00\x03\x02\x01\x05", 7, 0, 0 },
        { "\xa0\x80\x02\x01\x05\x00\x00", 7, 0, 0 },    /* indefinite    */
        { "\xa0\x04\x02\x01\x05\x00", 6, 0, 0 },        /* trailing      */
        { "\xa0\x03\x02\x02\x05", 5, 0, 0 },            /* beyond        */
        { "\xa0\x03\x02\x01", 4, 0, 0 },
        { "\xa0\x84\x00\x00\x00\x03\x02\x01\x05", 9, 0, 0 },
        { "\xa0\x83\xff\xff\xff", 5, 0, 0 },
        { "\xa0\x82", 2, 0, 0 },
        { "\xa0", 1, 0, 0 },
        { "\xa1\x03\x02\x01\x05", 5, 0, 0 },
        { "\xa0\x03\x0a\x01\x05", 5, 0, 0 }
    };

    (void) state;

    for (i = 0; i < NELEMS(t); i++) {
        v = 0;
        in.data = (unsigned char *) t[i].in;
        in.len = t[i].len;

        assert_int_equal(rms_der_field_integer(&in, 0, &v), t[i].ok);
        assert_true(v == t[i].value);
    }
}


/* A made-up AP-REQ: what is encrypted needs no meaning here. */

static const char  apreq_der[] =
    "\x6e\x66\x30\x64"
    "\xa0\x03\x02\x01\x05"
    "\xa1\x03\x02\x01\x0e"
    "\xa2\x07\x03\x05\x00\x20\x00\x00\x00"
    "\xa3\x3e\x61\x3c\x30\x3a"
        "\xa0\x03\x02\x01\x05"
        "\xa1\x0a\x1b\x08" "RMS.TEST"
        "\xa2\x14\x30\x12\xa0\x03\x02\x01\x02"
            "\xa1\x0b\x30\x09\x1b\x04" "HTTP" "\x1b\x01" "a"
        "\xa3\x11\x30\x0f\xa0\x03\x02\x01\x12\xa1\x03\x02\x01\x07"
            "\xa2\x03\x04\x01" "T"
    "\xa4\x0f\x30\x0d\xa0\x03\x02\x01\x11"
        "\xa2\x06\x04\x04" "AUTH";


static rms_str_t
apreq_lit(void)
{
    rms_str_t  s;

    s.data = (unsigned char *) apreq_der;
    s.len = sizeof(apreq_der) - 1;

    return s;
}


static void
one_apreq_has_one_hash_in_every_framing(void **state)
{
    size_t         i;
    rms_str_t      apreq, framed, mine, t[6];
    rms_apreq_t    a;
    unsigned char  first[32], hash[32];

    (void) state;

    apreq = apreq_lit();
    framed = ticket_frame(TICKET_OID_KRB5, 9, &apreq);
    mine = ticket_frame(TICKET_OID_MSKRB5, 9, &apreq);

    t[0] = framed;
    t[1] = mine;
    t[2] = ticket_init("k", &framed);
    t[3] = ticket_init("mkxn", &framed);
    t[4] = ticket_init("km", &mine);
    t[5] = ticket_resp(&framed, NULL);

    for (i = 0; i < NELEMS(t); i++) {
        assert_int_equal(rms_token_apreq(&t[i], &a), RMS_OK);
        assert_true(rms_str_is(&a.authenticator, "AUTH"));
        assert_true(rms_str_is(&a.realm, "RMS.TEST"));
        assert_true(rms_str_is(&a.service, "HTTP/a"));
        assert_int_equal(a.ticket_etype, 18);
        assert_int_equal(a.ticket_kvno, 7);
        assert_int_equal(a.auth_etype, 17);
        assert_int_equal(a.ticket.len, 0x3e);

        assert_int_equal(rms_apreq_hash(&a, i ? hash : first), RMS_OK);

        if (i) {
            assert_memory_equal(hash, first, 32);
        }
    }

    for (i = 0; i < NELEMS(t); i++) {
        free(t[i].data);
    }
}


static void
token_for_another_mechanism_is_not_taken_for_kerberos(void **state)
{
    size_t            i;
    rms_str_t         apreq, framed, t;
    rms_apreq_t       a;
    rms_token_info_t  info;

    static const char  *lists[] = { "xk", "nk", "nmk", "xn" };

    (void) state;

    apreq = apreq_lit();
    framed = ticket_frame(TICKET_OID_KRB5, 9, &apreq);

    for (i = 0; i < NELEMS(lists); i++) {
        t = ticket_init(lists[i], &framed);
        info = rms_token_sniff(&t);
        assert_int_equal(info.kind, RMS_TOKEN_SPNEGO_INIT);
        assert_int_equal(info.krb5_token, 0);
        assert_int_equal(info.offers_krb5, strpbrk(lists[i], "mk") != NULL);
        assert_int_equal(info.offers_ntlm, strchr(lists[i], 'n') != NULL);
        assert_int_equal(rms_token_apreq(&t, &a), RMS_DECLINED);
        free(t.data);
    }

    free(framed.data);
}


static void
framing_is_told_apart(void **state)
{
    size_t            i;
    rms_str_t         ntlm = rms_string("NTLMSSP\0\1\0\0\0");
    rms_str_t         bare, framed, t[8];
    rms_token_info_t  info;

    static const rms_token_e  kinds[] = {
        RMS_TOKEN_NTLM, RMS_TOKEN_NTLM, RMS_TOKEN_SPNEGO_INIT,
        RMS_TOKEN_SPNEGO_RESP, RMS_TOKEN_SPNEGO_RESP, RMS_TOKEN_KRB5,
        RMS_TOKEN_UNKNOWN, RMS_TOKEN_UNKNOWN
    };

    (void) state;

    bare = apreq_lit();
    framed = ticket_frame(TICKET_OID_KRB5, 9, &bare);

    t[0] = ntlm;
    t[1] = ticket_init("n", &ntlm);
    t[2] = ticket_init("nk", &ntlm);
    t[3] = ticket_resp(&ntlm, NULL);
    t[4] = ticket_resp(NULL, &ntlm);
    t[5] = framed;
    t[6] = bare;
    t[7] = ticket_init("", &framed);

    for (i = 0; i < NELEMS(t); i++) {
        info = rms_token_sniff(&t[i]);
        assert_int_equal(info.kind, kinds[i]);
        assert_int_equal(info.offers_ntlm, i < 4);

        if (i != 0 && i != 6) {
            free(t[i].data);
        }
    }

    info = rms_token_sniff(&(rms_str_t) rms_null_string);
    assert_int_equal(info.kind, RMS_TOKEN_UNKNOWN);
}


static void
cut_or_lengthened_token_is_refused(void **state)
{
    size_t            i, k, len;
    rms_str_t         apreq, framed, t[3], cut;
    rms_apreq_t       a;

    (void) state;

    apreq = apreq_lit();
    framed = ticket_frame(TICKET_OID_KRB5, 9, &apreq);
    t[0] = framed;
    t[1] = ticket_init("mkxn", &framed);
    t[2] = ticket_resp(&framed, NULL);

    for (k = 0; k < NELEMS(t); k++) {
        for (len = 0; len <= t[k].len + 1; len++) {
            cut.len = len;
            cut.data = calloc(1, len ? len : 1);
            assert_non_null(cut.data);
            memcpy(cut.data, t[k].data, len < t[k].len ? len : t[k].len);

            assert_int_equal(rms_token_apreq(&cut, &a),
                             len == t[k].len ? RMS_OK : RMS_INVALID);
            free(cut.data);
        }
    }

    for (i = 0; i < NELEMS(t); i++) {
        free(t[i].data);
    }
}


static void
reply_token_is_no_apreq(void **state)
{
    rms_str_t    apreq, framed;
    rms_apreq_t  a;

    (void) state;

    apreq = apreq_lit();
    framed = ticket_frame(TICKET_OID_KRB5, 9, &apreq);
    framed.data[13] = 2;                /* AP-REP: RFC 4121 4.1 */
    assert_int_equal(rms_token_apreq(&framed, &a), RMS_DECLINED);
    free(framed.data);
}


/* Each byte below is a tag or a fixed number: another value is another type. */

static void
changed_structure_of_apreq_is_refused(void **state)
{
    size_t         i;
    rms_str_t      apreq, framed;
    rms_apreq_t    a;
    unsigned char  copy[sizeof(apreq_der)];

    static const unsigned char  at[] = {
        0, 2, 4, 6, 8, 9, 11, 13, 14, 16, 23, 25, 27, 29, 31, 33,
        34, 36
    };

    (void) state;

    for (i = 0; i < NELEMS(at); i++) {
        memcpy(copy, apreq_der, sizeof(copy));
        copy[at[i]] ^= 1;
        apreq.data = copy;
        apreq.len = sizeof(copy) - 1;

        framed = ticket_frame(TICKET_OID_KRB5, 9, &apreq);
        assert_int_equal(rms_token_apreq(&framed, &a), RMS_INVALID);
        free(framed.data);
    }
}


static void
etype_has_a_name_or_a_number(void **state)
{
    char  buf[32];

    (void) state;

    assert_string_equal(rms_etype_name(18, buf, sizeof(buf)),
                        "aes256-cts-hmac-sha1-96");
    assert_string_equal(rms_etype_name(23, buf, sizeof(buf)), "arcfour-hmac");
    assert_string_equal(rms_etype_name(99, buf, sizeof(buf)), "etype 99");
    assert_string_equal(rms_etype_name((unsigned) -133, buf, sizeof(buf)),
                        "etype -133");
    assert_string_equal(rms_etype_name(18, buf, 5), "aes2");
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(authorization_scheme_ignores_case_and_blanks),
        cmocka_unit_test(base64_takes_only_the_canonical_form),
        cmocka_unit_test(base64_is_bounded_by_decoded_bytes),
        cmocka_unit_test(base64_round_trip_writes_no_byte_too_many),
        cmocka_unit_test(der_refuses_every_second_spelling),
        cmocka_unit_test(one_apreq_has_one_hash_in_every_framing),
        cmocka_unit_test(token_for_another_mechanism_is_not_taken_for_kerberos),
        cmocka_unit_test(framing_is_told_apart),
        cmocka_unit_test(cut_or_lengthened_token_is_refused),
        cmocka_unit_test(reply_token_is_no_apreq),
        cmocka_unit_test(changed_structure_of_apreq_is_refused),
        cmocka_unit_test(etype_has_a_name_or_a_number)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
