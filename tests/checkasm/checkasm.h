/* SPDX-License-Identifier: Apache-2.0 */
/* Compares every kernel of every instruction set with the reference in C. Links the kernels and the flag detection
 * alone. */
#ifndef PHYSAD__CHECKASM_H
#define PHYSAD__CHECKASM_H

#include "kernels/kernels.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef void (*check_fn)(const physad_kernels *reference, const physad_kernels *tested);
typedef void (*bench_fn)(const physad_kernels *tested);

/* One check for each function in the table: `entry` is its place there. */
typedef struct check {
    const char *name;
    size_t entry;
    check_fn run;
    bench_fn bench;
} check;

/* The same for the table of splatting. */
typedef struct splat_check {
    const char *name;
    size_t entry;
    void (*run)(const physad__splat_kernels *reference, const physad__splat_kernels *tested);
    void (*bench)(const physad__splat_kernels *tested);
} splat_check;

extern const check distances_checks[4], codes_checks[2], resize_checks[3];
extern const splat_check splat_checks[4], loss_checks[3];

/* Prints where it was and counts a failure. */
void check_failed(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Numbers of the run's seed. */
uint64_t check_random(void);
int64_t check_below(int64_t n);
float check_normal(void);
/* `size` bytes that end right before a page that cannot be touched; `gap` more bytes before the end shift the
 * alignment, and they are NaNs. Freed together by check_free_all(). */
void *check_alloc(size_t size, size_t gap);
void check_free_all(void);
/* An output with room for guards around it: filled with a pattern, which check_guards() looks for. */
void *check_output(size_t size);
bool check_guards(void *output, size_t size);
/* Bytes of an output that still hold the pattern. */
bool check_untouched(const void *at, size_t size);
/* Prints nanoseconds per element; `run` is called until the time is measurable. */
void check_time(const char *kernel, const char *what, double elements, void (*run)(void *), void *user);

#endif
