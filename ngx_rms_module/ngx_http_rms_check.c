
/*
 * Checks that need the whole configuration: every rms_pass has its hand-over
 * locations, what stands in them is safe, no side door leads to a backend,
 * and the keytab opens for the worker's user.  Load time only.
 */


#include "ngx_http_rms_module.h"
#include "ngx_http_rms_status.h"
#include "ngx_http_rms_conf.h"
#include "ngx_http_rms_pool.h"
#include "rms_access.h"


typedef struct {
    ngx_conf_t                  *cf;
    ngx_http_rms_main_conf_t    *rmcf;
    ngx_http_core_srv_conf_t    *cscf;
    ngx_array_t                  upstreams;     /* of hand-over locations */
    ngx_array_t                  pools;         /* ... of all servers */
} ngx_http_rms_check_t;


/* Who uses the connections of an upstream. */

typedef struct {
    ngx_http_upstream_srv_conf_t  *upstream;
    ngx_http_rms_backend_conf_t   *backend;
} ngx_http_rms_pool_t;


typedef ngx_int_t (*ngx_http_rms_visit_pt)(ngx_http_rms_check_t *check,
    ngx_http_core_loc_conf_t *clcf);


static ngx_int_t ngx_http_rms_check_server(ngx_http_rms_check_t *check);
static ngx_int_t ngx_http_rms_visit(ngx_http_rms_check_t *check,
    ngx_http_core_loc_conf_t *clcf, ngx_http_rms_visit_pt visit);
static ngx_int_t ngx_http_rms_visit_tree(ngx_http_rms_check_t *check,
    ngx_http_location_tree_node_t *node, ngx_http_rms_visit_pt visit);
static ngx_int_t ngx_http_rms_check_pass(ngx_http_rms_check_t *check,
    ngx_http_core_loc_conf_t *clcf);
static ngx_int_t ngx_http_rms_passing(ngx_http_rms_check_t *check,
    ngx_http_core_loc_conf_t *clcf);
static ngx_int_t ngx_http_rms_check_body(ngx_http_rms_check_t *check,
    ngx_http_core_loc_conf_t *clcf);
static ngx_int_t ngx_http_rms_check_handler(ngx_http_rms_check_t *check,
    ngx_http_core_loc_conf_t *clcf);
static ngx_int_t ngx_http_rms_check_licensors(ngx_http_rms_check_t *check,
    ngx_http_rms_loc_conf_t *rlcf);
static ngx_int_t ngx_http_rms_check_identity(ngx_http_rms_check_t *check,
    ngx_http_rms_backend_conf_t *backend,
    ngx_http_upstream_srv_conf_t *uscf);
static ngx_http_core_loc_conf_t *ngx_http_rms_named(
    ngx_http_core_srv_conf_t *cscf, ngx_str_t *name);
static ngx_int_t ngx_http_rms_check_handover(ngx_http_rms_check_t *check,
    ngx_http_rms_backend_conf_t *backend, ngx_http_core_loc_conf_t *clcf);
static const char *ngx_http_rms_unsafe(ngx_http_upstream_conf_t *u);
static ngx_int_t ngx_http_rms_check_side_door(ngx_http_rms_check_t *check,
    ngx_http_core_loc_conf_t *clcf);
static void ngx_http_rms_mark_handover(ngx_http_rms_check_t *check);
static ngx_int_t ngx_http_rms_check_nameless(ngx_http_rms_check_t *check);
static ngx_int_t ngx_http_rms_check_keytabs(ngx_conf_t *cf,
    ngx_http_rms_main_conf_t *rmcf);


/*
 * The proxy module keeps its upstream settings as the first member of its
 * location configuration, in every nginx from 1.22 on; reading them is how we
 * can refuse a hand-over location that would leak or lose something.
 */

extern ngx_module_t  ngx_http_proxy_module;

#define ngx_http_rms_proxy_conf(clcf)                                         \
    ((ngx_http_upstream_conf_t *)                                             \
                      (clcf)->loc_conf[ngx_http_proxy_module.ctx_index])


