
/*
 * The node's own documents, in the zone: what every worker goes by, and what
 * is told to others.  The list is kept as its bytes, the revocations as the
 * plain data that each request asks.
 */


#include "ngx_http_rms_document.h"
#include "rms_acl_diff.h"


static ngx_int_t ngx_http_rms_document_copy(ngx_http_rms_main_conf_t *rmcf,
    ngx_pool_t *pool, rms_str_t *bytes);
static ngx_int_t ngx_http_rms_document_revoked(ngx_http_rms_main_conf_t *rmcf,
    ngx_pool_t *pool, rms_str_t *bytes);
static ngx_int_t ngx_http_rms_document_encode(ngx_pool_t *pool,
    rms_document_t *document, rms_str_t *bytes);
static ngx_int_t ngx_http_rms_document_take_list(
    ngx_http_rms_main_conf_t *rmcf, const rms_document_t *document,
    const rms_str_t *bytes, const char *source, ngx_log_t *log);
static ngx_int_t ngx_http_rms_document_check(const rms_document_t *document,
    ngx_pool_t *pool, rms_acl_list_t *rules, rms_acl_text_error_t *error);
static ngx_int_t ngx_http_rms_document_newer(
    const rms_document_t *document, const rms_str_t *bytes,
    ngx_http_rms_shared_document_t *own, u_char *had);
static ngx_int_t ngx_http_rms_document_keep(ngx_http_rms_main_conf_t *rmcf,
    const rms_document_t *document, const rms_str_t *bytes, size_t rules,
    ngx_log_t *log);
static ngx_int_t ngx_http_rms_document_take_revoked(
    ngx_http_rms_main_conf_t *rmcf, const rms_document_t *document,
    const char *source, ngx_log_t *log);
static ngx_int_t ngx_http_rms_document_refuse(ngx_http_rms_main_conf_t *rmcf,
    const char *source, const char *why, ngx_log_t *log);
static void ngx_http_rms_document_told(const rms_document_t *document,
    const char *source, rms_acl_list_t *old, rms_acl_list_t *now,
    ngx_pool_t *pool, ngx_log_t *log);


static const rms_str_t  ngx_http_rms_list_name = rms_string("shared list");


ngx_int_t
ngx_http_rms_document_get(ngx_http_rms_main_conf_t *rmcf, ngx_uint_t kind,
    ngx_pool_t *pool, rms_str_t *bytes)
{
    return kind == NGX_HTTP_RMS_LIST
           ? ngx_http_rms_document_copy(rmcf, pool, bytes)
           : ngx_http_rms_document_revoked(rmcf, pool, bytes);
}


static ngx_int_t
ngx_http_rms_document_copy(ngx_http_rms_main_conf_t *rmcf, ngx_pool_t *pool,
    rms_str_t *bytes)
{
    ngx_slab_pool_t                 *shpool;
    ngx_http_rms_shared_document_t  *own;

    own = &rmcf->zone->shared->documents[NGX_HTTP_RMS_LIST];
    shpool = rmcf->zone->shpool;

    /* the length may grow between a look and the copy */

    for ( ;; ) {
        bytes->len = own->len;

        if (own->version == 0) {
            return NGX_DECLINED;
        }

        bytes->data = ngx_palloc(pool, bytes->len);
        if (bytes->data == NULL) {
            return NGX_ERROR;
        }

        ngx_shmtx_lock(&shpool->mutex);

        if (own->len <= bytes->len) {
            bytes->len = own->len;
            ngx_memcpy(bytes->data, (u_char *) shpool + own->offset, own->len);

            ngx_shmtx_unlock(&shpool->mutex);

            return NGX_OK;
        }

        ngx_shmtx_unlock(&shpool->mutex);
    }
}


