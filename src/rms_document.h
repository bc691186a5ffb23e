/*
 * A versioned document: what all nodes have the same of (the list of rules,
 * the revocations) as it is kept in Redis and in the state file, before it is
 * sealed.  Each document has one form, and nothing else is read.  Pure
 * functions, any thread.
 */

#ifndef RMS_DOCUMENT_H
#define RMS_DOCUMENT_H


#include "rms_types.h"


#define RMS_DOCUMENT_WHO_MAX    512
#define RMS_DOCUMENT_NOTE_MAX   256
#define RMS_DOCUMENT_BODY_MAX   (1024 * 1024)

/* format, kind, version, when, and the lengths of who, note and body */
#define RMS_DOCUMENT_FIXED      (1 + 1 + 8 + 8 + 2 + 2 + 4)

#define RMS_DOCUMENT_ENCODED_MAX                                              \
    (RMS_DOCUMENT_FIXED + RMS_DOCUMENT_WHO_MAX + RMS_DOCUMENT_NOTE_MAX        \
     + RMS_DOCUMENT_BODY_MAX)

/* of version and when: Redis, JSON and time_t count no further */
#define RMS_DOCUMENT_NUMBER_MAX  ((uint64_t) INT64_MAX)


/* The numbers are those of the form: never give one out again. */

typedef enum {
    RMS_DOCUMENT_LIST = 1,      /* rules, as a file of rms_acl_file has them */
    RMS_DOCUMENT_REVOKED = 2    /* as rms_revoked_encode() writes them       */
} rms_document_kind_e;


typedef struct {
    rms_document_kind_e  kind;
    uint64_t             version;       /* from 1; a higher one is newer     */
    uint64_t             when;          /* it was made, seconds since 1970   */
    rms_str_t            who;           /* made it: an account, may be empty */
    rms_str_t            note;          /* why: may be empty                 */
    rms_str_t            body;
} rms_document_t;


/*
 * The document as bytes.  dst: dst->len is the room, RMS_DOCUMENT_ENCODED_MAX
 * is always enough; then the length.  RMS_OK; RMS_TOO_LARGE: no room, or the
 * body is longer than RMS_DOCUMENT_BODY_MAX; RMS_INVALID: the document breaks
 * another rule (unknown kind, version 0, who or note too long or with control
 * characters, a number beyond RMS_DOCUMENT_NUMBER_MAX).
 */
rms_rc_e rms_document_encode(const rms_document_t *document, rms_str_t *dst);


/*
 * The same back; the strings point into src.  RMS_OK; RMS_UNSUPPORTED: another
 * version of the form, of a newer node maybe; RMS_INVALID: anything that
 * rms_document_encode() does not write.  With any but RMS_OK the document is
 * empty.  Who reads a document of one kind must look at kind.
 */
rms_rc_e rms_document_decode(const rms_str_t *src, rms_document_t *document);


#endif /* RMS_DOCUMENT_H */
