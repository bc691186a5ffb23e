
/*
 * Checks of how a location finds its callers that need more than its own
 * directives: the certificates of the server, other modules, thread pools.
 * Load time only.
 */


#include "ngx_http_rms_module.h"
#include "ngx_http_rms_conf.h"


typedef struct {
    ngx_conf_t                  *cf;
    ngx_http_core_srv_conf_t    *cscf;
    ngx_http_core_loc_conf_t    *clcf;
    ngx_http_rms_loc_conf_t     *rlcf;
} ngx_http_rms_place_t;


static ngx_int_t ngx_http_rms_check_shared(ngx_http_rms_place_t *place);
static ngx_int_t ngx_http_rms_check_ntlm(ngx_http_rms_place_t *place);
static void ngx_http_rms_check_headers(ngx_http_rms_place_t *place);
static ngx_int_t ngx_http_rms_check_cert(ngx_http_rms_place_t *place);
static ngx_int_t ngx_http_rms_check_session(ngx_http_rms_place_t *place);
static ngx_int_t ngx_http_rms_check_cookie(ngx_http_rms_place_t *place);
static ngx_int_t ngx_http_rms_check_cookie_name(ngx_http_rms_place_t *place,
    ngx_str_t *name);
static ngx_uint_t ngx_http_rms_has_tls(ngx_http_rms_place_t *place);
static ngx_uint_t ngx_http_rms_realip(ngx_http_rms_place_t *place);
static ngx_int_t ngx_http_rms_check_binding(ngx_http_rms_place_t *place);
static ngx_int_t ngx_http_rms_check_partner(ngx_http_rms_place_t *place);
#if (NGX_HTTP_SSL)
static ngx_int_t ngx_http_rms_check_bindable(ngx_http_rms_place_t *place,
    SSL_CTX *ssl);
static void ngx_http_rms_check_tickets(ngx_http_rms_place_t *place);
#endif


/*
 * The real ip module has no header of its own; these are the first members of
 * its location configuration in every nginx from 1.22 on.
 */

typedef struct {
    ngx_array_t                 *from;
    ngx_uint_t                   type;
} ngx_http_rms_realip_t;

#define NGX_HTTP_RMS_REALIP_PROXY  3

/* bytes of an Authorization header with a ticket of about 1,000 groups */
#define NGX_HTTP_RMS_TICKET_HEADER  (16 * 1024)


