/* SPDX-License-Identifier: Apache-2.0 */
/* PaDiM (Defard et al., "PaDiM: a Patch Distribution Modeling Framework for Anomaly Detection and Localization", ICPR
 * 2021): a Gaussian of the features at each place of the photo; a patch is as anomalous as its Mahalanobis distance. It
 * takes photos to be aligned: the same place shows the same part. */
#include "detect/detect.h"

#include <cblas.h>
#include <lapacke.h>
#include <math.h>

static const physad__option rows[] = {
    { "dim", PHYSAD_OPTION_INT, "100", 1, 4096, NULL, "feature channels drawn at random", "PaDiM, section III" },
    { "ridge", PHYSAD_OPTION_REAL, "0.01001", 1e-9, 1e3, NULL, "added to the covariances' diagonals",
      "PaDiM's 0.01 and anomalib's 1e-5" },
    { "blur", PHYSAD_OPTION_REAL, "4", 0, 100, NULL, "standard deviation of the map's Gaussian blur in input pixels",
      "PaDiM" },
    { "blur_border", PHYSAD_OPTION_CHOICE, "mirror", 0, 0, "mirror|repeat",
      "beyond the border: the edge once, or twice", "anomalib" },
    { "keep_features", PHYSAD_OPTION_BOOL, "false", 0, 0, NULL,
      "keep the features of all normal samples in the model, so that samples can be added and removed", NULL },
};

typedef struct padim {
    physad_context *ctx;
    int64_t cells, dim;
    float *mean;   /* (cells, dim) */
    float *factor; /* (cells, dim (dim + 1) / 2): rows of the lower Cholesky factor of the covariance, packed */
} padim;

static void padim_free(void *state)
{
    padim *p = state;
    physad__free(p->mean);
    physad__free(p->factor);
    physad__free(p);
}

static int64_t packed(int64_t dim)
{
    return dim * (dim + 1) / 2;
}

static physad_status new_state(padim **out, const physad_detector *det, const physad__frontend *front)
{
    padim *p = physad__alloc_zero(&det->ctx->mem, sizeof(*p), "padim");
    *out = NULL;
    if (p == NULL)
        return PHYSAD_ERR_NOMEM;
    p->ctx = det->ctx;
    p->cells = front->height * front->width;
    p->dim = front->dim;
    p->mean = physad__alloc_array(&det->ctx->mem, p->cells * p->dim, sizeof(float), "padim's means");
    p->factor = physad__alloc_array(&det->ctx->mem, p->cells * packed(p->dim), sizeof(float), "padim's covariances");
    if (p->mean == NULL || p->factor == NULL) {
        padim_free(p);
        return PHYSAD_ERR_NOMEM;
    }
    *out = p;
    return PHYSAD_OK;
}

/* The deepest layer at each of the strides 4, 8 and 16, which in a ResNet are layers 1 to 3, as in the paper. */
static void padim_configure(const physad_detector *det, physad_features_options *o, char *text, size_t size)
{
    physad_backbone_info info = PHYSAD_BACKBONE_INFO_INIT;
    o->pool = PHYSAD_FEATURES_POOL_NONE;
    o->upsample = PHYSAD_UPSAMPLE_NEAREST;
    o->reduce = PHYSAD_REDUCE_SUBSET;
    o->reduce_dim = physad__option_int(det, "dim");
    o->reduce_seed = det->seed;
    if (o->layers != NULL || physad_backbone_describe(o->backbone, &info) != PHYSAD_OK)
        return;
    size_t used = 0;
    int64_t channels = 0;
    for (int64_t stride = 4; stride <= 16; stride *= 2) {
        const physad_backbone_layer *last = NULL;
        for (int32_t i = 0; i < info.layer_count; i++)
            if (info.layers[i].stride == stride)
                last = &info.layers[i];
        if (last != NULL && used < size)
            used += (size_t)physad__snprintf(text + used, size - used, "%s%s", used > 0 ? "," : "", last->name);
        channels += last != NULL ? last->channels : 0;
    }
    if (used > 0 && used < size)
        o->layers = text;
    if (channels > 0 && o->reduce_dim >= channels) /* no more than there are: all of them */
        o->reduce = PHYSAD_REDUCE_NONE;
}

