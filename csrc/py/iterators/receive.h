/* Taking what a channel has received, as all ask for it who iterate or receive. */
#ifndef GAECHANNEL_PY_ITERATORS_RECEIVE_H
#define GAECHANNEL_PY_ITERATORS_RECEIVE_H

#include "py/channel/want.h"

/* What is wanted, which is messages: the next one, or a list of those that are there, told to a logger that
 * wants to know. NULL with no exception: none is there yet. An exception behind a list's first message is
 * kept for who asks next. */
PyObject *receive(channel_object *channel, const want *wanted);

/* Wait in the thread that calls for one message. NULL with an exception: ChannelTimeout, why the session has
 * ended, or ChannelClosed. */
PyObject *receive_in_thread(channel_object *channel, const want *wanted);

/* ChannelTimeout: no message has come by the deadline; its cause is the last failure, if the channel is not
 * open. Returns NULL. */
PyObject *receive_raise_late(channel_object *channel);

/* The same of many channels, whose failures are their own. */
PyObject *receive_raise_late_of_many(module_state *state);

/* ChannelClosed: no message will come, since the channel was closed or the session has ended in order.
 * Returns NULL. */
PyObject *receive_raise_over(const channel_object *channel);

#endif
