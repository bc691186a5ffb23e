/*
 * The endpoint table, and reading a request path the way IIS would.  Constant
 * data and pure functions: any thread, nothing to free.
 */

#include "rms_endpoint.h"


#define RMS_ROOT          "/_wmcs"
#define RMS_RMSO_URI      "/_wmcs/getrmsouri.aspx"
#define RMS_STREAM        "::$data"


#define rms_operation(id, service, name, publish, never)                      \
    { id, rms_string(name),                                                   \
      rms_string("http://microsoft.com/DRM/" service),                        \
      rms_string("http://microsoft.com/DRM/" service "/" name),               \
      publish, never }


/* A path while it is being read. */

typedef struct {
    unsigned char   data[RMS_PATH_LEN_MAX];
    size_t          len;
    unsigned        directory:1;    /* ends like a directory: '/', "." */
} rms_path_buf_t;


static int rms_path_decode(const unsigned char *p, size_t len, int raw,
    rms_path_buf_t *buf);
static int rms_path_hex(unsigned char c);
static int rms_path_escape(const unsigned char *p, const unsigned char *last);
static int rms_path_resolve(rms_path_buf_t *buf);
static int rms_path_segment(rms_path_buf_t *buf, const unsigned char *p,
    size_t len);
static size_t rms_path_trim(const unsigned char *p, size_t len);
static const rms_endpoint_t *rms_endpoint_spelt(const rms_str_t *target);
static const rms_endpoint_t *rms_endpoint_by_path(const rms_path_buf_t *buf);


/* publish, never, in this order: [protocol] 8.1. */

static const rms_operation_t  rms_operations[RMS_OP_MAX] = {
    { RMS_OP_NONE, rms_null_string, rms_null_string, rms_null_string, 0, 0 },

    rms_operation(RMS_OP_ACTIVATE,
                  "ActivationService", "Activate", 0, 1),
    rms_operation(RMS_OP_CERTIFY,
                  "CertificationService", "Certify", 0, 0),
    rms_operation(RMS_OP_PRECERTIFY,
                  "CertificationService", "Precertify", 0, 0),
    rms_operation(RMS_OP_ACQUIRE_LICENSE,
                  "LicensingService", "AcquireLicense", 0, 0),
    rms_operation(RMS_OP_ACQUIRE_PRE_LICENSE,
                  "LicensingService", "AcquirePreLicense", 0, 0),
    rms_operation(RMS_OP_ACQUIRE_ISSUANCE_LICENSE,
                  "PublishingService", "AcquireIssuanceLicense", 1, 0),
    rms_operation(RMS_OP_GET_CLIENT_LICENSOR_CERT,
                  "PublishingService", "GetClientLicensorCert", 1, 0),
    rms_operation(RMS_OP_EDIT_ISSUANCE_LICENSE,
                  "EditIssuanceLicenseService", "EditIssuanceLicense", 1, 0),
    rms_operation(RMS_OP_ACQUIRE_TEMPLATE_INFORMATION,
                  "TemplateDistributionService",
                  "AcquireTemplateInformation", 0, 0),
    rms_operation(RMS_OP_ACQUIRE_TEMPLATES,
                  "TemplateDistributionService", "AcquireTemplates", 0, 0),
    rms_operation(RMS_OP_FIND_SERVICE_LOCATIONS_FOR_USER,
                  "ServerService", "FindServiceLocationsForUser", 0, 0),
    rms_operation(RMS_OP_FIND_SERVICE_LOCATIONS,
                  "ServerService", "FindServiceLocations", 0, 0),
    rms_operation(RMS_OP_GET_LICENSOR_CERTIFICATE,
                  "ServerService", "GetLicensorCertificate", 0, 0),
    rms_operation(RMS_OP_GET_SERVER_INFO,
                  "ServerService", "GetServerInfo", 0, 0),
    rms_operation(RMS_OP_IS_PRINCIPAL_MEMBER_OF,
                  "GroupExpansionWebService", "IsPrincipalMemberOf", 0, 0),
    rms_operation(RMS_OP_SUB_ENROLL,
                  "SubEnrollmentService", "SubEnroll", 0, 1),
    rms_operation(RMS_OP_ACQUIRE_CONTENT_KEY,
                  "DecommissionService", "AcquireContentKey", 0, 1),
};


