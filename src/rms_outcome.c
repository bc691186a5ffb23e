/*
 * Scanner of answers for the accounts: accounting only, never a permission,
 * and no byte is changed.  Any thread; nothing is allocated.
 *
 * Text is crossed with memchr(); a tag whose name says nothing is left at the
 * end of its name, because no "<" can stand in its attributes (XML 1.0 3.1).
 * In a licence only its end is looked for: nothing in it is a result.  Answers
 * of other operations are left at the first child of Body.
 */

#include "rms_outcome.h"


typedef enum {
    RMS_OUTCOME_PROLOG = 0,     /* until Body                             */
    RMS_OUTCOME_BODY,           /* until its first child                  */
    RMS_OUTCOME_ITEMS,
    RMS_OUTCOME_FAULT,
    RMS_OUTCOME_DONE            /* nothing more is looked for             */
} rms_outcome_phase_e;


typedef enum {
    RMS_OUTCOME_TEXT = 0,
    RMS_OUTCOME_OPEN,           /* after "<"                              */
    RMS_OUTCOME_IN_NAME,
    RMS_OUTCOME_IN_TAG,         /* after the name, until ">"              */
    RMS_OUTCOME_BANG,           /* after "<!"                             */
    RMS_OUTCOME_SKIP,           /* comment, instruction                   */
    RMS_OUTCOME_CDATA
} rms_outcome_state_e;


typedef enum {
    RMS_TAG_OTHER = 0,
    RMS_TAG_BODY,
    RMS_TAG_FAULT,
    RMS_TAG_CODE,
    RMS_TAG_STRING,
    RMS_TAG_DETAIL,
    RMS_TAG_LIST,               /* its children are the items             */
    RMS_TAG_ITEM,
    RMS_TAG_EXCEPTION,
    RMS_TAG_LICENCE
} rms_outcome_tag_e;


typedef enum {
    RMS_FIELD_NONE = 0,
    RMS_FIELD_CODE,
    RMS_FIELD_STRING
} rms_outcome_field_e;


struct rms_outcome_tag_s {
    rms_str_t          name;
    rms_outcome_tag_e  tag;
};


static const unsigned char *rms_outcome_text(rms_outcome_t *o,
    const unsigned char *p, const unsigned char *last);
static const unsigned char *rms_outcome_licence_end(const rms_outcome_t *o,
    const unsigned char *p, const unsigned char *last);
static int rms_outcome_block(const unsigned char *p, unsigned char licence);
static const unsigned char *rms_outcome_open(rms_outcome_t *o,
    const unsigned char *p);
static const unsigned char *rms_outcome_name(rms_outcome_t *o,
    const unsigned char *p, const unsigned char *last);
static rms_outcome_tag_e rms_outcome_find(const rms_outcome_t *o);
static const unsigned char *rms_outcome_in_tag(rms_outcome_t *o,
    const unsigned char *p, const unsigned char *last);
static const unsigned char *rms_outcome_bang(rms_outcome_t *o,
    const unsigned char *p);
static const unsigned char *rms_outcome_skip(rms_outcome_t *o,
    const unsigned char *p, const unsigned char *last);
static void rms_outcome_element(rms_outcome_t *o);
static void rms_outcome_item(rms_outcome_t *o);
static void rms_outcome_in_fault(rms_outcome_t *o);
static void rms_outcome_char(rms_outcome_t *o, unsigned char c);
static void rms_outcome_word_end(rms_outcome_t *o);
static uint8_t rms_outcome_exception(const unsigned char *word, size_t len);


#define rms_tag(s, tag)  { rms_string(s), tag }
#define rms_tags_end     { rms_null_string, RMS_TAG_OTHER }


/* what leads to the first child of Body: SOAP 1.1 4, SOAP 1.2 5 */

static const rms_outcome_tag_t  rms_outcome_soap[] = {
    rms_tag("Body", RMS_TAG_BODY),
    rms_tag("Fault", RMS_TAG_FAULT),
    rms_tags_end
};


/* SOAP 1.1 4.4 and, with capitals, SOAP 1.2 5.4 */

static const rms_outcome_tag_t  rms_outcome_fault_tags[] = {
    rms_tag("faultcode", RMS_TAG_CODE),
    rms_tag("Value", RMS_TAG_CODE),
    rms_tag("faultstring", RMS_TAG_STRING),
    rms_tag("Text", RMS_TAG_STRING),
    rms_tag("detail", RMS_TAG_DETAIL),
    rms_tag("Detail", RMS_TAG_DETAIL),
    rms_tag("Fault", RMS_TAG_FAULT),
    rms_tags_end
};


