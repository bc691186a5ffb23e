/*
 * The SOAP reader: which operation does a request body hold, and which
 * licensor issued its publishing licence?  libxml2 SAX2 push parser, no DTD,
 * no entities, no network, bounded depth.  One reader per request; it
 * belongs to one thread at a time.
 */

#ifndef RMS_SOAP_H
#define RMS_SOAP_H


#include "rms_types.h"
#include "rms_endpoint.h"
#include "rms_media.h"


#define RMS_SOAP_DEPTH_MAX     128          /* open elements             */
#define RMS_SOAP_LICENSOR_MAX  (256 * 1024) /* bytes searched for it     */


typedef enum {
    RMS_SOAP_FIRST = 0,     /* stop at the first child of Body           */
    RMS_SOAP_LICENSOR,      /* read on to the licensor, at most 256 KiB  */
    RMS_SOAP_STRICT         /* read to the end: one Body, one child      */
} rms_soap_depth_e;


typedef enum {
    RMS_SOAP_FINE = 0,
    RMS_SOAP_MALFORMED,         /* 400: not well-formed, truncated       */
    RMS_SOAP_DOCTYPE,           /* 400: DTDs do not exist in SOAP        */
    RMS_SOAP_TOO_DEEP,          /* 400                                   */
    RMS_SOAP_NOT_SOAP,          /* 400: no Envelope/Body, wrong namespace
                                   for the media type, a PI inside, no
                                   child of Body in the first 256 KiB    */
    RMS_SOAP_NOT_UTF8,          /* 415: UTF-16 by BOM or NULs, or another
                                   declared encoding                     */
    RMS_SOAP_OTHER_OPERATION,   /* 400: first child of Body is not the
                                   operation of the action               */
    RMS_SOAP_SECOND_CHILD,      /* 400: strict only ([protocol] T48)     */
    RMS_SOAP_NO_MEMORY          /* 503                                   */
} rms_soap_error_e;


/* A licensor GUID: 36 lower-case characters, no braces; len 0: none found. */

typedef struct {
    size_t         len;
    unsigned char  guid[36];
} rms_licensor_t;


typedef struct {
    rms_soap_error_e  error;
    rms_licensor_t    licensor;
    unsigned          parsed_all:1;     /* the parser saw the last byte  */
} rms_soap_result_t;


/* A request body in the pieces it was read in; never copied whole. */

typedef struct {
    const rms_str_t  *parts;
    size_t            n;
} rms_body_t;


/*
 * Must be called once per process before any other function here and in
 * rms_rewrite.h (libxml2's own initialisation is not thread safe), and at its
 * end.
 */
void rms_xml_init(void);
void rms_xml_done(void);


/*
 * Reads a request body.
 *
 * body:     its bytes, not owned
 * version:  of the media type; the Envelope must be in its namespace
 * op:       the operation that path and action agreed on
 * depth:    how far to read
 *
 * RMS_SOAP_FIRST stops at the first child of Body: ASMX dispatches SOAP 1.1 by
 * action (or, with RoutingStyle=RequestElement, by the first element), and
 * deserialises the first child only, so a later sibling never runs
 * ([protocol] 8.2, T48).
 *
 * The licensor is ISSUEDPRINCIPALS/PRINCIPAL/OBJECT[@type='MS-DRM-Server']/
 * ID[@type='MS-GUID'] of the first certificate of the first non-null
 * publishing licence ([protocol] 5.5); it is a routing hint, never a
 * permission.  AcquireLicense, AcquirePreLicense: IssuanceLicense;
 * AcquireIssuanceLicense: UnsignedIssuanceLicense; EditIssuanceLicense:
 * SignedIssuanceLicense; others have none.
 */
rms_soap_result_t rms_soap_read(const rms_body_t *body,
    rms_soap_version_e version, const rms_operation_t *op,
    rms_soap_depth_e depth);


/*
 * The same licensor by bounded byte search in the first RMS_SOAP_LICENSOR_MAX
 * bytes: RMS_OK and the licensor, or RMS_DECLINED when the bytes are not of
 * the plain form every known client writes, and the parser must decide.
 * For well-formed input that rms_soap_read() accepts it never answers another
 * licensor than the parser does (fuzzed: t/fuzz/fuzz_soap.c).
 */
rms_rc_e rms_soap_search(const rms_body_t *body, const rms_operation_t *op,
    rms_licensor_t *licensor);


/* A short text for logs and answers. */
const char *rms_soap_error_text(rms_soap_error_e error);


/*
 * Brings a GUID as operators and licences write it ("{4F1A...}", blanks
 * around, any case) to the form of rms_licensor_t.  RMS_OK or RMS_INVALID.
 */
rms_rc_e rms_licensor_parse(const rms_str_t *text, rms_licensor_t *out);


#endif /* RMS_SOAP_H */
