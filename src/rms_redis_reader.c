/*
 * hiredis's reader builds its objects through functions of ours, which take
 * memory from chunks that go all at once when the next reply is asked for, and
 * refuse what is over a bound before they take any.
 */

#include "rms_redis_reader.h"

#include <stdlib.h>

#include <hiredis/hiredis.h>


/* From 1.0 on hiredis counts elements in size_t and has more types. */

#if (HIREDIS_MAJOR > 0)

typedef size_t  rms_redis_count_t;

#else

typedef int     rms_redis_count_t;

#endif


#define RMS_REDIS_CHUNK   (16u * 1024)
#define RMS_REDIS_BUFFER  (64u * 1024)      /* more is not kept          */


typedef struct rms_redis_chunk_s  rms_redis_chunk_t;

struct rms_redis_chunk_s {
    rms_redis_chunk_t    *next;
    size_t                used;
    size_t                size;
    max_align_t           data[];
};


struct rms_redis_reader_s {
    redisReader          *parser;
    rms_redis_chunk_t    *chunks;
    size_t                limit;
    size_t                bytes;        /* of the reply, so far          */
    size_t                elements;
    rms_redis_reply_t     root;
    unsigned              whole:1;      /* root is one                   */
    unsigned              grown:1;      /* the buffer of the parser has  */
    rms_rc_e              rc;           /* not RMS_OK: final             */
    const char           *error;
};


static void *rms_redis_create_string(const redisReadTask *task, char *str,
    size_t len);
static void *rms_redis_create_array(const redisReadTask *task,
    rms_redis_count_t n);
static void *rms_redis_create_integer(const redisReadTask *task,
    long long value);
static void *rms_redis_create_nil(const redisReadTask *task);
#if (HIREDIS_MAJOR > 0)
static void *rms_redis_create_double(const redisReadTask *task, double value,
    char *str, size_t len);
static void *rms_redis_create_bool(const redisReadTask *task, int value);
#endif
static void rms_redis_free_object(void *object);
static rms_redis_reply_t *rms_redis_place(const redisReadTask *task);
static void *rms_redis_reader_alloc(rms_redis_reader_t *reader, size_t size);
static void *rms_redis_fail(rms_redis_reader_t *reader, rms_rc_e rc,
    const char *error);
static void rms_redis_reader_reset(rms_redis_reader_t *reader);
static rms_rc_e rms_redis_reader_parse(rms_redis_reader_t *reader);
static redisReader *rms_redis_parser(rms_redis_reader_t *reader);
static void rms_redis_reader_shrink(rms_redis_reader_t *reader);


/*
 * A type without a function gets an object that hiredis makes up: each that a
 * version knows has one.
 */

static redisReplyObjectFunctions  rms_redis_functions = {
    .createString = rms_redis_create_string,
    .createArray = rms_redis_create_array,
    .createInteger = rms_redis_create_integer,
#if (HIREDIS_MAJOR > 0)
    .createDouble = rms_redis_create_double,
    .createBool = rms_redis_create_bool,
#endif
    .createNil = rms_redis_create_nil,
    .freeObject = rms_redis_free_object
};


rms_redis_reader_t *
rms_redis_reader_create(size_t limit)
{
    rms_redis_reader_t  *reader;

    reader = calloc(1, sizeof(rms_redis_reader_t));

    if (reader == NULL) {
        return NULL;
    }

    reader->parser = rms_redis_parser(reader);

    if (reader->parser == NULL) {
        free(reader);
        return NULL;
    }

    reader->limit = limit ? limit : RMS_REDIS_REPLY_MAX;
    reader->error = "";

    return reader;
}


void
rms_redis_reader_free(rms_redis_reader_t *reader)
{
    if (reader == NULL) {
        return;
    }

    redisReaderFree(reader->parser);
    rms_redis_reader_reset(reader);
    free(reader->chunks);
    free(reader);
}


rms_rc_e
rms_redis_reader_feed(rms_redis_reader_t *reader, const unsigned char *data,
    size_t len)
{
    if (reader->rc != RMS_OK) {
        return RMS_OK;
    }

    if (reader->parser->len - reader->parser->pos + len > RMS_REDIS_BUFFER) {
        reader->grown = 1;
    }

    if (redisReaderFeed(reader->parser, (const char *) data, len) != REDIS_OK) {
        (void) rms_redis_fail(reader, RMS_NOMEM, "no memory");
        return RMS_NOMEM;
    }

    return RMS_OK;
}


