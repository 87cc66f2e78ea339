/* From a record of the queue to a message. */
#include "py/channel/take.h"

#include <stdlib.h> // malloc()
#include <string.h> // memcpy()

#include "py/channel/lock.h"
#include "py/values.h"

// webchannel: the one object in data's list; an error object is raised.
static PyObject *unwrap(channel_object *self, PyObject *data) {
    if (data == NULL || !PyList_Check(data) || PyList_Size(data) != 1)
        return data;
    PyObject *message = PyList_GetItem(data, 0);
    Py_INCREF(message);
    Py_DECREF(data);
    if (!PyDict_Check(message) || PyDict_Size(message) != 1)
        return message;
    PyObject *error = PyDict_GetItemString(message, "error");
    if (error == NULL || !PyDict_Check(error))
        return message;
    PyObject *raised = PyObject_CallFunctionObjArgs(self->state->web_channel_error, error, NULL);
    if (raised != NULL)
        PyErr_SetObject(self->state->web_channel_error, raised);
    Py_XDECREF(raised);
    Py_DECREF(message);
    return NULL;
}

// Out of the queue before Python objects are made of it, since making them may run anything, this channel's
// own close() included.
static PyObject *take_copy_unlock(channel_object *self, const record *found, bool *may_resume) {
    uint8_t small[1024];
    size_t length = found->length;
    bool is_text = found->kind != RECORD_LITERAL;
    uint8_t *copy = length <= sizeof small ? small : malloc(length);
    if (copy != NULL) {
        memcpy(copy, found->bytes, length);
        session_pop(self->session);
    }
    *may_resume = session_can_resume(self->session);
    channel_unlock(self);
    if (copy == NULL)
        return PyErr_NoMemory();
    PyObject *value =
        is_text ? str_with_surrogates(copy, length) : value_from_literal(self->state, copy, length);
    if (copy != small)
        free(copy);
    return self->unwraps ? unwrap(self, value) : value;
}

PyObject *channel_take(channel_object *self, bool *may_resume) {
    record found;
    PyObject *message;
    *may_resume = false;
    channel_lock(self);
    if (!queue_peek(session_queue(self->session), &found)) {
        channel_unlock(self);
        return NULL;
    }
    // To make a str of sound UTF-8 runs nothing else, and so can be done with the lock, from where the text
    // lies.
    if (found.kind != RECORD_ASCII && found.kind != RECORD_TEXT)
        return take_copy_unlock(self, &found, may_resume);
    message = found.kind == RECORD_ASCII ? str_from_ascii(found.bytes, found.length)
                                         : str_from_token(found.bytes, found.length, false);
    if (message != NULL)
        session_pop(self->session);
    *may_resume = session_can_resume(self->session);
    channel_unlock(self);
    return message;
}
