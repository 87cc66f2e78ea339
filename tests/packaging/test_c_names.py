"""What the C core asks Python's objects for by name."""

from c_programs import CSRC


def test_methods_are_asked_for_by_names_that_are_made_once():
    """By a C string, each call makes a str, which CPython's cache of methods keeps: csrc/py/names.h."""
    # What is asked for once, while the module is loaded, may be asked for so.
    files = [file for file in CSRC.glob("py/**/*.c") if file.name != "module.c"]
    assert files
    assert not [str(file) for file in files if "PyObject_CallMethod(" in file.read_text("utf-8")]
