/* What is wanted of a channel, and whether it is there: the one question that all ask who iterate, flush,
 * connect, close. */
#ifndef GAECHANNEL_PY_CHANNEL_WANT_H
#define GAECHANNEL_PY_CHANNEL_WANT_H

#include "py/channel/object.h"

typedef enum want_kind {
    WANT_MESSAGE, // a message that can be taken
    WANT_GOAL,    // the goal is reached
    WANT_FLUSHED, // the server has all maps
    WANT_ROOM,    // `most` bytes of maps more may wait
    WANT_END,     // the session has ended
} want_kind;

typedef struct want {
    want_kind what;
    // What the channel is driven to for it.
    session_goal goal;
    // Not one message, but all that are there; or, where `most` is not 0, so many of them at most.
    bool all;
    size_t most;
    // One message, where its absence is an error and no end of an iteration.
    bool once;
    int64_t deadline_ms; // SESSION_NEVER: none
} want;

/* The want that Python has this name for: "messages", "batches", "message" (one), "poll" (one back channel's
 * messages), "initialized", "open", "connected", "flushed", "room", "ended". False with an exception set. */
bool want_named(PyObject *name, want *found);

/* A deadline from a number of seconds from now; negative for none. */
int64_t want_deadline_ms(double seconds);

// What a look at the channel says to whoever wants something.
typedef enum outlook {
    OUTLOOK_ERROR = -1, // of those who wait: an exception is set
    OUTLOOK_COME,       // it is there
    OUTLOOK_WAIT,       // it may come
    OUTLOOK_ASKS,       // first, the session wants an answer from the interpreter
    OUTLOOK_SETTLED,    // it will not come: somebody else wanted less, and has got it
    OUTLOOK_ENDED,      // it will not come: the session has ended, or the channel was closed
    OUTLOOK_LATE,       // the deadline has come first
} outlook;

typedef struct news {
    outlook outlook;
    bool record;  // there is a message
    bool settled; // the session has reached its present goal, which may be somebody else's
    bool ended;   // the session, or nearly: the channel was closed
    bool asks;    // the session waits for an answer: a token, a URL, what it opens with
    bool logs;    // there is something to tell: records for the logger, changes of the state
    // Bytes of all bodies so far.
    uint64_t received;
    // What the session wants, for channel_answer().
    session_action state;
} news;

/* Look what there is. Of no use any more when Python code has run. NULL: nothing in particular is wanted. */
news channel_peek(channel_object *self, const want *wanted);
/* The same with the lock, and with or without the GIL. */
news channel_peek_lock_held(const channel_object *self, const want *wanted);

/* Have the channel driven to what is wanted, unless it is on its way to more; forgets an earlier error. -1
 * with an exception set where that was interrupted; then nothing has changed. */
int channel_pursue(channel_object *self, const want *wanted);

/* The same, whatever others want. `anew`: what was reached is forgotten, and done again. */
int channel_pursue_alone(channel_object *self, const want *wanted, bool anew);

#endif
