/*
 * Security identifiers ([MS-DTYP] 2.4.2): their text and binary forms, and
 * sets of them.  Pure functions, any thread; a set lives in memory of the
 * caller.
 */

#ifndef RMS_SID_H
#define RMS_SID_H


#include "rms_types.h"


#define RMS_SID_SUBS_MAX    15
#define RMS_SID_BINARY_MAX  (8 + 4 * RMS_SID_SUBS_MAX)

/* "S-1-", 14 bytes of authority, 11 for each sub-authority */
#define RMS_SID_TEXT_MAX    (4 + 14 + 11 * RMS_SID_SUBS_MAX)


/*
 * What is behind n is zero.  A whole SID has at least one sub-authority; the
 * domain part of one may have none.
 */

typedef struct {
    uint64_t    authority;              /* 48 bits                       */
    uint32_t    n;
    uint32_t    sub[RMS_SID_SUBS_MAX];
} rms_sid_t;


/*
 * Reads "S-1-5-21-a-b-c-rid".  Each SID has one spelling: decimal without
 * leading zeros; an authority of 2^32 and more is "0x" and 12 lower-case hex
 * digits, as Windows prints it.  RMS_OK or RMS_INVALID.
 */
rms_rc_e rms_sid_parse(const rms_str_t *text, rms_sid_t *sid);


/*
 * Reads the binary form ([MS-DTYP] 2.4.2.2), which has to fill the string.
 * RMS_OK or RMS_INVALID.
 */
rms_rc_e rms_sid_read(const rms_str_t *binary, rms_sid_t *sid);


/*
 * Writes the text, RMS_SID_TEXT_MAX bytes at most and not terminated; answers
 * its length.
 */
size_t rms_sid_format(const rms_sid_t *sid, char *text);


/* The order of sets: less than, equal to or greater than 0. */
int rms_sid_cmp(const rms_sid_t *a, const rms_sid_t *b);


/* Cuts off the last sub-authority.  sid has one at least. */
uint32_t rms_sid_split(const rms_sid_t *sid, rms_sid_t *domain);


/* The SID of rid in domain.  RMS_TOO_LARGE: no room for one more. */
rms_rc_e rms_sid_join(const rms_sid_t *domain, uint32_t rid, rms_sid_t *sid);


/*
 * A set: the SIDs of one account.  Most of them share a few domains, so each
 * domain stands there once and a member takes eight bytes.
 */

typedef struct {
    rms_sid_t   sid;
    uint32_t    was;                    /* its index before sorting      */
} rms_sid_domain_t;


typedef struct {
    rms_sid_domain_t  *domains;         /* ascending, distinct           */
    uint64_t          *members;         /* domain's index << 32 | rid;
                                           ascending, distinct           */
    uint64_t          *spare;           /* for sorting: as many members  */
    uint32_t          *places;          /* and old index to new          */
    size_t             n_domains;
    size_t             n_members;
} rms_sid_set_t;


/* Bytes for a set of at most so many domains and members. */
size_t rms_sid_set_size(size_t domains, size_t members);


/*
 * An empty set in memory, aligned as malloc's, of rms_sid_set_size(domains,
 * members) bytes.
 */
void rms_sid_set_init(rms_sid_set_t *set, void *memory, size_t domains,
    size_t members);


/*
 * Adds rid of domain.  A domain other than that of the call before takes a
 * place, even if it was there earlier.  The caller keeps within the numbers
 * of rms_sid_set_init().
 */
void rms_sid_set_add(rms_sid_set_t *set, const rms_sid_t *domain,
    uint32_t rid);


/* Sorts, and drops what is there twice.  Nothing is added after. */
void rms_sid_set_close(rms_sid_set_t *set);


/* Of a closed set: is sid in it?  The i-th SID, in order. */
int rms_sid_set_has(const rms_sid_set_t *set, const rms_sid_t *sid);
void rms_sid_set_get(const rms_sid_set_t *set, size_t i, rms_sid_t *sid);


#endif /* RMS_SID_H */
