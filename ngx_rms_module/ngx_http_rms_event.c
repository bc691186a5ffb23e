
/*
 * Event lines in the error log: "rms event=2001 ..." with Microsoft's number
 * where one exists, "rms ..." otherwise; one line, values escaped and capped.
 */


#include "ngx_http_rms_module.h"
#include "rms_acl_diff.h"
#include "rms_text.h"


static void ngx_http_rms_log_denial(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx);
static ngx_http_rms_seen_t *ngx_http_rms_seen(ngx_http_rms_shared_t *shared,
    uint64_t account);
static uint64_t ngx_http_rms_account_hash(ngx_str_t *account);
static void ngx_http_rms_log_list(ngx_cycle_t *cycle,
    ngx_http_rms_main_conf_t *rmcf, ngx_http_rms_list_t *list);


#define NGX_HTTP_RMS_LINE  1800


void
ngx_http_rms_event(ngx_uint_t level, ngx_log_t *log, ngx_uint_t id,
    const char *fmt, ...)
{
    u_char   line[NGX_HTTP_RMS_LINE], *last;
    va_list  args;

    if (log->log_level < level) {
        return;
    }

    va_start(args, fmt);
    last = ngx_vslprintf(line, line + NGX_HTTP_RMS_LINE, fmt, args);
    va_end(args);

    if (id) {
        ngx_log_error(level, log, 0, "rms event=%ui %*s", id,
                      (size_t) (last - line), line);
        return;
    }

    ngx_log_error(level, log, 0, "rms %*s", (size_t) (last - line), line);
}


/* A caller's value as data: law 10. */

ngx_str_t
ngx_http_rms_escape(ngx_pool_t *pool, const rms_str_t *value)
{
    ngx_str_t  s;

    s.data = ngx_pnalloc(pool, RMS_TEXT_CAP);
    s.len = s.data ? rms_text_log(s.data, RMS_TEXT_CAP, value) : 0;

    return s;
}


/* Why a request ends here, in one line. */

void
ngx_http_rms_log_verdict(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx)
{
    ngx_str_t         account;
    const rms_str_t  *reason;

    if (ctx->verdict.allow) {
        return;
    }

    if (ctx->verdict.reason == RMS_REASON_NO_ROLE
        || ctx->verdict.reason == RMS_REASON_OPERATION
        || ctx->verdict.reason == RMS_REASON_NEVER
        || ctx->verdict.reason == RMS_REASON_FOREIGN_REALM)
    {
        ngx_http_rms_log_denial(r, ctx);
        return;
    }

    reason = rms_reason_name(ctx->verdict.reason);
    account = ngx_http_rms_escape(r->pool, ngx_http_rms_account_name(ctx));

    ngx_http_rms_event(NGX_LOG_WARN, r->connection->log, 0,
                       "denied: reason=%V account=\"%V\" role=%V "
                       "endpoint=%V operation=%V backend=%V",
                       reason, &account,
                       rms_role_name(ctx->acl.role),
                       ctx->path.endpoint ? &ctx->path.endpoint->path
                                          : rms_role_name(0),
                       ctx->operation ? &ctx->operation->name
                                      : rms_role_name(0),
                       ctx->backend ? &ctx->backend->name
                                    : rms_role_name(0));
}


/* Event 2001: who, what, the nearest reason, and the line that would admit. */

