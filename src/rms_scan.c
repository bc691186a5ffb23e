/*
 * Scanner of the plain form of XML.  The state is the caller's; pure
 * functions otherwise, any thread.
 *
 * Why it can be trusted where it answers.  A "<" stands in markup only (XML
 * 1.0 2.4, 3.1), and the scanner gives up at every kind of markup but start
 * and end tags, so each "<" it finds begins a tag, whatever the text holds.
 * Of a tag it checks every byte: names and blanks by a table, values up to
 * their quote.  What a parser checks beside, it checks as well or gives up:
 * balance, namespaces, attributes that are there twice, references and
 * characters (rms_scan_clean()).
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "rms_scan.h"


#define RMS_SCAN_URI_MAX  256
#define RMS_SCAN_BLOCK    128


/* What a byte may be. */

#define RMS_SCAN_NAME     0x01      /* in a name                          */
#define RMS_SCAN_FIRST    0x02      /* its first character                */
#define RMS_SCAN_SPACE    0x04
#define RMS_SCAN_HALT     0x08      /* ends a value, or may not be in it  */
#define RMS_SCAN_PATH     0x10      /* in a namespace's name              */

#define A  (RMS_SCAN_NAME | RMS_SCAN_FIRST | RMS_SCAN_PATH)
#define D  (RMS_SCAN_NAME | RMS_SCAN_PATH)
#define S  RMS_SCAN_PATH
#define H  RMS_SCAN_HALT
#define W  (RMS_SCAN_HALT | RMS_SCAN_SPACE)

static const unsigned char  rms_scan_class[256] = {
    H, H, H, H, H, H, H, H, H, W, W, H, H, W, H, H,
    H, H, H, H, H, H, H, H, H, H, H, H, H, H, H, H,
    RMS_SCAN_SPACE,
       0, H, 0, 0, 0, 0, H, 0, 0, 0, 0, 0, D, D, S,
    D, D, D, D, D, D, D, D, D, D, 0, 0, H, 0, 0, 0,
    0, A, A, A, A, A, A, A, A, A, A, A, A, A, A, A,
    A, A, A, A, A, A, A, A, A, A, A, 0, 0, 0, 0, A,
    0, A, A, A, A, A, A, A, A, A, A, A, A, A, A, A,
    A, A, A, A, A, A, A, A, A, A, A, 0, 0, 0, 0, 0
};

#undef A
#undef D
#undef S
#undef H
#undef W

#define rms_scan_byte(p, what)  (rms_scan_class[*(p)] & (what))


static rms_scan_e rms_scan_start(rms_scan_t *s, const unsigned char *p);
static rms_scan_e rms_scan_end(rms_scan_t *s, const unsigned char *p);
static void rms_scan_leave(rms_scan_t *s);
static inline const unsigned char *rms_scan_name(const unsigned char *p,
    const unsigned char *last, rms_scan_name_t *name);
static const unsigned char *rms_scan_attribute(rms_scan_t *s,
    const unsigned char *p);
static int rms_scan_declare(rms_scan_t *s, const rms_scan_attr_t *attr);
static int rms_scan_uri(const unsigned char *p, size_t len);
static int rms_scan_enter(rms_scan_t *s);
static int rms_scan_twice(const rms_scan_t *s);
static const rms_scan_ns_t *rms_scan_bound(const rms_scan_t *s,
    const rms_scan_name_t *name);
static int rms_scan_reserved(const unsigned char *p, size_t len);
static unsigned char rms_scan_low(const unsigned char *p, size_t n,
    unsigned char *high);
static int rms_scan_references(const unsigned char *p,
    const unsigned char *last);
static int rms_scan_utf8(const unsigned char *p, const unsigned char *last);


