/*
 * Preloaded into programs that use libwbclient: its socket is compiled in, and
 * has to belong to root.  SELFTEST_WINBINDD_SOCKET_DIR, and a socket of somebody
 * else, count only where Samba's own nss_wrapper and uid_wrapper are there.  This
 * says they are, and wraps nothing.
 *
 *   cc -shared -fPIC -o winbind-socket.so winbind-socket.c
 */

#include <stdbool.h>


bool nss_wrapper_enabled(void);
bool uid_wrapper_enabled(void);


bool
nss_wrapper_enabled(void)
{
    return true;
}


bool
uid_wrapper_enabled(void)
{
    return true;
}
