/*
 * The replay cache: two generations of an open-addressing table in flat
 * memory.  The caller owns the memory (a block of the zone) and holds its
 * lock; there are no pointers inside, so any process may map it anywhere.
 * Runs in workers, inside the lock: no system call, no allocation.
 */

#include "rms_replay.h"


/* "RMSRPLY" and the version of the layout below. */

#define RMS_REPLAY_MAGIC    UINT64_C(0x01594c5052534d52)

#define RMS_REPLAY_PROBE_END  ((size_t) -1)


struct rms_replay_s {
    uint64_t    magic;
    uint64_t    entries;        /* a generation remembers so many        */
    uint64_t    slots;          /* of one generation                     */
    uint64_t    window;         /* seconds                               */
    uint64_t    started;        /* of the present generation             */
    uint64_t    present;        /* 0 or 1                                */
    uint64_t    used[2];
};


typedef struct {
    unsigned char  tag[RMS_REPLAY_TAG];
} rms_replay_slot_t;


_Static_assert(sizeof(rms_replay_t) % RMS_REPLAY_TAG == 0,
               "slots follow the header and stay aligned");


static size_t rms_replay_slots(size_t entries);
static rms_replay_slot_t *rms_replay_table(rms_replay_t *replay,
    uint64_t generation);
static void rms_replay_clear(rms_replay_t *replay, uint64_t generation);
static void rms_replay_rotate(rms_replay_t *replay, uint64_t now);
static size_t rms_replay_probe(rms_replay_t *replay, uint64_t generation,
    const rms_replay_slot_t *tag, int *seen);
static int rms_replay_slot_empty(const rms_replay_slot_t *slot);


size_t
rms_replay_size(size_t entries)
{
    size_t  slots;

    if (entries > SIZE_MAX / (4 * sizeof(rms_replay_slot_t))) {
        return 0;
    }

    slots = rms_replay_slots(entries);

    return sizeof(rms_replay_t) + 2 * slots * sizeof(rms_replay_slot_t);
}


/* So many that 7/8 of them hold the entries; never none. */

static size_t
rms_replay_slots(size_t entries)
{
    return entries + entries / 7 + 1;
}


size_t
rms_replay_fit(size_t bytes)
{
    size_t  entries, slots;

    if (bytes < rms_replay_size(1)) {
        return 0;
    }

    slots = (bytes - sizeof(rms_replay_t)) / (2 * sizeof(rms_replay_slot_t));
    entries = slots - slots / 8;

    /* at most a step or two: both sides round */

    while (rms_replay_slots(entries) > slots) {
        entries--;
    }

    return entries;
}


rms_replay_t *
rms_replay_init(void *memory, size_t entries, unsigned window)
{
    rms_replay_t  *replay = memory;

    memset(replay, 0, rms_replay_size(entries));

    replay->entries = entries;
    replay->slots = rms_replay_slots(entries);
    replay->window = window;
    replay->magic = RMS_REPLAY_MAGIC;

    return replay;
}


rms_replay_t *
rms_replay_attach(void *memory, size_t entries, unsigned window)
{
    rms_replay_t  *replay = memory;

    if (replay->magic != RMS_REPLAY_MAGIC
        || replay->entries != entries
        || replay->slots != rms_replay_slots(entries)
        || replay->present > 1)
    {
        return NULL;
    }

    /* what was accepted under the longer one must still be remembered */

    if (window > replay->window) {
        replay->window = window;
    }

    return replay;
}


