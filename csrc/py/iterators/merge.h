/* The types Merge and AsyncMerge: one iterator over many channels. */
#ifndef GAECHANNEL_PY_ITERATORS_MERGE_H
#define GAECHANNEL_PY_ITERATORS_MERGE_H

#include "py/state.h"

int merge_add_types(PyObject *module, module_state *state);

#endif
