
/*
 * What should be the same on all nodes, as a hash: of each location with
 * rms_pass what decides about requests, and the backends it may choose.  Names
 * of servers and of files, addresses and locations of other kinds may differ,
 * and so may the order; a location that stands in two servers counts once.
 */


#include "ngx_http_rms_pool.h"

#include <openssl/evp.h>


#define NGX_HTTP_RMS_DIGEST  32


static ngx_int_t ngx_http_rms_pool_location(EVP_MD_CTX *md,
    ngx_http_rms_passing_t *passing, u_char *digest);
static void ngx_http_rms_pool_settings(EVP_MD_CTX *md,
    ngx_http_rms_loc_conf_t *conf);
static void ngx_http_rms_pool_admitted(EVP_MD_CTX *md,
    ngx_http_rms_loc_conf_t *conf);
static void ngx_http_rms_pool_backend(EVP_MD_CTX *md,
    ngx_http_rms_backend_conf_t *backend);
static void ngx_http_rms_pool_add(EVP_MD_CTX *md, const void *bytes,
    size_t len);
static void ngx_http_rms_pool_add_number(EVP_MD_CTX *md, uint64_t n);
static int ngx_libc_cdecl ngx_http_rms_pool_order(const void *a,
    const void *b);
static ngx_uint_t ngx_http_rms_pool_repeated(ngx_http_rms_main_conf_t *rmcf,
    ngx_uint_t k, uint32_t hash);


ngx_int_t
ngx_http_rms_pool_conf(ngx_conf_t *cf, ngx_http_rms_main_conf_t *rmcf)
{
    u_char                  *digests, *p, all[EVP_MAX_MD_SIZE];
    EVP_MD_CTX              *md;
    ngx_int_t                rc;
    ngx_uint_t               i, n;
    ngx_http_rms_passing_t  *passing;

    n = rmcf->passing.nelts;
    passing = rmcf->passing.elts;

    digests = ngx_palloc(cf->temp_pool, (n + 1) * NGX_HTTP_RMS_DIGEST);
    md = EVP_MD_CTX_new();

    if (digests == NULL || md == NULL) {
        EVP_MD_CTX_free(md);
        return NGX_ERROR;
    }

    rc = NGX_OK;

    for (i = 0; i < n && rc == NGX_OK; i++) {
        rc = ngx_http_rms_pool_location(md, &passing[i],
                                        digests + i * NGX_HTTP_RMS_DIGEST);
    }

    ngx_qsort(digests, n, NGX_HTTP_RMS_DIGEST, ngx_http_rms_pool_order);

    if (rc == NGX_OK && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1) {

        for (i = 0; i < n; i++) {
            p = digests + i * NGX_HTTP_RMS_DIGEST;

            if (i == 0 || ngx_http_rms_pool_order(p, p - NGX_HTTP_RMS_DIGEST))
            {
                ngx_http_rms_pool_add(md, p, NGX_HTTP_RMS_DIGEST);
            }
        }

        rc = EVP_DigestFinal_ex(md, all, NULL) == 1 ? NGX_OK : NGX_ERROR;
    }

    EVP_MD_CTX_free(md);

    if (rc == NGX_OK) {
        ngx_memcpy(rmcf->digest, all, RMS_NODE_CONF);
    }

    return rc;
}


static ngx_int_t
ngx_http_rms_pool_location(EVP_MD_CTX *md, ngx_http_rms_passing_t *passing,
    u_char *digest)
{
    u_char                         all[EVP_MAX_MD_SIZE];
    ngx_uint_t                     i;
    ngx_http_rms_backend_conf_t  **pass;

    if (EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1) {
        return NGX_ERROR;
    }

    ngx_http_rms_pool_add(md, passing->location.data, passing->location.len);
    ngx_http_rms_pool_settings(md, passing->conf);
    ngx_http_rms_pool_admitted(md, passing->conf);

    pass = passing->conf->pass->elts;

    for (i = 0; i < passing->conf->pass->nelts; i++) {
        ngx_http_rms_pool_backend(md, pass[i]);
    }

    if (EVP_DigestFinal_ex(md, all, NULL) != 1) {
        return NGX_ERROR;
    }

    ngx_memcpy(digest, all, NGX_HTTP_RMS_DIGEST);

    return NGX_OK;
}


static void
ngx_http_rms_pool_settings(EVP_MD_CTX *md, ngx_http_rms_loc_conf_t *conf)
{
    ngx_uint_t  i;
    uint64_t    numbers[] = {
        conf->auth, conf->deny, conf->inspect, conf->replay, conf->binding,
        conf->session, (uint64_t) conf->session_ttl,
        (uint64_t) conf->session_idle, (uint64_t) conf->acl_shared,
        (uint64_t) conf->acl_max_age, conf->store_error, conf->acl_file != NULL
    };

    for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        ngx_http_rms_pool_add_number(md, numbers[i]);
    }

    ngx_http_rms_pool_add(md, conf->session_name.data,
                          conf->session_name.len);

    if (conf->public_url) {
        ngx_http_rms_pool_add(md, conf->public_url->value.data,
                              conf->public_url->value.len);
    }
}


