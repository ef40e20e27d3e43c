/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that speak to oneDNN share: both generations of its C API, and what stands behind our handles. In 2.x
 * an operation has a descriptor that a primitive descriptor is made from and a layout is a structure; in 3.x the
 * primitive descriptor is made at once and a layout is a handle. All else is alike. For nn_dnnl*.c only. */
#ifndef PHYSAD__NN_DNNL_API_H
#define PHYSAD__NN_DNNL_API_H

#include "nn/nn_dnnl.h"

#include <oneapi/dnnl/dnnl.h>

#if DNNL_VERSION_MAJOR < 2 || DNNL_VERSION_MAJOR > 3
#error "oneDNN 2.x or 3.x is needed"
#endif
#define V3 (DNNL_VERSION_MAJOR >= 3)

#if V3
typedef dnnl_memory_desc_t layout_t;
typedef const_dnnl_memory_desc_t layout_ref;
#define REF(layout) ((layout)->md)
#else
typedef dnnl_memory_desc_t layout_t;
typedef const dnnl_memory_desc_t *layout_ref;
#define REF(layout) (&(layout)->md)
#endif

struct physad__dnn {
    physad__mem *mem;
    dnnl_engine_t engine;
};

struct physad__dnn_layout {
    layout_t md;
};

typedef enum physad__dnn_kind {
    PHYSAD__DNN_FORWARD,   /* and all that is no gradient */
    PHYSAD__DNN_TO_DATA,   /* gradient of a convolution's input: slot SRC is the gradient of its output */
    PHYSAD__DNN_TO_WEIGHTS /* gradient of its weights: slot SRC2 is the gradient of its output */
} physad__dnn_kind;

struct physad__dnn_op {
    dnnl_primitive_t primitive;
    const_dnnl_primitive_desc_t desc; /* the primitive's own */
    physad__dnn_kind kind;
    bool turned; /* see physad__dnn_pair_turned() */
    bool with[PHYSAD__DNN_SLOTS];
};

struct physad__dnn_stream {
    dnnl_stream_t stream;
};

struct physad__dnn_call {
    const physad__dnn_op *op;
    int count;
    int place[PHYSAD__DNN_SLOTS]; /* of the slot in `args` */
    dnnl_exec_arg_t args[PHYSAD__DNN_SLOTS];
};

#define DNNL_TRY(call, what)                                                                                           \
    do {                                                                                                               \
        const dnnl_status_t dnnl_status_ = (call);                                                                     \
        if (dnnl_status_ != dnnl_success)                                                                              \
            return physad__dnn_report(dnnl_status_, what);                                                             \
    } while (0)

dnnl_data_type_t physad__dnn_type(int32_t dtype);
physad_status physad__dnn_report(dnnl_status_t status, const char *what);
dnnl_status_t physad__dnn_layout_make(layout_t *out, int ndims, const int64_t *dims, dnnl_data_type_t type,
                                      dnnl_format_tag_t tag);
void physad__dnn_layout_drop(layout_t *md);
/* Scratch memory is the caller's, so that an operation may run in many threads at once. */
dnnl_status_t physad__dnn_attr_make(dnnl_primitive_attr_t *out, bool add, physad__dnn_activation activation);
/* Turns a primitive descriptor (taken over) into an operation. */
physad_status physad__dnn_op_from(physad__dnn *dnn, physad__dnn_op **out, dnnl_primitive_desc_t desc, const char *what);

#endif
