/* SPDX-License-Identifier: Apache-2.0 */
/* Running a net: scratch memory with every operation's arrays bound, kept from call to call. */
#include "nn/nn_plan.h"

/* An array of a call that lies in the caller's memory. */
typedef struct binding {
    int32_t operation;
    physad__dnn_slot slot;
    int64_t tap; /* -1: the image */
} binding;

struct physad__nn_scratch {
    physad__nn_scratch *next; /* in the net's list of idle ones */
    char *block;              /* arena, then oneDNN's own scratch memory */
    physad__dnn_stream *stream;
    physad__dnn_call **calls;
    int64_t call_count;
    binding *bindings;
    int64_t binding_count;
};

static void *address(const physad__nn_net *net, physad__nn_scratch *s, int32_t operation, physad__dnn_slot slot,
                     int32_t value)
{
    if (value < 0)
        return NULL;
    const physad__nn_value *v = &net->values[value];
    if (v->place == PHYSAD__NN_ARENA)
        return s->block + v->offset;
    s->bindings[s->binding_count++] = (binding){ operation, slot, v->place == PHYSAD__NN_IMAGE ? -1 : v->tap };
    return NULL;
}

static physad_status bind(const physad__nn_net *net, physad__nn_scratch *s)
{
    for (int64_t i = 0; i < net->operation_count; i++) {
        const physad__nn_operation *o = &net->operations[i];
        const int32_t at = (int32_t)i;
        void *data[PHYSAD__DNN_SLOTS] = {
            [PHYSAD__DNN_SRC] = address(net, s, at, PHYSAD__DNN_SRC, o->src),
            [PHYSAD__DNN_SRC2] = address(net, s, at, PHYSAD__DNN_SRC2, o->src2),
            [PHYSAD__DNN_DST] = address(net, s, at, PHYSAD__DNN_DST, o->dst),
            [PHYSAD__DNN_WEIGHTS] = o->weights >= 0 ? net->packed + o->weights : NULL,
            [PHYSAD__DNN_BIAS] = o->bias >= 0 ? net->packed + o->bias : NULL,
            [PHYSAD__DNN_SCRATCH] = s->block + net->arena_bytes,
        };
        PHYSAD__TRY(physad__dnn_call_new(net->dnn, &s->calls[i], o->op, data));
        s->call_count++;
    }
    return PHYSAD_OK;
}

void physad__nn_scratch_free(physad__nn_scratch *scratch)
{
    if (scratch == NULL)
        return;
    for (int64_t i = 0; i < scratch->call_count; i++)
        physad__dnn_call_free(scratch->calls[i]);
    physad__dnn_stream_free(scratch->stream);
    physad__free(scratch->calls);
    physad__free(scratch->bindings);
    physad__free(scratch->block);
    physad__free(scratch);
}

static physad_status scratch_new(const physad__nn_net *net, physad__nn_scratch **out)
{
    physad__mem *mem = &net->ctx->mem;
    physad__nn_scratch *s = physad__alloc_zero(mem, sizeof(*s), "network scratch");
    if (s == NULL)
        return PHYSAD_ERR_NOMEM;
    s->block = physad__alloc(mem, (size_t)(net->arena_bytes + net->scratch_bytes), "network scratch");
    s->calls = physad__alloc_array(mem, net->operation_count, sizeof(*s->calls), "network scratch");
    s->bindings = physad__alloc_array(mem, 3 * net->operation_count, sizeof(*s->bindings), "network scratch");
    physad_status status = s->block != NULL && s->calls != NULL && s->bindings != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    if (status == PHYSAD_OK)
        status = physad__dnn_stream_new(net->dnn, &s->stream);
    if (status == PHYSAD_OK)
        status = bind(net, s);
    if (status != PHYSAD_OK) {
        physad__nn_scratch_free(s);
        return status;
    }
    *out = s;
    return PHYSAD_OK;
}

physad_status physad__nn_scratch_take(const physad__nn_net *net, physad__nn_scratch **out)
{
    physad__nn_net *owner = (physad__nn_net *)(uintptr_t)net; /* the list alone changes, under its lock */
    pthread_mutex_lock(&owner->lock);
    physad__nn_scratch *s = owner->idle;
    if (s != NULL)
        owner->idle = s->next;
    pthread_mutex_unlock(&owner->lock);
    if (s == NULL)
        PHYSAD__TRY(scratch_new(net, &s));
    s->next = NULL;
    *out = s;
    return PHYSAD_OK;
}

void physad__nn_scratch_give(const physad__nn_net *net, physad__nn_scratch *scratch)
{
    physad__nn_net *owner = (physad__nn_net *)(uintptr_t)net;
    if (scratch == NULL)
        return;
    pthread_mutex_lock(&owner->lock);
    scratch->next = owner->idle;
    owner->idle = scratch;
    pthread_mutex_unlock(&owner->lock);
}

physad_status physad__nn_run(const physad__nn_net *net, physad__nn_scratch *scratch, const float *image,
                             float *const *taps)
{
    for (int64_t i = 0; i < scratch->binding_count; i++) {
        const binding *b = &scratch->bindings[i];
        void *data = b->tap < 0 ? (void *)(uintptr_t)image : taps[b->tap];
        PHYSAD__TRY(physad__dnn_call_set(scratch->calls[b->operation], b->slot, data));
    }
    for (int64_t i = 0; i < scratch->call_count; i++)
        PHYSAD__TRY(physad__dnn_call_run(scratch->calls[i], scratch->stream));
    return PHYSAD_OK;
}

void physad__nn_net_shape(const physad__nn_net *net, int64_t tap, int64_t shape[3])
{
    memcpy(shape, net->taps[tap].shape, sizeof(net->taps[tap].shape));
}

void physad__nn_net_free(physad__nn_net *net)
{
    if (net == NULL)
        return;
    while (net->idle != NULL) {
        physad__nn_scratch *s = net->idle;
        net->idle = s->next;
        physad__nn_scratch_free(s);
    }
    for (int64_t i = 0; i < net->operation_count; i++)
        physad__dnn_op_free(net->operations[i].op);
    for (int64_t i = 0; i < net->value_count; i++)
        physad__dnn_layout_free(net->values[i].layout);
    physad__dnn_free(net->dnn);
    physad__free(net->operations);
    physad__free(net->values);
    physad__free(net->taps);
    physad__free(net->packed);
    pthread_mutex_destroy(&net->lock);
    physad_context *ctx = net->ctx;
    physad__free(net);
    physad_context_free(ctx);
}
