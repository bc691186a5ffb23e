/*
 * Why a caller has its role, or none: the answer to an operator, as JSON
 * (jansson).  Pure but for memory; any thread.
 */

#ifndef RMS_EXPLAIN_H
#define RMS_EXPLAIN_H


#include "rms_acl.h"


/*
 * The caller as the operator names it: the account may be in a form that no
 * login has, which is then told.  Authenticated, in general.
 */

typedef struct {
    const rms_acl_rule_t   *rules;
    size_t                  n;
    rms_acl_match_pt        match;
    const rms_grants_t     *grants;     /* may be NULL                   */
    rms_caller_t            caller;
} rms_explain_t;


/*
 * An object with these members, always all of them:
 *
 *     account       as asked, or null
 *     sids          how many SIDs are known, or null: unknown
 *     foreign       the realm is none of the acceptor's
 *     role          name of the role, "none" without
 *     rule          the rule that matched, or null
 *     reason        null, "no_role", "foreign_realm", "not_an_account"
 *     sids_unknown  rules by sid= were in question and not applied
 *     may           [{ operation, path }], path below the base
 *     hints         without a role, what comes near: [{ kind, text, rule }]
 *
 * A rule is { text, file, line }.  Kinds: "no_rules", "netbios_form",
 * "no_realm", "not_an_account", "case", "dollar", "other_realm",
 * "foreign_realm", "sids_unknown"; each stands there once at most, with the
 * first rule of its sort, or null.
 *
 * The answer is in mem, plain ASCII, and not terminated.  RMS_OK or RMS_NOMEM.
 */
rms_rc_e rms_explain(const rms_explain_t *question, const rms_mem_t *mem,
    rms_str_t *json);


#endif /* RMS_EXPLAIN_H */
