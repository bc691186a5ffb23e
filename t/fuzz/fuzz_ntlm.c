/*
 * Any bytes as an NTLM token, bare and in SPNEGO: the readers stay inside it,
 * what they let through keeps its promises, and a frame that is written reads
 * back as it was.
 */

#include <stdlib.h>

#include "rms_ntlm.h"
#include "rms_principal.h"
#include "rms_spnego.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static const rms_str_t  ntlm =
    rms_string("\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a");


static void
check(int good)
{
    if (!good) {
        abort();
    }
}


static void
inside(const rms_str_t *token, const rms_str_t *part)
{
    check(part->len == 0
          || (part->data >= token->data
              && part->data + part->len <= token->data + token->len));
}


static void *
alloc(void *memory, size_t size)
{
    (void) memory;

    return malloc(size);
}


static void
names(const rms_ntlm_authenticate_t *auth)
{
    rms_str_t        text;
    unsigned char    buf[RMS_NTLM_NAME_MAX + 16];
    rms_principal_t  principal;

    check(auth->user.len > 0 && auth->user.len <= RMS_NTLM_NAME_MAX);
    check(auth->domain.len <= RMS_NTLM_NAME_MAX);
    check(memchr(auth->user.data, '\0', auth->user.len) == NULL);
    check(memchr(auth->user.data, '@', auth->user.len) == NULL);

    /* an account is made of it without quoting anything */

    memcpy(buf, auth->user.data, auth->user.len);
    memcpy(buf + auth->user.len, "@REALM", 6);
    text.data = buf;
    text.len = auth->user.len + 6;

    if (text.len <= RMS_PRINCIPAL_LEN_MAX) {
        check(rms_principal_parse(&text, &principal) == RMS_OK);
        check(rms_str_eq(&principal.name, &auth->user));
    }
}


static void
message(const rms_str_t *token)
{
    int                       i;
    unsigned                  type;
    rms_ntlm_authenticate_t   auth;

    type = rms_ntlm_type(token);

    if (rms_ntlm_negotiate_check(token) == NULL) {
        check(type == RMS_NTLM_NEGOTIATE);
    }

    if (rms_ntlm_challenge_flags(token) != 0) {
        check(type == RMS_NTLM_CHALLENGE);
    }

    for (i = 0; i < 2; i++) {
        if (rms_ntlm_authenticate_read(token, i ? 0x40000000u : 0, &auth)
            == NULL)
        {
            check(type == RMS_NTLM_AUTHENTICATE);
            names(&auth);
        }
    }
}


static void
frame(const rms_str_t *token)
{
    rms_str_t       out;
    rms_spnego_t    read, again;

    if (rms_spnego_read(token, &ntlm, &read) != RMS_OK) {
        return;
    }

    inside(token, &read.mechs);
    inside(token, &read.token);
    inside(token, &read.mic);
    message(&read.token);

    check(read.init ? read.mechs.len > 0 && read.mic.len == 0
                    : read.mechs.len == 0 && !read.first);

    out.data = malloc(read.token.len + read.mic.len + RMS_SPNEGO_FRAME_MAX);

    if (out.data == NULL) {
        return;
    }

    out.len = rms_spnego_write(out.data, RMS_SPNEGO_INCOMPLETE, &ntlm,
                               &read.token, &read.mic);

    check(out.len <= read.token.len + read.mic.len + RMS_SPNEGO_FRAME_MAX);
    check(rms_spnego_read(&out, &ntlm, &again) == RMS_OK);
    check(!again.init && rms_str_eq(&again.token, &read.token)
          && rms_str_eq(&again.mic, &read.mic));

    free(out.data);
}


static void
sids(const rms_str_t *token)
{
    void           *memory;
    size_t          i;
    rms_mem_t       mem;
    rms_sid_t       sid;
    rms_sid_set_t   set;

    mem.alloc = alloc;
    mem.data = NULL;

    if (rms_ntlm_sids(token, &mem, &set, &memory) == RMS_OK) {
        check(set.n_members > 0);

        for (i = 0; i < set.n_members; i++) {
            rms_sid_set_get(&set, i, &sid);
            check(rms_sid_set_has(&set, &sid));
        }

        (void) rms_ntlm_sids_guest(&set);

    } else {
        check(set.n_members == 0 && rms_ntlm_sids_guest(&set));
    }

    free(memory);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rms_str_t  token;

    token.data = (unsigned char *) data;
    token.len = size;

    message(&token);
    frame(&token);
    sids(&token);

    return 0;
}
