/*
 * The body of the list's document, in JSON:
 *
 *     { "text": "exchange account=A@R\n...",
 *       "history": [ { "version": 16, "when": 1700000000, "who": "...",
 *                      "note": "...", "head": 3, "tail": 7,
 *                      "text": "..." }, ... ] }
 *
 * A version of the history is what it has between the head lines it begins
 * with and the tail lines it ends with in common with the next newer one.
 */

#include <jansson.h>

#include "rms_list.h"


#define RMS_LIST_DUMP  (JSON_COMPACT | JSON_SORT_KEYS)


static json_t *rms_list_tree(const rms_list_t *list, size_t n);
static json_t *rms_list_delta(const rms_list_version_t *version,
    const rms_str_t *newer);
static json_t *rms_list_string(const rms_str_t *s);
static size_t rms_list_head(const rms_str_t *a, const rms_str_t *b,
    size_t *lines);
static size_t rms_list_tail(const rms_str_t *a, const rms_str_t *b,
    size_t *lines);
static rms_rc_e rms_list_dump(const json_t *tree, const rms_mem_t *mem,
    rms_str_t *body);
static rms_rc_e rms_list_take(const json_t *tree, const rms_mem_t *mem,
    rms_list_t *list);
static rms_rc_e rms_list_older(const json_t *item, const rms_mem_t *mem,
    const rms_list_version_t *newer, rms_list_version_t *version);
static rms_rc_e rms_list_patch(const rms_str_t *newer, size_t head,
    size_t tail, const rms_str_t *middle, const rms_mem_t *mem,
    rms_str_t *text);
static rms_rc_e rms_list_get(const json_t *object, const char *name,
    size_t max, const rms_mem_t *mem, rms_str_t *s);
static rms_rc_e rms_list_number(const json_t *object, const char *name,
    uint64_t *number);


rms_rc_e
rms_list_encode(const rms_list_t *list, const rms_mem_t *mem, rms_str_t *body)
{
    size_t     i, n;
    json_t    *tree;
    rms_rc_e   rc;

    for (i = 0; i < list->n; i++) {
        if (list->versions[i].text.len > RMS_LIST_TEXT_MAX
            || list->versions[i].who.len > RMS_LIST_WHO_MAX
            || list->versions[i].note.len > RMS_LIST_NOTE_MAX)
        {
            return RMS_INVALID;
        }
    }

    if (list->n == 0) {
        return RMS_INVALID;
    }

    for (n = list->n, rc = RMS_TOO_LARGE; n && rc == RMS_TOO_LARGE; n--) {
        tree = rms_list_tree(list, n);
        if (tree == NULL) {
            return RMS_NOMEM;
        }

        rc = rms_list_dump(tree, mem, body);
        json_decref(tree);
    }

    return rc;
}


static json_t *
rms_list_tree(const rms_list_t *list, size_t n)
{
    int      failed;
    size_t   i;
    json_t  *tree, *history;

    tree = json_object();
    history = json_array();

    failed = json_object_set_new(tree, "text",
                                 rms_list_string(&list->versions[0].text));

    for (i = 1; i < n; i++) {
        failed |= json_array_append_new(history,
                                 rms_list_delta(&list->versions[i],
                                                &list->versions[i - 1].text));
    }

    failed |= json_object_set_new(tree, "history", history);

    if (failed) {
        json_decref(tree);
        return NULL;
    }

    return tree;
}


static json_t *
rms_list_delta(const rms_list_version_t *version, const rms_str_t *newer)
{
    int        failed;
    size_t     head, tail, first, last;
    json_t    *item;
    rms_str_t  a, b, middle;

    a = version->text;
    b = *newer;

    first = rms_list_head(&a, &b, &head);

    a.data += first;
    a.len -= first;
    b.data += first;
    b.len -= first;

    last = rms_list_tail(&a, &b, &tail);

    middle.data = a.data;
    middle.len = a.len - last;

    item = json_object();

    failed = json_object_set_new(item, "version",
                                 json_integer((json_int_t) version->version));
    failed |= json_object_set_new(item, "when",
                                  json_integer((json_int_t) version->when));
    failed |= json_object_set_new(item, "who", rms_list_string(&version->who));
    failed |= json_object_set_new(item, "note",
                                  rms_list_string(&version->note));
    failed |= json_object_set_new(item, "head",
                                  json_integer((json_int_t) head));
    failed |= json_object_set_new(item, "tail",
                                  json_integer((json_int_t) tail));
    failed |= json_object_set_new(item, "text", rms_list_string(&middle));

    if (failed) {
        json_decref(item);
        return NULL;
    }

    return item;
}


static json_t *
rms_list_string(const rms_str_t *s)
{
    return json_stringn(s->len ? (char *) s->data : "", s->len);
}


/* Bytes of the lines both begin with, and how many lines these are. */

static size_t
rms_list_head(const rms_str_t *a, const rms_str_t *b, size_t *lines)
{
    size_t  i, same;

    *lines = 0;

    for (i = 0, same = 0;
         i < a->len && i < b->len && a->data[i] == b->data[i];
         i++)
    {
        if (a->data[i] == '\n') {
            (*lines)++;
            same = i + 1;
        }
    }

    return same;
}


/* The same from the end; a line begins behind the end of the one before. */

static size_t
rms_list_tail(const rms_str_t *a, const rms_str_t *b, size_t *lines)
{
    size_t  i, same;

    *lines = 0;

    for (i = 1, same = 0; i <= a->len && i <= b->len; i++) {

        if (a->data[a->len - i] != b->data[b->len - i]) {
            break;
        }

        if ((i == a->len || a->data[a->len - i - 1] == '\n')
            && (i == b->len || b->data[b->len - i - 1] == '\n'))
        {
            (*lines)++;
            same = i;
        }
    }

    return same;
}


