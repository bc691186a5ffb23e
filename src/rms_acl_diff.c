/*
 * Two lists compared: each is sorted by what its rules say, and a rule looks
 * for its like in the other by halving.  The two arrays are the allocator's.
 */

#include <stdlib.h>

#include "rms_acl_diff.h"
#include "rms_line.h"


/* The rules of one list, each once: the first of its like. */

typedef struct {
    const rms_acl_rule_t  **rules;
    size_t                  n;
} rms_acl_index_t;


static rms_rc_e rms_acl_index(rms_acl_index_t *index,
    const rms_acl_rule_t *rules, size_t n, const rms_mem_t *mem);
static int rms_acl_index_sort(const void *one, const void *two);
static int rms_acl_index_cmp(const rms_acl_rule_t *a, const rms_acl_rule_t *b);
static const rms_acl_rule_t *rms_acl_index_find(const rms_acl_index_t *index,
    const rms_acl_rule_t *rule);
static int rms_acl_index_first(const rms_acl_index_t *index,
    const rms_acl_rule_t *rule);
static void rms_acl_diff_changed(rms_acl_diff_t *diff,
    const rms_acl_rule_t *was, const rms_acl_rule_t *is);
static void rms_acl_diff_only(rms_acl_diff_t *diff, const char *verb,
    const rms_acl_rule_t *rule, int place);
static int rms_acl_diff_line(rms_acl_diff_t *diff, rms_line_t *line);
static void rms_acl_diff_rule(rms_line_t *line, const rms_acl_rule_t *rule);
static void rms_acl_diff_place(rms_line_t *line, const rms_acl_rule_t *rule);
static void rms_acl_diff_order(rms_acl_diff_t *diff,
    const rms_acl_rule_t *old, size_t n_old, const rms_acl_rule_t *now,
    size_t n_now);


rms_rc_e
rms_acl_diff(const rms_acl_rule_t *old, size_t n_old,
    const rms_acl_rule_t *now, size_t n_now, const rms_mem_t *mem,
    rms_acl_diff_t *diff)
{
    size_t                 i, all;
    rms_line_t             line;
    rms_acl_index_t        before, after;
    const rms_acl_rule_t  *was;

    memset(diff, 0, sizeof(rms_acl_diff_t));

    if (rms_acl_index(&before, old, n_old, mem) != RMS_OK
        || rms_acl_index(&after, now, n_now, mem) != RMS_OK)
    {
        return RMS_NOMEM;
    }

    for (i = 0; i < n_now; i++) {
        was = rms_acl_index_find(&before, &now[i]);

        if (was != NULL && was->role != now[i].role
            && rms_acl_index_first(&after, &now[i]))
        {
            diff->changed++;
            rms_acl_diff_changed(diff, was, &now[i]);
        }
    }

    for (i = 0; i < n_now; i++) {
        if (rms_acl_index_find(&before, &now[i]) == NULL
            && rms_acl_index_first(&after, &now[i]))
        {
            diff->added++;
            rms_acl_diff_only(diff, "added", &now[i], 1);
        }
    }

    for (i = 0; i < n_old; i++) {
        if (rms_acl_index_find(&after, &old[i]) == NULL
            && rms_acl_index_first(&before, &old[i]))
        {
            diff->removed++;
            rms_acl_diff_only(diff, "removed", &old[i], 0);
        }
    }

    all = diff->changed + diff->added + diff->removed;

    if (all == 0) {
        rms_acl_diff_order(diff, old, n_old, now, n_now);

    } else if (all > RMS_ACL_DIFF_LINES) {
        rms_line_init(&line, diff->lines[diff->n_lines++], RMS_ACL_DIFF_LINE);
        rms_line_add(&line, "and %zu more", all - RMS_ACL_DIFF_LINES);
    }

    return RMS_OK;
}


static rms_rc_e
rms_acl_index(rms_acl_index_t *index, const rms_acl_rule_t *rules, size_t n,
    const rms_mem_t *mem)
{
    size_t  i;

    index->n = 0;
    index->rules = rms_alloc(mem, (n + 1) * sizeof(rms_acl_rule_t *));

    if (index->rules == NULL) {
        return RMS_NOMEM;
    }

    for (i = 0; i < n; i++) {
        index->rules[i] = &rules[i];
    }

    qsort(index->rules, n, sizeof(rms_acl_rule_t *), rms_acl_index_sort);

    for (i = 0; i < n; i++) {
        if (index->n == 0
            || !rms_acl_same(index->rules[index->n - 1], index->rules[i]))
        {
            index->rules[index->n++] = index->rules[i];
        }
    }

    return RMS_OK;
}


