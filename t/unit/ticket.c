/*
 * Kerberos without a KDC: a ticket is only data encrypted with the service's
 * key (RFC 4120 5.3), and a test has that key.
 */

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <krb5/krb5.h>

#include "ticket.h"


/* exported by libkrb5, but in none of its public headers */
krb5_error_code krb5_encrypt_tkt_part(krb5_context, const krb5_keyblock *,
    krb5_ticket *);
krb5_error_code encode_krb5_ticket(const krb5_ticket *, krb5_data **);


#define TICKET_GSS_CHECKSUM  0x8003         /* RFC 4121 4.1.1 */

#define TICKET_PAC_HEADER    8              /* [MS-PAC] 2.3, 2.4 */
#define TICKET_PAC_BUFFER    16


static void ticket_must(krb5_error_code err, const char *what);
static void ticket_service_key(krb5_context krb5, const ticket_spec_t *spec,
    krb5_principal service, krb5_keyblock *key, unsigned *kvno);
static krb5_pac ticket_pac(krb5_context krb5, const ticket_spec_t *spec);
static void ticket_pac_u32(unsigned char *p, size_t value);
static void ticket_pac_sign(krb5_context krb5, const ticket_spec_t *spec,
    krb5_enc_tkt_part *part, krb5_principal service, krb5_keyblock *key);
static void ticket_pac_put(krb5_context krb5, const ticket_spec_t *spec,
    krb5_enc_tkt_part *part, const krb5_keyblock *key);
static krb5_authdata **ticket_pac_wrap(krb5_context krb5,
    const rms_str_t *pac, unsigned depth);
static void ticket_make(krb5_context krb5, const ticket_spec_t *spec,
    krb5_creds *creds);
static rms_str_t ticket_oid(const char *oid, size_t len);


static const char  ticket_conf[] =
    "[libdefaults]\n"
    "  default_realm = RMS.TEST\n"
    "  dns_lookup_kdc = false\n"
    "  dns_lookup_realm = false\n"
    "  dns_canonicalize_hostname = false\n"
    "  rdns = false\n"
    "  allow_weak_crypto = true\n"
    "[domain_realm]\n"
    "  .rms.test = RMS.TEST\n";


static char  ticket_dir[] = "/tmp/rms-unit-XXXXXX";


static void
ticket_must(krb5_error_code err, const char *what)
{
    if (err) {
        (void) fprintf(stderr, "%s: krb5 error %d\n", what, (int) err);
        abort();
    }
}


void
ticket_setup(void)
{
    FILE  *f;

    ticket_must(mkdtemp(ticket_dir) == NULL, "mkdtemp");

    f = fopen(ticket_path("krb5.conf"), "w");
    ticket_must(f == NULL, "krb5.conf");
    ticket_must(fputs(ticket_conf, f) == EOF, "krb5.conf");
    ticket_must(fclose(f) != 0, "krb5.conf");

    ticket_must(setenv("KRB5_CONFIG", ticket_path("krb5.conf"), 1), "setenv");
}


void
ticket_cleanup(void)
{
    DIR            *dir;
    struct dirent  *entry;

    dir = opendir(ticket_dir);
    ticket_must(dir == NULL, "opendir");

    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] != '.') {
            (void) unlink(ticket_path(entry->d_name));
        }
    }

    (void) closedir(dir);
    (void) rmdir(ticket_dir);
}


char *
ticket_path(const char *name)
{
    static char      paths[8][sizeof(ticket_dir) + NAME_MAX + 1];
    static unsigned  next;

    char  *path;

    path = paths[next++ % 8];
    (void) snprintf(path, sizeof(paths[0]), "%s/%s", ticket_dir, name);

    return path;
}


void
ticket_keytab_add(const char *path, const char *principal, unsigned kvno,
    int etype)
{
    char               name[PATH_MAX];
    krb5_keytab        keytab;
    krb5_context       krb5;
    krb5_keytab_entry  entry;

    memset(&entry, 0, sizeof(krb5_keytab_entry));
    (void) snprintf(name, sizeof(name), "FILE:%s", path);

    ticket_must(krb5_init_context(&krb5), "init_context");
    ticket_must(krb5_kt_resolve(krb5, name, &keytab), path);
    ticket_must(krb5_parse_name(krb5, principal, &entry.principal), principal);
    ticket_must(krb5_c_make_random_key(krb5, etype, &entry.key), "key");
    entry.vno = kvno;
    ticket_must(krb5_kt_add_entry(krb5, keytab, &entry), path);

    (void) krb5_free_keytab_entry_contents(krb5, &entry);
    (void) krb5_kt_close(krb5, keytab);
    krb5_free_context(krb5);
}