/* external, publish, never, in this order: [protocol] 1.2, 1.3, 8.1. */

static const rms_endpoint_t  rms_endpoints[RMS_FILE_MAX] = {
    { RMS_FILE_CERTIFICATION,
      rms_string("/certification/certification.asmx"),
      rms_string("CertificationWebService"),
      RMS_BODY_MAX_SMALL, 0, 0, 0,
      { RMS_OP_CERTIFY } },
    { RMS_FILE_SERVER_CERTIFICATION,
      rms_string("/certification/ServerCertification.asmx"),
      rms_string("ServerCertificationWebService"),
      RMS_BODY_MAX_SMALL, 0, 0, 0,
      { RMS_OP_CERTIFY } },
    { RMS_FILE_MOBILE_CERTIFICATION,
      rms_string("/certification/MobileCertification.asmx"),
      rms_string("MobileCertificationWebService"),
      RMS_BODY_MAX_SMALL, 0, 0, 0,
      { RMS_OP_CERTIFY } },
    { RMS_FILE_MOBILE_DEVICE_CERTIFICATION,
      rms_string("/certification/MobileDeviceCertification.asmx"),
      rms_string("MobileDeviceCertificationWebService"),
      RMS_BODY_MAX_SMALL, 0, 0, 0,
      { RMS_OP_CERTIFY } },
    { RMS_FILE_MAC_CERTIFICATION,
      rms_string("/certification/MacCertification.asmx"),
      rms_string("MacCertificationWebService"),
      RMS_BODY_MAX_SMALL, 0, 0, 0,
      { RMS_OP_CERTIFY } },
    { RMS_FILE_PRECERTIFICATION,
      rms_string("/certification/Precertification.asmx"),
      rms_string("PrecertificationWebService"),
      RMS_BODY_MAX_SMALL, 0, 0, 0,
      { RMS_OP_PRECERTIFY } },
    { RMS_FILE_ACTIVATION,
      rms_string("/certification/Activation.asmx"),
      rms_string("ActivationWebService"),
      RMS_BODY_MAX_SMALL, 0, 0, 1,
      { RMS_OP_ACTIVATE } },
    { RMS_FILE_SUB_ENROLL,
      rms_string("/Certification/SubEnrollService.asmx"),
      rms_string("SubEnrollmentWebService"),
      RMS_BODY_MAX_SMALL, 0, 0, 1,
      { RMS_OP_SUB_ENROLL } },
    { RMS_FILE_CERTIFICATION_SERVER,
      rms_string("/certification/server.asmx"),
      rms_string("ServerWebService"),
      RMS_BODY_MAX_SMALL, 0, 0, 0,
      { RMS_OP_FIND_SERVICE_LOCATIONS,
        RMS_OP_GET_LICENSOR_CERTIFICATE,
        RMS_OP_GET_SERVER_INFO } },
    { RMS_FILE_CERTIFICATION_LOCATOR,
      rms_string("/certification/ServiceLocator.asmx"),
      rms_string("ServiceLocatorWebService"),
      RMS_BODY_MAX_SMALL, 0, 0, 0,
      { RMS_OP_FIND_SERVICE_LOCATIONS_FOR_USER } },
    { RMS_FILE_LICENSE,
      rms_string("/licensing/license.asmx"),
      rms_string("LicensingWebService"),
      RMS_BODY_MAX_LARGE, 0, 0, 0,
      { RMS_OP_ACQUIRE_LICENSE,
        RMS_OP_ACQUIRE_PRE_LICENSE } },
    { RMS_FILE_PUBLISH,
      rms_string("/licensing/publish.asmx"),
      rms_string("PublishingWebService"),
      RMS_BODY_MAX_LARGE, 0, 1, 0,
      { RMS_OP_ACQUIRE_ISSUANCE_LICENSE,
        RMS_OP_GET_CLIENT_LICENSOR_CERT } },
    { RMS_FILE_EDIT_ISSUANCE_LICENSE,
      rms_string("/licensing/editissuancelicense.asmx"),
      rms_string("EditIssuanceLicenseWebService"),
      RMS_BODY_MAX_LARGE, 0, 1, 0,
      { RMS_OP_EDIT_ISSUANCE_LICENSE } },
    { RMS_FILE_TEMPLATE_DISTRIBUTION,
      rms_string("/licensing/templateDistribution.asmx"),
      rms_string("TemplateDistributionWebService"),
      RMS_BODY_MAX_SMALL, 0, 0, 0,
      { RMS_OP_ACQUIRE_TEMPLATE_INFORMATION,
        RMS_OP_ACQUIRE_TEMPLATES } },
    { RMS_FILE_LICENSING_SERVER,
      rms_string("/licensing/server.asmx"),
      rms_string("ServerWebService"),
      RMS_BODY_MAX_SMALL, 0, 0, 0,
      { RMS_OP_FIND_SERVICE_LOCATIONS,
        RMS_OP_GET_LICENSOR_CERTIFICATE,
        RMS_OP_GET_SERVER_INFO } },
    { RMS_FILE_LICENSING_LOCATOR,
      rms_string("/licensing/ServiceLocator.asmx"),
      rms_string("ServiceLocatorWebService"),
      RMS_BODY_MAX_SMALL, 0, 0, 0,
      { RMS_OP_FIND_SERVICE_LOCATIONS_FOR_USER } },
    { RMS_FILE_GROUP_EXPANSION,
      rms_string("/groupexpansion/GroupExpansion.asmx"),
      rms_string("GroupExpansionWebService"),
      RMS_BODY_MAX_SMALL, 0, 0, 0,
      { RMS_OP_IS_PRINCIPAL_MEMBER_OF } },
    { RMS_FILE_DECOMMISSION,
      rms_string("/decommission/decommission.asmx"),
      rms_string("DecommissionWebService"),
      RMS_BODY_MAX_SMALL, 0, 0, 1,
      { RMS_OP_ACQUIRE_CONTENT_KEY } },
    { RMS_FILE_EXT_CERTIFICATION,
      rms_string("/certificationexternal/certification.asmx"),
      rms_string("CertificationWebService"),
      RMS_BODY_MAX_SMALL, 1, 0, 0,
      { RMS_OP_CERTIFY } },
    { RMS_FILE_EXT_CERTIFICATION_SERVER,
      rms_string("/certificationexternal/server.asmx"),
      rms_string("ServerWebService"),
      RMS_BODY_MAX_SMALL, 1, 0, 0,
      { RMS_OP_GET_LICENSOR_CERTIFICATE } },
    { RMS_FILE_EXT_CERTIFICATION_LOCATOR,
      rms_string("/certificationexternal/ServiceLocator.asmx"),
      rms_string("ServiceLocatorWebService"),
      RMS_BODY_MAX_SMALL, 1, 0, 0,
      { RMS_OP_FIND_SERVICE_LOCATIONS_FOR_USER } },
    { RMS_FILE_EXT_LICENSE,
      rms_string("/licensingexternal/license.asmx"),
      rms_string("LicensingWebService"),
      RMS_BODY_MAX_LARGE, 1, 0, 0,
      { RMS_OP_ACQUIRE_LICENSE } },
    { RMS_FILE_EXT_PUBLISH,
      rms_string("/licensingexternal/publish.asmx"),
      rms_string("PublishingWebService"),
      RMS_BODY_MAX_LARGE, 1, 1, 0,
      { RMS_OP_ACQUIRE_ISSUANCE_LICENSE,
        RMS_OP_GET_CLIENT_LICENSOR_CERT } },
    { RMS_FILE_EXT_LICENSING_SERVER,
      rms_string("/licensingexternal/server.asmx"),
      rms_string("ServerWebService"),
      RMS_BODY_MAX_SMALL, 1, 0, 0,
      { RMS_OP_GET_LICENSOR_CERTIFICATE } },
    { RMS_FILE_EXT_LICENSING_LOCATOR,
      rms_string("/licensingexternal/ServiceLocator.asmx"),
      rms_string("ServiceLocatorWebService"),
      RMS_BODY_MAX_SMALL, 1, 0, 0,
      { RMS_OP_FIND_SERVICE_LOCATIONS_FOR_USER } },
};