/* Rules that are alike stay in the order of the list. */

static int
rms_acl_index_sort(const void *one, const void *two)
{
    int                    order;
    const rms_acl_rule_t  *a, *b;

    a = *(const rms_acl_rule_t *const *) one;
    b = *(const rms_acl_rule_t *const *) two;

    order = rms_acl_index_cmp(a, b);

    return order ? order : (a > b) - (a < b);
}


static int
rms_acl_index_cmp(const rms_acl_rule_t *a, const rms_acl_rule_t *b)
{
    if (a->kind != b->kind) {
        return (a->kind > b->kind) - (a->kind < b->kind);
    }

    if (a->value.len != b->value.len) {
        return (a->value.len > b->value.len) - (a->value.len < b->value.len);
    }

    return a->value.len ? memcmp(a->value.data, b->value.data, a->value.len)
                        : 0;
}


static const rms_acl_rule_t *
rms_acl_index_find(const rms_acl_index_t *index, const rms_acl_rule_t *rule)
{
    int     order;
    size_t  low, high, middle;

    for (low = 0, high = index->n; low < high; /* void */ ) {
        middle = low + (high - low) / 2;
        order = rms_acl_index_cmp(rule, index->rules[middle]);

        if (order == 0) {
            return index->rules[middle];
        }

        if (order < 0) {
            high = middle;

        } else {
            low = middle + 1;
        }
    }

    return NULL;
}


/* Of a list's own rules: is it the one that counts among its like? */

static int
rms_acl_index_first(const rms_acl_index_t *index, const rms_acl_rule_t *rule)
{
    const rms_acl_rule_t  *first;

    first = rms_acl_index_find(index, rule);

    return first != NULL && first == rule;
}


static void
rms_acl_diff_changed(rms_acl_diff_t *diff, const rms_acl_rule_t *was,
    const rms_acl_rule_t *is)
{
    rms_line_t  line;

    if (!rms_acl_diff_line(diff, &line)) {
        return;
    }

    rms_line_add(&line, "role of ");
    rms_acl_diff_rule(&line, is);
    rms_line_add(&line, " was %s, is %s", rms_role_name(was->role)->data,
                 rms_role_name(is->role)->data);
    rms_acl_diff_place(&line, is);
}


static void
rms_acl_diff_only(rms_acl_diff_t *diff, const char *verb,
    const rms_acl_rule_t *rule, int place)
{
    rms_line_t  line;

    if (!rms_acl_diff_line(diff, &line)) {
        return;
    }

    rms_line_add(&line, "%s %s ", verb, rms_role_name(rule->role)->data);
    rms_acl_diff_rule(&line, rule);

    if (place) {
        rms_acl_diff_place(&line, rule);
    }
}


static int
rms_acl_diff_line(rms_acl_diff_t *diff, rms_line_t *line)
{
    if (diff->n_lines == RMS_ACL_DIFF_LINES) {
        return 0;
    }

    rms_line_init(line, diff->lines[diff->n_lines++], RMS_ACL_DIFF_LINE);

    return 1;
}


static void
rms_acl_diff_rule(rms_line_t *line, const rms_acl_rule_t *rule)
{
    rms_line_add(line, "\"%s", rms_acl_kind_text(rule->kind));
    rms_line_text(line, &rule->value);
    rms_line_add(line, "\"");
}


static void
rms_acl_diff_place(rms_line_t *line, const rms_acl_rule_t *rule)
{
    rms_line_add(line, " (");
    rms_line_text(line, &rule->file);
    rms_line_add(line, ":%u)", rule->line);
}


/* In a class the first line counts, so the order is something said as well. */

static void
rms_acl_diff_order(rms_acl_diff_t *diff, const rms_acl_rule_t *old,
    size_t n_old, const rms_acl_rule_t *now, size_t n_now)
{
    size_t      i;
    rms_line_t  line;

    for (i = 0; i < n_old && i < n_now; i++) {
        if (!rms_acl_same(&old[i], &now[i])) {
            diff->reordered = 1;
            (void) rms_acl_diff_line(diff, &line);
            rms_line_add(&line, "the same rules in another order");
            return;
        }
    }
}
