/*
 * The library behind an NTLM login, and whose fault it is when it fails.
 * Blocks on winbind and runs on a thread of the pool of NTLM.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include <gssapi/gssapi_ext.h>

#include "rms_gss_context.h"
#include "rms_gss_cred.h"
#include "rms_gss_ntlm_leg.h"
#include "rms_winbind.h"
#include "rms_winbind_status.h"


static OM_uint32 rms_gss_ntlm_cred(const rms_gss_ntlm_t *ntlm,
    gss_cred_id_t *cred, OM_uint32 *minor);
static void rms_gss_ntlm_why(rms_gss_leg_t *leg, OM_uint32 major);
static rms_gss_status_e rms_gss_ntlm_blame(rms_gss_leg_t *leg,
    int asked, rms_winbind_cause_e cause);


static gss_OID_desc  rms_gss_ntlm_mech =
    { 10, (void *) "\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a" };


OM_uint32
rms_gss_ntlm_accept_leg(rms_gss_leg_t *leg, gss_name_t *client,
    gss_buffer_t out, OM_uint32 *minor)
{
    OM_uint32                              major, ignored;
    gss_cred_id_t                          cred;
    gss_buffer_desc                        in;
    struct gss_channel_bindings_struct     cb;

    cred = GSS_C_NO_CREDENTIAL;
    major = rms_gss_ntlm_cred(leg->ntlm, &cred, minor);

    if (GSS_ERROR(major)) {
        return major;
    }

    /* no addresses: GSS_C_AF_UNSPEC, as in clients, and not NULLADDR */

    memset(&cb, 0, sizeof(struct gss_channel_bindings_struct));
    cb.application_data.value = leg->login->cbind.data;
    cb.application_data.length = leg->login->cbind.len;

    in.value = leg->message.data;
    in.length = leg->message.len;

    rms_winbind_listen();

    major = gss_accept_sec_context(minor, &leg->ctx->gss, cred, &in,
                                   (leg->login->cbind_mode == RMS_CBIND_OFF
                                    || leg->login->cbind.len == 0)
                                   ? GSS_C_NO_CHANNEL_BINDINGS : &cb,
                                   client, NULL, out, &leg->flags, NULL,
                                   NULL);

    (void) gss_release_cred(&ignored, &cred);

    return major;
}


/*
 * For NTLM alone.  A user file is named by the credential, not by the
 * environment, which the host may clear; the library takes it only with a
 * name of a server, and "@" is that of this host, without a look at DNS.
 */

static OM_uint32
rms_gss_ntlm_cred(const rms_gss_ntlm_t *ntlm, gss_cred_id_t *cred,
    OM_uint32 *minor)
{
    OM_uint32                   major, ignored;
    gss_name_t                  host;
    gss_buffer_desc             text;
    gss_OID_set_desc            mechs;
    gss_key_value_set_desc      store;
    gss_key_value_element_desc  part;

    text.value = "@";
    text.length = 1;

    major = gss_import_name(minor, &text, GSS_C_NT_HOSTBASED_SERVICE, &host);

    if (GSS_ERROR(major)) {
        return major;
    }

    mechs.count = 1;
    mechs.elements = &rms_gss_ntlm_mech;

    part.key = "ntlmssp_keyfile";
    part.value = ntlm->user_file;
    store.count = 1;
    store.elements = &part;

    major = gss_acquire_cred_from(minor, host, GSS_C_INDEFINITE, &mechs,
                                  GSS_C_ACCEPT,
                                  ntlm->user_file ? &store : NULL, cred, NULL,
                                  NULL);

    (void) gss_release_name(&ignored, &host);

    return major;
}


/*
 * Whose fault was it?  By the major status, and by what was overheard of
 * winbind: minor ones are renumbered by GSSAPI where mechanisms share one, and
 * gss-ntlmssp has one for all that winbind can say.
 */

