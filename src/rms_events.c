/*
 * Digest of SAX events.  The state is the caller's, the digest context is
 * freed by rms_events_close().  One thread at a time.
 */

#include "rms_events.h"


/*
 * Marks in the digest's input.  None of them is a character XML 1.0 allows
 * (2.2 Char), so that no two sequences of events give the same input.
 */

#define RMS_EVENTS_NEXT     "\x01"
#define RMS_EVENTS_START    "\x02"
#define RMS_EVENTS_NS       "\x03"
#define RMS_EVENTS_ATTR     "\x04"
#define RMS_EVENTS_END      "\x05"
#define RMS_EVENTS_TEXT     "\x06"
#define RMS_EVENTS_COMMENT  "\x07"
#define RMS_EVENTS_PI       "\x08"
#define RMS_EVENTS_VALUE    "\x0b"


static void rms_events_string(rms_events_t *ev, const char *mark,
    const xmlChar *text);
static void rms_events_mark(rms_events_t *ev, const char *mark);
static void rms_events_put(rms_events_t *ev, const void *text, size_t len);


rms_rc_e
rms_events_open(rms_events_t *ev)
{
    memset(ev, 0, sizeof(rms_events_t));

    ev->md = EVP_MD_CTX_new();
    if (ev->md == NULL) {
        return RMS_NOMEM;
    }

    if (EVP_DigestInit_ex(ev->md, EVP_sha256(), NULL) != 1) {
        EVP_MD_CTX_free(ev->md);
        return RMS_NOMEM;
    }

    return RMS_OK;
}


void
rms_events_start(rms_events_t *ev, const xmlChar *const name[3],
    int nb_namespaces, const xmlChar **namespaces, int nb_attributes,
    const xmlChar **attributes, const xmlChar **except)
{
    int              i;
    const xmlChar  **a;

    rms_events_string(ev, RMS_EVENTS_START, name[0]);
    rms_events_string(ev, RMS_EVENTS_NEXT, name[1]);
    rms_events_string(ev, RMS_EVENTS_NEXT, name[2]);

    for (i = 0; i < nb_namespaces; i++) {
        rms_events_string(ev, RMS_EVENTS_NS, namespaces[i * 2]);
        rms_events_string(ev, RMS_EVENTS_NEXT, namespaces[i * 2 + 1]);
    }

    for (i = 0; i < nb_attributes; i++) {
        a = &attributes[i * 5];

        rms_events_string(ev, RMS_EVENTS_ATTR, a[0]);
        rms_events_string(ev, RMS_EVENTS_NEXT, a[1]);
        rms_events_string(ev, RMS_EVENTS_NEXT, a[2]);

        if (a == except) {
            rms_events_value(ev);
            continue;
        }

        rms_events_mark(ev, RMS_EVENTS_NEXT);
        rms_events_put(ev, a[3], (size_t) (a[4] - a[3]));
    }
}


void
rms_events_end(rms_events_t *ev)
{
    rms_events_mark(ev, RMS_EVENTS_END);
}


void
rms_events_text(rms_events_t *ev, const void *text, size_t len)
{
    if (!ev->text) {
        rms_events_mark(ev, RMS_EVENTS_TEXT);
        ev->text = 1;
    }

    rms_events_put(ev, text, len);
}


void
rms_events_comment(rms_events_t *ev, const xmlChar *text)
{
    rms_events_string(ev, RMS_EVENTS_COMMENT, text);
}


void
rms_events_pi(rms_events_t *ev, const xmlChar *target, const xmlChar *text)
{
    rms_events_string(ev, RMS_EVENTS_PI, target);
    rms_events_string(ev, RMS_EVENTS_NEXT, text);
}


void
rms_events_value(rms_events_t *ev)
{
    rms_events_mark(ev, RMS_EVENTS_VALUE);
}


rms_rc_e
rms_events_close(rms_events_t *ev, unsigned char *digest)
{
    rms_rc_e  rc;

    rc = ev->failed || EVP_DigestFinal_ex(ev->md, digest, NULL) != 1
         ? RMS_NOMEM : RMS_OK;

    EVP_MD_CTX_free(ev->md);
    ev->md = NULL;

    return rc;
}


static void
rms_events_string(rms_events_t *ev, const char *mark, const xmlChar *text)
{
    rms_events_mark(ev, mark);

    if (text != NULL) {
        rms_events_put(ev, text, strlen((const char *) text));
    }
}


static void
rms_events_mark(rms_events_t *ev, const char *mark)
{
    ev->text = 0;
    rms_events_put(ev, mark, 1);
}


static void
rms_events_put(rms_events_t *ev, const void *text, size_t len)
{
    if (EVP_DigestUpdate(ev->md, text, len) != 1) {
        ev->failed = 1;
    }
}
