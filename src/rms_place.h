/*
 * Reads an answer and finds the service locations of [protocol] 2.7 in it:
 * their values and the exact byte ranges that hold them.  Private to the
 * rewriter, which runs it over its input and again over its output.  One
 * thread per call, no state.
 */

#ifndef RMS_PLACE_H
#define RMS_PLACE_H


#include "rms_types.h"
#include "rms_events.h"
#include "rms_rewrite.h"


#define RMS_PLACE_VALUE_MAX  4096       /* bytes of one decoded value    */


typedef struct {
    rms_str_t       value;      /* decoded; from mem                     */
    size_t          start;      /* the raw value in the input: content of
                                   the element, or between the quotes of
                                   the attribute                         */
    size_t          end;        /* one after its last byte               */
} rms_place_t;


typedef struct {
    rms_place_t     place[RMS_REWRITE_URLS_MAX];    /* in document order */
    size_t          n;
    unsigned        fault:1;    /* a SOAP fault: no places               */
    unsigned char   digest[RMS_EVENTS_DIGEST];  /* of all events of
                                   the document but these values         */
} rms_places_t;


/*
 * Places with an empty or blank value are not listed.
 *
 * rule: not RMS_REWRITE_NONE.  RMS_OK; RMS_INVALID: not well-formed, a DTD,
 * too deep, neither the answer of an operation of this rule nor a fault, or
 * markup inside a URL; RMS_UNSUPPORTED: not UTF-8; RMS_TOO_LARGE: more
 * places or a longer value than the bounds; RMS_NOMEM.
 */
rms_rc_e rms_place_find(const rms_str_t *input, rms_rewrite_rule_e rule,
    const rms_mem_t *mem, rms_places_t *out);


/*
 * rms_rewrite() by one of the two readers: the scanner, or libxml2.  The
 * scanner's RMS_DECLINED says nothing about the answer.
 */
rms_rc_e rms_rewrite_by(int scan, const rms_str_t *input,
    rms_rewrite_rule_e rule, const rms_url_map_t *map, const rms_mem_t *mem,
    rms_rewrite_result_t *result);


#endif /* RMS_PLACE_H */
