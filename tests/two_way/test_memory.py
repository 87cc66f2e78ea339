"""Memory that runs out while something is received or sent: it is said, and nothing else is lost."""

import os
import shutil
import subprocess
import sys

import pytest
from scripted_server import frame, held, opened

from gaechannel import _core

pytest.importorskip("_testcapi", reason="this CPython has no _testcapi, which makes allocations fail")

TRIES = """
import _testcapi

class Failing:
    '''One allocation within fails, the one behind so many others; whether that was raised.'''

    def __init__(self, others):
        self.others = others

    def __enter__(self):
        _testcapi.set_nomemory(self.others, self.others + 1)

    # Without a tuple of the arguments, for which memory might run out.
    def __exit__(self, kind, value, traceback):
        _testcapi.remove_mem_hooks()
        self.failed = kind is MemoryError
        return self.failed

class Tries:
    '''Each allocation in turn, until none has failed for a while; how many have.'''

    failed = 0

    def __iter__(self):
        for others in range(3000):
            failing = Failing(others)
            yield failing
            self.failed += failing.failed
            if not failing.failed and others > self.failed + 20:
                return
        raise SystemExit("never done")
"""

SCRIPT = """
import json, sys
from gaechannel import BrowserChannel, ChannelTimeout, Decoder, Framer, merge
from gaechannel.talkparser import parse

def sites(call, keep=lambda value: None):
    '''Call with one allocation after another that fails; how many calls raised.'''
    tries = Tries()
    for failing in tries:
        with failing:
            value = call()
        if not failing.failed:
            keep(value)
    return tries.failed

body = b"28\\n[[1,[1,2]],[2,\\"abc\\"],[3,{}]]7\\n[0,1,7]"
assert len(Framer().feed(body)) == 2

def framed():
    framer = Framer()
    for piece in (body[:9], body[9:]):
        framer.feed(piece)

assert sites(framed) > 2
raw = body[:-9]
assert Decoder(raw=True).feed(raw) == [(1, b"[1,2]"), (2, b'"abc"'), (3, b"{}")]
assert sites(lambda: Decoder(raw=True).feed(raw)) > 2
assert sites(lambda: parse(b'[1,[2],"abc"]')) > 1
assert sites(lambda: parse(bytearray(b'[1,[2],"abc"]'))) > 2

def numbers_of(raw):
    channel = BrowserChannel(sys.argv[1], raw=raw)
    taken = [channel.recv(20)]
    while channel.stats.messages < 1000:
        try:
            taken.append(channel.recv(0))
        except ChannelTimeout:
            pass
    # What a try has taken comes back with it, or the next one gets it.
    assert sites(lambda: channel.recv(20), taken.append) > 0
    batches = channel.batches(3)
    assert sites(lambda: next(batches), taken.extend) > 0
    assert sites(lambda: next(channel.batches(2)), taken.extend) > 0
    messages = channel.messages()
    sites(lambda: next(messages), taken.append)
    merged = merge([channel])
    taken.append(next(merged)[1])
    assert sites(lambda: next(merged), lambda pair: taken.append(pair[1])) > 0
    # Where each try is the first of its message.
    for _ in range(50):
        last = channel._taken_id
        with Failing(0):
            taken.append(channel.recv(20))
            last += 1
        assert channel._taken_id == last
    channel.close()
    if raw:
        taken = [json.loads(one) for one in taken]
    assert all(one["data"] == ["n", one["n"] + 0.5, {f"key {one['n']}": "次"}] for one in taken)
    return [one["n"] for one in taken]

for raw in (True, False):
    numbers = numbers_of(raw)
    assert numbers == list(range(1001, len(numbers) + 1001)), (raw, numbers)

sender = BrowserChannel(sys.argv[1])
sent = []
assert sites(lambda: sender.send({"n": "x", "m": [1]}), sent.append) > 2
found = sender.pending()
assert [number for number, _ in found] == list(range(len(found))), found
# CPython 3.13 crashes where a comprehension's own memory runs out, in whatever Python code.
if sys.version_info < (3, 13):
    assert sites(sender.pending) > 2
assert sender.pending() == found
sites(sender.drop_unsent)
assert sender.unsent == 0
sender.close()
print("done")
"""


def data(number):
    return {"n": number, "data": ["n", number + 0.5, {f"key {number}": "次"}]}


