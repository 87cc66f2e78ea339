/* The type Awaiter: what `async for` and `await` ask a channel of an event loop for.
 *
 * One object is the asynchronous iterator, what its __anext__() returns, and that one's own iterator: when a
 * message is there, `async for` takes it with no trip through the event loop and no other object. Nothing is
 * taken before the moment it is handed over, so that a cancelled await loses nothing. */
#include "loop.h"

typedef enum awaited {
    AWAIT_MESSAGE, // the next message; the end of iteration when there is none
    AWAIT_BATCH,   // all messages that are there
    AWAIT_GOAL,    // the goal
    AWAIT_FLUSH,   // the server has all maps
    AWAIT_END,     // the session's end
} awaited;

typedef struct awaiter {
    PyObject_HEAD channel_object *channel;
    awaited awaited;
    session_goal goal;
    bool begun;
    bool ended;
} awaiter;

/* ---- Waiting ---- */

// Make sure that the channel is driven by the event loop that runs, and say what it is to reach.
static int begin(awaiter *self) {
    channel_object *channel = self->channel;
    if (channel_check(channel) < 0 || channel_attach(channel) < 0)
        return -1;
    if (self->begun)
        return 0;
    self->begun = true;
    if (self->awaited != AWAIT_END)
        channel_set_goal(channel, self->goal);
    return channel_step(channel);
}

static PySendResult wait_for_more(awaiter *self, PyObject **result) {
    *result = channel_new_waiter(self->channel, self->channel->waiters);
    return *result != NULL ? PYGEN_NEXT : PYGEN_ERROR;
}

static PySendResult end_iteration(awaiter *self) {
    self->ended = true;
    PyErr_SetNone(PyExc_StopAsyncIteration);
    return PYGEN_ERROR;
}

// Nothing is to be taken: the end, an exception, or a wait.
static PySendResult end_or_wait(awaiter *self, PyObject **result) {
    channel_object *channel = self->channel;
    bool iterates = self->awaited == AWAIT_MESSAGE || self->awaited == AWAIT_BATCH;
    *result = NULL;
    if (begin(self) < 0)
        return PYGEN_ERROR;
    if (channel_raise_pending(channel) < 0)
        return PYGEN_ERROR;
    channel_look look = channel_look_now(channel);
    if (iterates && (look.records && !channel->closing))
        return PYGEN_NEXT; // with no result: look again
    if (look.ended || channel->closing) {
        if (self->awaited != AWAIT_END && channel_raise_end(channel) < 0) {
            self->ended = true;
            return PYGEN_ERROR;
        }
        if (iterates)
            return end_iteration(self);
        if (self->awaited == AWAIT_END && !look.ended)
            return wait_for_more(self, result);
        if (self->awaited != AWAIT_END) {
            PyErr_SetString(channel->state->closed, "the channel was closed");
            return PYGEN_ERROR;
        }
    }
    if (iterates && look.reached)
        return end_iteration(self);
    bool done = (self->awaited == AWAIT_GOAL && look.reached) ||
                (self->awaited == AWAIT_FLUSH && look.unsent == 0) ||
                (self->awaited == AWAIT_END && look.ended);
    if (!done)
        return wait_for_more(self, result);
    Py_INCREF(Py_None);
    *result = Py_None;
    return PYGEN_RETURN;
}

static PyObject *take_batch(channel_object *channel) {
    PyObject *batch = PyList_New(0);
    PyObject *message;
    while (batch != NULL && (message = channel_take(channel)) != NULL) {
        if (PyList_Append(batch, message) < 0)
            Py_CLEAR(batch);
        Py_DECREF(message);
    }
    if (batch == NULL || PyErr_Occurred() == NULL) {
        if (batch != NULL && PyList_Size(batch) == 0)
            Py_CLEAR(batch);
        return batch;
    }
    // An error object (webchannel) ends a batch; what came before it comes first.
    if (PyList_Size(batch) != 0)
        channel_keep_exception(channel);
    else
        Py_CLEAR(batch);
    return batch;
}

