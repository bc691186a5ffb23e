/*
 * Redis without a socket: commands, replies under bounds, what a server's
 * words mean, the steps of a login, and when to try again.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rms_redis.h"
#include "rms_redis_breaker.h"
#include "rms_redis_reader.h"
#include "rms_redis_script.h"


static rms_str_t
str(const char *s)
{
    rms_str_t  r;

    r.data = (unsigned char *) s;
    r.len = strlen(s);

    return r;
}


/* The reply that text is; it lives as long as the reader. */

static const rms_redis_reply_t *
reply_of(rms_redis_reader_t *reader, const char *text)
{
    const rms_redis_reply_t  *reply;

    assert_int_equal(rms_redis_reader_feed(reader,
                                           (const unsigned char *) text,
                                           strlen(text)), RMS_OK);
    assert_int_equal(rms_redis_reader_next(reader, &reply), RMS_OK);

    return reply;
}


static rms_redis_reply_t
error_of(const char *text)
{
    rms_redis_reply_t  reply;

    memset(&reply, 0, sizeof(reply));
    reply.type = RMS_REDIS_ERROR;
    reply.str = str(text);

    return reply;
}


static void
assert_str(const rms_str_t *s, const char *want)
{
    assert_int_equal(s->len, strlen(want));
    assert_memory_equal(s->data, want, s->len);
}


static void
a_command_keeps_every_byte_of_its_arguments(void **state)
{
    rms_str_t    argv[3], out;
    static char  zeroes[] = "a\0\r\n";

    (void) state;

    argv[0] = str("SET");
    argv[1].data = (unsigned char *) zeroes;
    argv[1].len = 4;
    argv[2].data = NULL;
    argv[2].len = 0;

    assert_int_equal(rms_redis_command(argv, 3, &out), RMS_OK);
    assert_int_equal(out.len, 29);
    assert_memory_equal(out.data,
                        "*3\r\n$3\r\nSET\r\n$4\r\na\0\r\n\r\n$0\r\n\r\n",
                        out.len);

    rms_redis_command_free(&out);
    assert_null(out.data);
}


static void
a_command_is_bounded(void **state)
{
    size_t         i;
    rms_str_t      argv[RMS_REDIS_ARGS_MAX + 1], out;
    unsigned char *large;

    (void) state;

    for (i = 0; i <= RMS_REDIS_ARGS_MAX; i++) {
        argv[i] = str("x");
    }

    assert_int_equal(rms_redis_command(argv, 0, &out), RMS_INVALID);
    assert_int_equal(rms_redis_command(argv, RMS_REDIS_ARGS_MAX + 1, &out),
                     RMS_TOO_LARGE);

    large = calloc(1, RMS_REDIS_COMMAND_MAX);
    assert_non_null(large);

    argv[1].data = large;
    argv[1].len = RMS_REDIS_COMMAND_MAX;
    assert_int_equal(rms_redis_command(argv, 2, &out), RMS_TOO_LARGE);

    argv[1].len = SIZE_MAX;
    assert_int_equal(rms_redis_command(argv, 2, &out), RMS_TOO_LARGE);

    argv[1].len = RMS_REDIS_COMMAND_MAX / 2;
    argv[2] = argv[1];
    assert_int_equal(rms_redis_command(argv, 3, &out), RMS_TOO_LARGE);

    assert_int_equal(rms_redis_command(argv, 2, &out), RMS_OK);
    rms_redis_command_free(&out);
    free(large);
}


static void
every_type_of_reply_is_read(void **state)
{
    rms_redis_reader_t       *reader;
    const rms_redis_reply_t  *reply;

    (void) state;

    reader = rms_redis_reader_create(0);
    assert_non_null(reader);

    reply = reply_of(reader, "+OK\r\n");
    assert_int_equal(reply->type, RMS_REDIS_STATUS);
    assert_str(&reply->str, "OK");

    reply = reply_of(reader, "-ERR no\r\n");
    assert_int_equal(reply->type, RMS_REDIS_ERROR);
    assert_str(&reply->str, "ERR no");

    reply = reply_of(reader, ":-9223372036854775808\r\n");
    assert_int_equal(reply->type, RMS_REDIS_INTEGER);
    assert_true(reply->integer == INT64_MIN);

    reply = reply_of(reader, "$-1\r\n");
    assert_int_equal(reply->type, RMS_REDIS_NIL);

    reply = reply_of(reader, "$0\r\n\r\n");
    assert_int_equal(reply->type, RMS_REDIS_STRING);
    assert_int_equal(reply->str.len, 0);

    reply = reply_of(reader, "*0\r\n");
    assert_int_equal(reply->type, RMS_REDIS_ARRAY);
    assert_int_equal(reply->n, 0);

    reply = reply_of(reader, "*-1\r\n");
    assert_int_equal(reply->type, RMS_REDIS_NIL);

    reply = reply_of(reader, "*3\r\n$2\r\nab\r\n*2\r\n:1\r\n$-1\r\n:7\r\n");
    assert_int_equal(reply->type, RMS_REDIS_ARRAY);
    assert_int_equal(reply->n, 3);
    assert_str(&reply->elements[0].str, "ab");
    assert_int_equal(reply->elements[1].type, RMS_REDIS_ARRAY);
    assert_int_equal(reply->elements[1].n, 2);
    assert_int_equal(reply->elements[1].elements[0].integer, 1);
    assert_int_equal(reply->elements[1].elements[1].type, RMS_REDIS_NIL);
    assert_int_equal(reply->elements[2].integer, 7);

    rms_redis_reader_free(reader);
    rms_redis_reader_free(NULL);
}


