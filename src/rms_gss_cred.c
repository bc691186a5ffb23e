/*
 * Credentials of the acceptor.  Acquiring one reads the keytab: all of this
 * runs on threads of the pool, under a mutex where they meet.  Credentials
 * belong to the acceptor, or to the thread that has taken one.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>

#include "rms_gss_cred.h"


/*
 * MIT holds a credential's lock during an accept, so one that is shared makes
 * threads wait for each other, and acquiring one costs more than an accept:
 * idle ones are kept, for so many threads and services.
 */

#define RMS_GSS_IDLE_MAX  64

/* of the keytab: the one now, and what logins still use of earlier ones */

#define RMS_GSS_VERSIONS  3


struct rms_gss_acceptor_s {
    pthread_mutex_t  mutex;
    krb5_context     krb5;              /* see rms_gss_cred_start()      */
    rms_gss_keys_t   versions[RMS_GSS_VERSIONS];
    rms_gss_keys_t  *now;               /* one of them, or NULL          */
    rms_gss_cred_t   idle[RMS_GSS_IDLE_MAX];    /* the oldest one first;
                                           all of now                    */
    size_t           nidle;
    char             path[];
};


static int rms_gss_cred_keys(rms_gss_acceptor_t *acceptor,
    const rms_gss_stamp_t *stamp, rms_line_t *line);
static int rms_gss_cred_start(rms_gss_acceptor_t *acceptor,
    const rms_gss_stamp_t *stamp);
static int rms_gss_cred_renew(rms_gss_acceptor_t *acceptor,
    const rms_gss_stamp_t *stamp, const rms_keytab_t *list, rms_line_t *line);
static int rms_gss_cred_idle(rms_gss_acceptor_t *acceptor,
    const rms_apreq_t *apreq, rms_gss_cred_t *cred);
static void rms_gss_cred_drop(rms_gss_acceptor_t *acceptor,
    rms_gss_cred_t *cred);
static OM_uint32 rms_gss_cred_acquire(rms_gss_cred_t *cred,
    OM_uint32 *minor);
static OM_uint32 rms_gss_cred_name(const rms_gss_cred_t *cred,
    gss_name_t *name, OM_uint32 *minor);
static OM_uint32 rms_gss_cred_mechs(rms_gss_cred_t *cred, gss_name_t name,
    OM_uint32 *minor);
static void rms_gss_cred_trouble(const rms_gss_acceptor_t *acceptor,
    rms_line_t *line);
static void rms_gss_status_text(OM_uint32 code, int type, rms_line_t *line);


static gss_OID_desc  rms_gss_krb5 =
    { 9, (void *) "\x2a\x86\x48\x86\xf7\x12\x01\x02\x02" };
static gss_OID_desc  rms_gss_spnego =
    { 6, (void *) "\x2b\x06\x01\x05\x05\x02" };


rms_gss_acceptor_t *
rms_gss_acceptor_create(const char *keytab)
{
    size_t               i, len;
    rms_gss_acceptor_t  *acceptor;

    len = strlen(keytab) + 1;

    acceptor = calloc(1, sizeof(rms_gss_acceptor_t) + len);
    if (acceptor == NULL) {
        return NULL;
    }

    if (pthread_mutex_init(&acceptor->mutex, NULL) != 0) {
        free(acceptor);
        return NULL;
    }

    for (i = 0; i < RMS_GSS_VERSIONS; i++) {
        (void) snprintf(acceptor->versions[i].name,
                        sizeof(acceptor->versions[i].name),
                        "MEMORY:rms-%p-%zu", (void *) acceptor, i);
    }

    memcpy(acceptor->path, keytab, len);

    return acceptor;
}


