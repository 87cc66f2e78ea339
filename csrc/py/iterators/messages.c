/* The iterator over a channel's messages. */
#include "py/iterators/messages.h"

#include "py/channel/answer.h"
#include "py/channel/in_thread.h"
#include "py/channel/raised.h"
#include "py/iterators/receive.h"

typedef struct messages {
    PyObject_HEAD channel_object *channel;
    // All messages, or one back channel's; one by one, or in batches.
    want want;
    // channel->goals after this iterator has set its goal; 0: it has not begun.
    atomic_ulong goals;
    atomic_bool ended;
} messages;

static PyObject *finish(messages *self) {
    self->ended = true;
    return NULL;
}

static PyObject *messages_next(PyObject *op) {
    messages *self = (messages *)op;
    channel_object *channel = self->channel;
    if (self->ended)
        return NULL;
    if (channel_check(channel) < 0)
        return finish(self);
    if (channel_refuse_waiting(channel) < 0)
        return NULL;
    // Not begun, or something else was wanted of the channel in between.
    if (self->goals != channel->goals || self->goals == 0) {
        if (channel_pursue(channel, &self->want) < 0)
            return NULL;
        self->goals = channel->goals;
    }
    while (!channel->closing) {
        if (channel_raise_pending(channel) < 0)
            return NULL;
        PyObject *message = receive(channel, &self->want);
        if (message != NULL || PyErr_Occurred() != NULL)
            return message;
        outlook said = channel_wait(channel, &self->want);
        // What a signal handler raises (Ctrl-C) leaves all as it was: the iterator may be asked again.
        if (said == OUTLOOK_ERROR && !channel_peek(channel, NULL).ended)
            return NULL;
        if (said != OUTLOOK_COME)
            break;
    }
    return finish(self);
}

/* ---- Begin and end ---- */

PyObject *messages_new(channel_object *channel, const want *wanted) {
    PyTypeObject *type = channel->state->messages_type;
    allocfunc alloc = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    messages *self = (messages *)alloc(type, 0);
    if (self == NULL)
        return NULL;
    Py_INCREF((PyObject *)channel);
    self->channel = channel;
    self->want = *wanted;
    return (PyObject *)self;
}

static int messages_traverse(PyObject *op, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(((messages *)op)->channel);
    return 0;
}

static void messages_dealloc(PyObject *op) {
    PyTypeObject *type = Py_TYPE(op);
    PyObject_GC_UnTrack(op);
    Py_CLEAR(((messages *)op)->channel);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(op);
    Py_DECREF(type);
}

static PyObject *messages_iter(PyObject *op) {
    Py_INCREF(op);
    return op;
}

// As a generator has it.
static PyObject *messages_close(PyObject *op, PyObject *unused) {
    (void)unused;
    ((messages *)op)->ended = true;
    Py_RETURN_NONE;
}

/* ---- The type ---- */

static PyMethodDef messages_methods[] = {
    {"close", messages_close, METH_NOARGS,
     "close($self, /)\n--\n\nEnd the iteration; the channel stays open."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot messages_slots[] = {
    {Py_tp_doc, "An iterator over a channel's messages, made by messages()."},
    {Py_tp_dealloc, messages_dealloc},
    {Py_tp_traverse, messages_traverse},
    {Py_tp_iter, messages_iter},
    {Py_tp_iternext, messages_next},
    {Py_tp_methods, messages_methods},
    {0, NULL},
};

static PyType_Spec messages_spec = {"gaechannel._core.Messages", sizeof(messages), 0,
                                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
                                        Py_TPFLAGS_DISALLOW_INSTANTIATION,
                                    messages_slots};

int messages_add_type(PyObject *module, module_state *state) {
    return module_add_type(module, &state->messages_type, &messages_spec);
}
