
/*
 * The rms_backend block and rms_pass: names of backends, their bases and what
 * the core must know of them.  Load time only; constant afterwards.
 */


#include "ngx_http_rms_module.h"
#include "ngx_http_rms_conf.h"


typedef char *(*ngx_http_rms_backend_pt)(ngx_conf_t *cf,
    ngx_http_rms_backend_conf_t *backend);

typedef struct {
    ngx_str_t                    name;
    ngx_http_rms_backend_pt      set;
    ngx_uint_t                   many;
} ngx_http_rms_backend_parameter_t;


static char *ngx_http_rms_backend_parameter(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_rms_backend_kind(ngx_conf_t *cf,
    ngx_http_rms_backend_conf_t *backend);
static char *ngx_http_rms_backend_pass(ngx_conf_t *cf,
    ngx_http_rms_backend_conf_t *backend);
static char *ngx_http_rms_backend_base(ngx_conf_t *cf,
    ngx_http_rms_backend_conf_t *backend);
static char *ngx_http_rms_backend_path(ngx_conf_t *cf,
    ngx_http_rms_backend_conf_t *backend);
static char *ngx_http_rms_backend_licensor(ngx_conf_t *cf,
    ngx_http_rms_backend_conf_t *backend);
static char *ngx_http_rms_backend_read_only(ngx_conf_t *cf,
    ngx_http_rms_backend_conf_t *backend);
static char *ngx_http_rms_backend_read_only_answer(ngx_conf_t *cf,
    ngx_http_rms_backend_conf_t *backend);
static char *ngx_http_rms_backend_identity(ngx_conf_t *cf,
    ngx_http_rms_backend_conf_t *backend);
static char *ngx_http_rms_backend_finish(ngx_conf_t *cf,
    ngx_http_rms_backend_conf_t *backend);
static ngx_http_rms_backend_conf_t *ngx_http_rms_backend_find(ngx_conf_t *cf,
    ngx_str_t *name);


static ngx_http_rms_backend_parameter_t  ngx_http_rms_backend_parameters[] = {
    { ngx_string("kind"), ngx_http_rms_backend_kind, 0 },
    { ngx_string("pass"), ngx_http_rms_backend_pass, 0 },
    { ngx_string("base"), ngx_http_rms_backend_base, 1 },
    { ngx_string("path"), ngx_http_rms_backend_path, 0 },
    { ngx_string("licensor"), ngx_http_rms_backend_licensor, 0 },
    { ngx_string("read_only"), ngx_http_rms_backend_read_only, 1 },
    { ngx_string("read_only_answer"),
      ngx_http_rms_backend_read_only_answer, 0 },
    { ngx_string("identity"), ngx_http_rms_backend_identity, 0 },
    { ngx_null_string, NULL, 0 }
};


char *
ngx_http_rms_backend_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_rms_main_conf_t *rmcf = conf;

    char                          *rv;
    ngx_str_t                     *value;
    ngx_conf_t                     save;
    ngx_http_rms_backend_conf_t   *backend, **backends;

    value = cf->args->elts;

    backend = ngx_http_rms_backend_find(cf, &value[1]);

    if (backend != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate rms_backend \"%V\", first in %s:%ui",
                           &value[1], backend->file, backend->line);
        return NGX_CONF_ERROR;
    }

    if (rmcf->backends.nelts == NGX_HTTP_RMS_BACKENDS_MAX) {
        return "has too many backends, 64 at most";
    }

    if (value[1].len == 0 || value[1].len > 63) {
        return "needs a name of 1 to 63 bytes";
    }

    backend = ngx_pcalloc(cf->pool, sizeof(ngx_http_rms_backend_conf_t));
    backends = ngx_array_push(&rmcf->backends);

    if (backend == NULL || backends == NULL
        || ngx_array_init(&backend->bases, cf->pool, 4, sizeof(rms_str_t))
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    *backends = backend;

    backend->name = value[1];
    backend->file = cf->conf_file->file.name.data;
    backend->line = cf->conf_file->line;
    backend->policy.kind = (rms_backend_kind_e) NGX_CONF_UNSET_UINT;

    save = *cf;
    cf->handler = ngx_http_rms_backend_parameter;
    cf->handler_conf = (char *) backend;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    return ngx_http_rms_backend_finish(cf, backend);
}


