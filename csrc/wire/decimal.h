/* Decimal numbers to doubles. */
#ifndef GAECHANNEL_WIRE_DECIMAL_H
#define GAECHANNEL_WIRE_DECIMAL_H

#include <stdbool.h>
#include <stdint.h> // uint64_t

// So many digits fit in 64 bits.
#define DECIMAL_MAX_DIGITS 19

/* The double nearest to `digits * 10^exponent`, ties to even; positive. It has DECIMAL_MAX_DIGITS at most.
 * False where that is not told here: it is infinite, or, which is rare, takes more bits to decide. */
bool decimal_to_double(uint64_t digits, int exponent, double *out);

/* The same of a number of more digits, of which these are the first DECIMAL_MAX_DIGITS, and the first of them
 * is no zero. False, too, where those behind them might decide. */
bool decimal_first_to_double(uint64_t digits, int exponent, double *out);

#endif
