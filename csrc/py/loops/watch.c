/* Noting down what libcurl wants watched, and telling the event loop. */
#include "py/loops/watch.h"

#include <stdlib.h> // realloc()
#include <string.h> // memset()

#include "py/exceptions.h"

// How late a timer is that the event loop was kept from calling.
#define LATE_MS 100

/* ---- Noting down ---- */

static void note_change(void *context, curl_socket_t socket, int events) {
    watch *self = context;
    if (self->change_count == self->change_capacity) {
        size_t capacity = self->change_capacity ? self->change_capacity * 2 : 16;
        watch_change *changes = realloc(self->changes, capacity * sizeof *changes);
        if (changes == NULL) {
            self->lost_changes = true;
            return;
        }
        self->changes = changes;
        self->change_capacity = capacity;
    }
    self->changes[self->change_count++] = (watch_change){(int)socket, events};
}

// `callback` may be NULL, and is called with the socket if it `takes_socket`.
static int call(watch *self, py_name method, int socket, PyObject *callback, bool takes_socket) {
    PyObject *number = PyLong_FromLong(socket);
    PyObject *done = number != NULL
                         ? PyObject_CallMethodObjArgs(self->event_loop, self->names[method], number, callback,
                                                      takes_socket ? number : NULL, NULL)
                         : NULL;
    Py_XDECREF(number);
    Py_XDECREF(done);
    return done != NULL ? 0 : -1;
}

