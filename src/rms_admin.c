/*
 * Administration of the shared list.  Trees are jansson's and freed before a
 * call ends; what is handed out is the caller's allocator's.
 */

#include <jansson.h>
#include <stdio.h>
#include <time.h>

#include "rms_admin.h"


static rms_rc_e rms_admin_op(const json_t *tree, rms_admin_request_t *request,
    char *error);
static rms_rc_e rms_admin_members(const json_t *tree, rms_list_op_e op,
    char *error);
static rms_rc_e rms_admin_rules(const json_t *rules, const rms_mem_t *mem,
    rms_list_edit_t *edit, char *error);
static rms_rc_e rms_admin_text(const json_t *value, const rms_mem_t *mem,
    rms_str_t *s);
static rms_rc_e rms_admin_rest(const json_t *tree, const rms_mem_t *mem,
    rms_admin_request_t *request, char *error);
static int rms_admin_control(const rms_str_t *text);
static rms_rc_e rms_admin_wrong(char *error, const char *why);
static json_t *rms_admin_version(const rms_list_version_t *version);
static json_t *rms_admin_lines(const rms_str_t *text);
static size_t rms_admin_count(const rms_str_t *text);
static json_t *rms_admin_time(uint64_t when);
static json_t *rms_admin_string(const rms_str_t *s);
static int rms_admin_source(json_t *tree, const rms_admin_source_t *source);
static rms_rc_e rms_admin_done(json_t *tree, int failed, const rms_mem_t *mem,
    rms_str_t *json);


static const char *const  rms_admin_ops[] = {
    [RMS_LIST_ADD] = "add",
    [RMS_LIST_REMOVE] = "remove",
    [RMS_LIST_REPLACE] = "replace",
    [RMS_LIST_RESTORE] = "restore"
};


rms_rc_e
rms_admin_read(const rms_str_t *json, const rms_mem_t *mem,
    rms_admin_request_t *request, char *error)
{
    json_t        *tree;
    rms_rc_e       rc;
    json_error_t   why;

    memset(request, 0, sizeof(rms_admin_request_t));

    tree = json->len && json->len <= RMS_ADMIN_BODY_MAX
           ? json_loadb((char *) json->data, json->len,
                        JSON_REJECT_DUPLICATES, &why)
           : NULL;

    if (!json_is_object(tree)) {
        json_decref(tree);
        return rms_admin_wrong(error, "the body is not a JSON object, in "
                               "UTF-8, without a member twice");
    }

    rc = rms_admin_op(tree, request, error);

    if (rc == RMS_OK) {
        rc = rms_admin_members(tree, request->edit.op, error);
    }

    if (rc == RMS_OK && request->edit.op != RMS_LIST_RESTORE) {
        rc = rms_admin_rules(json_object_get(tree, "rules"), mem,
                             &request->edit, error);
    }

    if (rc == RMS_OK) {
        rc = rms_admin_rest(tree, mem, request, error);
    }

    json_decref(tree);

    return rc;
}


static rms_rc_e
rms_admin_op(const json_t *tree, rms_admin_request_t *request, char *error)
{
    size_t       i;
    const char  *op;

    op = json_string_value(json_object_get(tree, "op"));

    for (i = RMS_LIST_ADD; op && i <= RMS_LIST_RESTORE; i++) {
        if (strcmp(op, rms_admin_ops[i]) == 0) {
            request->edit.op = (rms_list_op_e) i;
            return RMS_OK;
        }
    }

    return rms_admin_wrong(error, "\"op\" is add, remove, replace or restore");
}


/* A misspelt "dry_run" must not change anything. */

static rms_rc_e
rms_admin_members(const json_t *tree, rms_list_op_e op, char *error)
{
    size_t       n;
    const char  *what;

    what = op == RMS_LIST_RESTORE ? "version" : "rules";

    n = 1;
    n += (json_object_get(tree, "note") != NULL);
    n += (json_object_get(tree, "dry_run") != NULL);
    n += (json_object_get(tree, what) != NULL);

    if (n != json_object_size(tree)) {
        return rms_admin_wrong(error, op == RMS_LIST_RESTORE
                               ? "members are op, version, note and dry_run"
                               : "members are op, rules, note and dry_run");
    }

    return RMS_OK;
}


