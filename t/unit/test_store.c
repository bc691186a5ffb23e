/*
 * The store: what is put comes back, who makes room for whom, what is wiped,
 * and what happens when the memory is not what it was.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "rms_store_cell.h"


#define NOW         1000
#define LATER       2000
#define OPERATIONS  60000

#define array_n(a)  (sizeof(a) / sizeof((a)[0]))


typedef struct {
    void         *memory;
    size_t        size;
    rms_store_t   store;
} test_t;


static unsigned char  text[RMS_STORE_VALUE_MAX + 1];
static unsigned char  buf[RMS_STORE_VALUE_MAX];

static uint64_t  rnd_state;


static uint32_t
rnd(uint32_t below)
{
    rnd_state = rnd_state * UINT64_C(6364136223846793005)
                + UINT64_C(1442695040888963407);

    return (uint32_t) (rnd_state >> 33) % below;
}


/* a, b, c: weights of the kinds 0, 1, 2 */

static test_t
make(size_t cells, unsigned a, unsigned b, unsigned c)
{
    size_t    i;
    test_t    t;
    unsigned  parts[RMS_STORE_KINDS] = { a, b, c };

    for (i = 0; i < sizeof(text); i++) {
        text[i] = (unsigned char) (1 + i % 251);
    }

    t.size = rms_store_size(cells);

    /* exactly so long, so that a byte beyond is caught by the sanitizer */

    if (posix_memalign(&t.memory, 16, t.size) != 0) {
        fail();
    }

    memset(t.memory, 0xa5, t.size);
    assert_int_equal(rms_store_init(&t.store, t.memory, cells, parts), RMS_OK);

    return t;
}


static rms_store_key_t
key(unsigned kind, uint32_t n)
{
    rms_store_key_t  k;

    memset(k.id, 0x3c, sizeof(k.id));
    memcpy(k.id, &n, sizeof(n));
    memcpy(k.id + 8, &n, sizeof(n));
    k.kind = (unsigned char) kind;

    return k;
}


static rms_rc_e
put_between(test_t *t, unsigned kind, uint32_t n, size_t len, uint64_t now,
    uint64_t expires)
{
    rms_str_t        value;
    rms_store_key_t  k;

    k = key(kind, n);
    value.data = text;
    value.len = len;

    return rms_store_put(&t->store, &k, &value, expires, now);
}


static rms_rc_e
put_until(test_t *t, unsigned kind, uint32_t n, size_t len, uint64_t expires)
{
    return put_between(t, kind, n, len, NOW, expires);
}


static rms_rc_e
put_at(test_t *t, unsigned kind, uint32_t n, size_t len, uint64_t now)
{
    return put_between(t, kind, n, len, now, LATER);
}


static rms_rc_e
put(test_t *t, unsigned kind, uint32_t n, size_t len)
{
    return put_until(t, kind, n, len, LATER);
}


/* The length of the value, or -1. */

static long
get_at(test_t *t, unsigned kind, uint32_t n, uint64_t now)
{
    rms_rc_e         rc;
    rms_str_t        value;
    rms_store_key_t  k;

    k = key(kind, n);
    value.data = buf;
    value.len = sizeof(buf);
    memset(buf, 0, sizeof(buf));

    rc = rms_store_get(&t->store, &k, &value, now);

    if (rc == RMS_DECLINED) {
        assert_int_equal(value.len, 0);
        return -1;
    }

    assert_int_equal(rc, RMS_OK);
    assert_memory_equal(buf, text, value.len);

    return (long) value.len;
}


static long
get(test_t *t, unsigned kind, uint32_t n)
{
    return get_at(t, kind, n, NOW);
}


static rms_rc_e
delete(test_t *t, unsigned kind, uint32_t n)
{
    rms_store_key_t  k;

    k = key(kind, n);

    return rms_store_delete(&t->store, &k);
}


static rms_rc_e
touch(test_t *t, unsigned kind, uint32_t n, uint64_t expires, uint64_t now)
{
    rms_store_key_t  k;

    k = key(kind, n);

    return rms_store_touch(&t->store, &k, expires, now);
}


