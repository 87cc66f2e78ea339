/* Blocks of four vectors. */
#ifndef GAECHANNEL_WIRE_SIMD_QUAD_H
#define GAECHANNEL_WIRE_SIMD_QUAD_H

#include "wire/simd/block.h"

#define BLOCKS_QUAD

#define HALF(name) BLOCKS_JOIN(vector, name)
#define WHOLE(name) BLOCKS_JOIN(twin, name)
#define HALF_BYTES 16
#define WHOLE_TARGET WITH_SHUFFLE
#include "wire/simd/double.h"
#undef HALF
#undef WHOLE
#undef HALF_BYTES

#define HALF(name) BLOCKS_JOIN(twin, name)
#define WHOLE(name) BLOCKS_JOIN(quad, name)
#define HALF_BYTES 32
#define WHOLE_HAS_BITS
#include "wire/simd/double.h"
#undef HALF
#undef WHOLE
#undef HALF_BYTES
#undef WHOLE_HAS_BITS
#undef WHOLE_TARGET

/* At one go: on NEON that is a quarter of the work. */
WITH_SHUFFLE BLOCKS_INLINE uint64_t quad_bits(quad_mask mask) {
    return vector_bits_of_four(mask.low.low, mask.low.high, mask.high.low, mask.high.high);
}

/* The 64 bytes at `at`, or only so many, and zeros behind them. */
WITH_SHUFFLE BLOCKS_INLINE quad_block quad_load_some(const uint8_t *at, size_t count) {
    return count >= BLOCK_BYTES ? quad_load(at) : quad_load(BLOCKS_PADDED(at, count));
}

/* The vector that begins at byte `i`. */
WITH_SHUFFLE BLOCKS_INLINE vector quad_part_at(const quad_block *v, unsigned i) {
    return i < 32 ? (i == 0 ? v->low.low : v->low.high) : (i == 32 ? v->high.low : v->high.high);
}

#endif
