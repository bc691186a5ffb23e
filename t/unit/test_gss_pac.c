/*
 * PACs of real tickets, signed as a KDC signs them: what GSSAPI shows of
 * them, and which are believed.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <gssapi/gssapi_ext.h>

#include "rms_gss_pac.h"
#include "test_mem.h"
#include "test_pac.h"
#include "ticket.h"


#define NELEMS(a)  (sizeof(a) / sizeof((a)[0]))

#define SERVICE  "HTTP/rmsconnector.rms.test@RMS.TEST"
#define CLIENT   "EXCH01$@RMS.TEST"


static char           keytab[4096];
static gss_cred_id_t  cred;
static test_mem_t     mem;


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


/* The login itself always works: a PAC is no condition of it. */

static gss_name_t
login(const ticket_spec_t *spec, int spnego)
{
    OM_uint32        major, minor;
    rms_str_t        token, framed;
    gss_name_t       client;
    gss_ctx_id_t     context;
    gss_buffer_desc  in, out = GSS_C_EMPTY_BUFFER;

    token = ticket_krb5(spec);

    if (spnego) {
        framed = token;
        token = ticket_init("mkn", &framed);
        free(framed.data);
    }

    context = GSS_C_NO_CONTEXT;
    client = GSS_C_NO_NAME;
    in.value = token.data;
    in.length = token.len;

    major = gss_accept_sec_context(&minor, &context, cred, &in,
                                   GSS_C_NO_CHANNEL_BINDINGS, &client, NULL,
                                   &out, NULL, NULL, NULL);
    assert_int_equal(major, GSS_S_COMPLETE);

    (void) gss_release_buffer(&minor, &out);
    (void) gss_delete_sec_context(&minor, &context, GSS_C_NO_BUFFER);
    free(token.data);

    return client;
}


static rms_gss_pac_e
read_pac(const ticket_spec_t *spec, int spnego, rms_pac_t *pac)
{
    OM_uint32      minor;
    gss_name_t     client;
    rms_gss_pac_e  status;

    client = login(spec, spnego);
    status = rms_gss_pac_read(client, test_mem_init(&mem, 0), pac);
    (void) gss_release_name(&minor, &client);

    if (status != RMS_GSS_PAC_FINE) {
        assert_null(pac->memory);
        assert_int_equal(pac->sids.n_members, 0);
        assert_true(strlen(rms_gss_pac_text(status)) > 10);
    }

    return status;
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
                                     TICKET_RC4 };
    static const char  *sids[] = {
        "S-1-5-21-1-2-3-1105", "S-1-5-21-1-2-3-515", "S-1-5-21-1-2-3-513",
        "S-1-5-21-1-2-3-1118", "S-1-18-1", "S-1-5-21-7-8-9-1500",
        "S-1-5-21-4-5-6-1119"
    };

    (void) state;

    info = pac_spec();
    logon = pac_build(&info);

    for (i = 0; i < 2 * NELEMS(etypes); i++) {
        spec = spec_default(&logon);
        spec.etype = etypes[i / 2];

        assert_int_equal(read_pac(&spec, i % 2, &pac), RMS_GSS_PAC_FINE);
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
    rms_pac_t      pac;
    pac_spec_t     info;
    ticket_spec_t  spec;

    static const ticket_pac_e  pacs[] = {
        TICKET_PAC_FORGED, TICKET_PAC_OF_ANOTHER, TICKET_PAC_OLD
    };

    (void) state;

    info = pac_spec();
    logon = pac_build(&info);
    spec = spec_default(&logon);

    for (i = 0; i < 2 * NELEMS(pacs); i++) {
        spec.pac = pacs[i / 2];
        assert_int_equal(read_pac(&spec, i % 2, &pac),
                         RMS_GSS_PAC_UNVERIFIED);
        assert_int_equal(mem.calls, 0);
    }

    free(logon.data);
}


static void
ticket_without_a_pac_has_none(void **state)
{
    size_t         i;
    rms_pac_t      pac;
    ticket_spec_t  spec;

    (void) state;

    for (i = 0; i < 2; i++) {
        spec = spec_default(NULL);
        spec.pac = TICKET_NO_PAC;
        assert_int_equal(read_pac(&spec, (int) i, &pac), RMS_GSS_PAC_NONE);
    }
}


