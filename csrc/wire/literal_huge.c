/* Strings by 64 bytes at a time. A block begins anywhere, so that the next one need not wait for what is in
 * this one: what is in the midst of an escape or a character there is known from the block before. */
#include "literal_huge.h"

#include "literal.h"
#include "literal_escape.h"

#ifdef VECTOR_HUGE

// Loops over blocks keep what they know in registers, which calls would take it out of.
#define INLINE static inline __attribute__((always_inline))

/* As many low bits as there are bytes, 64 at most. */
static inline uint64_t low_bits(size_t bytes) {
    return bytes < 64 ? ((uint64_t)1 << bytes) - 1 : ~(uint64_t)0;
}

/* The escapes of a block: a bit for each byte. All zeros: none. */
typedef struct escapes {
    uint64_t starts; // backslashes that begin one
    uint64_t kinds;  // the bytes behind those
    uint64_t u, x;   // of them, the letters of those with digits
} escapes;

/* `bits` moved `places` up, with those that come out of the block before. */
static inline uint64_t moved(uint64_t before, uint64_t bits, unsigned places) {
    return bits << places | before >> (64 - places);
}

WITH_HUGE static inline escapes find_escapes(huge now, uint64_t backslashes, const escapes *before) {
    escapes found;
    found.starts = escape_starts(backslashes & ~(before->starts >> 63));
    found.kinds = moved(before->starts, found.starts, 1);
    found.u = found.kinds & huge_equal_early(now, 'u');
    found.x = found.kinds & huge_equal_early(now, 'x');
    return found;
}

/* Where the digits of escapes are, all but the last ones; and where the last ones are. */
typedef struct digits {
    uint64_t first;
    uint64_t u_last, x_last;
} digits;

static inline digits find_digits(const escapes *found, const escapes *before) {
    digits places = {
        .first = moved(before->u | before->x, found->u | found->x, 1) | moved(before->u, found->u, 2) |
                 moved(before->u, found->u, 3),
        .u_last = moved(before->u, found->u, 4),
        .x_last = moved(before->x, found->x, 2),
    };
    return places;
}

/* ---- The end of a string ---- */

/* Which bytes are hexadecimal digits. */
WITH_HUGE static inline uint64_t hex_digits(huge now) {
    huge digit = huge_subtract(now, huge_of('0'));
    huge letter = huge_subtract(huge_or(now, huge_of(0x20)), huge_of('a'));
    return huge_at_most(digit, 9) | huge_at_most(letter, 5);
}

WITH_HUGE const uint8_t *literal_string_end_huge(const uint8_t *at, const uint8_t *end, uint8_t quote) {
    escapes before = {0};
    size_t length = (size_t)(end - at);
    for (size_t done = 0; done < length; done += VECTOR_HUGE) {
        huge now = huge_load(at + done, low_bits(length - done));
        escapes found = find_escapes(now, huge_equal_early(now, '\\'), &before);
        uint64_t closing = huge_equal_early(now, quote) & ~found.kinds;
        if ((found.u | found.x | before.u | before.x) != 0) {
            digits places = find_digits(&found, &before);
            // Up to the closing quote: what stands behind it is no escape.
            uint64_t within = closing ^ (closing - 1);
            if (((places.first | places.u_last | places.x_last) & within & ~hex_digits(now)) != 0)
                return NULL;
        }
        if (closing != 0)
            return at + done + first_bit(closing);
        before = found;
    }
    return NULL;
}

/* ---- Its text ---- */

typedef struct texting {
    // What is to be read.
    const uint8_t *at;
    const uint8_t *end;
    bool escaped;
    // What stands before `at`: zeros at the beginning.
    huge before;
    escapes escapes_before;
    // Of the block before, if it has escapes with digits: see undo_escapes().
    huge values_before, pairs_before;
    uint8_t *first; // of the result
    uint8_t *out;
    // Half of a surrogate pair was met, in an escape: whether it has the other is seen at the end.
    bool halves;
    // A surrogate without its pair was met: all was for nothing.
    bool lone;
} texting;

