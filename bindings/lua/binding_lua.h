/* SPDX-License-Identifier: Apache-2.0 */
/* What the typemaps of physad.i call: handles, arrays, options, errors and progress between Lua and the library.
 * Lua 5.4, and 5.1 as LuaJIT has it. Errors are raised by lua_error() only where nothing of C's has to be freed first;
 * all memory of a call lies on the C stack or in userdata that the collector frees. */
#ifndef PHYSAD__BINDING_LUA_H
#define PHYSAD__BINDING_LUA_H

#include <lauxlib.h>
#include <lua.h>

#include "../binding_fields.h"

#include <stdarg.h>
#include <stdio.h>

#if LUA_VERSION_NUM < 502
#define lua_rawlen lua_objlen
#endif

/* luaL_testudata(), which 5.1 has not. */
static void *lua_test(lua_State *L, int at, const char *name)
{
    void *p = lua_touserdata(L, at);
    if (p == NULL || !lua_getmetatable(L, at))
        return NULL;
    luaL_getmetatable(L, name);
    const int same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same ? p : NULL;
}

/* --- errors: a table with status and message, which prints as its message ---------------------- */

static int lua_error_text(lua_State *L)
{
    lua_getfield(L, 1, "message");
    return 1;
}

static int lua_raise_text(lua_State *L, physad_status status, const char *text)
{
    lua_newtable(L);
    lua_pushstring(L, physad_status_name(status));
    lua_setfield(L, -2, "status");
    lua_pushinteger(L, status);
    lua_setfield(L, -2, "code");
    lua_pushstring(L, text);
    lua_setfield(L, -2, "message");
    if (luaL_newmetatable(L, "physad.error")) {
        lua_pushcfunction(L, lua_error_text);
        lua_setfield(L, -2, "__tostring");
    }
    lua_setmetatable(L, -2);
    return lua_error(L);
}

__attribute__((format(printf, 2, 3))) static int lua_bad(lua_State *L, const char *format, ...)
{
    char text[300];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return lua_raise_text(L, PHYSAD_ERR_ARG, text);
}

/* What a value of the wrong kind says; in place of luaL_check*(), whose errors are texts. */
static void lua_want(lua_State *L, int at, int type, const char *what)
{
    if (lua_type(L, at) != type && !(type == LUA_TNUMBER && lua_isnumber(L, at)))
        lua_bad(L, "%s is %s, want a %s", what, luaL_typename(L, at), lua_typename(L, type));
}

static lua_Number lua_real(lua_State *L, int at, const char *what)
{
    lua_want(L, at, LUA_TNUMBER, what);
    return lua_tonumber(L, at);
}

static lua_Integer lua_whole(lua_State *L, int at, const char *what)
{
    const lua_Number number = lua_real(L, at, what);
    const lua_Integer i = lua_tointeger(L, at);
    if (number != (lua_Number)i)
        lua_bad(L, "%s is %.14g, want an integer", what, (double)number);
    return i;
}

/* SWIG's own checks, too, raise tables; it has the C type. */
static int lua_bad_argument(lua_State *L, const char *call, int at, const char *type)
{
    static const char *const words[][2] = { { "char const *const *", "a list of texts" },
                                            { "char const *", "text (a string)" },
                                            { "physad_view const *", "a list of arrays" },
                                            { "int", "a number" },
                                            { "double", "a number" },
                                            { "void const *", "bytes (a string)" } };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strncmp(type, words[i][0], strlen(words[i][0])) == 0) {
            type = words[i][1];
            break;
        }
    return lua_bad(L, "%s: argument %d is %s, want %s", call, at, luaL_typename(L, at), type);
}

static int lua_bad_count(lua_State *L, const char *call, int least, int most)
{
    return lua_bad(L, "%s: %d arguments, want %d to %d", call, lua_gettop(L), least, most);
}

/* --- handles: userdata that holds the pointer and how to free it ---------------------------------- */

typedef struct lua_box {
    void *pointer; /* NULL once closed */
    void *kept;    /* freed by the collector: an array still shows its memory */
    void (*release)(void *pointer);
    int busy; /* a callback of a call that uses it runs now */
    int lent; /* an array shows its memory */
} lua_box;

static lua_box *lua_box_at(lua_State *L, int at)
{
    lua_box *box = lua_touserdata(L, at);
    if (box == NULL || !lua_getmetatable(L, at))
        return NULL;
    lua_getfield(L, -1, "physad");
    const int ours = lua_toboolean(L, -1);
    lua_pop(L, 2);
    return ours ? box : NULL;
}

