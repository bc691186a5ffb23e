/*
 * The NTLM acceptor and gss-ntlmssp, with GSSAPI's own initiator as the client
 * and a user file in place of a domain.  Linked with --wrap=malloc,
 * --wrap=calloc the allocation failures are tested too.
 */

#include <stdarg.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <gssapi/gssapi.h>
#include <gssapi/gssapi_ext.h>

#include "rms_gss_context.h"
#include "rms_gss_ntlm.h"
#include "rms_ntlm.h"
#include "test_wrap.h"
#include "ticket.h"


#define NELEMS(a)  (sizeof(a) / sizeof((a)[0]))

#define ALICE  "CORP\\alice"
#define EXCH   "corp\\EXCH01$"


/*
 * libwbclient looks for winbindd where SELFTEST_WINBINDD_SOCKET_DIR says, in a
 * program that has these: a winbindd of this machine is left alone.
 */

bool nss_wrapper_enabled(void);
bool uid_wrapper_enabled(void);


/*
 * A winbind that is fine and says to each login what a test wants, in place of
 * functions of libwbclient that the core looks up: --wrap=dlsym.
 */

void *__real_dlsym(void *handle, const char *name);
void *__wrap_dlsym(void *handle, const char *name);

#define WINBIND_AUTH_ERROR  10
#define WINBIND_NOT_FOUND   7

static struct {
    int        stands_in;
    int        known;                   /* the account                   */
    uint32_t   status;                  /* to a login; 0: tells none     */
    unsigned   asked;                   /* about itself                  */
} winbind;

/* libwbclient looks before what it frees, and leaves alone what is not its */
static struct {
    unsigned char  before[64];
    uint32_t       status;
    char          *text;
    int32_t        pam;
    char          *shown;
} winbind_error;


bool
nss_wrapper_enabled(void)
{
    return true;
}


bool
uid_wrapper_enabled(void)
{
    return true;
}


static int
winbind_login(void *ctx, const void *params, void **info, void **error)
{
    (void) ctx;
    (void) params;
    (void) info;

    winbind_error.status = winbind.status;
    *error = winbind.status ? &winbind_error.status : NULL;

    return WINBIND_AUTH_ERROR;
}


static int
winbind_ping(void *ctx)
{
    (void) ctx;

    winbind.asked++;

    return 0;
}


static int
winbind_domain(void *ctx, const char *domain, void **error)
{
    (void) ctx;
    (void) domain;
    (void) error;

    return 0;
}


static int
winbind_lookup(void *ctx, const char *domain, const char *name, void *sid,
    int *type)
{
    (void) ctx;
    (void) sid;
    (void) type;

    assert_string_equal(domain, "CORP");
    assert_string_equal(name, "alice");

    return winbind.known ? 0 : WINBIND_NOT_FOUND;
}


void *
__wrap_dlsym(void *handle, const char *name)
{
    size_t  i;
    void   *symbol;

    const struct {
        const char  *name;
        void        *call;
    } ours[] = {
        { "wbcCtxAuthenticateUserEx",
          &(int (*)(void *, const void *, void **, void **)) {winbind_login} },
        { "wbcCtxPing", &(int (*)(void *)) {winbind_ping} },
        { "wbcCtxPingDc",
          &(int (*)(void *, const char *, void **)) {winbind_domain} },
        { "wbcCtxCheckTrustCredentials",
          &(int (*)(void *, const char *, void **)) {winbind_domain} },
        { "wbcCtxLookupName",
          &(int (*)(void *, const char *, const char *, void *, int *))
              {winbind_lookup} }
    };

    for (i = 0; winbind.stands_in && i < NELEMS(ours); i++) {
        if (strcmp(ours[i].name, name) == 0) {
            memcpy(&symbol, ours[i].call, sizeof(void *));
            return symbol;
        }
    }

    return __real_dlsym(handle, name);
}


/* A client: what it wants, and how far it is. */

typedef struct {
    gss_ctx_id_t        ctx;
    gss_cred_id_t       cred;
    gss_name_t          target;
    gss_OID             mech;
    OM_uint32           flags;
    const char         *binding;        /* NULL: none                    */
    int                 done;
    int                 misreads;       /* the client's own library does */
} client_t;


static gss_OID_desc  mech_ntlm =
    { sizeof(TICKET_OID_NTLM) - 1, (void *) TICKET_OID_NTLM };
static gss_OID_desc  mech_spnego =
    { sizeof(TICKET_OID_SPNEGO) - 1, (void *) TICKET_OID_SPNEGO };

static const rms_ntlm_domain_t  domains[] = {
    { rms_string("CORP"), rms_string("CORP.EXAMPLE"), 0 },
    { rms_string("PARTNER"), rms_string("PARTNER.EXAMPLE"), 1 }
};

static char            *user_file;
static rms_gss_ntlm_t   ntlm;


static void
assert_has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("\"%s\" is not in: %s", part, text);
    }
}


static rms_str_t
copy(const void *data, size_t len)
{
    rms_str_t  s;

    s.len = len;
    s.data = malloc(len ? len : 1);
    assert_non_null(s.data);

    if (len) {
        memcpy(s.data, data, len);
    }

    return s;
}


/*
 * A user file with NT hashes, as smbpasswd has it: gss-ntlmssp 1.2.0 loses
 * memory each time it has to make one of a password.
 */

