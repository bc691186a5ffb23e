/*
 * Can another user read a file?  Works as root and as anybody: the file
 * belongs to whoever runs the test, and the question is about a made-up user.
 * Groups and ACLs come from the two functions below, in place of libc's.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include "rms_access.h"


#define STRANGER  ((uid_t) 54321)
#define STRANGERS ((gid_t) 54322)

#define PATH_SIZE (PATH_MAX + 16)


ssize_t getxattr(const char *path, const char *name, void *value,
    size_t size);


static char    root[PATH_MAX];          /* an open directory of the test  */
static char    dir[PATH_SIZE];          /* a directory in it              */
static char    file[PATH_SIZE + 16];    /* a file in that                 */
static char    text[8192];

static gid_t   extra_group;             /* of the made-up user; 0: none   */
static int     too_many_groups;
static char    acl_path[PATH_SIZE];     /* has an ACL                     */


int
getgrouplist(const char *user, gid_t group, gid_t *groups, int *ngroups)
{
    (void) user;

    if (too_many_groups || *ngroups < 2) {
        *ngroups = 100000;
        return -1;
    }

    groups[0] = group;
    groups[1] = extra_group ? extra_group : group;
    *ngroups = 2;

    return 2;
}


ssize_t
getxattr(const char *path, const char *name, void *value, size_t size)
{
    (void) value;
    (void) size;

    if (strcmp(name, "system.posix_acl_access") == 0
        && strcmp(path, acl_path) == 0)
    {
        return 44;
    }

    errno = ENODATA;
    return -1;
}


static int
setup(void **state)
{
    FILE  *f;
    char   made[] = P_tmpdir "/rms-access-XXXXXX";

    (void) state;

    /* not below TMPDIR, which may be a place only its owner can enter */

    if (mkdtemp(made) == NULL || chmod(made, 0755) == -1
        || realpath(made, root) == NULL)
    {
        return -1;
    }

    (void) snprintf(dir, sizeof(dir), "%s/rms", root);
    (void) snprintf(file, sizeof(file), "%s/http.keytab", dir);

    if (mkdir(dir, 0755) == -1) {
        return -1;
    }

    f = fopen(file, "w");
    if (f == NULL) {
        return -1;
    }

    extra_group = 0;
    too_many_groups = 0;
    acl_path[0] = '\0';

    return fclose(f);
}


static int
teardown(void **state)
{
    (void) state;

    (void) chmod(dir, 0755);
    (void) unlink(file);
    (void) rmdir(dir);

    return rmdir(root);
}


static void
modes(mode_t d, mode_t f)
{
    assert_int_equal(chmod(file, f), 0);
    assert_int_equal(chmod(dir, d), 0);
}


/* As the stranger; the owner of the files is the one who runs the test. */

static rms_rc_e
check(void)
{
    return rms_access_check(file, "rms-stranger", STRANGER, STRANGERS, text,
                            sizeof(text));
}


static void
expect_text(const char *format, ...)
{
    char     want[8192];
    va_list  args;

    va_start(args, format);
    (void) vsnprintf(want, sizeof(want), format, args);
    va_end(args);

    assert_string_equal(text, want);
}


static const char *
owner_name(void)
{
    struct passwd  *pw;
    static char     number[32];

    pw = getpwuid(geteuid());
    if (pw != NULL) {
        return pw->pw_name;
    }

    (void) snprintf(number, sizeof(number), "%lu", (unsigned long) geteuid());
    return number;
}


static const char *
group_name(void)
{
    struct stat    st;
    struct group  *gr;
    static char    number[32];

    assert_int_equal(stat(file, &st), 0);

    gr = getgrgid(st.st_gid);
    if (gr != NULL) {
        return gr->gr_name;
    }

    (void) snprintf(number, sizeof(number), "%lu",
                    (unsigned long) st.st_gid);
    return number;
}


static gid_t
group_of(const char *path)
{
    struct stat  st;

    assert_int_equal(stat(path, &st), 0);

    return st.st_gid;
}


