/*
 * What changed between two lists of rules, as lines for an event.  Pure
 * function, any thread.
 */

#ifndef RMS_ACL_DIFF_H
#define RMS_ACL_DIFF_H


#include "rms_acl.h"


#define RMS_ACL_DIFF_LINES  20
#define RMS_ACL_DIFF_LINE   512         /* bytes of one, with its zero   */


typedef struct {
    size_t      added;
    size_t      removed;
    size_t      changed;                /* the same callers, another role */
    unsigned    reordered:1;            /* no more than this             */
    size_t      n_lines;
    char        lines[RMS_ACL_DIFF_LINES + 1][RMS_ACL_DIFF_LINE];
} rms_acl_diff_t;


/*
 * Compares what the rules say, not where they stand; a rule that is there
 * twice counts once.  Changed roles come first, then what was added, then what
 * was removed, each in the order of its list; behind RMS_ACL_DIFF_LINES of
 * them a last line says how many more there are.  Values are escaped:
 *
 *     role of "account=EXCH01$@CONTOSO.COM" was user, is exchange (FILE:7)
 *     added exchange "sid=S-1-5-21-1-2-3-1118" (FILE:9)
 *     removed fci "account=FS01$@CONTOSO.COM"
 *     and 12 more
 *
 * Memory is taken from mem for the time of the call.  RMS_OK, or RMS_NOMEM
 * with nothing in diff.
 */
rms_rc_e rms_acl_diff(const rms_acl_rule_t *old, size_t n_old,
    const rms_acl_rule_t *now, size_t n_now, const rms_mem_t *mem,
    rms_acl_diff_t *diff);


#endif /* RMS_ACL_DIFF_H */
