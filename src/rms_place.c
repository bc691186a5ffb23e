/*
 * Where the service locations of an answer are.  libxml2 says what an element
 * is, its byte position says where it ended; from there the raw bytes are
 * read.  The parser and the digest live for one call; values belong to the
 * caller's memory.
 */

#include "rms_place.h"
#include "rms_place_way.h"
#include "rms_xml.h"


#define RMS_PLACE_TOP       3       /* depth of the child of Body        */


typedef struct {
    rms_xml_t                  xml;
    const rms_str_t           *input;
    rms_rewrite_rule_e         rule;
    const rms_mem_t           *mem;
    rms_places_t              *out;
    rms_rc_e                   rc;          /* our own refusal            */
    rms_events_t               events;

    const char                *soap;        /* namespace of the Envelope  */
    const rms_place_way_t     *way;
    unsigned                   matched;     /* steps of it that are open  */

    unsigned                   in_body:1;
    unsigned                   body:1;      /* there was a Body           */
    unsigned                   answer:1;    /* and it had a child         */
    unsigned                   in_value:1;

    size_t                     start;       /* of the value's content     */
    size_t                     len;
    unsigned char              value[RMS_PLACE_VALUE_MAX];
} rms_place_walk_t;


static rms_rc_e rms_place_walk(rms_place_walk_t *w);
static rms_rc_e rms_place_error(const rms_place_walk_t *w);
static void rms_place_refuse(rms_place_walk_t *w, rms_rc_e rc);

static void rms_place_on_start(void *data, const xmlChar *name,
    const xmlChar *prefix, const xmlChar *uri, int nb_namespaces,
    const xmlChar **namespaces, int nb_attributes, int nb_defaulted,
    const xmlChar **attributes);
static void rms_place_on_end(void *data, const xmlChar *name,
    const xmlChar *prefix, const xmlChar *uri);
static void rms_place_on_text(void *data, const xmlChar *text, int len);
static void rms_place_on_comment(void *data, const xmlChar *text);
static void rms_place_on_pi(void *data, const xmlChar *target,
    const xmlChar *text);

static void rms_place_top(rms_place_walk_t *w, const xmlChar *name,
    const xmlChar *uri);
static int rms_place_envelope(rms_place_walk_t *w, const xmlChar *name,
    const xmlChar *uri);
static int rms_place_child(rms_place_walk_t *w, const xmlChar *name,
    const xmlChar *uri);
static int rms_place_step(const rms_place_step_t *step, const xmlChar *name,
    const xmlChar *uri, int n, const xmlChar **attributes);
static const xmlChar **rms_place_attr(const char *name, int n,
    const xmlChar **attributes);
static rms_str_t rms_place_str(const xmlChar *text);
static int rms_place_is(const xmlChar *a, const char *b);

static const xmlChar **rms_place_open(rms_place_walk_t *w, int n,
    const xmlChar **attributes);
static void rms_place_close(rms_place_walk_t *w);
static void rms_place_add(rms_place_walk_t *w, const unsigned char *value,
    size_t len, size_t start, size_t end);
static int rms_place_blank(const unsigned char *p, size_t len);
static int rms_place_offset(rms_place_walk_t *w, size_t *offset);
static size_t rms_place_tag(const rms_place_walk_t *w, size_t end);
static int rms_place_range(const rms_place_walk_t *w, const char *name,
    size_t end, size_t *start, size_t *last);
static int rms_place_is_blank(unsigned char c);


rms_rc_e
rms_place_find(const rms_str_t *input, rms_rewrite_rule_e rule,
    const rms_mem_t *mem, rms_places_t *out)
{
    size_t            head;
    rms_rc_e          rc;
    rms_place_walk_t  w;

    memset(out, 0, sizeof(rms_places_t));
    memset(&w, 0, offsetof(rms_place_walk_t, value));

    head = input->len < RMS_XML_HEAD ? input->len : RMS_XML_HEAD;

    switch (rms_xml_sniff(input->data, head)) {

    case RMS_XML_FINE:
        break;

    case RMS_XML_NOT_UTF8:
        return RMS_UNSUPPORTED;

    default:
        return RMS_INVALID;
    }

    w.input = input;
    w.rule = rule;
    w.mem = mem;
    w.out = out;

    if (rms_events_open(&w.events) != RMS_OK) {
        return RMS_NOMEM;
    }

    rc = rms_place_walk(&w);

    if (rms_events_close(&w.events, out->digest) != RMS_OK && rc == RMS_OK) {
        return RMS_NOMEM;
    }

    return rc;
}


