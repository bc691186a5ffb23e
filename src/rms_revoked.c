/*
 * Revocations of sessions: numbered, bounded, merged.  As bytes, numbers
 * little-endian:
 *
 *     version 1, all 8, n 2, and for each entry, accounts ascending:
 *     account 8, epoch 8
 */

#include "rms_revoked.h"


#define RMS_REVOKED_VERSION  1
#define RMS_REVOKED_FIXED    (1 + 8 + 2)
#define RMS_REVOKED_ENTRY    (8 + 8)


_Static_assert(RMS_REVOKED_FIXED + RMS_REVOKED_ENTRY * RMS_REVOKED_MAX
               == RMS_REVOKED_ENCODED_MAX, "what is written has room");


typedef struct {
    const rms_revoked_t  *local;
    const rms_revoked_t  *remote;
    uint64_t              local_epoch;
    uint64_t              remote_epoch;
    uint64_t              known;
} rms_revoked_merge_t;


static size_t rms_revoked_place(const rms_revoked_t *revoked,
    uint64_t account);
static void rms_revoked_oldest_goes(rms_revoked_entry_t *entries, size_t *n,
    uint64_t *all);
static size_t rms_revoked_covered(rms_revoked_entry_t *entries, size_t n,
    uint64_t all);
static size_t rms_revoked_merge_entries(const rms_revoked_merge_t *m,
    rms_revoked_entry_t *entries);
static uint64_t rms_revoked_merge_entry(const rms_revoked_merge_t *m,
    uint64_t account, uint64_t local, uint64_t remote);
static uint64_t rms_revoked_merge_number(const rms_revoked_merge_t *m,
    uint64_t epoch, int local_news, int remote_news);
static int rms_revoked_fine(const rms_revoked_t *revoked);
static unsigned char *rms_revoked_put(unsigned char *p, uint64_t n,
    size_t bytes);
static uint64_t rms_revoked_get(const unsigned char *p, size_t bytes);


uint64_t
rms_revoked_account(const rms_str_t *name)
{
    size_t    i;
    uint64_t  hash;

    hash = 0xcbf29ce484222325;

    for (i = 0; i < name->len; i++) {
        hash ^= rms_lower(name->data[i]);
        hash *= 0x100000001b3;
    }

    return hash ? hash : 1;
}


/* That of the last one is always there: the oldest give way. */

uint64_t
rms_revoked_epoch(const rms_revoked_t *revoked)
{
    size_t    i;
    uint64_t  epoch;

    epoch = revoked->all;

    for (i = 0; i < revoked->n; i++) {
        if (revoked->entries[i].epoch > epoch) {
            epoch = revoked->entries[i].epoch;
        }
    }

    return epoch;
}


uint64_t
rms_revoked_at(const rms_revoked_t *revoked, uint64_t account)
{
    size_t  i;

    i = rms_revoked_place(revoked, account);

    if (i < revoked->n && revoked->entries[i].account == account) {
        return revoked->entries[i].epoch;
    }

    return revoked->all;
}


/* Where the account is, or would be. */

static size_t
rms_revoked_place(const rms_revoked_t *revoked, uint64_t account)
{
    size_t  low, high, i;

    low = 0;
    high = revoked->n;

    while (low < high) {
        i = low + (high - low) / 2;

        if (revoked->entries[i].account < account) {
            low = i + 1;

        } else {
            high = i;
        }
    }

    return low;
}


uint64_t
rms_revoked_add(rms_revoked_t *revoked, uint64_t account)
{
    size_t                i;
    uint64_t              epoch;
    rms_revoked_entry_t  *entry;

    epoch = rms_revoked_epoch(revoked) + 1;

    if (account == 0) {
        revoked->all = epoch;
        revoked->n = 0;
        return epoch;
    }

    i = rms_revoked_place(revoked, account);

    if (i == revoked->n || revoked->entries[i].account != account) {

        if (revoked->n == RMS_REVOKED_MAX) {
            rms_revoked_oldest_goes(revoked->entries, &revoked->n,
                                    &revoked->all);
            i = rms_revoked_place(revoked, account);
        }

        entry = &revoked->entries[i];
        memmove(entry + 1, entry,
                (revoked->n - i) * sizeof(rms_revoked_entry_t));
        entry->account = account;
        revoked->n++;
    }

    revoked->entries[i].epoch = epoch;

    return epoch;
}


