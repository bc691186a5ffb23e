/*
 * Counters have names, and the names are distinct.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "rms_metrics.h"


static void
every_counter_has_its_name(void **state)
{
    size_t            i;
    const rms_str_t  *name;

    static const char  *want[] = {
        "requests", "forwarded", "denied", "rewritten", "urls_replaced",
        "auth_ok", "auth_legs", "orphaned_tasks", "pages", "body_bytes",
        "identity_reloads", "identity_failures", "backend_errors", "items",
        "items_failed", "faults", "sessions", "session_hits", "revocations",
        "delayed", "acl_reloads", "acl_failures", "records_refused",
        "redis_commands", "redis_errors", "redis_timeouts", "redis_not_sent",
        "redis_reconnects", "sessions_shared", "replay_alone"
    };

    (void) state;

    assert_int_equal(sizeof(want) / sizeof(want[0]), RMS_COUNT_MAX);

    for (i = 0; i < RMS_COUNT_MAX; i++) {
        name = rms_count_name((rms_count_e) i);
        assert_int_equal(name->len, strlen(want[i]));
        assert_memory_equal(name->data, want[i], name->len);
    }
}


static void
unknown_counter_has_a_name_too(void **state)
{
    (void) state;

    assert_true(rms_str_is(rms_count_name(RMS_COUNT_MAX), "unknown"));
    assert_true(rms_str_is(rms_count_name((rms_count_e) 4711), "unknown"));
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_counter_has_its_name),
        cmocka_unit_test(unknown_counter_has_a_name_too)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
