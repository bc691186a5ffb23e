/*
 * The acceptor against real tickets: no KDC, the keys are ours.  Linked with
 * --wrap=malloc,--wrap=calloc the allocation failures are tested too.
 */

#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>
#include <netdb.h>

#include <cmocka.h>
#include <gssapi/gssapi.h>
#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>

#include "rms_gss.h"
#include "rms_gss_pac.h"
#include "test_wrap.h"
#include "ticket.h"


#define NELEMS(a)  (sizeof(a) / sizeof((a)[0]))

#define SERVICE  "HTTP/rmsconnector.rms.test@RMS.TEST"
#define CLIENT   "EXCH01$@RMS.TEST"


static char                *keytab;
static rms_gss_acceptor_t  *acceptor;


static ticket_spec_t
spec_default(void)
{
    ticket_spec_t  spec;

    memset(&spec, 0, sizeof(ticket_spec_t));
    spec.keytab = keytab;
    spec.service = SERVICE;
    spec.client = CLIENT;
    spec.etype = TICKET_AES256;
    spec.start = -60;
    spec.life = 3600;

    return spec;
}


static char *
path_copy(const char *name)
{
    char  *path;

    path = strdup(ticket_path(name));
    assert_non_null(path);

    return path;
}


/* Moves the token into a login and runs one leg. */

static rms_gss_login_t
leg(rms_gss_acceptor_t *a, rms_str_t token, rms_gss_context_t *context)
{
    rms_gss_login_t  login;

    memset(&login, 0, sizeof(rms_gss_login_t));
    login.token = token;
    login.context = context;
    login.want_sids = 1;

    rms_gss_accept(a, &login);

    /* whatever happened: one printable line, and no token with a refusal */

    assert_true(strlen(login.text) > 0);
    assert_int_equal(strspn(login.text, "\n\r\t\x7f"), 0);

    if (login.status != RMS_GSS_CONTINUE) {
        assert_null(login.context);
    }

    if (login.status != RMS_GSS_DONE) {
        assert_int_equal(login.account.len, 0);
        assert_int_equal(login.has_hash, 0);
    }

    if (login.status == RMS_GSS_DONE) {

        /* in whichever leg the ticket came, it was looked into */

        assert_int_equal(login.has_sids, 0);
        assert_string_equal(login.sids_why,
                            rms_gss_pac_text(RMS_GSS_PAC_NONE));
    }

    if (login.status >= RMS_GSS_FAILED) {
        assert_int_equal(login.output.len, 0);
    }

    return login;
}


static rms_gss_login_t
leg1(rms_str_t token)
{
    return leg(acceptor, token, NULL);
}


static void
assert_has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("\"%s\" is not in: %s", part, text);
    }
}


static void
assert_fails(ticket_spec_t *spec, const char *why)
{
    rms_gss_login_t  login;

    login = leg1(ticket_krb5(spec));
    assert_has(login.text, why);
    assert_int_equal(login.status, RMS_GSS_FAILED);
    rms_gss_login_free(&login);
}


static void
good_ticket_is_done_in_one_leg_in_every_framing(void **state)
{
    size_t           i;
    rms_str_t        framed, t[4];
    ticket_spec_t    spec;
    rms_gss_login_t  login;

    (void) state;

    spec = spec_default();

    for (i = 0; i < NELEMS(t); i++) {
        framed = ticket_krb5(&spec);
        t[0] = framed;
        t[1] = ticket_init("k", &framed);
        t[2] = ticket_init("kn", &framed);
        t[3] = ticket_init("mkxn", &framed);

        login = leg1(t[i]);
        assert_int_equal(login.status, RMS_GSS_DONE);
        assert_true(rms_str_is(&login.account, CLIENT));
        assert_true(rms_str_is(&login.service, SERVICE));
        assert_int_equal(login.foreign, 0);
        assert_int_equal(login.has_hash, 1);
        assert_true(login.output.len > 0);
        assert_string_equal(login.text,
            "krb5 account=\"" CLIENT "\" service=\"" SERVICE "\""
            " etype=aes256-cts-hmac-sha1-96 kvno=2");

        t[i].data = NULL;
        rms_gss_login_free(&login);
        free(t[0].data);
        free(t[1].data);
        free(t[2].data);
        free(t[3].data);
    }
}


/* The library's own replay cache is off; the same hash lets ours see it. */

static void
rewrapped_apreq_keeps_its_hash(void **state)
{
    size_t           i;
    rms_str_t        framed, copy;
    ticket_spec_t    spec;
    unsigned char    hash[32];
    rms_gss_login_t  login;

    (void) state;

    spec = spec_default();
    framed = ticket_krb5(&spec);

    for (i = 0; i < 3; i++) {
        if (i == 0) {
            copy = ticket_init("k", &framed);

        } else if (i == 1) {
            copy = ticket_init("mkxn", &framed);

        } else {
            copy = framed;
        }

        login = leg1(copy);
        assert_int_equal(login.status, RMS_GSS_DONE);

        if (i) {
            assert_memory_equal(login.hash, hash, 32);
        }

        memcpy(hash, login.hash, 32);
        rms_gss_login_free(&login);
    }

    spec = spec_default();
    login = leg1(ticket_krb5(&spec));
    assert_int_equal(login.status, RMS_GSS_DONE);
    assert_memory_not_equal(login.hash, hash, 32);
    rms_gss_login_free(&login);
}


