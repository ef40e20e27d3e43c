/* SPDX-License-Identifier: Apache-2.0 */
/* What the typemaps of physad.i call: buffers, options, handles, errors and progress between Python and the library. */
#ifndef PHYSAD__BINDING_PYTHON_H
#define PHYSAD__BINDING_PYTHON_H

#include <Python.h>

#include "../binding_fields.h"

/* --- errors: the package gives a callable (status, message) -> exception ------------------------- */

static PyObject *py_error_factory = NULL;

static PyObject *py_set_error_factory(PyObject *factory)
{
    Py_XINCREF(factory);
    Py_XSETREF(py_error_factory, factory);
    Py_RETURN_NONE;
}

static void py_raise_text(physad_status status, const char *text)
{
    PyObject *error =
        py_error_factory == NULL ? NULL : PyObject_CallFunction(py_error_factory, "is", (int)status, text);
    if (error != NULL) {
        PyErr_SetObject((PyObject *)Py_TYPE(error), error);
        Py_DECREF(error);
    } else if (!PyErr_Occurred()) {
        PyErr_Format(PyExc_RuntimeError, "%s: %s", physad_status_name(status), text);
    }
}

/* An exception of the progress callback, or of a signal handler that it ran, comes before the status that it caused. */
static int py_failed(physad_status status)
{
    if (PyErr_Occurred())
        return 1;
    if (status == PHYSAD_OK)
        return 0;
    py_raise_text(status, physad_last_error());
    return 1;
}

/* --- arrays ---------------------------------------------------------------------------------------- */

typedef struct py_buffer {
    Py_buffer buffer;
    physad_view view;
    int held;
} py_buffer;

static int32_t py_dtype(const char *format, Py_ssize_t itemsize)
{
    static const int32_t integers[2][9] = {
        { 0, PHYSAD_I8, PHYSAD_I16, 0, PHYSAD_I32, 0, 0, 0, PHYSAD_I64 },
        { 0, PHYSAD_U8, PHYSAD_U16, 0, PHYSAD_U32, 0, 0, 0, PHYSAD_U64 },
    };
    const uint16_t one = 1;
    const char foreign = *(const uint8_t *)&one ? '>' : '<';
    if (format == NULL)
        format = "B";
    if (*format == foreign || (*format == '!' && foreign == '>'))
        return 0;
    if (strchr("@=<>", *format) != NULL && *format != '\0')
        format++;
    if (format[0] == '\0' || format[1] != '\0' || itemsize < 1 || itemsize > 8)
        return 0;
    switch (*format) {
    case '?': return PHYSAD_BOOL;
    case 'e': return PHYSAD_F16;
    case 'f': return PHYSAD_F32;
    case 'd': return PHYSAD_F64;
    case 'b': case 'h': case 'i': case 'l': case 'q': case 'n': return integers[0][itemsize];
    case 'B': case 'H': case 'I': case 'L': case 'Q': case 'N': return integers[1][itemsize];
    default: return 0;
    }
}

