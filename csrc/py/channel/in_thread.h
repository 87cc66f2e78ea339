/* A channel that is driven by the threads that want something of it. */
#ifndef GAECHANNEL_PY_CHANNEL_IN_THREAD_H
#define GAECHANNEL_PY_CHANNEL_IN_THREAD_H

#include "py/channel/object.h"

typedef enum drive_result {
    DRIVE_ERROR = -1, // an exception is set
    DRIVE_RECORD,     // the queue is not empty
    DRIVE_REACHED,    // the goal is reached
    DRIVE_ENDED,      // the session has ended in order, or was closed
    DRIVE_FLUSHED,    // no map is unsent
    DRIVE_TIMEOUT,    // deadline_ms has come
} drive_result;

typedef struct drive_until {
    // End with DRIVE_RECORD when there is something in the queue.
    bool record;
    // End with DRIVE_FLUSHED when the server has all maps.
    bool flushed;
    // End with DRIVE_REACHED when this is reached, even if another thread wants more; GOAL_REST: no such end.
    session_goal reached;
    int64_t deadline_ms; // SESSION_NEVER: none
} drive_until;

/* Drive the channel, with the GIL released while waiting and parsing, until one of these is so. To be called
 * with the GIL and without the lock. */
drive_result channel_drive(channel_object *self, const drive_until *until);

/* Do what can be done without waiting. */
void channel_progress_in_thread(channel_object *self);

/* What waits in the thread that calls it is not for a channel that an event loop drives: raises. */
int channel_check_sync(const channel_object *self);

#endif
