/* The beginnings of the records that were taken last, in a ring. */
#include "past.h"

#include <stdlib.h> // realloc()
#include <string.h> // memcpy()

void past_free(past_records *self) {
    free(self->records);
    *self = (past_records){0};
}

void past_add(past_records *self, int64_t id, const uint8_t *bytes, uint32_t length) {
    if (self->count < PAST_RECORDS) { // of many channels, most have handed out few
        past_record *grown = realloc(self->records, (self->count + 1) * sizeof *grown);
        if (grown == NULL)
            return;
        self->records = grown;
    }
    past_record *kept = &self->records[self->count++ % PAST_RECORDS];
    kept->id = id;
    kept->length = length;
    memcpy(kept->bytes, bytes, length < PAST_BYTES ? length : PAST_BYTES);
}

void past_take_back(past_records *self, int64_t id, uint32_t length) {
    past_record kept[PAST_RECORDS];
    size_t left = past_count(self);
    if (left == 0 || past_get(self, left - 1)->id != id || past_get(self, left - 1)->length != length)
        return;
    left--;
    for (size_t place = 0; place < left; place++)
        kept[place] = *past_get(self, place);
    memcpy(self->records, kept, left * sizeof *kept);
    self->count = left;
}

size_t past_count(const past_records *self) {
    return self->count < PAST_RECORDS ? self->count : PAST_RECORDS;
}

const past_record *past_get(const past_records *self, size_t place) {
    return &self->records[(self->count - past_count(self) + place) % PAST_RECORDS];
}
