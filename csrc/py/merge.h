/* What channels need of the iterator that merges them. */
#ifndef GAECHANNEL_PY_MERGE_H
#define GAECHANNEL_PY_MERGE_H

#include "loop.h"

/* The channel may have something: put it in line, and wake whoever waits. */
void merge_push(merge_object *self, channel_object *channel);

#endif
