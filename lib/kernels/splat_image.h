/* SPDX-License-Identifier: Apache-2.0 */
/* The loss of an image against another, a row at a time, and the optimiser. SSIM: Wang et al. 2004, a Gaussian window
 * of 11 x 11, zeros around the image. The window is separable: first down the columns, then along the row. */

#define SPLAT_C1 1e-4f
#define SPLAT_C2 9e-4f

/* Columns at x.. of n <= LANES: the rest of the vector is zeros. */
SPLAT_INLINE V splat_columns(const float *row, int64_t x, int64_t width)
{
    if (x + LANES <= width)
        return v_load(row + x);
    float lanes[LANES] = { 0 };
    memcpy(lanes, row + x, (size_t)(width - x) * sizeof(float));
    return v_load(lanes);
}

SPLAT_INLINE void splat_put_columns(float *row, int64_t x, int64_t width, V value)
{
    if (x + LANES <= width) {
        v_store(row + x, value);
        return;
    }
    float lanes[LANES];
    v_store(lanes, value);
    memcpy(row + x, lanes, (size_t)(width - x) * sizeof(float));
}

/* A row of sums down the columns, with zeros at both ends. */
SPLAT_INLINE int64_t splat_padded(int64_t width)
{
    return width + 2 * PHYSAD__SSIM_RADIUS + 16;
}

static void splat_pad(float *row, int64_t width)
{
    memset(row, 0, PHYSAD__SSIM_RADIUS * sizeof(float));
    memset(row + PHYSAD__SSIM_RADIUS + width, 0, (PHYSAD__SSIM_RADIUS + 16) * sizeof(float));
}

SPLAT_INLINE V splat_along(const float *padded, int64_t x, const float *weights)
{
    V sum = v_set(0);
    for (int k = 0; k <= 2 * PHYSAD__SSIM_RADIUS; k++)
        sum = v_fma(v_load(padded + x + k), v_set(weights[k]), sum);
    return sum;
}

static void splat_loss_columns(const physad__splat_loss *job, int64_t y)
{
    const int64_t width = job->width, size = splat_padded(width);
    const int64_t low = y > PHYSAD__SSIM_RADIUS ? y - PHYSAD__SSIM_RADIUS : 0;
    const int64_t high = y + PHYSAD__SSIM_RADIUS < job->height ? y + PHYSAD__SSIM_RADIUS : job->height - 1;
    for (int64_t x = 0; x < width; x += LANES) {
        V sums[5] = { v_set(0), v_set(0), v_set(0), v_set(0), v_set(0) };
        for (int64_t row = low; row <= high; row++) {
            const V weight = v_set(job->weights[row - y + PHYSAD__SSIM_RADIUS]);
            const V a = splat_columns(job->image + row * width, x, width),
                    b = splat_columns(job->target + row * width, x, width);
            const V wa = weight * a, wb = weight * b;
            sums[0] = sums[0] + wa;
            sums[1] = sums[1] + wb;
            sums[2] = v_fma(wa, a, sums[2]);
            sums[3] = v_fma(wb, b, sums[3]);
            sums[4] = v_fma(wa, b, sums[4]);
        }
        for (int k = 0; k < 5; k++)
            v_store(job->scratch + k * size + PHYSAD__SSIM_RADIUS + x, sums[k]);
    }
    for (int k = 0; k < 5; k++)
        splat_pad(job->scratch + k * size, width);
}

