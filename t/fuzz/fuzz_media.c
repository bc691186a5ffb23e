/*
 * Lines: Content-Type, SOAPAction, second Content-Type, second SOAPAction;
 * the last two may be missing.
 */

#include <stdlib.h>

#include "rms_media.h"


#define LINES  4


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
expect(int truth)
{
    if (!truth) {
        abort();
    }
}


static int
same(rms_rc_e rc, const rms_media_t *a, rms_rc_e rc2, const rms_media_t *b)
{
    return rc == rc2 && a->version == b->version
           && (rc != RMS_OK || rms_str_eq(&a->action, &b->action));
}


static void
check(rms_str_t *type, size_t n_type, rms_str_t *action, size_t n_action)
{
    size_t       i;
    rms_rc_e     rc, twice;
    rms_media_t  media, again;

    rc = rms_media_parse(type, n_type, action, n_action, &media);

    expect(rc == RMS_OK || rc == RMS_INVALID || rc == RMS_UNSUPPORTED);

    (void) rms_media_identity(&type[0]);

    if (rc != RMS_OK) {
        return;
    }

    expect(media.version != RMS_SOAP_NONE);
    expect(media.version == rms_media_version(&type[0]));
    expect(rms_media_is_xml(&type[0]));
    expect(media.action.len > 0);

    for (i = 0; i < media.action.len; i++) {
        expect(media.action.data[i] > 0x20 && media.action.data[i] < 0x7f
               && media.action.data[i] != '"');
    }

    /* one of each, repeated, is the same; the action alone is one */

    if (n_type == 1 && n_action == 1) {
        type[1] = type[0];
        action[1] = action[0];
        twice = rms_media_parse(type, 2, action, 2, &again);
        expect(same(rc, &media, twice, &again));

        action[0] = media.action;
        twice = rms_media_parse(type, 1, action, 1, &again);
        expect(same(rc, &media, twice, &again));
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t          n;
    rms_str_t       line[LINES], type[2], action[2];
    unsigned char  *p, *last, *end;

    if (size == 0) {
        return 0;
    }

    memset(line, 0, sizeof(line));
    p = (unsigned char *) data;
    last = p + size;

    for (n = 0; n < LINES && p < last; n++) {
        end = memchr(p, '\n', (size_t) (last - p));
        end = end != NULL ? end : last;

        line[n].data = p;
        line[n].len = (size_t) (end - p);
        p = end < last ? end + 1 : last;
    }

    type[0] = line[0];
    action[0] = line[1];
    type[1] = line[2];
    action[1] = line[3];

    check(type, n > 2 ? 2 : 1, action, n > 3 ? 2 : n > 1);

    return 0;
}
