/*
 * MIT krb5 1.21 to 1.22.1, so Debian 13's, read the mechListMIC of a
 * NegTokenResp under tag [4], where RFC 4178 4.2.2 has [3] (krb5 pull request
 * 1451): clients that prefer another mechanism, and so have to sign their list,
 * could not log in.  There the tag is changed before the library sees it.
 * Nothing is taken on trust by that: the library verifies the signature all the
 * same.  Runs on threads of the pool and keeps nothing but what it found out.
 */

#include "rms_der.h"
#include "rms_gss_mic.h"
#include "rms_negotiate.h"


static int rms_gss_mic_try(gss_cred_id_t cred);
static OM_uint32 rms_gss_mic_answer(gss_cred_id_t cred, unsigned tag);
static OM_uint32 rms_gss_mic_accept(gss_cred_id_t cred, gss_ctx_id_t *ctx,
    unsigned char *token, size_t len);


void
rms_gss_mic_adapt(atomic_int *known, gss_cred_id_t cred,
    const rms_str_t *token)
{
    int               state;
    rms_token_info_t  info;

    state = atomic_load(known);

    if (state == RMS_GSS_MIC_FINE) {
        return;
    }

    info = rms_token_sniff(token);

    if (info.mic.len == 0) {
        return;
    }

    if (state == RMS_GSS_MIC_UNKNOWN) {
        state = rms_gss_mic_try(cred);

        if (state != RMS_GSS_MIC_UNKNOWN) {
            atomic_store(known, state);
        }
    }

    if (state == RMS_GSS_MIC_MISREAD) {
        info.mic.data[0] = RMS_DER_CTX(4);
    }
}


/*
 * To a library that does not see the field the token is empty and so defective;
 * otherwise it is a signature that comes early, and more has to follow.  It
 * misreads only if both tags say so: with one alone, a lack of memory would do.
 */

static int
rms_gss_mic_try(gss_cred_id_t cred)
{
    OM_uint32  major;

    major = rms_gss_mic_answer(cred, RMS_DER_CTX(3));

    if (major == GSS_S_CONTINUE_NEEDED) {
        return RMS_GSS_MIC_FINE;
    }

    if (GSS_ERROR(major) == GSS_S_DEFECTIVE_TOKEN
        && rms_gss_mic_answer(cred, RMS_DER_CTX(4)) == GSS_S_CONTINUE_NEEDED)
    {
        return RMS_GSS_MIC_MISREAD;
    }

    return RMS_GSS_MIC_UNKNOWN;
}


/* The library's answer to a mechListMIC with this tag, in a new handshake. */

static OM_uint32
rms_gss_mic_answer(gss_cred_id_t cred, unsigned tag)
{
    OM_uint32     major, ignored;
    gss_ctx_id_t  ctx;

    /* a NegTokenInit that offers Kerberos, and brings no token for it */

    unsigned char  init[] =
        "\x60\x1b\x06\x06\x2b\x06\x01\x05\x05\x02\xa0\x11\x30\x0f\xa0\x0d"
        "\x30\x0b\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02";

    /* a NegTokenResp with nothing but a mechListMIC, of one byte */

    unsigned char  resp[] = "\xa1\x07\x30\x05\xa3\x03\x04\x01\x00";

    resp[4] = (unsigned char) tag;

    ctx = GSS_C_NO_CONTEXT;
    major = rms_gss_mic_accept(cred, &ctx, init, sizeof(init) - 1);

    if (major == GSS_S_CONTINUE_NEEDED) {
        major = rms_gss_mic_accept(cred, &ctx, resp, sizeof(resp) - 1);

    } else {
        major = GSS_S_FAILURE;
    }

    (void) gss_delete_sec_context(&ignored, &ctx, GSS_C_NO_BUFFER);

    return major;
}


static OM_uint32
rms_gss_mic_accept(gss_cred_id_t cred, gss_ctx_id_t *ctx,
    unsigned char *token, size_t len)
{
    OM_uint32        major, minor;
    gss_buffer_desc  in, out = GSS_C_EMPTY_BUFFER;

    in.value = token;
    in.length = len;

    major = gss_accept_sec_context(&minor, ctx, cred, &in,
                                   GSS_C_NO_CHANNEL_BINDINGS, NULL, NULL,
                                   &out, NULL, NULL, NULL);

    (void) gss_release_buffer(&minor, &out);

    return major;
}
