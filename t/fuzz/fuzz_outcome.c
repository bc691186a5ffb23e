/*
 * A byte that names the operation, one that cuts, and an answer: what is
 * counted is the same whole, cut anywhere and byte for byte; there are not
 * more items than tags, and a fault has none.
 */

#include <stdlib.h>

#include "rms_outcome.h"


#define must(x)   do { if (!(x)) { abort(); } } while (0)


static void
feed(rms_outcome_t *o, rms_operation_e op, const uint8_t *data, size_t size,
    size_t step)
{
    size_t    n;
    uint8_t  *piece;

    rms_outcome_start(o, op);

    for ( /* void */ ; size; data += n, size -= n) {
        n = size < step ? size : step;

        if (n == 1) {
            rms_outcome_feed(o, data, 1);
            continue;
        }

        /* exact size, so that a sanitizer sees a read past the end */

        piece = malloc(n);
        must(piece != NULL);
        memcpy(piece, data, n);

        rms_outcome_feed(o, piece, n);
        free(piece);
    }
}


static void
must_equal(const rms_outcome_t *a, const rms_outcome_t *b)
{
    must(a->items == b->items);
    must(a->failed == b->failed);
    must(rms_outcome_fault(a) == rms_outcome_fault(b));
}


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t           i, tags, step;
    rms_outcome_t    whole, pieces;
    rms_operation_e  op;

    if (size < 2) {
        return 0;
    }

    op = data[0] % 3 == 0 ? RMS_OP_ACQUIRE_LICENSE
         : data[0] % 3 == 1 ? RMS_OP_ACQUIRE_PRE_LICENSE : RMS_OP_CERTIFY;
    step = data[1] + 2u;

    data += 2;
    size -= 2;

    feed(&whole, op, data, size, size ? size : 1);

    feed(&pieces, op, data, size, 1);
    must_equal(&whole, &pieces);

    feed(&pieces, op, data, size, step);
    must_equal(&whole, &pieces);

    rms_outcome_start(&pieces, op);
    rms_outcome_feed(&pieces, data, size * step / 257);
    rms_outcome_feed(&pieces, data + size * step / 257,
                     size - size * step / 257);
    must_equal(&whole, &pieces);

    for (i = 0, tags = 0; i < size; i++) {
        tags += (data[i] == '<');
    }

    must(whole.items <= tags);
    must(whole.failed <= whole.items + tags);
    must(rms_outcome_fault(&whole) == NULL
         || whole.items + whole.failed == 0);
    must(op != RMS_OP_CERTIFY || whole.items + whole.failed == 0);

    return 0;
}
