/*
 * Calls that block, cut short by a signal to their thread.  rms_cut_enter()
 * and rms_cut_leave() run on a thread of a pool, rms_cut() in the worker.
 * Owns the handler of the signal, and no memory.
 */

#include <string.h>

#include "rms_cut.h"


#define RMS_CUT_SIGNAL  SIGURG


static void rms_cut_handle(void);
static void rms_cut_nothing(int signo);


static pthread_once_t  rms_cut_once = PTHREAD_ONCE_INIT;

/* the call this thread is in */
static _Thread_local rms_cut_t  *rms_cut_current;


void
rms_cut_init(rms_cut_t *cut)
{
    memset(cut, 0, sizeof(rms_cut_t));

    (void) pthread_mutex_init(&cut->mutex, NULL);
}


void
rms_cut_free(rms_cut_t *cut)
{
    (void) pthread_mutex_destroy(&cut->mutex);
}


int
rms_cut_enter(rms_cut_t *cut)
{
    int       go;
    sigset_t  set;

    (void) pthread_once(&rms_cut_once, rms_cut_handle);

    (void) pthread_mutex_lock(&cut->mutex);

    go = !cut->asked;
    cut->running = go ? 1 : 0;
    cut->thread = pthread_self();

    (void) pthread_mutex_unlock(&cut->mutex);

    if (!go) {
        return 0;
    }

    rms_cut_current = cut;

    /* threads of a pool block all signals */

    (void) sigemptyset(&set);
    (void) sigaddset(&set, RMS_CUT_SIGNAL);
    (void) pthread_sigmask(SIG_UNBLOCK, &set, &cut->mask);

    return 1;
}


/* In this order: a signal that was sent is taken before it is blocked. */

void
rms_cut_leave(rms_cut_t *cut)
{
    (void) pthread_mutex_lock(&cut->mutex);

    cut->running = 0;

    (void) pthread_mutex_unlock(&cut->mutex);

    (void) pthread_sigmask(SIG_SETMASK, &cut->mask, NULL);

    rms_cut_current = NULL;
}


void
rms_cut(rms_cut_t *cut)
{
    (void) pthread_mutex_lock(&cut->mutex);

    cut->asked = 1;

    if (cut->running) {
        (void) pthread_kill(cut->thread, RMS_CUT_SIGNAL);
    }

    (void) pthread_mutex_unlock(&cut->mutex);
}


int
rms_cut_asked(void)
{
    int         asked;
    rms_cut_t  *cut;

    cut = rms_cut_current;

    if (cut == NULL) {
        return 0;
    }

    (void) pthread_mutex_lock(&cut->mutex);

    asked = cut->asked;

    (void) pthread_mutex_unlock(&cut->mutex);

    return asked;
}


/*
 * Without a handler the signal would be ignored, and end no wait.  With
 * SA_RESTART neither poll() nor sleep() goes on, but a lock of a file does.
 */

static void
rms_cut_handle(void)
{
    struct sigaction  sa;

    if (sigaction(RMS_CUT_SIGNAL, NULL, &sa) == -1
        || (sa.sa_flags & SA_SIGINFO)
        || (sa.sa_handler != SIG_DFL && sa.sa_handler != SIG_IGN))
    {
        return;
    }

    memset(&sa, 0, sizeof(struct sigaction));
    sa.sa_handler = rms_cut_nothing;
    (void) sigemptyset(&sa.sa_mask);

    (void) sigaction(RMS_CUT_SIGNAL, &sa, NULL);
}


static void
rms_cut_nothing(int signo)
{
    (void) signo;
}
