/*
 * Keytabs: reading one, and telling an operator what is wrong with it.  Runs
 * at load, or on a thread of the pool when a login has failed.  All memory is
 * the caller's; krb5 handles are released here, but the one handed out.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <profile.h>

#include "rms_keytab.h"


#define RMS_CLOCK_SKEW  300      /* MIT's default, seconds */


static void rms_keytab_add(krb5_context krb5, const krb5_keytab_entry *entry,
    rms_keytab_t *keytab);
static int rms_keytab_first(const rms_keytab_t *keytab, size_t i);
static rms_keytab_e rms_keytab_open(const char *path, rms_line_t *line);
static rms_keytab_e rms_keytab_refused(const char *path, int err,
    rms_line_t *line);
static rms_keytab_e rms_keytab_scan(const char *path, rms_keytab_t *keytab,
    rms_line_t *line);
static rms_keytab_e rms_keytab_judge(const char *path,
    const rms_keytab_t *keytab, rms_line_t *line);
static void rms_keytab_newest(const rms_keytab_t *keytab, size_t i,
    rms_line_t *line);
static int rms_etype_weak(unsigned etype);


krb5_error_code
rms_keytab_read(krb5_context krb5, const char *path, krb5_keytab *handle,
    rms_keytab_t *keytab)
{
    int                n;
    char               name[PATH_MAX + sizeof("FILE:")];
    krb5_error_code    err;
    krb5_kt_cursor     cursor;
    krb5_keytab_entry  entry;

    *handle = NULL;
    keytab->n = 0;
    keytab->others = 0;
    keytab->other[0] = '\0';

    n = snprintf(name, sizeof(name), "FILE:%s", path);
    if (n < 0 || (size_t) n >= sizeof(name)) {
        return KRB5_KT_NAME_TOOLONG;
    }

    err = krb5_kt_resolve(krb5, name, handle);
    if (err) {
        return err;
    }

    err = krb5_kt_start_seq_get(krb5, *handle, &cursor);
    if (err) {
        return err;
    }

    while ((err = krb5_kt_next_entry(krb5, *handle, &entry, &cursor)) == 0) {
        rms_keytab_add(krb5, &entry, keytab);
        (void) krb5_free_keytab_entry_contents(krb5, &entry);
    }

    (void) krb5_kt_end_seq_get(krb5, *handle, &cursor);

    return (err == KRB5_KT_END) ? 0 : err;
}


static void
rms_keytab_add(krb5_context krb5, const krb5_keytab_entry *entry,
    rms_keytab_t *keytab)
{
    char              *name;
    rms_keytab_key_t  *key;

    if (krb5_unparse_name(krb5, entry->principal, &name) != 0) {
        return;
    }

    if (strncmp(name, "HTTP/", 5) != 0) {
        keytab->others++;
        (void) snprintf(keytab->other, sizeof(keytab->other), "%s", name);

    } else if (keytab->n < RMS_KEYTAB_KEYS_MAX) {
        key = &keytab->keys[keytab->n++];
        (void) snprintf(key->name, sizeof(key->name), "%s", name);
        key->kvno = entry->vno;
        key->etype = (unsigned) entry->key.enctype;
    }

    krb5_free_unparsed_name(krb5, name);
}


int
rms_keytab_key_of(const rms_keytab_key_t *key, const rms_str_t *name,
    const rms_str_t *realm)
{
    size_t  len;

    len = name->len;

    return strlen(key->name) == len + 1 + realm->len
           && memcmp(key->name, name->data, len) == 0
           && key->name[len] == '@'
           && memcmp(key->name + len + 1, realm->data, realm->len) == 0;
}


void
rms_keytab_names(const rms_keytab_t *keytab, rms_line_t *line)
{
    size_t       i;
    const char  *comma;

    comma = "";

    for (i = 0; i < keytab->n; i++) {
        if (rms_keytab_first(keytab, i)) {
            rms_line_add(line, "%s", comma);
            rms_line_quotedz(line, keytab->keys[i].name);
            comma = ", ";
        }
    }
}


