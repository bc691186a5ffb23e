/*
 * What a Redis server may send.  Bytes give the same replies whole and cut
 * into pieces, none is larger than its bounds, and none brings the steps of a
 * login to anything that was not answered well; a command that is made of a
 * reply is read back to the same arguments.  The first byte chooses the pieces
 * and the limit, the rest is what comes in.
 */

#include <stdlib.h>

#include "rms_redis_reader.h"
#include "rms_redis_script.h"


#define must(x)   do { if (!(x)) { abort(); } } while (0)

#define REPLIES   64


/* What came of an input: a sum of each reply, and how it ended. */

typedef struct {
    size_t      n;
    uint64_t    sums[REPLIES];
    rms_rc_e    rc;
} outcome_t;


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
add(uint64_t *sum, uint64_t value)
{
    *sum = (*sum ^ value) * UINT64_C(1099511628211);
}


/* Adds a reply and all in it; answers its bytes. */

static size_t
walk(uint64_t *sum, const rms_redis_reply_t *reply, unsigned depth)
{
    size_t  i, bytes;

    must(depth <= RMS_REDIS_DEPTH_MAX);
    must(reply->type >= RMS_REDIS_STRING && reply->type <= RMS_REDIS_ERROR);

    add(sum, reply->type);
    add(sum, (uint64_t) reply->integer);
    add(sum, reply->str.len);

    for (i = 0; i < reply->str.len; i++) {
        add(sum, reply->str.data[i]);
    }

    must(reply->str.len == 0 || reply->str.data[reply->str.len] == '\0');
    must(reply->n <= RMS_REDIS_ELEMENTS_MAX);
    must(reply->n == 0 || reply->type == RMS_REDIS_ARRAY);

    bytes = reply->str.len + reply->n * sizeof(rms_redis_reply_t);

    for (i = 0; i < reply->n; i++) {
        bytes += walk(sum, &reply->elements[i], depth + 1);
    }

    return bytes;
}


static void
text_check(const char *text)
{
    must(strlen(text) < RMS_REDIS_TEXT);

    for (; *text; text++) {
        must(*text >= 0x20 && *text < 0x7f);
    }
}


static void
address_check(const rms_redis_address_t *address)
{
    size_t  i;

    must(address->len >= 1 && address->len <= RMS_REDIS_HOST_MAX);
    must(address->port >= 1 && address->port <= 65535);

    for (i = 0; i < address->len; i++) {
        must(address->host[i] > 0x20 && address->host[i] < 0x7f);
    }
}


static void
meaning(const rms_redis_reply_t *reply)
{
    char                  why[RMS_REDIS_TEXT] = "";
    rms_str_t             name = rms_string("m");
    rms_redis_push_t      push;
    rms_redis_address_t   address;

    (void) rms_redis_error(reply);

    must((rms_redis_judge(reply, why) == RMS_REDIS_STAGE_NONE)
         == (why[0] == '\0'));
    text_check(why);

    if (rms_redis_role(reply, why) == RMS_REDIS_STAGE_NONE) {
        must(rms_str_is(&reply->elements[0].str, "master"));
    }

    text_check(why);

    if (rms_redis_master(reply, &address) == RMS_OK) {
        address_check(&address);
    }

    if (rms_redis_switch(&reply->str, &name, &address) == RMS_OK) {
        address_check(&address);
        must(reply->str.data[0] == 'm');
    }

    push = rms_redis_push(reply);
    must((push.kind == RMS_REDIS_PUSH_MESSAGE) == (push.message.data != NULL));

    rms_redis_printable(why, sizeof(why), &reply->str);
    text_check(why);
}


/* The strings of an array as a command, and back. */

