/* The end of an array's data, without reading what is in it. */
#include "wire/bounds_scan.h"

#include <stddef.h> // NULL

#include "wire/literal_escape.h"
#include "wire/literal_scan.h"
#include "wire/simd/blocks.h"

/* ---- One byte at a time ---- */

/* The quote that ends the string that `at` is in; `end` where none does. */
static const uint8_t *string_end(const uint8_t *at, const uint8_t *end, uint8_t quote) {
    while ((at = literal_scan(at, end, quote)) < end && *at == '\\')
        at += end - at > 1 ? 2 : 1;
    return at;
}

/* As bounds_scan(), at this depth, and inside a string where `quote` is not 0. */
static const uint8_t *bounds_scan_on(const uint8_t *at, const uint8_t *end, uint64_t depth, uint8_t quote) {
    if (quote != 0 && (at = string_end(at, end, quote)) < end)
        at++;
    for (; at < end; at++) {
        uint8_t byte = *at;
        if (byte == '"' || byte == '\'') {
            at = string_end(at + 1, end, byte);
            if (at == end)
                return NULL;
        } else if (byte == '[' || byte == '{') {
            depth++;
        } else if (byte == ']' || byte == '}') {
            if (--depth == 0)
                return at;
        } else if (byte == ',' && depth == 1) {
            return at;
        }
    }
    return NULL;
}

const uint8_t *bounds_scan_plain(const uint8_t *at, const uint8_t *end) {
    return bounds_scan_on(at, end, 1, 0);
}

/* ---- By blocks ---- */

#ifdef VECTOR_BYTES

/* For each bit, whether an odd number of bits is set from the lowest one up to it. */
static inline uint64_t running_parity(uint64_t bits) {
    for (unsigned places = 1; places < 64; places *= 2)
        bits ^= bits << places;
    return bits;
}

/* Of a block's brackets and commas, the one that bounds_scan() looks for; 0: none. `*depth` is how deep the
 * block begins, and how deep it ends. */
static inline uint64_t find_bound(uint64_t opening, uint64_t closing, uint64_t commas, uint64_t *depth) {
    for (uint64_t left = opening | closing | commas; left != 0; left &= left - 1) {
        uint64_t lowest = left & (0 - left);
        *depth += (opening & lowest) != 0;
        *depth -= (closing & lowest) != 0;
        if (*depth == 0 || (*depth == 1 && (commas & lowest) != 0))
            return lowest;
    }
    return 0;
}

#define B(name) BLOCKS_JOIN(quad, name)
#define B_TARGET WITH_SHUFFLE
#include "wire/bounds_by_blocks.h"
#undef B
#undef B_TARGET

#ifdef BLOCKS_WIDE
#define B(name) BLOCKS_JOIN(wide, name)
#define B_TARGET WITH_WIDE
#include "wire/bounds_by_blocks.h"
#undef B
#undef B_TARGET
#endif

#ifdef BLOCKS_HUGE
#define B(name) BLOCKS_JOIN(huge, name)
#define B_TARGET WITH_HUGE
#include "wire/bounds_by_blocks.h"
#undef B
#undef B_TARGET
#endif

#endif

const uint8_t *bounds_scan(const uint8_t *at, const uint8_t *end) {
#ifdef BLOCKS_HUGE
    if (huge_can())
        return huge_scan(at, end);
#endif
#ifdef BLOCKS_WIDE
    if (wide_can())
        return wide_scan(at, end);
#endif
#ifdef VECTOR_BYTES
    if (vector_can_shuffle())
        return quad_scan(at, end);
#endif
    return bounds_scan_plain(at, end);
}
