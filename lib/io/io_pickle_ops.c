/* SPDX-License-Identifier: Apache-2.0 */
/* The opcodes of pickle protocols 0 to 5, as a table: how the operand is written, and what is done with it.
 * The meaning of each is that of Python's pickletools; what would import or call makes a record instead. */
#include "io/io_pickle.h"

/* The same numbers as in io_pickle.c: values that every pickle has. */
enum { FIXED_NONE, FIXED_FALSE, FIXED_TRUE, FIXED_EMPTY };

typedef physad__pickle_operand operand;
typedef physad_status action(physad__pickle *p, const operand *o);

/* --- plain values --- */

static physad_status push_integer(physad__pickle *p, int64_t value)
{
    int32_t id;
    PHYSAD__TRY(physad__pickle_new(p, PHYSAD__PICKLE_INT, &id));
    p->values[id].integer = value;
    return physad__pickle_push(p, id);
}

static physad_status push_number(physad__pickle *p, double value)
{
    int32_t id;
    PHYSAD__TRY(physad__pickle_new(p, PHYSAD__PICKLE_FLOAT, &id));
    p->values[id].number = value;
    return physad__pickle_push(p, id);
}

static physad_status new_text(physad__pickle *p, physad__pickle_kind kind, const uint8_t *text, int64_t length,
                              int32_t *id)
{
    PHYSAD__TRY(physad__pickle_new(p, kind, id));
    p->values[*id].text = text;
    p->values[*id].length = length;
    return PHYSAD_OK;
}

static physad_status push_text(physad__pickle *p, physad__pickle_kind kind, const uint8_t *text, int64_t length)
{
    int32_t id;
    PHYSAD__TRY(new_text(p, kind, text, length, &id));
    return physad__pickle_push(p, id);
}

static physad_status op_none(physad__pickle *p, const operand *o)
{
    return physad__pickle_push(p, FIXED_NONE);
}

static physad_status op_true(physad__pickle *p, const operand *o)
{
    return physad__pickle_push(p, FIXED_TRUE);
}

static physad_status op_false(physad__pickle *p, const operand *o)
{
    return physad__pickle_push(p, FIXED_FALSE);
}

static physad_status op_integer(physad__pickle *p, const operand *o)
{
    return push_integer(p, o->integer);
}

static physad_status op_float(physad__pickle *p, const operand *o)
{
    return push_number(p, o->number);
}

static physad_status op_text(physad__pickle *p, const operand *o)
{
    return push_text(p, PHYSAD__PICKLE_TEXT, o->text, o->length);
}

static physad_status op_bytes(physad__pickle *p, const operand *o)
{
    return push_text(p, PHYSAD__PICKLE_BYTES, o->text, o->length);
}

static physad_status op_long(physad__pickle *p, const operand *o)
{
    uint64_t bits = 0;
    if (o->length > 8)
        return push_text(p, PHYSAD__PICKLE_BIG, o->text, o->length);
    for (int64_t i = 0; i < o->length; i++)
        bits |= (uint64_t)o->text[i] << (8 * i);
    if (o->length > 0 && o->length < 8 && (o->text[o->length - 1] & 0x80))
        bits |= ~UINT64_C(0) << (8 * o->length);
    return push_integer(p, (int64_t)bits);
}

/* Protocol 0: "12", "12L", and "00" and "01" for the truth values. */
static physad_status op_decimal(physad__pickle *p, const operand *o)
{
    char text[32];
    int64_t value, length = o->length;
    if (length == 2 && o->text[0] == '0' && (o->text[1] == '0' || o->text[1] == '1'))
        return physad__pickle_push(p, o->text[1] == '1' ? FIXED_TRUE : FIXED_FALSE);
    if (length > 1 && o->text[length - 1] == 'L')
        length--;
    if (length < 1 || length >= (int64_t)sizeof(text))
        return physad__pickle_error(p, "a decimal number of %lld characters", (long long)length);
    memcpy(text, o->text, (size_t)length);
    text[length] = '\0';
    if (!physad__parse_int(text, &value))
        return physad__pickle_error(p, "\"%s\" is not a number", text);
    return push_integer(p, value);
}

