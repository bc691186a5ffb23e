/*
 * The replay cache: which authenticators were accepted within the window?
 * Two generations of an open-addressing table in flat memory (the zone), no
 * pointers inside.  The caller holds the lock around each call.
 */

#ifndef RMS_REPLAY_H
#define RMS_REPLAY_H


#include "rms_types.h"


#define RMS_REPLAY_TAG  16      /* bytes kept of a SHA-256               */


typedef struct rms_replay_s  rms_replay_t;


typedef enum {
    RMS_REPLAY_NEW = 0,         /* remembered now                        */
    RMS_REPLAY_SEEN,            /* refuse                                */
    RMS_REPLAY_FULL             /* cannot remember: refuse with 503      */
} rms_replay_e;


typedef struct {
    size_t      capacity;       /* entries of one generation             */
    size_t      used;           /* of the present one                    */
    size_t      previous;       /* of the one before                     */
    uint64_t    started;        /* seconds, of the present one           */
} rms_replay_stats_t;


/*
 * Bytes of memory for so many entries per generation (0: more than a size_t
 * can say), and the most entries that fit into so many bytes (0: none; a
 * generation is full at 7/8 of its slots, so that probing stays short).
 */
size_t rms_replay_size(size_t entries);
size_t rms_replay_fit(size_t bytes);


/*
 * Makes a cache in memory of rms_replay_size(entries) bytes, 16-byte aligned.
 * window: at least 1, seconds an entry must be remembered (twice the clock
 * skew, since an authenticator is good from skew before to skew after its
 * time: RFC 4120 3.2.3).
 */
rms_replay_t *rms_replay_init(void *memory, size_t entries, unsigned window);


/*
 * Takes over a cache that an earlier configuration left in memory (reload).
 * NULL when the memory does not hold one of this build and this many entries:
 * then make a new one.  A longer window replaces the present one, a shorter
 * one does not.
 */
rms_replay_t *rms_replay_attach(void *memory, size_t entries, unsigned window);


/*
 * Asks and remembers in one step.  keep: places that must stay free in this
 * generation, for callers that matter more; 0 for those.  now: seconds, never
 * going backwards matters: a step back keeps the present generation.  hash:
 * 32 bytes.
 */
rms_replay_e rms_replay_check(rms_replay_t *replay, const unsigned char *hash,
    uint64_t now, size_t keep);


rms_replay_stats_t rms_replay_stats(const rms_replay_t *replay);


#endif /* RMS_REPLAY_H */
