/*
 * NTLMSSP messages ([MS-NLMP] 2.2.1, 2.2.2).  Pure functions, any thread;
 * what is written goes into structures of the caller.
 */

#include "rms_ntlm.h"


/* [MS-NLMP] 2.2.2.5 */

#define RMS_NTLM_UNICODE       0x00000001u
#define RMS_NTLM_KEY_EXCHANGE  0x40000000u

/* [MS-NLMP] 2.2.2.1 */

#define RMS_NTLM_AV_EOL        0
#define RMS_NTLM_AV_FLAGS      6
#define RMS_NTLM_AV_CHANNEL    10
#define RMS_NTLM_AV_FLAG_MIC   0x00000002u

/* lengths: of messages with Version, and MIC; of an NTLMv2 response */

#define RMS_NTLM_NEGOTIATE_MIN     40
#define RMS_NTLM_CHALLENGE_MIN     48
#define RMS_NTLM_AUTHENTICATE_MIN  88
#define RMS_NTLM_HEADER            64
#define RMS_NTLM_V1_LEN            24
#define RMS_NTLM_V2_HEADER         (16 + 28)
#define RMS_NTLM_KEY_LEN           16


static uint32_t rms_ntlm_u16(const unsigned char *p);
static uint32_t rms_ntlm_u32(const unsigned char *p);
static int rms_ntlm_field(const rms_str_t *message, size_t at,
    rms_str_t *field);
static int rms_ntlm_name(const rms_str_t *field, unsigned char *buf,
    rms_str_t *name);
static size_t rms_ntlm_utf8(uint32_t c, unsigned char *p);
static const char *rms_ntlm_user(const rms_ntlm_authenticate_t *out);
static const char *rms_ntlm_responses(const rms_str_t *message,
    uint32_t challenge, rms_ntlm_authenticate_t *out);
static int rms_ntlm_pairs(const rms_str_t *response,
    rms_ntlm_authenticate_t *out);
static int rms_ntlm_zero(const rms_str_t *s);
static int rms_ntlm_sids_next(rms_str_t *text, rms_sid_t *sid);


static uint32_t
rms_ntlm_u16(const unsigned char *p)
{
    return (uint32_t) p[0] | (uint32_t) p[1] << 8;
}


static uint32_t
rms_ntlm_u32(const unsigned char *p)
{
    return rms_ntlm_u16(p) | rms_ntlm_u16(p + 2) << 16;
}


unsigned
rms_ntlm_type(const rms_str_t *message)
{
    uint32_t  type;

    if (message->len < 12 || memcmp(message->data, "NTLMSSP", 8) != 0) {
        return 0;
    }

    type = rms_ntlm_u32(message->data + 8);

    return (type <= RMS_NTLM_AUTHENTICATE) ? type : 0;
}


uint32_t
rms_ntlm_challenge_flags(const rms_str_t *message)
{
    if (rms_ntlm_type(message) != RMS_NTLM_CHALLENGE
        || message->len < RMS_NTLM_CHALLENGE_MIN)
    {
        return 0;
    }

    return rms_ntlm_u32(message->data + 20);
}


/*
 * [MS-NLMP] 2.2.1.1.  gss-ntlmssp takes a shorter one for a mistake; it is
 * read here up to the same place, so that nothing is read beyond it there.
 */

const char *
rms_ntlm_negotiate_check(const rms_str_t *message)
{
    if (rms_ntlm_type(message) != RMS_NTLM_NEGOTIATE) {
        return "not an NTLM NEGOTIATE_MESSAGE";
    }

    if (message->len < RMS_NTLM_NEGOTIATE_MIN) {
        return "NTLM NEGOTIATE_MESSAGE without the Version field, from a "
               "client that is not supported";
    }

    if (message->len > RMS_NTLM_MESSAGE_MAX) {
        return "NTLM message too large";
    }

    /* in another character set the account would be anybody's guess */

    if (!(rms_ntlm_u32(message->data + 12) & RMS_NTLM_UNICODE)) {
        return "NTLM client without Unicode";
    }

    return NULL;
}


/* [MS-NLMP] 2.2.1.3 */

