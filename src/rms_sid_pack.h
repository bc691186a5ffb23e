/*
 * A set of SIDs as bytes, for records that outlive a login.  Each set has one
 * form, and nothing else is read.  Pure functions, any thread.
 */

#ifndef RMS_SID_PACK_H
#define RMS_SID_PACK_H


#include "rms_sid.h"


/*
 * Packs a closed set: four bytes a SID, and some for each domain.  dst:
 * dst->len is the room, then the length.  RMS_OK, or RMS_TOO_LARGE: no room,
 * or more than 65,535 domains or members of one.
 */
rms_rc_e rms_sid_pack(const rms_sid_set_t *set, rms_str_t *dst);


/*
 * The set back, closed.  One allocation from mem, set->domains, holds it; the
 * caller frees it if mem's memory is freed piece by piece, whatever the
 * answer.  RMS_OK; RMS_INVALID: not what rms_sid_pack() writes; RMS_NOMEM.
 * With any but RMS_OK the set is empty.
 */
rms_rc_e rms_sid_unpack(const rms_str_t *src, const rms_mem_t *mem,
    rms_sid_set_t *set);


#endif /* RMS_SID_PACK_H */
