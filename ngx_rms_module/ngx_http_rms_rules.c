
/*
 * The rules a location goes by: its lines of rms_allow and, behind them, those
 * of rms_acl_file, which each worker reads again when the file changes (the
 * shared list comes behind them: ngx_http_rms_shared.c).  New
 * rules take the place of old ones at once and as a whole; requests that
 * refer to old ones keep these alive.
 */


#include "ngx_http_rms_module.h"
#include "ngx_http_rms_conf.h"


static ngx_http_rms_acl_file_t *ngx_http_rms_acl_file_get(ngx_conf_t *cf,
    ngx_str_t *path);
static ngx_http_rms_list_t *ngx_http_rms_list_add(ngx_conf_t *cf,
    ngx_http_rms_loc_conf_t *conf);
static ngx_int_t ngx_http_rms_list_load(ngx_conf_t *cf,
    ngx_http_rms_list_t *list);
static void ngx_http_rms_list_cleanup(void *data);
static ngx_http_rms_rules_t *ngx_http_rms_rules_read(ngx_http_rms_list_t *list,
    ngx_str_t *text, ngx_pool_t *pool, rms_acl_text_error_t *error);
static ngx_http_rms_rules_t *ngx_http_rms_rules_again(
    ngx_http_rms_list_t *list, ngx_str_t *text, ngx_log_t *log,
    rms_acl_text_error_t *error);
static void ngx_http_rms_rules_error(rms_acl_text_error_t *error,
    const char *why);
static uint32_t ngx_http_rms_rules_hash(ngx_http_rms_rules_t *rules,
    size_t first);
static const char *ngx_http_rms_acl_file_text(ngx_http_rms_acl_file_t *file,
    ngx_pool_t *pool, ngx_str_t *text);
static void ngx_http_rms_acl_file_again(ngx_http_rms_main_conf_t *rmcf,
    ngx_http_rms_acl_file_t *file, ngx_log_t *log);
static ngx_int_t ngx_http_rms_acl_file_swap(ngx_http_rms_main_conf_t *rmcf,
    ngx_http_rms_acl_file_t *file, ngx_str_t *text, ngx_log_t *log,
    rms_acl_text_error_t *error);
static void ngx_http_rms_acl_file_failed(ngx_http_rms_main_conf_t *rmcf,
    ngx_http_rms_acl_file_t *file, ngx_log_t *log,
    rms_acl_text_error_t *error);
static rms_rc_e ngx_http_rms_regex_compile(void *data, rms_str_t *text,
    void **pattern, rms_str_t *error);
static int ngx_http_rms_regex_match(void *pattern, const rms_str_t *account);


char *
ngx_http_rms_acl_file_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_rms_loc_conf_t *rlcf = conf;

    ngx_str_t  *value;

    if (rlcf->acl_file != NGX_CONF_UNSET_PTR) {
        return "is duplicate; write all rules into one file";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        rlcf->acl_file = NULL;
        return NGX_CONF_OK;
    }

    if (ngx_conf_full_name(cf->cycle, &value[1], 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    rlcf->acl_file = ngx_http_rms_acl_file_get(cf, &value[1]);

    return rlcf->acl_file ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static ngx_http_rms_acl_file_t *
ngx_http_rms_acl_file_get(ngx_conf_t *cf, ngx_str_t *path)
{
    ngx_uint_t                  i;
    ngx_http_rms_acl_file_t    *file, **files;
    ngx_http_rms_main_conf_t   *rmcf;

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_rms_module);

    files = rmcf->acl_files.elts;

    for (i = 0; i < rmcf->acl_files.nelts; i++) {
        if (files[i]->path.len == path->len
            && ngx_memcmp(files[i]->path.data, path->data, path->len) == 0)
        {
            return files[i];
        }
    }

    if (ngx_http_rms_worker_reads(cf, path) != NGX_OK) {
        return NULL;
    }

    files = ngx_array_push(&rmcf->acl_files);
    file = ngx_pcalloc(cf->pool, sizeof(ngx_http_rms_acl_file_t));

    if (files == NULL || file == NULL
        || ngx_array_init(&file->lists, cf->pool, 2, sizeof(void *)) != NGX_OK)
    {
        return NULL;
    }

    *files = file;
    file->path = *path;

    return file;
}


/* The list of a location; those that inherit the same share one. */

ngx_int_t
ngx_http_rms_rules_merge(ngx_conf_t *cf, ngx_http_rms_loc_conf_t *conf)
{
    ngx_uint_t                  i;
    ngx_http_rms_list_t       **lists;
    ngx_http_rms_main_conf_t   *rmcf;

    if (conf->allow == NULL && conf->acl_file == NULL && !conf->acl_shared) {
        return NGX_OK;
    }

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_rms_module);
    lists = rmcf->lists.elts;

    for (i = 0; i < rmcf->lists.nelts; i++) {
        if (lists[i]->allow == conf->allow && lists[i]->file == conf->acl_file
            && (lists[i]->rmcf != NULL) == conf->acl_shared)
        {
            conf->list = lists[i];
            return NGX_OK;
        }
    }

    conf->list = ngx_http_rms_list_add(cf, conf);

    return conf->list ? NGX_OK : NGX_ERROR;
}


