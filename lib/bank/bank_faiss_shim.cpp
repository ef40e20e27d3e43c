// SPDX-License-Identifier: Apache-2.0
// The functions of FAISS's C interface that bank_approx.c uses, for installations that have its headers and the C++
// library but not the C library. No exception leaves a function: it becomes a number and a text.
#include <faiss/Index.h>
#include <faiss/index_factory.h>

#include <faiss/c_api/Index_c.h>
#include <faiss/c_api/error_c.h>
#include <faiss/c_api/index_factory_c.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <new>

namespace
{

constexpr int FAILED = -2, NO_MEMORY = -3;

thread_local char last_error[512];

void keep(const char *text)
{
    const std::size_t size = std::min(std::strlen(text), sizeof(last_error) - 1);
    std::memcpy(last_error, text, size);
    last_error[size] = '\0';
}

template <typename F> int guarded(F call)
{
    try {
        call();
        return 0;
    } catch (const std::bad_alloc &) {
        keep("no memory");
        return NO_MEMORY;
    } catch (const std::exception &e) {
        keep(e.what());
    } catch (...) {
        keep("an exception of unknown type");
    }
    return FAILED;
}

faiss::Index *own(FaissIndex *index)
{
    return reinterpret_cast<faiss::Index *>(index);
}

} // namespace

extern "C" {

int faiss_index_factory(FaissIndex **p_index, int d, const char *description, FaissMetricType metric)
{
    return guarded([=] {
        *p_index = reinterpret_cast<FaissIndex *>(
            faiss::index_factory(d, description, static_cast<faiss::MetricType>(metric)));
    });
}

int faiss_Index_train(FaissIndex *index, idx_t n, const float *x)
{
    return guarded([=] { own(index)->train(n, x); });
}

int faiss_Index_add(FaissIndex *index, idx_t n, const float *x)
{
    return guarded([=] { own(index)->add(n, x); });
}

int faiss_Index_search(const FaissIndex *index, idx_t n, const float *x, idx_t k, float *distances, idx_t *labels)
{
    return guarded([=] { reinterpret_cast<const faiss::Index *>(index)->search(n, x, k, distances, labels); });
}

void faiss_Index_free(FaissIndex *index)
{
    delete own(index);
}

const char *faiss_get_last_error()
{
    return last_error;
}

} // extern "C"
