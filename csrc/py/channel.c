/* The type Channel: a session, its connections, and the lock around them. The Python classes derive from it.
 */
#include "py/channel_type.h"

#include <stdint.h> // uintptr_t
#include <time.h>   // clock_gettime()
#include <unistd.h> // getpid()

#include "py/loops/event_loop.h"
#include "py/options.h"
#include "py/ready_line.h"

// How long close() may take to tell the server, in ms. In the talk dialect that is a courtesy, which the old
// module did not know: whoever closes should hardly notice.
#define CLOSE_MS 1000
#define COURTESY_MS 50

// How many bytes of buffers an idle channel keeps.
#define KEEP_BYTES (128 * 1024)

/* ---- Begin ---- */

static uint64_t make_seed(const void *self) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t seed = (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
    return (seed ^ ((uint64_t)(uintptr_t)self << 16) ^ (uint64_t)(unsigned)getpid()) *
           UINT64_C(0x9E3779B97F4A7C15);
}

static int add_secrets(session *session_, PyObject *secrets) {
    Py_ssize_t count = secrets != NULL ? PySequence_Size(secrets) : 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *secret = PySequence_GetItem(secrets, i);
        Py_ssize_t length;
        const char *text = secret != NULL ? PyUnicode_AsUTF8AndSize(secret, &length) : NULL;
        if (text != NULL)
            session_add_secret(session_, text, (size_t)length);
        Py_XDECREF(secret);
        if (text == NULL)
            return -1;
    }
    return count < 0 ? -1 : 0;
}

// A session with what `given` says; NULL with an exception set.
static session *make_session(const channel_options *given) {
    session *made = session_new(&given->session);
    if (made == NULL || !session_set(made, FIELD_TOKEN, given->token) ||
        !session_set(made, FIELD_PARAMS, given->params) ||
        !session_set(made, FIELD_OPEN_FORM, given->open_form) ||
        !session_set(made, FIELD_INIT_HEADERS, given->init_headers)) {
        session_free(made);
        PyErr_NoMemory();
        return NULL;
    }
    session_set_asks_token(made, given->token_source != NULL);
    if (add_secrets(made, given->secrets) == 0)
        return made;
    session_free(made);
    return NULL;
}

static int channel_init(PyObject *op, PyObject *args, PyObject *kwargs) {
    channel_object *self = (channel_object *)op;
    channel_options given = {.session.seed = make_seed(self)};
    if (self->driver != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "__init__() was called twice");
        return -1;
    }
    if (channel_options_read(&given, args, kwargs) < 0 ||
        (self->state = module_state_of_type(Py_TYPE(op))) == NULL)
        return -1;
    // Ten thousand of asyncio's are to be small while nothing comes.
    given.session.keep_bytes = given.is_async ? 0 : KEEP_BYTES;
    session *made = make_session(&given);
    if (made == NULL)
        return -1;
    net_channel *net = net_channel_new(made, &given.net, self);
    driver *shared = net != NULL ? driver_new(!given.is_async) : NULL;
    PyObject *waiters = given.is_async ? PyList_New(0) : NULL;
    if (shared == NULL || (given.is_async && waiters == NULL) || !net_channel_join(net, shared->loop)) {
        if (net != NULL)
            net_channel_free(net);
        else
            session_free(made);
        driver_release(shared);
        Py_XDECREF(waiters);
        return PyErr_Occurred() == NULL ? (PyErr_NoMemory(), -1) : -1;
    }
    self->session = made;
    self->net = net;
    self->unwraps = given.unwraps;
    self->is_async = given.is_async;
    self->waiters = waiters;
    self->forks = self->state->forks;
    Py_INCREF(given.logger);
    self->logger = given.logger;
    Py_XINCREF(given.token_source);
    self->token_source = given.token_source;
    self->driver = shared; // last: from now on the channel may be used
    return 0;
}

/* ---- End ---- */

// Give the connections back.
static void shut(channel_object *self) {
    driver *shared = channel_lock_idle(self);
    net_channel_close(self->net);
    // Others may share it (merge), or another thread may have been faster.
    bool alone =
        self->line == NULL && shared->loop != NULL && net_loop_channel_after(shared->loop, NULL) == NULL;
    if (alone)
        driver_shut_lock_held(shared);
    self->closed = true;
    driver_unlock(shared);
}

