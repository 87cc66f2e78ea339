/* The struct behind every channel. */
#ifndef GAECHANNEL_PY_CHANNEL_OBJECT_H
#define GAECHANNEL_PY_CHANNEL_OBJECT_H

#include <stdatomic.h>

#include "py/loops/event_loop.h"
#include "py/state.h"

// How long to wait at most before looking for signals, in ms: half of what Ctrl-C and close() may take.
#define SLICE_MS 50

typedef struct ready_line ready_line;

typedef struct channel_object {
    PyObject_HEAD module_state *state;
    // NULL before __init__(). Changed only with its lock held; channel_lock() is how to come by it.
    _Atomic(shared_loop *) shared;
    // The threads that are about to lock it.
    atomic_int visitors;
    // close() was called. Set without the lock, from any thread.
    atomic_bool closing;
    // close() has done its work.
    atomic_bool closed;
    // Debug records for every message.
    atomic_bool debug;
    // webchannel: an array's data is a list with one object, which is the message.
    bool unwraps;
    net_channel *net;
    session *session; // net's
    // How often a goal was set.
    atomic_ulong goals;
    // forks_seen() when it was made.
    unsigned long forks;
    // Asks for a token; or NULL.
    PyObject *token_source;
    // The thread that is asking the caller's callables for what the session wants to know; 0: none.
    atomic_ulong answering;
    // How many callables are being told of a state; with asyncio, where one may go on as a task, how many
    // were.
    atomic_uint tellings;
    // Guarded by the lock.
    PyObject *logger;
    // What `last_error` gave last, and which failure that was.
    PyObject *last_error;
    uint64_t last_error_number;
    // The event loop that drives an asynchronous channel, once it has begun; the futures of those who wait;
    // an exception that the next who asks is to raise (without asyncio, too).
    event_loop_object *loop;
    PyObject *waiters;
    _Atomic(PyObject *) raised;
    // Whether an event loop is to drive the channel; whether an answer to the session is being awaited;
    // whether somebody waits for something else than messages.
    bool is_async;
    bool awaits_answer;
    bool goal_awaited;
    // Whether the channel stands in `line` now.
    bool in_line;
    // Messages taken by `await` since the event loop last had a turn, and when that was.
    unsigned taken;
    int64_t turn_ms;
    // What had been received when one of them last found nothing to take, in bytes.
    uint64_t received;
    // The line of the iterator that merges this channel with others, without a reference.
    _Atomic(ready_line *) line;
} channel_object;

/* Raises if the channel cannot be used: not initialized, closed, or another process's. */
int channel_check(channel_object *self);

/* Raises ChannelClosed after close(). */
int channel_check_open(channel_object *self);

#endif
