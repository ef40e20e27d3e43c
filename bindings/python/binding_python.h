/* SPDX-License-Identifier: Apache-2.0 */
/* What the typemaps of physad.i call, first part: buffers, handles and errors between Python and the library. */
#ifndef PHYSAD__BINDING_PYTHON_H
#define PHYSAD__BINDING_PYTHON_H

#include <Python.h>

#include "../binding_fields.h"
#include "../binding_log.h"

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

static PyObject *py_log_target = NULL; /* callable(level, text) */

static PyObject *py_set_log_target(PyObject *target)
{
    Py_XINCREF(target);
    Py_XSETREF(py_log_target, target);
    Py_RETURN_NONE;
}

/* Hands over what the library has said; an exception that is on its way stays. */
static void py_tell(void)
{
    PyObject *type, *value, *trace;
    binding_line *line = binding_log_take();
    if (line == NULL)
        return;
    PyErr_Fetch(&type, &value, &trace);
    for (; line != NULL; line = binding_log_take()) {
        PyObject *text = PyUnicode_DecodeUTF8(line->text, (Py_ssize_t)strlen(line->text), "backslashreplace");
        PyObject *answer = text == NULL || py_log_target == NULL
                               ? NULL
                               : PyObject_CallFunction(py_log_target, "iO", (int)line->level, text);
        if (PyErr_Occurred())
            PyErr_WriteUnraisable(py_log_target);
        Py_XDECREF(answer);
        Py_XDECREF(text);
        free(line);
    }
    PyErr_Restore(type, value, trace);
}

/* An exception of the progress callback, or of a signal handler that it ran, comes before the status that it caused. */
static int py_failed(physad_status status)
{
    py_tell();
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

/* A sequence's items, held: what is called while they are read (__float__, __fspath__) may change a list. NULL and an
 * exception, a TypeError with this text unless it is NULL. */
static PyObject *py_frozen(PyObject *object, const char *wanted)
{
    PyObject *items = PySequence_Tuple(object);
    if (items == NULL && wanted != NULL && PyErr_ExceptionMatches(PyExc_TypeError))
        PyErr_SetString(PyExc_TypeError, wanted);
    return items;
}

static inline int py_buffers_get(py_buffers *b, PyObject *object, int writable, const char *what)
{
    memset(b, 0, sizeof(*b));
    PyObject *list = py_frozen(object, "want a sequence of arrays");
    if (list == NULL)
        return -1;
    const Py_ssize_t count = PyTuple_GET_SIZE(list);
    int status = 0;
    b->items = PyMem_Calloc((size_t)(count > 0 ? count : 1), sizeof(*b->items));
    b->views = PyMem_Calloc((size_t)(count > 0 ? count : 1), sizeof(*b->views));
    if (b->items == NULL || b->views == NULL) {
        PyErr_NoMemory();
        status = -1;
    }
    for (Py_ssize_t i = 0; status == 0 && i < count; i++) {
        b->count = i + 1;
        status = py_buffer_get(&b->items[i], PyTuple_GET_ITEM(list, i), writable, what);
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
    PyObject *list = py_frozen(object, "want a list of texts");
    if (list == NULL)
        return -1;
    const Py_ssize_t count = PyTuple_GET_SIZE(list);
    int status = 0;
    t->items = PyMem_Calloc((size_t)count + 1, sizeof(*t->items));
    t->keep = PyMem_Calloc((size_t)count + 1, sizeof(*t->keep));
    if (t->items == NULL || t->keep == NULL) {
        PyErr_NoMemory();
        status = -1;
    }
    for (Py_ssize_t i = 0; status == 0 && i < count; i++) {
        t->items[i] = py_text(PyTuple_GET_ITEM(list, i), &t->keep[i], what);
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
    PyObject *list = py_frozen(object, "want a sequence of integers");
    if (list == NULL)
        return NULL;
    *count = PyTuple_GET_SIZE(list);
    int64_t *items = PyMem_Calloc((size_t)*count + 1, sizeof(*items));
    for (Py_ssize_t i = 0; items != NULL && i < *count; i++) {
        PyObject *number = PyNumber_Index(PyTuple_GET_ITEM(list, i));
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

#endif
