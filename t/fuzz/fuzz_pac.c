/*
 * Logon information of PACs.  It begins with a byte of 1; an input that does
 * not is the description of one, which is built and must come out as
 * described.
 */

#include <stdlib.h>

#include "../unit/test_pac.h"


#define GROUPS_MAX  8
#define EXTRAS_MAX  6
#define SIDS_MAX    (2 + 2 * GROUPS_MAX + EXTRAS_MAX)


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


typedef struct {
    const uint8_t  *data;
    size_t          size;
} bytes_t;


typedef struct {
    rms_sid_t       sids[SIDS_MAX];
    size_t          n;
} list_t;


static void
expect(int truth)
{
    if (!truth) {
        abort();
    }
}


static void *
allocate(void *data, size_t size)
{
    (void) data;

    return malloc(size);
}


static const rms_mem_t  mem = { allocate, NULL };


/* A copy of just this size, so that a byte beyond is seen. */

static rms_rc_e
parse(const uint8_t *data, size_t size, rms_pac_t *pac)
{
    rms_rc_e   rc;
    rms_str_t  in;

    in.len = size;
    in.data = malloc(size ? size : 1);
    expect(in.data != NULL);

    if (size != 0) {
        memcpy(in.data, data, size);
    }

    rc = rms_pac_parse(&in, &mem, pac);

    free(in.data);

    return rc;
}


/* The set is in order, without anybody twice, and knows all it holds. */

static void
whole(const rms_pac_t *pac)
{
    size_t     i;
    rms_sid_t  sid, last;

    expect(rms_sid_set_has(&pac->sids, &pac->user));
    expect(pac->sids.n_members <= RMS_PAC_GROUPS_MAX + 2);

    memset(&last, 0, sizeof(rms_sid_t));

    for (i = 0; i < pac->sids.n_members; i++) {
        rms_sid_set_get(&pac->sids, i, &sid);
        expect(sid.n > 0 && sid.n <= RMS_SID_SUBS_MAX);
        expect(i == 0 || rms_sid_cmp(&last, &sid) != 0);
        expect(rms_sid_set_has(&pac->sids, &sid));
        last = sid;
    }
}


static void
as_it_is(const uint8_t *data, size_t size)
{
    rms_rc_e   rc;
    rms_pac_t  pac;

    rc = parse(data, size, &pac);
    expect(rc == RMS_OK || rc == RMS_INVALID || rc == RMS_TOO_LARGE);

    if (rc == RMS_OK) {
        whole(&pac);

    } else {
        expect(pac.memory == NULL && pac.sids.n_members == 0);
    }

    free(pac.memory);
}


static unsigned
byte(bytes_t *in)
{
    if (in->size == 0) {
        return 0;
    }

    in->size--;

    return *in->data++;
}


static uint32_t
attributes(bytes_t *in)
{
    static const uint32_t  some[] = {
        7, 7, 7, 0x20000007, 4, 0, 3, 0x17, 0x10, 0xffffffff
    };

    return some[byte(in) % (sizeof(some) / sizeof(some[0]))];
}


/* A few authorities, lengths and numbers, so that they often meet. */

static rms_sid_t
some_sid(bytes_t *in, unsigned max)
{
    size_t     i;
    rms_sid_t  sid;

    memset(&sid, 0, sizeof(rms_sid_t));

    sid.authority = byte(in) % 4 ? 5 : (uint64_t) byte(in) << 40;
    sid.n = 1 + byte(in) % max;

    for (i = 0; i < sid.n; i++) {
        sid.sub[i] = byte(in) % 8 ? byte(in) % 4 : (uint32_t) byte(in) << 24;
    }

    return sid;
}


static uint32_t
some_groups(bytes_t *in, pac_group_t *groups)
{
    uint32_t  i, n;

    n = byte(in) % (GROUPS_MAX + 1);

    for (i = 0; i < n; i++) {
        groups[i].rid = byte(in) % 4 ? byte(in) % 8 : 0xffffff00 + byte(in);
        groups[i].attributes = attributes(in);
    }

    return n;
}


