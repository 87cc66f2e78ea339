/* Content codings taken off, however the bytes come and whenever the reader holds them up; and memory that
 * runs out, at every allocation in turn.
 *
 * Compiled with -Dmalloc=failing_malloc and so on, as content_coding.c is for this program. */
#include "failing.h"

#include <zlib.h>

#include "net/content_coding.h"

// zlib's windowBits.
enum { GZIP = 31, ZLIB = 15, RAW = -15 };

#define MAX_BODY 4096

typedef struct body {
    uint8_t bytes[MAX_BODY];
    size_t length;
} body;

static void put(body *to, const void *bytes, size_t length) {
    CHECK(length <= MAX_BODY - to->length);
    memcpy(to->bytes + to->length, bytes, length);
    to->length += length;
}

// One member more.
static void pack(body *to, int window_bits, const void *bytes, size_t length) {
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)bytes, .avail_in = (uInt)length};
    CHECK(deflateInit2(&stream, 9, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    stream.next_out = to->bytes + to->length;
    stream.avail_out = (uInt)(MAX_BODY - to->length);
    CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END);
    to->length = MAX_BODY - stream.avail_out;
    deflateEnd(&stream);
}

static void pack_text(body *to, int window_bits, const char *text) {
    pack(to, window_bits, text, strlen(text));
}

// A reader that takes nothing each time but the `patience`-th.
typedef struct reader {
    body got;
    size_t patience;
    size_t asked;
    size_t total;
    bool keeps;
} reader;

static bool take(void *context, const uint8_t *bytes, size_t length) {
    reader *self = context;
    CHECK(length > 0 && length <= 16 * 1024);
    if (self->patience != 0 && ++self->asked % self->patience != 0)
        return false;
    self->total += length;
    if (self->keeps)
        put(&self->got, bytes, length);
    return true;
}

static content_coding *coding(const char *names) {
    content_coding *self = NULL;
    CHECK(content_coding_add(&self, names, strlen(names)));
    return self;
}

// The bytes, again and again until they are taken; each time in memory of their own.
static coding_status feed(content_coding *self, const uint8_t *bytes, size_t length, reader *to) {
    coding_status status;
    do {
        uint8_t *copy = check_copy(bytes, length);
        status = content_coding_decode(self, copy, length, take, to);
        free(copy);
    } while (status == CODING_HELD);
    return status;
}

// In two, cut at `cut`, and then byte by byte if that is 0.
static coding_status feed_cut(content_coding *self, const body *from, size_t cut, reader *to) {
    coding_status status = CODING_OK;
    if (cut != 0) {
        status = feed(self, from->bytes, cut, to);
        if (status == CODING_OK && cut < from->length)
            status = feed(self, from->bytes + cut, from->length - cut, to);
        return status;
    }
    for (size_t i = 0; i < from->length && status == CODING_OK; i++)
        status = feed(self, from->bytes + i, 1, to);
    return status;
}

// What comes of it, wherever it is cut and however often the reader takes nothing.
static void check_all(const char *names, const body *from, coding_status status, const char *want) {
    for (size_t cut = 0; cut <= from->length; cut++)
        for (size_t patience = 0; patience < 4; patience++) {
            reader to = {.patience = patience, .keeps = true};
            content_coding *self = coding(names);
            CHECK(feed_cut(self, from, cut, &to) == status);
            put(&to.got, "", 1);
            CHECK_TEXT(names, (const char *)to.got.bytes, want);
            content_coding_free(self);
        }
}

static void members_in_a_row_are_one_text(void) {
    body from = {0};
    pack_text(&from, GZIP, "one ");
    pack_text(&from, GZIP, "");
    pack_text(&from, GZIP, "two ");
    pack_text(&from, GZIP, "three");
    check_all("gzip", &from, CODING_OK, "one two three");
    check_all(" X-GZip ", &from, CODING_OK, "one two three");
    check_all("deflate", &from, CODING_OK, "one two three");
}

static void deflate_is_read_with_a_head_and_without(void) {
    body wrapped = {0}, raw = {0}, empty = {0};
    pack_text(&wrapped, ZLIB, "one ");
    pack_text(&wrapped, ZLIB, "two");
    check_all("deflate", &wrapped, CODING_OK, "one two");
    check_all("gzip", &wrapped, CODING_OK, "one two");
    pack_text(&raw, RAW, "one two");
    check_all("deflate", &raw, CODING_OK, "one two");
    check_all("gzip", &raw, CODING_CORRUPT, "");
    pack_text(&empty, RAW, "");
    CHECK(empty.length == 2);
    check_all("deflate", &empty, CODING_OK, "");
}

static void zeros_behind_a_member_are_padding(void) {
    body from = {0};
    pack_text(&from, GZIP, "one ");
    put(&from, "\0\0\0", 3);
    pack_text(&from, GZIP, "two");
    put(&from, "\0\0\0\0\0", 5);
    check_all("gzip", &from, CODING_OK, "one two");
}

