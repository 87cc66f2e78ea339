/* A ring of merged channels: the first gives one message and goes to the end, so that a busy channel does not
 * keep the others waiting. */
#include "py/channel/ready_line.h"

#include "py/channel/lock.h"
#include "py/forks.h"

int ready_line_init(ready_line *self, size_t channels, bool is_async) {
    self->capacity = channels + 1;
    self->ring = PyMem_Calloc(self->capacity, sizeof *self->ring);
    self->waiters = is_async ? PyList_New(0) : NULL;
    if (self->ring == NULL)
        PyErr_NoMemory();
    return self->ring != NULL && (self->waiters != NULL || !is_async) ? 0 : -1;
}

void ready_line_free(ready_line *self) {
    Py_CLEAR(self->waiters);
    PyMem_Free(self->ring);
}

bool ready_line_enter(ready_line *self, channel_object *channel) {
    ready_line *none = NULL;
    return atomic_compare_exchange_strong(&channel->line, &none, self);
}

// The ring has no references: a channel that leaves may be gone by the time that its turn would come.
static void forget(ready_line *self, const channel_object *channel) {
    size_t kept = 0;
    for (size_t i = 0; i < self->count; i++) {
        channel_object *one = self->ring[(self->first + i) % self->capacity];
        if (one != channel)
            self->ring[(self->first + kept++) % self->capacity] = one;
    }
    self->count = kept;
}

void ready_line_leave(channel_object *channel) {
    // Whoever closes the channel, or has news of it, looks at its line with the lock held; in a forked child
    // nobody does, and the lock may be held by a thread that is not there.
    bool locks = channel->forks == forks_seen();
    if (locks)
        channel_lock(channel);
    if (channel->in_line)
        forget(channel->line, channel);
    channel->line = NULL;
    channel->in_line = false;
    if (locks)
        channel_unlock(channel);
}

void ready_line_push(ready_line *self, channel_object *channel) {
    if (!channel->in_line) {
        channel->in_line = true;
        self->ring[(self->first + self->count++) % self->capacity] = channel;
    }
}

channel_object *ready_line_pop(ready_line *self) {
    if (self->count == 0)
        return NULL;
    channel_object *channel = self->ring[self->first];
    self->first = (self->first + 1) % self->capacity;
    self->count--;
    channel->in_line = false;
    return channel;
}