static void
ticket_service_key(krb5_context krb5, const ticket_spec_t *spec,
    krb5_principal service, krb5_keyblock *key, unsigned *kvno)
{
    char               name[PATH_MAX];
    krb5_keytab        keytab;
    krb5_keytab_entry  entry;

    (void) snprintf(name, sizeof(name), "FILE:%s", spec->keytab);

    ticket_must(krb5_kt_resolve(krb5, name, &keytab), spec->keytab);
    ticket_must(krb5_kt_get_entry(krb5, keytab, service, spec->kvno,
                                  spec->etype, &entry),
                spec->service);

    *kvno = entry.vno;

    if (spec->wrong_key) {
        ticket_must(krb5_c_make_random_key(krb5, spec->etype, key), "key");

    } else {
        ticket_must(krb5_copy_keyblock_contents(krb5, &entry.key, key), "key");
    }

    (void) krb5_free_keytab_entry_contents(krb5, &entry);
    (void) krb5_kt_close(krb5, keytab);
}


/* A PAC that holds the logon information n_logon times, and nothing else. */

static krb5_pac
ticket_pac(krb5_context krb5, const ticket_spec_t *spec)
{
    size_t          i, n, len, size;
    krb5_pac        pac;
    unsigned char  *data, *p;

    n = spec->n_logon;

    if (n == 0) {
        ticket_must(krb5_pac_init(krb5, &pac), "pac_init");
        return pac;
    }

    len = spec->logon->len;
    ticket_must(len % 8 != 0, "logon information");

    size = TICKET_PAC_HEADER + n * (TICKET_PAC_BUFFER + len);
    data = calloc(1, size);
    ticket_must(data == NULL, "calloc");
    ticket_pac_u32(data, n);

    for (i = 0; i < n; i++) {
        p = data + TICKET_PAC_HEADER + i * TICKET_PAC_BUFFER;
        size = TICKET_PAC_HEADER + n * TICKET_PAC_BUFFER + i * len;

        ticket_pac_u32(p, KRB5_PAC_LOGON_INFO);
        ticket_pac_u32(p + 4, len);
        ticket_pac_u32(p + 8, size);
        memcpy(data + size, spec->logon->data, len);
    }

    size = TICKET_PAC_HEADER + n * (TICKET_PAC_BUFFER + len);
    ticket_must(krb5_pac_parse(krb5, data, size, &pac), "pac_parse");
    free(data);

    return pac;
}


static void
ticket_pac_u32(unsigned char *p, size_t value)
{
    size_t  i;

    for (i = 0; i < 4; i++) {
        p[i] = (unsigned char) (value >> (8 * i) & 0xff);
    }
}


/* The KDC's own signature is one no service can check. */

static void
ticket_pac_sign(krb5_context krb5, const ticket_spec_t *spec,
    krb5_enc_tkt_part *part, krb5_principal service, krb5_keyblock *key)
{
    krb5_pac         pac;
    krb5_keyblock    kdc, other;
    krb5_principal   client;
    krb5_timestamp   authtime;

    pac = ticket_pac(krb5, spec);
    authtime = part->times.authtime;

    ticket_must(krb5_parse_name(krb5,
                                spec->pac == TICKET_PAC_OF_ANOTHER
                                ? "another@RMS.TEST" : spec->client,
                                &client),
                spec->client);
    ticket_must(krb5_c_make_random_key(krb5, spec->etype, &kdc), "key");
    ticket_must(krb5_c_make_random_key(krb5, spec->etype, &other), "key");

    if (spec->pac == TICKET_PAC_OLD) {
        part->times.authtime -= 60;
    }

    ticket_must(krb5_kdc_sign_ticket(krb5, part, pac, service, client,
                                     spec->pac == TICKET_PAC_FORGED
                                     ? &other : key,
                                     &kdc, FALSE),
                "sign_ticket");

    part->times.authtime = authtime;
    ticket_pac_put(krb5, spec, part, key);

    krb5_free_keyblock_contents(krb5, &kdc);
    krb5_free_keyblock_contents(krb5, &other);
    krb5_free_principal(krb5, client);
    krb5_pac_free(krb5, pac);
}


