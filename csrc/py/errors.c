/* From a session's errors to the exceptions of gaechannel.errors. */
#include "py/errors.h"
#include "py/exceptions.h"

#include <stddef.h> // offsetof()
#include <string.h>

typedef struct named_class {
    const char *name;
    size_t offset; // of its pointer in module_state
} named_class;

static const named_class classes[] = {
    {"ChannelError", offsetof(module_state, channel_error)},
    {"ParseError", offsetof(module_state, parse_error)},
    {"TalkMessageCorrupted", offsetof(module_state, corrupted)},
    {"TransportError", offsetof(module_state, transport_error)},
    {"ChannelTimeout", offsetof(module_state, timeout)},
    {"HTTPStatusError", offsetof(module_state, http_status_error)},
    {"InvalidToken", offsetof(module_state, invalid_token)},
    {"SessionLost", offsetof(module_state, session_lost)},
    {"MapsRefused", offsetof(module_state, maps_refused)},
    {"TokenExpired", offsetof(module_state, token_expired)},
    {"ChannelClosed", offsetof(module_state, closed)},
    {"WebChannelError", offsetof(module_state, web_channel_error)},
};

int errors_import(module_state *state) {
    PyObject *module = PyImport_ImportModule("gaechannel.errors");
    if (module == NULL)
        return -1;
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        PyObject *found = PyObject_GetAttrString(module, classes[i].name);
        if (found == NULL) {
            Py_DECREF(module);
            return -1;
        }
        *(PyObject **)((char *)state + classes[i].offset) = found;
    }
    Py_DECREF(module);
    return 0;
}

static void error_words_clear(error_words *words) {
    strbuf_free(&words->message);
    strbuf_free(&words->reason);
    strbuf_free(&words->body);
    strbuf_free(&words->head);
    strbuf_free(&words->url);
    strbuf_free(&words->refused);
}

// A server's words may be anything; what is no UTF-8 is shown as such.
static PyObject *str_of(const strbuf *text) {
    return PyUnicode_DecodeUTF8(strbuf_str(text), (Py_ssize_t)text->length, "backslashreplace");
}

static bool copy(strbuf *to, const strbuf *from) {
    strbuf_append(to, strbuf_str(from), from->length);
    return !strbuf_failed(to);
}

bool error_words_copy(error_words *words, const session_error *error) {
    *words = (error_words){.kind = error->kind, .code = error->code, .status = error->status};
    bool copied = copy(&words->message, &error->message) && copy(&words->reason, &error->reason) &&
                  copy(&words->body, &error->body) && copy(&words->head, &error->head) &&
                  copy(&words->url, &error->url) && copy(&words->refused, &error->refused);
    if (!copied)
        error_words_clear(words);
    return copied;
}

static PyObject *class_of(const module_state *state, const error_words *words) {
    switch (words->kind) {
    case ERROR_CORRUPT:
        return state->corrupted;
    case ERROR_TRANSPORT:
        return state->transport_error;
    case ERROR_TIMEOUT:
        return state->timeout;
    case ERROR_HTTP:
        return state->http_status_error;
    case ERROR_SESSION_LOST:
        return state->session_lost;
    case ERROR_MAPS_REFUSED:
        return state->maps_refused;
    case ERROR_TOKEN_INVALID:
        return state->invalid_token;
    case ERROR_TOKEN_EXPIRED:
        return state->token_expired;
    case ERROR_CLOSED:
        return state->closed;
    case ERROR_NONE:
    case ERROR_PROTOCOL:
    case ERROR_MEMORY:
        break;
    }
    return state->channel_error;
}

// What HTTPStatusError has of the response.
static PyObject *http_keywords(const error_words *words) {
    // N takes what str_of() made, or fails with it.
    return Py_BuildValue("{sisNsNsNsN}", "code", words->status, "reason", str_of(&words->reason), "body",
                         str_of(&words->body), "head", str_of(&words->head), "url", str_of(&words->url));
}

// The same, and the maps as they were given to `channel`.
static PyObject *refused_keywords(module_state *state, const error_words *words, PyObject *channel) {
    PyObject *keywords = http_keywords(words);
    PyObject *refused = keywords != NULL ? str_of(&words->refused) : NULL;
    PyObject *maps = refused != NULL
                         ? PyObject_CallMethodObjArgs(channel, state->names[NAME_MAPS_GIVEN], refused, NULL)
                         : NULL;
    Py_XDECREF(refused);
    if (maps == NULL || PyDict_SetItemString(keywords, "maps", maps) < 0)
        Py_CLEAR(keywords);
    Py_XDECREF(maps);
    return keywords;
}

static PyObject *keywords_of(module_state *state, const error_words *words, PyObject *channel) {
    switch (words->kind) {
    case ERROR_TRANSPORT:
    case ERROR_TIMEOUT:
        return Py_BuildValue("{si}", "curl_code", words->code);
    case ERROR_MAPS_REFUSED:
        return refused_keywords(state, words, channel);
    case ERROR_SESSION_LOST:
        return words->refused.length != 0 ? refused_keywords(state, words, channel) : http_keywords(words);
    case ERROR_HTTP:
    case ERROR_TOKEN_INVALID:
    case ERROR_TOKEN_EXPIRED:
        return http_keywords(words);
    default:
        return PyDict_New();
    }
}

PyObject *error_words_exception(module_state *state, error_words *words, PyObject *channel) {
    PyObject *type = words->kind != ERROR_MEMORY ? class_of(state, words) : PyExc_MemoryError;
    PyObject *arguments = Py_BuildValue("(N)", str_of(&words->message));
    PyObject *keywords = arguments != NULL ? keywords_of(state, words, channel) : NULL;
    PyObject *error = NULL;
    if (arguments != NULL && keywords != NULL)
        error = PyObject_Call(type, arguments, keywords);
    Py_XDECREF(keywords);
    Py_XDECREF(arguments);
    error_words_clear(words);
    return error;
}

void error_words_raise(module_state *state, error_words *words, PyObject *channel) {
    PyObject *error = error_words_exception(state, words, channel);
    if (error != NULL)
        PyErr_SetObject((PyObject *)Py_TYPE(error), error);
    Py_XDECREF(error);
}

void raise_corrupted(module_state *state, const char *words) {
    exception_raise(state->corrupted, words);
}
