
/*
 * rms_admin: the shared list, read and changed in JSON below rms_status, by
 * callers with the role admin.  A change names the version it was made on
 * (If-Match); it is stored in Redis, or without Redis in the zone, before it
 * is answered, and is in use on this node by then.
 */


#include "ngx_http_rms_document.h"
#include "ngx_http_rms_status.h"
#include "ngx_http_rms_conf.h"
#include "rms_admin.h"
#include "rms_text.h"


#define NGX_HTTP_RMS_PRECONDITION_REQUIRED  428


typedef struct {
    ngx_http_request_t          *request;
    uint64_t                     match;         /* of If-Match */
    ngx_int_t                    rc;            /* once it is answered */
    rms_list_t                   list;          /* the new version first */
    rms_acl_diff_t               diff;
    rms_str_t                    bytes;
    ngx_http_rms_put_t          *put;
} ngx_http_rms_change_t;


static ngx_int_t ngx_http_rms_admin_get(ngx_http_request_t *r);
static ngx_int_t ngx_http_rms_admin_show(ngx_http_request_t *r,
    rms_list_t *list, ngx_str_t *version);
static ngx_int_t ngx_http_rms_admin_post(ngx_http_request_t *r);
static const char *ngx_http_rms_admin_headers(ngx_http_request_t *r,
    uint64_t *match, ngx_uint_t *status);
static ngx_uint_t ngx_http_rms_admin_json(ngx_http_request_t *r);
static void ngx_http_rms_admin_body(ngx_http_request_t *r);
static ngx_int_t ngx_http_rms_admin_join(ngx_http_request_t *r,
    rms_str_t *body);
static ngx_int_t ngx_http_rms_admin_change(ngx_http_request_t *r,
    rms_str_t *body);
static ngx_int_t ngx_http_rms_admin_edit(ngx_http_rms_change_t *change,
    rms_admin_request_t *request);
static ngx_int_t ngx_http_rms_admin_version(ngx_http_rms_change_t *change,
    rms_admin_request_t *request, rms_str_t *text);
static rms_str_t ngx_http_rms_admin_who(ngx_pool_t *pool,
    const rms_str_t *name);
static ngx_int_t ngx_http_rms_admin_compare(ngx_http_rms_change_t *change,
    rms_str_t *text);
static ngx_int_t ngx_http_rms_admin_store(ngx_http_rms_change_t *change);
static void ngx_http_rms_admin_cleanup(void *data);
static void ngx_http_rms_admin_stored(void *data, ngx_http_rms_put_e result);
static ngx_int_t ngx_http_rms_admin_answer(ngx_http_rms_change_t *change,
    uint64_t version, ngx_uint_t dry_run, const char *stored);
static ngx_int_t ngx_http_rms_admin_conflict(ngx_http_rms_change_t *change);
static ngx_int_t ngx_http_rms_admin_wrong(ngx_http_request_t *r,
    rms_acl_text_error_t *error);
static ngx_int_t ngx_http_rms_admin_send(ngx_http_request_t *r,
    uint64_t version, rms_str_t *json);


char *
ngx_http_rms_admin_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_rms_loc_conf_t *rlcf = conf;

    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler && clcf->handler != ngx_http_rms_status_handler) {
        return "stands beside another content handler; write it beside "
               "\"rms_status;\" in a location of its own";
    }

    rlcf->status = 1;
    rlcf->admin = 1;
    clcf->handler = ngx_http_rms_status_handler;

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_rms_admin_handler(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    rc = ngx_http_rms_admit(r, NGX_HTTP_GET|NGX_HTTP_HEAD|NGX_HTTP_POST,
                            "GET, HEAD, POST");
    if (rc != NGX_OK) {
        return rc;
    }

    /* If-Match is ours: nginx would compare it with the tag of the answer */

    r->disable_not_modified = 1;

    if (r->method == NGX_HTTP_POST) {
        return ngx_http_rms_admin_post(r);
    }

    rc = ngx_http_discard_request_body(r);

    return rc == NGX_OK ? ngx_http_rms_admin_get(r) : rc;
}