void
rms_gss_acceptor_free(rms_gss_acceptor_t *acceptor)
{
    size_t  i;

    if (acceptor == NULL) {
        return;
    }

    while (acceptor->nidle > 0) {
        rms_gss_cred_drop(acceptor, &acceptor->idle[--acceptor->nidle]);
    }

    if (acceptor->krb5 != NULL) {

        for (i = 0; i < RMS_GSS_VERSIONS; i++) {
            rms_gss_keys_clear(acceptor->krb5, &acceptor->versions[i]);
        }

        krb5_free_context(acceptor->krb5);
    }

    (void) pthread_mutex_destroy(&acceptor->mutex);
    free(acceptor);
}


const char *
rms_gss_acceptor_keytab(const rms_gss_acceptor_t *acceptor)
{
    return acceptor->path;
}


/*
 * A credential nobody else uses, for the keytab as it is now: the file is
 * looked at each time, so that its loss shows here, as ours, and not as a
 * client's failure.
 */

int
rms_gss_cred_take(rms_gss_acceptor_t *acceptor, const rms_apreq_t *apreq,
    rms_gss_cred_t *cred, rms_line_t *line)
{
    int              err;
    OM_uint32        major, minor;
    rms_gss_stamp_t  stamp;

    if (!rms_gss_stamp(acceptor->path, &stamp)) {
        err = errno;

        rms_gss_cred_trouble(acceptor, line);
        rms_line_add(line, "%s", strerrordesc_np(err));

        return 0;
    }

    if (!rms_gss_cred_keys(acceptor, &stamp, line)) {
        return 0;
    }

    if (rms_gss_cred_idle(acceptor, apreq, cred)) {
        return 1;
    }

    major = rms_gss_cred_acquire(cred, &minor);

    if (GSS_ERROR(major)) {
        rms_gss_cred_trouble(acceptor, line);
        rms_gss_reason(major, minor, line);

        (void) pthread_mutex_lock(&acceptor->mutex);
        rms_gss_cred_drop(acceptor, cred);
        (void) pthread_mutex_unlock(&acceptor->mutex);

        return 0;
    }

    return 1;
}


static void
rms_gss_cred_trouble(const rms_gss_acceptor_t *acceptor, rms_line_t *line)
{
    rms_line_add(line, "keytab ");
    rms_line_quotedz(line, acceptor->path);
    rms_line_add(line, ": ");
}


/*
 * Reads the keytab if it has changed: that says more of a useless one than
 * GSSAPI, which also leaks when it finds no key.
 */

static int
rms_gss_cred_keys(rms_gss_acceptor_t *acceptor, const rms_gss_stamp_t *stamp,
    rms_line_t *line)
{
    char          text[512];
    rms_line_t    said;
    rms_keytab_e  state;
    rms_keytab_t  list;

    if (rms_gss_cred_start(acceptor, stamp)) {
        return 1;
    }

    rms_line_init(&said, text, sizeof(text));

    state = rms_keytab_load(acceptor->path, &list, &said);

    if (state != RMS_KEYTAB_FINE && state != RMS_KEYTAB_WEAK) {
        rms_line_add(line, "%s", text);
        return 0;
    }

    return rms_gss_cred_renew(acceptor, stamp, &list, line);
}


/*
 * Are the keys known that the file holds now?
 *
 * MIT makes a context in each call, and parses krb5.conf anew for it unless
 * another context has, which ours is; whether the file has changed it looks
 * either way.  Not made before a login: the master has no use for it.
 */

static int
rms_gss_cred_start(rms_gss_acceptor_t *acceptor, const rms_gss_stamp_t *stamp)
{
    int  known;

    (void) pthread_mutex_lock(&acceptor->mutex);

    if (acceptor->krb5 == NULL && krb5_init_context(&acceptor->krb5) != 0) {
        acceptor->krb5 = NULL;
    }

    known = acceptor->now != NULL
            && memcmp(&acceptor->now->stamp, stamp, sizeof(rms_gss_stamp_t))
               == 0;

    (void) pthread_mutex_unlock(&acceptor->mutex);

    return known;
}


