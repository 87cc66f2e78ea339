/* What the CPython that this is loaded into has beyond the stable ABI. */
#include "py/making.h"

#ifdef Py_LIMITED_API

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
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

// Where a str has its text that is made as those are that are written into: CPython shows that. 0: not in
// it; -1: an exception is set.
static ptrdiff_t find_text(const making_ways *ways) {
    PyObject *made = ways->new_str(2, 0x7F);
    if (made == NULL)
        return -1;
    const char *text = PyUnicode_AsUTF8AndSize(made, NULL);
    ptrdiff_t at = -1;
    if (text != NULL) {
        at = text - (const char *)made;
        at = at > 0 && at < 128 ? at : 0;
    }
    Py_DECREF(made);
    return at;
}

// Whether a list has its items where ITEMS_OF() looks for them. -1: an exception is set.
static int finds_items(void) {
    PyObject *list = PyList_New(1);
    if (list == NULL)
        return -1;
    int result = PyList_SetItem(list, 0, Py_NewRef(Py_None));
    if (result == 0)
        result = *ITEMS_OF(list) == Py_None;
    Py_DECREF(list);
    return result;
}

static bool is_known(void) {
    const char *word = getenv(DO_WITHOUT);
    return Py_Version <= LAST_KNOWN && (word == NULL || *word == '\0' || strcmp(word, "0") == 0);
}

// `*found` stays as it is where this CPython is not known. -1: an exception is set.
static int look(making_ways *found) {
    void *functions[] = {dlsym(RTLD_DEFAULT, "PyUnicode_New"),
                         dlsym(RTLD_DEFAULT, "PyUnicode_FromKindAndData")};
    if (!is_known() || !is_of_this_cpython(functions[0]) || !is_of_this_cpython(functions[1]))
        return 0;
    making_ways ways = {0};
    memcpy(&ways.new_str, &functions[0], sizeof ways.new_str);
    memcpy(&ways.str_from_kind, &functions[1], sizeof ways.str_from_kind);
    ptrdiff_t text_at = find_text(&ways);
    int finds = text_at > 0 ? finds_items() : (int)text_at;
    if (finds > 0) {
        ways.text_at = (size_t)text_at;
        *found = ways;
    }
    return finds < 0 ? -1 : 0;
}

// What a thread has found that is in making_look(), and stays there until one of them is gone by.
static _Atomic(const making_ways *) offered;

static void go_by_it(void) {
    making = *atomic_load(&offered);
}

int making_look(void) {
    // Interpreters that have a GIL each may load it at once, and all go by what one of them has found. Who
    // waits for that does not wait for its calls of CPython, in which others may get the GIL.
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    making_ways found = {0};
    if (look(&found) < 0)
        return -1;
    atomic_store(&offered, &found);
    pthread_once(&once, go_by_it);
    return 0;
}

#else

int making_look(void) {
    return 0;
}

#endif

bool making_writes(void) {
    return WRITES_IN_PLACE;
}
