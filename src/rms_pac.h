/*
 * The logon information of a PAC, KERB_VALIDATION_INFO ([MS-PAC] 2.5): which
 * SIDs an account has.  Reads that one buffer and nothing of the PAC around
 * it; whether it may be trusted is the business of rms_gss_pac.  Pure
 * function, any thread.
 */

#ifndef RMS_PAC_H
#define RMS_PAC_H


#include "rms_types.h"
#include "rms_sid.h"


/* GroupIds, ExtraSids and ResourceGroupIds together; Windows stops at 1,015 */
#define RMS_PAC_GROUPS_MAX  4096

/* 16-bit units of one of the names below */
#define RMS_PAC_NAME_MAX    1024


/* account_control: USER_ACCOUNT codes, [MS-SAMR] 2.2.1.12 */
#define RMS_PAC_DISABLED           0x00000001
#define RMS_PAC_WORKSTATION_TRUST  0x00000080
#define RMS_PAC_SERVER_TRUST       0x00000100
#define RMS_PAC_LOCKED             0x00000400


typedef struct {
    rms_sid_t       user;
    rms_sid_set_t   sids;               /* the user too                  */
    rms_str_t       name;               /* EffectiveName, UTF-8          */
    rms_str_t       domain;             /* LogonDomainName, UTF-8        */
    uint32_t        user_flags;         /* UserFlags                     */
    uint32_t        account_control;    /* UserAccountControl            */
    void           *memory;             /* the one allocation            */
} rms_pac_t;


/*
 * Reads in, all of it.  The set holds the user, the primary group, and what
 * is enabled and not for denial only of GroupIds, ExtraSids and
 * ResourceGroupIds; the last two only when UserFlags announces them.
 *
 * One allocation from mem, out->memory, holds everything out points to; the
 * caller frees it if mem's memory is freed piece by piece.  Names are data
 * from outside: escape them.
 *
 * RMS_OK; RMS_INVALID: malformed; RMS_TOO_LARGE: more than RMS_PAC_GROUPS_MAX
 * groups or a name longer than RMS_PAC_NAME_MAX; RMS_NOMEM.  With any but
 * RMS_OK out is zeroed.
 */
rms_rc_e rms_pac_parse(const rms_str_t *in, const rms_mem_t *mem,
    rms_pac_t *out);


#endif /* RMS_PAC_H */
