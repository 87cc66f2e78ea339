/* What was taken last, for who looks at a channel: the beginnings of a few records. */
#ifndef GAECHANNEL_SESSION_PAST_H
#define GAECHANNEL_SESSION_PAST_H

#include <stddef.h> // size_t
#include <stdint.h> // uint8_t, int64_t

#define PAST_RECORDS 4 // a power of two
#define PAST_BYTES 68  // of each record

typedef struct past_record {
    int64_t id;
    uint32_t length; // bytes; of a longer one than PAST_BYTES only the beginning is here
    uint8_t bytes[PAST_BYTES];
} past_record;

/* All zeros is an empty one. A channel that has handed nothing out needs no memory for it. */
typedef struct past_records {
    past_record *records; // a ring
    size_t count;         // records added so far
} past_records;

void past_free(past_records *self);

/* Remember a record. When memory runs out, it is forgotten. */
void past_add(past_records *self, int64_t id, const uint8_t *bytes, uint32_t length);

/* The record is not taken any more: forget it, if it is the last one. */
void past_take_back(past_records *self, int64_t id, uint32_t length);

/* How many are remembered, and one of them, 0 for the oldest. */
size_t past_count(const past_records *self);
const past_record *past_get(const past_records *self, size_t place);

#endif
