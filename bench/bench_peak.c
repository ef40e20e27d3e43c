/* SPDX-License-Identifier: Apache-2.0 */
/* What one core of this machine can do at most, as one JSON line: operations per nanosecond (lanes of the widest
 * instructions that are there) and bytes read per nanosecond. fma32  f32 multiply-adds     add64  f64 additions dot8
 * products of bytes, added by VPDPBUSD (VPMADDUBSW without) madd16 products of 16 bits   l1, memory  bytes */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

#if defined(__x86_64__)
#include <immintrin.h>

#define ROUNDS 400000

/* 12 sums, so that no sum waits for itself. */
#define TWELVE(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7) M(8) M(9) M(10) M(11)
#define KEEP512(i) __asm__ volatile("" : "+v"(s##i));
#define KEEP256(i) __asm__ volatile("" : "+x"(s##i));

#define DEFINE_LOOP(name, isa, type, start, STEP, KEEP)                 \
    __attribute__((target(isa))) static void name(void)                 \
    {                                                                   \
        type s0 = start, s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0;   \
        type s6 = s0, s7 = s0, s8 = s0, s9 = s0, s10 = s0, s11 = s0;    \
        type one = start;                                               \
        __asm__ volatile("" : "+m"(one)); /* nothing is known of it */  \
        for (int i = 0; i < ROUNDS; i++) {                              \
            TWELVE(STEP)                                                \
            TWELVE(KEEP)                                                \
        }                                                               \
    }

#define WIDE "avx512f,avx512bw,avx512dq,avx512vl"
#define FMA512(i) s##i = _mm512_fmadd_ps(one, one, s##i);
#define ADD512(i) s##i = _mm512_add_pd(one, s##i);
#define MADD512(i) s##i = _mm512_add_epi32(s##i, _mm512_madd_epi16(one, s##i));
#define DOT512(i) __asm__ volatile("vpdpbusd %1, %1, %0" : "+v"(s##i) : "v"(one));
#define FMA256(i) s##i = _mm256_fmadd_ps(one, one, s##i);
#define ADD256(i) s##i = _mm256_add_pd(one, s##i);
#define MADD256(i) s##i = _mm256_add_epi32(s##i, _mm256_madd_epi16(one, s##i));
#define DOT256(i) s##i = _mm256_add_epi16(s##i, _mm256_maddubs_epi16(one, s##i));

DEFINE_LOOP(fma_512, WIDE, __m512, _mm512_setzero_ps(), FMA512, KEEP512)
DEFINE_LOOP(add_512, WIDE, __m512d, _mm512_setzero_pd(), ADD512, KEEP512)
DEFINE_LOOP(madd_256, "avx2", __m256i, _mm256_setzero_si256(), MADD256, KEEP256)
DEFINE_LOOP(dot_512, WIDE ",avx512vnni", __m512i, _mm512_setzero_si512(), DOT512, KEEP512)
DEFINE_LOOP(fma_256, "avx2,fma", __m256, _mm256_setzero_ps(), FMA256, KEEP256)
DEFINE_LOOP(add_256, "avx2", __m256d, _mm256_setzero_pd(), ADD256, KEEP256)
DEFINE_LOOP(dot_256, "avx2", __m256i, _mm256_setzero_si256(), DOT256, KEEP256)

/* Best of several: instructions' lanes per nanosecond. */
static double peak(void (*loop)(void), int lanes)
{
    double best = 0;
    for (int i = 0; i < 7; i++) {
        const double start = now();
        loop();
        const double rate = 12.0 * ROUNDS * lanes / (now() - start);
        best = rate > best ? rate : best;
    }
    return best;
}

__attribute__((target("avx2"))) static void read_all(const char *data, size_t size)
{
    __m256i a = _mm256_setzero_si256(), b = a, c = a, d = a;
    for (size_t i = 0; i < size; i += 128) {
        const __m256i *p = (const __m256i *)(const void *)(data + i);
        a = _mm256_or_si256(a, _mm256_loadu_si256(p));
        b = _mm256_or_si256(b, _mm256_loadu_si256(p + 1));
        c = _mm256_or_si256(c, _mm256_loadu_si256(p + 2));
        d = _mm256_or_si256(d, _mm256_loadu_si256(p + 3));
    }
    a = _mm256_or_si256(_mm256_or_si256(a, b), _mm256_or_si256(c, d));
    __asm__ volatile("" : : "x"(a));
}

static double reading(size_t size, int times)
{
    char *data = aligned_alloc(128, size);
    double best = 0;
    if (data == NULL)
        return 0;
    memset(data, 1, size);
    for (int i = 0; i < 7; i++) {
        const double start = now();
        for (int t = 0; t < times; t++)
            read_all(data, size);
        const double rate = (double)size * times / (now() - start);
        best = rate > best ? rate : best;
    }
    free(data);
    return best;
}

int main(void)
{
    __builtin_cpu_init();
    const int wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw"),
              dots = __builtin_cpu_supports("avx512vnni");
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) {
        fprintf(stderr, "bench_peak: needs AVX2\n");
        return 77;
    }
    printf("{\"fma32\": %.2f, \"add64\": %.2f, \"dot8\": %.2f, \"madd16\": %.2f, \"l1\": %.2f, \"memory\": %.2f}\n",
           wide ? peak(fma_512, 16) : peak(fma_256, 8), wide ? peak(add_512, 8) : peak(add_256, 4),
           dots ? peak(dot_512, 64) : peak(dot_256, 32), peak(madd_256, 16), reading(16 << 10, 20000),
           reading((size_t)256 << 20, 1));
    return 0;
}

#else

int main(void)
{
    fprintf(stderr, "bench_peak: written for x86-64 alone\n");
    return 77;
}

#endif
