/*
 * The replay cache against a naive one that forgets nothing.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "rms_replay.h"


#define WINDOW     600
#define KEYS       4096         /* different logins of the model          */
#define OPERATIONS 100000


typedef struct {
    void          *memory;
    rms_replay_t  *replay;
} cache_t;


static uint64_t  rnd_state;


static uint32_t
rnd(uint32_t below)
{
    rnd_state = rnd_state * UINT64_C(6364136223846793005)
                + UINT64_C(1442695040888963407);

    return (uint32_t) (rnd_state >> 33) % below;
}


static void *
block(size_t entries)
{
    void    *p;
    size_t   size;

    size = rms_replay_size(entries);

    /* exactly so long, so that a byte beyond is caught by the sanitizer */

    if (posix_memalign(&p, 16, size) != 0) {
        fail();
    }

    memset(p, 0xa5, size);

    return p;
}


static cache_t
cache(size_t entries)
{
    cache_t  c;

    c.memory = block(entries);
    c.replay = rms_replay_init(c.memory, entries, WINDOW);
    assert_non_null(c.replay);

    return c;
}


/* A hash that spreads like a SHA-256 for each number. */

static void
hash_of(uint32_t n, unsigned char *hash)
{
    size_t    i;
    uint64_t  x;

    x = (uint64_t) n + 1;

    for (i = 0; i < 32; i++) {
        x ^= x >> 29;
        x *= UINT64_C(0xbf58476d1ce4e5b9);
        x ^= x >> 32;
        hash[i] = (unsigned char) (x >> 11);
    }
}


static rms_replay_e
check(rms_replay_t *replay, uint32_t n, uint64_t now)
{
    unsigned char  hash[32];

    hash_of(n, hash);

    return rms_replay_check(replay, hash, now, 0);
}


static void
second_use_is_seen(void **state)
{
    cache_t  c;

    (void) state;

    c = cache(100);

    assert_int_equal(check(c.replay, 1, 1000), RMS_REPLAY_NEW);
    assert_int_equal(check(c.replay, 1, 1000), RMS_REPLAY_SEEN);
    assert_int_equal(check(c.replay, 2, 1000), RMS_REPLAY_NEW);
    assert_int_equal(check(c.replay, 1, 1001), RMS_REPLAY_SEEN);

    free(c.memory);
}


static void
entry_is_remembered_for_a_whole_window(void **state)
{
    uint64_t  t, later;
    cache_t   c;

    (void) state;

    for (t = 0; t < WINDOW; t += 37) {
        for (later = 0; later <= WINDOW; later += 25) {
            c = cache(100);

            assert_int_equal(check(c.replay, 1, 5000), RMS_REPLAY_NEW);
            assert_int_equal(check(c.replay, 2, 5000 + t), RMS_REPLAY_NEW);
            assert_int_equal(check(c.replay, 2, 5000 + t + later),
                             RMS_REPLAY_SEEN);

            free(c.memory);
        }
    }
}


static void
entry_is_forgotten_after_two_windows(void **state)
{
    cache_t             c;
    rms_replay_stats_t  s;

    (void) state;

    c = cache(100);

    assert_int_equal(check(c.replay, 1, 5000), RMS_REPLAY_NEW);
    assert_int_equal(check(c.replay, 2, 5000 + WINDOW), RMS_REPLAY_NEW);

    s = rms_replay_stats(c.replay);
    assert_int_equal(s.used, 1);
    assert_int_equal(s.previous, 1);
    assert_int_equal(s.started, 5000 + WINDOW);

    assert_int_equal(check(c.replay, 1, 5000 + 2 * WINDOW), RMS_REPLAY_NEW);
    assert_int_equal(check(c.replay, 2, 5000 + 2 * WINDOW), RMS_REPLAY_SEEN);

    /* a rest does not make entries live longer than two windows */

    assert_int_equal(check(c.replay, 3, 5000 + 2 * WINDOW), RMS_REPLAY_NEW);
    assert_int_equal(check(c.replay, 4, 5000 + 4 * WINDOW - 1),
                     RMS_REPLAY_NEW);
    assert_int_equal(check(c.replay, 3, 5000 + 4 * WINDOW), RMS_REPLAY_NEW);

    /* a long rest forgets both generations at once */

    assert_int_equal(check(c.replay, 2, 5000 + 9 * WINDOW), RMS_REPLAY_NEW);

    s = rms_replay_stats(c.replay);
    assert_int_equal(s.used, 1);
    assert_int_equal(s.previous, 0);

    free(c.memory);
}


