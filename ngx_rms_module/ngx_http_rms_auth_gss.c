
/*
 * Kerberos logins on the thread pool.  A task is heap memory with copies of
 * all it needs, because it may outlive its request; the request is kept alive
 * by r->main->blocked and let go when the task takes too long.
 */


#include "ngx_http_rms_module.h"


struct ngx_http_rms_task_s {
    ngx_thread_task_t            task;
    rms_gss_login_t              login;
    rms_gss_acceptor_t          *acceptor;
    ngx_http_rms_keytab_t       *keytab;
    ngx_uint_t                   legs;
    ngx_http_request_t          *request;   /* NULL: given up */
};


static void ngx_http_rms_gss_thread(void *data, ngx_log_t *log);
static void ngx_http_rms_gss_event(ngx_event_t *ev);
static void ngx_http_rms_gss_resume(ngx_http_request_t *r);
static void ngx_http_rms_task_free(ngx_http_rms_task_t *task);
static void ngx_http_rms_gss_result(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx, ngx_http_rms_task_t *task);
static void ngx_http_rms_gss_done(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx, rms_gss_login_t *login);
static void ngx_http_rms_gss_continue(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx, ngx_http_rms_task_t *task);
static void ngx_http_rms_gss_refuse(ngx_http_rms_ctx_t *ctx,
    rms_reason_e reason, ngx_int_t status);
static ngx_int_t ngx_http_rms_gss_output(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx, rms_gss_login_t *login);


/*
 * Starts one leg.  NGX_AGAIN: the token is the task's now; anything else is
 * the status of the phase, and the token is still the caller's.
 */

ngx_int_t
ngx_http_rms_gss_start(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx,
    rms_str_t *token, ngx_http_rms_leg_t *leg)
{
    ngx_event_t               *ev;
    ngx_http_rms_task_t       *task;
    ngx_http_rms_main_conf_t  *rmcf;

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_rms_module);

    task = calloc(1, sizeof(ngx_http_rms_task_t));
    if (task == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    task->keytab = ctx->conf->acceptor;
    task->acceptor = task->keytab->acceptor;
    task->legs = leg ? leg->legs + 1 : 1;
    task->request = r;

    task->login.token = *token;
    task->login.context = leg ? ngx_http_rms_leg_take(leg) : NULL;

    task->task.ctx = task;
    task->task.handler = ngx_http_rms_gss_thread;

    ev = &task->task.event;

    ev->data = task;
    ev->handler = ngx_http_rms_gss_event;
    ev->log = ngx_cycle->log;

    if (ngx_thread_task_post(rmcf->krb5_pool, &task->task) != NGX_OK) {
        task->login.token.data = NULL;
        ngx_http_rms_task_free(task);

        return ngx_http_rms_refuse(r, ctx, RMS_REASON_AUTH_BUSY,
                                   NGX_HTTP_SERVICE_UNAVAILABLE);
    }

    /* not cancelable: a worker that exits gracefully waits for the login */

    ngx_add_timer(ev, NGX_HTTP_RMS_TASK_TIMEOUT);

    ctx->task = task;
    ctx->auth_state = NGX_HTTP_RMS_WAITING;

    r->main->blocked++;
    r->aio = 1;

    return NGX_AGAIN;
}


/* On a thread of the pool: no request, no pool, no log. */

static void
ngx_http_rms_gss_thread(void *data, ngx_log_t *log)
{
    ngx_http_rms_task_t *task = data;

    rms_gss_accept(task->acceptor, &task->login);
}


/* In the worker: the login is done, or its time is over. */

static void
ngx_http_rms_gss_event(ngx_event_t *ev)
{
    ngx_http_rms_ctx_t   *ctx;
    ngx_http_request_t   *r;
    ngx_http_rms_task_t  *task;

    task = ev->data;
    r = task->request;

    if (r == NULL) {
        /* given up earlier; nobody waits for it */
        ngx_http_rms_task_free(task);
        return;
    }

    ngx_http_set_log_request(r->connection->log, r);

    ctx = ngx_http_rms_ctx_get(r);
    ctx->task = NULL;

    if (ev->complete) {

        if (ev->timer_set) {
            ngx_del_timer(ev);
        }

        ngx_http_rms_gss_result(r, ctx, task);
        ngx_http_rms_task_free(task);

    } else {
        task->request = NULL;

        ngx_http_rms_count(r, RMS_COUNT_ORPHANED_TASKS, 1);
        ngx_http_rms_event(NGX_LOG_ERR, r->connection->log, 3000,
                           "a login took longer than %ui s and was given up; "
                           "is the keytab on a slow file system?",
                           (ngx_uint_t) NGX_HTTP_RMS_TASK_TIMEOUT / 1000);

        ngx_http_rms_gss_refuse(ctx, RMS_REASON_AUTH_TIMEOUT,
                                NGX_HTTP_SERVICE_UNAVAILABLE);
    }

    ngx_http_rms_gss_resume(r);
}


