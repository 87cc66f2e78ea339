/* The type Loop: one libcurl multi handle for all channels of an event loop, driven by its readers and
 * timers.
 *
 * While libcurl works, the GIL is released: what it wants watched is noted down, and the event loop is told
 * after. */
#include "py/loops/event_loop.h"

#include <stdlib.h> // realloc()
#include <string.h> // memset()

// What libcurl wants of a socket, in the order in which it said so: a number may be closed and used again.
typedef struct change {
    int socket;
    int events;
} change;

struct loop_object {
    PyObject_HEAD module_state *state;
    driver *driver;
    PyObject *event_loop;
    // Bound methods, made once.
    PyObject *on_ready;
    PyObject *on_read;
    PyObject *on_write;
    PyObject *on_timer;
    // The set of futures that somebody waits for.
    PyObject *held;
    // The timer that is set, and for when.
    PyObject *timer;
    int64_t timer_ms;
    change *changes;
    size_t change_count;
    size_t change_capacity;
    // The one descriptor that stands for all sockets; -1 where the event loop watches them itself.
    int descriptor;
    bool watches_sockets;
    // What the event loop watches: events by socket.
    unsigned char *watched;
    size_t watched_size;
    // Notes that could not be kept for want of memory.
    bool lost_changes;
    // settle() is under way.
    bool settling;
    // A channel is about to join: until then, the garbage collector may find that there is none.
    bool joining;
    // The thread that the event loop runs in: only there may it be told anything.
    atomic_ulong thread;
    // Channels that went in another thread, to be freed in this one. Guarded by the driver's lock.
    net_channel **dead;
    size_t dead_count;
    size_t dead_capacity;
    PyObject *reap;
};

/* ---- Noting down ---- */

static void note_change(void *context, curl_socket_t socket, int events) {
    loop_object *self = context;
    if (self->change_count == self->change_capacity) {
        size_t capacity = self->change_capacity ? self->change_capacity * 2 : 16;
        change *changes = realloc(self->changes, capacity * sizeof *changes);
        if (changes == NULL) {
            self->lost_changes = true;
            return;
        }
        self->changes = changes;
        self->change_capacity = capacity;
    }
    self->changes[self->change_count++] = (change){(int)socket, events};
}

/* ---- Telling the event loop ---- */

static int watch(loop_object *self, const char *method, int socket, PyObject *callback) {
    PyObject *done = callback != NULL
                         ? PyObject_CallMethod(self->event_loop, method, "iOi", socket, callback, socket)
                         : PyObject_CallMethod(self->event_loop, method, "i", socket);
    Py_XDECREF(done);
    return done != NULL ? 0 : -1;
}

static bool make_room_to_watch(loop_object *self, size_t socket) {
    if (socket < self->watched_size)
        return true;
    size_t size = self->watched_size ? self->watched_size : 64;
    while (size <= socket)
        size *= 2;
    unsigned char *watched = realloc(self->watched, size);
    if (watched == NULL)
        return false;
    memset(watched + self->watched_size, 0, size - self->watched_size);
    self->watched = watched;
    self->watched_size = size;
    return true;
}

static int apply_change(loop_object *self, change wanted) {
    if (wanted.socket < 0 || !make_room_to_watch(self, (size_t)wanted.socket)) {
        PyErr_NoMemory();
        return -1;
    }
    int had = self->watched[wanted.socket];
    int gained = wanted.events & ~had;
    int lost = had & ~wanted.events;
    self->watched[wanted.socket] = (unsigned char)wanted.events;
    if ((lost & CURL_POLL_IN) && watch(self, "remove_reader", wanted.socket, NULL) < 0)
        return -1;
    if ((lost & CURL_POLL_OUT) && watch(self, "remove_writer", wanted.socket, NULL) < 0)
        return -1;
    if ((gained & CURL_POLL_IN) && watch(self, "add_reader", wanted.socket, self->on_read) < 0)
        return -1;
    if ((gained & CURL_POLL_OUT) && watch(self, "add_writer", wanted.socket, self->on_write) < 0)
        return -1;
    return 0;
}

