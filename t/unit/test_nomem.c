/*
 * No memory, anywhere: malloc() of the whole process, libraries included, fails
 * at the n-th call for every n, in everything of src/ that allocates.  Nothing
 * may crash, and nothing may come out as done that was not done.
 */

#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <dlfcn.h>
#include <errno.h>

#include <cmocka.h>
#include <krb5/krb5.h>
#include <zlib.h>

#include "rms_fault.h"
#include "rms_gss.h"
#include "rms_gss_pac.h"
#include "rms_gss_s4u.h"
#include "rms_inflate.h"
#include "rms_redis_reader.h"
#include "rms_rewrite.h"
#include "rms_soap.h"
#include "rms_xml.h"
#include "test_mem.h"
#include "test_pac.h"
#include "ticket.h"


#define SERVICE  "HTTP/rmsconnector.rms.test@RMS.TEST"
#define CLIENT   "EXCH01$@RMS.TEST"

#define CALLS_MAX  20000            /* more than any call below makes */

#define ANSWER                                                                \
    "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\">"      \
    "<s:Body><FindServiceLocationsForUserResponse"                            \
    " xmlns=\"http://microsoft.com/DRM/ServerService\">"                      \
    "<FindServiceLocationsForUserResult><ServiceLocationResponse>"            \
    "<URL>https://b/_wmcs/%s</URL><Type>T</Type><!-- for the parser -->"      \
    "</ServiceLocationResponse></FindServiceLocationsForUserResult>"          \
    "</FindServiceLocationsForUserResponse></s:Body></s:Envelope>"

#define REQUEST                                                               \
    "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\">"      \
    "<!-- for the parser --><s:Body><AcquireTemplateInformation"              \
    " xmlns=\"http://microsoft.com/DRM/TemplateDistributionService\"/>"       \
    "</s:Body></s:Envelope>"


/*
 * The process's own malloc(): the sanitizer's or the C library's, with a call
 * that can be made to fail in the thread that asks for it.
 */

#ifdef __SANITIZE_ADDRESS__
#define BELOW(name)  __interceptor_##name
#else
#define BELOW(name)  __libc_##name
#endif

/*
 * MIT loses a few bytes where it gives up half way, and a name when there is
 * no memory to release it; what our own code allocates is still looked for.
 */

const char *__lsan_default_suppressions(void);


const char *
__lsan_default_suppressions(void)
{
    return "leak:libgssapi_krb5\nleak:libkrb5\nleak:libk5crypto\n";
}


extern void *BELOW(malloc)(size_t size);
extern void *BELOW(calloc)(size_t n, size_t size);
extern void *BELOW(realloc)(void *p, size_t size);

static _Thread_local size_t  calls, fail_at;
static _Thread_local int     failed;


static int
fails(void)
{
    if (fail_at == 0 || ++calls != fail_at) {
        return 0;
    }

    failed = 1;
    errno = ENOMEM;

    return 1;
}


void *
malloc(size_t size)
{
    return fails() ? NULL : BELOW(malloc)(size);
}


void *
calloc(size_t n, size_t size)
{
    return fails() ? NULL : BELOW(calloc)(n, size);
}


void *
realloc(void *p, size_t size)
{
    return fails() ? NULL : BELOW(realloc)(p, size);
}


static void
arm(size_t n)
{
    calls = 0;
    failed = 0;
    fail_at = n;
}


static void
disarm(void)
{
    fail_at = 0;
}


/*
 * MIT's acceptor does not look whether this call succeeded (1.20,
 * kg_accept_krb5()) and reads through a null pointer when it did not: here,
 * and only here, memory is granted.
 */

krb5_error_code
krb5_auth_con_getauthenticator(krb5_context krb5, krb5_auth_context auth,
    krb5_authenticator **authenticator)
{
    size_t            n;
    krb5_error_code   rc;
    krb5_error_code (*next)(krb5_context krb5, krb5_auth_context auth,
                            krb5_authenticator **authenticator);

    n = fail_at;
    fail_at = 0;

    *(void **) &next = dlsym(RTLD_NEXT, "krb5_auth_con_getauthenticator");
    rc = next(krb5, auth, authenticator);

    fail_at = n;

    return rc;
}


/* Nor does it in profile_get_values(), on the way to a TGT. */