static void
ngx_http_rms_gss_resume(ngx_http_request_t *r)
{
    ngx_connection_t  *c;

    c = r->connection;

    r->main->blocked--;
    r->aio = 0;

    r->write_event_handler(r);

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_rms_task_free(ngx_http_rms_task_t *task)
{
    rms_gss_login_free(&task->login);
    free(task);
}


static void
ngx_http_rms_gss_refuse(ngx_http_rms_ctx_t *ctx, rms_reason_e reason,
    ngx_int_t status)
{
    ctx->auth_state = NGX_HTTP_RMS_REFUSED;
    ctx->auth_reason = reason;
    ctx->auth_status = status;
}


static void
ngx_http_rms_gss_result(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx,
    ngx_http_rms_task_t *task)
{
    ngx_http_rms_count(r, RMS_COUNT_AUTH_LEGS, 1);

    switch (task->login.status) {

    case RMS_GSS_DONE:
        ngx_http_rms_gss_done(r, ctx, &task->login);
        return;

    case RMS_GSS_CONTINUE:
        ngx_http_rms_gss_continue(r, ctx, task);
        return;

    case RMS_GSS_UNAVAILABLE:
        ngx_http_rms_event(NGX_LOG_ERR, r->connection->log, 3000,
                           "login not possible: %s", task->login.text);
        ngx_http_rms_gss_refuse(ctx, RMS_REASON_AUTH_UNAVAILABLE,
                                NGX_HTTP_SERVICE_UNAVAILABLE);
        return;

    default:
        ngx_http_rms_event(NGX_LOG_WARN, r->connection->log, 2000,
                           "no usable principal: %s", task->login.text);
        ngx_http_rms_gss_refuse(ctx, RMS_REASON_AUTH_FAILED,
                                NGX_HTTP_UNAUTHORIZED);
        return;
    }
}


/* Kerberos is content; a token that was here before is not (law 9). */

static void
ngx_http_rms_gss_done(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx,
    rms_gss_login_t *login)
{
    rms_replay_e      replay;
    rms_acl_answer_t  acl;

    replay = RMS_REPLAY_NEW;

    if (ctx->conf->replay == NGX_HTTP_RMS_REPLAY_LOCAL) {
        acl = ngx_http_rms_role(ctx->conf, &login->account, login->foreign);
        replay = ngx_http_rms_replay_check(r, login->hash,
                                           acl.role != RMS_ROLE_NONE);
    }

    if (replay == RMS_REPLAY_FULL) {
        ngx_http_rms_event(NGX_LOG_ERR, r->connection->log, 3000,
                           "replay cache is full: logins are refused until "
                           "old ones leave it; write a larger size in "
                           "\"rms_zone\"");
        ngx_http_rms_gss_refuse(ctx, RMS_REASON_REPLAY_FULL,
                                NGX_HTTP_SERVICE_UNAVAILABLE);
        return;
    }

    if (replay == RMS_REPLAY_SEEN) {
        ngx_http_rms_event(NGX_LOG_WARN, r->connection->log, 2000,
                           "token was used before and is refused: %s",
                           login->text);
        ngx_http_rms_gss_refuse(ctx, RMS_REASON_REPLAY,
                                NGX_HTTP_UNAUTHORIZED);
        return;
    }

    ctx->account.data = ngx_pstrdup(r->pool, &login->account);
    ctx->service.data = ngx_pstrdup(r->pool, &login->service);

    if (ctx->account.data == NULL || ctx->service.data == NULL
        || ngx_http_rms_gss_output(r, ctx, login) != NGX_OK)
    {
        ngx_http_rms_gss_refuse(ctx, RMS_REASON_INTERNAL,
                                NGX_HTTP_SERVICE_UNAVAILABLE);
        return;
    }

    ctx->account.len = login->account.len;
    ctx->service.len = login->service.len;
    ctx->foreign = login->foreign;
    ctx->auth_state = NGX_HTTP_RMS_IDENTIFIED;

    ngx_http_rms_count(r, RMS_COUNT_AUTH_OK, 1);

    ngx_http_rms_event(NGX_LOG_INFO, r->connection->log, 0, "login: %s",
                       login->text);
}


/* Legs belong to a real HTTP/1.1 connection: no HTTP/2 stream has one. */

static void
ngx_http_rms_gss_continue(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx,
    ngx_http_rms_task_t *task)
{
    rms_gss_context_t  *context;

    if (r->http_version != NGX_HTTP_VERSION_11
        || task->legs >= RMS_GSS_LEGS_MAX)
    {
        ngx_http_rms_event(NGX_LOG_WARN, r->connection->log, 2000,
                           "no usable principal: a handshake of several legs "
                           "needs HTTP/1.1 and ends after %d legs: %s",
                           RMS_GSS_LEGS_MAX, task->login.text);
        ngx_http_rms_gss_refuse(ctx, RMS_REASON_LEGS, NGX_HTTP_FORBIDDEN);
        return;
    }

    if (ngx_http_rms_gss_output(r, ctx, &task->login) != NGX_OK) {
        ngx_http_rms_gss_refuse(ctx, RMS_REASON_INTERNAL,
                                NGX_HTTP_SERVICE_UNAVAILABLE);
        return;
    }

    context = task->login.context;
    task->login.context = NULL;

    if (ngx_http_rms_leg_keep(r->connection, task->keytab, context,
                              task->legs)
        == NULL)
    {
        ngx_http_rms_gss_refuse(ctx, RMS_REASON_INTERNAL,
                                NGX_HTTP_SERVICE_UNAVAILABLE);
        return;
    }

    ngx_http_rms_gss_refuse(ctx, RMS_REASON_AUTH_CONTINUE,
                            NGX_HTTP_UNAUTHORIZED);
}


static ngx_int_t
ngx_http_rms_gss_output(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx,
    rms_gss_login_t *login)
{
    if (login->output.len == 0) {
        return NGX_OK;
    }

    ctx->auth_token.data = ngx_pnalloc(r->pool,
                                       rms_base64_encoded(login->output.len));
    if (ctx->auth_token.data == NULL) {
        return NGX_ERROR;
    }

    rms_base64_encode(&login->output, &ctx->auth_token);

    return NGX_OK;
}
