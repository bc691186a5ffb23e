/*
 * Why a ticket was refused.  First byte: what the rest is.
 *
 *   0  a token, as a client may send it
 *   1  what the encrypted part of a ticket holds, as a KDC may make it
 *   2  what the authenticator holds, as anybody with a ticket may make it
 *   3  a time: the clock of a client, which the line must tell
 *   4  the clear parts of a ticket that no key opens
 *   5  a ticket that was not looked at before
 *
 * The line is clean whatever comes, and empty when there is no reason.
 */

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <sys/mman.h>

#include <krb5/krb5.h>

#include "rms_ticket.h"


#define must(x)   do { if (!(x)) { abort(); } } while (0)

#define ETYPE  18                       /* aes256-cts-hmac-sha1-96       */
#define KEY    32
#define KVNO   2

#define USAGE_TICKET         2          /* RFC 4120 7.5.1                */
#define USAGE_AUTHENTICATOR  11


/* DER, written from its end to its beginning. */

typedef struct {
    unsigned char   buf[8192];
    unsigned char  *p;
} der_t;


static krb5_context    krb5;
static char            keytab[64];
static unsigned char   session[KEY];


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
der_init(der_t *d)
{
    d->p = d->buf + sizeof(d->buf);
}


static void
der_bytes(der_t *d, const void *data, size_t len)
{
    must((size_t) (d->p - d->buf) >= len);

    d->p -= len;

    if (len > 0) {
        memcpy(d->p, data, len);
    }
}


/* Puts a tag before all that was written since end. */

static void
der_wrap(der_t *d, unsigned tag, const unsigned char *end)
{
    size_t         n, len;
    unsigned char  head[4];

    n = 0;
    len = (size_t) (end - d->p);
    head[n++] = (unsigned char) tag;

    if (len >= 0x100) {
        head[n++] = 0x82;
        head[n++] = (unsigned char) (len >> 8);

    } else if (len >= 0x80) {
        head[n++] = 0x81;
    }

    head[n++] = (unsigned char) len;
    der_bytes(d, head, n);
}


static void
der_string(der_t *d, unsigned field, unsigned tag, const void *data,
    size_t len)
{
    unsigned char  *end;

    end = d->p;
    der_bytes(d, data, len);
    der_wrap(d, tag, end);
    der_wrap(d, 0xa0 | field, end);
}


/* PrincipalName { name-type [0] 1, name-string [1] { name } } */

static void
der_name(der_t *d, unsigned field, const char *name)
{
    unsigned char  *end;

    end = d->p;
    der_bytes(d, name, strlen(name));
    der_wrap(d, 0x1b, end);
    der_wrap(d, 0x30, end);
    der_wrap(d, 0xa1, end);
    der_bytes(d, "\xa0\x03\x02\x01\x01", 5);
    der_wrap(d, 0x30, end);
    der_wrap(d, 0xa0 | field, end);
}


/* EncTicketPart, RFC 4120 5.3: from 2020 to 2037. */

static void
der_ticket_part(der_t *d)
{
    unsigned char  *end, *key;

    end = d->p;
    der_string(d, 7, 0x18, "20371231235959Z", 15);
    der_string(d, 5, 0x18, "20200101000000Z", 15);
    der_bytes(d, "\xa4\x0b\x30\x09\xa0\x03\x02\x01\x01\xa1\x02\x04\x00", 13);
    der_name(d, 3, "EXCH01$");
    der_string(d, 2, 0x1b, "R", 1);

    key = d->p;
    der_string(d, 1, 0x04, session, KEY);
    der_bytes(d, "\xa0\x03\x02\x01\x12", 5);
    der_wrap(d, 0x30, key);
    der_wrap(d, 0xa1, key);

    der_bytes(d, "\xa0\x07\x03\x05\x00\x00\x00\x00\x00", 9);
    der_wrap(d, 0x30, end);
    der_wrap(d, 0x63, end);
}


/* Authenticator, RFC 4120 5.5.1. */

static void
der_authenticator(der_t *d, time_t when)
{
    char            text[32];
    struct tm       tm;
    unsigned char  *end;

    must(gmtime_r(&when, &tm) != NULL);
    must(strftime(text, sizeof(text), "%Y%m%d%H%M%SZ", &tm) == 15);

    end = d->p;
    der_string(d, 5, 0x18, text, 15);
    der_bytes(d, "\xa4\x03\x02\x01\x00", 5);
    der_name(d, 2, "EXCH01$");
    der_string(d, 1, 0x1b, "R", 1);
    der_bytes(d, "\xa0\x03\x02\x01\x05", 5);
    der_wrap(d, 0x30, end);
    der_wrap(d, 0x62, end);
}


