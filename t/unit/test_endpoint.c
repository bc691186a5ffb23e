/*
 * rms_endpoint: the table is the one of the protocol, and no spelling of a
 * path leads past it.
 */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>

#include "rms_endpoint.h"


#define NONE  RMS_FILE_MAX


typedef struct {
    const char  *target;
    rms_path_e   kind;
    rms_file_e   file;
} path_case_t;


static rms_path_t
find(const char *target, int raw)
{
    rms_str_t  s;

    s.data = (unsigned char *) target;
    s.len = strlen(target);

    return rms_endpoint_find(&s, raw);
}


static void
check(const path_case_t *c, size_t n, int raw)
{
    size_t      i;
    rms_path_t  path;

    for (i = 0; i < n; i++) {
        path = find(c[i].target, raw);

        if (path.kind != c[i].kind
            || (path.kind == RMS_PATH_ENDPOINT
                && path.endpoint->id != c[i].file))
        {
            fail_msg("%s: kind %d", c[i].target, path.kind);
        }

        assert_true((path.endpoint != NULL)
                    == (path.kind == RMS_PATH_ENDPOINT));
    }
}


#define check_table(table, raw)                                               \
    check(table, sizeof(table) / sizeof(table[0]), raw)


/* [protocol] 1.2: every operation, its action, its files, in lower case. */

static const struct {
    const char  *name;
    const char  *action;
    const char  *files;
    int          publish;
    int          never;
} rows[] = {
    { "Activate", "http://microsoft.com/DRM/ActivationService/Activate",
      "certification/activation.asmx", 0, 1 },
    { "Certify", "http://microsoft.com/DRM/CertificationService/Certify",
      "certification/certification.asmx,"
      "certification/servercertification.asmx,"
      "certification/mobilecertification.asmx,"
      "certification/mobiledevicecertification.asmx,"
      "certification/maccertification.asmx,"
      "certificationexternal/certification.asmx", 0, 0 },
    { "Precertify", "http://microsoft.com/DRM/CertificationService/Precertify",
      "certification/precertification.asmx", 0, 0 },
    { "AcquireLicense",
      "http://microsoft.com/DRM/LicensingService/AcquireLicense",
      "licensing/license.asmx,licensingexternal/license.asmx", 0, 0 },
    { "AcquirePreLicense",
      "http://microsoft.com/DRM/LicensingService/AcquirePreLicense",
      "licensing/license.asmx", 0, 0 },
    { "AcquireIssuanceLicense",
      "http://microsoft.com/DRM/PublishingService/AcquireIssuanceLicense",
      "licensing/publish.asmx,licensingexternal/publish.asmx", 1, 0 },
    { "GetClientLicensorCert",
      "http://microsoft.com/DRM/PublishingService/GetClientLicensorCert",
      "licensing/publish.asmx,licensingexternal/publish.asmx", 1, 0 },
    { "EditIssuanceLicense",
      "http://microsoft.com/DRM/EditIssuanceLicenseService/"
      "EditIssuanceLicense",
      "licensing/editissuancelicense.asmx", 1, 0 },
    { "AcquireTemplateInformation",
      "http://microsoft.com/DRM/TemplateDistributionService/"
      "AcquireTemplateInformation",
      "licensing/templatedistribution.asmx", 0, 0 },
    { "AcquireTemplates",
      "http://microsoft.com/DRM/TemplateDistributionService/AcquireTemplates",
      "licensing/templatedistribution.asmx", 0, 0 },
    { "FindServiceLocationsForUser",
      "http://microsoft.com/DRM/ServerService/FindServiceLocationsForUser",
      "certification/servicelocator.asmx,licensing/servicelocator.asmx,"
      "certificationexternal/servicelocator.asmx,"
      "licensingexternal/servicelocator.asmx", 0, 0 },
    { "FindServiceLocations",
      "http://microsoft.com/DRM/ServerService/FindServiceLocations",
      "certification/server.asmx,licensing/server.asmx", 0, 0 },
    { "GetLicensorCertificate",
      "http://microsoft.com/DRM/ServerService/GetLicensorCertificate",
      "certification/server.asmx,licensing/server.asmx,"
      "certificationexternal/server.asmx,licensingexternal/server.asmx",
      0, 0 },
    { "GetServerInfo", "http://microsoft.com/DRM/ServerService/GetServerInfo",
      "certification/server.asmx,licensing/server.asmx", 0, 0 },
    { "IsPrincipalMemberOf",
      "http://microsoft.com/DRM/GroupExpansionWebService/IsPrincipalMemberOf",
      "groupexpansion/groupexpansion.asmx", 0, 0 },
    { "SubEnroll", "http://microsoft.com/DRM/SubEnrollmentService/SubEnroll",
      "certification/subenrollservice.asmx", 0, 1 },
    { "AcquireContentKey",
      "http://microsoft.com/DRM/DecommissionService/AcquireContentKey",
      "decommission/decommission.asmx", 0, 1 },
};