/* Takes the buffer of `object`; 0, or -1 with an exception set. Nothing is copied. */
static int py_buffer_get(py_buffer *b, PyObject *object, int writable, const char *what)
{
    memset(b, 0, sizeof(*b));
    if (!PyObject_CheckBuffer(object)) {
        PyErr_Format(PyExc_TypeError, "%s is %.100s, want an array (something with the buffer protocol)", what,
                     Py_TYPE(object)->tp_name);
        return -1;
    }
    if (PyObject_GetBuffer(object, &b->buffer, writable ? PyBUF_RECORDS : PyBUF_RECORDS_RO) != 0) {
        if (writable && PyErr_ExceptionMatches(PyExc_BufferError)) {
            PyErr_Clear();
            PyErr_Format(PyExc_ValueError, "%s is read-only, want an array that can be written", what);
        }
        return -1;
    }
    b->held = 1;
    const int32_t dtype = py_dtype(b->buffer.format, b->buffer.itemsize);
    char text[200];
    if (dtype == 0) {
        PyOS_snprintf(
            text, sizeof(text),
            "%s has the element type '%.40s', want u8, i8, u16, i16, u32, i32, u64, i64, f16, f32, f64 or bool of this "
            "machine's byte order",
            what, b->buffer.format == NULL ? "" : b->buffer.format);
        py_raise_text(PHYSAD_ERR_DTYPE, text);
        return -1;
    }
    if (b->buffer.ndim > PHYSAD_MAX_DIMS) {
        PyOS_snprintf(text, sizeof(text), "%s has %d dimensions, want at most %d", what, b->buffer.ndim,
                      PHYSAD_MAX_DIMS);
        py_raise_text(PHYSAD_ERR_SHAPE, text);
        return -1;
    }
    b->view.data = b->buffer.buf;
    b->view.dtype = dtype;
    b->view.ndim = b->buffer.ndim;
    b->view.flags = b->buffer.readonly ? PHYSAD_VIEW_READONLY : 0;
    for (int i = 0; i < b->buffer.ndim; i++) {
        b->view.shape[i] = b->buffer.shape[i];
        b->view.stride[i] = b->buffer.strides[i];
    }
    return 0;
}

static void py_buffer_release(py_buffer *b)
{
    if (b->held)
        PyBuffer_Release(&b->buffer);
    b->held = 0;
}

/* Memory that the library owns: (address, dtype, shape, strides, read-only). The package keeps the owner alive. */
static PyObject *py_from_view(const physad_view *view)
{
    PyObject *shape = PyTuple_New(view->ndim), *stride = PyTuple_New(view->ndim);
    for (int i = 0; shape != NULL && stride != NULL && i < view->ndim; i++) {
        PyTuple_SET_ITEM(shape, i, PyLong_FromLongLong(view->shape[i]));
        PyTuple_SET_ITEM(stride, i, PyLong_FromLongLong(view->stride[i]));
    }
    if (shape == NULL || stride == NULL || PyErr_Occurred()) {
        Py_XDECREF(shape);
        Py_XDECREF(stride);
        return NULL;
    }
    return Py_BuildValue("(KsNNi)", (unsigned long long)(uintptr_t)view->data, physad_dtype_name(view->dtype), shape,
                         stride, (view->flags & PHYSAD_VIEW_READONLY) != 0);
}

/* A sequence of arrays as an array of views. */
typedef struct py_buffers {
    py_buffer *items;
    physad_view *views;
    Py_ssize_t count;
} py_buffers;

static void py_buffers_release(py_buffers *b)
{
    for (Py_ssize_t i = 0; b->items != NULL && i < b->count; i++)
        py_buffer_release(&b->items[i]);
    PyMem_Free(b->items);
    PyMem_Free(b->views);
    memset(b, 0, sizeof(*b));
}

static inline int py_buffers_get(py_buffers *b, PyObject *object, int writable, const char *what)
{
    memset(b, 0, sizeof(*b));
    PyObject *list = PySequence_Fast(object, "want a sequence of arrays");
    if (list == NULL)
        return -1;
    const Py_ssize_t count = PySequence_Fast_GET_SIZE(list);
    int status = 0;
    b->items = PyMem_Calloc((size_t)(count > 0 ? count : 1), sizeof(*b->items));
    b->views = PyMem_Calloc((size_t)(count > 0 ? count : 1), sizeof(*b->views));
    if (b->items == NULL || b->views == NULL) {
        PyErr_NoMemory();
        status = -1;
    }
    for (Py_ssize_t i = 0; status == 0 && i < count; i++) {
        b->count = i + 1;
        status = py_buffer_get(&b->items[i], PySequence_Fast_GET_ITEM(list, i), writable, what);
        b->views[i] = b->items[i].view;
    }
    Py_DECREF(list);
    if (status != 0)
        py_buffers_release(b);
    return status;
}

