/*
 * Counter ids and names.  The counters themselves live in the zone; this file
 * only names them, so that status, documentation and code agree.
 */

#ifndef RMS_METRICS_H
#define RMS_METRICS_H


#include "rms_types.h"
#include "rms_policy.h"


typedef enum {
    RMS_COUNT_REQUESTS = 0,     /* that reached rms_pass                */
    RMS_COUNT_FORWARDED,
    RMS_COUNT_DENIED,
    RMS_COUNT_REWRITTEN,        /* answers with at least one replacement */
    RMS_COUNT_URLS_REPLACED,
    RMS_COUNT_AUTH_OK,
    RMS_COUNT_AUTH_LEGS,
    RMS_COUNT_ORPHANED_TASKS,
    RMS_COUNT_PAGES,            /* service pages and GetRmsoUri.aspx     */
    RMS_COUNT_BODY_BYTES,       /* request bodies read                   */
    RMS_COUNT_IDENTITY_RELOADS,
    RMS_COUNT_IDENTITY_FAILURES,
    RMS_COUNT_BACKEND_ERRORS,
    RMS_COUNT_ITEMS,            /* results in answers of licences        */
    RMS_COUNT_ITEMS_FAILED,
    RMS_COUNT_FAULTS,           /* of a backend                          */
    RMS_COUNT_SESSIONS,         /* begun                                 */
    RMS_COUNT_SESSION_HITS,     /* requests known by one                 */
    RMS_COUNT_REVOCATIONS,
    RMS_COUNT_DELAYED,          /* answers to failed logins that waited  */
    RMS_COUNT_ACL_RELOADS,      /* files of rules that changed           */
    RMS_COUNT_ACL_FAILURES,     /* and could not be read                 */
    RMS_COUNT_RECORDS_REFUSED,  /* sealed ones that were not to be opened */
    RMS_COUNT_REDIS_COMMANDS,
    RMS_COUNT_REDIS_ERRORS,     /* answers that are one                  */
    RMS_COUNT_REDIS_TIMEOUTS,
    RMS_COUNT_REDIS_NOT_SENT,   /* away, or too many under way           */
    RMS_COUNT_REDIS_RECONNECTS,
    RMS_COUNT_SESSIONS_SHARED,  /* found in Redis, not in the zone       */
    RMS_COUNT_REPLAY_ALONE,     /* rms_replay shared, decided without it */
    RMS_COUNT_MAX
} rms_count_e;


/* snake_case, as the status shows them ("requests", "urls_replaced"). */
const rms_str_t *rms_count_name(rms_count_e id);


#endif /* RMS_METRICS_H */
