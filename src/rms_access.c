/*
 * Can another user read a file, or write to a directory?  Answered at load, in
 * the main process, from modes, owners and groups; looks names up through NSS,
 * so never in a worker.  Nothing is allocated, nothing is kept.
 */

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "rms_access.h"


#define RMS_ACCESS_GROUPS_MAX  1024
#define RMS_ACCESS_NAME        64       /* bytes of a user or group name */
#define RMS_ACCESS_QUOTED      (PATH_MAX + 64)


typedef struct {
    const char  *path;                  /* as it was asked for           */
    const char  *user;
    uid_t        uid;
    gid_t        gid;
    gid_t        groups[RMS_ACCESS_GROUPS_MAX];
    int          n_groups;
    char        *text;
    size_t       size;
} rms_access_t;


static rms_rc_e rms_access_begin(rms_access_t *a, const char *path);
static rms_rc_e rms_access_walk(rms_access_t *a, const char *path);
static rms_rc_e rms_access_one(rms_access_t *a, const char *path, int dir);
static mode_t rms_access_bit(const rms_access_t *a, const struct stat *st,
    mode_t want);
static int rms_access_member(const rms_access_t *a, gid_t gid);
static void rms_access_explain_file(rms_access_t *a, const char *path,
    const struct stat *st, mode_t bit);
static void rms_access_explain_dir(rms_access_t *a, const char *path,
    const struct stat *st, mode_t bit);
static void rms_access_user_name(uid_t uid, char *buf);
static void rms_access_group_name(gid_t gid, char *buf);
static void rms_access_quote(const char *path, char *buf);


rms_rc_e
rms_access_check(const char *path, const char *user, uid_t uid, gid_t gid,
    char *text, size_t size)
{
    char          real[PATH_MAX];
    rms_rc_e      rc;
    rms_access_t  a;

    a.user = user;
    a.uid = uid;
    a.gid = gid;
    a.text = text;
    a.size = size;

    rc = rms_access_begin(&a, path);

    if (rc != RMS_OK || a.n_groups == 0) {
        return rc;
    }

    rc = rms_access_walk(&a, path);
    if (rc != RMS_OK) {
        return rc;
    }

    /* through symbolic links the same file has other directories above it */

    if (realpath(path, real) == NULL || strcmp(real, path) == 0) {
        return RMS_OK;
    }

    return rms_access_walk(&a, real);
}


rms_rc_e
rms_access_check_dir(const char *path, const char *user, uid_t uid, gid_t gid,
    char *text, size_t size)
{
    char          quoted[RMS_ACCESS_QUOTED];
    rms_rc_e      rc;
    struct stat   st;
    rms_access_t  a;

    a.user = user;
    a.uid = uid;
    a.gid = gid;
    a.text = text;
    a.size = size;

    rc = rms_access_begin(&a, path);

    if (rc != RMS_OK) {
        return rc;
    }

    if (stat(path, &st) == -1 || !S_ISDIR(st.st_mode)) {
        (void) snprintf(text, size, "\"%s\" is not a directory", path);
        return RMS_INVALID;
    }

    if (a.n_groups == 0
        || (st.st_mode & rms_access_bit(&a, &st, S_IWOTH))
        || getxattr(path, "system.posix_acl_access", NULL, 0) > 0)
    {
        return a.n_groups ? rms_access_walk(&a, path) : RMS_OK;
    }

    rms_access_quote(path, quoted);

    (void) snprintf(text, size,
                    "directory \"%s\" cannot be written to by user \"%s\" "
                    "(mode %04o); run: chown %s %s && chmod u+rwx %s",
                    path, user, (unsigned) (st.st_mode & 07777), user, quoted,
                    quoted);

    return RMS_INVALID;
}


/* No groups: nothing keeps the user out, or nothing can be said. */

static rms_rc_e
rms_access_begin(rms_access_t *a, const char *path)
{
    struct stat  st;

    a->path = path;
    a->n_groups = 0;

    if (a->size != 0) {
        a->text[0] = '\0';
    }

    if (stat(path, &st) == -1) {
        if (errno == ENOENT || errno == ENOTDIR) {
            return RMS_DECLINED;
        }

        (void) snprintf(a->text, a->size, "\"%s\" cannot be looked at: %s",
                        path, strerror(errno));
        return RMS_INVALID;
    }

    /* modes do not bind root */

    if (a->uid == 0) {
        return RMS_OK;
    }

    a->n_groups = RMS_ACCESS_GROUPS_MAX;

    if (getgrouplist(a->user, a->gid, a->groups, &a->n_groups) == -1) {
        a->n_groups = 0;    /* more groups than we can weigh */
    }

    return RMS_OK;
}


/* Every directory from the root on, then the file. */

static rms_rc_e
rms_access_walk(rms_access_t *a, const char *path)
{
    char         prefix[PATH_MAX];
    size_t       len;
    rms_rc_e     rc;
    const char  *p;

    for (p = strchr(path, '/'); p != NULL; p = strchr(p + 1, '/')) {

        /* "/" keeps its slash, others go without */

        len = (p == path) ? 1 : (size_t) (p - path);

        if (len >= sizeof(prefix)) {
            return RMS_OK;      /* stat() would have said so */
        }

        memcpy(prefix, path, len);
        prefix[len] = '\0';

        rc = rms_access_one(a, prefix, 1);
        if (rc != RMS_OK) {
            return rc;
        }
    }

    return rms_access_one(a, path, 0);
}


