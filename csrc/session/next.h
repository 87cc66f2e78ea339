/* What a session wants done next, as session_next() says it. */
#ifndef GAECHANNEL_SESSION_NEXT_H
#define GAECHANNEL_SESSION_NEXT_H

#include "internal.h"

/* How long the exchange's request may be silent. */
int64_t session_patience_ms(const session *self, exchange_slot slot);

#endif
