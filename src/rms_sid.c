/*
 * Security identifiers ([MS-DTYP] 2.4.2): one spelling, one binary form.
 * Pure functions, any thread; nothing is allocated.
 */

#include "rms_sid.h"


#define RMS_SID_DIGITS_MAX  10          /* of 4294967295                 */
#define RMS_SID_HEX_DIGITS  12          /* of an authority of 48 bits    */


static int rms_sid_authority(const rms_str_t *text, size_t *at,
    uint64_t *value);
static int rms_sid_number(const rms_str_t *text, size_t *at, uint32_t *value);
static char *rms_sid_print(char *p, uint32_t value);
static char *rms_sid_print_hex(char *p, uint64_t value);


rms_rc_e
rms_sid_parse(const rms_str_t *text, rms_sid_t *sid)
{
    size_t  at;

    memset(sid, 0, sizeof(rms_sid_t));

    if (text->len < 4 || memcmp(text->data, "S-1-", 4) != 0) {
        return RMS_INVALID;
    }

    at = 4;

    if (!rms_sid_authority(text, &at, &sid->authority)) {
        return RMS_INVALID;
    }

    while (at < text->len) {

        if (text->data[at++] != '-' || sid->n == RMS_SID_SUBS_MAX
            || !rms_sid_number(text, &at, &sid->sub[sid->n]))
        {
            return RMS_INVALID;
        }

        sid->n++;
    }

    return sid->n ? RMS_OK : RMS_INVALID;
}


static int
rms_sid_authority(const rms_str_t *text, size_t *at, uint64_t *value)
{
    size_t         i;
    uint32_t       small;
    unsigned char  c;

    if (text->len - *at < 2 || memcmp(text->data + *at, "0x", 2) != 0) {

        if (!rms_sid_number(text, at, &small)) {
            return 0;
        }

        *value = small;
        return 1;
    }

    *at += 2;

    if (text->len - *at < RMS_SID_HEX_DIGITS) {
        return 0;
    }

    *value = 0;

    for (i = 0; i < RMS_SID_HEX_DIGITS; i++) {
        c = text->data[(*at)++];

        if (c >= '0' && c <= '9') {
            *value = *value * 16 + (uint64_t) (c - '0');

        } else if (c >= 'a' && c <= 'f') {
            *value = *value * 16 + (uint64_t) (c - 'a' + 10);

        } else {
            return 0;
        }
    }

    /* a smaller one is written in decimal */

    return *value > UINT32_MAX;
}


/* Takes the decimal number at *at; no leading zeros. */

static int
rms_sid_number(const rms_str_t *text, size_t *at, uint32_t *value)
{
    size_t          n;
    uint64_t        v;
    unsigned char  *p;

    p = text->data + *at;
    v = 0;

    for (n = 0; *at + n < text->len; n++) {

        if (p[n] < '0' || p[n] > '9') {
            break;
        }

        if (n == RMS_SID_DIGITS_MAX) {
            return 0;
        }

        v = v * 10 + (uint64_t) (p[n] - '0');
    }

    if (n == 0 || v > UINT32_MAX || (n > 1 && p[0] == '0')) {
        return 0;
    }

    *at += n;
    *value = (uint32_t) v;

    return 1;
}


/*
 * Revision, number of sub-authorities, authority with its high byte first,
 * sub-authorities with their low byte first.
 */

rms_rc_e
rms_sid_read(const rms_str_t *binary, rms_sid_t *sid)
{
    size_t                i, n;
    const unsigned char  *p;

    memset(sid, 0, sizeof(rms_sid_t));

    p = binary->data;

    if (binary->len < 8 || p[0] != 1) {
        return RMS_INVALID;
    }

    n = p[1];

    if (n == 0 || n > RMS_SID_SUBS_MAX || binary->len != 8 + 4 * n) {
        return RMS_INVALID;
    }

    sid->n = (uint32_t) n;

    for (i = 2; i < 8; i++) {
        sid->authority = sid->authority << 8 | p[i];
    }

    for (i = 0, p += 8; i < n; i++, p += 4) {
        sid->sub[i] = (uint32_t) p[0] | (uint32_t) p[1] << 8
                      | (uint32_t) p[2] << 16 | (uint32_t) p[3] << 24;
    }

    return RMS_OK;
}


size_t
rms_sid_format(const rms_sid_t *sid, char *text)
{
    char    *p;
    size_t   i;

    memcpy(text, "S-1-", 4);
    p = text + 4;

    if (sid->authority > UINT32_MAX) {
        p = rms_sid_print_hex(p, sid->authority);

    } else {
        p = rms_sid_print(p, (uint32_t) sid->authority);
    }

    for (i = 0; i < sid->n; i++) {
        *p++ = '-';
        p = rms_sid_print(p, sid->sub[i]);
    }

    return (size_t) (p - text);
}


static char *
rms_sid_print(char *p, uint32_t value)
{
    char    digits[RMS_SID_DIGITS_MAX];
    size_t  n;

    n = 0;

    do {
        digits[n++] = (char) ('0' + value % 10);
        value /= 10;
    } while (value);

    while (n) {
        *p++ = digits[--n];
    }

    return p;
}


static char *
rms_sid_print_hex(char *p, uint64_t value)
{
    unsigned  shift;

    *p++ = '0';
    *p++ = 'x';

    for (shift = 4 * RMS_SID_HEX_DIGITS; shift > 0; shift -= 4) {
        *p++ = "0123456789abcdef"[(value >> (shift - 4)) & 15];
    }

    return p;
}


int
rms_sid_cmp(const rms_sid_t *a, const rms_sid_t *b)
{
    size_t  i;

    if (a->authority != b->authority) {
        return (a->authority < b->authority) ? -1 : 1;
    }

    if (a->n != b->n) {
        return (a->n < b->n) ? -1 : 1;
    }

    for (i = 0; i < a->n; i++) {
        if (a->sub[i] != b->sub[i]) {
            return (a->sub[i] < b->sub[i]) ? -1 : 1;
        }
    }

    return 0;
}


uint32_t
rms_sid_split(const rms_sid_t *sid, rms_sid_t *domain)
{
    uint32_t  rid;

    rid = sid->sub[sid->n - 1];

    *domain = *sid;
    domain->n--;
    domain->sub[domain->n] = 0;

    return rid;
}


rms_rc_e
rms_sid_join(const rms_sid_t *domain, uint32_t rid, rms_sid_t *sid)
{
    if (domain->n >= RMS_SID_SUBS_MAX) {
        return RMS_TOO_LARGE;
    }

    *sid = *domain;
    sid->sub[sid->n++] = rid;

    return RMS_OK;
}