int
rms_scan_open(rms_scan_t *s, const unsigned char *data, size_t len)
{
    size_t  i;

    static const rms_str_t  declarations[] = {
        rms_string("<?xml version=\"1.0\" encoding=\"utf-8\"?>"),
        rms_string("<?xml version=\"1.0\" encoding=\"UTF-8\"?>"),
        rms_string("<?xml version='1.0' encoding='utf-8'?>"),
        rms_string("<?xml version='1.0' encoding='UTF-8'?>"),
        rms_string("<?xml version=\"1.0\"?>")
    };

    s->data = data;
    s->p = data;
    s->last = data + len;
    s->depth = 0;
    s->elements = 0;
    s->n_ns = 0;
    s->empty = 0;

    if (len < 2 || len > RMS_SCAN_SIZE_MAX) {
        return 0;
    }

    if (data[0] != '<' || data[1] != '?') {
        return 1;
    }

    for (i = 0; i < sizeof(declarations) / sizeof(declarations[0]); i++) {
        if (len > declarations[i].len
            && memcmp(data, declarations[i].data, declarations[i].len) == 0)
        {
            s->p = data + declarations[i].len;
            return 1;
        }
    }

    return 0;
}


rms_scan_e
rms_scan_next(rms_scan_t *s)
{
    const unsigned char  *p;

    if (s->empty) {
        s->empty = 0;
        s->text = s->p;
        s->tag = s->p;
        rms_scan_leave(s);

        return RMS_SCAN_END;
    }

    p = s->p;
    s->text = p;

    if (p == s->last || *p != '<') {
        p = memchr(p, '<', (size_t) (s->last - p));
    }

    if (s->depth == 0) {

        if (!rms_scan_blank(s->text, p ? p : s->last)) {
            return RMS_SCAN_OTHER;
        }

        if (p == NULL) {
            return s->elements ? RMS_SCAN_DONE : RMS_SCAN_OTHER;
        }

        if (s->elements) {
            return RMS_SCAN_OTHER;
        }
    }

    if (p == NULL || s->last - p < 3) {
        return RMS_SCAN_OTHER;
    }

    s->tag = p;

    return p[1] == '/' ? rms_scan_end(s, p + 2) : rms_scan_start(s, p + 1);
}


static rms_scan_e
rms_scan_start(rms_scan_t *s, const unsigned char *p)
{
    const unsigned char  *last;

    last = s->last;

    if (s->depth == RMS_SCAN_DEPTH_MAX
        || s->elements == RMS_SCAN_ELEMENTS_MAX)
    {
        return RMS_SCAN_OTHER;
    }

    p = rms_scan_name(p, last, &s->name);
    if (p == NULL) {
        return RMS_SCAN_OTHER;
    }

    s->n_attrs = 0;
    s->open[s->depth].n_ns = (uint16_t) s->n_ns;
    s->open[s->depth].ns = s->depth ? s->open[s->depth - 1].ns : 0;

    for ( ;; ) {
        if (p == last) {
            return RMS_SCAN_OTHER;
        }

        if (*p == '>') {
            p++;
            break;
        }

        if (*p == '/') {
            if (last - p < 2 || p[1] != '>') {
                return RMS_SCAN_OTHER;
            }

            s->empty = 1;
            p += 2;
            break;
        }

        if (!rms_scan_byte(p, RMS_SCAN_SPACE)) {
            return RMS_SCAN_OTHER;
        }

        p = rms_scan_attribute(s, p + 1);
        if (p == NULL) {
            return RMS_SCAN_OTHER;
        }
    }

    s->p = p;

    return p - s->tag <= RMS_SCAN_TAG_MAX && rms_scan_enter(s)
           ? RMS_SCAN_START : RMS_SCAN_OTHER;
}


static rms_scan_e
rms_scan_end(rms_scan_t *s, const unsigned char *p)
{
    size_t                  len;
    const rms_scan_open_t  *o;

    if (s->depth == 0) {
        return RMS_SCAN_OTHER;
    }

    o = &s->open[s->depth - 1];
    len = o->len;

    if ((size_t) (s->last - p) <= len || p[len] != '>'
        || memcmp(p, o->name, len) != 0)
    {
        return RMS_SCAN_OTHER;
    }

    s->p = p + len + 1;
    rms_scan_leave(s);

    return RMS_SCAN_END;
}


static void
rms_scan_leave(rms_scan_t *s)
{
    s->depth--;
    s->n_ns = s->open[s->depth].n_ns;
}


/* NULL, or the end of a name. */

