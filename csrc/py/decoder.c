/* The types Decoder, TalkDecoder and Framer: response bodies to arrays, to messages or to payloads, without a
 * network. */
#include "py/decoder.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "py/builder.h"
#include "py/errors.h"
#include "py/strings.h"
#include "py/values.h"
#include "wire/arrays.h"
#include "wire/bounds.h"
#include "wire/framer.h"
#include "wire/literal_space.h"
#include "wire/literal_unescape.h"
#include "py/wrong_type.h"

typedef struct decoder {
    PyObject_HEAD module_state *state;
    // One feed() at a time: nobody waits for another's to end.
    atomic_flag feeding;
    framer framer;
    // Why nothing more can be read; static text. Said when all that came before has been handed out.
    const char *broken;
    // TalkDecoder: the clid whose messages are wanted, UTF-8; NULL: all.
    char *clid;
    size_t clid_length;
    // Decoder: what makes its objects, during a feed(); and whether it makes none, but hands out data as
    // bytes.
    builder *builder;
    bool raw;
} decoder;

// Append what a chunk gives to the list: all of it, or, if it is corrupt, nothing. -1 with an exception.
typedef int take_chunk(decoder *self, PyObject *list, const framer_chunk *chunk);

// What runs for every message is compiled once for each kind of decoder: calls through a pointer take as long
// as the rest of what is done here.
#define INLINE static inline __attribute__((always_inline))

// Make an object of an array, or none, and append it to the list. Returns how many, or -1 with an exception.
// `is_ascii`: whether the array's chunk is.
typedef int append_array(decoder *self, PyObject *list, const wire_array *array, bool is_ascii);

INLINE int append_new(PyObject *list, PyObject *item) {
    int result = item != NULL ? PyList_Append(list, item) : -1;
    Py_XDECREF(item);
    return result < 0 ? -1 : 1;
}

static int append_pair(decoder *self, PyObject *list, const wire_array *array, bool is_ascii) {
    (void)is_ascii;
    PyObject *data = value_from_literal(self->state, array->data, array->data_length);
    return data != NULL ? append_new(list, Py_BuildValue("(LN)", (long long)array->id, data)) : -1;
}

static bool is_wanted(const decoder *self, const wire_string *clid) {
    if (self->clid == NULL)
        return true;
    if (!clid->escaped)
        return clid->length == self->clid_length && memcmp(clid->bytes, self->clid, clid->length) == 0;
    uint8_t plain[1024];
    bool lone;
    if (clid->length > sizeof plain)
        return false;
    size_t length = literal_unescape(clid->bytes, clid->length, plain, &lone);
    return length == self->clid_length && memcmp(plain, self->clid, length) == 0;
}

INLINE int append_message(decoder *self, PyObject *list, const wire_array *array, bool is_ascii) {
    const wire_string *text = &array->text;
    if (!array->is_talk_message || !is_wanted(self, &array->clid))
        return 0;
    if (is_ascii && !text->escaped)
        return append_new(list, str_from_ascii(text->bytes, text->length));
    return append_new(list, str_from_token(text->bytes, text->length, text->escaped));
}

/* ---- Feeding ---- */

// The arrays of one chunk: all, or, if it is corrupt, none. `init` begins reading them, with fast paths or
// without.
INLINE int append_chunk(decoder *self, PyObject *list, const framer_chunk *chunk,
                        void (*init)(arrays_reader *reader, const uint8_t *payload, size_t length),
                        append_array *append) {
    arrays_reader reader;
    wire_array array;
    arrays_status status;
    Py_ssize_t appended = 0;
    init(&reader, chunk->payload, chunk->length);
    while ((status = arrays_next(&reader, &array)) == ARRAYS_ARRAY) {
        int added = append(self, list, &array, chunk->is_ascii);
        if (added < 0)
            return -1;
        appended += added;
    }
    if (status == ARRAYS_END)
        return 0;
    size_t position;
    self->broken = arrays_error(&reader, &position);
    return PyList_SetSlice(list, PyList_Size(list) - appended, PY_SSIZE_T_MAX, NULL);
}

/* A number as arrays have it for an id: without a leading zero, and too short to pass INT64_MAX. */
static const uint8_t *take_id(const uint8_t *at, int64_t *id) {
    const uint8_t *first = at;
    for (*id = 0; *at >= '0' && *at <= '9' && at - first < 18; at++)
        *id = *id * 10 + (*at - '0');
    return at == first || (*first == '0' && at - first > 1) ? NULL : at;
}

