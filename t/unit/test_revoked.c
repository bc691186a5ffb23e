/*
 * Revocations: what is over and stays over, on one node and when nodes that
 * could not reach each other meet again.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "rms_revoked.h"


#define array_n(a)  (sizeof(a) / sizeof((a)[0]))


static uint64_t  seed;


/* xorshift64*, so that each run is the same. */

static uint64_t
any(uint64_t below)
{
    seed ^= seed >> 12;
    seed ^= seed << 25;
    seed ^= seed >> 27;

    return seed * UINT64_C(0x2545f4914f6cdd1d) % below;
}


static void
account_is_its_name_without_case(void **state)
{
    rms_str_t  a = rms_string("EXCH01$@CORP.EXAMPLE");
    rms_str_t  b = rms_string("exch01$@corp.example");
    rms_str_t  c = rms_string("EXCH02$@CORP.EXAMPLE");

    (void) state;

    assert_true(rms_revoked_account(&a) == rms_revoked_account(&b));
    assert_true(rms_revoked_account(&a) != rms_revoked_account(&c));

    /* FNV-1a of "a" */

    a.len = 1;
    a.data = (unsigned char *) "A";
    assert_true(rms_revoked_account(&a) == UINT64_C(0xaf63dc4c8601ec8c));
}


static void
revocation_ends_what_began_before_it(void **state)
{
    rms_revoked_t  r;

    (void) state;

    memset(&r, 0, sizeof(r));
    assert_int_equal(rms_revoked_epoch(&r), 0);
    assert_int_equal(rms_revoked_at(&r, 7), 0);

    assert_int_equal(rms_revoked_add(&r, 7), 1);
    assert_int_equal(rms_revoked_add(&r, 5), 2);
    assert_int_equal(rms_revoked_at(&r, 7), 1);
    assert_int_equal(rms_revoked_at(&r, 5), 2);
    assert_int_equal(rms_revoked_at(&r, 6), 0);

    assert_int_equal(rms_revoked_add(&r, 7), 3);
    assert_int_equal(rms_revoked_at(&r, 7), 3);
    assert_int_equal(r.n, 2);

    assert_int_equal(rms_revoked_add(&r, 0), 4);
    assert_int_equal(rms_revoked_at(&r, 7), 4);
    assert_int_equal(rms_revoked_at(&r, 6), 4);
    assert_int_equal(rms_revoked_add(&r, 6), 5);
    assert_int_equal(rms_revoked_at(&r, 6), 5);
    assert_int_equal(rms_revoked_at(&r, 7), 4);
    assert_int_equal(rms_revoked_epoch(&r), 5);
}


static void
revocation_pushed_out_ends_all_of_its_time(void **state)
{
    uint64_t       i;
    rms_revoked_t  r;

    (void) state;

    memset(&r, 0, sizeof(r));

    for (i = 1; i <= RMS_REVOKED_MAX; i++) {
        assert_int_equal(rms_revoked_add(&r, 1000 - i), i);
    }

    /* the first one again, so that the second is the oldest */

    assert_int_equal(rms_revoked_add(&r, 999), RMS_REVOKED_MAX + 1);
    assert_int_equal(r.n, RMS_REVOKED_MAX);
    assert_int_equal(r.all, 0);

    assert_int_equal(rms_revoked_add(&r, 1), RMS_REVOKED_MAX + 2);
    assert_int_equal(r.n, RMS_REVOKED_MAX);
    assert_int_equal(r.all, 2);
    assert_int_equal(rms_revoked_at(&r, 998), 2);
    assert_int_equal(rms_revoked_at(&r, 12345), 2);
    assert_int_equal(rms_revoked_at(&r, 997), 3);
    assert_int_equal(rms_revoked_at(&r, 999), RMS_REVOKED_MAX + 1);
    assert_int_equal(rms_revoked_at(&r, 1), RMS_REVOKED_MAX + 2);
}


/* The other side's news, or ours, without what would cost logins. */

