/* NTLMSSP messages as they are read before the mechanism sees them. */

#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "rms_ntlm.h"
#include "rms_spnego.h"
#include "test_mem.h"


#define NELEMS(a)  (sizeof(a) / sizeof((a)[0]))

#define KEY_EXCHANGE  0x40000000u
#define NTLM_OID      "\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a"


/* An AUTHENTICATE_MESSAGE, field by field. */

typedef struct {
    rms_str_t   lm, nt, domain, user, key;
} parts_t;


static unsigned char  buf[4096];


static size_t
put(size_t header, size_t at, const rms_str_t *value)
{
    buf[header] = buf[header + 2] = (unsigned char) value->len;
    buf[header + 1] = buf[header + 3] = (unsigned char) (value->len >> 8);
    buf[header + 4] = (unsigned char) at;
    buf[header + 5] = (unsigned char) (at >> 8);

    if (value->len) {
        memcpy(buf + at, value->data, value->len);
    }

    return at + value->len;
}


static rms_str_t
authenticate(const parts_t *parts)
{
    size_t     at;
    rms_str_t  s;

    memset(buf, 0, sizeof(buf));
    memcpy(buf, "NTLMSSP\0\3", 9);

    at = put(12, 88, &parts->lm);
    at = put(20, at, &parts->nt);
    at = put(28, at, &parts->domain);
    at = put(36, at, &parts->user);
    at = put(52, at, &parts->key);

    s.data = buf;
    s.len = at;

    return s;
}


/* 44 bytes, MsvAvFlags with MIC, channel bindings, the end */

#define V2_HEADER                                                             \
    "0123456789abcdef\1\1\0\0\0\0\0\0" "timetime" "challeng" "\0\0\0\0"
#define V2  V2_HEADER "\6\0\4\0\2\0\0\0" "\12\0\20\0bbbbbbbbbbbbbbbb" "\0\0\0\0"

#define U(s)  rms_string(s)


static const parts_t  good = {
    U(""), U(V2 "\0\0\0\0"), U("C\0O\0R\0P\0"), U("a\0l\0"),
    U("kkkkkkkkkkkkkkkk")
};


static void
good_message_is_read(void **state)
{
    rms_str_t                 s;
    rms_ntlm_authenticate_t   auth;

    (void) state;

    s = authenticate(&good);
    assert_null(rms_ntlm_authenticate_read(&s, KEY_EXCHANGE, &auth));
    assert_true(rms_str_is(&auth.domain, "CORP"));
    assert_true(rms_str_is(&auth.user, "al"));
    assert_int_equal(auth.mic, 1);
    assert_int_equal(auth.bound, 1);
}


