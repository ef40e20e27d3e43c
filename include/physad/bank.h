/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Memory bank: rows of features with their origin, exact nearest neighbours, the greedy k-center coreset, saving.
 *
 * **The truth.** The squared distance of two rows is the sum of the squared differences of their f32 elements, each
 * step rounded in double, added in index order. Everything here answers as if it had computed all distances so and had
 * ordered them by (distance, row index). How it gets there depends on the processor and on the data; the answers do
 * not: they are the same bits for any thread count, any batch of queries and any instruction set.
 *
 * A bank is not changed by the calls that take it const; these may run concurrently on one bank. Calls that change it
 * need exclusion.
 */
#ifndef PHYSAD_BANK_H
#define PHYSAD_BANK_H

#include <physad/context.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Opaque; holds a reference to its context. */
typedef struct physad_bank physad_bank;

#define PHYSAD_BANK_MAX_DIM 4096 /**< most elements of a row */
#define PHYSAD_BANK_MAX_K 50     /**< most neighbours of a query */

typedef struct physad_bank_options {
    uint32_t struct_size;
    uint32_t reserved;     /**< zero */
    uint64_t spill_bytes;  /**< rows beyond so many bytes live in a mapped temporary file; 0: half of the context's
                              memory  limit, or never without one. Answers do not depend on it. */
    const char *spill_dir; /**< directory of that file, copied; NULL: $TMPDIR, else /tmp */
} physad_bank_options;

#define PHYSAD_BANK_OPTIONS_INIT { sizeof(physad_bank_options), 0, 0, NULL }

/** Makes an empty bank.
 * @param[out] out      the new bank, NULL on failure; freed by physad_bank_free()
 * @param[in]  context  retained
 * @param[in]  dim      elements of a row, 1 to PHYSAD_BANK_MAX_DIM
 * @param[in]  options  copied; NULL for defaults
 * @return PHYSAD_OK, PHYSAD_ERR_ARG, PHYSAD_ERR_NOMEM, PHYSAD_ERR_STATE (context from before fork),
 * PHYSAD_ERR_UNSUPPORTED
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_bank_new(physad_bank **out, physad_context *context, int64_t dim,
                                                          const physad_bank_options *options);

/** Frees the bank and its temporary file. NULL is fine. */
PHYSAD_API void physad_bank_free(physad_bank *bank);

/** Adds rows behind those there.
 * @param[in] rows       f32 (n, dim), any strides, borrowed; n may be 0
 * @param[in] samples    i64 (n), the source sample of each row, any value; NULL: -1
 * @param[in] positions  i32 (n), the place of each row on its sample's feature grid; NULL: -1
 * @return PHYSAD_OK; PHYSAD_ERR_ARG, PHYSAD_ERR_SHAPE, PHYSAD_ERR_DTYPE; PHYSAD_ERR_NUMERIC: a NaN or an infinity, the
 *         message names the row; PHYSAD_ERR_NOMEM; PHYSAD_ERR_IO (temporary file); PHYSAD_ERR_STATE. On failure the
 * bank is as before.
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_bank_add(physad_bank *bank, const physad_view *rows,
                                                          const physad_view *samples, const physad_view *positions);

/** Appends all rows of `other`, with their origin, in their order.
 * @param[in] other  borrowed; of the same dim; may be `bank` itself
 * @return as physad_bank_add()
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_bank_merge(physad_bank *bank, const physad_bank *other);

/** Removes the rows of one source sample; the others keep their order and close up.
 * @param[out] removed  rows removed, possibly 0; may be NULL
 * @return PHYSAD_OK, PHYSAD_ERR_ARG, PHYSAD_ERR_NOMEM, PHYSAD_ERR_IO, PHYSAD_ERR_STATE
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_bank_remove(physad_bank *bank, int64_t sample, int64_t *removed);

/** Removes all rows.
 * @return PHYSAD_OK, PHYSAD_ERR_ARG, PHYSAD_ERR_STATE
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_bank_clear(physad_bank *bank);

/** A new bank of the given rows, with their origin, in the given order.
 * @param[out] out   the new bank, on the same context with the same options; NULL on failure
 * @param[in]  rows  i64 (n), each 0 <= row < count; repetitions are allowed
 * @return PHYSAD_OK, PHYSAD_ERR_ARG, PHYSAD_ERR_SHAPE, PHYSAD_ERR_DTYPE, PHYSAD_ERR_NOMEM, PHYSAD_ERR_IO,
 * PHYSAD_ERR_STATE
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_bank_select(physad_bank **out, const physad_bank *bank,
                                                             const physad_view *rows);

/** Rows in the bank; 0 for NULL. @since 0.1 */
PHYSAD_API int64_t physad_bank_count(const physad_bank *bank);
/** Elements of a row; 0 for NULL. @since 0.1 */
PHYSAD_API int64_t physad_bank_dim(const physad_bank *bank);
/** Source sample of row `row`; -1 when unknown or out of range. @since 0.1 */
PHYSAD_API int64_t physad_bank_sample(const physad_bank *bank, int64_t row);
/** Place of row `row` on its sample's feature grid; -1 when unknown or out of range. @since 0.1 */
PHYSAD_API int32_t physad_bank_position(const physad_bank *bank, int64_t row);
/** A read-only view f32 (count, dim) of all rows; owned by the bank, valid until it is changed or freed.
 * @return PHYSAD_OK, PHYSAD_ERR_ARG
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_bank_rows(const physad_bank *bank, physad_view *out);

/** Answer with squared distances. */
#define PHYSAD_SEARCH_SQUARED 1u
/** Ask the approximate index of physad_bank_build_approx(): the neighbours may then not be the nearest; their distances
 * and order are exact. */