static void
value_comes_back_as_it_was_put(void **state)
{
    size_t              i;
    test_t              t;
    rms_store_stats_t   s;

    static const struct {
        size_t  len;
        size_t  cells;
    } cases[] = {
        { 0, 1 }, { 1, 1 }, { 71, 1 }, { 72, 1 }, { 73, 2 }, { 192, 2 },
        { 193, 3 }, { 312, 3 }, { 313, 4 }, { 4096, 35 },
        { RMS_STORE_VALUE_MAX - 1, 274 }, { RMS_STORE_VALUE_MAX, 274 }
    };

    (void) state;

    t = make(500, 1, 0, 0);

    for (i = 0; i < array_n(cases); i++) {
        assert_int_equal(rms_store_cells(cases[i].len), cases[i].cells);
        assert_int_equal(put(&t, 0, 7, cases[i].len), RMS_OK);
        assert_int_equal(get(&t, 0, 7), cases[i].len);

        s = rms_store_stats(&t.store);
        assert_int_equal(s.kinds[0].records, 1);
        assert_int_equal(s.kinds[0].cells, cases[i].cells);
        assert_int_equal(s.free, 500 - cases[i].cells);
        assert_int_equal(s.resets, 0);
    }

    assert_int_equal(get(&t, 0, 8), -1);
    assert_int_equal(delete(&t, 0, 7), RMS_OK);
    assert_int_equal(delete(&t, 0, 7), RMS_DECLINED);
    assert_int_equal(get(&t, 0, 7), -1);
    assert_int_equal(rms_store_stats(&t.store).free, 500);

    free(t.memory);
}


static void
short_buffer_learns_what_is_needed(void **state)
{
    test_t           t;
    rms_str_t        value;
    rms_store_key_t  k;

    (void) state;

    t = make(50, 1, 0, 0);
    k = key(0, 1);
    assert_int_equal(put(&t, 0, 1, 300), RMS_OK);

    memset(buf, 0x77, sizeof(buf));
    value.data = buf;
    value.len = 299;
    assert_int_equal(rms_store_get(&t.store, &k, &value, NOW), RMS_TOO_LARGE);
    assert_int_equal(value.len, 300);
    assert_int_equal(buf[0], 0x77);

    assert_int_equal(rms_store_get(&t.store, &k, &value, NOW), RMS_OK);
    assert_int_equal(value.len, 300);
    assert_int_equal(buf[300], 0x77);

    free(t.memory);
}


static void
kind_is_part_of_the_key(void **state)
{
    test_t           t;
    rms_str_t        value;
    rms_store_key_t  k;

    (void) state;

    /* two chains: kinds 0 and 2 are in one */

    t = make(3, 1, 1, 1);

    assert_int_equal(put(&t, 0, 5, 10), RMS_OK);
    assert_int_equal(put(&t, 2, 5, 20), RMS_OK);
    assert_int_equal(get(&t, 0, 5), 10);
    assert_int_equal(get(&t, 2, 5), 20);
    assert_int_equal(get(&t, 1, 5), -1);
    assert_int_equal(delete(&t, 0, 5), RMS_OK);
    assert_int_equal(get(&t, 2, 5), 20);

    /* a number that is none, and a kind without a share */

    k = key(RMS_STORE_KINDS, 5);
    value.data = buf;
    value.len = 10;
    assert_int_equal(rms_store_put(&t.store, &k, &value, LATER, NOW),
                     RMS_INVALID);
    assert_int_equal(rms_store_get(&t.store, &k, &value, NOW), RMS_DECLINED);
    assert_int_equal(rms_store_touch(&t.store, &k, LATER, NOW), RMS_DECLINED);
    assert_int_equal(rms_store_delete(&t.store, &k), RMS_DECLINED);
    assert_int_equal(put(&t, 3, 5, 0), RMS_TOO_LARGE);

    free(t.memory);
}


static void
record_ends_at_its_expiry(void **state)
{
    test_t  t;

    (void) state;

    t = make(50, 1, 0, 0);

    assert_int_equal(put(&t, 0, 1, 10), RMS_OK);
    assert_int_equal(get_at(&t, 0, 1, LATER - 1), 10);
    assert_int_equal(get_at(&t, 0, 1, LATER), -1);
    assert_int_equal(rms_store_stats(&t.store).kinds[0].expired, 1);
    assert_int_equal(rms_store_stats(&t.store).kinds[0].records, 0);

    /* it is gone, even if the clock goes back */

    assert_int_equal(get(&t, 0, 1), -1);

    assert_int_equal(put(&t, 0, 1, 10), RMS_OK);
    assert_int_equal(touch(&t, 0, 1, LATER + 50, LATER - 1), RMS_OK);
    assert_int_equal(get_at(&t, 0, 1, LATER + 49), 10);
    assert_int_equal(touch(&t, 0, 1, LATER + 90, LATER + 50), RMS_DECLINED);
    assert_int_equal(touch(&t, 0, 2, LATER, NOW), RMS_DECLINED);

    /* what is over when it is put is not kept, nor is what it replaces */

    assert_int_equal(put(&t, 0, 1, 10), RMS_OK);
    assert_int_equal(put_until(&t, 0, 1, 10, NOW), RMS_DECLINED);
    assert_int_equal(get(&t, 0, 1), -1);

    free(t.memory);
}


