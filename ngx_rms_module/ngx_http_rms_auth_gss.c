
/*
 * Logins on the thread pools, one for Kerberos and one for NTLM, so that a
 * domain controller that does not answer delays no ticket.  A task is heap
 * memory with copies of all it needs, because it may outlive its request; the
 * request is kept alive by r->main->blocked and let go when the task takes
 * too long.  Then the thread is freed from whatever it waits in.
 */


#include "ngx_http_rms_module.h"
#include "rms_cut.h"


/*
 * Milliseconds a login of NTLM may take where the worker leaves: who comes
 * again meets a new one.
 */
#define NGX_HTTP_RMS_TASK_LEAVE  5000

/* milliseconds from one look at a login to the next: does the worker leave? */
#define NGX_HTTP_RMS_TASK_STEP   1000

/*
 * Milliseconds from one cut to the next.  Where winbindd has stopped accepting,
 * libwbclient sleeps up to thirty times in a row, and each takes one.
 */
#define NGX_HTTP_RMS_CUT_STEP    50


struct ngx_http_rms_task_s {
    ngx_thread_task_t            task;
    rms_gss_login_t              login;
    rms_gss_acceptor_t          *acceptor;
    rms_gss_ntlm_t              *ntlm;
    rms_session_mech_e           mech;
    ngx_uint_t                   legs;
    rms_cut_t                    cut;
    ngx_msec_t                   since;
    ngx_http_request_t          *request;   /* NULL: given up */
    ngx_http_rms_caller_t       *caller;    /* while the pool is asked */
    ngx_http_rms_replaying_t     replaying;
};


static ngx_http_rms_task_t *ngx_http_rms_gss_task(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx, rms_session_mech_e mech,
    ngx_http_rms_conn_t *conn);
static ngx_thread_pool_t *ngx_http_rms_gss_pool(ngx_http_request_t *r,
    rms_session_mech_e mech);
static void ngx_http_rms_gss_thread(void *data, ngx_log_t *log);
static void ngx_http_rms_gss_event(ngx_event_t *ev);
static void ngx_http_rms_gss_given_up(ngx_event_t *ev,
    ngx_http_rms_task_t *task);
static ngx_msec_t ngx_http_rms_gss_limit(ngx_http_rms_task_t *task);
static ngx_uint_t ngx_http_rms_gss_wait(ngx_event_t *ev,
    ngx_http_rms_task_t *task);
static void ngx_http_rms_gss_orphan(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx, ngx_http_rms_task_t *task);
static ngx_int_t ngx_http_rms_gss_hold(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx, ngx_http_rms_task_t *task);
static void ngx_http_rms_gss_released(ngx_event_t *ev);
static void ngx_http_rms_gss_resume(ngx_http_request_t *r);
static void ngx_http_rms_task_free(ngx_http_rms_task_t *task);
static void ngx_http_rms_gss_result(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx, ngx_http_rms_task_t *task);
static void ngx_http_rms_gss_done(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx, ngx_http_rms_task_t *task);
static void ngx_http_rms_gss_believed(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx, ngx_http_rms_caller_t *caller,
    rms_gss_login_t *login);
static ngx_int_t ngx_http_rms_gss_replay(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx, ngx_http_rms_caller_t *caller,
    ngx_http_rms_task_t *task);
static ngx_int_t ngx_http_rms_gss_share(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx, ngx_http_rms_task_t *task);
static void ngx_http_rms_gss_shared(void *data, ngx_int_t rc);
static ngx_int_t ngx_http_rms_gss_alone(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx);
static void ngx_http_rms_gss_seen(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx, rms_gss_login_t *login);
static void ngx_http_rms_gss_continue(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx, ngx_http_rms_task_t *task);
static void ngx_http_rms_gss_refuse(ngx_http_rms_ctx_t *ctx,
    rms_reason_e reason, ngx_int_t status);
static ngx_int_t ngx_http_rms_gss_output(ngx_http_request_t *r,
    ngx_http_rms_ctx_t *ctx, rms_gss_login_t *login);


/* of this worker: failed logins whose answer waits */
static ngx_uint_t  ngx_http_rms_held;


/*
 * Starts one leg; conn has the context of the ones before.  NGX_AGAIN: the
 * token is the task's now; anything else is the status of the phase, and the
 * token is still the caller's.
 */