static void
replies_come_whole_however_the_bytes_are_cut(void **state)
{
    int                       n;
    size_t                    i;
    rms_rc_e                  rc;
    rms_redis_reader_t       *reader;
    const rms_redis_reply_t  *reply;
    static const char         bytes[] = "*2\r\n$3\r\nabc\r\n:12\r\n+OK\r\n"
                                        "$5\r\n12345\r\n";

    (void) state;

    reader = rms_redis_reader_create(0);
    n = 0;

    for (i = 0; i < sizeof(bytes) - 1; i++) {
        assert_int_equal(rms_redis_reader_feed(reader,
                                    (const unsigned char *) bytes + i, 1),
                         RMS_OK);

        rc = rms_redis_reader_next(reader, &reply);

        if (rc == RMS_AGAIN) {
            continue;
        }

        assert_int_equal(rc, RMS_OK);
        n++;

        assert_int_equal(i + 1, n == 1 ? 18 : n == 2 ? 23 : 34);

        if (n == 1) {
            assert_int_equal(reply->n, 2);
            assert_int_equal(reply->elements[0].type, RMS_REDIS_STRING);
            assert_str(&reply->elements[0].str, "abc");
            assert_int_equal(reply->elements[1].integer, 12);
        }
    }

    assert_int_equal(n, 3);
    assert_str(&reply->str, "12345");
    rms_redis_reader_free(reader);
}


/* What a reader of so many bytes says to text. */

static rms_rc_e
refusal(const char *text, size_t limit)
{
    rms_rc_e                  rc;
    rms_redis_reader_t       *reader;
    const rms_redis_reply_t  *reply;

    reader = rms_redis_reader_create(limit);
    assert_non_null(reader);
    assert_int_equal(rms_redis_reader_feed(reader,
                                           (const unsigned char *) text,
                                           strlen(text)), RMS_OK);

    rc = rms_redis_reader_next(reader, &reply);

    if (rc != RMS_OK && rc != RMS_AGAIN) {
        assert_true(strlen(rms_redis_reader_error(reader)) > 5);

        /* for good, whatever comes */

        assert_int_equal(rms_redis_reader_feed(reader,
                                        (const unsigned char *) "+OK\r\n", 5),
                         RMS_OK);
        assert_int_equal(rms_redis_reader_next(reader, &reply), rc);
    }

    rms_redis_reader_free(reader);

    return rc;
}


static void
what_is_not_redis_is_refused(void **state)
{
    (void) state;

    assert_int_equal(refusal("HTTP/1.1 400 Bad Request\r\n\r\n", 0),
                     RMS_INVALID);
    assert_int_equal(refusal("\x15\x03\x01\x00\x02\x02\x50", 0), RMS_INVALID);
    assert_int_equal(refusal("$x\r\n", 0), RMS_INVALID);
    assert_int_equal(refusal("$-2\r\n", 0), RMS_INVALID);
    assert_int_equal(refusal(":12a\r\n", 0), RMS_INVALID);
    assert_int_equal(refusal("*-2\r\n", 0), RMS_INVALID);
    assert_int_equal(refusal("*1\r\n!\r\n", 0), RMS_INVALID);
}


static void
resp3_is_refused(void **state)
{
    static const char  *unasked[] = {
        "_\r\n", "#t\r\n", ",3.14\r\n", "%1\r\n+a\r\n:1\r\n", "~1\r\n:1\r\n",
        ">2\r\n+invalidate\r\n:1\r\n", "(123\r\n", "=7\r\ntxt:abc\r\n",
        "*1\r\n_\r\n"
    };

    rms_rc_e  rc;
    size_t    i;

    (void) state;

    /* before 1.0 hiredis does not know it, and after does */

    for (i = 0; i < sizeof(unasked) / sizeof(unasked[0]); i++) {
        rc = refusal(unasked[i], 0);
        assert_true(rc == RMS_INVALID || rc == RMS_UNSUPPORTED
                    || (rc == RMS_OK && strstr(unasked[i], "_\r\n")));
    }
}


