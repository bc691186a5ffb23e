/*
 * Content-Type, Content-Encoding and SOAPAction.  Pure functions: any thread,
 * nothing to free.
 */

#include "rms_media.h"


/* A media type, as far as SOAP is concerned. */

typedef struct {
    rms_str_t   type;           /* "text/xml"                            */
    rms_str_t   charset;        /* data NULL: none                       */
    rms_str_t   action;         /* data NULL: none                       */
} rms_media_type_t;


static int rms_media_is_blank(unsigned char c);
static int rms_media_is_token(unsigned char c);
static rms_str_t rms_media_trim(const rms_str_t *s);
static int rms_media_equal(const rms_str_t *values, size_t n);
static int rms_media_case_is(const rms_str_t *s, const char *literal);
static rms_str_t rms_media_name(const rms_str_t *content_type);
static rms_soap_version_e rms_media_soap(const rms_str_t *type);
static rms_rc_e rms_media_split(const rms_str_t *value,
    rms_media_type_t *media);
static rms_rc_e rms_media_parameter(unsigned char **pp, unsigned char *last,
    rms_media_type_t *media);
static rms_rc_e rms_media_value(unsigned char **pp, unsigned char *last,
    rms_str_t *value);
static rms_rc_e rms_media_keep(rms_str_t *slot, const rms_str_t *value);
static rms_rc_e rms_media_header_action(const rms_str_t *header,
    rms_str_t *action);
static int rms_media_uri(const rms_str_t *s);


rms_rc_e
rms_media_parse(const rms_str_t *content_type, size_t n_content_type,
    const rms_str_t *soap_action, size_t n_soap_action, rms_media_t *out)
{
    rms_rc_e          rc;
    rms_str_t         header;
    rms_media_type_t  media;

    memset(out, 0, sizeof(rms_media_t));

    if (n_content_type == 0) {
        return RMS_UNSUPPORTED;
    }

    if (!rms_media_equal(content_type, n_content_type)
        || !rms_media_equal(soap_action, n_soap_action))
    {
        return RMS_INVALID;
    }

    rc = rms_media_split(content_type, &media);
    if (rc != RMS_OK) {
        return rc;
    }

    out->version = rms_media_soap(&media.type);

    if (out->version == RMS_SOAP_NONE) {
        return RMS_UNSUPPORTED;
    }

    if (media.charset.data != NULL
        && !rms_media_case_is(&media.charset, "utf-8")
        && !rms_media_case_is(&media.charset, "us-ascii"))
    {
        return RMS_UNSUPPORTED;
    }

    header.data = NULL;
    header.len = 0;

    if (n_soap_action != 0
        && rms_media_header_action(soap_action, &header) != RMS_OK)
    {
        return RMS_INVALID;
    }

    if (header.data != NULL && media.action.data != NULL
        && !rms_str_eq(&header, &media.action))
    {
        return RMS_INVALID;
    }

    /* a header was looked at above */

    if (out->version != RMS_SOAP_12) {
        out->action = header;
        return header.data != NULL ? RMS_OK : RMS_INVALID;
    }

    out->action = media.action;

    return rms_media_uri(&out->action) ? RMS_OK : RMS_INVALID;
}


rms_soap_version_e
rms_media_version(const rms_str_t *content_type)
{
    rms_str_t  type;

    type = rms_media_name(content_type);

    return rms_media_soap(&type);
}


int
rms_media_identity(const rms_str_t *content_encoding)
{
    rms_str_t  value;

    value = rms_media_trim(content_encoding);

    return value.len == 0 || rms_media_case_is(&value, "identity");
}


int
rms_media_is_xml(const rms_str_t *content_type)
{
    rms_str_t  type;

    type = rms_media_name(content_type);

    return rms_media_soap(&type) != RMS_SOAP_NONE
           || rms_media_case_is(&type, "application/xml");
}


static int
rms_media_is_blank(unsigned char c)
{
    return c == ' ' || c == '\t';
}


/* RFC 9110 5.6.2 */

static int
rms_media_is_token(unsigned char c)
{
    return c > 0x20 && c < 0x7f && strchr("\"(),/:;<=>?@[\\]{}", c) == NULL;
}


static rms_str_t
rms_media_trim(const rms_str_t *s)
{
    rms_str_t  t;

    t = *s;

    while (t.len && rms_media_is_blank(t.data[0])) {
        t.data++;
        t.len--;
    }

    while (t.len && rms_media_is_blank(t.data[t.len - 1])) {
        t.len--;
    }

    return t;
}


/* [protocol] 9.39: a repeated header may only repeat itself. */

static int
rms_media_equal(const rms_str_t *values, size_t n)
{
    size_t  i;

    for (i = 1; i < n; i++) {
        if (!rms_str_eq(&values[0], &values[i])) {
            return 0;
        }
    }

    return 1;
}


static int
rms_media_case_is(const rms_str_t *s, const char *literal)
{
    return s->len == strlen(literal)
           && rms_strn_case_eq(s->data, (const unsigned char *) literal,
                               s->len);
}


