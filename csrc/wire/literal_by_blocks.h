/* Strings by 64 bytes at a time. Part of literal_blocks.c, which includes it once for each kind of blocks:
 *
 * B(name)   what `name` is called in that kind
 * B_TARGET  what must stand before functions that use it
 * P(name)   what `name` is called for the parts of a block that are one register each
 * P_BYTES   how many bytes such a part has
 *
 * A block begins anywhere, so that the next one need not wait for what is in this one: what is in the midst
 * of an escape or a character there is known from the block before. */

#define block64 B(block)
#define lanes P(block)
#define lanes_mask P(mask)
#define text_maker B(text_maker)
#define text_part B(part)

B_TARGET INLINE escapes B(find_escapes)(block64 now, uint64_t backslashes, const escapes *before) {
    escapes found = {.starts = escape_starts(backslashes & ~(before->starts >> 63))};
    found.kinds = moved(before->starts, found.starts, 1);
    found.digits_due = before->digits_due >> 1 | (found.kinds & B(bits)(B(from)(now, 'u')));
    if (found.digits_due != 0) {
        found.u = found.kinds & B(bits)(B(is)(now, 'u'));
        found.x = found.kinds & B(bits)(B(is)(now, 'x'));
    }
    return found;
}

/* ---- The end of a string ---- */

/* Which bytes are hexadecimal digits. */
B_TARGET INLINE uint64_t B(hex_digits)(block64 now) {
    block64 digit = B(subtract)(now, B(constant)('0'));
    block64 letter = B(subtract)(B(or)(now, B(constant)(0x20)), B(constant)('a'));
    return ~B(bits)(B(both)(B(from)(digit, 10), B(from)(letter, 6)));
}

B_TARGET static const uint8_t *B(string_end)(const uint8_t *at, const uint8_t *end, uint8_t quote) {
    escapes before = {0};
    size_t length = (size_t)(end - at);
    for (size_t done = 0; done < length; done += BLOCK_BYTES) {
        block64 now = B(load_some)(at + done, length - done);
        escapes found = B(find_escapes)(now, B(bits)(B(is)(now, '\\')), &before);
        uint64_t closing = B(bits)(B(is)(now, quote)) & ~found.kinds;
        if (found.digits_due != 0) {
            // Up to the closing quote: what stands behind it is no escape.
            uint64_t digits = find_digits(&found, &before) & (closing ^ (closing - 1));
            if ((digits & ~B(hex_digits)(now)) != 0)
                return NULL;
        }
        if (closing != 0)
            return at + done + first_bit(closing);
        before = found;
    }
    return NULL;
}

/* ---- Its text ---- */

typedef struct text_maker {
    // What is to be read.
    const uint8_t *at;
    const uint8_t *end;
    // Of the block before; all zeros: none.
    found_bits bits_before;
    // What stands before the part that is read; and, if there are escapes with digits, see B(read_digits)().
    lanes before;
    lanes values_before, pairs_before;
    uint8_t *first; // of the result
    uint8_t *out;
    size_t pairs; // of surrogates, of characters
    bool halves;  // of pairs were in escapes: whether each has its other half is not known
    // Not 0: narrow, but no ASCII.
    uint64_t above;
    // A surrogate without its pair was met: all was for nothing.
    bool lone;
} text_maker;

/* What is at once known of a whole block. Where it has an odd escape, what stands behind that is asked about
 * again: `t->pairs` may count too many, and what is lone is so anyhow. */
