/*
 * Service locations in an answer of the plain form, without a parser.
 * Private to the rewriter.  One thread per call, no allocation.
 */

#ifndef RMS_PLACE_SCAN_H
#define RMS_PLACE_SCAN_H


#include "rms_place.h"
#include "rms_place_way.h"
#include "rms_scan.h"


/* The reader between two tags; rms_place_scan() keeps one for later. */

typedef struct {
    rms_scan_t                 scan;
    rms_rewrite_rule_e         rule;
    rms_str_t                  soap;        /* namespace of the Envelope  */
    const rms_place_way_t     *way;
    unsigned                   matched;     /* steps of it that are open  */
    unsigned                   in_body:1;
    unsigned                   body:1;
    unsigned                   answer:1;
    unsigned                   in_value:1;
} rms_place_scan_t;


/*
 * rms_place_find() for the plain form.  RMS_OK: out has the same places, but
 * for the digest, and their values point into the input; mark is the reader
 * before the first place.  RMS_DECLINED says nothing: ask the parser.
 */
rms_rc_e rms_place_scan(const rms_str_t *input, rms_rewrite_rule_e rule,
    rms_places_t *out, rms_place_scan_t *mark);


/*
 * The same for a text that begins as the input does, up to the mark: what was
 * read of that need not be read again.  mark is spent.
 */
rms_rc_e rms_place_scan_on(rms_place_scan_t *mark, const rms_str_t *text,
    rms_places_t *out);


#endif /* RMS_PLACE_SCAN_H */