rms_path_t
rms_endpoint_find(const rms_str_t *target, int raw)
{
    size_t           len;
    rms_path_t       path;
    rms_path_buf_t   buf;
    unsigned char   *query;

    memset(&path, 0, sizeof(rms_path_t));
    path.kind = RMS_PATH_BAD;

    if (target->len == 0) {
        return path;
    }

    /* spelt as in the table, as nearly all are: nothing to decode */

    path.endpoint = rms_endpoint_spelt(target);
    if (path.endpoint != NULL) {
        path.kind = RMS_PATH_ENDPOINT;
        return path;
    }

    len = target->len;
    query = memchr(target->data, '?', len);

    if (query != NULL) {
        path.has_query = 1;
        len = (size_t) (query - target->data);
        path.query.data = query + 1;
        path.query.len = target->len - len - 1;
    }

    if (!rms_path_decode(target->data, len, raw, &buf)
        || !rms_path_resolve(&buf))
    {
        return path;
    }

    path.kind = RMS_PATH_UNKNOWN;

    if (buf.directory) {
        return path;
    }

    if (buf.len == sizeof(RMS_RMSO_URI) - 1
        && memcmp(buf.data, RMS_RMSO_URI, buf.len) == 0)
    {
        path.kind = RMS_PATH_RMSO_URI;
        return path;
    }

    path.endpoint = rms_endpoint_by_path(&buf);
    if (path.endpoint != NULL) {
        path.kind = RMS_PATH_ENDPOINT;
    }

    return path;
}


