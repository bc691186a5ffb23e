
/*
 * What lies in the zone: plain data, atomic counters and offsets, no pointers.
 * Included by ngx_http_rms_module.h alone.
 */

#ifndef _NGX_HTTP_RMS_ZONE_H_INCLUDED_
#define _NGX_HTTP_RMS_ZONE_H_INCLUDED_


#define NGX_HTTP_RMS_BACKENDS_MAX  64


typedef struct {
    u_char                       name[64];
    ngx_atomic_t                 requests;
    ngx_atomic_t                 errors;
    ngx_atomic_t                 refused;
} ngx_http_rms_backend_stats_t;


typedef struct {
    uint64_t                     account;       /* hash, 0: free slot */
    uint32_t                     list;          /* hash of the rules it saw */
    uint32_t                     https;         /* last seen over TLS */
} ngx_http_rms_seen_t;


#define NGX_HTTP_RMS_SEEN  4096


/* Which rules of a file the event log knows of. */

#define NGX_HTTP_RMS_FILES  32


typedef struct {
    uint32_t                     path;          /* hash */
    uint32_t                     rules;         /* hash */
} ngx_http_rms_told_t;


/* What all nodes of a pool have the same of; ngx_http_rms_document.h. */

#define NGX_HTTP_RMS_LIST       0
#define NGX_HTTP_RMS_REVOKED    1
#define NGX_HTTP_RMS_DOCUMENTS  2

/* records of a document that a node sent last, answered or not */
#define NGX_HTTP_RMS_SENT       8


/* A record of a document in Redis. */

typedef struct {
    uint64_t                     version;       /* 0: nothing */
    uint32_t                     tag;           /* first bytes of its salt */
} ngx_http_rms_stamp_of_t;


typedef struct {
    ngx_atomic_t                 changes;       /* times one was taken */
    uint64_t                     version;       /* 0: there is none */
    uint64_t                     when;          /* it was made, seconds */
    size_t                       rules;         /* of the list */
    size_t                       offset;        /* in the zone, its bytes */
    size_t                       len;
    uint64_t                     known;         /* see rms_revoked_merge() */
    uint64_t                     stored;        /* version in Redis, and ... */
    ngx_atomic_t                 tag;           /* ... of the record there */
    ngx_atomic_t                 confirmed;     /* when it was, seconds */
    ngx_http_rms_stamp_of_t      sent[NGX_HTTP_RMS_SENT];
    ngx_uint_t                   next;          /* of these */
} ngx_http_rms_shared_document_t;


/* What a node knows of its pool; ngx_http_rms_pool.h.  Times: nginx's msec. */

/* without an announcement */
#define NGX_HTTP_RMS_POOL_TTL  15000


typedef struct {
    u_char                       id[RMS_NODE_ID];  /* as long as the zone */
    ngx_atomic_t                 draining;      /* since, seconds; 0: not */
    ngx_atomic_t                 loads;         /* of a configuration */
    ngx_atomic_t                 running;       /* the newest with a worker */
    ngx_atomic_t                 next;          /* announcement */
    ngx_atomic_t                 announced;     /* hash of what was */
    ngx_atomic_t                 refused;       /* hash of records that were */
    ngx_atomic_t                 looked;        /* last */
    size_t                       nodes;         /* in the zone, rms_node_t */
    ngx_uint_t                   room;          /* there for so many */
    ngx_uint_t                   n;             /* others, seen then */
    ngx_atomic_int_t             clock;         /* ahead of Redis's, sec */
    uint64_t                     mark;          /* of what they differ in */
    uint64_t                     told;          /* the same, in the log */
    ngx_atomic_uint_t            since;         /* it is as it is */
} ngx_http_rms_pool_state_t;


/* What the records of the store are. */

#define NGX_HTTP_RMS_STORE_SESSION  0
#define NGX_HTTP_RMS_STORE_TICKET   1           /* SIDs of the last login */


typedef struct {
    /* these five stay first in every version: see zone_init() */
    uint32_t                     magic;
    uint32_t                     size;
    size_t                       replay;        /* offset in the zone */
    size_t                       store;
    size_t                       backoff;

    time_t                       created;
    ngx_atomic_t                 counters[RMS_COUNT_MAX];
    ngx_atomic_t                 reasons[RMS_REASON_MAX];
    ngx_atomic_t                 forwarded[RMS_OP_MAX];
    ngx_atomic_t                 denied[RMS_OP_MAX];
    ngx_http_rms_backend_stats_t backends[NGX_HTTP_RMS_BACKENDS_MAX];
    ngx_http_rms_seen_t          seen[NGX_HTTP_RMS_SEEN];
    ngx_atomic_t                 epoch;         /* number of revocations */
    ngx_atomic_t                 failed;        /* when a login last did */
    rms_revoked_t                revoked;
    /* raised with the lock, after each change of the two above */
    ngx_atomic_t                 revoked_changes;
    ngx_http_rms_told_t          told[NGX_HTTP_RMS_FILES];
    ngx_http_rms_shared_document_t  documents[NGX_HTTP_RMS_DOCUMENTS];
    ngx_atomic_t                 sync_next;     /* look at Redis, msec */
    ngx_http_rms_pool_state_t    pool;
} ngx_http_rms_shared_t;


typedef struct {
    ngx_http_rms_shared_t       *shared;
    ngx_slab_pool_t             *shpool;
    rms_replay_t                *replay;
    unsigned                     window;        /* seconds */
    rms_store_t                  store;
    rms_backoff_t                backoff;
} ngx_http_rms_zone_t;


#endif /* _NGX_HTTP_RMS_ZONE_H_INCLUDED_ */
