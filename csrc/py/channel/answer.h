/* What only the interpreter can answer a session: tokens, what a session opens with, the URLs of subclasses.
 */
#ifndef GAECHANNEL_PY_CHANNEL_ANSWER_H
#define GAECHANNEL_PY_CHANNEL_ANSWER_H

#include "py/channel/want.h"

/* Take a token that the caller's callable gave. -1 with an exception set. */
int channel_give_token(channel_object *self, PyObject *token);

/* What the callables were asked for has been given: what a session opens with, or other headers. */
void channel_take_answer(channel_object *self, bool session_opens);

/* Refuse to wait where one of the channel's own callables would, which the channel may be waiting for. -1
 * with ChannelError set. */
int channel_refuse_waiting(channel_object *self);

/* Answer what the session asks with this state. 1: it was answered, and the channel is to be stepped; 0: it
 * asked nothing that can be answered now; -1 with an exception set. */
int channel_answer(channel_object *self, const session_action *state);

/* Tell what there is to tell, and answer what the session asks, as channel_answer(); `found` is what there
 * was last. */
int channel_log_and_answer(channel_object *self, news *found);

#endif
