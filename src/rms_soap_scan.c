/*
 * A request body of the plain form, without a parser.  It only ever says that
 * a body is fine: each rule here is one of rms_soap.c, and what breaks one is
 * left to the parser, which knows the error.  Pure function, any thread.
 */

#include "rms_scan.h"
#include "rms_soap_scan.h"
#include "rms_xml.h"


#define RMS_SOAP_SCAN_HEAD  2048    /* the first child stands in these    */


typedef struct {
    rms_scan_t              scan;
    const char             *env;
    size_t                  env_len;
    const rms_operation_t  *op;
    unsigned                header:1;
    unsigned                body:1;
    unsigned                first:1;
} rms_soap_scan_t;


static int rms_soap_scan_whole(const rms_body_t *body, unsigned char *head,
    rms_str_t *text);
static int rms_soap_scan_walk(rms_soap_scan_t *sc, int strict);
static int rms_soap_scan_start(rms_soap_scan_t *sc);


int
rms_soap_scan(const rms_body_t *body, rms_soap_version_e version,
    const rms_operation_t *op, int strict)
{
    int              whole;
    size_t           seen;
    rms_str_t        text;
    unsigned char    head[RMS_SOAP_SCAN_HEAD];
    rms_soap_scan_t  sc;

    whole = rms_soap_scan_whole(body, head, &text);

    if (strict && (!whole || text.len > RMS_SOAP_LICENSOR_MAX)) {
        return 0;
    }

    if (!strict && text.len > RMS_SOAP_SCAN_HEAD) {
        text.len = RMS_SOAP_SCAN_HEAD;
    }

    sc.env = version == RMS_SOAP_12 ? RMS_SOAP_ENV_12 : RMS_SOAP_ENV_11;
    sc.env_len = strlen(sc.env);
    sc.op = op;
    sc.header = 0;
    sc.body = 0;
    sc.first = 0;

    if (!rms_scan_open(&sc.scan, text.data, text.len)
        || !rms_soap_scan_walk(&sc, strict))
    {
        return 0;
    }

    /* the bytes that rms_xml_sniff() looks at count, too */

    seen = (size_t) (sc.scan.p - text.data);

    if (strict || seen < RMS_XML_HEAD) {
        seen = strict || text.len < RMS_XML_HEAD ? text.len : RMS_XML_HEAD;
    }

    return rms_scan_clean(text.data, seen);
}


/*
 * The start of a body in one piece: its first part if that is long enough,
 * else a copy.  Non-zero if it is all of the body.
 */

static int
rms_soap_scan_whole(const rms_body_t *body, unsigned char *head,
    rms_str_t *text)
{
    size_t            i, n, total;
    const rms_str_t  *part;

    text->data = head;
    text->len = 0;
    total = 0;

    for (i = 0; i < body->n; i++) {
        part = &body->parts[i];

        if (part->len == 0) {
            continue;
        }

        if (total == 0 && (part->len >= RMS_SOAP_SCAN_HEAD
                           || i + 1 == body->n))
        {
            *text = *part;
        }

        total += part->len;

        if (text->data == head) {
            n = RMS_SOAP_SCAN_HEAD - text->len;

            if (n > part->len) {
                n = part->len;
            }

            memcpy(head + text->len, part->data, n);
            text->len += n;
        }
    }

    return text->len == total;
}


/* The text of Envelope and Body is blank, in front of each of their tags. */

static int
rms_soap_scan_walk(rms_soap_scan_t *sc, int strict)
{
    unsigned     in;            /* depth of what holds the text and tag  */
    rms_scan_e   tag;
    rms_scan_t  *s;

    s = &sc->scan;

    for ( ;; ) {
        tag = rms_scan_next(s);

        if (tag == RMS_SCAN_OTHER) {
            return 0;
        }

        if (tag == RMS_SCAN_DONE) {
            return sc->first;
        }

        in = tag == RMS_SCAN_START ? s->depth - 1 : s->depth + 1;

        if ((in == 1 || (in == 2 && sc->body))
            && !rms_scan_blank(s->text, s->tag))
        {
            return 0;
        }

        if (tag == RMS_SCAN_START && in < 3 && !rms_soap_scan_start(sc)) {
            return 0;
        }

        if (sc->first && !strict) {
            return 1;
        }
    }
}


static int
rms_soap_scan_start(rms_soap_scan_t *sc)
{
    const rms_scan_t       *s;
    const rms_operation_t  *op;

    s = &sc->scan;

    if (s->depth == 1) {
        return rms_scan_is(s, "Envelope", 8, sc->env, sc->env_len);
    }

    if (s->depth == 2) {

        if (sc->body) {
            return 0;
        }

        if (rms_scan_is(s, "Body", 4, sc->env, sc->env_len)) {
            sc->body = 1;
            return 1;
        }

        if (sc->header || !rms_scan_is(s, "Header", 6, sc->env, sc->env_len)) {
            return 0;
        }

        sc->header = 1;
        return 1;
    }

    if (!sc->body) {
        return 1;               /* in the Header */
    }

    if (sc->first) {
        return 0;
    }

    op = sc->op;
    sc->first = rms_scan_is(s, (const char *) op->name.data, op->name.len,
                            (const char *) op->ns.data, op->ns.len) != 0;

    return sc->first;
}
