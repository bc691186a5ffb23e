/*
 * The PAC of a login.  Not asked of GSSAPI: krb5 1.21 shows a PAC whose
 * signature is wrong as an authenticated one, and every version keeps the
 * ticket's authorization data and the client's own in one list.  The ticket is
 * opened once more instead.  On a thread of the pool; keys and what is
 * decrypted are wiped here or by libkrb5.
 */

#include <errno.h>
#include <stdlib.h>

#include <openssl/crypto.h>

#include "rms_gss_pac.h"


static rms_gss_pac_e rms_gss_pac_open(krb5_context krb5, krb5_keytab keytab,
    krb5_ticket *ticket, const rms_str_t *account, krb5_pac *pac);
static int rms_gss_pac_is_of(krb5_context krb5, krb5_const_principal client,
    const rms_str_t *account);
static rms_gss_pac_e rms_gss_pac_find(krb5_context krb5,
    krb5_authdata *const *list, krb5_pac *pac);
static rms_gss_pac_e rms_gss_pac_verify(krb5_context krb5,
    krb5_keytab keytab, const krb5_ticket *ticket, krb5_pac pac);
static krb5_error_code rms_gss_pac_key(krb5_context krb5, krb5_keytab keytab,
    const krb5_enc_data *sealed, krb5_keyblock *key);
static krb5_error_code rms_gss_pac_try(krb5_context krb5, krb5_keytab keytab,
    const krb5_enc_data *sealed, krb5_data *plain, krb5_keyblock *key);
static krb5_error_code rms_gss_pac_checksum(krb5_context krb5, krb5_pac pac,
    krb5_enctype etype);
static rms_gss_pac_e rms_gss_pac_logon(krb5_context krb5, krb5_pac pac,
    const rms_mem_t *mem, rms_pac_t *out);
static rms_gss_pac_e rms_gss_pac_failed(krb5_error_code err,
    rms_gss_pac_e status);


#define RMS_USAGE_TICKET  2             /* RFC 4120 7.5.1 */


/*
 * [MS-PAC] 2.8.1, and RFC 8009 6 for KDCs that are not Microsoft's.  libkrb5
 * would take RC4's HMAC-MD5 with a key of any type.
 */

static const struct {
    krb5_enctype    etype;
    krb5_cksumtype  checksum;
}  rms_gss_pac_checksums[] = {
    { ENCTYPE_AES256_CTS_HMAC_SHA1_96, CKSUMTYPE_HMAC_SHA1_96_AES256 },
    { ENCTYPE_AES128_CTS_HMAC_SHA1_96, CKSUMTYPE_HMAC_SHA1_96_AES128 },
    { ENCTYPE_AES256_CTS_HMAC_SHA384_192, CKSUMTYPE_HMAC_SHA384_192_AES256 },
    { ENCTYPE_AES128_CTS_HMAC_SHA256_128, CKSUMTYPE_HMAC_SHA256_128_AES128 },
    { ENCTYPE_ARCFOUR_HMAC, CKSUMTYPE_HMAC_MD5_ARCFOUR }
};


static const char  *rms_gss_pac_texts[] = {
    [RMS_GSS_PAC_FINE] = "",
    [RMS_GSS_PAC_NONE] =
        "the ticket has no PAC of a domain controller",
    [RMS_GSS_PAC_UNVERIFIED] =
        "the ticket's PAC does not verify",
    [RMS_GSS_PAC_MALFORMED] =
        "the ticket's PAC is malformed",
    [RMS_GSS_PAC_TOO_MANY] =
        "the ticket's PAC has too many groups",
    [RMS_GSS_PAC_UNAVAILABLE] =
        "no memory for the ticket's PAC"
};


rms_gss_pac_e
rms_gss_pac_read(krb5_keytab keytab, const rms_str_t *ticket,
    const rms_str_t *account, const rms_mem_t *mem, rms_pac_t *out)
{
    krb5_pac         pac;
    krb5_data        der;
    krb5_ticket     *decoded;
    krb5_context     krb5;
    rms_gss_pac_e    status;
    krb5_error_code  err;

    memset(out, 0, sizeof(rms_pac_t));

    if (krb5_init_context(&krb5) != 0) {
        return RMS_GSS_PAC_UNAVAILABLE;
    }

    memset(&der, 0, sizeof(krb5_data));
    der.data = (char *) ticket->data;
    der.length = (unsigned) ticket->len;

    pac = NULL;

    err = krb5_decode_ticket(&der, &decoded);

    if (err) {
        status = rms_gss_pac_failed(err, RMS_GSS_PAC_UNVERIFIED);

    } else {
        status = rms_gss_pac_open(krb5, keytab, decoded, account, &pac);
        krb5_free_ticket(krb5, decoded);
    }

    if (status == RMS_GSS_PAC_FINE) {
        status = rms_gss_pac_logon(krb5, pac, mem, out);
    }

    krb5_pac_free(krb5, pac);
    krb5_free_context(krb5);

    return status;
}