B_TARGET INLINE found_bits B(find_bits)(text_maker *t, block64 now, size_t left, bool escaped) {
    const found_bits *before = &t->bits_before;
    found_bits bits = {.kept = low_bits(left), .other = B(bits)(B(high)(now))};
    if (escaped) {
        uint64_t backslashes = B(bits)(B(is)(now, '\\'));
        bits.escapes = B(find_escapes)(now, backslashes, &before->escapes);
        const escapes *found = &bits.escapes, *earlier = &before->escapes;
        bits.has_digits = found->digits_due != 0;
        bits.has_escapes = bits.has_digits || (found->starts | found->kinds) != 0;
        bits.simple = found->kinds & ~found->u & ~found->x & ~backslashes & ~B(bits)(B(is)(now, '"'));
        bits.kept &= ~found->starts;
        if (bits.has_digits) {
            bits.u_last = moved(earlier->u, found->u, 4);
            bits.last = bits.u_last | moved(earlier->x, found->x, 2);
            bits.kept &= ~(found->u | found->x | (find_digits(found, earlier) & ~bits.last));
        }
    }
    // All that can reach into the block begins in the three bytes before it.
    bits.has_characters = (bits.other | before->other >> 61) != 0;
    if (!bits.has_characters)
        return bits;
    // A byte is a character's last where no continuation follows.
    uint64_t continuation = B(bits)(B(is)(B(and)(now, B(constant)(0xC0)), 0x80));
    bool goes_on = left > BLOCK_BYTES && (t->at[BLOCK_BYTES] & 0xC0) == 0x80;
    bits.kept &= ~(continuation >> 1 | (uint64_t)goes_on << 63);
    // Of four bytes, the third stands for a unit, too.
    bits.begins_four = B(bits)(B(from)(now, 0xF0));
    uint64_t thirds = moved(before->begins_four, bits.begins_four, 2);
    bits.has_pairs = (thirds | moved(before->begins_four, bits.begins_four, 3)) != 0;
    bits.kept |= thirds;
    t->pairs += (size_t)__builtin_popcountll(thirds);
    bits.ed = B(bits)(B(is)(now, 0xED));
    if ((bits.ed | before->ed) != 0)
        t->lone |= (moved(before->ed, bits.ed, 1) & B(bits)(B(from)(now, 0xA0))) != 0;
    return bits;
}

/* A part of a block and what becomes of it: for each byte that stands for a unit, the unit's low and high
 * byte. */
typedef struct text_part {
    lanes now;
    lanes low, high;
    // As in found_bits, from the part's first byte on.
    uint64_t simple, u_last, last, kept;
    uint64_t odd; // the bytes behind backslashes that only literal_undo_one() knows
} text_part;

/* The escapes of a backslash and a character. */
B_TARGET INLINE void B(read_simple)(text_part *part) {
    // The characters' places in the tables: no two that stand in the same table agree in this.
    lanes now = part->now;
    lanes places = P(and)(P(xor)(now, P(shift_right)(now, 4)), P(constant)(0x0F));
    lanes_mask letters = P(from)(now, 0x60);
    lanes expected = P(choose)(P(look_up)(simple_signs, places), P(look_up)(simple_letters, places), letters);
    lanes becomes = P(choose)(now, P(look_up)(simple_controls, places), letters);
    part->odd = part->simple & ~P(bits)(P(same)(now, expected)) & low_bits(P_BYTES);
    part->low = P(choose)(part->low, becomes, P(mask_of)(part->simple));
}

/* The escapes with digits. */
B_TARGET INLINE void B(read_digits)(text_maker *t, text_part *part) {
    lanes values =
        P(add)(P(and)(part->now, P(constant)(0x0F)), P(only)(P(constant)(9), P(from)(part->now, 'A')));
    // The value of each and the one before it.
    lanes upper = P(shift_left)(P(behind1)(t->values_before, values), 4);
    lanes pairs = P(or)(P(and)(upper, P(constant)(0xF0)), values);
    part->low = P(choose)(part->low, pairs, P(mask_of)(part->last));
    part->high = P(only)(P(behind2)(t->pairs_before, pairs), P(mask_of)(part->u_last));
    t->halves |= P(any)(P(is)(P(and)(part->high, P(constant)(0xF8)), 0xD8));
    t->values_before = values;
    t->pairs_before = pairs;
}

