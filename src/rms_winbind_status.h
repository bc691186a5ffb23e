/*
 * What the domain controller said to an NTLM login.  gss-ntlmssp asks winbind
 * once, is told the NTSTATUS, and drops it.  To ask again would count as
 * another wrong password, so the one answer is overheard on its way back: see
 * rms_winbind_status.c.  Costs no question, and the caller's answer does not
 * depend on which of an account's faults it was.  Internal to the core.
 */

#ifndef RMS_WINBIND_STATUS_H
#define RMS_WINBIND_STATUS_H


#include "rms_line.h"


typedef enum {
    RMS_WINBIND_SILENT = 0,     /* no status was heard                   */
    RMS_WINBIND_ACCOUNT,        /* the account's or the password's fault */
    RMS_WINBIND_OURS,           /* domain controller, join or trust      */
    RMS_WINBIND_OTHER           /* a status that we have no words for    */
} rms_winbind_cause_e;


/*
 * Forgets what was heard on this thread: before each leg.
 */
void rms_winbind_listen(void);


/*
 * The status ([MS-ERREF] 2.3.1) of the last login that was refused on this
 * thread since rms_winbind_listen().  0: there was none, or it was not heard.
 */
uint32_t rms_winbind_heard(void);


/*
 * Whose fault is this status?  Adds its meaning and its name to the line, of
 * one without a meaning the number; of 0 nothing.
 */
rms_winbind_cause_e rms_winbind_cause(uint32_t status, rms_line_t *line);


#endif /* RMS_WINBIND_STATUS_H */
