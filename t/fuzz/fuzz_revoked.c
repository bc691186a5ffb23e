/*
 * Revocations.  What is read is written back to the same bytes; whatever is
 * done to the revocations of two sides, it can be written, no number falls, and
 * a merge ends the sessions that either had ended.  The first byte chooses.
 */

#include <stdlib.h>

#include "rms_revoked.h"


#define must(x)   do { if (!(x)) { abort(); } } while (0)

/* enough for accounts to be pushed out */
#define OPERATIONS  400


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
written(const rms_revoked_t *revoked)
{
    rms_str_t      out;
    rms_revoked_t  back;
    unsigned char  buf[RMS_REVOKED_ENCODED_MAX];

    out.data = buf;
    out.len = sizeof(buf);
    must(rms_revoked_encode(revoked, &out) == RMS_OK);
    must(rms_revoked_decode(&out, &back) == RMS_OK);
    must(back.all == revoked->all && back.n == revoked->n);
    must(memcmp(back.entries, revoked->entries,
                back.n * sizeof(back.entries[0])) == 0);
}


static void
read_back(const rms_str_t *in, rms_revoked_t *revoked)
{
    rms_rc_e       rc;
    rms_str_t      out;
    unsigned char  buf[RMS_REVOKED_ENCODED_MAX];

    memset(revoked, 0, sizeof(rms_revoked_t));

    rc = rms_revoked_decode(in, revoked);

    if (rc != RMS_OK) {
        must(rc == RMS_INVALID
             || (rc == RMS_UNSUPPORTED && in->data[0] != 1));
        must(revoked->all == 0 && revoked->n == 0);
        return;
    }

    out.data = buf;
    out.len = in->len - 1;
    must(rms_revoked_encode(revoked, &out) == RMS_TOO_LARGE);
    out.len = in->len;
    must(rms_revoked_encode(revoked, &out) == RMS_OK);
    must(rms_str_eq(&out, in));
    must(rms_revoked_epoch(revoked) <= RMS_REVOKED_EPOCH_MAX);
}


static void
merged(rms_revoked_t *local, rms_revoked_t *remote, uint64_t *known)
{
    size_t         i;
    uint64_t       account, local_epoch, remote_epoch;
    rms_revoked_t  dst;

    local_epoch = rms_revoked_epoch(local);
    remote_epoch = rms_revoked_epoch(remote);

    (void) rms_revoked_merge(local, remote, *known, &dst);

    must(dst.n <= RMS_REVOKED_MAX);
    must(dst.all >= local->all && dst.all >= remote->all);

    for (i = 0; i < local->n; i++) {
        account = local->entries[i].account;
        must(rms_revoked_at(&dst, account) >= local->entries[i].epoch);
        must(local->entries[i].epoch <= *known
             || rms_revoked_at(&dst, account) > remote_epoch);
    }

    for (i = 0; i < remote->n; i++) {
        account = remote->entries[i].account;
        must(rms_revoked_at(&dst, account) >= remote->entries[i].epoch);
        must(remote->entries[i].epoch <= *known
             || rms_revoked_at(&dst, account) > local_epoch);
    }

    *local = dst;
    *remote = dst;
    *known = rms_revoked_epoch(&dst);
}


/* A byte an operation: whom it revokes on which side, or that they meet. */

static void
operations(const rms_str_t *in)
{
    size_t         i;
    uint64_t       known, account, before;
    rms_revoked_t  sides[2], *side;

    memset(sides, 0, sizeof(sides));

    for (i = 0, known = 0; i < in->len && i < OPERATIONS; i++) {
        side = &sides[in->data[i] & 1];
        account = in->data[i] >> 1;

        if (account == 127) {
            merged(&sides[0], &sides[1], &known);
            continue;
        }

        /* some of them by their hundreds, for there to be too many */

        account += (account >= 100) ? 1000 * i : 0;

        before = rms_revoked_epoch(side);
        must(rms_revoked_add(side, account) == before + 1);
        must(rms_revoked_at(side, account) == before + 1);
    }

    written(&sides[0]);
    written(&sides[1]);
    merged(&sides[0], &sides[1], &known);
    written(&sides[0]);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t       known;
    rms_str_t      in, half;
    rms_revoked_t  one, two;

    if (size == 0) {
        return 0;
    }

    /* a copy of just this size, so that a byte beyond is seen */

    in.len = size - 1;
    in.data = malloc(in.len ? in.len : 1);
    if (in.data == NULL) {
        return 0;
    }

    memcpy(in.data, data + 1, in.len);

    switch (data[0] % 3) {

    case 0:
        read_back(&in, &one);
        break;

    case 1:
        half = in;
        half.len /= 2;
        read_back(&half, &one);
        half.data += half.len;
        half.len = in.len - half.len;
        read_back(&half, &two);
        known = 0;
        merged(&one, &two, &known);
        break;

    default:
        operations(&in);
    }

    free(in.data);

    return 0;
}
