/* What a session reports: records for the logger, and why it ended. */
#ifndef GAECHANNEL_PY_CHANNEL_REPORT_H
#define GAECHANNEL_PY_CHANNEL_REPORT_H

#include "py/channel/object.h"

/* The logger, a new reference. */
PyObject *channel_logger(channel_object *self);

/* The message, after a debug record; NULL with an exception set when the logger raised one. */
PyObject *channel_log_message(channel_object *channel, PyObject *message);

/* Hand the session's log records to the logger, and changes of its state to whoever wants to be told. -1 with
 * an exception set. */
int channel_tell(channel_object *self);

/* The name of how the session stands. */
const char *channel_state_name(session_state state);

/* The session's last failure as an exception, or None; a new reference. */
PyObject *channel_last_error(channel_object *self);

/* Ask the logger which records it wants; one that cannot say gets all. -1 with an exception set where it was
 * interrupted. */
int channel_ask_log_level(channel_object *self);

/* Raise what the session ended with. 0 when it ended in order, or was closed. */
int channel_raise_end(channel_object *self);

#endif