static void
users(const char *path, const char *const *accounts, size_t n,
    const char *password)
{
    FILE    *f;
    size_t   i;

    f = fopen(path, "w");
    assert_non_null(f);

    for (i = 0; i < n; i++) {
        fprintf(f, "%s:0:%032d:%s:[U]:\n", accounts[i], 0,
                strcmp(password, "secret") == 0
                ? "878D8014606CDA29677A44EFA1353FC7"
                : "00112233445566778899AABBCCDDEEFF");
    }

    fclose(f);
}


static void
client_init(client_t *c, const char *account, const char *password,
    gss_OID mech, OM_uint32 flags)
{
    char                        *path;
    OM_uint32                    major, minor;
    gss_name_t                   name;
    gss_buffer_desc              text;
    gss_OID_set_desc             mechs;
    gss_key_value_set_desc       store;
    gss_key_value_element_desc   part;

    memset(c, 0, sizeof(client_t));
    c->ctx = GSS_C_NO_CONTEXT;
    c->mech = mech;
    c->flags = flags;

    path = ticket_path("client.users");
    users(path, &account, 1, password);

    text.value = (void *) (uintptr_t) account;
    text.length = strlen(account);
    major = gss_import_name(&minor, &text, GSS_C_NT_USER_NAME, &name);
    assert_int_equal(major, GSS_S_COMPLETE);

    mechs.count = 1;
    mechs.elements = mech;
    part.key = "ntlmssp_keyfile";
    part.value = path;
    store.count = 1;
    store.elements = &part;

    major = gss_acquire_cred_from(&minor, name, GSS_C_INDEFINITE, &mechs,
                                  GSS_C_INITIATE, &store, &c->cred, NULL,
                                  NULL);
    assert_int_equal(major, GSS_S_COMPLETE);
    gss_release_name(&minor, &name);

    text.value = "HTTP@rmsconnector.rms.test";
    text.length = strlen(text.value);
    major = gss_import_name(&minor, &text, GSS_C_NT_HOSTBASED_SERVICE,
                            &c->target);
    assert_int_equal(major, GSS_S_COMPLETE);
}


static void
client_free(client_t *c)
{
    OM_uint32  minor;

    gss_delete_sec_context(&minor, &c->ctx, GSS_C_NO_BUFFER);
    gss_release_cred(&minor, &c->cred);
    gss_release_name(&minor, &c->target);
}


/* The client's next token; empty when it has none. */

static rms_str_t
client_step(client_t *c, const rms_str_t *in)
{
    OM_uint32                           major, minor;
    rms_str_t                           token;
    rms_token_info_t                    info;
    gss_buffer_desc                     from, to = GSS_C_EMPTY_BUFFER;
    struct gss_channel_bindings_struct  cb;

    from.value = in ? in->data : NULL;
    from.length = in ? in->len : 0;

    memset(&info, 0, sizeof(info));

    if (in != NULL) {
        info = rms_token_sniff(in);
    }

    if (c->misreads && info.mic.len > 0) {
        info.mic.data[0] = 0xa4;
    }

    memset(&cb, 0, sizeof(cb));
    cb.application_data.value = (void *) (uintptr_t) c->binding;
    cb.application_data.length = c->binding ? strlen(c->binding) : 0;

    major = gss_init_sec_context(&minor, c->cred, &c->ctx, c->target, c->mech,
                                 c->flags, 0, c->binding ? &cb : NULL, &from,
                                 NULL, &to, NULL, NULL);

    /* krb5 1.21 as a client looks for the mechListMIC under [4]: rms_gss_mic */

    if (GSS_ERROR(major) && info.mic.len > 0 && !c->misreads) {
        c->misreads = 1;
        return copy("", 0);
    }

    assert_int_equal(GSS_ERROR(major), 0);

    c->done = (major == GSS_S_COMPLETE);
    token = copy(to.value, to.length);
    gss_release_buffer(&minor, &to);

    return token;
}


/* Runs one leg; the token moves in, the binding is the connection's. */

static rms_gss_login_t
leg(rms_str_t token, rms_gss_context_t *context, rms_cbind_mode_e mode,
    const char *binding)
{
    rms_gss_login_t  login;

    memset(&login, 0, sizeof(rms_gss_login_t));
    login.token = token;
    login.context = context;
    login.cbind_mode = mode;

    if (binding != NULL) {
        login.cbind.len = strlen(binding);
        memcpy(login.cbind.data, binding, login.cbind.len);
    }

    rms_gss_ntlm_accept(&ntlm, &login);

    assert_true(strlen(login.text) > 0);
    assert_int_equal(login.ntlm, 1);
    assert_int_equal(login.has_hash, 0);
    assert_int_equal(login.has_sids, 0);

    if (login.status != RMS_GSS_CONTINUE) {
        assert_null(login.context);
    }

    if (login.status != RMS_GSS_DONE) {
        assert_int_equal(login.account.len, 0);
        assert_int_equal(login.bound, 0);
    }

    if (login.status >= RMS_GSS_FAILED) {
        assert_int_equal(login.output.len, 0);
    }

    return login;
}


/* Plays a client to its end; the last leg's login is left to the caller. */

