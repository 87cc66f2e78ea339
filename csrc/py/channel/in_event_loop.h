/* A channel that is driven by an event loop. */
#ifndef GAECHANNEL_PY_CHANNEL_IN_EVENT_LOOP_H
#define GAECHANNEL_PY_CHANNEL_IN_EVENT_LOOP_H

#include "py/channel/object.h"

/* Raises TypeError for a channel that no event loop drives. */
int channel_check_async(const channel_object *self);

/* Make sure that the channel is driven by the event loop that runs. -1 with an exception set. */
int channel_join_running_loop(channel_object *self);

/* Do what the session wants done now, and tell the event loop. -1 with an exception set. */
int channel_step(channel_object *self);

/* Something came: answer the session, wake those who wait. Keeps exceptions for them, but those that end the
 * program, or are the event loop's: -1 with such a one set. `self` is the channel. */
int channel_on_news(PyObject *self);

/* A new future for a task to wait for, which is woken with those in this list, the channel's or its line's.
 * None: look again, since all have been woken meanwhile. NULL with an exception set. */
PyObject *channel_wait_in_event_loop(channel_object *self, PyObject **waiters);

/* The same as waiters_throw(), while Python code that runs there may change or drop what it is given. */
PyObject *channel_stop_waiting(event_loop_object *loop, PyObject *waiters, PyObject *args);

/* Wake those who wait, if any can. -1 with an exception set. */
int channel_wake_waiters(channel_object *self);

/* Tell the event loop, which watches the channel's sockets, that they are gone. -1 with an exception set;
 * but where it is closed, which is no matter then. */
int channel_leave_loop(channel_object *self);

#endif