static inline const unsigned char *
rms_scan_name(const unsigned char *p, const unsigned char *last,
    rms_scan_name_t *name)
{
    name->data = p;
    name->prefix = 0;

    for ( ;; ) {
        if (p == last || !rms_scan_byte(p, RMS_SCAN_FIRST)) {
            return NULL;
        }

        do {
            p++;
        } while (p < last && rms_scan_byte(p, RMS_SCAN_NAME));

        if (p == last || *p != ':' || name->prefix) {
            break;
        }

        p++;
        name->prefix = (size_t) (p - name->data);
    }

    name->len = (size_t) (p - name->data);

    return p;
}


/*
 * From behind a blank in a tag: NULL, or the end of an attribute, or of the
 * blanks if there is none.
 */

static const unsigned char *
rms_scan_attribute(rms_scan_t *s, const unsigned char *p)
{
    unsigned char         quote;
    rms_scan_attr_t      *attr;
    const unsigned char  *last;

    last = s->last;

    while (p < last && rms_scan_byte(p, RMS_SCAN_SPACE)) {
        p++;
    }

    if (p == last || *p == '/' || *p == '>') {
        return p;
    }

    if (s->n_attrs == RMS_SCAN_ATTR_MAX) {
        return NULL;
    }

    attr = &s->attrs[s->n_attrs];

    p = rms_scan_name(p, last, &attr->name);
    if (p == NULL || last - p < 3 || *p != '=') {
        return NULL;
    }

    quote = p[1];
    if (quote != '"' && quote != '\'') {
        return NULL;
    }

    p += 2;
    attr->value = p;

    for ( /* void */ ; p < last; p++) {
        if (!rms_scan_byte(p, RMS_SCAN_HALT)) {
            continue;
        }

        if (*p == quote) {
            attr->len = (size_t) (p - attr->value);
            return rms_scan_declare(s, attr) ? p + 1 : NULL;
        }

        if (*p != '"' && *p != '\'') {
            return NULL;
        }
    }

    return NULL;
}


/* Keeps an attribute, or the namespace that it declares. */

static int
rms_scan_declare(rms_scan_t *s, const rms_scan_attr_t *attr)
{
    unsigned              i, around;
    rms_scan_ns_t        *ns;
    const unsigned char  *p;

    p = attr->name.data;

    if (attr->name.len < 5 || memcmp(p, "xmlns", 5) != 0) {
        s->n_attrs++;
        return !rms_scan_reserved(p, attr->name.len);
    }

    if ((attr->name.len != 5 && attr->name.prefix != 6)
        || s->n_ns == RMS_SCAN_NS_MAX)
    {
        return 0;
    }

    ns = &s->ns[s->n_ns];
    ns->name.data = p + attr->name.prefix;
    ns->name.len = attr->name.prefix ? attr->name.len - 6 : 0;
    ns->uri.data = (unsigned char *) attr->value;
    ns->uri.len = attr->len;

    if (ns->name.len == 0) {
        if (ns->uri.len != 0 && !rms_scan_uri(ns->uri.data, ns->uri.len)) {
            return 0;
        }

    } else if (!rms_scan_uri(ns->uri.data, ns->uri.len)
               || rms_scan_reserved(ns->name.data, ns->name.len))
    {
        return 0;
    }

    around = s->open[s->depth].n_ns;

    for (i = around; i < s->n_ns; i++) {
        if (s->ns[i].name.len == ns->name.len
            && memcmp(s->ns[i].name.data, ns->name.data, ns->name.len) == 0)
        {
            return 0;
        }
    }

    s->n_ns++;

    if (ns->name.len == 0) {
        s->open[s->depth].ns = (uint16_t) (ns->uri.len ? s->n_ns : 0);
    }

    return 1;
}


/*
 * libxml2 refuses what is no URI; these are ones for sure.  XML's own two
 * names may not be declared (Namespaces in XML 3).
 */

