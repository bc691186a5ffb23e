/*
 * Logon information of PACs: which SIDs come out, and what is refused.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test_mem.h"
#include "test_pac.h"


#define NELEMS(a)  (sizeof(a) / sizeof((a)[0]))


static test_mem_t  mem;


/* Parses a copy of just this size, so that a byte beyond is seen. */

static rms_rc_e
parse_part(const rms_str_t *blob, size_t len, rms_pac_t *pac)
{
    rms_rc_e   rc;
    rms_str_t  part;

    part.len = len;
    part.data = malloc(len ? len : 1);
    assert_non_null(part.data);
    memcpy(part.data, blob->data, len);

    rc = rms_pac_parse(&part, test_mem_init(&mem, 0), pac);

    free(part.data);

    if (rc != RMS_OK) {
        assert_null(pac->memory);
        assert_int_equal(pac->sids.n_members, 0);
    }

    return rc;
}


static rms_rc_e
parse_blob(const rms_str_t *blob, rms_pac_t *pac)
{
    return parse_part(blob, blob->len, pac);
}


/* Builds and parses; the caller calls test_mem_free(). */

static rms_rc_e
parse(const pac_spec_t *spec, rms_pac_t *pac)
{
    rms_rc_e   rc;
    rms_str_t  blob;

    blob = pac_build(spec);
    rc = parse_blob(&blob, pac);
    free(blob.data);

    return rc;
}


/* The SIDs are these and no others, the user's first. */

#define assert_sids(spec, ...)                                                \
    assert_sids_are(spec, (const char *[]) { __VA_ARGS__, NULL })

static void
assert_sids_are(const pac_spec_t *spec, const char **texts)
{
    size_t     n;
    rms_sid_t  sid;
    rms_pac_t  pac;

    assert_int_equal(parse(spec, &pac), RMS_OK);

    sid = pac_sid_of(texts[0]);
    assert_int_equal(rms_sid_cmp(&pac.user, &sid), 0);

    for (n = 0; texts[n] != NULL; n++) {
        sid = pac_sid_of(texts[n]);
        if (!rms_sid_set_has(&pac.sids, &sid)) {
            fail_msg("%s is missing", texts[n]);
        }
    }

    assert_int_equal(pac.sids.n_members, n);
    test_mem_free(&mem);
}


static void
user_and_groups_of_all_lists_are_found(void **state)
{
    pac_spec_t  spec;

    (void) state;

    spec = pac_spec();
    assert_sids(&spec, "S-1-5-21-1-2-3-1105", "S-1-5-21-1-2-3-515",
                "S-1-5-21-1-2-3-513", "S-1-5-21-1-2-3-1118", "S-1-18-1",
                "S-1-5-21-7-8-9-1500", "S-1-5-21-4-5-6-1119");
}


static void
account_in_no_group_is_known_all_the_same(void **state)
{
    pac_spec_t  spec;

    (void) state;

    spec = pac_spec();
    spec.n_groups = 0;
    spec.n_extras = 0;
    spec.n_resources = 0;
    spec.primary = 0;
    assert_sids(&spec, "S-1-5-21-1-2-3-1105");

    spec.resource_domain.n = 0;
    assert_sids(&spec, "S-1-5-21-1-2-3-1105");
}


static void
group_counts_only_when_enabled_and_not_for_denial(void **state)
{
    size_t      i;
    rms_pac_t   pac;
    rms_sid_t   group, extra, resource;
    pac_spec_t  spec;

    pac_group_t  groups[1], resources[1];
    pac_extra_t  extras[1];

    static const struct {
        uint32_t  attributes;
        int       counts;
    } want[] = {
        { 0x00000007, 1 }, { 0x20000007, 1 }, { 0x00000004, 1 },
        { 0x0000000f, 1 }, { 0xc0000007, 1 },
        { 0x00000000, 0 }, { 0x00000003, 0 }, { 0x00000010, 0 },
        { 0x00000014, 0 }, { 0x00000017, 0 }, { 0xfffffffb, 0 }
    };

    (void) state;

    group = pac_sid_of("S-1-5-21-1-2-3-1118");
    extra = pac_sid_of("S-1-5-21-7-8-9-1500");
    resource = pac_sid_of("S-1-5-21-4-5-6-1119");

    spec = pac_spec();
    spec.n_groups = spec.n_extras = spec.n_resources = 1;
    spec.groups = groups;
    spec.extras = extras;
    spec.resources = resources;

    for (i = 0; i < NELEMS(want); i++) {
        groups[0].rid = 1118;
        extras[0].sid = extra;
        resources[0].rid = 1119;
        groups[0].attributes = want[i].attributes;
        extras[0].attributes = want[i].attributes;
        resources[0].attributes = want[i].attributes;

        assert_int_equal(parse(&spec, &pac), RMS_OK);
        assert_int_equal(rms_sid_set_has(&pac.sids, &group), want[i].counts);
        assert_int_equal(rms_sid_set_has(&pac.sids, &extra), want[i].counts);
        assert_int_equal(rms_sid_set_has(&pac.sids, &resource),
                         want[i].counts);
        assert_int_equal(pac.sids.n_members, 2 + 3 * want[i].counts);
        test_mem_free(&mem);
    }
}