static rms_gss_login_t
play(client_t *c, rms_cbind_mode_e mode, const char *binding)
{
    rms_str_t           token;
    rms_gss_login_t     login;
    rms_gss_context_t  *context;

    context = NULL;
    token = client_step(c, NULL);

    for ( ;; ) {
        login = leg(token, context, mode, binding);

        if (login.status != RMS_GSS_CONTINUE) {
            return login;
        }

        token = client_step(c, &login.output);
        context = login.context;
        login.context = NULL;
        rms_gss_login_free(&login);
    }
}


static rms_gss_login_t
play_once(const char *account, const char *password, gss_OID mech,
    int *misreads)
{
    client_t         c;
    rms_str_t        last;
    rms_gss_login_t  login;

    client_init(&c, account, password, mech,
                GSS_C_MUTUAL_FLAG | GSS_C_INTEG_FLAG);
    c.misreads = *misreads;

    login = play(&c, RMS_CBIND_OFF, NULL);

    if (login.status == RMS_GSS_DONE && !c.done) {
        last = client_step(&c, &login.output);
        assert_true(c.done || c.misreads > *misreads);
        assert_int_equal(last.len, 0);
        free(last.data);
    }

    *misreads = c.misreads;
    client_free(&c);

    return login;
}


/* A client whose library misreads our signature plays a second time. */

static rms_gss_login_t
play_as(const char *account, const char *password, gss_OID mech)
{
    int              misreads;
    rms_gss_login_t  login;

    misreads = 0;
    login = play_once(account, password, mech, &misreads);

    if (misreads) {
        rms_gss_login_free(&login);
        login = play_once(account, password, mech, &misreads);
    }

    return login;
}


/* The two tokens of a bare client; *context is that before the second. */

static rms_str_t
to_last(client_t *c, rms_gss_context_t **context)
{
    rms_str_t        token;
    rms_gss_login_t  login;

    login = leg(client_step(c, NULL), NULL, RMS_CBIND_OFF, NULL);
    assert_int_equal(login.status, RMS_GSS_CONTINUE);

    token = client_step(c, &login.output);
    *context = login.context;
    login.context = NULL;
    rms_gss_login_free(&login);

    return token;
}


static void
bare_client(client_t *c)
{
    client_init(c, ALICE, "secret", &mech_ntlm, GSS_C_INTEG_FLAG);
}


static void
good_password_is_done_in_each_framing(void **state)
{
    size_t           i;
    rms_gss_login_t  login;

    static const struct {
        const char  *account;
        gss_OID      mech;
        const char  *expect;
        unsigned     foreign;
    } rows[] = {
        { ALICE, &mech_ntlm, "alice@CORP.EXAMPLE", 0 },
        { ALICE, &mech_spnego, "alice@CORP.EXAMPLE", 0 },
        { EXCH, &mech_ntlm, "EXCH01$@CORP.EXAMPLE", 0 },
        { EXCH, &mech_spnego, "EXCH01$@CORP.EXAMPLE", 0 },
        { "PARTNER\\bob", &mech_ntlm, "bob@PARTNER.EXAMPLE", 1 }
    };

    (void) state;

    for (i = 0; i < NELEMS(rows); i++) {
        login = play_as(rows[i].account, "secret", rows[i].mech);

        assert_has(login.text, "ntlm account=");
        assert_int_equal(login.status, RMS_GSS_DONE);
        assert_int_equal(login.account.len, strlen(rows[i].expect));
        assert_memory_equal(login.account.data, rows[i].expect,
                            login.account.len);
        assert_int_equal(login.foreign, rows[i].foreign);
        assert_int_equal(login.service.len, 0);
        assert_int_equal(login.claimed.len, 0);
        rms_gss_login_free(&login);
    }
}


static void
bad_password_unknown_account_and_unmapped_domain_fail(void **state)
{
    size_t           i, k;
    rms_gss_login_t  login;

    static const struct {
        const char  *account;
        const char  *password;
        const char  *why;
        const char  *claimed;
    } rows[] = {
        { ALICE, "wrong", "wrong password, or an unknown account",
          "alice@CORP.EXAMPLE" },
        { "CORP\\nobody", "secret", "wrong password, or an unknown account",
          "nobody@CORP.EXAMPLE" },
        { "OTHER\\alice", "secret", "write \"rms_domain OTHER=its.realm;\"",
          "" },
        { "O T\\alice", "secret", "an unknown domain domain=\"O T\"", "" },
        { "CORP.EXAMPLE\\alice", "secret",
          "write \"rms_domain CORP.EXAMPLE=its.realm;\"", "" }
    };

    (void) state;

    for (i = 0; i < NELEMS(rows); i++) {
        for (k = 0; k < 2; k++) {
            login = play_as(rows[i].account, rows[i].password,
                            k ? &mech_spnego : &mech_ntlm);

            assert_has(login.text, rows[i].why);
            assert_has(login.text, " user=\"");
            assert_int_equal(login.status, RMS_GSS_FAILED);
            assert_int_equal(login.claimed.len, strlen(rows[i].claimed));
            assert_memory_equal(login.claimed.data, rows[i].claimed,
                                login.claimed.len);
            rms_gss_login_free(&login);
        }
    }
}


static void
lost_user_file_is_ours(void **state)
{
    rms_gss_login_t  login;

    (void) state;

    ntlm.user_file = "/nonexistent/users";
    login = play_as(ALICE, "secret", &mech_ntlm);
    ntlm.user_file = user_file;

    assert_has(login.text, "NTLM user file \"/nonexistent/users\"");
    assert_int_equal(login.status, RMS_GSS_UNAVAILABLE);
    rms_gss_login_free(&login);
}