static void
world_readable_file_is_fine(void **state)
{
    (void) state;

    modes(0711, 0604);
    assert_int_equal(check(), RMS_OK);
    assert_string_equal(text, "");
}


static void
private_file_is_reported_with_the_commands_to_run(void **state)
{
    (void) state;

    modes(0755, 0600);
    assert_int_equal(check(), RMS_INVALID);
    expect_text("\"%s\" cannot be read by user \"rms-stranger\" "
                "(mode 0600 %s:%s); run: chgrp 54322 %s && chmod 0640 %s",
                file, owner_name(), group_name(), file, file);
}


static void
group_of_the_worker_is_named(void **state)
{
    char           want[PATH_SIZE * 3];
    struct group  *gr;

    (void) state;

    /* group "daemon" is 1 on every Linux; its members may not enter here */

    gr = getgrgid(1);
    if (gr == NULL) {
        skip();
    }

    (void) snprintf(want, sizeof(want), "run: chgrp %s %s && chmod 0640 %s",
                    gr->gr_name, file, file);

    modes(0755, 0600);
    assert_int_equal(rms_access_check(file, "rms-stranger", STRANGER, 1, text,
                                      sizeof(text)), RMS_INVALID);
    assert_non_null(strstr(text, want));
}


static void
primary_group_reads_by_the_group_bits(void **state)
{
    (void) state;

    modes(0710, 0640);
    assert_int_equal(rms_access_check(file, "rms-stranger", STRANGER,
                                      group_of(file), text, sizeof(text)),
                     RMS_OK);
}


static void
further_group_reads_by_the_group_bits(void **state)
{
    (void) state;

    modes(0710, 0640);
    assert_int_equal(check(), RMS_INVALID);

    extra_group = group_of(file);
    if (extra_group == 0) {
        if (chown(file, (uid_t) -1, 777) == -1
            || chown(dir, (uid_t) -1, 777) == -1)
        {
            skip();
        }

        extra_group = 777;
    }

    assert_int_equal(check(), RMS_OK);
}


static void
group_that_may_not_read_is_not_saved_by_others(void **state)
{
    (void) state;

    modes(0755, 0604);
    assert_int_equal(rms_access_check(file, "rms-stranger", STRANGER,
                                      group_of(file), text, sizeof(text)),
                     RMS_INVALID);
    expect_text("\"%s\" cannot be read by user \"rms-stranger\" "
                "(mode 0604 %s:%s); run: chmod 0644 %s",
                file, owner_name(), group_name(), file);
}


static void
owner_reads_by_the_owner_bits(void **state)
{
    uid_t  uid;

    (void) state;

    /* root reads whatever the mode: then the file gets another owner */

    uid = geteuid();

    if (uid == 0) {
        uid = STRANGER;
        assert_int_equal(chown(file, uid, (gid_t) -1), 0);
    }

    modes(0755, 0400);
    assert_int_equal(rms_access_check(file, "rms-stranger", uid, STRANGERS,
                                      text, sizeof(text)), RMS_OK);

    modes(0755, 0244);
    assert_int_equal(rms_access_check(file, "rms-stranger", uid, STRANGERS,
                                      text, sizeof(text)), RMS_INVALID);
    assert_non_null(strstr(text, "run: chmod 0644 "));
}


static void
closed_directory_is_found_and_named(void **state)
{
    (void) state;

    modes(0700, 0644);
    assert_int_equal(check(), RMS_INVALID);
    expect_text("\"%s\" cannot be read by user \"rms-stranger\": directory "
                "\"%s\" (mode 0700 %s:%s) is closed; "
                "run: chgrp 54322 %s && chmod g+x %s",
                file, dir, owner_name(), group_name(), dir, dir);

    /* a group that is in use keeps the directory */

    modes(0750, 0644);
    assert_int_equal(check(), RMS_INVALID);
    expect_text("\"%s\" cannot be read by user \"rms-stranger\": directory "
                "\"%s\" (mode 0750 %s:%s) is closed; run: chmod o+x %s",
                file, dir, owner_name(), group_name(), dir);

    modes(0705, 0644);
    assert_int_equal(rms_access_check(file, "rms-stranger", STRANGER,
                                      group_of(dir), text, sizeof(text)),
                     RMS_INVALID);
    assert_non_null(strstr(text, "run: chmod g+x "));
}


