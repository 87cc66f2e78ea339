/* An exception of a channel's that waits for whoever asks next. */
#ifndef GAECHANNEL_PY_CHANNEL_RAISED_H
#define GAECHANNEL_PY_CHANNEL_RAISED_H

#include "py/channel/object.h"

/* Keep the exception that is set, or raise the one that was kept (-1; 0 when there is none). */
void channel_keep_exception(channel_object *self);
int channel_raise_pending(channel_object *self);

/* Raise the one that was kept where it ends the program, and not only the wait for a message. */
int channel_raise_interrupt(channel_object *self);

#endif
