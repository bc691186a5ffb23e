/*
 * rms_soap: which licensor the reader finds, and that the byte search never
 * says another one.
 */

#include "test_soap.h"


typedef struct {
    const char  *body;
    const char  *guid;          /* what the parser finds, "" for none    */
    int          searched;      /* the search must find it too           */
} licensor_case_t;


static rms_rc_e
search(const char *text, size_t len, size_t split, rms_operation_e op,
    rms_licensor_t *licensor)
{
    rms_str_t   parts[3];
    rms_body_t  body;

    parts[0].data = (unsigned char *) text;
    parts[0].len = split;
    parts[1].data = NULL;
    parts[1].len = 0;
    parts[2].data = (unsigned char *) text + split;
    parts[2].len = len - split;

    body.parts = parts;
    body.n = 3;

    return rms_soap_search(&body, rms_operation_get(op), licensor);
}


static void
search_finds_the_licensor_of_every_sample_wherever_it_is_split(void **state)
{
    char            *data;
    size_t           i, len, split;
    rms_licensor_t   licensor;

    (void) state;

    for (i = 0; i < N_SAMPLES; i++) {
        data = sample(samples[i].name, &len);

        for (split = 0; split <= len; split += split < 3000 ? 1 : 997) {

            assert_int_equal(search(data, len, split, samples[i].op,
                                    &licensor),
                             samples[i].guid[0] != '\0' ? RMS_OK
                                                        : RMS_DECLINED);
            assert_guid(&licensor, samples[i].guid);
        }

        free(data);
    }
}


static void
check_licensor(const licensor_case_t *c, size_t n, rms_operation_e op)
{
    size_t              i, len, split;
    unsigned            depth;
    rms_rc_e            rc;
    rms_licensor_t      licensor;
    rms_soap_result_t   r;

    for (i = 0; i < n; i++) {
        len = strlen(c[i].body);

        for (depth = RMS_SOAP_LICENSOR; depth <= RMS_SOAP_STRICT; depth++) {
            r = read_parts(c[i].body, len, 3, RMS_SOAP_11, op, depth);

            if (r.error != RMS_SOAP_FINE) {
                fail_msg("%s: %d", c[i].body, r.error);
            }

            if (r.licensor.len != strlen(c[i].guid)
                || memcmp(r.licensor.guid, c[i].guid, r.licensor.len) != 0)
            {
                fail_msg("%s: %.*s", c[i].body, (int) r.licensor.len,
                         (char *) r.licensor.guid);
            }
        }

        for (split = 0; split <= len; split++) {
            rc = search(c[i].body, len, split, op, &licensor);

            if (rc != (c[i].searched ? RMS_OK : RMS_DECLINED)) {
                fail_msg("%s: search %d", c[i].body, rc);
            }

            assert_guid(&licensor, c[i].searched ? c[i].guid : "");
        }
    }
}


#define check_licensor_table(table, op)                                       \
    check_licensor(table, sizeof(table) / sizeof(table[0]), op)