static ngx_int_t
ngx_http_rms_document_revoked(ngx_http_rms_main_conf_t *rmcf,
    ngx_pool_t *pool, rms_str_t *bytes)
{
    rms_rc_e        rc;
    rms_document_t  document;

    ngx_memzero(&document, sizeof(rms_document_t));

    document.kind = RMS_DOCUMENT_REVOKED;
    document.when = (uint64_t) ngx_time();
    document.body.len = RMS_REVOKED_ENCODED_MAX;
    document.body.data = ngx_palloc(pool, RMS_REVOKED_ENCODED_MAX);

    if (document.body.data == NULL) {
        return NGX_ERROR;
    }

    ngx_shmtx_lock(&rmcf->zone->shpool->mutex);

    document.version = rms_revoked_epoch(&rmcf->zone->shared->revoked);
    rc = rms_revoked_encode(&rmcf->zone->shared->revoked, &document.body);

    ngx_shmtx_unlock(&rmcf->zone->shpool->mutex);

    if (document.version == 0) {
        return NGX_DECLINED;
    }

    return rc == RMS_OK ? ngx_http_rms_document_encode(pool, &document, bytes)
                        : NGX_ERROR;
}


static ngx_int_t
ngx_http_rms_document_encode(ngx_pool_t *pool, rms_document_t *document,
    rms_str_t *bytes)
{
    bytes->len = RMS_DOCUMENT_FIXED + document->who.len + document->note.len
                 + document->body.len;
    bytes->data = ngx_palloc(pool, bytes->len);

    return bytes->data && rms_document_encode(document, bytes) == RMS_OK
           ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_http_rms_document_take(ngx_http_rms_main_conf_t *rmcf, ngx_uint_t kind,
    const rms_str_t *bytes, const char *source, ngx_log_t *log)
{
    rms_rc_e        rc;
    rms_document_t  document;

    rc = rms_document_decode(bytes, &document);

    if (rc != RMS_OK
        || document.kind != (kind == NGX_HTTP_RMS_LIST ? RMS_DOCUMENT_LIST
                                                       : RMS_DOCUMENT_REVOKED))
    {
        return ngx_http_rms_document_refuse(rmcf, source,
                                            rc == RMS_UNSUPPORTED
                                            ? "of another version of this "
                                              "module"
                                            : "no document", log);
    }

    return kind == NGX_HTTP_RMS_LIST
           ? ngx_http_rms_document_take_list(rmcf, &document, bytes, source,
                                             log)
           : ngx_http_rms_document_take_revoked(rmcf, &document, source, log);
}


/* A list that cannot be used does not take the place of one that can. */

static ngx_int_t
ngx_http_rms_document_take_list(ngx_http_rms_main_conf_t *rmcf,
    const rms_document_t *document, const rms_str_t *bytes,
    const char *source, ngx_log_t *log)
{
    ngx_int_t              rc;
    rms_str_t              had;
    ngx_pool_t            *pool;
    rms_acl_list_t         now, old;
    rms_document_t         before;
    rms_acl_text_error_t   error;

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, log);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(&old, sizeof(rms_acl_list_t));

    if (ngx_http_rms_document_check(document, pool, &now, &error) != NGX_OK) {
        rc = ngx_http_rms_document_refuse(rmcf, source, error.text, log);
        goto done;
    }

    if (ngx_http_rms_document_copy(rmcf, pool, &had) == NGX_OK
        && rms_document_decode(&had, &before) == RMS_OK)
    {
        (void) ngx_http_rms_document_check(&before, pool, &old, &error);
    }

    rc = ngx_http_rms_document_keep(rmcf, document, bytes, now.n, log);

    if (rc == NGX_OK) {
        ngx_http_rms_document_told(document, source, &old, &now, pool, log);
        ngx_http_rms_state_save(rmcf);
    }

done:

    ngx_destroy_pool(pool);

    return rc;
}


static ngx_int_t
ngx_http_rms_document_check(const rms_document_t *document, ngx_pool_t *pool,
    rms_acl_list_t *rules, rms_acl_text_error_t *error)
{
    rms_rc_e         rc;
    rms_mem_t        mem;
    rms_list_t       list;
    rms_acl_regex_t  regex;

    mem = ngx_http_rms_mem(pool);
    regex = ngx_http_rms_regex(pool);

    error->line = 0;
    (void) ngx_cpystrn((u_char *) error->text, (u_char *) "no list in it",
                       sizeof(error->text));

    rc = rms_list_decode(&document->body, &mem, &list);

    if (rc == RMS_OK) {
        rc = rms_acl_text_read(&list.versions[0].text,
                               &ngx_http_rms_list_name, NULL, 0, &regex, &mem,
                               rules, error);
    }

    return rc == RMS_OK ? NGX_OK : NGX_ERROR;
}