ngx_int_t
ngx_http_rms_gss_start(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx,
    rms_str_t *token, rms_session_mech_e mech, ngx_http_rms_conn_t *conn)
{
    ngx_event_t          *ev;
    ngx_thread_pool_t    *pool;
    ngx_http_rms_task_t  *task;

    task = ngx_http_rms_gss_task(r, ctx, mech, conn);
    if (task == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    task->login.token = *token;
    ctx->epoch = task->login.context ? conn->leg.epoch
                                     : ngx_http_rms_epoch(r);

    ev = &task->task.event;
    pool = ngx_http_rms_gss_pool(r, mech);

    if (ngx_thread_task_post(pool, &task->task) != NGX_OK) {
        task->login.token.data = NULL;
        ngx_http_rms_task_free(task);

        return ngx_http_rms_refuse(r, ctx, RMS_REASON_AUTH_BUSY,
                                   NGX_HTTP_SERVICE_UNAVAILABLE);
    }

    /* not cancelable: a worker that exits gracefully waits for the login */

    ngx_add_timer(ev, NGX_HTTP_RMS_TASK_STEP);

    ctx->task = task;
    ctx->auth_state = NGX_HTTP_RMS_WAITING;

    r->main->blocked++;
    r->aio = 1;

    return NGX_AGAIN;
}


static ngx_http_rms_task_t *
ngx_http_rms_gss_task(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx,
    rms_session_mech_e mech, ngx_http_rms_conn_t *conn)
{
    ngx_event_t          *ev;
    ngx_http_rms_list_t  *list;
    ngx_http_rms_task_t  *task;

    task = calloc(1, sizeof(ngx_http_rms_task_t));
    if (task == NULL) {
        return NULL;
    }

    rms_cut_init(&task->cut);

    task->mech = mech;
    task->since = ngx_current_msec;
    task->request = r;
    task->acceptor = ctx->conf->acceptor ? ctx->conf->acceptor->acceptor
                                         : NULL;
    task->ntlm = ctx->conf->ntlm;

    task->login.context = conn ? ngx_http_rms_leg_take(conn) : NULL;
    task->legs = task->login.context ? conn->leg.legs + 1 : 1;
    list = ctx->conf->list;
    task->login.want_sids = list && ngx_http_rms_rules_now(list)->wants_sids;

    ngx_http_rms_binding(r, ctx->conf, &task->login);

    task->task.ctx = task;
    task->task.handler = ngx_http_rms_gss_thread;

    ev = &task->task.event;

    ev->data = task;
    ev->handler = ngx_http_rms_gss_event;
    ev->log = ngx_cycle->log;

    return task;
}


static ngx_thread_pool_t *
ngx_http_rms_gss_pool(ngx_http_request_t *r, rms_session_mech_e mech)
{
    ngx_http_rms_main_conf_t  *rmcf;

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_rms_module);

    return mech == RMS_SESSION_NTLM ? rmcf->ntlm_pool : rmcf->krb5_pool;
}


/* On a thread of the pool: no request, no pool, no log. */

static void
ngx_http_rms_gss_thread(void *data, ngx_log_t *log)
{
    ngx_http_rms_task_t *task = data;

    if (!rms_cut_enter(&task->cut)) {
        task->login.status = RMS_GSS_UNAVAILABLE;
        return;
    }

    if (task->mech == RMS_SESSION_NTLM) {
        rms_gss_ntlm_accept(task->ntlm, &task->login);

    } else {
        rms_gss_accept(task->acceptor, &task->login);
    }

    rms_cut_leave(&task->cut);
}


/* In the worker: the login is done, or it is time to look at it. */

static void
ngx_http_rms_gss_event(ngx_event_t *ev)
{
    ngx_http_rms_ctx_t   *ctx;
    ngx_http_request_t   *r;
    ngx_http_rms_task_t  *task;

    task = ev->data;
    r = task->request;

    if (r == NULL) {
        ngx_http_rms_gss_given_up(ev, task);
        return;
    }

    if (ngx_http_rms_gss_wait(ev, task)) {
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

        if (task->caller) {
            return;
        }

        if (ngx_http_rms_gss_hold(r, ctx, task) == NGX_OK) {
            return;
        }

        ngx_http_rms_task_free(task);

    } else {
        ngx_http_rms_gss_orphan(r, ctx, task);
    }

    ngx_http_rms_gss_resume(r);
}


/*
 * Nobody waits for it, but the next login, and a worker that leaves: that would
 * be in a busy loop of nginx's thread pool, were there no timer.
 */

static void
ngx_http_rms_gss_given_up(ngx_event_t *ev, ngx_http_rms_task_t *task)
{
    if (!ev->complete) {
        rms_cut(&task->cut);
        ngx_add_timer(ev, NGX_HTTP_RMS_CUT_STEP);
        return;
    }

    if (ev->timer_set) {
        ngx_del_timer(ev);
    }

    ngx_http_rms_task_free(task);
}


static ngx_msec_t
ngx_http_rms_gss_limit(ngx_http_rms_task_t *task)
{
    return (ngx_exiting && task->mech == RMS_SESSION_NTLM)
           ? NGX_HTTP_RMS_TASK_LEAVE : NGX_HTTP_RMS_TASK_TIMEOUT;
}