static void
the_table_serves_exactly_what_the_protocol_lists(void **state)
{
    char                    target[128], files[512], *p, *save;
    size_t                  i, pairs, served;
    rms_str_t               s;
    rms_path_t              path;
    const rms_operation_t  *op;

    (void) state;

    pairs = 0;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        s.data = (unsigned char *) rows[i].name;
        s.len = strlen(rows[i].name);
        op = rms_operation_by_name(&s);
        assert_non_null(op);
        assert_ptr_equal(op, rms_operation_get(op->id));
        assert_int_equal(op->publish, rows[i].publish);
        assert_int_equal(op->never, rows[i].never);

        s.data = (unsigned char *) rows[i].action;
        s.len = strlen(rows[i].action);
        assert_ptr_equal(rms_operation_by_action(&s), op);
        assert_true(rms_str_eq(&op->action, &s));
        assert_int_equal(op->ns.len + 1 + op->name.len, op->action.len);
        assert_memory_equal(op->ns.data, op->action.data, op->ns.len);

        snprintf(files, sizeof(files), "%s", rows[i].files);

        for (p = strtok_r(files, ",", &save); p != NULL;
             p = strtok_r(NULL, ",", &save))
        {
            snprintf(target, sizeof(target), "/_wmcs/%s", p);
            path = find(target, 1);
            assert_int_equal(path.kind, RMS_PATH_ENDPOINT);
            assert_true(rms_endpoint_serves(path.endpoint, op->id));
            pairs++;
        }
    }

    for (served = 0, i = 0; i < RMS_FILE_MAX * RMS_OP_MAX; i++) {
        served += (size_t)
            rms_endpoint_serves(rms_endpoint_get((rms_file_e)
                                                 (i / RMS_OP_MAX)),
                                (rms_operation_e) (i % RMS_OP_MAX));
    }

    assert_int_equal(served, pairs);
}


static void
operations_are_unknown_in_other_case_or_out_of_range(void **state)
{
    static const rms_str_t  name = rms_string("certify");
    static const rms_str_t  none = rms_null_string;
    static const rms_str_t  action =
        rms_string("http://microsoft.com/DRM/CertificationService/certify");

    (void) state;

    assert_null(rms_operation_by_name(&name));
    assert_null(rms_operation_by_name(&none));
    assert_null(rms_operation_by_action(&action));
    assert_null(rms_operation_by_action(&none));
    assert_null(rms_operation_get(RMS_OP_NONE));
    assert_null(rms_operation_get(RMS_OP_MAX));
    assert_null(rms_endpoint_get(RMS_FILE_MAX));
}


static void
the_spelling_sent_on_is_the_one_of_the_specification(void **state)
{
    static const struct {
        rms_file_e   file;
        const char  *path;
        const char  *service;
    } c[] = {
        { RMS_FILE_SERVER_CERTIFICATION,
          "/certification/ServerCertification.asmx",
          "ServerCertificationWebService" },
        { RMS_FILE_CERTIFICATION, "/certification/certification.asmx",
          "CertificationWebService" },
        { RMS_FILE_SUB_ENROLL, "/Certification/SubEnrollService.asmx",
          "SubEnrollmentWebService" },
        { RMS_FILE_TEMPLATE_DISTRIBUTION,
          "/licensing/templateDistribution.asmx",
          "TemplateDistributionWebService" },
        { RMS_FILE_GROUP_EXPANSION, "/groupexpansion/GroupExpansion.asmx",
          "GroupExpansionWebService" },
        { RMS_FILE_LICENSING_LOCATOR, "/licensing/ServiceLocator.asmx",
          "ServiceLocatorWebService" },
    };

    size_t                 i;
    const rms_endpoint_t  *ep;

    (void) state;

    for (i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
        ep = rms_endpoint_get(c[i].file);
        assert_int_equal(ep->path.len, strlen(c[i].path));
        assert_memory_equal(ep->path.data, c[i].path, ep->path.len);
        assert_int_equal(ep->service.len, strlen(c[i].service));
        assert_memory_equal(ep->service.data, c[i].service, ep->service.len);
    }
}