static int lua_box_free(lua_State *L)
{
    lua_box *box = lua_box_at(L, 1);
    if (box == NULL)
        return 0;
    void *both[2] = { box->pointer, box->kept };
    box->pointer = box->kept = NULL;
    for (int i = 0; i < 2; i++)
        if (both[i] != NULL)
            box->release(both[i]);
    return 0;
}

static int lua_box_close(lua_State *L)
{
    lua_box *box = lua_box_at(L, 1);
    if (box == NULL)
        return 0;
    if (box->busy > 0)
        return lua_raise_text(L, PHYSAD_ERR_STATE, "the handle is in use by a call that this one came from");
    if (!box->lent)
        return lua_box_free(L);
    if (box->pointer != NULL)
        box->kept = box->pointer;
    box->pointer = NULL;
    return 0;
}

static int lua_box_closed(lua_State *L)
{
    const lua_box *box = lua_box_at(L, 1);
    lua_pushboolean(L, box == NULL || box->pointer == NULL);
    return 1;
}

/* lend(handle): its memory stays until the collector frees the handle, though it be closed: something else looks at it.
 */
static int lua_box_lend(lua_State *L)
{
    lua_box *box = lua_box_at(L, 1);
    if (box != NULL)
        box->lent = 1;
    return 0;
}

/* An empty box on the stack, before the call that fills it: nothing is lost when memory runs out. */
static lua_box *lua_box_new(lua_State *L, const char *name, void (*release)(void *))
{
    lua_box *box = lua_newuserdata(L, sizeof(*box));
    *box = (lua_box){ NULL, NULL, release, 0, 0 };
    if (luaL_newmetatable(L, name)) {
        lua_pushcfunction(L, lua_box_free);
        lua_setfield(L, -2, "__gc");
        lua_pushcfunction(L, lua_box_close);
        lua_setfield(L, -2, "__close");
        lua_pushboolean(L, 1);
        lua_setfield(L, -2, "physad");
        lua_pushboolean(L, 0);
        lua_setfield(L, -2, "__metatable"); /* out of the scripts' reach */
    }
    lua_setmetatable(L, -2);
    return box;
}

/* `any`: also while a callback of a call on it runs; for contexts, which any number of calls may use. */
static lua_box *lua_box_get(lua_State *L, int at, const char *name, int any)
{
    lua_box *box = lua_test(L, at, name);
    if (box == NULL)
        lua_bad(L, "got %s, want a handle %s", luaL_typename(L, at), name);
    else if (box->pointer == NULL)
        lua_raise_text(L, PHYSAD_ERR_STATE, "the handle is closed");
    else if (box->busy > 0 && !any)
        lua_raise_text(L, PHYSAD_ERR_STATE, "the handle is in use by a call that this one came from");
    return box;
}

/* --- arrays ------------------------------------------------------------------------------------------ */

#define LUA_ARRAY "physad.array"

/* Either memory of its own behind this head, or that of something in the uservalue (a string, a handle). */
typedef struct lua_array {
    physad_view view;
} lua_array;

static size_t lua_array_count(const physad_view *view)
{
    size_t count = 1;
    for (int i = 0; i < view->ndim; i++)
        count *= (size_t)view->shape[i];
    return count;
}

static void lua_set_keep(lua_State *L, int at) /* the value on top becomes the uservalue; popped */
{
#if LUA_VERSION_NUM >= 504
    lua_setiuservalue(L, at, 1);
#else
    lua_newtable(L); /* 5.1's environments are tables */
    lua_insert(L, -2);
    lua_rawseti(L, -2, 1);
    lua_setfenv(L, at);
#endif
}

static lua_array *lua_array_push(lua_State *L, size_t bytes)
{
#if LUA_VERSION_NUM >= 504
    lua_array *array = lua_newuserdatauv(L, sizeof(lua_array) + bytes, 1);
#else
    lua_array *array = lua_newuserdata(L, sizeof(lua_array) + bytes);
#endif
    memset(array, 0, sizeof(*array) + bytes);
    luaL_getmetatable(L, LUA_ARRAY);
    lua_setmetatable(L, -2);
    return array;
}

static int32_t lua_dtype(lua_State *L, int at)
{
    lua_want(L, at, LUA_TSTRING, "dtype");
    const char *name = lua_tostring(L, at);
    for (int32_t dtype = PHYSAD_U8; dtype <= PHYSAD_U64; dtype++)
        if (strcmp(name, physad_dtype_name(dtype)) == 0)
            return dtype;
    lua_bad(L, "%s is '%s', want u8, i8, u16, i16, u32, i32, u64, i64, f32, f64 or bool", "dtype", name);
    return 0;
}

