/*
 * Splicing of service locations.  What it allocates belongs to the caller's
 * memory; the input is never written to.  One thread per call.  An answer of
 * the plain form is read by the scanner, all others by libxml2; the scanner
 * never refuses one.
 */

#include "rms_place_scan.h"
#include "rms_rewrite.h"
#include "rms_text.h"


/* What becomes of one place. */

typedef struct {
    rms_str_t               value[3];   /* decoded value the output must
                                           have, in pieces                */
    rms_str_t               text;       /* raw bytes to put in            */
    size_t                  start;      /* range of the input they
                                           replace                        */
    size_t                  end;
} rms_rewrite_edit_t;


/* One answer; what is found in it and in the result. */

typedef struct {
    const rms_str_t        *input;
    rms_rewrite_rule_e      rule;
    const rms_url_map_t    *map;
    const rms_mem_t        *mem;
    rms_str_t               target;     /* of map, escaped                */
    rms_rewrite_edit_t     *edits;
    unsigned                scan:1;     /* by the scanner, not the parser */
    rms_places_t            before;
    rms_places_t            after;
    rms_place_scan_t        mark;
} rms_rewrite_t;


static rms_rc_e rms_rewrite_run(rms_rewrite_t *rw,
    rms_rewrite_result_t *result);
static rms_rc_e rms_rewrite_plan(rms_rewrite_t *rw, size_t *replaced);
static rms_rc_e rms_rewrite_edit(const rms_rewrite_t *rw,
    const rms_place_t *place, rms_rewrite_edit_t *edit);
static void rms_rewrite_trim(const rms_str_t *value, rms_str_t *out);
static rms_rc_e rms_rewrite_concat(const rms_mem_t *mem,
    const rms_str_t parts[3], rms_str_t *out);
static rms_rc_e rms_rewrite_escape(const rms_str_t *text,
    const rms_mem_t *mem, rms_str_t *out);
static int rms_rewrite_is_plain(const rms_str_t *text);
static rms_rc_e rms_rewrite_splice(const rms_rewrite_t *rw, rms_str_t *out);
static rms_rc_e rms_rewrite_prove(rms_rewrite_t *rw, const rms_str_t *output);
static rms_rc_e rms_rewrite_read_again(rms_rewrite_t *rw,
    const rms_str_t *output);
static int rms_rewrite_outside(const rms_rewrite_t *rw,
    const rms_str_t *output);
static int rms_rewrite_inside(const rms_rewrite_t *rw,
    const rms_str_t *output, size_t i);
static int rms_rewrite_is(const rms_str_t *value, const rms_str_t parts[3]);
static rms_str_t rms_rewrite_range(const rms_str_t *text, size_t start,
    size_t end);


rms_rewrite_rule_e
rms_rewrite_rule(rms_operation_e op)
{
    switch (op) {

    case RMS_OP_FIND_SERVICE_LOCATIONS_FOR_USER:
    case RMS_OP_FIND_SERVICE_LOCATIONS:
        return RMS_REWRITE_LOCATIONS;

    case RMS_OP_GET_SERVER_INFO:
        return RMS_REWRITE_SERVER_INFO;

    default:
        return RMS_REWRITE_NONE;
    }
}


rms_rc_e
rms_rewrite(const rms_str_t *input, rms_rewrite_rule_e rule,
    const rms_url_map_t *map, const rms_mem_t *mem,
    rms_rewrite_result_t *result)
{
    rms_rc_e  rc;

    rc = rms_rewrite_by(1, input, rule, map, mem, result);

    return rc == RMS_DECLINED ? rms_rewrite_by(0, input, rule, map, mem,
                                               result)
                              : rc;
}


rms_rc_e
rms_rewrite_by(int scan, const rms_str_t *input, rms_rewrite_rule_e rule,
    const rms_url_map_t *map, const rms_mem_t *mem,
    rms_rewrite_result_t *result)
{
    rms_rc_e       rc;
    rms_rewrite_t  rw;

    result->body = *input;
    result->found = 0;
    result->replaced = 0;

    if (rule == RMS_REWRITE_NONE) {
        return RMS_OK;
    }

    if (input->len > RMS_REWRITE_MAX) {
        return RMS_TOO_LARGE;
    }

    rw.input = input;
    rw.rule = rule;
    rw.map = map;
    rw.mem = mem;
    rw.scan = scan != 0;

    rc = rms_rewrite_run(&rw, result);

    return scan && rc != RMS_OK && rc != RMS_NOMEM ? RMS_DECLINED : rc;
}


static rms_rc_e
rms_rewrite_run(rms_rewrite_t *rw, rms_rewrite_result_t *result)
{
    rms_rc_e   rc;
    rms_str_t  output;

    rc = rw->scan ? rms_place_scan(rw->input, rw->rule, &rw->before, &rw->mark)
                  : rms_place_find(rw->input, rw->rule, rw->mem, &rw->before);

    if (rc != RMS_OK || rw->before.n == 0) {
        return rc;
    }

    result->found = rw->before.n;

    rw->edits = rms_alloc(rw->mem, rw->before.n * sizeof(rms_rewrite_edit_t));
    if (rw->edits == NULL) {
        return RMS_NOMEM;
    }

    rc = rms_rewrite_plan(rw, &result->replaced);

    if (rc != RMS_OK || result->replaced == 0) {
        return rc;
    }

    rc = rms_rewrite_splice(rw, &output);
    if (rc != RMS_OK) {
        return rc;
    }

    rc = rms_rewrite_prove(rw, &output);
    if (rc != RMS_OK) {
        return rc;
    }

    result->body = output;

    return RMS_OK;
}