static void
unused_for_longest_makes_room(void **state)
{
    test_t    t;
    uint32_t  n;

    (void) state;

    t = make(8, 1, 0, 0);

    for (n = 0; n < 8; n++) {
        assert_int_equal(put(&t, 0, n, 10), RMS_OK);
    }

    assert_int_equal(get(&t, 0, 0), 10);
    assert_int_equal(touch(&t, 0, 1, LATER, NOW), RMS_OK);
    assert_int_equal(put(&t, 0, 2, 10), RMS_OK);

    /* three cells: 3, 4 and 5 go */

    assert_int_equal(put(&t, 0, 8, 200), RMS_OK);

    for (n = 0; n < 9; n++) {
        assert_int_equal(get(&t, 0, n),
                         (n >= 3 && n <= 5) ? -1 : (n == 8) ? 200 : 10);
    }

    assert_int_equal(rms_store_stats(&t.store).kinds[0].evicted, 3);

    free(t.memory);
}


static void
kind_within_its_share_makes_room_for_nobody(void **state)
{
    test_t              t;
    uint32_t            n, left;
    rms_store_stats_t   s;

    (void) state;

    t = make(100, 30, 50, 20);

    for (n = 0; n < 30; n++) {
        assert_int_equal(put(&t, 0, n, 10), RMS_OK);
    }

    for (n = 0; n < 1000; n++) {
        assert_int_equal(put(&t, 1, n, n % 1500), RMS_OK);
        assert_int_equal(put(&t, 2, n, n % 600), RMS_OK);
    }

    for (n = 0; n < 30; n++) {
        assert_int_equal(get(&t, 0, n), 10);
    }

    /* the others did what they could: nothing is left unused for long */

    s = rms_store_stats(&t.store);
    assert_int_equal(s.kinds[0].evicted, 0);
    assert_true(s.kinds[1].evicted > 500 && s.kinds[2].evicted > 500);
    assert_true(s.kinds[1].cells + s.kinds[2].cells + s.free == 70);

    for (n = 0, left = 0; n < 1000; n++) {
        left += (get(&t, 1, n) >= 0);
    }

    assert_int_equal(left, s.kinds[1].records);

    free(t.memory);
}


static void
borrowed_cells_are_given_back(void **state)
{
    test_t    t;
    uint32_t  n;

    (void) state;

    t = make(100, 50, 50, 0);

    for (n = 0; n < 100; n++) {
        assert_int_equal(put(&t, 0, n, 10), RMS_OK);
    }

    assert_int_equal(rms_store_stats(&t.store).kinds[0].cells, 100);

    for (n = 0; n < 50; n++) {
        assert_int_equal(put(&t, 1, n, 10), RMS_OK);
    }

    assert_int_equal(rms_store_stats(&t.store).kinds[0].evicted, 50);
    assert_int_equal(rms_store_stats(&t.store).kinds[1].evicted, 0);

    /* full on both sides: each makes room for its own */

    assert_int_equal(put(&t, 1, 50, 10), RMS_OK);
    assert_int_equal(rms_store_stats(&t.store).kinds[1].evicted, 1);
    assert_int_equal(get(&t, 1, 0), -1);
    assert_int_equal(put(&t, 0, 200, 10), RMS_OK);
    assert_int_equal(rms_store_stats(&t.store).kinds[0].evicted, 51);
    assert_int_equal(get(&t, 0, 49), -1);
    assert_int_equal(get(&t, 0, 50), -1);
    assert_int_equal(get(&t, 0, 51), 10);

    free(t.memory);
}


static void
who_borrowed_most_gives_first(void **state)
{
    test_t    t;
    uint32_t  n;

    (void) state;

    t = make(90, 30, 30, 30);

    for (n = 0; n < 50; n++) {
        assert_int_equal(put(&t, 1, n, 10), RMS_OK);
    }

    for (n = 0; n < 40; n++) {
        assert_int_equal(put(&t, 0, n, 10), RMS_OK);
    }

    /* 10 and 20 above: the second gives 10, then both in turn */

    for (n = 0; n < 30; n++) {
        assert_int_equal(put(&t, 2, n, 10), RMS_OK);
        assert_int_equal(rms_store_stats(&t.store).kinds[0].evicted,
                         n < 10 ? 0 : (n - 10) / 2 + 1);
    }

    assert_int_equal(rms_store_stats(&t.store).kinds[0].records, 30);
    assert_int_equal(rms_store_stats(&t.store).kinds[1].records, 30);

    free(t.memory);
}


