/*
 * Request targets.  The first byte says whether the target is raw.  Whatever
 * is found must be found under its canonical path, in other case and with any
 * byte escaped (a replay escapes each, libFuzzer gets one, chosen by a sum of
 * the target); what a plain decode makes of a raw target must find the same.
 */

#include <stdlib.h>

#include "rms_endpoint.h"


#define TARGET_MAX  2048


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);


static int  every = 1;      /* escape each byte in turn */


static void
expect(int truth)
{
    if (!truth) {
        abort();
    }
}


static rms_path_t
find(const unsigned char *data, size_t len, int raw)
{
    rms_str_t  s;

    s.data = (unsigned char *) data;
    s.len = len;

    return rms_endpoint_find(&s, raw);
}


static void
same(const rms_path_t *a, const unsigned char *data, size_t len, int raw)
{
    rms_path_t  b;

    if (len > RMS_PATH_LEN_MAX) {
        return;
    }

    b = find(data, len, raw);
    expect(a->kind == b.kind && a->endpoint == b.endpoint);
}


static int
hex(unsigned char c)
{
    c = rms_lower(c);

    return c <= '9' ? c - '0' : c - 'a' + 10;
}


static void
canonical(const rms_path_t *path)
{
    size_t         len;
    unsigned char  buf[TARGET_MAX];

    expect(path->endpoint == rms_endpoint_get(path->endpoint->id));

    len = path->endpoint->path.len;
    memcpy(buf, "/_wmcs", 6);
    memcpy(buf + 6, path->endpoint->path.data, len);

    same(path, buf, len + 6, 0);
    same(path, buf, len + 6, 1);
}


static void
escaped(const rms_path_t *path, const unsigned char *p, size_t len, size_t i)
{
    static const unsigned char  digits[] = "0123456789abcdefABCDEF";

    unsigned char  buf[TARGET_MAX + 2];

    memcpy(buf, p, i);
    buf[i] = '%';
    buf[i + 1] = digits[p[i] >> 4];
    buf[i + 2] = digits[(p[i] & 15) > 9 ? (p[i] & 15) + 6 : p[i] & 15];
    memcpy(buf + i + 3, p + i + 1, len - i - 1);

    same(path, buf, len + 2, 1);
}


static void
escapes(const rms_path_t *path, const unsigned char *p, size_t len)
{
    size_t    i, n;
    unsigned  sum;

    for (sum = 0, n = 0, i = 0; i < len; n++, i += p[i] == '%' ? 3 : 1) {
        sum = sum * 31 + p[i];
    }

    sum ^= sum >> 16;

    for (i = 0; n; n--, i += p[i] == '%' ? 3 : 1) {
        if (p[i] != '%' && (every || sum % n == 0)) {
            escaped(path, p, len, i);

            if (!every) {
                return;
            }
        }
    }
}


/* The path in other case, escaped, and decoded. */

static void
variations(const rms_path_t *path, const unsigned char *p, size_t len,
    int raw)
{
    size_t         i, n;
    unsigned char  buf[TARGET_MAX];

    for (i = 0; i < len; i++) {
        buf[i] = p[i];

        if (rms_lower(p[i]) >= 'a' && rms_lower(p[i]) <= 'z') {
            buf[i] ^= 0x20;
        }
    }

    same(path, buf, len, raw);

    if (!raw) {
        return;
    }

    escapes(path, p, len);

    for (i = 0, n = 0; i < len; n++) {
        if (p[i] == '%') {
            buf[n] = (unsigned char) (hex(p[i + 1]) << 4 | hex(p[i + 2]));
            i += 3;

        } else {
            buf[n] = p[i++];
        }

        if (buf[n] == '?') {            /* would be a separator there */
            return;
        }
    }

    same(path, buf, n, 0);
}


int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void) argc;
    (void) argv;

    every = 0;

    return 0;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int         raw;
    size_t      len;
    rms_path_t  path;

    if (size < 1 || size > TARGET_MAX) {
        return 0;
    }

    raw = *data++ & 1;
    size--;

    path = find(data, size, raw);
    expect((path.endpoint != NULL) == (path.kind == RMS_PATH_ENDPOINT));

    len = size;

    if (path.has_query) {
        len = size - path.query.len - 1;
        expect(data[len] == '?' && memchr(data, '?', len) == NULL);
        expect(path.query.data == data + len + 1);

    } else {
        expect(size == 0 || memchr(data, '?', size) == NULL);
    }

    if (path.kind == RMS_PATH_BAD) {
        return 0;
    }

    expect(len <= RMS_PATH_LEN_MAX);

    if (path.kind == RMS_PATH_ENDPOINT) {
        canonical(&path);
    }

    variations(&path, data, len, raw);

    return 0;
}
