/* A binary heap, in which each channel knows its place. */
#include "net/timers.h"

#include <stdlib.h> // realloc()

bool timers_reserve(timers *heap, size_t channels) {
    if (channels <= heap->capacity)
        return true;
    size_t capacity = heap->capacity ? heap->capacity : 1;
    while (capacity < channels)
        capacity *= 2;
    net_channel **items = realloc(heap->items, capacity * sizeof *items);
    if (items == NULL)
        return false;
    heap->items = items;
    heap->capacity = capacity;
    return true;
}

void timers_free(timers *heap) {
    free(heap->items);
    *heap = (timers){0};
}

static void place(timers *heap, net_channel *channel, size_t index) {
    heap->items[index] = channel;
    channel->timer_index = index;
}

static void sift_up(timers *heap, net_channel *channel, size_t index) {
    while (index > 0 && heap->items[(index - 1) / 2]->at_ms > channel->at_ms) {
        place(heap, heap->items[(index - 1) / 2], index);
        index = (index - 1) / 2;
    }
    place(heap, channel, index);
}

static void sift_down(timers *heap, net_channel *channel, size_t index) {
    for (;;) {
        size_t child = 2 * index + 1;
        if (child >= heap->count)
            break;
        if (child + 1 < heap->count && heap->items[child + 1]->at_ms < heap->items[child]->at_ms)
            child++;
        if (heap->items[child]->at_ms >= channel->at_ms)
            break;
        place(heap, heap->items[child], index);
        index = child;
    }
    place(heap, channel, index);
}

static void take_out(timers *heap, net_channel *channel) {
    size_t index = channel->timer_index;
    net_channel *last = heap->items[--heap->count];
    channel->timer_index = NOT_TIMED;
    if (last == channel)
        return;
    sift_up(heap, last, index);
    sift_down(heap, last, last->timer_index);
}

void timers_set(timers *heap, net_channel *channel, int64_t at_ms) {
    if (channel->timer_index != NOT_TIMED) {
        if (channel->at_ms == at_ms)
            return;
        take_out(heap, channel);
    }
    channel->at_ms = at_ms;
    if (at_ms != SESSION_NEVER)
        sift_up(heap, channel, heap->count++);
}

int64_t timers_next_ms(const timers *heap) {
    return heap->count != 0 ? heap->items[0]->at_ms : SESSION_NEVER;
}

net_channel *timers_take(timers *heap, int64_t now_ms) {
    if (timers_next_ms(heap) > now_ms)
        return NULL;
    net_channel *channel = heap->items[0];
    timers_set(heap, channel, SESSION_NEVER);
    return channel;
}

void net_channel_step_soon(net_channel *channel) {
    if (channel->loop != NULL)
        timers_set(&channel->loop->timers, channel, 0);
}
