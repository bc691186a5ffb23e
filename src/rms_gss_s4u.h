/*
 * The groups an account has now, without its login: a ticket for it to
 * ourselves (S4U2Self, [MS-SFU] 3.1.5.1.1), asked of the KDC with the key of
 * an HTTP/ principal of the keytab.  Blocks on the network, as long as libkrb5
 * waits for KDCs: for a thread of the pool, one question at a time.
 */

#ifndef RMS_GSS_S4U_H
#define RMS_GSS_S4U_H


#include "rms_types.h"
#include "rms_sid.h"


typedef struct {
    /* in */
    const char     *keytab;             /* path, NUL-terminated          */
    rms_str_t       account;            /* name@REALM                    */

    /* out; malloc'd */
    unsigned        foreign:1;          /* its realm is of no HTTP/
                                           principal of the keytab       */
    unsigned        has_sids:1;
    rms_sid_set_t   sids;               /* verified, in sids_memory      */
    void           *sids_memory;
    char            text[512];          /* why there are none; escaped   */
} rms_gss_s4u_t;


/*
 * For accounts of our own realms only.  The principal has to be the name of
 * an account as well (its UPN, as ktpass makes it), not only an SPN.  What is
 * out is set whatever happens; the caller frees sids_memory.
 */
void rms_gss_s4u(rms_gss_s4u_t *s4u);


/*
 * The foreign of above alone, without network: reads the keytab.  With one
 * that cannot be read every account is foreign.
 */
int rms_gss_s4u_foreign(const char *keytab, const rms_str_t *account);


#endif /* RMS_GSS_S4U_H */
