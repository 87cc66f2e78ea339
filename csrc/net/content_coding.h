/* Takes the content codings of HTTP off a response's body: gzip and deflate, by zlib.
 *
 * libcurl could, too, but stops at the end of the first gzip member: of a server or a proxy that compresses
 * each flush as a member of its own, 7.88 drops all the others without a word, and newer ones fail. */
#ifndef GAECHANNEL_NET_CONTENT_CODING_H
#define GAECHANNEL_NET_CONTENT_CODING_H

#include <stdbool.h>
#include <stddef.h> // size_t
#include <stdint.h> // uint8_t

// What a request accepts.
#define CONTENT_CODINGS "gzip, deflate"

/* What stands between a response's body and who reads it. NULL: nothing. */
typedef struct content_coding content_coding;

typedef enum coding_status {
    CODING_OK,      // all bytes were taken
    CODING_HELD,    // the reader has not taken what came of them: hand over the same bytes again later
    CODING_OVER,    // what was compressed has ended; what follows is to be ignored
    CODING_CORRUPT, // content_coding_words() says why
    CODING_UNKNOWN, // the same
    CODING_MEMORY,  // memory ran out
} coding_status;

/* Whoever reads the body. False: none of these bytes were taken. */
typedef bool content_reader(void *context, const uint8_t *bytes, size_t length);

/* Put what a Content-Encoding header names before what is there already. Names that are not those of any
 * coding ("utf-8", "none") are passed over, as browsers do. False when memory ran out. */
bool content_coding_add(content_coding **self, const char *names, size_t length);

/* Hand over the next bytes of the body. The reader is called with at most 16 KiB at a time. */
coding_status content_coding_decode(content_coding *self, const uint8_t *bytes, size_t length,
                                    content_reader *reader, void *context);

/* What is wrong, for a person. Lives as long as `self`. */
const char *content_coding_words(const content_coding *self);

void content_coding_free(content_coding *self);

#endif
