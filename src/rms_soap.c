/*
 * The SOAP reader: the scanner for bodies of the plain form, for others a
 * SAX2 state machine over rms_xml.  Its state lives on the caller's stack,
 * libxml2's context from rms_xml_open() to rms_xml_close(); one thread per
 * call.
 */

#include "rms_soap.h"
#include "rms_soap_licence.h"
#include "rms_soap_scan.h"
#include "rms_xml.h"


#define RMS_SOAP_XSI     "http://www.w3.org/2001/XMLSchema-instance"

#define RMS_SOAP_STEPS   10         /* elements from RequestParams to ID  */


/* One element on the way to the licensor. */

typedef struct {
    const char  *name;
    const char  *ns;                /* NULL: none                         */
    const char  *type;              /* wanted value of @type, or NULL     */
} rms_soap_step_t;


typedef struct {
    rms_xml_t               xml;            /* first: the callbacks' data */
    const char             *env;            /* namespace of the Envelope  */
    const rms_operation_t  *op;
    rms_soap_depth_e        depth;
    rms_soap_error_e        error;          /* of SOAP's own rules        */
    unsigned                header:1;       /* a Header was there         */
    unsigned                body:1;         /* the Body was there         */
    unsigned                first:1;        /* its first child was right  */
    unsigned                decided:1;      /* the licensor, or that
                                               there is none              */
    rms_soap_step_t         steps[RMS_SOAP_STEPS];
    unsigned                n_steps;        /* 0: operation without one   */
    unsigned                licence;        /* index of XrML in steps     */
    unsigned                matched;        /* open elements on the way   */
    unsigned char           text[RMS_LICENSOR_TEXT_MAX];
    size_t                  text_len;
    rms_licensor_t          licensor;
} rms_soap_reader_t;


static void rms_soap_steps(rms_soap_reader_t *rd);
static void rms_soap_step(rms_soap_reader_t *rd, const char *name,
    const char *ns, const char *type);
static rms_xml_error_e rms_soap_sniff(const rms_body_t *body);
static void rms_soap_sax(xmlSAXHandler *sax);
static void rms_soap_run(rms_soap_reader_t *rd, const rms_body_t *body,
    rms_soap_result_t *result);
static int rms_soap_feed(rms_soap_reader_t *rd, const rms_body_t *body,
    size_t from, size_t to);
static rms_soap_error_e rms_soap_error(const rms_soap_reader_t *rd);
static rms_soap_error_e rms_soap_error_of(rms_xml_error_e error);
static void rms_soap_refuse(rms_soap_reader_t *rd, rms_soap_error_e error);
static int rms_soap_is(const xmlChar *name, const xmlChar *uri,
    const char *want, size_t want_len, const char *ns, size_t ns_len);
static void rms_soap_on_start(void *data, const xmlChar *name,
    const xmlChar *prefix, const xmlChar *uri, int nb_namespaces,
    const xmlChar **namespaces, int nb_attributes, int nb_defaulted,
    const xmlChar **attributes);
static void rms_soap_on_end(void *data, const xmlChar *name,
    const xmlChar *prefix, const xmlChar *uri);
static void rms_soap_on_text(void *data, const xmlChar *text, int len);
static void rms_soap_on_cdata(void *data, const xmlChar *text, int len);
static void rms_soap_on_pi(void *data, const xmlChar *target,
    const xmlChar *text);
static void rms_soap_envelope(rms_soap_reader_t *rd, const xmlChar *name,
    const xmlChar *uri);
static void rms_soap_envelope_child(rms_soap_reader_t *rd,
    const xmlChar *name, const xmlChar *uri);
static void rms_soap_body_child(rms_soap_reader_t *rd, const xmlChar *name,
    const xmlChar *uri);
static void rms_soap_descend(rms_soap_reader_t *rd, const xmlChar *name,
    const xmlChar *uri, int nb_attributes, const xmlChar **attributes);
static int rms_soap_attribute(const char *want, const char *ns,
    const char *value, int nb_attributes, const xmlChar **attributes);
static int rms_soap_nil(int nb_attributes, const xmlChar **attributes);
static void rms_soap_decide(rms_soap_reader_t *rd);


/*
 * RMS_SOAP_LICENSOR is asked for where the byte search did not answer, so
 * there is no short cut to it.
 */

