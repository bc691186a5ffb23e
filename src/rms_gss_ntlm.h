/*
 * The NTLM acceptor, GSSAPI with the mechanism of gss-ntlmssp.  Logins are
 * those of rms_gss.h, freed as those.  Each leg may block on winbind, and so
 * on a domain controller, for many seconds: they run on a thread pool of
 * their own, never on that of Kerberos, and no credential here is one for
 * Kerberos.  Any number of threads.
 *
 * Framings: NTLMSSP as it is, under NTLM or Negotiate, and NTLMSSP in SPNEGO,
 * which is unwrapped here: the library sees NTLMSSP and nothing else.
 *
 * NTLM is challenge and response, with a challenge of ours in each login.  A
 * message that is sent again answers no challenge, so there is no hash for a
 * replay cache.
 *
 * Only NTLMv2 is accepted.  What else is refused, and why: rms_ntlm.h.
 */

#ifndef RMS_GSS_NTLM_H
#define RMS_GSS_NTLM_H


#include "rms_gss.h"


/*
 * Accounts come as DOMAIN\user and leave as user@REALM: by this table alone.
 * The name is compared without regard to ASCII case, and is the one that
 * accounts log in with: the NetBIOS name, as a rule.
 *
 * foreign: rms_acl.h refuses such callers unless a rule names them.  A domain
 * is not foreign unless its line says so: its accounts can log in only since
 * somebody wrote the line, while a Kerberos realm gets in by a trust that may
 * have been made for something else.
 *
 * The library reports the name the client typed, which the domain controller
 * has accepted, and not what the controller calls the account.  Therefore
 * user@suffix is refused, even where the suffix is in the table: the suffix
 * names whichever account has this userPrincipalName, an attribute that says
 * nothing of the account's name.  And for this reason letters are as typed:
 * corp\exch01$ is exch01$@REALM, not EXCH01$@REALM.  Windows services log in
 * with the name as the directory spells it.
 */

typedef struct {
    rms_str_t   name;
    rms_str_t   realm;
    unsigned    foreign:1;
} rms_ntlm_domain_t;


/* What a login needs to know.  Constant, of the caller. */

typedef struct {
    const char               *user_file;    /* NULL: ask winbind         */
    const rms_ntlm_domain_t  *domains;
    size_t                    n_domains;
} rms_gss_ntlm_t;


/*
 * Is this token for rms_gss_ntlm_accept() rather than rms_gss_accept()?
 * context: what was kept of this handshake, or NULL.  Under the scheme NTLM
 * all tokens are.
 */
int rms_gss_ntlm_wanted(const rms_str_t *token,
    const rms_gss_context_t *context);


/*
 * One leg.  A token that begins a handshake drops what is left of another.
 *
 * DONE: account is set, service is empty, has_hash is 0; sids are those
 * winbind told (has_sids), and with a user file there are none: they are not
 * known, and rules by SID must not match.
 *
 * FAILED: whatever the library refuses, unless it is ours; also a domain that
 * is not in the table (before winbind is asked), a guest, an anonymous login.
 * claimed is set where the name could be read and mapped.
 *
 * UNAVAILABLE: the mechanism is not installed, the user file cannot be read,
 * winbindd does not answer or lets us not in, no domain controller, no
 * memory.  What the domain controller said of the account is in the text, and
 * changes nothing else.  Where no answer of it was heard, winbind is asked
 * about itself, which may block again; that it failed and works when asked can
 * then not be told from a wrong password.
 *
 * Channel bindings: the client's are in the message that proves its password
 * (MsvAvChannelBindings, [MS-NLMP] 2.2.2.1), the library compares them, and
 * tells that it did by GSS_C_CHANNEL_BOUND_FLAG.  All zero counts as none.
 */
void rms_gss_ntlm_accept(const rms_gss_ntlm_t *ntlm, rms_gss_login_t *login);


/*
 * At load: is the mechanism there, and what it needs?  text (size bytes) says
 * what is wrong and what to do.  1 or 0.  winbind is asked only if winbind is
 * set: it may block, and may start after us.
 */
int rms_gss_ntlm_check(const rms_gss_ntlm_t *ntlm, int winbind, char *text,
    size_t size);


#endif /* RMS_GSS_NTLM_H */
