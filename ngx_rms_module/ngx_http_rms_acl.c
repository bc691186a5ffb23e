
/*
 * Rules of the access list: rms_allow, rms_grant, rms_revoke at load, and
 * the question "which role has this caller?" at run time.
 */


#include "ngx_http_rms_module.h"


static char *ngx_http_rms_allow_rule(ngx_conf_t *cf, ngx_http_rms_list_t *list,
    rms_role_e role, ngx_str_t *text);
static ngx_int_t ngx_http_rms_allow_pattern(ngx_conf_t *cf,
    rms_acl_rule_t *rule);
static char *ngx_http_rms_allow_conflict(ngx_conf_t *cf,
    ngx_http_rms_list_t *list, rms_acl_rule_t *rule);
static ngx_http_rms_list_t *ngx_http_rms_list_get(ngx_conf_t *cf,
    ngx_http_rms_loc_conf_t *rlcf);
static char *ngx_http_rms_role_value(ngx_conf_t *cf, ngx_str_t *value,
    rms_role_e *role);
static rms_rc_e ngx_http_rms_pattern(void *data, rms_str_t *text,
    void **pattern, rms_str_t *error);
static int ngx_http_rms_match(void *pattern, const rms_str_t *account);


char *
ngx_http_rms_allow_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_rms_loc_conf_t *rlcf = conf;

    char                 *rv;
    ngx_str_t            *value;
    ngx_uint_t            i;
    rms_role_e            role;
    ngx_http_rms_list_t  *list;

    value = cf->args->elts;

    rv = ngx_http_rms_role_value(cf, &value[1], &role);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    list = ngx_http_rms_list_get(cf, rlcf);
    if (list == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {
        rv = ngx_http_rms_allow_rule(cf, list, role, &value[i]);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return NGX_CONF_OK;
}


static ngx_http_rms_list_t *
ngx_http_rms_list_get(ngx_conf_t *cf, ngx_http_rms_loc_conf_t *rlcf)
{
    ngx_http_rms_list_t       *list, **lists;
    ngx_http_rms_main_conf_t  *rmcf;

    if (rlcf->list != NGX_CONF_UNSET_PTR) {
        return rlcf->list;
    }

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_rms_module);

    list = ngx_pcalloc(cf->pool, sizeof(ngx_http_rms_list_t));
    lists = ngx_array_push(&rmcf->lists);

    if (list == NULL || lists == NULL
        || ngx_array_init(&list->rules, cf->pool, 8, sizeof(rms_acl_rule_t))
           != NGX_OK)
    {
        return NULL;
    }

    *lists = list;
    rlcf->list = list;

    return list;
}


static char *
ngx_http_rms_allow_rule(ngx_conf_t *cf, ngx_http_rms_list_t *list,
    rms_role_e role, ngx_str_t *text)
{
    char             *rv;
    rms_acl_rule_t    rule, *slot;
    rms_acl_error_e   error;

    ngx_memzero(&rule, sizeof(rms_acl_rule_t));

    rule.role = role;
    rule.file = cf->conf_file->file.name;
    rule.line = cf->conf_file->line;

    error = rms_acl_parse(text, &rule);

    if (error != RMS_ACL_FINE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid rule \"%V\" in \"rms_allow\": %s", text,
                           rms_acl_error_text(error));
        return NGX_CONF_ERROR;
    }

    if (rule.kind == RMS_ACL_CERT) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "rule \"%V\": client certificates come in a later "
                           "version; write account=name@REALM", text);
        return NGX_CONF_ERROR;
    }

    if (rule.kind == RMS_ACL_SID) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "rule \"%V\" matches nobody yet: groups of a ticket "
                           "are read in a later version; until then write "
                           "account=name@REALM beside it", text);
    }

    if (rule.kind == RMS_ACL_PATTERN
        && ngx_http_rms_allow_pattern(cf, &rule) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    rv = ngx_http_rms_allow_conflict(cf, list, &rule);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    slot = ngx_array_push(&list->rules);
    if (slot == NULL) {
        return NGX_CONF_ERROR;
    }

    *slot = rule;

    list->hash = list->hash * 31 + role;
    list->hash ^= ngx_crc32_long(text->data, text->len);

    return NGX_CONF_OK;
}


static char *
ngx_http_rms_allow_conflict(ngx_conf_t *cf, ngx_http_rms_list_t *list,
    rms_acl_rule_t *rule)
{
    const rms_acl_rule_t  *other;

    other = rms_acl_conflict(list->rules.elts, list->rules.nelts, rule,
                             ngx_http_rms_match);

    if (other == NULL) {
        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"%s%V\" has role \"%V\" in %V:%ui and role \"%V\" in "
                       "%V:%ui; a caller has one role, remove one of the two "
                       "and use \"rms_grant\" for single operations",
                       rms_acl_kind_text(rule->kind), &rule->value,
                       rms_role_name(other->role),
                       &other->file, (ngx_uint_t) other->line,
                       rms_role_name(rule->role),
                       &rule->file, (ngx_uint_t) rule->line);

    return NGX_CONF_ERROR;
}