static void
unannounced_lists_count_for_nothing(void **state)
{
    pac_spec_t  spec;

    (void) state;

    spec = pac_spec();
    spec.flags = 0xffffffff & ~(uint32_t) (PAC_EXTRA | PAC_RESOURCE);
    assert_sids(&spec, "S-1-5-21-1-2-3-1105", "S-1-5-21-1-2-3-515",
                "S-1-5-21-1-2-3-513", "S-1-5-21-1-2-3-1118");

    spec.flags = PAC_EXTRA;
    assert_sids(&spec, "S-1-5-21-1-2-3-1105", "S-1-5-21-1-2-3-515",
                "S-1-5-21-1-2-3-513", "S-1-5-21-1-2-3-1118", "S-1-18-1",
                "S-1-5-21-7-8-9-1500");

    spec.flags = PAC_RESOURCE;
    assert_sids(&spec, "S-1-5-21-1-2-3-1105", "S-1-5-21-1-2-3-515",
                "S-1-5-21-1-2-3-513", "S-1-5-21-1-2-3-1118",
                "S-1-5-21-4-5-6-1119");
}


static void
account_without_a_rid_is_the_first_extra_sid(void **state)
{
    rms_pac_t   pac;
    pac_spec_t  spec;

    static const pac_extra_t  extras[] = {
        { { 5, 5, { 21, 7, 8, 9, 1500 } }, 0 },
        { { 5, 5, { 21, 7, 8, 9, 1501 } }, 7 }
    };

    (void) state;

    spec = pac_spec();
    spec.user = 0;
    spec.extras = extras;
    assert_sids(&spec, "S-1-5-21-7-8-9-1500", "S-1-5-21-1-2-3-515",
                "S-1-5-21-1-2-3-513", "S-1-5-21-1-2-3-1118",
                "S-1-5-21-7-8-9-1501", "S-1-5-21-4-5-6-1119");

    spec.flags = PAC_RESOURCE;
    assert_int_equal(parse(&spec, &pac), RMS_INVALID);

    spec.flags = PAC_EXTRA;
    spec.n_extras = 0;
    assert_int_equal(parse(&spec, &pac), RMS_INVALID);
}


static void
sid_named_twice_is_there_once(void **state)
{
    pac_spec_t  spec;

    static const pac_group_t  groups[] = {
        { 1105, 7 }, { 515, 7 }, { 1118, 7 }, { 1118, 7 }
    };
    static const pac_extra_t  extras[] = {
        { { 5, 5, { 21, 1, 2, 3, 1118 } }, 7 },
        { { 18, 1, { 1 } }, 7 },
        { { 5, 5, { 21, 1, 2, 3, 1118 } }, 7 }
    };
    static const pac_group_t  resources[] = { { 1118, 7 }, { 515, 7 } };

    (void) state;

    spec = pac_spec();
    spec.n_groups = 4;
    spec.groups = groups;
    spec.n_extras = 3;
    spec.extras = extras;
    spec.n_resources = 2;
    spec.resources = resources;
    spec.resource_domain = spec.domain;

    assert_sids(&spec, "S-1-5-21-1-2-3-1105", "S-1-5-21-1-2-3-515",
                "S-1-5-21-1-2-3-1118", "S-1-18-1");
}