static physad_status op_decimal_float(physad__pickle *p, const operand *o)
{
    char text[64];
    double value;
    if (o->length < 1 || o->length >= (int64_t)sizeof(text))
        return physad__pickle_error(p, "a decimal number of %lld characters", (long long)o->length);
    memcpy(text, o->text, (size_t)o->length);
    text[o->length] = '\0';
    if (!physad__parse_double(text, &value))
        return physad__pickle_error(p, "\"%s\" is not a number", text);
    return push_number(p, value);
}

static physad_status op_quoted(physad__pickle *p, const operand *o)
{
    operand plain = { 0 };
    PHYSAD__TRY(physad__pickle_unquote(p, o->text, o->length, &plain.text, &plain.length));
    return op_text(p, &plain);
}

static physad_status op_raw_unicode(physad__pickle *p, const operand *o)
{
    operand plain = { 0 };
    PHYSAD__TRY(physad__pickle_unescape(p, o->text, o->length, &plain.text, &plain.length));
    return op_text(p, &plain);
}

/* --- stack and memo --- */

static physad_status op_mark(physad__pickle *p, const operand *o)
{
    return physad__pickle_push(p, -1);
}

static physad_status op_stop(physad__pickle *p, const operand *o)
{
    p->stopped = true;
    return PHYSAD_OK;
}

static physad_status op_pop(physad__pickle *p, const operand *o)
{
    if (p->stack_count == 0)
        return physad__pickle_error(p, "POP on an empty stack");
    p->stack_count--; /* a value or a mark */
    return PHYSAD_OK;
}

static physad_status op_pop_mark(physad__pickle *p, const operand *o)
{
    int64_t first;
    PHYSAD__TRY(physad__pickle_marked(p, &first));
    p->stack_count = first - 1;
    return PHYSAD_OK;
}

static physad_status top(physad__pickle *p, int32_t *id)
{
    PHYSAD__TRY(physad__pickle_pop(p, id));
    p->stack_count++;
    return PHYSAD_OK;
}

static physad_status op_dup(physad__pickle *p, const operand *o)
{
    int32_t id;
    PHYSAD__TRY(top(p, &id));
    return physad__pickle_push(p, id);
}

static physad_status op_put(physad__pickle *p, const operand *o)
{
    int32_t id;
    PHYSAD__TRY(top(p, &id));
    return physad__pickle_memo_put(p, o->integer, id);
}

static physad_status op_memoize(physad__pickle *p, const operand *o)
{
    int32_t id;
    PHYSAD__TRY(top(p, &id));
    return physad__pickle_memo_put(p, p->memo_count, id);
}

static physad_status op_get(physad__pickle *p, const operand *o)
{
    int32_t id;
    PHYSAD__TRY(physad__pickle_memo_get(p, o->integer, &id));
    return physad__pickle_push(p, id);
}

/* Protocol 0 writes the key in decimal. */
static physad_status decimal_key(physad__pickle *p, const operand *o, operand *key)
{
    char text[16];
    if (o->length < 1 || o->length >= (int64_t)sizeof(text))
        return physad__pickle_error(p, "a memo key of %lld characters", (long long)o->length);
    memcpy(text, o->text, (size_t)o->length);
    text[o->length] = '\0';
    if (!physad__parse_int(text, &key->integer))
        return physad__pickle_error(p, "the memo key \"%s\" is not a number", text);
    return PHYSAD_OK;
}

static physad_status op_put_decimal(physad__pickle *p, const operand *o)
{
    operand key = { 0 };
    PHYSAD__TRY(decimal_key(p, o, &key));
    return op_put(p, &key);
}

static physad_status op_get_decimal(physad__pickle *p, const operand *o)
{
    operand key = { 0 };
    PHYSAD__TRY(decimal_key(p, o, &key));
    return op_get(p, &key);
}

static physad_status op_proto(physad__pickle *p, const operand *o)
{
    if (o->integer > 5)
        return physad__error(PHYSAD_ERR_UNSUPPORTED, "%s: pickle protocol %lld, this version reads 0 to 5", p->name,
                             (long long)o->integer);
    return PHYSAD_OK;
}

