
/*
 * rms_replay shared: a Kerberos token that was good at this node is shown to
 * the others through Redis before it is believed, so that whoever captured it
 * cannot use it at another node.  One command for each login, none for
 * sessions; the zone has been asked before (ngx_http_rms_zone.c).
 */


#include "ngx_http_rms_redis.h"


/* bytes of the hash in the name: no two tokens share these by chance */
#define NGX_HTTP_RMS_REPLAY_NAME  16


static void ngx_http_rms_replay_answer(void *data,
    const rms_redis_reply_t *reply);


/*
 * NGX_AGAIN: the handler is called once, from an event of its own; replaying
 * is from the caller's memory until then.  NGX_DECLINED: nobody can be asked.
 */

ngx_int_t
ngx_http_rms_replay_share(ngx_http_rms_main_conf_t *rmcf,
    const unsigned char *hash, ngx_http_rms_replaying_t *replaying)
{
    u_char      hex[2 * NGX_HTTP_RMS_REPLAY_NAME], px[NGX_INT64_LEN];
    rms_str_t   argv[6], name;
    ngx_int_t   rc;
    ngx_pool_t *pool;

    pool = ngx_create_pool(512, ngx_cycle->log);
    if (pool == NULL) {
        return NGX_DECLINED;
    }

    name.data = hex;
    name.len = ngx_hex_dump(hex, (u_char *) hash, NGX_HTTP_RMS_REPLAY_NAME)
               - hex;

    ngx_str_set(&argv[0], "SET");
    argv[1] = ngx_http_rms_redis_key(rmcf, pool, "replay", &name);
    ngx_str_set(&argv[2], "1");
    ngx_str_set(&argv[3], "NX");
    ngx_str_set(&argv[4], "PX");
    argv[5].data = px;
    argv[5].len = ngx_sprintf(px, "%ui", (ngx_uint_t) rmcf->zone->window
                                         * 1000) - px;

    rc = argv[1].len
         && ngx_http_rms_redis_send(rmcf, argv, 6, ngx_http_rms_replay_answer,
                                    replaying)
         ? NGX_AGAIN : NGX_DECLINED;

    ngx_destroy_pool(pool);

    return rc;
}


static void
ngx_http_rms_replay_answer(void *data, const rms_redis_reply_t *reply)
{
    ngx_int_t                  rc;
    ngx_http_rms_replaying_t  *replaying = data;

    rc = reply == NULL ? NGX_DECLINED
         : reply->type == RMS_REDIS_STATUS ? NGX_OK
         : reply->type == RMS_REDIS_NIL ? NGX_BUSY : NGX_DECLINED;

    replaying->handler(replaying->data, rc);
}