static void
winbind_that_does_not_run_is_ours(void **state)
{
    rms_gss_login_t  login;

    (void) state;

    ntlm.user_file = NULL;
    login = play_as(ALICE, "secret", &mech_ntlm);
    ntlm.user_file = user_file;

    assert_has(login.text, "winbindd does not answer; start it");
    assert_int_equal(login.status, RMS_GSS_UNAVAILABLE);
    assert_true(rms_str_is(&login.claimed, "alice@CORP.EXAMPLE"));
    rms_gss_login_free(&login);
}


/* A login that winbind answers with this status; its text goes to login. */

static rms_gss_login_t
winbind_says(uint32_t status, int known)
{
    rms_gss_login_t  login;

    winbind.stands_in = 1;
    winbind.status = status;
    winbind.known = known;
    winbind.asked = 0;

    ntlm.user_file = NULL;
    login = play_as(ALICE, "secret", &mech_ntlm);
    ntlm.user_file = user_file;

    winbind.stands_in = 0;

    assert_true(rms_str_is(&login.claimed, "alice@CORP.EXAMPLE"));

    return login;
}


static void
what_winbind_says_of_an_account_is_its_fault_and_not_asked_again(void **state)
{
    rms_gss_login_t  login;

    (void) state;

    login = winbind_says(0xC0000234, 1);

    assert_string_equal(login.text, "the account is locked out "
                        "(NT_STATUS_ACCOUNT_LOCKED_OUT) domain=\"CORP\" "
                        "user=\"alice\"");
    assert_int_equal(login.status, RMS_GSS_FAILED);
    assert_int_equal(winbind.asked, 0);
    rms_gss_login_free(&login);
}


/* Even where winbind finds one again by the time it is asked. */

static void
domain_controller_out_of_reach_is_ours(void **state)
{
    rms_gss_login_t  login;

    (void) state;

    login = winbind_says(0xC000005E, 1);

    assert_has(login.text, "domain controller unreachable "
               "(NT_STATUS_NO_LOGON_SERVERS); ");
    assert_int_equal(login.status, RMS_GSS_UNAVAILABLE);
    rms_gss_login_free(&login);
}


static void
status_without_words_is_told_as_a_number_and_no_guess(void **state)
{
    rms_gss_login_t  login;

    (void) state;

    login = winbind_says(0xC0000001, 0);

    assert_has(login.text, "winbind says NTSTATUS 0xc0000001; gss-ntlmssp");
    assert_int_equal(login.status, RMS_GSS_FAILED);
    assert_int_equal(winbind.asked, 1);
    rms_gss_login_free(&login);
}


static void
refusal_without_a_status_says_what_it_may_be(void **state)
{
    rms_gss_login_t  login;

    (void) state;

    login = winbind_says(0, 1);
    assert_has(login.text, "wrong password, one that has expired or has to be "
               "changed, or an account that is disabled, locked or expired "
               "(winbind's log tells which); ");
    assert_int_equal(login.status, RMS_GSS_FAILED);
    rms_gss_login_free(&login);

    login = winbind_says(0, 0);
    assert_has(login.text, "unknown account; ");
    assert_int_equal(login.status, RMS_GSS_FAILED);
    rms_gss_login_free(&login);
}


static void
check_names_what_is_missing(void **state)
{
    char            text[256];
    rms_gss_ntlm_t  other;

    (void) state;

    other = ntlm;
    assert_int_equal(rms_gss_ntlm_check(&other, 1, text, sizeof(text)), 1);

    other.user_file = "/nonexistent/users";
    assert_int_equal(rms_gss_ntlm_check(&other, 1, text, sizeof(text)), 0);
    assert_has(text, "No such file");

    other.user_file = NULL;
    assert_int_equal(rms_gss_ntlm_check(&other, 0, text, sizeof(text)), 1);
    assert_int_equal(rms_gss_ntlm_check(&other, 1, text, sizeof(text)), 0);
    assert_has(text, "winbindd");
}


/* Every part of the last message that a client could lack. */

static void
truncated_message_fails_at_each_length(void **state)
{
    size_t              n, len;
    client_t            c;
    rms_str_t           token, cut;
    rms_gss_login_t     login;
    rms_gss_context_t  *context;

    (void) state;

    for (n = 0, len = 1; n < len; n++) {
        bare_client(&c);
        token = to_last(&c, &context);
        len = token.len;

        /* of its own, so that reading beyond it is seen */

        cut = copy(token.data, n);
        login = leg(cut, context, RMS_CBIND_OFF, NULL);

        assert_int_equal(login.status, RMS_GSS_FAILED);
        rms_gss_login_free(&login);
        free(token.data);
        client_free(&c);
    }
}


static void
truncated_first_message_fails_at_each_length(void **state)
{
    size_t           n;
    client_t         c;
    rms_str_t        token;
    rms_gss_login_t  login;

    (void) state;

    bare_client(&c);
    token = client_step(&c, NULL);

    for (n = 0; n < 40; n++) {
        login = leg(copy(token.data, n), NULL, RMS_CBIND_OFF, NULL);
        assert_int_equal(login.status, RMS_GSS_FAILED);
        rms_gss_login_free(&login);
    }

    free(token.data);
    client_free(&c);
}


/* The first byte of the message in a token of any framing. */

