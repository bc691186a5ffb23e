/*
 * Decodes a compressed answer of a backend (gzip, deflate; zlib) under a cap,
 * so that it can be rewritten.  One call, no state.
 */

#ifndef RMS_INFLATE_H
#define RMS_INFLATE_H


#include "rms_types.h"


typedef enum {
    RMS_CODING_IDENTITY = 0,
    RMS_CODING_GZIP,            /* "gzip", "x-gzip"                      */
    RMS_CODING_DEFLATE,         /* zlib (RFC 1950) or raw (RFC 1951)     */
    RMS_CODING_UNKNOWN          /* refuse                                */
} rms_coding_e;


/* The coding a Content-Encoding value names; more than one is UNKNOWN. */
rms_coding_e rms_coding_parse(const rms_str_t *value);


/*
 * Decodes input to memory from mem.  max: bytes the output may have.
 * RMS_OK, RMS_INVALID (corrupt, truncated, bytes after the end),
 * RMS_TOO_LARGE, RMS_UNSUPPORTED (unknown coding), RMS_NOMEM.
 */
rms_rc_e rms_inflate(const rms_str_t *input, rms_coding_e coding, size_t max,
    const rms_mem_t *mem, rms_str_t *output);


#endif /* RMS_INFLATE_H */
