#!/usr/bin/env python3
"""Write powers.c beside this file: 5^q to 128 bits, for decimal.c.

q goes from -342, below which 19 digits are less than half of the smallest double, to 308, above which one is
more than the largest.
"""

from pathlib import Path

SMALLEST, LARGEST = -342, 308
# From here on up, 5^-q has 64 bits at most.
SHORT = -27

HEAD = """\
/* Made by make_powers.py: 5^q to 128 bits, the upper and the lower half. */
#include "wire/powers.h"

// clang-format off
const uint64_t powers_of_five[POWERS_LARGEST - POWERS_SMALLEST + 1][2] = {
"""
FOOT = """\
};
// clang-format on
"""


def leading_bits(q: int) -> int:
    """The 128 leading bits of 5^q.

    What follows is cut off, but for the short reciprocals, which are rounded up: Eisel and Lemire's way has
    been proved for exactly that.
    """
    if q >= 0:
        power = 5**q
        surplus = power.bit_length() - 128
        return power >> surplus if surplus > 0 else power << -surplus
    divisor = 5**-q
    quotient = (1 << (divisor.bit_length() + 127)) // divisor
    return quotient + 1 if q >= SHORT else quotient


def text() -> str:
    """All of powers.c."""
    rows = []
    for q in range(SMALLEST, LARGEST + 1):
        bits = leading_bits(q)
        rows.append(f"    {{0x{bits >> 64:016X}, 0x{bits & (1 << 64) - 1:016X}}}, // {q}\n")
    return HEAD + "".join(rows) + FOOT


if __name__ == "__main__":
    (Path(__file__).parent / "powers.c").write_text(text())