/* [MS-RMPR] 3.4.4.1; the exceptions have no namespace in the specification */

static const rms_outcome_tag_t  rms_outcome_licence[] = {
    rms_tag("AcquireLicenseResult", RMS_TAG_LIST),
    rms_tag("AcquireLicenseResponse", RMS_TAG_ITEM),
    rms_tag("AcquireLicenseException", RMS_TAG_EXCEPTION),
    rms_tag("AcquirePreLicenseException", RMS_TAG_EXCEPTION),
    rms_tag("XrML", RMS_TAG_LICENCE),
    rms_tags_end
};


/* [MS-RMSI] 3.5.4.1: one licence for each identity asked for */

static const rms_outcome_tag_t  rms_outcome_pre_licence[] = {
    rms_tag("Licenses", RMS_TAG_LIST),
    rms_tag("Certificate", RMS_TAG_ITEM),
    rms_tag("AcquireLicenseException", RMS_TAG_EXCEPTION),
    rms_tag("AcquirePreLicenseException", RMS_TAG_EXCEPTION),
    rms_tag("XrML", RMS_TAG_LICENCE),
    rms_tags_end
};


/* the last components of [MS-RMPR] 3.1.4.5 and its kin, without "Exception" */

static const rms_str_t  rms_outcome_exceptions[] = {
    rms_string("other"),
    rms_string("UnauthorizedAccess"),
    rms_string("ArgumentNull"),
    rms_string("Argument"),
    rms_string("ArgumentOutOfRange"),
    rms_string("Format"),
    rms_string("DRMSArgument"),
    rms_string("MalformedDataVersion"),
    rms_string("UnsupportedDataVersion"),
    rms_string("InvalidOperation"),
    rms_string("UnspecifiedError"),
    rms_string("VerifyEmailAddressFailed"),
    rms_string("ADEntrySearchFailed"),
    rms_string("VerifyMachineCertificateChainFailed"),
    rms_string("BlackBoxIsInvalid"),
    rms_string("UnsupportedCryptographicSet"),
    rms_string("InvalidPersonaCertSignature"),
    rms_string("InvalidPersonaCertTime"),
    rms_string("UnexpectedPersonaCert"),
    rms_string("UntrustedPersonaCert"),
    rms_string("DrmacIsExcluded"),
    rms_string("CredentialCreationTime"),
    rms_string("InvalidRightsLabelSignature"),
    rms_string("IssuanceLicenseIsNotWithinValidTimeRange"),
    rms_string("RightsLabelNoMatchingIssuedPrincipal"),
    rms_string("NoRightsForRequestedPrincipal"),
    rms_string("OnlinePublishingDisabled"),
    rms_string("UnsignedIssuanceLicenseNoMatchingIssuedPrincipal"),
    rms_string("InvalidOfficialRightsTemplate"),
    rms_string("CryptoUnsupportedSymKey"),
    rms_string("EnablingBitsHashDoesNotMatch"),
    rms_string("ServerRepublishIllegal"),
    rms_string("InvalidSignedIssuanceLicense"),
    rms_string("AcquirePreLicenseInvalidLicensee"),
    rms_string("ClusterNotDecommissioned"),
    rms_string("ClusterDecommissioned")
};

#define RMS_OUTCOME_EXCEPTIONS                                                \
    (sizeof(rms_outcome_exceptions) / sizeof(rms_outcome_exceptions[0]))

#define RMS_OUTCOME_BLOCK       128     /* bytes seen at once            */

#define RMS_OUTCOME_SUFFIX      "Exception"
#define RMS_OUTCOME_SUFFIX_LEN  (sizeof(RMS_OUTCOME_SUFFIX) - 1)


void
rms_outcome_start(rms_outcome_t *o, rms_operation_e op)
{
    memset(o, 0, sizeof(rms_outcome_t));

    if (op == RMS_OP_ACQUIRE_LICENSE) {
        o->tags = rms_outcome_licence;

    } else if (op == RMS_OP_ACQUIRE_PRE_LICENSE) {
        o->tags = rms_outcome_pre_licence;
    }
}


