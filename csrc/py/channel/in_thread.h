/* A channel that is driven by the threads that want something of it. */
#ifndef GAECHANNEL_PY_CHANNEL_IN_THREAD_H
#define GAECHANNEL_PY_CHANNEL_IN_THREAD_H

#include "py/channel/want.h"

/* Drive the channel, with the GIL released while waiting and parsing, until what is wanted has come, or will
 * not: OUTLOOK_COME, _ENDED (in order; or the channel was closed), _LATE or _ERROR. To be called with the GIL
 * and without the lock. */
outlook channel_wait(channel_object *self, const want *wanted);

/* The same, of what is no message: false where the deadline came first, -1 with an exception set. */
int channel_wait_for(channel_object *self, const want *wanted);

/* Do what can be done without waiting. */
void channel_progress_in_thread(channel_object *self);

/* What waits in the thread that calls it is not for a channel that an event loop drives: raises. */
int channel_check_sync(const channel_object *self);

#endif