static void
elements_are_refused_before_memory_is_taken(void **state)
{
    char  text[64];

    (void) state;

    assert_int_equal(refusal("*2147483647\r\n", 0), RMS_TOO_LARGE);
    assert_int_equal(refusal("*16385\r\n", 0), RMS_TOO_LARGE);
    assert_int_equal(refusal("*16384\r\n", 0), RMS_AGAIN);

    /* in all, not in one array */

    assert_int_equal(refusal("*2\r\n*16382\r\n", 0), RMS_AGAIN);
    assert_int_equal(refusal("*2\r\n*16383\r\n", 0), RMS_TOO_LARGE);

    /* and as bytes */

    (void) snprintf(text, sizeof(text), "*%u\r\n",
                    (unsigned) (65536 / sizeof(rms_redis_reply_t)) + 1);
    assert_int_equal(refusal(text, 65536), RMS_TOO_LARGE);
}


static void
depth_is_bounded(void **state)
{
    (void) state;

    assert_int_equal(refusal("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n", 0),
                     RMS_OK);
    assert_int_equal(refusal("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n", 0),
                     RMS_TOO_LARGE);
}


static void
bytes_are_bounded_whole_and_in_pieces(void **state)
{
    size_t                    fed;
    rms_rc_e                  rc;
    rms_redis_reader_t       *reader;
    const rms_redis_reply_t  *reply;
    static unsigned char      piece[4096];

    (void) state;

    assert_int_equal(refusal("$20\r\n01234567890123456789\r\n", 20),
                     RMS_TOO_LARGE);
    assert_int_equal(refusal("$20\r\n01234567890123456789\r\n", 64), RMS_OK);

    /* a string that never ends, and a line that does not */

    for (int line = 0; line < 2; line++) {
        reader = rms_redis_reader_create(65536);
        memset(piece, 'x', sizeof(piece));
        memcpy(piece, line ? "+" : "$99999999\r\n", line ? 1 : 11);

        for (fed = 0; fed < 1024 * 1024; fed += sizeof(piece)) {
            assert_int_equal(rms_redis_reader_feed(reader, piece,
                                                   sizeof(piece)), RMS_OK);
            rc = rms_redis_reader_next(reader, &reply);

            if (rc != RMS_AGAIN) {
                break;
            }

            memset(piece, 'x', sizeof(piece));
        }

        assert_int_equal(rc, RMS_TOO_LARGE);
        assert_in_range(fed, 60000, 70000);
        rms_redis_reader_free(reader);
    }
}


static void
small_replies_after_a_large_one_are_read(void **state)
{
    size_t                    i, n;
    unsigned char            *text;
    rms_redis_reader_t       *reader;
    const rms_redis_reply_t  *reply;

    (void) state;

    n = 1024 * 1024;
    text = malloc(n + 32);
    assert_non_null(text);
    reader = rms_redis_reader_create(0);

    for (i = 0; i < 20; i++) {
        memcpy(text, "$1048576\r\n", 10);
        memset(text + 10, 'v', n);
        memcpy(text + 10 + n, "\r\n+OK\r\n", 7);

        assert_int_equal(rms_redis_reader_feed(reader, text, n + 17), RMS_OK);
        assert_int_equal(rms_redis_reader_next(reader, &reply), RMS_OK);
        assert_int_equal(reply->str.len, n);
        assert_int_equal(rms_redis_reader_next(reader, &reply), RMS_OK);
        assert_str(&reply->str, "OK");
        assert_int_equal(rms_redis_reader_next(reader, &reply), RMS_AGAIN);
    }

    rms_redis_reader_free(reader);
    free(text);
}


