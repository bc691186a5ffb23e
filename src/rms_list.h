/*
 * The access list that the nodes of a pool share: one text of rules, the
 * versions before it, and how an operator changes it.  Pure but for memory;
 * any thread.
 */

#ifndef RMS_LIST_H
#define RMS_LIST_H


#include "rms_acl_text.h"


#define RMS_LIST_TEXT_MAX   (512 * 1024)    /* bytes of one version      */
#define RMS_LIST_BODY_MAX   (1024 * 1024)   /* bytes of all, encoded     */
#define RMS_LIST_VERSIONS   21      /* the current one and 20 before it  */
#define RMS_LIST_EDIT_MAX   256     /* rules one change adds or removes  */
#define RMS_LIST_WHO_MAX    512
#define RMS_LIST_NOTE_MAX   256


/*
 * text: one rule a line, each in its one form, each line with its end.
 * Versions descend.
 */

typedef struct {
    uint64_t    version;
    uint64_t    when;       /* seconds                                   */
    rms_str_t   who;
    rms_str_t   note;
    rms_str_t   text;
} rms_list_version_t;


typedef struct {
    rms_list_version_t  versions[RMS_LIST_VERSIONS];    /* newest first  */
    size_t              n;
} rms_list_t;


typedef enum {
    RMS_LIST_ADD = 0,
    RMS_LIST_REMOVE,
    RMS_LIST_REPLACE,
    RMS_LIST_RESTORE
} rms_list_op_e;


/* rules: lines "role kind=value ...", as in rms_acl_file, without their end. */

typedef struct {
    rms_list_op_e       op;
    const rms_str_t    *rules;      /* of add, remove and replace        */
    size_t              n;
    uint64_t            version;    /* of restore                        */
} rms_list_edit_t;


/*
 * The body of the document that keeps the list (JSON; see rms_document.h for
 * version, time and name of the current one, which the caller fills into
 * versions[0]).  Older versions are kept as what differs from the next newer
 * one.  Encoding drops the oldest ones until it fits into RMS_LIST_BODY_MAX.
 * Memory is of mem.  RMS_OK; RMS_INVALID: not such a body, or (encode) a text
 * or name that is too long; RMS_NOMEM.
 */
rms_rc_e rms_list_encode(const rms_list_t *list, const rms_mem_t *mem,
    rms_str_t *body);
rms_rc_e rms_list_decode(const rms_str_t *body, const rms_mem_t *mem,
    rms_list_t *list);


/*
 * The text of the list after an edit.  error: what is wrong; its line is the
 * number of the rule in the request, from 1, or 0.  RMS_OK; RMS_DECLINED:
 * nothing would change; RMS_INVALID or RMS_TOO_LARGE with error set;
 * RMS_NOMEM.  Nothing in list changes.
 */
rms_rc_e rms_list_edit(const rms_list_t *list, const rms_list_edit_t *edit,
    const rms_acl_regex_t *regex, const rms_mem_t *mem, rms_str_t *text,
    rms_acl_text_error_t *error);


/*
 * Puts a version in front; the oldest one goes when there is no room.  What
 * it points to must live as long as the list.
 */
void rms_list_push(rms_list_t *list, const rms_list_version_t *version);


/* Rules as such a text.  RMS_OK, RMS_NOMEM. */
rms_rc_e rms_list_print(const rms_acl_rule_t *rules, size_t n,
    const rms_mem_t *mem, rms_str_t *text);


#endif /* RMS_LIST_H */
