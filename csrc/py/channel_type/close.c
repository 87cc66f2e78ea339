/* A channel's end: close(), and what the garbage collector does. */
#include "py/channel_type/close.h"

#include "py/channel/in_event_loop.h"
#include "py/channel/in_thread.h"
#include "py/channel/lock.h"
#include "py/channel/ready_line.h"
#include "py/channel/report.h"
#include "py/exceptions.h"
#include "py/forks.h"
#include "py/loops/owner.h"

// Give the connections back.
static void shut(channel_object *self) {
    shared_loop *shared = channel_lock_idle(self);
    net_channel_close(self->net);
    // Others may share it (merge), or another thread may have been faster.
    bool alone =
        self->line == NULL && shared->loop != NULL && net_loop_channel_after(shared->loop, NULL) == NULL;
    if (alone)
        shared_loop_shut_lock_held(shared);
    self->closed = true;
    shared_loop_unlock(shared);
}

PyObject *channel_close(PyObject *op, PyObject *unused) {
    channel_object *self = (channel_object *)op;
    (void)unused;
    if (self->shared == NULL || self->forks != forks_seen() || self->closed)
        Py_RETURN_NONE;
    if (channel_check_sync(self) < 0)
        return NULL;
    self->closing = true;
    shared_loop *shared = channel_lock(self);
    shared_loop_step_soon_lock_held(shared, self->net);
    if (self->line != NULL)
        self->line->has_closed = true;
    shared_loop_unlock(shared);
    int64_t patience_ms = session_get_number(self->session, NUMBER_CLOSE_MS);
    want end = {.what = WANT_END, .deadline_ms = net_now_ms() + patience_ms};
    // Whatever happens meanwhile (Ctrl-C, a logger that fails), the channel is to be closed after this.
    outlook said = channel_wait(self, &end);
    shut(self);
    if (said == OUTLOOK_ERROR || channel_tell(self) < 0)
        return NULL;
    Py_RETURN_NONE;
}

PyObject *channel_begin_close(PyObject *op, PyObject *unused) {
    channel_object *self = (channel_object *)op;
    (void)unused;
    if (channel_check(self) < 0 || channel_check_async(self) < 0)
        return NULL;
    if (self->closing)
        Py_RETURN_FALSE;
    if (self->loop != NULL && channel_join_running_loop(self) < 0)
        return NULL;
    self->closing = true;
    if (channel_step(self) < 0)
        return NULL;
    Py_RETURN_TRUE;
}

PyObject *channel_finish_close(PyObject *op, PyObject *unused) {
    channel_object *self = (channel_object *)op;
    (void)unused;
    if (channel_check(self) < 0 || channel_check_async(self) < 0)
        return NULL;
    session_action ignored;
    channel_lock(self);
    session_close(self->session);
    session_next(self->session, net_now_ms(), &ignored); // one that nobody has used notices, too
    net_channel_close(self->net);
    channel_unlock(self);
    self->closed = true;
    set_aside failed = {0};
    if (channel_on_news(op) < 0)
        exception_set_aside(&failed);
    if (self->loop != NULL && channel_leave_loop(self) < 0)
        exception_set_aside(&failed);
    if (exception_resume(&failed) < 0)
        return NULL;
    Py_RETURN_NONE;
}

int channel_traverse(PyObject *op, visitproc visit, void *arg) {
    channel_object *self = (channel_object *)op;
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(self->token_source);
    Py_VISIT(self->logger);
    Py_VISIT(self->loop);
    Py_VISIT(self->waiters);
    Py_VISIT(self->raised);
    Py_VISIT(self->last_error);
    return 0;
}

int channel_clear(PyObject *op) {
    channel_object *self = (channel_object *)op;
    Py_CLEAR(self->token_source);
    Py_CLEAR(self->last_error);
    Py_XDECREF(atomic_exchange(&self->raised, NULL));
    // Without memory for that it is done with the next collection, or when the channel goes.
    if (self->waiters != NULL && PyList_SetSlice(self->waiters, 0, PY_SSIZE_T_MAX, NULL) < 0)
        exception_forgive(PyExc_MemoryError);
    return 0;
}

static void warn_unclosed(channel_object *self) {
    set_aside raised = {0};
    exception_set_aside(&raised);
    if (PyErr_WarnFormat(PyExc_ResourceWarning, 1, "unclosed channel %R", (PyObject *)self) < 0)
        PyErr_WriteUnraisable((PyObject *)self);
    exception_resume(&raised);
}

// Whoever drives the loop now is to come by no reference to what is about to go.
static void disown(channel_object *self) {
    channel_lock(self);
    void *known = net_channel_disown(self->net);
    channel_unlock(self);
    owner_forget(known);
}

// Called for instances of classes made in Python, but for those whose __del__() does not call this one.
void channel_finalize(PyObject *op) {
    channel_object *self = (channel_object *)op;
    bool ours = self->shared != NULL && self->forks == forks_seen();
    if (!ours)
        return;
    disown(self);
    if (self->loop != NULL && !self->closed)
        warn_unclosed(self);
}

static void free_net(channel_object *self) {
    // The garbage collector runs in whichever thread it likes.
    if (self->loop != NULL && !event_loop_is_here(self->loop) && event_loop_free_later(self->loop, self->net))
        return;
    channel_lock_idle(self);
    net_channel_free(self->net);
    channel_unlock(self);
    if (self->loop != NULL && channel_leave_loop(self) < 0)
        PyErr_WriteUnraisable((PyObject *)self->loop);
}

void channel_dealloc(PyObject *op) {
    channel_object *self = (channel_object *)op;
    PyTypeObject *type = Py_TYPE(op);
    bool ours = self->shared != NULL && self->forks == forks_seen();
    PyObject_GC_UnTrack(op);
#ifdef Py_GIL_DISABLED
    PyObject_ClearWeakRefs(op);
#endif
    if (ours)
        disown(self);
    channel_clear(op);
    // In a forked child all stays as it is. To clean up would write to connections that the parent process
    // goes on using; and the session may have been forked in the middle of a change that another thread made
    // to it.
    if (ours) {
        set_aside raised = {0};
        exception_set_aside(&raised);
        free_net(self);
        exception_resume(&raised);
        shared_loop_release(self->shared);
    }
    Py_CLEAR(self->logger);
    Py_CLEAR(self->waiters);
    Py_CLEAR(self->loop);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(op);
    Py_DECREF(type);
}
