/* Going on with a channel, without waiting for anything. */
#ifndef GAECHANNEL_PY_CHANNEL_PROGRESS_H
#define GAECHANNEL_PY_CHANNEL_PROGRESS_H

#include "py/channel/object.h"

/* Do what can be done for the channel without waiting: start a request, read what has come. An exception that
 * is set stays set. */
void channel_progress(channel_object *self);

#endif
