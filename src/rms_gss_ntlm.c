/*
 * One leg of an NTLM login: its frame, its place in the handshake, the answer.
 * Runs on a thread of a pool of its own; a login is malloc'd memory, freed by
 * rms_gss_login_free().
 */

#include <stdlib.h>

#include "rms_gss_context.h"
#include "rms_gss_ntlm_leg.h"


static void rms_gss_ntlm_drop(rms_gss_login_t *login);
static rms_gss_status_e rms_gss_ntlm_leg(rms_gss_leg_t *leg);
static const char *rms_gss_ntlm_unwrap(rms_gss_leg_t *leg);
static const char *rms_gss_ntlm_begin(rms_gss_leg_t *leg);
static const char *rms_gss_ntlm_order(const rms_gss_leg_t *leg);
static rms_gss_status_e rms_gss_ntlm_choose(rms_gss_leg_t *leg);
static rms_gss_status_e rms_gss_ntlm_challenge(rms_gss_leg_t *leg);


static const rms_str_t  rms_gss_ntlm_oid =
    rms_string("\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a");

static const rms_str_t  rms_gss_nothing = rms_null_string;


int
rms_gss_ntlm_wanted(const rms_str_t *token, const rms_gss_context_t *context)
{
    rms_token_info_t  info;

    info = rms_token_sniff(token);

    switch (info.kind) {

    case RMS_TOKEN_NTLM:
        return 1;

    case RMS_TOKEN_SPNEGO_INIT:
        return info.offers_ntlm && !info.offers_krb5;

    case RMS_TOKEN_SPNEGO_RESP:
        return context != NULL && context->mech == RMS_GSS_NTLM;

    default:
        return 0;
    }
}


void
rms_gss_ntlm_accept(const rms_gss_ntlm_t *ntlm, rms_gss_login_t *login)
{
    rms_gss_leg_t  leg;

    memset(&leg, 0, sizeof(rms_gss_leg_t));
    rms_line_init(&leg.line, login->text, sizeof(login->text));

    leg.ntlm = ntlm;
    leg.login = login;
    leg.ctx = login->context;

    login->context = NULL;
    login->ntlm = 1;
    login->status = rms_gss_ntlm_leg(&leg);

    if (login->status == RMS_GSS_CONTINUE) {
        login->context = leg.ctx;
        return;
    }

    rms_gss_context_free(leg.ctx);

    if (login->status != RMS_GSS_DONE) {
        rms_gss_ntlm_drop(login);
    }
}


/* A refusal carries no token (RFC 4559 5), and names nobody. */

static void
rms_gss_ntlm_drop(rms_gss_login_t *login)
{
    free(login->output.data);
    free(login->account.data);
    free(login->sids_memory);

    login->output = rms_gss_nothing;
    login->account = rms_gss_nothing;
    login->sids_memory = NULL;
    login->has_sids = 0;
    login->bound = 0;

    memset(&login->sids, 0, sizeof(rms_sid_set_t));
}


static rms_gss_status_e
rms_gss_ntlm_leg(rms_gss_leg_t *leg)
{
    const char  *wrong;

    wrong = rms_gss_ntlm_unwrap(leg);

    if (wrong == NULL) {
        wrong = rms_gss_ntlm_begin(leg);
    }

    if (wrong == NULL && leg->ctx == NULL) {
        return rms_gss_ntlm_no_memory(leg);
    }

    if (wrong == NULL) {
        wrong = rms_gss_ntlm_order(leg);
    }

    if (wrong != NULL) {
        rms_line_add(&leg->line, "%s (%zu bytes)", wrong,
                     leg->login->token.len);
        return RMS_GSS_FAILED;
    }

    leg->ctx->legs++;

    if (leg->frame.init && (leg->ctx->ntlm.sign || leg->message.len == 0)) {
        return rms_gss_ntlm_choose(leg);
    }

    return leg->ctx->ntlm.challenged ? rms_gss_ntlm_authenticate(leg)
                                     : rms_gss_ntlm_challenge(leg);
}


static const char *
rms_gss_ntlm_unwrap(rms_gss_leg_t *leg)
{
    rms_str_t  *token;

    token = &leg->login->token;

    if (token->len > RMS_TOKEN_MAX) {
        return "token too large";
    }

    if (rms_ntlm_type(token) != 0) {
        leg->message = *token;
        return NULL;
    }

    switch (rms_spnego_read(token, &rms_gss_ntlm_oid, &leg->frame)) {

    case RMS_OK:
        leg->message = leg->frame.token;
        return NULL;

    case RMS_DECLINED:
        return "the client offers no NTLM";

    default:
        return "malformed token";
    }
}


/*
 * A NegTokenInit or a bare NEGOTIATE_MESSAGE is a new handshake, and what is
 * left of another is dropped.
 */

