/* Powers of five: what powers of ten are, but for their factors of two. */
#ifndef GAECHANNEL_WIRE_POWERS_H
#define GAECHANNEL_WIRE_POWERS_H

#include <stdint.h> // uint64_t

// The exponents in the table, which make_powers.py has written.
#define POWERS_SMALLEST (-342)
#define POWERS_LARGEST 308

// For 5^q, at q - POWERS_SMALLEST: its 128 leading bits, the first of which is 1; the upper half first.
extern const uint64_t powers_of_five[POWERS_LARGEST - POWERS_SMALLEST + 1][2];

#endif
