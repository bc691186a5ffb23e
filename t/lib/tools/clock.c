/*
 * Preloaded into nginx: the clock its timers go by, with seconds added that a
 * test writes into a file (RMS::Clock).  The time of day stays as it is.
 *
 *   cc -shared -fPIC -o clock.so clock.c
 */

#define _GNU_SOURCE

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>


static const volatile long  *clock_ahead;


__attribute__((constructor)) static void
clock_open(void)
{
    int          fd;
    void        *p;
    const char  *name;

    name = getenv("RMS_TEST_CLOCK");
    if (name == NULL) {
        return;
    }

    fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd == -1) {
        return;
    }

    p = mmap(NULL, sizeof(long), PROT_READ, MAP_SHARED, fd, 0);
    if (p != MAP_FAILED) {
        clock_ahead = p;
    }

    close(fd);
}


int
clock_gettime(clockid_t id, struct timespec *ts)
{
    int  rc;

    rc = (int) syscall(SYS_clock_gettime, id, ts);

    if (rc == 0 && clock_ahead != NULL
        && (id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE))
    {
        ts->tv_sec += *clock_ahead;
    }

    return rc;
}