static void
flags_and_names_are_handed_on(void **state)
{
    rms_pac_t   pac;
    pac_spec_t  spec;

    (void) state;

    spec = pac_spec();
    spec.control = RMS_PAC_DISABLED | RMS_PAC_SERVER_TRUST;

    assert_int_equal(parse(&spec, &pac), RMS_OK);
    assert_true(rms_str_is(&pac.name, "EXCH01$"));
    assert_true(rms_str_is(&pac.domain, "CONTOSO"));
    assert_int_equal(pac.user_flags, PAC_EXTRA | PAC_RESOURCE);
    assert_int_equal(pac.account_control, 0x101);
    test_mem_free(&mem);
}


/* Pairs of surrogates are whole characters, halves of one a mark. */

static void
names_become_utf8(void **state)
{
    size_t      i, k, n;
    rms_pac_t   pac;
    rms_str_t   blob;
    pac_spec_t  spec;

    static const struct {
        uint16_t     units[4];
        const char  *text;
    } want[] = {
        { { 'a', 0x7f, 0x80, 0x7ff }, "a\x7f\xc2\x80\xdf\xbf" },
        { { 0x800, 0xffff, 0xd7ff, 0xe000 },
          "\xe0\xa0\x80\xef\xbf\xbf\xed\x9f\xbf\xee\x80\x80" },
        { { 0xd83d, 0xde00, 0xdbff, 0xdfff },
          "\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf" },
        { { 0xd83d, 'a', 0xde00, 0xd83d },
          "\xef\xbf\xbd" "a\xef\xbf\xbd\xef\xbf\xbd" },
        { { 0xdc00, 0xd800, 0xd800, 0xdc00 },
          "\xef\xbf\xbd\xef\xbf\xbd\xf0\x90\x80\x80" }
    };

    (void) state;

    spec = pac_spec();
    spec.name = "....";
    spec.domain_name = "";
    blob = pac_build(&spec);

    for (i = 0; i < NELEMS(want); i++) {
        for (k = 0; k < 4; k++) {
            n = PAC_AT_DEFERRED + 12 + 2 * k;
            blob.data[n] = (unsigned char) (want[i].units[k] & 0xff);
            blob.data[n + 1] = (unsigned char) (want[i].units[k] >> 8);
        }

        assert_int_equal(parse_blob(&blob, &pac), RMS_OK);
        assert_int_equal(pac.name.len, strlen(want[i].text));
        assert_memory_equal(pac.name.data, want[i].text, pac.name.len);
        test_mem_free(&mem);
    }

    free(blob.data);
}


static pac_group_t *
many_groups(uint32_t n)
{
    uint32_t      i;
    pac_group_t  *groups;

    groups = calloc(n + 1, sizeof(pac_group_t));
    assert_non_null(groups);

    for (i = 0; i < n; i++) {
        groups[i].rid = 5000 + (i * 7919) % n;
        groups[i].attributes = 7;
    }

    return groups;
}


static void
thousand_groups_are_all_found(void **state)
{
    size_t        k;
    uint32_t      i, n;
    rms_sid_t     sid;
    rms_pac_t     pac;
    pac_spec_t    spec;
    pac_group_t  *groups;

    static const uint32_t  counts[] = { 1000, 4095, RMS_PAC_GROUPS_MAX };

    (void) state;

    for (k = 0; k < NELEMS(counts); k++) {
        n = counts[k];
        groups = many_groups(n);
        spec = pac_spec();
        spec.n_groups = n;
        spec.groups = groups;
        spec.n_extras = 0;
        spec.n_resources = 0;

        assert_int_equal(parse(&spec, &pac), RMS_OK);
        assert_int_equal(pac.sids.n_members, n + 2);
        assert_int_equal(mem.calls, 1);

        for (i = 0; i < n; i++) {
            assert_int_equal(rms_sid_join(&spec.domain, 5000 + i, &sid),
                             RMS_OK);
            assert_true(rms_sid_set_has(&pac.sids, &sid));
        }

        (void) rms_sid_join(&spec.domain, 5000 + n, &sid);
        assert_false(rms_sid_set_has(&pac.sids, &sid));

        test_mem_free(&mem);
        free(groups);
    }
}


