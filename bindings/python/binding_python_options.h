/* SPDX-License-Identifier: Apache-2.0 */
/* Structures as dicts, and progress, between Python and the library. */
#ifndef PHYSAD__BINDING_PYTHON_OPTIONS_H
#define PHYSAD__BINDING_PYTHON_OPTIONS_H

#include "binding_python.h"

/* --- options: a dict fills a structure ---------------------------------------------------------------- */

#define PY_HOLD_BUFFERS 4
#define PY_HOLD_TEXTS 12

/* What a filled structure points to. */
typedef struct py_hold {
    py_buffer buffers[PY_HOLD_BUFFERS];
    PyObject *texts[PY_HOLD_TEXTS];
    py_texts list;
    int64_t *integers;
    int buffer_count, text_count;
} py_hold;

static void py_hold_release(py_hold *hold)
{
    for (int i = 0; i < hold->buffer_count; i++)
        py_buffer_release(&hold->buffers[i]);
    for (int i = 0; i < hold->text_count; i++)
        Py_XDECREF(hold->texts[i]);
    py_texts_release(&hold->list);
    PyMem_Free(hold->integers);
    memset(hold, 0, sizeof(*hold));
}

static int py_set_integer(void *at, const binding_field *f, PyObject *value)
{
    PyObject *number = PyNumber_Index(value);
    if (number == NULL) {
        PyErr_Clear();
        PyErr_Format(PyExc_TypeError, "%s is %.100s, want an integer", f->name, Py_TYPE(value)->tp_name);
        return -1;
    }
    int64_t i = 0;
    uint64_t u = 0;
    if (f->kind == 'U')
        u = PyLong_AsUnsignedLongLong(number);
    else
        i = PyLong_AsLongLong(number);
    Py_DECREF(number);
    const int outside =
        (f->kind == 'i' && (i < INT32_MIN || i > INT32_MAX)) || (f->kind == 'u' && (i < 0 || i > UINT32_MAX));
    if (PyErr_Occurred() || outside) {
        PyErr_Clear();
        PyErr_Format(PyExc_ValueError, "%s is out of range", f->name);
        return -1;
    }
    if (f->kind == 'i')
        *(int32_t *)at = (int32_t)i;
    else if (f->kind == 'u')
        *(uint32_t *)at = (uint32_t)i;
    else if (f->kind == 'I')
        *(int64_t *)at = i;
    else
        *(uint64_t *)at = u;
    return 0;
}

static int py_set_reals(void *at, const binding_field *f, PyObject *value)
{
    const Py_ssize_t most = (Py_ssize_t)(f->size / (f->kind == 'F' ? sizeof(float) : sizeof(double)));
    PyObject *list = py_frozen(value, NULL);
    if (list == NULL) {
        if (PyErr_ExceptionMatches(PyExc_TypeError))
            PyErr_Format(PyExc_TypeError, "%s is %.100s, want a sequence of %s%zd numbers", f->name,
                         Py_TYPE(value)->tp_name, f->kind == 'F' ? "" : "at most ", most);
        return -1;
    }
    const Py_ssize_t count = PyTuple_GET_SIZE(list);
    int status = 0;
    if (count > most || (f->kind == 'F' && count != most)) {
        PyErr_Format(PyExc_ValueError, "%s has %zd numbers, want %s%zd", f->name, count,
                     f->kind == 'F' ? "" : "at most ", most);
        status = -1;
    }
    for (Py_ssize_t i = 0; status == 0 && i < count; i++) {
        PyObject *item = PyTuple_GET_ITEM(list, i);
        const double number = PyFloat_AsDouble(item);
        status = PyErr_Occurred() ? -1 : 0;
        if (status != 0 && PyErr_ExceptionMatches(PyExc_TypeError))
            PyErr_Format(PyExc_TypeError, "%s[%zd] is %.100s, want a number", f->name, i, Py_TYPE(item)->tp_name);
        if (f->kind == 'F')
            ((float *)at)[i] = (float)number;
        else
            ((double *)at)[i] = number;
    }
    Py_DECREF(list);
    return status;
}

