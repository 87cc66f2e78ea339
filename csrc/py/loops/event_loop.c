/* The type EventLoop: one libcurl multi handle for all channels of an event loop, driven by its readers and
 * timers. */
#include "py/loops/event_loop.h"

#include <stdlib.h> // realloc()

#include "py/exceptions.h"
#include "py/loops/owner.h"
#include "py/loops/watch.h"

struct event_loop_object {
    PyObject_HEAD module_state *state;
    shared_loop *shared;
    watch watch;
    // Told the owner of each channel that has something for it.
    event_loop_on_news *on_news;
    // The set of futures that somebody waits for.
    PyObject *kept;
    // event_loop_update() is under way.
    bool updating;
    // How often event_loop_read_on() has looked since the event loop last did.
    int reads_on;
    // A channel is about to join: until then, the garbage collector may find that there is none.
    bool joining;
    // Meanwhile, a channel has left.
    bool may_be_empty;
    // The thread that the event loop runs in: only there may it be told anything.
    atomic_ulong thread;
    // Channels that went in another thread, to be freed in this one. Guarded by the lock.
    net_channel **to_free;
    size_t to_free_count;
    size_t to_free_capacity;
    PyObject *free_now;
};

/* ---- Telling the event loop ---- */

// The owner of a channel that has something for it, a new reference; or NULL, and when the net loop wants to
// be called.
static PyObject *take_news(event_loop_object *self, int64_t *timer_ms) {
    PyObject *owner = NULL;
    net_channel *channel;
    shared_loop_lock(self->shared);
    // A channel without an owner is going.
    while ((channel = net_loop_take_news(self->shared->loop)) != NULL && (owner = owner_of(channel)) == NULL)
        ;
    *timer_ms = net_loop_timer_ms(self->shared->loop);
    shared_loop_unlock(self->shared);
    return owner;
}

// Set the timer, after what has failed, too, and if that fails (memory runs out for a moment), once more:
// without it all channels of the event loop would stand still.
static void set_timer(event_loop_object *self, int64_t timer_ms, set_aside *failed) {
    for (int tries = 0; tries < 2 && watch_set_timer(&self->watch, timer_ms) < 0; tries++)
        exception_set_aside(failed);
}

int event_loop_update(event_loop_object *self) {
    // What the owners do may lead here again: the outermost call finishes it all.
    if (self->updating || self->shared->loop == NULL)
        return 0;
    self->updating = true;
    int64_t timer_ms;
    int told = 0;
    set_aside failed = {0};
    do {
        PyObject *owner;
        while ((owner = take_news(self, &timer_ms)) != NULL) {
            if (self->on_news(owner) < 0)
                exception_set_aside(&failed);
            Py_DECREF(owner);
        }
        told = watch_tell(&self->watch);
    } while (told == 0 && watch_has_to_tell(&self->watch));
    if (told < 0)
        exception_set_aside(&failed);
    set_timer(self, timer_ms, &failed);
    self->updating = false;
    if (self->may_be_empty && event_loop_shut_if_empty(self) < 0)
        exception_set_aside(&failed);
    return exception_resume(&failed);
}

int event_loop_forgive_closed(const event_loop_object *self) {
    return watch_forgive_closed(&self->watch);
}

/* ---- Being called by the event loop ---- */

// What has happened, instead of a socket's number.
#define TIMER (-1)
#define READY (-2)

static int act(event_loop_object *self, int socket, int events) {
    shared_loop *shared = self->shared;
    self->thread = PyThread_get_thread_ident();
    Py_BEGIN_ALLOW_THREADS;
    pthread_mutex_lock(&shared->lock);
    if (shared->loop == NULL)
        ; // the last channel has gone
    else if (socket == TIMER)
        net_loop_on_timer(shared->loop);
    else if (socket == READY)
        net_loop_on_ready(shared->loop);
    else
        net_loop_on_socket(shared->loop, socket, events);
    pthread_mutex_unlock(&shared->lock);
    Py_END_ALLOW_THREADS;
    return event_loop_update(self);
}

// So many times a turn, so that who is sent as much as it can take keeps others waiting no longer than that.
#define MOST_READS_ON 2

int event_loop_read_on(event_loop_object *self) {
    if (self->reads_on >= MOST_READS_ON || !watch_has_descriptor(&self->watch))
        return 0;
    self->reads_on++;
    Py_INCREF((PyObject *)self); // what the channels' owners do may let go of it
    int result = act(self, READY, 0) < 0 ? -1 : 1;
    Py_DECREF((PyObject *)self);
    return result;
}