static ngx_int_t
ngx_http_rms_allow_pattern(ngx_conf_t *cf, rms_acl_rule_t *rule)
{
    u_char           buf[NGX_MAX_CONF_ERRSTR];
    rms_rc_e         rc;
    rms_mem_t        mem;
    rms_str_t        why;
    rms_acl_regex_t  regex;

    mem = ngx_http_rms_mem(cf->pool);
    regex = ngx_http_rms_regex(cf->pool);

    why.len = NGX_MAX_CONF_ERRSTR;
    why.data = buf;

    rc = rms_acl_pattern_compile(rule, &regex, &mem, &why);

    if (rc == RMS_INVALID) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid pattern in \"account=~%V\": %V; write a "
                           "PCRE2 pattern", &rule->value, &why);
    }

    return (rc == RMS_OK) ? NGX_OK : NGX_ERROR;
}


/* Patterns for the core; what is compiled lives in the pool. */

rms_acl_regex_t
ngx_http_rms_regex(ngx_pool_t *pool)
{
    rms_acl_regex_t  regex;

    regex.compile = ngx_http_rms_pattern;
    regex.match = ngx_http_rms_match;
    regex.data = pool;

    return regex;
}


static rms_rc_e
ngx_http_rms_pattern(void *data, rms_str_t *text, void **pattern,
    rms_str_t *error)
{
#if (NGX_PCRE)

    ngx_regex_compile_t  rc;

    ngx_memzero(&rc, sizeof(ngx_regex_compile_t));

    rc.pattern = *text;
    rc.pool = data;
    rc.err = *error;

    if (ngx_regex_compile(&rc) != NGX_OK) {
        *error = rc.err;
        return RMS_INVALID;
    }

    *pattern = rc.regex;

    return RMS_OK;

#else

    error->len = ngx_snprintf(error->data, error->len, "nginx was built "
                              "without PCRE; write account=name@REALM")
                 - error->data;

    return RMS_INVALID;

#endif
}


static int
ngx_http_rms_match(void *pattern, const rms_str_t *account)
{
#if (NGX_PCRE)

    ngx_int_t  n;

    n = ngx_regex_exec(pattern, (ngx_str_t *) account, NULL, 0);

    if (n == NGX_REGEX_NO_MATCHED) {
        return 0;
    }

    return n < 0 ? -1 : 1;

#else

    return -1;

#endif
}


static char *
ngx_http_rms_role_value(ngx_conf_t *cf, ngx_str_t *value, rms_role_e *role)
{
    if (rms_role_parse(value, role) == RMS_OK) {
        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "unknown role \"%V\"; write exchange, sharepoint, fci, "
                       "rms_server, user, partner or admin", value);

    return NGX_CONF_ERROR;
}


char *
ngx_http_rms_grant_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_rms_loc_conf_t *rlcf = conf;

    char        *rv;
    rms_rc_e     rc;
    ngx_str_t   *value;
    rms_role_e   role;
    ngx_uint_t   i;

    value = cf->args->elts;

    rv = ngx_http_rms_role_value(cf, &value[1], &role);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (rlcf->grants == NGX_CONF_UNSET_PTR) {
        rlcf->grants = ngx_pcalloc(cf->pool, sizeof(rms_grants_t));
        if (rlcf->grants == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    for (i = 2; i < cf->args->nelts; i++) {

        rc = cmd->offset ? rms_policy_revoke(rlcf->grants, role,
                                             &value[i])
                         : rms_policy_grant(rlcf->grants, role,
                                            &value[i]);

        if (rc == RMS_UNSUPPORTED) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V %V %V\" is refused: nobody may use this "
                               "operation, or this role has none; remove it",
                               &value[0], &value[1], &value[i]);
            return NGX_CONF_ERROR;
        }

        if (rc != RMS_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "unknown operation \"%V\" in \"%V\"; write the "
                               "name of the operation, as in \"%V %V "
                               "Precertify;\"", &value[i], &value[0],
                               &value[0], &value[1]);
            return NGX_CONF_ERROR;
        }

        ngx_conf_log_error(NGX_LOG_NOTICE, cf, 0, "%V %V %V", &value[0],
                           &value[1], &value[i]);
    }

    return NGX_CONF_OK;
}


/* Identity comes from a login alone: never from a header or variable. */

rms_acl_answer_t
ngx_http_rms_role(ngx_http_rms_loc_conf_t *rlcf, const rms_str_t *account,
    ngx_uint_t foreign)
{
    rms_caller_t          caller;
    ngx_http_rms_list_t  *list;

    ngx_memzero(&caller, sizeof(rms_caller_t));

    if (account) {
        caller.authenticated = 1;
        caller.account = *account;
        caller.foreign = foreign ? 1 : 0;
    }

    list = rlcf->list;

    return rms_acl_find(list ? list->rules.elts : NULL,
                        list ? list->rules.nelts : 0,
                        &caller, ngx_http_rms_match);
}


void
ngx_http_rms_authorise(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx)
{
    ngx_uint_t  identified;

    if (ctx->authorised) {
        return;
    }

    identified = (ctx->auth_state == NGX_HTTP_RMS_IDENTIFIED);

    ctx->authorised = 1;
    ctx->acl = ngx_http_rms_role(ctx->conf, identified ? &ctx->account : NULL,
                                 ctx->foreign);

    ngx_http_rms_log_caller(r, ctx);
}
