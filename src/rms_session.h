/*
 * A session: who was identified, how, and how long that may be relied on.
 * The identity is kept, never a decision.  Ids, the codec of the record, and
 * the rules by which a session ends.  Pure functions, any thread, nothing
 * allocated; a decoded session points into the caller's bytes.
 */

#ifndef RMS_SESSION_H
#define RMS_SESSION_H


#include "rms_sid.h"


#define RMS_SESSION_ID           16     /* bytes, 128 bit                */
#define RMS_SESSION_TEXT         22     /* the same in base64url         */
#define RMS_SESSION_KEY          16
#define RMS_SESSION_SCOPE        16
#define RMS_SESSION_THUMBPRINT   32     /* SHA-256 of a certificate      */

#define RMS_SESSION_NAME_MAX     512    /* bytes, account and service    */
#define RMS_SESSION_SIDS_MAX     (30 * 1024)
#define RMS_SESSION_ENCODED_MAX  (32 * 1024)

/* Cookies of our name that one request may bring: see there. */
#define RMS_SESSION_COOKIES_MAX  4

/* How far the clocks of the nodes of a pool may be apart, in seconds. */
#define RMS_SESSION_SKEW         30


typedef enum {
    RMS_SESSION_KERBEROS = 1,
    RMS_SESSION_NTLM,
    RMS_SESSION_CERTIFICATE
} rms_session_mech_e;


typedef struct {
    rms_str_t           account;    /* as rules see it; never empty      */
    rms_str_t           service;    /* principal of the ticket, or empty */
    rms_str_t           sids;       /* of rms_sid_pack(); empty: unknown */
    rms_sid_t           user;       /* of these, the account's own       */
    rms_session_mech_e  mech;
    unsigned            foreign:1;
    unsigned            has_user:1;
    unsigned            has_thumbprint:1;
    unsigned char       thumbprint[RMS_SESSION_THUMBPRINT];
    unsigned char       scope[RMS_SESSION_SCOPE];   /* hash of the place in
                                       the configuration it is good for  */
    uint64_t            created;    /* seconds                           */
    uint64_t            seen;       /* seconds, not before created       */
    uint32_t            lifetime;   /* seconds from created              */
    uint32_t            idle;       /* seconds from seen                 */
    uint64_t            epoch;      /* of revocation, when the login began */
} rms_session_t;


typedef enum {
    RMS_SESSION_VALID = 0,
    RMS_SESSION_IDLE,           /* unused for too long                   */
    RMS_SESSION_EXPIRED,        /* too old, or the clock is wrong        */
    RMS_SESSION_REVOKED,
    RMS_SESSION_ELSEWHERE       /* of another place of the configuration */
} rms_session_state_e;


/*
 * May it be relied on?  scope: RMS_SESSION_SCOPE bytes of the place that asks.
 * now: seconds.
 *
 * revoked_at: revocations are numbered (one sequence for all); the epoch of a
 * moment is the number of the last one.  revoked_at is the greater of the last
 * one of this account and the last one of all accounts, 0 if there is none.  A
 * session whose login began before it is revoked.  No clock is in it, so nodes
 * and steps of the clock do not matter.
 *
 * A clock that stands before seen by more than RMS_SESSION_SKEW was set back;
 * how much time passed is not known then, and the session is over.  So a step
 * back never lengthens a life by more than what rms_session_touch_due() lets
 * pass unwritten, and the skew.
 */
rms_session_state_e rms_session_state(const rms_session_t *session,
    const unsigned char *scope, uint64_t now, uint64_t revoked_at);


/*
 * Is it worth writing back with seen = now?  When more than a tenth of the
 * idle time has passed: so a session ends up to a tenth early, never late.
 */
int rms_session_touch_due(const rms_session_t *session, uint64_t now);


/* Seconds, absolute, when its record may go: the earlier of both ends. */
uint64_t rms_session_expires(const rms_session_t *session);


/*
 * A new id.  RMS_OK; RMS_UNSUPPORTED: the system gives no randomness, and
 * there must be no session.
 */
rms_rc_e rms_session_id_make(unsigned char *id);


/*
 * The text of an id: RMS_SESSION_TEXT characters of base64url without padding
 * (RFC 4648 5), not terminated.  Reading takes exactly that and only the one
 * spelling each id has: RMS_OK or RMS_INVALID.
 */
void rms_session_id_text(const unsigned char *id, unsigned char *text);
rms_rc_e rms_session_id_read(const rms_str_t *text, unsigned char *id);


/*
 * The key (RMS_SESSION_KEY bytes) of the record: part of a SHA-256 of the id,
 * so that what the store holds is of no use as a cookie.  RMS_OK, RMS_NOMEM.
 */
rms_rc_e rms_session_key(const unsigned char *id, unsigned char *key);


/* The key of what is kept of an account's last login, made alike. */
rms_rc_e rms_session_account_key(const rms_str_t *account,
    unsigned char *key);


/*
 * The id in the Cookie headers of a request.  Of several cookies of our name
 * the first that has the form of an id counts: we set one, with Path=/, so
 * others were put there by a neighbouring host, and no order of trying them
 * all would tell which is ours; it would only make each request cost several
 * look-ups.  What such a neighbour can do is to force a login or to hand out
 * a session of its own; a name with "__Host-" makes browsers refuse it both.
 * RMS_OK; RMS_DECLINED: none; RMS_TOO_LARGE: more than
 * RMS_SESSION_COOKIES_MAX of our name, which no browser of ours sends.
 */
rms_rc_e rms_session_cookie(const rms_str_t *headers, size_t n_headers,
    const rms_str_t *name, unsigned char *id);


/*
 * The record.  dst: dst->len is the room, RMS_SESSION_ENCODED_MAX is always
 * enough; then the length.  RMS_OK; RMS_TOO_LARGE: no room; RMS_INVALID: the
 * session breaks a rule (empty account, control characters, too long, no
 * lifetime, seen before created, a certificate login without thumbprint, a SID
 * of its own without SIDs, ...).
 */
rms_rc_e rms_session_encode(const rms_session_t *session, rms_str_t *dst);


/*
 * The same back.  RMS_OK; RMS_UNSUPPORTED: another version of the record, which
 * is as good as none;
 * RMS_INVALID: anything that rms_session_encode() does not write.
 */
rms_rc_e rms_session_decode(const rms_str_t *src, rms_session_t *session);


#endif /* RMS_SESSION_H */
