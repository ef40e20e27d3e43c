/* SPDX-License-Identifier: Apache-2.0 */
/* Structures as tables, and progress, between Lua and the library. */
#ifndef PHYSAD__BINDING_LUA_OPTIONS_H
#define PHYSAD__BINDING_LUA_OPTIONS_H

#include "binding_lua_array.h"

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

#define LUA_LOG "physad.log" /* function(level, text) */

static int lua_set_log(lua_State *L)
{
    lua_settop(L, 1);
    lua_setfield(L, LUA_REGISTRYINDEX, LUA_LOG);
    return 0;
}

/* Hands over what the library has said; what the function raises is dropped. */
static void lua_tell(lua_State *L)
{
    binding_line *line = lua_checkstack(L, 6) ? binding_log_take() : NULL;
    for (; line != NULL; line = binding_log_take()) {
        const int top = lua_gettop(L);
        char text[1024];
        const int level = (int)line->level;
        snprintf(text, sizeof(text), "%s", line->text);
        free(line); /* what follows may jump when memory runs out */
        lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOG);
        lua_pushinteger(L, level);
        lua_pushstring(L, text);
        lua_pcall(L, 2, 0, 0);
        lua_settop(L, top);
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
    lua_tell(L);
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
