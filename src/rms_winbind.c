/*
 * Is it winbind that fails?  libwbclient is a library of the NTLM mechanism,
 * not of ours: it is used where the mechanism has loaded it, and never loaded
 * by us.  All blocks, and runs on a thread of the pool.
 */

#include <dlfcn.h>

#include "rms_cut.h"
#include "rms_winbind.h"


/* wbcErr of wbclient.h */

#define RMS_WINBIND_OK             0
#define RMS_WINBIND_NOT_AVAILABLE  6
#define RMS_WINBIND_NOT_FOUND      7    /* WBC_ERR_DOMAIN_NOT_FOUND      */

/* the name of no domain, since it is not one */
#define RMS_WINBIND_NO_DOMAIN  "?"


typedef struct {
    void   *(*create)(void);
    void    (*free)(void *ctx);
    int     (*ping)(void *ctx);
    int     (*ping_dc)(void *ctx, const char *domain, void **error);
    int     (*check_trust)(void *ctx, const char *domain, void **error);
    int     (*lookup)(void *ctx, const char *domain, const char *name,
                      void *sid, int *type);
    void    (*free_memory)(void *memory);
} rms_winbind_calls_t;


static int rms_winbind_load(void *handle, rms_winbind_calls_t *calls);
static rms_winbind_e rms_winbind_ask(const rms_winbind_calls_t *calls,
    void *ctx, rms_line_t *line);
static rms_winbind_e rms_winbind_account(const rms_winbind_calls_t *calls,
    void *ctx, const char *domain, const char *user, rms_line_t *line);


rms_winbind_e
rms_winbind_state(const char *domain, const char *user, rms_line_t *line)
{
    void                 *handle, *ctx;
    rms_winbind_e         state;
    rms_winbind_calls_t   calls;

    if (rms_cut_asked()) {
        rms_line_add(line, "winbindd did not answer in time; ");
        return RMS_WINBIND_STOPPED;
    }

    state = RMS_WINBIND_FINE;
    ctx = NULL;

    handle = dlopen("libwbclient.so.0", RTLD_NOW | RTLD_NOLOAD);

    if (handle != NULL && rms_winbind_load(handle, &calls)) {
        ctx = calls.create();
    }

    if (ctx != NULL) {
        state = rms_winbind_ask(&calls, ctx, line);

        if (state == RMS_WINBIND_FINE && user != NULL) {
            state = rms_winbind_account(&calls, ctx, domain, user, line);
        }

        calls.free(ctx);

    } else {
        rms_line_add(line, "whether winbind works cannot be told; ");
    }

    if (handle != NULL) {
        (void) dlclose(handle);
    }

    return state;
}


static rms_winbind_e
rms_winbind_ask(const rms_winbind_calls_t *calls, void *ctx, rms_line_t *line)
{
    int    rc;
    void  *error;

    if (calls->ping(ctx) != RMS_WINBIND_OK) {
        rms_line_add(line, "winbindd does not answer; start it "
                     "(systemctl start winbind); ");
        return RMS_WINBIND_STOPPED;
    }

    /*
     * Passwords go over a socket that is for some only.  So does this, and
     * for a domain that is not there nothing is done.
     */

    error = NULL;
    rc = calls->check_trust(ctx, RMS_WINBIND_NO_DOMAIN, &error);
    calls->free_memory(error);

    if (rc == RMS_WINBIND_NOT_AVAILABLE) {
        rms_line_add(line, "no permission on winbindd's privileged socket; "
                     "run \"usermod -aG winbindd_priv\" for the user of the "
                     "workers, and restart; ");
        return RMS_WINBIND_FORBIDDEN;
    }

    error = NULL;
    rc = calls->ping_dc(ctx, NULL, &error);
    calls->free_memory(error);

    if (rc != RMS_WINBIND_OK) {
        rms_line_add(line, "winbindd reaches no domain controller (see "
                     "wbinfo --ping-dc); ");
        return RMS_WINBIND_NO_DC;
    }

    return RMS_WINBIND_FINE;
}


/* Where winbind's answer was not heard: see rms_winbind_status.h. */

static rms_winbind_e
rms_winbind_account(const rms_winbind_calls_t *calls, void *ctx,
    const char *domain, const char *user, rms_line_t *line)
{
    int       type;
    uint32_t  sid[32];          /* struct wbcDomainSid has 68 bytes */

    if (calls->lookup(ctx, domain, user, sid, &type)
        == RMS_WINBIND_NOT_FOUND)
    {
        rms_line_add(line, "unknown account; ");
        return RMS_WINBIND_UNKNOWN;
    }

    rms_line_add(line, "wrong password, one that has expired or has to be "
                 "changed, or an account that is disabled, locked or expired "
                 "(winbind's log tells which); ");

    return RMS_WINBIND_FINE;
}


static int
rms_winbind_load(void *handle, rms_winbind_calls_t *calls)
{
    size_t  i;
    void   *symbol;

    const struct {
        const char  *name;
        void        *call;
    } wanted[] = {
        { "wbcCtxCreate", &calls->create },
        { "wbcCtxFree", &calls->free },
        { "wbcCtxPing", &calls->ping },
        { "wbcCtxPingDc", &calls->ping_dc },
        { "wbcCtxCheckTrustCredentials", &calls->check_trust },
        { "wbcCtxLookupName", &calls->lookup },
        { "wbcFreeMemory", &calls->free_memory }
    };

    for (i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        symbol = dlsym(handle, wanted[i].name);

        if (symbol == NULL) {
            return 0;
        }

        memcpy(wanted[i].call, &symbol, sizeof(void *));
    }

    return 1;
}
