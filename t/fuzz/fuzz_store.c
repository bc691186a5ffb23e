/*
 * A sequence of operations on a small store, against a model that remembers
 * what was put.  What is found is what was put last; what is missing was
 * deleted, ran out or made room; a kind within its share makes none for
 * others; every cell is accounted for.  Odd inputs change bytes of the memory
 * as well: then nothing may crash or run for ever, and a value that was put
 * just now is found whole or not at all.
 */

#include <stdlib.h>

#include "rms_store.h"


#define must(x)   do { if (!(x)) { abort(); } } while (0)

#define KEYS      48
#define KINDS     3
#define STEP      5             /* bytes of an operation                 */
#define GUARD     0x5a


typedef struct {
    int            alive;
    uint64_t       expires;
    size_t         len;
    unsigned char  seed;
    uint32_t       number;
} record_t;


typedef struct {
    rms_store_t         store;
    rms_store_stats_t   before;
    unsigned char      *memory;
    size_t              size;
    size_t              cells;
    unsigned            parts[RMS_STORE_KINDS];
    unsigned            broken;
    uint64_t            now;
    uint64_t            lost;
    record_t            model[KEYS];
} run_t;


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static unsigned char  buf[RMS_STORE_VALUE_MAX + 64];
static unsigned char  text[RMS_STORE_VALUE_MAX + 512];


static rms_store_key_t
key_of(unsigned n)
{
    rms_store_key_t  key;

    memset(key.id, (int) (n / KINDS), RMS_STORE_KEY);
    key.kind = (unsigned char) (n % KINDS);

    return key;
}


/* Values are parts of one text that does not repeat within a cell or two. */

static void
make_text(void)
{
    size_t  i;

    if (text[1] != 0) {
        return;
    }

    for (i = 0; i < sizeof(text); i++) {
        text[i] = (unsigned char) (i * 7 + (i >> 7) * 31);
    }
}


static uint64_t
evicted(const rms_store_stats_t *stats)
{
    size_t    k;
    uint64_t  n;

    for (k = 0, n = 0; k < RMS_STORE_KINDS; k++) {
        n += stats->kinds[k].evicted;
    }

    return n;
}


/* It is not there: then the model must know why, or somebody needed room. */

static void
missing(run_t *run, record_t *r)
{
    rms_store_stats_t  stats;

    if (r->alive && r->expires > run->now && !run->broken) {
        run->lost++;
        stats = rms_store_stats(&run->store);
        must(run->lost <= evicted(&stats));
    }

    r->alive = 0;
}


/* The number of the last put, and of no other. */

static void
numbered(run_t *run, record_t *r, const rms_store_key_t *key, int put)
{
    uint32_t  number;

    if (rms_store_look(&run->store, key, run->now, &number) != RMS_OK) {
        return;
    }

    must(run->broken || put == (number != r->number));
    r->number = number;
}


static void
get(run_t *run, unsigned n, size_t room)
{
    rms_rc_e         rc;
    record_t        *r;
    rms_str_t        value;
    rms_store_key_t  key;

    r = &run->model[n];
    key = key_of(n);

    value.data = buf;
    value.len = room;
    buf[room] = GUARD;

    rc = rms_store_get(&run->store, &key, &value, run->now);
    must(buf[room] == GUARD);

    if (rc == RMS_DECLINED) {
        must(value.len == 0);
        missing(run, r);
        return;
    }

    must(rc == RMS_OK || rc == RMS_TOO_LARGE);
    must((rc == RMS_OK) == (value.len <= room));
    must(value.len <= RMS_STORE_VALUE_MAX);

    if (run->broken) {
        return;
    }

    must(r->alive && r->expires > run->now);
    numbered(run, r, &key, 0);
    must(value.len == r->len);
    must(rc == RMS_TOO_LARGE || memcmp(buf, text + r->seed, r->len) == 0);
}


static void
put(run_t *run, unsigned n, const uint8_t *op)
{
    size_t              k;
    rms_rc_e            rc;
    record_t           *r;
    rms_str_t           value;
    rms_store_key_t     key;
    rms_store_stats_t   after;

    r = &run->model[n];
    key = key_of(n);

    r->alive = 1;
    r->seed = op[3];
    r->len = (size_t) op[2] * (op[3] % 16);
    r->expires = run->now + op[4] % 32;

    if (op[2] == 255) {
        r->len = RMS_STORE_VALUE_MAX - 1 + op[3] % 3;
    }

    value.data = text + r->seed;
    value.len = r->len;

    run->before = rms_store_stats(&run->store);

    rc = rms_store_put(&run->store, &key, &value, r->expires, run->now);

    after = rms_store_stats(&run->store);

    if (rc != RMS_OK) {
        must(rc == RMS_TOO_LARGE
             ? (r->len > RMS_STORE_VALUE_MAX
                || rms_store_cells(r->len) > after.kinds[key.kind].share)
             : (rc == RMS_DECLINED && r->expires <= run->now));

        r->alive = 0;
        get(run, n, 64);
        return;
    }

    for (k = 0; k < RMS_STORE_KINDS && !run->broken; k++) {
        must(k == key.kind
             || run->before.kinds[k].cells > run->before.kinds[k].share
             || after.kinds[k].evicted == run->before.kinds[k].evicted);
    }

    value.data = buf;
    value.len = r->len;

    rc = rms_store_get(&run->store, &key, &value, run->now);

    must(rc == RMS_OK || (run->broken && rc == RMS_DECLINED));
    must(rc != RMS_OK
         || (value.len == r->len
             && memcmp(buf, text + r->seed, r->len) == 0));

    numbered(run, r, &key, 1);
}


