/*
 * The circuit breaker and its jitter.  Pure functions on the caller's state.
 */

#include "rms_redis_breaker.h"


void
rms_redis_breaker_try(rms_redis_breaker_t *breaker)
{
    breaker->state = RMS_REDIS_HALF_OPEN;
}


void
rms_redis_breaker_ready(rms_redis_breaker_t *breaker, uint64_t now)
{
    breaker->state = RMS_REDIS_CLOSED;
    breaker->timeouts = 0;
    breaker->since = now;
}


unsigned
rms_redis_breaker_failed(rms_redis_breaker_t *breaker, uint64_t now,
    uint32_t random)
{
    unsigned  i, most;

    /*
     * a server that takes connections and drops them at once is no better than
     * one that takes none
     */

    if (breaker->state == RMS_REDIS_CLOSED
        && now - breaker->since >= RMS_REDIS_STEADY)
    {
        breaker->failures = 0;
    }

    for (most = RMS_REDIS_DELAY_MIN, i = 0;
         i < breaker->failures && most < RMS_REDIS_DELAY_MAX;
         i++)
    {
        most *= 2;
    }

    if (most > RMS_REDIS_DELAY_MAX) {
        most = RMS_REDIS_DELAY_MAX;
    }

    breaker->state = RMS_REDIS_OPEN;
    breaker->timeouts = 0;

    if (breaker->failures < UINT32_MAX) {
        breaker->failures++;
    }

    return 1 + random % most;
}


void
rms_redis_breaker_answered(rms_redis_breaker_t *breaker)
{
    breaker->timeouts = 0;
}


int
rms_redis_breaker_timeout(rms_redis_breaker_t *breaker)
{
    breaker->timeouts++;

    return breaker->timeouts >= RMS_REDIS_TIMEOUTS;
}
