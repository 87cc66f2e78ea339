/* The types Merge and AsyncMerge: one iterator over many channels, for one thread at a time. */
#include "py/iterators/merge.h"

#include <pythread.h> // PyThread_type_lock

#include "py/channel/answer.h"
#include "py/channel/in_event_loop.h"
#include "py/channel/in_thread.h"
#include "py/channel/lock.h"
#include "py/channel/progress.h"
#include "py/channel/raised.h"
#include "py/channel/ready_line.h"
#include "py/channel/report.h"
#include "py/channel/take.h"
#include "py/exceptions.h"
#include "py/forks.h"
#include "py/iterators/receive.h"
#include "py/iterators/stop.h"
#include "py/loops/owner.h"
#include "py/wrong_type.h"

typedef struct merge_object {
    PyObject_HEAD module_state *state;
    // The channels that have not ended. Each points back to the line, without a reference.
    PyObject *channels;
    ready_line line;
    // The loop that all channels share; NULL for asyncio, where it is the event loop's.
    shared_loop *shared;
    // Held by the thread that is in next(), and which that is.
    PyThread_type_lock turn;
    atomic_ulong whose;
    // forks_seen() when it was made.
    unsigned long forks;
    // For asyncio: __anext__() was called.
    bool is_asked;
    // How long to wait for a message, in seconds; negative: as long as it takes.
    double timeout;
    // Messages taken.
    size_t taken;
    // Taking has let the network go on, where a queue was full: others may have got something, too.
    bool has_read;
    bool begun;
    // Some channel may ask for what it has not been given: it has just begun, or an exception was raised in
    // place of the answer.
    bool asks_again;
    Py_ssize_t asked_last;
} merge_object;

// For so many messages at most nobody looks whether other channels have got something, which another thread
// has read.
#define NEWS_MESSAGES 64

/* ---- Taking ---- */

// The exception that is set is this channel's.
static void name_channel(channel_object *channel) {
    set_aside raised = {0};
    PyErr_Fetch(&raised.type, &raised.value, &raised.traceback);
    PyErr_NormalizeException(&raised.type, &raised.value, &raised.traceback);
    // An exception that takes no attributes goes without.
    if (PyObject_SetAttr(raised.value, channel->state->names[NAME_CHANNEL], (PyObject *)channel) < 0)
        exception_set_aside(&raised);
    exception_resume(&raised);
}

// Where the channel stands among the others. By itself, and not by what a subclass holds for equal.
static Py_ssize_t index_of(merge_object *self, channel_object *channel) {
    Py_ssize_t index = PyList_Size(self->channels);
    while (index-- > 0 && PyList_GetItem(self->channels, index) != (PyObject *)channel)
        ;
    return index;
}

// The channel has ended: with an exception, which is then set and knows the channel (-1), or without (0).
// Where there is no memory to leave it out, it stays, to be dropped by the next call.
static int drop(merge_object *self, channel_object *channel) {
    Py_ssize_t index = index_of(self, channel);
    if (index >= 0 && PyList_SetSlice(self->channels, index, index + 1, NULL) < 0) {
        ready_line_push(&self->line, channel);
        return -1;
    }
    ready_line_leave(channel);
    int result = channel_raise_end(channel);
    if (result < 0)
        name_channel(channel);
    return result;
}

// A message of the channel with the channel; NULL without an exception when it has none.
static PyObject *take_from(merge_object *self, channel_object *channel) {
    bool may_resume = false;
    // Made before the message is taken, which would be lost where memory runs out.
    PyObject *pair = PyTuple_New(2);
    if (pair == NULL)
        return NULL;
    PyObject *message = channel->closing ? NULL : channel_take(channel, &may_resume);
    if (may_resume)
        channel_progress(channel);
    self->has_read |= may_resume;
    if (message == NULL) {
        Py_DECREF(pair);
        return NULL;
    }
    Py_INCREF((PyObject *)channel);
    bool placed = PyTuple_SetItem(pair, 0, (PyObject *)channel) == 0;
    if (PyTuple_SetItem(pair, 1, message) < 0 || !placed)
        Py_CLEAR(pair);
    return pair;
}

