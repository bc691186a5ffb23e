/*
 * The rewriter against two readers that share nothing with it: a DOM, which
 * must show the same tree but for intended values, and a scan of the bytes
 * with the values cut out, which must be equal.  What the scanner rewrites,
 * the parser's way rewrites to the same bytes.
 */

#include <stdlib.h>
#include <libxml/parser.h>
#include <libxml/tree.h>

#include "rms_place.h"
#include "rms_rewrite.h"
#include "rms_soap.h"


#define DRM       "http://microsoft.com/DRM/ServerService"
#define ALLOCS    4096

#define must(x)   do { if (!(x)) { abort(); } } while (0)


static rms_str_t  bases[] = {
    rms_string("http://rms01.corp.harbourline.example/_wmcs"),
    rms_string("https://rights.harbourline.example/_wmcs"),
    rms_string("https://b/_wmcs")
};

static rms_url_map_t  map = { bases, 3, rms_string("https://edge/a&b") };

static void          *blocks[ALLOCS];
static size_t         n_blocks;
static size_t         n_replaced;


static void *
fuzz_alloc(void *data, size_t size)
{
    (void) data;

    must(n_blocks < ALLOCS);

    return blocks[n_blocks++] = malloc(size ? size : 1);
}


static int
named(const xmlNode *node, const char *name, int bare)
{
    if (node == NULL || node->type != XML_ELEMENT_NODE
        || strcmp((const char *) node->name, name) != 0)
    {
        return 0;
    }

    return node->ns == NULL ? bare
                            : strcmp((const char *) node->ns->href, DRM) == 0;
}


static int
soap(const xmlNode *node, const char *name)
{
    return node != NULL && node->type == XML_ELEMENT_NODE && node->ns != NULL
           && strcmp((const char *) node->name, name) == 0
           && strstr((const char *) node->ns->href, "soap") != NULL;
}


static int
in_body(const xmlNode *node)
{
    return soap(node, "Body") && soap(node->parent, "Envelope")
           && node->parent->parent->type == XML_DOCUMENT_NODE;
}


static int
is_location(const xmlNode *node)
{
    const xmlNode  *p;

    if (!named(node, "URL", 0)
        || !named(node->parent, "ServiceLocationResponse", 0))
    {
        return 0;
    }

    p = node->parent->parent;

    if (named(p, "FindServiceLocationsResult", 0)) {
        return named(p->parent, "FindServiceLocationsResponse", 0)
               && in_body(p->parent->parent);
    }

    return named(p, "FindServiceLocationsForUserResult", 0)
           && named(p->parent, "FindServiceLocationsForUserResponse", 0)
           && in_body(p->parent->parent);
}


static int
is_info(const xmlNode *node)
{
    int             found;
    xmlChar        *type;
    const xmlNode  *p;

    p = node;

    if (!named(p, "ServiceLocation", 1)
        || !named(p = p->parent, "ServiceLocations", 1)
        || !named(p = p->parent, "ServerInfoRequest", 1)
        || !named(p->parent, "Results", 1)
        || !named(p->parent->parent, "GetServerInfoResult", 0)
        || !named(p->parent->parent->parent, "GetServerInfoResponse", 0)
        || !in_body(p->parent->parent->parent->parent))
    {
        return 0;
    }

    type = xmlGetNoNsProp((xmlNode *) p, (const xmlChar *) "Type");
    found = type != NULL
            && strcmp((const char *) type, "ServiceLocations") == 0;
    xmlFree(type);

    return found;
}


/* b is a, or a with its base replaced. */

static void
compare_values(const xmlChar *a, const xmlChar *b)
{
    size_t     n, lead;
    rms_str_t  url;

    must(a != NULL && b != NULL);

    lead = strspn((const char *) a, " \t\r\n");
    url.data = (unsigned char *) a + lead;
    url.len = strlen((const char *) url.data);

    while (url.len && strchr(" \t\r\n", url.data[url.len - 1])) {
        url.len--;
    }

    n = rms_url_map(&url, &map);

    if (n == 0) {
        must(strcmp((const char *) a, (const char *) b) == 0);
        return;
    }

    must(memcmp(a, b, lead) == 0);
    must(strncmp((const char *) b + lead, (char *) map.target.data,
                 map.target.len) == 0);
    must(strcmp((const char *) url.data + n,
                (const char *) b + lead + map.target.len) == 0);

    n_replaced++;
}


