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


#define RMS_SEARCH_NAME_MAX  64       /* bytes of an element name          */
#define RMS_SEARCH_TAG_MAX   1024     /* bytes of a tag on the way         */
#define RMS_SEARCH_HOP_MIN   256      /* bytes worth a search              */


/* A place in the body. */

typedef struct {
    const rms_body_t      *body;
    size_t                 part;
    const unsigned char   *p;       /* in that part                      */
    const unsigned char   *last;    /* its end, or that of the limit     */
    size_t                 left;    /* of the limit, behind this part    */
} rms_search_t;


/* A start tag that was read. */

typedef struct {
    size_t                 name_len;
    size_t                 len;             /* with the name, no '<' '>'  */
    unsigned               empty:1;         /* ended in "/>"              */
    unsigned char          text[RMS_SEARCH_TAG_MAX];
} rms_search_tag_t;


static void rms_search_init(rms_search_t *sc, const rms_body_t *body);
static int rms_search_part(rms_search_t *sc, size_t part);
static int rms_search_peek(rms_search_t *sc);
static int rms_search_next(rms_search_t *sc);
static int rms_search_literal(rms_search_t *sc, const char *want, size_t len);
static int rms_search_exact(rms_search_t *sc, const char *want);
static void rms_search_blanks(rms_search_t *sc);
static int rms_search_to_tag(rms_search_t *sc);
static int rms_search_tag(rms_search_t *sc, rms_search_tag_t *tag);
static int rms_search_tag_byte(rms_search_tag_t *tag, int c);
static int rms_search_is(const rms_search_tag_t *tag, const char *name);
static int rms_search_skip(rms_search_t *sc, const rms_search_tag_t *tag);
static void rms_search_hop(rms_search_t *sc, const rms_search_tag_t *tag);
static int rms_search_in_ns(const rms_search_tag_t *tag, const char *ns,
    size_t ns_len, int needed);
static int rms_search_declaration(rms_search_t *sc);
static int rms_search_envelope(rms_search_t *sc);
static int rms_search_prefixed(const rms_search_tag_t *tag,
    const rms_search_tag_t *envelope, size_t prefix, const char *name);
static int rms_search_licence(rms_search_t *sc, const rms_operation_t *op,
    const rms_licence_t *licence);
static int rms_search_step(rms_search_t *sc, const char *name, const char *ns,
    size_t ns_len, int needed);
static int rms_search_child(rms_search_t *sc, const char *name, const char *ns,
    size_t ns_len);
static int rms_search_enter(const rms_search_tag_t *tag, const char *ns,
    size_t ns_len, int needed);
static rms_rc_e rms_search_licensor(rms_search_t *sc, rms_licensor_t *licensor);


rms_rc_e
rms_soap_search(const rms_body_t *body, const rms_operation_t *op,
    rms_licensor_t *licensor)
{
    rms_search_t            sc;
    const rms_licence_t  *licence;

    licensor->len = 0;

    licence = rms_licence_get(op->id);
    if (licence == NULL) {
        return RMS_DECLINED;
    }

    rms_search_init(&sc, body);

    if (!rms_search_envelope(&sc)
        || !rms_search_licence(&sc, op, licence)
        || !rms_search_step(&sc, "XrML", "", 0, 1)
        || !rms_search_step(&sc, "BODY", "", 0, 0)
        || !rms_search_child(&sc, "ISSUEDPRINCIPALS", "", 0)
        || !rms_search_step(&sc, "PRINCIPAL", "", 0, 0))
    {
        return RMS_DECLINED;
    }

    return rms_search_licensor(&sc, licensor);
}


static void
rms_search_init(rms_search_t *sc, const rms_body_t *body)
{
    memset(sc, 0, sizeof(rms_search_t));
    sc->body = body;
    sc->left = RMS_SOAP_LICENSOR_MAX;
    (void) rms_search_part(sc, 0);
}


/* Goes to the start of a part; 0 when there are no more bytes to search. */

static int
rms_search_part(rms_search_t *sc, size_t part)
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
rms_search_peek(rms_search_t *sc)
{
    if (sc->p == sc->last && !rms_search_part(sc, sc->part + 1)) {
        return -1;
    }

    return *sc->p;
}


static int
rms_search_next(rms_search_t *sc)
{
    int  c;

    c = rms_search_peek(sc);

    if (c >= 0) {
        sc->p++;
    }

    return c;
}


/* Passes these bytes; where they differ, stays on the first other one. */