static int apply_changes(loop_object *self) {
    size_t done = 0;
    while (done < self->change_count && apply_change(self, self->changes[done]) == 0)
        done++;
    if (done < self->change_count) {
        // The others are not to be forgotten: they are applied with the next.
        self->change_count -= ++done;
        memmove(self->changes, self->changes + done, self->change_count * sizeof *self->changes);
        return -1;
    }
    self->change_count = 0;
    if (!self->lost_changes)
        return 0;
    self->lost_changes = false;
    PyErr_NoMemory();
    return -1;
}

static int cancel_timer(loop_object *self) {
    if (self->timer == NULL)
        return 0;
    PyObject *done = PyObject_CallMethod(self->timer, "cancel", NULL);
    Py_CLEAR(self->timer);
    Py_XDECREF(done);
    return done != NULL ? 0 : -1;
}

// A timer that comes too early does no harm, and is not worth cancelling.
static int set_timer(loop_object *self) {
    driver_lock(self->driver);
    int64_t at_ms = net_loop_timer_ms(self->driver->loop);
    driver_unlock(self->driver);
    if (at_ms == SESSION_NEVER || (self->timer != NULL && self->timer_ms <= at_ms))
        return 0;
    if (cancel_timer(self) < 0)
        return -1;
    int64_t in_ms = at_ms - net_now_ms();
    self->timer_ms = at_ms;
    if (in_ms <= 0)
        self->timer = PyObject_CallMethod(self->event_loop, "call_soon", "O", self->on_timer);
    else
        self->timer =
            PyObject_CallMethod(self->event_loop, "call_later", "dO", (double)in_ms / 1000.0, self->on_timer);
    return self->timer != NULL ? 0 : -1;
}

// Hand each channel that has something for its owner to its owner.
static void notify_channels(loop_object *self) {
    for (;;) {
        driver_lock(self->driver);
        net_channel *dirty = net_loop_take_dirty(self->driver->loop);
        PyObject *owner = dirty != NULL ? net_channel_owner(dirty) : NULL;
        Py_XINCREF(owner);
        driver_unlock(self->driver);
        if (dirty == NULL)
            return;
        if (owner != NULL) // otherwise the channel is going
            channel_notify((channel_object *)owner);
        Py_XDECREF(owner);
    }
}

int loop_settle(loop_object *self) {
    // What the owners do may lead here again: the outermost call finishes it all.
    if (self->settling || self->driver->loop == NULL)
        return 0;
    self->settling = true;
    int result = 0;
    do {
        notify_channels(self);
        result = apply_changes(self);
    } while (result == 0 && self->change_count != 0);
    if (result == 0)
        result = set_timer(self);
    self->settling = false;
    loop_shut_if_empty(self); // the last channel may have gone meanwhile
    return result;
}

/* ---- Being called by the event loop ---- */

// What has happened, instead of a socket's number.
#define TIMER (-1)
#define READY (-2)

