/*
 * URL parsing and mapping.  Pure functions: nothing is allocated, results
 * point into the arguments, any thread.
 */

#include <arpa/inet.h>

#include "rms_url.h"


static rms_rc_e rms_url_scheme(const rms_str_t *text, rms_url_t *out,
    size_t *pos);
static rms_rc_e rms_url_authority(const rms_str_t *authority, rms_url_t *out);
static rms_rc_e rms_url_host(const rms_str_t *host);
static rms_rc_e rms_url_ipv6(const rms_str_t *host);
static rms_rc_e rms_url_port(const rms_str_t *digits, rms_url_t *out);
static int rms_url_ends_part(unsigned char c, int path);
static size_t rms_url_covered(const rms_url_t *u, const rms_str_t *base);


rms_rc_e
rms_url_parse(const rms_str_t *text, rms_url_t *out)
{
    size_t     i, pos;
    rms_str_t  authority;

    memset(out, 0, sizeof(rms_url_t));

    if (text->len == 0 || text->len > RMS_URL_LEN_MAX) {
        return RMS_INVALID;
    }

    for (i = 0; i < text->len; i++) {
        if (text->data[i] <= ' ' || text->data[i] == 0x7f) {
            return RMS_INVALID;
        }
    }

    if (rms_url_scheme(text, out, &pos) != RMS_OK) {
        return RMS_INVALID;
    }

    for (i = pos; i < text->len; i++) {
        if (rms_url_ends_part(text->data[i], 0)) {
            break;
        }
    }

    authority.data = text->data + pos;
    authority.len = i - pos;

    if (rms_url_authority(&authority, out) != RMS_OK) {
        return RMS_INVALID;
    }

    out->tail = i;
    out->path.data = text->data + i;

    while (i < text->len && !rms_url_ends_part(text->data[i], 1)) {
        i++;
    }

    out->path.len = i - out->tail;

    return RMS_OK;
}


static rms_rc_e
rms_url_scheme(const rms_str_t *text, rms_url_t *out, size_t *pos)
{
    static unsigned char  http[] = "http://", https[] = "https://";

    if (text->len > 7 && rms_strn_case_eq(text->data, http, 7)) {
        out->scheme.len = 4;
        out->port = 80;

    } else if (text->len > 8 && rms_strn_case_eq(text->data, https, 8)) {
        out->scheme.len = 5;
        out->port = 443;

    } else {
        return RMS_INVALID;
    }

    out->scheme.data = text->data;
    *pos = out->scheme.len + 3;

    return RMS_OK;
}


/*
 * RFC 3986 3.2.  '@' is not a host character, so user information, which
 * would hide the real host from a reader, is refused with everything else.
 */

static rms_rc_e
rms_url_authority(const rms_str_t *authority, rms_url_t *out)
{
    size_t      i;
    rms_rc_e    rc;
    rms_str_t   port;

    out->host = *authority;

    if (authority->len != 0 && authority->data[0] == '[') {
        for (i = 1; i < authority->len && authority->data[i] != ']'; i++) {
            /* void */
        }

        if (i == authority->len) {
            return RMS_INVALID;
        }

        out->host.len = ++i;
        rc = rms_url_ipv6(&out->host);

    } else {
        for (i = 0; i < authority->len && authority->data[i] != ':'; i++) {
            /* void */
        }

        out->host.len = i;
        rc = rms_url_host(&out->host);
    }

    if (rc != RMS_OK || i == authority->len) {
        return rc;
    }

    if (authority->data[i++] != ':') {
        return RMS_INVALID;
    }

    port.data = authority->data + i;
    port.len = authority->len - i;

    return rms_url_port(&port, out);
}


/*
 * Host names as DNS and NetBIOS write them.  Percent escapes (RFC 3986 3.2.2)
 * are refused: two spellings of one host must not compare as different hosts.
 */

static rms_rc_e
rms_url_host(const rms_str_t *host)
{
    size_t         i;
    unsigned char  c;

    for (i = 0; i < host->len; i++) {
        c = rms_lower(host->data[i]);

        if ((c < 'a' || c > 'z') && (c < '0' || c > '9')
            && c != '-' && c != '.' && c != '_')
        {
            return RMS_INVALID;
        }
    }

    return host->len != 0 ? RMS_OK : RMS_INVALID;
}


static rms_rc_e
rms_url_ipv6(const rms_str_t *host)
{
    char             text[INET6_ADDRSTRLEN];
    struct in6_addr  addr;

    if (host->len - 2 >= sizeof(text)) {
        return RMS_INVALID;
    }

    memcpy(text, host->data + 1, host->len - 2);
    text[host->len - 2] = '\0';

    return inet_pton(AF_INET6, text, &addr) == 1 ? RMS_OK : RMS_INVALID;
}


/* An empty port is the scheme's default (RFC 3986 3.2.3). */

static rms_rc_e
rms_url_port(const rms_str_t *digits, rms_url_t *out)
{
    size_t    i;
    unsigned  port;

    if (digits->len == 0) {
        return RMS_OK;
    }

    if (digits->len > 5) {
        return RMS_INVALID;
    }

    for (i = 0, port = 0; i < digits->len; i++) {
        if (digits->data[i] < '0' || digits->data[i] > '9') {
            return RMS_INVALID;
        }

        port = port * 10 + (unsigned) (digits->data[i] - '0');
    }

    if (port == 0 || port > 65535) {
        return RMS_INVALID;
    }

    out->port = port;
    out->has_port = 1;

    return RMS_OK;
}


static int
rms_url_ends_part(unsigned char c, int path)
{
    return (c == '/' && !path) || c == '?' || c == '#';
}


size_t
rms_url_under(const rms_str_t *url, const rms_str_t *base)
{
    rms_url_t  u;

    return rms_url_parse(url, &u) == RMS_OK ? rms_url_covered(&u, base) : 0;
}


static size_t
rms_url_covered(const rms_url_t *u, const rms_str_t *base)
{
    size_t     len;
    rms_url_t  b;

    /* most bases name another host, and need not be parsed to see that */

    len = u->scheme.len + 3 + u->host.len;

    if (base->len < len
        || !rms_strn_case_eq(u->scheme.data, base->data, len)
        || rms_url_parse(base, &b) != RMS_OK)
    {
        return 0;
    }

    if (b.tail + b.path.len != base->len) {
        return 0;
    }

    if (!rms_str_case_eq(&u->scheme, &b.scheme)
        || !rms_str_case_eq(&u->host, &b.host)
        || u->port != b.port)
    {
        return 0;
    }

    for (len = b.path.len; len != 0 && b.path.data[len - 1] == '/'; len--) {
        /* void */
    }

    if (u->path.len < len || !rms_strn_case_eq(u->path.data, b.path.data, len))
    {
        return 0;
    }

    if (u->path.len > len && u->path.data[len] != '/') {
        return 0;
    }

    return u->tail + len;
}


size_t
rms_url_map(const rms_str_t *url, const rms_url_map_t *map)
{
    size_t     i, n, longest;
    rms_url_t  u;

    if (rms_url_parse(url, &u) != RMS_OK) {
        return 0;
    }

    for (i = 0, longest = 0; i < map->n_bases; i++) {
        n = rms_url_covered(&u, &map->bases[i]);

        if (n > longest) {
            longest = n;
        }
    }

    return longest;
}
