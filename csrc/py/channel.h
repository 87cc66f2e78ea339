/* What the channel type and the iterator over its messages share. */
#ifndef GAECHANNEL_PY_CHANNEL_H
#define GAECHANNEL_PY_CHANNEL_H

#include <stdatomic.h>

#include "py/loops/event_loop.h"
#include "py/state.h"

// How long to wait at most before looking for signals, in ms: half of what Ctrl-C and close() may take.
#define SLICE_MS 50

typedef struct ready_line ready_line;

typedef struct channel_object {
    PyObject_HEAD module_state *state;
    // NULL before __init__(). Changed only with its lock held; channel_lock() is how to come by it.
    _Atomic(driver *) driver;
    // The threads that are about to lock it.
    atomic_int visitors;
    net_channel *net;
    session *session; // net's
    // close() was called. Set without the lock, from any thread.
    atomic_bool closing;
    // close() has done its work.
    atomic_bool closed;
    // Debug records for every message.
    atomic_bool debug;
    // How often a goal was set.
    atomic_ulong goals;
    // module_state.forks when it was made.
    unsigned long forks;
    // webchannel: an array's data is a list with one object, which is the message.
    bool unwraps;
    // Asks for a token; or NULL.
    PyObject *token_source;
    // Guarded by the lock.
    PyObject *logger;
    // asyncio. Whether the channel is driven by an event loop; then, once it has begun, by which; the futures
    // of those who wait; an exception that the next of them is to raise; whether a token is being awaited.
    bool is_async;
    loop_object *loop;
    PyObject *waiters;
    PyObject *raised;
    bool awaits_token;
    // Whether somebody waits for something else than messages.
    bool goal_awaited;
    // Messages taken by `await` since the event loop last had a turn, and when that was.
    unsigned taken;
    int64_t turn_ms;
    // The line of the iterator that merges this channel with others, without a reference; whether the channel
    // stands in it now.
    _Atomic(ready_line *) line;
    bool in_line;
} channel_object;

/* Take and give back the lock of the driver that the channel has; to be called with the GIL held, which is
 * let go while waiting. */
driver *channel_lock(channel_object *self);
void channel_unlock(channel_object *self);
/* When nobody drives, so that the channel's requests may be touched. */
driver *channel_lock_idle(channel_object *self);
/* Without the GIL. */
driver *channel_lock_detached(channel_object *self);

/* Out of the loop that the channel is in; `last`, its driver, is locked, and unlocked here. From now on
 * `next` drives it. The GIL is held. */
void channel_change_driver_unlock(channel_object *self, driver *last, driver *next);

/* The logger, a new reference. */
PyObject *channel_logger(channel_object *self);

/* Raises if the channel cannot be used: not initialized, closed, or another process's. */
int channel_check(channel_object *self);

typedef enum drive_result {
    DRIVE_ERROR = -1, // an exception is set
    DRIVE_RECORD,     // the queue is not empty
    DRIVE_REACHED,    // the goal is reached
    DRIVE_ENDED,      // the session has ended in order, or was closed
    DRIVE_FLUSHED,    // no map is unsent
    DRIVE_TIMEOUT,    // deadline_ms has come
} drive_result;

typedef struct drive_until {
    // End with DRIVE_RECORD when there is something in the queue.
    bool record;
    // End with DRIVE_FLUSHED when the server has all maps.
    bool flushed;
    // End with DRIVE_REACHED when this is reached, even if another thread wants more; GOAL_REST: no such end.
    session_goal reached;
    int64_t deadline_ms; // SESSION_NEVER: none
} drive_until;

/* Say what is to be reached; forgets an earlier error. */
void channel_set_goal(channel_object *self, session_goal goal);

/* The same, but nothing changes where more than that is wanted already. */
void channel_raise_goal(channel_object *self, session_goal goal);

/* Drive the channel, with the GIL released while waiting and parsing, until one of these is so. To be called
 * with the GIL and without the lock. */
drive_result channel_drive(channel_object *self, const drive_until *until);

/* The next message. NULL with no exception: none is there yet. `may_resume`: so much has been taken that the
 * back channel can go on, for which channel_progress() is to be called. */
PyObject *channel_take(channel_object *self, bool *may_resume);

/* Hand a record to the logger. -1 with an exception set. */
int channel_log(channel_object *self, int level, PyObject *text);

/* The message, after a debug record; NULL with an exception set when the logger raised one. */
PyObject *channel_log_message(channel_object *channel, PyObject *message);

/* Raises ChannelClosed after close(). */
int channel_check_open(channel_object *self);

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

/* Raise what the session ended with. 0 when it ended in order, or was closed. */
int channel_raise_end(channel_object *self);

/* Take a token that the caller's callable gave. -1 with an exception set. */
int channel_give_token(channel_object *self, PyObject *token);

/* Write the log, and answer what the session asks the interpreter. 1: it was answered, and the channel is to
 * be stepped; 0: it asked nothing that can be answered now; -1 with an exception set. */
int channel_serve(channel_object *self);

/* Do what can be done for the channel without waiting: start a request, read what has come. An exception that
 * is set stays set. */
void channel_progress(channel_object *self);

/* ---- asyncio ---- */

/* Make sure that the channel is driven by the event loop that runs. -1 with an exception set. */
int channel_attach(channel_object *self);

/* Do what the session wants done now, and tell the event loop. -1 with an exception set. */
int channel_step(channel_object *self);

/* Something came: serve the session, wake those who wait. Keeps any exception for them. `self` is the
 * channel. */
void channel_notify(PyObject *self);

/* Wake those who wait. */
void channel_wake(channel_object *self);

/* Keep the exception that is set, or raise the one that was kept (-1; 0 when there is none). */
void channel_keep_exception(channel_object *self);
int channel_raise_pending(channel_object *self);

#endif
