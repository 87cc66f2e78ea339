/* Who drives a loop: one thread at a time; the others take turns, or only look.
 *
 * The lock guards the loop and every session in it. It is never waited for while the GIL is held, and never
 * held while waiting for the network, so that whoever has both cannot be in anybody's way. */
#ifndef GAECHANNEL_PY_LOOPS_SHARED_LOOP_H
#define GAECHANNEL_PY_LOOPS_SHARED_LOOP_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <pthread.h>
#include <stdbool.h>

#include "net/net.h"

typedef struct shared_loop {
    pthread_mutex_t lock;
    // Signalled when a thread has stopped driving.
    pthread_cond_t turn;
    // A thread waits for the network, without the lock: only it may touch the loop's sockets.
    bool driving;
    // NULL after shared_loop_shut_lock_held(), and before there is need of it.
    net_loop *loop;
    // When the loop was last driven.
    int64_t driven_ms;
    // forks_seen() when it was made.
    unsigned long forks;
    // The objects that use it; guarded by the GIL or, without one, by atomics.
    int users;
} shared_loop;

/* With a loop of its own, or without one. NULL with an exception set. One user. */
shared_loop *shared_loop_new(bool with_loop);
shared_loop *shared_loop_share(shared_loop *self);
/* In a forked child it stays: its connections are the parent's, and another thread may have had its lock. */
void shared_loop_release(shared_loop *self);
bool shared_loop_is_parents(const shared_loop *self);
/* Close the connections that the loop still holds. Lock held, nobody driving, no channel left in the loop. */
void shared_loop_shut_lock_held(shared_loop *self);

/* Take the lock, if nobody has it. */
static inline bool shared_loop_try_lock(shared_loop *self) {
    return pthread_mutex_trylock(&self->lock) == 0;
}

/* Take the lock; to be called with the GIL held, which is let go while waiting. */
void shared_loop_lock_waiting(shared_loop *self);
static inline void shared_loop_lock(shared_loop *self) {
    if (!shared_loop_try_lock(self))
        shared_loop_lock_waiting(self);
}

/* To be called, with the GIL, before the interpreter begins to end, and at its beginning (false). */
void shared_loops_prepare_end(bool ends);
/* To be called in a forked child. */
void shared_loops_forget_threads(void);

/* The same without the GIL. */
static inline void shared_loop_lock_detached(shared_loop *self) {
    pthread_mutex_lock(&self->lock);
}

static inline void shared_loop_unlock(shared_loop *self) {
    pthread_mutex_unlock(&self->lock);
}

/* To be called without the GIL and with the lock. Wait for the network at most `max_ms`, with the lock
 * released, and do what can be done; or, if another thread is at it, wait for that. */
void shared_loop_turn_lock_held(shared_loop *self, int64_t max_ms);

/* Take what has come while nobody drove, without waiting: else that time would count as the peer's silence.
 * Lock held. */
void shared_loop_catch_up_lock_held(shared_loop *self);

/* Have whoever drives do what the channel wants. Lock held. */
void shared_loop_step_soon_lock_held(shared_loop *self, net_channel *channel);

/* Take the lock when nobody drives, so that the loop's channels may be touched. With the GIL, which is let
 * go. */
void shared_loop_lock_idle(shared_loop *self);

#endif