/* Takes the signed PAC out again, and puts in what the test wants. */

static void
ticket_pac_put(krb5_context krb5, const ticket_spec_t *spec,
    krb5_enc_tkt_part *part, const krb5_keyblock *key)
{
    unsigned         i;
    rms_str_t        pac;
    krb5_authdata  **found, **one, **list, **grown;

    ticket_must(krb5_find_authdata(krb5, part->authorization_data, NULL,
                                   KRB5_AUTHDATA_WIN2K_PAC, &found),
                "find_authdata");
    krb5_free_authdata(krb5, part->authorization_data);
    list = NULL;

    for (i = 0; i < (spec->n_pac ? spec->n_pac : 1); i++) {
        pac.len = found[0]->length;
        pac.data = malloc(pac.len);
        ticket_must(pac.data == NULL, "malloc");
        memcpy(pac.data, found[0]->contents, pac.len);

        if (spec->alter != NULL) {
            spec->alter(krb5, key, i, &pac);
        }

        one = ticket_pac_wrap(krb5, &pac, i ? spec->depth : 1);
        ticket_must(krb5_merge_authdata(krb5, list, one, &grown), "merge");
        krb5_free_authdata(krb5, list);
        krb5_free_authdata(krb5, one);
        free(pac.data);
        list = grown;
    }

    krb5_free_authdata(krb5, found);
    part->authorization_data = list;
}


static krb5_authdata **
ticket_pac_wrap(krb5_context krb5, const rms_str_t *pac, unsigned depth)
{
    krb5_authdata  ad, *bare[2], **list, **out;

    memset(&ad, 0, sizeof(krb5_authdata));
    ad.ad_type = KRB5_AUTHDATA_WIN2K_PAC;
    ad.length = (unsigned) pac->len;
    ad.contents = pac->data;
    bare[0] = &ad;
    bare[1] = NULL;

    ticket_must(krb5_copy_authdata(krb5, bare, &out), "authdata");

    while (depth--) {
        list = out;
        ticket_must(krb5_encode_authdata_container(krb5,
                                                   KRB5_AUTHDATA_IF_RELEVANT,
                                                   list, &out),
                    "container");
        krb5_free_authdata(krb5, list);
    }

    return out;
}


static void
ticket_make(krb5_context krb5, const ticket_spec_t *spec, krb5_creds *creds)
{
    time_t              now;
    unsigned            kvno;
    krb5_data          *der;
    krb5_ticket         ticket;
    krb5_keyblock       key;
    krb5_enc_tkt_part   part;

    now = time(NULL);

    memset(creds, 0, sizeof(krb5_creds));
    memset(&ticket, 0, sizeof(krb5_ticket));
    memset(&part, 0, sizeof(krb5_enc_tkt_part));
    memset(&key, 0, sizeof(krb5_keyblock));

    ticket_must(krb5_parse_name(krb5, spec->service, &creds->server),
                spec->service);
    ticket_must(krb5_parse_name(krb5, spec->client, &creds->client),
                spec->client);
    ticket_must(krb5_c_make_random_key(krb5, spec->etype, &creds->keyblock),
                "session key");
    ticket_service_key(krb5, spec, creds->server, &key, &kvno);

    part.session = &creds->keyblock;
    part.client = creds->client;
    part.transited.tr_type = 1;         /* DOMAIN-X500-COMPRESS */
    part.times.starttime = (krb5_timestamp) (now + spec->start);
    part.times.authtime = part.times.starttime - 30;
    part.times.endtime = (krb5_timestamp) (now + spec->start + spec->life);

    if (spec->transited != NULL) {
        part.flags = TKT_FLG_TRANSIT_POLICY_CHECKED;
        part.transited.tr_contents.data = (char *) spec->transited;
        part.transited.tr_contents.length = (unsigned) strlen(spec->transited);
    }

    if (spec->pac != TICKET_NO_PAC) {
        ticket_pac_sign(krb5, spec, &part, creds->server, &key);
    }

    ticket.server = creds->server;
    ticket.enc_part2 = &part;

    ticket_must(krb5_encrypt_tkt_part(krb5, &key, &ticket), "encrypt");
    ticket.enc_part.kvno = kvno;
    ticket_must(encode_krb5_ticket(&ticket, &der), "encode");

    /* the client believes in its ticket, so that a stale one is sent too */

    creds->times.starttime = (krb5_timestamp) (now - 36000);
    creds->times.endtime = (krb5_timestamp) (now + 36000);
    creds->ticket = *der;
    free(der);

    free(ticket.enc_part.ciphertext.data);
    krb5_free_authdata(krb5, part.authorization_data);
    krb5_free_keyblock_contents(krb5, &key);
}


