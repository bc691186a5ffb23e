
/*
 * The shared list in the rules of a location (rms_acl_shared): behind the
 * lines of rms_allow and of rms_acl_file, so that what stands in the
 * configuration comes first.  Each worker compiles it when it has changed; and
 * what a location does that cannot reach the store any more.
 */


#include "ngx_http_rms_document.h"
#include "ngx_http_rms_status.h"


/* milliseconds between looks whether Redis is there, of who waits for it */
#define NGX_HTTP_RMS_STORE_LOOK  5


static ngx_http_rms_rules_t *ngx_http_rms_shared_make(
    ngx_http_rms_list_t *list, rms_acl_text_error_t *error);
static ngx_int_t ngx_http_rms_shared_read(const rms_str_t *text,
    ngx_pool_t *pool, rms_acl_list_t *read, rms_acl_text_error_t *error);
static ngx_http_rms_rules_t *ngx_http_rms_shared_join(
    ngx_http_rms_list_t *list, ngx_pool_t *pool, rms_acl_list_t *read,
    rms_acl_text_error_t *error);
static void ngx_http_rms_store_look(ngx_event_t *ev);
static void ngx_http_rms_store_gone(void *data);
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

            if (rules == NULL) {
                ngx_http_rms_event(NGX_LOG_ERR, ngx_cycle->log, 3001,
                                   "shared list not used: line %ud: %s; only "
                                   "rules of the configuration count",
                                   error.line, error.text);
                rules = list->base;
            }
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


/*
 * Could the locations of this node go by such a list?  RMS_OK; RMS_INVALID:
 * see error; RMS_NOMEM.
 */

