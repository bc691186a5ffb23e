/*
 * Why was this ticket refused?  GSSAPI answers with little more than a
 * number; this looks again with the keytab in hand.  Blocks on the keytab:
 * runs on a thread of the pool, after a failed accept only.  Nothing here
 * lets anybody in.  Internal to the core.
 */

#ifndef RMS_TICKET_H
#define RMS_TICKET_H


#include "rms_line.h"
#include "rms_negotiate.h"


typedef enum {
    RMS_TICKET_NO_REASON = 0,   /* the ticket seems good                 */
    RMS_TICKET_REFUSED,         /* the client's ticket is at fault       */
    RMS_TICKET_NO_KEYTAB        /* we are: the keytab cannot be read     */
} rms_ticket_e;


/*
 * Adds the reason to the line, nothing for NO_REASON.  keytab: path,
 * NUL-terminated.  apreq: as rms_token_apreq() left it.
 */
rms_ticket_e rms_ticket_explain(const char *keytab, const rms_apreq_t *apreq,
    rms_line_t *line);


#endif /* RMS_TICKET_H */