/* A block of a text and what becomes of it: for each byte that is the last of a character or an escape, the
 * low and the high byte of the unit that it stands for; in UTF-32, the one above them, too. */
typedef struct units {
    huge now;
    huge low, high, top;
    uint64_t kept; // the bytes that stand for a unit
    bool plain;    // each byte does, as it is
    uint64_t odd;  // the bytes behind backslashes that only literal_undo_one() knows
    escapes escapes;
} units;

/* The value of each byte that is a hexadecimal digit. */
WITH_HUGE static inline huge hex_values(huge now) {
    huge value = huge_and(now, huge_of(0x0F));
    return huge_choose(value, huge_add(value, huge_of(9)), huge_at_least(now, 'A'));
}

WITH_HUGE INLINE void undo_escapes(texting *t, units *block) {
    const escapes *found = &block->escapes, *before = &t->escapes_before;
    uint64_t others = found->kinds & ~found->u & ~found->x;
    block->kept &= ~found->starts;
    huge simple = huge_look_up_128(literal_simple_escape, block->now);
    block->odd = others & (huge_equal(simple, 0) | huge_high(block->now));
    block->low = huge_choose(block->low, simple, others);
    if ((found->u | found->x | before->u | before->x) == 0)
        return;
    // The values of digits, and of each with the one before it.
    huge values = hex_values(block->now);
    huge first = huge_and(huge_shift_left(huge_back1(t->values_before, values), 4), huge_of(0xF0));
    huge pairs = huge_or(first, values);
    digits places = find_digits(found, before);
    block->low = huge_choose(block->low, pairs, places.u_last | places.x_last);
    block->high = huge_choose(block->high, huge_back2(t->pairs_before, pairs), places.u_last);
    block->kept &= ~(found->u | found->x | places.first);
    t->halves |= (huge_equal(huge_and(block->high, huge_of(0xF8)), 0xD8) & places.u_last) != 0;
    t->values_before = values;
    t->pairs_before = pairs;
}

/* The characters past U+FFFF, as pairs. */
WITH_HUGE INLINE void read_pairs(units *block, huge back1, huge back2, uint64_t thirds, uint64_t fourths) {
    // Of the bits uuuzzzzzzyyyyyyxxxxxx, the first half is D7C0 + uuuzzzzzzyy, which goes where the third
    // byte stands; the second is DC00 + yyyyxxxxxx, of which the low byte is as for shorter characters.
    huge low3 = huge_or(huge_and(huge_shift_left(back1, 2), huge_of(0xFC)),
                        huge_and(huge_shift_right(block->now, 4), huge_of(0x03)));
    huge high3 = huge_add(huge_and(back2, huge_of(0x07)), huge_of(0xD7));
    high3 = huge_choose(high3, huge_add(high3, huge_of(1)), huge_at_least(low3, 0x40));
    huge high4 = huge_or(huge_and(huge_shift_right(back1, 2), huge_of(0x03)), huge_of(0xDC));
    block->low = huge_choose(block->low, huge_add(low3, huge_of(0xC0)), thirds);
    block->high = huge_choose(block->high, high3, thirds);
    block->high = huge_choose(block->high, high4, fourths);
}