static void
the_first_licence_that_is_not_nil_has_the_licensor(void **state)
{
    static const licensor_case_t  c[] = {
        { HEAD LICENCE(GUID_A) TAIL, GUID_A, 1 },
        { HEAD "<LicenseeCerts>" CERT(GUID_B) "</LicenseeCerts>"
          LICENCE(GUID_A) TAIL, GUID_A, 1 },
        { HEAD LICENCE(GUID_A) "<LicenseeCerts>" CERT(GUID_B)
          "</LicenseeCerts>" TAIL, GUID_A, 1 },
        { HEAD "<IssuanceLicense>" CERT(GUID_A) CERT(GUID_B)
          "</IssuanceLicense>" TAIL, GUID_A, 1 },
        { HEAD LICENCE(GUID_A) ITEM_END ITEM LICENCE(GUID_B) TAIL,
          GUID_A, 1 },
        { HEAD "<LicenseeCerts/>" LICENCE(GUID_A) TAIL, GUID_A, 1 },
        { HEAD ITEM_END ITEM LICENCE(GUID_B) TAIL, GUID_B, 0 },
        { HEAD "<IssuanceLicense/>" ITEM_END ITEM LICENCE(GUID_B) TAIL,
          GUID_B, 0 },
        { HEAD "<IssuanceLicense xsi:nil=\"true\"/>" ITEM_END ITEM
          LICENCE(GUID_B) TAIL, GUID_B, 0 },
        { HEAD "<IssuanceLicense xsi:nil=\"true\">" CERT(GUID_A)
          "</IssuanceLicense>" ITEM_END ITEM LICENCE(GUID_B) TAIL,
          GUID_B, 0 },
        { HEAD "<IssuanceLicense><Certificate xsi:nil=\"1\">" XRML(GUID_A)
          "</Certificate>" CERT(GUID_B) "</IssuanceLicense>" TAIL,
          GUID_B, 0 },
        { HEAD "<IssuanceLicense xsi:nil=\"false\">" CERT(GUID_A)
          "</IssuanceLicense>" TAIL, GUID_A, 0 },
        { HEAD "<IssuanceLicense><Certificate/>" CERT(GUID_A)
          "</IssuanceLicense>" TAIL, GUID_A, 0 },
        { HEAD "<IssuanceLicense><Certificate>" XRML_WITH("")
          "</Certificate>" CERT(GUID_B) "</IssuanceLicense>" TAIL, "", 0 },
        { HEAD TAIL, "", 0 },
        { BODY OP OP_END CLOSE, "", 0 },
    };

    (void) state;

    check_licensor_table(c, RMS_OP_ACQUIRE_LICENSE);
}


static void
forms_of_the_same_licence_have_the_same_licensor(void **state)
{
    static const licensor_case_t  c[] = {
        { DECL "\r\n" HEAD LICENCE(GUID_A) TAIL, GUID_A, 1 },
        { "\xef\xbb\xbf" DECL HEAD LICENCE(GUID_A) TAIL, GUID_A, 1 },
        { OPEN "<s:Header><x>Body</x></s:Header>\n<s:Body>\n  " OP
          "\n<RequestParams xmlns=\"" LIC "\">\n" ITEM "\n"
          LICENCE(GUID_A) TAIL, GUID_A, 1 },
        { HEAD "<IssuanceLicense l:arrayType=\"Certificate[2]\">"
          CERT(GUID_A) "</IssuanceLicense>" TAIL, GUID_A, 1 },
        { "<Envelope xmlns=\"" ENV11 "\"><Header/><Body>" OP
          "<RequestParams>" ITEM LICENCE(GUID_A) ITEM_END
          "</RequestParams>" OP_END "</Body></Envelope>", GUID_A, 1 },
        { HEAD "<!-- c -->" LICENCE(GUID_A) TAIL, GUID_A, 0 },
        { BODY "<l:AcquireLicense><l:RequestParams><l:AcquireLicenseParams>"
          "<l:IssuanceLicense><l:Certificate>" XRML(GUID_A)
          "</l:Certificate></l:IssuanceLicense></l:AcquireLicenseParams>"
          "</l:RequestParams></l:AcquireLicense>" CLOSE, GUID_A, 0 },
        { BODY "<AcquireLicense xmlns='" LIC "'><RequestParams>" ITEM
          LICENCE(GUID_A) TAIL, GUID_A, 0 },
    };

    (void) state;

    check_licensor_table(c, RMS_OP_ACQUIRE_LICENSE);
}