static ngx_http_rms_list_t *
ngx_http_rms_list_add(ngx_conf_t *cf, ngx_http_rms_loc_conf_t *conf)
{
    ngx_pool_cleanup_t         *cln;
    ngx_http_rms_list_t        *list, **lists;
    ngx_http_rms_main_conf_t   *rmcf;

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_rms_module);

    list = ngx_pcalloc(cf->pool, sizeof(ngx_http_rms_list_t));
    lists = ngx_array_push(&rmcf->lists);
    cln = ngx_pool_cleanup_add(cf->pool, 0);

    if (list == NULL || lists == NULL || cln == NULL) {
        return NULL;
    }

    *lists = list;

    list->allow = conf->allow;
    list->file = conf->acl_file;
    list->rmcf = conf->acl_shared ? rmcf : NULL;

    cln->handler = ngx_http_rms_list_cleanup;
    cln->data = list;

    if (list->file) {
        lists = ngx_array_push(&list->file->lists);
        if (lists == NULL) {
            return NULL;
        }

        *lists = list;
    }

    if (ngx_http_rms_list_load(cf, list) != NGX_OK) {
        return NULL;
    }

    list->base->refs++;
    list->rules = list->base;

    return list;
}


static ngx_int_t
ngx_http_rms_list_load(ngx_conf_t *cf, ngx_http_rms_list_t *list)
{
    const char            *why;
    rms_acl_text_error_t   error;

    if (list->file == NULL) {

        list->base = ngx_http_rms_rules_create(cf->pool);
        if (list->base == NULL) {
            return NGX_ERROR;
        }

        if (list->allow) {
            list->base->rules = list->allow->elts;
            list->base->n = list->allow->nelts;
        }

        ngx_http_rms_rules_close(list->base, list->base->n);

        return NGX_OK;
    }

    /* read once, so that all lists have the same version of it */

    why = list->file->text.data
          ? NULL : ngx_http_rms_acl_file_text(list->file, cf->temp_pool,
                                              &list->file->text);

    if (why) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"rms_acl_file\" \"%V\" %s",
                           &list->file->path, why);
        return NGX_ERROR;
    }

    list->base = ngx_http_rms_rules_read(list, &list->file->text, cf->pool,
                                         &error);

    if (list->base == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"rms_acl_file\" %V:%ui: %s", &list->file->path,
                           (ngx_uint_t) error.line, error.text);
        return NGX_ERROR;
    }

    list->file->looked = ngx_time();

    return NGX_OK;
}


static void
ngx_http_rms_list_cleanup(void *data)
{
    ngx_http_rms_list_t *list = data;

    ngx_http_rms_rules_free(list->rules);
    ngx_http_rms_rules_free(list->base);
}


/* The rules of this moment; a new shared list counts from the next request. */

ngx_http_rms_rules_t *
ngx_http_rms_rules_now(ngx_http_rms_list_t *list)
{
    if (list == NULL) {
        return NULL;
    }

    if (list->rmcf
        && list->changes
           != list->rmcf->zone->shared->documents[NGX_HTTP_RMS_LIST].changes)
    {
        ngx_http_rms_shared_renew(list);
    }

    return list->rules;
}


