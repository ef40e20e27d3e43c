/* SPDX-License-Identifier: Apache-2.0 */
/* One block for all values between the image and the taps: each lies where no other lives at the same time. */
#include "nn/nn_plan.h"

enum { ALIGN = 64 };

static int32_t root_of(const physad__nn_net *net, int32_t value)
{
    while (net->values[value].same >= 0)
        value = net->values[value].same;
    return value;
}

/* From when to when each value lives, counted in operations; those that share memory live as one. */
static void find_lives(physad__nn_net *net)
{
    for (int64_t i = 0; i < net->operation_count; i++) {
        const physad__nn_operation *o = &net->operations[i];
        const int32_t touched[3] = { o->src, o->src2, o->dst };
        for (int k = 0; k < 3; k++) {
            if (touched[k] < 0)
                continue;
            physad__nn_value *v = &net->values[root_of(net, touched[k])];
            if (v->first < 0)
                v->first = (int32_t)i;
            v->last = (int32_t)i;
        }
    }
}

static bool is_placed(const physad__nn_net *net, int64_t i)
{
    const physad__nn_value *v = &net->values[i];
    return v->layout != NULL && v->first >= 0 && v->same < 0 && v->place == PHYSAD__NN_ARENA;
}

/* The lowest place where a value fits among those already there. `order` holds the `count` placed ones by rising offset. */
static int64_t lowest_gap(const physad__nn_net *net, const int32_t *order, int64_t count, const physad__nn_value *v)
{
    int64_t at = 0;
    for (int64_t i = 0; i < count; i++) {
        const physad__nn_value *w = &net->values[order[i]];
        if (w->last < v->first || w->first > v->last)
            continue;
        if (at + v->bytes <= w->offset)
            break;
        at = physad__max(at, (w->offset + w->bytes + ALIGN - 1) / ALIGN * ALIGN);
    }
    return at;
}

physad_status physad__nn_arena_place(physad__nn_net *net)
{
    int32_t *order = physad__alloc_array(&net->ctx->mem, net->value_count, sizeof(*order), "network memory plan");
    bool *done = physad__alloc_zero(&net->ctx->mem, (size_t)net->value_count, "network memory plan");
    if (order == NULL || done == NULL) {
        physad__free(order);
        physad__free(done);
        return PHYSAD_ERR_NOMEM;
    }
    find_lives(net);
    /* The largest first: the small ones then fill the gaps. */
    for (int64_t count = 0;; count++) {
        int64_t largest = -1;
        for (int64_t i = 0; i < net->value_count; i++)
            if (is_placed(net, i) && !done[i] && (largest < 0 || net->values[i].bytes > net->values[largest].bytes))
                largest = i;
        if (largest < 0)
            break;
        physad__nn_value *v = &net->values[largest];
        done[largest] = true;
        v->offset = lowest_gap(net, order, count, v);
        net->arena_bytes = physad__max(net->arena_bytes, (v->offset + v->bytes + ALIGN - 1) / ALIGN * ALIGN);
        int64_t at = count;
        for (; at > 0 && net->values[order[at - 1]].offset > v->offset; at--)
            order[at] = order[at - 1];
        order[at] = (int32_t)largest;
    }
    for (int64_t i = 0; i < net->value_count; i++)
        net->values[i].offset = net->values[root_of(net, (int32_t)i)].offset;
    for (int64_t i = 0; i < net->operation_count; i++)
        net->scratch_bytes = physad__max(net->scratch_bytes, (int64_t)physad__dnn_op_bytes(net->operations[i].op, PHYSAD__DNN_SCRATCH));
    physad__free(order);
    physad__free(done);
    return PHYSAD_OK;
}