static void
no_changed_byte_gives_a_captured_token_another_hash(void **state)
{
    int              k;
    size_t           i, j, done;
    rms_str_t        framed, token, copy;
    ticket_spec_t    spec;
    unsigned char    hash[32];
    rms_gss_login_t  login;

    (void) state;

    spec = spec_default();
    framed = ticket_krb5(&spec);
    token = ticket_init("mkn", &framed);
    free(framed.data);

    copy.len = token.len;
    copy.data = malloc(token.len);
    assert_non_null(copy.data);
    memcpy(copy.data, token.data, token.len);
    login = leg1(copy);
    assert_int_equal(login.status, RMS_GSS_DONE);
    memcpy(hash, login.hash, 32);
    rms_gss_login_free(&login);

    /* k = 8: the byte twice; k = 9: the byte left out */

    for (done = 0, i = 0; i < token.len; i++) {
        for (k = 0; k < 10; k++) {
            copy.data = malloc(token.len + 1);
            assert_non_null(copy.data);
            j = (k == 8) ? i : i + 1;
            copy.len = token.len + (k == 8) - (k == 9);
            memcpy(copy.data, token.data, i + 1);
            memcpy(copy.data + i + (k != 9), token.data + j, token.len - j);

            if (k < 8) {
                copy.data[i] ^= (unsigned char) (1 << k);
            }

            login = leg1(copy);

            if (login.status == RMS_GSS_DONE) {
                done++;
                assert_memory_equal(login.hash, hash, 32);
                assert_true(rms_str_is(&login.account, CLIENT));
            }

            rms_gss_login_free(&login);
        }
    }

    assert_true(done > 0 && done < token.len * 5);
    free(token.data);
}


static void
token_cut_anywhere_is_refused(void **state)
{
    size_t           i, k;
    rms_str_t        t[2], cut;
    ticket_spec_t    spec;
    rms_gss_login_t  login;

    (void) state;

    spec = spec_default();
    t[0] = ticket_krb5(&spec);
    t[1] = ticket_init("mkxn", &t[0]);

    for (k = 0; k < NELEMS(t); k++) {
        for (i = 0; i < t[k].len; i++) {
            cut.len = i;
            cut.data = malloc(i ? i : 1);
            assert_non_null(cut.data);
            memcpy(cut.data, t[k].data, i);

            login = leg1(cut);
            assert_int_equal(login.status, RMS_GSS_FAILED);
            rms_gss_login_free(&login);
        }

        free(t[k].data);
    }
}


static void
garbage_is_refused_as_malformed(void **state)
{
    size_t           i, k;
    rms_str_t        t;
    rms_gss_login_t  login;

    (void) state;

    for (k = 0; k < 64; k++) {
        t.len = k * 17;
        t.data = malloc(t.len + 1);
        assert_non_null(t.data);

        for (i = 0; i < t.len; i++) {
            t.data[i] = (unsigned char) (i * i * 37 + k * 101);
        }

        login = leg1(t);
        assert_int_equal(login.status, RMS_GSS_FAILED);
        assert_has(login.text, "malformed token");
        rms_gss_login_free(&login);
    }

    t.len = RMS_TOKEN_MAX + 1;
    t.data = calloc(1, t.len);
    assert_non_null(t.data);
    login = leg1(t);
    assert_int_equal(login.status, RMS_GSS_FAILED);
    assert_has(login.text, "token too large");
    rms_gss_login_free(&login);
}


static void
stale_tickets_are_told_apart(void **state)
{
    ticket_spec_t  spec;

    (void) state;

    spec = spec_default();
    spec.start = -7200;
    assert_fails(&spec, "ticket expired: it ended 2");
    assert_fails(&spec, "account=\"" CLIENT "\"");

    spec = spec_default();
    spec.start = 1200;
    assert_fails(&spec, "ticket not yet valid: it starts 2");
}


static void
clock_skew_is_said_with_both_clocks(void **state)
{
    ticket_spec_t    spec;
    rms_gss_login_t  login;

    (void) state;

    spec = spec_default();
    spec.start = -1800;
    spec.clock = -900;
    assert_fails(&spec, "clock skew: the client's clock is 90");
    assert_fails(&spec, " s behind, it is 2");

    spec.clock = 900;
    assert_fails(&spec, " s ahead, it is 2");

    spec.clock = -120;
    login = leg1(ticket_krb5(&spec));
    assert_int_equal(login.status, RMS_GSS_DONE);
    rms_gss_login_free(&login);
}


static void
key_trouble_is_told_apart(void **state)
{
    char           *other;
    ticket_spec_t   spec;

    (void) state;

    other = path_copy("other.keytab");
    ticket_keytab_add(other, SERVICE, 5, TICKET_AES256);
    ticket_keytab_add(other, SERVICE, 2, TICKET_AES128);
    ticket_keytab_add(other, "HTTP/wrong.rms.test@RMS.TEST", 2, TICKET_AES256);
    ticket_keytab_add(other, "HTTP/rmsconnector.rms.test@EVIL.TEST", 2,
                      TICKET_AES256);

    spec = spec_default();
    spec.wrong_key = 1;
    assert_fails(&spec, "integrity check failed");
    assert_fails(&spec, "ticket for \"HTTP/rmsconnector.rms.test\" realm "
                        "\"RMS.TEST\" etype=aes256-cts-hmac-sha1-96 kvno=2");

    spec = spec_default();
    spec.keytab = other;
    assert_fails(&spec, "kvno 5 is not in the keytab, which has 2;");

    spec.etype = TICKET_AES128;
    assert_fails(&spec, "no key of type aes128-cts-hmac-sha1-96");

    spec.etype = TICKET_AES256;
    spec.service = "HTTP/wrong.rms.test@RMS.TEST";
    assert_fails(&spec, "wrong service: no key for it in the keytab, which "
                        "has \"" SERVICE "\"");

    spec.service = "HTTP/rmsconnector.rms.test@EVIL.TEST";
    assert_fails(&spec, "wrong service: no key for it");

    free(other);
}


