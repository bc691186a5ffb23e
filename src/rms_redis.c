/*
 * Commands, errors, roles, addresses and messages of Redis.  Pure functions,
 * any thread; hiredis formats.
 */

#include "rms_redis.h"

#include <stdio.h>

#include <hiredis/hiredis.h>
#include <openssl/crypto.h>


#define RMS_REDIS_FRAME  32     /* "$", a length, two line ends, and more */


typedef struct {
    rms_str_t           word;
    rms_redis_error_e   error;
} rms_redis_word_t;


static int rms_redis_word(rms_str_t *text, rms_str_t *word);
static rms_rc_e rms_redis_address(const rms_str_t *host, const rms_str_t *port,
    rms_redis_address_t *address);


static const rms_redis_word_t  rms_redis_words[] = {
    { rms_string("ERR"), RMS_REDIS_ERROR_ERR },
    { rms_string("NOAUTH"), RMS_REDIS_ERROR_AUTH },
    { rms_string("WRONGPASS"), RMS_REDIS_ERROR_AUTH },
    { rms_string("NOPERM"), RMS_REDIS_ERROR_NOPERM },
    { rms_string("READONLY"), RMS_REDIS_ERROR_READONLY },
    { rms_string("MOVED"), RMS_REDIS_ERROR_CLUSTER },
    { rms_string("ASK"), RMS_REDIS_ERROR_CLUSTER },
    { rms_string("CLUSTERDOWN"), RMS_REDIS_ERROR_CLUSTER },
    { rms_string("CROSSSLOT"), RMS_REDIS_ERROR_CLUSTER },
    { rms_string("TRYAGAIN"), RMS_REDIS_ERROR_CLUSTER },
    { rms_string("LOADING"), RMS_REDIS_ERROR_LOADING },
    { rms_string("MASTERDOWN"), RMS_REDIS_ERROR_MASTERDOWN },
    { rms_string("OOM"), RMS_REDIS_ERROR_OOM },
    { rms_string("BUSY"), RMS_REDIS_ERROR_BUSY },
    { rms_string("NOSCRIPT"), RMS_REDIS_ERROR_NOSCRIPT }
};


static const char  *rms_redis_stage_names[RMS_REDIS_STAGE_MAX] = {
    "", "resolve", "connect", "TLS", "auth", "role", "command", "parse"
};


rms_rc_e
rms_redis_command(const rms_str_t *argv, size_t n, rms_str_t *out)
{
    char        *command;
    size_t       i, size, lens[RMS_REDIS_ARGS_MAX];
    long long    len;           /* an int before hiredis 1.0 */
    const char  *args[RMS_REDIS_ARGS_MAX];

    if (n == 0 || n > RMS_REDIS_ARGS_MAX) {
        return n == 0 ? RMS_INVALID : RMS_TOO_LARGE;
    }

    for (size = RMS_REDIS_FRAME, i = 0; i < n; i++) {

        if (argv[i].len > RMS_REDIS_COMMAND_MAX) {
            return RMS_TOO_LARGE;
        }

        size += argv[i].len + RMS_REDIS_FRAME;
        args[i] = argv[i].len ? (const char *) argv[i].data : "";
        lens[i] = argv[i].len;
    }

    if (size > RMS_REDIS_COMMAND_MAX) {
        return RMS_TOO_LARGE;
    }

    len = redisFormatCommandArgv(&command, (int) n, args, lens);

    if (len <= 0) {
        return RMS_NOMEM;
    }

    out->data = (unsigned char *) command;
    out->len = (size_t) len;

    return RMS_OK;
}


void
rms_redis_command_free(rms_str_t *command)
{
    if (command->data != NULL) {
        OPENSSL_cleanse(command->data, command->len);
        redisFreeCommand((char *) command->data);
    }

    command->data = NULL;
    command->len = 0;
}


const char *
rms_redis_stage_name(rms_redis_stage_e stage)
{
    return (unsigned) stage < RMS_REDIS_STAGE_MAX
           ? rms_redis_stage_names[stage] : "";
}


rms_redis_error_e
rms_redis_error(const rms_redis_reply_t *reply)
{
    size_t     i;
    rms_str_t  text, word;

    text = reply->str;
    (void) rms_redis_word(&text, &word);

    for (i = 0; i < sizeof(rms_redis_words) / sizeof(rms_redis_words[0]); i++) {
        if (rms_str_eq(&rms_redis_words[i].word, &word)) {
            return rms_redis_words[i].error;
        }
    }

    return RMS_REDIS_ERROR_OTHER;
}


rms_redis_stage_e
rms_redis_judge(const rms_redis_reply_t *reply, char *text)
{
    const char         *why;
    rms_redis_stage_e   stage;

    if (reply->type != RMS_REDIS_ERROR) {
        return RMS_REDIS_STAGE_NONE;
    }

    switch (rms_redis_error(reply)) {

    case RMS_REDIS_ERROR_AUTH:
        stage = RMS_REDIS_STAGE_AUTH;
        why = "the server does not know us any more";
        break;

    case RMS_REDIS_ERROR_READONLY:
        stage = RMS_REDIS_STAGE_ROLE;
        why = "the server is a replica now";
        break;

    case RMS_REDIS_ERROR_MASTERDOWN:
        stage = RMS_REDIS_STAGE_ROLE;
        why = "the server is a replica and has lost its master";
        break;

    case RMS_REDIS_ERROR_CLUSTER:
        stage = RMS_REDIS_STAGE_COMMAND;
        why = "Redis Cluster is not supported yet";
        break;

    case RMS_REDIS_ERROR_LOADING:
        stage = RMS_REDIS_STAGE_COMMAND;
        why = "the server is loading its data";
        break;

    default:
        return RMS_REDIS_STAGE_NONE;
    }

    (void) snprintf(text, RMS_REDIS_TEXT, "%s", why);

    return stage;
}


