/* Asks the processor itself, and the system, which has to keep its registers. __builtin_cpu_supports() would
 * ask the compiler's runtime library, and Zig's, with which wheels are made, says no to everything. */
#include "wire/simd/processor.h"

unsigned processor_extensions;

#if defined(__x86_64__) || defined(__i386__)

#include <cpuid.h>
#include <stdint.h>

// Of the state that a system saves: the registers of AVX, and those of AVX-512.
#define AVX_STATE 0x06u
#define AVX512_STATE 0xE0u

// What is not to be used, though the system may say that it saves it: macOS 10.15.6 to 12.1 lose masks of
// AVX-512 where a signal comes.
#ifdef __APPLE__
#define LOST_STATE AVX512_STATE
#else
#define LOST_STATE 0u
#endif

/* Which registers the system saves; none where it does not say. */
static unsigned saved_state(unsigned features) {
    uint32_t low, high;
    if (!(features & bit_OSXSAVE))
        return 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low & ~LOST_STATE;
}

static bool has_all(unsigned found, unsigned wanted) {
    return (found & wanted) == wanted;
}

__attribute__((constructor)) static void ask_processor(void) {
    unsigned eax, ebx, ecx, edx;
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !has_all(ecx, bit_POPCNT))
        return;
    unsigned saved = saved_state(ecx);
    if (has_all(ecx, bit_SSSE3))
        processor_extensions |= PROCESSOR_SHUFFLE;
    if (!has_all(saved, AVX_STATE) || !__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) ||
        !has_all(ebx, bit_AVX2))
        return;
    processor_extensions |= PROCESSOR_AVX2;
    if (has_all(saved, AVX512_STATE) &&
        has_all(ebx, bit_AVX512F | bit_AVX512BW | bit_AVX512VL | bit_BMI | bit_BMI2) &&
        has_all(ecx, bit_AVX512VBMI | bit_AVX512VBMI2))
        processor_extensions |= PROCESSOR_AVX512;
}

#endif
