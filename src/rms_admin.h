/*
 * The JSON of the administration of the shared list: what an operator sends
 * and what is answered (jansson).  Pure but for memory; any thread.
 */

#ifndef RMS_ADMIN_H
#define RMS_ADMIN_H


#include "rms_acl_diff.h"
#include "rms_list.h"


#define RMS_ADMIN_BODY_MAX   (1024 * 1024)
#define RMS_ADMIN_ERROR      256


typedef struct {
    rms_list_edit_t     edit;
    rms_str_t           note;
    unsigned            dry_run:1;
} rms_admin_request_t;


/* How fresh the list is that is answered, and where it is kept. */

typedef struct {
    const char         *store;      /* "redis" or "zone"                 */
    uint64_t            age;        /* seconds since it was confirmed    */
    unsigned            stale:1;    /* the store cannot be reached       */
} rms_admin_source_t;


/*
 * Reads a request:
 *
 *     { "op": "add", "rules": ["exchange account=EXCH01$@CONTOSO.COM"],
 *       "note": "ticket 4711", "dry_run": true }
 *
 * op: add, remove, replace, or restore with "version" instead of "rules".
 * Members that are not known, that are there twice, or of another type are
 * refused.  What the request points to is of mem.  RMS_OK; RMS_INVALID with a
 * sentence in error (RMS_ADMIN_ERROR bytes, terminated); RMS_NOMEM.
 */
rms_rc_e rms_admin_read(const rms_str_t *json, const rms_mem_t *mem,
    rms_admin_request_t *request, char *error);


/*
 * The version of an If-Match header (RFC 9110 13.1.1): one strong tag that is
 * a number, as "17" in quotes.  "*" and lists are no statement of what was
 * read.  RMS_OK or RMS_INVALID.
 */
rms_rc_e rms_admin_match(const rms_str_t *value, uint64_t *version);


/*
 * Answers, plain ASCII, not terminated, of mem.  RMS_OK, RMS_NOMEM.
 *
 * list: one version, { version, when, who, note, rules: [...] }, and source
 * unless NULL.  history: { history: [ { version, when, who, note, rules: N },
 * ... ] }, the current one first.  change: what an edit did or would do,
 * { version, dry_run, changed, added, removed, reordered, changes: [...] },
 * and stored, unless NULL: how far it went.
 */
rms_rc_e rms_admin_list(const rms_list_version_t *version,
    const rms_admin_source_t *source, const rms_mem_t *mem, rms_str_t *json);
rms_rc_e rms_admin_history(const rms_list_t *list, const rms_mem_t *mem,
    rms_str_t *json);
rms_rc_e rms_admin_change(uint64_t version, const rms_acl_diff_t *diff,
    int dry_run, const char *stored, const rms_mem_t *mem, rms_str_t *json);


#endif /* RMS_ADMIN_H */
