/*
 * Failures with a half-life.  The table is made of groups of slots; a name
 * (salted hash of address and account) belongs to one group, so that finding
 * it and making room for it look at that group alone.  When it is full, the
 * slot whose failures are nearly forgotten goes.  The caller owns the memory
 * (a block of the zone) and holds its lock.
 */

#include <openssl/evp.h>
#include <openssl/rand.h>

#include "rms_backoff.h"


/* "RMSBACK" and the version of the layout below. */

#define RMS_BACKOFF_MAGIC        UINT64_C(0x014b434142534d52)

#define RMS_BACKOFF_GROUP        8
#define RMS_BACKOFF_GROUPS_MAX   ((size_t) 1 << 26)
#define RMS_BACKOFF_TAG          16
#define RMS_BACKOFF_SALT         32
#define RMS_BACKOFF_ACCOUNT_MAX  512

/* Counts are in units of this, so that little by little they fade. */

#define RMS_BACKOFF_ONE          UINT32_C(65536)

/* No more are kept: the longest attack is half forgotten as soon as others. */

#define RMS_BACKOFF_COUNT_MAX    (64 * RMS_BACKOFF_ONE)


typedef struct rms_backoff_shared_s {
    uint64_t       magic;
    uint64_t       groups;
    uint64_t       failures;
    uint64_t       delayed;
    uint64_t       evicted;
    uint64_t       unused;
    unsigned char  salt[RMS_BACKOFF_SALT];
} rms_backoff_shared_t;


typedef struct rms_backoff_slot_s {
    unsigned char  tag[RMS_BACKOFF_TAG];
    uint64_t       last;        /* ms                                    */
    uint32_t       count;       /* at that time; 0: the slot is free     */
    uint32_t       unused;
} rms_backoff_slot_t;


_Static_assert(sizeof(rms_backoff_shared_t) % 16 == 0, "slots are aligned");


static size_t rms_backoff_groups(size_t slots);
static rms_rc_e rms_backoff_view(rms_backoff_t *backoff, void *memory,
    size_t slots);
static size_t rms_backoff_address(const rms_str_t *address,
    unsigned char *dst);
static rms_rc_e rms_backoff_tag(const rms_backoff_t *backoff,
    const rms_str_t *account, const rms_str_t *address, unsigned char *tag);
static rms_backoff_slot_t *rms_backoff_group(const rms_backoff_t *backoff,
    const unsigned char *tag);
static rms_backoff_slot_t *rms_backoff_find(const rms_backoff_t *backoff,
    const unsigned char *tag);
static rms_backoff_slot_t *rms_backoff_make(rms_backoff_t *backoff,
    const unsigned char *tag, uint64_t now);
static uint32_t rms_backoff_left(const rms_backoff_slot_t *slot,
    uint64_t now);
static uint32_t rms_backoff_count(rms_backoff_t *backoff, uint64_t now,
    const rms_str_t *account, const rms_str_t *address);
static unsigned rms_backoff_delay(uint32_t count, uint32_t free);


size_t
rms_backoff_size(size_t slots)
{
    size_t  groups;

    groups = rms_backoff_groups(slots);

    if (groups > RMS_BACKOFF_GROUPS_MAX) {
        return 0;
    }

    return sizeof(rms_backoff_shared_t)
           + groups * RMS_BACKOFF_GROUP * sizeof(rms_backoff_slot_t);
}


static size_t
rms_backoff_groups(size_t slots)
{
    return slots / RMS_BACKOFF_GROUP + (slots % RMS_BACKOFF_GROUP != 0);
}


size_t
rms_backoff_fit(size_t bytes)
{
    size_t  groups;

    if (bytes < sizeof(rms_backoff_shared_t)) {
        return 0;
    }

    groups = (bytes - sizeof(rms_backoff_shared_t))
             / (RMS_BACKOFF_GROUP * sizeof(rms_backoff_slot_t));

    if (groups > RMS_BACKOFF_GROUPS_MAX) {
        groups = RMS_BACKOFF_GROUPS_MAX;
    }

    return groups * RMS_BACKOFF_GROUP;
}


rms_rc_e
rms_backoff_init(rms_backoff_t *backoff, void *memory, size_t slots)
{
    rms_rc_e  rc;

    rc = rms_backoff_view(backoff, memory, slots);
    if (rc != RMS_OK) {
        return rc;
    }

    memset(memory, 0, rms_backoff_size(slots));

    if (RAND_priv_bytes(backoff->shared->salt, RMS_BACKOFF_SALT) != 1) {
        return RMS_UNSUPPORTED;
    }

    backoff->shared->groups = backoff->groups;
    backoff->shared->magic = RMS_BACKOFF_MAGIC;

    return RMS_OK;
}


