/* The methods of the type Channel. */
#include "py/channel_type/methods.h"

#include <time.h> // clock_gettime()

#include "py/channel/answer.h"
#include "py/channel/in_event_loop.h"
#include "py/channel/in_thread.h"
#include "py/channel/lock.h"
#include "py/channel/raised.h"
#include "py/channel_type/close.h"
#include "py/channel_type/hooks.h"
#include "py/channel_type/sending.h"
#include "py/iterators/awaiter.h"
#include "py/iterators/messages.h"
#include "py/iterators/receive.h"
#include "py/strings.h"

/* ---- Iterating and connecting ---- */

// _messages(wanted, max_size=0)
static PyObject *channel_messages(PyObject *op, PyObject *args) {
    channel_object *self = (channel_object *)op;
    PyObject *name;
    Py_ssize_t most = 0;
    want wanted;
    if (!PyArg_ParseTuple(args, "U|n", &name, &most) || channel_check_open(self) < 0 ||
        channel_check_sync(self) < 0 || !want_named(name, &wanted))
        return NULL;
    wanted.most = (size_t)most;
    return messages_new(self, &wanted);
}

// _recv(timeout): in seconds, negative for none.
static PyObject *channel_recv(PyObject *op, PyObject *timeout) {
    channel_object *self = (channel_object *)op;
    double seconds = PyFloat_AsDouble(timeout);
    if ((seconds == -1.0 && PyErr_Occurred() != NULL) || channel_check_open(self) < 0 ||
        channel_check_sync(self) < 0)
        return NULL;
    want message = {
        .what = WANT_MESSAGE, .goal = GOAL_STREAM, .once = true, .deadline_ms = want_deadline_ms(seconds)};
    if (seconds != 0 && channel_refuse_waiting(self) < 0)
        return NULL;
    return receive_in_thread(self, &message);
}

PyObject *channel_iter(PyObject *op) {
    channel_object *self = (channel_object *)op;
    want wanted = {.what = WANT_MESSAGE, .goal = GOAL_STREAM, .deadline_ms = SESSION_NEVER};
    if (channel_check_open(self) < 0 || channel_check_sync(self) < 0)
        return NULL;
    return messages_new(self, &wanted);
}

// _reach(wanted, anew, timeout=-1.0): whether it was reached within so many seconds, negative for any.
static PyObject *channel_reach(PyObject *op, PyObject *args) {
    channel_object *self = (channel_object *)op;
    PyObject *name;
    int anew;
    double seconds = -1.0;
    want wanted;
    if (!PyArg_ParseTuple(args, "Up|d", &name, &anew, &seconds) || channel_check_open(self) < 0 ||
        channel_check_sync(self) < 0 || !want_named(name, &wanted) || channel_refuse_waiting(self) < 0)
        return NULL;
    wanted.deadline_ms = want_deadline_ms(seconds);
    if ((anew ? channel_pursue_alone(self, &wanted, true) : channel_pursue(self, &wanted)) < 0)
        return NULL;
    int come = channel_wait_for(self, &wanted);
    return come < 0 ? NULL : PyBool_FromLong(come);
}

/* ---- What the session is asked and told ---- */

static PyObject *channel_set_custom_urls(PyObject *op, PyObject *args) {
    channel_object *self = (channel_object *)op;
    int init, bind;
    if (!PyArg_ParseTuple(args, "pp", &init, &bind) || channel_check(self) < 0)
        return NULL;
    channel_lock(self);
    session_set_custom_urls(self->session, init, bind);
    channel_unlock(self);
    Py_RETURN_NONE;
}

static PyObject *url_of(channel_object *self, void (*write)(session *, strbuf *)) {
    strbuf url = {0};
    if (channel_check(self) < 0)
        return NULL;
    channel_lock(self);
    write(self->session, &url);
    channel_unlock(self);
    return str_from_written(&url, "surrogateescape");
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
    channel_lock(self);
    init_page read = session_read_init_page(self->session, text, (size_t)length);
    channel_unlock(self);
    return read == PAGE_NO_MEMORY ? PyErr_NoMemory() : PyBool_FromLong(read == PAGE_READ);
}

static PyObject *channel_redact(PyObject *op, PyObject *text) {
    channel_object *self = (channel_object *)op;
    strbuf redacted = {0};
    const char *words = PyUnicode_AsUTF8AndSize(text, NULL);
    if (words == NULL || channel_check(self) < 0)
        return NULL;
    channel_lock(self);
    session_redact(self->session, words, &redacted);
    channel_unlock(self);
    return str_from_written(&redacted, "replace");
}

