/*
 * Answers of our own.  The faults are constants; the page is built in the
 * caller's memory.  Any thread.
 */

#include "rms_fault.h"
#include "rms_text.h"


#define RMS_FAULT_DECLARATION                                                 \
    "<?xml version=\"1.0\" encoding=\"utf-8\"?>"

#define RMS_FAULT_SCHEMA                                                      \
    " xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\""                \
    " xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\">"

/* faultcode is always Server: [MS-RMPR] 3.1.4.5 */

#define rms_fault_11(text)                                                    \
    rms_string(RMS_FAULT_DECLARATION                                          \
        "<soap:Envelope"                                                      \
        " xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\""           \
        RMS_FAULT_SCHEMA "<soap:Body><soap:Fault>"                            \
        "<faultcode>soap:Server</faultcode>"                                  \
        "<faultstring>" text "</faultstring><detail />"                       \
        "</soap:Fault></soap:Body></soap:Envelope>")

#define rms_fault_12(text)                                                    \
    rms_string(RMS_FAULT_DECLARATION                                          \
        "<soap:Envelope"                                                      \
        " xmlns:soap=\"http://www.w3.org/2003/05/soap-envelope\""             \
        RMS_FAULT_SCHEMA "<soap:Body><soap:Fault>"                            \
        "<soap:Code><soap:Value>soap:Receiver</soap:Value></soap:Code>"       \
        "<soap:Reason><soap:Text xml:lang=\"en\">" text                       \
        "</soap:Text></soap:Reason><soap:Detail />"                           \
        "</soap:Fault></soap:Body></soap:Envelope>")

#define RMS_FAULT_TEXT_UNAUTHORIZED                                           \
    "System.UnauthorizedAccessException: "                                    \
    "the caller is not allowed to use this service"

#define RMS_FAULT_TEXT_PUBLISHING                                             \
    "Microsoft.DigitalRightsManagement.Licensing."                            \
    "OnlinePublishingDisabledException: "                                     \
    "publishing is not available through this relay"


/* By fault, then by version: 1.1, 1.2. */

static const rms_str_t  rms_fault_bodies[][2] = {
    { rms_fault_11(RMS_FAULT_TEXT_UNAUTHORIZED),
      rms_fault_12(RMS_FAULT_TEXT_UNAUTHORIZED) },
    { rms_fault_11(RMS_FAULT_TEXT_PUBLISHING),
      rms_fault_12(RMS_FAULT_TEXT_PUBLISHING) }
};

static const rms_str_t  rms_fault_types[] = {
    rms_string("text/xml; charset=utf-8"),
    rms_string("application/soap+xml; charset=utf-8")
};

static const rms_str_t  rms_fault_page_parts[] = {
    rms_string("<!DOCTYPE html>\n<html>\n<head><title>"),
    rms_string("</title></head>\n<body>\n<h1>"),
    rms_string("</h1>\n<p>The service answers SOAP requests sent by "
               "POST.</p>\n</body>\n</html>\n")
};


static unsigned char *rms_fault_put(unsigned char *p, const rms_str_t *text);


const rms_str_t *
rms_fault_body(rms_fault_e fault, rms_soap_version_e version)
{
    return &rms_fault_bodies[fault][version == RMS_SOAP_12];
}


const rms_str_t *
rms_fault_type(rms_soap_version_e version)
{
    return &rms_fault_types[version == RMS_SOAP_12];
}


rms_rc_e
rms_fault_page(const rms_endpoint_t *ep, const rms_mem_t *mem, rms_str_t *out)
{
    size_t             len;
    unsigned char     *p;
    const rms_str_t   *part;

    part = rms_fault_page_parts;

    len = part[0].len + part[1].len + part[2].len
          + 2 * rms_text_xml(NULL, &ep->service);

    out->len = 0;
    out->data = rms_alloc(mem, len);

    if (out->data == NULL) {
        return RMS_NOMEM;
    }

    p = rms_fault_put(out->data, &part[0]);
    p += rms_text_xml(p, &ep->service);
    p = rms_fault_put(p, &part[1]);
    p += rms_text_xml(p, &ep->service);
    (void) rms_fault_put(p, &part[2]);

    out->len = len;

    return RMS_OK;
}


static unsigned char *
rms_fault_put(unsigned char *p, const rms_str_t *text)
{
    memcpy(p, text->data, text->len);

    return p + text->len;
}
