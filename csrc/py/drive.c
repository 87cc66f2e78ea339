/* Driving a channel: the loop around the network, and what only the interpreter can do for a session. */
#include "py/channel.h"

#include <sched.h>  // sched_yield()
#include <stdlib.h> // malloc()
#include <string.h> // memcpy()

#include "py/errors.h"
#include "py/values.h"

int channel_check(channel_object *self) {
    if (self->driver == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "the channel's __init__() was not called");
        return -1;
    }
    if (self->forks != self->state->forks) {
        PyErr_SetString(self->state->channel_error,
                        "this channel belongs to the process that forked this one: make a new one here");
        return -1;
    }
    return 0;
}

int channel_check_open(channel_object *self) {
    if (channel_check(self) < 0)
        return -1;
    if (!self->closing)
        return 0;
    PyErr_SetString(self->state->closed, "the channel was closed");
    return -1;
}

/* ---- The lock ---- */

// A channel can change its driver while somebody waits for the old one's lock. Then he has to have the new
// one's; and the old one has to be there until he has seen that.
static driver *lock_visited(channel_object *self, void (*lock)(driver *)) {
    self->visitors++;
    for (;;) {
        driver *shared = self->driver;
        lock(shared);
        if (shared == self->driver) {
            self->visitors--;
            return shared;
        }
        driver_unlock(shared);
    }
}

static void lock_detached(driver *self) {
    pthread_mutex_lock(&self->lock);
}

driver *channel_lock(channel_object *self) {
    return lock_visited(self, driver_lock);
}

driver *channel_lock_idle(channel_object *self) {
    return lock_visited(self, driver_lock_idle);
}

driver *channel_lock_detached(channel_object *self) {
    return lock_visited(self, lock_detached);
}

void channel_unlock(channel_object *self) {
    driver_unlock(self->driver);
}

void channel_change_driver_unlock(channel_object *self, driver *last, driver *next) {
    net_channel_join(self->net, NULL);
    self->driver = driver_share(next);
    driver_unlock(last);
    Py_BEGIN_ALLOW_THREADS;
    while (self->visitors != 0)
        sched_yield();
    Py_END_ALLOW_THREADS;
    driver_release(last);
}

bool channel_has_ended(channel_object *self) {
    channel_lock(self);
    bool ended = net_channel_state(self->net).kind == ACTION_ENDED;
    channel_unlock(self);
    return ended;
}

/* ---- The log ---- */

PyObject *channel_logger(channel_object *self) {
    channel_lock(self);
    PyObject *logger = self->logger;
    Py_INCREF(logger);
    channel_unlock(self);
    return logger;
}

// Loggers of somebody's own, as code around the old module has them, may know only `warn`, and take one text
// without anything to put into it.
static PyObject *call_logger(PyObject *logger, int level, PyObject *text) {
    const char *name = level >= LOG_WARNING ? "warning" : level >= LOG_INFO ? "info" : "debug";
    PyObject *method = PyObject_GetAttrString(logger, name);
    if (method == NULL && level >= LOG_WARNING) {
        PyErr_Clear();
        method = PyObject_GetAttrString(logger, "warn");
    }
    PyObject *done = method != NULL ? PyObject_CallFunctionObjArgs(method, text, NULL) : NULL;
    Py_XDECREF(method);
    return done;
}

// What is of no interest to such a logger is not worth an exception.
int channel_log(channel_object *self, int level, PyObject *text) {
    PyObject *logger = channel_logger(self);
    PyObject *done = call_logger(logger, level, text);
    Py_DECREF(logger);
    if (done == NULL && level < LOG_WARNING && PyErr_ExceptionMatches(PyExc_AttributeError)) {
        PyErr_Clear();
        return 0;
    }
    Py_XDECREF(done);
    return done != NULL ? 0 : -1;
}

// Hand the session's log records to the logger.
static int write_log(channel_object *self) {
    strbuf text = {0};
    int result = 0;
    for (;;) {
        channel_lock(self);
        int level = session_take_log(self->session, &text);
        channel_unlock(self);
        if (level == 0 || result < 0)
            break;
        PyObject *words =
            PyUnicode_DecodeUTF8(strbuf_str(&text), (Py_ssize_t)text.length, "backslashreplace");
        result = words != NULL ? channel_log(self, level, words) : -1;
        Py_XDECREF(words);
    }
    strbuf_free(&text);
    return result;
}

// Which records the logger wants. A logger of somebody's own may not say: then all.
static int ask_log_level(channel_object *self) {
    self->debug = true;
    PyObject *logger = channel_logger(self);
    PyObject *asks = PyObject_GetAttrString(logger, "isEnabledFor");
    Py_DECREF(logger);
    if (asks == NULL) {
        PyErr_Clear();
    } else {
        PyObject *answer = PyObject_CallFunction(asks, "i", LOG_DEBUG);
        Py_DECREF(asks);
        if (answer == NULL)
            return -1;
        int debug = PyObject_IsTrue(answer);
        Py_DECREF(answer);
        if (debug < 0)
            return -1;
        self->debug = debug != 0;
    }
    channel_lock(self);
    session_set_log_level(self->session, self->debug ? LOG_DEBUG : LOG_INFO);
    channel_unlock(self);
    return 0;
}

