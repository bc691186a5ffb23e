/*
 * Cookies as far as we need them: finding ours among those of a request, and
 * writing it.  Pure functions, any thread; what is found points into the
 * caller's headers.
 */

#ifndef RMS_COOKIE_H
#define RMS_COOKIE_H


#include "rms_types.h"


#define RMS_COOKIE_NAME_MAX   64
#define RMS_COOKIE_VALUE_MAX  256
#define RMS_COOKIE_SCAN_MAX   (64 * 1024)       /* bytes of all headers  */

/* bytes that rms_cookie_format() can need */
#define RMS_COOKIE_TEXT_MAX   (RMS_COOKIE_NAME_MAX + RMS_COOKIE_VALUE_MAX + 96)


typedef enum {
    RMS_COOKIE_LAX = 0,
    RMS_COOKIE_STRICT
} rms_cookie_site_e;


typedef struct {
    rms_str_t           name;
    rms_str_t           value;      /* may be empty                      */
    rms_cookie_site_e   site;
    unsigned            secure:1;
    unsigned            has_max_age:1;
    uint32_t            max_age;    /* seconds; 0 removes the cookie     */
} rms_cookie_t;


/*
 * Values of the cookies called name (byte for byte), in the order of the
 * request: several in one header, several headers (HTTP/2 splits them, RFC
 * 9113 8.2.3).  values: room for max; *n: how many.  A pair without '=' and a
 * value that is not made of cookie-octets (RFC 6265 4.1.1: no quotes, blanks,
 * commas, backslashes, controls) are passed over.  RMS_OK; RMS_DECLINED: none;
 * RMS_TOO_LARGE: more than max are called so, or headers longer than
 * RMS_COOKIE_SCAN_MAX: nothing is taken from such a request.
 */
rms_rc_e rms_cookie_find(const rms_str_t *headers, size_t n_headers,
    const rms_str_t *name, rms_str_t *values, size_t max, size_t *n);


/*
 * Can a cookie be called so?  RMS_OK; RMS_INVALID: not a token (RFC 9110
 * 5.6.2), or longer than RMS_COOKIE_NAME_MAX; RMS_UNSUPPORTED: "__Host-" and
 * "__Secure-" (in any case) are taken from Secure cookies only (RFC 6265bis
 * 4.1.3; Path=/ and no Domain, the other conditions, always hold here).
 */
rms_rc_e rms_cookie_check(const rms_str_t *name, int secure);


/*
 * "name=value; Path=/; HttpOnly; SameSite=Lax[; Secure][; Max-Age=n]" into
 * dst: dst->len is the room, then the length; RMS_COOKIE_TEXT_MAX is always
 * enough.  RMS_OK, RMS_TOO_LARGE, or what rms_cookie_check() says; RMS_INVALID
 * for a value that is too long or not made of cookie-octets.
 */
rms_rc_e rms_cookie_format(const rms_cookie_t *cookie, rms_str_t *dst);


/*
 * A Cookie header less every pair called name, whatever its value; dst->data
 * has room for header->len bytes, dst->len is what is left, 0: nothing.  The
 * other pairs stay as they are, in their order.  Answers how many went.
 */
size_t rms_cookie_without(const rms_str_t *header, const rms_str_t *name,
    rms_str_t *dst);


#endif /* RMS_COOKIE_H */
