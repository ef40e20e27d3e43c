/* SPDX-License-Identifier: Apache-2.0 */
/* Every heap block of the library starts with a 64-byte header that says whose it is and how large, so that freeing
 * needs no context and the memory limit is exact. */
#include "base/base.h"

#include <stdio.h>
#include <stdlib.h>

#define ALIGN 64

typedef struct header {
    physad__mem *mem;
    void *block; /* what the allocator gave */
    size_t size; /* what the allocator was asked for */
} header;

_Static_assert(sizeof(header) <= ALIGN, "the header fits before an aligned block");

static void *default_alloc(size_t size, void *user)
{
    return malloc(size);
}

static void default_free(void *ptr, size_t size, void *user)
{
    free(ptr);
}

void physad__mem_init(physad__mem *mem, const physad_allocator *allocator, uint64_t limit)
{
    if (allocator != NULL)
        mem->allocator = *allocator;
    else
        mem->allocator = (physad_allocator){ default_alloc, default_free, NULL };
    mem->limit = limit;
    atomic_init(&mem->used, 0);
    atomic_init(&mem->peak, 0);
}

static bool reserve(physad__mem *mem, uint64_t size)
{
    const uint64_t used = atomic_fetch_add(&mem->used, size) + size;
    if (mem->limit != 0 && used > mem->limit) {
        atomic_fetch_sub(&mem->used, size);
        return false;
    }
    uint64_t peak = atomic_load(&mem->peak);
    while (used > peak && !atomic_compare_exchange_weak(&mem->peak, &peak, used))
        ;
    return true;
}

/* Where the data of a block begins: aligned, with room for the header before it. */
static char *data_of(void *block)
{
    char *data = (char *)(((uintptr_t)block + 2 * ALIGN - 1) / ALIGN * ALIGN);
    return (uintptr_t)data - (uintptr_t)block < sizeof(header) ? data + ALIGN : data;
}

void *physad__alloc(physad__mem *mem, size_t size, const char *what)
{
    const size_t total = size + 2 * ALIGN;
    if (total < size || size > (size_t)INT64_MAX / 2) {
        physad__error(PHYSAD_ERR_NOMEM, "%s: %zu bytes are more than any machine has", what, size);
        return NULL;
    }
    if (!reserve(mem, total)) {
        physad__error(PHYSAD_ERR_NOMEM, "%s: %zu bytes wanted, %llu in use, the memory limit is %llu", what, size,
                      (unsigned long long)atomic_load(&mem->used), (unsigned long long)mem->limit);
        return NULL;
    }
    void *block = mem->allocator.alloc(total, mem->allocator.user);
    if (block == NULL) {
        atomic_fetch_sub(&mem->used, total);
        physad__error(PHYSAD_ERR_NOMEM, "%s: no memory for %zu bytes", what, size);
        return NULL;
    }
    char *data = data_of(block);
    *(header *)(void *)(data - ALIGN) = (header){ mem, block, total };
    return data;
}

/* By the C library's own realloc(), which moves the pages of a large block instead of their content: the peak is one
 * block, not two. */
static void *realloc_in_place(physad__mem *mem, char *old, size_t size, const char *what)
{
    const header h = *(const header *)(const void *)(old - ALIGN);
    const size_t offset = (size_t)(old - (char *)h.block), kept = h.size - 2 * ALIGN < size ? h.size - 2 * ALIGN : size;
    const size_t total = size + 2 * ALIGN, more = total > h.size ? total - h.size : 0;
    if (!reserve(mem, more)) {
        physad__error(PHYSAD_ERR_NOMEM, "%s: %zu bytes wanted, %llu in use, the memory limit is %llu", what, size,
                      (unsigned long long)atomic_load(&mem->used), (unsigned long long)mem->limit);
        return NULL;
    }
    char *block = realloc(h.block, total);
    if (block == NULL) {
        atomic_fetch_sub(&mem->used, more);
        physad__error(PHYSAD_ERR_NOMEM, "%s: no memory for %zu bytes", what, size);
        return NULL;
    }
    if (total < h.size)
        atomic_fetch_sub(&mem->used, h.size - total);
    char *data = data_of(block);
    if (data != block + offset)
        memmove(data, block + offset, kept);
    *(header *)(void *)(data - ALIGN) = (header){ mem, block, total };
    return data;
}