static unsigned char *
find_message(const rms_str_t *token)
{
    unsigned char  *p;

    p = memmem(token->data, token->len, "NTLMSSP", 8);
    assert_non_null(p);

    return p;
}


static void
changed_proof_or_mic_fails(void **state)
{
    size_t              i;
    client_t            c;
    rms_str_t           token;
    unsigned char      *p;
    rms_gss_login_t     login;
    rms_gss_context_t  *context;

    static const struct {
        gss_OID      mech;
        int          at;        /* in the message; -1: in the last byte  */
        const char  *why;
    } rows[] = {
        { &mech_spnego, 72, "the message or its channel binding does not" },
        { &mech_spnego, -1, "the signature of the client's list" },
        { &mech_ntlm, -2, "wrong password" }
    };

    (void) state;

    for (i = 0; i < NELEMS(rows); i++) {
        client_init(&c, ALICE, "secret", rows[i].mech,
                    GSS_C_MUTUAL_FLAG | GSS_C_INTEG_FLAG);
        token = to_last(&c, &context);
        p = find_message(&token);

        if (rows[i].at == -1) {
            p = token.data + token.len - 1;

        } else if (rows[i].at == -2) {
            p += p[24] + 256 * p[25];   /* the NTLMv2 response           */

        } else {
            p += rows[i].at;
        }

        *p ^= 1;

        login = leg(token, context, RMS_CBIND_OFF, NULL);
        assert_has(login.text, rows[i].why);
        assert_int_equal(login.status, RMS_GSS_FAILED);
        rms_gss_login_free(&login);
        client_free(&c);
    }
}


static void
lmv2_beside_ntlmv2_fails(void **state)
{
    client_t            c;
    rms_str_t           token, longer;
    unsigned char      *p;
    rms_gss_login_t     login;
    rms_gss_context_t  *context;

    (void) state;

    bare_client(&c);
    token = to_last(&c, &context);

    longer.len = token.len + 24;
    longer.data = calloc(1, longer.len);
    memcpy(longer.data, token.data, token.len);

    p = longer.data;
    p[12] = p[14] = 24;
    p[13] = p[15] = 0;
    p[16] = (unsigned char) token.len;
    p[17] = (unsigned char) (token.len >> 8);
    p[18] = p[19] = 0;
    p[token.len + 5] = 1;

    login = leg(longer, context, RMS_CBIND_OFF, NULL);
    assert_has(login.text, "an LM response beside NTLMv2");
    assert_int_equal(login.status, RMS_GSS_FAILED);
    rms_gss_login_free(&login);
    free(token.data);
    client_free(&c);
}


/* gss-ntlmssp takes one, in its default setting. */

static void
ntlmv1_fails(void **state)
{
    client_t            c;
    rms_str_t           token;
    rms_gss_login_t     login;
    rms_gss_context_t  *context;

    (void) state;

    bare_client(&c);
    token = to_last(&c, &context);
    token.data[20] = token.data[22] = 24;
    token.data[21] = token.data[23] = 0;

    login = leg(token, context, RMS_CBIND_OFF, NULL);
    assert_has(login.text, "NTLMv1, only NTLMv2 is accepted");
    assert_int_equal(login.status, RMS_GSS_FAILED);
    rms_gss_login_free(&login);
    client_free(&c);
}


/* Sets a field of the last message to nothing. */

static void
anonymous_and_nameless_logins_fail(void **state)
{
    size_t              i;
    client_t            c;
    rms_str_t           token;
    unsigned char      *p;
    rms_gss_login_t     login;
    rms_gss_context_t  *context;

    static const struct {
        size_t       at[2];             /* fields to empty, 0: none      */
        const char  *why;
    } rows[] = {
        { { 36, 20 }, "an anonymous NTLM login" },
        { { 36, 0 }, "an anonymous NTLM login" },
        { { 28, 0 }, "an NTLM login without a domain" },
        { { 20, 0 }, "an LM or no response" },
        { { 52, 0 }, "malformed NTLM session key" }
    };

    (void) state;

    for (i = 0; i < NELEMS(rows); i++) {
        bare_client(&c);
        token = to_last(&c, &context);
        p = token.data;

        memset(p + rows[i].at[0], 0, 4);

        if (rows[i].at[1]) {
            memset(p + rows[i].at[1], 0, 4);
        }

        login = leg(token, context, RMS_CBIND_OFF, NULL);
        assert_has(login.text, rows[i].why);
        assert_int_equal(login.status, RMS_GSS_FAILED);
        rms_gss_login_free(&login);
        client_free(&c);
    }
}


static void
message_without_its_handshake_fails(void **state)
{
    client_t            c;
    rms_str_t           token;
    rms_gss_login_t     login;
    rms_gss_context_t  *context, *other;

    (void) state;

    bare_client(&c);
    token = to_last(&c, &context);

    login = leg(copy(token.data, token.len), NULL, RMS_CBIND_OFF, NULL);
    assert_has(login.text, "no NTLM handshake was begun here");
    assert_int_equal(login.status, RMS_GSS_FAILED);
    rms_gss_login_free(&login);
    client_free(&c);

    /* the answer to another challenge: what a replay is */

    bare_client(&c);
    free(to_last(&c, &other).data);

    login = leg(copy(token.data, token.len), other, RMS_CBIND_OFF, NULL);
    assert_has(login.text, "wrong password");
    assert_int_equal(login.status, RMS_GSS_FAILED);
    rms_gss_login_free(&login);
    client_free(&c);

    login = leg(token, context, RMS_CBIND_OFF, NULL);
    assert_int_equal(login.status, RMS_GSS_DONE);
    rms_gss_login_free(&login);
}


