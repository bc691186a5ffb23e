/*
 * The status of a domain controller, overheard between gss-ntlmssp and
 * libwbclient, and its words.  Linked with --wrap=dlopen, --wrap=dlsym and
 * --wrap=dlclose: the library is the one below.
 */

#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <pthread.h>

#include <cmocka.h>

#include "rms_winbind_status.h"


#define NELEMS(a)  (sizeof(a) / sizeof((a)[0]))

#define NOT_IMPLEMENTED  2
#define AUTH_ERROR       10

#define WRONG_PASSWORD   0xC000006A


struct wbcAuthErrorInfo {
    uint32_t    nt_status;
    char       *nt_string;
    int32_t     pam_error;
    char       *display_string;
};


int wbcCtxAuthenticateUserEx(void *ctx, const void *params, void **info,
    struct wbcAuthErrorInfo **error);

void *__wrap_dlopen(const char *file, int mode);
void *__wrap_dlsym(void *handle, const char *name);
int __wrap_dlclose(void *handle);


/* the library: whether it is there, what it answers, how often it was asked */
static int                       library, symbol, answer;
static struct wbcAuthErrorInfo   *given;
static unsigned                  asked, opened;


static int
authenticate(void *ctx, const void *params, void **info,
    struct wbcAuthErrorInfo **error)
{
    asked++;
    assert_string_equal(ctx, "context");
    assert_string_equal(params, "parameters");
    *info = (answer == 0) ? (void *) "info" : NULL;

    if (error != NULL) {
        *error = given;
    }

    return answer;
}


void *
__wrap_dlopen(const char *file, int mode)
{
    (void) mode;

    assert_string_equal(file, "libwbclient.so.0");

    if (!library) {
        return NULL;
    }

    opened++;

    return &library;
}


void *
__wrap_dlsym(void *handle, const char *name)
{
    void  *p;
    int  (*call)(void *, const void *, void **, struct wbcAuthErrorInfo **);

    assert_ptr_equal(handle, &library);
    assert_string_equal(name, "wbcCtxAuthenticateUserEx");

    call = authenticate;
    memcpy(&p, &call, sizeof(void *));

    return symbol ? p : NULL;
}


int
__wrap_dlclose(void *handle)
{
    assert_ptr_equal(handle, &library);
    opened--;

    return 0;
}


static int
fresh(void **state)
{
    static struct wbcAuthErrorInfo  info;

    (void) state;

    info.nt_status = WRONG_PASSWORD;
    given = &info;
    library = symbol = 1;
    answer = AUTH_ERROR;
    asked = 0;
    rms_winbind_listen();

    return 0;
}


static int
ask(void)
{
    int                       rc;
    void                     *info;
    struct wbcAuthErrorInfo  *error;

    error = NULL;
    rc = wbcCtxAuthenticateUserEx((void *) "context", "parameters", &info,
                                  &error);

    assert_int_equal(opened, 0);

    return rc;
}


static void
refusal_is_passed_on_once_and_its_status_heard(void **state)
{
    (void) state;

    assert_int_equal(rms_winbind_heard(), 0);
    assert_int_equal(ask(), AUTH_ERROR);
    assert_int_equal(asked, 1);
    assert_int_equal(rms_winbind_heard(), WRONG_PASSWORD);
}


static void
login_before_is_not_heard_again(void **state)
{
    (void) state;

    assert_int_equal(ask(), AUTH_ERROR);
    rms_winbind_listen();
    assert_int_equal(rms_winbind_heard(), 0);
}


static void
login_that_succeeds_has_no_status(void **state)
{
    (void) state;

    answer = 0;
    assert_int_equal(ask(), 0);
    assert_int_equal(asked, 1);
    assert_int_equal(rms_winbind_heard(), 0);
}


static void
refusal_without_a_status_is_passed_on(void **state)
{
    void  *info;

    (void) state;

    given = NULL;
    assert_int_equal(ask(), AUTH_ERROR);
    assert_int_equal(rms_winbind_heard(), 0);

    assert_int_equal(wbcCtxAuthenticateUserEx((void *) "context", "parameters",
                                              &info, NULL),
                     AUTH_ERROR);
    assert_int_equal(rms_winbind_heard(), 0);
}