static PyObject *act(loop_object *self, int socket, int events) {
    driver *shared = self->driver;
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
    if (loop_settle(self) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *act_on(PyObject *self, PyObject *socket, int events) {
    long number = PyLong_AsLong(socket);
    if (number == -1 && PyErr_Occurred() != NULL)
        return NULL;
    return act((loop_object *)self, (int)number, events);
}

static PyObject *loop_on_read(PyObject *self, PyObject *socket) {
    return act_on(self, socket, CURL_CSELECT_IN);
}

static PyObject *loop_on_write(PyObject *self, PyObject *socket) {
    return act_on(self, socket, CURL_CSELECT_OUT);
}

static PyObject *loop_on_ready(PyObject *self, PyObject *unused) {
    (void)unused;
    return act((loop_object *)self, READY, 0);
}

static PyObject *loop_on_timer(PyObject *op, PyObject *unused) {
    loop_object *self = (loop_object *)op;
    (void)unused;
    Py_CLEAR(self->timer); // it has run
    return act(self, TIMER, 0);
}

/* ---- Channels come and go ---- */

// Have the event loop watch one descriptor, or be told of every socket.
static int begin_to_watch(loop_object *self) {
    net_watcher watcher = {.context = self, .socket = note_change};
    self->descriptor = self->watches_sockets ? -1 : net_loop_descriptor(self->driver->loop);
    if (self->descriptor < 0) {
        net_loop_watch(self->driver->loop, &watcher);
        return 0;
    }
    PyObject *done =
        PyObject_CallMethod(self->event_loop, "add_reader", "iO", self->descriptor, self->on_ready);
    Py_XDECREF(done);
    return done != NULL ? 0 : -1;
}

driver *loop_driver(loop_object *self) {
    driver *shared = self->driver;
    self->joining = true;
    if (shared->loop != NULL)
        return shared;
    shared->loop = net_loop_new();
    if (shared->loop == NULL)
        PyErr_NoMemory();
    else if (begin_to_watch(self) == 0)
        return shared;
    driver_shut_lock_held(shared);
    self->joining = false;
    return NULL;
}

void loop_joined(loop_object *self) {
    self->joining = false;
    loop_shut_if_empty(self);
}

PyObject *loop_event_loop(loop_object *self) {
    return self->event_loop;
}

int loop_hold(loop_object *self, PyObject *future) {
    return PySet_Add(self->held, future);
}

void loop_let_go(loop_object *self, PyObject *future) {
    if (self->held != NULL && PySet_Discard(self->held, future) < 0)
        PyErr_Clear();
}

// Forget everything that is watched. Errors are of no interest: the event loop may be closed.
static void unwatch(loop_object *self) {
    self->change_count = 0;
    if (self->descriptor >= 0 && watch(self, "remove_reader", self->descriptor, NULL) < 0)
        PyErr_Clear();
    self->descriptor = -1;
    for (size_t socket = 0; socket < self->watched_size; socket++)
        if (self->watched[socket] != 0 && apply_change(self, (change){(int)socket, 0}) < 0)
            PyErr_Clear();
    if (cancel_timer(self) < 0)
        PyErr_Clear();
}

void loop_shut_if_empty(loop_object *self) {
    if (self->settling || self->joining)
        return; // it ends when that does, or with the object
    driver_lock(self->driver);
    bool empty = self->driver->loop != NULL && net_loop_channel_after(self->driver->loop, NULL) == NULL;
    driver_unlock(self->driver);
    if (!empty)
        return;
    // Before the descriptors are closed: their numbers may be others' at once.
    unwatch(self);
    driver_lock(self->driver);
    driver_shut_lock_held(self->driver);
    driver_unlock(self->driver);
    unwatch(self); // what closing had to say of them
}

/* ---- Channels that go in another thread ---- */

bool loop_is_here(const loop_object *self) {
    return self->thread == PyThread_get_thread_ident();
}

static void free_dead(loop_object *self) {
    driver_lock(self->driver);
    while (self->dead_count != 0)
        net_channel_free(self->dead[--self->dead_count]);
    free(self->dead);
    self->dead = NULL;
    self->dead_capacity = 0;
    driver_unlock(self->driver);
}

static PyObject *loop_reap(PyObject *op, PyObject *unused) {
    loop_object *self = (loop_object *)op;
    (void)unused;
    free_dead(self);
    if (loop_settle(self) < 0)
        return NULL;
    Py_RETURN_NONE;
}

bool loop_bury(loop_object *self, net_channel *channel) {
    driver_lock(self->driver);
    if (self->dead_count == self->dead_capacity) {
        size_t capacity = self->dead_capacity ? self->dead_capacity * 2 : 4;
        net_channel **dead = realloc(self->dead, capacity * sizeof(net_channel *));
        if (dead == NULL) {
            driver_unlock(self->driver);
            return false;
        }
        self->dead = dead;
        self->dead_capacity = capacity;
    }
    self->dead[self->dead_count++] = channel;
    driver_unlock(self->driver);
    PyObject *done = PyObject_CallMethod(self->event_loop, "call_soon_threadsafe", "O", self->reap);
    if (done == NULL) {
        PyErr_Clear(); // the event loop is closed: it is driven by no thread
        free_dead(self);
    }
    Py_XDECREF(done);
    return true;
}

/* ---- Begin and end ---- */

static int loop_init(PyObject *op, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"event_loop", "watches_sockets", NULL};
    loop_object *self = (loop_object *)op;
    PyObject *event_loop;
    int watches_sockets = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|p:Loop", names, &event_loop, &watches_sockets))
        return -1;
    if (self->driver != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "__init__() was called twice");
        return -1;
    }
    self->state = module_state_of_type(Py_TYPE(op));
    self->descriptor = -1;
    self->watches_sockets = watches_sockets;
    if (self->state == NULL || (self->on_ready = PyObject_GetAttrString(op, "_on_ready")) == NULL ||
        (self->on_read = PyObject_GetAttrString(op, "_on_read")) == NULL ||
        (self->on_write = PyObject_GetAttrString(op, "_on_write")) == NULL ||
        (self->on_timer = PyObject_GetAttrString(op, "_on_timer")) == NULL ||
        (self->reap = PyObject_GetAttrString(op, "_reap")) == NULL || (self->held = PySet_New(NULL)) == NULL)
        return -1;
    self->thread = PyThread_get_thread_ident();
    Py_INCREF(event_loop);
    self->event_loop = event_loop;
    self->driver = driver_new(false);
    return self->driver != NULL ? 0 : -1;
}

