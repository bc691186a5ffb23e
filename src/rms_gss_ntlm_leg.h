/*
 * One leg of an NTLM login while it runs: what the files rms_gss_ntlm*.c
 * share.  Of one thread.  Internal to the core.
 */

#ifndef RMS_GSS_NTLM_LEG_H
#define RMS_GSS_NTLM_LEG_H


#include <gssapi/gssapi.h>

#include "rms_gss_ntlm.h"
#include "rms_line.h"
#include "rms_ntlm.h"
#include "rms_spnego.h"


typedef struct {
    const rms_gss_ntlm_t     *ntlm;
    rms_gss_login_t          *login;
    rms_gss_context_t        *ctx;          /* NULL: none yet            */
    rms_line_t                line;
    rms_spnego_t              frame;        /* zeroed without SPNEGO     */
    rms_str_t                 message;      /* NTLMSSP, may be empty     */
    rms_ntlm_authenticate_t   auth;
    OM_uint32                 flags;        /* GSSAPI's ret_flags        */
} rms_gss_leg_t;


/* The leg that brings an AUTHENTICATE_MESSAGE. */
rms_gss_status_e rms_gss_ntlm_authenticate(rms_gss_leg_t *leg);


/*
 * gss_accept_sec_context() for the message of this leg.  client and out are
 * the caller's to release.
 */
OM_uint32 rms_gss_ntlm_accept_leg(rms_gss_leg_t *leg,
    gss_name_t *client, gss_buffer_t out, OM_uint32 *minor);


/* It failed: says why, as far as can be told, and whose fault it was. */
rms_gss_status_e rms_gss_ntlm_refused(rms_gss_leg_t *leg,
    OM_uint32 major, OM_uint32 minor);


/* Can the user file be read?  1 or 0, then the line says why. */
int rms_gss_ntlm_file(const rms_gss_ntlm_t *ntlm, rms_line_t *line);


/*
 * The answer of a leg, in a frame if the client's token was.  CONTINUE, or
 * UNAVAILABLE: no memory.
 */
rms_gss_status_e rms_gss_ntlm_output(rms_gss_leg_t *leg,
    rms_spnego_state_e state, const rms_str_t *token, const rms_str_t *mic);


/* Add to the line: a refusal and who it was, who it was, no memory. */
rms_gss_status_e rms_gss_ntlm_fail(rms_gss_leg_t *leg,
    const char *wrong);
void rms_gss_ntlm_who(rms_gss_leg_t *leg);
rms_gss_status_e rms_gss_ntlm_no_memory(rms_gss_leg_t *leg);


#endif /* RMS_GSS_NTLM_LEG_H */
