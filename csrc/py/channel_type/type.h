/* The type Channel. */
#ifndef GAECHANNEL_PY_CHANNEL_TYPE_TYPE_H
#define GAECHANNEL_PY_CHANNEL_TYPE_TYPE_H

#include "py/state.h"

int channel_add_type(PyObject *module, module_state *state);

#endif
