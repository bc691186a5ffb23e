/*
 * A whole list of rules as text, rms_acl_file: lines "role rule ...".  Read all
 * or nothing into memory of the caller, constant after.  One thread reads it,
 * any thread uses it.
 */

#ifndef RMS_ACL_TEXT_H
#define RMS_ACL_TEXT_H


#include "rms_acl.h"
#include "rms_acl_pattern.h"


#define RMS_ACL_TEXT_MAX       (1024 * 1024)    /* bytes of a file       */
#define RMS_ACL_LINE_MAX       4096     /* bytes of a line, its end not  */
#define RMS_ACL_RULES_MAX      10000    /* rules of a file               */
#define RMS_ACL_PATTERNS_MAX   100      /* of them account=~             */
#define RMS_ACL_ERROR_TEXT     1024


/* The rules that stood before, then those of the text. */

typedef struct {
    rms_acl_rule_t  *rules;
    size_t           n;
    size_t           n_before;
} rms_acl_list_t;


/*
 * What is wrong: the line, from 1, or 0 for the file as a whole; and a text
 * that says what to write instead, with values escaped.
 */

typedef struct {
    unsigned    line;
    char        text[RMS_ACL_ERROR_TEXT];
} rms_acl_text_error_t;


/*
 * text: the file, which is not changed nor pointed to.  file: its name, as
 * rules and errors show it; it lives as long as the list.  before: rules that
 * stand in front (rms_allow), n_before of them; they are copied, and rules of
 * the text must not contradict them (see rms_acl_conflict()).
 *
 * A line is a role and one rule or more, blanks or tabs between.  From a word
 * that begins with '#' on it is a comment.  Values are read as they are: no
 * quotes, no escapes, no semicolon at the end.  CR LF ends a line too; the
 * last line has an end as well, for one without may be cut short.  UTF-8
 * without control characters.  An empty text is an empty list.
 *
 * RMS_OK; RMS_INVALID or RMS_TOO_LARGE with error set; RMS_NOMEM.  With any
 * but RMS_OK there is no list.  The time is linear in the rules, times the
 * patterns.
 */
rms_rc_e rms_acl_text_read(const rms_str_t *text, const rms_str_t *file,
    const rms_acl_rule_t *before, size_t n_before,
    const rms_acl_regex_t *regex, const rms_mem_t *mem, rms_acl_list_t *list,
    rms_acl_text_error_t *error);


#endif /* RMS_ACL_TEXT_H */
