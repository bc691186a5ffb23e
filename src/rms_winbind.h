/*
 * Is it winbind that fails?  gss-ntlmssp answers a wrong password, a domain
 * controller out of reach and a socket without permission alike; this asks
 * winbind once more, about itself.  Blocks on winbind: runs on a thread of
 * the pool, after a failed login only, or at load.  Internal to the core.
 */

#ifndef RMS_WINBIND_H
#define RMS_WINBIND_H


#include "rms_line.h"


typedef enum {
    RMS_WINBIND_FINE = 0,       /* as far as can be told                 */
    RMS_WINBIND_STOPPED,        /* winbindd does not answer              */
    RMS_WINBIND_FORBIDDEN,      /* its privileged socket, to this process */
    RMS_WINBIND_NO_DC,          /* it finds no domain controller         */
    RMS_WINBIND_UNKNOWN         /* it works, and knows no such account   */
} rms_winbind_e;


/*
 * Adds the cause and what to do to the line; with FINE what cannot be told,
 * or nothing.  domain, user: the account that failed, NUL-terminated, or NULL.
 * STOPPED at once where the login was cut short (rms_cut.h).
 */
rms_winbind_e rms_winbind_state(const char *domain, const char *user,
    rms_line_t *line);


#endif /* RMS_WINBIND_H */
