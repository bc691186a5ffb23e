/*
 * The record of a session: bytes in a fixed order, numbers little-endian.
 * Each session has one encoding, and nothing else is read.  Pure functions,
 * any thread.
 *
 *     version 1, mech, flags, scope[16], created 8, seen 8, lifetime 4,
 *     idle 4, epoch 8, [thumbprint 32,] [user: sub-authorities 1, authority 6,
 *     each sub-authority 4,] account, service, sids: each 2 bytes of length and
 *     the bytes
 *
 * Version 2; in version 1 there was no user.
 */

#include "rms_session.h"


#define RMS_SESSION_VERSION       2

#define RMS_SESSION_F_FOREIGN     0x01
#define RMS_SESSION_F_THUMBPRINT  0x02
#define RMS_SESSION_F_USER        0x04
#define RMS_SESSION_F_ALL         0x07

/* version to epoch */
#define RMS_SESSION_FIXED         (3 + RMS_SESSION_SCOPE + 8 + 8 + 4 + 4 + 8)

#define RMS_SESSION_AUTHORITY     (UINT64_C(1) << 48)

#define rms_session_user_size(n)  (1 + 6 + 4 * (size_t) (n))


_Static_assert(RMS_SESSION_FIXED + RMS_SESSION_THUMBPRINT
               + rms_session_user_size(RMS_SID_SUBS_MAX) + 3 * 2
               + 2 * RMS_SESSION_NAME_MAX + RMS_SESSION_SIDS_MAX
               <= RMS_SESSION_ENCODED_MAX, "every session has room");
_Static_assert(RMS_SESSION_SIDS_MAX <= UINT16_MAX, "two bytes of length");


typedef struct {
    unsigned char  *p;
    size_t          left;
} rms_session_in_t;


static int rms_session_fine(const rms_session_t *session);
static int rms_session_name_fine(const rms_str_t *name);
static size_t rms_session_size(const rms_session_t *session);
static unsigned char *rms_session_put(unsigned char *p, const void *src,
    size_t len);
static unsigned char *rms_session_put_number(unsigned char *p, uint64_t n,
    size_t bytes);
static unsigned char *rms_session_put_text(unsigned char *p,
    const rms_str_t *text);
static unsigned char *rms_session_put_user(unsigned char *p,
    const rms_sid_t *user);
static void rms_session_get(rms_session_in_t *in, void *dst, size_t len);
static uint64_t rms_session_get_number(rms_session_in_t *in, size_t bytes);
static rms_rc_e rms_session_get_text(rms_session_in_t *in, rms_str_t *text);
static rms_rc_e rms_session_get_user(rms_session_in_t *in, rms_sid_t *user);
static rms_rc_e rms_session_get_rest(rms_session_in_t *in,
    rms_session_t *session);


rms_rc_e
rms_session_encode(const rms_session_t *session, rms_str_t *dst)
{
    unsigned        flags;
    unsigned char  *p;

    if (!rms_session_fine(session)) {
        return RMS_INVALID;
    }

    if (rms_session_size(session) > dst->len) {
        return RMS_TOO_LARGE;
    }

    flags = (session->foreign ? RMS_SESSION_F_FOREIGN : 0u)
            | (session->has_thumbprint ? RMS_SESSION_F_THUMBPRINT : 0u)
            | (session->has_user ? RMS_SESSION_F_USER : 0u);

    p = dst->data;
    p = rms_session_put_number(p, RMS_SESSION_VERSION, 1);
    p = rms_session_put_number(p, session->mech, 1);
    p = rms_session_put_number(p, flags, 1);
    p = rms_session_put(p, session->scope, RMS_SESSION_SCOPE);
    p = rms_session_put_number(p, session->created, 8);
    p = rms_session_put_number(p, session->seen, 8);
    p = rms_session_put_number(p, session->lifetime, 4);
    p = rms_session_put_number(p, session->idle, 4);
    p = rms_session_put_number(p, session->epoch, 8);

    if (session->has_thumbprint) {
        p = rms_session_put(p, session->thumbprint, RMS_SESSION_THUMBPRINT);
    }

    if (session->has_user) {
        p = rms_session_put_user(p, &session->user);
    }

    p = rms_session_put_text(p, &session->account);
    p = rms_session_put_text(p, &session->service);
    p = rms_session_put_text(p, &session->sids);

    dst->len = (size_t) (p - dst->data);

    return RMS_OK;
}


/* The rules both directions keep, so that what is read can be written. */

static int
rms_session_fine(const rms_session_t *session)
{
    if (session->mech < RMS_SESSION_KERBEROS
        || session->mech > RMS_SESSION_CERTIFICATE
        || (session->mech == RMS_SESSION_CERTIFICATE
            && !session->has_thumbprint))
    {
        return 0;
    }

    /* created: far from overflow when lifetimes are added */

    if (session->lifetime == 0 || session->idle == 0
        || session->created > session->seen
        || session->seen > UINT64_MAX / 2)
    {
        return 0;
    }

    /* a whole SID: of a domain alone there is nobody */

    if (session->has_user
        && (session->user.n == 0 || session->user.n > RMS_SID_SUBS_MAX
            || session->user.authority >= RMS_SESSION_AUTHORITY
            || session->sids.len == 0))
    {
        return 0;
    }

    return session->account.len != 0
           && rms_session_name_fine(&session->account)
           && rms_session_name_fine(&session->service)
           && session->sids.len <= RMS_SESSION_SIDS_MAX;
}


/* C0, DEL, and C1 in its UTF-8 form, which terminals obey as well. */

