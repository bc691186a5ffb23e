
/*
 * rms_state_file: the shared list and the revocations on disk, for a start
 * without Redis, or a node that has none.  Read by the master before there are
 * workers; written by a thread of nginx's default pool as a new file that
 * takes the place of the old one.
 *
 *     "rms-state 1\n", CRC-32 of the rest (4 bytes), the last revocation that
 *     Redis was known to have (8 bytes); then for each document its length
 *     (4 bytes) and its bytes, sealed if there are keys.  Numbers are
 *     big-endian.
 */


#include "ngx_http_rms_document.h"
#include "ngx_http_rms_conf.h"


#define NGX_HTTP_RMS_STATE_HEAD  "rms-state 1\n"

/* bytes of what a record is sealed for */
#define NGX_HTTP_RMS_STATE_CONTEXT  (sizeof("state file ") + NGX_INT64_LEN)

#define NGX_HTTP_RMS_STATE_NAME  (sizeof(NGX_HTTP_RMS_STATE_HEAD) - 1)
#define NGX_HTTP_RMS_STATE_FIXED (NGX_HTTP_RMS_STATE_NAME + 4 + 8)

#define NGX_HTTP_RMS_STATE_MAX                                                \
    (NGX_HTTP_RMS_STATE_FIXED                                                 \
     + NGX_HTTP_RMS_DOCUMENTS * (4 + RMS_SEAL_OVERHEAD                        \
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
static const char *ngx_http_rms_state_split(ngx_str_t *text,
    uint64_t *known, rms_str_t *documents);
static ngx_int_t ngx_http_rms_state_open(ngx_http_rms_main_conf_t *rmcf,
    uint64_t known, rms_str_t *bytes, ngx_pool_t *pool);
static uint64_t ngx_http_rms_state_changes(ngx_http_rms_main_conf_t *rmcf);
static ngx_http_rms_state_t *ngx_http_rms_state_task(
    ngx_http_rms_main_conf_t *rmcf);
static ngx_int_t ngx_http_rms_state_fill(ngx_http_rms_state_t *state,
    ngx_pool_t *pool);
static ngx_int_t ngx_http_rms_state_add(ngx_http_rms_state_t *state,
    uint64_t known, rms_str_t *bytes);
static void ngx_http_rms_state_close(ngx_http_rms_state_t *state,
    uint64_t known);
static rms_str_t ngx_http_rms_state_context(uint64_t known, u_char *buf);
static void ngx_http_rms_state_put(u_char *p, uint64_t n, size_t len);
static uint64_t ngx_http_rms_state_get(u_char *p, size_t len);
static void ngx_http_rms_state_thread(void *data, ngx_log_t *log);
static int ngx_http_rms_state_write(int fd, u_char *data, size_t len);
static void ngx_http_rms_state_event(ngx_event_t *ev);
static void ngx_http_rms_state_free(ngx_http_rms_state_t *state);


/* of this worker: its threads are there, and one of them writes */
static ngx_uint_t  ngx_http_rms_state_ready;
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


/* All of it, or nothing: what cannot be opened admits nobody. */

static const char *
ngx_http_rms_state_take(ngx_http_rms_main_conf_t *rmcf, ngx_str_t *text,
    ngx_pool_t *pool, ngx_log_t *log)
{
    uint64_t      known;
    rms_str_t     documents[NGX_HTTP_RMS_DOCUMENTS];
    ngx_uint_t    kind;
    const char   *why;

    why = ngx_http_rms_state_split(text, &known, documents);

    if (why) {
        return why;
    }

    for (kind = 0; kind < NGX_HTTP_RMS_DOCUMENTS; kind++) {
        if (documents[kind].len
            && ngx_http_rms_state_open(rmcf, known, &documents[kind], pool)
               != NGX_OK)
        {
            return "its records cannot be opened; was it written with another "
                   "\"rms_seal_key_file\", or without one?";
        }
    }

    for (kind = 0; kind < NGX_HTTP_RMS_DOCUMENTS; kind++) {
        if (documents[kind].len
            && ngx_http_rms_document_take(rmcf, kind, &documents[kind],
                                          "the state file", log)
               == NGX_ERROR)
        {
            why = "a record in it is of no use";
        }
    }

    /* what Redis never had is news to it: rms_revoked_merge() */

    rmcf->zone->shared->documents[NGX_HTTP_RMS_REVOKED].known = known;

    return why;
}


/* NULL, or what is wrong with the file. */

static const char *
ngx_http_rms_state_split(ngx_str_t *text, uint64_t *known,
    rms_str_t *documents)
{
    u_char      *p, *end;
    uint32_t     crc;
    ngx_uint_t   kind;

    p = text->data;
    end = p + text->len;

    if (text->len < NGX_HTTP_RMS_STATE_FIXED
        || ngx_memcmp(p, NGX_HTTP_RMS_STATE_HEAD, NGX_HTTP_RMS_STATE_NAME)
           != 0)
    {
        return "it does not begin as one of ours";
    }

    p += NGX_HTTP_RMS_STATE_NAME;
    crc = (uint32_t) ngx_http_rms_state_get(p, 4);
    p += 4;

    if (ngx_crc32_long(p, end - p) != crc) {
        return "it is damaged or cut short";
    }

    *known = ngx_http_rms_state_get(p, 8);
    p += 8;

    for (kind = 0; kind < NGX_HTTP_RMS_DOCUMENTS; kind++) {

        if (end - p < 4) {
            return "it is cut short";
        }

        documents[kind].len = (size_t) ngx_http_rms_state_get(p, 4);
        documents[kind].data = p + 4;

        if (documents[kind].len > (size_t) (end - p - 4)) {
            return "it is cut short";
        }

        p += 4 + documents[kind].len;
    }

    return p == end ? NULL : "it has more in it than it should";
}


static ngx_int_t
ngx_http_rms_state_open(ngx_http_rms_main_conf_t *rmcf, uint64_t known,
    rms_str_t *bytes, ngx_pool_t *pool)
{
    u_char      buf[NGX_HTTP_RMS_STATE_CONTEXT];
    rms_str_t   text, context;

    if (rmcf->seal == NULL) {
        return NGX_OK;
    }

    text.len = bytes->len;
    text.data = ngx_palloc(pool, bytes->len);

    if (text.data == NULL) {
        return NGX_ERROR;
    }

    context = ngx_http_rms_state_context(known, buf);

    if (rms_unseal(rmcf->seal, &context, bytes, &text) != RMS_OK) {
        return NGX_ERROR;
    }

    *bytes = text;

    return NGX_OK;
}


/*
 * In a worker that has its threads.  One of a node writes what the zone has:
 * the keys may be new, and a file that cannot be written is told of early.
 */

void
ngx_http_rms_state_init_worker(ngx_http_rms_main_conf_t *rmcf)
{
    if (ngx_process != NGX_PROCESS_WORKER
        && ngx_process != NGX_PROCESS_SINGLE)
    {
        return;
    }

    ngx_http_rms_state_ready = 1;

    if (ngx_worker == 0 && rmcf->state_file.len
        && ngx_http_rms_state_changes(rmcf))
    {
        ngx_http_rms_state_save(rmcf);
    }
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

    if (rmcf->state_file.len == 0 || !ngx_http_rms_state_ready
        || ngx_http_rms_state_busy)
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
    uint64_t                   known;
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

    known = rmcf->zone->shared->documents[NGX_HTTP_RMS_REVOKED].known;
    state->len = NGX_HTTP_RMS_STATE_FIXED;

    for (kind = 0; kind < NGX_HTTP_RMS_DOCUMENTS; kind++) {
        rc = ngx_http_rms_document_get(rmcf, kind, pool, &bytes);

        if (rc == NGX_DECLINED) {
            bytes.len = 0;
        }

        if (rc == NGX_ERROR
            || ngx_http_rms_state_add(state, known, &bytes) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    ngx_http_rms_state_close(state, known);

    return NGX_OK;
}


static ngx_int_t
ngx_http_rms_state_add(ngx_http_rms_state_t *state, uint64_t known,
    rms_str_t *bytes)
{
    u_char     *p, buf[NGX_HTTP_RMS_STATE_CONTEXT];
    rms_str_t   dst, context;

    p = state->data + state->len;

    dst.data = p + 4;
    dst.len = NGX_HTTP_RMS_STATE_MAX - state->len - 4;

    if (bytes->len == 0) {
        dst.len = 0;

    } else if (state->rmcf->seal) {
        context = ngx_http_rms_state_context(known, buf);

        if (rms_seal(state->rmcf->seal, &context, bytes, &dst) != RMS_OK) {
            return NGX_ERROR;
        }

    } else {
        ngx_memcpy(dst.data, bytes->data, bytes->len);
        dst.len = bytes->len;
    }

    ngx_http_rms_state_put(p, dst.len, 4);

    state->len += 4 + dst.len;

    return NGX_OK;
}


static void
ngx_http_rms_state_close(ngx_http_rms_state_t *state, uint64_t known)
{
    u_char  *p, *crc;

    crc = ngx_cpymem(state->data, NGX_HTTP_RMS_STATE_HEAD,
                     NGX_HTTP_RMS_STATE_NAME);

    p = crc + 4;
    ngx_http_rms_state_put(p, known, 8);
    ngx_http_rms_state_put(crc, ngx_crc32_long(p, state->data + state->len - p),
                           4);
}


/* The number is not sealed, so it is what the records are sealed for. */

static rms_str_t
ngx_http_rms_state_context(uint64_t known, u_char *buf)
{
    rms_str_t  context;

    context.data = buf;
    context.len = ngx_snprintf(buf, NGX_HTTP_RMS_STATE_CONTEXT,
                               "state file %uL", known) - buf;

    return context;
}


static void
ngx_http_rms_state_put(u_char *p, uint64_t n, size_t len)
{
    while (len--) {
        *p++ = (u_char) (n >> 8 * len);
    }
}


static uint64_t
ngx_http_rms_state_get(u_char *p, size_t len)
{
    uint64_t  n;

    for (n = 0; len; len--) {
        n = n << 8 | *p++;
    }

    return n;
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
