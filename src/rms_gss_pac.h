/*
 * The PAC of a login: the one place that says whether a ticket's PAC may be
 * believed.  Runs where the login does, on a thread of the pool; blocks on
 * nothing when the keytab is in memory.  Internal to the core.
 */

#ifndef RMS_GSS_PAC_H
#define RMS_GSS_PAC_H


#include <krb5/krb5.h>

#include "rms_pac.h"


typedef enum {
    RMS_GSS_PAC_FINE = 0,
    RMS_GSS_PAC_NONE,           /* no PAC, or one without logon
                                   information: not from a domain
                                   controller                            */
    RMS_GSS_PAC_UNVERIFIED,     /* not signed with the key that opens the
                                   ticket, or not with the checksum of
                                   that key; for another client or login;
                                   or something is in it twice           */
    RMS_GSS_PAC_MALFORMED,
    RMS_GSS_PAC_TOO_MANY,       /* groups, rms_pac_parse()               */
    RMS_GSS_PAC_UNAVAILABLE     /* ours: no memory                       */
} rms_gss_pac_e;


/*
 * The SIDs of a login that GSSAPI has accepted.  keytab: holds the key that
 * opens the ticket.  ticket: DER, as rms_token_apreq() found it.  account:
 * name@REALM, as GSSAPI displays the client; a ticket of anybody else is
 * UNVERIFIED.
 *
 * With FINE out is set, and out->memory is from mem; with all others it is
 * zeroed and nothing may be granted by SID.
 */
rms_gss_pac_e rms_gss_pac_read(krb5_keytab keytab, const rms_str_t *ticket,
    const rms_str_t *account, const rms_mem_t *mem, rms_pac_t *out);


/* A few words for the log; FINE has none. */
const char *rms_gss_pac_text(rms_gss_pac_e status);


#endif /* RMS_GSS_PAC_H */