static bool make_room_to_watch(watch *self, size_t socket) {
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

static int apply_change(watch *self, watch_change wanted) {
    if (wanted.socket < 0 || !make_room_to_watch(self, (size_t)wanted.socket)) {
        PyErr_NoMemory();
        return -1;
    }
    int had = self->watched[wanted.socket];
    int gained = wanted.events & ~had;
    int lost = had & ~wanted.events;
    self->watched[wanted.socket] = (unsigned char)wanted.events;
    if ((lost & CURL_POLL_IN) && call(self, NAME_REMOVE_READER, wanted.socket, NULL, false) < 0)
        return -1;
    if ((lost & CURL_POLL_OUT) && call(self, NAME_REMOVE_WRITER, wanted.socket, NULL, false) < 0)
        return -1;
    if ((gained & CURL_POLL_IN) && call(self, NAME_ADD_READER, wanted.socket, self->on_read, true) < 0)
        return -1;
    if ((gained & CURL_POLL_OUT) && call(self, NAME_ADD_WRITER, wanted.socket, self->on_write, true) < 0)
        return -1;
    return 0;
}

int watch_tell(watch *self) {
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

static int cancel_timer(watch *self) {
    if (self->timer == NULL)
        return 0;
    PyObject *done = PyObject_CallMethodObjArgs(self->timer, self->names[NAME_CANCEL], NULL);
    Py_CLEAR(self->timer);
    Py_XDECREF(done);
    return done != NULL ? 0 : -1;
}

// A timer that comes too early does no harm, and is not worth cancelling.
int watch_set_timer(watch *self, int64_t at_ms) {
    if (at_ms == SESSION_NEVER || (self->timer != NULL && self->timer_ms <= at_ms))
        return 0;
    if (cancel_timer(self) < 0)
        return -1;
    int64_t now_ms = net_now_ms();
    int64_t in_ms = at_ms - now_ms;
    self->timer_ms = at_ms;
    self->due_ms = in_ms > 0 ? at_ms : now_ms;
    if (in_ms <= 0) {
        PyObject *call_soon = self->names[NAME_CALL_SOON];
        self->timer = PyObject_CallMethodObjArgs(self->event_loop, call_soon, self->on_timer, NULL);
    } else {
        PyObject *call_later = self->names[NAME_CALL_LATER];
        PyObject *delay = PyFloat_FromDouble((double)in_ms / 1000.0);
        if (delay != NULL)
            self->timer =
                PyObject_CallMethodObjArgs(self->event_loop, call_later, delay, self->on_timer, NULL);
        Py_XDECREF(delay);
    }
    return self->timer != NULL ? 0 : -1;
}

void watch_timer_has_run(watch *self) {
    Py_CLEAR(self->timer);
}

bool watch_puts_off(watch *self) {
    self->put_off = !self->put_off && net_now_ms() - self->due_ms >= LATE_MS;
    return self->put_off;
}

bool watch_has_descriptor(const watch *self) {
    return self->descriptor >= 0;
}

bool watch_has_to_tell(const watch *self) {
    return self->change_count != 0;
}

/* ---- Begin and end ---- */

// Have the event loop watch one descriptor, or be told of every socket.
int watch_begin(watch *self, net_loop *loop) {
    net_watcher watcher = {.context = self, .socket = note_change};
    self->descriptor = self->watches_sockets ? -1 : net_loop_descriptor(loop);
    if (self->descriptor < 0) {
        net_loop_watch(loop, &watcher);
        return 0;
    }
    return call(self, NAME_ADD_READER, self->descriptor, self->on_ready, false);
}

int watch_end(watch *self) {
    set_aside failed = {0};
    self->change_count = 0;
    if (self->descriptor >= 0 && call(self, NAME_REMOVE_READER, self->descriptor, NULL, false) < 0)
        exception_set_aside(&failed);
    self->descriptor = -1;
    for (size_t socket = 0; socket < self->watched_size; socket++)
        if (self->watched[socket] != 0 && apply_change(self, (watch_change){(int)socket, 0}) < 0)
            exception_set_aside(&failed);
    if (cancel_timer(self) < 0)
        exception_set_aside(&failed);
    return exception_resume(&failed) < 0 ? watch_forgive_closed(self) : 0;
}

// What an event loop raises when it is closed, each says in its own way.
int watch_forgive_closed(const watch *self) {
    if (!PyErr_ExceptionMatches(PyExc_Exception))
        return -1;
    if (self->event_loop == NULL) // the garbage collector has taken it
        return exception_forgive(PyExc_Exception) ? 0 : -1;
    set_aside raised = {0};
    exception_set_aside(&raised);
    PyObject *answer = PyObject_CallMethodObjArgs(self->event_loop, self->names[NAME_IS_CLOSED], NULL);
    int is_closed = answer != NULL ? PyObject_IsTrue(answer) : -1;
    Py_XDECREF(answer);
    if (is_closed < 0 && exception_forgive(PyExc_AttributeError))
        is_closed = 1; // the garbage collector has emptied it
    else if (is_closed < 0)
        exception_set_aside(&raised);
    return exception_resume(&raised) < 0 && is_closed > 0 && exception_forgive(PyExc_Exception) ? 0 : -1;
}

int watch_init(watch *self, PyObject *called, PyObject *event_loop, PyObject *const *names,
               bool watches_sockets) {
    self->descriptor = -1;
    self->watches_sockets = watches_sockets;
    Py_INCREF(event_loop);
    self->event_loop = event_loop;
    self->names = names;
    self->on_ready = PyObject_GetAttrString(called, "_on_ready");
    self->on_read = PyObject_GetAttrString(called, "_on_read");
    self->on_write = PyObject_GetAttrString(called, "_on_write");
    self->on_timer = PyObject_GetAttrString(called, "_on_timer");
    bool found =
        self->on_ready != NULL && self->on_read != NULL && self->on_write != NULL && self->on_timer != NULL;
    return found ? 0 : -1;
}

int watch_traverse(watch *self, visitproc visit, void *arg) {
    Py_VISIT(self->event_loop);
    Py_VISIT(self->on_ready);
    Py_VISIT(self->on_read);
    Py_VISIT(self->on_write);
    Py_VISIT(self->on_timer);
    Py_VISIT(self->timer);
    return 0;
}

void watch_clear(watch *self) {
    Py_CLEAR(self->on_ready);
    Py_CLEAR(self->on_read);
    Py_CLEAR(self->on_write);
    Py_CLEAR(self->on_timer);
    Py_CLEAR(self->timer);
    Py_CLEAR(self->event_loop);
}

void watch_free(watch *self) {
    free(self->changes);
    free(self->watched);
}
