/* SPDX-License-Identifier: Apache-2.0 */
/* A program of the build: prints the table of known weights as JSON, for those who package or mirror them. */
#include "nn_weights_table.h"

#include <stdio.h>

/* The table has neither quotes nor controls. */
static void field(const char *key, const char *value)
{
    if (value[0] != '\0')
        printf("      \"%s\": \"%s\",\n", key, value);
}

int main(void)
{
    printf("{\n  \"format_version\": 1,\n  \"weights\": [\n");
    for (int64_t i = 0; i < PHYSAD__WEIGHTS_COUNT; i++) {
        const physad_weights_info *w = &physad__weights_table[i];
        printf("    {\n");
        field("name", w->name);
        field("file", w->file);
        field("backbone", w->backbone);
        field("trained", w->trained);
        field("licence", w->licence);
        field("origin", w->origin);
        field("package", w->package);
        field("package_version", w->package_version);
        field("sha256", w->sha256);
        field("sha256_converted", w->sha256_converted);
        printf("      \"parameters\": %lld\n    }%s\n", (long long)w->parameters,
               i + 1 < PHYSAD__WEIGHTS_COUNT ? "," : "");
    }
    printf("  ]\n}\n");
    return ferror(stdout) != 0;
}
