/* The attributes of the type Channel. */
#ifndef GAECHANNEL_PY_CHANNEL_TYPE_ATTRIBUTES_H
#define GAECHANNEL_PY_CHANNEL_TYPE_ATTRIBUTES_H

#include "py/channel/object.h"

extern PyGetSetDef channel_getset[];

#endif
