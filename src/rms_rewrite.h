/*
 * The rewriter: replaces backend bases in the three unsigned places of
 * [protocol] 2.7, by splicing byte ranges; every other byte stays as it came.
 * Works on a whole response in memory.  One thread per call, no state.
 */

#ifndef RMS_REWRITE_H
#define RMS_REWRITE_H


#include "rms_types.h"
#include "rms_endpoint.h"
#include "rms_url.h"


#define RMS_REWRITE_MAX       (128 * 1024)  /* bytes of a response       */
#define RMS_REWRITE_ELEMENTS  8192          /* elements in one           */
#define RMS_REWRITE_URLS_MAX  256           /* service locations in one  */


typedef enum {
    RMS_REWRITE_NONE = 0,       /* stream it untouched                   */
    RMS_REWRITE_LOCATIONS,      /* ServiceLocationResponse/URL           */
    RMS_REWRITE_SERVER_INFO     /* ServiceLocation/@Url                  */
} rms_rewrite_rule_e;


typedef struct {
    rms_str_t   body;           /* the answer: from mem, or the input
                                   itself when nothing was replaced      */
    size_t      found;          /* service locations with a value        */
    size_t      replaced;       /* of those, under a base                */
} rms_rewrite_result_t;


/* The rule for an operation's answer. */
rms_rewrite_rule_e rms_rewrite_rule(rms_operation_e op);


/*
 * Rewrites one answer and proves the result: the output is read again and
 * must be the input's events but for the replaced values, and the bytes
 * outside of the ranges must be equal.
 *
 * RMS_OK: result is filled; input that is a SOAP fault has found = 0.
 * RMS_INVALID: not well-formed, a DTD, too deep, not the answer of this
 * operation, or the check after the splice failed: never forward it.
 * RMS_UNSUPPORTED: not UTF-8.  RMS_TOO_LARGE: a bound.  RMS_NOMEM.
 */
rms_rc_e rms_rewrite(const rms_str_t *input, rms_rewrite_rule_e rule,
    const rms_url_map_t *map, const rms_mem_t *mem,
    rms_rewrite_result_t *result);


#endif /* RMS_REWRITE_H */