#define PHYSAD_SEARCH_APPROX 2u

typedef struct physad_search_options {
    uint32_t struct_size;
    uint32_t flags; /**< PHYSAD_SEARCH_* */
} physad_search_options;

#define PHYSAD_SEARCH_OPTIONS_INIT { sizeof(physad_search_options), 0 }

/** Finds the k nearest rows of each query, nearest first; at equal distance the lower row comes first.
 * @param[in]  queries    f32 (n, dim), any strides, borrowed; must be finite
 * @param[in]  k          1 to PHYSAD_BANK_MAX_K; beyond the bank's count the answer is filled with distance +inf, index
 * -1
 * @param[out] distances  f32 or f64 (n, k), row-major: Euclidean distance, the square root of the truth in double,
 * rounded to the view's type (squared: the truth itself, rounded to it); NULL: not wanted
 * @param[out] indices    i64 (n, k), row-major; NULL: not wanted
 * @param[in]  options    NULL for defaults
 * @param[in]  call       progress and cancel; NULL for none. A cancelled call leaves part of the output written.
 * @return PHYSAD_OK; PHYSAD_ERR_ARG, PHYSAD_ERR_SHAPE, PHYSAD_ERR_DTYPE; PHYSAD_ERR_STATE: the bank is empty, or has no
 *         approximate index when that is asked; PHYSAD_ERR_NUMERIC: a query is not finite; PHYSAD_ERR_NOMEM;
 *         PHYSAD_ERR_CANCELLED
 * The first search after a change builds the search structures (see physad_bank_prepare()); concurrent ones wait for
 * it.
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_bank_search(const physad_bank *bank, const physad_view *queries,
                                                             int32_t k, const physad_view *distances,
                                                             const physad_view *indices,
                                                             const physad_search_options *options,
                                                             const physad_call_options *call);

/** Builds now what the first search would: time about that of a search with a few hundred queries. Banks of about a
 * thousand rows need nothing built. Progress is the stage "index"; the callback must not use the bank.
 * @return PHYSAD_OK, PHYSAD_ERR_ARG, PHYSAD_ERR_NOMEM, PHYSAD_ERR_CANCELLED, PHYSAD_ERR_STATE
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_bank_prepare(const physad_bank *bank, const physad_call_options *call);

/** Builds an approximate index by FAISS's factory string, such as "IVF256,Flat" or "HNSW32"; used only by searches with
 * PHYSAD_SEARCH_APPROX. Any change of the bank drops it; it is not saved. Changes the bank.
 * @return PHYSAD_OK; PHYSAD_ERR_ARG: FAISS refuses the string, its reason is in the message; PHYSAD_ERR_UNSUPPORTED:
 * built without approximate indexes; PHYSAD_ERR_STATE: the bank is empty; PHYSAD_ERR_NOMEM
 * @since 0.1
 * @see The index factory of Douze et al., The Faiss library, 2024. */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_bank_build_approx(physad_bank *bank, const char *factory);

/** How the coreset's distances are taken, for `projection`. */
#define PHYSAD_PROJECTION_NONE 0   /**< between the rows themselves */
#define PHYSAD_PROJECTION_SPARSE 1 /**< between sparse random projections of the rows, drawn from the seed; between the
                                        rows themselves where the projection would not be narrower */
#define PHYSAD_PROJECTION_GIVEN 2  /**< between projections by `matrix` */