static void
other_service_of_the_same_keytab_is_refused(void **state)
{
    ticket_spec_t  spec;

    (void) state;

    spec = spec_default();
    spec.service = "host/rmsconnector.rms.test@RMS.TEST";
    assert_fails(&spec, "wrong service, not HTTP/: account=\"" CLIENT "\""
                        " service=\"host/rmsconnector.rms.test@RMS.TEST\"");
}


/* The name in clear picks a key to try first; another one opens the ticket. */

static void
name_in_clear_proves_nothing(void **state)
{
    unsigned char    *name;
    rms_str_t         token;
    ticket_spec_t     spec;
    rms_gss_login_t   login;

    (void) state;

    spec = spec_default();
    spec.service = "host/rmsconnector.rms.test@RMS.TEST";
    token = ticket_krb5(&spec);

    name = memmem(token.data, token.len, "host", 4);
    assert_non_null(name);
    memcpy(name, "HTTP", 4);

    login = leg1(token);
    assert_int_equal(login.status, RMS_GSS_FAILED);
    assert_has(login.text, "service=\"host/rmsconnector.rms.test@RMS.TEST\"");
    rms_gss_login_free(&login);
}


/* Keytabs joined by hand: two keys of one name, kvno and type. */

static void
keytab_join(const char *path, const char *first, const char *second)
{
    size_t       i, n;
    char         bytes[1024];
    FILE        *in, *out;
    const char  *from[2];

    from[0] = first;
    from[1] = second;

    out = fopen(path, "w");
    assert_non_null(out);

    for (i = 0; i < 2; i++) {
        in = fopen(from[i], "r");
        assert_non_null(in);
        n = fread(bytes, 1, sizeof(bytes), in);
        assert_true(n > 2 && n < sizeof(bytes));
        assert_int_equal(fclose(in), 0);

        /* the version of the format stands at the start only */

        n -= 2 * i;
        assert_int_equal(fwrite(bytes + 2 * i, 1, n, out), n);
    }

    assert_int_equal(fclose(out), 0);
}


static void
each_key_of_one_name_is_tried(void **state)
{
    int                  i;
    char                *old, *new, *both;
    ticket_spec_t        spec;
    rms_gss_login_t      login;
    rms_gss_acceptor_t  *a;

    (void) state;

    old = path_copy("old.keytab");
    new = path_copy("new.keytab");
    both = path_copy("both.keytab");
    ticket_keytab_add(old, SERVICE, 1, TICKET_AES256);
    ticket_keytab_add(new, SERVICE, 1, TICKET_AES256);

    spec = spec_default();

    for (i = 0; i < 4; i++) {
        keytab_join(both, (i & 1) ? old : new, (i & 1) ? new : old);
        a = rms_gss_acceptor_create(both);
        assert_non_null(a);

        spec.keytab = (i & 2) ? old : new;
        login = leg(a, ticket_krb5(&spec), NULL);
        assert_int_equal(login.status, RMS_GSS_DONE);
        assert_true(rms_str_is(&login.service, SERVICE));

        rms_gss_login_free(&login);
        rms_gss_acceptor_free(a);
    }

    free(old);
    free(new);
    free(both);
}


/*
 * libkrb5 finds this instead of the C library's: it opens the keytab anew
 * each time it is given a file.
 */

static unsigned  keytab_opens;


FILE *
fopen(const char *path, const char *mode)
{
    int  fd, flags;

    keytab_opens += (strstr(path, "counted.keytab") != NULL);

    flags = (mode[0] == 'r') ? ((strchr(mode, '+') != NULL) ? O_RDWR
                                                            : O_RDONLY)
            : O_WRONLY|O_CREAT|((mode[0] == 'a') ? O_APPEND : O_TRUNC);

    fd = open(path, flags|O_CLOEXEC, 0666);

    return (fd == -1) ? NULL : fdopen(fd, mode);
}


static void
keytab_is_read_again_only_when_it_has_changed(void **state)
{
    int                  i;
    char                *path;
    unsigned             opens;
    ticket_spec_t        spec;
    rms_gss_login_t      login;
    rms_gss_acceptor_t  *a;

    (void) state;

    path = path_copy("counted.keytab");
    ticket_keytab_add(path, SERVICE, 1, TICKET_AES256);
    a = rms_gss_acceptor_create(path);
    assert_non_null(a);

    spec = spec_default();
    spec.keytab = path;

    for (i = 0; i < 3; i++) {

        if (i == 2) {
            ticket_keytab_add(path, SERVICE, 2, TICKET_AES256);
        }

        login.token = ticket_krb5(&spec);

        opens = keytab_opens;
        login = leg(a, login.token, NULL);
        opens = keytab_opens - opens;

        assert_int_equal(login.status, RMS_GSS_DONE);
        assert_true(i == 1 ? opens == 0 : opens > 0);

        rms_gss_login_free(&login);
    }

    rms_gss_acceptor_free(a);
    free(path);
}


/*
 * libkrb5 finds these instead of the C library's: with a stock krb5.conf a
 * service name would be resolved, and a login would wait for a dead DNS.
 */

static unsigned  name_lookups;


int
getaddrinfo(const char *node, const char *service,
    const struct addrinfo *hints, struct addrinfo **res)
{
    (void) node;
    (void) service;
    (void) hints;
    (void) res;

    name_lookups++;

    return EAI_AGAIN;
}


