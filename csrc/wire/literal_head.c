/* The table of literal_head.h. */
#include "wire/literal_head.h"

#define EIGHT 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF

const uint8_t literal_head_ones[2 * LITERAL_HEAD] = {EIGHT, EIGHT, EIGHT, EIGHT};
