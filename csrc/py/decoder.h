/* The types Decoder and TalkDecoder. */
#ifndef GAECHANNEL_PY_DECODER_H
#define GAECHANNEL_PY_DECODER_H

#include "py/state.h"

int decoder_add_types(PyObject *module, module_state *state);

#endif
