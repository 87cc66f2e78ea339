/* Walking over a value in one pass, where only its end is wanted.
 *
 * This is the fast path beside the literal reader: it takes what servers write, JSON with holes and single
 * quotes, and gives up on all else, errors included, so that what is wrong, and where, only the reader has to
 * tell. What it takes, the reader takes, too, and ends it at the same byte. */
#ifndef GAECHANNEL_WIRE_LITERAL_WALK_H
#define GAECHANNEL_WIRE_LITERAL_WALK_H

#include <stdint.h> // uint8_t

/* Where the value that begins at `at` ends; NULL where it is not of the kind that is taken here.
 *
 * `end` is where the text ends. The last byte before it must be `]`, and the value be over before that. At
 * most `most` arrays and objects may be within each other. */
const uint8_t *literal_walk(const uint8_t *at, const uint8_t *end, unsigned most);

#endif
