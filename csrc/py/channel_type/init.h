/* A channel's beginning. */
#ifndef GAECHANNEL_PY_CHANNEL_TYPE_INIT_H
#define GAECHANNEL_PY_CHANNEL_TYPE_INIT_H

#include "py/channel/object.h"

int channel_init(PyObject *op, PyObject *args, PyObject *kwargs);

#endif