/* Reads a shape from the table at `at`; fails beyond what memory can hold. */
static size_t lua_shape(lua_State *L, int at, physad_view *view)
{
    lua_want(L, at, LUA_TTABLE, "shape");
    const size_t dims = lua_rawlen(L, at);
    if (dims < 1 || dims > PHYSAD_MAX_DIMS)
        lua_raise_text(L, PHYSAD_ERR_SHAPE, "the shape wants 1 to 6 extents");
    size_t bytes = physad_dtype_size(view->dtype);
    view->ndim = (int32_t)dims;
    for (size_t i = 0; i < dims; i++) {
        lua_rawgeti(L, at, (int)i + 1);
        const lua_Integer extent = lua_isnumber(L, -1) ? lua_tointeger(L, -1) : -1;
        lua_pop(L, 1);
        if (extent < 0 || (extent > 0 && bytes > (size_t)PTRDIFF_MAX / 2 / (size_t)extent))
            lua_raise_text(L, PHYSAD_ERR_SHAPE, "an extent of the shape is no number, negative or too large");
        view->shape[i] = extent;
        bytes *= (size_t)extent;
    }
    int64_t stride = (int64_t)physad_dtype_size(view->dtype);
    for (size_t i = dims; i-- > 0;) {
        view->stride[i] = stride;
        stride *= view->shape[i] > 0 ? view->shape[i] : 1;
    }
    return bytes;
}

static const void *lua_element(const physad_view *view, size_t index)
{
    int64_t offset = 0;
    for (int i = view->ndim; i-- > 0;) {
        offset += (int64_t)(index % (size_t)view->shape[i]) * view->stride[i];
        index /= (size_t)view->shape[i];
    }
    return (const char *)view->data + offset;
}

static void lua_push_element(lua_State *L, const physad_view *view, size_t index)
{
    const void *at = lua_element(view, index);
    switch (view->dtype) {
    case PHYSAD_U8: lua_pushinteger(L, *(const uint8_t *)at); break;
    case PHYSAD_I8: lua_pushinteger(L, *(const int8_t *)at); break;
    case PHYSAD_U16: case PHYSAD_BF16: case PHYSAD_F16: lua_pushinteger(L, *(const uint16_t *)at); break;
    case PHYSAD_I16: lua_pushinteger(L, *(const int16_t *)at); break;
    case PHYSAD_I32: lua_pushinteger(L, *(const int32_t *)at); break;
    case PHYSAD_U32: lua_pushinteger(L, (lua_Integer)*(const uint32_t *)at); break;
    case PHYSAD_I64: case PHYSAD_U64: lua_pushinteger(L, (lua_Integer)*(const int64_t *)at); break;
    case PHYSAD_F32: lua_pushnumber(L, (lua_Number)*(const float *)at); break;
    case PHYSAD_F64: lua_pushnumber(L, *(const double *)at); break;
    case PHYSAD_BOOL: lua_pushboolean(L, *(const uint8_t *)at != 0); break;
    default: lua_pushnil(L); break;
    }
}

static void lua_set_element(lua_State *L, const physad_view *view, size_t index, int at)
{
    void *to = (void *)(uintptr_t)lua_element(view, index);
    if (view->dtype == PHYSAD_BOOL) {
        *(uint8_t *)to = (uint8_t)lua_toboolean(L, at);
        return;
    }
    const lua_Number number = lua_real(L, at, "an element");
    const lua_Integer integer = lua_tointeger(L, at);
    switch (view->dtype) {
    case PHYSAD_U8: case PHYSAD_I8: *(uint8_t *)to = (uint8_t)integer; break;
    case PHYSAD_U16: case PHYSAD_I16: *(uint16_t *)to = (uint16_t)integer; break;
    case PHYSAD_I32: case PHYSAD_U32: *(uint32_t *)to = (uint32_t)integer; break;
    case PHYSAD_I64: case PHYSAD_U64: *(uint64_t *)to = (uint64_t)integer; break;
    case PHYSAD_F32: *(float *)to = (float)number; break;
    case PHYSAD_F64: *(double *)to = number; break;
    default: lua_raise_text(L, PHYSAD_ERR_DTYPE, "arrays of this element type cannot be written from Lua"); break;
    }
}

/* physad.array(dtype, shape [, from]): zeros, the values of a flat table, or the bytes of a string, which is not
 * copied. */
