/*
 * account=~pattern: what is handed to the host's compiler of patterns, so that
 * no pattern admits more than it shows.  One caller at a time; what is
 * compiled belongs to the allocator and the compiler of the caller.
 */

#ifndef RMS_ACL_PATTERN_H
#define RMS_ACL_PATTERN_H


#include "rms_acl.h"


#define RMS_ACL_PATTERN_ERROR  256      /* bytes of a compiler's text    */


/*
 * The host's patterns (PCRE).  compile: text is zero-terminated behind its
 * end and lives as long as the list; RMS_OK, RMS_NOMEM, or RMS_INVALID with
 * why in error, which comes with its room in len.  NULL: the host has none.
 */

typedef struct {
    rms_rc_e          (*compile)(void *data, rms_str_t *text, void **pattern,
                           rms_str_t *error);
    rms_acl_match_pt    match;
    void               *data;
} rms_acl_regex_t;


/*
 * Compiles the value of an RMS_ACL_PATTERN into rule->pattern, anchored at
 * both ends.  RMS_OK, RMS_NOMEM, or RMS_INVALID; then error (its len says the
 * room, RMS_ACL_PATTERN_ERROR will do) is what is wrong, for a line that names
 * the rule.
 */
rms_rc_e rms_acl_pattern_compile(rms_acl_rule_t *rule,
    const rms_acl_regex_t *regex, const rms_mem_t *mem, rms_str_t *error);


#endif /* RMS_ACL_PATTERN_H */
