/*
 * One leg of a Kerberos login.  Blocks on the keytab and runs on a thread of
 * the pool; a login, with all its strings, is malloc'd memory and freed by
 * rms_gss_login_free().  GSSAPI is included here and in rms_gss_*.c only.
 */

#include <openssl/crypto.h>

#include <errno.h>
#include <stdlib.h>

#include <gssapi/gssapi.h>
#include <gssapi/gssapi_ext.h>

#include "rms_gss_context.h"
#include "rms_gss_cred.h"
#include "rms_gss_mic.h"
#include "rms_gss_pac.h"
#include "rms_line.h"
#include "rms_principal.h"
#include "rms_ticket.h"


static rms_gss_status_e rms_gss_leg(rms_gss_acceptor_t *acceptor,
    rms_gss_login_t *login, rms_gss_context_t **context, rms_line_t *line);
static rms_gss_status_e rms_gss_step(rms_gss_acceptor_t *acceptor,
    rms_gss_login_t *login, rms_gss_context_t *ctx, const rms_apreq_t *apreq,
    int named, rms_line_t *line);
static OM_uint32 rms_gss_call(rms_gss_login_t *login, rms_gss_context_t *ctx,
    gss_cred_id_t cred, gss_name_t *client, gss_OID *mech, gss_buffer_t out,
    OM_uint32 *minor);
static int rms_gss_proved(rms_gss_login_t *login, OM_uint32 major,
    const char *service);

static const char *rms_gss_framing(rms_gss_context_t *ctx,
    const rms_str_t *token);
static const char *rms_gss_apreq(rms_gss_context_t *ctx,
    const rms_str_t *token, rms_apreq_t *apreq, const rms_apreq_t **found);
static void rms_gss_ticket(rms_gss_context_t *ctx, const rms_apreq_t *apreq);

static rms_gss_status_e rms_gss_refused(const rms_gss_acceptor_t *acceptor,
    const rms_gss_context_t *ctx, const rms_apreq_t *apreq, OM_uint32 major,
    OM_uint32 minor, rms_line_t *line);
static rms_gss_status_e rms_gss_continue(const rms_gss_login_t *login,
    const rms_gss_context_t *ctx, rms_line_t *line);
static rms_gss_status_e rms_gss_finish(rms_gss_login_t *login,
    rms_gss_context_t *ctx, const rms_gss_keys_t *keys, gss_name_t client,
    const gss_OID_desc *mech, rms_line_t *line);
static rms_gss_status_e rms_gss_names(rms_gss_login_t *login,
    const rms_gss_context_t *ctx, gss_name_t client);
static rms_gss_status_e rms_gss_judge(rms_gss_login_t *login,
    rms_line_t *line);
static rms_gss_status_e rms_gss_sids(rms_gss_login_t *login,
    const rms_gss_context_t *ctx, const rms_gss_keys_t *keys,
    rms_line_t *line);
static void *rms_gss_malloc(void *data, size_t size);
static int rms_gss_keep(rms_gss_context_t *ctx, const rms_apreq_t *apreq);
static void rms_gss_success(const rms_gss_login_t *login,
    const rms_gss_context_t *ctx, rms_line_t *line);

static int rms_gss_display(gss_name_t name, rms_str_t *text);
static int rms_gss_mech_is_krb5(const gss_OID_desc *mech);
static int rms_gss_copy(rms_str_t *dst, const gss_buffer_desc *src);
static void rms_gss_drop(rms_str_t *s);


static const gss_OID_desc  rms_gss_krb5 =
    { 9, (void *) "\x2a\x86\x48\x86\xf7\x12\x01\x02\x02" };

/* the number Windows lists first means the same mechanism */
static const gss_OID_desc  rms_gss_ms_krb5 =
    { 9, (void *) "\x2a\x86\x48\x82\xf7\x12\x01\x02\x02" };

static atomic_int  rms_gss_mic_known;

static const rms_mem_t  rms_gss_mem = { rms_gss_malloc, NULL };


void
rms_gss_accept(rms_gss_acceptor_t *acceptor, rms_gss_login_t *login)
{
    rms_line_t          line;
    rms_gss_context_t  *ctx;

    rms_line_init(&line, login->text, sizeof(login->text));

    ctx = login->context;
    login->context = NULL;

    login->status = rms_gss_leg(acceptor, login, &ctx, &line);

    if (login->status == RMS_GSS_CONTINUE) {
        login->context = ctx;
        return;
    }

    rms_gss_context_free(ctx);

    if (login->status != RMS_GSS_DONE) {

        /* a refusal carries no token (RFC 4559 5), and names nobody */

        rms_gss_drop(&login->output);
        rms_gss_drop(&login->account);
        login->bound = 0;
    }
}


