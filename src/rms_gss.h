/*
 * The Kerberos acceptor: the only use of GSSAPI is behind it.  Its functions
 * block (they read the keytab) and run on a thread of the pool; a login is
 * plain malloc'd memory and never refers to a request.  An acceptor may be
 * used by many threads at once, a context by one at a time.
 */

#ifndef RMS_GSS_H
#define RMS_GSS_H


#include "rms_types.h"
#include "rms_cbind.h"
#include "rms_negotiate.h"
#include "rms_sid.h"


typedef struct rms_gss_acceptor_s  rms_gss_acceptor_t;
typedef struct rms_gss_context_s   rms_gss_context_t;


typedef enum {
    RMS_GSS_DONE = 0,           /* account is set                        */
    RMS_GSS_CONTINUE,           /* output goes to the client, context is
                                   kept for the next leg                 */
    RMS_GSS_FAILED,             /* the client's fault: 401               */
    RMS_GSS_UNAVAILABLE         /* ours: keytab gone, no memory: 503     */
} rms_gss_status_e;


#define RMS_GSS_LEGS_MAX  4


typedef struct {
    /* in; owned by the caller until rms_gss_login_free() */
    rms_str_t           token;          /* decoded, malloc'd; a leg may
                                           change it                     */
    rms_gss_context_t  *context;        /* NULL on the first leg; moved in
                                           and, on CONTINUE, moved out   */
    rms_cbind_mode_e    cbind_mode;
    rms_cbind_t         cbind;          /* of this connection, the same in
                                           each leg; empty without TLS   */
    unsigned            want_sids:1;    /* read the groups               */

    /* out; malloc'd */
    rms_gss_status_e    status;
    rms_str_t           output;         /* token for the client, may be
                                           empty                         */
    rms_str_t           account;        /* name@REALM                    */
    rms_str_t           service;        /* the ticket's service principal */
    unsigned            foreign:1;      /* the account's realm is not the
                                           service's                     */
    unsigned            has_hash:1;     /* never of NTLM                 */
    unsigned            ntlm:1;
    unsigned            bound:1;        /* the client sent our bindings  */
    unsigned            has_sids:1;
    unsigned            has_user:1;
    rms_sid_set_t       sids;           /* verified, in sids_memory      */
    void               *sids_memory;
    rms_sid_t           user;           /* the account's own, one of sids */
    const char         *sids_why;       /* there are none, in words      */
    unsigned char       hash[32];       /* for the replay cache          */
    rms_str_t           claimed;        /* FAILED: whom the client says it
                                           is, where known; proves nothing,
                                           for back-off and counters     */
    char                text[512];      /* one line for the log: what
                                           GSSAPI and the ticket's clear
                                           parts tell (realm, service,
                                           etype, kvno, keytab's kvnos,
                                           clock skew); escaped, capped  */
} rms_gss_login_t;


/*
 * keytab: path, NUL-terminated, copied.  MIT's own replay cache is switched
 * off by the credential store ("rcache" = "none:"); ours replaces it.  No
 * file is read here and no environment is changed.  NULL: no memory.
 */
rms_gss_acceptor_t *rms_gss_acceptor_create(const char *keytab);
void rms_gss_acceptor_free(rms_gss_acceptor_t *acceptor);


/*
 * One leg.  Accepts SPNEGO and raw Kerberos.  The ticket must be for a
 * service "HTTP/..." of the keytab (any of them; others in the same keytab,
 * host/... for example, are refused).  The keytab is looked at each time and
 * read again when it has changed, so a rotated one works without a reload;
 * its keys stay in memory.  Does no DNS.
 * A principal that rms_principal_parse() refuses is FAILED.
 *
 * Channel bindings: wrong ones fail unless the mode is off; none, or all zero
 * as Windows sends them, are an unbound login, which only "require" refuses.
 * A client whose ticket says that it knows bindings (KERB_AP_OPTIONS_CBT,
 * [MS-KILE] 3.2.5.8) and sends none is refused by libkrb5 where we have some.
 */
void rms_gss_accept(rms_gss_acceptor_t *acceptor, rms_gss_login_t *login);


void rms_gss_context_free(rms_gss_context_t *context);
void rms_gss_login_free(rms_gss_login_t *login);


/*
 * The clock skew Kerberos allows here, in seconds: clockskew of krb5.conf,
 * 300 without one, and never less (RFC 4120 1.3, 3.2.3).
 */
unsigned rms_gss_clock_skew(void);


/* Turns krb5 trouble with a keytab into something to act on, at load. */

typedef enum {
    RMS_KEYTAB_FINE = 0,
    RMS_KEYTAB_MISSING,
    RMS_KEYTAB_UNREADABLE,      /* for this process                      */
    RMS_KEYTAB_CORRUPT,
    RMS_KEYTAB_EMPTY,
    RMS_KEYTAB_NO_HTTP,         /* no key of an HTTP/ principal          */
    RMS_KEYTAB_WEAK             /* only des/rc4 keys for HTTP/           */
} rms_keytab_e;


/*
 * Reads a keytab.  text (size bytes) gets a line for the operator: for FINE
 * the HTTP/ principals with their newest kvno and encryption types; for the
 * rest what is wrong and what to run.
 */
rms_keytab_e rms_keytab_check(const char *path, char *text, size_t size);


#endif /* RMS_GSS_H */