/* Numbers that belong to something: None for NULL. Copied. */
static PyObject *py_reals(const double *numbers, int64_t count)
{
    if (numbers == NULL)
        Py_RETURN_NONE;
    PyObject *list = PyList_New((Py_ssize_t)count);
    for (Py_ssize_t i = 0; list != NULL && i < count; i++) {
        PyObject *number = PyFloat_FromDouble(numbers[i]);
        if (number == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, i, number);
    }
    return list;
}

/* --- text ------------------------------------------------------------------------------------------- */

/* The UTF-8 of a str, a path or bytes; valid while `*keep`, a new reference, is held. NULL with an exception. */
static const char *py_text(PyObject *object, PyObject **keep, const char *what)
{
    *keep = NULL;
    PyObject *path = NULL;
    if (PyUnicode_Check(object) || PyBytes_Check(object)) {
        path = object;
        Py_INCREF(path);
    } else if ((path = PyOS_FSPath(object)) == NULL) {
        PyErr_Clear();
        PyErr_Format(PyExc_TypeError, "%s is %.100s, want text", what, Py_TYPE(object)->tp_name);
        return NULL;
    }
    /* The file system's encoding lets names that are no UTF-8 pass unchanged. */
    PyObject *bytes = PyBytes_Check(path) ? path : PyUnicode_EncodeFSDefault(path);
    if (bytes != path)
        Py_DECREF(path);
    if (bytes == NULL)
        return NULL;
    char *text = NULL;
    if (PyBytes_AsStringAndSize(bytes, &text, NULL) != 0) { /* a NUL inside is a ValueError */
        Py_DECREF(bytes);
        return NULL;
    }
    *keep = bytes;
    return text;
}

static PyObject *py_from_text(const char *text)
{
    if (text == NULL)
        Py_RETURN_NONE;
    return PyUnicode_DecodeFSDefault(text);
}

/* Texts ended by NULL. */
typedef struct py_texts {
    const char **items;
    PyObject **keep;
    Py_ssize_t count;
} py_texts;

static void py_texts_release(py_texts *t)
{
    for (Py_ssize_t i = 0; i < t->count; i++)
        Py_XDECREF(t->keep[i]);
    PyMem_Free(t->items);
    PyMem_Free(t->keep);
    memset(t, 0, sizeof(*t));
}

static int py_texts_get(py_texts *t, PyObject *object, const char *what)
{
    memset(t, 0, sizeof(*t));
    if (PyUnicode_Check(object) || PyBytes_Check(object)) {
        PyErr_Format(PyExc_TypeError, "%s is one text, want a list of texts", what);
        return -1;
    }
    PyObject *list = PySequence_Fast(object, "want a list of texts");
    if (list == NULL)
        return -1;
    const Py_ssize_t count = PySequence_Fast_GET_SIZE(list);
    int status = 0;
    t->items = PyMem_Calloc((size_t)count + 1, sizeof(*t->items));
    t->keep = PyMem_Calloc((size_t)count + 1, sizeof(*t->keep));
    if (t->items == NULL || t->keep == NULL) {
        PyErr_NoMemory();
        status = -1;
    }
    for (Py_ssize_t i = 0; status == 0 && i < count; i++) {
        t->items[i] = py_text(PySequence_Fast_GET_ITEM(list, i), &t->keep[i], what);
        t->count = i + 1;
        status = t->items[i] == NULL ? -1 : 0;
    }
    Py_DECREF(list);
    if (status != 0)
        py_texts_release(t);
    return status;
}

