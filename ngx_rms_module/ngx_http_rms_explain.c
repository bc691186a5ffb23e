
/*
 * "GET .../explain?account=..." or "?sid=..." below rms_status: which role an
 * account has in each location of rms_pass, by which rule, and what is nearest
 * when it has none.  Its groups are asked of the KDC on a thread of a pool, by
 * one request of the worker at a time, or else those of its last login count.
 */


#include "ngx_http_rms_module.h"
#include "ngx_http_rms_status.h"
#include "rms_explain.h"
#include "rms_gss_s4u.h"


typedef struct {
    ngx_thread_task_t            task;
    rms_gss_s4u_t                s4u;
    ngx_http_request_t          *request;       /* NULL: given up */
} ngx_http_rms_explain_task_t;


struct ngx_http_rms_explain_s {
    ngx_str_t                    account;       /* or empty */
    ngx_str_t                    sid;           /* or empty */
    ngx_str_t                    keytab;
    rms_sid_set_t                sids;
    rms_sid_set_t               *known;         /* &sids, or NULL */
    ngx_uint_t                   foreign;
    const char                  *source;
    time_t                       age;           /* seconds, of sids */
    ngx_str_t                    why;           /* not from the KDC */
};


static ngx_int_t ngx_http_rms_explain_question(ngx_http_request_t *r,
    ngx_http_rms_explain_t *explain);
static ngx_int_t ngx_http_rms_explain_sid(ngx_http_request_t *r,
    ngx_http_rms_explain_t *explain);
static ngx_int_t ngx_http_rms_explain_start(ngx_http_request_t *r,
    ngx_http_rms_explain_t *explain);
static ngx_http_rms_explain_task_t *ngx_http_rms_explain_task(
    ngx_http_request_t *r, ngx_http_rms_explain_t *explain);
static void ngx_http_rms_explain_thread(void *data, ngx_log_t *log);
static void ngx_http_rms_explain_event(ngx_event_t *ev);
static void ngx_http_rms_explain_task_free(
    ngx_http_rms_explain_task_t *task);
static ngx_int_t ngx_http_rms_explain_take(ngx_http_request_t *r,
    ngx_http_rms_explain_t *explain, rms_gss_s4u_t *s4u);
static void ngx_http_rms_explain_sids(void *data);
static void ngx_http_rms_explain_resume(ngx_http_request_t *r);
static void ngx_http_rms_explain_fall_back(ngx_http_request_t *r,
    ngx_http_rms_explain_t *explain);
static ngx_int_t ngx_http_rms_explain_answer(ngx_http_request_t *r,
    ngx_http_rms_explain_t *explain);
static void ngx_http_rms_explain_groups(ngx_http_rms_json_t *js,
    ngx_http_rms_explain_t *explain);
static ngx_int_t ngx_http_rms_explain_location(ngx_http_request_t *r,
    ngx_http_rms_json_t *js, ngx_http_rms_explain_t *explain,
    ngx_http_rms_passing_t *passing);
static void ngx_http_rms_explain_auth(ngx_http_rms_json_t *js,
    ngx_uint_t auth);


/* milliseconds a KDC may take; the thread goes on by itself */
#define NGX_HTTP_RMS_EXPLAIN_TIMEOUT  10000


/* of this worker: a thread asks */
static ngx_uint_t  ngx_http_rms_explain_busy;