rms_str_t
ticket_apreq(const ticket_spec_t *spec)
{
    rms_str_t           token;
    krb5_data           apreq, checksum;
    krb5_creds          creds;
    krb5_context        krb5;
    krb5_auth_context   auth;

    /* lgth, no channel bindings, flags: mutual and replay (RFC 4121 4.1.1) */
    static char  gss[24] = { 16, [20] = 2 | 4 };

    auth = NULL;
    memset(&checksum, 0, sizeof(krb5_data));
    checksum.data = gss;
    checksum.length = sizeof(gss);

    ticket_must(krb5_init_context(&krb5), "init_context");
    ticket_make(krb5, spec, &creds);

    if (spec->clock) {
        ticket_must(krb5_set_real_time(krb5,
                            (krb5_timestamp) (time(NULL) + spec->clock), 0),
                    "clock");
    }

    if (spec->sent != NULL) {
        creds.authdata = ticket_pac_wrap(krb5, spec->sent, 1);
    }

    ticket_must(krb5_auth_con_init(krb5, &auth), "auth_con_init");
    ticket_must(krb5_auth_con_set_req_cksumtype(krb5, auth,
                                                TICKET_GSS_CHECKSUM),
                "checksum");
    ticket_must(krb5_mk_req_extended(krb5, &auth, AP_OPTS_MUTUAL_REQUIRED,
                                     &checksum, &creds, &apreq),
                "mk_req");

    token.len = apreq.length;
    token.data = malloc(apreq.length);
    ticket_must(token.data == NULL, "malloc");
    memcpy(token.data, apreq.data, apreq.length);

    krb5_free_data_contents(krb5, &apreq);
    krb5_free_cred_contents(krb5, &creds);
    (void) krb5_auth_con_free(krb5, auth);
    krb5_free_context(krb5);

    return token;
}


rms_str_t
ticket_krb5(const ticket_spec_t *spec)
{
    rms_str_t  apreq, token;

    apreq = ticket_apreq(spec);
    token = ticket_frame(TICKET_OID_KRB5, sizeof(TICKET_OID_KRB5) - 1, &apreq);
    free(apreq.data);

    return token;
}


void
ticket_ccache(const ticket_spec_t *spec, const char *name)
{
    krb5_creds     creds;
    krb5_ccache    cache;
    krb5_context   krb5;

    ticket_must(krb5_init_context(&krb5), "init_context");
    ticket_make(krb5, spec, &creds);

    ticket_must(krb5_cc_resolve(krb5, name, &cache), name);
    ticket_must(krb5_cc_initialize(krb5, cache, creds.client), name);
    ticket_must(krb5_cc_store_cred(krb5, cache, &creds), name);

    (void) krb5_cc_close(krb5, cache);
    krb5_free_cred_contents(krb5, &creds);
    krb5_free_context(krb5);
}


