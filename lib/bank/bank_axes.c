/* SPDX-License-Identifier: Apache-2.0 */
/* Coordinates in which little says most (principal components of a sample of the rows) and their codes of one byte.
 *
 * Rounding. All is computed in double from f32, with sums of at most 4096 terms: relative errors of |x - mean| below
 * 2^-38. The basis is checked: with |P P' - 1| <= delta (Frobenius), y is off by at most delta |x - mean| from that of
 * an orthonormal basis with the same span, and the length of the rest by at most sqrt(delta) |x - mean| (its square is
 * a difference of squares). `slack` = 2 sqrt(delta + 2^-38) covers both, whatever the order in which the BLAS adds. */
#include "bank/bank_plan.h"

#include <cblas.h>
#include <lapacke.h>

#define MOST_DIMS 256     /* of the rotated form; a multiple of 64 */
#define SAMPLE 2048       /* rows: those at even places give the directions, the others judge them */
#define SAMPLE_GRAM 1024  /* the same for wide rows, through the matrix of their products */
#define WIDE 512          /* elements of a row beyond which that is cheaper */
#define PILOTS 64         /* rows of the sample that stand for queries */
#define LEAD_DIMS 16
#define CODE 127

static const double LEAST_EIGENVALUE = 1e-9; /* of the largest: below it, directions are noise */
static const double MOST_DELTA = 1e-8;

void physad__axes_free(physad__axes *axes)
{
    physad__free(axes->mean);
    physad__free(axes->basis);
    physad__free(axes->lead);
    *axes = (physad__axes){ 0 };
}

int64_t physad__axes_scratch(const physad__axes *axes)
{
    return PHYSAD__PANEL * (axes->d + axes->size + 1);
}

/* x - mean of n vectors, in double. */
static void centre(const physad__axes *axes, const float *const *x, int64_t n, double *out)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < axes->d; j++)
            out[i * axes->d + j] = (double)x[i][j] - axes->mean[j];
}

/* out (n x dims, `stride` apart) = centred (n x d) * basis' (d x dims) */
static void rotate(const double *centred, int64_t n, int64_t d, const double *basis, int64_t dims, double *out,
                   int64_t stride)
{
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)n, (int)dims, (int)d, 1, centred, (int)d, basis, (int)d,
                0, out, (int)stride);
}

void physad__axes_lead(const physad__axes *axes, const float *const *x, int64_t n, float *out, double *scratch)
{
    double *y = scratch + PHYSAD__PANEL * axes->d;
    const int64_t dims = axes->lead_dims;
    centre(axes, x, n, scratch);
    if (axes->lead != NULL)
        rotate(scratch, n, axes->d, axes->lead, dims, y, dims);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < dims; j++)
            out[i * dims + j] = (float)(axes->lead != NULL ? y[i * dims + j] : scratch[i * axes->d + j]);
}

static double squared_length(const double *v, int64_t n)
{
    double sum = 0;
    for (int64_t j = 0; j < n; j++)
        sum += v[j] * v[j];
    return sum;
}

/* Rounds up, with room for the few operations before. */
static float above(double value)
{
    return (float)(value * (1 + 0x1p-20)) + 0x1p-100f;
}

static void encode_one(const physad__axes *axes, const double *y, double slack, int step, int limit,
                       const physad__codes *out, int64_t i)
{
    const int64_t coordinates = axes->dims + axes->has_rest;
    const double scale = axes->scale / step;
    double missed = 0, scan_missed = 0;
    int32_t norm = 0, scan_norm = 0, sum = 0, scan_sum = 0;
    int8_t *z = out->z + i * axes->size;
    for (int64_t j = 0; j < coordinates; j++) {
        const double v = y[j] * scale;
        const double cut = v > limit ? limit : v < -limit ? -limit : v;
        const int code = (int)(cut + (cut < 0 ? -0.5 : 0.5));
        missed += (v - code) * (v - code);
        z[j] = (int8_t)code;
        norm += code * code;
        sum += code;
        if (j + 1 == axes->scan_dims || (j + 1 == coordinates && j + 1 < axes->scan_dims)) {
            scan_missed = missed;
            scan_norm = norm;
            scan_sum = sum;
        }
    }
    memset(z + coordinates, 0, (size_t)(axes->size - coordinates));
    if (out->error != NULL)
        out->error[i] = above(sqrt(missed) * step + slack);
    if (out->scan_error != NULL)
        out->scan_error[i] = above(sqrt(scan_missed) * step + slack);
    if (out->norm != NULL)
        out->norm[i] = norm * step * step;
    if (out->scan_norm != NULL)
        out->scan_norm[i] = scan_norm * step * step;
    if (out->sum != NULL)
        out->sum[i] = sum;
    if (out->scan_sum != NULL)
        out->scan_sum[i] = scan_sum;
}

