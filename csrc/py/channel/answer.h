/* What only the interpreter can answer a session: tokens, and the URLs of subclasses. */
#ifndef GAECHANNEL_PY_CHANNEL_ANSWER_H
#define GAECHANNEL_PY_CHANNEL_ANSWER_H

#include "py/channel/want.h"

/* Take a token that the caller's callable gave. -1 with an exception set. */
int channel_give_token(channel_object *self, PyObject *token);

/* Answer what the session asks with this state. 1: it was answered, and the channel is to be stepped; 0: it
 * asked nothing that can be answered now; -1 with an exception set. */
int channel_answer(channel_object *self, const session_action *state);

/* Write the log, and answer what the session asks, as channel_answer(); `found` is what there was last. */
int channel_log_and_answer(channel_object *self, news *found);

#endif
