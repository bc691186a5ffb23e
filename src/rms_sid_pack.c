/*
 * Sets of SIDs as bytes, numbers little-endian:
 *
 *     domains 2, and for each, ascending: sub-authorities 1, authority 6, each
 *     sub-authority 4; members 2, each RID 4, ascending
 */

#include "rms_sid_pack.h"


/* The least a domain takes: without sub-authorities, with one member. */

#define RMS_SID_PACK_DOMAIN  (1 + 6 + 2 + 4)


typedef struct {
    unsigned char  *p;
    size_t          left;
} rms_sid_in_t;


static size_t rms_sid_pack_size(const rms_sid_set_t *set);
static unsigned char *rms_sid_pack_number(unsigned char *p, uint64_t n,
    size_t bytes);
static unsigned char *rms_sid_pack_domain(unsigned char *p,
    const rms_sid_t *domain);
static int rms_sid_unpack_number(rms_sid_in_t *in, size_t bytes,
    uint64_t *n);
static int rms_sid_unpack_domain(rms_sid_in_t *in, rms_sid_t *domain);
static int rms_sid_unpack_members(rms_sid_in_t *in, const rms_sid_t *domain,
    rms_sid_set_t *set);
static int rms_sid_unpack_all(rms_sid_in_t *in, uint64_t domains,
    rms_sid_set_t *set);


rms_rc_e
rms_sid_pack(const rms_sid_set_t *set, rms_str_t *dst)
{
    size_t          i, n, d;
    unsigned char  *p;

    if (set->n_domains > UINT16_MAX || rms_sid_pack_size(set) > dst->len) {
        return RMS_TOO_LARGE;
    }

    p = rms_sid_pack_number(dst->data, set->n_domains, 2);

    for (d = 0, i = 0; d < set->n_domains; d++) {
        p = rms_sid_pack_domain(p, &set->domains[d].sid);

        for (n = i; n < set->n_members && set->members[n] >> 32 == d; n++) {
            /* void */
        }

        if (n - i > UINT16_MAX) {
            return RMS_TOO_LARGE;
        }

        p = rms_sid_pack_number(p, n - i, 2);

        for ( ; i < n; i++) {
            p = rms_sid_pack_number(p, set->members[i] & UINT32_MAX, 4);
        }
    }

    dst->len = (size_t) (p - dst->data);

    return RMS_OK;
}


static size_t
rms_sid_pack_size(const rms_sid_set_t *set)
{
    size_t  d, size;

    size = 2 + 4 * set->n_members;

    for (d = 0; d < set->n_domains; d++) {
        size += 1 + 6 + 4 * (size_t) set->domains[d].sid.n + 2;
    }

    return size;
}


static unsigned char *
rms_sid_pack_number(unsigned char *p, uint64_t n, size_t bytes)
{
    for ( ; bytes != 0; bytes--) {
        *p++ = (unsigned char) (n & 0xff);
        n >>= 8;
    }

    return p;
}


static unsigned char *
rms_sid_pack_domain(unsigned char *p, const rms_sid_t *domain)
{
    uint32_t  i;

    p = rms_sid_pack_number(p, domain->n, 1);
    p = rms_sid_pack_number(p, domain->authority, 6);

    for (i = 0; i < domain->n; i++) {
        p = rms_sid_pack_number(p, domain->sub[i], 4);
    }

    return p;
}


rms_rc_e
rms_sid_unpack(const rms_str_t *src, const rms_mem_t *mem,
    rms_sid_set_t *set)
{
    void         *memory;
    uint64_t      domains;
    rms_sid_in_t  in;

    memset(set, 0, sizeof(rms_sid_set_t));

    in.p = src->data;
    in.left = src->len;

    /* neither number can be more than the bytes have room for */

    if (!rms_sid_unpack_number(&in, 2, &domains)
        || domains > in.left / RMS_SID_PACK_DOMAIN)
    {
        return RMS_INVALID;
    }

    if (domains == 0) {
        return in.left == 0 ? RMS_OK : RMS_INVALID;
    }

    memory = rms_alloc(mem, rms_sid_set_size(domains, in.left / 4));
    if (memory == NULL) {
        return RMS_NOMEM;
    }

    rms_sid_set_init(set, memory, domains, in.left / 4);

    if (!rms_sid_unpack_all(&in, domains, set)) {
        set->n_domains = 0;
        set->n_members = 0;
        return RMS_INVALID;
    }

    return RMS_OK;
}


/* What ascends without a repetition is closed as it is. */

static int
rms_sid_unpack_all(rms_sid_in_t *in, uint64_t domains, rms_sid_set_t *set)
{
    uint64_t   d;
    rms_sid_t  domain, last;

    for (d = 0; d < domains; d++) {

        if (!rms_sid_unpack_domain(in, &domain)
            || (d != 0 && rms_sid_cmp(&last, &domain) >= 0)
            || !rms_sid_unpack_members(in, &domain, set))
        {
            return 0;
        }

        last = domain;
    }

    return in->left == 0;
}


static int
rms_sid_unpack_domain(rms_sid_in_t *in, rms_sid_t *domain)
{
    uint32_t  i;
    uint64_t  n;

    memset(domain, 0, sizeof(rms_sid_t));

    /* there is room for the RID */

    if (!rms_sid_unpack_number(in, 1, &n) || n >= RMS_SID_SUBS_MAX
        || !rms_sid_unpack_number(in, 6, &domain->authority))
    {
        return 0;
    }

    domain->n = (uint32_t) n;

    for (i = 0; i < domain->n; i++) {

        if (!rms_sid_unpack_number(in, 4, &n)) {
            return 0;
        }

        domain->sub[i] = (uint32_t) n;
    }

    return 1;
}


/*
 * Each request of a session does this: so the first member makes the domain
 * known to the set, and the others are only counted on from it.
 */

static int
rms_sid_unpack_members(rms_sid_in_t *in, const rms_sid_t *domain,
    rms_sid_set_t *set)
{
    uint32_t        rid, last;
    uint64_t        i, n, high;
    unsigned char  *p;

    if (!rms_sid_unpack_number(in, 2, &n) || n == 0 || n > in->left / 4) {
        return 0;
    }

    for (i = 0, high = 0, last = 0; i < n; i++) {
        p = in->p + 4 * i;
        rid = (uint32_t) p[0] | (uint32_t) p[1] << 8 | (uint32_t) p[2] << 16
              | (uint32_t) p[3] << 24;

        if (i == 0) {
            rms_sid_set_add(set, domain, rid);
            high = (uint64_t) (set->n_domains - 1) << 32;

        } else if (rid > last) {
            set->members[set->n_members++] = high | rid;

        } else {
            return 0;
        }

        last = rid;
    }

    in->p += 4 * n;
    in->left -= (size_t) (4 * n);

    return 1;
}


static int
rms_sid_unpack_number(rms_sid_in_t *in, size_t bytes, uint64_t *n)
{
    size_t  i;

    if (in->left < bytes) {
        return 0;
    }

    for (i = 0, *n = 0; i < bytes; i++) {
        *n |= (uint64_t) in->p[i] << (8 * i);
    }

    in->p += bytes;
    in->left -= bytes;

    return 1;
}