static PyObject *have_turn(event_loop_object *self, int socket, int events) {
    self->reads_on = 0;
    if (act(self, socket, events) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *act_on(PyObject *self, PyObject *socket, int events) {
    long number = PyLong_AsLong(socket);
    if (number == -1 && PyErr_Occurred() != NULL)
        return NULL;
    return have_turn((event_loop_object *)self, (int)number, events);
}

static PyObject *event_loop_on_read(PyObject *self, PyObject *socket) {
    return act_on(self, socket, CURL_CSELECT_IN);
}

static PyObject *event_loop_on_write(PyObject *self, PyObject *socket) {
    return act_on(self, socket, CURL_CSELECT_OUT);
}

static PyObject *event_loop_on_ready(PyObject *self, PyObject *unused) {
    (void)unused;
    return have_turn((event_loop_object *)self, READY, 0);
}

static PyObject *event_loop_on_timer(PyObject *op, PyObject *unused) {
    event_loop_object *self = (event_loop_object *)op;
    (void)unused;
    watch_timer_has_run(&self->watch);
    if (!watch_puts_off(&self->watch))
        return have_turn(self, TIMER, 0);
    set_aside failed = {0};
    set_timer(self, net_now_ms() + 1, &failed); // not at once, or it would come before what the sockets say
    if (exception_resume(&failed) < 0)
        return NULL;
    Py_RETURN_NONE;
}

/* ---- Channels come and go ---- */

shared_loop *event_loop_shared(event_loop_object *self, event_loop_on_news *on_news) {
    shared_loop *shared = self->shared;
    self->joining = true;
    self->on_news = on_news;
    if (shared->loop != NULL)
        return shared;
    shared->loop = net_loop_new();
    if (shared->loop == NULL)
        PyErr_NoMemory();
    else if (watch_begin(&self->watch, shared->loop) == 0)
        return shared;
    shared_loop_shut_lock_held(shared);
    self->joining = false;
    return NULL;
}

int event_loop_joined(event_loop_object *self) {
    self->joining = false;
    return event_loop_shut_if_empty(self);
}

PyObject *event_loop_of_asyncio(event_loop_object *self) {
    return self->watch.event_loop;
}

PyObject *const *event_loop_names(const event_loop_object *self) {
    return self->state->names;
}

int event_loop_keep_future(event_loop_object *self, PyObject *future) {
    return PySet_Add(self->kept, future);
}

int event_loop_release_future(event_loop_object *self, PyObject *future) {
    return self->kept != NULL && PySet_Discard(self->kept, future) < 0 ? -1 : 0;
}

int event_loop_shut_if_empty(event_loop_object *self) {
    // Then the loop ends when that does, or with the object.
    self->may_be_empty = self->updating || self->joining;
    if (self->may_be_empty)
        return 0;
    shared_loop_lock(self->shared);
    bool empty = self->shared->loop != NULL && net_loop_channel_after(self->shared->loop, NULL) == NULL;
    shared_loop_unlock(self->shared);
    if (!empty)
        return 0;
    set_aside failed = {0};
    // Before the descriptors are closed: their numbers may be others' at once.
    if (watch_end(&self->watch) < 0)
        exception_set_aside(&failed);
    shared_loop_lock(self->shared);
    shared_loop_shut_lock_held(self->shared);
    shared_loop_unlock(self->shared);
    if (watch_end(&self->watch) < 0) // what closing had to say of them
        exception_set_aside(&failed);
    return exception_resume(&failed);
}

/* ---- Channels that go in another thread ---- */

bool event_loop_is_here(const event_loop_object *self) {
    return self->thread == PyThread_get_thread_ident();
}

static void free_waiting(event_loop_object *self) {
    if (shared_loop_is_parents(self->shared))
        return;
    shared_loop_lock(self->shared);
    while (self->to_free_count != 0)
        net_channel_free(self->to_free[--self->to_free_count]);
    free(self->to_free);
    self->to_free = NULL;
    self->to_free_capacity = 0;
    shared_loop_unlock(self->shared);
}

static PyObject *event_loop_free_now(PyObject *op, PyObject *unused) {
    event_loop_object *self = (event_loop_object *)op;
    (void)unused;
    set_aside failed = {0};
    free_waiting(self);
    if (event_loop_update(self) < 0)
        exception_set_aside(&failed);
    if (event_loop_shut_if_empty(self) < 0)
        exception_set_aside(&failed);
    if (exception_resume(&failed) < 0)
        return NULL;
    Py_RETURN_NONE;
}

// Have the event loop free what waits for that. Nobody can be given an exception here: if one comes (a
// signal's handler runs in any Python code), it is written, and the event loop is asked once more.
static void ask_to_free(event_loop_object *self) {
    PyObject *done = NULL;
    for (int tries = 0; tries < 2 && done == NULL; tries++) {
        done = PyObject_CallMethodObjArgs(
            self->watch.event_loop, self->state->names[NAME_CALL_SOON_THREADSAFE], self->free_now, NULL);
        if (done == NULL && watch_forgive_closed(&self->watch) == 0) {
            free_waiting(self);
            return;
        }
        if (done == NULL)
            PyErr_WriteUnraisable(self->free_now);
    }
    Py_XDECREF(done);
}

bool event_loop_free_later(event_loop_object *self, net_channel *channel) {
    shared_loop_lock(self->shared);
    if (self->to_free_count == self->to_free_capacity) {
        size_t capacity = self->to_free_capacity ? self->to_free_capacity * 2 : 4;
        net_channel **to_free = realloc(self->to_free, capacity * sizeof(net_channel *));
        if (to_free == NULL) {
            shared_loop_unlock(self->shared);
            return false;
        }
        self->to_free = to_free;
        self->to_free_capacity = capacity;
    }
    self->to_free[self->to_free_count++] = channel;
    shared_loop_unlock(self->shared);
    ask_to_free(self);
    return true;
}

/* ---- Begin and end ---- */

static PyObject *event_loop_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"event_loop", "watches_sockets", NULL};
    PyObject *event_loop;
    int watches_sockets = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|p:EventLoop", names, &event_loop, &watches_sockets))
        return NULL;
    PyObject *op = ((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0);
    event_loop_object *self = (event_loop_object *)op;
    if (self == NULL)
        return NULL;
    self->thread = PyThread_get_thread_ident();
    if ((self->state = module_state_of_type(type)) == NULL ||
        (self->shared = shared_loop_new(false)) == NULL || (self->kept = PySet_New(NULL)) == NULL ||
        watch_init(&self->watch, op, event_loop, self->state->names, watches_sockets) < 0 ||
        (self->free_now = PyObject_GetAttrString(op, "_free_now")) == NULL)
        Py_CLEAR(op);
    return op;
}

static int event_loop_traverse(PyObject *op, visitproc visit, void *arg) {
    event_loop_object *self = (event_loop_object *)op;
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(self->free_now);
    Py_VISIT(self->kept);
    return watch_traverse(&self->watch, visit, arg);
}

static int event_loop_clear(PyObject *op) {
    event_loop_object *self = (event_loop_object *)op;
    Py_CLEAR(self->free_now);
    Py_CLEAR(self->kept);
    watch_clear(&self->watch);
    return 0;
}

static void event_loop_dealloc(PyObject *op) {
    event_loop_object *self = (event_loop_object *)op;
    PyTypeObject *type = Py_TYPE(op);
    PyObject_GC_UnTrack(op);
    event_loop_clear(op);
    if (self->shared != NULL)
        free_waiting(self);
    shared_loop_release(self->shared);
    watch_free(&self->watch);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(op);
    Py_DECREF(type);
}

static PyObject *event_loop_get_of_asyncio(PyObject *op, void *unused) {
    PyObject *event_loop = ((event_loop_object *)op)->watch.event_loop;
    (void)unused;
    if (event_loop == NULL)
        Py_RETURN_NONE;
    Py_INCREF(event_loop);
    return event_loop;
}

static PyMethodDef event_loop_methods[] = {
    {"_on_ready", event_loop_on_ready, METH_NOARGS, "_on_ready($self, /)\n--\n\nSome sockets are ready."},
    {"_on_read", event_loop_on_read, METH_O, "_on_read($self, fd, /)\n--\n\nThe socket can be read."},
    {"_on_write", event_loop_on_write, METH_O, "_on_write($self, fd, /)\n--\n\nThe socket can be written."},
    {"_on_timer", event_loop_on_timer, METH_NOARGS, "_on_timer($self, /)\n--\n\nThe time has come."},
    {"_free_now", event_loop_free_now, METH_NOARGS,
     "_free_now($self, /)\n--\n\nFree what went in another thread."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef event_loop_getset[] = {
    {"event_loop", event_loop_get_of_asyncio, NULL, "The event loop that drives it.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot event_loop_slots[] = {
    {Py_tp_doc,
     "EventLoop(event_loop, watches_sockets=False)\n--\n\nWhat all channels of an event loop share. The "
     "event "
     "loop watches one descriptor, or, where the system offers none or when told so, every socket."},
    {Py_tp_new, event_loop_new},
    {Py_tp_dealloc, event_loop_dealloc},
    {Py_tp_traverse, event_loop_traverse},
    {Py_tp_clear, event_loop_clear},
    {Py_tp_methods, event_loop_methods},
    {Py_tp_getset, event_loop_getset},
    {0, NULL},
};

static PyType_Spec event_loop_spec = {"gaechannel._core.EventLoop", sizeof(event_loop_object), 0,
                                      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC |
                                          Py_TPFLAGS_IMMUTABLETYPE,
                                      event_loop_slots};

int event_loop_add_type(PyObject *module, module_state *state) {
    return module_add_type(module, &state->event_loop_type, &event_loop_spec);
}
