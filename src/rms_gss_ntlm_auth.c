/*
 * The last leg of an NTLM login: who is it, is it proven, what else do we
 * know?  Blocks on winbind and runs on a thread of the pool of NTLM.
 */

#include <stdlib.h>

#include <gssapi/gssapi_ext.h>

#include "rms_gss_context.h"
#include "rms_gss_ntlm_leg.h"
#include "rms_principal.h"


#define RMS_GSS_SIDS     "urn:gssntlmssp:sids"
#define RMS_GSS_MIC_LEN  16


static rms_gss_status_e rms_gss_ntlm_prove(rms_gss_leg_t *leg);
static rms_gss_status_e rms_gss_ntlm_finish(rms_gss_leg_t *leg,
    gss_name_t client);
static rms_gss_status_e rms_gss_ntlm_claim(rms_gss_leg_t *leg);
static rms_gss_status_e rms_gss_ntlm_unmapped(rms_gss_leg_t *leg);
static const char *rms_gss_ntlm_bindings(const rms_gss_leg_t *leg);
static const char *rms_gss_ntlm_same(const rms_gss_leg_t *leg,
    gss_name_t client);
static rms_gss_status_e rms_gss_ntlm_sids(rms_gss_leg_t *leg,
    gss_name_t client);
static const char *rms_gss_ntlm_list(rms_gss_leg_t *leg, rms_str_t *mic);
static void *rms_gss_ntlm_malloc(void *data, size_t size);


static const rms_str_t  rms_gss_nothing = rms_null_string;

static const rms_mem_t  rms_gss_ntlm_mem = { rms_gss_ntlm_malloc, NULL };


/* All that can be refused without asking winbind is refused without it. */

rms_gss_status_e
rms_gss_ntlm_authenticate(rms_gss_leg_t *leg)
{
    const char        *wrong;
    rms_gss_status_e   status;

    wrong = rms_ntlm_authenticate_read(&leg->message, leg->ctx->ntlm.flags,
                                       &leg->auth);
    if (wrong != NULL) {
        return rms_gss_ntlm_fail(leg, wrong);
    }

    status = rms_gss_ntlm_claim(leg);

    if (status != RMS_GSS_DONE) {
        return status;
    }

    wrong = rms_gss_ntlm_bindings(leg);

    return wrong ? rms_gss_ntlm_fail(leg, wrong) : rms_gss_ntlm_prove(leg);
}


static rms_gss_status_e
rms_gss_ntlm_prove(rms_gss_leg_t *leg)
{
    OM_uint32         major, minor, ignored;
    gss_name_t        client;
    gss_buffer_desc   out = GSS_C_EMPTY_BUFFER;
    rms_gss_status_e  status;

    client = GSS_C_NO_NAME;
    major = rms_gss_ntlm_accept_leg(leg, &client, &out, &minor);

    if (GSS_ERROR(major)) {
        status = rms_gss_ntlm_refused(leg, major, minor);

    } else if (major != GSS_S_COMPLETE) {
        status = rms_gss_ntlm_fail(leg, "the handshake does not end");

    } else {
        status = rms_gss_ntlm_finish(leg, client);
    }

    (void) gss_release_name(&ignored, &client);
    (void) gss_release_buffer(&ignored, &out);

    return status;
}


static rms_gss_status_e
rms_gss_ntlm_finish(rms_gss_leg_t *leg, gss_name_t client)
{
    OM_uint32         minor;
    rms_str_t         mic;
    const char       *wrong;
    rms_gss_login_t  *login;
    gss_buffer_desc   made;
    rms_gss_status_e  status;

    login = leg->login;
    mic = rms_gss_nothing;

    login->bound = (leg->flags & GSS_C_CHANNEL_BOUND_FLAG) != 0;

    wrong = rms_gss_ntlm_same(leg, client);

    if (wrong == NULL && leg->auth.bound && !login->bound
        && login->cbind_mode != RMS_CBIND_OFF && login->cbind.len > 0)
    {
        wrong = "the GSSAPI library does not tell of channel bindings";
    }

    if (wrong == NULL) {
        wrong = rms_gss_ntlm_list(leg, &mic);
    }

    if (wrong != NULL) {
        return rms_gss_ntlm_fail(leg, wrong);
    }

    status = rms_gss_ntlm_sids(leg, client);

    if (status == RMS_GSS_DONE && leg->ctx->spnego) {
        status = rms_gss_ntlm_output(leg, RMS_SPNEGO_COMPLETED,
                                     &rms_gss_nothing, &mic);
    }

    made.value = mic.data;
    made.length = mic.len;
    (void) gss_release_buffer(&minor, &made);

    if (status == RMS_GSS_UNAVAILABLE || status == RMS_GSS_FAILED) {
        return status;
    }

    login->account = login->claimed;
    login->claimed = rms_gss_nothing;

    rms_line_add(&leg->line, "ntlm account=");
    rms_line_quoted(&leg->line, &login->account);
    rms_line_add(&leg->line, " bound=%s", login->bound ? "yes" : "no");

    return RMS_GSS_DONE;
}


