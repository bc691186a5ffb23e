/*
 * Sealed records: what is trusted of a store that others can write.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/rand.h>

#include "rms_seal.h"


#define array_n(a)  (sizeof(a) / sizeof((a)[0]))

#define OLD  "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define NEW  "ffeeddccbbaa99887766554433221100FFEEDDCCBBAA99887766554433221100"


static int                   no_randomness;
static const unsigned char  *salt;      /* of the next record, or NULL      */


/* Stands before that of the library, so that it can fail and be foreseen. */

int
RAND_bytes(unsigned char *p, int n)
{
    if (salt != NULL) {
        memcpy(p, salt, (size_t) n);
        return 1;
    }

    return no_randomness ? 0 : RAND_bytes_ex(NULL, p, (size_t) n, 0);
}


static rms_str_t
str(const char *s)
{
    rms_str_t  r;

    r.data = (unsigned char *) s;
    r.len = strlen(s);

    return r;
}


static rms_rc_e
read_ring(const char *text, rms_seal_ring_t *ring, rms_seal_error_t *error)
{
    rms_str_t  s;

    s = str(text);

    return rms_seal_ring_read(&s, ring, error);
}


static void
ring_of(const char *text, rms_seal_ring_t *ring)
{
    rms_seal_error_t  error;

    assert_int_equal(read_ring(text, ring, &error), RMS_OK);
}


typedef struct {
    unsigned char  data[256];
    rms_str_t      str;
} buf_t;


static rms_str_t *
room(buf_t *buf, size_t len)
{
    memset(buf->data, 0xee, sizeof(buf->data));
    buf->str.data = buf->data;
    buf->str.len = len;

    return &buf->str;
}


static void
seal(const rms_seal_ring_t *ring, const char *context, const char *text,
    buf_t *record)
{
    rms_str_t  c, t;

    c = str(context);
    t = str(text);

    assert_int_equal(rms_seal(ring, &c, &t,
                              room(record, sizeof(record->data))), RMS_OK);
    assert_int_equal(record->str.len, t.len + RMS_SEAL_OVERHEAD);
}


/* What opening answers; text: what it must be when it opens. */

static rms_rc_e
opens(const rms_seal_ring_t *ring, const char *context,
    const rms_str_t *record, const char *text)
{
    size_t     i;
    buf_t      got;
    rms_rc_e   rc;
    rms_str_t  c;

    c = str(context);
    rc = rms_unseal(ring, &c, record, room(&got, sizeof(got.data)));

    if (rc == RMS_OK) {
        assert_int_equal(got.str.len, strlen(text));
        assert_memory_equal(got.data, text, strlen(text));

    } else {
        assert_int_equal(got.str.len, 0);

        for (i = 0; i < sizeof(got.data); i++) {
            assert_true(got.data[i] == 0xee || got.data[i] == 0);
        }
    }

    assert_int_equal(ERR_peek_error(), 0);

    return rc;
}


/* Computed with another implementation (python3-cryptography). */

static void
record_is_what_others_compute(void **state)
{
    size_t           i;
    buf_t            record;
    unsigned         byte;
    unsigned char    want[63], bytes[RMS_SEAL_SALT];
    rms_seal_ring_t  ring;

    static const char  hex[] =
        "01" "149761293286c850" "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf"
        "6a1926872b664080936614fb1f4f4345700ac50bc0c8"
        "55ceaa33d493747dd3ab7f552cab7b3c";

    (void) state;

    for (i = 0; i < sizeof(want); i++) {
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
        want[i] = (unsigned char) byte;
    }

    for (i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (unsigned char) (0xa0 + i);
    }

    ring_of(OLD, &ring);

    salt = bytes;
    seal(&ring, "rms:v1:session:one", "who: anna@CORP.EXAMPLE", &record);
    salt = NULL;

    assert_int_equal(record.str.len, sizeof(want));
    assert_memory_equal(record.data, want, sizeof(want));
    assert_int_equal(opens(&ring, "rms:v1:session:one", &record.str,
                           "who: anna@CORP.EXAMPLE"), RMS_OK);

    rms_seal_ring_wipe(&ring);
}


/*
 * Redis values trusted, a tampered session is admin: each bit of a record and
 * of its context counts.
 */

