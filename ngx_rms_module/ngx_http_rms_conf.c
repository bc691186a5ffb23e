
/*
 * Configuration: create, merge and the plain directives.  Everything is read
 * at load and constant afterwards; what contradicts itself is refused here
 * or, when it takes the whole configuration to see, in ngx_http_rms_check.c.
 */


#include "ngx_http_rms_module.h"
#include "ngx_http_rms_status.h"
#include "ngx_http_rms_conf.h"

#include <openssl/evp.h>


static void ngx_http_rms_free_acceptor(void *data);
static char *ngx_http_rms_merge_auth(ngx_conf_t *cf,
    ngx_http_rms_loc_conf_t *conf);
static ngx_int_t ngx_http_rms_merge_scope(ngx_http_rms_loc_conf_t *conf);
static ngx_int_t ngx_http_rms_scope_add(EVP_MD_CTX *md, ngx_str_t *value);
static ngx_int_t ngx_http_rms_merge_nameless(ngx_conf_t *cf,
    ngx_http_rms_loc_conf_t *prev, ngx_http_rms_loc_conf_t *conf);
static void ngx_http_rms_raise_body_limits(ngx_conf_t *cf, size_t size);
static ngx_uint_t ngx_http_rms_auth_value(ngx_str_t *value);


void *
ngx_http_rms_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_rms_main_conf_t  *rmcf;

    rmcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_rms_main_conf_t));
    if (rmcf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     rmcf->used = 0;
     *     rmcf->zone_name = { 0, NULL };
     *     rmcf->zone_size = 0;
     *     rmcf->shm_zone = NULL;
     *     rmcf->zone = NULL;
     *     rmcf->krb5_pool_name = { 0, NULL };
     *     rmcf->krb5_pool = NULL;
     *     rmcf->ntlm_pool_name = { 0, NULL };
     *     rmcf->ntlm_pool = NULL;
     *     rmcf->callers = NULL;
     *     rmcf->redis = NULL;
     *     rmcf->seal = NULL;
     *     rmcf->state_file = { 0, NULL };
     *     rmcf->state_pool = NULL;
     *     rmcf->generation = 0;
     *     rmcf->digest = { 0 };
     */

    rmcf->body_memory = NGX_CONF_UNSET_SIZE;

    if (ngx_array_init(&rmcf->backends, cf->pool, 4, sizeof(void *)) != NGX_OK
        || ngx_array_init(&rmcf->keytabs, cf->pool, 4, sizeof(void *))
           != NGX_OK
        || ngx_array_init(&rmcf->lists, cf->pool, 4, sizeof(void *)) != NGX_OK
        || ngx_array_init(&rmcf->acl_files, cf->pool, 4, sizeof(void *))
           != NGX_OK
        || ngx_array_init(&rmcf->identities, cf->pool, 4, sizeof(void *))
           != NGX_OK
        || ngx_array_init(&rmcf->nameless, cf->pool, 4,
                          sizeof(ngx_http_rms_nameless_t))
           != NGX_OK
        || ngx_array_init(&rmcf->cookies, cf->pool, 1, sizeof(ngx_str_t))
           != NGX_OK
        || ngx_array_init(&rmcf->passing, cf->pool, 4,
                          sizeof(ngx_http_rms_passing_t))
           != NGX_OK)
    {
        return NULL;
    }

    return rmcf;
}


char *
ngx_http_rms_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_rms_main_conf_t  *rmcf = conf;

    ngx_conf_init_size_value(rmcf->body_memory, 256 * 1024 * 1024);

    if (rmcf->body_memory < RMS_BODY_MAX_LARGE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"rms_body_memory\" is smaller than one request "
                           "body may be; write \"rms_body_memory 16m;\" "
                           "or more");
        return NGX_CONF_ERROR;
    }

    return ngx_http_rms_seal_check(cf, rmcf) == NGX_OK
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


