/*
 * Level 1 of the store: records by key, in flat memory (the zone).  Inside
 * are indices only, never pointers, so any process may map it anywhere.  The
 * caller holds the lock around each call; no call allocates, waits or asks
 * the system for anything, and each does a bounded amount of work.
 *
 * It is a cache: a record may go at any time.  Room is made by dropping what
 * was unused for longest, but no kind can drive out another: each has a share
 * of the cells that the others can only borrow while it does not need them.
 *
 * A worker that is killed within a call leaves the memory half changed.  All
 * that is read from it is checked; what does not hold empties the store,
 * which stats().resets counts.
 */

#ifndef RMS_STORE_H
#define RMS_STORE_H


#include "rms_types.h"


#define RMS_STORE_KEY        16         /* bytes, of a SHA-256           */
#define RMS_STORE_KINDS      8
#define RMS_STORE_VALUE_MAX  (32 * 1024)


typedef struct {
    unsigned char   id[RMS_STORE_KEY];
    unsigned char   kind;       /* below RMS_STORE_KINDS; what stands for
                                   which is the caller's to say          */
} rms_store_key_t;


/*
 * A process's own view of the memory: its geometry is kept here, where nobody
 * else can change it.  Good in every process that was forked later.
 */

typedef struct {
    struct rms_store_shared_s  *shared;
    struct rms_store_cell_s    *cells;
    uint32_t                   *chains;
    uint32_t                    n_cells;
    uint32_t                    n_chains;
    uint32_t                    share[RMS_STORE_KINDS];
} rms_store_t;


typedef struct {
    uint32_t    records;
    uint32_t    cells;          /* taken                                 */
    uint32_t    share;          /* that other kinds cannot take          */
    uint64_t    evicted;        /* before their time, to make room       */
    uint64_t    expired;
} rms_store_kind_stats_t;


typedef struct {
    uint32_t                cells;
    uint32_t                free;
    uint64_t                resets;
    rms_store_kind_stats_t  kinds[RMS_STORE_KINDS];
} rms_store_stats_t;


typedef struct {
    rms_store_key_t  key;
    uint64_t         expires;
    size_t           length;    /* of the value                          */
    rms_str_t        value;     /* in: a buffer and its size, see there  */
} rms_store_entry_t;


/*
 * Bytes of memory for so many cells (0: more than can be), and the most cells
 * that fit into so many bytes (0: none).  A value of v bytes takes
 * rms_store_cells(v) cells.
 */
size_t rms_store_size(size_t cells);
size_t rms_store_fit(size_t bytes);
size_t rms_store_cells(size_t value);


/*
 * Makes a store in memory of rms_store_size(cells) bytes, 16-byte aligned.
 * parts: RMS_STORE_KINDS weights by which the cells are shared; a kind of
 * weight 0 stores nothing.  RMS_OK, or RMS_INVALID: no cells, too many, or no
 * weight at all.
 */
rms_rc_e rms_store_init(rms_store_t *store, void *memory, size_t cells,
    const unsigned *parts);


/*
 * Takes over what an earlier configuration left in memory (reload).
 * RMS_DECLINED when it does not hold a store of this build and size: then make
 * a new one.  Other weights are fine, they count from now on.
 */
rms_rc_e rms_store_attach(rms_store_t *store, void *memory, size_t cells,
    const unsigned *parts);


/*
 * Stores a copy of value until expires (seconds, absolute), in place of what
 * the key had.  RMS_OK; RMS_TOO_LARGE: longer than RMS_STORE_VALUE_MAX or than
 * the share of its kind; RMS_DECLINED: expired already; RMS_INVALID: no such
 * kind.  Unless RMS_OK, the key has no record: an old value is worse than none.
 * A get and a put that belong together need one and the same lock, or the put
 * brings back what another process has deleted.
 */
rms_rc_e rms_store_put(rms_store_t *store, const rms_store_key_t *key,
    const rms_str_t *value, uint64_t expires, uint64_t now);


/*
 * Copies a value out: value->data is the caller's, value->len its size and
 * then the length.  RMS_OK; RMS_DECLINED: no such record; RMS_TOO_LARGE:
 * value->len says what is needed, nothing was copied.
 */
rms_rc_e rms_store_get(rms_store_t *store, const rms_store_key_t *key,
    rms_str_t *value, uint64_t now);


/*
 * The number of the value that the key has: each put gives another one, so that
 * who kept what it made of a value can tell whether that is still the one.
 * Counts as use, as rms_store_get() does.  RMS_OK or RMS_DECLINED.
 */
rms_rc_e rms_store_look(rms_store_t *store, const rms_store_key_t *key,
    uint64_t now, uint32_t *number);


/*
 * How many records have gone so far, replaced ones included.  The one call that
 * needs no lock: as long as the number is the same, every record that was seen
 * before is still there, unless its time is over.  It does not count as use.
 */
uint64_t rms_store_gone(const rms_store_t *store);


/* A new expiry, and used just now.  RMS_OK or RMS_DECLINED. */
rms_rc_e rms_store_touch(rms_store_t *store, const rms_store_key_t *key,
    uint64_t expires, uint64_t now);


/* Wipes and drops.  RMS_OK or RMS_DECLINED. */
rms_rc_e rms_store_delete(rms_store_t *store, const rms_store_key_t *key);


/*
 * Walks all records, for revocation and status.  cursor: 0 at first.  Looks
 * at no more than steps cells and does not count as use.  RMS_OK: entry is the
 * next record; its value was copied if the buffer holds it (value.len is then
 * its length, and 0 if not; an entry without buffer has value.len 0).
 * RMS_AGAIN: steps are used up; give the lock away and come again with the
 * cursor.  RMS_DECLINED: that was all.  What is put meanwhile may be missed;
 * what is there all the time is not, and any record may be deleted meanwhile.
 */
rms_rc_e rms_store_each(rms_store_t *store, uint32_t *cursor, size_t steps,
    uint64_t now, rms_store_entry_t *entry);


rms_store_stats_t rms_store_stats(rms_store_t *store);


#endif /* RMS_STORE_H */