static rms_rc_e
rms_access_one(rms_access_t *a, const char *path, int dir)
{
    mode_t       bit;
    struct stat  st;

    if (stat(path, &st) == -1) {
        return RMS_DECLINED;
    }

    bit = rms_access_bit(a, &st, dir ? S_IXOTH : S_IROTH);

    if (st.st_mode & bit) {
        return RMS_OK;
    }

    /* with an ACL the group bits are its mask: modes cannot tell (acl(5)) */

    if (getxattr(path, "system.posix_acl_access", NULL, 0) > 0) {
        return RMS_OK;
    }

    if (dir) {
        rms_access_explain_dir(a, path, &st, bit);

    } else {
        rms_access_explain_file(a, path, &st, bit);
    }

    return RMS_INVALID;
}


/*
 * The one bit that decides: the first class that fits counts, even when a
 * later one would allow more (POSIX.1 4.5).  want is of the "other" class.
 */

static mode_t
rms_access_bit(const rms_access_t *a, const struct stat *st, mode_t want)
{
    if (st->st_uid == a->uid) {
        return want << 6;
    }

    if (rms_access_member(a, st->st_gid)) {
        return want << 3;
    }

    return want;
}


static int
rms_access_member(const rms_access_t *a, gid_t gid)
{
    int  i;

    /* getgrouplist() counts the primary group in */

    for (i = 0; i < a->n_groups; i++) {
        if (a->groups[i] == gid) {
            return 1;
        }
    }

    return 0;
}


/* A key file is opened to the worker's group, never to everybody. */

static void
rms_access_explain_file(rms_access_t *a, const char *path,
    const struct stat *st, mode_t bit)
{
    char      owner[RMS_ACCESS_NAME], group[RMS_ACCESS_NAME];
    char      ours[RMS_ACCESS_NAME], quoted[RMS_ACCESS_QUOTED];
    unsigned  mode;

    rms_access_user_name(st->st_uid, owner);
    rms_access_group_name(st->st_gid, group);
    rms_access_group_name(a->gid, ours);
    rms_access_quote(path, quoted);

    mode = (unsigned) (st->st_mode & 07777);

    if (bit != S_IROTH) {
        (void) snprintf(a->text, a->size,
                        "\"%s\" cannot be read by user \"%s\" "
                        "(mode %04o %s:%s); run: chmod %04o %s",
                        a->path, a->user, mode, owner, group,
                        mode | (unsigned) bit, quoted);
        return;
    }

    (void) snprintf(a->text, a->size,
                    "\"%s\" cannot be read by user \"%s\" "
                    "(mode %04o %s:%s); run: chgrp %s %s && chmod %04o %s",
                    a->path, a->user, mode, owner, group,
                    ours, quoted, mode | S_IRGRP, quoted);
}


static void
rms_access_explain_dir(rms_access_t *a, const char *path,
    const struct stat *st, mode_t bit)
{
    char      owner[RMS_ACCESS_NAME], group[RMS_ACCESS_NAME];
    char      ours[RMS_ACCESS_NAME], quoted[RMS_ACCESS_QUOTED];
    unsigned  mode;

    rms_access_user_name(st->st_uid, owner);
    rms_access_group_name(st->st_gid, group);
    rms_access_group_name(a->gid, ours);
    rms_access_quote(path, quoted);

    mode = (unsigned) (st->st_mode & 07777);

    /* a group that has no rights here loses none to another one */

    if (bit == S_IXOTH && (mode & S_IRWXG) == 0) {
        (void) snprintf(a->text, a->size,
                        "\"%s\" cannot be read by user \"%s\": directory "
                        "\"%s\" (mode %04o %s:%s) is closed; "
                        "run: chgrp %s %s && chmod g+x %s",
                        a->path, a->user, path, mode, owner, group,
                        ours, quoted, quoted);
        return;
    }

    (void) snprintf(a->text, a->size,
                    "\"%s\" cannot be read by user \"%s\": directory "
                    "\"%s\" (mode %04o %s:%s) is closed; run: chmod %c+x %s",
                    a->path, a->user, path, mode, owner, group,
                    (bit == S_IXUSR) ? 'u' : (bit == S_IXGRP) ? 'g' : 'o',
                    quoted);
}


static void
rms_access_user_name(uid_t uid, char *buf)
{
    struct passwd  *pw;

    pw = getpwuid(uid);

    if (pw != NULL) {
        (void) snprintf(buf, RMS_ACCESS_NAME, "%s", pw->pw_name);

    } else {
        (void) snprintf(buf, RMS_ACCESS_NAME, "%lu", (unsigned long) uid);
    }
}


static void
rms_access_group_name(gid_t gid, char *buf)
{
    struct group  *gr;

    gr = getgrgid(gid);

    if (gr != NULL) {
        (void) snprintf(buf, RMS_ACCESS_NAME, "%s", gr->gr_name);

    } else {
        (void) snprintf(buf, RMS_ACCESS_NAME, "%lu", (unsigned long) gid);
    }
}


/* So that the line can be pasted into a shell; RMS_ACCESS_QUOTED bytes. */

static void
rms_access_quote(const char *path, char *buf)
{
    size_t       plain;
    char        *p, *last;
    const char  *s;

    plain = strspn(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                         "0123456789/._-+,:@%=");

    if (path[plain] == '\0') {
        (void) snprintf(buf, RMS_ACCESS_QUOTED, "%s", path);
        return;
    }

    p = buf;
    last = buf + RMS_ACCESS_QUOTED - 6;     /* room for '\'' and the end */

    *p++ = '\'';

    for (s = path; *s != '\0' && p < last; s++) {
        if (*s == '\'') {
            memcpy(p, "'\\''", 4);
            p += 4;
            continue;
        }

        *p++ = *s;
    }

    *p++ = '\'';
    *p = '\0';
}
