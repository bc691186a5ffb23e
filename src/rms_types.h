/*
 * Types every file of the core shares.  Nothing here knows of a server.
 */

#ifndef RMS_TYPES_H
#define RMS_TYPES_H


#include <stddef.h>
#include <stdint.h>
#include <string.h>


/*
 * A counted string; not terminated, not owned.  A host whose own string type
 * has these members in this order names it in RMS_HOST_STR, so that strings
 * pass between the two without a copy or a cast.
 */

#ifdef RMS_HOST_STR

typedef RMS_HOST_STR  rms_str_t;

#else

typedef struct {
    size_t          len;
    unsigned char  *data;
} rms_str_t;

#endif


#define rms_string(s)   { sizeof(s) - 1, (unsigned char *) (s) }
#define rms_null_string { 0, NULL }


/* What a function of the core answers when it can fail. */

typedef enum {
    RMS_OK = 0,
    RMS_DECLINED,       /* nothing to do, or not found                    */
    RMS_AGAIN,          /* more input is needed                           */
    RMS_INVALID,        /* the input is malformed                         */
    RMS_TOO_LARGE,      /* a bound was reached                            */
    RMS_UNSUPPORTED,    /* well formed, but we refuse it                  */
    RMS_NOMEM           /* the allocator gave nothing                     */
} rms_rc_e;


/*
 * Memory of the caller's choosing: the glue passes a request pool, the tests
 * an arena that fails on the n-th call.  The core never frees through it.
 */

typedef struct {
    void         *(*alloc)(void *data, size_t size);
    void           *data;
} rms_mem_t;


static inline void *
rms_alloc(const rms_mem_t *mem, size_t size)
{
    return mem->alloc(mem->data, size);
}


/* Byte-exact comparison of a counted string with a literal. */

#define rms_str_is(s, lit)                                                    \
    ((s)->len == sizeof(lit) - 1                                              \
     && memcmp((s)->data, lit, sizeof(lit) - 1) == 0)


static inline int
rms_str_eq(const rms_str_t *a, const rms_str_t *b)
{
    return a->len == b->len
           && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}


/* ASCII only: protocol names never depend on a locale. */

static inline unsigned char
rms_lower(unsigned char c)
{
    return (unsigned char) ((c >= 'A' && c <= 'Z') ? (c | 0x20) : c);
}


static inline int
rms_strn_case_eq(const unsigned char *a, const unsigned char *b, size_t n)
{
    while (n--) {
        if (rms_lower(*a++) != rms_lower(*b++)) {
            return 0;
        }
    }

    return 1;
}


static inline int
rms_str_case_eq(const rms_str_t *a, const rms_str_t *b)
{
    return a->len == b->len && rms_strn_case_eq(a->data, b->data, a->len);
}


#endif /* RMS_TYPES_H */
