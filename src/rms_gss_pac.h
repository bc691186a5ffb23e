/*
 * The PAC of a login: the one place that asks GSSAPI for attributes of a
 * name.  Runs where the login does, on a thread of the pool; blocks on
 * nothing.  Internal to the core.
 */

#ifndef RMS_GSS_PAC_H
#define RMS_GSS_PAC_H


#include <gssapi/gssapi.h>

#include "rms_pac.h"


typedef enum {
    RMS_GSS_PAC_FINE = 0,
    RMS_GSS_PAC_NONE,           /* no PAC, or one without logon
                                   information: not from a domain
                                   controller                            */
    RMS_GSS_PAC_UNVERIFIED,     /* not signed with the service's key, or
                                   for another client or login; or two
                                   logon informations in it              */
    RMS_GSS_PAC_MALFORMED,
    RMS_GSS_PAC_TOO_MANY,       /* groups, rms_pac_parse()               */
    RMS_GSS_PAC_UNAVAILABLE     /* ours: no memory                       */
} rms_gss_pac_e;


/*
 * The SIDs of client, as gss_accept_sec_context() gave it for Kerberos.  With
 * FINE out is set, and out->memory is from mem; with all others it is zeroed
 * and nothing may be granted by SID.
 */
rms_gss_pac_e rms_gss_pac_read(gss_name_t client, const rms_mem_t *mem,
    rms_pac_t *out);


/* A few words for the log; FINE has none. */
const char *rms_gss_pac_text(rms_gss_pac_e status);


#endif /* RMS_GSS_PAC_H */