/* Sets *pac, which the caller frees, to a verified one with FINE only. */

static rms_gss_pac_e
rms_gss_pac_open(krb5_context krb5, krb5_keytab keytab, krb5_ticket *ticket,
    const rms_str_t *account, krb5_pac *pac)
{
    rms_gss_pac_e       status;
    krb5_error_code     err;
    krb5_enc_tkt_part  *part;

    err = krb5_server_decrypt_ticket_keytab(krb5, keytab, ticket);

    /*
     * It also judges the realms on the way, even when the KDC has, which the
     * accept does not: what counts is that a key has opened the ticket.
     */

    part = ticket->enc_part2;

    if (part == NULL) {
        return rms_gss_pac_failed(err, RMS_GSS_PAC_UNVERIFIED);
    }

    if (!rms_gss_pac_is_of(krb5, part->client, account)) {
        return RMS_GSS_PAC_UNVERIFIED;
    }

    status = rms_gss_pac_find(krb5, part->authorization_data, pac);

    if (status == RMS_GSS_PAC_FINE) {
        status = rms_gss_pac_verify(krb5, keytab, ticket, *pac);
    }

    return status;
}


/* Should GSSAPI have read another AP-REQ than we did, it shows here. */

static int
rms_gss_pac_is_of(krb5_context krb5, krb5_const_principal client,
    const rms_str_t *account)
{
    int         same;
    char       *name;
    rms_str_t   s;

    if (krb5_unparse_name(krb5, client, &name) != 0) {
        return 0;
    }

    s.data = (unsigned char *) name;
    s.len = strlen(name);
    same = rms_str_eq(&s, account);

    krb5_free_unparsed_name(krb5, name);

    return same;
}


/* Of two PACs, which one would the reader of another product take? */

static rms_gss_pac_e
rms_gss_pac_find(krb5_context krb5, krb5_authdata *const *list, krb5_pac *pac)
{
    rms_gss_pac_e     status;
    krb5_authdata   **found;
    krb5_error_code   err;

    err = krb5_find_authdata(krb5, list, NULL, KRB5_AUTHDATA_WIN2K_PAC,
                             &found);
    if (err) {
        return rms_gss_pac_failed(err, RMS_GSS_PAC_MALFORMED);
    }

    if (found == NULL) {
        return RMS_GSS_PAC_NONE;
    }

    if (found[1] != NULL) {
        status = RMS_GSS_PAC_UNVERIFIED;

    } else {
        err = krb5_pac_parse(krb5, found[0]->contents, found[0]->length, pac);
        status = err ? rms_gss_pac_failed(err, RMS_GSS_PAC_MALFORMED)
                     : RMS_GSS_PAC_FINE;
    }

    krb5_free_authdata(krb5, found);

    return status;
}


/*
 * [MS-PAC] 2.7, 2.8: the service's signature, and whose login it is.  The
 * KDC's own is made with a key only KDCs have; asked for both, krb5 1.21 says
 * nothing of a wrong first one.
 */

static rms_gss_pac_e
rms_gss_pac_verify(krb5_context krb5, krb5_keytab keytab,
    const krb5_ticket *ticket, krb5_pac pac)
{
    krb5_keyblock       key;
    krb5_error_code     err;
    krb5_enc_tkt_part  *part;

    err = rms_gss_pac_key(krb5, keytab, &ticket->enc_part, &key);
    if (err) {
        return rms_gss_pac_failed(err, RMS_GSS_PAC_UNVERIFIED);
    }

    part = ticket->enc_part2;

    err = rms_gss_pac_checksum(krb5, pac, key.enctype);

    if (err == 0) {
        err = krb5_pac_verify(krb5, pac, part->times.authtime, part->client,
                              &key, NULL);
    }

    krb5_free_keyblock_contents(krb5, &key);

    return err ? rms_gss_pac_failed(err, RMS_GSS_PAC_UNVERIFIED)
               : RMS_GSS_PAC_FINE;
}


/*
 * The key that opens the ticket, which libkrb5 does not tell: another one of
 * the keytab may be known to others.
 */

