/*
 * The shared list.  "d" and bytes: a body, decoded; what is one is encoded and
 * decoded to the same list.  Any other first byte: a sequence of edits, a line
 * each ("+", "-" and "=" with rules, "<" with how many versions back), against
 * a model that keeps each version whole.  After each edit the list goes
 * through its codec, as it does in a node, and every version of the history is
 * what it was.
 */

#include <stdlib.h>

#include "rms_list.h"


#define must(x)   do { if (!(x)) { abort(); } } while (0)

#define BLOCKS_MAX  65536
#define MODEL_MAX   64
#define RULES_MAX   16


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void       *blocks[BLOCKS_MAX];
static size_t      n_blocks;

/* every version there ever was; 0 is the empty list without a version */
static rms_str_t   model[MODEL_MAX];
static size_t      n_model;


static void *
block(void *data, size_t size)
{
    void  *p;

    (void) data;

    must(n_blocks < BLOCKS_MAX);

    p = malloc(size ? size : 1);
    must(p != NULL);

    blocks[n_blocks++] = p;

    return p;
}


static const rms_mem_t  mem = { block, NULL };


/* A pattern is its text here; one with "!" does not compile. */

static rms_rc_e
compile(void *data, rms_str_t *text, void **pattern, rms_str_t *error)
{
    (void) data;

    if (memchr(text->data, '!', text->len) != NULL) {
        error->len = 0;
        return RMS_INVALID;
    }

    *pattern = text;

    return RMS_OK;
}


static int
match(void *pattern, const rms_str_t *account)
{
    (void) pattern;
    (void) account;

    return 0;
}


static const rms_acl_regex_t  regex = { compile, match, NULL };


static void
same(const rms_list_t *a, const rms_list_t *b)
{
    size_t  i;

    must(a->n == b->n);

    for (i = 0; i < a->n; i++) {
        must(rms_str_eq(&a->versions[i].text, &b->versions[i].text));

        if (i) {
            must(a->versions[i].version == b->versions[i].version);
            must(a->versions[i].when == b->versions[i].when);
            must(rms_str_eq(&a->versions[i].who, &b->versions[i].who));
            must(rms_str_eq(&a->versions[i].note, &b->versions[i].note));
        }
    }
}


static void
decode(const rms_str_t *body)
{
    size_t      i;
    rms_rc_e    rc;
    rms_str_t   again;
    rms_list_t  list, back;

    rc = rms_list_decode(body, &mem, &list);

    if (rc != RMS_OK) {
        must(rc == RMS_INVALID && list.n == 0);
        return;
    }

    must(list.n >= 1 && list.n <= RMS_LIST_VERSIONS);

    for (i = 0; i < list.n; i++) {
        must(list.versions[i].text.len <= RMS_LIST_TEXT_MAX);
        must(i < 2 || list.versions[i].version < list.versions[i - 1].version);
    }

    /* a text that was cut inside a character is none */

    if (rms_list_encode(&list, &mem, &again) == RMS_OK
        && again.len <= RMS_LIST_BODY_MAX / 2)
    {
        must(rms_list_decode(&again, &mem, &back) == RMS_OK);
        same(&list, &back);
    }
}


/* 1: a new version, its text in text */