static void
reading_a_directory_is_not_needed(void **state)
{
    (void) state;

    modes(0711, 0644);
    assert_int_equal(check(), RMS_OK);

    modes(0744, 0644);
    assert_int_equal(check(), RMS_INVALID);
}


static void
directory_behind_a_symbolic_link_counts(void **state)
{
    char      link[PATH_SIZE];
    rms_rc_e  rc;

    (void) state;

    (void) snprintf(link, sizeof(link), "%s/link", root);
    assert_int_equal(symlink(file, link), 0);

    modes(0711, 0644);
    rc = rms_access_check(link, "rms-stranger", STRANGER, STRANGERS, text,
                          sizeof(text));
    assert_int_equal(rc, RMS_OK);

    modes(0700, 0644);
    rc = rms_access_check(link, "rms-stranger", STRANGER, STRANGERS, text,
                          sizeof(text));
    assert_int_equal(unlink(link), 0);

    assert_int_equal(rc, RMS_INVALID);
    assert_non_null(strstr(text, dir));
}


static void
root_always_reads(void **state)
{
    (void) state;

    modes(0700, 0);
    assert_int_equal(rms_access_check(file, "root", 0, 0, text,
                                      sizeof(text)), RMS_OK);
}


static void
acl_leaves_it_to_the_acl(void **state)
{
    (void) state;

    modes(0755, 0600);
    (void) snprintf(acl_path, sizeof(acl_path), "%.*s", PATH_MAX - 1, file);
    assert_int_equal(check(), RMS_OK);

    /* of the file only: the directory is still closed */

    modes(0700, 0600);
    assert_int_equal(check(), RMS_INVALID);

    (void) snprintf(acl_path, sizeof(acl_path), "%s", dir);
    modes(0700, 0644);
    assert_int_equal(check(), RMS_OK);
}


static void
user_of_too_many_groups_is_not_judged(void **state)
{
    (void) state;

    modes(0700, 0600);
    too_many_groups = 1;
    assert_int_equal(check(), RMS_OK);
}


static void
missing_file_is_told_apart(void **state)
{
    char  path[PATH_SIZE + 32];

    (void) state;

    (void) snprintf(path, sizeof(path), "%s.missing", file);
    assert_int_equal(rms_access_check(path, "x", STRANGER, STRANGERS, text,
                                      sizeof(text)), RMS_DECLINED);

    (void) snprintf(path, sizeof(path), "%s/below", file);
    assert_int_equal(rms_access_check(path, "x", STRANGER, STRANGERS, text,
                                      sizeof(text)), RMS_DECLINED);

    assert_int_equal(rms_access_check(path, "x", 0, 0, text, sizeof(text)),
                     RMS_DECLINED);
}


static void
path_that_cannot_be_looked_at_says_why(void **state)
{
    char  path[2 * PATH_MAX];

    (void) state;

    memset(path, 'a', sizeof(path));
    path[0] = '/';
    path[sizeof(path) - 1] = '\0';

    assert_int_equal(rms_access_check(path, "x", STRANGER, STRANGERS, text,
                                      256), RMS_INVALID);

    (void) snprintf(path, sizeof(path), "%s/loop", root);
    assert_int_equal(symlink(path, path), 0);
    assert_int_equal(rms_access_check(path, "x", STRANGER, STRANGERS, text,
                                      sizeof(text)), RMS_INVALID);
    assert_int_equal(unlink(path), 0);
    assert_non_null(strstr(text, strerror(ELOOP)));
}


static void
text_is_cut_to_its_size(void **state)
{
    char  small[24];

    (void) state;

    modes(0755, 0600);
    memset(small, 'x', sizeof(small));

    assert_int_equal(rms_access_check(file, "rms-stranger", STRANGER,
                                      STRANGERS, small, 16), RMS_INVALID);
    assert_int_equal(strlen(small), 15);
    assert_int_equal(small[16], 'x');

    assert_int_equal(rms_access_check(file, "rms-stranger", STRANGER,
                                      STRANGERS, NULL, 0), RMS_INVALID);
}