rms_rc_e
rms_redis_reader_next(rms_redis_reader_t *reader,
    const rms_redis_reply_t **reply)
{
    if (reader->whole) {
        rms_redis_reader_reset(reader);
        rms_redis_reader_shrink(reader);
    }

    if (reader->rc != RMS_OK) {
        return reader->rc;
    }

    if (rms_redis_reader_parse(reader) != RMS_OK) {
        return reader->rc;
    }

    if (!reader->whole) {

        if (reader->parser->len - reader->parser->pos + reader->bytes
            > reader->limit)
        {
            (void) rms_redis_fail(reader, RMS_TOO_LARGE,
                                  "a reply is larger than we take");
            return RMS_TOO_LARGE;
        }

        return RMS_AGAIN;
    }

    *reply = &reader->root;

    return RMS_OK;
}


const char *
rms_redis_reader_error(const rms_redis_reader_t *reader)
{
    return reader->error;
}


static rms_rc_e
rms_redis_reader_parse(rms_redis_reader_t *reader)
{
    void  *object;

    if (redisReaderGetReply(reader->parser, &object) == REDIS_OK) {
        reader->whole = (object != NULL);
        return RMS_OK;
    }

    /* a function of ours has said why, or the parser has */

    if (reader->rc == RMS_OK) {
        (void) rms_redis_fail(reader, reader->parser->err == REDIS_ERR_OOM
                                      ? RMS_NOMEM : RMS_INVALID,
                              "the server does not speak Redis's protocol");
    }

    return reader->rc;
}


/*
 * hiredis would make its buffer smaller by itself, and end the process where
 * there is no memory for that.
 */

static redisReader *
rms_redis_parser(rms_redis_reader_t *reader)
{
    redisReader  *parser;

    parser = redisReaderCreateWithFunctions(&rms_redis_functions);

    if (parser != NULL) {
        parser->privdata = reader;
        parser->maxbuf = 0;
    }

    return parser;
}


/* Behind a reply, with no byte of the next, a parser has no state. */

static void
rms_redis_reader_shrink(rms_redis_reader_t *reader)
{
    redisReader  *parser;

    if (!reader->grown || reader->parser->pos != reader->parser->len) {
        return;
    }

    parser = rms_redis_parser(reader);

    if (parser != NULL) {
        redisReaderFree(reader->parser);
        reader->parser = parser;
        reader->grown = 0;
    }
}


static void *
rms_redis_create_string(const redisReadTask *task, char *str, size_t len)
{
    rms_redis_reply_t   *reply;
    rms_redis_reader_t  *reader = task->privdata;

    reply = rms_redis_place(task);

    if (reply == NULL) {
        return NULL;
    }

    switch (task->type) {

    case REDIS_REPLY_STRING:
        reply->type = RMS_REDIS_STRING;
        break;

    case REDIS_REPLY_STATUS:
        reply->type = RMS_REDIS_STATUS;
        break;

    case REDIS_REPLY_ERROR:
        reply->type = RMS_REDIS_ERROR;
        break;

    default:
        return rms_redis_fail(reader, RMS_UNSUPPORTED,
                              "the server speaks RESP3 unasked");
    }

    reply->str.data = rms_redis_reader_alloc(reader, len + 1);

    if (reply->str.data == NULL) {
        return NULL;
    }

    memcpy(reply->str.data, str, len);
    reply->str.data[len] = '\0';
    reply->str.len = len;

    return reply;
}


static void *
rms_redis_create_array(const redisReadTask *task, rms_redis_count_t n)
{
    size_t               count;
    rms_redis_reply_t   *reply;
    rms_redis_reader_t  *reader = task->privdata;

    if (task->type != REDIS_REPLY_ARRAY) {
        return rms_redis_fail(reader, RMS_UNSUPPORTED,
                              "the server speaks RESP3 unasked");
    }

    reply = rms_redis_place(task);

    if (reply == NULL) {
        return NULL;
    }

    count = (size_t) n;

    if (count > RMS_REDIS_ELEMENTS_MAX - reader->elements) {
        return rms_redis_fail(reader, RMS_TOO_LARGE,
                              "a reply has more elements than we take");
    }

    reply->type = RMS_REDIS_ARRAY;
    reply->n = count;

    if (count == 0) {
        return reply;
    }

    reply->elements = rms_redis_reader_alloc(reader, count
                                                * sizeof(rms_redis_reply_t));

    if (reply->elements == NULL) {
        return NULL;
    }

    memset(reply->elements, 0, count * sizeof(rms_redis_reply_t));
    reader->elements += count;

    return reply;
}


