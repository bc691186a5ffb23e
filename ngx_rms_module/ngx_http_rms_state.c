
/*
 * rms_state_file: the shared list and the revocations on disk, for a start
 * without Redis, or a node that has none.  Read by the master before there are
 * workers; written by a thread of nginx's default pool as a new file that
 * takes the place of the old one.
 *
 *     "rms-state 1\n", then for each document its length (4 bytes) and its
 *     bytes, sealed if there are keys
 */


#include "ngx_http_rms_document.h"
#include "ngx_http_rms_conf.h"


#define NGX_HTTP_RMS_STATE_HEAD  "rms-state 1\n"

#define NGX_HTTP_RMS_STATE_MAX                                                \
    (sizeof(NGX_HTTP_RMS_STATE_HEAD) + 2 * (4 + RMS_SEAL_OVERHEAD             \
                                            + RMS_DOCUMENT_ENCODED_MAX))


/* What a thread writes: no pool, nothing of the cycle. */

typedef struct {
    ngx_thread_task_t            task;
    ngx_http_rms_main_conf_t    *rmcf;
    uint64_t                     changes;       /* it is the state of */
    char                        *path;
    char                        *temp;
    u_char                      *data;
    size_t                       len;
    int                          err;
    const char                  *step;
} ngx_http_rms_state_t;


static ngx_str_t ngx_http_rms_state_read(ngx_str_t *path, ngx_pool_t *pool,
    const char **why);
static const char *ngx_http_rms_state_take(ngx_http_rms_main_conf_t *rmcf,
    ngx_str_t *text, ngx_pool_t *pool, ngx_log_t *log);
static ngx_int_t ngx_http_rms_state_document(ngx_http_rms_main_conf_t *rmcf,
    ngx_uint_t kind, rms_str_t *bytes, ngx_pool_t *pool, ngx_log_t *log);
static uint64_t ngx_http_rms_state_changes(ngx_http_rms_main_conf_t *rmcf);
static ngx_http_rms_state_t *ngx_http_rms_state_task(
    ngx_http_rms_main_conf_t *rmcf);
static ngx_int_t ngx_http_rms_state_fill(ngx_http_rms_state_t *state,
    ngx_pool_t *pool);
static ngx_int_t ngx_http_rms_state_add(ngx_http_rms_state_t *state,
    rms_str_t *bytes);
static void ngx_http_rms_state_thread(void *data, ngx_log_t *log);
static int ngx_http_rms_state_write(int fd, u_char *data, size_t len);
static void ngx_http_rms_state_event(ngx_event_t *ev);
static void ngx_http_rms_state_free(ngx_http_rms_state_t *state);


static const rms_str_t  ngx_http_rms_state_context = rms_string("state file");


/* of this worker: a thread writes */
static ngx_uint_t  ngx_http_rms_state_busy;


char *
ngx_http_rms_state_file_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_rms_main_conf_t *rmcf = conf;

    ngx_str_t  *value;

    if (rmcf->state_file.len) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_conf_full_name(cf->cycle, &value[1], 0) != NGX_OK
        || ngx_http_rms_worker_writes(cf, &value[1]) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    rmcf->state_file = value[1];
    rmcf->state_pool = ngx_thread_pool_add(cf, NULL);

    return rmcf->state_pool ? NGX_CONF_OK : NGX_CONF_ERROR;
}


/* A file that cannot be used is told of and left: Redis may have a list. */

void
ngx_http_rms_state_load(ngx_http_rms_main_conf_t *rmcf, ngx_log_t *log)
{
    ngx_str_t    text;
    ngx_pool_t  *pool;
    const char  *why;

    if (rmcf->state_file.len == 0) {
        return;
    }

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, log);
    if (pool == NULL) {
        return;
    }

    why = NULL;
    text = ngx_http_rms_state_read(&rmcf->state_file, pool, &why);

    if (text.data) {
        why = ngx_http_rms_state_take(rmcf, &text, pool, log);
    }

    if (why) {
        ngx_http_rms_event(NGX_LOG_ERR, log, 3001,
                           "state file \"%V\" not used: %s",
                           &rmcf->state_file, why);
    }

    ngx_destroy_pool(pool);
}


/* No data and no reason: there is no such file yet. */

static ngx_str_t
ngx_http_rms_state_read(ngx_str_t *path, ngx_pool_t *pool, const char **why)
{
    ssize_t           n;
    ngx_fd_t          fd;
    ngx_str_t         text = ngx_null_string;
    ngx_file_info_t   fi;

    fd = ngx_open_file(path->data, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                       NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        *why = ngx_errno == NGX_ENOENT ? NULL : "it cannot be opened";
        return text;
    }

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR || !ngx_is_file(&fi)
        || ngx_file_size(&fi) > (off_t) NGX_HTTP_RMS_STATE_MAX)
    {
        *why = "it is no file of ours";
        (void) ngx_close_file(fd);

        return text;
    }

    text.len = (size_t) ngx_file_size(&fi);
    text.data = ngx_palloc(pool, text.len + 1);

    n = text.data ? read(fd, text.data, text.len) : -1;

    if (n != (ssize_t) text.len) {
        *why = "it cannot be read";
        ngx_str_null(&text);
    }

    (void) ngx_close_file(fd);

    return text;
}


