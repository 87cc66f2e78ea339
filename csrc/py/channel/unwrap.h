/* What a WebChannel's array holds: a message, or an error that arrived as one. */
#ifndef GAECHANNEL_PY_CHANNEL_UNWRAP_H
#define GAECHANNEL_PY_CHANNEL_UNWRAP_H

#include "py/state.h"

/* The message that an array's data is, or is the only item of, whose reference is taken. NULL: with
 * WebChannelError, or another exception; or without, where the data only tells of a response's head. */
PyObject *unwrap_message(module_state *state, PyObject *message);

#endif
