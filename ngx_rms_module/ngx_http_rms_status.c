
/*
 * rms_status: a content handler with a plain JSON answer of counters, list
 * and backends.  It shows what an operator configured and how often things
 * happened; never a token, a key or a licence.  Below it are "health", and for
 * callers with the role admin "explain", "revoke" and "drain".
 */


#include "ngx_http_rms_module.h"
#include "ngx_http_rms_status.h"
#include "ngx_http_rms_conf.h"
#include "ngx_http_rms_pool.h"


static ngx_uint_t ngx_http_rms_status_ends(ngx_http_request_t *r,
    const char *end);
static ngx_int_t ngx_http_rms_argument(ngx_http_request_t *r,
    ngx_str_t *pair, ngx_str_t *names, ngx_str_t *values);
static void ngx_http_rms_status_node(ngx_http_rms_json_t *js,
    ngx_http_rms_main_conf_t *rmcf);
static void ngx_http_rms_status_replay(ngx_http_rms_json_t *js,
    ngx_http_rms_main_conf_t *rmcf);
static void ngx_http_rms_status_counters(ngx_http_rms_json_t *js,
    ngx_http_rms_shared_t *shared);
static void ngx_http_rms_status_lists(ngx_http_rms_json_t *js,
    ngx_http_rms_main_conf_t *rmcf);
static void ngx_http_rms_status_files(ngx_http_rms_json_t *js,
    ngx_http_rms_main_conf_t *rmcf);
static void ngx_http_rms_status_sessions(ngx_http_rms_json_t *js,
    ngx_http_rms_main_conf_t *rmcf);
static void ngx_http_rms_status_redis(ngx_http_rms_json_t *js,
    ngx_http_rms_main_conf_t *rmcf);
static void ngx_http_rms_status_backends(ngx_http_rms_json_t *js,
    ngx_http_rms_main_conf_t *rmcf);
static void ngx_http_rms_status_backend(ngx_http_rms_json_t *js,
    ngx_http_rms_backend_conf_t *backend, ngx_http_rms_shared_t *shared);


char *
ngx_http_rms_status_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_rms_loc_conf_t *rlcf = conf;

    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler) {
        return "stands beside another content handler; give it a location of "
               "its own, as in \"location /rms/ { rms_status; allow "
               "127.0.0.1; deny all; }\"";
    }

    rlcf->status = 1;
    clcf->handler = ngx_http_rms_status_handler;

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_rms_status_handler(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_str_t                  allow = ngx_string("GET, HEAD");
    ngx_http_rms_json_t        js;
    ngx_http_rms_loc_conf_t   *rlcf;
    ngx_http_rms_main_conf_t  *rmcf;

    if (ngx_http_rms_status_ends(r, "/explain")) {
        return ngx_http_rms_explain_handler(r);
    }

    if (ngx_http_rms_status_ends(r, "/revoke")) {
        return ngx_http_rms_revoke_handler(r);
    }

    if (ngx_http_rms_status_ends(r, "/drain")) {
        return ngx_http_rms_drain_handler(r);
    }

    if (ngx_http_rms_status_ends(r, "/health")) {
        return ngx_http_rms_health_handler(r);
    }

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_rms_module);

    if (rlcf->admin && ngx_http_rms_status_ends(r, "/list")) {
        return ngx_http_rms_admin_handler(r);
    }

    if (r->method != NGX_HTTP_GET && r->method != NGX_HTTP_HEAD) {
        (void) ngx_http_rms_header_out(r, "Allow", &allow);
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_rms_module);

    ngx_http_rms_json_start(&js, r->pool);

    ngx_http_rms_json_open(&js, NULL, '{');
    ngx_http_rms_status_node(&js, rmcf);

    if (rmcf->zone && rmcf->zone->shared) {
        ngx_http_rms_status_replay(&js, rmcf);
        ngx_http_rms_status_sessions(&js, rmcf);
        ngx_http_rms_status_counters(&js, rmcf->zone->shared);
        ngx_http_rms_status_backends(&js, rmcf);
        ngx_http_rms_json_open(&js, "pool", '{');
        ngx_http_rms_pool_status(&js, rmcf);
        ngx_http_rms_json_close(&js, '}');
    }

    ngx_http_rms_status_redis(&js, rmcf);

    ngx_http_rms_status_lists(&js, rmcf);
    ngx_http_rms_status_files(&js, rmcf);
    ngx_http_rms_shared_status(&js, rmcf);
    ngx_http_rms_json_close(&js, '}');

    return ngx_http_rms_json_send(r, &js);
}


