/* SPDX-License-Identifier: Apache-2.0 */
/* Making and describing features: options, layers, weights, reduction. */
#include "io/io.h"
#include "nn/nn_features.h"

#include <physad/weights.h>

#include <math.h>

enum { SIDE_LEAST = 32, SIDE_MOST = 8192, DIM_MOST = 1 << 16, PATH_BYTES = 4096 };

/* --- options --- */

static physad_status check_range(const char *name, int64_t value, int64_t most, const char *kind)
{
    if (value >= 0 && value <= most)
        return PHYSAD_OK;
    return physad__error(PHYSAD_ERR_ARG, "physad_features_options: %s is %lld, want %s (0 to %lld)", name,
                         (long long)value, kind, (long long)most);
}

static physad_status check_side(const char *name, int64_t side)
{
    if (side >= SIDE_LEAST && side <= SIDE_MOST)
        return PHYSAD_OK;
    return physad__error(PHYSAD_ERR_ARG, "physad_features_options: %s is %lld, want %d to %d", name, (long long)side,
                         SIDE_LEAST, SIDE_MOST);
}

static physad_status check_options(physad_features_options *o, const physad__backbone *b)
{
    PHYSAD__TRY(check_range("pool", o->pool, PHYSAD_FEATURES_POOL_UNFOLD, "PHYSAD_FEATURES_POOL_*"));
    PHYSAD__TRY(check_range("upsample", o->upsample, PHYSAD_UPSAMPLE_NEAREST, "PHYSAD_UPSAMPLE_*"));
    PHYSAD__TRY(check_range("reduce", o->reduce, PHYSAD_REDUCE_PROJECTION, "PHYSAD_REDUCE_*"));
    PHYSAD__TRY(check_range("reduce_dim", o->reduce_dim, DIM_MOST, "dimensions"));
    PHYSAD__TRY(check_range("unfold_dim", o->unfold_dim, DIM_MOST, "dimensions"));
    if (o->precision != 0 && o->precision != PHYSAD_F32 && o->precision != PHYSAD_BF16)
        return physad__error(PHYSAD_ERR_ARG,
                             "physad_features_options: precision is %d (%s), want PHYSAD_F32 or PHYSAD_BF16",
                             o->precision, physad_dtype_name(o->precision));
    if ((o->reduce == PHYSAD_REDUCE_NONE) != (o->reduce_dim == 0))
        return physad__error(PHYSAD_ERR_ARG,
                             "physad_features_options: reduce is %d and reduce_dim %lld, want both or neither",
                             o->reduce, (long long)o->reduce_dim);
    if (o->channels != NULL && o->reduce != PHYSAD_REDUCE_SUBSET)
        return physad__error(PHYSAD_ERR_ARG,
                             "physad_features_options: channels are given, but reduce is not PHYSAD_REDUCE_SUBSET");
    o->precision = o->precision == 0 ? PHYSAD_F32 : o->precision;
    o->unfold_dim = o->unfold_dim == 0 ? 1024 : o->unfold_dim;
    o->height = o->height == 0 ? b->info.input_size : o->height;
    o->width = o->width == 0 ? o->height : o->width;
    PHYSAD__TRY(check_side("height", o->height));
    return check_side("width", o->width);
}

/* --- layers --- */

static physad_status unknown_layer(const physad__backbone *b, const char *name)
{
    const char *names[64];
    const int64_t count = physad__min(b->info.layer_count, 64);
    for (int64_t i = 0; i < count; i++)
        names[i] = b->info.layers[i].name;
    const char *near = physad__nearest_name(name, names, count);
    return physad__error(PHYSAD_ERR_ARG, "layer \"%s\" is none of %s's%s%s%s; physad_backbone_describe() lists them",
                         name, b->info.name, near != NULL ? ", did you mean \"" : "", near != NULL ? near : "",
                         near != NULL ? "\"" : "");
}