static void *
rms_redis_create_integer(const redisReadTask *task, long long value)
{
    rms_redis_reply_t  *reply;

    reply = rms_redis_place(task);

    if (reply != NULL) {
        reply->type = RMS_REDIS_INTEGER;
        reply->integer = value;
    }

    return reply;
}


static void *
rms_redis_create_nil(const redisReadTask *task)
{
    rms_redis_reply_t  *reply;

    reply = rms_redis_place(task);

    if (reply != NULL) {
        reply->type = RMS_REDIS_NIL;
    }

    return reply;
}


#if (HIREDIS_MAJOR > 0)

static void *
rms_redis_create_double(const redisReadTask *task, double value, char *str,
    size_t len)
{
    (void) value;
    (void) str;
    (void) len;

    return rms_redis_fail(task->privdata, RMS_UNSUPPORTED,
                          "the server speaks RESP3 unasked");
}


static void *
rms_redis_create_bool(const redisReadTask *task, int value)
{
    (void) value;

    return rms_redis_fail(task->privdata, RMS_UNSUPPORTED,
                          "the server speaks RESP3 unasked");
}

#endif


/* Objects are not freed one by one. */

static void
rms_redis_free_object(void *object)
{
    (void) object;
}


/* Where the object of a task goes: into its array, or it is the root. */

static rms_redis_reply_t *
rms_redis_place(const redisReadTask *task)
{
    unsigned              depth;
    rms_redis_reply_t    *parent;
    rms_redis_reader_t   *reader = task->privdata;
    const redisReadTask  *t;

    if (task->parent == NULL) {
        memset(&reader->root, 0, sizeof(rms_redis_reply_t));
        return &reader->root;
    }

    for (depth = 0, t = task->parent; t != NULL; t = t->parent) {
        depth++;
    }

    if (depth > RMS_REDIS_DEPTH_MAX) {
        return rms_redis_fail(reader, RMS_TOO_LARGE,
                              "a reply is nested deeper than we take");
    }

    parent = task->parent->obj;

    return &parent->elements[task->idx];
}


static void *
rms_redis_reader_alloc(rms_redis_reader_t *reader, size_t size)
{
    size_t              room;
    unsigned char      *p;
    rms_redis_chunk_t  *chunk;

    if (size > reader->limit - reader->bytes) {
        return rms_redis_fail(reader, RMS_TOO_LARGE,
                              "a reply is larger than we take");
    }

    size = (size + sizeof(max_align_t) - 1) & ~(sizeof(max_align_t) - 1);
    chunk = reader->chunks;

    if (chunk == NULL || chunk->size - chunk->used < size) {

        room = size > RMS_REDIS_CHUNK ? size : RMS_REDIS_CHUNK;
        chunk = malloc(sizeof(rms_redis_chunk_t) + room);

        if (chunk == NULL) {
            return rms_redis_fail(reader, RMS_NOMEM, "no memory");
        }

        chunk->next = reader->chunks;
        chunk->used = 0;
        chunk->size = room;
        reader->chunks = chunk;
    }

    p = (unsigned char *) chunk->data + chunk->used;
    chunk->used += size;

    /* the rounding may pass the limit by a few bytes */

    reader->bytes += size > reader->limit - reader->bytes
                     ? reader->limit - reader->bytes : size;

    return p;
}


/* What the first function has to say counts; NULL ends the parsing. */

static void *
rms_redis_fail(rms_redis_reader_t *reader, rms_rc_e rc, const char *error)
{
    if (reader->rc == RMS_OK) {
        reader->rc = rc;
        reader->error = error;
    }

    return NULL;
}


/* Frees the last reply, but for one chunk of the usual size. */

static void
rms_redis_reader_reset(rms_redis_reader_t *reader)
{
    rms_redis_chunk_t  *chunk, *keep;

    keep = NULL;

    while (reader->chunks != NULL) {
        chunk = reader->chunks;
        reader->chunks = chunk->next;

        if (keep == NULL && chunk->size == RMS_REDIS_CHUNK) {
            keep = chunk;
            continue;
        }

        free(chunk);
    }

    if (keep != NULL) {
        keep->next = NULL;
        keep->used = 0;
    }

    reader->chunks = keep;
    reader->bytes = 0;
    reader->elements = 0;
    reader->whole = 0;
}
