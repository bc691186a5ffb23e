/*
 * Cookies: finding one, writing one (RFC 6265).  Pure functions, any thread.
 */

#include <stdio.h>

#include "rms_cookie.h"


static size_t rms_cookie_pair(const rms_str_t *header, size_t pos,
    rms_str_t *name, rms_str_t *value);
static void rms_cookie_trim(rms_str_t *s);
static int rms_cookie_octets(const rms_str_t *value);
static int rms_cookie_token(const rms_str_t *name);
static int rms_cookie_begins(const rms_str_t *name, const char *prefix,
    size_t len);


rms_rc_e
rms_cookie_find(const rms_str_t *headers, size_t n_headers,
    const rms_str_t *name, rms_str_t *values, size_t max, size_t *n)
{
    size_t     i, pos, sum, called;
    rms_str_t  key, value;

    *n = 0;
    sum = 0;
    called = 0;

    for (i = 0; i < n_headers; i++) {
        sum += headers[i].len;

        if (headers[i].len > RMS_COOKIE_SCAN_MAX
            || sum > RMS_COOKIE_SCAN_MAX)
        {
            return RMS_TOO_LARGE;
        }

        for (pos = 0; pos < headers[i].len; ) {
            pos = rms_cookie_pair(&headers[i], pos, &key, &value);

            if (value.data == NULL || !rms_str_eq(&key, name)) {
                continue;
            }

            if (++called > max) {
                *n = 0;
                return RMS_TOO_LARGE;
            }

            if (rms_cookie_octets(&value)) {
                values[(*n)++] = value;
            }
        }
    }

    return (*n != 0) ? RMS_OK : RMS_DECLINED;
}


size_t
rms_cookie_without(const rms_str_t *header, const rms_str_t *name,
    rms_str_t *dst)
{
    size_t     pos, next, end, gone, kept;
    rms_str_t  key, value;

    gone = 0;
    kept = 0;
    dst->len = 0;

    for (pos = 0; pos < header->len; pos = next) {
        next = rms_cookie_pair(header, pos, &key, &value);

        if (value.data != NULL && rms_str_eq(&key, name)) {
            gone++;
            continue;
        }

        end = next - 1;

        if (kept++ != 0) {
            dst->data[dst->len++] = ';';

        } else {
            while (pos < end && header->data[pos] == ' ') {
                pos++;
            }
        }

        memcpy(dst->data + dst->len, header->data + pos, end - pos);
        dst->len += end - pos;
    }

    return gone;
}


/*
 * The pair at pos, and where the next one starts.  There is no quoting here:
 * a semicolon always ends a pair (RFC 6265 5.2).  value.data is NULL without
 * a '='.
 */

static size_t
rms_cookie_pair(const rms_str_t *header, size_t pos, rms_str_t *name,
    rms_str_t *value)
{
    unsigned char  *p, *end, *eq;

    p = header->data + pos;

    end = memchr(p, ';', header->len - pos);
    if (end == NULL) {
        end = header->data + header->len;
    }

    eq = memchr(p, '=', (size_t) (end - p));

    name->data = p;
    name->len = (size_t) ((eq ? eq : end) - p);
    rms_cookie_trim(name);

    value->data = eq ? eq + 1 : NULL;
    value->len = eq ? (size_t) (end - value->data) : 0;
    rms_cookie_trim(value);

    return (size_t) (end - header->data) + 1;
}


static void
rms_cookie_trim(rms_str_t *s)
{
    while (s->len != 0 && (s->data[0] == ' ' || s->data[0] == '\t')) {
        s->data++;
        s->len--;
    }

    while (s->len != 0
           && (s->data[s->len - 1] == ' ' || s->data[s->len - 1] == '\t'))
    {
        s->len--;
    }
}


static int
rms_cookie_octets(const rms_str_t *value)
{
    size_t         i;
    unsigned char  c;

    for (i = 0; i < value->len; i++) {
        c = value->data[i];

        if (c <= ' ' || c >= 0x7f || c == '"' || c == ',' || c == ';'
            || c == '\\')
        {
            return 0;
        }
    }

    return 1;
}


rms_rc_e
rms_cookie_check(const rms_str_t *name, int secure)
{
    if (name->len == 0 || name->len > RMS_COOKIE_NAME_MAX
        || !rms_cookie_token(name))
    {
        return RMS_INVALID;
    }

    /* browsers look at the prefix without case: so must we */

    if (!secure
        && (rms_cookie_begins(name, "__Host-", sizeof("__Host-") - 1)
            || rms_cookie_begins(name, "__Secure-",
                                 sizeof("__Secure-") - 1)))
    {
        return RMS_UNSUPPORTED;
    }

    return RMS_OK;
}


static int
rms_cookie_token(const rms_str_t *name)
{
    size_t         i;
    unsigned char  c;

    for (i = 0; i < name->len; i++) {
        c = rms_lower(name->data[i]);

        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
            continue;
        }

        if (c == '\0' || strchr("!#$%&'*+-.^_`|~", c) == NULL) {
            return 0;
        }
    }

    return 1;
}


static int
rms_cookie_begins(const rms_str_t *name, const char *prefix, size_t len)
{
    return name->len >= len
           && rms_strn_case_eq(name->data, (const unsigned char *) prefix,
                               len);
}


rms_rc_e
rms_cookie_format(const rms_cookie_t *cookie, rms_str_t *dst)
{
    int       n, age;
    char      buf[RMS_COOKIE_TEXT_MAX], max_age[sizeof("; Max-Age=") + 10];
    rms_rc_e  rc;

    rc = rms_cookie_check(&cookie->name, cookie->secure);
    if (rc != RMS_OK) {
        return rc;
    }

    if (cookie->value.len > RMS_COOKIE_VALUE_MAX
        || !rms_cookie_octets(&cookie->value))
    {
        return RMS_INVALID;
    }

    age = snprintf(max_age, sizeof(max_age), "; Max-Age=%lu",
                   (unsigned long) cookie->max_age);

    n = snprintf(buf, sizeof(buf),
                 "%.*s=%.*s; Path=/; HttpOnly; SameSite=%s%s%.*s",
                 (int) cookie->name.len, (char *) cookie->name.data,
                 (int) cookie->value.len, (char *) cookie->value.data,
                 cookie->site == RMS_COOKIE_STRICT ? "Strict" : "Lax",
                 cookie->secure ? "; Secure" : "",
                 cookie->has_max_age ? age : 0, max_age);

    if (n < 0 || (size_t) n >= sizeof(buf) || (size_t) n > dst->len) {
        return RMS_TOO_LARGE;
    }

    memcpy(dst->data, buf, (size_t) n);
    dst->len = (size_t) n;

    return RMS_OK;
}
