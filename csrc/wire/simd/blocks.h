/* Sixty-four bytes at a time, of which each question is answered in a word, a bit for each byte. There are
 * three kinds of such blocks, which have the same functions:
 *
 *     quad   four vectors, where vector_can_shuffle()
 *     wide   two registers, where the processor has AVX2
 *     huge   one register, where it has AVX-512 with what moves bytes (VBMI and VBMI2)
 *
 * A kind's functions are WITH_SHUFFLE, WITH_WIDE or WITH_HUGE, and so must be what uses them, which may run
 * only where wide_can() and so on. BLOCKS_QUAD, BLOCKS_WIDE and BLOCKS_HUGE are defined where a kind is
 * there; WIRE_NO_WIDE takes the latter two away, and WIRE_NO_HUGE the last one (the tests do, to run the
 * others).
 *
 * A mask is a block whose bytes are 0xFF or 0, but for huge ones, which have registers for that. */
#ifndef GAECHANNEL_WIRE_SIMD_BLOCKS_H
#define GAECHANNEL_WIRE_SIMD_BLOCKS_H

#include "wire/simd/vector.h"

#ifdef VECTOR_BYTES
#include "wire/simd/quad.h"
#if defined(__x86_64__) && !defined(WIRE_NO_WIDE)
#include "wire/simd/avx2.h"
#ifndef WIRE_NO_HUGE
#include "wire/simd/avx512.h"
#endif
#endif
#endif

#endif
