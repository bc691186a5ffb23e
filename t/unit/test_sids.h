/*
 * A set of SIDs from their texts, for unit tests.
 */

#ifndef TEST_SIDS_H
#define TEST_SIDS_H


#include <stdlib.h>

#include "rms_sid.h"


/* texts ends in NULL; free() what set->domains points to. */

static inline rms_sid_set_t *
test_sids(rms_sid_set_t *set, const char *const *texts)
{
    size_t     i, n;
    uint32_t   rid;
    rms_sid_t  sid, domain;
    rms_str_t  text;

    for (n = 0; texts[n] != NULL; n++) { /* void */ }

    rms_sid_set_init(set, malloc(rms_sid_set_size(n + 1, n + 1)), n + 1,
                     n + 1);

    for (i = 0; i < n; i++) {
        text.data = (unsigned char *) texts[i];
        text.len = strlen(texts[i]);

        if (rms_sid_parse(&text, &sid) != RMS_OK) {
            abort();
        }

        rid = rms_sid_split(&sid, &domain);
        rms_sid_set_add(set, &domain, rid);
    }

    rms_sid_set_close(set);

    return set;
}


#endif /* TEST_SIDS_H */