static rms_rc_e
rms_backoff_view(rms_backoff_t *backoff, void *memory, size_t slots)
{
    size_t  groups;

    groups = rms_backoff_groups(slots);

    if (groups == 0 || groups > RMS_BACKOFF_GROUPS_MAX) {
        return RMS_INVALID;
    }

    backoff->shared = memory;
    backoff->slots = (rms_backoff_slot_t *) (void *) (backoff->shared + 1);
    backoff->groups = groups;

    return RMS_OK;
}


rms_rc_e
rms_backoff_attach(rms_backoff_t *backoff, void *memory, size_t slots)
{
    if (rms_backoff_view(backoff, memory, slots) != RMS_OK
        || backoff->shared->magic != RMS_BACKOFF_MAGIC
        || backoff->shared->groups != backoff->groups)
    {
        return RMS_DECLINED;
    }

    return RMS_OK;
}


unsigned
rms_backoff_fail(rms_backoff_t *backoff, uint64_t now,
    const rms_str_t *account, const rms_str_t *address)
{
    unsigned  delay, of_pair;

    delay = rms_backoff_delay(rms_backoff_count(backoff, now, NULL, address),
                              RMS_BACKOFF_ADDRESS_FREE);

    if (account->len != 0) {
        of_pair = rms_backoff_delay(rms_backoff_count(backoff, now, account,
                                                      address),
                                    RMS_BACKOFF_PAIR_FREE);

        if (of_pair > delay) {
            delay = of_pair;
        }
    }

    backoff->shared->failures++;
    backoff->shared->delayed += (delay != 0);

    return delay;
}


/*
 * Counts one failure more and answers how many there are now.  One that
 * cannot be counted for want of memory is not answered at once.
 */

static uint32_t
rms_backoff_count(rms_backoff_t *backoff, uint64_t now,
    const rms_str_t *account, const rms_str_t *address)
{
    uint32_t             count;
    unsigned char        tag[RMS_BACKOFF_TAG];
    rms_backoff_slot_t  *slot;

    if (rms_backoff_tag(backoff, account, address, tag) != RMS_OK) {
        return RMS_BACKOFF_COUNT_MAX;
    }

    slot = rms_backoff_find(backoff, tag);

    if (slot == NULL) {
        slot = rms_backoff_make(backoff, tag, now);
    }

    count = rms_backoff_left(slot, now) + RMS_BACKOFF_ONE;

    slot->last = now;
    slot->count = count < RMS_BACKOFF_COUNT_MAX ? count
                                                : RMS_BACKOFF_COUNT_MAX;

    return slot->count;
}


/*
 * Whole failures above the free ones double the delay.  A count that has
 * faded is rounded to the nearest, or the third failure within a second would
 * count as two and a bit.
 */

static unsigned
rms_backoff_delay(uint32_t count, uint32_t free)
{
    unsigned  delay;
    uint32_t  n;

    n = (count + RMS_BACKOFF_ONE / 2) / RMS_BACKOFF_ONE;

    if (n <= free) {
        return 0;
    }

    delay = RMS_BACKOFF_DELAY_MIN;

    for (n -= free; n > 1 && delay < RMS_BACKOFF_DELAY_MAX; n--) {
        delay *= 2;
    }

    return delay < RMS_BACKOFF_DELAY_MAX ? delay : RMS_BACKOFF_DELAY_MAX;
}


void
rms_backoff_success(rms_backoff_t *backoff, const rms_str_t *account,
    const rms_str_t *address)
{
    unsigned char        tag[RMS_BACKOFF_TAG];
    rms_backoff_slot_t  *slot;

    if (account->len == 0
        || rms_backoff_tag(backoff, account, address, tag) != RMS_OK)
    {
        return;
    }

    slot = rms_backoff_find(backoff, tag);

    if (slot != NULL) {
        memset(slot, 0, sizeof(rms_backoff_slot_t));
    }
}


/*
 * The name of a slot: SHA-256 of salt, address and account, all of a fixed
 * length but the last.  account NULL: of the address alone.
 */