rms_soap_result_t
rms_soap_read(const rms_body_t *body, rms_soap_version_e version,
    const rms_operation_t *op, rms_soap_depth_e depth)
{
    int                strict;
    rms_soap_result_t  result;

    memset(&result, 0, sizeof(rms_soap_result_t));
    strict = depth == RMS_SOAP_STRICT;

    if (depth == RMS_SOAP_LICENSOR
        || !rms_soap_scan(body, version, op, strict)
        || (strict && rms_licence_get(op->id) != NULL
            && rms_soap_search(body, op, &result.licensor) != RMS_OK))
    {
        return rms_soap_parse(body, version, op, depth);
    }

    result.parsed_all = strict != 0;

    return result;
}


rms_soap_result_t
rms_soap_parse(const rms_body_t *body, rms_soap_version_e version,
    const rms_operation_t *op, rms_soap_depth_e depth)
{
    rms_xml_error_e    error;
    xmlSAXHandler      sax;
    rms_soap_reader_t  rd;
    rms_soap_result_t  result;

    memset(&result, 0, sizeof(rms_soap_result_t));

    error = rms_soap_sniff(body);
    if (error != RMS_XML_FINE) {
        result.error = rms_soap_error_of(error);
        return result;
    }

    memset(&rd, 0, sizeof(rms_soap_reader_t));
    rms_soap_sax(&sax);

    if (rms_xml_open(&rd.xml, &sax) != RMS_OK) {
        result.error = RMS_SOAP_NO_MEMORY;
        return result;
    }

    rd.env = version == RMS_SOAP_12 ? RMS_SOAP_ENV_12 : RMS_SOAP_ENV_11;
    rd.op = op;
    rd.depth = depth;

    if (depth != RMS_SOAP_FIRST) {
        rms_soap_steps(&rd);
    }

    rms_soap_run(&rd, body, &result);
    rms_xml_close(&rd.xml);

    return result;
}


/* [protocol] 5.5; the wrappers around the licence differ, 2.2 and 2.3. */

static void
rms_soap_steps(rms_soap_reader_t *rd)
{
    const char           *ns;
    const rms_licence_t  *licence;

    licence = rms_licence_get(rd->op->id);
    if (licence == NULL) {
        return;
    }

    ns = (const char *) rd->op->ns.data;

    rms_soap_step(rd, "RequestParams", ns, NULL);
    rms_soap_step(rd, licence->params, ns, NULL);
    rms_soap_step(rd, licence->element, ns, NULL);

    if (licence->chain) {
        rms_soap_step(rd, "Certificate", ns, NULL);
    }

    rd->licence = rd->n_steps;
    rms_soap_step(rd, "XrML", NULL, NULL);
    rms_soap_step(rd, "BODY", NULL, NULL);
    rms_soap_step(rd, "ISSUEDPRINCIPALS", NULL, NULL);
    rms_soap_step(rd, "PRINCIPAL", NULL, NULL);
    rms_soap_step(rd, "OBJECT", NULL, "MS-DRM-Server");
    rms_soap_step(rd, "ID", NULL, "MS-GUID");
}


static void
rms_soap_step(rms_soap_reader_t *rd, const char *name, const char *ns,
    const char *type)
{
    rms_soap_step_t  *step;

    step = &rd->steps[rd->n_steps++];
    step->name = name;
    step->ns = ns;
    step->type = type;
}


static rms_xml_error_e
rms_soap_sniff(const rms_body_t *body)
{
    size_t         i, n, len;
    unsigned char  head[RMS_XML_HEAD];

    len = 0;

    for (i = 0; i < body->n && len < sizeof(head); i++) {
        n = body->parts[i].len;

        if (n > sizeof(head) - len) {
            n = sizeof(head) - len;
        }

        if (n != 0) {
            memcpy(head + len, body->parts[i].data, n);
            len += n;
        }
    }

    return rms_xml_sniff(head, len);
}


static void
rms_soap_sax(xmlSAXHandler *sax)
{
    memset(sax, 0, sizeof(xmlSAXHandler));
    sax->startElementNs = rms_soap_on_start;
    sax->endElementNs = rms_soap_on_end;
    sax->characters = rms_soap_on_text;
    sax->cdataBlock = rms_soap_on_cdata;
    sax->processingInstruction = rms_soap_on_pi;
}


