/*
 * Any bytes as a token: the readers stay inside it, and agree on what it is.
 */

#include <stdlib.h>

#include "rms_negotiate.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
inside(const rms_str_t *token, const rms_str_t *part)
{
    if (part->len > 0
        && (part->data < token->data
            || part->data + part->len > token->data + token->len))
    {
        abort();
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char              name[32];
    rms_rc_e          rc;
    rms_str_t         token;
    rms_apreq_t       apreq;
    unsigned char     hash[32];
    rms_token_info_t  info;

    token.data = (unsigned char *) data;
    token.len = size;

    info = rms_token_sniff(&token);
    inside(&token, &info.mech_token);

    rc = rms_token_apreq(&token, &apreq);

    if ((rc == RMS_INVALID) < (info.kind == RMS_TOKEN_UNKNOWN)) {
        abort();
    }

    if (rc != RMS_OK) {
        return 0;
    }

    inside(&info.mech_token, &apreq.realm);
    inside(&info.mech_token, &apreq.ticket);
    inside(&info.mech_token, &apreq.authenticator);

    if (!info.krb5_token || info.kind == RMS_TOKEN_NTLM
        || apreq.authenticator.len == 0
        || apreq.service.data != apreq.service_buf
        || apreq.service.len > sizeof(apreq.service_buf)
        || rms_apreq_hash(&apreq, hash) != RMS_OK
        || rms_etype_name(apreq.ticket_etype, name, sizeof(name)) != name)
    {
        abort();
    }

    return 0;
}