static rms_rc_e
rms_place_walk(rms_place_walk_t *w)
{
    rms_rc_e       rc;
    xmlSAXHandler  sax;

    memset(&sax, 0, sizeof(xmlSAXHandler));

    sax.startElementNs = rms_place_on_start;
    sax.endElementNs = rms_place_on_end;
    sax.characters = rms_place_on_text;
    sax.cdataBlock = rms_place_on_text;
    sax.comment = rms_place_on_comment;
    sax.processingInstruction = rms_place_on_pi;

    if (rms_xml_open(&w->xml, &sax) != RMS_OK) {
        return RMS_NOMEM;
    }

    w->xml.elements_max = RMS_REWRITE_ELEMENTS;

    /*
     * Attribute values shall come decoded: without this libxml2 leaves
     * "&#38;" in them.  There is no DTD, so there are no other entities.
     */

    (void) xmlCtxtUseOptions(w->xml.ctxt,
                             XML_PARSE_NONET | XML_PARSE_IGNORE_ENC
                             | XML_PARSE_COMPACT | XML_PARSE_NOENT);

    if (rms_xml_feed(&w->xml, w->input->data, w->input->len)) {
        (void) rms_xml_finish(&w->xml);
    }

    rc = rms_place_error(w);

    rms_xml_close(&w->xml);

    return rc;
}


static rms_rc_e
rms_place_error(const rms_place_walk_t *w)
{
    if (w->rc != RMS_OK) {
        return w->rc;
    }

    switch (w->xml.error) {

    case RMS_XML_FINE:
        return w->answer ? RMS_OK : RMS_INVALID;

    case RMS_XML_NOT_UTF8:
        return RMS_UNSUPPORTED;

    case RMS_XML_NO_MEMORY:
        return RMS_NOMEM;

    default:
        return RMS_INVALID;
    }
}


static void
rms_place_refuse(rms_place_walk_t *w, rms_rc_e rc)
{
    if (w->rc == RMS_OK) {
        w->rc = rc;
    }

    rms_xml_fail(&w->xml, RMS_XML_MALFORMED);
}


static void
rms_place_on_start(void *data, const xmlChar *name, const xmlChar *prefix,
    const xmlChar *uri, int nb_namespaces, const xmlChar **namespaces,
    int nb_attributes, int nb_defaulted, const xmlChar **attributes)
{
    const xmlChar     *names[3];
    const xmlChar    **except;
    rms_place_walk_t  *w = data;

    (void) nb_defaulted;

    if (!rms_xml_enter(&w->xml, nb_namespaces, nb_attributes)) {
        return;
    }

    if (w->in_value) {
        rms_place_refuse(w, RMS_INVALID);   /* URL is an xs:string */
        return;
    }

    except = NULL;

    if (w->xml.depth <= RMS_PLACE_TOP) {
        rms_place_top(w, name, uri);

    } else if (w->way != NULL && w->matched < w->way->n
               && w->xml.depth == RMS_PLACE_TOP + w->matched
               && rms_place_step(&w->way->steps[w->matched], name, uri,
                                 nb_attributes, attributes)
               && ++w->matched == w->way->n)
    {
        except = rms_place_open(w, nb_attributes, attributes);
    }

    if (w->xml.error != RMS_XML_FINE) {
        return;         /* the parser's buffer went with the refusal */
    }

    names[0] = name;
    names[1] = prefix;
    names[2] = uri;

    rms_events_start(&w->events, names, nb_namespaces, namespaces,
                     nb_attributes, attributes, except);
}


static void
rms_place_on_end(void *data, const xmlChar *name, const xmlChar *prefix,
    const xmlChar *uri)
{
    rms_place_walk_t  *w = data;

    (void) name;
    (void) prefix;
    (void) uri;

    if (w->in_value) {
        rms_place_close(w);
    }

    if (w->matched != 0 && w->xml.depth == RMS_PLACE_TOP - 1 + w->matched) {
        w->matched--;
    }

    rms_events_end(&w->events);
    rms_xml_leave(&w->xml);
}


