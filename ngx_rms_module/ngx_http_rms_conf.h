
/*
 * What reads and checks the configuration; nothing of it runs with a request.
 */

#ifndef _NGX_HTTP_RMS_CONF_H_INCLUDED_
#define _NGX_HTTP_RMS_CONF_H_INCLUDED_


#include "ngx_http_rms_module.h"


/* ngx_http_rms_conf.c */

void *ngx_http_rms_create_main_conf(ngx_conf_t *cf);
char *ngx_http_rms_init_main_conf(ngx_conf_t *cf, void *conf);
void *ngx_http_rms_create_loc_conf(ngx_conf_t *cf);
char *ngx_http_rms_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child);
char *ngx_http_rms_auth_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_rms_keytab_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_rms_zone_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_rms_thread_pool_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_rms_replay_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_rms_public_url_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_rms_enum_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* ngx_http_rms_ntlm.c */

char *ngx_http_rms_domain_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_rms_ntlm_user_file_directive(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
ngx_int_t ngx_http_rms_ntlm_merge(ngx_conf_t *cf,
    ngx_http_rms_loc_conf_t *conf);

/* ngx_http_rms_backend.c */

char *ngx_http_rms_backend_block(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_rms_pass_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* ngx_http_rms_redis_conf.c */

char *ngx_http_rms_redis_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
ngx_int_t ngx_http_rms_redis_check(ngx_conf_t *cf,
    ngx_http_rms_main_conf_t *rmcf);

/* ngx_http_rms_seal.c */

char *ngx_http_rms_seal_key_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
ngx_int_t ngx_http_rms_seal_check(ngx_conf_t *cf,
    ngx_http_rms_main_conf_t *rmcf);

/* ngx_http_rms_acl.c */

char *ngx_http_rms_allow_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_rms_grant_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* ngx_http_rms_check.c */

ngx_int_t ngx_http_rms_check(ngx_conf_t *cf);
ngx_http_rms_keytab_t *ngx_http_rms_keytab_get(ngx_conf_t *cf,
    ngx_str_t *path);

/* ngx_http_rms_check_auth.c */

ngx_int_t ngx_http_rms_check_callers(ngx_conf_t *cf,
    ngx_http_core_srv_conf_t *cscf, ngx_http_core_loc_conf_t *clcf);

/* ngx_http_rms_identity.c */

ngx_http_rms_identity_t *ngx_http_rms_identity_add(ngx_conf_t *cf,
    ngx_str_t *path);
ngx_int_t ngx_http_rms_worker_reads(ngx_conf_t *cf, ngx_str_t *path);
ngx_int_t ngx_http_rms_worker_writes(ngx_conf_t *cf, ngx_str_t *path);
ngx_int_t ngx_http_rms_secret_file_check(ngx_conf_t *cf, ngx_str_t *path,
    ngx_uint_t worker);

/* ngx_http_rms_status.c */

char *ngx_http_rms_status_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* ngx_http_rms_admin.c */

char *ngx_http_rms_admin_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* ngx_http_rms_session.c */

char *ngx_http_rms_session_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* ngx_http_rms_rules.c */

char *ngx_http_rms_acl_file_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
ngx_int_t ngx_http_rms_rules_merge(ngx_conf_t *cf,
    ngx_http_rms_loc_conf_t *conf);

/* ngx_http_rms_variables.c */

ngx_int_t ngx_http_rms_add_variables(ngx_conf_t *cf);

/* ngx_http_rms_zone.c */

ngx_int_t ngx_http_rms_zone_add(ngx_conf_t *cf,
    ngx_http_rms_main_conf_t *rmcf);


#endif /* _NGX_HTTP_RMS_CONF_H_INCLUDED_ */
