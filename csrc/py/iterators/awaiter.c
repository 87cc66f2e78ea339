/* The type Awaiter: what `async for` and `await` ask a channel of an event loop for.
 *
 * One object is the asynchronous iterator, what its __anext__() returns, and that one's own iterator: when a
 * message is there, `async for` takes it with no trip through the event loop and no other object. Only who
 * asks again before the answer gets another one. Nothing is taken before the moment it is handed over, so
 * that a cancelled await loses nothing. */
#include "py/iterators/awaiter.h"

#include "py/channel/answer.h"
#include "py/channel/in_event_loop.h"
#include "py/channel/raised.h"
#include "py/channel/report.h"
#include "py/iterators/receive.h"
#include "py/iterators/stop.h"

typedef struct awaiter {
    PyObject_HEAD channel_object *channel;
    // The iterator that it answers for, which knows what has begun and ended; NULL: it is that itself.
    struct awaiter *origin;
    want want;
    bool begun;
    bool ended;
    // __anext__() has handed it out, and what was asked has neither come nor failed.
    bool is_out;
    // What stop_next() keeps.
    PyObject *stop;
} awaiter;

// A consumer that always finds a message must not keep all other tasks waiting: after so many ms it gives way
// once. The clock is looked at only once for so many messages.
#define TURN_MS 10
#define TURN_MESSAGES 64

static awaiter *origin_of(awaiter *self) {
    return self->origin != NULL ? self->origin : self;
}

static awaiter *new_awaiter(channel_object *channel, const want *wanted) {
    PyTypeObject *type = channel->state->awaiter_type;
    allocfunc alloc = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    awaiter *self = (awaiter *)alloc(type, 0);
    if (self == NULL)
        return NULL;
    Py_INCREF((PyObject *)channel);
    self->channel = channel;
    self->want = *wanted;
    return self;
}

/* ---- Waiting ---- */

static bool iterates(const awaiter *self) {
    return self->want.what == WANT_MESSAGE;
}

// Make sure that the channel is driven by the event loop that runs, and on its way.
static int begin(awaiter *self) {
    channel_object *channel = self->channel;
    event_loop_object *loop = channel->loop;
    if (channel_check(channel) < 0 || channel_join_running_loop(channel) < 0)
        return -1;
    if (origin_of(self)->begun && channel->loop == loop)
        return 0;
    if (!origin_of(self)->begun && channel_pursue(channel, &self->want) < 0)
        return -1;
    origin_of(self)->begun = true;
    return channel_step(channel);
}

static PySendResult wait_for_more(awaiter *self, PyObject **result) {
    bool is_of_others = self->want.what == WANT_END || self->want.what == WANT_ROOM;
    if (!is_of_others && channel_refuse_waiting(self->channel) < 0)
        return PYGEN_ERROR;
    if (!iterates(self))
        self->channel->goal_awaited = true;
    self->channel->taken = 0;
    *result = channel_wait_in_event_loop(self->channel, &self->channel->waiters);
    return *result != NULL ? PYGEN_NEXT : PYGEN_ERROR;
}

// Where so much has come since there was nothing to take, more is there, as a rule: to look costs less than a
// trip through the event loop. But others wait for that: who has been taking for longer lets them.
#define MUCH_BYTES (32 * 1024)
#define READ_ON_MS 2

// Whether the sockets were looked at once more. -1 with an exception set.
static int read_on(awaiter *self, const news *found) {
    channel_object *channel = self->channel;
    uint64_t came = found->received - channel->received;
    if (!iterates(self))
        return 0;
    channel->received = found->received;
    if (came < MUCH_BYTES || net_now_ms() - channel->turn_ms > READ_ON_MS)
        return 0;
    return event_loop_read_on(channel->loop);
}

static PySendResult end_iteration(awaiter *self) {
    origin_of(self)->ended = true;
    PyErr_SetNone(PyExc_StopAsyncIteration);
    return PYGEN_ERROR;
}

// The session is over, or about to be.
static PySendResult end_or_raise(awaiter *self) {
    if (channel_raise_end(self->channel) < 0) {
        origin_of(self)->ended = true;
        return PYGEN_ERROR;
    }
    if (iterates(self) && !self->want.once)
        return end_iteration(self);
    receive_raise_over(self->channel);
    return PYGEN_ERROR;
}

// Nothing is to be taken: the end, an exception, or a wait. PYGEN_NEXT with no result: look again.
static PySendResult end_or_wait(awaiter *self, PyObject **result) {
    channel_object *channel = self->channel;
    int reads;
    *result = NULL;
    if (begin(self) < 0)
        return PYGEN_ERROR;
    news found = channel_peek(channel, &self->want);
    // What the session asks for was not to be had the last time: the exception was raised.
    if (found.asks && channel->raised == NULL && !channel->awaits_answer) {
        if (channel_step(channel) < 0)
            return PYGEN_ERROR;
        found = channel_peek(channel, &self->want);
    }
    if (!channel->closing && channel_raise_pending(channel) < 0)
        return PYGEN_ERROR;
    switch (found.outlook) {
    case OUTLOOK_COME:
        if (iterates(self))
            return PYGEN_NEXT;
        Py_INCREF(Py_None);
        *result = Py_None;
        return PYGEN_RETURN;
    case OUTLOOK_ENDED:
        return end_or_raise(self);
    case OUTLOOK_SETTLED:
        return channel_pursue_alone(channel, &self->want, false) < 0 || channel_step(channel) < 0
                   ? PYGEN_ERROR
                   : PYGEN_NEXT;
    case OUTLOOK_LATE:
        receive_raise_late(channel);
        return PYGEN_ERROR;
    default:
        // Asked for an answer, the session knows of no deadline.
        if (self->want.deadline_ms != SESSION_NEVER && net_now_ms() >= self->want.deadline_ms) {
            receive_raise_late(channel);
            return PYGEN_ERROR;
        }
        reads = read_on(self, &found);
        return reads < 0 ? PYGEN_ERROR : reads > 0 ? PYGEN_NEXT : wait_for_more(self, result);
    }
}

