/* The type Channel: a session, its connections, and the lock around them. The Python classes derive from it.
 */
#include "loop.h"

#include <stdint.h> // uintptr_t
#include <time.h>   // clock_gettime()
#include <unistd.h> // getpid()

#include "session/dialect.h"

// How long close() may take to tell the server, in ms.
#define CLOSE_MS 1000

/* ---- Begin ---- */

static uint64_t make_seed(const void *self) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t seed = (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
    return (seed ^ ((uint64_t)(uintptr_t)self << 16) ^ (uint64_t)(unsigned)getpid()) *
           UINT64_C(0x9E3779B97F4A7C15);
}

// What __init__() was given beyond session_config and net_options.
typedef struct init_arguments {
    const char *dialect;
    const char *token;
    const char *params;
    const char *open_form;
    const char *init_headers;
    PyObject *token_source;
    PyObject *logger;
    PyObject *secrets;
    double timeout;
    double connect_timeout;
    double max_backoff;
    Py_ssize_t max_chunk;
    Py_ssize_t queue_limit;
    bool unwraps;
    bool is_async;
} init_arguments;

static int parse_init(PyObject *args, PyObject *kwargs, init_arguments *given, session_config *config,
                      net_options *options) {
    static char *names[] = {"dialect",
                            "url",
                            "logger",
                            "url_is_retired",
                            "token",
                            "token_source",
                            "params",
                            "open_form",
                            "init_headers",
                            "secrets",
                            "timeout",
                            "connect_timeout",
                            "max_backoff",
                            "max_reconnects",
                            "auto_reconnect",
                            "max_chunk_size",
                            "queue_limit",
                            "headers",
                            "user_agent",
                            "proxy",
                            "verify",
                            "ca_file",
                            "ca_path",
                            "cert",
                            "key",
                            "http2",
                            "buffer_size",
                            "buffered",
                            "fast_handshake",
                            "unwraps",
                            "is_async",
                            NULL};
    int is_async = 0, unwraps = 0, retired = 0, reconnects = 1, verify = 1, http2 = 1, buffered = 0, fast = 0;
    if (!PyArg_ParseTupleAndKeywords(
            args, kwargs, "|$ssOpzOzzzOdddipnnzzzpzzzzplpppp:Channel", names, &given->dialect, &config->url,
            &given->logger, &retired, &given->token, &given->token_source, &given->params, &given->open_form,
            &given->init_headers, &given->secrets, &given->timeout, &given->connect_timeout,
            &given->max_backoff, &config->max_reconnects, &reconnects, &given->max_chunk, &given->queue_limit,
            &options->headers, &options->user_agent, &options->proxy, &verify, &options->ca_file,
            &options->ca_path, &options->cert, &options->key, &http2, &options->buffer_size, &buffered, &fast,
            &unwraps, &is_async))
        return -1;
    if (given->dialect == NULL || config->url == NULL || given->logger == NULL) {
        PyErr_SetString(PyExc_TypeError, "dialect, url and logger must be given");
        return -1;
    }
    given->unwraps = unwraps != 0;
    given->is_async = is_async != 0;
    config->url_is_retired = retired != 0;
    config->auto_reconnect = reconnects != 0;
    config->buffered = buffered != 0;
    config->fast_handshake = fast != 0;
    options->verify = verify != 0;
    options->http2 = http2 != 0;
    config->dialect = dialect_find(given->dialect);
    if (config->dialect != NULL)
        return 0;
    PyErr_Format(PyExc_ValueError, "there is no dialect %s", given->dialect);
    return -1;
}

