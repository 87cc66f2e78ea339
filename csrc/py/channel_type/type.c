/* The type Channel: what a channel's other files do, as slots. The Python classes derive from it. */
#include "py/channel_type/type.h"

#include "py/channel/object.h"
#include "py/channel_type/attributes.h"
#include "py/channel_type/close.h"
#include "py/channel_type/init.h"
#include "py/channel_type/methods.h"

static PyType_Slot channel_slots[] = {
    {Py_tp_doc, "What every channel class is made of. Not to be made by itself."},
    {Py_tp_init, channel_init},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_dealloc, channel_dealloc},
    {Py_tp_finalize, channel_finalize},
    {Py_tp_traverse, channel_traverse},
    {Py_tp_clear, channel_clear},
    {Py_tp_iter, channel_iter},
    {Py_tp_methods, channel_methods},
    {Py_tp_getset, channel_getset},
    {0, NULL},
};

#ifdef Py_GIL_DISABLED
#define WEAKLY_KNOWN Py_TPFLAGS_MANAGED_WEAKREF // see loops/owner.h
#else
#define WEAKLY_KNOWN 0
#endif

static PyType_Spec channel_spec = {"gaechannel._core.Channel", sizeof(channel_object), 0,
                                   Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC |
                                       Py_TPFLAGS_IMMUTABLETYPE | WEAKLY_KNOWN,
                                   channel_slots};

int channel_add_type(PyObject *module, module_state *state) {
    return module_add_type(module, &state->channel_type, &channel_spec);
}
