/*
 * Can another user read a file, or write to a directory?  Answered from modes,
 * owners and groups, at load, so that "works for root, fails in the worker" is
 * found by nginx -t.
 */

#ifndef RMS_ACCESS_H
#define RMS_ACCESS_H


#include <sys/types.h>

#include "rms_types.h"


/*
 * path: absolute, NUL-terminated.  user: its name for initgroups-like group
 * look-up, uid, gid: of the worker.  RMS_OK: readable (or POSIX ACLs decide,
 * which modes cannot tell); RMS_INVALID: not, and text (size bytes) holds the
 * chgrp/chmod to run; RMS_DECLINED: the file is missing.
 */
rms_rc_e rms_access_check(const char *path, const char *user, uid_t uid,
    gid_t gid, char *text, size_t size);


/*
 * The same of a directory in which the user is to make and rename files.
 * RMS_DECLINED: there is none of this name.
 */
rms_rc_e rms_access_check_dir(const char *path, const char *user, uid_t uid,
    gid_t gid, char *text, size_t size);


#endif /* RMS_ACCESS_H */