PyObject *channel_close(PyObject *op, PyObject *unused) {
    channel_object *self = (channel_object *)op;
    (void)unused;
    if (self->driver == NULL || self->forks != self->state->forks || self->closed)
        Py_RETURN_NONE;
    if (channel_check_sync(self) < 0)
        return NULL;
    self->closing = true;
    driver *shared = channel_lock(self);
    driver_poke_lock_held(shared, self->net);
    if (self->line != NULL)
        self->line->has_closed = true;
    driver_unlock(shared);
    int64_t patience_ms = session_is_half_duplex(self->session) ? COURTESY_MS : CLOSE_MS;
    drive_until until = {.deadline_ms = net_now_ms() + patience_ms};
    // Whatever happens meanwhile (Ctrl-C, a logger that fails), the channel is to be closed after this.
    drive_result result = channel_drive(self, &until);
    shut(self);
    if (result == DRIVE_ERROR)
        return NULL;
    Py_RETURN_NONE;
}

static int channel_traverse(PyObject *op, visitproc visit, void *arg) {
    channel_object *self = (channel_object *)op;
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(self->token_source);
    Py_VISIT(self->logger);
    Py_VISIT(self->loop);
    Py_VISIT(self->waiters);
    Py_VISIT(self->raised);
    return 0;
}

static int channel_clear(PyObject *op) {
    channel_object *self = (channel_object *)op;
    Py_CLEAR(self->token_source);
    Py_CLEAR(self->raised);
    if (self->waiters != NULL && PyList_SetSlice(self->waiters, 0, PY_SSIZE_T_MAX, NULL) < 0)
        PyErr_Clear();
    return 0;
}

// The sockets of an event loop's channel are watched by it: it must hear that they are gone.
void channel_leave_loop(channel_object *self) {
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    if (loop_settle(self->loop) < 0)
        PyErr_Clear(); // the event loop may be closed
    loop_shut_if_empty(self->loop);
    PyErr_Restore(type, value, traceback);
}

static void warn_unclosed(channel_object *self) {
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    if (PyErr_WarnFormat(PyExc_ResourceWarning, 1, "unclosed channel %R", (PyObject *)self) < 0)
        PyErr_WriteUnraisable((PyObject *)self);
    PyErr_Restore(type, value, traceback);
}

// Called for instances of classes made in Python, which all channels are.
static void channel_finalize(PyObject *op) {
    channel_object *self = (channel_object *)op;
    bool ours = self->driver != NULL && self->forks == self->state->forks;
    if (!ours)
        return;
    // Whoever drives the loop now must not come by a reference to what is about to go.
    channel_lock(self);
    net_channel_disown(self->net);
    channel_unlock(self);
    if (self->loop != NULL && !self->closed)
        warn_unclosed(self);
}

static void free_net(channel_object *self) {
    // The garbage collector runs in whichever thread it likes.
    net_channel_disown(self->net);
    if (self->loop != NULL && !loop_is_here(self->loop)) {
        PyObject *type, *value, *traceback;
        PyErr_Fetch(&type, &value, &traceback);
        bool buried = loop_bury(self->loop, self->net);
        PyErr_Restore(type, value, traceback);
        if (buried)
            return;
    }
    channel_lock_idle(self);
    net_channel_free(self->net);
    channel_unlock(self);
    if (self->loop != NULL)
        channel_leave_loop(self);
}

static void channel_dealloc(PyObject *op) {
    channel_object *self = (channel_object *)op;
    PyTypeObject *type = Py_TYPE(op);
    PyObject_GC_UnTrack(op);
    channel_clear(op);
    if (self->driver != NULL && self->forks != self->state->forks) {
        net_channel_abandon(self->net);
    } else if (self->driver != NULL) {
        free_net(self);
        driver_release(self->driver);
    }
    Py_CLEAR(self->logger);
    Py_CLEAR(self->waiters);
    Py_CLEAR(self->loop);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(op);
    Py_DECREF(type);
}

/* ---- The type ---- */

static PyType_Slot channel_slots[] = {
    {Py_tp_doc, "What every channel class is made of. Not to be made by itself."},
    {Py_tp_init, channel_init},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_dealloc, channel_dealloc},
    {Py_tp_finalize, channel_finalize},
    {Py_tp_traverse, channel_traverse},
    {Py_tp_clear, channel_clear},
    {Py_tp_iter, channel_iter},
    {Py_tp_methods, channel_methods},
    {Py_tp_getset, channel_getset},
    {0, NULL},
};

static PyType_Spec channel_spec = {
    "gaechannel._core.Channel", sizeof(channel_object), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE, channel_slots};

int channel_add_type(PyObject *module, module_state *state) {
    return module_add_type(module, &state->channel_type, &channel_spec);
}
