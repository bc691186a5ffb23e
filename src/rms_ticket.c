/*
 * Why was this ticket refused?  Runs on a thread of the pool after a failed
 * accept.  Keys and decrypted parts live in krb5's memory, or in a buffer
 * wiped before it is freed; none of it reaches the line but names and times.
 */

#include <stdlib.h>

#include <krb5/krb5.h>
#include <openssl/crypto.h>

#include "rms_der.h"
#include "rms_keytab.h"
#include "rms_ticket.h"


#define RMS_USAGE_AP_REQ_AUTH  11       /* RFC 4120 7.5.1 */


static rms_ticket_e rms_ticket_look(krb5_context krb5, krb5_keytab handle,
    const rms_keytab_t *keytab, const rms_apreq_t *apreq, rms_line_t *line);
static rms_ticket_e rms_ticket_no_key(const rms_keytab_t *keytab,
    const rms_apreq_t *apreq, rms_line_t *line);
static void rms_ticket_kvnos(const rms_keytab_t *keytab,
    const rms_apreq_t *apreq, rms_line_t *line);
static rms_ticket_e rms_ticket_service(krb5_context krb5,
    const krb5_ticket *ticket, rms_line_t *line);
static rms_ticket_e rms_ticket_times(krb5_context krb5,
    const krb5_enc_tkt_part *part, rms_line_t *line);
static rms_ticket_e rms_ticket_clock(krb5_context krb5,
    const krb5_enc_tkt_part *part, const rms_apreq_t *apreq,
    rms_line_t *line);
static int rms_authenticator_time(const krb5_data *plain, time_t *t);
static int rms_time_parse(const rms_str_t *s, time_t *t);
static void rms_ticket_client(krb5_context krb5,
    const krb5_enc_tkt_part *part, rms_line_t *line);


rms_ticket_e
rms_ticket_explain(const char *keytab, const rms_apreq_t *apreq,
    rms_line_t *line)
{
    krb5_keytab    handle;
    krb5_context   krb5;
    rms_keytab_t   keys;
    rms_ticket_e   rc;

    if (krb5_init_context(&krb5) != 0) {
        return RMS_TICKET_NO_REASON;
    }

    if (rms_keytab_read(krb5, keytab, &handle, &keys) != 0) {
        rms_line_add(line, "keytab ");
        rms_line_quotedz(line, keytab);
        rms_line_add(line, " cannot be read");
        rc = RMS_TICKET_NO_KEYTAB;

    } else {
        rc = rms_ticket_look(krb5, handle, &keys, apreq, line);
    }

    if (handle != NULL) {
        (void) krb5_kt_close(krb5, handle);
    }

    krb5_free_context(krb5);

    return rc;
}


static rms_ticket_e
rms_ticket_look(krb5_context krb5, krb5_keytab handle,
    const rms_keytab_t *keytab, const rms_apreq_t *apreq, rms_line_t *line)
{
    krb5_data      der;
    krb5_ticket   *ticket;
    rms_ticket_e   rc;

    memset(&der, 0, sizeof(krb5_data));
    der.data = (char *) apreq->ticket.data;
    der.length = (unsigned) apreq->ticket.len;

    if (krb5_decode_ticket(&der, &ticket) != 0) {
        rms_line_add(line, "malformed ticket");
        return RMS_TICKET_REFUSED;
    }

    if (krb5_server_decrypt_ticket_keytab(krb5, handle, ticket) != 0) {
        rc = rms_ticket_no_key(keytab, apreq, line);

    } else {
        rc = rms_ticket_service(krb5, ticket, line);

        if (rc == RMS_TICKET_NO_REASON) {
            rc = rms_ticket_times(krb5, ticket->enc_part2, line);
        }

        if (rc == RMS_TICKET_NO_REASON) {
            rc = rms_ticket_clock(krb5, ticket->enc_part2, apreq, line);
        }
    }

    krb5_free_ticket(krb5, ticket);

    return rc;
}


/* No key opened the ticket: which one was missing, or was there and wrong? */

