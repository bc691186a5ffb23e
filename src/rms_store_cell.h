/*
 * What the memory of a store looks like, and the only way to its cells: each
 * access checks the number, the use and the neighbours.  Internal to the
 * store.  In a function that answers RMS_INVALID, and in a cell that is not
 * there, the memory contradicts itself: then rms_store_reset().
 */

#ifndef RMS_STORE_CELL_H
#define RMS_STORE_CELL_H


#include "rms_store.h"


/* "RMSSTOR" and the version of the layout below. */

#define RMS_STORE_MAGIC      UINT64_C(0x03524f5453534d52)

#define RMS_STORE_CELL       128        /* bytes                         */
#define RMS_STORE_HEAD_DATA  (RMS_STORE_CELL - 56)
#define RMS_STORE_TAIL_DATA  (RMS_STORE_CELL - 8)


typedef enum {
    RMS_STORE_FREE = 0,
    RMS_STORE_HEAD = 0x44414548,
    RMS_STORE_TAIL = 0x4c494154
} rms_store_use_e;


typedef struct {
    uint32_t    first;          /* used last                             */
    uint32_t    last;           /* unused for longest                    */
    uint32_t    records;
    uint32_t    cells;
    uint64_t    evicted;
    uint64_t    expired;
} rms_store_kind_t;


typedef struct rms_store_shared_s {
    uint64_t          magic;
    uint32_t          cells;
    uint32_t          chains;
    uint32_t          fresh;    /* cells 1 to fresh were used before     */
    uint32_t          free;     /* of those, the first that is free      */
    uint32_t          n_free;
    uint32_t          sweep;
    uint64_t          resets;
    uint64_t          puts;     /* the next one has the next number      */
    uint64_t          gone;     /* records that went, for whatever reason */
    uint64_t          spare;    /* the cells behind are aligned          */
    rms_store_kind_t  kinds[RMS_STORE_KINDS];
} rms_store_shared_t;


typedef struct rms_store_cell_s {
    uint32_t    use;
    uint32_t    next;           /* of the same value, or free            */

    union {
        struct {
            uint64_t       expires;
            unsigned char  id[RMS_STORE_KEY];
            uint32_t       kind;
            uint32_t       length;
            uint32_t       chain;
            uint32_t       newer;
            uint32_t       older;
            uint32_t       number;      /* of the put                    */
            unsigned char  data[RMS_STORE_HEAD_DATA];
        } head;

        unsigned char  tail[RMS_STORE_TAIL_DATA];
    } u;
} rms_store_cell_t;


/* Wipes the memory and makes an empty store of it. */
void rms_store_reset(rms_store_t *store);


/* Do the numbers of the header agree with each other? */
int rms_store_sane(const rms_store_t *store);


/* The cell of this number, if it is one and used for this; else NULL. */
rms_store_cell_t *rms_store_cell(const rms_store_t *store, uint32_t i,
    rms_store_use_e use);


/* How many cells are free; one of them, or 0. */
uint32_t rms_store_room(const rms_store_t *store);
uint32_t rms_store_take(rms_store_t *store, rms_store_use_e use);


/* Wipes and frees n cells: a head and its tails. */
rms_rc_e rms_store_release(rms_store_t *store, uint32_t i, uint32_t n);


/* Spreads a value over the head and as many tails as it needs; collects it. */
rms_rc_e rms_store_fill(rms_store_t *store, rms_store_cell_t *head,
    const rms_str_t *value);
rms_rc_e rms_store_copy(const rms_store_t *store,
    const rms_store_cell_t *head, unsigned char *dst);


/* The list of a kind: the record used last is its first. */
rms_rc_e rms_store_lru_push(rms_store_t *store, uint32_t i,
    rms_store_cell_t *head);
rms_rc_e rms_store_lru_remove(rms_store_t *store, uint32_t i,
    rms_store_cell_t *head);


#endif /* RMS_STORE_CELL_H */
