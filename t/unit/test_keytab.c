/*
 * What an operator is told about a keytab.
 */

#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "rms_gss.h"
#include "ticket.h"


#define HTTP_A  "HTTP/a.rms.test@RMS.TEST"
#define HTTP_B  "HTTP/b.rms.test@RMS.TEST"


static char  text[2048];


static void
assert_check(const char *path, rms_keytab_e rc, const char *part)
{
    assert_int_equal(rms_keytab_check(path, text, sizeof(text)), rc);

    if (strstr(text, part) == NULL) {
        fail_msg("\"%s\" is not in: %s", part, text);
    }
}


static void
write_file(const char *path, const char *data, size_t len)
{
    FILE  *f;

    f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}


static void
good_keytab_names_services_kvnos_and_types(void **state)
{
    char  *path;

    (void) state;

    path = ticket_path("good.keytab");
    ticket_keytab_add(path, "host/a.rms.test@RMS.TEST", 9, TICKET_AES256);
    ticket_keytab_add(path, HTTP_A, 1, TICKET_AES256);
    ticket_keytab_add(path, HTTP_A, 2, TICKET_AES256);
    ticket_keytab_add(path, HTTP_A, 2, TICKET_RC4);
    ticket_keytab_add(path, HTTP_B, 300, TICKET_AES128);

    assert_check(path, RMS_KEYTAB_FINE,
                 "\"" HTTP_A "\" kvno 2 (aes256-cts-hmac-sha1-96, "
                 "arcfour-hmac), \"" HTTP_B "\" kvno 300 "
                 "(aes128-cts-hmac-sha1-96)");
    assert_null(strstr(text, "kvno 1 "));
    assert_null(strstr(text, "host/"));
}


static void
missing_keytab_says_where_it_comes_from(void **state)
{
    (void) state;

    assert_check(ticket_path("none.keytab"), RMS_KEYTAB_MISSING,
                 "does not exist");
    assert_check(ticket_path("krb5.conf/x"), RMS_KEYTAB_MISSING,
                 "does not exist");
}


static void
unreadable_keytab_says_what_to_run(void **state)
{
    int     status;
    char   *path;
    pid_t   pid;

    (void) state;

    path = ticket_path("closed.keytab");
    ticket_keytab_add(path, HTTP_A, 1, TICKET_AES256);
    assert_int_equal(chmod(path, 0), 0);

    /* root reads everything: somebody else must look */

    pid = fork();
    assert_true(pid != -1);

    if (pid == 0) {
        if (geteuid() == 0) {
            path[strlen(path) - strlen("/closed.keytab")] = '\0';
            (void) chmod(path, 0755);
            path[strlen(path)] = '/';

            if (setgid(65534) != 0 || setuid(65534) != 0) {
                _exit(2);
            }
        }

        if (rms_keytab_check(path, text, sizeof(text))
                == RMS_KEYTAB_UNREADABLE
            && strstr(text, "run: chgrp ") != NULL
            && strstr(text, " && chmod 640 \"") != NULL)
        {
            _exit(0);
        }

        _exit(1);
    }

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}


/*
 * What a check answers, found out by a child: the library leaks some bytes
 * over a keytab that ends inside an entry.
 */

static int
check_in_child(const char *path)
{
    int    status;
    pid_t  pid;

    pid = fork();
    assert_true(pid != -1);

    if (pid == 0) {
        _exit((int) rms_keytab_check(path, text, sizeof(text)));
    }

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));

    return WEXITSTATUS(status);
}


static void
damaged_keytab_is_told_from_an_empty_one(void **state)
{
    char    *path;
    FILE    *f;
    char     data[256];
    size_t   len, full;

    (void) state;

    path = ticket_path("bad.keytab");

    write_file(path, "", 0);
    assert_check(path, RMS_KEYTAB_EMPTY, "is empty");

    write_file(path, "\x05\x02", 2);
    assert_check(path, RMS_KEYTAB_EMPTY, "holds no keys");

    write_file(path, "-----BEGIN CERTIFICATE-----\n", 28);
    assert_check(path, RMS_KEYTAB_CORRUPT, "klist -kte");

    write_file(path, "\x05", 1);
    assert_check(path, RMS_KEYTAB_CORRUPT, "damaged");

    /* cut anywhere: whatever it is called, it is not fine */

    (void) unlink(path);
    ticket_keytab_add(path, HTTP_A, 1, TICKET_AES256);
    f = fopen(path, "r");
    assert_non_null(f);
    full = fread(data, 1, sizeof(data), f);
    assert_int_equal(fclose(f), 0);
    assert_true(full > 32 && full < sizeof(data));

    for (len = 0; len < full - 4; len++) {
        write_file(path, data, len);
        assert_in_range(check_in_child(path), RMS_KEYTAB_CORRUPT,
                        RMS_KEYTAB_EMPTY);
    }
}


