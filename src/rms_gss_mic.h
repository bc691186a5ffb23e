/*
 * The signature of a mechanism list (RFC 4178 5) and the GSSAPI that looks for
 * it in the wrong place.  Internal to the core.
 */

#ifndef RMS_GSS_MIC_H
#define RMS_GSS_MIC_H


#include <stdatomic.h>

#include <gssapi/gssapi.h>

#include "rms_types.h"


/* What is known of the library of this process; zero at first. */

#define RMS_GSS_MIC_UNKNOWN  0
#define RMS_GSS_MIC_FINE     1
#define RMS_GSS_MIC_MISREAD  2


/*
 * Prepares a client's token for the library: where that misreads the
 * mechListMIC of a NegTokenResp, the tag of this field is changed.  All other
 * tokens stay as they are, and so does this one when the library cannot be
 * tried, which is then done again next time.  known: shared by all threads.
 * cred: the acceptor's, used by nobody else meanwhile.  token: memory of the
 * caller that may be written to.
 */
void rms_gss_mic_adapt(atomic_int *known, gss_cred_id_t cred,
    const rms_str_t *token);


#endif /* RMS_GSS_MIC_H */