/* Integers. */
static int64_t *py_integers(PyObject *object, Py_ssize_t *count)
{
    PyObject *list = PySequence_Fast(object, "want a sequence of integers");
    if (list == NULL)
        return NULL;
    *count = PySequence_Fast_GET_SIZE(list);
    int64_t *items = PyMem_Calloc((size_t)*count + 1, sizeof(*items));
    for (Py_ssize_t i = 0; items != NULL && i < *count; i++) {
        PyObject *number = PyNumber_Index(PySequence_Fast_GET_ITEM(list, i));
        items[i] = number == NULL ? -1 : PyLong_AsLongLong(number);
        Py_XDECREF(number);
        if (PyErr_Occurred()) {
            PyMem_Free(items);
            items = NULL;
            break;
        }
    }
    Py_DECREF(list);
    if (items == NULL && !PyErr_Occurred())
        PyErr_NoMemory();
    return items;
}

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
    PyObject *list = PySequence_Fast(value, "");
    if (list == NULL) {
        if (PyErr_ExceptionMatches(PyExc_TypeError))
            PyErr_Format(PyExc_TypeError, "%s is %.100s, want a sequence of %s%zd numbers", f->name,
                         Py_TYPE(value)->tp_name, f->kind == 'F' ? "" : "at most ", most);
        return -1;
    }
    const Py_ssize_t count = PySequence_Fast_GET_SIZE(list);
    int status = 0;
    if (count > most || (f->kind == 'F' && count != most)) {
        PyErr_Format(PyExc_ValueError, "%s has %zd numbers, want %s%zd", f->name, count,
                     f->kind == 'F' ? "" : "at most ", most);
        status = -1;
    }
    for (Py_ssize_t i = 0; status == 0 && i < count; i++) {
        PyObject *item = PySequence_Fast_GET_ITEM(list, i);
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

/* --- handles: a capsule per handle; Python's own counting frees it when the last call that uses it is through --- */

static void *py_handle(PyObject *object, const char *name)
{
    if (object == Py_None)
        return NULL;
    if (!PyCapsule_IsValid(object, name)) {
        PyErr_Format(PyExc_TypeError, "got %.100s, want a handle %s", Py_TYPE(object)->tp_name, name);
        return NULL;
    }
    return PyCapsule_GetPointer(object, name);
}

/* A sequence of handles; the tuple keeps them while other threads run. */
typedef struct py_handle_list {
    PyObject *held;
    void **items;
    Py_ssize_t count;
} py_handle_list;

static inline void py_handles_release(py_handle_list *h)
{
    Py_CLEAR(h->held);
    PyMem_Free(h->items);
    memset(h, 0, sizeof(*h));
}

static inline int py_handles_get(py_handle_list *h, PyObject *object, const char *name)
{
    memset(h, 0, sizeof(*h));
    h->held = PySequence_Tuple(object);
    if (h->held == NULL)
        return -1;
    const Py_ssize_t count = PyTuple_GET_SIZE(h->held);
    h->items = PyMem_Calloc((size_t)count + 1, sizeof(*h->items));
    if (h->items == NULL)
        PyErr_NoMemory();
    for (Py_ssize_t i = 0; i < count && !PyErr_Occurred(); i++)
        h->items[i] = py_handle(PyTuple_GET_ITEM(h->held, i), name);
    h->count = count;
    if (PyErr_Occurred()) {
        py_handles_release(h);
        return -1;
    }
    return 0;
}

static void py_drop_owner(PyObject *capsule)
{
    Py_XDECREF((PyObject *)PyCapsule_GetContext(capsule));
}

/* `owner` lives until what the capsule holds is freed. */
static PyObject *py_keep(PyObject *capsule, PyObject *owner)
{
    if (PyCapsule_GetContext(capsule) != NULL || PyCapsule_SetContext(capsule, owner) != 0)
        return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_RuntimeError, "the capsule keeps something already");
    Py_INCREF(owner);
    Py_RETURN_NONE;
}

/* A handle that belongs to another one, which it keeps. */
static inline PyObject *py_borrowed(const void *pointer, const char *name, PyObject *owner)
{
    if (pointer == NULL)
        Py_RETURN_NONE;
    PyObject *capsule = PyCapsule_New((void *)(uintptr_t)pointer, name, py_drop_owner);
    if (capsule != NULL && PyCapsule_SetContext(capsule, owner) == 0)
        Py_INCREF(owner);
    return capsule;
}

/* --- progress ----------------------------------------------------------------------------------------- */

/* On the calling thread, which let the GIL go. Every tick runs the handlers of signals that came in, so Ctrl-C ends the
 * call. */
static int py_progress(const physad_progress *progress, void *user)
{
    PyObject *callable = user;
    const PyGILState_STATE state = PyGILState_Ensure();
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