static void
what_is_no_file_is_not_opened_for_long(void **state)
{
    char  *path;

    (void) state;

    path = ticket_path("fifo.keytab");
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_check(path, RMS_KEYTAB_CORRUPT, "not a regular file");
    assert_check("/", RMS_KEYTAB_CORRUPT, "not a regular file");
}


static void
keytab_without_http_key_names_what_it_has(void **state)
{
    char  *path;

    (void) state;

    path = ticket_path("host.keytab");
    ticket_keytab_add(path, "host/a.rms.test@RMS.TEST", 1, TICKET_AES256);
    ticket_keytab_add(path, "http/a.rms.test@RMS.TEST", 1, TICKET_AES256);
    ticket_keytab_add(path, "HTTPS/a.rms.test@RMS.TEST", 1, TICKET_AES256);

    assert_check(path, RMS_KEYTAB_NO_HTTP, "\"HTTPS/a.rms.test@RMS.TEST\"");
}


static void
weak_keys_alone_are_told(void **state)
{
    char  *path;

    (void) state;

    path = ticket_path("weak.keytab");
    ticket_keytab_add(path, HTTP_A, 1, TICKET_RC4);
    ticket_keytab_add(path, "host/a.rms.test@RMS.TEST", 1, TICKET_AES256);
    assert_check(path, RMS_KEYTAB_WEAK, "only weak keys");
    assert_check(path, RMS_KEYTAB_WEAK, "kvno 1 (arcfour-hmac)");

    ticket_keytab_add(path, HTTP_B, 1, TICKET_AES128);
    assert_check(path, RMS_KEYTAB_FINE, HTTP_B);
}


static void
line_stays_in_its_buffer(void **state)
{
    int     i;
    char   *path, *small, name[64];
    size_t  size;

    (void) state;

    path = ticket_path("many.keytab");

    for (i = 0; i < 140; i++) {
        (void) snprintf(name, sizeof(name), "HTTP/h%d\x01.rms.test@RMS.TEST",
                        i);
        ticket_keytab_add(path, name, 1, TICKET_AES256);
    }

    for (size = 1; size < 400; size += 7) {
        small = malloc(size);
        assert_non_null(small);
        assert_int_equal(rms_keytab_check(path, small, size), RMS_KEYTAB_FINE);
        assert_true(strlen(small) < size);
        assert_null(strchr(small, '\x01'));
        free(small);
    }
}


static void
clock_skew_is_the_configured_one_and_never_less_than_mit_s(void **state)
{
    size_t   i;
    FILE    *f;
    char    *conf;

    static const struct {
        const char  *text;
        unsigned     skew;
    } rows[] = {
        { "[libdefaults]\n", 300 },
        { "[libdefaults]\n  clockskew = 900\n", 900 },
        { "[libdefaults]\n  clockskew = 60\n", 300 },
        { "[libdefaults]\n  clockskew = soon\n", 300 }
    };

    (void) state;

    conf = strdup(getenv("KRB5_CONFIG"));
    assert_non_null(conf);

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        f = fopen(ticket_path("skew.conf"), "w");
        assert_non_null(f);
        assert_true(fputs(rows[i].text, f) >= 0);
        assert_int_equal(fclose(f), 0);

        assert_int_equal(setenv("KRB5_CONFIG", ticket_path("skew.conf"), 1),
                         0);
        assert_int_equal(rms_gss_clock_skew(), rows[i].skew);
        assert_int_equal(unlink(ticket_path("skew.conf")), 0);
    }

    assert_int_equal(setenv("KRB5_CONFIG", conf, 1), 0);
    free(conf);
}


static int
setup(void **state)
{
    (void) state;
    ticket_setup();

    return 0;
}


static int
teardown(void **state)
{
    (void) state;
    ticket_cleanup();

    return 0;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(good_keytab_names_services_kvnos_and_types),
        cmocka_unit_test(missing_keytab_says_where_it_comes_from),
        cmocka_unit_test(unreadable_keytab_says_what_to_run),
        cmocka_unit_test(damaged_keytab_is_told_from_an_empty_one),
        cmocka_unit_test(what_is_no_file_is_not_opened_for_long),
        cmocka_unit_test(keytab_without_http_key_names_what_it_has),
        cmocka_unit_test(weak_keys_alone_are_told),
        cmocka_unit_test(line_stays_in_its_buffer),
        cmocka_unit_test(
                clock_skew_is_the_configured_one_and_never_less_than_mit_s)
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