/*
 * Whom the client says it is, as name@REALM, into login->claimed.  DONE: the
 * domain is in the table, and it is a name we let in.
 */

static rms_gss_status_e
rms_gss_ntlm_claim(rms_gss_leg_t *leg)
{
    size_t                    i, n;
    rms_str_t                *claimed;
    rms_principal_t           principal;
    const rms_ntlm_domain_t  *domain;

    domain = NULL;

    for (i = 0; i < leg->ntlm->n_domains && domain == NULL; i++) {
        if (rms_str_case_eq(&leg->ntlm->domains[i].name, &leg->auth.domain)) {
            domain = &leg->ntlm->domains[i];
        }
    }

    if (domain == NULL || leg->auth.domain.len == 0) {
        return rms_gss_ntlm_unmapped(leg);
    }

    n = leg->auth.user.len;
    claimed = &leg->login->claimed;

    claimed->data = malloc(n + 1 + domain->realm.len);
    if (claimed->data == NULL) {
        return rms_gss_ntlm_no_memory(leg);
    }

    memcpy(claimed->data, leg->auth.user.data, n);
    claimed->data[n] = '@';
    memcpy(claimed->data + n + 1, domain->realm.data, domain->realm.len);
    claimed->len = n + 1 + domain->realm.len;

    if (rms_principal_parse(claimed, &principal) != RMS_OK) {
        return rms_gss_ntlm_fail(leg, "an account name we refuse");
    }

    leg->login->foreign = domain->foreign;

    return RMS_GSS_DONE;
}


/* The line to write is shown only where it could be written as it stands. */

static rms_gss_status_e
rms_gss_ntlm_unmapped(rms_gss_leg_t *leg)
{
    size_t            i;
    unsigned char     c;
    const rms_str_t  *domain;

    domain = &leg->auth.domain;

    if (domain->len == 0) {
        return rms_gss_ntlm_fail(leg, "an NTLM login without a domain");
    }

    for (i = 0; i < domain->len; i++) {
        c = domain->data[i];

        if (!(rms_lower(c) >= 'a' && rms_lower(c) <= 'z')
            && !(c >= '0' && c <= '9') && c != '-' && c != '.' && c != '_')
        {
            return rms_gss_ntlm_fail(leg, "an unknown domain");
        }
    }

    rms_line_add(&leg->line, "an unknown domain; if it is one of yours, write "
                 "\"rms_domain ");
    rms_line_text(&leg->line, domain);
    rms_line_add(&leg->line, "=its.realm;\"");
    rms_gss_ntlm_who(leg);

    return RMS_GSS_FAILED;
}


static const char *
rms_gss_ntlm_bindings(const rms_gss_leg_t *leg)
{
    if (leg->login->cbind_mode != RMS_CBIND_REQUIRE) {
        return NULL;
    }

    if (leg->login->cbind.len == 0) {
        return "a channel binding is required, and this connection is not TLS";
    }

    return leg->auth.bound ? NULL : "the client sent no channel binding, and "
                                    "it is required";
}


/*
 * The library's name must be the one we have read and mapped.  It may count
 * the zero at the end in.
 */

