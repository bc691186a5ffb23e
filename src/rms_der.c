/*
 * A strict reader of DER (X.690 10).  A value has exactly one encoding here,
 * so that nobody can dress the same token up as another one.  Pure functions,
 * any thread; nothing is allocated.
 */

#include "rms_der.h"


static int rms_der_length(const rms_str_t *in, size_t *header, size_t *len);


int
rms_der_peek(const rms_str_t *in, unsigned tag)
{
    return in->len > 0 && in->data[0] == tag;
}


int
rms_der_take(rms_str_t *in, unsigned tag, rms_str_t *value)
{
    size_t  header, len;

    if (!rms_der_peek(in, tag) || !rms_der_length(in, &header, &len)) {
        return 0;
    }

    value->data = in->data + header;
    value->len = len;

    in->data += header + len;
    in->len -= header + len;

    return 1;
}


int
rms_der_only(rms_str_t *in, unsigned tag, rms_str_t *value)
{
    return rms_der_take(in, tag, value) && in->len == 0;
}


int
rms_der_field(rms_str_t *in, unsigned n, unsigned tag, rms_str_t *value)
{
    rms_str_t  inner;

    return rms_der_take(in, RMS_DER_CTX(n), &inner)
           && rms_der_only(&inner, tag, value);
}


int
rms_der_field_integer(rms_str_t *in, unsigned n, int64_t *value)
{
    size_t     i;
    int64_t    v;
    rms_str_t  s;

    if (!rms_der_field(in, n, RMS_DER_INTEGER, &s)
        || s.len == 0 || s.len > 5)
    {
        return 0;
    }

    /* X.690 8.3.2: the first nine bits are not all the same */

    if (s.len > 1
        && ((s.data[0] == 0x00 && s.data[1] < 0x80)
            || (s.data[0] == 0xff && s.data[1] >= 0x80)))
    {
        return 0;
    }

    v = (s.data[0] & 0x80) ? -1 : 0;

    for (i = 0; i < s.len; i++) {
        v = v * 256 + s.data[i];
    }

    if (v < INT32_MIN || v > (int64_t) UINT32_MAX) {
        return 0;
    }

    *value = v;

    return 1;
}


/* Reads the length after a one-byte tag; checks that the value fits. */

static int
rms_der_length(const rms_str_t *in, size_t *header, size_t *len)
{
    size_t  i, n, v;

    if (in->len < 2) {
        return 0;
    }

    v = in->data[1];
    n = 0;

    if (v >= 0x80) {
        n = v & 0x7f;

        /* X.690 10.1: definite and shortest */

        if (n == 0 || n > 3 || in->len < 2 + n || in->data[2] == 0) {
            return 0;
        }

        for (v = 0, i = 0; i < n; i++) {
            v = (v << 8) | in->data[2 + i];
        }

        if (v < 0x80) {
            return 0;
        }
    }

    if (v > in->len - 2 - n) {
        return 0;
    }

    *header = 2 + n;
    *len = v;

    return 1;
}
