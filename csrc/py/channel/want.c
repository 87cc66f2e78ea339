/* Setting goals, and looking how far they are. */
#include "py/channel/want.h"

#include "py/channel/lock.h"
#include "py/channel/report.h"

void channel_set_goal(channel_object *self, session_goal goal) {
    if (channel_ask_log_level(self) < 0)
        PyErr_Clear(); // a logger that cannot say what it wants gets all
    channel_lock(self);
    self->goals++;
    session_set_goal(self->session, goal);
    channel_unlock(self);
}

void channel_raise_goal(channel_object *self, session_goal goal) {
    if (channel_ask_log_level(self) < 0)
        PyErr_Clear();
    channel_lock(self);
    session_raise_goal(self->session, goal);
    channel_unlock(self);
}

channel_look channel_look_now(channel_object *self) {
    channel_lock(self);
    action_kind state = net_channel_state(self->net).kind;
    channel_look look = {
        .records = session_queue(self->session)->count != 0,
        .reached = state == ACTION_REACHED,
        .ended = state == ACTION_ENDED,
        .asks = state == ACTION_ASK_TOKEN || state == ACTION_ASK_URL,
        .unsent = session_unsent(self->session),
    };
    channel_unlock(self);
    return look;
}

bool channel_has_ended(channel_object *self) {
    channel_lock(self);
    bool ended = net_channel_state(self->net).kind == ACTION_ENDED;
    channel_unlock(self);
    return ended;
}
