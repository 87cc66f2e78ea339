/* Blocks that are two halves side by side, and what is asked of them as a whole; all else is done to one part
 * at a time. Part of quad.h and avx2.h, which include it once for each kind:
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
#define OF_ONE_AND_BYTE(name)                                                                                \
    WHOLE_INLINE WHOLE(block) WHOLE(name)(WHOLE(block) v, uint8_t byte) {                                    \
        return (WHOLE(block)){HALF(name)(v.low, byte), HALF(name)(v.high, byte)};                            \
    }
#define OF_TWO(name)                                                                                         \
    WHOLE_INLINE WHOLE(block) WHOLE(name)(WHOLE(block) a, WHOLE(block) b) {                                  \
        return (WHOLE(block)){HALF(name)(a.low, b.low), HALF(name)(a.high, b.high)};                         \
    }

OF_ONE(high)
OF_ONE_AND_BYTE(is)
OF_ONE_AND_BYTE(from)
OF_TWO(and)
OF_TWO(or)
OF_TWO(subtract)
OF_TWO(both)

#undef OF_ONE
#undef OF_ONE_AND_BYTE
#undef OF_TWO

WHOLE_INLINE WHOLE(block) WHOLE(load)(const uint8_t *at) {
    return (WHOLE(block)){HALF(load)(at), HALF(load)(at + HALF_BYTES)};
}

WHOLE_INLINE WHOLE(block) WHOLE(constant)(uint8_t byte) {
    return (WHOLE(block)){HALF(constant)(byte), HALF(constant)(byte)};
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

WHOLE_INLINE void WHOLE(put_units)(uint8_t *out, WHOLE(block) v) {
    HALF(put_units)(out, v.low);
    HALF(put_units)(out + 2 * HALF_BYTES, v.high);
}

#undef WHOLE_INLINE
