/* Giving a channel another loop, and so another lock. */
#include "py/channel/lock.h"

#include <sched.h> // sched_yield()

void channel_change_loop_unlock(channel_object *self, shared_loop *last, shared_loop *next) {
    net_channel_join(self->net, NULL);
    self->shared = shared_loop_share(next);
    shared_loop_unlock(last);
    Py_BEGIN_ALLOW_THREADS;
    while (self->visitors != 0)
        sched_yield();
    Py_END_ALLOW_THREADS;
    shared_loop_release(last);
}
