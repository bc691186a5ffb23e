/*
 * What a document says, as a digest: two documents with the same digest have
 * the same SAX events.  Private to the rewriter's check; comparison only, no
 * secret goes in.  Belongs to one thread at a time; rms_events_open() makes
 * it, rms_events_close() frees it.
 */

#ifndef RMS_EVENTS_H
#define RMS_EVENTS_H


#include <libxml/xmlstring.h>
#include <openssl/evp.h>

#include "rms_types.h"


#define RMS_EVENTS_DIGEST  32           /* bytes of SHA-256              */


typedef struct {
    EVP_MD_CTX      *md;
    unsigned         text:1;            /* a run of text is open         */
    unsigned         failed:1;          /* an update did not work        */
} rms_events_t;


/* RMS_OK or RMS_NOMEM (nothing to close then). */
rms_rc_e rms_events_open(rms_events_t *ev);


/*
 * The arguments are those of libxml2's SAX2 callbacks.  except: the one of
 * attributes whose value stays out of the digest, or NULL.  Text may come in
 * any number of pieces.
 */
void rms_events_start(rms_events_t *ev, const xmlChar *const name[3],
    int nb_namespaces, const xmlChar **namespaces, int nb_attributes,
    const xmlChar **attributes, const xmlChar **except);
void rms_events_end(rms_events_t *ev);
void rms_events_text(rms_events_t *ev, const void *text, size_t len);
void rms_events_comment(rms_events_t *ev, const xmlChar *text);
void rms_events_pi(rms_events_t *ev, const xmlChar *target,
    const xmlChar *text);


/* Stands for text that stays out of the digest. */
void rms_events_value(rms_events_t *ev);


/* Frees, and writes RMS_EVENTS_DIGEST bytes to digest.  RMS_OK, RMS_NOMEM. */
rms_rc_e rms_events_close(rms_events_t *ev, unsigned char *digest);


#endif /* RMS_EVENTS_H */
