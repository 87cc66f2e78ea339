/* What this processor can do that not every x86-64 can. */
#ifndef GAECHANNEL_WIRE_SIMD_PROCESSOR_H
#define GAECHANNEL_WIRE_SIMD_PROCESSOR_H

#include <stdbool.h>

// The extensions that each kind of code needs, all of them.
enum {
    PROCESSOR_SHUFFLE = 1, // SSSE3 and POPCNT
    PROCESSOR_AVX2 = 2,    // AVX2 and POPCNT
    PROCESSOR_AVX512 = 4,  // AVX-512 with BW, VL, VBMI and VBMI2, AVX2, BMI1, BMI2 and POPCNT
};

// Written once, as the library is loaded.
extern unsigned processor_extensions;

static inline bool processor_has(unsigned extensions) {
    return (processor_extensions & extensions) != 0;
}

#endif
