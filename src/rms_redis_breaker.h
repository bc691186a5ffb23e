/*
 * When to try a server again, and whether to ask it at all.  Closed: it
 * answers.  Open: it does not, and nobody waits for it.  Half open: one try is
 * under way.  Between tries a random part of a time passes that doubles (full
 * jitter), so that the workers of a pool do not come back all at once.
 *
 * Plain data of one thread.  Time is passed in: milliseconds of any clock that
 * does not go back.
 */

#ifndef RMS_REDIS_BREAKER_H
#define RMS_REDIS_BREAKER_H


#include <stdint.h>


#define RMS_REDIS_DELAY_MIN  50         /* ms, at most, after one failure */
#define RMS_REDIS_DELAY_MAX  5000       /* ms, at most, after many       */
#define RMS_REDIS_STEADY     5000       /* ms of being up: all forgotten */
#define RMS_REDIS_TIMEOUTS   3          /* in a row: the server is away  */


typedef enum {
    RMS_REDIS_OPEN = 0,
    RMS_REDIS_HALF_OPEN,
    RMS_REDIS_CLOSED
} rms_redis_breaker_e;

typedef struct {
    rms_redis_breaker_e   state;
    unsigned              failures;     /* without a steady time between */
    unsigned              timeouts;     /* in a row                      */
    uint64_t              since;        /* it is closed                  */
} rms_redis_breaker_t;


/* A new one is all zeroes: open, to be tried at once. */

/* A try begins. */
void rms_redis_breaker_try(rms_redis_breaker_t *breaker);

/* The connection is ready. */
void rms_redis_breaker_ready(rms_redis_breaker_t *breaker, uint64_t now);

/*
 * The try or the connection failed.  random: any number.  Answers the
 * milliseconds to wait before the next try.
 */
unsigned rms_redis_breaker_failed(rms_redis_breaker_t *breaker, uint64_t now,
    uint32_t random);

/* A reply came in time. */
void rms_redis_breaker_answered(rms_redis_breaker_t *breaker);

/* None did.  1: that was one too many, the connection is not worth keeping. */
int rms_redis_breaker_timeout(rms_redis_breaker_t *breaker);


#endif /* RMS_REDIS_BREAKER_H */
