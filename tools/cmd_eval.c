/* SPDX-License-Identifier: Apache-2.0 */
#include "tool_model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST_METRICS 7
static const char *const IMAGE_METRICS[MOST_METRICS] = { "image_auroc", "image_ap", "image_f1_max",  "pixel_auroc",
                                                         "pixel_ap",    "aupro",    "instance_auroc" };
static const char *const IMAGE_TITLES[MOST_METRICS] = { "image AUROC", "image AP", "image F1-max*", "pixel AUROC",
                                                        "pixel AP",    "AUPRO",    "instance AUROC" };
static const char *const VIDEO_METRICS[MOST_METRICS] = {
    "video_auroc", "video_ap", "video_f1_max", "video_accuracy", "frame_auroc", NULL, NULL
};
static const char *const VIDEO_TITLES[MOST_METRICS] = {
    "video AUROC", "video AP", "video F1-max*", "video accuracy*", "frame AUROC", NULL, NULL
};

static void number_cell(char *out, size_t size, const physad_metric *m)
{
    if (isnan(m->value))
        snprintf(out, size, "-");
    else if (isnan(m->lower))
        snprintf(out, size, "%.4f", m->value);
    else
        snprintf(out, size, "%.4f [%.3f, %.3f]", m->value, m->lower, m->upper);
}

/* Whether there are things with several photos. */
static bool has_instances(const physad_evaluation *e)
{
    for (int64_t i = 0; i < physad_evaluation_count(e); i++) {
        physad_metric m = PHYSAD_METRIC_INIT;
        if (physad_evaluation_metric(e, i, "instance_auroc", &m) == PHYSAD_OK && !isnan(m.value))
            return true;
    }
    return false;
}

/* The table on standard output. */
static int print_table(const physad_evaluation *e)
{
    const int64_t n = physad_evaluation_count(e);
    physad_metric of_video = PHYSAD_METRIC_INIT;
    const bool video = physad_evaluation_metric(e, 0, "video_auroc", &of_video) == PHYSAD_OK;
    const char *const *metrics = video ? VIDEO_METRICS : IMAGE_METRICS, *const *titles =
                                                                            video ? VIDEO_TITLES : IMAGE_TITLES;
    int columns = 2;
    while (columns - 2 < MOST_METRICS && metrics[columns - 2] != NULL)
        columns++;
    if (!video && !has_instances(e))
        columns--;
    const char **cells = calloc((size_t)(n + 1) * (size_t)columns, sizeof(*cells));
    char(*text)[40] = calloc((size_t)(n + 1) * (size_t)columns, sizeof(*text));
    if (cells == NULL || text == NULL) {
        free(cells);
        free(text);
        return tool_error("no memory for the table");
    }
    cells[0] = "method";
    cells[1] = "category";
    for (int k = 0; k < columns - 2; k++)
        cells[2 + k] = titles[k];
    for (int64_t i = 0; i < n; i++) {
        const char **row = cells + (i + 1) * columns;
        row[0] = physad_evaluation_method(e, i);
        row[1] = physad_evaluation_category(e, i);
        for (int k = 0; k < columns - 2; k++) {
            physad_metric m = PHYSAD_METRIC_INIT;
            char *cell = text[(i + 1) * columns + 2 + k];
            if (physad_evaluation_metric(e, i, metrics[k], &m) != PHYSAD_OK)
                m.value = NAN;
            number_cell(cell, sizeof(*text), &m);
            row[2 + k] = cell;
        }
    }
    tool_table(cells, (int)(n + 1), columns);
    printf("In brackets: 95 %% intervals. *: an oracle's, its threshold is chosen on the test labels.\n");
    free(cells);
    free(text);
    return TOOL_DONE;
}

/* --- by attribute: what the JSON says of it --- */

enum { BREAK_COLUMNS = 7 };

static void break_number(char *out, size_t size, const json_t *entry, const char *name)
{
    physad_metric m = PHYSAD_METRIC_INIT;
    const json_t *ends = json_object_get(json_object_get(entry, "intervals"), name);
    const json_t *value = json_object_get(entry, name);
    m.value = json_is_number(value) ? json_number_value(value) : NAN;
    m.lower = json_array_size(ends) == 2 ? json_number_value(json_array_get(ends, 0)) : NAN;
    m.upper = json_array_size(ends) == 2 ? json_number_value(json_array_get(ends, 1)) : NAN;
    number_cell(out, size, &m);
}

