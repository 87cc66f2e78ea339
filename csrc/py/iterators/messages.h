/* The iterator over a channel's messages. */
#ifndef GAECHANNEL_PY_ITERATORS_MESSAGES_H
#define GAECHANNEL_PY_ITERATORS_MESSAGES_H

#include "py/channel/object.h"

/* A new iterator over the channel's messages. */
PyObject *messages_new(channel_object *channel, session_goal goal);

int messages_add_type(PyObject *module, module_state *state);

#endif
