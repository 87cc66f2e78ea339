/* Whether a proxy on the way holds the back channel's response back until it ends. */
#ifndef GAECHANNEL_SESSION_BUFFERING_H
#define GAECHANNEL_SESSION_BUFFERING_H

#include "internal.h"

/* Whether the server is to end the next back channel after each batch (CI=1). */
bool buffering_asks_batches(const session *self);

/* When a back channel that is not answered at all is to be given up for that reason alone: SESSION_NEVER,
 * unless nothing is known yet of the way to the server, and it may be asked for again. */
int64_t buffering_deadline_ms(const session *self, const exchange *ex);

/* The back channel was given up because of its silence. Whether that is not held against the server, since a
 * proxy may be the cause, and another way is tried for the first time. */
bool buffering_on_silence(session *self, const exchange *ex);

/* The back channel, which has brought arrays, is over, however it came to that. */
void buffering_on_arrays(session *self, const exchange *ex, int64_t now_ms);

/* The back channel has ended in order. */
void buffering_on_end(session *self, const exchange *ex, int64_t now_ms);

#endif