krb5_error_code
krb5_get_init_creds_keytab(krb5_context krb5, krb5_creds *creds,
    krb5_principal client, krb5_keytab kt, krb5_deltat start,
    const char *service, krb5_get_init_creds_opt *options)
{
    size_t            n;
    krb5_error_code   rc;
    krb5_error_code (*next)(krb5_context krb5, krb5_creds *creds,
                            krb5_principal client, krb5_keytab kt,
                            krb5_deltat start, const char *service,
                            krb5_get_init_creds_opt *options);

    n = fail_at;
    fail_at = 0;

    *(void **) &next = dlsym(RTLD_NEXT, "krb5_get_init_creds_keytab");
    rc = next(krb5, creds, client, kt, start, service, options);

    fail_at = n;

    return rc;
}


/* libxml2 tells stderr, as it does in nginx: into the error log. */

static void
quiet(void *data, const char *format, ...)
{
    (void) data;
    (void) format;
}


static char                *keytab;
static rms_gss_acceptor_t  *acceptor;


static rms_str_t
str(const char *s)
{
    rms_str_t  v;

    v.len = strlen(s);
    v.data = (unsigned char *) s;

    return v;
}


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


/* The allocations one leg makes, all failed in turn; returns how many. */

static size_t
every_leg(const ticket_spec_t *spec, rms_gss_status_e want)
{
    int              hit;
    size_t           n;
    rms_gss_login_t  login;

    for (n = 1; n < CALLS_MAX; n++) {
        memset(&login, 0, sizeof(rms_gss_login_t));
        login.token = ticket_krb5(spec);
        login.want_sids = spec->pac != TICKET_NO_PAC;

        arm(n);
        rms_gss_accept(acceptor, &login);
        hit = failed;
        disarm();

        /* some calls get over a failure; nobody gets in by one */

        if (login.status == RMS_GSS_DONE) {
            assert_int_equal(want, RMS_GSS_DONE);
            assert_int_equal(login.account.len, sizeof(CLIENT) - 1);
            assert_memory_equal(login.account.data, CLIENT,
                                sizeof(CLIENT) - 1);
            assert_int_equal(login.has_hash, 1);

            if (login.has_sids) {
                assert_int_equal(spec->pac, TICKET_PAC);
                assert_int_equal(login.sids.n_members, 7);
                assert_null(login.sids_why);
            } else {
                assert_null(login.sids_memory);
                assert_true(login.want_sids == (login.sids_why != NULL));
            }

        } else {
            assert_true(login.status == RMS_GSS_UNAVAILABLE
                        || login.status == RMS_GSS_FAILED);
            assert_int_equal(login.account.len, 0);
            assert_int_equal(login.output.len, 0);
            assert_int_equal(login.has_hash, 0);
            assert_null(login.context);
        }

        if (!hit) {
            assert_int_equal(login.status, want);
            assert_int_equal(login.has_sids, spec->pac == TICKET_PAC);
            rms_gss_login_free(&login);
            break;
        }

        rms_gss_login_free(&login);
    }

    assert_true(n < CALLS_MAX);

    return n - 1;
}


static void
nobody_gets_in_without_memory(void **state)
{
    rms_str_t      logon;
    pac_spec_t     info;
    ticket_spec_t  spec;

    (void) state;

    spec = spec_default();
    assert_true(every_leg(&spec, RMS_GSS_DONE) > 50);

    info = pac_spec();
    logon = pac_build(&info);
    spec.pac = TICKET_PAC;
    spec.logon = &logon;
    spec.n_logon = 1;
    assert_true(every_leg(&spec, RMS_GSS_DONE) > 50);

    spec.pac = TICKET_PAC_FORGED;
    assert_true(every_leg(&spec, RMS_GSS_DONE) > 50);
    free(logon.data);
}


/* what went wrong is looked for a second time: rms_ticket_explain() */

static void
a_refusal_stays_one_without_memory(void **state)
{
    size_t         i;
    ticket_spec_t  spec;

    (void) state;

    for (i = 0; i < 3; i++) {
        spec = spec_default();

        switch (i) {
        case 0:
            spec.clock = -900;
            break;
        case 1:
            spec.start = -7200;
            break;
        default:
            spec.wrong_key = 1;
            break;
        }

        assert_true(every_leg(&spec, RMS_GSS_FAILED) > 50);
    }
}


/* All allocations that reading a PAC makes, failed in turn. */

