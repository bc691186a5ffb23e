/*
 * Replays a corpus without libFuzzer: every file of the folders named on the
 * command line goes through the target once.
 */

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static int replay_file(const char *path);
static int replay_folder(const char *path);


int
main(int argc, char **argv)
{
    int  i, n, total;

    total = 0;

    for (i = 1; i < argc; i++) {
        n = replay_folder(argv[i]);

        if (n <= 0) {
            fprintf(stderr, "%s: no corpus in %s\n", argv[0], argv[i]);
            return 1;
        }

        total += n;
    }

    printf("%s: %d inputs\n", argv[0], total);

    return total == 0;
}


static int
replay_folder(const char *path)
{
    int             n;
    char            name[4096];
    DIR            *dir;
    struct dirent  *entry;

    dir = opendir(path);
    if (dir == NULL) {
        return -1;
    }

    n = 0;

    while ((entry = readdir(dir)) != NULL) {

        if (entry->d_name[0] == '.') {
            continue;
        }

        snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);

        if (replay_file(name) != 0) {
            closedir(dir);
            return -1;
        }

        n++;
    }

    closedir(dir);

    return n;
}


static int
replay_file(const char *path)
{
    FILE     *f;
    long      size;
    uint8_t  *data;

    f = fopen(path, "rb");
    if (f == NULL) {
        return -1;
    }

    fseek(f, 0, SEEK_END);
    size = ftell(f);
    rewind(f);

    /* exact size, so that a sanitizer sees a read past the end */

    data = malloc(size > 0 ? (size_t) size : 1);

    if (data == NULL || size < 0
        || fread(data, 1, (size_t) size, f) != (size_t) size)
    {
        fclose(f);
        free(data);
        return -1;
    }

    fclose(f);

    (void) LLVMFuzzerTestOneInput(data, (size_t) size);

    free(data);

    return 0;
}