static rms_rc_e
rms_backoff_tag(const rms_backoff_t *backoff, const rms_str_t *account,
    const rms_str_t *address, unsigned char *tag)
{
    size_t          i, n;
    unsigned char  *p, hash[EVP_MAX_MD_SIZE];
    unsigned char   text[RMS_BACKOFF_SALT + 1 + 16 + RMS_BACKOFF_ACCOUNT_MAX];

    memset(text, 0, RMS_BACKOFF_SALT + 1 + 16);
    memcpy(text, backoff->shared->salt, RMS_BACKOFF_SALT);

    p = text + RMS_BACKOFF_SALT;
    p[0] = (unsigned char) rms_backoff_address(address, p + 1);
    p += 1 + 16;

    n = 0;

    if (account != NULL) {
        n = account->len < RMS_BACKOFF_ACCOUNT_MAX ? account->len
                                                   : RMS_BACKOFF_ACCOUNT_MAX;

        for (i = 0; i < n; i++) {
            p[i] = rms_lower(account->data[i]);
        }
    }

    if (!EVP_Digest(text, (size_t) (p - text) + n, hash, NULL, EVP_sha256(),
                    NULL))
    {
        return RMS_NOMEM;
    }

    memcpy(tag, hash, RMS_BACKOFF_TAG);

    return RMS_OK;
}


/* The part of an address that counts, into 16 bytes of zeros; its length. */

static size_t
rms_backoff_address(const rms_str_t *address, unsigned char *dst)
{
    static const unsigned char  mapped[12] = {
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff
    };

    if (address->len == 4) {
        memcpy(dst, address->data, 4);
        return 4;
    }

    if (address->len != 16) {
        return 0;
    }

    if (memcmp(address->data, mapped, sizeof(mapped)) == 0) {
        memcpy(dst, address->data + sizeof(mapped), 4);
        return 4;
    }

    memcpy(dst, address->data, 8);

    return 8;
}


static rms_backoff_slot_t *
rms_backoff_group(const rms_backoff_t *backoff, const unsigned char *tag)
{
    uint64_t  n;

    memcpy(&n, tag, sizeof(uint64_t));

    return backoff->slots + n % backoff->groups * RMS_BACKOFF_GROUP;
}


static rms_backoff_slot_t *
rms_backoff_find(const rms_backoff_t *backoff, const unsigned char *tag)
{
    size_t               i;
    rms_backoff_slot_t  *slot;

    slot = rms_backoff_group(backoff, tag);

    for (i = 0; i < RMS_BACKOFF_GROUP; i++, slot++) {
        if (slot->count != 0
            && memcmp(slot->tag, tag, RMS_BACKOFF_TAG) == 0)
        {
            return slot;
        }
    }

    return NULL;
}


/* The slot with the least left is the oldest of those with equal failures. */

static rms_backoff_slot_t *
rms_backoff_make(rms_backoff_t *backoff, const unsigned char *tag,
    uint64_t now)
{
    size_t               i;
    uint32_t             left, least;
    rms_backoff_slot_t  *slot, *found;

    slot = rms_backoff_group(backoff, tag);
    found = slot;
    least = rms_backoff_left(slot, now);

    for (i = 1; i < RMS_BACKOFF_GROUP && least != 0; i++) {
        left = rms_backoff_left(&slot[i], now);

        if (left < least) {
            least = left;
            found = &slot[i];
        }
    }

    /* less than half a failure is as good as none */

    if (least >= RMS_BACKOFF_ONE / 2) {
        backoff->shared->evicted++;
    }

    memset(found, 0, sizeof(rms_backoff_slot_t));
    memcpy(found->tag, tag, RMS_BACKOFF_TAG);

    return found;
}


/*
 * What is left of a count: half after each half-life, and a straight line in
 * between.  A clock that was set back lets nothing fade, and adds nothing.
 */

static uint32_t
rms_backoff_left(const rms_backoff_slot_t *slot, uint64_t now)
{
    uint32_t  count;
    uint64_t  age, halves;

    count = slot->count < RMS_BACKOFF_COUNT_MAX ? slot->count
                                                : RMS_BACKOFF_COUNT_MAX;
    age = now > slot->last ? now - slot->last : 0;
    halves = age / RMS_BACKOFF_HALF_LIFE;

    if (halves >= 32) {
        return 0;
    }

    count >>= halves;
    age %= RMS_BACKOFF_HALF_LIFE;

    return count - (uint32_t) (count * age / (2 * RMS_BACKOFF_HALF_LIFE));
}


rms_backoff_stats_t
rms_backoff_stats(const rms_backoff_t *backoff)
{
    rms_backoff_stats_t  stats;

    stats.slots = backoff->groups * RMS_BACKOFF_GROUP;
    stats.failures = backoff->shared->failures;
    stats.delayed = backoff->shared->delayed;
    stats.evicted = backoff->shared->evicted;

    return stats;
}
