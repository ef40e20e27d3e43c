/* SPDX-License-Identifier: Apache-2.0 */
/* The private module physad._physad: the C functions under their names without "physad_", with Python's types.
 * Outputs are returned in the order of the arguments; a status that is not OK raises. The package `physad` is written by hand on it. */
%module _physad

%begin %{
#define PY_SSIZE_T_CLEAN
#define SWIG_PYTHON_STRICT_BYTE_CHAR 0
%}
%{
#include "binding_python_options.h"
%}

%include <stdint.i>

/* --- status and text --- */
%typemap(out) physad_status {
    if (py_failed($1))
        SWIG_fail;
    $result = Py_None;
    Py_INCREF(Py_None);
}
%typemap(in) physad_status = int;
%typemap(out) const char * {
    $result = py_from_text($1);
    if ($result == NULL)
        SWIG_fail;
}
%typemap(arginit) const char * "keep$argnum = NULL;"
%typemap(in) const char * (PyObject *keep) {
    $1 = NULL;
    if ($input != Py_None && ($1 = (char *)py_text($input, &keep, "$1_name")) == NULL)
        SWIG_fail;
}
%typemap(freearg) const char * "Py_XDECREF(keep$argnum);"

/* --- handles --- */
%define PHYSAD_HANDLE(T)
%{
static void py_free_##T(PyObject *capsule)
{
    physad_##T##_free(PyCapsule_GetPointer(capsule, "physad_" #T));
    py_drop_owner(capsule); /* see py_keep() */
}
%}
%ignore physad_##T##_free; /* by the capsule */
%typemap(in) physad_##T *, const physad_##T * {
    $1 = py_handle($input, "physad_" #T);
    if ($1 == NULL && PyErr_Occurred())
        SWIG_fail;
}
%typemap(out) const physad_##T * {
    $result = py_borrowed($1, "physad_" #T, swig_obj[0]);
}
%typemap(arginit) physad_##T ** "made$argnum = NULL;"
%typemap(in, numinputs=0) physad_##T ** (physad_##T *made) "$1 = &made;"
%typemap(argout) physad_##T ** {
    PyObject *capsule = PyCapsule_New(*$1, "physad_" #T, py_free_##T);
    if (capsule == NULL)
        SWIG_fail;
    *$1 = NULL;
    $result = SWIG_Python_AppendOutput($result, capsule);
}
%typemap(freearg) physad_##T ** "physad_" #T "_free(made$argnum);"
%enddef

/* --- arrays --- */
%typemap(arginit) const physad_view * "held$argnum.held = 0;"
%typemap(in) const physad_view * (py_buffer held) {
    $1 = NULL;
    if ($input != Py_None) {
        if (py_buffer_get(&held, $input, 0, "$1_name") != 0)
            SWIG_fail;
        $1 = &held.view;
    }
}
%typemap(argout) const physad_view * ""
%typemap(freearg) const physad_view * "py_buffer_release(&held$argnum);"

/* Arrays that the call fills. */
%define PHYSAD_VIEW_WRITTEN(ARG)
%typemap(arginit) ARG "held$argnum.held = 0;"
%typemap(in, numinputs=1) ARG (py_buffer held) {
    $1 = NULL;
    if ($input != Py_None) {
        if (py_buffer_get(&held, $input, 1, "$1_name") != 0)
            SWIG_fail;
        $1 = &held.view;
    }
}
%typemap(argout) ARG ""
%typemap(freearg) ARG "py_buffer_release(&held$argnum);"
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

/* Views of the library's memory. */
%define PHYSAD_VIEW_GIVEN(ARG)
%typemap(arginit) ARG ""
%typemap(in, numinputs=0) ARG (physad_view given) "memset(&given, 0, sizeof(given)); $1 = &given;"
%typemap(argout) ARG {
    PyObject *given = py_from_view($1);
    if (given == NULL)
        SWIG_fail;
    $result = SWIG_Python_AppendOutput($result, given);
}
%typemap(freearg) ARG ""
%enddef
/* Those that a later call may change are copied by the package while nothing else runs. */
%define PHYSAD_VIEW_CHANGING(ARG)
PHYSAD_VIEW_GIVEN(ARG)
%enddef
PHYSAD_VIEW_GIVEN(physad_view *view)
PHYSAD_VIEW_GIVEN(physad_view *curve)
%typemap(out) physad_view {
    $result = py_from_view(&$1);
    if ($result == NULL)
        SWIG_fail;
}