static void
login_resolves_no_name(void **state)
{
    FILE                *f;
    char                *conf;
    ticket_spec_t        spec;
    rms_gss_login_t      login;
    rms_gss_acceptor_t  *stock;

    (void) state;

    spec = spec_default();
    conf = strdup(getenv("KRB5_CONFIG"));

    f = fopen(ticket_path("stock.conf"), "w");
    assert_non_null(f);
    assert_true(fputs("[libdefaults]\n", f) >= 0);
    assert_int_equal(fclose(f), 0);

    stock = rms_gss_acceptor_create(ticket_path("http.keytab"));
    assert_non_null(stock);

    login.token = ticket_krb5(&spec);

    assert_int_equal(setenv("KRB5_CONFIG", ticket_path("stock.conf"), 1), 0);
    name_lookups = 0;
    login = leg(stock, login.token, NULL);
    assert_int_equal(setenv("KRB5_CONFIG", conf, 1), 0);

    assert_int_equal(login.status, RMS_GSS_DONE);
    assert_int_equal(name_lookups, 0);

    rms_gss_login_free(&login);
    rms_gss_acceptor_free(stock);
    free(conf);
}


static void
several_services_of_one_keytab_are_accepted(void **state)
{
    char                *path;
    rms_gss_login_t      login;
    ticket_spec_t        spec;
    rms_gss_acceptor_t  *a;

    (void) state;

    path = path_copy("two.keytab");
    ticket_keytab_add(path, "HTTP/a.rms.test@RMS.TEST", 1, TICKET_AES256);
    ticket_keytab_add(path, "HTTP/b.rms.test@RMS.TEST", 300, TICKET_AES128);
    a = rms_gss_acceptor_create(path);
    assert_non_null(a);

    spec = spec_default();
    spec.keytab = path;
    spec.service = "HTTP/a.rms.test@RMS.TEST";
    login = leg(a, ticket_krb5(&spec), NULL);
    assert_int_equal(login.status, RMS_GSS_DONE);
    assert_has(login.text, "kvno=1");
    rms_gss_login_free(&login);

    spec.service = "HTTP/b.rms.test@RMS.TEST";
    spec.etype = TICKET_AES128;
    login = leg(a, ticket_krb5(&spec), NULL);
    assert_int_equal(login.status, RMS_GSS_DONE);
    assert_true(rms_str_is(&login.service, "HTTP/b.rms.test@RMS.TEST"));
    assert_has(login.text, "etype=aes128-cts-hmac-sha1-96 kvno=300");
    rms_gss_login_free(&login);

    rms_gss_acceptor_free(a);
    free(path);
}


static void
foreign_realm_is_marked(void **state)
{
    size_t           i;
    ticket_spec_t    spec;
    rms_gss_login_t  login;

    static const struct {
        const char  *client;
        unsigned     foreign;
    } t[] = {
        { "alice@EVIL.TEST",      1 },
        { "alice@rms.test",       1 },
        { "alice@RMS.TEST.EVIL",  1 },
        { "alice@RMS.TES",        1 },
        { "a/b@RMS.TEST",         0 },
        { "alice\\@RMS.TEST@EVIL.TEST", 1 },
        { "svc sharepoint@RMS.TEST", 0 }
    };

    (void) state;

    for (i = 0; i < NELEMS(t); i++) {
        spec = spec_default();
        spec.client = t[i].client;
        login = leg1(ticket_krb5(&spec));
        assert_int_equal(login.status, RMS_GSS_DONE);
        assert_int_equal(login.foreign, t[i].foreign);
        assert_int_equal(login.account.len, strlen(t[i].client));
        assert_memory_equal(login.account.data, t[i].client,
                            login.account.len);
        rms_gss_login_free(&login);
    }
}


static void
control_characters_in_a_principal_are_refused(void **state)
{
    size_t         i;
    ticket_spec_t  spec;

    static const char  *t[] = {
        "EXCH01$\x01@RMS.TEST", "EXCH01$\r@RMS.TEST", "EXCH01$\\n@RMS.TEST",
        "EXCH01$\\t@RMS.TEST", "EXCH01$\x7f@RMS.TEST", "EXCH01$\\0@RMS.TEST",
        "EXCH01$\x1b[2J@RMS.TEST", "EXCH01$@RMS\x01.TEST"
    };

    (void) state;

    for (i = 0; i < NELEMS(t); i++) {
        spec = spec_default();
        spec.client = t[i];
        assert_fails(&spec, "an account name we refuse: account=\"EXCH01$");
    }
}


static void
anonymous_ticket_is_refused(void **state)
{
    ticket_spec_t  spec;

    (void) state;

    spec = spec_default();
    spec.client = "WELLKNOWN/ANONYMOUS@WELLKNOWN:ANONYMOUS";
    assert_fails(&spec, "an anonymous ticket");
}


static void
ntlm_never_reaches_the_library(void **state)
{
    rms_str_t        ntlm = rms_string("NTLMSSP\0\1\0\0\0\x07\x82\x08\xa2"
                         "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x0a\0\x63\x45"
                         "\0\0\0\x0f");
    rms_str_t        t;
    rms_gss_login_t  login, second;

    (void) state;

    t.len = ntlm.len;
    t.data = malloc(t.len);
    assert_non_null(t.data);
    memcpy(t.data, ntlm.data, t.len);

    login = leg1(t);
    assert_int_equal(login.status, RMS_GSS_FAILED);
    assert_has(login.text, "NTLM instead of Kerberos");
    rms_gss_login_free(&login);

    login = leg1(ticket_init("n", &ntlm));
    assert_int_equal(login.status, RMS_GSS_FAILED);
    assert_has(login.text, "NTLM instead of Kerberos");
    rms_gss_login_free(&login);

    login = leg1(ticket_init("xn", &ntlm));
    assert_int_equal(login.status, RMS_GSS_FAILED);
    assert_has(login.text, "the client offers no Kerberos");
    rms_gss_login_free(&login);

    /* with Kerberos in the list it is asked for, and NTLM does not do */

    login = leg1(ticket_init("nk", &ntlm));
    assert_int_equal(login.status, RMS_GSS_CONTINUE);

    second = leg(acceptor, ticket_resp(&ntlm, NULL), login.context);
    login.context = NULL;
    assert_int_equal(second.status, RMS_GSS_FAILED);
    rms_gss_login_free(&second);
    rms_gss_login_free(&login);
}


