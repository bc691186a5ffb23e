/*
 * The PAC of a login.  libkrb5 checks the server's signature with the
 * service's key, and that the PAC is of this client and this login; a PAC
 * that fails there does not fail the login, it only shows no attributes.  On
 * a thread of the pool; what GSSAPI gives is freed here.
 */

#include <gssapi/gssapi_ext.h>

#include "rms_gss_pac.h"


static rms_gss_pac_e rms_gss_pac_missing(gss_name_t client);
static int rms_gss_pac_is_logon_info(const gss_buffer_desc *name);


#define RMS_GSS_PAC_LOGON_INFO  "urn:mspac:logon-info"


static const char  *rms_gss_pac_texts[] = {
    [RMS_GSS_PAC_FINE] = "",
    [RMS_GSS_PAC_NONE] =
        "the ticket has no PAC of a domain controller",
    [RMS_GSS_PAC_UNVERIFIED] =
        "the ticket's PAC does not verify",
    [RMS_GSS_PAC_MALFORMED] =
        "the ticket's PAC is malformed",
    [RMS_GSS_PAC_TOO_MANY] =
        "the ticket's PAC has too many groups",
    [RMS_GSS_PAC_UNAVAILABLE] =
        "no memory for the ticket's PAC"
};


rms_gss_pac_e
rms_gss_pac_read(gss_name_t client, const rms_mem_t *mem, rms_pac_t *out)
{
    int              authenticated, complete, more;
    rms_rc_e         rc;
    OM_uint32        major, minor;
    rms_str_t        info;
    gss_buffer_desc  name, value = GSS_C_EMPTY_BUFFER;

    memset(out, 0, sizeof(rms_pac_t));

    name.value = (void *) RMS_GSS_PAC_LOGON_INFO;
    name.length = sizeof(RMS_GSS_PAC_LOGON_INFO) - 1;

    authenticated = 0;
    more = -1;

    major = gss_get_name_attribute(&minor, client, &name, &authenticated,
                                   &complete, &value, NULL, &more);

    if (major == GSS_S_UNAVAILABLE) {
        return rms_gss_pac_missing(client);
    }

    if (GSS_ERROR(major)) {
        return RMS_GSS_PAC_UNAVAILABLE;
    }

    info.data = value.value;
    info.len = value.length;

    rc = authenticated ? rms_pac_parse(&info, mem, out) : RMS_DECLINED;

    (void) gss_release_buffer(&minor, &value);

    switch (rc) {

    case RMS_OK:
        return RMS_GSS_PAC_FINE;

    case RMS_DECLINED:
        return RMS_GSS_PAC_UNVERIFIED;

    case RMS_TOO_LARGE:
        return RMS_GSS_PAC_TOO_MANY;

    case RMS_NOMEM:
        return RMS_GSS_PAC_UNAVAILABLE;

    default:
        return RMS_GSS_PAC_MALFORMED;
    }
}


/*
 * An attribute that is not there, or one libkrb5 holds back: the PAC did not
 * verify, or has it twice?  The list of attributes names those too.
 */

static rms_gss_pac_e
rms_gss_pac_missing(gss_name_t client)
{
    size_t            i;
    OM_uint32         major, minor;
    rms_gss_pac_e     status;
    gss_buffer_set_t  names;

    names = GSS_C_NO_BUFFER_SET;
    status = RMS_GSS_PAC_NONE;

    major = gss_inquire_name(&minor, client, NULL, NULL, &names);

    if (GSS_ERROR(major)) {
        return (major == GSS_S_UNAVAILABLE) ? RMS_GSS_PAC_NONE
                                            : RMS_GSS_PAC_UNAVAILABLE;
    }

    for (i = 0; names != GSS_C_NO_BUFFER_SET && i < names->count; i++) {
        if (rms_gss_pac_is_logon_info(&names->elements[i])) {
            status = RMS_GSS_PAC_UNVERIFIED;
        }
    }

    (void) gss_release_buffer_set(&minor, &names);

    return status;
}


static int
rms_gss_pac_is_logon_info(const gss_buffer_desc *name)
{
    rms_str_t  s;

    s.data = name->value;
    s.len = name->length;

    return rms_str_is(&s, RMS_GSS_PAC_LOGON_INFO);
}


const char *
rms_gss_pac_text(rms_gss_pac_e status)
{
    return rms_gss_pac_texts[status];
}