static const char *
rms_gss_ntlm_begin(rms_gss_leg_t *leg)
{
    int                   spnego;
    rms_gss_ntlm_legs_t  *legs;

    spnego = (leg->message.data != leg->login->token.data);

    if (spnego ? !leg->frame.init
               : rms_ntlm_type(&leg->message) != RMS_NTLM_NEGOTIATE)
    {
        return leg->ctx ? NULL : "no NTLM handshake was begun here";
    }

    if (leg->frame.mechs.len > RMS_SPNEGO_MECHS_MAX) {
        return "the client's list of mechanisms is too long";
    }

    rms_gss_context_free(leg->ctx);
    leg->ctx = calloc(1, sizeof(rms_gss_context_t));

    if (leg->ctx == NULL) {
        return NULL;
    }

    leg->ctx->gss = GSS_C_NO_CONTEXT;
    leg->ctx->mech = RMS_GSS_NTLM;
    leg->ctx->spnego = spnego ? 1 : 0;

    if (spnego) {
        legs = &leg->ctx->ntlm;
        legs->mechs_len = leg->frame.mechs.len;
        memcpy(legs->mechs, leg->frame.mechs.data, legs->mechs_len);

        /* RFC 4178 5: a choice that was not the client's first */

        legs->sign = !leg->frame.first;
    }

    return NULL;
}


static const char *
rms_gss_ntlm_order(const rms_gss_leg_t *leg)
{
    int  spnego;

    spnego = (leg->message.data != leg->login->token.data);

    if (leg->ctx->mech != RMS_GSS_NTLM) {
        return "NTLM in a handshake of another mechanism";
    }

    if (leg->ctx->spnego != (unsigned) spnego) {
        return "another framing than the handshake began with";
    }

    if (leg->ctx->legs == RMS_GSS_LEGS_MAX) {
        return "too many legs";
    }

    return NULL;
}


/*
 * The client has sent no token for NTLM yet, for it likes another mechanism
 * more: it is told the choice.
 */

static rms_gss_status_e
rms_gss_ntlm_choose(rms_gss_leg_t *leg)
{
    rms_line_add(&leg->line, "leg %u, more follow", leg->ctx->legs);

    return rms_gss_ntlm_output(leg,
                               leg->ctx->ntlm.sign ? RMS_SPNEGO_REQUEST_MIC
                                                   : RMS_SPNEGO_INCOMPLETE,
                               &rms_gss_nothing, &rms_gss_nothing);
}


static rms_gss_status_e
rms_gss_ntlm_challenge(rms_gss_leg_t *leg)
{
    OM_uint32         major, minor, ignored;
    rms_str_t         token;
    const char       *wrong;
    gss_name_t        client;
    gss_buffer_desc   out = GSS_C_EMPTY_BUFFER;
    rms_gss_status_e  status;

    wrong = rms_ntlm_negotiate_check(&leg->message);

    if (wrong != NULL) {
        return rms_gss_ntlm_fail(leg, wrong);
    }

    client = GSS_C_NO_NAME;
    major = rms_gss_ntlm_accept_leg(leg, &client, &out, &minor);

    token.data = out.value;
    token.len = out.length;

    if (GSS_ERROR(major)) {
        status = rms_gss_ntlm_refused(leg, major, minor);

    } else if (!(major & GSS_S_CONTINUE_NEEDED)
               || rms_ntlm_type(&token) != RMS_NTLM_CHALLENGE)
    {
        status = rms_gss_ntlm_fail(leg, "no challenge");

    } else {
        leg->ctx->ntlm.challenged = 1;
        leg->ctx->ntlm.flags = rms_ntlm_challenge_flags(&token);

        rms_line_add(&leg->line, "leg %u, more follow", leg->ctx->legs);
        status = rms_gss_ntlm_output(leg, RMS_SPNEGO_INCOMPLETE, &token,
                                     &rms_gss_nothing);
    }

    (void) gss_release_name(&ignored, &client);
    (void) gss_release_buffer(&ignored, &out);

    return status;
}


/*
 * The answer of a leg, in SPNEGO if the client's token was.  supportedMech is
 * in the first one and in no other (RFC 4178 4.2.2).
 */

rms_gss_status_e
rms_gss_ntlm_output(rms_gss_leg_t *leg, rms_spnego_state_e state,
    const rms_str_t *token, const rms_str_t *mic)
{
    rms_str_t             *out;
    const rms_str_t       *mech;
    rms_gss_ntlm_legs_t   *legs;

    out = &leg->login->output;
    legs = &leg->ctx->ntlm;

    out->data = malloc(token->len + mic->len + RMS_SPNEGO_FRAME_MAX);

    if (out->data == NULL) {
        return rms_gss_ntlm_no_memory(leg);
    }

    if (!leg->ctx->spnego) {
        if (token->len > 0) {
            memcpy(out->data, token->data, token->len);
        }

        out->len = token->len;

        return RMS_GSS_CONTINUE;
    }

    mech = legs->answered ? &rms_gss_nothing : &rms_gss_ntlm_oid;
    legs->answered = 1;

    out->len = rms_spnego_write(out->data, state, mech, token, mic);

    return RMS_GSS_CONTINUE;
}


rms_gss_status_e
rms_gss_ntlm_no_memory(rms_gss_leg_t *leg)
{
    rms_line_add(&leg->line, "no memory");

    return RMS_GSS_UNAVAILABLE;
}


rms_gss_status_e
rms_gss_ntlm_fail(rms_gss_leg_t *leg, const char *wrong)
{
    rms_line_add(&leg->line, "%s", wrong);
    rms_gss_ntlm_who(leg);

    return RMS_GSS_FAILED;
}


/* Unproven. */

void
rms_gss_ntlm_who(rms_gss_leg_t *leg)
{
    if (leg->auth.user.len == 0) {
        return;
    }

    rms_line_add(&leg->line, " domain=");
    rms_line_quoted(&leg->line, &leg->auth.domain);
    rms_line_add(&leg->line, " user=");
    rms_line_quoted(&leg->line, &leg->auth.user);
}