static int convert_init(const init_arguments *given, session_config *config, net_options *options) {
    const double most = 1e9; // seconds: some thirty years
    if (!(given->timeout > 0 && given->timeout < most && given->connect_timeout > 0 &&
          given->connect_timeout < most && given->max_backoff > 0 && given->max_backoff < most)) {
        PyErr_SetString(PyExc_ValueError,
                        "timeout, connect_timeout and max_backoff must be positive seconds");
        return -1;
    }
    if (given->max_chunk <= 0 || given->queue_limit <= 0) {
        PyErr_SetString(PyExc_ValueError, "max_chunk_size and queue_limit must be positive");
        return -1;
    }
    // Ten thousand of these are to be small while nothing comes.
    if (given->is_async)
        config->keep_bytes = 0;
    // Rounded up: a wait of less than a millisecond is still a wait.
    config->timeout_ms = (int64_t)(given->timeout * 1000 + 0.999);
    config->max_backoff_ms = (int64_t)(given->max_backoff * 1000 + 0.999);
    options->connect_timeout_ms = (int64_t)(given->connect_timeout * 1000 + 0.999);
    config->max_chunk = (size_t)given->max_chunk;
    config->queue_limit = (size_t)given->queue_limit;
    return 0;
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
static session *make_session(const init_arguments *given, const session_config *config) {
    session *made = session_new(config);
    if (made == NULL || !session_set(made, FIELD_TOKEN, given->token) ||
        !session_set(made, FIELD_PARAMS, given->params) ||
        !session_set(made, FIELD_OPEN_FORM, given->open_form) ||
        !session_set(made, FIELD_INIT_HEADERS, given->init_headers)) {
        session_free(made);
        PyErr_NoMemory();
        return NULL;
    }
    session_set_asks_token(made, given->token_source != NULL && given->token_source != Py_None);
    if (add_secrets(made, given->secrets) == 0)
        return made;
    session_free(made);
    return NULL;
}

static int channel_init(PyObject *op, PyObject *args, PyObject *kwargs) {
    channel_object *self = (channel_object *)op;
    init_arguments given = {.timeout = 30, .connect_timeout = 10, .max_backoff = 32};
    given.max_chunk = 16 * 1024 * 1024;
    given.queue_limit = 1024 * 1024;
    session_config config = {.max_reconnects = -1, .keep_bytes = 128 * 1024, .seed = make_seed(self)};
    net_options options = {.buffer_size = 64 * 1024};
    if (self->driver != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "__init__() was called twice");
        return -1;
    }
    if (parse_init(args, kwargs, &given, &config, &options) < 0 ||
        convert_init(&given, &config, &options) < 0 ||
        (self->state = module_state_of_type(Py_TYPE(op))) == NULL)
        return -1;
    session *made = make_session(&given, &config);
    if (made == NULL)
        return -1;
    net_channel *net = net_channel_new(made, &options, self);
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
    if (given.token_source != NULL && given.token_source != Py_None) {
        Py_INCREF(given.token_source);
        self->token_source = given.token_source;
    }
    self->driver = shared; // last: from now on the channel may be used
    return 0;
}

/* ---- End ---- */

// What waits in the thread that calls it is not for a channel that an event loop drives.
static int check_sync(const channel_object *self) {
    if (!self->is_async)
        return 0;
    PyErr_SetString(PyExc_TypeError,
                    "this channel is asyncio's: await its methods, and iterate with async for");
    return -1;
}

// Give the connections back.
static void shut(channel_object *self) {
    driver *shared = self->driver;
    driver_lock_idle(shared);
    net_channel_close(self->net);
    // Others may share it (merge), or another thread may have been faster.
    bool alone =
        self->merge == NULL && shared->loop != NULL && net_loop_channel_after(shared->loop, NULL) == NULL;
    if (alone)
        driver_shut_lock_held(shared);
    self->closed = true;
    driver_unlock(shared);
}

