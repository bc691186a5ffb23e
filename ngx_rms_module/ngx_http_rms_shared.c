
/*
 * The shared list in the rules of a location (rms_acl_shared): behind the
 * lines of rms_allow and of rms_acl_file, so that what stands in the
 * configuration comes first.  Each worker compiles it when it has changed; and
 * what a location does that cannot reach the store any more.
 */


#include "ngx_http_rms_document.h"


static ngx_http_rms_rules_t *ngx_http_rms_shared_make(
    ngx_http_rms_list_t *list, rms_acl_text_error_t *error);
static ngx_int_t ngx_http_rms_shared_read(const rms_str_t *text,
    ngx_pool_t *pool, rms_acl_list_t *read, rms_acl_text_error_t *error);
static ngx_http_rms_rules_t *ngx_http_rms_shared_join(
    ngx_http_rms_list_t *list, ngx_pool_t *pool, rms_acl_list_t *read,
    rms_acl_text_error_t *error);
static ngx_uint_t ngx_http_rms_store_needed(ngx_http_rms_loc_conf_t *rlcf);


/* Where the rules of the shared list say that they stand. */
static const rms_str_t  ngx_http_rms_shared_name = rms_string("shared list");


/*
 * Makes the rules of the list anew.  When the shared list cannot be joined to
 * them, what stands in the configuration counts alone.
 */

void
ngx_http_rms_shared_renew(ngx_http_rms_list_t *list)
{
    ngx_http_rms_rules_t            *rules;
    rms_acl_text_error_t             error;
    ngx_http_rms_shared_document_t  *own;

    rules = list->base;

    if (list->rmcf) {
        own = &list->rmcf->zone->shared->documents[NGX_HTTP_RMS_LIST];

        /* a change that comes while this is read brings us here again */

        list->changes = own->changes;

        if (own->version) {
            rules = ngx_http_rms_shared_make(list, &error);
        }

        if (rules == NULL) {
            ngx_http_rms_event(NGX_LOG_ERR, ngx_cycle->log, 3001,
                               "shared list not used: line %ud: %s; only "
                               "rules of the configuration count",
                               error.line, error.text);
            rules = list->base;
        }
    }

    if (rules == list->base) {
        rules->refs++;
    }

    ngx_http_rms_rules_free(list->rules);
    list->rules = rules;
}


static ngx_http_rms_rules_t *
ngx_http_rms_shared_make(ngx_http_rms_list_t *list,
    rms_acl_text_error_t *error)
{
    ngx_pool_t            *pool;
    rms_list_t             versions;
    rms_acl_list_t         read;
    ngx_http_rms_rules_t  *rules;

    error->line = 0;
    (void) ngx_cpystrn((u_char *) error->text, (u_char *) "no memory",
                       sizeof(error->text));

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    rules = NULL;

    if (ngx_http_rms_document_list(list->rmcf, pool, &versions) == NGX_OK
        && ngx_http_rms_shared_read(&versions.versions[0].text, pool, &read,
                                    error)
           == NGX_OK)
    {
        rules = ngx_http_rms_shared_join(list, pool, &read, error);
    }

    if (rules == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    rules->pool = pool;
    rules->base = list->base;
    list->base->refs++;

    return rules;
}


static ngx_int_t
ngx_http_rms_shared_read(const rms_str_t *text, ngx_pool_t *pool,
    rms_acl_list_t *read, rms_acl_text_error_t *error)
{
    rms_mem_t         mem;
    rms_acl_regex_t   regex;

    mem = ngx_http_rms_mem(pool);
    regex = ngx_http_rms_regex(pool);

    return rms_acl_text_read(text, &ngx_http_rms_shared_name, NULL, 0, &regex,
                             &mem, read, error)
           == RMS_OK ? NGX_OK : NGX_ERROR;
}


/* All of the pool; NULL: see error. */

static ngx_http_rms_rules_t *
ngx_http_rms_shared_join(ngx_http_rms_list_t *list, ngx_pool_t *pool,
    rms_acl_list_t *read, rms_acl_text_error_t *error)
{
    size_t                 n;
    ngx_http_rms_rules_t  *rules, *base;

    base = list->base;
    n = base->n + read->n;

    rules = ngx_http_rms_rules_create(pool);

    if (rules) {
        rules->rules = ngx_palloc(pool, (n + 1) * sizeof(rms_acl_rule_t));
    }

    if (rules == NULL || rules->rules == NULL) {
        return NULL;
    }

    if (base->n) {
        ngx_memcpy(rules->rules, base->rules,
                   base->n * sizeof(rms_acl_rule_t));
    }

    if (read->n) {
        ngx_memcpy(rules->rules + base->n, read->rules,
                   read->n * sizeof(rms_acl_rule_t));
    }

    rules->n = n;
    ngx_http_rms_rules_close(rules, base->own);

    return ngx_http_rms_rules_mixed(list, rules, error) ? NULL : rules;
}


/* Could the locations of this node go by such a list? */

ngx_int_t
ngx_http_rms_shared_check(ngx_http_rms_main_conf_t *rmcf,
    const rms_str_t *text, ngx_pool_t *pool, rms_acl_text_error_t *error)
{
    ngx_uint_t             i;
    rms_acl_list_t         read;
    ngx_http_rms_list_t  **lists;

    if (ngx_http_rms_shared_read(text, pool, &read, error) != NGX_OK) {
        return NGX_ERROR;
    }

    lists = rmcf->lists.elts;

    for (i = 0; i < rmcf->lists.nelts; i++) {
        if (lists[i]->rmcf
            && ngx_http_rms_shared_join(lists[i], pool, &read, error) == NULL)
        {
            error->line = 0;
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* Seconds since Redis had nothing newer; -1: it was never asked. */

time_t
ngx_http_rms_shared_age(ngx_http_rms_main_conf_t *rmcf)
{
    time_t  confirmed;

    confirmed = (time_t)
          rmcf->zone->shared->documents[NGX_HTTP_RMS_LIST].confirmed;

    return confirmed == 0 ? -1
           : ngx_time() > confirmed ? ngx_time() - confirmed : 0;
}


/*
 * NGX_OK, or the answer: a list that is too old for this location, or a store
 * that is away where the operator would rather close.
 */

ngx_int_t
ngx_http_rms_store_check(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx)
{
    time_t                     age;
    ngx_http_rms_loc_conf_t   *rlcf;
    ngx_http_rms_main_conf_t  *rmcf;

    rlcf = ctx->conf;
    rmcf = ngx_http_get_module_main_conf(r, ngx_http_rms_module);

    if (rlcf->acl_max_age && rlcf->acl_shared) {
        age = ngx_http_rms_shared_age(rmcf);

        if (age < 0 || age > rlcf->acl_max_age) {
            return ngx_http_rms_refuse(r, ctx, RMS_REASON_LIST_STALE,
                                       NGX_HTTP_SERVICE_UNAVAILABLE);
        }
    }

    if (rlcf->store_error == NGX_HTTP_RMS_STORE_DENY
        && ngx_http_rms_store_needed(rlcf) && !ngx_http_rms_redis_up(rmcf))
    {
        return ngx_http_rms_refuse(r, ctx, RMS_REASON_STORE_AWAY,
                                   NGX_HTTP_SERVICE_UNAVAILABLE);
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_rms_store_needed(ngx_http_rms_loc_conf_t *rlcf)
{
    return rlcf->acl_shared || rlcf->replay == NGX_HTTP_RMS_REPLAY_SHARED
           || rlcf->session == NGX_HTTP_RMS_SESSION_COOKIE;
}
