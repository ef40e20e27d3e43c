/* SPDX-License-Identifier: Apache-2.0 */
/* PatchCore (Roth et al., "Towards Total Recall in Industrial Anomaly Detection", CVPR 2022): a coreset of the normal
 * photos' patch features; a patch is as anomalous as its distance to the nearest of them.
 *
 * Ours beyond the paper: distances are judged by the place in the photo (`calibrate=position`). Normal patches at a
 * photo's border, or where a thing's outline lies, are farther from each other than those within; the mean and spread
 * of these distances, taken from training photos against the coreset without their own patches, turn a distance into a
 * number of standard deviations. On surfaces, where things of one kind differ much among themselves, defects painted
 * over the normal photos teach a small network which differences from the photo's mean are defects (`learn`); its
 * judgement, likewise in deviations, is added. */
#include "detect/detect_learn.h"

#include <math.h>
#include <stdlib.h>

static const physad__option rows[] = {
    { "preset", PHYSAD_OPTION_CHOICE, "physad", 0, 0, "physad|anomalib|original",
      "whose variant: sets the other options that are not set by name", NULL },
    { "coreset_ratio", PHYSAD_OPTION_REAL, "0.1", 1e-6, 1, NULL, "share of the patches kept in the bank",
      "PatchCore-10%" },
    { "projection", PHYSAD_OPTION_CHOICE, "none", 0, 0, "none|sparse", "space in which the coreset is picked", NULL },
    { "neighbors", PHYSAD_OPTION_INT, "1", 1, 50, NULL,
      "bank patches around the nearest one that weight the score of `score=patch`; 1: no weight", NULL },
    { "distance", PHYSAD_OPTION_CHOICE, "euclidean", 0, 0, "euclidean|squared", "of a patch to its nearest in the bank",
      "PatchCore" },
    { "calibrate", PHYSAD_OPTION_CHOICE, "position", 0, 0, "none|position", "judge distances by the place in the photo",
      NULL },
    { "calibration_photos", PHYSAD_OPTION_INT, "48", 2, 100000, NULL,
      "training photos that `calibrate` looks at, at most", NULL },
    { "score", PHYSAD_OPTION_CHOICE, "map", 0, 0, "map|patch|top",
      "of a photo: greatest value of the smooth map, greatest patch "
      "distance, or mean of the greatest patches",
      NULL },
    { "top_share", PHYSAD_OPTION_REAL, "0.01", 1e-6, 1, NULL, "share of the patches that `score=top` averages", NULL },
    { "upsample", PHYSAD_OPTION_CHOICE, "bilinear", 0, 0, "bilinear|nearest", "of the map to the input size", NULL },
    { "blur", PHYSAD_OPTION_REAL, "4", 0, 100, NULL, "standard deviation of the map's Gaussian blur in input pixels",
      "PatchCore" },
    { "blur_border", PHYSAD_OPTION_CHOICE, "mirror", 0, 0, "mirror|repeat",
      "beyond the border: the edge once, or twice", NULL },
    { "texture", PHYSAD_OPTION_CHOICE, "auto", 0, 0, "none|auto|local",
      "compare local brightness and contrast too, against the photo's; "
      "auto: where the training photos are of a surface, and their features are not kept",
      NULL },
    { "learn", PHYSAD_OPTION_CHOICE, "auto", 0, 0, "none|auto|painted",
      "learn from defects painted over the training photos which "
      "differences count, and judge by that too; auto: where texture is in use and distances are calibrated",
      NULL },
    { "learn_weight", PHYSAD_OPTION_REAL, "1", 0, 100, NULL,
      "weight of that judgement against the distance, both as deviations", NULL },
    { "keep_features", PHYSAD_OPTION_BOOL, "false", 0, 0, NULL,
      "keep the features of all normal samples in the model, so that samples can be added and removed", NULL },
};

