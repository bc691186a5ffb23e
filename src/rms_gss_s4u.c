/*
 * S4U2Self.  A TGT of our own, then a ticket for the account to ourselves,
 * whose PAC is read as that of any login is.  All of it lives in caches in
 * memory, which are destroyed here.
 */

#include <stdlib.h>

#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>

#include "rms_gss_cred.h"
#include "rms_gss_pac.h"
#include "rms_gss_s4u.h"
#include "rms_keytab.h"
#include "rms_principal.h"


/* HTTP/ principals of the keytab that are tried as names of accounts. */

#define RMS_S4U_TRIES  4


typedef struct {
    krb5_context    krb5;
    krb5_keytab     keytab;
    krb5_ccache     own;                /* our TGT                       */
    krb5_ccache     theirs;             /* the ticket for the account    */
    rms_line_t      line;
} rms_s4u_t;


static void rms_s4u_ask(rms_s4u_t *s, const rms_keytab_t *keys,
    rms_gss_s4u_t *s4u);
static int rms_s4u_foreign(const rms_keytab_t *keys, const rms_str_t *realm);
static int rms_s4u_key_first(const rms_keytab_t *keys, size_t i,
    const rms_str_t *realm);
static krb5_error_code rms_s4u_login(rms_s4u_t *s, const char *name);
static int rms_s4u_impersonate(rms_s4u_t *s, const rms_str_t *account);
static void rms_s4u_read(rms_s4u_t *s, rms_gss_s4u_t *s4u);
static krb5_error_code rms_s4u_ticket(rms_s4u_t *s, const rms_str_t *account,
    krb5_creds *found);
static void rms_s4u_failed(rms_s4u_t *s, const char *what,
    krb5_error_code err);
static void *rms_s4u_alloc(void *data, size_t size);


void
rms_gss_s4u(rms_gss_s4u_t *s4u)
{
    rms_s4u_t         s;
    rms_keytab_t     *keys;
    krb5_error_code   err;

    memset(&s, 0, sizeof(rms_s4u_t));

    s4u->foreign = 0;
    s4u->has_sids = 0;
    s4u->sids_memory = NULL;

    rms_line_init(&s.line, s4u->text, sizeof(s4u->text));

    keys = malloc(sizeof(rms_keytab_t));

    if (keys == NULL || krb5_init_context(&s.krb5) != 0) {
        rms_line_add(&s.line, "no memory");
        free(keys);
        return;
    }

    err = rms_keytab_read(s.krb5, s4u->keytab, &s.keytab, keys);

    if (err) {
        rms_s4u_failed(&s, "keytab", err);

    } else {
        rms_s4u_ask(&s, keys, s4u);
    }

    if (s.theirs) {
        (void) krb5_cc_destroy(s.krb5, s.theirs);
    }

    if (s.own) {
        (void) krb5_cc_destroy(s.krb5, s.own);
    }

    if (s.keytab) {
        (void) krb5_kt_close(s.krb5, s.keytab);
    }

    krb5_free_context(s.krb5);
    free(keys);
}


int
rms_gss_s4u_foreign(const char *keytab, const rms_str_t *account)
{
    int               foreign;
    krb5_keytab       handle;
    krb5_context      krb5;
    rms_keytab_t     *keys;
    rms_principal_t   p;

    keys = malloc(sizeof(rms_keytab_t));

    if (keys == NULL || krb5_init_context(&krb5) != 0) {
        free(keys);
        return 1;
    }

    foreign = rms_keytab_read(krb5, keytab, &handle, keys) != 0
              || rms_principal_parse(account, &p) != RMS_OK
              || rms_s4u_foreign(keys, &p.realm);

    if (handle) {
        (void) krb5_kt_close(krb5, handle);
    }

    krb5_free_context(krb5);
    free(keys);

    return foreign;
}


static void
rms_s4u_ask(rms_s4u_t *s, const rms_keytab_t *keys, rms_gss_s4u_t *s4u)
{
    size_t           i, tries;
    rms_principal_t  account;
    krb5_error_code  err;

    if (rms_principal_parse(&s4u->account, &account) != RMS_OK) {
        rms_line_add(&s->line, "not an account");
        return;
    }

    if (rms_s4u_foreign(keys, &account.realm)) {
        s4u->foreign = 1;
        rms_line_add(&s->line, "the account is of a foreign realm");
        return;
    }

    err = krb5_cc_new_unique(s->krb5, "MEMORY", NULL, &s->own);

    if (err == 0) {
        err = krb5_cc_new_unique(s->krb5, "MEMORY", NULL, &s->theirs);
    }

    if (err) {
        rms_s4u_failed(s, "no cache", err);
        return;
    }

    err = KRB5_KT_NOTFOUND;

    for (i = 0, tries = 0; i < keys->n && tries < RMS_S4U_TRIES; i++) {

        if (rms_s4u_key_first(keys, i, &account.realm)) {
            tries++;
            err = rms_s4u_login(s, keys->keys[i].name);
        }

        if (err == 0) {
            break;
        }
    }

    if (err) {
        rms_s4u_failed(s, "no ticket for ourselves", err);
        return;
    }

    if (rms_s4u_impersonate(s, &s4u->account)) {
        rms_s4u_read(s, s4u);
    }
}


static int
rms_s4u_foreign(const rms_keytab_t *keys, const rms_str_t *realm)
{
    size_t  i;

    for (i = 0; i < keys->n; i++) {
        if (rms_s4u_key_first(keys, i, realm)) {
            return 0;
        }
    }

    return 1;
}


/* Is the i-th key the first one of its principal, and this of the realm? */