rms_str_t
ticket_tlv(unsigned tag, const rms_str_t *a, const rms_str_t *b,
    const rms_str_t *c, const rms_str_t *d)
{
    size_t            i, len, n;
    rms_str_t         out;
    unsigned char    *p;
    const rms_str_t  *parts[4] = { a, b, c, d };

    for (len = 0, n = 0; n < 4 && parts[n] != NULL; n++) {
        len += parts[n]->len;
    }

    out.data = malloc(len + 4);
    ticket_must(out.data == NULL || len > 0xffff, "tlv");

    p = out.data;
    *p++ = (unsigned char) tag;

    if (len >= 0x100) {
        *p++ = 0x82;
        *p++ = (unsigned char) (len >> 8);

    } else if (len >= 0x80) {
        *p++ = 0x81;
    }

    *p++ = (unsigned char) len;

    for (i = 0; i < n; i++) {
        if (parts[i]->len) {
            memcpy(p, parts[i]->data, parts[i]->len);
            p += parts[i]->len;
        }
    }

    out.len = (size_t) (p - out.data);

    return out;
}


static rms_str_t
ticket_oid(const char *oid, size_t len)
{
    rms_str_t  s;

    s.data = (unsigned char *) oid;
    s.len = len;

    return ticket_tlv(0x06, &s, NULL, NULL, NULL);
}


rms_str_t
ticket_frame(const char *oid, size_t len, const rms_str_t *apreq)
{
    rms_str_t  o, out, id = rms_string("\x01\x00");

    o = ticket_oid(oid, len);
    out = ticket_tlv(0x60, &o, &id, apreq, NULL);
    free(o.data);

    return out;
}


rms_str_t
ticket_mechs(const char *letters)
{
    rms_str_t  oid, list, grown, out;

    list.len = 0;
    list.data = NULL;

    for (; *letters; letters++) {
        switch (*letters) {
        case 'k':
            oid = ticket_oid(TICKET_OID_KRB5, sizeof(TICKET_OID_KRB5) - 1);
            break;
        case 'm':
            oid = ticket_oid(TICKET_OID_MSKRB5, sizeof(TICKET_OID_MSKRB5) - 1);
            break;
        case 'x':
            oid = ticket_oid(TICKET_OID_NEGOEX, sizeof(TICKET_OID_NEGOEX) - 1);
            break;
        default:
            oid = ticket_oid(TICKET_OID_NTLM, sizeof(TICKET_OID_NTLM) - 1);
            break;
        }

        grown.len = list.len + oid.len;
        grown.data = realloc(list.data, grown.len);
        ticket_must(grown.data == NULL, "realloc");
        memcpy(grown.data + list.len, oid.data, oid.len);
        free(oid.data);
        list = grown;
    }

    out = ticket_tlv(0x30, &list, NULL, NULL, NULL);
    free(list.data);

    return out;
}


/* "[n] { OCTET STRING }", or nothing. */

static rms_str_t
ticket_octets(unsigned n, const rms_str_t *value)
{
    rms_str_t  s, out = rms_null_string;

    if (value != NULL) {
        s = ticket_tlv(0x04, value, NULL, NULL, NULL);
        out = ticket_tlv(0xa0u | n, &s, NULL, NULL, NULL);
        free(s.data);
    }

    return out;
}


rms_str_t
ticket_init(const char *letters, const rms_str_t *token)
{
    rms_str_t  list, mechs, opt, seq, init, oid, out;

    list = ticket_mechs(letters);
    mechs = ticket_tlv(0xa0, &list, NULL, NULL, NULL);
    opt = ticket_octets(2, token);
    seq = ticket_tlv(0x30, &mechs, &opt, NULL, NULL);
    init = ticket_tlv(0xa0, &seq, NULL, NULL, NULL);
    oid = ticket_oid(TICKET_OID_SPNEGO, sizeof(TICKET_OID_SPNEGO) - 1);
    out = ticket_tlv(0x60, &oid, &init, NULL, NULL);

    free(list.data);
    free(mechs.data);
    free(opt.data);
    free(seq.data);
    free(init.data);
    free(oid.data);

    return out;
}


rms_str_t
ticket_resp(const rms_str_t *token, const rms_str_t *mic)
{
    rms_str_t  a, b, seq, out;

    a = ticket_octets(2, token);
    b = ticket_octets(3, mic);
    seq = ticket_tlv(0x30, &a, &b, NULL, NULL);
    out = ticket_tlv(0xa1, &seq, NULL, NULL, NULL);

    free(a.data);
    free(b.data);
    free(seq.data);

    return out;
}