/* The characters past U+FFFF, as pairs. */
B_TARGET INLINE void B(read_pairs)(text_part *part, lanes back1, lanes back2, lanes back3) {
    // Of the bits uuuzzzzzzyyyyyyxxxxxx, the first half is D7C0 + uuuzzzzzzyy, which goes where the third
    // byte stands; the second is DC00 + yyyyxxxxxx, of which the low byte is as for shorter characters.
    lanes_mask thirds = P(from)(back2, 0xF0), fourths = P(from)(back3, 0xF0);
    lanes low3 = P(or)(P(and)(P(shift_left)(back1, 2), P(constant)(0xFC)),
                       P(and)(P(shift_right)(part->now, 4), P(constant)(0x03)));
    lanes carry = P(only)(P(constant)(1), P(from)(low3, 0x40));
    lanes high3 = P(add)(P(add)(P(and)(back2, P(constant)(0x07)), P(constant)(0xD7)), carry);
    lanes high4 = P(or)(P(and)(P(shift_right)(back1, 2), P(constant)(0x03)), P(constant)(0xDC));
    part->low = P(choose)(part->low, P(add)(low3, P(constant)(0xC0)), thirds);
    part->high = P(choose)(part->high, high3, thirds);
    part->high = P(choose)(part->high, high4, fourths);
}

/* The characters past ASCII. */
B_TARGET INLINE void B(read_characters)(text_maker *t, text_part *part, bool has_pairs) {
    lanes now = part->now;
    lanes back1 = P(behind1)(t->before, now), back2 = P(behind2)(t->before, now);
    lanes_mask other = P(high)(now);
    // The unit is zzzzyyyyyyxxxxxx, of the low six bits of two bytes and the low four of the third.
    lanes low = P(or)(P(and)(now, P(constant)(0x3F)), P(and)(P(shift_left)(back1, 6), P(constant)(0xC0)));
    lanes high = P(and)(P(shift_right)(back1, 2), P(constant)(0x0F));
    lanes third = P(and)(P(shift_left)(back2, 4), P(constant)(0xF0));
    third = P(only)(third, P(is)(P(and)(back1, P(constant)(0xC0)), 0x80));
    part->low = P(choose)(part->low, low, other);
    part->high = P(choose)(part->high, P(or)(high, third), other);
    if (has_pairs)
        B(read_pairs)(part, back1, back2, P(behind3)(t->before, now));
}

/* Put out the part of a block that begins at byte `i`. False if it is to be narrow, and is not. */
B_TARGET INLINE bool B(put_part)(text_maker *t, const found_bits *bits, lanes now, unsigned i, bool narrow,
                                 const uint8_t **odd) {
    text_part part = {.now = now,
                      .low = now,
                      .high = P(of)(0),
                      .simple = bits->simple >> i,
                      .u_last = bits->u_last >> i,
                      .last = bits->last >> i,
                      .kept = bits->kept >> i};
    if (bits->simple != 0)
        B(read_simple)(&part);
    if (bits->has_digits)
        B(read_digits)(t, &part);
    if (bits->has_characters)
        B(read_characters)(t, &part, bits->has_pairs);
    t->before = now;
    if (part.odd != 0) {
        part.kept &= (part.odd & (0 - part.odd)) - 1; // what stands before it
        *odd = t->at + i + first_bit(part.odd) - 1;
    }
    if (!narrow) {
        t->out = P(put_words)(t->out, part.low, part.high, part.kept);
        return true;
    }
    if (bits->has_digits || bits->has_characters) {
        uint64_t kept = part.kept & low_bits(P_BYTES);
        if ((~P(bits)(P(is)(part.high, 0)) & kept) != 0)
            return false;
        t->above |= P(bits)(P(high)(part.low)) & kept;
    }
    t->out = P(put_bytes)(t->out, part.low, part.kept);
    return true;
}

/* Go on behind an odd escape, which becomes the byte `*byte`, or nothing. Returns how many bytes. */
B_TARGET INLINE size_t B(undo_odd)(text_maker *t, const uint8_t *escape, uint8_t *byte) {
    uint8_t piece[4] = {0};
    size_t used;
    bool lone = false; // and so it stays: it is no \u
    size_t length = literal_undo_one(escape, t->end, &used, piece, &lone);
    *byte = piece[0];
    t->at = escape + used;
    t->before = P(of)(0);
    t->bits_before = (found_bits){0};
    return length;
}