static void
value_that_does_not_fit_leaves_no_old_one(void **state)
{
    test_t           t;
    rms_str_t        value;
    rms_store_key_t  k;

    (void) state;

    t = make(600, 10, 590, 0);

    assert_int_equal(put(&t, 0, 1, 72 + 9 * 120), RMS_OK);
    assert_int_equal(put(&t, 0, 1, 72 + 9 * 120 + 1), RMS_TOO_LARGE);
    assert_int_equal(get(&t, 0, 1), -1);

    assert_int_equal(put(&t, 1, 1, RMS_STORE_VALUE_MAX), RMS_OK);
    k = key(1, 1);
    value.data = text;
    value.len = RMS_STORE_VALUE_MAX + 1;
    assert_int_equal(rms_store_put(&t.store, &k, &value, LATER, NOW),
                     RMS_TOO_LARGE);
    assert_int_equal(get(&t, 1, 1), -1);

    free(t.memory);
}


static int
traces(const test_t *t, size_t len)
{
    return memmem(t->memory, t->size, text, len) != NULL;
}


static void
value_is_wiped_when_its_record_goes(void **state)
{
    size_t    i;
    test_t    t;
    uint32_t  n;

    (void) state;

    for (i = 0; i < 4; i++) {
        t = make(20, 1, 0, 0);
        assert_int_equal(put_until(&t, 0, 1, 1000, NOW + 10), RMS_OK);
        assert_true(traces(&t, 72));

        switch (i) {

        case 0:
            assert_int_equal(delete(&t, 0, 1), RMS_OK);
            break;

        case 1:
            assert_int_equal(get_at(&t, 0, 1, NOW + 10), -1);
            break;

        case 2:
            assert_int_equal(put(&t, 0, 1, 0), RMS_OK);
            break;

        default:
            for (n = 2; n < 22; n++) {
                assert_int_equal(put(&t, 0, n, 0), RMS_OK);
            }
        }

        /* neither the part in the head nor one in a tail */

        assert_false(traces(&t, 8));
        assert_null(memmem(t.memory, t.size, text + 500, 8));

        free(t.memory);
    }
}


static void
forgotten_records_are_swept_by_later_puts(void **state)
{
    test_t           t;
    uint32_t         n;
    rms_str_t        value;
    rms_store_key_t  k;

    (void) state;

    t = make(1000, 1, 0, 0);

    for (n = 0; n < 500; n++) {
        assert_int_equal(put_until(&t, 0, n, 100, NOW + 10), RMS_OK);
    }

    value.data = text;
    value.len = 0;

    for (n = 0; n < 1000 / 8 + 1; n++) {
        k = key(0, 1000 + n % 4);
        assert_int_equal(rms_store_put(&t.store, &k, &value, LATER, NOW + 10),
                         RMS_OK);
    }

    assert_int_equal(rms_store_stats(&t.store).kinds[0].records, 4);
    assert_int_equal(rms_store_stats(&t.store).kinds[0].expired, 500);
    assert_int_equal(rms_store_stats(&t.store).kinds[0].evicted, 0);

    free(t.memory);
}


static void
walk_meets_every_record_once(void **state)
{
    char               seen[300];
    test_t             t;
    size_t             calls, found;
    rms_rc_e           rc;
    uint32_t           n, cursor;
    rms_store_entry_t  entry;

    (void) state;

    t = make(2000, 1, 1, 0);

    for (n = 0; n < 300; n++) {
        assert_int_equal(put_until(&t, n % 2, n, n, n < 10 ? NOW + 5 : LATER),
                         RMS_OK);
    }

    memset(seen, 0, sizeof(seen));
    memset(&entry, 0, sizeof(entry));
    cursor = 0;

    for (calls = 0, found = 0; calls < 5000; calls++) {
        entry.value.data = buf;
        entry.value.len = 200;

        rc = rms_store_each(&t.store, &cursor, 7, NOW + 5, &entry);

        if (rc == RMS_DECLINED) {
            break;
        }

        if (rc == RMS_AGAIN) {
            assert_int_equal(entry.value.len, 200);
            continue;
        }

        assert_int_equal(rc, RMS_OK);
        memcpy(&n, entry.key.id, sizeof(n));
        assert_true(n >= 10 && n < 300 && !seen[n]);
        assert_int_equal(entry.key.kind, n % 2);
        assert_int_equal(entry.expires, LATER);
        assert_int_equal(entry.length, n);
        assert_int_equal(entry.value.len, n <= 200 ? n : 0);
        assert_memory_equal(buf, text, entry.value.len);
        seen[n] = 1;
        found++;

        /* the one that was met may be deleted */

        if (n % 3 == 0) {
            assert_int_equal(rms_store_delete(&t.store, &entry.key), RMS_OK);
        }
    }

    assert_int_equal(rc, RMS_DECLINED);
    assert_int_equal(found, 290);

    free(t.memory);
}


