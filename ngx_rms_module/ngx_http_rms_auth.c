
/*
 * The ACCESS phase: steps 1 (classify) and 2 (identify) of a request's way.
 * It returns only 400, 401, 403, 404, 503 and never decides what a caller may
 * do; the guard of hand-over locations runs before it, in PREACCESS.
 */


#include "ngx_http_rms_module.h"
#include "rms_ntlm.h"


static ngx_int_t ngx_http_rms_elsewhere(ngx_http_request_t *r);
static ngx_int_t ngx_http_rms_identify(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx);
static ngx_int_t ngx_http_rms_known(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx);
static ngx_int_t ngx_http_rms_unauthorized(ngx_http_rms_ctx_t *ctx);
static ngx_int_t ngx_http_rms_token(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx, rms_str_t *credentials, rms_scheme_e scheme);
static ngx_int_t ngx_http_rms_leg(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx, rms_str_t *token);
static ngx_int_t ngx_http_rms_leg_alone(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx);
static ngx_int_t ngx_http_rms_identified(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx);


/*
 * A hand-over location is entered through rms_pass alone.  PREACCESS runs for
 * subrequests too, ACCESS does not.
 */

ngx_int_t
ngx_http_rms_preaccess_handler(ngx_http_request_t *r)
{
    ngx_str_t                  uri;
    ngx_http_rms_ctx_t        *ctx;
    ngx_http_rms_loc_conf_t   *rlcf;
    ngx_http_core_loc_conf_t  *clcf;

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_rms_module);

    if (!rlcf->handover) {
        return ngx_http_rms_elsewhere(r);
    }

    ctx = ngx_http_rms_ctx_get(r);
    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    /* once, and into the location of the backend that was decided on */

    if (ctx && ctx->handed_over && ctx->verdict.allow && !ctx->entered
        && clcf->name.len == ctx->backend->pass.len
        && ngx_memcmp(clcf->name.data, ctx->backend->pass.data,
                      clcf->name.len) == 0)
    {
        ctx->entered = 1;

        /* a rewrite of the location would undo the table: law 1 */

        if (r->uri.data == ctx->uri.data && r->uri.len == ctx->uri.len
            && r->args.len == 0)
        {
            return NGX_DECLINED;
        }
    }

    ngx_http_rms_count_reason(r, RMS_REASON_NO_VERDICT);

    uri = ngx_http_rms_escape(r->pool, &r->uri);

    ngx_http_rms_event(NGX_LOG_ERR, r->connection->log, 0,
                       "denied: reason=no_verdict uri=\"%V\"; a location of "
                       "\"pass\" is entered through \"rms_pass\" alone, and "
                       "rewrites nothing", &uri);

    return NGX_HTTP_FORBIDDEN;
}


/*
 * A request that was handed over and has left its location (a rewrite), or a
 * subrequest of one (a mirror): our identity does not go along.
 */

