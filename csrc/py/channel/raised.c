/* An exception of a channel's that waits for whoever asks next. */
#include "py/channel/raised.h"

#include "py/exceptions.h"

void channel_keep_exception(channel_object *self) {
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback != NULL && value != NULL)
        PyException_SetTraceback(value, traceback);
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    // The first is the one that matters, unless it would hide Ctrl-C.
    PyObject *none = NULL;
    if (value != NULL && !PyErr_GivenExceptionMatches(value, PyExc_Exception))
        Py_XDECREF(atomic_exchange(&self->raised, value));
    else if (!atomic_compare_exchange_strong(&self->raised, &none, value))
        Py_XDECREF(value);
}

int channel_raise_pending(channel_object *self) {
    if (self->raised == NULL)
        return 0;
    PyObject *raised = atomic_exchange(&self->raised, NULL);
    if (raised == NULL)
        return 0; // another thread was faster
    PyErr_SetObject((PyObject *)Py_TYPE(raised), raised);
    Py_DECREF(raised);
    return -1;
}

int channel_raise_interrupt(channel_object *self) {
    if (channel_raise_pending(self) == 0)
        return 0;
    if (exception_ends_program())
        return -1;
    channel_keep_exception(self);
    return 0;
}