static rms_rc_e
rms_admin_rules(const json_t *rules, const rms_mem_t *mem,
    rms_list_edit_t *edit, char *error)
{
    size_t      i, n;
    rms_rc_e    rc;
    rms_str_t  *list;

    n = json_array_size(rules);

    if (!json_is_array(rules) || (n == 0 && edit->op != RMS_LIST_REPLACE)
        || n > RMS_ACL_RULES_MAX)
    {
        return rms_admin_wrong(error, "\"rules\" is an array of strings, as "
                               "[\"exchange account=EXCH01$@CONTOSO.COM\"]");
    }

    list = rms_alloc(mem, (n + 1) * sizeof(rms_str_t));
    if (list == NULL) {
        return RMS_NOMEM;
    }

    for (i = 0, rc = RMS_OK; rc == RMS_OK && i < n; i++) {
        rc = rms_admin_text(json_array_get(rules, i), mem, &list[i]);
    }

    edit->rules = list;
    edit->n = n;

    return rc == RMS_INVALID
           ? rms_admin_wrong(error, "a rule is not a string") : rc;
}


static rms_rc_e
rms_admin_text(const json_t *value, const rms_mem_t *mem, rms_str_t *s)
{
    if (!json_is_string(value)) {
        return RMS_INVALID;
    }

    s->len = json_string_length(value);
    s->data = rms_alloc(mem, s->len + 1);

    if (s->data == NULL) {
        return RMS_NOMEM;
    }

    memcpy(s->data, json_string_value(value), s->len);

    return RMS_OK;
}


static rms_rc_e
rms_admin_rest(const json_t *tree, const rms_mem_t *mem,
    rms_admin_request_t *request, char *error)
{
    rms_rc_e       rc;
    const json_t  *value;

    value = json_object_get(tree, "note");
    rc = value ? rms_admin_text(value, mem, &request->note) : RMS_OK;

    if (rc == RMS_NOMEM) {
        return rc;
    }

    if (rc == RMS_INVALID || request->note.len > RMS_LIST_NOTE_MAX
        || rms_admin_control(&request->note))
    {
        return rms_admin_wrong(error, "\"note\" is a string of at most 256 "
                               "bytes, without control characters");
    }

    value = json_object_get(tree, "dry_run");

    if (value && !json_is_boolean(value)) {
        return rms_admin_wrong(error, "\"dry_run\" is true or false");
    }

    request->dry_run = json_is_true(value);

    if (request->edit.op != RMS_LIST_RESTORE) {
        return rc;
    }

    value = json_object_get(tree, "version");

    if (!json_is_integer(value) || json_integer_value(value) < 1) {
        return rms_admin_wrong(error, "\"version\" is the number of a version "
                               "of the history");
    }

    request->edit.version = (uint64_t) json_integer_value(value);

    return rc;
}


/* C0, DEL, and C1 in its UTF-8 form: see rms_document_encode(). */

static int
rms_admin_control(const rms_str_t *text)
{
    size_t         i;
    unsigned char  c;

    for (i = 0; i < text->len; i++) {
        c = text->data[i];

        if (c < 0x20 || c == 0x7f
            || (c >= 0x80 && c < 0xa0 && i && text->data[i - 1] == 0xc2))
        {
            return 1;
        }
    }

    return 0;
}


static rms_rc_e
rms_admin_wrong(char *error, const char *why)
{
    (void) snprintf(error, RMS_ADMIN_ERROR, "%s", why);

    return RMS_INVALID;
}


rms_rc_e
rms_admin_match(const rms_str_t *value, uint64_t *version)
{
    size_t    i;
    uint64_t  n;

    if (value->len < 3 || value->len > 20 || value->data[0] != '"'
        || value->data[value->len - 1] != '"'
        || (value->data[1] == '0' && value->len > 3))
    {
        return RMS_INVALID;
    }

    for (i = 1, n = 0; i < value->len - 1; i++) {

        if (value->data[i] < '0' || value->data[i] > '9') {
            return RMS_INVALID;
        }

        n = n * 10 + (uint64_t) (value->data[i] - '0');
    }

    *version = n;

    return RMS_OK;
}


rms_rc_e
rms_admin_list(const rms_list_version_t *version,
    const rms_admin_source_t *source, const rms_mem_t *mem, rms_str_t *json)
{
    int      failed;
    json_t  *tree;

    tree = rms_admin_version(version);

    failed = json_object_set_new(tree, "rules",
                                 rms_admin_lines(&version->text));

    if (source) {
        failed |= rms_admin_source(tree, source);
    }

    return rms_admin_done(tree, failed, mem, json);
}


static int
rms_admin_source(json_t *tree, const rms_admin_source_t *source)
{
    int  failed;

    failed = json_object_set_new(tree, "store", json_string(source->store));
    failed |= json_object_set_new(tree, "age",
                                  json_integer((json_int_t) source->age));
    failed |= json_object_set_new(tree, "stale", json_boolean(source->stale));

    return failed;
}