static int
rms_scan_uri(const unsigned char *p, size_t len)
{
    size_t  i, n;

    static const rms_str_t  begins[] = {
        rms_string("http://"), rms_string("https://"), rms_string("urn:")
    };
    static const char  own[] = "http://www.w3.org/XML/1998/namespace";
    static const char  xmlns[] = "http://www.w3.org/2000/xmlns/";

    for (i = 0; i < sizeof(begins) / sizeof(begins[0]); i++) {
        n = begins[i].len;

        if (len > n && memcmp(p, begins[i].data, n) == 0) {
            break;
        }
    }

    if (i == sizeof(begins) / sizeof(begins[0]) || len > RMS_SCAN_URI_MAX
        || !rms_scan_byte(p + n, RMS_SCAN_FIRST))
    {
        return 0;
    }

    while (n < len && rms_scan_byte(p + n, RMS_SCAN_PATH)) {
        n++;
    }

    return n == len
           && (len != sizeof(own) - 1 || memcmp(p, own, len) != 0)
           && (len != sizeof(xmlns) - 1 || memcmp(p, xmlns, len) != 0);
}


/* A start tag was read: its names are resolved. */

static int
rms_scan_enter(rms_scan_t *s)
{
    unsigned              i;
    rms_scan_open_t      *o;
    const rms_scan_ns_t  *ns;

    o = &s->open[s->depth];
    o->name = s->name.data;
    o->len = (uint32_t) s->name.len;

    if (rms_scan_reserved(s->name.data, s->name.len)) {
        return 0;
    }

    if (s->name.prefix == 0) {
        ns = o->ns ? &s->ns[o->ns - 1] : NULL;

    } else {
        ns = rms_scan_bound(s, &s->name);
        if (ns == NULL) {
            return 0;
        }
    }

    s->uri.data = ns ? ns->uri.data : NULL;
    s->uri.len = ns ? ns->uri.len : 0;

    for (i = 0; i < s->n_attrs; i++) {
        if (s->attrs[i].name.prefix
            && rms_scan_bound(s, &s->attrs[i].name) == NULL)
        {
            return 0;
        }
    }

    if (s->n_attrs > 1 && rms_scan_twice(s)) {
        return 0;
    }

    s->depth++;
    s->elements++;

    return 1;
}


/* Two attributes with one local name may be the same one. */

static int
rms_scan_twice(const rms_scan_t *s)
{
    size_t                  len;
    unsigned                i, j;
    const rms_scan_name_t  *a, *b;

    for (i = 1; i < s->n_attrs; i++) {
        a = &s->attrs[i].name;
        len = a->len - a->prefix;

        for (j = 0; j < i; j++) {
            b = &s->attrs[j].name;

            if (b->len - b->prefix == len
                && memcmp(a->data + a->prefix, b->data + b->prefix, len) == 0)
            {
                return 1;
            }
        }
    }

    return 0;
}


static const rms_scan_ns_t *
rms_scan_bound(const rms_scan_t *s, const rms_scan_name_t *name)
{
    size_t    len;
    unsigned  i;

    len = name->prefix - 1;

    for (i = s->n_ns; i-- > 0; /* void */ ) {
        if (s->ns[i].name.len == len
            && memcmp(s->ns[i].name.data, name->data, len) == 0)
        {
            return &s->ns[i];
        }
    }

    return NULL;
}


/* Names that begin with "xml" are XML's own. */

static int
rms_scan_reserved(const unsigned char *p, size_t len)
{
    return len >= 3 && (p[0] | 0x20) == 'x' && (p[1] | 0x20) == 'm'
           && (p[2] | 0x20) == 'l';
}


int
rms_scan_clean(const unsigned char *data, size_t len)
{
    size_t                i, n;
    unsigned char         high, low, c;
    const unsigned char  *p, *last;

    last = data + len;
    high = 0;

    for (p = data; p < last; p += n) {
        n = (size_t) (last - p);
        n = n < RMS_SCAN_BLOCK ? n : RMS_SCAN_BLOCK;

        low = rms_scan_low(p, n, &high);

        for (i = 0; low && i < n; i++) {
            c = p[i];

            if (c < ' ' && c != '\n' && c != '\r' && c != '\t') {
                return 0;
            }
        }
    }

    return rms_scan_references(data, last)
           && (memchr(data, ']', len) == NULL
               || memmem(data, len, "]]>", 3) == NULL)
           && (high < 0x80 || rms_scan_utf8(data, last));
}


