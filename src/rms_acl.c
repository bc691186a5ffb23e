/*
 * The access list: reading rules and finding the one that names a caller.
 * Rules are built once and constant after; nothing is allocated here.
 * Any thread.
 */

#include "rms_acl.h"
#include "rms_principal.h"


#define RMS_ACL_COLONS_LEN  95      /* a thumbprint as AA:BB:...         */
#define RMS_ACL_DNS_MAX     253     /* RFC 1123 2.1                      */
#define RMS_ACL_LABEL_MAX   63


static rms_acl_error_e rms_acl_parse_account(rms_acl_rule_t *rule);
static rms_acl_error_e rms_acl_parse_cert(rms_acl_rule_t *rule);
static rms_acl_error_e rms_acl_parse_thumbprint(rms_str_t *value);
static rms_acl_error_e rms_acl_parse_dns(rms_str_t *value);
static rms_acl_error_e rms_acl_parse_upn(rms_str_t *value);
static int rms_acl_cut(rms_str_t *value, const char *prefix, size_t len);
static const rms_acl_rule_t *rms_acl_find_rule(const rms_acl_rule_t *rules,
    size_t n, const rms_caller_t *caller, rms_acl_match_pt match,
    int *unknown);
static const rms_acl_rule_t *rms_acl_find_account(const rms_acl_rule_t *rules,
    size_t n, const rms_caller_t *caller, rms_acl_match_pt match);
static int rms_acl_spells_realm(const rms_str_t *pattern,
    const rms_str_t *account);
static const rms_acl_rule_t *rms_acl_find_cert(const rms_acl_rule_t *rules,
    size_t n, const rms_cert_names_t *cert);
static int rms_acl_has_name(const rms_str_t *names, size_t n,
    const rms_str_t *value);
static const rms_acl_rule_t *rms_acl_find_sid(const rms_acl_rule_t *rules,
    size_t n, const rms_sid_set_t *sids);
static const rms_acl_rule_t *rms_acl_find_any(const rms_acl_rule_t *rules,
    size_t n);
static int rms_acl_sids_say(const rms_acl_rule_t *rules, size_t n,
    rms_role_e role);


static const char *const  rms_acl_kinds[RMS_ACL_KIND_MAX] = {
    [RMS_ACL_ACCOUNT] = "account=",
    [RMS_ACL_PATTERN] = "account=~",
    [RMS_ACL_CERT] = "cert=",
    [RMS_ACL_CERT_DNS] = "cert=dns:",
    [RMS_ACL_CERT_UPN] = "cert=upn:",
    [RMS_ACL_SID] = "sid=",
    [RMS_ACL_ANY] = "any"
};


static const char *const  rms_acl_errors[RMS_ACL_ERROR_MAX] = {
    [RMS_ACL_FINE] = "no error",
    [RMS_ACL_NO_KIND] =
        "a rule is \"account=name@REALM\", \"account=~pattern\", "
        "\"cert=SHA256\", \"sid=S-1-...\" or \"any\"",
    [RMS_ACL_BAD_KIND] =
        "unknown kind of rule, write \"account=\", \"cert=\", \"sid=\" "
        "or \"any\"",
    [RMS_ACL_EMPTY] = "nothing after \"=\" or \":\"",
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
        "digits, with or without a colon after each two, or cert=dns:NAME, "
        "or cert=upn:user@REALM",
    [RMS_ACL_BAD_CERT_DNS] =
        "not a host name, write one dNSName of the certificate in full, "
        "without \"*\" and without a dot at the end",
    [RMS_ACL_BAD_CERT_UPN] =
        "not a user principal name, write it as in the certificate, "
        "for example cert=upn:svc-sp@contoso.com"
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

    return (rms_sid_parse(&rule->value, &rule->sid) == RMS_OK)
           ? RMS_ACL_FINE : RMS_ACL_BAD_SID;
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


/* Brought into the one form in place, so that equal rules are equal bytes. */

static rms_acl_error_e
rms_acl_parse_cert(rms_acl_rule_t *rule)
{
    rule->kind = RMS_ACL_CERT;

    if (rms_acl_cut(&rule->value, "dns:", 4)) {
        rule->kind = RMS_ACL_CERT_DNS;

    } else if (rms_acl_cut(&rule->value, "upn:", 4)) {
        rule->kind = RMS_ACL_CERT_UPN;
    }

    if (rule->value.len == 0) {
        return RMS_ACL_EMPTY;
    }

    switch (rule->kind) {

    case RMS_ACL_CERT_DNS:
        return rms_acl_parse_dns(&rule->value);

    case RMS_ACL_CERT_UPN:
        return rms_acl_parse_upn(&rule->value);

    default:
        return rms_acl_parse_thumbprint(&rule->value);
    }
}


static int
rms_acl_cut(rms_str_t *value, const char *prefix, size_t len)
{
    if (value->len < len || memcmp(value->data, prefix, len) != 0) {
        return 0;
    }

    value->data += len;
    value->len -= len;

    return 1;
}


/* Read whole first, so that a message can still show what was written. */

static rms_acl_error_e
rms_acl_parse_thumbprint(rms_str_t *value)
{
    int            colons;
    size_t         i, n;
    unsigned char  c;

    colons = (value->len == RMS_ACL_COLONS_LEN);

    if (!colons && value->len != RMS_CERT_THUMBPRINT_LEN) {
        return RMS_ACL_BAD_CERT;
    }

    for (i = 0; i < value->len; i++) {
        c = rms_lower(value->data[i]);

        if (colons && i % 3 == 2) {
            if (c != ':') {
                return RMS_ACL_BAD_CERT;
            }

            continue;
        }

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
            return RMS_ACL_BAD_CERT;
        }
    }

    for (i = 0, n = 0; i < value->len; i++) {
        if (value->data[i] != ':') {
            value->data[n++] = rms_lower(value->data[i]);
        }
    }

    value->len = n;

    return RMS_ACL_FINE;
}


