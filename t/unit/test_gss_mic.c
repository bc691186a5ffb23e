/*
 * The signature of a mechanism list, and what libraries of several versions
 * make of it: --wrap puts their answers in the place of the installed one's,
 * which test_gss tries.
 */

#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "rms_gss_mic.h"
#include "ticket.h"


#define NELEMS(a)  (sizeof(a) / sizeof((a)[0]))


/* What it answers to a first token, to a signature under [3], and under [4]. */

typedef struct {
    const char  *name;
    OM_uint32    init;
    OM_uint32    three;
    OM_uint32    four;
    int          known;         /* afterwards                            */
} library_t;


OM_uint32 __wrap_gss_accept_sec_context(OM_uint32 *minor, gss_ctx_id_t *ctx,
    gss_cred_id_t cred, gss_buffer_t in, gss_channel_bindings_t bindings,
    gss_name_t *client, gss_OID *mech, gss_buffer_t out, OM_uint32 *flags,
    OM_uint32 *life, gss_cred_id_t *delegated);
OM_uint32 __wrap_gss_delete_sec_context(OM_uint32 *minor, gss_ctx_id_t *ctx,
    gss_buffer_t out);

static const library_t  *library;
static unsigned          calls, contexts;


OM_uint32
__wrap_gss_accept_sec_context(OM_uint32 *minor, gss_ctx_id_t *ctx,
    gss_cred_id_t cred, gss_buffer_t in, gss_channel_bindings_t bindings,
    gss_name_t *client, gss_OID *mech, gss_buffer_t out, OM_uint32 *flags,
    OM_uint32 *life, gss_cred_id_t *delegated)
{
    OM_uint32             major;
    const unsigned char  *token = in->value;

    (void) cred;
    (void) flags;
    (void) life;

    assert_ptr_equal(bindings, GSS_C_NO_CHANNEL_BINDINGS);
    assert_null(client);
    assert_null(mech);
    assert_null(delegated);

    calls++;
    *minor = 0;
    out->length = 1;
    out->value = malloc(1);
    assert_non_null(out->value);

    if (*ctx == GSS_C_NO_CONTEXT) {
        assert_int_equal(token[0], 0x60);
        assert_int_equal(token[1] + 2, in->length);
        major = library->init;

        if (!GSS_ERROR(major)) {
            contexts++;
            *ctx = (gss_ctx_id_t) malloc(1);
            assert_non_null(*ctx);
        }

        return major;
    }

    assert_int_equal(token[0], 0xa1);
    assert_int_equal(token[1] + 2, in->length);
    assert_true(token[4] == 0xa3 || token[4] == 0xa4);

    return (token[4] == 0xa3) ? library->three : library->four;
}


OM_uint32
__wrap_gss_delete_sec_context(OM_uint32 *minor, gss_ctx_id_t *ctx,
    gss_buffer_t out)
{
    (void) minor;
    assert_ptr_equal(out, GSS_C_NO_BUFFER);

    if (*ctx != GSS_C_NO_CONTEXT) {
        contexts--;
        free((void *) *ctx);
        *ctx = GSS_C_NO_CONTEXT;
    }

    return GSS_S_COMPLETE;
}


/* A token with a mechToken that looks like a signature, and one behind it. */

static rms_str_t
signed_token(void)
{
    rms_str_t  t = rms_string("\xa3\x03\x04\x01\x00");
    rms_str_t  mic = rms_string("\xa3\x03\x04\x01\x00");

    return ticket_resp(&t, &mic);
}


/* Adapts a copy; everything but the tag of the outer field is as it was. */

static unsigned
adapted_tag(atomic_int *known)
{
    size_t          at;
    rms_str_t       token, was;
    unsigned char   tag;

    token = signed_token();
    was = signed_token();
    at = was.len - 9;
    assert_int_equal(was.data[at], 0xa3);

    rms_gss_mic_adapt(known, GSS_C_NO_CREDENTIAL, &token);

    tag = token.data[at];
    token.data[at] = 0xa3;
    assert_int_equal(token.len, was.len);
    assert_memory_equal(token.data, was.data, was.len);

    free(token.data);
    free(was.data);

    return tag;
}


