/* The methods of the type Channel. */
#ifndef GAECHANNEL_PY_CHANNEL_TYPE_METHODS_H
#define GAECHANNEL_PY_CHANNEL_TYPE_METHODS_H

#include "py/channel/object.h"

extern PyMethodDef channel_methods[];

PyObject *channel_iter(PyObject *op);

#endif