static char *
ngx_http_rms_backend_parameter(ngx_conf_t *cf, ngx_command_t *dummy,
    void *conf)
{
    ngx_http_rms_backend_conf_t *backend = conf;

    ngx_str_t                         *value;
    ngx_uint_t                         bit;
    ngx_http_rms_backend_parameter_t  *p;

    value = cf->args->elts;

    for (p = ngx_http_rms_backend_parameters; p->name.len; p++) {

        if (value[0].len != p->name.len
            || ngx_strcmp(value[0].data, p->name.data) != 0)
        {
            continue;
        }

        bit = (ngx_uint_t) 1 << (p - ngx_http_rms_backend_parameters);

        if ((backend->given & bit) && p->set != ngx_http_rms_backend_base) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" in rms_backend \"%V\" is duplicate; "
                               "write it once", &value[0], &backend->name);
            return NGX_CONF_ERROR;
        }

        backend->given |= bit;

        if (cf->args->nelts < 2 || (cf->args->nelts > 2 && !p->many)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" in rms_backend \"%V\" takes one value",
                               &value[0], &backend->name);
            return NGX_CONF_ERROR;
        }

        return p->set(cf, backend);
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "unknown parameter \"%V\" in rms_backend \"%V\"; known "
                       "are kind, pass, base, path, licensor, read_only, "
                       "read_only_answer, identity", &value[0],
                       &backend->name);

    return NGX_CONF_ERROR;
}


static char *
ngx_http_rms_backend_kind(ngx_conf_t *cf, ngx_http_rms_backend_conf_t *backend)
{
    ngx_str_t  *value;

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "azure") == 0) {
        backend->policy.kind = RMS_BACKEND_AZURE;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[1].data, "adrms") == 0) {
        backend->policy.kind = RMS_BACKEND_ADRMS;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[1].data, "mde") == 0
        || ngx_strcmp(value[1].data, "gone") == 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"kind %V\" comes in a later version; write "
                           "\"kind azure;\" or \"kind adrms;\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "unknown kind \"%V\" of rms_backend \"%V\"; write "
                       "\"kind azure;\" or \"kind adrms;\"", &value[1],
                       &backend->name);

    return NGX_CONF_ERROR;
}


static char *
ngx_http_rms_backend_pass(ngx_conf_t *cf, ngx_http_rms_backend_conf_t *backend)
{
    ngx_str_t  *value;

    value = cf->args->elts;

    if (value[1].len < 2 || value[1].data[0] != '@') {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"pass %V\" in rms_backend \"%V\" is not a named "
                           "location; write \"pass @%V;\" and put proxy_pass "
                           "into \"location @%V\"", &value[1], &backend->name,
                           &backend->name, &backend->name);
        return NGX_CONF_ERROR;
    }

    backend->pass = value[1];

    return NGX_CONF_OK;
}


static char *
ngx_http_rms_backend_base(ngx_conf_t *cf, ngx_http_rms_backend_conf_t *backend)
{
    rms_url_t   url;
    rms_str_t  *base;
    ngx_str_t  *value;
    ngx_uint_t  i;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        while (value[i].len && value[i].data[value[i].len - 1] == '/') {
            value[i].len--;
        }

        if (rms_url_parse(&value[i], &url) != RMS_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid base \"%V\" in rms_backend \"%V\"; "
                               "write an http or https URL down to the RMS "
                               "tree, as in \"base "
                               "https://rms.contoso.com/_wmcs;\"",
                               &value[i], &backend->name);
            return NGX_CONF_ERROR;
        }

        if (ngx_strlchr(value[i].data, value[i].data + value[i].len, '?')
            || ngx_strlchr(value[i].data, value[i].data + value[i].len, '#'))
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "base \"%V\" in rms_backend \"%V\" has a query "
                               "or fragment; write it without",
                               &value[i], &backend->name);
            return NGX_CONF_ERROR;
        }

        base = ngx_array_push(&backend->bases);
        if (base == NULL) {
            return NGX_CONF_ERROR;
        }

        *base = value[i];
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_rms_backend_path(ngx_conf_t *cf, ngx_http_rms_backend_conf_t *backend)
{
    u_char      ch;
    ngx_str_t  *value;
    ngx_uint_t  i;

    value = cf->args->elts;

    while (value[1].len && value[1].data[value[1].len - 1] == '/') {
        value[1].len--;
    }

    for (i = 0; i < value[1].len; i++) {
        ch = value[1].data[i];

        if (ch <= ' ' || ch > '~' || ch == '?' || ch == '#' || ch == '%') {
            break;
        }
    }

    if (value[1].len == 0 || value[1].data[0] != '/' || i < value[1].len) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid path \"%V\" in rms_backend \"%V\"; write "
                           "the backend's tree, as in \"path /_wmcs;\"",
                           &value[1], &backend->name);
        return NGX_CONF_ERROR;
    }

    backend->path = value[1];

    return NGX_CONF_OK;
}


