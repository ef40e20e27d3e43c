/* SPDX-License-Identifier: Apache-2.0 */
/* Protocols of video sets: which of the videos may be trained on. */
#include "data/data_dataset.h"

enum { KEEP, MOVE, DROP };

/* A pool: the samples that one number is drawn for. */
typedef struct draw {
    const physad_dataset *ds;
    const physad_protocol_options *o;
    int64_t *group; /* of each sample */
    int64_t *pool;  /* the first sample of its pool; -1: in none */
    int64_t *order; /* groups of the present pool */
    uint8_t *fate;
} draw;

static bool takes_part(const draw *d, const physad_sample *s)
{
    return d->o->protocol == PHYSAD_PROTOCOL_UNDERSTANDING ? s->split == PHYSAD_SPLIT_TRAIN && s->label == 0
                                                           : s->split == PHYSAD_SPLIT_TEST && s->label == 1;
}

static const char *key_of(const draw *d, const physad_sample *s)
{
    switch (d->o->protocol) {
    case PHYSAD_PROTOCOL_WEAK_PER_TYPE: return s->type;
    case PHYSAD_PROTOCOL_UNDERSTANDING: return s->instance != NULL ? s->instance : "";
    default: return "";
    }
}

static void find_pools(const draw *d)
{
    for (int64_t i = 0; i < d->ds->count; i++) {
        const physad_sample *s = &d->ds->records[i]->sample;
        d->pool[i] = takes_part(d, s) ? i : -1;
        for (int64_t k = 0; k < i && d->pool[i] == i; k++) {
            const physad_sample *t = &d->ds->records[k]->sample;
            if (d->pool[k] == k && strcmp(s->category, t->category) == 0 && strcmp(key_of(d, s), key_of(d, t)) == 0)
                d->pool[i] = k;
        }
    }
}

static uint64_t stream_of(const draw *d, const physad_sample *s)
{
    const char *parts[2] = { s->category, key_of(d, s) };
    uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    for (int k = 0; k < 2; k++) {
        for (const char *p = parts[k]; *p != '\0'; p++)
            h = (h ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
        h = (h ^ 0xff) * UINT64_C(0x100000001b3);
    }
    return h;
}

/* Draws groups of the pool that begins with sample `first` until as many samples as wanted are drawn; one group stays.
 */
static void draw_pool(const draw *d, int64_t first)
{
    physad__rng rng;
    int64_t groups = 0, drawn = 0;
    const bool few = d->o->protocol == PHYSAD_PROTOCOL_UNDERSTANDING;
    physad__rng_seed(&rng, d->o->seed, stream_of(d, &d->ds->records[first]->sample));
    const int64_t wanted = d->o->least + physad__rng_below(&rng, d->o->most - d->o->least + 1);
    for (int64_t i = first; i < d->ds->count; i++) {
        bool seen = d->pool[i] != first;
        for (int64_t k = 0; k < groups && !seen; k++)
            seen = d->order[k] == d->group[i];
        if (!seen)
            d->order[groups++] = d->group[i];
        if (few && d->pool[i] == first)
            d->fate[i] = DROP;
    }
    physad__rng_shuffle(&rng, d->order, groups);
    for (int64_t k = 0; k < groups - (few ? 0 : 1) && drawn < wanted; k++) {
        for (int64_t i = first; i < d->ds->count; i++) {
            if (d->pool[i] != first || d->group[i] != d->order[k])
                continue;
            d->fate[i] = few ? KEEP : MOVE;
            drawn++;
        }
    }
}

static physad_status build(const draw *d, physad_dataset *out)
{
    int64_t pools = 0;
    for (int64_t i = 0; i < d->ds->count; i++)
        pools += d->pool[i] == i;
    if (pools == 0)
        return physad__error(PHYSAD_ERR_STATE, "physad_dataset_protocol: there is no %s to draw from",
                             d->o->protocol == PHYSAD_PROTOCOL_UNDERSTANDING ? "normal training sample"
                                                                             : "anomalous test sample");
    for (int64_t i = 0; i < d->ds->count; i++) {
        physad__record *r = d->ds->records[i];
        if (d->fate[i] == KEEP)
            PHYSAD__TRY(physad__dataset_share(out, r));
        if (d->fate[i] != MOVE)
            continue;
        physad__record moved = *r;
        moved.sample.split = PHYSAD_SPLIT_TRAIN;
        PHYSAD__TRY(physad__dataset_push(out, &moved));
    }
    physad__dataset_sort(out, 0);
    return physad__dataset_recount(out);
}

static physad_status run(physad_dataset *out, draw *d)
{
    const int64_t n = d->ds->count;
    physad__mem *mem = &d->ds->ctx->mem;
    int64_t groups;
    d->group = physad__alloc_array(mem, n, sizeof(int64_t), "protocol");
    d->pool = physad__alloc_array(mem, n, sizeof(int64_t), "protocol");
    d->order = physad__alloc_array(mem, n, sizeof(int64_t), "protocol");
    d->fate = physad__alloc_zero(mem, (size_t)n, "protocol");
    physad_status status = PHYSAD_ERR_NOMEM;
    if (d->group != NULL && d->pool != NULL && d->order != NULL && d->fate != NULL)
        status = physad__dataset_groups(d->ds, d->group, &groups);
    if (status == PHYSAD_OK && d->o->protocol != PHYSAD_PROTOCOL_UNSUPERVISED) {
        find_pools(d);
        for (int64_t i = 0; i < n; i++)
            if (d->pool[i] == i)
                draw_pool(d, i);
        status = build(d, out);
    } else if (status == PHYSAD_OK) {
        for (int64_t i = 0; i < n && status == PHYSAD_OK; i++)
            status = physad__dataset_share(out, d->ds->records[i]);
    }
    physad__free(d->group);
    physad__free(d->pool);
    physad__free(d->order);
    physad__free(d->fate);
    return status;
}

static physad_status read_options(physad_protocol_options *o, const physad_protocol_options *options)
{
    PHYSAD__TRY(physad__options_read(o, sizeof(*o), sizeof(*o), options, "physad_protocol_options"));
    if (o->protocol < PHYSAD_PROTOCOL_UNSUPERVISED || o->protocol > PHYSAD_PROTOCOL_UNDERSTANDING)
        return physad__error(PHYSAD_ERR_ARG, "physad_protocol_options: protocol is %d, want PHYSAD_PROTOCOL_*",
                             o->protocol);
    o->least = o->least == 0 ? 2 : o->least;
    if (o->most == 0)
        o->most = (int32_t)physad__max(4, o->least);
    if (o->least < 1 || o->most < o->least)
        return physad__error(PHYSAD_ERR_ARG, "physad_protocol_options: from %d to %d videos; want 1 or more, in order",
                             o->least, o->most);
    return PHYSAD_OK;
}

physad_status physad_dataset_protocol(physad_dataset **out, const physad_dataset *dataset,
                                      const physad_protocol_options *options)
{
    physad_protocol_options o = PHYSAD_PROTOCOL_OPTIONS_INIT;
    physad_dataset *ds = NULL;
    if (out == NULL || dataset == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_dataset_protocol: %s is NULL", out == NULL ? "out" : "dataset");
    *out = NULL;
    PHYSAD__TRY(physad__context_check(dataset->ctx, "physad_dataset_protocol"));
    PHYSAD__TRY(read_options(&o, options));
    PHYSAD__TRY(physad__dataset_derive(&ds, dataset));
    draw d = { .ds = dataset, .o = &o };
    const physad_status status = run(ds, &d);
    if (status == PHYSAD_OK)
        *out = ds;
    else
        physad_dataset_free(ds);
    return status;
}