static int lua_array_new(lua_State *L)
{
    physad_view view = { 0 };
    view.dtype = lua_dtype(L, 1);
    const size_t bytes = lua_shape(L, 2, &view), count = lua_array_count(&view);
    if (lua_type(L, 3) == LUA_TSTRING) {
        size_t length = 0;
        const char *text = lua_tolstring(L, 3, &length);
        if (length != bytes)
            return lua_raise_text(L, PHYSAD_ERR_SHAPE, "the string's length is not that of the shape");
        lua_array *array = lua_array_push(L, 0);
        array->view = view;
        array->view.data = (void *)(uintptr_t)text;
        array->view.flags = PHYSAD_VIEW_READONLY;
        lua_pushvalue(L, 3);
        lua_set_keep(L, -2);
        return 1;
    }
    if (lua_type(L, 3) == LUA_TTABLE && lua_rawlen(L, 3) != count)
        return lua_raise_text(L, PHYSAD_ERR_SHAPE, "the table's length is not that of the shape");
    lua_array *array = lua_array_push(L, bytes);
    array->view = view;
    array->view.data = array + 1;
    for (size_t i = 0; lua_type(L, 3) == LUA_TTABLE && i < count; i++) {
        lua_rawgeti(L, 3, (int)i + 1);
        lua_set_element(L, &array->view, i, -1);
        lua_pop(L, 1);
    }
    return 1;
}

/* Memory of the library's, which the handle at `owner` keeps, even when it is closed. */
static void lua_array_of(lua_State *L, const physad_view *view, int owner)
{
    lua_box *box = lua_box_at(L, owner);
    if (box != NULL)
        box->lent = 1;
    lua_array *array = lua_array_push(L, 0);
    array->view = *view;
    array->view.flags |= PHYSAD_VIEW_READONLY;
    lua_pushvalue(L, owner);
    lua_set_keep(L, -2);
}

/* A copy, of memory that may change. */
static void lua_array_copy(lua_State *L, const physad_view *view)
{
    const size_t count = lua_array_count(view), size = physad_dtype_size(view->dtype);
    lua_array *array = lua_array_push(L, count * size);
    array->view = *view;
    array->view.data = array + 1;
    array->view.flags = 0;
    int64_t stride = (int64_t)size;
    for (int i = view->ndim; i-- > 0;) {
        array->view.stride[i] = stride;
        stride *= view->shape[i];
    }
    for (size_t i = 0; i < count; i++)
        memcpy((char *)array->view.data + i * size, lua_element(view, i), size);
}

static physad_view *lua_array_view(lua_State *L, int at, int writable)
{
    lua_array *array = lua_test(L, at, LUA_ARRAY);
    if (array == NULL)
        lua_bad(L, "got %s, want a %s", luaL_typename(L, at), LUA_ARRAY);
    else if (writable && (array->view.flags & PHYSAD_VIEW_READONLY))
        lua_raise_text(L, PHYSAD_ERR_ARG, "the array is read-only");
    return array == NULL ? NULL : &array->view;
}

/* array(i, j, ...) and array:set(i, j, ..., value): places from 1. */
static size_t lua_place(lua_State *L, const physad_view *view, int from, int given)
{
    size_t index = 0;
    if (given != view->ndim)
        lua_raise_text(L, PHYSAD_ERR_ARG, "as many places as dimensions are wanted");
    for (int i = 0; i < view->ndim; i++) {
        const lua_Integer place = lua_whole(L, from + i, "a place");
        if (place < 1 || place > view->shape[i])
            lua_raise_text(L, PHYSAD_ERR_ARG, "a place lies outside of the array; places count from 1");
        index = index * (size_t)view->shape[i] + (size_t)(place - 1);
    }
    return index;
}

static int lua_array_get(lua_State *L)
{
    const physad_view *view = lua_array_view(L, 1, 0);
    lua_push_element(L, view, lua_place(L, view, 2, lua_gettop(L) - 1));
    return 1;
}

static int lua_array_set(lua_State *L)
{
    const physad_view *view = lua_array_view(L, 1, 1);
    lua_set_element(L, view, lua_place(L, view, 2, lua_gettop(L) - 2), lua_gettop(L));
    return 0;
}

/* All elements in one flat table, row-major. */
static int lua_array_totable(lua_State *L)
{
    const physad_view *view = lua_array_view(L, 1, 0);
    const size_t count = lua_array_count(view);
    lua_createtable(L, count < INT32_MAX ? (int)count : 0, 0);
    for (size_t i = 0; i < count; i++) {
        lua_push_element(L, view, i);
        lua_rawseti(L, -2, (int)i + 1);
    }
    return 1;
}