rms_replay_e
rms_replay_check(rms_replay_t *replay, const unsigned char *hash,
    uint64_t now, size_t keep)
{
    int                 seen;
    size_t              i;
    uint64_t            present;
    rms_replay_slot_t   tag, *slot;

    memcpy(tag.tag, hash, RMS_REPLAY_TAG);

    /* zeros mark an empty slot, so this one hash shares the tag of another */

    if (rms_replay_slot_empty(&tag)) {
        tag.tag[RMS_REPLAY_TAG - 1] = 1;
    }

    rms_replay_rotate(replay, now);

    present = replay->present;

    (void) rms_replay_probe(replay, 1 - present, &tag, &seen);
    if (seen) {
        return RMS_REPLAY_SEEN;
    }

    i = rms_replay_probe(replay, present, &tag, &seen);
    if (seen) {
        return RMS_REPLAY_SEEN;
    }

    if (i == RMS_REPLAY_PROBE_END
        || replay->used[present] >= replay->entries
        || replay->entries - replay->used[present] <= keep)
    {
        return RMS_REPLAY_FULL;
    }

    slot = rms_replay_table(replay, present) + i;
    *slot = tag;
    replay->used[present]++;

    return RMS_REPLAY_NEW;
}


/*
 * A generation takes entries for one window and is kept for another, so an
 * entry lives at least one window and at most two.  When the clock steps
 * back, an authenticator of the time before the step becomes acceptable again
 * once the clock has caught up: nothing may be forgotten until then, so the
 * present generation keeps its start.
 */

static void
rms_replay_rotate(rms_replay_t *replay, uint64_t now)
{
    uint64_t  age;

    if (replay->started == 0) {
        replay->started = now;
        return;
    }

    if (now < replay->started) {
        return;
    }

    age = now - replay->started;

    if (age < replay->window) {
        return;
    }

    if (age >= 2 * replay->window) {
        rms_replay_clear(replay, replay->present);
        replay->started = now;

    } else {
        replay->started += replay->window;
    }

    replay->present = 1 - replay->present;

    rms_replay_clear(replay, replay->present);
}


static void
rms_replay_clear(rms_replay_t *replay, uint64_t generation)
{
    if (replay->used[generation] == 0) {
        return;
    }

    memset(rms_replay_table(replay, generation), 0,
           (size_t) replay->slots * sizeof(rms_replay_slot_t));

    replay->used[generation] = 0;
}


static rms_replay_slot_t *
rms_replay_table(rms_replay_t *replay, uint64_t generation)
{
    rms_replay_slot_t  *table;

    table = (rms_replay_slot_t *) (void *) (replay + 1);

    return table + generation * replay->slots;
}


/*
 * Answers the slot that holds the tag (seen is 1) or the empty slot where it
 * belongs; RMS_REPLAY_PROBE_END when there is neither.  The tag is part of a
 * SHA-256, so its first bytes are as good as any hash of it; what a caller
 * can learn from the time of a probe is of no use to him.
 */

static size_t
rms_replay_probe(rms_replay_t *replay, uint64_t generation,
    const rms_replay_slot_t *tag, int *seen)
{
    size_t              i, n, slots;
    uint64_t            key;
    rms_replay_slot_t  *table;

    *seen = 0;

    slots = (size_t) replay->slots;
    table = rms_replay_table(replay, generation);

    memcpy(&key, tag->tag, sizeof(uint64_t));
    i = (size_t) (key % slots);

    for (n = 0; n < slots; n++) {

        if (rms_replay_slot_empty(&table[i])) {
            return i;
        }

        if (memcmp(&table[i], tag, sizeof(rms_replay_slot_t)) == 0) {
            *seen = 1;
            return i;
        }

        if (++i == slots) {
            i = 0;
        }
    }

    return RMS_REPLAY_PROBE_END;
}


static int
rms_replay_slot_empty(const rms_replay_slot_t *slot)
{
    static const rms_replay_slot_t  zero;

    return memcmp(slot, &zero, sizeof(rms_replay_slot_t)) == 0;
}


rms_replay_stats_t
rms_replay_stats(const rms_replay_t *replay)
{
    rms_replay_stats_t  stats;

    stats.capacity = (size_t) replay->entries;
    stats.used = (size_t) replay->used[replay->present];
    stats.previous = (size_t) replay->used[1 - replay->present];
    stats.started = replay->started;

    return stats;
}
