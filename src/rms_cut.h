/*
 * A call into a library that blocks for longer than anybody waits, and how
 * another thread cuts it short: with a signal whose handler does nothing.
 * poll(), sleep(), connect() and locks of files end with EINTR then, and the
 * library fails in its own way, with all it holds in order.  No thread is
 * cancelled.
 *
 * One rms_cut_t for each call; the caller's memory, which lasts until the call
 * is over.  The signal is SIGURG, which does no harm where there is no handler;
 * one of the host stays, and serves as well.
 */

#ifndef RMS_CUT_H
#define RMS_CUT_H


#include <pthread.h>
#include <signal.h>


typedef struct {
    pthread_mutex_t  mutex;
    pthread_t        thread;            /* while it runs                 */
    sigset_t         mask;              /* of the thread, before         */
    unsigned         running:1;
    unsigned         asked:1;           /* to end                        */
} rms_cut_t;


void rms_cut_init(rms_cut_t *cut);

/* After the call is over, or when it never began. */
void rms_cut_free(rms_cut_t *cut);


/*
 * On the thread, before the call.  1: begin; the thread takes the signal until
 * rms_cut_leave().  0: it was cut already; do not begin, and do not leave.
 */
int rms_cut_enter(rms_cut_t *cut);
void rms_cut_leave(rms_cut_t *cut);


/*
 * From another thread; does not wait.  A call that has not begun never does.
 * One that runs may have many waits, and may be between two of them: this is
 * to be repeated, every few dozen milliseconds, until the call is over.
 */
void rms_cut(rms_cut_t *cut);


/* On the thread: was the call it is in cut?  Then begin nothing more. */
int rms_cut_asked(void);


#endif /* RMS_CUT_H */
