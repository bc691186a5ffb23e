/*
 * Sealed records and the ring of their keys; rms_seal.h shows the record.
 * OpenSSL does all of the cryptography.  Pure functions, any thread.
 */

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include "rms_seal.h"


#define RMS_SEAL_VERSION   1

#define RMS_SEAL_NONCE     12

/* Say what is derived, so that nothing else is ever the same. */

#define RMS_SEAL_LABEL     "rms sealed record, version 1"
#define RMS_SEAL_ID_LABEL  "rms seal key id, version 1"

#define RMS_SEAL_NO_KEY                                                       \
    "neither a key of 64 hex digits nor a comment; write one key a line, as " \
    "\"openssl rand -hex 32\" prints it"


/* What one record is sealed with, key before nonce as HKDF gives them. */

typedef struct {
    unsigned char  key[RMS_SEAL_KEY];
    unsigned char  nonce[RMS_SEAL_NONCE];
} rms_seal_once_t;

_Static_assert(sizeof(rms_seal_once_t) == RMS_SEAL_KEY + RMS_SEAL_NONCE,
               "nothing between them");
_Static_assert(RMS_SEAL_TEXT_MAX <= INT32_MAX, "OpenSSL counts in int");


static rms_rc_e rms_seal_ring_lines(const rms_str_t *text,
    rms_seal_ring_t *ring, rms_seal_error_t *error);
static rms_rc_e rms_seal_ring_line(rms_str_t *line, rms_seal_ring_t *ring,
    rms_seal_error_t *error);
static int rms_seal_hex(const unsigned char *p, unsigned char *key);
static rms_rc_e rms_seal_ring_add(rms_seal_ring_t *ring, const char **why);
static int rms_seal_derive(const rms_seal_ring_t *ring,
    const unsigned char *key, const unsigned char *salt, size_t salt_len,
    const char *label, void *dst, size_t len);
static int rms_seal_encrypt(EVP_CIPHER_CTX *ctx, const rms_str_t *context,
    const rms_str_t *text, unsigned char *record);
static rms_rc_e rms_seal_with(const rms_seal_ring_t *ring,
    const rms_str_t *context, const rms_str_t *text, unsigned char *record);
static const rms_seal_key_t *rms_seal_key_find(const rms_seal_ring_t *ring,
    const unsigned char *id);
static rms_rc_e rms_unseal_with(const rms_seal_ring_t *ring,
    const rms_seal_key_t *key, const rms_str_t *context,
    const rms_str_t *record, unsigned char *text);
static rms_rc_e rms_seal_decrypt(EVP_CIPHER_CTX *ctx,
    const rms_str_t *context, const rms_str_t *record, unsigned char *text);


rms_rc_e
rms_seal_ring_read(const rms_str_t *text, rms_seal_ring_t *ring,
    rms_seal_error_t *error)
{
    rms_rc_e  rc;

    memset(ring, 0, sizeof(rms_seal_ring_t));
    error->line = 0;

    (void) ERR_set_mark();

    ring->kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    ring->cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);

    if (ring->kdf == NULL || ring->cipher == NULL) {
        error->text = "OpenSSL gave no HKDF or no AES-256-GCM";
        rc = RMS_NOMEM;

    } else {
        rc = rms_seal_ring_lines(text, ring, error);
    }

    (void) ERR_pop_to_mark();

    if (rc != RMS_OK) {
        rms_seal_ring_wipe(ring);
    }

    return rc;
}


static rms_rc_e
rms_seal_ring_lines(const rms_str_t *text, rms_seal_ring_t *ring,
    rms_seal_error_t *error)
{
    rms_rc_e        rc;
    rms_str_t       line;
    unsigned char  *p, *end, *last;

    p = text->data;
    end = p + text->len;

    while (p < end) {
        last = memchr(p, '\n', (size_t) (end - p));
        last = last ? last : end;

        line.data = p;
        line.len = (size_t) (last - p);
        error->line++;

        rc = rms_seal_ring_line(&line, ring, error);
        if (rc != RMS_OK) {
            return rc;
        }

        p = (last < end) ? last + 1 : end;
    }

    if (ring->n == 0) {
        error->line = 0;
        error->text = "no key in it; write one of 64 hex digits, as "
                      "\"openssl rand -hex 32\" prints it";
        return RMS_INVALID;
    }

    return RMS_OK;
}