/* Is the i-th key the first one of its principal? */

static int
rms_keytab_first(const rms_keytab_t *keytab, size_t i)
{
    size_t  k;

    for (k = 0; k < i; k++) {
        if (strcmp(keytab->keys[k].name, keytab->keys[i].name) == 0) {
            return 0;
        }
    }

    return 1;
}


rms_keytab_e
rms_keytab_check(const char *path, char *text, size_t size)
{
    rms_line_t    line;
    rms_keytab_t  keytab;

    rms_line_init(&line, text, size);

    return rms_keytab_load(path, &keytab, &line);
}


rms_keytab_e
rms_keytab_load(const char *path, rms_keytab_t *keytab, rms_line_t *line)
{
    rms_keytab_e  rc;

    rc = rms_keytab_open(path, line);
    if (rc != RMS_KEYTAB_FINE) {
        return rc;
    }

    rc = rms_keytab_scan(path, keytab, line);
    if (rc != RMS_KEYTAB_FINE) {
        return rc;
    }

    return rms_keytab_judge(path, keytab, line);
}


/* What can be said before looking inside. */

static rms_keytab_e
rms_keytab_open(const char *path, rms_line_t *line)
{
    int          fd, err;
    struct stat  st;

    /* a FIFO would block the open, and is no keytab */

    fd = open(path, O_RDONLY|O_NONBLOCK|O_CLOEXEC);
    if (fd == -1) {
        return rms_keytab_refused(path, errno, line);
    }

    err = (fstat(fd, &st) == -1) ? errno : 0;
    (void) close(fd);

    if (err) {
        return rms_keytab_refused(path, err, line);
    }

    if (!S_ISREG(st.st_mode)) {
        rms_line_add(line, "keytab ");
        rms_line_quotedz(line, path);
        rms_line_add(line, " is not a regular file");
        return RMS_KEYTAB_CORRUPT;
    }

    return RMS_KEYTAB_FINE;
}


static rms_keytab_e
rms_keytab_refused(const char *path, int err, rms_line_t *line)
{
    char           buf[256];
    struct group   gr, *found;

    rms_line_add(line, "keytab ");
    rms_line_quotedz(line, path);

    if (err == ENOENT || err == ENOTDIR) {
        rms_line_add(line, " does not exist; make it on the KDC (ktpass, "
                     "ktutil or \"kadmin ktadd\") and copy it here");
        return RMS_KEYTAB_MISSING;
    }

    rms_line_add(line, " cannot be read by user id %u: %s",
                 (unsigned) geteuid(), strerrordesc_np(err));

    if (err != EACCES) {
        return RMS_KEYTAB_UNREADABLE;
    }

    rms_line_add(line, "; run: chgrp ");

    if (getgrgid_r(getegid(), &gr, buf, sizeof(buf), &found) == 0
        && found != NULL)
    {
        rms_line_add(line, "%s", gr.gr_name);

    } else {
        rms_line_add(line, "%u", (unsigned) getegid());
    }

    rms_line_add(line, " ");
    rms_line_quotedz(line, path);
    rms_line_add(line, " && chmod 640 ");
    rms_line_quotedz(line, path);

    return RMS_KEYTAB_UNREADABLE;
}


static rms_keytab_e
rms_keytab_scan(const char *path, rms_keytab_t *keytab, rms_line_t *line)
{
    const char       *why;
    struct stat       st;
    krb5_keytab       handle;
    krb5_context      krb5;
    krb5_error_code   err;

    if (stat(path, &st) == 0 && st.st_size == 0) {
        rms_line_add(line, "keytab ");
        rms_line_quotedz(line, path);
        rms_line_add(line, " is empty");
        return RMS_KEYTAB_EMPTY;
    }

    err = krb5_init_context(&krb5);
    if (err) {
        rms_line_add(line, "Kerberos cannot start: error %d; check "
                     "/etc/krb5.conf", (int) err);
        return RMS_KEYTAB_UNREADABLE;
    }

    err = rms_keytab_read(krb5, path, &handle, keytab);
    if (err) {
        why = krb5_get_error_message(krb5, err);

        rms_line_add(line, "keytab ");
        rms_line_quotedz(line, path);
        rms_line_add(line, " is damaged or no keytab: ");
        rms_line_quotedz(line, why);
        rms_line_add(line, "; check it with: klist -kte ");
        rms_line_quotedz(line, path);

        krb5_free_error_message(krb5, why);
    }

    if (handle != NULL) {
        (void) krb5_kt_close(krb5, handle);
    }

    krb5_free_context(krb5);

    return err ? RMS_KEYTAB_CORRUPT : RMS_KEYTAB_FINE;
}


