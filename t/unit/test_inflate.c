/*
 * rms_inflate: codings, the cap, damaged streams.
 */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <zlib.h>

#include "rms_inflate.h"
#include "test_mem.h"


#define TEXT_LEN  40000


typedef struct {
    rms_coding_e  coding;
    int           bits;
} form_t;


static const form_t  forms[] = {
    { RMS_CODING_GZIP,    MAX_WBITS + 16 },
    { RMS_CODING_DEFLATE, MAX_WBITS },
    { RMS_CODING_DEFLATE, -MAX_WBITS }
};

static unsigned char  text[TEXT_LEN];
static unsigned char  packed[2 * TEXT_LEN];


/* Not too easy to compress, so that a stream has a middle to damage. */

static void
fill_text(void)
{
    size_t    i;
    unsigned  x;

    for (i = 0, x = 1; i < TEXT_LEN; i++) {
        x = x * 1103515245u + 12345u;
        text[i] = (unsigned char) ("<URL>https/_wmcs"[(x >> 16) & 15]);
    }
}


static rms_str_t
pack(int bits, size_t len)
{
    z_stream   zs;
    rms_str_t  out;

    memset(&zs, 0, sizeof(z_stream));
    assert_int_equal(deflateInit2(&zs, 9, Z_DEFLATED, bits, 8,
                                  Z_DEFAULT_STRATEGY), Z_OK);

    zs.next_in = text;
    zs.avail_in = (uInt) len;
    zs.next_out = packed;
    zs.avail_out = sizeof(packed);

    assert_int_equal(deflate(&zs, Z_FINISH), Z_STREAM_END);

    out.data = packed;
    out.len = zs.total_out;

    deflateEnd(&zs);

    return out;
}


static void
content_codings_are_recognised(void **state)
{
    size_t  i;

    static const struct {
        rms_str_t     value;
        rms_coding_e  coding;
    } t[] = {
        { rms_string(""), RMS_CODING_IDENTITY },
        { rms_string("  "), RMS_CODING_IDENTITY },
        { rms_string("identity"), RMS_CODING_IDENTITY },
        { rms_string("gzip"), RMS_CODING_GZIP },
        { rms_string(" GZip\t"), RMS_CODING_GZIP },
        { rms_string("x-gzip"), RMS_CODING_GZIP },
        { rms_string("deflate"), RMS_CODING_DEFLATE },
        { rms_string("br"), RMS_CODING_UNKNOWN },
        { rms_string("gzip, gzip"), RMS_CODING_UNKNOWN },
        { rms_string("gzip,identity"), RMS_CODING_UNKNOWN },
        { rms_string("gzipx"), RMS_CODING_UNKNOWN },
        { rms_string("gzi"), RMS_CODING_UNKNOWN }
    };

    (void) state;

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        assert_int_equal(rms_coding_parse(&t[i].value), t[i].coding);
    }
}


static void
every_form_is_decoded_at_every_size(void **state)
{
    size_t      i, len;
    rms_str_t   in, out;
    test_mem_t  mem;

    (void) state;

    for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        for (len = 0; len <= TEXT_LEN; len += len < 8190 ? 273 : 1) {
            if (len > 8200) {
                len = TEXT_LEN;
            }

            in = pack(forms[i].bits, len);

            assert_int_equal(rms_inflate(&in, forms[i].coding, TEXT_LEN,
                                         test_mem_init(&mem, 0), &out),
                             RMS_OK);
            assert_int_equal(out.len, len);
            assert_memory_equal(out.data, text, len);

            test_mem_free(&mem);
        }
    }
}


static void
identity_is_the_input_itself(void **state)
{
    rms_str_t   in, out;
    test_mem_t  mem;

    (void) state;

    in.data = text;
    in.len = 10;

    assert_int_equal(rms_inflate(&in, RMS_CODING_IDENTITY, 10,
                                 test_mem_init(&mem, 0), &out), RMS_OK);
    assert_ptr_equal(out.data, text);
    assert_int_equal(out.len, 10);

    assert_int_equal(rms_inflate(&in, RMS_CODING_IDENTITY, 9, &mem.mem, &out),
                     RMS_TOO_LARGE);
    assert_int_equal(rms_inflate(&in, RMS_CODING_UNKNOWN, 10, &mem.mem, &out),
                     RMS_UNSUPPORTED);
    assert_int_equal(mem.calls, 0);
}


