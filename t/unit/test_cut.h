/*
 * A call on a thread of its own, and a test that cuts it until it is over.
 */

#ifndef TEST_CUT_H
#define TEST_CUT_H


#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "rms_cut.h"


/* seconds, of the whole of one call */
#define CUT_DEADLINE  20

/* nanoseconds from one cut to the next */
#define CUT_STEP      (5 * 1000 * 1000)


typedef struct {
    pthread_t    thread;
    rms_cut_t    cut;
    int        (*work)(void *data);
    void        *data;
    int          began;
    int          result;
} cut_call_t;


/* As on a thread of nginx's pools: all signals are blocked. */

static void *
cut_thread(void *data)
{
    sigset_t     set;
    cut_call_t  *call;

    call = data;

    sigfillset(&set);
    pthread_sigmask(SIG_SETMASK, &set, NULL);

    call->began = rms_cut_enter(&call->cut);

    if (call->began) {
        call->result = call->work(call->data);
        rms_cut_leave(&call->cut);
    }

    return NULL;
}


/* Returns when it runs: what is cut before it begins is another test. */

static void
cut_begin(cut_call_t *call, int (*work)(void *data), void *data)
{
    int     running;
    time_t  deadline;

    memset(call, 0, sizeof(cut_call_t));
    rms_cut_init(&call->cut);

    call->work = work;
    call->data = data;

    assert_int_equal(pthread_create(&call->thread, NULL, cut_thread, call), 0);

    deadline = time(NULL) + CUT_DEADLINE;

    do {
        assert_true(time(NULL) < deadline);

        sched_yield();

        pthread_mutex_lock(&call->cut.mutex);
        running = call->cut.running;
        pthread_mutex_unlock(&call->cut.mutex);

    } while (!running);
}


static void
cut_until_over(cut_call_t *call)
{
    int              rc;
    time_t           deadline;
    struct timespec  now;

    clock_gettime(CLOCK_REALTIME, &now);
    deadline = now.tv_sec + CUT_DEADLINE;

    do {
        assert_true(now.tv_sec < deadline);

        rms_cut(&call->cut);

        clock_gettime(CLOCK_REALTIME, &now);
        now.tv_nsec += CUT_STEP;

        if (now.tv_nsec >= 1000000000) {
            now.tv_nsec -= 1000000000;
            now.tv_sec++;
        }

        rc = pthread_timedjoin_np(call->thread, NULL, &now);

    } while (rc == ETIMEDOUT);

    assert_int_equal(rc, 0);
    rms_cut_free(&call->cut);
}


#endif /* TEST_CUT_H */
