/*
 * A strict reader of DER (X.690 10): one element at a time, no recursion,
 * nothing allocated.  Pure functions, any thread.  Internal to the core.
 */

#ifndef RMS_DER_H
#define RMS_DER_H


#include "rms_types.h"


#define RMS_DER_INTEGER       0x02
#define RMS_DER_BIT_STRING    0x03
#define RMS_DER_OCTET_STRING  0x04
#define RMS_DER_OID           0x06
#define RMS_DER_ENUMERATED    0x0a
#define RMS_DER_TIME          0x18      /* GeneralizedTime               */
#define RMS_DER_STRING        0x1b      /* GeneralString                 */
#define RMS_DER_SEQUENCE      0x30
#define RMS_DER_APP(n)        (0x60u | (n))
#define RMS_DER_CTX(n)        (0xa0u | (n))


/* Is the next element of in tagged so? */
int rms_der_peek(const rms_str_t *in, unsigned tag);


/*
 * Takes the next element off in; value points into it.  0: another tag, a
 * length that is not the shortest, indefinite, over 24 bits or beyond in.
 */
int rms_der_take(rms_str_t *in, unsigned tag, rms_str_t *value);


/* As rms_der_take(), and nothing may follow. */
int rms_der_only(rms_str_t *in, unsigned tag, rms_str_t *value);


/* Takes "[n] { element }", the explicit tag of RFC 4120 and RFC 4178. */
int rms_der_field(rms_str_t *in, unsigned n, unsigned tag, rms_str_t *value);


/* Takes "[n] { INTEGER }", shortest form, -2^31 .. 2^32 - 1. */
int rms_der_field_integer(rms_str_t *in, unsigned n, int64_t *value);


#endif /* RMS_DER_H */