static void
errors_are_told_apart_by_their_first_word(void **state)
{
    static const struct {
        const char         *text;
        rms_redis_error_e   error;
    } said[] = {
        { "ERR unknown command", RMS_REDIS_ERROR_ERR },
        { "NOAUTH Authentication required.", RMS_REDIS_ERROR_AUTH },
        { "WRONGPASS invalid username-password pair", RMS_REDIS_ERROR_AUTH },
        { "NOPERM this user has no permissions", RMS_REDIS_ERROR_NOPERM },
        { "READONLY You can't write", RMS_REDIS_ERROR_READONLY },
        { "MOVED 3999 127.0.0.1:6381", RMS_REDIS_ERROR_CLUSTER },
        { "ASK 3999 127.0.0.1:6381", RMS_REDIS_ERROR_CLUSTER },
        { "CLUSTERDOWN Hash slot not served", RMS_REDIS_ERROR_CLUSTER },
        { "CROSSSLOT Keys in request", RMS_REDIS_ERROR_CLUSTER },
        { "LOADING Redis is loading", RMS_REDIS_ERROR_LOADING },
        { "MASTERDOWN Link with MASTER is down", RMS_REDIS_ERROR_MASTERDOWN },
        { "OOM command not allowed", RMS_REDIS_ERROR_OOM },
        { "BUSY Redis is busy", RMS_REDIS_ERROR_BUSY },
        { "NOSCRIPT No matching script", RMS_REDIS_ERROR_NOSCRIPT },
        { "NOSCRIPTS", RMS_REDIS_ERROR_OTHER },
        { "", RMS_REDIS_ERROR_OTHER },
        { " ERR", RMS_REDIS_ERROR_OTHER }
    };

    size_t             i;
    rms_redis_reply_t  reply;

    (void) state;

    for (i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
        reply = error_of(said[i].text);
        assert_int_equal(rms_redis_error(&reply), said[i].error);
    }
}


static void
a_server_is_left_for_what_it_says_of_itself(void **state)
{
    static const struct {
        const char         *text;
        rms_redis_stage_e   stage;
        const char         *why;
    } said[] = {
        { "READONLY no", RMS_REDIS_STAGE_ROLE, "replica" },
        { "MASTERDOWN no", RMS_REDIS_STAGE_ROLE, "lost its master" },
        { "MOVED 1 10.0.0.1:6379", RMS_REDIS_STAGE_COMMAND,
          "Redis Cluster is not supported yet" },
        { "LOADING x", RMS_REDIS_STAGE_COMMAND, "loading" },
        { "NOAUTH x", RMS_REDIS_STAGE_AUTH, "" },
        { "OOM x", RMS_REDIS_STAGE_NONE, NULL },
        { "ERR x", RMS_REDIS_STAGE_NONE, NULL },
        { "NOPERM x", RMS_REDIS_STAGE_NONE, NULL }
    };

    char               why[RMS_REDIS_TEXT];
    size_t             i;
    rms_redis_reply_t  reply;

    (void) state;

    for (i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
        reply = error_of(said[i].text);
        assert_int_equal(rms_redis_judge(&reply, why), said[i].stage);

        if (said[i].why) {
            assert_non_null(strstr(why, said[i].why));

            /* an address out of an error goes nowhere */

            assert_null(strstr(why, "10.0.0.1"));
        }
    }

    reply = error_of("MOVED");
    reply.type = RMS_REDIS_STRING;
    assert_int_equal(rms_redis_judge(&reply, why), RMS_REDIS_STAGE_NONE);
}


static void
only_a_master_is_one(void **state)
{
    static const struct {
        const char         *text;
        rms_redis_stage_e   stage;
    } said[] = {
        { "*3\r\n$6\r\nmaster\r\n:1\r\n*1\r\n*3\r\n$1\r\na\r\n$1\r\n1\r\n"
          "$1\r\n2\r\n", RMS_REDIS_STAGE_NONE },
        { "*5\r\n$5\r\nslave\r\n$1\r\na\r\n:1\r\n$9\r\nconnected\r\n:1\r\n",
          RMS_REDIS_STAGE_ROLE },
        { "*2\r\n$8\r\nsentinel\r\n*1\r\n$1\r\nm\r\n", RMS_REDIS_STAGE_ROLE },
        { "*1\r\n$6\r\nmasteR\r\n", RMS_REDIS_STAGE_ROLE },
        { "*0\r\n", RMS_REDIS_STAGE_PARSE },
        { "*1\r\n:1\r\n", RMS_REDIS_STAGE_PARSE },
        { "+master\r\n", RMS_REDIS_STAGE_PARSE }
    };

    char                 why[RMS_REDIS_TEXT];
    size_t               i;
    rms_redis_reader_t  *reader;

    (void) state;

    reader = rms_redis_reader_create(0);

    for (i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
        assert_int_equal(rms_redis_role(reply_of(reader, said[i].text), why),
                         said[i].stage);
    }

    rms_redis_reader_free(reader);
}


