/* TypeError, where a value is of another type than is wanted: in the words that Python code here has for it.
 */
#include "py/wrong_type.h"

void raise_wrong_type(const char *what, const char *wanted, PyObject *value) {
    PyObject *name = PyType_GetName(Py_TYPE(value));
    if (name != NULL)
        PyErr_Format(PyExc_TypeError, "%s %s, not %U", what, wanted, name);
    Py_XDECREF(name);
}
