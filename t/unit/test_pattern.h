/*
 * A compiler of patterns for unit tests: a pattern is a prefix, what is
 * compiled is the anchored text itself.
 */

#ifndef TEST_PATTERN_H
#define TEST_PATTERN_H


#include <string.h>

#include "rms_acl_pattern.h"
#include "test_mem.h"


static char  test_pattern_last[512];    /* the text compiled last        */


/* ")" at the start and "!" do not compile; for "^" there is no memory. */

static inline rms_rc_e
test_pattern_compile(void *data, rms_str_t *text, void **pattern,
    rms_str_t *error)
{
    static const char  why[] = "parenthesis \"missing\"";

    (void) data;

    if (text->data[text->len] != '\0') {
        abort();
    }

    (void) strncpy(test_pattern_last, (char *) text->data,
                   sizeof(test_pattern_last) - 1);

    if (text->data[0] == ')' || memchr(text->data, '!', text->len) != NULL) {
        error->len = error->len < sizeof(why) - 1 ? error->len
                                                  : sizeof(why) - 1;
        memcpy(error->data, why, error->len);
        return RMS_INVALID;
    }

    if (text->data[0] == '^') {
        return RMS_NOMEM;
    }

    *pattern = text->data;

    return RMS_OK;
}


static inline int
test_pattern_match(void *pattern, const rms_str_t *account)
{
    size_t       len;
    const char  *text = pattern;

    len = strlen(text);

    if (len < 8 || memcmp(text, "\\A(?:", 5) != 0
        || memcmp(text + len - 3, ")\\z", 3) != 0)
    {
        abort();
    }

    len -= 8;

    return account->len >= len && memcmp(account->data, text + 5, len) == 0;
}


static const rms_acl_regex_t  test_regex = {
    test_pattern_compile, test_pattern_match, NULL
};


#endif /* TEST_PATTERN_H */