static void
rms_gss_drop(rms_str_t *s)
{
    free(s->data);
    s->data = NULL;
    s->len = 0;
}


void
rms_gss_context_free(rms_gss_context_t *context)
{
    OM_uint32  minor;

    if (context == NULL) {
        return;
    }

    (void) gss_delete_sec_context(&minor, &context->gss, GSS_C_NO_BUFFER);
    free(context->encrypted.data);
    free(context);
}


void
rms_gss_login_free(rms_gss_login_t *login)
{
    rms_gss_context_free(login->context);

    /* a token that was read is a login for as long as the clocks allow */

    if (login->token.data != NULL) {
        OPENSSL_cleanse(login->token.data, login->token.len);
    }

    if (login->output.data != NULL) {
        OPENSSL_cleanse(login->output.data, login->output.len);
    }

    free(login->token.data);
    free(login->output.data);
    free(login->account.data);
    free(login->service.data);
    free(login->claimed.data);
    free(login->sids_memory);

    memset(login, 0, sizeof(rms_gss_login_t));
}


static rms_gss_status_e
rms_gss_leg(rms_gss_acceptor_t *acceptor, rms_gss_login_t *login,
    rms_gss_context_t **context, rms_line_t *line)
{
    const char         *wrong;
    rms_apreq_t         apreq;
    const rms_apreq_t  *found;
    rms_gss_context_t  *ctx;

    if (*context == NULL) {
        *context = calloc(1, sizeof(rms_gss_context_t));

        if (*context == NULL) {
            rms_line_add(line, "no memory");
            return RMS_GSS_UNAVAILABLE;
        }

        (*context)->gss = GSS_C_NO_CONTEXT;
    }

    ctx = *context;
    found = NULL;

    wrong = rms_gss_framing(ctx, &login->token);

    if (wrong == NULL) {
        wrong = rms_gss_apreq(ctx, &login->token, &apreq, &found);
    }

    if (wrong != NULL) {
        rms_line_add(line, "%s (%zu bytes)", wrong, login->token.len);
        return RMS_GSS_FAILED;
    }

    if (found != NULL && login->want_sids && !rms_gss_keep(ctx, found)) {
        rms_line_add(line, "no memory");
        return RMS_GSS_UNAVAILABLE;
    }

    /* only a first leg can be tried twice */

    return rms_gss_step(acceptor, login, ctx, found, ctx->legs == 1, line);
}


/*
 * apreq: NULL when this leg holds none.  named: with the key of the service
 * it names, if there is one.
 */

static rms_gss_status_e
rms_gss_step(rms_gss_acceptor_t *acceptor, rms_gss_login_t *login,
    rms_gss_context_t *ctx, const rms_apreq_t *apreq, int named,
    rms_line_t *line)
{
    int               copied, again;
    gss_OID           mech;
    OM_uint32         major, minor, ignored;
    gss_name_t        client;
    rms_gss_cred_t    cred;
    gss_buffer_desc   out = GSS_C_EMPTY_BUFFER;
    rms_gss_status_e  status;

    if (!rms_gss_cred_take(acceptor, named ? apreq : NULL, &cred, line)) {
        return RMS_GSS_UNAVAILABLE;
    }

    /* only a later leg brings the signature of a list (RFC 4178 5) */

    if (ctx->legs > 1) {
        rms_gss_mic_adapt(&rms_gss_mic_known, cred.gss, &login->token);
    }

    client = GSS_C_NO_NAME;
    mech = GSS_C_NO_OID;

    major = rms_gss_call(login, ctx, cred.gss, &client, &mech, &out, &minor);

    again = GSS_ERROR(major) && cred.service != NULL;

    copied = rms_gss_copy(&login->output, &out)
             && rms_gss_proved(login, major, cred.service);

    (void) gss_release_buffer(&ignored, &out);

    if (again) {

        /* any other key may open it: a second one of that name, an alias's */

        rms_gss_cred_give(acceptor, &cred);
        rms_gss_drop(&login->output);
        return rms_gss_step(acceptor, login, ctx, apreq, 0, line);
    }

    if (GSS_ERROR(major)) {
        status = rms_gss_refused(acceptor, ctx, apreq, major, minor, line);

    } else if (!copied) {
        rms_line_add(line, "no memory");
        status = RMS_GSS_UNAVAILABLE;

    } else if (major & GSS_S_CONTINUE_NEEDED) {
        status = rms_gss_continue(login, ctx, line);

    } else {
        status = rms_gss_finish(login, ctx, cred.keys, client, mech, line);
    }

    rms_gss_cred_give(acceptor, &cred);
    (void) gss_release_name(&ignored, &client);

    return status;
}


