/* Futures of asyncio, by which tasks wait for a channel's news. */
#include "py/loops/waiters.h"

#include "py/exceptions.h"

static int is_done(event_loop_object *loop, PyObject *future) {
    PyObject *done = PyObject_CallMethodObjArgs(future, event_loop_names(loop)[NAME_DONE], NULL);
    int result = done != NULL ? PyObject_IsTrue(done) : -1;
    Py_XDECREF(done);
    return result;
}

// -1 with an exception set.
static int wake(event_loop_object *loop, PyObject *future) {
    PyObject *set_result = event_loop_names(loop)[NAME_SET_RESULT];
    int done = is_done(loop, future);
    PyObject *set = done == 0 ? PyObject_CallMethodObjArgs(future, set_result, Py_None, NULL) : NULL;
    bool failed = done < 0 || (done == 0 && set == NULL);
    Py_XDECREF(set);
    if (failed && event_loop_forgive_closed(loop) < 0)
        return -1;
    return event_loop_release_future(loop, future);
}

// Tasks that wait look themselves whether what came is what they wait for.
int waiters_wake(event_loop_object *loop, PyObject **waiters) {
    if (PyList_Size(*waiters) == 0)
        return 0;
    PyObject *woken = *waiters;
    PyObject *none = PyList_New(0);
    if (none == NULL)
        return -1;
    *waiters = none;
    set_aside failed = {0};
    for (Py_ssize_t i = 0; i < PyList_Size(woken); i++) {
        PyObject *future = PyList_GetItem(woken, i);
        if (wake(loop, future) == 0)
            continue;
        exception_set_aside(&failed);
        if (PyList_Append(*waiters, future) < 0)
            exception_set_aside(&failed);
    }
    Py_DECREF(woken);
    return exception_resume(&failed);
}

// Forget those who were cancelled, unless an event loop of somebody's own changes the list when its future is
// asked. -1 with an exception set.
static int prune(event_loop_object *loop, PyObject *waiters) {
    int result = 0;
    for (Py_ssize_t i = PyList_Size(waiters); i-- > 0 && result == 0;) {
        PyObject *future = PyList_GetItem(waiters, i);
        Py_XINCREF(future);
        int done = future != NULL ? is_done(loop, future) : -1;
        if (done < 0)
            result = -1;
        else if (done > 0 && i < PyList_Size(waiters) && PyList_GetItem(waiters, i) == future)
            result =
                PyList_SetSlice(waiters, i, i + 1, NULL) < 0 ? -1 : event_loop_release_future(loop, future);
        if (i > PyList_Size(waiters))
            i = PyList_Size(waiters);
        Py_XDECREF(future);
    }
    return result;
}

PyObject *waiters_add(event_loop_object *loop, PyObject *waiters) {
    // A task that awaits without a coroutine does not tell that it waits no longer.
    Py_ssize_t count = PyList_Size(waiters);
    if (count >= 16 && (count & (count - 1)) == 0 && prune(loop, waiters) < 0)
        return NULL;
    PyObject *const *names = event_loop_names(loop);
    PyObject *future =
        PyObject_CallMethodObjArgs(event_loop_of_asyncio(loop), names[NAME_CREATE_FUTURE], NULL);
    // The mark by which asyncio knows that the future was awaited and not yielded.
    if (future == NULL || PyObject_SetAttr(future, names[NAME_FUTURE_BLOCKING], Py_True) < 0 ||
        PyList_Append(waiters, future) < 0 || event_loop_keep_future(loop, future) < 0)
        Py_CLEAR(future);
    return future;
}

PyObject *waiters_throw(event_loop_object *loop, PyObject *waiters, PyObject *args) {
    PyObject *type, *value = NULL, *traceback = NULL;
    if (!PyArg_ParseTuple(args, "O|OO:throw", &type, &value, &traceback))
        return NULL;
    if (loop != NULL && prune(loop, waiters) < 0)
        return NULL;
    if (PyType_Check(type))
        PyErr_SetObject(type, value == Py_None ? NULL : value);
    else
        PyErr_SetObject((PyObject *)Py_TYPE(type), type);
    return NULL;
}