static rms_rc_e
look(test_t *t, unsigned kind, uint32_t n, uint64_t now, uint32_t *number)
{
    rms_store_key_t  k;

    k = key(kind, n);

    return rms_store_look(&t->store, &k, now, number);
}


/* What was made of a value is good as long as the number is the same. */

static void
each_put_has_a_number_of_its_own(void **state)
{
    test_t           t;
    uint32_t         i, number, first, last;
    rms_store_key_t  k;

    (void) state;

    t = make(8, 1, 1, 0);

    assert_int_equal(look(&t, 0, 1, NOW, &number), RMS_DECLINED);
    assert_int_equal(put(&t, 0, 1, 100), RMS_OK);
    assert_int_equal(look(&t, 0, 1, NOW, &first), RMS_OK);
    assert_int_equal(look(&t, 1, 1, NOW, &number), RMS_DECLINED);

    /* to read it, to touch it, and to put others change nothing */

    k = key(0, 1);
    assert_int_equal(get(&t, 0, 1), 100);
    assert_int_equal(rms_store_touch(&t.store, &k, LATER + 1, NOW), RMS_OK);
    assert_int_equal(put(&t, 0, 2, 100), RMS_OK);
    assert_int_equal(look(&t, 0, 1, NOW, &number), RMS_OK);
    assert_int_equal(number, first);
    assert_int_equal(look(&t, 0, 2, NOW, &number), RMS_OK);
    assert_int_not_equal(number, first);

    /* the same value anew is another one, also when it was gone meanwhile */

    for (i = 0, last = first; i < 3; i++, last = number) {
        if (i == 1) {
            assert_int_equal(rms_store_delete(&t.store, &k), RMS_OK);
            assert_int_equal(look(&t, 0, 1, NOW, &number), RMS_DECLINED);
        }

        if (i == 2) {
            rms_store_reset(&t.store);
        }

        assert_int_equal(put(&t, 0, 1, 100), RMS_OK);
        assert_int_equal(look(&t, 0, 1, NOW, &number), RMS_OK);
        assert_true(number > last);
    }

    assert_int_equal(look(&t, 0, 1, LATER, &number), RMS_DECLINED);
    assert_int_equal(rms_store_stats(&t.store).kinds[0].expired, 1);

    free(t.memory);
}


/* Who saw a record need not look again before any has gone. */

static void
every_record_that_goes_is_counted(void **state)
{
    test_t           t;
    uint32_t         number;
    uint64_t         gone;
    rms_store_key_t  k;

    (void) state;

    t = make(4, 1, 0, 0);
    k = key(0, 1);
    gone = rms_store_gone(&t.store);

    assert_int_equal(put(&t, 0, 1, 10), RMS_OK);
    assert_int_equal(put(&t, 0, 2, 10), RMS_OK);
    assert_int_equal(get(&t, 0, 1), 10);
    assert_int_equal(look(&t, 0, 1, NOW, &number), RMS_OK);
    assert_int_equal(rms_store_touch(&t.store, &k, LATER + 1, NOW), RMS_OK);
    assert_int_equal(rms_store_gone(&t.store), gone);

    /* replaced, deleted, pushed out, at its end, and all at once */

    assert_int_equal(put(&t, 0, 1, 10), RMS_OK);
    assert_int_equal(rms_store_gone(&t.store), gone + 1);

    assert_int_equal(rms_store_delete(&t.store, &k), RMS_OK);
    assert_int_equal(rms_store_gone(&t.store), gone + 2);

    assert_int_equal(put(&t, 0, 3, 10), RMS_OK);
    assert_int_equal(put(&t, 0, 4, 10), RMS_OK);
    assert_int_equal(put(&t, 0, 5, 10), RMS_OK);
    assert_int_equal(put(&t, 0, 6, 10), RMS_OK);
    assert_int_equal(rms_store_gone(&t.store), gone + 3);

    assert_int_equal(look(&t, 0, 6, LATER, &number), RMS_DECLINED);
    assert_int_equal(rms_store_gone(&t.store), gone + 4);

    rms_store_reset(&t.store);
    assert_int_equal(rms_store_gone(&t.store), gone + 5);

    free(t.memory);
}


static void
who_is_looked_at_is_in_use(void **state)
{
    test_t    t;
    uint32_t  n, number;

    (void) state;

    t = make(4, 1, 0, 0);

    for (n = 1; n <= 4; n++) {
        assert_int_equal(put(&t, 0, n, 10), RMS_OK);
    }

    assert_int_equal(look(&t, 0, 1, NOW, &number), RMS_OK);
    assert_int_equal(put(&t, 0, 5, 10), RMS_OK);
    assert_int_equal(get(&t, 0, 1), 10);
    assert_int_equal(get(&t, 0, 2), -1);

    free(t.memory);
}


