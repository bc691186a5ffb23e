/*
 * PACs of real tickets, signed as a KDC signs them, and as it never would:
 * which are believed.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <gssapi/gssapi_ext.h>

#include "rms_gss_keys.h"
#include "rms_gss_pac.h"
#include "rms_negotiate.h"
#include "test_mem.h"
#include "test_pac.h"
#include "ticket.h"


#define NELEMS(a)  (sizeof(a) / sizeof((a)[0]))

#define SERVICE  "HTTP/rmsconnector.rms.test@RMS.TEST"
#define NEIGHBOUR  "HTTP/neighbour.rms.test@RMS.TEST"
#define CLIENT   "EXCH01$@RMS.TEST"

#define PAC_OTHER       77              /* a type nobody has defined      */
#define PAC_USAGE       17              /* RFC 4757, [MS-PAC] 2.8.1       */
#define PAC_RC4         0xffffff76      /* CKSUMTYPE_HMAC_MD5_ARCFOUR     */


static char            keytab[4096];
static krb5_context    krb5;
static rms_gss_keys_t  keys;
static gss_cred_id_t   cred;
static test_mem_t      mem;
static rms_str_t       captured;
static size_t          flip_at;


static ticket_spec_t
spec_default(const rms_str_t *logon)
{
    ticket_spec_t  spec;

    memset(&spec, 0, sizeof(ticket_spec_t));
    spec.keytab = keytab;
    spec.service = SERVICE;
    spec.client = CLIENT;
    spec.etype = TICKET_AES256;
    spec.start = -60;
    spec.life = 3600;
    spec.pac = TICKET_PAC;
    spec.logon = logon;
    spec.n_logon = (logon != NULL);

    return spec;
}


/* An account of one group of its own domain, to flip through. */

static rms_str_t
small_logon(uint32_t user)
{
    pac_spec_t  info;

    info = pac_spec();
    info.user = user;
    info.n_extras = 0;
    info.n_resources = 0;
    info.resource_domain.n = 0;
    info.flags = 0;

    return pac_build(&info);
}


static rms_gss_pac_e
read_with(krb5_keytab handle, const ticket_spec_t *spec, const char *account,
    rms_pac_t *pac)
{
    rms_str_t      token, name;
    rms_apreq_t    apreq;
    rms_gss_pac_e  status;

    token = ticket_krb5(spec);
    assert_int_equal(rms_token_apreq(&token, &apreq), RMS_OK);

    name.data = (unsigned char *) account;
    name.len = strlen(account);

    status = rms_gss_pac_read(handle, &apreq.ticket, &name,
                              test_mem_init(&mem, 0), pac);
    free(token.data);

    if (status != RMS_GSS_PAC_FINE) {
        assert_null(pac->memory);
        assert_int_equal(pac->sids.n_members, 0);
        assert_true(strlen(rms_gss_pac_text(status)) > 10);
    }

    return status;
}


static rms_gss_pac_e
read_pac(const ticket_spec_t *spec, rms_pac_t *pac)
{
    return read_with(keys.memory, spec, spec->client, pac);
}


/* What the PAC is said to be, its SIDs thrown away. */

static rms_gss_pac_e
verdict(const ticket_spec_t *spec)
{
    rms_pac_t      pac;
    rms_gss_pac_e  status;

    status = read_pac(spec, &pac);
    test_mem_free(&mem);

    return status;
}


/* The login itself always works: a PAC is no condition of it. */

static void
login_works(const ticket_spec_t *spec)
{
    OM_uint32        major, minor;
    rms_str_t        token;
    gss_name_t       client;
    gss_ctx_id_t     context;
    gss_buffer_desc  in, shown, out = GSS_C_EMPTY_BUFFER;

    token = ticket_krb5(spec);
    context = GSS_C_NO_CONTEXT;
    client = GSS_C_NO_NAME;
    in.value = token.data;
    in.length = token.len;

    major = gss_accept_sec_context(&minor, &context, cred, &in,
                                   GSS_C_NO_CHANNEL_BINDINGS, &client, NULL,
                                   &out, NULL, NULL, NULL);
    assert_int_equal(major, GSS_S_COMPLETE);
    assert_int_equal(gss_display_name(&minor, client, &shown, NULL),
                     GSS_S_COMPLETE);
    assert_int_equal(shown.length, strlen(spec->client));
    assert_memory_equal(shown.value, spec->client, shown.length);

    (void) gss_release_buffer(&minor, &shown);
    (void) gss_release_buffer(&minor, &out);
    (void) gss_release_name(&minor, &client);
    (void) gss_delete_sec_context(&minor, &context, GSS_C_NO_BUFFER);
    free(token.data);
}


