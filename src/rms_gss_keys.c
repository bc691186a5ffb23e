/*
 * Keytabs in memory: one version of a file each.  Runs on threads of the
 * pool, under the acceptor's lock.  The keys are wiped and freed by MIT with
 * the last handle: ours, and one of each credential.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <string.h>
#include <sys/stat.h>

#include "rms_gss_keys.h"


static krb5_error_code rms_gss_keys_copy(krb5_context krb5, krb5_keytab to,
    krb5_keytab from);


int
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


krb5_error_code
rms_gss_keys_fill(krb5_context krb5, rms_gss_keys_t *keys, const char *path,
    const rms_gss_stamp_t *stamp, const rms_keytab_t *list)
{
    krb5_keytab      file;
    rms_keytab_t     ignored;
    krb5_error_code  err;

    rms_gss_keys_clear(krb5, keys);

    err = krb5_kt_resolve(krb5, keys->name, &keys->memory);
    if (err) {
        keys->memory = NULL;
        return err;
    }

    err = rms_keytab_read(krb5, path, &file, &ignored);

    if (err == 0) {
        err = rms_gss_keys_copy(krb5, keys->memory, file);
    }

    if (file != NULL) {
        (void) krb5_kt_close(krb5, file);
    }

    if (err) {
        rms_gss_keys_clear(krb5, keys);
        return err;
    }

    keys->stamp = *stamp;
    keys->list = *list;

    return 0;
}


static krb5_error_code
rms_gss_keys_copy(krb5_context krb5, krb5_keytab to, krb5_keytab from)
{
    krb5_error_code    err, end;
    krb5_kt_cursor     cursor;
    krb5_keytab_entry  entry;

    err = krb5_kt_start_seq_get(krb5, from, &cursor);
    if (err) {
        return err;
    }

    end = 0;

    while (err == 0) {
        end = krb5_kt_next_entry(krb5, from, &entry, &cursor);
        if (end) {
            break;
        }

        err = krb5_kt_add_entry(krb5, to, &entry);
        (void) krb5_free_keytab_entry_contents(krb5, &entry);
    }

    (void) krb5_kt_end_seq_get(krb5, from, &cursor);

    return (err == 0 && end != KRB5_KT_END) ? end : err;
}


void
rms_gss_keys_clear(krb5_context krb5, rms_gss_keys_t *keys)
{
    memset(&keys->stamp, 0, sizeof(rms_gss_stamp_t));
    keys->list.n = 0;

    if (keys->memory != NULL) {
        (void) krb5_kt_close(krb5, keys->memory);
        keys->memory = NULL;
    }
}


const char *
rms_gss_keys_service(const rms_gss_keys_t *keys, const rms_apreq_t *apreq)
{
    size_t                   i;
    const rms_keytab_key_t  *key;

    for (i = 0; i < keys->list.n; i++) {
        key = &keys->list.keys[i];

        /* the longest names may have been cut */

        if (key->kvno == apreq->ticket_kvno
            && key->etype == apreq->ticket_etype
            && strlen(key->name) < RMS_KEYTAB_NAME_MAX - 1
            && rms_keytab_key_of(key, &apreq->service, &apreq->realm))
        {
            return key->name;
        }
    }

    return NULL;
}