static void
store_survives_at_another_address(void **state)
{
    void      *moved;
    test_t     t;
    uint32_t   n;

    static const unsigned  parts[RMS_STORE_KINDS] = { 1, 3 };

    (void) state;

    t = make(500, 1, 1, 0);

    for (n = 0; n < 100; n++) {
        assert_int_equal(put(&t, 0, n, 3 * n), RMS_OK);
    }

    if (posix_memalign(&moved, 16, t.size) != 0) {
        fail();
    }

    memcpy(moved, t.memory, t.size);
    memset(t.memory, 0xee, t.size);
    free(t.memory);
    t.memory = moved;

    /* other weights count from now on */

    assert_int_equal(rms_store_attach(&t.store, moved, 500, parts), RMS_OK);
    assert_int_equal(rms_store_stats(&t.store).kinds[0].share, 125);

    for (n = 0; n < 100; n++) {
        assert_int_equal(get(&t, 0, n), 3 * n);
    }

    free(t.memory);
}


static void
foreign_memory_is_not_taken_over(void **state)
{
    size_t       i;
    test_t       t;
    rms_store_t  store;

    static const unsigned  parts[RMS_STORE_KINDS] = { 1 };
    static const unsigned  none[RMS_STORE_KINDS] = { 0 };

    /* magic, version, cells, chains, fresh, n_free */
    static const size_t  bytes[] = { 0, 7, 8, 12, 16, 24 };

    (void) state;

    t = make(100, 1, 0, 0);
    assert_int_equal(put(&t, 0, 1, 500), RMS_OK);

    assert_int_equal(rms_store_attach(&store, t.memory, 99, parts),
                     RMS_DECLINED);
    assert_int_equal(rms_store_attach(&store, t.memory, 101, parts),
                     RMS_DECLINED);
    assert_int_equal(rms_store_attach(&store, t.memory, 100, none),
                     RMS_DECLINED);

    for (i = 0; i < array_n(bytes); i++) {
        ((unsigned char *) t.memory)[bytes[i]] ^= 0x40;
        assert_int_equal(rms_store_attach(&store, t.memory, 100, parts),
                         RMS_DECLINED);
        ((unsigned char *) t.memory)[bytes[i]] ^= 0x40;
    }

    assert_int_equal(rms_store_attach(&store, t.memory, 100, parts), RMS_OK);

    memset(t.memory, 0, t.size);
    assert_int_equal(rms_store_attach(&store, t.memory, 100, parts),
                     RMS_DECLINED);

    assert_int_equal(rms_store_init(&store, t.memory, 100, none),
                     RMS_INVALID);
    assert_int_equal(rms_store_init(&store, t.memory, 0, parts), RMS_INVALID);
    assert_int_equal(rms_store_init(&store, t.memory, SIZE_MAX / 64, parts),
                     RMS_INVALID);

    free(t.memory);
}


static void
size_and_fit_agree(void **state)
{
    size_t  n, size;

    (void) state;

    for (n = 1; n < 5000; n++) {
        size = rms_store_size(n);
        assert_true(size > rms_store_size(n - 1));
        assert_int_equal(rms_store_fit(size), n);
        assert_true(rms_store_fit(size - 1) < n);
    }

    for (n = 0; n < 50000; n++) {
        if (rms_store_fit(n) != 0) {
            assert_true(rms_store_size(rms_store_fit(n)) <= n);
            assert_true(rms_store_size(rms_store_fit(n) + 1) > n);
        }
    }

    assert_int_equal(rms_store_fit(0), 0);
    assert_int_equal(rms_store_size(SIZE_MAX), 0);
    assert_true(rms_store_size(rms_store_fit(SIZE_MAX)) != 0);
}


/* Three records of two cells each: 1 and 2, 3 and 4, 5 and 6. */

static void
break_chain_to_itself(test_t *t)
{
    t->store.cells[2].u.head.chain = 3;
}


static void
break_chain_out_of_range(test_t *t)
{
    size_t  i;

    for (i = 0; i < t->store.n_chains; i++) {
        t->store.chains[i] = t->store.n_cells + 1;
    }
}


static void
break_chain_to_a_tail(test_t *t)
{
    size_t  i;

    for (i = 0; i < t->store.n_chains; i++) {
        t->store.chains[i] = 2;
    }
}


static void
break_tail_lost(test_t *t)
{
    t->store.cells[2].next = 0;
}


static void
break_tail_out_of_range(test_t *t)
{
    t->store.cells[2].next = UINT32_MAX;
}


static void
break_length(test_t *t)
{
    t->store.cells[2].u.head.length = UINT32_MAX;
}


static void
break_kind(test_t *t)
{
    t->store.cells[2].u.head.kind = RMS_STORE_KINDS;
}


