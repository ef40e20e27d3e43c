/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target over every file of the folders (or the files) named as arguments: the corpus as a plain test. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static long files;

static int replay_file(const char *path, size_t size)
{
    FILE *f = fopen(path, "rb");
    /* Exactly as many bytes as the file has, so that a sanitizer sees any read beyond them. */
    uint8_t *data = malloc(size > 0 ? size : 1);
    const int ok = f != NULL && data != NULL && fread(data, 1, size, f) == size;
    if (f != NULL)
        fclose(f);
    if (ok) {
        printf("%s\n", path);
        fflush(stdout); /* the last line names the culprit of a crash */
        LLVMFuzzerTestOneInput(data, size);
        files++;
    } else {
        fprintf(stderr, "%s: cannot read\n", path);
    }
    free(data);
    return ok ? 0 : 1;
}

static int replay(const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0) {
        fprintf(stderr, "%s: cannot find\n", path);
        return 1;
    }
    if (!S_ISDIR(info.st_mode))
        return replay_file(path, (size_t)info.st_size);
    struct dirent **entries;
    const int n = scandir(path, &entries, NULL, alphasort);
    int failures = n < 0;
    for (int i = 0; i < n; i++) {
        char inner[4096];
        snprintf(inner, sizeof(inner), "%s/%s", path, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.')
            failures += replay(inner);
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
    return failures;
}

int main(int argc, char **argv)
{
    int failures = 0;
    for (int i = 1; i < argc; i++)
        failures += replay(argv[i]);
    printf("%ld files\n", files);
    if (files == 0)
        fprintf(stderr, "no corpus: nothing was tested\n");
    return failures > 0 || files == 0;
}
