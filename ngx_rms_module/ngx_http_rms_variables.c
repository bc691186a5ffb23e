
/*
 * The $rms_* variables: what the context knows, for logs and proxy settings.
 * They are read, never a source of identity.
 */


#include "ngx_http_rms_module.h"
#include "ngx_http_rms_conf.h"


static ngx_int_t ngx_http_rms_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static void ngx_http_rms_variable_caller(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx, uintptr_t what, ngx_str_t *s);
static void ngx_http_rms_variable_sid(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx, ngx_str_t *s);
static void ngx_http_rms_variable_age(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx, ngx_str_t *s);
static void ngx_http_rms_variable_request(ngx_http_rms_ctx_t *ctx,
    uintptr_t what, ngx_str_t *s);


enum {
    NGX_HTTP_RMS_VAR_ACCOUNT = 0,
    NGX_HTTP_RMS_VAR_SID,
    NGX_HTTP_RMS_VAR_ROLE,
    NGX_HTTP_RMS_VAR_AUTH,
    NGX_HTTP_RMS_VAR_LIST_AGE,
    NGX_HTTP_RMS_VAR_ENDPOINT,
    NGX_HTTP_RMS_VAR_OPERATION,
    NGX_HTTP_RMS_VAR_BACKEND,
    NGX_HTTP_RMS_VAR_UPSTREAM_HOST,
    NGX_HTTP_RMS_VAR_VERDICT,
    NGX_HTTP_RMS_VAR_REASON,
    NGX_HTTP_RMS_VAR_CLIENT,
    NGX_HTTP_RMS_VAR_CLIENT_VERSION,
    NGX_HTTP_RMS_VAR_LICENSOR,
    NGX_HTTP_RMS_VAR_REQUEST_ID
};


static struct {
    ngx_str_t    name;
    uintptr_t    what;
} ngx_http_rms_variables[] = {
    { ngx_string("rms_account"), NGX_HTTP_RMS_VAR_ACCOUNT },
    { ngx_string("rms_sid"), NGX_HTTP_RMS_VAR_SID },
    { ngx_string("rms_role"), NGX_HTTP_RMS_VAR_ROLE },
    { ngx_string("rms_auth"), NGX_HTTP_RMS_VAR_AUTH },
    { ngx_string("rms_list_age"), NGX_HTTP_RMS_VAR_LIST_AGE },
    { ngx_string("rms_endpoint"), NGX_HTTP_RMS_VAR_ENDPOINT },
    { ngx_string("rms_operation"), NGX_HTTP_RMS_VAR_OPERATION },
    { ngx_string("rms_backend"), NGX_HTTP_RMS_VAR_BACKEND },
    { ngx_string("rms_upstream_host"), NGX_HTTP_RMS_VAR_UPSTREAM_HOST },
    { ngx_string("rms_verdict"), NGX_HTTP_RMS_VAR_VERDICT },
    { ngx_string("rms_reason"), NGX_HTTP_RMS_VAR_REASON },
    { ngx_string("rms_client"), NGX_HTTP_RMS_VAR_CLIENT },
    { ngx_string("rms_client_version"), NGX_HTTP_RMS_VAR_CLIENT_VERSION },
    { ngx_string("rms_licensor"), NGX_HTTP_RMS_VAR_LICENSOR },
    { ngx_string("rms_request_id"), NGX_HTTP_RMS_VAR_REQUEST_ID }
};


