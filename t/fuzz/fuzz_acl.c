/*
 * Values of the configuration: lines of "role rule...", as rms_allow and
 * rms_acl_file have them.  The first line is the caller: flags, then its
 * account.  Words that are no rule are tried as names for rms_grant, as a
 * licensor and as a base.
 */

#include <stdlib.h>

#include "rms_acl.h"
#include "rms_principal.h"
#include "rms_url.h"


#define RULES_MAX  64


typedef struct {
    rms_acl_rule_t  rules[RULES_MAX];
    size_t          n;
    rms_grants_t    grants;
} list_t;


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
expect(int truth)
{
    if (!truth) {
        abort();
    }
}


/* Cuts the next word off text; the byte behind it is its end. */

static rms_str_t
word(rms_str_t *text, unsigned char *end)
{
    rms_str_t  w;

    w.data = text->data;
    w.len = 0;
    *end = '\n';

    while (text->len) {
        *end = *text->data;
        text->data++;
        text->len--;

        if (*end == ' ' || *end == '\n') {
            return w;
        }

        w.len++;
    }

    *end = '\n';

    return w;
}


static int
match(void *pattern, const rms_str_t *account)
{
    const rms_acl_rule_t  *rule = pattern;

    return account->len && rule->value.len
           && account->data[0] == rule->value.data[0];
}


static void
parsed(const rms_acl_rule_t *rule)
{
    size_t           i;
    rms_principal_t  p;

    switch (rule->kind) {

    case RMS_ACL_ACCOUNT:
        expect(rms_principal_parse(&rule->value, &p) == RMS_OK);
        break;

    case RMS_ACL_PATTERN:
        expect(rule->value.len != 0);
        break;

    case RMS_ACL_CERT:
        expect(rule->value.len == 64);
        for (i = 0; i < 64; i++) {
            expect(rule->value.data[i] == rms_lower(rule->value.data[i]));
        }
        break;

    case RMS_ACL_SID:
        expect(rms_sid_valid(&rule->value));
        break;

    case RMS_ACL_ANY:
        expect(rule->value.len == 0);
        break;
    }
}


/* A name that can be granted can be revoked, and either is the last word. */

static void
grant(rms_grants_t *grants, rms_role_e role, const rms_str_t *name)
{
    rms_rc_e      rc;
    uint32_t      mask;
    rms_grants_t  one;

    memset(&one, 0, sizeof(one));

    rc = rms_policy_grant(&one, role, name);
    expect(rc == RMS_OK || rc == RMS_DECLINED || rc == RMS_UNSUPPORTED);

    mask = one.grant[role];
    expect((rc == RMS_OK) == (mask != 0) && one.revoke[role] == 0);

    expect(rms_policy_revoke(&one, role, name) == rc);
    expect(one.grant[role] == 0 && one.revoke[role] == mask);

    expect(rms_policy_grant(&one, role, name) == rc);
    expect(one.grant[role] == mask && one.revoke[role] == 0);

    (void) rms_policy_grant(grants, role, name);
}


/* What was read as a licensor reads the same again, and is in its one form. */