static void
the_text_of_the_guid_is_read_as_a_licence_writes_it(void **state)
{
#define ID_OF(text)                                                           \
    HEAD "<IssuanceLicense><Certificate>"                                     \
    XRML_WITH("<ISSUEDPRINCIPALS>" PRINCIPAL_OF(text) "</ISSUEDPRINCIPALS>")  \
    "</Certificate></IssuanceLicense>" TAIL
#define BLANKS  "                    "

    static const licensor_case_t  c[] = {
        { ID_OF("{AAAAAAAA-0000-4000-8000-00000000000A}"), GUID_A, 1 },
        { ID_OF(GUID_A), GUID_A, 1 },
        { ID_OF("\r\n\t {" GUID_A "}\r\n "), GUID_A, 1 },
        { ID_OF("<![CDATA[{" GUID_A "}]]>"), GUID_A, 0 },
        { ID_OF("{aaaaaaa&#97;-0000-4000-8000-00000000000a}"), GUID_A, 0 },
        { ID_OF("{aaaaaaaa<!-- c -->-0000-4000-8000-00000000000a}"),
          GUID_A, 0 },
        { ID_OF("{aaaaaaaa<x>z</x>-0000-4000-8000-00000000000a}"),
          GUID_A, 0 },
        { ID_OF(GUID_A BLANKS BLANKS BLANKS BLANKS "           "),
          GUID_A, 1 },
        { ID_OF(GUID_A BLANKS BLANKS BLANKS BLANKS "            "), "", 0 },
        { ID_OF(GUID_A BLANKS BLANKS BLANKS BLANKS BLANKS "x"), "", 0 },
        { ID_OF("{" GUID_A), "", 0 },
        { ID_OF(""), "", 0 },
        { ID_OF("gaaaaaaa-0000-4000-8000-00000000000a"), "", 0 },
    };

    (void) state;

    check_licensor_table(c, RMS_OP_ACQUIRE_LICENSE);
}


static void
an_object_or_id_of_another_kind_is_no_licensor(void **state)
{
#define OBJ(object, id)                                                       \
    HEAD "<IssuanceLicense><Certificate>"                                     \
    XRML_WITH("<ISSUEDPRINCIPALS><PRINCIPAL><OBJECT " object "><ID " id ">"   \
              GUID_B "</ID></OBJECT></PRINCIPAL>" PRINCIPAL_OF(GUID_A)        \
              "</ISSUEDPRINCIPALS>")                                          \
    "</Certificate></IssuanceLicense>" TAIL

    static const licensor_case_t  c[] = {
        { OBJ("type=\"MS-DRM-Server\"", "type=\"MS-GUID\""), GUID_B, 1 },
        { OBJ("type=\"Group-Identity\"", "type=\"MS-GUID\""), GUID_A, 0 },
        { OBJ("type=\"MS-DRM-Server\"", "type=\"Windows\""), GUID_A, 0 },
        { OBJ("", "type=\"MS-GUID\""), GUID_A, 0 },
        { OBJ("xsi:type=\"MS-DRM-Server\"", "type=\"MS-GUID\""), GUID_A, 0 },
        { OBJ("type='MS-DRM-Server'", "type=\"MS-GUID\""), GUID_B, 0 },
        { OBJ("x=\"y\" type=\"MS-DRM-Server\"", "type=\"MS-GUID\""),
          GUID_B, 0 },
    };

    (void) state;

    check_licensor_table(c, RMS_OP_ACQUIRE_LICENSE);
}


/* What an attacker would write to be routed to another cluster. */