/*
 * The first child of Body must stand in the first RMS_SOAP_LICENSOR_MAX
 * bytes whatever the depth: nobody has headers of that size, and a large one
 * would cost parsing time for nothing.
 */

static void
rms_soap_run(rms_soap_reader_t *rd, const rms_body_t *body,
    rms_soap_result_t *result)
{
    size_t  i, total;

    for (total = 0, i = 0; i < body->n; i++) {
        total += body->parts[i].len;
    }

    if (rms_soap_feed(rd, body, 0, RMS_SOAP_LICENSOR_MAX)) {

        if (total <= RMS_SOAP_LICENSOR_MAX) {
            (void) rms_xml_finish(&rd->xml);
            result->parsed_all = 1;

        } else if (!rd->first) {
            rms_soap_refuse(rd, RMS_SOAP_NOT_SOAP);

        } else if (rd->depth == RMS_SOAP_STRICT) {
            rd->decided = 1;

            if (rms_soap_feed(rd, body, RMS_SOAP_LICENSOR_MAX, total)) {
                (void) rms_xml_finish(&rd->xml);
                result->parsed_all = 1;
            }
        }
    }

    result->error = rms_soap_error(rd);

    if (result->error == RMS_SOAP_FINE) {
        result->licensor = rd->licensor;
    }
}


/* Bytes from..to of the body; non-zero while the parser wants more. */

static int
rms_soap_feed(rms_soap_reader_t *rd, const rms_body_t *body, size_t from,
    size_t to)
{
    size_t            i, start, end, offset;
    const rms_str_t  *part;

    offset = 0;

    for (i = 0; i < body->n && offset < to; i++) {
        part = &body->parts[i];
        start = from > offset ? from - offset : 0;
        end = part->len < to - offset ? part->len : to - offset;

        if (start < end
            && !rms_xml_feed(&rd->xml, part->data + start, end - start))
        {
            return 0;
        }

        offset += part->len;
    }

    return 1;
}


static rms_soap_error_e
rms_soap_error(const rms_soap_reader_t *rd)
{
    if (rd->error != RMS_SOAP_FINE) {
        return rd->error;
    }

    if (rd->xml.error != RMS_XML_FINE) {
        return rms_soap_error_of(rd->xml.error);
    }

    return rd->first ? RMS_SOAP_FINE : RMS_SOAP_NOT_SOAP;
}


static rms_soap_error_e
rms_soap_error_of(rms_xml_error_e error)
{
    switch (error) {

    case RMS_XML_FINE:
        return RMS_SOAP_FINE;

    case RMS_XML_DOCTYPE:
        return RMS_SOAP_DOCTYPE;

    case RMS_XML_TOO_DEEP:
        return RMS_SOAP_TOO_DEEP;

    case RMS_XML_NOT_UTF8:
        return RMS_SOAP_NOT_UTF8;

    case RMS_XML_NO_MEMORY:
        return RMS_SOAP_NO_MEMORY;

    case RMS_XML_MALFORMED:
        break;
    }

    return RMS_SOAP_MALFORMED;
}


const char *
rms_soap_error_text(rms_soap_error_e error)
{
    switch (error) {

    case RMS_SOAP_FINE:
        return "fine";

    case RMS_SOAP_MALFORMED:
        return "the body is not well-formed XML";

    case RMS_SOAP_DOCTYPE:
        return "the body has a DOCTYPE";

    case RMS_SOAP_TOO_DEEP:
        return "the body is nested too deeply";

    case RMS_SOAP_NOT_SOAP:
        return "the body is not a SOAP message of this media type";

    case RMS_SOAP_NOT_UTF8:
        return "the body is not UTF-8";

    case RMS_SOAP_OTHER_OPERATION:
        return "the body holds another operation than the action names";

    case RMS_SOAP_SECOND_CHILD:
        return "the SOAP Body has a second child";

    case RMS_SOAP_NO_MEMORY:
        return "no memory to read the body";
    }

    return "unknown";
}


static void
rms_soap_refuse(rms_soap_reader_t *rd, rms_soap_error_e error)
{
    if (rd->error == RMS_SOAP_FINE) {
        rd->error = error;
    }

    rms_xml_stop(&rd->xml);
}