static void
every_pac(krb5_keytab handle, const ticket_spec_t *spec, rms_gss_pac_e want)
{
    int            hit;
    size_t         n;
    rms_str_t      token, account;
    rms_pac_t      pac;
    test_mem_t     mem;
    rms_apreq_t    apreq;
    rms_gss_pac_e  status;

    account = str(CLIENT);
    token = ticket_krb5(spec);
    assert_int_equal(rms_token_apreq(&token, &apreq), RMS_OK);

    for (n = 1; n < CALLS_MAX; n++) {
        arm(n);
        status = rms_gss_pac_read(handle, &apreq.ticket, &account,
                                  test_mem_init(&mem, 0), &pac);
        hit = failed;
        disarm();

        if (status == RMS_GSS_PAC_FINE) {
            assert_int_equal(want, RMS_GSS_PAC_FINE);
            assert_int_equal(pac.sids.n_members, 7);

        } else {
            assert_null(pac.memory);
            assert_true(status == want || status == RMS_GSS_PAC_UNAVAILABLE
                        || status == RMS_GSS_PAC_UNVERIFIED
                        || status == RMS_GSS_PAC_MALFORMED);
        }

        test_mem_free(&mem);

        if (!hit) {
            assert_int_equal(status, want);
            break;
        }
    }

    assert_true(n > 50 && n < CALLS_MAX);
    free(token.data);
}


static void
a_pac_is_not_believed_without_memory(void **state)
{
    char           name[256];
    rms_str_t      logon;
    pac_spec_t     info;
    krb5_keytab    handle;
    krb5_context   krb5;
    ticket_spec_t  spec;

    (void) state;

    info = pac_spec();
    logon = pac_build(&info);

    spec = spec_default();
    spec.pac = TICKET_PAC;
    spec.logon = &logon;
    spec.n_logon = 1;

    snprintf(name, sizeof(name), "FILE:%s", keytab);
    assert_int_equal(krb5_init_context(&krb5), 0);
    assert_int_equal(krb5_kt_resolve(krb5, name, &handle), 0);

    every_pac(handle, &spec, RMS_GSS_PAC_FINE);

    spec.n_pac = 2;
    every_pac(handle, &spec, RMS_GSS_PAC_UNVERIFIED);

    spec.n_pac = 1;
    spec.pac = TICKET_PAC_FORGED;
    every_pac(handle, &spec, RMS_GSS_PAC_UNVERIFIED);

    spec.pac = TICKET_PAC_OF_ANOTHER;
    every_pac(handle, &spec, RMS_GSS_PAC_UNVERIFIED);

    (void) krb5_kt_close(krb5, handle);
    krb5_free_context(krb5);
    free(logon.data);
}


static void
an_acceptor_is_whole_or_none(void **state)
{
    rms_gss_acceptor_t  *a;

    (void) state;

    arm(1);
    a = rms_gss_acceptor_create(keytab);
    disarm();
    assert_null(a);

    arm(2);
    a = rms_gss_acceptor_create(keytab);
    assert_int_equal(failed, 0);
    disarm();
    assert_non_null(a);
    rms_gss_acceptor_free(a);
}


static void
a_keytab_is_never_praised_unread(void **state)
{
    int           hit;
    char          text[1024], whole[1024];
    size_t        n;
    rms_keytab_e  rc;

    (void) state;

    assert_int_equal(rms_keytab_check(keytab, whole, sizeof(whole)),
                     RMS_KEYTAB_FINE);

    for (n = 1; n < CALLS_MAX; n++) {
        arm(n);
        rc = rms_keytab_check(keytab, text, sizeof(text));
        hit = failed;
        disarm();

        assert_true(strlen(text) > 0);

        if (!hit) {
            assert_int_equal(rc, RMS_KEYTAB_FINE);
            assert_string_equal(text, whole);
            break;
        }

        if (rc == RMS_KEYTAB_FINE) {
            assert_string_equal(text, whole);
        }
    }

    assert_true(n > 20 && n < CALLS_MAX);
}


static void
groups_that_were_not_asked_for_are_not_known(void **state)
{
    int            hit;
    size_t         n;
    rms_gss_s4u_t  s4u;

    (void) state;

    s4u.keytab = keytab;
    s4u.account = str(CLIENT);

    for (n = 1; n < CALLS_MAX; n++) {
        arm(n);
        rms_gss_s4u(&s4u);
        hit = failed;
        disarm();

        assert_int_equal(s4u.has_sids, 0);
        assert_null(s4u.sids_memory);
        assert_true(strlen(s4u.text) > 0);

        if (!hit) {
            break;
        }
    }

    assert_true(n > 20 && n < CALLS_MAX);
}


