/*
 * The licensor without a parser.  Reads the start of a request as the known
 * clients write it and gives up (RMS_DECLINED) at the first thing they would
 * not write; never copies the body.  Pure function, any thread.
 *
 * Why it cannot be led to another licence than the parser.  The argument
 * holds for input the parser accepts, so the bytes are well-formed up to the
 * parser's hit:
 *
 *  - A '<' is the start of a tag, a comment, a CDATA section or a PI: it may
 *    not stand in text or in attribute values (XML 1.0 2.4, 3.1).  At "<!"
 *    and "<?" the search gives up, so each '<' it passes starts a tag.
 *  - It walks from the root along the one way the parser's steps take.  What
 *    is beside the way is passed whole: from its start tag <Name to the first
 *    </Name>, giving up when another <Name starts in between or an end tag is
 *    written in another way.  Then that </Name> can only close this element,
 *    whatever is inside.
 *  - On the way only unprefixed names are taken, and a declaration of the
 *    default namespace only when it is the one the parser wants there.
 *
 * So the elements it enters are the elements the parser enters.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "rms_soap_licence.h"


#define RMS_SCAN_NAME_MAX  64       /* bytes of an element name          */
#define RMS_SCAN_TAG_MAX   1024     /* bytes of a tag on the way         */


/* A place in the body. */

typedef struct {
    const rms_body_t      *body;
    size_t                 part;
    const unsigned char   *p;       /* in that part                      */
    const unsigned char   *last;    /* its end, or that of the limit     */
    size_t                 left;    /* of the limit, behind this part    */
} rms_scan_t;


/* A start tag that was read. */

typedef struct {
    size_t                 name_len;
    size_t                 len;             /* with the name, no '<' '>'  */
    unsigned               empty:1;         /* ended in "/>"              */
    unsigned char          text[RMS_SCAN_TAG_MAX];
} rms_scan_tag_t;


static void rms_scan_init(rms_scan_t *sc, const rms_body_t *body);
static int rms_scan_part(rms_scan_t *sc, size_t part);
static int rms_scan_peek(rms_scan_t *sc);
static int rms_scan_next(rms_scan_t *sc);
static int rms_scan_literal(rms_scan_t *sc, const char *want, size_t len);
static int rms_scan_exact(rms_scan_t *sc, const char *want);
static void rms_scan_blanks(rms_scan_t *sc);
static int rms_scan_to_tag(rms_scan_t *sc);
static int rms_scan_tag(rms_scan_t *sc, rms_scan_tag_t *tag);
static int rms_scan_tag_byte(rms_scan_tag_t *tag, int c);
static int rms_scan_is(const rms_scan_tag_t *tag, const char *name);
static int rms_scan_skip(rms_scan_t *sc, const rms_scan_tag_t *tag);
static int rms_scan_in_ns(const rms_scan_tag_t *tag, const char *ns,
    size_t ns_len, int needed);
static int rms_scan_declaration(rms_scan_t *sc);
static int rms_scan_envelope(rms_scan_t *sc);
static int rms_scan_prefixed(const rms_scan_tag_t *tag,
    const rms_scan_tag_t *envelope, size_t prefix, const char *name);
static int rms_scan_licence(rms_scan_t *sc, const rms_operation_t *op,
    const rms_licence_t *licence);
static int rms_scan_step(rms_scan_t *sc, const char *name, const char *ns,
    size_t ns_len, int needed);
static int rms_scan_child(rms_scan_t *sc, const char *name, const char *ns,
    size_t ns_len);
static int rms_scan_enter(const rms_scan_tag_t *tag, const char *ns,
    size_t ns_len, int needed);
static rms_rc_e rms_scan_licensor(rms_scan_t *sc, rms_licensor_t *licensor);