static physad_status op_frame(physad__pickle *p, const operand *o)
{
    return physad__pickle_need(p, (uint64_t)o->integer); /* only a promise of length */
}

/* --- containers --- */

/* What lies above the topmost mark becomes a new container; the mark goes. */
static physad_status collect(physad__pickle *p, physad__pickle_kind kind)
{
    int64_t first;
    int32_t id;
    PHYSAD__TRY(physad__pickle_marked(p, &first));
    if (kind == PHYSAD__PICKLE_DICT && (p->stack_count - first) % 2 != 0)
        return physad__pickle_error(p, "a dictionary with a key that has no value");
    PHYSAD__TRY(physad__pickle_new(p, kind, &id));
    PHYSAD__TRY(physad__pickle_append(p, id, p->stack + first, p->stack_count - first));
    p->stack_count = first - 1;
    return physad__pickle_push(p, id);
}

static physad_status op_list(physad__pickle *p, const operand *o)
{
    return collect(p, PHYSAD__PICKLE_LIST);
}

static physad_status op_dict(physad__pickle *p, const operand *o)
{
    return collect(p, PHYSAD__PICKLE_DICT);
}

static physad_status op_tuple(physad__pickle *p, const operand *o)
{
    return collect(p, PHYSAD__PICKLE_TUPLE);
}

static physad_status op_frozenset(physad__pickle *p, const operand *o)
{
    return collect(p, PHYSAD__PICKLE_SET);
}

static physad_status push_new(physad__pickle *p, physad__pickle_kind kind)
{
    int32_t id;
    PHYSAD__TRY(physad__pickle_new(p, kind, &id));
    return physad__pickle_push(p, id);
}

static physad_status op_empty_list(physad__pickle *p, const operand *o)
{
    return push_new(p, PHYSAD__PICKLE_LIST);
}

static physad_status op_empty_dict(physad__pickle *p, const operand *o)
{
    return push_new(p, PHYSAD__PICKLE_DICT);
}

static physad_status op_empty_set(physad__pickle *p, const operand *o)
{
    return push_new(p, PHYSAD__PICKLE_SET);
}

static physad_status op_empty_tuple(physad__pickle *p, const operand *o)
{
    return physad__pickle_push(p, FIXED_EMPTY);
}

static physad_status tuple_of(physad__pickle *p, int64_t count)
{
    int32_t id;
    for (int64_t i = 1; i <= count; i++)
        if (p->stack_count < i || p->stack[p->stack_count - i] < 0)
            return physad__pickle_error(p, "a tuple of %lld needs as many values on the stack", (long long)count);
    PHYSAD__TRY(physad__pickle_new(p, PHYSAD__PICKLE_TUPLE, &id));
    PHYSAD__TRY(physad__pickle_append(p, id, p->stack + p->stack_count - count, count));
    p->stack_count -= count;
    return physad__pickle_push(p, id);
}

static physad_status op_tuple1(physad__pickle *p, const operand *o)
{
    return tuple_of(p, 1);
}

static physad_status op_tuple2(physad__pickle *p, const operand *o)
{
    return tuple_of(p, 2);
}

static physad_status op_tuple3(physad__pickle *p, const operand *o)
{
    return tuple_of(p, 3);
}

/* Adds `count` values from the stack's top to the container below them (and below a mark, where `marked`). */
static physad_status extend(physad__pickle *p, int64_t first, bool marked, physad__pickle_kind kind)
{
    const int64_t place = first - 1 - (marked ? 1 : 0), count = p->stack_count - first;
    if (place < 0 || p->stack[place] < 0)
        return physad__pickle_error(p, "items without a container below them");
    const int32_t container = p->stack[place];
    physad__pickle_value *v = &p->values[container];
    const bool pairs = kind == PHYSAD__PICKLE_DICT;
    if (pairs && count % 2 != 0)
        return physad__pickle_error(p, "a dictionary with a key that has no value");
    if (v->kind == PHYSAD__PICKLE_OBJECT && (v->count == 0 || v->pairs == pairs))
        v->pairs = pairs; /* a subclass of list or dict */
    else if (v->kind != kind)
        return physad__pickle_error(p, "items for a container of another kind");
    PHYSAD__TRY(physad__pickle_append(p, container, p->stack + first, count));
    p->stack_count = first - (marked ? 1 : 0);
    return PHYSAD_OK;
}

