/* A channel's __init__(): its session, its connections, its loop. */
#include "py/channel_type/init.h"

#include <stdint.h> // uintptr_t
#include <time.h>   // clock_gettime()
#include <unistd.h> // getpid()

#include "py/channel_type/options.h"
#include "py/forks.h"
#include "py/loops/owner.h"

// How many bytes of messages may wait in asyncio, unless the caller says so: there, a channel's messages are
// taken in one go, while all other channels of the loop wait.
#define ASYNC_QUEUE_LIMIT (512 * 1024)

static uint64_t make_seed(const void *self) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t seed = (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
    return (seed ^ ((uint64_t)(uintptr_t)self << 16) ^ (uint64_t)(unsigned)getpid()) *
           UINT64_C(0x9E3779B97F4A7C15);
}

typedef bool remember(session *, const char *text, size_t length);

// Have each of the strings remembered.
static int add_all(session *session_, PyObject *secrets, remember *add) {
    Py_ssize_t count = secrets != NULL ? PySequence_Size(secrets) : 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *secret = PySequence_GetItem(secrets, i);
        Py_ssize_t length;
        const char *text = secret != NULL ? PyUnicode_AsUTF8AndSize(secret, &length) : NULL;
        bool added = text != NULL && add(session_, text, (size_t)length);
        Py_XDECREF(secret);
        if (!added && text != NULL)
            PyErr_NoMemory();
        if (!added)
            return -1;
    }
    return count < 0 ? -1 : 0;
}

// A session with what `given` says; NULL with an exception set.
static session *make_session(const channel_options *given) {
    session *made = session_new(&given->session);
    if (made == NULL || !session_set(made, FIELD_TOKEN, given->token) ||
        !session_set(made, FIELD_PARAMS, given->params) ||
        !session_set(made, FIELD_OPEN_FORM, given->open_form) ||
        !session_set(made, FIELD_INIT_HEADERS, given->init_headers)) {
        session_free(made);
        PyErr_NoMemory();
        return NULL;
    }
    session_set_asks_token(made, given->token_source != NULL);
    if (add_all(made, given->secrets, session_add_secret) == 0 &&
        add_all(made, given->privates, session_add_private) == 0)
        return made;
    session_free(made);
    return NULL;
}

int channel_init(PyObject *op, PyObject *args, PyObject *kwargs) {
    channel_object *self = (channel_object *)op;
    channel_options given = {.session.seed = make_seed(self)};
    if (self->shared != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "__init__() was called twice");
        return -1;
    }
    if (channel_options_read(&given, args, kwargs) < 0 ||
        (self->state = module_state_of_type(Py_TYPE(op))) == NULL)
        return -1;
    if (given.session.queue_limit == 0 && given.is_async)
        given.session.queue_limit = ASYNC_QUEUE_LIMIT;
    session *made = make_session(&given);
    if (made == NULL)
        return -1;
    void *known = owner_known_as(op);
    net_channel *net = known != NULL ? net_channel_new(made, &given.net, known) : NULL;
    shared_loop *shared = net != NULL ? shared_loop_new(!given.is_async) : NULL;
    PyObject *waiters = given.is_async ? PyList_New(0) : NULL;
    if (shared == NULL || (given.is_async && waiters == NULL) || !net_channel_join(net, shared->loop)) {
        if (net != NULL)
            net_channel_free(net);
        else
            session_free(made);
        shared_loop_release(shared);
        owner_forget(known);
        Py_XDECREF(waiters);
        return PyErr_Occurred() == NULL ? (PyErr_NoMemory(), -1) : -1;
    }
    self->session = made;
    self->net = net;
    self->unwraps = given.unwraps;
    self->is_async = given.is_async;
    self->waiters = waiters;
    self->forks = forks_seen();
    Py_INCREF(given.logger);
    self->logger = given.logger;
    Py_XINCREF(given.token_source);
    self->token_source = given.token_source;
    self->shared = shared; // last: from now on the channel may be used
    return 0;
}
