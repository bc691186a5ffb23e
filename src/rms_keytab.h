/*
 * What a keytab holds for HTTP services; rms_keytab_check() itself is in
 * rms_gss.h.  Reads a file, so it runs at load or on a thread of the pool.
 * Internal to the core.
 */

#ifndef RMS_KEYTAB_H
#define RMS_KEYTAB_H


#include <krb5/krb5.h>

#include "rms_gss.h"
#include "rms_line.h"


#define RMS_KEYTAB_KEYS_MAX  128
#define RMS_KEYTAB_NAME_MAX  256


typedef struct {
    char        name[RMS_KEYTAB_NAME_MAX];      /* HTTP/host@REALM       */
    unsigned    kvno;
    unsigned    etype;
} rms_keytab_key_t;


typedef struct {
    rms_keytab_key_t  keys[RMS_KEYTAB_KEYS_MAX];
    size_t            n;
    size_t            others;           /* keys of other services        */
    char              other[RMS_KEYTAB_NAME_MAX];   /* one of them       */
} rms_keytab_t;


/*
 * Opens "FILE:path" (NUL-terminated) and reads all of it.  Keys beyond
 * RMS_KEYTAB_KEYS_MAX are left out: they count for messages only.  0 or a
 * krb5 error; the caller closes *handle (set when not NULL) in both cases.
 */
krb5_error_code rms_keytab_read(krb5_context krb5, const char *path,
    krb5_keytab *handle, rms_keytab_t *keytab);


/*
 * The same for an operator: reads path, and adds to the line what
 * rms_keytab_check() says.
 */
rms_keytab_e rms_keytab_load(const char *path, rms_keytab_t *keytab,
    rms_line_t *line);


/* Is it a key of that principal?  The name's parts are joined by "/". */
int rms_keytab_key_of(const rms_keytab_key_t *key, const rms_str_t *name,
    const rms_str_t *realm);


/* Adds the names of the HTTP principals, each once, to the line. */
void rms_keytab_names(const rms_keytab_t *keytab, rms_line_t *line);


#endif /* RMS_KEYTAB_H */