/* ---- What only the interpreter can answer ---- */

static int give_token(channel_object *self);
static int give_url(channel_object *self, exchange_slot slot);

int channel_serve(channel_object *self) {
    channel_lock(self);
    session_action state = net_channel_state(self->net);
    channel_unlock(self);
    if (write_log(self) < 0)
        return -1;
    if (state.kind == ACTION_ASK_TOKEN)
        return self->awaits_token ? 0 : give_token(self) == 0 ? 1 : PyErr_Occurred() != NULL ? -1 : 0;
    if (state.kind == ACTION_ASK_URL)
        return give_url(self, state.slot) < 0 ? -1 : 1;
    return 0;
}

// 1: it will come later.
static int give_token(channel_object *self) {
    PyObject *token = self->is_async
                          ? PyObject_CallMethod((PyObject *)self, "_ask_token", "O", self->token_source)
                          : PyObject_CallNoArgs(self->token_source);
    if (token == NULL)
        return -1;
    if (self->is_async && token == Py_None) {
        Py_DECREF(token);
        self->awaits_token = true;
        return 1;
    }
    int result = channel_give_token(self, token);
    Py_DECREF(token);
    return result;
}

int channel_give_token(channel_object *self, PyObject *token) {
    const char *text = NULL;
    if (PyUnicode_Check(token))
        text = PyUnicode_AsUTF8AndSize(token, NULL);
    else
        PyErr_Format(PyExc_TypeError, "the token's callable must return a str, not %R",
                     (PyObject *)Py_TYPE(token));
    if (text != NULL && *text == '\0') {
        PyErr_SetString(PyExc_ValueError, "the token's callable returned an empty token");
        text = NULL;
    }
    if (text != NULL) {
        channel_lock(self);
        bool set = session_set(self->session, FIELD_TOKEN, text);
        channel_unlock(self);
        if (!set) {
            PyErr_NoMemory();
            text = NULL;
        }
    }
    return text != NULL ? 0 : -1;
}

// A subclass has replaced _get_init_url() or _get_bind_url(): call it as the old module did.
static PyObject *ask_url(channel_object *self, request_kind kind, int64_t rid, int64_t aid) {
    PyObject *op = (PyObject *)self;
    if (kind == REQUEST_INIT)
        return PyObject_CallMethod(op, "_get_init_url", NULL);
    PyObject *keywords = NULL;
    if (kind == REQUEST_OPEN)
        keywords = Py_BuildValue("{sLsi}", "RID", (long long)rid, "CVER", 1);
    else if (kind == REQUEST_MAPS)
        keywords = Py_BuildValue("{sLsLsi}", "RID", (long long)rid, "AID", (long long)aid, "CVER", 1);
    else
        keywords =
            Py_BuildValue("{sisLssss}", "CI", 0, "AID", (long long)aid, "TYPE", "xmlhttp", "RID", "rpc");
    PyObject *method = PyObject_GetAttrString(op, "_get_bind_url");
    PyObject *arguments = PyTuple_New(0);
    PyObject *url = NULL;
    if (keywords != NULL && method != NULL && arguments != NULL)
        url = PyObject_Call(method, arguments, keywords);
    Py_XDECREF(arguments);
    Py_XDECREF(method);
    Py_XDECREF(keywords);
    return url;
}

static int give_url(channel_object *self, exchange_slot slot) {
    request_kind kind;
    int64_t rid;
    int64_t aid;
    channel_lock(self);
    session_asked_url(self->session, slot, &kind, &rid, &aid);
    channel_unlock(self);
    PyObject *url = ask_url(self, kind, rid, aid);
    if (url == NULL)
        return -1;
    const char *text = NULL;
    if (PyUnicode_Check(url))
        text = PyUnicode_AsUTF8AndSize(url, NULL);
    else
        PyErr_Format(PyExc_TypeError, "a URL must be a str, not %R", (PyObject *)Py_TYPE(url));
    if (text != NULL && *text == '\0') {
        PyErr_SetString(PyExc_ValueError, "a URL must not be empty");
        text = NULL;
    }
    if (text != NULL) {
        channel_lock(self);
        session_give_url(self->session, slot, text);
        channel_unlock(self);
    }
    Py_DECREF(url);
    return text != NULL ? 0 : -1;
}

int channel_raise_end(channel_object *self) {
    error_words words;
    channel_lock(self);
    const session_error *error = session_get_error(self->session);
    bool fails = error->kind != ERROR_NONE && !self->closing;
    bool copied = fails && error_words_copy(&words, error);
    session_end_told(self->session);
    channel_unlock(self);
    if (!fails)
        return 0;
    if (copied)
        error_words_raise(self->state, &words);
    else
        PyErr_NoMemory();
    return -1;
}

