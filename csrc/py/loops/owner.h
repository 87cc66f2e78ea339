/* A channel's owner, for whoever drives its loop: at that moment it may be going in another thread. */
#ifndef GAECHANNEL_PY_LOOPS_OWNER_H
#define GAECHANNEL_PY_LOOPS_OWNER_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "net/net.h"

/* What net_channel_new() is to be told of this object. NULL with an exception set. */
void *owner_known_as(PyObject *owner);

/* The channel's owner, a new reference; NULL: it has none, or that is going. The lock is held, and the GIL.
 */
PyObject *owner_of(net_channel *channel);

/* Give back what owner_known_as() has returned, and no channel has any more; NULL: nothing. */
void owner_forget(void *known);

#endif