static const physad__preset presets[] = {
    /* anomalib's torch_model.py; use it with backbone wide_resnet50_2 and input 256 for its published figures */
    { "anomalib", "projection", "sparse" },
    { "anomalib", "neighbors", "9" },
    { "anomalib", "calibrate", "none" },
    { "anomalib", "score", "patch" },
    { "anomalib", "upsample", "nearest" },
    { "anomalib", "texture", "none" },
    { "anomalib", "learn", "none" },
    /* amazon-science/patchcore-inspection */
    { "original", "projection", "sparse" },
    { "original", "distance", "squared" },
    { "original", "calibrate", "none" },
    { "original", "score", "patch" },
    { "original", "pool", "unfold" },
    { "original", "blur_border", "repeat" },
    { "original", "texture", "none" },
    { "original", "learn", "none" },
};

typedef struct patchcore {
    physad_context *ctx;
    physad_bank *bank;
    int64_t cells;
    float *mean, *inverse; /* per cell: of the normals' distances, 1 / spread; NULL: not calibrated */
    physad__learned *learned; /* NULL: nothing was */
} patchcore;

static void patchcore_free(void *state)
{
    patchcore *p = state;
    physad_bank_free(p->bank);
    physad__free(p->mean);
    physad__free(p->inverse);
    physad__learned_free(p->learned);
    physad__free(p);
}

/* --- fitting --- */

static physad_status pick_coreset(const physad_detector *det, const physad_bank *store, physad_bank **out,
                                  physad__call *call)
{
    physad_coreset_options o = PHYSAD_CORESET_OPTIONS_INIT;
    physad_call_options inner = PHYSAD_CALL_OPTIONS_INIT;
    int64_t n;
    o.ratio = physad__option_real(det, "coreset_ratio");
    o.projection = physad__option_is(det, "projection", "sparse") ? PHYSAD_PROJECTION_SPARSE : PHYSAD_PROJECTION_NONE;
    o.flags = PHYSAD_CORESET_SEED;
    o.seed = det->seed;
    inner.progress = call->progress;
    inner.progress_user = call->user;
    PHYSAD__TRY(physad_bank_coreset_count(store, &o, &n));
    int64_t *picks = physad__alloc_array(&det->ctx->mem, n, sizeof(*picks), "coreset");
    if (picks == NULL)
        return PHYSAD_ERR_NOMEM;
    const physad_view v = physad_view_array(picks, PHYSAD_I64, 1, &n);
    physad_status status = PHYSAD_OK;
    if (n == physad_bank_count(store)) /* all of it: no order to find */
        for (int64_t i = 0; i < n; i++)
            picks[i] = i;
    else
        status = physad_bank_coreset(store, &v, NULL, &o, &inner);
    if (status == PHYSAD_OK)
        status = physad_bank_select(out, store, &v);
    physad__free(picks);
    return status;
}

/* Distances of `n` patches of one sample to the nearest bank row of another group (another exposure of the same thing
 * would be too near); where the nearest `k` are all the group's own, the last of them bounds it from below. */
static physad_status foreign_distances(const physad_detector *det, const patchcore *p, const float *queries, int64_t n,
                                       int64_t sample, float *out, physad__call *call)
{
    char *const *groups = det->origin->groups;
    const int32_t k = (int32_t)physad__min(48, physad_bank_count(p->bank));
    physad__call quiet = *call; /* the search would report itself in place of the stage */
    quiet.progress = NULL;
    physad__mem *mem = &p->ctx->mem;
    double *squared = physad__alloc_array(mem, n * k, sizeof(*squared), "distances");
    int64_t *index = physad__alloc_array(mem, n * k, sizeof(*index), "distances");
    physad_status status = squared != NULL && index != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    if (status == PHYSAD_OK)
        status = physad__bank_search(p->bank, queries, n, k, squared, index, &quiet);
    for (int64_t i = 0; status == PHYSAD_OK && i < n; i++) {
        int32_t j = 0;
        while (j < k - 1 && strcmp(groups[physad_bank_sample(p->bank, index[i * k + j])], groups[sample]) == 0)
            j++;
        out[i] = (float)sqrt(squared[i * k + j]);
    }
    physad__free(squared);
    physad__free(index);
    return status;
}

