/* SPDX-License-Identifier: Apache-2.0 */
#include "tool.h"

#include <string.h>

static const struct {
    uint32_t flag;
    const char *name;
} FEATURES[] = {
    { PHYSAD_CPU_AVX2, "avx2" }, { PHYSAD_CPU_AVX512, "avx512" }, { PHYSAD_CPU_AVX512_BF16, "avx512-bf16" },
    { PHYSAD_CPU_AVX512_VNNI, "avx512-vnni" }, { PHYSAD_CPU_NEON, "neon" },
};

static json_t *info_json(const tool *t)
{
    json_t *cpu = json_array(), *parts = json_array();
    for (int i = 0; i < TOOL_COUNT(FEATURES); i++)
        if ((physad_context_cpu_flags(t->ctx) & FEATURES[i].flag) != 0)
            json_array_append_new(cpu, json_string(FEATURES[i].name));
    for (int64_t i = 0; i < physad_part_count(); i++)
        json_array_append_new(parts,
                              json_pack("{ss ss}", "name", physad_part_name(i), "licence", physad_part_licence(i)));
    return json_pack("{ss ss so si so}", "version", physad_version(), "build", physad_build_info(), "cpu", cpu,
                     "threads", (int)physad_context_threads(t->ctx), "parts", parts);
}

/* --- of a model --- */

static json_t *threshold_json(const physad_detector *det)
{
    physad_threshold h = PHYSAD_THRESHOLD_INIT;
    if (physad_detector_threshold(det, &h) != PHYSAD_OK)
        return json_null();
    return json_pack("{so sb so so so sI}", "value", tool_json_real(h.value), "given", (int)h.given, "alpha",
                     tool_json_real(h.alpha), "low", tool_json_real(h.low), "high", tool_json_real(h.high), "groups",
                     (json_int_t)h.groups);
}

static json_t *model_json(const physad_detector *det)
{
    physad_option_info o = PHYSAD_OPTION_INFO_INIT;
    json_t *options = json_object(), *training = json_array();
    for (int64_t i = 0; physad_method_option(physad_detector_method(det), i, &o) == PHYSAD_OK; i++)
        json_object_set_new(options, o.name, tool_json_text(physad_detector_get(det, o.name)));
    for (int64_t i = 0; i < physad_detector_training_count(det); i++)
        json_array_append_new(training, tool_json_text(physad_detector_training_path(det, i)));
    return json_pack("{ss so so so}", "method", physad_detector_method(det), "options", options, "training", training,
                     "threshold", threshold_json(det));
}

static void print_threshold(const physad_detector *det)
{
    physad_threshold h = PHYSAD_THRESHOLD_INIT;
    char value[32], alpha[32], low[32], high[32];
    if (physad_detector_threshold(det, &h) != PHYSAD_OK) {
        static const char said[] = "no threshold: ";
        const char *why = physad_last_error(), *at = strstr(why, said);
        printf("threshold none: %s\n", at != NULL ? at + sizeof(said) - 1 : why);
    } else if (h.given != 0)
        printf("threshold %s, given by hand: nothing is promised of it\n", tool_number(value, h.value));
    else
        printf("threshold %s, for a false-alarm rate of %s (%s to %s, by %lld groups of normal samples)\n",
               tool_number(value, h.value), tool_number(alpha, h.alpha), tool_number(low, h.low),
               tool_number(high, h.high), (long long)h.groups);
}

static void print_model(const physad_detector *det)
{
    physad_method_info m = PHYSAD_METHOD_INFO_INIT;
    physad_option_info o = PHYSAD_OPTION_INFO_INIT;
    const char *method = physad_detector_method(det);
    const int64_t n = physad_detector_training_count(det);
    if (physad_method_describe(method, &m) == PHYSAD_OK)
        printf("method    %s: %s\n", method, m.title);
    printf("fitted to %lld samples", (long long)n);
    if (n > 0) {
        printf(", ");
        tool_put_name(physad_detector_training_path(det, 0));
        printf(" the first");
    }
    printf("\n");
    print_threshold(det);
    printf("options   other than by default:");
    int others = 0;
    for (int64_t i = 0; physad_method_option(method, i, &o) == PHYSAD_OK; i++) {
        const char *is = physad_detector_get(det, o.name);
        if (is != NULL && strcmp(is, o.default_value) != 0) {
            printf(" %s=", o.name);
            tool_put_name(is);
            others++;
        }
    }
    printf("%s\n", others == 0 ? " none" : "");
}

static int model_info(tool *t, const char *json)
{
    physad_detector *det = NULL;
    const physad_status status = physad_detector_load(&det, t->ctx, t->operands[0]);
    if (status != PHYSAD_OK)
        return tool_failed(status);
    int done = TOOL_DONE;
    if (json != NULL)
        done = tool_write_json(json, model_json(det));
    else
        print_model(det);
    physad_detector_free(det);
    return done;
}

/* --- of the library --- */

int cmd_info(tool *t)
{
    const char *json = tool_text(t, "json", NULL);
    if (t->operand_count > 0)
        return model_info(t, json);
    if (json != NULL)
        return tool_write_json(json, info_json(t));
    printf("version   %s\nbuild     %s\nthreads   %d\ncpu      ", physad_version(), physad_build_info(),
           (int)physad_context_threads(t->ctx));
    for (int i = 0; i < TOOL_COUNT(FEATURES); i++)
        if ((physad_context_cpu_flags(t->ctx) & FEATURES[i].flag) != 0)
            printf(" %s", FEATURES[i].name);
    printf("\nlicences in effect:\n");
    for (int64_t i = 0; i < physad_part_count(); i++)
        printf("  %-16s %s\n", physad_part_name(i), physad_part_licence(i));
    return TOOL_DONE;
}