static ngx_uint_t
ngx_http_rms_status_ends(ngx_http_request_t *r, const char *end)
{
    size_t  len;

    len = ngx_strlen(end);

    return r->uri.len >= len
           && ngx_memcmp(r->uri.data + r->uri.len - len, end, len) == 0;
}


/*
 * For what only an admin may do: NGX_OK, or the answer.  The role is of this
 * very location; whom "satisfy any" or an internal redirect let in has none.
 */

ngx_int_t
ngx_http_rms_admit(ngx_http_request_t *r, ngx_uint_t methods,
    const char *allow)
{
    ngx_str_t                 account, value;
    ngx_http_rms_ctx_t       *ctx;
    ngx_http_rms_loc_conf_t  *rlcf;

    ctx = ngx_http_rms_ctx_get(r);
    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_rms_module);

    if (ctx == NULL || ctx->conf != rlcf || !ctx->authorised
        || ctx->acl.role != RMS_ROLE_ADMIN)
    {
        ngx_str_null(&account);

        if (ctx) {
            account = ngx_http_rms_escape(r->pool,
                                          ngx_http_rms_account_name(ctx));
        }

        ngx_http_rms_count_reason(r, RMS_REASON_OPERATION);
        ngx_http_rms_event(NGX_LOG_WARN, r->connection->log, 0,
                           "refused: account=\"%V\"; \"explain\", "
                           "\"revoke\", \"drain\" and \"list\" need "
                           "\"rms_auth\" in the location and the role admin",
                           &account);

        return NGX_HTTP_FORBIDDEN;
    }

    if (!(r->method & methods)) {
        value.data = (u_char *) allow;
        value.len = ngx_strlen(allow);

        return ngx_http_rms_header_out(r, "Allow", &value)
               ? NGX_HTTP_NOT_ALLOWED : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_str_set(&value, "no-store");

    return ngx_http_rms_header_out(r, "Cache-Control", &value)
           ? NGX_OK : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


/*
 * Reads the arguments of the request.  names ends in an empty one; each is
 * there once at most, and no other.  A value that is not there has no data.
 * NGX_OK, NGX_DECLINED or NGX_ERROR.
 */

ngx_int_t
ngx_http_rms_arguments(ngx_http_request_t *r, ngx_str_t *names,
    ngx_str_t *values)
{
    u_char      *p, *end;
    ngx_int_t    rc;
    ngx_str_t    pair;
    ngx_uint_t   i;

    for (i = 0; names[i].len; i++) {
        ngx_str_null(&values[i]);
    }

    p = r->args.data;
    end = p + r->args.len;

    while (p < end) {
        pair.data = p;

        p = ngx_strlchr(p, end, '&');
        if (p == NULL) {
            p = end;
        }

        pair.len = p++ - pair.data;

        rc = ngx_http_rms_argument(r, &pair, names, values);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_rms_argument(ngx_http_request_t *r, ngx_str_t *pair,
    ngx_str_t *names, ngx_str_t *values)
{
    u_char      *dst, *src;
    ngx_uint_t   i;

    for (i = 0; names[i].len; i++) {

        if (pair->len <= names[i].len + 1
            || pair->data[names[i].len] != '='
            || ngx_memcmp(pair->data, names[i].data, names[i].len) != 0)
        {
            continue;
        }

        if (values[i].data) {
            return NGX_DECLINED;
        }

        dst = ngx_pnalloc(r->pool, pair->len);
        if (dst == NULL) {
            return NGX_ERROR;
        }

        values[i].data = dst;
        src = pair->data + names[i].len + 1;

        ngx_unescape_uri(&dst, &src, pair->data + pair->len - src, 0);

        values[i].len = dst - values[i].data;

        return NGX_OK;
    }

    return NGX_DECLINED;
}


/* An answer in words. */

ngx_int_t
ngx_http_rms_wrong(ngx_http_request_t *r, ngx_uint_t status,
    const char *text)
{
    ngx_str_t  body, type = ngx_string("text/plain");

    body.data = (u_char *) text;
    body.len = ngx_strlen(text);

    return ngx_http_rms_send(r, status, &type, &body);
}


static void
ngx_http_rms_status_node(ngx_http_rms_json_t *js,
    ngx_http_rms_main_conf_t *rmcf)
{
    rms_str_t  name;

    ngx_http_rms_json_text(js, "version", NGX_HTTP_RMS_VERSION);
    ngx_http_rms_json_text(js, "nginx", NGINX_VERSION);

    name = (rms_str_t) rms_string("pid");
    ngx_http_rms_json_number(js, &name, (ngx_atomic_uint_t) ngx_pid);

    name = (rms_str_t) rms_string("time");
    ngx_http_rms_json_number(js, &name, (ngx_atomic_uint_t) ngx_time());

    if (rmcf->zone == NULL || rmcf->zone->shared == NULL) {
        return;
    }

    name = (rms_str_t) rms_string("since");
    ngx_http_rms_json_number(js, &name,
                        (ngx_atomic_uint_t) rmcf->zone->shared->created);

    ngx_http_rms_json_open(js, "zone", '{');
    ngx_http_rms_json_string(js, "name", &rmcf->zone_name);

    name = (rms_str_t) rms_string("size");
    ngx_http_rms_json_number(js, &name, (ngx_atomic_uint_t) rmcf->zone_size);

    ngx_http_rms_json_text(js, "store", "local");
    ngx_http_rms_json_close(js, '}');
}


static void
ngx_http_rms_status_replay(ngx_http_rms_json_t *js,
    ngx_http_rms_main_conf_t *rmcf)
{
    ngx_uint_t          i;
    rms_replay_stats_t  stats;
    struct {
        rms_str_t          name;
        ngx_atomic_uint_t  value;
    } rows[3];

    ngx_shmtx_lock(&rmcf->zone->shpool->mutex);
    stats = rms_replay_stats(rmcf->zone->replay);
    ngx_shmtx_unlock(&rmcf->zone->shpool->mutex);

    rows[0].name = (rms_str_t) rms_string("capacity");
    rows[0].value = stats.capacity;
    rows[1].name = (rms_str_t) rms_string("used");
    rows[1].value = stats.used;
    rows[2].name = (rms_str_t) rms_string("previous");
    rows[2].value = stats.previous;

    ngx_http_rms_json_open(js, "replay", '{');

    for (i = 0; i < 3; i++) {
        ngx_http_rms_json_number(js, &rows[i].name, rows[i].value);
    }

    ngx_http_rms_json_close(js, '}');
}


static void
ngx_http_rms_status_counters(ngx_http_rms_json_t *js,
    ngx_http_rms_shared_t *shared)
{
    ngx_uint_t              i;
    const rms_operation_t  *op;

    ngx_http_rms_json_open(js, "counters", '{');

    for (i = 0; i < RMS_COUNT_MAX; i++) {
        ngx_http_rms_json_number(js, rms_count_name((rms_count_e) i),
                                 shared->counters[i]);
    }

    ngx_http_rms_json_close(js, '}');

    ngx_http_rms_json_open(js, "refused", '{');

    for (i = RMS_REASON_NONE + 1; i < RMS_REASON_MAX; i++) {
        ngx_http_rms_json_number(js, rms_reason_name((rms_reason_e) i),
                                 shared->reasons[i]);
    }

    ngx_http_rms_json_close(js, '}');

    ngx_http_rms_json_open(js, "operations", '{');

    for (i = RMS_OP_NONE + 1; i < RMS_OP_MAX; i++) {
        rms_str_t  forwarded = rms_string("forwarded");
        rms_str_t  denied = rms_string("denied");

        op = rms_operation_get((rms_operation_e) i);

        ngx_http_rms_json_open(js, (char *) op->name.data, '{');
        ngx_http_rms_json_number(js, &forwarded, shared->forwarded[i]);
        ngx_http_rms_json_number(js, &denied, shared->denied[i]);
        ngx_http_rms_json_close(js, '}');
    }

    ngx_http_rms_json_close(js, '}');
}


static void
ngx_http_rms_status_lists(ngx_http_rms_json_t *js,
    ngx_http_rms_main_conf_t *rmcf)
{
    size_t                  k;
    ngx_uint_t              i;
    rms_acl_rule_t         *rule;
    ngx_http_rms_list_t   **lists;
    ngx_http_rms_rules_t   *rules;
    static const char      *kinds[RMS_ACL_KIND_MAX] = {
        [RMS_ACL_ACCOUNT] = "account",
        [RMS_ACL_PATTERN] = "pattern",
        [RMS_ACL_CERT] = "cert",
        [RMS_ACL_CERT_DNS] = "cert_dns",
        [RMS_ACL_CERT_UPN] = "cert_upn",
        [RMS_ACL_SID] = "sid",
        [RMS_ACL_ANY] = "any"
    };

    lists = rmcf->lists.elts;

    ngx_http_rms_json_open(js, "list", '[');

    for (i = 0; i < rmcf->lists.nelts; i++) {
        rules = ngx_http_rms_rules_now(lists[i]);
        rule = rules->rules;

        for (k = 0; k < rules->n; k++) {
            rms_str_t  line = rms_string("line");
            rms_str_t  kind;

            kind.data = (unsigned char *) kinds[rule[k].kind];
            kind.len = ngx_strlen(kind.data);

            ngx_http_rms_json_open(js, NULL, '{');
            ngx_http_rms_json_string(js, "role", rms_role_name(rule[k].role));
            ngx_http_rms_json_string(js, "kind", &kind);
            ngx_http_rms_json_string(js, "value", &rule[k].value);
            ngx_http_rms_json_string(js, "file", &rule[k].file);
            ngx_http_rms_json_number(js, &line, rule[k].line);
            ngx_http_rms_json_close(js, '}');
        }
    }

    ngx_http_rms_json_close(js, ']');
}


static void
ngx_http_rms_status_files(ngx_http_rms_json_t *js,
    ngx_http_rms_main_conf_t *rmcf)
{
    ngx_uint_t                  i;
    rms_str_t                   age = rms_string("age");
    rms_str_t                   rules = rms_string("rules");
    rms_str_t                   failed = rms_string("failed");
    ngx_http_rms_list_t       **lists;
    ngx_http_rms_acl_file_t   **files;

    files = rmcf->acl_files.elts;

    ngx_http_rms_json_open(js, "list_files", '[');

    for (i = 0; i < rmcf->acl_files.nelts; i++) {

        if (files[i]->lists.nelts == 0) {
            continue;
        }

        lists = files[i]->lists.elts;

        ngx_http_rms_json_open(js, NULL, '{');
        ngx_http_rms_json_string(js, "file", &files[i]->path);
        ngx_http_rms_json_number(js, &rules,
                                 (ngx_atomic_uint_t) (lists[0]->base->n
                                                      - lists[0]->base->own));
        ngx_http_rms_json_number(js, &age,
                         (ngx_atomic_uint_t) (ngx_time() - files[i]->looked));
        ngx_http_rms_json_number(js, &failed, files[i]->failed);
        ngx_http_rms_json_close(js, '}');
    }

    ngx_http_rms_json_close(js, ']');
}


static void
ngx_http_rms_status_sessions(ngx_http_rms_json_t *js,
    ngx_http_rms_main_conf_t *rmcf)
{
    rms_str_t               cells = rms_string("cells");
    rms_str_t               unused = rms_string("free");
    rms_str_t               resets = rms_string("resets");
    rms_str_t               records = rms_string("records");
    rms_str_t               evicted = rms_string("evicted");
    rms_store_stats_t       stats;
    rms_store_kind_stats_t *kind;

    ngx_shmtx_lock(&rmcf->zone->shpool->mutex);
    stats = rms_store_stats(&rmcf->zone->store);
    ngx_shmtx_unlock(&rmcf->zone->shpool->mutex);

    kind = &stats.kinds[NGX_HTTP_RMS_STORE_SESSION];

    ngx_http_rms_json_open(js, "sessions", '{');
    ngx_http_rms_json_number(js, &records, kind->records);
    ngx_http_rms_json_number(js, &evicted, kind->evicted);
    ngx_http_rms_json_number(js, &cells, stats.cells);
    ngx_http_rms_json_number(js, &unused, stats.free);
    ngx_http_rms_json_number(js, &resets, stats.resets);
    ngx_http_rms_json_close(js, '}');
}


static void
ngx_http_rms_status_redis(ngx_http_rms_json_t *js,
    ngx_http_rms_main_conf_t *rmcf)
{
    if (rmcf->redis) {
        ngx_http_rms_json_open(js, "redis", '{');
        ngx_http_rms_redis_status(js, rmcf);
        ngx_http_rms_json_close(js, '}');
    }
}


static void
ngx_http_rms_status_backends(ngx_http_rms_json_t *js,
    ngx_http_rms_main_conf_t *rmcf)
{
    ngx_uint_t                     i;
    ngx_http_rms_backend_conf_t  **backends;

    backends = rmcf->backends.elts;

    ngx_http_rms_json_open(js, "backends", '[');

    for (i = 0; i < rmcf->backends.nelts; i++) {
        ngx_http_rms_status_backend(js, backends[i], rmcf->zone->shared);
    }

    ngx_http_rms_json_close(js, ']');
}


static void
ngx_http_rms_status_backend(ngx_http_rms_json_t *js,
    ngx_http_rms_backend_conf_t *backend, ngx_http_rms_shared_t *shared)
{
    ngx_uint_t                     i;
    rms_str_t                     *base, name, value;
    ngx_http_rms_backend_stats_t  *stats;
    static const char             *tls[] = { "none", "verified", "unverified" };

    ngx_http_rms_json_open(js, NULL, '{');
    ngx_http_rms_json_string(js, "name", &backend->name);

    value.data = (unsigned char *)
                 (backend->policy.kind == RMS_BACKEND_AZURE ? "azure"
                                                            : "adrms");
    value.len = 5;
    ngx_http_rms_json_string(js, "kind", &value);

    ngx_http_rms_json_open(js, "base", '[');
    base = backend->bases.elts;

    for (i = 0; i < backend->bases.nelts; i++) {
        ngx_http_rms_json_string(js, NULL, &base[i]);
    }

    ngx_http_rms_json_close(js, ']');

    value.data = (unsigned char *) (backend->policy.read_only ? "on" : "off");
    value.len = backend->policy.read_only ? 2 : 3;
    ngx_http_rms_json_string(js, "read_only", &value);

    value.data = (unsigned char *) (backend->identity ? "file" : "none");
    value.len = 4;
    ngx_http_rms_json_string(js, "identity", &value);

    value.data = (unsigned char *) tls[backend->tls];
    value.len = ngx_strlen(value.data);
    ngx_http_rms_json_string(js, "tls", &value);

    if (backend->slot < NGX_HTTP_RMS_BACKENDS_MAX) {
        stats = &shared->backends[backend->slot];

        name = (rms_str_t) rms_string("requests");
        ngx_http_rms_json_number(js, &name, stats->requests);
        name = (rms_str_t) rms_string("errors");
        ngx_http_rms_json_number(js, &name, stats->errors);
        name = (rms_str_t) rms_string("refused");
        ngx_http_rms_json_number(js, &name, stats->refused);
    }

    ngx_http_rms_json_close(js, '}');
}
