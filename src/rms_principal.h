/*
 * Account names: "primary[/instance]@REALM", compared byte for byte.
 * Pure functions, any thread.
 */

#ifndef RMS_PRINCIPAL_H
#define RMS_PRINCIPAL_H


#include "rms_types.h"


#define RMS_PRINCIPAL_LEN_MAX  512


typedef struct {
    rms_str_t   name;           /* before the last unescaped '@'         */
    rms_str_t   realm;          /* after it                              */
} rms_principal_t;


/*
 * Splits a principal as GSSAPI displays it.  RMS_OK or RMS_INVALID: no or
 * empty name or realm, an unescaped second '@', control characters, bytes
 * above 0x7e in the realm, longer than RMS_PRINCIPAL_LEN_MAX.  A principal
 * with control characters is refused, never cleaned (law 10).
 */
rms_rc_e rms_principal_parse(const rms_str_t *text, rms_principal_t *out);


/*
 * For rules an operator writes: as above, but "DOMAIN\name" is RMS_UNSUPPORTED
 * (the message must say to write name@REALM).
 */
rms_rc_e rms_principal_check_rule(const rms_str_t *text);


#endif /* RMS_PRINCIPAL_H */
