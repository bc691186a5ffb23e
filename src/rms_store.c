/*
 * The store in flat memory: a header, cells of one size, chains by hash.  A
 * record is a head cell and as many tail cells as its value needs.  The caller
 * owns the memory (a block of the zone) and holds its lock.
 */

#include "rms_store_cell.h"


#define RMS_STORE_CELLS_MAX  ((size_t) 1 << 26)

/* cells that each put looks at for records whose time is over */

#define RMS_STORE_SWEEP      8


static size_t rms_store_chains(size_t cells);
static rms_rc_e rms_store_view(rms_store_t *store, void *memory, size_t cells,
    const unsigned *parts);
static void rms_store_enter(rms_store_t *store);
static uint32_t *rms_store_chain(const rms_store_t *store,
    const unsigned char *id, uint32_t kind);
static rms_rc_e rms_store_find(const rms_store_t *store,
    const rms_store_key_t *key, uint32_t *found);
static rms_rc_e rms_store_find_live(rms_store_t *store,
    const rms_store_key_t *key, uint64_t now, uint32_t *found);
static rms_rc_e rms_store_use(rms_store_t *store, uint32_t i);
static rms_rc_e rms_store_sweep(rms_store_t *store, uint64_t now);
static rms_rc_e rms_store_add(rms_store_t *store, const rms_store_key_t *key,
    const rms_str_t *value, uint64_t expires);
static rms_rc_e rms_store_make_room(rms_store_t *store, uint32_t kind,
    uint32_t n);
static uint32_t rms_store_victim(const rms_store_t *store, uint32_t kind,
    uint32_t n);
static rms_rc_e rms_store_remove(rms_store_t *store, uint32_t i);
static rms_rc_e rms_store_unchain(rms_store_t *store, uint32_t i,
    const rms_store_cell_t *head);


size_t
rms_store_size(size_t cells)
{
    if (cells > RMS_STORE_CELLS_MAX) {
        return 0;
    }

    return sizeof(rms_store_shared_t) + cells * sizeof(rms_store_cell_t)
           + rms_store_chains(cells) * sizeof(uint32_t);
}


/* Most records take two cells or more: then there is a chain for each. */

static size_t
rms_store_chains(size_t cells)
{
    return cells / 2 + 1;
}


size_t
rms_store_fit(size_t bytes)
{
    size_t  cells;

    if (bytes < rms_store_size(1)) {
        return 0;
    }

    cells = (bytes - sizeof(rms_store_shared_t)) / sizeof(rms_store_cell_t);

    if (cells > RMS_STORE_CELLS_MAX) {
        cells = RMS_STORE_CELLS_MAX;
    }

    /* a cell and its part of the chains are 130 bytes; the rest is rounding */

    if (rms_store_size(cells) > bytes) {
        cells = (bytes - sizeof(rms_store_shared_t) - sizeof(uint32_t))
                / (sizeof(rms_store_cell_t) + sizeof(uint32_t) / 2);

        while (rms_store_size(cells + 1) <= bytes) {
            cells++;
        }
    }

    return cells;
}


size_t
rms_store_cells(size_t value)
{
    if (value <= RMS_STORE_HEAD_DATA) {
        return 1;
    }

    return 1 + (value - RMS_STORE_HEAD_DATA - 1) / RMS_STORE_TAIL_DATA + 1;
}


rms_rc_e
rms_store_init(rms_store_t *store, void *memory, size_t cells,
    const unsigned *parts)
{
    if (rms_store_view(store, memory, cells, parts) != RMS_OK) {
        return RMS_INVALID;
    }

    memset(memory, 0, rms_store_size(cells));

    store->shared->cells = store->n_cells;
    store->shared->chains = store->n_chains;
    store->shared->magic = RMS_STORE_MAGIC;

    return RMS_OK;
}


static rms_rc_e
rms_store_view(rms_store_t *store, void *memory, size_t cells,
    const unsigned *parts)
{
    size_t    k;
    uint64_t  sum;

    for (k = 0, sum = 0; k < RMS_STORE_KINDS; k++) {
        sum += parts[k];
    }

    if (cells == 0 || cells > RMS_STORE_CELLS_MAX || sum == 0) {
        return RMS_INVALID;
    }

    store->shared = memory;
    store->cells = (rms_store_cell_t *) (void *) (store->shared + 1);
    store->chains = (uint32_t *) (void *) (store->cells + cells);
    store->n_cells = (uint32_t) cells;
    store->n_chains = (uint32_t) rms_store_chains(cells);

    for (k = 0; k < RMS_STORE_KINDS; k++) {
        store->share[k] = (uint32_t) (cells * (uint64_t) parts[k] / sum);
    }

    return RMS_OK;
}


