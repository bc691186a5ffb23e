/*
 * Sessions: ids and the rules by which a session ends.  The record's codec is
 * in rms_session_codec.c.  Pure functions, any thread.
 */

#include <pthread.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "rms_cookie.h"
#include "rms_negotiate.h"
#include "rms_session.h"


/* Says what is hashed, so that no other hash of ours is ever the same. */

#define RMS_SESSION_LABEL    "rms session id, version 1"
#define RMS_SESSION_ACCOUNT  "rms last login of, version 1"


static void rms_session_fetch(void);
static const EVP_MD *rms_session_sha256(void);


/* The six bits each character of base64url stands for, or -1. */

static const signed char  rms_session_values[128] = {
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 62, -1, -1,
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61, -1, -1, -1, -1, -1, -1,
    -1,  0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14,
    15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, -1, -1, -1, -1, 63,
    -1, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
    41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, -1, -1, -1, -1, -1
};


/* Looked up once: EVP_sha256() makes OpenSSL do it for each hash. */

static EVP_MD          *rms_session_md;
static pthread_once_t   rms_session_once = PTHREAD_ONCE_INIT;


static void
rms_session_fetch(void)
{
    rms_session_md = EVP_MD_fetch(NULL, "SHA256", NULL);
}


static const EVP_MD *
rms_session_sha256(void)
{
    (void) pthread_once(&rms_session_once, rms_session_fetch);

    return rms_session_md ? rms_session_md : EVP_sha256();
}


rms_session_state_e
rms_session_state(const rms_session_t *session, const unsigned char *scope,
    uint64_t now, uint64_t revoked_at)
{
    if (memcmp(session->scope, scope, RMS_SESSION_SCOPE) != 0) {
        return RMS_SESSION_ELSEWHERE;
    }

    if (session->epoch < revoked_at) {
        return RMS_SESSION_REVOKED;
    }

    if (now < session->seen) {

        if (session->seen - now > RMS_SESSION_SKEW) {
            return RMS_SESSION_EXPIRED;
        }

        now = session->seen;
    }

    if (now - session->created >= session->lifetime) {
        return RMS_SESSION_EXPIRED;
    }

    if (now - session->seen >= session->idle) {
        return RMS_SESSION_IDLE;
    }

    return RMS_SESSION_VALID;
}


int
rms_session_touch_due(const rms_session_t *session, uint64_t now)
{
    return now > session->seen && now - session->seen > session->idle / 10;
}


uint64_t
rms_session_expires(const rms_session_t *session)
{
    uint64_t  end, idle;

    end = session->created + session->lifetime;
    idle = session->seen + session->idle;

    return idle < end ? idle : end;
}


rms_rc_e
rms_session_id_make(unsigned char *id)
{
    if (RAND_priv_bytes(id, RMS_SESSION_ID) != 1) {
        OPENSSL_cleanse(id, RMS_SESSION_ID);
        return RMS_UNSUPPORTED;
    }

    return RMS_OK;
}


void
rms_session_id_text(const unsigned char *id, unsigned char *text)
{
    size_t         i;
    rms_str_t      src, dst;
    unsigned char  padded[(RMS_SESSION_ID + 2) / 3 * 4];

    src.data = (unsigned char *) id;
    src.len = RMS_SESSION_ID;
    dst.data = padded;

    rms_base64_encode(&src, &dst);

    for (i = 0; i < RMS_SESSION_TEXT; i++) {
        text[i] = (padded[i] == '+') ? '-'
                  : (padded[i] == '/') ? '_' : padded[i];
    }

    OPENSSL_cleanse(padded, sizeof(padded));
}


rms_rc_e
rms_session_id_read(const rms_str_t *text, unsigned char *id)
{
    int            value, all;
    size_t         i, n;
    rms_rc_e       rc;
    uint32_t       bits;
    unsigned char  c;
    unsigned char  buf[RMS_SESSION_ID];

    if (text->len != RMS_SESSION_TEXT) {
        return RMS_INVALID;
    }

    bits = 0;
    value = 0;
    all = 0;

    for (i = 0, n = 0; i < RMS_SESSION_TEXT; i++) {
        c = text->data[i];
        value = c < 128 ? rms_session_values[c] : -1;
        all |= value;
        bits = bits << 6 | ((uint32_t) value & 0x3f);

        /* of four characters the first completes no byte */

        if (i % 4 != 0) {
            buf[n++] = (unsigned char) (bits >> (6 - 2 * (i % 4)));
        }
    }

    /* strict: the four bits behind the id are zero */

    rc = (all >= 0 && (value & 0x0f) == 0) ? RMS_OK : RMS_INVALID;

    if (rc == RMS_OK) {
        memcpy(id, buf, RMS_SESSION_ID);
    }

    OPENSSL_cleanse(buf, sizeof(buf));

    return rc;
}


rms_rc_e
rms_session_key(const unsigned char *id, unsigned char *key)
{
    int            ok;
    unsigned char  hash[EVP_MAX_MD_SIZE];
    unsigned char  text[sizeof(RMS_SESSION_LABEL) + RMS_SESSION_ID];

    /* the zero byte that ends the label parts it from the id */

    memcpy(text, RMS_SESSION_LABEL, sizeof(RMS_SESSION_LABEL));
    memcpy(text + sizeof(RMS_SESSION_LABEL), id, RMS_SESSION_ID);

    ok = EVP_Digest(text, sizeof(text), hash, NULL, rms_session_sha256(),
                    NULL);

    if (ok) {
        memcpy(key, hash, RMS_SESSION_KEY);
    }

    OPENSSL_cleanse(text, sizeof(text));

    return ok ? RMS_OK : RMS_NOMEM;
}


rms_rc_e
rms_session_account_key(const rms_str_t *account, unsigned char *key)
{
    int             ok;
    EVP_MD_CTX     *md;
    unsigned char   hash[EVP_MAX_MD_SIZE];

    md = EVP_MD_CTX_new();

    ok = md != NULL
         && EVP_DigestInit_ex(md, rms_session_sha256(), NULL)
         && EVP_DigestUpdate(md, RMS_SESSION_ACCOUNT,
                             sizeof(RMS_SESSION_ACCOUNT))
         && EVP_DigestUpdate(md, account->data, account->len)
         && EVP_DigestFinal_ex(md, hash, NULL);

    EVP_MD_CTX_free(md);

    if (!ok) {
        return RMS_NOMEM;
    }

    memcpy(key, hash, RMS_SESSION_KEY);

    return RMS_OK;
}


rms_rc_e
rms_session_cookie(const rms_str_t *headers, size_t n_headers,
    const rms_str_t *name, unsigned char *id)
{
    size_t     i, n;
    rms_rc_e   rc;
    rms_str_t  values[RMS_SESSION_COOKIES_MAX];

    rc = rms_cookie_find(headers, n_headers, name, values,
                         RMS_SESSION_COOKIES_MAX, &n);
    if (rc != RMS_OK) {
        return rc;
    }

    for (i = 0; i < n; i++) {
        if (rms_session_id_read(&values[i], id) == RMS_OK) {
            return RMS_OK;
        }
    }

    return RMS_DECLINED;
}
