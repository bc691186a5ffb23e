/*
 * The closed table of endpoints and operations, and the way from a request
 * path to a row of it.  What is not in the table does not exist: it is never
 * forwarded.  Pure functions, any thread; the table is constant.
 */

#ifndef RMS_ENDPOINT_H
#define RMS_ENDPOINT_H


#include "rms_types.h"


typedef enum {
    RMS_OP_NONE = 0,
    RMS_OP_ACTIVATE,                        /* [MS-RMPR] 3.2.4.1 */
    RMS_OP_CERTIFY,                         /* [MS-RMPR] 3.3.4.1 */
    RMS_OP_PRECERTIFY,                      /* [MS-RMSI] 3.3.4.1 */
    RMS_OP_ACQUIRE_LICENSE,                 /* [MS-RMPR] 3.4.4.1 */
    RMS_OP_ACQUIRE_PRE_LICENSE,             /* [MS-RMSI] 3.5.4.1 */
    RMS_OP_ACQUIRE_ISSUANCE_LICENSE,        /* [MS-RMPR] 3.5.4.1 */
    RMS_OP_GET_CLIENT_LICENSOR_CERT,        /* [MS-RMPR] 3.5.4.2 */
    RMS_OP_EDIT_ISSUANCE_LICENSE,           /* [MS-RMSI] 3.4.4.1 */
    RMS_OP_ACQUIRE_TEMPLATE_INFORMATION,    /* [MS-RMPR] 3.4.4.2 */
    RMS_OP_ACQUIRE_TEMPLATES,               /* [MS-RMPR] 3.4.4.3 */
    RMS_OP_FIND_SERVICE_LOCATIONS_FOR_USER, /* [MS-RMPR] 3.7.4.2 */
    RMS_OP_FIND_SERVICE_LOCATIONS,          /* [MS-RMPRS] 3.2.4.1 */
    RMS_OP_GET_LICENSOR_CERTIFICATE,        /* [MS-RMPR] 3.7.4.1 */
    RMS_OP_GET_SERVER_INFO,                 /* [MS-RMPR] 3.7.4.3 */
    RMS_OP_IS_PRINCIPAL_MEMBER_OF,          /* [MS-RMPRS] 3.5.4.1 */
    RMS_OP_SUB_ENROLL,                      /* [MS-RMPRS] 3.3.4.1 */
    RMS_OP_ACQUIRE_CONTENT_KEY,             /* [MS-RMSI] 3.2.4.1 */
    RMS_OP_MAX
} rms_operation_e;


typedef enum {
    RMS_FILE_CERTIFICATION = 0,
    RMS_FILE_SERVER_CERTIFICATION,
    RMS_FILE_MOBILE_CERTIFICATION,
    RMS_FILE_MOBILE_DEVICE_CERTIFICATION,
    RMS_FILE_MAC_CERTIFICATION,
    RMS_FILE_PRECERTIFICATION,
    RMS_FILE_ACTIVATION,
    RMS_FILE_SUB_ENROLL,
    RMS_FILE_CERTIFICATION_SERVER,
    RMS_FILE_CERTIFICATION_LOCATOR,
    RMS_FILE_LICENSE,
    RMS_FILE_PUBLISH,
    RMS_FILE_EDIT_ISSUANCE_LICENSE,
    RMS_FILE_TEMPLATE_DISTRIBUTION,
    RMS_FILE_LICENSING_SERVER,
    RMS_FILE_LICENSING_LOCATOR,
    RMS_FILE_GROUP_EXPANSION,
    RMS_FILE_DECOMMISSION,
    RMS_FILE_EXT_CERTIFICATION,
    RMS_FILE_EXT_CERTIFICATION_SERVER,
    RMS_FILE_EXT_CERTIFICATION_LOCATOR,
    RMS_FILE_EXT_LICENSE,
    RMS_FILE_EXT_PUBLISH,
    RMS_FILE_EXT_LICENSING_SERVER,
    RMS_FILE_EXT_LICENSING_LOCATOR,
    RMS_FILE_MAX
} rms_file_e;