static physad_status extend_marked(physad__pickle *p, physad__pickle_kind kind)
{
    int64_t first;
    PHYSAD__TRY(physad__pickle_marked(p, &first));
    return extend(p, first, true, kind);
}

static physad_status extend_by(physad__pickle *p, int64_t count, physad__pickle_kind kind)
{
    for (int64_t i = 1; i <= count; i++)
        if (p->stack_count < i || p->stack[p->stack_count - i] < 0)
            return physad__pickle_error(p, "items without values on the stack");
    return extend(p, p->stack_count - count, false, kind);
}

static physad_status op_append(physad__pickle *p, const operand *o)
{
    return extend_by(p, 1, PHYSAD__PICKLE_LIST);
}

static physad_status op_appends(physad__pickle *p, const operand *o)
{
    return extend_marked(p, PHYSAD__PICKLE_LIST);
}

static physad_status op_additems(physad__pickle *p, const operand *o)
{
    return extend_marked(p, PHYSAD__PICKLE_SET);
}

static physad_status op_setitem(physad__pickle *p, const operand *o)
{
    return extend_by(p, 2, PHYSAD__PICKLE_DICT);
}

static physad_status op_setitems(physad__pickle *p, const operand *o)
{
    return extend_marked(p, PHYSAD__PICKLE_DICT);
}

/* --- what Python would import, call and build --- */

static physad_status push_global(physad__pickle *p, int32_t module, int32_t name)
{
    int32_t id;
    if (p->values[module].kind != PHYSAD__PICKLE_TEXT || p->values[name].kind != PHYSAD__PICKLE_TEXT)
        return physad__pickle_error(p, "a global whose name is not text");
    PHYSAD__TRY(physad__pickle_new(p, PHYSAD__PICKLE_GLOBAL, &id));
    p->values[id].function = module;
    p->values[id].arguments = name;
    return physad__pickle_push(p, id);
}

static physad_status op_global(physad__pickle *p, const operand *o)
{
    int32_t module, name;
    PHYSAD__TRY(new_text(p, PHYSAD__PICKLE_TEXT, o->text, o->length, &module));
    PHYSAD__TRY(new_text(p, PHYSAD__PICKLE_TEXT, o->text2, o->length2, &name));
    return push_global(p, module, name);
}

static physad_status op_stack_global(physad__pickle *p, const operand *o)
{
    int32_t module, name;
    PHYSAD__TRY(physad__pickle_pop(p, &name));
    PHYSAD__TRY(physad__pickle_pop(p, &module));
    return push_global(p, module, name);
}

static physad_status push_object(physad__pickle *p, int32_t function, int32_t arguments)
{
    int32_t id;
    PHYSAD__TRY(physad__pickle_new(p, PHYSAD__PICKLE_OBJECT, &id));
    p->values[id].function = function;
    p->values[id].arguments = arguments;
    return physad__pickle_push(p, id);
}

/* REDUCE and NEWOBJ: a callable, then its arguments. */
static physad_status op_call(physad__pickle *p, const operand *o)
{
    int32_t function, arguments;
    PHYSAD__TRY(physad__pickle_pop(p, &arguments));
    PHYSAD__TRY(physad__pickle_pop(p, &function));
    return push_object(p, function, arguments);
}

static physad_status op_newobj_ex(physad__pickle *p, const operand *o)
{
    int32_t keywords;
    PHYSAD__TRY(physad__pickle_pop(p, &keywords));
    return op_call(p, o);
}

