/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/metrics.h"

void physad__names_free(physad__names *names)
{
    for (int64_t i = 0; i < names->count; i++)
        physad__free(names->text[i]);
    physad__free(names->text);
    physad__free(names->slot);
    *names = (physad__names){ .mem = names->mem };
}

static uint64_t hash_text(const char *text)
{
    uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */
    for (; *text != '\0'; text++)
        h = (h ^ (unsigned char)*text) * 0x100000001b3u;
    return h ^ (h >> 32);
}

/* The slot of `text`, or the free one where it belongs. */
static int64_t find_slot(const physad__names *names, const char *text)
{
    int64_t i = (int64_t)(hash_text(text) & (uint64_t)(names->slot_count - 1));
    while (names->slot[i] != 0 && strcmp(names->text[names->slot[i] - 1], text) != 0)
        i = (i + 1) & (names->slot_count - 1);
    return i;
}

static physad_status grow_slots(physad__names *names)
{
    const int64_t count = physad__max(64, names->slot_count * 2);
    int32_t *slot = physad__alloc_array(names->mem, count, sizeof(*slot), "table of names");
    if (slot == NULL)
        return PHYSAD_ERR_NOMEM;
    memset(slot, 0, (size_t)count * sizeof(*slot));
    physad__free(names->slot);
    names->slot = slot;
    names->slot_count = count;
    for (int64_t i = 0; i < names->count; i++)
        slot[find_slot(names, names->text[i])] = (int32_t)i + 1;
    return PHYSAD_OK;
}

physad_status physad__names_intern(physad__names *names, const char *text, int32_t *id)
{
    if (names->count * 2 >= names->slot_count)
        PHYSAD__TRY(grow_slots(names));
    const int64_t slot = find_slot(names, text);
    if (names->slot[slot] == 0) {
        if (names->count == INT32_MAX - 1)
            return physad__error(PHYSAD_ERR_UNSUPPORTED, "more than %d different names", INT32_MAX - 1);
        PHYSAD__TRY(
            physad__grow(names->mem, &names->text, &names->capacity, names->count + 1, sizeof(char *), "names"));
        char *copy = physad__strdup(names->mem, text);
        if (copy == NULL)
            return PHYSAD_ERR_NOMEM;
        names->text[names->count++] = copy;
        names->slot[slot] = (int32_t)names->count;
    }
    *id = names->slot[slot] - 1;
    return PHYSAD_OK;
}

static int compare_texts(int32_t a, int32_t b, const void *user)
{
    char *const *text = user;
    return strcmp(text[a], text[b]);
}

physad_status physad__names_rank(const physad__names *names, int32_t *rank)
{
    int32_t *ids = physad__alloc_array(names->mem, names->count * 2, sizeof(*ids), "order of names");
    if (ids == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; i < names->count; i++)
        ids[i] = (int32_t)i;
    physad__sort_ids(ids, ids + names->count, names->count, compare_texts, names->text);
    for (int64_t i = 0; i < names->count; i++)
        rank[ids[i]] = (int32_t)i;
    physad__free(ids);
    return PHYSAD_OK;
}
