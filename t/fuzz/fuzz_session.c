/*
 * Records of sessions, the SIDs in them, and cookies.  What is read as a record
 * is written back to the same bytes; what is written is read back to the same
 * session.  An id has one text.  A cookie that we format is found again.  The
 * first byte chooses.
 */

#include <stdlib.h>

#include "rms_cookie.h"
#include "rms_session.h"
#include "rms_sid_pack.h"


#define must(x)   do { if (!(x)) { abort(); } } while (0)

#define HEADERS   8


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
record(const rms_str_t *in)
{
    rms_rc_e              rc;
    rms_str_t             out;
    rms_session_t         session;
    static unsigned char  buf[RMS_SESSION_ENCODED_MAX];

    rc = rms_session_decode(in, &session);

    if (rc != RMS_OK) {
        must(rc == RMS_INVALID
             || (rc == RMS_UNSUPPORTED && in->data[0] != 2));
        return;
    }

    must(session.account.len >= 1);
    must(session.account.len <= RMS_SESSION_NAME_MAX);
    must(memchr(session.account.data, '\n', session.account.len) == NULL);
    must(session.account.data > in->data);
    must(session.sids.data + session.sids.len == in->data + in->len);
    must(session.created <= session.seen);
    must(!session.has_user
         || (session.user.n >= 1 && session.user.n <= RMS_SID_SUBS_MAX
             && session.user.authority < UINT64_C(1) << 48));
    must(rms_session_expires(&session) > session.seen
         || session.seen - session.created >= session.lifetime);

    out.data = buf;
    out.len = in->len - 1;
    must(rms_session_encode(&session, &out) == RMS_TOO_LARGE);