rms_rc_e
rms_store_attach(rms_store_t *store, void *memory, size_t cells,
    const unsigned *parts)
{
    if (rms_store_view(store, memory, cells, parts) != RMS_OK
        || store->shared->magic != RMS_STORE_MAGIC
        || store->shared->cells != store->n_cells
        || store->shared->chains != store->n_chains
        || !rms_store_sane(store))
    {
        return RMS_DECLINED;
    }

    return RMS_OK;
}


static void
rms_store_enter(rms_store_t *store)
{
    if (!rms_store_sane(store)) {
        rms_store_reset(store);
    }
}


/* The key is part of a SHA-256, so its bytes are as good as a hash of it. */

static uint32_t *
rms_store_chain(const rms_store_t *store, const unsigned char *id,
    uint32_t kind)
{
    uint64_t  n;

    memcpy(&n, id, sizeof(uint64_t));

    return &store->chains[(n + kind) % store->n_chains];
}


/* RMS_OK, RMS_DECLINED, or RMS_INVALID: the memory contradicts itself. */

static rms_rc_e
rms_store_find(const rms_store_t *store, const rms_store_key_t *key,
    uint32_t *found)
{
    uint32_t           i, n;
    rms_store_cell_t  *head;

    i = *rms_store_chain(store, key->id, key->kind);

    for (n = 0; i != 0; n++) {
        head = rms_store_cell(store, i, RMS_STORE_HEAD);

        if (head == NULL || n == store->n_cells) {
            return RMS_INVALID;
        }

        if (head->u.head.kind == key->kind
            && memcmp(head->u.head.id, key->id, RMS_STORE_KEY) == 0)
        {
            *found = i;
            return RMS_OK;
        }

        i = head->u.head.chain;
    }

    return RMS_DECLINED;
}


static rms_rc_e
rms_store_find_live(rms_store_t *store, const rms_store_key_t *key,
    uint64_t now, uint32_t *found)
{
    rms_rc_e  rc;

    if (key->kind >= RMS_STORE_KINDS) {
        return RMS_DECLINED;
    }

    rms_store_enter(store);

    rc = rms_store_find(store, key, found);

    if (rc == RMS_OK && store->cells[*found - 1].u.head.expires <= now) {
        store->shared->kinds[key->kind].expired++;
        rc = rms_store_remove(store, *found);

        if (rc == RMS_OK) {
            return RMS_DECLINED;
        }
    }

    if (rc == RMS_OK) {
        rc = rms_store_use(store, *found);
    }

    if (rc == RMS_INVALID) {
        rms_store_reset(store);
        return RMS_DECLINED;
    }

    return rc;
}


static rms_rc_e
rms_store_use(rms_store_t *store, uint32_t i)
{
    rms_rc_e           rc;
    rms_store_cell_t  *head;

    head = &store->cells[i - 1];

    rc = rms_store_lru_remove(store, i, head);

    return (rc == RMS_OK) ? rms_store_lru_push(store, i, head) : rc;
}


rms_rc_e
rms_store_get(rms_store_t *store, const rms_store_key_t *key,
    rms_str_t *value, uint64_t now)
{
    size_t             size;
    rms_rc_e           rc;
    uint32_t           i;
    rms_store_cell_t  *head;

    size = value->len;
    value->len = 0;

    rc = rms_store_find_live(store, key, now, &i);
    if (rc != RMS_OK) {
        return rc;
    }

    head = &store->cells[i - 1];

    if (head->u.head.length > size) {
        value->len = head->u.head.length;
        return RMS_TOO_LARGE;
    }

    if (rms_store_copy(store, head, value->data) != RMS_OK) {
        rms_store_reset(store);
        return RMS_DECLINED;
    }

    value->len = head->u.head.length;

    return RMS_OK;
}


rms_rc_e
rms_store_look(rms_store_t *store, const rms_store_key_t *key, uint64_t now,
    uint32_t *number)
{
    rms_rc_e  rc;
    uint32_t  i;

    rc = rms_store_find_live(store, key, now, &i);

    if (rc == RMS_OK) {
        *number = store->cells[i - 1].u.head.number;
    }

    return rc;
}


uint64_t
rms_store_gone(const rms_store_t *store)
{
    return __atomic_load_n(&store->shared->gone, __ATOMIC_ACQUIRE);
}


