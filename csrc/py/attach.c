/* A channel that is driven by an event loop: joining it, being notified, waking those who wait. */
#include "py/loops/event_loop.h"
#include "py/merge.h"

/* ---- Joining ---- */

static PyObject *running_loop(module_state *state) {
    PyObject *get = state->get_running_loop;
    if (get == NULL) {
        PyObject *asyncio = PyImport_ImportModule("asyncio");
        PyObject *found = asyncio != NULL ? PyObject_GetAttrString(asyncio, "get_running_loop") : NULL;
        Py_XDECREF(asyncio);
        if (found == NULL)
            return NULL;
        // Another thread may have been faster; then `get` is what it found.
        if (atomic_compare_exchange_strong(&state->get_running_loop, &get, found))
            get = found;
        else
            Py_DECREF(found);
    }
    return PyObject_CallNoArgs(get);
}

// Move from the driver that it has, the loop's of its last event loop or one without a loop, to this loop's.
static int join(channel_object *self, loop_object *loop) {
    driver *next = loop_driver(loop);
    if (next == NULL)
        return -1;
    loop_object *left = self->loop;
    // Nobody waits in an event loop that is closed.
    if (left != NULL && PyList_SetSlice(self->waiters, 0, PY_SSIZE_T_MAX, NULL) < 0)
        PyErr_Clear(); // then they are woken in vain
    channel_change_driver_unlock(self, channel_lock(self), next);
    driver_lock(next);
    bool joined = net_channel_join(self->net, next->loop);
    driver_unlock(next);
    loop_joined(loop);
    if (!joined) {
        PyErr_NoMemory();
        return -1;
    }
    Py_INCREF((PyObject *)loop);
    self->loop = loop;
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

static int is_done(PyObject *future) {
    PyObject *done = PyObject_CallMethod(future, "done", NULL);
    int result = done != NULL ? PyObject_IsTrue(done) : -1;
    Py_XDECREF(done);
    return result;
}

static void wake(PyObject *future) {
    PyObject *set = NULL;
    int done = is_done(future);
    if (done == 0)
        set = PyObject_CallMethod(future, "set_result", "O", Py_None);
    if (done < 0 || (done == 0 && set == NULL))
        PyErr_Clear(); // its event loop is closed: nobody waits there any more
    Py_XDECREF(set);
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
    for (Py_ssize_t i = 0; i < PyList_Size(woken); i++) {
        wake(PyList_GetItem(woken, i));
        loop_let_go(self->loop, PyList_GetItem(woken, i));
    }
    Py_DECREF(woken);
}

// Forget those who were cancelled. -1 with an exception set.
static int prune(channel_object *self, PyObject *waiters) {
    for (Py_ssize_t i = PyList_Size(waiters); i-- > 0;) {
        PyObject *future = PyList_GetItem(waiters, i);
        int done = is_done(future);
        if (done > 0 && self->loop != NULL)
            loop_let_go(self->loop, future);
        if (done < 0 || (done > 0 && PyList_SetSlice(waiters, i, i + 1, NULL) < 0))
            return -1;
    }
    return 0;
}

PyObject *channel_new_waiter(channel_object *self, PyObject *waiters) {
    // Whoever awaits without a coroutine does not tell that he has gone.
    Py_ssize_t count = PyList_Size(waiters);
    if (count >= 16 && (count & (count - 1)) == 0 && prune(self, waiters) < 0)
        return NULL;
    PyObject *future = PyObject_CallMethod(loop_event_loop(self->loop), "create_future", NULL);
    // The mark by which asyncio knows that the future was awaited and not yielded.
    if (future == NULL || PyObject_SetAttrString(future, "_asyncio_future_blocking", Py_True) < 0 ||
        PyList_Append(waiters, future) < 0 || loop_hold(self->loop, future) < 0)
        Py_CLEAR(future);
    return future;
}

PyObject *channel_throw(channel_object *self, PyObject *waiters, PyObject *args) {
    PyObject *type, *value = NULL, *traceback = NULL;
    if (!PyArg_ParseTuple(args, "O|OO:throw", &type, &value, &traceback))
        return NULL;
    if (prune(self, waiters) < 0)
        return NULL;
    if (PyType_Check(type))
        PyErr_SetObject(type, value == Py_None ? NULL : value);
    else
        PyErr_SetObject((PyObject *)Py_TYPE(type), type);
    return NULL;
}

PyObject *channel_stop_iteration(PyObject *value) {
    PyObject *stop = PyObject_CallFunctionObjArgs(PyExc_StopIteration, value, NULL);
    Py_DECREF(value);
    if (stop != NULL)
        PyErr_SetObject(PyExc_StopIteration, stop);
    Py_XDECREF(stop);
    return NULL;
}

void channel_wake(channel_object *self) {
    self->goal_awaited = false;
    channel_wake_all(&self->waiters, self);
    if (self->merge != NULL)
        merge_push(self->merge, self);
}

void channel_notify(channel_object *self) {
    int served;
    while ((served = channel_serve(self)) > 0) {
        channel_lock(self);
        net_channel_step(self->net);
        channel_unlock(self);
    }
    if (served < 0)
        channel_keep_exception(self);
    channel_look look = channel_look_now(self);
    if (look.records || look.reached || look.ended || self->goal_awaited || self->raised != NULL ||
        self->closing)
        channel_wake(self);
}

int channel_step(channel_object *self) {
    if (self->loop == NULL)
        return 0;
    channel_lock(self);
    if (self->closing)
        session_close(self->session);
    net_channel_step(self->net);
    channel_unlock(self);
    channel_notify(self);
    return loop_settle(self->loop);
}
