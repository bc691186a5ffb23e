/*
 * Escaping.  Pure functions: the caller owns every buffer, any thread.
 */

#include "rms_text.h"


static size_t rms_text_log_unit(unsigned char *dst, unsigned char c);
static int rms_text_continues(const unsigned char *p, size_t n);
static size_t rms_text_put(unsigned char *dst, size_t pos, const void *src,
    size_t len);
static size_t rms_text_hex(unsigned char *dst, size_t pos, unsigned char c);
static const rms_str_t *rms_text_entity(unsigned char c);


static const char  rms_text_digits[] = "0123456789abcdef";

/* U+FFFD */

static const char  rms_text_replacement[] = "\xef\xbf\xbd";


size_t
rms_text_log(unsigned char *dst, size_t size, const rms_str_t *src)
{
    size_t         i, n, pos, fits;
    unsigned char  unit[4];

    pos = 0;
    fits = 0;

    for (i = 0; i < src->len; i++) {
        n = rms_text_log_unit(unit, src->data[i]);

        if (pos + n > size) {
            break;
        }

        memcpy(dst + pos, unit, n);
        pos += n;

        if (pos + 3 <= size) {
            fits = pos;
        }
    }

    if (i == src->len) {
        return pos;
    }

    n = size - fits < 3 ? size - fits : 3;

    memcpy(dst + fits, "...", n);

    return fits + n;
}


static size_t
rms_text_log_unit(unsigned char *dst, unsigned char c)
{
    if (c >= ' ' && c <= '~' && c != '"' && c != '\\') {
        dst[0] = c;
        return 1;
    }

    dst[0] = '\\';
    dst[1] = 'x';
    dst[2] = (unsigned char) rms_text_digits[c >> 4];
    dst[3] = (unsigned char) rms_text_digits[c & 0xf];

    return 4;
}


size_t
rms_text_json(unsigned char *dst, const rms_str_t *src)
{
    size_t         i, n, pos;
    unsigned char  c;

    for (i = 0, pos = 0; i < src->len; i += n) {
        c = src->data[i];
        n = rms_text_utf8(&src->data[i], src->len - i);

        if (n == 0) {
            n = 1;
            pos = rms_text_put(dst, pos, rms_text_replacement, 3);

        } else if (c < ' ') {
            pos = rms_text_put(dst, pos, "\\u00", 4);
            pos = rms_text_hex(dst, pos, c);

        } else {
            if (c == '"' || c == '\\') {
                pos = rms_text_put(dst, pos, "\\", 1);
            }

            pos = rms_text_put(dst, pos, &src->data[i], n);
        }
    }

    return pos;
}


/*
 * Characters XML 1.0 does not have at all (2.2 Char) become U+FFFD; blanks
 * but the space are written as references, because a parser would change them
 * (2.11, 3.3.3).
 */

size_t
rms_text_xml(unsigned char *dst, const rms_str_t *src)
{
    size_t            i, n, pos;
    const rms_str_t  *entity;

    for (i = 0, pos = 0; i < src->len; i += n) {
        n = rms_text_utf8(&src->data[i], src->len - i);
        entity = rms_text_entity(src->data[i]);

        if (entity != NULL) {
            pos = rms_text_put(dst, pos, entity->data, entity->len);

        } else if (n == 0 || src->data[i] < ' '
                   || (n == 3
                       && (memcmp(&src->data[i], "\xef\xbf\xbe", 3) == 0
                           || memcmp(&src->data[i], "\xef\xbf\xbf", 3) == 0)))
        {
            n = n ? n : 1;
            pos = rms_text_put(dst, pos, rms_text_replacement, 3);

        } else {
            pos = rms_text_put(dst, pos, &src->data[i], n);
        }
    }

    return pos;
}


static const rms_str_t *
rms_text_entity(unsigned char c)
{
    size_t  i;

    static const struct {
        unsigned char  c;
        rms_str_t      text;
    } entities[] = {
        { '&',  rms_string("&amp;") },
        { '<',  rms_string("&lt;") },
        { '>',  rms_string("&gt;") },
        { '"',  rms_string("&quot;") },
        { '\'', rms_string("&apos;") },
        { '\t', rms_string("&#9;") },
        { '\n', rms_string("&#10;") },
        { '\r', rms_string("&#13;") }
    };

    for (i = 0; i < sizeof(entities) / sizeof(entities[0]); i++) {
        if (entities[i].c == c) {
            return &entities[i].text;
        }
    }

    return NULL;
}


size_t
rms_text_utf8(const unsigned char *p, size_t len)
{
    if (p[0] < 0x80) {
        return 1;
    }

    if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        return len >= 2 && rms_text_continues(p, 2) ? 2 : 0;
    }

    if ((p[0] & 0xf0) == 0xe0) {
        if (len < 3 || !rms_text_continues(p, 3)
            || (p[0] == 0xe0 && p[1] < 0xa0)
            || (p[0] == 0xed && p[1] > 0x9f))
        {
            return 0;
        }

        return 3;
    }

    if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        if (len < 4 || !rms_text_continues(p, 4)
            || (p[0] == 0xf0 && p[1] < 0x90)
            || (p[0] == 0xf4 && p[1] > 0x8f))
        {
            return 0;
        }

        return 4;
    }

    return 0;
}


static int
rms_text_continues(const unsigned char *p, size_t n)
{
    size_t  i;

    for (i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }

    return 1;
}


static size_t
rms_text_put(unsigned char *dst, size_t pos, const void *src, size_t len)
{
    if (dst != NULL) {
        memcpy(dst + pos, src, len);
    }

    return pos + len;
}


static size_t
rms_text_hex(unsigned char *dst, size_t pos, unsigned char c)
{
    pos = rms_text_put(dst, pos, &rms_text_digits[c >> 4], 1);

    return rms_text_put(dst, pos, &rms_text_digits[c & 0xf], 1);
}