static rms_rc_e
rms_rewrite_plan(rms_rewrite_t *rw, size_t *replaced)
{
    size_t               i;
    rms_rc_e             rc;
    rms_place_t         *place;
    rms_rewrite_edit_t  *edit;

    rc = rms_rewrite_escape(&rw->map->target, rw->mem, &rw->target);
    if (rc != RMS_OK) {
        return rc;
    }

    *replaced = 0;

    for (i = 0; i < rw->before.n; i++) {
        place = &rw->before.place[i];
        edit = &rw->edits[i];

        memset(edit, 0, sizeof(rms_rewrite_edit_t));
        edit->value[0] = place->value;
        edit->start = place->start;
        edit->end = place->start;

        rc = rms_rewrite_edit(rw, place, edit);

        if (rc == RMS_OK) {
            (*replaced)++;
            continue;
        }

        /* foreign clusters and forests stay: [protocol] 9.14 */

        if (rc != RMS_DECLINED) {
            return rc;
        }
    }

    return RMS_OK;
}


/*
 * Where the raw bytes begin with the base as it is, only the base is taken
 * out and the tail stays byte for byte ([protocol] 5.3).  Otherwise the base
 * is written with references, or in a CDATA section, or behind a comment: then
 * the value is written anew.
 */

static rms_rc_e
rms_rewrite_edit(const rms_rewrite_t *rw, const rms_place_t *place,
    rms_rewrite_edit_t *edit)
{
    size_t     n;
    rms_rc_e   rc;
    rms_str_t  url, raw, value;

    rms_rewrite_trim(&place->value, &url);

    n = rms_url_map(&url, rw->map);
    if (n == 0) {
        return RMS_DECLINED;
    }

    edit->value[0].len = (size_t) (url.data - place->value.data);
    edit->value[1] = rw->map->target;
    edit->value[2].data = url.data + n;
    edit->value[2].len = place->value.len - edit->value[0].len - n;

    raw = rms_rewrite_range(rw->input, place->start, place->end);
    rms_rewrite_trim(&raw, &raw);

    if (raw.len >= n && memcmp(raw.data, url.data, n) == 0
        && memchr(raw.data, '&', n) == NULL)
    {
        edit->start = (size_t) (raw.data - rw->input->data);
        edit->end = edit->start + n;
        edit->text = rw->target;

        return RMS_OK;
    }

    rc = rms_rewrite_concat(rw->mem, edit->value, &value);
    if (rc != RMS_OK) {
        return rc;
    }

    edit->start = place->start;
    edit->end = place->end;

    return rms_rewrite_escape(&value, rw->mem, &edit->text);
}


/* Blanks around a URL are no part of it (xs:anyURI collapses them). */

static void
rms_rewrite_trim(const rms_str_t *value, rms_str_t *out)
{
    static const char  blanks[] = " \t\r\n";

    *out = *value;

    while (out->len && memchr(blanks, out->data[0], 4) != NULL) {
        out->data++;
        out->len--;
    }

    while (out->len && memchr(blanks, out->data[out->len - 1], 4) != NULL) {
        out->len--;
    }
}


static rms_rc_e
rms_rewrite_concat(const rms_mem_t *mem, const rms_str_t parts[3],
    rms_str_t *out)
{
    size_t          i;
    unsigned char  *p;

    out->len = parts[0].len + parts[1].len + parts[2].len;

    p = rms_alloc(mem, out->len);
    if (p == NULL) {
        return RMS_NOMEM;
    }

    out->data = p;

    for (i = 0; i < 3; i++) {
        memcpy(p, parts[i].data, parts[i].len);
        p += parts[i].len;
    }

    return RMS_OK;
}


static rms_rc_e
rms_rewrite_escape(const rms_str_t *text, const rms_mem_t *mem, rms_str_t *out)
{
    if (rms_rewrite_is_plain(text)) {
        *out = *text;
        return RMS_OK;
    }

    out->len = rms_text_xml(NULL, text);

    out->data = rms_alloc(mem, out->len);
    if (out->data == NULL) {
        return RMS_NOMEM;
    }

    (void) rms_text_xml(out->data, text);

    return RMS_OK;
}


/* Nothing to escape: what the addresses of most servers are made of. */

static int
rms_rewrite_is_plain(const rms_str_t *text)
{
    size_t         i;
    unsigned char  c;

    for (i = 0; i < text->len; i++) {
        c = rms_lower(text->data[i]);

        if ((c < 'a' || c > 'z') && (c < '-' || c > ':') && c != '_') {
            return 0;
        }
    }

    return 1;
}


