/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a photo: a status and no leak, whatever they are; what is read can be written and read again. */
#include "io/io.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void write_again(physad_context *ctx, const physad_image *image)
{
    const physad_view v = physad_image_view(image);
    const int32_t format = v.dtype == PHYSAD_F32 ? PHYSAD_IMAGE_TIFF : PHYSAD_IMAGE_PNG;
    unsigned char *bytes;
    size_t size;
    physad_image *again;
    if (physad__view_count(&v) > 1 << 16)
        return;
    check(physad__image_encode(&bytes, &size, ctx, format, "again", &v, NULL) == PHYSAD_OK);
    check(physad_image_read_memory(&again, ctx, bytes, size, "again", NULL) == PHYSAD_OK);
    const physad_view w = physad_image_view(again);
    check(w.dtype == v.dtype && memcmp(w.shape, v.shape, sizeof(v.shape)) == 0);
    check(memcmp(w.data, v.data, (size_t)physad__view_count(&v) * physad_dtype_size(v.dtype)) == 0);
    physad_image_free(again);
    physad__free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    physad_context_options co = PHYSAD_CONTEXT_OPTIONS_INIT;
    physad_context *ctx = NULL;
    co.threads = 1;
    co.memory_limit = 64 << 20;
    check(physad_context_new(&ctx, &co) == PHYSAD_OK);
    for (int way = 0; way < 3; way++) {
        physad_image_options o = PHYSAD_IMAGE_OPTIONS_INIT;
        physad_image *image;
        o.max_pixels = 1 << 20;
        o.channels = way == 0 ? PHYSAD_IMAGE_AS_IS : way == 1 ? PHYSAD_IMAGE_RGB : PHYSAD_IMAGE_GRAY;
        o.dtype = way == 1 ? PHYSAD_U8 : 0;
        o.apply_orientation = way == 1;
        o.jpeg_scale = way == 2 ? 4 : 1;
        if (physad_image_read_memory(&image, ctx, data, size, "fuzz", &o) == PHYSAD_OK && way == 0)
            write_again(ctx, image);
        physad_image_free(image);
    }
    check(physad_context_memory_used(ctx) == 0);
    physad_context_free(ctx);
    return 0;
}