/* The elements' bytes, row-major, as a string. */
static int lua_array_bytes(lua_State *L)
{
    const physad_view *view = lua_array_view(L, 1, 0);
    const size_t count = lua_array_count(view), size = physad_dtype_size(view->dtype);
    char *bytes = lua_newuserdata(L, count * size + 1);
    for (size_t i = 0; i < count; i++)
        memcpy(bytes + i * size, lua_element(view, i), size);
    lua_pushlstring(L, bytes, count * size);
    return 1;
}

static int lua_array_shape(lua_State *L)
{
    const physad_view *view = lua_array_view(L, 1, 0);
    lua_createtable(L, view->ndim, 0);
    for (int i = 0; i < view->ndim; i++) {
        lua_pushinteger(L, (lua_Integer)view->shape[i]);
        lua_rawseti(L, -2, i + 1);
    }
    return 1;
}

static int lua_array_dtype(lua_State *L)
{
    lua_pushstring(L, physad_dtype_name(lua_array_view(L, 1, 0)->dtype));
    return 1;
}

static int lua_array_length(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)lua_array_count(lua_array_view(L, 1, 0)));
    return 1;
}

static int lua_array_text(lua_State *L)
{
    const physad_view *view = lua_array_view(L, 1, 0);
    char text[160];
    int n = snprintf(text, sizeof(text), "physad.array %s", physad_dtype_name(view->dtype));
    for (int i = 0; i < view->ndim; i++)
        n += snprintf(text + n, sizeof(text) - (size_t)n, "%s%lld", i == 0 ? " " : "x", (long long)view->shape[i]);
    lua_pushstring(L, text);
    return 1;
}


static void lua_binding_open(lua_State *L)
{
    static const luaL_Reg methods[] = { { "get", lua_array_get },
                                        { "set", lua_array_set },
                                        { "totable", lua_array_totable },
                                        { "tostring", lua_array_bytes },
                                        { "shape", lua_array_shape },
                                        { "dtype", lua_array_dtype },
                                        { NULL, NULL } };
    luaL_newmetatable(L, LUA_ARRAY);
    lua_newtable(L);
    for (const luaL_Reg *m = methods; m->name != NULL; m++) {
        lua_pushcfunction(L, m->func);
        lua_setfield(L, -2, m->name);
    }
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, lua_array_get);
    lua_setfield(L, -2, "__call");
    lua_pushcfunction(L, lua_array_length);
    lua_setfield(L, -2, "__len");
    lua_pushcfunction(L, lua_array_text);
    lua_setfield(L, -2, "__tostring");
    lua_pop(L, 1);
}

/* --- texts, lists ---------------------------------------------------------------------------------------- */

/* The texts of the table at `at`, ended by NULL, in a new userdata left on the stack; the table keeps the texts. */
static const char **lua_texts(lua_State *L, int at, int64_t *count)
{
    lua_want(L, at, LUA_TTABLE, "the list of texts");
    const size_t n = lua_rawlen(L, at);
    const char **texts = lua_newuserdata(L, (n + 1) * sizeof(*texts));
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, at, (int)i + 1);
        if (lua_type(L, -1) != LUA_TSTRING)
            lua_bad(L, "got %s, want %s", luaL_typename(L, -1), "a list of texts");
        texts[i] = lua_tostring(L, -1);
        lua_pop(L, 1);
    }
    texts[n] = NULL;
    *count = (int64_t)n;
    return texts;
}

static int64_t *lua_integers(lua_State *L, int at, int64_t *count)
{
    lua_want(L, at, LUA_TTABLE, "the list of integers");
    const size_t n = lua_rawlen(L, at);
    int64_t *numbers = lua_newuserdata(L, (n + 1) * sizeof(*numbers));
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, at, (int)i + 1);
        numbers[i] = lua_whole(L, -1, "an entry of the list");
        lua_pop(L, 1);
    }
    *count = (int64_t)n;
    return numbers;
}

/* The views of the arrays of the table at `at`, in a new userdata left on the stack; the table keeps the arrays. */
static physad_view *lua_views(lua_State *L, int at, int writable, int64_t *count)
{
    lua_want(L, at, LUA_TTABLE, "the list of arrays");
    const size_t n = lua_rawlen(L, at);
    physad_view *views = lua_newuserdata(L, (n + 1) * sizeof(*views));
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, at, (int)i + 1);
        views[i] = *lua_array_view(L, lua_gettop(L), writable);
        lua_pop(L, 1);
    }
    *count = (int64_t)n;
    return views;
}