/*
 * One decode, folded case, '\' as '/' ([protocol] 8.2).  0 when the path is
 * not one a client of ours would write.
 */

static int
rms_path_decode(const unsigned char *p, size_t len, int raw,
    rms_path_buf_t *buf)
{
    unsigned char         c;
    const unsigned char  *last;

    buf->len = 0;
    buf->directory = 0;

    if (len > RMS_PATH_LEN_MAX) {
        return 0;
    }

    for (last = p + len; p < last; p++) {
        c = *p;

        if (raw && c == '%') {
            if (!rms_path_escape(p, last)) {
                return 0;
            }

            c = (unsigned char) (rms_path_hex(p[1]) << 4 | rms_path_hex(p[2]));
            p += 2;
        }

        if (c < 0x20 || c > 0x7e) {
            return 0;
        }

        buf->data[buf->len++] = c == '\\' ? '/' : rms_lower(c);
    }

    if (buf->len == 0 || buf->data[0] != '/') {
        return 0;
    }

    /* would a second decode, by somebody behind us, see another path? */

    last = buf->data + buf->len;

    for (p = buf->data; p < last; p++) {
        if (*p == '%' && rms_path_escape(p, last)) {
            return 0;
        }
    }

    return 1;
}


static int
rms_path_hex(unsigned char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c = rms_lower(c);

    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}


static int
rms_path_escape(const unsigned char *p, const unsigned char *last)
{
    return last - p >= 3 && rms_path_hex(p[1]) >= 0 && rms_path_hex(p[2]) >= 0;
}


/*
 * Rewrites the path in place, segment by segment: it never grows.  0 when a
 * segment leads out of the root or has no one reading.
 */

static int
rms_path_resolve(rms_path_buf_t *buf)
{
    size_t                len;
    const unsigned char  *p, *last, *slash;

    p = buf->data;
    last = p + buf->len;
    buf->len = 0;

    while (p < last) {
        p++;                                            /* the slash */

        slash = memchr(p, '/', (size_t) (last - p));
        len = (size_t) ((slash != NULL ? slash : last) - p);

        if (!rms_path_segment(buf, p, len)) {
            return 0;
        }

        p += len;
    }

    return 1;
}


