/* The type EventLoop: what all channels of an event loop share. */
#ifndef GAECHANNEL_PY_LOOPS_EVENT_LOOP_H
#define GAECHANNEL_PY_LOOPS_EVENT_LOOP_H

#include "py/loops/shared_loop.h"
#include "py/state.h"

typedef struct event_loop_object event_loop_object;

/* Something has come for this owner of a channel. -1 with an exception set, which is not the owner's. */
typedef int event_loop_on_news(PyObject *owner);

/* Tell the event loop what has changed, and the channels' owners what has come. -1 with an exception set;
 * all that could be done is done. */
int event_loop_update(event_loop_object *self);

/* Look at the sockets at once, between two turns of the event loop: 1. 0: not now, since the event loop has
 * other things to do, too. -1 with an exception set. */
int event_loop_read_on(event_loop_object *self);

/* Clear the exception that is set if the event loop raised it because it is closed. Else -1, with an
 * exception set. */
int event_loop_forgive_closed(const event_loop_object *self);

/* The shared loop, with a net loop in it, for a channel to join, whose owner is to be told of news in this
 * way; event_loop_joined() must follow. NULL, or -1, with an exception set. */
shared_loop *event_loop_shared(event_loop_object *self, event_loop_on_news *on_news);
int event_loop_joined(event_loop_object *self);

/* The event loop; NULL when the garbage collector has taken it. Borrowed. */
PyObject *event_loop_of_asyncio(event_loop_object *self);

/* The module's names; they are there as long as this is. */
PyObject *const *event_loop_names(const event_loop_object *self);

/* Whether this is the thread that the event loop runs in. */
bool event_loop_is_here(const event_loop_object *self);

/* Have a channel that nobody owns any more freed in that thread. False when memory ran out. */
bool event_loop_free_later(event_loop_object *self, net_channel *channel);

/* Keep a future that somebody waits for from the garbage collector, which would take it, and who waits, for
 * a cycle that nobody refers to. -1 with an exception set. */
int event_loop_keep_future(event_loop_object *self, PyObject *future);
int event_loop_release_future(event_loop_object *self, PyObject *future);

/* When the last channel has left: let go of connections, sockets and timers. -1 with an exception set; they
 * are let go of even then. */
int event_loop_shut_if_empty(event_loop_object *self);

int event_loop_add_type(PyObject *module, module_state *state);

#endif
