/*
 * Names of the counters.  Constant, any thread.
 */

#include "rms_metrics.h"


static const rms_str_t  rms_count_names[RMS_COUNT_MAX] = {
    [RMS_COUNT_REQUESTS] = rms_string("requests"),
    [RMS_COUNT_FORWARDED] = rms_string("forwarded"),
    [RMS_COUNT_DENIED] = rms_string("denied"),
    [RMS_COUNT_REWRITTEN] = rms_string("rewritten"),
    [RMS_COUNT_URLS_REPLACED] = rms_string("urls_replaced"),
    [RMS_COUNT_AUTH_OK] = rms_string("auth_ok"),
    [RMS_COUNT_AUTH_LEGS] = rms_string("auth_legs"),
    [RMS_COUNT_ORPHANED_TASKS] = rms_string("orphaned_tasks"),
    [RMS_COUNT_PAGES] = rms_string("pages"),
    [RMS_COUNT_BODY_BYTES] = rms_string("body_bytes"),
    [RMS_COUNT_IDENTITY_RELOADS] = rms_string("identity_reloads"),
    [RMS_COUNT_IDENTITY_FAILURES] = rms_string("identity_failures"),
    [RMS_COUNT_BACKEND_ERRORS] = rms_string("backend_errors"),
    [RMS_COUNT_ITEMS] = rms_string("items"),
    [RMS_COUNT_ITEMS_FAILED] = rms_string("items_failed"),
    [RMS_COUNT_FAULTS] = rms_string("faults"),
    [RMS_COUNT_SESSIONS] = rms_string("sessions"),
    [RMS_COUNT_SESSION_HITS] = rms_string("session_hits"),
    [RMS_COUNT_REVOCATIONS] = rms_string("revocations"),
    [RMS_COUNT_DELAYED] = rms_string("delayed"),
    [RMS_COUNT_ACL_RELOADS] = rms_string("acl_reloads"),
    [RMS_COUNT_ACL_FAILURES] = rms_string("acl_failures"),
    [RMS_COUNT_RECORDS_REFUSED] = rms_string("records_refused"),
    [RMS_COUNT_REDIS_COMMANDS] = rms_string("redis_commands"),
    [RMS_COUNT_REDIS_ERRORS] = rms_string("redis_errors"),
    [RMS_COUNT_REDIS_TIMEOUTS] = rms_string("redis_timeouts"),
    [RMS_COUNT_REDIS_NOT_SENT] = rms_string("redis_not_sent"),
    [RMS_COUNT_REDIS_RECONNECTS] = rms_string("redis_reconnects"),
    [RMS_COUNT_SESSIONS_SHARED] = rms_string("sessions_shared"),
    [RMS_COUNT_REPLAY_ALONE] = rms_string("replay_alone")
};


const rms_str_t *
rms_count_name(rms_count_e id)
{
    static const rms_str_t  unknown = rms_string("unknown");

    if ((unsigned) id >= RMS_COUNT_MAX) {
        return &unknown;
    }

    return &rms_count_names[id];
}
