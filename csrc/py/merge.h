/* What channels need of the iterator that merges them. */
#ifndef GAECHANNEL_PY_MERGE_H
#define GAECHANNEL_PY_MERGE_H

#include "py/channel.h"

/* The channel may have something: put it in line, and wake whoever waits. */
void merge_push(merge_object *self, channel_object *channel);

int merge_add_types(PyObject *module, module_state *state);

#endif