ngx_int_t
ngx_http_rms_check(ngx_conf_t *cf)
{
    ngx_uint_t                  i;
    ngx_http_rms_check_t        check;
    ngx_http_core_srv_conf_t  **cscfp;
    ngx_http_core_main_conf_t  *cmcf;

    ngx_memzero(&check, sizeof(ngx_http_rms_check_t));

    check.cf = cf;
    check.rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_rms_module);

    if (ngx_array_init(&check.pools, cf->temp_pool, 4,
                       sizeof(ngx_http_rms_pool_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    cscfp = cmcf->servers.elts;

    if (ngx_http_rms_check_keytabs(cf, check.rmcf) != NGX_OK) {
        return NGX_ERROR;
    }

    for (i = 0; i < cmcf->servers.nelts; i++) {
        check.cscf = cscfp[i];

        if (ngx_http_rms_check_server(&check) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_rms_check_server(ngx_http_rms_check_t *check)
{
    ngx_http_core_loc_conf_t  *clcf;

    if (ngx_array_init(&check->upstreams, check->cf->temp_pool, 4,
                       sizeof(ngx_http_upstream_srv_conf_t *))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    clcf = check->cscf->ctx->loc_conf[ngx_http_core_module.ctx_index];

    ngx_http_rms_mark_handover(check);

    if (ngx_http_rms_visit(check, clcf, ngx_http_rms_check_pass) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_rms_visit(check, clcf, ngx_http_rms_check_side_door)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_rms_check_nameless(check);
}


/*
 * A location that any backend names in "pass" is closed to all but a verdict.
 * error_page does not apply there: its redirect would take the licence, and
 * the identity attached to it, to whatever stands in the other location.
 */

static void
ngx_http_rms_mark_handover(ngx_http_rms_check_t *check)
{
    ngx_uint_t                     i;
    ngx_http_rms_loc_conf_t       *rlcf;
    ngx_http_core_loc_conf_t      *clcf;
    ngx_http_rms_backend_conf_t  **backends;

    backends = check->rmcf->backends.elts;

    for (i = 0; i < check->rmcf->backends.nelts; i++) {

        clcf = ngx_http_rms_named(check->cscf, &backends[i]->pass);

        if (clcf == NULL) {
            continue;
        }

        rlcf = clcf->loc_conf[ngx_http_rms_module.ctx_index];
        rlcf->handover = 1;

        clcf->error_pages = NULL;
    }
}


/* Parents stand before their children in the array. */

static ngx_int_t
ngx_http_rms_check_nameless(ngx_http_rms_check_t *check)
{
    ngx_uint_t                i;
    ngx_http_rms_loc_conf_t  *rlcf;
    ngx_http_rms_nameless_t  *nameless;

    nameless = check->rmcf->nameless.elts;

    for (i = 0; i < check->rmcf->nameless.nelts; i++) {

        if (nameless[i].cscf != check->cscf) {
            continue;
        }

        rlcf = nameless[i].clcf->loc_conf[ngx_http_rms_module.ctx_index];

        if (nameless[i].parent->handover) {
            rlcf->handover = 1;

            ngx_log_error(NGX_LOG_EMERG, check->cf->log, 0,
                          "\"if\" or \"limit_except\" in location \"%V\", "
                          "which a \"pass\" names; write conditions into the "
                          "location of \"rms_pass\"",
                          &nameless[i].clcf->name);
            return NGX_ERROR;
        }

        if (ngx_http_rms_check_side_door(check, nameless[i].clcf) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/*
 * Every location of a server: prefix tree, regular expressions, named and
 * nested ones.  The server's own level has no loc_conf and no handler.
 */

static ngx_int_t
ngx_http_rms_visit(ngx_http_rms_check_t *check, ngx_http_core_loc_conf_t *clcf,
    ngx_http_rms_visit_pt visit)
{
    ngx_http_core_loc_conf_t  **named;

    if (clcf->loc_conf) {
        if (visit(check, clcf) != NGX_OK) {
            return NGX_ERROR;
        }

    } else {
        for (named = check->cscf->named_locations; named && *named; named++) {
            if (visit(check, *named) != NGX_OK) {
                return NGX_ERROR;
            }
        }
    }

#if (NGX_PCRE)
    {
    ngx_http_core_loc_conf_t  **p;

    for (p = clcf->regex_locations; p && *p; p++) {
        if (ngx_http_rms_visit(check, *p, visit) != NGX_OK) {
            return NGX_ERROR;
        }
    }
    }
#endif

    return ngx_http_rms_visit_tree(check, clcf->static_locations, visit);
}


static ngx_int_t
ngx_http_rms_visit_tree(ngx_http_rms_check_t *check,
    ngx_http_location_tree_node_t *node, ngx_http_rms_visit_pt visit)
{
    if (node == NULL) {
        return NGX_OK;
    }

    if (node->exact
        && ngx_http_rms_visit(check, node->exact, visit) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (node->inclusive
        && ngx_http_rms_visit(check, node->inclusive, visit) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_rms_visit_tree(check, node->left, visit) != NGX_OK
        || ngx_http_rms_visit_tree(check, node->right, visit) != NGX_OK
        || ngx_http_rms_visit_tree(check, node->tree, visit) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_rms_check_pass(ngx_http_rms_check_t *check,
    ngx_http_core_loc_conf_t *clcf)
{
    ngx_uint_t                     i;
    ngx_http_rms_loc_conf_t       *rlcf;
    ngx_http_core_loc_conf_t      *named;
    ngx_http_rms_backend_conf_t  **pass;

    rlcf = clcf->loc_conf[ngx_http_rms_module.ctx_index];

    if (ngx_http_rms_check_handler(check, clcf) != NGX_OK
        || ngx_http_rms_check_callers(check->cf, check->cscf, clcf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (rlcf->pass == NULL) {
        return NGX_OK;
    }

    if (ngx_http_rms_passing(check, clcf) != NGX_OK
        || ngx_http_rms_check_body(check, clcf) != NGX_OK
        || ngx_http_rms_check_licensors(check, rlcf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    pass = rlcf->pass->elts;

    for (i = 0; i < rlcf->pass->nelts; i++) {

        named = ngx_http_rms_named(check->cscf, &pass[i]->pass);

        if (named == NULL) {
            ngx_log_error(NGX_LOG_EMERG, check->cf->log, 0,
                          "\"rms_pass\" in %s:%ui: server has no location "
                          "\"%V\" for backend \"%V\"; write \"location %V { "
                          "proxy_pass ...; include rms/%s-proxy.conf; }\"",
                          rlcf->pass_file, rlcf->pass_line, &pass[i]->pass,
                          &pass[i]->name, &pass[i]->pass,
                          pass[i]->policy.kind == RMS_BACKEND_AZURE
                          ? "azure" : "adrms");
            return NGX_ERROR;
        }

        if (ngx_http_rms_check_handover(check, pass[i], named) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* "explain" tells of each. */

static ngx_int_t
ngx_http_rms_passing(ngx_http_rms_check_t *check,
    ngx_http_core_loc_conf_t *clcf)
{
    ngx_http_rms_passing_t  *passing;

    passing = ngx_array_push(&check->rmcf->passing);
    if (passing == NULL) {
        return NGX_ERROR;
    }

    passing->server = check->cscf->server_name;
    passing->location = clcf->name;
    passing->conf = clcf->loc_conf[ngx_http_rms_module.ctx_index];

    return NGX_OK;
}


static ngx_int_t
ngx_http_rms_check_body(ngx_http_rms_check_t *check,
    ngx_http_core_loc_conf_t *clcf)
{
    ngx_http_rms_list_t      *list;
    ngx_http_rms_loc_conf_t  *rlcf;

    rlcf = clcf->loc_conf[ngx_http_rms_module.ctx_index];
    list = rlcf->list;

    if (clcf->client_body_in_file_only) {
        ngx_log_error(NGX_LOG_EMERG, check->cf->log, 0,
                      "\"client_body_in_file_only\" in the location of "
                      "\"rms_pass\" in %s:%ui would write licences to disk; "
                      "write \"client_body_in_file_only off;\"",
                      rlcf->pass_file, rlcf->pass_line);
        return NGX_ERROR;
    }

    if (list == NULL || (list->base->n == 0 && list->rmcf == NULL)) {
        ngx_http_rms_event(NGX_LOG_WARN, check->cf->log, 2003,
                           "list empty: the location of \"rms_pass\" in "
                           "%s:%ui admits nobody; write \"rms_allow exchange "
                           "account=EXCH01$@REALM;\"",
                           rlcf->pass_file, rlcf->pass_line);
    }

    /* partners are meant to be; they do not mix with others */

    if (rlcf->auth == NGX_HTTP_RMS_AUTH_OFF
        && (list == NULL || list->base->n == 0
            || list->base->rules[0].role != RMS_ROLE_PARTNER
            || list->base->rules[0].kind != RMS_ACL_ANY))
    {
        ngx_log_error(NGX_LOG_WARN, check->cf->log, 0,
                      "\"rms_pass\" in %s:%ui has \"rms_auth off\": every "
                      "caller is anonymous and only \"rms_allow ... any\" "
                      "admits", rlcf->pass_file, rlcf->pass_line);
    }

    return NGX_OK;
}


/* One credential, one connection pool: law 3, in all servers together. */

static ngx_int_t
ngx_http_rms_check_identity(ngx_http_rms_check_t *check,
    ngx_http_rms_backend_conf_t *backend, ngx_http_upstream_srv_conf_t *uscf)
{
    ngx_uint_t            i;
    ngx_http_rms_pool_t  *pool;

    pool = check->pools.elts;

    for (i = 0; i < check->pools.nelts; i++) {

        if (pool[i].upstream != uscf
            || pool[i].backend->identity == backend->identity)
        {
            continue;
        }

        ngx_log_error(NGX_LOG_EMERG, check->cf->log, 0,
                      "backends \"%V\" and \"%V\" have different "
                      "identities but share upstream \"%V\"; write an "
                      "\"upstream\" of its own for each",
                      &pool[i].backend->name, &backend->name, &uscf->host);
        return NGX_ERROR;
    }

    pool = ngx_array_push(&check->pools);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    pool->upstream = uscf;
    pool->backend = backend;

    return NGX_OK;
}


/* A directive behind ours would have taken the location away from us. */

static ngx_int_t
ngx_http_rms_check_handler(ngx_http_rms_check_t *check,
    ngx_http_core_loc_conf_t *clcf)
{
    ngx_http_rms_loc_conf_t  *rlcf;

    rlcf = clcf->loc_conf[ngx_http_rms_module.ctx_index];

    if (rlcf->pass && clcf->handler != ngx_http_rms_pass_handler) {
        ngx_log_error(NGX_LOG_EMERG, check->cf->log, 0,
                      "\"rms_pass\" in %s:%ui stands beside another content "
                      "handler; keep proxy_pass in the named location of the "
                      "backend", rlcf->pass_file, rlcf->pass_line);
        return NGX_ERROR;
    }

    if (rlcf->status && clcf->handler != ngx_http_rms_status_handler) {
        ngx_log_error(NGX_LOG_EMERG, check->cf->log, 0,
                      "\"rms_status\" stands beside another content handler "
                      "in location \"%V\"; give it a location of its own",
                      &clcf->name);
        return NGX_ERROR;
    }

    if (rlcf->health && (clcf->handler != ngx_http_rms_health_handler
                         || rlcf->auth != NGX_HTTP_RMS_AUTH_OFF))
    {
        ngx_log_error(NGX_LOG_EMERG, check->cf->log, 0,
                      "\"rms_health\" stands beside %s in location \"%V\"; "
                      "give it a location of its own, as in \"location = "
                      "/rms/health { rms_health; access_log off; }\"",
                      clcf->handler != ngx_http_rms_health_handler
                      ? "another content handler" : "\"rms_auth\"",
                      &clcf->name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* The second of two backends with one licensor would never be asked. */

static ngx_int_t
ngx_http_rms_check_licensors(ngx_http_rms_check_t *check,
    ngx_http_rms_loc_conf_t *rlcf)
{
    ngx_uint_t                     i, k;
    rms_licensor_t                *a, *b;
    ngx_http_rms_backend_conf_t  **pass;

    pass = rlcf->pass->elts;

    for (i = 0; i < rlcf->pass->nelts; i++) {

        if (i > 0 && pass[i]->policy.licensor.len == 0) {
            ngx_log_error(NGX_LOG_WARN, check->cf->log, 0,
                          "backend \"%V\" of \"rms_pass\" in %s:%ui is never "
                          "chosen; write the \"licensor\" of its server "
                          "licensor certificate into it, or leave it out",
                          &pass[i]->name, rlcf->pass_file, rlcf->pass_line);
        }

        for (k = i + 1; k < rlcf->pass->nelts; k++) {

            a = &pass[i]->policy.licensor;
            b = &pass[k]->policy.licensor;

            if (a->len == 0 || a->len != b->len
                || ngx_memcmp(a->guid, b->guid, a->len) != 0)
            {
                continue;
            }

            ngx_log_error(NGX_LOG_EMERG, check->cf->log, 0,
                          "backends \"%V\" and \"%V\" of \"rms_pass\" in "
                          "%s:%ui have the same licensor; write the GUID of "
                          "each one's own server licensor certificate",
                          &pass[i]->name, &pass[k]->name,
                          rlcf->pass_file, rlcf->pass_line);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_http_core_loc_conf_t *
ngx_http_rms_named(ngx_http_core_srv_conf_t *cscf, ngx_str_t *name)
{
    ngx_http_core_loc_conf_t  **p;

    for (p = cscf->named_locations; p && *p; p++) {
        if ((*p)->name.len == name->len
            && ngx_memcmp((*p)->name.data, name->data, name->len) == 0)
        {
            return *p;
        }
    }

    return NULL;
}


static ngx_int_t
ngx_http_rms_check_handover(ngx_http_rms_check_t *check,
    ngx_http_rms_backend_conf_t *backend, ngx_http_core_loc_conf_t *clcf)
{
    const char                     *line;
    ngx_http_upstream_conf_t       *u;
    ngx_http_upstream_srv_conf_t  **uscf;

    u = ngx_http_rms_proxy_conf(clcf);

    if (clcf->handler == NULL || u->upstream == NULL) {
        ngx_log_error(NGX_LOG_EMERG, check->cf->log, 0,
                      "location \"%V\" of backend \"%V\" needs a "
                      "\"proxy_pass\" without variables; write "
                      "\"proxy_pass %s://NAME;\" and \"upstream NAME { ... }\"",
                      &clcf->name, &backend->name,
                      rms_str_is(&backend->first.scheme, "http") ? "http"
                                                                 : "https");
        return NGX_ERROR;
    }

    line = ngx_http_rms_unsafe(u);

    if (line) {
        ngx_log_error(NGX_LOG_EMERG, check->cf->log, 0,
                      "location \"%V\" of backend \"%V\" is not safe for "
                      "licences; write \"%s\" into it, or \"include "
                      "rms/%s-proxy.conf;\"", &clcf->name, &backend->name,
                      line, backend->policy.kind == RMS_BACKEND_AZURE
                            ? "azure" : "adrms");
        return NGX_ERROR;
    }

    /* since 1.23 every location has an ssl, "https" ones alone a context */

#if (NGX_HTTP_SSL)
    if (u->ssl != NULL && u->ssl->ctx != NULL) {
        backend->tls = u->ssl_verify ? 1 : 2;
    }
#endif

    if (backend->tls == 2) {
        ngx_http_rms_event(NGX_LOG_WARN, check->cf->log, 3000,
                           "backend \"%V\": the certificate of the backend is "
                           "not verified in location \"%V\"; write "
                           "\"proxy_ssl_verify on;\"",
                           &backend->name, &clcf->name);
    }

    uscf = ngx_array_push(&check->upstreams);
    if (uscf == NULL) {
        return NGX_ERROR;
    }

    *uscf = u->upstream;

    return ngx_http_rms_check_identity(check, backend, u->upstream);
}


/* The line to write when a proxy setting would leak, lose or repeat. */

static const char *
ngx_http_rms_unsafe(ngx_http_upstream_conf_t *u)
{
    if (u->max_temp_file_size != 0) {
        return "proxy_max_temp_file_size 0;";
    }

    if (!u->buffering) {
        return "proxy_buffering on;";
    }

    if (u->intercept_errors) {
        return "proxy_intercept_errors off;";
    }

#if (NGX_HTTP_CACHE)
    if (u->cache) {
        return "proxy_cache off;";
    }
#endif

    if (u->store) {
        return "proxy_store off;";
    }

    if (!(u->ignore_headers & NGX_HTTP_UPSTREAM_IGN_XA_REDIRECT)
        || !(u->ignore_headers & NGX_HTTP_UPSTREAM_IGN_XA_BUFFERING)
        || !(u->ignore_headers & NGX_HTTP_UPSTREAM_IGN_XA_CHARSET)
        || !(u->ignore_headers & NGX_HTTP_UPSTREAM_IGN_XA_LIMIT_RATE))
    {
        return "proxy_ignore_headers X-Accel-Redirect X-Accel-Buffering "
               "X-Accel-Charset X-Accel-Limit-Rate;";
    }

    if (u->next_upstream & NGX_HTTP_UPSTREAM_FT_NON_IDEMPOTENT) {
        return "proxy_next_upstream error timeout;";
    }

    if (u->next_upstream & (NGX_HTTP_UPSTREAM_FT_HTTP_500
                            |NGX_HTTP_UPSTREAM_FT_HTTP_403
                            |NGX_HTTP_UPSTREAM_FT_HTTP_404))
    {
        return "proxy_next_upstream error timeout;";
    }

    if (u->preserve_output || !u->pass_request_body) {
        return "proxy_pass_request_body on;";
    }

    if (!u->pass_request_headers) {
        return "proxy_pass_request_headers on;";
    }

    return NULL;
}


static ngx_int_t
ngx_http_rms_check_side_door(ngx_http_rms_check_t *check,
    ngx_http_core_loc_conf_t *clcf)
{
    ngx_uint_t                      i;
    ngx_http_rms_loc_conf_t        *rlcf;
    ngx_http_upstream_conf_t       *u;
    ngx_http_upstream_srv_conf_t  **uscf;

    rlcf = clcf->loc_conf[ngx_http_rms_module.ctx_index];
    u = ngx_http_rms_proxy_conf(clcf);

    if (rlcf->pass || rlcf->handover || clcf->handler == NULL
        || u->upstream == NULL)
    {
        return NGX_OK;
    }

    uscf = check->upstreams.elts;

    for (i = 0; i < check->upstreams.nelts; i++) {

        if (uscf[i] != u->upstream) {
            continue;
        }

        ngx_log_error(NGX_LOG_WARN, check->cf->log, 0,
                      "side door: location \"%V\" passes to upstream \"%V\", "
                      "which is a backend of \"rms_pass\", without "
                      "authentication; remove it, and write \"location / { "
                      "rms_pass ...; }\" for the whole host",
                      &clcf->name, &u->upstream->host);
        return NGX_OK;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_rms_check_keytabs(ngx_conf_t *cf, ngx_http_rms_main_conf_t *rmcf)
{
    u_char                  text[2048];
    ngx_uint_t              i;
    rms_keytab_e            state;
    ngx_http_rms_keytab_t **keytabs;

    keytabs = rmcf->keytabs.elts;

    if (rmcf->keytabs.nelts && rmcf->krb5_pool == NULL) {
        rmcf->krb5_pool = ngx_thread_pool_add(cf, NULL);
        if (rmcf->krb5_pool == NULL) {
            return NGX_ERROR;
        }

        if (rmcf->krb5_pool == rmcf->ntlm_pool) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"krb5\" and \"ntlm\" in \"rms_thread_pool\" are "
                          "one pool, \"default\"; write a \"thread_pool\" of "
                          "its own for \"ntlm\"");
            return NGX_ERROR;
        }
    }

    for (i = 0; i < rmcf->keytabs.nelts; i++) {

        state = rms_keytab_check((char *) keytabs[i]->path.data,
                                 (char *) text, sizeof(text));

        if (state != RMS_KEYTAB_FINE) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "\"rms_keytab\": %s",
                          text);
            return NGX_ERROR;
        }

        ngx_log_error(NGX_LOG_INFO, cf->log, 0, "\"rms_keytab\": %s", text);

        if (ngx_http_rms_secret_file_check(cf, &keytabs[i]->path, 1)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}
