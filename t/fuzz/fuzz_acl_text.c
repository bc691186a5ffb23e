/*
 * Files of rules.  A line "%" ends the rules that stood before, as those of
 * rms_allow do; the rest is the file.
 */

#include <stdio.h>
#include <stdlib.h>

#include "rms_acl_diff.h"
#include "rms_acl_text.h"


#define BLOCKS_MAX  4096


typedef struct {
    size_t      n;
    void       *blocks[BLOCKS_MAX];
} arena_t;


/* What rms_acl_pattern_compile() hands over, kept. */

typedef struct {
    size_t          len;
    unsigned char   text[];
} pattern_t;


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static arena_t    arena;
static rms_str_t  file = rms_string("list");


static void
expect(int truth)
{
    if (!truth) {
        abort();
    }
}


static void *
arena_alloc(void *data, size_t size)
{
    void     *p;
    arena_t  *a = data;

    if (a->n == BLOCKS_MAX) {
        return NULL;
    }

    p = malloc(size ? size : 1);
    if (p != NULL) {
        a->blocks[a->n++] = p;
    }

    return p;
}


static const rms_mem_t  mem = { arena_alloc, &arena };


/* A pattern here is a prefix; one with "!" does not compile. */

static rms_rc_e
compile(void *data, rms_str_t *text, void **pattern, rms_str_t *error)
{
    pattern_t  *p;

    (void) data;

    expect(text->data[text->len] == '\0' && text->len != 0);

    if (memchr(text->data, '!', text->len) != NULL) {
        expect(error->len >= 3);
        memcpy(error->data, "no!", 3);
        error->len = 3;
        return RMS_INVALID;
    }

    p = arena_alloc(&arena, sizeof(pattern_t) + text->len);
    if (p == NULL) {
        return RMS_NOMEM;
    }

    memcpy(p->text, text->data, text->len);
    p->len = text->len;

    *pattern = p;

    return RMS_OK;
}


static int
match(void *pattern, const rms_str_t *account)
{
    size_t      len;
    pattern_t  *p = pattern;

    expect(p->len > 8 && memcmp(p->text, "\\A(?:", 5) == 0
           && memcmp(p->text + p->len - 3, ")\\z", 3) == 0);

    len = p->len - 8;

    return account->len >= len && memcmp(account->data, p->text + 5, len) == 0;
}


static const rms_acl_regex_t  regex = { compile, match, NULL };


static void
printable(const char *text, size_t max)
{
    size_t  i, len;

    len = strlen(text);
    expect(len != 0 && len < max);

    for (i = 0; i < len; i++) {
        expect(text[i] >= ' ' && text[i] <= '~');
    }
}


static int
read_list(const rms_str_t *text, const rms_acl_list_t *before,
    rms_acl_list_t *list)
{
    size_t                i, lines;
    rms_rc_e              rc;
    unsigned char        *copy;
    rms_acl_text_error_t  error;

    copy = malloc(text->len + 1);
    expect(copy != NULL);

    if (text->len != 0) {
        memcpy(copy, text->data, text->len);
    }

    rc = rms_acl_text_read(text, &file, before->rules, before->n, &regex, &mem,
                           list, &error);

    expect(text->len == 0 || memcmp(copy, text->data, text->len) == 0);
    free(copy);

    if (rc == RMS_OK) {
        expect(list->n_before == before->n && list->n >= before->n);
        return 1;
    }

    expect(list->n == 0 && list->rules == NULL);

    if (rc != RMS_NOMEM) {
        expect(rc == RMS_INVALID || rc == RMS_TOO_LARGE);

        for (i = 0, lines = 1; i < text->len; i++) {
            lines += (text->data[i] == '\n');
        }

        expect(error.line >= 1 && error.line <= lines);
        printable(error.text, sizeof(error.text));
    }

    return 0;
}


/* What was read, printed and read again, is the same. */

static void
again(const rms_acl_list_t *list, const rms_acl_list_t *before)
{
    size_t                 i, room, len;
    char                  *text;
    rms_str_t              s;
    rms_acl_list_t         second;
    const rms_acl_rule_t  *a, *b;

    for (i = before->n, room = 1; i < list->n; i++) {
        room += list->rules[i].value.len + 32;
    }

    text = malloc(room);
    expect(text != NULL);

    for (i = before->n, len = 0; i < list->n; i++) {
        a = &list->rules[i];

        len += (size_t) snprintf(text + len, room - len, "%s %s%.*s\n",
                                 rms_role_name(a->role)->data,
                                 rms_acl_kind_text(a->kind),
                                 (int) a->value.len,
                                 a->value.len ? (char *) a->value.data : "");
    }

    s.data = (unsigned char *) text;
    s.len = len;

    if (arena.n < BLOCKS_MAX / 4) {
        expect(read_list(&s, before, &second));
        expect(second.n == list->n);

        for (i = 0; i < list->n; i++) {
            a = &list->rules[i];
            b = &second.rules[i];

            expect(a->role == b->role && rms_acl_same(a, b));
            expect(a->kind != RMS_ACL_SID
                   || rms_sid_cmp(&a->sid, &b->sid) == 0);
            expect(i < before->n || b->line == i - before->n + 1);
        }
    }

    free(text);
}


static void
compare(const rms_acl_rule_t *old, size_t n_old, const rms_acl_rule_t *now,
    size_t n_now)
{
    size_t  i, all;

    static rms_acl_diff_t  d;

    if (rms_acl_diff(old, n_old, now, n_now, &mem, &d) != RMS_OK) {
        return;
    }

    all = d.added + d.removed + d.changed + d.reordered;

    expect(all <= n_old + n_now + 1);
    expect(d.n_lines == (all > RMS_ACL_DIFF_LINES ? RMS_ACL_DIFF_LINES + 1
                                                  : all));
    expect(d.changed == 0);

    /* one list is the beginning of the other */

    expect(n_old > n_now || d.removed == 0);
    expect(n_old < n_now || d.added == 0);
    expect(n_old != n_now || all == 0);

    for (i = 0; i < d.n_lines; i++) {
        printable(d.lines[i], sizeof(d.lines[i]));
    }
}


/* The quick search for contradictions leaves none that the plain one finds. */

static void
consistent(const rms_acl_list_t *list)
{
    size_t  i;

    for (i = 0; i < list->n; i++) {
        expect(rms_acl_conflict(list->rules, i, &list->rules[i], match)
               == NULL);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t          i;
    rms_str_t       first, second;
    rms_acl_list_t  none, before, list;

    memset(&none, 0, sizeof(none));
    memset(&before, 0, sizeof(before));

    second.data = (unsigned char *) data;
    second.len = size;

    for (i = 0; i + 3 <= size; i++) {

        if (memcmp(data + i, "\n%\n", 3) == 0) {
            first.data = (unsigned char *) data;
            first.len = i + 1;
            second.data = (unsigned char *) data + i + 3;
            second.len = size - i - 3;

            (void) read_list(&first, &none, &before);
            break;
        }
    }

    if (read_list(&second, &before, &list)) {
        consistent(&list);
        again(&list, &before);
        compare(list.rules, list.n, list.rules, list.n);
        compare(list.rules, list.n / 2, list.rules, list.n);
        compare(list.rules, list.n, list.rules, list.n / 2);
    }

    while (arena.n) {
        free(arena.blocks[--arena.n]);
    }

    return 0;
}
