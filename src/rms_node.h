/*
 * What a node of a pool tells the others about itself, and in what nodes that
 * should be the same are not.  An announcement has one form, and nothing else
 * is read; it is sealed by who sends it.  Pure functions, any thread.
 */

#ifndef RMS_NODE_H
#define RMS_NODE_H


#include "rms_types.h"


#define RMS_NODE_ID         16          /* bytes, random                     */
#define RMS_NODE_CONF       16          /* of a hash                         */
#define RMS_NODE_NAME       64
#define RMS_NODE_VERSION    24

#define RMS_NODES_MAX       256         /* of a pool                         */
#define RMS_NODE_WARNINGS   16          /* rms_node_compare() tells at most  */
#define RMS_NODE_TEXT       320

/* seconds that a clock may be off before it is told */
#define RMS_NODE_CLOCK      10

/* format, health, id, conf, rules, pid, list, started, time, three lengths */
#define RMS_NODE_FIXED                                                        \
    (1 + 1 + RMS_NODE_ID + RMS_NODE_CONF + 4 + 4 + 8 + 8 + 8 + 3)

#define RMS_NODE_ENCODED_MAX                                                  \
    (RMS_NODE_FIXED + RMS_NODE_NAME + 2 * RMS_NODE_VERSION)


/* The numbers are those of the form: never give one out again. */

typedef enum {
    RMS_NODE_OK = 1,
    RMS_NODE_DRAINING = 2       /* takes no new connections soon             */
} rms_node_health_e;


/* Plain data, so that it may lie in shared memory. */

typedef struct {
    rms_node_health_e   health;
    unsigned char       id[RMS_NODE_ID];
    unsigned char       conf[RMS_NODE_CONF];    /* hash of the configuration */
    uint32_t            rules;                  /* hash of those in use      */
    uint32_t            pid;                    /* of the master process     */
    uint64_t            list;                   /* its version, 0: none      */
    uint64_t            started;                /* seconds since 1970        */
    uint64_t            time;                   /* by the clock of the node  */

    /* printable ASCII, at least one character, terminated */
    char                name[RMS_NODE_NAME + 1];        /* of the host       */
    char                version[RMS_NODE_VERSION + 1];  /* of the module     */
    char                server[RMS_NODE_VERSION + 1];   /* of nginx          */

    /* not announced: what the reader knows of the announcement */
    uint32_t            age;                    /* milliseconds              */
    int32_t             clock;                  /* ahead of the store's, s   */
} rms_node_t;


typedef struct {
    char                text[RMS_NODE_TEXT];    /* a sentence, terminated    */
} rms_node_warning_t;


/*
 * The node as bytes.  dst: dst->len is the room, RMS_NODE_ENCODED_MAX is
 * always enough; then the length.  RMS_OK; RMS_TOO_LARGE: no room;
 * RMS_INVALID: unknown health, or a text that is empty or not printable.
 */
rms_rc_e rms_node_encode(const rms_node_t *node, rms_str_t *dst);


/*
 * The same back; age and clock are 0.  RMS_OK; RMS_UNSUPPORTED: another
 * version of the form; RMS_INVALID: anything that rms_node_encode() does not
 * write.  With any but RMS_OK the node is empty.
 */
rms_rc_e rms_node_decode(const rms_str_t *src, rms_node_t *node);


/*
 * Sets a text of a node (dst: RMS_NODE_NAME or RMS_NODE_VERSION bytes and one
 * more, size is all of them): cut when too long, "?" for what is not printable
 * and for an empty one.
 */
void rms_node_text(char *dst, size_t size, const rms_str_t *src);


/* By name, then id: the order is the same at every node that looks. */
void rms_node_sort(rms_node_t *nodes, size_t n);


/*
 * In what do they disagree?  Of the version of the shared list the highest is
 * right, of versions and configurations what most nodes have (the first of
 * them, where two are as many).  Rules are compared with those of the first
 * node, between nodes of the right list and configuration only: otherwise they
 * are bound to differ.  A clock is compared with that of the store.
 *
 * nodes: sorted.  warnings: RMS_NODE_WARNINGS of them; answers how many were
 * written, the last one counts those there is no room for.  mark: changes with
 * what is wrong, and not with how far a clock is off; 0 when nothing is.
 */
size_t rms_node_compare(const rms_node_t *nodes, size_t n,
    rms_node_warning_t *warnings, uint64_t *mark);


#endif /* RMS_NODE_H */