static void
extra_sids_of_a_thousand_domains_are_all_found(void **state)
{
    uint32_t      i;
    rms_pac_t     pac;
    pac_spec_t    spec;
    pac_extra_t  *extras;

    (void) state;

    extras = calloc(1000, sizeof(pac_extra_t));
    assert_non_null(extras);

    for (i = 0; i < 1000; i++) {
        extras[i].sid = pac_sid_of("S-1-5-21-1-2-3-4");
        extras[i].sid.sub[3] = (i * 7919) % 1000;
        extras[i].sid.sub[4] = i % 3;
        extras[i].attributes = 7;
    }

    spec = pac_spec();
    spec.n_extras = 1000;
    spec.extras = extras;

    assert_int_equal(parse(&spec, &pac), RMS_OK);

    for (i = 0; i < 1000; i++) {
        assert_true(rms_sid_set_has(&pac.sids, &extras[i].sid));
        extras[i].sid.sub[4] = 3;
        assert_false(rms_sid_set_has(&pac.sids, &extras[i].sid));
    }

    test_mem_free(&mem);
    free(extras);
}


static void
too_many_groups_have_a_result_of_their_own(void **state)
{
    size_t      i;
    rms_pac_t   pac;
    rms_str_t   blob;
    pac_spec_t  spec;

    static const struct {
        size_t    at[3];
        uint32_t  n[3];
    } want[] = {
        { { PAC_AT_GROUPS }, { RMS_PAC_GROUPS_MAX + 1 } },
        { { PAC_AT_EXTRAS }, { RMS_PAC_GROUPS_MAX + 1 } },
        { { PAC_AT_RESOURCES }, { RMS_PAC_GROUPS_MAX + 1 } },
        { { PAC_AT_GROUPS }, { 0xffffffff } },
        { { PAC_AT_RESOURCES }, { 0xffffffff } },
        { { PAC_AT_GROUPS, PAC_AT_EXTRAS, PAC_AT_RESOURCES },
          { RMS_PAC_GROUPS_MAX, 1, 0 } },
        { { PAC_AT_GROUPS, PAC_AT_EXTRAS, PAC_AT_RESOURCES },
          { 0, 1, RMS_PAC_GROUPS_MAX } },
        { { PAC_AT_GROUPS, PAC_AT_EXTRAS, PAC_AT_RESOURCES },
          { 0x80000000, 0x80000000, 1 } }
    };

    (void) state;

    spec = pac_spec();

    for (i = 0; i < NELEMS(want); i++) {
        blob = pac_build(&spec);
        pac_poke(&blob, want[i].at[0], want[i].n[0]);

        if (want[i].at[1]) {
            pac_poke(&blob, want[i].at[1], want[i].n[1]);
            pac_poke(&blob, want[i].at[2], want[i].n[2]);
        }

        assert_int_equal(parse_blob(&blob, &pac), RMS_TOO_LARGE);
        free(blob.data);
    }
}


static void
name_has_a_longest_length(void **state)
{
    char        *name;
    rms_pac_t    pac;
    pac_spec_t   spec;

    (void) state;

    name = calloc(1, RMS_PAC_NAME_MAX + 2);
    assert_non_null(name);
    memset(name, 'a', RMS_PAC_NAME_MAX);

    spec = pac_spec();
    spec.name = name;
    assert_int_equal(parse(&spec, &pac), RMS_OK);
    assert_int_equal(pac.name.len, RMS_PAC_NAME_MAX);
    test_mem_free(&mem);

    name[RMS_PAC_NAME_MAX] = 'a';
    assert_int_equal(parse(&spec, &pac), RMS_TOO_LARGE);

    spec = pac_spec();
    spec.domain_name = name;
    assert_int_equal(parse(&spec, &pac), RMS_TOO_LARGE);

    free(name);
}


/* With the length in the header as it was, and made to fit. */

static void
every_truncation_is_refused(void **state)
{
    size_t      i;
    rms_pac_t   pac;
    rms_str_t   blob;
    pac_spec_t  spec;

    (void) state;

    spec = pac_spec();
    blob = pac_build(&spec);

    assert_int_equal(parse_blob(&blob, &pac), RMS_OK);
    test_mem_free(&mem);

    for (i = 0; i < blob.len; i++) {
        assert_int_equal(parse_part(&blob, i, &pac), RMS_INVALID);
    }

    for (i = 16; i < blob.len; i++) {
        pac_poke(&blob, PAC_AT_LENGTH, i - 16);
        assert_int_equal(parse_part(&blob, i, &pac), RMS_INVALID);
    }

    free(blob.data);
}


