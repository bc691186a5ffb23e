
/*
 * Identities of our own: files that hold one Authorization value, read at
 * load and again when they change (ngx_http_rms_watch.c); a bad file keeps the
 * old value and says so.  The value lives outside of any
 * pool, so that it can be wiped.
 */


#include "ngx_http_rms_module.h"
#include "ngx_http_rms_conf.h"
#include "rms_access.h"

#include <openssl/crypto.h>


#define NGX_HTTP_RMS_IDENTITY_MAX  16384


static ngx_int_t ngx_http_rms_worker_user(ngx_conf_t *cf, const char **name,
    uid_t *uid, gid_t *gid);
static ngx_int_t ngx_http_rms_identity_read(ngx_http_rms_identity_t *identity,
    ngx_log_t *log);
static const char *ngx_http_rms_identity_trim(ngx_str_t *value);
static void ngx_http_rms_identity_wipe(ngx_str_t *value);
static void ngx_http_rms_identity_cleanup(void *data);


ngx_http_rms_identity_t *
ngx_http_rms_identity_add(ngx_conf_t *cf, ngx_str_t *path)
{
    ngx_uint_t                 i;
    ngx_pool_cleanup_t        *cln;
    ngx_http_rms_main_conf_t  *rmcf;
    ngx_http_rms_identity_t   *identity, **identities;

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_rms_module);
    identities = rmcf->identities.elts;

    for (i = 0; i < rmcf->identities.nelts; i++) {
        if (identities[i]->path.len == path->len
            && ngx_strcmp(identities[i]->path.data, path->data) == 0)
        {
            return identities[i];
        }
    }

    if (ngx_http_rms_secret_file_check(cf, path, 1) != NGX_OK) {
        return NULL;
    }

    identity = ngx_pcalloc(cf->pool, sizeof(ngx_http_rms_identity_t));
    identities = ngx_array_push(&rmcf->identities);
    cln = ngx_pool_cleanup_add(cf->pool, 0);

    if (identity == NULL || identities == NULL || cln == NULL) {
        return NULL;
    }

    *identities = identity;
    identity->path = *path;

    cln->handler = ngx_http_rms_identity_cleanup;
    cln->data = identity;

    if (ngx_http_rms_identity_read(identity, cf->log) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "identity file \"%V\" is not usable; write one "
                           "line into it: the value of the Authorization "
                           "header, as in \"Bearer TOKEN\"", path);
        return NULL;
    }

    return identity;
}


/*
 * Secrets are files that others cannot read.  worker: the worker's user must
 * be able to, since it reads them again at run time.
 */

ngx_int_t
ngx_http_rms_secret_file_check(ngx_conf_t *cf, ngx_str_t *path,
    ngx_uint_t worker)
{
    char             mode[8];
    ngx_file_info_t  fi;

    if (ngx_file_info(path->data, &fi) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "\"%V\" cannot be read; write the secret into it, "
                           "with mode 0640 and the worker's group", path);
        return NGX_ERROR;
    }

    /* a pipe would stop the worker that reads it */

    if (!ngx_is_file(&fi)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" is not a regular file; write the name of "
                           "the file that holds the secret", path);
        return NGX_ERROR;
    }

    if (fi.st_mode & (S_IROTH|S_IWOTH|S_IWGRP)) {

        /* nginx prints no octal numbers */

        (void) snprintf(mode, sizeof(mode), "%04o",
                        (unsigned) (fi.st_mode & 07777));

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" holds a secret but has mode %s; run: "
                           "chmod 0640 %V", path, mode, path);
        return NGX_ERROR;
    }

    /* another user than ours works only for root */

    if (!worker || geteuid() != 0) {
        return NGX_OK;
    }

    return ngx_http_rms_worker_reads(cf, path);
}


/* By the user directive, or by what nginx was built for where it is absent. */

static ngx_int_t
ngx_http_rms_worker_user(ngx_conf_t *cf, const char **name, uid_t *uid,
    gid_t *gid)
{
    struct passwd    *pwd;
    ngx_core_conf_t  *ccf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(cf->cycle->conf_ctx,
                                           ngx_core_module);

    *name = ccf->username;
    *uid = ccf->user;
    *gid = ccf->group;

    if (*uid != (uid_t) NGX_CONF_UNSET_UINT) {
        return NGX_OK;
    }

    *name = NGX_USER;
    pwd = getpwnam(*name);

    if (pwd == NULL) {
        return NGX_DECLINED;
    }

    *uid = pwd->pw_uid;
    *gid = pwd->pw_gid;

    return NGX_OK;
}


