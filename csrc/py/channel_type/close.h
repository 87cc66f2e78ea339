/* A channel's end. */
#ifndef GAECHANNEL_PY_CHANNEL_TYPE_CLOSE_H
#define GAECHANNEL_PY_CHANNEL_TYPE_CLOSE_H

#include "py/channel/object.h"

PyObject *channel_close(PyObject *op, PyObject *unused);
/* asyncio: whether there is anything to close; then the second must follow. */
PyObject *channel_begin_close(PyObject *op, PyObject *unused);
PyObject *channel_finish_close(PyObject *op, PyObject *unused);

/* ---- Slots of the type ---- */

int channel_traverse(PyObject *op, visitproc visit, void *arg);
int channel_clear(PyObject *op);
void channel_finalize(PyObject *op);
void channel_dealloc(PyObject *op);

#endif