static void
bytes_behind_the_end_are_refused(void **state)
{
    size_t      i;
    rms_pac_t   pac;
    rms_str_t   blob, longer;
    pac_spec_t  spec;

    (void) state;

    spec = pac_spec();
    blob = pac_build(&spec);

    for (i = 1; i <= 64; i++) {
        longer.len = blob.len + i;
        longer.data = calloc(1, longer.len);
        assert_non_null(longer.data);
        memcpy(longer.data, blob.data, blob.len);

        assert_int_equal(parse_blob(&longer, &pac), RMS_INVALID);

        pac_poke(&longer, PAC_AT_LENGTH, longer.len - 16);
        assert_int_equal(parse_blob(&longer, &pac), RMS_INVALID);

        free(longer.data);
    }

    free(blob.data);
}


/* Whatever comes out holds together; most of what is refused is malformed. */

static void
no_flipped_bit_is_misread(void **state)
{
    size_t      i, k;
    unsigned    bit;
    rms_rc_e    rc;
    rms_pac_t   pac;
    rms_sid_t   sid;
    rms_str_t   blob;
    pac_spec_t  spec;

    (void) state;

    spec = pac_spec();
    blob = pac_build(&spec);

    for (i = 0; i < blob.len; i++) {
        for (bit = 1; bit < 0x200; bit <<= 1) {
            blob.data[i] ^= (unsigned char) (bit == 0x100 ? 0xff : bit);

            rc = parse_blob(&blob, &pac);
            assert_true(rc == RMS_OK || rc == RMS_INVALID
                        || rc == RMS_TOO_LARGE);

            if (rc == RMS_OK) {
                assert_true(rms_sid_set_has(&pac.sids, &pac.user));
                for (k = 0; k < pac.sids.n_members; k++) {
                    rms_sid_set_get(&pac.sids, k, &sid);
                    assert_true(rms_sid_set_has(&pac.sids, &sid));
                }
            }

            test_mem_free(&mem);
            blob.data[i] ^= (unsigned char) (bit == 0x100 ? 0xff : bit);
        }
    }

    free(blob.data);
}


static void
other_headers_are_refused(void **state)
{
    size_t      i;
    rms_pac_t   pac;
    rms_str_t   blob;
    pac_spec_t  spec;

    static const struct {
        size_t    at;
        uint32_t  value;
    } want[] = {
        { 0, 0x00081000 }, { 0, 0x00081002 },   /* version               */
        { 0, 0x00080001 }, { 0, 0x00081101 },   /* big-endian, EBCDIC    */
        { 0, 0x00101001 }, { 0, 0x08081001 },   /* length of the header  */
        { PAC_AT_LENGTH, 0 }, { PAC_AT_LENGTH, 0xffffffff },
        { PAC_AT_LENGTH, 0xfffffff8 },
        { PAC_AT_REFERENT, 0 }
    };

    (void) state;

    spec = pac_spec();

    for (i = 0; i < NELEMS(want); i++) {
        blob = pac_build(&spec);
        pac_poke(&blob, want[i].at, want[i].value);
        assert_int_equal(parse_blob(&blob, &pac), RMS_INVALID);
        free(blob.data);
    }

    /* [MS-RPCE] 2.2.6.1 and .2: fillers are not looked at */

    blob = pac_build(&spec);
    pac_poke(&blob, 4, 0);
    pac_poke(&blob, 12, 0xcccccccc);
    assert_int_equal(parse_blob(&blob, &pac), RMS_OK);
    test_mem_free(&mem);
    free(blob.data);
}


/* Counts stand in the structure and again before the elements. */

