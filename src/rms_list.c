/*
 * The shared list: changes, and the codec of its body.  A change is made on
 * rules, not on text: the text is read, the rules are changed and printed, so
 * that each rule has one form and a line of its own.
 */

#include "rms_line.h"
#include "rms_list.h"


static rms_rc_e rms_list_add(const rms_str_t *text, const rms_acl_list_t *given,
    const rms_acl_regex_t *regex, const rms_mem_t *mem, rms_str_t *out,
    rms_acl_text_error_t *error);
static rms_rc_e rms_list_remove(const rms_str_t *text,
    const rms_acl_list_t *given, const rms_acl_regex_t *regex,
    const rms_mem_t *mem, rms_str_t *out, rms_acl_text_error_t *error);
static rms_rc_e rms_list_restore(const rms_list_t *list, uint64_t version,
    rms_str_t *out, rms_acl_text_error_t *error);
static rms_rc_e rms_list_given(const rms_list_edit_t *edit,
    const rms_acl_regex_t *regex, const rms_mem_t *mem,
    rms_acl_list_t *given, rms_acl_text_error_t *error);
static rms_rc_e rms_list_join(const rms_list_edit_t *edit,
    const rms_mem_t *mem, rms_str_t *text, rms_acl_text_error_t *error);
static rms_rc_e rms_list_read(const rms_str_t *text,
    const rms_acl_list_t *before, const rms_acl_regex_t *regex,
    const rms_mem_t *mem, rms_acl_list_t *list, rms_acl_text_error_t *error);
static size_t rms_list_find(const rms_acl_list_t *list,
    const rms_acl_rule_t *rule);
static rms_rc_e rms_list_wrong(rms_acl_text_error_t *error, unsigned line,
    const char *why, const rms_acl_rule_t *rule);


static const rms_str_t  rms_list_file = rms_string("the shared list");


rms_rc_e
rms_list_edit(const rms_list_t *list, const rms_list_edit_t *edit,
    const rms_acl_regex_t *regex, const rms_mem_t *mem, rms_str_t *text,
    rms_acl_text_error_t *error)
{
    rms_rc_e              rc;
    rms_acl_list_t        given;
    const rms_str_t      *old;
    static rms_str_t      nothing = rms_null_string;

    error->line = 0;
    error->text[0] = '\0';

    old = list->n ? &list->versions[0].text : &nothing;

    if (edit->op == RMS_LIST_RESTORE) {
        rc = rms_list_restore(list, edit->version, text, error);

    } else {
        rc = rms_list_given(edit, regex, mem, &given, error);

        if (rc == RMS_OK) {
            rc = edit->op == RMS_LIST_ADD
                 ? rms_list_add(old, &given, regex, mem, text, error)
                 : edit->op == RMS_LIST_REMOVE
                 ? rms_list_remove(old, &given, regex, mem, text, error)
                 : rms_list_print(given.rules, given.n, mem, text);
        }
    }

    if (rc != RMS_OK) {
        return rc;
    }

    if (text->len > RMS_LIST_TEXT_MAX) {
        (void) rms_list_wrong(error, 0, "the list would be longer than 512 "
                              "KiB; name groups by \"sid=\" instead of single "
                              "accounts", NULL);
        return RMS_TOO_LARGE;
    }

    if (rms_str_eq(text, old)) {
        return RMS_DECLINED;
    }

    /* what was added counts with what was there: rules, patterns */

    rc = rms_list_read(text, NULL, regex, mem, &given, error);
    error->line = 0;

    return rc;
}


/* What the list has already is not added again. */