static const char *
rms_gss_ntlm_same(const rms_gss_leg_t *leg, gss_name_t client)
{
    int              same;
    size_t           len;
    OM_uint32        minor;
    const char      *p;
    gss_buffer_desc  shown;

    if (leg->flags & GSS_C_ANON_FLAG) {
        return "an anonymous NTLM login";
    }

    if (client == GSS_C_NO_NAME
        || GSS_ERROR(gss_display_name(&minor, client, &shown, NULL)))
    {
        return "a login without a name";
    }

    p = shown.value;
    len = shown.length;

    if (len > 0 && p[len - 1] == '\0') {
        len--;
    }

    same = len == leg->auth.domain.len + 1 + leg->auth.user.len
           && memcmp(p, leg->auth.domain.data, leg->auth.domain.len) == 0
           && p[leg->auth.domain.len] == '\\'
           && memcmp(p + leg->auth.domain.len + 1, leg->auth.user.data,
                     leg->auth.user.len)
              == 0;

    (void) gss_release_buffer(&minor, &shown);

    return same ? NULL : "the GSSAPI library names another account";
}


/*
 * Who logs in is known to the domain: what winbind says is a guest is
 * somebody it did not know.  Without SIDs that cannot be told.
 */

static rms_gss_status_e
rms_gss_ntlm_sids(rms_gss_leg_t *leg, gss_name_t client)
{
    int               authenticated, complete, more;
    rms_rc_e          rc;
    OM_uint32         major, minor;
    rms_str_t         text;
    gss_buffer_desc   name, value = GSS_C_EMPTY_BUFFER;
    rms_gss_login_t  *login;

    if (leg->ntlm->user_file != NULL) {
        return RMS_GSS_DONE;
    }

    login = leg->login;
    name.value = (void *) RMS_GSS_SIDS;
    name.length = sizeof(RMS_GSS_SIDS) - 1;
    authenticated = 0;
    more = -1;

    major = gss_get_name_attribute(&minor, client, &name, &authenticated,
                                   &complete, &value, NULL, &more);

    if (GSS_ERROR(major) || !authenticated) {
        rms_line_add(&leg->line, "winbind told no SIDs, gss-ntlmssp 1.0 or "
                     "later is needed");
        (void) gss_release_buffer(&minor, &value);
        return RMS_GSS_UNAVAILABLE;
    }

    text.data = value.value;
    text.len = value.length;

    rc = rms_ntlm_sids(&text, &rms_gss_ntlm_mem, &login->sids,
                       &login->sids_memory);

    (void) gss_release_buffer(&minor, &value);

    if (rc == RMS_NOMEM) {
        return rms_gss_ntlm_no_memory(leg);
    }

    if (rc != RMS_OK) {
        return rms_gss_ntlm_fail(leg, "SIDs that cannot be read, or too many");
    }

    if (rms_ntlm_sids_guest(&login->sids)) {
        return rms_gss_ntlm_fail(leg, "an unknown account, taken for a guest");
    }

    login->has_sids = 1;

    return RMS_GSS_DONE;
}


/*
 * RFC 4178 5: the client's signature of its list, and ours of the same.  It
 * may be left out when NTLM was its first choice.  Without integrity NTLM's
 * signature is a constant, so then it proves nothing.
 */

static const char *
rms_gss_ntlm_list(rms_gss_leg_t *leg, rms_str_t *mic)
{
    int               integrity;
    OM_uint32         minor;
    gss_buffer_desc   list, theirs, ours = GSS_C_EMPTY_BUFFER;

    integrity = (leg->flags & GSS_C_INTEG_FLAG) != 0;

    if (leg->ctx->ntlm.sign && (leg->frame.mic.len == 0 || !integrity)) {
        return "the client's list of mechanisms is not signed";
    }

    if (leg->frame.mic.len == 0 || !integrity) {
        return NULL;
    }

    list.value = leg->ctx->ntlm.mechs;
    list.length = leg->ctx->ntlm.mechs_len;
    theirs.value = leg->frame.mic.data;
    theirs.length = leg->frame.mic.len;

    /* the library does not look at the length */

    if (theirs.length != RMS_GSS_MIC_LEN
        || gss_verify_mic(&minor, leg->ctx->gss, &list, &theirs, NULL)
           != GSS_S_COMPLETE)
    {
        return "the signature of the client's list of mechanisms is wrong";
    }

    if (gss_get_mic(&minor, leg->ctx->gss, GSS_C_QOP_DEFAULT, &list, &ours)
        != GSS_S_COMPLETE)
    {
        return "the list of mechanisms cannot be signed";
    }

    mic->data = ours.value;
    mic->len = ours.length;

    return NULL;
}


static void *
rms_gss_ntlm_malloc(void *data, size_t size)
{
    (void) data;

    return malloc(size);
}