static int py_set_pointer(void *at, const binding_field *f, PyObject *value, py_hold *hold)
{
    Py_ssize_t count = 0;
    switch (f->kind) {
    case 's': {
        if (hold->text_count == PY_HOLD_TEXTS)
            break;
        PyObject **keep = &hold->texts[hold->text_count];
        const char *text = py_text(value, keep, f->name);
        if (text == NULL)
            return -1;
        hold->text_count++;
        *(const char **)at = text;
        return 0;
    }
    case 'S':
        if (hold->list.items != NULL)
            break;
        if (py_texts_get(&hold->list, value, f->name) != 0)
            return -1;
        *(const char *const **)at = (const char *const *)hold->list.items;
        return 0;
    case 'L':
        if (hold->integers != NULL)
            break;
        if ((hold->integers = py_integers(value, &count)) == NULL)
            return -1;
        *(const int64_t **)at = hold->integers;
        return 0;
    case 'v':
        if (hold->buffer_count == PY_HOLD_BUFFERS)
            break;
        if (py_buffer_get(&hold->buffers[hold->buffer_count], value, 0, f->name) != 0) {
            py_buffer_release(&hold->buffers[hold->buffer_count]);
            return -1;
        }
        *(const physad_view **)at = &hold->buffers[hold->buffer_count].view;
        hold->buffer_count++;
        return 0;
    default: break;
    }
    PyErr_Format(PyExc_TypeError, "%s cannot be set from Python", f->name);
    return -1;
}

static int py_set_field(void *at, const binding_field *f, PyObject *value, py_hold *hold)
{
    switch (f->kind) {
    case 'i': case 'u': case 'I': case 'U': return py_set_integer(at, f, value);
    case 'd':
        *(double *)at = PyFloat_AsDouble(value);
        return PyErr_Occurred() ? -1 : 0;
    case 'f': {
        const double number = PyFloat_AsDouble(value);
        *(float *)at = (float)number;
        return PyErr_Occurred() ? -1 : 0;
    }
    case 'F': case 'D': return py_set_reals(at, f, value);
    default: return py_set_pointer(at, f, value, hold);
    }
}

/* `dict` is nobody else's: reading a value may call what changes the caller's. */
static int py_fill_from(void *out, const binding_struct *s, PyObject *dict, py_hold *hold)
{
    Py_ssize_t at = 0;
    PyObject *key = NULL, *value = NULL;
    while (PyDict_Next(dict, &at, &key, &value)) {
        const char *name = PyUnicode_Check(key) ? PyUnicode_AsUTF8(key) : NULL;
        const binding_field *f = name == NULL ? NULL : binding_find(s, name);
        if (f == NULL) {
            PyErr_Clear();
            PyErr_Format(PyExc_TypeError, "unknown option '%S': did you mean '%s'?", key,
                         binding_nearest(s, name == NULL ? "" : name));
            return -1;
        }
        if (value != Py_None && py_set_field((char *)out + f->offset, f, value, hold) != 0)
            return -1;
    }
    return 0;
}

/* Fills `out`, of the structure's size, from a dict; None values and None itself leave the default. */
static int py_fill(void *out, const binding_struct *s, PyObject *dict, py_hold *hold)
{
    memcpy(out, s->init, s->size);
    if (dict == Py_None)
        return 0;
    if (!PyDict_Check(dict)) {
        PyErr_Format(PyExc_TypeError, "%s is %.100s, want a dict", s->name, Py_TYPE(dict)->tp_name);
        return -1;
    }
    PyObject *own = PyDict_Copy(dict);
    if (own == NULL)
        return -1;
    const int status = py_fill_from(out, s, own, hold);
    Py_DECREF(own);
    return status;
}

static PyObject *py_layers(const physad_backbone_layer *layers, int64_t count)
{
    PyObject *list = PyList_New(0);
    for (int64_t i = 0; list != NULL && i < count; i++) {
        PyObject *item =
            Py_BuildValue("(sLL)", layers[i].name, (long long)layers[i].channels, (long long)layers[i].stride);
        if (item == NULL || PyList_Append(list, item) != 0)
            Py_CLEAR(list);
        Py_XDECREF(item);
    }
    return list;
}

static PyObject *py_list_of(const void *at, const binding_field *f, const void *whole)
{
    if (f->kind == 'l')
        return py_layers(*(const physad_backbone_layer *const *)at, ((const physad_backbone_info *)whole)->layer_count);
    PyObject *list = PyList_New(0);
    if (f->kind == 'S') { /* mask_files of a sample is the only such output */
        const physad_sample *sample = whole;
        for (int64_t i = 0; list != NULL && i < sample->mask_count; i++) {
            PyObject *item = py_from_text(sample->mask_files[i]);
            if (item == NULL || PyList_Append(list, item) != 0)
                Py_CLEAR(list);
            Py_XDECREF(item);
        }
        return list;
    }
    const size_t count = f->size / (f->kind == 'F' ? sizeof(float) : sizeof(double));
    for (size_t i = 0; list != NULL && i < count; i++) {
        PyObject *item = PyFloat_FromDouble(f->kind == 'F' ? (double)((const float *)at)[i] : ((const double *)at)[i]);
        if (item == NULL || PyList_Append(list, item) != 0)
            Py_CLEAR(list);
        Py_XDECREF(item);
    }
    return list;
}

