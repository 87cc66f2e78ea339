/* From UTF-8 to UTF-16 by whole vectors. Part of literal_text.c, which includes it once for each width:
 *
 * LANES(name)   what `name` of vector.h or literal_text.c is called in that width
 * lanes         a vector
 * LANES_BYTES   how many bytes it has
 * LANES_TARGET  what must stand before functions that use them */

LANES_TARGET static inline lanes LANES(is_continuation)(lanes v) {
    return LANES(equal)(LANES(and)(v, LANES(of)(0xC0)), LANES(of)(0x80));
}

/* Where a byte is the third of four, or the fourth: the halves of a surrogate pair, in place of what is in
 * `low` and `high`. Returns where it is the third. */
LANES_TARGET static inline lanes LANES(join_pairs)(const uint8_t *at, lanes now, lanes *low, lanes *high) {
    lanes back1 = LANES(load)(at - 1), back2 = LANES(load)(at - 2), back3 = LANES(load)(at - 3);
    lanes third = LANES(at_least)(back2, LANES(of)(0xF0));
    lanes fourth = LANES(at_least)(back3, LANES(of)(0xF0));
    // Of a character's bits uuuzzzzzzyyyyyyxxxxxx, the first half is D7C0 + uuuzzzzzzyy.
    lanes low3 = LANES(or)(LANES(and)(LANES(shift_left)(back1, 2), LANES(of)(0xFC)),
                           LANES(and)(LANES(shift_right)(now, 4), LANES(of)(0x03)));
    lanes carry = LANES(at_least)(low3, LANES(of)(0x40));
    lanes high3 = LANES(add)(LANES(and)(back2, LANES(of)(0x07)), LANES(of)(0xD7));
    low3 = LANES(add)(low3, LANES(of)(0xC0));
    high3 = LANES(subtract)(high3, carry); // the comparison's 0xFF is -1
    // The second half is DC00 + yyyyxxxxxx, of which the low byte is as for shorter characters.
    lanes high4 = LANES(or)(LANES(and)(LANES(shift_right)(back1, 2), LANES(of)(0x03)), LANES(of)(0xDC));
    *low = LANES(or)(LANES(and)(low3, third), LANES(without)(*low, third));
    *high = LANES(or)(LANES(and)(high3, third), LANES(without)(*high, third));
    *high = LANES(or)(LANES(and)(high4, fourth), LANES(without)(*high, fourth));
    return third;
}

/* The characters that end in the bytes at `at`, `now`: each byte is looked at as if it were a
 * character's last, and those that are not are dropped. `four`: whether there may be some of four bytes. */
LANES_TARGET static inline uint8_t *LANES(put_ends)(uint8_t *out, const uint8_t *at, lanes now, bool four,
                                                    lanes *surrogates) {
    lanes back1 = LANES(load)(at - 1), back2 = LANES(load)(at - 2);
    lanes other = LANES(at_least)(now, LANES(of)(0x80));
    lanes three = LANES(and)(other, LANES(is_continuation)(back1));
    // The unit is zzzzyyyyyyxxxxxx, of the low six bits of two bytes and the low four of the third.
    lanes low =
        LANES(or)(LANES(and)(now, LANES(of)(0x3F)), LANES(and)(LANES(shift_left)(back1, 6), LANES(of)(0xC0)));
    lanes high = LANES(and)(LANES(shift_right)(LANES(and)(back1, LANES(of)(0x3C)), 2), other);
    lanes third = LANES(shift_left)(LANES(and)(back2, LANES(of)(0x0F)), 4);
    low = LANES(or)(LANES(and)(low, other), LANES(without)(now, other));
    high = LANES(or)(high, LANES(and)(third, three));
    lanes surrogate = LANES(and)(LANES(equal)(back1, LANES(of)(0xED)), LANES(at_least)(now, LANES(of)(0xA0)));
    *surrogates = LANES(or)(*surrogates, surrogate);
    uint32_t kept = ~LANES(mask)(LANES(is_continuation)(LANES(load)(at + 1)));
    if (four)
        kept |= LANES(mask)(LANES(join_pairs)(at, now, &low, &high));
    return LANES(put_words)(out, low, high, kept);
}

/* Fast path for as many bytes without escapes, again and again. Three bytes before `t->at` must be there;
 * `t->at` is between two characters, and stays so. */
LANES_TARGET static void LANES(unit_blocks)(texting *t, const uint8_t *limit) {
    const uint8_t *at = t->at;
    uint8_t *out = t->out;
    lanes surrogates = LANES(of)(0);
    bool four = false;
    for (; limit - at >= LANES_BYTES; at += LANES_BYTES) {
        lanes now = LANES(load)(at);
        if (t->escaped && LANES(marks)(LANES(equal)(now, LANES(of)('\\'))) != 0)
            break;
        if (LANES(marks)(now) == 0) {
            LANES(store_units)(out, now);
            out += 2 * LANES_BYTES;
            four = false;
            continue;
        }
        bool begins_four = LANES(marks)(LANES(at_least)(now, LANES(of)(0xF0))) != 0;
        out = LANES(put_ends)(out, at, now, four || begins_four, &surrogates);
        four = begins_four;
    }
    // What ends behind this was not written, but for the first half of a pair.
    const uint8_t *stop = at;
    while ((*at & 0xC0) == 0x80)
        at--;
    if (stop - at == 3)
        out -= 2;
    t->at = at;
    t->out = out;
    t->lone |= LANES(marks)(surrogates) != 0;
}
