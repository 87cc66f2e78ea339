/* Asking a caller's callables what the session asks. */
#include "py/channel/answer.h"

#include <pythread.h> // PyThread_get_thread_ident()

#include "py/channel/lock.h"
#include "py/channel/report.h"
#include "py/exceptions.h"
#include "py/wrong_type.h"

// Whose turn it is to ask the caller's callables; but for TURN_OURS, what channel_answer() returns then.
typedef enum turn {
    // With an exception set: this thread asks already, and whom it asks waits for the channel.
    TURN_ERROR = -1,
    TURN_OTHERS = 0, // another thread asks
    TURN_OVER = 1,   // another thread has asked, since this one saw what the session wants
    TURN_OURS = 2,   // this thread's, until end_asking()
} turn;

static void end_asking(channel_object *self) {
    self->answering = 0;
}

// What a URL is wanted for.
typedef struct url_question {
    request_kind kind;
    int64_t rid;
    int64_t aid;
} url_question;

// Whether the session asks that yet; of a URL, what for. Whoever has answered may have stepped the channel
// since, even to its next session, or not yet.
static bool asks_yet(channel_object *self, const session_action *asked, url_question *question) {
    channel_lock(self);
    session_action now = net_channel_state(self->net);
    bool asks = now.kind == asked->kind && !session_is_answered(self->session, asked);
    if (asked->kind == ACTION_ASK_URL)
        asks = asks && now.slot == asked->slot;
    if (asks && question != NULL)
        session_asked_url(self->session, asked->slot, &question->kind, &question->rid, &question->aid);
    channel_unlock(self);
    return asks;
}

static turn begin_asking(channel_object *self, const session_action *asked, url_question *question) {
    unsigned long me = PyThread_get_thread_ident();
    unsigned long asker = 0;
    if (atomic_compare_exchange_strong(&self->answering, &asker, me)) {
        if (asks_yet(self, asked, question))
            return TURN_OURS;
        end_asking(self);
        return TURN_OVER;
    }
    if (asker != me)
        return TURN_OTHERS;
    exception_raise(self->state->channel_error,
                    "a channel's own callable waits for the channel, which waits for the callable");
    return TURN_ERROR;
}

static int give_and_release_token(channel_object *self, PyObject *token) {
    int given = token != NULL ? channel_give_token(self, token) : -1;
    Py_XDECREF(token);
    return given < 0 ? -1 : 1;
}

static int give_token(channel_object *self, const session_action *asked) {
    turn whose = begin_asking(self, asked, NULL);
    if (whose != TURN_OURS)
        return (int)whose;
    PyObject *token = PyObject_CallNoArgs(self->token_source);
    int given = give_and_release_token(self, token);
    end_asking(self);
    return given;
}

// What comes later may have come when this is back: an event loop may run a task while it is made.
static int give_token_in_event_loop(channel_object *self) {
    self->awaits_answer = true;
    PyObject *ask_token = self->state->names[NAME_ASK_TOKEN];
    PyObject *token = PyObject_CallMethodObjArgs((PyObject *)self, ask_token, self->token_source, NULL);
    if (token == Py_None) {
        Py_DECREF(token);
        return 0;
    }
    self->awaits_answer = false;
    return give_and_release_token(self, token);
}

int channel_give_token(channel_object *self, PyObject *token) {
    const char *text = NULL;
    PyObject *decoded = NULL;
    if (PyBytes_Check(token))
        token = decoded = PyUnicode_FromEncodedObject(token, "utf-8", "strict");
    if (token != NULL && PyUnicode_Check(token))
        text = PyUnicode_AsUTF8AndSize(token, NULL);
    else if (token != NULL)
        raise_wrong_type("the token's callable", "must return a str", token);
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
    Py_XDECREF(decoded);
    return text != NULL ? 0 : -1;
}

// A subclass has replaced _get_init_url() or _get_bind_url(): call it as the old module did.
static PyObject *ask_url(channel_object *self, const url_question *question) {
    PyObject *op = (PyObject *)self;
    request_kind kind = question->kind;
    long long rid = question->rid, aid = question->aid;
    if (kind == REQUEST_INIT)
        return PyObject_CallMethodObjArgs(op, self->state->names[NAME_GET_INIT_URL], NULL);
    PyObject *keywords = NULL;
    if (kind == REQUEST_OPEN)
        keywords = Py_BuildValue("{sLsi}", "RID", rid, "CVER", 1);
    else if (kind == REQUEST_MAPS)
        keywords = Py_BuildValue("{sLsLsi}", "RID", rid, "AID", aid, "CVER", 1);
    else
        keywords = Py_BuildValue("{sisLssss}", "CI", 0, "AID", aid, "TYPE", "xmlhttp", "RID", "rpc");
    PyObject *method = PyObject_GetAttr(op, self->state->names[NAME_GET_BIND_URL]);
    PyObject *arguments = PyTuple_New(0);
    PyObject *url = NULL;
    if (keywords != NULL && method != NULL && arguments != NULL)
        url = PyObject_Call(method, arguments, keywords);
    Py_XDECREF(arguments);
    Py_XDECREF(method);
    Py_XDECREF(keywords);
    return url;
}