void
rms_outcome_feed(rms_outcome_t *o, const unsigned char *data, size_t len)
{
    const unsigned char  *p, *last;

    if (len == 0) {
        return;
    }

    p = data;
    last = data + len;

    while (p < last && o->phase != RMS_OUTCOME_DONE) {

        switch (o->state) {

        case RMS_OUTCOME_TEXT:
            p = rms_outcome_text(o, p, last);
            break;

        case RMS_OUTCOME_OPEN:
            p = rms_outcome_open(o, p);
            break;

        case RMS_OUTCOME_IN_NAME:
            p = rms_outcome_name(o, p, last);
            break;

        case RMS_OUTCOME_IN_TAG:
            p = rms_outcome_in_tag(o, p, last);
            break;

        case RMS_OUTCOME_BANG:
            p = rms_outcome_bang(o, p);
            break;

        default: /* RMS_OUTCOME_SKIP, RMS_OUTCOME_CDATA */
            p = rms_outcome_skip(o, p, last);
            break;
        }
    }
}


const rms_str_t *
rms_outcome_fault(const rms_outcome_t *o)
{
    uint8_t  i;

    if (!o->fault) {
        return NULL;
    }

    /*
     * [MS-RMPR] 3.1.4.5 has the name in faultstring, [MS-RMPRS] and [MS-RMSI]
     * in faultcode
     */

    i = o->names[RMS_FIELD_STRING];

    return &rms_outcome_exceptions[i ? i : o->names[RMS_FIELD_CODE]];
}


static const unsigned char *
rms_outcome_text(rms_outcome_t *o, const unsigned char *p,
    const unsigned char *last)
{
    const unsigned char  *lt;

    lt = o->licence ? rms_outcome_licence_end(o, p, last)
                    : memchr(p, '<', (size_t) (last - p));

    if (o->field != RMS_FIELD_NONE) {

        while (p < last && p != lt) {
            rms_outcome_char(o, *p++);
        }

        if (lt) {
            rms_outcome_word_end(o);
        }
    }

    if (lt == NULL) {
        return last;
    }

    o->state = RMS_OUTCOME_OPEN;

    return lt + 1;
}


/*
 * The next "<" that may end a licence, or that begins a comment or the like,
 * or whose meaning stands in the next piece.
 */

static const unsigned char *
rms_outcome_licence_end(const rms_outcome_t *o, const unsigned char *p,
    const unsigned char *last)
{
    while (last - p >= RMS_OUTCOME_BLOCK + 2
           && !rms_outcome_block(p, o->licence))
    {
        p += RMS_OUTCOME_BLOCK;
    }

    while ((p = memchr(p, '<', (size_t) (last - p))) != NULL) {

        if (last - p < 3 || p[1] == '!' || p[1] == '?'
            || (p[1] == '/' && p[2] == o->licence))
        {
            return p;
        }

        p++;
    }

    return NULL;
}


/*
 * Does one of the next RMS_OUTCOME_BLOCK bytes begin what is looked for in a
 * licence?  Without a branch, so that compilers use vectors: a licence has a
 * tag every forty bytes.
 */

static int
rms_outcome_block(const unsigned char *p, unsigned char licence)
{
    int            i;
    unsigned char  found, mark, end, tag;

    found = 0;

    for (i = 0; i < RMS_OUTCOME_BLOCK; i++) {
        mark = p[i + 1] == '!';
        mark |= p[i + 1] == '?';
        end = p[i + 1] == '/';
        end &= p[i + 2] == licence;
        tag = p[i] == '<';

        found |= (unsigned char) (tag & (mark | end));
    }

    return found;
}


static const unsigned char *
rms_outcome_open(rms_outcome_t *o, const unsigned char *p)
{
    o->name_len = 0;
    o->initial = 0;
    o->closing = 0;

    switch (*p) {

    case '!':
        o->state = RMS_OUTCOME_BANG;
        return p + 1;

    case '?':
        o->state = RMS_OUTCOME_SKIP;
        o->end = '?';
        o->end_need = 1;
        o->end_seen = 0;
        return p + 1;

    case '/':
        o->closing = 1;
        p++;
        break;

    default:
        break;
    }

    o->state = RMS_OUTCOME_IN_NAME;

    return p;
}


/* Keeps the local name alone: prefixes are anybody's choice. */

