/*
 * Splicing of service locations.  What it allocates belongs to the caller's
 * memory; the input is never written to.  One thread per call.
 */

#include "rms_place.h"
#include "rms_rewrite.h"
#include "rms_text.h"


/* What becomes of one place. */

typedef struct {
    rms_str_t   value;      /* decoded value the output must have        */
    rms_str_t   text;       /* raw bytes to put in                       */
    size_t      start;      /* range of the input they replace           */
    size_t      end;
} rms_rewrite_edit_t;


static rms_rc_e rms_rewrite_plan(const rms_str_t *input,
    const rms_places_t *places, const rms_url_map_t *map,
    const rms_mem_t *mem, rms_rewrite_edit_t *edits, size_t *replaced);
static rms_rc_e rms_rewrite_edit(const rms_str_t *input,
    const rms_url_map_t *map, const rms_mem_t *mem, rms_rewrite_edit_t *edit);
static void rms_rewrite_trim(const rms_str_t *value, rms_str_t *out);
static rms_rc_e rms_rewrite_concat(const rms_mem_t *mem,
    const rms_str_t parts[3], rms_str_t *out);
static rms_rc_e rms_rewrite_escape(const rms_str_t *text,
    const rms_mem_t *mem, rms_str_t *out);
static rms_rc_e rms_rewrite_splice(const rms_str_t *input,
    const rms_rewrite_edit_t *edits, size_t n, const rms_mem_t *mem,
    rms_str_t *out);
static rms_rc_e rms_rewrite_prove(const rms_str_t *input,
    const rms_places_t *before, const rms_rewrite_edit_t *edits,
    const rms_str_t *output, rms_rewrite_rule_e rule, const rms_mem_t *mem);
static int rms_rewrite_outside(const rms_str_t *input,
    const rms_places_t *before, const rms_str_t *output,
    const rms_places_t *after);
static int rms_rewrite_inside(const rms_str_t *input,
    const rms_place_t *before, const rms_rewrite_edit_t *edit,
    const rms_str_t *output, const rms_place_t *after);
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
    rms_rc_e             rc;
    rms_str_t            output;
    rms_places_t        *places;
    rms_rewrite_edit_t  *edits;

    result->body = *input;
    result->found = 0;
    result->replaced = 0;

    if (rule == RMS_REWRITE_NONE) {
        return RMS_OK;
    }

    if (input->len > RMS_REWRITE_MAX) {
        return RMS_TOO_LARGE;
    }

    places = rms_alloc(mem, sizeof(rms_places_t));
    if (places == NULL) {
        return RMS_NOMEM;
    }

    rc = rms_place_find(input, rule, mem, places);

    if (rc != RMS_OK || places->n == 0) {
        return rc;
    }

    result->found = places->n;

    edits = rms_alloc(mem, places->n * sizeof(rms_rewrite_edit_t));
    if (edits == NULL) {
        return RMS_NOMEM;
    }

    rc = rms_rewrite_plan(input, places, map, mem, edits, &result->replaced);

    if (rc != RMS_OK || result->replaced == 0) {
        return rc;
    }

    rc = rms_rewrite_splice(input, edits, places->n, mem, &output);
    if (rc != RMS_OK) {
        return rc;
    }

    rc = rms_rewrite_prove(input, places, edits, &output, rule, mem);
    if (rc != RMS_OK) {
        return rc;
    }

    result->body = output;

    return RMS_OK;
}


