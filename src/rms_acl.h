/*
 * The access list: lines "role kind=value ...", compiled once, constant
 * after.  Kinds: account, cert, sid, any.  Any thread.
 */

#ifndef RMS_ACL_H
#define RMS_ACL_H


#include "rms_types.h"
#include "rms_cert_names.h"
#include "rms_policy.h"
#include "rms_sid.h"


typedef enum {
    RMS_ACL_ACCOUNT = 0,        /* account=name@REALM                    */
    RMS_ACL_PATTERN,            /* account=~pattern                      */
    RMS_ACL_CERT,               /* cert=SHA-256                          */
    RMS_ACL_CERT_DNS,           /* cert=dns:name                         */
    RMS_ACL_CERT_UPN,           /* cert=upn:user@suffix                  */
    RMS_ACL_SID,                /* sid=S-1-...                           */
    RMS_ACL_ANY,                /* any                                   */
    RMS_ACL_KIND_MAX
} rms_acl_kind_e;


/*
 * The value is in its one form, so that equal rules have equal bytes:
 * thumbprints as 64 lower-case digits, names of certificates in lower case.
 */

typedef struct {
    rms_role_e      role;
    rms_acl_kind_e  kind;
    rms_str_t       value;      /* not owned; empty for any              */
    rms_str_t       file;       /* where the rule stands                 */
    unsigned        line;
    void           *pattern;    /* the caller's compiled pattern         */
    rms_sid_t       sid;        /* of RMS_ACL_SID                        */
} rms_acl_rule_t;


/* Why a rule was refused; texts say what to write instead. */

typedef enum {
    RMS_ACL_FINE = 0,
    RMS_ACL_NO_KIND,            /* no '=' and not "any"                  */
    RMS_ACL_BAD_KIND,
    RMS_ACL_EMPTY,
    RMS_ACL_BAD_ACCOUNT,        /* not name@REALM                        */
    RMS_ACL_DOMAIN_ACCOUNT,     /* DOMAIN\name: write name@REALM         */
    RMS_ACL_BAD_SID,
    RMS_ACL_BAD_CERT,           /* not 64 hex digits                     */
    RMS_ACL_BAD_CERT_DNS,       /* not a host name, or a wildcard        */
    RMS_ACL_BAD_CERT_UPN,       /* not user@suffix                       */
    RMS_ACL_ERROR_MAX
} rms_acl_error_e;


/*
 * Does the pattern match the whole account?  Patterns are anchored at both
 * ends when compiled.  Answers 1, 0, or -1 on failure (counts as no match).
 */
typedef int (*rms_acl_match_pt)(void *pattern, const rms_str_t *account);


/*
 * Who is calling.  sids: a closed set, of a verified PAC or from winbind; a
 * caller that is known to be in no group has an empty one.  NULL: nobody
 * knows (no PAC, one that was not verified).
 */

typedef struct {
    rms_str_t                account;   /* name@REALM; empty: none       */
    const rms_sid_set_t     *sids;
    const rms_cert_names_t  *cert;      /* of a verified one, or NULL    */
    unsigned                 authenticated:1;
    unsigned                 foreign:1; /* realm is none of the acceptor's */
} rms_caller_t;


typedef struct {
    rms_role_e              role;
    const rms_acl_rule_t   *rule;       /* the rule that matched, or NULL */
    rms_reason_e            reason;     /* NO_ROLE or FOREIGN_REALM      */
    unsigned                sids_unknown:1;
                                        /* rules by sid= were in question
                                           and could not be applied      */
} rms_acl_answer_t;


/*
 * Reads one "kind=value" (or "any") into kind, value and sid of rule.  The
 * value points into text, which is changed in place.  For account=~ it is the
 * pattern without '~'; see rms_acl_pattern.h.
 */
rms_acl_error_e rms_acl_parse(const rms_str_t *text, rms_acl_rule_t *rule);
const char *rms_acl_error_text(rms_acl_error_e error);


/*
 * What stands before the value: "account=~", "cert=dns:", and "any".  The two
 * together, in their one form, are read as the same rule again.
 */
const char *rms_acl_kind_text(rms_acl_kind_e kind);


/* Do both speak of the same callers?  The roles may differ. */
int rms_acl_same(const rms_acl_rule_t *a, const rms_acl_rule_t *b);


/* Are there rules by sid=, so that a login has to read the SIDs? */
int rms_acl_wants_sids(const rms_acl_rule_t *rules, size_t n);


/*
 * The earlier rule that gives the same kind and value another role, or NULL:
 * such a list is refused at load with both lines named.  An earlier pattern
 * of another role that matches an account is such a rule too, since the
 * account's own line would never be reached; match as for rms_acl_find().
 */
const rms_acl_rule_t *rms_acl_conflict(const rms_acl_rule_t *rules, size_t n,
    const rms_acl_rule_t *rule, rms_acl_match_pt match);


/*
 * Which role has this caller?  account (exact, then pattern, both class
 * "account": first line wins) > cert > sid > any.  A caller of a foreign
 * realm is refused unless a rule names the account, a pattern that spells
 * the realm out behind its last '@' matches it, or a SID of a verified PAC
 * matches ("any" and ".*" name nobody).  An anonymous caller matches only
 * "any".
 *
 * Names of certificates are compared without regard to ASCII case; other
 * letters byte for byte.  A wildcard is a name like others, and no rule has
 * one.
 *
 * With caller->sids NULL no rule by sid= matches.  "any" behind such rules
 * gives its role only where each of them would give the same one: a group may
 * have been listed to give its members less.  A search costs one pass over
 * the rules for each class, and a binary search in sids for each sid= rule.
 */
rms_acl_answer_t rms_acl_find(const rms_acl_rule_t *rules, size_t n,
    const rms_caller_t *caller, rms_acl_match_pt match);


#endif /* RMS_ACL_H */
