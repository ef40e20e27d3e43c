/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Sets of named arrays with text beside them: reading safetensors, PyTorch checkpoints, .npz and .npy, writing
 * safetensors.
 *
 * Reading never runs code: pickles are unpacked into inert values by a small machine of the library's own.
 * Files are mapped, not read: an array costs memory only when it is used, and a copy is made only where the file's
 * bytes cannot be used as they are (compressed, misaligned, foreign byte order).
 */
#ifndef PHYSAD_TENSORS_H
#define PHYSAD_TENSORS_H

#include <physad/base.h>
#include <physad/context.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Opaque. Reading calls may run from several threads at once; those that change the set need it alone. */
typedef struct physad_tensors physad_tensors;

typedef struct physad_tensors_options {
    uint32_t struct_size;
    int32_t verify;   /**< 1: check the CRC-32 of every member of a zip archive, which reads the whole file; 0: of small
                         ones */
    const char *root; /**< checkpoints: the dictionary to read, such as "state_dict" or "model.ema" (parts joined by
                         dots); NULL: the dictionary "state_dict" where there is one, else all; borrowed */
} physad_tensors_options;

#define PHYSAD_TENSORS_OPTIONS_INIT { sizeof(physad_tensors_options), 0, NULL }

/** Opens a file for reading; its kind is told from its first bytes, never from its name:
 *  - safetensors;
 *  - PyTorch checkpoints, of `torch.save` before and since 1.6 and TorchScript archives: names of nested dictionaries,
 * lists and modules are joined by dots as `state_dict()` does (a lone tensor is named "tensor"); numbers and text
 * between them become metadata;
 *  - NumPy .npz (names without ".npy") and .npy (the one array is named "array").
 * @param[out] out      the new set, NULL on failure; freed by physad_tensors_free()
 * @param[in]  context  retained by the set
 * @param[in]  path     must stay as it is while the set lives: it is mapped
 * @param[in]  options  borrowed; NULL for defaults
 * @return PHYSAD_OK, PHYSAD_ERR_ARG, PHYSAD_ERR_STATE, PHYSAD_ERR_NOMEM, PHYSAD_ERR_IO, PHYSAD_ERR_FORMAT,
 * PHYSAD_ERR_UNSUPPORTED
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_tensors_open(physad_tensors **out, physad_context *context,
                                                              const char *path, const physad_tensors_options *options);

/** As physad_tensors_open(), from bytes in memory.
 * @param[in] data  `size` bytes, not copied: they must stay until the set is freed; 8-byte aligned saves copies
 * @param[in] name  stands for the path in messages; copied
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_tensors_open_memory(physad_tensors **out, physad_context *context,
                                                                     const void *data, size_t size, const char *name,
                                                                     const physad_tensors_options *options);

/** Makes an empty set, to be filled and saved.
 * @return PHYSAD_OK, PHYSAD_ERR_ARG, PHYSAD_ERR_STATE, PHYSAD_ERR_NOMEM
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_tensors_new(physad_tensors **out, physad_context *context);

/** Frees the set and every view that it gave. NULL is fine. */
PHYSAD_API void physad_tensors_free(physad_tensors *tensors);

/** What was opened: "safetensors", "pth" (before 1.6), "pth-zip", "torchscript", "npz", "npy", or "memory" for
 * physad_tensors_new(). Static text; "" for NULL. */
PHYSAD_API const char *physad_tensors_format(const physad_tensors *tensors);

/** Number of arrays; 0 for NULL. */
PHYSAD_API int64_t physad_tensors_count(const physad_tensors *tensors);
/** Name of array `index`; they are sorted by bytes. NULL outside of 0 to count - 1. Owned by the set until it is
 * changed. */
PHYSAD_API const char *physad_tensors_name(const physad_tensors *tensors, int64_t index);

/** The array at `index`.
 * @param[out] view  read-only, in the file's own dtype; may be strided (a checkpoint may hold transposed arrays), may
 * have 0 dimensions (one element); owned by the set until it is changed
 * @return PHYSAD_OK, PHYSAD_ERR_ARG, PHYSAD_ERR_STATE, PHYSAD_ERR_NOMEM (a copy was needed),
 *         PHYSAD_ERR_UNSUPPORTED (an element type or more dimensions than a view can tell), PHYSAD_ERR_FORMAT
 * (compressed data is damaged) Any thread. @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_tensors_view(const physad_tensors *tensors, int64_t index,
                                                              physad_view *view);

/** The array called `name`, as physad_tensors_view(); PHYSAD_ERR_ARG, with the nearest name, when there is none. @since
 * 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_tensors_find(const physad_tensors *tensors, const char *name,
                                                              physad_view *view);

/** Whether there is an array called `name`: 1 or 0. @since 0.1 */
PHYSAD_API int32_t physad_tensors_has(const physad_tensors *tensors, const char *name);

/** Copies the array called `name` into the caller's, converting each element: to f32 from any type (f64 and integers
 * are rounded to nearest), to any type from the same.
 * @param[in] out  same shape; f32 or the array's own dtype; any strides; for an array of 0 dimensions, shape (1)
 * @return PHYSAD_OK, PHYSAD_ERR_ARG, PHYSAD_ERR_SHAPE, PHYSAD_ERR_DTYPE, and those of physad_tensors_view()
 * Any thread. @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_tensors_copy(const physad_tensors *tensors, const char *name,
                                                              const physad_view *out);

/** Number of metadata entries; 0 for NULL. */
PHYSAD_API int64_t physad_tensors_metadata_count(const physad_tensors *tensors);
/** Key `index` of the metadata, sorted by bytes, or NULL. Owned by the set until it is changed. */
PHYSAD_API const char *physad_tensors_metadata_key(const physad_tensors *tensors, int64_t index);
/** The metadata of `key`, or NULL. Owned by the set until it is changed. */
PHYSAD_API const char *physad_tensors_metadata(const physad_tensors *tensors, const char *key);

/** Adds an array.
 * @param[in] name  not empty, not present yet, not "__metadata__"; UTF-8; copied
 * @param[in] view  any strides, 0 to 6 dimensions; copied, row-major
 * @return PHYSAD_OK, PHYSAD_ERR_ARG, PHYSAD_ERR_STATE, PHYSAD_ERR_SHAPE, PHYSAD_ERR_DTYPE, PHYSAD_ERR_NOMEM
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_tensors_add(physad_tensors *tensors, const char *name,
                                                             const physad_view *view);

/** Sets, replaces or (`value` NULL) removes the entry `key` of the metadata; both UTF-8, copied.
 * @return PHYSAD_OK, PHYSAD_ERR_ARG, PHYSAD_ERR_STATE, PHYSAD_ERR_NOMEM
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_tensors_set_metadata(physad_tensors *tensors, const char *key,
                                                                      const char *value);

/** Writes the set as a safetensors file: equal sets give equal bytes. The data begin at a multiple of 64 bytes, larger
 * elements before smaller ones, then by name, so that every array is aligned to its elements. Goes to a temporary file
 * beside `path`, is synced, then renamed: `path` is either the old file or the whole new one.
 * @return PHYSAD_OK, PHYSAD_ERR_ARG, PHYSAD_ERR_STATE, PHYSAD_ERR_IO, PHYSAD_ERR_NOMEM, PHYSAD_ERR_UNSUPPORTED
 * @see https://huggingface.co/docs/safetensors for the format
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_tensors_save(const physad_tensors *tensors, const char *path);

#ifdef __cplusplus
}
#endif

#endif