static void
counts_that_disagree_are_refused(void **state)
{
    size_t      i, name, groups, domain, extras, resources;
    rms_pac_t   pac;
    rms_str_t   blob;
    pac_spec_t  spec;

    (void) state;

    /* "EXCH01$", five empty ones, two groups, "DC1", "CONTOSO" */

    name = PAC_AT_DEFERRED;
    groups = name + 28 + 5 * 12;
    domain = groups + 4 + 2 * 8 + 20 + 28;
    extras = domain + 4 + 24;
    resources = extras + 4 + 2 * 8 + 16 + 32 + 28;

    struct {
        size_t    at;
        uint32_t  is;
        uint32_t  value;
    } want[] = {
        { PAC_AT_GROUPS, 2, 1 }, { PAC_AT_GROUPS, 2, 3 },
        { PAC_AT_EXTRAS, 2, 1 }, { PAC_AT_EXTRAS, 2, 3 },
        { PAC_AT_RESOURCES, 1, 0 }, { PAC_AT_RESOURCES, 1, 2 },
        { groups, 2, 1 }, { groups, 2, 3 }, { groups, 2, 0xffffffff },
        { extras, 2, 1 }, { extras, 2, 3 }, { extras, 2, 0 },
        { resources, 1, 0 }, { resources, 1, 2 },
        { name, 7, 6 }, { name, 7, 8 }, { name + 4, 0, 1 },
        { name + 8, 7, 6 }, { name + 8, 7, 8 },
        { domain, 4, 3 }, { domain, 4, 5 }, { domain, 4, 16 },
        { domain, 4, 0xffffffff },
        { domain + 4, 0x0401, 0x0301 }, { domain + 4, 0x0401, 0x0402 },
        { PAC_AT_NAME, 0x000e000e, 0x000e000c },
        { PAC_AT_NAME, 0x000e000e, 0x000e000d },
        { PAC_AT_NAME, 0x000e000e, 0x000f000e },
        { PAC_AT_NAME, 0x000e000e, 0x000c000e },
        { PAC_AT_NAME, 0x000e000e, 0x0010000e },
        { PAC_AT_NAME, 0x000e000e, 0xfffefffe }
    };

    (void) state;

    spec = pac_spec();

    for (i = 0; i < NELEMS(want); i++) {
        blob = pac_build(&spec);
        assert_int_equal(rms_pac_parse(&blob, test_mem_init(&mem, 0), &pac),
                         RMS_OK);
        test_mem_free(&mem);

        assert_int_equal(blob.data[want[i].at], want[i].is & 0xff);
        pac_poke(&blob, want[i].at, want[i].value);

        if (parse_blob(&blob, &pac) == RMS_OK) {
            fail_msg("%zu: %x", want[i].at, want[i].value);
        }

        free(blob.data);
    }
}


/* Lengths that agree with the counts and are wrong all the same. */

static void
string_of_half_a_character_or_beyond_its_room_is_refused(void **state)
{
    size_t      i;
    rms_pac_t   pac;
    rms_str_t   blob;
    pac_spec_t  spec;

    static const struct {
        uint32_t  lengths;
        uint32_t  max;
        uint32_t  n;
        rms_rc_e  rc;
    } want[] = {
        { 0x000e000e, 7, 7, RMS_OK },
        { 0x0010000e, 8, 7, RMS_OK },
        { 0x000e000d, 7, 6, RMS_INVALID },
        { 0x000f000e, 7, 7, RMS_INVALID },
        { 0x000c000e, 6, 7, RMS_INVALID }
    };

    (void) state;

    spec = pac_spec();
    blob = pac_build(&spec);

    for (i = 0; i < NELEMS(want); i++) {
        pac_poke(&blob, PAC_AT_NAME, want[i].lengths);
        pac_poke(&blob, PAC_AT_DEFERRED, want[i].max);
        pac_poke(&blob, PAC_AT_DEFERRED + 8, want[i].n);
        assert_int_equal(parse_blob(&blob, &pac), want[i].rc);
        test_mem_free(&mem);
    }

    free(blob.data);
}


/* A string that is not there has no characters, and needs none. */

static void
null_string_is_an_empty_one(void **state)
{
    size_t          at, full_name;
    rms_pac_t       pac;
    rms_str_t       blob;
    pac_spec_t      spec;
    unsigned char  *p;

    (void) state;

    /* full name, empty: its twelve bytes behind the name go, four come */

    spec = pac_spec();
    blob = pac_build(&spec);
    full_name = PAC_AT_NAME + 8;
    at = PAC_AT_DEFERRED + 28;

    memmove(blob.data + at, blob.data + at + 12, blob.len - at - 12);
    blob.len -= 8;
    p = realloc(blob.data, blob.len);
    assert_non_null(p);
    blob.data = p;

    pac_poke(&blob, PAC_AT_LENGTH, blob.len - 16);
    pac_poke(&blob, full_name + 4, 0);
    assert_int_equal(parse_blob(&blob, &pac), RMS_OK);
    assert_int_equal(pac.sids.n_members, 7);
    test_mem_free(&mem);

    pac_poke(&blob, full_name, 0x00020000);
    assert_int_equal(parse_blob(&blob, &pac), RMS_OK);
    test_mem_free(&mem);

    pac_poke(&blob, full_name, 0x00020002);
    assert_int_equal(parse_blob(&blob, &pac), RMS_INVALID);

    free(blob.data);
}


