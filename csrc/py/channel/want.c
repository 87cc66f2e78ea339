/* Setting goals, and looking whether what is wanted is there. */
#include "py/channel/want.h"

#include <pythread.h> // PyThread_get_thread_ident()
#include <string.h>   // strcmp()

#include "py/channel/lock.h"
#include "py/channel/report.h"

/* ---- Names ---- */

static const struct {
    const char *name;
    want want;
} names[] = {
    {"messages", {.what = WANT_MESSAGE, .goal = GOAL_STREAM}},
    {"batches", {.what = WANT_MESSAGE, .goal = GOAL_STREAM, .all = true}},
    {"message", {.what = WANT_MESSAGE, .goal = GOAL_STREAM, .once = true}},
    {"poll", {.what = WANT_MESSAGE, .goal = GOAL_POLL}},
    {"initialized", {.what = WANT_GOAL, .goal = GOAL_INITIALIZE}},
    {"open", {.what = WANT_GOAL, .goal = GOAL_OPEN}},
    {"connected", {.what = WANT_GOAL, .goal = GOAL_CONNECT}},
    {"flushed", {.what = WANT_FLUSHED, .goal = GOAL_STREAM}},
    {"room", {.what = WANT_ROOM, .goal = GOAL_STREAM}},
    {"ended", {.what = WANT_END, .goal = GOAL_REST}},
};

bool want_named(PyObject *name, want *found) {
    const char *text = PyUnicode_AsUTF8AndSize(name, NULL);
    for (size_t i = 0; text != NULL && i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i].name, text) != 0)
            continue;
        *found = names[i].want;
        found->deadline_ms = SESSION_NEVER;
        return true;
    }
    if (text != NULL)
        PyErr_Format(PyExc_ValueError, "nothing to wait for has the name %R", name);
    return false;
}

int64_t want_deadline_ms(double seconds) {
    const double most = 1e9; // some thirty years
    return seconds >= 0 && seconds < most ? net_now_ms() + (int64_t)(seconds * 1000) : SESSION_NEVER;
}

/* ---- Looking ---- */

static bool has_come(const channel_object *self, const want *wanted, const news *found) {
    switch (wanted->what) {
    case WANT_MESSAGE:
        return found->record && !self->closing;
    case WANT_GOAL:
        return session_has_reached(self->session, wanted->goal);
    case WANT_FLUSHED:
        return session_unsent(self->session) == 0;
    case WANT_ROOM:
        return session_room_for(self->session, wanted->most) == ROOM_NOW;
    case WANT_END:
        break;
    }
    return found->state.kind == ACTION_ENDED;
}

static outlook outlook_of(const channel_object *self, const want *wanted, const news *found) {
    if (has_come(self, wanted, found))
        return OUTLOOK_COME;
    // Of one back channel's messages, no more come after that one.
    bool polled = wanted->what == WANT_MESSAGE && session_has_reached(self->session, wanted->goal);
    if (wanted->what != WANT_END && (found->ended || polled))
        return OUTLOOK_ENDED;
    if (found->asks)
        return OUTLOOK_ASKS;
    if (wanted->what != WANT_END && found->settled)
        return OUTLOOK_SETTLED;
    bool late = wanted->deadline_ms != SESSION_NEVER && net_now_ms() >= wanted->deadline_ms;
    return late ? OUTLOOK_LATE : OUTLOOK_WAIT;
}

// Whether the session wants to know something that no other thread is about to answer.
static bool asks(const channel_object *self, action_kind kind) {
    unsigned long asker = self->answering;
    return (kind == ACTION_ASK_TOKEN || kind == ACTION_ASK_URL || kind == ACTION_ASK_SESSION ||
            kind == ACTION_ASK_HEADERS) &&
           (asker == 0 || asker == PyThread_get_thread_ident());
}

news channel_peek_lock_held(const channel_object *self, const want *wanted) {
    session_action state = net_channel_state(self->net);
    news found = {
        .record = session_queue(self->session)->count != 0,
        .settled = state.kind == ACTION_REACHED,
        .ended = state.kind == ACTION_ENDED || self->closing,
        .asks = asks(self, state.kind),
        .logs = session_has_reports(self->session) || net_channel_has_set_cookies(self->net),
        .received = session_get_stats(self->session)->bytes,
        .state = state,
    };
    found.outlook = wanted != NULL ? outlook_of(self, wanted, &found) : OUTLOOK_WAIT;
    return found;
}

news channel_peek(channel_object *self, const want *wanted) {
    channel_lock(self);
    news found = channel_peek_lock_held(self, wanted);
    channel_unlock(self);
    return found;
}

/* ---- Goals ---- */

int channel_pursue_alone(channel_object *self, const want *wanted, bool anew) {
    if (channel_ask_log_level(self) < 0)
        return -1;
    channel_lock(self);
    self->goals++;
    session_set_goal(self->session, wanted->goal);
    if (anew)
        session_forget(self->session, wanted->goal);
    channel_unlock(self);
    return 0;
}

int channel_pursue(channel_object *self, const want *wanted) {
    if (wanted->what == WANT_END)
        return 0;
    if (wanted->what != WANT_GOAL)
        return channel_pursue_alone(self, wanted, false);
    if (channel_ask_log_level(self) < 0)
        return -1;
    channel_lock(self);
    session_raise_goal(self->session, wanted->goal);
    channel_unlock(self);
    return 0;
}
