/* Methods by which maps are queued, told of, taken back and waited for. */
#ifndef GAECHANNEL_PY_CHANNEL_TYPE_SENDING_H
#define GAECHANNEL_PY_CHANNEL_TYPE_SENDING_H

#include "py/channel/object.h"

PyObject *channel_send(PyObject *op, PyObject *pairs);
PyObject *channel_send_first(PyObject *op, PyObject *pairs);
PyObject *channel_pending(PyObject *op, PyObject *unused);
PyObject *channel_drop_unsent(PyObject *op, PyObject *unused);
PyObject *channel_flush(PyObject *op, PyObject *timeout);

#endif