static void
merge_that_has_one_sides_news_takes_them_as_they_are(void **state)
{
    rms_revoked_t  local, remote, dst;

    (void) state;

    memset(&local, 0, sizeof(local));
    rms_revoked_add(&local, 5);
    rms_revoked_add(&local, 0);
    rms_revoked_add(&local, 6);
    remote = local;

    assert_int_equal(rms_revoked_merge(&local, &remote, 3, &dst),
                     RMS_DECLINED);
    assert_int_equal(rms_revoked_epoch(&dst), 3);

    /* theirs */

    rms_revoked_add(&remote, 6);
    rms_revoked_add(&remote, 7);

    assert_int_equal(rms_revoked_merge(&local, &remote, 3, &dst),
                     RMS_DECLINED);
    assert_int_equal(rms_revoked_at(&dst, 6), 4);
    assert_int_equal(rms_revoked_at(&dst, 7), 5);
    assert_int_equal(rms_revoked_epoch(&dst), 5);

    /* ours */

    assert_int_equal(rms_revoked_merge(&remote, &local, 3, &dst), RMS_OK);
    assert_int_equal(rms_revoked_at(&dst, 6), 4);
    assert_int_equal(rms_revoked_at(&dst, 7), 5);

    rms_revoked_add(&local, 0);
    assert_int_equal(rms_revoked_merge(&local, &dst, 3, &local), RMS_OK);
    assert_int_equal(local.all, 6);
    assert_int_equal(local.n, 0);
}


/* Both have given the next number, and to the same account at that. */

static void
merge_of_equal_numbers_ends_the_sessions_of_both(void **state)
{
    rms_revoked_t  local, remote, dst;

    (void) state;

    memset(&local, 0, sizeof(local));
    rms_revoked_add(&local, 5);
    remote = local;

    rms_revoked_add(&local, 6);
    rms_revoked_add(&remote, 6);

    assert_int_equal(rms_revoked_merge(&local, &remote, 1, &dst), RMS_OK);
    assert_int_equal(rms_revoked_at(&dst, 6), 3);
    assert_int_equal(rms_revoked_at(&dst, 5), 1);
    assert_int_equal(dst.all, 0);

    memset(&local, 0, sizeof(local));
    remote = local;
    rms_revoked_add(&local, 0);
    rms_revoked_add(&remote, 0);

    assert_int_equal(rms_revoked_merge(&local, &remote, 0, &dst), RMS_OK);
    assert_int_equal(dst.all, 2);
}


static void
store_that_was_emptied_takes_no_revocation_away(void **state)
{
    rms_revoked_t  local, remote, dst;

    (void) state;

    memset(&local, 0, sizeof(local));
    rms_revoked_add(&local, 5);
    rms_revoked_add(&local, 6);
    rms_revoked_add(&local, 0);
    rms_revoked_add(&local, 7);
    memset(&remote, 0, sizeof(remote));

    assert_int_equal(rms_revoked_merge(&local, &remote, 4, &dst), RMS_OK);
    assert_int_equal(dst.all, 3);
    assert_int_equal(rms_revoked_at(&dst, 7), 4);

    /* filled by others since then: theirs count against all we have */

    rms_revoked_add(&remote, 8);
    assert_int_equal(rms_revoked_merge(&local, &remote, 4, &dst), RMS_OK);
    assert_int_equal(rms_revoked_at(&dst, 8), 5);
    assert_int_equal(rms_revoked_at(&dst, 7), 4);
    assert_int_equal(dst.all, 3);

    /* even when these have numbered on beyond what we had known */

    memset(&local, 0, sizeof(local));
    rms_revoked_add(&local, 5);
    rms_revoked_add(&local, 6);
    rms_revoked_add(&remote, 9);
    rms_revoked_add(&remote, 9);

    assert_int_equal(rms_revoked_merge(&local, &remote, 2, &dst), RMS_OK);
    assert_true(rms_revoked_at(&dst, 5) > 3);
    assert_true(rms_revoked_at(&dst, 8) > 2);
    assert_int_equal(rms_revoked_at(&dst, 9), 3);
}


static void
merge_of_too_many_accounts_covers_the_oldest(void **state)
{
    uint64_t       i;
    rms_revoked_t  local, remote, dst;

    (void) state;

    memset(&local, 0, sizeof(local));
    rms_revoked_add(&local, 9999);
    remote = local;

    for (i = 1; i < RMS_REVOKED_MAX; i++) {
        rms_revoked_add(&local, i);
    }

    /* as many as local, and one more: these keep their numbers */

    for (i = 1; i < RMS_REVOKED_MAX; i++) {
        rms_revoked_add(&remote, 9999);
    }

    rms_revoked_add(&remote, 5000);

    assert_int_equal(rms_revoked_merge(&local, &remote, 1, &dst), RMS_OK);
    assert_true(dst.n <= RMS_REVOKED_MAX);

    for (i = 1; i < RMS_REVOKED_MAX; i++) {
        assert_true(rms_revoked_at(&dst, i) > rms_revoked_epoch(&remote));
    }

    assert_true(rms_revoked_at(&dst, 5000) >= RMS_REVOKED_MAX + 1);
}


