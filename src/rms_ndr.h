/*
 * A bounded reader of NDR ([C706] 14) as type serialization version 1 packs
 * it ([MS-RPCE] 2.2.6), little-endian only.  Errors stick: after one, every
 * read gives zero.  Nothing is allocated, nothing is read unaligned.  Pure
 * functions, any thread.  Internal to the core.
 */

#ifndef RMS_NDR_H
#define RMS_NDR_H


#include "rms_types.h"


typedef struct {
    unsigned char  *data;               /* behind the headers: alignment
                                           counts from here              */
    size_t          len;
    size_t          at;
    int             failed;
} rms_ndr_t;


/* An RPC_UNICODE_STRING ([MS-DTYP] 2.3.10) before its characters. */

typedef struct {
    uint16_t    len;                    /* bytes                         */
    uint16_t    max;
    uint32_t    pointer;
} rms_ndr_string_t;


/*
 * Checks the headers and gives a reader for what is behind them.  They must
 * tell the length of all of in.
 */
void rms_ndr_init(rms_ndr_t *ndr, const rms_str_t *in);


/* What is left is padding at most; else the reader fails. */
void rms_ndr_end(rms_ndr_t *ndr);


uint16_t rms_ndr_u16(rms_ndr_t *ndr);
uint32_t rms_ndr_u32(rms_ndr_t *ndr);


/* The next len bytes as they are, or NULL. */
unsigned char *rms_ndr_take(rms_ndr_t *ndr, size_t len);


/*
 * A conformant array's maximum count, which must be n ([C706] 14.3.3.2), and
 * its n elements of size bytes, aligned to four; NULL: not there.
 */
unsigned char *rms_ndr_array(rms_ndr_t *ndr, uint32_t n, size_t size);


/*
 * The structure, and later its characters: UTF-16LE, empty when the pointer
 * is null.
 */
rms_ndr_string_t rms_ndr_string(rms_ndr_t *ndr);
rms_str_t rms_ndr_chars(rms_ndr_t *ndr, const rms_ndr_string_t *string);


/* Reads four bytes of an array. */

static inline uint32_t
rms_ndr_load32(const unsigned char *p)
{
    return (uint32_t) p[0] | (uint32_t) p[1] << 8 | (uint32_t) p[2] << 16
           | (uint32_t) p[3] << 24;
}


#endif /* RMS_NDR_H */