static void
an_answer_is_rewritten_whole_or_not_at_all(void **state)
{
    int                    hit;
    char                   in[sizeof(ANSWER) + 32];
    size_t                 n;
    rms_rc_e               rc;
    rms_str_t              input, base;
    test_mem_t             mem;
    rms_url_map_t          map;
    rms_rewrite_result_t   result;

    (void) state;

    snprintf(in, sizeof(in), ANSWER, "licensing");
    input = str(in);
    base = str("https://b/_wmcs");
    map.bases = &base;
    map.n_bases = 1;
    map.target = str("https://edge.example/_wmcs");

    for (n = 1; n < CALLS_MAX; n++) {
        memset(&result, 0, sizeof(rms_rewrite_result_t));

        arm(n);
        rc = rms_rewrite(&input, RMS_REWRITE_LOCATIONS, &map,
                         test_mem_init(&mem, 0), &result);
        hit = failed;
        disarm();

        if (rc == RMS_OK) {
            assert_int_equal(result.replaced, 1);
            assert_non_null(memmem(result.body.data, result.body.len,
                                   "https://edge.example/_wmcs/licensing",
                                   36));
        } else {
            /* libxml2 does not call every failure by its name */

            assert_true(rc == RMS_NOMEM || rc == RMS_INVALID);
            assert_int_equal(hit, 1);
        }

        test_mem_free(&mem);

        if (!hit) {
            break;
        }
    }

    assert_true(n > 50 && n < CALLS_MAX);
}


static void
a_message_is_not_fine_unread(void **state)
{
    int                 hit;
    size_t              n;
    unsigned            depth;
    rms_str_t           part;
    rms_body_t          body;
    rms_soap_result_t   r;

    (void) state;

    part = str(REQUEST);
    body.parts = &part;
    body.n = 1;

    for (depth = RMS_SOAP_FIRST; depth <= RMS_SOAP_STRICT; depth++) {
        for (n = 1; n < CALLS_MAX; n++) {
            arm(n);
            r = rms_soap_read(&body, RMS_SOAP_11,
                     rms_operation_get(RMS_OP_ACQUIRE_TEMPLATE_INFORMATION),
                     depth);
            hit = failed;
            disarm();

            assert_true(r.error == RMS_SOAP_FINE
                        || (hit && (r.error == RMS_SOAP_NO_MEMORY
                                    || r.error == RMS_SOAP_MALFORMED)));

            if (!hit) {
                break;
            }
        }

        assert_true(n > 10 && n < CALLS_MAX);
    }
}


static void
an_answer_is_inflated_whole_or_not_at_all(void **state)
{
    int             hit;
    size_t          n;
    uLongf          len;
    rms_rc_e        rc;
    rms_str_t       in, out;
    test_mem_t      mem;
    unsigned char   text[5000], packed[6000];

    (void) state;

    for (n = 0; n < sizeof(text); n++) {
        text[n] = (unsigned char) (n * n >> 3);
    }

    len = sizeof(packed);
    assert_int_equal(compress(packed, &len, text, sizeof(text)), Z_OK);
    in.data = packed;
    in.len = len;

    for (n = 1; n < CALLS_MAX; n++) {
        memset(&out, 0, sizeof(rms_str_t));

        arm(n);
        rc = rms_inflate(&in, RMS_CODING_DEFLATE, sizeof(text),
                         test_mem_init(&mem, 0), &out);
        hit = failed;
        disarm();

        if (rc == RMS_OK) {
            assert_int_equal(hit, 0);
            assert_int_equal(out.len, sizeof(text));
            assert_memory_equal(out.data, text, sizeof(text));
            test_mem_free(&mem);
            break;
        }

        assert_int_equal(rc, RMS_NOMEM);
        assert_int_equal(out.len, 0);
        test_mem_free(&mem);
    }

    assert_true(n > 3 && n < CALLS_MAX);
}


/* What Redis says, in two pieces, and a command to it. */

static rms_rc_e
redis_reply(const unsigned char *text, size_t len, rms_redis_reader_t *reader)
{
    rms_rc_e                  rc;
    const rms_redis_reply_t  *reply;

    rc = rms_redis_reader_feed(reader, text, len / 2);

    if (rc == RMS_OK) {
        rc = rms_redis_reader_next(reader, &reply);
    }

    if (rc != RMS_AGAIN) {
        return rc;
    }

    rc = rms_redis_reader_feed(reader, text + len / 2, len - len / 2);

    if (rc == RMS_OK) {
        rc = rms_redis_reader_next(reader, &reply);
    }

    if (rc == RMS_OK) {
        assert_int_equal(reply->n, 2);
        assert_int_equal(reply->elements[0].str.len, 40000);
        assert_int_equal(reply->elements[1].str.len, 3);
        assert_memory_equal(reply->elements[1].str.data, "end", 3);
    }

    return rc;
}


