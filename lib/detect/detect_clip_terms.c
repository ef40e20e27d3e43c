/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of scores and of networks that several members of the clip family use. */
#include "detect/detect_clip.h"

#include <math.h>

static const double LEAST_ERROR = 1e-10; /* a perfect frame has 100 dB */
static const double USUAL_VARIANCE = 0.0025; /* of pixels in 0..1: a deviation of a twentieth */

/* The means of all windows, by sums over rows, then over columns. */
double physad__clip_worst(const float *map, int64_t height, int64_t width, double share, double *columns)
{
    const int64_t h = physad__max(1, (int64_t)(share * (double)height + 0.5)),
                  w = physad__max(1, (int64_t)(share * (double)width + 0.5));
    double worst = 0;
    memset(columns, 0, (size_t)width * sizeof(double));
    for (int64_t y = 0; y < height; y++) {
        double sum = 0;
        for (int64_t x = 0; x < width; x++) {
            columns[x] += (double)map[y * width + x] - (y >= h ? (double)map[(y - h) * width + x] : 0);
            sum += columns[x] - (x >= w ? columns[x - w] : 0);
            if (y >= h - 1 && x >= w - 1)
                worst = fmax(worst, sum / (double)(h * w));
        }
    }
    return worst;
}

/* Sums of numbers and of their squares above and left of each place, so that four of them give those of a window. */
static void sum_up(const float *frame, int64_t height, int64_t width, int64_t channels, double (*sums)[2])
{
    memset(sums, 0, (size_t)(width + 1) * sizeof(*sums));
    for (int64_t y = 0; y < height; y++) {
        double (*row)[2] = sums + (y + 1) * (width + 1), line[2] = { 0 };
        row[0][0] = row[0][1] = 0;
        for (int64_t x = 0; x < width; x++) {
            double mean = 0;
            for (int64_t c = 0; c < channels; c++)
                mean += ((double)frame[(y * width + x) * channels + c] + 1) / 2 / (double)channels;
            line[0] += mean;
            line[1] += mean * mean;
            for (int k = 0; k < 2; k++)
                row[x + 1][k] = row[x + 1 - (width + 1)][k] + line[k];
        }
    }
}

physad_status physad__clip_contrast(physad__mem *mem, const float *frame, int64_t height, int64_t width,
                                    int64_t channels, double share, float *map)
{
    const int64_t h = physad__max(1, (int64_t)(share * (double)height + 0.5)) / 2,
                  w = physad__max(1, (int64_t)(share * (double)width + 0.5)) / 2;
    double (*sums)[2] = physad__alloc_array(mem, (height + 1) * (width + 1), sizeof(*sums), "contrast");
    if (sums == NULL)
        return PHYSAD_ERR_NOMEM;
    sum_up(frame, height, width, channels, sums);
    for (int64_t y = 0; y < height; y++) {
        const int64_t top = physad__max(y - h, 0) * (width + 1), end = physad__min(y + h + 1, height) * (width + 1);
        for (int64_t x = 0; x < width; x++) {
            const int64_t left = physad__max(x - w, 0), right = physad__min(x + w + 1, width);
            const double count = (double)((end - top) / (width + 1) * (right - left));
            const double mean =
                             (sums[end + right][0] - sums[top + right][0] - sums[end + left][0] + sums[top + left][0]) /
                             count,
                         square =
                             (sums[end + right][1] - sums[top + right][1] - sums[end + left][1] + sums[top + left][1]) /
                             count;
            map[y * width + x] *= (float)(1 / (1 + fmax(square - mean * mean, 0) / USUAL_VARIANCE));
        }
    }
    physad__free(sums);
    return PHYSAD_OK;
}

double physad__clip_psnr_term(const physad_detector *det, const float *made, const float *want, int64_t channels,
                              const float *motion, float *map)
{
    const int64_t size = physad__option_int(det, "size"), pixels = size * size;
    double columns[1024]; /* the greatest size */
    for (int64_t i = 0; i < pixels; i++) {
        double error = 0;
        for (int64_t c = 0; c < channels; c++) {
            const double d = ((double)made[i * channels + c] - (double)want[i * channels + c]) / 2; /* -1..1 to 0..1 */
            error += d * d;
        }
        error /= (double)channels;
        map[i] = (float)(motion != NULL ? sqrt(error) * (double)motion[i] : error);
    }
    return 10 *
           log10(fmax(physad__clip_worst(map, size, size, physad__option_real(det, "window"), columns), LEAST_ERROR));
}