rms_rc_e
rms_store_touch(rms_store_t *store, const rms_store_key_t *key,
    uint64_t expires, uint64_t now)
{
    rms_rc_e  rc;
    uint32_t  i;

    rc = rms_store_find_live(store, key, now, &i);

    if (rc == RMS_OK) {
        store->cells[i - 1].u.head.expires = expires;
    }

    return rc;
}


rms_rc_e
rms_store_delete(rms_store_t *store, const rms_store_key_t *key)
{
    rms_rc_e  rc;
    uint32_t  i;

    if (key->kind >= RMS_STORE_KINDS) {
        return RMS_DECLINED;
    }

    rms_store_enter(store);

    rc = rms_store_find(store, key, &i);

    if (rc == RMS_OK) {
        rc = rms_store_remove(store, i);
    }

    if (rc == RMS_INVALID) {
        rms_store_reset(store);
        return RMS_DECLINED;
    }

    return rc;
}


rms_rc_e
rms_store_put(rms_store_t *store, const rms_store_key_t *key,
    const rms_str_t *value, uint64_t expires, uint64_t now)
{
    if (key->kind >= RMS_STORE_KINDS) {
        return RMS_INVALID;
    }

    (void) rms_store_delete(store, key);

    if (value->len > RMS_STORE_VALUE_MAX
        || rms_store_cells(value->len) > store->share[key->kind])
    {
        return RMS_TOO_LARGE;
    }

    if (expires <= now) {
        return RMS_DECLINED;
    }

    if (rms_store_sweep(store, now) == RMS_OK
        && rms_store_add(store, key, value, expires) == RMS_OK)
    {
        return RMS_OK;
    }

    rms_store_reset(store);

    return rms_store_add(store, key, value, expires);
}


/*
 * A record that nobody asks for again would take its cells until they are
 * needed: each put looks at the next few cells.
 */

static rms_rc_e
rms_store_sweep(rms_store_t *store, uint64_t now)
{
    unsigned             n;
    rms_store_cell_t    *head;
    rms_store_shared_t  *shared;

    shared = store->shared;

    for (n = 0; n < RMS_STORE_SWEEP; n++) {
        shared->sweep = shared->sweep < shared->fresh ? shared->sweep + 1 : 0;

        head = rms_store_cell(store, shared->sweep, RMS_STORE_HEAD);

        if (head == NULL || head->u.head.expires > now) {
            continue;
        }

        shared->kinds[head->u.head.kind].expired++;

        if (rms_store_remove(store, shared->sweep) != RMS_OK) {
            return RMS_INVALID;
        }
    }

    return RMS_OK;
}


/* The key has no record; n cells are within the share of its kind. */

static rms_rc_e
rms_store_add(rms_store_t *store, const rms_store_key_t *key,
    const rms_str_t *value, uint64_t expires)
{
    uint32_t           i, n, *chain;
    rms_store_cell_t  *head;

    n = (uint32_t) rms_store_cells(value->len);

    if (rms_store_make_room(store, key->kind, n) != RMS_OK) {
        return RMS_INVALID;
    }

    i = rms_store_take(store, RMS_STORE_HEAD);
    if (i == 0) {
        return RMS_INVALID;
    }

    head = &store->cells[i - 1];
    memcpy(head->u.head.id, key->id, RMS_STORE_KEY);
    head->u.head.kind = key->kind;
    head->u.head.expires = expires;
    head->u.head.length = (uint32_t) value->len;
    head->u.head.number = (uint32_t) ++store->shared->puts;

    if (rms_store_fill(store, head, value) != RMS_OK
        || rms_store_lru_push(store, i, head) != RMS_OK)
    {
        return RMS_INVALID;
    }

    chain = rms_store_chain(store, key->id, key->kind);
    head->u.head.chain = *chain;
    *chain = i;

    store->shared->kinds[key->kind].records++;
    store->shared->kinds[key->kind].cells += n;

    return RMS_OK;
}


/* Each round frees a cell at least, so there are at most n. */

static rms_rc_e
rms_store_make_room(rms_store_t *store, uint32_t kind, uint32_t n)
{
    uint32_t           k;
    rms_store_kind_t  *victim;
    rms_store_cell_t  *head;

    while (rms_store_room(store) < n) {
        k = rms_store_victim(store, kind, n);
        if (k == RMS_STORE_KINDS) {
            return RMS_INVALID;
        }

        victim = &store->shared->kinds[k];
        head = rms_store_cell(store, victim->last, RMS_STORE_HEAD);

        if (head == NULL || head->u.head.kind != k) {
            return RMS_INVALID;
        }

        victim->evicted++;

        if (rms_store_remove(store, victim->last) != RMS_OK) {
            return RMS_INVALID;
        }
    }

    return RMS_OK;
}


