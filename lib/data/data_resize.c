/* SPDX-License-Identifier: Apache-2.0 */
/* Antialiased resizing in two passes. On floats the rows are summed first (long contiguous loops), then the columns. On
 * bytes there is a rounding in between, so the order matters, and the caller says it. */
#include "data/data_resize.h"

#include <physad/transform.h>

#include "physad_config.h"

#include <math.h>

#ifdef PHYSAD_HAVE_OPENMP
#include <omp.h>
#endif

enum { FIXED_ONE = 1 << PHYSAD__FIXED_BITS };

static double filter_value(int32_t filter, double x)
{
    const double a = -0.5; /* Keys' cubic convolution */
    const double d = fabs(x);
    switch (filter) {
    case PHYSAD_RESIZE_BOX: return x > -0.5 && x <= 0.5 ? 1 : 0;
    case PHYSAD_RESIZE_BICUBIC:
        return d < 1 ? ((a + 2) * d - (a + 3)) * d * d + 1 : d < 2 ? (((d - 5) * d + 8) * d - 4) * a : 0;
    default: return d < 1 ? 1 - d : 0;
    }
}

static double filter_support(int32_t filter)
{
    return filter == PHYSAD_RESIZE_BICUBIC ? 2 : filter == PHYSAD_RESIZE_BOX ? 0.5 : 1;
}

/* Source positions [*first, *first + count) of an output whose window is center +- support. */
static int32_t window(int64_t in, double center, double support, int32_t *first)
{
    const int64_t low = physad__max((int64_t)(center - support + 0.5), 0);
    const int64_t high = physad__min((int64_t)(center + support + 0.5), in);
    *first = (int32_t)low;
    return (int32_t)physad__max(high - low, 0);
}

/* Weights as torch computes them for f32: places and sums are rounded to float where torch rounds them, since at large
 * coordinates that rounding is what differs most between two implementations. */
static void weigh_float(physad__axis *axis, int64_t i, int64_t at, int64_t in, int64_t out, int32_t filter)
{
    const float scale = (float)in / (float)out;
    const float support = scale >= 1 ? (float)filter_support(filter) * scale : (float)filter_support(filter);
    const float inverse = scale >= 1 ? 1 / scale : 1;
    const float center = (float)(scale * ((double)at + 0.5));
    float *w = axis->weight + i * axis->stride, total = 0;
    axis->count[i] = (int32_t)physad__min(window(in, center, support, &axis->first[i]), axis->stride);
    for (int32_t k = 0; k < axis->count[i]; k++) {
        const float x = (float)(((float)(k + axis->first[i]) - center + 0.5) * inverse);
        w[k] = (float)filter_value(filter, x);
        total += w[k];
    }
    for (int32_t k = 0; k < axis->count[i] && total != 0; k++)
        w[k] /= total;
}

/* Weights as Pillow computes them for bytes. */
static void weigh_fixed(physad__axis *axis, int64_t i, int64_t at, int64_t in, int64_t out, int32_t filter, double *w)
{
    const double scale = (double)in / (double)out, stretch = scale < 1 ? 1 : scale;
    const double support = filter_support(filter) * stretch, inverse = 1 / stretch;
    const double center = ((double)at + 0.5) * scale;
    int32_t *fixed = axis->fixed + i * axis->stride;
    double total = 0;
    axis->count[i] = (int32_t)physad__min(window(in, center, support, &axis->first[i]), axis->stride);
    for (int32_t k = 0; k < axis->count[i]; k++) {
        w[k] = filter_value(filter, (k + axis->first[i] - center + 0.5) * inverse);
        total += w[k];
    }
    for (int32_t k = 0; k < axis->count[i]; k++) {
        if (total != 0)
            w[k] /= total;
        fixed[k] = (int32_t)(w[k] * FIXED_ONE + (w[k] < 0 ? -0.5 : 0.5));
    }
}

