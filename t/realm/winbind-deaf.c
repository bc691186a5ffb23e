/*
 * Stands in front of the module, as another library could: what winbind says
 * to a login goes by it.
 */

#define _GNU_SOURCE
#include <dlfcn.h>

int wbcCtxAuthenticateUserEx(void *ctx, const void *params, void **info,
                             void **error);

int wbcCtxAuthenticateUserEx(void *ctx, const void *params, void **info,
                             void **error)
{
    int (*authenticate)(void *, const void *, void **, void **);
    void *handle = dlopen("libwbclient.so.0", RTLD_NOW | RTLD_NOLOAD);

    *(void **) &authenticate = dlsym(handle, "wbcCtxAuthenticateUserEx");

    return authenticate(ctx, params, info, error);
}