rms_redis_stage_e
rms_redis_role(const rms_redis_reply_t *reply, char *text)
{
    const rms_str_t  *role;

    if (reply->type != RMS_REDIS_ARRAY || reply->n == 0
        || reply->elements[0].type != RMS_REDIS_STRING)
    {
        (void) snprintf(text, RMS_REDIS_TEXT,
                        "the answer to ROLE is not that of Redis");
        return RMS_REDIS_STAGE_PARSE;
    }

    role = &reply->elements[0].str;

    if (rms_str_is(role, "master")) {
        return RMS_REDIS_STAGE_NONE;
    }

    (void) snprintf(text, RMS_REDIS_TEXT, "%s",
                    rms_str_is(role, "slave") ? "the server is a replica"
                    : rms_str_is(role, "sentinel")
                      ? "the server is a Sentinel; name it with \"sentinel\" "
                        "instead of \"server\""
                      : "the server has a role that is not known");

    return RMS_REDIS_STAGE_ROLE;
}


rms_rc_e
rms_redis_master(const rms_redis_reply_t *reply, rms_redis_address_t *address)
{
    if (reply->type == RMS_REDIS_NIL) {
        return RMS_DECLINED;
    }

    if (reply->type != RMS_REDIS_ARRAY || reply->n != 2
        || reply->elements[0].type != RMS_REDIS_STRING
        || reply->elements[1].type != RMS_REDIS_STRING)
    {
        return RMS_INVALID;
    }

    return rms_redis_address(&reply->elements[0].str, &reply->elements[1].str,
                             address);
}


/* "name old-host old-port new-host new-port" */

rms_rc_e
rms_redis_switch(const rms_str_t *message, const rms_str_t *name,
    rms_redis_address_t *address)
{
    size_t     i;
    rms_str_t  rest, word[5];

    rest = *message;

    for (i = 0; i < 5; i++) {
        if (!rms_redis_word(&rest, &word[i])) {
            return RMS_INVALID;
        }
    }

    if (rest.len != 0) {
        return RMS_INVALID;
    }

    if (!rms_str_eq(&word[0], name)) {
        return RMS_DECLINED;
    }

    return rms_redis_address(&word[3], &word[4], address);
}


rms_redis_push_t
rms_redis_push(const rms_redis_reply_t *reply)
{
    const rms_str_t   *kind;
    rms_redis_push_t   push;

    memset(&push, 0, sizeof(push));

    if (reply->type != RMS_REDIS_ARRAY || reply->n < 2
        || reply->elements[0].type != RMS_REDIS_STRING
        || reply->elements[1].type != RMS_REDIS_STRING)
    {
        return push;
    }

    kind = &reply->elements[0].str;
    push.channel = reply->elements[1].str;

    if (reply->n == 2 && rms_str_is(kind, "pong")) {
        push.kind = RMS_REDIS_PUSH_PONG;

    } else if (reply->n == 3 && rms_str_is(kind, "message")
               && reply->elements[2].type == RMS_REDIS_STRING)
    {
        push.kind = RMS_REDIS_PUSH_MESSAGE;
        push.message = reply->elements[2].str;

    } else if (reply->n == 3 && rms_str_is(kind, "subscribe")
               && reply->elements[2].type == RMS_REDIS_INTEGER)
    {
        push.kind = RMS_REDIS_PUSH_SUBSCRIBED;
    }

    return push;
}


void
rms_redis_printable(char *dst, size_t size, const rms_str_t *src)
{
    size_t         i;
    unsigned char  c;

    for (i = 0; i < src->len && i + 1 < size; i++) {
        c = src->data[i];
        dst[i] = (char) (c >= 0x20 && c < 0x7f && c != '"' && c != '\\'
                         ? c : '?');
    }

    dst[i] = '\0';
}


/* Takes a word and the blank behind it off the text; 0: there is none. */

static int
rms_redis_word(rms_str_t *text, rms_str_t *word)
{
    size_t  len;

    for (len = 0; len < text->len && text->data[len] != ' '; len++) {
        /* void */
    }

    word->data = text->data;
    word->len = len;

    if (text->len == 0) {
        return 0;
    }

    if (len < text->len) {
        len++;
    }

    text->data += len;
    text->len -= len;

    return word->len != 0;
}


static rms_rc_e
rms_redis_address(const rms_str_t *host, const rms_str_t *port,
    rms_redis_address_t *address)
{
    size_t    i;
    unsigned  n;

    if (host->len == 0 || host->len > sizeof(address->host)
        || port->len == 0 || port->len > 5)
    {
        return RMS_INVALID;
    }

    /* a letter, a digit, or what stands in names and in IPv6 addresses */

    for (i = 0; i < host->len; i++) {
        if (strchr("abcdefghijklmnopqrstuvwxyz0123456789.-_:%",
                   rms_lower(host->data[i])) == NULL
            || host->data[i] == '\0')
        {
            return RMS_INVALID;
        }
    }

    for (n = 0, i = 0; i < port->len; i++) {
        if (port->data[i] < '0' || port->data[i] > '9') {
            return RMS_INVALID;
        }

        n = n * 10 + (unsigned) (port->data[i] - '0');
    }

    if (n == 0 || n > 65535) {
        return RMS_INVALID;
    }

    memcpy(address->host, host->data, host->len);
    address->len = host->len;
    address->port = n;

    return RMS_OK;
}
