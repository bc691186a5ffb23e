/*
 * Sessions: their ids, their end, their record.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>

#include "rms_session.h"


#define CREATED   UINT64_C(1700000000)
#define LIFETIME  28800
#define IDLE      3600

#define array_n(a)  (sizeof(a) / sizeof((a)[0]))


static int  no_randomness;


/* Stands before that of the library, so that it can fail. */

int
RAND_priv_bytes(unsigned char *p, int n)
{
    memset(p, 0x11, (size_t) n);

    return no_randomness ? 0 : RAND_priv_bytes_ex(NULL, p, (size_t) n, 0);
}


static rms_str_t
str(const char *s)
{
    rms_str_t  r;

    r.data = (unsigned char *) s;
    r.len = strlen(s);

    return r;
}


static rms_session_t
session(void)
{
    rms_session_t  s;

    memset(&s, 0, sizeof(s));

    s.account = str("EXCH01$@CORP.EXAMPLE");
    s.service = str("HTTP/rms.corp.example@CORP.EXAMPLE");
    s.sids = str("some bytes");
    s.mech = RMS_SESSION_KERBEROS;
    s.foreign = 1;
    memset(s.scope, 0x42, sizeof(s.scope));
    s.created = CREATED;
    s.seen = CREATED + 600;
    s.lifetime = LIFETIME;
    s.idle = IDLE;
    s.epoch = 5;
    s.has_user = 1;
    s.user.authority = 5;
    s.user.n = 3;
    s.user.sub[0] = 21;
    s.user.sub[1] = 7;
    s.user.sub[2] = 0x89abcdef;

    return s;
}


static void
session_ends_by_its_rules(void **state)
{
    size_t         i;
    rms_session_t  s;

    static const struct {
        uint64_t             seen;      /* after created                 */
        int64_t              now;
        uint64_t             revoked_at;
        rms_session_state_e  state;
    } cases[] = {
        { 0, 0, 0, RMS_SESSION_VALID },
        { 0, IDLE - 1, 0, RMS_SESSION_VALID },
        { 0, IDLE, 0, RMS_SESSION_IDLE },
        { 600, IDLE + 599, 0, RMS_SESSION_VALID },
        { 600, IDLE + 600, 0, RMS_SESSION_IDLE },
        { LIFETIME - 10, LIFETIME - 1, 0, RMS_SESSION_VALID },
        { LIFETIME - 10, LIFETIME, 0, RMS_SESSION_EXPIRED },
        { 0, LIFETIME, 0, RMS_SESSION_EXPIRED },
        { 0, INT64_MAX / 2, 0, RMS_SESSION_EXPIRED },

        /* revocations: those before the login do not count */

        { 0, 0, 4, RMS_SESSION_VALID },
        { 0, 0, 5, RMS_SESSION_VALID },
        { 0, 0, 6, RMS_SESSION_REVOKED },
        { 0, LIFETIME, 6, RMS_SESSION_REVOKED },
        { 0, 0, UINT64_MAX, RMS_SESSION_REVOKED },

        /* a clock that is a little behind, and one that was set back */

        { 600, 600 - RMS_SESSION_SKEW, 0, RMS_SESSION_VALID },
        { 600, 600 - RMS_SESSION_SKEW - 1, 0, RMS_SESSION_EXPIRED },
        { 0, -RMS_SESSION_SKEW, 0, RMS_SESSION_VALID },
        { 0, -RMS_SESSION_SKEW - 1, 0, RMS_SESSION_EXPIRED },
        { 0, -(int64_t) CREATED, 0, RMS_SESSION_EXPIRED },
        { LIFETIME, LIFETIME - 1, 0, RMS_SESSION_EXPIRED }
    };

    (void) state;

    for (i = 0; i < array_n(cases); i++) {
        s = session();
        s.seen = CREATED + cases[i].seen;

        assert_int_equal(rms_session_state(&s, s.scope,
                                           CREATED + (uint64_t) cases[i].now,
                                           cases[i].revoked_at),
                         cases[i].state);
    }
}