static void
rms_place_on_text(void *data, const xmlChar *text, int len)
{
    size_t             n;
    rms_place_walk_t  *w = data;

    n = (size_t) len;

    if (!w->in_value) {
        rms_events_text(&w->events, text, n);
        return;
    }

    if (n > RMS_PLACE_VALUE_MAX - w->len) {
        rms_place_refuse(w, RMS_TOO_LARGE);
        return;
    }

    memcpy(&w->value[w->len], text, n);
    w->len += n;
}


/* What is inside of a value goes with it. */

static void
rms_place_on_comment(void *data, const xmlChar *text)
{
    rms_place_walk_t  *w = data;

    if (!w->in_value) {
        rms_events_comment(&w->events, text);
    }
}


static void
rms_place_on_pi(void *data, const xmlChar *target, const xmlChar *text)
{
    rms_place_walk_t  *w = data;

    if (!w->in_value) {
        rms_events_pi(&w->events, target, text);
    }
}


/* Envelope, Body and its child; anything else is no SOAP answer. */

static void
rms_place_top(rms_place_walk_t *w, const xmlChar *name, const xmlChar *uri)
{
    int  ok;

    ok = 1;

    switch (w->xml.depth) {

    case 1:
        ok = rms_place_envelope(w, name, uri);
        break;

    case 2:
        w->in_body = rms_place_is(uri, w->soap) && rms_place_is(name, "Body");

        if (w->in_body) {
            ok = !w->body;
            w->body = 1;
        }

        break;

    default:
        if (w->in_body) {
            ok = rms_place_child(w, name, uri);
        }
    }

    if (!ok) {
        rms_place_refuse(w, RMS_INVALID);
    }
}


static int
rms_place_envelope(rms_place_walk_t *w, const xmlChar *name,
    const xmlChar *uri)
{
    w->soap = RMS_PLACE_SOAP_11;

    if (!rms_place_is(uri, w->soap)) {
        w->soap = RMS_PLACE_SOAP_12;
    }

    return rms_place_is(uri, w->soap) && rms_place_is(name, "Envelope");
}


static int
rms_place_child(rms_place_walk_t *w, const xmlChar *name, const xmlChar *uri)
{
    rms_str_t  n, u;

    if (w->answer) {
        return 0;
    }

    w->answer = 1;

    if (rms_place_is(uri, w->soap) && rms_place_is(name, "Fault")) {
        w->out->fault = 1;
        return 1;
    }

    n = rms_place_str(name);
    u = rms_place_str(uri);

    w->way = rms_place_way(w->rule, &n, &u);
    w->matched = 1;

    return w->way != NULL;
}


static int
rms_place_step(const rms_place_step_t *step, const xmlChar *name,
    const xmlChar *uri, int n, const xmlChar **attributes)
{
    rms_str_t        local, ns;
    const xmlChar  **attr;

    local = rms_place_str(name);
    ns = rms_place_str(uri);

    if (!rms_place_way_step(step, &local, &ns)) {
        return 0;
    }

    if (step->type.len == 0) {
        return 1;
    }

    attr = rms_place_attr("Type", n, attributes);

    return attr != NULL && (size_t) (attr[4] - attr[3]) == step->type.len
           && memcmp(attr[3], step->type.data, step->type.len) == 0;
}


static rms_str_t
rms_place_str(const xmlChar *text)
{
    rms_str_t  s;

    s.data = (unsigned char *) text;
    s.len = text ? strlen((const char *) text) : 0;

    return s;
}


/* The attribute of this name in no namespace: libxml2's five pointers. */

static const xmlChar **
rms_place_attr(const char *name, int n, const xmlChar **attributes)
{
    int  i;

    for (i = 0; i < n; i++) {
        if (attributes[i * 5 + 2] == NULL
            && rms_place_is(attributes[i * 5], name))
        {
            return &attributes[i * 5];
        }
    }

    return NULL;
}


static int
rms_place_is(const xmlChar *a, const char *b)
{
    return a != NULL && strcmp((const char *) a, b) == 0;
}


/*
 * The last step: for an element its content begins, an attribute is complete.
 * Answers the attribute whose value is a place.
 */