static void
encrypt(const unsigned char *key, krb5_keyusage usage, const void *data,
    size_t len, rms_str_t *out)
{
    size_t         need;
    krb5_data      plain;
    krb5_keyblock  block;
    krb5_enc_data  cipher;

    memset(&plain, 0, sizeof(krb5_data));
    plain.data = (char *) (uintptr_t) data;
    plain.length = (unsigned) len;

    memset(&block, 0, sizeof(krb5_keyblock));
    block.enctype = ETYPE;
    block.length = KEY;
    block.contents = (krb5_octet *) (uintptr_t) key;

    must(krb5_c_encrypt_length(krb5, ETYPE, len, &need) == 0);

    memset(&cipher, 0, sizeof(krb5_enc_data));
    cipher.ciphertext.length = (unsigned) need;
    cipher.ciphertext.data = malloc(need);
    must(cipher.ciphertext.data != NULL);
    must(krb5_c_encrypt(krb5, &block, usage, NULL, &plain, &cipher) == 0);

    out->data = (unsigned char *) cipher.ciphertext.data;
    out->len = cipher.ciphertext.length;
}


/* Ticket, RFC 4120 5.3, for HTTP@R; key opens it. */

static void
der_ticket(der_t *d, const unsigned char *key, const void *part, size_t len)
{
    rms_str_t       cipher;
    unsigned char  *end;

    end = d->p;
    encrypt(key, USAGE_TICKET, part, len, &cipher);
    der_string(d, 2, 0x04, cipher.data, cipher.len);
    free(cipher.data);

    der_bytes(d, "\xa0\x03\x02\x01\x12" "\xa1\x03\x02\x01\x02", 10);
    der_wrap(d, 0x30, end);
    der_wrap(d, 0xa3, end);
    der_name(d, 2, "HTTP/a");
    der_string(d, 1, 0x1b, "R", 1);
    der_bytes(d, "\xa0\x03\x02\x01\x05", 5);
    der_wrap(d, 0x30, end);
    der_wrap(d, 0x61, end);
}


/*
 * Two keys, of HTTP/a@R and host/a@R, in the format of MIT (0x0502) and in a
 * file without a name.
 */

static void
keytab_make(void)
{
    int            fd;
    size_t         i;
    unsigned char  key[KEY];

    static const char  *heads[] = {
        "\x05\x02"
        "\0\0\0\x3b\0\x02\0\1R\0\4HTTP\0\1a\0\0\0\1\0\0\0\0\x02\0\x12\0\x20",
        "\0\0\0\x3b\0\x02\0\1R\0\4host\0\1a\0\0\0\1\0\0\0\0\x02\0\x12\0\x20"
    };

    fd = memfd_create("keytab", MFD_CLOEXEC);
    must(fd != -1);

    for (i = 0; i < 2; i++) {
        memset(key, (int) i + 1, KEY);
        must(write(fd, heads[i], i ? 31 : 33) == (i ? 31 : 33));
        must(write(fd, key, KEY) == KEY);
    }

    (void) snprintf(keytab, sizeof(keytab), "/proc/self/fd/%d", fd);
}


static void
setup(void)
{
    if (krb5 != NULL) {
        return;
    }

    must(setenv("KRB5_CONFIG", "/dev/null", 1) == 0);
    must(krb5_init_context(&krb5) == 0);
    memset(session, 's', KEY);
    keytab_make();
}


/* Asks, and looks at the line, which holds text afterwards. */

static rms_ticket_e
explain(const rms_apreq_t *apreq, char *text, size_t size)
{
    size_t         i;
    rms_line_t     line;
    rms_ticket_e   rc;

    memset(text, 0x7f, size);
    rms_line_init(&line, text, size);
    rc = rms_ticket_explain(keytab, apreq, &line);

    must(rc == RMS_TICKET_NO_REASON || rc == RMS_TICKET_REFUSED);
    must((rc == RMS_TICKET_NO_REASON) == (text[0] == '\0'));

    for (i = 0; i < size && text[i] != '\0'; i++) {
        must(text[i] >= 0x20 && text[i] < 0x7f);
    }

    must(i < size);

    return rc;
}


/* An AP-REQ of a ticket and an authenticator, as if a client had sent both. */

static rms_ticket_e
explain_parts(const rms_str_t *part, const rms_str_t *plain, char *text,
    size_t size)
{
    der_t           d;
    rms_apreq_t     apreq;
    rms_ticket_e    rc;
    unsigned char   key[KEY];

    memset(&apreq, 0, sizeof(rms_apreq_t));
    memset(key, 1, KEY);

    der_init(&d);
    der_ticket(&d, key, part->data, part->len);
    apreq.ticket.data = d.p;
    apreq.ticket.len = (size_t) (d.buf + sizeof(d.buf) - d.p);

    encrypt(session, USAGE_AUTHENTICATOR, plain->data, plain->len,
            &apreq.authenticator);

    memcpy(apreq.service_buf, "HTTP/a", 6);
    apreq.service.data = apreq.service_buf;
    apreq.service.len = 6;
    apreq.realm.data = (unsigned char *) "R";
    apreq.realm.len = 1;
    apreq.ticket_etype = ETYPE;
    apreq.ticket_kvno = KVNO;
    apreq.auth_etype = ETYPE;

    rc = explain(&apreq, text, size);
    free(apreq.authenticator.data);

    return rc;
}


