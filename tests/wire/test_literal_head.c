/* literal_head.h: what it says of 32 bytes is what a byte at a time says. */
#include "check.h"

#include "wire/literal_head.h"

static unsigned end_of(const uint8_t *head) {
    unsigned at = 0;
    while (at < LITERAL_HEAD && head[at] != '"' && head[at] != '\\' && head[at] < 0x80)
        at++;
    return at;
}

static void the_first_special_byte_is_found_at_every_place(void) {
    uint8_t bytes[LITERAL_HEAD + 3];
    for (unsigned byte = 0; byte < 0x100; byte++)
        for (size_t shift = 0; shift < 3; shift++)
            for (size_t at = 0; at <= LITERAL_HEAD; at++) {
                memset(bytes, 'a', sizeof bytes);
                if (at < LITERAL_HEAD)
                    bytes[shift + at] = (uint8_t)byte;
                CHECK(literal_head_end(bytes + shift) == end_of(bytes + shift));
                // And with others behind it.
                memset(bytes + shift + at, '"', LITERAL_HEAD - at);
                CHECK(literal_head_end(bytes + shift) == end_of(bytes + shift));
            }
}

static void heads_agree_up_to_the_first_byte_that_differs(void) {
    uint8_t bytes[LITERAL_HEAD], other[LITERAL_HEAD];
    for (size_t at = 0; at < LITERAL_HEAD; at++) {
        memset(bytes, 0x55, sizeof bytes);
        for (unsigned bit = 0; bit < 8; bit++) {
            memcpy(other, bytes, sizeof other);
            other[at] ^= (uint8_t)(1u << bit);
            for (size_t length = 0; length <= LITERAL_HEAD; length++)
                CHECK(literal_head_same(bytes, other, length) == (length <= at));
        }
    }
}

static void the_hash_hangs_on_the_bytes_that_count_and_on_no_other(void) {
    uint8_t bytes[LITERAL_HEAD], other[LITERAL_HEAD];
    memset(bytes, 'k', sizeof bytes);
    for (size_t length = 0; length <= LITERAL_HEAD; length++)
        for (size_t at = 0; at < LITERAL_HEAD; at++) {
            memcpy(other, bytes, sizeof other);
            other[at] = 'K';
            bool same = literal_head_hash(bytes, length) == literal_head_hash(other, length);
            CHECK(same == (at >= length));
        }
}

static const check_case cases[] = {
    CASE(the_first_special_byte_is_found_at_every_place),
    CASE(heads_agree_up_to_the_first_byte_that_differs),
    CASE(the_hash_hangs_on_the_bytes_that_count_and_on_no_other),
};

CHECK_MAIN(cases)
