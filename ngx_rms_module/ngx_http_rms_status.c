
/*
 * rms_status: a content handler with a plain JSON answer of counters, list
 * and backends.  It shows what an operator configured and how often things
 * happened; never a token, a key or a licence.
 */


#include "ngx_http_rms_module.h"
#include "rms_text.h"


typedef struct {
    ngx_pool_t     *pool;
    ngx_chain_t    *first;
    ngx_chain_t   **last;
    ngx_buf_t      *buf;
    off_t           len;
    ngx_uint_t      failed;
    ngx_uint_t      comma;
} ngx_http_rms_json_t;


static void ngx_http_rms_json(ngx_http_rms_json_t *js, const char *fmt, ...);
static void ngx_http_rms_json_string(ngx_http_rms_json_t *js, const char *name,
    const rms_str_t *value);
static void ngx_http_rms_json_number(ngx_http_rms_json_t *js,
    const rms_str_t *name, ngx_atomic_uint_t value);
static void ngx_http_rms_json_open(ngx_http_rms_json_t *js, const char *name,
    char bracket);
static void ngx_http_rms_json_close(ngx_http_rms_json_t *js, char bracket);
static void ngx_http_rms_status_node(ngx_http_rms_json_t *js,
    ngx_http_rms_main_conf_t *rmcf);
static void ngx_http_rms_status_replay(ngx_http_rms_json_t *js,
    ngx_http_rms_main_conf_t *rmcf);
static void ngx_http_rms_status_counters(ngx_http_rms_json_t *js,
    ngx_http_rms_shared_t *shared);
static void ngx_http_rms_status_lists(ngx_http_rms_json_t *js,
    ngx_http_rms_main_conf_t *rmcf);
static void ngx_http_rms_status_backends(ngx_http_rms_json_t *js,
    ngx_http_rms_main_conf_t *rmcf);
static void ngx_http_rms_status_backend(ngx_http_rms_json_t *js,
    ngx_http_rms_backend_conf_t *backend, ngx_http_rms_shared_t *shared);


static ngx_str_t  ngx_http_rms_json_type = ngx_string("application/json");

#define ngx_http_rms_json_text(js, name, text)                                \
    do {                                                                      \
        rms_str_t  json_s = rms_string(text);                                 \
        ngx_http_rms_json_string(js, name, &json_s);                          \
    } while (0)


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
    ngx_http_rms_main_conf_t  *rmcf;

    if (r->method != NGX_HTTP_GET && r->method != NGX_HTTP_HEAD) {
        (void) ngx_http_rms_header_out(r, "Allow", &allow);
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_rms_module);

    ngx_memzero(&js, sizeof(ngx_http_rms_json_t));
    js.pool = r->pool;
    js.last = &js.first;

    ngx_http_rms_json_open(&js, NULL, '{');
    ngx_http_rms_status_node(&js, rmcf);

    if (rmcf->zone && rmcf->zone->shared) {
        ngx_http_rms_status_replay(&js, rmcf);
        ngx_http_rms_status_counters(&js, rmcf->zone->shared);
        ngx_http_rms_status_backends(&js, rmcf);
    }

    ngx_http_rms_status_lists(&js, rmcf);
    ngx_http_rms_json_close(&js, '}');
    ngx_http_rms_json(&js, "\n");

    if (js.failed) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    js.buf->last_buf = (r == r->main) ? 1 : 0;
    js.buf->last_in_chain = 1;

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = js.len;
    r->headers_out.content_type = ngx_http_rms_json_type;
    r->headers_out.content_type_len = ngx_http_rms_json_type.len;
    r->headers_out.content_type_lowcase = NULL;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    return ngx_http_output_filter(r, js.first);
}


/* One piece, at most 1 KiB, formatted as nginx does. */

static void
ngx_http_rms_json(ngx_http_rms_json_t *js, const char *fmt, ...)
{
    u_char        text[1024], *end;
    size_t        len;
    va_list       args;
    ngx_chain_t  *cl;

    va_start(args, fmt);
    end = ngx_vslprintf(text, text + sizeof(text), fmt, args);
    va_end(args);

    len = end - text;

    if (js->buf == NULL || (size_t) (js->buf->end - js->buf->last) < len) {

        cl = ngx_alloc_chain_link(js->pool);

        if (cl == NULL
            || (cl->buf = ngx_create_temp_buf(js->pool, 8192)) == NULL)
        {
            js->failed = 1;
            return;
        }

        cl->next = NULL;
        *js->last = cl;
        js->last = &cl->next;
        js->buf = cl->buf;
    }

    js->buf->last = ngx_cpymem(js->buf->last, text, len);
    js->len += len;
}


static void
ngx_http_rms_json_open(ngx_http_rms_json_t *js, const char *name, char bracket)
{
    if (js->failed) {
        return;
    }

    if (name) {
        ngx_http_rms_json(js, "%s\"%s\":%c", js->comma ? "," : "", name,
                          bracket);
    } else {
        ngx_http_rms_json(js, "%s%c", js->comma ? "," : "", bracket);
    }

    js->comma = 0;
}


static void
ngx_http_rms_json_close(ngx_http_rms_json_t *js, char bracket)
{
    if (js->failed) {
        return;
    }

    ngx_http_rms_json(js, "%c", bracket);
    js->comma = 1;
}


static void
ngx_http_rms_json_string(ngx_http_rms_json_t *js, const char *name,
    const rms_str_t *value)
{
    rms_str_t  cut;
    ngx_str_t  s;

    if (js->failed) {
        return;
    }

    cut = *value;

    if (cut.len > RMS_TEXT_CAP / 2) {
        cut.len = RMS_TEXT_CAP / 2;
    }

    s.len = rms_text_json(NULL, &cut);
    s.data = ngx_pnalloc(js->pool, s.len + 1);

    if (s.data == NULL) {
        js->failed = 1;
        return;
    }

    (void) rms_text_json(s.data, &cut);

    if (name) {
        ngx_http_rms_json(js, "%s\"%s\":\"%V\"", js->comma ? "," : "", name,
                          &s);
    } else {
        ngx_http_rms_json(js, "%s\"%V\"", js->comma ? "," : "", &s);
    }

    js->comma = 1;
}


static void
ngx_http_rms_json_number(ngx_http_rms_json_t *js, const rms_str_t *name,
    ngx_atomic_uint_t value)
{
    if (js->failed) {
        return;
    }

    ngx_http_rms_json(js, "%s\"%V\":%uA", js->comma ? "," : "",
                      name, value);
    js->comma = 1;
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
    ngx_uint_t              i, k;
    rms_acl_rule_t         *rule;
    ngx_http_rms_list_t   **lists;
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
        rule = lists[i]->rules.elts;

        for (k = 0; k < lists[i]->rules.nelts; k++) {
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
