/* StopIterations, by which an iterator's end says what was awaited: CPython 3.12 and 3.13 ask in no other
 * way. */
#ifndef GAECHANNEL_PY_ITERATORS_STOP_H
#define GAECHANNEL_PY_ITERATORS_STOP_H

#include "py/state.h"

// An awaitable's am_send.
typedef PySendResult stop_sender(PyObject *op, PyObject *value, PyObject **result);

/* An awaitable's tp_iternext, of its am_send: what that returns is raised as the value of a StopIteration,
 * which is made before, so that no message is taken that there is no memory to hand over. `kept`, unless
 * NULL, is a place for one that has brought a small text, and may bring the next; NULL while none is kept. */
PyObject *stop_next(module_state *state, PyObject *op, stop_sender *send, PyObject **kept);

/* To be called once, before the others. -1 with an exception set. */
int stop_prepare(module_state *state);

#endif