/* ---- Driving ---- */

typedef enum turn_result {
    TURN_AGAIN,
    TURN_RECORD,
    TURN_FLUSHED,
    TURN_REACHED,
    TURN_TIMEOUT,
    TURN_STATE, // what the session wants only the interpreter can give
} turn_result;

static turn_result look_lock_held(channel_object *self, const drive_until *until) {
    session_action state = net_channel_state(self->net);
    if (until->record && session_queue(self->session)->count != 0)
        return TURN_RECORD;
    if (until->flushed && session_unsent(self->session) == 0)
        return TURN_FLUSHED;
    if (until->reached != GOAL_REST && session_has_reached(self->session, until->reached))
        return TURN_REACHED;
    if (state.kind != ACTION_WAIT)
        return TURN_STATE;
    return net_now_ms() >= until->deadline_ms ? TURN_TIMEOUT : TURN_AGAIN;
}

// One turn, without the GIL.
static turn_result turn(channel_object *self, const drive_until *until, session_action *state) {
    // While it waits without the lock, the channel may be given another one.
    driver *shared = driver_share(channel_lock_detached(self));
    turn_result result;
    if (self->closing)
        session_close(self->session);
    if (!shared->driving) {
        net_channel_resume(self->net);
        driver_catch_up_lock_held(shared);
        net_channel_step(self->net);
    } else {
        driver_poke_lock_held(shared, self->net); // whoever drives may be driving for another channel
    }
    result = look_lock_held(self, until);
    // Even where there is no time left: who asks again and again without waiting has to get on.
    if (result == TURN_AGAIN || result == TURN_TIMEOUT) {
        int64_t left_ms = until->deadline_ms == SESSION_NEVER ? SLICE_MS : until->deadline_ms - net_now_ms();
        driver_turn_lock_held(shared, left_ms < SLICE_MS ? (left_ms > 0 ? left_ms : 0) : SLICE_MS);
        result = shared == self->driver ? look_lock_held(self, until) : TURN_AGAIN;
    }
    if (result == TURN_STATE)
        *state = net_channel_state(self->net);
    driver_unlock(shared);
    driver_release(shared);
    return result;
}

// Do for the session what `state` asks for. DRIVE_RECORD stands for: go on.
static drive_result serve(channel_object *self, const session_action *state) {
    switch (state->kind) {
    case ACTION_ASK_TOKEN:
        return give_token(self) < 0 ? DRIVE_ERROR : DRIVE_RECORD;
    case ACTION_ASK_URL:
        return give_url(self, state->slot) < 0 ? DRIVE_ERROR : DRIVE_RECORD;
    case ACTION_REACHED:
        return DRIVE_REACHED;
    case ACTION_ENDED:
        return channel_raise_end(self) < 0 ? DRIVE_ERROR : DRIVE_ENDED;
    default:
        return DRIVE_RECORD;
    }
}

drive_result channel_drive(channel_object *self, const drive_until *until) {
    session_action state;
    turn_result result;
    for (;;) {
        Py_BEGIN_ALLOW_THREADS;
        result = turn(self, until, &state);
        Py_END_ALLOW_THREADS;
        if (write_log(self) < 0 || PyErr_CheckSignals() < 0)
            return DRIVE_ERROR;
        if (self->closing && until->record)
            return DRIVE_ENDED; // whoever closes sees to the rest
        if (result == TURN_RECORD)
            return DRIVE_RECORD;
        if (result == TURN_FLUSHED)
            return DRIVE_FLUSHED;
        if (result == TURN_REACHED)
            return DRIVE_REACHED;
        if (result == TURN_TIMEOUT)
            return DRIVE_TIMEOUT;
        if (result == TURN_STATE) {
            drive_result served = serve(self, &state);
            if (served != DRIVE_RECORD)
                return served;
        }
    }
}

void channel_set_goal(channel_object *self, session_goal goal) {
    if (ask_log_level(self) < 0)
        PyErr_Clear(); // a logger that cannot say what it wants gets all
    channel_lock(self);
    self->goals++;
    session_set_goal(self->session, goal);
    channel_unlock(self);
}

void channel_raise_goal(channel_object *self, session_goal goal) {
    if (ask_log_level(self) < 0)
        PyErr_Clear();
    channel_lock(self);
    session_raise_goal(self->session, goal);
    channel_unlock(self);
}

channel_look channel_look_now(channel_object *self) {
    channel_lock(self);
    action_kind state = net_channel_state(self->net).kind;
    channel_look look = {
        .records = session_queue(self->session)->count != 0,
        .reached = state == ACTION_REACHED,
        .ended = state == ACTION_ENDED,
        .asks = state == ACTION_ASK_TOKEN || state == ACTION_ASK_URL,
        .unsent = session_unsent(self->session),
    };
    channel_unlock(self);
    return look;
}

/* ---- Taking ---- */

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