static void
first_message_again_begins_anew(void **state)
{
    client_t            c, d;
    rms_str_t           token;
    rms_gss_login_t     login;
    rms_gss_context_t  *context;

    (void) state;

    bare_client(&c);
    free(to_last(&c, &context).data);
    bare_client(&d);

    login = leg(client_step(&d, NULL), context, RMS_CBIND_OFF, NULL);
    assert_int_equal(login.status, RMS_GSS_CONTINUE);
    assert_has(login.text, "leg 1");

    token = client_step(&d, &login.output);
    context = login.context;
    login.context = NULL;
    rms_gss_login_free(&login);

    login = leg(token, context, RMS_CBIND_OFF, NULL);
    assert_int_equal(login.status, RMS_GSS_DONE);
    rms_gss_login_free(&login);
    client_free(&c);
    client_free(&d);
}


static void
framing_cannot_change_in_the_handshake(void **state)
{
    client_t            c;
    rms_str_t           token;
    rms_gss_login_t     login;
    rms_gss_context_t  *context;

    (void) state;

    bare_client(&c);
    token = to_last(&c, &context);

    login = leg(ticket_resp(&token, NULL), context, RMS_CBIND_OFF, NULL);
    assert_has(login.text, "another framing");
    assert_int_equal(login.status, RMS_GSS_FAILED);
    rms_gss_login_free(&login);
    free(token.data);
    client_free(&c);
}


static void
more_than_four_legs_fail(void **state)
{
    size_t           i;
    rms_str_t        empty = rms_null_string;
    rms_gss_login_t  login;

    (void) state;

    login = leg(ticket_init("xn", NULL), NULL, RMS_CBIND_OFF, NULL);

    for (i = 1; i <= RMS_GSS_LEGS_MAX; i++) {
        rms_gss_context_t  *context = login.context;

        assert_int_equal(login.status, RMS_GSS_CONTINUE);
        login.context = NULL;
        rms_gss_login_free(&login);

        context->legs = (unsigned) i;
        login = leg(ticket_resp(&empty, NULL), context, RMS_CBIND_OFF, NULL);
        assert_int_equal(login.status, RMS_GSS_FAILED);
        assert_has(login.text, i == RMS_GSS_LEGS_MAX
                               ? "too many legs"
                               : "not an NTLM NEGOTIATE_MESSAGE");

        if (i < RMS_GSS_LEGS_MAX) {
            rms_gss_login_free(&login);
            login = leg(ticket_init("xn", NULL), NULL, RMS_CBIND_OFF, NULL);
        }
    }

    rms_gss_login_free(&login);
}


/*
 * NTLM behind another mechanism: three legs, and a list that is not signed is
 * one that somebody may have shortened.
 */

static rms_gss_login_t
play_behind(const char *letters, const char *signed_letters, size_t mic_len)
{
    client_t            c;
    OM_uint32           minor;
    rms_str_t           token, mic, list, message;
    unsigned char       longer[32];
    rms_gss_login_t     login;
    gss_buffer_desc     in, out = GSS_C_EMPTY_BUFFER;
    rms_gss_context_t  *context;

    client_init(&c, ALICE, "secret", &mech_ntlm, GSS_C_INTEG_FLAG);

    login = leg(ticket_init(letters, NULL), NULL, RMS_CBIND_OFF, NULL);
    assert_int_equal(login.status, RMS_GSS_CONTINUE);

    /* request-mic, supportedMech */

    assert_memory_equal(login.output.data + 4, "\xa0\x03\x0a\x01\x03\xa1", 6);

    context = login.context;
    login.context = NULL;
    rms_gss_login_free(&login);

    token = client_step(&c, NULL);
    login = leg(ticket_resp(&token, NULL), context, RMS_CBIND_OFF, NULL);
    assert_int_equal(login.status, RMS_GSS_CONTINUE);
    free(token.data);

    message.data = find_message(&login.output);
    message.len = login.output.len
                  - (size_t) (message.data - login.output.data);
    token = client_step(&c, &message);
    context = login.context;
    login.context = NULL;
    rms_gss_login_free(&login);

    if (signed_letters == NULL) {
        login = leg(ticket_resp(&token, NULL), context, RMS_CBIND_OFF, NULL);

    } else {
        list = ticket_mechs(signed_letters);
        in.value = list.data;
        in.length = list.len;
        assert_int_equal(gss_get_mic(&minor, c.ctx, GSS_C_QOP_DEFAULT, &in,
                                     &out), GSS_S_COMPLETE);
        memset(longer, 0, sizeof(longer));
        memcpy(longer, out.value, out.length);
        mic.data = longer;
        mic.len = mic_len;
        login = leg(ticket_resp(&token, &mic), context, RMS_CBIND_OFF, NULL);

        gss_release_buffer(&minor, &out);

        /* and the server has signed the same list */

        if (login.status == RMS_GSS_DONE) {
            out.value = login.output.data + login.output.len - 16;
            out.length = 16;
            assert_int_equal(gss_verify_mic(&minor, c.ctx, &in, &out, NULL),
                             GSS_S_COMPLETE);
        }

        free(list.data);
    }

    free(token.data);
    client_free(&c);

    return login;
}