/* (id, data); `data` is given away. */
static PyObject *new_pair(int64_t id, PyObject *data) {
    PyObject *number = PyLong_FromLongLong(id);
    PyObject *pair = number != NULL ? PyTuple_Pack(2, number, data) : NULL;
    Py_XDECREF(number);
    Py_DECREF(data);
    return pair;
}

/* The array that begins at `*cursor` with its bracket, made and appended. -1 with an exception, 0: not here.
 */
static int build_array(builder *maker, PyObject *list, const uint8_t **cursor, const uint8_t *end) {
    int64_t id;
    const uint8_t *at = literal_skip_space(*cursor);
    if (*at != '[')
        return 0;
    at = take_id(literal_skip_space(at + 1), &id);
    if (at == NULL || *(at = literal_skip_space(at)) != ',')
        return 0;
    at = literal_skip_space(at + 1);
    const builder_text text = {.end = end, .padded_end = end};
    PyObject *data = builder_read(maker, &at, &text);
    if (data == NULL)
        return PyErr_Occurred() != NULL ? -1 : 0;
    if (at == end || *(at = literal_skip_space(at)) != ']' || at + 1 == end) {
        Py_DECREF(data);
        return 0;
    }
    *cursor = at + 1;
    return append_new(list, new_pair(id, data));
}

/* Fast path for the arrays of a chunk that the builder can read: all are appended; or, where it cannot, none.
 * -1 with an exception, 0: not here. */
static int build_chunk(builder *maker, PyObject *list, const framer_chunk *chunk) {
    const uint8_t *at = chunk->payload, *end = at + chunk->length;
    while (end > at && (end[-1] == '\n' || end[-1] == ' ' || end[-1] == '\r' || end[-1] == '\t'))
        end--;
    if (end == at || end[-1] != ']' || *(at = literal_skip_space(at)) != '[')
        return 0;
    Py_ssize_t before = PyList_Size(list);
    int result;
    do {
        at++; // the bracket; then, commas
        result = build_array(maker, list, &at, end);
    } while (result > 0 && *(at = literal_skip_space(at)) == ',');
    if (result > 0 && *at == ']' && at + 1 == end)
        return 1;
    if (result < 0)
        return -1;
    return PyList_SetSlice(list, before, PY_SSIZE_T_MAX, NULL);
}

static int take_pairs_plain(decoder *self, PyObject *list, const framer_chunk *chunk) {
    return append_chunk(self, list, chunk, arrays_init_plain, append_pair);
}

static int take_pairs(decoder *self, PyObject *list, const framer_chunk *chunk) {
    int built = build_chunk(self->builder, list, chunk);
    if (built != 0)
        return built < 0 ? -1 : 0;
    return take_pairs_plain(self, list, chunk);
}

static PyObject *bytes_of(const uint8_t *text, size_t length) {
    return PyBytes_FromStringAndSize((const char *)text, (Py_ssize_t)length);
}

/* Each array's id and the bytes of its data. */
static int take_raw(decoder *self, PyObject *list, const framer_chunk *chunk) {
    bounds_reader reader;
    wire_array array;
    arrays_status status;
    Py_ssize_t before = PyList_Size(list);
    bounds_init(&reader, chunk->payload, chunk->length);
    while ((status = bounds_next(&reader, &array)) == ARRAYS_ARRAY) {
        PyObject *data = bytes_of(array.data, array.data_length);
        if (data == NULL || append_new(list, new_pair(array.id, data)) < 0)
            return -1;
    }
    if (status == ARRAYS_END)
        return 0;
    self->broken = reader.error;
    return PyList_SetSlice(list, before, PY_SSIZE_T_MAX, NULL);
}

/* The payload as it is; but for those that hold nothing, as some servers send them. */
static int take_payload(decoder *self, PyObject *list, const framer_chunk *chunk) {
    static const char blank[] = {' ', '\t', '\r', '\n'};
    (void)self;
    size_t blanks = 0;
    while (blanks < chunk->length && memchr(blank, chunk->payload[blanks], sizeof blank) != NULL)
        blanks++;
    if (blanks == chunk->length)
        return 0;
    return append_new(list, bytes_of(chunk->payload, chunk->length)) < 0 ? -1 : 0;
}