static void
licensor(const rms_str_t *text)
{
    size_t          i;
    rms_str_t       again;
    unsigned char   c;
    rms_licensor_t  first, second;

    if (rms_licensor_parse(text, &first) != RMS_OK) {
        expect(first.len == 0);
        return;
    }

    expect(first.len == 36);

    for (i = 0; i < 36; i++) {
        c = first.guid[i];
        expect((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')
               || (c == '-' && (i == 8 || i == 13 || i == 18 || i == 23)));
    }

    again.data = first.guid;
    again.len = 36;

    expect(rms_licensor_parse(&again, &second) == RMS_OK);
    expect(memcmp(first.guid, second.guid, 36) == 0);
}


/* A base lies under itself, and what lies under it is put elsewhere. */

static void
base(const rms_str_t *text)
{
    static rms_str_t  edge = rms_string("https://edge.example/_wmcs");

    size_t            n;
    rms_url_t         url;
    rms_str_t         bases[2];
    rms_url_map_t     map;

    bases[0] = *text;
    bases[1] = *text;

    map.bases = bases;
    map.n_bases = 2;
    map.target = edge;

    n = rms_url_map(text, &map);

    if (rms_url_parse(text, &url) != RMS_OK) {
        expect(n == 0);
        return;
    }

    expect(n == rms_url_under(text, text) && n <= text->len);
    expect(n != 0 || url.tail + url.path.len < text->len);
}


static void
add(list_t *list, rms_role_e role, const rms_str_t *text)
{
    rms_acl_error_e   error;
    rms_acl_rule_t   *rule;

    if (list->n == RULES_MAX) {
        return;
    }

    rule = &list->rules[list->n];
    memset(rule, 0, sizeof(rms_acl_rule_t));

    error = rms_acl_parse(text, rule);
    expect(rms_acl_error_text(error)[0] != '\0');

    if (error != RMS_ACL_FINE) {
        grant(&list->grants, role, text);
        licensor(text);
        base(text);
        return;
    }

    parsed(rule);

    rule->role = role;
    rule->pattern = rule;

    if (rms_acl_conflict(list->rules, list->n, rule, match) == NULL) {
        list->n++;
    }
}


/* Read on its own: the pattern without the backslashes before its dots. */

static int
spells(const rms_str_t *pattern, const rms_str_t *account)
{
    int             found;
    size_t          i, n, at;
    unsigned char  *plain;

    for (at = account->len; at && account->data[at - 1] != '@'; at--) {
        /* void */
    }

    if (at == 0) {
        return 0;
    }

    plain = malloc(pattern->len);
    expect(plain != NULL);

    for (i = 0, n = 0; i < pattern->len; i++) {
        if (pattern->data[i] != '\\' || i + 1 == pattern->len
            || pattern->data[i + 1] != '.')
        {
            plain[n++] = pattern->data[i];
        }
    }

    at--;

    found = n >= account->len - at
            && memcmp(plain + n - (account->len - at), account->data + at,
                      account->len - at) == 0;
    free(plain);

    return found;
}


static void
ask(const list_t *list, const rms_caller_t *caller)
{
    rms_acl_answer_t  a;

    a = rms_acl_find(list->rules, list->n, caller, match);

    if (a.rule == NULL) {
        expect(a.role == RMS_ROLE_NONE);
        expect(a.reason == RMS_REASON_NO_ROLE
               || a.reason == RMS_REASON_FOREIGN_REALM);
        return;
    }

    expect(a.role == a.rule->role && a.role != RMS_ROLE_NONE);

    if (!caller->authenticated) {
        expect(a.rule->kind == RMS_ACL_ANY);

    } else if (caller->foreign) {
        expect(a.rule->kind == RMS_ACL_ACCOUNT
               || a.rule->kind == RMS_ACL_PATTERN
               || a.rule->kind == RMS_ACL_SID);
        expect(a.rule->kind != RMS_ACL_PATTERN
               || spells(&a.rule->value, &caller->account));
    }

    if (a.rule->kind == RMS_ACL_ACCOUNT) {
        expect(rms_str_eq(&a.rule->value, &caller->account));
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    list_t          list;
    rms_str_t       text, w, flags;
    rms_role_e      role;
    rms_caller_t    caller;
    unsigned char   end, *copy;

    copy = malloc(size ? size : 1);
    if (copy == NULL) {
        return 0;
    }

    if (size != 0) {
        memcpy(copy, data, size);
    }

    text.data = copy;
    text.len = size;
    memset(&list, 0, sizeof(list));
    memset(&caller, 0, sizeof(caller));

    flags = word(&text, &end);
    caller.authenticated = (flags.len && memchr(flags.data, 'a', flags.len));
    caller.foreign = (flags.len && memchr(flags.data, 'f', flags.len));

    if (end == ' ') {
        caller.account = word(&text, &end);
        caller.cert = caller.account;
        caller.sids = &caller.account;
        caller.n_sids = 1;
    }

    role = RMS_ROLE_USER;
    end = '\n';

    while (text.len) {
        if (end == '\n') {
            w = word(&text, &end);

            if (rms_role_parse(&w, &role) != RMS_OK) {
                continue;
            }
        }

        w = word(&text, &end);
        add(&list, role, &w);
    }

    ask(&list, &caller);

    expect(list.grants.grant[RMS_ROLE_NONE] == 0);
    expect(list.grants.grant[RMS_ROLE_ADMIN] == 0);

    free(copy);

    return 0;
}
