/*
 * Sessions: ids and the rules by which a session ends.  The record's codec is
 * in rms_session_codec.c.  Pure functions, any thread.
 */

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "rms_cookie.h"
#include "rms_negotiate.h"
#include "rms_session.h"


/* Says what is hashed, so that no other hash of ours is ever the same. */

#define RMS_SESSION_LABEL    "rms session id, version 1"
#define RMS_SESSION_ACCOUNT  "rms last login of, version 1"


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
    size_t         i;
    rms_rc_e       rc;
    rms_str_t      src, dst;
    unsigned char  c, padded[RMS_SESSION_TEXT + 2], buf[RMS_SESSION_ID + 2];

    if (text->len != RMS_SESSION_TEXT) {
        return RMS_INVALID;
    }

    for (i = 0; i < RMS_SESSION_TEXT; i++) {
        c = text->data[i];

        if (c == '+' || c == '/' || c == '=') {
            return RMS_INVALID;
        }

        padded[i] = (c == '-') ? '+' : (c == '_') ? '/' : c;
    }

    padded[i] = '=';
    padded[i + 1] = '=';

    /* strict: the four bits behind the id are zero */

    src.data = padded;
    src.len = sizeof(padded);
    dst.data = buf;

    rc = rms_base64_decode(&src, RMS_SESSION_ID, &dst);

    if (rc == RMS_OK) {
        memcpy(id, buf, RMS_SESSION_ID);
    }

    OPENSSL_cleanse(padded, sizeof(padded));
    OPENSSL_cleanse(buf, sizeof(buf));

    return (rc == RMS_OK) ? RMS_OK : RMS_INVALID;
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

    ok = EVP_Digest(text, sizeof(text), hash, NULL, EVP_sha256(), NULL);

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
         && EVP_DigestInit_ex(md, EVP_sha256(), NULL)
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