INLINE int take_messages(decoder *self, PyObject *list, const framer_chunk *chunk) {
    return append_chunk(self, list, chunk, arrays_init, append_message);
}

INLINE int feed_each(decoder *self, PyObject *list, const Py_buffer *bytes, take_chunk *take) {
    framer_chunk chunk;
    framer_status status;
    if (self->broken != NULL)
        return 0;
    framer_feed(&self->framer, bytes->buf, (size_t)bytes->len);
    while ((status = framer_next(&self->framer, &chunk)) == FRAMER_CHUNK && self->broken == NULL)
        if (take(self, list, &chunk) < 0) {
            // An exception of the interpreter's (no memory): what this call was given cannot be had again.
            self->broken = "an earlier feed() has failed";
            return -1;
        }
    if (status == FRAMER_NO_MEMORY) {
        self->broken = "an earlier feed() has failed";
        PyErr_NoMemory();
        return -1;
    }
    if (status == FRAMER_CORRUPT && self->broken == NULL)
        self->broken = self->framer.error;
    return 0;
}

// Append what the bytes give to the list, with the decoder's lock. -1 with an exception.
typedef int feed_bytes(decoder *self, PyObject *list, const Py_buffer *bytes);

static int feed_pairs(decoder *self, PyObject *list, const Py_buffer *bytes) {
    if (self->raw)
        return feed_each(self, list, bytes, take_raw);
    self->builder = builder_take(self->state);
    if (self->builder == NULL)
        return -1;
    int result = feed_each(self, list, bytes, take_pairs);
    builder_put(self->state, self->builder);
    return result;
}

static int feed_pairs_plain(decoder *self, PyObject *list, const Py_buffer *bytes) {
    return feed_each(self, list, bytes, take_pairs_plain);
}

static int feed_messages(decoder *self, PyObject *list, const Py_buffer *bytes) {
    return feed_each(self, list, bytes, take_messages);
}

static int feed_payloads(decoder *self, PyObject *list, const Py_buffer *bytes) {
    return feed_each(self, list, bytes, take_payload);
}

static bool lock(decoder *self) {
    if (!atomic_flag_test_and_set_explicit(&self->feeding, memory_order_acquire))
        return true;
    PyErr_SetString(PyExc_RuntimeError, "another feed() is under way");
    return false;
}

static void unlock(decoder *self) {
    atomic_flag_clear_explicit(&self->feeding, memory_order_release);
}

INLINE PyObject *feed(PyObject *op, PyObject *data, feed_bytes *feed_lock_held) {
    decoder *self = (decoder *)op;
    Py_buffer bytes;
    if (PyObject_GetBuffer(data, &bytes, PyBUF_SIMPLE) < 0) {
        if (PyUnicode_Check(data))
            PyErr_SetString(PyExc_TypeError, "a body's bytes are wanted, not str: of text, its encode()");
        return NULL;
    }
    PyObject *list = PyList_New(0);
    if (list == NULL)
        goto done;
    if (!lock(self)) {
        Py_CLEAR(list);
        goto done;
    }
    int result = feed_lock_held(self, list, &bytes);
    const char *broken = self->broken;
    unlock(self);
    if (result < 0)
        Py_CLEAR(list);
    else if (broken != NULL && PyList_Size(list) == 0) {
        Py_CLEAR(list);
        raise_corrupted(self->state, broken);
    }
done:
    PyBuffer_Release(&bytes);
    return list;
}

static PyObject *decoder_feed(PyObject *self, PyObject *data) {
    return feed(self, data, feed_pairs);
}

static PyObject *decoder_feed_plain(PyObject *self, PyObject *data) {
    return feed(self, data, feed_pairs_plain);
}

static PyObject *talk_decoder_feed(PyObject *self, PyObject *data) {
    return feed(self, data, feed_messages);
}

static PyObject *framer_feed_payloads(PyObject *self, PyObject *data) {
    return feed(self, data, feed_payloads);
}

