/*
 * Values of the configuration: lines of "role rule...", as rms_allow and
 * rms_acl_file have them.  The first line is the caller: flags (a:
 * authenticated, f: foreign, c: with a certificate, s: SIDs are known), then
 * its account, which is its SID and the name in its certificate as well.
 * Words that are no rule are tried as names for rms_grant, as a licensor and
 * as a base.
 */

#include <jansson.h>
#include <stdlib.h>

#include "rms_acl.h"
#include "rms_explain.h"
#include "rms_principal.h"
#include "rms_url.h"


#define RULES_MAX   64
#define BLOCKS_MAX  1024


typedef struct {
    rms_acl_rule_t  rules[RULES_MAX];
    size_t          n;
    rms_grants_t    grants;
} list_t;


typedef struct {
    size_t      n;
    void       *blocks[BLOCKS_MAX];
} arena_t;


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);


static int  every = 1;      /* explain each answer; else one in eight */


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


/* A SID is written in one way only. */

static void
sid(const rms_acl_rule_t *rule)
{
    char    text[RMS_SID_TEXT_MAX];
    size_t  len;

    len = rms_sid_format(&rule->sid, text);

    expect(len == rule->value.len && memcmp(text, rule->value.data, len) == 0);
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

    case RMS_ACL_CERT_DNS:
        expect(rule->value.len != 0 && rule->value.len <= 253);
        expect(memchr(rule->value.data, '*', rule->value.len) == NULL);
        break;

    case RMS_ACL_CERT_UPN:
        expect(memchr(rule->value.data, '@', rule->value.len) != NULL);
        break;

    case RMS_ACL_SID:
        sid(rule);
        break;

    case RMS_ACL_ANY:
        expect(rule->value.len == 0);
        break;

    default:
        abort();
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


static void *
arena_alloc(void *data, size_t size)
{
    void     *p;
    arena_t  *a = data;

    expect(a->n < BLOCKS_MAX);

    p = malloc(size ? size : 1);
    expect(p != NULL);

    a->blocks[a->n++] = p;

    return p;
}


/* The explanation is JSON, and says what the rules say. */

static void
explain(const list_t *list, const rms_caller_t *caller,
    const rms_acl_answer_t *a)
{
    json_t           *tree;
    arena_t           arena;
    rms_mem_t         mem;
    rms_str_t         json;
    const char       *role;
    rms_explain_t     question;
    rms_principal_t   p;

    arena.n = 0;
    mem.alloc = arena_alloc;
    mem.data = &arena;

    question.rules = list->rules;
    question.n = list->n;
    question.match = match;
    question.grants = &list->grants;
    question.caller = *caller;

    expect(rms_explain(&question, &mem, &json) == RMS_OK);

    tree = json_loadb((char *) json.data, json.len, JSON_ALLOW_NUL, NULL);
    expect(tree != NULL && json_object_size(tree) == 9);

    role = json_string_value(json_object_get(tree, "role"));
    expect(role != NULL);

    if (caller->account.len == 0
        || rms_principal_parse(&caller->account, &p) == RMS_OK)
    {
        expect(strcmp(role, (char *) rms_role_name(a->role)->data) == 0);

    } else {
        expect(strcmp(role, "none") == 0);
    }

    json_decref(tree);

    while (arena.n) {
        free(arena.blocks[--arena.n]);
    }
}


static void
ask(const list_t *list, const rms_caller_t *caller, unsigned sum)
{
    rms_acl_answer_t  a;

    a = rms_acl_find(list->rules, list->n, caller, match);

    if (every || sum % 8 == 0) {
        explain(list, caller, &a);
    }

    expect(!a.sids_unknown
           || (caller->authenticated && caller->sids == NULL
               && rms_acl_wants_sids(list->rules, list->n)));

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

    expect(a.rule->kind != RMS_ACL_SID || caller->sids != NULL);
    expect(!a.sids_unknown || a.rule->kind == RMS_ACL_ANY);

    if (a.rule->kind == RMS_ACL_ACCOUNT) {
        expect(rms_str_eq(&a.rule->value, &caller->account));
    }
}


/* The caller's names and SIDs, from the flags and the one word there is. */

static void
identify(rms_caller_t *caller, const rms_str_t *flags, rms_cert_names_t *cert,
    rms_sid_set_t *set)
{
    uint32_t   rid;
    rms_sid_t  one, domain;

    if (flags->len == 0) {
        return;
    }

    caller->authenticated = (memchr(flags->data, 'a', flags->len) != NULL);
    caller->foreign = (memchr(flags->data, 'f', flags->len) != NULL);

    if (memchr(flags->data, 'c', flags->len) != NULL) {
        caller->cert = cert;
        cert->dns = &caller->account;
        cert->upns = &caller->account;
        cert->n_dns = (caller->account.len != 0);
        cert->n_upns = (caller->account.len != 0);

        if (caller->account.len == RMS_CERT_THUMBPRINT_LEN) {
            memcpy(cert->thumbprint, caller->account.data,
                   RMS_CERT_THUMBPRINT_LEN);
        }
    }

    if (memchr(flags->data, 's', flags->len) != NULL) {

        if (rms_sid_parse(&caller->account, &one) == RMS_OK) {
            rid = rms_sid_split(&one, &domain);
            rms_sid_set_add(set, &domain, rid);
        }

        caller->sids = set;
    }
}


int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void) argc;
    (void) argv;

    every = 0;

    return 0;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    void              *room;
    size_t             i;
    list_t             list;
    unsigned           sum;
    rms_str_t          text, w, flags;
    rms_role_e         role;
    rms_caller_t       caller;
    rms_sid_set_t      set;
    unsigned char      end, *copy;
    rms_cert_names_t   cert;

    copy = malloc(size ? size : 1);
    room = malloc(rms_sid_set_size(1, 1));
    expect(copy != NULL && room != NULL);

    for (sum = 0, i = 0; i < size; i++) {
        copy[i] = data[i];
        sum += data[i];
    }

    text.data = copy;
    text.len = size;
    memset(&list, 0, sizeof(list));
    memset(&caller, 0, sizeof(caller));

    flags = word(&text, &end);

    if (end == ' ') {
        caller.account = word(&text, &end);
    }

    memset(&cert, 0, sizeof(cert));
    rms_sid_set_init(&set, room, 1, 1);
    identify(&caller, &flags, &cert, &set);
    rms_sid_set_close(&set);

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

    ask(&list, &caller, sum);

    expect(list.grants.grant[RMS_ROLE_NONE] == 0);
    expect(list.grants.grant[RMS_ROLE_ADMIN] == 0);

    free(room);
    free(copy);

    return 0;
}