static void
a_reply_of_redis_is_read_whole_or_not_at_all(void **state)
{
    int                   hit;
    size_t                n, len;
    rms_rc_e              rc;
    rms_redis_reader_t   *reader;
    static unsigned char  text[40100];

    (void) state;

    len = (size_t) sprintf((char *) text, "*2\r\n$40000\r\n");
    memset(text + len, 'x', 40000);
    len += 40000;
    len += (size_t) sprintf((char *) text + len, "\r\n$3\r\nend\r\n");

    for (n = 1; n < CALLS_MAX; n++) {
        arm(n);
        reader = rms_redis_reader_create(0);
        rc = reader ? redis_reply(text, len, reader) : RMS_NOMEM;
        hit = failed;
        disarm();

        rms_redis_reader_free(reader);

        if (rc == RMS_OK) {
            assert_int_equal(hit, 0);
            break;
        }

        assert_int_equal(rc, RMS_NOMEM);
    }

    assert_true(n > 5 && n < CALLS_MAX);
}


static void
a_command_for_redis_is_whole_or_none(void **state)
{
    size_t     n;
    rms_rc_e   rc;
    rms_str_t  argv[2], command;

    (void) state;

    argv[0] = str("GET");
    argv[1] = str("rms:v1:key");

    for (n = 1; n < CALLS_MAX; n++) {
        arm(n);
        rc = rms_redis_command(argv, 2, &command);
        disarm();

        if (rc == RMS_OK) {
            assert_int_equal(command.len, 30);
            rms_redis_command_free(&command);
            break;
        }

        assert_int_equal(rc, RMS_NOMEM);
    }

    assert_int_equal(n, 2);
}


static void
a_service_page_is_whole_or_none(void **state)
{
    rms_str_t       page;
    test_mem_t      mem;
    rms_endpoint_t  ep;

    (void) state;

    memset(&ep, 0, sizeof(rms_endpoint_t));
    ep.service = str("ServerCertificationWebService");

    assert_int_equal(rms_fault_page(&ep, test_mem_init(&mem, 1), &page),
                     RMS_NOMEM);
    test_mem_free(&mem);
    assert_int_equal(rms_fault_page(&ep, test_mem_init(&mem, 2), &page),
                     RMS_OK);
    test_mem_free(&mem);
}


static int
set_up(void **state)
{
    rms_gss_login_t  login;
    ticket_spec_t    spec;

    (void) state;

    rms_xml_init();
    xmlSetGenericErrorFunc(NULL, quiet);
    ticket_setup();

    keytab = strdup(ticket_path("http.keytab"));
    assert_non_null(keytab);
    ticket_keytab_add(keytab, SERVICE, 2, TICKET_AES256);
    ticket_keytab_add(keytab, "host/rmsconnector.rms.test@RMS.TEST", 2,
                      TICKET_AES256);

    acceptor = rms_gss_acceptor_create(keytab);
    assert_non_null(acceptor);

    /* what the libraries make once for a process is made now */

    spec = spec_default();
    memset(&login, 0, sizeof(rms_gss_login_t));
    login.token = ticket_krb5(&spec);
    rms_gss_accept(acceptor, &login);
    assert_int_equal(login.status, RMS_GSS_DONE);
    rms_gss_login_free(&login);

    return 0;
}


static int
tear_down(void **state)
{
    (void) state;

    rms_gss_acceptor_free(acceptor);
    ticket_cleanup();
    free(keytab);
    rms_xml_done();

    return 0;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(nobody_gets_in_without_memory),
        cmocka_unit_test(a_refusal_stays_one_without_memory),
        cmocka_unit_test(a_pac_is_not_believed_without_memory),
        cmocka_unit_test(an_acceptor_is_whole_or_none),
        cmocka_unit_test(a_keytab_is_never_praised_unread),
        cmocka_unit_test(groups_that_were_not_asked_for_are_not_known),
        cmocka_unit_test(an_answer_is_rewritten_whole_or_not_at_all),
        cmocka_unit_test(a_message_is_not_fine_unread),
        cmocka_unit_test(an_answer_is_inflated_whole_or_not_at_all),
        cmocka_unit_test(a_reply_of_redis_is_read_whole_or_not_at_all),
        cmocka_unit_test(a_command_for_redis_is_whole_or_none),
        cmocka_unit_test(a_service_page_is_whole_or_none)
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