void *
ngx_http_rms_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_rms_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_rms_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->pass = NULL;
     *     conf->policies = NULL;
     *     conf->keytab = { 0, NULL };
     *     conf->ntlm_user_file = { 0, NULL };
     *     conf->acceptor = NULL;
     *     conf->ntlm = NULL;
     *     conf->scope = { 0 };
     *     conf->list = NULL;
     *     conf->session_name = { 0, NULL };
     *     conf->status = 0;
     *     conf->admin = 0;
     *     conf->health = 0;
     *     conf->handover = 0;
     *     conf->pass_file = NULL;
     *     conf->pass_line = 0;
     */

    conf->auth = NGX_CONF_UNSET_UINT;
    conf->allow = NGX_CONF_UNSET_PTR;
    conf->acl_file = NGX_CONF_UNSET_PTR;
    conf->acl_shared = NGX_CONF_UNSET;
    conf->acl_max_age = NGX_CONF_UNSET;
    conf->store_error = NGX_CONF_UNSET_UINT;
    conf->grants = NGX_CONF_UNSET_PTR;
    conf->domains = NGX_CONF_UNSET_PTR;
    conf->deny = NGX_CONF_UNSET_UINT;
    conf->inspect = NGX_CONF_UNSET_UINT;
    conf->replay = NGX_CONF_UNSET_UINT;
    conf->binding = NGX_CONF_UNSET_UINT;
    conf->session = NGX_CONF_UNSET_UINT;
    conf->session_ttl = NGX_CONF_UNSET;
    conf->session_idle = NGX_CONF_UNSET;
    conf->public_url = NGX_CONF_UNSET_PTR;

    return conf;
}