/* What is needed is there; what is not may be a null pointer. */

static void
null_pointers_are_refused_where_something_is_needed(void **state)
{
    size_t      i, extras;
    rms_pac_t   pac;
    rms_str_t   blob;
    pac_spec_t  spec;

    extras = PAC_AT_DEFERRED + 28 + 5 * 12 + 4 + 2 * 8 + 20 + 28 + 4 + 24 + 4;

    size_t  want[] = {
        PAC_AT_GROUPS + 4, PAC_AT_DOMAIN, PAC_AT_EXTRAS + 4,
        PAC_AT_RESOURCE_DOMAIN, PAC_AT_RESOURCES + 4, PAC_AT_NAME + 4,
        PAC_AT_DOMAIN_NAME + 4, extras, extras + 8
    };

    (void) state;

    spec = pac_spec();

    for (i = 0; i < NELEMS(want); i++) {
        blob = pac_build(&spec);
        assert_int_not_equal(blob.data[want[i]], 0);
        pac_poke(&blob, want[i], 0);
        assert_int_equal(parse_blob(&blob, &pac), RMS_INVALID);
        free(blob.data);
    }
}


static void
domain_without_room_for_a_rid_is_refused(void **state)
{
    rms_pac_t   pac;
    pac_spec_t  spec;

    (void) state;

    spec = pac_spec();
    spec.domain = pac_sid_of("S-1-5-1-2-3-4-5-6-7-8-9-10-11-12-13-14");
    assert_int_equal(parse(&spec, &pac), RMS_OK);
    test_mem_free(&mem);

    spec.domain = pac_sid_of("S-1-5-1-2-3-4-5-6-7-8-9-10-11-12-13-14-15");
    assert_int_equal(parse(&spec, &pac), RMS_INVALID);

    spec = pac_spec();
    spec.resource_domain = pac_sid_of("S-1-5-1-2-3-4-5-6-7-8-9-10-11-12-13-14"
                                      "-15");
    assert_int_equal(parse(&spec, &pac), RMS_INVALID);
}


static void
failed_allocation_is_told_apart(void **state)
{
    rms_pac_t   pac;
    rms_str_t   blob;
    pac_spec_t  spec;

    (void) state;

    spec = pac_spec();
    blob = pac_build(&spec);

    assert_int_equal(rms_pac_parse(&blob, test_mem_init(&mem, 1), &pac),
                     RMS_NOMEM);
    assert_null(pac.memory);
    assert_int_equal(pac.sids.n_members, 0);

    /* there is no second one */

    assert_int_equal(rms_pac_parse(&blob, test_mem_init(&mem, 2), &pac),
                     RMS_OK);
    assert_int_equal(mem.calls, 1);
    assert_ptr_equal(pac.memory, mem.blocks[0]);

    test_mem_free(&mem);
    free(blob.data);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(user_and_groups_of_all_lists_are_found),
        cmocka_unit_test(account_in_no_group_is_known_all_the_same),
        cmocka_unit_test(group_counts_only_when_enabled_and_not_for_denial),
        cmocka_unit_test(unannounced_lists_count_for_nothing),
        cmocka_unit_test(account_without_a_rid_is_the_first_extra_sid),
        cmocka_unit_test(sid_named_twice_is_there_once),
        cmocka_unit_test(flags_and_names_are_handed_on),
        cmocka_unit_test(names_become_utf8),
        cmocka_unit_test(thousand_groups_are_all_found),
        cmocka_unit_test(extra_sids_of_a_thousand_domains_are_all_found),
        cmocka_unit_test(too_many_groups_have_a_result_of_their_own),
        cmocka_unit_test(name_has_a_longest_length),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(bytes_behind_the_end_are_refused),
        cmocka_unit_test(no_flipped_bit_is_misread),
        cmocka_unit_test(other_headers_are_refused),
        cmocka_unit_test(counts_that_disagree_are_refused),
        cmocka_unit_test(
            string_of_half_a_character_or_beyond_its_room_is_refused),
        cmocka_unit_test(null_string_is_an_empty_one),
        cmocka_unit_test(null_pointers_are_refused_where_something_is_needed),
        cmocka_unit_test(domain_without_room_for_a_rid_is_refused),
        cmocka_unit_test(failed_allocation_is_told_apart)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
