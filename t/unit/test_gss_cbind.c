/*
 * Channel bindings of Kerberos: bound, unbound and wrongly bound clients, with
 * real contexts and no KDC.
 */

#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <gssapi/gssapi.h>
#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>

#include "rms_gss_context.h"
#include "ticket.h"


#define NELEMS(a)  (sizeof(a) / sizeof((a)[0]))

#define SERVICE  "HTTP/rmsconnector.rms.test@RMS.TEST"
#define CLIENT   "EXCH01$@RMS.TEST"
#define OURS     "tls-server-end-point:ours"


static char                *keytab;
static rms_gss_acceptor_t  *acceptor;


/* The client's one token; binding NULL: none. */

static rms_str_t
token_make(gss_OID mech, const char *binding)
{
    OM_uint32                            major, minor;
    rms_str_t                            token;
    gss_name_t                           name;
    gss_ctx_id_t                         ctx = GSS_C_NO_CONTEXT;
    gss_cred_id_t                        cred;
    ticket_spec_t                        spec;
    gss_buffer_desc                      text, out = GSS_C_EMPTY_BUFFER;
    gss_OID_set_desc                     mechs;
    gss_key_value_set_desc               store;
    gss_key_value_element_desc           part;
    struct gss_channel_bindings_struct   cb;

    memset(&spec, 0, sizeof(ticket_spec_t));
    spec.keytab = keytab;
    spec.service = SERVICE;
    spec.client = CLIENT;
    spec.etype = TICKET_AES256;
    spec.start = -60;
    spec.life = 3600;
    ticket_ccache(&spec, "MEMORY:client");

    text.value = (void *) (uintptr_t) SERVICE;
    text.length = sizeof(SERVICE) - 1;
    major = gss_import_name(&minor, &text, GSS_KRB5_NT_PRINCIPAL_NAME, &name);
    assert_int_equal(major, GSS_S_COMPLETE);

    part.key = "ccache";
    part.value = "MEMORY:client";
    store.count = 1;
    store.elements = &part;
    mechs.count = 1;
    mechs.elements = mech;
    major = gss_acquire_cred_from(&minor, GSS_C_NO_NAME, GSS_C_INDEFINITE,
                                  &mechs, GSS_C_INITIATE, &store, &cred, NULL,
                                  NULL);
    assert_int_equal(major, GSS_S_COMPLETE);

    memset(&cb, 0, sizeof(cb));
    cb.application_data.value = (void *) (uintptr_t) binding;
    cb.application_data.length = binding ? strlen(binding) : 0;

    major = gss_init_sec_context(&minor, cred, &ctx, name, mech,
                                 GSS_C_MUTUAL_FLAG, 0,
                                 binding ? &cb : GSS_C_NO_CHANNEL_BINDINGS,
                                 GSS_C_NO_BUFFER, NULL, &out, NULL, NULL);
    assert_int_equal(major, GSS_S_CONTINUE_NEEDED);

    token.len = out.length;
    token.data = malloc(out.length);
    assert_non_null(token.data);
    memcpy(token.data, out.value, out.length);

    gss_release_buffer(&minor, &out);
    gss_delete_sec_context(&minor, &ctx, GSS_C_NO_BUFFER);
    gss_release_cred(&minor, &cred);
    gss_release_name(&minor, &name);

    return token;
}


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

    rms_gss_accept(acceptor, &login);

    if (login.status != RMS_GSS_DONE) {
        assert_int_equal(login.bound, 0);
        assert_int_equal(login.has_hash, 0);
        assert_int_equal(login.output.len, 0);
    }

    return login;
}


