/*
 * The frames of SPNEGO (RFC 4178) around the tokens of one mechanism, NTLM:
 * Kerberos leaves them to the library.  Pure functions, any thread.
 */

#ifndef RMS_SPNEGO_H
#define RMS_SPNEGO_H


#include "rms_types.h"


/* bytes of a MechTypeList we keep, to verify its signature later */
#define RMS_SPNEGO_MECHS_MAX  512

/* what a frame adds to token and MIC, at most */
#define RMS_SPNEGO_FRAME_MAX  64


/* negState, RFC 4178 4.2.2 */

typedef enum {
    RMS_SPNEGO_COMPLETED = 0,
    RMS_SPNEGO_INCOMPLETE = 1,
    RMS_SPNEGO_REQUEST_MIC = 3
} rms_spnego_state_e;


typedef struct {
    unsigned   init:1;          /* NegTokenInit, else NegTokenResp       */
    unsigned   first:1;         /* the mechanism leads the client's list */
    rms_str_t  mechs;           /* MechTypeList, tag and length too: what
                                   mechListMIC signs (RFC 4178 5)        */
    rms_str_t  token;           /* mechToken or responseToken, may be
                                   empty                                 */
    rms_str_t  mic;             /* mechListMIC, may be empty             */
} rms_spnego_t;


/*
 * Reads a frame; mech is the mechanism's OID.  RMS_OK; RMS_DECLINED: a good
 * NegTokenInit that does not list it; RMS_INVALID.  out points into token.
 */
rms_rc_e rms_spnego_read(const rms_str_t *token, const rms_str_t *mech,
    rms_spnego_t *out);


/*
 * Writes a NegTokenResp.  mech, token and mic may be empty: the field is left
 * out.  dst has token->len + mic->len + RMS_SPNEGO_FRAME_MAX bytes for a mech
 * of up to 16; lengths below 2^24.  Answers the bytes written.
 */
size_t rms_spnego_write(unsigned char *dst, rms_spnego_state_e state,
    const rms_str_t *mech, const rms_str_t *token, const rms_str_t *mic);


#endif /* RMS_SPNEGO_H */
