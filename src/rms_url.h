/*
 * URLs as service locations hold them: parsing, comparison with the bases of
 * a backend, mapping to the public base.  Pure functions, any thread.
 */

#ifndef RMS_URL_H
#define RMS_URL_H


#include "rms_types.h"


#define RMS_URL_LEN_MAX  2048


typedef struct {
    rms_str_t   scheme;         /* as written                            */
    rms_str_t   host;           /* as written; IPv6 with its brackets    */
    unsigned    port;           /* the scheme's default when not written */
    unsigned    has_port:1;     /* it was written                        */
    rms_str_t   path;           /* from the first '/' after the authority
                                   to '?', '#' or the end; may be empty  */
    size_t      tail;           /* offset of the path                    */
} rms_url_t;


/*
 * Parses an absolute http or https URL (RFC 3986 3).  RMS_OK or RMS_INVALID:
 * other schemes, user information, empty host, bad port, control characters,
 * blanks, longer than RMS_URL_LEN_MAX.  The result points into text.
 */
rms_rc_e rms_url_parse(const rms_str_t *text, rms_url_t *out);


/*
 * Does url lie under base?  Scheme and host compare without case, default
 * ports are folded, the base's path compares without case and must end at
 * '/', '?', '#' or the end ([protocol] 5.3, T17, T18).  A base's own trailing
 * slash does not count.
 *
 * Answers the number of bytes of url the base covers, 0 when it does not.
 */
size_t rms_url_under(const rms_str_t *url, const rms_str_t *base);


typedef struct {
    const rms_str_t  *bases;        /* every base of the backend         */
    size_t            n_bases;
    rms_str_t         target;       /* our public base, with /_wmcs      */
} rms_url_map_t;


/*
 * Answers how many bytes of url to replace with map->target: the longest
 * match among the bases, 0 for none (foreign clusters stay: [protocol] 9.14).
 */
size_t rms_url_map(const rms_str_t *url, const rms_url_map_t *map);


#endif /* RMS_URL_H */