/*
 * Lists that were changed apart may have one version: the later one counts, so
 * that all nodes end with the same.  Above 0: the document is newer.
 */

static ngx_int_t
ngx_http_rms_document_newer(const rms_document_t *document,
    const rms_str_t *bytes, ngx_http_rms_shared_document_t *own, u_char *had)
{
    if (document->version != own->version) {
        return document->version > own->version ? 1 : -1;
    }

    if (document->when != own->when) {
        return document->when > own->when ? 1 : -1;
    }

    return ngx_memn2cmp(bytes->data, had, bytes->len, own->len);
}


/* Never backwards, whoever comes first.  NGX_AGAIN: others are behind. */

static ngx_int_t
ngx_http_rms_document_keep(ngx_http_rms_main_conf_t *rmcf,
    const rms_document_t *document, const rms_str_t *bytes, size_t rules,
    ngx_log_t *log)
{
    u_char                          *place, *old;
    ngx_int_t                        rc, newer;
    ngx_slab_pool_t                 *shpool;
    ngx_http_rms_shared_document_t  *own;

    own = &rmcf->zone->shared->documents[NGX_HTTP_RMS_LIST];
    shpool = rmcf->zone->shpool;

    ngx_shmtx_lock(&shpool->mutex);

    old = own->version ? (u_char *) shpool + own->offset : NULL;
    newer = ngx_http_rms_document_newer(document, bytes, own, old);

    if (newer <= 0) {
        ngx_shmtx_unlock(&shpool->mutex);
        return newer ? NGX_AGAIN : NGX_DECLINED;
    }

    place = ngx_slab_alloc_locked(shpool, bytes->len);
    rc = place ? NGX_OK : NGX_ERROR;

    if (place) {
        ngx_memcpy(place, bytes->data, bytes->len);

        own->offset = place - (u_char *) shpool;
        own->len = bytes->len;
        own->when = document->when;
        own->rules = rules;
        own->version = document->version;
        own->changes++;

        if (old) {
            ngx_slab_free_locked(shpool, old);
        }
    }

    ngx_shmtx_unlock(&shpool->mutex);

    if (rc != NGX_OK) {
        ngx_http_rms_event(NGX_LOG_ERR, log, 3001,
                           "shared list not taken: its %uz bytes do not fit "
                           "into the zone; write a larger size in "
                           "\"rms_zone\"", bytes->len);
    }

    return rc;
}


