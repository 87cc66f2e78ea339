/* A channel's lock: that of the loop that the channel is in. */
#ifndef GAECHANNEL_PY_CHANNEL_LOCK_H
#define GAECHANNEL_PY_CHANNEL_LOCK_H

#include "py/channel/object.h"

/* Take and give back the lock of the driver that the channel has; to be called with the GIL held, which is
 * let go while waiting. */
driver *channel_lock(channel_object *self);
void channel_unlock(channel_object *self);
/* When nobody drives, so that the channel's requests may be touched. */
driver *channel_lock_idle(channel_object *self);
/* Without the GIL. */
driver *channel_lock_detached(channel_object *self);

/* Out of the loop that the channel is in; `last`, its driver, is locked, and unlocked here. From now on
 * `next` drives it. The GIL is held. */
void channel_change_driver_unlock(channel_object *self, driver *last, driver *next);

#endif
