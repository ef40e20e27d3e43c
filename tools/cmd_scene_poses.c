/* SPDX-License-Identifier: Apache-2.0 */
/* Camera poses of photos that have none, by an installed COLMAP: its programs are run one after the other, and what one
 * of them says when it fails is told. The two that can use a graphics processor want one unless told otherwise, and
 * abort where there is neither that nor a display: they are then run again on the processor. */
#include "tool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATH = 4096, MOST_ARGUMENTS = 16, TAIL = 1500, HELP = 65536, OPTION = 64 };

static bool is_file(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0 && S_ISREG(s.st_mode);
}

static bool is_folder(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

/* The folder of photos within DATA, as scenes look for them. */
static void find_photos(char *out, const char *data)
{
    static const char *const folders[] = { "images", "train/good", "train", "input" };
    for (int i = 0; i < TOOL_COUNT(folders); i++) {
        snprintf(out, PATH, "%s/%s", data, folders[i]);
        if (is_folder(out))
            return;
    }
    snprintf(out, PATH, "%s", data);
}

/* Runs a program with what it says going to a file. Its exit status; -1: it could not be started (told). */
static int run_program(const char *const *arguments, const char *log)
{
    int status = 0;
    const pid_t child = fork();
    if (child < 0)
        return tool_error("%s cannot be started: %s", arguments[0], strerror(errno)), -1;
    if (child == 0) { /* nothing of the library from here on */
        if (freopen(log, "w", stdout) != NULL)
            dup2(STDOUT_FILENO, STDERR_FILENO);
        setenv("QT_QPA_PLATFORM", "offscreen", 0);
        execvp(arguments[0], (char *const *)(uintptr_t)arguments);
        _exit(errno == ENOENT ? 127 : 126);
    }
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return tool_error("%s was lost: %s", arguments[0], strerror(errno)), -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* The last `size` - 1 bytes, or fewer, of what a program said. */
static void end_of_log(char *out, long size, const char *log)
{
    FILE *f = fopen(log, "r");
    *out = '\0';
    if (f == NULL)
        return;
    if (fseek(f, -(size - 1), SEEK_END) != 0)
        rewind(f);
    out[fread(out, 1, (size_t)size - 1, f)] = '\0';
    fclose(f);
}

static void tell_log(const char *log)
{
    char text[TAIL + 1];
    end_of_log(text, sizeof(text), log);
    fputs(text, stderr);
}

/* What this COLMAP calls the option by which a program uses a graphics processor ("--SiftExtraction.use_gpu", later
 * "--FeatureExtraction.use_gpu"), from its own help. False: it has none. */
static bool find_gpu_option(char *out, const char *colmap, const char *program, const char *log)
{
    static char help[HELP];
    const char *const arguments[] = { colmap, program, "--help", NULL };
    run_program(arguments, log); /* whatever its status: what counts is the text */
    end_of_log(help, sizeof(help), log);
    const char *end = strstr(help, ".use_gpu"), *start = end;
    while (start > help && start[-1] != ' ' && start[-1] != '\n')
        start--;
    if (end == NULL || end - start + (long)sizeof(".use_gpu") > OPTION || strncmp(start, "--", 2) != 0)
        return false;
    snprintf(out, OPTION, "%.*s", (int)(end - start + (long)strlen(".use_gpu")), start);
    return true;
}

/* A step that wanted a graphics processor once more, without. Its exit status; -1: there is no way, or it was told. */
static int run_on_processor(const char *const *arguments, const char *database, const char *log)
{
    const char *again[MOST_ARGUMENTS];
    char option[OPTION];
    int n = 0;
    if (!find_gpu_option(option, arguments[0], arguments[1], log))
        return -1;
    for (; arguments[n] != NULL; n++)
        again[n] = arguments[n];
    again[n] = option, again[n + 1] = "0", again[n + 2] = NULL;
    if (strcmp(arguments[1], "feature_extractor") == 0)
        remove(database); /* what the first try left there would be kept */
    fprintf(stderr, "%s %s, without a graphics processor\n", arguments[0], arguments[1]);
    return run_program(again, log);
}

static int run_step(const char *const *arguments, const char *database, const char *log)
{
    fprintf(stderr, "%s %s\n", arguments[0], arguments[1]);
    int status = run_program(arguments, log);
    if (status > 0 && status != 126 && status != 127 && !tool_interrupted() && strcmp(arguments[1], "mapper") != 0) {
        char first[PATH + 8]; /* kept, for when there is no second try */
        snprintf(first, sizeof(first), "%s.gpu", log);
        rename(log, first);
        const int second = run_on_processor(arguments, database, log);
        if (second < 0)
            rename(first, log);
        else
            remove(first), status = second;
    }
    if (status == 0)
        return TOOL_DONE;
    if (tool_interrupted())
        return TOOL_INTERRUPTED;
    if (status == 127)
        return tool_error(
            "there is no program \"%s\": install COLMAP (Debian: apt install colmap), or name it by --colmap",
            arguments[0]);
    if (status > 0) {
        tell_log(log);
        tool_error("%s %s failed with status %d; all it said is in %s", arguments[0], arguments[1], status, log);
    }
    return TOOL_FAILED;
}

int cmd_scene_poses(tool *t)
{
    static const char *const cameras[] = { "OPENCV", "PINHOLE", "SIMPLE_RADIAL", "RADIAL" };
    const char *data = t->operands[0], *colmap = tool_text(t, "colmap", "colmap");
    char photos[PATH], database[PATH], sparse[PATH], model[PATH + 16], log[PATH];
    int camera = 0;
    if (!tool_choice(t, "camera", cameras, TOOL_COUNT(cameras), &camera))
        return TOOL_USAGE;
    if (strlen(data) > PATH - 64 || !is_folder(data))
        return tool_error("%s is no folder", data);
    snprintf(database, sizeof(database), "%s/colmap.db", data);
    snprintf(sparse, sizeof(sparse), "%s/sparse", data);
    snprintf(log, sizeof(log), "%s/colmap.log", data);
    snprintf(model, sizeof(model), "%s/0/cameras.bin", sparse);
    find_photos(photos, data);
    if (is_file(model) && !tool_given(t, "replace"))
        return tool_error("%s is there already; give --replace to have it made anew", model);
    remove(database);
    mkdir(sparse, 0777); /* what is wrong with it, COLMAP says */
    const char *const steps[3][MOST_ARGUMENTS] = {
        { colmap, "feature_extractor", "--database_path", database, "--image_path", photos,
          "--ImageReader.single_camera", "1", "--ImageReader.camera_model", cameras[camera], NULL },
        { colmap, tool_given(t, "sequence") ? "sequential_matcher" : "exhaustive_matcher", "--database_path", database,
          NULL },
        { colmap, "mapper", "--database_path", database, "--image_path", photos, "--output_path", sparse, NULL },
    };
    for (int i = 0; i < 3; i++) {
        const int done = run_step(steps[i], database, log);
        if (done != TOOL_DONE)
            return done;
    }
    if (!is_file(model)) {
        tell_log(log);
        return tool_error("%s mapper found no poses: the photos overlap too little, or show too little texture",
                          colmap);
    }
    printf("%s/0\n", sparse);
    return TOOL_DONE;
}
