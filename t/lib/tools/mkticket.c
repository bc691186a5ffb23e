/*
 * mkticket: a Kerberos service ticket made from the service's own keytab, so
 * that tests can send what no KDC would issue (expired, from the future, with
 * a wrong key, of any realm).  Only for tests.
 *
 *   cc -o mkticket mkticket.c -lkrb5 -lk5crypto
 *
 *   -k keytab   -s service@REALM   -c client@REALM   -o ccache
 *   -l seconds of life   -b begin, seconds from now   -e enctype
 *   -v kvno (0: the newest)   -G make a random key in the keytab first
 *   -L file     LOGON_INFO buffer for a PAC   -x break the PAC's signature
 *   -R file     REQUESTER_SID buffer for that PAC   -f  forwardable
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <krb5/krb5.h>


#define PAC_MAX            (1 << 20)
#define PAC_REQUESTER_SID  18           /* not yet in krb5.h of 1.20 */


/* Exported by libkrb5, not declared in krb5.h. */

extern krb5_error_code krb5_encrypt_tkt_part(krb5_context,
    const krb5_keyblock *, krb5_ticket *);
extern krb5_error_code encode_krb5_ticket(const krb5_ticket *, krb5_data **);


typedef struct {
    const char    *keytab;
    const char    *service;
    const char    *client;
    const char    *ccache;
    const char    *logon_info;
    const char    *requester;
    int            life;
    int            begin;
    int            bad_pac;
    int            generate;
    int            forwardable;
    krb5_kvno      kvno;
    krb5_enctype   enctype;
} options_t;


static krb5_context  ctx;


static void
check(krb5_error_code rc, const char *what)
{
    if (rc) {
        fprintf(stderr, "%s: %s\n", what, krb5_get_error_message(ctx, rc));
        exit(1);
    }
}


static options_t
parse(int argc, char **argv)
{
    int        ch;
    options_t  o = {
        .service = "HTTP/rmsconnector.rms.test@RMS.TEST",
        .client = "EXCH01$@RMS.TEST", .ccache = "FILE:made.cc",
        .life = 36000, .enctype = ENCTYPE_AES256_CTS_HMAC_SHA1_96
    };

    while ((ch = getopt(argc, argv, "k:s:c:o:l:b:v:e:L:R:xGf")) > 0) {
        switch (ch) {
        case 'k': o.keytab = optarg; break;
        case 's': o.service = optarg; break;
        case 'c': o.client = optarg; break;
        case 'o': o.ccache = optarg; break;
        case 'l': o.life = atoi(optarg); break;
        case 'b': o.begin = atoi(optarg); break;
        case 'v': o.kvno = (krb5_kvno) atoi(optarg); break;
        case 'e': o.enctype = atoi(optarg); break;
        case 'L': o.logon_info = optarg; break;
        case 'R': o.requester = optarg; break;
        case 'x': o.bad_pac = 1; break;
        case 'G': o.generate = 1; break;
        case 'f': o.forwardable = 1; break;
        default: exit(2);
        }
    }

    return o;
}


static krb5_keytab_entry
service_key(const options_t *o, krb5_principal service)
{
    krb5_keytab        kt;
    krb5_keytab_entry  entry;

    if (o->keytab) {
        check(krb5_kt_resolve(ctx, o->keytab, &kt), "keytab");

    } else {
        check(krb5_kt_default(ctx, &kt), "keytab");
    }

    if (o->generate) {
        memset(&entry, 0, sizeof(entry));
        entry.principal = service;
        entry.vno = o->kvno ? o->kvno : 2;
        check(krb5_c_make_random_key(ctx, o->enctype, &entry.key), "key");
        check(krb5_kt_add_entry(ctx, kt, &entry), "keytab");
    }

    check(krb5_kt_get_entry(ctx, kt, service, o->kvno, o->enctype, &entry),
          "keytab entry");

    return entry;
}