static void
tampered_record_is_refused_at_each_bit(void **state)
{
    size_t           i;
    buf_t            record;
    rms_rc_e         rc, want;
    rms_seal_ring_t  ring;

    (void) state;

    ring_of(OLD "\n" NEW, &ring);
    seal(&ring, "rms:v1:session:one", "role: user", &record);

    for (i = 0; i < 8 * record.str.len; i++) {
        record.data[i / 8] ^= (unsigned char) (1 << i % 8);

        rc = opens(&ring, "rms:v1:session:one", &record.str, NULL);
        want = (i < 8) ? RMS_UNSUPPORTED
               : (i < 8 * (1 + RMS_SEAL_KEY_ID)) ? RMS_DECLINED
               : RMS_INVALID;
        assert_int_equal(rc, want);

        record.data[i / 8] ^= (unsigned char) (1 << i % 8);
    }

    /* the other key's id, which is in the ring */

    memcpy(record.data + 1, ring.keys[1].id, RMS_SEAL_KEY_ID);
    assert_int_equal(opens(&ring, "rms:v1:session:one", &record.str, NULL),
                     RMS_INVALID);
    memcpy(record.data + 1, ring.keys[0].id, RMS_SEAL_KEY_ID);

    assert_int_equal(opens(&ring, "rms:v1:session:one", &record.str,
                           "role: user"), RMS_OK);

    rms_seal_ring_wipe(&ring);
}


static void
record_opens_under_no_other_name(void **state)
{
    size_t           i;
    buf_t            record;
    rms_seal_ring_t  ring;

    static const char  *others[] = {
        "", "rms:v1:session:on", "rms:v1:session:one ", "rms:v1:session:two",
        "rms:v1:list"
    };

    (void) state;

    ring_of(OLD, &ring);
    seal(&ring, "rms:v1:session:one", "role: admin", &record);

    for (i = 0; i < array_n(others); i++) {
        assert_int_equal(opens(&ring, others[i], &record.str, NULL),
                         RMS_INVALID);
    }

    seal(&ring, "", "role: admin", &record);
    assert_int_equal(opens(&ring, "rms:v1:list", &record.str, NULL),
                     RMS_INVALID);
    assert_int_equal(opens(&ring, "", &record.str, "role: admin"), RMS_OK);

    rms_seal_ring_wipe(&ring);
}


static void
record_cut_or_grown_is_refused(void **state)
{
    size_t           len;
    buf_t            record;
    rms_str_t        part;
    rms_seal_ring_t  ring;

    (void) state;

    ring_of(OLD, &ring);
    seal(&ring, "c", "some text", &record);

    part = record.str;

    for (len = 0; len < record.str.len; len++) {
        part.len = len;
        assert_int_equal(opens(&ring, "c", &part, NULL), RMS_INVALID);
    }

    part.len = record.str.len + 1;
    assert_int_equal(opens(&ring, "c", &part, NULL), RMS_INVALID);

    rms_seal_ring_wipe(&ring);
}


static void
empty_text_is_sealed_as_any_other(void **state)
{
    buf_t            record;
    rms_seal_ring_t  ring;

    (void) state;

    ring_of(OLD, &ring);
    seal(&ring, "c", "", &record);
    assert_int_equal(record.str.len, RMS_SEAL_OVERHEAD);
    assert_int_equal(opens(&ring, "c", &record.str, ""), RMS_OK);
    assert_int_equal(opens(&ring, "d", &record.str, ""), RMS_INVALID);

    rms_seal_ring_wipe(&ring);
}


static void
keys_are_changed_without_losing_records(void **state)
{
    buf_t            before, after;
    rms_seal_ring_t  ring;

    (void) state;

    ring_of(OLD "\n", &ring);
    seal(&ring, "c", "before", &before);
    rms_seal_ring_wipe(&ring);

    /* a new first line: it seals, and the old one still opens */

    ring_of(NEW "\n" OLD "\n", &ring);
    assert_int_equal(opens(&ring, "c", &before.str, "before"), RMS_OK);
    assert_int_equal(rms_seal_current(&ring, &before.str), 0);
    seal(&ring, "c", "after", &after);
    assert_int_equal(rms_seal_current(&ring, &after.str), 1);
    rms_seal_ring_wipe(&ring);
    assert_int_equal(rms_seal_current(&ring, &after.str), 0);

    /* a node that has only the old one, as if it had been forgotten */

    ring_of(OLD "\n", &ring);
    assert_int_equal(opens(&ring, "c", &after.str, NULL), RMS_DECLINED);
    rms_seal_ring_wipe(&ring);

    /* the old one is taken out */

    ring_of(NEW "\n", &ring);
    assert_int_equal(opens(&ring, "c", &before.str, NULL), RMS_DECLINED);
    assert_int_equal(opens(&ring, "c", &after.str, "after"), RMS_OK);

    after.data[0]++;
    assert_int_equal(rms_seal_current(&ring, &after.str), 0);
    after.data[0]--;

    after.str.len--;
    assert_int_equal(rms_seal_current(&ring, &after.str), 1);
    after.str.len = RMS_SEAL_OVERHEAD - 1;
    assert_int_equal(rms_seal_current(&ring, &after.str), 0);

    /* zeros are the id of no key */

    rms_seal_ring_wipe(&ring);
    memset(after.data + 1, 0, RMS_SEAL_KEY_ID);
    after.str.len = RMS_SEAL_OVERHEAD;
    assert_int_equal(rms_seal_current(&ring, &after.str), 0);
}