static void
token(const rms_str_t *in)
{
    char         text[512];
    rms_apreq_t  apreq;

    if (rms_token_apreq(in, &apreq) == RMS_OK) {
        (void) explain(&apreq, text, sizeof(text));
    }
}


static void
ticket_part(const rms_str_t *in)
{
    char       text[512];
    der_t      d;
    rms_str_t  plain;

    der_init(&d);
    der_authenticator(&d, time(NULL));
    plain.data = d.p;
    plain.len = (size_t) (d.buf + sizeof(d.buf) - d.p);

    (void) explain_parts(in, &plain, text, sizeof(text));
}


static rms_ticket_e
authenticator(const rms_str_t *in, char *text, size_t size)
{
    der_t      d;
    rms_str_t  part;

    der_init(&d);
    der_ticket_part(&d);
    part.data = d.p;
    part.len = (size_t) (d.buf + sizeof(d.buf) - d.p);

    return explain_parts(&part, in, text, size);
}


/* Some seconds of grace on either side, for those that pass here. */

static void
clock_told(const rms_str_t *in)
{
    char           text[512];
    long           ahead, told;
    der_t          d;
    int32_t        word;
    rms_str_t      plain;
    const char    *p;
    rms_ticket_e   rc;

    if (in->len < 4) {
        return;
    }

    /* within 32 bits of seconds, in which Kerberos counts */

    memcpy(&word, in->data, 4);
    ahead = word % (1L << 30);

    der_init(&d);
    der_authenticator(&d, time(NULL) + ahead);
    plain.data = d.p;
    plain.len = (size_t) (d.buf + sizeof(d.buf) - d.p);

    rc = authenticator(&plain, text, sizeof(text));

    if (labs(ahead) < 300 - 20) {
        must(rc == RMS_TICKET_NO_REASON);

    } else if (labs(ahead) > 300 + 20) {
        must(rc == RMS_TICKET_REFUSED);

        p = strstr(text, "clock skew: the client's clock is ");
        must(p == text);
        told = strtol(p + strlen("clock skew: the client's clock is "),
                      (char **) &p, 10);
        must(labs(told - labs(ahead)) < 20);
        must(strncmp(p, ahead < 0 ? " s behind" : " s ahead", 8) == 0);
    }
}


static void
clear_parts(const rms_str_t *in)
{
    char            text[512];
    der_t           d;
    rms_apreq_t     apreq;
    unsigned char   key[KEY];

    if (in->len < 3) {
        return;
    }

    memset(&apreq, 0, sizeof(rms_apreq_t));
    memset(key, 3, KEY);

    der_init(&d);
    der_ticket(&d, key, "x", 1);
    apreq.ticket.data = d.p;
    apreq.ticket.len = (size_t) (d.buf + sizeof(d.buf) - d.p);

    apreq.ticket_etype = in->data[0];
    apreq.ticket_kvno = in->data[1];
    apreq.realm.data = in->data + 3;
    apreq.realm.len = in->data[2] < in->len - 3 ? in->data[2] : in->len - 3;

    apreq.service.len = in->len - 3 - apreq.realm.len;

    if (apreq.service.len > sizeof(apreq.service_buf)) {
        apreq.service.len = sizeof(apreq.service_buf);
    }

    memcpy(apreq.service_buf, apreq.realm.data + apreq.realm.len,
           apreq.service.len);
    apreq.service.data = apreq.service_buf;

    must(explain(&apreq, text, sizeof(text)) == RMS_TICKET_REFUSED);
}


static void
any_ticket(const rms_str_t *in)
{
    char         text[512];
    rms_apreq_t  apreq;

    memset(&apreq, 0, sizeof(rms_apreq_t));
    apreq.ticket = *in;
    apreq.service.data = apreq.service_buf;
    apreq.realm.data = apreq.service_buf;

    (void) explain(&apreq, text, sizeof(text));
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char       text[512];
    rms_str_t  rest;

    if (size == 0 || size > 2048) {
        return 0;
    }

    setup();

    rest.data = (unsigned char *) (uintptr_t) data + 1;
    rest.len = size - 1;

    switch (data[0]) {

    case 0:
        token(&rest);
        break;

    case 1:
        ticket_part(&rest);
        break;

    case 2:
        (void) authenticator(&rest, text, sizeof(text));
        break;

    case 3:
        clock_told(&rest);
        break;

    case 4:
        clear_parts(&rest);
        break;

    case 5:
        any_ticket(&rest);
        break;

    default:
        break;
    }

    return 0;
}
