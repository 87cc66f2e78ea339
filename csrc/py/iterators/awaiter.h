/* The type Awaiter: what `async for` and `await` ask a channel of an event loop for. */
#ifndef GAECHANNEL_PY_ITERATORS_AWAITER_H
#define GAECHANNEL_PY_ITERATORS_AWAITER_H

#include "py/channel/object.h"

/* 0, 1: messages, of all back channels, or of one; 2: batches; 3, 4, 5: initialized, open, connected; 6: all
 * maps are with the server; 7: the session has ended. */
PyObject *awaiter_new(channel_object *channel, int kind);

int awaiter_add_type(PyObject *module, module_state *state);

#endif
