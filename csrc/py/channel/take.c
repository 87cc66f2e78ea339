/* From a record of the queue to a message. */
#include "py/channel/take.h"

#include <stdlib.h> // malloc()
#include <string.h> // memcpy()

#include "py/builder.h"
#include "py/channel/lock.h"
#include "py/channel/unwrap.h"
#include "py/strings.h"
#include "py/values.h"

// Memory has run out while a message was made: the next try is to get it. Where there is none for that
// either, the exception stands for it.
static void give_back(channel_object *self, const record *found, const uint8_t *copy) {
    const record dropped = {.id = found->id, .kind = found->kind, .bytes = copy, .length = found->length};
    channel_lock(self);
    (void)session_put_back(self->session, &dropped);
    channel_unlock(self);
}

// Out of the queue before Python objects are made of it, since making them may run anything, this channel's
// own close() included.
static PyObject *take_copy_unlock(channel_object *self, const record *found, bool *may_resume) {
    uint8_t small[4096];
    size_t length = found->length;
    bool is_text = found->kind != RECORD_LITERAL;
    uint8_t *copy = length <= sizeof small - BUILDER_PADDING ? small : malloc(length + BUILDER_PADDING);
    if (copy != NULL) {
        memcpy(copy, found->bytes, length);
        memset(copy + length, 0, BUILDER_PADDING);
        session_pop(self->session);
    }
    *may_resume |= session_can_resume(self->session);
    channel_unlock(self);
    if (copy == NULL)
        return PyErr_NoMemory();
    PyObject *value = is_text ? str_with_surrogates(copy, length)
                              : value_from_message(self->state, copy, length, self->unwraps);
    if (value != NULL && self->unwraps)
        value = unwrap_message(self->state, value);
    if (value == NULL && PyErr_Occurred() != NULL && PyErr_ExceptionMatches(PyExc_MemoryError))
        give_back(self, found, copy);
    if (copy != small)
        free(copy);
    return value;
}

static PyObject *value_of_sound(const record *found) {
    if (found->kind == RECORD_BYTES)
        return PyBytes_FromStringAndSize((const char *)found->bytes, (Py_ssize_t)found->length);
    return found->kind == RECORD_ASCII ? str_from_ascii(found->bytes, found->length)
                                       : str_from_token(found->bytes, found->length, false);
}

// `none`: there is none, where NULL is returned without an exception. If not, there was one that is not to be
// told.
static PyObject *take(channel_object *self, bool *may_resume, bool *none) {
    record found;
    PyObject *message;
    channel_lock(self);
    if (!queue_peek(session_queue(self->session), &found)) {
        channel_unlock(self);
        *none = true;
        return NULL;
    }
    // To make a str of sound UTF-8, or bytes, runs nothing else, and so can be done with the lock, from where
    // the text lies.
    if (found.kind == RECORD_LITERAL || found.kind == RECORD_TEXT_SURROGATE)
        return take_copy_unlock(self, &found, may_resume);
    message = value_of_sound(&found);
    if (message != NULL)
        session_pop(self->session);
    *may_resume |= session_can_resume(self->session);
    channel_unlock(self);
    return message;
}

PyObject *channel_take(channel_object *self, bool *may_resume) {
    PyObject *message;
    bool none = false;
    *may_resume = false;
    do
        message = take(self, may_resume, &none);
    while (message == NULL && !none && PyErr_Occurred() == NULL);
    return message;
}

size_t channel_waiting(channel_object *self) {
    channel_lock(self);
    size_t count = session_queue(self->session)->count;
    channel_unlock(self);
    return count;
}
