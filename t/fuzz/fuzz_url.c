/*
 * Two lines: a URL and a base.  What is under a base stays under it when the
 * base's own text is put in place of the covered bytes; of several bases the
 * longest match counts, in whatever order they stand.
 */

#include <stdlib.h>

#include "rms_url.h"


#define must(x)   do { if (!(x)) { abort(); } } while (0)


static void
check_parts(const rms_str_t *text)
{
    rms_url_t  url;

    if (rms_url_parse(text, &url) != RMS_OK) {
        return;
    }

    must(text->len <= RMS_URL_LEN_MAX);
    must(url.port >= 1 && url.port <= 65535);
    must(url.host.len >= 1);
    must(url.host.data == text->data + url.scheme.len + 3);
    must(memchr(url.host.data, '@', url.host.len) == NULL);
    must(url.host.data + url.host.len <= text->data + url.tail);
    must(url.path.data == text->data + url.tail);
    must(url.tail + url.path.len <= text->len);
    must(url.path.len == 0 || url.path.data[0] == '/');
    must((rms_url_under(text, text) != 0)
         == (url.tail + url.path.len == text->len));
}


static void
check_under(const rms_str_t *url, const rms_str_t *base)
{
    size_t         n;
    rms_str_t      joined;
    rms_url_t      u, b;
    unsigned char  buf[3 * RMS_URL_LEN_MAX];

    n = rms_url_under(url, base);

    if (n == 0) {
        return;
    }

    must(n <= url->len);
    must(rms_url_parse(url, &u) == RMS_OK);
    must(rms_url_parse(base, &b) == RMS_OK);
    must(u.port == b.port);
    must(rms_str_case_eq(&u.host, &b.host));
    must(rms_str_case_eq(&u.scheme, &b.scheme));
    must(n == url->len || strchr("/?#", url->data[n]) != NULL);

    joined.data = buf;
    joined.len = base->len;

    while (joined.len > b.tail && base->data[joined.len - 1] == '/') {
        joined.len--;
    }

    memcpy(buf, base->data, joined.len);
    memcpy(buf + joined.len, url->data + n, url->len - n);

    n = joined.len;
    joined.len += url->len - rms_url_under(url, base);

    if (joined.len <= RMS_URL_LEN_MAX) {
        must(rms_url_under(&joined, base) == n);
    }
}


static void
check_map(const rms_str_t *url, const rms_str_t *base)
{
    static rms_str_t  fixed = rms_string("https://h/_wmcs");

    size_t            n, own, other;
    rms_str_t         bases[2], swapped[2];
    rms_url_map_t     map;

    bases[0] = swapped[1] = *base;
    bases[1] = swapped[0] = fixed;

    map.bases = bases;
    map.n_bases = 2;
    map.target = bases[1];

    own = rms_url_under(url, base);
    other = rms_url_under(url, &bases[1]);
    n = rms_url_map(url, &map);

    must(n == (own > other ? own : other));

    map.bases = swapped;
    must(rms_url_map(url, &map) == n);

    map.n_bases = 0;
    must(rms_url_map(url, &map) == 0);
}


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rms_str_t       url, base;
    const uint8_t  *nl;

    if (size == 0) {
        return 0;
    }

    nl = memchr(data, '\n', size);

    if (nl == NULL) {
        nl = data + size;
    }

    url.data = (unsigned char *) data;
    url.len = (size_t) (nl - data);

    base.data = (unsigned char *) (nl == data + size ? data : nl + 1);
    base.len = (size_t) (data + size - base.data);

    check_parts(&url);
    check_parts(&base);
    check_under(&url, &base);
    check_under(&base, &url);
    check_map(&url, &base);

    return 0;
}