static void
odd_paths_are_quoted_for_the_shell(void **state)
{
    FILE      *f;
    char       path[PATH_SIZE + 32], want[PATH_SIZE + 64];
    rms_rc_e   rc;

    (void) state;

    modes(0755, 0644);
    (void) snprintf(path, sizeof(path), "%s/it's $x.keytab", dir);

    f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, 0600), 0);

    rc = rms_access_check(path, "rms-stranger", STRANGER, STRANGERS, text,
                          sizeof(text));
    assert_int_equal(unlink(path), 0);

    assert_int_equal(rc, RMS_INVALID);
    (void) snprintf(want, sizeof(want), "chmod 0640 '%s/it'\\''s $x.keytab'",
                    dir);
    assert_non_null(strstr(text, want));
}


#define access_test(f)  cmocka_unit_test_setup_teardown(f, setup, teardown)


static rms_rc_e
write_to(const char *path)
{
    return rms_access_check_dir(path, "rms-stranger", STRANGER, STRANGERS,
                                text, sizeof(text));
}


static void
a_directory_that_is_not_writable_is_refused_with_the_line_to_run(void **state)
{
    (void) state;

    assert_int_equal(chmod(dir, 0755), 0);
    assert_int_equal(write_to(dir), RMS_INVALID);
    assert_non_null(strstr(text, "cannot be written to by user "
                                 "\"rms-stranger\" (mode 0755); run: chown "
                                 "rms-stranger "));
}


static void
a_directory_open_to_all_or_to_the_group_is_writable(void **state)
{
    (void) state;

    assert_int_equal(chmod(dir, 0777), 0);
    assert_int_equal(write_to(dir), RMS_OK);

    assert_int_equal(chmod(dir, 0770), 0);
    assert_int_equal(write_to(dir), RMS_INVALID);

    extra_group = group_of(dir);
    if (extra_group == 0) {
        assert_int_equal(chown(dir, (uid_t) -1, 777), 0);
        extra_group = 777;
    }

    assert_int_equal(write_to(dir), RMS_OK);
}


static void
a_file_or_nothing_in_place_of_the_directory_is_told(void **state)
{
    (void) state;

    assert_int_equal(write_to(file), RMS_INVALID);
    assert_non_null(strstr(text, "is not a directory"));

    assert_int_equal(write_to("/nowhere/at/all"), RMS_DECLINED);
}


static void
root_may_write_everywhere(void **state)
{
    (void) state;

    assert_int_equal(chmod(dir, 0755), 0);
    assert_int_equal(rms_access_check_dir(dir, "root", 0, 0, text,
                                          sizeof(text)), RMS_OK);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        access_test(world_readable_file_is_fine),
        access_test(private_file_is_reported_with_the_commands_to_run),
        access_test(group_of_the_worker_is_named),
        access_test(primary_group_reads_by_the_group_bits),
        access_test(further_group_reads_by_the_group_bits),
        access_test(group_that_may_not_read_is_not_saved_by_others),
        access_test(owner_reads_by_the_owner_bits),
        access_test(closed_directory_is_found_and_named),
        access_test(reading_a_directory_is_not_needed),
        access_test(directory_behind_a_symbolic_link_counts),
        access_test(root_always_reads),
        access_test(acl_leaves_it_to_the_acl),
        access_test(user_of_too_many_groups_is_not_judged),
        access_test(missing_file_is_told_apart),
        access_test(path_that_cannot_be_looked_at_says_why),
        access_test(text_is_cut_to_its_size),
        access_test(odd_paths_are_quoted_for_the_shell),
        access_test(
            a_directory_that_is_not_writable_is_refused_with_the_line_to_run),
        access_test(a_directory_open_to_all_or_to_the_group_is_writable),
        access_test(a_file_or_nothing_in_place_of_the_directory_is_told),
        access_test(root_may_write_everywhere)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
