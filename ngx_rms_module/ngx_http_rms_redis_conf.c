
/*
 * The rms_redis block: read at load, with its password, its TLS context and
 * the addresses that need no resolver; constant afterwards.
 */


#include "ngx_http_rms_redis_link.h"
#include "ngx_http_rms_conf.h"

#include <openssl/crypto.h>


#define NGX_HTTP_RMS_REDIS_SECRET  1024         /* bytes of password_file */


typedef struct {
    ngx_str_t       name;
    ngx_uint_t      most;       /* values it takes at most */
    const char     *kind;       /* what the value must be */
} ngx_http_rms_redis_parameter_t;


static ngx_http_rms_redis_t *ngx_http_rms_redis_create(ngx_conf_t *cf);
static char *ngx_http_rms_redis_parameter(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_uint_t ngx_http_rms_redis_valid(ngx_str_t *value, const char *kind);
static ngx_int_t ngx_http_rms_redis_set(ngx_conf_t *cf,
    ngx_http_rms_redis_t *redis, ngx_uint_t parameter);
static ngx_int_t ngx_http_rms_redis_add(ngx_conf_t *cf, ngx_array_t *servers,
    ngx_str_t *value, ngx_uint_t n);
static ngx_int_t ngx_http_rms_redis_password(ngx_conf_t *cf,
    ngx_http_rms_redis_t *redis, ngx_str_t *path);
static void ngx_http_rms_redis_wipe(void *data);
static ngx_int_t ngx_http_rms_redis_together(ngx_conf_t *cf,
    ngx_http_rms_redis_t *redis);
static ngx_int_t ngx_http_rms_redis_nameless(ngx_http_rms_redis_t *redis);
static ngx_int_t ngx_http_rms_redis_tls(ngx_conf_t *cf,
    ngx_http_rms_redis_t *redis);
static ngx_str_t *ngx_http_rms_redis_named(ngx_array_t *servers);


/* The order is that of the cases in ngx_http_rms_redis_set(). */

static ngx_http_rms_redis_parameter_t  ngx_http_rms_redis_parameters[] = {
    { ngx_string("server"), 16, "host:port or unix:/path" },
    { ngx_string("sentinel"), 16, "text" },
    { ngx_string("username"), 1, "text" },
    { ngx_string("password_file"), 1, "text" },
    { ngx_string("database"), 1, "number" },
    { ngx_string("prefix"), 1, "text" },
    { ngx_string("tls"), 1, "on or off" },
    { ngx_string("tls_ca"), 1, "text" },
    { ngx_string("tls_name"), 1, "text" },
    { ngx_string("connect_timeout"), 1, "time, as in 200ms" },
    { ngx_string("timeout"), 1, "time, as in 100ms" },
    { ngx_null_string, 0, NULL }
};


char *
ngx_http_rms_redis_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_rms_main_conf_t *rmcf = conf;

    char                  *rv;
    rms_str_t              none = rms_null_string;
    ngx_conf_t             save;
    ngx_http_rms_redis_t  *redis;

    if (rmcf->redis) {
        return "is duplicate";
    }

    redis = ngx_http_rms_redis_create(cf);

    if (redis == NULL) {
        return NGX_CONF_ERROR;
    }

    rmcf->redis = redis;

    save = *cf;
    cf->handler = ngx_http_rms_redis_parameter;
    cf->handler_conf = (char *) redis;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (ngx_http_rms_redis_together(cf, redis) != NGX_OK
        || ngx_http_rms_redis_tls(cf, redis) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    redis->probe = ngx_http_rms_redis_key(rmcf, cf->pool, "probe", &none);

    return redis->probe.len ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static ngx_http_rms_redis_t *
ngx_http_rms_redis_create(ngx_conf_t *cf)
{
    ngx_http_rms_redis_t  *redis;

    redis = ngx_pcalloc(cf->pool, sizeof(ngx_http_rms_redis_t));

    if (redis == NULL
        || ngx_array_init(&redis->servers, cf->pool, 4,
                          sizeof(ngx_http_rms_redis_server_t))
           != NGX_OK
        || ngx_array_init(&redis->sentinels, cf->pool, 4,
                          sizeof(ngx_http_rms_redis_server_t))
           != NGX_OK
        || ngx_array_init(&redis->listeners, cf->pool, 4,
                          sizeof(ngx_http_rms_redis_listener_t))
           != NGX_OK
        || ngx_array_init(&redis->watchers, cf->pool, 4,
                          sizeof(ngx_http_rms_redis_watcher_t))
           != NGX_OK)
    {
        return NULL;
    }

    redis->file = cf->conf_file->file.name.data;
    redis->line = cf->conf_file->line;

    ngx_str_set(&redis->prefix, "rms:");
    redis->connect_timeout = 200;
    redis->timeout = 100;

    return redis;
}


static char *
ngx_http_rms_redis_parameter(ngx_conf_t *cf, ngx_command_t *dummy, void *conf)
{
    ngx_http_rms_redis_t *redis = (ngx_http_rms_redis_t *) conf;

    ngx_str_t                       *value;
    ngx_uint_t                       i, n;
    ngx_http_rms_redis_parameter_t  *p;

    value = cf->args->elts;

    for (p = ngx_http_rms_redis_parameters; p->name.len; p++) {
        if (ngx_strcmp(value[0].data, p->name.data) == 0) {
            break;
        }
    }

    if (p->name.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "unknown parameter \"%V\" in \"rms_redis\"; known "
                           "are server, sentinel, username, password_file, "
                           "database, prefix, tls, tls_ca, tls_name, "
                           "connect_timeout, timeout", &value[0]);
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts < 2 || cf->args->nelts - 1 > p->most) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid number of values of \"%V\" in "
                           "\"rms_redis\"", &value[0]);
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < cf->args->nelts; i++) {
        if (!ngx_http_rms_redis_valid(&value[i], p->kind)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid value \"%V\" of \"%V\" in "
                               "\"rms_redis\"; write a %s", &value[i],
                               &value[0], p->kind);
            return NGX_CONF_ERROR;
        }
    }

    n = p - ngx_http_rms_redis_parameters;

    if (n != 0 && (redis->given & ((ngx_uint_t) 1 << n))) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" is there twice in \"rms_redis\"",
                           &value[0]);
        return NGX_CONF_ERROR;
    }

    redis->given |= (ngx_uint_t) 1 << n;

    return ngx_http_rms_redis_set(cf, redis, n) == NGX_OK
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static ngx_uint_t
ngx_http_rms_redis_valid(ngx_str_t *value, const char *kind)
{
    ngx_int_t   n;
    ngx_str_t   s;
    u_char     *p;

    switch (kind[0]) {

    case 'n':
        n = ngx_atoi(value->data, value->len);
        return n >= 0 && n < 16384;

    case 'o':
        return ngx_strcmp(value->data, "on") == 0
               || ngx_strcmp(value->data, "off") == 0;

    case 'h':
        if (value->len > 6 && ngx_strncmp(value->data, "unix:/", 6) == 0) {
            return 1;
        }

        for (p = value->data + value->len; p > value->data; p--) {
            if (p[-1] == ':') {
                break;
            }
        }

        n = ngx_atoi(p, value->data + value->len - p);
        return p > value->data + 1 && n > 0 && n < 65536;

    default:
        s = *value;

        if (ngx_strncmp(kind, "time", 4) != 0) {
            return s.len > 0;
        }

        n = ngx_parse_time(&s, 0);
        return n > 0 && n <= 60000;
    }
}