/* The characters past ASCII, which are at `other`. */
WITH_HUGE INLINE void read_characters(texting *t, literal_form form, units *block, uint64_t other) {
    huge now = block->now, back1 = huge_back1(t->before, now), back2 = huge_back2(t->before, now);
    huge six_bits = huge_of(0xC0);
    // The unit is zzzzyyyyyyxxxxxx, of the low six bits of two bytes and the low four of the third.
    huge low = huge_or(huge_and(now, huge_of(0x3F)), huge_and(huge_shift_left(back1, 6), six_bits));
    huge high = huge_and(huge_shift_right(back1, 2), huge_of(0x0F));
    huge third = huge_and(huge_shift_left(back2, 4), huge_of(0xF0));
    uint64_t three = huge_equal(huge_and(back1, six_bits), 0x80);
    block->low = huge_choose(block->low, low, other);
    block->high = huge_choose(block->high, huge_choose(high, huge_or(high, third), three), other);
    t->lone |= (huge_equal(back1, 0xED) & huge_at_least(now, 0xA0)) != 0;
    // A byte is a character's last where no continuation follows.
    uint64_t continuation = huge_equal(huge_and(now, six_bits), 0x80);
    bool goes_on = t->end - t->at > VECTOR_HUGE && (t->at[VECTOR_HUGE] & 0xC0) == 0x80;
    uint64_t kept = ~(continuation >> 1 | (uint64_t)goes_on << 63);
    huge back3 = huge_back3(t->before, now);
    uint64_t fourths = huge_at_least(back3, 0xF0), thirds = huge_at_least(back2, 0xF0);
    if (form == LITERAL_UTF32) {
        huge top = huge_or(huge_and(huge_shift_left(back3, 2), huge_of(0x1C)),
                           huge_and(huge_shift_right(back2, 4), huge_of(0x03)));
        block->top = huge_choose(huge_of(0), top, fourths);
    } else if ((thirds | fourths) != 0) {
        read_pairs(block, back1, back2, thirds, fourths);
        kept |= thirds;
    }
    block->kept &= kept;
}

WITH_HUGE INLINE units read_block(texting *t, literal_form form) {
    uint64_t here = low_bits((size_t)(t->end - t->at));
    units block = {.high = huge_of(0), .top = huge_of(0), .kept = here};
    block.low = block.now = huge_load(t->at, here);
    uint64_t other = huge_high(block.now);
    // All that can reach into the block begins in the three bytes before it.
    bool has_others = (other | huge_high(t->before) >> 61) != 0;
    uint64_t backslashes = 0;
    if (t->escaped) {
        backslashes = huge_equal_early(block.now, '\\');
        block.escapes = find_escapes(block.now, backslashes, &t->escapes_before);
        backslashes |= block.escapes.kinds | t->escapes_before.u | t->escapes_before.x;
    }
    if (backslashes != 0)
        undo_escapes(t, &block);
    if (has_others)
        read_characters(t, form, &block, other);
    if (block.odd != 0)
        block.kept &= (block.odd & (0 - block.odd)) - 1; // what stands before it
    block.plain = !has_others && (backslashes | ~here) == 0;
    return block;
}

/* Go on behind the block; or behind its first odd escape, which becomes the byte `*byte`, or nothing. Returns
 * how many bytes. */
WITH_HUGE INLINE size_t go_on(texting *t, const units *block, uint8_t *byte) {
    if (block->odd == 0) {
        t->before = block->now;
        t->escapes_before = block->escapes;
        t->at += t->end - t->at < VECTOR_HUGE ? t->end - t->at : VECTOR_HUGE;
        return 0;
    }
    const uint8_t *escape = t->at + first_bit(block->odd) - 1;
    uint8_t piece[4];
    size_t used;
    bool lone = false; // and so it stays: it is no \u
    size_t length = literal_undo_one(escape, t->end, &used, piece, &lone);
    *byte = piece[0];
    t->before = huge_of(0);
    t->escapes_before = (escapes){0};
    t->at = escape + used;
    return length;
}

/* Whether a surrogate is without its pair. */
WITH_HUGE static bool has_lone(const uint8_t *text, size_t length) {
    uint32_t after_first = 0; // 1: the unit before was a first half
    for (size_t at = 0; at < length; at += 64) {
        huge words = huge_load(text + at, low_bits(length - at));
        uint32_t first = huge_words_equal(words, 0xFC00, 0xD800);
        uint32_t second = huge_words_equal(words, 0xFC00, 0xDC00);
        if ((first << 1 | after_first) != second)
            return true;
        after_first = first >> 31;
    }
    return after_first != 0;
}

/* Whether the form holds what a block stands for. */
WITH_HUGE INLINE bool fits(const texting *t, literal_form form, const units *block) {
    switch (form) {
    case LITERAL_ASCII:
        return ((huge_high(block->low) | ~huge_equal(block->high, 0)) & block->kept) == 0;
    case LITERAL_LATIN1:
        return (~huge_equal(block->high, 0) & block->kept) == 0;
    case LITERAL_UTF32:
        return !t->halves; // which would have to be joined
    default:
        return true;
    }
}