/* Whether there is more time. */

static ngx_uint_t
ngx_http_rms_gss_wait(ngx_event_t *ev, ngx_http_rms_task_t *task)
{
    ngx_msec_t  passed, limit;

    passed = ngx_current_msec - task->since;
    limit = ngx_http_rms_gss_limit(task);

    if (ev->complete || passed >= limit) {
        return 0;
    }

    ngx_add_timer(ev, ngx_min(limit - passed, NGX_HTTP_RMS_TASK_STEP));

    return 1;
}


/* Nobody waits any longer. */

static void
ngx_http_rms_gss_orphan(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx,
    ngx_http_rms_task_t *task)
{
    ngx_http_rms_count(r, RMS_COUNT_ORPHANED_TASKS, 1);
    ngx_http_rms_event(NGX_LOG_ERR, r->connection->log, 3000,
                       "a login took longer than %ui s and was given up; %s",
                       (ngx_uint_t) ngx_http_rms_gss_limit(task) / 1000,
                       task->mech == RMS_SESSION_NTLM
                       ? "does winbindd answer (wbinfo -p), and its domain "
                         "controller (wbinfo --ping-dc)?"
                       : "is the keytab on a slow file system?");

    task->request = NULL;

    ngx_http_rms_gss_given_up(&task->task.event, task);

    ngx_http_rms_gss_refuse(ctx, RMS_REASON_AUTH_TIMEOUT,
                            NGX_HTTP_SERVICE_UNAVAILABLE);
}


/*
 * The answer to a failed login waits, the longer the more of them came from
 * there; a good one never does.  NGX_OK: it waits.
 */

static ngx_int_t
ngx_http_rms_gss_hold(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx,
    ngx_http_rms_task_t *task)
{
    ngx_msec_t    delay;
    ngx_event_t  *ev;

    if (ctx->auth_reason != RMS_REASON_AUTH_FAILED
        || ctx->auth_state != NGX_HTTP_RMS_REFUSED)
    {
        return NGX_DECLINED;
    }

    delay = ngx_http_rms_backoff_failed(r, &task->login.claimed);

    if (delay == 0 || ngx_http_rms_held == NGX_HTTP_RMS_HELD_MAX) {
        return NGX_DECLINED;
    }

    ngx_http_rms_held++;
    ngx_http_rms_count(r, RMS_COUNT_DELAYED, 1);

    ctx->task = task;

    ev = &task->task.event;
    ev->handler = ngx_http_rms_gss_released;

    ngx_add_timer(ev, delay);

    return NGX_OK;
}


static void
ngx_http_rms_gss_released(ngx_event_t *ev)
{
    ngx_http_request_t   *r;
    ngx_http_rms_task_t  *task;

    task = ev->data;
    r = task->request;

    ngx_http_set_log_request(r->connection->log, r);

    ngx_http_rms_ctx_get(r)->task = NULL;
    ngx_http_rms_held--;

    ngx_http_rms_task_free(task);
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
    rms_cut_free(&task->cut);
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
        ngx_http_rms_gss_done(r, ctx, task);
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
    ngx_http_rms_task_t *task)
{
    rms_gss_login_t        *login;
    ngx_http_rms_caller_t  *caller;

    login = &task->login;

    caller = ngx_http_rms_caller_login(ctx->conf, task->mech, login);

    if (caller == NULL) {
        ngx_http_rms_gss_refuse(ctx, RMS_REASON_INTERNAL,
                                NGX_HTTP_SERVICE_UNAVAILABLE);
        return;
    }

    caller->epoch = ctx->epoch;

    switch (ngx_http_rms_gss_replay(r, ctx, caller, task)) {

    case NGX_OK:
        ngx_http_rms_gss_believed(r, ctx, caller, login);
        return;

    case NGX_AGAIN:
        task->caller = caller;
        return;

    default:
        ngx_http_rms_caller_free(caller);
    }
}


/* It is the caller's first use of this token, as far as anybody knows. */

static void
ngx_http_rms_gss_believed(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx,
    ngx_http_rms_caller_t *caller, rms_gss_login_t *login)
{
    if (ngx_http_rms_gss_output(r, ctx, login) != NGX_OK) {
        ngx_http_rms_caller_free(caller);
        ngx_http_rms_gss_refuse(ctx, RMS_REASON_INTERNAL,
                                NGX_HTTP_SERVICE_UNAVAILABLE);
        return;
    }

    ngx_http_rms_caller_set(ctx, caller);

    ngx_http_rms_backoff_passed(r, caller);
    ngx_http_rms_count(r, RMS_COUNT_AUTH_OK, 1);

    ngx_http_rms_event(NGX_LOG_INFO, r->connection->log, 0, "login: %s",
                       login->text);

    ngx_http_rms_last_login(r, ctx);
    ngx_http_rms_session_begin(r, ctx);
}


