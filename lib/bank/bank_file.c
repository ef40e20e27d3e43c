/* SPDX-License-Identifier: Apache-2.0 */
/* Banks in files of named arrays. The search structure is not kept: the first search builds it from the rows
 * (microseconds a row), it follows the processor it runs on, and a file without it cannot contradict itself. */
#include "bank/bank_internal.h"

#define NAME_SIZE 256

static physad_status name_of(char out[NAME_SIZE], const char *prefix, const char *part)
{
    const int length = physad__snprintf(out, NAME_SIZE, "%s%s", prefix, part);
    if (length < 0 || length >= NAME_SIZE)
        return physad__error(PHYSAD_ERR_ARG, "the prefix %.40s... of a bank's arrays is too long", prefix);
    return PHYSAD_OK;
}

physad_status physad__bank_declare(const physad_bank *bank, physad__tensors_writer *writer, const char *prefix)
{
    char name[NAME_SIZE];
    const int64_t shape[2] = { bank->count, bank->dim };
    PHYSAD__TRY(name_of(name, prefix, "rows"));
    PHYSAD__TRY(physad__tensors_writer_declare(writer, name, PHYSAD_F32, 2, shape));
    PHYSAD__TRY(name_of(name, prefix, "samples"));
    PHYSAD__TRY(physad__tensors_writer_declare(writer, name, PHYSAD_I64, 1, shape));
    PHYSAD__TRY(name_of(name, prefix, "positions"));
    return physad__tensors_writer_declare(writer, name, PHYSAD_I32, 1, shape);
}

physad_status physad__bank_write(const physad_bank *bank, physad__tensors_writer *writer, const char *prefix)
{
    char name[NAME_SIZE];
    physad_view view;
    PHYSAD__TRY(name_of(name, prefix, "rows"));
    PHYSAD__TRY(physad_bank_rows(bank, &view));
    PHYSAD__TRY(physad__tensors_writer_append(writer, name, &view));
    PHYSAD__TRY(name_of(name, prefix, "samples"));
    view = physad_view_array(bank->samples, PHYSAD_I64, 1, &bank->count);
    PHYSAD__TRY(physad__tensors_writer_append(writer, name, &view));
    PHYSAD__TRY(name_of(name, prefix, "positions"));
    view = physad_view_array(bank->positions, PHYSAD_I32, 1, &bank->count);
    return physad__tensors_writer_append(writer, name, &view);
}

physad_status physad_bank_save(const physad_bank *bank, const char *path)
{
    physad__tensors_writer *writer = NULL;
    if (bank == NULL || path == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_bank_save: %s is NULL", bank == NULL ? "the bank" : "path");
    PHYSAD__TRY(physad__context_check(bank->ctx, "physad_bank_save"));
    if (bank->count == 0)
        return physad__error(PHYSAD_ERR_STATE, "physad_bank_save: the bank is empty; add rows first");
    PHYSAD__TRY(physad__tensors_writer_new(&writer, bank->ctx, path));
    physad_status status = physad__tensors_writer_set_metadata(writer, "physad.bank.format_version", "1");
    if (status == PHYSAD_OK)
        status = physad__bank_declare(bank, writer, "bank.");
    if (status == PHYSAD_OK)
        status = physad__bank_write(bank, writer, "bank.");
    if (status == PHYSAD_OK)
        status = physad__tensors_writer_finish(writer);
    physad__tensors_writer_free(writer);
    return status;
}

/* A part of the bank as a row-major array of elements where they belong. */
static physad_status want(const physad_tensors *tensors, const char *prefix, const char *part, int32_t dtype,
                          int32_t ndim, const int64_t *shape, physad_view *view)
{
    char name[NAME_SIZE];
    PHYSAD__TRY(name_of(name, prefix, part));
    PHYSAD__TRY(physad__tensors_need(tensors, name, dtype, ndim, shape, view));
    if (!physad__view_is_contiguous(view) || (uintptr_t)view->data % physad_dtype_size(dtype) != 0)
        return physad__error(PHYSAD_ERR_FORMAT, "array %s is not row-major and aligned, as a bank needs it", name);
    return PHYSAD_OK;
}

static physad_status fill(physad_bank *bank, const physad_view *rows, const physad_tensors *tensors, const char *prefix)
{
    physad_view samples, positions;
    const int64_t n = rows->shape[0];
    PHYSAD__TRY(want(tensors, prefix, "samples", PHYSAD_I64, 1, &n, &samples));
    PHYSAD__TRY(want(tensors, prefix, "positions", PHYSAD_I32, 1, &n, &positions));
    if (n > INT32_MAX - PHYSAD__PANEL)
        return physad__error(PHYSAD_ERR_FORMAT, "array %srows has %lld rows, more than the %d a bank holds", prefix,
                             (long long)n, INT32_MAX - PHYSAD__PANEL);
    PHYSAD__TRY(physad__rows_finite(rows->data, n, bank->dim, bank->dim, "physad_bank_load"));
    PHYSAD__TRY(physad__grow(&bank->ctx->mem, &bank->samples, &bank->samples_capacity, n, sizeof(int64_t),
                             "samples of the bank"));
    PHYSAD__TRY(physad__grow(&bank->ctx->mem, &bank->positions, &bank->positions_capacity, n, sizeof(int32_t),
                             "positions of the bank"));
    if (n > 0) {
        memcpy(bank->samples, samples.data, (size_t)n * sizeof(int64_t));
        memcpy(bank->positions, positions.data, (size_t)n * sizeof(int32_t));
    }
    bank->borrowed = rows->data;
    bank->count = n;
    return PHYSAD_OK;
}

static physad_status read_bank(physad_bank **out, physad_context *ctx, const physad_tensors *tensors,
                               const char *prefix)
{
    static const int64_t any[2] = { -1, -1 };
    physad_view rows;
    physad_bank *bank = NULL;
    PHYSAD__TRY(want(tensors, prefix, "rows", PHYSAD_F32, 2, any, &rows));
    if (rows.shape[1] < 1 || rows.shape[1] > PHYSAD_BANK_MAX_DIM)
        return physad__error(PHYSAD_ERR_FORMAT, "array %srows has rows of %lld elements, want 1 to %d", prefix,
                             (long long)rows.shape[1], PHYSAD_BANK_MAX_DIM);
    PHYSAD__TRY(physad_bank_new(&bank, ctx, rows.shape[1], NULL));
    const physad_status status = fill(bank, &rows, tensors, prefix);
    if (status != PHYSAD_OK) {
        physad_bank_free(bank);
        return status;
    }
    *out = bank;
    return PHYSAD_OK;
}

physad_status physad__bank_read(physad_bank **out, physad_context *ctx, physad_tensors *tensors, bool take,
                                const char *prefix)
{
    *out = NULL;
    const physad_status status = read_bank(out, ctx, tensors, prefix);
    if (take && status != PHYSAD_OK)
        physad_tensors_free(tensors);
    else if (take)
        (*out)->file = tensors;
    return status;
}

physad_status physad_bank_load(physad_bank **out, physad_context *context, const char *path)
{
    physad_tensors *tensors = NULL;
    if (out == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_bank_load: out is NULL");
    *out = NULL;
    PHYSAD__TRY(physad__context_check(context, "physad_bank_load"));
    if (path == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_bank_load: path is NULL");
    PHYSAD__TRY(physad_tensors_open(&tensors, context, path, NULL));
    const physad_status status = physad__bank_read(out, context, tensors, true, "bank.");
    if (status != PHYSAD_OK && strstr(physad_last_error(), path) == NULL)
        physad__error_prefix(status, "%s", path);
    return status;
}
