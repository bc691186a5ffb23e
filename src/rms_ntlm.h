/*
 * NTLMSSP messages ([MS-NLMP] 2.2.1) before the mechanism sees them: which
 * one it is, what it claims, and what we refuse of it.  Nothing here proves
 * anything, and nothing is cryptography.  Pure functions, any thread.
 *
 * Why messages are read twice, here and by the mechanism: gss-ntlmssp accepts
 * LM, LMv2 and NTLMv1 responses in its default setting, reads beyond short
 * fields, and answers a failure with little more than "no".
 */

#ifndef RMS_NTLM_H
#define RMS_NTLM_H


#include "rms_sid.h"
#include "rms_types.h"


#define RMS_NTLM_NEGOTIATE     1
#define RMS_NTLM_CHALLENGE     2
#define RMS_NTLM_AUTHENTICATE  3

/* bytes of one message, and UTF-16 units of one name in it */
#define RMS_NTLM_MESSAGE_MAX  (16 * 1024)
#define RMS_NTLM_NAME_UNITS   256
#define RMS_NTLM_NAME_MAX     (3 * RMS_NTLM_NAME_UNITS)

/* SIDs of one account, [MS-KILE] 3.3.5.6.4 has 1,010 + 15 */
#define RMS_NTLM_SIDS_MAX     4096


/* domain and user point into the structure: do not copy it. */

typedef struct {
    rms_str_t      domain;      /* UTF-8, without controls; may be empty */
    rms_str_t      user;
    unsigned       mic:1;       /* MsvAvFlags says there is a MIC        */
    unsigned       bound:1;     /* MsvAvChannelBindings, not all zero    */
    unsigned char  domain_buf[RMS_NTLM_NAME_MAX];
    unsigned char  user_buf[RMS_NTLM_NAME_MAX];
} rms_ntlm_authenticate_t;


/* The type of a message, 0: none that is known. */
unsigned rms_ntlm_type(const rms_str_t *message);


/* NegotiateFlags of a CHALLENGE_MESSAGE; 0: it is none. */
uint32_t rms_ntlm_challenge_flags(const rms_str_t *message);


/*
 * The two messages of a client.  They answer what is wrong, in words for the
 * log, or NULL.  challenge: NegotiateFlags of the message that came between.
 * Where an AUTHENTICATE_MESSAGE is wrong, out has the names as far as they
 * could be read.  Only NTLMv2 passes: no LM and LMv2 response (they bind
 * neither names of the server nor the channel), no NTLMv1, nobody without a
 * name, and no user@suffix, see rms_gss_ntlm.h.
 */
const char *rms_ntlm_negotiate_check(const rms_str_t *message);
const char *rms_ntlm_authenticate_read(const rms_str_t *message,
    uint32_t challenge, rms_ntlm_authenticate_t *out);


/*
 * "S-1-5-21-...,S-1-5-..." as gss-ntlmssp writes it, a zero at the end or
 * not.  The set is in one allocation of mem, *memory, NULL when there was
 * none.  RMS_OK; RMS_INVALID: not a list of SIDs, empty too; RMS_TOO_LARGE;
 * RMS_NOMEM.  With any but RMS_OK the set is empty.
 */
rms_rc_e rms_ntlm_sids(const rms_str_t *text, const rms_mem_t *mem,
    rms_sid_set_t *set, void **memory);


/*
 * Is it somebody the domain did not know?  Guest (RID 501), Guests
 * (S-1-5-32-546), anonymous (S-1-5-7) or nobody at all.
 */
int rms_ntlm_sids_guest(const rms_sid_set_t *set);


#endif /* RMS_NTLM_H */
