/*
 * Why an account may not log in.  wbcCtxAuthenticateUserEx() below stands in
 * the way of the function of that name in libwbclient: symbols of a module of
 * nginx are global, so that gss-ntlmssp, which is loaded after it, finds ours
 * first.  It passes the call on as it is and keeps a copy of the status.
 * Where another library stands in front of it nothing is heard, and nothing
 * else changes.  Runs on a thread of the pool, which has a copy of its own.
 */

#include <dlfcn.h>

#include "rms_winbind_status.h"


/* wbcErr of wbclient.h: WBC_ERR_NOT_IMPLEMENTED */

#define RMS_WINBIND_NOT_IMPLEMENTED  2


/* of wbclient.h, unchanged since libwbclient 0.9 */

struct wbcAuthErrorInfo {
    uint32_t    nt_status;
    char       *nt_string;
    int32_t     pam_error;
    char       *display_string;
};

typedef int (*rms_winbind_authenticate_pt)(void *ctx, const void *params,
    void **info, struct wbcAuthErrorInfo **error);

typedef struct {
    uint32_t              status;
    rms_winbind_cause_e   cause;
    const char           *name;
    const char           *text;
} rms_winbind_status_t;


__attribute__((visibility("default")))
int wbcCtxAuthenticateUserEx(void *ctx, const void *params, void **info,
    struct wbcAuthErrorInfo **error);


static _Thread_local uint32_t  rms_winbind_status;

/* [MS-ERREF] 2.3.1; [MS-NRPC] 3.5.4.5.1 and [MS-APDS] 3.1.5 say which come */

static const rms_winbind_status_t  rms_winbind_statuses[] = {

    { 0xC0000064, RMS_WINBIND_ACCOUNT, "NO_SUCH_USER",
      "unknown account" },
    { 0xC000006A, RMS_WINBIND_ACCOUNT, "WRONG_PASSWORD",
      "wrong password" },
    { 0xC000006D, RMS_WINBIND_ACCOUNT, "LOGON_FAILURE",
      "wrong password, or an unknown account" },
    { 0xC000006E, RMS_WINBIND_ACCOUNT, "ACCOUNT_RESTRICTION",
      "the account may not log in by NTLM (a member of Protected Users?)" },
    { 0xC000006F, RMS_WINBIND_ACCOUNT, "INVALID_LOGON_HOURS",
      "the account may not log in at this hour" },
    { 0xC0000070, RMS_WINBIND_ACCOUNT, "INVALID_WORKSTATION",
      "the account may not log in from this workstation" },
    { 0xC0000071, RMS_WINBIND_ACCOUNT, "PASSWORD_EXPIRED",
      "the password has expired" },
    { 0xC0000072, RMS_WINBIND_ACCOUNT, "ACCOUNT_DISABLED",
      "the account is disabled" },
    { 0xC000015B, RMS_WINBIND_ACCOUNT, "LOGON_TYPE_NOT_GRANTED",
      "the account may not log in over the network" },
    { 0xC0000193, RMS_WINBIND_ACCOUNT, "ACCOUNT_EXPIRED",
      "the account has expired" },
    { 0xC0000198, RMS_WINBIND_ACCOUNT, "NOLOGON_INTERDOMAIN_TRUST_ACCOUNT",
      "the account is that of a trust" },
    { 0xC0000224, RMS_WINBIND_ACCOUNT, "PASSWORD_MUST_CHANGE",
      "the password has to be changed first" },
    { 0xC0000234, RMS_WINBIND_ACCOUNT, "ACCOUNT_LOCKED_OUT",
      "the account is locked out" },
    { 0xC00002FA, RMS_WINBIND_ACCOUNT, "SMARTCARD_LOGON_REQUIRED",
      "the account has to log in with a smart card" },
    { 0xC0000413, RMS_WINBIND_ACCOUNT, "AUTHENTICATION_FIREWALL_FAILED",
      "the trust is selective, and does not let the account in here" },
    { 0xC0000418, RMS_WINBIND_ACCOUNT, "NTLM_BLOCKED",
      "the domain allows no NTLM" },

    { 0xC0000022, RMS_WINBIND_OURS, "ACCESS_DENIED",
      "the domain controller does not accept this node; is it joined "
      "(net ads testjoin)?" },
    { 0xC000005E, RMS_WINBIND_OURS, "NO_LOGON_SERVERS",
      "domain controller unreachable" },
    { 0xC00000B5, RMS_WINBIND_OURS, "IO_TIMEOUT",
      "domain controller unreachable: no answer in time" },
    { 0xC00000DF, RMS_WINBIND_OURS, "NO_SUCH_DOMAIN",
      "winbindd does not know the domain (wbinfo --all-domains)" },
    { 0xC0000133, RMS_WINBIND_OURS, "TIME_DIFFERENCE_AT_DC",
      "the clocks of this node and the domain controller differ" },
    { 0xC000018A, RMS_WINBIND_OURS, "NO_TRUST_LSA_SECRET",
      "this node is not joined (net ads testjoin)" },
    { 0xC000018B, RMS_WINBIND_OURS, "NO_TRUST_SAM_ACCOUNT",
      "the domain has no account of this node (net ads testjoin)" },
    { 0xC000018C, RMS_WINBIND_OURS, "TRUSTED_DOMAIN_FAILURE",
      "the trust between the domains does not work" },
    { 0xC000018D, RMS_WINBIND_OURS, "TRUSTED_RELATIONSHIP_FAILURE",
      "the domain does not trust this node (net ads testjoin)" },
    { 0xC0000190, RMS_WINBIND_OURS, "TRUST_FAILURE",
      "the domain does not trust this node (net ads testjoin)" },
    { 0xC0000192, RMS_WINBIND_OURS, "NETLOGON_NOT_STARTED",
      "the domain controller is not ready: netlogon is not started" },
    { 0xC000020C, RMS_WINBIND_OURS, "CONNECTION_DISCONNECTED",
      "domain controller unreachable: it ended the connection" },
    { 0xC000020D, RMS_WINBIND_OURS, "CONNECTION_RESET",
      "domain controller unreachable: it ended the connection" },
    { 0xC0000233, RMS_WINBIND_OURS, "DOMAIN_CONTROLLER_NOT_FOUND",
      "domain controller unreachable: none was found" },
    { 0xC0000236, RMS_WINBIND_OURS, "CONNECTION_REFUSED",
      "domain controller unreachable: connection refused" },
    { 0xC000023C, RMS_WINBIND_OURS, "NETWORK_UNREACHABLE",
      "domain controller unreachable: no way to its network" },
    { 0xC000023D, RMS_WINBIND_OURS, "HOST_UNREACHABLE",
      "domain controller unreachable: no way to it" }
};