static int
rms_search_literal(rms_search_t *sc, const char *want, size_t len)
{
    for ( /* void */ ; len; want++, len--) {
        if (rms_search_peek(sc) != (unsigned char) *want) {
            return 0;
        }

        sc->p++;
    }

    return 1;
}


static int
rms_search_exact(rms_search_t *sc, const char *want)
{
    return rms_search_literal(sc, want, strlen(want));
}


static void
rms_search_blanks(rms_search_t *sc)
{
    int  c;

    while ((c = rms_search_peek(sc)) >= 0
           && rms_licence_is_blank((unsigned char) c))
    {
        sc->p++;
    }
}


/* Passes text and the next '<'. */

static int
rms_search_to_tag(rms_search_t *sc)
{
    const unsigned char  *p;

    while (rms_search_peek(sc) >= 0) {
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
rms_search_tag(rms_search_t *sc, rms_search_tag_t *tag)
{
    int       c;
    unsigned  quoted, name;

    rms_search_blanks(sc);

    if (rms_search_next(sc) != '<') {
        return 0;
    }

    tag->len = 0;
    tag->name_len = 0;
    tag->empty = 0;
    quoted = 0;
    name = 1;

    for ( ;; ) {
        c = rms_search_next(sc);

        if (c == '>' && !quoted) {
            break;
        }

        if (c < 0 || c == '<' || c == '\'' || !rms_search_tag_byte(tag, c)) {
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

    return tag->name_len != 0 && tag->name_len <= RMS_SEARCH_NAME_MAX
           && tag->text[0] != '!' && tag->text[0] != '?';
}


static int
rms_search_tag_byte(rms_search_tag_t *tag, int c)
{
    if (tag->len == sizeof(tag->text)) {
        return 0;
    }

    tag->text[tag->len++] = (unsigned char) c;

    return 1;
}


static int
rms_search_is(const rms_search_tag_t *tag, const char *name)
{
    return tag->name_len == strlen(name)
           && memcmp(tag->text, name, tag->name_len) == 0;
}


/* From behind the start tag of an element to behind its end tag. */

static int
rms_search_skip(rms_search_t *sc, const rms_search_tag_t *tag)
{
    int          c;
    const char  *name;

    if (tag->empty) {
        return 1;
    }

    name = (const char *) tag->text;

    for ( ;; ) {
        rms_search_hop(sc, tag);

        if (!rms_search_to_tag(sc)) {
            return 0;
        }

        c = rms_search_peek(sc);

        if (c == '!' || c == '?') {
            return 0;
        }

        if (c == '/') {
            sc->p++;

            if (!rms_search_literal(sc, name, tag->name_len)) {
                continue;
            }

            c = rms_search_next(sc);

            if (c == '>') {
                return 1;
            }

            if (c < 0 || rms_licence_is_blank((unsigned char) c)) {
                return 0;
            }

            continue;
        }

        if (rms_search_literal(sc, name, tag->name_len)) {
            return 0;
        }
    }
}


/*
 * Passes tags that neither open nor close an element of this name, and are no
 * "<!" or "<?", as far as one part of the body shows it.  Leaves the "<" of
 * any other, and of those that the end of the part may cut.
 */

static void
rms_search_hop(rms_search_t *sc, const rms_search_tag_t *tag)
{
    size_t                i, len;
    const unsigned char  *p, *end;

    static const char  marks[] = "!?";

    len = (size_t) (sc->last - sc->p);

    if (len < RMS_SEARCH_HOP_MIN) {
        return;
    }

    /* in a tag of this name, the name follows "<" or "</" */

    p = memmem(sc->p, len, tag->text, tag->name_len);
    end = p != NULL ? p - 2 : sc->last - tag->name_len - 2;

    for (i = 0; i < 2 && end > sc->p; i++) {
        p = sc->p;

        while ((p = memchr(p + 1, marks[i], (size_t) (end - p))) != NULL) {

            if (p[-1] == '<') {
                end = p - 1;
                break;
            }
        }
    }

    if (end > sc->p) {
        sc->p = end;
    }
}


/*
 * Is an unprefixed element with this tag in namespace ns, given that its
 * parent is (or, when needed is set, whatever its parent is)?
 */

static int
rms_search_in_ns(const rms_search_tag_t *tag, const char *ns, size_t ns_len,
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
rms_search_declaration(rms_search_t *sc)
{
    int         c, before;
    size_t      n;
    rms_search_t  start;

    start = *sc;

    if (!rms_search_literal(sc, "<?", 2)) {
        *sc = start;
        return 1;
    }

    before = 0;

    for (n = 0; n < RMS_SEARCH_TAG_MAX; n++) {
        c = rms_search_next(sc);

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
rms_search_envelope(rms_search_t *sc)
{
    size_t                prefix;
    rms_search_tag_t        envelope, tag;
    const unsigned char  *colon;

    if (rms_search_peek(sc) == 0xef
        && !rms_search_literal(sc, "\xef\xbb\xbf", 3))
    {
        return 0;
    }

    if (!rms_search_declaration(sc) || !rms_search_tag(sc, &envelope)) {
        return 0;
    }

    colon = memchr(envelope.text, ':', envelope.name_len);
    prefix = colon != NULL ? (size_t) (colon - envelope.text) + 1 : 0;

    if (envelope.empty
        || !rms_search_prefixed(&envelope, &envelope, prefix, "Envelope")
        || !rms_search_tag(sc, &tag))
    {
        return 0;
    }

    if (rms_search_prefixed(&tag, &envelope, prefix, "Header")
        && (!rms_search_skip(sc, &tag) || !rms_search_tag(sc, &tag)))
    {
        return 0;
    }

    return !tag.empty && rms_search_prefixed(&tag, &envelope, prefix, "Body");
}


/* Is it this name, behind the prefix and colon of the Envelope? */

static int
rms_search_prefixed(const rms_search_tag_t *tag,
    const rms_search_tag_t *envelope, size_t prefix, const char *name)
{
    size_t  len;

    len = strlen(name);

    return tag->name_len == prefix + len
           && memcmp(tag->text, envelope->text, prefix) == 0
           && memcmp(tag->text + prefix, name, len) == 0;
}


/* From the operation to behind the start tag of what holds the XrML. */

static int
rms_search_licence(rms_search_t *sc, const rms_operation_t *op,
    const rms_licence_t *licence)
{
    size_t       len;
    const char  *ns;

    ns = (const char *) op->ns.data;
    len = op->ns.len;

    if (!rms_search_step(sc, (const char *) op->name.data, ns, len, 1)
        || !rms_search_step(sc, "RequestParams", ns, len, 0)
        || !rms_search_step(sc, licence->params, ns, len, 0)
        || !rms_search_child(sc, licence->element, ns, len))
    {
        return 0;
    }

    return !licence->chain || rms_search_step(sc, "Certificate", ns, len, 0);
}


/* The next tag must be the start of this element. */

static int
rms_search_step(rms_search_t *sc, const char *name, const char *ns,
    size_t ns_len, int needed)
{
    rms_search_tag_t  tag;

    return rms_search_tag(sc, &tag) && rms_search_is(&tag, name)
           && rms_search_enter(&tag, ns, ns_len, needed);
}


/* Passes siblings up to the start of this element. */

static int
rms_search_child(rms_search_t *sc, const char *name, const char *ns,
    size_t ns_len)
{
    rms_search_tag_t  tag;

    while (rms_search_tag(sc, &tag)) {

        if (rms_search_is(&tag, name)) {
            return rms_search_enter(&tag, ns, ns_len, 0);
        }

        if (memchr(tag.text, ':', tag.name_len) != NULL
            || !rms_search_skip(sc, &tag))
        {
            return 0;
        }
    }

    return 0;
}


/* Neither empty, nor xsi:nil, nor in another namespace. */

static int
rms_search_enter(const rms_search_tag_t *tag, const char *ns, size_t ns_len,
    int needed)
{
    return !tag->empty && memmem(tag->text, tag->len, "nil", 3) == NULL
           && rms_search_in_ns(tag, ns, ns_len, needed);
}


static rms_rc_e
rms_search_licensor(rms_search_t *sc, rms_licensor_t *licensor)
{
    int            c;
    rms_str_t      text;
    unsigned char  data[RMS_LICENSOR_TEXT_MAX];

    rms_search_blanks(sc);

    if (!rms_search_exact(sc, "<OBJECT type=\"MS-DRM-Server\">")) {
        return RMS_DECLINED;
    }

    rms_search_blanks(sc);

    if (!rms_search_exact(sc, "<ID type=\"MS-GUID\">")) {
        return RMS_DECLINED;
    }

    text.data = data;
    text.len = 0;

    while ((c = rms_search_peek(sc)) >= 0 && c != '<') {

        if (text.len == sizeof(data) - 1) {
            return RMS_DECLINED;
        }

        data[text.len++] = (unsigned char) c;
        sc->p++;
    }

    if (!rms_search_exact(sc, "</ID>")
        || rms_licensor_parse(&text, licensor) != RMS_OK)
    {
        return RMS_DECLINED;
    }

    return RMS_OK;
}
