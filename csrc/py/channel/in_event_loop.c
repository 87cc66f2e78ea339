/* Joining the event loop that runs, being told of news, waking those who wait, leaving. */
#include "py/channel/in_event_loop.h"

#include "py/channel/answer.h"
#include "py/channel/in_thread.h"
#include "py/channel/lock.h"
#include "py/channel/ready_line.h"
#include "py/loops/waiters.h"

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

// Move from the shared loop that it has, its last event loop's or an empty one of its own, to this one's.
static int join(channel_object *self, event_loop_object *loop) {
    shared_loop *next = event_loop_shared(loop, channel_on_news);
    if (next == NULL)
        return -1;
    event_loop_object *left = self->loop;
    // Nobody waits in an event loop that is closed.
    if (left != NULL && PyList_SetSlice(self->waiters, 0, PY_SSIZE_T_MAX, NULL) < 0)
        PyErr_Clear(); // then they are woken in vain
    channel_change_loop_unlock(self, channel_lock(self), next);
    shared_loop_lock(next);
    bool joined = net_channel_join(self->net, next->loop);
    shared_loop_unlock(next);
    event_loop_joined(loop);
    if (!joined) {
        PyErr_NoMemory();
        return -1;
    }
    Py_INCREF((PyObject *)loop);
    self->loop = loop;
    if (left != NULL)
        event_loop_shut_if_empty(left);
    Py_XDECREF((PyObject *)left);
    return 0;
}

int channel_join_running_loop(channel_object *self) {
    PyObject *running = running_loop(self->state);
    if (running == NULL)
        return -1;
    bool same = self->loop != NULL && event_loop_of_asyncio(self->loop) == running;
    Py_DECREF(running);
    if (same)
        return 0;
    // gaechannel.aio knows each event loop's EventLoop, and whether this channel may leave the one it is in.
    PyObject *loop = PyObject_CallMethod((PyObject *)self, "_find_loop", NULL);
    if (loop == NULL)
        return -1;
    int result = -1;
    if (PyObject_TypeCheck(loop, self->state->event_loop_type))
        result = join(self, (event_loop_object *)loop);
    else
        PyErr_SetString(PyExc_TypeError, "_find_loop() must return an EventLoop");
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
    PyObject *none = NULL;
    if (!atomic_compare_exchange_strong(&self->raised, &none, value))
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

void channel_wake_waiters(channel_object *self) {
    self->goal_awaited = false;
    waiters_wake(self->loop, &self->waiters);
    if (self->line != NULL)
        ready_line_push(self->line, self);
}

void channel_on_news(PyObject *op) {
    channel_object *self = (channel_object *)op;
    news found;
    int answered;
    while ((answered = channel_log_and_answer(self, &found)) > 0) {
        channel_lock(self);
        net_channel_step(self->net);
        channel_unlock(self);
    }
    if (answered < 0)
        channel_keep_exception(self);
    if (found.record || found.settled || found.ended || self->goal_awaited || self->raised != NULL)
        channel_wake_waiters(self);
}

// The event loop reads what the server has; here only the transfer is let go on.
static void progress_in_event_loop(channel_object *self) {
    channel_lock(self);
    net_channel_resume(self->net);
    channel_unlock(self);
    if (channel_step(self) < 0)
        channel_keep_exception(self);
}

void channel_progress(channel_object *self) {
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    if (self->is_async)
        progress_in_event_loop(self);
    else
        channel_progress_in_thread(self);
    PyErr_Restore(type, value, traceback);
}

int channel_step(channel_object *self) {
    if (self->loop == NULL)
        return 0;
    channel_lock(self);
    if (self->closing)
        session_close(self->session);
    net_channel_step(self->net);
    channel_unlock(self);
    channel_on_news((PyObject *)self);
    return event_loop_update(self->loop);
}

// The sockets of an event loop's channel are watched by it: it must hear that they are gone.
void channel_leave_loop(channel_object *self) {
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    if (event_loop_update(self->loop) < 0)
        PyErr_Clear(); // the event loop may be closed
    event_loop_shut_if_empty(self->loop);
    PyErr_Restore(type, value, traceback);
}
