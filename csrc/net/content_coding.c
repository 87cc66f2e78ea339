/* Content codings, one behind the other where a response has several, each a zlib stream.
 *
 * What is compressed is a row of members (RFC 1952, 2.2), each with a head of its own; of deflate, most often
 * one zlib stream (RFC 1950) or, from servers that took the name by its word, one without head and end (RFC
 * 1951). Behind the last one, zeros are padding, and all else is ignored, as by gzip(1) and by browsers. */
#include "net/content_coding.h"

#include <stdio.h>   // snprintf()
#include <stdlib.h>  // malloc()
#include <strings.h> // strncasecmp()

#define ZLIB_CONST // what zlib only reads
#include <zlib.h>

// The most that is decoded at a time.
#define PIECE_BYTES ((size_t)16 * 1024)

// Codings of one response. libcurl, too, puts up with five.
#define MAX_CODINGS 5

// Deflate makes no more than so many bytes of one. Codings behind each other multiply that: of 16 KiB two
// could make 16 GiB at one go, while nobody else gets a turn. So all of them together are held to what each
// could make of the first one's bytes, but for a beginning.
#define MAX_RATIO 1032
#define FREE_BYTES ((uint64_t)1024 * 1024)

// inflateReset2()'s windowBits.
#define WITH_GZIP_HEAD (MAX_WBITS + 16)
#define WITH_ZLIB_HEAD MAX_WBITS
#define WITHOUT_HEAD (-MAX_WBITS)

#define MAX_WORDS 120

typedef enum coding_kind { KIND_GZIP, KIND_DEFLATE, KIND_UNKNOWN } coding_kind;

typedef enum coding_place {
    AT_HEAD, // of a member
    IN_MEMBER,
    BEHIND_ALL,
    AT_FAULT,
} coding_place;

struct content_coding {
    // The coding that was applied before this one; NULL: the reader is next.
    content_coding *inner;
    coding_kind kind;
    coding_place place;
    z_stream stream;
    bool has_stream;
    // The first two bytes of a member tell what it is.
    uint8_t head[2];
    size_t head_length;
    // A member has come to its end.
    bool has_ended;
    // zlib may have more to give without more bytes.
    bool is_full;
    // What has come of the last bytes, and which of it the next one has not taken yet; NULL between bytes.
    uint8_t *piece;
    size_t from, to;
    // How many of the bytes that are to be handed over again were taken.
    size_t taken;
    // Of the outermost one: the bytes that it has taken, and those that it and all others have made.
    uint64_t all_taken, all_made;
    coding_status fault;
    char words[MAX_WORDS];
};

typedef struct destination {
    content_reader *reader;
    void *context;
    // What all codings have made, and may make.
    uint64_t *made;
    uint64_t most;
} destination;

/* ---- What a response has ---- */

// Codings that exist and that nobody asked for come with their kind, too.
static const struct coding_name {
    const char *name;
    coding_kind kind;
} known[] = {
    {"gzip", KIND_GZIP},     {"x-gzip", KIND_GZIP},       {"deflate", KIND_DEFLATE},
    {"br", KIND_UNKNOWN},    {"zstd", KIND_UNKNOWN},      {"dcb", KIND_UNKNOWN},
    {"dcz", KIND_UNKNOWN},   {"compress", KIND_UNKNOWN},  {"x-compress", KIND_UNKNOWN},
    {"bzip2", KIND_UNKNOWN}, {"x-bzip2", KIND_UNKNOWN},   {"xz", KIND_UNKNOWN},
    {"lzma", KIND_UNKNOWN},  {"exi", KIND_UNKNOWN},       {"pack200-gzip", KIND_UNKNOWN},
    {"sdch", KIND_UNKNOWN},  {"aes128gcm", KIND_UNKNOWN},
};

static coding_status fail(content_coding *self, coding_status fault, const char *what, const char *more) {
    self->place = AT_FAULT;
    self->fault = fault;
    (void)snprintf(self->words, sizeof self->words, "%s%s", what, more);
    return fault;
}

