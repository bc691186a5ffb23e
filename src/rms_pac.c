/*
 * The logon information of a PAC, [MS-PAC] 2.5.  Two readings: the first
 * checks everything and tells how much memory is needed, the second fills it.
 * Pure function, any thread; one allocation, the caller's.
 */

#include "rms_ndr.h"
#include "rms_pac.h"


/* UserFlags, [MS-PAC] 2.5: bits D and H */
#define RMS_PAC_EXTRA_SIDS       0x00000020
#define RMS_PAC_RESOURCE_GROUPS  0x00000200

/* attributes of a group, [MS-PAC] 2.2.1; the second as in a token's groups */
#define RMS_PAC_GROUP_ENABLED    0x00000004
#define RMS_PAC_GROUP_DENY_ONLY  0x00000010

/* the strings of the structure, in its order */
#define RMS_PAC_EFFECTIVE_NAME   0
#define RMS_PAC_LOGON_SERVER     6
#define RMS_PAC_LOGON_DOMAIN     7
#define RMS_PAC_STRINGS          8


typedef struct {
    uint32_t          n;
    uint32_t          pointer;
    unsigned char    *items;            /* eight bytes each              */
} rms_pac_list_t;


typedef struct {
    rms_ndr_string_t  strings[RMS_PAC_STRINGS];
    rms_str_t         name;             /* UTF-16LE                      */
    rms_str_t         domain_name;

    uint32_t          user_id;
    uint32_t          primary_group;
    uint32_t          user_flags;
    uint32_t          account_control;

    rms_pac_list_t    groups;
    rms_pac_list_t    extras;
    rms_pac_list_t    resources;

    uint32_t          domain_pointer;
    uint32_t          resource_domain_pointer;
    rms_sid_t         domain;
    rms_sid_t         resource_domain;

    rms_ndr_t         extra_sids;       /* where the SIDs of extras begin */
    rms_sid_t         first_extra;
    size_t            extra_domains;    /* changes of domain among them  */
} rms_pac_info_t;


static void rms_pac_fixed(rms_ndr_t *ndr, rms_pac_info_t *info);
static int rms_pac_within_bounds(const rms_pac_info_t *info);
static void rms_pac_deferred(rms_ndr_t *ndr, rms_pac_info_t *info);
static void rms_pac_deferred_list(rms_ndr_t *ndr, rms_pac_list_t *list);
static void rms_pac_deferred_domain(rms_ndr_t *ndr, uint32_t pointer,
    rms_sid_t *domain);
static void rms_pac_deferred_extras(rms_ndr_t *ndr, rms_pac_info_t *info);
static void rms_pac_sid(rms_ndr_t *ndr, rms_sid_t *sid);

static rms_rc_e rms_pac_user(const rms_pac_info_t *info, rms_sid_t *user);
static rms_rc_e rms_pac_fill(const rms_pac_info_t *info, const rms_mem_t *mem,
    rms_pac_t *out);
static void rms_pac_fill_groups(const rms_pac_info_t *info,
    const rms_sid_t *user, rms_sid_set_t *set);
static void rms_pac_fill_list(const rms_pac_list_t *list,
    const rms_sid_t *domain, rms_sid_set_t *set);
static void rms_pac_fill_extras(const rms_pac_info_t *info,
    rms_sid_set_t *set);
static int rms_pac_counts(uint32_t attributes);
static unsigned char *rms_pac_utf8(const rms_str_t *utf16, unsigned char *p,
    rms_str_t *out);
static unsigned char *rms_pac_put(unsigned char *p, uint32_t c);