/* Several arrays. */
%typemap(arginit) const physad_view *outs "memset(&many$argnum, 0, sizeof(many$argnum));"
%typemap(in) const physad_view *outs (py_buffers many) {
    if (py_buffers_get(&many, $input, 1, "$1_name") != 0)
        SWIG_fail;
    $1 = many.views;
}
%typemap(freearg) const physad_view *outs "py_buffers_release(&many$argnum);"

/* --- structures --- */
%define PHYSAD_OPTIONS(T)
%typemap(arginit) const T * "memset(&hold$argnum, 0, sizeof(hold$argnum));"
%typemap(in) const T * (T filled, py_hold hold) {
    if (py_fill(&filled, &binding_##T, $input, &hold) != 0)
        SWIG_fail;
    $1 = &filled;
}
%typemap(argout) const T * "" /* else that of the T * of an answer would be found */
%typemap(freearg) const T * "py_hold_release(&hold$argnum);"
%enddef
%define PHYSAD_ANSWER(T, NAME)
%typemap(in, numinputs=0) T *NAME (T answer) {
    memcpy(&answer, &binding_init_##T, sizeof(answer));
    $1 = &answer;
}
%typemap(argout) T *NAME {
    PyObject *answer = py_dict($1, &binding_##T);
    if (answer == NULL)
        SWIG_fail;
    $result = SWIG_Python_AppendOutput($result, answer);
}
%enddef
%define PHYSAD_VALUE(T)
%typemap(out) T {
    $result = py_dict(&$1, &binding_##T);
    if ($result == NULL)
        SWIG_fail;
}
%enddef
%typemap(out) const physad_sample * {
    if ($1 == NULL) {
        PyErr_SetString(PyExc_IndexError, "no such sample");
        SWIG_fail;
    }
    $result = py_dict($1, &binding_physad_sample);
    if ($result == NULL)
        SWIG_fail;
}

/* --- progress --- */
%typemap(in) const physad_call_options * (physad_call_options call) {
    if (py_call_options(&call, $input) != 0)
        SWIG_fail;
    $1 = &call;
}

/* --- lists --- */
%typemap(arginit) (const char *const *paths, int64_t count) "memset(&texts$argnum, 0, sizeof(texts$argnum));"
%typemap(in) (const char *const *paths, int64_t count) (py_texts texts) {
    if (py_texts_get(&texts, $input, "$1_name") != 0)
        SWIG_fail;
    $1 = ($1_ltype)texts.items;
    $2 = texts.count;
}
%typemap(freearg) (const char *const *paths, int64_t count) "py_texts_release(&texts$argnum);"
%apply (const char *const *paths, int64_t count) { (const char *const *methods, int64_t count) };

%typemap(arginit) (const int64_t *indices, int64_t count) "integers$argnum = NULL;"
%typemap(in) (const int64_t *indices, int64_t count) (int64_t *integers, Py_ssize_t length) {
    integers = py_integers($input, &length);
    if (integers == NULL)
        SWIG_fail;
    $1 = ($1_ltype)integers;
    $2 = length;
}
%typemap(freearg) (const int64_t *indices, int64_t count) "PyMem_Free(integers$argnum);"

/* {type: score} */
%typemap(arginit) (int64_t count, const char *const *type_names, const double *type_scores)
    "memset(&names$argnum, 0, sizeof(names$argnum)); values$argnum = NULL;"
%typemap(in) (int64_t count, const char *const *type_names, const double *type_scores) (py_texts names, double *values) {
    if (!PyDict_Check($input)) {
        PyErr_SetString(PyExc_TypeError, "type_scores: want a dict of numbers by type");
        SWIG_fail;
    }
    PyObject *keys$argnum = PyDict_Keys($input);
    int bad$argnum = keys$argnum == NULL || py_texts_get(&names, keys$argnum, "type_scores") != 0;
    values = PyMem_Calloc((size_t)names.count + 1, sizeof(double));
    for (Py_ssize_t i = 0; !bad$argnum && values != NULL && i < names.count; i++) {
        values[i] = PyFloat_AsDouble(PyDict_GetItem($input, PyList_GET_ITEM(keys$argnum, i)));
        bad$argnum = PyErr_Occurred() != NULL;
    }
    Py_XDECREF(keys$argnum);
    if (bad$argnum || values == NULL)
        SWIG_fail;
    $1 = names.count;
    $2 = ($2_ltype)names.items;
    $3 = values;
}
%typemap(freearg) (int64_t count, const char *const *type_names, const double *type_scores)
    "py_texts_release(&names$argnum); PyMem_Free(values$argnum);"

/* Several photos in, as many results out. */
%typemap(arginit) (const physad_view *photos, int64_t count, physad_result **out)
    "memset(&many$argnum, 0, sizeof(many$argnum)); made$argnum = NULL;"
%typemap(in) (const physad_view *photos, int64_t count, physad_result **out) (py_buffers many, physad_result **made) {
    if (py_buffers_get(&many, $input, 0, "$1_name") != 0)
        SWIG_fail;
    made = PyMem_Calloc((size_t)many.count + 1, sizeof(*made));
    if (made == NULL) {
        PyErr_NoMemory();
        SWIG_fail;
    }
    $1 = many.views;
    $2 = many.count;
    $3 = made;
}
%typemap(argout) (const physad_view *photos, int64_t count, physad_result **out) {
    PyObject *list = PyList_New($2);
    for (Py_ssize_t i = 0; list != NULL && i < $2; i++) {
        PyObject *capsule = PyCapsule_New(made$argnum[i], "physad_result", py_free_result);
        if (capsule == NULL) {
            Py_CLEAR(list);
            break;
        }
        made$argnum[i] = NULL;
        PyList_SET_ITEM(list, i, capsule);
    }
    if (list == NULL)
        SWIG_fail;
    $result = SWIG_Python_AppendOutput($result, list);
}
%typemap(freearg) (const physad_view *photos, int64_t count, physad_result **out) {
    for (Py_ssize_t i = 0; made$argnum != NULL && i < many$argnum.count; i++)
        physad_result_free(made$argnum[i]);
    PyMem_Free(made$argnum);
    py_buffers_release(&many$argnum);
}

/* Several results in; held during the call. */
%typemap(arginit) (const physad_result *const *results, int64_t count) "memset(&many$argnum, 0, sizeof(many$argnum));"
%typemap(in) (const physad_result *const *results, int64_t count) (py_handle_list many) {
    if (py_handles_get(&many, $input, "physad_result") != 0)
        SWIG_fail;
    $1 = ($1_ltype)many.items;
    $2 = many.count;
}
%typemap(argout) (const physad_result *const *results, int64_t count) "" /* else that of the T ** of a result made */
%typemap(freearg) (const physad_result *const *results, int64_t count) "py_handles_release(&many$argnum);"

/* --- poses --- */
%typemap(in, numinputs=0) (physad_pose *poses, int64_t capacity, int64_t *count) (physad_pose found[8], int64_t number) {
    number = 0;
    $1 = found;
    $2 = 8;
    $3 = &number;
}
%typemap(argout) (physad_pose *poses, int64_t capacity, int64_t *count)
    "$result = SWIG_Python_AppendOutput($result, py_poses($1, *$3));"
%typemap(freearg) (physad_pose *poses, int64_t capacity, int64_t *count) ""
%typemap(in, numinputs=0) const char **reason (const char *text) "text = NULL; $1 = ($1_ltype)&text;"
%typemap(out) const char *physad_detector_skipped "$result = py_from_text($1);"
%typemap(argout) const char **reason "$result = SWIG_Python_AppendOutput($result, py_from_text(*$1));"
%typemap(freearg) const char **reason ""

/* --- bytes in, paths and digests out --- */
%typemap(arginit) (const void *bytes, size_t size) "held$argnum.obj = NULL;"
%typemap(in) (const void *bytes, size_t size) (Py_buffer held) {
    if (PyObject_GetBuffer($input, &held, PyBUF_SIMPLE) != 0) {
        held.obj = NULL;
        SWIG_fail;
    }
    $1 = held.buf;
    $2 = (size_t)held.len;
}
%typemap(freearg) (const void *bytes, size_t size) "if (held$argnum.obj != NULL) PyBuffer_Release(&held$argnum);"

%typemap(in, numinputs=0) (char *path, size_t size) (char text[4096]) "text[0] = 0; $1 = text; $2 = sizeof(text);"
%typemap(argout) (char *path, size_t size) "$result = SWIG_Python_AppendOutput($result, py_from_text($1));"
%typemap(in, numinputs=0) char *sha256 (char text[65]) "text[0] = 0; $1 = text;"
%typemap(argout) char *sha256 "$result = SWIG_Python_AppendOutput($result, py_from_text($1));"
%typemap(in, numinputs=0) const char **json (const char *text) "text = NULL; $1 = ($1_ltype)&text;"
%typemap(argout) const char **json "$result = SWIG_Python_AppendOutput($result, py_from_text(*$1));"
%typemap(freearg) (char *path, size_t size), char *sha256, const char **json ""

/* --- numbers out --- */
%define PHYSAD_NUMBER_OUT(C, MAKE, NAME)
%typemap(in, numinputs=0) C *NAME (C number) "number = 0; $1 = &number;"
%typemap(argout) C *NAME "$result = SWIG_Python_AppendOutput($result, MAKE(*$1));"
%typemap(freearg) C *NAME ""
%enddef
PHYSAD_NUMBER_OUT(int64_t, PyLong_FromLongLong, height)
PHYSAD_NUMBER_OUT(int64_t, PyLong_FromLongLong, width)
PHYSAD_NUMBER_OUT(int64_t, PyLong_FromLongLong, removed)
PHYSAD_NUMBER_OUT(int64_t, PyLong_FromLongLong, count)
PHYSAD_NUMBER_OUT(int64_t, PyLong_FromLongLong, frame)
PHYSAD_NUMBER_OUT(double, PyFloat_FromDouble, p_value)
PHYSAD_NUMBER_OUT(double, PyFloat_FromDouble, score)
PHYSAD_NUMBER_OUT(double, PyFloat_FromDouble, model_y)
PHYSAD_NUMBER_OUT(double, PyFloat_FromDouble, model_x)
PHYSAD_NUMBER_OUT(double, PyFloat_FromDouble, photo_y)
PHYSAD_NUMBER_OUT(double, PyFloat_FromDouble, photo_x)
%typemap(out) const double *physad_result_frame_scores {
    $result = py_reals($1, physad_result_frame_count(arg1));
    if ($result == NULL)
        SWIG_fail;
}
/* Three numbers or None. */
%typemap(in) const float *background (float colour[3]) {
    $1 = NULL;
    if ($input != Py_None) {
        const binding_field field$argnum = { "background", 0, sizeof(colour), 'F' };
        if (py_set_reals(colour, &field$argnum, $input) != 0)
            SWIG_fail;
        $1 = colour;
    }
}
%typemap(in) const double tangent[6] (double numbers[6]) {
    const binding_field field$argnum = { "tangent", 0, sizeof(numbers), 'D' };
    memset(numbers, 0, sizeof(numbers));
    if (py_set_reals(numbers, &field$argnum, $input) != 0)
        SWIG_fail;
    $1 = numbers;
}
%typemap(in, numinputs=0) double pose[6] (double numbers[6]) "memset(numbers, 0, sizeof(numbers)); $1 = numbers;"
%typemap(argout) double pose[6] "$result = SWIG_Python_AppendOutput($result, py_reals($1, 6));"
%typemap(in, numinputs=0) int64_t shape[3] (int64_t numbers[3]) "memset(numbers, 0, sizeof(numbers)); $1 = numbers;"
%typemap(argout) int64_t shape[3]
    "$result = SWIG_Python_AppendOutput($result, Py_BuildValue(\"(LLL)\", (long long)$1[0], (long long)$1[1], (long long)$1[2]));"
%typemap(in, numinputs=0) int64_t size[2] (int64_t numbers[2]) "memset(numbers, 0, sizeof(numbers)); $1 = numbers;"
%typemap(argout) int64_t size[2]
    "$result = SWIG_Python_AppendOutput($result, Py_BuildValue(\"(LL)\", (long long)$1[0], (long long)$1[1]));"

%rename(set_error_factory) py_set_error_factory;
%rename(set_log_target) py_set_log_target;
%rename(struct_fields) py_struct_fields;
%rename(keep) py_keep;
%nothread py_keep;
PyObject *py_keep(PyObject *capsule, PyObject *owner);
%nothread py_set_error_factory;
%nothread py_set_log_target;
%nothread py_struct_fields;
PyObject *py_set_error_factory(PyObject *factory);
PyObject *py_set_log_target(PyObject *target);
PyObject *py_struct_fields(const char *name);

%include "../common.i"
