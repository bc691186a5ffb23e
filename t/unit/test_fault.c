/*
 * rms_fault: our own answers are the samples, byte for byte.
 */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <libxml/parser.h>

#include "rms_fault.h"
#include "test_mem.h"


static void
faults_equal_the_samples(void **state)
{
    FILE             *f;
    size_t            i, n;
    const rms_str_t  *body;
    unsigned char     buf[2048];

    static const struct {
        const char          *path;
        rms_fault_e          fault;
        rms_soap_version_e   version;
    } t[] = {
        { "t/samples/fault-unauthorized.xml",
          RMS_FAULT_UNAUTHORIZED, RMS_SOAP_11 },
        { "t/samples/fault-unauthorized.xml",
          RMS_FAULT_UNAUTHORIZED, RMS_SOAP_NONE },
        { "t/samples/fault-onlinepublishingdisabled.xml",
          RMS_FAULT_PUBLISHING, RMS_SOAP_11 },
        { "t/samples/fault-onlinepublishingdisabled.xml",
          RMS_FAULT_PUBLISHING, RMS_SOAP_NONE },
        { "t/samples/fault-onlinepublishingdisabled-soap12.xml",
          RMS_FAULT_PUBLISHING, RMS_SOAP_12 }
    };

    (void) state;

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        f = fopen(t[i].path, "rb");
        assert_non_null(f);
        n = fread(buf, 1, sizeof(buf), f);
        fclose(f);

        body = rms_fault_body(t[i].fault, t[i].version);
        assert_int_equal(body->len, n);
        assert_memory_equal(body->data, buf, n);
    }
}


static void
every_fault_is_well_formed_and_names_its_exception(void **state)
{
    unsigned          fault, version;
    xmlDocPtr         doc;
    const rms_str_t  *body;

    static const char *names[] = {
        "System.UnauthorizedAccessException: ",
        "Microsoft.DigitalRightsManagement.Licensing."
        "OnlinePublishingDisabledException: "
    };

    static const char *spaces[] = {
        "http://schemas.xmlsoap.org/soap/envelope/",
        "http://schemas.xmlsoap.org/soap/envelope/",
        "http://www.w3.org/2003/05/soap-envelope"
    };

    (void) state;

    for (fault = RMS_FAULT_UNAUTHORIZED; fault <= RMS_FAULT_PUBLISHING;
         fault++)
    {
        for (version = RMS_SOAP_NONE; version <= RMS_SOAP_12; version++) {
            body = rms_fault_body((rms_fault_e) fault,
                                  (rms_soap_version_e) version);

            assert_non_null(memmem(body->data, body->len, names[fault],
                                   strlen(names[fault])));
            assert_null(memmem(body->data, body->len, "VersionData", 11));

            doc = xmlReadMemory((char *) body->data, (int) body->len, NULL,
                                NULL, 0);
            assert_non_null(doc);
            assert_string_equal((char *) xmlDocGetRootElement(doc)->ns->href,
                                spaces[version]);
            xmlFreeDoc(doc);
        }
    }
}


static void
the_media_type_follows_the_soap_version(void **state)
{
    (void) state;

    assert_true(rms_str_is(rms_fault_type(RMS_SOAP_NONE),
                           "text/xml; charset=utf-8"));
    assert_true(rms_str_is(rms_fault_type(RMS_SOAP_11),
                           "text/xml; charset=utf-8"));
    assert_true(rms_str_is(rms_fault_type(RMS_SOAP_12),
                           "application/soap+xml; charset=utf-8"));
}


static void
the_service_page_holds_the_name_of_the_service(void **state)
{
    rms_str_t       page;
    test_mem_t      mem;
    rms_endpoint_t  ep;

    static const char  name[] = "ServerCertificationWebService";

    (void) state;

    memset(&ep, 0, sizeof(rms_endpoint_t));
    ep.service.data = (unsigned char *) name;
    ep.service.len = sizeof(name) - 1;

    assert_int_equal(rms_fault_page(&ep, test_mem_init(&mem, 0), &page),
                     RMS_OK);
    assert_non_null(memmem(page.data, page.len, name, sizeof(name) - 1));
    assert_memory_equal(page.data, "<!DOCTYPE html>", 15);
    assert_memory_equal(page.data + page.len - 8, "</html>\n", 8);
    assert_null(memmem(page.data, page.len, "://", 3));
    assert_true(page.len < 1024);
    test_mem_free(&mem);

    assert_int_equal(rms_fault_page(&ep, test_mem_init(&mem, 1), &page),
                     RMS_NOMEM);
    assert_int_equal(page.len, 0);
    test_mem_free(&mem);
}


int
main(void)
{
    int                      rc;
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(faults_equal_the_samples),
        cmocka_unit_test(every_fault_is_well_formed_and_names_its_exception),
        cmocka_unit_test(the_media_type_follows_the_soap_version),
        cmocka_unit_test(the_service_page_holds_the_name_of_the_service)
    };

    rc = cmocka_run_group_tests(tests, NULL, NULL);

    xmlCleanupParser();

    return rc;
}
