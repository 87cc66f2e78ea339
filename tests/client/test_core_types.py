"""Every type of the C core: an object is made in every way, and all of it used. Nothing may crash."""

import inspect
import subprocess
import sys

import pytest

import gaechannel
from gaechannel import _core, aio

MODULES = {"_core": _core, "gaechannel": gaechannel, "aio": aio}

# Classes of the C core that have objects, and what gaechannel makes of them.
CORE = tuple(one for one in vars(_core).values() if inspect.isclass(one) and not issubclass(one, Exception))
NAMES = [
    f"{module}.{name}"
    for module, has in MODULES.items()
    for name in sorted({*getattr(has, "__all__", ()), *vars(has)})
    if not name.startswith("__")
    for one in [getattr(has, name)]
    if inspect.isclass(one) and issubclass(one, CORE) and one.__module__.startswith("gaechannel")
]

# What an object of each type is made of, where anything can be made of it by itself.
MADE = {
    "_core.Channel": [
        "_core.Channel(dialect='talk', url='http://127.0.0.1:1', logger=logging.getLogger())",
        "_core.Channel(dialect='talk', url='http://127.0.0.1:1', logger=logging.getLogger(), is_async=True)",
    ],
    "_core.Messages": ["gaechannel.Client('t', base_url=URL)._messages('messages')"],
    "_core.Awaiter": ["aio.Client('t', base_url=URL)._await('message')"],
    "_core.EventLoop": ["_core.EventLoop(None)"],
    "_core.Merge": ["_core.Merge([])", "_core.Merge([gaechannel.Client('t', base_url=URL)])"],
    "_core.AsyncMerge": ["_core.AsyncMerge([])", "_core.AsyncMerge([aio.Client('t', base_url=URL)])"],
}

PROGRAM = """
import asyncio, copy, gc, itertools, logging, operator, pickle, sys, warnings, weakref
import gaechannel
from gaechannel import _core, aio

URL = "http://127.0.0.1:1"
warnings.simplefilter("ignore")
logging.disable()
sys.unraisablehook = lambda told: None
VALUES = [None, True, 0, -1, 10**30, 0.0, "", "message", "ended", "\\ud800", b"", b"[", [], [("a", "b")],
          [("a", 1)], {}, (), object(), ValueError("one"), ValueError, URL]

def attempt(action, *arguments):
    try:
        return action(*arguments)
    except SystemError:
        print("SystemError:", action, arguments, file=sys.stderr)
        sys.exit(3)
    except BaseException as error:
        # A type is told by its name.
        if "<class '" in str(error) and "gaechannel" not in str(error):
            print("words:", action, arguments, error, file=sys.stderr)
            sys.exit(4)

UNARY = [repr, str, bool, len, hash, iter, next, aiter, anext, reversed, operator.index, float, operator.neg,
         sys.getsizeof, gc.get_referents, weakref.ref, copy.copy, copy.deepcopy, pickle.dumps, dir, vars]
BINARY = [operator.eq, operator.lt, operator.add, operator.getitem, operator.delitem, isinstance]

def use(make):
    names = dir(type(made)) if (made := attempt(make)) is not None else []
    del made
    for name in names:
        if name in ("__class__", "__init_subclass__", "__subclasshook__", "__new__"):
            continue
        # Each time anew: what one call leaves behind is not to keep the next from what it does.
        for count in range(3):
            made = attempt(make)
            for values in itertools.islice(itertools.product(VALUES, repeat=count), 60):
                method = attempt(getattr, made, name)
                if callable(method):
                    attempt(method, *values)
                if count == 1:
                    attempt(setattr, made, name, *values)
        attempt(delattr, made, name)
    made = attempt(make)
    for action in UNARY:
        attempt(action, made)
    for action, other in itertools.product(BINARY, VALUES):
        attempt(action, made, other)
    for arguments in [(), (None,), (URL,)]:
        attempt(type(made).__init__, made, *arguments)
    attempt(setattr, made, "me", made)
    del made
    gc.collect()

async def in_event_loop(make):
    use(make)

make = eval("lambda: " + sys.argv[1])
use(make)
asyncio.run(in_event_loop(make))
gc.collect()
print("done")
"""

WAYS = [(name, f"{name}.__new__({name})") for name in NAMES]
WAYS += [(name, code) for name, codes in MADE.items() for code in codes]


def test_a_type_of_the_core_without_an_object_to_be_used_here_is_none():
    made_by_new = {name for name in NAMES if name.startswith("_core.") and "Decoder" in name}
    assert {name for name in NAMES if name.startswith("_core.")} == {*MADE, *made_by_new, "_core.Framer"}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("code", [code for _, code in WAYS])
def test_no_use_of_an_object_crashes(code):
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", PROGRAM, code],
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr[-2000:]