static void axis_free(physad__axis *axis)
{
    physad__free(axis->first);
    physad__free(axis->count);
    physad__free(axis->weight);
    physad__free(axis->fixed);
}

static physad_status axis_make(physad__axis *axis, physad__mem *mem, int64_t in, int64_t out, int64_t from,
                               int64_t count, int32_t filter, bool fixed)
{
    const double stretch = in > out ? (double)in / (double)out : 1;
    double *work = NULL;
    int64_t total;
    *axis =
        (physad__axis){ .outputs = count, .stride = (2 * (int64_t)ceil(filter_support(filter) * stretch) + 4) / 4 * 4 };
    if (in > INT32_MAX || out > INT32_MAX || physad__mul_overflow(count, axis->stride, &total))
        return physad__error(PHYSAD_ERR_SHAPE, "resize: from %lld to %lld is too large", (long long)in, (long long)out);
    axis->first = physad__alloc_array(mem, count, sizeof(int32_t), "resize weights");
    axis->count = physad__alloc_array(mem, count, sizeof(int32_t), "resize weights");
    if (fixed) {
        axis->fixed = physad__alloc_zero(mem, (size_t)total * sizeof(int32_t), "resize weights");
        work = physad__alloc_array(mem, axis->stride, sizeof(double), "resize weights");
    } else {
        axis->weight = physad__alloc_array(mem, total, sizeof(float), "resize weights");
    }
    if (axis->first == NULL || axis->count == NULL || (fixed && (axis->fixed == NULL || work == NULL)) ||
        (!fixed && axis->weight == NULL)) {
        physad__free(work);
        axis_free(axis);
        return PHYSAD_ERR_NOMEM;
    }
    axis->low = in;
    for (int64_t i = 0; i < count; i++) {
        if (fixed)
            weigh_fixed(axis, i, from + i, in, out, filter, work);
        else
            weigh_float(axis, i, from + i, in, out, filter);
        axis->low = physad__min(axis->low, axis->first[i]);
        axis->high = physad__max(axis->high, axis->first[i] + axis->count[i]);
    }
    physad__free(work);
    return PHYSAD_OK;
}

/* --- the photo's rows --- */

static bool row_is_packed(const physad__photo *photo)
{
    const int64_t size = (int64_t)physad_dtype_size(photo->dtype);
    return photo->channel == size && photo->pixel == size * photo->channels &&
           ((uintptr_t)photo->data | (uintptr_t)photo->row) % (uintptr_t)size == 0;
}

/* Columns [low, high) of a row, packed: in place where it lies so, else copied to `scratch`. */
static const void *fetch_row(const physad__photo *photo, int64_t y, int64_t low, int64_t high, bool packed,
                             void *scratch)
{
    const size_t size = physad_dtype_size(photo->dtype);
    const unsigned char *p = photo->data + y * photo->row + low * photo->pixel;
    unsigned char *out = scratch;
    if (packed)
        return p;
    for (int64_t x = low; x < high; x++, p += photo->pixel)
        for (int64_t c = 0; c < photo->channels; c++, out += size)
            memcpy(out, p + c * photo->channel, size);
    return scratch;
}

static int thread_number(void)
{
#ifdef PHYSAD_HAVE_OPENMP
    return omp_get_thread_num();
#else
    return 0;
#endif
}

static int32_t team_size(int32_t threads, int64_t rows)
{
#ifdef PHYSAD_HAVE_OPENMP
    return (int32_t)physad__max(physad__min(threads, rows), 1);
#else
    return 1;
#endif
}

/* --- floats --- */

typedef struct job_f32 {
    const physad_kernels *kernels;
    const physad__photo *photo;
    physad__axis y, x;
    bool packed;
    int64_t n;         /* numbers in the needed part of a source row */
    int64_t row_bytes; /* of one copied source row */
    int64_t each;      /* scratch bytes of one thread */
    unsigned char *scratch;
    physad__row_f32 take;
    void *user;
} job_f32;

