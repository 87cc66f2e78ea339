/* Methods by which maps are queued, told of, taken back and waited for. */
#include "py/channel_type/sending.h"

#include "py/channel/answer.h"
#include "py/channel/in_event_loop.h"
#include "py/channel/in_thread.h"
#include "py/channel/lock.h"
#include "py/channel/progress.h"
#include "py/channel/raised.h"
#include "py/strings.h"

// A map's fields from a list of (key, value), both str, or (key, value, whether it is JSON). -1 with an
// exception set. What they point to lives as long as the list.
static int read_fields(PyObject *pairs, map_field *fields, Py_ssize_t count) {
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *pair = PyList_GetItem(pairs, i);
        Py_ssize_t key_length, value_length;
        int is_json = 0;
        if (!PyArg_ParseTuple(pair, "s#s#|p:map", &fields[i].key, &key_length, &fields[i].value,
                              &value_length, &is_json))
            return -1;
        fields[i].is_json = is_json != 0;
        fields[i].key_length = (size_t)key_length;
        fields[i].value_length = (size_t)value_length;
    }
    return 0;
}

// Why a map is not queued, as _send() says it: it may be soon, or never.
#define FULL (-1)
#define TOO_LARGE (-2)

// Queue a map: its id, or why it is not queued. -3 with an exception set. `first`: it belongs to the session
// that is about to open, which does not wait for room.
static int64_t queue_map(channel_object *self, const map_field *fields, size_t count, bool first) {
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += fields[i].key_length + fields[i].value_length;
    channel_lock(self);
    session_room room = first ? ROOM_NOW : session_room_for(self->session, size);
    int64_t id = room == ROOM_LATER ? FULL : TOO_LARGE;
    if (room == ROOM_NOW)
        id = (first ? session_send_map_first : session_send_map)(self->session, fields, count);
    // Before the session is open there is nothing to hurry for: the map goes with the opening POST.
    bool open = session_get(self->session, FIELD_SID)->length != 0 &&
                net_channel_state(self->net).kind != ACTION_ENDED;
    if (open)
        session_set_goal(self->session, GOAL_STREAM);
    channel_unlock(self);
    if (room == ROOM_NOW && id < 0) {
        PyErr_NoMemory();
        return -3;
    }
    if (open)
        channel_progress(self);
    return open && channel_raise_interrupt(self) < 0 ? -3 : id;
}

static PyObject *send_map(channel_object *self, PyObject *pairs, bool first) {
    // What is sent in an event loop goes with what runs there.
    if (channel_check_open(self) < 0 || (self->loop != NULL && channel_join_running_loop(self) < 0))
        return NULL;
    if (!PyList_Check(pairs)) {
        PyErr_SetString(PyExc_TypeError, "a list of pairs of str is wanted");
        return NULL;
    }
    Py_ssize_t count = PyList_Size(pairs);
    map_field *fields = PyMem_Calloc((size_t)count + 1, sizeof *fields);
    if (fields == NULL)
        return PyErr_NoMemory();
    int64_t id = read_fields(pairs, fields, count) < 0 ? -3 : queue_map(self, fields, (size_t)count, first);
    PyMem_Free(fields);
    return id == -3 ? NULL : PyLong_FromLongLong(id);
}

// The maps that `tell` tells of, as MapsRefused has them.
static PyObject *maps_told(channel_object *self, bool (*tell)(session *, strbuf *)) {
    strbuf lines = {0};
    if (channel_check(self) < 0)
        return NULL;
    channel_lock(self);
    if (!tell(self->session, &lines))
        strbuf_fail(&lines);
    channel_unlock(self);
    return str_from_written(&lines, "strict");
}

PyObject *channel_pending(PyObject *op, PyObject *unused) {
    (void)unused;
    return maps_told((channel_object *)op, session_tell_unsent);
}

PyObject *channel_drop_unsent(PyObject *op, PyObject *unused) {
    channel_object *self = (channel_object *)op;
    (void)unused;
    // Whoever waits until all is sent, or for room, need not any more, and looks when this is done.
    if (channel_check(self) < 0 || channel_wake_waiters(self) < 0)
        return NULL;
    return maps_told(self, session_drop_unsent);
}

PyObject *channel_send(PyObject *op, PyObject *pairs) {
    return send_map((channel_object *)op, pairs, false);
}

PyObject *channel_send_first(PyObject *op, PyObject *pairs) {
    return send_map((channel_object *)op, pairs, true);
}

// _flush(timeout): whether the server has all maps; timeout in seconds, negative for none.
PyObject *channel_flush(PyObject *op, PyObject *timeout) {
    channel_object *self = (channel_object *)op;
    double seconds = PyFloat_AsDouble(timeout);
    if ((seconds == -1.0 && PyErr_Occurred() != NULL) || channel_check_open(self) < 0 ||
        channel_check_sync(self) < 0 || channel_refuse_waiting(self) < 0)
        return NULL;
    want flushed = {.what = WANT_FLUSHED, .goal = GOAL_STREAM, .deadline_ms = want_deadline_ms(seconds)};
    if (channel_pursue(self, &flushed) < 0)
        return NULL;
    int come = channel_wait_for(self, &flushed);
    return come < 0 ? NULL : PyBool_FromLong(come);
}
