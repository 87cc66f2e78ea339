/* From keyword arguments to a channel's options.
 *
 * To add one: a field where it is used (session_config, net_options, or channel_options), and a line of the
 * table. */
#include "py/channel_type/options.h"

#include <limits.h> // INT_MAX
#include <stddef.h> // offsetof()
#include <string.h> // strcmp()

#include "session/dialect.h"
#include "py/wrong_type.h"

typedef enum option_kind {
    TEXT,    // const char *: a str or None
    OBJECT,  // PyObject *: anything; None is nothing
    FLAG,    // bool
    INTEGER, // int
    COUNT,   // size_t: at least 1
    SECONDS, // int64_t, in ms: more than 0
} option_kind;

typedef struct option {
    const char *name;
    option_kind kind;
    size_t offset;   // of its field in channel_options
    int64_t without; // what a number is when it is not given; 0: the default that its struct names
    bool required;
} option;

#define OPTION(name, kind, field, without)                                                                   \
    { name, kind, offsetof(channel_options, field), without, false }
#define REQUIRED(name, kind, field)                                                                          \
    { name, kind, offsetof(channel_options, field), 0, true }

static const option table[] = {
    REQUIRED("dialect", TEXT, dialect),
    REQUIRED("url", TEXT, session.url),
    REQUIRED("logger", OBJECT, logger),
    OPTION("url_is_retired", FLAG, session.url_is_retired, false),
    OPTION("token", TEXT, token, 0),
    OPTION("token_source", OBJECT, token_source, 0),
    OPTION("params", TEXT, params, 0),
    OPTION("open_form", TEXT, open_form, 0),
    OPTION("init_headers", TEXT, init_headers, 0),
    OPTION("secrets", OBJECT, secrets, 0),
    OPTION("privates", OBJECT, privates, 0),
    OPTION("timeout", SECONDS, session.timeout_ms, 0),
    OPTION("request_timeout", SECONDS, session.request_timeout_ms, 0),
    OPTION("connect_timeout", SECONDS, net.connect_timeout_ms, 10000),
    OPTION("max_backoff", SECONDS, session.max_backoff_ms, 0),
    OPTION("max_reconnects", INTEGER, session.max_reconnects, -1),
    OPTION("auto_reconnect", FLAG, session.auto_reconnect, true),
    OPTION("max_chunk_size", COUNT, session.max_chunk, 0),
    OPTION("queue_limit", COUNT, session.queue_limit, 0),
    OPTION("max_unsent", COUNT, session.max_unsent, 0),
    OPTION("headers", TEXT, net.headers, 0),
    OPTION("cookies", TEXT, net.cookies, 0),
    OPTION("user_agent", TEXT, net.user_agent, 0),
    OPTION("proxy", TEXT, net.proxy, 0),
    OPTION("verify", FLAG, net.verify, true),
    OPTION("ca_file", TEXT, net.ca_file, 0),
    OPTION("ca_path", TEXT, net.ca_path, 0),
    OPTION("cert", TEXT, net.cert, 0),
    OPTION("key", TEXT, net.key, 0),
    OPTION("http2", FLAG, net.http2, true),
    OPTION("buffered", INTEGER, session.buffered, BUFFERED_NO),
    OPTION("fast_handshake", FLAG, session.fast_handshake, false),
    OPTION("raw", FLAG, session.raw, false),
    OPTION("bind_path", TEXT, session.bind_path, 0),
    OPTION("keeps_session", FLAG, session.keeps_session, false),
    OPTION("sends_once", FLAG, session.sends_once, false),
    OPTION("unwraps", FLAG, unwraps, false),
    OPTION("is_async", FLAG, is_async, false),
};
#define COUNT_OF_OPTIONS (sizeof table / sizeof *table)

/* ---- One option ---- */

static void write_number(const option *given, void *field, int64_t number) {
    switch (given->kind) {
    case FLAG:
        *(bool *)field = number != 0;
        break;
    case INTEGER:
        *(int *)field = (int)number;
        break;
    case COUNT:
        *(size_t *)field = (size_t)number;
        break;
    case SECONDS:
        *(int64_t *)field = number;
        break;
    default:
        break;
    }
}