static krb5_error_code
rms_gss_pac_key(krb5_context krb5, krb5_keytab keytab,
    const krb5_enc_data *sealed, krb5_keyblock *key)
{
    size_t           size;
    krb5_data        plain;
    krb5_error_code  err;

    size = sealed->ciphertext.length;

    memset(&plain, 0, sizeof(krb5_data));
    plain.data = malloc(size);

    if (plain.data == NULL) {
        return ENOMEM;
    }

    err = rms_gss_pac_try(krb5, keytab, sealed, &plain, key);

    OPENSSL_cleanse(plain.data, size);
    free(plain.data);

    return err;
}


static krb5_error_code
rms_gss_pac_try(krb5_context krb5, krb5_keytab keytab,
    const krb5_enc_data *sealed, krb5_data *plain, krb5_keyblock *key)
{
    int                opened;
    krb5_error_code    err;
    krb5_kt_cursor     cursor;
    krb5_keytab_entry  entry;

    err = krb5_kt_start_seq_get(krb5, keytab, &cursor);
    if (err) {
        return err;
    }

    opened = 0;

    while (!opened) {
        err = krb5_kt_next_entry(krb5, keytab, &entry, &cursor);
        if (err) {
            break;
        }

        plain->length = sealed->ciphertext.length;

        /* a key of another type is refused at once */

        opened = krb5_c_decrypt(krb5, &entry.key, RMS_USAGE_TICKET, NULL,
                                sealed, plain)
                 == 0;

        if (opened) {
            err = krb5_copy_keyblock_contents(krb5, &entry.key, key);
        }

        (void) krb5_free_keytab_entry_contents(krb5, &entry);
    }

    (void) krb5_kt_end_seq_get(krb5, keytab, &cursor);

    return err;
}


/* The server's checksum must be there, once, and of the key's own type. */

static krb5_error_code
rms_gss_pac_checksum(krb5_context krb5, krb5_pac pac, krb5_enctype etype)
{
    size_t           i;
    uint32_t         type;
    krb5_data        data;
    krb5_error_code  err;

    err = krb5_pac_get_buffer(krb5, pac, KRB5_PAC_SERVER_CHECKSUM, &data);
    if (err) {
        return err;
    }

    type = 0;

    for (i = 0; i < 4 && data.length >= 4; i++) {
        type |= (uint32_t) (unsigned char) data.data[i] << (8 * i);
    }

    krb5_free_data_contents(krb5, &data);

    for (i = 0;
         i < sizeof(rms_gss_pac_checksums) / sizeof(rms_gss_pac_checksums[0]);
         i++)
    {
        if (rms_gss_pac_checksums[i].etype == etype) {
            return ((uint32_t) rms_gss_pac_checksums[i].checksum == type)
                   ? 0 : KRB5KDC_ERR_SUMTYPE_NOSUPP;
        }
    }

    return KRB5KDC_ERR_SUMTYPE_NOSUPP;
}


static rms_gss_pac_e
rms_gss_pac_logon(krb5_context krb5, krb5_pac pac, const rms_mem_t *mem,
    rms_pac_t *out)
{
    rms_rc_e         rc;
    krb5_data        data;
    rms_str_t        info;
    krb5_error_code  err;

    err = krb5_pac_get_buffer(krb5, pac, KRB5_PAC_LOGON_INFO, &data);

    if (err == ENOENT) {
        return RMS_GSS_PAC_NONE;
    }

    if (err) {

        /* it is there twice */

        return rms_gss_pac_failed(err, RMS_GSS_PAC_UNVERIFIED);
    }

    info.data = (unsigned char *) data.data;
    info.len = data.length;

    rc = rms_pac_parse(&info, mem, out);

    krb5_free_data_contents(krb5, &data);

    switch (rc) {

    case RMS_OK:
        return RMS_GSS_PAC_FINE;

    case RMS_TOO_LARGE:
        return RMS_GSS_PAC_TOO_MANY;

    case RMS_NOMEM:
        return RMS_GSS_PAC_UNAVAILABLE;

    default:
        return RMS_GSS_PAC_MALFORMED;
    }
}


static rms_gss_pac_e
rms_gss_pac_failed(krb5_error_code err, rms_gss_pac_e status)
{
    return (err == ENOMEM) ? RMS_GSS_PAC_UNAVAILABLE : status;
}


const char *
rms_gss_pac_text(rms_gss_pac_e status)
{
    return rms_gss_pac_texts[status];
}