/* A text as bytes, if all of it is below U+0100, or else as UTF-16: its form. LITERAL_OTHER: `narrow` was
 * asked for, and it is not; or a surrogate is known to be without its pair. `*join`: whether the pairs must
 * be joined, or had better be. The text_maker is a value that nothing points at, so that it can be in
 * registers.
 */
B_TARGET INLINE literal_form B(put_text)(text_maker t, bool narrow, bool escaped, uint8_t **end, bool *join) {
    while (t.at < t.end) {
        size_t left = (size_t)(t.end - t.at);
        block64 block = B(load_some)(t.at, left);
        const found_bits bits = B(find_bits)(&t, block, left, escaped);
        if (!narrow && !bits.has_escapes && !bits.has_characters && left >= BLOCK_BYTES) {
            // What stands before the next block is now another, but no less ASCII: nothing in it hangs on
            // that.
            B(put_units)(t.out, block);
            t.out += 2 * BLOCK_BYTES;
            t.at += BLOCK_BYTES;
            t.bits_before = bits;
            continue;
        }
        const uint8_t *odd = NULL; // the first odd escape
        UNROLLED
        for (unsigned i = 0; i < BLOCK_BYTES; i += P_BYTES)
            if (odd == NULL && !B(put_part)(&t, &bits, B(part_at)(&block, i), i, narrow, &odd))
                return LITERAL_OTHER;
        if (odd == NULL) {
            t.at += left < BLOCK_BYTES ? left : BLOCK_BYTES;
            t.bits_before = bits;
            continue;
        }
        uint8_t byte;
        size_t length = B(undo_odd)(&t, odd, &byte);
        if (narrow)
            *t.out = byte;
        else if (length != 0)
            put_unit(t.out, byte);
        else if (t.out > t.first && (get_unit(t.out - 2) & 0xFC00) == 0xD800)
            return LITERAL_OTHER; // two halves with only this between them are no pair
        t.out += narrow ? length : 2 * length;
    }
    *end = t.out;
    *join = t.halves || better_joined(t.pairs, (size_t)(t.out - t.first));
    if (narrow)
        return t.above == 0 ? LITERAL_ASCII : LITERAL_LATIN1;
    return t.lone ? LITERAL_OTHER : LITERAL_UTF16;
}

B_TARGET static literal_form B(put_narrow)(text_maker t, uint8_t **end) {
    return B(put_text)(t, true, false, end, &(bool){false});
}

B_TARGET static literal_form B(put_narrow_escaped)(text_maker t, uint8_t **end) {
    return B(put_text)(t, true, true, end, &(bool){false});
}

B_TARGET static literal_form B(put_utf16)(text_maker t, uint8_t **end, bool *join) {
    return B(put_text)(t, false, false, end, join);
}

B_TARGET static literal_form B(put_utf16_escaped)(text_maker t, uint8_t **end, bool *join) {
    return B(put_text)(t, false, true, end, join);
}

B_TARGET static literal_form B(text)(const uint8_t *token, size_t length, bool escaped, uint8_t *room,
                                     const uint8_t **text, size_t *text_length) {
    text_maker t = {.at = token,
                    .end = token + length,
                    .before = P(of)(0),
                    .values_before = P(of)(0),
                    .pairs_before = P(of)(0),
                    .first = room,
                    .out = room};
    uint8_t *end = room;
    // Most texts show early what they are.
    literal_form form = escaped ? B(put_narrow_escaped)(t, &end) : B(put_narrow)(t, &end);
    if (form == LITERAL_OTHER) {
        // Where UTF-32 can be made of the text without overtaking it.
        t.first = t.out = room + units_place(length);
        bool join = false;
        form = escaped ? B(put_utf16_escaped)(t, &end, &join) : B(put_utf16)(t, &end, &join);
        if (form == LITERAL_UTF16 && join) {
            memset(end, 0, UNITS_PADDING);
            const uint8_t *units = t.first;
            t.first = t.out = room;
            form = B(join)(units, end, &t.out) ? LITERAL_UTF32 : LITERAL_OTHER;
            end = t.out;
        }
    }
    *text = t.first;
    *text_length = (size_t)(end - t.first);
    return form;
}

#undef block64
#undef lanes
#undef lanes_mask
#undef text_maker
#undef text_part
