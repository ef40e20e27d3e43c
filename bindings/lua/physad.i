/* SPDX-License-Identifier: Apache-2.0 */
/* The private module physad.core: the C functions under their names without "physad_", with Lua's types; physad.lua is what people use.
 * Outputs are returned in the order of the arguments; a status that is not OK raises a table. */
%module physad_core

%{
#include "binding_lua_options.h"
#undef SWIG_fail_arg
#undef SWIG_check_num_args
#define SWIG_fail_arg(call, at, type) { lua_bad_argument(L, call, at, type); goto fail; }
#define SWIG_check_num_args(call, least, most) if (lua_gettop(L) < least || lua_gettop(L) > most) { lua_bad_count(L, call, least, most); goto fail; }
%}

%include <stdint.i>

/* --- numbers: integers stay integers --- */
%typemap(out) int64_t, int32_t, uint32_t, uint64_t "lua_pushinteger(L, (lua_Integer)$1); SWIG_arg++;"
%typemap(in, checkfn="lua_isnumber") int64_t, int32_t, uint32_t, uint64_t "$1 = ($1_ltype)lua_tointeger(L, $input);"
%typemap(in, checkfn="lua_isnumber") double "$1 = lua_tonumber(L, $input);"

/* --- status and text --- */
%typemap(out) physad_status "lua_check_status(L, $1);"
%typemap(in, checkfn="lua_isnumber") physad_status "$1 = (physad_status)lua_tointeger(L, $input);"
%typemap(out) const char * "lua_pushstring(L, $1); SWIG_arg++;"
%typemap(in, checkfn="lua_isnilstring") const char * "$1 = ($1_ltype)lua_tostring(L, $input);"
%{
static int lua_isnilstring(lua_State *L, int at)
{
    return lua_isnoneornil(L, at) || lua_type(L, at) == LUA_TSTRING;
}
static int lua_isanything(lua_State *L, int at)
{
    (void)L;
    (void)at;
    return 1;
}
%}

/* --- handles: the box is made before the call, so that nothing is lost when memory runs out --- */
%define PHYSAD_HANDLE(T)
%{
static void lua_free_##T(void *pointer)
{
    physad_##T##_free(pointer);
}
%}
%ignore physad_##T##_free;
%typemap(in, checkfn="lua_isanything") physad_##T *, const physad_##T * {
    $1 = lua_isnoneornil(L, $input) ? NULL : lua_box_get(L, $input, "physad_" #T, "context"[0] == #T[0] && #T[1] == 'o')->pointer;
}
%typemap(in, numinputs=0) physad_##T ** (int place) "$1 = NULL;"
%typemap(check) physad_##T ** { /* not before the arguments are counted */
    $1 = (physad_##T **)&lua_box_new(L, "physad_" #T, lua_free_##T)->pointer;
    place$argnum = lua_gettop(L);
}
%typemap(argout) physad_##T ** "lua_pushvalue(L, place$argnum); SWIG_arg++;"
%enddef

/* --- arrays --- */
%typemap(in, checkfn="lua_isanything") const physad_view * "$1 = lua_isnoneornil(L, $input) ? NULL : lua_array_view(L, $input, 0);"
%typemap(argout) const physad_view * ""
%define PHYSAD_VIEW_WRITTEN(ARG)
%typemap(in, checkfn="lua_isanything") ARG "$1 = lua_isnoneornil(L, $input) ? NULL : lua_array_view(L, $input, 1);"
%typemap(argout) ARG ""
%enddef
PHYSAD_VIEW_WRITTEN(const physad_view *out)
PHYSAD_VIEW_WRITTEN(const physad_view *distances)
PHYSAD_VIEW_WRITTEN(const physad_view *indices)
PHYSAD_VIEW_WRITTEN(const physad_view *picks)
PHYSAD_VIEW_WRITTEN(const physad_view *radii)
PHYSAD_VIEW_WRITTEN(physad_view *mask)
PHYSAD_VIEW_WRITTEN(const physad_view *colour)
PHYSAD_VIEW_WRITTEN(const physad_view *depth)
PHYSAD_VIEW_WRITTEN(const physad_view *opacity)
PHYSAD_VIEW_WRITTEN(const physad_view *channels)
PHYSAD_VIEW_WRITTEN(const physad_view *to_xyz)
PHYSAD_VIEW_WRITTEN(const physad_view *to_log_scale)
PHYSAD_VIEW_WRITTEN(const physad_view *to_quaternion)
PHYSAD_VIEW_WRITTEN(const physad_view *to_opacity)
PHYSAD_VIEW_WRITTEN(const physad_view *to_harmonics)
PHYSAD_VIEW_WRITTEN(const physad_view *to_values)
%define PHYSAD_VIEW_GIVEN(ARG)
%typemap(in, numinputs=0) ARG (physad_view given) "memset(&given, 0, sizeof(given)); $1 = &given;"
%typemap(argout) ARG "lua_array_of(L, $1, 1); SWIG_arg++;"
%enddef
%define PHYSAD_VIEW_CHANGING(ARG)
%typemap(in, numinputs=0) ARG (physad_view given) "memset(&given, 0, sizeof(given)); $1 = &given;"
%typemap(argout) ARG "lua_array_copy(L, $1); SWIG_arg++;"
%enddef
PHYSAD_VIEW_GIVEN(physad_view *view)
PHYSAD_VIEW_GIVEN(physad_view *curve)
%typemap(out) physad_view "lua_array_of(L, &$1, 1); SWIG_arg++;"
%typemap(in, checkfn="lua_istable") const physad_view *outs {
    int64_t count = 0;
    $1 = lua_views(L, $input, 1, &count);
}
%typemap(argout) const physad_view *outs ""
/* Several photos in, as many results out. */
%typemap(in, checkfn="lua_istable") (const physad_view *photos, int64_t count, physad_result **out) (int64_t count, int place) {
    count = 0;
    $1 = lua_views(L, $input, 0, &count);
    $2 = count;
    $3 = (physad_result **)lua_boxes_new(L, count, "physad_result", lua_free_result, &place);
}
%typemap(check) (const physad_view *photos, int64_t count, physad_result **out) ""
%typemap(argout) (const physad_view *photos, int64_t count, physad_result **out)
    "lua_boxes_fill(L, place$argnum, (void **)$3, $2); SWIG_arg++;"