static ngx_int_t
ngx_http_rms_admin_get(ngx_http_request_t *r)
{
    rms_mem_t                  mem;
    ngx_str_t                  values[2];
    rms_str_t                  json;
    rms_list_t                *list;
    ngx_http_rms_main_conf_t  *rmcf;
    static ngx_str_t           names[] = {
        ngx_string("version"),
        ngx_string("history"),
        ngx_null_string
    };

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_rms_module);
    mem = ngx_http_rms_mem(r->pool);

    if (ngx_http_rms_arguments(r, names, values) != NGX_OK
        || (values[0].data && values[1].data)
        || (values[1].data && !rms_str_is(&values[1], "1")))
    {
        return ngx_http_rms_wrong(r, NGX_HTTP_BAD_REQUEST,
                                  "Write no argument, \"?history=1\" or "
                                  "\"?version=N\".\n");
    }

    list = ngx_palloc(r->pool, sizeof(rms_list_t));

    if (list == NULL || ngx_http_rms_document_list(rmcf, r->pool, list)
                        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (values[1].data == NULL) {
        return ngx_http_rms_admin_show(r, list, &values[0]);
    }

    return rms_admin_history(list, &mem, &json) == RMS_OK
           ? ngx_http_rms_admin_send(r, list->n ? list->versions[0].version
                                                : 0, &json)
           : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


static ngx_int_t
ngx_http_rms_admin_show(ngx_http_request_t *r, rms_list_t *list,
    ngx_str_t *version)
{
    off_t                      n;
    time_t                     age;
    rms_str_t                  json;
    rms_mem_t                  mem;
    ngx_uint_t                 i;
    rms_admin_source_t         source;
    ngx_http_rms_main_conf_t  *rmcf;

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_rms_module);
    mem = ngx_http_rms_mem(r->pool);
    i = 0;

    if (version->data) {
        n = ngx_atoof(version->data, version->len);

        for (i = 0; i < list->n; i++) {
            if (list->versions[i].version == (uint64_t) n) {
                break;
            }
        }

        if (n <= 0 || i == list->n) {
            return ngx_http_rms_wrong(r, NGX_HTTP_NOT_FOUND,
                                      "This version is not kept; "
                                      "\"?history=1\" names those that "
                                      "are.\n");
        }
    }

    age = ngx_http_rms_shared_age(rmcf);

    source.store = rmcf->redis ? "redis" : "zone";
    source.age = age > 0 ? (uint64_t) age : 0;
    source.stale = rmcf->redis && !ngx_http_rms_sync_fresh(rmcf);

    return rms_admin_list(&list->versions[i], &source, &mem, &json) == RMS_OK
           ? ngx_http_rms_admin_send(r, list->versions[i].version, &json)
           : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


static ngx_int_t
ngx_http_rms_admin_post(ngx_http_request_t *r)
{
    uint64_t             match;
    ngx_int_t            rc;
    ngx_uint_t           status;
    const char          *why;
    ngx_http_rms_ctx_t  *ctx;

    why = ngx_http_rms_admin_headers(r, &match, &status);

    if (why) {
        return ngx_http_rms_wrong(r, status, why);
    }

    ctx = ngx_http_rms_ctx_get(r);
    ctx->body_limit = RMS_ADMIN_BODY_MAX;

    if (r->headers_in.content_length_n > RMS_ADMIN_BODY_MAX) {
        return ngx_http_rms_wrong(r, NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                  "A change is 1 MiB at most.\n");
    }

    if (r->request_body || ngx_http_rms_body_reserve(r, ctx) != NGX_OK) {
        return ngx_http_rms_wrong(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                  "No memory for the body now; send it "
                                  "again.\n");
    }

    r->request_body_in_single_buf = 1;

    rc = ngx_http_read_client_request_body(r, ngx_http_rms_admin_body);

    return rc >= NGX_HTTP_SPECIAL_RESPONSE ? rc : NGX_DONE;
}


/* What no page of another site can make a browser send without asking us. */

static const char *
ngx_http_rms_admin_headers(ngx_http_request_t *r, uint64_t *match,
    ngx_uint_t *status)
{
    rms_str_t   values[1];
    ngx_uint_t  n;

    if (!ngx_http_rms_admin_json(r)) {
        *status = NGX_HTTP_UNSUPPORTED_MEDIA_TYPE;
        return "Send \"Content-Type: application/json\".\n";
    }

    if (!ngx_http_rms_same_origin(r)) {
        *status = NGX_HTTP_FORBIDDEN;
        return "Send no \"Origin\" but the address of this host.\n";
    }

    n = ngx_http_rms_header_find(&r->headers_in.headers, "If-Match",
                                 sizeof("If-Match") - 1, values, 1);

    if (n == 1 && rms_admin_match(&values[0], match) == RMS_OK) {
        return NULL;
    }

    /* RFC 6585 3: Precondition Required */

    *status = n ? NGX_HTTP_BAD_REQUEST : NGX_HTTP_RMS_PRECONDITION_REQUIRED;

    return "Send the version the change is made on, as in \"If-Match: "
           "\\\"17\\\"\"; GET tells it in \"ETag\".\n";
}


static ngx_uint_t
ngx_http_rms_admin_json(ngx_http_request_t *r)
{
    u_char            *p, *end;
    static ngx_str_t   json = ngx_string("application/json");

    if (r->headers_in.content_type == NULL
        || r->headers_in.content_type->value.len < json.len)
    {
        return 0;
    }

    p = r->headers_in.content_type->value.data;
    end = p + r->headers_in.content_type->value.len;

    if (ngx_strncasecmp(p, json.data, json.len) != 0) {
        return 0;
    }

    p += json.len;

    while (p < end && (*p == ' ' || *p == '\t')) {
        p++;
    }

    return p == end || *p == ';';
}


static void
ngx_http_rms_admin_body(ngx_http_request_t *r)
{
    ngx_int_t  rc;
    rms_str_t  body;

    rc = ngx_http_rms_admin_join(r, &body);

    if (rc == NGX_OK) {
        rc = ngx_http_rms_admin_change(r, &body);
    }

    /* the answer of Redis finishes what waits for it */

    if (rc != NGX_BUSY) {
        ngx_http_finalize_request(r, rc);
    }
}


static ngx_int_t
ngx_http_rms_admin_join(ngx_http_request_t *r, rms_str_t *body)
{
    u_char       *p;
    ngx_chain_t  *cl;

    body->len = 0;

    for (cl = r->request_body ? r->request_body->bufs : NULL;
         cl;
         cl = cl->next)
    {
        if (cl->buf->in_file || r->request_body->temp_file) {
            return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
        }

        body->len += cl->buf->last - cl->buf->pos;
    }

    if (body->len > RMS_ADMIN_BODY_MAX) {
        return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
    }

    p = ngx_pnalloc(r->pool, body->len + 1);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    body->data = p;

    for (cl = body->len ? r->request_body->bufs : NULL; cl; cl = cl->next) {
        p = ngx_cpymem(p, cl->buf->pos, cl->buf->last - cl->buf->pos);
    }

    return NGX_OK;
}


/* NGX_BUSY: Redis is asked; any other is for ngx_http_finalize_request(). */

static ngx_int_t
ngx_http_rms_admin_change(ngx_http_request_t *r, rms_str_t *body)
{
    ngx_int_t                 rc;
    rms_mem_t                 mem;
    ngx_uint_t                status;
    rms_acl_text_error_t      error;
    rms_admin_request_t       request;
    ngx_http_rms_change_t    *change;

    mem = ngx_http_rms_mem(r->pool);

    change = ngx_pcalloc(r->pool, sizeof(ngx_http_rms_change_t));
    if (change == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    change->request = r;

    (void) ngx_http_rms_admin_headers(r, &change->match, &status);

    error.line = 0;

    switch (rms_admin_read(body, &mem, &request, error.text)) {

    case RMS_OK:
        break;

    case RMS_INVALID:
        return ngx_http_rms_admin_wrong(r, &error);

    default:
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_rms_admin_edit(change, &request);

    if (rc == NGX_DECLINED) {
        return ngx_http_rms_admin_answer(change, change->match,
                                         request.dry_run, NULL);
    }

    if (rc == NGX_ABORT) {
        return change->rc;
    }

    return request.dry_run
           ? ngx_http_rms_admin_answer(change,
                                       change->list.versions[0].version, 1,
                                       NULL)
           : ngx_http_rms_admin_store(change);
}


/* NGX_OK; NGX_DECLINED: nothing would change; NGX_ABORT: it was answered. */

static ngx_int_t
ngx_http_rms_admin_edit(ngx_http_rms_change_t *change,
    rms_admin_request_t *request)
{
    rms_rc_e                   rc;
    rms_str_t                  text;
    rms_mem_t                  mem;
    rms_acl_regex_t            regex;
    ngx_http_request_t        *r;
    rms_acl_text_error_t       error;
    ngx_http_rms_main_conf_t  *rmcf;

    r = change->request;
    rmcf = ngx_http_get_module_main_conf(r, ngx_http_rms_module);

    mem = ngx_http_rms_mem(r->pool);
    regex = ngx_http_rms_regex(r->pool);

    change->rc = NGX_HTTP_INTERNAL_SERVER_ERROR;

    if (ngx_http_rms_document_list(rmcf, r->pool, &change->list) != NGX_OK) {
        return NGX_ABORT;
    }

    if (change->match
        != (change->list.n ? change->list.versions[0].version : 0))
    {
        change->rc = ngx_http_rms_admin_conflict(change);
        return NGX_ABORT;
    }

    rc = rms_list_edit(&change->list, &request->edit, &regex, &mem, &text,
                       &error);

    if (rc == RMS_OK) {
        rc = ngx_http_rms_shared_check(rmcf, &text, r->pool, &error);
    }

    if (rc == RMS_INVALID || rc == RMS_TOO_LARGE) {
        change->rc = ngx_http_rms_admin_wrong(r, &error);
        return NGX_ABORT;
    }

    if (rc != RMS_OK) {
        return rc == RMS_DECLINED ? NGX_DECLINED : NGX_ABORT;
    }

    return ngx_http_rms_admin_version(change, request, &text);
}


static ngx_int_t
ngx_http_rms_admin_version(ngx_http_rms_change_t *change,
    rms_admin_request_t *request, rms_str_t *text)
{
    ngx_http_rms_ctx_t  *ctx;
    rms_list_version_t   version;

    if (ngx_http_rms_admin_compare(change, text) != NGX_OK) {
        return NGX_ABORT;
    }

    ctx = ngx_http_rms_ctx_get(change->request);

    version.version = change->match + 1;
    version.when = (uint64_t) ngx_time();
    version.who = ngx_http_rms_admin_who(change->request->pool,
                                         ngx_http_rms_account_name(ctx));
    version.note = request->note;
    version.text = *text;

    rms_list_push(&change->list, &version);

    return ngx_http_rms_document_pack(change->request->pool, &change->list,
                                      &change->bytes)
           == NGX_OK ? NGX_OK : NGX_ABORT;
}


/* JSON has no other bytes than UTF-8; a KDC may. */

static rms_str_t
ngx_http_rms_admin_who(ngx_pool_t *pool, const rms_str_t *name)
{
    size_t  i, n;

    for (i = 0; i < name->len; i += n) {
        n = rms_text_utf8(&name->data[i], name->len - i);

        if (n == 0) {
            return ngx_http_rms_escape(pool, name);
        }
    }

    return *name;
}


static ngx_int_t
ngx_http_rms_admin_compare(ngx_http_rms_change_t *change, rms_str_t *text)
{
    rms_mem_t              mem;
    rms_acl_list_t         old, now;
    rms_acl_regex_t        regex;
    rms_acl_text_error_t   error;
    static rms_str_t       nothing = rms_null_string;
    static rms_str_t       file = rms_string("shared list");

    mem = ngx_http_rms_mem(change->request->pool);
    regex = ngx_http_rms_regex(change->request->pool);

    if (rms_acl_text_read(change->list.n ? &change->list.versions[0].text
                                         : &nothing,
                          &file, NULL, 0, &regex, &mem, &old, &error)
        != RMS_OK
        || rms_acl_text_read(text, &file, NULL, 0, &regex, &mem, &now, &error)
           != RMS_OK)
    {
        return NGX_ERROR;
    }

    return rms_acl_diff(old.rules, old.n, now.rules, now.n, &mem,
                        &change->diff)
           == RMS_OK ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_rms_admin_store(ngx_http_rms_change_t *change)
{
    ngx_http_request_t        *r;
    ngx_http_cleanup_t        *cln;
    ngx_http_rms_main_conf_t  *rmcf;

    r = change->request;
    rmcf = ngx_http_get_module_main_conf(r, ngx_http_rms_module);

    if (rmcf->redis == NULL) {

        switch (ngx_http_rms_document_take(rmcf, NGX_HTTP_RMS_LIST,
                                           &change->bytes, "an operator",
                                           r->connection->log))
        {
        case NGX_OK:
            return ngx_http_rms_admin_answer(change,
                                             change->list.versions[0].version,
                                             0, "zone");
        case NGX_ERROR:
            return ngx_http_rms_wrong(r, NGX_HTTP_INSUFFICIENT_STORAGE,
                                      "The list does not fit into "
                                      "\"rms_zone\" (see event 3001 in the "
                                      "error log); nothing was changed.\n");

        default:
            return ngx_http_rms_admin_conflict(change);
        }
    }

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    change->put = ngx_http_rms_sync_put(rmcf, NGX_HTTP_RMS_LIST,
                                        &change->bytes, r->pool,
                                        ngx_http_rms_admin_stored, change);

    if (change->put == NULL) {
        return ngx_http_rms_wrong(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                  "Redis cannot be reached; nothing was "
                                  "changed.\n");
    }

    cln->handler = ngx_http_rms_admin_cleanup;
    cln->data = change;

    return NGX_BUSY;
}


static void
ngx_http_rms_admin_cleanup(void *data)
{
    ngx_http_rms_change_t *change = data;

    ngx_http_rms_sync_cancel(change->put);
}


static void
ngx_http_rms_admin_stored(void *data, ngx_http_rms_put_e result)
{
    ngx_http_rms_change_t *change = data;

    ngx_int_t            rc;
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = change->request;
    c = r->connection;

    change->put = NULL;

    switch (result) {

    case NGX_HTTP_RMS_PUT_STORED:
        rc = ngx_http_rms_admin_answer(change,
                                       change->list.versions[0].version, 0,
                                       "redis");
        break;

    case NGX_HTTP_RMS_PUT_CONFLICT:
        rc = ngx_http_rms_admin_conflict(change);
        break;

    case NGX_HTTP_RMS_PUT_REFUSED:
        rc = ngx_http_rms_wrong(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                "Redis refused it (see event 3001 in the "
                                "error log); nothing was changed.\n");
        break;

    default:
        rc = ngx_http_rms_wrong(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                "Redis did not answer in time; GET tells "
                                "whether the change was stored.\n");
    }

    ngx_http_finalize_request(r, rc);
    ngx_http_run_posted_requests(c);
}


static ngx_int_t
ngx_http_rms_admin_answer(ngx_http_rms_change_t *change, uint64_t version,
    ngx_uint_t dry_run, const char *stored)
{
    rms_mem_t  mem;
    rms_str_t  json;

    mem = ngx_http_rms_mem(change->request->pool);

    if (rms_admin_change(version, &change->diff, dry_run, stored, &mem, &json)
        != RMS_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_rms_admin_send(change->request,
                                   stored ? version : change->match, &json);
}


static ngx_int_t
ngx_http_rms_admin_conflict(ngx_http_rms_change_t *change)
{
    return ngx_http_rms_wrong(change->request, NGX_HTTP_PRECONDITION_FAILED,
                              "The list has another version by now; GET it "
                              "and make the change again.\n");
}


static ngx_int_t
ngx_http_rms_admin_wrong(ngx_http_request_t *r, rms_acl_text_error_t *error)
{
    u_char     *p;
    ngx_str_t   body, type = ngx_string("text/plain");

    body.data = ngx_pnalloc(r->pool, sizeof(error->text) + 64);
    if (body.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    p = body.data;

    if (error->line) {
        p = ngx_sprintf(p, "rule %ud: ", error->line);
    }

    p = ngx_sprintf(p, "%s\n", error->text);
    body.len = p - body.data;

    return ngx_http_rms_send(r, NGX_HTTP_BAD_REQUEST, &type, &body);
}


static ngx_int_t
ngx_http_rms_admin_send(ngx_http_request_t *r, uint64_t version,
    rms_str_t *json)
{
    ngx_str_t  tag, type = ngx_string("application/json");

    tag.data = ngx_pnalloc(r->pool, NGX_INT64_LEN + 2);
    if (tag.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    tag.len = ngx_sprintf(tag.data, "\"%uL\"", version) - tag.data;

    if (ngx_http_rms_header_out(r, "ETag", &tag) == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_rms_send(r, NGX_HTTP_OK, &type, json);
}
