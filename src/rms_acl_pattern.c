/*
 * Anchoring of patterns.  The texts come from the caller's allocator and stay
 * there, for a compiler may keep a pointer to them.
 */

#include "rms_acl_pattern.h"


static int rms_acl_pattern_verb(const rms_str_t *value);
static rms_rc_e rms_acl_pattern_refuse(rms_str_t *error, const char *text);


static const char  rms_acl_head[] = "\\A(?:";
static const char  rms_acl_tail[] = ")\\z";


/*
 * The pattern is compiled alone first: a parenthesis must not close our
 * group.  Verbs are refused, since (*ACCEPT) would end a match before the
 * anchor.
 */

rms_rc_e
rms_acl_pattern_compile(rms_acl_rule_t *rule, const rms_acl_regex_t *regex,
    const rms_mem_t *mem, rms_str_t *error)
{
    void             *alone;
    rms_rc_e          rc;
    rms_str_t         text;
    unsigned char    *p;
    const rms_str_t  *value;

    value = &rule->value;

    if (regex == NULL || regex->compile == NULL) {
        return rms_acl_pattern_refuse(error, "patterns need nginx built with "
                                      "PCRE; write account=name@REALM");
    }

    if (value->len == 0 || memchr(value->data, '\0', value->len) != NULL) {
        return rms_acl_pattern_refuse(error, "it is empty or holds a zero "
                                      "byte; write a PCRE2 pattern");
    }

    if (rms_acl_pattern_verb(value)) {
        return rms_acl_pattern_refuse(error, "it holds a verb, \"(*\"; write "
                                      "a pattern without");
    }

    p = rms_alloc(mem, sizeof(rms_acl_head) + value->len
                       + sizeof(rms_acl_tail) - 1);
    if (p == NULL) {
        return RMS_NOMEM;
    }

    text.data = p + sizeof(rms_acl_head) - 1;
    text.len = value->len;

    memcpy(p, rms_acl_head, sizeof(rms_acl_head) - 1);
    memcpy(text.data, value->data, text.len);
    text.data[text.len] = '\0';

    rc = regex->compile(regex->data, &text, &alone, error);
    if (rc != RMS_OK) {
        return rc;
    }

    memcpy(text.data + text.len, rms_acl_tail, sizeof(rms_acl_tail));

    text.data = p;
    text.len += sizeof(rms_acl_head) - 1 + sizeof(rms_acl_tail) - 1;

    return regex->compile(regex->data, &text, &rule->pattern, error);
}


static int
rms_acl_pattern_verb(const rms_str_t *value)
{
    size_t  i;

    for (i = 1; i < value->len; i++) {
        if (value->data[i - 1] == '(' && value->data[i] == '*') {
            return 1;
        }
    }

    return 0;
}


static rms_rc_e
rms_acl_pattern_refuse(rms_str_t *error, const char *text)
{
    size_t  len;

    len = strlen(text);

    if (len > error->len) {
        len = error->len;
    }

    memcpy(error->data, text, len);
    error->len = len;

    return RMS_INVALID;
}
