/*
 * Revocations of sessions.  They are numbered; a login takes the number of the
 * last one along, and its session is over when a revocation of its account, or
 * of all, has a higher one.  No clock is in it.  A bounded number of accounts
 * is remembered: the oldest give way and are covered by a revocation of all of
 * their time, which costs logins and lets no session outlive its revocation.
 *
 * Nodes that cannot reach each other number on their own; rms_revoked_merge()
 * brings them together.  Pure functions, any thread; plain data that may lie
 * in shared memory, under a lock of the caller's.
 */

#ifndef RMS_REVOKED_H
#define RMS_REVOKED_H


#include "rms_types.h"


#define RMS_REVOKED_MAX  256

/* version, all, n and the entries */
#define RMS_REVOKED_ENCODED_MAX  (1 + 8 + 2 + 16 * RMS_REVOKED_MAX)

/* numbers of revocations end here */
#define RMS_REVOKED_EPOCH_MAX    ((uint64_t) INT64_MAX)


typedef struct {
    uint64_t                account;    /* rms_revoked_account(), never 0    */
    uint64_t                epoch;      /* above that of all                 */
} rms_revoked_entry_t;


/* Accounts ascend.  Zeroed it is the state without a revocation. */

typedef struct {
    uint64_t                all;        /* epoch; 0: never                   */
    size_t                  n;
    rms_revoked_entry_t     entries[RMS_REVOKED_MAX];
} rms_revoked_t;


/*
 * What stands for an account: a hash (FNV-1a) of the name without case, never
 * 0.  Accounts that differ in nothing else, and any whose hashes meet, are
 * revoked together.
 */
uint64_t rms_revoked_account(const rms_str_t *name);


/* The number of the last revocation, which a login takes along; 0: none yet. */
uint64_t rms_revoked_epoch(const rms_revoked_t *revoked);


/* Sessions of the account with a number below this one are over. */
uint64_t rms_revoked_at(const rms_revoked_t *revoked, uint64_t account);


/* Revokes the sessions of an account, or with 0 all; answers the number. */
uint64_t rms_revoked_add(rms_revoked_t *revoked, uint64_t account);


/*
 * Brings the revocations of a node (local) together with those of the others
 * (remote, the shared document); dst may be one of them.  known: the epoch of
 * the document that local was last merged with, 0: none yet.  Afterwards known
 * is the epoch of remote, even if dst cannot be told to the others yet, so that
 * the next merge takes nothing for news twice; and the epoch of dst, once dst
 * is what the others have.
 *
 * No session that either side had revoked is valid by dst.  A revocation that
 * the other side does not know gets a number above every number of both, if
 * the other side has numbered as far in the meantime; else it keeps its own,
 * so that what began after it lives on.  A number never falls: rms_revoked_at()
 * of dst is at least that of both sides.
 *
 * This holds for sessions that a side has itself, and for those of nodes whose
 * own revocations are all in the document: so a session must not be given to
 * other nodes while revocations of the node that made it wait to be merged.
 *
 * RMS_OK: dst differs from remote, the others must be told; RMS_DECLINED: dst
 * is remote, there is nothing to tell.
 */
rms_rc_e rms_revoked_merge(const rms_revoked_t *local,
    const rms_revoked_t *remote, uint64_t known, rms_revoked_t *dst);


/*
 * The revocations as bytes, the body of a document.  dst: dst->len is the
 * room, RMS_REVOKED_ENCODED_MAX is always enough; then the length.  RMS_OK;
 * RMS_TOO_LARGE: no room; RMS_INVALID: they break a rule (accounts that do not
 * ascend, an epoch that all covers or beyond RMS_REVOKED_EPOCH_MAX).
 */
rms_rc_e rms_revoked_encode(const rms_revoked_t *revoked, rms_str_t *dst);


/*
 * The same back.  RMS_OK; RMS_UNSUPPORTED: another version; RMS_INVALID:
 * anything that rms_revoked_encode() does not write.  With any but RMS_OK
 * revoked is as it was.
 */
rms_rc_e rms_revoked_decode(const rms_str_t *src, rms_revoked_t *revoked);


#endif /* RMS_REVOKED_H */