char *
ngx_http_rms_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_rms_loc_conf_t  *prev = parent;
    ngx_http_rms_loc_conf_t  *conf = child;

    /* a balancer has no account: the login of the server is not for it */

    if (conf->health && conf->auth == NGX_CONF_UNSET_UINT) {
        conf->auth = NGX_HTTP_RMS_AUTH_OFF;
    }

    ngx_conf_merge_uint_value(conf->auth, prev->auth,
                              NGX_HTTP_RMS_AUTH_OFF);
    ngx_conf_merge_str_value(conf->keytab, prev->keytab, "");
    ngx_conf_merge_str_value(conf->ntlm_user_file, prev->ntlm_user_file, "");
    ngx_conf_merge_ptr_value(conf->allow, prev->allow, NULL);
    ngx_conf_merge_ptr_value(conf->acl_file, prev->acl_file, NULL);
    ngx_conf_merge_value(conf->acl_shared, prev->acl_shared, 0);
    ngx_conf_merge_sec_value(conf->acl_max_age, prev->acl_max_age, 0);
    ngx_conf_merge_uint_value(conf->store_error, prev->store_error,
                              NGX_HTTP_RMS_STORE_LOCAL);
    ngx_conf_merge_ptr_value(conf->grants, prev->grants, NULL);
    ngx_conf_merge_ptr_value(conf->domains, prev->domains, NULL);
    ngx_conf_merge_uint_value(conf->deny, prev->deny, RMS_DENY_FAULT);
    ngx_conf_merge_uint_value(conf->inspect, prev->inspect,
                              NGX_HTTP_RMS_INSPECT_ON);
    ngx_conf_merge_uint_value(conf->replay, prev->replay,
                              NGX_HTTP_RMS_REPLAY_LOCAL);
    ngx_conf_merge_uint_value(conf->binding, prev->binding, RMS_CBIND_OFF);
    ngx_conf_merge_ptr_value(conf->public_url, prev->public_url, NULL);

    ngx_http_rms_session_merge(prev, conf);

    if (ngx_http_rms_rules_merge(cf, conf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_rms_merge_nameless(cf, prev, conf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (conf->pass) {
        ngx_http_rms_raise_body_limits(cf, RMS_BODY_MAX_LARGE);

    } else if (conf->admin) {
        ngx_http_rms_raise_body_limits(cf, NGX_HTTP_RMS_ADMIN_BODY);
    }

    return ngx_http_rms_merge_auth(cf, conf);
}


static char *
ngx_http_rms_merge_auth(ngx_conf_t *cf, ngx_http_rms_loc_conf_t *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    if (conf->auth == NGX_HTTP_RMS_AUTH_OFF) {
        return NGX_CONF_OK;
    }

    if (ngx_http_rms_merge_scope(conf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if ((conf->auth & NGX_HTTP_RMS_AUTH_NTLM)
        && ngx_http_rms_ntlm_merge(cf, conf) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (!(conf->auth & NGX_HTTP_RMS_AUTH_NEGOTIATE)) {
        return NGX_CONF_OK;
    }

    if (conf->keytab.len == 0) {

        clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

        /*
         * a server may say "negotiate" for locations that name a keytab; what
         * no location takes is refused at run time
         */

        if (clcf->name.len == 0) {
            return NGX_CONF_OK;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"rms_auth negotiate\" needs a keytab in location "
                           "\"%V\"; write \"rms_keytab "
                           "/etc/nginx/rms/http.keytab;\"", &clcf->name);
        return NGX_CONF_ERROR;
    }

    conf->acceptor = ngx_http_rms_keytab_get(cf, &conf->keytab);

    return conf->acceptor ? NGX_CONF_OK : NGX_CONF_ERROR;
}


/*
 * What an identity is good for: the places that would have found the same one
 * by the same keys and names.
 */

static ngx_int_t
ngx_http_rms_merge_scope(ngx_http_rms_loc_conf_t *conf)
{
    u_char         hash[EVP_MAX_MD_SIZE];
    EVP_MD_CTX    *md;
    ngx_int_t      rc;
    ngx_uint_t     i;
    ngx_keyval_t  *domain;

    md = EVP_MD_CTX_new();
    if (md == NULL) {
        return NGX_ERROR;
    }

    rc = NGX_ERROR;

    if (EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1
        || ngx_http_rms_scope_add(md, &conf->keytab) != NGX_OK
        || ngx_http_rms_scope_add(md, &conf->ntlm_user_file) != NGX_OK)
    {
        goto done;
    }

    domain = conf->domains ? conf->domains->elts : NULL;

    for (i = 0; conf->domains && i < conf->domains->nelts; i++) {
        if (ngx_http_rms_scope_add(md, &domain[i].key) != NGX_OK
            || ngx_http_rms_scope_add(md, &domain[i].value) != NGX_OK)
        {
            goto done;
        }
    }

    if (EVP_DigestFinal_ex(md, hash, NULL) == 1) {
        ngx_memcpy(conf->scope, hash, NGX_HTTP_RMS_SCOPE);
        rc = NGX_OK;
    }

done:

    EVP_MD_CTX_free(md);

    return rc;
}


static ngx_int_t
ngx_http_rms_scope_add(EVP_MD_CTX *md, ngx_str_t *value)
{
    uint32_t  len;

    len = htonl((uint32_t) value->len);

    return (EVP_DigestUpdate(md, &len, sizeof(len)) == 1
            && EVP_DigestUpdate(md, value->data, value->len) == 1)
           ? NGX_OK : NGX_ERROR;
}


/*
 * The request goes on in the block of an "if" or limit_except with its own
 * configuration: the handler of the location must find itself in it.
 */

static ngx_int_t
ngx_http_rms_merge_nameless(ngx_conf_t *cf, ngx_http_rms_loc_conf_t *prev,
    ngx_http_rms_loc_conf_t *conf)
{
    ngx_http_rms_nameless_t   *nameless;
    ngx_http_rms_main_conf_t  *rmcf;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (!clcf->noname) {
        return NGX_OK;
    }

    if (prev->pass && clcf->handler == NULL) {
        conf->pass = prev->pass;
        conf->policies = prev->policies;
        conf->pass_file = prev->pass_file;
        conf->pass_line = prev->pass_line;
        clcf->handler = ngx_http_rms_pass_handler;
    }

    if (prev->status && clcf->handler == NULL) {
        conf->status = 1;
        conf->admin = prev->admin;
        clcf->handler = ngx_http_rms_status_handler;
    }

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_rms_module);

    nameless = ngx_array_push(&rmcf->nameless);
    if (nameless == NULL) {
        return NGX_ERROR;
    }

    nameless->cscf = ngx_http_conf_get_module_srv_conf(cf,
                                                       ngx_http_core_module);
    nameless->clcf = clcf;
    nameless->parent = prev;

    return NGX_OK;
}


/*
 * Bodies never touch a disk, so the buffer must hold the largest one an
 * endpoint takes, and a chunked one is stored with its framing.  The limit of
 * each endpoint is enforced by our own request body filter.
 */

static void
ngx_http_rms_raise_body_limits(ngx_conf_t *cf, size_t size)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->client_max_body_size != 0
        && clcf->client_max_body_size < (off_t) size)
    {
        clcf->client_max_body_size = size;
    }

    if (clcf->client_body_buffer_size < ngx_http_rms_framed(size)) {
        clcf->client_body_buffer_size = ngx_http_rms_framed(size);
    }
}


ngx_http_rms_keytab_t *
ngx_http_rms_keytab_get(ngx_conf_t *cf, ngx_str_t *path)
{
    ngx_uint_t                  i;
    ngx_pool_cleanup_t         *cln;
    ngx_http_rms_keytab_t      *keytab, **keytabs;
    ngx_http_rms_main_conf_t   *rmcf;

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_rms_module);

    keytabs = rmcf->keytabs.elts;

    for (i = 0; i < rmcf->keytabs.nelts; i++) {
        if (keytabs[i]->path.len == path->len
            && ngx_memcmp(keytabs[i]->path.data, path->data, path->len) == 0)
        {
            return keytabs[i];
        }
    }

    keytabs = ngx_array_push(&rmcf->keytabs);
    keytab = ngx_palloc(cf->pool, sizeof(ngx_http_rms_keytab_t));
    cln = ngx_pool_cleanup_add(cf->pool, 0);

    if (keytabs == NULL || keytab == NULL || cln == NULL) {
        return NULL;
    }

    *keytabs = keytab;

    keytab->path = *path;
    keytab->acceptor = rms_gss_acceptor_create((char *) path->data);

    if (keytab->acceptor == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_rms_free_acceptor;
    cln->data = keytab->acceptor;

    return keytab;
}


static void
ngx_http_rms_free_acceptor(void *data)
{
    rms_gss_acceptor_free(data);
}


char *
ngx_http_rms_auth_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_rms_loc_conf_t *rlcf = conf;

    ngx_str_t                 *value;
    ngx_uint_t                 i, auth, bit;
    ngx_http_rms_main_conf_t  *rmcf;

    if (rlcf->auth != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        rlcf->auth = NGX_HTTP_RMS_AUTH_OFF;
        return NGX_CONF_OK;
    }

    auth = NGX_HTTP_RMS_AUTH_OFF;

    for (i = 1; i < cf->args->nelts; i++) {

        bit = ngx_http_rms_auth_value(&value[i]);

        if (bit == NGX_HTTP_RMS_AUTH_OFF || (auth & bit)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "unknown or repeated value \"%V\" in "
                               "\"rms_auth\"; write \"rms_auth negotiate "
                               "[ntlm] [cert];\", \"rms_auth cert;\" or "
                               "\"rms_auth off;\"", &value[i]);
            return NGX_CONF_ERROR;
        }

        auth |= bit;
    }

    if ((auth & NGX_HTTP_RMS_AUTH_NTLM)
        && !(auth & NGX_HTTP_RMS_AUTH_NEGOTIATE))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"rms_auth ntlm\" without Kerberos; write "
                           "\"rms_auth negotiate ntlm;\", since Windows sends "
                           "NTLM under Negotiate too");
        return NGX_CONF_ERROR;
    }

    rlcf->auth = auth;

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_rms_module);
    rmcf->used = 1;

    return NGX_CONF_OK;
}