static int
rms_gss_cred_renew(rms_gss_acceptor_t *acceptor, const rms_gss_stamp_t *stamp,
    const rms_keytab_t *list, rms_line_t *line)
{
    size_t           i;
    krb5_error_code  err;
    rms_gss_keys_t  *keys;

    err = ENOMEM;

    (void) pthread_mutex_lock(&acceptor->mutex);

    acceptor->now = NULL;

    while (acceptor->nidle > 0) {
        rms_gss_cred_drop(acceptor, &acceptor->idle[--acceptor->nidle]);
    }

    for (i = 0; i < RMS_GSS_VERSIONS && acceptor->krb5 != NULL; i++) {
        keys = &acceptor->versions[i];

        if (keys->users == 0) {
            err = rms_gss_keys_fill(acceptor->krb5, keys, acceptor->path,
                                    stamp, list);
            acceptor->now = err ? NULL : keys;
            break;
        }
    }

    (void) pthread_mutex_unlock(&acceptor->mutex);

    if (err) {
        rms_gss_cred_trouble(acceptor, line);
        rms_line_add(line, "cannot be taken into memory");
    }

    return err == 0;
}


/*
 * Which service is the credential to be for?  What the ticket says in clear
 * only picks the key, and the key proves it: MIT need not try all keys, nor
 * be asked afterwards whose key it was, which costs it four contexts.
 *
 * Answers whether there is an idle one; if not, cred->gss is to be acquired.
 */

static int
rms_gss_cred_idle(rms_gss_acceptor_t *acceptor, const rms_apreq_t *apreq,
    rms_gss_cred_t *cred)
{
    size_t           i;
    rms_gss_cred_t  *idle;

    cred->gss = GSS_C_NO_CREDENTIAL;
    cred->service = NULL;

    (void) pthread_mutex_lock(&acceptor->mutex);

    cred->keys = acceptor->now;

    if (cred->keys != NULL && apreq != NULL) {
        cred->service = rms_gss_keys_service(cred->keys, apreq);
    }

    for (i = acceptor->nidle; i-- > 0; ) {
        idle = &acceptor->idle[i];

        if (idle->service == cred->service) {
            *cred = *idle;
            acceptor->nidle--;
            memmove(idle, idle + 1,
                    (acceptor->nidle - i) * sizeof(rms_gss_cred_t));
            break;
        }
    }

    if (cred->gss == GSS_C_NO_CREDENTIAL && cred->keys != NULL) {
        cred->keys->users++;
    }

    (void) pthread_mutex_unlock(&acceptor->mutex);

    return cred->gss != GSS_C_NO_CREDENTIAL;
}


void
rms_gss_cred_give(rms_gss_acceptor_t *acceptor, rms_gss_cred_t *cred)
{
    (void) pthread_mutex_lock(&acceptor->mutex);

    if (cred->keys != acceptor->now) {
        rms_gss_cred_drop(acceptor, cred);

    } else {

        if (acceptor->nidle == RMS_GSS_IDLE_MAX) {
            rms_gss_cred_drop(acceptor, &acceptor->idle[0]);
            acceptor->nidle--;
            memmove(acceptor->idle, acceptor->idle + 1,
                    acceptor->nidle * sizeof(rms_gss_cred_t));
        }

        acceptor->idle[acceptor->nidle++] = *cred;
    }

    (void) pthread_mutex_unlock(&acceptor->mutex);
}


/* Under the lock.  The last user of keys that are no longer those of now. */

static void
rms_gss_cred_drop(rms_gss_acceptor_t *acceptor, rms_gss_cred_t *cred)
{
    OM_uint32  minor;

    if (cred->gss != GSS_C_NO_CREDENTIAL) {
        (void) gss_release_cred(&minor, &cred->gss);
    }

    if (cred->keys != NULL && --cred->keys->users == 0
        && cred->keys != acceptor->now)
    {
        rms_gss_keys_clear(acceptor->krb5, cred->keys);
    }
}


static OM_uint32
rms_gss_cred_acquire(rms_gss_cred_t *cred, OM_uint32 *minor)
{
    OM_uint32   major, ignored;
    gss_name_t  name;

    if (cred->keys == NULL) {
        *minor = ENOENT;
        return GSS_S_NO_CRED;
    }

    major = rms_gss_cred_name(cred, &name, minor);
    if (GSS_ERROR(major)) {
        return major;
    }

    major = rms_gss_cred_mechs(cred, name, minor);

    (void) gss_release_name(&ignored, &name);

    return major;
}


