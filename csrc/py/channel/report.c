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

// Which records the logger wants. A logger of somebody's own may not say: then all.
int channel_ask_log_level(channel_object *self) {
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
        error_words_raise(self->state, &words);
    else
        PyErr_NoMemory();
    return -1;
}
