/*
 * The scanner against libxml2: what it reads to the end, libxml2 reads with
 * the same events; a request that it finds fine is fine to the parser; an
 * answer that it rewrites, the parser's way rewrites to the same bytes.
 *
 * With the highest bit of the first byte set the rest is a list of steps that
 * build elements, mostly balanced; else the rest is the document.
 */

#include <stdio.h>
#include <stdlib.h>

#include "rms_place.h"
#include "rms_rewrite.h"
#include "rms_scan.h"
#include "rms_soap.h"
#include "rms_soap_scan.h"
#include "rms_xml.h"


#define TEXT_MAX   16384
#define LOG_MAX    (8 * TEXT_MAX)
#define OPEN_MAX   80
#define ALLOCS     4096

#define ENV11  "http://schemas.xmlsoap.org/soap/envelope/"
#define LIC    "http://microsoft.com/DRM/LicensingService"
#define DRM    "http://microsoft.com/DRM/ServerService"

#define must(x)   do { if (!(x)) { abort(); } } while (0)


/* Events as text, by one of the readers. */

typedef struct {
    rms_xml_t  xml;             /* first: libxml2's callbacks get it     */
    size_t     len;
    unsigned   text:1;          /* the last event was text               */
    char       data[LOG_MAX];
} events_t;


static events_t       by_parser, by_scanner;
static void          *blocks[ALLOCS];
static size_t         n_blocks;

static rms_str_t  bases[] = {
    rms_string("http://rms01.corp.harbourline.example/_wmcs"),
    rms_string("https://rights.harbourline.example/_wmcs"),
    rms_string("https://b/_wmcs")
};

static rms_url_map_t  maps[] = {
    { bases, 3, rms_string("https://edge/ab") },
    { bases, 3, rms_string("https://edge/a&b") },
    { bases, 3, rms_string("x\"'y") }
};

static const char  *names[] = {
    "s:Envelope", "s:Header", "s:Body", "AcquireLicense", "XrML",
    "FindServiceLocationsForUserResponse",
    "FindServiceLocationsForUserResult", "ServiceLocationResponse", "URL",
    "GetServerInfoResponse", "GetServerInfoResult", "Results",
    "ServerInfoRequest", "ServiceLocations", "ServiceLocation", "a", "p:a",
    "q:a", "a.b-c_d", "_", "xmlns", "xml:a", "a:", ":a", "s:Fault", "-a",
    "URL", "ServiceLocation", "a", "s:Body", "AcquireLicense", "a:b:c"
};

static const char  *tags[] = {
    "", "", "", "", " xmlns=\"" DRM "\"", " xmlns=\"" LIC "\"",
    " xmlns:s=\"" ENV11 "\"", " xmlns=\"\"", " xmlns:p=\"urn:p\"",
    " xmlns:q=\"urn:p\"", " xmlns:q='http://q/'", " a='1' b=\"2\"", " a='1'",
    " p:a='1' q:a='2'", " p:a=\"x\"", " a='1' a='1'",
    " Type=\"ServiceLocations\"", " Url=\"https://b/_wmcs/x\"",
    " Url='https://b/_wmcs&amp;'", " Url=\"\"", " a='\"'", " a=\">\"",
    " a=\"<\"", " a='&lt;'", " a='&#60;'", " a='\t'", " a = 'b'", " a=b",
    " xmlns:p=\"\"", " xmlns:xml='http://www.w3.org/XML/1998/namespace'",
    " xmlns='http://www.w3.org/2000/xmlns/'", " xmlns='u'",
    " xmlns=\"http://a.b/c_d-e/\"", " xmlns:p='https://0/'",
    " xmlns:p='urn:a%'", " xmlns:p='http://a//b'", " xml:lang='en'", " ",
    "\r\n", "/", " /", " a='1'b='2'", " \xc3\xa4=''", " a='\xc3\xa4'",
    " xmlns='http://-'", " xmlns='urn:a/b.c'", " xmlns='https://a..b/'",
    " xmlns:P='urn:p'"
};

