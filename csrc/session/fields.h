/* A session's texts and numbers, for the files of this folder; the rest is in session.h. */
#ifndef GAECHANNEL_SESSION_FIELDS_H
#define GAECHANNEL_SESSION_FIELDS_H

#include "internal.h"

/* Set a field to the string that the reader's token is. That is the server's word, for which nothing that is
 * under way is given up. */
bool session_set_from_token(session *self, session_field field, const literal_reader *reader);

#endif
