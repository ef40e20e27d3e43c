/* SPDX-License-Identifier: Apache-2.0 */
/* What fit, predict and eval share: methods, their settings, data sets. */
#ifndef PHYSAD__TOOL_MODEL_H
#define PHYSAD__TOOL_MODEL_H

#include "tool.h"

/* Rows of the option tables. */
#define TOOL_DATA_OPTIONS                                                                                              \
    { "format", "NAME", "the layout of DATA, where it is not recognised (default auto)", 0, false },                   \
        { "category", "A[,B...]", "these categories alone", 0, false },                                                \
        { "protocol", "NAME",                                                                                          \
          "which videos may be trained on: unsupervised (default), weak-per-type, weak-in-all, understanding", 0,      \
          false },                                                                                                     \
    {                                                                                                                  \
        "drawn", "N[-M]", "videos that a protocol draws of each type, category or instance (default 2-4)", 0, false    \
    }
#define TOOL_METHOD_OPTIONS                                                                           \
    { "set", "KEY=VALUE", \
      "an option of the method (physad methods NAME lists them); METHOD.KEY=VALUE of one; repeatable", 0, true }, \
    { "precision", "f32|bf16", "arithmetic of the network; as --set precision=...", 0, false },       \
    { "weights", "FILE", "weights of the network, a file or a name; as --set weights=...", 0, false }
#define TOOL_BATCH_OPTION { "batch", "N", "photos at once; results do not depend on it", 0, false }
#define TOOL_TYPES_OPTIONS \
    { "types", NULL, "tell where a defect is and what it looks like: hole, line, tint, deformation", 0, false }, \
    { "examples", "DIR", "tell its type by a few photos of each, in DIR/TYPE/; implies --types", 0, false }
#define TOOL_ERROR_OPTION                                                                                              \
    {                                                                                                                  \
        "on-error", "stop|skip", "what to do about a photo that cannot be read (default stop)", 0, false               \
    }

/* TOOL_USAGE (told, with the nearest name) for a method that there is not. */
int tool_check_method(const tool *t, const char *name);

/* The names of --method, by the commas. */
#define TOOL_MOST_METHODS 64
typedef struct tool_methods {
    char *text; /* owned */
    const char *names[TOOL_MOST_METHODS];
    int count;
} tool_methods;
int tool_methods_read(const tool *t, tool_methods *methods);

/* --set, --precision, --weights and --batch as "key=value" or "method.key=value", ended by NULL; each has been tried on
 * a detector, so that wrong ones are told before any work. */
typedef struct tool_settings {
    char **items;
    int count;
} tool_settings;
int tool_settings_read(const tool *t, tool_settings *settings, const tool_methods *methods);
void tool_settings_free(tool_settings *settings);
/* Those of `method` are set on the detector. */
physad_status tool_settings_apply(const tool_settings *settings, const char *method, physad_detector *detector);

/* --protocol and --drawn, by --seed; false: told. */
#define TOOL_PROTOCOL_COUNT 4
extern const char *const TOOL_PROTOCOLS[]; /* in the order of PHYSAD_PROTOCOL_* */
bool tool_protocol(const tool *t, physad_protocol_options *o);

/* Opens DATA with --format and --category, as --protocol wants it. */
int tool_open_data(const tool *t, physad_dataset **data, const char *path);
bool tool_skips(const tool *t, bool *skip); /* --on-error; false: told */
bool tool_reading(const tool *t, physad_call_options *call); /* --batch and --on-error; false: told */

#endif