/* Its number becomes that of all, and so covers it. */

static void
rms_revoked_oldest_goes(rms_revoked_entry_t *entries, size_t *n,
    uint64_t *all)
{
    size_t    i;
    uint64_t  oldest;

    oldest = entries[0].epoch;

    for (i = 1; i < *n; i++) {
        if (entries[i].epoch < oldest) {
            oldest = entries[i].epoch;
        }
    }

    *all = oldest;
    *n = rms_revoked_covered(entries, *n, oldest);
}


/* Leaves out what a revocation of all covers; answers how many remain. */

static size_t
rms_revoked_covered(rms_revoked_entry_t *entries, size_t n, uint64_t all)
{
    size_t  i, left;

    for (i = 0, left = 0; i < n; i++) {
        if (entries[i].epoch > all) {
            entries[left++] = entries[i];
        }
    }

    return left;
}


rms_rc_e
rms_revoked_merge(const rms_revoked_t *local, const rms_revoked_t *remote,
    uint64_t known, rms_revoked_t *dst)
{
    int                   same;
    size_t                n;
    uint64_t              all;
    rms_revoked_merge_t   m;
    rms_revoked_entry_t   entries[2 * RMS_REVOKED_MAX];

    m.local = local;
    m.remote = remote;
    m.local_epoch = rms_revoked_epoch(local);
    m.remote_epoch = rms_revoked_epoch(remote);
    m.known = known;

    /* a store that was emptied or set back has forgotten what it knew */

    if (known > m.remote_epoch || known > m.local_epoch) {
        m.known = 0;
    }

    all = local->all > remote->all ? local->all : remote->all;
    all = rms_revoked_merge_number(&m, all, local->all > m.known,
                                   remote->all > m.known);

    n = rms_revoked_merge_entries(&m, entries);
    n = rms_revoked_covered(entries, n, all);

    while (n > RMS_REVOKED_MAX) {
        rms_revoked_oldest_goes(entries, &n, &all);
    }

    same = all == remote->all && n == remote->n
           && memcmp(entries, remote->entries, n * sizeof(entries[0])) == 0;

    dst->all = all;
    dst->n = n;
    memcpy(dst->entries, entries, n * sizeof(entries[0]));

    return same ? RMS_DECLINED : RMS_OK;
}


static size_t
rms_revoked_merge_entries(const rms_revoked_merge_t *m,
    rms_revoked_entry_t *entries)
{
    size_t                      n;
    uint64_t                    account, local, remote;
    const rms_revoked_entry_t  *l, *r, *l_end, *r_end;

    l = m->local->entries;
    r = m->remote->entries;
    l_end = l + m->local->n;
    r_end = r + m->remote->n;

    for (n = 0; l < l_end || r < r_end; n++) {

        account = (r == r_end || (l < l_end && l->account < r->account))
                  ? l->account : r->account;

        local = (l < l_end && l->account == account) ? l++->epoch : 0;
        remote = (r < r_end && r->account == account) ? r++->epoch : 0;

        entries[n].account = account;
        entries[n].epoch = rms_revoked_merge_entry(m, account, local, remote);
    }

    return n;
}


/*
 * A side has not heard of a revocation that is newer than what both had, or
 * that nothing of its own covers.  Equal numbers tell nothing: both may have
 * given the next one to the same account.
 */

static uint64_t
rms_revoked_merge_entry(const rms_revoked_merge_t *m, uint64_t account,
    uint64_t local, uint64_t remote)
{
    int  local_news, remote_news;

    local_news = local > m->known
                 || local > rms_revoked_at(m->remote, account);
    remote_news = remote > m->known
                  || remote > rms_revoked_at(m->local, account);

    return rms_revoked_merge_number(m, local > remote ? local : remote,
                                    local_news, remote_news);
}


