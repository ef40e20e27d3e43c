/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The context: allocator, memory limit, logger, threads, processor features, seed. There is no other shared state.
 */
#ifndef PHYSAD_CONTEXT_H
#define PHYSAD_CONTEXT_H

#include <physad/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Opaque, counted by reference: every handle made from a context holds it. Any thread may use it.
 * A handle made before fork() answers PHYSAD_ERR_STATE in the child. */
typedef struct physad_context physad_context;

/** Memory functions. `alloc` returns at least 16-byte aligned memory or NULL; `free` gets the size that was asked for.
 * Both may be called from several threads at once. */
typedef struct physad_allocator {
    void *(*alloc)(size_t size, void *user);
    void (*free)(void *ptr, size_t size, void *user);
    void *user;
} physad_allocator;

#define PHYSAD_LOG_ERROR 1
#define PHYSAD_LOG_WARNING 2
#define PHYSAD_LOG_INFO 3
#define PHYSAD_LOG_DEBUG 4

/** Gets every log line; without one the library is silent. May be called from several threads at once. */
typedef void (*physad_log_fn)(int32_t level, const char *text, void *user);

/** Processor features, for `cpu_disable` and physad_context_cpu_flags(). */
#define PHYSAD_CPU_AVX2 (1u << 0)        /**< AVX2 with FMA */
#define PHYSAD_CPU_AVX512 (1u << 1)      /**< AVX-512 F, BW, DQ, VL */
#define PHYSAD_CPU_AVX512_BF16 (1u << 2)
#define PHYSAD_CPU_AVX512_VNNI (1u << 3)
#define PHYSAD_CPU_NEON (1u << 8)

typedef struct physad_context_options {
    uint32_t struct_size;
    int32_t threads;       /**< compute threads of a call; 0: as many as this process may run on */
    uint32_t cpu_disable;  /**< PHYSAD_CPU_* not to be used by our kernels */
    int32_t log_level;     /**< highest level passed to `log`; 0: PHYSAD_LOG_WARNING */
    uint64_t seed;         /**< seed of every random choice; 0 is a seed as well */
    uint64_t memory_limit; /**< bytes the library may hold at once; 0: no limit */
    const physad_allocator *allocator; /**< copied; NULL: malloc and free */
    physad_log_fn log;
    void *log_user;
} physad_context_options;

#define PHYSAD_CONTEXT_OPTIONS_INIT { sizeof(physad_context_options), 0, 0, 0, 0, 0, NULL, NULL, NULL }

/** Makes a context.
 * @param[out] out      the new context, NULL on failure; freed by physad_context_free()
 * @param[in]  options  copied; NULL for defaults
 * @return PHYSAD_OK, PHYSAD_ERR_ARG, PHYSAD_ERR_NOMEM, PHYSAD_ERR_UNSUPPORTED (options of a newer version)
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_context_new(physad_context **out,
                                                             const physad_context_options *options);

/** Gives the caller's reference back; the context goes when the last handle made from it is freed. NULL is fine. */
PHYSAD_API void physad_context_free(physad_context *context);

/** Asks every running and future call on this context to end with PHYSAD_ERR_CANCELLED, within one sample.
 * Any thread, also from a signal handler. Stays set until physad_context_resume(). */
PHYSAD_API void physad_context_cancel(physad_context *context);
/** Takes a cancel back. Any thread. */
PHYSAD_API void physad_context_resume(physad_context *context);

/** Compute threads of a call (at least 1), 0 for NULL. */
PHYSAD_API int32_t physad_context_threads(const physad_context *context);
/** Processor features in use, PHYSAD_CPU_*. */
PHYSAD_API uint32_t physad_context_cpu_flags(const physad_context *context);
/** The seed. */
PHYSAD_API uint64_t physad_context_seed(const physad_context *context);
/** Bytes held now by the library's own allocations (not those of codecs and oneDNN). */
PHYSAD_API uint64_t physad_context_memory_used(const physad_context *context);
/** The most bytes held at once so far. */
PHYSAD_API uint64_t physad_context_memory_peak(const physad_context *context);

#ifdef __cplusplus
}
#endif

#endif
