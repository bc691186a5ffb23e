/*
 * Bytes of a server to replies, with hiredis's reader under bounds of ours: a
 * server, or who poses as one, cannot make us keep more than so many bytes,
 * elements and levels.  One connection, one reader, one thread.
 */

#ifndef RMS_REDIS_READER_H
#define RMS_REDIS_READER_H


#include "rms_redis.h"


#define RMS_REDIS_REPLY_MAX     (4u * 1024 * 1024)  /* bytes of a reply  */
#define RMS_REDIS_ELEMENTS_MAX  16384           /* of a reply, in all    */
#define RMS_REDIS_DEPTH_MAX     5               /* arrays in arrays      */


typedef struct rms_redis_reader_s  rms_redis_reader_t;


/*
 * limit: bytes a reply may take, in the buffer and as a tree; 0 for
 * RMS_REDIS_REPLY_MAX.  NULL: no memory.
 */
rms_redis_reader_t *rms_redis_reader_create(size_t limit);
void rms_redis_reader_free(rms_redis_reader_t *reader);


/* Copies len bytes.  RMS_OK; RMS_NOMEM. */
rms_rc_e rms_redis_reader_feed(rms_redis_reader_t *reader,
    const unsigned char *data, size_t len);


/*
 * The next reply; it is valid until the next call.  RMS_OK; RMS_AGAIN: feed
 * more.  The rest is final, ask rms_redis_reader_error() for words:
 * RMS_INVALID: not RESP; RMS_TOO_LARGE: a bound; RMS_UNSUPPORTED: RESP3, which
 * we never ask for; RMS_NOMEM.
 */
rms_rc_e rms_redis_reader_next(rms_redis_reader_t *reader,
    const rms_redis_reply_t **reply);

const char *rms_redis_reader_error(const rms_redis_reader_t *reader);


#endif /* RMS_REDIS_READER_H */