static rms_rc_e
rms_seal_ring_line(rms_str_t *line, rms_seal_ring_t *ring,
    rms_seal_error_t *error)
{
    size_t          i;
    unsigned char  *p, *end;

    p = line->data;
    end = p + line->len;

    while (p < end && (*p == ' ' || *p == '\t')) {
        p++;
    }

    while (end > p && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r')) {
        end--;
    }

    if (p == end || *p == '#') {
        return RMS_OK;
    }

    error->text = RMS_SEAL_NO_KEY;

    if (end - p < 2 * RMS_SEAL_KEY) {
        return RMS_INVALID;
    }

    /* behind the key: nothing, or blanks and a comment */

    i = 2 * RMS_SEAL_KEY;

    while (p + i < end && (p[i] == ' ' || p[i] == '\t')) {
        i++;
    }

    if (p + i < end && (p[i] != '#' || i == 2 * RMS_SEAL_KEY)) {
        return RMS_INVALID;
    }

    if (ring->n == RMS_SEAL_KEYS_MAX) {
        error->text = "more than 16 keys; take the oldest out";
        return RMS_TOO_LARGE;
    }

    if (!rms_seal_hex(p, ring->keys[ring->n].key)) {
        return RMS_INVALID;
    }

    return rms_seal_ring_add(ring, &error->text);
}


static int
rms_seal_hex(const unsigned char *p, unsigned char *key)
{
    size_t         i;
    unsigned       digit;
    unsigned char  c;

    for (i = 0; i < 2 * RMS_SEAL_KEY; i++) {
        c = rms_lower(p[i]);

        if (c >= '0' && c <= '9') {
            digit = c - (unsigned) '0';

        } else if (c >= 'a' && c <= 'f') {
            digit = c - (unsigned) 'a' + 10;

        } else {
            return 0;
        }

        key[i / 2] = (unsigned char) ((unsigned) key[i / 2] << 4 | digit);
    }

    return 1;
}


/* Takes in the key behind the last one.  Equal keys have equal ids. */

static rms_rc_e
rms_seal_ring_add(rms_seal_ring_t *ring, const char **why)
{
    rms_seal_key_t  *key;

    key = &ring->keys[ring->n];

    if (!rms_seal_derive(ring, key->key, NULL, 0, RMS_SEAL_ID_LABEL, key->id,
                         RMS_SEAL_KEY_ID))
    {
        *why = "OpenSSL gave no HKDF";
        return RMS_NOMEM;
    }

    if (rms_seal_key_find(ring, key->id) != NULL) {
        *why = "the key of a line above once more; take one out";
        return RMS_INVALID;
    }

    ring->n++;

    return RMS_OK;
}


void
rms_seal_ring_wipe(rms_seal_ring_t *ring)
{
    EVP_KDF_free(ring->kdf);
    EVP_CIPHER_free(ring->cipher);

    OPENSSL_cleanse(ring, sizeof(rms_seal_ring_t));
}


/* HKDF-SHA256, RFC 5869; 1, or 0 when OpenSSL gave nothing. */

