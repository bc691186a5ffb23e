
/*
 * What TLS tells: the caller by a verified client certificate, and the
 * bindings that tie a login to the channel it comes over.
 */


#include "ngx_http_rms_module.h"
#include "rms_cert.h"


#if (NGX_HTTP_SSL)
static rms_rc_e ngx_http_rms_cert_name(ngx_http_rms_caller_t *caller);
#endif


ngx_uint_t
ngx_http_rms_tls(ngx_http_request_t *r)
{
#if (NGX_HTTP_SSL)
    return r->connection->ssl ? 1 : 0;
#else
    return 0;
#endif
}


#if (NGX_HTTP_SSL)

/*
 * NGX_OK: the caller is known.  NGX_DECLINED: no certificate, one that was not
 * verified, or, where others may log in too, one that no rule names: these
 * callers get the challenges.  NGX_ERROR.
 */

ngx_int_t
ngx_http_rms_cert_identify(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx)
{
    X509                   *cert;
    rms_rc_e                rc;
    rms_mem_t               mem;
    rms_acl_answer_t        acl;
    ngx_http_rms_caller_t  *caller;

    if (r->connection->ssl == NULL
        || SSL_get_verify_result(r->connection->ssl->connection) != X509_V_OK)
    {
        return NGX_DECLINED;
    }

    cert = SSL_get_peer_certificate(r->connection->ssl->connection);
    if (cert == NULL) {
        return NGX_DECLINED;
    }

    caller = ngx_http_rms_caller_create(ctx->conf, RMS_SESSION_CERTIFICATE);
    rc = RMS_NOMEM;

    if (caller) {
        mem = ngx_http_rms_mem(caller->pool);
        caller->cert = ngx_pcalloc(caller->pool, sizeof(rms_cert_names_t));

        if (caller->cert) {
            rc = rms_cert_names(cert, &mem, caller->cert);
        }

        if (rc == RMS_OK) {
            rc = ngx_http_rms_cert_name(caller);
        }
    }

    X509_free(cert);

    if (rc != RMS_OK) {
        ngx_http_rms_caller_free(caller);
        return NGX_ERROR;
    }

    acl = ngx_http_rms_role(ctx->conf->list ? ctx->conf->list->rules : NULL,
                            caller);

    if (acl.role == RMS_ROLE_NONE
        && (ctx->conf->auth & NGX_HTTP_RMS_AUTH_NEGOTIATE))
    {
        ngx_http_rms_caller_free(caller);
        return NGX_DECLINED;
    }

    ngx_http_rms_caller_set(ctx, caller);

    return NGX_OK;
}


/* As the rule that would name it.  It is known to be in no group. */

static rms_rc_e
ngx_http_rms_cert_name(ngx_http_rms_caller_t *caller)
{
    u_char  *p;

    caller->sids = ngx_pcalloc(caller->pool, sizeof(rms_sid_set_t));

    p = ngx_pnalloc(caller->pool, sizeof("cert=") - 1
                                  + RMS_CERT_THUMBPRINT_LEN);

    if (p == NULL || caller->sids == NULL) {
        return RMS_NOMEM;
    }

    caller->name.data = p;
    caller->name.len = sizeof("cert=") - 1 + RMS_CERT_THUMBPRINT_LEN;

    p = ngx_cpymem(p, "cert=", sizeof("cert=") - 1);
    ngx_memcpy(p, caller->cert->thumbprint, RMS_CERT_THUMBPRINT_LEN);

    return RMS_OK;
}


/* The same for each leg: nginx makes no new certificate within a connection. */

void
ngx_http_rms_binding(ngx_http_request_t *r, ngx_http_rms_loc_conf_t *rlcf,
    rms_gss_login_t *login)
{
    X509  *cert;

    login->cbind_mode = (rms_cbind_mode_e) rlcf->binding;

    if (rlcf->binding == RMS_CBIND_OFF || r->connection->ssl == NULL) {
        return;
    }

    cert = SSL_get_certificate(r->connection->ssl->connection);

    if (cert) {
        (void) rms_cbind_server(cert, &login->cbind);
    }
}

#else

ngx_int_t
ngx_http_rms_cert_identify(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx)
{
    return NGX_DECLINED;
}


void
ngx_http_rms_binding(ngx_http_request_t *r, ngx_http_rms_loc_conf_t *rlcf,
    rms_gss_login_t *login)
{
    login->cbind_mode = (rms_cbind_mode_e) rlcf->binding;
}

#endif
