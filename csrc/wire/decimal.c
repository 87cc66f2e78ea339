/* Decimal numbers to doubles: what is exact by one operation, and else by Eisel and Lemire's way ("Number
 * parsing at a gigabyte per second", 2021; "Fast number parsing without fallback", 2023). */
#include "wire/decimal.h"

#include <float.h>  // FLT_EVAL_METHOD
#include <stddef.h> // size_t
#include <string.h> // memcpy

#include "wire/powers.h"

// The powers of ten that a double holds exactly.
static const double exact_powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                      1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
#define LARGEST_EXACT 22

// Bits of a double: behind the leading one of its significand, and what is added to its exponent.
#define FRACTION_BITS 52
#define BIAS 1023
// The exponent that stands for what is larger than any double.
#define INFINITE 0x7FF

typedef struct product {
    uint64_t high, low;
} product;

static inline product multiply(uint64_t a, uint64_t b) {
#ifdef __SIZEOF_INT128__
    __extension__ typedef unsigned __int128 wide;
    wide all = (wide)a * b;
    return (product){(uint64_t)(all >> 64), (uint64_t)all};
#else
    uint64_t a_low = a & UINT32_MAX, a_high = a >> 32, b_low = b & UINT32_MAX, b_high = b >> 32;
    uint64_t low = a_low * b_low;
    uint64_t middle = a_high * b_low + (low >> 32); // neither sum can overflow
    uint64_t other = a_low * b_high + (middle & UINT32_MAX);
    return (product){a_high * b_high + (middle >> 32) + (other >> 32), other << 32 | (low & UINT32_MAX)};
#endif
}

/* The leading bits of `digits`, whose highest bit is set, times 5^exponent. */
static inline product multiply_by_power(uint64_t digits, int exponent) {
    const uint64_t *power = powers_of_five[exponent - POWERS_SMALLEST];
    product found = multiply(digits, power[0]);
    // The power's lower half matters only where it could carry into the bits that are kept: 55, and what was
    // cut off.
    if ((found.high & 0x1FF) == 0x1FF) {
        uint64_t more = multiply(digits, power[1]).high;
        found.low += more;
        found.high += found.low < more;
    }
    return found;
}

/* The exponent that 2 has in 10^exponent, rounded down to a whole number: log2(10) is 217706 / 65536. The sum
 * keeps what is shifted positive. */
static inline int binary_exponent(int exponent) {
    return ((217706 * exponent + (1 << 30)) >> 16) - (1 << 14);
}

/* The double of a significand, which has a bit more to round by, where that exponent is too small for it. No
 * such number of 19 digits is exactly between two doubles. */
static double subnormal(uint64_t bits, int biased) {
    int surplus = 1 - biased;
    bits = surplus < 64 ? bits >> surplus : 0;
    // Rounding up may have made it the smallest that is none, whose bits are these, too.
    bits = (bits + (bits & 1)) >> 1;
    double found;
    memcpy(&found, &bits, sizeof found);
    return found;
}

/* The same where the exponent is none too small; false where it is too large. */
static inline bool normal(uint64_t bits, int biased, double *out) {
    bits = (bits + (bits & 1)) >> 1;
    // Rounding up may have made it a power of two; then the fraction is all zeros anyhow.
    if (bits >> (FRACTION_BITS + 1) != 0)
        biased++;
    if (biased >= INFINITE)
        return false;
    bits = (bits & (((uint64_t)1 << FRACTION_BITS) - 1)) | (uint64_t)biased << FRACTION_BITS;
    memcpy(out, &bits, sizeof bits);
    return true;
}

static bool by_bits(uint64_t digits, int exponent, double *out) {
    int zeros = __builtin_clzll(digits);
    product found = multiply_by_power(digits << zeros, exponent);
    // All ones: what was cut off of the power may carry all the way.
    if (found.low == UINT64_MAX && (exponent < -27 || exponent > 55))
        return false;
    int upper = (int)(found.high >> 63);
    // The significand, and a bit more to round by.
    uint64_t bits = found.high >> (upper + 64 - FRACTION_BITS - 3);
    int biased = binary_exponent(exponent) + 63 + upper - zeros + BIAS;
    if (biased <= 0) {
        *out = subnormal(bits, biased);
        return true;
    }
    // Exactly between two doubles, which only these exponents allow: down, if that is the even one.
    if (found.low <= 1 && exponent >= -4 && exponent <= 23 && (bits & 3) == 1 &&
        bits << (upper + 64 - FRACTION_BITS - 3) == found.high)
        bits &= ~(uint64_t)1;
    return normal(bits, biased, out);
}

bool decimal_to_double(uint64_t digits, int exponent, double *out) {
    if (digits == 0) {
        *out = 0;
        return true;
    }
#if FLT_EVAL_METHOD == 0
    // Both are exact, so that their quotient or product is rounded once.
    if (digits <= (uint64_t)1 << 53 && exponent >= -LARGEST_EXACT && exponent <= LARGEST_EXACT) {
        double exact = (double)digits;
        *out = exponent < 0 ? exact / exact_powers[-exponent] : exact * exact_powers[exponent];
        return true;
    }
#endif
    // Not even 19 digits are half of the smallest double.
    if (exponent < POWERS_SMALLEST) {
        *out = 0;
        return true;
    }
    return exponent <= POWERS_LARGEST && by_bits(digits, exponent, out);
}

bool decimal_first_to_double(uint64_t digits, int exponent, double *out) {
    if (exponent >= POWERS_SMALLEST && exponent <= POWERS_LARGEST) {
        int zeros = __builtin_clzll(digits);
        uint64_t found = multiply(digits << zeros, powers_of_five[exponent - POWERS_SMALLEST][0]).high;
        int upper = (int)(found >> 63), dropped_bits = upper + 64 - FRACTION_BITS - 3;
        uint64_t dropped = found & (((uint64_t)1 << dropped_bits) - 1);
        // What digits behind these, and what was cut off of the power, add to the product is less than this.
        // Where it carries into no bit that is kept, and what is dropped is not nothing, so that it can be
        // exactly between no two doubles, all these numbers are rounded to the same.
        uint64_t more = ((uint64_t)1 << zeros) + 2;
        int biased = binary_exponent(exponent) + 63 + upper - zeros + BIAS;
        if (dropped > 0 && (dropped + more) >> dropped_bits == 0 && biased > 0)
            return normal(found >> dropped_bits, biased, out);
    }
    // It is between these two.
    double next;
    return decimal_to_double(digits, exponent, out) && decimal_to_double(digits + 1, exponent, &next) &&
           *out == next;
}