static rms_ticket_e
rms_ticket_no_key(const rms_keytab_t *keytab, const rms_apreq_t *apreq,
    rms_line_t *line)
{
    char                     etype[32];
    size_t                   i, named, version, exact;
    const rms_keytab_key_t  *key;

    named = version = exact = 0;

    for (i = 0; i < keytab->n; i++) {
        key = &keytab->keys[i];

        if (rms_keytab_key_of(key, &apreq->service, &apreq->realm)) {
            named++;

            if (apreq->ticket_kvno == 0 || key->kvno == apreq->ticket_kvno) {
                version++;
                exact += (key->etype == apreq->ticket_etype);
            }
        }
    }

    if (named == 0) {
        rms_line_add(line, "wrong service: no key for it in the keytab, "
                     "which has ");
        rms_keytab_names(keytab, line);

    } else if (version == 0) {
        rms_line_add(line, "kvno %u is not in the keytab, which has ",
                     apreq->ticket_kvno);
        rms_ticket_kvnos(keytab, apreq, line);

    } else if (exact == 0) {
        rms_line_add(line, "no key of type %s and that kvno in the keytab",
                     rms_etype_name(apreq->ticket_etype, etype,
                                    sizeof(etype)));

    } else {
        rms_line_add(line, "integrity check failed: the KDC used another key "
                     "than the keytab's (password set since?), kvno ");
        rms_ticket_kvnos(keytab, apreq, line);
        rms_line_add(line, " there");
    }

    return RMS_TICKET_REFUSED;
}


static void
rms_ticket_kvnos(const rms_keytab_t *keytab, const rms_apreq_t *apreq,
    rms_line_t *line)
{
    size_t                   i;
    int64_t                  last;
    const rms_keytab_key_t  *key;

    /* the keys of one kvno, one per type, stand side by side */

    for (last = -1, i = 0; i < keytab->n; i++) {
        key = &keytab->keys[i];

        if (rms_keytab_key_of(key, &apreq->service, &apreq->realm)
            && key->kvno != last)
        {
            rms_line_add(line, "%s%u", (last == -1) ? "" : ", ", key->kvno);
            last = key->kvno;
        }
    }
}


/* The keytab may hold more than web services; we are one. */

static rms_ticket_e
rms_ticket_service(krb5_context krb5, const krb5_ticket *ticket,
    rms_line_t *line)
{
    char          *name;
    rms_ticket_e   rc;

    if (krb5_unparse_name(krb5, ticket->server, &name) != 0) {
        return RMS_TICKET_NO_REASON;
    }

    rc = RMS_TICKET_NO_REASON;

    if (strncmp(name, "HTTP/", 5) != 0) {
        rms_line_add(line, "wrong service: the ticket is for ");
        rms_line_quotedz(line, name);
        rms_line_add(line, ", only HTTP/ services are accepted");
        rc = RMS_TICKET_REFUSED;
    }

    krb5_free_unparsed_name(krb5, name);

    return rc;
}


static rms_ticket_e
rms_ticket_times(krb5_context krb5, const krb5_enc_tkt_part *part,
    rms_line_t *line)
{
    time_t          now, start, end;
    krb5_timestamp  from;

    /* krb5_timestamp is 32 bits, unsigned since 2038 came near */

    from = part->times.starttime ? part->times.starttime
                                 : part->times.authtime;
    start = (time_t) (uint32_t) from;
    end = (time_t) (uint32_t) part->times.endtime;
    now = time(NULL);

    if (now < start && krb5_check_clockskew(krb5, from) != 0) {
        rms_line_add(line, "ticket not yet valid: it starts ");
        rms_line_time(line, start);

    } else if (now > end
               && krb5_check_clockskew(krb5, part->times.endtime) != 0)
    {
        rms_line_add(line, "ticket expired: it ended ");
        rms_line_time(line, end);

    } else {
        return RMS_TICKET_NO_REASON;
    }

    rms_line_add(line, ", it is ");
    rms_line_time(line, now);
    rms_line_add(line, " here;");
    rms_ticket_client(krb5, part, line);

    return RMS_TICKET_REFUSED;
}


/* RFC 4120 3.2.3: the authenticator's time against ours. */

