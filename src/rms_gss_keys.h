/*
 * A keytab in memory.  MIT opens, locks and parses a file for each login; this
 * is read when it has changed.  Blocks on the file, under the caller's lock.
 * Internal to the core.
 */

#ifndef RMS_GSS_KEYS_H
#define RMS_GSS_KEYS_H


#include <sys/types.h>
#include <time.h>

#include <krb5/krb5.h>

#include "rms_keytab.h"


/* What tells one version of the keytab file from another. */

typedef struct {
    dev_t            dev;
    ino_t            ino;
    off_t            size;
    struct timespec  mtime;
    struct timespec  ctime;             /* a chmod changes only this */
} rms_gss_stamp_t;


/* One version; zeros are an empty one. */

typedef struct {
    rms_gss_stamp_t  stamp;
    rms_keytab_t     list;              /* what is in it                 */
    unsigned         users;             /* credentials                   */
    krb5_keytab      memory;
    char             name[64];          /* "MEMORY:...", for GSSAPI      */
} rms_gss_keys_t;


/* Of the file as it is now.  0: errno says why there is none. */
int rms_gss_stamp(const char *path, rms_gss_stamp_t *stamp);


/*
 * Fills keys that have no users from the file.  list and stamp: read before,
 * and copied.  0 or a krb5 error; then keys are empty.
 */
krb5_error_code rms_gss_keys_fill(krb5_context krb5, rms_gss_keys_t *keys,
    const char *path, const rms_gss_stamp_t *stamp, const rms_keytab_t *list);


/* Empties keys that have no users; the name stays. */
void rms_gss_keys_clear(krb5_context krb5, rms_gss_keys_t *keys);


/*
 * The principal, NUL-terminated, whose key the ticket says it is made with;
 * NULL if there is no such key.
 */
const char *rms_gss_keys_service(const rms_gss_keys_t *keys,
    const rms_apreq_t *apreq);


#endif /* RMS_GSS_KEYS_H */