/* A list of just so many. */
static void lua_want_count(lua_State *L, int at, int want, const char *what)
{
    const int got = (int)lua_rawlen(L, at);
    if (got != want)
        luaL_error(L, "%s has %d numbers, want %d", what, got, want);
}

/* A list of open handles; the table keeps them. */
static void **lua_handles(lua_State *L, int at, const char *name, int64_t *count)
{
    lua_want(L, at, LUA_TTABLE, "the list of handles");
    const size_t n = lua_rawlen(L, at);
    void **handles = lua_newuserdata(L, (n + 1) * sizeof(*handles));
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, at, (int)i + 1);
        handles[i] = lua_box_get(L, lua_gettop(L), name, 0)->pointer;
        lua_pop(L, 1);
    }
    *count = (int64_t)n;
    return handles;
}

/* {name = number} as two lists in userdata left on the stack. */
static double *lua_named_reals(lua_State *L, int at, const char ***names, int64_t *count)
{
    size_t n = 0;
    lua_want(L, at, LUA_TTABLE, "the table of numbers by name");
    for (lua_pushnil(L); lua_next(L, at); lua_pop(L, 1))
        n++;
    double *numbers = lua_newuserdata(L, (n + 1) * sizeof(*numbers));
    *names = lua_newuserdata(L, (n + 1) * sizeof(**names));
    n = 0;
    for (lua_pushnil(L); lua_next(L, at); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            lua_bad(L, "got %s, want %s", luaL_typename(L, -2), "names as keys");
        (*names)[n] = lua_tostring(L, -2);
        numbers[n] = lua_real(L, -1, (*names)[n]);
        n++;
    }
    *count = (int64_t)n;
    return numbers;
}

/* Numbers that belong to something, as a table; nil for NULL. */
static void lua_push_reals(lua_State *L, const double *numbers, int64_t count)
{
    if (numbers == NULL) {
        lua_pushnil(L);
        return;
    }
    lua_createtable(L, count < INT32_MAX ? (int)count : 0, 0);
    for (int64_t i = 0; i < count; i++) {
        lua_pushnumber(L, numbers[i]);
        lua_rawseti(L, -2, (int)i + 1);
    }
}

/* Several handles that one call makes: a table of boxes, made before the call as one is. */
static void **lua_boxes_new(lua_State *L, int64_t count, const char *name, void (*release)(void *), int *place)
{
    void **made = lua_newuserdata(L, ((size_t)count + 1) * sizeof(*made));
    memset(made, 0, ((size_t)count + 1) * sizeof(*made));
    lua_createtable(L, count < INT32_MAX ? (int)count : 0, 0);
    *place = lua_gettop(L);
    for (int64_t i = 0; i < count; i++) {
        lua_box_new(L, name, release);
        lua_rawseti(L, *place, (int)i + 1);
    }
    return made;
}

static void lua_boxes_fill(lua_State *L, int place, void **made, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        lua_rawgeti(L, place, (int)i + 1);
        ((lua_box *)lua_touserdata(L, -1))->pointer = made[i];
        lua_pop(L, 1);
    }
    lua_pushvalue(L, place);
}

/* --- options: a table fills a structure -------------------------------------------------------------------- */

static void lua_set_integer(lua_State *L, void *at, const binding_field *f)
{
    if (lua_type(L, -1) == LUA_TBOOLEAN) {
        lua_pushinteger(L, lua_toboolean(L, -1));
        lua_replace(L, -2);
    }
    const lua_Number number = lua_tonumber(L, -1);
    const lua_Integer i = lua_tointeger(L, -1);
    if (lua_type(L, -1) != LUA_TNUMBER || number != (lua_Number)i)
        lua_bad(L, "%s is %s, want an integer", f->name, luaL_typename(L, -1));
    if ((f->kind == 'i' && (i < INT32_MIN || i > INT32_MAX)) || (f->kind == 'u' && (i < 0 || number > 4294967295.0)))
        lua_bad(L, "%s is out of range%s", f->name, "");
    switch (f->kind) {
    case 'i': *(int32_t *)at = (int32_t)i; break;
    case 'u': *(uint32_t *)at = (uint32_t)i; break;
    case 'I': *(int64_t *)at = (int64_t)i; break;
    default: *(uint64_t *)at = (uint64_t)i; break;
    }
}

