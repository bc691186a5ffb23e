/*
 * The access list: lines "role kind=value ...", compiled at load, constant
 * after.  Kinds: account, cert, sid, any.  Any thread.
 */

#ifndef RMS_ACL_H
#define RMS_ACL_H


#include "rms_types.h"
#include "rms_policy.h"


typedef enum {
    RMS_ACL_ACCOUNT = 0,        /* account=name@REALM                    */
    RMS_ACL_PATTERN,            /* account=~pattern                      */
    RMS_ACL_CERT,               /* cert=...                              */
    RMS_ACL_SID,                /* sid=S-1-...                           */
    RMS_ACL_ANY                 /* any                                   */
} rms_acl_kind_e;


typedef struct {
    rms_role_e      role;
    rms_acl_kind_e  kind;
    rms_str_t       value;      /* not owned; empty for any              */
    rms_str_t       file;       /* where the rule stands                 */
    unsigned        line;
    void           *pattern;    /* the caller's compiled pattern         */
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
    RMS_ACL_BAD_CERT            /* not 64 hex digits                     */
} rms_acl_error_e;


/*
 * Does the pattern match the whole account?  Patterns are anchored at both
 * ends when compiled.  Answers 1, 0, or -1 on failure (counts as no match).
 */
typedef int (*rms_acl_match_pt)(void *pattern, const rms_str_t *account);


/* Who is calling; empty strings where unknown. */

typedef struct {
    rms_str_t           account;        /* name@REALM                    */
    const rms_str_t    *sids;           /* from a verified PAC           */
    size_t              n_sids;
    rms_str_t           cert;           /* SHA-256, 64 lower-case hex    */
    unsigned            authenticated:1;
    unsigned            foreign:1;      /* realm is none of the acceptor's */
} rms_caller_t;


typedef struct {
    rms_role_e              role;
    const rms_acl_rule_t   *rule;       /* the rule that matched, or NULL */
    rms_reason_e            reason;     /* NO_ROLE or FOREIGN_REALM      */
} rms_acl_answer_t;


/*
 * Reads one "kind=value" (or "any") into rule->kind and rule->value, which
 * points into text.  For account=~ the value is the pattern without '~'; the
 * caller compiles it.
 */
rms_acl_error_e rms_acl_parse(const rms_str_t *text, rms_acl_rule_t *rule);
const char *rms_acl_error_text(rms_acl_error_e error);


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
 */
rms_acl_answer_t rms_acl_find(const rms_acl_rule_t *rules, size_t n,
    const rms_caller_t *caller, rms_acl_match_pt match);


#endif /* RMS_ACL_H */