static rms_keytab_e
rms_keytab_judge(const char *path, const rms_keytab_t *keytab,
    rms_line_t *line)
{
    size_t       i, strong;
    const char  *comma;

    rms_line_add(line, "keytab ");
    rms_line_quotedz(line, path);

    if (keytab->n == 0 && keytab->others == 0) {
        rms_line_add(line, " holds no keys");
        return RMS_KEYTAB_EMPTY;
    }

    if (keytab->n == 0) {
        rms_line_add(line, " has no key of an HTTP/ service, only of others "
                     "such as ");
        rms_line_quotedz(line, keytab->other);
        rms_line_add(line, "; register HTTP/<host name> and export its key");
        return RMS_KEYTAB_NO_HTTP;
    }

    rms_line_add(line, ": ");

    for (comma = "", strong = 0, i = 0; i < keytab->n; i++) {
        strong += !rms_etype_weak(keytab->keys[i].etype);

        if (rms_keytab_first(keytab, i)) {
            rms_line_add(line, "%s", comma);
            rms_keytab_newest(keytab, i, line);
            comma = ", ";
        }
    }

    if (strong == 0) {
        rms_line_add(line, "; only weak keys: allow AES for the service's "
                     "account, set its password again and export the keytab "
                     "anew");
        return RMS_KEYTAB_WEAK;
    }

    return RMS_KEYTAB_FINE;
}


/* "HTTP/host@REALM" kvno 3 (aes256-..., aes128-...) */

static void
rms_keytab_newest(const rms_keytab_t *keytab, size_t i, rms_line_t *line)
{
    char         etype[32];
    size_t       k;
    unsigned     kvno;
    const char  *name, *comma;

    name = keytab->keys[i].name;
    kvno = keytab->keys[i].kvno;

    for (k = i; k < keytab->n; k++) {
        if (keytab->keys[k].kvno > kvno
            && strcmp(keytab->keys[k].name, name) == 0)
        {
            kvno = keytab->keys[k].kvno;
        }
    }

    rms_line_quotedz(line, name);
    rms_line_add(line, " kvno %u (", kvno);

    for (comma = "", k = i; k < keytab->n; k++) {
        if (keytab->keys[k].kvno == kvno
            && strcmp(keytab->keys[k].name, name) == 0)
        {
            rms_line_add(line, "%s%s", comma,
                         rms_etype_name(keytab->keys[k].etype, etype,
                                        sizeof(etype)));
            comma = ", ";
        }
    }

    rms_line_add(line, ")");
}


/* DES, triple DES, RC4 (RFC 6649, RFC 8429), and what we do not know */

static int
rms_etype_weak(unsigned etype)
{
    return !((etype >= 17 && etype <= 20) || etype == 25 || etype == 26);
}


unsigned
rms_gss_clock_skew(void)
{
    int           skew;
    profile_t     profile;
    krb5_context  context;

    skew = RMS_CLOCK_SKEW;

    if (krb5_init_context(&context) != 0) {
        return RMS_CLOCK_SKEW;
    }

    if (krb5_get_profile(context, &profile) == 0) {
        (void) profile_get_integer(profile, "libdefaults", "clockskew", NULL,
                                   RMS_CLOCK_SKEW, &skew);
        profile_release(profile);
    }

    krb5_free_context(context);

    return skew > RMS_CLOCK_SKEW ? (unsigned) skew : RMS_CLOCK_SKEW;
}