static void
every_canonical_path_finds_its_own_row(void **state)
{
    char                   target[128];
    size_t                 i, j;
    rms_path_t             path;
    const rms_endpoint_t  *ep;

    (void) state;

    for (i = 0; i < RMS_FILE_MAX; i++) {
        ep = rms_endpoint_get((rms_file_e) i);
        assert_int_equal(ep->id, i);

        snprintf(target, sizeof(target), "/_wmcs%.*s", (int) ep->path.len,
                 (char *) ep->path.data);

        path = find(target, 0);
        assert_ptr_equal(path.endpoint, ep);

        for (j = 0; target[j] != '\0'; j++) {
            target[j] = (char) ((target[j] >= 'a' && target[j] <= 'z')
                                ? target[j] - 0x20 : target[j]);
        }

        path = find(target, 1);
        assert_ptr_equal(path.endpoint, ep);
    }
}


static void
flags_follow_the_file(void **state)
{
    size_t                  i, j;
    const rms_endpoint_t   *ep;
    const rms_operation_t  *op;

    (void) state;

    for (i = 0; i < RMS_FILE_MAX; i++) {
        ep = rms_endpoint_get((rms_file_e) i);

        assert_int_equal(ep->external, i >= RMS_FILE_EXT_CERTIFICATION);
        assert_int_equal(ep->publish, i == RMS_FILE_PUBLISH
                                      || i == RMS_FILE_EXT_PUBLISH
                                      || i == RMS_FILE_EDIT_ISSUANCE_LICENSE);
        assert_int_equal(ep->never, i == RMS_FILE_ACTIVATION
                                    || i == RMS_FILE_SUB_ENROLL
                                    || i == RMS_FILE_DECOMMISSION);

        assert_int_equal(ep->body_max,
                         ep->publish || i == RMS_FILE_LICENSE
                         || i == RMS_FILE_EXT_LICENSE
                         ? RMS_BODY_MAX_LARGE : RMS_BODY_MAX_SMALL);

        for (j = 0; j < RMS_FILE_OPS_MAX && ep->ops[j] != RMS_OP_NONE; j++) {
            op = rms_operation_get(ep->ops[j]);
            assert_int_equal(op->publish, ep->publish);
            assert_int_equal(op->never, ep->never);
        }

        assert_int_not_equal(j, 0);
        assert_false(rms_endpoint_serves(ep, RMS_OP_NONE));
    }
}


static void
spellings_iis_accepts_find_the_file(void **state)
{
    static const path_case_t  c[] = {
        { "/_wmcs/licensing/License.asmx", RMS_PATH_ENDPOINT,
          RMS_FILE_LICENSE },
        { "/_WMCS/LICENSING/PUBLISH.ASMX", RMS_PATH_ENDPOINT,
          RMS_FILE_PUBLISH },
        { "/_wmcs//licensing///publish.asmx", RMS_PATH_ENDPOINT,
          RMS_FILE_PUBLISH },
        { "//_wmcs/licensing/publish.asmx", RMS_PATH_ENDPOINT,
          RMS_FILE_PUBLISH },
        { "/./_wmcs/./x/../licensing/publish.asmx", RMS_PATH_ENDPOINT,
          RMS_FILE_PUBLISH },
        { "/_wmcs/licensing/%70ublish.asmx", RMS_PATH_ENDPOINT,
          RMS_FILE_PUBLISH },
        { "/_wmcs/licensing/%50ublish%2easmx", RMS_PATH_ENDPOINT,
          RMS_FILE_PUBLISH },
        { "/_wmcs\\licensing\\publish.asmx", RMS_PATH_ENDPOINT,
          RMS_FILE_PUBLISH },
        { "/_wmcs%5clicensing%5Cpublish.asmx", RMS_PATH_ENDPOINT,
          RMS_FILE_PUBLISH },
        { "\\_wmcs/licensing/publish.asmx", RMS_PATH_ENDPOINT,
          RMS_FILE_PUBLISH },
        { "/_wmcs/licensing/publish.asmx.", RMS_PATH_ENDPOINT,
          RMS_FILE_PUBLISH },
        { "/_wmcs/licensing/publish.asmx%20", RMS_PATH_ENDPOINT,
          RMS_FILE_PUBLISH },
        { "/_wmcs/licensing/publish.asmx. .", RMS_PATH_ENDPOINT,
          RMS_FILE_PUBLISH },
        { "/_wmcs./licensing%20/publish.asmx", RMS_PATH_ENDPOINT,
          RMS_FILE_PUBLISH },
        { "/_wmcs/licensing/publish.asmx::$DATA", RMS_PATH_ENDPOINT,
          RMS_FILE_PUBLISH },
        { "/_wmcs/licensing/publish.asmx::$data.", RMS_PATH_ENDPOINT,
          RMS_FILE_PUBLISH },
        { "/_wmcs/licensing/publish.asmx%3a:$DatA::$DATA", RMS_PATH_ENDPOINT,
          RMS_FILE_PUBLISH },
        { "/_wmcs/licensing/publish.asmx?wsdl", RMS_PATH_ENDPOINT,
          RMS_FILE_PUBLISH },
    };

    (void) state;

    check_table(c, 1);
}


