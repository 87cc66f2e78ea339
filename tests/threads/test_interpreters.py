"""Several interpreters in one process, each with a GIL of its own, where CPython has them (from 3.13 on)."""

import asyncio
import importlib
import itertools
import sys
import threading

import pytest

from gaechannel import Client, Decoder, aio
from gaechannel.server import LocalServer

COUNT = 500
TEXTS = [str(number) for number in range(COUNT)]


def find_module():
    for name in ("concurrent.interpreters", "_interpreters"):
        try:
            return importlib.import_module(name)
        except ImportError:
            pass
    return None


interpreters = find_module()
if interpreters is None:
    pytest.skip("this CPython has no module to make interpreters with", allow_module_level=True)
pytestmark = pytest.mark.timeout(60)


class Interpreter:
    """One more interpreter, by the public module (3.14) or by what was there before it."""

    def __init__(self):
        self._made = interpreters.create()

    def run(self, code):
        """Run the code; what it raises is raised here."""
        if hasattr(self._made, "exec"):
            self._made.exec(code)
        elif (failure := interpreters.exec(self._made, code)) is not None:
            raise RuntimeError(failure.errdisplay)

    def close(self):
        if hasattr(self._made, "close"):
            self._made.close()
        else:
            interpreters.destroy(self._made)


@pytest.fixture
def interpreter():
    made = []

    def make():
        made.append(Interpreter())
        made[-1].run(f"import sys; sys.path[:] = {sys.path!r}")
        return made[-1]

    yield make
    for one in made:
        one.close()


def together(*works):
    """Run them all at once, each in a thread."""
    errors = []

    def run(work):
        try:
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


BODY = b'26\n[[1,["c",{"a":[1.5,""]}]]]'
ARRAYS = [(1, ["c", {"a": [1.5, ""]}])]


def decode():
    decoder = Decoder()
    for _ in range(COUNT):
        assert decoder.feed(BODY[:7]) == []
        assert decoder.feed(BODY[7:]) == ARRAYS
    decoder.eof()


DECODE = f"""
from gaechannel import Decoder, TalkMessageCorrupted
decoder = Decoder()
for _ in range({COUNT}):
    assert decoder.feed({BODY[:7]!r}) == []
    assert decoder.feed({BODY[7:]!r}) == {ARRAYS!r}
decoder.eof()
try:
    Decoder().feed(b"no length\\n")
except TalkMessageCorrupted:
    pass
else:
    raise AssertionError
"""

RECEIVE = """
from itertools import islice
from gaechannel import Client
def main():
    with Client({token!r}, base_url={url!r}) as client:
        assert list(islice(client, {count})) == {texts!r}
main()
# One that is left half read.
left = Client({token!r}, base_url={url!r})
left.initialize()
"""

RECEIVE_ASYNCHRONOUSLY = """
import asyncio
from gaechannel import aio
async def main():
    async with aio.Client({token!r}, base_url={url!r}) as client:
        texts = []
        async for text in client:
            texts.append(text)
            if len(texts) == {count}:
                break
    assert texts == {texts!r}
asyncio.run(main())
"""


def test_decoders_at_once(interpreter):
    one, other = interpreter(), interpreter()
    together(decode, lambda: one.run(DECODE), lambda: other.run(DECODE))
    one.run(DECODE)


def test_each_has_classes_of_its_own(interpreter):
    one = interpreter()
    one.run(f"import gaechannel; assert id(gaechannel.Decoder) != {id(Decoder)}")
    one.run("import gaechannel; assert gaechannel._core.Channel.__module__ == 'gaechannel._core'")


def test_clients_at_once(interpreter):
    with LocalServer(backchannel_seconds=0.1, hold=COUNT) as server:

        def told(name):
            token = server.create_channel(name)
            for text in TEXTS:
                server.send_message(name, text)
            return token

        def code(source, name):
            return source.format(token=told(name), url=server.base_url, count=COUNT, texts=TEXTS)

        def receive():
            with Client(told("main"), base_url=server.base_url) as client:
                assert list(itertools.islice(client, COUNT)) == TEXTS

        async def receive_asynchronously():
            async with aio.Client(told("aio"), base_url=server.base_url) as client:
                assert [text async for text in take(client)] == TEXTS

        async def take(client):
            got = 0
            async for text in client:
                yield text
                got += 1
                if got == COUNT:
                    return

        one, other = interpreter(), interpreter()
        one_code, other_code = code(RECEIVE, "one"), code(RECEIVE_ASYNCHRONOUSLY, "other")
        together(
            receive,
            lambda: asyncio.run(receive_asynchronously()),
            lambda: one.run(one_code),
            lambda: other.run(other_code),
        )


def test_they_come_and_go(interpreter):
    for _ in range(5):
        one = Interpreter()
        one.run(f"import sys; sys.path[:] = {sys.path!r}")
        one.run("from gaechannel import Client, Decoder; Client('token', base_url='http://127.0.0.1:9')")
        one.close()
    decode()