static void
same_text_is_never_sealed_alike(void **state)
{
    size_t           i;
    buf_t            one, two;
    rms_seal_ring_t  ring;

    (void) state;

    ring_of(OLD, &ring);
    seal(&ring, "c", "the same text, longer than a block", &one);
    seal(&ring, "c", "the same text, longer than a block", &two);

    assert_memory_not_equal(one.data + 1 + RMS_SEAL_KEY_ID,
                            two.data + 1 + RMS_SEAL_KEY_ID, RMS_SEAL_SALT);

    for (i = RMS_SEAL_HEADER; i + 8 <= one.str.len; i++) {
        assert_memory_not_equal(one.data + i, two.data + i, 8);
    }

    rms_seal_ring_wipe(&ring);
}


static void
nothing_is_sealed_without_key_or_randomness(void **state)
{
    buf_t            record;
    rms_str_t        c, t;
    rms_seal_ring_t  ring;

    (void) state;

    c = str("c");
    t = str("text");

    memset(&ring, 0, sizeof(ring));
    assert_int_equal(rms_seal(&ring, &c, &t, room(&record, 256)),
                     RMS_DECLINED);

    ring_of(OLD, &ring);

    no_randomness = 1;
    assert_int_equal(rms_seal(&ring, &c, &t, room(&record, 256)),
                     RMS_UNSUPPORTED);
    no_randomness = 0;

    seal(&ring, "c", "text", &record);

    rms_seal_ring_wipe(&ring);
    assert_int_equal(opens(&ring, "c", &record.str, NULL), RMS_DECLINED);
}


static void
too_little_room_writes_nothing(void **state)
{
    buf_t            record, got;
    rms_str_t        c, t, long_one;
    rms_seal_ring_t  ring;

    (void) state;

    c = str("c");
    t = str("text");
    ring_of(OLD, &ring);

    assert_int_equal(rms_seal(&ring, &c, &t,
                              room(&record, 3 + RMS_SEAL_OVERHEAD)),
                     RMS_TOO_LARGE);
    assert_int_equal(record.data[0], 0xee);

    assert_int_equal(rms_seal(&ring, &c, &t,
                              room(&record, 4 + RMS_SEAL_OVERHEAD)), RMS_OK);
    assert_int_equal(record.data[4 + RMS_SEAL_OVERHEAD], 0xee);

    assert_int_equal(rms_unseal(&ring, &c, &record.str, room(&got, 3)),
                     RMS_TOO_LARGE);
    assert_int_equal(got.data[0], 0xee);
    assert_int_equal(rms_unseal(&ring, &c, &record.str, room(&got, 4)),
                     RMS_OK);
    assert_int_equal(got.data[4], 0xee);

    /* neither is read beyond its bound */

    long_one.data = NULL;
    long_one.len = RMS_SEAL_CONTEXT_MAX + 1;
    assert_int_equal(rms_seal(&ring, &long_one, &t, room(&got, 256)),
                     RMS_TOO_LARGE);
    assert_int_equal(rms_unseal(&ring, &long_one, &record.str,
                                room(&got, 256)), RMS_TOO_LARGE);

    long_one.len = RMS_SEAL_TEXT_MAX + 1;
    got.str.len = SIZE_MAX;
    assert_int_equal(rms_seal(&ring, &c, &long_one, &got.str), RMS_TOO_LARGE);

    rms_seal_ring_wipe(&ring);
}


static void
wiped_ring_holds_nothing_of_its_keys(void **state)
{
    size_t           i;
    rms_seal_ring_t  ring;

    (void) state;

    ring_of(NEW "\n" OLD, &ring);
    assert_int_equal(ring.n, 2);
    assert_int_equal(ring.keys[1].key[31], 0x1f);

    rms_seal_ring_wipe(&ring);

    for (i = 0; i < sizeof(ring); i++) {
        assert_int_equal(((unsigned char *) &ring)[i], 0);
    }
}