static PyObject *decoder_eof(PyObject *op, PyObject *unused) {
    decoder *self = (decoder *)op;
    (void)unused;
    if (!lock(self))
        return NULL;
    // What has ended takes no more bytes: the next feed() must not seem to have found nothing.
    if (self->broken == NULL && !framer_at_boundary(&self->framer))
        self->broken = "the body ended inside a chunk";
    const char *broken = self->broken;
    unlock(self);
    if (broken == NULL)
        Py_RETURN_NONE;
    raise_corrupted(self->state, broken);
    return NULL;
}

/* ---- Begin and end ---- */

/* The argument max_chunk_size, which was given or is NULL; 0 with an exception. */
static Py_ssize_t max_chunk_size_of(PyObject *given) {
    if (given == NULL)
        return FRAMER_DEFAULT_MAX_CHUNK;
    if (PyBool_Check(given) || !PyIndex_Check(given)) {
        raise_wrong_type("max_chunk_size", "must be an int", given);
        return 0;
    }
    // A number that no size can be is the largest that can.
    Py_ssize_t size = PyNumber_AsSsize_t(given, NULL);
    if (size <= 0 && PyErr_Occurred() == NULL)
        PyErr_Format(PyExc_ValueError, "max_chunk_size must be at least 1, not %zd", size);
    return size > 0 ? size : 0;
}

static PyObject *new_decoder(PyTypeObject *type, PyObject *given_max_chunk_size) {
    Py_ssize_t max_chunk_size = max_chunk_size_of(given_max_chunk_size);
    if (max_chunk_size == 0)
        return NULL;
    module_state *state = module_state_of_type(type);
    if (state == NULL)
        return NULL;
    allocfunc alloc = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    decoder *self = (decoder *)alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->state = state;
    framer_init(&self->framer, (size_t)max_chunk_size);
    atomic_flag_clear(&self->feeding);
    return (PyObject *)self;
}

static PyObject *decoder_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"max_chunk_size", "raw", NULL};
    PyObject *max_chunk_size = NULL;
    PyObject *raw = Py_False;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$OO:Decoder", names, &max_chunk_size, &raw))
        return NULL;
    if (!PyBool_Check(raw)) {
        raise_wrong_type("raw", "must be True or False", raw);
        return NULL;
    }
    decoder *self = (decoder *)new_decoder(type, max_chunk_size);
    if (self != NULL)
        self->raw = raw == Py_True;
    return (PyObject *)self;
}

static PyObject *framer_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"max_chunk_size", NULL};
    PyObject *max_chunk_size = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$O:Framer", names, &max_chunk_size))
        return NULL;
    return new_decoder(type, max_chunk_size);
}

static PyObject *talk_decoder_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"clid", "max_chunk_size", NULL};
    PyObject *given = Py_None;
    const char *clid = NULL;
    Py_ssize_t clid_length = 0;
    PyObject *max_chunk_size = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O$O:TalkDecoder", names, &given, &max_chunk_size))
        return NULL;
    if (given != Py_None && !PyUnicode_Check(given)) {
        PyErr_SetString(PyExc_TypeError, "clid must be a str or None");
        return NULL;
    }
    if (given != Py_None && (clid = PyUnicode_AsUTF8AndSize(given, &clid_length)) == NULL)
        return NULL;
    decoder *self = (decoder *)new_decoder(type, max_chunk_size);
    if (self == NULL || clid == NULL)
        return (PyObject *)self;
    self->clid = malloc((size_t)clid_length + 1);
    if (self->clid == NULL) {
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    memcpy(self->clid, clid, (size_t)clid_length);
    self->clid_length = (size_t)clid_length;
    return (PyObject *)self;
}

static void decoder_dealloc(PyObject *op) {
    decoder *self = (decoder *)op;
    PyTypeObject *type = Py_TYPE(op);
    framer_clear(&self->framer);
    free(self->clid);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(op);
    Py_DECREF(type);
}

/* ---- The types ---- */

#define EOF_DOC                                                                                              \
    "eof($self, /)\n--\n\nSay that the body has ended.\n\nRaises TalkMessageCorrupted if it ended inside a " \
    "chunk, or was corrupt."

