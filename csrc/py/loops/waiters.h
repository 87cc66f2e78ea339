/* The tasks that wait for something in an event loop: a list of futures. */
#ifndef GAECHANNEL_PY_LOOPS_WAITERS_H
#define GAECHANNEL_PY_LOOPS_WAITERS_H

#include "py/loops/event_loop.h"

/* Give each of the futures its result, and put an empty list in the list's place. -1 with an exception set;
 * those who could not be told stay in the list. */
int waiters_wake(event_loop_object *loop, PyObject **waiters);

/* A new future of the event loop, added to the list; for a task to wait for. NULL with an exception set. */
PyObject *waiters_add(event_loop_object *loop, PyObject *waiters);

/* An awaitable's throw(): forget the futures that were cancelled, and raise what `args` say. `loop` may be
 * NULL where nobody has waited. Returns NULL. */
PyObject *waiters_throw(event_loop_object *loop, PyObject *waiters, PyObject *args);

#endif