static rms_rc_e
rms_rewrite_plan(const rms_str_t *input, const rms_places_t *places,
    const rms_url_map_t *map, const rms_mem_t *mem, rms_rewrite_edit_t *edits,
    size_t *replaced)
{
    size_t    i;
    rms_rc_e  rc;

    *replaced = 0;

    for (i = 0; i < places->n; i++) {
        edits[i].value = places->place[i].value;
        edits[i].start = places->place[i].start;
        edits[i].end = places->place[i].end;

        rc = rms_rewrite_edit(input, map, mem, &edits[i]);

        if (rc == RMS_OK) {
            (*replaced)++;
            continue;
        }

        if (rc != RMS_DECLINED) {
            return rc;
        }

        /* foreign clusters and forests stay: [protocol] 9.14 */

        edits[i].text.len = 0;
        edits[i].end = edits[i].start;
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
rms_rewrite_edit(const rms_str_t *input, const rms_url_map_t *map,
    const rms_mem_t *mem, rms_rewrite_edit_t *edit)
{
    size_t     n;
    rms_rc_e   rc;
    rms_str_t  url, raw, parts[3];

    rms_rewrite_trim(&edit->value, &url);

    n = rms_url_map(&url, map);
    if (n == 0) {
        return RMS_DECLINED;
    }

    parts[0] = edit->value;
    parts[0].len = (size_t) (url.data - edit->value.data);
    parts[1] = map->target;
    parts[2].data = url.data + n;
    parts[2].len = edit->value.len - parts[0].len - n;

    rc = rms_rewrite_concat(mem, parts, &edit->value);
    if (rc != RMS_OK) {
        return rc;
    }

    raw = rms_rewrite_range(input, edit->start, edit->end);
    rms_rewrite_trim(&raw, &raw);

    if (raw.len >= n && memcmp(raw.data, url.data, n) == 0
        && memchr(raw.data, '&', n) == NULL)
    {
        edit->start = (size_t) (raw.data - input->data);
        edit->end = edit->start + n;

        return rms_rewrite_escape(&map->target, mem, &edit->text);
    }

    return rms_rewrite_escape(&edit->value, mem, &edit->text);
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
    out->len = rms_text_xml(NULL, text);

    out->data = rms_alloc(mem, out->len);
    if (out->data == NULL) {
        return RMS_NOMEM;
    }

    (void) rms_text_xml(out->data, text);

    return RMS_OK;
}


static rms_rc_e
rms_rewrite_splice(const rms_str_t *input, const rms_rewrite_edit_t *edits,
    size_t n, const rms_mem_t *mem, rms_str_t *out)
{
    size_t          i, pos, len;
    unsigned char  *p;

    out->len = input->len;

    for (i = 0; i < n; i++) {
        out->len += edits[i].text.len;
        out->len -= edits[i].end - edits[i].start;
    }

    p = rms_alloc(mem, out->len);
    if (p == NULL) {
        return RMS_NOMEM;
    }

    out->data = p;
    pos = 0;

    for (i = 0; i < n; i++) {
        len = edits[i].start - pos;

        memcpy(p, input->data + pos, len);
        p += len;

        if (edits[i].text.len) {
            memcpy(p, edits[i].text.data, edits[i].text.len);
            p += edits[i].text.len;
        }

        pos = edits[i].end;
    }

    memcpy(p, input->data + pos, input->len - pos);

    return RMS_OK;
}


/*
 * Design law 2: the output is read like any answer of a backend.  Its events
 * must be the input's, its values the intended ones, and the bytes outside of
 * the places a fresh parse finds in it must be the input's.
 */

static rms_rc_e
rms_rewrite_prove(const rms_str_t *input, const rms_places_t *before,
    const rms_rewrite_edit_t *edits, const rms_str_t *output,
    rms_rewrite_rule_e rule, const rms_mem_t *mem)
{
    size_t         i;
    rms_rc_e       rc;
    rms_places_t  *after;

    after = rms_alloc(mem, sizeof(rms_places_t));
    if (after == NULL) {
        return RMS_NOMEM;
    }

    rc = rms_place_find(output, rule, mem, after);
    if (rc != RMS_OK) {
        return rc == RMS_NOMEM ? rc : RMS_INVALID;
    }

    if (after->n != before->n
        || memcmp(after->digest, before->digest, RMS_EVENTS_DIGEST) != 0)
    {
        return RMS_INVALID;
    }

    for (i = 0; i < after->n; i++) {
        if (!rms_str_eq(&after->place[i].value, &edits[i].value)
            || !rms_rewrite_inside(input, &before->place[i], &edits[i],
                                   output, &after->place[i]))
        {
            return RMS_INVALID;
        }
    }

    return rms_rewrite_outside(input, before, output, after) ? RMS_OK
                                                             : RMS_INVALID;
}


static int
rms_rewrite_outside(const rms_str_t *input, const rms_places_t *before,
    const rms_str_t *output, const rms_places_t *after)
{
    size_t     i, from, to;
    rms_str_t  a, b;

    for (i = 0, from = 0, to = 0; i < before->n; i++) {
        a = rms_rewrite_range(input, from, before->place[i].start);
        b = rms_rewrite_range(output, to, after->place[i].start);

        if (!rms_str_eq(&a, &b)) {
            return 0;
        }

        from = before->place[i].end;
        to = after->place[i].end;
    }

    a = rms_rewrite_range(input, from, input->len);
    b = rms_rewrite_range(output, to, output->len);

    return rms_str_eq(&a, &b);
}


/* The raw value but for the edit. */

static int
rms_rewrite_inside(const rms_str_t *input, const rms_place_t *before,
    const rms_rewrite_edit_t *edit, const rms_str_t *output,
    const rms_place_t *after)
{
    size_t     lead, tail;
    rms_str_t  a, b;

    lead = edit->start - before->start;
    tail = before->end - edit->end;

    if (after->end - after->start != lead + edit->text.len + tail) {
        return 0;
    }

    a = rms_rewrite_range(input, before->start, edit->start);
    b = rms_rewrite_range(output, after->start, after->start + lead);

    if (!rms_str_eq(&a, &b)) {
        return 0;
    }

    a = rms_rewrite_range(input, edit->end, before->end);
    b = rms_rewrite_range(output, after->end - tail, after->end);

    return rms_str_eq(&a, &b);
}


static rms_str_t
rms_rewrite_range(const rms_str_t *text, size_t start, size_t end)
{
    rms_str_t  range;

    range.data = text->data + start;
    range.len = end - start;

    return range;
}