static void
session_is_worth_nothing_elsewhere(void **state)
{
    size_t         i;
    rms_session_t  s;
    unsigned char  scope[RMS_SESSION_SCOPE];

    (void) state;

    s = session();

    for (i = 0; i < sizeof(scope); i++) {
        memcpy(scope, s.scope, sizeof(scope));
        scope[i] ^= 1;
        assert_int_equal(rms_session_state(&s, scope, s.seen, 0),
                         RMS_SESSION_ELSEWHERE);
    }
}


/* Whenever it is written back, steps of the clock make no life longer. */

static void
step_back_does_not_lengthen_a_life(void **state)
{
    uint64_t       real, now, step, at;
    rms_session_t  s;

    (void) state;

    for (at = 10; at < LIFETIME; at += 997) {
        for (step = 1; step < 2 * LIFETIME; step += 1777) {
            s = session();
            s.seen = CREATED;

            for (real = CREATED; ; real += 60) {
                now = (real < CREATED + at) ? real : real - step;

                if (rms_session_state(&s, s.scope, now, 0)
                    != RMS_SESSION_VALID)
                {
                    break;
                }

                if (rms_session_touch_due(&s, now)) {
                    s.seen = now;
                }
            }

            assert_true(real - CREATED <= LIFETIME + IDLE / 10
                                          + RMS_SESSION_SKEW + 60);
        }
    }
}


static void
use_is_written_back_after_a_tenth_of_idle(void **state)
{
    rms_session_t  s;

    (void) state;

    s = session();
    assert_false(rms_session_touch_due(&s, s.seen));
    assert_false(rms_session_touch_due(&s, s.seen + IDLE / 10));
    assert_true(rms_session_touch_due(&s, s.seen + IDLE / 10 + 1));
    assert_false(rms_session_touch_due(&s, s.seen - 1));
    assert_false(rms_session_touch_due(&s, 0));

    s.idle = 5;
    assert_false(rms_session_touch_due(&s, s.seen));
    assert_true(rms_session_touch_due(&s, s.seen + 1));
}


static void
record_may_go_at_the_earlier_end(void **state)
{
    rms_session_t  s;

    (void) state;

    s = session();
    assert_int_equal(rms_session_expires(&s), CREATED + 600 + IDLE);
    s.seen = CREATED + LIFETIME - 10;
    assert_int_equal(rms_session_expires(&s), CREATED + LIFETIME);
    s.seen = s.created = UINT64_MAX / 2;
    s.idle = s.lifetime = UINT32_MAX;
    assert_int_equal(rms_session_expires(&s), UINT64_MAX / 2 + UINT32_MAX);
}