void *physad__realloc(physad__mem *mem, void *old, size_t size, const char *what)
{
    if (old != NULL && mem->allocator.alloc == default_alloc && size <= (size_t)INT64_MAX / 2)
        return realloc_in_place(mem, old, size, what);
    void *fresh = physad__alloc(mem, size, what);
    if (fresh == NULL || old == NULL)
        return fresh;
    const size_t held = ((const header *)(const void *)((const char *)old - ALIGN))->size - 2 * ALIGN;
    memcpy(fresh, old, held < size ? held : size);
    physad__free(old);
    return fresh;
}

void *physad__alloc_zero(physad__mem *mem, size_t size, const char *what)
{
    void *data = physad__alloc(mem, size, what);
    if (data != NULL)
        memset(data, 0, size);
    return data;
}

bool physad__mul_overflow(int64_t a, int64_t b, int64_t *product)
{
    return a < 0 || b < 0 || __builtin_mul_overflow(a, b, product);
}

void *physad__alloc_array(physad__mem *mem, int64_t count, size_t size, const char *what)
{
    int64_t bytes;
    if (physad__mul_overflow(count, (int64_t)size, &bytes)) {
        physad__error(PHYSAD_ERR_NOMEM, "%s: %lld elements of %zu bytes are more than any machine has", what,
                      (long long)count, size);
        return NULL;
    }
    return physad__alloc(mem, (size_t)bytes, what);
}

physad_status physad__grow(physad__mem *mem, void *block, int64_t *capacity, int64_t count, size_t size,
                           const char *what)
{
    void *old;
    if (count <= *capacity)
        return PHYSAD_OK;
    memcpy(&old, block, sizeof(old));
    const int64_t grown = physad__max(count, *capacity > INT64_MAX / 4 ? count : *capacity * 2);
    int64_t bytes;
    if (physad__mul_overflow(physad__max(grown, 8), (int64_t)size, &bytes))
        return physad__error(PHYSAD_ERR_NOMEM, "%s: %lld elements of %zu bytes are more than any machine has", what,
                             (long long)grown, size);
    void *fresh = physad__realloc(mem, old, (size_t)bytes, what);
    if (fresh == NULL)
        return PHYSAD_ERR_NOMEM;
    memcpy(block, &fresh, sizeof(fresh));
    *capacity = physad__max(grown, 8);
    return PHYSAD_OK;
}

char *physad__strndup(physad__mem *mem, const char *text, size_t length)
{
    char *copy = physad__alloc(mem, length + 1, "text");
    if (copy != NULL) {
        memcpy(copy, text, length);
        copy[length] = '\0';
    }
    return copy;
}

char *physad__strdup(physad__mem *mem, const char *text)
{
    return physad__strndup(mem, text, strlen(text));
}

char *physad__format(physad__mem *mem, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const int length = physad__vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0) {
        physad__error(PHYSAD_ERR_INTERNAL, "cannot format \"%s\"", format);
        return NULL;
    }
    char *text = physad__alloc(mem, (size_t)length + 1, "text");
    if (text != NULL) {
        va_start(args, format);
        physad__vsnprintf(text, (size_t)length + 1, format, args);
        va_end(args);
    }
    return text;
}

void physad__free(void *ptr)
{
    if (ptr == NULL)
        return;
    const header h = *(header *)(void *)((char *)ptr - ALIGN);
    h.mem->allocator.free(h.block, h.size, h.mem->allocator.user);
    atomic_fetch_sub(&h.mem->used, h.size);
}
