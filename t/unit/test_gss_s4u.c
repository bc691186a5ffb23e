/*
 * S4U2Self where there is no KDC: what is asked for at all, and what is said
 * when it cannot be.  With one: t/rms_explain.t.
 */

#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "rms_gss_s4u.h"
#include "ticket.h"


#define NELEMS(a)  (sizeof(a) / sizeof((a)[0]))


static char  *keytab;


static void
account_is_asked_for_or_it_is_said_why_not(void **state)
{
    size_t         i;
    char           account[700];
    rms_gss_s4u_t  s4u;

    static const struct {
        const char  *account;
        const char  *text;
        unsigned     foreign;
    } cases[] = {
        { "alice@RMS.TEST", "no ticket for ourselves: Cannot find KDC for "
          "realm \\x22RMS.TEST\\x22", 0 },
        { "alice@SECOND.TEST", "no ticket for ourselves: Cannot find KDC for "
          "realm \\x22SECOND.TEST\\x22", 0 },
        { "alice@rms.test", "the account is of a foreign realm", 1 },
        { "alice@OTHER.TEST", "the account is of a foreign realm", 1 },
        { "alice@HOST.TEST", "the account is of a foreign realm", 1 },
        { "alice", "not an account", 0 },
        { "RMS\\alice", "not an account", 0 },
        { "", "not an account", 0 },
        { "a\nb@RMS.TEST", "not an account", 0 }
    };

    (void) state;

    for (i = 0; i < NELEMS(cases); i++) {
        memset(&s4u, 0xff, sizeof(rms_gss_s4u_t));

        strcpy(account, cases[i].account);
        s4u.keytab = keytab;
        s4u.account.data = (unsigned char *) account;
        s4u.account.len = strlen(account);

        rms_gss_s4u(&s4u);

        assert_string_equal(s4u.text, cases[i].text);
        assert_int_equal(s4u.foreign, cases[i].foreign);
        assert_int_equal(s4u.has_sids, 0);
        assert_null(s4u.sids_memory);
    }
}


static void
realm_of_any_http_key_is_ours(void **state)
{
    size_t     i;
    rms_str_t  account;

    static const struct {
        const char  *account;
        int          foreign;
    } cases[] = {
        { "alice@RMS.TEST", 0 },
        { "alice@SECOND.TEST", 0 },
        { "alice@HOST.TEST", 1 },       /* a key of another service      */
        { "alice@rms.test", 1 },
        { "alice@OTHER.TEST", 1 },
        { "alice", 1 }
    };

    (void) state;

    for (i = 0; i < NELEMS(cases); i++) {
        account.data = (unsigned char *) (uintptr_t) cases[i].account;
        account.len = strlen(cases[i].account);

        assert_int_equal(rms_gss_s4u_foreign(keytab, &account),
                         cases[i].foreign);
        assert_int_equal(rms_gss_s4u_foreign(ticket_path("none"), &account),
                         1);
    }
}


static void
keytab_that_is_gone_is_told(void **state)
{
    rms_gss_s4u_t  s4u;

    (void) state;

    s4u.keytab = ticket_path("none");
    s4u.account = (rms_str_t) rms_string("alice@RMS.TEST");

    rms_gss_s4u(&s4u);

    assert_non_null(strstr(s4u.text, "keytab: "));
    assert_int_equal(s4u.has_sids, 0);
}


static int
setup(void **state)
{
    (void) state;

    ticket_setup();

    keytab = strdup(ticket_path("http.keytab"));
    assert_non_null(keytab);

    ticket_keytab_add(keytab, "host/a.rms.test@HOST.TEST", 2, TICKET_AES256);
    ticket_keytab_add(keytab, "HTTP/a.rms.test@RMS.TEST", 2, TICKET_AES256);
    ticket_keytab_add(keytab, "HTTP/a.rms.test@RMS.TEST", 3, TICKET_AES256);
    ticket_keytab_add(keytab, "HTTP/b.rms.test@RMS.TEST", 2, TICKET_AES256);
    ticket_keytab_add(keytab, "HTTP/c.second.test@SECOND.TEST", 2,
                      TICKET_AES256);

    return 0;
}


static int
teardown(void **state)
{
    (void) state;

    ticket_cleanup();
    free(keytab);

    return 0;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(account_is_asked_for_or_it_is_said_why_not),
        cmocka_unit_test(realm_of_any_http_key_is_ours),
        cmocka_unit_test(keytab_that_is_gone_is_told)
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
