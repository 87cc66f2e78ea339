/* The type Awaiter: what `async for` and `await` ask a channel of an event loop for. */
#ifndef GAECHANNEL_PY_ITERATORS_AWAITER_H
#define GAECHANNEL_PY_ITERATORS_AWAITER_H

#include "py/channel/want.h"

/* A new asynchronous iterator over the messages that are wanted; or something to await for anything else. */
PyObject *awaiter_new(channel_object *channel, const want *wanted);

int awaiter_add_type(PyObject *module, module_state *state);

#endif