static int
rms_soap_is(const xmlChar *name, const xmlChar *uri, const char *want,
    size_t want_len, const char *ns, size_t ns_len)
{
    const char  *n, *u;

    n = (const char *) name;
    u = (const char *) uri;

    return u != NULL
           && strlen(n) == want_len && memcmp(n, want, want_len) == 0
           && strlen(u) == ns_len && memcmp(u, ns, ns_len) == 0;
}


static void
rms_soap_on_start(void *data, const xmlChar *name, const xmlChar *prefix,
    const xmlChar *uri, int nb_namespaces, const xmlChar **namespaces,
    int nb_attributes, int nb_defaulted, const xmlChar **attributes)
{
    rms_soap_reader_t  *rd = data;

    (void) prefix;
    (void) namespaces;
    (void) nb_defaulted;

    if (!rms_xml_enter(&rd->xml, nb_namespaces, nb_attributes)) {
        return;
    }

    switch (rd->xml.depth) {

    case 1:
        rms_soap_envelope(rd, name, uri);
        return;

    case 2:
        rms_soap_envelope_child(rd, name, uri);
        return;

    case 3:
        if (rd->body) {
            rms_soap_body_child(rd, name, uri);
        }

        return;

    default:
        rms_soap_descend(rd, name, uri, nb_attributes, attributes);
    }
}


static void
rms_soap_envelope(rms_soap_reader_t *rd, const xmlChar *name,
    const xmlChar *uri)
{
    if (!rms_soap_is(name, uri, "Envelope", 8, rd->env, strlen(rd->env))) {
        rms_soap_refuse(rd, RMS_SOAP_NOT_SOAP);
    }
}


/* SOAP 1.1 4, SOAP 1.2 part 1, 5.1: [Header] Body, nothing else. */

static void
rms_soap_envelope_child(rms_soap_reader_t *rd, const xmlChar *name,
    const xmlChar *uri)
{
    size_t  len;

    len = strlen(rd->env);

    if (!rd->header && !rd->body
        && rms_soap_is(name, uri, "Header", 6, rd->env, len))
    {
        rd->header = 1;
        return;
    }

    if (!rd->body && rms_soap_is(name, uri, "Body", 4, rd->env, len)) {
        rd->body = 1;
        return;
    }

    rms_soap_refuse(rd, RMS_SOAP_NOT_SOAP);
}


static void
rms_soap_body_child(rms_soap_reader_t *rd, const xmlChar *name,
    const xmlChar *uri)
{
    const rms_operation_t  *op;

    if (rd->first) {
        rms_soap_refuse(rd, RMS_SOAP_SECOND_CHILD);
        return;
    }

    op = rd->op;

    if (!rms_soap_is(name, uri, (char *) op->name.data, op->name.len,
                     (char *) op->ns.data, op->ns.len))
    {
        rms_soap_refuse(rd, RMS_SOAP_OTHER_OPERATION);
        return;
    }

    rd->first = 1;
    rd->decided = rd->n_steps == 0;

    if (rd->decided && rd->depth != RMS_SOAP_STRICT) {
        rms_xml_stop(&rd->xml);
    }
}


/*
 * matched counts the open elements that are on the way: an element can only
 * be the next step when all its ancestors were steps.
 */

static void
rms_soap_descend(rms_soap_reader_t *rd, const xmlChar *name,
    const xmlChar *uri, int nb_attributes, const xmlChar **attributes)
{
    const rms_soap_step_t  *step;

    if (!rd->first || rd->decided || rd->matched == rd->n_steps
        || rd->matched != rd->xml.depth - 4)
    {
        return;
    }

    step = &rd->steps[rd->matched];

    if (strcmp((const char *) name, step->name) != 0
        || (uri == NULL) != (step->ns == NULL)
        || (uri != NULL && strcmp((const char *) uri, step->ns) != 0))
    {
        return;
    }

    if (step->type != NULL
        && !rms_soap_attribute("type", NULL, step->type, nb_attributes,
                               attributes))
    {
        return;
    }

    /* XmlSerializer skips what is nil, with all that is in it */

    if (rd->matched < rd->licence && rms_soap_nil(nb_attributes, attributes)) {
        return;
    }

    rd->matched++;
    rd->text_len = 0;
}


/* attributes: five pointers each: name, prefix, URI, value, end of value. */