static ngx_int_t
ngx_http_rms_document_take_revoked(ngx_http_rms_main_conf_t *rmcf,
    const rms_document_t *document, const char *source, ngx_log_t *log)
{
    rms_rc_e                         rc;
    uint64_t                         before;
    rms_revoked_t                    remote;
    ngx_http_rms_shared_t           *shared;
    ngx_http_rms_shared_document_t  *own;

    if (rms_revoked_decode(&document->body, &remote) != RMS_OK
        || rms_revoked_epoch(&remote) != document->version)
    {
        return ngx_http_rms_document_refuse(rmcf, source,
                                            "no revocations in it", log);
    }

    shared = rmcf->zone->shared;
    own = &shared->documents[NGX_HTTP_RMS_REVOKED];

    ngx_shmtx_lock(&rmcf->zone->shpool->mutex);

    before = rms_revoked_epoch(&shared->revoked);

    rc = rms_revoked_merge(&shared->revoked, &remote, own->known,
                           &shared->revoked);

    /* heard, even if ours cannot be told yet; see rms_revoked_merge() */

    own->known = document->version;

    shared->epoch = rms_revoked_epoch(&shared->revoked);
    (void) ngx_atomic_fetch_add(&shared->revoked_changes, 1);

    ngx_shmtx_unlock(&rmcf->zone->shpool->mutex);

    if (before != shared->epoch) {
        ngx_http_rms_event(NGX_LOG_NOTICE, log, 0,
                           "revocations of %s taken: number=%uL was=%uL",
                           source, (uint64_t) shared->epoch, before);
        ngx_http_rms_state_save(rmcf);
    }

    return rc == RMS_OK ? NGX_AGAIN
           : before != shared->epoch ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_http_rms_document_refuse(ngx_http_rms_main_conf_t *rmcf,
    const char *source, const char *why, ngx_log_t *log)
{
    (void) ngx_atomic_fetch_add(
                  &rmcf->zone->shared->counters[RMS_COUNT_RECORDS_REFUSED], 1);

    ngx_http_rms_event(NGX_LOG_ERR, log, 3001,
                       "record of %s refused: %s; what this node has stays in "
                       "use", source, why);

    return NGX_ERROR;
}


/* Event 1004, once a node: who changed what. */

static void
ngx_http_rms_document_told(const rms_document_t *document, const char *source,
    rms_acl_list_t *old, rms_acl_list_t *now, ngx_pool_t *pool,
    ngx_log_t *log)
{
    size_t           i;
    ngx_str_t        who, note;
    rms_mem_t        mem;
    rms_acl_diff_t  *diff;

    mem = ngx_http_rms_mem(pool);
    who = ngx_http_rms_escape(pool, &document->who);
    note = ngx_http_rms_escape(pool, &document->note);

    ngx_http_rms_event(NGX_LOG_NOTICE, log, 1004,
                       "shared list of %s taken: version=%uL rules=%uz "
                       "by=\"%V\" note=\"%V\"", source, document->version,
                       now->n, &who, &note);

    diff = ngx_palloc(pool, sizeof(rms_acl_diff_t));

    if (diff == NULL
        || rms_acl_diff(old->rules, old->n, now->rules, now->n, &mem, diff)
           != RMS_OK)
    {
        return;
    }

    for (i = 0; i < diff->n_lines; i++) {
        ngx_http_rms_event(NGX_LOG_NOTICE, log, 1004, "shared list: %s",
                           diff->lines[i]);
    }

    if (now->n == 0) {
        ngx_http_rms_event(NGX_LOG_WARN, log, 2003,
                           "shared list empty: nobody is admitted by it");
    }
}


ngx_int_t
ngx_http_rms_document_list(ngx_http_rms_main_conf_t *rmcf, ngx_pool_t *pool,
    rms_list_t *list)
{
    ngx_int_t       rc;
    rms_mem_t       mem;
    rms_str_t       bytes;
    rms_document_t  document;

    mem = ngx_http_rms_mem(pool);

    ngx_memzero(list, sizeof(rms_list_t));

    rc = ngx_http_rms_document_copy(rmcf, pool, &bytes);

    if (rc != NGX_OK) {
        return rc == NGX_DECLINED ? NGX_OK : NGX_ERROR;
    }

    if (rms_document_decode(&bytes, &document) != RMS_OK
        || rms_list_decode(&document.body, &mem, list) != RMS_OK)
    {
        return NGX_ERROR;
    }

    list->versions[0].version = document.version;
    list->versions[0].when = document.when;
    list->versions[0].who = document.who;
    list->versions[0].note = document.note;

    return NGX_OK;
}


ngx_int_t
ngx_http_rms_document_pack(ngx_pool_t *pool, const rms_list_t *list,
    rms_str_t *bytes)
{
    rms_mem_t       mem;
    rms_document_t  document;

    mem = ngx_http_rms_mem(pool);

    document.kind = RMS_DOCUMENT_LIST;
    document.version = list->versions[0].version;
    document.when = list->versions[0].when;
    document.who = list->versions[0].who;
    document.note = list->versions[0].note;

    if (rms_list_encode(list, &mem, &document.body) != RMS_OK) {
        return NGX_ERROR;
    }

    return ngx_http_rms_document_encode(pool, &document, bytes);
}