static void
fakes_do_not_change_the_licensor(void **state)
{
#define FAKE       ITEM LICENCE(GUID_B) ITEM_END
#define FAKE_BODY  "<s:Body>" OP "<RequestParams>" FAKE "</RequestParams>"    \
                   OP_END "</s:Body>"

    static const licensor_case_t  c[] = {

        /* the real thing in ApplicationData, before the real thing */

        { HEAD "<ApplicationData>" LICENCE(GUID_B) "</ApplicationData>"
          LICENCE(GUID_A) TAIL, GUID_A, 1 },
        { HEAD "<ApplicationData><ApplicationData/></ApplicationData>"
          LICENCE(GUID_A) TAIL, GUID_A, 0 },
        { HEAD "<ApplicationData><ApplicationData></ApplicationData>"
          LICENCE(GUID_B) "</ApplicationData>" LICENCE(GUID_A) TAIL,
          GUID_A, 0 },

        /* in a comment, CDATA, escaped, in an attribute */

        { HEAD "<!--" LICENCE(GUID_B) "-->" LICENCE(GUID_A) TAIL, GUID_A, 0 },
        { HEAD "<ApplicationData><!--</ApplicationData>" LICENCE(GUID_B)
          "--></ApplicationData>" LICENCE(GUID_A) TAIL, GUID_A, 0 },
        { HEAD "<ApplicationData><![CDATA[</ApplicationData>"
          LICENCE(GUID_B) "]]></ApplicationData>" LICENCE(GUID_A) TAIL,
          GUID_A, 0 },
        { HEAD "<IssuanceLicense><Certificate>&lt;XrML xmlns=\"\"&gt;"
          "</Certificate>" CERT(GUID_A) "</IssuanceLicense>" TAIL,
          GUID_A, 0 },
        { HEAD "<ApplicationData x=\"/\">" LICENCE(GUID_B)
          "</ApplicationData>" LICENCE(GUID_A) TAIL, GUID_A, 1 },
        { HEAD "<ApplicationData x='/>' y=\">\">" LICENCE(GUID_B)
          "</ApplicationData>" LICENCE(GUID_A) TAIL, GUID_A, 0 },
        { HEAD "<ApplicationData y=\"/>\">" LICENCE(GUID_B)
          "</ApplicationData>" LICENCE(GUID_A) TAIL, GUID_A, 1 },

        /* end tags with blanks, so that an ancestor's end tag seems to be
           the one of the element beside the way */

        { BODY OP "<RequestParams>" ITEM "<RequestParams></RequestParams >"
          ITEM_END "</RequestParams>" LICENCE(GUID_B) OP_END CLOSE, "", 0 },
        { HEAD "<ApplicationData></ApplicationData\n>" LICENCE(GUID_A) TAIL,
          GUID_A, 0 },

        /* in the Header, in LicenseeCerts, beside the operation */

        { OPEN "<s:Header>" FAKE_BODY "</s:Header><s:Body>" OP
          "<RequestParams>" ITEM LICENCE(GUID_A) TAIL, GUID_A, 1 },
        { OPEN "<s:Header><s:Header></s:Header>" FAKE_BODY
          "</s:Header><s:Body>" OP "<RequestParams>" ITEM LICENCE(GUID_A)
          TAIL, GUID_A, 0 },
        { HEAD "<LicenseeCerts><Certificate>" LICENCE(GUID_B)
          "</Certificate></LicenseeCerts>" LICENCE(GUID_A) TAIL, GUID_A, 1 },
        { BODY OP "<x>" FAKE "</x><RequestParams>" ITEM LICENCE(GUID_A)
          TAIL, GUID_A, 0 },

        /* right names in other namespaces */

        { HEAD "<IssuanceLicense xmlns=\"urn:x\">" CERT(GUID_B)
          "</IssuanceLicense>" LICENCE(GUID_A) TAIL, GUID_A, 0 },
        { HEAD "<IssuanceLicense x=\"xmlns\" xmlns=\"urn:x\">" CERT(GUID_B)
          "</IssuanceLicense>" LICENCE(GUID_A) TAIL, GUID_A, 0 },
        { HEAD "<IssuanceLicense xmlns=\"http://microsoft.com/DRM/"
          "LicensingServicE\">" CERT(GUID_B) "</IssuanceLicense>"
          LICENCE(GUID_A) TAIL, GUID_A, 0 },
        { HEAD "<IssuanceLicense><Certificate><XrML a=' xmlns=\"\"'>"
          "<BODY xmlns=\"\"><ISSUEDPRINCIPALS>" PRINCIPAL_OF(GUID_B)
          "</ISSUEDPRINCIPALS></BODY></XrML></Certificate>" CERT(GUID_A)
          "</IssuanceLicense>" TAIL, GUID_A, 0 },
        { HEAD "<s:IssuanceLicense>" CERT(GUID_B) "</s:IssuanceLicense>"
          LICENCE(GUID_A) TAIL, GUID_A, 0 },
        { HEAD "<l:IssuanceLicense>" CERT(GUID_B) "</l:IssuanceLicense>"
          LICENCE(GUID_A) TAIL, GUID_B, 0 },
        { HEAD "<IssuanceLicense><Certificate><XrML>"
          "<BODY xmlns=\"\"><ISSUEDPRINCIPALS>" PRINCIPAL_OF(GUID_B)
          "</ISSUEDPRINCIPALS></BODY></XrML></Certificate>" CERT(GUID_A)
          "</IssuanceLicense>" TAIL, GUID_A, 0 },
        { HEAD "<IssuanceLicense><Certificate>"
          XRML_WITH("<ISSUEDPRINCIPALS xmlns=\"urn:x\">"
                    PRINCIPAL_OF(GUID_B) "</ISSUEDPRINCIPALS>"
                    "<ISSUEDPRINCIPALS>" PRINCIPAL_OF(GUID_A)
                    "</ISSUEDPRINCIPALS>")
          "</Certificate></IssuanceLicense>" TAIL, GUID_A, 0 },

        /* one level too deep or too high */

        { HEAD "<x>" LICENCE(GUID_B) "</x>" LICENCE(GUID_A) TAIL, GUID_A, 1 },
        { HEAD "<IssuanceLicense><x>" CERT(GUID_B) "</x>" CERT(GUID_A)
          "</IssuanceLicense>" TAIL, GUID_A, 0 },
        { HEAD "<IssuanceLicense>" XRML(GUID_B) CERT(GUID_A)
          "</IssuanceLicense>" TAIL, GUID_A, 0 },
        { HEAD "<IssuanceLicense><Certificate>"
          XRML_WITH("<ISSUER><ISSUEDPRINCIPALS>" PRINCIPAL_OF(GUID_B)
                    "</ISSUEDPRINCIPALS></ISSUER><ISSUEDPRINCIPALS>"
                    PRINCIPAL_OF(GUID_A) "</ISSUEDPRINCIPALS>")
          "</Certificate></IssuanceLicense>" TAIL, GUID_A, 1 },
    };

    (void) state;

    check_licensor_table(c, RMS_OP_ACQUIRE_LICENSE);
}