void physad__axes_encode(const physad__axes *axes, const float *const *x, int64_t n, int step, int limit,
                         const physad__codes *out, double *scratch)
{
    const int64_t d = axes->d, stride = axes->size + 1;
    double *y = scratch + PHYSAD__PANEL * d;
    centre(axes, x, n, scratch);
    if (axes->basis != NULL)
        rotate(scratch, n, d, axes->basis, axes->dims, y, stride);
    for (int64_t i = 0; i < n; i++) {
        const double squared = squared_length(scratch + i * d, d);
        double *own = y + i * stride;
        if (axes->basis == NULL)
            memcpy(own, scratch + i * d, (size_t)d * sizeof(double));
        if (axes->has_rest)
            own[axes->dims] = sqrt(fmax(0, squared - squared_length(own, axes->dims))) - axes->rest_mean;
        encode_one(axes, own, axes->slack * sqrt(squared) * axes->scale, step, limit, out, i);
    }
}

/* --- finding them --- */

/* The sample and what is computed from it; freed together. */
typedef struct finder {
    physad__axes *axes;
    physad__mem *mem;
    int64_t n, half; /* rows of the sample; of them at even places */
    int64_t *row;    /* which */
    double *x;       /* n x d, centred, divided by `unit` */
    double unit;     /* largest magnitude */
    double *y;       /* n x dims, leading directions first, not yet mixed */
    double *rest;    /* n: length outside of y */
} finder;

static void finder_free(finder *f)
{
    physad__free(f->row);
    physad__free(f->x);
    physad__free(f->y);
    physad__free(f->rest);
}

/* A sample at even steps, its mean, its largest magnitude. */
static physad_status take_sample(finder *f, const physad__rows *rows)
{
    physad__axes *axes = f->axes;
    const int64_t d = rows->d;
    f->n = physad__min(rows->n, d > WIDE ? SAMPLE_GRAM : SAMPLE);
    f->half = (f->n + 1) / 2;
    f->row = physad__alloc_array(f->mem, f->n, sizeof(int64_t), "sample of the bank");
    f->x = physad__alloc_array(f->mem, f->n * d, sizeof(double), "sample of the bank");
    axes->mean = physad__alloc_zero(f->mem, (size_t)d * sizeof(double), "mean of the bank");
    if (f->row == NULL || f->x == NULL || axes->mean == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; i < f->n; i++) {
        f->row[i] = (int64_t)((double)i * (double)rows->n / (double)f->n);
        for (int64_t j = 0; j < d; j++)
            axes->mean[j] += (double)rows->data[f->row[i] * d + j];
    }
    f->unit = 0;
    for (int64_t j = 0; j < d; j++)
        axes->mean[j] /= (double)f->n;
    for (int64_t i = 0; i < f->n; i++)
        for (int64_t j = 0; j < d; j++) {
            f->x[i * d + j] = (double)rows->data[f->row[i] * d + j] - axes->mean[j];
            f->unit = fmax(f->unit, fabs(f->x[i * d + j]));
        }
    for (int64_t i = 0; f->unit > 0 && i < f->n * d; i++)
        f->x[i] /= f->unit;
    return PHYSAD_OK;
}

/* Eigenvectors (rows of `matrix` afterwards) and eigenvalues (ascending) of a symmetric matrix. */
static physad_status eigen(physad__mem *mem, double *matrix, int64_t n, double *values)
{
    const int64_t work_size = 1 + 6 * n + 2 * n * n, int_size = 3 + 5 * n;
    double *work = physad__alloc_array(mem, work_size, sizeof(double), "principal directions");
    lapack_int *ints = physad__alloc_array(mem, int_size, sizeof(lapack_int), "principal directions");
    physad_status status = PHYSAD_ERR_NOMEM;
    if (work != NULL && ints != NULL) {
        const lapack_int info = LAPACKE_dsyevd_work(LAPACK_COL_MAJOR, 'V', 'U', (lapack_int)n, matrix, (lapack_int)n,
                                                    values, work, (lapack_int)work_size, ints, (lapack_int)int_size);
        status = info == 0 ? PHYSAD_OK : PHYSAD_ERR_NUMERIC;
    }
    physad__free(ints);
    physad__free(work);
    return status;
}