static void
list_must_be_signed_where_ntlm_is_not_first(void **state)
{
    size_t           i;
    rms_gss_login_t  login;

    static const struct {
        const char        *letters;
        const char        *signed_letters;
        size_t             mic_len;
        rms_gss_status_e   status;
        const char        *why;
    } rows[] = {
        { "xn", "xn", 16, RMS_GSS_DONE, "ntlm account=" },
        { "mkxn", "mkxn", 16, RMS_GSS_DONE, "ntlm account=" },
        { "xn", "mkxn", 16, RMS_GSS_FAILED, "signature of the client's list" },
        { "xn", "xn", 15, RMS_GSS_FAILED, "signature of the client's list" },
        { "xn", "xn", 17, RMS_GSS_FAILED, "signature of the client's list" },
        { "xn", NULL, 0, RMS_GSS_FAILED, "list of mechanisms is not signed" }
    };

    (void) state;

    for (i = 0; i < NELEMS(rows); i++) {
        login = play_behind(rows[i].letters, rows[i].signed_letters,
                            rows[i].mic_len);
        assert_has(login.text, rows[i].why);
        assert_int_equal(login.status, rows[i].status);
        rms_gss_login_free(&login);
    }
}


static void
kerberos_never_gets_here(void **state)
{
    rms_str_t        junk;
    rms_gss_login_t  login;

    (void) state;

    junk = copy("\x60\x0d\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x01\x00",
                15);
    assert_int_equal(rms_gss_ntlm_wanted(&junk, NULL), 0);

    login = leg(junk, NULL, RMS_CBIND_OFF, NULL);
    assert_has(login.text, "malformed token");
    assert_int_equal(login.status, RMS_GSS_FAILED);
    rms_gss_login_free(&login);

    login = leg(ticket_init("mk", NULL), NULL, RMS_CBIND_OFF, NULL);
    assert_has(login.text, "the client offers no NTLM");
    assert_int_equal(login.status, RMS_GSS_FAILED);
    rms_gss_login_free(&login);
}


static void
token_goes_to_its_mechanism(void **state)
{
    int                wanted;
    size_t             i;
    rms_str_t          token;
    rms_gss_context_t  krb5, half;

    static const struct {
        const char  *letters;
        int          wanted;
    } rows[] = {
        { "n", 1 }, { "xn", 1 }, { "nk", 0 }, { "mkxn", 0 }, { "k", 0 },
        { "x", 0 }
    };

    (void) state;

    memset(&krb5, 0, sizeof(krb5));
    memset(&half, 0, sizeof(half));
    half.mech = RMS_GSS_NTLM;

    for (i = 0; i < NELEMS(rows); i++) {
        token = ticket_init(rows[i].letters, NULL);
        wanted = rms_gss_ntlm_wanted(&token, NULL);
        assert_int_equal(wanted, rows[i].wanted);
        free(token.data);
    }

    token = ticket_resp(NULL, NULL);
    assert_int_equal(rms_gss_ntlm_wanted(&token, NULL), 0);
    assert_int_equal(rms_gss_ntlm_wanted(&token, &krb5), 0);
    assert_int_equal(rms_gss_ntlm_wanted(&token, &half), 1);
    free(token.data);
}


static void
kerberos_handshake_takes_no_ntlm(void **state)
{
    client_t            c;
    rms_str_t           token;
    rms_gss_login_t     login;
    rms_gss_context_t  *context, *krb5;

    (void) state;

    bare_client(&c);
    token = to_last(&c, &context);
    rms_gss_context_free(context);

    krb5 = calloc(1, sizeof(rms_gss_context_t));
    login = leg(token, krb5, RMS_CBIND_OFF, NULL);
    assert_has(login.text, "a handshake of another mechanism");
    assert_int_equal(login.status, RMS_GSS_FAILED);
    rms_gss_login_free(&login);
    client_free(&c);
}


static void
binding_is_checked_as_the_mode_says(void **state)
{
    size_t           i, k;
    client_t         c;
    rms_gss_login_t  login;

    static const char  ours[] = "tls-server-end-point:ours";

    static const struct {
        rms_cbind_mode_e   mode;
        const char        *server;      /* NULL: no TLS                  */
        const char        *client;      /* NULL: no binding              */
        rms_gss_status_e   status;
        unsigned           bound;
        const char        *why;
    } rows[] = {
        { RMS_CBIND_OFF, ours, NULL, RMS_GSS_DONE, 0, "bound=no" },
        { RMS_CBIND_OFF, ours, ours, RMS_GSS_DONE, 0, "bound=no" },
        { RMS_CBIND_OFF, ours, "theirs", RMS_GSS_DONE, 0, "bound=no" },
        { RMS_CBIND_ALLOW, ours, NULL, RMS_GSS_DONE, 0, "bound=no" },
        { RMS_CBIND_ALLOW, ours, ours, RMS_GSS_DONE, 1, "bound=yes" },
        { RMS_CBIND_ALLOW, ours, "theirs", RMS_GSS_FAILED, 0,
          "channel binding does not verify" },
        { RMS_CBIND_ALLOW, NULL, ours, RMS_GSS_DONE, 0, "bound=no" },
        { RMS_CBIND_REQUIRE, ours, NULL, RMS_GSS_FAILED, 0,
          "the client sent no channel binding" },
        { RMS_CBIND_REQUIRE, ours, ours, RMS_GSS_DONE, 1, "bound=yes" },
        { RMS_CBIND_REQUIRE, ours, "theirs", RMS_GSS_FAILED, 0,
          "channel binding does not verify" },
        { RMS_CBIND_REQUIRE, NULL, ours, RMS_GSS_FAILED, 0,
          "this connection is not TLS" }
    };

    (void) state;

    for (i = 0; i < NELEMS(rows); i++) {
        for (k = 0; k < 2; k++) {
            client_init(&c, ALICE, "secret", k ? &mech_spnego : &mech_ntlm,
                        GSS_C_INTEG_FLAG);
            c.binding = rows[i].client;

            login = play(&c, rows[i].mode, rows[i].server);
            assert_has(login.text, rows[i].why);
            assert_int_equal(login.status, rows[i].status);
            assert_int_equal(login.bound, rows[i].bound);
            rms_gss_login_free(&login);
            client_free(&c);
        }
    }
}