static PySendResult awaiter_send(PyObject *op, PyObject *value, PyObject **result) {
    awaiter *self = (awaiter *)op;
    channel_object *channel = self->channel;
    (void)value;
    *result = NULL;
    if (self->ended)
        return end_iteration(self);
    for (;;) {
        if (self->awaited <= AWAIT_BATCH && self->begun && !channel->closing) {
            if (channel_check(channel) < 0)
                return PYGEN_ERROR;
            bool pending = channel->raised != NULL;
            if (!pending)
                *result = self->awaited == AWAIT_MESSAGE ? channel_take(channel) : take_batch(channel);
            if (*result != NULL)
                return PYGEN_RETURN;
            if (!pending && PyErr_Occurred() != NULL)
                return PYGEN_ERROR;
        }
        PySendResult sent = end_or_wait(self, result);
        if (sent != PYGEN_NEXT || *result != NULL)
            return sent;
    }
}

/* ---- The protocols ---- */

static PyObject *awaiter_self(PyObject *op) {
    Py_INCREF(op);
    return op;
}

static PyObject *awaiter_anext(PyObject *op) {
    return awaiter_self(op);
}

// For those who do not know am_send: the result as the value of a StopIteration.
static PyObject *awaiter_next(PyObject *op) {
    PyObject *result;
    PySendResult sent = awaiter_send(op, Py_None, &result);
    return sent == PYGEN_RETURN ? channel_stop_iteration(result) : result;
}

PyObject *awaiter_new(channel_object *channel, int kind) {
    static const struct {
        awaited awaited;
        session_goal goal;
    } kinds[] = {
        {AWAIT_MESSAGE, GOAL_STREAM},  {AWAIT_MESSAGE, GOAL_POLL}, {AWAIT_BATCH, GOAL_STREAM},
        {AWAIT_GOAL, GOAL_INITIALIZE}, {AWAIT_GOAL, GOAL_OPEN},    {AWAIT_GOAL, GOAL_CONNECT},
        {AWAIT_FLUSH, GOAL_STREAM},    {AWAIT_END, GOAL_REST},
    };
    PyTypeObject *type = channel->state->awaiter_type;
    if (kind < 0 || (size_t)kind >= sizeof kinds / sizeof *kinds)
        return PyErr_Format(PyExc_ValueError, "there is no kind %d", kind);
    allocfunc alloc = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    awaiter *self = (awaiter *)alloc(type, 0);
    if (self == NULL)
        return NULL;
    Py_INCREF((PyObject *)channel);
    self->channel = channel;
    self->awaited = kinds[kind].awaited;
    self->goal = kinds[kind].goal;
    return (PyObject *)self;
}

static int awaiter_traverse(PyObject *op, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(((awaiter *)op)->channel);
    return 0;
}

static void awaiter_dealloc(PyObject *op) {
    PyTypeObject *type = Py_TYPE(op);
    PyObject_GC_UnTrack(op);
    Py_CLEAR(((awaiter *)op)->channel);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(op);
    Py_DECREF(type);
}

static PyType_Slot awaiter_slots[] = {
    {Py_tp_doc, "An asynchronous iterator over a channel's messages, or something else to await."},
    {Py_tp_dealloc, awaiter_dealloc},
    {Py_tp_traverse, awaiter_traverse},
    {Py_tp_iternext, awaiter_next},
    {Py_am_aiter, awaiter_self},
    {Py_am_anext, awaiter_anext},
    {Py_am_await, awaiter_self},
    {Py_am_send, awaiter_send},
    {0, NULL},
};

static PyType_Spec awaiter_spec = {"gaechannel._core.Awaiter", sizeof(awaiter), 0,
                                   Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
                                       Py_TPFLAGS_DISALLOW_INSTANTIATION,
                                   awaiter_slots};

int awaiter_add_type(PyObject *module, module_state *state) {
    state->awaiter_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &awaiter_spec, NULL);
    return state->awaiter_type != NULL ? PyModule_AddType(module, state->awaiter_type) : -1;
}
