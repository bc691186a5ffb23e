/*
 * Versioned documents.  What is read as one is written back to the same bytes;
 * what is written is read back to the same document.  The first byte chooses.
 */

#include <stdlib.h>

#include "rms_document.h"


#define must(x)   do { if (!(x)) { abort(); } } while (0)


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
read_back(const rms_str_t *in)
{
    rms_rc_e        rc;
    rms_str_t       out;
    rms_document_t  d;

    rc = rms_document_decode(in, &d);

    if (rc != RMS_OK) {
        must(rc == RMS_INVALID
             || (rc == RMS_UNSUPPORTED && in->data[0] != 1));
        must(d.version == 0 && d.body.len == 0 && d.who.len == 0);
        return;
    }

    must(d.version >= 1 && d.version <= RMS_DOCUMENT_NUMBER_MAX);
    must(d.who.len <= RMS_DOCUMENT_WHO_MAX);
    must(d.note.len <= RMS_DOCUMENT_NOTE_MAX);
    must(memchr(d.who.data, '\n', d.who.len) == NULL);
    must(memchr(d.note.data, 0x1b, d.note.len) == NULL);
    must(d.body.data + d.body.len == in->data + in->len);

    out.data = malloc(in->len);
    must(out.data != NULL);

    out.len = in->len - 1;
    must(rms_document_encode(&d, &out) == RMS_TOO_LARGE);
    out.len = in->len;
    must(rms_document_encode(&d, &out) == RMS_OK);
    must(rms_str_eq(&out, in));

    free(out.data);
}


static void
cut(rms_str_t *in, size_t len, rms_str_t *part)
{
    part->data = in->data;
    part->len = len < in->len ? len : in->len;
    in->data += part->len;
    in->len -= part->len;
}


static uint64_t
number(rms_str_t *in, size_t bytes)
{
    uint64_t   n;
    rms_str_t  part;

    cut(in, bytes, &part);

    for (n = 0; part.len != 0; part.len--) {
        n = n << 8 | part.data[part.len - 1];
    }

    return n;
}


/* A document of any values; what is refused is one that breaks a rule. */

static void
written(const rms_str_t *data)
{
    rms_rc_e        rc;
    rms_str_t       in, out;
    rms_document_t  d, back;

    in = *data;
    memset(&d, 0, sizeof(d));

    d.kind = (rms_document_kind_e) number(&in, 1);
    d.version = number(&in, 8);
    d.when = number(&in, 8);
    cut(&in, number(&in, 2) % 600, &d.who);
    cut(&in, number(&in, 2) % 300, &d.note);
    d.body = in;

    out.len = RMS_DOCUMENT_FIXED + data->len;
    out.data = malloc(out.len);
    must(out.data != NULL);

    rc = rms_document_encode(&d, &out);
    must(rc == RMS_OK || rc == RMS_INVALID);

    if (rc == RMS_OK) {
        must(rms_document_decode(&out, &back) == RMS_OK);
        must(back.kind == d.kind && back.version == d.version);
        must(back.when == d.when);
        must(rms_str_eq(&back.who, &d.who));
        must(rms_str_eq(&back.note, &d.note));
        must(rms_str_eq(&back.body, &d.body));
    }

    free(out.data);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rms_str_t  in;

    if (size == 0) {
        return 0;
    }

    /* a copy of just this size, so that a byte beyond is seen */

    in.len = size - 1;
    in.data = malloc(in.len ? in.len : 1);
    if (in.data == NULL) {
        return 0;
    }

    memcpy(in.data, data + 1, in.len);

    if (data[0] % 2 == 0) {
        read_back(&in);

    } else {
        written(&in);
    }

    free(in.data);

    return 0;
}