/*
 * A whole principal, or no name: then any key of the keytab may open a
 * ticket, and rms_gss_accept() looks whose it was.  Never the name of a
 * service on a host: libkrb5 would resolve it, even "HTTP" alone.
 */

static OM_uint32
rms_gss_cred_name(const rms_gss_cred_t *cred, gss_name_t *name,
    OM_uint32 *minor)
{
    gss_buffer_desc  text;

    *name = GSS_C_NO_NAME;

    if (cred->service == NULL) {
        return GSS_S_COMPLETE;
    }

    text.value = (void *) (uintptr_t) cred->service;
    text.length = strlen(cred->service);

    return gss_import_name(minor, &text,
                           (gss_OID) (uintptr_t) GSS_KRB5_NT_PRINCIPAL_NAME,
                           name);
}


/*
 * For Kerberos, then for SPNEGO as well, since one for SPNEGO alone refuses
 * raw Kerberos.  Not for both at once: that succeeds when another mechanism
 * found something under SPNEGO and Kerberos found no key.
 */

static OM_uint32
rms_gss_cred_mechs(rms_gss_cred_t *cred, gss_name_t name, OM_uint32 *minor)
{
    OM_uint32                    major;
    gss_OID_set_desc             krb5;
    gss_key_value_set_desc       store;
    gss_key_value_element_desc   parts[2];

    /* "rcache" none: its file is locked for the whole host; ours replaces it */

    parts[0].key = "keytab";
    parts[0].value = cred->keys->name;
    parts[1].key = "rcache";
    parts[1].value = "none:";
    store.count = 2;
    store.elements = parts;

    krb5.count = 1;
    krb5.elements = &rms_gss_krb5;

    major = gss_acquire_cred_from(minor, name, GSS_C_INDEFINITE,
                                  &krb5, GSS_C_ACCEPT, &store, &cred->gss, NULL,
                                  NULL);
    if (GSS_ERROR(major)) {
        return major;
    }

    major = gss_add_cred_from(minor, cred->gss, name, &rms_gss_spnego,
                              GSS_C_ACCEPT, GSS_C_INDEFINITE, GSS_C_INDEFINITE,
                              &store, NULL, NULL, NULL, NULL);
    if (GSS_ERROR(major)) {
        return major;
    }

    /* in SPNEGO too Kerberos only, whatever else is installed */

    return gss_set_neg_mechs(minor, cred->gss, &krb5);
}


/* The mechanism's own words when it has some, else GSSAPI's. */

void
rms_gss_reason(OM_uint32 major, OM_uint32 minor, rms_line_t *line)
{
    if (GSS_ROUTINE_ERROR(major) != GSS_S_FAILURE || minor == 0) {
        rms_gss_status_text(major, GSS_C_GSS_CODE, line);

        if (minor != 0) {
            rms_line_add(line, ": ");
        }
    }

    if (minor != 0) {
        rms_gss_status_text(minor, GSS_C_MECH_CODE, line);
    }
}


/* On the thread of the failed call: the words are kept per thread. */

static void
rms_gss_status_text(OM_uint32 code, int type, rms_line_t *line)
{
    OM_uint32        minor, more;
    rms_str_t        s;
    gss_buffer_desc  text;

    more = 0;

    if (GSS_ERROR(gss_display_status(&minor, code, type, GSS_C_NO_OID, &more,
                                     &text)))
    {
        rms_line_add(line, "error %u", (unsigned) code);
        return;
    }

    s.data = text.value;
    s.len = text.length;

    /* SPNEGO counts the zero at the end in */

    while (s.len > 0 && s.data[s.len - 1] == '\0') {
        s.len--;
    }

    rms_line_text(line, &s);
    (void) gss_release_buffer(&minor, &text);
}
