/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes are a pickle, alone and as the object of a legacy container with one storage. */
#include "fuzz_tensors.h"

#include "io/io_pickle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void alone(const uint8_t *data, size_t size)
{
    physad__mem mem;
    physad__pickle p;
    int32_t root;
    int64_t used;
    physad__mem_init(&mem, NULL, 256 << 20);
    if (physad__pickle_read(&p, &mem, data, (int64_t)size, 0, "fuzz", &root, &used) == PHYSAD_OK) {
        if (used <= 0 || used > (int64_t)size || root < 0 || root >= p.value_count)
            abort();
        physad__pickle_free(&p);
    }
    if (mem.used != 0)
        abort();
}

/* Magic, version and system before it; storage "0" of 16 floats behind. */
static void in_legacy(const uint8_t *data, size_t size)
{
    static const uint8_t before[] = { 0x80, 2,    0x8a, 10,  0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50,
                                      0x19, '.',  0x80, 2,   'M',  0xe9, 3,    '.',  0x80, 2,    '}',  '.' };
    static const uint8_t behind[] = { 0x80, 2, ']', 'U', 1, '0', 'a', '.', 16, 0, 0, 0, 0, 0, 0, 0 };
    const size_t total = sizeof(before) + size + sizeof(behind) + 64;
    uint8_t *file = calloc(1, total);
    if (file == NULL)
        return;
    for (size_t i = 0; i < sizeof(before); i++)
        file[i] = before[i];
    for (size_t i = 0; i < size; i++)
        file[sizeof(before) + i] = data[i];
    for (size_t i = 0; i < sizeof(behind); i++)
        file[sizeof(before) + size + i] = behind[i];
    fuzz_tensors(file, total, 0);
    free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    alone(data, size);
    in_legacy(data, size);
    return 0;
}
