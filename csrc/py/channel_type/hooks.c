/* Methods by which gaechannel's Python code sets what it has asked a caller's callables for. */
#include "py/channel_type/hooks.h"

#include "py/channel/answer.h"
#include "py/channel/in_event_loop.h"
#include "py/channel/lock.h"
#include "py/strings.h"

PyObject *channel_set_asks(PyObject *op, PyObject *args) {
    channel_object *self = (channel_object *)op;
    int opens, headers, states, cookies;
    if (!PyArg_ParseTuple(args, "pppp", &opens, &headers, &states, &cookies) || channel_check(self) < 0)
        return NULL;
    channel_lock(self);
    session_set_asks_session(self->session, opens);
    session_set_asks_headers(self->session, headers);
    session_set_keeps_states(self->session, states);
    net_channel_set_keeps_cookies(self->net, cookies);
    channel_unlock(self);
    Py_RETURN_NONE;
}

PyObject *channel_set_headers(PyObject *op, PyObject *args) {
    channel_object *self = (channel_object *)op;
    const char *lines, *cookies;
    int all;
    if (!PyArg_ParseTuple(args, "zzp", &lines, &cookies, &all) || channel_check(self) < 0)
        return NULL;
    channel_lock(self);
    bool set = net_channel_set_headers(self->net, lines, cookies, all);
    channel_unlock(self);
    if (!set)
        return PyErr_NoMemory();
    Py_RETURN_NONE;
}

PyObject *channel_cookies(PyObject *op, PyObject *unused) {
    channel_object *self = (channel_object *)op;
    strbuf lines = {0};
    (void)unused;
    if (channel_check(self) < 0)
        return NULL;
    channel_lock(self);
    net_channel_write_cookies(self->net, &lines);
    channel_unlock(self);
    return str_from_written(&lines, "surrogateescape");
}

typedef bool remember(session *, const char *text, size_t length);

// A str knows its UTF-8 from now on. What has none raises, which makes objects, of which the garbage
// collector may run: not with the lock.
static int encode_all(PyObject *secrets) {
    for (Py_ssize_t i = 0; i < PyList_Size(secrets); i++)
        if (PyUnicode_AsUTF8AndSize(PyList_GetItem(secrets, i), NULL) == NULL)
            return -1;
    return 0;
}

// To look into a str that knows its UTF-8 runs nothing else, so that the lock may be held. False when memory
// ran out.
static bool add_all(session *remembers, PyObject *secrets, remember *add) {
    bool added = true;
    for (Py_ssize_t i = 0; i < PyList_Size(secrets) && added; i++) {
        Py_ssize_t length;
        const char *text = PyUnicode_AsUTF8AndSize(PyList_GetItem(secrets, i), &length);
        added = add(remembers, text, (size_t)length);
    }
    return added;
}

PyObject *channel_set_secrets(PyObject *op, PyObject *args) {
    channel_object *self = (channel_object *)op;
    PyObject *secrets, *privates;
    if (!PyArg_ParseTuple(args, "O!O!", &PyList_Type, &secrets, &PyList_Type, &privates) ||
        channel_check(self) < 0 || encode_all(secrets) < 0 || encode_all(privates) < 0)
        return NULL;
    channel_lock(self);
    session_forget_renewed(self->session);
    bool added = add_all(self->session, secrets, session_add_renewed) &&
                 add_all(self->session, privates, session_add_renewed_private);
    channel_unlock(self);
    if (!added)
        return PyErr_NoMemory();
    Py_RETURN_NONE;
}

PyObject *channel_set_opening_retry(PyObject *op, PyObject *patient) {
    channel_object *self = (channel_object *)op;
    if (channel_check(self) < 0)
        return NULL;
    channel_lock(self);
    session_set_opening_retry(self->session, patient == Py_True ? OPENING_PATIENT : OPENING_ONCE);
    channel_unlock(self);
    Py_RETURN_NONE;
}

PyObject *channel_take_late_answer(PyObject *op, PyObject *session_opens) {
    channel_object *self = (channel_object *)op;
    if (channel_check(self) < 0)
        return NULL;
    channel_take_answer(self, session_opens == Py_True);
    if (channel_step(self) < 0)
        return NULL;
    Py_RETURN_NONE;
}