/* As those of a KDC of MIT. */

static void
pac_without_logon_information_is_none(void **state)
{
    rms_pac_t      pac;
    ticket_spec_t  spec;

    (void) state;

    spec = spec_default(NULL);
    assert_int_equal(read_pac(&spec, 0, &pac), RMS_GSS_PAC_NONE);

    spec.pac = TICKET_PAC_FORGED;
    assert_int_equal(read_pac(&spec, 1, &pac), RMS_GSS_PAC_NONE);
}


static void
signed_nonsense_is_malformed(void **state)
{
    rms_str_t      logon;
    rms_pac_t      pac;
    pac_spec_t     info;
    ticket_spec_t  spec;

    (void) state;

    info = pac_spec();
    logon = pac_build(&info);
    spec = spec_default(&logon);

    pac_poke(&logon, PAC_AT_DOMAIN, 0);
    assert_int_equal(read_pac(&spec, 0, &pac), RMS_GSS_PAC_MALFORMED);

    pac_poke(&logon, PAC_AT_GROUPS, RMS_PAC_GROUPS_MAX + 1);
    assert_int_equal(read_pac(&spec, 0, &pac), RMS_GSS_PAC_TOO_MANY);

    logon.len = 8;
    assert_int_equal(read_pac(&spec, 0, &pac), RMS_GSS_PAC_MALFORMED);

    free(logon.data);
}


/* Which of the two would the reader of another product take? */

static void
two_logon_informations_are_not_believed(void **state)
{
    rms_str_t      logon;
    rms_pac_t      pac;
    pac_spec_t     info;
    ticket_spec_t  spec;

    (void) state;

    info = pac_spec();
    logon = pac_build(&info);
    spec = spec_default(&logon);
    spec.n_logon = 2;

    assert_int_equal(read_pac(&spec, 0, &pac), RMS_GSS_PAC_UNVERIFIED);

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

    assert_int_equal(read_pac(&spec, 1, &pac), RMS_GSS_PAC_FINE);

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
    OM_uint32      minor;
    rms_str_t      logon;
    rms_pac_t      pac;
    pac_spec_t     info;
    gss_name_t     client;
    ticket_spec_t  spec;

    (void) state;

    info = pac_spec();
    logon = pac_build(&info);
    spec = spec_default(&logon);
    client = login(&spec, 1);

    assert_int_equal(rms_gss_pac_read(client, test_mem_init(&mem, 1), &pac),
                     RMS_GSS_PAC_UNAVAILABLE);
    assert_null(pac.memory);

    assert_int_equal(rms_gss_pac_read(client, test_mem_init(&mem, 2), &pac),
                     RMS_GSS_PAC_FINE);

    test_mem_free(&mem);
    (void) gss_release_name(&minor, &client);
    free(logon.data);
}


static int
setup(void **state)
{
    OM_uint32                    minor;
    gss_key_value_set_desc       store;
    gss_key_value_element_desc   elements[2];

    (void) state;

    ticket_setup();

    (void) strcpy(keytab, ticket_path("http.keytab"));
    ticket_keytab_add(keytab, SERVICE, 2, TICKET_AES256);
    ticket_keytab_add(keytab, SERVICE, 2, TICKET_AES128);
    ticket_keytab_add(keytab, SERVICE, 2, TICKET_RC4);

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
    ticket_cleanup();

    return 0;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(signed_pac_gives_its_sids),
        cmocka_unit_test(pac_that_was_not_signed_for_this_login_is_unverified),
        cmocka_unit_test(ticket_without_a_pac_has_none),
        cmocka_unit_test(pac_without_logon_information_is_none),
        cmocka_unit_test(signed_nonsense_is_malformed),
        cmocka_unit_test(two_logon_informations_are_not_believed),
        cmocka_unit_test(thousand_groups_fit_in_a_ticket),
        cmocka_unit_test(failed_allocation_is_no_missing_pac)
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
