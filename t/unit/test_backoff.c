/*
 * Back-off: who waits for whose failures, and how long.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/rand.h>

#include "rms_backoff.h"


#define NOW  UINT64_C(5000000)

#define array_n(a)  (sizeof(a) / sizeof((a)[0]))


typedef struct {
    void           *memory;
    size_t          size;
    rms_backoff_t   table;
} test_t;


static int  no_randomness;
static int  no_digest;


/* These stand before those of the library, so that they can fail. */

int
RAND_priv_bytes(unsigned char *p, int n)
{
    memset(p, 0x11, (size_t) n);

    return no_randomness ? 0 : RAND_priv_bytes_ex(NULL, p, (size_t) n, 0);
}


int
EVP_Digest(const void *data, size_t count, unsigned char *md,
    unsigned int *size, const EVP_MD *type, ENGINE *impl)
{
    int          ok;
    EVP_MD_CTX  *ctx;

    (void) impl;

    if (no_digest) {
        return 0;
    }

    ctx = EVP_MD_CTX_new();
    assert_non_null(ctx);
    ok = EVP_DigestInit_ex(ctx, type, NULL)
         && EVP_DigestUpdate(ctx, data, count)
         && EVP_DigestFinal_ex(ctx, md, size);
    EVP_MD_CTX_free(ctx);

    return ok;
}


static test_t
make(size_t slots)
{
    test_t  t;

    t.size = rms_backoff_size(slots);

    /* exactly so long, so that a byte beyond is caught by the sanitizer */

    if (posix_memalign(&t.memory, 16, t.size) != 0) {
        fail();
    }

    memset(t.memory, 0xa5, t.size);
    assert_int_equal(rms_backoff_init(&t.table, t.memory, slots), RMS_OK);

    return t;
}


static rms_str_t
str(const char *s)
{
    rms_str_t  r;

    r.data = (unsigned char *) s;
    r.len = strlen(s);

    return r;
}


/* 10.0.x.y */

static unsigned
fail_at(test_t *t, uint64_t now, const char *account, unsigned address)
{
    rms_str_t      name, a;
    unsigned char  bytes[4];

    bytes[0] = 10;
    bytes[1] = 0;
    bytes[2] = (unsigned char) (address >> 8);
    bytes[3] = (unsigned char) address;
    a.data = bytes;
    a.len = 4;
    name = str(account);

    return rms_backoff_fail(&t->table, now, &name, &a);
}


static void
succeed(test_t *t, const char *account, unsigned address)
{
    rms_str_t      name, a;
    unsigned char  bytes[4];

    bytes[0] = 10;
    bytes[1] = 0;
    bytes[2] = (unsigned char) (address >> 8);
    bytes[3] = (unsigned char) address;
    a.data = bytes;
    a.len = 4;
    name = str(account);

    rms_backoff_success(&t->table, &name, &a);
}


static void
first_failures_are_free_and_the_next_double(void **state)
{
    size_t  i;
    test_t  t;

    static const unsigned  delays[] = {
        0, 0, 0, 250, 500, 1000, 2000, 4000, 4000, 4000
    };

    (void) state;

    t = make(64);

    for (i = 0; i < array_n(delays); i++) {
        assert_int_equal(fail_at(&t, NOW + 10 * i, "a@R", 1), delays[i]);
    }

    for (i = 0; i < 1000; i++) {
        assert_int_equal(fail_at(&t, NOW + 100 + i, "a@R", 1), 4000);
    }

    assert_int_equal(rms_backoff_stats(&t.table).failures, 1010);
    assert_int_equal(rms_backoff_stats(&t.table).delayed, 1007);
    assert_int_equal(rms_backoff_stats(&t.table).evicted, 0);

    free(t.memory);
}


static void
stranger_elsewhere_delays_nobody_here(void **state)
{
    size_t  i;
    test_t  t;

    (void) state;

    t = make(1024);

    for (i = 0; i < 500; i++) {
        (void) fail_at(&t, NOW, "EXCH01$@CORP.EXAMPLE", 1);
    }

    for (i = 0; i < 3; i++) {
        assert_int_equal(fail_at(&t, NOW, "EXCH01$@CORP.EXAMPLE", 2), 0);
    }

    assert_int_equal(fail_at(&t, NOW, "EXCH01$@CORP.EXAMPLE", 2), 250);

    free(t.memory);
}


