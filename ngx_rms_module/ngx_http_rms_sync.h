
/*
 * What looks at Redis for documents and what puts them there share.
 */

#ifndef _NGX_HTTP_RMS_SYNC_H_INCLUDED_
#define _NGX_HTTP_RMS_SYNC_H_INCLUDED_


#include "ngx_http_rms_document.h"


/* seconds a document stays in Redis; it is put there again before */
#define NGX_HTTP_RMS_SYNC_TTL    "2592000"

/* seconds in which one thing is said once */
#define NGX_HTTP_RMS_SYNC_QUIET  10

/* digits of a version, and room for "999999999999999999-ffffffff" */
#define NGX_HTTP_RMS_SYNC_DIGITS 18
#define NGX_HTTP_RMS_SYNC_STAMP  32


/* A kind of document, of this worker. */

typedef struct {
    ngx_http_rms_main_conf_t    *rmcf;
    ngx_uint_t                   kind;
    const char                  *name;
    ngx_str_t                    key;
    ngx_str_t                    channel;
    ngx_uint_t                   asked;         /* an answer is due */
    ngx_uint_t                   looks;
    ngx_uint_t                   verify;        /* read what Redis has */
    ngx_http_rms_stamp_of_t      there;         /* as Redis said last */
    ngx_uint_t                   older;         /* which we have seen before */
    ngx_http_rms_stamp_of_t      refused;       /* was not to be used ... */
    ngx_uint_t                   damaged;       /* ... by anybody */
    const char                  *why;           /* was said ... */
    time_t                       told;          /* ... then */
} ngx_http_rms_sync_t;


/* ngx_http_rms_sync.c */

ngx_http_rms_sync_t *ngx_http_rms_sync_get(ngx_uint_t kind);

/* Redis has what the node has: this record. */

void ngx_http_rms_sync_confirm(ngx_http_rms_sync_t *sync,
    ngx_http_rms_stamp_of_t *stamp);

/* Counts, and says now and then, that what Redis has is not believed. */

void ngx_http_rms_sync_refuse(ngx_http_rms_sync_t *sync, const char *why);


/* ngx_http_rms_put.c */

/*
 * Puts what the node has in place of what is there, which is older or bad or
 * nothing; what is bad goes if the node has none.
 */

void ngx_http_rms_sync_back(ngx_http_rms_sync_t *sync);

/* buf: NGX_HTTP_RMS_SYNC_STAMP bytes */

void ngx_http_rms_sync_stamp_text(ngx_http_rms_stamp_of_t *stamp,
    u_char *buf, rms_str_t *text);

/*
 * Stores bytes in place of the version expected, from the pool; stamp is what
 * Redis will call it.  NULL: not sent.
 */

ngx_http_rms_redis_op_t *ngx_http_rms_sync_send(
    ngx_http_rms_sync_t *sync, const rms_str_t *bytes,
    const rms_str_t *expected, ngx_pool_t *pool,
    ngx_http_rms_redis_answer_pt handler, void *data,
    ngx_http_rms_stamp_of_t *stamp);
ngx_http_rms_put_e ngx_http_rms_sync_result(const rms_redis_reply_t *reply);

/* The first bytes of its salt, never 0; of a record that is none 0. */

uint32_t ngx_http_rms_sync_tag(const rms_str_t *record);


#endif /* _NGX_HTTP_RMS_SYNC_H_INCLUDED_ */
