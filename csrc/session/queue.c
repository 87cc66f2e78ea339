/* Records behind each other in one buffer, each with a small header before its bytes. */
#include "queue.h"

#include <stdlib.h> // realloc()
#include <string.h> // memmove()

// Stands before each record's bytes; records begin at multiples of its size.
typedef struct header {
    int64_t id;
    uint32_t length; // bytes; a chunk's limit is far below 4 GiB
    uint32_t kind;
} header;

// Of a channel's buffer, in bytes: of ten thousand, most get one short message at a time.
#define FIRST_CAPACITY ((size_t)64)

static size_t padded(size_t length) {
    return (length + sizeof(header) - 1) / sizeof(header) * sizeof(header);
}

// Before the buffer is written to from its beginning, or given back: what was taken is copied out of it. So
// many messages that are there at once cost no more than the last of them.
static void keep_past(queue *self) {
    size_t count = self->taken_count;
    for (size_t i = count < PAST_RECORDS ? 0 : count - PAST_RECORDS; i < count; i++) {
        const uint8_t *begin = self->data + self->taken[i % PAST_RECORDS];
        header head;
        memcpy(&head, begin, sizeof head);
        past_add(&self->past, head.id, begin + sizeof head, head.length);
    }
    self->taken_count = 0;
}

const past_records *queue_past(queue *self) {
    keep_past(self);
    return &self->past;
}

static void give_buffer_back(queue *self) {
    free(self->data);
    self->data = NULL;
    self->head = self->tail = self->capacity = 0;
}

void queue_free(queue *self) {
    past_free(&self->past);
    free(self->data);
    *self = (queue){0};
}

uint8_t *queue_reserve(queue *self, size_t length) {
    size_t needed = sizeof(header) + padded(length);
    if (length > UINT32_MAX)
        return NULL;
    if (self->capacity - self->tail < needed) {
        size_t held = self->tail - self->head;
        keep_past(self);
        // Moving down is cheap only while what is held is less than what was taken.
        if (self->head > 0 && (held <= self->head) && self->capacity - held >= needed) {
            memmove(self->data, self->data + self->head, held);
        } else {
            size_t capacity = self->capacity ? self->capacity : FIRST_CAPACITY;
            while (capacity - held < needed)
                capacity *= 2;
            uint8_t *data = malloc(capacity);
            if (data == NULL)
                return NULL;
            if (held != 0)
                memcpy(data, self->data + self->head, held);
            free(self->data);
            self->data = data;
            self->capacity = capacity;
        }
        self->head = 0;
        self->tail = held;
    }
    return self->data + self->tail + sizeof(header);
}

void queue_commit(queue *self, int64_t id, record_kind kind, size_t length) {
    header head = {.id = id, .length = (uint32_t)length, .kind = (uint32_t)kind};
    memcpy(self->data + self->tail, &head, sizeof head);
    self->tail += sizeof head + padded(length);
    self->count++;
}

bool queue_peek(const queue *self, record *out) {
    if (self->count == 0)
        return false;
    header head;
    memcpy(&head, self->data + self->head, sizeof head);
    *out = (record){.id = head.id,
                    .kind = (record_kind)head.kind,
                    .bytes = self->data + self->head + sizeof head,
                    .length = head.length};
    return true;
}

void queue_pop(queue *self, size_t keep) {
    header head;
    memcpy(&head, self->data + self->head, sizeof head);
    self->taken[self->taken_count++ % PAST_RECORDS] = self->head;
    self->head += sizeof head + padded(head.length);
    self->count--;
    if (self->count != 0)
        return;
    keep_past(self);
    self->head = self->tail = 0;
    if (self->capacity > keep)
        give_buffer_back(self);
}

// Move all records up, so that `needed` bytes are free before them. Nothing that was taken lies there any
// more.
static bool make_room_in_front(queue *self, size_t needed) {
    size_t held = queue_bytes(self);
    size_t capacity = self->capacity;
    while (capacity - held < needed)
        capacity *= 2;
    uint8_t *data = malloc(capacity);
    if (data == NULL)
        return false;
    memcpy(data + needed, self->data + self->head, held);
    free(self->data);
    self->data = data;
    self->capacity = capacity;
    self->head = needed;
    self->tail = needed + held;
    return true;
}

bool queue_put_back(queue *self, const record *dropped) {
    size_t needed = sizeof(header) + padded(dropped->length);
    keep_past(self); // where it is to lie, others may that were taken
    if (self->count == 0) {
        uint8_t *room = queue_reserve(self, dropped->length);
        if (room == NULL)
            return false;
        memcpy(room, dropped->bytes, dropped->length);
        queue_commit(self, dropped->id, dropped->kind, dropped->length);
    } else {
        if (self->head < needed && !make_room_in_front(self, needed))
            return false;
        header head = {
            .id = dropped->id, .length = (uint32_t)dropped->length, .kind = (uint32_t)dropped->kind};
        self->head -= needed;
        memcpy(self->data + self->head, &head, sizeof head);
        memcpy(self->data + self->head + sizeof head, dropped->bytes, dropped->length);
        self->count++;
    }
    past_take_back(&self->past, dropped->id, (uint32_t)dropped->length);
    return true;
}

void queue_rest(queue *self) {
    if (self->count == 0)
        give_buffer_back(self);
}

size_t queue_bytes(const queue *self) {
    return self->tail - self->head;
}

queue_mark queue_get_mark(const queue *self) {
    return (queue_mark){.bytes = queue_bytes(self), .count = self->count};
}

void queue_rewind(queue *self, queue_mark mark) {
    self->tail = self->head + mark.bytes;
    self->count = mark.count;
}