ngx_int_t
ngx_http_rms_explain_handler(ngx_http_request_t *r)
{
    ngx_int_t                rc;
    ngx_http_rms_explain_t  *explain;

    rc = ngx_http_rms_admit(r, NGX_HTTP_GET|NGX_HTTP_HEAD, "GET, HEAD");
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    explain = ngx_pcalloc(r->pool, sizeof(ngx_http_rms_explain_t));
    if (explain == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_rms_explain_question(r, explain);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc == NGX_DECLINED) {
        return ngx_http_rms_wrong(r, NGX_HTTP_BAD_REQUEST,
                                  "Write \"?account=name@REALM\" or "
                                  "\"?sid=S-1-...\".\n");
    }

    if (explain->sid.len) {
        return ngx_http_rms_explain_answer(r, explain);
    }

    rc = ngx_http_rms_explain_start(r, explain);

    if (rc == NGX_DECLINED) {
        ngx_http_rms_explain_fall_back(r, explain);
        return ngx_http_rms_explain_answer(r, explain);
    }

    return rc == NGX_OK ? NGX_DONE : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


/* NGX_OK; NGX_DECLINED: it is none; NGX_ERROR. */

static ngx_int_t
ngx_http_rms_explain_question(ngx_http_request_t *r,
    ngx_http_rms_explain_t *explain)
{
    ngx_int_t         rc;
    ngx_str_t         values[2];
    static ngx_str_t  names[] = {
        ngx_string("account"),
        ngx_string("sid"),
        ngx_null_string
    };

    rc = ngx_http_rms_arguments(r, names, values);
    if (rc != NGX_OK) {
        return rc;
    }

    if ((values[0].len == 0) == (values[1].len == 0)) {
        return NGX_DECLINED;
    }

    explain->account = values[0];
    explain->sid = values[1];
    explain->source = "none";

    return values[1].len ? ngx_http_rms_explain_sid(r, explain) : NGX_OK;
}


static ngx_int_t
ngx_http_rms_explain_sid(ngx_http_request_t *r,
    ngx_http_rms_explain_t *explain)
{
    void       *memory;
    uint32_t    rid;
    rms_sid_t   sid, domain;

    if (rms_sid_parse(&explain->sid, &sid) != RMS_OK) {
        return NGX_DECLINED;
    }

    memory = ngx_palloc(r->pool, rms_sid_set_size(1, 1));
    if (memory == NULL) {
        return NGX_ERROR;
    }

    rid = rms_sid_split(&sid, &domain);

    rms_sid_set_init(&explain->sids, memory, 1, 1);
    rms_sid_set_add(&explain->sids, &domain, rid);
    rms_sid_set_close(&explain->sids);

    explain->known = &explain->sids;
    explain->source = "asked";

    return NGX_OK;
}


/*
 * The keytab is that of this location; of its accounts only those it has a
 * role for could ask.  NGX_OK: the KDC is asked; NGX_DECLINED: it is not.
 */

static ngx_int_t
ngx_http_rms_explain_start(ngx_http_request_t *r,
    ngx_http_rms_explain_t *explain)
{
    ngx_thread_pool_t            *pool;
    ngx_http_rms_loc_conf_t      *rlcf;
    ngx_http_rms_main_conf_t     *rmcf;
    ngx_http_rms_explain_task_t  *task;

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_rms_module);
    rmcf = ngx_http_get_module_main_conf(r, ngx_http_rms_module);

    pool = rmcf->ntlm_pool ? rmcf->ntlm_pool : rmcf->krb5_pool;

    if (rlcf->acceptor == NULL || pool == NULL) {
        ngx_str_set(&explain->why, "no rms_keytab in this location");
        return NGX_DECLINED;
    }

    explain->keytab = rlcf->acceptor->path;

    if (ngx_http_rms_explain_busy) {
        ngx_str_set(&explain->why, "another request asks the KDC");
        return NGX_DECLINED;
    }

    task = ngx_http_rms_explain_task(r, explain);
    if (task == NULL) {
        return NGX_ERROR;
    }

    if (ngx_thread_task_post(pool, &task->task) != NGX_OK) {
        free(task);
        ngx_str_set(&explain->why, "the queue of the thread pool is full");
        return NGX_DECLINED;
    }

    ngx_add_timer(&task->task.event, NGX_HTTP_RMS_EXPLAIN_TIMEOUT);

    ngx_http_rms_explain_busy = 1;
    ngx_http_rms_ctx_get(r)->explain = explain;

    r->write_event_handler = ngx_http_rms_explain_resume;
    r->main->count++;
    r->main->blocked++;
    r->aio = 1;

    return NGX_OK;
}


/* With copies of all it needs, since it may outlive the request. */

static ngx_http_rms_explain_task_t *
ngx_http_rms_explain_task(ngx_http_request_t *r,
    ngx_http_rms_explain_t *explain)
{
    ngx_http_rms_explain_task_t  *task;

    task = calloc(1, sizeof(ngx_http_rms_explain_task_t)
                     + explain->keytab.len + 1 + explain->account.len);
    if (task == NULL) {
        return NULL;
    }

    task->s4u.keytab = (char *) (task + 1);
    ngx_memcpy(task + 1, explain->keytab.data, explain->keytab.len);

    task->s4u.account.len = explain->account.len;
    task->s4u.account.data = (u_char *) (task + 1) + explain->keytab.len + 1;
    ngx_memcpy(task->s4u.account.data, explain->account.data,
               explain->account.len);

    task->request = r;
    task->task.ctx = task;
    task->task.handler = ngx_http_rms_explain_thread;
    task->task.event.data = task;
    task->task.event.handler = ngx_http_rms_explain_event;
    task->task.event.log = ngx_cycle->log;

    return task;
}


