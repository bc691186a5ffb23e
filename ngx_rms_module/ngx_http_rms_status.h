
/*
 * What answers below rms_status: its endpoints, and the JSON they write.
 */

#ifndef _NGX_HTTP_RMS_STATUS_H_INCLUDED_
#define _NGX_HTTP_RMS_STATUS_H_INCLUDED_


#include "ngx_http_rms_module.h"


/* ngx_http_rms_json.c */

typedef struct {
    ngx_pool_t                  *pool;
    ngx_chain_t                 *first;
    ngx_chain_t                **last;
    ngx_buf_t                   *buf;
    off_t                        len;
    ngx_uint_t                   failed;
    ngx_uint_t                   comma;
} ngx_http_rms_json_t;

#define ngx_http_rms_json_text(js, name, text)                                \
    do {                                                                      \
        rms_str_t  json_s = rms_string(text);                                 \
        ngx_http_rms_json_string(js, name, &json_s);                          \
    } while (0)

void ngx_http_rms_json_start(ngx_http_rms_json_t *js, ngx_pool_t *pool);
void ngx_http_rms_json_open(ngx_http_rms_json_t *js, const char *name,
    char bracket);
void ngx_http_rms_json_close(ngx_http_rms_json_t *js, char bracket);
void ngx_http_rms_json_string(ngx_http_rms_json_t *js, const char *name,
    const rms_str_t *value);
void ngx_http_rms_json_line(ngx_http_rms_json_t *js, const char *name,
    const rms_str_t *value);
void ngx_http_rms_json_number(ngx_http_rms_json_t *js, const rms_str_t *name,
    ngx_atomic_uint_t value);
void ngx_http_rms_json_value(ngx_http_rms_json_t *js, const char *name,
    const rms_str_t *value);
ngx_int_t ngx_http_rms_json_send(ngx_http_request_t *r,
    ngx_http_rms_json_t *js);

/* ngx_http_rms_status.c */

ngx_int_t ngx_http_rms_status_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_rms_admit(ngx_http_request_t *r, ngx_uint_t methods,
    const char *allow);
ngx_int_t ngx_http_rms_arguments(ngx_http_request_t *r, ngx_str_t *names,
    ngx_str_t *values);
ngx_int_t ngx_http_rms_wrong(ngx_http_request_t *r, ngx_uint_t status,
    const char *text);

/* ngx_http_rms_redis.c */

void ngx_http_rms_redis_status(ngx_http_rms_json_t *js,
    ngx_http_rms_main_conf_t *rmcf);

/* ngx_http_rms_shared.c */

void ngx_http_rms_shared_status(ngx_http_rms_json_t *js,
    ngx_http_rms_main_conf_t *rmcf);

/* ngx_http_rms_explain.c */

ngx_int_t ngx_http_rms_explain_handler(ngx_http_request_t *r);

/* ngx_http_rms_revoke.c */

ngx_int_t ngx_http_rms_revoke_handler(ngx_http_request_t *r);
ngx_uint_t ngx_http_rms_own_page(ngx_http_request_t *r);
ngx_uint_t ngx_http_rms_same_origin(ngx_http_request_t *r);

/* ngx_http_rms_admin.c */

ngx_int_t ngx_http_rms_admin_handler(ngx_http_request_t *r);


#endif /* _NGX_HTTP_RMS_STATUS_H_INCLUDED_ */