/* Whatever allocation of ours fails: 503, and the next login is fine. */

static void
no_memory_is_ours_and_leaves_nothing(void **state)
{
    size_t              n, seen;
    client_t            c;
    rms_str_t           token;
    rms_gss_login_t     login;
    rms_gss_context_t  *context;

    (void) state;

    seen = 0;

    for (n = 1; ; n++) {
        client_init(&c, ALICE, "secret", &mech_spnego, GSS_C_INTEG_FLAG);
        token = client_step(&c, NULL);

        alloc_calls = 0;
        alloc_fail_at = n;
        login = leg(token, NULL, RMS_CBIND_OFF, NULL);
        alloc_fail_at = 0;

        if (login.status == RMS_GSS_UNAVAILABLE) {
            assert_has(login.text, "no memory");
            seen++;
            rms_gss_login_free(&login);
            client_free(&c);
            continue;
        }

        assert_int_equal(login.status, RMS_GSS_CONTINUE);
        rms_gss_login_free(&login);
        client_free(&c);
        break;
    }

    assert_true(seen >= 2);

    for (n = 1, seen = 0; ; n++) {
        client_init(&c, ALICE, "secret", &mech_spnego, GSS_C_INTEG_FLAG);
        token = to_last(&c, &context);

        alloc_calls = 0;
        alloc_fail_at = n;
        login = leg(token, context, RMS_CBIND_OFF, NULL);
        alloc_fail_at = 0;

        if (login.status == RMS_GSS_UNAVAILABLE) {
            assert_has(login.text, "no memory");
            seen++;
            rms_gss_login_free(&login);
            client_free(&c);
            continue;
        }

        assert_int_equal(login.status, RMS_GSS_DONE);
        rms_gss_login_free(&login);
        client_free(&c);
        break;
    }

    assert_true(seen >= 2);
}


static int
setup(void **state)
{
    static const char *const  accounts[] = {
        ALICE, EXCH, "PARTNER\\bob", "OTHER\\alice", "O T\\alice",
        "CORP.EXAMPLE\\alice"
    };

    (void) state;

    ticket_setup();
    assert_int_equal(setenv("SELFTEST_WINBINDD_SOCKET_DIR",
                            ticket_path("none"), 1), 0);
    user_file = strdup(ticket_path("users"));
    users(user_file, accounts, NELEMS(accounts), "secret");

    ntlm.user_file = user_file;
    ntlm.domains = domains;
    ntlm.n_domains = NELEMS(domains);

    return 0;
}


static int
teardown(void **state)
{
    (void) state;

    free(user_file);
    ticket_cleanup();

    return 0;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(good_password_is_done_in_each_framing),
        cmocka_unit_test(
            bad_password_unknown_account_and_unmapped_domain_fail),
        cmocka_unit_test(lost_user_file_is_ours),
        cmocka_unit_test(winbind_that_does_not_run_is_ours),
        cmocka_unit_test(
            what_winbind_says_of_an_account_is_its_fault_and_not_asked_again),
        cmocka_unit_test(domain_controller_out_of_reach_is_ours),
        cmocka_unit_test(
            status_without_words_is_told_as_a_number_and_no_guess),
        cmocka_unit_test(refusal_without_a_status_says_what_it_may_be),
        cmocka_unit_test(check_names_what_is_missing),
        cmocka_unit_test(truncated_message_fails_at_each_length),
        cmocka_unit_test(truncated_first_message_fails_at_each_length),
        cmocka_unit_test(changed_proof_or_mic_fails),
        cmocka_unit_test(lmv2_beside_ntlmv2_fails),
        cmocka_unit_test(ntlmv1_fails),
        cmocka_unit_test(anonymous_and_nameless_logins_fail),
        cmocka_unit_test(message_without_its_handshake_fails),
        cmocka_unit_test(first_message_again_begins_anew),
        cmocka_unit_test(framing_cannot_change_in_the_handshake),
        cmocka_unit_test(more_than_four_legs_fail),
        cmocka_unit_test(list_must_be_signed_where_ntlm_is_not_first),
        cmocka_unit_test(kerberos_never_gets_here),
        cmocka_unit_test(token_goes_to_its_mechanism),
        cmocka_unit_test(kerberos_handshake_takes_no_ntlm),
        cmocka_unit_test(binding_is_checked_as_the_mode_says),
        cmocka_unit_test(no_memory_is_ours_and_leaves_nothing),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