static void
percent_encoded_slash_is_a_separator(void **state)
{
    static const path_case_t  c[] = {
        { "/_wmcs%2flicensing%2Fpublish.asmx", RMS_PATH_ENDPOINT,
          RMS_FILE_PUBLISH },
        { "/_wmcs/licensing/x%2f..%2fpublish.asmx", RMS_PATH_ENDPOINT,
          RMS_FILE_PUBLISH },
        { "/_wmcs/licensing/license.asmx%2fx", RMS_PATH_UNKNOWN, NONE },
        { "/..%2f_wmcs/licensing/license.asmx", RMS_PATH_BAD, NONE },
    };

    (void) state;

    check_table(c, 1);
}


static void
what_is_not_in_the_table_is_unknown(void **state)
{
    static const path_case_t  c[] = {
        { "/", RMS_PATH_UNKNOWN, NONE },
        { "/_wmcs", RMS_PATH_UNKNOWN, NONE },
        { "/_wmcs/", RMS_PATH_UNKNOWN, NONE },
        { "/_wmcs/licensing", RMS_PATH_UNKNOWN, NONE },
        { "/licensing/license.asmx", RMS_PATH_UNKNOWN, NONE },
        { "/x/_wmcs/licensing/license.asmx", RMS_PATH_UNKNOWN, NONE },
        { "/_wmcsx/licensing/license.asmx", RMS_PATH_UNKNOWN, NONE },
        { "/_wmcslicensing/license.asmx", RMS_PATH_UNKNOWN, NONE },
        { "/_wmcs/licensing/license.asm", RMS_PATH_UNKNOWN, NONE },
        { "/_wmcs/licensing/license.asmxx", RMS_PATH_UNKNOWN, NONE },
        { "/_wmcs/licensing/licens~1.asm", RMS_PATH_UNKNOWN, NONE },
        { "/_wmcs/licensing/license.asmx:x", RMS_PATH_UNKNOWN, NONE },
        { "/_wmcs/licensing:$i30:$INDEX_ALLOCATION/license.asmx",
          RMS_PATH_UNKNOWN, NONE },
        { "/_wmcs/certification/license.asmx", RMS_PATH_UNKNOWN, NONE },
        { "/_wmcs/licensingexternal/editissuancelicense.asmx",
          RMS_PATH_UNKNOWN, NONE },
        { "/_wmcs/admin/TemplateMgr.asmx", RMS_PATH_UNKNOWN, NONE },
        { "/DrmRemote/DirectoryServices/DirectoryServices.rem",
          RMS_PATH_UNKNOWN, NONE },
        { "/my/v1/x", RMS_PATH_UNKNOWN, NONE },
        { "/_wmcs/licensing/license.asmx%3fx", RMS_PATH_UNKNOWN, NONE },
        { "/_wmcs/licensing/license.asmx%25", RMS_PATH_UNKNOWN, NONE },
        { "/_wmcs/licensing/license.asmx%23x", RMS_PATH_UNKNOWN, NONE },
    };

    (void) state;

    check_table(c, 1);
}


