/* The iterator over a channel's messages. */
#ifndef GAECHANNEL_PY_ITERATORS_MESSAGES_H
#define GAECHANNEL_PY_ITERATORS_MESSAGES_H

#include "py/channel/want.h"

/* A new iterator over the messages that are wanted. */
PyObject *messages_new(channel_object *channel, const want *wanted);

int messages_add_type(PyObject *module, module_state *state);

#endif
