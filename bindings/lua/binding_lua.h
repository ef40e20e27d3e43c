/* SPDX-License-Identifier: Apache-2.0 */
/* What the typemaps of physad.i call, first part: errors and handles between Lua and the library.
 * Lua 5.4, and 5.1 as LuaJIT has it. Errors are raised by lua_error() only where nothing of C's has to be freed first;
 * all memory of a call lies on the C stack or in userdata that the collector frees. */
#ifndef PHYSAD__BINDING_LUA_H
#define PHYSAD__BINDING_LUA_H

#include <lauxlib.h>
#include <lua.h>

#include "../binding_fields.h"
#include "../binding_log.h"

#include <math.h>
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

#endif