static physad_status add_layer(physad_features *f, const char *text, size_t length)
{
    char name[32];
    physad__snprintf(name, sizeof(name), "%.*s", (int)physad__min((int64_t)length, 31), text);
    const int32_t value = length < sizeof(name) && length > 0 ? physad__nn_find(&f->graph, name) : -1;
    if (value < 0)
        return unknown_layer(f->backbone, name);
    for (int64_t i = 0; i < f->layer_count; i++)
        if (f->taps[i] == value)
            return physad__error(PHYSAD_ERR_ARG, "layer \"%s\" is wanted twice", name);
    if (f->layer_count == PHYSAD__JOIN_LAYERS)
        return physad__error(PHYSAD_ERR_ARG, "more than %d layers are wanted", PHYSAD__JOIN_LAYERS);
    f->taps[f->layer_count++] = value;
    return PHYSAD_OK;
}

static physad_status parse_layers(physad_features *f, const char *text)
{
    const char *at = text != NULL ? text : f->backbone->info.default_layers;
    for (;;) {
        const size_t length = strcspn(at, ",");
        PHYSAD__TRY(add_layer(f, at, length));
        if (at[length] == '\0')
            return PHYSAD_OK;
        at += length + 1;
    }
}

/* --- weights --- */

static bool is_path(const char *spec)
{
    return strchr(spec, '/') != NULL || physad__has_suffix(spec, ".safetensors") || physad__has_suffix(spec, ".pth") ||
           physad__has_suffix(spec, ".pt") || physad__has_suffix(spec, ".ckpt") || physad__has_suffix(spec, ".bin");
}

physad_status physad__weights_file(physad_context *ctx, const char *spec, const char *backbone, char *path, size_t size)
{
    if (spec == NULL || !is_path(spec))
        return physad_weights_find(ctx, spec != NULL ? spec : backbone, NULL, path, size);
    const size_t length = strlen(spec);
    if (length >= size)
        return physad__error(PHYSAD_ERR_ARG, "weights: a path of %zu bytes is too long, want less than %zu", length,
                             size);
    memcpy(path, spec, length + 1);
    return PHYSAD_OK;
}

/* "random" (the context's seed) or "random:SEED". */
static physad_status parse_random(physad_features *f, const char *spec, bool *random)
{
    int64_t seed;
    *random = strncmp(spec, "random", 6) == 0 && (spec[6] == '\0' || spec[6] == ':');
    if (!*random)
        return PHYSAD_OK;
    f->seed = f->ctx->seed;
    if (spec[6] == ':') {
        if (!physad__parse_int(spec + 7, &seed) || seed < 0)
            return physad__error(PHYSAD_ERR_ARG,
                                 "weights \"%s\": want \"random:SEED\" with a whole number that is not negative", spec);
        f->seed = (uint64_t)seed;
    }
    f->weights = physad__format(&f->ctx->mem, "random:%llu", (unsigned long long)f->seed);
    return f->weights != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
}

static physad_status open_weights(physad_features *f, const char *spec, physad__nn_state *state,
                                  physad__nn_source *source)
{
    char path[PATH_BYTES];
    bool random = false;
    if (spec != NULL)
        PHYSAD__TRY(parse_random(f, spec, &random));
    if (random) {
        *source = physad__nn_random_source(&f->seed);
        return PHYSAD_OK;
    }
    PHYSAD__TRY(physad__weights_file(f->ctx, spec, f->backbone->info.name, path, sizeof(path)));
    f->weights = physad__strdup(&f->ctx->mem, path);
    if (f->weights == NULL)
        return PHYSAD_ERR_NOMEM;
    PHYSAD__TRY(physad_tensors_open(&f->tensors, f->ctx, f->weights, NULL));
    PHYSAD__TRY(physad__nn_state_init(state, f->tensors, f->backbone, &f->graph, "", f->weights, true));
    *source = physad__nn_state_source(state);
    return PHYSAD_OK;
}

/* --- reduction --- */

