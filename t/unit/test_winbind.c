/*
 * libwbclient, and a winbindd that stands still: one that accepts and does not
 * answer, and one that does not accept any more.  The library gives up after
 * minutes; a call that is cut, within moments.
 */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "rms_winbind.h"

#include "test_cut.h"


#define ROOM     64
#define CROWD    16


/*
 * libwbclient looks for winbindd where SELFTEST_WINBINDD_SOCKET_DIR says, in a
 * program that has these: a winbindd of this machine is left alone.
 */

bool nss_wrapper_enabled(void);
bool uid_wrapper_enabled(void);


static atomic_int      slept;
static char            text[512];
static char            folder[] = "/tmp/rms-winbind-XXXXXX";
static rms_line_t      line;
static rms_winbind_e   state;


bool
nss_wrapper_enabled(void)
{
    return true;
}


bool
uid_wrapper_enabled(void)
{
    return true;
}


/* libwbclient's: how often it has slept. */

unsigned int
sleep(unsigned int seconds)
{
    struct timespec  t;

    atomic_fetch_add(&slept, 1);

    t.tv_sec = (time_t) seconds;
    t.tv_nsec = 0;

    return nanosleep(&t, &t) == 0 ? 0 : (unsigned int) t.tv_sec + 1;
}


/* A winbindd that takes so many connections, and nothing of them. */

static int
stand_still(int room)
{
    int                 fd;
    struct sockaddr_un  at;

    memset(&at, 0, sizeof(struct sockaddr_un));
    at.sun_family = AF_UNIX;
    snprintf(at.sun_path, sizeof(at.sun_path), "%s/pipe", folder);
    unlink(at.sun_path);

    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

    assert_int_not_equal(fd, -1);
    assert_int_equal(bind(fd, (struct sockaddr *) &at, sizeof(at)), 0);
    assert_int_equal(listen(fd, room), 0);

    return fd;
}


/* Connections until there is no room; how many. */

static int
crowd(int *fds)
{
    int                 n;
    struct sockaddr_un  at;

    memset(&at, 0, sizeof(struct sockaddr_un));
    at.sun_family = AF_UNIX;
    snprintf(at.sun_path, sizeof(at.sun_path), "%s/pipe", folder);

    for (n = 0; n < CROWD; n++) {
        fds[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

        if (connect(fds[n], (struct sockaddr *) &at, sizeof(at)) == -1) {
            assert_int_equal(errno, EAGAIN);
            return n + 1;
        }
    }

    fail_msg("there is always room");

    return n;
}


static int
asks(void *data)
{
    (void) data;

    rms_line_init(&line, text, sizeof(text));
    state = rms_winbind_state(NULL, NULL, &line);

    return 1;
}


static int
asks_late(void *data)
{
    struct pollfd  pfd;

    pfd.fd = *(int *) data;
    pfd.events = POLLIN;

    return poll(&pfd, 1, -1) == -1 && asks(NULL);
}


static void
a_winbindd_that_does_not_answer_holds_no_thread(void **unused)
{
    int         fd;
    cut_call_t  call;

    (void) unused;

    fd = stand_still(ROOM);

    cut_begin(&call, asks, NULL);

    /* it has connected: now it waits for the answer */

    assert_int_equal(poll(&(struct pollfd) { fd, POLLIN, 0 }, 1,
                          CUT_DEADLINE * 1000), 1);
    cut_until_over(&call);

    assert_int_equal(state, RMS_WINBIND_STOPPED);
    assert_non_null(strstr(text, "winbindd does not answer"));

    close(fd);
}


static void
a_winbindd_that_does_not_accept_holds_no_thread(void **unused)
{
    int         i, fd, n;
    int         fds[CROWD];
    cut_call_t  call;

    (void) unused;

    fd = stand_still(1);
    n = crowd(fds);

    cut_begin(&call, asks, NULL);

    while (atomic_load(&slept) == 0) {
        sched_yield();
    }

    cut_until_over(&call);

    assert_int_equal(state, RMS_WINBIND_STOPPED);
    assert_non_null(strstr(text, "winbindd does not answer"));
    assert_true(atomic_load(&slept) > 1);

    for (i = 0; i < n; i++) {
        close(fds[i]);
    }

    close(fd);
}


static void
winbindd_is_not_asked_by_a_login_that_was_cut(void **unused)
{
    int         fd, idle[2];
    cut_call_t  call;

    (void) unused;

    fd = stand_still(ROOM);
    assert_int_equal(pipe(idle), 0);

    cut_begin(&call, asks_late, &idle[0]);
    cut_until_over(&call);

    assert_int_equal(call.result, 1);
    assert_int_equal(state, RMS_WINBIND_STOPPED);
    assert_non_null(strstr(text, "winbindd did not answer in time"));
    assert_int_equal(accept(fd, NULL, NULL), -1);
    assert_int_equal(errno, EAGAIN);

    close(idle[0]);
    close(idle[1]);
    close(fd);
}


/* The mechanism of NTLM has loaded it, where there is one. */

static int
load(void **unused)
{
    (void) unused;

    return dlopen("libwbclient.so.0", RTLD_NOW) == NULL
           || mkdtemp(folder) == NULL
           || setenv("SELFTEST_WINBINDD_SOCKET_DIR", folder, 1);
}


static int
leave(void **unused)
{
    char  name[sizeof(folder) + sizeof("/pipe")];

    (void) unused;

    snprintf(name, sizeof(name), "%s/pipe", folder);
    unlink(name);

    return rmdir(folder);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_winbindd_that_does_not_answer_holds_no_thread),
        cmocka_unit_test(a_winbindd_that_does_not_accept_holds_no_thread),
        cmocka_unit_test(winbindd_is_not_asked_by_a_login_that_was_cut)
    };

    return cmocka_run_group_tests(tests, load, leave);
}