/* Who has which role, and what roles may do. */

static void
ngx_http_rms_pool_admitted(EVP_MD_CTX *md, ngx_http_rms_loc_conf_t *conf)
{
    ngx_uint_t       i;
    ngx_keyval_t    *domain;
    rms_acl_rule_t  *rule;

    if (conf->allow) {
        rule = conf->allow->elts;

        for (i = 0; i < conf->allow->nelts; i++) {
            ngx_http_rms_pool_add_number(md, rule[i].role);
            ngx_http_rms_pool_add_number(md, rule[i].kind);
            ngx_http_rms_pool_add(md, rule[i].value.data, rule[i].value.len);
        }
    }

    if (conf->grants) {
        for (i = 0; i < RMS_ROLE_MAX; i++) {
            ngx_http_rms_pool_add_number(md, conf->grants->grant[i]);
            ngx_http_rms_pool_add_number(md, conf->grants->revoke[i]);
        }
    }

    if (conf->domains) {
        domain = conf->domains->elts;

        for (i = 0; i < conf->domains->nelts; i++) {
            ngx_http_rms_pool_add(md, domain[i].key.data, domain[i].key.len);
            ngx_http_rms_pool_add(md, domain[i].value.data,
                                  domain[i].value.len);
        }
    }
}


static void
ngx_http_rms_pool_backend(EVP_MD_CTX *md, ngx_http_rms_backend_conf_t *backend)
{
    ngx_uint_t      i;
    rms_str_t      *base;
    rms_backend_t  *policy;

    policy = &backend->policy;

    ngx_http_rms_pool_add(md, backend->name.data, backend->name.len);
    ngx_http_rms_pool_add(md, backend->path.data, backend->path.len);
    ngx_http_rms_pool_add(md, policy->licensor.guid, policy->licensor.len);
    ngx_http_rms_pool_add_number(md, policy->kind);
    ngx_http_rms_pool_add_number(md, policy->identity);
    ngx_http_rms_pool_add_number(md, policy->read_only);
    ngx_http_rms_pool_add_number(md, policy->read_only_answer);
    ngx_http_rms_pool_add_number(md, backend->tls);

    base = backend->bases.elts;

    for (i = 0; i < backend->bases.nelts; i++) {
        ngx_http_rms_pool_add(md, base[i].data, base[i].len);
    }
}


/* With its length, so that no two sequences give the same input. */

static void
ngx_http_rms_pool_add(EVP_MD_CTX *md, const void *bytes, size_t len)
{
    ngx_http_rms_pool_add_number(md, len);

    /* what cannot be taken in makes the hash differ, which is told */

    (void) EVP_DigestUpdate(md, bytes, len);
}


static void
ngx_http_rms_pool_add_number(EVP_MD_CTX *md, uint64_t n)
{
    u_char      bytes[8];
    ngx_uint_t  i;

    for (i = 0; i < 8; i++) {
        bytes[i] = (u_char) (n >> (8 * i));
    }

    (void) EVP_DigestUpdate(md, bytes, sizeof(bytes));
}


static int ngx_libc_cdecl
ngx_http_rms_pool_order(const void *a, const void *b)
{
    return ngx_memcmp(a, b, NGX_HTTP_RMS_DIGEST);
}


/* A sum, so that the order of locations does not matter. */

uint32_t
ngx_http_rms_pool_rules(ngx_http_rms_main_conf_t *rmcf)
{
    uint32_t                 sum, hash;
    ngx_uint_t               i;
    ngx_http_rms_passing_t  *passing;
    ngx_http_rms_rules_t    *rules;

    passing = rmcf->passing.elts;
    sum = 0;

    for (i = 0; i < rmcf->passing.nelts; i++) {
        rules = ngx_http_rms_rules_now(passing[i].conf->list);
        hash = rules ? rules->hash : 0;

        if (!ngx_http_rms_pool_repeated(rmcf, i, hash)) {
            sum += hash;
        }
    }

    return sum;
}


static ngx_uint_t
ngx_http_rms_pool_repeated(ngx_http_rms_main_conf_t *rmcf, ngx_uint_t k,
    uint32_t hash)
{
    ngx_uint_t               i;
    ngx_http_rms_passing_t  *passing;
    ngx_http_rms_rules_t    *rules;

    passing = rmcf->passing.elts;

    for (i = 0; i < k; i++) {
        rules = ngx_http_rms_rules_now(passing[i].conf->list);

        if ((rules ? rules->hash : 0) == hash) {
            return 1;
        }
    }

    return 0;
}
