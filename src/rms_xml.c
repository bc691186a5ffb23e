/*
 * libxml2 set-up shared by the SOAP reader and the rewriter.  No state of its
 * own but libxml2's, which rms_xml_init() sets up once per process.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "rms_soap.h"
#include "rms_xml.h"


/* 2.12 made the error constant; the callback's type has to follow. */

#if LIBXML_VERSION >= 21200
typedef const xmlError  rms_xml_libxml_error_t;
#else
typedef xmlError        rms_xml_libxml_error_t;
#endif


static int rms_xml_foreign(const unsigned char *head, size_t len);
static rms_xml_error_e rms_xml_declaration(const unsigned char *p,
    const unsigned char *last);
static const unsigned char *rms_xml_find(const unsigned char *p,
    const unsigned char *last, const char *what);
static int rms_xml_is_blank(unsigned char c);
static void rms_xml_on_error(void *data, rms_xml_libxml_error_t *error);
static void rms_xml_on_doctype(void *data, const xmlChar *name,
    const xmlChar *public_id, const xmlChar *system_id);
static int rms_xml_push(rms_xml_t *xml, const unsigned char *data, size_t len);
static long rms_xml_left(const rms_xml_t *xml);


void
rms_xml_init(void)
{
    xmlInitParser();
}


void
rms_xml_done(void)
{
    xmlCleanupParser();
}


rms_xml_error_e
rms_xml_sniff(const unsigned char *head, size_t len)
{
    if (len == 0) {
        return RMS_XML_MALFORMED;
    }

    if (rms_xml_foreign(head, len)) {
        return RMS_XML_NOT_UTF8;
    }

    if (len >= 3 && memcmp(head, "\xef\xbb\xbf", 3) == 0) {
        head += 3;
        len -= 3;
    }

    if (len < 6 || memcmp(head, "<?xml", 5) != 0 || !rms_xml_is_blank(head[5]))
    {
        return RMS_XML_FINE;
    }

    return rms_xml_declaration(head + 5, head + len);
}


/*
 * XML 1.0 appendix F: byte order marks of UTF-16 and UTF-32, their code units
 * without a mark, EBCDIC, and 7-bit forms of UTF-8's rivals.
 */

static int
rms_xml_foreign(const unsigned char *head, size_t len)
{
    if (memchr(head, '\0', len) != NULL) {
        return 1;
    }

    if (len >= 2
        && (memcmp(head, "\xfe\xff", 2) == 0
            || memcmp(head, "\xff\xfe", 2) == 0))
    {
        return 1;
    }

    return len >= 4
           && (memcmp(head, "\x4c\x6f\xa7\x94", 4) == 0
               || memcmp(head, "+/v", 3) == 0);
}


/*
 * In a well-formed declaration the word can stand in one place only, and
 * libxml2 refuses the ones that are not well-formed.
 */

static rms_xml_error_e
rms_xml_declaration(const unsigned char *p, const unsigned char *last)
{
    size_t                len;
    unsigned char         quote;
    const unsigned char  *end, *value;

    end = rms_xml_find(p, last, "?>");
    if (end == NULL) {
        return RMS_XML_MALFORMED;
    }

    p = rms_xml_find(p, end, "encoding");
    if (p == NULL) {
        return RMS_XML_FINE;
    }

    for (p += 8; p < end && rms_xml_is_blank(*p); p++) { /* void */ }

    if (p == end || *p++ != '=') {
        return RMS_XML_MALFORMED;
    }

    while (p < end && rms_xml_is_blank(*p)) {
        p++;
    }

    if (p == end || (*p != '"' && *p != '\'')) {
        return RMS_XML_MALFORMED;
    }

    quote = *p++;

    value = p;
    p = memchr(value, quote, (size_t) (end - value));
    if (p == NULL) {
        return RMS_XML_MALFORMED;
    }

    len = (size_t) (p - value);

    if ((len == 5 && rms_strn_case_eq(value, (unsigned char *) "utf-8", 5))
        || (len == 8
            && rms_strn_case_eq(value, (unsigned char *) "us-ascii", 8)))
    {
        return RMS_XML_FINE;
    }

    return RMS_XML_NOT_UTF8;
}


static const unsigned char *
rms_xml_find(const unsigned char *p, const unsigned char *last,
    const char *what)
{
    return memmem(p, (size_t) (last - p), what, strlen(what));
}


static int
rms_xml_is_blank(unsigned char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}


rms_rc_e
rms_xml_open(rms_xml_t *xml, xmlSAXHandler *sax)
{
    memset(xml, 0, sizeof(rms_xml_t));
    xml->elements_max = RMS_XML_ELEMENTS_MAX;

    sax->initialized = XML_SAX2_MAGIC;
    sax->serror = rms_xml_on_error;
    sax->internalSubset = rms_xml_on_doctype;
    sax->ignorableWhitespace = sax->characters;

    xml->ctxt = xmlCreatePushParserCtxt(sax, xml, NULL, 0, NULL);
    if (xml->ctxt == NULL) {
        return RMS_NOMEM;
    }

    /*
     * Without XML_PARSE_HUGE libxml2's own limits hold; the encoding was
     * settled by rms_xml_sniff(), so nothing is ever transcoded.
     */

    (void) xmlCtxtUseOptions(xml->ctxt,
                             XML_PARSE_NONET | XML_PARSE_IGNORE_ENC);

    return RMS_OK;
}