/* Where there is nothing to pass the call on to, nobody gets in. */

static void
without_the_library_nobody_gets_in(void **state)
{
    (void) state;

    answer = 0;

    library = 0;
    assert_int_equal(ask(), NOT_IMPLEMENTED);

    library = 1;
    symbol = 0;
    assert_int_equal(ask(), NOT_IMPLEMENTED);

    assert_int_equal(asked, 0);
}


static void *
other_thread(void *data)
{
    uint32_t  *heard = data;

    *heard = rms_winbind_heard();

    return NULL;
}


static void
status_is_heard_on_its_own_thread_alone(void **state)
{
    uint32_t   heard;
    pthread_t  thread;

    (void) state;

    assert_int_equal(ask(), AUTH_ERROR);
    assert_int_equal(pthread_create(&thread, NULL, other_thread, &heard), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);

    assert_int_equal(heard, 0);
    assert_int_equal(rms_winbind_heard(), WRONG_PASSWORD);
}


static void
each_status_names_its_cause(void **state)
{
    size_t      i;
    char        text[256];
    rms_line_t  line;

    /* numbers of [MS-ERREF] 2.3.1 */

    static const struct {
        uint32_t              status;
        rms_winbind_cause_e   cause;
        const char           *text;
    } cases[] = {
        { 0, RMS_WINBIND_SILENT, "" },
        { 0xC0000064, RMS_WINBIND_ACCOUNT,
          "unknown account (NT_STATUS_NO_SUCH_USER)" },
        { 0xC000006A, RMS_WINBIND_ACCOUNT,
          "wrong password (NT_STATUS_WRONG_PASSWORD)" },
        { 0xC000006D, RMS_WINBIND_ACCOUNT,
          "wrong password, or an unknown account (NT_STATUS_LOGON_FAILURE)" },
        { 0xC0000071, RMS_WINBIND_ACCOUNT,
          "the password has expired (NT_STATUS_PASSWORD_EXPIRED)" },
        { 0xC0000072, RMS_WINBIND_ACCOUNT,
          "the account is disabled (NT_STATUS_ACCOUNT_DISABLED)" },
        { 0xC0000193, RMS_WINBIND_ACCOUNT,
          "the account has expired (NT_STATUS_ACCOUNT_EXPIRED)" },
        { 0xC0000224, RMS_WINBIND_ACCOUNT,
          "the password has to be changed first "
          "(NT_STATUS_PASSWORD_MUST_CHANGE)" },
        { 0xC0000234, RMS_WINBIND_ACCOUNT,
          "the account is locked out (NT_STATUS_ACCOUNT_LOCKED_OUT)" },
        { 0xC000005E, RMS_WINBIND_OURS,
          "domain controller unreachable (NT_STATUS_NO_LOGON_SERVERS)" },
        { 0xC0000022, RMS_WINBIND_OURS,
          "the domain controller does not accept this node; is it joined "
          "(net ads testjoin)? (NT_STATUS_ACCESS_DENIED)" },
        { 0xC0000001, RMS_WINBIND_OTHER,
          "winbind says NTSTATUS 0xc0000001" }
    };

    (void) state;

    for (i = 0; i < NELEMS(cases); i++) {
        rms_line_init(&line, text, sizeof(text));

        assert_int_equal(rms_winbind_cause(cases[i].status, &line),
                         cases[i].cause);
        assert_string_equal(text, cases[i].text);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup(refusal_is_passed_on_once_and_its_status_heard,
                               fresh),
        cmocka_unit_test_setup(login_before_is_not_heard_again, fresh),
        cmocka_unit_test_setup(login_that_succeeds_has_no_status, fresh),
        cmocka_unit_test_setup(refusal_without_a_status_is_passed_on, fresh),
        cmocka_unit_test_setup(without_the_library_nobody_gets_in, fresh),
        cmocka_unit_test_setup(status_is_heard_on_its_own_thread_alone, fresh),
        cmocka_unit_test(each_status_names_its_cause)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
