/* Waiting for the network in the thread that asks, and doing what came. */
#include "py/channel/in_thread.h"

#include "py/channel/answer.h"
#include "py/channel/lock.h"
#include "py/channel/report.h"
#include "py/exceptions.h"

int channel_check_sync(const channel_object *self) {
    if (!self->is_async)
        return 0;
    PyErr_SetString(PyExc_TypeError,
                    "this channel is asyncio's: await its methods, and iterate with async for");
    return -1;
}

// One turn, without the GIL. `anew`: what is wanted of the session may have changed since the last one.
static news go_on(channel_object *self, const want *wanted, bool anew) {
    // While it waits without the lock, the channel may be given another one.
    shared_loop *shared = shared_loop_share(channel_lock_detached(self));
    bool steps = !shared->driving;
    if (self->closing)
        session_close(self->session);
    if (steps) {
        net_channel_resume(self->net);
        shared_loop_catch_up_lock_held(shared);
        net_channel_step(self->net);
    } else if (anew) {
        // Whoever drives may be driving for another channel. Said once: it wakes them, and their turn's end
        // wakes this thread.
        shared_loop_step_soon_lock_held(shared, self->net);
    }
    news found = channel_peek_lock_held(self, wanted);
    // Even where there is no time left: who asks again and again without waiting has to get on. And what the
    // session was up to before the step that another thread is to make says little.
    if (found.outlook == OUTLOOK_WAIT || found.outlook == OUTLOOK_LATE ||
        (!steps && anew && found.outlook != OUTLOOK_COME)) {
        int64_t left_ms =
            wanted->deadline_ms == SESSION_NEVER ? SLICE_MS : wanted->deadline_ms - net_now_ms();
        shared_loop_turn_lock_held(shared, left_ms < SLICE_MS ? (left_ms > 0 ? left_ms : 0) : SLICE_MS);
        found =
            shared == self->shared ? channel_peek_lock_held(self, wanted) : (news){.outlook = OUTLOOK_WAIT};
    }
    shared_loop_unlock(shared);
    shared_loop_release(shared);
    return found;
}

outlook channel_wait(channel_object *self, const want *wanted) {
    for (bool anew = true;;) {
        news found;
        Py_BEGIN_ALLOW_THREADS;
        found = go_on(self, wanted, anew);
        Py_END_ALLOW_THREADS;
        anew = found.outlook != OUTLOOK_WAIT || found.logs;
        if ((found.logs && channel_tell(self) < 0) || PyErr_CheckSignals() < 0)
            return OUTLOOK_ERROR;
        if (found.logs)
            continue; // Python code has run
        switch (found.outlook) {
        case OUTLOOK_WAIT:
            break;
        case OUTLOOK_ASKS:
            if (channel_answer(self, &found.state) < 0)
                return OUTLOOK_ERROR;
            break;
        case OUTLOOK_SETTLED:
            if (channel_pursue_alone(self, wanted, false) < 0)
                return OUTLOOK_ERROR;
            break;
        case OUTLOOK_ENDED:
            return channel_raise_end(self) < 0 ? OUTLOOK_ERROR : OUTLOOK_ENDED;
        default:
            return found.outlook;
        }
    }
}

int channel_wait_for(channel_object *self, const want *wanted) {
    outlook said = channel_wait(self, wanted);
    if (said == OUTLOOK_ENDED)
        exception_raise(self->state->closed, "the channel was closed");
    return said == OUTLOOK_ERROR || said == OUTLOOK_ENDED ? -1 : said == OUTLOOK_COME;
}

void channel_progress_in_thread(channel_object *self) {
    Py_BEGIN_ALLOW_THREADS;
    shared_loop *shared = channel_lock_detached(self);
    if (shared->driving) {
        shared_loop_step_soon_lock_held(shared, self->net);
    } else if (!self->closing) {
        net_channel_resume(self->net);
        net_channel_step(self->net);
        net_loop_perform(shared->loop);
    }
    shared_loop_unlock(shared);
    Py_END_ALLOW_THREADS;
}
