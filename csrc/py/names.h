/* The names of what is asked of Python's objects again and again.
 *
 * One str for each: who asks by a C string makes a new one each time, which CPython's cache of methods then
 * keeps, and which pushes another one out of it. */
#ifndef GAECHANNEL_PY_NAMES_H
#define GAECHANNEL_PY_NAMES_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

typedef enum py_name {
    // Of an event loop, its futures and its timers.
    NAME_ADD_READER,
    NAME_ADD_WRITER,
    NAME_REMOVE_READER,
    NAME_REMOVE_WRITER,
    NAME_CALL_LATER,
    NAME_CALL_SOON,
    NAME_CALL_SOON_THREADSAFE,
    NAME_CREATE_FUTURE,
    NAME_IS_CLOSED,
    NAME_DONE,
    NAME_SET_RESULT,
    NAME_FUTURE_BLOCKING,
    NAME_CANCEL,
    // Of a logger.
    NAME_IS_ENABLED_FOR,
    NAME_DEBUG,
    NAME_INFO,
    NAME_WARN,
    NAME_WARNING,
    // Of a channel, and what it raises.
    NAME_ASK_TOKEN,
    NAME_FIND_LOOP,
    NAME_GET_BIND_URL,
    NAME_GET_INIT_URL,
    NAME_MAPS_GIVEN,
    NAME_OF_METADATA,
    NAME_PREPARE_SESSION,
    NAME_REFUSE_WAITING,
    NAME_RENEW_HEADERS,
    NAME_STORE_COOKIES,
    NAME_TELL_STATE,
    NAME_CHANNEL,
    NAME_COUNT
} py_name;

/* Make them all. -1 with an exception set. */
int names_make(PyObject *names[NAME_COUNT]);

#endif
