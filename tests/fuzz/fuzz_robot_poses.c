/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a robot's poses, or as its camera: the first byte says which form, the second what is told. */
#include "fuzz_poses.h"

#include <string.h>

static void settle(physad__mem *mem, const physad__pose_rows *rows, const physad__pose_frame *told)
{
    physad__posed *all = physad__alloc_zero(mem, (size_t)rows->count * sizeof(*all), "poses");
    physad__posed **photos = physad__alloc_array(mem, rows->count, sizeof(*photos), "poses");
    const physad__pose_row **given = physad__alloc_array(mem, rows->count, sizeof(*given), "poses");
    physad__pose_found found;
    for (int64_t i = 0; all != NULL && photos != NULL && given != NULL && i < rows->count; i++) {
        all[i].name = "photo";
        photos[i] = &all[i];
        given[i] = &rows->rows[i];
    }
    if (all != NULL && photos != NULL && given != NULL &&
        physad__pose_settle(mem, photos, given, rows->count, told, &found, "fuzz") == PHYSAD_OK) {
        const physad__poses poses = { .photos = all, .n_photos = rows->count };
        check_poses(&poses);
        check(found.frame.direction >= 0 && found.frame.direction <= 2 && found.frame.axes >= 1);
    }
    physad__free(all);
    physad__free(photos);
    physad__free(given);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const suffixes[] = { ".txt", ".csv", ".json", ".npy" };
    if (size < 2)
        return 0;
    physad_context *ctx = limited_context(64);
    const int form = data[0] % 6, said = data[1];
    unsigned char *copy = physad__alloc(&ctx->mem, size - 1, "fuzz");
    check(copy != NULL);
    memcpy(copy, data + 2, size - 2);
    copy[size - 2] = '\0';
    if (form < 4) {
        physad__pose_rows rows;
        const physad__pose_frame told = { said & 1, said >> 1 & 1, said >> 2 & 1, said >> 3 & 1, said >> 4 };
        if (physad__pose_rows_parse(&rows, ctx, copy, size - 2, suffixes[form], "fuzz") == PHYSAD_OK) {
            check(rows.count > 0);
            settle(&ctx->mem, &rows, &told);
        }
        physad__pose_rows_free(&rows);
    } else {
        physad__lens lens;
        physad__pose_frame frame;
        if (physad__pose_camera_parse(&lens, &frame, &ctx->mem, copy, size - 2, form == 5, "fuzz") == PHYSAD_OK &&
            physad__lens_fit(&lens, 640, 480, "fuzz") == PHYSAD_OK)
            check(lens.width == 640 && lens.height == 480 && lens.fx > 0);
    }
    physad__free(copy);
    check(physad_context_memory_used(ctx) == 0);
    physad_context_free(ctx);
    return 0;
}
