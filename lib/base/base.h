/* SPDX-License-Identifier: Apache-2.0 */
/* base: error text, checked allocation, views, locale-free numbers, random numbers. Knows nothing of contexts. */
#ifndef PHYSAD__BASE_H
#define PHYSAD__BASE_H

#include <physad/base.h>
#include <physad/context.h>

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#define PHYSAD__PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define PHYSAD__COUNT(array) ((int64_t)(sizeof(array) / sizeof((array)[0])))
/* Returns from the calling function when `call` fails; its message stands. */
#define PHYSAD__TRY(call)                          \
    do {                                           \
        const physad_status status_ = (call);      \
        if (status_ != PHYSAD_OK)                  \
            return status_;                        \
    } while (0)

static inline int64_t physad__min(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t physad__max(int64_t a, int64_t b) { return a > b ? a : b; }

/* --- error text (base_status.c) --- */

/* Sets this thread's message, always with "." as the decimal mark, and returns `status`. Never allocates. */
physad_status physad__error(physad_status status, const char *format, ...) PHYSAD__PRINTF(2, 3);
/* Puts "text: " before the present message (a path, a stage), unless it begins so, and returns `status`. */
physad_status physad__error_prefix(physad_status status, const char *format, ...) PHYSAD__PRINTF(2, 3);

/* A failure carried from a worker thread to the caller's. */
typedef struct physad__fault {
    physad_status status; /* PHYSAD_OK: none */
    char text[1024];
} physad__fault;
void physad__fault_take(physad__fault *fault, physad_status status); /* this thread's message; the first one stays */
physad_status physad__fault_publish(const physad__fault *fault);     /* sets this thread's message */

/* In place: "?" for every byte that is no part of a UTF-8 character, and for control characters. All messages pass it,
 * for they quote files: a terminal would obey what it is to show. */
void physad__text_tidy(char *text);

/* --- memory (base_alloc.c) --- */

/* Where memory comes from and how much of it there is; lives in the context, outlives every block. */
typedef struct physad__mem {
    physad_allocator allocator;
    uint64_t limit; /* 0: none */
    _Atomic uint64_t used;
    _Atomic uint64_t peak;
} physad__mem;

void physad__mem_init(physad__mem *mem, const physad_allocator *allocator, uint64_t limit);
/* 64-byte aligned; `what` names the use in the message. NULL sets a NOMEM message. A size of 0 gives a valid pointer.
 */
void *physad__alloc(physad__mem *mem, size_t size, const char *what);
void *physad__alloc_zero(physad__mem *mem, size_t size, const char *what);
/* The block with another size, its content kept as far as both reach; NULL leaves `old` as it is. `old` may be NULL. */
void *physad__realloc(physad__mem *mem, void *old, size_t size, const char *what);
/* count * size, checked; negative counts fail. */
void *physad__alloc_array(physad__mem *mem, int64_t count, size_t size, const char *what);
/* Grows *block to at least `count` elements (doubling), keeping its content; *capacity is in elements. */
physad_status physad__grow(physad__mem *mem, void *block, int64_t *capacity, int64_t count, size_t size,
                           const char *what);
char *physad__strdup(physad__mem *mem, const char *text);
char *physad__strndup(physad__mem *mem, const char *text, size_t length);
/* A printf into memory of `mem`; NULL sets a NOMEM message. */
char *physad__format(physad__mem *mem, const char *format, ...) PHYSAD__PRINTF(2, 3);
void physad__free(void *ptr); /* NULL is fine */
bool physad__mul_overflow(int64_t a, int64_t b, int64_t *product); /* also true for negative factors */

/* --- text and numbers without locale (base_text.c) --- */

/* Like vsnprintf, but in the C locale whatever the program has set. */
int physad__vsnprintf(char *out, size_t size, const char *format, va_list args) PHYSAD__PRINTF(3, 0);
int physad__snprintf(char *out, size_t size, const char *format, ...) PHYSAD__PRINTF(3, 4);
/* The whole of `text` as a number; false otherwise. */
bool physad__parse_double(const char *text, double *value);
bool physad__parse_int(const char *text, int64_t *value);
bool physad__parse_bool(const char *text, bool *value); /* true false yes no on off 1 0 */
/* The name nearest to `text` among `names[count]` for "did you mean", or NULL when none is near. */
const char *physad__nearest_name(const char *text, const char *const *names, int64_t count);
/* Compares names as people number them: "9.png" before "10.png"; ties by bytes. */
int physad__natural_compare(const char *a, const char *b);
/* Bytes of the UTF-8 character at `p`, one for a NUL; 0: none begins there (no overlong forms, surrogates or what lies
 * beyond U+10FFFF). `p` ends with a NUL, beyond which nothing is read. */
size_t physad__utf8_character(const char *p);
bool physad__has_suffix(const char *text, const char *suffix); /* ASCII case is ignored */

/* --- sorting (base_sort.c) --- */

/* Ascending; where one is not a number the order is any. */
void physad__sort_floats(float *values, int64_t n);
void physad__sort_doubles(double *values, int64_t n);

/* --- options structures --- */

/* Copies a caller's options of any older or newer size over `out` (filled with defaults by zeros): too small is ARG, a
 * set field this library does not know is UNSUPPORTED. `in` may be NULL. `least` is the size of the first released
 * version. */
physad_status physad__options_read(void *out, size_t size, size_t least, const void *in, const char *name);

/* --- views (base_view.c) --- */

/* Checks data, dtype, ndim, shape (>= 0) and that the extents fit in memory; `name` is the argument's. */
physad_status physad__view_check(const physad_view *view, const char *name);
int64_t physad__view_count(const physad_view *view); /* product of the shape */
bool physad__view_is_contiguous(const physad_view *view);
const char *physad__shape_text(char *out, size_t size, int32_t ndim, const int64_t *shape); /* "(2,4)" */
/* Wants exactly dtype and ndim, and shape[i] where want[i] >= 0, row-major without gaps. */
physad_status physad__view_want(const physad_view *view, const char *name, int32_t dtype, int32_t ndim,
                                const int64_t *want);

/* --- random numbers (base_rng.c): xoshiro256**, seeded through splitmix64; one answer on every machine --- */

typedef struct physad__rng {
    uint64_t state[4];
} physad__rng;
/* `stream` separates independent uses of one seed. */
void physad__rng_seed(physad__rng *rng, uint64_t seed, uint64_t stream);
uint64_t physad__rng_next(physad__rng *rng);
int64_t physad__rng_below(physad__rng *rng, int64_t n); /* uniform in [0, n), without bias */
double physad__rng_uniform(physad__rng *rng);           /* [0, 1), 53 bits */
double physad__rng_normal(physad__rng *rng);            /* mean 0, variance 1 */
void physad__rng_shuffle(physad__rng *rng, int64_t *items, int64_t n);

/* --- time --- */
double physad__seconds(void); /* monotonic */

#endif