rms_rc_e
rms_soap_search(const rms_body_t *body, const rms_operation_t *op,
    rms_licensor_t *licensor)
{
    rms_scan_t            sc;
    const rms_licence_t  *licence;

    licensor->len = 0;

    licence = rms_licence_get(op->id);
    if (licence == NULL) {
        return RMS_DECLINED;
    }

    rms_scan_init(&sc, body);

    if (!rms_scan_envelope(&sc)
        || !rms_scan_licence(&sc, op, licence)
        || !rms_scan_step(&sc, "XrML", "", 0, 1)
        || !rms_scan_step(&sc, "BODY", "", 0, 0)
        || !rms_scan_child(&sc, "ISSUEDPRINCIPALS", "", 0)
        || !rms_scan_step(&sc, "PRINCIPAL", "", 0, 0))
    {
        return RMS_DECLINED;
    }

    return rms_scan_licensor(&sc, licensor);
}


static void
rms_scan_init(rms_scan_t *sc, const rms_body_t *body)
{
    memset(sc, 0, sizeof(rms_scan_t));
    sc->body = body;
    sc->left = RMS_SOAP_LICENSOR_MAX;
    (void) rms_scan_part(sc, 0);
}


/* Goes to the start of a part; 0 when there are no more bytes to search. */

static int
rms_scan_part(rms_scan_t *sc, size_t part)
{
    size_t            len;
    const rms_str_t  *s;

    for ( /* void */ ; part < sc->body->n && sc->left; part++) {
        s = &sc->body->parts[part];

        if (s->len == 0) {
            continue;
        }

        len = s->len < sc->left ? s->len : sc->left;

        sc->part = part;
        sc->p = s->data;
        sc->last = s->data + len;
        sc->left -= len;

        return 1;
    }

    return 0;
}


/* The byte here, or -1 at the end. */

static int
rms_scan_peek(rms_scan_t *sc)
{
    if (sc->p == sc->last && !rms_scan_part(sc, sc->part + 1)) {
        return -1;
    }

    return *sc->p;
}


static int
rms_scan_next(rms_scan_t *sc)
{
    int  c;

    c = rms_scan_peek(sc);

    if (c >= 0) {
        sc->p++;
    }

    return c;
}


/* Passes these bytes; where they differ, stays on the first other one. */

static int
rms_scan_literal(rms_scan_t *sc, const char *want, size_t len)
{
    for ( /* void */ ; len; want++, len--) {
        if (rms_scan_peek(sc) != (unsigned char) *want) {
            return 0;
        }

        sc->p++;
    }

    return 1;
}


static int
rms_scan_exact(rms_scan_t *sc, const char *want)
{
    return rms_scan_literal(sc, want, strlen(want));
}


static void
rms_scan_blanks(rms_scan_t *sc)
{
    int  c;

    while ((c = rms_scan_peek(sc)) >= 0
           && rms_licence_is_blank((unsigned char) c))
    {
        sc->p++;
    }
}


/* Passes text and the next '<'. */

static int
rms_scan_to_tag(rms_scan_t *sc)
{
    const unsigned char  *p;

    while (rms_scan_peek(sc) >= 0) {
        p = memchr(sc->p, '<', (size_t) (sc->last - sc->p));

        if (p != NULL) {
            sc->p = p + 1;
            return 1;
        }

        sc->p = sc->last;
    }

    return 0;
}


/*
 * Reads a start tag behind blanks: 0 for anything else, and for quotes that
 * are no double quotes.
 */

static int
rms_scan_tag(rms_scan_t *sc, rms_scan_tag_t *tag)
{
    int       c;
    unsigned  quoted, name;

    rms_scan_blanks(sc);

    if (rms_scan_next(sc) != '<') {
        return 0;
    }

    tag->len = 0;
    tag->name_len = 0;
    tag->empty = 0;
    quoted = 0;
    name = 1;

    for ( ;; ) {
        c = rms_scan_next(sc);

        if (c == '>' && !quoted) {
            break;
        }

        if (c < 0 || c == '<' || c == '\'' || !rms_scan_tag_byte(tag, c)) {
            return 0;
        }

        if (c == '"') {
            quoted = !quoted;
        }

        if (rms_licence_is_blank((unsigned char) c) || c == '/') {
            name = 0;
        }

        tag->name_len += name;
    }

    if (tag->len && tag->text[tag->len - 1] == '/') {
        tag->empty = 1;
    }

    return tag->name_len != 0 && tag->name_len <= RMS_SCAN_NAME_MAX
           && tag->text[0] != '!' && tag->text[0] != '?';
}