static void
what_is_not_plain_ntlmv2_is_named(void **state)
{
    size_t                    i;
    parts_t                   p;
    rms_str_t                 s;
    const char               *wrong;
    rms_ntlm_authenticate_t   auth;

    static const struct {
        size_t       part;              /* offset in parts_t             */
        rms_str_t    value;
        const char  *why;               /* NULL: fine                    */
    } rows[] = {
        { offsetof(parts_t, lm), U("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                                   "\0\0\0\0"), NULL },
        { offsetof(parts_t, lm), U("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                                   "\0\0\0\1"), "an LM response" },
        { offsetof(parts_t, lm), U("\1"), "an LM response" },
        { offsetof(parts_t, nt), U("0123456789abcdef01234567"), "NTLMv1" },
        { offsetof(parts_t, nt), U(""), "an LM or no response" },
        { offsetof(parts_t, nt), U("0123456789abcdef012345678"),
          "an LM or no response" },
        { offsetof(parts_t, nt), U(V2_HEADER), "malformed NTLMv2" },
        { offsetof(parts_t, nt), U(V2_HEADER "\0\0\0\0"), NULL },
        { offsetof(parts_t, nt), U(V2_HEADER "\0\0\1\0a"),
          "malformed NTLMv2" },
        { offsetof(parts_t, nt), U(V2_HEADER "\7\0\10\0time"),
          "malformed NTLMv2" },
        { offsetof(parts_t, nt), U(V2_HEADER "\6\0\2\0\2\0" "\0\0\0\0"),
          "malformed NTLMv2" },
        { offsetof(parts_t, nt), U(V2_HEADER "\12\0\4\0bbbb" "\0\0\0\0"),
          "malformed NTLMv2" },
        { offsetof(parts_t, key), U("kkkkkkkkkkkkkkk"), "session key" },
        { offsetof(parts_t, key), U(""), "session key" },
        { offsetof(parts_t, key), U("kkkkkkkkkkkkkkkkk"), "session key" },
        { offsetof(parts_t, domain), U(""), NULL },
        { offsetof(parts_t, domain), U("C\0O"), "name we refuse" },
        { offsetof(parts_t, user), U(""), "anonymous" },
        { offsetof(parts_t, user), U("a\0@\0b\0"), "user@suffix" },
        { offsetof(parts_t, user), U("a\0\\\0b\0"), "name we refuse" },
        { offsetof(parts_t, user), U("a\0/\0b\0"), "name we refuse" },
        { offsetof(parts_t, user), U("a\0\0\0b\0"), "name we refuse" },
        { offsetof(parts_t, user), U("a\0\n\0"), "name we refuse" },
        { offsetof(parts_t, user), U("a\0\x85\0"), "name we refuse" },
        { offsetof(parts_t, user), U("\0\xd8"), "name we refuse" },
        { offsetof(parts_t, user), U("\0\xd8" "a\0"), "name we refuse" },
        { offsetof(parts_t, user), U("\0\xdc" "a\0"), "name we refuse" }
    };

    (void) state;

    for (i = 0; i < NELEMS(rows); i++) {
        p = good;
        memcpy((char *) &p + rows[i].part, &rows[i].value, sizeof(rms_str_t));

        s = authenticate(&p);
        wrong = rms_ntlm_authenticate_read(&s, KEY_EXCHANGE, &auth);

        if (rows[i].why == NULL) {
            assert_null(wrong);
            continue;
        }

        assert_non_null(wrong);

        if (strstr(wrong, rows[i].why) == NULL) {
            fail_msg("row %zu: \"%s\" is not in: %s", i, rows[i].why, wrong);
        }
    }
}


static void
zero_bindings_are_none(void **state)
{
    parts_t                   p;
    rms_str_t                 s;
    rms_ntlm_authenticate_t   auth;

    static const rms_str_t  nt =
        U(V2_HEADER "\12\0\20\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" "\0\0\0\0");

    (void) state;

    p = good;
    p.nt = nt;
    s = authenticate(&p);

    assert_null(rms_ntlm_authenticate_read(&s, KEY_EXCHANGE, &auth));
    assert_int_equal(auth.bound, 0);
    assert_int_equal(auth.mic, 0);
}


static void
names_become_utf8(void **state)
{
    size_t                    i;
    parts_t                   p;
    rms_str_t                 s;
    rms_ntlm_authenticate_t   auth;

    static const struct {
        rms_str_t  utf16;
        rms_str_t  utf8;
    } rows[] = {
        { U("J\0\xfc\0r\0"), U("J\xc3\xbcr") },
        { U("\xac\x20"), U("\xe2\x82\xac") },
        { U("\x3d\xd8\x00\xde"), U("\xf0\x9f\x98\x80") },
        { U("\xff\xdb\xff\xdf"), U("\xf4\x8f\xbf\xbf") }
    };

    (void) state;

    for (i = 0; i < NELEMS(rows); i++) {
        p = good;
        p.user = rows[i].utf16;
        s = authenticate(&p);
        assert_null(rms_ntlm_authenticate_read(&s, KEY_EXCHANGE, &auth));
        assert_true(rms_str_eq(&auth.user, &rows[i].utf8));
    }
}


static void
longest_name_passes_and_one_more_does_not(void **state)
{
    parts_t                   p;
    rms_str_t                 s;
    unsigned char             name[2 * RMS_NTLM_NAME_UNITS + 2];
    rms_ntlm_authenticate_t   auth;

    (void) state;

    memset(name, 0x4e, sizeof(name));

    p = good;
    p.user.data = name;
    p.user.len = sizeof(name) - 2;
    s = authenticate(&p);
    assert_null(rms_ntlm_authenticate_read(&s, KEY_EXCHANGE, &auth));
    assert_int_equal(auth.user.len, RMS_NTLM_NAME_MAX);

    p.user.len = sizeof(name);
    s = authenticate(&p);
    assert_non_null(rms_ntlm_authenticate_read(&s, KEY_EXCHANGE, &auth));
}


static void
field_outside_the_message_is_malformed(void **state)
{
    size_t                    i;
    rms_str_t                 s;
    rms_ntlm_authenticate_t   auth;

    static const size_t  headers[] = { 12, 20, 28, 36, 44, 52 };

    (void) state;

    for (i = 0; i < NELEMS(headers); i++) {
        s = authenticate(&good);
        buf[headers[i]] = 2;
        memset(buf + headers[i] + 4, 0xff, 4);
        assert_string_equal(rms_ntlm_authenticate_read(&s, KEY_EXCHANGE,
                                                       &auth),
                            "malformed NTLM message");

        s = authenticate(&good);
        buf[headers[i]] = 2;
        memset(buf + headers[i] + 4, 0, 4);
        assert_string_equal(rms_ntlm_authenticate_read(&s, KEY_EXCHANGE,
                                                       &auth),
                            "malformed NTLM message");
    }
}


static void
first_message_needs_version_and_unicode(void **state)
{
    rms_str_t  s;

    (void) state;

    memset(buf, 0, sizeof(buf));
    memcpy(buf, "NTLMSSP\0\1\0\0\0\1\0\0\0", 16);
    s.data = buf;
    s.len = 40;
    assert_null(rms_ntlm_negotiate_check(&s));

    s.len = 39;
    assert_non_null(rms_ntlm_negotiate_check(&s));

    s.len = 40;
    buf[12] = 2;
    assert_string_equal(rms_ntlm_negotiate_check(&s),
                        "NTLM client without Unicode");

    buf[12] = 1;
    buf[8] = 3;
    assert_non_null(rms_ntlm_negotiate_check(&s));
}


static void
sids_are_read_whole_or_not_at_all(void **state)
{
    void           *memory;
    size_t          i;
    rms_rc_e        rc;
    test_mem_t      mem;
    rms_sid_set_t   set;

    static const struct {
        rms_str_t  text;
        rms_rc_e   rc;
        size_t     n;
        int        guest;
    } rows[] = {
        { U("S-1-5-21-1-2-3-1104,S-1-5-21-1-2-3-513,S-1-5-11\0"), RMS_OK, 3,
          0 },
        { U("S-1-5-21-1-2-3-1104"), RMS_OK, 1, 0 },
        { U("S-1-5-21-1-2-3-501,S-1-5-21-1-2-3-514"), RMS_OK, 2, 1 },
        { U("S-1-5-21-1-2-3-1104,S-1-5-32-546"), RMS_OK, 2, 1 },
        { U("S-1-5-7"), RMS_OK, 1, 1 },
        { U("S-1-5-21-1-2-501-1104,S-1-5-21-501"), RMS_OK, 2, 0 },
        { U(""), RMS_INVALID, 0, 1 },
        { U("\0"), RMS_INVALID, 0, 1 },
        { U("S-1-5-21-1-2-3-1104,"), RMS_INVALID, 0, 1 },
        { U(",S-1-5-21-1-2-3-1104"), RMS_INVALID, 0, 1 },
        { U("S-1-5-21-1-2-3-1104 S-1-5-11"), RMS_INVALID, 0, 1 },
        { U("S-1-5-21-1-2-3-1104\0,S-1-5-11"), RMS_INVALID, 0, 1 }
    };

    (void) state;

    for (i = 0; i < NELEMS(rows); i++) {
        rc = rms_ntlm_sids(&rows[i].text, test_mem_init(&mem, 0), &set,
                           &memory);
        assert_int_equal(rc, rows[i].rc);
        assert_int_equal(set.n_members, rows[i].n);
        assert_int_equal(rms_ntlm_sids_guest(&set), rows[i].guest);
        test_mem_free(&mem);
    }

    assert_int_equal(rms_ntlm_sids(&rows[0].text, test_mem_init(&mem, 1),
                                   &set, &memory), RMS_NOMEM);
    assert_null(memory);
    assert_int_equal(set.n_members, 0);
}


static void
too_many_sids_are_refused(void **state)
{
    char           *text;
    void           *memory;
    size_t          n;
    rms_str_t       s;
    test_mem_t      mem;
    rms_sid_set_t   set;

    (void) state;

    text = malloc((RMS_NTLM_SIDS_MAX + 1) * 9);

    for (n = 0; n <= RMS_NTLM_SIDS_MAX; n++) {
        memcpy(text + n * 9, "S-1-1-11,", 9);
    }

    s.data = (unsigned char *) text;
    s.len = RMS_NTLM_SIDS_MAX * 9 - 1;
    assert_int_equal(rms_ntlm_sids(&s, test_mem_init(&mem, 0), &set, &memory),
                     RMS_OK);
    test_mem_free(&mem);

    s.len += 9;
    assert_int_equal(rms_ntlm_sids(&s, test_mem_init(&mem, 0), &set, &memory),
                     RMS_TOO_LARGE);
    assert_int_equal(mem.calls, 0);

    free(text);
}


/* Every length of length, 1 to 4 bytes. */

static void
frame_reads_back_at_each_length(void **state)
{
    size_t          i, len;
    rms_str_t       out, token, mic, mech = U(NTLM_OID), none = U("");
    rms_spnego_t    frame;

    static const size_t  lengths[] = {
        1, 100, 113, 114, 115, 127, 128, 250, 255, 256, 5000, 65535, 65536,
        70000
    };

    (void) state;

    mic.data = (unsigned char *) "0123456789abcdef";
    mic.len = 16;

    for (i = 0; i < NELEMS(lengths); i++) {
        token.len = lengths[i];
        token.data = calloc(1, token.len);
        len = token.len + mic.len + RMS_SPNEGO_FRAME_MAX;
        out.data = malloc(len);

        out.len = rms_spnego_write(out.data, RMS_SPNEGO_INCOMPLETE, &mech,
                                   &token, &mic);
        assert_true(out.len <= len);
        assert_int_equal(rms_spnego_read(&out, &mech, &frame), RMS_OK);
        assert_int_equal(frame.init, 0);
        assert_true(rms_str_eq(&frame.token, &token));
        assert_true(rms_str_eq(&frame.mic, &mic));

        free(token.data);
        free(out.data);
    }

    out.data = buf;
    out.len = rms_spnego_write(buf, RMS_SPNEGO_COMPLETED, &none, &none, &none);
    assert_true(rms_str_is(&out, "\xa1\x07\x30\x05\xa0\x03\x0a\x01\x00"));
}


static void
mechanism_is_found_in_the_list(void **state)
{
    rms_str_t      token, mech = U(NTLM_OID);
    rms_spnego_t   frame;

    (void) state;

    token.data = (unsigned char *)
        "\x60\x28\x06\x06\x2b\x06\x01\x05\x05\x02\xa0\x1e\x30\x1c\xa0\x1a"
        "\x30\x18\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x1e\x06\x0a"
        NTLM_OID;
    token.len = 42;

    assert_int_equal(rms_spnego_read(&token, &mech, &frame), RMS_OK);
    assert_int_equal(frame.init, 1);
    assert_int_equal(frame.first, 0);
    assert_int_equal(frame.mechs.len, 26);
    assert_int_equal(frame.mechs.data[0], 0x30);
    assert_int_equal(frame.token.len, 0);

    mech.len = 9;
    assert_int_equal(rms_spnego_read(&token, &mech, &frame), RMS_DECLINED);

    token.len--;
    assert_int_equal(rms_spnego_read(&token, &mech, &frame), RMS_INVALID);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(good_message_is_read),
        cmocka_unit_test(what_is_not_plain_ntlmv2_is_named),
        cmocka_unit_test(zero_bindings_are_none),
        cmocka_unit_test(names_become_utf8),
        cmocka_unit_test(longest_name_passes_and_one_more_does_not),
        cmocka_unit_test(field_outside_the_message_is_malformed),
        cmocka_unit_test(first_message_needs_version_and_unicode),
        cmocka_unit_test(sids_are_read_whole_or_not_at_all),
        cmocka_unit_test(too_many_sids_are_refused),
        cmocka_unit_test(frame_reads_back_at_each_length),
        cmocka_unit_test(mechanism_is_found_in_the_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
