/* SPDX-License-Identifier: Apache-2.0 */
/* FAISS chooses candidates; their distances and order are ours. Its memory is not counted in the context's. */
#include "bank/bank_approx.h"

#include "physad_config.h"

#ifdef PHYSAD_HAVE_APPROX

#include <faiss/c_api/Index_c.h>
#include <faiss/c_api/error_c.h>
#include <faiss/c_api/index_factory_c.h>

#define ROUND 4096 /* queries between two looks at cancelling */

struct physad__approx {
    FaissIndex *index;
};

static physad_status told(int result, const char *what)
{
    if (result == 0)
        return PHYSAD_OK;
    return physad__error(PHYSAD_ERR_ARG, "%s: FAISS: %s", what, faiss_get_last_error());
}

static physad_status build(physad__approx *approx, const physad__rows *rows, const char *factory)
{
    PHYSAD__TRY(told(faiss_index_factory(&approx->index, (int)rows->d, factory, METRIC_L2),
                     "physad_bank_build_approx: factory"));
    PHYSAD__TRY(told(faiss_Index_train(approx->index, rows->n, rows->data), "physad_bank_build_approx: training"));
    return told(faiss_Index_add(approx->index, rows->n, rows->data), "physad_bank_build_approx: adding");
}

physad_status physad__approx_new(physad__approx **out, physad_context *ctx, const physad__rows *rows,
                                 const char *factory)
{
    physad__approx *approx = physad__alloc_zero(&ctx->mem, sizeof(*approx), "approximate index");
    *out = NULL;
    if (approx == NULL)
        return PHYSAD_ERR_NOMEM;
    const physad_status status = build(approx, rows, factory);
    if (status != PHYSAD_OK) {
        physad__approx_free(approx);
        return status;
    }
    *out = approx;
    return PHYSAD_OK;
}

void physad__approx_free(physad__approx *approx)
{
    if (approx == NULL)
        return;
    if (approx->index != NULL)
        faiss_Index_free(approx->index);
    physad__free(approx);
}

physad_status physad__approx_search(const physad__approx *approx, const physad__rows *rows, const float *queries,
                                    int64_t n, int32_t k, double *squared, int64_t *indices, physad__call *call)
{
    physad__mem *mem = &call->ctx->mem;
    const int64_t most = physad__min(n, ROUND) * k;
    float *near = physad__alloc_array(mem, most, sizeof(float), "candidates");
    int64_t *found = physad__alloc_array(mem, most, sizeof(int64_t), "candidates");
    physad_status status = near != NULL && found != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    for (int64_t first = 0; first < n && status == PHYSAD_OK; first += ROUND) {
        const int64_t count = physad__min(ROUND, n - first);
        if (faiss_Index_search(approx->index, count, queries + first * rows->d, k, near, found) != 0) {
            status = physad__error(PHYSAD_ERR_INTERNAL, "physad_bank_search: FAISS: %s", faiss_get_last_error());
            break;
        }
        for (int64_t q = 0; q < count; q++) {
            physad__top top;
            int64_t kept = 0;
            for (int64_t i = 0; i < k; i++) /* behind the last one found there is -1 */
                if (found[q * k + i] >= 0 && found[q * k + i] < rows->n)
                    found[q * k + kept++] = found[q * k + i];
            physad__top_init(&top, k, squared + (first + q) * k, indices + (first + q) * k);
            physad__top_offer(&top, rows, queries + (first + q) * rows->d, found + q * k, kept);
        }
        status = physad__call_tick(call, first + count);
    }
    physad__free(near);
    physad__free(found);
    return status;
}

#else

physad_status physad__approx_new(physad__approx **out, physad_context *ctx, const physad__rows *rows,
                                 const char *factory)
{
    *out = NULL;
    return physad__error(
        PHYSAD_ERR_UNSUPPORTED,
        "physad_bank_build_approx: built without FAISS; configure with -Dapprox=enabled, or search exactly");
}

void physad__approx_free(physad__approx *approx)
{
}

physad_status physad__approx_search(const physad__approx *approx, const physad__rows *rows, const float *queries,
                                    int64_t n, int32_t k, double *squared, int64_t *indices, physad__call *call)
{
    return physad__error(PHYSAD_ERR_UNSUPPORTED, "physad_bank_search: built without approximate indexes");
}

#endif

physad_status physad_bank_build_approx(physad_bank *bank, const char *factory)
{
    physad__call call;
    if (bank == NULL || factory == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_bank_build_approx: %s is NULL",
                             bank == NULL ? "the bank" : "factory");
    PHYSAD__TRY(physad__call_begin(&call, bank->ctx, NULL, "physad_bank_build_approx"));
    const physad__rows rows = { physad__bank_rows(bank), bank->count, bank->dim,
                                physad__kernels_get(bank->ctx->cpu_flags) };
    physad__approx *made = NULL;
    physad_status status;
    if (bank->count == 0)
        status = physad__error(PHYSAD_ERR_STATE, "physad_bank_build_approx: the bank is empty; add rows first");
    else
        status = physad__approx_new(&made, bank->ctx, &rows, factory);
    if (status == PHYSAD_OK) {
        physad__approx_free(bank->approx);
        bank->approx = made;
    }
    physad__call_end(&call);
    return status;
}