static int
rms_scan_tag_byte(rms_scan_tag_t *tag, int c)
{
    if (tag->len == sizeof(tag->text)) {
        return 0;
    }

    tag->text[tag->len++] = (unsigned char) c;

    return 1;
}


static int
rms_scan_is(const rms_scan_tag_t *tag, const char *name)
{
    return tag->name_len == strlen(name)
           && memcmp(tag->text, name, tag->name_len) == 0;
}


/* From behind the start tag of an element to behind its end tag. */

static int
rms_scan_skip(rms_scan_t *sc, const rms_scan_tag_t *tag)
{
    int          c;
    const char  *name;

    if (tag->empty) {
        return 1;
    }

    name = (const char *) tag->text;

    while (rms_scan_to_tag(sc)) {
        c = rms_scan_peek(sc);

        if (c == '!' || c == '?') {
            return 0;
        }

        if (c == '/') {
            sc->p++;

            if (!rms_scan_literal(sc, name, tag->name_len)) {
                continue;
            }

            c = rms_scan_next(sc);

            if (c == '>') {
                return 1;
            }

            if (c < 0 || rms_licence_is_blank((unsigned char) c)) {
                return 0;
            }

            continue;
        }

        if (rms_scan_literal(sc, name, tag->name_len)) {
            return 0;
        }
    }

    return 0;
}


/*
 * Is an unprefixed element with this tag in namespace ns, given that its
 * parent is (or, when needed is set, whatever its parent is)?
 */

static int
rms_scan_in_ns(const rms_scan_tag_t *tag, const char *ns, size_t ns_len,
    int needed)
{
    const unsigned char  *p, *last;

    p = tag->text;
    last = p + tag->len;

    for ( ;; ) {
        p = memmem(p, (size_t) (last - p), "xmlns", 5);
        if (p == NULL) {
            return !needed;
        }

        if (p == tag->text || !rms_licence_is_blank(p[-1])) {
            return 0;
        }

        p += 5;

        if (p < last && *p == ':') {            /* of a prefix */
            continue;
        }

        if ((size_t) (last - p) < ns_len + 3 || memcmp(p, "=\"", 2) != 0
            || memcmp(p + 2, ns, ns_len) != 0 || p[2 + ns_len] != '"')
        {
            return 0;
        }

        p += ns_len + 3;
        needed = 0;
    }
}


/* An XML declaration, if there is one. */

static int
rms_scan_declaration(rms_scan_t *sc)
{
    int         c, before;
    size_t      n;
    rms_scan_t  start;

    start = *sc;

    if (!rms_scan_literal(sc, "<?", 2)) {
        *sc = start;
        return 1;
    }

    before = 0;

    for (n = 0; n < RMS_SCAN_TAG_MAX; n++) {
        c = rms_scan_next(sc);

        if (c < 0) {
            return 0;
        }

        if (before == '?' && c == '>') {
            return 1;
        }

        before = c;
    }

    return 0;
}


/* From the first byte to behind the start tag of Body. */

static int
rms_scan_envelope(rms_scan_t *sc)
{
    size_t                prefix;
    rms_scan_tag_t        envelope, tag;
    const unsigned char  *colon;

    if (rms_scan_peek(sc) == 0xef && !rms_scan_literal(sc, "\xef\xbb\xbf", 3))
    {
        return 0;
    }

    if (!rms_scan_declaration(sc) || !rms_scan_tag(sc, &envelope)) {
        return 0;
    }

    colon = memchr(envelope.text, ':', envelope.name_len);
    prefix = colon != NULL ? (size_t) (colon - envelope.text) + 1 : 0;

    if (envelope.empty
        || !rms_scan_prefixed(&envelope, &envelope, prefix, "Envelope")
        || !rms_scan_tag(sc, &tag))
    {
        return 0;
    }

    if (rms_scan_prefixed(&tag, &envelope, prefix, "Header")
        && (!rms_scan_skip(sc, &tag) || !rms_scan_tag(sc, &tag)))
    {
        return 0;
    }

    return !tag.empty && rms_scan_prefixed(&tag, &envelope, prefix, "Body");
}


