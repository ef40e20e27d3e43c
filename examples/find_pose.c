/* SPDX-License-Identifier: Apache-2.0 */
/* Finds by gradients from where a picture was taken: a set of Gaussians is rendered, the camera is moved away, and
 * every step renders again, measures the squared difference, and moves the camera against its gradient.
 *
 *   cc find_pose.c $(pkg-config --cflags --libs physad) -lm -o find_pose && ./find_pose */
#include <physad/physad.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { COUNT = 200, WIDTH = 64, HEIGHT = 48, NUMBERS = WIDTH * HEIGHT * 3, STEPS = 150 };

static int failed(void)
{
    fprintf(stderr, "find_pose: %s\n", physad_last_error());
    return 1;
}

/* Any repeatable numbers between -1 and 1. */
static float number(void)
{
    static uint32_t state = 1;
    state = state * 1664525u + 1013904223u;
    return (float)(state >> 8) / 8388608.0f - 1;
}

static physad_view view(float *data, int32_t ndim, int64_t a, int64_t b, int64_t c)
{
    return physad_view_array(data, PHYSAD_F32, ndim, (const int64_t[3]){ a, b, c });
}

static physad_status make_gaussians(physad_gaussians **out, physad_context *ctx)
{
    static float xyz[COUNT * 3], log_scale[COUNT * 3], quaternion[COUNT * 4], logit[COUNT], colour[COUNT * 3];
    for (int i = 0; i < COUNT; i++) {
        for (int k = 0; k < 3; k++) {
            xyz[3 * i + k] = number();
            log_scale[3 * i + k] = -2 + 0.3f * number();
            colour[3 * i + k] = 1.5f * number();
        }
        quaternion[4 * i] = 1;
        logit[i] = 2;
    }
    const physad_view v[5] = { view(xyz, 2, COUNT, 3, 0), view(log_scale, 2, COUNT, 3, 0),
                               view(quaternion, 2, COUNT, 4, 0), view(logit, 1, COUNT, 0, 0),
                               view(colour, 3, COUNT, 1, 3) };
    return physad_gaussians_new(out, ctx, &v[0], &v[1], &v[2], &v[3], &v[4]);
}

/* One step of Adam: `tangent` becomes the way against the gradient. */
static void step_of(double tangent[6], const double gradient[6], int step)
{
    static double mean[6], square[6];
    for (int k = 0; k < 6; k++) {
        mean[k] = 0.8 * mean[k] + 0.2 * gradient[k];
        square[k] = 0.95 * square[k] + 0.05 * gradient[k] * gradient[k];
        tangent[k] = -0.01 * (1 - (double)step / (STEPS + 1)) * mean[k] / (1 - pow(0.8, step)) /
                     (sqrt(square[k] / (1 - pow(0.95, step))) + 1e-12);
    }
}

static int search(physad_splat *splat, physad_gaussians *set, physad_camera *camera, const float *photo)
{
    static float colour[NUMBERS];
    const physad_view picture = view(colour, 3, HEIGHT, WIDTH, 3);
    for (int step = 1; step <= STEPS; step++) {
        double loss = 0, gradient[6], tangent[6];
        if (physad_splat_forward(splat, set, camera, NULL, NULL, &picture, NULL, NULL, NULL))
            return failed();
        for (int i = 0; i < NUMBERS; i++) {
            const float difference = colour[i] - photo[i];
            loss += (double)difference * (double)difference;
            colour[i] = 2 * difference; /* the loss' gradient by this number of the picture */
        }
        if (physad_splat_backward(splat, &picture, NULL, NULL, NULL) || physad_splat_gradient_pose(splat, gradient))
            return failed();
        step_of(tangent, gradient, step);
        if (physad_camera_move(camera, tangent, camera))
            return failed();
        if (step % 30 == 0)
            printf("step %3d: mean squared difference %.2e\n", step, loss / NUMBERS);
    }
    return 0;
}

static int run(physad_context *ctx, physad_gaussians **set, physad_splat **splat)
{
    static float photo[NUMBERS];
    const physad_camera truth = { .rotation = { 1, 0, 0, 0, 1, 0, 0, 0, 1 }, .translation = { 0, 0, 4 }, .fx = 80,
                                  .fy = 80, .cx = WIDTH / 2.0, .cy = HEIGHT / 2.0, .width = WIDTH, .height = HEIGHT };
    const double away[6] = { 0.08, -0.06, 0.1, 0.03, -0.03, 0.05 };
    const physad_view to = view(photo, 3, HEIGHT, WIDTH, 3);
    physad_camera camera;
    double off = 0;
    if (make_gaussians(set, ctx) || physad_splat_new(splat, ctx) ||
        physad_splat_forward(*splat, *set, &truth, NULL, NULL, &to, NULL, NULL, NULL) ||
        physad_camera_move(&truth, away, &camera))
        return failed();
    if (search(*splat, *set, &camera, photo))
        return 1;
    for (int k = 0; k < 3; k++)
        off += pow(camera.translation[k] - truth.translation[k], 2);
    printf("found within %.4f of the place, of a distance of 4\n", sqrt(off));
    return sqrt(off) < 0.02 ? 0 : 1;
}

int main(void)
{
    physad_context *ctx = NULL;
    physad_gaussians *set = NULL;
    physad_splat *splat = NULL;
    if (physad_context_new(&ctx, NULL))
        return failed();
    const int code = run(ctx, &set, &splat);
    physad_splat_free(splat);
    physad_gaussians_free(set);
    physad_context_free(ctx);
    return code;
}
