/* Where an array's data ends, by brackets, commas and quotes alone. */
#ifndef GAECHANNEL_WIRE_BOUNDS_SCAN_H
#define GAECHANNEL_WIRE_BOUNDS_SCAN_H

#include <stdint.h> // uint8_t

/* The first comma or closing bracket that belongs to the array or object that `at` is in, outside of any
 * string; NULL where the text ends before. A backslash counts within strings only. The second is the same one
 * byte at a time: what the first must agree with on every input. */
const uint8_t *bounds_scan(const uint8_t *at, const uint8_t *end);
const uint8_t *bounds_scan_plain(const uint8_t *at, const uint8_t *end);

#endif
