/*
 * Allocations of our own code can be made to fail, counted per thread: for
 * tests that the Makefile links with --wrap=malloc and --wrap=calloc.  Builds
 * without these (sanitizers) see it by the weak symbols.
 */

#ifndef TEST_WRAP_H
#define TEST_WRAP_H


#include <stddef.h>


void *__real_malloc(size_t size) __attribute__((weak));
void *__real_calloc(size_t n, size_t size) __attribute__((weak));
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);

static _Thread_local size_t  alloc_calls, alloc_fail_at;


void *
__wrap_malloc(size_t size)
{
    return (++alloc_calls == alloc_fail_at) ? NULL : __real_malloc(size);
}


void *
__wrap_calloc(size_t n, size_t size)
{
    return (++alloc_calls == alloc_fail_at) ? NULL : __real_calloc(n, size);
}


#endif /* TEST_WRAP_H */