static void
step_back_of_the_clock_forgets_nothing(void **state)
{
    cache_t  c;

    (void) state;

    c = cache(100);

    assert_int_equal(check(c.replay, 1, 5000), RMS_REPLAY_NEW);
    assert_int_equal(check(c.replay, 1, 10), RMS_REPLAY_SEEN);
    assert_int_equal(check(c.replay, 2, 10), RMS_REPLAY_NEW);
    assert_int_equal(check(c.replay, 1, 10 + 3 * WINDOW), RMS_REPLAY_SEEN);
    assert_int_equal(check(c.replay, 1, 5000 + WINDOW), RMS_REPLAY_SEEN);
    assert_int_equal(rms_replay_stats(c.replay).previous, 2);

    free(c.memory);
}


static void
places_that_are_kept_are_for_others(void **state)
{
    size_t         i;
    cache_t        c;
    unsigned char  hash[32];

    (void) state;

    c = cache(100);
    memset(hash, 0, sizeof(hash));

    for (i = 0; i < 75; i++) {
        hash[0] = (unsigned char) (i + 1);
        assert_int_equal(rms_replay_check(c.replay, hash, 5000, 25),
                         RMS_REPLAY_NEW);
    }

    hash[0] = 200;
    assert_int_equal(rms_replay_check(c.replay, hash, 5000, 25),
                     RMS_REPLAY_FULL);
    assert_int_equal(rms_replay_check(c.replay, hash, 5000, 0),
                     RMS_REPLAY_NEW);

    /* what is known is known to all, and time makes room */

    assert_int_equal(rms_replay_check(c.replay, hash, 5000, 25),
                     RMS_REPLAY_SEEN);
    hash[0] = 201;
    assert_int_equal(rms_replay_check(c.replay, hash, 5000 + WINDOW, 25),
                     RMS_REPLAY_NEW);

    free(c.memory);
}


static void
full_cache_refuses_the_new_and_knows_the_old(void **state)
{
    size_t              i, k, entries;
    cache_t             c;
    rms_replay_stats_t  s;

    static const size_t  sizes[] = { 1, 2, 6, 7, 8, 13, 14, 100, 1000 };

    (void) state;

    for (k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
        entries = sizes[k];
        c = cache(entries);

        for (i = 0; i < entries; i++) {
            assert_int_equal(check(c.replay, (uint32_t) i, 5000),
                             RMS_REPLAY_NEW);
        }

        s = rms_replay_stats(c.replay);
        assert_int_equal(s.used, entries);
        assert_int_equal(s.capacity, entries);

        assert_int_equal(check(c.replay, 100000, 5000), RMS_REPLAY_FULL);

        for (i = 0; i < entries; i++) {
            assert_int_equal(check(c.replay, (uint32_t) i, 5000),
                             RMS_REPLAY_SEEN);
        }

        /* the next generation has room, and still knows them */

        assert_int_equal(check(c.replay, 100000, 5000 + WINDOW),
                         RMS_REPLAY_NEW);
        assert_int_equal(check(c.replay, 0, 5000 + WINDOW),
                         RMS_REPLAY_SEEN);

        free(c.memory);
    }
}


static void
cache_without_room_refuses_everything(void **state)
{
    cache_t  c;

    (void) state;

    c = cache(0);
    assert_int_equal(check(c.replay, 1, 5000), RMS_REPLAY_FULL);
    assert_int_equal(check(c.replay, 1, 5000 + WINDOW), RMS_REPLAY_FULL);
    free(c.memory);
}


