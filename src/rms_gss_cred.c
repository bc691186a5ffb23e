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
#include <stdlib.h>
#include <sys/stat.h>

#include <gssapi/gssapi_ext.h>

#include "rms_gss_cred.h"


/*
 * MIT holds a credential's lock during an accept, so one that is shared makes
 * threads wait for each other, and acquiring one costs more than an accept:
 * idle ones are kept, for so many threads.
 */

#define RMS_GSS_IDLE_MAX  16


struct rms_gss_acceptor_s {
    pthread_mutex_t  mutex;
    rms_gss_cred_t   idle[RMS_GSS_IDLE_MAX];
    size_t           nidle;
    const char      *path;              /* in keytab                     */
    char             keytab[];          /* "FILE:path", as krb5 wants it */
};


static int rms_gss_cred_idle(rms_gss_acceptor_t *acceptor,
    rms_gss_cred_t *cred);
static OM_uint32 rms_gss_cred_acquire(const rms_gss_acceptor_t *acceptor,
    gss_cred_id_t *cred, OM_uint32 *minor);
static OM_uint32 rms_gss_cred_mechs(const rms_gss_acceptor_t *acceptor,
    gss_cred_id_t *cred, OM_uint32 *minor);
static int rms_gss_stamp(const char *path, rms_gss_stamp_t *stamp);
static void rms_gss_status_text(OM_uint32 code, int type, rms_line_t *line);


static gss_OID_desc  rms_gss_krb5 =
    { 9, (void *) "\x2a\x86\x48\x86\xf7\x12\x01\x02\x02" };
static gss_OID_desc  rms_gss_spnego =
    { 6, (void *) "\x2b\x06\x01\x05\x05\x02" };


rms_gss_acceptor_t *
rms_gss_acceptor_create(const char *keytab)
{
    size_t               len;
    rms_gss_acceptor_t  *acceptor;

    len = strlen(keytab) + 1;

    acceptor = calloc(1, sizeof(rms_gss_acceptor_t) + sizeof("FILE:") + len);
    if (acceptor == NULL) {
        return NULL;
    }

    if (pthread_mutex_init(&acceptor->mutex, NULL) != 0) {
        free(acceptor);
        return NULL;
    }

    memcpy(acceptor->keytab, "FILE:", 5);
    memcpy(acceptor->keytab + 5, keytab, len);
    acceptor->path = acceptor->keytab + 5;

    return acceptor;
}