static void
a_sentinel_names_the_master(void **state)
{
    rms_str_t             name, message;
    rms_redis_address_t   address;
    rms_redis_reader_t   *reader;

    (void) state;

    reader = rms_redis_reader_create(0);

    assert_int_equal(rms_redis_master(reply_of(reader,
                         "*2\r\n$8\r\n10.0.0.1\r\n$4\r\n6379\r\n"), &address),
                     RMS_OK);
    assert_int_equal(address.len, 8);
    assert_memory_equal(address.host, "10.0.0.1", 8);
    assert_int_equal(address.port, 6379);

    assert_int_equal(rms_redis_master(reply_of(reader, "*-1\r\n"), &address),
                     RMS_DECLINED);
    assert_int_equal(rms_redis_master(reply_of(reader,
                         "*2\r\n$8\r\n10.0.0.1\r\n:6379\r\n"), &address),
                     RMS_INVALID);
    assert_int_equal(rms_redis_master(reply_of(reader,
                         "*2\r\n$8\r\n10.0.0.1\r\n$5\r\n65536\r\n"), &address),
                     RMS_INVALID);
    assert_int_equal(rms_redis_master(reply_of(reader,
                         "*2\r\n$8\r\n10.0.0/1\r\n$1\r\n1\r\n"), &address),
                     RMS_INVALID);

    name = str("rms");
    message = str("rms 10.0.0.1 6379 fd00::2 6380");
    assert_int_equal(rms_redis_switch(&message, &name, &address), RMS_OK);
    assert_int_equal(address.len, 7);
    assert_memory_equal(address.host, "fd00::2", 7);
    assert_int_equal(address.port, 6380);

    message = str("other 10.0.0.1 6379 10.0.0.2 6380");
    assert_int_equal(rms_redis_switch(&message, &name, &address),
                     RMS_DECLINED);

    static const char  *wrong[] = {
        "", "rms", "rms 10.0.0.1 6379 10.0.0.2", "rms a 1 b 2 c",
        "rms a 1 b 0", "rms a 1 b x", "rms a 1  b 2", "rms a 1 b\n 2"
    };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        message = str(wrong[i]);
        assert_int_equal(rms_redis_switch(&message, &name, &address),
                         RMS_INVALID);
    }

    rms_redis_reader_free(reader);
}


static void
messages_are_told_from_the_rest(void **state)
{
    rms_redis_push_t     push;
    rms_redis_reader_t  *reader;

    (void) state;

    reader = rms_redis_reader_create(0);

    push = rms_redis_push(reply_of(reader, "*3\r\n$7\r\nmessage\r\n$2\r\nch\r\n"
                                           "$3\r\nabc\r\n"));
    assert_int_equal(push.kind, RMS_REDIS_PUSH_MESSAGE);
    assert_str(&push.channel, "ch");
    assert_str(&push.message, "abc");

    push = rms_redis_push(reply_of(reader, "*2\r\n$4\r\npong\r\n$0\r\n\r\n"));
    assert_int_equal(push.kind, RMS_REDIS_PUSH_PONG);

    push = rms_redis_push(reply_of(reader, "*3\r\n$9\r\nsubscribe\r\n"
                                           "$2\r\nch\r\n:1\r\n"));
    assert_int_equal(push.kind, RMS_REDIS_PUSH_SUBSCRIBED);

    push = rms_redis_push(reply_of(reader, "+PONG\r\n"));
    assert_int_equal(push.kind, RMS_REDIS_PUSH_INVALID);
    push = rms_redis_push(reply_of(reader, "*3\r\n$7\r\nmessage\r\n$2\r\nch\r\n"
                                           ":1\r\n"));
    assert_int_equal(push.kind, RMS_REDIS_PUSH_INVALID);
    push = rms_redis_push(reply_of(reader, "*2\r\n$7\r\nmessage\r\n"
                                           "$2\r\nch\r\n"));
    assert_int_equal(push.kind, RMS_REDIS_PUSH_INVALID);

    rms_redis_reader_free(reader);
}


/* What the script sends, in one string. */

static const char *
said(rms_redis_script_t *script)
{
    size_t       i, n, len;
    rms_str_t    argv[RMS_REDIS_SCRIPT_ARGS];
    static char  text[512];

    n = rms_redis_script_next(script, argv);

    for (len = 0, i = 0; i < n; i++) {
        memcpy(text + len, argv[i].data, argv[i].len);
        len += argv[i].len;
        text[len++] = ' ';
    }

    text[len ? len - 1 : 0] = '\0';

    return text;
}


static rms_redis_script_e
answered(rms_redis_script_t *script, const char *text)
{
    rms_redis_script_e   rc;
    rms_redis_reader_t  *reader;

    reader = rms_redis_reader_create(0);
    rc = rms_redis_script_reply(script, reply_of(reader, text));
    rms_redis_reader_free(reader);

    return rc;
}


