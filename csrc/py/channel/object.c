/* Whether a channel can be used. */
#include "py/channel/object.h"

#include "py/exceptions.h"
#include "py/forks.h"

int channel_check(channel_object *self) {
    if (self->shared == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "the channel's __init__() was not called");
        return -1;
    }
    if (self->forks != forks_seen()) {
        exception_raise(self->state->channel_error,
                        "this channel belongs to the process that forked this one: make a new one here");
        return -1;
    }
    return 0;
}

int channel_check_open(channel_object *self) {
    if (channel_check(self) < 0)
        return -1;
    if (!self->closing)
        return 0;
    exception_raise(self->state->closed, "the channel was closed");
    return -1;
}
