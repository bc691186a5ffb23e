/*
 * SIDs: text and binary forms, each of which names one SID and is the only
 * one that does.
 */

#include <stdlib.h>

#include "rms_sid.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
expect(int truth)
{
    if (!truth) {
        abort();
    }
}


/* What was read prints as itself, and is the same when read again. */

static void
accepted(const rms_sid_t *sid)
{
    char       *text;
    uint32_t    rid;
    rms_sid_t   again, domain;
    rms_str_t   s;

    expect(sid->n > 0 && sid->n <= RMS_SID_SUBS_MAX);
    expect(sid->authority >> 48 == 0);

    text = malloc(RMS_SID_TEXT_MAX);
    if (text == NULL) {
        return;
    }

    s.data = (unsigned char *) text;
    s.len = rms_sid_format(sid, text);

    expect(s.len <= RMS_SID_TEXT_MAX);
    expect(rms_sid_parse(&s, &again) == RMS_OK);
    expect(rms_sid_cmp(sid, &again) == 0);

    rid = rms_sid_split(sid, &domain);
    expect(domain.n == sid->n - 1);
    expect(rms_sid_join(&domain, rid, &again) == RMS_OK);
    expect(rms_sid_cmp(sid, &again) == 0);

    free(text);
}


static void
binary(const rms_str_t *in)
{
    size_t     i;
    rms_sid_t  sid;

    if (rms_sid_read(in, &sid) != RMS_OK) {
        return;
    }

    accepted(&sid);

    expect(in->data[0] == 1 && in->data[1] == sid.n);
    expect(in->len == 8 + 4 * (size_t) sid.n);

    for (i = 0; i < 6; i++) {
        expect(in->data[2 + i] == (sid.authority >> (8 * (5 - i)) & 0xff));
    }

    for (i = 0; i < 4 * (size_t) sid.n; i++) {
        expect(in->data[8 + i] == (sid.sub[i / 4] >> (8 * (i % 4)) & 0xff));
    }
}


static void
text(const rms_str_t *in)
{
    char       back[RMS_SID_TEXT_MAX];
    rms_sid_t  sid;

    if (rms_sid_parse(in, &sid) != RMS_OK) {
        return;
    }

    accepted(&sid);

    expect(in->len == rms_sid_format(&sid, back));
    expect(memcmp(in->data, back, in->len) == 0);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rms_str_t  in;

    /* a copy of just this size, so that a byte beyond is seen */

    in.len = size;
    in.data = malloc(size ? size : 1);
    if (in.data == NULL) {
        return 0;
    }

    if (size != 0) {
        memcpy(in.data, data, size);
    }

    text(&in);
    binary(&in);

    free(in.data);

    return 0;
}
