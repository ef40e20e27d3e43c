/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Status codes, error text, views on the caller's memory, progress, version.
 *
 * Conventions of all headers:
 *  - Every call that can fail returns `physad_status`; the text is in `physad_last_error()` of the same thread.
 *  - Handles are opaque and freed by `_free`, which accepts NULL. `_new` makes one of options, `_open` of a file that
 * is used as long as the handle lives, `_read` of a file that is read whole, `_load` of a file that `_save` wrote,
 * `_fit` of data.
 *  - What there is of a kind is told by `_count` and `_name(index)`, one of them by `_describe(name)`.
 *  - The handle comes first, then what goes in, then what comes out; only calls that make a handle of their own take
 * `out` first.
 *  - *borrowed*: used during the call only. *copied*: the caller may free it after the call.
 *    *owned by the handle*: valid until the handle is freed or the named call is made.
 *  - An options structure starts with `struct_size`; zero in any other field means its default.
 *    Initialise it with its `_INIT` macro. Where options may be NULL, defaults are used.
 *  - Paths and names are UTF-8, NUL-terminated.
 *  - A call without a note of the version that brought it has been there since 0.1.
 */
#ifndef PHYSAD_BASE_H
#define PHYSAD_BASE_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define PHYSAD_API __attribute__((visibility("default")))
#define PHYSAD_NODISCARD __attribute__((warn_unused_result))
#else
#define PHYSAD_API
#define PHYSAD_NODISCARD
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** What a call came to. The numbers are fixed for ever. */
typedef int32_t physad_status;

#define PHYSAD_OK 0               /**< done */
#define PHYSAD_ERR_ARG (-1)         /**< an argument or option is wrong */
#define PHYSAD_ERR_SHAPE (-2)       /**< a view has the wrong shape */
#define PHYSAD_ERR_DTYPE (-3)       /**< a view has the wrong element type */
#define PHYSAD_ERR_NOMEM (-4)       /**< no memory, or the context's memory limit is reached */
#define PHYSAD_ERR_IO (-5)          /**< the system could not read or write */
#define PHYSAD_ERR_FORMAT (-6)      /**< a file's content is not what it must be */
#define PHYSAD_ERR_UNSUPPORTED (-7) /**< right, but not possible here, in this build or this version */
#define PHYSAD_ERR_CANCELLED (-8)   /**< cancelled by the progress callback or physad_context_cancel() */
#define PHYSAD_ERR_STATE (-9)       /**< the handle is not in the state that the call needs */
#define PHYSAD_ERR_NUMERIC (-10)    /**< the numbers allow no answer (singular, not finite, empty) */
#define PHYSAD_ERR_INTERNAL (-11)   /**< a fault of the library's own; please report it */

/** Name of a status, such as "PHYSAD_ERR_SHAPE"; never NULL. Any thread. */
PHYSAD_API const char *physad_status_name(physad_status status);

/** Text of this thread's last failed call: what, got, wanted, how to mend. Never NULL; "" before any failure.
 * Owned by the thread, valid until its next failed call. */
PHYSAD_API const char *physad_last_error(void);

/** The library's version, such as "0.1.0". */
PHYSAD_API const char *physad_version(void);

/** How the library was built: compiler, instruction sets, BLAS, oneDNN, optional parts. Static text. */
PHYSAD_API const char *physad_build_info(void);

/** Number of parts that this build consists of, the libraries it is linked with. Any thread. @since 0.1 */
PHYSAD_API int64_t physad_part_count(void);
/** Name of a part, such as "oneDNN"; NULL outside 0..count-1. Static text. Any thread. @since 0.1 */
PHYSAD_API const char *physad_part_name(int64_t index);
/** The licence in effect of a part, an SPDX expression, or what FFmpeg says of the build that is running; NULL outside.
 * Static text. Any thread. @since 0.1 */
PHYSAD_API const char *physad_part_licence(int64_t index);

/** Element types of a view. */
#define PHYSAD_U8 1
#define PHYSAD_I8 2
#define PHYSAD_U16 3
#define PHYSAD_I16 4
#define PHYSAD_I32 5
#define PHYSAD_I64 6
#define PHYSAD_F16 7
#define PHYSAD_BF16 8
#define PHYSAD_F32 9
#define PHYSAD_F64 10
#define PHYSAD_BOOL 11 /**< one byte, zero or not */
#define PHYSAD_U32 12
#define PHYSAD_U64 13

/** Bytes of one element, or 0 for an unknown type. */
PHYSAD_API size_t physad_dtype_size(int32_t dtype);
/** Name such as "f32", or "?" for an unknown type. */
PHYSAD_API const char *physad_dtype_name(int32_t dtype);

#define PHYSAD_MAX_DIMS 6

/** The view must not be written through. */
#define PHYSAD_VIEW_READONLY 1u

/** An array in the caller's memory: borrowed during a call, never kept. Strides are in bytes and may be negative or
 * zero. */
typedef struct physad_view {
    void *data;
    int64_t shape[PHYSAD_MAX_DIMS];
    int64_t stride[PHYSAD_MAX_DIMS];
    int32_t dtype;
    int32_t ndim;
    uint32_t flags;
    uint32_t reserved; /**< zero */
} physad_view;

/** A view of a row-major array. `shape` has `ndim` entries (1..6); the view is writable. */
PHYSAD_API physad_view physad_view_array(void *data, int32_t dtype, int32_t ndim, const int64_t *shape);
/** A read-only view of an H x W x 3 photo of bytes, red first; `row_bytes` from one row to the next, 3 `width` or more,
 * negative where the top row lies last. A photo whose pixels overlap is refused where it is used. */
PHYSAD_API physad_view physad_view_rgb8(const void *pixels, int64_t height, int64_t width, int64_t row_bytes);
/** A read-only view of an H x W grey photo of bytes. */
PHYSAD_API physad_view physad_view_gray8(const void *pixels, int64_t height, int64_t width, int64_t row_bytes);

/** Where a long call stands. */
typedef struct physad_progress {
    const char *stage; /**< such as "features"; valid during the callback */
    int64_t done;
    int64_t total;  /**< 0 when not known */
    double seconds; /**< since the call began */
} physad_progress;

/** Called on the calling thread only, at most ten times a second; non-zero cancels the call. */
typedef int (*physad_progress_fn)(const physad_progress *progress, void *user);

/** @name What a sample that cannot be read, or scored, does to a call on many. */
/** @{ */
#define PHYSAD_ERRORS_STOP 0 /**< it ends the call */
#define PHYSAD_ERRORS_SKIP 1 /**< it is left out, and named with the reason where the call says so */
/** @} */

/** How one long call is run; what comes of it does not depend on these, but for samples that are left out. */
typedef struct physad_call_options {
    uint32_t struct_size;
    int32_t batch;               /**< samples read and computed together, 0 (as many as suit) to 4096 */
    physad_progress_fn progress; /**< NULL: none */
    void *progress_user;
    int32_t on_error;  /**< PHYSAD_ERRORS_* */
    uint32_t reserved; /**< zero */
} physad_call_options;

#define PHYSAD_CALL_OPTIONS_INIT { sizeof(physad_call_options), 0, NULL, NULL, PHYSAD_ERRORS_STOP, 0 }

#ifdef __cplusplus
}
#endif

#endif