static void
id_has_one_text(void **state)
{
    size_t         i, k;
    rms_str_t      text;
    unsigned char  id[RMS_SESSION_ID], back[RMS_SESSION_ID];
    unsigned char  buf[RMS_SESSION_TEXT + 1];

    static const unsigned char  made[RMS_SESSION_ID] = {
        0xfb, 0xff, 0xbf, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    };

    static const unsigned char  alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    static const char *const  wrong[] = {
        "",
        "-_-_AwQFBgcICQoLDA0OD",            /* short                     */
        "-_-_AwQFBgcICQoLDA0ODwA",          /* long                      */
        "-_-_AwQFBgcICQoLDA0ODw==",
        "+/+/AwQFBgcICQoLDA0ODw",           /* another alphabet          */
        "-_-_AwQFBgcICQoLDA0ODx",           /* bits behind the end       */
        "-_-_AwQFBgcICQoLDA0OD=",
        "-_-_AwQFBgcICQo DA0ODw",
        "-_-_AwQFBgcICQo\nDA0ODw",
        "-_-_AwQFBgcICQo\xc3\xa4" "A0ODw"
    };

    (void) state;

    rms_session_id_text(made, buf);
    assert_memory_equal(buf, "-_-_AwQFBgcICQoLDA0ODw", RMS_SESSION_TEXT);

    for (i = 0; i < array_n(wrong); i++) {
        text = str(wrong[i]);
        memset(back, 0x55, sizeof(back));
        assert_int_equal(rms_session_id_read(&text, back), RMS_INVALID);
        assert_int_equal(back[0], 0x55);
    }

    text.data = buf;
    text.len = RMS_SESSION_TEXT;

    for (i = 0; i < 2000; i++) {
        assert_int_equal(rms_session_id_make(id), RMS_OK);
        rms_session_id_text(id, buf);
        assert_int_equal(rms_session_id_read(&text, back), RMS_OK);
        assert_memory_equal(back, id, RMS_SESSION_ID);
    }

    /* of 256 characters 64 are good, each with a value of its own */

    memset(buf, 'A', RMS_SESSION_TEXT);

    for (i = 0, k = 0; i < 256; i++) {
        buf[3] = (unsigned char) i;

        if (rms_session_id_read(&text, back) == RMS_OK) {
            assert_non_null(memchr(alphabet, (int) i, 64));
            assert_int_equal(back[2], (unsigned char *)
                             memchr(alphabet, (int) i, 64) - alphabet);
            k++;
        }
    }

    assert_int_equal(k, 64);

    buf[3] = 'A';

    /* of 256 last characters, those four that end in zeros are good */

    for (i = 0, k = 0; i < 256; i++) {
        buf[RMS_SESSION_TEXT - 1] = (unsigned char) i;
        k += (rms_session_id_read(&text, back) == RMS_OK);
    }

    assert_int_equal(k, 4);
}


static void
no_id_without_randomness(void **state)
{
    unsigned char  id[RMS_SESSION_ID], other[RMS_SESSION_ID];

    static const unsigned char  zeros[RMS_SESSION_ID];

    (void) state;

    assert_int_equal(rms_session_id_make(id), RMS_OK);
    assert_int_equal(rms_session_id_make(other), RMS_OK);
    assert_memory_not_equal(id, other, RMS_SESSION_ID);

    no_randomness = 1;
    assert_int_equal(rms_session_id_make(id), RMS_UNSUPPORTED);
    assert_memory_equal(id, zeros, RMS_SESSION_ID);
    no_randomness = 0;
}


static void
key_does_not_tell_the_id(void **state)
{
    unsigned char  key[RMS_SESSION_KEY], other[RMS_SESSION_KEY];

    static const unsigned char  id[RMS_SESSION_ID] = { 1, 2, 3 };
    static const unsigned char  next[RMS_SESSION_ID] = { 1, 2, 4 };

    /* SHA-256 of "rms session id, version 1", a zero byte, and the id */

    static const unsigned char  expected[RMS_SESSION_KEY] = {
        0x11, 0x0f, 0x84, 0x51, 0x7d, 0xa9, 0xc2, 0x31,
        0x89, 0x43, 0xf4, 0x8e, 0xe5, 0xc1, 0xa6, 0xce
    };

    (void) state;

    assert_int_equal(rms_session_key(id, key), RMS_OK);
    assert_memory_equal(key, expected, sizeof(key));
    assert_int_equal(rms_session_key(next, other), RMS_OK);
    assert_memory_not_equal(key, other, sizeof(key));
}


static void
key_of_a_last_login_is_the_accounts_alone(void **state)
{
    rms_str_t      account = rms_string("alice@RMS.TEST");
    rms_str_t      capitals = rms_string("ALICE@RMS.TEST");
    unsigned char  key[RMS_SESSION_KEY], other[RMS_SESSION_KEY];

    /* SHA-256 of "rms last login of, version 1", a zero byte, the account */

    static const unsigned char  expected[RMS_SESSION_KEY] = {
        0xce, 0xe2, 0xdc, 0xa1, 0xcb, 0xbc, 0x24, 0x1c,
        0xb3, 0x36, 0x51, 0x78, 0x0a, 0xda, 0xd9, 0x05
    };

    (void) state;

    assert_int_equal(rms_session_account_key(&account, key), RMS_OK);
    assert_memory_equal(key, expected, sizeof(key));
    assert_int_equal(rms_session_account_key(&capitals, other), RMS_OK);
    assert_memory_not_equal(key, other, sizeof(key));
}


