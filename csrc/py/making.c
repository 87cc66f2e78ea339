/* What the CPython that this is loaded into has beyond the stable ABI. */
#include "py/making.h"

#ifdef Py_LIMITED_API

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h> // getenv()

// The last CPython whose functions are known, which do not change any more once it is released: 3.14. Of a
// newer one only the stable ABI is.
#define LAST_KNOWN 0x030EFFFF

// The environment's word for doing without.
#define DO_WITHOUT "GAECHANNEL_STABLE_ABI"

making_ways making;

// Whether the same library has a function as has PyUnicode_FromString(). A process may have two CPythons.
static bool is_of_this_cpython(void *function) {
    Dl_info here, known;
    PyObject *(*by_abi)(const char *) = PyUnicode_FromString;
    void *address;
    memcpy(&address, &by_abi, sizeof address);
    return function != NULL && dladdr(address, &known) != 0 && dladdr(function, &here) != 0 &&
           here.dli_fbase == known.dli_fbase;
}

// Where in a str of ASCII its text is: CPython shows that. 0: an exception is set, or it is elsewhere.
static size_t find_text(PyObject *ascii) {
    Py_ssize_t length;
    const char *text = PyUnicode_AsUTF8AndSize(ascii, &length);
    if (text == NULL)
        return 0;
    ptrdiff_t at = text - (const char *)ascii;
    return at > 0 && at < 128 ? (size_t)at : 0;
}

// Whether a list has its items where ITEMS_OF() looks for them. -1: an exception is set.
static int finds_items(PyObject *item) {
    PyObject *list = PyList_New(1);
    if (list == NULL)
        return -1;
    int result = PyList_SetItem(list, 0, Py_NewRef(item));
    if (result == 0)
        result = *ITEMS_OF(list) == item;
    Py_DECREF(list);
    return result;
}

static bool is_known(void) {
    const char *word = getenv(DO_WITHOUT);
    return Py_Version <= LAST_KNOWN && (word == NULL || *word == '\0' || strcmp(word, "0") == 0);
}

// What this thread has found.
static _Thread_local making_ways found;

// -1: an exception is set.
static int look(PyObject *ascii) {
    void *functions[] = {dlsym(RTLD_DEFAULT, "PyUnicode_New"),
                         dlsym(RTLD_DEFAULT, "PyUnicode_FromKindAndData")};
    found = (making_ways){0};
    if (!is_known() || !is_of_this_cpython(functions[0]) || !is_of_this_cpython(functions[1]))
        return 0;
    size_t text_at = find_text(ascii);
    int finds = text_at != 0 ? finds_items(ascii) : 0;
    if (finds <= 0)
        return PyErr_Occurred() != NULL ? -1 : 0;
    found.text_at = text_at;
    memcpy(&found.new_str, &functions[0], sizeof found.new_str);
    memcpy(&found.str_from_kind, &functions[1], sizeof found.str_from_kind);
    return 0;
}

static void go_by_it(void) {
    making = found;
}

int making_look(PyObject *ascii) {
    // Interpreters that have a GIL each may load it at once, and all go by what one of them has found. Who
    // waits for that does not wait for its calls of CPython, in which others may get the GIL.
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (look(ascii) < 0)
        return -1;
    pthread_once(&once, go_by_it);
    return 0;
}

#else

int making_look(PyObject *ascii) {
    (void)ascii;
    return 0;
}

#endif

bool making_writes(void) {
    return WRITES_IN_PLACE;
}