static char *
ngx_http_rms_backend_licensor(ngx_conf_t *cf,
    ngx_http_rms_backend_conf_t *backend)
{
    ngx_str_t  *value;

    value = cf->args->elts;

    if (rms_licensor_parse(&value[1], &backend->policy.licensor)
        != RMS_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid licensor \"%V\" in rms_backend \"%V\"; "
                           "write the GUID of the server licensor "
                           "certificate, as in \"licensor "
                           "4f1a2b3c-0000-4000-8000-123456789abc;\"",
                           &value[1], &backend->name);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_rms_backend_read_only(ngx_conf_t *cf,
    ngx_http_rms_backend_conf_t *backend)
{
    ngx_str_t  *value;

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "on") == 0) {
        backend->policy.read_only = 1;
        return NGX_CONF_OK;
    }

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        backend->policy.read_only = 0;
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value[1].data, "sid=", 4) == 0
        || ngx_strncmp(value[1].data, "not_sid=", 8) == 0
        || ngx_strcmp(value[1].data, "dry_run") == 0
        || cf->args->nelts > 2)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"read_only %V\" comes in a later version; write "
                           "\"read_only on;\" or \"read_only off;\"",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid value \"%V\" of \"read_only\" in rms_backend "
                       "\"%V\"; write \"read_only on;\" or "
                       "\"read_only off;\"", &value[1], &backend->name);

    return NGX_CONF_ERROR;
}


static char *
ngx_http_rms_backend_read_only_answer(ngx_conf_t *cf,
    ngx_http_rms_backend_conf_t *backend)
{
    ngx_str_t  *value;

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "401") == 0) {
        backend->policy.read_only_answer = RMS_READ_ONLY_401;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[1].data, "fault") == 0) {
        backend->policy.read_only_answer = RMS_READ_ONLY_FAULT;
        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid value \"%V\" of \"read_only_answer\" in "
                       "rms_backend \"%V\"; write \"read_only_answer 401;\" "
                       "or \"read_only_answer fault;\"", &value[1],
                       &backend->name);

    return NGX_CONF_ERROR;
}


static char *
ngx_http_rms_backend_identity(ngx_conf_t *cf,
    ngx_http_rms_backend_conf_t *backend)
{
    ngx_str_t  *value, path;

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "none") == 0) {
        backend->policy.identity = RMS_IDENTITY_NONE;
        return NGX_CONF_OK;
    }

    if (value[1].len > 5 && ngx_strncmp(value[1].data, "file=", 5) == 0) {
        path.data = value[1].data + 5;
        path.len = value[1].len - 5;

        if (ngx_conf_full_name(cf->cycle, &path, 1) != NGX_OK) {
            return NGX_CONF_ERROR;
        }

        backend->policy.identity = RMS_IDENTITY_FILE;
        backend->identity = ngx_http_rms_identity_add(cf, &path);

        return backend->identity ? NGX_CONF_OK : NGX_CONF_ERROR;
    }

    if (ngx_strcmp(value[1].data, "entra") == 0
        || ngx_strcmp(value[1].data, "service") == 0
        || ngx_strcmp(value[1].data, "delegate") == 0
        || ngx_strcmp(value[1].data, "passthrough") == 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"identity %V\" comes in a later version; write "
                           "\"identity none;\" or \"identity file=PATH;\"",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid identity \"%V\" in rms_backend \"%V\"; write "
                       "\"identity none;\" or \"identity "
                       "file=/etc/nginx/rms/azure.authorization;\"",
                       &value[1], &backend->name);

    return NGX_CONF_ERROR;
}