static physad_status check_channels(const physad_features_options *o, int64_t width, bool *seen)
{
    for (int64_t i = 0; i < o->reduce_dim; i++) {
        const int64_t c = o->channels[i];
        if (c < 0 || c >= width || seen[c])
            return physad__error(PHYSAD_ERR_ARG,
                                 "physad_features_options: channels[%lld] is %lld, want each of 0 to %lld at most once",
                                 (long long)i, (long long)c, (long long)width - 1);
        seen[c] = true;
    }
    return PHYSAD_OK;
}

/* Those drawn first of a shuffle, in ascending order. */
static physad_status draw_channels(physad_features *f, uint64_t seed, int64_t width, int64_t count, bool *seen)
{
    int64_t *all = physad__alloc_array(&f->ctx->mem, width, sizeof(*all), "channels"), at = 0;
    physad__rng rng;
    if (all == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; i < width; i++)
        all[i] = i;
    physad__rng_seed(&rng, seed, 0);
    physad__rng_shuffle(&rng, all, width);
    for (int64_t i = 0; i < count; i++)
        seen[all[i]] = true;
    for (int64_t i = 0; i < width; i++)
        if (seen[i])
            f->channels[at++] = i;
    physad__free(all);
    return PHYSAD_OK;
}

static physad_status choose_channels(physad_features *f, const physad_features_options *o, int64_t width)
{
    bool *seen = physad__alloc_zero(&f->ctx->mem, (size_t)width, "channels");
    f->channels = physad__alloc_array(&f->ctx->mem, o->reduce_dim, sizeof(*f->channels), "channels");
    physad_status status = seen != NULL && f->channels != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    if (status == PHYSAD_OK && o->channels != NULL) {
        status = check_channels(o, width, seen);
        memcpy(f->channels, o->channels, (size_t)o->reduce_dim * sizeof(*f->channels));
    } else if (status == PHYSAD_OK) {
        status = draw_channels(f, o->reduce_seed, width, o->reduce_dim, seen);
    }
    physad__free(seen);
    return status;
}

static physad_status projection_get(void *user, const char *name, int32_t ndim, const int64_t *shape, float *buffer,
                                    const float **data)
{
    const uint64_t *seed = user;
    const double scale = 1 / sqrt((double)shape[0]);
    physad__rng rng;
    physad__rng_seed(&rng, *seed, 1);
    for (int64_t i = 0; i < shape[0] * shape[1]; i++)
        buffer[i] = (float)(scale * physad__rng_normal(&rng));
    *data = buffer;
    return PHYSAD_OK;
}

/* The projection is a net of one 1 x 1 convolution over the joined map. */
static physad_status make_projection(physad_features *f, const physad_features_options *o, int64_t width)
{
    uint64_t seed = o->reduce_seed;
    const physad__nn_source source = { projection_get, &seed };
    physad__nn_graph g;
    physad__nn_graph_init(&g, &f->ctx->mem);
    const int32_t tap = physad__nn_conv(&g, physad__nn_input(&g, width), "projection", o->reduce_dim, 1, 1, 1);
    const physad__nn_config config = { f->join.shape[0][0], f->join.shape[0][1], PHYSAD_F32, &tap, 1 };
    const physad_status status = physad__nn_net_new(&f->projection, f->ctx, &g, &config, &source);
    physad__nn_graph_clear(&g);
    return status;
}

static physad_status make_reduction(physad_features *f, const physad_features_options *o)
{
    const int64_t width = physad__join_width(&f->join);
    f->reduce = o->reduce;
    f->dim = o->reduce == PHYSAD_REDUCE_NONE ? width : o->reduce_dim;
    if (o->reduce_dim > width)
        return physad__error(PHYSAD_ERR_ARG, "physad_features_options: reduce_dim is %lld, there are %lld dimensions",
                             (long long)o->reduce_dim, (long long)width);
    if (o->reduce == PHYSAD_REDUCE_SUBSET)
        return choose_channels(f, o, width);
    return o->reduce == PHYSAD_REDUCE_PROJECTION ? make_projection(f, o, width) : PHYSAD_OK;
}

/* --- the handle --- */

typedef struct embedded {
    const physad_tensors *tensors; /* NULL: from a file */
    const char *prefix;
} embedded;