// The next message of whichever is first in line; NULL without an exception when nobody has any.
static PyObject *take(merge_object *self) {
    channel_object *channel;
    while ((channel = ready_line_pop(&self->line)) != NULL) {
        Py_INCREF((PyObject *)channel);
        PyObject *pair = take_from(self, channel);
        bool more = pair != NULL || PyErr_Occurred() != NULL;
        // Making the message may have run anything, another thread's drop() of this channel included.
        if (more && channel->line == &self->line) {
            ready_line_push(&self->line, channel);
        } else if (!more && channel_raise_pending(channel) < 0) {
            name_channel(channel);
            self->asks_again = more = true;
            if (channel->line == &self->line)
                ready_line_push(&self->line, channel); // it may have ended, too
        } else if (!more && channel->line == &self->line && channel_peek(channel, NULL).ended) {
            more = drop(self, channel) < 0;
        }
        Py_DECREF((PyObject *)channel);
        if (more)
            return pair;
    }
    return NULL;
}

// A forked child must not take what is its parent's.
static int check(const merge_object *self) {
    if (self->forks == forks_seen())
        return 0;
    exception_raise(self->state->channel_error,
                    "this iterator belongs to the process that forked this one: make a new one here");
    return -1;
}

/* ---- Without asyncio ---- */