static physad_status collect_moments(const physad_detector *det, const patchcore *p, const physad_bank *store,
                                     physad__moments *m, physad__call *call)
{
    physad__mem *mem = &det->ctx->mem;
    const int64_t count = physad_bank_count(store), dim = physad_bank_dim(store);
    const int64_t most = physad__option_int(det, "calibration_photos");
    const bool squared = physad__option_is(det, "distance", "squared");
    int64_t samples = 0;
    physad_view view;
    PHYSAD__TRY(physad_bank_rows(store, &view));
    for (int64_t i = 0; i < count; i++)
        samples += i == 0 || physad_bank_sample(store, i) != physad_bank_sample(store, i - 1);
    float *distance = physad__alloc_array(mem, p->cells, sizeof(*distance), "distances");
    physad_status status = distance != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    physad__call_stage(call, "positions", samples);
    for (int64_t row = 0, s = 0; status == PHYSAD_OK && row < count; s++) {
        const int64_t sample = physad_bank_sample(store, row);
        int64_t n = 0;
        while (row + n < count && physad_bank_sample(store, row + n) == sample)
            n++;
        /* Photos evenly from first to last: s goes in when it starts another of `most` shares. */
        if (samples <= most || s * most / samples != (s - 1) * most / samples || s == 0) {
            status = foreign_distances(det, p, (const float *)view.data + row * dim, n, sample, distance, call);
            for (int64_t i = 0; status == PHYSAD_OK && i < n; i++) {
                const int64_t cell = physad_bank_position(store, row + i);
                const double d = squared ? (double)distance[i] * (double)distance[i] : (double)distance[i];
                physad__moments_add(m, cell, d);
            }
        }
        row += n;
        if (status == PHYSAD_OK)
            status = physad__call_tick(call, s + 1);
    }
    physad__free(distance);
    return status;
}

static physad_status calibrate_positions(const physad_detector *det, patchcore *p, const physad__frontend *front,
                                         const physad_bank *store, physad__call *call)
{
    physad__mem *mem = &det->ctx->mem;
    char *const *groups = det->origin->groups;
    const char *first = groups[physad_bank_sample(store, 0)];
    int64_t row = 1;
    while (row < physad_bank_count(store) && strcmp(groups[physad_bank_sample(store, row)], first) == 0)
        row++;
    if (row == physad_bank_count(store))
        return PHYSAD_OK; /* one thing: nothing to compare it with */
    physad__moments m;
    PHYSAD__TRY(physad__moments_new(&m, mem, p->cells));
    p->mean = physad__alloc_array(mem, p->cells, sizeof(*p->mean), "positions");
    p->inverse = physad__alloc_array(mem, p->cells, sizeof(*p->inverse), "positions");
    physad_status status = p->mean != NULL && p->inverse != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    if (status == PHYSAD_OK)
        status = collect_moments(det, p, store, &m, call);
    if (status == PHYSAD_OK && !physad__moments_settle(&m, front->height, front->width, p->mean, p->inverse))
        status = physad__error(PHYSAD_ERR_NUMERIC,
                               "patchcore: all normal patches are equally far from each other; use calibrate=none");
    physad__moments_free(&m);
    return status;
}

static physad_status new_state(patchcore **out, const physad_detector *det, const physad__frontend *front)
{
    *out = physad__alloc_zero(&det->ctx->mem, sizeof(**out), "patchcore");
    if (*out == NULL)
        return PHYSAD_ERR_NOMEM;
    (*out)->ctx = det->ctx;
    (*out)->cells = front->height * front->width;
    return PHYSAD_OK;
}

static physad_status patchcore_fit(const physad_detector *det, const physad__frontend *front, const physad_bank *store,
                                   physad__call *call, void **state)
{
    patchcore *p;
    PHYSAD__TRY(new_state(&p, det, front));
    physad_status status = pick_coreset(det, store, &p->bank, call);
    if (status == PHYSAD_OK)
        status = physad_bank_prepare(p->bank, NULL);
    if (status == PHYSAD_OK && physad__option_is(det, "calibrate", "position"))
        status = calibrate_positions(det, p, front, store, call);
    if (status != PHYSAD_OK) {
        patchcore_free(p);
        return status;
    }
    *state = p;
    return PHYSAD_OK;
}

/* Where distances have no unit, for want of a second thing, nothing can be weighed against them. */
static physad_status patchcore_learn(const physad_detector *det, const physad__frontend *front,
                                     const physad_bank *store, const physad_bank *lesson, physad__call *call,
                                     void *state)
{
    patchcore *p = state;
    return p->mean != NULL ? physad__learned_fit(&p->learned, det, front, store, lesson, call) : PHYSAD_OK;
}