static rms_rc_e
rms_list_dump(const json_t *tree, const rms_mem_t *mem, rms_str_t *body)
{
    size_t  size;

    size = json_dumpb(tree, NULL, 0, RMS_LIST_DUMP);

    if (size > RMS_LIST_BODY_MAX) {
        return RMS_TOO_LARGE;
    }

    body->data = size ? rms_alloc(mem, size) : NULL;

    if (body->data == NULL) {
        return RMS_NOMEM;
    }

    body->len = json_dumpb(tree, (char *) body->data, size, RMS_LIST_DUMP);

    return body->len == size ? RMS_OK : RMS_NOMEM;
}


rms_rc_e
rms_list_decode(const rms_str_t *body, const rms_mem_t *mem, rms_list_t *list)
{
    json_t    *tree;
    rms_rc_e   rc;

    memset(list, 0, sizeof(rms_list_t));

    if (body->len == 0 || body->len > RMS_LIST_BODY_MAX) {
        return RMS_INVALID;
    }

    tree = json_loadb((char *) body->data, body->len, JSON_REJECT_DUPLICATES,
                      NULL);
    if (tree == NULL) {
        return RMS_INVALID;
    }

    rc = rms_list_take(tree, mem, list);

    if (rc != RMS_OK) {
        memset(list, 0, sizeof(rms_list_t));
    }

    json_decref(tree);

    return rc;
}


static rms_rc_e
rms_list_take(const json_t *tree, const rms_mem_t *mem, rms_list_t *list)
{
    size_t         i, n;
    rms_rc_e       rc;
    const json_t  *history;

    history = json_object_get(tree, "history");
    n = json_array_size(history);

    if (json_object_size(tree) != 2 || !json_is_array(history)
        || n >= RMS_LIST_VERSIONS)
    {
        return RMS_INVALID;
    }

    rc = rms_list_get(tree, "text", RMS_LIST_TEXT_MAX, mem,
                      &list->versions[0].text);

    for (i = 0; rc == RMS_OK && i < n; i++) {
        rc = rms_list_older(json_array_get(history, i), mem,
                            &list->versions[i], &list->versions[i + 1]);

        if (rc == RMS_OK && i
            && list->versions[i + 1].version >= list->versions[i].version)
        {
            rc = RMS_INVALID;
        }
    }

    list->n = n + 1;

    return rc;
}


static rms_rc_e
rms_list_older(const json_t *item, const rms_mem_t *mem,
    const rms_list_version_t *newer, rms_list_version_t *version)
{
    rms_rc_e   rc;
    uint64_t   head, tail;
    rms_str_t  middle;

    if (json_object_size(item) != 7
        || rms_list_number(item, "version", &version->version) != RMS_OK
        || rms_list_number(item, "when", &version->when) != RMS_OK
        || rms_list_number(item, "head", &head) != RMS_OK
        || rms_list_number(item, "tail", &tail) != RMS_OK
        || version->version == 0
        || head > RMS_LIST_TEXT_MAX || tail > RMS_LIST_TEXT_MAX)
    {
        return RMS_INVALID;
    }

    rc = rms_list_get(item, "who", RMS_LIST_WHO_MAX, mem, &version->who);

    if (rc == RMS_OK) {
        rc = rms_list_get(item, "note", RMS_LIST_NOTE_MAX, mem,
                          &version->note);
    }

    if (rc == RMS_OK) {
        rc = rms_list_get(item, "text", RMS_LIST_TEXT_MAX, mem, &middle);
    }

    return rc == RMS_OK
           ? rms_list_patch(&newer->text, (size_t) head, (size_t) tail,
                            &middle, mem, &version->text)
           : rc;
}


static rms_rc_e
rms_list_patch(const rms_str_t *newer, size_t head, size_t tail,
    const rms_str_t *middle, const rms_mem_t *mem, rms_str_t *text)
{
    size_t          first, last;
    unsigned char  *p;

    for (first = 0; head && first < newer->len; first++) {
        head -= (newer->data[first] == '\n');
    }

    /* the end of the last line belongs to it */

    for (last = newer->len; tail && last > first; last--) {
        tail -= (last == first + 1 || newer->data[last - 2] == '\n');
    }

    if (head || tail
        || first + middle->len + newer->len - last > RMS_LIST_TEXT_MAX)
    {
        return RMS_INVALID;
    }

    text->len = first + middle->len + newer->len - last;
    p = rms_alloc(mem, text->len + 1);

    if (p == NULL) {
        return RMS_NOMEM;
    }

    text->data = p;

    memcpy(p, newer->data, first);
    memcpy(p + first, middle->data, middle->len);
    memcpy(p + first + middle->len, newer->data + last, newer->len - last);

    return RMS_OK;
}


/* A string of its own memory, never NULL. */

static rms_rc_e
rms_list_get(const json_t *object, const char *name, size_t max,
    const rms_mem_t *mem, rms_str_t *s)
{
    const json_t  *value;

    value = json_object_get(object, name);

    if (!json_is_string(value) || json_string_length(value) > max) {
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
rms_list_number(const json_t *object, const char *name, uint64_t *number)
{
    const json_t  *value;

    value = json_object_get(object, name);

    if (!json_is_integer(value) || json_integer_value(value) < 0) {
        return RMS_INVALID;
    }

    *number = (uint64_t) json_integer_value(value);

    return RMS_OK;
}