/* Requests hold what they refer to. */

ngx_http_rms_rules_t *
ngx_http_rms_rules_hold(ngx_http_rms_list_t *list)
{
    ngx_http_rms_rules_t  *rules;

    rules = ngx_http_rms_rules_now(list);

    if (rules) {
        rules->refs++;
    }

    return rules;
}


void
ngx_http_rms_rules_free(ngx_http_rms_rules_t *rules)
{
    ngx_http_rms_rules_t  *base;

    while (rules && --rules->refs == 0) {
        base = rules->base;

        if (rules->pool) {
            ngx_destroy_pool(rules->pool);
        }

        rules = base;
    }
}


ngx_http_rms_rules_t *
ngx_http_rms_rules_create(ngx_pool_t *pool)
{
    ngx_http_rms_rules_t  *rules;

    rules = ngx_pcalloc(pool, sizeof(ngx_http_rms_rules_t));

    if (rules) {
        rules->refs = 1;
    }

    return rules;
}


/* NULL: see error.  What was taken from the pool stays there. */

static ngx_http_rms_rules_t *
ngx_http_rms_rules_read(ngx_http_rms_list_t *list, ngx_str_t *text,
    ngx_pool_t *pool, rms_acl_text_error_t *error)
{
    rms_rc_e               rc;
    rms_mem_t              mem;
    rms_acl_list_t         read;
    rms_acl_regex_t        regex;
    ngx_http_rms_rules_t  *rules;

    ngx_http_rms_rules_error(error, "no memory");

    rules = ngx_http_rms_rules_create(pool);
    if (rules == NULL) {
        return NULL;
    }

    mem = ngx_http_rms_mem(pool);
    regex = ngx_http_rms_regex(pool);

    rc = rms_acl_text_read(text, &list->file->path,
                           list->allow ? list->allow->elts : NULL,
                           list->allow ? list->allow->nelts : 0,
                           &regex, &mem, &read, error);

    if (rc != RMS_OK) {
        return NULL;
    }

    rules->rules = read.rules;
    rules->n = read.n;

    ngx_http_rms_rules_close(rules, read.n_before);

    return rules;
}


/* In a pool of their own, which goes with the last request that needs them. */

static ngx_http_rms_rules_t *
ngx_http_rms_rules_again(ngx_http_rms_list_t *list, ngx_str_t *text,
    ngx_log_t *log, rms_acl_text_error_t *error)
{
    ngx_pool_t            *pool;
    ngx_http_rms_rules_t  *rules;

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, log);

    if (pool == NULL) {
        ngx_http_rms_rules_error(error, "no memory");
        return NULL;
    }

    rules = ngx_http_rms_rules_read(list, text, pool, error);

    if (rules == NULL || ngx_http_rms_rules_mixed(list, rules, error)) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    rules->pool = pool;

    return rules;
}


static void
ngx_http_rms_rules_error(rms_acl_text_error_t *error, const char *why)
{
    error->line = 0;

    (void) ngx_cpystrn((u_char *) error->text, (u_char *) why,
                       sizeof(error->text));
}


void
ngx_http_rms_rules_close(ngx_http_rms_rules_t *rules, size_t own)
{
    rules->own = own;
    rules->own_hash = ngx_http_rms_rules_hash(rules, own);
    rules->hash = ngx_http_rms_rules_hash(rules, 0);
    rules->wants_sids = rms_acl_wants_sids(rules->rules, rules->n);
}


/* The hash says whether two nodes, or two times, have the same rules. */

static uint32_t
ngx_http_rms_rules_hash(ngx_http_rms_rules_t *rules, size_t first)
{
    size_t           i;
    uint32_t         hash;
    rms_acl_rule_t  *rule;

    ngx_crc32_init(hash);

    for (i = first; i < rules->n; i++) {
        rule = &rules->rules[i];

        ngx_crc32_update(&hash, (u_char *) &rule->role, sizeof(rule->role));
        ngx_crc32_update(&hash, (u_char *) &rule->kind, sizeof(rule->kind));
        ngx_crc32_update(&hash, rule->value.data, rule->value.len);
    }

    ngx_crc32_final(hash);

    return hash;
}


