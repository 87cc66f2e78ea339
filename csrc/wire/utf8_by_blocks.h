/* UTF-8 by a register at a time. Part of utf8.c, which includes it once for each kind of those, as
 * literal_blocks.c does literal_by_blocks.h. */

#define lanes P(block)

/* The units of the characters that begin in the register's worth at `at`, or SIZE_MAX when something is wrong
 * in it. The three bytes before it are looked at too, for what was begun there. The tables are the idea of
 * Keiser and Lemire, "Validating UTF-8 in less than one instruction per byte". */
P_TARGET BLOCKS_INLINE size_t P(measure)(const uint8_t *at, lanes now) {
    lanes back1 = P(load)(at - 1), back2 = P(load)(at - 2), back3 = P(load)(at - 3);
    lanes lower = P(of)(0x0F);
    lanes pair = P(and)(P(look_up)(first_upper, P(and)(P(shift_right)(back1, 4), lower)),
                        P(look_up)(first_lower, P(and)(back1, lower)));
    pair = P(and)(pair, P(look_up)(second_upper, P(and)(P(shift_right)(now, 4), lower)));
    // 0x80 where a lead byte two or three before asks for a continuation behind another.
    lanes due = P(or)(P(excess)(back2, P(of)(0xE0 - 0x80)), P(excess)(back3, P(of)(0xF0 - 0x80)));
    if (P(bits)(P(same)(P(and)(due, P(of)(0x80)), pair)) != UINT64_MAX >> (64 - P_BYTES))
        return SIZE_MAX;
    uint64_t continuation = P(bits)(P(is)(P(and)(now, P(of)(0xC0)), 0x80));
    uint64_t lead4 = P(bits)(P(from)(now, 0xF0));
    return (size_t)(P_BYTES - __builtin_popcountll(continuation) + __builtin_popcountll(lead4));
}

/* As skip_vectors, a register a turn. */
P_TARGET static bool P(skip)(utf8_walk *walk) {
    unsigned ascii_blocks = 0;
    const uint8_t *at = walk->at;
    while (walk->end - at >= P_BYTES && ascii_blocks < 2) {
        lanes now = P(load)(at);
        size_t units = P(measure)(at, now);
        if (units == SIZE_MAX || units > walk->units)
            break;
        walk->units -= units;
        at += P_BYTES;
        ascii_blocks = P(is_ascii)(now) ? ascii_blocks + 1 : 0;
    }
    step_back(walk, at);
    return ascii_blocks == 2;
}

#undef lanes