/* Rows of one method; `text` and `cells` have room. */
static void break_rows(const char **cells, char (*text)[40], const char *method, const json_t *list, int *row)
{
    size_t i;
    const json_t *entry;
    json_array_foreach((json_t *)(uintptr_t)list, i, entry)
    {
        const bool video = json_object_get(entry, "video_auroc") != NULL;
        const char *const names[] = { video ? "video_auroc" : "image_auroc", "pixel_auroc", "aupro" };
        const char **to = cells + *row * BREAK_COLUMNS;
        char(*room)[40] = text + *row * BREAK_COLUMNS;
        to[0] = method;
        to[1] = json_string_value(json_object_get(entry, "attribute"));
        to[2] = json_string_value(json_object_get(entry, "value"));
        snprintf(room[3], sizeof(room[3]), "%lld/%lld",
                 (long long)json_integer_value(json_object_get(entry, "n_normal")),
                 (long long)json_integer_value(json_object_get(entry, "n_anomalous")));
        for (int k = 0; k < 3; k++)
            break_number(room[4 + k], sizeof(room[0]), entry, names[k]);
        for (int k = 3; k < BREAK_COLUMNS; k++)
            to[k] = room[k];
        (*row)++;
    }
}

/* The lists of the methods: of one result, or the means over all categories. */
static int break_table(const physad_evaluation *e, const json_t *root)
{
    static const char *const titles[BREAK_COLUMNS] = { "method", "attribute",   "value", "normal/anomalous",
                                                       "AUROC",  "pixel AUROC", "AUPRO" };
    const json_t *lists = json_object_get(root, "breakdowns"), *list;
    const char *method;
    size_t n = json_array_size(lists);
    int rows = 1;
    json_object_foreach((json_t *)(uintptr_t)lists, method, list) n += json_array_size(list);
    if (n == 0)
        return TOOL_DONE;
    const char **cells = calloc((n + 1) * BREAK_COLUMNS, sizeof(*cells));
    char(*text)[40] = calloc((n + 1) * BREAK_COLUMNS, sizeof(*text));
    if (cells != NULL && text != NULL) {
        memcpy(cells, titles, sizeof(titles));
        if (json_is_array(lists))
            break_rows(cells, text, physad_evaluation_method(e, 0), lists, &rows);
        json_object_foreach((json_t *)(uintptr_t)lists, method, list) break_rows(cells, text, method, list, &rows);
        printf("\nBy attribute%s; defects below 0.5 %% of the photo are small, those from 2 %% on large:\n",
               json_object_get(root, "results") != NULL ? ", means over the categories that have the value" : "");
        tool_table(cells, rows, BREAK_COLUMNS);
    }
    const bool made = cells != NULL && text != NULL;
    free(cells);
    free(text);
    return made ? TOOL_DONE : tool_error("no memory for the table");
}

/* What a result left out; `at`: which of several. */
static const json_t *skipped_of(const json_t *root, size_t at)
{
    const json_t *results = json_object_get(root, "results");
    return json_object_get(results != NULL ? json_array_get(results, at) : at == 0 ? root : NULL, "skipped");
}

static bool said_before(const json_t *root, size_t result, const char *reason)
{
    for (size_t r = 0; r < result; r++)
        for (size_t i = 0; i < json_array_size(skipped_of(root, r)); i++)
            if (strcmp(json_string_value(json_object_get(json_array_get(skipped_of(root, r), i), "reason")), reason) ==
                0)
                return true;
    return false;
}

/* Once, though each method left it out. */
static void say_what_went(const json_t *root)
{
    for (size_t r = 0; skipped_of(root, r) != NULL; r++)
        for (size_t i = 0; i < json_array_size(skipped_of(root, r)); i++) {
            const json_t *one = json_array_get(skipped_of(root, r), i);
            const char *reason = json_string_value(json_object_get(one, "reason"));
            if (!said_before(root, r, reason))
                fprintf(stderr, "physad: left out: %s\n", reason);
        }
}