static int
rms_seal_derive(const rms_seal_ring_t *ring, const unsigned char *key,
    const unsigned char *salt, size_t salt_len, const char *label, void *dst,
    size_t len)
{
    int           ok;
    OSSL_PARAM    params[5], *p;
    EVP_KDF_CTX  *ctx;

    ctx = EVP_KDF_CTX_new(ring->kdf);
    if (ctx == NULL) {
        return 0;
    }

    p = params;

    *p++ = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST,
                                            (char *) "SHA256", 0);
    *p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *) key,
                                             RMS_SEAL_KEY);
    *p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO,
                                             (void *) label, strlen(label));

    /* without one it is a block of zeros, RFC 5869 2.2 */

    if (salt != NULL) {
        *p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT,
                                                 (void *) salt, salt_len);
    }

    *p = OSSL_PARAM_construct_end();

    ok = EVP_KDF_derive(ctx, dst, len, params) == 1;

    EVP_KDF_CTX_free(ctx);

    return ok;
}


rms_rc_e
rms_seal(const rms_seal_ring_t *ring, const rms_str_t *context,
    const rms_str_t *text, rms_str_t *dst)
{
    rms_rc_e        rc;
    unsigned char  *p;

    if (ring->n == 0) {
        return RMS_DECLINED;
    }

    if (text->len > RMS_SEAL_TEXT_MAX || context->len > RMS_SEAL_CONTEXT_MAX
        || dst->len < text->len + RMS_SEAL_OVERHEAD)
    {
        return RMS_TOO_LARGE;
    }

    p = dst->data;

    *p++ = RMS_SEAL_VERSION;

    memcpy(p, ring->keys[0].id, RMS_SEAL_KEY_ID);
    p += RMS_SEAL_KEY_ID;

    /* whatever OpenSSL says goes no further: errors left are others' alerts */

    (void) ERR_set_mark();

    rc = (RAND_bytes(p, RMS_SEAL_SALT) == 1)
         ? rms_seal_with(ring, context, text, dst->data) : RMS_UNSUPPORTED;

    (void) ERR_pop_to_mark();

    if (rc == RMS_OK) {
        dst->len = text->len + RMS_SEAL_OVERHEAD;
    }

    return rc;
}


static rms_rc_e
rms_seal_with(const rms_seal_ring_t *ring, const rms_str_t *context,
    const rms_str_t *text, unsigned char *record)
{
    int               ok;
    EVP_CIPHER_CTX   *ctx;
    rms_seal_once_t   once;

    ctx = EVP_CIPHER_CTX_new();

    ok = ctx != NULL
         && rms_seal_derive(ring, ring->keys[0].key,
                            record + 1 + RMS_SEAL_KEY_ID, RMS_SEAL_SALT,
                            RMS_SEAL_LABEL, &once, sizeof(once))
         && EVP_EncryptInit_ex2(ctx, ring->cipher, once.key, once.nonce, NULL)
         && rms_seal_encrypt(ctx, context, text, record);

    EVP_CIPHER_CTX_free(ctx);
    OPENSSL_cleanse(&once, sizeof(once));

    return ok ? RMS_OK : RMS_NOMEM;
}


/* An update without bytes would be no update but an end, so there is none. */

static int
rms_seal_encrypt(EVP_CIPHER_CTX *ctx, const rms_str_t *context,
    const rms_str_t *text, unsigned char *record)
{
    int             n;
    unsigned char  *p;

    p = record + RMS_SEAL_HEADER;

    if (!EVP_EncryptUpdate(ctx, NULL, &n, record, RMS_SEAL_HEADER)) {
        return 0;
    }

    if (context->len != 0
        && !EVP_EncryptUpdate(ctx, NULL, &n, context->data,
                              (int) context->len))
    {
        return 0;
    }

    if (text->len != 0
        && !EVP_EncryptUpdate(ctx, p, &n, text->data, (int) text->len))
    {
        return 0;
    }

    p += text->len;

    return EVP_EncryptFinal_ex(ctx, p, &n)
           && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, RMS_SEAL_TAG, p);
}


