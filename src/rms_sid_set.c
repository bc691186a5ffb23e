/*
 * Sets of SIDs: filled, closed, then asked.  The memory is the caller's.  A
 * closed set may be asked by any number of threads.
 */

#include <stdlib.h>

#include "rms_sid.h"


static void rms_sid_set_close_domains(rms_sid_set_t *set);
static void rms_sid_set_close_members(rms_sid_set_t *set);
static void rms_sid_set_sort(rms_sid_set_t *set);
static int rms_sid_set_cmp_domains(const void *one, const void *two);
static int rms_sid_set_cmp_members(const void *one, const void *two);


size_t
rms_sid_set_size(size_t domains, size_t members)
{
    return domains * (sizeof(rms_sid_domain_t) + sizeof(uint32_t))
           + 2 * members * sizeof(uint64_t);
}


void
rms_sid_set_init(rms_sid_set_t *set, void *memory, size_t domains,
    size_t members)
{
    /* those that need the widest alignment come first */

    set->domains = memory;
    set->members = (void *) (set->domains + domains);
    set->spare = set->members + members;
    set->places = (void *) (set->spare + members);

    set->n_domains = 0;
    set->n_members = 0;
}


void
rms_sid_set_add(rms_sid_set_t *set, const rms_sid_t *domain, uint32_t rid)
{
    size_t  n;

    n = set->n_domains;

    if (n == 0 || rms_sid_cmp(&set->domains[n - 1].sid, domain) != 0) {
        set->domains[n].sid = *domain;
        set->domains[n].was = (uint32_t) n;
        set->n_domains = ++n;
    }

    set->members[set->n_members++] = (uint64_t) (n - 1) << 32 | rid;
}


void
rms_sid_set_close(rms_sid_set_t *set)
{
    rms_sid_set_close_domains(set);
    rms_sid_set_close_members(set);
}


static void
rms_sid_set_close_domains(rms_sid_set_t *set)
{
    size_t             i, n;
    rms_sid_domain_t  *d;

    d = set->domains;

    qsort(d, set->n_domains, sizeof(rms_sid_domain_t),
          rms_sid_set_cmp_domains);

    for (i = 0, n = 0; i < set->n_domains; i++) {

        if (n == 0 || rms_sid_cmp(&d[n - 1].sid, &d[i].sid) != 0) {
            d[n++].sid = d[i].sid;
        }

        set->places[d[i].was] = (uint32_t) (n - 1);
    }

    set->n_domains = n;
}


static void
rms_sid_set_close_members(rms_sid_set_t *set)
{
    size_t     i, n;
    uint64_t  *m;

    m = set->members;

    for (i = 0; i < set->n_members; i++) {
        m[i] = (uint64_t) set->places[m[i] >> 32] << 32 | (uint32_t) m[i];
    }

    rms_sid_set_sort(set);

    for (i = 0, n = 0; i < set->n_members; i++) {
        if (n == 0 || m[n - 1] != m[i]) {
            m[n++] = m[i];
        }
    }

    set->n_members = n;
}


/*
 * By four bits at a time, the lowest first, and only where members differ:
 * most RIDs have the same upper half.  A thousand members take a third of the
 * instructions of qsort().
 */

static void
rms_sid_set_sort(rms_sid_set_t *set)
{
    size_t     i, digit, next, at[16];
    uint64_t   differ, *from, *to, *other;
    unsigned   shift;

    from = set->members;
    to = set->spare;

    for (differ = 0, i = 1; i < set->n_members; i++) {
        differ |= from[i] ^ from[0];
    }

    for (shift = 0; shift < 64 && differ >> shift; shift += 4) {

        if ((differ >> shift & 15) == 0) {
            continue;
        }

        memset(at, 0, sizeof(at));

        for (i = 0; i < set->n_members; i++) {
            at[from[i] >> shift & 15]++;
        }

        for (digit = 0, next = 0; digit < 16; digit++) {
            i = at[digit];
            at[digit] = next;
            next += i;
        }

        for (i = 0; i < set->n_members; i++) {
            to[at[from[i] >> shift & 15]++] = from[i];
        }

        other = from;
        from = to;
        to = other;
    }

    if (from != set->members) {
        memcpy(set->members, from, set->n_members * sizeof(uint64_t));
    }
}


static int
rms_sid_set_cmp_domains(const void *one, const void *two)
{
    const rms_sid_domain_t  *a = one;
    const rms_sid_domain_t  *b = two;

    return rms_sid_cmp(&a->sid, &b->sid);
}


static int
rms_sid_set_cmp_members(const void *one, const void *two)
{
    const uint64_t  *a = one;
    const uint64_t  *b = two;

    return (*a > *b) - (*a < *b);
}


int
rms_sid_set_has(const rms_sid_set_t *set, const rms_sid_t *sid)
{
    uint64_t           member;
    rms_sid_domain_t   key, *found;

    if (set->n_members == 0 || sid->n == 0) {
        return 0;
    }

    member = rms_sid_split(sid, &key.sid);
    key.was = 0;

    found = bsearch(&key, set->domains, set->n_domains,
                    sizeof(rms_sid_domain_t), rms_sid_set_cmp_domains);
    if (found == NULL) {
        return 0;
    }

    member |= (uint64_t) (found - set->domains) << 32;

    return bsearch(&member, set->members, set->n_members, sizeof(uint64_t),
                   rms_sid_set_cmp_members)
           != NULL;
}


void
rms_sid_set_get(const rms_sid_set_t *set, size_t i, rms_sid_t *sid)
{
    uint64_t  member;

    member = set->members[i];

    *sid = set->domains[member >> 32].sid;
    sid->sub[sid->n++] = (uint32_t) member;
}