/* What a complete block gives: presets, the host, the tenant's address. */

static char *
ngx_http_rms_backend_finish(ngx_conf_t *cf,
    ngx_http_rms_backend_conf_t *backend)
{
    rms_str_t  *base;
    const char *missing;

    missing = (backend->policy.kind
               == (rms_backend_kind_e) NGX_CONF_UNSET_UINT) ? "kind azure"
              : backend->pass.len == 0 ? "pass @NAME"
              : backend->bases.nelts == 0 ? "base https://HOST/_wmcs" : NULL;

    if (missing) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "rms_backend \"%V\" is incomplete; write "
                           "\"%s;\" into it", &backend->name, missing);
        return NGX_CONF_ERROR;
    }

    base = backend->bases.elts;

    if (rms_url_parse(&base[0], &backend->first) != RMS_OK) {
        return NGX_CONF_ERROR;
    }

    backend->upstream_host.data = backend->first.host.data;
    backend->upstream_host.len = base[0].data + backend->first.tail
                                 - backend->first.host.data;

    if (backend->path.len == 0) {
        backend->path.data = backend->first.path.data;
        backend->path.len = backend->first.path.len;
    }

    if (backend->path.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "base \"%V\" of rms_backend \"%V\" has no path; "
                           "write the RMS tree behind it, as in "
                           "\"base %V/_wmcs;\"", &base[0],
                           &backend->name, &base[0]);
        return NGX_CONF_ERROR;
    }

    /* GetRmsoUri.aspx answers the base without its tree: azure-mde.md E4 */

    backend->tenant.data = base[0].data;
    backend->tenant.len = backend->first.tail;

    return NGX_CONF_OK;
}


static ngx_http_rms_backend_conf_t *
ngx_http_rms_backend_find(ngx_conf_t *cf, ngx_str_t *name)
{
    ngx_uint_t                     i;
    ngx_http_rms_main_conf_t      *rmcf;
    ngx_http_rms_backend_conf_t  **backends;

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_rms_module);
    backends = rmcf->backends.elts;

    for (i = 0; i < rmcf->backends.nelts; i++) {
        if (backends[i]->name.len == name->len
            && ngx_memcmp(backends[i]->name.data, name->data, name->len) == 0)
        {
            return backends[i];
        }
    }

    return NULL;
}


char *
ngx_http_rms_pass_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_rms_loc_conf_t *rlcf = conf;

    ngx_str_t                     *value;
    ngx_uint_t                     i, k;
    ngx_http_rms_main_conf_t      *rmcf;
    ngx_http_core_loc_conf_t      *clcf;
    ngx_http_rms_backend_conf_t  **pass, **passes;

    if (rlcf->pass) {
        return "is duplicate; write all backends into one \"rms_pass\"";
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler) {
        return "stands beside another content handler; keep proxy_pass in "
               "the named location of the backend";
    }

    value = cf->args->elts;

    rlcf->pass = ngx_array_create(cf->pool, cf->args->nelts - 1,
                                  sizeof(void *));
    rlcf->policies = ngx_pcalloc(cf->pool, (cf->args->nelts - 1)
                                           * sizeof(rms_backend_t));
    if (rlcf->pass == NULL || rlcf->policies == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < cf->args->nelts; i++) {
        pass = ngx_array_push(rlcf->pass);

        *pass = ngx_http_rms_backend_find(cf, &value[i]);

        if (*pass == NULL) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "unknown backend \"%V\" in \"rms_pass\"; write "
                               "\"rms_backend %V { ... }\" before the server",
                               &value[i], &value[i]);
            return NGX_CONF_ERROR;
        }

        for (k = 0, passes = rlcf->pass->elts; k < i - 1; k++) {
            if (passes[k] == *pass) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "backend \"%V\" stands twice in "
                                   "\"rms_pass\"; write it once", &value[i]);
                return NGX_CONF_ERROR;
            }
        }

        (*pass)->used = 1;
        rlcf->policies[i - 1] = (*pass)->policy;
    }

    rlcf->pass_file = cf->conf_file->file.name.data;
    rlcf->pass_line = cf->conf_file->line;

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_rms_module);
    rmcf->used = 1;

    clcf->handler = ngx_http_rms_pass_handler;

    return NGX_CONF_OK;
}
