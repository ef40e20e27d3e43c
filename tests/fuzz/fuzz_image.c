/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a photo: a status and no leak, whatever they are; what is read can be written and read again. */
#include "fuzz.h"

#include "io/io.h"

#include <zlib.h>

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

/* PNG: with right checksums, or mutations would get no further than the first chunk. */
static void repair_checksums(uint8_t *data, size_t size)
{
    size_t at = 8;
    while (size >= 12 && at <= size - 12) {
        const size_t length =
            (size_t)data[at] << 24 | (size_t)data[at + 1] << 16 | (size_t)data[at + 2] << 8 | data[at + 3];
        if (length > size - 12 - at)
            return;
        const uint32_t crc = (uint32_t)crc32(0, data + at + 4, (uInt)length + 4);
        for (int i = 0; i < 4; i++)
            data[at + 8 + length + (size_t)i] = (uint8_t)(crc >> (24 - 8 * i));
        at += 12 + length;
    }
}

static void read_all_ways(const uint8_t *data, size_t size)
{
    physad_context *ctx = limited_context(64);
    for (int way = 0; way < 3; way++) {
        physad_image_options o = PHYSAD_IMAGE_OPTIONS_INIT;
        physad_image *image;
        o.max_pixels = way == 2 ? UINT64_MAX : 1 << 20; /* the memory limit stands before the other one */
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
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_all_ways(data, size);
    if (size < 8 || memcmp(data, "\x89PNG", 4) != 0)
        return 0;
    uint8_t *repaired = malloc(size);
    check(repaired != NULL);
    memcpy(repaired, data, size);
    repair_checksums(repaired, size);
    read_all_ways(repaired, size);
    free(repaired);
    return 0;
}
