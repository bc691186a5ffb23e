/*
 * Security identifiers and sets of them.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "rms_sid.h"


#define NELEMS(a)  (sizeof(a) / sizeof((a)[0]))


/* A copy of just this length: the sanitizer sees a byte read beyond it. */

static rms_str_t
copy(const void *data, size_t len)
{
    rms_str_t  r;

    r.len = len;
    r.data = malloc(len ? len : 1);
    assert_non_null(r.data);
    memcpy(r.data, data, len);

    return r;
}


static rms_sid_t
sid_of(const char *text)
{
    rms_sid_t  sid;
    rms_str_t  s;

    s = copy(text, strlen(text));
    assert_int_equal(rms_sid_parse(&s, &sid), RMS_OK);
    free(s.data);

    return sid;
}


static void
sids_have_one_spelling(void **state)
{
    size_t     i;
    rms_sid_t  sid;
    rms_str_t  text;

    static const struct {
        const char  *text;
        rms_rc_e     rc;
    } want[] = {
        { "S-1-5-21-1-2-3-1118", RMS_OK },
        { "S-1-5-18", RMS_OK },
        { "S-1-1-0", RMS_OK },
        { "S-1-18-1", RMS_OK },
        { "S-1-5-21-4294967295-0-3-500", RMS_OK },
        { "S-1-4294967295-0", RMS_OK },
        { "S-1-0x000100000000-1", RMS_OK },
        { "S-1-0xffffffffffff-1", RMS_OK },
        { "S-1-5-1-2-3-4-5-6-7-8-9-10-11-12-13-14-15", RMS_OK },
        { "S-1-5-1-2-3-4-5-6-7-8-9-10-11-12-13-14-15-16", RMS_INVALID },
        { "S-1-5-21-4294967296", RMS_INVALID },
        { "S-1-5-21-99999999999", RMS_INVALID },
        { "S-1-5-21-18446744073709551617", RMS_INVALID },
        { "S-1-4294967296-1", RMS_INVALID },
        { "S-1-5", RMS_INVALID },
        { "S-1-", RMS_INVALID },
        { "S-1", RMS_INVALID },
        { "", RMS_INVALID },
        { "s-1-5-18", RMS_INVALID },
        { "S-2-5-18", RMS_INVALID },
        { "S-1-5-", RMS_INVALID },
        { "S-1-5--18", RMS_INVALID },
        { "S-1-5-018", RMS_INVALID },
        { "S-1-5-00", RMS_INVALID },
        { "S-1-05-18", RMS_INVALID },
        { "S-1-5-18-", RMS_INVALID },
        { "S-1-5-18 ", RMS_INVALID },
        { " S-1-5-18", RMS_INVALID },
        { "S-1-5-+18", RMS_INVALID },
        { "S-1-5-0x12", RMS_INVALID },
        { "S-1-0x5-18", RMS_INVALID },
        { "S-1-0x000000000005-18", RMS_INVALID },
        { "S-1-0x0000ffffffff-18", RMS_INVALID },
        { "S-1-0xFFFFFFFFFFFF-1", RMS_INVALID },
        { "S-1-0Xffffffffffff-1", RMS_INVALID },
        { "S-1-0xfffffffffff", RMS_INVALID },
        { "S-1-0xfffffffffffg-1", RMS_INVALID },
        { "S-1-0xfffffffffffff-1", RMS_INVALID },
        { "S-1-0x", RMS_INVALID },
        { "S-1-5-18,S-1-5-19", RMS_INVALID }
    };

    (void) state;

    for (i = 0; i < NELEMS(want); i++) {
        text = copy(want[i].text, strlen(want[i].text));
        if (rms_sid_parse(&text, &sid) != want[i].rc) {
            fail_msg("%s", want[i].text);
        }
        free(text.data);
    }

    text = copy("S-1-5-18\0", 9);
    assert_int_equal(rms_sid_parse(&text, &sid), RMS_INVALID);
    free(text.data);
}