static const char  *texts[] = {
    "", "x", " ", "\r\n", "\n", "https://b/_wmcs/a", "https://c/_wmcs",
    " https://b/_wmcs ", "&amp;", "&lt;", "&gt;&quot;&apos;", "&#32;", "&x;",
    "&", "]]>", "]]", ">", "\"", "'", "\x01", "\xc3\xa4", "\xc3", "\x7f",
    "\xef\xbf\xbe", "\xef\xbf\xbd", "\xed\xa0\x80", "\xf0\x90\x80\x80",
    "\xf4\x90\x80\x80", "\xc0\xaf", "\xe0\x80\x80", "<!-- -->",
    "<![CDATA[x]]>", "<?x ?>", "<", "</", "</a >", "\t", "=", "/>",
    "https://b/_wmcs\r/a", "https://b/_wmcs&amp;a", "\xef\xbb\xbf", "\xc2\x85",
    "\xe2\x80\xa8"
};

static const char  *heads[] = {
    "", "", "<?xml version=\"1.0\" encoding=\"utf-8\"?>",
    "<?xml version='1.0' encoding='UTF-8'?>", "<?xml version=\"1.0\"?>\r\n",
    "<?xml version=\"1.1\"?>", "<?xml version=\"1.0\" encoding=\"x\"?>",
    "\n "
};

#define pick(list, i)  (list)[(i) % (sizeof(list) / sizeof((list)[0]))]


static void *
fuzz_alloc(void *data, size_t size)
{
    (void) data;

    must(n_blocks < ALLOCS);

    return blocks[n_blocks++] = malloc(size ? size : 1);
}


static void
put(events_t *ev, const void *data, size_t len)
{
    must(len <= LOG_MAX - ev->len);
    memcpy(ev->data + ev->len, data, len);
    ev->len += len;
}


static void
put_event(events_t *ev, const char *mark, const void *data, size_t len)
{
    ev->text = 0;
    put(ev, mark, 1);

    if (len) {
        put(ev, data, len);
    }
}


static void
put_string(events_t *ev, const char *mark, const xmlChar *s)
{
    put_event(ev, mark, s, s ? strlen((const char *) s) : 0);
}


static void
put_text(events_t *ev, const void *data, size_t len)
{
    if (len == 0) {
        return;
    }

    if (!ev->text) {
        put_event(ev, "\x06", "", 0);
        ev->text = 1;
    }

    put(ev, data, len);
}


static void
on_start(void *data, const xmlChar *name, const xmlChar *prefix,
    const xmlChar *uri, int n_ns, const xmlChar **ns, int n_attrs,
    int n_defaulted, const xmlChar **attrs)
{
    int        i;
    events_t  *ev = data;

    (void) ns;
    must(n_defaulted == 0);

    if (!rms_xml_enter(&ev->xml, n_ns, n_attrs)) {
        return;
    }

    put_string(ev, "\x02", prefix);
    put_string(ev, "\x01", name);
    put_string(ev, "\x01", uri);

    for (i = 0; i < n_attrs; i++, attrs += 5) {
        put_string(ev, "\x04", attrs[1]);
        put_string(ev, "\x01", attrs[0]);
        put_event(ev, "\x01", attrs[3], (size_t) (attrs[4] - attrs[3]));
    }
}


static void
on_end(void *data, const xmlChar *name, const xmlChar *prefix,
    const xmlChar *uri)
{
    events_t  *ev = data;

    (void) name;
    (void) prefix;
    (void) uri;

    put_event(ev, "\x05", "", 0);
    rms_xml_leave(&ev->xml);
}


static void
on_text(void *data, const xmlChar *text, int len)
{
    put_text(data, text, (size_t) len);
}


static void
on_other(void *data, const xmlChar *a)
{
    (void) data;
    (void) a;

    abort();
}


static void
on_pi(void *data, const xmlChar *a, const xmlChar *b)
{
    (void) b;

    on_other(data, a);
}


