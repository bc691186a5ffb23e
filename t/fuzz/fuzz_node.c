/*
 * Announcements of nodes.  What is read as one is written back to the same
 * bytes; nodes of any values are compared without a place being left, and the
 * order they came in changes nothing.  The first byte chooses.
 */

#include <stdlib.h>

#include "rms_node.h"


#define must(x)   do { if (!(x)) { abort(); } } while (0)


#define NODES  40


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
read_back(const rms_str_t *in)
{
    rms_rc_e    rc;
    rms_str_t   out;
    rms_node_t  node, empty;

    rc = rms_node_decode(in, &node);

    if (rc != RMS_OK) {
        must(rc == RMS_INVALID
             || (rc == RMS_UNSUPPORTED && in->data[0] != 1));
        memset(&empty, 0, sizeof(empty));
        must(memcmp(&node, &empty, sizeof(node)) == 0);
        return;
    }

    must(node.age == 0 && node.clock == 0);
    must(strlen(node.name) <= RMS_NODE_NAME);
    must(strchr(node.name, '\n') == NULL && strchr(node.name, ' ') == NULL);

    out.data = malloc(in->len);
    must(out.data != NULL);

    out.len = in->len - 1;
    must(rms_node_encode(&node, &out) == RMS_TOO_LARGE);
    out.len = in->len;
    must(rms_node_encode(&node, &out) == RMS_OK);
    must(rms_str_eq(&out, in));

    free(out.data);
}


/* A byte or two decide what a node has, so that many have the same. */

static void
filled(rms_node_t *node, const unsigned char *p, size_t i)
{
    rms_str_t  name;

    static const rms_str_t  version = rms_string("0.1");

    memset(node, 0, sizeof(rms_node_t));

    node->health = p[0] & 1 ? RMS_NODE_OK : RMS_NODE_DRAINING;
    node->id[0] = (unsigned char) i;
    node->conf[0] = p[0] & 6;
    node->rules = p[0] & 8;
    node->list = p[0] >> 4;
    node->clock = (int32_t) ((uint32_t) p[1] << (p[1] & 31));

    name.data = (unsigned char *) p;
    name.len = p[0] & 3;

    rms_node_text(node->name, sizeof(node->name), &name);
    rms_node_text(node->version, sizeof(node->version), &version);
    rms_node_text(node->server, sizeof(node->server), &version);
}


static void
compared(const rms_str_t *in)
{
    size_t                      i, n, told;
    uint64_t                    mark, again;
    static rms_node_t           nodes[NODES], other[NODES];
    static rms_node_warning_t   warnings[RMS_NODE_WARNINGS];

    for (n = 0; n < NODES && n * 4 + 4 <= in->len; n++) {
        filled(&nodes[n], in->data + n * 4, n);
    }

    for (i = 0; i < n; i++) {
        other[i] = nodes[n - 1 - i];
    }

    rms_node_sort(nodes, n);
    rms_node_sort(other, n);
    must(memcmp(nodes, other, n * sizeof(rms_node_t)) == 0);

    memset(warnings, 0xee, sizeof(warnings));
    told = rms_node_compare(nodes, n, warnings, &mark);

    must(told <= RMS_NODE_WARNINGS);
    must((told == 0) == (mark == 0));

    for (i = 0; i < told; i++) {
        must(memchr(warnings[i].text, '\0', RMS_NODE_TEXT) != NULL);
        must(warnings[i].text[0] == 'n' || i == RMS_NODE_WARNINGS - 1);
    }

    must(rms_node_compare(other, n, warnings, &again) == told);
    must(again == mark);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rms_str_t  in;

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

    if (data[0] % 2 == 0) {
        read_back(&in);

    } else {
        compared(&in);
    }

    free(in.data);

    return 0;
}