static void
touch(run_t *run, unsigned n, unsigned more)
{
    rms_rc_e         rc;
    record_t        *r;
    rms_store_key_t  key;

    r = &run->model[n];
    key = key_of(n);

    rc = rms_store_touch(&run->store, &key, run->now + more, run->now);

    if (rc != RMS_OK) {
        must(rc == RMS_DECLINED);
        missing(run, r);
        return;
    }

    must(run->broken || (r->alive && r->expires > run->now));
    r->expires = run->now + more;
}


/* Expired records are deleted as well as others. */

static void
drop(run_t *run, unsigned n)
{
    rms_rc_e         rc;
    record_t        *r;
    rms_store_key_t  key;

    r = &run->model[n];
    key = key_of(n);

    rc = rms_store_delete(&run->store, &key);

    if (rc != RMS_OK) {
        must(rc == RMS_DECLINED);
        missing(run, r);
    }

    must(rc != RMS_OK || r->alive || run->broken);
    r->alive = 0;
}


static void
each(run_t *run, size_t steps)
{
    char               seen[KEYS];
    size_t             calls, n, found, records;
    rms_rc_e           rc;
    uint32_t           cursor;
    record_t          *r;
    rms_store_key_t    key;
    rms_store_entry_t  entry;
    rms_store_stats_t  stats;

    memset(seen, 0, sizeof(seen));
    memset(&entry, 0, sizeof(entry));
    cursor = 0;
    found = 0;

    for (calls = 0; ; calls++) {
        must(calls <= 2 * run->cells + 2);

        entry.value.data = buf;
        entry.value.len = 512;
        buf[512] = GUARD;

        rc = rms_store_each(&run->store, &cursor, steps, run->now, &entry);
        must(buf[512] == GUARD);

        if (rc == RMS_DECLINED) {
            break;
        }

        must(rc == RMS_OK || rc == RMS_AGAIN);

        if (rc == RMS_AGAIN || run->broken) {
            continue;
        }

        n = entry.key.id[0] * (size_t) KINDS + entry.key.kind;
        must(n < KEYS && !seen[n]);
        seen[n] = 1;
        found++;

        key = key_of((unsigned) n);
        must(memcmp(key.id, entry.key.id, RMS_STORE_KEY) == 0);

        r = &run->model[n];
        must(r->alive && r->expires > run->now);
        must(entry.expires == r->expires && entry.length == r->len);
        must(entry.value.len == (r->len <= 512 ? r->len : 0));
        must(memcmp(buf, text + r->seed, entry.value.len) == 0);
    }

    for (n = 0; n < KEYS; n++) {
        if (!seen[n] && run->model[n].expires > run->now) {
            missing(run, &run->model[n]);
        }
    }

    stats = rms_store_stats(&run->store);

    for (n = 0, records = 0; n < RMS_STORE_KINDS; n++) {
        records += stats.kinds[n].records;
    }

    must(found <= records);
}


static void
check_stats(run_t *run)
{
    size_t             k, sum;
    rms_store_stats_t  stats;

    stats = rms_store_stats(&run->store);
    sum = stats.free;

    for (k = 0; k < RMS_STORE_KINDS; k++) {
        sum += stats.kinds[k].cells;
        must(stats.kinds[k].records <= stats.kinds[k].cells);
    }

    must(sum == run->cells && stats.cells == run->cells);
    must(stats.resets == 0 || run->broken);
}


/* A reload, or bytes that a process wrote which had no business there. */

static void
disturb(run_t *run, const uint8_t *op, int odd)
{
    size_t       i;
    rms_store_t  again;

    if (odd) {
        i = (((size_t) op[2] << 8 | op[3]) + 11 * (size_t) op[4]) % run->size;
        run->memory[i] ^= (unsigned char) (op[1] | 1);
        run->broken = 1;
        return;
    }

    run->parts[op[1] % KINDS] = 1 + op[2] % 7;

    must(rms_store_attach(&again, run->memory, run->cells + 1, run->parts)
         == RMS_DECLINED);

    if (rms_store_attach(&again, run->memory, run->cells, run->parts)
        == RMS_OK)
    {
        run->store = again;
        return;
    }

    must(run->broken);
    must(rms_store_init(&run->store, run->memory, run->cells, run->parts)
         == RMS_OK);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int              odd;
    run_t            run;
    unsigned         n;
    const uint8_t   *op;
    void            *memory;

    if (size < 3) {
        return 0;
    }

    memset(&run, 0, sizeof(run));

    make_text();

    odd = data[0] & 1;
    run.now = 1000;
    run.cells = 1 + data[1] % 64u + (data[0] > 0xe0 ? 256u : 0u);
    run.size = rms_store_size(run.cells);
    run.parts[0] = 1 + (data[2] & 3);
    run.parts[1] = 1 + (data[2] >> 2 & 3);
    run.parts[2] = data[2] >> 4 & 3;

    must(rms_store_fit(run.size) == run.cells);

    /* exactly so long, so that a byte beyond is seen */

    if (posix_memalign(&memory, 16, run.size) != 0) {
        return 0;
    }

    run.memory = memory;

    must(rms_store_init(&run.store, memory, run.cells, run.parts) == RMS_OK);

    for (op = data + 3; op + STEP <= data + size; op += STEP) {
        n = op[1] % KEYS;

        switch (op[0] % 8) {

        case 0:
        case 1:
            put(&run, n, op);
            break;

        case 2:
            get(&run, n, (size_t) op[2] * 16);
            break;

        case 3:
            touch(&run, n, op[2] % 32);
            break;

        case 4:
            drop(&run, n);
            break;

        case 5:
            each(&run, 1 + op[2] % 64);
            break;

        case 6:
            run.now += op[2] % 16;
            break;

        default:
            disturb(&run, op, odd);
        }

        check_stats(&run);
    }

    free(memory);

    return 0;
}