static void
unsigned_and_signed_licences_stand_without_a_certificate(void **state)
{
#define PUBLISH(inner)                                                        \
    BODY "<AcquireIssuanceLicense xmlns=\"" PUB "\"><RequestParams>"          \
    "<AcquireIssuanceLicenseParams>" inner "</AcquireIssuanceLicenseParams>"  \
    "</RequestParams></AcquireIssuanceLicense>" CLOSE
#define EDIT(inner)                                                           \
    BODY "<EditIssuanceLicense xmlns=\"http://microsoft.com/DRM/"             \
    "EditIssuanceLicenseService\"><RequestParams><EditIssuanceLicenseParams>" \
    inner "</EditIssuanceLicenseParams></RequestParams>"                      \
    "</EditIssuanceLicense>" CLOSE

    static const licensor_case_t  publish[] = {
        { PUBLISH("<UnsignedIssuanceLicense>" XRML(GUID_A)
                  "</UnsignedIssuanceLicense>"), GUID_A, 1 },
        { PUBLISH("<UnsignedIssuanceLicense>" CERT(GUID_A)
                  "</UnsignedIssuanceLicense>"), "", 0 },
        { PUBLISH(LICENCE(GUID_A)), "", 0 },
    };

    static const licensor_case_t  edit[] = {
        { EDIT("<SignedIssuanceLicense>" XRML(GUID_A)
               "</SignedIssuanceLicense><UnsignedIssuanceLicense>"
               XRML(GUID_B) "</UnsignedIssuanceLicense>"), GUID_A, 1 },
        { EDIT("<UnsignedIssuanceLicense>" XRML(GUID_B)
               "</UnsignedIssuanceLicense><SignedIssuanceLicense>"
               XRML(GUID_A) "</SignedIssuanceLicense>"), GUID_A, 1 },
        { EDIT("<UnsignedIssuanceLicense>" XRML(GUID_B)
               "</UnsignedIssuanceLicense>"), "", 0 },
    };

    (void) state;

    check_licensor_table(publish, RMS_OP_ACQUIRE_ISSUANCE_LICENSE);
    check_licensor_table(edit, RMS_OP_EDIT_ISSUANCE_LICENSE);
}


/* The padding puts the last byte of </ID> at the limit, or one behind it. */