static void
ngx_http_rms_log_denial(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx)
{
    ngx_str_t         account, rule, none = ngx_string("-");
    const char       *unknown;
    const rms_str_t  *grant, *role;

    account = ngx_http_rms_escape(r->pool, ngx_http_rms_account_name(ctx));
    rule = account;

    if (account.len == 0) {
        ngx_str_set(&account, "(anonymous)");
        ngx_str_set(&rule, "any");
    }

    unknown = ctx->acl.sids_unknown && ctx->caller ? ctx->caller->sids_why
                                                   : NULL;
    role = rms_role_name(ctx->acl.role);

    if (ctx->verdict.reason == RMS_REASON_NO_ROLE
        || ctx->verdict.reason == RMS_REASON_FOREIGN_REALM)
    {
        ngx_http_rms_event(NGX_LOG_WARN, r->connection->log, 2001,
                           "not authorised: account=\"%V\" reason=%V "
                           "rules=%uz%s%s; would be admitted by: rms_allow "
                           "ROLE %s%V;", &account,
                           rms_reason_name(ctx->verdict.reason),
                           ctx->rules ? ctx->rules->n : 0,
                           unknown ? "; rules by sid= were not applied, "
                                     "groups are not known: " : "",
                           unknown ? unknown : "",
                           ctx->caller && ctx->caller->account.len
                           ? "account=" : "", &rule);
        return;
    }

    grant = ctx->path.endpoint && ctx->operation
            ? rms_policy_grant_name(ctx->path.endpoint, ctx->operation->id)
            : NULL;

    if (grant == NULL) {
        ngx_http_rms_event(NGX_LOG_WARN, r->connection->log, 2001,
                           "not authorised: account=\"%V\" role=%V reason=%V "
                           "operation=%V; nobody may use it", &account,
                           role,
                           rms_reason_name(ctx->verdict.reason),
                           ctx->operation
                           ? &ctx->operation->name : &none);
        return;
    }

    ngx_http_rms_event(NGX_LOG_WARN, r->connection->log, 2001,
                       "not authorised: account=\"%V\" role=%V reason=%V "
                       "endpoint=%V operation=%V rule=%V:%ui; would be "
                       "admitted by: rms_grant %V %V;", &account,
                       role,
                       rms_reason_name(ctx->verdict.reason),
                       &ctx->path.endpoint->path,
                       &ctx->operation->name,
                       ctx->acl.rule ? &ctx->acl.rule->file
                                     : &none,
                       ctx->acl.rule ? (ngx_uint_t) ctx->acl.rule->line : 0,
                       role, grant);
}


/*
 * 1002, the first connection of an authorised account; 2002, it used HTTP;
 * 1003, it moved to HTTPS: once per account and list, remembered in the zone.
 */

void
ngx_http_rms_log_caller(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx)
{
    uint32_t                https, list, first;
    uint64_t                hash;
    ngx_str_t               account, service;
    ngx_uint_t              id;
    ngx_slab_pool_t        *shpool;
    ngx_http_rms_seen_t    *seen;
    ngx_http_rms_shared_t  *shared;

    shared = ngx_http_rms_shared(r);

    if (shared == NULL || ctx->acl.role == RMS_ROLE_NONE
        || ngx_http_rms_account_name(ctx)->len == 0)
    {
        return;
    }

#if (NGX_HTTP_SSL)
    https = r->connection->ssl ? 1 : 0;
#else
    https = 0;
#endif

    list = ctx->rules ? ctx->rules->hash : 0;
    hash = ngx_http_rms_account_hash(ngx_http_rms_account_name(ctx));
    shpool = ngx_http_rms_shpool(r);

    ngx_shmtx_lock(&shpool->mutex);

    seen = ngx_http_rms_seen(shared, hash);

    first = (seen->account != hash || seen->list != list);

    id = (!https && (first || seen->https)) ? 2002
         : (https && !first && !seen->https) ? 1003 : 0;

    seen->account = hash;
    seen->list = list;
    seen->https = https;

    ngx_shmtx_unlock(&shpool->mutex);

    if (!first && id == 0) {
        return;
    }

    account = ngx_http_rms_escape(r->pool, ngx_http_rms_account_name(ctx));

    if (first) {
        service = ngx_http_rms_escape(r->pool, &ctx->caller->service);

        ngx_http_rms_event(NGX_LOG_NOTICE, r->connection->log, 1002,
                           "first connection: account=\"%V\" role=%V "
                           "service=\"%V\" rule=%V:%ui", &account,
                           rms_role_name(ctx->acl.role),
                           &service,
                           &ctx->acl.rule->file,
                           (ngx_uint_t) ctx->acl.rule->line);
    }

    if (id == 2002) {
        ngx_http_rms_event(NGX_LOG_WARN, r->connection->log, 2002,
                           "account uses HTTP: account=\"%V\"; configure its "
                           "server with the https address", &account);
    }

    if (id == 1003) {
        ngx_http_rms_event(NGX_LOG_NOTICE, r->connection->log, 1003,
                           "account moved from HTTP to HTTPS: "
                           "account=\"%V\"", &account);
    }
}


/* Open addressing over a short run; a full run gives up its first entry. */

static ngx_http_rms_seen_t *
ngx_http_rms_seen(ngx_http_rms_shared_t *shared, uint64_t account)
{
    ngx_uint_t            i;
    ngx_http_rms_seen_t  *seen;

    for (i = 0; i < 16; i++) {
        seen = &shared->seen[(account + i) % NGX_HTTP_RMS_SEEN];

        if (seen->account == account || seen->account == 0) {
            return seen;
        }
    }

    return &shared->seen[account % NGX_HTTP_RMS_SEEN];
}