/* --- fitting --- */

/* Rows of the store by cell: start[c] .. start[c + 1] of `order`. */
static physad_status order_by_cell(const physad_bank *store, int64_t cells, int64_t *start, int64_t *order)
{
    const int64_t n = physad_bank_count(store);
    memset(start, 0, (size_t)(cells + 1) * sizeof(*start));
    for (int64_t i = 0; i < n; i++)
        start[physad_bank_position(store, i) + 1]++;
    for (int64_t c = 0; c < cells; c++)
        start[c + 1] += start[c];
    for (int64_t i = 0; i < n; i++)
        order[start[physad_bank_position(store, i)]++] = i;
    for (int64_t c = cells; c > 0; c--)
        start[c] = start[c - 1];
    start[0] = 0;
    return PHYSAD_OK;
}

/* Mean and factor of one cell from its n rows; `x` has room for n x dim doubles, `cov` for dim x dim. */
static bool fit_cell(padim *p, int64_t cell, const float *data, const int64_t *order, int64_t n, double ridge,
                     double *x, double *cov)
{
    const int64_t d = p->dim;
    for (int64_t j = 0; j < d; j++) {
        double mean = 0;
        for (int64_t i = 0; i < n; i++)
            mean += (double)data[order[i] * d + j];
        mean = n > 0 ? mean / (double)n : 0;
        p->mean[cell * d + j] = (float)mean;
        for (int64_t i = 0; i < n; i++)
            x[i * d + j] = (double)data[order[i] * d + j] - mean;
    }
    memset(cov, 0, (size_t)(d * d) * sizeof(*cov));
    if (n > 1)
        cblas_dsyrk(CblasRowMajor, CblasLower, CblasTrans, (int)d, (int)n, 1.0 / (double)(n - 1), x, (int)d, 0.0, cov,
                    (int)d);
    for (int64_t j = 0; j < d; j++)
        cov[j * d + j] += ridge;
    if (LAPACKE_dpotrf_work(LAPACK_ROW_MAJOR, 'L', (lapack_int)d, cov, (lapack_int)d) != 0)
        return false;
    float *factor = p->factor + cell * packed(d);
    for (int64_t i = 0; i < d; i++)
        for (int64_t j = 0; j <= i; j++)
            factor[packed(i) + j] = (float)cov[i * d + j];
    return true;
}

static physad_status fit_cells(const physad_detector *det, padim *p, const physad_bank *store, const int64_t *start,
                               const int64_t *order, physad__call *call)
{
    const double ridge = physad__option_real(det, "ridge");
    const int32_t threads = det->ctx->threads;
    int64_t most = 0, failed = -1;
    physad_view view;
    PHYSAD__TRY(physad_bank_rows(store, &view));
    for (int64_t c = 0; c < p->cells; c++)
        most = physad__max(most, start[c + 1] - start[c]);
    const int64_t room = (most + p->dim) * p->dim;
    double *scratch = physad__alloc_array(&det->ctx->mem, room * threads, sizeof(*scratch), "covariance");
    if (scratch == NULL)
        return PHYSAD_ERR_NOMEM;
    physad_status status = PHYSAD_OK;
    physad__call_stage(call, "gaussians", p->cells);
    for (int64_t from = 0; status == PHYSAD_OK && from < p->cells; from += 256) {
        const int64_t to = physad__min(from + 256, p->cells);
        /* Each thread has its own share of the scratch; a cell's numbers do not depend on who computes it. */
#pragma omp parallel for num_threads(threads) schedule(static)
        for (int32_t t = 0; t < threads; t++) {
            double *x = scratch + t * room;
            for (int64_t c = from + t; c < to; c += threads) {
                if (!fit_cell(p, c, view.data, order + start[c], start[c + 1] - start[c], ridge, x,
                              x + most * p->dim)) {
#pragma omp critical(physad__padim)
                    failed = c;
                }
            }
        }
        status = physad__call_tick(call, to);
    }
    physad__free(scratch);
    if (status == PHYSAD_OK && failed >= 0)
        return physad__error(PHYSAD_ERR_NUMERIC,
                             "padim: the covariance of cell %lld is not positive definite; raise ridge (%g)",
                             (long long)failed, ridge);
    return status;
}