static void
first_cookie_in_the_form_of_an_id_counts(void **state)
{
    size_t         i, k, n;
    rms_rc_e       rc;
    rms_str_t      name, headers[4];
    unsigned char  id[RMS_SESSION_ID];

    static const struct {
        const char  *headers[3];
        rms_rc_e     rc;
        int          first;             /* byte of the id                */
    } cases[] = {
        { { "rms=AQAAAAAAAAAAAAAAAAAAAA" }, RMS_OK, 1 },
        { { "rms=AQAAAAAAAAAAAAAAAAAAAA; rms=AgAAAAAAAAAAAAAAAAAAAA" },
          RMS_OK, 1 },
        { { "rms=x; rms=; rms=AgAAAAAAAAAAAAAAAAAAAA" }, RMS_OK, 2 },
        { { "rms=\"AQAAAAAAAAAAAAAAAAAAAA\"", "rms=AgAAAAAAAAAAAAAAAAAAAA" },
          RMS_OK, 2 },
        { { "RMS=AQAAAAAAAAAAAAAAAAAAAA; xrms=AQAAAAAAAAAAAAAAAAAAAA" },
          RMS_DECLINED, 0 },
        { { "rms=x; rms=y; rms=z" }, RMS_DECLINED, 0 },
        { { "rms" }, RMS_DECLINED, 0 },
        { { "a=b; c=d" }, RMS_DECLINED, 0 },
        { { NULL }, RMS_DECLINED, 0 },
        { { "rms=1; rms=2; rms=3; rms=AQAAAAAAAAAAAAAAAAAAAA" }, RMS_OK, 1 },
        { { "rms=AQAAAAAAAAAAAAAAAAAAAA; rms=2", "rms=3; rms=4; rms=5" },
          RMS_TOO_LARGE, 0 }
    };

    (void) state;

    name = str("rms");

    for (i = 0; i < array_n(cases); i++) {

        for (k = 0, n = 0; k < 3 && cases[i].headers[k]; k++, n++) {
            headers[k] = str(cases[i].headers[k]);
        }

        rc = rms_session_cookie(headers, n, &name, id);
        assert_int_equal(rc, cases[i].rc);

        if (rc == RMS_OK) {
            assert_int_equal(id[0], cases[i].first);
        }
    }
}


static void
record_is_read_as_it_was_written(void **state)
{
    unsigned              i;
    rms_str_t             bytes;
    rms_session_t         s, back;
    static unsigned char  buf[RMS_SESSION_ENCODED_MAX];
    static unsigned char  many[RMS_SESSION_SIDS_MAX];

    (void) state;

    for (i = 0; i < 128; i++) {
        s = session();
        s.mech = (rms_session_mech_e) (1 + i % 3);
        s.has_user = i >= 48;
        s.user.n = 1 + i % RMS_SID_SUBS_MAX;
        s.foreign = i >> 2 & 1;
        s.has_thumbprint = (i >> 3 & 1) || s.mech == RMS_SESSION_CERTIFICATE;

        if (s.has_thumbprint) {
            memset(s.thumbprint, (int) i, sizeof(s.thumbprint));
        }

        if (i & 16) {
            s.service.len = 0;
            s.sids.len = 0;
            s.has_user = 0;
        }

        if (i & 32) {
            s.sids.data = many;
            s.sids.len = sizeof(many);
            s.epoch = UINT64_MAX;
            s.lifetime = s.idle = UINT32_MAX;
            s.created = s.seen = UINT64_MAX / 2;
            s.user.authority = (UINT64_C(1) << 48) - 1;
            memset(s.user.sub, 0xff, s.user.n * sizeof(uint32_t));
        }

        bytes.data = buf;
        bytes.len = sizeof(buf);
        assert_int_equal(rms_session_encode(&s, &bytes), RMS_OK);
        assert_int_equal(rms_session_decode(&bytes, &back), RMS_OK);

        assert_int_equal(back.mech, s.mech);
        assert_int_equal(back.foreign, s.foreign);
        assert_int_equal(back.has_thumbprint, s.has_thumbprint);
        assert_memory_equal(back.thumbprint, s.thumbprint, 32);
        assert_int_equal(back.has_user, s.has_user);

        if (s.has_user) {
            assert_int_equal(rms_sid_cmp(&back.user, &s.user), 0);
        }

        assert_memory_equal(back.scope, s.scope, 16);
        assert_true(rms_str_eq(&back.account, &s.account));
        assert_true(rms_str_eq(&back.service, &s.service));
        assert_true(rms_str_eq(&back.sids, &s.sids));
        assert_int_equal(back.created, s.created);
        assert_int_equal(back.seen, s.seen);
        assert_int_equal(back.lifetime, s.lifetime);
        assert_int_equal(back.idle, s.idle);
        assert_int_equal(back.epoch, s.epoch);
    }
}