static physad_status build(physad_features *f, physad_features_options *o, const embedded *given)
{
    physad__nn_state state;
    physad__nn_source source;
    PHYSAD__TRY(physad__backbone_find(&f->backbone, o->backbone));
    PHYSAD__TRY(check_options(o, f->backbone));
    PHYSAD__TRY(physad__backbone_build(f->backbone, &f->graph, o->padding));
    PHYSAD__TRY(parse_layers(f, o->layers));
    f->height = o->height;
    f->width = o->width;
    if (given->tensors == NULL) {
        PHYSAD__TRY(open_weights(f, o->weights, &state, &source));
    } else {
        f->given = given->tensors;
        f->prefix = physad__strdup(&f->ctx->mem, given->prefix);
        f->weights = physad__strdup(&f->ctx->mem, o->weights != NULL ? o->weights : "embedded weights");
        if (f->weights == NULL || f->prefix == NULL)
            return PHYSAD_ERR_NOMEM;
        PHYSAD__TRY(physad__nn_state_init(&state, f->given, f->backbone, &f->graph, f->prefix, f->weights, false));
        source = physad__nn_state_source(&state);
    }
    const physad__nn_config config = { o->height, o->width, o->precision, f->taps, f->layer_count };
    PHYSAD__TRY(physad__nn_net_new(&f->net, f->ctx, &f->graph, &config, &source));
    if (f->tensors != NULL || f->given != NULL) /* the net has its own, packed */
        physad__tensors_rest(f->tensors != NULL ? f->tensors : f->given);
    f->join = (physad__join){
        .layer_count = f->layer_count, .pool = o->pool, .upsample = o->upsample, .unfold_dim = o->unfold_dim
    };
    for (int64_t i = 0; i < f->layer_count; i++)
        physad__nn_net_shape(f->net, i, f->join.shape[i]);
    return make_reduction(f, o);
}

