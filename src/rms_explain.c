/*
 * Explaining a role.  The tree is jansson's and freed before the call ends;
 * what is handed out is the caller's allocator's.
 */

#include <jansson.h>

#include "rms_explain.h"
#include "rms_principal.h"
#include "rms_text.h"


typedef enum {
    RMS_HINT_NO_RULES = 0,
    RMS_HINT_NETBIOS,
    RMS_HINT_NO_REALM,
    RMS_HINT_NOT_ACCOUNT,
    RMS_HINT_CASE,
    RMS_HINT_DOLLAR,
    RMS_HINT_REALM,
    RMS_HINT_FOREIGN,
    RMS_HINT_SIDS,
    RMS_HINT_MAX,
    RMS_HINT_NONE = RMS_HINT_MAX
} rms_hint_e;


typedef struct {
    const char             *kind;
    const char             *text;
} rms_hint_t;


typedef struct {
    const rms_explain_t    *question;
    const rms_mem_t        *mem;
    rms_principal_t         asked;      /* realm may be empty            */
    rms_hint_e              form;       /* what is wrong with the account */
    rms_acl_answer_t        answer;
    unsigned                given:1;    /* there is an account           */
    unsigned                hints;      /* bits of rms_hint_e            */
    const rms_acl_rule_t   *rules[RMS_HINT_MAX];
} rms_explain_ctx_t;


static void rms_explain_form(rms_explain_ctx_t *ctx);
static void rms_explain_hints(rms_explain_ctx_t *ctx);
static void rms_explain_accounts(rms_explain_ctx_t *ctx);
static rms_hint_e rms_explain_near(const rms_explain_ctx_t *ctx,
    const rms_acl_rule_t *rule);
static int rms_explain_dollar(const rms_str_t *a, const rms_str_t *b);
static void rms_explain_patterns(rms_explain_ctx_t *ctx);
static void rms_explain_try(rms_explain_ctx_t *ctx, rms_hint_e hint,
    rms_str_t *account);
static void rms_explain_groups(rms_explain_ctx_t *ctx);
static void rms_explain_hint(rms_explain_ctx_t *ctx, rms_hint_e hint,
    const rms_acl_rule_t *rule);
static json_t *rms_explain_tree(const rms_explain_ctx_t *ctx);
static json_t *rms_explain_reason(const rms_explain_ctx_t *ctx);
static json_t *rms_explain_may(const rms_explain_ctx_t *ctx);
static int rms_explain_file(const rms_explain_ctx_t *ctx,
    const rms_endpoint_t *ep, json_t *list);
static json_t *rms_explain_list(const rms_explain_ctx_t *ctx);
static json_t *rms_explain_rule(const rms_explain_ctx_t *ctx,
    const rms_acl_rule_t *rule);
static json_t *rms_explain_string(const rms_explain_ctx_t *ctx,
    const char *prefix, const rms_str_t *value);
static json_t *rms_explain_whole(json_t *tree, int failed);


static const rms_hint_t  rms_hints[RMS_HINT_MAX] = {
    [RMS_HINT_NO_RULES] = { "no_rules",
        "there are no rules here, so nobody has a role" },
    [RMS_HINT_NETBIOS] = { "netbios_form",
        "DOMAIN\\name is not the name of a caller; ask for name@REALM" },
    [RMS_HINT_NO_REALM] = { "no_realm",
        "the account has no realm; ask for name@REALM" },
    [RMS_HINT_NOT_ACCOUNT] = { "not_an_account",
        "no caller can have this name; ask for name@REALM" },
    [RMS_HINT_CASE] = { "case",
        "a rule has this account in other capitals; accounts are compared "
        "byte for byte, write the rule as the ticket has the name" },
    [RMS_HINT_DOLLAR] = { "dollar",
        "a rule differs by the \"$\" at the end of the name; accounts of "
        "machines have one" },
    [RMS_HINT_REALM] = { "other_realm",
        "a rule has this name in another realm" },
    [RMS_HINT_FOREIGN] = { "foreign_realm",
        "the realm is foreign to the service; it needs a rule that names the "
        "account, a pattern that ends in the realm spelled out, or a SID" },
    [RMS_HINT_SIDS] = { "sids_unknown",
        "rules by \"sid=\" were not applied, because the SIDs of the caller "
        "are not known" }
};


