/* Joining the event loop that runs, being told of news, waking those who wait, leaving. */
#include "py/channel/in_event_loop.h"

#include "py/channel/answer.h"
#include "py/channel/lock.h"
#include "py/channel/raised.h"
#include "py/channel/ready_line.h"
#include "py/exceptions.h"
#include "py/loops/waiters.h"

int channel_check_async(const channel_object *self) {
    if (self->is_async)
        return 0;
    PyErr_SetString(PyExc_TypeError, "this channel is not asyncio's");
    return -1;
}

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
    event_loop_object *left = self->loop;
    // Nobody waits in an event loop that is closed.
    if (left != NULL && PyList_SetSlice(self->waiters, 0, PY_SSIZE_T_MAX, NULL) < 0)
        return -1;
    shared_loop *next = event_loop_shared(loop, channel_on_news);
    if (next == NULL)
        return -1;
    channel_change_loop_unlock(self, channel_lock(self), next);
    shared_loop_lock(next);
    bool joined = net_channel_join(self->net, next->loop);
    shared_loop_unlock(next);
    set_aside failed = {0};
    if (event_loop_joined(loop) < 0)
        exception_set_aside(&failed);
    if (joined) {
        Py_INCREF((PyObject *)loop);
        self->loop = loop;
        if (left != NULL && event_loop_shut_if_empty(left) < 0)
            exception_set_aside(&failed);
        Py_XDECREF((PyObject *)left);
    } else {
        PyErr_NoMemory();
        exception_set_aside(&failed);
    }
    return exception_resume(&failed);
}