static void
apreq_of_the_second_leg_gives_the_hash(void **state)
{
    rms_str_t        framed;
    ticket_spec_t    spec;
    unsigned char    hash[32];
    rms_gss_login_t  login, second;

    (void) state;

    spec = spec_default();
    framed = ticket_krb5(&spec);

    login = leg1(ticket_init("k", &framed));
    assert_int_equal(login.status, RMS_GSS_DONE);
    memcpy(hash, login.hash, 32);
    rms_gss_login_free(&login);

    login = leg1(ticket_init("k", NULL));
    assert_int_equal(login.status, RMS_GSS_CONTINUE);
    assert_non_null(login.context);
    assert_true(login.output.len > 0);

    second = leg(acceptor, ticket_resp(&framed, NULL), login.context);
    login.context = NULL;
    assert_int_equal(second.status, RMS_GSS_DONE);
    assert_int_equal(second.has_hash, 1);
    assert_memory_equal(second.hash, hash, 32);
    assert_true(rms_str_is(&second.account, CLIENT));

    rms_gss_login_free(&second);
    rms_gss_login_free(&login);
    free(framed.data);
}


/* GSSAPI's own initiator, with a ticket made for it. */

typedef struct {
    gss_cred_id_t  cred;
    gss_name_t     name;
    gss_ctx_id_t   ctx;
    OM_uint32      flags;
} client_t;


static void
client_create(client_t *c)
{
    OM_uint32                    minor;
    ticket_spec_t                spec;
    gss_buffer_desc              b;
    gss_OID_set_desc             mechs;
    gss_key_value_set_desc       store;
    gss_key_value_element_desc   part;

    spec = spec_default();
    ticket_ccache(&spec, "MEMORY:client");

    b.value = (void *) SERVICE;
    b.length = sizeof(SERVICE) - 1;
    assert_int_equal(gss_import_name(&minor, &b, GSS_KRB5_NT_PRINCIPAL_NAME,
                                     &c->name),
                     GSS_S_COMPLETE);

    part.key = "ccache";
    part.value = "MEMORY:client";
    store.count = 1;
    store.elements = &part;
    mechs.count = 1;
    mechs.elements = (gss_OID) gss_mech_krb5;
    assert_int_equal(gss_acquire_cred_from(&minor, GSS_C_NO_NAME,
                                           GSS_C_INDEFINITE, &mechs,
                                           GSS_C_INITIATE, &store, &c->cred,
                                           NULL, NULL),
                     GSS_S_COMPLETE);

    c->ctx = GSS_C_NO_CONTEXT;
    c->flags = GSS_C_MUTUAL_FLAG|GSS_C_INTEG_FLAG;
}


static void
client_free(client_t *c)
{
    OM_uint32  minor;

    (void) gss_delete_sec_context(&minor, &c->ctx, GSS_C_NO_BUFFER);
    (void) gss_release_cred(&minor, &c->cred);
    (void) gss_release_name(&minor, &c->name);
}


/* One step with the server's token; answers the client's, if it has one. */

static gss_buffer_desc
client_step(client_t *c, const rms_str_t *in, OM_uint32 expected)
{
    OM_uint32        major, minor;
    gss_buffer_desc  token, out = GSS_C_EMPTY_BUFFER;

    token.value = in->data;
    token.length = in->len;

    major = gss_init_sec_context(&minor, c->cred, &c->ctx, c->name,
                                 (gss_OID) gss_mech_krb5, c->flags, 0,
                                 GSS_C_NO_CHANNEL_BINDINGS, &token, NULL,
                                 &out, NULL, NULL);
    assert_int_equal(major, expected);

    return out;
}


/*
 * A login of a client that prefers NEGOEX: Kerberos comes second, and the list
 * must then be signed.  list: the one it signs, in letters; offered is "xk".
 * Without mutual it signs at once, else when our ticket has come.  In one of
 * the legs an allocation fails.  Answers the login of the last leg.
 */

typedef struct {
    const char  *list;
    int          mutual;
    size_t       fail_leg;
    size_t       fail_at;
    size_t       legs;          /* out                                   */
} negoex_t;


static rms_str_t
negoex_sign(client_t *c, const char *letters)
{
    rms_str_t        list, mic;
    OM_uint32        minor;
    gss_buffer_desc  in, out;

    list = ticket_mechs(letters);
    in.value = list.data;
    in.length = list.len;
    assert_int_equal(gss_get_mic(&minor, c->ctx, GSS_C_QOP_DEFAULT, &in, &out),
                     GSS_S_COMPLETE);

    mic.len = out.length;
    mic.data = malloc(out.length);
    assert_non_null(mic.data);
    memcpy(mic.data, out.value, out.length);

    free(list.data);
    (void) gss_release_buffer(&minor, &out);

    return mic;
}


static rms_str_t
negoex_token(client_t *c, const negoex_t *n, const rms_gss_login_t *last)
{
    OM_uint32         minor;
    rms_str_t         t, mic, out, junk = rms_string("NEGOEXTS-not-for-us");
    gss_buffer_desc   token;
    rms_token_info_t  info;

    if (n->legs == 0) {
        return ticket_init("xk", &junk);
    }

    info = rms_token_sniff(&last->output);
    assert_int_equal(info.kind, RMS_TOKEN_SPNEGO_RESP);

    token = client_step(c, &info.mech_token,
                        (n->legs == 1 && n->mutual) ? GSS_S_CONTINUE_NEEDED
                                                    : GSS_S_COMPLETE);
    t.data = token.value;
    t.len = token.length;

    if (n->legs == 1 && n->mutual) {
        out = ticket_resp(&t, NULL);

    } else {
        mic = negoex_sign(c, n->list);
        out = ticket_resp(t.len ? &t : NULL, &mic);
        free(mic.data);
    }

    (void) gss_release_buffer(&minor, &token);

    return out;
}


