/* What the blocks look up. */
#ifndef GAECHANNEL_WIRE_SIMD_TABLES_H
#define GAECHANNEL_WIRE_SIMD_TABLES_H

#include <stdint.h> // uint8_t, uint32_t

// For each set of eight bytes, their places; as long as a vector, which is how they are read.
extern const uint8_t blocks_byte_places[256][16];
// The same of eight words.
extern const uint8_t blocks_word_places[256][16];
// Each byte four times.
extern const uint32_t blocks_splats[256];

#endif