// Move the channel's connections to the loop that all share.
static int join(merge_object *self, channel_object *channel) {
    shared_loop *last = channel_lock(channel);
    if (last == self->shared || last->driving) {
        shared_loop_unlock(last);
        if (last == self->shared)
            return 0;
        PyErr_SetString(PyExc_RuntimeError, "another thread is iterating over this channel");
        return -1;
    }
    channel_change_loop_unlock(channel, last, self->shared);
    shared_loop_lock_idle(self->shared);
    bool joined = net_channel_join(channel->net, self->shared->loop);
    shared_loop_unlock(self->shared);
    if (!joined) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

// What the session wants now; where another thread drives, it will (false).
static bool step(channel_object *channel) {
    shared_loop *shared = channel_lock(channel);
    bool steps = !shared->driving;
    if (steps)
        net_channel_step(channel->net);
    else
        shared_loop_step_soon_lock_held(shared, channel->net);
    shared_loop_unlock(shared);
    return steps;
}

static int begin_channel(merge_object *self, channel_object *channel) {
    if (channel_check_open(channel) < 0 || channel_refuse_waiting(channel) < 0)
        return -1;
    if (channel->is_async ? channel_join_running_loop(channel) < 0 : join(self, channel) < 0)
        return -1;
    if (channel_pursue(channel, &(want){.what = WANT_MESSAGE, .goal = GOAL_STREAM}) < 0)
        return -1;
    ready_line_push(&self->line, channel); // there may be something from before
    if (channel->is_async)
        return channel_step(channel);
    step(channel);
    return 0;
}

static int begin(merge_object *self) {
    if (self->begun)
        return 0;
    self->begun = true;
    int result = 0;
    for (Py_ssize_t i = 0; i < PyList_Size(self->channels) && result == 0; i++) {
        channel_object *channel = (channel_object *)PyList_GetItem(self->channels, i);
        Py_INCREF((PyObject *)channel); // a callable may have it dropped
        // A channel that was closed meanwhile is not to be begun, but to be dropped.
        if (channel->closing)
            ready_line_push(&self->line, channel);
        else
            result = begin_channel(self, channel);
        Py_DECREF((PyObject *)channel);
    }
    // All or none: the next call tries again.
    self->begun = result == 0;
    // With asyncio, a channel's first step has asked by itself.
    self->asks_again = self->begun && self->shared != NULL;
    return result;
}

static int answer(merge_object *self, channel_object *channel) {
    news found;
    int answered;
    while ((answered = channel_log_and_answer(channel, &found)) > 0)
        if (!step(channel))
            return 0; // until then it would ask the same again
    if (answered < 0) {
        name_channel(channel);
        self->asks_again = true;
    }
    return answered;
}

// Answer those who ask; whoever comes again after an exception wants it tried again, beginning with the
// channel behind the one that failed.
static int ask_again(merge_object *self) {
    int result = 0;
    self->asks_again = false;
    for (Py_ssize_t left = PyList_Size(self->channels); left > 0 && result == 0; left--) {
        Py_ssize_t count = PyList_Size(self->channels);
        if (count == 0)
            return 0;
        self->asked_last = (self->asked_last + 1) % count;
        channel_object *channel = (channel_object *)PyList_GetItem(self->channels, self->asked_last);
        Py_INCREF((PyObject *)channel);
        if (!channel->closing && channel->raised == NULL && !channel->awaits_answer &&
            channel_peek(channel, NULL).asks)
            result = channel->is_async ? channel_step(channel) : answer(self, channel);
        Py_DECREF((PyObject *)channel);
    }
    self->asks_again |= result < 0;
    return result;
}

// Answer the channels that something has happened to, and put them in line.
static int answer_news(merge_object *self) {
    for (;;) {
        shared_loop_lock(self->shared);
        // The last channel to be closed takes the loop with it.
        net_channel *with_news = self->shared->loop != NULL ? net_loop_take_news(self->shared->loop) : NULL;
        channel_object *channel = with_news != NULL ? (channel_object *)owner_of(with_news) : NULL;
        shared_loop_unlock(self->shared);
        if (with_news == NULL)
            return 0;
        if (channel == NULL)
            continue; // it is going
        int answered = answer(self, channel);
        if (channel->line == &self->line)
            ready_line_push(&self->line, channel);
        Py_DECREF((PyObject *)channel);
        if (answered < 0)
            return -1;
    }
}

static int64_t ms_left(int64_t deadline_ms) {
    int64_t left_ms = deadline_ms != SESSION_NEVER ? deadline_ms - net_now_ms() : SESSION_NEVER;
    return left_ms > 0 ? left_ms : 0;
}

// Wait for the network, with the GIL released.
static int wait_for_news(merge_object *self, int64_t max_ms) {
    Py_BEGIN_ALLOW_THREADS;
    pthread_mutex_lock(&self->shared->lock);
    shared_loop_turn_lock_held(self->shared, max_ms);
    pthread_mutex_unlock(&self->shared->lock);
    Py_END_ALLOW_THREADS;
    return PyErr_CheckSignals();
}

static void push_closed(merge_object *self) {
    if (!self->line.has_closed || !atomic_exchange(&self->line.has_closed, false))
        return;
    for (Py_ssize_t i = 0; i < PyList_Size(self->channels); i++) {
        channel_object *channel = (channel_object *)PyList_GetItem(self->channels, i);
        if (channel->closing)
            ready_line_push(&self->line, channel);
    }
}

static PyObject *next_in_turn(merge_object *self, int64_t deadline_ms) {
    bool looked = false;
    if (begin(self) < 0)
        return NULL;
    for (;;) {
        push_closed(self);
        // Channels that have got something must not wait until those in line have nothing more.
        bool looks = self->line.count == 0 || self->has_read || self->taken % NEWS_MESSAGES == 0;
        self->has_read = false;
        if (looks && answer_news(self) < 0)
            return NULL;
        PyObject *pair = take(self);
        self->taken += pair != NULL;
        if (pair != NULL || PyErr_Occurred() != NULL || PyList_Size(self->channels) == 0)
            return pair;
        // A channel that cannot be given what it asks for must not keep what the others have got.
        if (self->asks_again && looked && ask_again(self) < 0)
            return NULL;
        int64_t left_ms = ms_left(deadline_ms);
        // Even where there is no time left: who asks again and again without waiting has to get on.
        if (looked && left_ms == 0)
            return receive_raise_late_of_many(self->state);
        looked = true;
        int64_t slice_ms = self->asks_again ? 0 : SLICE_MS;
        if (wait_for_news(self, left_ms < slice_ms ? left_ms : slice_ms) < 0)
            return NULL;
    }
}

// One thread at a time; the others wait, and look for signals.
static int take_turn(merge_object *self, int64_t deadline_ms) {
    unsigned long me = PyThread_get_thread_ident();
    bool taken = PyThread_acquire_lock(self->turn, NOWAIT_LOCK);
    if (!taken && self->whose == me) {
        PyErr_SetString(PyExc_ValueError, "the iterator is being asked by this thread already");
        return -1;
    }
    while (!taken) {
        Py_BEGIN_ALLOW_THREADS;
        taken = PyThread_acquire_lock_timed(self->turn, SLICE_MS * 1000, 0) == PY_LOCK_ACQUIRED;
        Py_END_ALLOW_THREADS;
        if (!taken && PyErr_CheckSignals() < 0)
            return -1;
        if (!taken && ms_left(deadline_ms) == 0) {
            receive_raise_late_of_many(self->state);
            return -1;
        }
    }
    self->whose = me;
    return 0;
}

static PyObject *merge_next(PyObject *op) {
    merge_object *self = (merge_object *)op;
    int64_t deadline_ms = want_deadline_ms(self->timeout);
    // In a forked child, whoever had the turn may not be there.
    if (check(self) < 0 || take_turn(self, deadline_ms) < 0)
        return NULL;
    PyObject *pair = next_in_turn(self, deadline_ms);
    self->whose = 0;
    PyThread_release_lock(self->turn);
    return pair;
}

/* ---- With asyncio ---- */

static PySendResult merge_send(PyObject *op, PyObject *value, PyObject **result) {
    merge_object *self = (merge_object *)op;
    (void)value;
    *result = NULL;
    if (check(self) < 0 || begin(self) < 0 || (self->asks_again && ask_again(self) < 0))
        return PYGEN_ERROR;
    *result = take(self);
    if (*result != NULL)
        return PYGEN_RETURN;
    if (PyErr_Occurred() != NULL)
        return PYGEN_ERROR;
    if (PyList_Size(self->channels) == 0) {
        PyErr_SetNone(PyExc_StopAsyncIteration);
        return PYGEN_ERROR;
    }
    channel_object *any = (channel_object *)PyList_GetItem(self->channels, 0);
    Py_INCREF((PyObject *)any);
    if (channel_check(any) == 0 && channel_join_running_loop(any) == 0)
        *result = channel_wait_in_event_loop(any, &self->line.waiters);
    Py_DECREF((PyObject *)any);
    return *result != NULL ? PYGEN_NEXT : PYGEN_ERROR;
}

static PyObject *async_merge_next(PyObject *op) {
    return stop_next(((merge_object *)op)->state, op, merge_send, NULL);
}

static PyObject *async_merge_throw(PyObject *op, PyObject *args) {
    merge_object *self = (merge_object *)op;
    bool any = PyList_Size(self->channels) != 0;
    event_loop_object *loop = any ? ((channel_object *)PyList_GetItem(self->channels, 0))->loop : NULL;
    return channel_stop_waiting(loop, self->line.waiters, args);
}

/* ---- Begin and end ---- */

static PyObject *merge_self(PyObject *op) {
    Py_INCREF(op);
    return op;
}

static PyObject *async_merge_anext(PyObject *op) {
    ((merge_object *)op)->is_asked = true;
    return merge_self(op);
}

// What __anext__() has returned is iterated over by some who await it; nobody has asked for that in a `for`.
static PyObject *async_merge_iter(PyObject *op) {
    if (((merge_object *)op)->is_asked)
        return merge_self(op);
    PyErr_SetString(PyExc_TypeError, "aio.merge() is iterated over by `async for`, not `for`");
    return NULL;
}

static int take_channel(merge_object *self, PyObject *item, bool is_async) {
    if (!PyObject_TypeCheck(item, self->state->channel_type)) {
        raise_wrong_type("a channel", "is wanted", item);
        return -1;
    }
    channel_object *channel = (channel_object *)item;
    if (channel_check_open(channel) < 0)
        return -1;
    if (channel->is_async != is_async) {
        PyErr_SetString(PyExc_TypeError, is_async ? "gaechannel.aio's channels are wanted"
                                                  : "gaechannel.aio's channels are merged by aio.merge()");
        return -1;
    }
    if (!ready_line_enter(&self->line, channel)) {
        PyErr_SetString(PyExc_ValueError, "a channel is given twice, or is being merged already");
        return -1;
    }
    if (PyList_Append(self->channels, item) == 0)
        return 0;
    ready_line_leave(channel);
    return -1;
}

static PyObject *merge_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"channels", "timeout", NULL};
    PyObject *given;
    double timeout = -1;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|d:merge", names, &given, &timeout))
        return NULL;
    module_state *state = module_state_of_type(type);
    PyObject *channels = PySequence_List(given);
    if (state == NULL || channels == NULL) {
        Py_XDECREF(channels);
        return NULL;
    }
    bool is_async = type == state->async_merge_type;
    merge_object *self = (merge_object *)((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0);
    Py_ssize_t count = PyList_Size(channels);
    bool failed = self == NULL;
    if (!failed) {
        self->state = state;
        self->timeout = timeout;
        self->forks = forks_seen();
        self->turn = PyThread_allocate_lock();
        self->channels = PyList_New(0);
        self->shared = is_async ? NULL : shared_loop_new(true);
        failed = ready_line_init(&self->line, (size_t)count, is_async) < 0 || self->channels == NULL ||
                 self->turn == NULL || (!is_async && self->shared == NULL);
    }
    if (!failed && self->shared != NULL) {
        net_loop_wait_for_many(self->shared->loop);
        // A channel that has left its own loop, and finds no place in this one, would wait for ever.
        failed = !net_loop_reserve(self->shared->loop, (size_t)count);
    }
    for (Py_ssize_t i = 0; i < count && !failed; i++)
        failed = take_channel(self, PyList_GetItem(channels, i), is_async) < 0;
    Py_DECREF(channels);
    if (failed) {
        Py_XDECREF((PyObject *)self);
        return PyErr_Occurred() != NULL ? NULL : PyErr_NoMemory();
    }
    return (PyObject *)self;
}

