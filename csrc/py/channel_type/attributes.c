/* The attributes of the type Channel: the session's fields and numbers. */
#include "py/channel_type/attributes.h"

#include <stdint.h> // intptr_t

#include "py/channel/lock.h"
#include "py/channel/report.h"
#include "py/strings.h"
#include "py/wrong_type.h"

#define FIELD(field) ((void *)(intptr_t)(field))

static PyObject *get_field(PyObject *op, void *field) {
    channel_object *self = (channel_object *)op;
    strbuf copy = {0};
    if (channel_check(self) < 0)
        return NULL;
    channel_lock(self);
    const strbuf *text = session_get(self->session, (session_field)(intptr_t)field);
    strbuf_append(&copy, strbuf_str(text), text->length);
    channel_unlock(self);
    if (copy.length == 0 && !strbuf_failed(&copy)) {
        strbuf_free(&copy);
        Py_RETURN_NONE;
    }
    return str_from_written(&copy, "surrogateescape"); // servers name their sessions as they like
}

static int no_delete(PyObject *value) {
    if (value != NULL)
        return 0;
    PyErr_SetString(PyExc_AttributeError, "cannot be deleted");
    return -1;
}

static int set_field(PyObject *op, PyObject *value, void *field) {
    channel_object *self = (channel_object *)op;
    const char *text = NULL;
    if (channel_check(self) < 0 || no_delete(value) < 0)
        return -1;
    if (value != Py_None && (text = PyUnicode_AsUTF8AndSize(value, NULL)) == NULL)
        return -1;
    channel_lock(self);
    bool set = session_set(self->session, (session_field)(intptr_t)field, text);
    channel_unlock(self);
    if (!set)
        PyErr_NoMemory();
    return set ? 0 : -1;
}

static int64_t number_of(channel_object *self, session_number number) {
    channel_lock(self);
    int64_t value = session_get_number(self->session, number);
    channel_unlock(self);
    return value;
}

static int set_number_to(channel_object *self, session_number number, int64_t value) {
    channel_lock(self);
    session_set_number(self->session, number, value);
    channel_unlock(self);
    return 0;
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
    if (value != NULL && !PyIndex_Check(value)) {
        raise_wrong_type("max_reconnects", "must be an int or None", value);
        return -1;
    }
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
    return channel_logger(self);
}

static int set_logger(PyObject *op, PyObject *value, void *unused) {
    channel_object *self = (channel_object *)op;
    (void)unused;
    if (channel_check(self) < 0 || no_delete(value) < 0)
        return -1;
    Py_INCREF(value);
    channel_lock(self);
    PyObject *old = self->logger;
    self->logger = value;
    channel_unlock(self);
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
    PyObject *event_loop = self->loop != NULL ? event_loop_of_asyncio(self->loop) : NULL;
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
    channel_lock(self);
    bool over = session_is_over(self->session);
    channel_unlock(self);
    return PyBool_FromLong(over);
}

static PyObject *get_state(PyObject *op, void *unused) {
    channel_object *self = (channel_object *)op;
    (void)unused;
    if (channel_check(self) < 0)
        return NULL;
    channel_lock(self);
    session_state state = self->closing ? STATE_CLOSED : session_get_state(self->session);
    channel_unlock(self);
    return PyUnicode_FromString(channel_state_name(state));
}

static PyObject *get_last_error(PyObject *op, void *unused) {
    (void)unused;
    return channel_check((channel_object *)op) < 0 ? NULL : channel_last_error((channel_object *)op);
}

static PyObject *get_unsent(PyObject *op, void *unused) {
    channel_object *self = (channel_object *)op;
    (void)unused;
    if (channel_check(self) < 0)
        return NULL;
    channel_lock(self);
    size_t unsent = session_unsent(self->session);
    channel_unlock(self);
    return PyLong_FromSize_t(unsent);
}

PyGetSetDef channel_getset[] = {
    {"_url", get_field, set_field, "The server's address.", FIELD(FIELD_URL)},
    {"_token", get_field, set_field, "The token in use; None when there is none yet.", FIELD(FIELD_TOKEN)},
    {"sid", get_field, set_field, "The session's id; None when no session is open.", FIELD(FIELD_SID)},
    {"gsessionid", get_field, set_field, "The id that the server added; None when it gave none.",
     FIELD(FIELD_GSESSIONID)},
    {"_clid", get_field, set_field, "The client's id; None before it is known.", FIELD(FIELD_CLID)},
    {"_osid", get_field, set_field, "The session that this one replaces.", FIELD(FIELD_OSID)},
    {"_oaid", get_field, set_field, "The replaced session's last AID.", FIELD(FIELD_OAID)},
    {"_params", get_field, set_field, "More of every query.", FIELD(FIELD_PARAMS)},
    {"_open_form", get_field, set_field, "More of the opening body.", FIELD(FIELD_OPEN_FORM)},
    {"_init_headers", get_field, set_field, "Headers in the opening body.", FIELD(FIELD_INIT_HEADERS)},
    {"_close_form", get_field, set_field, "The closing request's body.", FIELD(FIELD_CLOSE_FORM)},
    {"state", get_state, NULL,
     "How the channel stands: \"new\" before anything was asked of it, \"connecting\" on the way to a "
     "session "
     "or\n"
     "back to it, \"open\", \"waiting\" for the next try after a failure, \"closed\" when it was closed or "
     "the\n"
     "session has ended.",
     NULL},
    {"last_error", get_last_error, NULL,
     "The last failure, as an exception, be it that it was mended; None: there was none.", NULL},
    {"aid", get_number, NULL, "AID: the highest array id received in full.", FIELD(NUMBER_AID)},
    {"_taken_id", get_number, NULL, "The id of the array whose message was taken last.", FIELD(NUMBER_TAKEN)},
    {"_msg_id", get_number, set_number, "AID, under the old module's name.", FIELD(NUMBER_AID)},
    {"_request_id", get_number, set_number, "RID of the next forward-channel request.", FIELD(NUMBER_RID)},
    {"_trial", get_number, set_number, "`t` of the next request.", FIELD(NUMBER_TRIAL)},
    {"_close_ms", get_number, NULL, "How long close() waits for the server, in ms.", FIELD(NUMBER_CLOSE_MS)},
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