static int
rms_soap_attribute(const char *want, const char *ns, const char *value,
    int nb_attributes, const xmlChar **attributes)
{
    int          i;
    size_t       len;
    const char  *uri;

    for (i = 0; i < nb_attributes; i++, attributes += 5) {
        uri = (const char *) attributes[2];
        len = (size_t) (attributes[4] - attributes[3]);

        if (strcmp((const char *) attributes[0], want) == 0
            && (uri == NULL) == (ns == NULL)
            && (uri == NULL || strcmp(uri, ns) == 0)
            && len == strlen(value) && memcmp(attributes[3], value, len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


static int
rms_soap_nil(int nb_attributes, const xmlChar **attributes)
{
    return rms_soap_attribute("nil", RMS_SOAP_XSI, "true", nb_attributes,
                              attributes)
           || rms_soap_attribute("nil", RMS_SOAP_XSI, "1", nb_attributes,
                                 attributes);
}


static void
rms_soap_on_end(void *data, const xmlChar *name, const xmlChar *prefix,
    const xmlChar *uri)
{
    unsigned            depth;
    rms_soap_reader_t  *rd = data;

    (void) name;
    (void) prefix;
    (void) uri;

    depth = rd->xml.depth;
    rms_xml_leave(&rd->xml);

    if (rd->xml.stopped || rd->xml.error != RMS_XML_FINE) {
        return;
    }

    if (depth == 2 && rd->body && !rd->first) {
        rms_soap_refuse(rd, RMS_SOAP_OTHER_OPERATION);      /* empty Body */
        return;
    }

    if (rd->decided || rd->matched == 0 || depth != rd->matched + 3) {
        return;
    }

    /* the end of ID, or of the first licence without one */

    if (rd->matched == rd->n_steps || rd->matched == rd->licence + 1) {
        rms_soap_decide(rd);
        return;
    }

    rd->matched--;
}


static void
rms_soap_decide(rms_soap_reader_t *rd)
{
    rms_str_t  text;

    if (rd->matched == rd->n_steps && rd->text_len < sizeof(rd->text)) {
        text.data = rd->text;
        text.len = rd->text_len;
        (void) rms_licensor_parse(&text, &rd->licensor);
    }

    rd->decided = 1;

    if (rd->depth != RMS_SOAP_STRICT) {
        rms_xml_stop(&rd->xml);
    }
}


/*
 * Text beside the elements of the envelope: ASMX would stop at it where we
 * would go on to an element.  In ID it is the licensor; too much of it is
 * kept as too long to be one.
 */

static void
rms_soap_on_text(void *data, const xmlChar *text, int len)
{
    int                 i;
    size_t              n;
    rms_soap_reader_t  *rd = data;

    if (rd->xml.stopped || rd->xml.error != RMS_XML_FINE) {
        return;
    }

    if (rd->xml.depth == 1 || (rd->xml.depth == 2 && rd->body)) {

        for (i = 0; i < len; i++) {
            if (!rms_licence_is_blank(text[i])) {
                rms_soap_refuse(rd, RMS_SOAP_MALFORMED);
                return;
            }
        }

        return;
    }

    if (rd->decided || rd->n_steps == 0 || rd->matched != rd->n_steps
        || rd->xml.depth != rd->n_steps + 3)
    {
        return;
    }

    n = sizeof(rd->text) - rd->text_len;

    if ((size_t) len < n) {
        n = (size_t) len;
    }

    memcpy(rd->text + rd->text_len, text, n);
    rd->text_len += n;
}


static void
rms_soap_on_cdata(void *data, const xmlChar *text, int len)
{
    rms_soap_reader_t  *rd = data;

    if (rd->xml.depth == 1 || (rd->xml.depth == 2 && rd->body)) {
        rms_soap_refuse(rd, RMS_SOAP_MALFORMED);
        return;
    }

    rms_soap_on_text(data, text, len);
}


/* SOAP 1.1 3: a SOAP message must not contain processing instructions. */

static void
rms_soap_on_pi(void *data, const xmlChar *target, const xmlChar *text)
{
    rms_soap_reader_t  *rd = data;

    (void) target;
    (void) text;

    if (rd->xml.depth != 0) {
        rms_soap_refuse(rd, RMS_SOAP_NOT_SOAP);
    }
}
