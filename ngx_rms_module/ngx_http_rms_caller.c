
/*
 * Who is calling, once it is known: made from a login, a certificate or a
 * session, shared by the requests of a connection, freed by the last of them.
 */


#include "ngx_http_rms_module.h"

#include <openssl/crypto.h>


static void ngx_http_rms_caller_sids(void *data);
static void ngx_http_rms_caller_wipe(ngx_http_rms_caller_t *caller);


/* The one reference is the caller's of this function.  NULL: no memory. */

ngx_http_rms_caller_t *
ngx_http_rms_caller_create(ngx_http_rms_loc_conf_t *rlcf,
    rms_session_mech_e mech)
{
    ngx_pool_t             *pool;
    ngx_http_rms_caller_t  *caller;

    pool = ngx_create_pool(1024, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    caller = ngx_pcalloc(pool, sizeof(ngx_http_rms_caller_t));
    if (caller == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    caller->pool = pool;
    caller->refs = 1;
    caller->mech = mech;
    caller->created = ngx_time();
    caller->seen = caller->created;

    ngx_memcpy(caller->scope, rlcf->scope, NGX_HTTP_RMS_SCOPE);

    return caller;
}


/* Takes the SIDs of the login along. */

ngx_http_rms_caller_t *
ngx_http_rms_caller_login(ngx_http_rms_loc_conf_t *rlcf,
    rms_session_mech_e mech, rms_gss_login_t *login)
{
    rms_sid_t              *user;
    rms_sid_set_t          *sids;
    ngx_pool_cleanup_t     *cln;
    ngx_http_rms_caller_t  *caller;

    caller = ngx_http_rms_caller_create(rlcf, mech);
    if (caller == NULL) {
        return NULL;
    }

    cln = ngx_pool_cleanup_add(caller->pool, 0);
    sids = ngx_palloc(caller->pool, sizeof(rms_sid_set_t));
    user = ngx_palloc(caller->pool, sizeof(rms_sid_t));

    caller->account.len = login->account.len;
    caller->account.data = ngx_pstrdup(caller->pool, &login->account);
    caller->name = caller->account;
    caller->service.len = login->service.len;
    caller->service.data = ngx_pstrdup(caller->pool, &login->service);
    caller->foreign = login->foreign;
    caller->sids_why = login->sids_why ? login->sids_why
                                       : "winbind was not asked for them";
    caller->bound = login->bound;
    caller->unasked = !login->want_sids;

    if (cln == NULL || sids == NULL || user == NULL
        || caller->account.data == NULL || caller->service.data == NULL)
    {
        ngx_http_rms_caller_free(caller);
        return NULL;
    }

    if (login->has_sids) {
        *sids = login->sids;
        caller->sids = sids;

        if (login->has_user) {
            *user = login->user;
            caller->user = user;
        }

        cln->handler = ngx_http_rms_caller_sids;
        cln->data = login->sids_memory;

        login->sids_memory = NULL;
        login->has_sids = 0;
    }

    return caller;
}


static void
ngx_http_rms_caller_sids(void *data)
{
    free(data);
}


void
ngx_http_rms_caller_free(ngx_http_rms_caller_t *caller)
{
    if (caller && --caller->refs == 0) {
        ngx_http_rms_caller_wipe(caller);
        ngx_destroy_pool(caller->pool);
    }
}


/* Who it was and what groups that has: in no memory that is used again. */

static void
ngx_http_rms_caller_wipe(ngx_http_rms_caller_t *caller)
{
    rms_sid_set_t  *sids;

    if (caller->account.data) {
        OPENSSL_cleanse(caller->account.data, caller->account.len);
    }

    if (caller->service.data) {
        OPENSSL_cleanse(caller->service.data, caller->service.len);
    }

    sids = caller->sids;

    if (sids && sids->n_members) {
        OPENSSL_cleanse(sids->members, sids->n_members * sizeof(uint64_t));
    }
}


/* The request takes over the reference, or none with NULL. */

void
ngx_http_rms_caller_set(ngx_http_rms_ctx_t *ctx,
    ngx_http_rms_caller_t *caller)
{
    ngx_http_rms_caller_free(ctx->caller);

    ctx->caller = caller;
    ctx->auth_state = caller ? NGX_HTTP_RMS_IDENTIFIED
                             : NGX_HTTP_RMS_ANONYMOUS;
}


/* Would this location have identified the caller alike? */

ngx_uint_t
ngx_http_rms_caller_fits(ngx_http_rms_caller_t *caller,
    ngx_http_rms_loc_conf_t *rlcf)
{
    ngx_uint_t  auth;

    auth = caller->mech == RMS_SESSION_NTLM ? NGX_HTTP_RMS_AUTH_NTLM
           : caller->mech == RMS_SESSION_CERTIFICATE ? NGX_HTTP_RMS_AUTH_CERT
           : NGX_HTTP_RMS_AUTH_NEGOTIATE;

    if (!(rlcf->auth & auth)
        || ngx_memcmp(caller->scope, rlcf->scope, NGX_HTTP_RMS_SCOPE) != 0)
    {
        return 0;
    }

    return caller->bound || rlcf->binding != RMS_CBIND_REQUIRE
           || caller->mech == RMS_SESSION_CERTIFICATE;
}


/* For lines and variables; empty when nobody has a name. */

ngx_str_t *
ngx_http_rms_account_name(ngx_http_rms_ctx_t *ctx)
{
    static ngx_str_t  none = ngx_null_string;

    return ctx->caller ? &ctx->caller->name : &none;
}


/* As $rms_auth shows it. */

const ngx_str_t *
ngx_http_rms_mech_name(rms_session_mech_e mech)
{
    static const ngx_str_t  names[] = {
        ngx_string("krb5"), ngx_string("ntlm"), ngx_string("cert")
    };

    return &names[mech - RMS_SESSION_KERBEROS];
}