static uint32_t
u32(const unsigned char *p)
{
    return (uint32_t) p[0] | (uint32_t) p[1] << 8 | (uint32_t) p[2] << 16
           | (uint32_t) p[3] << 24;
}


/* [MS-PAC] 2.4: where the how many-th buffer of a type is described; 0: not. */

static size_t
entry_of(const rms_str_t *pac, uint32_t type)
{
    size_t  i;

    for (i = 0; i < u32(pac->data); i++) {
        if (u32(pac->data + 8 + 16 * i) == type) {
            return 8 + 16 * i;
        }
    }

    return 0;
}


static void
retype(rms_str_t *pac, uint32_t from, uint32_t to)
{
    size_t  at;

    at = entry_of(pac, from);
    assert_int_not_equal(at, 0);
    pac_poke(pac, at, to);
}


/* Signs anew, with a key and a type of checksum. */

static void
sign(rms_str_t *pac, const krb5_keyblock *key, uint32_t type)
{
    size_t         at, kdc, start, len;
    krb5_data      data;
    krb5_checksum  sum;

    at = entry_of(pac, KRB5_PAC_SERVER_CHECKSUM);
    kdc = entry_of(pac, KRB5_PAC_PRIVSVR_CHECKSUM);
    assert_int_not_equal(at, 0);

    assert_int_equal(krb5_c_checksum_length(krb5, (krb5_cksumtype) type, &len),
                     0);

    /* at the end, whatever its length */

    start = pac->len;
    pac->data = realloc(pac->data, start + 32);
    assert_non_null(pac->data);
    memset(pac->data + start, 0, 32);
    pac->len = start + 32;

    pac_poke(pac, at + 4, 4 + len);
    pac_poke(pac, at + 8, start);
    pac_poke(pac, start, type);

    if (kdc != 0) {
        memset(pac->data + u32(pac->data + kdc + 8) + 4, 0,
               u32(pac->data + kdc + 4) - 4);
    }

    memset(&data, 0, sizeof(krb5_data));
    data.data = (char *) pac->data;
    data.length = (unsigned) pac->len;

    assert_int_equal(krb5_c_make_checksum(krb5, (krb5_cksumtype) type, key,
                                          PAC_USAGE, &data, &sum),
                     0);
    memcpy(pac->data + start + 4, sum.contents, sum.length);
    krb5_free_checksum_contents(krb5, &sum);
}


static void
sign_aes(const krb5_keyblock *key, rms_str_t *pac)
{
    sign(pac, key, CKSUMTYPE_HMAC_SHA1_96_AES256);
}


static void
sign_with_key_of(const char *service, int etype, uint32_t type,
    rms_str_t *pac)
{
    krb5_principal     name;
    krb5_keytab_entry  entry;

    assert_int_equal(krb5_parse_name(krb5, service, &name), 0);
    assert_int_equal(krb5_kt_get_entry(krb5, keys.memory, name, 0, etype,
                                       &entry),
                     0);
    sign(pac, &entry.key, type);

    (void) krb5_free_keytab_entry_contents(krb5, &entry);
    krb5_free_principal(krb5, name);
}


/* Each changes a signed PAC; as ticket_alter_pt. */

#define ALTER(name)                                                           \
    static void                                                               \
    name(krb5_context context, const krb5_keyblock *key, unsigned copy,       \
        rms_str_t *pac)


ALTER(signed_again)
{
    (void) context;
    (void) copy;

    sign_aes(key, pac);
}


ALTER(without_server_checksum)
{
    (void) context;
    (void) key;
    (void) copy;

    retype(pac, KRB5_PAC_SERVER_CHECKSUM, PAC_OTHER);
}


ALTER(with_cut_server_checksum)
{
    (void) context;
    (void) key;
    (void) copy;

    pac_poke(pac, entry_of(pac, KRB5_PAC_SERVER_CHECKSUM) + 4, 3);
}


ALTER(with_two_server_checksums)
{
    (void) context;
    (void) copy;

    retype(pac, KRB5_PAC_TICKET_CHECKSUM, PAC_OTHER);
    sign_aes(key, pac);
    retype(pac, PAC_OTHER, KRB5_PAC_SERVER_CHECKSUM);
}