rms_rc_e
rms_unseal(const rms_seal_ring_t *ring, const rms_str_t *context,
    const rms_str_t *record, rms_str_t *dst)
{
    size_t                 room, len;
    rms_rc_e               rc;
    const rms_seal_key_t  *key;

    room = dst->len;
    dst->len = 0;

    if (record->len != 0 && record->data[0] != RMS_SEAL_VERSION) {
        return RMS_UNSUPPORTED;
    }

    if (record->len < RMS_SEAL_OVERHEAD
        || record->len > RMS_SEAL_OVERHEAD + RMS_SEAL_TEXT_MAX)
    {
        return RMS_INVALID;
    }

    len = record->len - RMS_SEAL_OVERHEAD;

    if (len > room || context->len > RMS_SEAL_CONTEXT_MAX) {
        return RMS_TOO_LARGE;
    }

    key = rms_seal_key_find(ring, record->data + 1);
    if (key == NULL) {
        return RMS_DECLINED;
    }

    (void) ERR_set_mark();

    rc = rms_unseal_with(ring, key, context, record, dst->data);

    (void) ERR_pop_to_mark();

    /* it was decrypted before the tag told that it must not be */

    if (rc == RMS_OK) {
        dst->len = len;

    } else if (len != 0) {
        OPENSSL_cleanse(dst->data, len);
    }

    return rc;
}


/* The id is no secret: it stands in every record. */

static const rms_seal_key_t *
rms_seal_key_find(const rms_seal_ring_t *ring, const unsigned char *id)
{
    size_t  i;

    for (i = 0; i < ring->n; i++) {
        if (memcmp(ring->keys[i].id, id, RMS_SEAL_KEY_ID) == 0) {
            return &ring->keys[i];
        }
    }

    return NULL;
}


static rms_rc_e
rms_unseal_with(const rms_seal_ring_t *ring, const rms_seal_key_t *key,
    const rms_str_t *context, const rms_str_t *record, unsigned char *text)
{
    rms_rc_e          rc;
    EVP_CIPHER_CTX   *ctx;
    rms_seal_once_t   once;

    rc = RMS_NOMEM;
    ctx = EVP_CIPHER_CTX_new();

    if (ctx != NULL
        && rms_seal_derive(ring, key->key, record->data + 1 + RMS_SEAL_KEY_ID,
                           RMS_SEAL_SALT, RMS_SEAL_LABEL, &once, sizeof(once))
        && EVP_DecryptInit_ex2(ctx, ring->cipher, once.key, once.nonce, NULL))
    {
        rc = rms_seal_decrypt(ctx, context, record, text);
    }

    EVP_CIPHER_CTX_free(ctx);
    OPENSSL_cleanse(&once, sizeof(once));

    return rc;
}


static rms_rc_e
rms_seal_decrypt(EVP_CIPHER_CTX *ctx, const rms_str_t *context,
    const rms_str_t *record, unsigned char *text)
{
    int             n;
    size_t          len;
    unsigned char  *p, *tag, none[1];

    len = record->len - RMS_SEAL_OVERHEAD;
    p = record->data + RMS_SEAL_HEADER;
    tag = p + len;

    if (!EVP_DecryptUpdate(ctx, NULL, &n, record->data, RMS_SEAL_HEADER)) {
        return RMS_NOMEM;
    }

    if (context->len != 0
        && !EVP_DecryptUpdate(ctx, NULL, &n, context->data,
                              (int) context->len))
    {
        return RMS_NOMEM;
    }

    if (len != 0 && !EVP_DecryptUpdate(ctx, text, &n, p, (int) len)) {
        return RMS_NOMEM;
    }

    if (!EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, RMS_SEAL_TAG, tag)) {
        return RMS_NOMEM;
    }

    return EVP_DecryptFinal_ex(ctx, none, &n) == 1 ? RMS_OK : RMS_INVALID;
}


int
rms_seal_current(const rms_seal_ring_t *ring, const rms_str_t *record)
{
    return ring->n != 0 && record->len >= RMS_SEAL_OVERHEAD
           && record->data[0] == RMS_SEAL_VERSION
           && memcmp(record->data + 1, ring->keys[0].id, RMS_SEAL_KEY_ID) == 0;
}