rms_rc_e
rms_explain(const rms_explain_t *question, const rms_mem_t *mem,
    rms_str_t *json)
{
    json_t             *tree;
    size_t              size;
    rms_explain_ctx_t   ctx;

    memset(&ctx, 0, sizeof(rms_explain_ctx_t));

    ctx.question = question;
    ctx.mem = mem;

    rms_explain_form(&ctx);

    if (ctx.form == RMS_HINT_NONE) {
        ctx.answer = rms_acl_find(question->rules, question->n,
                                  &question->caller, question->match);
    }

    if (ctx.answer.rule == NULL) {
        rms_explain_hints(&ctx);
    }

    tree = rms_explain_tree(&ctx);
    if (tree == NULL) {
        return RMS_NOMEM;
    }

    json->data = NULL;
    size = json_dumpb(tree, NULL, 0, JSON_INDENT(2) | JSON_ENSURE_ASCII);

    if (size != 0) {
        json->data = rms_alloc(mem, size);
    }

    if (json->data != NULL) {
        json->len = json_dumpb(tree, (char *) json->data, size,
                               JSON_INDENT(2) | JSON_ENSURE_ASCII);
    }

    json_decref(tree);

    return (json->data != NULL && json->len == size) ? RMS_OK : RMS_NOMEM;
}


/* An account that no login can have must not be put before the rules. */

static void
rms_explain_form(rms_explain_ctx_t *ctx)
{
    rms_str_t        name;
    unsigned char   *p;

    name = ctx->question->caller.account;

    ctx->given = (name.len != 0);
    ctx->form = RMS_HINT_NONE;

    if (!ctx->given || rms_principal_parse(&name, &ctx->asked) == RMS_OK) {
        return;
    }

    ctx->form = RMS_HINT_NOT_ACCOUNT;
    ctx->asked.name.len = 0;
    ctx->asked.realm.len = 0;

    if (memchr(name.data, '@', name.len) != NULL) {
        return;
    }

    p = memchr(name.data, '\\', name.len);
    ctx->form = p ? RMS_HINT_NETBIOS : RMS_HINT_NO_REALM;

    if (p != NULL) {
        name.len -= (size_t) (p + 1 - name.data);
        name.data = p + 1;
    }

    ctx->asked.name = name;
}


static void
rms_explain_hints(rms_explain_ctx_t *ctx)
{
    if (ctx->question->n == 0) {
        rms_explain_hint(ctx, RMS_HINT_NO_RULES, NULL);
    }

    if (!ctx->question->caller.authenticated) {
        return;
    }

    if (ctx->given) {
        rms_explain_accounts(ctx);

        if (ctx->form == RMS_HINT_NONE) {
            rms_explain_patterns(ctx);

        } else {
            rms_explain_hint(ctx, ctx->form, NULL);
        }
    }

    if (ctx->form == RMS_HINT_NONE) {
        rms_explain_groups(ctx);
    }
}


static void
rms_explain_accounts(rms_explain_ctx_t *ctx)
{
    size_t                 i;
    const rms_acl_rule_t  *rule;

    for (i = 0; i < ctx->question->n; i++) {
        rule = &ctx->question->rules[i];

        if (rule->kind == RMS_ACL_ACCOUNT) {
            rms_explain_hint(ctx, rms_explain_near(ctx, rule), rule);
        }
    }
}


static rms_hint_e
rms_explain_near(const rms_explain_ctx_t *ctx, const rms_acl_rule_t *rule)
{
    int              realm;
    rms_principal_t  p;

    if (ctx->asked.name.len == 0
        || rms_principal_parse(&rule->value, &p) != RMS_OK)
    {
        return RMS_HINT_NONE;
    }

    realm = rms_str_case_eq(&p.realm, &ctx->asked.realm);

    if (rms_str_case_eq(&p.name, &ctx->asked.name)) {

        if (ctx->form != RMS_HINT_NONE) {
            return ctx->form;
        }

        return realm ? RMS_HINT_CASE : RMS_HINT_REALM;
    }

    if ((realm || ctx->asked.realm.len == 0)
        && rms_explain_dollar(&p.name, &ctx->asked.name))
    {
        return RMS_HINT_DOLLAR;
    }

    return RMS_HINT_NONE;
}


static int
rms_explain_dollar(const rms_str_t *a, const rms_str_t *b)
{
    const rms_str_t  *with, *without;

    with = (a->len > b->len) ? a : b;
    without = (a->len > b->len) ? b : a;

    return with->len == without->len + 1 && with->data[with->len - 1] == '$'
           && rms_strn_case_eq(with->data, without->data, without->len);
}