#define MASTER  "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n"


static rms_redis_login_t
login_full(void)
{
    rms_redis_login_t  login;

    memset(&login, 0, sizeof(login));
    login.username = str("rms");
    login.password = str("sesame");
    login.database = 3;
    login.probe = str("rms:v1:");

    return login;
}


static void
a_login_goes_step_by_step(void **state)
{
    rms_redis_login_t   login;
    rms_redis_script_t  script;

    (void) state;

    login = login_full();
    rms_redis_script_start(&script, &login);

    assert_string_equal(said(&script), "AUTH rms sesame");
    assert_int_equal(answered(&script, "+OK\r\n"), RMS_REDIS_SCRIPT_NEXT);
    assert_string_equal(said(&script), "SELECT 3");
    assert_int_equal(answered(&script, "+OK\r\n"), RMS_REDIS_SCRIPT_NEXT);
    assert_string_equal(said(&script), "ROLE");
    assert_int_equal(answered(&script, MASTER), RMS_REDIS_SCRIPT_NEXT);
    assert_string_equal(said(&script), "EXISTS rms:v1:");
    assert_int_equal(answered(&script, ":0\r\n"), RMS_REDIS_SCRIPT_READY);
    assert_string_equal(said(&script), "");

    /* without a password, in the first database */

    memset(&login, 0, sizeof(login));
    rms_redis_script_start(&script, &login);
    assert_string_equal(said(&script), "ROLE");
    assert_int_equal(answered(&script, MASTER), RMS_REDIS_SCRIPT_READY);

    /* the default user */

    login.password = str("sesame");
    rms_redis_script_start(&script, &login);
    assert_string_equal(said(&script), "AUTH sesame");
}


static void
a_login_fails_where_it_fails(void **state)
{
    static const struct {
        size_t              steps;      /* done before */
        const char         *answer;
        rms_redis_stage_e   stage;
        const char         *why;
    } cases[] = {
        { 0, "-WRONGPASS invalid\r\n", RMS_REDIS_STAGE_AUTH, "refuses this" },
        { 0, "-ERR AUTH sesame called\r\n", RMS_REDIS_STAGE_AUTH,
          "refuses AUTH" },
        { 0, "-sesame\r\n", RMS_REDIS_STAGE_AUTH, "refuses AUTH" },
        { 0, ":1\r\n", RMS_REDIS_STAGE_PARSE, "answer to AUTH" },
        { 1, "-ERR DB index\r\n", RMS_REDIS_STAGE_COMMAND,
          "SELECT: ERR DB index" },
        { 1, "-NOAUTH x\r\n", RMS_REDIS_STAGE_AUTH, "password_file" },
        { 1, ":1\r\n", RMS_REDIS_STAGE_PARSE, "answer to SELECT" },
        { 2, "*1\r\n$5\r\nslave\r\n", RMS_REDIS_STAGE_ROLE, "replica" },
        { 2, "-NOPERM x\r\n", RMS_REDIS_STAGE_AUTH, "may not ROLE" },
        { 2, "+master\r\n", RMS_REDIS_STAGE_PARSE, "ROLE" },
        { 3, "-MOVED 1 a:1\r\n", RMS_REDIS_STAGE_COMMAND, "Cluster" },
        { 3, "-LOADING x\r\n", RMS_REDIS_STAGE_COMMAND, "loading" },
        { 3, "-MASTERDOWN x\r\n", RMS_REDIS_STAGE_ROLE, "replica" },
        { 3, "-ERR \"odd\"\x01\r\n", RMS_REDIS_STAGE_COMMAND, "ERR ?odd??" },
        { 3, "+OK\r\n", RMS_REDIS_STAGE_PARSE, "answer to EXISTS" },
        { 4, ":0\r\n", RMS_REDIS_STAGE_PARSE, "not asked" }
    };

    static const char  *good[] = { "+OK\r\n", "+OK\r\n", MASTER, ":0\r\n" };

    size_t              i, k;
    rms_redis_login_t   login;
    rms_redis_script_t  script;

    (void) state;

    login = login_full();

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        rms_redis_script_start(&script, &login);

        for (k = 0; k < cases[i].steps; k++) {
            (void) said(&script);
            assert_int_equal(answered(&script, good[k]),
                             k == 3 ? RMS_REDIS_SCRIPT_READY
                                    : RMS_REDIS_SCRIPT_NEXT);
        }

        assert_int_equal(answered(&script, cases[i].answer),
                         RMS_REDIS_SCRIPT_FAILED);
        assert_int_equal(script.stage, cases[i].stage);
        assert_non_null(strstr(script.why, cases[i].why));

        /* what a server repeats of a password is not told */

        assert_null(strstr(script.why, "sesame"));
    }
}


