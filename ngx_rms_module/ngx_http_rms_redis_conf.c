
/*
 * The rms_redis block and the key ring: read and checked in full, so that a
 * configuration written for a pool loads today; the node says that it works
 * on its zone alone until the shared store is there.
 */


#include "ngx_http_rms_module.h"
#include "ngx_http_rms_conf.h"

#include <openssl/crypto.h>


#define NGX_HTTP_RMS_SEAL_MAX  16384


typedef struct {
    ngx_str_t       name;
    ngx_uint_t      most;       /* values it takes at most */
    const char     *kind;       /* what the value must be */
} ngx_http_rms_redis_parameter_t;


static char *ngx_http_rms_redis_parameter(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_uint_t ngx_http_rms_redis_valid(ngx_str_t *value, const char *kind);
static ngx_int_t ngx_http_rms_seal_keys_check(ngx_conf_t *cf, ngx_str_t *path);
static ngx_uint_t ngx_http_rms_seal_keys(u_char *p, u_char *end,
    ngx_uint_t *keys);


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

    char        *rv;
    ngx_conf_t   save;
    ngx_uint_t   servers;

    if (rmcf->redis) {
        return "is duplicate";
    }

    rmcf->redis = 1;
    servers = 0;

    save = *cf;
    cf->handler = ngx_http_rms_redis_parameter;
    cf->handler_conf = (char *) &servers;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (servers == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"rms_redis\" names no server; write \"server "
                           "redis1.corp:6379;\" or \"sentinel NAME "
                           "HOST:26379;\" into it");
        return NGX_CONF_ERROR;
    }

    ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                       "\"rms_redis\" is checked but not used yet: this node "
                       "keeps its state in its zone alone, and nodes of a "
                       "pool share nothing");

    return NGX_CONF_OK;
}


static char *
ngx_http_rms_redis_parameter(ngx_conf_t *cf, ngx_command_t *dummy, void *conf)
{
    ngx_uint_t *servers = (ngx_uint_t *) conf;

    ngx_str_t                       *value;
    ngx_uint_t                       i;
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

    if (ngx_strcmp(p->name.data, "password_file") == 0) {

        if (ngx_conf_full_name(cf->cycle, &value[1], 1) != NGX_OK
            || ngx_http_rms_secret_file_check(cf, &value[1], 0) != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    if (p == &ngx_http_rms_redis_parameters[0]
        || p == &ngx_http_rms_redis_parameters[1])
    {
        (*servers)++;
    }

    return NGX_CONF_OK;
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
        return s.len > 0
               && (ngx_strncmp(kind, "time", 4) != 0
                   || ngx_parse_time(&s, 0) != NGX_ERROR);
    }
}


char *
ngx_http_rms_seal_key_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_rms_main_conf_t *rmcf = conf;

    ngx_str_t  *value;

    if (rmcf->seal_key_file.len) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_conf_full_name(cf->cycle, &value[1], 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    rmcf->seal_key_file = value[1];

    if (ngx_http_rms_secret_file_check(cf, &value[1], 0) != NGX_OK
        || ngx_http_rms_seal_keys_check(cf, &value[1]) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                       "\"rms_seal_key_file\" is not used yet: nothing is "
                       "sealed before nodes share a store");

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_rms_seal_keys_check(ngx_conf_t *cf, ngx_str_t *path)
{
    u_char      buf[NGX_HTTP_RMS_SEAL_MAX + 1];
    ssize_t     n;
    ngx_fd_t    fd;
    ngx_uint_t  line, keys;

    fd = ngx_open_file(path->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed", path);
        return NGX_ERROR;
    }

    n = read(fd, buf, sizeof(buf));

    (void) ngx_close_file(fd);

    keys = 0;
    line = (n < 0 || n > NGX_HTTP_RMS_SEAL_MAX)
           ? 1 : ngx_http_rms_seal_keys(buf, buf + n, &keys);

    OPENSSL_cleanse(buf, sizeof(buf));

    if (line == 0 && keys > 0) {
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"rms_seal_key_file\" \"%V\" %s %ui; write one key of "
                       "64 hex digits a line, as \"openssl rand -hex 32\" "
                       "prints it", path,
                       line ? "has no key in line" : "has keys:",
                       line ? line : keys);

    return NGX_ERROR;
}


/* 0, or the first line that is neither a key nor a comment nor empty. */

static ngx_uint_t
ngx_http_rms_seal_keys(u_char *p, u_char *end, ngx_uint_t *keys)
{
    u_char      *last;
    ngx_uint_t   i, line;

    for (line = 1; p < end; line++, p = last + 1) {

        last = ngx_strlchr(p, end, LF);
        last = last ? last : end;

        i = last - p;
        i -= (i && p[i - 1] == CR) ? 1 : 0;

        if (i == 0 || p[0] == '#') {
            continue;
        }

        if (i != 64) {
            return line;
        }

        while (i) {
            i--;

            if (ngx_hextoi(&p[i], 1) == NGX_ERROR) {
                return line;
            }
        }

        (*keys)++;
    }

    return 0;
}