/* On a thread of the pool: no request, no pool, no log. */

static void
ngx_http_rms_explain_thread(void *data, ngx_log_t *log)
{
    ngx_http_rms_explain_task_t *task = data;

    rms_gss_s4u(&task->s4u);
}


/* In the worker: the KDC has answered, or its time is over. */

static void
ngx_http_rms_explain_event(ngx_event_t *ev)
{
    ngx_connection_t             *c;
    ngx_http_request_t           *r;
    ngx_http_rms_explain_t       *explain;
    ngx_http_rms_explain_task_t  *task;

    task = ev->data;
    r = task->request;

    if (ev->complete) {
        ngx_http_rms_explain_busy = 0;

        if (ev->timer_set) {
            ngx_del_timer(ev);
        }
    }

    if (r == NULL) {

        /* given up earlier; nobody waits for it, but a worker that leaves */

        if (ev->complete) {
            ngx_http_rms_explain_task_free(task);
        }

        return;
    }

    c = r->connection;
    ngx_http_set_log_request(c->log, r);

    explain = ngx_http_rms_ctx_get(r)->explain;

    if (!ev->complete) {
        task->request = NULL;
        ngx_add_timer(ev, NGX_HTTP_RMS_ORPHAN_TIMEOUT);
        ngx_str_set(&explain->why, "the KDC did not answer in time");

    } else {
        if (ngx_http_rms_explain_take(r, explain, &task->s4u) != NGX_OK) {
            ngx_str_set(&explain->why, "no memory");
        }

        ngx_http_rms_explain_task_free(task);
    }

    r->main->blocked--;
    r->aio = 0;

    r->write_event_handler(r);

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_rms_explain_task_free(ngx_http_rms_explain_task_t *task)
{
    free(task->s4u.sids_memory);
    free(task);
}


/* The SIDs move to the request. */

static ngx_int_t
ngx_http_rms_explain_take(ngx_http_request_t *r,
    ngx_http_rms_explain_t *explain, rms_gss_s4u_t *s4u)
{
    ngx_str_t            text;
    ngx_pool_cleanup_t  *cln;

    if (!s4u->has_sids) {
        text.data = (u_char *) s4u->text;
        text.len = ngx_strlen(s4u->text);

        explain->why.len = text.len;
        explain->why.data = ngx_pstrdup(r->pool, &text);

        return explain->why.data ? NGX_OK : NGX_ERROR;
    }

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_rms_explain_sids;
    cln->data = s4u->sids_memory;

    s4u->sids_memory = NULL;

    explain->sids = s4u->sids;
    explain->known = &explain->sids;
    explain->source = "s4u2self";

    return NGX_OK;
}


static void
ngx_http_rms_explain_sids(void *data)
{
    free(data);
}


static void
ngx_http_rms_explain_resume(ngx_http_request_t *r)
{
    ngx_http_rms_explain_t  *explain;

    if (r->aio) {
        return;
    }

    explain = ngx_http_rms_ctx_get(r)->explain;

    ngx_http_rms_explain_fall_back(r, explain);

    ngx_http_finalize_request(r, ngx_http_rms_explain_answer(r, explain));
}


/* What the KDC has not told. */

static void
ngx_http_rms_explain_fall_back(ngx_http_request_t *r,
    ngx_http_rms_explain_t *explain)
{
    time_t         when;
    ngx_uint_t     foreign;
    rms_sid_set_t  sids;

    if (explain->known) {
        return;
    }

    if (ngx_http_rms_last_login_read(r, &explain->account, r->pool, &sids,
                                     &when, &foreign)
        == NGX_OK)
    {
        explain->sids = sids;
        explain->known = &explain->sids;
        explain->foreign = foreign;
        explain->source = "last_login";
        explain->age = ngx_max(ngx_time() - when, 0);

        return;
    }

    explain->foreign = explain->keytab.len
                       ? rms_gss_s4u_foreign((char *) explain->keytab.data,
                                             &explain->account)
                       : 0;
}


static ngx_int_t
ngx_http_rms_explain_answer(ngx_http_request_t *r,
    ngx_http_rms_explain_t *explain)
{
    ngx_uint_t                 i;
    ngx_http_rms_json_t        js;
    ngx_http_rms_passing_t    *passing;
    ngx_http_rms_main_conf_t  *rmcf;

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_rms_module);

    ngx_http_rms_json_start(&js, r->pool);
    ngx_http_rms_json_open(&js, NULL, '{');

    if (explain->sid.len) {
        ngx_http_rms_json_string(&js, "sid", &explain->sid);

    } else {
        ngx_http_rms_json_string(&js, "account", &explain->account);
    }

    ngx_http_rms_explain_groups(&js, explain);
    ngx_http_rms_json_open(&js, "locations", '[');

    passing = rmcf->passing.elts;

    for (i = 0; i < rmcf->passing.nelts; i++) {
        if (ngx_http_rms_explain_location(r, &js, explain, &passing[i])
            != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    ngx_http_rms_json_close(&js, ']');
    ngx_http_rms_json_close(&js, '}');

    return ngx_http_rms_json_send(r, &js);
}


static void
ngx_http_rms_explain_groups(ngx_http_rms_json_t *js,
    ngx_http_rms_explain_t *explain)
{
    rms_str_t  age = rms_string("age");
    rms_str_t  source;

    source.data = (u_char *) explain->source;
    source.len = ngx_strlen(explain->source);

    ngx_http_rms_json_open(js, "groups", '{');
    ngx_http_rms_json_string(js, "source", &source);

    if (explain->known) {
        ngx_http_rms_json_number(js, &age, (ngx_atomic_uint_t) explain->age);
    }

    if (explain->why.len) {
        ngx_http_rms_json_line(js, "s4u2self", &explain->why);
    }

    ngx_http_rms_json_close(js, '}');
}


static ngx_int_t
ngx_http_rms_explain_location(ngx_http_request_t *r, ngx_http_rms_json_t *js,
    ngx_http_rms_explain_t *explain, ngx_http_rms_passing_t *passing)
{
    rms_rc_e                  rc;
    rms_mem_t                 mem;
    rms_str_t                 answer;
    rms_explain_t             question;
    ngx_http_rms_rules_t     *rules;
    ngx_http_rms_loc_conf_t  *rlcf;

    mem = ngx_http_rms_mem(r->pool);
    rlcf = passing->conf;
    rules = ngx_http_rms_rules_hold(rlcf->list);

    ngx_memzero(&question, sizeof(rms_explain_t));

    question.rules = rules ? rules->rules : NULL;
    question.n = rules ? rules->n : 0;
    question.match = ngx_http_rms_regex(NULL).match;
    question.grants = rlcf->grants;
    question.caller.account = explain->account;

    /* where nobody logs in, everybody is anonymous */

    if (rlcf->auth != NGX_HTTP_RMS_AUTH_OFF) {
        question.caller.authenticated = 1;
        question.caller.foreign = explain->foreign;
        question.caller.sids = explain->known;
    }

    rc = rms_explain(&question, &mem, &answer);

    ngx_http_rms_rules_free(rules);

    if (rc != RMS_OK) {
        return NGX_ERROR;
    }

    ngx_http_rms_json_open(js, NULL, '{');
    ngx_http_rms_json_string(js, "server", &passing->server);
    ngx_http_rms_json_string(js, "location", &passing->location);
    ngx_http_rms_explain_auth(js, rlcf->auth);
    ngx_http_rms_json_value(js, "answer", &answer);
    ngx_http_rms_json_close(js, '}');

    return NGX_OK;
}


static void
ngx_http_rms_explain_auth(ngx_http_rms_json_t *js, ngx_uint_t auth)
{
    ngx_uint_t        i;
    static ngx_str_t  names[] = {
        ngx_string("negotiate"),
        ngx_string("ntlm"),
        ngx_string("cert")
    };

    ngx_http_rms_json_open(js, "auth", '[');

    for (i = 0; i < 3; i++) {
        if (auth & (NGX_HTTP_RMS_AUTH_NEGOTIATE << i)) {
            ngx_http_rms_json_string(js, NULL, &names[i]);
        }
    }

    ngx_http_rms_json_close(js, ']');
}