static physad_status padim_fit(const physad_detector *det, const physad__frontend *front, const physad_bank *store,
                               physad__call *call, void **state)
{
    padim *p;
    physad__mem *mem = &det->ctx->mem;
    PHYSAD__TRY(new_state(&p, det, front));
    int64_t *start = physad__alloc_array(mem, p->cells + 1, sizeof(*start), "cells");
    int64_t *order = physad__alloc_array(mem, physad_bank_count(store), sizeof(*order), "cells");
    physad_status status =
        start != NULL && order != NULL ? order_by_cell(store, p->cells, start, order) : PHYSAD_ERR_NOMEM;
    if (status == PHYSAD_OK)
        status = fit_cells(det, p, store, start, order, call);
    physad__free(start);
    physad__free(order);
    if (status != PHYSAD_OK) {
        padim_free(p);
        return status;
    }
    *state = p;
    return PHYSAD_OK;
}

/* --- scoring --- */

/* sqrt((x - mean)' cov^-1 (x - mean)) by forward substitution; y has room for dim doubles. */
static float mahalanobis(const padim *p, int64_t cell, const float *x, double *y)
{
    const int64_t d = p->dim;
    const float *mean = p->mean + cell * d, *row = p->factor + cell * packed(d);
    double sum = 0;
    for (int64_t i = 0; i < d; i++) {
        double v = (double)x[i] - (double)mean[i];
        for (int64_t j = 0; j < i; j++)
            v -= (double)row[j] * y[j];
        y[i] = v / (double)row[i];
        sum += y[i] * y[i];
        row += i + 1;
    }
    return (float)sqrt(sum);
}

static physad_status padim_score(const physad_detector *det, const void *state, const physad__cells *cells,
                                 physad__verdict *v, physad__call *call)
{
    const padim *p = state;
    physad__mem *mem = &det->ctx->mem;
    const int32_t threads = det->ctx->threads;
    float *grid = physad__alloc_array(mem, p->cells, sizeof(*grid), "distances");
    double *scratch = physad__alloc_array(mem, p->dim * threads, sizeof(*scratch), "distances");
    physad_status status = grid != NULL && scratch != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    if (status == PHYSAD_OK) {
#pragma omp parallel for num_threads(threads) schedule(static)
        for (int32_t t = 0; t < threads; t++)
            for (int64_t c = t; c < p->cells; c += threads)
                grid[c] = cells->valid[c] ? mahalanobis(p, c, cells->data + c * p->dim, scratch + t * p->dim) : 0.0f;
        physad__map_upsample(grid, cells->height, cells->width, v->map, v->map_height, v->map_width,
                             PHYSAD__UPSAMPLE_BILINEAR);
        status = physad__map_blur(mem, v->map, v->map_height, v->map_width, physad__option_real(det, "blur"),
                                  physad__option_is(det, "blur_border", "repeat") ? PHYSAD__BORDER_REPEAT
                                                                                  : PHYSAD__BORDER_MIRROR);
    }
    v->score = -INFINITY;
    for (int64_t i = 0; status == PHYSAD_OK && i < v->map_height * v->map_width; i++)
        v->score = fmax(v->score, (double)v->map[i]);
    physad__free(grid);
    physad__free(scratch);
    return status;
}

/* --- the model file --- */