/* --- scoring --- */

/* Equation 7 of the paper as anomalib has it: the distance of the most anomalous patch, less where the bank is dense
 * around its nearest. */
static physad_status patch_score(const physad_detector *det, const patchcore *p, const physad__cells *cells,
                                 int64_t worst, int64_t nearest, float distance, double *score, physad__call *call)
{
    const int32_t b = (int32_t)physad__min(physad__option_int(det, "neighbors"), physad_bank_count(p->bank));
    int64_t around[50];
    physad_view view;
    double squared[50], e[50], sum = 0, top = 0;
    *score = (double)distance;
    if (b == 1)
        return PHYSAD_OK;
    PHYSAD__TRY(physad_bank_rows(p->bank, &view));
    const float *bank = view.data;
    PHYSAD__TRY(physad__bank_search(p->bank, bank + nearest * cells->dim, 1, b, squared, around, call));
    for (int32_t k = 0; k < b; k++) {
        double d = 0;
        for (int64_t i = 0; i < cells->dim; i++) {
            const double step = (double)cells->data[worst * cells->dim + i] - (double)bank[around[k] * cells->dim + i];
            d += step * step;
        }
        e[k] = sqrt(d);
        top = fmax(top, e[k]);
    }
    for (int32_t k = 0; k < b; k++)
        sum += exp(e[k] - top);
    *score = (1 - exp(e[0] - top) / sum) * (double)distance;
    return PHYSAD_OK;
}

static int descending(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x < y) - (x > y);
}

/* The grid's values as a smooth map; cells that do not take part count as the least. */
static physad_status make_map(const physad_detector *det, float *grid, const physad__cells *cells, physad__verdict *v)
{
    const int64_t n = cells->height * cells->width;
    float least = INFINITY;
    for (int64_t i = 0; i < n; i++)
        if (cells->valid[i] && grid[i] < least)
            least = grid[i];
    for (int64_t i = 0; i < n; i++)
        if (!cells->valid[i])
            grid[i] = least;
    physad__map_upsample(grid, cells->height, cells->width, v->map, v->map_height, v->map_width,
                         physad__option_is(det, "upsample", "nearest") ? PHYSAD__UPSAMPLE_NEAREST
                                                                       : PHYSAD__UPSAMPLE_BILINEAR);
    return physad__map_blur(&det->ctx->mem, v->map, v->map_height, v->map_width, physad__option_real(det, "blur"),
                            physad__option_is(det, "blur_border", "repeat") ? PHYSAD__BORDER_REPEAT
                                                                            : PHYSAD__BORDER_MIRROR);
}

static double top_mean(const physad_detector *det, float *grid, const physad__cells *cells)
{
    const int64_t n = cells->height * cells->width;
    int64_t kept = 0;
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        if (cells->valid[i])
            grid[kept++] = grid[i];
    qsort(grid, (size_t)kept, sizeof(*grid), descending);
    const int64_t share = physad__max(1, (int64_t)((double)kept * physad__option_real(det, "top_share") + 0.5));
    for (int64_t i = 0; i < share; i++)
        sum += (double)grid[i];
    return sum / (double)share;
}

static physad_status to_deviations(const physad_detector *det, const patchcore *p, const physad__cells *cells,
                                   float *grid)
{
    const int64_t n = cells->height * cells->width;
    const float weight = (float)physad__option_real(det, "learn_weight");
    for (int64_t i = 0; p->mean != NULL && i < n; i++)
        grid[i] = (grid[i] - p->mean[i]) * p->inverse[i];
    if (p->learned == NULL || weight == 0)
        return PHYSAD_OK;
    float *looks = physad__alloc_array(&det->ctx->mem, n, sizeof(*looks), "judgement");
    const physad_status status = looks != NULL ? physad__learned_judge(p->learned, cells, looks) : PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; status == PHYSAD_OK && i < n; i++)
        grid[i] += weight * looks[i];
    physad__free(looks);
    return status;
}

