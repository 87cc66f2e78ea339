/* StopIterations, by which an iterator's end says what was awaited. */
#include "py/iterators/stop.h"

#include <stdbool.h>

// What brings a message keeps it until the next one: no more than this, of a text.
#define SMALL_TEXT 4096

static bool is_small_text(PyObject *value) {
    return PyUnicode_Check(value) && PyUnicode_GetLength(value) <= SMALL_TEXT;
}

// Whether nobody has it, nor has caught it, who gives it a traceback, and may have given it anything.
static bool is_as_new(PyObject *stop) {
    if (Py_REFCNT(stop) != 1)
        return false;
    PyObject *traceback = PyException_GetTraceback(stop);
    Py_XDECREF(traceback);
    return traceback == NULL;
}

// The one that is kept, if it is as new, or a new one. An exception takes as long to make as a short text,
// and the interpreter drops it at once.
static PyObject *take_or_make(PyObject **kept) {
    PyObject *stop = kept != NULL ? *kept : NULL;
    if (stop != NULL)
        *kept = NULL;
    if (stop != NULL && is_as_new(stop))
        return stop;
    Py_XDECREF(stop);
    return PyObject_CallNoArgs(PyExc_StopIteration);
}

PyObject *stop_next(module_state *state, PyObject *op, stop_sender *send, PyObject **kept) {
#ifdef Py_GIL_DISABLED
    kept = NULL; // threads that ask at once would have the same one
#endif
    PyObject *stop = take_or_make(kept);
    PyObject *result = NULL;
    if (stop == NULL)
        return NULL;
    if (send(op, Py_None, &result) != PYGEN_RETURN) {
        Py_DECREF(stop);
        return result;
    }
    int set = state->set_stop_value(state->stop_value, stop, result);
    if (set == 0 && kept != NULL && *kept == NULL && is_small_text(result))
        *kept = Py_NewRef(stop);
    Py_DECREF(result);
    if (set == 0)
        PyErr_Restore(Py_NewRef(PyExc_StopIteration), stop, NULL);
    else
        Py_DECREF(stop);
    return NULL;
}

// What `stop.value = …` finds by the name each time.
int stop_prepare(module_state *state) {
    state->stop_value = PyObject_GetAttrString(PyExc_StopIteration, "value");
    if (state->stop_value == NULL)
        return -1;
    state->set_stop_value = (descrsetfunc)PyType_GetSlot(Py_TYPE(state->stop_value), Py_tp_descr_set);
    if (state->set_stop_value != NULL)
        return 0;
    PyErr_SetString(PyExc_SystemError, "StopIteration.value cannot be set");
    return -1;
}