/* NTLM answers a challenge of ours, which nobody can send again. */

static ngx_int_t
ngx_http_rms_gss_replay(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx,
    ngx_http_rms_caller_t *caller, ngx_http_rms_task_t *task)
{
    rms_replay_e      replay;
    rms_acl_answer_t  acl;

    if (caller->mech != RMS_SESSION_KERBEROS
        || ctx->conf->replay == NGX_HTTP_RMS_REPLAY_OFF)
    {
        return NGX_OK;
    }

    acl = ngx_http_rms_role(ngx_http_rms_rules_now(ctx->conf->list), caller);
    replay = ngx_http_rms_replay_check(r, task->login.hash,
                                       acl.role != RMS_ROLE_NONE);

    if (replay == RMS_REPLAY_FULL) {
        ngx_http_rms_event(NGX_LOG_ERR, r->connection->log, 3000,
                           "replay cache is full: logins are refused until "
                           "old ones leave it; write a larger size in "
                           "\"rms_zone\"");
        ngx_http_rms_gss_refuse(ctx, RMS_REASON_REPLAY_FULL,
                                NGX_HTTP_SERVICE_UNAVAILABLE);
        return NGX_DECLINED;
    }

    if (replay == RMS_REPLAY_SEEN) {
        ngx_http_rms_gss_seen(r, ctx, &task->login);
        return NGX_DECLINED;
    }

    return ctx->conf->replay == NGX_HTTP_RMS_REPLAY_SHARED
           ? ngx_http_rms_gss_share(r, ctx, task) : NGX_OK;
}


static ngx_int_t
ngx_http_rms_gss_share(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx,
    ngx_http_rms_task_t *task)
{
    ngx_http_rms_main_conf_t  *rmcf;

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_rms_module);

    task->replaying.handler = ngx_http_rms_gss_shared;
    task->replaying.data = task;

    if (ngx_http_rms_replay_share(rmcf, task->login.hash, &task->replaying)
        == NGX_AGAIN)
    {
        return NGX_AGAIN;
    }

    return ngx_http_rms_gss_alone(r, ctx);
}


/* The answer of the pool; the request is blocked until then. */

static void
ngx_http_rms_gss_shared(void *data, ngx_int_t rc)
{
    ngx_http_rms_ctx_t     *ctx;
    ngx_http_request_t     *r;
    ngx_http_rms_task_t    *task;
    ngx_http_rms_caller_t  *caller;

    task = data;
    r = task->request;
    ctx = ngx_http_rms_ctx_get(r);

    ngx_http_set_log_request(r->connection->log, r);

    caller = task->caller;
    task->caller = NULL;

    if (rc == NGX_BUSY) {
        ngx_http_rms_gss_seen(r, ctx, &task->login);

    } else if (rc != NGX_OK) {
        rc = ngx_http_rms_gss_alone(r, ctx);
    }

    if (rc == NGX_OK) {
        ngx_http_rms_gss_believed(r, ctx, caller, &task->login);

    } else {
        ngx_http_rms_caller_free(caller);
    }

    ngx_http_rms_task_free(task);
    ngx_http_rms_gss_resume(r);
}


/* Without Redis this node's own memory counts, unless the operator closes. */

static ngx_int_t
ngx_http_rms_gss_alone(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx)
{
    if (ctx->conf->store_error == NGX_HTTP_RMS_STORE_DENY) {
        ngx_http_rms_gss_refuse(ctx, RMS_REASON_STORE_AWAY,
                                NGX_HTTP_SERVICE_UNAVAILABLE);
        return NGX_DECLINED;
    }

    ngx_http_rms_count(r, RMS_COUNT_REPLAY_ALONE, 1);

    return NGX_OK;
}


static void
ngx_http_rms_gss_seen(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx,
    rms_gss_login_t *login)
{
    ngx_http_rms_event(NGX_LOG_WARN, r->connection->log, 2000,
                       "token was used before and is refused: %s",
                       login->text);
    ngx_http_rms_gss_refuse(ctx, RMS_REASON_REPLAY, NGX_HTTP_UNAUTHORIZED);
}


/* Legs belong to a real HTTP/1.1 connection: no HTTP/2 stream has one. */

static void
ngx_http_rms_gss_continue(ngx_http_request_t *r, ngx_http_rms_ctx_t *ctx,
    ngx_http_rms_task_t *task)
{
    ngx_http_rms_leg_t  leg;

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

    leg.context = task->login.context;
    leg.scope = ctx->conf->scope;
    leg.mech = task->mech;
    leg.legs = task->legs;
    leg.epoch = ctx->epoch;

    task->login.context = NULL;

    if (ngx_http_rms_leg_keep(r->connection, &leg) != NGX_OK) {
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
