/*
 * First byte: the size of the log buffer.  The forms announce their length
 * exactly, hold nothing that breaks what is around them, and XML reads back.
 */

#include <stdlib.h>
#include <libxml/parser.h>
#include <libxml/tree.h>

#include "rms_text.h"


#define must(x)   do { if (!(x)) { abort(); } } while (0)


static unsigned char *
escape(size_t (*form)(unsigned char *, const rms_str_t *),
    const rms_str_t *in, size_t *len)
{
    unsigned char  *buf;

    *len = form(NULL, in);

    buf = malloc(*len + 1);
    must(buf != NULL);
    must(form(buf, in) == *len);
    buf[*len] = '\0';

    return buf;
}


static void
check_log(const rms_str_t *in, size_t size)
{
    size_t          i, n;
    unsigned char  *buf;

    buf = malloc(size ? size : 1);
    must(buf != NULL);

    n = rms_text_log(buf, size, in);
    must(n <= size);

    for (i = 0; i < n; i++) {
        must(buf[i] >= ' ' && buf[i] <= '~' && buf[i] != '"');

        if (buf[i] == '\\') {
            must(n - i >= 4 && buf[i + 1] == 'x');
        }
    }

    free(buf);
}


static void
check_json(const rms_str_t *in)
{
    size_t          i, len;
    unsigned char  *buf;

    buf = escape(rms_text_json, in, &len);
    must(xmlCheckUTF8(buf) || memchr(buf, 0, len) != NULL);

    for (i = 0; i < len; i++) {
        must(buf[i] >= ' ' && buf[i] != '"');

        if (buf[i] == '\\') {
            i++;
            must(buf[i] == '"' || buf[i] == '\\' || buf[i] == 'u');
        }
    }

    free(buf);
}


static void
check_xml(const rms_str_t *in)
{
    size_t          len, again;
    xmlDoc         *doc;
    xmlChar        *value;
    rms_str_t       text;
    unsigned char  *buf, *page, *second;

    buf = escape(rms_text_xml, in, &len);
    page = malloc(len + 16);
    must(page != NULL);

    memcpy(page, "<a b=\"", 6);
    memcpy(page + 6, buf, len);
    memcpy(page + 6 + len, "\"/>", 3);

    doc = xmlReadMemory((char *) page, (int) len + 9, NULL, NULL,
                        XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    must(doc != NULL);

    /* reading and writing again changes nothing */

    value = xmlGetProp(xmlDocGetRootElement(doc), (const xmlChar *) "b");
    text.data = value;
    text.len = strlen((const char *) value);

    second = escape(rms_text_xml, &text, &again);
    must(again == len && memcmp(buf, second, len) == 0);

    xmlFree(value);
    xmlFreeDoc(doc);
    free(second);
    free(page);
    free(buf);
}


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rms_str_t  in;

    if (size == 0) {
        return 0;
    }

    in.data = (unsigned char *) data + 1;
    in.len = size - 1;

    check_log(&in, data[0]);
    check_json(&in);
    check_xml(&in);

    return 0;
}