/*
 * Nodes that revoke, log in, and meet in the document at any time.  Whoever
 * was revoked on a node, or on one it has met since, has no session left.
 */

#define NODES     3
#define ACCOUNTS  400
#define SESSIONS  400
#define EVENTS    800


typedef struct {
    unsigned        when;
    uint64_t        account;            /* 0: all                            */
    unsigned        heard[NODES + 1];   /* by node, and by the document      */
} event_t;


typedef struct {
    unsigned        when;
    size_t          node;               /* it is on this one, ...            */
    int             shared;             /* ... or on all                     */
    uint64_t        account;
    uint64_t        epoch;
} session_t;


typedef struct {
    unsigned        now;
    rms_revoked_t   nodes[NODES + 1];   /* the last one is the document      */
    uint64_t        known[NODES];
    event_t         events[EVENTS];
    size_t          n_events;
    session_t       sessions[SESSIONS];
    size_t          n_sessions;
    size_t          over;
} pool_t;


static void
pool_check(pool_t *pool, size_t node)
{
    size_t      i, k;
    event_t    *event;
    session_t  *s;

    for (i = 0; i < pool->n_sessions; i++) {
        s = &pool->sessions[i];

        if (s->node != node && !s->shared) {
            continue;
        }

        for (k = 0; k < pool->n_events; k++) {
            event = &pool->events[k];

            if (event->heard[node] && event->when > s->when
                && (event->account == 0 || event->account == s->account))
            {
                assert_true(s->epoch < rms_revoked_at(&pool->nodes[node],
                                                      s->account));
                pool->over++;
                break;
            }
        }
    }
}


/* Told is 0 when the document could be read, and then not be written. */

static void
pool_sync(pool_t *pool, size_t node, int told)
{
    size_t          i;
    rms_rc_e        rc;
    unsigned        heard;
    rms_revoked_t   before, *document, *local;

    local = &pool->nodes[node];
    document = &pool->nodes[NODES];
    before = *local;

    rc = rms_revoked_merge(local, document, pool->known[node], local);

    for (i = 0; i < ACCOUNTS; i++) {
        assert_true(rms_revoked_at(local, i + 1)
                    >= rms_revoked_at(&before, i + 1));
        assert_true(rms_revoked_at(local, i + 1)
                    >= rms_revoked_at(document, i + 1));
    }

    assert_int_equal(rc == RMS_DECLINED,
                     rms_revoked_epoch(local) == rms_revoked_epoch(document)
                     && local->all == document->all
                     && local->n == document->n
                     && memcmp(local->entries, document->entries,
                               local->n * sizeof(local->entries[0])) == 0);

    told |= (rc == RMS_DECLINED);

    pool->known[node] = rms_revoked_epoch(document);

    if (told) {
        *document = *local;
        pool->known[node] = rms_revoked_epoch(local);
    }

    for (i = 0; i < pool->n_events; i++) {
        heard = pool->events[i].heard[node] | pool->events[i].heard[NODES];
        pool->events[i].heard[node] = heard;
        pool->events[i].heard[NODES] |= told ? heard : 0;
    }

    for (i = 0; i < pool->n_sessions; i++) {
        pool->sessions[i].shared |= told && pool->sessions[i].node == node;
    }

    pool_check(pool, node);

    /* again at once: nothing new, nothing that would cost a login */

    assert_int_equal(rms_revoked_merge(local, document, pool->known[node],
                                       &before),
                     told ? RMS_DECLINED : RMS_OK);
    assert_int_equal(before.all, local->all);
    assert_int_equal(before.n, local->n);
    assert_memory_equal(before.entries, local->entries,
                        before.n * sizeof(before.entries[0]));
}


static void
pool_revoke(pool_t *pool, size_t node, uint64_t account)
{
    event_t  *event;

    if (pool->n_events == EVENTS) {
        return;
    }

    event = &pool->events[pool->n_events++];
    event->when = pool->now;
    event->account = account;
    event->heard[node] = 1;

    (void) rms_revoked_add(&pool->nodes[node], account);
}