static ngx_uint_t
ngx_http_rms_auth_value(ngx_str_t *value)
{
    if (ngx_strcmp(value->data, "negotiate") == 0) {
        return NGX_HTTP_RMS_AUTH_NEGOTIATE;
    }

    if (ngx_strcmp(value->data, "ntlm") == 0) {
        return NGX_HTTP_RMS_AUTH_NTLM;
    }

    if (ngx_strcmp(value->data, "cert") == 0) {
        return NGX_HTTP_RMS_AUTH_CERT;
    }

    return NGX_HTTP_RMS_AUTH_OFF;
}


char *
ngx_http_rms_keytab_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_rms_loc_conf_t *rlcf = conf;

    ngx_str_t  *value;

    if (rlcf->keytab.data != NULL) {
        return "is duplicate; several SPNs go into one keytab";
    }

    value = cf->args->elts;

    if (value[1].len > 5 && ngx_strncmp(value[1].data, "FILE:", 5) == 0) {
        value[1].data += 5;
        value[1].len -= 5;
    }

    if (ngx_conf_full_name(cf->cycle, &value[1], 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    rlcf->keytab = value[1];

    return NGX_CONF_OK;
}


char *
ngx_http_rms_zone_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_rms_main_conf_t *rmcf = conf;

    ngx_str_t  *value;

    if (rmcf->zone_size) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "empty name of \"rms_zone\"; write a name and a "
                           "size, as in \"rms_zone rms 16m;\"");
        return NGX_CONF_ERROR;
    }

    rmcf->zone_name = value[1];
    rmcf->zone_size = ngx_parse_size(&value[2]);

    if (rmcf->zone_size == NGX_ERROR
        || rmcf->zone_size < (ssize_t) (1024 * 1024))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid size \"%V\" of \"rms_zone\"; write a size "
                           "of 1m or more, as in \"rms_zone rms 16m;\"",
                           &value[2]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_rms_thread_pool_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_rms_main_conf_t *rmcf = conf;

    ngx_str_t           *value, *name;
    ngx_uint_t           i;
    ngx_thread_pool_t  **pool;

    if (rmcf->krb5_pool_name.len || rmcf->ntlm_pool_name.len) {
        return "is duplicate; name both pools in one line";
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        name = NULL;

        if (value[i].len > 5 && ngx_strncmp(value[i].data, "krb5=", 5) == 0) {
            name = &rmcf->krb5_pool_name;
            pool = &rmcf->krb5_pool;
        }

        if (value[i].len > 5 && ngx_strncmp(value[i].data, "ntlm=", 5) == 0) {
            name = &rmcf->ntlm_pool_name;
            pool = &rmcf->ntlm_pool;
        }

        if (name == NULL || name->len) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid or repeated value \"%V\" in "
                               "\"rms_thread_pool\"; write \"rms_thread_pool "
                               "krb5=NAME [ntlm=OTHER];\" beside "
                               "\"thread_pool NAME threads=2 "
                               "max_queue=512;\"", &value[i]);
            return NGX_CONF_ERROR;
        }

        name->data = value[i].data + 5;
        name->len = value[i].len - 5;

        *pool = ngx_thread_pool_add(cf, name);

        if (*pool == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    if (rmcf->krb5_pool && rmcf->krb5_pool == rmcf->ntlm_pool) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"krb5\" and \"ntlm\" in \"rms_thread_pool\" are "
                           "one pool; a domain controller that does not "
                           "answer would stop Kerberos too: write a "
                           "\"thread_pool\" of its own for \"ntlm\"");
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_rms_replay_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_rms_loc_conf_t *rlcf = conf;

    ngx_str_t  *value;

    if (rlcf->replay != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        rlcf->replay = NGX_HTTP_RMS_REPLAY_OFF;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[1].data, "local") == 0) {
        rlcf->replay = NGX_HTTP_RMS_REPLAY_LOCAL;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[1].data, "shared") == 0) {
        rlcf->replay = NGX_HTTP_RMS_REPLAY_SHARED;
        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid value \"%V\" in \"rms_replay\"; write "
                       "\"rms_replay local;\", \"rms_replay shared;\" or "
                       "\"rms_replay off;\"",
                       &value[1]);

    return NGX_CONF_ERROR;
}