rms_rc_e
ngx_http_rms_shared_check(ngx_http_rms_main_conf_t *rmcf,
    const rms_str_t *text, ngx_pool_t *pool, rms_acl_text_error_t *error)
{
    ngx_uint_t             i;
    rms_acl_list_t         read;
    ngx_http_rms_list_t  **lists;

    error->text[0] = '\0';

    lists = rmcf->lists.elts;

    if (ngx_http_rms_shared_read(text, pool, &read, error) == NGX_OK) {

        for (i = 0; i < rmcf->lists.nelts; i++) {
            if (lists[i]->rmcf
                && ngx_http_rms_shared_join(lists[i], pool, &read, error)
                   == NULL)
            {
                break;
            }
        }

        if (i == rmcf->lists.nelts) {
            return RMS_OK;
        }
    }

    /* its lines are those of the list, not of what was asked for */

    error->line = 0;

    return error->text[0] ? RMS_INVALID : RMS_NOMEM;
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


/* What the node has of the documents, and what Redis has of them. */

void
ngx_http_rms_shared_status(ngx_http_rms_json_t *js,
    ngx_http_rms_main_conf_t *rmcf)
{
    time_t                           age;
    rms_str_t                        yes = rms_string("true");
    rms_str_t                        no = rms_string("false");
    ngx_http_rms_shared_t           *shared;
    ngx_http_rms_shared_document_t  *list;
    static rms_str_t                 version = rms_string("version");
    static rms_str_t                 rules = rms_string("rules");
    static rms_str_t                 seconds = rms_string("age");
    static rms_str_t                 stored = rms_string("stored");

    if (rmcf->zone == NULL || rmcf->zone->shared == NULL) {
        return;
    }

    shared = rmcf->zone->shared;
    list = &shared->documents[NGX_HTTP_RMS_LIST];
    age = ngx_http_rms_shared_age(rmcf);

    ngx_http_rms_json_open(js, "shared_list", '{');
    ngx_http_rms_json_number(js, &version, list->version);
    ngx_http_rms_json_number(js, &rules, list->rules);
    ngx_http_rms_json_number(js, &seconds,
                             (ngx_atomic_uint_t) ngx_max(age, 0));
    ngx_http_rms_json_value(js, "stale",
                            rmcf->redis && !ngx_http_rms_sync_fresh(rmcf)
                            ? &yes : &no);

    if (rmcf->redis) {
        ngx_http_rms_json_number(js, &stored, list->stored);
    }

    ngx_http_rms_json_close(js, '}');

    ngx_http_rms_json_open(js, "revocations", '{');
    ngx_http_rms_json_number(js, &version, shared->epoch);

    if (rmcf->redis) {
        ngx_http_rms_json_number(js, &stored,
                             shared->documents[NGX_HTTP_RMS_REVOKED].stored);
    }

    ngx_http_rms_json_close(js, '}');
}


/*
 * A new worker has requests before it has Redis.  They wait until it is known
 * whether there is one, so that a reload refuses nobody, and asks nobody to log
 * in whom another node knows.
 */

ngx_int_t
ngx_http_rms_store_await(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx)
{
    ngx_event_t               *ev;
    ngx_http_cleanup_t        *cln;
    ngx_http_rms_main_conf_t  *rmcf;

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_rms_module);

    if (!ngx_http_rms_redis_begins(rmcf)
        || !ngx_http_rms_store_needed(ctx->conf))
    {
        return NGX_OK;
    }

    ev = ngx_pcalloc(r->pool, sizeof(ngx_event_t));
    cln = ngx_http_cleanup_add(r, 0);

    if (ev == NULL || cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln->handler = ngx_http_rms_store_gone;
    cln->data = ev;

    ev->handler = ngx_http_rms_store_look;
    ev->data = r->connection;
    ev->log = r->connection->log;

    ngx_add_timer(ev, NGX_HTTP_RMS_STORE_LOOK);

    ctx->auth_state = NGX_HTTP_RMS_WAITING;

    return NGX_AGAIN;
}


static void
ngx_http_rms_store_look(ngx_event_t *ev)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    c = ev->data;
    r = c->data;

    ngx_http_set_log_request(c->log, r);

    if (ngx_http_rms_redis_begins(
                       ngx_http_get_module_main_conf(r, ngx_http_rms_module)))
    {
        ngx_add_timer(ev, NGX_HTTP_RMS_STORE_LOOK);
        return;
    }

    ngx_http_rms_ctx_get(r)->auth_state = NGX_HTTP_RMS_ANONYMOUS;

    r->write_event_handler(r);

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_rms_store_gone(void *data)
{
    ngx_event_t *ev = data;

    if (ev->timer_set) {
        ngx_del_timer(ev);
    }
}


/* NGX_OK, or the answer of a location that is closed at this moment. */

ngx_int_t
ngx_http_rms_store_check(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx)
{
    rms_reason_e  reason;

    reason = ngx_http_rms_store_closed(
                       ngx_http_get_module_main_conf(r, ngx_http_rms_module),
                       ctx->conf);

    return reason == RMS_REASON_NONE ? NGX_OK
           : ngx_http_rms_refuse(r, ctx, reason,
                                 NGX_HTTP_SERVICE_UNAVAILABLE);
}


/*
 * RMS_REASON_NONE, or why: a list that is too old for this location, or a store
 * that is away where the operator would rather close.
 */

rms_reason_e
ngx_http_rms_store_closed(ngx_http_rms_main_conf_t *rmcf,
    ngx_http_rms_loc_conf_t *rlcf)
{
    time_t  age;

    if (rlcf->acl_max_age && rlcf->acl_shared) {
        age = ngx_http_rms_shared_age(rmcf);

        if (age < 0 || age > rlcf->acl_max_age) {
            return RMS_REASON_LIST_STALE;
        }
    }

    return rlcf->store_error == NGX_HTTP_RMS_STORE_DENY
           && ngx_http_rms_store_needed(rlcf) && !ngx_http_rms_redis_up(rmcf)
           && !ngx_http_rms_redis_begins(rmcf)
           ? RMS_REASON_STORE_AWAY : RMS_REASON_NONE;
}


static ngx_uint_t
ngx_http_rms_store_needed(ngx_http_rms_loc_conf_t *rlcf)
{
    return rlcf->acl_shared || rlcf->replay == NGX_HTTP_RMS_REPLAY_SHARED
           || rlcf->session == NGX_HTTP_RMS_SESSION_COOKIE;
}
