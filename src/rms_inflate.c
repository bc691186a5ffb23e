/*
 * Decoding of compressed answers.  zlib's state lives for one call and is
 * freed before it returns; the output belongs to the caller's memory.
 */

#include <limits.h>
#include <zlib.h>

#include "rms_inflate.h"


#define RMS_INFLATE_RAW     (-MAX_WBITS)
#define RMS_INFLATE_ZLIB    MAX_WBITS
#define RMS_INFLATE_GZIP    (MAX_WBITS + 16)

#define RMS_INFLATE_SCRATCH 8192


static rms_rc_e rms_inflate_as(const rms_str_t *input, int bits, size_t max,
    const rms_mem_t *mem, rms_str_t *output);
static rms_rc_e rms_inflate_run(const rms_str_t *input, int bits, size_t max,
    unsigned char *dst, size_t *len);
static rms_rc_e rms_inflate_loop(z_stream *zs, size_t max, unsigned char *dst,
    size_t *len);


rms_coding_e
rms_coding_parse(const rms_str_t *value)
{
    size_t     i;
    rms_str_t  name;

    static const struct {
        rms_str_t     name;
        rms_coding_e  coding;
    } codings[] = {
        { rms_string("identity"), RMS_CODING_IDENTITY },
        { rms_string("gzip"),     RMS_CODING_GZIP },
        { rms_string("x-gzip"),   RMS_CODING_GZIP },
        { rms_string("deflate"),  RMS_CODING_DEFLATE }
    };

    name = *value;

    while (name.len && (name.data[0] == ' ' || name.data[0] == '\t')) {
        name.data++;
        name.len--;
    }

    while (name.len && (name.data[name.len - 1] == ' '
                        || name.data[name.len - 1] == '\t'))
    {
        name.len--;
    }

    if (name.len == 0) {
        return RMS_CODING_IDENTITY;
    }

    for (i = 0; i < sizeof(codings) / sizeof(codings[0]); i++) {
        if (rms_str_case_eq(&name, &codings[i].name)) {
            return codings[i].coding;
        }
    }

    return RMS_CODING_UNKNOWN;
}


rms_rc_e
rms_inflate(const rms_str_t *input, rms_coding_e coding, size_t max,
    const rms_mem_t *mem, rms_str_t *output)
{
    rms_rc_e  rc;

    output->len = 0;
    output->data = NULL;

    switch (coding) {

    case RMS_CODING_IDENTITY:
        if (input->len > max) {
            return RMS_TOO_LARGE;
        }

        *output = *input;
        return RMS_OK;

    case RMS_CODING_GZIP:
        return rms_inflate_as(input, RMS_INFLATE_GZIP, max, mem, output);

    case RMS_CODING_DEFLATE:

        /* RFC 9110 8.4.1.2: some send the raw form without zlib's frame */

        rc = rms_inflate_as(input, RMS_INFLATE_ZLIB, max, mem, output);

        if (rc != RMS_INVALID) {
            return rc;
        }

        return rms_inflate_as(input, RMS_INFLATE_RAW, max, mem, output);

    case RMS_CODING_UNKNOWN:
        break;
    }

    return RMS_UNSUPPORTED;
}


/*
 * The first run only counts, so that the second can have exactly what it
 * needs: memory of a request pool is not given back before the request ends.
 */

static rms_rc_e
rms_inflate_as(const rms_str_t *input, int bits, size_t max,
    const rms_mem_t *mem, rms_str_t *output)
{
    size_t          len, again;
    rms_rc_e        rc;
    unsigned char  *p;

    if (input->len > UINT_MAX) {
        return RMS_TOO_LARGE;
    }

    rc = rms_inflate_run(input, bits, max, NULL, &len);
    if (rc != RMS_OK) {
        return rc;
    }

    p = rms_alloc(mem, len ? len : 1);
    if (p == NULL) {
        return RMS_NOMEM;
    }

    rc = rms_inflate_run(input, bits, len, p, &again);
    if (rc != RMS_OK) {
        return rc;
    }

    output->data = p;
    output->len = again;

    return RMS_OK;
}


static rms_rc_e
rms_inflate_run(const rms_str_t *input, int bits, size_t max,
    unsigned char *dst, size_t *len)
{
    rms_rc_e  rc;
    z_stream  zs;

    memset(&zs, 0, sizeof(z_stream));

    zs.next_in = input->data;
    zs.avail_in = (uInt) input->len;

    if (inflateInit2(&zs, bits) != Z_OK) {
        return RMS_NOMEM;
    }

    rc = rms_inflate_loop(&zs, max, dst, len);

    (void) inflateEnd(&zs);

    return rc;
}


/* dst NULL: counts.  Else dst has room for max bytes. */

static rms_rc_e
rms_inflate_loop(z_stream *zs, size_t max, unsigned char *dst, size_t *len)
{
    int            rc;
    size_t         room;
    unsigned char  scratch[RMS_INFLATE_SCRATCH];

    *len = 0;

    do {
        /* one byte more than allowed tells "full" from "too large" */

        room = max - *len < sizeof(scratch) ? max - *len + 1 : sizeof(scratch);

        zs->next_out = scratch;
        zs->avail_out = (uInt) room;

        rc = inflate(zs, Z_NO_FLUSH);

        room -= zs->avail_out;

        if (room > max - *len) {
            return RMS_TOO_LARGE;
        }

        if (dst != NULL) {
            memcpy(dst + *len, scratch, room);
        }

        *len += room;

    } while (rc == Z_OK);

    if (rc == Z_MEM_ERROR) {
        return RMS_NOMEM;
    }

    /* Z_BUF_ERROR: truncated; what follows the end belongs to nobody */

    return rc == Z_STREAM_END && zs->avail_in == 0 ? RMS_OK : RMS_INVALID;
}