/* Rows of the basis from the eigenvectors of X'X or, for wide rows, of XX'. Returns how many. */
static int64_t fill_basis(finder *f, const double *vectors, const double *values, int64_t size, bool gram)
{
    const int64_t d = f->axes->d, most = physad__min(size, d <= MOST_DIMS ? d : MOST_DIMS - 1);
    int64_t dims = 0;
    for (; dims < most; dims++) {
        const int64_t from = size - 1 - dims;
        double *out = f->axes->basis + dims * d;
        if (!gram) {
            memcpy(out, vectors + from * d, (size_t)d * sizeof(double));
            continue;
        }
        if (!(values[from] > LEAST_EIGENVALUE * values[size - 1]))
            break;
        cblas_dgemv(CblasRowMajor, CblasTrans, (int)f->half, (int)d, 1 / sqrt(values[from]), f->x, (int)(2 * d),
                    vectors + from * size, 1, 0, out, 1);
    }
    return dims;
}

/* |P P' - 1| (Frobenius). */
static physad_status imperfection(physad__mem *mem, const double *basis, int64_t dims, int64_t d, double *delta)
{
    double *product = physad__alloc_array(mem, dims * dims, sizeof(double), "principal directions");
    if (product == NULL)
        return PHYSAD_ERR_NOMEM;
    rotate(basis, dims, d, basis, dims, product, dims);
    for (int64_t i = 0; i < dims; i++)
        product[i * dims + i] -= 1;
    *delta = sqrt(squared_length(product, dims * dims));
    physad__free(product);
    return PHYSAD_OK;
}

/* Principal directions of the sample into axes->basis; leaves it NULL when they would not help. */
static physad_status find_directions(finder *f)
{
    physad__axes *axes = f->axes;
    const int64_t d = axes->d;
    const bool gram = d > WIDE;
    const int64_t size = gram ? f->half : d;
    double delta = 0;
    double *matrix = physad__alloc_array(f->mem, size * size, sizeof(double), "principal directions");
    double *values = physad__alloc_array(f->mem, size, sizeof(double), "principal directions");
    axes->basis = physad__alloc_array(f->mem, physad__min(d, MOST_DIMS) * d, sizeof(double), "principal directions");
    physad_status status = matrix != NULL && values != NULL && axes->basis != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    if (status == PHYSAD_OK) {
        if (gram)
            cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)size, (int)size, (int)d, 1, f->x, (int)(2 * d),
                        f->x, (int)(2 * d), 0, matrix, (int)size);
        else
            cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)d, (int)d, (int)f->half, 1, f->x, (int)(2 * d),
                        f->x, (int)(2 * d), 0, matrix, (int)d);
        status = eigen(f->mem, matrix, size, values);
    }
    if (status == PHYSAD_OK)
        axes->dims = fill_basis(f, matrix, values, size, gram);
    physad__free(matrix);
    physad__free(values);
    if (status == PHYSAD_OK && axes->dims > 0)
        status = imperfection(f->mem, axes->basis, axes->dims, d, &delta);
    if (status == PHYSAD_OK)
        axes->slack = 2 * sqrt(delta + 0x1p-38);
    if (status == PHYSAD_ERR_NOMEM)
        return status;
    if (status != PHYSAD_OK || axes->dims == 0 || !(delta < MOST_DELTA)) {
        physad__free(axes->basis);
        axes->basis = NULL;
    }
    return PHYSAD_OK;
}

/* The sample's coordinates and the length of the rest. */
static physad_status project_sample(finder *f)
{
    physad__axes *axes = f->axes;
    const int64_t d = axes->d;
    f->rest = physad__alloc_zero(f->mem, (size_t)f->n * sizeof(double), "sample of the bank");
    f->y = physad__alloc_array(f->mem, f->n * d, sizeof(double), "sample of the bank");
    if (f->rest == NULL || f->y == NULL)
        return PHYSAD_ERR_NOMEM;
    if (axes->basis == NULL) {
        axes->dims = d;
        axes->slack = 2 * sqrt(0x1p-38);
        memcpy(f->y, f->x, (size_t)(f->n * d) * sizeof(double));
        return PHYSAD_OK;
    }
    rotate(f->x, f->n, d, axes->basis, axes->dims, f->y, axes->dims);
    axes->has_rest = axes->dims < d;
    for (int64_t i = 0; i < f->n && axes->has_rest; i++)
        f->rest[i] = sqrt(fmax(0, squared_length(f->x + i * d, d) - squared_length(f->y + i * axes->dims, axes->dims)));
    return PHYSAD_OK;
}

