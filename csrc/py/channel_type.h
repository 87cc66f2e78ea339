/* What the files of the type Channel share: its life (channel.c), its methods, its attributes. */
#ifndef GAECHANNEL_PY_CHANNEL_TYPE_H
#define GAECHANNEL_PY_CHANNEL_TYPE_H

#include "py/channel.h"

extern PyMethodDef channel_methods[];
extern PyGetSetDef channel_getset[];

/* The methods that are slots, too, or that the type's life is about. */
PyObject *channel_iter(PyObject *op);
PyObject *channel_close(PyObject *op, PyObject *unused);

/* What waits in the thread that calls it is not for a channel that an event loop drives: raises. */
int channel_check_sync(const channel_object *self);

/* Tell the event loop, which watches the channel's sockets, that they are gone. */
void channel_leave_loop(channel_object *self);

int channel_add_type(PyObject *module, module_state *state);

#endif