/* {type = score} */
%typemap(in, checkfn="lua_istable") (int64_t count, const char *const *type_names, const double *type_scores) {
    int64_t count = 0;
    const char **names = NULL;
    $3 = lua_named_reals(L, $input, &names, &count);
    $1 = count;
    $2 = ($2_ltype)names;
}
%typemap(out) const double *physad_result_frame_scores "lua_push_reals(L, $1, physad_result_frame_count(arg1)); SWIG_arg++;"
%typemap(in, checkfn="lua_isanything") const float *background (float colour[3]) {
    $1 = NULL;
    if (!lua_isnoneornil(L, $input)) {
        const binding_field field = { "background", 0, sizeof(colour), 'F' };
        lua_pushvalue(L, $input);
        lua_set_reals(L, colour, &field);
        lua_pop(L, 1);
        $1 = colour;
    }
}

/* --- structures --- */
%define PHYSAD_OPTIONS(T)
%typemap(in, checkfn="lua_isanything") const T * (T filled) {
    lua_fill(L, $input, &filled, &binding_##T);
    $1 = &filled;
}
%typemap(argout) const T * ""
%enddef
%define PHYSAD_ANSWER(T, NAME)
%typemap(in, numinputs=0) T *NAME (T answer) {
    memcpy(&answer, &binding_init_##T, sizeof(answer));
    $1 = &answer;
}
%typemap(argout) T *NAME "lua_push_struct(L, $1, &binding_" #T "); SWIG_arg++;"
%enddef
%define PHYSAD_VALUE(T)
%typemap(out) T "lua_push_struct(L, &$1, &binding_" #T "); SWIG_arg++;"
%enddef
%typemap(out) const physad_sample * {
    if ($1 == NULL)
        lua_pushnil(L);
    else
        lua_push_struct(L, $1, &binding_physad_sample);
    SWIG_arg++;
}

/* --- progress: what the function raises waits until the library has come back --- */
%typemap(in, checkfn="lua_isanything") const physad_call_options * (physad_call_options options, lua_hook call) {
    lua_call_options(L, $input, &options, &call);
    $1 = &options;
}
/* Several results in. */
%typemap(in, checkfn="lua_istable") (const physad_result *const *results, int64_t count) {
    int64_t count = 0;
    $1 = ($1_ltype)lua_handles(L, $input, "physad_result", &count);
    $2 = count;
}
%typemap(check) (const physad_result *const *results, int64_t count) "" /* else those of the T ** of a result made */
%typemap(argout) (const physad_result *const *results, int64_t count) ""
/* --- poses --- */
%typemap(in, numinputs=0) (physad_pose *poses, int64_t capacity, int64_t *count) (physad_pose found[8], int64_t number) {
    number = 0;
    $1 = found;
    $2 = 8;
    $3 = &number;
}
%typemap(argout) (physad_pose *poses, int64_t capacity, int64_t *count) "lua_push_poses(L, $1, *$3); SWIG_arg++;"
%typemap(in, numinputs=0) const char **reason (const char *text) "text = NULL; $1 = ($1_ltype)&text;"
%typemap(argout) const char **reason "lua_pushstring(L, *$1); SWIG_arg++;"
/* --- lists --- */
%typemap(in, checkfn="lua_istable") (const char *const *paths, int64_t count) {
    int64_t count = 0;
    $1 = ($1_ltype)lua_texts(L, $input, &count);
    $2 = count;
}
%apply (const char *const *paths, int64_t count) { (const char *const *methods, int64_t count) };
%typemap(in, checkfn="lua_istable") (const int64_t *indices, int64_t count) {
    int64_t count = 0;
    $1 = ($1_ltype)lua_integers(L, $input, &count);
    $2 = count;
}
%ignore physad_evaluation_metrics; /* curves: results.json has the figures */
%typemap(in, checkfn="lua_isstring") (const void *bytes, size_t size) {
    size_t size = 0;
    $1 = (void *)(uintptr_t)lua_tolstring(L, $input, &size);
    $2 = size;
}
%typemap(in, numinputs=0) (char *path, size_t size) (char text[4096]) "text[0] = 0; $1 = text; $2 = sizeof(text);"
%typemap(argout) (char *path, size_t size) "lua_pushstring(L, $1); SWIG_arg++;"
%typemap(in, numinputs=0) char *sha256 (char text[65]) "text[0] = 0; $1 = text;"
%typemap(argout) char *sha256 "lua_pushstring(L, $1); SWIG_arg++;"
%typemap(in, numinputs=0) const char **json (const char *text) "text = NULL; $1 = ($1_ltype)&text;"
%typemap(argout) const char **json "lua_pushstring(L, *$1); SWIG_arg++;"

/* --- numbers out --- */
%define PHYSAD_NUMBER_OUT(C, PUSH, NAME)
%typemap(in, numinputs=0) C *NAME (C number) "number = 0; $1 = &number;"
%typemap(argout) C *NAME "PUSH; SWIG_arg++;"
%enddef
PHYSAD_NUMBER_OUT(int64_t, lua_pushinteger(L, (lua_Integer)*$1), height)
PHYSAD_NUMBER_OUT(int64_t, lua_pushinteger(L, (lua_Integer)*$1), width)
PHYSAD_NUMBER_OUT(int64_t, lua_pushinteger(L, (lua_Integer)*$1), removed)
PHYSAD_NUMBER_OUT(int64_t, lua_pushinteger(L, (lua_Integer)*$1), count)
PHYSAD_NUMBER_OUT(int64_t, lua_pushinteger(L, (lua_Integer)*$1), frame)
PHYSAD_NUMBER_OUT(double, lua_pushnumber(L, *$1), p_value)
PHYSAD_NUMBER_OUT(double, lua_pushnumber(L, *$1), score)
PHYSAD_NUMBER_OUT(double, lua_pushnumber(L, *$1), model_y)
PHYSAD_NUMBER_OUT(double, lua_pushnumber(L, *$1), model_x)
PHYSAD_NUMBER_OUT(double, lua_pushnumber(L, *$1), photo_y)
PHYSAD_NUMBER_OUT(double, lua_pushnumber(L, *$1), photo_x)
%typemap(in, checkfn="lua_istable") const double tangent[6] (double numbers[6]) {
    const binding_field field = { "tangent", 0, sizeof(numbers), 'D' };
    memset(numbers, 0, sizeof(numbers));
    lua_want_count(L, $input, 6, "the tangent (translation, then rotation)");
    lua_pushvalue(L, $input);
    lua_set_reals(L, numbers, &field);
    lua_pop(L, 1);
    $1 = numbers;
}
%typemap(in, numinputs=0) double pose[6] (double numbers[6]) "memset(numbers, 0, sizeof(numbers)); $1 = numbers;"
%typemap(argout) double pose[6] "lua_push_reals(L, $1, 6); SWIG_arg++;"
%typemap(in, numinputs=0) int64_t shape[3] (int64_t numbers[3]) "memset(numbers, 0, sizeof(numbers)); $1 = numbers;"
%typemap(argout) int64_t shape[3] {
    for (int i = 0; i < 3; i++)
        lua_pushinteger(L, (lua_Integer)$1[i]);
    SWIG_arg += 3;
}
%typemap(in, numinputs=0) int64_t size[2] (int64_t numbers[2]) "memset(numbers, 0, sizeof(numbers)); $1 = numbers;"
%typemap(argout) int64_t size[2] {
    for (int i = 0; i < 2; i++)
        lua_pushinteger(L, (lua_Integer)$1[i]);
    SWIG_arg += 2;
}

%init %{
    lua_binding_open(L);
    lua_pushcfunction(L, lua_array_new);
    lua_setfield(L, -2, "array");
    lua_pushcfunction(L, lua_box_close);
    lua_setfield(L, -2, "close");
    lua_pushcfunction(L, lua_box_closed);
    lua_setfield(L, -2, "closed");
    lua_pushcfunction(L, lua_set_log);
    lua_setfield(L, -2, "set_log");
    lua_pushcfunction(L, lua_box_lend);
    lua_setfield(L, -2, "lend");
%}

%include "../common.i"