static void
only_a_library_that_misreads_gets_another_tag(void **state)
{
    size_t      i;
    unsigned    first;
    atomic_int  known;

    static const library_t  t[] = {
        { "krb5 1.20, and 1.22.2", GSS_S_CONTINUE_NEEDED,
          GSS_S_CONTINUE_NEEDED, GSS_S_DEFECTIVE_TOKEN, RMS_GSS_MIC_FINE },
        { "krb5 1.21", GSS_S_CONTINUE_NEEDED, GSS_S_DEFECTIVE_TOKEN,
          GSS_S_CONTINUE_NEEDED, RMS_GSS_MIC_MISREAD },
        { "both tags", GSS_S_CONTINUE_NEEDED, GSS_S_CONTINUE_NEEDED,
          GSS_S_CONTINUE_NEEDED, RMS_GSS_MIC_FINE },
        { "no memory at first", GSS_S_FAILURE, GSS_S_DEFECTIVE_TOKEN,
          GSS_S_CONTINUE_NEEDED, RMS_GSS_MIC_UNKNOWN },
        { "no memory for the field", GSS_S_CONTINUE_NEEDED,
          GSS_S_DEFECTIVE_TOKEN, GSS_S_DEFECTIVE_TOKEN, RMS_GSS_MIC_UNKNOWN },
        { "no memory in between", GSS_S_CONTINUE_NEEDED, GSS_S_FAILURE,
          GSS_S_CONTINUE_NEEDED, RMS_GSS_MIC_UNKNOWN },
        { "no memory in the end", GSS_S_CONTINUE_NEEDED,
          GSS_S_DEFECTIVE_TOKEN, GSS_S_FAILURE, RMS_GSS_MIC_UNKNOWN },
        { "no Kerberos", GSS_S_BAD_MECH, GSS_S_FAILURE, GSS_S_FAILURE,
          RMS_GSS_MIC_UNKNOWN },
        { "done too early", GSS_S_COMPLETE, GSS_S_DEFECTIVE_TOKEN,
          GSS_S_CONTINUE_NEEDED, RMS_GSS_MIC_UNKNOWN },
        { "lets it in", GSS_S_CONTINUE_NEEDED, GSS_S_DEFECTIVE_TOKEN,
          GSS_S_COMPLETE, RMS_GSS_MIC_UNKNOWN }
    };

    (void) state;

    for (i = 0; i < NELEMS(t); i++) {
        print_message("%s\n", t[i].name);

        library = &t[i];
        known = RMS_GSS_MIC_UNKNOWN;
        calls = 0;

        assert_int_equal(adapted_tag(&known),
                         t[i].known == RMS_GSS_MIC_MISREAD ? 0xa4 : 0xa3);
        assert_int_equal(known, t[i].known);
        assert_true(calls > 0);
        assert_int_equal(contexts, 0);

        /* what is known is not asked again; what is not, is */

        first = calls;
        assert_int_equal(adapted_tag(&known),
                         t[i].known == RMS_GSS_MIC_MISREAD ? 0xa4 : 0xa3);
        assert_int_equal(calls, t[i].known == RMS_GSS_MIC_UNKNOWN ? 2 * first
                                                                  : first);
        assert_int_equal(contexts, 0);
    }
}


static void
token_without_a_signature_in_its_place_is_left_alone(void **state)
{
    int         k;
    size_t      i;
    rms_str_t   t[8], was, mic, octets, seq;
    atomic_int  known;

    static const library_t  never = {
        "never asked", GSS_S_FAILURE, GSS_S_FAILURE, GSS_S_FAILURE, 0
    };

    rms_str_t  inner = rms_string("\xa3\x03\x04\x01\x00");
    rms_str_t  bare = rms_string("\xa1\x05\xa3\x03\x04\x01\x00");
    rms_str_t  twice = rms_string("\xa1\x0c\x30\x0a\xa3\x03\x04\x01\x00"
                                  "\xa3\x03\x04\x01\x00");
    rms_str_t  early = rms_string("\xa1\x0c\x30\x0a\xa3\x03\x04\x01\x00"
                                  "\xa2\x03\x04\x01\x00");
    rms_str_t  wrong = rms_string("\xa1\x07\x30\x05\xa3\x03\x02\x01\x00");
    rms_str_t  four = rms_string("\xa1\x07\x30\x05\xa4\x03\x04\x01\x00");

    (void) state;

    library = &never;

    octets = ticket_tlv(0x04, &inner, NULL, NULL, NULL);
    mic = ticket_tlv(0xa3, &octets, NULL, NULL, NULL);
    seq = ticket_tlv(0x30, &mic, NULL, NULL, NULL);

    t[0] = ticket_resp(&inner, NULL);
    t[1] = ticket_init("xk", &inner);
    t[2] = seq;
    t[3] = bare;
    t[4] = twice;
    t[5] = early;
    t[6] = wrong;
    t[7] = four;

    for (i = 0; i < NELEMS(t); i++) {
        for (k = RMS_GSS_MIC_UNKNOWN; k <= RMS_GSS_MIC_MISREAD; k++) {
            known = k;
            calls = 0;
            was.len = t[i].len;
            was.data = malloc(was.len);
            assert_non_null(was.data);
            memcpy(was.data, t[i].data, was.len);

            rms_gss_mic_adapt(&known, GSS_C_NO_CREDENTIAL, &was);

            assert_memory_equal(was.data, t[i].data, was.len);
            assert_int_equal(calls, 0);
            assert_int_equal(known, k);
            free(was.data);
        }
    }

    free(t[0].data);
    free(t[1].data);
    free(octets.data);
    free(mic.data);
    free(seq.data);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(only_a_library_that_misreads_gets_another_tag),
        cmocka_unit_test(token_without_a_signature_in_its_place_is_left_alone)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