/* Would a pattern match it in capitals, or with the "$" the other way? */

static void
rms_explain_patterns(rms_explain_ctx_t *ctx)
{
    size_t            i;
    rms_str_t         other;
    unsigned char     buf[RMS_PRINCIPAL_LEN_MAX + 1];
    const rms_str_t  *account, *name, *realm;

    account = &ctx->question->caller.account;
    name = &ctx->asked.name;
    realm = &ctx->asked.realm;

    other.data = buf;

    for (i = 0; i < account->len; i++) {
        buf[i] = account->data[i];

        if (buf[i] >= 'a' && buf[i] <= 'z') {
            buf[i] = (unsigned char) (buf[i] - 'a' + 'A');
        }
    }

    other.len = account->len;
    rms_explain_try(ctx, RMS_HINT_CASE, &other);

    memcpy(buf, name->data, name->len);
    other.len = name->len;

    if (name->data[name->len - 1] == '$') {
        other.len--;

    } else {
        buf[other.len++] = '$';
    }

    if (other.len == 0) {
        return;
    }

    buf[other.len++] = '@';
    memcpy(buf + other.len, realm->data, realm->len);
    other.len += realm->len;

    rms_explain_try(ctx, RMS_HINT_DOLLAR, &other);
}


static void
rms_explain_try(rms_explain_ctx_t *ctx, rms_hint_e hint, rms_str_t *account)
{
    rms_caller_t      caller;
    rms_acl_answer_t  answer;

    memset(&caller, 0, sizeof(rms_caller_t));

    caller.account = *account;
    caller.authenticated = 1;
    caller.foreign = ctx->question->caller.foreign;

    answer = rms_acl_find(ctx->question->rules, ctx->question->n, &caller,
                          ctx->question->match);

    if (answer.rule != NULL && answer.rule->kind == RMS_ACL_PATTERN) {
        rms_explain_hint(ctx, hint, answer.rule);
    }
}


/* What the realm and the missing SIDs have kept from matching. */

static void
rms_explain_groups(rms_explain_ctx_t *ctx)
{
    size_t             i;
    rms_caller_t       caller;
    rms_acl_answer_t   answer;

    if (ctx->answer.reason == RMS_REASON_FOREIGN_REALM) {
        caller = ctx->question->caller;
        caller.foreign = 0;

        answer = rms_acl_find(ctx->question->rules, ctx->question->n, &caller,
                              ctx->question->match);

        rms_explain_hint(ctx, RMS_HINT_FOREIGN, answer.rule);
    }

    if (!ctx->answer.sids_unknown) {
        return;
    }

    for (i = 0; i < ctx->question->n; i++) {
        if (ctx->question->rules[i].kind == RMS_ACL_SID) {
            rms_explain_hint(ctx, RMS_HINT_SIDS, &ctx->question->rules[i]);
        }
    }
}


/* The first rule of each sort. */

static void
rms_explain_hint(rms_explain_ctx_t *ctx, rms_hint_e hint,
    const rms_acl_rule_t *rule)
{
    if (hint == RMS_HINT_NONE) {
        return;
    }

    ctx->hints |= 1u << hint;

    if (ctx->rules[hint] == NULL) {
        ctx->rules[hint] = rule;
    }
}


static json_t *
rms_explain_tree(const rms_explain_ctx_t *ctx)
{
    int                  failed;
    json_t              *tree;
    const rms_caller_t  *caller;

    caller = &ctx->question->caller;
    tree = json_object();

    failed = json_object_set_new(tree, "account",
                 ctx->given ? rms_explain_string(ctx, "", &caller->account)
                            : json_null());

    failed |= json_object_set_new(tree, "sids",
                  caller->sids
                  ? json_integer((json_int_t) caller->sids->n_members)
                  : json_null());

    failed |= json_object_set_new(tree, "foreign",
                  json_boolean(caller->foreign));
    failed |= json_object_set_new(tree, "role",
                  rms_explain_string(ctx, "",
                                     rms_role_name(ctx->answer.role)));
    failed |= json_object_set_new(tree, "rule",
                  rms_explain_rule(ctx, ctx->answer.rule));
    failed |= json_object_set_new(tree, "reason", rms_explain_reason(ctx));
    failed |= json_object_set_new(tree, "sids_unknown",
                  json_boolean(ctx->answer.sids_unknown));
    failed |= json_object_set_new(tree, "may", rms_explain_may(ctx));
    failed |= json_object_set_new(tree, "hints", rms_explain_list(ctx));

    return rms_explain_whole(tree, failed);
}