static const char *
ngx_http_rms_state_take(ngx_http_rms_main_conf_t *rmcf, ngx_str_t *text,
    ngx_pool_t *pool, ngx_log_t *log)
{
    u_char      *p, *end;
    rms_str_t    bytes;
    ngx_uint_t   kind;

    p = text->data;
    end = p + text->len;

    if (text->len < sizeof(NGX_HTTP_RMS_STATE_HEAD) - 1
        || ngx_memcmp(p, NGX_HTTP_RMS_STATE_HEAD,
                      sizeof(NGX_HTTP_RMS_STATE_HEAD) - 1)
           != 0)
    {
        return "it does not begin as one of ours";
    }

    p += sizeof(NGX_HTTP_RMS_STATE_HEAD) - 1;

    for (kind = 0; kind < NGX_HTTP_RMS_DOCUMENTS; kind++) {

        if (end - p < 4) {
            return "it is cut short";
        }

        bytes.len = (size_t) p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
        bytes.data = p + 4;

        if (bytes.len > (size_t) (end - bytes.data)) {
            return "it is cut short";
        }

        p = bytes.data + bytes.len;

        if (bytes.len
            && ngx_http_rms_state_document(rmcf, kind, &bytes, pool, log)
               != NGX_OK)
        {
            return "its records cannot be opened; were keys taken out of "
                   "\"rms_seal_key_file\"?";
        }
    }

    return NULL;
}


static ngx_int_t
ngx_http_rms_state_document(ngx_http_rms_main_conf_t *rmcf, ngx_uint_t kind,
    rms_str_t *bytes, ngx_pool_t *pool, ngx_log_t *log)
{
    rms_str_t  text;

    text = *bytes;

    if (rmcf->seal) {
        text.data = ngx_palloc(pool, bytes->len);

        if (text.data == NULL
            || rms_unseal(rmcf->seal, &ngx_http_rms_state_context, bytes,
                          &text)
               != RMS_OK)
        {
            return NGX_ERROR;
        }
    }

    return ngx_http_rms_document_take(rmcf, kind, &text, "the state file",
                                      log)
           == NGX_ERROR ? NGX_ERROR : NGX_OK;
}


static uint64_t
ngx_http_rms_state_changes(ngx_http_rms_main_conf_t *rmcf)
{
    ngx_http_rms_shared_t  *shared;

    shared = rmcf->zone->shared;

    return (uint64_t) shared->documents[NGX_HTTP_RMS_LIST].changes
           + (uint64_t) shared->epoch;
}


void
ngx_http_rms_state_save(ngx_http_rms_main_conf_t *rmcf)
{
    ngx_http_rms_state_t  *state;

    if (rmcf->state_file.len == 0 || ngx_http_rms_state_busy
        || (ngx_process != NGX_PROCESS_WORKER
            && ngx_process != NGX_PROCESS_SINGLE))
    {
        return;
    }

    state = ngx_http_rms_state_task(rmcf);

    if (state == NULL
        || ngx_thread_task_post(rmcf->state_pool, &state->task) != NGX_OK)
    {
        ngx_http_rms_event(NGX_LOG_ERR, ngx_cycle->log, 3001,
                           "state file \"%V\" not written: no memory or no "
                           "thread", &rmcf->state_file);

        if (state) {
            ngx_http_rms_state_free(state);
        }

        return;
    }

    ngx_http_rms_state_busy = 1;
}


static ngx_http_rms_state_t *
ngx_http_rms_state_task(ngx_http_rms_main_conf_t *rmcf)
{
    ngx_int_t              rc;
    ngx_pool_t            *pool;
    ngx_http_rms_state_t  *state;

    state = calloc(1, sizeof(ngx_http_rms_state_t));
    if (state == NULL) {
        return NULL;
    }

    state->rmcf = rmcf;
    state->changes = ngx_http_rms_state_changes(rmcf);

    state->task.ctx = state;
    state->task.handler = ngx_http_rms_state_thread;
    state->task.event.data = state;
    state->task.event.handler = ngx_http_rms_state_event;
    state->task.event.log = ngx_cycle->log;

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, ngx_cycle->log);

    rc = pool ? ngx_http_rms_state_fill(state, pool) : NGX_ERROR;

    if (pool) {
        ngx_destroy_pool(pool);
    }

    if (rc != NGX_OK) {
        ngx_http_rms_state_free(state);
        return NULL;
    }

    return state;
}


