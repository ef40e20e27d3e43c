/* SPDX-License-Identifier: Apache-2.0 */
#include "tool_model.h"

#include <stdlib.h>
#include <string.h>

int tool_check_method(const tool *t, const char *name)
{
    physad_method_info m = PHYSAD_METHOD_INFO_INIT;
    if (physad_method_describe(name, &m) == PHYSAD_OK)
        return TOOL_DONE;
    return tool_usage(t, "%s", physad_last_error());
}

int tool_methods_read(const tool *t, tool_methods *methods)
{
    const char *text = tool_text(t, "method", NULL);
    memset(methods, 0, sizeof(*methods));
    if (text == NULL)
        return tool_usage(t, "--method is missing; physad methods lists them");
    methods->text = strdup(text);
    if (methods->text == NULL)
        return tool_error("no memory for the command line");
    for (char *at = methods->text, *next; at != NULL; at = next) {
        next = strchr(at, ',');
        if (next != NULL)
            *next++ = '\0';
        if (methods->count == TOOL_MOST_METHODS)
            return tool_usage(t, "--method names more than %d", TOOL_MOST_METHODS);
        const int status = tool_check_method(t, at);
        if (status != TOOL_DONE)
            return status;
        methods->names[methods->count++] = at;
    }
    return TOOL_DONE;
}

/* --- settings ---------------------------------------------------------------------------------------- */

static bool has_option(const char *method, const char *key, size_t length)
{
    physad_method_info m = PHYSAD_METHOD_INFO_INIT;
    if (physad_method_describe(method, &m) != PHYSAD_OK)
        return false;
    for (int32_t i = 0; i < m.option_count; i++) {
        physad_option_info o = PHYSAD_OPTION_INFO_INIT;
        if (physad_method_option(method, i, &o) == PHYSAD_OK && strlen(o.name) == length &&
            memcmp(o.name, key, length) == 0)
            return true;
    }
    return false;
}

static bool add_setting(tool_settings *s, const char *method, const char *text, const char *value)
{
    const size_t size = strlen(method) + strlen(text) + strlen(value) + 3;
    char **items = realloc(s->items, ((size_t)s->count + 2) * sizeof(*items));
    if (items == NULL)
        return false;
    s->items = items;
    s->items[s->count] = malloc(size);
    if (s->items[s->count] == NULL)
        return false;
    snprintf(s->items[s->count++], size, "%s%s%s%s%s", method, method[0] != '\0' ? "." : "", text,
             value[0] != '\0' ? "=" : "", value);
    s->items[s->count] = NULL;
    return true;
}

/* "key=value": where several methods run and only some of them have the key, those that have it get it. */
static int add_set(const tool *t, tool_settings *s, const tool_methods *methods, const char *text)
{
    const char *equals = strchr(text, '=');
    if (equals == NULL || equals == text)
        return tool_usage(t, "--set is \"%s\", want KEY=VALUE", text);
    const char *dot = memchr(text, '.', (size_t)(equals - text));
    int having = 0;
    for (int i = 0; i < methods->count; i++)
        having += has_option(methods->names[i], text, (size_t)(equals - text));
    if (dot != NULL || having == methods->count || having == 0)
        return add_setting(s, "", text, "") ? TOOL_DONE : tool_error("no memory for the command line");
    for (int i = 0; i < methods->count; i++)
        if (has_option(methods->names[i], text, (size_t)(equals - text)) &&
            !add_setting(s, methods->names[i], text, ""))
            return tool_error("no memory for the command line");
    return TOOL_DONE;
}

/* An option of the command that stands for one of the methods. */
static int add_named(const tool *t, tool_settings *s, const tool_methods *methods, const char *name, bool wanted)
{
    const char *value = tool_text(t, name, NULL);
    int having = 0;
    for (int i = 0; i < methods->count && value != NULL; i++) {
        if (!has_option(methods->names[i], name, strlen(name)))
            continue;
        having++;
        if (!add_setting(s, methods->names[i], name, value))
            return tool_error("no memory for the command line");
    }
    if (value != NULL && having == 0 && wanted)
        return tool_usage(t, "--%s: %s has no option \"%s\"", name, methods->names[0], name);
    return TOOL_DONE;
}

/* Sets all of them on a detector that is thrown away. */
static int try_settings(const tool *t, const tool_settings *s, const char *method)
{
    physad_detector *detector = NULL;
    physad_status status = physad_detector_new(&detector, t->ctx, method);
    if (status == PHYSAD_OK)
        status = tool_settings_apply(s, method, detector);
    physad_detector_free(detector);
    if (status == PHYSAD_ERR_ARG)
        return tool_usage(t, "%s", physad_last_error());
    return status == PHYSAD_OK ? TOOL_DONE : tool_failed(status);
}

/* "method.key=value" of a method that does not run would be lost silently. */
static int check_prefixes(const tool *t, const tool_settings *s, const tool_methods *methods)
{
    for (int k = 0; k < s->count; k++) {
        const char *equals = strchr(s->items[k], '='), *dot = memchr(s->items[k], '.', (size_t)(equals - s->items[k]));
        bool found = dot == NULL;
        for (int i = 0; i < methods->count && !found; i++)
            found = strlen(methods->names[i]) == (size_t)(dot - s->items[k]) &&
                    memcmp(methods->names[i], s->items[k], (size_t)(dot - s->items[k])) == 0;
        if (!found)
            return tool_usage(t, "--set %s: that method does not run", s->items[k]);
    }
    return TOOL_DONE;
}