static const unsigned char *
rms_outcome_name(rms_outcome_t *o, const unsigned char *p,
    const unsigned char *last)
{
    uint8_t        n;
    unsigned char  c;

    n = o->name_len;

    for ( /* void */ ; p < last; p++) {
        c = *p;

        if (c <= ' ' || c == '/' || c == '>' || c == '<') {
            break;
        }

        if (o->initial == 0) {
            o->initial = c;
        }

        if (c == ':') {
            n = 0;

        } else if (n < RMS_OUTCOME_NAME) {
            o->name[n++] = c;
        }
    }

    o->name_len = n;

    if (p == last) {
        return p;
    }

    o->tag = (uint8_t) rms_outcome_find(o);

    if (o->tag == RMS_TAG_OTHER && o->phase != RMS_OUTCOME_BODY
        && o->phase != RMS_OUTCOME_FAULT)
    {
        o->state = RMS_OUTCOME_TEXT;
        return p;
    }

    o->slash = 0;
    o->quote = 0;
    o->state = RMS_OUTCOME_IN_TAG;

    return p;
}


static rms_outcome_tag_e
rms_outcome_find(const rms_outcome_t *o)
{
    size_t                    len;
    const rms_outcome_tag_t  *t;

    if (o->licence && (!o->closing || o->initial != o->licence)) {
        return RMS_TAG_OTHER;
    }

    len = o->name_len;

    t = o->phase == RMS_OUTCOME_ITEMS ? o->tags
        : o->phase == RMS_OUTCOME_FAULT ? rms_outcome_fault_tags
        : rms_outcome_soap;

    for ( /* void */ ; t->name.len; t++) {
        if (t->name.len == len && memcmp(t->name.data, o->name, len) == 0) {
            return t->tag;
        }
    }

    return RMS_TAG_OTHER;
}


/* The rest of a tag; ">" may stand in a quoted value. */

static const unsigned char *
rms_outcome_in_tag(rms_outcome_t *o, const unsigned char *p,
    const unsigned char *last)
{
    unsigned char  c;

    while (p < last) {
        c = *p++;

        if (o->quote) {
            if (c == o->quote) {
                o->quote = 0;
            }

            continue;
        }

        if (c == '>') {
            o->state = RMS_OUTCOME_TEXT;
            rms_outcome_element(o);
            return p;
        }

        o->slash = (c == '/');

        if (c == '"' || c == '\'') {
            o->quote = c;
        }
    }

    return p;
}


/* "<!--" and "<![CDATA[" by what follows "<!"; a DOCTYPE is not SOAP. */

static const unsigned char *
rms_outcome_bang(rms_outcome_t *o, const unsigned char *p)
{
    static const rms_str_t  comment = rms_string("--");
    static const rms_str_t  cdata = rms_string("[CDATA[");

    const rms_str_t  *want;

    o->name[o->name_len++] = *p;
    want = o->name[0] == '-' ? &comment : &cdata;

    if (memcmp(o->name, want->data, o->name_len) != 0) {
        o->phase = RMS_OUTCOME_DONE;
        return p;
    }

    if (o->name_len == want->len) {
        o->state = want == &cdata ? RMS_OUTCOME_CDATA : RMS_OUTCOME_SKIP;
        o->end = want == &cdata ? ']' : '-';
        o->end_need = 2;
        o->end_seen = 0;
    }

    return p + 1;
}


/* Until "-->", "]]>" or "?>"; CDATA in a field is its text. */

static const unsigned char *
rms_outcome_skip(rms_outcome_t *o, const unsigned char *p,
    const unsigned char *last)
{
    int            read;
    unsigned char  c;

    read = (o->state == RMS_OUTCOME_CDATA && o->field != RMS_FIELD_NONE);

    while (p < last) {
        c = *p++;

        if (c == '>' && o->end_seen == o->end_need) {
            o->state = RMS_OUTCOME_TEXT;

            if (read) {
                rms_outcome_word_end(o);
            }

            return p;
        }

        if (c != o->end) {
            o->end_seen = 0;

        } else if (o->end_seen < o->end_need) {
            o->end_seen++;
        }

        if (read) {
            rms_outcome_char(o, c);
        }
    }

    return p;
}


/* A tag is complete. */