static rms_xml_error_e
parse(const unsigned char *data, size_t size)
{
    xmlSAXHandler    sax;
    rms_xml_error_e  error;

    error = rms_xml_sniff(data, size < RMS_XML_HEAD ? size : RMS_XML_HEAD);
    if (error != RMS_XML_FINE) {
        return error;
    }

    memset(&sax, 0, sizeof(sax));
    sax.startElementNs = on_start;
    sax.endElementNs = on_end;
    sax.characters = on_text;
    sax.comment = on_other;
    sax.processingInstruction = on_pi;

    by_parser.len = 0;
    by_parser.text = 0;

    must(rms_xml_open(&by_parser.xml, &sax) == RMS_OK);
    (void) xmlCtxtUseOptions(by_parser.xml.ctxt,
                             XML_PARSE_NONET | XML_PARSE_IGNORE_ENC
                             | XML_PARSE_NOENT);

    if (rms_xml_feed(&by_parser.xml, data, size)) {
        (void) rms_xml_finish(&by_parser.xml);
    }

    error = by_parser.xml.error;
    rms_xml_close(&by_parser.xml);

    return error;
}


/* XML 1.0 2.11 and 4.6 */

static size_t
decode(const unsigned char *p, const unsigned char *last, unsigned char *out)
{
    size_t  i, n, len;

    static const struct {
        const char     *from;
        unsigned char   to;
    } known[] = {
        { "&amp;", '&' }, { "&lt;", '<' }, { "&gt;", '>' },
        { "&quot;", '"' }, { "&apos;", '\'' }
    };

    for (len = 0; p < last; len++) {

        if (*p == '\r') {
            out[len] = '\n';
            p += (last - p > 1 && p[1] == '\n') ? 2 : 1;
            continue;
        }

        out[len] = *p;
        n = 1;

        for (i = 0; *p == '&'; i++) {
            must(i < sizeof(known) / sizeof(known[0]));
            n = strlen(known[i].from);

            if ((size_t) (last - p) >= n && memcmp(p, known[i].from, n) == 0) {
                out[len] = known[i].to;
                break;
            }
        }

        p += n;
    }

    return len;
}


static void
put_name(events_t *ev, const char *mark, const rms_scan_name_t *name)
{
    put_event(ev, mark, name->data, name->prefix ? name->prefix - 1 : 0);
    put_event(ev, "\x01", name->data + name->prefix, name->len - name->prefix);
}


static int
scan(const unsigned char *data, size_t size)
{
    static unsigned char  text[TEXT_MAX];

    unsigned     i;
    rms_scan_e   tag;
    rms_scan_t   s;
    events_t    *ev;

    ev = &by_scanner;
    ev->len = 0;
    ev->text = 0;

    if (!rms_scan_open(&s, data, size) || !rms_scan_clean(data, size)) {
        return 0;
    }

    for ( ;; ) {
        tag = rms_scan_next(&s);

        if (tag != RMS_SCAN_START && tag != RMS_SCAN_END) {
            return tag == RMS_SCAN_DONE;
        }

        if (s.depth > (tag == RMS_SCAN_START)
            || tag == RMS_SCAN_END)
        {
            put_text(ev, text, decode(s.text, s.tag, text));
        }

        if (tag == RMS_SCAN_END) {
            put_event(ev, "\x05", "", 0);
            continue;
        }

        put_name(ev, "\x02", &s.name);
        put_event(ev, "\x01", s.uri.data, s.uri.len);

        for (i = 0; i < s.n_attrs; i++) {
            put_name(ev, "\x04", &s.attrs[i].name);
            put_event(ev, "\x01", text,
                      decode(s.attrs[i].value,
                             s.attrs[i].value + s.attrs[i].len, text));
        }
    }
}


static void
check_events(const unsigned char *data, size_t size)
{
    if (!scan(data, size)) {
        return;
    }

    must(parse(data, size) == RMS_XML_FINE);
    must(by_parser.len == by_scanner.len);
    must(memcmp(by_parser.data, by_scanner.data, by_parser.len) == 0);
}