static const xmlChar **
rms_place_open(rms_place_walk_t *w, int n, const xmlChar **attributes)
{
    size_t           offset, start, end, len;
    const xmlChar  **attr;

    /* libxml2 stands at the '>' or '/>' of the start tag now */

    if (!rms_place_offset(w, &offset)
        || (w->input->data[offset] != '>' && w->input->data[offset] != '/'))
    {
        rms_place_refuse(w, RMS_INVALID);
        return NULL;
    }

    if (w->way->attr == NULL) {
        w->in_value = 1;
        w->start = offset + 1;
        w->len = 0;
        return NULL;
    }

    attr = rms_place_attr(w->way->attr, n, attributes);
    if (attr == NULL) {
        return NULL;
    }

    len = (size_t) (attr[4] - attr[3]);

    if (rms_place_blank(attr[3], len)) {
        return NULL;
    }

    if (!rms_place_range(w, w->way->attr, offset, &start, &end)) {
        rms_place_refuse(w, RMS_INVALID);
        return NULL;
    }

    rms_place_add(w, attr[3], len, start, end);

    return attr;
}


/* libxml2 stands after the '>' of the end tag now, or after <URL />. */

static void
rms_place_close(rms_place_walk_t *w)
{
    size_t  offset, end;

    w->in_value = 0;

    if (rms_place_blank(w->value, w->len)) {
        rms_events_text(&w->events, w->value, w->len);
        return;
    }

    if (!rms_place_offset(w, &offset) || w->input->data[offset - 1] != '>')
    {
        rms_place_refuse(w, RMS_INVALID);
        return;
    }

    end = rms_place_tag(w, offset - 1);

    if (end < w->start || w->input->data[end + 1] != '/') {
        rms_place_refuse(w, RMS_INVALID);
        return;
    }

    rms_events_value(&w->events);
    rms_place_add(w, w->value, w->len, w->start, end);
}


static void
rms_place_add(rms_place_walk_t *w, const unsigned char *value, size_t len,
    size_t start, size_t end)
{
    rms_place_t  *place;

    if (w->out->n == RMS_REWRITE_URLS_MAX || len > RMS_PLACE_VALUE_MAX) {
        rms_place_refuse(w, RMS_TOO_LARGE);
        return;
    }

    place = &w->out->place[w->out->n];

    place->value.data = rms_alloc(w->mem, len);
    if (place->value.data == NULL) {
        rms_place_refuse(w, RMS_NOMEM);
        return;
    }

    memcpy(place->value.data, value, len);
    place->value.len = len;
    place->start = start;
    place->end = end;

    w->out->n++;
}


static int
rms_place_blank(const unsigned char *p, size_t len)
{
    while (len != 0 && rms_place_is_blank(*p)) {
        p++;
        len--;
    }

    return len == 0;
}


/*
 * Nothing is transcoded (rms_xml_sniff()), so the parser's positions are our
 * own.  Something always follows: the end tags of the elements around.
 */

static int
rms_place_offset(rms_place_walk_t *w, size_t *offset)
{
    long  n;

    n = xmlByteConsumed(w->xml.ctxt);

    if (n <= 0 || (size_t) n >= w->input->len) {
        return 0;
    }

    *offset = (size_t) n;

    return 1;
}


/* A tag has no '<' but its first byte (XML 1.0 3.1). */

static size_t
rms_place_tag(const rms_place_walk_t *w, size_t end)
{
    while (end != 0 && w->input->data[end] != '<') {
        end--;
    }

    return end;
}


/*
 * The raw value of an attribute of the start tag that ends at end.  The
 * parser has accepted the tag, so its syntax is not in doubt here.
 */

static int
rms_place_range(const rms_place_walk_t *w, const char *name, size_t end,
    size_t *start, size_t *last)
{
    size_t                len;
    const unsigned char  *p, *stop, *attr, *value;

    stop = w->input->data + end;
    p = w->input->data + rms_place_tag(w, end);

    while (p < stop && !rms_place_is_blank(*p)) {
        p++;
    }

    for ( ;; ) {
        while (p < stop && rms_place_is_blank(*p)) {
            p++;
        }

        for (attr = p; p < stop && *p != '=' && !rms_place_is_blank(*p); p++) {
            /* void */
        }

        len = (size_t) (p - attr);

        while (p < stop && *p != '"' && *p != '\'') {
            p++;
        }

        if (p == stop) {
            return 0;
        }

        value = p + 1;

        p = memchr(value, *p, (size_t) (stop - value));
        if (p == NULL) {
            return 0;
        }

        if (len == strlen(name) && memcmp(attr, name, len) == 0) {
            *start = (size_t) (value - w->input->data);
            *last = (size_t) (p - w->input->data);
            return 1;
        }

        p++;
    }
}


static int
rms_place_is_blank(unsigned char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}