static void
many_accounts_from_one_address_wait(void **state)
{
    char    name[16];
    size_t  i;
    test_t  t;

    (void) state;

    t = make(1024);

    for (i = 0; i < 25; i++) {
        name[0] = (char) ('a' + i);
        name[1] = '\0';
        assert_int_equal(fail_at(&t, NOW, name, 1),
                         i < 20 ? 0 : 250u << (i - 20 < 4 ? i - 20 : 4));
    }

    /* an account that nobody could read counts for the address alone */

    assert_int_equal(fail_at(&t, NOW, "", 1), 4000);

    for (i = 0; i < 20; i++) {
        assert_int_equal(fail_at(&t, NOW, "", 2), 0);
    }

    assert_int_equal(fail_at(&t, NOW, "", 2), 250);

    free(t.memory);
}


static void
success_forgets_the_pair_alone(void **state)
{
    size_t  i;
    test_t  t;

    (void) state;

    t = make(1024);

    for (i = 0; i < 10; i++) {
        (void) fail_at(&t, NOW, "a@R", 1);
        (void) fail_at(&t, NOW, "b@R", 1);
        (void) fail_at(&t, NOW, "a@R", 2);
    }

    succeed(&t, "A@r", 1);
    succeed(&t, "nobody@R", 1);
    succeed(&t, "", 1);

    /* twenty of the address are there: its 21st to 23rd wait a little */

    assert_int_equal(fail_at(&t, NOW, "a@R", 1), 250);
    assert_int_equal(fail_at(&t, NOW, "b@R", 1), 4000);
    assert_int_equal(fail_at(&t, NOW, "a@R", 2), 4000);

    free(t.memory);
}


static void
failures_fade(void **state)
{
    size_t    i;
    test_t    t;
    unsigned  delay, last;
    uint64_t  age;

    (void) state;

    last = 4000;

    for (age = 0; age < 10 * RMS_BACKOFF_HALF_LIFE; age += 1000) {
        t = make(64);

        for (i = 0; i < 16; i++) {
            (void) fail_at(&t, NOW, "a@R", 1);
        }

        delay = fail_at(&t, NOW + age, "a@R", 1);
        assert_true(delay <= last);
        last = delay;
        free(t.memory);

        if (age == RMS_BACKOFF_HALF_LIFE) {
            assert_int_equal(delay, 4000);              /* 8 and 1       */
        }

        if (age == 2 * RMS_BACKOFF_HALF_LIFE) {
            assert_int_equal(delay, 500);               /* 4 and 1       */
        }
    }

    assert_int_equal(last, 0);

    /* the longest attack is over as soon as any: 64 are kept */

    t = make(64);

    for (i = 0; i < 100000; i++) {
        (void) fail_at(&t, NOW, "a@R", 1);
    }

    assert_int_equal(fail_at(&t, NOW + 6 * RMS_BACKOFF_HALF_LIFE, "a@R", 1),
                     0);
    free(t.memory);
}


static void
clock_that_stands_or_goes_back_adds_nothing(void **state)
{
    size_t  i;
    test_t  t;

    (void) state;

    t = make(64);

    for (i = 0; i < 3; i++) {
        assert_int_equal(fail_at(&t, NOW - 1000 * i, "a@R", 1), 0);
    }

    assert_int_equal(fail_at(&t, 0, "a@R", 1), 250);
    assert_int_equal(fail_at(&t, UINT64_MAX, "a@R", 1), 0);

    free(t.memory);
}


