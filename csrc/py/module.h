/* The extension module's state, and what its files share. */
#ifndef GAECHANNEL_PY_MODULE_H
#define GAECHANNEL_PY_MODULE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdatomic.h>

#include "session/session.h"
#include "wire/literal_text.h"

typedef struct module_state {
    // The classes of gaechannel.errors.
    PyObject *channel_error;
    PyObject *parse_error;
    PyObject *corrupted;
    PyObject *transport_error;
    PyObject *timeout;
    PyObject *http_status_error;
    PyObject *invalid_token;
    PyObject *token_expired;
    PyObject *closed;
    PyObject *web_channel_error;
    // asyncio.get_running_loop(), once it was needed.
    _Atomic(PyObject *) get_running_loop;
    // The types defined here.
    PyTypeObject *channel_type;
    PyTypeObject *messages_type;
    PyTypeObject *loop_type;
    PyTypeObject *awaiter_type;
    PyTypeObject *merge_type;
    PyTypeObject *async_merge_type;
    PyTypeObject *decoder_type;
    PyTypeObject *talk_decoder_type;
    // How often this process was forked off another, as far as this module has seen: a channel made before
    // the last time belongs to the parent.
    unsigned long forks;
} module_state;

extern struct PyModuleDef module_def;

module_state *module_state_of(PyObject *module);
/* The state behind one of this module's types, or a subclass of one. NULL with an exception set. */
module_state *module_state_of_type(PyTypeObject *type);

/* ---- types, a file each: add them to the module; -1 with an exception set ---- */

int channel_add_type(PyObject *module, module_state *state);
int messages_add_type(PyObject *module, module_state *state);
int loop_add_type(PyObject *module, module_state *state);
int merge_add_types(PyObject *module, module_state *state);
int awaiter_add_type(PyObject *module, module_state *state);
int decoder_add_types(PyObject *module, module_state *state);

/* ---- errors.c ---- */

int errors_import(module_state *state);
void errors_clear(module_state *state);
int errors_traverse(module_state *state, visitproc visit, void *arg);

/* What a session_error says: copied while the session must not change, raised after. */
typedef struct error_words {
    session_error_kind kind;
    int code;
    int status;
    strbuf message;
    strbuf reason;
    strbuf body;
} error_words;

/* False when memory ran out. */
bool error_words_copy(error_words *words, const session_error *error);
/* Raise the exception, and let go of the words. */
void error_words_raise(module_state *state, error_words *words);

/* TalkMessageCorrupted, with what is wrong. */
void raise_corrupted(module_state *state, const char *words);

/* ---- values.c ---- */

/* A literal's value. `text` must be a literal known to be well-formed, or ParseError is raised; `length` in
 * bytes. */
PyObject *value_from_literal(module_state *state, const uint8_t *text, size_t length);

/* UTF-8 in which lone surrogates stand as three bytes to str. */
PyObject *str_with_surrogates(const uint8_t *text, size_t length);

/* The same for where there are hardly ever any. */
PyObject *str_from_utf8(const uint8_t *text, size_t length);

/* What is known to be ASCII to str. */
PyObject *str_from_ascii(const uint8_t *text, size_t length);

/* What literal_text() made to str. */
PyObject *str_from_form(literal_form form, const uint8_t *text, size_t length);

/* A string token's content to str. */
PyObject *str_from_token(const uint8_t *token, size_t length, bool escaped);

/* The function gaechannel._core.parse(text). */
PyObject *parse_literal(PyObject *module, PyObject *text);

#endif