static rms_rc_e
rms_rewrite_splice(const rms_rewrite_t *rw, rms_str_t *out)
{
    size_t                     i, pos, len;
    unsigned char             *p;
    const rms_rewrite_edit_t  *edit;

    out->len = rw->input->len;

    for (i = 0; i < rw->before.n; i++) {
        edit = &rw->edits[i];
        out->len += edit->text.len;
        out->len -= edit->end - edit->start;
    }

    p = rms_alloc(rw->mem, out->len);
    if (p == NULL) {
        return RMS_NOMEM;
    }

    out->data = p;
    pos = 0;

    for (i = 0; i < rw->before.n; i++) {
        edit = &rw->edits[i];
        len = edit->start - pos;

        memcpy(p, rw->input->data + pos, len);
        p += len;

        if (edit->text.len) {
            memcpy(p, edit->text.data, edit->text.len);
            p += edit->text.len;
        }

        pos = edit->end;
    }

    memcpy(p, rw->input->data + pos, rw->input->len - pos);

    return RMS_OK;
}


/*
 * Design law 2: the output is read like any answer of a backend.  Its values
 * must be the intended ones, the bytes outside of the places that are found
 * in it must be the input's, and what it says beside must be the same.
 */

static rms_rc_e
rms_rewrite_prove(rms_rewrite_t *rw, const rms_str_t *output)
{
    size_t    i;
    rms_rc_e  rc;

    rc = rms_rewrite_read_again(rw, output);
    if (rc != RMS_OK) {
        return rc == RMS_NOMEM ? rc : RMS_INVALID;
    }

    for (i = 0; i < rw->after.n; i++) {
        if (!rms_rewrite_is(&rw->after.place[i].value, rw->edits[i].value)
            || !rms_rewrite_inside(rw, output, i))
        {
            return RMS_INVALID;
        }
    }

    return rms_rewrite_outside(rw, output) ? RMS_OK : RMS_INVALID;
}


/*
 * libxml2's two readings are compared by a digest of their events.  The
 * scanner's need none: it stands before and behind each value in the state it
 * had there in the input, so equal bytes outside of them are equal events.
 */

static rms_rc_e
rms_rewrite_read_again(rms_rewrite_t *rw, const rms_str_t *output)
{
    rms_rc_e  rc;

    if (rw->scan) {
        rc = rms_place_scan_on(&rw->mark, output, &rw->after);

    } else {
        rc = rms_place_find(output, rw->rule, rw->mem, &rw->after);

        if (rc == RMS_OK && memcmp(rw->after.digest, rw->before.digest,
                                   RMS_EVENTS_DIGEST) != 0)
        {
            return RMS_INVALID;
        }
    }

    return rc == RMS_OK && rw->after.n != rw->before.n ? RMS_INVALID : rc;
}


static int
rms_rewrite_outside(const rms_rewrite_t *rw, const rms_str_t *output)
{
    size_t     i, from, to;
    rms_str_t  a, b;

    for (i = 0, from = 0, to = 0; i < rw->before.n; i++) {
        a = rms_rewrite_range(rw->input, from, rw->before.place[i].start);
        b = rms_rewrite_range(output, to, rw->after.place[i].start);

        if (!rms_str_eq(&a, &b)) {
            return 0;
        }

        from = rw->before.place[i].end;
        to = rw->after.place[i].end;
    }

    a = rms_rewrite_range(rw->input, from, rw->input->len);
    b = rms_rewrite_range(output, to, output->len);

    return rms_str_eq(&a, &b);
}


/* The raw value but for the edit. */

static int
rms_rewrite_inside(const rms_rewrite_t *rw, const rms_str_t *output, size_t i)
{
    size_t                     lead, tail;
    rms_str_t                  a, b;
    const rms_place_t         *before, *after;
    const rms_rewrite_edit_t  *edit;

    before = &rw->before.place[i];
    after = &rw->after.place[i];
    edit = &rw->edits[i];

    lead = edit->start - before->start;
    tail = before->end - edit->end;

    if (after->end - after->start != lead + edit->text.len + tail) {
        return 0;
    }

    a = rms_rewrite_range(rw->input, before->start, edit->start);
    b = rms_rewrite_range(output, after->start, after->start + lead);

    if (!rms_str_eq(&a, &b)) {
        return 0;
    }

    a = rms_rewrite_range(rw->input, edit->end, before->end);
    b = rms_rewrite_range(output, after->end - tail, after->end);

    return rms_str_eq(&a, &b);
}


static int
rms_rewrite_is(const rms_str_t *value, const rms_str_t parts[3])
{
    size_t     i, pos;
    rms_str_t  piece;

    for (i = 0, pos = 0; i < 3; i++) {
        if (value->len - pos < parts[i].len) {
            return 0;
        }

        piece = rms_rewrite_range(value, pos, pos + parts[i].len);
        pos += parts[i].len;

        if (!rms_str_eq(&piece, &parts[i])) {
            return 0;
        }
    }

    return pos == value->len;
}


static rms_str_t
rms_rewrite_range(const rms_str_t *text, size_t start, size_t end)
{
    rms_str_t  range;

    range.data = text->data + start;
    range.len = end - start;

    return range;
}