/*
 * With the channel bindings of the connection, unless they are off.  They hold
 * no addresses: the family is then 0, as clients have it, not NULLADDR.
 */

static OM_uint32
rms_gss_call(rms_gss_login_t *login, rms_gss_context_t *ctx,
    gss_cred_id_t cred, gss_name_t *client, gss_OID *mech, gss_buffer_t out,
    OM_uint32 *minor)
{
    OM_uint32                           major, flags;
    gss_buffer_desc                     in;
    gss_channel_bindings_t              bindings;
    struct gss_channel_bindings_struct  cb;

    in.value = login->token.data;
    in.length = login->token.len;

    memset(&cb, 0, sizeof(struct gss_channel_bindings_struct));
    cb.application_data.value = login->cbind.data;
    cb.application_data.length = login->cbind.len;

    bindings = (login->cbind_mode == RMS_CBIND_OFF || login->cbind.len == 0)
               ? GSS_C_NO_CHANNEL_BINDINGS : &cb;

    flags = 0;

    /* delegated credentials are not asked for, and so thrown away */

    major = gss_accept_sec_context(minor, &ctx->gss, cred, &in, bindings,
                                   client, mech, out, &flags, NULL, NULL);

    login->bound = major == GSS_S_COMPLETE && bindings != NULL
                   && (flags & GSS_C_CHANNEL_BOUND_FLAG);

    return major;
}


/*
 * A login that ends in the leg in which one service's credential was used is
 * one to that service.  0: no memory.
 */

static int
rms_gss_proved(rms_gss_login_t *login, OM_uint32 major, const char *service)
{
    gss_buffer_desc  name;

    if (major != GSS_S_COMPLETE || service == NULL) {
        return 1;
    }

    name.value = (void *) (uintptr_t) service;
    name.length = strlen(service);

    return rms_gss_copy(&login->service, &name);
}


/*
 * What may come as which leg.  NTLM never reaches GSSAPI, where another
 * mechanism may be installed that knows it; nor does a token whose framing we
 * cannot follow, since then the authenticator in it could not be named.
 * Answers what is wrong, or NULL.
 */

static const char *
rms_gss_framing(rms_gss_context_t *ctx, const rms_str_t *token)
{
    rms_token_info_t  info;

    if (ctx->mech != RMS_GSS_KRB5) {
        return "Kerberos in a handshake of another mechanism";
    }

    if (ctx->legs++ == RMS_GSS_LEGS_MAX) {
        return "too many legs";
    }

    if (token->len > RMS_TOKEN_MAX) {
        return "token too large";
    }

    info = rms_token_sniff(token);

    switch (info.kind) {

    case RMS_TOKEN_NTLM:
        return "NTLM instead of Kerberos";

    case RMS_TOKEN_SPNEGO_INIT:
        if (ctx->legs > 1) {
            return "a second NegTokenInit";
        }

        ctx->spnego = 1;

        return info.offers_krb5 ? NULL : "the client offers no Kerberos";

    case RMS_TOKEN_KRB5:
        return (ctx->legs > 1) ? "a second initial token" : NULL;

    case RMS_TOKEN_SPNEGO_RESP:
        return ctx->spnego ? NULL : "NegTokenResp without NegTokenInit";

    default:
        return "malformed token";
    }
}


/*
 * Notes the AP-REQ, in whichever leg it comes: a login without one is refused
 * in the end, and a login with two would have two names in the replay cache.
 */

static const char *
rms_gss_apreq(rms_gss_context_t *ctx, const rms_str_t *token,
    rms_apreq_t *apreq, const rms_apreq_t **found)
{
    switch (rms_token_apreq(token, apreq)) {

    case RMS_OK:
        break;

    case RMS_DECLINED:
        return NULL;

    default:
        return "malformed AP-REQ";
    }

    if (ctx->has_apreq) {
        return "a second AP-REQ";
    }

    if (rms_apreq_hash(apreq, ctx->hash) != RMS_OK) {
        return "the AP-REQ cannot be hashed";
    }

    ctx->has_apreq = 1;
    ctx->etype = apreq->ticket_etype;
    ctx->kvno = apreq->ticket_kvno;
    rms_gss_ticket(ctx, apreq);

    *found = apreq;

    return NULL;
}


/* The ticket as the client shows it, unproven: for the lines of failures. */

