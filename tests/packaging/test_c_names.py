"""What the C core asks Python's objects for by name, and how it raises classes of its own."""

import re

from c_programs import CSRC


def test_methods_are_asked_for_by_names_that_are_made_once():
    """By a C string, each call makes a str, which CPython's cache of methods keeps: csrc/py/names.h."""
    # What is asked for once, while the module is loaded, may be asked for so.
    files = [file for file in CSRC.glob("py/**/*.c") if file.name != "module.c"]
    assert files
    assert not [str(file) for file in files if "PyObject_CallMethod(" in file.read_text("utf-8")]


def test_classes_of_our_own_are_raised_with_their_words_or_not_at_all():
    """CPython 3.11 calls a class without them where memory for them runs out: csrc/py/exceptions.h."""
    said = [
        (file.name, found)
        for file in CSRC.glob("py/**/*.c")
        for found in re.findall(r"PyErr_(?:SetString|Format)\(\s*([^,]*),", file.read_text("utf-8"))
    ]
    assert said
    assert [one for one in said if not one[1].startswith("PyExc_")] == []
