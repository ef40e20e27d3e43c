/* SPDX-License-Identifier: Apache-2.0 */
#include "tool_model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MOST_BYTES (1 << 20)

/* The text of a file, to be freed; NULL, told, where it cannot be had. */
static char *read_text(const char *path)
{
    FILE *file = fopen(path, "rb");
    char *text = file != NULL ? malloc(MOST_BYTES + 1) : NULL;
    size_t size = 0;
    if (text != NULL)
        size = fread(text, 1, MOST_BYTES + 1, file);
    const bool failed = text == NULL || ferror(file) != 0;
    if (failed || size > MOST_BYTES) {
        tool_error("%s: %s", path, failed ? strerror(errno) : "larger than 1 MiB: no file of rules");
        free(text);
        text = NULL;
    } else if (memchr(text, 0, size) != NULL) { /* what stands behind would not be read */
        tool_error("%s: byte %zu is zero: no file of rules", path, strnlen(text, size));
        free(text);
        text = NULL;
    } else {
        text[size] = '\0';
    }
    if (file != NULL)
        fclose(file);
    return text;
}

static physad_status use_rules(physad_detector *detector, const char *path, int *code)
{
    char *text = read_text(path);
    *code = text != NULL ? TOOL_DONE : TOOL_FAILED;
    if (text == NULL)
        return PHYSAD_OK;
    physad_status status = physad_detector_set_rules(detector, text);
    if (status == PHYSAD_ERR_FORMAT) { /* the file's fault */
        tool_error("%s: %s", path, physad_last_error());
        *code = TOOL_FAILED;
        status = PHYSAD_OK;
    }
    free(text);
    return status;
}

static bool same_file(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

int cmd_rules(tool *t)
{
    const char *use = tool_text(t, "use", NULL), *model = tool_text(t, "output", NULL), *json;
    physad_detector *detector = NULL;
    int code = TOOL_DONE;
    if (use != NULL && model == NULL)
        return tool_usage(t, "--use wants -o MODEL, the model with these rules");
    if (use == NULL && model != NULL)
        return tool_usage(t, "-o is for the model with other rules and wants --use FILE; --json OUT is for the rules");
    if (use != NULL && same_file(use, model))
        return tool_usage(t, "-o is the file of rules that --use names; want another, for a model");
    physad_status status = physad_detector_load(&detector, t->ctx, t->operands[0]);
    if (status == PHYSAD_OK && use != NULL)
        status = use_rules(detector, use, &code);
    if (status == PHYSAD_OK && code == TOOL_DONE && model != NULL)
        status = physad_detector_save(detector, model);
    if (status == PHYSAD_OK && code == TOOL_DONE && (model == NULL || tool_given(t, "json"))) {
        status = physad_detector_rules(detector, &json);
        if (status == PHYSAD_OK)
            code = tool_write(tool_text(t, "json", "-"), json, strlen(json));
    }
    if (status != PHYSAD_OK)
        code = tool_failed(status);
    physad_detector_free(detector);
    return code;
}
