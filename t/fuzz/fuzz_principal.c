/*
 * Account names: whatever is accepted is what it claims to be.
 */

#include <stdlib.h>

#include "rms_principal.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
expect(int truth)
{
    if (!truth) {
        abort();
    }
}


static void
accepted(const rms_str_t *text, const rms_principal_t *p)
{
    size_t  i, slashes;

    expect(text->len <= RMS_PRINCIPAL_LEN_MAX);
    expect(p->name.len != 0 && p->realm.len != 0);
    expect(p->name.data == text->data);
    expect(p->name.len + 1 + p->realm.len == text->len);
    expect(text->data[p->name.len] == '@');
    expect(p->realm.data == text->data + p->name.len + 1);

    for (i = 0; i < text->len; i++) {
        expect(text->data[i] >= 0x20 && text->data[i] != 0x7f);
    }

    /* every '@' of the name stands behind an odd number of backslashes */

    for (i = 0, slashes = 0; i < p->name.len; i++) {
        expect(text->data[i] != '@' || slashes % 2 == 1);
        slashes = (text->data[i] == '\\') ? slashes + 1 : 0;
    }

    expect(slashes % 2 == 0);
    expect(memchr(p->realm.data, '@', p->realm.len) == NULL);
    expect(memchr(p->realm.data, '\\', p->realm.len) == NULL);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rms_rc_e         rc;
    rms_str_t        text;
    rms_principal_t  p;

    /* a copy of just this size, so that a byte beyond is seen */

    text.len = size;
    text.data = malloc(size ? size : 1);
    if (text.data == NULL) {
        return 0;
    }

    if (size != 0) {
        memcpy(text.data, data, size);
    }

    rc = rms_principal_parse(&text, &p);
    expect(rc == RMS_OK || rc == RMS_INVALID);

    if (rc == RMS_OK) {
        accepted(&text, &p);
    }

    switch (rms_principal_check_rule(&text)) {

    case RMS_OK:
        expect(rc == RMS_OK);
        break;

    case RMS_INVALID:
        expect(rc == RMS_INVALID);
        break;

    default:
        break;
    }

    free(text.data);

    return 0;
}