/* The underscore is no host name's, but Active Directory has such names. */

static rms_acl_error_e
rms_acl_parse_dns(rms_str_t *value)
{
    size_t         i, label;
    unsigned char  c;

    if (value->len > RMS_ACL_DNS_MAX) {
        return RMS_ACL_BAD_CERT_DNS;
    }

    for (i = 0, label = 0; i < value->len; i++) {
        c = rms_lower(value->data[i]);

        if (c == '.') {
            if (label == 0) {
                return RMS_ACL_BAD_CERT_DNS;
            }

            label = 0;
            continue;
        }

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'
              || c == '_')
            || ++label > RMS_ACL_LABEL_MAX)
        {
            return RMS_ACL_BAD_CERT_DNS;
        }

        value->data[i] = c;
    }

    return label ? RMS_ACL_FINE : RMS_ACL_BAD_CERT_DNS;
}


static rms_acl_error_e
rms_acl_parse_upn(rms_str_t *value)
{
    size_t           i;
    rms_principal_t  p;

    /* the two have the form in common, except for the escapes */

    if (memchr(value->data, '\\', value->len) != NULL
        || rms_principal_parse(value, &p) != RMS_OK)
    {
        return RMS_ACL_BAD_CERT_UPN;
    }

    for (i = 0; i < value->len; i++) {
        value->data[i] = rms_lower(value->data[i]);
    }

    return RMS_ACL_FINE;
}


const char *
rms_acl_error_text(rms_acl_error_e error)
{
    if ((unsigned) error >= RMS_ACL_ERROR_MAX) {
        error = RMS_ACL_BAD_KIND;
    }

    return rms_acl_errors[error];
}


const char *
rms_acl_kind_text(rms_acl_kind_e kind)
{
    if ((unsigned) kind >= RMS_ACL_KIND_MAX) {
        kind = RMS_ACL_ANY;
    }

    return rms_acl_kinds[kind];
}


int
rms_acl_same(const rms_acl_rule_t *a, const rms_acl_rule_t *b)
{
    return a->kind == b->kind && rms_str_eq(&a->value, &b->value);
}


int
rms_acl_wants_sids(const rms_acl_rule_t *rules, size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        if (rules[i].kind == RMS_ACL_SID) {
            return 1;
        }
    }

    return 0;
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

        if (rms_acl_same(&rules[i], rule)) {
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
    int               unknown;
    rms_acl_answer_t  answer;

    unknown = 0;

    answer.rule = rms_acl_find_rule(rules, n, caller, match, &unknown);
    answer.sids_unknown = unknown ? 1 : 0;

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
    const rms_caller_t *caller, rms_acl_match_pt match, int *unknown)
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
        rule = rms_acl_find_cert(rules, n, caller->cert);
        if (rule != NULL) {
            return rule;
        }
    }

    if (caller->sids == NULL) {
        *unknown = rms_acl_wants_sids(rules, n);

    } else {
        rule = rms_acl_find_sid(rules, n, caller->sids);
    }

    if (rule != NULL || caller->foreign) {
        return rule;
    }

    rule = rms_acl_find_any(rules, n);

    if (rule != NULL && *unknown && !rms_acl_sids_say(rules, n, rule->role)) {
        return NULL;
    }

    return rule;
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
rms_acl_find_cert(const rms_acl_rule_t *rules, size_t n,
    const rms_cert_names_t *cert)
{
    int     found;
    size_t  i;

    if (cert == NULL) {
        return NULL;
    }

    for (i = 0; i < n; i++) {

        switch (rules[i].kind) {

        case RMS_ACL_CERT:
            found = memcmp(rules[i].value.data, cert->thumbprint,
                           RMS_CERT_THUMBPRINT_LEN) == 0;
            break;

        case RMS_ACL_CERT_DNS:
            found = rms_acl_has_name(cert->dns, cert->n_dns,
                                     &rules[i].value);
            break;

        case RMS_ACL_CERT_UPN:
            found = rms_acl_has_name(cert->upns, cert->n_upns,
                                     &rules[i].value);
            break;

        default:
            found = 0;
        }

        if (found) {
            return &rules[i];
        }
    }

    return NULL;
}


/* Windows compares both without regard to case. */

static int
rms_acl_has_name(const rms_str_t *names, size_t n, const rms_str_t *value)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        if (rms_str_case_eq(&names[i], value)) {
            return 1;
        }
    }

    return 0;
}


static const rms_acl_rule_t *
rms_acl_find_sid(const rms_acl_rule_t *rules, size_t n,
    const rms_sid_set_t *sids)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        if (rules[i].kind == RMS_ACL_SID
            && rms_sid_set_has(sids, &rules[i].sid))
        {
            return &rules[i];
        }
    }

    return NULL;
}


/* Would each rule by sid= give this role? */

static int
rms_acl_sids_say(const rms_acl_rule_t *rules, size_t n, rms_role_e role)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        if (rules[i].kind == RMS_ACL_SID && rules[i].role != role) {
            return 0;
        }
    }

    return 1;
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