static int
rms_session_name_fine(const rms_str_t *name)
{
    size_t         i;
    unsigned char  c;

    for (i = 0; i < name->len; i++) {
        c = name->data[i];

        if (c < 0x20 || c == 0x7f) {
            return 0;
        }

        if (c >= 0x80 && c < 0xa0 && i > 0 && name->data[i - 1] == 0xc2) {
            return 0;
        }
    }

    return name->len <= RMS_SESSION_NAME_MAX;
}


static size_t
rms_session_size(const rms_session_t *session)
{
    return RMS_SESSION_FIXED
           + (session->has_thumbprint ? RMS_SESSION_THUMBPRINT : 0u)
           + (session->has_user ? rms_session_user_size(session->user.n) : 0u)
           + 3 * 2u
           + session->account.len + session->service.len + session->sids.len;
}


static unsigned char *
rms_session_put(unsigned char *p, const void *src, size_t len)
{
    if (len != 0) {
        memcpy(p, src, len);
    }

    return p + len;
}


static unsigned char *
rms_session_put_number(unsigned char *p, uint64_t n, size_t bytes)
{
    for ( ; bytes != 0; bytes--) {
        *p++ = (unsigned char) (n & 0xff);
        n >>= 8;
    }

    return p;
}


static unsigned char *
rms_session_put_text(unsigned char *p, const rms_str_t *text)
{
    p = rms_session_put_number(p, text->len, 2);

    return rms_session_put(p, text->data, text->len);
}


static unsigned char *
rms_session_put_user(unsigned char *p, const rms_sid_t *user)
{
    uint32_t  i;

    p = rms_session_put_number(p, user->n, 1);
    p = rms_session_put_number(p, user->authority, 6);

    for (i = 0; i < user->n; i++) {
        p = rms_session_put_number(p, user->sub[i], 4);
    }

    return p;
}


rms_rc_e
rms_session_decode(const rms_str_t *src, rms_session_t *session)
{
    uint64_t          flags;
    rms_session_in_t  in;

    memset(session, 0, sizeof(rms_session_t));

    if (src->len == 0) {
        return RMS_INVALID;
    }

    if (src->data[0] != RMS_SESSION_VERSION) {
        return RMS_UNSUPPORTED;
    }

    if (src->len < RMS_SESSION_FIXED) {
        return RMS_INVALID;
    }

    in.p = src->data + 1;
    in.left = src->len - 1;

    session->mech = (rms_session_mech_e) rms_session_get_number(&in, 1);
    flags = rms_session_get_number(&in, 1);
    rms_session_get(&in, session->scope, RMS_SESSION_SCOPE);
    session->created = rms_session_get_number(&in, 8);
    session->seen = rms_session_get_number(&in, 8);
    session->lifetime = (uint32_t) rms_session_get_number(&in, 4);
    session->idle = (uint32_t) rms_session_get_number(&in, 4);
    session->epoch = rms_session_get_number(&in, 8);

    if (flags & ~(uint64_t) RMS_SESSION_F_ALL) {
        return RMS_INVALID;
    }

    session->foreign = (flags & RMS_SESSION_F_FOREIGN) != 0;
    session->has_thumbprint = (flags & RMS_SESSION_F_THUMBPRINT) != 0;
    session->has_user = (flags & RMS_SESSION_F_USER) != 0;

    return rms_session_get_rest(&in, session);
}


/* What has no fixed place. */

static rms_rc_e
rms_session_get_rest(rms_session_in_t *in, rms_session_t *session)
{
    if (session->has_thumbprint) {

        if (in->left < RMS_SESSION_THUMBPRINT) {
            return RMS_INVALID;
        }

        rms_session_get(in, session->thumbprint, RMS_SESSION_THUMBPRINT);
    }

    if (session->has_user
        && rms_session_get_user(in, &session->user) != RMS_OK)
    {
        return RMS_INVALID;
    }

    if (rms_session_get_text(in, &session->account) != RMS_OK
        || rms_session_get_text(in, &session->service) != RMS_OK
        || rms_session_get_text(in, &session->sids) != RMS_OK
        || in->left != 0
        || !rms_session_fine(session))
    {
        return RMS_INVALID;
    }

    return RMS_OK;
}


static rms_rc_e
rms_session_get_user(rms_session_in_t *in, rms_sid_t *user)
{
    uint32_t  i, n;

    if (in->left < rms_session_user_size(0)) {
        return RMS_INVALID;
    }

    n = (uint32_t) rms_session_get_number(in, 1);
    user->authority = rms_session_get_number(in, 6);

    if (n > RMS_SID_SUBS_MAX || in->left < 4 * (size_t) n) {
        return RMS_INVALID;
    }

    for (i = 0; i < n; i++) {
        user->sub[i] = (uint32_t) rms_session_get_number(in, 4);
    }

    user->n = n;

    return RMS_OK;
}


/* The caller knows that so many bytes are left. */

static void
rms_session_get(rms_session_in_t *in, void *dst, size_t len)
{
    memcpy(dst, in->p, len);

    in->p += len;
    in->left -= len;
}


static uint64_t
rms_session_get_number(rms_session_in_t *in, size_t bytes)
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


static rms_rc_e
rms_session_get_text(rms_session_in_t *in, rms_str_t *text)
{
    if (in->left < 2) {
        return RMS_INVALID;
    }

    text->len = (size_t) rms_session_get_number(in, 2);
    text->data = in->p;

    if (text->len > in->left) {
        return RMS_INVALID;
    }

    in->p += text->len;
    in->left -= text->len;

    return RMS_OK;
}
