/* SPDX-License-Identifier: Apache-2.0 */
/* Score maps against direct sums in double. */
#include "test.h"

#include "detect/detect.h"

enum { H = 9, W = 13 };

static void fill(float *map)
{
    physad__rng rng;
    physad__rng_seed(&rng, 5, 0);
    for (int i = 0; i < H * W; i++)
        map[i] = (float)physad__rng_normal(&rng);
}

static int64_t beyond(int64_t i, int64_t n, int border)
{
    while (i < 0 || i >= n) {
        if (i < 0)
            i = border == PHYSAD__BORDER_MIRROR ? -i : -1 - i;
        else
            i = border == PHYSAD__BORDER_MIRROR ? 2 * n - 2 - i : 2 * n - 1 - i;
    }
    return i;
}

static void blur_equals_the_double_sum(void **state)
{
    physad__mem mem;
    float map[H * W], blurred[H * W];
    physad__mem_init(&mem, NULL, 0);
    fill(map);
    for (int border = 0; border < 2; border++) {
        for (double sigma = 0.5; sigma < 5; sigma += 1.5) { /* the kernel outgrows the map */
            const int radius = (int)(4 * sigma + 0.5);
            double sum = 0;
            memcpy(blurred, map, sizeof(map));
            assert_ok(physad__map_blur(&mem, blurred, H, W, sigma, border));
            for (int t = -radius; t <= radius; t++)
                sum += exp(-0.5 * t * t / (sigma * sigma));
            for (int y = 0; y < H; y++)
                for (int x = 0; x < W; x++) {
                    double want = 0;
                    for (int v = -radius; v <= radius; v++)
                        for (int u = -radius; u <= radius; u++)
                            want += exp(-0.5 * (v * v + u * u) / (sigma * sigma)) *
                                    (double)map[beyond(y + v, H, border) * W + beyond(x + u, W, border)];
                    assert_near((double)blurred[y * W + x], want / (sum * sum), 2e-6);
                }
        }
    }
    memcpy(blurred, map, sizeof(map));
    assert_ok(physad__map_blur(&mem, blurred, H, W, 0, 0));
    assert_memory_equal(blurred, map, sizeof(map));
    assert_int_equal(atomic_load(&mem.used), 0);
}

static void a_constant_stays(void **state)
{
    physad__mem mem;
    float in[4] = { 2.5f, 2.5f, 2.5f, 2.5f }, out[35];
    physad__mem_init(&mem, NULL, 0);
    for (int how = 0; how < 2; how++) {
        physad__map_upsample(in, 2, 2, out, 5, 7, how);
        assert_ok(physad__map_blur(&mem, out, 5, 7, 1.3, how));
        for (int i = 0; i < 35; i++)
            assert_near((double)out[i], 2.5, 1e-6);
    }
}

static void upsampling_follows_the_rule(void **state)
{
    /* interpolate(scale 2): 2 values to 4 */
    const float in[2] = { 0, 4 };
    float out[4];
    physad__map_upsample(in, 1, 2, out, 1, 4, PHYSAD__UPSAMPLE_BILINEAR);
    assert_near((double)out[0], 0, 0);
    assert_near((double)out[1], 1, 1e-7);
    assert_near((double)out[2], 3, 1e-7);
    assert_near((double)out[3], 4, 0);
    physad__map_upsample(in, 1, 2, out, 1, 4, PHYSAD__UPSAMPLE_NEAREST);
    assert_near((double)out[1], 0, 0);
    assert_near((double)out[2], 4, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blur_equals_the_double_sum),
        cmocka_unit_test(a_constant_stays),
        cmocka_unit_test(upsampling_follows_the_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