static void
text_comes_back_as_it_went_in(void **state)
{
    char       *text;
    size_t      i;
    rms_sid_t   sid;

    static const char  *texts[] = {
        "S-1-0-0",
        "S-1-5-21-1004336348-1177238915-682003330-1118",
        "S-1-18-2",
        "S-1-4294967295-4294967295",
        "S-1-0x000100000000-0-1",
        "S-1-0xffffffffffff-4294967295-4294967295-4294967295-4294967295"
        "-4294967295-4294967295-4294967295-4294967295-4294967295-4294967295"
        "-4294967295-4294967295-4294967295-4294967295-4294967295"
    };

    (void) state;

    for (i = 0; i < NELEMS(texts); i++) {
        sid = sid_of(texts[i]);
        text = malloc(RMS_SID_TEXT_MAX);
        assert_non_null(text);
        assert_int_equal(rms_sid_format(&sid, text), strlen(texts[i]));
        assert_memory_equal(text, texts[i], strlen(texts[i]));
        free(text);
    }

    /* the last one is as long as they get */

    assert_int_equal(strlen(texts[i - 1]), RMS_SID_TEXT_MAX);
}


static void
binary_form_is_read_strictly(void **state)
{
    size_t     i;
    rms_sid_t  sid, want;
    rms_str_t  binary;

    static const struct {
        const char  *data;
        size_t       len;
        const char  *text;
    } table[] = {
        { "\1\1\0\0\0\0\0\5\x12\0\0\0", 12, "S-1-5-18" },
        { "\1\2\0\0\0\0\0\5\x20\0\0\0\x20\2\0\0", 16, "S-1-5-32-544" },
        { "\1\1\1\2\3\4\5\6\xff\xfe\xfd\xfc", 12,
          "S-1-0x010203040506-4244504319" },
        { "\1\1\0\0\0\0\0\5\x12\0\0", 11, NULL },
        { "\1\1\0\0\0\0\0\5\x12\0\0\0\0", 13, NULL },
        { "\1\2\0\0\0\0\0\5\x12\0\0\0", 12, NULL },
        { "\1\0\0\0\0\0\0\5", 8, NULL },
        { "\0\1\0\0\0\0\0\5\x12\0\0\0", 12, NULL },
        { "\2\1\0\0\0\0\0\5\x12\0\0\0", 12, NULL },
        { "\1\1\0\0\0\0\0", 7, NULL },
        { "", 0, NULL }
    };

    (void) state;

    for (i = 0; i < NELEMS(table); i++) {
        binary = copy(table[i].data, table[i].len);

        if (table[i].text == NULL) {
            assert_int_equal(rms_sid_read(&binary, &sid), RMS_INVALID);

        } else {
            want = sid_of(table[i].text);
            assert_int_equal(rms_sid_read(&binary, &sid), RMS_OK);
            assert_int_equal(rms_sid_cmp(&sid, &want), 0);
        }

        free(binary.data);
    }
}


static void
binary_form_holds_fifteen_parts_at_most(void **state)
{
    rms_sid_t  sid;
    rms_str_t  binary;

    (void) state;

    binary.len = RMS_SID_BINARY_MAX;
    binary.data = calloc(1, binary.len);
    assert_non_null(binary.data);
    binary.data[0] = 1;
    binary.data[1] = RMS_SID_SUBS_MAX;
    assert_int_equal(rms_sid_read(&binary, &sid), RMS_OK);
    assert_int_equal(sid.n, RMS_SID_SUBS_MAX);
    free(binary.data);

    binary.len = RMS_SID_BINARY_MAX + 4;
    binary.data = calloc(1, binary.len);
    assert_non_null(binary.data);
    binary.data[0] = 1;
    binary.data[1] = RMS_SID_SUBS_MAX + 1;
    assert_int_equal(rms_sid_read(&binary, &sid), RMS_INVALID);
    free(binary.data);
}


static void
order_tells_all_sids_apart(void **state)
{
    size_t     i, k;
    rms_sid_t  a, b;

    /* ascending */
    static const char  *texts[] = {
        "S-1-1-0", "S-1-5-18", "S-1-5-19", "S-1-5-1-1", "S-1-5-1-4294967295",
        "S-1-5-32-544", "S-1-5-21-1-2", "S-1-5-21-1-3", "S-1-5-21-2-2",
        "S-1-18-1", "S-1-0x000100000000-1"
    };

    (void) state;

    for (i = 0; i < NELEMS(texts); i++) {
        for (k = 0; k < NELEMS(texts); k++) {
            a = sid_of(texts[i]);
            b = sid_of(texts[k]);
            assert_int_equal((rms_sid_cmp(&a, &b) > 0), (i > k));
            assert_int_equal((rms_sid_cmp(&a, &b) < 0), (i < k));
        }
    }
}


