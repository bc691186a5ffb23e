
/*
 * TLS of a connection to Redis: the certificate is verified against tls_ca and
 * the name of the server before a byte of ours goes out.  In the worker.
 */


#include "ngx_http_rms_redis_link.h"

#if (NGX_SSL)

#include <openssl/x509v3.h>


static void ngx_http_rms_redis_tls_done(ngx_connection_t *c);
static ngx_str_t *ngx_http_rms_redis_tls_name(ngx_http_rms_redis_conn_t *conn);
static ngx_uint_t ngx_http_rms_redis_tls_literal(ngx_str_t *name);
static ngx_uint_t ngx_http_rms_redis_tls_fits(ngx_connection_t *c,
    ngx_str_t *name);


void
ngx_http_rms_redis_conn_tls(ngx_http_rms_redis_conn_t *conn)
{
    ngx_int_t          rc;
    ngx_str_t         *name;
    ngx_connection_t  *c;

    c = conn->peer.connection;
    name = ngx_http_rms_redis_tls_name(conn);

    if (ngx_ssl_create_connection(conn->redis->ssl, c, NGX_SSL_CLIENT)
        != NGX_OK)
    {
        ngx_http_rms_redis_conn_fail(conn, RMS_REDIS_STAGE_TLS, 0,
                                     "no memory");
        return;
    }

    /* SNI has no addresses: RFC 6066 3; names end in '\0' */

    if (!ngx_http_rms_redis_tls_literal(name)
        && SSL_set_tlsext_host_name(c->ssl->connection, (char *) name->data)
           == 0)
    {
        ngx_http_rms_redis_conn_fail(conn, RMS_REDIS_STAGE_TLS, 0,
                                     "no SNI for the name \"%V\"", name);
        return;
    }

    rc = ngx_ssl_handshake(c);

    if (rc == NGX_AGAIN) {
        c->ssl->handler = ngx_http_rms_redis_tls_done;
        return;
    }

    ngx_http_rms_redis_tls_done(c);
}


static void
ngx_http_rms_redis_tls_done(ngx_connection_t *c)
{
    long                        rc;
    ngx_str_t                  *name;
    ngx_http_rms_redis_conn_t  *conn = c->data;

    if (conn->failing) {
        return;
    }

    ngx_http_rms_redis_conn_events(conn);

    if (!c->ssl->handshaked) {
        ngx_http_rms_redis_conn_fail(conn, RMS_REDIS_STAGE_TLS, 0,
                                     "the handshake failed; is it TLS that "
                                     "the server speaks there?");
        return;
    }

    rc = SSL_get_verify_result(c->ssl->connection);

    if (rc != X509_V_OK) {
        ngx_http_rms_redis_conn_fail(conn, RMS_REDIS_STAGE_TLS, 0,
                                     "the server's certificate is not good: "
                                     "%s", X509_verify_cert_error_string(rc));
        return;
    }

    name = ngx_http_rms_redis_tls_name(conn);

    if (!ngx_http_rms_redis_tls_fits(c, name)) {
        ngx_http_rms_redis_conn_fail(conn, RMS_REDIS_STAGE_TLS, 0,
                                     "the server's certificate is not for "
                                     "\"%V\"; see \"tls_name\"", name);
        return;
    }

    ngx_http_rms_redis_conn_login(conn);
}


static ngx_str_t *
ngx_http_rms_redis_tls_name(ngx_http_rms_redis_conn_t *conn)
{
    return conn->redis->tls_name.len ? &conn->redis->tls_name
                                     : &conn->server->host;
}


static ngx_uint_t
ngx_http_rms_redis_tls_literal(ngx_str_t *name)
{
#if (NGX_HAVE_INET6)
    u_char  addr6[16];

    if (ngx_inet6_addr(name->data, name->len, addr6) == NGX_OK) {
        return 1;
    }
#endif

    return ngx_inet_addr(name->data, name->len) != INADDR_NONE;
}


static ngx_uint_t
ngx_http_rms_redis_tls_fits(ngx_connection_t *c, ngx_str_t *name)
{
    int    rc;
    X509  *cert;

    if (!ngx_http_rms_redis_tls_literal(name)) {
        return ngx_ssl_check_host(c, name) == NGX_OK;
    }

    cert = SSL_get1_peer_certificate(c->ssl->connection);

    if (cert == NULL) {
        return 0;
    }

    rc = X509_check_ip_asc(cert, (char *) name->data, 0);

    X509_free(cert);

    return rc == 1;
}


#else


/* "tls on" is refused at load. */

void
ngx_http_rms_redis_conn_tls(ngx_http_rms_redis_conn_t *conn)
{
    ngx_http_rms_redis_conn_fail(conn, RMS_REDIS_STAGE_TLS, 0,
                                 "nginx is built without TLS");
}

#endif