static int
rms_path_segment(rms_path_buf_t *buf, const unsigned char *p, size_t len)
{
    buf->directory = 1;

    if (len == 0 || (len == 1 && p[0] == '.')) {
        return 1;
    }

    if (len == 2 && p[0] == '.' && p[1] == '.') {
        if (buf->len == 0) {
            return 0;
        }

        while (buf->data[--buf->len] != '/') { /* void */ }

        return 1;
    }

    /* "...", ". ": what Windows makes of them depends on who is asked */

    len = rms_path_trim(p, len);
    if (len == 0) {
        return 0;
    }

    buf->directory = 0;
    buf->data[buf->len++] = '/';
    memmove(buf->data + buf->len, p, len);
    buf->len += len;

    return 1;
}


/* Win32 drops trailing dots and blanks; "::$DATA" is the file itself. */

static size_t
rms_path_trim(const unsigned char *p, size_t len)
{
    size_t  n;

    n = sizeof(RMS_STREAM) - 1;

    for ( ;; ) {
        if (len && (p[len - 1] == '.' || p[len - 1] == ' ')) {
            len--;

        } else if (len >= n && memcmp(p + len - n, RMS_STREAM, n) == 0) {
            len -= n;

        } else {
            return len;
        }
    }
}


static const rms_endpoint_t *
rms_endpoint_spelt(const rms_str_t *target)
{
    size_t                 i, root;
    const rms_endpoint_t  *ep;

    root = sizeof(RMS_ROOT) - 1;

    for (i = 0; i < RMS_FILE_MAX; i++) {
        ep = &rms_endpoints[i];

        if (target->len == root + ep->path.len
            && memcmp(target->data, RMS_ROOT, root) == 0
            && memcmp(target->data + root, ep->path.data, ep->path.len) == 0)
        {
            return ep;
        }
    }

    return NULL;
}


static const rms_endpoint_t *
rms_endpoint_by_path(const rms_path_buf_t *buf)
{
    size_t                 i, root;
    const rms_endpoint_t  *ep;

    root = sizeof(RMS_ROOT) - 1;

    if (buf->len <= root || memcmp(buf->data, RMS_ROOT, root) != 0) {
        return NULL;
    }

    for (i = 0; i < RMS_FILE_MAX; i++) {
        ep = &rms_endpoints[i];

        if (ep->path.len == buf->len - root
            && rms_strn_case_eq(ep->path.data, buf->data + root, ep->path.len))
        {
            return ep;
        }
    }

    return NULL;
}


const rms_endpoint_t *
rms_endpoint_get(rms_file_e id)
{
    return (unsigned) id < RMS_FILE_MAX ? &rms_endpoints[id] : NULL;
}


const rms_operation_t *
rms_operation_get(rms_operation_e id)
{
    return id != RMS_OP_NONE && (unsigned) id < RMS_OP_MAX
           ? &rms_operations[id] : NULL;
}


const rms_operation_t *
rms_operation_by_action(const rms_str_t *action)
{
    size_t  i;

    for (i = RMS_OP_NONE + 1; i < RMS_OP_MAX; i++) {
        if (rms_str_eq(&rms_operations[i].action, action)) {
            return &rms_operations[i];
        }
    }

    return NULL;
}


const rms_operation_t *
rms_operation_by_name(const rms_str_t *name)
{
    size_t  i;

    for (i = RMS_OP_NONE + 1; i < RMS_OP_MAX; i++) {
        if (rms_str_eq(&rms_operations[i].name, name)) {
            return &rms_operations[i];
        }
    }

    return NULL;
}


int
rms_endpoint_serves(const rms_endpoint_t *ep, rms_operation_e op)
{
    size_t  i;

    if (op == RMS_OP_NONE) {
        return 0;
    }

    for (i = 0; i < RMS_FILE_OPS_MAX && ep->ops[i] != RMS_OP_NONE; i++) {
        if (ep->ops[i] == op) {
            return 1;
        }
    }

    return 0;
}
