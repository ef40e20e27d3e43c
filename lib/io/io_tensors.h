/* SPDX-License-Identifier: Apache-2.0 */
/* Named arrays for the other rooms: what include/physad/tensors.h does not show. Other rooms include io/io.h. */
#ifndef PHYSAD__IO_TENSORS_H
#define PHYSAD__IO_TENSORS_H

#include "core/core.h"

#include <physad/tensors.h>

/* The array called `name` with dtype and shape checked (dtype 0: any; shape[i] < 0: any), row-major or not. The message
 * names the file. */
physad_status physad__tensors_want(const physad_tensors *tensors, const char *name, int32_t dtype, int32_t ndim,
                                   const int64_t *shape, physad_view *view);
/* The same of a file that must have it so: where it has not, the fault is the file's, PHYSAD_ERR_FORMAT. */
physad_status physad__tensors_need(const physad_tensors *tensors, const char *name, int32_t dtype, int32_t ndim,
                                   const int64_t *shape, physad_view *view);

/* The pages of a mapped file need no memory until somebody reads them again: for whoever has taken what it wants. Views
 * stay valid. */
void physad__tensors_rest(const physad_tensors *tensors);

/* Copies elements between views of equal shape (any strides, 0 dimensions allowed): from any dtype to f32, or between
 * equal dtypes. */
physad_status physad__view_copy(const physad_view *out, const physad_view *in);

/* --- a safetensors file written in pieces, for arrays beyond the memory --- */

typedef struct physad__tensors_writer physad__tensors_writer;

/* Nothing is at `path` until physad__tensors_writer_finish(). */
physad_status physad__tensors_writer_new(physad__tensors_writer **out, physad_context *ctx, const char *path);
/* Before the first append. */
physad_status physad__tensors_writer_set_metadata(physad__tensors_writer *writer, const char *key, const char *value);
/* Tells of an array; before the first append. */
physad_status physad__tensors_writer_declare(physad__tensors_writer *writer, const char *name, int32_t dtype,
                                             int32_t ndim, const int64_t *shape);
/* The next elements of an array in row-major order: `rows` has the declared dtype, any strides and any number of
 * elements that are left. Arrays may be filled in any order and by turns. */
physad_status physad__tensors_writer_append(physad__tensors_writer *writer, const char *name, const physad_view *rows);
/* Every array must be full. Syncs and renames. The writer can then only be freed. */
physad_status physad__tensors_writer_finish(physad__tensors_writer *writer);
/* Without a finish, removes what was written. NULL is fine. */
void physad__tensors_writer_free(physad__tensors_writer *writer);

#endif
