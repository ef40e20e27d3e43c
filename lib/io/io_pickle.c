/* SPDX-License-Identifier: Apache-2.0 */
#include "io/io_pickle.h"

#include <stdio.h>

/* A checkpoint of a large network has some ten thousand values; these bounds keep a hostile one within 1 GiB. */
#define MAX_VALUES ((int64_t)1 << 21)
#define MAX_ITEMS ((int64_t)1 << 24)

enum { FIXED_NONE, FIXED_FALSE, FIXED_TRUE, FIXED_EMPTY, FIXED_COUNT };

physad_status physad__pickle_error(const physad__pickle *p, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    physad__vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return physad__error(PHYSAD_ERR_FORMAT, "%s: pickle at byte %lld: %s", p->name, (long long)(p->base + p->op_at),
                         text);
}

physad_status physad__pickle_new(physad__pickle *p, physad__pickle_kind kind, int32_t *id)
{
    if (p->value_count >= MAX_VALUES)
        return physad__pickle_error(p, "more than %lld values", (long long)MAX_VALUES);
    PHYSAD__TRY(
        physad__grow(p->mem, &p->values, &p->value_capacity, p->value_count + 1, sizeof(*p->values), "pickle values"));
    p->values[p->value_count] =
        (physad__pickle_value){ .kind = (uint8_t)kind, .function = -1, .arguments = -1, .state = -1 };
    *id = (int32_t)p->value_count++;
    return PHYSAD_OK;
}

physad_status physad__pickle_push(physad__pickle *p, int32_t id)
{
    PHYSAD__TRY(
        physad__grow(p->mem, &p->stack, &p->stack_capacity, p->stack_count + 1, sizeof(*p->stack), "pickle stack"));
    p->stack[p->stack_count++] = id;
    return PHYSAD_OK;
}

physad_status physad__pickle_pop(physad__pickle *p, int32_t *id)
{
    if (p->stack_count == 0 || p->stack[p->stack_count - 1] < 0)
        return physad__pickle_error(p, "an opcode needs a value, but the stack has none");
    *id = p->stack[--p->stack_count];
    return PHYSAD_OK;
}

physad_status physad__pickle_marked(physad__pickle *p, int64_t *first)
{
    int64_t i = p->stack_count;
    while (i > 0 && p->stack[i - 1] >= 0)
        i--;
    if (i == 0)
        return physad__pickle_error(p, "an opcode needs a mark, but the stack has none");
    *first = i;
    return PHYSAD_OK;
}

physad_status physad__pickle_append(physad__pickle *p, int32_t container, const int32_t *items, int64_t count)
{
    physad__pickle_value *v = &p->values[container];
    if (count == 0)
        return PHYSAD_OK;
    if (count > MAX_ITEMS - p->item_total)
        return physad__pickle_error(p, "more than %lld items in lists and dictionaries", (long long)MAX_ITEMS);
    PHYSAD__TRY(physad__grow(p->mem, &v->items, &v->capacity, v->count + count, sizeof(*v->items), "pickle items"));
    memcpy(v->items + v->count, items, (size_t)count * sizeof(*items));
    v->count += count;
    p->item_total += count;
    return PHYSAD_OK;
}

void *physad__pickle_block(physad__pickle *p, int64_t size)
{
    if (physad__grow(p->mem, &p->blocks, &p->block_capacity, p->block_count + 1, sizeof(*p->blocks), "pickle text") !=
        PHYSAD_OK)
        return NULL;
    void *block = physad__alloc(p->mem, (size_t)size, "pickle text");
    if (block != NULL)
        p->blocks[p->block_count++] = block;
    return block;
}

/* --- memo: writers count keys up from 0, but any 32-bit key is allowed --- */