int channel_join_running_loop(channel_object *self) {
    PyObject *running = running_loop(self->state);
    if (running == NULL)
        return -1;
    bool same = self->loop != NULL && event_loop_of_asyncio(self->loop) == running;
    // gaechannel.aio knows each event loop's EventLoop, and whether this channel may leave the one it is in.
    PyObject *find = self->state->names[NAME_FIND_LOOP];
    PyObject *loop = same ? NULL : PyObject_CallMethodObjArgs((PyObject *)self, find, running, NULL);
    Py_DECREF(running);
    if (same)
        return 0;
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

/* ---- Waiting and being notified ---- */

PyObject *channel_wait_in_event_loop(channel_object *self, PyObject **waiters) {
    event_loop_object *loop = self->loop;
    PyObject *list = *waiters;
    Py_INCREF((PyObject *)loop);
    Py_INCREF(list);
    PyObject *future = waiters_add(loop, list);
    // Python code has run, which may have had woken all who waited: nobody looks into that list any more.
    if (future != NULL && *waiters != list) {
        int released = event_loop_release_future(loop, future);
        Py_DECREF(future);
        future = released == 0 ? Py_None : NULL;
        Py_XINCREF(future);
    }
    Py_DECREF(list);
    Py_DECREF((PyObject *)loop);
    return future;
}

PyObject *channel_stop_waiting(event_loop_object *loop, PyObject *waiters, PyObject *args) {
    PyObject *raised = PyTuple_Size(args) > 0 ? PyTuple_GetItem(args, 0) : NULL;
    if (raised != NULL && !PyExceptionClass_Check(raised) && !PyExceptionInstance_Check(raised)) {
        PyErr_SetString(PyExc_TypeError, "throw() takes an exception");
        return NULL;
    }
    Py_XINCREF((PyObject *)loop);
    Py_INCREF(waiters);
    waiters_throw(loop, waiters, args);
    Py_DECREF(waiters);
    Py_XDECREF((PyObject *)loop);
    return NULL;
}

// Hold a channel's line: without the GIL another thread's garbage collector may be about to drop that, which
// the channel leaves with the lock held. With it, nobody comes between.
static void line_lock(channel_object *self) {
#ifdef Py_GIL_DISABLED
    channel_lock(self);
#else
    (void)self;
#endif
}

static void line_unlock(channel_object *self) {
#ifdef Py_GIL_DISABLED
    channel_unlock(self);
#else
    (void)self;
#endif
}

// The line that the channel is in, in which it takes its place; NULL: none.
static const ready_line *take_place(channel_object *self) {
    if (self->line == NULL)
        return NULL;
    line_lock(self);
    ready_line *line = self->line;
    if (line != NULL)
        ready_line_push(line, self);
    line_unlock(self);
    return line;
}

// Those who wait for the iterator that merges the channel, in whose place come `none`, which is given away;
// NULL: nobody does.
static PyObject *take_waiters_of_merge(channel_object *self, PyObject *none) {
    PyObject *left = none;
    line_lock(self);
    ready_line *line = self->line;
    if (line != NULL && line->waiters != NULL && PyList_Size(line->waiters) != 0) {
        left = line->waiters;
        line->waiters = none;
    }
    line_unlock(self);
    if (left != none)
        return left;
    Py_DECREF(none);
    return NULL;
}

// Have those wait on who could not be told, if the channel is in that line still. -1 with an exception set.
static int have_wait_on(channel_object *self, const ready_line *line, PyObject *woken) {
    line_lock(self);
    PyObject *waiters = self->line == line ? line->waiters : NULL;
    Py_XINCREF(waiters);
    line_unlock(self);
    int result = waiters != NULL ? PyList_SetSlice(waiters, PY_SSIZE_T_MAX, PY_SSIZE_T_MAX, woken) : 0;
    Py_XDECREF(waiters);
    return result;
}

// Wake those who wait for the iterator that merges this channel with others. Python code runs, which may drop
// that, and its line with it.
static int wake_merge(channel_object *self, event_loop_object *loop) {
    const ready_line *line = take_place(self);
    if (line == NULL)
        return 0;
    PyObject *none = PyList_New(0);
    if (none == NULL)
        return -1;
    PyObject *woken = take_waiters_of_merge(self, none);
    if (woken == NULL)
        return 0;
    set_aside failed = {0};
    if (waiters_wake(loop, &woken) < 0)
        exception_set_aside(&failed);
    if (have_wait_on(self, line, woken) < 0)
        exception_set_aside(&failed);
    Py_DECREF(woken);
    return exception_resume(&failed);
}

int channel_wake_waiters(channel_object *self) {
    set_aside failed = {0};
    event_loop_object *loop = self->loop;
    if (loop == NULL)
        return 0;
    Py_INCREF((PyObject *)loop);
    if (waiters_wake(loop, &self->waiters) < 0)
        exception_set_aside(&failed);
    if (wake_merge(self, loop) < 0)
        exception_set_aside(&failed);
    Py_DECREF((PyObject *)loop);
    // A waiter that could not be told is to be told with the next news.
    self->goal_awaited = failed.type != NULL;
    return exception_resume(&failed);
}

int channel_on_news(PyObject *op) {
    channel_object *self = (channel_object *)op;
    set_aside failed = {0};
    news found;
    int answered;
    while ((answered = channel_log_and_answer(self, &found)) > 0) {
        channel_lock(self);
        net_channel_step(self->net);
        channel_unlock(self);
    }
    // Perhaps nobody waits, who would be given the exception: the program is to end all the same.
    if (answered < 0 && exception_ends_program())
        exception_set_aside(&failed);
    else if (answered < 0)
        channel_keep_exception(self);
    if ((found.record || found.settled || found.ended || self->goal_awaited || answered < 0 ||
         self->raised != NULL) &&
        channel_wake_waiters(self) < 0)
        exception_set_aside(&failed);
    return exception_resume(&failed);
}

int channel_step(channel_object *self) {
    if (self->loop == NULL)
        return 0;
    channel_lock(self);
    if (self->closing)
        session_close(self->session);
    net_channel_step(self->net);
    channel_unlock(self);
    set_aside failed = {0};
    if (channel_on_news((PyObject *)self) < 0)
        exception_set_aside(&failed);
    if (event_loop_update(self->loop) < 0)
        exception_set_aside(&failed);
    return exception_resume(&failed);
}

// The sockets of an event loop's channel are watched by it: it must hear that they are gone.
int channel_leave_loop(channel_object *self) {
    set_aside failed = {0};
    if (event_loop_update(self->loop) < 0 && event_loop_forgive_closed(self->loop) < 0)
        exception_set_aside(&failed);
    if (event_loop_shut_if_empty(self->loop) < 0)
        exception_set_aside(&failed);
    return exception_resume(&failed);
}
