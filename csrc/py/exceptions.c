/* Raising exceptions of our own, clearing those of one class, and setting exceptions aside. */
#include "py/exceptions.h"

bool exception_forgive(PyObject *kind) {
    if (!PyErr_ExceptionMatches(kind))
        return false;
    PyErr_Clear();
    return true;
}

bool exception_ends_program(void) {
    return PyErr_ExceptionMatches(PyExc_KeyboardInterrupt) || PyErr_ExceptionMatches(PyExc_SystemExit);
}

void exception_raise(PyObject *kind, const char *words) {
    PyObject *text = PyUnicode_FromString(words);
    if (text != NULL)
        PyErr_SetObject(kind, text);
    Py_XDECREF(text);
}

void exception_set_aside(set_aside *self) {
    set_aside later;
    PyErr_Fetch(&later.type, &later.value, &later.traceback);
    if (later.type == NULL)
        return;
    bool goes_before = self->type == NULL || (PyErr_GivenExceptionMatches(self->type, PyExc_Exception) &&
                                              !PyErr_GivenExceptionMatches(later.type, PyExc_Exception));
    set_aside dropped = goes_before ? *self : later;
    if (goes_before)
        *self = later;
    Py_XDECREF(dropped.type);
    Py_XDECREF(dropped.value);
    Py_XDECREF(dropped.traceback);
}

int exception_resume(set_aside *self) {
    set_aside kept = *self;
    *self = (set_aside){0};
    if (kept.type == NULL)
        return 0;
    PyErr_Restore(kept.type, kept.value, kept.traceback);
    return -1;
}
