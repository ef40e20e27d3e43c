/* SPDX-License-Identifier: Apache-2.0 */
/* The bank's handle: rows, their origin, and changes of them. */
#include "bank/bank_internal.h"

#include <math.h>

static void free_bank(physad_bank *bank)
{
    physad_context *ctx = bank->ctx;
    physad__bank_changed(bank);
    physad__region_free(&bank->rows);
    physad_tensors_free(bank->file);
    physad__free(bank->samples);
    physad__free(bank->positions);
    physad__free(bank->spill_dir);
    pthread_mutex_destroy(&bank->lock);
    physad__free(bank);
    physad_context_free(ctx);
}

physad_status physad_bank_new(physad_bank **out, physad_context *context, int64_t dim,
                              const physad_bank_options *options)
{
    physad_bank_options o = PHYSAD_BANK_OPTIONS_INIT;
    if (out == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_bank_new: out is NULL");
    *out = NULL;
    PHYSAD__TRY(physad__context_check(context, "physad_bank_new"));
    PHYSAD__TRY(physad__options_read(&o, sizeof(o), sizeof(o), options, "physad_bank_options"));
    if (dim < 1 || dim > PHYSAD_BANK_MAX_DIM)
        return physad__error(PHYSAD_ERR_ARG, "physad_bank_new: dim is %lld, want 1 to %d", (long long)dim,
                             PHYSAD_BANK_MAX_DIM);
    physad_bank *bank = physad__alloc_zero(&context->mem, sizeof(*bank), "bank");
    if (bank == NULL)
        return PHYSAD_ERR_NOMEM;
    if (pthread_mutex_init(&bank->lock, NULL) != 0) {
        physad__free(bank);
        return physad__error(PHYSAD_ERR_NOMEM, "physad_bank_new: the system has no mutex left");
    }
    bank->ctx = physad__context_retain(context);
    bank->dim = dim;
    bank->rows = (physad__region)PHYSAD__REGION_EMPTY;
    bank->spill.bytes = o.spill_bytes;
    if (o.spill_bytes == 0)
        bank->spill.bytes = context->mem.limit != 0 ? context->mem.limit / 2 : UINT64_MAX;
    if (o.spill_dir != NULL) {
        bank->spill_dir = physad__strdup(&context->mem, o.spill_dir);
        if (bank->spill_dir == NULL) {
            free_bank(bank);
            return PHYSAD_ERR_NOMEM;
        }
        bank->spill.dir = bank->spill_dir;
    }
    *out = bank;
    return PHYSAD_OK;
}

void physad_bank_free(physad_bank *bank)
{
    if (bank != NULL)
        free_bank(bank);
}

static physad_status check(const physad_bank *bank, const char *what)
{
    if (bank == NULL)
        return physad__error(PHYSAD_ERR_ARG, "%s: the bank is NULL", what);
    return physad__context_check(bank->ctx, what);
}

physad_status physad__bank_reserve(physad_bank *bank, int64_t count)
{
    physad_context *ctx = bank->ctx;
    int64_t bytes;
    if (physad__mul_overflow(count, bank->dim * (int64_t)sizeof(float), &bytes) || count > INT32_MAX - PHYSAD__PANEL)
        return physad__error(PHYSAD_ERR_NOMEM, "a bank of %lld rows is more than the %d it can hold", (long long)count,
                             INT32_MAX - PHYSAD__PANEL);
    PHYSAD__TRY(physad__grow(&ctx->mem, &bank->samples, &bank->samples_capacity, count, sizeof(int64_t),
                             "samples of the bank"));
    PHYSAD__TRY(physad__grow(&ctx->mem, &bank->positions, &bank->positions_capacity, count, sizeof(int32_t),
                             "positions of the bank"));
    if (count <= bank->capacity && bank->borrowed == NULL)
        return PHYSAD_OK;
    const int64_t grown = physad__max(count, bank->capacity + bank->capacity / 2);
    const size_t size = (size_t)grown * (size_t)bank->dim * sizeof(float);
    PHYSAD__TRY(physad__region_resize(&bank->rows, ctx, &bank->spill, size, "rows of the bank"));
    if (bank->borrowed != NULL && bank->count > 0)
        memcpy(bank->rows.data, bank->borrowed, (size_t)bank->count * (size_t)bank->dim * sizeof(float));
    bank->borrowed = NULL;
    physad_tensors_free(bank->file);
    bank->file = NULL;
    bank->capacity = grown;
    return PHYSAD_OK;
}

physad_status physad__rows_finite(const float *rows, int64_t n, int64_t d, int64_t stride, const char *what)
{
    for (int64_t i = 0; i < n; i++) {
        const float *row = rows + i * stride;
        uint32_t bad = 0;
        for (int64_t j = 0; j < d; j++) {
            uint32_t bits;
            memcpy(&bits, row + j, sizeof(bits));
            bad |= (bits & 0x7f800000u) == 0x7f800000u;
        }
        for (int64_t j = 0; bad && j < d; j++)
            if (!isfinite(row[j]))
                return physad__error(PHYSAD_ERR_NUMERIC, "%s: row %lld holds %s at element %lld, want finite numbers",
                                     what, (long long)i, isnan(row[j]) ? "a NaN" : "an infinity", (long long)j);
    }
    return PHYSAD_OK;
}

/* Copies a strided row; elements may lie at any address. */
static void copy_row(float *out, const char *row, int64_t stride, int64_t d)
{
    if (stride == (int64_t)sizeof(float)) {
        memcpy(out, row, (size_t)d * sizeof(float));
        return;
    }
    for (int64_t j = 0; j < d; j++)
        memcpy(out + j, row + j * stride, sizeof(float));
}

static physad_status check_origin(const physad_view *view, const char *name, int32_t dtype, int64_t n)
{
    if (view == NULL)
        return PHYSAD_OK;
    PHYSAD__TRY(physad__view_check(view, name));
    if (view->dtype != dtype)
        return physad__error(PHYSAD_ERR_DTYPE, "%s has dtype %s, want %s", name, physad_dtype_name(view->dtype),
                             physad_dtype_name(dtype));
    if (view->ndim != 1 || view->shape[0] != n) {
        char text[160];
        return physad__error(PHYSAD_ERR_SHAPE, "%s has shape %s, want (%lld), one for each row", name,
                             physad__shape_text(text, sizeof(text), view->ndim, view->shape), (long long)n);
    }
    return PHYSAD_OK;
}

static physad_status check_rows(const physad_view *rows, const char *name, int64_t d)
{
    char text[160];
    PHYSAD__TRY(physad__view_check(rows, name));
    if (rows->dtype != PHYSAD_F32)
        return physad__error(PHYSAD_ERR_DTYPE, "%s has dtype %s, want f32", name, physad_dtype_name(rows->dtype));
    if (rows->ndim != 2 || rows->shape[1] != d)
        return physad__error(PHYSAD_ERR_SHAPE, "%s has shape %s, want (n,%lld)", name,
                             physad__shape_text(text, sizeof(text), rows->ndim, rows->shape), (long long)d);
    return PHYSAD_OK;
}

physad_status physad_bank_add(physad_bank *bank, const physad_view *rows, const physad_view *samples,
                              const physad_view *positions)
{
    PHYSAD__TRY(check(bank, "physad_bank_add"));
    PHYSAD__TRY(check_rows(rows, "physad_bank_add: rows", bank->dim));
    const int64_t n = rows->shape[0], first = bank->count;
    PHYSAD__TRY(check_origin(samples, "physad_bank_add: samples", PHYSAD_I64, n));
    PHYSAD__TRY(check_origin(positions, "physad_bank_add: positions", PHYSAD_I32, n));
    if (n == 0)
        return PHYSAD_OK;
    if (n > INT32_MAX)
        return physad__error(PHYSAD_ERR_NOMEM, "physad_bank_add: %lld rows are more than a bank holds", (long long)n);
    PHYSAD__TRY(physad__bank_reserve(bank, first + n));
    float *out = (float *)bank->rows.data + first * bank->dim;
    for (int64_t i = 0; i < n; i++)
        copy_row(out + i * bank->dim, (const char *)rows->data + i * rows->stride[0], rows->stride[1], bank->dim);
    PHYSAD__TRY(physad__rows_finite(out, n, bank->dim, bank->dim, "physad_bank_add"));
    for (int64_t i = 0; i < n; i++) {
        bank->samples[first + i] = -1;
        bank->positions[first + i] = -1;
        if (samples != NULL)
            memcpy(bank->samples + first + i, (const char *)samples->data + i * samples->stride[0], sizeof(int64_t));
        if (positions != NULL)
            memcpy(bank->positions + first + i, (const char *)positions->data + i * positions->stride[0],
                   sizeof(int32_t));
    }
    bank->count += n;
    physad__bank_changed(bank);
    return PHYSAD_OK;
}

physad_status physad__bank_add_sample(physad_bank *bank, const float *rows, int64_t n, int64_t stride, int64_t sample)
{
    const int64_t first = bank->count, shape[2] = { n, bank->dim };
    physad_view view = physad_view_array((void *)(uintptr_t)rows, PHYSAD_F32, 2, shape);
    view.stride[0] = stride * (int64_t)sizeof(float);
    view.flags = PHYSAD_VIEW_READONLY;
    PHYSAD__TRY(physad_bank_add(bank, &view, NULL, NULL));
    for (int64_t i = 0; i < n; i++) {
        bank->samples[first + i] = sample;
        bank->positions[first + i] = (int32_t)i;
    }
    return PHYSAD_OK;
}

physad_status physad__bank_scale(physad_bank *bank, int64_t first, float factor)
{
    PHYSAD__TRY(physad__bank_reserve(bank, bank->count)); /* rows of its own */
    float *rows = bank->rows.data;
    for (int64_t i = 0; i < bank->count; i++)
        for (int64_t j = first; j < bank->dim; j++)
            rows[i * bank->dim + j] *= factor;
    physad__bank_changed(bank);
    return PHYSAD_OK;
}

physad_status physad__bank_narrow(physad_bank *bank, int64_t dim)
{
    PHYSAD__TRY(physad__bank_reserve(bank, bank->count));
    float *rows = bank->rows.data;
    for (int64_t i = 1; i < bank->count; i++)
        memmove(rows + i * dim, rows + i * bank->dim, (size_t)dim * sizeof(*rows));
    bank->capacity = bank->capacity * bank->dim / dim;
    bank->dim = dim;
    physad__bank_changed(bank);
    return PHYSAD_OK;
}

physad_status physad_bank_merge(physad_bank *bank, const physad_bank *other)
{
    PHYSAD__TRY(check(bank, "physad_bank_merge"));
    PHYSAD__TRY(check(other, "physad_bank_merge"));
    if (other->dim != bank->dim)
        return physad__error(PHYSAD_ERR_SHAPE, "physad_bank_merge: the other bank has rows of %lld elements, want %lld",
                             (long long)other->dim, (long long)bank->dim);
    const int64_t n = other->count, first = bank->count;
    if (n == 0)
        return PHYSAD_OK;
    PHYSAD__TRY(physad__bank_reserve(bank, first + n));
    memcpy((float *)bank->rows.data + first * bank->dim, physad__bank_rows(other),
           (size_t)(n * bank->dim) * sizeof(float));
    memcpy(bank->samples + first, other->samples, (size_t)n * sizeof(int64_t));
    memcpy(bank->positions + first, other->positions, (size_t)n * sizeof(int32_t));
    bank->count += n;
    physad__bank_changed(bank);
    return PHYSAD_OK;
}

physad_status physad_bank_remove(physad_bank *bank, int64_t sample, int64_t *removed)
{
    PHYSAD__TRY(check(bank, "physad_bank_remove"));
    int64_t kept = 0;
    if (removed != NULL)
        *removed = 0;
    for (int64_t i = 0; i < bank->count; i++)
        kept += bank->samples[i] != sample;
    if (kept == bank->count)
        return PHYSAD_OK;
    PHYSAD__TRY(physad__bank_reserve(bank, bank->count));
    float *rows = bank->rows.data;
    kept = 0;
    for (int64_t i = 0; i < bank->count; i++) {
        if (bank->samples[i] == sample)
            continue;
        if (kept != i)
            memcpy(rows + kept * bank->dim, rows + i * bank->dim, (size_t)bank->dim * sizeof(float));
        bank->samples[kept] = bank->samples[i];
        bank->positions[kept++] = bank->positions[i];
    }
    if (removed != NULL)
        *removed = bank->count - kept;
    bank->count = kept;
    physad__bank_changed(bank);
    return PHYSAD_OK;
}

physad_status physad_bank_clear(physad_bank *bank)
{
    PHYSAD__TRY(check(bank, "physad_bank_clear"));
    physad__bank_changed(bank);
    physad__region_free(&bank->rows);
    physad_tensors_free(bank->file);
    bank->file = NULL;
    bank->borrowed = NULL;
    bank->count = bank->capacity = 0;
    return PHYSAD_OK;
}

physad_status physad_bank_select(physad_bank **out, const physad_bank *bank, const physad_view *rows)
{
    const int64_t any[1] = { -1 };
    if (out == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_bank_select: out is NULL");
    *out = NULL;
    PHYSAD__TRY(check(bank, "physad_bank_select"));
    PHYSAD__TRY(physad__view_want(rows, "physad_bank_select: rows", PHYSAD_I64, 1, any));
    const int64_t n = rows->shape[0], d = bank->dim, *index = rows->data;
    for (int64_t i = 0; i < n; i++)
        if (index[i] < 0 || index[i] >= bank->count)
            return physad__error(PHYSAD_ERR_ARG, "physad_bank_select: rows[%lld] is %lld, want 0 to %lld", (long long)i,
                                 (long long)index[i], (long long)bank->count - 1);
    physad_bank_options o = PHYSAD_BANK_OPTIONS_INIT;
    o.spill_bytes = bank->spill.bytes;
    o.spill_dir = bank->spill.dir;
    physad_bank *made = NULL;
    PHYSAD__TRY(physad_bank_new(&made, bank->ctx, d, &o));
    const physad_status status = physad__bank_reserve(made, n);
    if (status != PHYSAD_OK) {
        physad_bank_free(made);
        return status;
    }
    const float *from = physad__bank_rows(bank);
    for (int64_t i = 0; i < n; i++) {
        memcpy((float *)made->rows.data + i * d, from + index[i] * d, (size_t)d * sizeof(float));
        made->samples[i] = bank->samples[index[i]];
        made->positions[i] = bank->positions[index[i]];
    }
    made->count = n;
    *out = made;
    return PHYSAD_OK;
}

int64_t physad_bank_count(const physad_bank *bank)
{
    return bank != NULL ? bank->count : 0;
}

int64_t physad_bank_dim(const physad_bank *bank)
{
    return bank != NULL ? bank->dim : 0;
}

int64_t physad_bank_sample(const physad_bank *bank, int64_t row)
{
    return bank != NULL && row >= 0 && row < bank->count ? bank->samples[row] : -1;
}

int32_t physad_bank_position(const physad_bank *bank, int64_t row)
{
    return bank != NULL && row >= 0 && row < bank->count ? bank->positions[row] : -1;
}

physad_status physad_bank_rows(const physad_bank *bank, physad_view *out)
{
    if (bank == NULL || out == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_bank_rows: %s is NULL", bank == NULL ? "the bank" : "out");
    const int64_t shape[2] = { bank->count, bank->dim };
    *out = physad_view_array((void *)(uintptr_t)physad__bank_rows(bank), PHYSAD_F32, 2, shape);
    out->flags = PHYSAD_VIEW_READONLY;
    return PHYSAD_OK;
}