/* Cycles that a pair costs when the scan takes `dims` coordinates, this share of the pairs passes it, and this share
 * passes all coordinates and is measured exactly. */
static double cost(int64_t dims, double share, double final, int64_t d)
{
    return (double)dims / 128 + 0.1 + share * 25 + final * (double)(d / 4 + 40);
}

static double squared_distance(const double *a, const double *b, int64_t n)
{
    double sum = 0;
    for (int64_t j = 0; j < n; j++)
        sum += (a[j] - b[j]) * (a[j] - b[j]);
    return sum;
}

/* Of the pairs of one pilot, adds those that pass `(step + 1) * tried` coordinates to passed[step], those that pass all
 * with the rest to passed[steps]. The nearest in the sample from another photo stands for the nearest of a query. */
static void try_pilot(const finder *f, const int64_t *samples, int64_t p, int64_t tried, int64_t steps, int64_t *passed)
{
    const int64_t dims = f->axes->dims, d = f->axes->d;
    const double *a = f->y + p * dims;
    double nearest = INFINITY;
    for (int pass = 0; pass < 2; pass++) {
        for (int64_t i = 1; i < f->n; i += 2) {
            if (i == p || (samples != NULL && samples[f->row[i]] == samples[f->row[p]] && samples[f->row[i]] != -1))
                continue;
            if (pass == 0) {
                nearest = fmin(nearest, squared_distance(f->x + p * d, f->x + i * d, d));
                continue;
            }
            const double *b = f->y + i * dims, rest = (f->rest[p] - f->rest[i]) * (f->rest[p] - f->rest[i]);
            double sum = 0;
            for (int64_t step = 0; step < steps && sum <= nearest; step++) {
                sum += squared_distance(a + step * tried, b + step * tried, physad__min(tried, dims - step * tried));
                passed[step] += sum <= nearest;
            }
            passed[steps] += sum + rest <= nearest;
        }
    }
}

/* How many coordinates the scan should take, and what a pair costs then. */
static int64_t choose_scan(const finder *f, const int64_t *samples, double *least)
{
    const int64_t dims = f->axes->dims, tried = dims <= 256 ? 8 : 32;
    const int64_t steps = (dims + tried - 1) / tried, stride = physad__max(2, f->n / PILOTS / 2 * 2);
    int64_t passed[PHYSAD_BANK_MAX_DIM / 32 + 2] = { 0 }, pilots = 0, best = steps - 1;
    for (int64_t p = 1; p < f->n; p += stride, pilots++)
        try_pilot(f, samples, p, tried, steps, passed);
    const double pairs = (double)pilots * (double)(f->n / 2);
    *least = INFINITY;
    for (int64_t step = steps - 1; step >= 0; step--) {
        const double c =
            cost((step + 1) * tried, (double)passed[step] / pairs, (double)passed[steps] / pairs, f->axes->d);
        if (c < *least) {
            *least = c;
            best = step;
        }
    }
    return physad__min((best + 1) * tried, (dims + 3) / 4 * 4);
}

/* Rotated or not, whichever promises to be cheaper. */
static physad_status choose_axes(finder *f, const int64_t *samples)
{
    physad__axes *axes = f->axes;
    const int64_t all = (axes->d + 3) / 4 * 4;
    double least = INFINITY;
    axes->scan_dims = f->n > 1 ? choose_scan(f, samples, &least) : all;
    if (axes->basis == NULL || least <= cost(all, 0, 0, axes->d))
        return PHYSAD_OK;
    physad__free(axes->basis);
    axes->basis = NULL;
    axes->has_rest = false;
    physad__free(f->y);
    physad__free(f->rest);
    f->y = f->rest = NULL;
    PHYSAD__TRY(project_sample(f));
    axes->scan_dims = all;
    return PHYSAD_OK;
}

/* Replaces directions from..to by a cosine transform of them: the same span, but each new coordinate has about the mean
 * spread, so that one byte serves all of them well. Also for the sample's coordinates. */
