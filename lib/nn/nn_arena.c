/* SPDX-License-Identifier: Apache-2.0 */
/* One block for all values between the image and the taps: each lies where no other lives at the same time. */
#include "nn/nn_plan.h"

enum { ALIGN = 64 };

int32_t physad__nn_root_of(const physad__nn_net *net, int32_t value)
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
            physad__nn_value *v = &net->values[physad__nn_root_of(net, touched[k])];
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

/* --- placing --- */

/* The lowest place where an item fits among those already there. `order` holds the `count` placed ones by rising
 * offset. */
static int64_t lowest_gap(const physad__nn_item *items, const int32_t *order, int64_t count, const physad__nn_item *v)
{
    int64_t at = 0;
    for (int64_t i = 0; i < count; i++) {
        const physad__nn_item *w = &items[order[i]];
        if (w->last < v->first || w->first > v->last)
            continue;
        if (at + v->bytes <= w->offset)
            break;
        at = physad__max(at, (w->offset + w->bytes + ALIGN - 1) / ALIGN * ALIGN);
    }
    return at;
}

physad_status physad__nn_items_place(physad__mem *mem, physad__nn_item *items, int64_t count, int64_t *total)
{
    int32_t *order = physad__alloc_array(mem, count, sizeof(*order), "network memory plan");
    bool *done = physad__alloc_zero(mem, (size_t)count, "network memory plan");
    if (order == NULL || done == NULL) {
        physad__free(order);
        physad__free(done);
        return PHYSAD_ERR_NOMEM;
    }
    *total = 0;
    /* The largest first: the small ones then fill the gaps. */
    for (int64_t n = 0; n < count; n++) {
        int64_t largest = -1;
        for (int64_t i = 0; i < count; i++)
            if (!done[i] && (largest < 0 || items[i].bytes > items[largest].bytes))
                largest = i;
        physad__nn_item *v = &items[largest];
        done[largest] = true;
        v->offset = lowest_gap(items, order, n, v);
        *total = physad__max(*total, (v->offset + v->bytes + ALIGN - 1) / ALIGN * ALIGN);
        int64_t at = n;
        for (; at > 0 && items[order[at - 1]].offset > v->offset; at--)
            order[at] = order[at - 1];
        order[at] = (int32_t)largest;
    }
    physad__free(order);
    physad__free(done);
    return PHYSAD_OK;
}

static int64_t list_items(const physad__nn_net *net, physad__nn_item *items)
{
    int64_t n = 0;
    for (int64_t i = 0; i < net->value_count; i++)
        if (is_placed(net, i))
            items[n++] = (physad__nn_item){ net->values[i].bytes, net->values[i].first, net->values[i].last, 0 };
    return n;
}

physad_status physad__nn_arena_place(physad__nn_net *net)
{
    physad__nn_item *items =
        physad__alloc_array(&net->ctx->mem, net->value_count, sizeof(*items), "network memory plan");
    if (items == NULL)
        return PHYSAD_ERR_NOMEM;
    find_lives(net);
    const physad_status status =
        physad__nn_items_place(&net->ctx->mem, items, list_items(net, items), &net->arena_bytes);
    for (int64_t i = 0, n = 0; status == PHYSAD_OK && i < net->value_count; i++)
        if (is_placed(net, i))
            net->values[i].offset = items[n++].offset;
    physad__free(items);
    for (int64_t i = 0; i < net->value_count; i++) {
        const physad__nn_value *root = &net->values[physad__nn_root_of(net, (int32_t)i)];
        net->values[i].offset = root->offset;
        net->values[i].place = root->place;
        net->values[i].tap = root->tap;
    }
    for (int64_t i = 0; i < net->operation_count; i++)
        net->scratch_bytes =
            physad__max(net->scratch_bytes, (int64_t)physad__dnn_op_bytes(net->operations[i].op, PHYSAD__DNN_SCRATCH));
    return status;
}
