/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a Real-IAD list: a status and no leak; what is read stays within the data set. */
#include "fuzz.h"

#include "data/data_dataset.h"

static void check_sample(const physad_sample *s)
{
    check(s->category != NULL && *s->category != '\0' && s->type != NULL && *s->type != '\0');
    check(s->path != NULL && s->path[0] != '/' && strncmp(s->path, "../", 3) != 0 && strstr(s->path, "/../") == NULL);
    check(s->mask_count == 0 || (s->label == 1 && strstr(s->mask_files[0], "/../") == NULL));
    check(s->view == NULL || s->view[0] == 'C');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    physad_context_options co = PHYSAD_CONTEXT_OPTIONS_INIT;
    physad_context *ctx = NULL;
    physad_dataset *ds = NULL;
    json_t *json = NULL;
    int64_t groups;
    co.threads = 1;
    check(physad_context_new(&ctx, &co) == PHYSAD_OK);
    check(physad_dataset_new(&ds, ctx) == PHYSAD_OK);
    if (physad__json_parse(&json, data, size, "fuzz") == PHYSAD_OK &&
        physad__realiad_read(ds, "fuzz", "toy", "realiad_1024/", json) == PHYSAD_OK) {
        check(physad__group_samples(ds, 0) == PHYSAD_OK);
        for (int64_t i = 0; i < physad_dataset_count(ds); i++)
            check_sample(physad_dataset_sample(ds, i));
        int64_t *group = malloc(((size_t)physad_dataset_count(ds) + 1) * sizeof(*group));
        check(physad__dataset_groups(ds, group, &groups) == PHYSAD_OK && groups <= physad_dataset_count(ds));
        free(group);
    }
    json_decref(json);
    physad_dataset_free(ds);
    check(physad_context_memory_used(ctx) == 0);
    physad_context_free(ctx);
    return 0;
}
