
/*
 * The tables of the main module and its life: directives, phases, start and
 * end of processes.  Nothing is decided here.
 */


#include "ngx_http_rms_module.h"
#include "ngx_http_rms_conf.h"
#include "ngx_http_rms_document.h"
#include "ngx_http_rms_pool.h"
#include "ngx_http_rms_redis.h"


static ngx_int_t ngx_http_rms_preconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_rms_postconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_rms_push_last(ngx_array_t *handlers,
    ngx_http_handler_pt handler);
static ngx_int_t ngx_http_rms_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_http_rms_init_process(ngx_cycle_t *cycle);
static void ngx_http_rms_exit_process(ngx_cycle_t *cycle);
static void ngx_http_rms_exit_master(ngx_cycle_t *cycle);


#define NGX_HTTP_RMS_ANY_CONF                                                 \
    (NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF)


static ngx_conf_enum_t  ngx_http_rms_deny_values[] = {
    { ngx_string("fault"), RMS_DENY_FAULT },
    { ngx_string("401"), RMS_DENY_401 },
    { ngx_string("403"), RMS_DENY_403 },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_rms_inspect_values[] = {
    { ngx_string("on"), NGX_HTTP_RMS_INSPECT_ON },
    { ngx_string("strict"), NGX_HTTP_RMS_INSPECT_STRICT },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_rms_binding_values[] = {
    { ngx_string("off"), RMS_CBIND_OFF },
    { ngx_string("allow"), RMS_CBIND_ALLOW },
    { ngx_string("require"), RMS_CBIND_REQUIRE },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_rms_store_error_values[] = {
    { ngx_string("local"), NGX_HTTP_RMS_STORE_LOCAL },
    { ngx_string("deny"), NGX_HTTP_RMS_STORE_DENY },
    { ngx_null_string, 0 }
};


static ngx_command_t  ngx_http_rms_commands[] = {

    { ngx_string("rms_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE2,
      ngx_http_rms_zone_directive,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("rms_thread_pool"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE12,
      ngx_http_rms_thread_pool_directive,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("rms_body_memory"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_rms_main_conf_t, body_memory),
      NULL },

    { ngx_string("rms_redis"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_NOARGS,
      ngx_http_rms_redis_block,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("rms_seal_key_file"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_rms_seal_key_directive,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("rms_backend"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_http_rms_backend_block,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("rms_auth"),
      NGX_HTTP_RMS_ANY_CONF|NGX_CONF_1MORE,
      ngx_http_rms_auth_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("rms_keytab"),
      NGX_HTTP_RMS_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_rms_keytab_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_rms_loc_conf_t, keytab),
      NULL },

    { ngx_string("rms_domain"),
      NGX_HTTP_RMS_ANY_CONF|NGX_CONF_1MORE,
      ngx_http_rms_domain_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("rms_allow"),
      NGX_HTTP_RMS_ANY_CONF|NGX_CONF_2MORE,
      ngx_http_rms_allow_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("rms_grant"),
      NGX_HTTP_RMS_ANY_CONF|NGX_CONF_2MORE,
      ngx_http_rms_grant_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("rms_revoke"),
      NGX_HTTP_RMS_ANY_CONF|NGX_CONF_2MORE,
      ngx_http_rms_grant_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      1,
      NULL },

    { ngx_string("rms_pass"),
      NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_rms_pass_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("rms_deny"),
      NGX_HTTP_RMS_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_rms_enum_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_rms_loc_conf_t, deny),
      &ngx_http_rms_deny_values },

    { ngx_string("rms_inspect"),
      NGX_HTTP_RMS_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_rms_enum_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_rms_loc_conf_t, inspect),
      &ngx_http_rms_inspect_values },

    { ngx_string("rms_replay"),
      NGX_HTTP_RMS_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_rms_replay_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("rms_public_url"),
      NGX_HTTP_RMS_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_rms_public_url_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_rms_loc_conf_t, public_url),
      NULL },

    { ngx_string("rms_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_rms_status_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("rms_health"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_rms_health_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("rms_session"),
      NGX_HTTP_RMS_ANY_CONF|NGX_CONF_1MORE,
      ngx_http_rms_session_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("rms_channel_binding"),
      NGX_HTTP_RMS_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_rms_enum_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_rms_loc_conf_t, binding),
      &ngx_http_rms_binding_values },

    { ngx_string("rms_acl_file"),
      NGX_HTTP_RMS_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_rms_acl_file_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("rms_acl_shared"),
      NGX_HTTP_RMS_ANY_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_rms_loc_conf_t, acl_shared),
      NULL },

    { ngx_string("rms_acl_max_age"),
      NGX_HTTP_RMS_ANY_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_rms_loc_conf_t, acl_max_age),
      NULL },

    { ngx_string("rms_on_store_error"),
      NGX_HTTP_RMS_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_rms_enum_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_rms_loc_conf_t, store_error),
      &ngx_http_rms_store_error_values },

    { ngx_string("rms_state_file"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_rms_state_file_directive,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("rms_ntlm_user_file"),
      NGX_HTTP_RMS_ANY_CONF|NGX_CONF_TAKE1,
      ngx_http_rms_ntlm_user_file_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("rms_admin"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_rms_admin_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_rms_module_ctx = {
    ngx_http_rms_preconfiguration,         /* preconfiguration */
    ngx_http_rms_postconfiguration,        /* postconfiguration */

    ngx_http_rms_create_main_conf,         /* create main configuration */
    ngx_http_rms_init_main_conf,           /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_rms_create_loc_conf,          /* create location configuration */
    ngx_http_rms_merge_loc_conf            /* merge location configuration */
};


ngx_module_t  ngx_http_rms_module = {
    NGX_MODULE_V1,
    &ngx_http_rms_module_ctx,              /* module context */
    ngx_http_rms_commands,                 /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_http_rms_init_module,              /* init module */
    ngx_http_rms_init_process,             /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_rms_exit_process,             /* exit process */
    ngx_http_rms_exit_master,              /* exit master */
    NGX_MODULE_V1_PADDING
};


/* The core was compiled with a string of its own: the layouts must agree. */

typedef struct {
    size_t          len;
    unsigned char  *data;
} ngx_http_rms_core_str_t;

typedef char  ngx_http_rms_assert_size[
    sizeof(ngx_http_rms_core_str_t) == sizeof(ngx_str_t) ? 1 : -1];
typedef char  ngx_http_rms_assert_data[
    offsetof(ngx_http_rms_core_str_t, data) == offsetof(ngx_str_t, data)
    ? 1 : -1];


static ngx_int_t
ngx_http_rms_preconfiguration(ngx_conf_t *cf)
{
    rms_xml_init();

    return ngx_http_rms_add_variables(cf);
}


static ngx_int_t
ngx_http_rms_postconfiguration(ngx_conf_t *cf)
{
    ngx_http_rms_main_conf_t   *rmcf;
    ngx_http_core_main_conf_t  *cmcf;

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_rms_module);

    if (!rmcf->used) {
        return NGX_OK;
    }

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    if (ngx_http_rms_push_last(&cmcf->phases[NGX_HTTP_ACCESS_PHASE].handlers,
                               ngx_http_rms_access_handler)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_rms_push_last(
                          &cmcf->phases[NGX_HTTP_PREACCESS_PHASE].handlers,
                          ngx_http_rms_preaccess_handler)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_rms_zone_add(cf, rmcf) != NGX_OK
        || ngx_http_rms_redis_check(cf, rmcf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_rms_check(cf) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_rms_pool_conf(cf, rmcf);
}


/*
 * nginx runs the handlers of a phase from the last of the array to the first,
 * so the first place is the end of the phase: allow, deny and auth_basic have
 * had their say, whatever order the modules were loaded in.
 */

static ngx_int_t
ngx_http_rms_push_last(ngx_array_t *handlers, ngx_http_handler_pt handler)
{
    ngx_http_handler_pt  *h;

    h = ngx_array_push(handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h = handlers->elts;

    ngx_memmove(&h[1], &h[0],
                (handlers->nelts - 1) * sizeof(ngx_http_handler_pt));

    h[0] = handler;

    return NGX_OK;
}


static ngx_int_t
ngx_http_rms_init_module(ngx_cycle_t *cycle)
{
    ngx_http_rms_main_conf_t  *rmcf;

    rmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_rms_module);

    if (ngx_test_config || rmcf == NULL || !rmcf->used) {
        return NGX_OK;
    }

    /* not at a reload */

    if (ngx_is_init_cycle(cycle->old_cycle)) {
        ngx_http_rms_event(NGX_LOG_NOTICE, cycle->log, 1000,
                           "started: version=%s nginx=%s",
                           NGX_HTTP_RMS_VERSION, NGINX_VERSION);
    }

    ngx_http_rms_log_lists(cycle, rmcf);

    return NGX_OK;
}


static ngx_int_t
ngx_http_rms_init_process(ngx_cycle_t *cycle)
{
    ngx_http_rms_main_conf_t  *rmcf;

    rmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_rms_module);

    if (rmcf == NULL || !rmcf->used) {
        return NGX_OK;
    }

    ngx_http_rms_conn_init();
    ngx_http_rms_watch_init_worker(cycle, rmcf);
    ngx_http_rms_state_init_worker(rmcf);

    rmcf->zone->shared->pool.running = rmcf->generation;

    if (rmcf->redis == NULL) {
        return NGX_OK;
    }

    if (ngx_http_rms_sync_init_worker(cycle, rmcf) != NGX_OK
        || ngx_http_rms_pool_init_worker(cycle, rmcf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_rms_redis_init_worker(cycle, rmcf);
}


static void
ngx_http_rms_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_rms_main_conf_t  *rmcf;

    rmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_rms_module);

    if (rmcf != NULL) {
        ngx_http_rms_redis_exit_worker(rmcf);
    }

    rms_xml_done();
}


static void
ngx_http_rms_exit_master(ngx_cycle_t *cycle)
{
    ngx_http_rms_main_conf_t  *rmcf;

    rmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_rms_module);

    if (rmcf != NULL && rmcf->used) {
        ngx_http_rms_event(NGX_LOG_NOTICE, cycle->log, 1001, "stopped");
    }
}
