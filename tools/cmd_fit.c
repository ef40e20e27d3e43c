/* SPDX-License-Identifier: Apache-2.0 */
#include "tool_model.h"

#include <stdlib.h>
#include <string.h>

static int one_category(const tool *t, const physad_dataset *data)
{
    const int64_t n = physad_dataset_category_count(data);
    char names[512] = "";
    if (n <= 1)
        return TOOL_DONE;
    for (int64_t i = 0; i < n && strlen(names) < 400; i++)
        snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%.60s", i > 0 ? ", " : "",
                 physad_dataset_category(data, i));
    return tool_usage(t, "%s has %lld categories (%s%s); a model is of one: give --category", t->operands[0],
                      (long long)n, names, strlen(names) >= 400 ? ", ..." : "");
}

static void say_what_went(const physad_detector *detector)
{
    const char *reason;
    for (int64_t i = 0; physad_detector_skipped(detector, i, &reason) != NULL; i++)
        fprintf(stderr, "physad: left out: %s\n", reason);
}

static void say_what_came(const physad_detector *detector, const char *model)
{
    physad_threshold threshold = PHYSAD_THRESHOLD_INIT;
    char value[32], alpha[32];
    printf("%s: %s, %lld training samples", model, physad_detector_method(detector),
           (long long)physad_detector_training_count(detector));
    if (physad_detector_threshold(detector, &threshold) == PHYSAD_OK)
        printf("; threshold %s for a false-alarm rate of %s (%lld calibration groups)\n",
               tool_number(value, threshold.value), tool_number(alpha, threshold.alpha), (long long)threshold.groups);
    else
        printf("; %s\n", physad_last_error()); /* "patchcore: no threshold: ..." */
}

static int fit(tool *t, const tool_methods *methods, const tool_settings *settings, const char *model)
{
    physad_dataset *data = NULL;
    physad_detector *detector = NULL;
    physad_call_options call = tool_progress();
    if (!tool_reading(t, &call))
        return TOOL_USAGE;
    int code = tool_open_data(t, &data, t->operands[0]);
    if (code == TOOL_DONE)
        code = one_category(t, data);
    if (code == TOOL_DONE) {
        physad_status status = physad_detector_new(&detector, t->ctx, methods->names[0]);
        if (status == PHYSAD_OK)
            status = tool_settings_apply(settings, methods->names[0], detector);
        if (status == PHYSAD_OK)
            status = physad_detector_fit(detector, data, &call);
        if (status == PHYSAD_OK)
            status = physad_detector_save(detector, model);
        tool_progress_end();
        say_what_went(detector);
        if (status == PHYSAD_OK)
            say_what_came(detector, model);
        else
            code = tool_failed(status);
    }
    physad_detector_free(detector);
    physad_dataset_free(data);
    return code;
}

int cmd_fit(tool *t)
{
    tool_methods methods;
    tool_settings settings = { 0 };
    const char *model = tool_text(t, "output", NULL);
    int code = model == NULL ? tool_usage(t, "-o MODEL is missing") : tool_methods_read(t, &methods);
    if (model == NULL)
        return code;
    if (code == TOOL_DONE && methods.count > 1)
        code = tool_usage(t, "--method names %d; a model is of one", methods.count);
    if (code == TOOL_DONE)
        code = tool_settings_read(t, &settings, &methods);
    if (code == TOOL_DONE)
        code = fit(t, &methods, &settings, model);
    tool_settings_free(&settings);
    free(methods.text);
    return code;
}