/* Other nodes, and other versions, read these very bytes. */

static void
record_has_this_form(void **state)
{
    rms_str_t      bytes;
    rms_session_t  s;
    unsigned char  buf[200];

    static const unsigned char  expected[] =
        "\x02\x01\x05"
        "BBBBBBBBBBBBBBBB"
        "\x00\xf1\x53\x65\x00\x00\x00\x00"
        "\x58\xf3\x53\x65\x00\x00\x00\x00"
        "\x80\x70\x00\x00"
        "\x10\x0e\x00\x00"
        "\x05\x00\x00\x00\x00\x00\x00\x00"
        "\x03" "\x05\x00\x00\x00\x00\x00"
        "\x15\x00\x00\x00" "\x07\x00\x00\x00" "\xef\xcd\xab\x89"
        "\x14\x00" "EXCH01$@CORP.EXAMPLE"
        "\x22\x00" "HTTP/rms.corp.example@CORP.EXAMPLE"
        "\x0a\x00" "some bytes";

    (void) state;

    s = session();
    bytes.data = buf;
    bytes.len = sizeof(buf);

    assert_int_equal(rms_session_encode(&s, &bytes), RMS_OK);
    assert_int_equal(bytes.len, sizeof(expected) - 1);
    assert_memory_equal(buf, expected, bytes.len);

    bytes.len--;
    assert_int_equal(rms_session_encode(&s, &bytes), RMS_TOO_LARGE);
}


static void
session_that_breaks_a_rule_is_not_written(void **state)
{
    unsigned              i;
    rms_str_t             bytes;
    rms_session_t         s;
    static unsigned char  buf[RMS_SESSION_ENCODED_MAX];
    static unsigned char  many[RMS_SESSION_SIDS_MAX + 1];

    (void) state;

    memset(many, 'a', sizeof(many));

    for (i = 0; i < 20; i++) {
        s = session();

        switch (i) {
        case 0: s.account.len = 0; break;
        case 1: s.account = str("a\nb"); break;
        case 2: s.account = str("a\x7f"); break;
        case 3: s.account = str("a\xc2\x85"); break;
        case 4: s.service = str("\t"); break;
        case 5: s.account.data = many; s.account.len = 513; break;
        case 6: s.service.data = many; s.service.len = 513; break;
        case 7: s.sids.data = many; s.sids.len = sizeof(many); break;
        case 8: s.mech = (rms_session_mech_e) 0; break;
        case 9: s.mech = (rms_session_mech_e) 4; break;
        case 10: s.mech = RMS_SESSION_CERTIFICATE; break;
        case 11: s.lifetime = 0; break;
        case 12: s.idle = 0; break;
        case 13: s.seen = s.created - 1; break;
        case 14: s.seen = UINT64_MAX / 2 + 1; break;
        case 15: s.user.n = 0; break;
        case 16: s.user.n = RMS_SID_SUBS_MAX + 1; break;
        case 17: s.user.authority = UINT64_C(1) << 48; break;
        case 18: s.sids.len = 0; break;
        default: s.account.data = many; s.account.len = 512;
        }

        bytes.data = buf;
        bytes.len = sizeof(buf);
        assert_int_equal(rms_session_encode(&s, &bytes),
                         i == 19 ? RMS_OK : RMS_INVALID);
    }
}


