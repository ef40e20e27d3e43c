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

int cmd_info(tool *t)
{
    const char *json = tool_text(t, "json", NULL);
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
