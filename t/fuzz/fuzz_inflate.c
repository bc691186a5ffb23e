/*
 * First byte: coding and cap.  What decodes under one cap decodes to the same
 * bytes under a larger one, and never exceeds its own.
 */

#include <stdlib.h>

#include "rms_inflate.h"


#define must(x)   do { if (!(x)) { abort(); } } while (0)


static void  *block;
static int    used;


static void *
fuzz_alloc(void *data, size_t size)
{
    (void) data;

    must(!used);
    used = 1;

    return block = malloc(size);
}


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    void          *first;
    size_t         max;
    rms_rc_e       rc;
    rms_str_t      in, value, out, again;
    rms_mem_t      mem;
    rms_coding_e   coding;

    if (size == 0) {
        return 0;
    }

    value.data = (unsigned char *) data;
    value.len = size < 32 ? size : 32;
    must(rms_coding_parse(&value) <= RMS_CODING_UNKNOWN);

    coding = data[0] & 1 ? RMS_CODING_GZIP : RMS_CODING_DEFLATE;
    max = (size_t) 1 << (data[0] >> 4);

    in.data = (unsigned char *) data + 1;
    in.len = size - 1;

    mem.alloc = fuzz_alloc;
    mem.data = NULL;
    block = NULL;
    used = 0;

    rc = rms_inflate(&in, coding, max, &mem, &out);

    must(rc == RMS_OK || rc == RMS_INVALID || rc == RMS_TOO_LARGE);

    if (rc != RMS_OK) {
        must(out.len == 0);
        free(block);
        return 0;
    }

    must(out.len <= max);

    first = block;
    block = NULL;
    used = 0;

    must(rms_inflate(&in, coding, 1 << 20, &mem, &again) == RMS_OK);
    must(rms_str_eq(&out, &again));

    if (out.len) {
        must(rms_inflate(&in, coding, out.len - 1, &mem, &again)
             != RMS_OK);
    }

    free(first);
    free(block);

    return 0;
}