static int read_text(const option *given, const char **field, PyObject *value) {
    Py_ssize_t length;
    if (value == Py_None && !given->required)
        return 0;
    if (!PyUnicode_Check(value)) {
        raise_wrong_type(given->name, "must be a str", value);
        return -1;
    }
    *field = PyUnicode_AsUTF8AndSize(value, &length);
    if (*field != NULL && strlen(*field) != (size_t)length) {
        PyErr_Format(PyExc_ValueError, "%s has a NUL in it", given->name);
        return -1;
    }
    return *field != NULL ? 0 : -1;
}

static int read_seconds(const option *given, int64_t *ms, PyObject *value) {
    const double most = 1e9; // some thirty years
    double seconds = PyFloat_AsDouble(value);
    if (seconds == -1.0 && PyErr_Occurred() != NULL)
        return -1;
    if (!(seconds > 0 && seconds < most)) {
        PyErr_Format(PyExc_ValueError, "%s must be a positive number of seconds", given->name);
        return -1;
    }
    // Rounded up: a wait of less than a millisecond is still a wait.
    *ms = (int64_t)(seconds * 1000);
    *ms += (double)*ms < seconds * 1000;
    return 0;
}

static int read_integer(const option *given, int64_t *number, PyObject *value) {
    *number = PyLong_AsLongLong(value);
    if (*number == -1 && PyErr_Occurred() != NULL)
        return -1;
    if (given->kind != INTEGER && *number <= 0) {
        PyErr_Format(PyExc_ValueError, "%s must be positive", given->name);
        return -1;
    }
    if (given->kind != COUNT && (*number < INT_MIN || *number > INT_MAX)) {
        PyErr_Format(PyExc_OverflowError, "%s is out of range", given->name);
        return -1;
    }
    return 0;
}

static int read_option(const option *given, void *field, PyObject *value) {
    int64_t number = 0;
    int result = 0;
    switch (given->kind) {
    case TEXT:
        return read_text(given, field, value);
    case OBJECT:
        *(PyObject **)field = value != Py_None ? value : NULL;
        return 0;
    case FLAG:
        number = result = PyObject_IsTrue(value);
        break;
    case SECONDS:
        result = read_seconds(given, &number, value);
        break;
    case INTEGER:
    case COUNT:
        result = read_integer(given, &number, value);
        break;
    }
    if (result < 0)
        return -1;
    write_number(given, field, number);
    return 0;
}

/* ---- All of them ---- */

static const option *find(PyObject *name) {
    const char *wanted = PyUnicode_AsUTF8AndSize(name, NULL);
    for (size_t i = 0; wanted != NULL && i < COUNT_OF_OPTIONS; i++)
        if (strcmp(table[i].name, wanted) == 0)
            return &table[i];
    if (wanted != NULL)
        PyErr_Format(PyExc_TypeError, "Channel() has no argument %R", name);
    return NULL;
}

static int check_required(const channel_options *self) {
    for (size_t i = 0; i < COUNT_OF_OPTIONS; i++) {
        if (!table[i].required || *(void *const *)((const char *)self + table[i].offset) != NULL)
            continue;
        PyErr_Format(PyExc_TypeError, "%s must be given", table[i].name);
        return -1;
    }
    return 0;
}

int channel_options_read(channel_options *self, PyObject *args, PyObject *kwargs) {
    Py_ssize_t at = 0;
    PyObject *name, *value;
    if (PyTuple_Size(args) != 0) {
        PyErr_SetString(PyExc_TypeError, "Channel() takes keyword arguments only");
        return -1;
    }
    for (size_t i = 0; i < COUNT_OF_OPTIONS; i++)
        write_number(&table[i], (char *)self + table[i].offset, table[i].without);
    while (kwargs != NULL && PyDict_Next(kwargs, &at, &name, &value)) {
        const option *given = find(name);
        if (given == NULL || read_option(given, (char *)self + given->offset, value) < 0)
            return -1;
    }
    if (check_required(self) < 0)
        return -1;
    self->session.dialect = dialect_find(self->dialect);
    if (self->session.dialect != NULL)
        return 0;
    PyErr_Format(PyExc_ValueError, "there is no dialect %s", self->dialect);
    return -1;
}