static rms_gss_login_t
negoex_login(negoex_t *n)
{
    client_t         c;
    rms_str_t        token;
    rms_gss_login_t  login, last;

    client_create(&c);
    c.flags = GSS_C_INTEG_FLAG | (n->mutual ? GSS_C_MUTUAL_FLAG : 0);

    memset(&last, 0, sizeof(rms_gss_login_t));

    n->legs = 0;

    for ( ;; ) {
        token = negoex_token(&c, n, &last);
        n->legs++;

        alloc_calls = 0;
        alloc_fail_at = (n->legs == n->fail_leg) ? n->fail_at : 0;
        login = leg(acceptor, token, last.context);
        alloc_fail_at = 0;

        last.context = NULL;
        rms_gss_login_free(&last);

        if (login.status != RMS_GSS_CONTINUE) {
            break;
        }

        last = login;
    }

    client_free(&c);

    return login;
}


static void
negoex_first_takes_a_signed_list_and_a_leg_more(void **state)
{
    size_t           i;
    negoex_t         n;
    rms_gss_login_t  login;

    static const struct {
        const char        *list;
        int                mutual;
        size_t             legs;
        rms_gss_status_e   status;
    } t[] = {
        { "xk",  1, 3, RMS_GSS_DONE },
        { "xk",  0, 2, RMS_GSS_DONE },

        /* not what was offered: somebody has changed the offer */

        { "xkn", 1, 3, RMS_GSS_FAILED },
        { "xkn", 0, 2, RMS_GSS_FAILED }
    };

    (void) state;

    for (i = 0; i < NELEMS(t); i++) {
        memset(&n, 0, sizeof(negoex_t));
        n.list = t[i].list;
        n.mutual = t[i].mutual;

        login = negoex_login(&n);
        assert_int_equal(login.status, t[i].status);
        assert_int_equal(n.legs, t[i].legs);

        if (login.status == RMS_GSS_DONE) {
            assert_int_equal(login.has_hash, 1);
            assert_true(rms_str_is(&login.account, CLIENT));
        }

        rms_gss_login_free(&login);
    }
}


/* The token in the answer proves to the client that we hold the key. */

static void
output_is_the_mutual_token(void **state)
{
    client_t          c;
    OM_uint32         minor;
    rms_str_t         t, nothing = rms_null_string;
    gss_buffer_desc   token;
    rms_gss_login_t   login;
    rms_token_info_t  info;

    (void) state;

    client_create(&c);
    token = client_step(&c, &nothing, GSS_S_CONTINUE_NEEDED);
    t.data = token.value;
    t.len = token.length;

    login = leg1(ticket_init("mkxn", &t));
    assert_int_equal(login.status, RMS_GSS_DONE);
    (void) gss_release_buffer(&minor, &token);

    info = rms_token_sniff(&login.output);
    assert_int_equal(info.kind, RMS_TOKEN_SPNEGO_RESP);
    token = client_step(&c, &info.mech_token, GSS_S_COMPLETE);

    (void) gss_release_buffer(&minor, &token);
    rms_gss_login_free(&login);
    client_free(&c);
}


/*
 * DCE style sends the AP-REQ without its frame, where we do not look for it:
 * what Kerberos accepts must not get in without a name for the replay cache.
 */

static void
login_without_a_hash_is_refused(void **state)
{
    client_t          c;
    OM_uint32         minor;
    rms_str_t         t, nothing = rms_null_string;
    gss_buffer_desc   token;
    rms_gss_login_t   login[3];
    rms_token_info_t  info;

    (void) state;

    client_create(&c);
    c.flags |= GSS_C_DCE_STYLE;
    token = client_step(&c, &nothing, GSS_S_CONTINUE_NEEDED);

    login[0] = leg1(ticket_init("k", NULL));
    assert_int_equal(login[0].status, RMS_GSS_CONTINUE);

    t.data = token.value;
    t.len = token.length;
    login[1] = leg(acceptor, ticket_resp(&t, NULL), login[0].context);
    login[0].context = NULL;
    assert_int_equal(login[1].status, RMS_GSS_CONTINUE);
    (void) gss_release_buffer(&minor, &token);

    info = rms_token_sniff(&login[1].output);
    token = client_step(&c, &info.mech_token, GSS_S_COMPLETE);
    t.data = token.value;
    t.len = token.length;
    login[2] = leg(acceptor, ticket_resp(&t, NULL), login[1].context);
    login[1].context = NULL;
    assert_int_equal(login[2].status, RMS_GSS_FAILED);
    assert_string_equal(login[2].text, "no authenticator found");

    rms_gss_login_free(&login[0]);
    rms_gss_login_free(&login[1]);
    rms_gss_login_free(&login[2]);
    (void) gss_release_buffer(&minor, &token);
    client_free(&c);
}


static void
legs_out_of_order_are_refused(void **state)
{
    rms_str_t        framed, t[4];
    size_t           i;
    ticket_spec_t    spec;
    rms_gss_login_t  login, second;

    static const char  *why[] = {
        "a second NegTokenInit", "a second initial token", "malformed token",
        "NTLM instead"
    };

    (void) state;

    spec = spec_default();
    framed = ticket_krb5(&spec);

    login = leg1(ticket_resp(&framed, NULL));
    assert_int_equal(login.status, RMS_GSS_FAILED);
    assert_has(login.text, "NegTokenResp without NegTokenInit");
    rms_gss_login_free(&login);

    t[0] = ticket_init("k", &framed);
    t[1] = framed;
    t[2] = ticket_tlv(0x30, &framed, NULL, NULL, NULL);
    t[3] = ticket_init("n", NULL);

    for (i = 0; i < NELEMS(t); i++) {
        login = leg1(ticket_init("k", NULL));
        assert_int_equal(login.status, RMS_GSS_CONTINUE);

        second = leg(acceptor, t[i], login.context);
        login.context = NULL;
        assert_int_equal(second.status, RMS_GSS_FAILED);
        assert_has(second.text, why[i]);
        rms_gss_login_free(&second);
        rms_gss_login_free(&login);
    }
}