ngx_int_t
ngx_http_rms_check_callers(ngx_conf_t *cf, ngx_http_core_srv_conf_t *cscf,
    ngx_http_core_loc_conf_t *clcf)
{
    ngx_http_rms_place_t  place;

    place.cf = cf;
    place.cscf = cscf;
    place.clcf = clcf;
    place.rlcf = clcf->loc_conf[ngx_http_rms_module.ctx_index];

    if (place.rlcf->handover) {
        return NGX_OK;
    }

    if (ngx_http_rms_check_partner(&place) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_rms_check_shared(&place) != NGX_OK) {
        return NGX_ERROR;
    }

    if (place.rlcf->auth == NGX_HTTP_RMS_AUTH_OFF) {
        return NGX_OK;
    }

    if (ngx_http_rms_check_ntlm(&place) != NGX_OK
        || ngx_http_rms_check_cert(&place) != NGX_OK
        || ngx_http_rms_check_session(&place) != NGX_OK
        || ngx_http_rms_check_binding(&place) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_rms_check_headers(&place);

    return NGX_OK;
}


/* What needs a login, or Redis, and has none. */

static ngx_int_t
ngx_http_rms_check_shared(ngx_http_rms_place_t *place)
{
    const char                *what;
    ngx_http_rms_loc_conf_t   *rlcf;
    ngx_http_rms_main_conf_t  *rmcf;

    rlcf = place->rlcf;
    rmcf = ngx_http_conf_get_module_main_conf(place->cf, ngx_http_rms_module);

    if (rlcf->admin && (rlcf->auth == NGX_HTTP_RMS_AUTH_OFF
                        || rlcf->list == NULL))
    {
        ngx_log_error(NGX_LOG_EMERG, place->cf->log, 0,
                      "\"rms_admin\" in location \"%V\" needs a login and an "
                      "admin; write \"rms_auth negotiate;\" and \"rms_allow "
                      "admin account=NAME@REALM;\" into it",
                      &place->clcf->name);
        return NGX_ERROR;
    }

    what = rlcf->replay == NGX_HTTP_RMS_REPLAY_SHARED ? "rms_replay shared"
           : rlcf->acl_max_age ? "rms_acl_max_age"
           : rlcf->store_error == NGX_HTTP_RMS_STORE_DENY
           ? "rms_on_store_error deny" : NULL;

    if (what && rmcf->redis == NULL) {
        ngx_log_error(NGX_LOG_EMERG, place->cf->log, 0,
                      "\"%s\" in location \"%V\" needs Redis; write an "
                      "\"rms_redis { server HOST:6379; }\" block, or leave it "
                      "out", what, &place->clcf->name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * Where groups count, tickets have them: 1,000 take 13 kB in base64.  nginx
 * answers a header that does not fit before anybody is asked.
 */

static void
ngx_http_rms_check_headers(ngx_http_rms_place_t *place)
{
    size_t  size;

    size = place->cscf->large_client_header_buffers.size;

    if (!(place->rlcf->auth & NGX_HTTP_RMS_AUTH_NEGOTIATE)
        || place->rlcf->list == NULL
        || !(place->rlcf->list->base->wants_sids || place->rlcf->list->rmcf)
        || size >= NGX_HTTP_RMS_TICKET_HEADER)
    {
        return;
    }

    ngx_log_error(NGX_LOG_WARN, place->cf->log, 0,
                  "rules by \"sid=\" in location \"%V\", but tickets of "
                  "accounts in many groups do not fit into header buffers of "
                  "%uz bytes; write \"large_client_header_buffers 8 64k;\" "
                  "into the server", &place->clcf->name, size);
}


static ngx_int_t
ngx_http_rms_check_ntlm(ngx_http_rms_place_t *place)
{
    ngx_http_rms_main_conf_t  *rmcf;

    if (!(place->rlcf->auth & NGX_HTTP_RMS_AUTH_NTLM)) {
        return NGX_OK;
    }

    rmcf = ngx_http_conf_get_module_main_conf(place->cf, ngx_http_rms_module);

    if (rmcf->ntlm_pool == NULL) {
        ngx_log_error(NGX_LOG_EMERG, place->cf->log, 0,
                      "\"rms_auth ... ntlm\" in location \"%V\" needs a thread "
                      "pool of its own, for domain controllers that do not "
                      "answer; write \"thread_pool rms_ntlm threads=16 "
                      "max_queue=256;\" and \"rms_thread_pool krb5=NAME "
                      "ntlm=rms_ntlm;\"", &place->clcf->name);
        return NGX_ERROR;
    }

    if (place->rlcf->session == NGX_HTTP_RMS_SESSION_OFF) {
        ngx_log_error(NGX_LOG_WARN, place->cf->log, 0,
                      "\"rms_auth ... ntlm\" in location \"%V\" without "
                      "sessions: each request takes three round trips; write "
                      "\"rms_session connection;\"", &place->clcf->name);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_rms_check_cert(ngx_http_rms_place_t *place)
{
#if (NGX_HTTP_SSL)
    ngx_http_ssl_srv_conf_t  *sscf;

    if (!(place->rlcf->auth & NGX_HTTP_RMS_AUTH_CERT)) {
        return NGX_OK;
    }

    sscf = place->cscf->ctx->srv_conf[ngx_http_ssl_module.ctx_index];

    /* "optional_no_ca" lets any certificate in */

    if (sscf->verify == 1 || sscf->verify == 2) {
        return NGX_OK;
    }

#else

    if (!(place->rlcf->auth & NGX_HTTP_RMS_AUTH_CERT)) {
        return NGX_OK;
    }

#endif

    ngx_log_error(NGX_LOG_EMERG, place->cf->log, 0,
                  "\"rms_auth cert\" in location \"%V\", but its server "
                  "verifies no certificates; write \"ssl_verify_client "
                  "optional;\" and \"ssl_client_certificate FILE;\" into the "
                  "server", &place->clcf->name);

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_rms_check_session(ngx_http_rms_place_t *place)
{
    if (place->rlcf->session == NGX_HTTP_RMS_SESSION_CONNECTION
        && ngx_http_rms_realip(place))
    {
        ngx_log_error(NGX_LOG_EMERG, place->cf->log, 0,
                      "\"rms_session connection\" in location \"%V\" behind a "
                      "proxy that sends the client's address in a header: its "
                      "connections are of no one client; write \"rms_session "
                      "cookie;\", or let it speak the PROXY protocol and "
                      "write \"real_ip_header proxy_protocol;\"",
                      &place->clcf->name);
        return NGX_ERROR;
    }

    if (place->rlcf->session == NGX_HTTP_RMS_SESSION_COOKIE
        && place->rlcf->binding == RMS_CBIND_REQUIRE)
    {
        ngx_log_error(NGX_LOG_EMERG, place->cf->log, 0,
                      "\"rms_session cookie\" beside \"rms_channel_binding "
                      "require\" in location \"%V\": a cookie is bound to no "
                      "channel; write \"rms_session connection;\"",
                      &place->clcf->name);
        return NGX_ERROR;
    }

    return ngx_http_rms_check_cookie(place);
}


/* Clients keep cookies of such names over TLS alone (RFC 6265bis 4.1.3). */

static ngx_int_t
ngx_http_rms_check_cookie(ngx_http_rms_place_t *place)
{
    ngx_str_t  *name;

    name = &place->rlcf->session_name;

    if (place->rlcf->session != NGX_HTTP_RMS_SESSION_COOKIE) {
        return NGX_OK;
    }

    if (ngx_http_rms_check_cookie_name(place, name) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_rms_has_tls(place)
        || (ngx_strncasecmp(name->data, (u_char *) "__Host-", 7) != 0
            && ngx_strncasecmp(name->data, (u_char *) "__Secure-", 9) != 0))
    {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, place->cf->log, 0,
                  "\"rms_session cookie name=%V\" in location \"%V\" of a "
                  "server without TLS: clients drop such a cookie; write "
                  "\"listen 443 ssl;\" and \"ssl_certificate\", or another "
                  "name", name, &place->clcf->name);

    return NGX_ERROR;
}


/* Clients send a cookie to all locations of a host: none passes it on. */

static ngx_int_t
ngx_http_rms_check_cookie_name(ngx_http_rms_place_t *place, ngx_str_t *name)
{
    ngx_str_t                 *names;
    ngx_uint_t                 i;
    ngx_http_rms_main_conf_t  *rmcf;

    rmcf = ngx_http_conf_get_module_main_conf(place->cf, ngx_http_rms_module);

    names = rmcf->cookies.elts;

    for (i = 0; i < rmcf->cookies.nelts; i++) {
        if (rms_str_eq(&names[i], name)) {
            return NGX_OK;
        }
    }

    names = ngx_array_push(&rmcf->cookies);
    if (names == NULL) {
        return NGX_ERROR;
    }

    *names = *name;

    return NGX_OK;
}


static ngx_uint_t
ngx_http_rms_has_tls(ngx_http_rms_place_t *place)
{
#if (NGX_HTTP_SSL)
    ngx_http_ssl_srv_conf_t  *sscf;

    sscf = place->cscf->ctx->srv_conf[ngx_http_ssl_module.ctx_index];

    return sscf->ssl.ctx != NULL;
#else
    return 0;
#endif
}


/* Does a header of the request say where it comes from? */

static ngx_uint_t
ngx_http_rms_realip(ngx_http_rms_place_t *place)
{
    ngx_uint_t               i;
    ngx_module_t            *module;
    ngx_http_rms_realip_t   *realip;

    for (i = 0; place->cf->cycle->modules[i]; i++) {
        module = place->cf->cycle->modules[i];

        if (module->type != NGX_HTTP_MODULE
            || ngx_strcmp(module->name, "ngx_http_realip_module") != 0)
        {
            continue;
        }

        realip = place->clcf->loc_conf[module->ctx_index];

        return realip->from != NULL && realip->from != NGX_CONF_UNSET_PTR
               && realip->type != NGX_HTTP_RMS_REALIP_PROXY;
    }

    return 0;
}


static ngx_int_t
ngx_http_rms_check_binding(ngx_http_rms_place_t *place)
{
#if (NGX_HTTP_SSL)
    ngx_http_ssl_srv_conf_t  *sscf;

    if (place->rlcf->binding == RMS_CBIND_OFF) {
        return NGX_OK;
    }

    sscf = place->cscf->ctx->srv_conf[ngx_http_ssl_module.ctx_index];

    if (sscf->ssl.ctx) {
        ngx_http_rms_check_tickets(place);

        return ngx_http_rms_check_bindable(place, sscf->ssl.ctx);
    }

#else

    if (place->rlcf->binding == RMS_CBIND_OFF) {
        return NGX_OK;
    }

#endif

    if (place->rlcf->binding == RMS_CBIND_REQUIRE) {
        ngx_log_error(NGX_LOG_EMERG, place->cf->log, 0,
                      "\"rms_channel_binding require\" in location \"%V\" of a "
                      "server without TLS: nobody could log in; write "
                      "\"listen 443 ssl;\" and \"ssl_certificate\", or "
                      "\"rms_channel_binding off;\"", &place->clcf->name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


#if (NGX_HTTP_SSL)

/* OpenSSL asks the first server of the address, whichever SNI selects. */

static void
ngx_http_rms_check_tickets(ngx_http_rms_place_t *place)
{
    ngx_uint_t                  i;
    ngx_http_ssl_srv_conf_t    *sscf;
    ngx_http_core_srv_conf_t  **cscf;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(place->cf, ngx_http_core_module);
    cscf = cmcf->servers.elts;

    for (i = 0; i < cmcf->servers.nelts; i++) {
        sscf = cscf[i]->ctx->srv_conf[ngx_http_ssl_module.ctx_index];

        if (sscf->ssl.ctx) {
            ngx_http_rms_binding_sessions(sscf->ssl.ctx);
        }
    }
}


/* Certificates whose binding no two clients compute alike. */

static ngx_int_t
ngx_http_rms_check_bindable(ngx_http_rms_place_t *place, SSL_CTX *ssl)
{
    int           more;
    X509         *cert;
    rms_cbind_t   binding;

    for (more = SSL_CTX_set_current_cert(ssl, SSL_CERT_SET_FIRST);
         more == 1;
         more = SSL_CTX_set_current_cert(ssl, SSL_CERT_SET_NEXT))
    {
        cert = SSL_CTX_get0_certificate(ssl);

        if (cert == NULL || rms_cbind_server(cert, &binding) == RMS_OK) {
            continue;
        }

        ngx_log_error(NGX_LOG_EMERG, place->cf->log, 0,
                      "\"rms_channel_binding\" in location \"%V\": the "
                      "signature of the server's certificate has no hash of "
                      "its own (Ed25519, Ed448), and clients differ on what "
                      "to do then; write a certificate that is signed with "
                      "RSA or ECDSA", &place->clcf->name);
        return NGX_ERROR;
    }

    return NGX_OK;
}

#endif


/* Partners have a place of their own: see ngx_http_rms_partner_mix(). */

static ngx_int_t
ngx_http_rms_check_partner(ngx_http_rms_place_t *place)
{
    const char            *why;
    ngx_http_rms_list_t   *list;
    const rms_acl_rule_t  *rule;

    list = place->rlcf->list;

    if (list == NULL || place->rlcf->pass == NULL) {
        return NGX_OK;
    }

    list->relays = 1;

    if (place->rlcf->auth != NGX_HTTP_RMS_AUTH_OFF) {
        list->logins = 1;
    }

    rule = ngx_http_rms_partner_mix(list, list->base, &why);

    if (rule == NULL) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, place->cf->log, 0,
                  "\"rms_allow partner any\" in %V:%ui is for anonymous "
                  "partners, but location \"%V\" %s; give partners a server "
                  "or location of their own, with \"rms_auth off;\" and no "
                  "other rule", &rule->file, (ngx_uint_t) rule->line,
                  &place->clcf->name, why);

    return NGX_ERROR;
}