static void sum_rows(const job_f32 *job, float *acc, const void *const *rows, const float *weight, int64_t count)
{
    switch (job->photo->dtype) {
    case PHYSAD_U8: job->kernels->blend_rows_u8(acc, (const uint8_t *const *)rows, weight, count, job->n); break;
    case PHYSAD_U16: physad__rows_sum_u16(acc, (const uint16_t *const *)rows, weight, count, job->n); break;
    default: physad__rows_sum_f32(acc, (const float *const *)rows, weight, count, job->n); break;
    }
}

/* One output row in a thread's own scratch: pointers to the source rows, their sum, the result, copies of the source
 * rows. */
static void row_f32(const job_f32 *job, int64_t i, unsigned char *scratch)
{
    const void **rows = (const void **)(void *)scratch;
    float *acc = (float *)(void *)(scratch + job->y.stride * (int64_t)sizeof(void *));
    float *out = acc + job->n;
    unsigned char *copies = (unsigned char *)(out + job->x.outputs * job->photo->channels);
    for (int32_t k = 0; k < job->y.count[i]; k++)
        rows[k] = fetch_row(job->photo, job->y.first[i] + k, job->x.low, job->x.high, job->packed,
                            copies + k * job->row_bytes);
    sum_rows(job, acc, rows, job->y.weight + i * job->y.stride, job->y.count[i]);
    physad__row_squeeze_f32(out, acc, &job->x, job->photo->channels);
    job->take(job->user, i, out);
}

static physad_status run_f32(job_f32 *job, physad__mem *mem, int32_t threads)
{
    const int64_t channels = job->photo->channels, rows = job->y.outputs;
    const int32_t team = team_size(threads, rows);
    job->packed = row_is_packed(job->photo);
    job->n = (job->x.high - job->x.low) * channels;
    job->row_bytes = job->packed ? 0 : (job->n * (int64_t)physad_dtype_size(job->photo->dtype) + 7) / 8 * 8;
    job->each = job->y.stride * (int64_t)sizeof(void *) +
                (job->n + job->x.outputs * channels) * (int64_t)sizeof(float) + job->y.stride * job->row_bytes;
    job->each = (job->each + 63) / 64 * 64;
    job->scratch = physad__alloc_array(mem, team, (size_t)job->each, "resize rows");
    if (job->scratch == NULL)
        return PHYSAD_ERR_NOMEM;
#ifdef PHYSAD_HAVE_OPENMP
#pragma omp parallel for num_threads(team) if (team > 1) schedule(static)
#endif
    for (int64_t i = 0; i < rows; i++)
        row_f32(job, i, job->scratch + (team > 1 ? thread_number() : 0) * job->each);
    physad__free(job->scratch);
    return PHYSAD_OK;
}

/* --- bytes --- */

typedef struct job_u8 {
    const physad_kernels *kernels;
    const physad__photo *photo;
    physad__axis y, x;
    bool packed;
    int64_t n;       /* bytes in the needed part of a source row */
    int64_t width;   /* bytes of a narrowed row */
    int64_t each;    /* scratch bytes of one thread */
    uint8_t *narrow; /* columns first: rows [y.low, y.high) narrowed */
    uint8_t *scratch;
    physad__row_u8 take;
    void *user;
} job_u8;

/* One row of the needed columns. */
static void narrow(const job_u8 *job, uint8_t *out, const uint8_t *row)
{
    const int64_t channels = job->photo->channels;
    job->kernels->narrow_u8(out, row, job->n / channels, job->x.first, job->x.count, job->x.fixed, job->x.stride,
                            job->x.outputs, channels);
}

