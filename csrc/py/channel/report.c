/* From a session's records and errors to loggers and exceptions. */
#include "py/channel/report.h"

#include "py/channel/lock.h"
#include "py/errors.h"
#include "py/exceptions.h"

PyObject *channel_logger(channel_object *self) {
    channel_lock(self);
    PyObject *logger = self->logger;
    Py_INCREF(logger);
    channel_unlock(self);
    return logger;
}

// Loggers of somebody's own, as code around the old module has them, may know only `warn`.
static PyObject *method_for(PyObject *logger, int level, PyObject *const *names) {
    py_name wanted = level >= LOG_WARNING ? NAME_WARNING : level >= LOG_INFO ? NAME_INFO : NAME_DEBUG;
    PyObject *method = PyObject_GetAttr(logger, names[wanted]);
    if (method == NULL && level >= LOG_WARNING && exception_forgive(PyExc_AttributeError))
        method = PyObject_GetAttr(logger, names[NAME_WARN]);
    return method;
}

// A logger of somebody's own may take one text without anything to put into it. What it has no method for is
// of no interest to it, and not worth an exception.
static int hand_record(channel_object *self, int level, PyObject *text) {
    PyObject *logger = channel_logger(self);
    PyObject *method = method_for(logger, level, self->state->names);
    Py_DECREF(logger);
    if (method == NULL)
        return level < LOG_WARNING && exception_forgive(PyExc_AttributeError) ? 0 : -1;
    PyObject *done = PyObject_CallFunctionObjArgs(method, text, NULL);
    Py_DECREF(method);
    Py_XDECREF(done);
    return done != NULL ? 0 : -1;
}

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
        result = words != NULL ? hand_record(self, level, words) : -1;
        Py_XDECREF(words);
    }
    strbuf_free(&text);
    return result;
}

/* ---- How it stands ---- */

const char *channel_state_name(session_state state) {
    static const char *const names[] = {
        [STATE_NEW] = "new",         [STATE_CONNECTING] = "connecting", [STATE_OPEN] = "open",
        [STATE_WAITING] = "waiting", [STATE_CLOSED] = "closed",
    };
    return names[state];
}

// One change at a time: a callable that is told may do with the channel what it likes.
static int tell_states(channel_object *self) {
    session_state state;
    for (;;) {
        channel_lock(self);
        bool changed = session_take_state(self->session, &state);
        channel_unlock(self);
        if (!changed)
            return 0;
        self->tellings++;
        PyObject *tell = self->state->names[NAME_TELL_STATE];
        PyObject *words = PyUnicode_FromString(channel_state_name(state));
        PyObject *told =
            words != NULL ? PyObject_CallMethodObjArgs((PyObject *)self, tell, words, NULL) : NULL;
        Py_XDECREF(words);
        if (!self->is_async)
            self->tellings--;
        Py_XDECREF(told);
        if (told == NULL)
            return -1;
    }
}

// What servers have set, for a jar of the caller's.
static int store_cookies(channel_object *self) {
    strbuf lines = {0};
    channel_lock(self);
    bool any = net_channel_has_set_cookies(self->net);
    if (any)
        net_channel_take_set_cookies(self->net, &lines);
    channel_unlock(self);
    if (!any)
        return 0;
    PyObject *store = self->state->names[NAME_STORE_COOKIES];
    PyObject *set = PyUnicode_DecodeLatin1(strbuf_str(&lines), (Py_ssize_t)lines.length, NULL);
    PyObject *stored = set != NULL ? PyObject_CallMethodObjArgs((PyObject *)self, store, set, NULL) : NULL;
    Py_XDECREF(set);
    strbuf_free(&lines);
    Py_XDECREF(stored);
    return stored != NULL ? 0 : -1;
}

int channel_tell(channel_object *self) {
    return write_log(self) < 0 || store_cookies(self) < 0 ? -1 : tell_states(self);
}

PyObject *channel_last_error(channel_object *self) {
    error_words words;
    uint64_t number;
    PyObject *made = NULL;
    channel_lock(self);
    const session_error *error = session_last_error(self->session, &number);
    bool is_new = number != self->last_error_number;
    bool copied = is_new && error_words_copy(&words, error);
    channel_unlock(self);
    if (is_new && !copied)
        return PyErr_NoMemory();
    if (is_new && (made = error_words_exception(self->state, &words, (PyObject *)self)) == NULL)
        return NULL;
    // Without a GIL another thread may do the same, and let go of what this one has found.
    channel_lock(self);
    PyObject *last = is_new ? self->last_error : NULL;
    if (is_new) {
        self->last_error = made;
        self->last_error_number = number;
    }
    PyObject *found = self->last_error != NULL ? self->last_error : Py_None;
    Py_INCREF(found);
    channel_unlock(self);
    Py_XDECREF(last);
    return found;
}

/* ---- The log, and the end ---- */

// Whether the logger wants debug records. One of somebody's own may not say: then all. -1 with an exception
// set that is no answer: Ctrl-C, where a signal came before the logger's Python code, would else be lost.
static int wants_debug(PyObject *logger, PyObject *ask) {
    PyObject *level = PyLong_FromLong(LOG_DEBUG);
    PyObject *answer = level != NULL ? PyObject_CallMethodObjArgs(logger, ask, level, NULL) : NULL;
    Py_XDECREF(level);
    int wants = answer != NULL ? PyObject_IsTrue(answer) : -1;
    Py_XDECREF(answer);
    if (wants < 0 && exception_forgive(PyExc_MemoryError))
        return 0; // records would need some, too
    return wants < 0 && exception_forgive(PyExc_Exception) ? 1 : wants;
}

int channel_ask_log_level(channel_object *self) {
    PyObject *logger = channel_logger(self);
    int wants = wants_debug(logger, self->state->names[NAME_IS_ENABLED_FOR]);
    Py_DECREF(logger);
    if (wants < 0)
        return -1;
    self->debug = wants != 0;
    channel_lock(self);
    session_set_log_level(self->session, self->debug ? LOG_DEBUG : LOG_INFO);
    channel_unlock(self);
    return 0;
}

PyObject *channel_log_message(channel_object *channel, PyObject *message) {
    PyObject *text = PyUnicode_FromFormat("channel msg: %R", message);
    if (text == NULL || hand_record(channel, LOG_DEBUG, text) < 0)
        Py_CLEAR(message);
    Py_XDECREF(text);
    return message;
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
        error_words_raise(self->state, &words, (PyObject *)self);
    else
        PyErr_NoMemory();
    return -1;
}
