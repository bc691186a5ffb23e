/*
 * The clear parts of a Kerberos AP-REQ (RFC 4120 5.5.1): for log lines, and
 * the encrypted authenticator, whose hash names a login in the replay cache.
 * Pure functions, any thread; everything points into the caller's token.
 */

#include <stdio.h>

#include <openssl/evp.h>

#include "rms_der.h"
#include "rms_negotiate.h"


#define RMS_KRB5_PVNO        5          /* RFC 4120 5.5.1 */
#define RMS_KRB5_AP_REQ      14
#define RMS_NAME_PARTS_MAX   16


typedef struct {
    unsigned     number;
    const char  *name;
} rms_etype_t;


static int rms_apreq_read(rms_str_t *in, rms_apreq_t *apreq);
static int rms_ticket_read(const rms_str_t *ticket, rms_apreq_t *apreq);
static int rms_name_read(rms_str_t *in, rms_apreq_t *apreq);
static int rms_encrypted_read(rms_str_t *in, unsigned n, unsigned *etype,
    unsigned *kvno, rms_str_t *cipher);


/* IANA "Kerberos Encryption Type Numbers", names as in krb5.conf */

static const rms_etype_t  rms_etypes[] = {
    { 1,  "des-cbc-crc" },
    { 2,  "des-cbc-md4" },
    { 3,  "des-cbc-md5" },
    { 16, "des3-cbc-sha1" },
    { 17, "aes128-cts-hmac-sha1-96" },
    { 18, "aes256-cts-hmac-sha1-96" },
    { 19, "aes128-cts-hmac-sha256-128" },
    { 20, "aes256-cts-hmac-sha384-192" },
    { 23, "arcfour-hmac" },
    { 24, "arcfour-hmac-exp" },
    { 25, "camellia128-cts-cmac" },
    { 26, "camellia256-cts-cmac" }
};


rms_rc_e
rms_token_apreq(const rms_str_t *token, rms_apreq_t *apreq)
{
    rms_str_t         s, body, oid;
    rms_token_info_t  info;

    memset(apreq, 0, sizeof(rms_apreq_t));

    info = rms_token_sniff(token);

    if (info.kind == RMS_TOKEN_UNKNOWN) {
        return RMS_INVALID;
    }

    if (!info.krb5_token || info.mech_token.len == 0) {
        return RMS_DECLINED;
    }

    /* sniffing has not looked at an optimistic token yet */

    s = info.mech_token;

    if (!rms_der_only(&s, RMS_DER_APP(0), &body)
        || !rms_der_take(&body, RMS_DER_OID, &oid)
        || body.len < 2)
    {
        return RMS_INVALID;
    }

    /* RFC 4121 4.1: TOK_ID 01 00 is an AP-REQ, 02 00 and 03 00 are replies */

    if (body.data[0] != 1 || body.data[1] != 0) {
        return RMS_DECLINED;
    }

    body.data += 2;
    body.len -= 2;

    return rms_apreq_read(&body, apreq) ? RMS_OK : RMS_INVALID;
}


rms_rc_e
rms_apreq_hash(const rms_apreq_t *apreq, unsigned char *hash)
{
    /*
     * The ciphertext alone: the rest of EncryptedData (etype, kvno) is not
     * protected, and a token that differs only there must not pass for new.
     */

    if (EVP_Digest(apreq->authenticator.data, apreq->authenticator.len, hash,
                   NULL, EVP_sha256(), NULL)
        != 1)
    {
        return RMS_NOMEM;
    }

    return RMS_OK;
}


const char *
rms_etype_name(unsigned etype, char *buf, size_t size)
{
    size_t  i;

    for (i = 0; i < sizeof(rms_etypes) / sizeof(rms_etypes[0]); i++) {
        if (rms_etypes[i].number == etype) {
            (void) snprintf(buf, size, "%s", rms_etypes[i].name);
            return buf;
        }
    }

    /* numbers below zero are for private use (RFC 3961 8) */

    (void) snprintf(buf, size, "etype %d", (int) etype);

    return buf;
}


/*
 * RFC 4120 5.5.1: AP-REQ ::= [APPLICATION 14] SEQUENCE { pvno [0], msg-type
 * [1], ap-options [2], ticket [3], authenticator [4] EncryptedData }.
 */