static physad_status features_new(physad_features **out, physad_context *ctx, const physad_features_options *options,
                                  const embedded *given)
{
    physad_features_options o = PHYSAD_FEATURES_OPTIONS_INIT;
    physad__call call;
    if (out == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_features_new: out is NULL");
    *out = NULL;
    PHYSAD__TRY(physad__call_begin(&call, ctx, NULL, "physad_features_new"));
    physad_status status = physad__options_read(&o, sizeof(o), sizeof(o), options, "physad_features_options");
    physad_features *f = status == PHYSAD_OK ? physad__alloc_zero(&ctx->mem, sizeof(*f), "features") : NULL;
    if (status == PHYSAD_OK && f == NULL)
        status = PHYSAD_ERR_NOMEM;
    if (status == PHYSAD_OK) {
        f->ctx = physad__context_retain(ctx);
        pthread_mutex_init(&f->lock, NULL);
        physad__nn_graph_init(&f->graph, &ctx->mem);
        status = build(f, &o, given);
        if (status == PHYSAD_OK)
            *out = f;
        else
            physad_features_free(f);
    }
    physad__call_end(&call);
    return status;
}

physad_status physad_features_new(physad_features **out, physad_context *ctx, const physad_features_options *options)
{
    return features_new(out, ctx, options, &(embedded){ NULL, "" });
}

physad_status physad__features_new_from(physad_features **out, physad_context *ctx,
                                        const physad_features_options *options, const physad_tensors *tensors,
                                        const char *prefix)
{
    return features_new(out, ctx, options, &(embedded){ tensors, prefix });
}

void physad_features_free(physad_features *features)
{
    if (features == NULL)
        return;
    while (features->idle != NULL) {
        physad__features_worker *w = features->idle;
        features->idle = w->next;
        physad__features_worker_free(features, w);
    }
    physad__nn_net_free(features->net);
    physad__nn_net_free(features->projection);
    physad__nn_graph_clear(&features->graph);
    physad_tensors_free(features->tensors);
    physad__free(features->weights);
    physad__free(features->prefix);
    physad__free(features->channels);
    pthread_mutex_destroy(&features->lock);
    physad_context *ctx = features->ctx;
    physad__free(features);
    physad_context_free(ctx);
}

/* --- export --- */

typedef struct exporter {
    const physad__nn_source *source;
    physad_tensors *tensors;
    physad__mem *mem;
    const char *prefix;
} exporter;

static physad_status export_one(void *user, const char *name, int32_t ndim, const int64_t *shape)
{
    const exporter *e = user;
    int64_t count = 1;
    const float *data;
    for (int32_t i = 0; i < ndim; i++)
        count *= shape[i];
    float *buffer = physad__alloc_array(e->mem, count, sizeof(*buffer), name);
    char *full = physad__format(e->mem, "%s%s", e->prefix, name);
    physad_status status = buffer != NULL && full != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    if (status == PHYSAD_OK)
        status = e->source->get(e->source->user, name, ndim, shape, buffer, &data);
    if (status == PHYSAD_OK) {
        physad_view view = physad_view_array((void *)(uintptr_t)data, PHYSAD_F32, ndim, shape);
        view.flags |= PHYSAD_VIEW_READONLY;
        status = physad_tensors_add(e->tensors, full, &view);
    }
    physad__free(full);
    physad__free(buffer);
    return status;
}

physad_status physad__features_export(const physad_features *f, physad_tensors *tensors, const char *prefix)
{
    physad__nn_state state;
    physad__nn_source source;
    int32_t deepest = 0;
    if (f->tensors != NULL || f->given != NULL) {
        const bool ours = f->tensors != NULL;
        PHYSAD__TRY(physad__nn_state_init(&state, ours ? f->tensors : f->given, f->backbone, &f->graph,
                                          ours ? "" : f->prefix, f->weights, false));
        source = physad__nn_state_source(&state);
    } else {
        source = physad__nn_random_source(&f->seed);
    }
    for (int64_t i = 0; i < f->layer_count; i++)
        deepest = f->taps[i] > deepest ? f->taps[i] : deepest;
    const exporter e = { &source, tensors, &f->ctx->mem, prefix };
    for (int64_t i = 0; i <= deepest;
         i++) /* the backbones are chains: whatever comes before the deepest layer is needed */
        PHYSAD__TRY(physad__nn_visit_node(&f->graph, i, export_one, (void *)(uintptr_t)&e));
    return PHYSAD_OK;
}

/* --- getters --- */

void physad_features_shape(const physad_features *features, int64_t shape[3])
{
    shape[0] = features != NULL ? features->join.shape[0][0] : 0;
    shape[1] = features != NULL ? features->join.shape[0][1] : 0;
    shape[2] = features != NULL ? features->dim : 0;
}

int64_t physad_features_layer_count(const physad_features *features)
{
    return features != NULL ? features->layer_count : 0;
}

const char *physad_features_layer_name(const physad_features *features, int64_t index)
{
    if (features == NULL || index < 0 || index >= features->layer_count)
        return NULL;
    return features->graph.nodes[features->taps[index]].name;
}

physad_status physad_features_layer_shape(const physad_features *features, int64_t index, int64_t shape[3])
{
    if (features == NULL || shape == NULL || index < 0 || index >= features->layer_count)
        return physad__error(PHYSAD_ERR_ARG, "physad_features_layer_shape: features %p, shape %p, index %lld of %lld",
                             (const void *)features, (const void *)shape, (long long)index,
                             (long long)physad_features_layer_count(features));
    memcpy(shape, features->join.shape[index], sizeof(features->join.shape[index]));
    return PHYSAD_OK;
}

void physad_features_input_size(const physad_features *features, int64_t size[2])
{
    size[0] = features != NULL ? features->height : 0;
    size[1] = features != NULL ? features->width : 0;
}

const char *physad_features_backbone(const physad_features *features)
{
    return features != NULL ? features->backbone->info.name : NULL;
}

const char *physad_features_weights(const physad_features *features)
{
    return features != NULL ? features->weights : NULL;
}
