/*
 * The steps in front of a ready connection.  The state is the caller's; one
 * thread at a time.
 */

#include "rms_redis_script.h"

#include <stdio.h>


static rms_str_t rms_redis_step_string(const char *text);
static int rms_redis_step_applies(const rms_redis_script_t *script,
    rms_redis_step_e step);
static rms_redis_script_e rms_redis_step_done(rms_redis_script_t *script);
static rms_redis_script_e rms_redis_step_auth(rms_redis_script_t *script,
    const rms_redis_reply_t *reply);
static rms_redis_script_e rms_redis_step_master(rms_redis_script_t *script,
    const rms_redis_reply_t *reply);
static rms_redis_script_e rms_redis_step_subscribe(rms_redis_script_t *script,
    const rms_redis_reply_t *reply);
static rms_redis_script_e rms_redis_step_error(rms_redis_script_t *script,
    const rms_redis_reply_t *reply);
static rms_redis_script_e rms_redis_step_odd(rms_redis_script_t *script);
static rms_redis_script_e rms_redis_step_failed(rms_redis_script_t *script,
    rms_redis_stage_e stage, const char *why);


static const char  *rms_redis_step_names[] = {
    "AUTH", "SELECT", "ROLE", "EXISTS", "SENTINEL", "SUBSCRIBE"
};


void
rms_redis_script_start(rms_redis_script_t *script,
    const rms_redis_login_t *login)
{
    memset(script, 0, sizeof(rms_redis_script_t));

    script->login = login;
    script->left = login->use == RMS_REDIS_SENTINEL ? 1 : login->n_channels;

    (void) snprintf(script->database, sizeof(script->database), "%u",
                    login->database);
}


size_t
rms_redis_script_next(rms_redis_script_t *script, rms_str_t *argv)
{
    size_t                    n;
    const rms_redis_login_t  *login = script->login;

    static const rms_str_t    get = rms_string("get-master-addr-by-name");
    static const rms_str_t    switched = rms_string("+switch-master");

    while (script->step < RMS_REDIS_STEP_DONE
           && !rms_redis_step_applies(script, script->step))
    {
        script->step++;
    }

    if (script->step == RMS_REDIS_STEP_DONE) {
        return 0;
    }

    argv[0] = rms_redis_step_string(rms_redis_step_names[script->step]);
    n = 1;

    switch (script->step) {

    case RMS_REDIS_STEP_AUTH:

        if (login->username.len) {
            argv[n++] = login->username;
        }

        argv[n++] = login->password;
        break;

    case RMS_REDIS_STEP_SELECT:
        argv[n++] = rms_redis_step_string(script->database);
        break;

    case RMS_REDIS_STEP_PROBE:
        argv[n++] = login->probe;
        break;

    case RMS_REDIS_STEP_MASTER:
        argv[n++] = get;
        argv[n++] = login->master;
        break;

    case RMS_REDIS_STEP_SUBSCRIBE:

        if (login->use == RMS_REDIS_SENTINEL) {
            argv[n++] = switched;
            break;
        }

        memcpy(&argv[n], login->channels,
               login->n_channels * sizeof(rms_str_t));
        n += login->n_channels;
        break;

    default:
        break;
    }

    return n;
}


static rms_str_t
rms_redis_step_string(const char *text)
{
    rms_str_t  s;

    s.data = (unsigned char *) text;
    s.len = strlen(text);

    return s;
}


rms_redis_script_e
rms_redis_script_reply(rms_redis_script_t *script,
    const rms_redis_reply_t *reply)
{
    rms_redis_stage_e  stage;

    if (script->step == RMS_REDIS_STEP_AUTH) {
        return rms_redis_step_auth(script, reply);
    }

    if (reply->type == RMS_REDIS_ERROR) {
        return rms_redis_step_error(script, reply);
    }

    switch (script->step) {

    case RMS_REDIS_STEP_SELECT:

        if (reply->type != RMS_REDIS_STATUS) {
            return rms_redis_step_odd(script);
        }

        return rms_redis_step_done(script);

    case RMS_REDIS_STEP_ROLE:
        stage = rms_redis_role(reply, script->why);

        if (stage != RMS_REDIS_STAGE_NONE) {
            script->stage = stage;
            return RMS_REDIS_SCRIPT_FAILED;
        }

        return rms_redis_step_done(script);

    case RMS_REDIS_STEP_PROBE:

        if (reply->type != RMS_REDIS_INTEGER) {
            return rms_redis_step_odd(script);
        }

        return rms_redis_step_done(script);

    case RMS_REDIS_STEP_MASTER:
        return rms_redis_step_master(script, reply);

    case RMS_REDIS_STEP_SUBSCRIBE:
        return rms_redis_step_subscribe(script, reply);

    default:
        return rms_redis_step_failed(script, RMS_REDIS_STAGE_PARSE,
                                     "the server answers what was not asked");
    }
}


/*
 * A Sentinel has a password of its own, or more often none, and answers AUTH
 * with an error then: it is told ours when it wants one.
 */

static int
rms_redis_step_applies(const rms_redis_script_t *script, rms_redis_step_e step)
{
    const rms_redis_login_t  *login = script->login;

    switch (step) {

    case RMS_REDIS_STEP_AUTH:
        return login->password.len != 0
               && (login->use != RMS_REDIS_SENTINEL || script->asked);

    case RMS_REDIS_STEP_SELECT:
        return login->use == RMS_REDIS_COMMANDS && login->database != 0;

    case RMS_REDIS_STEP_ROLE:
        return login->use == RMS_REDIS_COMMANDS;

    case RMS_REDIS_STEP_PROBE:
        return login->use == RMS_REDIS_COMMANDS && login->probe.len != 0;

    case RMS_REDIS_STEP_MASTER:
        return login->use == RMS_REDIS_SENTINEL;

    case RMS_REDIS_STEP_SUBSCRIBE:
        return login->use != RMS_REDIS_COMMANDS && script->left != 0;

    default:
        return 0;
    }
}


