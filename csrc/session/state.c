/* How a session stands: what a user is shown. */
#include "session/state.h"

#include <string.h>

#include "session/phase.h"

#define KEPT sizeof((session *)NULL)->states

// The development server's polls wait for their turn without anything being wrong.
static bool waits(const session *self, const exchange *ex, int64_t now_ms) {
    bool failed = ex->failures != 0 || ex->foreign != 0 || ex->stale != 0 || ex->fruitless != 0;
    bool lost = ex == &self->exchanges[SLOT_FORWARD] && self->lost_in_row != 0;
    return !ex->active && ex->not_before_ms > now_ms && (failed || lost);
}

static session_state state_of(const session *self, const session_action *next, int64_t now_ms) {
    const exchange *back = &self->exchanges[SLOT_BACK];
    phase now = phase_of(self);
    bool has_sid = phase_is_open(self);
    bool goes_on = has_sid && !self->is_mended && self->error.kind == ERROR_MAPS_REFUSED;
    if (now == PHASE_CLOSING || (now == PHASE_ENDED && !goes_on))
        return STATE_CLOSED;
    if (has_sid && back->active && back->status == 200)
        return STATE_OPEN;
    for (int slot = 0; slot < SLOT_COUNT && next->kind == ACTION_WAIT; slot++)
        if (waits(self, &self->exchanges[slot], now_ms))
            return STATE_WAITING;
    if (has_sid)
        return back->failures == 0 && back->foreign == 0 ? STATE_OPEN : STATE_CONNECTING;
    return next->kind == ACTION_REACHED ? STATE_NEW : STATE_CONNECTING;
}

void state_update(session *self, const session_action *next, int64_t now_ms) {
    session_state now = state_of(self, next, now_ms);
    if (now == self->state)
        return;
    self->state = now;
    if (!self->keeps_states)
        return;
    if (self->states_count == KEPT)
        memmove(self->states, self->states + 1, --self->states_count);
    self->states[self->states_count++] = (uint8_t)now;
}

session_state session_get_state(const session *self) {
    return self->state;
}

void session_set_keeps_states(session *self, bool keeps) {
    self->keeps_states = keeps;
    self->states_count = 0;
}

bool session_take_state(session *self, session_state *out) {
    if (self->states_count == 0)
        return false;
    *out = (session_state)self->states[0];
    memmove(self->states, self->states + 1, --self->states_count);
    return true;
}