/* INST: the class is named in place; the arguments lie above the mark. */
static physad_status op_inst(physad__pickle *p, const operand *o)
{
    int32_t function, arguments;
    PHYSAD__TRY(collect(p, PHYSAD__PICKLE_TUPLE));
    PHYSAD__TRY(physad__pickle_pop(p, &arguments));
    PHYSAD__TRY(op_global(p, o));
    PHYSAD__TRY(physad__pickle_pop(p, &function));
    return push_object(p, function, arguments);
}

/* OBJ: the class is the first value above the mark. */
static physad_status op_obj(physad__pickle *p, const operand *o)
{
    int64_t first;
    int32_t arguments;
    PHYSAD__TRY(physad__pickle_marked(p, &first));
    if (first == p->stack_count)
        return physad__pickle_error(p, "an object without a class");
    const int32_t function = p->stack[first];
    PHYSAD__TRY(physad__pickle_new(p, PHYSAD__PICKLE_TUPLE, &arguments));
    PHYSAD__TRY(physad__pickle_append(p, arguments, p->stack + first + 1, p->stack_count - first - 1));
    p->stack_count = first - 1;
    return push_object(p, function, arguments);
}

static physad_status op_build(physad__pickle *p, const operand *o)
{
    int32_t state, object;
    PHYSAD__TRY(physad__pickle_pop(p, &state));
    PHYSAD__TRY(top(p, &object));
    if (p->values[object].kind != PHYSAD__PICKLE_OBJECT)
        return physad__pickle_error(p, "a state for a value that is no object");
    p->values[object].state = state;
    return PHYSAD_OK;
}

static physad_status push_persistent(physad__pickle *p, int32_t identity)
{
    int32_t id;
    PHYSAD__TRY(physad__pickle_new(p, PHYSAD__PICKLE_PERSISTENT, &id));
    p->values[id].arguments = identity;
    return physad__pickle_push(p, id);
}

static physad_status op_binpersid(physad__pickle *p, const operand *o)
{
    int32_t identity;
    PHYSAD__TRY(physad__pickle_pop(p, &identity));
    return push_persistent(p, identity);
}

static physad_status op_persid(physad__pickle *p, const operand *o)
{
    int32_t identity;
    PHYSAD__TRY(new_text(p, PHYSAD__PICKLE_TEXT, o->text, o->length, &identity));
    return push_persistent(p, identity);
}

static physad_status op_extension(physad__pickle *p, const operand *o)
{
    return physad__error(PHYSAD_ERR_UNSUPPORTED, "%s: pickle at byte %lld: refers to Python's extension registry",
                         p->name, (long long)(p->base + p->op_at));
}

static physad_status op_out_of_band(physad__pickle *p, const operand *o)
{
    return physad__error(PHYSAD_ERR_UNSUPPORTED, "%s: pickle at byte %lld: refers to buffers outside of the file",
                         p->name, (long long)(p->base + p->op_at));
}

/* The table reads better so. */
#define FORM_NONE PHYSAD__PICKLE_FORM_NONE
#define FORM_U1 PHYSAD__PICKLE_FORM_U1
#define FORM_U2 PHYSAD__PICKLE_FORM_U2
#define FORM_S4 PHYSAD__PICKLE_FORM_S4
#define FORM_U4 PHYSAD__PICKLE_FORM_U4
#define FORM_U8 PHYSAD__PICKLE_FORM_U8
#define FORM_F8 PHYSAD__PICKLE_FORM_F8
#define FORM_LINE PHYSAD__PICKLE_FORM_LINE
#define FORM_LINES PHYSAD__PICKLE_FORM_LINES
#define FORM_BYTES1 PHYSAD__PICKLE_FORM_BYTES1
#define FORM_BYTES4 PHYSAD__PICKLE_FORM_BYTES4
#define FORM_SBYTES4 PHYSAD__PICKLE_FORM_SBYTES4
#define FORM_BYTES8 PHYSAD__PICKLE_FORM_BYTES8