rms_rc_e
rms_pac_parse(const rms_str_t *in, const rms_mem_t *mem, rms_pac_t *out)
{
    rms_rc_e        rc;
    rms_ndr_t       ndr;
    rms_sid_t       user;
    rms_pac_info_t  info;

    memset(out, 0, sizeof(rms_pac_t));
    memset(&info, 0, sizeof(rms_pac_info_t));

    rms_ndr_init(&ndr, in);
    rms_pac_fixed(&ndr, &info);

    if (ndr.failed) {
        return RMS_INVALID;
    }

    if (!rms_pac_within_bounds(&info)) {
        return RMS_TOO_LARGE;
    }

    rms_pac_deferred(&ndr, &info);
    rms_ndr_end(&ndr);

    if (ndr.failed) {
        return RMS_INVALID;
    }

    rc = rms_pac_user(&info, &user);

    if (rc == RMS_OK) {
        rc = rms_pac_fill(&info, mem, out);
    }

    if (rc != RMS_OK) {
        return rc;
    }

    out->user = user;
    rms_pac_fill_groups(&info, &user, &out->sids);

    return RMS_OK;
}


/* The structure itself; what its pointers point to comes after it. */

static void
rms_pac_fixed(rms_ndr_t *ndr, rms_pac_info_t *info)
{
    size_t  i;

    if (rms_ndr_u32(ndr) == 0) {
        ndr->failed = 1;
    }

    (void) rms_ndr_take(ndr, 6 * 8);            /* times                 */

    for (i = 0; i < RMS_PAC_LOGON_SERVER; i++) {
        info->strings[i] = rms_ndr_string(ndr);
    }

    (void) rms_ndr_take(ndr, 2 * 2);            /* counts of logons      */

    info->user_id = rms_ndr_u32(ndr);
    info->primary_group = rms_ndr_u32(ndr);
    info->groups.n = rms_ndr_u32(ndr);
    info->groups.pointer = rms_ndr_u32(ndr);
    info->user_flags = rms_ndr_u32(ndr);

    (void) rms_ndr_take(ndr, 16);               /* UserSessionKey        */

    for ( /* void */ ; i < RMS_PAC_STRINGS; i++) {
        info->strings[i] = rms_ndr_string(ndr);
    }

    info->domain_pointer = rms_ndr_u32(ndr);

    (void) rms_ndr_take(ndr, 2 * 4);            /* Reserved1             */

    info->account_control = rms_ndr_u32(ndr);

    (void) rms_ndr_take(ndr, 4 + 2 * 8 + 2 * 4);    /* to Reserved3      */

    info->extras.n = rms_ndr_u32(ndr);
    info->extras.pointer = rms_ndr_u32(ndr);
    info->resource_domain_pointer = rms_ndr_u32(ndr);
    info->resources.n = rms_ndr_u32(ndr);
    info->resources.pointer = rms_ndr_u32(ndr);
}


/* Each count is small before they are added up. */

static int
rms_pac_within_bounds(const rms_pac_info_t *info)
{
    const uint32_t  max = RMS_PAC_GROUPS_MAX;

    return info->groups.n <= max
           && info->extras.n <= max
           && info->resources.n <= max
           && info->groups.n + info->extras.n + info->resources.n <= max
           && info->strings[RMS_PAC_EFFECTIVE_NAME].len / 2u
              <= RMS_PAC_NAME_MAX
           && info->strings[RMS_PAC_LOGON_DOMAIN].len / 2u
              <= RMS_PAC_NAME_MAX;
}


/* In the order of the pointers, [C706] 14.3.12.3. */

static void
rms_pac_deferred(rms_ndr_t *ndr, rms_pac_info_t *info)
{
    size_t  i;

    info->name = rms_ndr_chars(ndr, &info->strings[RMS_PAC_EFFECTIVE_NAME]);

    for (i = 1; i < RMS_PAC_LOGON_SERVER; i++) {
        (void) rms_ndr_chars(ndr, &info->strings[i]);
    }

    rms_pac_deferred_list(ndr, &info->groups);

    (void) rms_ndr_chars(ndr, &info->strings[RMS_PAC_LOGON_SERVER]);
    info->domain_name = rms_ndr_chars(ndr,
                                      &info->strings[RMS_PAC_LOGON_DOMAIN]);

    rms_pac_deferred_domain(ndr, info->domain_pointer, &info->domain);

    rms_pac_deferred_list(ndr, &info->extras);
    rms_pac_deferred_extras(ndr, info);

    if (info->resource_domain_pointer || info->resources.n) {
        rms_pac_deferred_domain(ndr, info->resource_domain_pointer,
                                &info->resource_domain);
    }

    rms_pac_deferred_list(ndr, &info->resources);
}