static void
check_soap(const unsigned char *data, size_t size, unsigned odd)
{
    rms_str_t               parts[2];
    rms_body_t              body;
    rms_soap_result_t       r;
    const rms_operation_t  *op;

    parts[0].data = (unsigned char *) data;
    parts[0].len = odd & 1 ? size / 2 : size;
    parts[1].data = (unsigned char *) data + parts[0].len;
    parts[1].len = size - parts[0].len;
    body.parts = parts;
    body.n = 2;

    op = rms_operation_get(RMS_OP_ACQUIRE_LICENSE);

    if (rms_soap_scan(&body, RMS_SOAP_11, op, 0)) {
        r = rms_soap_parse(&body, RMS_SOAP_11, op, RMS_SOAP_FIRST);
        must(r.error == RMS_SOAP_FINE && !r.parsed_all);
    }

    if (rms_soap_scan(&body, RMS_SOAP_11, op, 1)) {
        r = rms_soap_parse(&body, RMS_SOAP_11, op, RMS_SOAP_STRICT);
        must(r.error == RMS_SOAP_FINE && r.parsed_all);
    }
}


static void
check_rewrite(const unsigned char *data, size_t size, unsigned odd)
{
    unsigned              rule;
    rms_mem_t             mem;
    rms_str_t             in;
    rms_rewrite_result_t  a, b;

    mem.alloc = fuzz_alloc;
    mem.data = NULL;
    in.data = (unsigned char *) data;
    in.len = size;

    for (rule = RMS_REWRITE_LOCATIONS; rule <= RMS_REWRITE_SERVER_INFO; rule++)
    {
        if (rms_rewrite_by(1, &in, rule, &pick(maps, odd), &mem, &a)
            == RMS_OK)
        {
            must(rms_rewrite_by(0, &in, rule, &pick(maps, odd), &mem, &b)
                 == RMS_OK);
            must(a.found == b.found && a.replaced == b.replaced);
            must(rms_str_eq(&a.body, &b.body));
            must((a.body.data == data) == (b.body.data == data));
        }

        while (n_blocks) {
            free(blocks[--n_blocks]);
        }
    }
}


static size_t
add(unsigned char *text, size_t len, const char *s)
{
    size_t  n;

    n = strlen(s);
    memcpy(text + len, s, n);

    return len + n;
}


/* Elements that are open are closed at the end; the name of a step is odd. */

static size_t
assemble(unsigned char *text, const uint8_t *data, size_t size)
{
    size_t       i, len, depth;
    uint8_t      b;
    const char  *open[OPEN_MAX];

    len = add(text, 0, size ? pick(heads, data[0]) : "");
    depth = 0;

    for (i = 1; i + 1 < size && len < TEXT_MAX - OPEN_MAX * 48 - 1024; i++) {
        b = data[i];

        if (b < 0x60 && depth < OPEN_MAX) {
            open[depth] = pick(names, b);
            len = add(text, len, "<");
            len = add(text, len, open[depth++]);
            len = add(text, len, pick(tags, data[i + 1]));
            i++;

            if (data[i] & 0x80 && i + 1 < size) {
                len = add(text, len, pick(tags, data[++i]));
            }

            if (b < 0x40) {
                len = add(text, len, ">");

            } else {
                len = add(text, len, " />");
                depth--;
            }

        } else if (b < 0xb0 && depth != 0) {
            len = add(text, len, "</");
            len = add(text, len, open[--depth]);
            len = add(text, len, ">");

        } else {
            len = add(text, len, pick(texts, b));
        }
    }

    while (depth != 0) {
        len = add(text, len, "</");
        len = add(text, len, open[--depth]);
        len = add(text, len, ">");
    }

    return len;
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
    size_t                n;
    unsigned              odd;
    unsigned char        *exact;
    static unsigned char  text[TEXT_MAX];

    if (size < 1 || size > TEXT_MAX) {
        return 0;
    }

    odd = *data & 0x7f;
    n = size - 1;

    if (*data & 0x80) {
        n = assemble(text, data + 1, size - 1);

    } else {
        memcpy(text, data + 1, n);
    }

    /* exact size, so that a sanitizer sees a read past the end */

    exact = malloc(n ? n : 1);
    must(exact != NULL);
    memcpy(exact, text, n);

    check_events(exact, n);
    check_soap(exact, n, odd);
    check_rewrite(exact, n, odd);

    free(exact);

    return 0;
}