static int loop_traverse(PyObject *op, visitproc visit, void *arg) {
    loop_object *self = (loop_object *)op;
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(self->event_loop);
    Py_VISIT(self->on_ready);
    Py_VISIT(self->on_read);
    Py_VISIT(self->on_write);
    Py_VISIT(self->on_timer);
    Py_VISIT(self->reap);
    Py_VISIT(self->held);
    Py_VISIT(self->timer);
    return 0;
}

static int loop_clear(PyObject *op) {
    loop_object *self = (loop_object *)op;
    Py_CLEAR(self->on_ready);
    Py_CLEAR(self->on_read);
    Py_CLEAR(self->on_write);
    Py_CLEAR(self->on_timer);
    Py_CLEAR(self->reap);
    Py_CLEAR(self->held);
    Py_CLEAR(self->timer);
    Py_CLEAR(self->event_loop);
    return 0;
}

static void loop_dealloc(PyObject *op) {
    loop_object *self = (loop_object *)op;
    PyTypeObject *type = Py_TYPE(op);
    PyObject_GC_UnTrack(op);
    loop_clear(op);
    if (self->driver != NULL)
        free_dead(self);
    driver_release(self->driver);
    free(self->changes);
    free(self->watched);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(op);
    Py_DECREF(type);
}

static PyObject *loop_get_event_loop(PyObject *op, void *unused) {
    PyObject *event_loop = ((loop_object *)op)->event_loop;
    (void)unused;
    if (event_loop == NULL)
        Py_RETURN_NONE;
    Py_INCREF(event_loop);
    return event_loop;
}

static PyMethodDef loop_methods[] = {
    {"_on_ready", loop_on_ready, METH_NOARGS, "_on_ready($self, /)\n--\n\nSome sockets are ready."},
    {"_on_read", loop_on_read, METH_O, "_on_read($self, fd, /)\n--\n\nThe socket can be read."},
    {"_on_write", loop_on_write, METH_O, "_on_write($self, fd, /)\n--\n\nThe socket can be written."},
    {"_on_timer", loop_on_timer, METH_NOARGS, "_on_timer($self, /)\n--\n\nThe time has come."},
    {"_reap", loop_reap, METH_NOARGS, "_reap($self, /)\n--\n\nFree what went in another thread."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef loop_getset[] = {
    {"event_loop", loop_get_event_loop, NULL, "The event loop that drives it.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot loop_slots[] = {
    {Py_tp_doc,
     "Loop(event_loop, watches_sockets=False)\n--\n\nWhat all channels of an event loop share. The event "
     "loop watches one descriptor, or, where the system offers none or when told so, every socket."},
    {Py_tp_init, loop_init},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_dealloc, loop_dealloc},
    {Py_tp_traverse, loop_traverse},
    {Py_tp_clear, loop_clear},
    {Py_tp_methods, loop_methods},
    {Py_tp_getset, loop_getset},
    {0, NULL},
};

static PyType_Spec loop_spec = {
    "gaechannel._core.Loop", sizeof(loop_object), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE, loop_slots};

int loop_add_type(PyObject *module, module_state *state) {
    return module_add_type(module, &state->loop_type, &loop_spec);
}