/*
 * Sessions of the side that has not heard of it carry numbers up to the last
 * of that side.  If the revocation's is not above these, it gets a new one.
 */

static uint64_t
rms_revoked_merge_number(const rms_revoked_merge_t *m, uint64_t epoch,
    int local_news, int remote_news)
{
    if ((local_news && epoch <= m->remote_epoch)
        || (remote_news && epoch <= m->local_epoch))
    {
        epoch = m->local_epoch > m->remote_epoch ? m->local_epoch
                                                 : m->remote_epoch;
        epoch++;
    }

    return epoch;
}


/* The rules both directions keep, so that what is read can be written. */

static int
rms_revoked_fine(const rms_revoked_t *revoked)
{
    size_t                      i;
    uint64_t                    last;
    const rms_revoked_entry_t  *entry;

    if (revoked->n > RMS_REVOKED_MAX || revoked->all > RMS_REVOKED_EPOCH_MAX) {
        return 0;
    }

    for (i = 0, last = 0; i < revoked->n; i++) {
        entry = &revoked->entries[i];

        if (entry->account <= last || entry->epoch <= revoked->all
            || entry->epoch > RMS_REVOKED_EPOCH_MAX)
        {
            return 0;
        }

        last = entry->account;
    }

    return 1;
}


rms_rc_e
rms_revoked_encode(const rms_revoked_t *revoked, rms_str_t *dst)
{
    size_t          i, size;
    unsigned char  *p;

    if (!rms_revoked_fine(revoked)) {
        return RMS_INVALID;
    }

    size = RMS_REVOKED_FIXED + RMS_REVOKED_ENTRY * revoked->n;

    if (size > dst->len) {
        return RMS_TOO_LARGE;
    }

    p = rms_revoked_put(dst->data, RMS_REVOKED_VERSION, 1);
    p = rms_revoked_put(p, revoked->all, 8);
    p = rms_revoked_put(p, revoked->n, 2);

    for (i = 0; i < revoked->n; i++) {
        p = rms_revoked_put(p, revoked->entries[i].account, 8);
        p = rms_revoked_put(p, revoked->entries[i].epoch, 8);
    }

    dst->len = size;

    return RMS_OK;
}


static unsigned char *
rms_revoked_put(unsigned char *p, uint64_t n, size_t bytes)
{
    for ( ; bytes != 0; bytes--) {
        *p++ = (unsigned char) (n & 0xff);
        n >>= 8;
    }

    return p;
}


rms_rc_e
rms_revoked_decode(const rms_str_t *src, rms_revoked_t *revoked)
{
    size_t                i;
    rms_revoked_t         got;
    const unsigned char  *p;

    if (src->len != 0 && src->data[0] != RMS_REVOKED_VERSION) {
        return RMS_UNSUPPORTED;
    }

    if (src->len < RMS_REVOKED_FIXED) {
        return RMS_INVALID;
    }

    got.all = rms_revoked_get(src->data + 1, 8);
    got.n = (size_t) rms_revoked_get(src->data + 9, 2);

    if (got.n > RMS_REVOKED_MAX
        || src->len != RMS_REVOKED_FIXED + RMS_REVOKED_ENTRY * got.n)
    {
        return RMS_INVALID;
    }

    p = src->data + RMS_REVOKED_FIXED;

    for (i = 0; i < got.n; i++, p += RMS_REVOKED_ENTRY) {
        got.entries[i].account = rms_revoked_get(p, 8);
        got.entries[i].epoch = rms_revoked_get(p + 8, 8);
    }

    if (!rms_revoked_fine(&got)) {
        return RMS_INVALID;
    }

    revoked->all = got.all;
    revoked->n = got.n;
    memcpy(revoked->entries, got.entries, got.n * sizeof(got.entries[0]));

    return RMS_OK;
}


static uint64_t
rms_revoked_get(const unsigned char *p, size_t bytes)
{
    size_t    i;
    uint64_t  n;

    for (i = 0, n = 0; i < bytes; i++) {
        n |= (uint64_t) p[i] << (8 * i);
    }

    return n;
}