static void what_follows_the_members_is_ignored(void) {
    body from = {0};
    pack_text(&from, GZIP, "one");
    put(&from, "\x1f", 1); // half a magic number
    check_all("gzip", &from, CODING_OK, "one");
    put(&from, "garbage", 7);
    check_all("gzip", &from, CODING_OVER, "one");
    body raw = {0};
    pack_text(&raw, RAW, "one");
    put(&raw, "\x12\x34\x56\x78", 4); // a check sum, as some servers send it
    check_all("deflate", &raw, CODING_OVER, "one");
}

static void codings_behind_each_other_are_taken_off_in_turn(void) {
    body inner = {0}, middle = {0}, outer = {0};
    pack_text(&inner, ZLIB, "one ");
    pack_text(&inner, ZLIB, "two");
    pack(&middle, GZIP, inner.bytes, 9);
    pack(&middle, GZIP, inner.bytes + 9, inner.length - 9);
    pack(&outer, GZIP, middle.bytes, middle.length);
    check_all("deflate, identity,gzip,, gzip", &outer, CODING_OK, "one two");
    // The same in several headers.
    content_coding *self = coding("deflate");
    CHECK(content_coding_add(&self, "gzip", 4) && content_coding_add(&self, "gzip", 4));
    reader to = {.keeps = true};
    CHECK(feed(self, outer.bytes, outer.length, &to) == CODING_OK && to.total == 7);
    content_coding_free(self);
}