/* A handshake that is left is freed with the login that holds it. */

static void
abandoned_handshake_is_freed(void **state)
{
    rms_gss_login_t  login;

    (void) state;

    login = leg1(ticket_init("k", NULL));
    assert_int_equal(login.status, RMS_GSS_CONTINUE);
    rms_gss_login_free(&login);
    assert_null(login.context);
    rms_gss_login_free(&login);
}


static void
rotated_keytab_works_at_once(void **state)
{
    char                *live, *next;
    ticket_spec_t        spec;
    rms_gss_login_t      login;
    rms_gss_acceptor_t  *a;

    (void) state;

    live = path_copy("live.keytab");
    next = path_copy("next.keytab");
    ticket_keytab_add(live, SERVICE, 1, TICKET_AES256);
    a = rms_gss_acceptor_create(live);
    assert_non_null(a);

    spec = spec_default();
    spec.keytab = live;
    login = leg(a, ticket_krb5(&spec), NULL);
    assert_int_equal(login.status, RMS_GSS_DONE);
    rms_gss_login_free(&login);

    /* a key added in place */

    ticket_keytab_add(live, SERVICE, 2, TICKET_AES256);
    login = leg(a, ticket_krb5(&spec), NULL);
    assert_int_equal(login.status, RMS_GSS_DONE);
    assert_has(login.text, "kvno=2");
    rms_gss_login_free(&login);

    spec.kvno = 1;
    login = leg(a, ticket_krb5(&spec), NULL);
    assert_int_equal(login.status, RMS_GSS_DONE);
    assert_has(login.text, "kvno=1");
    rms_gss_login_free(&login);

    /* another file in its place */

    ticket_keytab_add(next, SERVICE, 3, TICKET_AES256);
    assert_int_equal(rename(next, live), 0);
    spec.kvno = 3;
    login = leg(a, ticket_krb5(&spec), NULL);
    assert_int_equal(login.status, RMS_GSS_DONE);
    assert_has(login.text, "kvno=3");
    rms_gss_login_free(&login);

    rms_gss_acceptor_free(a);
    free(live);
    free(next);
}


static void
lost_keytab_is_our_fault_until_it_is_back(void **state)
{
    size_t               i;
    FILE                *f;
    char                *live, *away;
    rms_str_t            good, copy;
    ticket_spec_t        spec;
    rms_gss_login_t      login;
    rms_gss_acceptor_t  *a;

    static const char  *why[] = {
        "No such file", "is empty", "is damaged", "has no key of an HTTP/",
        "krb5 account="
    };

    (void) state;

    live = path_copy("lost.keytab");
    away = path_copy("away.keytab");
    ticket_keytab_add(live, SERVICE, 1, TICKET_AES256);
    a = rms_gss_acceptor_create(live);
    assert_non_null(a);

    spec = spec_default();
    spec.keytab = live;
    good = ticket_krb5(&spec);
    assert_int_equal(rename(live, away), 0);

    /* gone; empty; no keytab; without a key of ours; back */

    for (i = 0; i < 5; i++) {
        (void) unlink(live);

        if (i == 1 || i == 2) {
            f = fopen(live, "w");
            assert_non_null(f);
            (void) fputs(i == 2 ? "no keytab at all" : "", f);
            (void) fclose(f);

        } else if (i == 3) {
            ticket_keytab_add(live, "host/a@RMS.TEST", 1, TICKET_AES256);

        } else if (i == 4) {
            assert_int_equal(rename(away, live), 0);
        }

        copy.len = good.len;
        copy.data = malloc(good.len);
        assert_non_null(copy.data);
        memcpy(copy.data, good.data, good.len);

        login = leg(a, copy, NULL);
        assert_int_equal(login.status,
                         i == 4 ? RMS_GSS_DONE : RMS_GSS_UNAVAILABLE);

        assert_has(login.text, why[i]);

        rms_gss_login_free(&login);
    }

    rms_gss_acceptor_free(a);
    free(good.data);
    free(live);
    free(away);
}


#define THREADS  4
#define LOGINS   50


typedef struct {
    pthread_t   thread;
    char        client[64];
    rms_str_t   tokens[LOGINS];
    size_t      done;
} thread_t;


static void *
thread_main(void *data)
{
    size_t           i;
    thread_t        *t = data;
    rms_gss_login_t  login;

    for (i = 0; i < LOGINS; i++) {
        memset(&login, 0, sizeof(rms_gss_login_t));
        login.token = t->tokens[i];
        rms_gss_accept(acceptor, &login);

        if (login.status == RMS_GSS_DONE
            && login.account.len == strlen(t->client)
            && memcmp(login.account.data, t->client, login.account.len) == 0)
        {
            t->done++;
        }

        rms_gss_login_free(&login);
    }

    return NULL;
}


