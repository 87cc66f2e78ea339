/* What was received and not yet taken: records, one behind the other, in one buffer. */
#ifndef GAECHANNEL_SESSION_QUEUE_H
#define GAECHANNEL_SESSION_QUEUE_H

#include <stdbool.h>
#include <stddef.h> // size_t
#include <stdint.h> // uint8_t, int64_t

#include "past.h"

typedef enum record_kind {
    RECORD_ASCII,          // a message's text, which is known to be ASCII
    RECORD_TEXT,           // the same, its escapes undone: UTF-8
    RECORD_TEXT_SURROGATE, // the same, with lone surrogates as three bytes
    RECORD_LITERAL,        // an array's data, a literal known to be well-formed
    RECORD_BYTES,          // an array's data, of which only the bounds are known
} record_kind;

typedef struct record {
    // The array's id.
    int64_t id;
    record_kind kind;
    // Valid until the queue is next changed.
    const uint8_t *bytes;
    size_t length; // bytes
} record;

/* All zeros is an empty one. */
typedef struct queue {
    uint8_t *data;
    size_t head;     // where the oldest record begins
    size_t tail;     // where the next one will begin
    size_t capacity; // bytes
    size_t count;    // records
    // Where the last records that were taken began, which lie in the buffer yet: a ring, and how many of
    // them.
    size_t taken[PAST_RECORDS];
    size_t taken_count;
    // The records that were taken before.
    past_records past;
} queue;

void queue_free(queue *self);

/* How the records that were dropped last began. */
const past_records *queue_past(queue *self);

/* Begin a record of at most `length` bytes. Returns where they go; NULL when memory ran out. */
uint8_t *queue_reserve(queue *self, size_t length);

/* End the record just begun: it is `length` bytes long. */
void queue_commit(queue *self, int64_t id, record_kind kind, size_t length);

/* The oldest record, left where it is. False when there is none. */
bool queue_peek(const queue *self, record *out);

/* Drop the oldest record. A buffer of more than `keep` bytes is given back when nothing is left in it. */
void queue_pop(queue *self, size_t keep);

/* Put a record back that was the last to be dropped, in front of all others; its bytes are the caller's.
 * False when memory ran out. */
bool queue_put_back(queue *self, const record *dropped);

/* Give the buffer back, if nothing is in it. */
void queue_rest(queue *self);

/* Bytes held by records that were not taken. */
size_t queue_bytes(const queue *self);

/* To undo what a chunk has queued when a later part of it turns out to be corrupt: remember how much was
 * there, and go back to it. Nothing may be popped in between. */
typedef struct queue_mark {
    size_t bytes;
    size_t count;
} queue_mark;
queue_mark queue_get_mark(const queue *self);
void queue_rewind(queue *self, queue_mark mark);

#endif
