/*
 * The access list: reading rules and finding the one that names a caller.
 * Rules are built at load and constant after; nothing is allocated here.
 * Any thread.
 */

#include "rms_acl.h"
#include "rms_principal.h"


#define RMS_ACL_CERT_LEN  64        /* SHA-256 in hex                    */


static rms_acl_error_e rms_acl_parse_account(rms_acl_rule_t *rule);
static rms_acl_error_e rms_acl_parse_cert(rms_acl_rule_t *rule);
static const rms_acl_rule_t *rms_acl_find_account(const rms_acl_rule_t *rules,
    size_t n, const rms_caller_t *caller, rms_acl_match_pt match);
static int rms_acl_spells_realm(const rms_str_t *pattern,
    const rms_str_t *account);
static const rms_acl_rule_t *rms_acl_find_value(const rms_acl_rule_t *rules,
    size_t n, rms_acl_kind_e kind, const rms_str_t *values, size_t n_values);
static const rms_acl_rule_t *rms_acl_find_any(const rms_acl_rule_t *rules,
    size_t n);
static const rms_acl_rule_t *rms_acl_find_rule(const rms_acl_rule_t *rules,
    size_t n, const rms_caller_t *caller, rms_acl_match_pt match);


static const char  *rms_acl_errors[] = {
    [RMS_ACL_FINE] = "no error",
    [RMS_ACL_NO_KIND] =
        "a rule is \"account=name@REALM\", \"account=~pattern\", "
        "\"cert=SHA256\", \"sid=S-1-...\" or \"any\"",
    [RMS_ACL_BAD_KIND] =
        "unknown kind of rule, write \"account=\", \"cert=\", \"sid=\" "
        "or \"any\"",
    [RMS_ACL_EMPTY] = "nothing after \"=\"",
    [RMS_ACL_BAD_ACCOUNT] =
        "not an account, write name@REALM as in the ticket, "
        "for example account=EXCH01$@CONTOSO.COM",
    [RMS_ACL_DOMAIN_ACCOUNT] =
        "DOMAIN\\name is not an account here, write name@REALM, "
        "for example account=EXCH01$@CONTOSO.COM",
    [RMS_ACL_BAD_SID] =
        "not a SID, write it in string form, "
        "for example sid=S-1-5-21-1004336348-1177238915-682003330-1118",
    [RMS_ACL_BAD_CERT] =
        "not a certificate, write the SHA-256 of its DER form as 64 hex "
        "digits without colons"
};


rms_acl_error_e
rms_acl_parse(const rms_str_t *text, rms_acl_rule_t *rule)
{
    rms_str_t       kind;
    unsigned char  *eq;

    rule->value.len = 0;
    rule->value.data = NULL;

    if (rms_str_is(text, "any")) {
        rule->kind = RMS_ACL_ANY;
        return RMS_ACL_FINE;
    }

    eq = (text->len != 0) ? memchr(text->data, '=', text->len) : NULL;
    if (eq == NULL) {
        return RMS_ACL_NO_KIND;
    }

    kind.data = text->data;
    kind.len = (size_t) (eq - text->data);

    rule->value.data = eq + 1;
    rule->value.len = text->len - kind.len - 1;

    if (rms_str_is(&kind, "account")) {
        return rms_acl_parse_account(rule);
    }

    if (rms_str_is(&kind, "cert")) {
        return rms_acl_parse_cert(rule);
    }

    if (!rms_str_is(&kind, "sid")) {
        return RMS_ACL_BAD_KIND;
    }

    rule->kind = RMS_ACL_SID;

    if (rule->value.len == 0) {
        return RMS_ACL_EMPTY;
    }

    return rms_sid_valid(&rule->value) ? RMS_ACL_FINE : RMS_ACL_BAD_SID;
}


static rms_acl_error_e
rms_acl_parse_account(rms_acl_rule_t *rule)
{
    rule->kind = RMS_ACL_ACCOUNT;

    if (rule->value.len != 0 && rule->value.data[0] == '~') {
        rule->kind = RMS_ACL_PATTERN;
        rule->value.data++;
        rule->value.len--;
    }

    if (rule->value.len == 0) {
        return RMS_ACL_EMPTY;
    }

    if (rule->kind == RMS_ACL_PATTERN) {
        return RMS_ACL_FINE;
    }

    switch (rms_principal_check_rule(&rule->value)) {

    case RMS_OK:
        return RMS_ACL_FINE;

    case RMS_UNSUPPORTED:
        return RMS_ACL_DOMAIN_ACCOUNT;

    default:
        return RMS_ACL_BAD_ACCOUNT;
    }
}


/* The digits are lowered in place, so that callers compare byte for byte. */

static rms_acl_error_e
rms_acl_parse_cert(rms_acl_rule_t *rule)
{
    size_t         i;
    unsigned char  c;

    rule->kind = RMS_ACL_CERT;

    if (rule->value.len == 0) {
        return RMS_ACL_EMPTY;
    }

    if (rule->value.len != RMS_ACL_CERT_LEN) {
        return RMS_ACL_BAD_CERT;
    }

    for (i = 0; i < RMS_ACL_CERT_LEN; i++) {
        c = rms_lower(rule->value.data[i]);

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
            return RMS_ACL_BAD_CERT;
        }

        rule->value.data[i] = c;
    }

    return RMS_ACL_FINE;
}


