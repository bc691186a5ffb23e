/*
 * The places of an answer by the scanner.  The rules are those of
 * rms_place.c; where that one would refuse, this one leaves the answer to it.
 * The state is the caller's.
 */

#include "rms_place_scan.h"


#define RMS_PLACE_TOP  3            /* depth of the child of Body         */


static rms_rc_e rms_place_scan_walk(rms_place_scan_t *w, rms_places_t *out,
    rms_place_scan_t *mark);
static int rms_place_scan_start(rms_place_scan_t *w, rms_places_t *out);
static int rms_place_scan_top(rms_place_scan_t *w, rms_places_t *out);
static int rms_place_scan_child(rms_place_scan_t *w, rms_places_t *out);
static int rms_place_scan_step(const rms_place_scan_t *w);
static int rms_place_scan_open(rms_place_scan_t *w, rms_places_t *out);
static int rms_place_scan_end(rms_place_scan_t *w, rms_places_t *out);
static int rms_place_scan_add(const rms_place_scan_t *w, rms_places_t *out,
    const unsigned char *p, const unsigned char *last);
static rms_str_t rms_place_scan_name(const rms_scan_t *s);
static int rms_place_scan_soap(const rms_place_scan_t *w, const char *name);


rms_rc_e
rms_place_scan(const rms_str_t *input, rms_rewrite_rule_e rule,
    rms_places_t *out, rms_place_scan_t *mark)
{
    rms_place_scan_t  w;

    if (!rms_scan_open(&w.scan, input->data, input->len)
        || !rms_scan_clean(input->data, input->len))
    {
        return RMS_DECLINED;
    }

    w.rule = rule;
    w.way = NULL;
    w.matched = 0;
    w.in_body = 0;
    w.body = 0;
    w.answer = 0;
    w.in_value = 0;

    return rms_place_scan_walk(&w, out, mark);
}


/*
 * The scanner knows of what it has read but what is in its state, so that
 * equal bytes lead to equal states.  The mark stands behind a tag: no
 * character, reference or "]]>" goes across it.
 */

rms_rc_e
rms_place_scan_on(rms_place_scan_t *mark, const rms_str_t *text,
    rms_places_t *out)
{
    size_t  seen;

    seen = (size_t) (mark->scan.p - mark->scan.data);

    if (text->len < seen || memcmp(text->data, mark->scan.data, seen) != 0
        || !rms_scan_clean(text->data + seen, text->len - seen)
        || !rms_scan_move(&mark->scan, text->data, text->len))
    {
        return RMS_DECLINED;
    }

    return rms_place_scan_walk(mark, out, NULL);
}


static rms_rc_e
rms_place_scan_walk(rms_place_scan_t *w, rms_places_t *out,
    rms_place_scan_t *mark)
{
    int  fine;

    out->n = 0;
    out->fault = 0;

    for ( ;; ) {

        /* what holds places is open now */

        if (mark != NULL && w->way != NULL && w->matched + 1 == w->way->n) {
            *mark = *w;
            mark = NULL;
        }

        switch (rms_scan_next(&w->scan)) {

        case RMS_SCAN_START:
            fine = rms_place_scan_start(w, out);
            break;

        case RMS_SCAN_END:
            fine = rms_place_scan_end(w, out);
            break;

        case RMS_SCAN_DONE:
            return w->answer ? RMS_OK : RMS_DECLINED;

        default:
            fine = 0;
        }

        if (!fine) {
            return RMS_DECLINED;
        }
    }
}


static int
rms_place_scan_start(rms_place_scan_t *w, rms_places_t *out)
{
    if (w->in_value) {
        return 0;
    }

    if (w->scan.depth <= RMS_PLACE_TOP) {
        return rms_place_scan_top(w, out);
    }

    if (w->way == NULL || w->matched == w->way->n
        || w->scan.depth != RMS_PLACE_TOP + w->matched
        || !rms_place_scan_step(w))
    {
        return 1;
    }

    return ++w->matched != w->way->n || rms_place_scan_open(w, out);
}


