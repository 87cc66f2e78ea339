/* One message out of a channel's queue. */
#ifndef GAECHANNEL_PY_CHANNEL_TAKE_H
#define GAECHANNEL_PY_CHANNEL_TAKE_H

#include "py/channel/object.h"

/* The next message. NULL with no exception: none is there yet. `may_resume`: so much has been taken that the
 * back channel can go on, for which channel_progress() is to be called. */
PyObject *channel_take(channel_object *self, bool *may_resume);

/* How many messages are there. */
size_t channel_waiting(channel_object *self);

#endif