static int
rms_apreq_read(rms_str_t *in, rms_apreq_t *apreq)
{
    int64_t    pvno, type;
    unsigned   kvno;
    rms_str_t  body, fields, options;

    if (!rms_der_only(in, RMS_DER_APP(14), &body)
        || !rms_der_only(&body, RMS_DER_SEQUENCE, &fields)
        || !rms_der_field_integer(&fields, 0, &pvno)
        || !rms_der_field_integer(&fields, 1, &type)
        || pvno != RMS_KRB5_PVNO || type != RMS_KRB5_AP_REQ
        || !rms_der_field(&fields, 2, RMS_DER_BIT_STRING, &options)
        || !rms_der_take(&fields, RMS_DER_CTX(3), &apreq->ticket)
        || !rms_ticket_read(&apreq->ticket, apreq)
        || !rms_encrypted_read(&fields, 4, &apreq->auth_etype, &kvno,
                               &apreq->authenticator))
    {
        return 0;
    }

    return fields.len == 0 && apreq->authenticator.len > 0;
}


/*
 * RFC 4120 5.3: Ticket ::= [APPLICATION 1] SEQUENCE { tkt-vno [0], realm [1],
 * sname [2], enc-part [3] }.
 */

static int
rms_ticket_read(const rms_str_t *ticket, rms_apreq_t *apreq)
{
    int64_t    vno;
    rms_str_t  s, body, fields, cipher;

    s = *ticket;

    return rms_der_only(&s, RMS_DER_APP(1), &body)
           && rms_der_only(&body, RMS_DER_SEQUENCE, &fields)
           && rms_der_field_integer(&fields, 0, &vno)
           && vno == RMS_KRB5_PVNO
           && rms_der_field(&fields, 1, RMS_DER_STRING, &apreq->realm)
           && rms_name_read(&fields, apreq)
           && rms_encrypted_read(&fields, 3, &apreq->ticket_etype,
                                 &apreq->ticket_kvno, &cipher)
           && fields.len == 0;
}


/*
 * RFC 4120 5.2.2: PrincipalName ::= SEQUENCE { name-type [0], name-string [1]
 * SEQUENCE OF KerberosString }.  The joined name is for people: what does not
 * fit is cut.
 */

static int
rms_name_read(rms_str_t *in, rms_apreq_t *apreq)
{
    size_t          n, parts;
    int64_t         type;
    rms_str_t       name, list, part;
    unsigned char  *p, *last;

    if (!rms_der_field(in, 2, RMS_DER_SEQUENCE, &name)
        || !rms_der_field_integer(&name, 0, &type)
        || !rms_der_field(&name, 1, RMS_DER_SEQUENCE, &list)
        || name.len != 0)
    {
        return 0;
    }

    p = apreq->service_buf;
    last = p + sizeof(apreq->service_buf);

    for (parts = 0; list.len > 0; parts++) {
        if (parts == RMS_NAME_PARTS_MAX
            || !rms_der_take(&list, RMS_DER_STRING, &part))
        {
            return 0;
        }

        if (parts > 0 && p < last) {
            *p++ = '/';
        }

        n = (size_t) (last - p);
        n = (part.len < n) ? part.len : n;
        memcpy(p, part.data, n);
        p += n;
    }

    apreq->service.data = apreq->service_buf;
    apreq->service.len = (size_t) (p - apreq->service_buf);

    return parts > 0;
}


/*
 * RFC 4120 5.2.9: EncryptedData ::= SEQUENCE { etype [0], kvno [1] OPTIONAL,
 * cipher [2] }.  The numbers are kept as 32 bits: a read-only domain
 * controller's kvno comes negative.
 */

static int
rms_encrypted_read(rms_str_t *in, unsigned n, unsigned *etype, unsigned *kvno,
    rms_str_t *cipher)
{
    int64_t    value;
    rms_str_t  outer, fields;

    if (!rms_der_take(in, RMS_DER_CTX(n), &outer)
        || !rms_der_only(&outer, RMS_DER_SEQUENCE, &fields)
        || !rms_der_field_integer(&fields, 0, &value))
    {
        return 0;
    }

    *etype = (unsigned) value;
    *kvno = 0;

    if (rms_der_peek(&fields, RMS_DER_CTX(1))) {
        if (!rms_der_field_integer(&fields, 1, &value)) {
            return 0;
        }

        *kvno = (unsigned) value;
    }

    return rms_der_field(&fields, 2, RMS_DER_OCTET_STRING, cipher)
           && fields.len == 0;
}
