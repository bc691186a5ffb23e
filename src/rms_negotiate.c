/*
 * The Authorization header and the framing of the tokens in it: SPNEGO
 * (RFC 4178), raw Kerberos (RFC 4121 4.1), NTLMSSP.  Pure functions, any
 * thread; everything points into the caller's bytes.
 */

#include "rms_der.h"
#include "rms_negotiate.h"


#define RMS_MECHS_MAX  32       /* mechanisms of one NegTokenInit */


#define RMS_OID_SPNEGO  "\x2b\x06\x01\x05\x05\x02"
#define RMS_OID_KRB5    "\x2a\x86\x48\x86\xf7\x12\x01\x02\x02"
/* the one Windows 2000 sent by mistake; Windows still lists it first */
#define RMS_OID_MSKRB5  "\x2a\x86\x48\x82\xf7\x12\x01\x02\x02"
#define RMS_OID_NTLM    "\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a"


typedef struct {
    const char    *name;
    size_t         len;
    rms_scheme_e   scheme;
} rms_scheme_name_t;


static int rms_is_ntlm(const rms_str_t *token);
static int rms_is_krb5(const rms_str_t *token);
static int rms_oid_is_krb5(const rms_str_t *oid);
static int rms_spnego_init(const rms_str_t *token, rms_token_info_t *info);
static int rms_spnego_mechs(rms_str_t *list, rms_token_info_t *info);
static int rms_spnego_resp(const rms_str_t *token, rms_token_info_t *info);


static const rms_scheme_name_t  rms_scheme_names[] = {
    { "negotiate", 9, RMS_SCHEME_NEGOTIATE },
    { "ntlm",      4, RMS_SCHEME_NTLM },
    { "bearer",    6, RMS_SCHEME_BEARER }
};


static int
rms_is_blank(unsigned char c)
{
    return c == ' ' || c == '\t';
}


rms_scheme_e
rms_authorization_split(const rms_str_t *value, rms_str_t *credentials)
{
    size_t                    i, n;
    rms_str_t                 s;
    const rms_scheme_name_t  *name;

    s = *value;

    while (s.len > 0 && rms_is_blank(s.data[s.len - 1])) {
        s.len--;
    }

    while (s.len > 0 && rms_is_blank(s.data[0])) {
        s.data++;
        s.len--;
    }

    for (n = 0; n < s.len && !rms_is_blank(s.data[n]); n++) { /* void */ }

    credentials->data = s.data;
    credentials->len = 0;

    if (n == 0) {
        return RMS_SCHEME_NONE;
    }

    for (i = n; i < s.len && rms_is_blank(s.data[i]); i++) { /* void */ }

    credentials->data = s.data + i;
    credentials->len = s.len - i;

    for (i = 0; i < sizeof(rms_scheme_names) / sizeof(rms_scheme_names[0]);
         i++)
    {
        name = &rms_scheme_names[i];

        if (name->len == n
            && rms_strn_case_eq(s.data, (const unsigned char *) name->name, n))
        {
            return name->scheme;
        }
    }

    return RMS_SCHEME_OTHER;
}


rms_token_info_t
rms_token_sniff(const rms_str_t *token)
{
    rms_token_info_t  info, none;

    memset(&none, 0, sizeof(rms_token_info_t));
    info = none;

    if (rms_is_ntlm(token)) {
        info.kind = RMS_TOKEN_NTLM;
        info.offers_ntlm = 1;
        info.mech_token = *token;

        return info;
    }

    if (rms_is_krb5(token)) {
        info.kind = RMS_TOKEN_KRB5;
        info.offers_krb5 = 1;
        info.krb5_token = 1;
        info.mech_token = *token;

        return info;
    }

    if (rms_der_peek(token, RMS_DER_CTX(1))) {
        return rms_spnego_resp(token, &info) ? info : none;
    }

    return rms_spnego_init(token, &info) ? info : none;
}


static int
rms_is_ntlm(const rms_str_t *token)
{
    return token->len >= 8 && memcmp(token->data, "NTLMSSP", 8) == 0;
}


/* RFC 2743 3.1: [APPLICATION 0] { thisMech, innerContextToken } */

static int
rms_is_krb5(const rms_str_t *token)
{
    rms_str_t  s, body, oid;

    s = *token;

    return rms_der_only(&s, RMS_DER_APP(0), &body)
           && rms_der_take(&body, RMS_DER_OID, &oid)
           && rms_oid_is_krb5(&oid);
}