ALTER(without_kdc_checksum)
{
    (void) context;
    (void) copy;

    retype(pac, KRB5_PAC_PRIVSVR_CHECKSUM, PAC_OTHER);
    sign_aes(key, pac);
}


ALTER(without_client_info)
{
    (void) context;
    (void) copy;

    retype(pac, KRB5_PAC_CLIENT_INFO, PAC_OTHER);
    sign_aes(key, pac);
}


ALTER(with_two_client_infos)
{
    (void) context;
    (void) copy;

    retype(pac, KRB5_PAC_TICKET_CHECKSUM, KRB5_PAC_CLIENT_INFO);
    sign_aes(key, pac);
}


static void
checksum_type(rms_str_t *pac, size_t type)
{
    size_t  at;

    at = entry_of(pac, KRB5_PAC_SERVER_CHECKSUM);
    pac_poke(pac, u32(pac->data + at + 8), type);
}


ALTER(with_unknown_checksum)
{
    (void) context;
    (void) key;
    (void) copy;

    checksum_type(pac, 0x7fff);
}


ALTER(with_checksum_of_no_type)
{
    (void) context;
    (void) key;
    (void) copy;

    checksum_type(pac, 0);
}


ALTER(with_unkeyed_checksum)
{
    (void) context;
    (void) copy;

    sign(pac, key, CKSUMTYPE_RSA_MD5);
}


ALTER(with_rc4_checksum)
{
    (void) context;
    (void) copy;

    sign(pac, key, PAC_RC4);
}


ALTER(signed_with_another_type_of_key)
{
    (void) context;
    (void) key;
    (void) copy;

    sign_with_key_of(SERVICE, TICKET_AES128, CKSUMTYPE_HMAC_SHA1_96_AES128,
                     pac);
}


ALTER(signed_with_another_service)
{
    (void) context;
    (void) key;
    (void) copy;

    sign_with_key_of(NEIGHBOUR, TICKET_AES256, CKSUMTYPE_HMAC_SHA1_96_AES256,
                     pac);
}


ALTER(flipped)
{
    (void) context;
    (void) key;
    (void) copy;

    pac->data[flip_at] ^= 1;
}


ALTER(flipped_first)
{
    (void) context;
    (void) key;

    pac->data[pac->len - 1] ^= (copy == 0);
}


ALTER(flipped_second)
{
    (void) context;
    (void) key;

    pac->data[pac->len - 1] ^= (copy == 1);
}


ALTER(capture)
{
    (void) context;
    (void) key;
    (void) copy;

    captured.data = malloc(pac->len);
    assert_non_null(captured.data);
    memcpy(captured.data, pac->data, pac->len);
    captured.len = pac->len;
}


ALTER(cut)
{
    (void) context;
    (void) key;
    (void) copy;

    pac->len = flip_at;
}


static void
signed_pac_gives_its_sids(void **state)
{
    size_t         i, k;
    rms_str_t      logon;
    rms_pac_t      pac;
    rms_sid_t      sid;
    pac_spec_t     info;
    ticket_spec_t  spec;

    static const int    etypes[] = { TICKET_AES256, TICKET_AES128,
                                     TICKET_RC4,
                                     ENCTYPE_AES256_CTS_HMAC_SHA384_192,
                                     ENCTYPE_AES128_CTS_HMAC_SHA256_128 };
    static const char  *sids[] = {
        "S-1-5-21-1-2-3-1105", "S-1-5-21-1-2-3-515", "S-1-5-21-1-2-3-513",
        "S-1-5-21-1-2-3-1118", "S-1-18-1", "S-1-5-21-7-8-9-1500",
        "S-1-5-21-4-5-6-1119"
    };

    (void) state;

    info = pac_spec();
    logon = pac_build(&info);

    for (i = 0; i < NELEMS(etypes); i++) {
        spec = spec_default(&logon);
        spec.etype = etypes[i];

        login_works(&spec);
        assert_int_equal(read_pac(&spec, &pac), RMS_GSS_PAC_FINE);
        assert_int_equal(pac.sids.n_members, NELEMS(sids));

        sid = pac_sid_of(sids[0]);
        assert_int_equal(rms_sid_cmp(&pac.user, &sid), 0);

        for (k = 0; k < NELEMS(sids); k++) {
            sid = pac_sid_of(sids[k]);
            assert_true(rms_sid_set_has(&pac.sids, &sid));
        }

        test_mem_free(&mem);
    }

    free(logon.data);
}