static void
a_sentinel_is_asked_and_listened_to(void **state)
{
    rms_redis_login_t   login;
    rms_redis_script_t  script;

    (void) state;

    login = login_full();
    login.use = RMS_REDIS_SENTINEL;
    login.master = str("mymaster");

    rms_redis_script_start(&script, &login);
    assert_string_equal(said(&script),
                        "SENTINEL get-master-addr-by-name mymaster");
    assert_int_equal(answered(&script, "*2\r\n$1\r\na\r\n$1\r\n1\r\n"),
                     RMS_REDIS_SCRIPT_NEXT);
    assert_int_equal(script.address.port, 1);
    assert_string_equal(said(&script), "SUBSCRIBE +switch-master");
    assert_int_equal(answered(&script, "*3\r\n$9\r\nsubscribe\r\n"
                              "$14\r\n+switch-master\r\n:1\r\n"),
                     RMS_REDIS_SCRIPT_READY);

    rms_redis_script_start(&script, &login);
    (void) said(&script);
    assert_int_equal(answered(&script, "*-1\r\n"), RMS_REDIS_SCRIPT_FAILED);
    assert_int_equal(script.stage, RMS_REDIS_STAGE_ROLE);
    assert_non_null(strstr(script.why, "\"mymaster\""));
}


static void
a_sentinel_is_told_the_password_when_it_wants_one(void **state)
{
    rms_redis_login_t   login;
    rms_redis_script_t  script;

    (void) state;

    login = login_full();
    login.use = RMS_REDIS_SENTINEL;
    login.master = str("m");

    rms_redis_script_start(&script, &login);
    assert_string_equal(said(&script), "SENTINEL get-master-addr-by-name m");
    assert_int_equal(answered(&script, "-NOAUTH x\r\n"),
                     RMS_REDIS_SCRIPT_NEXT);
    assert_string_equal(said(&script), "AUTH rms sesame");
    assert_int_equal(answered(&script, "+OK\r\n"), RMS_REDIS_SCRIPT_NEXT);
    assert_string_equal(said(&script), "SENTINEL get-master-addr-by-name m");

    /* once */

    assert_int_equal(answered(&script, "-NOAUTH x\r\n"),
                     RMS_REDIS_SCRIPT_FAILED);
    assert_int_equal(script.stage, RMS_REDIS_STAGE_AUTH);
}


static void
channels_are_ready_when_all_are_confirmed(void **state)
{
    rms_redis_login_t   login;
    rms_redis_script_t  script;

    (void) state;

    memset(&login, 0, sizeof(login));
    login.use = RMS_REDIS_CHANNELS;
    login.channels[0] = str("a");
    login.channels[1] = str("b");
    login.n_channels = 2;

    rms_redis_script_start(&script, &login);
    assert_string_equal(said(&script), "SUBSCRIBE a b");
    assert_int_equal(answered(&script, "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n"
                              ":1\r\n"), RMS_REDIS_SCRIPT_WAIT);
    assert_int_equal(answered(&script, "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n"
                              "$1\r\nx\r\n"), RMS_REDIS_SCRIPT_WAIT);
    assert_int_equal(answered(&script, "*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n"
                              ":2\r\n"), RMS_REDIS_SCRIPT_READY);

    rms_redis_script_start(&script, &login);
    (void) said(&script);
    assert_int_equal(answered(&script, "-NOPERM channel\r\n"),
                     RMS_REDIS_SCRIPT_FAILED);
    assert_non_null(strstr(script.why, "may not SUBSCRIBE"));
}


static void
the_wait_between_tries_doubles_up_to_a_limit(void **state)
{
    unsigned             i, most, delay;
    rms_redis_breaker_t  breaker, copy;

    (void) state;

    memset(&breaker, 0, sizeof(breaker));
    assert_int_equal(breaker.state, RMS_REDIS_OPEN);

    for (i = 0, most = RMS_REDIS_DELAY_MIN; i < 12; i++) {
        rms_redis_breaker_try(&breaker);
        assert_int_equal(breaker.state, RMS_REDIS_HALF_OPEN);

        /* the most it can be, and the least */

        copy = breaker;
        assert_int_equal(rms_redis_breaker_failed(&copy, i, most), 1);

        delay = rms_redis_breaker_failed(&breaker, i, most - 1);
        assert_int_equal(delay, most);
        assert_int_equal(breaker.state, RMS_REDIS_OPEN);

        most = most * 2 > RMS_REDIS_DELAY_MAX ? RMS_REDIS_DELAY_MAX : most * 2;
    }
}