void
rms_gss_acceptor_free(rms_gss_acceptor_t *acceptor)
{
    OM_uint32  minor;

    if (acceptor == NULL) {
        return;
    }

    while (acceptor->nidle > 0) {
        (void) gss_release_cred(&minor,
                                &acceptor->idle[--acceptor->nidle].gss);
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
 * A credential nobody else uses, for the keytab as it is now: MIT re-opens
 * the file at each accept, but a new one is acquired when the file changed,
 * so that its loss shows here, as ours, and not as a client's failure.
 */

int
rms_gss_cred_take(rms_gss_acceptor_t *acceptor, rms_gss_cred_t *cred,
    rms_line_t *line)
{
    int           err;
    char          text[512];
    OM_uint32     major, minor;
    rms_keytab_e  state;

    if (!rms_gss_stamp(acceptor->path, &cred->stamp)) {
        err = errno;

        rms_line_add(line, "keytab ");
        rms_line_quotedz(line, acceptor->path);
        rms_line_add(line, ": %s", strerrordesc_np(err));

        return 0;
    }

    if (rms_gss_cred_idle(acceptor, cred)) {
        return 1;
    }

    /* it says more than GSSAPI, which also leaks when it finds no key */

    state = rms_keytab_check(acceptor->path, text, sizeof(text));

    if (state != RMS_KEYTAB_FINE && state != RMS_KEYTAB_WEAK) {
        rms_line_add(line, "%s", text);
        return 0;
    }

    major = rms_gss_cred_acquire(acceptor, &cred->gss, &minor);

    if (GSS_ERROR(major)) {
        rms_line_add(line, "keytab ");
        rms_line_quotedz(line, acceptor->path);
        rms_line_add(line, ": ");
        rms_gss_reason(major, minor, line);

        return 0;
    }

    return 1;
}


/* An idle credential with cred->stamp; older ones are released. */

static int
rms_gss_cred_idle(rms_gss_acceptor_t *acceptor, rms_gss_cred_t *cred)
{
    int              found;
    OM_uint32        minor;
    rms_gss_cred_t  *idle;

    found = 0;

    (void) pthread_mutex_lock(&acceptor->mutex);

    while (acceptor->nidle > 0 && !found) {
        idle = &acceptor->idle[--acceptor->nidle];

        if (memcmp(&idle->stamp, &cred->stamp, sizeof(rms_gss_stamp_t)) == 0) {
            cred->gss = idle->gss;
            found = 1;

        } else {
            (void) gss_release_cred(&minor, &idle->gss);
        }
    }

    (void) pthread_mutex_unlock(&acceptor->mutex);

    return found;
}


void
rms_gss_cred_give(rms_gss_acceptor_t *acceptor, rms_gss_cred_t *cred)
{
    int        kept;
    OM_uint32  minor;

    kept = 0;

    (void) pthread_mutex_lock(&acceptor->mutex);

    if (acceptor->nidle < RMS_GSS_IDLE_MAX) {
        acceptor->idle[acceptor->nidle++] = *cred;
        kept = 1;
    }

    (void) pthread_mutex_unlock(&acceptor->mutex);

    if (!kept) {
        (void) gss_release_cred(&minor, &cred->gss);
    }
}


/*
 * For no name in particular: any key of the keytab may open a ticket, and
 * rms_gss_accept() then looks at the service the ticket was for.  A service
 * name, even "HTTP" without a host, makes libkrb5 resolve this host's name.
 */

static OM_uint32
rms_gss_cred_acquire(const rms_gss_acceptor_t *acceptor, gss_cred_id_t *cred,
    OM_uint32 *minor)
{
    OM_uint32  major, ignored;

    *cred = GSS_C_NO_CREDENTIAL;

    major = rms_gss_cred_mechs(acceptor, cred, minor);

    if (GSS_ERROR(major)) {
        (void) gss_release_cred(&ignored, cred);
    }

    return major;
}


/*
 * For Kerberos, then for SPNEGO as well, since one for SPNEGO alone refuses
 * raw Kerberos.  Not for both at once: that succeeds when another mechanism
 * found something under SPNEGO and Kerberos found no key.
 */

static OM_uint32
rms_gss_cred_mechs(const rms_gss_acceptor_t *acceptor, gss_cred_id_t *cred,
    OM_uint32 *minor)
{
    OM_uint32                    major;
    gss_OID_set_desc             krb5;
    gss_key_value_set_desc       store;
    gss_key_value_element_desc   parts[2];

    /* "rcache" none: its file is locked for the whole host; ours replaces it */

    parts[0].key = "keytab";
    parts[0].value = acceptor->keytab;
    parts[1].key = "rcache";
    parts[1].value = "none:";
    store.count = 2;
    store.elements = parts;

    krb5.count = 1;
    krb5.elements = &rms_gss_krb5;

    major = gss_acquire_cred_from(minor, GSS_C_NO_NAME, GSS_C_INDEFINITE,
                                  &krb5, GSS_C_ACCEPT, &store, cred, NULL,
                                  NULL);
    if (GSS_ERROR(major)) {
        return major;
    }

    major = gss_add_cred_from(minor, *cred, GSS_C_NO_NAME, &rms_gss_spnego,
                              GSS_C_ACCEPT, GSS_C_INDEFINITE, GSS_C_INDEFINITE,
                              &store, NULL, NULL, NULL, NULL);
    if (GSS_ERROR(major)) {
        return major;
    }

    /* in SPNEGO too Kerberos only, whatever else is installed */

    return gss_set_neg_mechs(minor, *cred, &krb5);
}


static int
rms_gss_stamp(const char *path, rms_gss_stamp_t *stamp)
{
    struct stat  st;

    if (stat(path, &st) == -1) {
        return 0;
    }

    /* compared as bytes: the padding too must be equal */

    memset(stamp, 0, sizeof(rms_gss_stamp_t));

    stamp->dev = st.st_dev;
    stamp->ino = st.st_ino;
    stamp->size = st.st_size;
    stamp->mtime = st.st_mtim;
    stamp->ctime = st.st_ctim;

    return 1;
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