static void
pac_that_was_not_signed_for_this_login_is_unverified(void **state)
{
    size_t         i;
    rms_str_t      logon;
    ticket_spec_t  spec;

    static const ticket_pac_e  pacs[] = {
        TICKET_PAC_FORGED, TICKET_PAC_OF_ANOTHER, TICKET_PAC_OLD
    };

    (void) state;

    logon = small_logon(1105);
    spec = spec_default(&logon);

    for (i = 0; i < NELEMS(pacs); i++) {
        spec.pac = pacs[i];
        login_works(&spec);
        assert_int_equal(verdict(&spec), RMS_GSS_PAC_UNVERIFIED);
        assert_int_equal(mem.calls, 0);
    }

    free(logon.data);
}


static void
pac_with_the_wrong_signature_is_unverified(void **state)
{
    size_t         i;
    rms_str_t      logon;
    ticket_spec_t  spec;

    static const ticket_alter_pt  wrong[] = {
        without_server_checksum, with_cut_server_checksum,
        with_two_server_checksums, without_kdc_checksum,
        without_client_info, with_two_client_infos, with_unknown_checksum,
        with_checksum_of_no_type, with_unkeyed_checksum, with_rc4_checksum,
        signed_with_another_type_of_key, signed_with_another_service
    };

    (void) state;

    logon = small_logon(1105);
    spec = spec_default(&logon);

    /* what is wrong with the others is not how they were signed again */

    spec.alter = signed_again;
    assert_int_equal(verdict(&spec), RMS_GSS_PAC_FINE);

    for (i = 0; i < NELEMS(wrong); i++) {
        spec.alter = wrong[i];
        login_works(&spec);
        assert_int_equal(verdict(&spec), RMS_GSS_PAC_UNVERIFIED);
        assert_int_equal(mem.calls, 0);
    }

    free(logon.data);
}


/* Of RC4 it is the right one. */

static void
checksum_is_that_of_the_key(void **state)
{
    rms_str_t      logon;
    ticket_spec_t  spec;

    (void) state;

    logon = small_logon(1105);
    spec = spec_default(&logon);
    spec.etype = TICKET_RC4;
    spec.alter = with_rc4_checksum;
    assert_int_equal(verdict(&spec), RMS_GSS_PAC_FINE);

    spec.etype = TICKET_AES128;
    assert_int_equal(verdict(&spec), RMS_GSS_PAC_UNVERIFIED);

    spec.etype = TICKET_RC4;
    spec.alter = signed_with_another_service;
    assert_int_equal(verdict(&spec), RMS_GSS_PAC_UNVERIFIED);

    free(logon.data);
}


/* But for the KDC's signature, which nobody but a KDC can check. */

static void
every_changed_byte_is_noticed(void **state)
{
    size_t         at, start, end;
    rms_str_t      logon;
    ticket_spec_t  spec;
    rms_gss_pac_e  status;

    (void) state;

    logon = small_logon(1105);
    spec = spec_default(&logon);
    spec.alter = capture;
    assert_int_equal(verdict(&spec), RMS_GSS_PAC_FINE);

    at = entry_of(&captured, KRB5_PAC_PRIVSVR_CHECKSUM);
    start = u32(captured.data + at + 8) + 4;
    end = start + u32(captured.data + at + 4) - 4;
    spec.alter = flipped;

    for (flip_at = 0; flip_at < captured.len; flip_at++) {
        status = verdict(&spec);

        if (flip_at >= start && flip_at < end) {
            assert_int_equal(status, RMS_GSS_PAC_FINE);

        } else {
            assert_true(status == RMS_GSS_PAC_UNVERIFIED
                        || status == RMS_GSS_PAC_MALFORMED);
        }
    }

    spec.alter = cut;

    for (flip_at = 0; flip_at < captured.len; flip_at += 7) {
        assert_int_equal(verdict(&spec), RMS_GSS_PAC_MALFORMED);
    }

    free(captured.data);
    free(logon.data);
}


