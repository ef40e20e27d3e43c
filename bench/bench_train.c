/* SPDX-License-Identifier: Apache-2.0 */
/* Training steps of MNAD's prediction network at its published size, for bench/train_step.py: prints the seconds of
 * each step, the loss and the peak of the process in MiB.
 *
 *   ninja bench/bench_train && build/bench/bench_train [STEPS [THREADS [SIZE [BATCH [PRECISION]]]]] */
#include "detect/detect_clip.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

static int fail(void)
{
    fprintf(stderr, "bench_train: %s\n", physad_last_error());
    return 1;
}

static physad_status step(physad__clip_net *net, physad__params *params, const physad_detector *det,
                          physad__optimizer *optimizer)
{
    physad__params_zero_grad(params);
    PHYSAD__TRY(physad__tape_forward(net->t));
    PHYSAD__TRY(physad__tape_backward(net->t));
    PHYSAD__TRY(physad__clip_method_of(det)->seen(det, params, net));
    return physad__optimizer_step(optimizer, 1);
}

static physad_status run(physad_context *ctx, const physad_detector *det, int steps, int64_t batch)
{
    const physad__optimizer_options adam = { .kind = PHYSAD__ADAM, .rate = 2e-4 };
    physad__params params;
    physad__clip_net *net = NULL;
    physad__optimizer *optimizer = NULL;
    struct rusage usage;
    physad__params_init(&params, &ctx->mem, 1);
    physad_status status = physad__clip_net_new(&net, det, &params, batch, physad__option_int(det, "size"), true);
    if (status == PHYSAD_OK)
        status = physad__clip_net_compile(net, true);
    if (status == PHYSAD_OK)
        status = physad__optimizer_new(&optimizer, &params, &adam);
    if (status == PHYSAD_OK) {
        physad__nn_draw_uniform(1, "x", -1, 1, physad__tape_data(net->t, net->input),
                                physad__tape_count(net->t, net->input));
        physad__nn_draw_uniform(1, "y", -1, 1, physad__tape_data(net->t, net->target),
                                physad__tape_count(net->t, net->target));
    }
    for (int i = 0; i < steps && status == PHYSAD_OK; i++) {
        const double start = physad__seconds();
        status = step(net, &params, det, optimizer);
        printf("step %.4f loss %.5f\n", physad__seconds() - start, (double)physad__tape_data(net->t, net->loss)[0]);
        fflush(stdout);
    }
    getrusage(RUSAGE_SELF, &usage);
    printf("peak %ld\n", usage.ru_maxrss / 1024);
    physad__optimizer_free(optimizer);
    physad__clip_net_free(net);
    physad__params_clear(&params);
    return status;
}

int main(int argc, char **argv)
{
    physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
    physad_context *ctx = NULL;
    physad_detector *det = NULL;
    physad__call call;
    const int steps = argc > 1 ? atoi(argv[1]) : 4;
    const int64_t batch = argc > 4 ? atoi(argv[4]) : 4;
    o.threads = argc > 2 ? atoi(argv[2]) : 2;
    if (physad_context_new(&ctx, &o) || physad_detector_new(&det, ctx, "mnad-pred") ||
        physad_detector_set(det, "preset", "paper") || physad_detector_set(det, "size", argc > 3 ? argv[3] : "256") ||
        physad_detector_set(det, "precision", argc > 5 ? argv[5] : "f32") ||
        physad__call_begin(&call, ctx, NULL, "bench_train"))
        return fail();
    const physad_status status = run(ctx, det, steps, batch);
    physad__call_end(&call);
    if (status != PHYSAD_OK)
        fail();
    physad_detector_free(det);
    physad_context_free(ctx);
    return status != PHYSAD_OK;
}