/* One output form for ever: clients compare these strings ([protocol] 9.10). */

char *
ngx_http_rms_public_url_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_rms_loc_conf_t *rlcf = conf;

    char       *rv;
    ngx_str_t  *value;
    rms_url_t   url;

    value = cf->args->elts;

    if (ngx_http_script_variables_count(&value[1]) == 0) {

        if (rms_url_parse(&value[1], &url) != RMS_OK
            || url.tail != value[1].len)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid value \"%V\" in \"rms_public_url\"; "
                               "write scheme and host without a path, as in "
                               "\"rms_public_url "
                               "https://rmsconnector.contoso.com;\"",
                               &value[1]);
            return NGX_CONF_ERROR;
        }
    }

    rv = ngx_http_set_complex_value_slot(cf, cmd, rlcf);

    return rv;
}


/* As ngx_conf_set_enum_slot(), but it names the directive and its values. */

char *
ngx_http_rms_enum_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    u_char           *p, values[64];
    ngx_str_t        *value;
    ngx_uint_t       *np, i;
    ngx_conf_enum_t  *e;

    np = (ngx_uint_t *) ((char *) conf + cmd->offset);

    if (*np != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;
    e = cmd->post;
    p = values;

    for (i = 0; e[i].name.len; i++) {
        if (e[i].name.len == value[1].len
            && ngx_memcmp(e[i].name.data, value[1].data, value[1].len) == 0)
        {
            *np = e[i].value;
            return NGX_CONF_OK;
        }

        p = ngx_slprintf(p, values + sizeof(values), "%s%V",
                         i ? " or " : "", &e[i].name);
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid value \"%V\" in \"%V\"; write %*s",
                       &value[1], &cmd->name, (size_t) (p - values), values);

    return NGX_CONF_ERROR;
}
