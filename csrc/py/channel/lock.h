/* A channel's lock: that of the loop that the channel is in. */
#ifndef GAECHANNEL_PY_CHANNEL_LOCK_H
#define GAECHANNEL_PY_CHANNEL_LOCK_H

#include "py/channel/object.h"

// A channel can change its shared loop while a thread waits for the old one's lock. Then that thread has to
// have the new one's; and the old one has to be there until the thread has seen that.
static inline shared_loop *channel_lock_by(channel_object *self, void (*lock)(shared_loop *)) {
    self->visitors++;
    for (;;) {
        shared_loop *shared = self->shared;
        lock(shared);
        if (shared == self->shared) {
            self->visitors--;
            return shared;
        }
        shared_loop_unlock(shared);
    }
}

/* Take and give back the lock of the shared loop that the channel is in; to be called with the GIL held,
 * which is let go while waiting. Inline, since each message takes it. */
static inline shared_loop *channel_lock(channel_object *self) {
#ifndef Py_GIL_DISABLED
    // Without waiting the GIL is not let go, and so the channel stays where it is: no need to be counted.
    shared_loop *shared = self->shared;
    if (shared_loop_try_lock(shared))
        return shared;
#endif
    return channel_lock_by(self, shared_loop_lock);
}

static inline void channel_unlock(channel_object *self) {
    shared_loop_unlock(self->shared);
}

/* When nobody drives, so that the channel's requests may be touched. */
static inline shared_loop *channel_lock_idle(channel_object *self) {
    return channel_lock_by(self, shared_loop_lock_idle);
}

/* Without the GIL. */
static inline shared_loop *channel_lock_detached(channel_object *self) {
    return channel_lock_by(self, shared_loop_lock_detached);
}

/* Out of the loop that the channel is in; `last`, that loop, is locked, and unlocked here. From now on
 * `next` drives it. The GIL is held. */
void channel_change_loop_unlock(channel_object *self, shared_loop *last, shared_loop *next);

#endif