static int
edit(const rms_list_t *list, const rms_str_t *line, rms_str_t *text)
{
    size_t                 i, start;
    rms_rc_e               rc;
    rms_str_t              rules[RULES_MAX];
    rms_list_edit_t        e;
    rms_acl_text_error_t   error;

    memset(&e, 0, sizeof(e));

    e.op = line->data[0] == '+' ? RMS_LIST_ADD
           : line->data[0] == '-' ? RMS_LIST_REMOVE
           : line->data[0] == '<' ? RMS_LIST_RESTORE : RMS_LIST_REPLACE;
    e.rules = rules;

    for (i = 1, start = 1; i <= line->len && e.n < RULES_MAX; i++) {
        if (i == line->len || line->data[i] == '|') {
            rules[e.n].data = line->data + start;
            rules[e.n++].len = i - start;
            start = i + 1;
        }
    }

    if (e.op == RMS_LIST_RESTORE) {
        e.version = n_model - 1 - (line->len > 1 ? line->data[1] & 31u : 0);
        e.n = 0;

    } else if (e.op == RMS_LIST_REPLACE && line->len == 1) {
        e.n = 0;
    }

    rc = rms_list_edit(list, &e, &regex, &mem, text, &error);

    if (rc == RMS_OK || rc == RMS_DECLINED) {
        must((rc == RMS_DECLINED) == rms_str_eq(text, &model[n_model - 1]));

        if (e.op == RMS_LIST_RESTORE) {
            must(rms_str_eq(text, &model[e.version]));
        }

        return rc == RMS_OK;
    }

    must(rc == RMS_INVALID || rc == RMS_TOO_LARGE);
    must(error.text[0] != '\0' && error.line <= e.n);

    return 0;
}


static void
remember(const rms_str_t *text)
{
    model[n_model].len = text->len;
    model[n_model].data = block(NULL, text->len);

    if (text->len) {
        memcpy(model[n_model].data, text->data, text->len);
    }

    n_model++;
}


static void
compare(const rms_list_t *list)
{
    size_t  i, number;

    must(list->n == (n_model - 1 < RMS_LIST_VERSIONS ? n_model - 1
                                                     : RMS_LIST_VERSIONS));

    for (i = 0; i < list->n; i++) {
        number = n_model - 1 - i;
        must(i == 0 || list->versions[i].version == number);
        must(rms_str_eq(&list->versions[i].text, &model[number]));
    }
}


/* The rules, printed and read again, are the same text: a text has one form. */

static void
one_form(const rms_str_t *text)
{
    rms_str_t              again;
    rms_acl_list_t         rules;
    rms_acl_text_error_t   error;
    static rms_str_t       file = rms_string("list");

    must(rms_acl_text_read(text, &file, NULL, 0, &regex, &mem, &rules, &error)
         == RMS_OK);
    must(rms_list_print(rules.rules, rules.n, &mem, &again) == RMS_OK);
    must(rms_str_eq(text, &again));
}


static void
edits(rms_str_t *in)
{
    rms_str_t            line, text, body;
    rms_list_t           list;
    unsigned char       *end;
    rms_list_version_t   version;

    memset(&list, 0, sizeof(list));
    memset(&version, 0, sizeof(version));

    n_model = 0;
    remember(&version.text);

    while (in->len && n_model < MODEL_MAX) {
        end = memchr(in->data, '\n', in->len);

        line.data = in->data;
        line.len = end ? (size_t) (end - in->data) : in->len;

        in->data += line.len + (end != NULL);
        in->len -= line.len + (end != NULL);

        if (line.len == 0 || !edit(&list, &line, &text)) {
            continue;
        }

        one_form(&text);

        version.version = n_model;
        version.when = 1700000000 + n_model;
        version.text = text;

        rms_list_push(&list, &version);
        remember(&text);

        must(rms_list_encode(&list, &mem, &body) == RMS_OK);
        must(rms_list_decode(&body, &mem, &list) == RMS_OK);
        list.versions[0].version = version.version;
        list.versions[0].when = version.when;

        compare(&list);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rms_str_t       in;
    unsigned char  *copy;

    if (size == 0 || size > 64 * 1024) {
        return 0;
    }

    copy = malloc(size);
    must(copy != NULL);
    memcpy(copy, data, size);

    in.data = copy + 1;
    in.len = size - 1;

    if (copy[0] == 'd') {
        decode(&in);
    } else {
        edits(&in);
    }

    free(copy);

    while (n_blocks) {
        free(blocks[--n_blocks]);
    }

    return 0;
}
