/*
 * Announcements of nodes as bytes, numbers little-endian:
 *
 *     format 1, health 1, id 16, conf 16, rules 4, pid 4, list 8, started 8,
 *     time 8; name, version, server: 1 byte of length and the bytes
 *
 * and what a set of nodes disagrees in.
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "rms_node.h"


#define RMS_NODE_FORMAT      1

/* seconds and versions: Redis, JSON and time_t count no further */
#define RMS_NODE_NUMBER_MAX  ((uint64_t) INT64_MAX)


typedef struct {
    unsigned char       *p;
    size_t               left;
} rms_node_in_t;


/* What nodes should have the same of. */

typedef struct {
    const char          *what;
    size_t               offset;
    size_t               size;          /* 0: terminated text                */
} rms_node_field_t;


typedef struct {
    const rms_node_t    *nodes;
    size_t               n;
    uint64_t             list;          /* the right ones                    */
    const rms_node_t    *conf;
    rms_node_warning_t  *warnings;
    size_t               told;
    size_t               untold;
    uint64_t             mark;
} rms_node_look_t;


static int rms_node_fine(const rms_node_t *node);
static int rms_node_text_fine(const char *text, size_t max);
static unsigned char *rms_node_put_number(unsigned char *p, uint64_t n,
    size_t bytes);
static unsigned char *rms_node_put_text(unsigned char *p, const char *text);
static uint64_t rms_node_get_number(rms_node_in_t *in, size_t bytes);
static void rms_node_get_bytes(rms_node_in_t *in, unsigned char *dst,
    size_t bytes);
static int rms_node_get_text(rms_node_in_t *in, char *dst, size_t max);
static int rms_node_order(const void *a, const void *b);
static void rms_node_look_list(rms_node_look_t *look);
static const rms_node_t *rms_node_look_field(rms_node_look_t *look,
    const rms_node_field_t *field);
static const rms_node_t *rms_node_most(const rms_node_look_t *look,
    const rms_node_field_t *field);
static int rms_node_same(const rms_node_t *a, const rms_node_t *b,
    const rms_node_field_t *field);
static void rms_node_value(const rms_node_t *node,
    const rms_node_field_t *field, char *text, size_t size);
static void rms_node_look_rules(rms_node_look_t *look);
static int rms_node_ruled(const rms_node_look_t *look,
    const rms_node_t *node);
