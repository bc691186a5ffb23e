/*
 * Requests to change the shared list, and If-Match headers.  The first byte
 * chooses.  What is read as a request is shown as an answer that is JSON.
 */

#include <jansson.h>
#include <stdlib.h>

#include "rms_admin.h"


#define must(x)   do { if (!(x)) { abort(); } } while (0)

#define BLOCKS_MAX  16384


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void    *blocks[BLOCKS_MAX];
static size_t   n_blocks;


static void *
block(void *data, size_t size)
{
    void  *p;

    (void) data;

    p = n_blocks < BLOCKS_MAX ? malloc(size ? size : 1) : NULL;

    if (p != NULL) {
        blocks[n_blocks++] = p;
    }

    return p;
}


static const rms_mem_t  mem = { block, NULL };


static void
is_json(const rms_str_t *json)
{
    size_t   i;
    json_t  *tree;

    tree = json_loadb((char *) json->data, json->len, JSON_REJECT_DUPLICATES,
                      NULL);
    must(json_is_object(tree));
    json_decref(tree);

    for (i = 0; i < json->len; i++) {
        must(json->data[i] == '\n'
             || (json->data[i] >= ' ' && json->data[i] < 0x80));
    }
}


/* The rules as a version, whatever they are. */

static void
answer(const rms_admin_request_t *request)
{
    size_t               i;
    rms_str_t            json;
    rms_list_t           list;
    rms_list_version_t   version;

    memset(&list, 0, sizeof(list));
    memset(&version, 0, sizeof(version));

    version.version = request->edit.version;
    version.note = request->note;

    for (i = 0; i < request->edit.n && i < RMS_LIST_VERSIONS; i++) {
        version.text = request->edit.rules[i];
        rms_list_push(&list, &version);
    }

    if (rms_admin_list(&version, NULL, &mem, &json) == RMS_OK) {
        is_json(&json);
    } else {
        must(n_blocks == BLOCKS_MAX || version.text.len != 0);
    }

    if (rms_admin_history(&list, &mem, &json) == RMS_OK) {
        is_json(&json);
    }
}


static void
request(const rms_str_t *json)
{
    char                 error[RMS_ADMIN_ERROR];
    size_t               i, len;
    rms_rc_e             rc;
    rms_admin_request_t  r;

    error[0] = '\0';
    rc = rms_admin_read(json, &mem, &r, error);

    if (rc == RMS_INVALID) {
        len = strlen(error);
        must(len != 0 && len < RMS_ADMIN_ERROR);
        return;
    }

    if (rc == RMS_NOMEM) {
        must(n_blocks == BLOCKS_MAX);
        return;
    }

    must(rc == RMS_OK);
    must(r.note.len <= RMS_LIST_NOTE_MAX);

    for (i = 0; i < r.note.len; i++) {
        must(r.note.data[i] >= ' ' && r.note.data[i] != 0x7f);
        must(i == 0 || r.note.data[i - 1] != 0xc2 || r.note.data[i] >= 0xa0);
    }

    if (r.edit.op == RMS_LIST_RESTORE) {
        must(r.edit.version >= 1 && r.edit.n == 0);
    } else {
        must(r.edit.version == 0 && r.edit.n <= RMS_ACL_RULES_MAX);
        must(r.edit.n != 0 || r.edit.op == RMS_LIST_REPLACE);
    }

    answer(&r);
}


/* One number has one tag. */

static void
match(const rms_str_t *value)
{
    char      again[32];
    uint64_t  version;

    if (rms_admin_match(value, &version) != RMS_OK) {
        return;
    }

    (void) snprintf(again, sizeof(again), "\"%llu\"",
                    (unsigned long long) version);
    must(strlen(again) == value->len);
    must(memcmp(again, value->data, value->len) == 0);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rms_str_t  in;

    if (size == 0) {
        return 0;
    }

    /* a copy of its own length, so that a look behind it is seen */

    in.len = size - 1;
    in.data = malloc(in.len ? in.len : 1);
    must(in.data != NULL);
    memcpy(in.data, data + 1, in.len);

    if (data[0] == 'm') {
        match(&in);
    } else {
        request(&in);
    }

    free(in.data);

    while (n_blocks) {
        free(blocks[--n_blocks]);
    }

    return 0;
}
