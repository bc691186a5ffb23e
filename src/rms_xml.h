/*
 * How this project runs libxml2, the same for every reader: SAX2 push
 * parser, bytes are UTF-8 or refused, no DTD, no entities, no network,
 * bounded depth, bounded markup.  Private to the core's readers.
 *
 * One rms_xml_t is one parse; it belongs to one thread at a time.  What
 * rms_xml_open() made, rms_xml_close() frees.
 */

#ifndef RMS_XML_H
#define RMS_XML_H


#include <libxml/parser.h>

#include "rms_types.h"


#define RMS_XML_HEAD        256     /* bytes rms_xml_sniff() wants to see */
#define RMS_XML_DEPTH_MAX   128     /* open elements                      */
#define RMS_XML_CHUNK       4096    /* bytes the parser gets at once      */

/*
 * libxml2 compares each attribute of a tag with each other one, and each
 * prefix with each namespace in scope: without these a few megabytes of
 * hostile markup cost minutes.
 */
#define RMS_XML_MARKUP_MAX  16384   /* bytes of one tag, comment, PI      */
#define RMS_XML_ATTR_MAX    64      /* attributes and namespaces of a tag */
#define RMS_XML_NS_MAX      32      /* namespace declarations in scope    */

/*
 * A batch of a hundred licences has some 20,000 elements; reading so many
 * takes tens of milliseconds, and more are nobody's licence.
 */
#define RMS_XML_ELEMENTS_MAX  100000


typedef enum {
    RMS_XML_FINE = 0,
    RMS_XML_MALFORMED,          /* also: a limit above was reached       */
    RMS_XML_DOCTYPE,
    RMS_XML_TOO_DEEP,
    RMS_XML_NOT_UTF8,
    RMS_XML_NO_MEMORY
} rms_xml_error_e;


/*
 * Make it the first member of the state of a reader: the SAX callbacks get a
 * pointer to it as their first argument.
 */

typedef struct {
    xmlParserCtxtPtr  ctxt;
    rms_xml_error_e   error;        /* the first one                      */
    unsigned          stopped:1;    /* the reader has seen enough         */
    unsigned          root:1;       /* there was a root element           */
    unsigned          depth;        /* open elements                      */
    unsigned          elements;     /* seen                               */
    unsigned          elements_max; /* RMS_XML_ELEMENTS_MAX, or less      */
    unsigned          n_ns;         /* namespace declarations in scope    */
    unsigned char     ns[RMS_XML_DEPTH_MAX];
} rms_xml_t;


/*
 * Looks at the first bytes of a document (RMS_XML_HEAD of them, fewer when
 * the document is shorter) before libxml2 does, which would transcode.
 * RMS_XML_FINE; RMS_XML_NOT_UTF8: UTF-16, UTF-32, EBCDIC, or a declared
 * encoding other than utf-8 and us-ascii in any case; RMS_XML_MALFORMED:
 * empty, or an XML declaration that does not end in the head.  A UTF-8 byte
 * order mark is fine.
 */
rms_xml_error_e rms_xml_sniff(const unsigned char *head, size_t len);


/*
 * Starts a parse.  sax: zeroed, then filled with the callbacks wanted
 * (startElementNs and endElementNs at least, which must call rms_xml_enter()
 * and rms_xml_leave()); initialized, serror, internalSubset and
 * ignorableWhitespace are set here; sax is copied.  xml is zeroed here, so
 * the reader sets the rest of its state itself.
 * RMS_OK or RMS_NOMEM (nothing to close then).
 */
rms_rc_e rms_xml_open(rms_xml_t *xml, xmlSAXHandler *sax);


/*
 * For the start and the end of an element.  rms_xml_enter() answers 0 when
 * the parse is over (error is set), else non-zero; depth is 1 for the root.
 */
int rms_xml_enter(rms_xml_t *xml, int nb_namespaces, int nb_attributes);
void rms_xml_leave(rms_xml_t *xml);


/* Ends the parse from within a callback: enough seen, or a first error. */
void rms_xml_stop(rms_xml_t *xml);
void rms_xml_fail(rms_xml_t *xml, rms_xml_error_e error);


/*
 * Gives bytes to the parser, in pieces of RMS_XML_CHUNK.  Non-zero while it
 * wants more, 0 after a stop or an error.  A NUL is RMS_XML_NOT_UTF8.
 */
int rms_xml_feed(rms_xml_t *xml, const unsigned char *data, size_t len);


/* Says that was all; the error of the whole parse. */
rms_xml_error_e rms_xml_finish(rms_xml_t *xml);


void rms_xml_close(rms_xml_t *xml);


#endif /* RMS_XML_H */