static void
hash_of_zeros_is_remembered_like_any(void **state)
{
    cache_t        c;
    unsigned char  zeros[32], other[32];

    (void) state;

    c = cache(10);

    memset(zeros, 0, sizeof(zeros));
    memset(other, 0, sizeof(other));
    other[0] = 1;

    assert_int_equal(rms_replay_check(c.replay, zeros, 5000, 0),
                     RMS_REPLAY_NEW);
    assert_int_equal(rms_replay_check(c.replay, zeros, 5000, 0),
                     RMS_REPLAY_SEEN);
    assert_int_equal(rms_replay_check(c.replay, other, 5000, 0),
                     RMS_REPLAY_NEW);
    assert_int_equal(rms_replay_stats(c.replay).used, 2);

    free(c.memory);
}


static void
hashes_with_one_index_are_told_apart(void **state)
{
    unsigned       i;
    cache_t        c;
    unsigned char  hash[32];

    (void) state;

    c = cache(64);

    /* the same first eight bytes: all of them start at the same slot */

    memset(hash, 0xff, sizeof(hash));

    for (i = 0; i < 64; i++) {
        hash[RMS_REPLAY_TAG - 1] = (unsigned char) i;
        assert_int_equal(rms_replay_check(c.replay, hash, 5000, 0),
                         RMS_REPLAY_NEW);
    }

    for (i = 0; i < 64; i++) {
        hash[RMS_REPLAY_TAG - 1] = (unsigned char) i;
        assert_int_equal(rms_replay_check(c.replay, hash, 5000, 0),
                         RMS_REPLAY_SEEN);
    }

    free(c.memory);
}


static void
cache_survives_at_another_address(void **state)
{
    size_t         i, size;
    void          *moved;
    cache_t        c;
    rms_replay_t  *replay;

    (void) state;

    c = cache(500);

    for (i = 0; i < 300; i++) {
        assert_int_equal(check(c.replay, (uint32_t) i, 5000), RMS_REPLAY_NEW);
    }

    size = rms_replay_size(500);
    moved = block(500);
    memcpy(moved, c.memory, size);
    memset(c.memory, 0xee, size);
    free(c.memory);

    replay = rms_replay_attach(moved, 500, WINDOW);
    assert_non_null(replay);

    for (i = 0; i < 300; i++) {
        assert_int_equal(check(replay, (uint32_t) i, 5100), RMS_REPLAY_SEEN);
    }

    assert_int_equal(check(replay, 300, 5100), RMS_REPLAY_NEW);
    assert_int_equal(rms_replay_stats(replay).used, 301);

    free(moved);
}


static void
foreign_memory_is_not_taken_over(void **state)
{
    void    *garbage;
    cache_t  c;

    (void) state;

    garbage = block(500);
    assert_null(rms_replay_attach(garbage, 500, WINDOW));
    memset(garbage, 0, rms_replay_size(500));
    assert_null(rms_replay_attach(garbage, 500, WINDOW));
    free(garbage);

    c = cache(500);
    assert_null(rms_replay_attach(c.memory, 499, WINDOW));
    assert_null(rms_replay_attach(c.memory, 501, WINDOW));
    assert_non_null(rms_replay_attach(c.memory, 500, 2 * WINDOW));

    /* all is right but the mark of the layout */

    ((unsigned char *) c.memory)[7] ^= 1;
    assert_null(rms_replay_attach(c.memory, 500, WINDOW));
    free(c.memory);
}


static void
only_a_longer_window_counts_after_a_take_over(void **state)
{
    cache_t  c;

    (void) state;

    c = cache(10);
    assert_int_equal(check(c.replay, 1, 5000), RMS_REPLAY_NEW);
    assert_int_equal(check(c.replay, 2, 5000 + WINDOW - 10), RMS_REPLAY_NEW);

    assert_non_null(rms_replay_attach(c.memory, 10, 10));
    assert_int_equal(check(c.replay, 2, 5000 + WINDOW), RMS_REPLAY_SEEN);

    assert_non_null(rms_replay_attach(c.memory, 10, 10 * WINDOW));
    assert_int_equal(check(c.replay, 1, 5000 + 9 * WINDOW), RMS_REPLAY_SEEN);

    free(c.memory);
}


