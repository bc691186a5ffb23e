/*
 * Reads the plain form of XML, which is what every known client and server
 * writes, without a parser.  Private to the readers of the core.
 *
 * The plain form: ASCII names, tags without stray blanks, attributes without
 * references or control characters, namespaces that are http or urn names;
 * no comment, CDATA section, instruction or DTD, nothing undeclared, nothing
 * twice, small bounds.  Of it the scanner gives what every XML parser gives;
 * for anything else it answers RMS_SCAN_OTHER, which says nothing about the
 * document: libxml2 has to read it (fuzzed against it: t/fuzz/fuzz_scan.c).
 *
 * No allocation, nothing is written to or copied; one thread per state.
 */

#ifndef RMS_SCAN_H
#define RMS_SCAN_H


#include "rms_types.h"


/* All well below those of rms_xml.h. */

#define RMS_SCAN_DEPTH_MAX     64           /* open elements             */
#define RMS_SCAN_NS_MAX        16           /* declarations in scope     */
#define RMS_SCAN_ATTR_MAX      16           /* attributes of a tag       */
#define RMS_SCAN_TAG_MAX       4096         /* bytes of a tag            */
#define RMS_SCAN_ELEMENTS_MAX  8192
#define RMS_SCAN_SIZE_MAX      (256 * 1024) /* bytes of a document       */


typedef enum {
    RMS_SCAN_OTHER = 0,         /* ask the parser; the state is spent    */
    RMS_SCAN_START,             /* a start tag: name, uri, attr          */
    RMS_SCAN_END,               /* an end tag, or the end of <a/>        */
    RMS_SCAN_DONE               /* the document was read to its end      */
} rms_scan_e;


/* A name as written: "soap:Body" with a prefix of 5 bytes, the colon in it. */

typedef struct {
    const unsigned char  *data;
    size_t                len;
    size_t                prefix;
} rms_scan_name_t;


typedef struct {
    rms_scan_name_t       name;
    const unsigned char  *value;    /* as written, between the quotes    */
    size_t                len;
} rms_scan_attr_t;


typedef struct {
    rms_scan_name_t       name;     /* the prefix; xmlns="" has none     */
    rms_str_t             uri;
} rms_scan_ns_t;


typedef struct {
    const unsigned char  *name;     /* as written                        */
    uint32_t              len;
    uint16_t              n_ns;     /* in scope around it                */
    uint16_t              ns;       /* its own default namespace: 0 for
                                       none, or the place in ns plus one */
} rms_scan_open_t;


typedef struct {

    /* of the last tag */
    const unsigned char  *text;     /* behind the tag before             */
    const unsigned char  *tag;      /* its "<", where that text ends     */
    rms_scan_name_t       name;     /* START only, as are the next three */
    rms_str_t             uri;      /* data is NULL without a namespace  */
    unsigned              n_attrs;  /* without declarations              */
    rms_scan_attr_t       attrs[RMS_SCAN_ATTR_MAX];
    unsigned              depth;    /* START: with the element; END: of
                                       what is around it                 */

    /* the scanner's own */
    const unsigned char  *data;
    const unsigned char  *p;
    const unsigned char  *last;
    unsigned              elements;
    unsigned              n_ns;
    unsigned              empty:1;  /* the end of <a/> is due            */
    rms_scan_ns_t         ns[RMS_SCAN_NS_MAX];
    rms_scan_open_t       open[RMS_SCAN_DEPTH_MAX];
} rms_scan_t;


/*
 * Begins with a document, or with the start of one.  Non-zero, or 0 when it
 * is not of the plain form.
 */
int rms_scan_open(rms_scan_t *s, const unsigned char *data, size_t len);


/*
 * The next tag.  Answers before RMS_SCAN_DONE are about the bytes up to
 * s->p, and hold for well-formed documents that begin with them if
 * rms_scan_clean() says that these bytes are characters.
 */
rms_scan_e rms_scan_next(rms_scan_t *s);


/*
 * Are these bytes what may stand in text: characters of XML 1.0 in UTF-8, no
 * reference but the five predefined ones, no "]]>"?  Non-zero if so.
 */
int rms_scan_clean(const unsigned char *data, size_t len);


/*
 * Goes on in another document, whose bytes up to s->p are the same as those
 * read so far.  Non-zero, or 0 when it is too large.
 */
int rms_scan_move(rms_scan_t *s, const unsigned char *data, size_t len);


/* Local name and namespace of the element that starts. */

int rms_scan_is(const rms_scan_t *s, const char *name, size_t len,
    const char *uri, size_t uri_len);


/* The attribute of this name without a prefix, or NULL. */
const rms_scan_attr_t *rms_scan_attr(const rms_scan_t *s, const char *name);


/* White space only? */
int rms_scan_blank(const unsigned char *p, const unsigned char *last);


#endif /* RMS_SCAN_H */