static rms_redis_script_e
rms_redis_step_done(rms_redis_script_t *script)
{
    do {
        script->step++;

        if (script->step == RMS_REDIS_STEP_DONE) {
            return RMS_REDIS_SCRIPT_READY;
        }

    } while (!rms_redis_step_applies(script, script->step));

    return RMS_REDIS_SCRIPT_NEXT;
}


/* An error here may repeat what we sent: nothing of its text is shown. */

static rms_redis_script_e
rms_redis_step_auth(rms_redis_script_t *script, const rms_redis_reply_t *reply)
{
    if (reply->type == RMS_REDIS_STATUS) {
        return rms_redis_step_done(script);
    }

    if (reply->type != RMS_REDIS_ERROR) {
        return rms_redis_step_odd(script);
    }

    switch (rms_redis_error(reply)) {

    case RMS_REDIS_ERROR_AUTH:
        return rms_redis_step_failed(script, RMS_REDIS_STAGE_AUTH,
                                     "the server refuses this user name and "
                                     "password");

    case RMS_REDIS_ERROR_ERR:
        return rms_redis_step_failed(script, RMS_REDIS_STAGE_AUTH,
                                     "the server refuses AUTH; it may have no "
                                     "password, or no users");

    case RMS_REDIS_ERROR_LOADING:
        return rms_redis_step_failed(script, RMS_REDIS_STAGE_COMMAND,
                                     "the server is loading its data");

    default:
        return rms_redis_step_failed(script, RMS_REDIS_STAGE_AUTH,
                                     "the server refuses AUTH");
    }
}


static rms_redis_script_e
rms_redis_step_master(rms_redis_script_t *script,
    const rms_redis_reply_t *reply)
{
    char  name[64];

    switch (rms_redis_master(reply, &script->address)) {

    case RMS_OK:
        return rms_redis_step_done(script);

    case RMS_DECLINED:
        rms_redis_printable(name, sizeof(name), &script->login->master);
        script->stage = RMS_REDIS_STAGE_ROLE;
        (void) snprintf(script->why, sizeof(script->why),
                        "the Sentinel knows no master \"%s\"", name);
        return RMS_REDIS_SCRIPT_FAILED;

    default:
        return rms_redis_step_odd(script);
    }
}


static rms_redis_script_e
rms_redis_step_subscribe(rms_redis_script_t *script,
    const rms_redis_reply_t *reply)
{
    rms_redis_push_t  push;

    push = rms_redis_push(reply);

    /* a channel that is confirmed already may have a message */

    if (push.kind == RMS_REDIS_PUSH_MESSAGE) {
        return RMS_REDIS_SCRIPT_WAIT;
    }

    if (push.kind != RMS_REDIS_PUSH_SUBSCRIBED) {
        return rms_redis_step_odd(script);
    }

    script->left--;

    if (script->left != 0) {
        return RMS_REDIS_SCRIPT_WAIT;
    }

    return rms_redis_step_done(script);
}


static rms_redis_script_e
rms_redis_step_error(rms_redis_script_t *script, const rms_redis_reply_t *reply)
{
    char                text[80];
    const char         *name = rms_redis_step_names[script->step];
    rms_redis_error_e   error;
    rms_redis_stage_e   stage;

    error = rms_redis_error(reply);

    if (error == RMS_REDIS_ERROR_AUTH) {

        if (script->login->use == RMS_REDIS_SENTINEL && !script->asked
            && script->login->password.len != 0)
        {
            script->asked = 1;
            script->step = RMS_REDIS_STEP_AUTH;
            return RMS_REDIS_SCRIPT_NEXT;
        }

        return rms_redis_step_failed(script, RMS_REDIS_STAGE_AUTH,
                                     "the server wants a password; write "
                                     "\"password_file\"");
    }

    if (error == RMS_REDIS_ERROR_NOPERM) {
        script->stage = RMS_REDIS_STAGE_AUTH;
        (void) snprintf(script->why, sizeof(script->why),
                        "the user may not %s; see the commands, keys and "
                        "channels that its ACL needs", name);
        return RMS_REDIS_SCRIPT_FAILED;
    }

    stage = rms_redis_judge(reply, script->why);

    if (stage != RMS_REDIS_STAGE_NONE) {
        script->stage = stage;
        return RMS_REDIS_SCRIPT_FAILED;
    }

    rms_redis_printable(text, sizeof(text), &reply->str);

    script->stage = RMS_REDIS_STAGE_COMMAND;
    (void) snprintf(script->why, sizeof(script->why),
                    "the server answers to %s: %s", name, text);

    return RMS_REDIS_SCRIPT_FAILED;
}


static rms_redis_script_e
rms_redis_step_odd(rms_redis_script_t *script)
{
    script->stage = RMS_REDIS_STAGE_PARSE;
    (void) snprintf(script->why, sizeof(script->why),
                    "the answer to %s is not that of Redis",
                    rms_redis_step_names[script->step]);

    return RMS_REDIS_SCRIPT_FAILED;
}


static rms_redis_script_e
rms_redis_step_failed(rms_redis_script_t *script, rms_redis_stage_e stage,
    const char *why)
{
    script->stage = stage;
    (void) snprintf(script->why, sizeof(script->why), "%s", why);

    return RMS_REDIS_SCRIPT_FAILED;
}