static void
path_info_is_unknown(void **state)
{
    static const path_case_t  c[] = {
        { "/_wmcs/licensing/publish.asmx/GetClientLicensorCert",
          RMS_PATH_UNKNOWN, NONE },
        { "/_wmcs/licensing/license.asmx/", RMS_PATH_UNKNOWN, NONE },
        { "/_wmcs/licensing/license.asmx//", RMS_PATH_UNKNOWN, NONE },
        { "/_wmcs/licensing/license.asmx/.", RMS_PATH_UNKNOWN, NONE },
        { "/_wmcs/licensing/license.asmx/x/..", RMS_PATH_UNKNOWN, NONE },
        { "/_wmcs/licensing/license.asmx%5c", RMS_PATH_UNKNOWN, NONE },
        { "/_wmcs/licensing/license.asmx/../publish.asmx", RMS_PATH_ENDPOINT,
          RMS_FILE_PUBLISH },
        { "/_wmcs/licensing/license.asmx/x/../publish.asmx",
          RMS_PATH_UNKNOWN, NONE },
    };

    (void) state;

    check_table(c, 1);
}


static void
paths_with_two_readings_are_refused(void **state)
{
    static const path_case_t  c[] = {
        { "", RMS_PATH_BAD, NONE },
        { "?", RMS_PATH_BAD, NONE },
        { "_wmcs/licensing/license.asmx", RMS_PATH_BAD, NONE },
        { "http://h/_wmcs/licensing/license.asmx", RMS_PATH_BAD, NONE },
        { "*", RMS_PATH_BAD, NONE },
        { "/_wmcs/licensing/%2570ublish.asmx", RMS_PATH_BAD, NONE },
        { "/_wmcs/licensing/%25%37%30ublish.asmx", RMS_PATH_BAD, NONE },
        { "/_wmcs/licensing/%u0070ublish.asmx", RMS_PATH_BAD, NONE },
        { "/_wmcs/licensing/license.asmx%", RMS_PATH_BAD, NONE },
        { "/_wmcs/licensing/license.asmx%2", RMS_PATH_BAD, NONE },
        { "/_wmcs/licensing/license.asmx%2g", RMS_PATH_BAD, NONE },
        { "/_wmcs/licensing/license.asmx%00", RMS_PATH_BAD, NONE },
        { "/_wmcs/licensing/license.asmx%0a", RMS_PATH_BAD, NONE },
        { "/_wmcs/licensing/license.asmx\t", RMS_PATH_BAD, NONE },
        { "/_wmcs/licensing/license.asmx%7f", RMS_PATH_BAD, NONE },
        { "/_wmcs/licensing/licen%c5%bfe.asmx", RMS_PATH_BAD, NONE },
        { "/_wmcs/licensing/licen\xc5\xbf" "e.asmx", RMS_PATH_BAD, NONE },
        { "/_wmcs/licensing/%c0%afpublish.asmx", RMS_PATH_BAD, NONE },
        { "/../_wmcs/licensing/license.asmx", RMS_PATH_BAD, NONE },
        { "/_wmcs/../../_wmcs/licensing/license.asmx", RMS_PATH_BAD, NONE },
        { "/_wmcs/licensing/.../license.asmx", RMS_PATH_BAD, NONE },
        { "/_wmcs/licensing/.%20./license.asmx", RMS_PATH_BAD, NONE },
        { "/_wmcs/licensing/%20/license.asmx", RMS_PATH_BAD, NONE },
        { "/_wmcs/licensing/..::$DATA/license.asmx", RMS_PATH_BAD, NONE },
    };

    (void) state;

    check_table(c, 1);
}


static void
a_path_the_server_decoded_is_not_decoded_again(void **state)
{
    static const path_case_t  c[] = {
        { "/_wmcs/licensing/license.asmx", RMS_PATH_ENDPOINT,
          RMS_FILE_LICENSE },
        { "/_wmcs/licensing/%70ublish.asmx", RMS_PATH_BAD, NONE },
        { "/_wmcs/licensing/license.asmx%", RMS_PATH_UNKNOWN, NONE },
        { "/_wmcs/licensing/\x01", RMS_PATH_BAD, NONE },
    };

    (void) state;

    check_table(c, 0);
}