static void SPLAT_ENTRY(loss)(const physad__splat_loss *job, int64_t y, double sums[2])
{
    const int64_t width = job->width, size = splat_padded(width);
    static const float steps[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
    splat_loss_columns(job, y);
    V l1 = v_set(0), ssim = v_set(0);
    for (int64_t x = 0; x < width; x += LANES) {
        V s[5];
        for (int k = 0; k < 5; k++)
            s[k] = splat_along(job->scratch + k * size, x, job->weights);
        const V a = s[0], b = s[1], ab = a * b, squares = v_fma(a, a, b * b);
        const V n1 = 2.0f * ab + SPLAT_C1, n2 = 2.0f * (s[4] - ab) + SPLAT_C2;
        const V d1 = squares + SPLAT_C1, d2 = s[2] + s[3] - squares + SPLAT_C2;
        const V inverse = v_set(1) / (d1 * d2), value = n1 * n2 * inverse;
        const V by_cross = 2.0f * n1 * inverse, by_square = -value / d2;
        const V by_mean = 2.0f * b * n2 * inverse - 2.0f * a * value / d1 - b * by_cross - 2.0f * a * by_square;
        splat_put_columns(job->d_mean + y * width, x, width, by_mean);
        splat_put_columns(job->d_square + y * width, x, width, by_square);
        splat_put_columns(job->d_cross + y * width, x, width, by_cross);
        const M inside = m_gt(v_set((float)(width - x)), v_load(steps));
        ssim = ssim + v_keep(inside, value);
        l1 = l1 +
             v_abs(splat_columns(job->image + y * width, x, width) - splat_columns(job->target + y * width, x, width));
    }
    sums[0] = (double)v_sum(l1);
    sums[1] = (double)v_sum(ssim);
}

static void SPLAT_ENTRY(loss_back)(const physad__splat_loss *job, int64_t y)
{
    const int64_t width = job->width, size = splat_padded(width);
    const float *fields[3] = { job->d_mean, job->d_square, job->d_cross };
    const int64_t low = y > PHYSAD__SSIM_RADIUS ? y - PHYSAD__SSIM_RADIUS : 0;
    const int64_t high = y + PHYSAD__SSIM_RADIUS < job->height ? y + PHYSAD__SSIM_RADIUS : job->height - 1;
    for (int k = 0; k < 3; k++) {
        for (int64_t x = 0; x < width; x += LANES) {
            V sum = v_set(0);
            for (int64_t row = low; row <= high; row++)
                sum = v_fma(splat_columns(fields[k] + row * width, x, width),
                            v_set(job->weights[row - y + PHYSAD__SSIM_RADIUS]), sum);
            v_store(job->scratch + k * size + PHYSAD__SSIM_RADIUS + x, sum);
        }
        splat_pad(job->scratch + k * size, width);
    }
    for (int64_t x = 0; x < width; x += LANES) {
        const V a = splat_columns(job->image + y * width, x, width),
                b = splat_columns(job->target + y * width, x, width);
        const V by_mean = splat_along(job->scratch, x, job->weights),
                by_square = splat_along(job->scratch + size, x, job->weights);
        const V by_cross = splat_along(job->scratch + 2 * size, x, job->weights);
        const V ssim = v_fma(b, by_cross, v_fma(2.0f * a, by_square, by_mean));
        const V weight = v_set(job->l1_weight);
        const V l1 = v_keep(m_gt(a, b), weight) - v_keep(m_gt(b, a), weight);
        splat_put_columns(job->grad + y * width, x, width, v_fma(ssim, v_set(job->ssim_weight), l1));
    }
}

/* LANES numbers of Adam. A square below 1e-32 counts as that: its root is still less than eps. */
SPLAT_INLINE V splat_adam_some(const physad__splat_adam *adam, V value, V *mean, V *square, V g)
{
    *mean = v_fma(v_set(adam->beta1), *mean, g * (1 - adam->beta1));
    *square = v_fma(v_set(adam->beta2), *square, g * g * (1 - adam->beta2));
    const V held = v_max(*square, v_set(1e-32f));
    const V by = v_fma(held * v_inverse_sqrt(held), v_set(adam->scale), v_set(adam->eps));
    return v_fnma(*mean * adam->step, v_inverse(by), value);
}

static void SPLAT_ENTRY(adam)(const physad__splat_adam *adam, float *value, float *mean, float *square,
                              const float *grad, int64_t n)
{
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        V m = v_load(mean + i), s = v_load(square + i);
        v_store(value + i, splat_adam_some(adam, v_load(value + i), &m, &s, v_load(grad + i)));
        v_store(mean + i, m);
        v_store(square + i, s);
    }
    if (i < n) {
        V m = splat_columns(mean, i, n), s = splat_columns(square, i, n);
        splat_put_columns(value, i, n,
                          splat_adam_some(adam, splat_columns(value, i, n), &m, &s, splat_columns(grad, i, n)));
        splat_put_columns(mean, i, n, m);
        splat_put_columns(square, i, n, s);
    }
}