static void
the_wait_is_any_part_of_its_time(void **state)
{
    uint32_t             random;
    unsigned             delay;
    rms_redis_breaker_t  breaker, tired;

    (void) state;

    memset(&tired, 0, sizeof(tired));
    tired.failures = UINT32_MAX;

    for (random = 0; random < 20000; random += 7) {
        breaker = tired;
        delay = rms_redis_breaker_failed(&breaker, 0, random);
        assert_int_equal(delay, 1 + random % RMS_REDIS_DELAY_MAX);
        assert_int_equal(breaker.failures, UINT32_MAX);
    }
}


static void
failures_are_forgotten_after_a_steady_time_alone(void **state)
{
    rms_redis_breaker_t  breaker, copy;

    (void) state;

    memset(&breaker, 0, sizeof(breaker));
    (void) rms_redis_breaker_failed(&breaker, 0, 0);
    (void) rms_redis_breaker_failed(&breaker, 0, 0);

    rms_redis_breaker_ready(&breaker, 1000);
    assert_int_equal(breaker.state, RMS_REDIS_CLOSED);

    /* a number that is no remainder of the time shows what the time was */

    copy = breaker;
    assert_int_equal(rms_redis_breaker_failed(&copy,
                                              1000 + RMS_REDIS_STEADY - 1,
                                              RMS_REDIS_DELAY_MIN * 4), 1);

    copy = breaker;
    assert_int_equal(rms_redis_breaker_failed(&copy, 1000 + RMS_REDIS_STEADY,
                                              RMS_REDIS_DELAY_MIN), 1);
    assert_int_equal(copy.failures, 1);

    /* nor is it steady to be away */

    (void) rms_redis_breaker_failed(&breaker, 1000, 0);
    rms_redis_breaker_try(&breaker);
    (void) rms_redis_breaker_failed(&breaker, 1000 + 2 * RMS_REDIS_STEADY, 0);
    assert_int_equal(breaker.failures, 4);
}


static void
late_answers_in_a_row_end_a_connection(void **state)
{
    int                  i;
    rms_redis_breaker_t  breaker;

    (void) state;

    memset(&breaker, 0, sizeof(breaker));
    rms_redis_breaker_ready(&breaker, 0);

    for (i = 1; i < RMS_REDIS_TIMEOUTS; i++) {
        assert_int_equal(rms_redis_breaker_timeout(&breaker), 0);
    }

    rms_redis_breaker_answered(&breaker);

    for (i = 1; i < RMS_REDIS_TIMEOUTS; i++) {
        assert_int_equal(rms_redis_breaker_timeout(&breaker), 0);
    }

    assert_int_equal(rms_redis_breaker_timeout(&breaker), 1);

    /* the next connection begins anew */

    rms_redis_breaker_ready(&breaker, 1);
    assert_int_equal(rms_redis_breaker_timeout(&breaker), 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(a_command_keeps_every_byte_of_its_arguments),
        cmocka_unit_test(a_command_is_bounded),
        cmocka_unit_test(every_type_of_reply_is_read),
        cmocka_unit_test(replies_come_whole_however_the_bytes_are_cut),
        cmocka_unit_test(what_is_not_redis_is_refused),
        cmocka_unit_test(resp3_is_refused),
        cmocka_unit_test(elements_are_refused_before_memory_is_taken),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(bytes_are_bounded_whole_and_in_pieces),
        cmocka_unit_test(small_replies_after_a_large_one_are_read),
        cmocka_unit_test(errors_are_told_apart_by_their_first_word),
        cmocka_unit_test(a_server_is_left_for_what_it_says_of_itself),
        cmocka_unit_test(only_a_master_is_one),
        cmocka_unit_test(a_sentinel_names_the_master),
        cmocka_unit_test(messages_are_told_from_the_rest),
        cmocka_unit_test(a_login_goes_step_by_step),
        cmocka_unit_test(a_login_fails_where_it_fails),
        cmocka_unit_test(a_sentinel_is_asked_and_listened_to),
        cmocka_unit_test(a_sentinel_is_told_the_password_when_it_wants_one),
        cmocka_unit_test(channels_are_ready_when_all_are_confirmed),
        cmocka_unit_test(the_wait_between_tries_doubles_up_to_a_limit),
        cmocka_unit_test(the_wait_is_any_part_of_its_time),
        cmocka_unit_test(failures_are_forgotten_after_a_steady_time_alone),
        cmocka_unit_test(late_answers_in_a_row_end_a_connection)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