static json_t *
rms_explain_reason(const rms_explain_ctx_t *ctx)
{
    if (ctx->answer.rule != NULL) {
        return json_null();
    }

    if (ctx->form != RMS_HINT_NONE) {
        return json_string("not_an_account");
    }

    return rms_explain_string(ctx, "", rms_reason_name(ctx->answer.reason));
}


static json_t *
rms_explain_may(const rms_explain_ctx_t *ctx)
{
    int       failed;
    json_t   *list;
    unsigned  file;

    failed = 0;
    list = json_array();

    for (file = 0; file < RMS_FILE_MAX && list != NULL; file++) {
        failed |= rms_explain_file(ctx, rms_endpoint_get((rms_file_e) file),
                                   list);
    }

    return rms_explain_whole(list, failed);
}


static int
rms_explain_file(const rms_explain_ctx_t *ctx, const rms_endpoint_t *ep,
    json_t *list)
{
    int       failed;
    size_t    i;
    json_t   *entry;

    for (i = 0, failed = 0; i < RMS_FILE_OPS_MAX; i++) {

        if (!rms_policy_may(ctx->answer.role, ep, ep->ops[i],
                            ctx->question->grants))
        {
            continue;
        }

        entry = json_object();

        failed |= json_object_set_new(entry, "operation",
                      rms_explain_string(ctx, "",
                                   &rms_operation_get(ep->ops[i])->name));
        failed |= json_object_set_new(entry, "path",
                      rms_explain_string(ctx, "", &ep->path));
        failed |= json_array_append_new(list, entry);
    }

    return failed;
}


static json_t *
rms_explain_list(const rms_explain_ctx_t *ctx)
{
    int       failed;
    json_t   *list, *entry;
    unsigned  i;

    failed = 0;
    list = json_array();

    for (i = 0; i < RMS_HINT_MAX; i++) {

        if (!(ctx->hints & (1u << i))) {
            continue;
        }

        entry = json_object();

        failed |= json_object_set_new(entry, "kind",
                                      json_string(rms_hints[i].kind));
        failed |= json_object_set_new(entry, "text",
                                      json_string(rms_hints[i].text));
        failed |= json_object_set_new(entry, "rule",
                                      rms_explain_rule(ctx, ctx->rules[i]));
        failed |= json_array_append_new(list, entry);
    }

    return rms_explain_whole(list, failed);
}


static json_t *
rms_explain_rule(const rms_explain_ctx_t *ctx, const rms_acl_rule_t *rule)
{
    int      failed;
    json_t  *tree;

    if (rule == NULL) {
        return json_null();
    }

    tree = json_object();

    failed = json_object_set_new(tree, "text",
                 rms_explain_string(ctx, rms_acl_kind_text(rule->kind),
                                    &rule->value));
    failed |= json_object_set_new(tree, "file",
                  rms_explain_string(ctx, "", &rule->file));
    failed |= json_object_set_new(tree, "line", json_integer(rule->line));

    return rms_explain_whole(tree, failed);
}


/* jansson wants UTF-8; a byte that is not becomes U+FFFD. */

static json_t *
rms_explain_string(const rms_explain_ctx_t *ctx, const char *prefix,
    const rms_str_t *value)
{
    size_t          i, n, len;
    unsigned char  *p;

    len = strlen(prefix);

    p = rms_alloc(ctx->mem, len + 3 * value->len + 1);
    if (p == NULL) {
        return NULL;
    }

    memcpy(p, prefix, len);

    for (i = 0; i < value->len; i += n) {
        n = rms_text_utf8(&value->data[i], value->len - i);

        if (n == 0) {
            memcpy(p + len, "\xef\xbf\xbd", 3);
            len += 3;
            n = 1;

        } else {
            memcpy(p + len, &value->data[i], n);
            len += n;
        }
    }

    return json_stringn((char *) p, len);
}


/* All of it or nothing: a member that is missing is an error. */

static json_t *
rms_explain_whole(json_t *tree, int failed)
{
    if (failed == 0) {
        return tree;
    }

    json_decref(tree);

    return NULL;
}