static rms_str_t
rms_media_name(const rms_str_t *content_type)
{
    rms_str_t       type;
    unsigned char  *semicolon;

    type = *content_type;

    if (type.len != 0) {
        semicolon = memchr(type.data, ';', type.len);

        if (semicolon != NULL) {
            type.len = (size_t) (semicolon - type.data);
        }
    }

    return rms_media_trim(&type);
}


static rms_soap_version_e
rms_media_soap(const rms_str_t *type)
{
    if (rms_media_case_is(type, "text/xml")) {
        return RMS_SOAP_11;
    }

    if (rms_media_case_is(type, "application/soap+xml")) {
        return RMS_SOAP_12;
    }

    return RMS_SOAP_NONE;
}


/* RFC 9110 8.3.1: type "/" subtype *( OWS ";" OWS [ parameter ] ) */

static rms_rc_e
rms_media_split(const rms_str_t *value, rms_media_type_t *media)
{
    size_t          i, slashes;
    rms_rc_e        rc;
    unsigned char  *p, *last;

    memset(media, 0, sizeof(rms_media_type_t));
    media->type = rms_media_name(value);
    slashes = 0;

    for (i = 0; i < media->type.len; i++) {
        if (media->type.data[i] == '/') {
            slashes++;

        } else if (!rms_media_is_token(media->type.data[i])) {
            return RMS_INVALID;
        }
    }

    if (media->type.len == 0 || slashes != 1) {
        return RMS_INVALID;
    }

    p = media->type.data + media->type.len;
    last = value->data + value->len;

    for ( ;; ) {
        while (p < last && rms_media_is_blank(*p)) {
            p++;
        }

        if (p == last) {
            return RMS_OK;
        }

        if (*p++ != ';') {
            return RMS_INVALID;
        }

        rc = rms_media_parameter(&p, last, media);
        if (rc != RMS_OK) {
            return rc;
        }
    }
}


static rms_rc_e
rms_media_parameter(unsigned char **pp, unsigned char *last,
    rms_media_type_t *media)
{
    rms_rc_e        rc;
    rms_str_t       name, value;
    unsigned char  *p;

    for (p = *pp; p < last && rms_media_is_blank(*p); p++) { /* void */ }

    if (p == last || *p == ';') {                       /* an empty one */
        *pp = p;
        return RMS_OK;
    }

    name.data = p;

    while (p < last && rms_media_is_token(*p)) {
        p++;
    }

    name.len = (size_t) (p - name.data);

    if (name.len == 0 || p == last || *p++ != '=') {
        return RMS_INVALID;
    }

    rc = rms_media_value(&p, last, &value);
    if (rc != RMS_OK) {
        return rc;
    }

    *pp = p;

    if (rms_media_case_is(&name, "charset")) {
        return rms_media_keep(&media->charset, &value);
    }

    if (rms_media_case_is(&name, "action")) {
        return rms_media_keep(&media->action, &value);
    }

    return RMS_OK;
}


/*
 * A token or a quoted string.  An action is a URI: unquoted ones hold ':' and
 * '/', which are no token characters, but nothing else can be meant.  Escapes
 * would make the value another one than its bytes: no client writes them.
 */

static rms_rc_e
rms_media_value(unsigned char **pp, unsigned char *last, rms_str_t *value)
{
    int             quoted;
    unsigned char  *p;

    p = *pp;
    quoted = p < last && *p == '"';
    p += quoted;
    value->data = p;

    for ( /* void */ ; p < last; p++) {
        if (quoted ? *p == '"' : (*p == ';' || rms_media_is_blank(*p))) {
            break;
        }

        if (*p == '"' || *p == '\\' || *p < 0x20 || *p > 0x7e) {
            return RMS_INVALID;
        }
    }

    value->len = (size_t) (p - value->data);

    if (quoted) {
        if (p == last) {
            return RMS_INVALID;
        }

        p++;
    }

    *pp = p;

    return value->len != 0 ? RMS_OK : RMS_INVALID;
}


static rms_rc_e
rms_media_keep(rms_str_t *slot, const rms_str_t *value)
{
    if (slot->data != NULL && !rms_str_eq(slot, value)) {
        return RMS_INVALID;
    }

    *slot = *value;

    return RMS_OK;
}


static rms_rc_e
rms_media_header_action(const rms_str_t *header, rms_str_t *action)
{
    *action = rms_media_trim(header);

    if (action->len >= 2 && action->data[0] == '"'
        && action->data[action->len - 1] == '"')
    {
        action->data++;
        action->len -= 2;
    }

    return rms_media_uri(action) ? RMS_OK : RMS_INVALID;
}


static int
rms_media_uri(const rms_str_t *s)
{
    size_t  i;

    for (i = 0; i < s->len; i++) {
        if (s->data[i] <= 0x20 || s->data[i] > 0x7e || s->data[i] == '"') {
            return 0;
        }
    }

    return s->len != 0;
}
