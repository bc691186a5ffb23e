
/*
 * What TLS tells: the caller by a verified client certificate, and the
 * bindings that tie a login to the channel it comes over.
 */


#include "ngx_http_rms_module.h"
#include "rms_cert.h"


#if (NGX_HTTP_SSL)
typedef int (*ngx_http_rms_session_new_pt)(ngx_ssl_conn_t *ssl,
    ngx_ssl_session_t *session);


static X509 *ngx_http_rms_cert_verified(ngx_http_request_t *r);
static const char *ngx_http_rms_cert_unusable(ngx_http_request_t *r,
    X509 *cert);
static rms_rc_e ngx_http_rms_cert_name(ngx_http_rms_caller_t *caller);
static void ngx_http_rms_binding_of(ngx_ssl_conn_t *ssl, rms_cbind_t *binding);
static int ngx_http_rms_binding_keep(ngx_ssl_conn_t *ssl,
    ngx_ssl_session_t *session);
static int ngx_http_rms_binding_ticket(ngx_ssl_conn_t *ssl, void *data);
static int ngx_http_rms_binding_cached(ngx_ssl_conn_t *ssl,
    ngx_ssl_session_t *session);
static int ngx_http_rms_binding_builtin(ngx_ssl_conn_t *ssl,
    ngx_ssl_session_t *session);


/* nginx's own, of every context that has one: it fills "ssl_session_cache" */
static ngx_http_rms_session_new_pt  ngx_http_rms_session_cache;
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

    cert = ngx_http_rms_cert_verified(r);
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

    acl = ngx_http_rms_role(ngx_http_rms_rules_now(ctx->conf->list), caller);

    if (acl.role == RMS_ROLE_NONE
        && (ctx->conf->auth & NGX_HTTP_RMS_AUTH_NEGOTIATE))
    {
        ngx_http_rms_caller_free(caller);
        return NGX_DECLINED;
    }

    ngx_http_rms_caller_set(ctx, caller);

    return NGX_OK;
}


static X509 *
ngx_http_rms_cert_verified(ngx_http_request_t *r)
{
    X509        *cert;
    const char  *why;

    if (r->connection->ssl == NULL) {
        return NULL;
    }

    cert = SSL_get_peer_certificate(r->connection->ssl->connection);

    if (cert == NULL) {
        return NULL;
    }

    why = ngx_http_rms_cert_unusable(r, cert);

    if (why == NULL) {
        return cert;
    }

    ngx_http_rms_event(NGX_LOG_WARN, r->connection->log, 0,
                       "certificate not used: %s", why);
    X509_free(cert);

    return NULL;
}


/*
 * Verified by this very server: without SNI the handshake is that of the first
 * server of the address, which may trust others, and the Host header comes
 * later.  And still valid: connections live on, and neither OpenSSL nor nginx
 * looks at the dates when a TLS session is resumed.
 */

static const char *
ngx_http_rms_cert_unusable(ngx_http_request_t *r, X509 *cert)
{
    ngx_ssl_conn_t           *ssl;
    ngx_http_ssl_srv_conf_t  *sscf;

    ssl = r->connection->ssl->connection;
    sscf = ngx_http_get_module_srv_conf(r, ngx_http_ssl_module);

    if (SSL_get_verify_result(ssl) != X509_V_OK
        || SSL_get_SSL_CTX(ssl) != sscf->ssl.ctx)
    {
        return "the TLS handshake was with another server of this address; "
               "does the client send the name of this one (SNI)?";
    }

    if (X509_cmp_current_time(X509_get0_notBefore(cert)) >= 0
        || X509_cmp_current_time(X509_get0_notAfter(cert)) <= 0)
    {
        return "it has expired since the TLS handshake";
    }

    return NULL;
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


/*
 * The same for each leg: nginx makes no new certificate within a connection.
 * Where the binding is not known, that of a client is a wrong one.
 */

void
ngx_http_rms_binding(ngx_http_request_t *r, ngx_http_rms_loc_conf_t *rlcf,
    rms_gss_login_t *login)
{
    login->cbind_mode = (rms_cbind_mode_e) rlcf->binding;

    if (rlcf->binding == RMS_CBIND_OFF || r->connection->ssl == NULL) {
        return;
    }

    ngx_http_rms_binding_of(r->connection->ssl->connection, &login->cbind);

    if (login->cbind.len == 0) {
        login->cbind.data[0] = '?';
        login->cbind.len = 1;
    }
}


/*
 * A TLS session that is resumed sends no certificate, and OpenSSL then names
 * the last one configured, or none where "ssl_certificate" has variables: the
 * client goes by the one it got at first, whose binding its session keeps.
 */

static void
ngx_http_rms_binding_of(ngx_ssl_conn_t *ssl, rms_cbind_t *binding)
{
    void    *data;
    X509    *cert;
    size_t   len;

    if (!SSL_session_reused(ssl)) {
        cert = SSL_get_certificate(ssl);

        if (cert) {
            (void) rms_cbind_server(cert, binding);
        }

        return;
    }

    if (SSL_SESSION_get0_ticket_appdata(SSL_get_session(ssl), &data, &len)
        && len != 0 && len <= RMS_CBIND_MAX)
    {
        ngx_memcpy(binding->data, data, len);
        binding->len = len;
    }
}


/* A session begins: the binding goes along, for those who come back. */

static int
ngx_http_rms_binding_keep(ngx_ssl_conn_t *ssl, ngx_ssl_session_t *session)
{
    rms_cbind_t  binding;

    if (SSL_session_reused(ssl)) {
        return 1;
    }

    binding.len = 0;

    ngx_http_rms_binding_of(ssl, &binding);

    return SSL_SESSION_set1_ticket_appdata(session, binding.data, binding.len);
}


static int
ngx_http_rms_binding_ticket(ngx_ssl_conn_t *ssl, void *data)
{
    return ngx_http_rms_binding_keep(ssl, SSL_get_session(ssl));
}


/* Before TLS 1.3 no ticket is made for a session that the server keeps. */

static int
ngx_http_rms_binding_cached(ngx_ssl_conn_t *ssl, ngx_ssl_session_t *session)
{
    (void) ngx_http_rms_binding_keep(ssl, session);

    return ngx_http_rms_session_cache(ssl, session);
}


/* 0: OpenSSL's own cache has the session already, we keep no reference. */

static int
ngx_http_rms_binding_builtin(ngx_ssl_conn_t *ssl, ngx_ssl_session_t *session)
{
    (void) ngx_http_rms_binding_keep(ssl, session);

    return 0;
}


/* May be called again for the same context. */

void
ngx_http_rms_binding_sessions(SSL_CTX *ssl)
{
    ngx_http_rms_session_new_pt  cache;

    (void) SSL_CTX_set_session_ticket_cb(ssl, ngx_http_rms_binding_ticket,
                                         NULL, NULL);

    cache = SSL_CTX_sess_get_new_cb(ssl);

    if (cache == NULL) {
        SSL_CTX_sess_set_new_cb(ssl, ngx_http_rms_binding_builtin);

    } else if (cache != ngx_http_rms_binding_builtin
               && cache != ngx_http_rms_binding_cached)
    {
        ngx_http_rms_session_cache = cache;
        SSL_CTX_sess_set_new_cb(ssl, ngx_http_rms_binding_cached);
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
