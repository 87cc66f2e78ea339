/* A channel's lock: that of the loop that the channel is in. */
#ifndef GAECHANNEL_PY_CHANNEL_LOCK_H
#define GAECHANNEL_PY_CHANNEL_LOCK_H

#include "py/channel/object.h"

// A channel can change its driver while a thread waits for the old one's lock. Then that thread has to have
// the new one's; and the old one has to be there until the thread has seen that.
static inline driver *channel_lock_by(channel_object *self, void (*lock)(driver *)) {
    self->visitors++;
    for (;;) {
        driver *shared = self->driver;
        lock(shared);
        if (shared == self->driver) {
            self->visitors--;
            return shared;
        }
        driver_unlock(shared);
    }
}

/* Take and give back the lock of the driver that the channel has; to be called with the GIL held, which is
 * let go while waiting. Inline, since each message takes it. */
static inline driver *channel_lock(channel_object *self) {
    return channel_lock_by(self, driver_lock);
}

static inline void channel_unlock(channel_object *self) {
    driver_unlock(self->driver);
}

/* When nobody drives, so that the channel's requests may be touched. */
static inline driver *channel_lock_idle(channel_object *self) {
    return channel_lock_by(self, driver_lock_idle);
}

/* Without the GIL. */
static inline driver *channel_lock_detached(channel_object *self) {
    return channel_lock_by(self, driver_lock_detached);
}

/* Out of the loop that the channel is in; `last`, its driver, is locked, and unlocked here. From now on
 * `next` drives it. The GIL is held. */
void channel_change_driver_unlock(channel_object *self, driver *last, driver *next);

#endif
