/*
 * The frames of SPNEGO around the tokens of one mechanism.  Pure functions;
 * what is read points into the caller's bytes.
 */

#include "rms_der.h"
#include "rms_negotiate.h"
#include "rms_spnego.h"


static int rms_spnego_list(const rms_str_t *token, const rms_str_t *mech,
    rms_spnego_t *out, int *listed);
static int rms_spnego_mic(const rms_str_t *token, rms_spnego_t *out);
static size_t rms_spnego_header(size_t len);
static unsigned char *rms_spnego_put(unsigned char *p, unsigned tag,
    size_t len);
static size_t rms_spnego_field_len(const rms_str_t *value);
static unsigned char *rms_spnego_field(unsigned char *p, unsigned n,
    unsigned tag, const rms_str_t *value);


rms_rc_e
rms_spnego_read(const rms_str_t *token, const rms_str_t *mech,
    rms_spnego_t *out)
{
    int               listed;
    rms_token_info_t  info;

    memset(out, 0, sizeof(rms_spnego_t));

    info = rms_token_sniff(token);
    out->token = info.mech_token;

    /* NTLM may be the one mechanism of a NegTokenInit, or a bare message */

    switch (info.kind) {

    case RMS_TOKEN_SPNEGO_RESP:
        return rms_spnego_mic(token, out) ? RMS_OK : RMS_INVALID;

    case RMS_TOKEN_SPNEGO_INIT:
    case RMS_TOKEN_NTLM:
        out->init = 1;

        if (!rms_spnego_list(token, mech, out, &listed)) {
            return RMS_INVALID;
        }

        return listed ? RMS_OK : RMS_DECLINED;

    default:
        return RMS_INVALID;
    }
}


/* Of a NegTokenInit that rms_token_sniff() has found good. */

static int
rms_spnego_list(const rms_str_t *token, const rms_str_t *mech,
    rms_spnego_t *out, int *listed)
{
    size_t     n;
    rms_str_t  s, body, oid, fields, list;

    s = *token;
    *listed = 0;

    if (!rms_der_only(&s, RMS_DER_APP(0), &body)
        || !rms_der_take(&body, RMS_DER_OID, &oid)
        || !rms_der_field(&body, 0, RMS_DER_SEQUENCE, &fields)
        || !rms_der_take(&fields, RMS_DER_CTX(0), &out->mechs))
    {
        return 0;
    }

    s = out->mechs;

    if (!rms_der_only(&s, RMS_DER_SEQUENCE, &list)) {
        return 0;
    }

    for (n = 0; list.len > 0; n++) {
        if (!rms_der_take(&list, RMS_DER_OID, &oid)) {
            return 0;
        }

        if (!*listed && rms_str_eq(&oid, mech)) {
            *listed = 1;
            out->first = (n == 0);
        }
    }

    return 1;
}


/* Of a NegTokenResp that rms_token_sniff() has found good. */

static int
rms_spnego_mic(const rms_str_t *token, rms_spnego_t *out)
{
    unsigned   n;
    rms_str_t  s, fields, skipped;

    s = *token;

    if (!rms_der_field(&s, 1, RMS_DER_SEQUENCE, &fields)) {
        return 0;
    }

    for (n = 0; n < 3; n++) {
        if (rms_der_peek(&fields, RMS_DER_CTX(n))
            && !rms_der_take(&fields, RMS_DER_CTX(n), &skipped))
        {
            return 0;
        }
    }

    return fields.len == 0
           || rms_der_field(&fields, 3, RMS_DER_OCTET_STRING, &out->mic);
}


size_t
rms_spnego_write(unsigned char *dst, rms_spnego_state_e state,
    const rms_str_t *mech, const rms_str_t *token, const rms_str_t *mic)
{
    size_t          len;
    rms_str_t       negstate;
    unsigned char  *p, value;

    value = (unsigned char) state;
    negstate.data = &value;
    negstate.len = 1;

    len = rms_spnego_field_len(&negstate) + rms_spnego_field_len(mech)
          + rms_spnego_field_len(token) + rms_spnego_field_len(mic);

    p = rms_spnego_put(dst, RMS_DER_CTX(1), rms_spnego_header(len) + len);
    p = rms_spnego_put(p, RMS_DER_SEQUENCE, len);

    p = rms_spnego_field(p, 0, RMS_DER_ENUMERATED, &negstate);
    p = rms_spnego_field(p, 1, RMS_DER_OID, mech);
    p = rms_spnego_field(p, 2, RMS_DER_OCTET_STRING, token);
    p = rms_spnego_field(p, 3, RMS_DER_OCTET_STRING, mic);

    return (size_t) (p - dst);
}


static size_t
rms_spnego_header(size_t len)
{
    return (len < 0x80) ? 2 : (len < 0x100) ? 3 : (len < 0x10000) ? 4 : 5;
}


static unsigned char *
rms_spnego_put(unsigned char *p, unsigned tag, size_t len)
{
    size_t  n;

    *p++ = (unsigned char) tag;
    n = rms_spnego_header(len) - 2;

    if (n == 0) {
        *p++ = (unsigned char) len;
        return p;
    }

    *p++ = (unsigned char) (0x80 | n);

    while (n--) {
        *p++ = (unsigned char) (len >> (8 * n));
    }

    return p;
}


static size_t
rms_spnego_field_len(const rms_str_t *value)
{
    size_t  inner;

    if (value->len == 0) {
        return 0;
    }

    inner = rms_spnego_header(value->len) + value->len;

    return rms_spnego_header(inner) + inner;
}


static unsigned char *
rms_spnego_field(unsigned char *p, unsigned n, unsigned tag,
    const rms_str_t *value)
{
    if (value->len == 0) {
        return p;
    }

    p = rms_spnego_put(p, RMS_DER_CTX(n),
                       rms_spnego_header(value->len) + value->len);
    p = rms_spnego_put(p, tag, value->len);

    memcpy(p, value->data, value->len);

    return p + value->len;
}
