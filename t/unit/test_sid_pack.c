/*
 * Sets of SIDs as bytes.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "rms_sid_pack.h"
#include "test_mem.h"


#define array_n(a)  (sizeof(a) / sizeof((a)[0]))


static unsigned char  buf[30 * 1024];


static rms_str_t
pack(const char *const *texts, size_t n)
{
    size_t          i;
    void           *memory;
    rms_sid_t       sid;
    rms_str_t       text, out;
    rms_sid_set_t   set;

    memory = malloc(rms_sid_set_size(n, n) + 1);
    assert_non_null(memory);
    rms_sid_set_init(&set, memory, n, n);

    for (i = 0; i < n; i++) {
        text.data = (unsigned char *) texts[i];
        text.len = strlen(texts[i]);
        assert_int_equal(rms_sid_parse(&text, &sid), RMS_OK);
        rms_sid_set_add(&set, &sid, rms_sid_split(&sid, &sid));
    }

    rms_sid_set_close(&set);

    out.data = buf;
    out.len = sizeof(buf);
    assert_int_equal(rms_sid_pack(&set, &out), RMS_OK);

    /* not a byte less */

    text = out;
    text.len--;
    assert_int_equal(rms_sid_pack(&set, &text), RMS_TOO_LARGE);

    free(memory);

    return out;
}


static const char *const  sids[] = {
    "S-1-5-21-1-2-3-1104", "S-1-5-21-1-2-3-513", "S-1-18-1", "S-1-5-32-544",
    "S-1-5-21-4294967295-2-3-4294967295", "S-1-0x00ffffffffff-7",
    "S-1-5-1-2-3-4-5-6-7-8-9-10-11-12-13-14-15", "S-1-5-21-1-2-3-1104"
};


static void
set_comes_back_as_it_was(void **state)
{
    size_t          i;
    test_mem_t      m;
    rms_mem_t      *mem;
    rms_sid_t       sid;
    rms_str_t       bytes, text;
    rms_sid_set_t   set;

    (void) state;

    bytes = pack(sids, array_n(sids));
    mem = test_mem_init(&m, 0);

    assert_int_equal(rms_sid_unpack(&bytes, mem, &set), RMS_OK);
    assert_int_equal(m.calls, 1);
    assert_int_equal(set.n_members, array_n(sids) - 1);

    for (i = 0; i < array_n(sids); i++) {
        text.data = (unsigned char *) sids[i];
        text.len = strlen(sids[i]);
        assert_int_equal(rms_sid_parse(&text, &sid), RMS_OK);
        assert_true(rms_sid_set_has(&set, &sid));
        sid.sub[sid.n - 1] ^= 64;
        assert_false(rms_sid_set_has(&set, &sid));
    }

    test_mem_free(&m);

    bytes = pack(sids, 0);
    assert_int_equal(bytes.len, 2);
    mem = test_mem_init(&m, 0);
    assert_int_equal(rms_sid_unpack(&bytes, mem, &set), RMS_OK);
    assert_int_equal(set.n_members, 0);
    test_mem_free(&m);
}


static void
thousand_groups_are_four_kilobytes(void **state)
{
    size_t          i;
    void           *memory;
    test_mem_t      m;
    rms_mem_t      *mem;
    rms_sid_t       domain;
    rms_str_t       out;
    rms_sid_set_t   set, back;

    (void) state;

    memset(&domain, 0, sizeof(domain));
    domain.authority = 5;
    domain.n = 4;
    domain.sub[0] = 21;

    memory = malloc(rms_sid_set_size(1, 1000));
    assert_non_null(memory);
    rms_sid_set_init(&set, memory, 1, 1000);

    for (i = 0; i < 1000; i++) {
        rms_sid_set_add(&set, &domain, (uint32_t) (5000 - 3 * i));
    }

    rms_sid_set_close(&set);
    out.data = buf;
    out.len = sizeof(buf);
    assert_int_equal(rms_sid_pack(&set, &out), RMS_OK);
    assert_in_range(out.len, 4000, 4100);

    mem = test_mem_init(&m, 0);
    assert_int_equal(rms_sid_unpack(&out, mem, &back), RMS_OK);
    assert_int_equal(back.n_members, 1000);
    assert_memory_equal(back.members, set.members, 1000 * sizeof(uint64_t));

    test_mem_free(&m);
    free(memory);
}