static rms_ticket_e
rms_ticket_clock(krb5_context krb5, const krb5_enc_tkt_part *part,
    const rms_apreq_t *apreq, rms_line_t *line)
{
    long long      ahead;
    time_t         now, sent;
    krb5_data      plain;
    rms_ticket_e   rc;
    krb5_enc_data  in;

    memset(&in, 0, sizeof(krb5_enc_data));
    in.enctype = (krb5_enctype) apreq->auth_etype;
    in.ciphertext.data = (char *) apreq->authenticator.data;
    in.ciphertext.length = (unsigned) apreq->authenticator.len;

    memset(&plain, 0, sizeof(krb5_data));
    plain.length = in.ciphertext.length;
    plain.data = malloc(plain.length);

    if (plain.data == NULL) {
        return RMS_TICKET_NO_REASON;
    }

    rc = RMS_TICKET_NO_REASON;

    if (krb5_c_decrypt(krb5, part->session, RMS_USAGE_AP_REQ_AUTH, NULL, &in,
                       &plain)
        != 0)
    {
        rms_line_add(line, "integrity check failed: the authenticator is not "
                     "made with the ticket's key;");
        rms_ticket_client(krb5, part, line);
        rc = RMS_TICKET_REFUSED;

    } else if (rms_authenticator_time(&plain, &sent)
               && krb5_check_clockskew(krb5, (krb5_timestamp) sent) != 0)
    {
        now = time(NULL);
        ahead = (long long) sent - (long long) now;

        rms_line_add(line, "clock skew: the client's clock is %lld s %s, it "
                     "is ", ahead < 0 ? -ahead : ahead,
                     ahead < 0 ? "behind" : "ahead");
        rms_line_time(line, now);
        rms_line_add(line, " here;");
        rms_ticket_client(krb5, part, line);
        rc = RMS_TICKET_REFUSED;
    }

    OPENSSL_cleanse(plain.data, in.ciphertext.length);
    free(plain.data);

    return rc;
}


/*
 * RFC 4120 5.5.1: Authenticator ::= [APPLICATION 2] SEQUENCE {
 * authenticator-vno [0], crealm [1], cname [2], cksum [3] OPTIONAL, cusec
 * [4], ctime [5], ... }.
 */

static int
rms_authenticator_time(const krb5_data *plain, time_t *t)
{
    int64_t    vno, usec;
    rms_str_t  s, body, fields, skipped, when;

    s.data = (unsigned char *) plain->data;
    s.len = plain->length;

    if (!rms_der_take(&s, RMS_DER_APP(2), &body)
        || !rms_der_only(&body, RMS_DER_SEQUENCE, &fields)
        || !rms_der_field_integer(&fields, 0, &vno)
        || !rms_der_field(&fields, 1, RMS_DER_STRING, &skipped)
        || !rms_der_field(&fields, 2, RMS_DER_SEQUENCE, &skipped))
    {
        return 0;
    }

    if (rms_der_peek(&fields, RMS_DER_CTX(3))
        && !rms_der_take(&fields, RMS_DER_CTX(3), &skipped))
    {
        return 0;
    }

    return rms_der_field_integer(&fields, 4, &usec)
           && rms_der_field(&fields, 5, RMS_DER_TIME, &when)
           && rms_time_parse(&when, t);
}


/* RFC 4120 5.2.3: KerberosTime is always "YYYYMMDDHHMMSSZ". */

static int
rms_time_parse(const rms_str_t *s, time_t *t)
{
    int        v[7];
    size_t     i;
    struct tm  tm;

    if (s->len != 15 || s->data[14] != 'Z') {
        return 0;
    }

    for (i = 0; i < 14; i += 2) {
        if (s->data[i] < '0' || s->data[i] > '9'
            || s->data[i + 1] < '0' || s->data[i + 1] > '9')
        {
            return 0;
        }

        v[i / 2] = (s->data[i] - '0') * 10 + (s->data[i + 1] - '0');
    }

    memset(&tm, 0, sizeof(struct tm));
    tm.tm_year = v[0] * 100 + v[1] - 1900;
    tm.tm_mon = v[2] - 1;
    tm.tm_mday = v[3];
    tm.tm_hour = v[4];
    tm.tm_min = v[5];
    tm.tm_sec = v[6];

    *t = timegm(&tm);

    return 1;
}


/* The key opened the ticket, so the name in it is the KDC's word. */

static void
rms_ticket_client(krb5_context krb5, const krb5_enc_tkt_part *part,
    rms_line_t *line)
{
    char  *name;

    if (krb5_unparse_name(krb5, part->client, &name) == 0) {
        rms_line_add(line, " account=");
        rms_line_quotedz(line, name);
        krb5_free_unparsed_name(krb5, name);
    }
}