static int64_t memo_slot(const physad__pickle *p, uint32_t key)
{
    uint64_t i = (key * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (uint64_t)(p->memo_room - 1);
    while (p->memo_keys[i] != 0 && p->memo_keys[i] != key)
        i = (i + 1) & (uint64_t)(p->memo_room - 1);
    return (int64_t)i;
}

static physad_status memo_widen(physad__pickle *p)
{
    physad__pickle wide = { .memo_room = physad__max(64, p->memo_room * 2) };
    wide.memo_keys = physad__alloc_zero(p->mem, (size_t)wide.memo_room * sizeof(*wide.memo_keys), "pickle memo");
    wide.memo_values = physad__alloc_array(p->mem, wide.memo_room, sizeof(*wide.memo_values), "pickle memo");
    if (wide.memo_keys == NULL || wide.memo_values == NULL) {
        physad__free(wide.memo_keys);
        physad__free(wide.memo_values);
        return PHYSAD_ERR_NOMEM;
    }
    for (int64_t i = 0; i < p->memo_room; i++) {
        if (p->memo_keys[i] == 0)
            continue;
        const int64_t slot = memo_slot(&wide, p->memo_keys[i]);
        wide.memo_keys[slot] = p->memo_keys[i];
        wide.memo_values[slot] = p->memo_values[i];
    }
    physad__free(p->memo_keys);
    physad__free(p->memo_values);
    p->memo_keys = wide.memo_keys;
    p->memo_values = wide.memo_values;
    p->memo_room = wide.memo_room;
    return PHYSAD_OK;
}

physad_status physad__pickle_memo_put(physad__pickle *p, int64_t key, int32_t id)
{
    if (key < 0 || key >= UINT32_MAX)
        return physad__pickle_error(p, "the memo key %lld is out of range", (long long)key);
    if (p->memo_count >= MAX_VALUES)
        return physad__pickle_error(p, "more than %lld memo entries", (long long)MAX_VALUES);
    if (p->memo_count * 2 >= p->memo_room)
        PHYSAD__TRY(memo_widen(p));
    const int64_t slot = memo_slot(p, (uint32_t)key + 1);
    p->memo_count += p->memo_keys[slot] == 0;
    p->memo_keys[slot] = (uint32_t)key + 1;
    p->memo_values[slot] = id;
    return PHYSAD_OK;
}

physad_status physad__pickle_memo_get(physad__pickle *p, int64_t key, int32_t *id)
{
    if (p->memo_room > 0 && key >= 0 && key < UINT32_MAX) {
        const int64_t slot = memo_slot(p, (uint32_t)key + 1);
        if (p->memo_keys[slot] != 0) {
            *id = p->memo_values[slot];
            return PHYSAD_OK;
        }
    }
    return physad__pickle_error(p, "memo entry %lld is read before it is written", (long long)key);
}

/* --- running --- */

static physad_status run(physad__pickle *p, int32_t *root)
{
    int32_t id;
    for (physad__pickle_kind k = PHYSAD__PICKLE_NONE; p->value_count < FIXED_COUNT; k = PHYSAD__PICKLE_BOOL)
        PHYSAD__TRY(physad__pickle_new(p, k, &id));
    p->values[FIXED_TRUE].integer = 1;
    p->values[FIXED_EMPTY].kind = PHYSAD__PICKLE_TUPLE;
    while (!p->stopped) {
        p->op_at = p->at;
        if (p->at >= p->size)
            return physad__pickle_error(p, "the data end before the pickle does");
        const uint8_t code = p->data[p->at++];
        PHYSAD__TRY(physad__pickle_step(p, code));
    }
    return physad__pickle_pop(p, root);
}

physad_status physad__pickle_read(physad__pickle *p, physad__mem *mem, const uint8_t *data, int64_t size, int64_t base,
                                  const char *name, int32_t *root, int64_t *used)
{
    *p = (physad__pickle){ .mem = mem, .name = name, .data = data, .size = size, .base = base };
    const physad_status status = run(p, root);
    if (status != PHYSAD_OK) {
        physad__pickle_free(p);
        return status;
    }
    *used = p->at;
    return PHYSAD_OK;
}

void physad__pickle_free(physad__pickle *p)
{
    for (int64_t i = 0; i < p->value_count; i++)
        physad__free(p->values[i].items);
    for (int64_t i = 0; i < p->block_count; i++)
        physad__free(p->blocks[i]);
    physad__free(p->blocks);
    physad__free(p->values);
    physad__free(p->stack);
    physad__free(p->memo_keys);
    physad__free(p->memo_values);
    *p = (physad__pickle){ .mem = NULL };
}

/* --- looking at values --- */

bool physad__pickle_text_is(const physad__pickle *p, int32_t id, const char *text)
{
    if (id < 0 || p->values[id].kind != PHYSAD__PICKLE_TEXT)
        return false;
    const int64_t n = (int64_t)strlen(text);
    return p->values[id].length == n && memcmp(p->values[id].text, text, (size_t)n) == 0;
}

bool physad__pickle_is_global(const physad__pickle *p, int32_t id, const char *module, const char *name)
{
    return id >= 0 && p->values[id].kind == PHYSAD__PICKLE_GLOBAL &&
           physad__pickle_text_is(p, p->values[id].function, module) &&
           physad__pickle_text_is(p, p->values[id].arguments, name);
}

int32_t physad__pickle_get(const physad__pickle *p, const int32_t *items, int64_t count, const char *key)
{
    for (int64_t i = count - 2; i >= 0; i -= 2)
        if (physad__pickle_text_is(p, items[i], key))
            return items[i + 1];
    return -1;
}
