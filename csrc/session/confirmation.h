/* A forward reply: what confirms maps. */
#ifndef GAECHANNEL_SESSION_CONFIRMATION_H
#define GAECHANNEL_SESSION_CONFIRMATION_H

#include <stdbool.h>
#include <stddef.h> // size_t
#include <stdint.h> // int64_t

#include "wire/framer.h"

typedef struct confirmation {
    // Whether the server has a back channel of the session.
    bool back_present;
    // The highest array id that it has sent; -1: none, or one that is no id.
    int64_t last_id;
    // Bytes that are on their way; -1 as above.
    int64_t outstanding;
} confirmation;

/* Read `[back channel present, last array id sent, bytes outstanding]`, numbers, true, false or null, framed
 * or bare, further elements allowed, out of a whole reply. False: it is something else, an empty body, a
 * proxy's page, a reply cut short, and confirms nothing. `frames` is any framer that is not in use, and is
 * left in any state. */
bool confirmation_read(framer *frames, const char *reply, size_t length, confirmation *out);

/* Where a reply begins, behind a byte order mark and white space. */
const char *reply_begin(const char *reply);

#endif