def test_memory_that_runs_out_is_said_and_costs_no_message(script):
    script.on("open", opened())
    script.on("back", held(*([number, data(1000 + number)] for number in range(1, 1001))))
    done = subprocess.run(
        [sys.executable, "-c", TRIES + SCRIPT, script.url],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.stderr == ""
    assert (done.returncode, done.stdout) == (0, "done\n")


ASYNCIO = """
import asyncio, sys
from gaechannel import aio

async def sites(call, keep):
    tries = Tries()
    for failing in tries:
        with failing:
            value = await call()
        if not failing.failed:
            keep(value)
    return tries.failed

async def main():
    channel = aio.BrowserChannel(sys.argv[1])
    messages, batches = channel.messages(), channel.batches(3)
    taken = [await anext(messages)]
    while channel.stats.messages < 1000:
        await asyncio.sleep(0.01)
    assert await sites(lambda: anext(messages), taken.append) > 0
    assert await sites(lambda: anext(batches), taken.extend) > 0
    merged = aio.merge([channel])
    taken.append((await anext(merged))[1])
    assert await sites(lambda: anext(merged), lambda pair: taken.append(pair[1])) > 0
    await channel.close()
    assert all(one["data"] == ["n", one["n"] + 0.5, {f"key {one['n']}": "次"}] for one in taken)
    numbers = [one["n"] for one in taken]
    assert numbers == list(range(1001, len(numbers) + 1001)), numbers
    print("done")

asyncio.run(main())
"""


def test_memory_that_runs_out_in_an_event_loop_is_said_and_costs_no_message(script):
    script.on("open", opened())
    script.on("back", held(*([number, data(1000 + number)] for number in range(1, 1001))))
    command = [sys.executable, "-c", TRIES + ASYNCIO, script.url]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert done.stderr == ""
    assert (done.returncode, done.stdout) == (0, "done\n")


ERRORS = """
import sys, _testcapi
from gaechannel import ChannelTimeout, WebChannel, WebChannelError

channel = WebChannel(sys.argv[1])
assert channel.recv(20) == {"n": 0}
told = {"error": 0, "memory": 0}
start = 0
while True:
    _testcapi.set_nomemory(start, start + 1)
    try:
        value = channel.recv(1)
        raise SystemExit(f"an error came as a message: {value}")
    except MemoryError:
        told["memory"] += 1
        start += 1 # the same message again
    except WebChannelError:
        told["error"] += 1
        start = 0
    except ChannelTimeout:
        break
    finally:
        _testcapi.remove_mem_hooks()
# Some are lost where the interpreter finds no memory for their traceback.
assert told["error"] > 50, told
assert told["memory"] > 300, told
print("done")
"""


@pytest.mark.skipif(
    sys.version_info >= (3, 12),
    reason="CPython 3.12 and 3.13 crash where a generator's own memory runs out, in whatever Python code",
)
def test_errors_stay_errors_where_memory_runs_out_while_they_are_read(script):
    error = {"code": 5, "message": "there is none"}
    forms = [[{"error": error}], [{"__sm__": {"status": [[{"error": error}]]}}], [{"__status__": 404}]]
    script.on("open", opened())
    script.on("back", held([1, [{"n": 0}]], *([2 + number, forms[number % 3]] for number in range(300))))
    done = subprocess.run(
        [sys.executable, "-c", ERRORS, script.url], capture_output=True, text=True, check=False, timeout=100
    )
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


# They drop whatever exception comes while they look: want of memory is taken for "there is none".
FORGETFUL = {
    "PyDict_GetItem",
    "PyDict_GetItemString",
    "PyMapping_HasKey",
    "PyMapping_HasKeyString",
    "PyObject_HasAttr",
    "PyObject_HasAttrString",
}


def test_the_module_calls_nothing_that_drops_exceptions():
    if shutil.which("nm") is None:
        pytest.skip("nm is not installed")
    ask = ["nm", "-D", "--undefined-only", _core.__file__]
    symbols = set(subprocess.run(ask, capture_output=True, text=True, check=True).stdout.split())
    assert "PyDict_GetItemWithError" in symbols
    assert not symbols & FORGETFUL


GONE = """
import asyncio, gc, sys
from gaechannel import ChannelClosed, aio

async def main():
    merged = aio.merge([aio.WebChannel(sys.argv[1], queue_limit=4000)])
    _, message = await anext(merged)
    assert message == {"first": 1}
    del _
    # Nothing but the iterator has it. Taking the rest lets the network go on, which brings the end.
    try:
        await anext(merged)
    except ChannelClosed:
        pass
    gc.collect()
    await anext(merged, None)
    print("done")

asyncio.run(main())
"""


def test_a_channel_that_ends_while_it_is_taken_from_leaves_a_merge_altogether(script):
    def back(request):
        # What only tells of a head is no message. The end comes while the back channel is paused.
        heads = ([number, [{"__headers__": {"long": "x" * 300}}]] for number in range(2, 60))
        request.begin()
        chunks = frame([[1, [{"first": 1}]], *heads]).encode(), frame([[60, ["stop"]]]).encode()
        request.connection.sendall(b"".join(b"%x\r\n%b\r\n" % (len(one), one) for one in chunks))
        request.hold()

    script.on("open", opened())
    script.on("back", back)
    done = subprocess.run(
        [sys.executable, "-c", GONE, script.url],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=os.environ | {"PYTHONMALLOC": "debug"},  # what is gone is overwritten
    )
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
