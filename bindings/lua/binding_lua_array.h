/* SPDX-License-Identifier: Apache-2.0 */
/* Arrays, texts and lists between Lua and the library; what the module begins with. */
#ifndef PHYSAD__BINDING_LUA_ARRAY_H
#define PHYSAD__BINDING_LUA_ARRAY_H

#include "binding_lua.h"

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
    size_t bytes = physad_dtype_size(view->dtype); /* with 1 for 0, since strides are made so too */
    int empty = 0;
    view->ndim = (int32_t)dims;
    for (size_t i = 0; i < dims; i++) {
        lua_rawgeti(L, at, (int)i + 1);
        const lua_Integer extent = lua_isnumber(L, -1) ? lua_tointeger(L, -1) : -1;
        lua_pop(L, 1);
        if (extent < 0 || (extent > 0 && bytes > (size_t)PTRDIFF_MAX / 2 / (size_t)extent))
            lua_raise_text(L, PHYSAD_ERR_SHAPE, "an extent of the shape is no number, negative or too large");
        view->shape[i] = extent;
        bytes *= (size_t)(extent > 0 ? extent : 1);
        empty = empty || extent == 0;
    }
    int64_t stride = (int64_t)physad_dtype_size(view->dtype);
    for (size_t i = dims; i-- > 0;) {
        view->stride[i] = stride;
        stride *= view->shape[i] > 0 ? view->shape[i] : 1;
    }
    return empty ? 0 : bytes;
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

/* The integer at `at`, which has to be whole and within the element type's range: nothing is rounded or cut silently.
 */
static lua_Integer lua_whole_of(lua_State *L, int32_t dtype, lua_Number number, int at)
{
    const int bits = (int)(8 * physad_dtype_size(dtype)), is_signed = dtype == PHYSAD_I8 || dtype == PHYSAD_I16 ||
                                                                      dtype == PHYSAD_I32 || dtype == PHYSAD_I64;
    const lua_Number least = is_signed ? -ldexp(1, bits - 1) : 0, most = ldexp(1, is_signed ? bits - 1 : bits);
    const lua_Integer whole = lua_tointeger(L, at);
    if (!(number >= least && number < most) || (bits < 64 && (lua_Number)whole != number))
        lua_raise_text(L, PHYSAD_ERR_ARG, "an element is no whole number, or beyond what its type holds");
    return whole;
}

static void lua_set_element(lua_State *L, const physad_view *view, size_t index, int at)
{
    void *to = (void *)(uintptr_t)lua_element(view, index);
    if (view->dtype == PHYSAD_BOOL) {
        *(uint8_t *)to = (uint8_t)lua_toboolean(L, at);
        return;
    }
    const lua_Number number = lua_real(L, at, "an element");
    const int is_real = view->dtype == PHYSAD_F32 || view->dtype == PHYSAD_F64 || view->dtype == PHYSAD_F16 ||
                        view->dtype == PHYSAD_BF16;
    const lua_Integer integer = is_real ? 0 : lua_whole_of(L, view->dtype, number, at);
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

#endif