ngx_int_t
ngx_http_rms_worker_reads(ngx_conf_t *cf, ngx_str_t *path)
{
    gid_t        gid;
    uid_t        uid;
    char         text[1024];
    const char  *name;

    if (ngx_http_rms_worker_user(cf, &name, &uid, &gid) != NGX_OK) {
        return NGX_OK;
    }

    if (rms_access_check((char *) path->data, name, uid, gid, text,
                         sizeof(text))
        == RMS_INVALID)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s", text);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* A new file beside the old one takes its place, so the directory counts. */

ngx_int_t
ngx_http_rms_worker_writes(ngx_conf_t *cf, ngx_str_t *path)
{
    char        *dir, *slash;
    gid_t        gid;
    uid_t        uid;
    char         text[1024];
    rms_rc_e     rc;
    const char  *name;

    dir = (char *) ngx_pnalloc(cf->pool, path->len + 1);
    if (dir == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_cpystrn((u_char *) dir, path->data, path->len + 1);

    slash = strrchr(dir, '/');
    slash[slash == dir] = '\0';

    if (ngx_http_rms_worker_user(cf, &name, &uid, &gid) != NGX_OK) {
        return NGX_OK;
    }

    rc = rms_access_check_dir(dir, name, uid, gid, text, sizeof(text));

    if (rc == RMS_OK) {
        return NGX_OK;
    }

    if (rc == RMS_DECLINED) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "directory \"%s\" is not there; run: install -d "
                           "-o %s -m 0700 %s", dir, name, dir);
        return NGX_ERROR;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s", text);

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_rms_identity_read(ngx_http_rms_identity_t *identity, ngx_log_t *log)
{
    ssize_t           n;
    ngx_fd_t          fd;
    ngx_str_t         value;
    const char       *why;
    ngx_file_info_t   fi;

    /* a pipe in its place would block the worker */

    fd = ngx_open_file(identity->path.data, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                       NGX_FILE_OPEN, 0);

    /* what is wrong is said when it goes wrong, not at every look */

    if (fd == NGX_INVALID_FILE) {
        if (!identity->failed) {
            ngx_log_error(NGX_LOG_ERR, log, ngx_errno,
                          ngx_open_file_n " \"%V\" failed", &identity->path);
        }

        return NGX_ERROR;
    }

    value.data = malloc(NGX_HTTP_RMS_IDENTITY_MAX + 1);
    value.len = 0;

    n = -1;

    if (value.data != NULL && ngx_fd_info(fd, &fi) != NGX_FILE_ERROR
        && ngx_is_file(&fi))
    {
        n = read(fd, value.data, NGX_HTTP_RMS_IDENTITY_MAX + 1);
    }

    (void) ngx_close_file(fd);

    if (n < 0) {
        free(value.data);
        return NGX_ERROR;
    }

    value.len = n;
    why = (n != fi.st_size) ? "changes while it is read"
                            : ngx_http_rms_identity_trim(&value);

    if (why) {
        if (!identity->failed) {
            ngx_log_error(NGX_LOG_ERR, log, 0, "identity file \"%V\": %s",
                          &identity->path, why);
        }

        ngx_http_rms_identity_wipe(&value);
        return NGX_ERROR;
    }

    ngx_http_rms_identity_wipe(&identity->value);

    identity->value = value;
    ngx_http_rms_stamp(&identity->stamp, &fi);

    return NGX_OK;
}


/* One line of printable bytes; NULL, or what is wrong with it. */

static const char *
ngx_http_rms_identity_trim(ngx_str_t *value)
{
    size_t  i;

    if (value->len > NGX_HTTP_RMS_IDENTITY_MAX) {
        return "larger than 16384 bytes";
    }

    while (value->len && (value->data[value->len - 1] == LF
                          || value->data[value->len - 1] == CR
                          || value->data[value->len - 1] == ' '))
    {
        value->len--;
    }

    if (value->len == 0) {
        return "empty";
    }

    for (i = 0; i < value->len; i++) {
        if (value->data[i] < ' ' || value->data[i] > '~') {
            return "more than one line, or bytes that no header may hold";
        }
    }

    return NULL;
}


static void
ngx_http_rms_identity_wipe(ngx_str_t *value)
{
    if (value->data) {
        OPENSSL_cleanse(value->data, value->len);
        free(value->data);
    }

    ngx_str_null(value);
}


static void
ngx_http_rms_identity_cleanup(void *data)
{
    ngx_http_rms_identity_t *identity = data;

    ngx_http_rms_identity_wipe(&identity->value);
}


void
ngx_http_rms_identity_look(ngx_http_rms_main_conf_t *rmcf,
    ngx_http_rms_identity_t *identity, ngx_log_t *log)
{
    ngx_uint_t              bad;
    ngx_file_info_t         fi;
    ngx_http_rms_shared_t  *shared;

    shared = rmcf->zone->shared;

    bad = (ngx_file_info(identity->path.data, &fi) == NGX_FILE_ERROR);

    if (!bad && !ngx_http_rms_stamp_differs(&identity->stamp, &fi)) {
        identity->failed = 0;
        return;
    }

    if (!bad && ngx_http_rms_identity_read(identity, log) == NGX_OK) {
        identity->failed = 0;

        (void) ngx_atomic_fetch_add(
                          &shared->counters[RMS_COUNT_IDENTITY_RELOADS], 1);

        ngx_http_rms_event(NGX_LOG_NOTICE, log, 0,
                           "identity read again: file=\"%V\"",
                           &identity->path);
        return;
    }

    if (identity->failed) {
        return;
    }

    /* said once, until it is good again */

    identity->failed = 1;

    (void) ngx_atomic_fetch_add(
                         &shared->counters[RMS_COUNT_IDENTITY_FAILURES], 1);

    ngx_http_rms_event(NGX_LOG_ERR, log, 3000,
                       "identity not read again: file=\"%V\"; the value read "
                       "before stays in use", &identity->path);
}