static bool is_time_to_give_way(channel_object *channel) {
    if (channel->taken++ % TURN_MESSAGES != 0)
        return false;
    int64_t now_ms = net_now_ms();
    bool gives_way = channel->taken != 1 && now_ms - channel->turn_ms >= TURN_MS;
    if (gives_way || channel->taken == 1)
        channel->turn_ms = now_ms;
    return gives_way;
}

// Whether one message may be taken before anything else is asked of the channel. -1 with an exception set.
static int may_take_at_once(awaiter *self) {
    channel_object *channel = self->channel;
    if (!self->want.once || self->begun || channel->loop == NULL || channel->closing)
        return 0;
    if (channel_check(channel) < 0 || channel_join_running_loop(channel) < 0)
        return -1;
    return 1;
}

static PySendResult answer(awaiter *self, PyObject **result) {
    channel_object *channel = self->channel;
    *result = NULL;
    if (origin_of(self)->ended)
        return end_iteration(self);
    int at_once = may_take_at_once(self);
    if (at_once < 0)
        return PYGEN_ERROR;
    for (;; at_once = 0) {
        if (iterates(self) && (origin_of(self)->begun || at_once) && !channel->closing) {
            if (channel_check(channel) < 0)
                return PYGEN_ERROR;
            bool pending = channel->raised != NULL;
            if (!pending && is_time_to_give_way(channel)) {
                Py_INCREF(Py_None);
                *result = Py_None; // as asyncio.sleep(0) does
                return PYGEN_NEXT;
            }
            if (!pending)
                *result = receive(channel, &self->want);
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

static PySendResult awaiter_send(PyObject *op, PyObject *value, PyObject **result) {
    awaiter *self = (awaiter *)op;
    (void)value;
    PySendResult sent = answer(self, result);
    if (sent != PYGEN_NEXT)
        self->is_out = false;
    return sent;
}

static PyObject *awaiter_anext(PyObject *op) {
    awaiter *self = (awaiter *)op;
    if (!self->is_out) {
        self->is_out = true;
        Py_INCREF(op);
        return op;
    }
    // As asyncio.gather() does, which would take one object twice for the same question.
    awaiter *other = new_awaiter(self->channel, &self->want);
    if (other != NULL) {
        other->origin = origin_of(self);
        Py_INCREF((PyObject *)other->origin);
    }
    return (PyObject *)other;
}

static PyObject *awaiter_self(PyObject *op) {
    Py_INCREF(op);
    return op;
}

// What __anext__() has returned is iterated over by some who await it; nobody has asked for that in a `for`.
static PyObject *awaiter_iter(PyObject *op) {
    const awaiter *self = (awaiter *)op;
    if (!iterates(self) || self->want.once || self->is_out || self->origin != NULL)
        return awaiter_self(op);
    PyErr_SetString(PyExc_TypeError, "messages are iterated over by `async for` here, not `for`");
    return NULL;
}

static PyObject *awaiter_throw(PyObject *op, PyObject *args) {
    channel_object *channel = ((awaiter *)op)->channel;
    ((awaiter *)op)->is_out = false;
    return channel_stop_waiting(channel->loop, channel->waiters, args);
}

// For those who do not know am_send, as CPython 3.12 and 3.13.
static PyObject *awaiter_next(PyObject *op) {
    awaiter *self = (awaiter *)op;
    PyObject *result = stop_next(self->channel->state, op, awaiter_send, &self->stop);
    if (result == NULL)
        self->is_out = false;
    return result;
}

PyObject *awaiter_new(channel_object *channel, const want *wanted) {
    return (PyObject *)new_awaiter(channel, wanted);
}

static int awaiter_traverse(PyObject *op, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(((awaiter *)op)->channel);
    Py_VISIT((PyObject *)((awaiter *)op)->origin);
    Py_VISIT(((awaiter *)op)->stop);
    return 0;
}

static void awaiter_dealloc(PyObject *op) {
    PyTypeObject *type = Py_TYPE(op);
    PyObject_GC_UnTrack(op);
    Py_CLEAR(((awaiter *)op)->channel);
    Py_XDECREF((PyObject *)((awaiter *)op)->origin);
    Py_XDECREF(((awaiter *)op)->stop);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(op);
    Py_DECREF(type);
}

// As a generator has it: a task that is cancelled calls it.
static PyMethodDef awaiter_methods[] = {
    {"throw", awaiter_throw, METH_VARARGS,
     "throw($self, type, value=None, traceback=None, /)\n--\n\nWait no longer, and raise it."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot awaiter_slots[] = {
    {Py_tp_doc, "An asynchronous iterator over a channel's messages, or something else to await."},
    {Py_tp_dealloc, awaiter_dealloc},
    {Py_tp_traverse, awaiter_traverse},
    {Py_tp_iter, awaiter_iter},
    {Py_tp_iternext, awaiter_next},
    {Py_tp_methods, awaiter_methods},
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
    return stop_prepare(state) < 0 ? -1 : module_add_type(module, &state->awaiter_type, &awaiter_spec);
}