static void
break_neighbour(test_t *t)
{
    t->store.cells[0].u.head.newer = 5;
}


static void
break_newest(test_t *t)
{
    t->store.shared->kinds[0].first = 3;
}


static void
break_counts(test_t *t)
{
    t->store.shared->kinds[0].cells--;
}


static void
break_free_list(test_t *t)
{
    t->store.shared->n_free++;
}


static void
break_fresh(test_t *t)
{
    t->store.shared->fresh = UINT32_MAX;
}


static void
break_fresh_and_free(test_t *t)
{
    t->store.shared->fresh += 1000;
    t->store.shared->n_free += 1000;
}


static void
break_records(test_t *t)
{
    t->store.shared->kinds[1].records = 1;
}


static void
contradiction_empties_the_store(void **state)
{
    size_t    i, way;
    test_t    t;
    uint32_t  n;

    static void  (*const breaks[])(test_t *t) = {
        break_chain_to_itself, break_chain_out_of_range,
        break_chain_to_a_tail, break_tail_lost, break_tail_out_of_range,
        break_length, break_kind, break_neighbour, break_newest, break_counts,
        break_free_list, break_fresh, break_fresh_and_free, break_records
    };

    (void) state;

    for (i = 0, way = 0; i < array_n(breaks); way++, i = way / 3) {
        t = make(7, 1, 1, 0);

        for (n = 0; n < 3; n++) {
            assert_int_equal(put_until(&t, 0, n, 150, NOW + 100), RMS_OK);
        }

        breaks[i](&t);

        /* met by looking, by the sweep, or by making room */

        for (n = 0; n < 3 && way % 3 == 0; n++) {
            (void) get(&t, 0, n);
            (void) touch(&t, 0, n, NOW + 100, NOW);
        }

        if (way % 3 == 1) {
            assert_int_equal(put_at(&t, 1, 9, 80, NOW + 100), RMS_OK);
        }

        for (n = 0; n < 40; n++) {
            assert_int_equal(put(&t, n % 2, 50 + n, (n % 3) * 80), RMS_OK);
            assert_int_equal(get(&t, n % 2, 50 + n), (n % 3) * 80);
        }

        (void) delete(&t, 0, 1);

        /* once; a chain that ends in itself may be met by none of these */

        assert_in_range(rms_store_stats(&t.store).resets,
                        i == 0 ? 0 : 1, 1);

        free(t.memory);
    }
}


/* Nothing follows a chain for ever: a ring of records, none of them ours. */

static void
ring_of_records_is_left(void **state)
{
    size_t    i;
    test_t    t;
    uint32_t  n;

    (void) state;

    t = make(20, 1, 0, 0);

    for (n = 0; n < 3; n++) {
        assert_int_equal(put(&t, 0, n, 0), RMS_OK);
    }

    for (i = 0; i < 3; i++) {
        t.store.cells[i].u.head.chain = (uint32_t) (i + 1) % 3 + 1;
    }

    for (i = 0; i < t.store.n_chains; i++) {
        t.store.chains[i] = 1;
    }

    assert_int_equal(get(&t, 0, 9), -1);
    assert_int_equal(rms_store_stats(&t.store).resets, 1);
    assert_int_equal(get(&t, 0, 1), -1);

    free(t.memory);
}


/* The middle one of three is known on one side only. */

static void
list_is_changed_where_both_sides_agree(void **state)
{
    size_t             i;
    test_t             t;
    uint32_t           n;
    rms_store_cell_t  *cells;

    (void) state;

    for (i = 0; i < 4; i++) {
        t = make(20, 1, 0, 0);
        cells = t.store.cells;

        for (n = 0; n < 3; n++) {
            assert_int_equal(put(&t, 0, n, 0), RMS_OK);
        }

        switch (i) {

        case 0:
            cells[0].u.head.newer = 3;
            break;

        case 1:
            cells[2].u.head.older = 1;
            break;

        case 2:
            cells[1].u.head.older = 0;
            break;

        default:
            assert_int_equal(rms_store_lru_remove(&t.store, 2, &cells[1]),
                             RMS_OK);
            assert_int_equal(cells[0].u.head.newer, 3);
            assert_int_equal(cells[2].u.head.older, 1);
            free(t.memory);
            return;
        }

        assert_int_equal(rms_store_lru_remove(&t.store, 2, &cells[1]),
                         RMS_INVALID);
        free(t.memory);
    }
}


/* A worker that was killed between taking a cell and linking it. */

static void
lost_cells_are_noticed(void **state)
{
    test_t  t;

    (void) state;

    t = make(20, 1, 0, 0);
    assert_int_equal(put(&t, 0, 1, 10), RMS_OK);
    assert_int_equal(rms_store_take(&t.store, RMS_STORE_HEAD), 2);

    assert_int_equal(get(&t, 0, 1), -1);
    assert_int_equal(rms_store_stats(&t.store).resets, 1);
    assert_int_equal(rms_store_stats(&t.store).free, 20);

    free(t.memory);
}