static PyMethodDef decoder_methods[] = {
    {"feed", decoder_feed, METH_O,
     "feed($self, data, /)\n--\n\n"
     "Take the next bytes of a body, however it was cut; return the arrays that are now complete, a list of\n"
     "(array_id, data).\n\n"
     "Raises TalkMessageCorrupted where the body is no run of chunks of arrays. Arrays that came whole "
     "before\n"
     "the corruption are returned first, and the exception is raised by the next feed() or eof()."},
    {"_feed_plain", decoder_feed_plain, METH_O,
     "_feed_plain($self, data, /)\n--\n\nfeed() without its fast path: what it must agree with on every "
     "input."},
    {"eof", decoder_eof, METH_NOARGS, EOF_DOC},
    {NULL, NULL, 0, NULL},
};

static PyMethodDef talk_decoder_methods[] = {
    {"feed", talk_decoder_feed, METH_O,
     "feed($self, data, /)\n--\n\n"
     "Take the next bytes of a body, however it was cut; return the texts of the messages that are now\n"
     "complete, a list of str.\n\n"
     "Raises TalkMessageCorrupted as Decoder.feed() does."},
    {"eof", decoder_eof, METH_NOARGS, EOF_DOC},
    {NULL, NULL, 0, NULL},
};

static PyMethodDef framer_methods[] = {
    {"feed", framer_feed_payloads, METH_O,
     "feed($self, data, /)\n--\n\n"
     "Take the next bytes of a body, however it was cut; return the payloads that are now complete, a list "
     "of\n"
     "bytes. Payloads that hold nothing but white space are left out.\n\n"
     "Raises TalkMessageCorrupted where the body is no run of chunks of UTF-8, as Decoder.feed() does."},
    {"eof", decoder_eof, METH_NOARGS, EOF_DOC},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot decoder_slots[] = {
    {Py_tp_doc,
     "Decoder(*, max_chunk_size=16777216, raw=False)\n--\n\n"
     "Reads response bodies of any dialect: length-prefixed chunks of arrays. One is for one body.\n\n"
     "max_chunk_size: the largest chunk length believed, in UTF-16 code units.\n"
     "raw: True: each array's data is not parsed, but given as it stands in the body, bytes of JSON "
     "text\n"
     "in UTF-8, for a parser of your own. Nothing is checked then but the framing and where an array "
     "ends:\n"
     "holes, single quotes, and what is no literal at all are yours."},
    {Py_tp_new, decoder_new},
    {Py_tp_dealloc, decoder_dealloc},
    {Py_tp_methods, decoder_methods},
    {0, NULL},
};

static PyType_Slot talk_decoder_slots[] = {
    {Py_tp_doc,
     "TalkDecoder(clid=None, *, max_chunk_size=16777216)\n--\n\n"
     "Reads response bodies of the talk dialect, and gives only the messages' texts. One is for one\n"
     "body.\n\n"
     "clid: whose messages are wanted; None: everybody's.\n"
     "max_chunk_size: the largest chunk length believed, in UTF-16 code units."},
    {Py_tp_new, talk_decoder_new},
    {Py_tp_dealloc, decoder_dealloc},
    {Py_tp_methods, talk_decoder_methods},
    {0, NULL},
};

static PyType_Slot framer_slots[] = {
    {Py_tp_doc, "Framer(*, max_chunk_size=16777216)\n--\n\n"
                "Cuts response bodies into the payloads of their chunks, whatever those hold: arrays, or a\n"
                "forward reply such as [0,1,7]. For those who want only the lengths to be right.\n"
                "One is for one body.\n\n"
                "max_chunk_size: the largest chunk length believed, in UTF-16 code units."},
    {Py_tp_new, framer_new},
    {Py_tp_dealloc, decoder_dealloc},
    {Py_tp_methods, framer_methods},
    {0, NULL},
};

#define DECODER_FLAGS (Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE)

static PyType_Spec decoder_spec = {"gaechannel.Decoder", sizeof(decoder), 0, DECODER_FLAGS, decoder_slots};
static PyType_Spec talk_decoder_spec = {"gaechannel.TalkDecoder", sizeof(decoder), 0, DECODER_FLAGS,
                                        talk_decoder_slots};
static PyType_Spec framer_spec = {"gaechannel.Framer", sizeof(decoder), 0, DECODER_FLAGS, framer_slots};

int decoder_add_types(PyObject *module, module_state *state) {
    if (module_add_type(module, &state->decoder_type, &decoder_spec) < 0)
        return -1;
    if (module_add_type(module, &state->talk_decoder_type, &talk_decoder_spec) < 0)
        return -1;
    return module_add_type(module, &state->framer_type, &framer_spec);
}