static bool push(content_coding **outermost, const char *name, coding_kind kind) {
    if (*outermost != NULL && (*outermost)->place == AT_FAULT)
        return true; // the bytes go no further
    content_coding *self = calloc(1, sizeof *self);
    size_t before = 0;
    if (self == NULL)
        return false;
    self->inner = *outermost;
    self->kind = kind;
    for (const content_coding *one = *outermost; one != NULL; one = one->inner)
        before++;
    if (kind == KIND_UNKNOWN)
        fail(self, CODING_UNKNOWN, "the response has a content coding that was not asked for: ", name);
    else if (before == MAX_CODINGS)
        fail(self, CODING_UNKNOWN, "the response has too many content codings", "");
    *outermost = self;
    return true;
}

bool content_coding_add(content_coding **self, const char *names, size_t length) {
    const char *end = names + length;
    while (names < end) {
        size_t name_length = 0;
        while (names + name_length < end && names[name_length] != ',' && names[name_length] != ' ')
            name_length++;
        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
            if (strncasecmp(known[i].name, names, name_length) == 0 && known[i].name[name_length] == '\0' &&
                name_length != 0 && !push(self, known[i].name, known[i].kind))
                return false;
        names += name_length + 1;
    }
    return true;
}

void content_coding_free(content_coding *self) {
    while (self != NULL) {
        content_coding *inner = self->inner;
        if (self->has_stream)
            inflateEnd(&self->stream);
        free(self->piece);
        free(self);
        self = inner;
    }
}

const char *content_coding_words(const content_coding *self) {
    while (self->inner != NULL && self->fault == CODING_OK)
        self = self->inner;
    return self->words;
}

/* ---- Members ---- */

// As zlib does by itself, but where a test can make it fail.
static voidpf take_memory(voidpf unused, uInt items, uInt size) {
    (void)unused;
    return calloc(items, size);
}

static void give_memory(voidpf unused, voidpf memory) {
    (void)unused;
    free(memory);
}

static coding_status begin_member(content_coding *self, int window_bits) {
    int code;
    if (self->has_stream) {
        code = inflateReset2(&self->stream, window_bits);
    } else {
        self->stream = (z_stream){.zalloc = take_memory, .zfree = give_memory};
        code = inflateInit2(&self->stream, window_bits);
        self->has_stream = code == Z_OK;
    }
    if (code != Z_OK)
        return fail(self, CODING_MEMORY, "out of memory", "");
    self->place = IN_MEMBER;
    return CODING_OK;
}

static coding_status inflate_piece(content_coding *self, const uint8_t *bytes, size_t *length) {
    z_stream *stream = &self->stream;
    if (self->piece == NULL && (self->piece = malloc(PIECE_BYTES)) == NULL)
        return fail(self, CODING_MEMORY, "out of memory", "");
    stream->next_in = bytes;
    stream->avail_in = (uInt)*length;
    stream->next_out = self->piece;
    stream->avail_out = (uInt)PIECE_BYTES;
    int code = inflate(stream, Z_SYNC_FLUSH);
    *length -= stream->avail_in;
    self->to = PIECE_BYTES - stream->avail_out;
    self->is_full = stream->avail_out == 0 && code == Z_OK;
    if (code == Z_STREAM_END) {
        self->place = AT_HEAD;
        self->head_length = 0;
        self->has_ended = true;
    } else if (code == Z_MEM_ERROR) {
        fail(self, CODING_MEMORY, "out of memory", "");
    } else if (code != Z_OK && code != Z_BUF_ERROR) {
        fail(self, CODING_CORRUPT, "the compressed response is corrupt: ",
             stream->msg != NULL ? stream->msg : "a dictionary is wanted");
    }
    // What came before the fault is sound, and goes first.
    return CODING_OK;
}

static bool is_zlib_head(const uint8_t *head) {
    return (head[0] & 0x0F) == Z_DEFLATED && head[0] >> 4 <= 7 && (head[0] << 8 | head[1]) % 31 == 0;
}

