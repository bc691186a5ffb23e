/*
 * Any bytes as a token: the readers stay inside it, and agree on what it is;
 * where it is adapted to a library, one byte of it changes, or none.
 */

#include <stdlib.h>

#include "rms_gss_mic.h"
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


/* The tag of the signature of a NegTokenResp, and nothing else. */

static void
adapted(const rms_str_t *token, const rms_token_info_t *info)
{
    size_t      at;
    rms_str_t   copy;
    atomic_int  known = RMS_GSS_MIC_MISREAD;

    copy.len = token->len;
    copy.data = malloc(token->len + 1);

    if (copy.data == NULL) {
        return;
    }

    memcpy(copy.data, token->data, token->len);
    rms_gss_mic_adapt(&known, GSS_C_NO_CREDENTIAL, &copy);

    if (info->mic.len > 0) {
        at = (size_t) (info->mic.data - token->data);

        if (info->kind != RMS_TOKEN_SPNEGO_RESP
            || at + info->mic.len != token->len
            || info->mic.data < info->mech_token.data + info->mech_token.len
            || copy.data[at] != 0xa4)
        {
            abort();
        }

        copy.data[at] = 0xa3;
    }

    if (memcmp(copy.data, token->data, token->len) != 0) {
        abort();
    }

    free(copy.data);
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
    inside(&token, &info.mic);
    adapted(&token, &info);

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