static void
other_bytes_are_refused(void **state)
{
    size_t          i;
    rms_rc_e        rc;
    test_mem_t      m;
    rms_mem_t      *mem;
    rms_str_t       src;
    rms_sid_set_t   set;

#define PACKED(s)  { (unsigned char *) (s), sizeof(s) - 1 }

    static const struct {
        unsigned char  *p;
        size_t          len;
    } cases[] = {
        PACKED(""),
        PACKED("\x01"),
        PACKED("\x00\x00\x00"),                         /* trailing      */
        PACKED("\x01\x00"),
        PACKED("\xff\xff\x00\x05\0\0\0\0\0\x01\x00\x01\0\0\0"),
        PACKED("\x02\x00\x00\x05\0\0\0\0\0\x00\x00"    /* no member     */
               "\x00\x06\0\0\0\0\0\x03\x00\x01\0\0\0\x02\0\0\0\x03\0\0\0"),
        PACKED("\x01\x00\x00\x05\0\0\0\0\0\x00\x00\x01\0\0\0"),
        PACKED("\x01\x00\x00\x05\0\0\0\0\0\x02\x00\x01\0\0\0"),
        PACKED("\x01\x00\x00\x05\0\0\0\0\0\x02\x00\x02\0\0\0\x01\0\0\0"),
        PACKED("\x01\x00\x00\x05\0\0\0\0\0\x02\x00\x02\0\0\0\x02\0\0\0"),
        PACKED("\x01\x00\x00\x05\0\0\0\0\0\x01\x00\x01\0\0\0\x00"),
        PACKED("\x01\x00\x0f\x05\0\0\0\0\0"             /* no room       */
               "0000111122223333444455556666777788889999"
               "aaaabbbbccccddddeeee\x01\x00\x01\0\0\0"),
        PACKED("\x02\x00\x00\x05\0\0\0\0\0\x01\x00\x01\0\0\0"
               "\x00\x05\0\0\0\0\0\x01\x00\x02\0\0\0"),  /* twice        */
        PACKED("\x02\x00\x00\x05\0\0\0\0\0\x01\x00\x01\0\0\0"
               "\x00\x04\0\0\0\0\0\x01\x00\x02\0\0\0")   /* order        */
    };

    (void) state;

    for (i = 0; i < array_n(cases); i++) {
        src.data = cases[i].p;
        src.len = cases[i].len;
        mem = test_mem_init(&m, 0);
        rc = rms_sid_unpack(&src, mem, &set);
        assert_int_equal(rc, RMS_INVALID);
        assert_int_equal(set.n_members, 0);
        test_mem_free(&m);
    }
}


static void
cut_bytes_are_refused(void **state)
{
    size_t          i, n;
    test_mem_t      m;
    rms_mem_t      *mem;
    rms_str_t       src;
    rms_sid_set_t   set;
    unsigned char  *copy;

    (void) state;

    n = pack(sids, array_n(sids)).len;

    for (i = 0; i < n; i++) {
        copy = malloc(i ? i : 1);
        assert_non_null(copy);
        memcpy(copy, buf, i);
        src.data = copy;
        src.len = i;
        mem = test_mem_init(&m, 0);
        assert_int_equal(rms_sid_unpack(&src, mem, &set), RMS_INVALID);
        test_mem_free(&m);
        free(copy);
    }
}


static void
no_memory_is_said(void **state)
{
    test_mem_t      m;
    rms_mem_t      *mem;
    rms_str_t       bytes;
    rms_sid_set_t   set;

    (void) state;

    bytes = pack(sids, array_n(sids));
    mem = test_mem_init(&m, 1);
    assert_int_equal(rms_sid_unpack(&bytes, mem, &set), RMS_NOMEM);
    assert_int_equal(set.n_members, 0);
    test_mem_free(&m);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_comes_back_as_it_was),
        cmocka_unit_test(thousand_groups_are_four_kilobytes),
        cmocka_unit_test(other_bytes_are_refused),
        cmocka_unit_test(cut_bytes_are_refused),
        cmocka_unit_test(no_memory_is_said)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
