/*
 * Kerberos without a KDC, for tests: service tickets made from the service's
 * own key, and the tokens a client would send with them.  Everything stops
 * the test when it fails.  Tokens are malloc'd; the caller frees their data.
 */

#ifndef TICKET_H
#define TICKET_H


#include <krb5/krb5.h>

#include "rms_types.h"


#define TICKET_AES128  17
#define TICKET_AES256  18
#define TICKET_RC4     23


#define TICKET_OID_KRB5     "\x2a\x86\x48\x86\xf7\x12\x01\x02\x02"
#define TICKET_OID_MSKRB5   "\x2a\x86\x48\x82\xf7\x12\x01\x02\x02"
#define TICKET_OID_NEGOEX   "\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x1e"
#define TICKET_OID_NTLM     "\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a"
#define TICKET_OID_SPNEGO   "\x2b\x06\x01\x05\x05\x02"


typedef enum {
    TICKET_NO_PAC = 0,
    TICKET_PAC,
    TICKET_PAC_FORGED,          /* signed with a key that is in no keytab */
    TICKET_PAC_OF_ANOTHER,      /* signed for another client             */
    TICKET_PAC_OLD              /* signed for another login of the client */
} ticket_pac_e;


/*
 * Changes a signed PAC (malloc'd; the data may be another's afterwards).
 * key: the service's.  copy: the how many-th in the ticket, from 0.
 */
typedef void (*ticket_alter_pt)(krb5_context krb5, const krb5_keyblock *key,
    unsigned copy, rms_str_t *pac);


typedef struct {
    const char       *keytab;   /* where "the KDC" finds the service key */
    const char       *service;  /* HTTP/host@REALM                       */
    const char       *client;   /* name@REALM                            */
    int               etype;
    unsigned          kvno;     /* 0: the newest                         */
    long              start;    /* seconds from now                      */
    long              life;     /* seconds from start                    */
    long              clock;    /* the client's clock, seconds from ours */
    int               wrong_key;        /* use one that is in no keytab  */
    const char       *transited;        /* realms on the way, which the
                                           KDC has judged                */
    ticket_pac_e      pac;
    const rms_str_t  *logon;    /* logon information of the PAC          */
    unsigned          n_logon;  /* how often it is in there              */
    unsigned          n_pac;    /* PACs in the ticket; 0 is 1            */
    unsigned          depth;    /* AD-IF-RELEVANT around all but the
                                   first, which has one                  */
    ticket_alter_pt   alter;
    const rms_str_t  *sent;     /* a PAC the client adds itself, in the
                                   authenticator                         */
} ticket_spec_t;


/*
 * A temporary folder with a krb5.conf that knows no KDC; KRB5_CONFIG points
 * to it.  Before any other Kerberos call.  ticket_path: a name in it (static
 * storage, a few at a time).
 */
void ticket_setup(void);
void ticket_cleanup(void);
char *ticket_path(const char *name);


/* Adds a random key. */
void ticket_keytab_add(const char *path, const char *principal, unsigned kvno,
    int etype);


/* A bare AP-REQ, and one in the framing of RFC 4121 4.1. */
rms_str_t ticket_apreq(const ticket_spec_t *spec);
rms_str_t ticket_krb5(const ticket_spec_t *spec);


/* Stores the ticket in a cache, for GSSAPI's initiator. */
void ticket_ccache(const ticket_spec_t *spec, const char *name);


/* DER: one element; up to four parts (NULL ends them) one after the other. */
rms_str_t ticket_tlv(unsigned tag, const rms_str_t *a, const rms_str_t *b,
    const rms_str_t *c, const rms_str_t *d);


/* Frames an AP-REQ for a mechanism. */
rms_str_t ticket_frame(const char *oid, size_t len, const rms_str_t *apreq);


/*
 * "SEQUENCE OF OID" from a string of letters: k Kerberos, m Microsoft's
 * number for it, x NEGOEX, n NTLM.
 */
rms_str_t ticket_mechs(const char *letters);


/* NegTokenInit and NegTokenResp; token and mic may be NULL. */
rms_str_t ticket_init(const char *letters, const rms_str_t *token);
rms_str_t ticket_resp(const rms_str_t *token, const rms_str_t *mic);


#endif /* TICKET_H */