/*
 * Whose record goes?  The kind's own if it would be above its share; else
 * that of the one which is furthest above its own.  There is one: the shares
 * together are no more than the cells.
 */

static uint32_t
rms_store_victim(const rms_store_t *store, uint32_t kind, uint32_t n)
{
    uint32_t                 k, victim, over, most;
    const rms_store_kind_t  *kinds;

    kinds = store->shared->kinds;

    if (kinds[kind].records != 0
        && (uint64_t) kinds[kind].cells + n > store->share[kind])
    {
        return kind;
    }

    victim = RMS_STORE_KINDS;
    most = 0;

    for (k = 0; k < RMS_STORE_KINDS; k++) {

        if (kinds[k].cells <= store->share[k]) {
            continue;
        }

        over = kinds[k].cells - store->share[k];

        if (over > most) {
            most = over;
            victim = k;
        }
    }

    return victim;
}


/* i is the number of a head. */

static rms_rc_e
rms_store_remove(rms_store_t *store, uint32_t i)
{
    uint32_t           n;
    rms_store_kind_t  *kind;
    rms_store_cell_t  *head;

    head = &store->cells[i - 1];
    kind = &store->shared->kinds[head->u.head.kind];
    n = (uint32_t) rms_store_cells(head->u.head.length);

    if (kind->records == 0 || kind->cells < n
        || rms_store_unchain(store, i, head) != RMS_OK
        || rms_store_lru_remove(store, i, head) != RMS_OK)
    {
        return RMS_INVALID;
    }

    kind->records--;
    kind->cells -= n;

    /* read without the lock: see rms_store_gone() */

    __atomic_store_n(&store->shared->gone, store->shared->gone + 1,
                     __ATOMIC_RELEASE);

    return rms_store_release(store, i, n);
}


static rms_rc_e
rms_store_unchain(rms_store_t *store, uint32_t i,
    const rms_store_cell_t *head)
{
    uint32_t           n, *link;
    rms_store_cell_t  *cell;

    link = rms_store_chain(store, head->u.head.id, head->u.head.kind);

    for (n = 0; *link != i; n++) {
        cell = rms_store_cell(store, *link, RMS_STORE_HEAD);

        if (cell == NULL || n == store->n_cells) {
            return RMS_INVALID;
        }

        link = &cell->u.head.chain;
    }

    *link = head->u.head.chain;

    return RMS_OK;
}


rms_rc_e
rms_store_each(rms_store_t *store, uint32_t *cursor, size_t steps,
    uint64_t now, rms_store_entry_t *entry)
{
    size_t             size;
    rms_store_cell_t  *head;

    size = entry->value.len;
    entry->value.len = 0;

    rms_store_enter(store);

    while (*cursor < store->shared->fresh) {

        if (steps-- == 0) {
            entry->value.len = size;
            return RMS_AGAIN;
        }

        head = rms_store_cell(store, ++*cursor, RMS_STORE_HEAD);

        if (head == NULL || head->u.head.expires <= now) {
            continue;
        }

        memcpy(entry->key.id, head->u.head.id, RMS_STORE_KEY);
        entry->key.kind = (unsigned char) head->u.head.kind;
        entry->expires = head->u.head.expires;
        entry->length = head->u.head.length;

        if (entry->length <= size) {

            if (rms_store_copy(store, head, entry->value.data) != RMS_OK) {
                rms_store_reset(store);
                return RMS_DECLINED;
            }

            entry->value.len = entry->length;
        }

        return RMS_OK;
    }

    return RMS_DECLINED;
}


rms_store_stats_t
rms_store_stats(rms_store_t *store)
{
    size_t                   k;
    rms_store_stats_t        stats;
    const rms_store_kind_t  *kind;

    rms_store_enter(store);

    stats.cells = store->n_cells;
    stats.free = rms_store_room(store);
    stats.resets = store->shared->resets;

    for (k = 0; k < RMS_STORE_KINDS; k++) {
        kind = &store->shared->kinds[k];

        stats.kinds[k].records = kind->records;
        stats.kinds[k].cells = kind->cells;
        stats.kinds[k].share = store->share[k];
        stats.kinds[k].evicted = kind->evicted;
        stats.kinds[k].expired = kind->expired;
    }

    return stats;
}