static const struct {
    action *act;
    physad__pickle_form operand;
} ops[256] = {
    ['('] = { op_mark, FORM_NONE },
    ['.'] = { op_stop, FORM_NONE },
    ['0'] = { op_pop, FORM_NONE },
    ['1'] = { op_pop_mark, FORM_NONE },
    ['2'] = { op_dup, FORM_NONE },
    ['F'] = { op_decimal_float, FORM_LINE },
    ['I'] = { op_decimal, FORM_LINE },
    ['J'] = { op_integer, FORM_S4 },
    ['K'] = { op_integer, FORM_U1 },
    ['L'] = { op_decimal, FORM_LINE },
    ['M'] = { op_integer, FORM_U2 },
    ['N'] = { op_none, FORM_NONE },
    ['P'] = { op_persid, FORM_LINE },
    ['Q'] = { op_binpersid, FORM_NONE },
    ['R'] = { op_call, FORM_NONE },
    ['S'] = { op_quoted, FORM_LINE },
    ['T'] = { op_text, FORM_SBYTES4 },
    ['U'] = { op_text, FORM_BYTES1 },
    ['V'] = { op_raw_unicode, FORM_LINE },
    ['X'] = { op_text, FORM_BYTES4 },
    ['a'] = { op_append, FORM_NONE },
    ['b'] = { op_build, FORM_NONE },
    ['c'] = { op_global, FORM_LINES },
    ['d'] = { op_dict, FORM_NONE },
    ['}'] = { op_empty_dict, FORM_NONE },
    ['e'] = { op_appends, FORM_NONE },
    ['g'] = { op_get_decimal, FORM_LINE },
    ['h'] = { op_get, FORM_U1 },
    ['i'] = { op_inst, FORM_LINES },
    ['j'] = { op_get, FORM_U4 },
    ['l'] = { op_list, FORM_NONE },
    [']'] = { op_empty_list, FORM_NONE },
    ['o'] = { op_obj, FORM_NONE },
    ['p'] = { op_put_decimal, FORM_LINE },
    ['q'] = { op_put, FORM_U1 },
    ['r'] = { op_put, FORM_U4 },
    ['s'] = { op_setitem, FORM_NONE },
    ['t'] = { op_tuple, FORM_NONE },
    [')'] = { op_empty_tuple, FORM_NONE },
    ['u'] = { op_setitems, FORM_NONE },
    ['G'] = { op_float, FORM_F8 },
    ['B'] = { op_bytes, FORM_BYTES4 },
    ['C'] = { op_bytes, FORM_BYTES1 },
    [0x80] = { op_proto, FORM_U1 },
    [0x81] = { op_call, FORM_NONE },
    [0x82] = { op_extension, FORM_NONE },
    [0x83] = { op_extension, FORM_NONE },
    [0x84] = { op_extension, FORM_NONE },
    [0x85] = { op_tuple1, FORM_NONE },
    [0x86] = { op_tuple2, FORM_NONE },
    [0x87] = { op_tuple3, FORM_NONE },
    [0x88] = { op_true, FORM_NONE },
    [0x89] = { op_false, FORM_NONE },
    [0x8a] = { op_long, FORM_BYTES1 },
    [0x8b] = { op_long, FORM_SBYTES4 },
    [0x8c] = { op_text, FORM_BYTES1 },
    [0x8d] = { op_text, FORM_BYTES8 },
    [0x8e] = { op_bytes, FORM_BYTES8 },
    [0x8f] = { op_empty_set, FORM_NONE },
    [0x90] = { op_additems, FORM_NONE },
    [0x91] = { op_frozenset, FORM_NONE },
    [0x92] = { op_newobj_ex, FORM_NONE },
    [0x93] = { op_stack_global, FORM_NONE },
    [0x94] = { op_memoize, FORM_NONE },
    [0x95] = { op_frame, FORM_U8 },
    [0x96] = { op_bytes, FORM_BYTES8 },
    [0x97] = { op_out_of_band, FORM_NONE },
    [0x98] = { op_out_of_band, FORM_NONE },
};

physad_status physad__pickle_step(physad__pickle *p, uint8_t code)
{
    operand o = { 0 };
    if (ops[code].act == NULL)
        return physad__pickle_error(p, "0x%02x is no opcode", code);
    PHYSAD__TRY(physad__pickle_operand_read(p, ops[code].operand, &o));
    return ops[code].act(p, &o);
}
