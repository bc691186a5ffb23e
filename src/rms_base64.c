/*
 * Strict base64 (RFC 4648 4) around OpenSSL's, which by itself skips blanks
 * and takes any bits behind the end.  Pure functions, any thread.
 */

#include <limits.h>

#include <openssl/evp.h>

#include "rms_negotiate.h"


static int rms_base64_value(unsigned char c);
static int rms_base64_check(const rms_str_t *src, size_t pad);


size_t
rms_base64_decoded_max(size_t len)
{
    return len / 4 * 3;
}


rms_rc_e
rms_base64_decode(const rms_str_t *src, size_t max, rms_str_t *dst)
{
    int     n;
    size_t  len, pad;

    dst->len = 0;

    if (src->len == 0) {
        return RMS_OK;
    }

    if (src->len % 4 != 0) {
        return RMS_INVALID;
    }

    pad = 0;

    while (pad < 2 && src->data[src->len - 1 - pad] == '=') {
        pad++;
    }

    len = rms_base64_decoded_max(src->len) - pad;

    if (len > max || src->len > INT_MAX) {
        return RMS_TOO_LARGE;
    }

    if (!rms_base64_check(src, pad)) {
        return RMS_INVALID;
    }

    n = EVP_DecodeBlock(dst->data, src->data, (int) src->len);

    if (n < 0 || (size_t) n != len + pad) {
        return RMS_INVALID;
    }

    dst->len = len;

    return RMS_OK;
}


size_t
rms_base64_encoded(size_t len)
{
    return (len + 2) / 3 * 4;
}


void
rms_base64_encode(const rms_str_t *src, rms_str_t *dst)
{
    size_t         n, done, out;
    unsigned char  last[5];

    dst->len = rms_base64_encoded(src->len);

    /*
     * EVP_EncodeBlock() ends its output with a zero byte: the last group goes
     * through a buffer of its own, so that none is written behind dst.  The
     * chunks keep its int length in range.
     */

    for (done = 0, out = 0; src->len - done > 3; done += n, out += n / 3 * 4) {
        n = (src->len - done - 1) / 3 * 3;

        if (n > 3 * 1024 * 1024) {
            n = 3 * 1024 * 1024;
        }

        (void) EVP_EncodeBlock(dst->data + out, src->data + done, (int) n);
    }

    if (src->len > done) {
        (void) EVP_EncodeBlock(last, src->data + done, (int) (src->len - done));
        memcpy(dst->data + out, last, 4);
    }
}


/* The six bits a character stands for, or -1. */

static int
rms_base64_value(unsigned char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }

    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }

    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }

    if (c == '+') {
        return 62;
    }

    return (c == '/') ? 63 : -1;
}


static int
rms_base64_check(const rms_str_t *src, size_t pad)
{
    int     last;
    size_t  i;

    last = 0;

    for (i = 0; i < src->len - pad; i++) {
        last = rms_base64_value(src->data[i]);

        if (last < 0) {
            return 0;
        }
    }

    /* RFC 4648 3.5: the bits no byte takes are zero */

    return pad == 0 || (last & (pad == 1 ? 0x03 : 0x0f)) == 0;
}
