/*
 * A bounded reader of NDR, little-endian.  Pure functions, any thread;
 * nothing is allocated.
 */

#include "rms_ndr.h"


#define RMS_NDR_HEADERS  16


static void rms_ndr_align(rms_ndr_t *ndr, size_t size);


void
rms_ndr_init(rms_ndr_t *ndr, const rms_str_t *in)
{
    size_t          len;
    unsigned char  *p;

    memset(ndr, 0, sizeof(rms_ndr_t));
    ndr->failed = 1;

    if (in->len < RMS_NDR_HEADERS) {
        return;
    }

    p = in->data;

    /*
     * [MS-RPCE] 2.2.6.1: version 1, integers little-endian and characters
     * ASCII, eight bytes of header; the filler is not looked at.
     */

    if (p[0] != 1 || p[1] != 0x10 || p[2] != 8 || p[3] != 0) {
        return;
    }

    /* [MS-RPCE] 2.2.6.2: the length, padding included, in eights */

    len = rms_ndr_load32(p + 8);

    if (len != in->len - RMS_NDR_HEADERS || len % 8 != 0) {
        return;
    }

    ndr->data = p + RMS_NDR_HEADERS;
    ndr->len = len;
    ndr->failed = 0;
}


void
rms_ndr_end(rms_ndr_t *ndr)
{
    if (ndr->len - ndr->at >= 8) {
        ndr->failed = 1;
    }
}


static void
rms_ndr_align(rms_ndr_t *ndr, size_t size)
{
    size_t  over;

    over = ndr->at % size;

    if (over) {
        (void) rms_ndr_take(ndr, size - over);
    }
}


unsigned char *
rms_ndr_take(rms_ndr_t *ndr, size_t len)
{
    unsigned char  *p;

    if (ndr->failed || len > ndr->len - ndr->at) {
        ndr->failed = 1;
        return NULL;
    }

    p = ndr->data + ndr->at;
    ndr->at += len;

    return p;
}


uint16_t
rms_ndr_u16(rms_ndr_t *ndr)
{
    unsigned char  *p;

    rms_ndr_align(ndr, 2);
    p = rms_ndr_take(ndr, 2);

    if (p == NULL) {
        return 0;
    }

    return (uint16_t) (p[0] | p[1] << 8);
}


uint32_t
rms_ndr_u32(rms_ndr_t *ndr)
{
    unsigned char  *p;

    rms_ndr_align(ndr, 4);
    p = rms_ndr_take(ndr, 4);

    return (p != NULL) ? rms_ndr_load32(p) : 0;
}


unsigned char *
rms_ndr_array(rms_ndr_t *ndr, uint32_t n, size_t size)
{
    if (rms_ndr_u32(ndr) != n || n > (ndr->len - ndr->at) / size) {
        ndr->failed = 1;
    }

    return rms_ndr_take(ndr, n * size);
}


rms_ndr_string_t
rms_ndr_string(rms_ndr_t *ndr)
{
    rms_ndr_string_t  s;

    rms_ndr_align(ndr, 4);

    s.len = rms_ndr_u16(ndr);
    s.max = rms_ndr_u16(ndr);
    s.pointer = rms_ndr_u32(ndr);

    /* [MS-DTYP] 2.3.10: bytes of whole characters, no more than there fit */

    if (s.len % 2 != 0 || s.max % 2 != 0 || s.len > s.max
        || (s.len != 0 && s.pointer == 0))
    {
        ndr->failed = 1;
    }

    return s;
}


rms_str_t
rms_ndr_chars(rms_ndr_t *ndr, const rms_ndr_string_t *string)
{
    uint32_t        max, offset, n;
    rms_str_t       chars = rms_null_string;
    unsigned char  *p;

    if (string->pointer == 0) {
        return chars;
    }

    /* [C706] 14.3.3.4: maximum count, offset, actual count */

    max = rms_ndr_u32(ndr);
    offset = rms_ndr_u32(ndr);
    n = rms_ndr_u32(ndr);

    if (max != string->max / 2u || offset != 0 || n != string->len / 2u) {
        ndr->failed = 1;
        return chars;
    }

    p = rms_ndr_take(ndr, string->len);

    if (p != NULL) {
        chars.data = p;
        chars.len = string->len;
    }

    return chars;
}
