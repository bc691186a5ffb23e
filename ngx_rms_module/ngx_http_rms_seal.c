
/*
 * The key ring: read at load by the master, inherited by the workers, and the
 * same until the next reload.  It lies in a page of its own, which no core
 * dump takes along, and is wiped with its cycle.
 */


#include "ngx_http_rms_module.h"
#include "ngx_http_rms_conf.h"
#include "rms_seal.h"

#include <openssl/crypto.h>
#include <sys/mman.h>


#define NGX_HTTP_RMS_SEAL_FILE_MAX  16384


static rms_seal_ring_t *ngx_http_rms_seal_ring(ngx_conf_t *cf);
static ngx_int_t ngx_http_rms_seal_read(ngx_conf_t *cf, ngx_str_t *path,
    rms_seal_ring_t *ring);
static void ngx_http_rms_seal_cleanup(void *data);


char *
ngx_http_rms_seal_key_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_rms_main_conf_t *rmcf = conf;

    ngx_str_t  *value;

    if (rmcf->seal) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_conf_full_name(cf->cycle, &value[1], 1) != NGX_OK
        || ngx_http_rms_secret_file_check(cf, &value[1], 0) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    rmcf->seal = ngx_http_rms_seal_ring(cf);

    if (rmcf->seal == NULL
        || ngx_http_rms_seal_read(cf, &value[1], rmcf->seal) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static rms_seal_ring_t *
ngx_http_rms_seal_ring(ngx_conf_t *cf)
{
    rms_seal_ring_t     *ring;
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    ring = mmap(NULL, sizeof(rms_seal_ring_t), PROT_READ|PROT_WRITE,
                MAP_PRIVATE|MAP_ANONYMOUS, -1, 0);

    if (ring == MAP_FAILED) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno, "mmap() failed");
        return NULL;
    }

    cln->handler = ngx_http_rms_seal_cleanup;
    cln->data = ring;

    /* workers inherit it with the page */

    if (madvise(ring, sizeof(rms_seal_ring_t), MADV_DONTDUMP) == -1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "madvise(MADV_DONTDUMP) failed");
        return NULL;
    }

    return ring;
}


static ngx_int_t
ngx_http_rms_seal_read(ngx_conf_t *cf, ngx_str_t *path, rms_seal_ring_t *ring)
{
    u_char            buf[NGX_HTTP_RMS_SEAL_FILE_MAX + 1];
    ssize_t           n;
    ngx_fd_t          fd;
    rms_rc_e          rc;
    rms_str_t         text;
    rms_seal_error_t  error;

    fd = ngx_open_file(path->data, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                       NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed", path);
        return NGX_ERROR;
    }

    n = ngx_read_fd(fd, buf, sizeof(buf));

    (void) ngx_close_file(fd);

    rc = RMS_TOO_LARGE;
    error.line = 0;
    error.text = "cannot be read, or is larger than 16 kilobytes";

    if (n >= 0 && n <= NGX_HTTP_RMS_SEAL_FILE_MAX) {
        text.data = buf;
        text.len = n;

        rc = rms_seal_ring_read(&text, ring, &error);
    }

    OPENSSL_cleanse(buf, sizeof(buf));

    if (rc == RMS_OK) {
        return NGX_OK;
    }

    if (error.line) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"rms_seal_key_file\" %V:%ui: %s", path,
                           (ngx_uint_t) error.line, error.text);

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"rms_seal_key_file\" %V: %s", path,
                           error.text);
    }

    return NGX_ERROR;
}


static void
ngx_http_rms_seal_cleanup(void *data)
{
    rms_seal_ring_t *ring = data;

    rms_seal_ring_wipe(ring);

    (void) munmap(ring, sizeof(rms_seal_ring_t));
}


/* What others can write is not believed, so there is no Redis without keys. */

ngx_int_t
ngx_http_rms_seal_check(ngx_conf_t *cf, ngx_http_rms_main_conf_t *rmcf)
{
    if (rmcf->seal || !rmcf->redis) {
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"rms_redis\" needs keys to seal what it keeps; "
                       "write \"rms_seal_key_file "
                       "/etc/nginx/rms/seal.keys;\" beside it, the same file "
                       "on every node; a key: openssl rand -hex 32");

    return NGX_ERROR;
}