static int merge_traverse(PyObject *op, visitproc visit, void *arg) {
    merge_object *self = (merge_object *)op;
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(self->channels);
    Py_VISIT(self->line.waiters);
    return 0;
}

static int merge_clear(PyObject *op) {
    merge_object *self = (merge_object *)op;
    self->line.count = 0; // at once, not one by one
    for (Py_ssize_t i = 0; self->channels != NULL && i < PyList_Size(self->channels); i++) {
        channel_object *channel = (channel_object *)PyList_GetItem(self->channels, i);
        if (channel->line == &self->line)
            ready_line_leave(channel);
    }
    Py_CLEAR(self->channels);
    return 0;
}

static void merge_dealloc(PyObject *op) {
    merge_object *self = (merge_object *)op;
    PyTypeObject *type = Py_TYPE(op);
    PyObject_GC_UnTrack(op);
    merge_clear(op);
    ready_line_free(&self->line);
    if (self->turn != NULL)
        PyThread_free_lock(self->turn);
    shared_loop_release(self->shared);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(op);
    Py_DECREF(type);
}

/* ---- The types ---- */

static PyType_Slot merge_slots[] = {
    {Py_tp_doc, "Merge(channels, timeout=-1)\n--\n\nAn iterator over (channel, message) of many channels."},
    {Py_tp_new, merge_new},
    {Py_tp_dealloc, merge_dealloc},
    {Py_tp_traverse, merge_traverse},
    {Py_tp_clear, merge_clear},
    {Py_tp_iter, merge_self},
    {Py_tp_iternext, merge_next},
    {0, NULL},
};