static int
rms_place_scan_top(rms_place_scan_t *w, rms_places_t *out)
{
    static const rms_str_t  soap_11 = rms_string(RMS_PLACE_SOAP_11);
    static const rms_str_t  soap_12 = rms_string(RMS_PLACE_SOAP_12);

    if (w->scan.depth == 1) {
        w->soap = rms_str_eq(&w->scan.uri, &soap_11) ? soap_11 : soap_12;
        return rms_place_scan_soap(w, "Envelope");
    }

    if (w->scan.depth == 2) {
        w->in_body = rms_place_scan_soap(w, "Body") != 0;

        if (w->in_body && w->body) {
            return 0;
        }

        w->body |= w->in_body;
        return 1;
    }

    return !w->in_body || rms_place_scan_child(w, out);
}


static int
rms_place_scan_child(rms_place_scan_t *w, rms_places_t *out)
{
    rms_str_t  name;

    if (w->answer) {
        return 0;
    }

    w->answer = 1;

    if (rms_place_scan_soap(w, "Fault")) {
        out->fault = 1;
        return 1;
    }

    name = rms_place_scan_name(&w->scan);

    w->way = rms_place_way(w->rule, &name, &w->scan.uri);
    w->matched = 1;

    return w->way != NULL;
}


static int
rms_place_scan_step(const rms_place_scan_t *w)
{
    rms_str_t                name;
    const rms_scan_attr_t   *attr;
    const rms_place_step_t  *step;

    step = &w->way->steps[w->matched];
    name = rms_place_scan_name(&w->scan);

    if (!rms_place_way_step(step, &name, &w->scan.uri)) {
        return 0;
    }

    if (step->type.len == 0) {
        return 1;
    }

    /* no reference stands for a letter, rms_scan_clean() knows them all */

    attr = rms_scan_attr(&w->scan, "Type");

    return attr != NULL && attr->len == step->type.len
           && memcmp(attr->value, step->type.data, attr->len) == 0;
}


static int
rms_place_scan_open(rms_place_scan_t *w, rms_places_t *out)
{
    const rms_scan_attr_t  *attr;

    if (w->way->attr == NULL) {
        w->in_value = 1;
        return 1;
    }

    attr = rms_scan_attr(&w->scan, w->way->attr);

    return attr == NULL
           || rms_place_scan_add(w, out, attr->value, attr->value + attr->len);
}


static int
rms_place_scan_end(rms_place_scan_t *w, rms_places_t *out)
{
    if (w->in_value) {
        w->in_value = 0;

        if (!rms_place_scan_add(w, out, w->scan.text, w->scan.tag)) {
            return 0;
        }
    }

    if (w->matched != 0 && w->scan.depth == RMS_PLACE_TOP - 2 + w->matched) {
        w->matched--;
    }

    return 1;
}


/* A value that a parser would change is for the parser. */

static int
rms_place_scan_add(const rms_place_scan_t *w, rms_places_t *out,
    const unsigned char *p, const unsigned char *last)
{
    size_t        len;
    rms_place_t  *place;

    if (rms_scan_blank(p, last)) {
        return 1;
    }

    len = (size_t) (last - p);

    if (len > RMS_PLACE_VALUE_MAX || out->n == RMS_REWRITE_URLS_MAX
        || memchr(p, '&', len) != NULL || memchr(p, '\r', len) != NULL)
    {
        return 0;
    }

    place = &out->place[out->n++];
    place->value.data = (unsigned char *) p;
    place->value.len = len;
    place->start = (size_t) (p - w->scan.data);
    place->end = place->start + len;

    return 1;
}


static rms_str_t
rms_place_scan_name(const rms_scan_t *s)
{
    rms_str_t  name;

    name.data = (unsigned char *) s->name.data + s->name.prefix;
    name.len = s->name.len - s->name.prefix;

    return name;
}


static int
rms_place_scan_soap(const rms_place_scan_t *w, const char *name)
{
    return rms_scan_is(&w->scan, name, strlen(name),
                       (const char *) w->soap.data, w->soap.len);
}