static void
rms_gss_ticket(rms_gss_context_t *ctx, const rms_apreq_t *apreq)
{
    char        etype[32];
    rms_line_t  line;

    rms_line_init(&line, ctx->ticket, sizeof(ctx->ticket));

    rms_line_add(&line, "ticket for ");
    rms_line_quoted(&line, &apreq->service);
    rms_line_add(&line, " realm ");
    rms_line_quoted(&line, &apreq->realm);
    rms_line_add(&line, " etype=%s kvno=%u",
                 rms_etype_name(apreq->ticket_etype, etype, sizeof(etype)),
                 apreq->ticket_kvno);
}


/* Whose fault was it?  Says what GSSAPI knows, and what the keytab tells. */

static rms_gss_status_e
rms_gss_refused(const rms_gss_acceptor_t *acceptor,
    const rms_gss_context_t *ctx, const rms_apreq_t *apreq, OM_uint32 major,
    OM_uint32 minor, rms_line_t *line)
{
    rms_ticket_e  why;

    why = RMS_TICKET_NO_REASON;

    if (apreq != NULL) {
        why = rms_ticket_explain(rms_gss_acceptor_keytab(acceptor), apreq,
                                 line);
    }

    if (why != RMS_TICKET_NO_REASON) {
        rms_line_add(line, "; ");
    }

    if (ctx->has_apreq) {
        rms_line_add(line, "%s; ", ctx->ticket);
    }

    rms_gss_reason(major, minor, line);

    if (why == RMS_TICKET_NO_KEYTAB
        || (why == RMS_TICKET_NO_REASON
            && (minor == ENOMEM || minor == EMFILE || minor == ENFILE)))
    {
        return RMS_GSS_UNAVAILABLE;
    }

    return RMS_GSS_FAILED;
}


static rms_gss_status_e
rms_gss_continue(const rms_gss_login_t *login, const rms_gss_context_t *ctx,
    rms_line_t *line)
{
    /* raw Kerberos asks for more only in DCE style, which HTTP has not */

    if (!ctx->spnego || login->output.len == 0) {
        rms_line_add(line, "the handshake does not end");
        return RMS_GSS_FAILED;
    }

    rms_line_add(line, "leg %u, more follow", ctx->legs);

    return RMS_GSS_CONTINUE;
}


static rms_gss_status_e
rms_gss_finish(rms_gss_login_t *login, rms_gss_context_t *ctx,
    const rms_gss_keys_t *keys, gss_name_t client, const gss_OID_desc *mech,
    rms_line_t *line)
{
    rms_gss_status_e  status;

    if (!rms_gss_mech_is_krb5(mech)) {
        rms_line_add(line, "a mechanism other than Kerberos");
        return RMS_GSS_FAILED;
    }

    if (!ctx->has_apreq) {
        rms_line_add(line, "no authenticator found");
        return RMS_GSS_FAILED;
    }

    if (login->cbind_mode == RMS_CBIND_REQUIRE && !login->bound) {
        rms_line_add(line, "%s; %s", login->cbind.len
                     ? "the client sent no channel binding, and it is required"
                     : "a channel binding is required, and this connection is "
                       "not TLS",
                     ctx->ticket);
        return RMS_GSS_FAILED;
    }

    status = rms_gss_names(login, ctx, client);

    if (status == RMS_GSS_DONE) {
        status = rms_gss_judge(login, line);

    } else {
        rms_line_add(line, "no memory for the names");
    }

    if (status == RMS_GSS_DONE && login->want_sids) {
        status = rms_gss_sids(login, ctx, keys, line);
    }

    if (status != RMS_GSS_DONE) {
        return status;
    }

    memcpy(login->hash, ctx->hash, sizeof(login->hash));
    login->has_hash = 1;
    rms_gss_success(login, ctx, line);

    return RMS_GSS_DONE;
}


static rms_gss_status_e
rms_gss_names(rms_gss_login_t *login, const rms_gss_context_t *ctx,
    gss_name_t client)
{
    int         ok;
    OM_uint32   major, minor;
    gss_name_t  service;

    if (!rms_gss_display(client, &login->account)) {
        return RMS_GSS_UNAVAILABLE;
    }

    if (login->service.len > 0) {
        return RMS_GSS_DONE;
    }

    /* asked of Kerberos only: another mechanism's library crashes here */

    major = gss_inquire_context(&minor, ctx->gss, NULL, &service, NULL, NULL,
                                NULL, NULL, NULL);
    if (GSS_ERROR(major)) {
        return RMS_GSS_UNAVAILABLE;
    }

    ok = rms_gss_display(service, &login->service);

    (void) gss_release_name(&minor, &service);

    return ok ? RMS_GSS_DONE : RMS_GSS_UNAVAILABLE;
}