static void
addresses_count_by_what_one_site_has(void **state)
{
    size_t     i, k;
    test_t     t;
    rms_str_t  a, b, account;

    static const struct {
        unsigned char  a[16];
        unsigned char  b[16];
        size_t         a_len;
        size_t         b_len;
        int            same;
    } cases[] = {
        { { 10, 0, 0, 1 }, { 10, 0, 0, 1 }, 4, 4, 1 },
        { { 10, 0, 0, 1 }, { 10, 0, 0, 2 }, 4, 4, 0 },
        { { 32, 1, 13, 184, 0, 0, 0, 1, 1 },
          { 32, 1, 13, 184, 0, 0, 0, 1, 2, 9 }, 16, 16, 1 },
        { { 32, 1, 13, 184, 0, 0, 0, 1, 1 },
          { 32, 1, 13, 184, 0, 0, 0, 2, 1 }, 16, 16, 0 },
        { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, 1 },
          { 10, 0, 0, 1 }, 16, 4, 1 },
        { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, 1 },
          { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, 2 }, 16, 16,
          0 },
        { { 10, 0, 0, 1 }, { 10, 0, 0, 1 }, 4, 16, 0 },
        { { 0 }, { 1, 2, 3 }, 0, 3, 1 },
        { { 0 }, { 0 }, 0, 4, 0 }
    };

    (void) state;

    account = str("a@R");

    for (i = 0; i < array_n(cases); i++) {
        t = make(64);

        a.data = (unsigned char *) cases[i].a;
        a.len = cases[i].a_len;
        b.data = (unsigned char *) cases[i].b;
        b.len = cases[i].b_len;

        for (k = 0; k < 3; k++) {
            assert_int_equal(rms_backoff_fail(&t.table, NOW, &account, &a), 0);
        }

        assert_int_equal(rms_backoff_fail(&t.table, NOW, &account, &b),
                         cases[i].same ? 250 : 0);
        free(t.memory);
    }
}


static void
account_is_counted_without_case(void **state)
{
    test_t         t;
    rms_str_t      name, address;
    unsigned char  longest[2000];

    (void) state;

    t = make(64);
    assert_int_equal(fail_at(&t, NOW, "exch01$@corp", 1), 0);
    assert_int_equal(fail_at(&t, NOW, "EXCH01$@corp", 1), 0);
    assert_int_equal(fail_at(&t, NOW, "Exch01$@CORP", 1), 0);
    assert_int_equal(fail_at(&t, NOW, "eXch01$@Corp", 1), 250);

    memset(longest, 'a', sizeof(longest));
    name.data = longest;
    name.len = sizeof(longest);
    address = str("abcd");
    assert_int_equal(rms_backoff_fail(&t.table, NOW, &name, &address), 0);

    free(t.memory);
}


static void
nearly_forgotten_makes_room(void **state)
{
    size_t  i;
    test_t  t;
    char    name[2] = "a";

    (void) state;

    /* one group: the address and seven accounts */

    t = make(8);

    for (i = 0; i < 7; i++) {
        name[0] = (char) ('a' + i);
        (void) fail_at(&t, NOW + i, name, 1);
        (void) fail_at(&t, NOW + i, name, 1);
    }

    (void) fail_at(&t, NOW + 10, "a", 1);
    assert_int_equal(rms_backoff_stats(&t.table).evicted, 0);

    /* b is the oldest of those with two */

    assert_int_equal(fail_at(&t, NOW + 20, "x", 1), 0);
    assert_int_equal(rms_backoff_stats(&t.table).evicted, 1);
    assert_int_equal(fail_at(&t, NOW + 30, "a", 1), 250);
    assert_int_equal(fail_at(&t, NOW + 30, "c", 1), 0);
    assert_int_equal(fail_at(&t, NOW + 30, "c", 1), 250);

    /* b begins anew, in the place of x */

    assert_int_equal(fail_at(&t, NOW + 30, "b", 1), 0);
    assert_int_equal(rms_backoff_stats(&t.table).evicted, 2);

    free(t.memory);
}


static void
table_survives_at_another_address(void **state)
{
    void    *moved;
    size_t   i;
    test_t   t;

    (void) state;

    t = make(64);

    for (i = 0; i < 3; i++) {
        (void) fail_at(&t, NOW, "a@R", 1);
    }

    if (posix_memalign(&moved, 16, t.size) != 0) {
        fail();
    }

    memcpy(moved, t.memory, t.size);
    memset(t.memory, 0xee, t.size);
    free(t.memory);
    t.memory = moved;

    assert_int_equal(rms_backoff_attach(&t.table, moved, 72), RMS_DECLINED);
    assert_int_equal(rms_backoff_attach(&t.table, moved, 0), RMS_DECLINED);
    assert_int_equal(rms_backoff_attach(&t.table, moved, 64), RMS_OK);
    assert_int_equal(fail_at(&t, NOW, "a@R", 1), 250);

    ((unsigned char *) moved)[7] ^= 1;
    assert_int_equal(rms_backoff_attach(&t.table, moved, 64), RMS_DECLINED);

    free(t.memory);
}


