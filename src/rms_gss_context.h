/*
 * What lies between the legs of a login: GSSAPI's context and what we have to
 * remember beside it.  One thread at a time.  Freed by rms_gss_context_free().
 * Internal to the core.
 */

#ifndef RMS_GSS_CONTEXT_H
#define RMS_GSS_CONTEXT_H


#include <gssapi/gssapi.h>

#include "rms_gss.h"
#include "rms_spnego.h"


typedef enum {
    RMS_GSS_KRB5 = 0,
    RMS_GSS_NTLM
} rms_gss_mech_e;


/* NTLM: how far it is, and the client's list of mechanisms. */

typedef struct {
    unsigned        challenged:1;       /* a CHALLENGE_MESSAGE went out  */
    unsigned        answered:1;         /* a NegTokenResp went out       */
    unsigned        sign:1;             /* the list has to be signed     */
    uint32_t        flags;              /* NegotiateFlags of the challenge */
    size_t          mechs_len;
    unsigned char   mechs[RMS_SPNEGO_MECHS_MAX];
} rms_gss_ntlm_legs_t;


struct rms_gss_context_s {
    rms_gss_mech_e       mech;
    gss_ctx_id_t         gss;
    unsigned             legs;
    unsigned             spnego:1;
    unsigned             has_apreq:1;   /* these five are of Kerberos    */
    unsigned             etype;
    unsigned             kvno;
    unsigned char        hash[32];
    char                 ticket[320];   /* its clear parts, for the log  */
    rms_str_t            encrypted;     /* all of it, malloc'd; only when
                                           SIDs are wanted               */
    rms_gss_ntlm_legs_t  ntlm;
};


#endif /* RMS_GSS_CONTEXT_H */