static void
rms_outcome_element(rms_outcome_t *o)
{
    switch (o->phase) {

    case RMS_OUTCOME_PROLOG:
        if (o->tag == RMS_TAG_BODY && !o->closing && !o->slash) {
            o->phase = RMS_OUTCOME_BODY;
        }

        return;

    case RMS_OUTCOME_BODY:

        /* a fault is the only child of Body; an element of a licence is not */

        if (!o->closing && o->tag == RMS_TAG_FAULT) {
            o->fault = 1;
            o->phase = o->slash ? RMS_OUTCOME_DONE : RMS_OUTCOME_FAULT;
            return;
        }

        o->phase = (o->closing || o->tags == NULL) ? RMS_OUTCOME_DONE
                                                   : RMS_OUTCOME_ITEMS;
        return;

    case RMS_OUTCOME_ITEMS:
        rms_outcome_item(o);
        return;

    default: /* RMS_OUTCOME_FAULT */
        rms_outcome_in_fault(o);
        return;
    }
}


static void
rms_outcome_item(rms_outcome_t *o)
{
    if (o->licence && o->tag != RMS_TAG_LICENCE) {
        return;
    }

    switch (o->tag) {

    case RMS_TAG_LICENCE:
        o->licence = (!o->closing && !o->slash) ? o->initial : 0;
        return;

    case RMS_TAG_LIST:
        o->inside = (!o->closing && !o->slash);
        o->entry = 0;
        return;

    case RMS_TAG_ITEM:
        if (!o->closing && o->inside && !o->entry) {
            o->items++;
        }

        o->entry = (!o->closing && !o->slash && o->inside);
        return;

    case RMS_TAG_EXCEPTION:
        if (o->closing) {
            return;
        }

        o->failed++;

        /* no schema says that it stands inside an item: it may be one */

        if (o->inside && !o->entry) {
            o->items++;
        }

        return;

    default:
        return;
    }
}


static void
rms_outcome_in_fault(rms_outcome_t *o)
{
    if (o->tag == RMS_TAG_DETAIL) {
        o->detail = (!o->closing && !o->slash);
        o->field = RMS_FIELD_NONE;
        return;
    }

    if (o->detail) {
        return;
    }

    if (o->closing) {
        o->field = RMS_FIELD_NONE;

        if (o->tag == RMS_TAG_FAULT) {
            o->phase = RMS_OUTCOME_DONE;
        }

        return;
    }

    if ((o->tag == RMS_TAG_CODE || o->tag == RMS_TAG_STRING) && !o->slash) {
        o->field = o->tag == RMS_TAG_CODE ? RMS_FIELD_CODE : RMS_FIELD_STRING;
        o->named = 0;
        o->dashes = 0;
    }
}


/*
 * Outer: text ---> Inner: text.  The first known name of each part counts,
 * and that of the last part which has one is kept.  The arrow may be escaped.
 */

static void
rms_outcome_char(rms_outcome_t *o, unsigned char c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
        || (c >= '0' && c <= '9') || c == '_' || c >= 0x80)
    {
        if (o->word_len < RMS_OUTCOME_WORD) {
            o->word[o->word_len++] = c;
        }

        o->dashes = 0;
        return;
    }

    if (c == '.') {

        /* between components, or the end of a sentence */

        o->before_dot = rms_outcome_exception(o->word, o->word_len);
        o->word_len = 0;
        o->dashes = 0;
        return;
    }

    rms_outcome_word_end(o);

    if (c == '-') {
        o->dashes = (uint8_t) (o->dashes < 3 ? o->dashes + 1 : 3);
        return;
    }

    if ((c == '>' || c == '&') && o->dashes == 3) {
        o->named = 0;
    }

    o->dashes = 0;
}


static void
rms_outcome_word_end(rms_outcome_t *o)
{
    uint8_t  i;

    i = o->word_len ? rms_outcome_exception(o->word, o->word_len)
                    : o->before_dot;

    o->word_len = 0;
    o->before_dot = 0;

    if (i && !o->named) {
        o->named = 1;
        o->names[o->field] = i;
    }
}


/* Its place in the table, 0 when it is not there. */

static uint8_t
rms_outcome_exception(const unsigned char *word, size_t len)
{
    size_t            i;
    const rms_str_t  *e;

    if (len <= RMS_OUTCOME_SUFFIX_LEN) {
        return 0;
    }

    len -= RMS_OUTCOME_SUFFIX_LEN;

    if (memcmp(word + len, RMS_OUTCOME_SUFFIX, RMS_OUTCOME_SUFFIX_LEN) != 0) {
        return 0;
    }

    for (i = 1; i < RMS_OUTCOME_EXCEPTIONS; i++) {
        e = &rms_outcome_exceptions[i];

        if (e->len == len && memcmp(e->data, word, len) == 0) {
            return (uint8_t) i;
        }
    }

    return 0;
}