static coding_status end_of_members(content_coding *self) {
    if (!self->has_ended)
        return fail(self, CODING_CORRUPT, "the response is not compressed as it says", "");
    self->place = BEHIND_ALL;
    return CODING_OK;
}

// A member begins, or nothing does.
static coding_status read_head(content_coding *self, uint8_t byte) {
    if (self->head_length == 0 && self->has_ended && byte == 0)
        return CODING_OK; // padding
    self->head[self->head_length++] = byte;
    if (self->head_length < sizeof self->head)
        return CODING_OK;
    bool may_lack_head = self->kind == KIND_DEFLATE && !self->has_ended;
    int window_bits = self->head[0] == 0x1F && self->head[1] == 0x8B ? WITH_GZIP_HEAD
                      : is_zlib_head(self->head)                     ? WITH_ZLIB_HEAD
                                                                     : WITHOUT_HEAD;
    if (window_bits == WITHOUT_HEAD && !may_lack_head)
        return end_of_members(self);
    coding_status status = begin_member(self, window_bits);
    size_t length = sizeof self->head;
    return status == CODING_OK ? inflate_piece(self, self->head, &length) : status;
}

/* ---- From one coding to the next ---- */

static coding_status decode(content_coding *self, const uint8_t *bytes, size_t *length, destination to);

// Whether there is more to come of the bytes that were taken.
static bool owes(const content_coding *self) {
    return self != NULL && (self->from < self->to || self->is_full || owes(self->inner));
}

// What has come of the last bytes, until the next one takes no more.
static coding_status hand_on(content_coding *self, destination to) {
    coding_status status = CODING_OK;
    while (status == CODING_OK && (self->from < self->to || owes(self->inner))) {
        size_t length = self->to - self->from;
        if (self->inner != NULL) {
            status = decode(self->inner, self->piece + self->from, &length, to);
        } else if (!to.reader(to.context, self->piece + self->from, length)) {
            status = CODING_HELD;
            length = 0;
        }
        self->from += length;
        *to.made += length;
        if (status == CODING_OK && *to.made > to.most)
            return fail(self, CODING_CORRUPT, "the compressed response becomes too long", "");
    }
    if (status == CODING_OK)
        self->from = self->to = 0;
    return status;
}

// One step: a byte of a head, or as much as makes a piece.
static coding_status take_some(content_coding *self, const uint8_t *bytes, size_t *length) {
    switch (self->place) {
    case AT_HEAD:
        *length = 1;
        return read_head(self, *bytes);
    case IN_MEMBER:
        return inflate_piece(self, bytes, length);
    case BEHIND_ALL:
        return CODING_OVER;
    case AT_FAULT:
        break;
    }
    return self->fault;
}

// `length`: how many bytes there are, and then, how many of them were taken.
static coding_status decode(content_coding *self, const uint8_t *bytes, size_t *length, destination to) {
    size_t there = *length;
    *length = 0;
    coding_status status = hand_on(self, to);
    while (status == CODING_OK && (*length < there || self->is_full || self->place == AT_FAULT)) {
        size_t some = there - *length;
        status = take_some(self, bytes + *length, &some);
        *length += some;
        if (status == CODING_OK)
            status = hand_on(self, to);
    }
    return status;
}

coding_status content_coding_decode(content_coding *self, const uint8_t *bytes, size_t length,
                                    content_reader *reader, void *context) {
    size_t before = self->taken < length ? self->taken : length;
    size_t taken = length - before;
    uint64_t most = FREE_BYTES + (self->all_taken + taken) * MAX_RATIO * MAX_CODINGS;
    destination to = {reader, context, &self->all_made, most};
    coding_status status = decode(self, bytes + before, &taken, to);
    self->all_taken += taken;
    // The same bytes may come again in smaller parts.
    self->taken = status == CODING_HELD ? self->taken + taken : self->taken - before;
    for (content_coding *one = self; one != NULL && status == CODING_OK; one = one->inner) {
        free(one->piece);
        one->piece = NULL;
    }
    return status;
}