#define RMS_FILE_OPS_MAX  4


/* One operation: [protocol] 1.1. */

typedef struct {
    rms_operation_e  id;
    rms_str_t        name;          /* "AcquireLicense": body element    */
    rms_str_t        ns;            /* namespace of the body element     */
    rms_str_t        action;        /* ns + "/" + name: the SOAP action  */
    unsigned         publish:1;     /* denied where publishing is denied */
    unsigned         never:1;       /* denied to everybody, in every mode */
} rms_operation_t;


/* One .asmx file. */

typedef struct {
    rms_file_e       id;
    rms_str_t        path;          /* canonical, below the base:
                                       "/licensing/license.asmx"         */
    rms_str_t        service;       /* name on the service page:
                                       "ServerCertificationWebService"   */
    size_t           body_max;      /* bytes a request body may have     */
    unsigned         external:1;    /* below a ...external directory     */
    unsigned         publish:1;     /* publishing file, whatever the action */
    unsigned         never:1;       /* never relayed                     */
    rms_operation_e  ops[RMS_FILE_OPS_MAX];     /* RMS_OP_NONE ends it   */
} rms_endpoint_t;


typedef enum {
    RMS_PATH_ENDPOINT = 0,          /* a row of the table                */
    RMS_PATH_RMSO_URI,              /* /_wmcs/GetRmsoUri.aspx            */
    RMS_PATH_UNKNOWN,               /* 404                               */
    RMS_PATH_BAD                    /* 400                               */
} rms_path_e;


typedef struct {
    rms_path_e             kind;
    const rms_endpoint_t  *endpoint;    /* for RMS_PATH_ENDPOINT          */
    rms_str_t              query;       /* after '?', may be empty        */
    unsigned               has_query:1; /* there was a '?'                */
} rms_path_t;


#define RMS_PATH_LEN_MAX   1024     /* longer request paths are RMS_PATH_BAD */

#define RMS_BODY_MAX_LARGE  (16 * 1024 * 1024)  /* license, publish, edit */
#define RMS_BODY_MAX_SMALL  (1024 * 1024)       /* all others             */


/*
 * Finds the row for a request target's path the way IIS would read it
 * ([protocol] 8.2): decodes %XX once, folds case, turns '\' into '/', merges
 * slashes, removes dot segments, cuts trailing dots and blanks of a segment
 * and "::$DATA".  RMS_PATH_BAD: a control character or NUL, an invalid or
 * truncated escape, a second decode would change the path again, ".." above
 * the root, a segment of dots and blanks that is neither "." nor "..", longer
 * than RMS_PATH_LEN_MAX, bytes above 0x7e.
 * Path info after an .asmx, an unknown file: RMS_PATH_UNKNOWN.  The query is
 * split off and not interpreted.
 *
 * target: path and optional query; "raw" non-zero when it still holds the
 * client's percent escapes, 0 when the path was decoded by the server.
 * The result points into target and into the constant table.
 */
rms_path_t rms_endpoint_find(const rms_str_t *target, int raw);


/* The row for an id; never NULL for ids below RMS_FILE_MAX. */
const rms_endpoint_t *rms_endpoint_get(rms_file_e id);


/* The operation for an id; NULL for RMS_OP_NONE and out of range. */
const rms_operation_t *rms_operation_get(rms_operation_e id);


/* The operation with this exact action URI, or NULL. */
const rms_operation_t *rms_operation_by_action(const rms_str_t *action);


/* The operation with this name (exact case), or NULL. */
const rms_operation_t *rms_operation_by_name(const rms_str_t *name);


/* Non-zero when this file serves this operation. */
int rms_endpoint_serves(const rms_endpoint_t *ep, rms_operation_e op);


#endif /* RMS_ENDPOINT_H */