int tool_settings_read(const tool *t, tool_settings *settings, const tool_methods *methods)
{
    int64_t batch = 1;
    int status = TOOL_DONE;
    memset(settings, 0, sizeof(*settings));
    for (int i = 0; status == TOOL_DONE && tool_nth(t, "set", i) != NULL; i++)
        status = add_set(t, settings, methods, tool_nth(t, "set", i));
    if (status == TOOL_DONE)
        status = add_named(t, settings, methods, "precision", true);
    if (status == TOOL_DONE)
        status = add_named(t, settings, methods, "weights", true);
    if (status == TOOL_DONE && !tool_int(t, "batch", &batch, 1, 4096))
        status = TOOL_USAGE;
    if (status == TOOL_DONE)
        status = add_named(t, settings, methods, "batch", false);
    if (status == TOOL_DONE)
        status = check_prefixes(t, settings, methods);
    for (int i = 0; status == TOOL_DONE && i < methods->count; i++)
        status = try_settings(t, settings, methods->names[i]);
    return status;
}

void tool_settings_free(tool_settings *settings)
{
    for (int i = 0; i < settings->count; i++)
        free(settings->items[i]);
    free(settings->items);
    memset(settings, 0, sizeof(*settings));
}

physad_status tool_settings_apply(const tool_settings *settings, const char *method, physad_detector *detector)
{
    for (int i = 0; i < settings->count; i++) {
        char key[128];
        const char *text = settings->items[i], *equals = strchr(text, '='),
                   *dot = memchr(text, '.', (size_t)(equals - text));
        if (dot != NULL && (strlen(method) != (size_t)(dot - text) || memcmp(method, text, strlen(method)) != 0))
            continue;
        const char *name = dot != NULL ? dot + 1 : text;
        snprintf(key, sizeof(key), "%.*s", (int)(equals - name), name);
        const physad_status status = physad_detector_set(detector, key, equals + 1);
        if (status != PHYSAD_OK)
            return status;
    }
    return PHYSAD_OK;
}

/* --- data -------------------------------------------------------------------------------------------- */

const char *const TOOL_PROTOCOLS[] = { "unsupervised", "weak-per-type", "weak-in-all", "understanding" };

/* "N" or "N-M". */
static bool read_drawn(const tool *t, physad_protocol_options *o)
{
    const char *text = tool_text(t, "drawn", NULL);
    char *end = NULL;
    if (text == NULL)
        return true;
    const long least = strtol(text, &end, 10), most = *end == '-' ? strtol(end + 1, &end, 10) : least;
    if (*text < '0' || *text > '9' || *end != '\0' || least < 1 || most < least || most > 1000000) {
        tool_usage(t, "--drawn is \"%s\", want N or N-M, 1 or more, in order", text);
        return false;
    }
    o->least = (int32_t)least;
    o->most = (int32_t)most;
    return true;
}

bool tool_protocol(const tool *t, physad_protocol_options *o)
{
    int protocol = 0;
    if (!tool_choice(t, "protocol", TOOL_PROTOCOLS, TOOL_PROTOCOL_COUNT, &protocol) || !read_drawn(t, o))
        return false;
    if (tool_given(t, "drawn") && protocol == PHYSAD_PROTOCOL_UNSUPERVISED) {
        tool_usage(t, "--drawn goes with --protocol weak-per-type, weak-in-all or understanding");
        return false;
    }
    o->protocol = protocol;
    o->seed = physad_context_seed(t->ctx);
    return true;
}

static int apply_protocol(const tool *t, physad_dataset **data)
{
    physad_protocol_options o = PHYSAD_PROTOCOL_OPTIONS_INIT;
    physad_dataset *drawn = NULL;
    if (!tool_protocol(t, &o))
        return TOOL_USAGE;
    if (o.protocol == PHYSAD_PROTOCOL_UNSUPERVISED)
        return TOOL_DONE;
    const physad_status status = physad_dataset_protocol(&drawn, *data, &o);
    if (status != PHYSAD_OK)
        return tool_failed(status);
    physad_dataset_free(*data);
    *data = drawn;
    return TOOL_DONE;
}

int tool_open_data(const tool *t, physad_dataset **data, const char *path)
{
    physad_dataset_options o = PHYSAD_DATASET_OPTIONS_INIT;
    o.format = tool_text(t, "format", NULL);
    o.categories = tool_text(t, "category", NULL);
    const physad_status status = physad_dataset_open(data, t->ctx, path, &o);
    return status == PHYSAD_OK ? apply_protocol(t, data) : tool_failed(status);
}

bool tool_reading(const tool *t, physad_call_options *call)
{
    int64_t batch = 0;
    bool skip;
    if (!tool_int(t, "batch", &batch, 1, 4096) || !tool_skips(t, &skip))
        return false;
    call->batch = (int32_t)batch;
    call->on_error = skip ? PHYSAD_ERRORS_SKIP : PHYSAD_ERRORS_STOP;
    return true;
}

bool tool_skips(const tool *t, bool *skip)
{
    static const char *const choices[] = { "stop", "skip" };
    int choice = 0;
    const bool ok = tool_choice(t, "on-error", choices, TOOL_COUNT(choices), &choice);
    *skip = choice == 1;
    return ok;
}
