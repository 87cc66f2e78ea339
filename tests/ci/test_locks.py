"""What the guard of the locks' order (.ci/locks.py) says of what threads were seen to wait for."""

import importlib.util
from pathlib import Path

import pytest

GUARD = Path(__file__).resolve().parents[2] / ".ci/locks.py"


@pytest.fixture(scope="module")
def guard():
    spec = importlib.util.spec_from_file_location("locks", GUARD)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def noted(waits, tries=()):
    return {
        "waits": {pair: {"f() in f.c"} for pair in waits},
        "tries": {pair: {"g() in g.c"} for pair in tries},
    }


def test_waits_one_way_are_in_order(guard):
    assert list(guard.faults_of(noted([("a", "b"), ("b", "c"), ("a", "c")]))) == []


def test_what_is_only_tried_makes_no_circle(guard):
    assert list(guard.faults_of(noted([("a", "b")], [("b", "a"), ("a", "a")]))) == []


def test_a_circle_of_waits_is_told_with_the_places(guard):
    (fault,) = guard.faults_of(noted([("a", "b"), ("b", "c"), ("c", "a")]))
    assert "threads can wait for each other" in fault
    for step in ["holds a waits for b", "holds b waits for c", "holds c waits for a", "f() in f.c"]:
        assert step in fault


def test_two_locks_of_one_kind_are_a_circle(guard):
    (fault,) = guard.faults_of(noted([("a", "a")]))
    assert fault == "a is waited for while another is held: f() in f.c"


def test_the_manuals_drawing_has_no_circle_and_the_locks_that_the_code_has(guard):
    lines = (GUARD.parents[1] / guard.DRAWING).read_text().splitlines()
    kinds = {guard.GIL, guard.LOOP, *guard.CPYTHONS.values()}
    assert {kind for kind in kinds if any(kind in line for line in lines)} == kinds