static physad_status padim_declare(const physad_detector *det, const void *state, physad__tensors_writer *w,
                                   json_t *config)
{
    const padim *p = state;
    const int64_t mean[2] = { p->cells, p->dim }, factor[2] = { p->cells, packed(p->dim) };
    PHYSAD__TRY(physad__tensors_writer_declare(w, "padim.mean", PHYSAD_F32, 2, mean));
    return physad__tensors_writer_declare(w, "padim.factor", PHYSAD_F32, 2, factor);
}

static physad_status padim_write(const physad_detector *det, const void *state, physad__tensors_writer *w)
{
    const padim *p = state;
    const int64_t mean[2] = { p->cells, p->dim }, factor[2] = { p->cells, packed(p->dim) };
    const physad_view m = physad_view_array(p->mean, PHYSAD_F32, 2, mean),
                      f = physad_view_array(p->factor, PHYSAD_F32, 2, factor);
    PHYSAD__TRY(physad__tensors_writer_append(w, "padim.mean", &m));
    return physad__tensors_writer_append(w, "padim.factor", &f);
}

static physad_status read_arrays(padim *p, const physad_tensors *file)
{
    const int64_t mean[2] = { p->cells, p->dim }, factor[2] = { p->cells, packed(p->dim) };
    physad_view from, m = physad_view_array(p->mean, PHYSAD_F32, 2, mean),
                      f = physad_view_array(p->factor, PHYSAD_F32, 2, factor);
    PHYSAD__TRY(physad__tensors_need(file, "padim.mean", PHYSAD_F32, 2, mean, &from));
    PHYSAD__TRY(physad__view_copy(&m, &from));
    PHYSAD__TRY(physad__tensors_need(file, "padim.factor", PHYSAD_F32, 2, factor, &from));
    PHYSAD__TRY(physad__view_copy(&f, &from));
    for (int64_t i = 0; i < p->cells * packed(p->dim);
         i++) /* one that is not would make every score NaN, which is below any threshold */
        if (!isfinite(p->factor[i]))
            return physad__error(PHYSAD_ERR_FORMAT, "padim.factor of cell %lld holds %g at %lld",
                                 (long long)(i / packed(p->dim)), (double)p->factor[i],
                                 (long long)(i % packed(p->dim)));
    for (int64_t c = 0; c < p->cells; c++)
        for (int64_t i = 0; i < p->dim; i++)
            if (!isfinite(p->mean[c * p->dim + i]) || !(p->factor[c * packed(p->dim) + packed(i) + i] > 0))
                return physad__error(PHYSAD_ERR_FORMAT, "padim: the Gaussian of cell %lld, channel %lld, is not one",
                                     (long long)c, (long long)i);
    return PHYSAD_OK;
}

static physad_status padim_read(const physad_detector *det, const physad__frontend *front, physad_tensors *file,
                                const json_t *config, void **state)
{
    padim *p;
    PHYSAD__TRY(new_state(&p, det, front));
    const physad_status status = read_arrays(p, file);
    if (status != PHYSAD_OK) {
        padim_free(p);
        return status;
    }
    *state = p;
    return PHYSAD_OK;
}

static const physad__feature_method padim_features = {
    .configure = padim_configure,
    .fit = padim_fit,
    .score = padim_score,
    .declare = padim_declare,
    .write = padim_write,
    .read = padim_read,
    .free = padim_free,
};

const physad__method physad__method_padim = {
    .name = "padim",
    .title = "Mahalanobis distance to a Gaussian at each place of the photo",
    .source = "Defard et al., PaDiM: a Patch Distribution Modeling Framework for Anomaly Detection and Localization, "
              "ICPR 2021",
    .input = PHYSAD_INPUT_IMAGE,
    .supervision = PHYSAD_UNSUPERVISED,
    .options = { rows, PHYSAD__COUNT(rows) },
    .features = &padim_features,
    PHYSAD__FEATURE_FAMILY,
};