static rms_rc_e
rms_list_add(const rms_str_t *text, const rms_acl_list_t *given,
    const rms_acl_regex_t *regex, const rms_mem_t *mem, rms_str_t *out,
    rms_acl_text_error_t *error)
{
    size_t                i;
    rms_rc_e              rc;
    rms_str_t             more;
    rms_acl_list_t        before, all, kept;
    rms_acl_text_error_t  wrong;

    rc = rms_list_read(text, NULL, regex, mem, &before, error);

    if (rc == RMS_OK) {
        rc = rms_list_print(given->rules, given->n, mem, &more);
    }

    /* a contradiction with the list, by the number of the rule that brings it:
       the reader has it as a line, of which given has one for each rule */

    if (rc == RMS_OK) {
        rc = rms_list_read(&more, &before, regex, mem, &all, &wrong);

        if (rc == RMS_INVALID || rc == RMS_TOO_LARGE) {
            *error = wrong;
            error->line = wrong.line && wrong.line <= given->n
                          ? given->rules[wrong.line - 1].line : 0;
        }
    }

    if (rc != RMS_OK) {
        return rc;
    }

    kept.rules = all.rules;
    kept.n = all.n_before;

    for (i = all.n_before; i < all.n; i++) {
        if (rms_list_find(&kept, &all.rules[i]) == kept.n) {
            kept.rules[kept.n++] = all.rules[i];
        }
    }

    return rms_list_print(kept.rules, kept.n, mem, out);
}


static rms_rc_e
rms_list_remove(const rms_str_t *text, const rms_acl_list_t *given,
    const rms_acl_regex_t *regex, const rms_mem_t *mem, rms_str_t *out,
    rms_acl_text_error_t *error)
{
    size_t                 i, k, n;
    rms_rc_e               rc;
    rms_acl_list_t         list;
    const rms_acl_rule_t  *rule;

    rc = rms_list_read(text, NULL, regex, mem, &list, error);
    if (rc != RMS_OK) {
        return rc;
    }

    for (i = 0; i < given->n; i++) {
        rule = &given->rules[i];

        if (rms_list_find(&list, rule) == list.n) {
            return rms_list_wrong(error, rule->line, "the list has no such "
                                  "rule: ", rule);
        }
    }

    for (i = 0, n = 0; i < list.n; i++) {

        for (k = 0; k < given->n; k++) {
            if (given->rules[k].role == list.rules[i].role
                && rms_acl_same(&given->rules[k], &list.rules[i]))
            {
                break;
            }
        }

        if (k == given->n) {
            list.rules[n++] = list.rules[i];
        }
    }

    return rms_list_print(list.rules, n, mem, out);
}


static rms_rc_e
rms_list_restore(const rms_list_t *list, uint64_t version, rms_str_t *out,
    rms_acl_text_error_t *error)
{
    size_t  i;

    for (i = 0; i < list->n; i++) {
        if (list->versions[i].version == version) {
            *out = list->versions[i].text;
            return RMS_OK;
        }
    }

    return rms_list_wrong(error, 0, "this version is not kept; the history "
                          "names those that are", NULL);
}


/* The rules of the request; their lines are their numbers in it. */

static rms_rc_e
rms_list_given(const rms_list_edit_t *edit, const rms_acl_regex_t *regex,
    const rms_mem_t *mem, rms_acl_list_t *given, rms_acl_text_error_t *error)
{
    rms_rc_e   rc;
    rms_str_t  text;

    rc = rms_list_join(edit, mem, &text, error);

    if (rc == RMS_OK) {
        rc = rms_list_read(&text, NULL, regex, mem, given, error);
    }

    /* an empty list is asked for by no rules, never by comments */

    if (rc == RMS_OK && given->n == 0 && edit->n) {
        return rms_list_wrong(error, 1, "no rule in it, a comment at most",
                              NULL);
    }

    if (rc == RMS_OK && edit->op != RMS_LIST_REPLACE
        && given->n > RMS_LIST_EDIT_MAX)
    {
        (void) rms_list_wrong(error, 0, "more than 256 rules in one change; "
                              "write several, or \"replace\"", NULL);
        return RMS_TOO_LARGE;
    }

    return rc;
}