static void
add_buffer(krb5_pac pac, krb5_ui_4 type, const char *file)
{
    FILE         *fh;
    krb5_data     info;
    static char   buf[PAC_MAX];

    fh = fopen(file, "r");
    if (fh == NULL) {
        perror(file);
        exit(1);
    }

    info.magic = 0;
    info.data = buf;
    info.length = (unsigned) fread(buf, 1, sizeof(buf), fh);
    fclose(fh);

    check(krb5_pac_add_buffer(ctx, pac, type, &info), "PAC");
}


/* Only with -L: the tickets of an MIT KDC have no logon information either. */

static void
add_pac(const options_t *o, krb5_enc_tkt_part *part, krb5_principal service,
    const krb5_keyblock *key)
{
    krb5_pac       pac;
    krb5_keyblock  tgs, other;

    check(krb5_pac_init(ctx, &pac), "PAC");
    add_buffer(pac, KRB5_PAC_LOGON_INFO, o->logon_info);

    if (o->requester) {
        add_buffer(pac, PAC_REQUESTER_SID, o->requester);
    }

    check(krb5_c_make_random_key(ctx, o->enctype, &tgs), "key");
    check(krb5_c_make_random_key(ctx, o->enctype, &other), "key");
    check(krb5_kdc_sign_ticket(ctx, part, pac, service, part->client,
                               o->bad_pac ? &other : key, &tgs, FALSE),
          "PAC signature");
}


/* The cache lies about the times, so that a stale ticket does get sent. */

static void
store(const options_t *o, const krb5_enc_tkt_part *part,
    krb5_principal service, const krb5_data *ticket)
{
    krb5_creds   cred;
    krb5_ccache  cc;

    memset(&cred, 0, sizeof(cred));
    cred.client = part->client;
    cred.server = service;
    cred.keyblock = *part->session;
    cred.times = part->times;
    cred.times.starttime = (krb5_timestamp) time(NULL) - 7200;
    cred.times.endtime = (krb5_timestamp) time(NULL) + 36000;
    cred.ticket_flags = part->flags;
    cred.ticket = *ticket;

    check(krb5_cc_resolve(ctx, o->ccache, &cc), "ccache");
    check(krb5_cc_initialize(ctx, cc, part->client), "ccache");
    check(krb5_cc_store_cred(ctx, cc, &cred), "ccache");
}


int
main(int argc, char **argv)
{
    options_t           o = parse(argc, argv);
    krb5_data          *der;
    krb5_ticket         ticket;
    krb5_keyblock       session;
    krb5_principal      service, client;
    krb5_timestamp      begin;
    krb5_enc_tkt_part   part;
    krb5_keytab_entry   entry;

    if (krb5_init_context(&ctx)) {
        return 1;
    }

    check(krb5_parse_name(ctx, o.service, &service), "service");
    check(krb5_parse_name(ctx, o.client, &client), "client");
    entry = service_key(&o, service);
    check(krb5_c_make_random_key(ctx, o.enctype, &session), "key");

    begin = (krb5_timestamp) time(NULL) + o.begin;

    memset(&part, 0, sizeof(part));
    part.flags = TKT_FLG_PRE_AUTH | TKT_FLG_ENC_PA_REP
                 | (o.forwardable ? TKT_FLG_FORWARDABLE : 0);
    part.session = &session;
    part.client = client;
    part.transited.tr_type = KRB5_DOMAIN_X500_COMPRESS;
    part.times.authtime = begin;
    part.times.starttime = begin;
    part.times.endtime = begin + o.life;

    memset(&ticket, 0, sizeof(ticket));
    ticket.server = service;
    ticket.enc_part2 = &part;

    if (o.logon_info) {
        add_pac(&o, &part, service, &entry.key);
    }

    check(krb5_encrypt_tkt_part(ctx, &entry.key, &ticket), "encrypt");
    ticket.enc_part.kvno = entry.vno;
    check(encode_krb5_ticket(&ticket, &der), "encode");

    store(&o, &part, service, der);

    return 0;
}