static void
two_pacs_are_not_believed(void **state)
{
    size_t         i;
    rms_str_t      logon;
    ticket_spec_t  spec;

    static const ticket_alter_pt  alters[] = {
        NULL, flipped_first, flipped_second
    };

    (void) state;

    logon = small_logon(1105);
    spec = spec_default(&logon);
    spec.n_pac = 2;

    for (i = 0; i < NELEMS(alters); i++) {
        spec.alter = alters[i];

        for (spec.depth = 0; spec.depth < 3; spec.depth++) {
            login_works(&spec);
            assert_int_equal(verdict(&spec), RMS_GSS_PAC_UNVERIFIED);
        }
    }

    free(logon.data);
}


/* What a client writes into its authenticator, the KDC has not seen. */

static void
pac_of_the_client_itself_is_not_looked_at(void **state)
{
    rms_str_t      own, logon;
    rms_sid_t      sid;
    rms_pac_t      pac;
    ticket_spec_t  spec;

    (void) state;

    logon = small_logon(500);
    spec = spec_default(&logon);
    spec.alter = capture;
    assert_int_equal(verdict(&spec), RMS_GSS_PAC_FINE);
    spec.alter = NULL;
    spec.sent = &captured;

    spec.pac = TICKET_NO_PAC;
    login_works(&spec);
    assert_int_equal(verdict(&spec), RMS_GSS_PAC_NONE);

    own = small_logon(1105);
    spec.pac = TICKET_PAC;
    spec.logon = &own;
    login_works(&spec);
    assert_int_equal(read_pac(&spec, &pac), RMS_GSS_PAC_FINE);

    sid = pac_sid_of("S-1-5-21-1-2-3-1105");
    assert_int_equal(rms_sid_cmp(&pac.user, &sid), 0);
    sid = pac_sid_of("S-1-5-21-1-2-3-500");
    assert_false(rms_sid_set_has(&pac.sids, &sid));

    test_mem_free(&mem);
    free(captured.data);
    free(logon.data);
    free(own.data);
}


static void
ticket_is_that_of_the_account(void **state)
{
    size_t         i;
    rms_pac_t      pac;
    rms_str_t      logon;
    ticket_spec_t  spec;

    static const char  *others[] = {
        "EXCH02$@RMS.TEST", "EXCH01$@FAR.TEST", "exch01$@RMS.TEST",
        "EXCH01$", "EXCH01$@RMS.TESTS", ""
    };

    (void) state;

    logon = small_logon(1105);
    spec = spec_default(&logon);

    for (i = 0; i < NELEMS(others); i++) {
        assert_int_equal(read_with(keys.memory, &spec, others[i], &pac),
                         RMS_GSS_PAC_UNVERIFIED);
    }

    free(logon.data);
}


static void
ticket_no_key_opens_is_unverified(void **state)
{
    size_t         len;
    rms_pac_t      pac;
    rms_str_t      logon, token, cut_off, account = rms_string(CLIENT);
    rms_apreq_t    apreq;
    ticket_spec_t  spec;

    (void) state;

    logon = small_logon(1105);
    spec = spec_default(&logon);
    spec.wrong_key = 1;
    assert_int_equal(verdict(&spec), RMS_GSS_PAC_UNVERIFIED);

    spec.wrong_key = 0;
    token = ticket_krb5(&spec);
    assert_int_equal(rms_token_apreq(&token, &apreq), RMS_OK);

    for (len = 0; len < apreq.ticket.len; len += 13) {
        cut_off.len = len;
        cut_off.data = malloc(len ? len : 1);
        memcpy(cut_off.data, apreq.ticket.data, len);

        assert_int_equal(rms_gss_pac_read(keys.memory, &cut_off, &account,
                                          test_mem_init(&mem, 0), &pac),
                         RMS_GSS_PAC_UNVERIFIED);
        free(cut_off.data);
    }

    free(token.data);
    free(logon.data);
}


/* An alias has the key under another name and number. */