static ngx_int_t
ngx_http_rms_redis_set(ngx_conf_t *cf, ngx_http_rms_redis_t *redis,
    ngx_uint_t parameter)
{
    ngx_uint_t   n;
    ngx_str_t   *value;

    value = cf->args->elts;
    n = cf->args->nelts - 1;
    value++;

    switch (parameter) {

    case 0:
        return ngx_http_rms_redis_add(cf, &redis->servers, value, n);

    case 1:
        redis->master_name = value[0];
        return ngx_http_rms_redis_add(cf, &redis->sentinels, value + 1, n - 1);

    case 2:
        redis->username = value[0];
        break;

    case 3:
        return ngx_http_rms_redis_password(cf, redis, &value[0]);

    case 4:
        redis->database = ngx_atoi(value[0].data, value[0].len);
        break;

    case 5:
        redis->prefix = value[0];
        break;

    case 6:
        redis->tls = (value[0].len == 2);
        break;

    case 7:
        redis->tls_ca = value[0];
        return ngx_conf_full_name(cf->cycle, &redis->tls_ca, 1);

    case 8:
        redis->tls_name = value[0];
        break;

    case 9:
        redis->connect_timeout = ngx_parse_time(&value[0], 0);
        break;

    case 10:
        redis->timeout = ngx_parse_time(&value[0], 0);
        break;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_rms_redis_add(ngx_conf_t *cf, ngx_array_t *servers, ngx_str_t *value,
    ngx_uint_t n)
{
    ngx_uint_t                    i;
    const char                   *err;
    ngx_http_rms_redis_server_t  *server;

    if (n == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"sentinel\" in \"rms_redis\" names no address; "
                           "write \"sentinel NAME HOST:26379 ...;\"");
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {

        server = ngx_array_push(servers);

        if (server == NULL) {
            return NGX_ERROR;
        }

        err = "write a host:port or unix:/path";

        if (!ngx_http_rms_redis_valid(&value[i], "host")
            || ngx_http_rms_redis_server(cf->pool, &value[i], server, &err)
               != NGX_OK)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid address \"%V\" in \"rms_redis\": %s",
                               &value[i], err);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* An address, of the configuration or of a Sentinel; strings are copied. */

ngx_int_t
ngx_http_rms_redis_server(ngx_pool_t *pool, ngx_str_t *value,
    ngx_http_rms_redis_server_t *server, const char **err)
{
    u_char     *host;
    ngx_url_t   u;

    ngx_memzero(&u, sizeof(ngx_url_t));
    ngx_memzero(server, sizeof(ngx_http_rms_redis_server_t));

    *err = "no memory";

    server->name.len = value->len;
    server->name.data = ngx_pstrdup(pool, value);

    if (server->name.data == NULL) {
        return NGX_ERROR;
    }

    u.url = server->name;
    u.no_resolve = 1;

    if (ngx_parse_url(pool, &u) != NGX_OK) {
        *err = u.err ? u.err : "not an address";
        return NGX_ERROR;
    }

    server->port = u.port;
    server->addrs = u.addrs;
    server->naddrs = u.naddrs;

    if (u.family == AF_UNIX) {
        ngx_str_set(&server->host, "");
        return NGX_OK;
    }

    host = ngx_pnalloc(pool, u.host.len + 1);

    if (host == NULL) {
        return NGX_ERROR;
    }

    *ngx_cpymem(host, u.host.data, u.host.len) = '\0';

    server->host.data = host;
    server->host.len = u.host.len;

    return NGX_OK;
}


static ngx_int_t
ngx_http_rms_redis_password(ngx_conf_t *cf, ngx_http_rms_redis_t *redis,
    ngx_str_t *path)
{
    ssize_t              n;
    ngx_fd_t             fd;
    ngx_pool_cleanup_t  *cln;

    if (ngx_conf_full_name(cf->cycle, path, 1) != NGX_OK
        || ngx_http_rms_secret_file_check(cf, path, 0) != NGX_OK)
    {
        return NGX_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    redis->password.data = ngx_pnalloc(cf->pool, NGX_HTTP_RMS_REDIS_SECRET);

    if (cln == NULL || redis->password.data == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_rms_redis_wipe;
    cln->data = redis->password.data;

    fd = ngx_open_file(path->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed", path);
        return NGX_ERROR;
    }

    n = read(fd, redis->password.data, NGX_HTTP_RMS_REDIS_SECRET);

    (void) ngx_close_file(fd);

    while (n > 0 && n < NGX_HTTP_RMS_REDIS_SECRET
           && (redis->password.data[n - 1] == LF
               || redis->password.data[n - 1] == CR))
    {
        n--;
    }

    if (n <= 0 || n == NGX_HTTP_RMS_REDIS_SECRET
        || ngx_strlchr(redis->password.data, redis->password.data + n, LF))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"password_file\" \"%V\" is not usable; write one "
                           "line into it: the password", path);
        return NGX_ERROR;
    }

    redis->password.len = n;

    return NGX_OK;
}


static void
ngx_http_rms_redis_wipe(void *data)
{
    OPENSSL_cleanse(data, NGX_HTTP_RMS_REDIS_SECRET);
}


/* What contradicts itself, or is half of something. */

static ngx_int_t
ngx_http_rms_redis_together(ngx_conf_t *cf, ngx_http_rms_redis_t *redis)
{
    const char  *wrong;

    wrong = NULL;

    if (redis->servers.nelts + redis->sentinels.nelts == 0) {
        wrong = "names no server; write \"server redis1.corp:6379;\" or "
                "\"sentinel NAME HOST:26379;\" into it";

    } else if (redis->servers.nelts && redis->sentinels.nelts) {
        wrong = "has \"server\" and \"sentinel\"; write one of them: Sentinels "
                "name the server themselves";

    } else if (redis->username.len && redis->password.len == 0) {
        wrong = "has \"username\" without \"password_file\"; write it too";

    } else if (redis->tls && redis->tls_ca.len == 0) {
        wrong = "has \"tls on\" without \"tls_ca\"; write \"tls_ca PATH;\": "
                "the server's certificate is always verified";

    } else if (!redis->tls && (redis->tls_ca.len || redis->tls_name.len)) {
        wrong = "has \"tls_ca\" or \"tls_name\" without \"tls on\"; write it "
                "too";

    } else if (redis->tls && redis->tls_name.len == 0
               && ngx_http_rms_redis_nameless(redis))
    {
        wrong = "has \"tls on\" and a unix socket; write \"tls_name NAME;\": "
                "a certificate is for a name";
    }

    if (wrong) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"rms_redis\" %s", wrong);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_rms_redis_nameless(ngx_http_rms_redis_t *redis)
{
    ngx_uint_t                    i;
    ngx_http_rms_redis_server_t  *server;

    server = redis->servers.elts;

    for (i = 0; i < redis->servers.nelts; i++) {
        if (server[i].host.len == 0) {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_http_rms_redis_tls(ngx_conf_t *cf, ngx_http_rms_redis_t *redis)
{
#if (NGX_SSL)

    ngx_pool_cleanup_t  *cln;

    if (!redis->tls) {
        return NGX_OK;
    }

    redis->ssl = ngx_pcalloc(cf->pool, sizeof(ngx_ssl_t));
    cln = ngx_pool_cleanup_add(cf->pool, 0);

    if (redis->ssl == NULL || cln == NULL) {
        return NGX_ERROR;
    }

    redis->ssl->log = cf->log;

    if (ngx_ssl_create(redis->ssl, NGX_SSL_TLSv1_2|NGX_SSL_TLSv1_3, NULL)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    cln->handler = ngx_ssl_cleanup_ctx;
    cln->data = redis->ssl;

    return ngx_ssl_trusted_certificate(cf, redis->ssl, &redis->tls_ca, 4);

#else

    if (redis->tls) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"rms_redis\" has \"tls on\", but nginx is built "
                           "without TLS");
        return NGX_ERROR;
    }

    return NGX_OK;

#endif
}


/*
 * A name is resolved when it is needed, so that a server may move; the
 * resolver of http may be written after the block.
 */

ngx_int_t
ngx_http_rms_redis_check(ngx_conf_t *cf, ngx_http_rms_main_conf_t *rmcf)
{
    ngx_str_t                 *name;
    ngx_http_rms_redis_t      *redis = rmcf->redis;
    ngx_http_core_loc_conf_t  *clcf;

    if (redis == NULL) {
        return NGX_OK;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->resolver && clcf->resolver->connections.nelts) {
        redis->resolver = clcf->resolver;
        redis->resolver_timeout = clcf->resolver_timeout;
        ngx_conf_init_msec_value(redis->resolver_timeout, 30000);
        return NGX_OK;
    }

    name = ngx_http_rms_redis_named(&redis->servers);

    if (name == NULL) {
        name = ngx_http_rms_redis_named(&redis->sentinels);
    }

    if (name == NULL) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "\"rms_redis\" has the name \"%V\", and nobody to resolve "
                  "it; write \"resolver ADDRESS;\" into \"http\", or an "
                  "address instead of the name in %s:%ui", name, redis->file,
                  redis->line);

    return NGX_ERROR;
}


static ngx_str_t *
ngx_http_rms_redis_named(ngx_array_t *servers)
{
    ngx_uint_t                    i;
    ngx_http_rms_redis_server_t  *server;

    server = servers->elts;

    for (i = 0; i < servers->nelts; i++) {
        if (server[i].naddrs == 0) {
            return &server[i].name;
        }
    }

    return NULL;
}