/*
 * Partners are anonymous and have a place of their own: where others log in, a
 * challenge would keep them out, or "any" let others in.  NULL, or the rule
 * that admits them to another place, and why not there.
 */

const rms_acl_rule_t *
ngx_http_rms_partner_mix(ngx_http_rms_list_t *list,
    ngx_http_rms_rules_t *rules, const char **why)
{
    size_t                 i;
    const rms_acl_rule_t  *rule, *partner;

    if (!list->relays) {
        return NULL;
    }

    partner = NULL;
    *why = list->logins ? "asks for a login" : NULL;

    for (i = 0; i < rules->n; i++) {
        rule = &rules->rules[i];

        if (rule->role == RMS_ROLE_PARTNER && rule->kind == RMS_ACL_ANY) {
            partner = rule;

        } else {
            *why = "has other callers too";
        }
    }

    return *why ? partner : NULL;
}


/* What is refused at load does not come in by a file either. */

ngx_uint_t
ngx_http_rms_rules_mixed(ngx_http_rms_list_t *list,
    ngx_http_rms_rules_t *rules, rms_acl_text_error_t *error)
{
    u_char                *p;
    const char            *why;
    const rms_acl_rule_t  *rule;

    rule = ngx_http_rms_partner_mix(list, rules, &why);

    if (rule == NULL) {
        return 0;
    }

    error->line = rule->line;

    p = ngx_snprintf((u_char *) error->text, sizeof(error->text) - 1,
                     "\"partner any\" is for anonymous partners, but a "
                     "location of this list %s; give partners a server or "
                     "location of their own, with \"rms_auth off;\" and no "
                     "other rule", why);
    *p = '\0';

    return 1;
}


/* NULL, or why the file could not be read. */

static const char *
ngx_http_rms_acl_file_text(ngx_http_rms_acl_file_t *file, ngx_pool_t *pool,
    ngx_str_t *text)
{
    ssize_t           n;
    ngx_fd_t          fd;
    ngx_file_info_t   fi;

    /* a pipe in its place would block the worker */

    fd = ngx_open_file(file->path.data, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                       NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        return ngx_errno == NGX_ENOENT
               ? "is not there; write an empty file if nobody is to be listed"
               : "cannot be opened; let the worker's user read it";
    }

    n = -1;

    if (ngx_fd_info(fd, &fi) != NGX_FILE_ERROR && ngx_is_file(&fi)
        && fi.st_size <= RMS_ACL_TEXT_MAX)
    {
        text->len = (size_t) fi.st_size;
        text->data = ngx_palloc(pool, text->len + 1);

        if (text->data) {
            n = read(fd, text->data, text->len + 1);
        }
    }

    (void) ngx_close_file(fd);

    if (n < 0) {
        return "is not a regular file of 1 MiB at most";
    }

    if ((size_t) n != text->len) {
        return "changes while it is read; write a new file and rename it";
    }

    ngx_http_rms_stamp(&file->stamp, &fi);

    return NULL;
}


/* A look of the worker's timer. */

void
ngx_http_rms_acl_file_look(ngx_http_rms_main_conf_t *rmcf,
    ngx_http_rms_acl_file_t *file, ngx_log_t *log)
{
    ngx_file_info_t       fi;
    rms_acl_text_error_t  error;

    if (file->lists.nelts == 0) {
        return;
    }

    if (ngx_file_info(file->path.data, &fi) == NGX_FILE_ERROR) {

        if (file->stamp.inode) {
            file->failed = 0;
        }

        ngx_http_rms_rules_error(&error, "it is not there, or not to be read");
        ngx_http_rms_acl_file_failed(rmcf, file, log, &error);
        ngx_memzero(&file->stamp, sizeof(ngx_http_rms_stamp_t));

        return;
    }

    if (ngx_http_rms_stamp_differs(&file->stamp, &fi)) {
        file->failed = 0;
        ngx_http_rms_stamp(&file->stamp, &fi);
        ngx_http_rms_acl_file_again(rmcf, file, log);
        return;
    }

    if (!file->failed) {
        file->looked = ngx_time();
    }
}