static void
round_trip(const rms_redis_reply_t *reply)
{
    size_t                    i;
    rms_rc_e                  rc;
    rms_str_t                 argv[RMS_REDIS_ARGS_MAX], out;
    rms_redis_reader_t       *reader;
    const rms_redis_reply_t  *back;

    if (reply->n == 0 || reply->n > RMS_REDIS_ARGS_MAX) {
        return;
    }

    for (i = 0; i < reply->n; i++) {
        argv[i] = reply->elements[i].str;
    }

    rc = rms_redis_command(argv, reply->n, &out);

    if (rc != RMS_OK) {
        must(rc == RMS_TOO_LARGE);
        return;
    }

    reader = rms_redis_reader_create(0);
    must(reader != NULL);
    must(rms_redis_reader_feed(reader, out.data, out.len) == RMS_OK);
    must(rms_redis_reader_next(reader, &back) == RMS_OK);
    must(back->type == RMS_REDIS_ARRAY && back->n == reply->n);

    for (i = 0; i < reply->n; i++) {
        must(back->elements[i].type == RMS_REDIS_STRING);
        must(rms_str_eq(&back->elements[i].str, &argv[i]));
    }

    must(rms_redis_reader_next(reader, &back) == RMS_AGAIN);

    rms_redis_reader_free(reader);
    rms_redis_command_free(&out);
}


/* Steps of a login; more answers than questions end it. */

static void
login(rms_redis_script_t *script, const rms_redis_reply_t *reply, int *over)
{
    size_t              n;
    rms_str_t           argv[RMS_REDIS_SCRIPT_ARGS];
    rms_redis_script_e  rc;

    if (*over) {
        return;
    }

    n = rms_redis_script_next(script, argv);
    must(n <= RMS_REDIS_SCRIPT_ARGS);

    rc = rms_redis_script_reply(script, reply);

    switch (rc) {

    case RMS_REDIS_SCRIPT_FAILED:
        must(script->stage > RMS_REDIS_STAGE_TLS
             && script->stage < RMS_REDIS_STAGE_MAX);
        must(script->why[0] != '\0');
        text_check(script->why);
        *over = 1;
        break;

    case RMS_REDIS_SCRIPT_READY:
        must(n != 0);
        must(rms_redis_script_next(script, argv) == 0);
        must(reply->type != RMS_REDIS_ERROR);
        *over = 1;
        break;

    default:
        must(n != 0);
    }
}


static void
run(const uint8_t *data, size_t size, size_t piece, size_t limit,
    rms_redis_use_e use, outcome_t *outcome)
{
    int                       over;
    size_t                    len, bytes;
    rms_redis_login_t         config;
    rms_redis_reader_t       *reader;
    rms_redis_script_t        script;
    const rms_redis_reply_t  *reply;

    memset(outcome, 0, sizeof(outcome_t));
    memset(&config, 0, sizeof(config));

    config.use = use;
    config.username = (rms_str_t) rms_string("u");
    config.password = (rms_str_t) rms_string("p");
    config.database = 1;
    config.probe = (rms_str_t) rms_string("k");
    config.master = (rms_str_t) rms_string("m");
    config.channels[0] = (rms_str_t) rms_string("c");
    config.n_channels = 1;

    rms_redis_script_start(&script, &config);
    over = 0;

    reader = rms_redis_reader_create(limit);
    must(reader != NULL);
    outcome->rc = RMS_AGAIN;

    while (outcome->rc == RMS_AGAIN && size) {
        len = piece < size ? piece : size;
        must(rms_redis_reader_feed(reader, data, len) == RMS_OK);
        data += len;
        size -= len;

        for ( ;; ) {
            outcome->rc = rms_redis_reader_next(reader, &reply);

            if (outcome->rc != RMS_OK) {
                break;
            }

            bytes = walk(&outcome->sums[outcome->n % REPLIES], reply, 0);
            must(bytes <= limit);
            outcome->n++;

            meaning(reply);
            round_trip(reply);
            login(&script, reply, &over);
        }

        must(outcome->rc == RMS_AGAIN || outcome->rc == RMS_INVALID
             || outcome->rc == RMS_TOO_LARGE
             || outcome->rc == RMS_UNSUPPORTED);
    }

    rms_redis_reader_free(reader);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t     piece;
    outcome_t  whole, cut;

    if (size < 2) {
        return 0;
    }

    piece = 1 + (data[0] & 0x0f);

    run(data + 1, size - 1, size, RMS_REDIS_REPLY_MAX, data[0] >> 4 & 3,
        &whole);
    run(data + 1, size - 1, piece, RMS_REDIS_REPLY_MAX, data[0] >> 4 & 3,
        &cut);

    must(memcmp(&whole, &cut, sizeof(outcome_t)) == 0);

    /* under a limit the place where it ends may differ, but it holds */

    run(data + 1, size - 1, piece, 512, 0, &cut);

    return 0;
}