/*
 * Is any of at most RMS_SCAN_BLOCK bytes a control character?  Their bits are
 * added to high.  Whole blocks on their own, so that compilers use vectors.
 */

static unsigned char
rms_scan_low(const unsigned char *p, size_t n, unsigned char *high)
{
    size_t         i;
    unsigned char  bits, low;

    bits = 0;
    low = 0;

    if (n == RMS_SCAN_BLOCK) {
        for (i = 0; i < RMS_SCAN_BLOCK; i++) {
            bits |= p[i];
            low |= (unsigned char) (p[i] < ' ');
        }

    } else {
        for (i = 0; i < n; i++) {
            bits |= p[i];
            low |= (unsigned char) (p[i] < ' ');
        }
    }

    *high |= bits;

    return low;
}


static int
rms_scan_references(const unsigned char *p, const unsigned char *last)
{
    size_t  i, len;

    static const rms_str_t  known[] = {
        rms_string("&amp;"), rms_string("&lt;"), rms_string("&gt;"),
        rms_string("&quot;"), rms_string("&apos;")
    };

    while ((p = memchr(p, '&', (size_t) (last - p))) != NULL) {

        for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
            len = known[i].len;

            if ((size_t) (last - p) >= len
                && memcmp(p, known[i].data, len) == 0)
            {
                break;
            }
        }

        if (i == sizeof(known) / sizeof(known[0])) {
            return 0;
        }

        p++;
    }

    return 1;
}


/* RFC 3629 4, without the two code points that XML leaves out (2.2). */

static int
rms_scan_utf8(const unsigned char *p, const unsigned char *last)
{
    size_t    i, n;
    uint32_t  c;

    while (p < last) {
        c = *p++;

        if (c < 0x80) {
            continue;
        }

        n = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;

        if (c < 0xc2 || c > 0xf4 || (size_t) (last - p) < n) {
            return 0;
        }

        c &= 0x3fu >> n;

        for (i = 0; i < n; i++, p++) {
            if ((*p & 0xc0) != 0x80) {
                return 0;
            }

            c = c << 6 | (*p & 0x3fu);
        }

        if ((n == 2 && c < 0x800) || (n == 3 && (c < 0x10000 || c > 0x10ffff))
            || (c >= 0xd800 && c <= 0xdfff) || c == 0xfffe || c == 0xffff)
        {
            return 0;
        }
    }

    return 1;
}


int
rms_scan_move(rms_scan_t *s, const unsigned char *data, size_t len)
{
    unsigned              i;
    const unsigned char  *from;

    if (len > RMS_SCAN_SIZE_MAX) {
        return 0;
    }

    from = s->data;

    for (i = 0; i < s->depth; i++) {
        s->open[i].name = data + (s->open[i].name - from);
    }

    for (i = 0; i < s->n_ns; i++) {
        s->ns[i].name.data = data + (s->ns[i].name.data - from);
        s->ns[i].uri.data = (unsigned char *) data
                            + (s->ns[i].uri.data - from);
    }

    s->p = data + (s->p - from);
    s->data = data;
    s->last = data + len;

    return 1;
}


int
rms_scan_is(const rms_scan_t *s, const char *name, size_t len,
    const char *uri, size_t uri_len)
{
    return s->name.len - s->name.prefix == len && s->uri.len == uri_len
           && memcmp(s->name.data + s->name.prefix, name, len) == 0
           && (uri_len == 0 || memcmp(s->uri.data, uri, uri_len) == 0);
}


const rms_scan_attr_t *
rms_scan_attr(const rms_scan_t *s, const char *name)
{
    size_t    len;
    unsigned  i;

    len = strlen(name);

    for (i = 0; i < s->n_attrs; i++) {
        if (s->attrs[i].name.prefix == 0 && s->attrs[i].name.len == len
            && memcmp(s->attrs[i].name.data, name, len) == 0)
        {
            return &s->attrs[i];
        }
    }

    return NULL;
}


int
rms_scan_blank(const unsigned char *p, const unsigned char *last)
{
    while (p < last && rms_scan_byte(p, RMS_SCAN_SPACE)) {
        p++;
    }

    return p == last;
}