static void lua_set_reals(lua_State *L, void *at, const binding_field *f)
{
    const size_t most = f->size / (f->kind == 'F' ? sizeof(float) : sizeof(double));
    if (lua_type(L, -1) != LUA_TTABLE)
        lua_bad(L, "%s is %s, want a table of numbers", f->name, luaL_typename(L, -1));
    const size_t n = lua_rawlen(L, -1);
    if (n > most || (f->kind == 'F' && n != most))
        lua_bad(L, "%s has %zu numbers, want %s%zu", f->name, n, f->kind == 'F' ? "" : "at most ", most);
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, -1, (int)i + 1);
        if (f->kind == 'F')
            ((float *)at)[i] = (float)lua_real(L, -1, f->name);
        else
            ((double *)at)[i] = lua_real(L, -1, f->name);
        lua_pop(L, 1);
    }
}

/* The value lies on the top; texts and arrays are kept by the caller's table during the call. What is made for it stays
 * below. */
static void lua_set_field(lua_State *L, void *at, const binding_field *f)
{
    int64_t count = 0;
    const int value = lua_gettop(L);
    switch (f->kind) {
    case 'i': case 'u': case 'I': case 'U': lua_set_integer(L, at, f); break;
    case 'f': *(float *)at = (float)lua_real(L, -1, f->name); break;
    case 'd': *(double *)at = lua_real(L, -1, f->name); break;
    case 's':
        if (lua_type(L, -1) != LUA_TSTRING)
            lua_bad(L, "%s is %s, want text", f->name, luaL_typename(L, -1));
        *(const char **)at = lua_tostring(L, -1);
        break;
    case 'F': case 'D': lua_set_reals(L, at, f); break;
    case 'v': *(const physad_view **)at = lua_array_view(L, value, 0); break;
    case 'S': *(const char *const **)at = lua_texts(L, value, &count); lua_insert(L, value); break;
    case 'L': *(const int64_t **)at = lua_integers(L, value, &count); lua_insert(L, value); break;
    default: lua_bad(L, "%s cannot be set from %s", f->name, "Lua"); break;
    }
}

/* Fills `out` from the table at `at`; nil leaves the defaults. Leaves on the stack what the structure points to. */
static void lua_fill(lua_State *L, int at, void *out, const binding_struct *s)
{
    memcpy(out, s->init, s->size);
    if (lua_isnoneornil(L, at))
        return;
    if (lua_type(L, at) != LUA_TTABLE)
        lua_bad(L, "%s is %s, want a table", s->name, luaL_typename(L, at));
    luaL_checkstack(L, 40, "options");
    lua_pushnil(L);
    while (lua_next(L, at)) {
        const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
        const binding_field *f = binding_find(s, name);
        if (f == NULL)
            lua_bad(L, "unknown option '%s': did you mean '%s'?", name, binding_nearest(s, name));
        const int key = lua_gettop(L) - 1;
        lua_set_field(L, (char *)out + f->offset, f);
        lua_pop(L, 1);
        if (lua_gettop(L) != key) { /* what was made goes below the key, which lua_next wants on top */
            lua_pushvalue(L, key);
            lua_remove(L, key);
        }
    }
}

static void lua_push_list(lua_State *L, const void *at, const binding_field *f, const void *whole)
{
    lua_newtable(L);
    if (f->kind == 'S') {
        const physad_sample *sample = whole;
        for (int64_t i = 0; i < sample->mask_count; i++) {
            lua_pushstring(L, sample->mask_files[i]);
            lua_rawseti(L, -2, (int)i + 1);
        }
    } else if (f->kind == 'l') {
        const physad_backbone_info *info = whole;
        for (int32_t i = 0; i < info->layer_count; i++) {
            lua_pushstring(L, info->layers[i].name);
            lua_rawseti(L, -2, i + 1);
        }
    } else {
        const size_t count = f->size / (f->kind == 'F' ? sizeof(float) : sizeof(double));
        for (size_t i = 0; i < count; i++) {
            lua_pushnumber(L, f->kind == 'F' ? (lua_Number)((const float *)at)[i] : ((const double *)at)[i]);
            lua_rawseti(L, -2, (int)i + 1);
        }
    }
}

