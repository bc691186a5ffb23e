/*
 * Logon information of a PAC, built from a description: an encoder that
 * shares nothing with the reader it tests ([MS-PAC] 2.5, [MS-RPCE] 2.2.6).
 * What it gives is malloc'd.
 */

#ifndef TEST_PAC_H
#define TEST_PAC_H


#include <stdlib.h>

#include "rms_pac.h"


/* where the fields of the fixed part stand */

#define PAC_AT_LENGTH           8
#define PAC_AT_REFERENT         16
#define PAC_AT_NAME             68
#define PAC_AT_USER             120
#define PAC_AT_GROUPS           128
#define PAC_AT_FLAGS            136
#define PAC_AT_DOMAIN_NAME      164
#define PAC_AT_DOMAIN           172
#define PAC_AT_EXTRAS           216
#define PAC_AT_RESOURCE_DOMAIN  224
#define PAC_AT_RESOURCES        228
#define PAC_AT_DEFERRED         236

#define PAC_EXTRA               0x20
#define PAC_RESOURCE            0x200


typedef struct {
    uint32_t    rid;
    uint32_t    attributes;
} pac_group_t;


typedef struct {
    rms_sid_t   sid;
    uint32_t    attributes;
} pac_extra_t;


typedef struct {
    const char         *name;           /* ASCII                         */
    const char         *domain_name;
    rms_sid_t           domain;
    uint32_t            user;
    uint32_t            primary;
    uint32_t            flags;
    uint32_t            control;
    uint32_t            n_groups;
    const pac_group_t  *groups;
    uint32_t            n_extras;
    const pac_extra_t  *extras;
    rms_sid_t           resource_domain;        /* n of 0: none          */
    uint32_t            n_resources;
    const pac_group_t  *resources;
} pac_spec_t;


typedef struct {
    unsigned char      *data;
    size_t              len;
    size_t              size;
    uint32_t            referent;
} pac_buffer_t;


/* Room for n bytes more, zeroed. */

static inline unsigned char *
pac_zero(pac_buffer_t *b, size_t n)
{
    unsigned char  *p;

    if (n > b->size - b->len) {
        b->size = b->size * 2 + n + 2048;
        b->data = realloc(b->data, b->size);
        if (b->data == NULL) {
            abort();
        }
    }

    p = b->data + b->len;
    b->len += n;
    memset(p, 0, n);

    return p;
}


static inline void
pac_byte(pac_buffer_t *b, unsigned c)
{
    pac_zero(b, 1)[0] = (unsigned char) c;
}


static inline void
pac_u16(pac_buffer_t *b, size_t v)
{
    unsigned char  *p;

    p = pac_zero(b, 2);
    p[0] = (unsigned char) (v & 0xff);
    p[1] = (unsigned char) (v >> 8 & 0xff);
}


static inline void
pac_u32(pac_buffer_t *b, size_t v)
{
    unsigned char  *p;

    p = pac_zero(b, 4);
    p[0] = (unsigned char) (v & 0xff);
    p[1] = (unsigned char) (v >> 8 & 0xff);
    p[2] = (unsigned char) (v >> 16 & 0xff);
    p[3] = (unsigned char) (v >> 24 & 0xff);
}


static inline void
pac_pointer(pac_buffer_t *b, int there)
{
    pac_u32(b, there ? (b->referent += 4) : 0);
}


static inline void
pac_string(pac_buffer_t *b, const char *s)
{
    pac_u16(b, strlen(s) * 2);
    pac_u16(b, strlen(s) * 2);
    pac_pointer(b, 1);
}


static inline void
pac_chars(pac_buffer_t *b, const char *s)
{
    pac_u32(b, strlen(s));
    pac_u32(b, 0);
    pac_u32(b, strlen(s));

    while (*s) {
        pac_u16(b, (unsigned char) *s++);
    }

    (void) pac_zero(b, (4 - b->len % 4) % 4);
}


static inline void
pac_sid(pac_buffer_t *b, const rms_sid_t *sid)
{
    size_t    i;
    unsigned  shift;

    pac_u32(b, sid->n);
    pac_byte(b, 1);
    pac_byte(b, sid->n);

    for (shift = 48; shift; shift -= 8) {
        pac_byte(b, (unsigned) (sid->authority >> (shift - 8) & 0xff));
    }

    for (i = 0; i < sid->n; i++) {
        pac_u32(b, sid->sub[i]);
    }
}


static inline void
pac_groups(pac_buffer_t *b, const pac_group_t *groups, uint32_t n)
{
    uint32_t  i;

    if (n == 0) {
        return;
    }

    pac_u32(b, n);

    for (i = 0; i < n; i++) {
        pac_u32(b, groups[i].rid);
        pac_u32(b, groups[i].attributes);
    }
}