/* Is it this name, behind the prefix and colon of the Envelope? */

static int
rms_scan_prefixed(const rms_scan_tag_t *tag, const rms_scan_tag_t *envelope,
    size_t prefix, const char *name)
{
    size_t  len;

    len = strlen(name);

    return tag->name_len == prefix + len
           && memcmp(tag->text, envelope->text, prefix) == 0
           && memcmp(tag->text + prefix, name, len) == 0;
}


/* From the operation to behind the start tag of what holds the XrML. */

static int
rms_scan_licence(rms_scan_t *sc, const rms_operation_t *op,
    const rms_licence_t *licence)
{
    size_t       len;
    const char  *ns;

    ns = (const char *) op->ns.data;
    len = op->ns.len;

    if (!rms_scan_step(sc, (const char *) op->name.data, ns, len, 1)
        || !rms_scan_step(sc, "RequestParams", ns, len, 0)
        || !rms_scan_step(sc, licence->params, ns, len, 0)
        || !rms_scan_child(sc, licence->element, ns, len))
    {
        return 0;
    }

    return !licence->chain || rms_scan_step(sc, "Certificate", ns, len, 0);
}


/* The next tag must be the start of this element. */

static int
rms_scan_step(rms_scan_t *sc, const char *name, const char *ns, size_t ns_len,
    int needed)
{
    rms_scan_tag_t  tag;

    return rms_scan_tag(sc, &tag) && rms_scan_is(&tag, name)
           && rms_scan_enter(&tag, ns, ns_len, needed);
}


/* Passes siblings up to the start of this element. */

static int
rms_scan_child(rms_scan_t *sc, const char *name, const char *ns,
    size_t ns_len)
{
    rms_scan_tag_t  tag;

    while (rms_scan_tag(sc, &tag)) {

        if (rms_scan_is(&tag, name)) {
            return rms_scan_enter(&tag, ns, ns_len, 0);
        }

        if (memchr(tag.text, ':', tag.name_len) != NULL
            || !rms_scan_skip(sc, &tag))
        {
            return 0;
        }
    }

    return 0;
}


/* Neither empty, nor xsi:nil, nor in another namespace. */

static int
rms_scan_enter(const rms_scan_tag_t *tag, const char *ns, size_t ns_len,
    int needed)
{
    return !tag->empty && memmem(tag->text, tag->len, "nil", 3) == NULL
           && rms_scan_in_ns(tag, ns, ns_len, needed);
}


static rms_rc_e
rms_scan_licensor(rms_scan_t *sc, rms_licensor_t *licensor)
{
    int            c;
    rms_str_t      text;
    unsigned char  data[RMS_LICENSOR_TEXT_MAX];

    rms_scan_blanks(sc);

    if (!rms_scan_exact(sc, "<OBJECT type=\"MS-DRM-Server\">")) {
        return RMS_DECLINED;
    }

    rms_scan_blanks(sc);

    if (!rms_scan_exact(sc, "<ID type=\"MS-GUID\">")) {
        return RMS_DECLINED;
    }

    text.data = data;
    text.len = 0;

    while ((c = rms_scan_peek(sc)) >= 0 && c != '<') {

        if (text.len == sizeof(data) - 1) {
            return RMS_DECLINED;
        }

        data[text.len++] = (unsigned char) c;
        sc->p++;
    }

    if (!rms_scan_exact(sc, "</ID>")
        || rms_licensor_parse(&text, licensor) != RMS_OK)
    {
        return RMS_DECLINED;
    }

    return RMS_OK;
}
