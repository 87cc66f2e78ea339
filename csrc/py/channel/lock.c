/* Taking the lock of a channel that may change its loop meanwhile. */
#include "py/channel/lock.h"

#include <sched.h> // sched_yield()

// A channel can change its driver while somebody waits for the old one's lock. Then he has to have the new
// one's; and the old one has to be there until he has seen that.
static driver *lock_visited(channel_object *self, void (*lock)(driver *)) {
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

static void lock_detached(driver *self) {
    pthread_mutex_lock(&self->lock);
}

driver *channel_lock(channel_object *self) {
    return lock_visited(self, driver_lock);
}

driver *channel_lock_idle(channel_object *self) {
    return lock_visited(self, driver_lock_idle);
}

driver *channel_lock_detached(channel_object *self) {
    return lock_visited(self, lock_detached);
}

void channel_unlock(channel_object *self) {
    driver_unlock(self->driver);
}

void channel_change_driver_unlock(channel_object *self, driver *last, driver *next) {
    net_channel_join(self->net, NULL);
    self->driver = driver_share(next);
    driver_unlock(last);
    Py_BEGIN_ALLOW_THREADS;
    while (self->visitors != 0)
        sched_yield();
    Py_END_ALLOW_THREADS;
    driver_release(last);
}