static void
name_of_the_key_does_not_matter(void **state)
{
    rms_pac_t          pac;
    rms_str_t          logon;
    krb5_keytab        handle;
    krb5_principal     name;
    ticket_spec_t      spec;
    krb5_keytab_entry  entry;

    (void) state;

    assert_int_equal(krb5_kt_resolve(krb5, "MEMORY:alias", &handle), 0);
    assert_int_equal(krb5_parse_name(krb5, SERVICE, &name), 0);
    assert_int_equal(krb5_kt_get_entry(krb5, keys.memory, name, 0,
                                       TICKET_AES256, &entry),
                     0);
    krb5_free_principal(krb5, entry.principal);
    assert_int_equal(krb5_parse_name(krb5, NEIGHBOUR, &entry.principal), 0);
    entry.vno = 9;
    assert_int_equal(krb5_kt_add_entry(krb5, handle, &entry), 0);

    logon = small_logon(1105);
    spec = spec_default(&logon);
    assert_int_equal(read_with(handle, &spec, CLIENT, &pac),
                     RMS_GSS_PAC_FINE);
    test_mem_free(&mem);

    spec.service = NEIGHBOUR;
    assert_int_equal(read_with(handle, &spec, CLIENT, &pac),
                     RMS_GSS_PAC_UNVERIFIED);

    free(logon.data);
    (void) krb5_free_keytab_entry_contents(krb5, &entry);
    krb5_free_principal(krb5, name);
    (void) krb5_kt_close(krb5, handle);
}


/* krb5.conf knows no way from there; the KDC does. */

static void
realms_on_the_way_are_the_business_of_the_kdc(void **state)
{
    rms_str_t      logon;
    ticket_spec_t  spec;

    (void) state;

    logon = small_logon(1105);
    spec = spec_default(&logon);
    spec.client = "alice@FAR.EXAMPLE";
    spec.transited = "MIDDLE.EXAMPLE";

    login_works(&spec);
    assert_int_equal(verdict(&spec), RMS_GSS_PAC_FINE);

    free(logon.data);
}


static void
ticket_without_a_pac_has_none(void **state)
{
    ticket_spec_t  spec;

    (void) state;

    spec = spec_default(NULL);
    spec.pac = TICKET_NO_PAC;
    assert_int_equal(verdict(&spec), RMS_GSS_PAC_NONE);
}


/* As those of a KDC of MIT. */

static void
pac_without_logon_information_is_none(void **state)
{
    ticket_spec_t  spec;

    (void) state;

    spec = spec_default(NULL);
    assert_int_equal(verdict(&spec), RMS_GSS_PAC_NONE);

    spec.pac = TICKET_PAC_FORGED;
    assert_int_equal(verdict(&spec), RMS_GSS_PAC_UNVERIFIED);
}


static void
signed_nonsense_is_malformed(void **state)
{
    rms_str_t      logon;
    pac_spec_t     info;
    ticket_spec_t  spec;

    (void) state;

    info = pac_spec();
    logon = pac_build(&info);
    spec = spec_default(&logon);

    pac_poke(&logon, PAC_AT_DOMAIN, 0);
    assert_int_equal(verdict(&spec), RMS_GSS_PAC_MALFORMED);

    pac_poke(&logon, PAC_AT_GROUPS, RMS_PAC_GROUPS_MAX + 1);
    assert_int_equal(verdict(&spec), RMS_GSS_PAC_TOO_MANY);

    logon.len = 8;
    assert_int_equal(verdict(&spec), RMS_GSS_PAC_MALFORMED);

    free(logon.data);
}


/* Which of the two would the reader of another product take? */

static void
two_logon_informations_are_not_believed(void **state)
{
    rms_str_t      logon;
    ticket_spec_t  spec;

    (void) state;

    logon = small_logon(1105);
    spec = spec_default(&logon);
    spec.n_logon = 2;

    assert_int_equal(verdict(&spec), RMS_GSS_PAC_UNVERIFIED);

    free(logon.data);
}


static void
thousand_groups_fit_in_a_ticket(void **state)
{
    uint32_t       i;
    rms_str_t      logon;
    rms_pac_t      pac;
    rms_sid_t      sid;
    pac_spec_t     info;
    pac_group_t    groups[1000];
    ticket_spec_t  spec;

    (void) state;

    for (i = 0; i < NELEMS(groups); i++) {
        groups[i].rid = 5000 + i;
        groups[i].attributes = 7;
    }

    info = pac_spec();
    info.groups = groups;
    info.n_groups = NELEMS(groups);
    logon = pac_build(&info);
    spec = spec_default(&logon);

    assert_int_equal(read_pac(&spec, &pac), RMS_GSS_PAC_FINE);

    for (i = 0; i < NELEMS(groups); i++) {
        (void) rms_sid_join(&info.domain, 5000 + i, &sid);
        assert_true(rms_sid_set_has(&pac.sids, &sid));
    }

    test_mem_free(&mem);
    free(logon.data);
}


