/* Which CPythons are written into: those that are known, and are what they are known to be.
 *
 * making.c is compiled into this program, and so are the functions of CPython's that it calls. */
#include "check.h"

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <dlfcn.h>

typedef PyObject *maker(Py_ssize_t length, Py_UCS4 largest);

static maker make_known, make_of_another;
static PyObject *make_from_kind(int kind, const void *units, Py_ssize_t length);

// What a CPython is like, and what a case changes of it.
static unsigned long version = 0x030B02F0;
static maker *new_str = make_known;
static PyObject *(*str_from_kind)(int, const void *, Py_ssize_t) = make_from_kind;
static ptrdiff_t text_is_off;
static const void *in_no_library;
static bool shows_no_text, keeps_items_elsewhere, has_no_memory_for_strs, has_no_memory_for_lists;

static size_t objects_made, objects_freed;
static bool raised;

static struct {
    PyObject head;
    char text[8];
} known_str;

static struct {
    PyVarObject head;
    PyObject **items;
} known_list;

static PyObject *kept[1], *kept_elsewhere[1];

PyObject _Py_NoneStruct;

static PyObject *make(PyObject *object, bool no_memory) {
    raised = no_memory;
    if (no_memory)
        return NULL;
    objects_made++;
    object->ob_refcnt = 1;
    return object;
}

static PyObject *make_known(Py_ssize_t length, Py_UCS4 largest) {
    CHECK(length > 1 && largest == 0x7F); // ASCII, of which CPython has none already
    return make(&known_str.head, has_no_memory_for_strs);
}

static PyObject *make_of_another(Py_ssize_t length, Py_UCS4 largest) {
    (void)length;
    (void)largest;
    CHECK(false); // is not to be called
    return NULL;
}

static PyObject *make_from_kind(int kind, const void *units, Py_ssize_t length) {
    (void)kind;
    (void)units;
    (void)length;
    CHECK(false); // its address alone is wanted
    return NULL;
}

static void *fake_dlsym(void *handle, const char *name) {
    (void)handle;
    return strcmp(name, "PyUnicode_New") == 0 ? (void *)new_str : (void *)str_from_kind;
}

// PyUnicode_FromString() is of CPython's library, and all but one function are.
static int fake_dladdr(const void *address, Dl_info *info) {
    info->dli_fbase = address == (void *)make_of_another ? &objects_made : &objects_freed;
    return address != in_no_library;
}

PyObject *PyUnicode_FromString(const char *words) {
    (void)words;
    CHECK(false); // its address alone is wanted
    return NULL;
}

const char *PyUnicode_AsUTF8AndSize(PyObject *str, Py_ssize_t *length) {
    CHECK(str == &known_str.head && length == NULL);
    raised = shows_no_text;
    return shows_no_text ? NULL : known_str.text + text_is_off;
}

PyObject *PyList_New(Py_ssize_t length) {
    CHECK(length == 1);
    memset(&known_list, 0, sizeof known_list);
    known_list.items = keeps_items_elsewhere ? kept_elsewhere : kept;
    return make(&known_list.head.ob_base, has_no_memory_for_lists);
}

int PyList_SetItem(PyObject *self, Py_ssize_t at, PyObject *item) {
    CHECK(self == &known_list.head.ob_base && at == 0);
    kept[0] = item; // and the reference
    return 0;
}

void _Py_Dealloc(PyObject *object) {
    CHECK(object == &known_str.head || object == &known_list.head.ob_base);
    objects_freed++;
}

#define dlsym fake_dlsym
#define dladdr fake_dladdr
#define Py_Version version
#include "py/making.c"

static void one_that_is_known_is_written_into(void) {
    CHECK(making_look() == 0);
    CHECK(making_writes() && making.new_str == new_str && making.str_from_kind == str_from_kind);
    CHECK(ASCII_OF(&known_str.head) == (uint8_t *)known_str.text);
    CHECK(objects_made == 2 && objects_freed == 2);
}

static void what_the_first_look_has_found_stays(void) {
    CHECK(making_look() == 0);
    new_str = NULL;
    CHECK(making_look() == 0);
    CHECK(making_writes());
}

static void look_without_success(void) {
    CHECK(making_look() == 0);
    CHECK(!making_writes() && making.str_from_kind == NULL);
    CHECK(objects_made == objects_freed);
}

// What was missing is there then.
static void look_with_an_exception(bool *missing) {
    *missing = true;
    CHECK(making_look() == -1 && raised);
    CHECK(!making_writes());
    CHECK(objects_made == objects_freed);
    *missing = false;
    objects_made = objects_freed = 0;
    one_that_is_known_is_written_into();
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
    new_str = make_of_another;
    look_without_success();
}

static void one_that_is_in_no_library_is_not(void) {
    in_no_library = (void *)PyUnicode_FromString;
    look_without_success();
}

static void functions_that_are_in_no_library_are_not_called(void) {
    in_no_library = (void *)make_known;
    look_without_success();
}

static void one_that_keeps_text_elsewhere_is_not(void) {
    text_is_off = -(ptrdiff_t)sizeof known_str;
    look_without_success();
}

static void one_that_keeps_text_behind_the_str_is_not(void) {
    text_is_off = 128;
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

static void where_memory_runs_out_for_a_str_it_is_looked_at_again(void) {
    look_with_an_exception(&has_no_memory_for_strs);
}

static void where_memory_runs_out_for_a_list_it_is_looked_at_again(void) {
    look_with_an_exception(&has_no_memory_for_lists);
}

static void where_no_text_is_shown_it_is_looked_at_again(void) {
    look_with_an_exception(&shows_no_text);
}

static const check_case cases[] = {
    CASE(one_that_is_known_is_written_into),
    CASE(what_the_first_look_has_found_stays),
    CASE(the_last_that_is_known_is),
    CASE(a_newer_one_is_not),
    CASE(one_without_a_function_is_not),
    CASE(another_ones_functions_are_not_called),
    CASE(one_that_is_in_no_library_is_not),
    CASE(functions_that_are_in_no_library_are_not_called),
    CASE(one_that_keeps_text_elsewhere_is_not),
    CASE(one_that_keeps_text_behind_the_str_is_not),
    CASE(one_that_keeps_items_elsewhere_is_not),
    CASE(the_environment_may_do_without),
    CASE(a_nought_and_nothing_do_not),
    CASE(where_memory_runs_out_for_a_str_it_is_looked_at_again),
    CASE(where_memory_runs_out_for_a_list_it_is_looked_at_again),
    CASE(where_no_text_is_shown_it_is_looked_at_again),
};

CHECK_MAIN(cases)
