/*
 * Failed logins per (account, address) and per address, in flat memory (the
 * zone), and how long the answer to a failure waits.  Nobody is locked out:
 * only failures ever wait, and only at the address they come from.  Behind an
 * address with many good callers and a bad one, the good ones wait when they
 * fail themselves, and never when they succeed.  What a stranger does from
 * elsewhere does not count here, whatever account he names.
 *
 * Indices only, never pointers; the caller holds the lock around each call.
 * A call looks at two groups of eight slots and makes two hashes; it waits for
 * nothing.  Time is passed in: milliseconds of a clock all processes share.
 */

#ifndef RMS_BACKOFF_H
#define RMS_BACKOFF_H


#include "rms_types.h"


/* Failures that cost nothing, and what those behind them wait. */

#define RMS_BACKOFF_PAIR_FREE     3     /* of one account at one address */
#define RMS_BACKOFF_ADDRESS_FREE  20    /* of one address                */
#define RMS_BACKOFF_DELAY_MIN     250   /* ms; doubles with each failure */
#define RMS_BACKOFF_DELAY_MAX     4000  /* ms                            */

/* After so long half of the failures are forgotten. */

#define RMS_BACKOFF_HALF_LIFE     60000 /* ms                            */


/* A process's own view of the memory; good in those it forks later. */

typedef struct {
    struct rms_backoff_shared_s  *shared;
    struct rms_backoff_slot_s    *slots;
    size_t                        groups;
} rms_backoff_t;


typedef struct {
    size_t      slots;
    uint64_t    failures;
    uint64_t    delayed;        /* of those, answers that had to wait    */
    uint64_t    evicted;        /* slots taken that still counted        */
} rms_backoff_stats_t;


/*
 * Bytes of memory for so many slots (rounded up to groups of eight; 0: more
 * than can be), and the most slots that fit into so many bytes (0: none).
 */
size_t rms_backoff_size(size_t slots);
size_t rms_backoff_fit(size_t bytes);


/*
 * Makes a table in memory of rms_backoff_size(slots) bytes, 16-byte aligned.
 * RMS_OK; RMS_INVALID: no slots or too many; RMS_UNSUPPORTED: the system gives
 * no randomness for the salt, without which a caller could choose whose slots
 * to push out.
 */
rms_rc_e rms_backoff_init(rms_backoff_t *backoff, void *memory, size_t slots);


/*
 * Takes over a table (reload).  RMS_DECLINED when the memory does not hold one
 * of this build and size: then make a new one.
 */
rms_rc_e rms_backoff_attach(rms_backoff_t *backoff, void *memory,
    size_t slots);


/*
 * A login failed.  account: as the caller claimed it, without case, may be
 * empty when it is not known; address: 4 or 16 bytes, in network order; IPv6
 * counts by /64 (RFC 6177: what one site has at least), an IPv4-mapped one as
 * IPv4; any other length (a unix socket) is one address.  Answers how many
 * milliseconds the answer to this failure has to wait, RMS_BACKOFF_DELAY_MAX
 * at most.  How many answers wait at once is the caller's to limit.
 */
unsigned rms_backoff_fail(rms_backoff_t *backoff, uint64_t now,
    const rms_str_t *account, const rms_str_t *address);


/*
 * A login succeeded: forgets the failures of this account at this address, and
 * those alone.  One good account does not excuse the guessing at others.
 */
void rms_backoff_success(rms_backoff_t *backoff, const rms_str_t *account,
    const rms_str_t *address);


rms_backoff_stats_t rms_backoff_stats(const rms_backoff_t *backoff);


#endif /* RMS_BACKOFF_H */