static void
failed_allocation_is_no_missing_pac(void **state)
{
    rms_str_t      token, logon, account = rms_string(CLIENT);
    rms_pac_t      pac;
    rms_apreq_t    apreq;
    ticket_spec_t  spec;

    (void) state;

    logon = small_logon(1105);
    spec = spec_default(&logon);
    token = ticket_krb5(&spec);
    assert_int_equal(rms_token_apreq(&token, &apreq), RMS_OK);

    assert_int_equal(rms_gss_pac_read(keys.memory, &apreq.ticket, &account,
                                      test_mem_init(&mem, 1), &pac),
                     RMS_GSS_PAC_UNAVAILABLE);
    assert_null(pac.memory);

    assert_int_equal(rms_gss_pac_read(keys.memory, &apreq.ticket, &account,
                                      test_mem_init(&mem, 2), &pac),
                     RMS_GSS_PAC_FINE);

    test_mem_free(&mem);
    free(token.data);
    free(logon.data);
}


/* As the acceptor has them. */

static void
keys_in_memory(void)
{
    rms_gss_stamp_t  stamp;
    rms_keytab_t     list;
    krb5_keytab      file;

    assert_true(rms_gss_stamp(keytab, &stamp));
    assert_int_equal(rms_keytab_read(krb5, keytab, &file, &list), 0);
    (void) krb5_kt_close(krb5, file);

    (void) strcpy(keys.name, "MEMORY:keys");
    assert_int_equal(rms_gss_keys_fill(krb5, &keys, keytab, &stamp, &list),
                     0);
}


static int
setup(void **state)
{
    size_t                       i;
    OM_uint32                    minor;
    gss_key_value_set_desc       store;
    gss_key_value_element_desc   elements[2];

    static const int  etypes[] = {
        TICKET_AES256, TICKET_AES128, TICKET_RC4,
        ENCTYPE_AES256_CTS_HMAC_SHA384_192, ENCTYPE_AES128_CTS_HMAC_SHA256_128
    };

    (void) state;

    ticket_setup();

    (void) strcpy(keytab, ticket_path("http.keytab"));
    ticket_keytab_add(keytab, NEIGHBOUR, 2, TICKET_AES256);

    for (i = 0; i < NELEMS(etypes); i++) {
        ticket_keytab_add(keytab, SERVICE, 2, etypes[i]);
    }

    ticket_keytab_add(keytab, NEIGHBOUR, 3, TICKET_AES256);

    assert_int_equal(krb5_init_context(&krb5), 0);
    keys_in_memory();

    elements[0].key = "keytab";
    elements[0].value = keytab;
    elements[1].key = "rcache";
    elements[1].value = "none:";
    store.count = 2;
    store.elements = elements;

    assert_int_equal(gss_acquire_cred_from(&minor, GSS_C_NO_NAME,
                                           GSS_C_INDEFINITE,
                                           GSS_C_NO_OID_SET, GSS_C_ACCEPT,
                                           &store, &cred, NULL, NULL),
                     GSS_S_COMPLETE);

    return 0;
}


static int
teardown(void **state)
{
    OM_uint32  minor;

    (void) state;

    (void) gss_release_cred(&minor, &cred);
    rms_gss_keys_clear(krb5, &keys);
    krb5_free_context(krb5);
    ticket_cleanup();

    return 0;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(signed_pac_gives_its_sids),
        cmocka_unit_test(pac_that_was_not_signed_for_this_login_is_unverified),
        cmocka_unit_test(pac_with_the_wrong_signature_is_unverified),
        cmocka_unit_test(checksum_is_that_of_the_key),
        cmocka_unit_test(every_changed_byte_is_noticed),
        cmocka_unit_test(two_pacs_are_not_believed),
        cmocka_unit_test(pac_of_the_client_itself_is_not_looked_at),
        cmocka_unit_test(ticket_is_that_of_the_account),
        cmocka_unit_test(ticket_no_key_opens_is_unverified),
        cmocka_unit_test(name_of_the_key_does_not_matter),
        cmocka_unit_test(realms_on_the_way_are_the_business_of_the_kdc),
        cmocka_unit_test(ticket_without_a_pac_has_none),
        cmocka_unit_test(pac_without_logon_information_is_none),
        cmocka_unit_test(signed_nonsense_is_malformed),
        cmocka_unit_test(two_logon_informations_are_not_believed),
        cmocka_unit_test(thousand_groups_fit_in_a_ticket),
        cmocka_unit_test(failed_allocation_is_no_missing_pac)
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