#define MODEL_KEYS  60

typedef struct {
    int       there;
    size_t    len;
    uint64_t  used;
} model_t;


static size_t
model_cells(const model_t *model, unsigned kind)
{
    size_t  i, n;

    for (i = kind, n = 0; i < MODEL_KEYS; i += 2) {
        n += model[i].there ? rms_store_cells(model[i].len) : 0;
    }

    return n;
}


/* The rule again: own kind above its share first, else who is above his. */

static void
model_make_room(model_t *model, unsigned kind, size_t n, size_t cells,
    const uint32_t *share)
{
    size_t    i, oldest, used[2];
    unsigned  victim;

    for ( ;; ) {
        used[0] = model_cells(model, 0);
        used[1] = model_cells(model, 1);

        if (used[0] + used[1] + n <= cells) {
            return;
        }

        victim = (used[kind] != 0 && used[kind] + n > share[kind]) ? kind
                 : 1 - kind;
        oldest = MODEL_KEYS;

        for (i = victim; i < MODEL_KEYS; i += 2) {
            if (model[i].there
                && (oldest == MODEL_KEYS
                    || model[i].used < model[oldest].used))
            {
                oldest = i;
            }
        }

        assert_true(oldest < MODEL_KEYS);
        model[oldest].there = 0;
    }
}


static void
random_use_agrees_with_a_naive_store(void **state)
{
    size_t      i, len;
    test_t      t;
    uint32_t    n;

    static model_t  model[MODEL_KEYS];

    (void) state;

    rnd_state = 20240131;
    memset(model, 0, sizeof(model));
    t = make(64, 2, 1, 0);

    for (i = 1; i < OPERATIONS; i++) {
        n = rnd(MODEL_KEYS);

        switch (rnd(4)) {

        case 0:
            len = rnd(1200);

            if (rms_store_cells(len) > t.store.share[n % 2]) {
                break;
            }

            model[n].there = 0;
            model_make_room(model, n % 2, rms_store_cells(len), 64,
                            t.store.share);
            model[n].there = 1;
            model[n].len = len;
            model[n].used = i;

            assert_int_equal(put(&t, n % 2, n, len), RMS_OK);
            break;

        case 1:
            assert_int_equal(delete(&t, n % 2, n),
                             model[n].there ? RMS_OK : RMS_DECLINED);
            model[n].there = 0;
            break;

        case 2:
            assert_int_equal(touch(&t, n % 2, n, LATER, NOW),
                             model[n].there ? RMS_OK : RMS_DECLINED);
            model[n].used = i;
            break;

        default:
            assert_int_equal(get(&t, n % 2, n),
                             model[n].there ? (long) model[n].len : -1);
            model[n].used = i;
        }
    }

    assert_int_equal(rms_store_stats(&t.store).resets, 0);
    assert_true(rms_store_stats(&t.store).kinds[0].evicted > 1000);
    assert_true(rms_store_stats(&t.store).kinds[1].evicted > 1000);

    free(t.memory);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(value_comes_back_as_it_was_put),
        cmocka_unit_test(short_buffer_learns_what_is_needed),
        cmocka_unit_test(kind_is_part_of_the_key),
        cmocka_unit_test(record_ends_at_its_expiry),
        cmocka_unit_test(unused_for_longest_makes_room),
        cmocka_unit_test(kind_within_its_share_makes_room_for_nobody),
        cmocka_unit_test(borrowed_cells_are_given_back),
        cmocka_unit_test(who_borrowed_most_gives_first),
        cmocka_unit_test(value_that_does_not_fit_leaves_no_old_one),
        cmocka_unit_test(value_is_wiped_when_its_record_goes),
        cmocka_unit_test(forgotten_records_are_swept_by_later_puts),
        cmocka_unit_test(walk_meets_every_record_once),
        cmocka_unit_test(each_put_has_a_number_of_its_own),
        cmocka_unit_test(every_record_that_goes_is_counted),
        cmocka_unit_test(who_is_looked_at_is_in_use),
        cmocka_unit_test(store_survives_at_another_address),
        cmocka_unit_test(foreign_memory_is_not_taken_over),
        cmocka_unit_test(size_and_fit_agree),
        cmocka_unit_test(contradiction_empties_the_store),
        cmocka_unit_test(ring_of_records_is_left),
        cmocka_unit_test(list_is_changed_where_both_sides_agree),
        cmocka_unit_test(lost_cells_are_noticed),
        cmocka_unit_test(random_use_agrees_with_a_naive_store)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