static void
the_cap_is_exact(void **state)
{
    size_t      i, len;
    rms_str_t   in, out;
    test_mem_t  mem;

    static const size_t  sizes[] = { 1, 8191, 8192, 8193, 16384, TEXT_LEN };

    (void) state;

    for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        len = sizes[i];
        in = pack(MAX_WBITS + 16, len);

        assert_int_equal(rms_inflate(&in, RMS_CODING_GZIP, len,
                                     test_mem_init(&mem, 0), &out), RMS_OK);
        test_mem_free(&mem);

        assert_int_equal(rms_inflate(&in, RMS_CODING_GZIP, len - 1,
                                     test_mem_init(&mem, 0), &out),
                         RMS_TOO_LARGE);
        assert_int_equal(mem.calls, 0);
    }
}


/* A bomb: 40 kB of zeros from few bytes, refused before it is stored. */

static void
a_bomb_is_refused_without_memory(void **state)
{
    rms_str_t   in, out;
    test_mem_t  mem;

    (void) state;

    memset(text, 0, sizeof(text));
    in = pack(MAX_WBITS + 16, TEXT_LEN);
    fill_text();

    assert_true(in.len < 200);
    assert_int_equal(rms_inflate(&in, RMS_CODING_GZIP, 1000,
                                 test_mem_init(&mem, 0), &out), RMS_TOO_LARGE);
    assert_int_equal(mem.calls, 0);
}


static void
truncated_streams_are_refused(void **state)
{
    size_t      i, len, full;
    rms_str_t   in, out;
    test_mem_t  mem;

    (void) state;

    for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        in = pack(forms[i].bits, 500);
        full = in.len;

        for (len = 0; len < full; len++) {
            in.len = len;
            assert_int_equal(rms_inflate(&in, forms[i].coding, TEXT_LEN,
                                         test_mem_init(&mem, 0), &out),
                             RMS_INVALID);
            test_mem_free(&mem);
        }
    }
}


static void
bytes_after_the_end_are_refused(void **state)
{
    size_t      i;
    rms_str_t   in, out;
    test_mem_t  mem;

    (void) state;

    for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        in = pack(forms[i].bits, 500);
        in.data[in.len++] = 0;

        assert_int_equal(rms_inflate(&in, forms[i].coding, TEXT_LEN,
                                     test_mem_init(&mem, 0), &out),
                         RMS_INVALID);
        test_mem_free(&mem);
    }
}


/* gzip and zlib carry a checksum: no damaged text may come out. */

static void
damaged_streams_never_give_other_text(void **state)
{
    size_t      i, k;
    rms_rc_e    rc;
    rms_str_t   in, out;
    test_mem_t  mem;

    (void) state;

    for (i = 0; i < 2; i++) {
        in = pack(forms[i].bits, 500);

        for (k = 0; k < in.len * 8; k++) {
            in.data[k / 8] ^= (unsigned char) (1u << (k % 8));

            rc = rms_inflate(&in, forms[i].coding, TEXT_LEN,
                             test_mem_init(&mem, 0), &out);

            if (rc == RMS_OK) {
                assert_int_equal(out.len, 500);
                assert_memory_equal(out.data, text, 500);
            }

            test_mem_free(&mem);
            in.data[k / 8] ^= (unsigned char) (1u << (k % 8));
        }
    }
}


static void
no_memory_is_reported(void **state)
{
    rms_str_t   in, out;
    test_mem_t  mem;

    (void) state;

    in = pack(MAX_WBITS + 16, 500);

    assert_int_equal(rms_inflate(&in, RMS_CODING_GZIP, TEXT_LEN,
                                 test_mem_init(&mem, 1), &out), RMS_NOMEM);
    assert_int_equal(out.len, 0);
    test_mem_free(&mem);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(content_codings_are_recognised),
        cmocka_unit_test(every_form_is_decoded_at_every_size),
        cmocka_unit_test(identity_is_the_input_itself),
        cmocka_unit_test(the_cap_is_exact),
        cmocka_unit_test(a_bomb_is_refused_without_memory),
        cmocka_unit_test(truncated_streams_are_refused),
        cmocka_unit_test(bytes_after_the_end_are_refused),
        cmocka_unit_test(damaged_streams_never_give_other_text),
        cmocka_unit_test(no_memory_is_reported)
    };

    fill_text();

    return cmocka_run_group_tests(tests, NULL, NULL);
}