ngx_int_t
ngx_http_rms_add_variables(ngx_conf_t *cf)
{
    ngx_uint_t            i;
    ngx_http_variable_t  *var;

    for (i = 0;
         i < sizeof(ngx_http_rms_variables) / sizeof(ngx_http_rms_variables[0]);
         i++)
    {
        var = ngx_http_add_variable(cf, &ngx_http_rms_variables[i].name,
                                    NGX_HTTP_VAR_NOCACHEABLE);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = ngx_http_rms_variable;
        var->data = ngx_http_rms_variables[i].what;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_rms_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    ngx_str_t            s;
    ngx_http_rms_ctx_t  *ctx;

    ngx_str_null(&s);

    ctx = ngx_http_rms_ctx_get(r);

    if (ctx) {
        if (data == NGX_HTTP_RMS_VAR_LIST_AGE) {
            ngx_http_rms_variable_age(r, ctx, &s);

        } else if (data < NGX_HTTP_RMS_VAR_LIST_AGE) {
            ngx_http_rms_variable_caller(r, ctx, data, &s);

        } else {
            ngx_http_rms_variable_request(ctx, data, &s);
        }
    }

    if (s.len == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->len = s.len;
    v->data = s.data;
    v->valid = 1;
    v->no_cacheable = 1;
    v->not_found = 0;

    return NGX_OK;
}


static void
ngx_http_rms_variable_caller(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx,
    uintptr_t what, ngx_str_t *s)
{
    switch (what) {

    case NGX_HTTP_RMS_VAR_ACCOUNT:
        *s = *ngx_http_rms_account_name(ctx);
        break;

    case NGX_HTTP_RMS_VAR_ROLE:
        if (ctx->authorised) {
            *s = *rms_role_name(ctx->acl.role);
        }
        break;

    case NGX_HTTP_RMS_VAR_AUTH:
        if (ctx->caller) {
            *s = *ngx_http_rms_mech_name(ctx->caller->mech);
        }
        break;

    default:
        ngx_http_rms_variable_sid(r, ctx, s);
        break;
    }
}


/* The account's own SID, where its groups were read. */

static void
ngx_http_rms_variable_sid(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx,
    ngx_str_t *s)
{
    if (ctx->caller == NULL || ctx->caller->user == NULL) {
        return;
    }

    s->data = ngx_pnalloc(r->pool, RMS_SID_TEXT_MAX);

    if (s->data) {
        s->len = rms_sid_format(ctx->caller->user, (char *) s->data);
    }
}


/*
 * Of a list that is all configuration there is no doubt.  Of two sources the
 * older one counts; nothing is said of a shared list that Redis never told.
 */

static void
ngx_http_rms_variable_age(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx,
    ngx_str_t *s)
{
    time_t                age, shared;
    ngx_http_rms_list_t  *list;

    list = ctx->conf->list;
    age = list && list->file ? ngx_time() - list->file->looked : 0;

    if (list && list->rmcf && list->rmcf->redis) {
        shared = ngx_http_rms_shared_age(list->rmcf);

        if (shared < 0) {
            return;
        }

        age = ngx_max(age, shared);
    }

    s->data = ngx_pnalloc(r->pool, NGX_TIME_T_LEN);

    if (s->data) {
        s->len = ngx_sprintf(s->data, "%T", ngx_max(age, 0)) - s->data;
    }
}


static void
ngx_http_rms_variable_request(ngx_http_rms_ctx_t *ctx, uintptr_t what,
    ngx_str_t *s)
{
    rms_reason_e  reason;

    reason = ngx_http_rms_reason(ctx);

    switch (what) {

    case NGX_HTTP_RMS_VAR_ENDPOINT:
        if (ctx->path.endpoint) {
            *s = *&ctx->path.endpoint->path;
        }
        break;

    case NGX_HTTP_RMS_VAR_OPERATION:
        if (ctx->operation) {
            *s = *&ctx->operation->name;
        }
        break;

    case NGX_HTTP_RMS_VAR_BACKEND:
        if (ctx->backend) {
            *s = ctx->backend->name;
        }
        break;

    case NGX_HTTP_RMS_VAR_UPSTREAM_HOST:
        if (ctx->backend) {
            *s = ctx->backend->upstream_host;
        }
        break;

    case NGX_HTTP_RMS_VAR_VERDICT:
        if (ctx->verdict.computed && ctx->verdict.allow) {
            ngx_str_set(s, "allow");

        } else if (reason) {
            ngx_str_set(s, "deny");
        }
        break;

    case NGX_HTTP_RMS_VAR_REASON:
        if (reason) {
            *s = *rms_reason_name(reason);
        }
        break;

    case NGX_HTTP_RMS_VAR_LICENSOR:
        s->len = ctx->licensor.len;
        s->data = ctx->licensor.guid;
        break;

    case NGX_HTTP_RMS_VAR_REQUEST_ID:
        s->data = ngx_http_rms_request_id(ctx);
        s->len = 32;
        break;

    default:
        /* product and version come with the reading of the User-Agent */
        break;
    }
}