void
rms_winbind_listen(void)
{
    rms_winbind_status = 0;
}


uint32_t
rms_winbind_heard(void)
{
    return rms_winbind_status;
}


rms_winbind_cause_e
rms_winbind_cause(uint32_t status, rms_line_t *line)
{
    size_t                       i;
    const rms_winbind_status_t  *s;

    if (status == 0) {
        return RMS_WINBIND_SILENT;
    }

    for (i = 0;
         i < sizeof(rms_winbind_statuses) / sizeof(rms_winbind_statuses[0]);
         i++)
    {
        s = &rms_winbind_statuses[i];

        if (s->status == status) {
            rms_line_add(line, "%s (NT_STATUS_%s)", s->text, s->name);
            return s->cause;
        }
    }

    rms_line_add(line, "winbind says NTSTATUS 0x%08x", status);

    return RMS_WINBIND_OTHER;
}


int
wbcCtxAuthenticateUserEx(void *ctx, const void *params, void **info,
    struct wbcAuthErrorInfo **error)
{
    int                           rc;
    void                         *handle, *symbol;
    rms_winbind_authenticate_pt   authenticate;

    /* the caller's, which it has loaded */

    handle = dlopen("libwbclient.so.0", RTLD_NOW | RTLD_NOLOAD);

    if (handle == NULL) {
        return RMS_WINBIND_NOT_IMPLEMENTED;
    }

    rc = RMS_WINBIND_NOT_IMPLEMENTED;
    symbol = dlsym(handle, "wbcCtxAuthenticateUserEx");

    if (symbol != NULL) {
        memcpy(&authenticate, &symbol, sizeof(void *));

        rc = authenticate(ctx, params, info, error);

        if (rc != 0 && error != NULL && *error != NULL) {
            rms_winbind_status = (*error)->nt_status;
        }
    }

    (void) dlclose(handle);

    return rc;
}