static PyObject *channel_close(PyObject *op, PyObject *unused) {
    channel_object *self = (channel_object *)op;
    (void)unused;
    if (self->driver == NULL || self->forks != self->state->forks || self->closed)
        Py_RETURN_NONE;
    if (check_sync(self) < 0)
        return NULL;
    self->closing = true;
    driver_lock(self->driver);
    driver_poke_lock_held(self->driver, self->net);
    driver_unlock(self->driver);
    drive_until until = {.deadline_ms = net_now_ms() + CLOSE_MS};
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
static void leave_loop(channel_object *self) {
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
    if (ours && self->loop != NULL && !self->closed)
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
    driver_lock_idle(self->driver);
    net_channel_free(self->net);
    driver_unlock(self->driver);
    if (self->loop != NULL)
        leave_loop(self);
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

/* ---- Methods ---- */

static PyObject *channel_messages(PyObject *op, PyObject *once) {
    channel_object *self = (channel_object *)op;
    int poll = PyObject_IsTrue(once);
    if (poll < 0 || channel_check_open(self) < 0 || check_sync(self) < 0)
        return NULL;
    return messages_new(self, poll ? GOAL_POLL : GOAL_STREAM);
}

static PyObject *channel_iter(PyObject *op) {
    channel_object *self = (channel_object *)op;
    if (channel_check_open(self) < 0 || check_sync(self) < 0)
        return NULL;
    return messages_new(self, GOAL_STREAM);
}

static const session_goal goals[] = {GOAL_INITIALIZE, GOAL_OPEN, GOAL_CONNECT};

// _reach(goal, anew): 0 initialize, 1 open, 2 connect.
static PyObject *channel_reach(PyObject *op, PyObject *args) {
    channel_object *self = (channel_object *)op;
    int goal, anew;
    if (!PyArg_ParseTuple(args, "ip", &goal, &anew) || channel_check_open(self) < 0 || check_sync(self) < 0)
        return NULL;
    if (goal < 0 || goal > 2)
        return PyErr_Format(PyExc_ValueError, "there is no goal %d", goal);
    drive_until until = {.deadline_ms = SESSION_NEVER};
    if (anew) {
        channel_set_goal(self, goals[goal]);
        driver_lock(self->driver);
        session_forget(self->session, goals[goal]);
        driver_unlock(self->driver);
    } else {
        until.reached = goals[goal];
        channel_raise_goal(self, goals[goal]);
    }
    drive_result result = channel_drive(self, &until);
    if (result == DRIVE_ERROR)
        return NULL;
    if (result == DRIVE_ENDED) {
        PyErr_SetString(self->state->closed, "the channel was closed");
        return NULL;
    }
    Py_RETURN_NONE;
}

/* ---- Sending ---- */

// A map's fields from a list of pairs of str. -1 with an exception set. What they point to lives as long as
// the list.
static int read_fields(PyObject *pairs, map_field *fields, Py_ssize_t count) {
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *pair = PyList_GetItem(pairs, i);
        Py_ssize_t key_length, value_length;
        if (!PyArg_ParseTuple(pair, "s#s#:map", &fields[i].key, &key_length, &fields[i].value, &value_length))
            return -1;
        fields[i].key_length = (size_t)key_length;
        fields[i].value_length = (size_t)value_length;
    }
    return 0;
}

static PyObject *channel_send(PyObject *op, PyObject *pairs) {
    channel_object *self = (channel_object *)op;
    // What is sent in an event loop goes with what runs there.
    if (channel_check_open(self) < 0 || (self->loop != NULL && channel_attach(self) < 0))
        return NULL;
    if (!PyList_Check(pairs)) {
        PyErr_SetString(PyExc_TypeError, "a list of pairs of str is wanted");
        return NULL;
    }
    Py_ssize_t count = PyList_Size(pairs);
    map_field *fields = PyMem_Calloc((size_t)count + 1, sizeof *fields);
    if (fields == NULL)
        return PyErr_NoMemory();
    if (read_fields(pairs, fields, count) < 0) {
        PyMem_Free(fields);
        return NULL;
    }
    driver_lock(self->driver);
    int64_t id = session_send_map(self->session, fields, (size_t)count);
    // Before the session is open there is nothing to hurry for: the map goes with the opening POST.
    bool open = session_get(self->session, FIELD_SID)->length != 0 &&
                net_channel_state(self->net).kind != ACTION_ENDED;
    if (open)
        session_set_goal(self->session, GOAL_STREAM);
    driver_unlock(self->driver);
    PyMem_Free(fields);
    if (id < 0)
        return PyErr_NoMemory();
    if (open)
        channel_nudge(self);
    return PyLong_FromLongLong(id);
}

// _flush(timeout): whether the server has all maps; timeout in seconds, negative for none.
static PyObject *channel_flush(PyObject *op, PyObject *timeout) {
    channel_object *self = (channel_object *)op;
    double seconds = PyFloat_AsDouble(timeout);
    if ((seconds == -1.0 && PyErr_Occurred() != NULL) || channel_check_open(self) < 0 || check_sync(self) < 0)
        return NULL;
    drive_until until = {.flushed = true, .deadline_ms = SESSION_NEVER};
    if (seconds >= 0 && seconds < 1e9)
        until.deadline_ms = net_now_ms() + (int64_t)(seconds * 1000);
    channel_set_goal(self, GOAL_STREAM);
    drive_result result = channel_drive(self, &until);
    if (result == DRIVE_ERROR)
        return NULL;
    if (result == DRIVE_ENDED) {
        PyErr_SetString(self->state->closed, "the channel was closed");
        return NULL;
    }
    return PyBool_FromLong(result == DRIVE_FLUSHED);
}

static PyObject *channel_set_custom_urls(PyObject *op, PyObject *args) {
    channel_object *self = (channel_object *)op;
    int init, bind;
    if (!PyArg_ParseTuple(args, "pp", &init, &bind) || channel_check(self) < 0)
        return NULL;
    driver_lock(self->driver);
    session_set_custom_urls(self->session, init, bind);
    driver_unlock(self->driver);
    Py_RETURN_NONE;
}

static PyObject *url_of(channel_object *self, void (*write)(session *, strbuf *)) {
    strbuf url = {0};
    if (channel_check(self) < 0)
        return NULL;
    driver_lock(self->driver);
    write(self->session, &url);
    driver_unlock(self->driver);
    PyObject *text = PyUnicode_DecodeUTF8(strbuf_str(&url), (Py_ssize_t)url.length, "surrogateescape");
    strbuf_free(&url);
    return text;
}

static PyObject *channel_init_url(PyObject *op, PyObject *unused) {
    (void)unused;
    return url_of((channel_object *)op, session_write_init_url);
}

static PyObject *channel_common_url(PyObject *op, PyObject *unused) {
    (void)unused;
    return url_of((channel_object *)op, session_write_common_url);
}

static PyObject *channel_read_init_page(PyObject *op, PyObject *page) {
    channel_object *self = (channel_object *)op;
    Py_ssize_t length;
    const char *text = PyUnicode_AsUTF8AndSize(page, &length);
    if (text == NULL || channel_check(self) < 0)
        return NULL;
    driver_lock(self->driver);
    bool found = session_read_init_page(self->session, text, (size_t)length);
    driver_unlock(self->driver);
    return PyBool_FromLong(found);
}

static PyObject *channel_redact(PyObject *op, PyObject *text) {
    channel_object *self = (channel_object *)op;
    strbuf redacted = {0};
    const char *words = PyUnicode_AsUTF8AndSize(text, NULL);
    if (words == NULL || channel_check(self) < 0)
        return NULL;
    driver_lock(self->driver);
    session_redact(self->session, words, &redacted);
    driver_unlock(self->driver);
    PyObject *result = PyUnicode_DecodeUTF8(strbuf_str(&redacted), (Py_ssize_t)redacted.length, "replace");
    strbuf_free(&redacted);
    return result;
}

static PyObject *channel_stats(PyObject *op, PyObject *unused) {
    channel_object *self = (channel_object *)op;
    (void)unused;
    if (channel_check(self) < 0)
        return NULL;
    driver_lock(self->driver);
    session_stats stats = *session_get_stats(self->session);
    driver_unlock(self->driver);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    double age = (double)(net_now_ms() - stats.last_message_ms) / 1000.0;
    double last = stats.last_message_ms < 0 ? -1 : (double)now.tv_sec + (double)now.tv_nsec / 1e9 - age;
    return Py_BuildValue("(KKKKKKd)", stats.bytes, stats.chunks, stats.arrays, stats.messages,
                         stats.reconnects, stats.sessions, last);
}

/* ---- asyncio ---- */

static PyObject *channel_await(PyObject *op, PyObject *kind) {
    channel_object *self = (channel_object *)op;
    long number = PyLong_AsLong(kind);
    if ((number == -1 && PyErr_Occurred() != NULL) || channel_check(self) < 0)
        return NULL;
    // What is awaited for its own sake may be the end; all else must not be over.
    if (number != 7 && channel_check_open(self) < 0)
        return NULL;
    return awaiter_new(self, number < 0 || number > 7 ? -1 : (int)number);
}

// Whether there is anything to close: then _finish_close() must follow.
static PyObject *channel_begin_close(PyObject *op, PyObject *unused) {
    channel_object *self = (channel_object *)op;
    (void)unused;
    if (channel_check(self) < 0)
        return NULL;
    if (self->closing)
        Py_RETURN_FALSE;
    if (self->loop != NULL && channel_attach(self) < 0)
        return NULL;
    self->closing = true;
    if (channel_step(self) < 0)
        return NULL;
    Py_RETURN_TRUE;
}

static PyObject *channel_finish_close(PyObject *op, PyObject *unused) {
    channel_object *self = (channel_object *)op;
    (void)unused;
    if (channel_check(self) < 0)
        return NULL;
    driver_lock(self->driver);
    net_channel_close(self->net);
    driver_unlock(self->driver);
    self->closed = true;
    channel_notify(self);
    if (self->loop != NULL)
        leave_loop(self);
    Py_RETURN_NONE;
}

static PyObject *channel_take_token(PyObject *op, PyObject *token) {
    channel_object *self = (channel_object *)op;
    self->awaits_token = false;
    if (channel_check(self) < 0 || channel_give_token(self, token) < 0 || channel_step(self) < 0)
        return NULL;
    Py_RETURN_NONE;
}

// The token's callable has failed: whoever waits is to know.
static PyObject *channel_fail(PyObject *op, PyObject *error) {
    channel_object *self = (channel_object *)op;
    self->awaits_token = false;
    if (channel_check(self) < 0)
        return NULL;
    if (self->closing)
        Py_RETURN_NONE;
    PyErr_SetObject((PyObject *)Py_TYPE(error), error);
    channel_keep_exception(self);
    channel_notify(self);
    Py_RETURN_NONE;
}

static PyObject *channel_forget(PyObject *op, PyObject *goal) {
    channel_object *self = (channel_object *)op;
    long number = PyLong_AsLong(goal);
    if ((number == -1 && PyErr_Occurred() != NULL) || channel_check(self) < 0)
        return NULL;
    if (number < 0 || number > 2)
        return PyErr_Format(PyExc_ValueError, "there is no goal %ld", number);
    driver_lock(self->driver);
    session_forget(self->session, goals[number]);
    driver_unlock(self->driver);
    Py_RETURN_NONE;
}

static PyMethodDef channel_methods[] = {
    {"close", channel_close, METH_NOARGS,
     "close($self, /)\n--\n\n"
     "End the channel, from any thread or a signal handler: a waiting next() ends within 100 ms with the "
     "end\n"
     "of iteration, connections are closed, and, where the dialect can, the server is told. May be called\n"
     "twice. Messages that were received and not taken are dropped."},
    {"_messages", channel_messages, METH_O,
     "_messages($self, once, /)\n--\n\nAn iterator over the messages."},
    {"_reach", channel_reach, METH_VARARGS,
     "_reach($self, goal, anew, /)\n--\n\nDrive to 0: initialized, 1: open, 2: connected."},
    {"_send", channel_send, METH_O,
     "_send($self, pairs, /)\n--\n\nQueue a map, a list of (key, value); its id."},
    {"_flush", channel_flush, METH_O,
     "_flush($self, timeout, /)\n--\n\nWait until the server has all maps; whether it has."},
    {"_await", channel_await, METH_O, "_await($self, kind, /)\n--\n\nSomething to await; see channel.h."},
    {"_begin_close", channel_begin_close, METH_NOARGS, "_begin_close($self, /)\n--\n\nBegin to close."},
    {"_finish_close", channel_finish_close, METH_NOARGS, "_finish_close($self, /)\n--\n\nClose now."},
    {"_take_token", channel_take_token, METH_O, "_take_token($self, token, /)\n--\n\nTake a token."},
    {"_fail", channel_fail, METH_O, "_fail($self, error, /)\n--\n\nRaise it in whoever waits."},
    {"_forget", channel_forget, METH_O, "_forget($self, goal, /)\n--\n\nReach the goal anew."},
    {"_set_custom_urls", channel_set_custom_urls, METH_VARARGS,
     "_set_custom_urls($self, init, bind, /)\n--\n\nWhether _get_init_url() and _get_bind_url() are asked."},
    {"_init_url", channel_init_url, METH_NOARGS, "_init_url($self, /)\n--\n\nThe URL of the init page."},
    {"_common_url", channel_common_url, METH_NOARGS,
     "_common_url($self, /)\n--\n\nA bind request's URL without what one request has of its own."},
    {"_read_init_page", channel_read_init_page, METH_O,
     "_read_init_page($self, page, /)\n--\n\nTake clid and gsessionid from the page; whether it had them."},
    {"_redact", channel_redact, METH_O, "_redact($self, text, /)\n--\n\nThe text without secrets."},
    {"_stats", channel_stats, METH_NOARGS, "_stats($self, /)\n--\n\nThe counters, as a tuple."},
    {NULL, NULL, 0, NULL},
};

/* ---- Attributes: the session's fields and numbers ---- */

#define FIELD(field) ((void *)(intptr_t)(field))

static PyObject *get_field(PyObject *op, void *field) {
    channel_object *self = (channel_object *)op;
    strbuf copy = {0};
    if (channel_check(self) < 0)
        return NULL;
    driver_lock(self->driver);
    const strbuf *text = session_get(self->session, (session_field)(intptr_t)field);
    strbuf_append(&copy, strbuf_str(text), text->length);
    driver_unlock(self->driver);
    PyObject *value = Py_None;
    if (copy.failed)
        value = PyErr_NoMemory();
    else if (copy.length != 0) // servers name their sessions as they like
        value = PyUnicode_DecodeUTF8(copy.data, (Py_ssize_t)copy.length, "surrogateescape");
    else
        Py_INCREF(value);
    strbuf_free(&copy);
    return value;
}

static int set_field(PyObject *op, PyObject *value, void *field) {
    channel_object *self = (channel_object *)op;
    const char *text = NULL;
    if (channel_check(self) < 0)
        return -1;
    if (value == NULL) {
        PyErr_SetString(PyExc_AttributeError, "cannot be deleted");
        return -1;
    }
    if (value != Py_None && (text = PyUnicode_AsUTF8AndSize(value, NULL)) == NULL)
        return -1;
    driver_lock(self->driver);
    bool set = session_set(self->session, (session_field)(intptr_t)field, text);
    driver_unlock(self->driver);
    if (!set)
        PyErr_NoMemory();
    return set ? 0 : -1;
}

static int64_t number_of(channel_object *self, session_number number) {
    driver_lock(self->driver);
    int64_t value = session_get_number(self->session, number);
    driver_unlock(self->driver);
    return value;
}

static int set_number_to(channel_object *self, session_number number, int64_t value) {
    driver_lock(self->driver);
    session_set_number(self->session, number, value);
    driver_unlock(self->driver);
    return 0;
}

static int no_delete(PyObject *value) {
    if (value != NULL)
        return 0;
    PyErr_SetString(PyExc_AttributeError, "cannot be deleted");
    return -1;
}

static PyObject *get_number(PyObject *op, void *number) {
    if (channel_check((channel_object *)op) < 0)
        return NULL;
    return PyLong_FromLongLong(number_of((channel_object *)op, (session_number)(intptr_t)number));
}

static int set_number(PyObject *op, PyObject *value, void *number) {
    if (channel_check((channel_object *)op) < 0 || no_delete(value) < 0)
        return -1;
    long long wanted = PyLong_AsLongLong(value);
    if (wanted == -1 && PyErr_Occurred() != NULL)
        return -1;
    return set_number_to((channel_object *)op, (session_number)(intptr_t)number, wanted);
}

static PyObject *get_auto_reconnect(PyObject *op, void *unused) {
    (void)unused;
    if (channel_check((channel_object *)op) < 0)
        return NULL;
    return PyBool_FromLong(number_of((channel_object *)op, NUMBER_AUTO_RECONNECT) != 0);
}

static int set_auto_reconnect(PyObject *op, PyObject *value, void *unused) {
    (void)unused;
    int truth = value != NULL ? PyObject_IsTrue(value) : -1;
    if (channel_check((channel_object *)op) < 0 || no_delete(value) < 0 || truth < 0)
        return -1;
    return set_number_to((channel_object *)op, NUMBER_AUTO_RECONNECT, truth);
}

static PyObject *get_max_reconnects(PyObject *op, void *unused) {
    (void)unused;
    if (channel_check((channel_object *)op) < 0)
        return NULL;
    int64_t value = number_of((channel_object *)op, NUMBER_MAX_RECONNECTS);
    if (value < 0)
        Py_RETURN_NONE;
    return PyLong_FromLongLong(value);
}

static int set_max_reconnects(PyObject *op, PyObject *value, void *unused) {
    (void)unused;
    if (value == Py_None)
        return channel_check((channel_object *)op) < 0
                   ? -1
                   : set_number_to((channel_object *)op, NUMBER_MAX_RECONNECTS, -1);
    return set_number(op, value, FIELD(NUMBER_MAX_RECONNECTS));
}

static PyObject *get_backoff(PyObject *op, void *unused) {
    (void)unused;
    if (channel_check((channel_object *)op) < 0)
        return NULL;
    int64_t ms = number_of((channel_object *)op, NUMBER_BACKOFF_MS);
    return ms % 1000 == 0 ? PyLong_FromLongLong(ms / 1000) : PyFloat_FromDouble((double)ms / 1000.0);
}

static int set_backoff(PyObject *op, PyObject *value, void *unused) {
    (void)unused;
    if (channel_check((channel_object *)op) < 0 || no_delete(value) < 0)
        return -1;
    double seconds = PyFloat_AsDouble(value);
    if (seconds == -1.0 && PyErr_Occurred() != NULL)
        return -1;
    double bounded = seconds > 0 ? (seconds < 1e6 ? seconds : 1e6) : 0;
    return set_number_to((channel_object *)op, NUMBER_BACKOFF_MS, (int64_t)(bounded * 1000));
}

static PyObject *get_logger(PyObject *op, void *unused) {
    channel_object *self = (channel_object *)op;
    (void)unused;
    if (channel_check(self) < 0)
        return NULL;
    Py_INCREF(self->logger);
    return self->logger;
}

static int set_logger(PyObject *op, PyObject *value, void *unused) {
    channel_object *self = (channel_object *)op;
    (void)unused;
    if (channel_check(self) < 0 || no_delete(value) < 0)
        return -1;
    PyObject *old = self->logger;
    Py_INCREF(value);
    self->logger = value;
    Py_DECREF(old);
    return 0;
}

static PyObject *get_closed(PyObject *op, void *unused) {
    (void)unused;
    return PyBool_FromLong(((channel_object *)op)->closing);
}

static PyObject *get_event_loop(PyObject *op, void *unused) {
    channel_object *self = (channel_object *)op;
    (void)unused;
    PyObject *event_loop = self->loop != NULL ? loop_event_loop(self->loop) : NULL;
    if (event_loop == NULL)
        Py_RETURN_NONE;
    Py_INCREF(event_loop);
    return event_loop;
}

static PyObject *get_over(PyObject *op, void *unused) {
    channel_object *self = (channel_object *)op;
    (void)unused;
    if (channel_check(self) < 0)
        return NULL;
    driver_lock(self->driver);
    bool over = session_is_over(self->session);
    driver_unlock(self->driver);
    return PyBool_FromLong(over);
}

static PyObject *get_unsent(PyObject *op, void *unused) {
    channel_object *self = (channel_object *)op;
    (void)unused;
    if (channel_check(self) < 0)
        return NULL;
    driver_lock(self->driver);
    size_t unsent = session_unsent(self->session);
    driver_unlock(self->driver);
    return PyLong_FromSize_t(unsent);
}

static PyGetSetDef channel_getset[] = {
    {"_url", get_field, set_field, "The server's address.", FIELD(FIELD_URL)},
    {"_token", get_field, set_field, "The token in use; None when there is none yet.", FIELD(FIELD_TOKEN)},
    {"sid", get_field, set_field, "The session's id; None when no session is open.", FIELD(FIELD_SID)},
    {"gsessionid", get_field, set_field, "The id that the server added; None when it gave none.",
     FIELD(FIELD_GSESSIONID)},
    {"_clid", get_field, set_field, "The client's id; None before it is known.", FIELD(FIELD_CLID)},
    {"_osid", get_field, set_field, "The session that this one replaces.", FIELD(FIELD_OSID)},
    {"_oaid", get_field, set_field, "The replaced session's last AID.", FIELD(FIELD_OAID)},
    {"aid", get_number, NULL, "AID: the highest array id received in full.", FIELD(NUMBER_AID)},
    {"_msg_id", get_number, set_number, "AID, under the old module's name.", FIELD(NUMBER_AID)},
    {"_request_id", get_number, set_number, "RID of the next forward-channel request.", FIELD(NUMBER_RID)},
    {"_trial", get_number, set_number, "`t` of the next request.", FIELD(NUMBER_TRIAL)},
    {"reconnect_trial_", get_number, set_number, "Failures in a row.", FIELD(NUMBER_FAILURES)},
    {"backoff_", get_backoff, set_backoff, "Seconds to wait after the next failure, before jitter.", NULL},
    {"auto_reconnect", get_auto_reconnect, set_auto_reconnect,
     "Whether a back channel that breaks is opened again.", NULL},
    {"max_reconnects", get_max_reconnects, set_max_reconnects,
     "How many failures in a row are mended; None: any number.", NULL},
    {"logger", get_logger, set_logger, "Where log records go.", NULL},
    {"_event_loop", get_event_loop, NULL, "What drives the channel; None for a synchronous one.", NULL},
    {"closed", get_closed, NULL, "Whether close() was called.", NULL},
    {"_over", get_over, NULL, "Whether the session has ended, and the caller was told.", NULL},
    {"unsent", get_unsent, NULL, "How many maps the server has not confirmed.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

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
    state->channel_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &channel_spec, NULL);
    return state->channel_type != NULL ? PyModule_AddType(module, state->channel_type) : -1;
}
