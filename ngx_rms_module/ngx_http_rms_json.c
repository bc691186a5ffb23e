
/*
 * JSON of our own answers, written into a chain of buffers as it comes.
 */


#include "ngx_http_rms_module.h"
#include "ngx_http_rms_status.h"
#include "rms_text.h"


static void ngx_http_rms_json(ngx_http_rms_json_t *js, const char *fmt, ...);
static void ngx_http_rms_json_add(ngx_http_rms_json_t *js, u_char *text,
    size_t len);


static ngx_str_t  ngx_http_rms_json_type = ngx_string("application/json");


void
ngx_http_rms_json_start(ngx_http_rms_json_t *js, ngx_pool_t *pool)
{
    ngx_memzero(js, sizeof(ngx_http_rms_json_t));

    js->pool = pool;
    js->last = &js->first;
}


/* One piece, at most 1 KiB, formatted as nginx does. */

static void
ngx_http_rms_json(ngx_http_rms_json_t *js, const char *fmt, ...)
{
    u_char   text[1024], *end;
    va_list  args;

    va_start(args, fmt);
    end = ngx_vslprintf(text, text + sizeof(text), fmt, args);
    va_end(args);

    ngx_http_rms_json_add(js, text, end - text);
}


static void
ngx_http_rms_json_add(ngx_http_rms_json_t *js, u_char *text, size_t len)
{
    ngx_chain_t  *cl;

    if (js->buf == NULL || (size_t) (js->buf->end - js->buf->last) < len) {

        cl = ngx_alloc_chain_link(js->pool);

        if (cl == NULL
            || (cl->buf = ngx_create_temp_buf(js->pool, ngx_max(len, 8192)))
               == NULL)
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


void
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


void
ngx_http_rms_json_close(ngx_http_rms_json_t *js, char bracket)
{
    if (js->failed) {
        return;
    }

    ngx_http_rms_json(js, "%c", bracket);
    js->comma = 1;
}


void
ngx_http_rms_json_string(ngx_http_rms_json_t *js, const char *name,
    const rms_str_t *value)
{
    rms_str_t  cut;

    cut = *value;

    if (cut.len > RMS_TEXT_CAP / 2) {
        cut.len = RMS_TEXT_CAP / 2;
    }

    ngx_http_rms_json_line(js, name, &cut);
}


/* Whole, for what we wrote ourselves: at most 600 bytes. */

void
ngx_http_rms_json_line(ngx_http_rms_json_t *js, const char *name,
    const rms_str_t *value)
{
    ngx_str_t  s;

    if (js->failed) {
        return;
    }

    s.len = rms_text_json(NULL, value);
    s.data = ngx_pnalloc(js->pool, s.len + 1);

    if (s.data == NULL) {
        js->failed = 1;
        return;
    }

    (void) rms_text_json(s.data, value);

    if (name) {
        ngx_http_rms_json(js, "%s\"%s\":\"%V\"", js->comma ? "," : "", name,
                          &s);
    } else {
        ngx_http_rms_json(js, "%s\"%V\"", js->comma ? "," : "", &s);
    }

    js->comma = 1;
}


void
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


/* A value that is JSON already. */

void
ngx_http_rms_json_value(ngx_http_rms_json_t *js, const char *name,
    const rms_str_t *value)
{
    if (js->failed) {
        return;
    }

    ngx_http_rms_json(js, "%s\"%s\":", js->comma ? "," : "", name);
    ngx_http_rms_json_add(js, value->data, value->len);

    js->comma = 1;
}


ngx_int_t
ngx_http_rms_json_send(ngx_http_request_t *r, ngx_http_rms_json_t *js)
{
    ngx_int_t  rc;

    ngx_http_rms_json(js, "\n");

    if (js->failed) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    js->buf->last_buf = (r == r->main) ? 1 : 0;
    js->buf->last_in_chain = 1;

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = js->len;
    r->headers_out.content_type = ngx_http_rms_json_type;
    r->headers_out.content_type_len = ngx_http_rms_json_type.len;
    r->headers_out.content_type_lowcase = NULL;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    return ngx_http_output_filter(r, js->first);
}