static void
binding_is_checked_as_the_mode_says(void **state)
{
    size_t            i, k;
    gss_OID           mech;
    rms_gss_login_t   login;

    static gss_OID_desc  spnego =
        { sizeof(TICKET_OID_SPNEGO) - 1, (void *) TICKET_OID_SPNEGO };

    static const struct {
        rms_cbind_mode_e   mode;
        const char        *server;      /* NULL: no TLS                  */
        const char        *client;      /* NULL: no binding              */
        rms_gss_status_e   status;
        unsigned           bound;
        const char        *why;
    } rows[] = {
        { RMS_CBIND_OFF, OURS, NULL, RMS_GSS_DONE, 0, "kvno=2" },
        { RMS_CBIND_OFF, OURS, OURS, RMS_GSS_DONE, 0, "kvno=2" },
        { RMS_CBIND_OFF, OURS, "theirs", RMS_GSS_DONE, 0, "kvno=2" },
        { RMS_CBIND_ALLOW, OURS, NULL, RMS_GSS_DONE, 0, "bound=no" },
        { RMS_CBIND_ALLOW, OURS, OURS, RMS_GSS_DONE, 1, "bound=yes" },
        { RMS_CBIND_ALLOW, OURS, "theirs", RMS_GSS_FAILED, 0,
          "hannel bindings" },
        { RMS_CBIND_ALLOW, NULL, OURS, RMS_GSS_DONE, 0, "bound=no" },
        { RMS_CBIND_REQUIRE, OURS, NULL, RMS_GSS_FAILED, 0,
          "the client sent no channel binding" },
        { RMS_CBIND_REQUIRE, OURS, OURS, RMS_GSS_DONE, 1, "bound=yes" },
        { RMS_CBIND_REQUIRE, OURS, "theirs", RMS_GSS_FAILED, 0,
          "hannel bindings" },
        { RMS_CBIND_REQUIRE, NULL, OURS, RMS_GSS_FAILED, 0,
          "this connection is not TLS" }
    };

    (void) state;

    for (i = 0; i < NELEMS(rows); i++) {
        for (k = 0; k < 2; k++) {
            mech = k ? &spnego : (gss_OID) (uintptr_t) gss_mech_krb5;

            login = leg(token_make(mech, rows[i].client), NULL,
                        rows[i].mode, rows[i].server);

            if (strstr(login.text, rows[i].why) == NULL) {
                fail_msg("row %zu: \"%s\" is not in: %s", i, rows[i].why,
                         login.text);
            }

            assert_int_equal(login.status, rows[i].status);
            assert_int_equal(login.bound, rows[i].bound);
            assert_int_equal(login.ntlm, 0);
            rms_gss_login_free(&login);
        }
    }
}


/* KERB_AP_OPTIONS_CBT: somebody took its binding away, or it is not for us. */

static void
client_that_knows_bindings_and_sends_none_fails(void **state)
{
    FILE             *f;
    char              path[512], *saved;
    rms_str_t         bound, unbound;
    rms_gss_login_t   login;

    (void) state;

    f = fopen(ticket_path("cbt.conf"), "w");
    assert_non_null(f);
    fprintf(f, "[libdefaults]\n client_aware_channel_bindings = true\n");
    fclose(f);

    saved = strdup(getenv("KRB5_CONFIG"));
    (void) snprintf(path, sizeof(path), "%s:%s", ticket_path("cbt.conf"),
                    saved);
    assert_int_equal(setenv("KRB5_CONFIG", path, 1), 0);

    bound = token_make((gss_OID) (uintptr_t) gss_mech_krb5, OURS);
    unbound = token_make((gss_OID) (uintptr_t) gss_mech_krb5, NULL);

    assert_int_equal(setenv("KRB5_CONFIG", saved, 1), 0);
    free(saved);

    login = leg(bound, NULL, RMS_CBIND_ALLOW, OURS);
    assert_int_equal(login.status, RMS_GSS_DONE);
    assert_int_equal(login.bound, 1);
    rms_gss_login_free(&login);

    login = leg(unbound, NULL, RMS_CBIND_ALLOW, OURS);
    assert_non_null(strstr(login.text, "hannel bindings"));
    assert_int_equal(login.status, RMS_GSS_FAILED);
    rms_gss_login_free(&login);
}


static void
ntlm_handshake_takes_no_kerberos(void **state)
{
    rms_gss_login_t     login;
    rms_gss_context_t  *ntlm;

    (void) state;

    ntlm = calloc(1, sizeof(rms_gss_context_t));
    assert_non_null(ntlm);
    ntlm->mech = RMS_GSS_NTLM;

    login = leg(token_make((gss_OID) (uintptr_t) gss_mech_krb5, NULL), ntlm,
                RMS_CBIND_OFF, NULL);
    assert_non_null(strstr(login.text, "a handshake of another mechanism"));
    assert_int_equal(login.status, RMS_GSS_FAILED);
    rms_gss_login_free(&login);
}


static int
setup(void **state)
{
    (void) state;

    ticket_setup();

    keytab = strdup(ticket_path("http.keytab"));
    ticket_keytab_add(keytab, SERVICE, 2, TICKET_AES256);
    acceptor = rms_gss_acceptor_create(keytab);

    return acceptor == NULL;
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
        cmocka_unit_test(binding_is_checked_as_the_mode_says),
        cmocka_unit_test(client_that_knows_bindings_and_sends_none_fails),
        cmocka_unit_test(ntlm_handshake_takes_no_kerberos),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