static PyObject *channel_stats(PyObject *op, PyObject *unused) {
    channel_object *self = (channel_object *)op;
    (void)unused;
    if (channel_check(self) < 0)
        return NULL;
    channel_lock(self);
    session_stats stats = *session_get_stats(self->session);
    channel_unlock(self);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    double age = (double)(net_now_ms() - stats.last_message_ms) / 1000.0;
    double last = stats.last_message_ms < 0 ? -1 : (double)now.tv_sec + (double)now.tv_nsec / 1e9 - age;
    return Py_BuildValue("(KKKKKKd)", stats.bytes, stats.chunks, stats.arrays, stats.messages,
                         stats.reconnects, stats.sessions, last);
}

// What was taken last, oldest first, as tuples: the array's id, how it began, its length in bytes. Of a
// message that is longer than PAST_BYTES, the last character may be cut.
static PyObject *channel_past(PyObject *op, PyObject *unused) {
    channel_object *self = (channel_object *)op;
    past_record kept[PAST_RECORDS];
    (void)unused;
    if (channel_check(self) < 0)
        return NULL;
    channel_lock(self);
    const past_records *past = queue_past(session_queue(self->session));
    size_t count = past_count(past);
    for (size_t place = 0; place < count; place++)
        kept[place] = *past_get(past, place);
    channel_unlock(self);
    PyObject *list = PyList_New(0);
    for (size_t place = 0; list != NULL && place < count; place++) {
        size_t length = kept[place].length < PAST_BYTES ? kept[place].length : PAST_BYTES;
        PyObject *one = Py_BuildValue("(Ly#I)", (long long)kept[place].id, (const char *)kept[place].bytes,
                                      (Py_ssize_t)length, (unsigned int)kept[place].length);
        if (one == NULL || PyList_Append(list, one) < 0)
            Py_CLEAR(list);
        Py_XDECREF(one);
    }
    return list;
}

/* ---- asyncio ---- */

// _await(wanted, max_size=0, timeout=-1): of the timeout, only 0 says anything, to wait for nothing.
static PyObject *channel_await(PyObject *op, PyObject *args) {
    channel_object *self = (channel_object *)op;
    PyObject *name;
    Py_ssize_t most = 0;
    double seconds = -1;
    want wanted;
    if (!PyArg_ParseTuple(args, "U|nd", &name, &most, &seconds) || channel_check(self) < 0 ||
        channel_check_async(self) < 0 || !want_named(name, &wanted))
        return NULL;
    wanted.most = (size_t)most;
    wanted.deadline_ms = want_deadline_ms(seconds);
    // What is awaited for its own sake may be the end; all else must not be over.
    if (wanted.what != WANT_END && channel_check_open(self) < 0)
        return NULL;
    return awaiter_new(self, &wanted);
}

static PyObject *channel_take_token(PyObject *op, PyObject *token) {
    channel_object *self = (channel_object *)op;
    self->awaits_answer = false;
    if (channel_check(self) < 0 || channel_give_token(self, token) < 0 || channel_step(self) < 0)
        return NULL;
    Py_RETURN_NONE;
}

// Whoever asks next is to know of it.
static PyObject *channel_keep(PyObject *op, PyObject *error) {
    channel_object *self = (channel_object *)op;
    if (channel_check(self) < 0)
        return NULL;
    if (!PyExceptionInstance_Check(error)) {
        PyErr_SetString(PyExc_TypeError, "an exception is wanted");
        return NULL;
    }
    if (self->closing)
        Py_RETURN_NONE;
    PyErr_SetObject((PyObject *)Py_TYPE(error), error);
    channel_keep_exception(self);
    // Nothing else: the callable is asked again only when somebody wants to go on.
    if (channel_wake_waiters(self) < 0)
        return NULL;
    Py_RETURN_NONE;
}

// A callable has failed whose answer was awaited.
static PyObject *channel_fail(PyObject *op, PyObject *error) {
    ((channel_object *)op)->awaits_answer = false;
    return channel_keep(op, error);
}

static PyObject *channel_forget(PyObject *op, PyObject *name) {
    channel_object *self = (channel_object *)op;
    want wanted;
    if (channel_check(self) < 0 || !want_named(name, &wanted) ||
        (self->loop != NULL && channel_join_running_loop(self) < 0))
        return NULL;
    channel_lock(self);
    session_forget(self->session, wanted.goal);
    channel_unlock(self);
    Py_RETURN_NONE;
}

/* ---- The table ---- */