static rms_rc_e
rms_list_join(const rms_list_edit_t *edit, const rms_mem_t *mem,
    rms_str_t *text, rms_acl_text_error_t *error)
{
    size_t          i, len;
    unsigned char  *p;

    for (i = 0, len = 0; i < edit->n; i++) {
        len += edit->rules[i].len + 1;

        if (edit->rules[i].len
            && memchr(edit->rules[i].data, '\n', edit->rules[i].len) != NULL)
        {
            return rms_list_wrong(error, (unsigned) i + 1, "a line end inside "
                                  "a rule; write each line as a string of its "
                                  "own", NULL);
        }
    }

    p = rms_alloc(mem, len + 1);
    if (p == NULL) {
        return RMS_NOMEM;
    }

    text->data = p;
    text->len = len;

    for (i = 0; i < edit->n; i++) {
        if (edit->rules[i].len) {
            memcpy(p, edit->rules[i].data, edit->rules[i].len);
        }

        p += edit->rules[i].len;
        *p++ = '\n';
    }

    return RMS_OK;
}


static rms_rc_e
rms_list_read(const rms_str_t *text, const rms_acl_list_t *before,
    const rms_acl_regex_t *regex, const rms_mem_t *mem, rms_acl_list_t *list,
    rms_acl_text_error_t *error)
{
    return rms_acl_text_read(text, &rms_list_file,
                             before ? before->rules : NULL,
                             before ? before->n : 0, regex, mem, list, error);
}


/* Where the rule stands, with its role; list->n: nowhere. */

static size_t
rms_list_find(const rms_acl_list_t *list, const rms_acl_rule_t *rule)
{
    size_t  i;

    for (i = 0; i < list->n; i++) {
        if (list->rules[i].role == rule->role
            && rms_acl_same(&list->rules[i], rule))
        {
            break;
        }
    }

    return i;
}


rms_rc_e
rms_list_print(const rms_acl_rule_t *rules, size_t n, const rms_mem_t *mem,
    rms_str_t *text)
{
    size_t            i, len;
    const char       *kind;
    unsigned char    *p;
    const rms_str_t  *role;

    for (i = 0, len = 0; i < n; i++) {
        len += rms_role_name(rules[i].role)->len + rules[i].value.len + 2
               + strlen(rms_acl_kind_text(rules[i].kind));
    }

    p = rms_alloc(mem, len + 1);
    if (p == NULL) {
        return RMS_NOMEM;
    }

    text->data = p;
    text->len = len;

    for (i = 0; i < n; i++) {
        role = rms_role_name(rules[i].role);
        kind = rms_acl_kind_text(rules[i].kind);

        memcpy(p, role->data, role->len);
        p += role->len;
        *p++ = ' ';

        memcpy(p, kind, strlen(kind));
        p += strlen(kind);

        if (rules[i].value.len) {
            memcpy(p, rules[i].value.data, rules[i].value.len);
            p += rules[i].value.len;
        }

        *p++ = '\n';
    }

    return RMS_OK;
}


static rms_rc_e
rms_list_wrong(rms_acl_text_error_t *error, unsigned line, const char *why,
    const rms_acl_rule_t *rule)
{
    rms_line_t  text;

    rms_line_init(&text, error->text, sizeof(error->text));
    rms_line_add(&text, "%s", why);

    if (rule) {
        rms_line_add(&text, "%s \"%s", rms_role_name(rule->role)->data,
                     rms_acl_kind_text(rule->kind));
        rms_line_text(&text, &rule->value);
        rms_line_add(&text, "\"");
    }

    error->line = line;

    return RMS_INVALID;
}


void
rms_list_push(rms_list_t *list, const rms_list_version_t *version)
{
    if (list->n == RMS_LIST_VERSIONS) {
        list->n--;
    }

    memmove(&list->versions[1], &list->versions[0],
            list->n * sizeof(rms_list_version_t));

    list->versions[0] = *version;
    list->n++;
}