static int
rms_oid_is_krb5(const rms_str_t *oid)
{
    return rms_str_is(oid, RMS_OID_KRB5) || rms_str_is(oid, RMS_OID_MSKRB5);
}


/*
 * RFC 4178 4.2.1: NegTokenInit ::= SEQUENCE { mechTypes [0], reqFlags [1]
 * OPTIONAL, mechToken [2] OPTIONAL, mechListMIC [3] OPTIONAL }.
 */

static int
rms_spnego_init(const rms_str_t *token, rms_token_info_t *info)
{
    rms_str_t  s, body, oid, fields, list, skipped;

    s = *token;

    if (!rms_der_only(&s, RMS_DER_APP(0), &body)
        || !rms_der_take(&body, RMS_DER_OID, &oid)
        || !rms_str_is(&oid, RMS_OID_SPNEGO)
        || !rms_der_field(&body, 0, RMS_DER_SEQUENCE, &fields)
        || body.len != 0
        || !rms_der_field(&fields, 0, RMS_DER_SEQUENCE, &list)
        || !rms_spnego_mechs(&list, info))
    {
        return 0;
    }

    if (rms_der_peek(&fields, RMS_DER_CTX(1))
        && !rms_der_field(&fields, 1, RMS_DER_BIT_STRING, &skipped))
    {
        return 0;
    }

    if (rms_der_peek(&fields, RMS_DER_CTX(2))
        && !rms_der_field(&fields, 2, RMS_DER_OCTET_STRING,
                          &info->mech_token))
    {
        return 0;
    }

    if (rms_der_peek(&fields, RMS_DER_CTX(3))
        && !rms_der_field(&fields, 3, RMS_DER_OCTET_STRING, &skipped))
    {
        return 0;
    }

    return fields.len == 0;
}


/*
 * The list of mechanisms, the client's favourite first.  The optimistic
 * mechToken is for the first one, and for no other (RFC 4178 4.2.1): one that
 * stands behind another first mechanism is not Kerberos's, whatever it looks
 * like.
 */

static int
rms_spnego_mechs(rms_str_t *list, rms_token_info_t *info)
{
    size_t     n;
    rms_str_t  oid;

    for (n = 0; list->len > 0; n++) {
        if (n == RMS_MECHS_MAX || !rms_der_take(list, RMS_DER_OID, &oid)) {
            return 0;
        }

        if (rms_oid_is_krb5(&oid)) {
            info->offers_krb5 = 1;
            info->krb5_token |= (n == 0);
        }

        if (rms_str_is(&oid, RMS_OID_NTLM)) {
            info->offers_ntlm = 1;
        }
    }

    info->kind = (n == 1 && info->offers_ntlm) ? RMS_TOKEN_NTLM
                                               : RMS_TOKEN_SPNEGO_INIT;

    return n > 0;
}


/*
 * RFC 4178 4.2.2: NegTokenResp ::= SEQUENCE { negState [0] OPTIONAL,
 * supportedMech [1] OPTIONAL, responseToken [2] OPTIONAL, mechListMIC [3]
 * OPTIONAL }.
 */

static int
rms_spnego_resp(const rms_str_t *token, rms_token_info_t *info)
{
    rms_str_t  s, fields, mic, skipped;

    s = *token;

    if (!rms_der_field(&s, 1, RMS_DER_SEQUENCE, &fields) || s.len != 0) {
        return 0;
    }

    if (rms_der_peek(&fields, RMS_DER_CTX(0))
        && !rms_der_field(&fields, 0, RMS_DER_ENUMERATED, &skipped))
    {
        return 0;
    }

    if (rms_der_peek(&fields, RMS_DER_CTX(1))
        && !rms_der_field(&fields, 1, RMS_DER_OID, &skipped))
    {
        return 0;
    }

    if (rms_der_peek(&fields, RMS_DER_CTX(2))
        && !rms_der_field(&fields, 2, RMS_DER_OCTET_STRING,
                          &info->mech_token))
    {
        return 0;
    }

    mic = fields;

    if (rms_der_peek(&fields, RMS_DER_CTX(3))
        && !rms_der_field(&fields, 3, RMS_DER_OCTET_STRING, &skipped))
    {
        return 0;
    }

    mic.len -= fields.len;

    info->mic = mic;
    info->kind = RMS_TOKEN_SPNEGO_RESP;
    info->krb5_token = rms_is_krb5(&info->mech_token) ? 1 : 0;
    info->offers_krb5 = info->krb5_token;
    info->offers_ntlm = rms_is_ntlm(&info->mech_token) ? 1 : 0;

    return fields.len == 0;
}