int
rms_xml_enter(rms_xml_t *xml, int nb_namespaces, int nb_attributes)
{
    if (xml->stopped || xml->error != RMS_XML_FINE) {
        return 0;
    }

    if (nb_namespaces + nb_attributes > RMS_XML_ATTR_MAX
        || ++xml->elements > xml->elements_max
        || xml->n_ns + (unsigned) nb_namespaces > RMS_XML_NS_MAX)
    {
        rms_xml_fail(xml, RMS_XML_MALFORMED);
        return 0;
    }

    if (xml->depth == RMS_XML_DEPTH_MAX) {
        rms_xml_fail(xml, RMS_XML_TOO_DEEP);
        return 0;
    }

    xml->root = 1;
    xml->ns[xml->depth++] = (unsigned char) nb_namespaces;
    xml->n_ns += (unsigned) nb_namespaces;

    return 1;
}


void
rms_xml_leave(rms_xml_t *xml)
{
    if (xml->depth == 0) {
        return;
    }

    xml->n_ns -= xml->ns[--xml->depth];
}


void
rms_xml_stop(rms_xml_t *xml)
{
    xml->stopped = 1;
    xmlStopParser(xml->ctxt);
}


void
rms_xml_fail(rms_xml_t *xml, rms_xml_error_e error)
{
    if (xml->stopped) {
        return;
    }

    if (xml->error == RMS_XML_FINE) {
        xml->error = error;
    }

    if (xml->ctxt != NULL) {
        xmlStopParser(xml->ctxt);
    }
}


/*
 * Warnings are about things that change nothing here (a relative namespace
 * URI); errors that are recoverable for libxml2 (an unbound prefix) are not
 * for .NET's reader.
 */

static void
rms_xml_on_error(void *data, rms_xml_libxml_error_t *error)
{
    rms_xml_t  *xml = data;

    if (error->level < XML_ERR_ERROR) {
        return;
    }

    rms_xml_fail(xml, error->code == XML_ERR_NO_MEMORY ? RMS_XML_NO_MEMORY
                                                       : RMS_XML_MALFORMED);
}


static void
rms_xml_on_doctype(void *data, const xmlChar *name, const xmlChar *public_id,
    const xmlChar *system_id)
{
    (void) name;
    (void) public_id;
    (void) system_id;

    rms_xml_fail(data, RMS_XML_DOCTYPE);
}


int
rms_xml_feed(rms_xml_t *xml, const unsigned char *data, size_t len)
{
    size_t                n;
    const unsigned char  *nul;

    while (len) {
        n = len < RMS_XML_CHUNK ? len : RMS_XML_CHUNK;
        nul = memchr(data, '\0', n);

        if (nul != NULL) {
            n = (size_t) (nul - data);
        }

        if (n != 0 && !rms_xml_push(xml, data, n)) {
            return 0;
        }

        if (nul != NULL) {
            rms_xml_fail(xml, RMS_XML_NOT_UTF8);
            return 0;
        }

        data += n;
        len -= n;
    }

    return !xml->stopped && xml->error == RMS_XML_FINE;
}


/*
 * What stays unread is one unfinished piece of markup; but of a CDATA section
 * libxml2 takes 300 bytes a call, so it is asked again while it takes any.
 */

static int
rms_xml_push(rms_xml_t *xml, const unsigned char *data, size_t len)
{
    long  left;

    left = -1;

    if (xml->stopped || xml->error != RMS_XML_FINE) {
        return 0;
    }

    for ( ;; ) {
        (void) xmlParseChunk(xml->ctxt, (const char *) data, (int) len, 0);

        if (xml->stopped || xml->error != RMS_XML_FINE) {
            return 0;
        }

        if (xml->ctxt->errNo == XML_ERR_NO_MEMORY || xml->ctxt->input == NULL)
        {
            rms_xml_fail(xml, RMS_XML_NO_MEMORY);
            return 0;
        }

        if (rms_xml_left(xml) <= RMS_XML_CHUNK / 8
            || rms_xml_left(xml) == left)
        {
            break;
        }

        left = rms_xml_left(xml);
        len = 0;
    }

    if (rms_xml_left(xml) > RMS_XML_MARKUP_MAX) {
        rms_xml_fail(xml, RMS_XML_MALFORMED);
        return 0;
    }

    return 1;
}


/* Bytes the parser has and did not use. */

static long
rms_xml_left(const rms_xml_t *xml)
{
    return xml->ctxt->input->end - xml->ctxt->input->cur;
}


rms_xml_error_e
rms_xml_finish(rms_xml_t *xml)
{
    if (xml->stopped || xml->error != RMS_XML_FINE) {
        return xml->error;
    }

    /*
     * Told that this is the end, libxml2 reports a tag without its '>' first
     * and the error after it: too late for a reader that stops at the tag.
     */

    if (!xml->root || xml->depth != 0) {
        rms_xml_fail(xml, RMS_XML_MALFORMED);
        return xml->error;
    }

    (void) xmlParseChunk(xml->ctxt, NULL, 0, 1);

    if (!xml->stopped && xml->error == RMS_XML_FINE
        && (!xml->ctxt->wellFormed || !xml->ctxt->nsWellFormed))
    {
        xml->error = RMS_XML_MALFORMED;
    }

    return xml->error;
}


void
rms_xml_close(rms_xml_t *xml)
{
    if (xml->ctxt == NULL) {
        return;
    }

    if (xml->ctxt->myDoc != NULL) {
        xmlFreeDoc(xml->ctxt->myDoc);
    }

    xmlFreeParserCtxt(xml->ctxt);
    xml->ctxt = NULL;
}