    out.len = in->len;
    must(rms_session_encode(&session, &out) == RMS_OK);
    must(rms_str_eq(&out, in));
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


/* A session of any values; what is refused is one that breaks a rule. */

static void
session_of(const rms_str_t *data)
{
    rms_rc_e              rc;
    rms_str_t             in, out;
    uint32_t              i;
    uint64_t              flags;
    rms_session_t         s, back;
    static unsigned char  buf[RMS_SESSION_ENCODED_MAX];

    in = *data;
    memset(&s, 0, sizeof(s));

    s.mech = (rms_session_mech_e) number(&in, 1);
    s.foreign = number(&in, 1) & 1;
    flags = number(&in, 1);
    s.has_thumbprint = flags & 1;
    s.has_user = flags >> 1 & 1;
    s.created = number(&in, 8);
    s.seen = s.created + number(&in, 3);
    s.lifetime = (uint32_t) number(&in, 4);
    s.idle = (uint32_t) number(&in, 4);
    s.epoch = number(&in, 8);
    cut(&in, number(&in, 2) % 600, &s.account);
    cut(&in, number(&in, 2) % 600, &s.service);

    if (s.has_user) {
        s.user.n = (uint32_t) number(&in, 1) % (RMS_SID_SUBS_MAX + 2);
        s.user.authority = number(&in, 6);

        for (i = 0; i < s.user.n && i < RMS_SID_SUBS_MAX; i++) {
            s.user.sub[i] = (uint32_t) number(&in, 4);
        }
    }

    s.sids = in;

    out.data = buf;
    out.len = sizeof(buf);

    rc = rms_session_encode(&s, &out);

    if (rc != RMS_OK) {
        must(rc == RMS_INVALID);
        return;
    }

    must(rms_session_decode(&out, &back) == RMS_OK);
    must(back.mech == s.mech && back.foreign == s.foreign);
    must(back.has_thumbprint == s.has_thumbprint);
    must(back.has_user == s.has_user);
    must(!s.has_user || rms_sid_cmp(&back.user, &s.user) == 0);
    must(back.created == s.created && back.seen == s.seen);
    must(back.lifetime == s.lifetime && back.idle == s.idle);
    must(back.epoch == s.epoch);
    must(rms_str_eq(&back.account, &s.account));
    must(rms_str_eq(&back.service, &s.service));
    must(rms_str_eq(&back.sids, &s.sids));

    must(rms_session_state(&s, s.scope, s.seen, s.epoch + 1)
         == (s.epoch == UINT64_MAX ? rms_session_state(&s, s.scope, s.seen, 0)
                                   : RMS_SESSION_REVOKED));
    must(rms_session_state(&s, s.scope, rms_session_expires(&s), s.epoch)
         != RMS_SESSION_VALID);
}


static size_t
split(const rms_str_t *data, rms_str_t *headers)
{
    size_t          n, len;
    rms_str_t       in;
    unsigned char  *nl;

    in = *data;

    for (n = 0; n < HEADERS && in.len != 0; n++) {
        nl = memchr(in.data, '\n', in.len);
        len = nl ? (size_t) (nl - in.data) : in.len;
        cut(&in, len, &headers[n]);

        if (in.len != 0) {
            in.data++;
            in.len--;
        }
    }

    return n;
}


/* How often ours is named, without the parser: "; rms = x" and the like. */

static size_t
named(const rms_str_t *headers, size_t n)
{
    size_t          i, count;
    unsigned char  *p, *q, *end;

    for (i = 0, count = 0; i < n; i++) {
        end = headers[i].data + headers[i].len;

        for (p = headers[i].data; p + 3 < end; p++) {

            if (memcmp(p, "rms", 3) != 0) {
                continue;
            }

            q = p;
            while (q > headers[i].data && (q[-1] == ' ' || q[-1] == '\t')) {
                q--;
            }

            if (q > headers[i].data && q[-1] != ';') {
                continue;
            }

            for (q = p + 3; q < end && (*q == ' ' || *q == '\t'); q++) {
            }

            count += (q < end && *q == '=');
        }
    }

    return count;
}


static void
check_text(const rms_str_t *text)
{
    rms_str_t      again;
    unsigned char  id[RMS_SESSION_ID], buf[RMS_SESSION_TEXT];

    if (rms_session_id_read(text, id) != RMS_OK) {
        return;
    }

    again.data = buf;
    again.len = sizeof(buf);
    rms_session_id_text(id, buf);
    must(rms_str_eq(&again, text));
}


/* What is left of a header has none of ours, and the others as they were. */

static void
without(const rms_str_t *header, const rms_str_t *name)
{
    size_t          n, others, kept;
    rms_str_t       left, other = rms_string("b");
    rms_str_t      *values;
    unsigned char  *buf;

    buf = malloc(header->len + 1);
    values = malloc((header->len + 1) * sizeof(rms_str_t));

    if (buf != NULL && values != NULL) {
        left.data = buf;
        n = rms_cookie_without(header, name, &left);

        must(left.len <= header->len);
        must(n == named(header, 1));
        must(named(&left, 1) == 0);

        (void) rms_cookie_find(header, 1, &other, values, header->len + 1,
                               &others);
        (void) rms_cookie_find(&left, 1, &other, values, header->len + 1,
                               &kept);
        must(others == kept);
    }

    free(buf);
    free(values);
}


static void
cookies(const rms_str_t *data)
{
    size_t         i, n, count;
    rms_rc_e       rc;
    rms_str_t      headers[HEADERS] = { { 0, NULL } };
    rms_str_t      values[RMS_SESSION_COOKIES_MAX];
    unsigned char  id[RMS_SESSION_ID];

    static rms_str_t  name = rms_string("rms");

    count = split(data, headers);

    rc = rms_cookie_find(headers, count, &name, values,
                         RMS_SESSION_COOKIES_MAX, &n);

    must((rc == RMS_OK) == (n != 0));
    must(n <= named(headers, count));
    must((rc == RMS_TOO_LARGE)
         == (named(headers, count) > RMS_SESSION_COOKIES_MAX));

    for (i = 0; i < n; i++) {
        must(values[i].data > data->data);
        must(values[i].data + values[i].len <= data->data + data->len);
        must(memchr(values[i].data, ';', values[i].len) == NULL);
        must(memchr(values[i].data, '"', values[i].len) == NULL);
        must(memchr(values[i].data, ' ', values[i].len) == NULL);
        check_text(&values[i]);
    }

    if (rms_session_cookie(headers, count, &name, id) == RMS_OK) {
        must(rc == RMS_OK);
    }

    for (i = 0; i < count; i++) {
        without(&headers[i], &name);
    }

    check_text(data);
}


/* "name=value" of the input: formatted, it is found under its name. */

static void
written(const rms_str_t *data)
{
    size_t         n;
    rms_rc_e       rc;
    rms_str_t      in, out, found;
    rms_cookie_t   cookie;
    unsigned char  buf[RMS_COOKIE_TEXT_MAX];

    in = *data;
    memset(&cookie, 0, sizeof(cookie));

    n = number(&in, 1);
    cookie.secure = n & 1;
    cookie.has_max_age = n >> 1 & 1;
    cookie.site = (n & 4) ? RMS_COOKIE_STRICT : RMS_COOKIE_LAX;
    cookie.max_age = (uint32_t) number(&in, 4);
    cut(&in, number(&in, 1), &cookie.name);
    cookie.value = in;

    out.data = buf;
    out.len = sizeof(buf);

    rc = rms_cookie_format(&cookie, &out);

    if (rc != RMS_OK) {
        must(rc == RMS_INVALID || (rc == RMS_UNSUPPORTED && !cookie.secure));
        return;
    }

    must(memchr(out.data, '\r', out.len) == NULL);
    must(memchr(out.data, '\n', out.len) == NULL);

    rc = rms_cookie_find(&out, 1, &cookie.name, &found, 1, &n);

    /* a cookie may be called like an attribute of cookies */

    must(rc == RMS_TOO_LARGE || rc == RMS_OK);
    must(rc == RMS_TOO_LARGE || rms_str_eq(&found, &cookie.value));
}


static void *
heap(void *data, size_t size)
{
    (void) data;

    return malloc(size);
}


/* SIDs of a record: in their order, each found, and packed to the same. */

static void
sids(const rms_str_t *in)
{
    size_t           i;
    rms_rc_e         rc;
    rms_sid_t        sid, last;
    rms_str_t        out;
    rms_sid_set_t    set;
    unsigned char   *buf;

    static const rms_mem_t  mem = { heap, NULL };

    rc = rms_sid_unpack(in, &mem, &set);
    must(rc == RMS_OK || rc == RMS_INVALID);
    must(rc == RMS_OK || (set.n_domains == 0 && set.n_members == 0));

    buf = malloc(in->len ? in->len : 1);

    if (rc == RMS_OK && buf != NULL) {

        for (i = 0; i < set.n_members; i++) {
            rms_sid_set_get(&set, i, &sid);
            must(sid.n >= 1 && sid.n <= RMS_SID_SUBS_MAX);
            must(rms_sid_set_has(&set, &sid));
            must(i == 0 || memcmp(&last, &sid, sizeof(sid)) != 0);
            last = sid;
        }

        out.data = buf;
        out.len = in->len - 1;
        must(rms_sid_pack(&set, &out) == RMS_TOO_LARGE);
        out.len = in->len;
        must(rms_sid_pack(&set, &out) == RMS_OK);
        must(rms_str_eq(&out, in));

        if (set.n_members != 0) {
            rms_sid_set_close(&set);
        }

        out.len = in->len;
        must(rms_sid_pack(&set, &out) == RMS_OK);
        must(rms_str_eq(&out, in));
    }

    free(buf);
    free(set.domains);
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

    switch (data[0] % 5) {

    case 0:
        record(&in);
        break;

    case 1:
        session_of(&in);
        break;

    case 2:
        cookies(&in);
        break;

    case 3:
        written(&in);
        break;

    default:
        sids(&in);
    }

    free(in.data);

    return 0;
}
