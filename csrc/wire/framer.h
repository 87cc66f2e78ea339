/* Bytes to chunks: a response body is a run of `LENGTH LF PAYLOAD`, LENGTH in UTF-16 units.
 *
 * The framer owns no thread, no socket and no clock. Feed it what came, however it was cut, and take
 * chunks until it wants more:
 *
 *     framer_feed(&framer, bytes, length);
 *     while (framer_next(&framer, &chunk) == FRAMER_CHUNK)
 *         use(chunk.payload, chunk.length);
 */
#ifndef GAECHANNEL_WIRE_FRAMER_H
#define GAECHANNEL_WIRE_FRAMER_H

#include <stdbool.h>
#include <stddef.h> // size_t
#include <stdint.h> // uint8_t

// The largest LENGTH believed unless told otherwise, in UTF-16 units.
#define FRAMER_DEFAULT_MAX_CHUNK ((size_t)16 * 1024 * 1024)

typedef enum framer_status {
    FRAMER_CHUNK,     // a chunk is in `out`
    FRAMER_NEED_MORE, // everything fed was used; no whole chunk is left
    FRAMER_CORRUPT,   // the body is no run of chunks; `framer.error` says why; sticky
    FRAMER_NO_MEMORY, // sticky
} framer_status;

typedef struct framer_chunk {
    // Valid UTF-8, not terminated. Valid until the next call on the framer.
    const uint8_t *payload;
    // In bytes.
    size_t length;
    // Whether all of it is ASCII: it has as many bytes as UTF-16 units.
    bool is_ascii;
} framer_chunk;

// Past the last byte of a byte order mark.
#define FRAMER_NO_MARK 3u

typedef struct framer {
    // Where in a chunk the next byte stands.
    enum { FRAMER_IN_LENGTH, FRAMER_IN_PAYLOAD, FRAMER_FAILED } state;
    // How many bytes of a byte order mark the body has begun with; FRAMER_NO_MARK once none can come.
    unsigned mark;
    // Whether what is corrupt is a chunk, that is too long or no text, and not what stands between two.
    bool chunk_at_fault;
    // Whether the length line has begun, that is, whether the body may not end here.
    bool length_begun;
    // Whether a space followed the digits: only space, CR and LF may come now.
    bool length_ended;
    // Set when a chunk was returned from `held`, which the next call may then reuse.
    bool held_returned;
    // What framer_next() says when there is no chunk: FRAMER_NEED_MORE until something is wrong.
    framer_status when_empty;
    // The digits so far, or, in the payload, how many units are still missing.
    size_t units;
    // In the payload: the length that was read, in UTF-16 units.
    size_t chunk_units;
    // The largest length believed, in UTF-16 units.
    size_t max_chunk;
    // What was fed and not yet used; belongs to the caller.
    const uint8_t *input;
    size_t input_length;
    // A payload of which a part came with earlier input; owned. `held_length` bytes of
    // `held_capacity`, the last `held_cut` of which are the beginning of a character.
    uint8_t *held;
    size_t held_length;
    size_t held_capacity;
    size_t held_cut;
    // What FRAMER_CORRUPT or FRAMER_NO_MEMORY is about; a static string in English, or NULL.
    const char *error;
} framer;

/* Make an empty framer. `max_chunk` in UTF-16 units; 0 means FRAMER_DEFAULT_MAX_CHUNK; a tenth of SIZE_MAX is
 * the most it can be, and more is taken for that. Allocates nothing. */
void framer_init(framer *framer, size_t max_chunk);

/* Free what the framer holds. A framer may be cleared twice, and initialized again after. */
void framer_clear(framer *framer);

/* Forget the body so far (a new response begins); keeps the limit. */
void framer_reset(framer *framer);

/* Hand over the next bytes of the body. All that was fed before must have been taken, that is, the last
 * framer_next() said FRAMER_NEED_MORE (or nothing was fed yet, or the framer has failed: then the bytes
 * are ignored). `bytes` must stay until then. */
void framer_feed(framer *framer, const uint8_t *bytes, size_t length);

/* Take the next chunk. Copies nothing when the chunk lies whole in the bytes fed. A LENGTH of 0 is a chunk
 * too, one of no bytes. */
framer_status framer_next(framer *framer, framer_chunk *out);

/* Whether the body may end here: not inside a length or a payload. */
bool framer_at_boundary(const framer *framer);

/* The bytes fed and not yet used. */
size_t framer_input_left(const framer *framer);

#endif
