/*
 * The Authorization header and the tokens in it, before GSSAPI sees them:
 * splitting, strict base64, framing (SPNEGO, raw Kerberos, NTLMSSP), and the
 * clear parts of a Kerberos AP-REQ for logs and for the replay cache.
 * Pure functions, any thread.  Nothing here authenticates anybody.
 */

#ifndef RMS_NEGOTIATE_H
#define RMS_NEGOTIATE_H


#include "rms_types.h"


#define RMS_TOKEN_MAX  (64 * 1024)      /* bytes of a decoded token      */


typedef enum {
    RMS_SCHEME_NONE = 0,        /* header absent or empty                */
    RMS_SCHEME_NEGOTIATE,       /* RFC 4559 4.2                          */
    RMS_SCHEME_NTLM,
    RMS_SCHEME_BEARER,
    RMS_SCHEME_OTHER            /* Basic, Digest, ...                    */
} rms_scheme_e;


typedef enum {
    RMS_TOKEN_UNKNOWN = 0,
    RMS_TOKEN_SPNEGO_INIT,      /* NegTokenInit, RFC 4178 4.2.1          */
    RMS_TOKEN_SPNEGO_RESP,      /* NegTokenResp, RFC 4178 4.2.2          */
    RMS_TOKEN_KRB5,             /* raw Kerberos: RFC 4121 4.1            */
    RMS_TOKEN_NTLM              /* raw NTLMSSP, or SPNEGO whose only
                                   mechanism is NTLMSSP                  */
} rms_token_e;


/*
 * The parts of an AP-REQ that are not encrypted (RFC 4120 5.5.1, 5.3).
 * service points into the structure itself: do not copy it.
 */

typedef struct {
    rms_str_t   realm;          /* of the service                        */
    rms_str_t   service;        /* "HTTP/host", components joined; into
                                   service_buf, cut when longer          */
    unsigned    ticket_etype;
    unsigned    ticket_kvno;    /* 0: not given                          */
    unsigned    auth_etype;
    rms_str_t   authenticator;  /* ciphertext of the authenticator       */
    rms_str_t   ticket;         /* the whole Ticket, DER                 */
    unsigned char  service_buf[256];
} rms_apreq_t;


/*
 * Splits an Authorization value into scheme (without case) and the rest
 * without blanks.  credentials points into value.
 */
rms_scheme_e rms_authorization_split(const rms_str_t *value,
    rms_str_t *credentials);


/*
 * Strict base64 (RFC 4648 4): padded, no white space, canonical last
 * quantum.  rms_base64_decoded_max: bytes dst needs.
 * RMS_OK, RMS_INVALID, RMS_TOO_LARGE (more than max bytes decoded).
 */
size_t rms_base64_decoded_max(size_t len);
rms_rc_e rms_base64_decode(const rms_str_t *src, size_t max, rms_str_t *dst);


/* Encodes; dst->data has rms_base64_encoded(len) bytes; not terminated. */
size_t rms_base64_encoded(size_t len);
void rms_base64_encode(const rms_str_t *src, rms_str_t *dst);


/* What framing a token has.  offers_ntlm, offers_krb5: mechanisms listed. */

typedef struct {
    rms_token_e  kind;
    unsigned     offers_krb5:1;
    unsigned     offers_ntlm:1;
    unsigned     krb5_token:1;  /* mech_token is meant for Kerberos      */
    rms_str_t    mech_token;    /* innermost token, may be empty         */
    rms_str_t    mic;           /* mechListMIC of a NegTokenResp, its tag
                                   first; may be empty                   */
} rms_token_info_t;


rms_token_info_t rms_token_sniff(const rms_str_t *token);


/*
 * Finds and reads the AP-REQ in a token of any Kerberos framing.  DER is read
 * strictly (minimal lengths, no trailing bytes, fields in order), so that one
 * authenticator has one place to stand in: the hash of apreq->authenticator
 * names a login in the replay cache.  RMS_OK, RMS_DECLINED (no AP-REQ in
 * it), RMS_INVALID.
 */
rms_rc_e rms_token_apreq(const rms_str_t *token, rms_apreq_t *apreq);


/* SHA-256 of the encrypted authenticator into hash (32 bytes). */
rms_rc_e rms_apreq_hash(const rms_apreq_t *apreq, unsigned char *hash);


/* "aes256-cts-hmac-sha1-96" for 18 ...; "etype 99" for others, into buf. */
const char *rms_etype_name(unsigned etype, char *buf, size_t size);


#endif /* RMS_NEGOTIATE_H */