static void
add(list_t *list, const rms_sid_t *sid)
{
    size_t  i;

    for (i = 0; i < list->n; i++) {
        if (rms_sid_cmp(&list->sids[i], sid) == 0) {
            return;
        }
    }

    list->sids[list->n++] = *sid;
}


static void
add_rid(list_t *list, const rms_sid_t *domain, uint32_t rid, uint32_t flags)
{
    rms_sid_t  sid;

    if ((flags & 0x14) == 4) {
        sid = *domain;
        sid.sub[sid.n++] = rid;
        add(list, &sid);
    }
}


/* Who should come out of a description. */

static void
described(const pac_spec_t *spec, list_t *list)
{
    uint32_t  i;

    list->n = 0;

    if (spec->user) {
        add_rid(list, &spec->domain, spec->user, 4);

    } else {
        add(list, &spec->extras[0].sid);
    }

    add_rid(list, &spec->domain, spec->primary, spec->primary ? 4 : 0);

    for (i = 0; i < spec->n_groups; i++) {
        add_rid(list, &spec->domain, spec->groups[i].rid,
                spec->groups[i].attributes);
    }

    for (i = 0; i < spec->n_extras && (spec->flags & PAC_EXTRA); i++) {
        if ((spec->extras[i].attributes & 0x14) == 4) {
            add(list, &spec->extras[i].sid);
        }
    }

    for (i = 0; i < spec->n_resources && (spec->flags & PAC_RESOURCE); i++) {
        add_rid(list, &spec->resource_domain, spec->resources[i].rid,
                spec->resources[i].attributes);
    }
}


static void
as_described(bytes_t in)
{
    size_t        i;
    list_t        list;
    rms_str_t     blob;
    rms_pac_t     pac;
    pac_spec_t    spec;
    pac_group_t   groups[GROUPS_MAX], resources[GROUPS_MAX];
    pac_extra_t   extras[EXTRAS_MAX];

    static const uint32_t  flags[] = { PAC_EXTRA | PAC_RESOURCE, PAC_EXTRA,
                                       PAC_RESOURCE, 0 };
    static const char     *names[] = { "", "a", "ab", "EXCH01$" };

    memset(&spec, 0, sizeof(pac_spec_t));
    spec.flags = flags[byte(&in) % 4];
    spec.name = names[byte(&in) % 4];
    spec.domain_name = names[byte(&in) % 4];
    spec.user = byte(&in) % 8;
    spec.primary = byte(&in) % 8;
    spec.domain = some_sid(&in, RMS_SID_SUBS_MAX - 1);
    spec.n_groups = some_groups(&in, groups);
    spec.groups = groups;
    spec.n_extras = byte(&in) % (EXTRAS_MAX + 1);
    spec.extras = extras;

    for (i = 0; i < spec.n_extras; i++) {
        extras[i].sid = some_sid(&in, RMS_SID_SUBS_MAX);
        extras[i].attributes = attributes(&in);
    }

    spec.resource_domain = some_sid(&in, RMS_SID_SUBS_MAX - 1);
    spec.n_resources = some_groups(&in, resources);
    spec.resources = resources;

    blob = pac_build(&spec);

    if (spec.user == 0 && (spec.n_extras == 0 || !(spec.flags & PAC_EXTRA))) {
        expect(parse(blob.data, blob.len, &pac) == RMS_INVALID);
        free(blob.data);
        return;
    }

    expect(parse(blob.data, blob.len, &pac) == RMS_OK);
    expect(pac.name.len == strlen(spec.name));
    expect(memcmp(pac.name.data, spec.name, pac.name.len) == 0);
    whole(&pac);

    described(&spec, &list);
    expect(rms_sid_cmp(&pac.user, &list.sids[0]) == 0);
    expect(pac.sids.n_members == list.n);

    for (i = 0; i < list.n; i++) {
        expect(rms_sid_set_has(&pac.sids, &list.sids[i]));
    }

    free(pac.memory);
    free(blob.data);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bytes_t  in;

    if (size == 0 || data[0] == 1) {
        as_it_is(data, size);
        return 0;
    }

    in.data = data + 1;
    in.size = size - 1;
    as_described(in);

    return 0;
}