/* Every source row is narrowed, then those are summed. */
static void columns_then_rows(const job_u8 *job, int32_t team)
{
#ifdef PHYSAD_HAVE_OPENMP
#pragma omp parallel for num_threads(team) if (team > 1) schedule(static)
#endif
    for (int64_t i = 0; i < job->y.high - job->y.low; i++) {
        uint8_t *scratch = job->scratch + (team > 1 ? thread_number() : 0) * job->each;
        const uint8_t *row = fetch_row(job->photo, job->y.low + i, job->x.low, job->x.high, job->packed, scratch);
        narrow(job, job->narrow + i * job->width, row);
    }
#ifdef PHYSAD_HAVE_OPENMP
#pragma omp parallel for num_threads(team) if (team > 1) schedule(static)
#endif
    for (int64_t i = 0; i < job->y.outputs; i++) {
        uint8_t *out = job->scratch + (team > 1 ? thread_number() : 0) * job->each;
        job->kernels->sum_rows_u8(out, job->narrow + (job->y.first[i] - job->y.low) * job->width, job->width,
                               job->y.fixed + i * job->y.stride, job->y.count[i], job->width);
        job->take(job->user, i, out);
    }
}

/* For each output row its source rows are summed, and the sum is narrowed. */
static void rows_then_columns(const job_u8 *job, int32_t team)
{
    const physad__photo *photo = job->photo;
#ifdef PHYSAD_HAVE_OPENMP
#pragma omp parallel for num_threads(team) if (team > 1) schedule(static)
#endif
    for (int64_t i = 0; i < job->y.outputs; i++) {
        uint8_t *sum = job->scratch + (team > 1 ? thread_number() : 0) * job->each;
        uint8_t *out = sum + job->n, *copies = out + job->width;
        const int64_t stride = job->packed ? photo->row : job->n;
        const uint8_t *rows = copies;
        for (int32_t k = 0; k < (job->packed ? 1 : job->y.count[i]); k++) {
            const uint8_t *row =
                fetch_row(photo, job->y.first[i] + k, job->x.low, job->x.high, job->packed, copies + k * job->n);
            rows = k == 0 ? row : rows;
        }
        job->kernels->sum_rows_u8(sum, rows, stride, job->y.fixed + i * job->y.stride, job->y.count[i], job->n);
        narrow(job, out, sum);
        job->take(job->user, i, out);
    }
}

static physad_status run_u8(job_u8 *job, physad__mem *mem, const physad__resize *want)
{
    const int64_t channels = job->photo->channels, sources = job->y.high - job->y.low;
    const int32_t team = team_size(want->threads, physad__min(job->y.outputs, sources));
    job->packed = row_is_packed(job->photo);
    job->n = (job->x.high - job->x.low) * channels;
    job->width = job->x.outputs * channels;
    for (int64_t i = 0; i < job->x.outputs; i++)
        job->x.first[i] -= (int32_t)job->x.low; /* the rows to be narrowed begin there */
    job->each = job->n + job->width + (want->rows_first && !job->packed ? job->y.stride * job->n : 0);
    job->narrow = physad__alloc_array(mem, want->rows_first ? 0 : sources, (size_t)job->width, "resize rows");
    job->scratch = physad__alloc_array(mem, team, (size_t)job->each, "resize rows");
    const bool ready = job->narrow != NULL && job->scratch != NULL;
    if (ready && want->rows_first)
        rows_then_columns(job, team);
    else if (ready)
        columns_then_rows(job, team);
    physad__free(job->narrow);
    physad__free(job->scratch);
    return ready ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
}

static physad_status make_axes(physad__axis *y, physad__axis *x, physad__mem *mem, const physad__photo *photo,
                               const physad__resize *want, bool fixed)
{
    PHYSAD__TRY(axis_make(y, mem, photo->height, want->full_height, want->y, want->height, want->filter, fixed));
    const physad_status status =
        axis_make(x, mem, photo->width, want->full_width, want->x, want->width, want->filter, fixed);
    if (status != PHYSAD_OK)
        axis_free(y);
    return status;
}

/* --- nearest --- */

