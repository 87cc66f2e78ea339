/* Giving a channel another loop, and so another lock. */
#include "py/channel/lock.h"

#include <sched.h> // sched_yield()

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
