/*
 * rms_url: parsing, comparison with bases, the longest match.
 */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "rms_url.h"


static rms_str_t
str(const char *s)
{
    rms_str_t  v;

    v.len = strlen(s);
    v.data = (unsigned char *) s;

    return v;
}


static void
assert_str(const rms_str_t *s, const char *want)
{
    assert_int_equal(s->len, strlen(want));
    assert_memory_equal(s->data, want, s->len);
}


static void
absolute_urls_are_split(void **state)
{
    size_t     i;
    rms_str_t  text;
    rms_url_t  url;

    static const struct {
        const char  *text, *scheme, *host;
        unsigned     port, has_port;
        const char  *path;
        size_t       tail;
    } t[] = {
        { "http://h", "http", "h", 80, 0, "", 8 },
        { "https://h", "https", "h", 443, 0, "", 9 },
        { "HTTP://Rms_1.Corp-a.example/_wmcs", "HTTP",
          "Rms_1.Corp-a.example", 80, 0, "/_wmcs", 27 },
        { "https://h:8443/a/b?c=/d#e", "https", "h", 8443, 1, "/a/b", 14 },
        { "http://h?x", "http", "h", 80, 0, "", 8 },
        { "http://h#x/y", "http", "h", 80, 0, "", 8 },
        { "http://h:/x", "http", "h", 80, 0, "/x", 9 },
        { "http://h:00080/x", "http", "h", 80, 1, "/x", 14 },
        { "http://h:65535", "http", "h", 65535, 1, "", 14 },
        { "https://[2001:DB8::1]:444/x", "https", "[2001:DB8::1]", 444, 1,
          "/x", 25 },
        { "https://[::1]", "https", "[::1]", 443, 0, "", 13 }
    };

    (void) state;

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        text = str(t[i].text);

        assert_int_equal(rms_url_parse(&text, &url), RMS_OK);
        assert_str(&url.scheme, t[i].scheme);
        assert_str(&url.host, t[i].host);
        assert_int_equal(url.port, t[i].port);
        assert_int_equal(url.has_port, t[i].has_port);
        assert_str(&url.path, t[i].path);
        assert_int_equal(url.tail, t[i].tail);
    }
}


static void
what_is_no_plain_web_url_is_refused(void **state)
{
    size_t     i;
    rms_str_t  text;
    rms_url_t  url;

    static const char *t[] = {
        "", "h", "/x", "//h/x", "http", "http:", "http:/", "http://",
        "https://", "http:///x", "http://:80/", "http://?x", "ftp://h/",
        "mailto:a@h", "javascript:x", "httpx://h", "http://u@h/",
        "https://h@evil/_wmcs", "http://u:p@h/", "http://h:0/",
        "http://h:65536/", "http://h:123456/", "http://h:8o/", "http://h:-1/",
        "http://h:80:80/", "http://h\\@evil/", "http://h%2eevil/",
        "http://[::1/", "http://[]/", "http://[g::1]/", "http://[::1]x/",
        "http://[::1%25eth0]/", "http://::1/", "http://h /", " http://h",
        "http://h/ ", "http://h/a b", "http://h/\n", "http://h/\x7f",
        "http://h/\x01", "http://h\xc3\xa4/"
    };

    (void) state;

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        text = str(t[i]);

        if (rms_url_parse(&text, &url) != RMS_INVALID) {
            fail_msg("accepted: %s", t[i]);
        }
    }
}


static void
length_is_bounded(void **state)
{
    rms_str_t      text;
    rms_url_t      url;
    unsigned char  buf[RMS_URL_LEN_MAX + 1];

    (void) state;

    memset(buf, 'a', sizeof(buf));
    memcpy(buf, "http://h/", 9);

    text.data = buf;
    text.len = RMS_URL_LEN_MAX;
    assert_int_equal(rms_url_parse(&text, &url), RMS_OK);

    text.len++;
    assert_int_equal(rms_url_parse(&text, &url), RMS_INVALID);
}


/* Prefix, case, port and delimiter rules: T17, T18. */

