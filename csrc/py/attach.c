/* A channel that is driven by an event loop: joining it, being notified, waking those who wait. */
#include "merge.h"

/* ---- Joining ---- */

static PyObject *running_loop(module_state *state) {
    if (state->get_running_loop == NULL) {
        PyObject *asyncio = PyImport_ImportModule("asyncio");
        if (asyncio == NULL)
            return NULL;
        state->get_running_loop = PyObject_GetAttrString(asyncio, "get_running_loop");
        Py_DECREF(asyncio);
        if (state->get_running_loop == NULL)
            return NULL;
    }
    return PyObject_CallNoArgs(state->get_running_loop);
}

// Move from the driver that it has, the loop's of its last event loop or one without a loop, to this loop's.
static int join(channel_object *self, loop_object *loop) {
    driver *next = loop_driver(loop);
    if (next == NULL)
        return -1;
    loop_object *left = self->loop;
    driver *last = self->driver;
    driver_lock(last);
    net_channel_join(self->net, NULL);
    driver_unlock(last);
    driver_lock(next);
    bool joined = net_channel_join(self->net, next->loop);
    driver_unlock(next);
    if (!joined) {
        PyErr_NoMemory();
        return -1;
    }
    Py_INCREF((PyObject *)loop);
    self->loop = loop;
    self->driver = driver_share(next);
    driver_release(last);
    if (left != NULL)
        loop_shut_if_empty(left);
    Py_XDECREF((PyObject *)left);
    return 0;
}

int channel_attach(channel_object *self) {
    PyObject *running = running_loop(self->state);
    if (running == NULL)
        return -1;
    bool same = self->loop != NULL && loop_event_loop(self->loop) == running;
    Py_DECREF(running);
    if (same)
        return 0;
    // gaechannel.aio knows each event loop's Loop, and whether this channel may leave the one it is in.
    PyObject *loop = PyObject_CallMethod((PyObject *)self, "_find_loop", NULL);
    if (loop == NULL)
        return -1;
    int result = -1;
    if (PyObject_TypeCheck(loop, self->state->loop_type))
        result = join(self, (loop_object *)loop);
    else
        PyErr_SetString(PyExc_TypeError, "_find_loop() must return a Loop");
    Py_DECREF(loop);
    return result;
}

/* ---- Being notified ---- */

void channel_keep_exception(channel_object *self) {
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback != NULL && value != NULL)
        PyException_SetTraceback(value, traceback);
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    // The first is the one that matters.
    if (self->raised == NULL)
        self->raised = value;
    else
        Py_XDECREF(value);
}

int channel_raise_pending(channel_object *self) {
    PyObject *raised = self->raised;
    if (raised == NULL)
        return 0;
    self->raised = NULL;
    PyErr_SetObject((PyObject *)Py_TYPE(raised), raised);
    Py_DECREF(raised);
    return -1;
}

static int wake(PyObject *future) {
    PyObject *done = PyObject_CallMethod(future, "done", NULL);
    if (done == NULL)
        return -1;
    int is_done = PyObject_IsTrue(done);
    Py_DECREF(done);
    if (is_done != 0)
        return is_done < 0 ? -1 : 0;
    PyObject *set = PyObject_CallMethod(future, "set_result", "O", Py_None);
    Py_XDECREF(set);
    return set != NULL ? 0 : -1;
}

// Whoever waits looks for himself whether what came is what he waits for.
void channel_wake_all(PyObject **waiters, channel_object *self) {
    if (PyList_Size(*waiters) == 0)
        return;
    PyObject *woken = *waiters;
    PyObject *none = PyList_New(0);
    if (none == NULL) {
        PyErr_Clear(); // then with the next notification
        return;
    }
    *waiters = none;
    for (Py_ssize_t i = 0; i < PyList_Size(woken); i++)
        if (wake(PyList_GetItem(woken, i)) < 0)
            channel_keep_exception(self);
    Py_DECREF(woken);
}

PyObject *channel_new_waiter(channel_object *self, PyObject *waiters) {
    PyObject *future = PyObject_CallMethod(loop_event_loop(self->loop), "create_future", NULL);
    // The mark by which asyncio knows that the future was awaited and not yielded.
    if (future == NULL || PyObject_SetAttrString(future, "_asyncio_future_blocking", Py_True) < 0 ||
        PyList_Append(waiters, future) < 0)
        Py_CLEAR(future);
    return future;
}

PyObject *channel_stop_iteration(PyObject *value) {
    PyObject *stop = PyObject_CallFunctionObjArgs(PyExc_StopIteration, value, NULL);
    Py_DECREF(value);
    if (stop != NULL)
        PyErr_SetObject(PyExc_StopIteration, stop);
    Py_XDECREF(stop);
    return NULL;
}

void channel_notify(channel_object *self) {
    int served;
    while ((served = channel_serve(self)) > 0) {
        driver_lock(self->driver);
        net_channel_step(self->net);
        driver_unlock(self->driver);
    }
    if (served < 0)
        channel_keep_exception(self);
    channel_look look = channel_look_now(self);
    if (look.records || look.reached || look.ended || look.unsent == 0 || self->raised != NULL ||
        self->closing) {
        channel_wake_all(&self->waiters, self);
        if (self->merge != NULL)
            merge_push(self->merge, self);
    }
}

int channel_step(channel_object *self) {
    if (self->loop == NULL)
        return 0;
    driver_lock(self->driver);
    if (self->closing)
        session_close(self->session);
    net_channel_step(self->net);
    driver_unlock(self->driver);
    channel_notify(self);
    return loop_settle(self->loop);
}