static void
damaged_record_is_not_read(void **state)
{
    size_t          i, n;
    rms_str_t       bytes;
    rms_session_t   s, back;
    unsigned char   buf[256], *copy;

    static const struct {
        size_t         at;
        unsigned char  byte;
        rms_rc_e       rc;
    } cases[] = {
        { 0, 0, RMS_UNSUPPORTED },              /* version               */
        { 0, 1, RMS_UNSUPPORTED },
        { 0, 3, RMS_UNSUPPORTED },
        { 1, 0, RMS_INVALID },                  /* mech                  */
        { 1, 4, RMS_INVALID },
        { 2, 8, RMS_INVALID },                  /* unknown flag          */
        { 2, 1, RMS_INVALID },                  /* a user not announced  */
        { 2, 0x80, RMS_INVALID },
        { 34, 0xff, RMS_INVALID },              /* seen: too far         */
        { 28, 0, RMS_INVALID },                 /* seen before created   */
        { 51, 0, RMS_INVALID },                 /* user: of nobody       */
        { 51, 2, RMS_INVALID },
        { 51, 16, RMS_INVALID },
        { 57, 0xff, RMS_OK },                   /* its authority         */
        { 70, 0, RMS_INVALID },                 /* account: empty        */
        { 70, 21, RMS_INVALID },
        { 71, 0xff, RMS_INVALID },
        { 72, '\n', RMS_INVALID },
        { 72, 'F', RMS_OK }
    };

    (void) state;

    s = session();
    bytes.data = buf;
    bytes.len = sizeof(buf);
    assert_int_equal(rms_session_encode(&s, &bytes), RMS_OK);
    n = bytes.len;

    for (i = 0; i < array_n(cases); i++) {
        copy = malloc(n);
        assert_non_null(copy);
        memcpy(copy, buf, n);
        copy[cases[i].at] = cases[i].byte;
        bytes.data = copy;
        bytes.len = n;
        assert_int_equal(rms_session_decode(&bytes, &back), cases[i].rc);
        free(copy);
    }

    /* cut anywhere: exactly so long, so that a byte beyond is caught */

    for (i = 0; i < n; i++) {
        copy = malloc(i ? i : 1);
        assert_non_null(copy);
        memcpy(copy, buf, i);
        bytes.data = copy;
        bytes.len = i;
        assert_int_equal(rms_session_decode(&bytes, &back), RMS_INVALID);
        free(copy);
    }

    bytes.data = buf;
    bytes.len = n + 1;
    buf[n] = 0;
    assert_int_equal(rms_session_decode(&bytes, &back), RMS_INVALID);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(session_ends_by_its_rules),
        cmocka_unit_test(session_is_worth_nothing_elsewhere),
        cmocka_unit_test(step_back_does_not_lengthen_a_life),
        cmocka_unit_test(use_is_written_back_after_a_tenth_of_idle),
        cmocka_unit_test(record_may_go_at_the_earlier_end),
        cmocka_unit_test(id_has_one_text),
        cmocka_unit_test(no_id_without_randomness),
        cmocka_unit_test(key_does_not_tell_the_id),
        cmocka_unit_test(key_of_a_last_login_is_the_accounts_alone),
        cmocka_unit_test(first_cookie_in_the_form_of_an_id_counts),
        cmocka_unit_test(record_is_read_as_it_was_written),
        cmocka_unit_test(record_has_this_form),
        cmocka_unit_test(session_that_breaks_a_rule_is_not_written),
        cmocka_unit_test(damaged_record_is_not_read)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