static physad_status judge(const physad_detector *det, const patchcore *p, const physad__cells *cells,
                           const int64_t *nearest, float *grid, physad__verdict *v, physad__call *call)
{
    const int64_t n = cells->height * cells->width;
    int64_t worst = -1;
    PHYSAD__TRY(to_deviations(det, p, cells, grid));
    for (int64_t i = 0; i < n; i++) {
        if (cells->valid[i] && !isfinite(grid[i]))
            return physad__error(PHYSAD_ERR_NUMERIC,
                                 "patchcore: the score of cell %lld is not finite: the model's numbers are too large",
                                 (long long)i);
        if (cells->valid[i] && (worst < 0 || grid[i] > grid[worst]))
            worst = i;
    }
    if (physad__option_is(det, "score", "patch"))
        PHYSAD__TRY(patch_score(det, p, cells, worst, nearest[worst], grid[worst], &v->score, call));
    PHYSAD__TRY(make_map(det, grid, cells, v));
    if (physad__option_is(det, "score", "top")) {
        v->score = top_mean(det, grid, cells);
    } else if (physad__option_is(det, "score", "map")) {
        float most = -INFINITY;
        for (int64_t i = 0; i < v->map_height * v->map_width; i++)
            most = v->map[i] > most ? v->map[i] : most;
        v->score = (double)most;
    }
    return PHYSAD_OK;
}

static physad_status patchcore_score(const physad_detector *det, const void *state, const physad__cells *cells,
                                     physad__verdict *v, physad__call *call)
{
    const patchcore *p = state;
    physad__mem *mem = &det->ctx->mem;
    const int64_t n = cells->height * cells->width;
    const bool squares = physad__option_is(det, "distance", "squared");
    double *squared = physad__alloc_array(mem, n, sizeof(*squared), "distances");
    int64_t *nearest = physad__alloc_array(mem, n, sizeof(*nearest), "distances");
    float *grid = physad__alloc_array(mem, n, sizeof(*grid), "distances");
    physad_status status = squared != NULL && nearest != NULL && grid != NULL
                               ? physad__bank_search(p->bank, cells->data, n, 1, squared, nearest, call)
                               : PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; status == PHYSAD_OK && i < n; i++) {
        const float distance = (float)sqrt(squared[i]);
        grid[i] = squares ? (float)squared[i] : distance;
        v->sample[i] = cells->valid[i] ? physad_bank_sample(p->bank, nearest[i]) : -1;
        v->position[i] = physad_bank_position(p->bank, nearest[i]);
        v->distance[i] = distance;
    }
    if (status == PHYSAD_OK)
        status = judge(det, p, cells, nearest, grid, v, call);
    physad__free(squared);
    physad__free(nearest);
    physad__free(grid);
    return status;
}

/* --- the model file --- */

static physad_status patchcore_declare(const physad_detector *det, const void *state, physad__tensors_writer *w,
                                       json_t *config)
{
    const patchcore *p = state;
    PHYSAD__TRY(physad__bank_declare(p->bank, w, "bank."));
    if (p->mean == NULL)
        return PHYSAD_OK;
    PHYSAD__TRY(physad__tensors_writer_declare(w, "patchcore.mean", PHYSAD_F32, 1, &p->cells));
    PHYSAD__TRY(physad__tensors_writer_declare(w, "patchcore.inverse", PHYSAD_F32, 1, &p->cells));
    return p->learned != NULL ? physad__learned_declare(p->learned, w) : PHYSAD_OK;
}

static physad_status patchcore_write(const physad_detector *det, const void *state, physad__tensors_writer *w)
{
    const patchcore *p = state;
    PHYSAD__TRY(physad__bank_write(p->bank, w, "bank."));
    if (p->mean == NULL)
        return PHYSAD_OK;
    const physad_view mean = physad_view_array(p->mean, PHYSAD_F32, 1, &p->cells);
    const physad_view inverse = physad_view_array(p->inverse, PHYSAD_F32, 1, &p->cells);
    PHYSAD__TRY(physad__tensors_writer_append(w, "patchcore.mean", &mean));
    PHYSAD__TRY(physad__tensors_writer_append(w, "patchcore.inverse", &inverse));
    return p->learned != NULL ? physad__learned_write(p->learned, w) : PHYSAD_OK;
}

