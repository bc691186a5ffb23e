/*
 * The ways from the child of Body to the places of [protocol] 2.7.  Constant
 * data, shared by the two readers of answers.  Private to the rewriter.
 */

#ifndef RMS_PLACE_WAY_H
#define RMS_PLACE_WAY_H


#include "rms_types.h"
#include "rms_rewrite.h"


#define RMS_PLACE_SOAP_11   "http://schemas.xmlsoap.org/soap/envelope/"
#define RMS_PLACE_SOAP_12   "http://www.w3.org/2003/05/soap-envelope"


typedef struct {
    rms_str_t                  name;
    rms_str_t                  type;    /* wanted value of @Type, or len 0 */
    unsigned                   bare:1;  /* may be in no namespace          */
} rms_place_step_t;


typedef struct {
    rms_rewrite_rule_e         rule;
    const char                *attr;    /* NULL: the element's content     */
    const rms_place_step_t    *steps;
    unsigned                   n;
} rms_place_way_t;


/*
 * The way that begins with this child of Body, or NULL.  uri: data is NULL
 * without a namespace.
 */
const rms_place_way_t *rms_place_way(rms_rewrite_rule_e rule,
    const rms_str_t *name, const rms_str_t *uri);


/* Is an element this step?  Its type is for the caller to see. */
int rms_place_way_step(const rms_place_step_t *step, const rms_str_t *name,
    const rms_str_t *uri);


#endif /* RMS_PLACE_WAY_H */