static inline void
pac_fixed(pac_buffer_t *b, const pac_spec_t *spec)
{
    size_t  i;

    (void) pac_zero(b, 6 * 8);
    pac_string(b, spec->name);

    for (i = 0; i < 5; i++) {
        pac_string(b, "");
    }

    (void) pac_zero(b, 4);
    pac_u32(b, spec->user);
    pac_u32(b, spec->primary);
    pac_u32(b, spec->n_groups);
    pac_pointer(b, spec->n_groups != 0);
    pac_u32(b, spec->flags);
    (void) pac_zero(b, 16);
    pac_string(b, "DC1");
    pac_string(b, spec->domain_name);
    pac_pointer(b, 1);
    (void) pac_zero(b, 8);
    pac_u32(b, spec->control);
    (void) pac_zero(b, 4 + 2 * 8 + 8);
    pac_u32(b, spec->n_extras);
    pac_pointer(b, spec->n_extras != 0);
    pac_pointer(b, spec->resource_domain.n != 0);
    pac_u32(b, spec->n_resources);
    pac_pointer(b, spec->n_resources != 0);
}


static inline void
pac_deferred(pac_buffer_t *b, const pac_spec_t *spec)
{
    size_t  i;

    pac_chars(b, spec->name);

    for (i = 0; i < 5; i++) {
        pac_chars(b, "");
    }

    pac_groups(b, spec->groups, spec->n_groups);
    pac_chars(b, "DC1");
    pac_chars(b, spec->domain_name);
    pac_sid(b, &spec->domain);

    if (spec->n_extras) {
        pac_u32(b, spec->n_extras);
    }

    for (i = 0; i < spec->n_extras; i++) {
        pac_pointer(b, 1);
        pac_u32(b, spec->extras[i].attributes);
    }

    for (i = 0; i < spec->n_extras; i++) {
        pac_sid(b, &spec->extras[i].sid);
    }

    if (spec->resource_domain.n) {
        pac_sid(b, &spec->resource_domain);
    }

    pac_groups(b, spec->resources, spec->n_resources);
}


/* Writes four bytes at a place, as a test wants them. */

static inline void
pac_poke(rms_str_t *blob, size_t at, size_t value)
{
    blob->data[at] = value & 0xff;
    blob->data[at + 1] = value >> 8 & 0xff;
    blob->data[at + 2] = value >> 16 & 0xff;
    blob->data[at + 3] = value >> 24 & 0xff;
}


static inline rms_str_t
pac_build(const pac_spec_t *spec)
{
    rms_str_t     blob;
    pac_buffer_t  b;

    memset(&b, 0, sizeof(pac_buffer_t));
    b.referent = 0x20000;

    pac_u32(&b, 0x00081001);
    pac_u32(&b, 0xcccccccc);
    (void) pac_zero(&b, 8);
    pac_u32(&b, b.referent);
    pac_fixed(&b, spec);
    pac_deferred(&b, spec);
    (void) pac_zero(&b, (8 - b.len % 8) % 8);

    blob.data = b.data;
    blob.len = b.len;
    pac_poke(&blob, PAC_AT_LENGTH, b.len - 16);

    return blob;
}


static inline rms_sid_t
pac_sid_of(const char *text)
{
    rms_sid_t  sid;
    rms_str_t  s;

    s.data = (unsigned char *) text;
    s.len = strlen(text);

    if (rms_sid_parse(&s, &sid) != RMS_OK) {
        abort();
    }

    return sid;
}


/* An account of S-1-5-21-1-2-3 with a group in each list. */

static inline pac_spec_t
pac_spec(void)
{
    pac_spec_t  spec;

    static const pac_group_t  groups[] = { { 513, 7 }, { 1118, 7 } };
    static const pac_group_t  resources[] = { { 1119, 0x20000007 } };
    static const pac_extra_t  extras[] = {
        { { 18, 1, { 1 } }, 7 },
        { { 5, 5, { 21, 7, 8, 9, 1500 } }, 7 }
    };

    memset(&spec, 0, sizeof(pac_spec_t));
    spec.name = "EXCH01$";
    spec.domain_name = "CONTOSO";
    spec.domain = pac_sid_of("S-1-5-21-1-2-3");
    spec.user = 1105;
    spec.primary = 515;
    spec.flags = PAC_EXTRA | PAC_RESOURCE;
    spec.control = RMS_PAC_WORKSTATION_TRUST;
    spec.n_groups = 2;
    spec.groups = groups;
    spec.n_extras = 2;
    spec.extras = extras;
    spec.resource_domain = pac_sid_of("S-1-5-21-4-5-6");
    spec.n_resources = 1;
    spec.resources = resources;

    return spec;
}


#endif /* TEST_PAC_H */
