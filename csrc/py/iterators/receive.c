/* One message, or all that are there. */
#include "py/iterators/receive.h"

#include "py/channel/in_thread.h"
#include "py/channel/lock.h"
#include "py/channel/progress.h"
#include "py/channel/raised.h"
#include "py/channel/report.h"
#include "py/channel/take.h"
#include "py/exceptions.h"

static PyObject *take_one(channel_object *channel) {
    bool may_resume;
    PyObject *message = channel_take(channel, &may_resume);
    if (may_resume)
        channel_progress(channel);
    return message != NULL && channel->debug ? channel_log_message(channel, message) : message;
}

// Append the next message to the batch. False where there is none, or with an exception. Its place is made
// before it is taken, so that it is not lost where memory runs out.
static bool append(channel_object *channel, PyObject *batch, bool *may_resume) {
    bool resumes;
    Py_ssize_t place = PyList_Size(batch);
    if (PyList_Append(batch, Py_None) < 0)
        return false;
    PyObject *message = channel_take(channel, &resumes);
    *may_resume |= resumes;
    if (message != NULL && channel->debug)
        message = channel_log_message(channel, message);
    if (message != NULL)
        return PyList_SetItem(batch, place, message) == 0;
    set_aside raised = {0};
    exception_set_aside(&raised);
    if (PyList_SetSlice(batch, place, place + 1, NULL) < 0)
        exception_set_aside(&raised);
    exception_resume(&raised);
    return false;
}

// At least one message, and at most `most` (0: all that are there).
static PyObject *take_batch(channel_object *channel, size_t most) {
    // No more than there are now: a server may send as fast as they are taken.
    size_t left = channel_waiting(channel);
    if (left == 0)
        return NULL;
    PyObject *batch = PyList_New(0);
    bool may_resume = false;
    if (most != 0 && most < left)
        left = most;
    while (batch != NULL && left-- > 0 && append(channel, batch, &may_resume))
        ;
    if (may_resume)
        channel_progress(channel);
    if (batch == NULL || PyList_Size(batch) == 0)
        Py_CLEAR(batch);
    else if (PyErr_Occurred() != NULL)
        channel_keep_exception(channel); // an error object (webchannel): what came before it comes first
    return batch;
}

PyObject *receive(channel_object *channel, const want *wanted) {
    return wanted->all ? take_batch(channel, wanted->most) : take_one(channel);
}

#define LATE "no message came within the timeout"

// What keeps messages from coming; None: nothing is known to. NULL with an exception set.
static PyObject *why_late(channel_object *channel) {
    channel_lock(channel);
    bool open = session_get_state(channel->session) == STATE_OPEN;
    channel_unlock(channel);
    if (!open)
        return channel_last_error(channel);
    Py_INCREF(Py_None);
    return Py_None;
}

PyObject *receive_raise_late(channel_object *channel) {
    PyObject *why = why_late(channel);
    if (why == NULL || why == Py_None) {
        if (why != NULL)
            receive_raise_late_of_many(channel->state);
        Py_XDECREF(why);
        return NULL;
    }
    PyObject *words = PyUnicode_FromFormat(LATE ": %S", why);
    PyObject *late = words != NULL ? PyObject_CallFunction(channel->state->timeout, "O", words) : NULL;
    Py_XDECREF(words);
    if (late != NULL) {
        PyErr_SetObject(channel->state->timeout, late);
        PyException_SetCause(late, why); // which takes the reference
        why = NULL;
    }
    Py_XDECREF(late);
    Py_XDECREF(why);
    return NULL;
}

PyObject *receive_raise_late_of_many(module_state *state) {
    exception_raise(state->timeout, LATE);
    return NULL;
}

PyObject *receive_raise_over(const channel_object *channel) {
    exception_raise(channel->state->closed,
                    channel->closing ? "the channel was closed" : "the session has ended");
    return NULL;
}

PyObject *receive_in_thread(channel_object *channel, const want *wanted) {
    // A message that is there already asks for nothing else.
    for (bool pursued = false; !channel->closing; pursued = true) {
        if (channel_raise_pending(channel) < 0)
            return NULL;
        PyObject *message = receive(channel, wanted);
        if (message != NULL || PyErr_Occurred() != NULL)
            return message;
        if (!pursued && channel_pursue(channel, wanted) < 0)
            return NULL;
        outlook said = channel_wait(channel, wanted);
        if (said == OUTLOOK_ERROR)
            return NULL;
        if (said == OUTLOOK_LATE)
            return receive_raise_late(channel);
        if (said == OUTLOOK_ENDED)
            break;
    }
    return receive_raise_over(channel);
}