static void
pool_login(pool_t *pool, size_t node, uint64_t account)
{
    session_t  *s;

    if (pool->n_sessions == SESSIONS) {
        return;
    }

    s = &pool->sessions[pool->n_sessions++];
    s->when = pool->now;
    s->node = node;
    s->account = account;
    s->epoch = rms_revoked_epoch(&pool->nodes[node]);
    s->shared = s->epoch == pool->known[node];

    assert_true(s->epoch >= rms_revoked_at(&pool->nodes[node], account));
}


static void
session_revoked_on_either_side_is_over_after_a_merge(void **state)
{
    size_t    round, i, node, accounts, over;
    pool_t   *pool;
    uint64_t  account;

    (void) state;

    seed = 4711;
    pool = malloc(sizeof(pool_t));
    assert_non_null(pool);

    for (round = 0, over = 0; round < 150; round++) {
        memset(pool, 0, sizeof(pool_t));

        /* few accounts: the same ones often; many: more than there is room */

        accounts = (round % 3 == 0) ? ACCOUNTS : 1 + (size_t) any(8);

        for (i = 0; i < 800; i++) {
            pool->now++;
            node = (size_t) any(NODES);
            account = 1 + any(accounts);

            switch (any(accounts == ACCOUNTS ? 40 : 8)) {

            case 0:
                pool_sync(pool, node, any(3) != 0);
                break;

            case 1:
                pool_revoke(pool, node, any(10) ? account : 0);
                break;

            case 2:
            case 3:
            case 4:
                pool_login(pool, node, account);
                break;

            default:
                pool_revoke(pool, node, account);
            }
        }

        for (node = 0; node < NODES; node++) {
            pool_sync(pool, node, 1);
        }

        over += pool->over;
    }

    /* there was something to see */

    assert_true(over > 10000);

    free(pool);
}


/* Nobody revokes while a node is away: its sessions, and new ones, live on. */

static void
merge_costs_no_login_that_it_need_not(void **state)
{
    rms_revoked_t  local, remote, dst;

    (void) state;

    memset(&local, 0, sizeof(local));
    rms_revoked_add(&local, 5);
    remote = local;
    rms_revoked_add(&remote, 6);
    rms_revoked_add(&remote, 7);

    /* of account 7, which logged in again on the other side */

    rms_revoked_merge(&local, &remote, 1, &dst);
    assert_true(3 >= rms_revoked_at(&dst, 7));
    assert_true(1 >= rms_revoked_at(&dst, 8));

    /* the numbers meet: those who were revoked log in again, others do not */

    rms_revoked_add(&local, 8);
    rms_revoked_merge(&local, &remote, 1, &dst);
    assert_true(1 >= rms_revoked_at(&dst, 5));
    assert_true(0 >= rms_revoked_at(&dst, 9));
    assert_int_equal(dst.all, 0);
    assert_int_equal(rms_revoked_at(&dst, 8), 4);
}


static rms_str_t
room(unsigned char *buf, size_t len)
{
    rms_str_t  s;

    s.data = buf;
    s.len = len;

    return s;
}


static void
revocations_come_back_from_bytes(void **state)
{
    uint64_t       i;
    rms_str_t      s;
    rms_revoked_t  r, back;
    unsigned char  buf[RMS_REVOKED_ENCODED_MAX + 1];

    static const unsigned char  want[] = {
        1, 2, 0, 0, 0, 0, 0, 0, 0, 1, 0,
        8, 7, 6, 5, 4, 3, 2, 1, 3, 0, 0, 0, 0, 0, 0, 0
    };

    (void) state;

    memset(&r, 0, sizeof(r));
    rms_revoked_add(&r, 1);
    rms_revoked_add(&r, 0);
    rms_revoked_add(&r, UINT64_C(0x0102030405060708));

    s = room(buf, sizeof(want) - 1);
    assert_int_equal(rms_revoked_encode(&r, &s), RMS_TOO_LARGE);
    s = room(buf, sizeof(want));
    assert_int_equal(rms_revoked_encode(&r, &s), RMS_OK);
    assert_int_equal(s.len, sizeof(want));
    assert_memory_equal(buf, want, sizeof(want));

    for (i = 1; i <= RMS_REVOKED_MAX + 9; i++) {
        rms_revoked_add(&r, i * UINT64_C(0x9e3779b97f4a7c15));
    }

    s = room(buf, sizeof(buf));
    assert_int_equal(rms_revoked_encode(&r, &s), RMS_OK);
    assert_int_equal(s.len, RMS_REVOKED_ENCODED_MAX);

    memset(&back, 0xff, sizeof(back));
    assert_int_equal(rms_revoked_decode(&s, &back), RMS_OK);
    assert_int_equal(back.all, r.all);
    assert_int_equal(back.n, r.n);
    assert_memory_equal(back.entries, r.entries, sizeof(r.entries));
}