static physad_status read_positions(patchcore *p, const physad_tensors *file)
{
    physad__mem *mem = &p->ctx->mem;
    p->mean = physad__alloc_array(mem, p->cells, sizeof(*p->mean), "positions");
    p->inverse = physad__alloc_array(mem, p->cells, sizeof(*p->inverse), "positions");
    if (p->mean == NULL || p->inverse == NULL)
        return PHYSAD_ERR_NOMEM;
    physad_view from, to = physad_view_array(p->mean, PHYSAD_F32, 1, &p->cells);
    PHYSAD__TRY(physad__tensors_need(file, "patchcore.mean", PHYSAD_F32, 1, &p->cells, &from));
    PHYSAD__TRY(physad__view_copy(&to, &from));
    to.data = p->inverse;
    PHYSAD__TRY(physad__tensors_need(file, "patchcore.inverse", PHYSAD_F32, 1, &p->cells, &from));
    PHYSAD__TRY(physad__view_copy(&to, &from));
    for (int64_t i = 0; i < p->cells; i++)
        if (!isfinite(p->mean[i]) || !(p->inverse[i] > 0) || !isfinite(p->inverse[i]))
            return physad__error(PHYSAD_ERR_FORMAT,
                                 "patchcore.mean and .inverse at cell %lld are %g and %g, want finite and positive",
                                 (long long)i, (double)p->mean[i], (double)p->inverse[i]);
    return PHYSAD_OK;
}

static physad_status check_bank(const physad_detector *det, const patchcore *p, const physad__frontend *front)
{
    if (physad_bank_dim(p->bank) != front->dim || physad_bank_count(p->bank) < 1)
        return physad__error(PHYSAD_ERR_FORMAT, "bank.rows has shape (%lld,%lld), want (n,%lld) with n > 0",
                             (long long)physad_bank_count(p->bank), (long long)physad_bank_dim(p->bank),
                             (long long)front->dim);
    for (int64_t i = 0; i < physad_bank_count(p->bank); i++) {
        const int64_t s = physad_bank_sample(p->bank, i), at = physad_bank_position(p->bank, i);
        if (s < 0 || s >= det->origin->count || at < 0 || at >= p->cells)
            return physad__error(PHYSAD_ERR_FORMAT,
                                 "bank row %lld comes from sample %lld, cell %lld, but there are %lld samples of "
                                 "%lld cells",
                                 (long long)i, (long long)s, (long long)at, (long long)det->origin->count,
                                 (long long)p->cells);
    }
    return PHYSAD_OK;
}

static physad_status patchcore_read(const physad_detector *det, const physad__frontend *front, physad_tensors *file,
                                    const json_t *config, void **state)
{
    patchcore *p;
    PHYSAD__TRY(new_state(&p, det, front));
    physad_status status = physad__bank_read(&p->bank, det->ctx, file, false, "bank.");
    if (status == PHYSAD_OK)
        status = check_bank(det, p, front);
    if (status == PHYSAD_OK && physad_tensors_has(file, "patchcore.mean"))
        status = read_positions(p, file);
    if (status == PHYSAD_OK && p->mean != NULL)
        status = physad__learned_read(&p->learned, det->ctx, front, file);
    if (status != PHYSAD_OK) {
        patchcore_free(p);
        return status;
    }
    *state = p;
    return PHYSAD_OK;
}

static const physad__feature_method patchcore_features = {
    .texture = true,
    .learns = true,
    .fit = patchcore_fit,
    .learn = patchcore_learn,
    .score = patchcore_score,
    .declare = patchcore_declare,
    .write = patchcore_write,
    .read = patchcore_read,
    .free = patchcore_free,
};

const physad__method physad__method_patchcore = {
    .name = "patchcore",
    .title = "distance of each patch to a coreset of normal patches",
    .source = "Roth et al., Towards Total Recall in Industrial Anomaly Detection, CVPR 2022",
    .input = PHYSAD_INPUT_IMAGE,
    .supervision = PHYSAD_UNSUPERVISED,
    .options = { rows, PHYSAD__COUNT(rows) },
    .presets = presets,
    .preset_count = PHYSAD__COUNT(presets),
    .features = &patchcore_features,
    PHYSAD__FEATURE_FAMILY,
};
