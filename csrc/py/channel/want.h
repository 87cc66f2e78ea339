/* What is wanted of a channel, and what there is. */
#ifndef GAECHANNEL_PY_CHANNEL_WANT_H
#define GAECHANNEL_PY_CHANNEL_WANT_H

#include "py/channel/object.h"

/* Say what is to be reached; forgets an earlier error. */
void channel_set_goal(channel_object *self, session_goal goal);

/* The same, but nothing changes where more than that is wanted already. */
void channel_raise_goal(channel_object *self, session_goal goal);

/* Whether the session has ended: nothing more can come. */
bool channel_has_ended(channel_object *self);

/* What there is, at a glance. */
typedef struct channel_look {
    bool records;
    bool reached; // the goal
    bool ended;   // the session
    bool asks;    // the session waits for a token or a URL
    size_t unsent;
} channel_look;
channel_look channel_look_now(channel_object *self);

#endif