WITH_HUGE INLINE uint8_t *put_block(uint8_t *out, literal_form form, const units *block) {
    if (form == LITERAL_UTF32)
        return huge_put_triples(out, block->low, block->high, block->top, block->kept);
    if (form != LITERAL_UTF16)
        return huge_put_bytes(out, block->low, block->kept);
    if (!block->plain)
        return huge_put_words(out, block->low, block->high, block->kept);
    huge_store_units(out, block->now);
    return out + 2 * VECTOR_HUGE;
}

INLINE size_t unit_size(literal_form form) {
    return form == LITERAL_UTF32 ? 4 : form == LITERAL_UTF16 ? 2 : 1;
}

/* A text in a form: the form if it holds it, LITERAL_UTF16 if that has to be asked, or LITERAL_OTHER. The
 * texting is a value that nothing points at, so that it can be in registers. */
WITH_HUGE INLINE literal_form put_text(texting t, literal_form form, uint8_t **end) {
    while (t.at < t.end) {
        units block = read_block(&t, form);
        if (!fits(&t, form, &block))
            return LITERAL_UTF16;
        t.out = put_block(t.out, form, &block);
        uint8_t byte;
        size_t length = go_on(&t, &block, &byte);
        if (block.odd == 0)
            continue;
        if (length != 0) {
            memcpy(t.out, (uint8_t[4]){byte}, unit_size(form)); // of the lowest byte first
            t.out += unit_size(form);
        } else if (form == LITERAL_UTF16 && t.out > t.first && (t.out[-1] & 0xFC) == 0xD8) {
            return LITERAL_OTHER; // two halves with only this between them are no pair
        }
    }
    *end = t.out;
    bool lone = t.lone || (t.halves && has_lone(t.first, (size_t)(t.out - t.first)));
    return lone ? LITERAL_OTHER : form;
}

WITH_HUGE static literal_form put_ascii(texting t, uint8_t **end) {
    return put_text(t, LITERAL_ASCII, end);
}

WITH_HUGE static literal_form put_latin1(texting t, uint8_t **end) {
    return put_text(t, LITERAL_LATIN1, end);
}

WITH_HUGE static literal_form put_utf16(texting t, uint8_t **end) {
    return put_text(t, LITERAL_UTF16, end);
}

WITH_HUGE static literal_form put_utf32(texting t, uint8_t **end) {
    return put_text(t, LITERAL_UTF32, end);
}

/* The narrowest form that the bytes allow; escapes may yet stand for more. */
WITH_HUGE static literal_form first_form(const uint8_t *token, size_t length) {
    huge most = huge_of(0);
    for (size_t done = 0; done < length; done += VECTOR_HUGE)
        most = huge_larger(most, huge_load(token + done, low_bits(length - done)));
    if (huge_high(most) == 0)
        return LITERAL_ASCII;
    if (huge_at_least(most, 0xC4) == 0)
        return LITERAL_LATIN1;
    return huge_at_least(most, 0xF0) == 0 || sizeof(wchar_t) != 4 ? LITERAL_UTF16 : LITERAL_UTF32;
}

WITH_HUGE literal_form literal_text_huge(const uint8_t *token, size_t length, bool escaped, uint8_t *out,
                                         size_t *out_length) {
    texting t = {.at = token,
                 .end = token + length,
                 .escaped = escaped,
                 .before = huge_of(0),
                 .values_before = huge_of(0),
                 .pairs_before = huge_of(0),
                 .first = out,
                 .out = out};
    uint8_t *end = out;
    literal_form form = first_form(token, length), got = LITERAL_UTF16;
    if (form == LITERAL_ASCII)
        got = put_ascii(t, &end);
    if (got == LITERAL_UTF16 && (form == LITERAL_ASCII || form == LITERAL_LATIN1))
        got = put_latin1(t, &end);
    if (form == LITERAL_UTF32)
        got = put_utf32(t, &end);
    if (got == LITERAL_UTF16)
        got = put_utf16(t, &end);
    *out_length = (size_t)(end - out);
    return got;
}

#endif