/** Use `first` as the first pick. */
#define PHYSAD_CORESET_FIRST 1u
/** Use `seed`, not the context's. */
#define PHYSAD_CORESET_SEED 2u

typedef struct physad_coreset_options {
    uint32_t struct_size;
    uint32_t flags;     /**< PHYSAD_CORESET_* */
    int64_t count;      /**< rows to pick, at most the bank's; 0: by `ratio` */
    double ratio;       /**< in (0, 1]: floor(ratio * rows), at least 1; 0: 0.1 */
    int64_t first;      /**< first pick, with PHYSAD_CORESET_FIRST; else drawn from the seed */
    uint64_t seed;      /**< with PHYSAD_CORESET_SEED */
    int32_t projection; /**< PHYSAD_PROJECTION_* */
    uint32_t reserved;  /**< zero */
    double eps;         /**< sparse projection: distortion in (0, 1); 0: 0.9 */
    /** PHYSAD_PROJECTION_GIVEN: f32 (m, dim), row-major, m <= PHYSAD_BANK_MAX_DIM; borrowed */
    const physad_view *matrix;
} physad_coreset_options;

#define PHYSAD_CORESET_OPTIONS_INIT { sizeof(physad_coreset_options), 0, 0, 0.0, 0, 0, 0, 0, 0.0, NULL }

/** Rows that physad_bank_coreset() would pick with these options.
 * @param[in]  options  NULL for defaults
 * @param[out] count    at least 1
 * @return PHYSAD_OK; PHYSAD_ERR_ARG; PHYSAD_ERR_STATE: the bank is empty
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_bank_coreset_count(const physad_bank *bank,
                                                                    const physad_coreset_options *options,
                                                                    int64_t *count);

/** Picks a coreset by the exact greedy k-center rule: after the first row, always the row farthest from its nearest
 * pick; of equally far ones the lowest. When all rows left lie at distance 0, these are picked in index order. A larger
 * count extends the picks of a smaller one.
 * @param[out] picks    i64 (count), row indices in the order of picking; see physad_bank_coreset_count()
 * @param[out] radii    f64 (count), each pick's distance to the nearest earlier pick, +inf for the first; the cover
 * radius never grows along it. NULL: not wanted
 * @param[in]  options  NULL for defaults
 * @param[in]  call     progress and cancel; NULL for none
 * The projection of a row, with PROJECTION_SPARSE or _GIVEN, is the f32 of each component's sum of products, added in
 * double in index order.
 * @return PHYSAD_OK; PHYSAD_ERR_ARG, PHYSAD_ERR_SHAPE, PHYSAD_ERR_DTYPE; PHYSAD_ERR_STATE: the bank is empty;
 *         PHYSAD_ERR_NUMERIC: a projection overflows; PHYSAD_ERR_NOMEM; PHYSAD_ERR_IO; PHYSAD_ERR_CANCELLED
 * @since 0.1
 * @see Gonzalez, Clustering to minimize the maximum intercluster distance, 1985; Li, Hastie, Church, Very sparse random
 *      projections, 2006; Roth et al., Towards total recall in industrial anomaly detection, 2022 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_bank_coreset(const physad_bank *bank, const physad_view *picks,
                                                              const physad_view *radii,
                                                              const physad_coreset_options *options,
                                                              const physad_call_options *call);

/** Writes the rows and their origin to a safetensors file ("bank.rows", "bank.samples", "bank.positions"), by a
 * temporary file and a rename.
 * @param[in] path  replaced when it is there
 * @return PHYSAD_OK, PHYSAD_ERR_ARG, PHYSAD_ERR_NOMEM, PHYSAD_ERR_IO, PHYSAD_ERR_STATE
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_bank_save(const physad_bank *bank, const char *path);

/** Opens a saved bank. The rows stay in the file, mapped, until the bank is changed: do not change the file meanwhile.
 * @param[out] out      the bank, NULL on failure; freed by physad_bank_free()
 * @param[in]  context  retained
 * @param[in]  path     of a file by physad_bank_save(), or any safetensors file with the three arrays
 * @return PHYSAD_OK; PHYSAD_ERR_ARG; PHYSAD_ERR_IO; PHYSAD_ERR_FORMAT: not a bank; PHYSAD_ERR_NUMERIC: holds a NaN or
 * an infinity; PHYSAD_ERR_NOMEM; PHYSAD_ERR_STATE
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_bank_load(physad_bank **out, physad_context *context,
                                                           const char *path);

#ifdef __cplusplus
}
#endif

#endif