static int ask_and_give_url(channel_object *self, exchange_slot slot, const url_question *question) {
    PyObject *url = ask_url(self, question);
    if (url == NULL)
        return -1;
    const char *text = NULL;
    if (PyUnicode_Check(url))
        text = PyUnicode_AsUTF8AndSize(url, NULL);
    else
        raise_wrong_type("a URL", "must be a str", url);
    if (text != NULL && *text == '\0') {
        PyErr_SetString(PyExc_ValueError, "a URL must not be empty");
        text = NULL;
    }
    if (text != NULL) {
        channel_lock(self);
        bool given = session_give_url(self->session, slot, text);
        channel_unlock(self);
        if (!given) {
            PyErr_NoMemory();
            text = NULL;
        }
    }
    Py_DECREF(url);
    return text != NULL ? 1 : -1;
}

static int give_url(channel_object *self, const session_action *asked) {
    url_question question;
    turn whose = begin_asking(self, asked, &question);
    if (whose != TURN_OURS)
        return (int)whose;
    int given = ask_and_give_url(self, asked->slot, &question);
    end_asking(self);
    return given;
}

void channel_take_answer(channel_object *self, bool session_opens) {
    self->awaits_answer = false;
    shared_loop *shared = channel_lock(self);
    session_answered(self->session, session_opens);
    shared_loop_step_soon_lock_held(shared, self->net); // for others who wait
    shared_loop_unlock(shared);
}

// Have the caller's callables asked, by gaechannel's Python code, without the lock. With asyncio the answer
// may come later, by _take_answer(). 1: it is there; 0: it is not; -1 with an exception set.
static int ask(channel_object *self, const session_action *asked) {
    bool session_opens = asked->kind == ACTION_ASK_SESSION;
    turn whose = begin_asking(self, asked, NULL);
    if (whose != TURN_OURS)
        return (int)whose;
    if (session_opens) {
        channel_lock(self);
        session_prepare(self->session);
        channel_unlock(self);
    }
    // As for tokens: what comes later may have come when this is back.
    self->awaits_answer = self->is_async;
    PyObject *method = self->state->names[session_opens ? NAME_PREPARE_SESSION : NAME_RENEW_HEADERS];
    PyObject *later = PyObject_CallMethodObjArgs((PyObject *)self, method, NULL);
    if (later != NULL && later != Py_True)
        channel_take_answer(self, session_opens);
    else if (later == NULL)
        self->awaits_answer = false;
    end_asking(self);
    Py_XDECREF(later);
    return later == NULL ? -1 : later != Py_True;
}

int channel_refuse_waiting(channel_object *self) {
    if (self->tellings == 0 && self->answering == 0 && !self->awaits_answer)
        return 0;
    PyObject *may =
        PyObject_CallMethodObjArgs((PyObject *)self, self->state->names[NAME_REFUSE_WAITING], NULL);
    Py_XDECREF(may);
    return may != NULL ? 0 : -1;
}

int channel_answer(channel_object *self, const session_action *state) {
    if (state->kind == ACTION_ASK_SESSION || state->kind == ACTION_ASK_HEADERS)
        return self->awaits_answer ? 0 : ask(self, state);
    if (state->kind == ACTION_ASK_TOKEN && self->is_async)
        return self->awaits_answer ? 0 : give_token_in_event_loop(self);
    if (state->kind == ACTION_ASK_TOKEN)
        return self->awaits_answer ? 0 : give_token(self, state);
    return state->kind == ACTION_ASK_URL ? give_url(self, state) : 0;
}

int channel_log_and_answer(channel_object *self, news *found) {
    *found = channel_peek(self, NULL);
    if (found->logs) {
        if (channel_tell(self) < 0)
            return -1;
        *found = channel_peek(self, NULL);
    }
    return found->asks ? channel_answer(self, &found->state) : 0;
}