/* FNV-1a: not against an adversary, who gains a log line more or less. */

static uint64_t
ngx_http_rms_account_hash(ngx_str_t *account)
{
    size_t    i;
    uint64_t  hash;

    hash = 0xcbf29ce484222325;

    for (i = 0; i < account->len; i++) {
        hash ^= account->data[i];
        hash *= 0x100000001b3;
    }

    return hash ? hash : 1;
}


/* Event 1004 with one line an entry, 2003 for a list that admits nobody. */

void
ngx_http_rms_log_lists(ngx_cycle_t *cycle, ngx_http_rms_main_conf_t *rmcf)
{
    ngx_uint_t             i;
    ngx_http_rms_list_t  **lists;

    lists = rmcf->lists.elts;

    for (i = 0; i < rmcf->lists.nelts; i++) {
        ngx_http_rms_log_list(cycle, rmcf, lists[i]);
    }

    if (rmcf->lists.nelts == 0) {
        ngx_http_rms_event(NGX_LOG_WARN, cycle->log, 2003,
                           "list empty: no \"rms_allow\" at all, nobody is "
                           "admitted");
    }
}


static void
ngx_http_rms_log_list(ngx_cycle_t *cycle, ngx_http_rms_main_conf_t *rmcf,
    ngx_http_rms_list_t *list)
{
    size_t           i;
    rms_acl_rule_t  *rule;

    rule = list->base->rules;

    ngx_http_rms_event(NGX_LOG_NOTICE, cycle->log, 1004,
                       "list loaded: rules=%uz hash=%08xD", list->base->n,
                       list->base->hash);

    for (i = 0; i < list->base->n; i++) {
        ngx_http_rms_event(NGX_LOG_NOTICE, cycle->log, 1004,
                           "list entry: %V %s%V (%V:%ui)",
                           rms_role_name(rule[i].role),
                           rms_acl_kind_text(rule[i].kind),
                           &rule[i].value,
                           &rule[i].file,
                           (ngx_uint_t) rule[i].line);
    }

    if (list->file) {
        (void) ngx_http_rms_tell(rmcf->zone, &list->file->path,
                                 list->base->own_hash);
    }

    if (list->base->n == 0 && list->rmcf == NULL) {
        ngx_http_rms_event(NGX_LOG_WARN, cycle->log, 2003,
                           "list empty: nobody is admitted by it");
    }
}


/* 1004 again, when a file has changed: once, by one of the workers. */

void
ngx_http_rms_log_change(ngx_http_rms_main_conf_t *rmcf,
    ngx_http_rms_acl_file_t *file, ngx_log_t *log)
{
    size_t                  i, n;
    rms_mem_t               mem;
    ngx_pool_t             *pool;
    rms_acl_diff_t         *diff;
    ngx_http_rms_list_t   **lists;
    ngx_http_rms_rules_t   *old, *now;

    lists = file->lists.elts;
    old = lists[0]->base;
    now = lists[0]->next;
    n = now->n - now->own;

    if (old->own_hash == now->own_hash
        || !ngx_http_rms_tell(rmcf->zone, &file->path, now->own_hash))
    {
        return;
    }

    (void) ngx_atomic_fetch_add(
                  &rmcf->zone->shared->counters[RMS_COUNT_ACL_RELOADS], 1);

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, log);
    if (pool == NULL) {
        return;
    }

    mem = ngx_http_rms_mem(pool);
    diff = ngx_palloc(pool, sizeof(rms_acl_diff_t));

    if (diff && rms_acl_diff(old->rules + old->own, old->n - old->own,
                             now->rules + now->own, n, &mem, diff)
                == RMS_OK)
    {
        ngx_http_rms_event(NGX_LOG_NOTICE, log, 1004,
                           "list changed: file=\"%V\" rules=%uz hash=%08xD "
                           "added=%uz removed=%uz role_changed=%uz%s",
                           &file->path, n, now->own_hash, diff->added,
                           diff->removed, diff->changed,
                           diff->reordered ? " reordered" : "");

        for (i = 0; i < diff->n_lines; i++) {
            ngx_http_rms_event(NGX_LOG_NOTICE, log, 1004, "list change: %s",
                               diff->lines[i]);
        }
    }

    if (n == 0) {
        ngx_http_rms_event(NGX_LOG_WARN, log, 2003,
                           "list empty: \"%V\" has no rules, nobody is "
                           "admitted by it", &file->path);
    }

    ngx_destroy_pool(pool);
}
