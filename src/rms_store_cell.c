/*
 * Cells of the store and the lists they are in.  Cells are numbered from 1; 0
 * is none, so that zeroed memory is an empty store.  The caller holds the
 * lock.
 */

#include <openssl/crypto.h>

#include "rms_store_cell.h"


_Static_assert(sizeof(rms_store_shared_t) % 16 == 0, "cells stay aligned");
_Static_assert(sizeof(rms_store_cell_t) == RMS_STORE_CELL, "no padding");


/* What the memory says contradicts itself: nothing of it can be believed. */

void
rms_store_reset(rms_store_t *store)
{
    uint64_t             puts, gone, resets;
    rms_store_shared_t  *shared;

    shared = store->shared;
    puts = shared->puts;
    gone = shared->gone + 1;
    resets = shared->resets + 1;

    OPENSSL_cleanse(shared, rms_store_size(store->n_cells));

    shared->puts = puts;
    shared->gone = gone;
    shared->resets = resets;
    shared->cells = store->n_cells;
    shared->chains = store->n_chains;
    shared->magic = RMS_STORE_MAGIC;
}


/* Each cell that was used once is free or belongs to a record. */

int
rms_store_sane(const rms_store_t *store)
{
    size_t                     k;
    uint64_t                   sum;
    const rms_store_kind_t    *kind;
    const rms_store_shared_t  *shared;

    shared = store->shared;
    sum = shared->n_free;

    for (k = 0; k < RMS_STORE_KINDS; k++) {
        kind = &shared->kinds[k];

        if (kind->records > kind->cells
            || (kind->records == 0) != (kind->cells == 0))
        {
            return 0;
        }

        sum += kind->cells;
    }

    return shared->fresh <= store->n_cells && sum == shared->fresh;
}


rms_store_cell_t *
rms_store_cell(const rms_store_t *store, uint32_t i, rms_store_use_e use)
{
    rms_store_cell_t  *cell;

    if (i == 0 || i > store->n_cells) {
        return NULL;
    }

    cell = &store->cells[i - 1];

    if (cell->use != (uint32_t) use) {
        return NULL;
    }

    if (use == RMS_STORE_HEAD
        && (cell->u.head.kind >= RMS_STORE_KINDS
            || cell->u.head.length > RMS_STORE_VALUE_MAX))
    {
        return NULL;
    }

    return cell;
}


rms_rc_e
rms_store_copy(const rms_store_t *store, const rms_store_cell_t *head,
    unsigned char *dst)
{
    size_t                   n, left;
    const rms_store_cell_t  *cell;

    left = head->u.head.length;
    n = left < RMS_STORE_HEAD_DATA ? left : RMS_STORE_HEAD_DATA;

    if (n != 0) {
        memcpy(dst, head->u.head.data, n);
    }

    for (cell = head; left > n; ) {
        dst += n;
        left -= n;

        cell = rms_store_cell(store, cell->next, RMS_STORE_TAIL);
        if (cell == NULL) {
            return RMS_INVALID;
        }

        n = left < RMS_STORE_TAIL_DATA ? left : RMS_STORE_TAIL_DATA;
        memcpy(dst, cell->u.tail, n);
    }

    return RMS_OK;
}


uint32_t
rms_store_room(const rms_store_t *store)
{
    return store->n_cells - store->shared->fresh + store->shared->n_free;
}


uint32_t
rms_store_take(rms_store_t *store, rms_store_use_e use)
{
    uint32_t             i;
    rms_store_cell_t    *cell;
    rms_store_shared_t  *shared;

    shared = store->shared;

    if (shared->n_free != 0) {
        i = shared->free;
        cell = rms_store_cell(store, i, RMS_STORE_FREE);
        if (cell == NULL) {
            return 0;
        }

        shared->free = cell->next;
        shared->n_free--;

    } else {
        i = shared->fresh + 1;
        cell = rms_store_cell(store, i, RMS_STORE_FREE);
        if (cell == NULL) {
            return 0;
        }

        shared->fresh = i;
    }

    cell->use = (uint32_t) use;
    cell->next = 0;

    return i;
}


rms_rc_e
rms_store_fill(rms_store_t *store, rms_store_cell_t *head,
    const rms_str_t *value)
{
    size_t             n, left;
    uint32_t           i;
    rms_store_cell_t  *cell;

    left = value->len;
    n = left < RMS_STORE_HEAD_DATA ? left : RMS_STORE_HEAD_DATA;

    if (n != 0) {
        memcpy(head->u.head.data, value->data, n);
    }

    for (cell = head, left -= n; left != 0; left -= n) {
        i = rms_store_take(store, RMS_STORE_TAIL);
        if (i == 0) {
            return RMS_INVALID;
        }

        cell->next = i;
        cell = &store->cells[i - 1];

        n = left < RMS_STORE_TAIL_DATA ? left : RMS_STORE_TAIL_DATA;
        memcpy(cell->u.tail, value->data + value->len - left, n);
    }

    return RMS_OK;
}


rms_rc_e
rms_store_release(rms_store_t *store, uint32_t i, uint32_t n)
{
    uint32_t             next;
    rms_store_use_e      use;
    rms_store_cell_t    *cell;
    rms_store_shared_t  *shared;

    shared = store->shared;

    for (use = RMS_STORE_HEAD; n != 0; n--) {
        cell = rms_store_cell(store, i, use);
        if (cell == NULL) {
            return RMS_INVALID;
        }

        next = cell->next;
        OPENSSL_cleanse(cell, sizeof(rms_store_cell_t));

        cell->next = shared->free;
        shared->free = i;
        shared->n_free++;

        i = next;
        use = RMS_STORE_TAIL;
    }

    return (i == 0) ? RMS_OK : RMS_INVALID;
}


rms_rc_e
rms_store_lru_push(rms_store_t *store, uint32_t i, rms_store_cell_t *head)
{
    rms_store_kind_t  *kind;
    rms_store_cell_t  *second;

    kind = &store->shared->kinds[head->u.head.kind];

    head->u.head.newer = 0;
    head->u.head.older = kind->first;

    if (kind->first == 0) {
        kind->last = i;

    } else {
        second = rms_store_cell(store, kind->first, RMS_STORE_HEAD);
        if (second == NULL || second->u.head.newer != 0) {
            return RMS_INVALID;
        }

        second->u.head.newer = i;
    }

    kind->first = i;

    return RMS_OK;
}


rms_rc_e
rms_store_lru_remove(rms_store_t *store, uint32_t i, rms_store_cell_t *head)
{
    uint32_t          *newer, *older;
    rms_store_kind_t  *kind;
    rms_store_cell_t  *cell;

    kind = &store->shared->kinds[head->u.head.kind];
    newer = &kind->last;
    older = &kind->first;

    if (head->u.head.newer != 0) {
        cell = rms_store_cell(store, head->u.head.newer, RMS_STORE_HEAD);
        if (cell == NULL) {
            return RMS_INVALID;
        }

        older = &cell->u.head.older;
    }

    if (head->u.head.older != 0) {
        cell = rms_store_cell(store, head->u.head.older, RMS_STORE_HEAD);
        if (cell == NULL) {
            return RMS_INVALID;
        }

        newer = &cell->u.head.newer;
    }

    /* both neighbours, or both ends of the list, must know this one */

    if (*older != i || *newer != i) {
        return RMS_INVALID;
    }

    *older = head->u.head.older;
    *newer = head->u.head.newer;

    return RMS_OK;
}
