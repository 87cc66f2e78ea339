/* Which CPythons are written into: those that are known, and are what they are known to be.
 *
 * making.c is compiled into this program, and so are the functions of CPython's that it calls. */
#include "check.h"

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <dlfcn.h>

// What a CPython is like, and what a case changes of it.
static unsigned long version = 0x030B02F0;
static int functions, functions_of_another;
static void *new_str = &functions, *str_from_kind = &functions;
static bool shows_text_elsewhere, keeps_items_elsewhere, is_out_of_memory;

static size_t freed;

static struct {
    PyObject head;
    char text[8];
} known_str = {.text = "ascii"};

static struct {
    PyVarObject head;
    PyObject **items;
} known_list;

static PyObject *kept[1], *kept_elsewhere[1], *raised;

static void *fake_dlsym(void *handle, const char *name) {
    (void)handle;
    return strcmp(name, "PyUnicode_New") == 0 ? new_str : str_from_kind;
}

// Each is its own library's base. PyUnicode_FromString() is of CPython's.
static int fake_dladdr(const void *address, Dl_info *info) {
    info->dli_fbase = address == &functions_of_another ? &functions_of_another : &functions;
    return 1;
}

PyObject *PyUnicode_FromString(const char *words) {
    (void)words;
    CHECK(false); // its address alone is wanted
    return NULL;
}

PyObject *PyErr_Occurred(void) {
    return raised;
}

const char *PyUnicode_AsUTF8AndSize(PyObject *str, Py_ssize_t *length) {
    CHECK(str == &known_str.head);
    *length = (Py_ssize_t)strlen(known_str.text);
    return shows_text_elsewhere ? known_str.text - sizeof known_str : known_str.text;
}

PyObject *PyList_New(Py_ssize_t length) {
    CHECK(length == 1);
    memset(&known_list, 0, sizeof known_list);
    Py_INCREF(&known_list.head.ob_base);
    known_list.items = keeps_items_elsewhere ? kept_elsewhere : kept;
    raised = is_out_of_memory ? &known_str.head : NULL;
    return is_out_of_memory ? NULL : &known_list.head.ob_base;
}

int PyList_SetItem(PyObject *self, Py_ssize_t at, PyObject *item) {
    CHECK(self == &known_list.head.ob_base && at == 0);
    kept[0] = item; // and the reference
    return 0;
}

void _Py_Dealloc(PyObject *object) {
    CHECK(object == &known_list.head.ob_base);
    freed++;
}

#define dlsym fake_dlsym
#define dladdr fake_dladdr
#define Py_Version version
#include "py/making.c"

static void one_that_is_known_is_written_into(void) {
    CHECK(making_look(&known_str.head) == 0);
    CHECK(making_writes() && freed == 1);
    CHECK(ASCII_OF(&known_str.head) == (uint8_t *)known_str.text);
}

static void what_the_first_look_has_found_stays(void) {
    CHECK(making_look(&known_str.head) == 0);
    new_str = NULL;
    CHECK(making_look(&known_str.head) == 0);
    CHECK(making_writes());
}

static void look_without_success(void) {
    CHECK(making_look(&known_str.head) == 0);
    CHECK(!making_writes() && making.str_from_kind == NULL);
}

static void the_last_that_is_known_is(void) {
    version = 0x030EFFF0;
    one_that_is_known_is_written_into();
}

static void a_newer_one_is_not(void) {
    version = 0x030F0000;
    look_without_success();
}

static void one_without_a_function_is_not(void) {
    str_from_kind = NULL;
    look_without_success();
}

static void another_ones_functions_are_not_called(void) {
    new_str = &functions_of_another;
    look_without_success();
}

static void one_that_keeps_text_elsewhere_is_not(void) {
    shows_text_elsewhere = true;
    look_without_success();
}

static void one_that_keeps_items_elsewhere_is_not(void) {
    keeps_items_elsewhere = true;
    look_without_success();
}

static void the_environment_may_do_without(void) {
    setenv("GAECHANNEL_STABLE_ABI", "1", 1);
    look_without_success();
}

static void a_nought_and_nothing_do_not(void) {
    setenv("GAECHANNEL_STABLE_ABI", "0", 1);
    one_that_is_known_is_written_into();
    setenv("GAECHANNEL_STABLE_ABI", "", 1);
    CHECK(is_known());
}

static void where_memory_runs_out_it_is_looked_at_again(void) {
    is_out_of_memory = true;
    CHECK(making_look(&known_str.head) == -1);
    CHECK(!making_writes());
    is_out_of_memory = false;
    one_that_is_known_is_written_into();
}

static const check_case cases[] = {
    CASE(one_that_is_known_is_written_into),
    CASE(what_the_first_look_has_found_stays),
    CASE(the_last_that_is_known_is),
    CASE(a_newer_one_is_not),
    CASE(one_without_a_function_is_not),
    CASE(another_ones_functions_are_not_called),
    CASE(one_that_keeps_text_elsewhere_is_not),
    CASE(one_that_keeps_items_elsewhere_is_not),
    CASE(the_environment_may_do_without),
    CASE(a_nought_and_nothing_do_not),
    CASE(where_memory_runs_out_it_is_looked_at_again),
};

CHECK_MAIN(cases)