static int
rms_s4u_key_first(const rms_keytab_t *keys, size_t i, const rms_str_t *realm)
{
    size_t           k;
    rms_str_t        name;
    rms_principal_t  p;

    for (k = 0; k < i; k++) {
        if (strcmp(keys->keys[k].name, keys->keys[i].name) == 0) {
            return 0;
        }
    }

    name.data = (unsigned char *) keys->keys[i].name;
    name.len = strlen(keys->keys[i].name);

    return rms_principal_parse(&name, &p) == RMS_OK
           && rms_str_eq(&p.realm, realm);
}


static krb5_error_code
rms_s4u_login(rms_s4u_t *s, const char *name)
{
    krb5_creds       creds;
    krb5_error_code  err;
    krb5_principal   client;

    err = krb5_parse_name(s->krb5, name, &client);
    if (err) {
        return err;
    }

    memset(&creds, 0, sizeof(krb5_creds));

    err = krb5_get_init_creds_keytab(s->krb5, &creds, client, s->keytab, 0,
                                     NULL, NULL);

    if (err == 0) {
        err = krb5_cc_initialize(s->krb5, s->own, creds.client);
    }

    if (err == 0) {
        err = krb5_cc_store_cred(s->krb5, s->own, &creds);
    }

    krb5_free_cred_contents(s->krb5, &creds);
    krb5_free_principal(s->krb5, client);

    return err;
}


/* 0: the line says why not. */

static int
rms_s4u_impersonate(rms_s4u_t *s, const rms_str_t *account)
{
    OM_uint32        major, minor, ignored;
    gss_name_t       name;
    gss_cred_id_t    own, theirs;
    gss_buffer_desc  text;

    text.value = account->data;
    text.length = account->len;

    name = GSS_C_NO_NAME;
    own = GSS_C_NO_CREDENTIAL;
    theirs = GSS_C_NO_CREDENTIAL;

    major = gss_import_name(&minor, &text,
                            (gss_OID) GSS_KRB5_NT_PRINCIPAL_NAME, &name);

    if (!GSS_ERROR(major)) {
        major = gss_krb5_import_cred(&minor, s->own, NULL, NULL, &own);
    }

    if (!GSS_ERROR(major)) {
        major = gss_acquire_cred_impersonate_name(&minor, own, name,
                                                  GSS_C_INDEFINITE,
                                                  GSS_C_NO_OID_SET,
                                                  GSS_C_INITIATE, &theirs,
                                                  NULL, NULL);
    }

    if (!GSS_ERROR(major)) {
        major = gss_krb5_copy_ccache(&minor, theirs, s->theirs);
    }

    if (GSS_ERROR(major)) {
        rms_line_add(&s->line, "no ticket for the account: ");
        rms_gss_reason(major, minor, &s->line);
    }

    (void) gss_release_cred(&ignored, &theirs);
    (void) gss_release_cred(&ignored, &own);
    (void) gss_release_name(&ignored, &name);

    return !GSS_ERROR(major);
}


static void
rms_s4u_read(rms_s4u_t *s, rms_gss_s4u_t *s4u)
{
    rms_pac_t        pac;
    rms_str_t        ticket;
    krb5_creds       creds;
    rms_gss_pac_e    status;
    krb5_error_code  err;

    static const rms_mem_t  mem = { rms_s4u_alloc, NULL };

    err = rms_s4u_ticket(s, &s4u->account, &creds);

    if (err) {
        rms_s4u_failed(s, "no ticket for the account", err);
        return;
    }

    ticket.data = (unsigned char *) creds.ticket.data;
    ticket.len = creds.ticket.length;

    status = rms_gss_pac_read(s->keytab, &ticket, &s4u->account, &mem, &pac);

    krb5_free_cred_contents(s->krb5, &creds);

    if (status != RMS_GSS_PAC_FINE) {
        rms_line_add(&s->line, "%s", rms_gss_pac_text(status));
        return;
    }

    s4u->has_sids = 1;
    s4u->sids = pac.sids;
    s4u->sids_memory = pac.memory;
}


/* Our TGT is in the same cache. */

static krb5_error_code
rms_s4u_ticket(rms_s4u_t *s, const rms_str_t *account, krb5_creds *found)
{
    char             *name;
    krb5_error_code   err;
    krb5_cc_cursor    cursor;

    err = krb5_cc_start_seq_get(s->krb5, s->theirs, &cursor);
    if (err) {
        return err;
    }

    while ((err = krb5_cc_next_cred(s->krb5, s->theirs, &cursor, found)) == 0)
    {
        err = krb5_unparse_name(s->krb5, found->client, &name);

        if (err == 0 && strlen(name) == account->len
            && memcmp(name, account->data, account->len) == 0
            && !krb5_is_config_principal(s->krb5, found->server))
        {
            krb5_free_unparsed_name(s->krb5, name);
            break;
        }

        if (err == 0) {
            krb5_free_unparsed_name(s->krb5, name);
        }

        krb5_free_cred_contents(s->krb5, found);
    }

    (void) krb5_cc_end_seq_get(s->krb5, s->theirs, &cursor);

    return err;
}


static void
rms_s4u_failed(rms_s4u_t *s, const char *what, krb5_error_code err)
{
    rms_str_t    text;
    const char  *message;

    message = krb5_get_error_message(s->krb5, err);

    text.data = (unsigned char *) message;
    text.len = strlen(message);

    rms_line_add(&s->line, "%s: ", what);
    rms_line_text(&s->line, &text);

    krb5_free_error_message(s->krb5, message);
}


static void *
rms_s4u_alloc(void *data, size_t size)
{
    (void) data;

    return malloc(size);
}