static void
split_and_join_undo_each_other(void **state)
{
    size_t     i;
    uint32_t   rid;
    rms_sid_t  sid, domain, again;

    static const char  *texts[] = {
        "S-1-18-1", "S-1-5-21-1-2-3-4294967295",
        "S-1-5-1-2-3-4-5-6-7-8-9-10-11-12-13-14-15"
    };

    (void) state;

    for (i = 0; i < NELEMS(texts); i++) {
        sid = sid_of(texts[i]);
        rid = rms_sid_split(&sid, &domain);
        assert_int_equal(domain.n, sid.n - 1);
        assert_int_equal(rid, sid.sub[sid.n - 1]);
        assert_int_equal(rms_sid_join(&domain, rid, &again), RMS_OK);
        assert_int_equal(rms_sid_cmp(&sid, &again), 0);
    }

    assert_int_equal(rms_sid_join(&sid, 1, &again), RMS_TOO_LARGE);
}


/* A generator of our own: the same numbers everywhere. */

static uint32_t
next(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;

    return *seed >> 16;
}


/* Against a list without order, over many sets that often repeat a SID. */

static void
set_holds_just_what_was_added(void **state)
{
    void           *memory;
    size_t          i, k, n, round, distinct;
    uint32_t        seed;
    rms_sid_t       sids[64], domain, got;
    rms_sid_set_t   set;

    (void) state;

    seed = 7;

    for (round = 0; round < 2000; round++) {
        n = next(&seed) % 64;
        memory = malloc(rms_sid_set_size(n, n) + 1);
        assert_non_null(memory);
        rms_sid_set_init(&set, memory, n, n);

        for (i = 0, distinct = 0; i < n; i++) {
            memset(&sids[i], 0, sizeof(rms_sid_t));
            sids[i].authority = 5 + next(&seed) % 2;
            sids[i].n = 1 + next(&seed) % 3;

            for (k = 0; k < sids[i].n; k++) {
                sids[i].sub[k] = next(&seed) % 4;
            }

            for (k = 0; k < i; k++) {
                if (rms_sid_cmp(&sids[k], &sids[i]) == 0) {
                    break;
                }
            }

            distinct += (k == i);
            (void) rms_sid_split(&sids[i], &domain);
            rms_sid_set_add(&set, &domain, sids[i].sub[sids[i].n - 1]);
        }

        rms_sid_set_close(&set);
        assert_int_equal(set.n_members, distinct);

        for (i = 0; i < n; i++) {
            assert_true(rms_sid_set_has(&set, &sids[i]));

            /* no SID has this part */

            got = sids[i];
            got.sub[next(&seed) % got.n] = 4;
            assert_false(rms_sid_set_has(&set, &got));
        }

        for (i = 0; i < set.n_members; i++) {
            rms_sid_set_get(&set, i, &got);
            for (k = 0; rms_sid_cmp(&sids[k], &got) != 0; k++) {
                assert_true(k + 1 < n);
            }
        }

        free(memory);
    }
}


static void
empty_set_has_nobody(void **state)
{
    rms_sid_t      sid;
    rms_sid_set_t  set;

    (void) state;

    memset(&set, 0, sizeof(rms_sid_set_t));
    sid = sid_of("S-1-5-18");
    assert_false(rms_sid_set_has(&set, &sid));

    memset(&sid, 0, sizeof(rms_sid_t));
    assert_false(rms_sid_set_has(&set, &sid));
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sids_have_one_spelling),
        cmocka_unit_test(text_comes_back_as_it_went_in),
        cmocka_unit_test(binary_form_is_read_strictly),
        cmocka_unit_test(binary_form_holds_fifteen_parts_at_most),
        cmocka_unit_test(order_tells_all_sids_apart),
        cmocka_unit_test(split_and_join_undo_each_other),
        cmocka_unit_test(set_holds_just_what_was_added),
        cmocka_unit_test(empty_set_has_nobody)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
