
/*
 * NTLM at load: names of domains, the file of users, and what is refused.
 * Logins are in ngx_http_rms_auth_gss.c.
 */


#include "ngx_http_rms_module.h"
#include "ngx_http_rms_conf.h"


char *
ngx_http_rms_domain_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_rms_loc_conf_t *rlcf = conf;

    u_char        *p;
    ngx_str_t     *value;
    ngx_uint_t     i, k;
    ngx_keyval_t  *kv;

    if (rlcf->domains == NGX_CONF_UNSET_PTR) {
        rlcf->domains = ngx_array_create(cf->pool, 2, sizeof(ngx_keyval_t));
        if (rlcf->domains == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        p = ngx_strlchr(value[i].data, value[i].data + value[i].len, '=');

        if (p == NULL || p == value[i].data
            || p == value[i].data + value[i].len - 1)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid value \"%V\" in \"rms_domain\"; write "
                               "\"rms_domain NETBIOS=REALM;\", as in "
                               "\"rms_domain CONTOSO=CONTOSO.COM;\"",
                               &value[i]);
            return NGX_CONF_ERROR;
        }

        for (k = 0, kv = rlcf->domains->elts; k < rlcf->domains->nelts; k++) {
            if (kv[k].key.len == (size_t) (p - value[i].data)
                && ngx_strncasecmp(kv[k].key.data, value[i].data,
                                   kv[k].key.len)
                   == 0)
            {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "\"%V\" stands twice in \"rms_domain\"; "
                                   "write one realm for it", &kv[k].key);
                return NGX_CONF_ERROR;
            }
        }

        kv = ngx_array_push(rlcf->domains);
        if (kv == NULL) {
            return NGX_CONF_ERROR;
        }

        kv->key.data = value[i].data;
        kv->key.len = p - value[i].data;
        kv->value.data = p + 1;
        kv->value.len = value[i].data + value[i].len - p - 1;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_rms_ntlm_user_file_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_rms_loc_conf_t *rlcf = conf;

    ngx_str_t  *value;

    if (rlcf->ntlm_user_file.data != NULL) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_conf_full_name(cf->cycle, &value[1], 1) != NGX_OK
        || ngx_http_rms_secret_file_check(cf, &value[1], 1) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    rlcf->ntlm_user_file = value[1];

    return NGX_CONF_OK;
}


/* What rms_gss_ntlm_accept() needs to know in this location. */

ngx_int_t
ngx_http_rms_ntlm_merge(ngx_conf_t *cf, ngx_http_rms_loc_conf_t *conf)
{
    char                text[512];
    ngx_uint_t          i;
    ngx_keyval_t       *kv;
    rms_gss_ntlm_t     *ntlm;
    rms_ntlm_domain_t  *domains;

    if (conf->domains == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"rms_auth ... ntlm\" needs the realm of each "
                           "domain; write \"rms_domain "
                           "CONTOSO=CONTOSO.COM;\"");
        return NGX_ERROR;
    }

    ntlm = ngx_pcalloc(cf->pool, sizeof(rms_gss_ntlm_t));
    domains = ngx_pcalloc(cf->pool, conf->domains->nelts
                                    * sizeof(rms_ntlm_domain_t));
    if (ntlm == NULL || domains == NULL) {
        return NGX_ERROR;
    }

    kv = conf->domains->elts;

    for (i = 0; i < conf->domains->nelts; i++) {
        domains[i].name = kv[i].key;
        domains[i].realm = kv[i].value;
    }

    ntlm->domains = domains;
    ntlm->n_domains = conf->domains->nelts;

    if (conf->ntlm_user_file.len) {
        ntlm->user_file = (char *) conf->ntlm_user_file.data;
    }

    if (!rms_gss_ntlm_check(ntlm, 0, text, sizeof(text))) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"rms_auth ... ntlm\": %s",
                           text);
        return NGX_ERROR;
    }

    conf->ntlm = ntlm;

    return NGX_OK;
}