static void
no_table_without_randomness(void **state)
{
    test_t         t;
    rms_backoff_t  table;

    (void) state;

    t = make(64);
    no_randomness = 1;
    assert_int_equal(rms_backoff_init(&table, t.memory, 64), RMS_UNSUPPORTED);
    no_randomness = 0;
    assert_int_equal(rms_backoff_attach(&table, t.memory, 64), RMS_DECLINED);
    assert_int_equal(rms_backoff_init(&table, t.memory, 0), RMS_INVALID);
    assert_int_equal(rms_backoff_init(&table, t.memory, SIZE_MAX),
                     RMS_INVALID);

    free(t.memory);
}


static void
failure_that_cannot_be_counted_waits(void **state)
{
    test_t  t;

    (void) state;

    t = make(64);
    no_digest = 1;
    assert_int_equal(fail_at(&t, NOW, "a@R", 1), RMS_BACKOFF_DELAY_MAX);
    succeed(&t, "a@R", 1);
    no_digest = 0;
    assert_int_equal(fail_at(&t, NOW, "a@R", 1), 0);

    free(t.memory);
}


static void
size_and_fit_agree(void **state)
{
    size_t  n;

    (void) state;

    for (n = 8; n < 5000; n += 8) {
        assert_int_equal(rms_backoff_fit(rms_backoff_size(n)), n);
        assert_int_equal(rms_backoff_fit(rms_backoff_size(n) - 1), n - 8);
        assert_int_equal(rms_backoff_size(n), rms_backoff_size(n - 7));
    }

    assert_int_equal(rms_backoff_fit(0), 0);
    assert_int_equal(rms_backoff_size(SIZE_MAX), 0);
    assert_true(rms_backoff_size(rms_backoff_fit(SIZE_MAX)) != 0);
}


/*
 * Whatever many callers do at random, in a table that is far too small: a
 * delay never passes the limit, and never comes to a pair and an address that
 * failed no more often than is free.  Garbage in the memory changes counts
 * and nothing else.
 */

static void
random_use_keeps_the_rules(void **state)
{
    char            name[16];
    size_t          i, k;
    test_t          t;
    unsigned        who, where, delay;

    static unsigned  pair[64][64], address[64];

    (void) state;

    srand(7);
    t = make(128);

    for (i = 0; i < 200000; i++) {
        who = (unsigned) rand() % 64;
        where = (unsigned) rand() % 64;
        (void) snprintf(name, sizeof(name), "u%02u", who);

        if (rand() % 3 == 0) {
            succeed(&t, name, where);
            pair[who][where] = 0;
            continue;
        }

        delay = fail_at(&t, NOW + i, name, where);
        pair[who][where]++;
        address[where]++;

        assert_true(delay <= RMS_BACKOFF_DELAY_MAX);
        assert_true(delay == 0 || pair[who][where] > RMS_BACKOFF_PAIR_FREE
                    || address[where] > RMS_BACKOFF_ADDRESS_FREE);
    }

    assert_true(rms_backoff_stats(&t.table).evicted > 1000);

    for (i = 0; i < 20000; i++) {
        for (k = 0; k < 8; k++) {
            ((unsigned char *) t.memory)[(size_t) rand() % t.size]
                = (unsigned char) rand();
        }

        (void) snprintf(name, sizeof(name), "u%02u", (unsigned) rand() % 64);
        assert_true(fail_at(&t, (uint64_t) rand(), name,
                            (unsigned) rand() % 64)
                    <= RMS_BACKOFF_DELAY_MAX);
        succeed(&t, name, 3);
    }

    free(t.memory);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_failures_are_free_and_the_next_double),
        cmocka_unit_test(stranger_elsewhere_delays_nobody_here),
        cmocka_unit_test(many_accounts_from_one_address_wait),
        cmocka_unit_test(success_forgets_the_pair_alone),
        cmocka_unit_test(failures_fade),
        cmocka_unit_test(clock_that_stands_or_goes_back_adds_nothing),
        cmocka_unit_test(addresses_count_by_what_one_site_has),
        cmocka_unit_test(account_is_counted_without_case),
        cmocka_unit_test(nearly_forgotten_makes_room),
        cmocka_unit_test(table_survives_at_another_address),
        cmocka_unit_test(no_table_without_randomness),
        cmocka_unit_test(failure_that_cannot_be_counted_waits),
        cmocka_unit_test(size_and_fit_agree),
        cmocka_unit_test(random_use_keeps_the_rules)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
