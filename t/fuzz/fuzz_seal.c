/*
 * Sealed records, and files of keys.  No bytes open but those that were
 * sealed, under the context they were sealed for; a ring that was read, printed
 * and read again is the same.  The first byte chooses.
 */

#include <stdio.h>
#include <stdlib.h>

#include "rms_seal.h"


#define must(x)   do { if (!(x)) { abort(); } } while (0)

#define OLD  "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define NEW  "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


/* What test_seal.c compares with another implementation. */

static const unsigned char  known[] = {
    0x01, 0x14, 0x97, 0x61, 0x29, 0x32, 0x86, 0xc8, 0x50, 0xa0, 0xa1, 0xa2,
    0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae,
    0xaf, 0x6a, 0x19, 0x26, 0x87, 0x2b, 0x66, 0x40, 0x80, 0x93, 0x66, 0x14,
    0xfb, 0x1f, 0x4f, 0x43, 0x45, 0x70, 0x0a, 0xc5, 0x0b, 0xc0, 0xc8, 0x55,
    0xce, 0xaa, 0x33, 0xd4, 0x93, 0x74, 0x7d, 0xd3, 0xab, 0x7f, 0x55, 0x2c,
    0xab, 0x7b, 0x3c
};

static rms_seal_ring_t  ring;


static void
ring_once(void)
{
    rms_str_t         text = rms_string(NEW "\n" OLD "\n");
    rms_seal_error_t  error;

    if (ring.n == 0) {
        must(rms_seal_ring_read(&text, &ring, &error) == RMS_OK);
        must(ring.n == 2);
    }
}


static void
keys(const rms_str_t *in)
{
    size_t            i, k;
    char              printed[RMS_SEAL_KEYS_MAX * (2 * RMS_SEAL_KEY + 1) + 1];
    char             *p;
    rms_rc_e          rc;
    rms_str_t         text;
    rms_seal_ring_t   one, two;
    rms_seal_error_t  error;

    rc = rms_seal_ring_read(in, &one, &error);

    if (rc != RMS_OK) {
        must(rc == RMS_INVALID || rc == RMS_TOO_LARGE);
        must(one.n == 0 && error.text != NULL && error.line <= in->len);
        rms_seal_ring_wipe(&one);
        return;
    }

    must(one.n >= 1 && one.n <= RMS_SEAL_KEYS_MAX);
    must(in->len >= one.n * 2 * RMS_SEAL_KEY);

    for (p = printed, i = 0; i < one.n; i++) {
        for (k = 0; k < RMS_SEAL_KEY; k++) {
            p += sprintf(p, "%02X", one.keys[i].key[k]);
        }

        *p++ = '\n';
    }

    text.data = (unsigned char *) printed;
    text.len = (size_t) (p - printed);

    must(rms_seal_ring_read(&text, &two, &error) == RMS_OK);
    must(one.n == two.n);
    must(memcmp(one.keys, two.keys, sizeof(one.keys)) == 0);

    rms_seal_ring_wipe(&one);
    rms_seal_ring_wipe(&two);
}


static rms_rc_e
open_it(const rms_str_t *context, const unsigned char *p, size_t len,
    rms_str_t *text)
{
    rms_rc_e   rc;
    rms_str_t  record;

    /* in memory of just this size, so that a byte beyond is seen */

    record.len = len;
    record.data = malloc(len ? len : 1);
    text->len = len;
    text->data = malloc(len ? len : 1);
    must(record.data != NULL && text->data != NULL);

    memcpy(record.data, p, len);
    rc = rms_unseal(&ring, context, &record, text);
    must(text->len == (rc == RMS_OK ? len - RMS_SEAL_OVERHEAD : 0));

    free(record.data);

    return rc;
}


/* Bytes that nobody sealed, under the name that the known record has. */

static void
record(const rms_str_t *in)
{
    rms_rc_e   rc;
    rms_str_t  text, context = rms_string("rms:v1:session:one");

    ring_once();

    rc = open_it(&context, in->data, in->len, &text);
    free(text.data);

    if (in->len == sizeof(known) && memcmp(in->data, known, in->len) == 0) {
        must(rc == RMS_OK);
        return;
    }

    must(rc == RMS_INVALID
         || (rc == RMS_UNSUPPORTED && in->data[0] != 1)
         || (rc == RMS_DECLINED && in->len >= RMS_SEAL_OVERHEAD));
}


/* Two bytes say where, one what is changed; then the context, then the text. */

static void
changed(const rms_str_t *in)
{
    size_t          n, at;
    rms_str_t       context, text, sealed, got;
    unsigned char   mask;

    if (in->len < 4) {
        return;
    }

    ring_once();

    n = in->data[3] & 0x1f;
    n = n < in->len - 4 ? n : in->len - 4;
    context.data = in->data + 4;
    context.len = n;
    text.data = in->data + 4 + n;
    text.len = in->len - 4 - n;

    sealed.len = text.len + RMS_SEAL_OVERHEAD;
    sealed.data = malloc(sealed.len);
    must(sealed.data != NULL);
    must(rms_seal(&ring, &context, &text, &sealed) == RMS_OK);

    must(open_it(&context, sealed.data, sealed.len, &got) == RMS_OK);
    must(rms_str_eq(&got, &text));
    free(got.data);

    at = (in->data[0] | (size_t) in->data[1] << 8) % sealed.len;
    mask = in->data[2] ? in->data[2] : 1;

    must(open_it(&context, sealed.data, at, &got) != RMS_OK);
    free(got.data);

    sealed.data[at] ^= mask;
    must(open_it(&context, sealed.data, sealed.len, &got) != RMS_OK);
    free(got.data);
    sealed.data[at] ^= mask;

    if (context.len != 0) {
        context.len--;
        must(open_it(&context, sealed.data, sealed.len, &got)
             == RMS_INVALID);
        free(got.data);
    }

    free(sealed.data);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rms_str_t  in;

    if (size == 0) {
        return 0;
    }

    in.len = size - 1;
    in.data = malloc(in.len ? in.len : 1);
    if (in.data == NULL) {
        return 0;
    }

    memcpy(in.data, data + 1, in.len);

    switch (data[0] % 3) {

    case 0:
        keys(&in);
        break;

    case 1:
        record(&in);
        break;

    default:
        changed(&in);
    }

    free(in.data);

    return 0;
}