static void
threads_do_not_mix_up_callers(void **state)
{
    size_t          i, k;
    thread_t       *threads;
    ticket_spec_t   spec;

    (void) state;

    threads = calloc(THREADS, sizeof(thread_t));
    assert_non_null(threads);

    for (i = 0; i < THREADS; i++) {
        (void) snprintf(threads[i].client, sizeof(threads[i].client),
                        "EXCH%02zu$@RMS.TEST", i);
        spec = spec_default();
        spec.client = threads[i].client;

        for (k = 0; k < LOGINS; k++) {
            threads[i].tokens[k] = ticket_krb5(&spec);
        }
    }

    for (i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i].thread, NULL, thread_main,
                                        &threads[i]),
                         0);
    }

    for (i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i].thread, NULL), 0);
        assert_int_equal(threads[i].done, LOGINS);
    }

    free(threads);
}


static void
failed_allocation_is_our_fault(void **state)
{
    size_t               n;
    ticket_spec_t        spec;
    rms_gss_login_t      login;
    rms_gss_acceptor_t  *a;

    (void) state;

    if (__real_malloc == NULL || __real_calloc == NULL) {
        skip();
    }

    alloc_calls = 0;
    alloc_fail_at = 1;
    a = rms_gss_acceptor_create(keytab);
    alloc_fail_at = 0;
    assert_null(a);

    for (n = 1; n < 32; n++) {
        spec = spec_default();
        memset(&login, 0, sizeof(rms_gss_login_t));
        login.token = ticket_krb5(&spec);
        login.want_sids = 1;

        alloc_calls = 0;
        alloc_fail_at = n;
        rms_gss_accept(acceptor, &login);
        alloc_fail_at = 0;

        if (login.status == RMS_GSS_DONE) {
            rms_gss_login_free(&login);
            break;
        }

        assert_int_equal(login.status, RMS_GSS_UNAVAILABLE);
        assert_int_equal(login.has_hash, 0);
        rms_gss_login_free(&login);
    }

    assert_true(n > 3 && n < 32);
}


/* One leg is looked at above; SPNEGO, and the legs that follow, here. */

static void
failed_allocation_in_any_leg_is_our_fault(void **state)
{
    size_t           i, n;
    negoex_t         negoex;
    rms_gss_login_t  login;

    /* at how many allocations at least, by leg */

    static const struct {
        int     mutual;
        size_t  leg;
        size_t  least;
    } t[] = {
        { 1, 1, 2 },            /* the context; the token for the client */
        { 1, 2, 1 },
        { 1, 3, 2 },            /* the names                             */
        { 0, 1, 2 },
        { 0, 2, 3 }
    };

    (void) state;

    if (__real_malloc == NULL || __real_calloc == NULL) {
        skip();
    }

    for (i = 0; i < NELEMS(t); i++) {
        for (n = 1; n < 32; n++) {
            memset(&negoex, 0, sizeof(negoex_t));
            negoex.list = "xk";
            negoex.mutual = t[i].mutual;
            negoex.fail_leg = t[i].leg;
            negoex.fail_at = n;

            login = negoex_login(&negoex);

            if (login.status == RMS_GSS_DONE) {
                rms_gss_login_free(&login);
                break;
            }

            assert_int_equal(login.status, RMS_GSS_UNAVAILABLE);
            assert_int_equal(negoex.legs, t[i].leg);
            rms_gss_login_free(&login);
        }

        assert_true(n > t[i].least && n < 32);
    }
}


static int
setup(void **state)
{
    (void) state;

    ticket_setup();

    keytab = path_copy("http.keytab");
    ticket_keytab_add(keytab, "host/rmsconnector.rms.test@RMS.TEST", 2,
                      TICKET_AES256);
    ticket_keytab_add(keytab, SERVICE, 2, TICKET_AES256);

    acceptor = rms_gss_acceptor_create(keytab);
    assert_non_null(acceptor);

    return 0;
}


static int
teardown(void **state)
{
    (void) state;

    rms_gss_acceptor_free(acceptor);
    free(keytab);
    ticket_cleanup();

    return 0;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(good_ticket_is_done_in_one_leg_in_every_framing),
        cmocka_unit_test(rewrapped_apreq_keeps_its_hash),
        cmocka_unit_test(no_changed_byte_gives_a_captured_token_another_hash),
        cmocka_unit_test(token_cut_anywhere_is_refused),
        cmocka_unit_test(garbage_is_refused_as_malformed),
        cmocka_unit_test(stale_tickets_are_told_apart),
        cmocka_unit_test(clock_skew_is_said_with_both_clocks),
        cmocka_unit_test(key_trouble_is_told_apart),
        cmocka_unit_test(other_service_of_the_same_keytab_is_refused),
        cmocka_unit_test(name_in_clear_proves_nothing),
        cmocka_unit_test(each_key_of_one_name_is_tried),
        cmocka_unit_test(keytab_is_read_again_only_when_it_has_changed),
        cmocka_unit_test(login_resolves_no_name),
        cmocka_unit_test(several_services_of_one_keytab_are_accepted),
        cmocka_unit_test(foreign_realm_is_marked),
        cmocka_unit_test(control_characters_in_a_principal_are_refused),
        cmocka_unit_test(anonymous_ticket_is_refused),
        cmocka_unit_test(ntlm_never_reaches_the_library),
        cmocka_unit_test(apreq_of_the_second_leg_gives_the_hash),
        cmocka_unit_test(negoex_first_takes_a_signed_list_and_a_leg_more),
        cmocka_unit_test(output_is_the_mutual_token),
        cmocka_unit_test(login_without_a_hash_is_refused),
        cmocka_unit_test(legs_out_of_order_are_refused),
        cmocka_unit_test(abandoned_handshake_is_freed),
        cmocka_unit_test(rotated_keytab_works_at_once),
        cmocka_unit_test(lost_keytab_is_our_fault_until_it_is_back),
        cmocka_unit_test(threads_do_not_mix_up_callers),
        cmocka_unit_test(failed_allocation_is_our_fault),
        cmocka_unit_test(failed_allocation_in_any_leg_is_our_fault)
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