/* The names Kerberos proved: are they ones we let in? */

static rms_gss_status_e
rms_gss_judge(rms_gss_login_t *login, rms_line_t *line)
{
    const char       *wrong;
    rms_principal_t   account, service;

    if (login->service.len <= 5 || memcmp(login->service.data, "HTTP/", 5) != 0
        || rms_principal_parse(&login->service, &service) != RMS_OK)
    {
        wrong = "wrong service, not HTTP/";

    } else if (rms_principal_parse(&login->account, &account) != RMS_OK) {
        wrong = "an account name we refuse";

    } else if (rms_str_is(&account.name, "WELLKNOWN/ANONYMOUS")) {

        /* RFC 8062 3: somebody, but the KDC does not say who */

        wrong = "an anonymous ticket";

    } else {
        login->foreign = !rms_str_eq(&account.realm, &service.realm);
        return RMS_GSS_DONE;
    }

    rms_line_add(line, "%s: account=", wrong);
    rms_line_quoted(line, &login->account);
    rms_line_add(line, " service=");
    rms_line_quoted(line, &login->service);

    return RMS_GSS_FAILED;
}


/* No SIDs are no failure: rules by SID are told why there are none. */

static rms_gss_status_e
rms_gss_sids(rms_gss_login_t *login, const rms_gss_context_t *ctx,
    const rms_gss_keys_t *keys, rms_line_t *line)
{
    rms_pac_t      pac;
    rms_gss_pac_e  status;

    status = rms_gss_pac_read(keys->memory, &ctx->encrypted, &login->account,
                              &rms_gss_mem, &pac);

    if (status == RMS_GSS_PAC_UNAVAILABLE) {
        rms_line_add(line, "%s", rms_gss_pac_text(status));
        return RMS_GSS_UNAVAILABLE;
    }

    if (status != RMS_GSS_PAC_FINE) {
        login->sids_why = rms_gss_pac_text(status);
        return RMS_GSS_DONE;
    }

    login->has_sids = 1;
    login->sids = pac.sids;
    login->sids_memory = pac.memory;
    login->has_user = 1;
    login->user = pac.user;

    return RMS_GSS_DONE;
}


static void *
rms_gss_malloc(void *data, size_t size)
{
    (void) data;

    return malloc(size);
}


/* The AP-REQ may come legs before the end. */

static int
rms_gss_keep(rms_gss_context_t *ctx, const rms_apreq_t *apreq)
{
    gss_buffer_desc  ticket;

    ticket.value = apreq->ticket.data;
    ticket.length = apreq->ticket.len;

    return rms_gss_copy(&ctx->encrypted, &ticket);
}


static void
rms_gss_success(const rms_gss_login_t *login, const rms_gss_context_t *ctx,
    rms_line_t *line)
{
    char  etype[32];

    rms_line_add(line, "krb5 account=");
    rms_line_quoted(line, &login->account);
    rms_line_add(line, " service=");
    rms_line_quoted(line, &login->service);
    rms_line_add(line, " etype=%s kvno=%u",
                 rms_etype_name(ctx->etype, etype, sizeof(etype)), ctx->kvno);

    if (login->cbind_mode != RMS_CBIND_OFF) {
        rms_line_add(line, " bound=%s", login->bound ? "yes" : "no");
    }
}


static int
rms_gss_display(gss_name_t name, rms_str_t *text)
{
    int              ok;
    OM_uint32        minor;
    gss_buffer_desc  shown;

    if (name == GSS_C_NO_NAME
        || GSS_ERROR(gss_display_name(&minor, name, &shown, NULL)))
    {
        return 0;
    }

    ok = rms_gss_copy(text, &shown);
    (void) gss_release_buffer(&minor, &shown);

    return ok;
}


static int
rms_gss_mech_is_krb5(const gss_OID_desc *mech)
{
    return mech != GSS_C_NO_OID
           && (gss_oid_equal(mech, &rms_gss_krb5)
               || gss_oid_equal(mech, &rms_gss_ms_krb5));
}


static int
rms_gss_copy(rms_str_t *dst, const gss_buffer_desc *src)
{
    dst->len = 0;
    dst->data = NULL;

    if (src->length == 0) {
        return 1;
    }

    dst->data = malloc(src->length);
    if (dst->data == NULL) {
        return 0;
    }

    memcpy(dst->data, src->value, src->length);
    dst->len = src->length;

    return 1;
}
