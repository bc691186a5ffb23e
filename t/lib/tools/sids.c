/*
 * sids: what src/rms_pac reads in logon information, a line a file, for
 * comparison with another reader.  Only for tests.
 *
 *   cc -Isrc -o sids sids.c src/rms_pac.c src/rms_ndr.c src/rms_sid*.c
 *   sids FILE...
 *
 * "refused RC", or "USER FLAGS CONTROL SID,SID,...", a tab, the name, a tab,
 * the domain's name.
 */

#include <stdio.h>
#include <stdlib.h>

#include "rms_pac.h"


#define PAC_MAX  (1 << 20)


static void *
allocate(void *data, size_t size)
{
    (void) data;

    return malloc(size);
}


static void
print_sid(const rms_sid_t *sid, const char *after)
{
    char  text[RMS_SID_TEXT_MAX];

    printf("%.*s%s", (int) rms_sid_format(sid, text), text, after);
}


static void
print_pac(const rms_pac_t *pac)
{
    size_t     i;
    rms_sid_t  sid;

    print_sid(&pac->user, " ");
    printf("%x %x ", (unsigned) pac->user_flags,
           (unsigned) pac->account_control);

    for (i = 0; i < pac->sids.n_members; i++) {
        rms_sid_set_get(&pac->sids, i, &sid);
        print_sid(&sid, i + 1 < pac->sids.n_members ? "," : "");
    }

    printf("\t%.*s\t%.*s\n", (int) pac->name.len, (char *) pac->name.data,
           (int) pac->domain.len, (char *) pac->domain.data);
}


int
main(int argc, char **argv)
{
    int        i;
    FILE      *f;
    rms_rc_e   rc;
    rms_str_t  in;
    rms_pac_t  pac;

    static unsigned char    data[PAC_MAX];
    static const rms_mem_t  mem = { allocate, NULL };

    for (i = 1; i < argc; i++) {
        f = fopen(argv[i], "rb");

        if (f == NULL) {
            perror(argv[i]);
            return 1;
        }

        in.data = data;
        in.len = fread(data, 1, sizeof(data), f);
        fclose(f);

        rc = rms_pac_parse(&in, &mem, &pac);

        if (rc == RMS_OK) {
            print_pac(&pac);

        } else {
            printf("refused %d\n", (int) rc);
        }

        free(pac.memory);
    }

    return 0;
}
