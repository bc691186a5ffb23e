/*
 * Sealed records: what nodes keep where others can write (Redis, files), so
 * that nobody without the key can read, make, change or move one.  A record is
 *
 *     version 1, key id[8], salt[16], AES-256-GCM ciphertext, tag[16]
 *
 * Key and nonce are of this record alone: HKDF-SHA256 (RFC 5869) of the key
 * in the ring and the random salt.  Authenticated with the ciphertext (NIST
 * SP 800-38D): all bytes before it, and the context.  Pure functions, any
 * thread; a ring may be read by several at once.  Nothing is allocated but
 * OpenSSL's contexts, freed and wiped within the call.
 */

#ifndef RMS_SEAL_H
#define RMS_SEAL_H


#include "rms_types.h"


#define RMS_SEAL_KEYS_MAX   16          /* in a ring                         */
#define RMS_SEAL_KEY        32          /* bytes                             */
#define RMS_SEAL_KEY_ID     8
#define RMS_SEAL_SALT       16
#define RMS_SEAL_TAG        16

/* bytes before the ciphertext, and those a record has more than its text */
#define RMS_SEAL_HEADER     (1 + RMS_SEAL_KEY_ID + RMS_SEAL_SALT)
#define RMS_SEAL_OVERHEAD   (RMS_SEAL_HEADER + RMS_SEAL_TAG)

#define RMS_SEAL_TEXT_MAX   (4 * 1024 * 1024)
#define RMS_SEAL_CONTEXT_MAX  1024


typedef struct {
    unsigned char        id[RMS_SEAL_KEY_ID];   /* of the key, by HKDF       */
    unsigned char        key[RMS_SEAL_KEY];
} rms_seal_key_t;


/*
 * The first key seals, all of them open.  No pointer into itself: it may lie
 * in memory of the caller's choosing.  Zeroed, or wiped, it has no keys.
 */

typedef struct {
    size_t               n;
    rms_seal_key_t       keys[RMS_SEAL_KEYS_MAX];
    struct evp_kdf_st    *kdf;
    struct evp_cipher_st *cipher;
} rms_seal_ring_t;


/* What is wrong with a file of keys; never holds anything of a key. */

typedef struct {
    unsigned             line;          /* from 1; 0: the file as a whole    */
    const char          *text;          /* and what to write instead         */
} rms_seal_error_t;


/*
 * The ring of a file's text: a key of 64 hex digits a line, blanks around it
 * and "# comment" behind it or alone are fine.  ring: what was in it is
 * overwritten, so wipe it before; wipe it in the end whatever the answer.
 * RMS_OK; RMS_INVALID: a line is no key, repeats one, or there is none;
 * RMS_TOO_LARGE: more than RMS_SEAL_KEYS_MAX; RMS_NOMEM: OpenSSL gave nothing.
 * error is set with all but RMS_OK, and the ring is empty then.
 */
rms_rc_e rms_seal_ring_read(const rms_str_t *text, rms_seal_ring_t *ring,
    rms_seal_error_t *error);


/* Nothing is left of the keys. */
void rms_seal_ring_wipe(rms_seal_ring_t *ring);


/*
 * Seals text with the first key.  context (up to RMS_SEAL_CONTEXT_MAX bytes)
 * is not in the record and must be the same when it is opened: the name of the
 * key it is stored under, and what else the record must not be taken away
 * from.  dst: dst->len is the room, text->len + RMS_SEAL_OVERHEAD is what it
 * takes, then that; it must not overlap text.  RMS_OK; RMS_DECLINED: no key in
 * the ring; RMS_TOO_LARGE: no room, or text or context too long;
 * RMS_UNSUPPORTED: no randomness; RMS_NOMEM: OpenSSL gave nothing.
 */
rms_rc_e rms_seal(const rms_seal_ring_t *ring, const rms_str_t *context,
    const rms_str_t *text, rms_str_t *dst);


/*
 * Opens a record.  dst: dst->len is the room, record->len less
 * RMS_SEAL_OVERHEAD is what it takes, then that; it must not overlap the
 * record.  With any answer but RMS_OK nothing of the text is in dst, and
 * dst->len is 0.
 *
 * RMS_OK; RMS_DECLINED: sealed with a key that is not in the ring, rotated
 * away or foreign; RMS_UNSUPPORTED: another version of records; RMS_INVALID:
 * cut short, changed, or sealed for another context; RMS_TOO_LARGE: no room,
 * or context too long; RMS_NOMEM: OpenSSL gave nothing.
 */
rms_rc_e rms_unseal(const rms_seal_ring_t *ring, const rms_str_t *context,
    const rms_str_t *record, rms_str_t *dst);


/*
 * Is it, by its header, sealed with the first key of the ring?  If not, and it
 * opens, it must be sealed again before the key it has is taken out.
 */
int rms_seal_current(const rms_seal_ring_t *ring, const rms_str_t *record);


#endif /* RMS_SEAL_H */