/* Sources of outputs [from, from + count), by the sum that Pillow forms: it decides ties of rounding. */
static int64_t *nearest_sources(physad__mem *mem, int64_t in, int64_t out, int64_t from, int64_t count)
{
    int64_t *source = physad__alloc_array(mem, count, sizeof(*source), "resize weights");
    const double step = (double)in / (double)out;
    double at = step * 0.5;
    for (int64_t i = 0; source != NULL && i < from + count; i++, at += step)
        if (i >= from)
            source[i - from] = physad__min((int64_t)at, in - 1);
    return source;
}

typedef struct nearest {
    const physad__photo *photo;
    int64_t *y, *x, height, width;
    unsigned char *row;
} nearest;

static physad_status nearest_make(nearest *n, physad__mem *mem, const physad__photo *photo, const physad__resize *want)
{
    *n = (nearest){ .photo = photo, .height = want->height, .width = want->width };
    n->y = nearest_sources(mem, photo->height, want->full_height, want->y, want->height);
    n->x = nearest_sources(mem, photo->width, want->full_width, want->x, want->width);
    n->row = physad__alloc_array(mem, want->width * photo->channels, sizeof(float), "resize rows");
    return n->y != NULL && n->x != NULL && n->row != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
}

static void nearest_free(nearest *n)
{
    physad__free(n->y);
    physad__free(n->x);
    physad__free(n->row);
}

static float element(const physad__photo *photo, const unsigned char *p)
{
    uint16_t word;
    float value;
    switch (photo->dtype) {
    case PHYSAD_U8: return *p;
    case PHYSAD_U16: memcpy(&word, p, sizeof(word)); return word;
    default: memcpy(&value, p, sizeof(value)); return value;
    }
}

physad_status physad__resize_f32(physad__mem *mem, const physad__photo *photo, const physad__resize *want,
                                 physad__row_f32 take, void *user)
{
    job_f32 job = { .kernels = want->kernels, .photo = photo, .take = take, .user = user };
    if (want->filter == PHYSAD_RESIZE_NEAREST) {
        nearest n;
        const physad_status made = nearest_make(&n, mem, photo, want);
        for (int64_t i = 0; made == PHYSAD_OK && i < n.height; i++) {
            float *row = (float *)(void *)n.row;
            for (int64_t j = 0; j < n.width; j++)
                for (int64_t c = 0; c < photo->channels; c++)
                    row[j * photo->channels + c] =
                        element(photo, photo->data + n.y[i] * photo->row + n.x[j] * photo->pixel + c * photo->channel);
            take(user, i, row);
        }
        nearest_free(&n);
        return made;
    }
    PHYSAD__TRY(make_axes(&job.y, &job.x, mem, photo, want, false));
    const physad_status status = run_f32(&job, mem, want->threads);
    axis_free(&job.y);
    axis_free(&job.x);
    return status;
}

physad_status physad__resize_u8(physad__mem *mem, const physad__photo *photo, const physad__resize *want,
                                physad__row_u8 take, void *user)
{
    job_u8 job = { .kernels = want->kernels, .photo = photo, .take = take, .user = user };
    if (want->filter == PHYSAD_RESIZE_NEAREST) {
        nearest n;
        const physad_status made = nearest_make(&n, mem, photo, want);
        for (int64_t i = 0; made == PHYSAD_OK && i < n.height; i++) {
            for (int64_t j = 0; j < n.width; j++)
                for (int64_t c = 0; c < photo->channels; c++)
                    n.row[j * photo->channels + c] =
                        photo->data[n.y[i] * photo->row + n.x[j] * photo->pixel + c * photo->channel];
            take(user, i, n.row);
        }
        nearest_free(&n);
        return made;
    }
    PHYSAD__TRY(make_axes(&job.y, &job.x, mem, photo, want, true));
    const physad_status status = run_u8(&job, mem, want);
    axis_free(&job.y);
    axis_free(&job.x);
    return status;
}
