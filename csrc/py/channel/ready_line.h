/* The line of merged channels that may have something, and those who wait for it. */
#ifndef GAECHANNEL_PY_CHANNEL_READY_LINE_H
#define GAECHANNEL_PY_CHANNEL_READY_LINE_H

#include "py/channel/object.h"

struct ready_line {
    // A ring with room for every channel.
    channel_object **ring;
    size_t first;
    size_t count;
    size_t capacity;
    // asyncio: a list of futures. NULL without it.
    PyObject *waiters;
    // A channel was closed from outside: it ends without anything coming.
    atomic_bool has_closed;
};

/* A line for that many channels. -1 with an exception set. */
int ready_line_init(ready_line *self, size_t channels, bool is_async);
void ready_line_free(ready_line *self);

/* The channel stands in this line, if it is in none yet (false). */
bool ready_line_enter(ready_line *self, channel_object *channel);
void ready_line_leave(channel_object *channel);

/* The channel may have something: put it in line. */
void ready_line_push(ready_line *self, channel_object *channel);

/* The first in line; NULL when there is none. */
channel_object *ready_line_pop(ready_line *self);

#endif