static void
rms_pac_deferred_list(rms_ndr_t *ndr, rms_pac_list_t *list)
{
    if (list->pointer) {
        list->items = rms_ndr_array(ndr, list->n, 8);

    } else if (list->n) {
        ndr->failed = 1;
    }
}


/* A SID that others are made of: it must be there and have room for a RID. */

static void
rms_pac_deferred_domain(rms_ndr_t *ndr, uint32_t pointer, rms_sid_t *domain)
{
    rms_pac_sid(ndr, domain);

    if (pointer == 0 || domain->n == RMS_SID_SUBS_MAX) {
        ndr->failed = 1;
    }
}


/* The SIDs follow the list of pointers to them. */

static void
rms_pac_deferred_extras(rms_ndr_t *ndr, rms_pac_info_t *info)
{
    uint32_t   i;
    rms_sid_t  sid, domain, last;

    info->extra_sids = *ndr;
    memset(&last, 0, sizeof(rms_sid_t));

    for (i = 0; i < info->extras.n && !ndr->failed; i++) {

        if (rms_ndr_load32(info->extras.items + i * 8) == 0) {
            ndr->failed = 1;
            return;
        }

        rms_pac_sid(ndr, &sid);

        if (ndr->failed) {
            return;
        }

        if (i == 0) {
            info->first_extra = sid;
        }

        (void) rms_sid_split(&sid, &domain);

        if (i == 0 || rms_sid_cmp(&domain, &last) != 0) {
            info->extra_domains++;
            last = domain;
        }
    }
}


/* An RPC_SID ([MS-DTYP] 2.4.2.3): its count stands before and in it. */

static void
rms_pac_sid(rms_ndr_t *ndr, rms_sid_t *sid)
{
    uint32_t   n;
    rms_str_t  binary;

    n = rms_ndr_u32(ndr);

    if (n > RMS_SID_SUBS_MAX) {
        ndr->failed = 1;
        return;
    }

    binary.len = 8 + 4 * n;
    binary.data = rms_ndr_take(ndr, binary.len);

    if (binary.data != NULL && rms_sid_read(&binary, sid) != RMS_OK) {
        ndr->failed = 1;
    }
}


/*
 * An account without a RID is the first of ExtraSids ([MS-PAC] 2.5, UserId).
 */

static rms_rc_e
rms_pac_user(const rms_pac_info_t *info, rms_sid_t *user)
{
    if (info->user_id) {
        return rms_sid_join(&info->domain, info->user_id, user);
    }

    if (info->extras.n == 0 || !(info->user_flags & RMS_PAC_EXTRA_SIDS)) {
        return RMS_INVALID;
    }

    *user = info->first_extra;

    return RMS_OK;
}


/* Takes the memory; the set is empty still. */

static rms_rc_e
rms_pac_fill(const rms_pac_info_t *info, const rms_mem_t *mem, rms_pac_t *out)
{
    size_t          domains, members, size;
    unsigned char  *p;

    /* of the user, of the groups, of the resource groups, of the others */

    domains = 3 + info->extra_domains;
    members = 2 + info->groups.n + info->extras.n + info->resources.n;
    size = rms_sid_set_size(domains, members);

    /* a unit of UTF-16 takes three bytes of UTF-8 at most */

    p = rms_alloc(mem, size + (info->name.len + info->domain_name.len) / 2 * 3);

    if (p == NULL) {
        return RMS_NOMEM;
    }

    out->memory = p;
    out->user_flags = info->user_flags;
    out->account_control = info->account_control;

    rms_sid_set_init(&out->sids, p, domains, members);

    p = rms_pac_utf8(&info->name, p + size, &out->name);
    (void) rms_pac_utf8(&info->domain_name, p, &out->domain);

    return RMS_OK;
}