static PyObject *py_get_field(const void *at, const binding_field *f, const void *whole)
{
    switch (f->kind) {
    case 'i': return PyLong_FromLong(*(const int32_t *)at);
    case 'u': return PyLong_FromUnsignedLong(*(const uint32_t *)at);
    case 'I': return PyLong_FromLongLong(*(const int64_t *)at);
    case 'U': return PyLong_FromUnsignedLongLong(*(const uint64_t *)at);
    case 'f': return PyFloat_FromDouble((double)*(const float *)at);
    case 'd': return PyFloat_FromDouble(*(const double *)at);
    case 's': return py_from_text(*(const char *const *)at);
    case 'w': return py_from_view(at);
    case 'F': case 'D': case 'S': case 'l': return py_list_of(at, f, whole);
    default: Py_RETURN_NONE;
    }
}

/* A structure as a dict. */
static PyObject *py_dict(const void *from, const binding_struct *s)
{
    PyObject *dict = PyDict_New();
    for (const binding_field *f = s->fields; dict != NULL && f->name != NULL; f++) {
        PyObject *value = py_get_field((const char *)from + f->offset, f, from);
        if (value == NULL || PyDict_SetItemString(dict, f->name, value) != 0)
            Py_CLEAR(dict);
        Py_XDECREF(value);
    }
    return dict;
}

static PyObject *py_poses(const physad_pose *poses, int64_t count)
{
    PyObject *list = PyList_New(0);
    for (int64_t i = 0; list != NULL && i < count; i++) {
        PyObject *pose = py_dict(&poses[i], &binding_physad_pose),
                 *camera = py_dict(&poses[i].camera, &binding_physad_camera);
        if (pose == NULL || camera == NULL || PyDict_SetItemString(pose, "camera", camera) != 0 ||
            PyList_Append(list, pose) != 0)
            Py_CLEAR(list);
        Py_XDECREF(pose);
        Py_XDECREF(camera);
    }
    return list;
}

/* Names of the fields of a structure, None for one that is not known: for the tests. */
static PyObject *py_struct_fields(const char *name)
{
    for (size_t i = 0; i < BINDING_STRUCTS; i++) {
        if (name == NULL || strcmp(binding_structs[i]->name, name) != 0)
            continue;
        PyObject *list = PyList_New(0);
        for (const binding_field *f = binding_structs[i]->fields; list != NULL && f->name != NULL; f++) {
            PyObject *item = PyUnicode_FromString(f->name);
            if (item == NULL || PyList_Append(list, item) != 0)
                Py_CLEAR(list);
            Py_XDECREF(item);
        }
        return list;
    }
    Py_RETURN_NONE;
}

/* --- progress ----------------------------------------------------------------------------------------- */

/* On the calling thread, which let the GIL go. Every tick runs the handlers of signals that came in, so Ctrl-C ends the
 * call. */
static int py_progress(const physad_progress *progress, void *user)
{
    PyObject *callable = user;
    const PyGILState_STATE state = PyGILState_Ensure();
    py_tell();
    int stop = PyErr_Occurred() != NULL || PyErr_CheckSignals() != 0;
    if (!stop && callable != NULL) {
        PyObject *answer =
            PyObject_CallFunction(callable, "sLLd", progress->stage == NULL ? "" : progress->stage,
                                  (long long)progress->done, (long long)progress->total, progress->seconds);
        stop = answer == NULL || answer == Py_True;
        Py_XDECREF(answer);
    }
    PyGILState_Release(state);
    return stop;
}

/* None, a callable, or (None or callable, batch, on_error). */
static int py_call_options(physad_call_options *call, PyObject *given)
{
    const physad_call_options none = PHYSAD_CALL_OPTIONS_INIT;
    *call = none;
    if (PyTuple_Check(given)) {
        int batch = 0, on_error = 0;
        if (!PyArg_ParseTuple(given, "Oii", &given, &batch, &on_error))
            return -1;
        call->batch = batch;
        call->on_error = on_error;
    }
    if (given != Py_None && !PyCallable_Check(given)) {
        PyErr_Format(PyExc_TypeError, "progress is %.100s, want a callable (stage, done, total, seconds)",
                     Py_TYPE(given)->tp_name);
        return -1;
    }
    call->progress = py_progress;
    call->progress_user = given == Py_None ? NULL : given;
    return 0;
}

#endif