/* A structure as a table. */
static void lua_push_struct(lua_State *L, const void *from, const binding_struct *s)
{
    lua_newtable(L);
    for (const binding_field *f = s->fields; f->name != NULL; f++) {
        const void *at = (const char *)from + f->offset;
        switch (f->kind) {
        case 'i': lua_pushinteger(L, *(const int32_t *)at); break;
        case 'u': lua_pushinteger(L, (lua_Integer)*(const uint32_t *)at); break;
        case 'I': case 'U': lua_pushinteger(L, (lua_Integer)*(const int64_t *)at); break;
        case 'f': lua_pushnumber(L, (lua_Number)*(const float *)at); break;
        case 'd': lua_pushnumber(L, *(const double *)at); break;
        case 's': lua_pushstring(L, *(const char *const *)at); break; /* NULL is nil */
        case 'w': /* valid until the next call only: a copy */
            if (((const physad_view *)at)->data == NULL)
                lua_pushnil(L);
            else
                lua_array_copy(L, at);
            break;
        case 'F': case 'D': case 'S': case 'l': lua_push_list(L, at, f, from); break;
        default: lua_pushnil(L); break;
        }
        lua_setfield(L, -2, f->name);
    }
}

/* --- progress ------------------------------------------------------------------------------------------------- */

typedef struct lua_hook {
    lua_State *L;
    int function; /* place of the function; the call's other arguments lie before it */
} lua_hook;

#define LUA_PENDING                                                                                                    \
    "physad.pending" /* what a callback raised waits there until the library has come back: no jump over its frames */

static void lua_mark_busy(lua_State *L, int last, int by)
{
    for (int i = 1; i <= last; i++) {
        lua_box *box = lua_box_at(L, i);
        if (box != NULL)
            box->busy += by;
    }
}

static int lua_progress(const physad_progress *progress, void *user)
{
    const lua_hook *call = user;
    lua_State *L = call->L;
    if (!lua_checkstack(L, 12))
        return 1;
    lua_mark_busy(L, call->function, 1);
    lua_pushvalue(L, call->function);
    lua_pushstring(L, progress->stage == NULL ? "" : progress->stage);
    lua_pushinteger(L, (lua_Integer)progress->done);
    lua_pushinteger(L, (lua_Integer)progress->total);
    lua_pushnumber(L, progress->seconds);
    int stop = 1;
    if (lua_pcall(L, 4, 1, 0) != 0) {
        lua_setfield(L, LUA_REGISTRYINDEX, LUA_PENDING);
    } else {
        stop = lua_toboolean(L, -1);
        lua_pop(L, 1);
    }
    lua_mark_busy(L, call->function, -1);
    return stop;
}

/* nil, a function, or {progress =, batch =, on_error =}; what is not nil stays at `at`. */
static void lua_call_options(lua_State *L, int at, physad_call_options *options, lua_hook *call)
{
    const physad_call_options none = PHYSAD_CALL_OPTIONS_INIT;
    *options = none;
    call->L = L;
    call->function = at;
    if (lua_type(L, at) == LUA_TTABLE) {
        lua_getfield(L, at, "batch");
        if (!lua_isnil(L, -1))
            options->batch = (int32_t)lua_whole(L, -1, "batch");
        lua_getfield(L, at, "on_error");
        if (!lua_isnil(L, -1))
            options->on_error = (int32_t)lua_whole(L, -1, "on_error");
        lua_getfield(L, at, "progress");
        lua_replace(L, at);
        lua_pop(L, 2);
    }
    if (lua_isnoneornil(L, at))
        return;
    if (lua_type(L, at) != LUA_TFUNCTION)
        lua_bad(L, "%s is %s, want a function (stage, done, total, seconds)", "progress", luaL_typename(L, at));
    options->progress = lua_progress;
    options->progress_user = call;
}

static void lua_push_poses(lua_State *L, const physad_pose *poses, int64_t count)
{
    lua_newtable(L);
    for (int64_t i = 0; i < count; i++) {
        lua_push_struct(L, &poses[i], &binding_physad_pose);
        lua_push_struct(L, &poses[i].camera, &binding_physad_camera);
        lua_setfield(L, -2, "camera");
        lua_rawseti(L, -2, (int)i + 1);
    }
}

/* After each call: what the callback raised comes before the status that it caused. */
static int lua_check_status(lua_State *L, physad_status status)
{
    lua_getfield(L, LUA_REGISTRYINDEX, LUA_PENDING);
    if (!lua_isnil(L, -1)) {
        lua_pushnil(L);
        lua_setfield(L, LUA_REGISTRYINDEX, LUA_PENDING);
        return lua_error(L);
    }
    lua_pop(L, 1);
    return status == PHYSAD_OK ? 0 : lua_raise_text(L, status, physad_last_error());
}

#endif