static ngx_int_t
ngx_http_rms_state_fill(ngx_http_rms_state_t *state, ngx_pool_t *pool)
{
    size_t                     len;
    ngx_int_t                  rc;
    rms_str_t                  bytes;
    ngx_uint_t                 kind;
    ngx_http_rms_main_conf_t  *rmcf;

    rmcf = state->rmcf;
    len = rmcf->state_file.len + sizeof(".") + NGX_INT64_LEN + 1;

    state->data = malloc(NGX_HTTP_RMS_STATE_MAX);
    state->path = malloc(len);
    state->temp = malloc(len);

    if (state->data == NULL || state->path == NULL || state->temp == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_snprintf((u_char *) state->path, len, "%V%Z",
                        &rmcf->state_file);
    (void) ngx_snprintf((u_char *) state->temp, len, "%V.%P%Z",
                        &rmcf->state_file, ngx_pid);

    state->len = sizeof(NGX_HTTP_RMS_STATE_HEAD) - 1;
    ngx_memcpy(state->data, NGX_HTTP_RMS_STATE_HEAD, state->len);

    for (kind = 0; kind < NGX_HTTP_RMS_DOCUMENTS; kind++) {
        rc = ngx_http_rms_document_get(rmcf, kind, pool, &bytes);

        if (rc == NGX_DECLINED) {
            bytes.len = 0;
        }

        if (rc == NGX_ERROR
            || ngx_http_rms_state_add(state, &bytes) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_rms_state_add(ngx_http_rms_state_t *state, rms_str_t *bytes)
{
    u_char     *p;
    rms_str_t   dst;

    p = state->data + state->len;

    dst.data = p + 4;
    dst.len = NGX_HTTP_RMS_STATE_MAX - state->len - 4;

    if (bytes->len == 0) {
        dst.len = 0;

    } else if (state->rmcf->seal) {
        if (rms_seal(state->rmcf->seal, &ngx_http_rms_state_context, bytes,
                     &dst)
            != RMS_OK)
        {
            return NGX_ERROR;
        }

    } else {
        ngx_memcpy(dst.data, bytes->data, bytes->len);
        dst.len = bytes->len;
    }

    *p++ = (u_char) (dst.len >> 24);
    *p++ = (u_char) (dst.len >> 16);
    *p++ = (u_char) (dst.len >> 8);
    *p++ = (u_char) dst.len;

    state->len += 4 + dst.len;

    return NGX_OK;
}


/* On a thread. */

static void
ngx_http_rms_state_thread(void *data, ngx_log_t *log)
{
    ngx_http_rms_state_t *state = data;

    int  fd;

    state->step = "open()";
    fd = open(state->temp, O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC|O_NOFOLLOW,
              0600);

    if (fd == -1) {
        state->err = errno;
        return;
    }

    state->step = "write()";
    state->err = ngx_http_rms_state_write(fd, state->data, state->len);

    if (state->err == 0) {
        state->step = "fsync()";
        state->err = fsync(fd) == -1 ? errno : 0;
    }

    (void) close(fd);

    if (state->err == 0) {
        state->step = "rename()";
        state->err = rename(state->temp, state->path) == -1 ? errno : 0;
    }

    if (state->err) {
        (void) unlink(state->temp);
    }
}


static int
ngx_http_rms_state_write(int fd, u_char *data, size_t len)
{
    ssize_t  n;

    while (len) {
        n = write(fd, data, len);

        if (n == -1 && errno == EINTR) {
            continue;
        }

        if (n == -1) {
            return errno;
        }

        data += n;
        len -= (size_t) n;
    }

    return 0;
}


/* Another worker may have written an older state over it meanwhile. */

static void
ngx_http_rms_state_event(ngx_event_t *ev)
{
    uint64_t                   changes;
    ngx_http_rms_state_t      *state;
    ngx_http_rms_main_conf_t  *rmcf;

    state = ev->data;
    rmcf = state->rmcf;
    changes = state->changes;

    ngx_http_rms_state_busy = 0;

    if (state->err) {
        ngx_http_rms_event(NGX_LOG_ERR, ngx_cycle->log, 3001,
                           "state file \"%V\" not written: %s failed (%d: "
                           "%s); a start without Redis would have an older "
                           "list", &rmcf->state_file, state->step, state->err,
                           strerror(state->err));
    }

    if (state->err == 0 && changes != ngx_http_rms_state_changes(rmcf)) {
        ngx_http_rms_state_save(rmcf);
    }

    ngx_http_rms_state_free(state);
}


static void
ngx_http_rms_state_free(ngx_http_rms_state_t *state)
{
    free(state->data);
    free(state->path);
    free(state->temp);
    free(state);
}