static void names_that_are_no_coding_are_passed_over(void) {
    static const char *const names[] = {"", "identity", "utf-8", "none", "gzipped", "b", ",, ,"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        CHECK(coding(names[i]) == NULL);
}

static void codings_that_were_not_asked_for_are_named(void) {
    body from = {0};
    pack_text(&from, GZIP, "one");
    check_all("br", &from, CODING_UNKNOWN, "");
    check_all("br, gzip", &from, CODING_UNKNOWN, "");
    content_coding *self = coding("ZSTD");
    reader to = {0};
    CHECK(feed(self, from.bytes, from.length, &to) == CODING_UNKNOWN);
    CHECK_TEXT("words", content_coding_words(self),
               "the response has a content coding that was not asked for: zstd");
    content_coding_free(self);
}

static void too_many_codings_take_no_memory(void) {
    static char names[100 * 1024];
    for (size_t i = 0; i + 5 <= sizeof names; i += 5)
        memcpy(names + i, "gzip,", 5);
    content_coding *self = NULL;
    failing_left = 6; // that of five, and of the one too many
    CHECK(content_coding_add(&self, names, sizeof names));
    failing_left = -1;
    reader to = {0};
    CHECK(feed(self, (const uint8_t *)"x", 1, &to) == CODING_UNKNOWN);
    content_coding_free(self);
}

static void a_bomb_comes_in_pieces(void) {
    enum { SPACES = 1 << 24 };
    static uint8_t packed[1 << 17];
    z_stream stream = {0};
    CHECK(deflateInit2(&stream, 9, Z_DEFLATED, GZIP, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    stream.next_in = calloc(1, SPACES);
    Bytef *plain = stream.next_in;
    stream.avail_in = SPACES;
    stream.next_out = packed;
    stream.avail_out = sizeof packed;
    CHECK(plain != NULL && deflate(&stream, Z_FINISH) == Z_STREAM_END);
    size_t length = stream.total_out;
    deflateEnd(&stream);
    free(plain);
    for (size_t patience = 0; patience < 4; patience++) {
        content_coding *self = coding("gzip");
        reader to = {.patience = patience}; // which checks that they are small
        CHECK(feed(self, packed, length, &to) == CODING_OK && to.total == SPACES);
        content_coding_free(self);
    }
}

// A member: what stands in `first`, and then the same piece again and again.
static body pack_again(const body *first, const void *piece, size_t length, size_t times) {
    body packed = {0};
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)first->bytes, .avail_in = (uInt)first->length};
    CHECK(deflateInit2(&stream, 9, Z_DEFLATED, GZIP, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    stream.next_out = packed.bytes;
    stream.avail_out = MAX_BODY;
    CHECK(first->length == 0 || deflate(&stream, Z_NO_FLUSH) == Z_OK);
    for (size_t i = 0; i < times; i++) {
        stream.next_in = (Bytef *)(uintptr_t)piece;
        stream.avail_in = (uInt)length;
        CHECK(deflate(&stream, Z_NO_FLUSH) == Z_OK);
    }
    CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END);
    packed.length = stream.total_out;
    deflateEnd(&stream);
    return packed;
}

static void codings_behind_each_other_make_no_more_than_each_could(void) {
    enum { PIECE = 1 << 16, TIMES = 32, MOST = PIECE * TIMES * 4 };
    static const uint8_t zeros[PIECE];
    const body nothing = {0};
    body text = {0};
    pack_text(&text, GZIP, "one");
    const body many = pack_again(&nothing, zeros, PIECE, TIMES);
    const body few = pack_again(&text, zeros, 1, 1);
    // What comes out is long; or it is what was made on the way, and then left out as padding.
    for (int on_the_way = 0; on_the_way < 2; on_the_way++) {
        const body all = pack_again(on_the_way ? &few : &nothing, many.bytes, many.length, TIMES);
        reader to = {0};
        content_coding *self = coding(on_the_way ? "gzip, gzip, gzip" : "gzip, gzip");
        CHECK(feed(self, all.bytes, all.length, &to) == CODING_CORRUPT);
        CHECK(on_the_way ? to.total == 3 : to.total <= MOST);
        CHECK_TEXT("words", content_coding_words(self), "the compressed response becomes too long");
        content_coding_free(self);
    }
}

static void what_was_held_may_come_again_in_smaller_parts(void) {
    body from = {0};
    pack_text(&from, GZIP, "one ");
    pack_text(&from, GZIP, "two ");
    pack_text(&from, GZIP, "three");
    for (size_t patience = 1; patience < 6; patience++) {
        reader to = {.patience = patience, .keeps = true};
        content_coding *self = coding("gzip");
        size_t at = 0, part = from.length;
        while (at < from.length) {
            size_t length = from.length - at < part ? from.length - at : part;
            if (content_coding_decode(self, from.bytes + at, length, take, &to) == CODING_OK)
                at += length;
            part = part > 8 ? part / 2 : part;
        }
        put(&to.got, "", 1);
        CHECK_TEXT("held", (const char *)to.got.bytes, "one two three");
        content_coding_free(self);
    }
}

static void damage_is_told_behind_what_was_sound(void) {
    body from = {0};
    pack_text(&from, GZIP, "one ");
    size_t second = from.length;
    pack_text(&from, GZIP, "two");
    from.bytes[from.length - 5] ^= 1; // of the check sum
    check_all("gzip", &from, CODING_CORRUPT, "one two");
    content_coding *self = coding("gzip");
    reader to = {.keeps = true};
    CHECK(feed(self, from.bytes, from.length, &to) == CODING_CORRUPT);
    CHECK_TEXT("words", content_coding_words(self),
               "the compressed response is corrupt: incorrect data check");
    content_coding_free(self);
    // Any bit of any byte: what comes is a beginning of the text, or it is told.
    for (size_t bit = 0; bit < 8 * from.length; bit++) {
        body bad = from;
        bad.bytes[from.length - 5] ^= 1;
        bad.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        reader damaged = {.keeps = true};
        self = coding("gzip");
        coding_status status = feed(self, bad.bytes, bad.length, &damaged);
        CHECK(status == CODING_OK || status == CODING_CORRUPT ||
              (status == CODING_OVER && bit / 8 >= second));
        content_coding_free(self);
    }
}

static void memory_that_runs_out_is_told(void) {
    body inner = {0}, from = {0};
    pack_text(&inner, GZIP, "text");
    pack(&from, GZIP, inner.bytes, inner.length);
    coding_status status = CODING_MEMORY;
    size_t failures = 0;
    for (long allowed = 0; status == CODING_MEMORY; allowed++) {
        reader to = {.keeps = true};
        content_coding *self = NULL;
        failing_left = allowed;
        if (content_coding_add(&self, "gzip, gzip", 10))
            status = content_coding_decode(self, from.bytes, from.length, take, &to);
        failing_left = -1;
        failures += status == CODING_MEMORY;
        CHECK(status == CODING_OK || status == CODING_MEMORY);
        content_coding_free(self);
    }
    // Twice: the coding, zlib's state, the piece; zlib's window where it wants one.
    CHECK(failures >= 6);
}

static const check_case cases[] = {
    CASE(members_in_a_row_are_one_text),
    CASE(deflate_is_read_with_a_head_and_without),
    CASE(zeros_behind_a_member_are_padding),
    CASE(what_follows_the_members_is_ignored),
    CASE(codings_behind_each_other_are_taken_off_in_turn),
    CASE(names_that_are_no_coding_are_passed_over),
    CASE(codings_that_were_not_asked_for_are_named),
    CASE(too_many_codings_take_no_memory),
    CASE(a_bomb_comes_in_pieces),
    CASE(codings_behind_each_other_make_no_more_than_each_could),
    CASE(what_was_held_may_come_again_in_smaller_parts),
    CASE(damage_is_told_behind_what_was_sound),
    CASE(memory_that_runs_out_is_told),
};

CHECK_MAIN(cases)