rms_rc_e
rms_admin_history(const rms_list_t *list, const rms_mem_t *mem,
    rms_str_t *json)
{
    int      failed;
    size_t   i, rules;
    json_t  *tree, *history, *item;

    tree = json_object();
    history = json_array();
    failed = 0;

    for (i = 0; i < list->n; i++) {
        rules = rms_admin_count(&list->versions[i].text);
        item = rms_admin_version(&list->versions[i]);

        failed |= json_object_set_new(item, "rules",
                                      json_integer((json_int_t) rules));
        failed |= json_array_append_new(history, item);
    }

    failed |= json_object_set_new(tree, "history", history);

    return rms_admin_done(tree, failed, mem, json);
}


rms_rc_e
rms_admin_change(uint64_t version, const rms_acl_diff_t *diff, int dry_run,
    const char *stored, const rms_mem_t *mem, rms_str_t *json)
{
    int      failed;
    size_t   i;
    json_t  *tree, *lines;

    tree = json_object();
    lines = json_array();

    failed = json_object_set_new(tree, "version",
                                 json_integer((json_int_t) version));
    failed |= json_object_set_new(tree, "dry_run", json_boolean(dry_run));
    failed |= json_object_set_new(tree, "changed",
                                  json_integer((json_int_t) diff->changed));
    failed |= json_object_set_new(tree, "added",
                                  json_integer((json_int_t) diff->added));
    failed |= json_object_set_new(tree, "removed",
                                  json_integer((json_int_t) diff->removed));
    failed |= json_object_set_new(tree, "reordered",
                                  json_boolean(diff->reordered));

    for (i = 0; i < diff->n_lines; i++) {
        failed |= json_array_append_new(lines, json_string(diff->lines[i]));
    }

    failed |= json_object_set_new(tree, "changes", lines);

    if (stored) {
        failed |= json_object_set_new(tree, "stored", json_string(stored));
    }

    return rms_admin_done(tree, failed, mem, json);
}


static json_t *
rms_admin_version(const rms_list_version_t *version)
{
    int      failed;
    json_t  *tree;

    tree = json_object();

    failed = json_object_set_new(tree, "version",
                                 json_integer((json_int_t) version->version));
    failed |= json_object_set_new(tree, "when", rms_admin_time(version->when));
    failed |= json_object_set_new(tree, "who",
                                  rms_admin_string(&version->who));
    failed |= json_object_set_new(tree, "note",
                                  rms_admin_string(&version->note));

    if (failed) {
        json_decref(tree);
        return NULL;
    }

    return tree;
}


static json_t *
rms_admin_lines(const rms_str_t *text)
{
    json_t         *lines;
    rms_str_t       line;
    unsigned char  *p, *end;

    lines = json_array();
    p = text->data;

    while (lines && text->len && p < text->data + text->len) {
        end = memchr(p, '\n', (size_t) (text->data + text->len - p));

        line.data = p;
        line.len = end ? (size_t) (end - p)
                       : (size_t) (text->data + text->len - p);

        if (json_array_append_new(lines, rms_admin_string(&line)) != 0) {
            json_decref(lines);
            return NULL;
        }

        p += line.len + 1;
    }

    return lines;
}


static size_t
rms_admin_count(const rms_str_t *text)
{
    size_t  i, n;

    for (i = 0, n = 0; i < text->len; i++) {
        n += (text->data[i] == '\n');
    }

    return n;
}


/* "2024-05-06T07:08:09Z", or null for no time at all. */

static json_t *
rms_admin_time(uint64_t when)
{
    char       buf[sizeof("2024-05-06T07:08:09Z") + 32];
    time_t     t;
    struct tm  tm;

    t = (time_t) when;

    if (when == 0 || gmtime_r(&t, &tm) == NULL
        || strftime(buf, sizeof(buf), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
    {
        return json_null();
    }

    return json_string(buf);
}


static json_t *
rms_admin_string(const rms_str_t *s)
{
    return json_stringn(s->len ? (char *) s->data : "", s->len);
}


static rms_rc_e
rms_admin_done(json_t *tree, int failed, const rms_mem_t *mem, rms_str_t *json)
{
    size_t  size;

    json->data = NULL;

    size = failed ? 0 : json_dumpb(tree, NULL, 0,
                                   JSON_INDENT(2) | JSON_ENSURE_ASCII);

    if (size) {
        json->data = rms_alloc(mem, size + 1);
    }

    if (json->data) {
        json->len = json_dumpb(tree, (char *) json->data, size,
                               JSON_INDENT(2) | JSON_ENSURE_ASCII);
        json->data[json->len++] = '\n';
    }

    json_decref(tree);

    return json->data ? RMS_OK : RMS_NOMEM;
}
