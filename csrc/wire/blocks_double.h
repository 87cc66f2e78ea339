/* Blocks that are two halves side by side. Part of blocks.h, which includes it once for each kind:
 *
 * HALF(name)    what `name` of a half is called
 * WHOLE(name)   the same of the block made of them
 * HALF_BYTES    how many bytes a half has
 * WHOLE_TARGET  what must stand before functions that use them
 * WHOLE_HAS_BITS  defined where WHOLE(bits) is written apart
 *
 * All of them stay defined. */

typedef struct WHOLE(block) {
    HALF(block) low, high;
} WHOLE(block);

typedef WHOLE(block) WHOLE(mask);

#define WHOLE_INLINE WHOLE_TARGET BLOCKS_INLINE
#define OF_ONE(name)                                                                                         \
    WHOLE_INLINE WHOLE(block) WHOLE(name)(WHOLE(block) v) {                                                  \
        return (WHOLE(block)){HALF(name)(v.low), HALF(name)(v.high)};                                        \
    }
#define OF_ONE_AND(name, type)                                                                               \
    WHOLE_INLINE WHOLE(block) WHOLE(name)(WHOLE(block) v, type how) {                                        \
        return (WHOLE(block)){HALF(name)(v.low, how), HALF(name)(v.high, how)};                              \
    }
#define OF_TWO(name)                                                                                         \
    WHOLE_INLINE WHOLE(block) WHOLE(name)(WHOLE(block) a, WHOLE(block) b) {                                  \
        return (WHOLE(block)){HALF(name)(a.low, b.low), HALF(name)(a.high, b.high)};                         \
    }
#define BEHIND(name)                                                                                         \
    WHOLE_INLINE WHOLE(block) WHOLE(name)(WHOLE(block) before, WHOLE(block) now) {                           \
        return (WHOLE(block)){HALF(name)(before.high, now.low), HALF(name)(now.low, now.high)};              \
    }

OF_ONE(high)
OF_ONE_AND(is, uint8_t)
OF_ONE_AND(from, uint8_t)
OF_ONE_AND(shift_left, int)
OF_ONE_AND(shift_right, int)
OF_TWO(and)
OF_TWO(or)
OF_TWO(xor)
OF_TWO(add)
OF_TWO(subtract)
OF_TWO(excess)
OF_TWO(larger)
OF_TWO(only)
OF_TWO(both)
OF_TWO(same)
BEHIND(behind1)
BEHIND(behind2)
BEHIND(behind3)

#undef OF_ONE
#undef OF_ONE_AND
#undef OF_TWO
#undef BEHIND

WHOLE_INLINE WHOLE(block) WHOLE(load)(const uint8_t *at) {
    return (WHOLE(block)){HALF(load)(at), HALF(load)(at + HALF_BYTES)};
}

WHOLE_INLINE WHOLE(block) WHOLE(of)(uint8_t byte) {
    return (WHOLE(block)){HALF(of)(byte), HALF(of)(byte)};
}

WHOLE_INLINE WHOLE(block) WHOLE(constant)(uint8_t byte) {
    return (WHOLE(block)){HALF(constant)(byte), HALF(constant)(byte)};
}

WHOLE_INLINE WHOLE(block) WHOLE(choose)(WHOLE(block) a, WHOLE(block) b, WHOLE(mask) from_b) {
    return (WHOLE(block)){HALF(choose)(a.low, b.low, from_b.low), HALF(choose)(a.high, b.high, from_b.high)};
}

WHOLE_INLINE WHOLE(mask) WHOLE(mask_of)(uint64_t bits) {
    return (WHOLE(mask)){HALF(mask_of)(bits), HALF(mask_of)(bits >> HALF_BYTES)};
}

#ifndef WHOLE_HAS_BITS
WHOLE_INLINE uint64_t WHOLE(bits)(WHOLE(mask) mask) {
    return HALF(bits)(mask.low) | HALF(bits)(mask.high) << HALF_BYTES;
}
#endif

WHOLE_INLINE bool WHOLE(any)(WHOLE(mask) mask) {
    return HALF(any)(HALF(or)(mask.low, mask.high));
}

WHOLE_INLINE bool WHOLE(is_ascii)(WHOLE(block) v) {
    return HALF(is_ascii)(HALF(or)(v.low, v.high));
}

WHOLE_INLINE WHOLE(block) WHOLE(look_up)(const uint8_t table[16], WHOLE(block) places) {
    return (WHOLE(block)){HALF(look_up)(table, places.low), HALF(look_up)(table, places.high)};
}

WHOLE_INLINE uint8_t *WHOLE(put_bytes)(uint8_t *out, WHOLE(block) v, uint64_t kept) {
    out = HALF(put_bytes)(out, v.low, kept);
    return HALF(put_bytes)(out, v.high, kept >> HALF_BYTES);
}

WHOLE_INLINE uint8_t *WHOLE(put_words)(uint8_t *out, WHOLE(block) low, WHOLE(block) high, uint64_t kept) {
    out = HALF(put_words)(out, low.low, high.low, kept);
    return HALF(put_words)(out, low.high, high.high, kept >> HALF_BYTES);
}

WHOLE_INLINE void WHOLE(put_units)(uint8_t *out, WHOLE(block) v) {
    HALF(put_units)(out, v.low);
    HALF(put_units)(out + 2 * HALF_BYTES, v.high);
}

#undef WHOLE_INLINE
