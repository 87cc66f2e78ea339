/* A channel's owner, for whoever drives its loop: at that moment it may be going in another thread.
 *
 * An object that is going runs Python code on its way, a subclass's __del__() or that of something that the
 * object alone has had, before it can say to its channel that it is gone. A reference to it, taken and given
 * back meanwhile, would have it go twice. */
#include "py/loops/owner.h"

#ifdef Py_GIL_DISABLED // another thread gives back the last reference whenever it likes: a weak one is told

void *owner_known_as(PyObject *owner) {
    return PyWeakref_NewRef(owner, NULL);
}

PyObject *owner_of(net_channel *channel) {
    PyObject *known = net_channel_owner(channel);
    PyObject *owner = NULL;
    if (known != NULL)
        PyWeakref_GetRef(known, &owner); // which fails for what is no weak reference alone
    return owner;
}

void owner_forget(void *known) {
    Py_XDECREF((PyObject *)known);
}

#else // with the GIL, the count of an object that is going is 0, or somebody may have it who brings it back

void *owner_known_as(PyObject *owner) {
    return owner;
}

PyObject *owner_of(net_channel *channel) {
    PyObject *owner = net_channel_owner(channel);
    if (owner == NULL || Py_REFCNT(owner) == 0)
        return NULL;
    Py_INCREF(owner);
    return owner;
}

void owner_forget(void *known) {
    (void)known;
}

#endif