static void
the_licensor_is_sought_in_a_bounded_part_only(void **state)
{
    static const char   head[] = HEAD "<LicenseeCerts>";
    static const char   rest[] = "</LicenseeCerts>" LICENCE(GUID_A) TAIL;

    char               *data;
    size_t              len, end, past;
    rms_licensor_t      licensor;
    rms_soap_result_t   r;

    (void) state;

    end = (size_t) (strstr(rest, "</ID>") - rest) + 5;

    for (past = 0; past <= 1; past++) {
        len = RMS_SOAP_LICENSOR_MAX + past - end + sizeof(rest) - 1;
        data = malloc(len);
        assert_non_null(data);
        memset(data, 'x', len);
        memcpy(data, head, sizeof(head) - 1);
        memcpy(data + len - sizeof(rest) + 1, rest, sizeof(rest) - 1);

        r = read_parts(data, len, 0, RMS_SOAP_11, RMS_OP_ACQUIRE_LICENSE,
                       RMS_SOAP_LICENSOR);
        assert_int_equal(r.error, RMS_SOAP_FINE);
        assert_guid(&r.licensor, past ? "" : GUID_A);
        assert_false(r.parsed_all);

        r = read_parts(data, len, 4096, RMS_SOAP_11, RMS_OP_ACQUIRE_LICENSE,
                       RMS_SOAP_STRICT);
        assert_int_equal(r.error, RMS_SOAP_FINE);
        assert_guid(&r.licensor, past ? "" : GUID_A);
        assert_true(r.parsed_all);

        assert_int_equal(search(data, len, 777, RMS_OP_ACQUIRE_LICENSE,
                                &licensor), past ? RMS_DECLINED : RMS_OK);
        assert_guid(&licensor, past ? "" : GUID_A);

        free(data);
    }
}


static void
a_guid_is_brought_to_one_form(void **state)
{
    static const struct {
        const char  *text;
        rms_rc_e     rc;
    } c[] = {
        { GUID_A, RMS_OK },
        { "{" GUID_A "}", RMS_OK },
        { " \t\r\n{AAAAAAAA-0000-4000-8000-00000000000A} ", RMS_OK },
        { "", RMS_INVALID },
        { "   ", RMS_INVALID },
        { "{" GUID_A, RMS_INVALID },
        { GUID_A "}", RMS_INVALID },
        { "(" GUID_A ")", RMS_INVALID },
        { "{" GUID_A ")", RMS_INVALID },
        { "{ " GUID_A "}", RMS_INVALID },
        { GUID_A "a", RMS_INVALID },
        { "aaaaaaaa-0000-4000-8000-00000000000", RMS_INVALID },
        { "aaaaaaaa-0000-4000-8000000-0000000000", RMS_INVALID },
        { "aaaaaaaa00000-4000-8000-00000000000a", RMS_INVALID },
        { "aaaaaaag-0000-4000-8000-00000000000a", RMS_INVALID },
    };

    size_t          i;
    rms_str_t       text;
    rms_licensor_t  licensor;

    (void) state;

    for (i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
        text.data = (unsigned char *) c[i].text;
        text.len = strlen(c[i].text);

        assert_int_equal(rms_licensor_parse(&text, &licensor), c[i].rc);
        assert_guid(&licensor, c[i].rc == RMS_OK ? GUID_A : "");
    }
}


static int
set_up(void **state)
{
    (void) state;

    rms_xml_init();

    return 0;
}


static int
tear_down(void **state)
{
    (void) state;

    rms_xml_done();

    return 0;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(
            search_finds_the_licensor_of_every_sample_wherever_it_is_split),
        cmocka_unit_test(the_first_licence_that_is_not_nil_has_the_licensor),
        cmocka_unit_test(forms_of_the_same_licence_have_the_same_licensor),
        cmocka_unit_test(the_text_of_the_guid_is_read_as_a_licence_writes_it),
        cmocka_unit_test(an_object_or_id_of_another_kind_is_no_licensor),
        cmocka_unit_test(fakes_do_not_change_the_licensor),
        cmocka_unit_test(
            unsigned_and_signed_licences_stand_without_a_certificate),
        cmocka_unit_test(the_licensor_is_sought_in_a_bounded_part_only),
        cmocka_unit_test(a_guid_is_brought_to_one_form),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
