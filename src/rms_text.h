/*
 * Values from callers as data: escaping and capping for log lines, JSON and
 * XML.  Pure functions, any thread.
 */

#ifndef RMS_TEXT_H
#define RMS_TEXT_H


#include "rms_types.h"


#define RMS_TEXT_CAP  256       /* bytes of one value in a log line      */


/*
 * Copies src into dst (size bytes) so that it cannot break a log line or a
 * quoted value: controls, '"', '\' and bytes above 0x7e become \xHH; what
 * does not fit ends in "...".  Answers the bytes written; not terminated.
 */
size_t rms_text_log(unsigned char *dst, size_t size, const rms_str_t *src);


/*
 * The same for the inside of a JSON string (RFC 8259 7): invalid UTF-8 bytes
 * become U+FFFD.  dst NULL: answers the bytes needed.  Never cuts.
 */
size_t rms_text_json(unsigned char *dst, const rms_str_t *src);


/* The same for XML character data and attribute values: & < > " ' */
size_t rms_text_xml(unsigned char *dst, const rms_str_t *src);


/*
 * Bytes of the UTF-8 character at p, of which len (at least 1) are there; 0
 * when it is not one (RFC 3629 4).
 */
size_t rms_text_utf8(const unsigned char *p, size_t len);


#endif /* RMS_TEXT_H */