static PyMethodDef async_merge_methods[] = {
    {"throw", async_merge_throw, METH_VARARGS,
     "throw($self, type, value=None, traceback=None, /)\n--\n\nWait no longer, and raise it."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot async_merge_slots[] = {
    {Py_tp_doc, "AsyncMerge(channels, timeout=-1)\n--\n\nAn asynchronous iterator over (channel, message) of "
                "many channels."},
    {Py_tp_new, merge_new},
    {Py_tp_dealloc, merge_dealloc},
    {Py_tp_traverse, merge_traverse},
    {Py_tp_clear, merge_clear},
    {Py_tp_iter, async_merge_iter},
    {Py_tp_iternext, async_merge_next},
    {Py_tp_methods, async_merge_methods},
    {Py_am_aiter, merge_self},
    {Py_am_anext, async_merge_anext},
    {Py_am_await, merge_self},
    {Py_am_send, merge_send},
    {0, NULL},
};

#define MERGE_FLAGS (Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE)

static PyType_Spec merge_spec = {"gaechannel._core.Merge", sizeof(merge_object), 0, MERGE_FLAGS, merge_slots};
static PyType_Spec async_merge_spec = {"gaechannel._core.AsyncMerge", sizeof(merge_object), 0, MERGE_FLAGS,
                                       async_merge_slots};

int merge_add_types(PyObject *module, module_state *state) {
    if (module_add_type(module, &state->merge_type, &merge_spec) < 0)
        return -1;
    return module_add_type(module, &state->async_merge_type, &async_merge_spec);
}
