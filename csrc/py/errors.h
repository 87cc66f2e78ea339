/* From a session's errors to the exceptions of gaechannel.errors. */
#ifndef GAECHANNEL_PY_ERRORS_H
#define GAECHANNEL_PY_ERRORS_H

#include "py/state.h"
#include "session/session.h"

/* Find the classes of gaechannel.errors. -1 with an exception set. */
int errors_import(module_state *state);

/* What a session_error says: copied while the session must not change, raised after. */
typedef struct error_words {
    session_error_kind kind;
    int code;
    int status;
    strbuf message;
    strbuf reason;
    strbuf body;
    strbuf head;
    strbuf url;
    strbuf refused;
} error_words;

/* False when memory ran out. */
bool error_words_copy(error_words *words, const session_error *error);
/* The exception, as error_words_raise() raises it; NULL with another one set. */
PyObject *error_words_exception(module_state *state, error_words *words, PyObject *channel);
/* Raise the exception, and let go of the words. `channel` is asked what its caller gave where maps were
 * refused. */
void error_words_raise(module_state *state, error_words *words, PyObject *channel);

/* TalkMessageCorrupted, with what is wrong. */
void raise_corrupted(module_state *state, const char *words);

#endif
