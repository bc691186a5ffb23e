/*
 * A versioned document as bytes, numbers little-endian:
 *
 *     format 1, kind 1, version 8, when 8, who, note: 2 bytes of length and
 *     the bytes; body: 4 bytes of length and the bytes
 */

#include "rms_document.h"


#define RMS_DOCUMENT_FORMAT  1


_Static_assert(RMS_DOCUMENT_WHO_MAX <= UINT16_MAX
               && RMS_DOCUMENT_NOTE_MAX <= UINT16_MAX
               && RMS_DOCUMENT_BODY_MAX <= UINT32_MAX, "lengths have room");


typedef struct {
    unsigned char  *p;
    size_t          left;
} rms_document_in_t;


static int rms_document_fine(const rms_document_t *document);
static int rms_document_text_fine(const rms_str_t *text, size_t max);
static unsigned char *rms_document_put_number(unsigned char *p, uint64_t n,
    size_t bytes);
static unsigned char *rms_document_put_text(unsigned char *p,
    const rms_str_t *text, size_t bytes);
static rms_rc_e rms_document_get(rms_document_in_t *in,
    rms_document_t *document);
static uint64_t rms_document_get_number(rms_document_in_t *in, size_t bytes);
static int rms_document_get_text(rms_document_in_t *in, size_t bytes,
    rms_str_t *text);


rms_rc_e
rms_document_encode(const rms_document_t *document, rms_str_t *dst)
{
    size_t          size;
    unsigned char  *p;

    if (document->body.len > RMS_DOCUMENT_BODY_MAX) {
        return RMS_TOO_LARGE;
    }

    if (!rms_document_fine(document)) {
        return RMS_INVALID;
    }

    size = RMS_DOCUMENT_FIXED + document->who.len + document->note.len
           + document->body.len;

    if (size > dst->len) {
        return RMS_TOO_LARGE;
    }

    p = rms_document_put_number(dst->data, RMS_DOCUMENT_FORMAT, 1);
    p = rms_document_put_number(p, document->kind, 1);
    p = rms_document_put_number(p, document->version, 8);
    p = rms_document_put_number(p, document->when, 8);
    p = rms_document_put_text(p, &document->who, 2);
    p = rms_document_put_text(p, &document->note, 2);
    (void) rms_document_put_text(p, &document->body, 4);

    dst->len = size;

    return RMS_OK;
}


/* The rules both directions keep, so that what is read can be written. */

static int
rms_document_fine(const rms_document_t *document)
{
    if (document->kind != RMS_DOCUMENT_LIST
        && document->kind != RMS_DOCUMENT_REVOKED)
    {
        return 0;
    }

    return document->version != 0
           && document->version <= RMS_DOCUMENT_NUMBER_MAX
           && document->when <= RMS_DOCUMENT_NUMBER_MAX
           && document->body.len <= RMS_DOCUMENT_BODY_MAX
           && rms_document_text_fine(&document->who, RMS_DOCUMENT_WHO_MAX)
           && rms_document_text_fine(&document->note, RMS_DOCUMENT_NOTE_MAX);
}


/* C0, DEL, and C1 in its UTF-8 form, which terminals obey as well. */

static int
rms_document_text_fine(const rms_str_t *text, size_t max)
{
    size_t         i;
    unsigned char  c;

    if (text->len > max) {
        return 0;
    }

    for (i = 0; i < text->len; i++) {
        c = text->data[i];

        if (c < 0x20 || c == 0x7f) {
            return 0;
        }

        if (c >= 0x80 && c < 0xa0 && i > 0 && text->data[i - 1] == 0xc2) {
            return 0;
        }
    }

    return 1;
}


static unsigned char *
rms_document_put_number(unsigned char *p, uint64_t n, size_t bytes)
{
    for ( ; bytes != 0; bytes--) {
        *p++ = (unsigned char) (n & 0xff);
        n >>= 8;
    }

    return p;
}


static unsigned char *
rms_document_put_text(unsigned char *p, const rms_str_t *text, size_t bytes)
{
    p = rms_document_put_number(p, text->len, bytes);

    if (text->len != 0) {
        memcpy(p, text->data, text->len);
    }

    return p + text->len;
}


rms_rc_e
rms_document_decode(const rms_str_t *src, rms_document_t *document)
{
    rms_rc_e           rc;
    rms_document_in_t  in;

    memset(document, 0, sizeof(rms_document_t));

    if (src->len == 0) {
        return RMS_INVALID;
    }

    if (src->data[0] != RMS_DOCUMENT_FORMAT) {
        return RMS_UNSUPPORTED;
    }

    if (src->len < RMS_DOCUMENT_FIXED) {
        return RMS_INVALID;
    }

    in.p = src->data + 1;
    in.left = src->len - 1;

    rc = rms_document_get(&in, document);

    if (rc != RMS_OK) {
        memset(document, 0, sizeof(rms_document_t));
    }

    return rc;
}


/* Behind the format: what has a fixed place is there. */

static rms_rc_e
rms_document_get(rms_document_in_t *in, rms_document_t *document)
{
    document->kind = (rms_document_kind_e) rms_document_get_number(in, 1);
    document->version = rms_document_get_number(in, 8);
    document->when = rms_document_get_number(in, 8);

    if (!rms_document_get_text(in, 2, &document->who)
        || !rms_document_get_text(in, 2, &document->note)
        || !rms_document_get_text(in, 4, &document->body)
        || in->left != 0
        || !rms_document_fine(document))
    {
        return RMS_INVALID;
    }

    return RMS_OK;
}


/* The caller knows that so many bytes are left. */

static uint64_t
rms_document_get_number(rms_document_in_t *in, size_t bytes)
{
    size_t    i;
    uint64_t  n;

    for (i = 0, n = 0; i < bytes; i++) {
        n |= (uint64_t) in->p[i] << (8 * i);
    }

    in->p += bytes;
    in->left -= bytes;

    return n;
}


static int
rms_document_get_text(rms_document_in_t *in, size_t bytes, rms_str_t *text)
{
    if (in->left < bytes) {
        return 0;
    }

    text->len = (size_t) rms_document_get_number(in, bytes);
    text->data = in->p;

    if (text->len > in->left) {
        return 0;
    }

    in->p += text->len;
    in->left -= text->len;

    return 1;
}
