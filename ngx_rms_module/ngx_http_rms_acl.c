
/*
 * Rules of the access list: rms_allow, rms_grant, rms_revoke at load, and
 * the question "which role has this caller?" at run time.
 */


#include "ngx_http_rms_module.h"
#include "ngx_http_rms_conf.h"


static char *ngx_http_rms_allow_rule(ngx_conf_t *cf, ngx_array_t *allow,
    rms_role_e role, ngx_str_t *text);
static ngx_int_t ngx_http_rms_allow_pattern(ngx_conf_t *cf,
    rms_acl_rule_t *rule);
static char *ngx_http_rms_allow_conflict(ngx_conf_t *cf, ngx_array_t *allow,
    rms_acl_rule_t *rule);
static char *ngx_http_rms_role_value(ngx_conf_t *cf, ngx_str_t *value,
    rms_role_e *role);


char *
ngx_http_rms_allow_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_rms_loc_conf_t *rlcf = conf;

    char        *rv;
    ngx_str_t   *value;
    ngx_uint_t   i;
    rms_role_e   role;

    value = cf->args->elts;

    rv = ngx_http_rms_role_value(cf, &value[1], &role);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (rlcf->allow == NGX_CONF_UNSET_PTR) {
        rlcf->allow = ngx_array_create(cf->pool, 8, sizeof(rms_acl_rule_t));
        if (rlcf->allow == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    for (i = 2; i < cf->args->nelts; i++) {
        rv = ngx_http_rms_allow_rule(cf, rlcf->allow, role, &value[i]);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_rms_allow_rule(ngx_conf_t *cf, ngx_array_t *allow, rms_role_e role,
    ngx_str_t *text)
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

    if (rule.kind == RMS_ACL_PATTERN
        && ngx_http_rms_allow_pattern(cf, &rule) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    rv = ngx_http_rms_allow_conflict(cf, allow, &rule);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    slot = ngx_array_push(allow);
    if (slot == NULL) {
        return NGX_CONF_ERROR;
    }

    *slot = rule;

    return NGX_CONF_OK;
}


static char *
ngx_http_rms_allow_conflict(ngx_conf_t *cf, ngx_array_t *allow,
    rms_acl_rule_t *rule)
{
    const rms_acl_rule_t  *other;

    other = rms_acl_conflict(allow->elts, allow->nelts, rule,
                             ngx_http_rms_regex(cf->pool).match);

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
    rms_rc_e         rc;
    rms_mem_t        mem;
    rms_str_t        error;
    rms_acl_regex_t  regex;
    u_char           text[RMS_ACL_PATTERN_ERROR];

    mem = ngx_http_rms_mem(cf->pool);
    regex = ngx_http_rms_regex(cf->pool);

    error.data = text;
    error.len = sizeof(text);

    rc = rms_acl_pattern_compile(rule, &regex, &mem, &error);

    if (rc == RMS_INVALID) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid pattern in \"account=~%V\": %V; write a "
                           "PCRE2 pattern", &rule->value, &error);
    }

    return rc == RMS_OK ? NGX_OK : NGX_ERROR;
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


/* Identity comes from the context alone: never from a header or variable. */

rms_acl_answer_t
ngx_http_rms_role(ngx_http_rms_rules_t *rules, ngx_http_rms_caller_t *caller)
{
    rms_caller_t  who;

    ngx_memzero(&who, sizeof(rms_caller_t));

    if (caller) {
        who.authenticated = 1;
        who.account = caller->account;
        who.sids = caller->sids;
        who.cert = caller->cert;
        who.foreign = caller->foreign;
    }

    return rms_acl_find(rules ? rules->rules : NULL, rules ? rules->n : 0,
                        &who, ngx_http_rms_regex(NULL).match);
}


void
ngx_http_rms_authorise(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx)
{
    if (ctx->authorised) {
        return;
    }

    ngx_http_rms_rules_free(ctx->rules);

    ctx->authorised = 1;
    ctx->rules = ngx_http_rms_rules_hold(ctx->conf->list);
    ctx->acl = ngx_http_rms_role(ctx->rules, ctx->caller);

    ngx_http_rms_log_caller(r, ctx);
}
