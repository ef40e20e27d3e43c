/* SPDX-License-Identifier: Apache-2.0 */
/* Pickles unpacked into inert values. Nothing is imported, called or built: a class is the text of its name, a call is
 * a record of what would have been called with what. */
#ifndef PHYSAD__IO_PICKLE_H
#define PHYSAD__IO_PICKLE_H

#include "base/base.h"

typedef enum physad__pickle_kind {
    PHYSAD__PICKLE_NONE,
    PHYSAD__PICKLE_BOOL,       /* integer */
    PHYSAD__PICKLE_INT,        /* integer */
    PHYSAD__PICKLE_BIG,        /* an integer beyond 64 bits: two's complement, little-endian, in text and length */
    PHYSAD__PICKLE_FLOAT,      /* number */
    PHYSAD__PICKLE_TEXT,       /* text, length; not NUL-terminated, may be any bytes */
    PHYSAD__PICKLE_BYTES,      /* text, length */
    PHYSAD__PICKLE_TUPLE,      /* items, count */
    PHYSAD__PICKLE_LIST,       /* items, count */
    PHYSAD__PICKLE_SET,        /* items, count */
    PHYSAD__PICKLE_DICT,       /* items: key, value, key, value ...; count of both together */
    PHYSAD__PICKLE_GLOBAL,     /* function: the module, arguments: the name, both TEXT */
    PHYSAD__PICKLE_PERSISTENT, /* arguments: the identity */
    PHYSAD__PICKLE_OBJECT,     /* function(arguments), then state by BUILD, items by APPENDS or (`pairs`) SETITEMS */
} physad__pickle_kind;

/* Values are known by their number, because their place moves while the pickle is read. */
typedef struct physad__pickle_value {
    int32_t *items;
    int64_t count, capacity;
    union {
        int64_t integer;
        double number;
        int64_t length;
    };
    const uint8_t *text; /* in the pickle's bytes or memory of the machine */
    int32_t function, arguments, state; /* -1: none */
    uint8_t kind;
    bool pairs;
} physad__pickle_value;

typedef struct physad__pickle {
    physad__mem *mem;
    const char *name; /* of the file, for messages */
    const uint8_t *data;
    int64_t size, at; /* of all bytes; `at` is where the next opcode is read */
    int64_t base;     /* offset of `data` in the file, for messages */
    int64_t op_at;
    physad__pickle_value *values;
    int64_t value_count, value_capacity;
    int64_t item_total;
    int32_t *stack; /* -1: a mark */
    int64_t stack_count, stack_capacity;
    uint32_t *memo_keys; /* open addressing; key + 1, 0: free */
    int32_t *memo_values;
    int64_t memo_count, memo_room;
    void **blocks; /* decoded text */
    int64_t block_count, block_capacity;
    bool stopped;
} physad__pickle;

/* Reads one pickle from the front of `data`; `*used` gets its length. FORMAT, UNSUPPORTED or NOMEM on failure, with the
 * byte offset. The values point into `data`. */
physad_status physad__pickle_read(physad__pickle *p, physad__mem *mem, const uint8_t *data, int64_t size, int64_t base,
                                  const char *name, int32_t *root, int64_t *used);
void physad__pickle_free(physad__pickle *p); /* zeroed is fine */

static inline const physad__pickle_value *physad__pickle_at(const physad__pickle *p, int32_t id)
{
    return &p->values[id];
}
bool physad__pickle_text_is(const physad__pickle *p, int32_t id, const char *text);
/* Whether `id` is the global module.name. */
bool physad__pickle_is_global(const physad__pickle *p, int32_t id, const char *module, const char *name);
/* The value of a text key, or -1, in `count` items of key and value; the last one counts, as in Python. */
int32_t physad__pickle_get(const physad__pickle *p, const int32_t *items, int64_t count, const char *key);

/* --- the machine's own parts (io_pickle.c), for the opcodes (io_pickle_ops.c) --- */

typedef struct physad__pickle_operand {
    int64_t integer;
    double number;
    const uint8_t *text;
    int64_t length;
    const uint8_t *text2;
    int64_t length2;
} physad__pickle_operand;

/* How an opcode's operand is written. */
typedef enum physad__pickle_form {
    PHYSAD__PICKLE_FORM_NONE,
    PHYSAD__PICKLE_FORM_U1,
    PHYSAD__PICKLE_FORM_U2,
    PHYSAD__PICKLE_FORM_S4,
    PHYSAD__PICKLE_FORM_U4,
    PHYSAD__PICKLE_FORM_U8,
    PHYSAD__PICKLE_FORM_F8,     /* big-endian double */
    PHYSAD__PICKLE_FORM_LINE,   /* up to a newline */
    PHYSAD__PICKLE_FORM_LINES,  /* two of them */
    PHYSAD__PICKLE_FORM_BYTES1, /* a length of 1 byte, then as many bytes */
    PHYSAD__PICKLE_FORM_BYTES4,
    PHYSAD__PICKLE_FORM_SBYTES4, /* the length is signed */
    PHYSAD__PICKLE_FORM_BYTES8,
} physad__pickle_form;

/* io_pickle_operand.c */
physad_status physad__pickle_operand_read(physad__pickle *p, physad__pickle_form form, physad__pickle_operand *o);
/* Fewer than `count` bytes left: FORMAT. */
physad_status physad__pickle_need(const physad__pickle *p, uint64_t count);
/* A quoted Python literal such as 'a\n\x41', without its quotes and escapes. */
physad_status physad__pickle_unquote(physad__pickle *p, const uint8_t *in, int64_t n, const uint8_t **text,
                                     int64_t *length);
/* Python's "raw-unicode-escape": Latin-1 with \uXXXX and \UXXXXXXXX, as UTF-8. */
physad_status physad__pickle_unescape(physad__pickle *p, const uint8_t *in, int64_t n, const uint8_t **text,
                                      int64_t *length);

/* Performs opcode `code`; its operand is read from p->at. */
physad_status physad__pickle_step(physad__pickle *p, uint8_t code);

physad_status physad__pickle_error(const physad__pickle *p, const char *format, ...) PHYSAD__PRINTF(2, 3);
physad_status physad__pickle_new(physad__pickle *p, physad__pickle_kind kind, int32_t *id);
physad_status physad__pickle_push(physad__pickle *p, int32_t id);
physad_status physad__pickle_pop(physad__pickle *p, int32_t *id); /* fails on a mark and an empty stack */
/* Items above the topmost mark; `*first` is the place of the first. The mark stays. */
physad_status physad__pickle_marked(physad__pickle *p, int64_t *first);
physad_status physad__pickle_append(physad__pickle *p, int32_t container, const int32_t *items, int64_t count);
physad_status physad__pickle_memo_put(physad__pickle *p, int64_t key, int32_t id);
physad_status physad__pickle_memo_get(physad__pickle *p, int64_t key, int32_t *id);
void *physad__pickle_block(physad__pickle *p, int64_t size);

#endif