static double row_distance(const float *a, const float *b, int64_t row, int64_t channels)
{
    double sum = 0;
    for (int64_t c = row * channels; c < (row + 1) * channels; c++)
        sum += ((double)a[c] - (double)b[c]) * ((double)a[c] - (double)b[c]);
    return sum / (double)channels;
}

/* Mean motion in the cell that a row of features is of; 1 where motion does not count. */
static double cell_motion(const float *motion, int64_t size, int64_t side, int64_t row)
{
    const int64_t cell = size / side, top = row / side * cell, left = row % side * cell;
    double sum = 0;
    if (motion == NULL)
        return 1;
    for (int64_t y = top; y < top + cell; y++)
        for (int64_t x = left; x < left + cell; x++)
            sum += (double)motion[y * size + x];
    return sum / (double)(cell * cell);
}

double physad__clip_feature_term(const physad_detector *det, const float *a, const float *b, int64_t side,
                                 int64_t channels, const float *motion)
{
    const double share = physad__option_real(det, "window");
    const int64_t size = physad__option_int(det, "size");
    const int64_t window = physad__max(1, (int64_t)(share * (double)side + 0.5));
    double columns[1024], worst = 0;
    memset(columns, 0, (size_t)side * sizeof(double));
    /* As physad__clip_worst(), with the map made row by row: rows leave by being computed once more. */
    for (int64_t y = 0; y < side; y++) {
        double sum = 0;
        for (int64_t x = 0; x < side; x++) {
            const int64_t in = y * side + x, out = in - window * side;
            columns[x] += cell_motion(motion, size, side, in) * row_distance(a, b, in, channels);
            if (y >= window)
                columns[x] -= cell_motion(motion, size, side, out) * row_distance(a, b, out, channels);
            sum += columns[x] - (x >= window ? columns[x - window] : 0);
            if (y >= window - 1 && x >= window - 1)
                worst = fmax(worst, sum / (double)(window * window));
        }
    }
    return motion != NULL ? 10 * log10(fmax(worst, LEAST_ERROR)) : worst;
}

int32_t physad__clip_conv(physad__tape *t, int32_t x, const char *prefix, const char *name, int64_t channels, bool norm)
{
    const physad__tape_window w = physad__tape_square(3, 1, 1, 0);
    char conv[96], bn[96];
    physad__snprintf(conv, sizeof(conv), "%s.%s", prefix, name);
    physad__snprintf(bn, sizeof(bn), "%s.%s.norm", prefix, name);
    const int32_t y = physad__tape_conv(t, x, conv, channels, &w, true);
    return norm ? physad__tape_batch_norm(t, y, bn, PHYSAD__TAPE_RELU, 0)
                : physad__tape_activation(t, y, PHYSAD__TAPE_RELU, 0);
}

int32_t physad__clip_block(physad__tape *t, int32_t x, const char *prefix, int64_t channels, bool norm)
{
    return physad__clip_conv(t, physad__clip_conv(t, x, prefix, "0", channels, norm), prefix, "1", channels, norm);
}

int32_t physad__clip_up(physad__tape *t, int32_t x, const char *prefix, int64_t channels, bool norm)
{
    const physad__tape_window w = physad__tape_square(3, 2, 1, 1);
    char bn[96];
    physad__snprintf(bn, sizeof(bn), "%s.norm", prefix);
    const int32_t y = physad__tape_deconv(t, x, prefix, channels, &w, true);
    return norm ? physad__tape_batch_norm(t, y, bn, PHYSAD__TAPE_RELU, 0)
                : physad__tape_activation(t, y, PHYSAD__TAPE_RELU, 0);
}

int32_t physad__clip_encode(physad__tape *t, int32_t x, int64_t width, bool norm, int32_t skips[3])
{
    static const char *const names[3] = { "encoder.1", "encoder.2", "encoder.3" };
    const physad__tape_window same = physad__tape_square(3, 1, 1, 0), half = physad__tape_square(2, 2, 0, 0);
    for (int i = 0; i < 3; i++) {
        skips[i] = physad__clip_block(t, x, names[i], width << i, norm);
        x = physad__tape_max_pool(t, skips[i], &half);
    }
    return physad__tape_conv(t, physad__clip_conv(t, x, "encoder.4", "0", 8 * width, norm), "encoder.4.1", 8 * width,
                             &same, true);
}