static ngx_int_t
ngx_http_rms_elsewhere(ngx_http_request_t *r)
{
    ngx_http_rms_ctx_t  *ctx;

    ctx = ngx_http_rms_ctx_get(r->main);

    if (ctx == NULL || !ctx->handed_over) {
        return NGX_DECLINED;
    }

    if (r == r->main && !ctx->entered) {
        ngx_http_rms_count_reason(r, RMS_REASON_NO_VERDICT);
        return NGX_HTTP_FORBIDDEN;
    }

    if (!ctx->verdict.attach_identity) {
        return NGX_DECLINED;
    }

    return ngx_http_rms_drop_identity(r) == NGX_OK
           ? NGX_DECLINED : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


ngx_int_t
ngx_http_rms_access_handler(ngx_http_request_t *r)
{
    ngx_int_t                 rc;
    ngx_http_rms_ctx_t       *ctx;
    ngx_http_rms_loc_conf_t  *rlcf;

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_rms_module);

    if (rlcf->handover) {
        /* PREACCESS has seen the verdict */
        return NGX_OK;
    }

    if (rlcf->pass == NULL && rlcf->auth == NGX_HTTP_RMS_AUTH_OFF) {
        return NGX_DECLINED;
    }

    ctx = ngx_http_rms_ctx_create(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->auth_state == NGX_HTTP_RMS_WAITING) {
        return NGX_AGAIN;
    }

    if (rlcf->pass) {
        rc = ngx_http_rms_classify(r, ctx);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    rc = ngx_http_rms_store_await(r, ctx);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_rms_store_check(r, ctx);
    if (rc != NGX_OK) {
        return rc;
    }

    if (rlcf->auth == NGX_HTTP_RMS_AUTH_OFF) {
        return NGX_DECLINED;
    }

    if ((rlcf->auth & NGX_HTTP_RMS_AUTH_NEGOTIATE) && rlcf->acceptor == NULL) {
        return ngx_http_rms_refuse(r, ctx, RMS_REASON_AUTH_UNAVAILABLE,
                                   NGX_HTTP_SERVICE_UNAVAILABLE);
    }

    if (ctx->auth_state == NGX_HTTP_RMS_REFUSED) {
        return ngx_http_rms_refuse(r, ctx, ctx->auth_reason, ctx->auth_status);
    }

    if (ctx->auth_state == NGX_HTTP_RMS_IDENTIFIED) {
        return ngx_http_rms_identified(r, ctx);
    }

    return ngx_http_rms_identify(r, ctx);
}


/* Which endpoint is this?  A path that is not in the table ends here. */

ngx_int_t
ngx_http_rms_classify(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx)
{
    rms_str_t  target;

    if (!ctx->classified) {
        ctx->classified = 1;

        if (r->valid_unparsed_uri) {
            target = r->unparsed_uri;
            ctx->path = rms_endpoint_find(&target, 1);

        } else {
            /* rewritten by the operator: already decoded, without arguments */
            target = r->uri;
            ctx->path = rms_endpoint_find(&target, 0);
        }
    }

    switch (ctx->path.kind) {

    case RMS_PATH_BAD:
        return ngx_http_rms_refuse(r, ctx, RMS_REASON_BAD_PATH,
                                   NGX_HTTP_BAD_REQUEST);

    case RMS_PATH_UNKNOWN:
        return ngx_http_rms_refuse(r, ctx, RMS_REASON_UNKNOWN_PATH,
                                   NGX_HTTP_NOT_FOUND);

    default:
        return NGX_OK;
    }
}


/* A refusal of the phase: the status goes to nginx, the reason to the log. */

ngx_int_t
ngx_http_rms_refuse(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx,
    rms_reason_e reason, ngx_int_t status)
{
    ngx_str_t   uri, after = ngx_string(NGX_HTTP_RMS_RETRY_AFTER);
    ngx_uint_t  quiet;

    ctx->auth_reason = reason;

    ngx_http_rms_count_reason(r, reason);

    if (status == NGX_HTTP_UNAUTHORIZED
        && ngx_http_rms_challenge(r, ctx, reason == RMS_REASON_AUTH_CONTINUE
                                          ? &ctx->auth_token : NULL)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (status == NGX_HTTP_SERVICE_UNAVAILABLE
        && ngx_http_rms_header_out(r, "Retry-After", &after) == NULL)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    uri = ngx_http_rms_escape(r->pool, &r->unparsed_uri);

    /* what every handshake has, or what a line of its own told already */

    quiet = (status == NGX_HTTP_UNAUTHORIZED
             && reason != RMS_REASON_AUTH_MALFORMED
             && reason != RMS_REASON_AUTH_SCHEME);

    ngx_http_rms_event(quiet ? NGX_LOG_INFO : NGX_LOG_WARN,
                       r->connection->log, 0,
                       "refused: reason=%V status=%i uri=\"%V\"",
                       rms_reason_name(reason), status, &uri);

    return status;
}


/*
 * What a request brings of its own counts before a session: a client that logs
 * in again may be somebody else by now.
 */

static ngx_int_t
ngx_http_rms_identify(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx)
{
    rms_str_t     value[2], credentials;
    ngx_uint_t    n;
    rms_scheme_e  scheme;

    n = ngx_http_rms_header_find(&r->headers_in.headers, "Authorization",
                                 sizeof("Authorization") - 1, value, 2);

    if (n > 1) {
        return ngx_http_rms_refuse(r, ctx, RMS_REASON_AUTH_MALFORMED,
                                   NGX_HTTP_BAD_REQUEST);
    }

    scheme = n ? rms_authorization_split(&value[0], &credentials)
               : RMS_SCHEME_NONE;

    if (scheme == RMS_SCHEME_NONE) {
        return ngx_http_rms_known(r, ctx);
    }

    ngx_http_rms_session_unbind(r);

    if (scheme == RMS_SCHEME_NEGOTIATE
        && (ctx->conf->auth & NGX_HTTP_RMS_AUTH_NEGOTIATE))
    {
        return ngx_http_rms_token(r, ctx, &credentials, scheme);
    }

    if (scheme == RMS_SCHEME_NTLM) {
        return ngx_http_rms_token(r, ctx, &credentials, scheme);
    }

    return ngx_http_rms_refuse(r, ctx, RMS_REASON_AUTH_SCHEME,
                               ngx_http_rms_unauthorized(ctx));
}


/* No Authorization: a session, a certificate, or the challenges. */

static ngx_int_t
ngx_http_rms_known(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx)
{
    ngx_int_t  rc;

    rc = ngx_http_rms_session_find(r, ctx);

    if (rc == NGX_AGAIN) {
        return rc;
    }

    if (rc == NGX_DECLINED && (ctx->conf->auth & NGX_HTTP_RMS_AUTH_CERT)) {
        rc = ngx_http_rms_cert_identify(r, ctx);
    }

    if (rc == NGX_OK) {
        return ngx_http_rms_identified(r, ctx);
    }

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_rms_refuse(r, ctx, RMS_REASON_NO_CREDENTIALS,
                               ngx_http_rms_unauthorized(ctx));
}


/* A 401 has a challenge (RFC 9110 15.5.2); for certificates there is none. */

static ngx_int_t
ngx_http_rms_unauthorized(ngx_http_rms_ctx_t *ctx)
{
    return (ctx->conf->auth & NGX_HTTP_RMS_AUTH_NEGOTIATE)
           ? NGX_HTTP_UNAUTHORIZED : NGX_HTTP_FORBIDDEN;
}


static ngx_int_t
ngx_http_rms_token(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx,
    rms_str_t *credentials, rms_scheme_e scheme)
{
    rms_rc_e   rc;
    ngx_int_t  status;
    rms_str_t  token;

    /* heap, not pool: the token goes to a thread and may outlive us */

    token.len = 0;
    token.data = malloc(rms_base64_decoded_max(credentials->len) + 1);
    if (token.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = rms_base64_decode(credentials, RMS_TOKEN_MAX, &token);

    if (rc != RMS_OK || token.len == 0) {
        free(token.data);
        return ngx_http_rms_refuse(r, ctx, RMS_REASON_AUTH_MALFORMED,
                                   NGX_HTTP_BAD_REQUEST);
    }

    ctx->scheme = scheme;

    status = ngx_http_rms_leg(r, ctx, &token);

    /* handed to a login, the token is not ours any more */

    if (status != NGX_AGAIN) {
        free(token.data);
    }

    return status;
}


/* One policy for all framings of a mechanism (D10). */

static ngx_int_t
ngx_http_rms_leg(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx,
    rms_str_t *token)
{
    rms_token_info_t      info;
    ngx_http_rms_conn_t  *conn;

    info = rms_token_sniff(token);
    conn = ngx_http_rms_conn_find(r->connection);

    /* a first leg drops what an earlier handshake left */

    if (conn && conn->leg.context
        && (info.kind == RMS_TOKEN_SPNEGO_INIT || info.kind == RMS_TOKEN_KRB5
            || rms_ntlm_type(token) == RMS_NTLM_NEGOTIATE
            || ngx_memcmp(conn->leg.scope, ctx->conf->scope,
                          NGX_HTTP_RMS_SCOPE)
               != 0))
    {
        rms_gss_context_free(ngx_http_rms_leg_take(conn));
    }

    if (ctx->scheme == RMS_SCHEME_NTLM
        || rms_gss_ntlm_wanted(token, conn ? conn->leg.context : NULL))
    {
        /* no new challenge: it would only bring the same token again (D46) */

        if (!ngx_http_rms_ntlm_possible(r, ctx->conf)) {
            return ngx_http_rms_refuse(r, ctx, RMS_REASON_NTLM_NOT_ALLOWED,
                                       NGX_HTTP_FORBIDDEN);
        }

        return ngx_http_rms_gss_start(r, ctx, token, RMS_SESSION_NTLM, conn);
    }

    switch (info.kind) {

    case RMS_TOKEN_SPNEGO_RESP:

        if (conn == NULL || conn->leg.context == NULL) {
            return ngx_http_rms_leg_alone(r, ctx);
        }

        return ngx_http_rms_gss_start(r, ctx, token, RMS_SESSION_KERBEROS,
                                      conn);

    case RMS_TOKEN_SPNEGO_INIT:
    case RMS_TOKEN_KRB5:
        return ngx_http_rms_gss_start(r, ctx, token, RMS_SESSION_KERBEROS,
                                      NULL);

    default:
        return ngx_http_rms_refuse(r, ctx, RMS_REASON_AUTH_MALFORMED,
                                   NGX_HTTP_UNAUTHORIZED);
    }
}


static ngx_int_t
ngx_http_rms_leg_alone(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx)
{
    ngx_http_rms_event(NGX_LOG_WARN, r->connection->log, 2000,
                       "no usable principal: a later leg of a handshake, but "
                       "leg 1 was not on this connection (or too long ago); "
                       "does a proxy in front of us share connections?");

    return ngx_http_rms_refuse(r, ctx, RMS_REASON_AUTH_FAILED,
                               NGX_HTTP_UNAUTHORIZED);
}


/* NTLM authenticates connections: HTTP/1.1 has them, streams have not. */

ngx_uint_t
ngx_http_rms_ntlm_possible(ngx_http_request_t *r,
    ngx_http_rms_loc_conf_t *rlcf)
{
    return (rlcf->auth & NGX_HTTP_RMS_AUTH_NTLM)
           && r->http_version == NGX_HTTP_VERSION_11;
}


/* A location without rms_pass has no verdict: a role is what admits. */

static ngx_int_t
ngx_http_rms_identified(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx)
{
    ngx_http_rms_loc_conf_t  *rlcf;

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_rms_module);

    if (rlcf->pass) {
        return NGX_OK;
    }

    ngx_http_rms_authorise(r, ctx);

    if (ctx->acl.role == RMS_ROLE_NONE) {
        ctx->verdict = rms_policy_refuse(ctx->acl.reason);
        ngx_http_rms_log_verdict(r, ctx);
        ngx_http_rms_count_verdict(r, ctx);

        return NGX_HTTP_FORBIDDEN;
    }

    return NGX_OK;
}