rms_gss_status_e
rms_gss_ntlm_refused(rms_gss_leg_t *leg, OM_uint32 major, OM_uint32 minor)
{
    int                  asked;
    rms_gss_status_e     status;
    rms_winbind_cause_e  cause;

    if (GSS_ROUTINE_ERROR(major) == GSS_S_BAD_MECH) {
        rms_line_add(&leg->line, "GSSAPI has no NTLM mechanism; install "
                     "gss-ntlmssp");
        return RMS_GSS_UNAVAILABLE;
    }

    /* was it about this account? */

    asked = leg->ctx->ntlm.challenged
            && GSS_ROUTINE_ERROR(major) == GSS_S_FAILURE;

    cause = rms_winbind_cause(asked ? rms_winbind_heard() : 0, &leg->line);

    if (cause == RMS_WINBIND_ACCOUNT) {
        rms_gss_ntlm_who(leg);
        return RMS_GSS_FAILED;
    }

    status = rms_gss_ntlm_blame(leg, asked, cause);

    if (status != RMS_GSS_UNAVAILABLE && minor == ENOMEM) {
        return rms_gss_ntlm_no_memory(leg);
    }

    if (status != RMS_GSS_UNAVAILABLE && leg->ctx->ntlm.challenged) {
        rms_gss_ntlm_why(leg, major);
    }

    /* its own words are those of errno, whatever happened */

    rms_line_add(&leg->line, "gss-ntlmssp says: ");
    rms_gss_reason(major, minor, &leg->line);
    rms_gss_ntlm_who(leg);

    return status;
}


/* Of an AUTHENTICATE_MESSAGE; what winbind said is in the line already. */

static void
rms_gss_ntlm_why(rms_gss_leg_t *leg, OM_uint32 major)
{
    switch (GSS_ROUTINE_ERROR(major)) {

    case GSS_S_FAILURE:
        if (leg->ntlm->user_file != NULL) {
            rms_line_add(&leg->line, "wrong password, or an unknown "
                         "account; ");
        }

        break;

    case GSS_S_DEFECTIVE_TOKEN:
        rms_line_add(&leg->line, "the message or its channel binding does not "
                     "verify; ");
        break;

    default:
        break;
    }
}


/*
 * UNAVAILABLE where what we need is not there; the line says what.  asked: it
 * was about the account, whose fault it may be where nothing was heard.
 */

static rms_gss_status_e
rms_gss_ntlm_blame(rms_gss_leg_t *leg, int asked, rms_winbind_cause_e cause)
{
    char           domain[RMS_NTLM_NAME_MAX + 1];
    char           user[RMS_NTLM_NAME_MAX + 1];
    rms_winbind_e  state;

    if (leg->ntlm->user_file != NULL) {
        return rms_gss_ntlm_file(leg->ntlm, &leg->line)
               ? RMS_GSS_FAILED : RMS_GSS_UNAVAILABLE;
    }

    if (cause != RMS_WINBIND_SILENT) {
        rms_line_add(&leg->line, "; ");
        asked = 0;
    }

    (void) snprintf(domain, sizeof(domain), "%.*s", (int) leg->auth.domain.len,
                    (char *) leg->auth.domain.data);
    (void) snprintf(user, sizeof(user), "%.*s", (int) leg->auth.user.len,
                    (char *) leg->auth.user.data);

    state = rms_winbind_state(asked ? domain : NULL, asked ? user : NULL,
                              &leg->line);

    return (cause != RMS_WINBIND_OURS
            && (state == RMS_WINBIND_FINE || state == RMS_WINBIND_UNKNOWN))
           ? RMS_GSS_FAILED : RMS_GSS_UNAVAILABLE;
}


int
rms_gss_ntlm_file(const rms_gss_ntlm_t *ntlm, rms_line_t *line)
{
    int  err;

    if (access(ntlm->user_file, R_OK) == 0) {
        return 1;
    }

    err = errno;

    rms_line_add(line, "NTLM user file ");
    rms_line_quotedz(line, ntlm->user_file);
    rms_line_add(line, ": %s; ", strerrordesc_np(err));

    return 0;
}


int
rms_gss_ntlm_check(const rms_gss_ntlm_t *ntlm, int winbind, char *text,
    size_t size)
{
    int           there;
    OM_uint32     minor;
    rms_line_t    line;
    gss_OID_set   mechs;

    rms_line_init(&line, text, size);

    there = 0;

    if (!GSS_ERROR(gss_indicate_mechs(&minor, &mechs))) {
        (void) gss_test_oid_set_member(&minor, &rms_gss_ntlm_mech, mechs,
                                       &there);
        (void) gss_release_oid_set(&minor, &mechs);
    }

    if (!there) {
        rms_line_add(&line, "GSSAPI has no NTLM mechanism; install "
                     "gss-ntlmssp");
        return 0;
    }

    if (ntlm->user_file != NULL) {
        return rms_gss_ntlm_file(ntlm, &line);
    }

    return !winbind || rms_winbind_state(NULL, NULL, &line) == RMS_WINBIND_FINE;
}
