/*
 * Calls that are cut short: one that polls, one that sleeps again and again as
 * libwbclient does, one that waits for a lock; one that has not begun, and one
 * that is over.  libwbclient itself, against a winbindd that stands still, is
 * in test_winbind.
 */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "rms_cut.h"

#include "test_cut.h"


#define SLEEPS  5


static int
polls(void *data)
{
    struct pollfd  pfd;

    pfd.fd = *(int *) data;
    pfd.events = POLLIN;

    return poll(&pfd, 1, -1) == -1 && errno == EINTR && rms_cut_asked();
}


/* Each of its sleeps alone is longer than the test may last. */

static int
sleeps(void *data)
{
    int  i, n;

    n = 0;
    (void) data;

    for (i = 0; i < SLEEPS; i++) {
        n += (sleep(CUT_DEADLINE) > 0);
    }

    return n == SLEEPS;
}


static int
locks(void *data)
{
    struct flock  lock;

    memset(&lock, 0, sizeof(struct flock));
    lock.l_type = F_RDLCK;
    lock.l_whence = SEEK_SET;

    return fcntl(*(int *) data, F_OFD_SETLKW, &lock) == -1 && errno == EINTR;
}


static void
a_thread_that_polls_is_freed(void **state)
{
    int         fd[2];
    cut_call_t  call;

    (void) state;

    assert_int_equal(pipe(fd), 0);

    cut_begin(&call, polls, &fd[0]);
    cut_until_over(&call);

    assert_int_equal(call.began, 1);
    assert_int_equal(call.result, 1);

    close(fd[0]);
    close(fd[1]);
}


static void
a_thread_that_sleeps_again_and_again_is_freed(void **state)
{
    cut_call_t  call;

    (void) state;

    cut_begin(&call, sleeps, NULL);
    cut_until_over(&call);

    assert_int_equal(call.result, 1);
}


static void
a_thread_that_waits_for_a_lock_is_freed(void **state)
{
    int           held, wanted;
    char          name[] = "/tmp/rms-cut-XXXXXX";
    cut_call_t    call;
    struct flock  lock;

    (void) state;

    held = mkstemp(name);
    assert_int_not_equal(held, -1);
    wanted = open(name, O_RDONLY);
    assert_int_not_equal(wanted, -1);
    unlink(name);

    memset(&lock, 0, sizeof(struct flock));
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    assert_int_equal(fcntl(held, F_OFD_SETLK, &lock), 0);

    cut_begin(&call, locks, &wanted);
    cut_until_over(&call);

    assert_int_equal(call.result, 1);

    close(wanted);
    close(held);
}


static void
a_call_that_was_cut_before_it_begins_never_does(void **state)
{
    rms_cut_t  cut;

    (void) state;

    rms_cut_init(&cut);
    rms_cut(&cut);

    assert_int_equal(rms_cut_enter(&cut), 0);
    assert_int_equal(rms_cut_asked(), 0);

    rms_cut_free(&cut);
}


/* What is cut when the call is over reaches nobody: no mask, no handler. */

static void *
leaves(void *data)
{
    sigset_t    before, after, pending;
    rms_cut_t  *cut;

    cut = data;

    sigfillset(&before);
    pthread_sigmask(SIG_SETMASK, &before, NULL);

    if (!rms_cut_enter(cut)) {
        return NULL;
    }

    rms_cut_leave(cut);
    rms_cut(cut);

    pthread_sigmask(SIG_SETMASK, NULL, &after);
    sigpending(&pending);

    return (sigismember(&after, SIGURG) == 1
            && sigismember(&pending, SIGURG) == 0 && !rms_cut_asked())
           ? data : NULL;
}


static void
a_call_that_is_over_is_left_alone(void **state)
{
    void       *result;
    pthread_t   thread;
    rms_cut_t   cut;

    (void) state;

    rms_cut_init(&cut);

    assert_int_equal(pthread_create(&thread, NULL, leaves, &cut), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_ptr_equal(result, &cut);

    rms_cut_free(&cut);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_that_polls_is_freed),
        cmocka_unit_test(a_thread_that_sleeps_again_and_again_is_freed),
        cmocka_unit_test(a_thread_that_waits_for_a_lock_is_freed),
        cmocka_unit_test(a_call_that_was_cut_before_it_begins_never_does),
        cmocka_unit_test(a_call_that_is_over_is_left_alone)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