static void
ngx_http_rms_acl_file_again(ngx_http_rms_main_conf_t *rmcf,
    ngx_http_rms_acl_file_t *file, ngx_log_t *log)
{
    ngx_str_t              text;
    ngx_pool_t            *pool;
    const char            *why;
    rms_acl_text_error_t   error;

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, log);
    if (pool == NULL) {
        return;
    }

    why = ngx_http_rms_acl_file_text(file, pool, &text);

    if (why) {
        ngx_http_rms_rules_error(&error, why);
    }

    if (why || ngx_http_rms_acl_file_swap(rmcf, file, &text, log, &error)
               != NGX_OK)
    {
        ngx_http_rms_acl_file_failed(rmcf, file, log, &error);

    } else {
        file->looked = ngx_time();
    }

    ngx_destroy_pool(pool);
}


/* All lists that the file is part of, or none. */

static ngx_int_t
ngx_http_rms_acl_file_swap(ngx_http_rms_main_conf_t *rmcf,
    ngx_http_rms_acl_file_t *file, ngx_str_t *text, ngx_log_t *log,
    rms_acl_text_error_t *error)
{
    ngx_uint_t              i;
    ngx_http_rms_list_t   **lists;
    ngx_http_rms_rules_t   *old;

    lists = file->lists.elts;

    for (i = 0; i < file->lists.nelts; i++) {
        lists[i]->next = ngx_http_rms_rules_again(lists[i], text, log, error);

        if (lists[i]->next == NULL) {
            while (i--) {
                ngx_http_rms_rules_free(lists[i]->next);
            }

            return NGX_ERROR;
        }
    }

    ngx_http_rms_log_change(rmcf, file, log);

    for (i = 0; i < file->lists.nelts; i++) {
        old = lists[i]->base;
        lists[i]->base = lists[i]->next;
        ngx_http_rms_rules_free(old);

        ngx_http_rms_shared_renew(lists[i]);
    }

    return NGX_OK;
}


/* Said once by each worker, until the file changes again. */

static void
ngx_http_rms_acl_file_failed(ngx_http_rms_main_conf_t *rmcf,
    ngx_http_rms_acl_file_t *file, ngx_log_t *log,
    rms_acl_text_error_t *error)
{
    ngx_http_rms_shared_t  *shared;

    if (file->failed) {
        return;
    }

    file->failed = 1;

    shared = rmcf->zone->shared;

    (void) ngx_atomic_fetch_add(&shared->counters[RMS_COUNT_ACL_FAILURES], 1);

    ngx_http_rms_event(NGX_LOG_ERR, log, 3001,
                       "list not read again: %V:%ui: %s; the list of %T s ago "
                       "stays in use", &file->path, (ngx_uint_t) error->line,
                       error->text, ngx_time() - file->looked);
}


rms_acl_regex_t
ngx_http_rms_regex(ngx_pool_t *pool)
{
    rms_acl_regex_t  regex;

    regex.match = ngx_http_rms_regex_match;
    regex.data = pool;

#if (NGX_PCRE)
    regex.compile = ngx_http_rms_regex_compile;
#else
    regex.compile = NULL;
#endif

    return regex;
}


#if (NGX_PCRE)

static rms_rc_e
ngx_http_rms_regex_compile(void *data, rms_str_t *text, void **pattern,
    rms_str_t *error)
{
    ngx_regex_compile_t  rc;

    ngx_memzero(&rc, sizeof(ngx_regex_compile_t));

    rc.pattern = *text;
    rc.pool = data;
    rc.err = *error;

    if (ngx_regex_compile(&rc) != NGX_OK) {
        *error = rc.err;
        return RMS_INVALID;
    }

    *pattern = rc.regex;

    return RMS_OK;
}

#endif


static int
ngx_http_rms_regex_match(void *pattern, const rms_str_t *account)
{
#if (NGX_PCRE)

    ngx_int_t  n;

    n = ngx_regex_exec(pattern, (ngx_str_t *) account, NULL, 0);

    if (n == NGX_REGEX_NO_MATCHED) {
        return 0;
    }

    return n < 0 ? -1 : 1;

#else

    return -1;

#endif
}
