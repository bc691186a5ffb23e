/*
 * Credentials of the acceptor: taken for one accept, given back after it.
 * Blocks on the keytab; any number of threads.  Internal to the core.
 */

#ifndef RMS_GSS_CRED_H
#define RMS_GSS_CRED_H


#include <gssapi/gssapi.h>

#include "rms_gss.h"
#include "rms_gss_keys.h"
#include "rms_line.h"


typedef struct {
    gss_cred_id_t    gss;
    rms_gss_keys_t  *keys;
    const char      *service;           /* the one principal of keys that
                                           it accepts for; NULL: any     */
} rms_gss_cred_t;


/* The path given at creation. */
const char *rms_gss_acceptor_keytab(const rms_gss_acceptor_t *acceptor);


/*
 * A credential nobody else uses, for the keytab as it is now: for the very
 * service the ticket names if the keytab has that key, else, and without an
 * apreq (NULL), for any service.  0: there is none, because of the keytab or
 * of memory; the line says why.  cred->service ends when it is given back.
 */
int rms_gss_cred_take(rms_gss_acceptor_t *acceptor, const rms_apreq_t *apreq,
    rms_gss_cred_t *cred, rms_line_t *line);
void rms_gss_cred_give(rms_gss_acceptor_t *acceptor, rms_gss_cred_t *cred);


/*
 * Adds what GSSAPI says of a failure; on the thread of the failed call, since
 * the words are kept per thread.
 */
void rms_gss_reason(OM_uint32 major, OM_uint32 minor, rms_line_t *line);


#endif /* RMS_GSS_CRED_H */