static physad_status mix(finder *f, int64_t from, int64_t to)
{
    physad__axes *axes = f->axes;
    const int64_t n = to - from, d = axes->d;
    double *cosine = physad__alloc_array(f->mem, n * n, sizeof(double), "principal directions");
    double *mixed = physad__alloc_array(f->mem, n * physad__max(d, f->n), sizeof(double), "principal directions");
    if (cosine == NULL || mixed == NULL) {
        physad__free(cosine);
        physad__free(mixed);
        return PHYSAD_ERR_NOMEM;
    }
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++)
            cosine[i * n + j] =
                sqrt((i == 0 ? 1.0 : 2.0) / (double)n) * cos(acos(-1.0) * (double)i * ((double)j + 0.5) / (double)n);
    /* new coordinate j is the sum over i of cosine[i][j] times the old one i; orthogonal to 2^-45, which `slack` covers
     */
    cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)n, (int)d, (int)n, 1, cosine, (int)n,
                axes->basis + from * d, (int)d, 0, mixed, (int)d);
    memcpy(axes->basis + from * d, mixed, (size_t)(n * d) * sizeof(double));
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)f->n, (int)n, (int)n, 1, f->y + from, (int)axes->dims,
                cosine, (int)n, 0, mixed, (int)n);
    for (int64_t i = 0; i < f->n; i++)
        memcpy(f->y + i * axes->dims + from, mixed + i * n, (size_t)n * sizeof(double));
    physad__free(cosine);
    physad__free(mixed);
    return PHYSAD_OK;
}

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The scale at which one in a thousand sampled rows is cut. */
static void choose_scale(finder *f)
{
    physad__axes *axes = f->axes;
    double mean = 0;
    for (int64_t i = 0; i < f->n; i++)
        mean += f->rest[i] / (double)f->n;
    for (int64_t i = 0; i < f->n; i++) {
        double most = axes->has_rest ? fabs(f->rest[i] - mean) : 0;
        for (int64_t j = 0; j < axes->dims; j++)
            most = fmax(most, fabs(f->y[i * axes->dims + j]));
        f->rest[i] = most;
    }
    qsort(f->rest, (size_t)f->n, sizeof(double), compare_doubles);
    const double most = f->rest[f->n - 1 - f->n / 1000];
    axes->rest_mean = mean * f->unit;
    axes->scale = most > 0 && f->unit > 0 ? CODE / (most * f->unit) : 1;
}

static physad_status find(finder *f, const physad__rows *rows, const int64_t *samples)
{
    physad__axes *axes = f->axes;
    PHYSAD__TRY(take_sample(f, rows));
    axes->dims = axes->d;
    if (f->unit > 0)
        PHYSAD__TRY(find_directions(f));
    PHYSAD__TRY(project_sample(f));
    PHYSAD__TRY(choose_axes(f, samples));
    axes->size = (axes->dims + axes->has_rest + 63) / 64 * 64;
    axes->lead_dims = physad__min(LEAD_DIMS, axes->dims);
    if (axes->basis != NULL) {
        const int64_t cut = physad__min(axes->scan_dims, axes->dims);
        axes->lead = physad__alloc_array(f->mem, axes->lead_dims * axes->d, sizeof(double), "principal directions");
        if (axes->lead == NULL)
            return PHYSAD_ERR_NOMEM;
        memcpy(axes->lead, axes->basis, (size_t)(axes->lead_dims * axes->d) * sizeof(double));
        PHYSAD__TRY(mix(f, 0, cut));
        if (cut < axes->dims)
            PHYSAD__TRY(mix(f, cut, axes->dims));
    }
    choose_scale(f);
    return PHYSAD_OK;
}

physad_status physad__axes_find(physad__axes *axes, physad_context *ctx, const physad__rows *rows,
                                const int64_t *samples)
{
    finder f = { .axes = axes, .mem = &ctx->mem };
    *axes = (physad__axes){ .d = rows->d };
    const int threads = physad__call_narrow(); /* the matrices are small: threads would mostly wait for each other */
    const physad_status status = find(&f, rows, samples);
    physad__call_widen(threads);
    finder_free(&f);
    if (status != PHYSAD_OK)
        physad__axes_free(axes);
    else
        physad__log(ctx, PHYSAD_LOG_DEBUG,
                    "search structure: %lld rows of %lld, %lld coordinates%s, %lld scanned, codes of %.3g",
                    (long long)rows->n, (long long)rows->d, (long long)axes->dims,
                    axes->basis != NULL ? " rotated" : "", (long long)axes->scan_dims, 1 / axes->scale);
    return status;
}
