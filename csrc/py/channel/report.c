/* From a session's records and errors to loggers and exceptions. */
#include "py/channel/report.h"

#include "py/channel/lock.h"
#include "py/errors.h"

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
int channel_write_log(channel_object *self) {
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

// Whether the logger wants debug records. One of somebody's own may not say: then all.
static bool wants_debug(PyObject *logger) {
    PyObject *answer = PyObject_CallMethod(logger, "isEnabledFor", "i", LOG_DEBUG);
    int wants = answer != NULL ? PyObject_IsTrue(answer) : -1;
    Py_XDECREF(answer);
    if (wants < 0)
        PyErr_Clear();
    return wants != 0;
}

void channel_ask_log_level(channel_object *self) {
    PyObject *logger = channel_logger(self);
    self->debug = wants_debug(logger);
    Py_DECREF(logger);
    channel_lock(self);
    session_set_log_level(self->session, self->debug ? LOG_DEBUG : LOG_INFO);
    channel_unlock(self);
}

PyObject *channel_log_message(channel_object *channel, PyObject *message) {
    PyObject *text = PyUnicode_FromFormat("channel msg: %R", message);
    if (text == NULL || channel_log(channel, LOG_DEBUG, text) < 0)
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
