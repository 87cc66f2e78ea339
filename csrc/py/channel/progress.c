/* Going on with a channel, without waiting for anything. */
#include "py/channel/progress.h"

#include "py/channel/in_event_loop.h"
#include "py/channel/in_thread.h"
#include "py/channel/lock.h"
#include "py/channel/raised.h"
#include "py/exceptions.h"

// The event loop reads what the server has; here only the transfer is let go on.
static void progress_in_event_loop(channel_object *self) {
    channel_lock(self);
    net_channel_resume(self->net);
    channel_unlock(self);
    if (channel_step(self) < 0)
        channel_keep_exception(self);
}

void channel_progress(channel_object *self) {
    set_aside raised = {0};
    exception_set_aside(&raised);
    if (self->is_async)
        progress_in_event_loop(self);
    else
        channel_progress_in_thread(self);
    exception_resume(&raised);
}