static int
same(const xmlChar *a, const xmlChar *b)
{
    return a == b || (a != NULL && b != NULL
                      && strcmp((const char *) a, (const char *) b) == 0);
}


static void
compare_elements(xmlNode *a, xmlNode *b, rms_rewrite_rule_e rule)
{
    int        info;
    xmlNs     *m, *n;
    xmlAttr   *x, *y;
    xmlChar   *v, *w;

    must((a->ns == NULL) == (b->ns == NULL));
    must(a->ns == NULL || (same(a->ns->href, b->ns->href)
                           && same(a->ns->prefix, b->ns->prefix)));

    for (m = a->nsDef, n = b->nsDef; m && n; m = m->next, n = n->next) {
        must(same(m->href, n->href) && same(m->prefix, n->prefix));
    }

    must(m == NULL && n == NULL);

    info = rule == RMS_REWRITE_SERVER_INFO && is_info(a);

    for (x = a->properties, y = b->properties; x && y;
         x = x->next, y = y->next)
    {
        must(same(x->name, y->name));
        must((x->ns == NULL) == (y->ns == NULL));
        must(x->ns == NULL || same(x->ns->href, y->ns->href));

        v = xmlNodeGetContent((xmlNode *) x);
        w = xmlNodeGetContent((xmlNode *) y);

        if (info && x->ns == NULL
            && strcmp((const char *) x->name, "Url") == 0)
        {
            compare_values(v, w);

        } else {
            must(same(v, w));
        }

        xmlFree(v);
        xmlFree(w);
    }

    must(x == NULL && y == NULL);
}


static void
compare_lists(xmlNode *a, xmlNode *b, rms_rewrite_rule_e rule)
{
    xmlChar  *v, *w;

    for ( ; a && b; a = a->next, b = b->next) {
        must(a->type == b->type);
        must(same(a->name, b->name));

        if (a->type != XML_ELEMENT_NODE) {
            must(same(a->content, b->content));
            continue;
        }

        compare_elements(a, b, rule);

        if (rule == RMS_REWRITE_LOCATIONS && is_location(a)) {
            v = xmlNodeGetContent(a);
            w = xmlNodeGetContent(b);
            compare_values(v, w);
            xmlFree(v);
            xmlFree(w);
            continue;
        }

        compare_lists(a->children, b->children, rule);
    }

    must(a == NULL && b == NULL);
}


static void
compare_trees(const rms_str_t *in, const rms_rewrite_result_t *result,
    rms_rewrite_rule_e rule)
{
    xmlDoc  *a, *b;

    const int  options = XML_PARSE_NONET | XML_PARSE_IGNORE_ENC
                         | XML_PARSE_NOERROR | XML_PARSE_NOWARNING;

    a = xmlReadMemory((char *) in->data, (int) in->len, NULL, NULL, options);
    b = xmlReadMemory((char *) result->body.data, (int) result->body.len,
                      NULL, NULL, options);

    must(a != NULL && b != NULL);
    must(a->intSubset == NULL && b->intSubset == NULL);

    n_replaced = 0;
    compare_lists(a->children, b->children, rule);
    must(n_replaced == result->replaced);

    xmlFreeDoc(a);
    xmlFreeDoc(b);
}


static const unsigned char *
after(const unsigned char *p, const unsigned char *last, const char *what)
{
    const unsigned char  *q;

    q = memmem(p, (size_t) (last - p), what, strlen(what));

    return q ? q + strlen(what) : last;
}


/* Where the tag at p ends: '>' outside of quotes. */

static const unsigned char *
tag_end(const unsigned char *p, const unsigned char *last)
{
    unsigned char  quote;

    for (quote = 0; p < last; p++) {
        if (quote) {
            quote = *p == quote ? 0 : quote;

        } else if (*p == '"' || *p == '\'') {
            quote = *p;

        } else if (*p == '>') {
            return p + 1;
        }
    }

    return last;
}


static int
tag_named(const unsigned char *p, const unsigned char *last, const char *name)
{
    size_t  n;

    n = strlen(name);

    if ((size_t) (last - p) <= n || memcmp(p, name, n) != 0) {
        return 0;
    }

    return strchr(" \t\r\n/>", p[n]) != NULL;
}