const char *
rms_ntlm_authenticate_read(const rms_str_t *message, uint32_t challenge,
    rms_ntlm_authenticate_t *out)
{
    rms_str_t    domain, user;
    const char  *wrong;

    memset(out, 0, sizeof(rms_ntlm_authenticate_t));

    if (rms_ntlm_type(message) != RMS_NTLM_AUTHENTICATE
        || message->len < RMS_NTLM_AUTHENTICATE_MIN)
    {
        return "not an NTLM AUTHENTICATE_MESSAGE";
    }

    if (message->len > RMS_NTLM_MESSAGE_MAX) {
        return "NTLM message too large";
    }

    if (!rms_ntlm_field(message, 28, &domain)
        || !rms_ntlm_field(message, 36, &user))
    {
        return "malformed NTLM message";
    }

    if (!rms_ntlm_name(&domain, out->domain_buf, &out->domain)
        || !rms_ntlm_name(&user, out->user_buf, &out->user))
    {
        return "an account name we refuse";
    }

    wrong = rms_ntlm_user(out);

    return wrong ? wrong : rms_ntlm_responses(message, challenge, out);
}


/* Len, MaxLen, BufferOffset; the value, which may be empty. */

static int
rms_ntlm_field(const rms_str_t *message, size_t at, rms_str_t *field)
{
    size_t  len, offset;

    len = rms_ntlm_u16(message->data + at);
    offset = rms_ntlm_u32(message->data + at + 4);

    field->data = message->data;
    field->len = 0;

    if (len == 0) {
        return 1;
    }

    if (offset < RMS_NTLM_HEADER || offset > message->len
        || len > message->len - offset)
    {
        return 0;
    }

    field->data = message->data + offset;
    field->len = len;

    return 1;
}


/*
 * UTF-16LE to UTF-8.  Controls are refused, never cleaned, the zero that would
 * end the name for a library written in C among them.
 */

static int
rms_ntlm_name(const rms_str_t *field, unsigned char *buf, rms_str_t *name)
{
    size_t    i, n;
    uint32_t  c, low;

    if (field->len % 2 != 0 || field->len > 2 * RMS_NTLM_NAME_UNITS) {
        return 0;
    }

    n = 0;

    for (i = 0; i < field->len; i += 2) {
        c = rms_ntlm_u16(field->data + i);

        if (c < 0x20 || (c >= 0x7f && c < 0xa0)
            || (c >= 0xdc00 && c < 0xe000))
        {
            return 0;
        }

        if (c >= 0xd800 && c < 0xdc00) {
            i += 2;
            low = (i < field->len) ? rms_ntlm_u16(field->data + i) : 0;

            if (low < 0xdc00 || low >= 0xe000) {
                return 0;
            }

            c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        }

        n += rms_ntlm_utf8(c, buf + n);
    }

    name->data = buf;
    name->len = n;

    return 1;
}


static size_t
rms_ntlm_utf8(uint32_t c, unsigned char *p)
{
    if (c < 0x80) {
        p[0] = (unsigned char) c;
        return 1;
    }

    if (c < 0x800) {
        p[0] = (unsigned char) (0xc0 | c >> 6);
        p[1] = (unsigned char) (0x80 | (c & 0x3f));
        return 2;
    }

    if (c < 0x10000) {
        p[0] = (unsigned char) (0xe0 | c >> 12);
        p[1] = (unsigned char) (0x80 | (c >> 6 & 0x3f));
        p[2] = (unsigned char) (0x80 | (c & 0x3f));
        return 3;
    }

    p[0] = (unsigned char) (0xf0 | c >> 18);
    p[1] = (unsigned char) (0x80 | (c >> 12 & 0x3f));
    p[2] = (unsigned char) (0x80 | (c >> 6 & 0x3f));
    p[3] = (unsigned char) (0x80 | (c & 0x3f));

    return 4;
}


static const char *
rms_ntlm_user(const rms_ntlm_authenticate_t *out)
{
    size_t  i;

    if (out->user.len == 0) {
        return "an anonymous NTLM login";
    }

    for (i = 0; i < out->user.len; i++) {

        if (out->user.data[i] == '@') {
            return "an NTLM login as user@suffix, which may name another "
                   "account than it seems; log in as DOMAIN\\user";
        }

        if (out->user.data[i] == '\\' || out->user.data[i] == '/') {
            return "an account name we refuse";
        }
    }

    return NULL;
}