static void
a_nul_in_the_target_does_not_end_it(void **state)
{
    static const rms_str_t  c[] = {
        rms_string("/_wmcs/licensing/license.asmx\0"),
        rms_string("/_wmcs/licensing/license.asmx\0/publish.asmx"),
    };

    rms_path_t  path;

    (void) state;

    path = rms_endpoint_find(&c[0], 0);
    assert_int_equal(path.kind, RMS_PATH_BAD);

    path = rms_endpoint_find(&c[1], 1);
    assert_int_equal(path.kind, RMS_PATH_BAD);
}


static void
rmso_uri_lies_directly_below_the_root(void **state)
{
    static const path_case_t  c[] = {
        { "/_wmcs/GetRmsoUri.aspx", RMS_PATH_RMSO_URI, NONE },
        { "/_WMCS//getrmsouri.ASPX", RMS_PATH_RMSO_URI, NONE },
        { "/_wmcs/GetRmsoUri.aspx?x=1", RMS_PATH_RMSO_URI, NONE },
        { "/_wmcs/GetRmsoUri.aspx/", RMS_PATH_UNKNOWN, NONE },
        { "/GetRmsoUri.aspx", RMS_PATH_UNKNOWN, NONE },
        { "/_wmcs/licensing/GetRmsoUri.aspx", RMS_PATH_UNKNOWN, NONE },
    };

    (void) state;

    check_table(c, 1);
}


static void
the_query_is_split_off_untouched(void **state)
{
    rms_path_t  path;

    (void) state;

    path = find("/_wmcs/licensing/license.asmx?op=%zz?\x01/..", 1);
    assert_int_equal(path.kind, RMS_PATH_ENDPOINT);
    assert_true(path.has_query);
    assert_int_equal(path.query.len, 11);
    assert_memory_equal(path.query.data, "op=%zz?\x01/..", 11);

    path = find("/_wmcs/licensing/license.asmx?", 1);
    assert_true(path.has_query);
    assert_int_equal(path.query.len, 0);

    path = find("/_wmcs/licensing/license.asmx", 1);
    assert_false(path.has_query);
    assert_int_equal(path.query.len, 0);
}


static void
only_a_path_of_bounded_length_is_read(void **state)
{
    char        target[RMS_PATH_LEN_MAX + 64];
    size_t      n;
    rms_path_t  path;

    (void) state;

    n = strlen("/_wmcs/licensing/license.asmx");
    memset(target, '/', sizeof(target));
    memcpy(target + RMS_PATH_LEN_MAX - n, "/_wmcs/licensing/license.asmx", n);
    target[RMS_PATH_LEN_MAX] = '\0';

    path = find(target, 1);
    assert_int_equal(path.kind, RMS_PATH_ENDPOINT);

    memcpy(target + RMS_PATH_LEN_MAX, "?long=query", sizeof("?long=query"));
    path = find(target, 1);
    assert_int_equal(path.kind, RMS_PATH_ENDPOINT);

    memmove(target + 1, target, RMS_PATH_LEN_MAX);
    target[RMS_PATH_LEN_MAX + 1] = '\0';
    path = find(target, 1);
    assert_int_equal(path.kind, RMS_PATH_BAD);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(the_table_serves_exactly_what_the_protocol_lists),
        cmocka_unit_test(operations_are_unknown_in_other_case_or_out_of_range),
        cmocka_unit_test(the_spelling_sent_on_is_the_one_of_the_specification),
        cmocka_unit_test(every_canonical_path_finds_its_own_row),
        cmocka_unit_test(flags_follow_the_file),
        cmocka_unit_test(spellings_iis_accepts_find_the_file),
        cmocka_unit_test(percent_encoded_slash_is_a_separator),
        cmocka_unit_test(what_is_not_in_the_table_is_unknown),
        cmocka_unit_test(path_info_is_unknown),
        cmocka_unit_test(paths_with_two_readings_are_refused),
        cmocka_unit_test(a_path_the_server_decoded_is_not_decoded_again),
        cmocka_unit_test(a_nul_in_the_target_does_not_end_it),
        cmocka_unit_test(rmso_uri_lies_directly_below_the_root),
        cmocka_unit_test(the_query_is_split_off_untouched),
        cmocka_unit_test(only_a_path_of_bounded_length_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
