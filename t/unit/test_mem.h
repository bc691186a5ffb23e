/*
 * An allocator for unit tests: everything is freed at once, and the n-th
 * allocation can be made to fail.
 */

#ifndef TEST_MEM_H
#define TEST_MEM_H


#include <stdlib.h>

#include "rms_types.h"


#define TEST_MEM_MAX  4096


typedef struct {
    rms_mem_t   mem;
    size_t      calls;
    size_t      fail_at;                /* 0: never */
    size_t      n;
    void       *blocks[TEST_MEM_MAX];
} test_mem_t;


static inline void *
test_mem_alloc(void *data, size_t size)
{
    void        *p;
    test_mem_t  *t = data;

    t->calls++;

    if (t->calls == t->fail_at || t->n == TEST_MEM_MAX) {
        return NULL;
    }

    p = malloc(size ? size : 1);
    if (p != NULL) {
        t->blocks[t->n++] = p;
    }

    return p;
}


static inline rms_mem_t *
test_mem_init(test_mem_t *t, size_t fail_at)
{
    memset(t, 0, sizeof(test_mem_t));
    t->mem.alloc = test_mem_alloc;
    t->mem.data = t;
    t->fail_at = fail_at;

    return &t->mem;
}


static inline void
test_mem_free(test_mem_t *t)
{
    while (t->n) {
        free(t->blocks[--t->n]);
    }
}


#endif /* TEST_MEM_H */
