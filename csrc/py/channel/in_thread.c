/* Waiting for the network in the thread that asks, and doing what came. */
#include "py/channel/in_thread.h"

#include "py/channel/answer.h"
#include "py/channel/lock.h"
#include "py/channel/report.h"
#include "py/channel/want.h"

int channel_check_sync(const channel_object *self) {
    if (!self->is_async)
        return 0;
    PyErr_SetString(PyExc_TypeError,
                    "this channel is asyncio's: await its methods, and iterate with async for");
    return -1;
}

typedef enum turn_result {
    TURN_AGAIN,
    TURN_RECORD,
    TURN_FLUSHED,
    TURN_REACHED,
    TURN_TIMEOUT,
    TURN_STATE, // what the session wants only the interpreter can give
} turn_result;

static turn_result look_lock_held(channel_object *self, const drive_until *until) {
    session_action state = net_channel_state(self->net);
    if (until->record && session_queue(self->session)->count != 0)
        return TURN_RECORD;
    if (until->flushed && session_unsent(self->session) == 0)
        return TURN_FLUSHED;
    if (until->reached != GOAL_REST && session_has_reached(self->session, until->reached))
        return TURN_REACHED;
    if (state.kind != ACTION_WAIT)
        return TURN_STATE;
    return net_now_ms() >= until->deadline_ms ? TURN_TIMEOUT : TURN_AGAIN;
}

// One turn, without the GIL.
static turn_result turn(channel_object *self, const drive_until *until, session_action *state) {
    // While it waits without the lock, the channel may be given another one.
    driver *shared = driver_share(channel_lock_detached(self));
    turn_result result;
    if (self->closing)
        session_close(self->session);
    if (!shared->driving) {
        net_channel_resume(self->net);
        driver_catch_up_lock_held(shared);
        net_channel_step(self->net);
    } else {
        driver_poke_lock_held(shared, self->net); // whoever drives may be driving for another channel
    }
    result = look_lock_held(self, until);
    // Even where there is no time left: who asks again and again without waiting has to get on.
    if (result == TURN_AGAIN || result == TURN_TIMEOUT) {
        int64_t left_ms = until->deadline_ms == SESSION_NEVER ? SLICE_MS : until->deadline_ms - net_now_ms();
        driver_turn_lock_held(shared, left_ms < SLICE_MS ? (left_ms > 0 ? left_ms : 0) : SLICE_MS);
        result = shared == self->driver ? look_lock_held(self, until) : TURN_AGAIN;
    }
    if (result == TURN_STATE)
        *state = net_channel_state(self->net);
    driver_unlock(shared);
    driver_release(shared);
    return result;
}

// Do for the session what `state` asks for. DRIVE_RECORD stands for: go on.
static drive_result serve(channel_object *self, const session_action *state) {
    switch (state->kind) {
    case ACTION_ASK_TOKEN:
    case ACTION_ASK_URL:
        return channel_answer(self, state) < 0 ? DRIVE_ERROR : DRIVE_RECORD;
    case ACTION_REACHED:
        return DRIVE_REACHED;
    case ACTION_ENDED:
        return channel_raise_end(self) < 0 ? DRIVE_ERROR : DRIVE_ENDED;
    default:
        return DRIVE_RECORD;
    }
}

drive_result channel_drive(channel_object *self, const drive_until *until) {
    session_action state;
    turn_result result;
    for (;;) {
        Py_BEGIN_ALLOW_THREADS;
        result = turn(self, until, &state);
        Py_END_ALLOW_THREADS;
        if (channel_write_log(self) < 0 || PyErr_CheckSignals() < 0)
            return DRIVE_ERROR;
        if (self->closing && until->record)
            return DRIVE_ENDED; // whoever closes sees to the rest
        if (result == TURN_RECORD)
            return DRIVE_RECORD;
        if (result == TURN_FLUSHED)
            return DRIVE_FLUSHED;
        if (result == TURN_REACHED)
            return DRIVE_REACHED;
        if (result == TURN_TIMEOUT)
            return DRIVE_TIMEOUT;
        if (result == TURN_STATE) {
            drive_result served = serve(self, &state);
            if (served != DRIVE_RECORD)
                return served;
        }
    }
}

void channel_progress_in_thread(channel_object *self) {
    Py_BEGIN_ALLOW_THREADS;
    driver *shared = channel_lock_detached(self);
    if (shared->driving) {
        driver_poke_lock_held(shared, self->net);
    } else if (!self->closing) {
        net_channel_resume(self->net);
        net_channel_step(self->net);
        net_loop_perform(shared->loop);
    }
    driver_unlock(shared);
    Py_END_ALLOW_THREADS;
}