/*
 * Bits D and H must be set when there are such SIDs.  Where they are not,
 * Windows puts none of them into the token, and so none counts here.
 */

static void
rms_pac_fill_groups(const rms_pac_info_t *info, const rms_sid_t *user,
    rms_sid_set_t *set)
{
    uint32_t   rid;
    rms_sid_t  domain;

    rid = rms_sid_split(user, &domain);
    rms_sid_set_add(set, &domain, rid);

    if (info->primary_group) {
        rms_sid_set_add(set, &info->domain, info->primary_group);
    }

    rms_pac_fill_list(&info->groups, &info->domain, set);

    if (info->user_flags & RMS_PAC_EXTRA_SIDS) {
        rms_pac_fill_extras(info, set);
    }

    if (info->user_flags & RMS_PAC_RESOURCE_GROUPS) {
        rms_pac_fill_list(&info->resources, &info->resource_domain, set);
    }

    rms_sid_set_close(set);
}


static void
rms_pac_fill_list(const rms_pac_list_t *list, const rms_sid_t *domain,
    rms_sid_set_t *set)
{
    uint32_t              i;
    const unsigned char  *item;

    for (i = 0; i < list->n; i++) {
        item = list->items + i * 8;

        if (rms_pac_counts(rms_ndr_load32(item + 4))) {
            rms_sid_set_add(set, domain, rms_ndr_load32(item));
        }
    }
}


static void
rms_pac_fill_extras(const rms_pac_info_t *info, rms_sid_set_t *set)
{
    uint32_t   i, rid;
    rms_ndr_t  ndr;
    rms_sid_t  sid, domain;

    ndr = info->extra_sids;

    for (i = 0; i < info->extras.n; i++) {
        rms_pac_sid(&ndr, &sid);

        if (rms_pac_counts(rms_ndr_load32(info->extras.items + i * 8 + 4))) {
            rid = rms_sid_split(&sid, &domain);
            rms_sid_set_add(set, &domain, rid);
        }
    }
}


static int
rms_pac_counts(uint32_t attributes)
{
    return (attributes & RMS_PAC_GROUP_ENABLED)
           && !(attributes & RMS_PAC_GROUP_DENY_ONLY);
}


/* Names are for people to read: half a pair becomes U+FFFD. */

static unsigned char *
rms_pac_utf8(const rms_str_t *utf16, unsigned char *p, rms_str_t *out)
{
    size_t    i;
    uint32_t  c, low;

    out->data = p;

    for (i = 0; i < utf16->len; i += 2) {
        c = (uint32_t) utf16->data[i] | (uint32_t) utf16->data[i + 1] << 8;

        if (c >= 0xd800 && c < 0xe000) {
            low = 0;

            if (c < 0xdc00 && i + 2 < utf16->len) {
                low = (uint32_t) utf16->data[i + 2]
                      | (uint32_t) utf16->data[i + 3] << 8;
            }

            if (low >= 0xdc00 && low < 0xe000) {
                c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
                i += 2;

            } else {
                c = 0xfffd;
            }
        }

        p = rms_pac_put(p, c);
    }

    out->len = (size_t) (p - out->data);

    return p;
}


static unsigned char *
rms_pac_put(unsigned char *p, uint32_t c)
{
    if (c < 0x80) {
        *p++ = (unsigned char) c;

    } else if (c < 0x800) {
        *p++ = (unsigned char) (0xc0 | c >> 6);
        *p++ = (unsigned char) (0x80 | (c & 0x3f));

    } else if (c < 0x10000) {
        *p++ = (unsigned char) (0xe0 | c >> 12);
        *p++ = (unsigned char) (0x80 | (c >> 6 & 0x3f));
        *p++ = (unsigned char) (0x80 | (c & 0x3f));

    } else {
        *p++ = (unsigned char) (0xf0 | c >> 18);
        *p++ = (unsigned char) (0x80 | (c >> 12 & 0x3f));
        *p++ = (unsigned char) (0x80 | (c >> 6 & 0x3f));
        *p++ = (unsigned char) (0x80 | (c & 0x3f));
    }

    return p;
}