static void
size_and_fit_agree(void **state)
{
    size_t  n, size;

    (void) state;

    for (n = 1; n < 3000; n++) {
        size = rms_replay_size(n);
        assert_true(size > rms_replay_size(n - 1));
        assert_int_equal(rms_replay_fit(size), n);
        assert_true(rms_replay_fit(size - 1) < n);
    }

    for (n = 0; n < 20000; n++) {
        if (rms_replay_fit(n) != 0) {
            assert_true(rms_replay_size(rms_replay_fit(n)) <= n);
        }
    }

    assert_int_equal(rms_replay_fit(0), 0);
    assert_int_equal(rms_replay_size(SIZE_MAX), 0);
    assert_int_equal(rms_replay_size(SIZE_MAX / 32), 0);

    /* a generation is at most 7/8 full */

    size = 16 * 1024 * 1024;
    assert_in_range(rms_replay_fit(size), size / 32 * 7 / 8 - 8,
                    size / 32 * 7 / 8);
}


/*
 * What must hold whatever the table does inside: a login accepted within the
 * last window is SEEN, one last accepted two windows ago is NEW, FULL appears
 * only when the generation is full, and nothing is SEEN that never was NEW.
 */

static void
random_use_agrees_with_a_naive_set(void **state)
{
    size_t              i;
    cache_t             c;
    uint32_t            key;
    uint64_t            now;
    rms_replay_e        answer;
    rms_replay_stats_t  before;

    static uint64_t  accepted[KEYS];
    size_t           counts[3] = { 0, 0, 0 };

    (void) state;

    rnd_state = 20240117;
    memset(accepted, 0, sizeof(accepted));
    now = 1000000;
    c = cache(700);

    for (i = 0; i < OPERATIONS; i++) {

        if (rnd(10) == 0) {
            now += rnd(8);
        }

        if (rnd(10000) == 0) {
            now += rnd(3 * WINDOW);
        }

        key = rnd(KEYS);
        before = rms_replay_stats(c.replay);
        answer = check(c.replay, key, now);
        counts[answer]++;

        if (accepted[key] != 0 && now - accepted[key] <= WINDOW) {
            assert_int_equal(answer, RMS_REPLAY_SEEN);
        }

        if (accepted[key] == 0 || now - accepted[key] >= 2 * WINDOW) {
            assert_int_not_equal(answer, RMS_REPLAY_SEEN);
        }

        if (answer == RMS_REPLAY_FULL) {
            assert_int_equal(before.used, before.capacity);
        }

        if (answer == RMS_REPLAY_NEW) {
            accepted[key] = now;
        }
    }

    /* the mixture has reached every answer often */

    assert_true(counts[RMS_REPLAY_NEW] > 1000);
    assert_true(counts[RMS_REPLAY_SEEN] > 1000);
    assert_true(counts[RMS_REPLAY_FULL] > 1000);

    free(c.memory);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(second_use_is_seen),
        cmocka_unit_test(entry_is_remembered_for_a_whole_window),
        cmocka_unit_test(entry_is_forgotten_after_two_windows),
        cmocka_unit_test(step_back_of_the_clock_forgets_nothing),
        cmocka_unit_test(full_cache_refuses_the_new_and_knows_the_old),
        cmocka_unit_test(cache_without_room_refuses_everything),
        cmocka_unit_test(hash_of_zeros_is_remembered_like_any),
        cmocka_unit_test(hashes_with_one_index_are_told_apart),
        cmocka_unit_test(cache_survives_at_another_address),
        cmocka_unit_test(foreign_memory_is_not_taken_over),
        cmocka_unit_test(only_a_longer_window_counts_after_a_take_over),
        cmocka_unit_test(places_that_are_kept_are_for_others),
        cmocka_unit_test(size_and_fit_agree),
        cmocka_unit_test(random_use_agrees_with_a_naive_set)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