static void
bytes_that_are_no_revocations_are_refused(void **state)
{
    size_t         i;
    rms_str_t      s;
    rms_revoked_t  r, back;
    unsigned char  buf[64], bad[64];

    static const struct {
        size_t         at;
        unsigned char  value;
        rms_rc_e       rc;
    } cases[] = {
        { 0, 0, RMS_UNSUPPORTED },
        { 0, 2, RMS_UNSUPPORTED },
        { 8, 0x80, RMS_INVALID },       /* all: beyond the last number       */
        { 1, 2, RMS_INVALID },          /* all: covers an entry              */
        { 9, 1, RMS_INVALID },          /* n: one too few, too many          */
        { 9, 3, RMS_INVALID },
        { 10, 1, RMS_INVALID },
        { 11, 0, RMS_INVALID },         /* account 0                         */
        { 11, 9, RMS_INVALID },         /* accounts: equal, descending       */
        { 11, 10, RMS_INVALID },
        { 19, 0, RMS_INVALID },         /* epoch 0, and beyond the last      */
        { 26, 0x80, RMS_INVALID }
    };

    (void) state;

    memset(&r, 0, sizeof(r));
    rms_revoked_add(&r, 0);
    rms_revoked_add(&r, 5);
    rms_revoked_add(&r, 9);
    s = room(buf, sizeof(buf));
    assert_int_equal(rms_revoked_encode(&r, &s), RMS_OK);

    back.n = 77;

    for (i = 0; i < array_n(cases); i++) {
        memcpy(bad, buf, s.len);
        bad[cases[i].at] = cases[i].value;
        s.data = bad;
        assert_int_equal(rms_revoked_decode(&s, &back), cases[i].rc);
        assert_int_equal(back.n, 77);
    }

    s.data = buf;

    for (i = s.len, s.len = 0; s.len < i; s.len++) {
        assert_int_equal(rms_revoked_decode(&s, &back), RMS_INVALID);
    }

    s.len = i + 1;
    assert_int_equal(rms_revoked_decode(&s, &back), RMS_INVALID);
    s.len = i;
    assert_int_equal(rms_revoked_decode(&s, &back), RMS_OK);
    assert_int_equal(back.n, 2);

    /* without an entry that would be beyond it as well */

    memset(buf, 0, sizeof(buf));
    buf[0] = 1;
    s.len = 11;
    assert_int_equal(rms_revoked_decode(&s, &back), RMS_OK);
    buf[8] = 0x80;
    assert_int_equal(rms_revoked_decode(&s, &back), RMS_INVALID);

    /* neither is anything written that would not be read */

    r.entries[0].epoch = RMS_REVOKED_EPOCH_MAX + 1;
    s = room(buf, sizeof(buf));
    assert_int_equal(rms_revoked_encode(&r, &s), RMS_INVALID);

    r.n = RMS_REVOKED_MAX + 1;
    assert_int_equal(rms_revoked_encode(&r, &s), RMS_INVALID);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(account_is_its_name_without_case),
        cmocka_unit_test(revocation_ends_what_began_before_it),
        cmocka_unit_test(revocation_pushed_out_ends_all_of_its_time),
        cmocka_unit_test(merge_that_has_one_sides_news_takes_them_as_they_are),
        cmocka_unit_test(merge_of_equal_numbers_ends_the_sessions_of_both),
        cmocka_unit_test(store_that_was_emptied_takes_no_revocation_away),
        cmocka_unit_test(merge_of_too_many_accounts_covers_the_oldest),
        cmocka_unit_test(session_revoked_on_either_side_is_over_after_a_merge),
        cmocka_unit_test(merge_costs_no_login_that_it_need_not),
        cmocka_unit_test(revocations_come_back_from_bytes),
        cmocka_unit_test(bytes_that_are_no_revocations_are_refused)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
