/* What asyncio's event loop watches for libcurl: one descriptor or many sockets, and a timer.
 *
 * While libcurl works, the GIL is released: what it wants watched is noted down, and the event loop is told
 * after. */
#ifndef GAECHANNEL_PY_LOOPS_WATCH_H
#define GAECHANNEL_PY_LOOPS_WATCH_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdbool.h>

#include "net/net.h"
#include "py/names.h"

// What libcurl wants of a socket, in the order in which it said so: a number may be closed and used again.
typedef struct watch_change {
    int socket;
    int events;
} watch_change;

typedef struct watch {
    PyObject *event_loop;
    // The module's.
    PyObject *const *names;
    // What the event loop calls.
    PyObject *on_ready;
    PyObject *on_read;
    PyObject *on_write;
    PyObject *on_timer;
    // The timer that is set, and for when.
    PyObject *timer;
    int64_t timer_ms;
    // When it was to come at the earliest, and whether it came late and was put off.
    int64_t due_ms;
    bool put_off;
    watch_change *changes;
    size_t change_count;
    size_t change_capacity;
    // Notes that could not be kept for want of memory.
    bool lost_changes;
    // The one descriptor that stands for all sockets; -1 where the event loop watches them itself.
    int descriptor;
    bool watches_sockets;
    // What the event loop watches: events by socket.
    unsigned char *watched;
    size_t watched_size;
} watch;

/* `called` has the methods _on_ready, _on_read, _on_write and _on_timer; `names` outlive it. -1 with an
 * exception set. */
int watch_init(watch *self, PyObject *called, PyObject *event_loop, PyObject *const *names,
               bool watches_sockets);
void watch_free(watch *self);
int watch_traverse(watch *self, visitproc visit, void *arg);
void watch_clear(watch *self);

/* Whether one descriptor stands for all sockets. */
bool watch_has_descriptor(const watch *self);

/* Have the event loop watch one descriptor of this loop, or be told of every socket. -1 with an exception
 * set. */
int watch_begin(watch *self, net_loop *loop);
/* Forget all that is watched. -1 with an exception set, which is not a closed event loop's; all is forgotten
 * even then. */
int watch_end(watch *self);

/* Clear the exception that is set if the event loop raised it because it is closed: it is driven by no
 * thread, and nobody waits there. Else -1, with an exception set. */
int watch_forgive_closed(const watch *self);

/* Tell the event loop what has been noted. -1 with an exception set. */
int watch_tell(watch *self);
bool watch_has_to_tell(const watch *self);

/* Have the timer called at that time, or earlier. -1 with an exception set. */
int watch_set_timer(watch *self, int64_t at_ms);
/* The timer was called. */
void watch_timer_has_run(watch *self);
/* Whether it came so late that it is to be put off, until the event loop has looked at the sockets: a process
 * that was stopped wakes with both due, and is told of the timer alone. It is not put off twice in a row. */
bool watch_puts_off(watch *self);

#endif
