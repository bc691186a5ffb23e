/*
 * Account names as GSSAPI displays them, and as an operator writes them.
 * Pure functions, any thread; results point into the caller's text.
 */

#include "rms_principal.h"


static rms_rc_e rms_principal_escape(const rms_str_t *text, size_t i);
static int rms_principal_realm_valid(const rms_str_t *realm);
static int rms_principal_control(const rms_str_t *text, size_t i);


rms_rc_e
rms_principal_parse(const rms_str_t *text, rms_principal_t *out)
{
    size_t  i, at;

    if (text->len == 0 || text->len > RMS_PRINCIPAL_LEN_MAX) {
        return RMS_INVALID;
    }

    at = 0;

    for (i = 0; i < text->len; i++) {

        if (rms_principal_control(text, i)) {
            return RMS_INVALID;
        }

        if (text->data[i] == '\\') {
            if (rms_principal_escape(text, i) != RMS_OK) {
                return RMS_INVALID;
            }

            i++;
            continue;
        }

        if (text->data[i] == '@') {

            /* one at the very start would be an empty name */

            if (at != 0 || i == 0) {
                return RMS_INVALID;
            }

            at = i;
        }
    }

    if (at == 0) {
        return RMS_INVALID;
    }

    out->name.len = at;
    out->name.data = text->data;
    out->realm.len = text->len - at - 1;
    out->realm.data = text->data + at + 1;

    return rms_principal_realm_valid(&out->realm) ? RMS_OK : RMS_INVALID;
}


/*
 * krb5_unparse_name() quotes '@', '/' and '\' by a backslash, and writes the
 * control characters NUL, BS, TAB and LF as \0 \b \t \n: those are refused
 * like the bare ones.
 */

static rms_rc_e
rms_principal_escape(const rms_str_t *text, size_t i)
{
    if (i + 1 == text->len) {
        return RMS_INVALID;
    }

    switch (text->data[i + 1]) {

    case '@':
    case '/':
    case '\\':
        return RMS_OK;

    default:
        return RMS_INVALID;
    }
}


/* C0, DEL, and C1 in its UTF-8 form, which terminals obey as well. */

static int
rms_principal_control(const rms_str_t *text, size_t i)
{
    unsigned char  c;

    c = text->data[i];

    if (c < 0x20 || c == 0x7f) {
        return 1;
    }

    return c >= 0x80 && c < 0xa0 && i > 0 && text->data[i - 1] == 0xc2;
}


/* A realm is a domain name in capitals (RFC 4120 6.1): it needs no escapes. */

static int
rms_principal_realm_valid(const rms_str_t *realm)
{
    size_t  i;

    for (i = 0; i < realm->len; i++) {
        if (realm->data[i] > 0x7e || realm->data[i] == '\\') {
            return 0;
        }
    }

    return realm->len != 0;
}


rms_rc_e
rms_principal_check_rule(const rms_str_t *text)
{
    size_t           i;
    unsigned char    c;
    rms_principal_t  p;

    for (i = 0; i < text->len; i++) {
        c = text->data[i];

        if (c == '\\') {
            if (i + 1 < text->len
                && (text->data[i + 1] == '@' || text->data[i + 1] == '/'))
            {
                i++;
                continue;
            }

            return RMS_UNSUPPORTED;
        }

        /* what nginx makes of DOMAIN\nick, DOMAIN\tom and DOMAIN\root */

        if (c == '\n' || c == '\t' || c == '\r') {
            return RMS_UNSUPPORTED;
        }
    }

    return rms_principal_parse(text, &p);
}