static void
bases_match_at_delimiters_only(void **state)
{
    size_t     i, n;
    rms_str_t  url, base;

    static const struct {
        const char  *url, *base;
        size_t       covered;
    } t[] = {
        { "https://h/_wmcs", "https://h/_wmcs", 15 },
        { "https://h/_wmcs/licensing", "https://h/_wmcs", 15 },
        { "HTTPS://H:443/_WMCS/licensing", "https://h/_wmcs", 19 },
        { "https://h/_wmcs?x", "https://h/_wmcs", 15 },
        { "https://h/_wmcs#x", "https://h/_wmcs", 15 },
        { "https://h/_wmcs/", "https://h/_wmcs", 15 },
        { "https://h/_wmcs/x", "https://h/_wmcs/", 15 },
        { "https://h/_wmcs", "https://h/_wmcs/", 15 },
        { "https://h/_wmcs", "https://h:443/_wmcs", 15 },
        { "https://h:/_wmcs", "https://h/_wmcs", 16 },
        { "http://h:80/_wmcs/licensing", "http://h/_wmcs", 17 },
        { "https://[::1]/_wmcs/a", "https://[::1]:443/_wmcs", 19 },
        { "https://h", "https://h", 9 },
        { "https://h/", "https://h", 9 },
        { "https://h?x", "https://h", 9 },
        { "https://h#x", "https://h/", 9 },
        { "https://h/a", "https://h/", 9 },
        { "https://h:443", "https://h", 13 },

        { "https://h/_wmcsx", "https://h/_wmcs", 0 },
        { "https://h/_wmc", "https://h/_wmcs", 0 },
        { "https://h/", "https://h/_wmcs", 0 },
        { "https://h/x/_wmcs", "https://h/_wmcs", 0 },
        { "https://h/_wmcs\\x", "https://h/_wmcs", 0 },
        { "https://h/_wmcs%2fx", "https://h/_wmcs", 0 },
        { "https://h/%5fwmcs", "https://h/_wmcs", 0 },
        { "https://h.evil/_wmcs", "https://h/_wmcs", 0 },
        { "https://hx/_wmcs", "https://h/_wmcs", 0 },
        { "https://xh/_wmcs", "https://h/_wmcs", 0 },
        { "https://h@evil/_wmcs", "https://h/_wmcs", 0 },
        { "https://evil@h/_wmcs", "https://h/_wmcs", 0 },
        { "http://h/_wmcs", "https://h/_wmcs", 0 },
        { "https://h/_wmcs", "http://h/_wmcs", 0 },
        { "http://h:443/_wmcs", "https://h/_wmcs", 0 },
        { "https://h:8443/_wmcs", "https://h/_wmcs", 0 },
        { "https://h/_wmcs", "https://h:8443/_wmcs", 0 },
        { "https://h/_wmcs", "https://h/_wmcs?x", 0 },
        { "https://h/_wmcs", "https://h/_wmcs#", 0 },
        { "https://h/_wmcs", "h/_wmcs", 0 },
        { "/_wmcs", "https://h/_wmcs", 0 },
        { "", "https://h/_wmcs", 0 }
    };

    (void) state;

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        url = str(t[i].url);
        base = str(t[i].base);
        n = rms_url_under(&url, &base);

        if (n != t[i].covered) {
            fail_msg("%s under %s: %zu, not %zu", t[i].url, t[i].base, n,
                     t[i].covered);
        }
    }
}


static void
longest_base_wins(void **state)
{
    rms_str_t      url, bases[3];
    rms_url_map_t  map;

    (void) state;

    bases[0] = str("https://h/_wmcs");
    bases[1] = str("https://h/_wmcs/oauth2");
    bases[2] = str("https://h");

    map.bases = bases;
    map.n_bases = 3;
    map.target = str("https://edge/_wmcs");

    url = str("https://h/_wmcs/oauth2/licensing");
    assert_int_equal(rms_url_map(&url, &map), 22);

    url = str("https://h/_wmcs/oauth2x");
    assert_int_equal(rms_url_map(&url, &map), 15);

    url = str("https://h/_wmcsx");
    assert_int_equal(rms_url_map(&url, &map), 9);

    url = str("https://other/_wmcs");
    assert_int_equal(rms_url_map(&url, &map), 0);

    map.n_bases = 0;
    url = str("https://h/_wmcs");
    assert_int_equal(rms_url_map(&url, &map), 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(absolute_urls_are_split),
        cmocka_unit_test(what_is_no_plain_web_url_is_refused),
        cmocka_unit_test(length_is_bounded),
        cmocka_unit_test(bases_match_at_delimiters_only),
        cmocka_unit_test(longest_base_wins)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