static void
file_of_keys_is_read_by_its_rules(void **state)
{
    size_t            i;
    rms_seal_ring_t   ring;
    rms_seal_error_t  error;

    static const struct {
        const char  *text;
        rms_rc_e     rc;
        size_t       n;                 /* keys, or the line that is wrong  */
        const char  *why;
    } cases[] = {
        { OLD, RMS_OK, 1, NULL },
        { OLD "\n", RMS_OK, 1, NULL },
        { "# first seals\r\n" OLD "\r\n\r\n", RMS_OK, 1, NULL },
        { "\n \t\n  # x\n\t" OLD " \n" NEW "  # since May\n", RMS_OK, 2,
          NULL },

        { "", RMS_INVALID, 0, "no key in it" },
        { "\n# none\n", RMS_INVALID, 0, "no key in it" },
        { OLD "\n" OLD "\n", RMS_INVALID, 2, "once more" },
        { NEW "\n\nffeeddccbbaa99887766554433221100"
          "ffeeddccbbaa99887766554433221100", RMS_INVALID, 3,
          "once more" },
        { "0123", RMS_INVALID, 1, "64 hex digits" },
        { OLD "0", RMS_INVALID, 1, "64 hex digits" },
        { OLD "#", RMS_INVALID, 1, "64 hex digits" },
        { OLD " x", RMS_INVALID, 1, "64 hex digits" },
        { OLD " " NEW, RMS_INVALID, 1, "64 hex digits" },
        { OLD "\n" "g" OLD, RMS_INVALID, 2, "64 hex digits" },
        { OLD "\n" NEW "\n" "00010203040506070809g"
          "a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", RMS_INVALID, 3,
          "64 hex digits" },
        { OLD "\n\n\n:", RMS_INVALID, 4, "64 hex digits" }
    };

    (void) state;

    for (i = 0; i < array_n(cases); i++) {
        assert_int_equal(read_ring(cases[i].text, &ring, &error),
                         cases[i].rc);

        if (cases[i].rc == RMS_OK) {
            assert_int_equal(ring.n, cases[i].n);
            assert_int_equal(ring.keys[0].key[31], 0x1f);

        } else {
            assert_int_equal(ring.n, 0);
            assert_int_equal(error.line, cases[i].n);
            assert_non_null(strstr(error.text, cases[i].why));
        }

        rms_seal_ring_wipe(&ring);
    }
}


static void
ring_takes_sixteen_keys_and_no_more(void **state)
{
    size_t            i;
    char              text[RMS_SEAL_KEYS_MAX * 65 + 66], *p;
    rms_seal_ring_t   ring;
    rms_seal_error_t  error;

    (void) state;

    for (p = text, i = 0; i <= RMS_SEAL_KEYS_MAX; i++) {
        p += sprintf(p, "%064zx\n", i + 1);
    }

    assert_int_equal(read_ring(text, &ring, &error), RMS_TOO_LARGE);
    assert_int_equal(error.line, RMS_SEAL_KEYS_MAX + 1);
    assert_int_equal(ring.n, 0);

    text[RMS_SEAL_KEYS_MAX * 65] = '\0';
    ring_of(text, &ring);
    assert_int_equal(ring.n, RMS_SEAL_KEYS_MAX);
    assert_int_equal(ring.keys[RMS_SEAL_KEYS_MAX - 1].key[31],
                     RMS_SEAL_KEYS_MAX);

    rms_seal_ring_wipe(&ring);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(record_is_what_others_compute),
        cmocka_unit_test(tampered_record_is_refused_at_each_bit),
        cmocka_unit_test(record_opens_under_no_other_name),
        cmocka_unit_test(record_cut_or_grown_is_refused),
        cmocka_unit_test(empty_text_is_sealed_as_any_other),
        cmocka_unit_test(keys_are_changed_without_losing_records),
        cmocka_unit_test(same_text_is_never_sealed_alike),
        cmocka_unit_test(nothing_is_sealed_without_key_or_randomness),
        cmocka_unit_test(too_little_room_writes_nothing),
        cmocka_unit_test(wiped_ring_holds_nothing_of_its_keys),
        cmocka_unit_test(file_of_keys_is_read_by_its_rules),
        cmocka_unit_test(ring_takes_sixteen_keys_and_no_more)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