/*
 * Copies a document without the content of elements named URL and without
 * what quotes hold in tags named ServiceLocation.
 */

static size_t
mask(const rms_str_t *in, unsigned char *out)
{
    unsigned char          quote;
    const unsigned char   *p, *q, *name, *last, *from;
    unsigned char         *start;

    p = in->data;
    last = p + in->len;
    start = out;

    while (p < last) {
        from = p;

        if (*p != '<') {
            *out++ = *p++;
            continue;
        }

        if (last - p >= 4 && memcmp(p, "<!--", 4) == 0) {
            p = after(p + 4, last, "-->");

        } else if (last - p >= 9 && memcmp(p, "<![CDATA[", 9) == 0) {
            p = after(p, last, "]]>");

        } else if (last - p >= 2 && p[1] == '?') {
            p = after(p, last, "?>");

        } else {
            p = tag_end(p, last);
        }

        name = from + 1;

        for (q = name; q < p && strchr(" \t\r\n/>\"'", *q) == NULL; q++) {
            if (*q == ':') {
                name = q + 1;
            }
        }

        if (tag_named(name, last, "ServiceLocation")) {
            for (quote = 0, q = from; q < p; q++) {
                if (quote == 0 || *q == quote) {
                    *out++ = *q;
                }

                if (quote == *q) {
                    quote = 0;

                } else if (quote == 0 && (*q == '"' || *q == '\'')) {
                    quote = *q;
                }
            }

            continue;
        }

        memcpy(out, from, (size_t) (p - from));
        out += p - from;

        if (!tag_named(name, last, "URL") || p[-2] == '/') {
            continue;
        }

        while (p < last) {
            if (*p != '<') {
                p++;

            } else if (last - p >= 4 && memcmp(p, "<!--", 4) == 0) {
                p = after(p + 4, last, "-->");

            } else if (last - p >= 9 && memcmp(p, "<![CDATA[", 9) == 0) {
                p = after(p, last, "]]>");

            } else if (last - p >= 2 && p[1] == '?') {
                p = after(p, last, "?>");

            } else {
                break;
            }
        }
    }

    return (size_t) (out - start);
}


static void
compare_bytes(const rms_str_t *in, const rms_str_t *out)
{
    size_t          n, m;
    unsigned char  *a, *b;

    a = malloc(in->len + 1);
    b = malloc(out->len + 1);
    must(a != NULL && b != NULL);

    n = mask(in, a);
    m = mask(out, b);

    must(n == m && memcmp(a, b, n) == 0);

    free(a);
    free(b);
}


static void
compare_ways(const rms_str_t *in, rms_rewrite_rule_e rule,
    const rms_mem_t *mem)
{
    rms_rewrite_result_t  a, b;

    if (rms_rewrite_by(1, in, rule, &map, mem, &a) != RMS_OK) {
        return;
    }

    must(rms_rewrite_by(0, in, rule, &map, mem, &b) == RMS_OK);
    must(a.found == b.found && a.replaced == b.replaced);
    must(rms_str_eq(&a.body, &b.body));
}


static void
fuzz_rule(const rms_str_t *in, rms_rewrite_rule_e rule)
{
    rms_rc_e              rc;
    rms_mem_t             mem;
    rms_rewrite_result_t  result;

    mem.alloc = fuzz_alloc;
    mem.data = NULL;

    rc = rms_rewrite(in, rule, &map, &mem, &result);

    if (rc == RMS_OK) {
        must(result.replaced <= result.found);

        if (result.replaced == 0) {
            must(result.body.data == in->data && result.body.len == in->len);
        }

        compare_trees(in, &result, rule);
        compare_bytes(in, &result.body);

    } else {
        must(result.body.data == in->data);
    }

    compare_ways(in, rule, &mem);

    while (n_blocks) {
        free(blocks[--n_blocks]);
    }
}


int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void) argc;
    (void) argv;

    rms_xml_init();

    return 0;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rms_str_t  in;

    in.data = (unsigned char *) data;
    in.len = size;

    fuzz_rule(&in, RMS_REWRITE_LOCATIONS);
    fuzz_rule(&in, RMS_REWRITE_SERVER_INFO);

    return 0;
}