static const char *
rms_ntlm_responses(const rms_str_t *message, uint32_t challenge,
    rms_ntlm_authenticate_t *out)
{
    rms_str_t  lm, nt, host, key;

    if (!rms_ntlm_field(message, 12, &lm)
        || !rms_ntlm_field(message, 20, &nt)
        || !rms_ntlm_field(message, 44, &host)
        || !rms_ntlm_field(message, 52, &key)
        || host.len % 2 != 0)
    {
        return "malformed NTLM message";
    }

    if (nt.len == RMS_NTLM_V1_LEN) {
        return "NTLMv1, only NTLMv2 is accepted";
    }

    if (nt.len < RMS_NTLM_V2_HEADER) {
        return "an LM or no response, only NTLMv2 is accepted";
    }

    /* a good LMv2 response would let a forged NTLMv2 response pass */

    if (!rms_ntlm_zero(&lm)) {
        return "an LM response beside NTLMv2 ([MS-NLMP] 3.1.5.1.2 wants it "
               "empty)";
    }

    if (!rms_ntlm_pairs(&nt, out)) {
        return "malformed NTLMv2 response";
    }

    if ((challenge & RMS_NTLM_KEY_EXCHANGE) ? key.len != RMS_NTLM_KEY_LEN
                                            : key.len > RMS_NTLM_KEY_LEN)
    {
        return "malformed NTLM session key";
    }

    return NULL;
}


/* [MS-NLMP] 2.2.2.7: AV pairs to MsvAvEOL; Windows adds four zeros more. */

static int
rms_ntlm_pairs(const rms_str_t *response, rms_ntlm_authenticate_t *out)
{
    uint32_t   id;
    rms_str_t  value;
    size_t     i;

    for (i = RMS_NTLM_V2_HEADER; response->len - i >= 4; i += value.len) {
        id = rms_ntlm_u16(response->data + i);
        value.len = rms_ntlm_u16(response->data + i + 2);
        i += 4;

        if (value.len > response->len - i) {
            return 0;
        }

        value.data = response->data + i;

        switch (id) {

        case RMS_NTLM_AV_EOL:
            return value.len == 0;

        case RMS_NTLM_AV_FLAGS:
            if (value.len != 4) {
                return 0;
            }

            out->mic = (rms_ntlm_u32(value.data) & RMS_NTLM_AV_FLAG_MIC) != 0;
            break;

        case RMS_NTLM_AV_CHANNEL:
            if (value.len != 16) {
                return 0;
            }

            out->bound = !rms_ntlm_zero(&value);
            break;

        default:
            break;
        }
    }

    return 0;
}


static int
rms_ntlm_zero(const rms_str_t *s)
{
    size_t  i;

    for (i = 0; i < s->len; i++) {
        if (s->data[i] != 0) {
            return 0;
        }
    }

    return 1;
}


rms_rc_e
rms_ntlm_sids(const rms_str_t *text, const rms_mem_t *mem, rms_sid_set_t *set,
    void **memory)
{
    size_t     i, n;
    uint32_t   rid;
    rms_str_t  rest;
    rms_sid_t  sid, domain;

    memset(set, 0, sizeof(rms_sid_set_t));
    *memory = NULL;

    rest = *text;

    while (rest.len > 0 && rest.data[rest.len - 1] == '\0') {
        rest.len--;
    }

    n = 1;

    for (i = 0; i < rest.len; i++) {
        n += (rest.data[i] == ',');
    }

    if (n > RMS_NTLM_SIDS_MAX) {
        return RMS_TOO_LARGE;
    }

    *memory = rms_alloc(mem, rms_sid_set_size(n, n));

    if (*memory == NULL) {
        return RMS_NOMEM;
    }

    rms_sid_set_init(set, *memory, n, n);

    for (i = 0; i < n; i++) {

        if (!rms_ntlm_sids_next(&rest, &sid)) {

            /* what was allocated stays with the caller's memory */

            memset(set, 0, sizeof(rms_sid_set_t));
            return RMS_INVALID;
        }

        rid = rms_sid_split(&sid, &domain);
        rms_sid_set_add(set, &domain, rid);
    }

    rms_sid_set_close(set);

    return RMS_OK;
}


static int
rms_ntlm_sids_next(rms_str_t *text, rms_sid_t *sid)
{
    size_t     n;
    rms_str_t  one;

    for (n = 0; n < text->len && text->data[n] != ','; n++) { /* void */ }

    one.data = text->data;
    one.len = n;

    n += (n < text->len);
    text->data += n;
    text->len -= n;

    return rms_sid_parse(&one, sid) == RMS_OK;
}


int
rms_ntlm_sids_guest(const rms_sid_set_t *set)
{
    size_t     i;
    rms_sid_t  sid;

    for (i = 0; i < set->n_members; i++) {
        rms_sid_set_get(set, i, &sid);

        if (sid.authority != 5) {
            continue;
        }

        if ((sid.n == 5 && sid.sub[0] == 21 && sid.sub[4] == 501)
            || (sid.n == 2 && sid.sub[0] == 32 && sid.sub[1] == 546)
            || (sid.n == 1 && sid.sub[0] == 7))
        {
            return 1;
        }
    }

    return set->n_members == 0;
}