/* What the results' own text tells beside the table. */
static int print_rest(const physad_evaluation *e, bool tables)
{
    json_t *root = json_loads(physad_evaluation_json(e), 0, NULL);
    const int code = root == NULL ? tool_error("no memory for the table") : tables ? break_table(e, root) : TOOL_DONE;
    say_what_went(root);
    json_decref(root);
    return code;
}

static bool read_options(const tool *t, physad_evaluate_options *o)
{
    static const char *const sizes[] = { "photo", "input" };
    static const char *const pools[] = { "top", "max", "mean" }; /* in the order of PHYSAD_POOL_* */
    int size = 0, pool = 0;
    bool skip;
    int64_t replicates = 0, gallery = 12;
    if (!tool_choice(t, "metrics-size", sizes, TOOL_COUNT(sizes), &size) ||
        !tool_choice(t, "pool", pools, TOOL_COUNT(pools), &pool) || !tool_skips(t, &skip) ||
        !tool_int(t, "replicates", &replicates, 0, 100000) || !tool_int(t, "gallery", &gallery, 0, 10000))
        return false;
    o->metrics_size = size == 0 ? PHYSAD_METRICS_PHOTO : PHYSAD_METRICS_INPUT;
    o->pool = pool;
    o->examples = tool_text(t, "examples", NULL);
    o->types = o->examples != NULL || tool_given(t, "types");
    o->on_error = skip ? PHYSAD_ERRORS_SKIP : PHYSAD_ERRORS_STOP;
    o->gallery = tool_given(t, "report") ? (int32_t)gallery : 0;
    o->replicates = tool_given(t, "replicates") && replicates == 0 ? -1 : (int32_t)replicates;
    return true;
}

static int write_json(const char *path, const physad_evaluation *e)
{
    const char *text = physad_evaluation_json(e);
    const size_t length = strlen(text);
    const int code = tool_write(path, text, length);
    if (code == TOOL_DONE && strcmp(path, "-") == 0 && (length == 0 || text[length - 1] != '\n'))
        printf("\n");
    return code;
}

/* What cannot be written takes nothing of the others along: an evaluation may have taken hours. */
static int output(const tool *t, const physad_evaluation *e)
{
    const char *json = tool_text(t, "json", NULL), *folder = tool_text(t, "report", NULL);
    const bool tables = json == NULL || strcmp(json, "-") != 0;
    int code = tables ? print_table(e) : TOOL_DONE, other = TOOL_DONE;
    if (code == TOOL_DONE)
        code = print_rest(e, tables);
    if (json != NULL)
        other = write_json(json, e);
    code = code == TOOL_DONE ? other : code;
    if (folder != NULL) {
        const physad_status status = physad_evaluation_html(e, folder, NULL);
        other = status == PHYSAD_OK ? TOOL_DONE : tool_failed(status);
        code = code == TOOL_DONE ? other : code;
    }
    return code;
}

static int evaluate(tool *t, const tool_methods *methods, const tool_settings *settings)
{
    physad_evaluate_options o = PHYSAD_EVALUATE_OPTIONS_INIT;
    physad_call_options call = tool_progress();
    if (!read_options(t, &o) || !tool_reading(t, &call))
        return TOOL_USAGE;
    physad_dataset *data = NULL;
    physad_evaluation *e = NULL;
    int code = tool_open_data(t, &data, t->operands[0]);
    if (code == TOOL_DONE) {
        o.settings = (const char *const *)settings->items;
        const physad_status status = physad_evaluate(&e, t->ctx, data, methods->names, methods->count, &o, &call);
        tool_progress_end();
        code = status == PHYSAD_OK ? output(t, e) : tool_failed(status);
    }
    physad_evaluation_free(e);
    physad_dataset_free(data);
    return code;
}

int cmd_eval(tool *t)
{
    tool_methods methods;
    tool_settings settings = { 0 };
    int code = tool_methods_read(t, &methods);
    if (code == TOOL_DONE)
        code = tool_settings_read(t, &settings, &methods);
    if (code == TOOL_DONE)
        code = evaluate(t, &methods, &settings);
    tool_settings_free(&settings);
    free(methods.text);
    return code;
}