static void rms_node_look_clocks(rms_node_look_t *look);
static void rms_node_warn(rms_node_look_t *look, const rms_node_t *node,
    const void *value, size_t size, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
static void rms_node_mark(rms_node_look_t *look, const void *bytes,
    size_t len);


static const rms_node_field_t  rms_node_conf = {
    "configuration", offsetof(rms_node_t, conf), RMS_NODE_CONF
};

static const rms_node_field_t  rms_node_version = {
    "version of the module", offsetof(rms_node_t, version), 0
};

static const rms_node_field_t  rms_node_server = {
    "version of nginx", offsetof(rms_node_t, server), 0
};

static const rms_node_field_t  rms_node_rules = {
    "rules", offsetof(rms_node_t, rules), sizeof(uint32_t)
};


rms_rc_e
rms_node_encode(const rms_node_t *node, rms_str_t *dst)
{
    size_t          size;
    unsigned char  *p;

    if (!rms_node_fine(node)) {
        return RMS_INVALID;
    }

    size = RMS_NODE_FIXED + strlen(node->name) + strlen(node->version)
           + strlen(node->server);

    if (size > dst->len) {
        return RMS_TOO_LARGE;
    }

    p = rms_node_put_number(dst->data, RMS_NODE_FORMAT, 1);
    p = rms_node_put_number(p, node->health, 1);

    memcpy(p, node->id, RMS_NODE_ID);
    memcpy(p + RMS_NODE_ID, node->conf, RMS_NODE_CONF);
    p += RMS_NODE_ID + RMS_NODE_CONF;

    p = rms_node_put_number(p, node->rules, 4);
    p = rms_node_put_number(p, node->pid, 4);
    p = rms_node_put_number(p, node->list, 8);
    p = rms_node_put_number(p, node->started, 8);
    p = rms_node_put_number(p, node->time, 8);
    p = rms_node_put_text(p, node->name);
    p = rms_node_put_text(p, node->version);
    (void) rms_node_put_text(p, node->server);

    dst->len = size;

    return RMS_OK;
}


/* The rules both directions keep, so that what is read can be written. */

static int
rms_node_fine(const rms_node_t *node)
{
    return (node->health == RMS_NODE_OK || node->health == RMS_NODE_DRAINING)
           && node->list <= RMS_NODE_NUMBER_MAX
           && node->started <= RMS_NODE_NUMBER_MAX
           && node->time <= RMS_NODE_NUMBER_MAX
           && rms_node_text_fine(node->name, RMS_NODE_NAME)
           && rms_node_text_fine(node->version, RMS_NODE_VERSION)
           && rms_node_text_fine(node->server, RMS_NODE_VERSION);
}


static int
rms_node_text_fine(const char *text, size_t max)
{
    size_t  i;

    for (i = 0; i <= max; i++) {

        if (text[i] == '\0') {
            return i != 0;
        }

        if (text[i] <= 0x20 || text[i] >= 0x7f) {
            return 0;
        }
    }

    return 0;
}


static unsigned char *
rms_node_put_number(unsigned char *p, uint64_t n, size_t bytes)
{
    for ( ; bytes != 0; bytes--) {
        *p++ = (unsigned char) (n & 0xff);
        n >>= 8;
    }

    return p;
}


static unsigned char *
rms_node_put_text(unsigned char *p, const char *text)
{
    size_t  len;

    len = strlen(text);
    *p++ = (unsigned char) len;
    memcpy(p, text, len);

    return p + len;
}


rms_rc_e
rms_node_decode(const rms_str_t *src, rms_node_t *node)
{
    rms_node_in_t  in;

    memset(node, 0, sizeof(rms_node_t));

    if (src->len == 0) {
        return RMS_INVALID;
    }

    if (src->data[0] != RMS_NODE_FORMAT) {
        return RMS_UNSUPPORTED;
    }

    if (src->len < RMS_NODE_FIXED) {
        return RMS_INVALID;
    }

    in.p = src->data + 1;
    in.left = src->len - 1;

    node->health = (rms_node_health_e) rms_node_get_number(&in, 1);
    rms_node_get_bytes(&in, node->id, RMS_NODE_ID);
    rms_node_get_bytes(&in, node->conf, RMS_NODE_CONF);
    node->rules = (uint32_t) rms_node_get_number(&in, 4);
    node->pid = (uint32_t) rms_node_get_number(&in, 4);
    node->list = rms_node_get_number(&in, 8);
    node->started = rms_node_get_number(&in, 8);
    node->time = rms_node_get_number(&in, 8);

    if (!rms_node_get_text(&in, node->name, RMS_NODE_NAME)
        || !rms_node_get_text(&in, node->version, RMS_NODE_VERSION)
        || !rms_node_get_text(&in, node->server, RMS_NODE_VERSION)
        || in.left != 0
        || !rms_node_fine(node))
    {
        memset(node, 0, sizeof(rms_node_t));
        return RMS_INVALID;
    }

    return RMS_OK;
}


/* The caller knows that so many bytes are left. */

static uint64_t
rms_node_get_number(rms_node_in_t *in, size_t bytes)
{
    size_t    i;
    uint64_t  n;

    for (i = 0, n = 0; i < bytes; i++) {
        n |= (uint64_t) in->p[i] << (8 * i);
    }

    in->p += bytes;
    in->left -= bytes;

    return n;
}


static void
rms_node_get_bytes(rms_node_in_t *in, unsigned char *dst, size_t bytes)
{
    memcpy(dst, in->p, bytes);

    in->p += bytes;
    in->left -= bytes;
}


/* What has a NUL in it would come out shorter than it went in. */

static int
rms_node_get_text(rms_node_in_t *in, char *dst, size_t max)
{
    size_t  len;

    if (in->left == 0) {
        return 0;
    }

    len = (size_t) rms_node_get_number(in, 1);

    if (len > in->left || len > max || memchr(in->p, '\0', len) != NULL) {
        return 0;
    }

    rms_node_get_bytes(in, (unsigned char *) dst, len);

    return 1;
}


void
rms_node_text(char *dst, size_t size, const rms_str_t *src)
{
    size_t         i;
    unsigned char  c;

    for (i = 0; i < src->len && i < size - 1; i++) {
        c = src->data[i];
        dst[i] = (c > 0x20 && c < 0x7f) ? (char) c : '?';
    }

    if (i == 0) {
        dst[i++] = '?';
    }

    memset(dst + i, 0, size - i);
}


void
rms_node_sort(rms_node_t *nodes, size_t n)
{
    if (n > 1) {
        qsort(nodes, n, sizeof(rms_node_t), rms_node_order);
    }
}


static int
rms_node_order(const void *a, const void *b)
{
    int                rc;
    const rms_node_t  *one = a;
    const rms_node_t  *two = b;

    rc = strcmp(one->name, two->name);

    return rc ? rc : memcmp(one->id, two->id, RMS_NODE_ID);
}


size_t
rms_node_compare(const rms_node_t *nodes, size_t n,
    rms_node_warning_t *warnings, uint64_t *mark)
{
    rms_node_look_t  look;

    memset(&look, 0, sizeof(look));

    look.nodes = nodes;
    look.n = n;
    look.warnings = warnings;

    if (n != 0) {
        (void) rms_node_look_field(&look, &rms_node_version);
        (void) rms_node_look_field(&look, &rms_node_server);
        look.conf = rms_node_look_field(&look, &rms_node_conf);
        rms_node_look_list(&look);
        rms_node_look_rules(&look);
        rms_node_look_clocks(&look);
    }

    if (look.untold != 0) {
        (void) snprintf(warnings[look.told++].text, RMS_NODE_TEXT,
                        "and %zu more", look.untold);
    }

    *mark = look.mark;

    return look.told;
}


static void
rms_node_look_list(rms_node_look_t *look)
{
    size_t             i;
    const rms_node_t  *node;

    for (i = 0; i < look->n; i++) {
        if (look->nodes[i].list > look->list) {
            look->list = look->nodes[i].list;
        }
    }

    for (i = 0; i < look->n; i++) {
        node = &look->nodes[i];

        if (node->list == 0 && look->list != 0) {
            rms_node_warn(look, node, &look->list, sizeof(look->list),
                          "has no shared list, others have version %llu",
                          (unsigned long long) look->list);

        } else if (node->list != look->list) {
            rms_node_warn(look, node, &look->list, sizeof(look->list),
                          "has version %llu of the shared list, others have "
                          "%llu", (unsigned long long) node->list,
                          (unsigned long long) look->list);
        }
    }
}


/* Answers a node that has what most have. */

static const rms_node_t *
rms_node_look_field(rms_node_look_t *look, const rms_node_field_t *field)
{
    size_t             i;
    char               own[40], others[40];
    const rms_node_t  *most, *node;

    most = rms_node_most(look, field);

    for (i = 0; i < look->n; i++) {
        node = &look->nodes[i];

        if (rms_node_same(node, most, field)) {
            continue;
        }

        rms_node_value(node, field, own, sizeof(own));
        rms_node_value(most, field, others, sizeof(others));

        rms_node_warn(look, node, own, strlen(own),
                      "has another %s: %s, others have %s", field->what, own,
                      others);
    }

    return most;
}


static const rms_node_t *
rms_node_most(const rms_node_look_t *look, const rms_node_field_t *field)
{
    size_t  i, k, same, best, most;

    most = 0;
    best = 0;

    for (i = 0; i < look->n && best <= look->n / 2; i++) {

        for (k = 0, same = 0; k < look->n; k++) {
            same += (size_t) rms_node_same(&look->nodes[i], &look->nodes[k],
                                           field);
        }

        if (same > best) {
            best = same;
            most = i;
        }
    }

    return &look->nodes[most];
}


static int
rms_node_same(const rms_node_t *a, const rms_node_t *b,
    const rms_node_field_t *field)
{
    const char  *one, *two;

    one = (const char *) a + field->offset;
    two = (const char *) b + field->offset;

    return field->size ? memcmp(one, two, field->size) == 0
                       : strcmp(one, two) == 0;
}


/* A text as it is; of a hash its first bytes. */

static void
rms_node_value(const rms_node_t *node, const rms_node_field_t *field,
    char *text, size_t size)
{
    const unsigned char  *p;

    p = (const unsigned char *) node + field->offset;

    if (field->size == 0) {
        (void) snprintf(text, size, "%s", (const char *) p);

    } else {
        (void) snprintf(text, size, "%02x%02x%02x%02x", p[0], p[1], p[2],
                        p[3]);
    }
}


static void
rms_node_look_rules(rms_node_look_t *look)
{
    size_t             i;
    const rms_node_t  *first, *node;

    first = NULL;

    for (i = 0; i < look->n; i++) {
        node = &look->nodes[i];

        if (!rms_node_ruled(look, node)) {
            continue;
        }

        if (first == NULL) {
            first = node;

        } else if (!rms_node_same(node, first, &rms_node_rules)) {
            rms_node_warn(look, node, &node->rules, sizeof(node->rules),
                          "goes by other rules (%08x) than node %s (%08x), "
                          "with the same list and configuration: compare "
                          "their files of rules", (unsigned) node->rules,
                          first->name, (unsigned) first->rules);
        }
    }
}


static int
rms_node_ruled(const rms_node_look_t *look, const rms_node_t *node)
{
    return node->list == look->list
           && rms_node_same(node, look->conf, &rms_node_conf);
}


static void
rms_node_look_clocks(rms_node_look_t *look)
{
    long               off;
    size_t             i;
    const rms_node_t  *node;

    for (i = 0; i < look->n; i++) {
        node = &look->nodes[i];
        off = node->clock;

        if (labs(off) >= RMS_NODE_CLOCK) {
            rms_node_warn(look, node, off < 0 ? "-" : "+", 1,
                          "has a clock that is %ld s %s that of Redis",
                          labs(off), off < 0 ? "behind" : "ahead of");
        }
    }
}


/* value: what the mark depends on, beside the node and the kind of warning. */

static void
rms_node_warn(rms_node_look_t *look, const rms_node_t *node,
    const void *value, size_t size, const char *fmt, ...)
{
    int       len;
    char     *text;
    va_list   args;

    rms_node_mark(look, fmt, strlen(fmt));
    rms_node_mark(look, node->id, RMS_NODE_ID);
    rms_node_mark(look, value, size);

    /* one place is kept for the sum of those that have none */

    if (look->told >= RMS_NODE_WARNINGS - 1) {
        look->untold++;
        return;
    }

    text = look->warnings[look->told++].text;

    len = snprintf(text, RMS_NODE_TEXT, "node %s (%02x%02x%02x%02x) ",
                   node->name, node->id[0], node->id[1], node->id[2],
                   node->id[3]);

    va_start(args, fmt);
    (void) vsnprintf(text + len, RMS_NODE_TEXT - (size_t) len, fmt, args);
    va_end(args);
}


/* FNV-1a; never 0, which says that nothing is wrong. */

static void
rms_node_mark(rms_node_look_t *look, const void *bytes, size_t len)
{
    size_t                i;
    const unsigned char  *p = bytes;

    if (look->mark == 0) {
        look->mark = 0xcbf29ce484222325;
    }

    for (i = 0; i < len; i++) {
        look->mark ^= p[i];
        look->mark *= 0x100000001b3;
    }

    if (look->mark == 0) {
        look->mark = 1;
    }
}