PyMethodDef channel_methods[] = {
    {"close", channel_close, METH_NOARGS,
     "close($self, /)\n--\n\n"
     "End the channel, from any thread or a signal handler: a waiting next() ends within 100 ms with the "
     "end\n"
     "of iteration, connections are closed, and, where the dialect can, the server is told. May be called\n"
     "twice. Messages that were received and not taken are dropped."},
    {"_messages", channel_messages, METH_VARARGS,
     "_messages($self, wanted, max_size=0, /)\n--\n\n"
     "An iterator over \"messages\", over \"batches\" of them, or those of a \"poll\"."},
    {"_recv", channel_recv, METH_O, "_recv($self, timeout, /)\n--\n\nWait for one message."},
    {"_reach", channel_reach, METH_VARARGS,
     "_reach($self, wanted, anew, timeout=-1.0, /)\n--\n\nWait until \"initialized\", \"open\", "
     "\"connected\"."},
    {"_send", channel_send, METH_O,
     "_send($self, pairs, /)\n--\n\n"
     "Queue a map, a list of (key, value); its id. -1: there is no room for it now; -2: nor will there be."},
    {"_pending", channel_pending, METH_NOARGS,
     "_pending($self, /)\n--\n\nThe maps that are not confirmed, a line each."},
    {"_drop_unsent", channel_drop_unsent, METH_NOARGS,
     "_drop_unsent($self, /)\n--\n\nThe same, which are taken off."},
    {"_send_first", channel_send_first, METH_O,
     "_send_first($self, pairs, /)\n--\n\nThe same, of the session that is about to open."},
    {"_set_asks", channel_set_asks, METH_VARARGS,
     "_set_asks($self, session, headers, states, cookies, /)\n--\n\nWhat somebody wants to be asked or "
     "told."},
    {"_set_headers", channel_set_headers, METH_VARARGS,
     "_set_headers($self, headers, cookies, all, /)\n--\n\nSet them for the next requests."},
    {"_cookies", channel_cookies, METH_NOARGS, "_cookies($self, /)\n--\n\nThe cookies, a line each."},
    {"_set_secrets", channel_set_secrets, METH_VARARGS,
     "_set_secrets($self, secrets, privates, /)\n--\n\nRemember these in the place of the last ones."},
    {"_set_opening_retry", channel_set_opening_retry, METH_O,
     "_set_opening_retry($self, patient, /)\n--\n\nHow the next opening goes on after a failure."},
    {"_take_answer", channel_take_late_answer, METH_O,
     "_take_answer($self, session_opens, /)\n--\n\nGo on: what was awaited is set."},
    {"_flush", channel_flush, METH_O,
     "_flush($self, timeout, /)\n--\n\nWait until the server has all maps; whether it has."},
    {"_await", channel_await, METH_VARARGS,
     "_await($self, wanted, max_size=0, timeout=-1, /)\n--\n\nSomething to await; see channel/want.h."},
    {"_begin_close", channel_begin_close, METH_NOARGS, "_begin_close($self, /)\n--\n\nBegin to close."},
    {"_finish_close", channel_finish_close, METH_NOARGS, "_finish_close($self, /)\n--\n\nClose now."},
    {"_take_token", channel_take_token, METH_O, "_take_token($self, token, /)\n--\n\nTake a token."},
    {"_fail", channel_fail, METH_O, "_fail($self, error, /)\n--\n\nRaise it in whoever waits."},
    {"_keep", channel_keep, METH_O, "_keep($self, error, /)\n--\n\nThe same, of what nobody awaits."},
    {"_forget", channel_forget, METH_O, "_forget($self, wanted, /)\n--\n\nReach it anew."},
    {"_set_custom_urls", channel_set_custom_urls, METH_VARARGS,
     "_set_custom_urls($self, init, bind, /)\n--\n\nWhether _get_init_url() and _get_bind_url() are asked."},
    {"_init_url", channel_init_url, METH_NOARGS, "_init_url($self, /)\n--\n\nThe URL of the init page."},
    {"_common_url", channel_common_url, METH_NOARGS,
     "_common_url($self, /)\n--\n\nA bind request's URL without what one request has of its own."},
    {"_read_init_page", channel_read_init_page, METH_O,
     "_read_init_page($self, page, /)\n--\n\nTake clid and gsessionid from the page; whether it had them."},
    {"_redact", channel_redact, METH_O, "_redact($self, text, /)\n--\n\nThe text without secrets."},
    {"_stats", channel_stats, METH_NOARGS, "_stats($self, /)\n--\n\nThe counters, as a tuple."},
    {"_past", channel_past, METH_NOARGS,
     "_past($self, /)\n--\n\nHow the last messages that were taken began."},
    {NULL, NULL, 0, NULL},
};
