/* SPDX-License-Identifier: Apache-2.0 */
/* The physad command: what its sub-commands share. Uses the public headers alone. */
#ifndef PHYSAD__TOOL_H
#define PHYSAD__TOOL_H

#include <physad/physad.h>

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* Exit statuses. */
#define TOOL_DONE 0
#define TOOL_FAILED 1
#define TOOL_USAGE 2
#define TOOL_INTERRUPTED 130

#define TOOL_COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

/* --- options (tool_options.c) --- */

typedef struct tool_option {
    const char *name;  /* without the dashes */
    const char *value; /* its name in the help, such as "N"; NULL: a flag */
    const char *help;
    char letter; /* short form; 0: none */
    bool repeats;
} tool_option;

#define TOOL_MOST_OPTIONS 48
typedef struct tool_command tool_command;

/* A parsed command line. All texts are argv's. */
typedef struct tool {
    const tool_command *command;
    const tool_option *options[TOOL_MOST_OPTIONS]; /* the command's own and the common ones */
    int option_count;
    struct {
        const tool_option *option;
        const char *text;
    } *given; /* in their order */
    int given_count;
    const char **operands;
    int operand_count;
    physad_context *ctx; /* made by tool_start() */
} tool;

/* One row per sub-command; `--help` is made from it. */
struct tool_command {
    const char *name;     /* such as "eval" or "weights fetch" */
    const char *operands; /* such as "DATA"; "" for none */
    const char *summary;  /* one line */
    const char *details;  /* more lines for its --help; NULL: none */
    const tool_option *options;
    int option_count;
    int least, most; /* operands; most -1: any number */
    bool computes;   /* takes --seed, --threads, --memory-limit and --verbose */
    int (*run)(tool *t);
};

/* Fills `t` from the arguments behind the command's name; a usage error is told on stderr. TOOL_DONE, TOOL_USAGE or
 * TOOL_FAILED. */
int tool_parse(tool *t, const tool_command *command, int argc, char **argv);
void tool_free(tool *t);
void tool_help(FILE *out, const tool_command *command);

bool tool_given(const tool *t, const char *name);
const char *tool_text(const tool *t, const char *name, const char *fallback); /* the last one given */
/* Numbers with a decimal point whatever the locale; outside least..most a usage error is told and false comes back. */
bool tool_int(const tool *t, const char *name, int64_t *value, int64_t least, int64_t most);
bool tool_real(const tool *t, const char *name, double *value, double least, double most);
/* One of `choices[count]`; its index goes to *value. */
bool tool_choice(const tool *t, const char *name, const char *const *choices, int count, int *value);
/* The i-th value of an option that repeats, or NULL. */
const char *tool_nth(const tool *t, const char *name, int i);
/* The name nearest to `text`, or NULL when none is near. */
const char *tool_nearest(const char *text, const char *const *names, int count);

/* --- cameras (tool_camera.c) --- */

/* "X,Y,Z"; false after a usage error. */
bool tool_place(const tool *t, const char *name, double out[3]);
bool tool_background(const tool *t, float out[3]); /* --background, 0 0 0 by default */
/* By --from, --to, --up, --angle, --width and --height. TOOL_DONE or TOOL_USAGE. */
int tool_camera(const tool *t, physad_camera *camera);

/* --- running (tool_run.c) --- */

/* Makes t->ctx from --seed, --threads, --memory-limit and --verbose and lets Ctrl-C cancel it. TOOL_DONE or an exit
 * status. */
/* Before anything computes: starts the program anew where its waiting threads would spin for long. Comes back where
 * that is not needed or not possible. */
void tool_settle(char **argv);
int tool_start(tool *t);
void tool_stop(tool *t);
/* Tells the library's last error on stderr; the exit status for it. */
int tool_failed(physad_status status);
int tool_usage(const tool *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
int tool_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A progress line on a terminal; none elsewhere. Pass to a call; afterwards tool_progress_end(). */
physad_call_options tool_progress(void);
void tool_progress_end(void);
/* Whether Ctrl-C was pressed. */
bool tool_interrupted(void);

/* --- output (tool_output.c) --- */

/* Before hours of work: can the file be written at all? TOOL_DONE or TOOL_FAILED (told). */
int tool_check_output(const char *path);
/* To standard output ("-") or to a file, which is complete or as it was. TOOL_DONE or TOOL_FAILED (told). */
int tool_write(const char *path, const char *text, size_t size);
/* The same for JSON, indented; `value` is given away and may be NULL (no memory). */
int tool_write_json(const char *path, json_t *value);
/* Any text as JSON, null for NULL: names of files need not be UTF-8, and what is not comes as U+FFFD. */
json_t *tool_json_text(const char *text);
/* A number as JSON, null for what is not finite. */
json_t *tool_json_real(double value);
/* In place: "?" for control characters, which a terminal obeys. */
void tool_tidy(char *text);
/* A name to standard output: as it is, or tidied where that is a terminal. */
void tool_put_name(const char *name);
/* Flushes standard output; TOOL_FAILED (told) when something of it was lost, but for a reader that has gone. */
int tool_flush(void);
/* A table on standard output: columns as wide as they need; the last one is not padded. */
void tool_table(const char *const *cells, int rows, int columns);
/* The shortest text that reads back as `value`; "nan", "inf". `out` has 32 bytes. */
const char *tool_number(char *out, double value);
/* SHA-256 of a file, 64 digits and a NUL. */
bool tool_sha256(char out[65], const char *path);

/* --- the sub-commands (cmd_*.c) --- */

extern const tool_command tool_commands[];
extern const int tool_command_count;

int cmd_backbones(tool *t);
int cmd_eval(tool *t);
int cmd_fit(tool *t);
int cmd_info(tool *t);
int cmd_methods(tool *t);
int cmd_predict(tool *t);
int cmd_rules(tool *t);
int cmd_data_split(tool *t);
int cmd_data_stats(tool *t);
int cmd_scene_fit(tool *t);
int cmd_scene_locate(tool *t);
int cmd_scene_poses(tool *t);
int cmd_scene_render(tool *t);
int cmd_scene_turntable(tool *t);
int cmd_scene_view(tool *t);
int cmd_synth_rad(tool *t);
int cmd_synth_phys(tool *t);
int cmd_weights_list(tool *t);
int cmd_weights_fetch(tool *t);
int cmd_weights_convert(tool *t);
int cmd_weights_verify(tool *t);

#endif