const char *
rms_acl_error_text(rms_acl_error_e error)
{
    if ((unsigned) error > RMS_ACL_BAD_CERT) {
        error = RMS_ACL_BAD_KIND;
    }

    return rms_acl_errors[error];
}


const rms_acl_rule_t *
rms_acl_conflict(const rms_acl_rule_t *rules, size_t n,
    const rms_acl_rule_t *rule, rms_acl_match_pt match)
{
    size_t  i;

    for (i = 0; i < n && &rules[i] != rule; i++) {

        if (rules[i].role == rule->role) {
            continue;
        }

        if (rules[i].kind == rule->kind
            && rms_str_eq(&rules[i].value, &rule->value))
        {
            return &rules[i];
        }

        if (rules[i].kind == RMS_ACL_PATTERN && rule->kind == RMS_ACL_ACCOUNT
            && match != NULL && match(rules[i].pattern, &rule->value) == 1)
        {
            return &rules[i];
        }
    }

    return NULL;
}


rms_acl_answer_t
rms_acl_find(const rms_acl_rule_t *rules, size_t n, const rms_caller_t *caller,
    rms_acl_match_pt match)
{
    rms_acl_answer_t  answer;

    answer.rule = rms_acl_find_rule(rules, n, caller, match);

    if (answer.rule != NULL) {
        answer.role = answer.rule->role;
        answer.reason = RMS_REASON_NONE;
        return answer;
    }

    answer.role = RMS_ROLE_NONE;
    answer.reason = (caller->authenticated && caller->foreign)
                    ? RMS_REASON_FOREIGN_REALM : RMS_REASON_NO_ROLE;

    return answer;
}


static const rms_acl_rule_t *
rms_acl_find_rule(const rms_acl_rule_t *rules, size_t n,
    const rms_caller_t *caller, rms_acl_match_pt match)
{
    const rms_acl_rule_t  *rule;

    if (!caller->authenticated) {
        return rms_acl_find_any(rules, n);
    }

    rule = rms_acl_find_account(rules, n, caller, match);
    if (rule != NULL) {
        return rule;
    }

    /* a certificate says nothing about the realm of an account beside it */

    if (!caller->foreign) {
        rule = rms_acl_find_value(rules, n, RMS_ACL_CERT, &caller->cert, 1);
        if (rule != NULL) {
            return rule;
        }
    }

    rule = rms_acl_find_value(rules, n, RMS_ACL_SID, caller->sids,
                              caller->n_sids);
    if (rule != NULL || caller->foreign) {
        return rule;
    }

    return rms_acl_find_any(rules, n);
}


static const rms_acl_rule_t *
rms_acl_find_account(const rms_acl_rule_t *rules, size_t n,
    const rms_caller_t *caller, rms_acl_match_pt match)
{
    size_t  i;

    /* a pattern may match nothing at all, but nobody is not an account */

    if (caller->account.len == 0) {
        return NULL;
    }

    for (i = 0; i < n; i++) {

        if (rules[i].kind == RMS_ACL_ACCOUNT
            && rms_str_eq(&rules[i].value, &caller->account))
        {
            return &rules[i];
        }

        if (rules[i].kind == RMS_ACL_PATTERN && match != NULL
            && (!caller->foreign
                || rms_acl_spells_realm(&rules[i].value, &caller->account))
            && match(rules[i].pattern, &caller->account) == 1)
        {
            return &rules[i];
        }
    }

    return NULL;
}


/*
 * Does a pattern end in the literal realm of this account?  A backslash
 * before a dot is read as the dot; anything else that is not the realm
 * itself, groups and classes included, is not spelling it out.
 */

static int
rms_acl_spells_realm(const rms_str_t *pattern, const rms_str_t *account)
{
    size_t  p, a;

    p = pattern->len;
    a = account->len;

    while (p > 0 && a > 0 && pattern->data[p - 1] == account->data[a - 1]) {

        if (account->data[a - 1] == '@') {
            return 1;
        }

        p--;
        a--;

        if (account->data[a] == '.' && p > 0 && pattern->data[p - 1] == '\\') {
            p--;
        }
    }

    return 0;
}


static const rms_acl_rule_t *
rms_acl_find_value(const rms_acl_rule_t *rules, size_t n, rms_acl_kind_e kind,
    const rms_str_t *values, size_t n_values)
{
    size_t  i, k;

    for (i = 0; i < n; i++) {

        if (rules[i].kind != kind || rules[i].value.len == 0) {
            continue;
        }

        for (k = 0; k < n_values; k++) {
            if (rms_str_eq(&rules[i].value, &values[k])) {
                return &rules[i];
            }
        }
    }

    return NULL;
}


static const rms_acl_rule_t *
rms_acl_find_any(const rms_acl_rule_t *rules, size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        if (rules[i].kind == RMS_ACL_ANY) {
            return &rules[i];
        }
    }

    return NULL;
}
