"""How channels, event loops, processes and the garbage collector come and go around each other."""

import asyncio
import contextlib
import gc
import os
import selectors
import subprocess
import sys
import textwrap
import threading
import time
import warnings
import weakref

import hostile
import pytest
from scripted_server import ScriptedServer, brought, held, opened, status
from waiting import until, until_collected

from gaechannel import aio
from gaechannel.errors import ChannelError


async def anext_of(iterator):
    return await anext(iterator)


# ---- Event loops ----


def test_who_was_stopped_reads_what_has_come_before_it_calls_the_server_silent(server):
    """As Ctrl-Z, or a paused container: what the loop waits in is interrupted, and tells of no socket."""

    class Stopped(selectors.DefaultSelector):
        seconds = 0.0

        def select(self, timeout=None):
            if not self.seconds or timeout is None or timeout < 0.5:  # not yet in the wait for the server
                return super().select(timeout)
            sessions[0].send("late")
            time.sleep(self.seconds)
            self.seconds = 0.0
            return []

    async def main():
        async with aio.BrowserChannel(server.url + "/channel", timeout=2.0) as channel:
            await channel.connect()
            sessions[0].send("first")
            assert await channel.recv(10) == "first"
            selector.seconds = 2.3
            assert await channel.recv(10) == "late"
            return channel.stats.reconnects

    sessions = []
    server.browserchannel.on_session = sessions.append
    selector = Stopped()
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selector)) as runner:
        assert runner.run(main()) == 0


def test_a_channel_may_be_used_by_one_event_loop_after_the_other(run, server, name, client_of):
    client = client_of(name)

    async def receive(text):
        server.send_message(name, text)
        return await anext(client.messages())

    for number in range(3):
        assert run(receive(str(number))) == str(number)
    run(client.close())
    assert client.stats.sessions == 1


def test_a_channel_of_a_closed_event_loop_can_send_and_be_closed_in_another(run, server, until):
    received = []
    server.browserchannel.on_session = lambda session: setattr(session, "on_message", received.append)
    channel = aio.BrowserChannel(server.url + "/channel")
    run(channel.connect())

    async def send():
        await channel.send_json("a")
        await channel.flush(10)

    run(send())
    assert received == ["a"]
    sessions = len(server.browserchannel)
    run(channel.close())
    assert len(server.browserchannel) == sessions - 1


def test_a_channel_cannot_be_used_by_two_event_loops_at_once(run, server, name, client_of, until):
    async def main():
        async with client_of(name) as client:
            waiting = asyncio.create_task(anext_of(client.messages()))
            await until(lambda: server.service.is_connected(name))

            async def elsewhere():
                for use in (lambda: anext_of(client.messages()), client.initialize, client.close):
                    with pytest.raises(RuntimeError, match="another event loop"):
                        await use()

            await asyncio.to_thread(asyncio.run, elsewhere())
            server.send_message(name, "a")
            assert await waiting == "a"

    run(main())


def test_it_needs_a_running_event_loop(name, client_of):
    waiting = client_of(name).messages().__anext__()
    with pytest.raises(RuntimeError, match="no running event loop"):
        waiting.send(None) if hasattr(waiting, "send") else next(waiting)


def test_event_loops_in_threads_have_channels_of_their_own(server, client_of):
    def work(number, results):
        async def main():
            async with client_of(f"thread {number}") as client:
                server.send_message(f"thread {number}", str(number))
                return await anext(client.messages())

        results.append(asyncio.run(main()))

    results = []
    threads = [threading.Thread(target=work, args=(number, results)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(results) == [str(number) for number in range(8)]


def test_the_last_channel_that_closes_takes_the_loops_handle_with_it(
    run, server, client_of, descriptors, until
):
    async def main():
        await until(lambda: gc.collect() >= 0 and not aio._loops)  # of other tests
        before = descriptors()
        clients = [client_of(f"last {number}") for number in range(3)]
        for number, client in enumerate(clients):
            server.send_message(f"last {number}", "a")
            assert await anext(client.messages()) == "a"
        assert len(aio._loops) == 1
        for client in clients:
            await client.close()
        del client, clients
        # Not once: while the server's thread collects, this collects nothing.
        await until(lambda: gc.collect() >= 0 and not aio._loops)
        await until(lambda: descriptors() <= before)  # the server's ends

    run(main())


def test_channels_of_one_event_loop_share_one_handle(run, server, client_of):
    gc.collect()

    async def main():
        async with client_of("one") as one, client_of("other") as other:
            await one.initialize()
            await other.initialize()
            assert len(aio._loops) == 1

    run(main())


# ---- Forgotten channels ----


def test_a_forgotten_channel_is_warned_of_and_leaves_nothing(run, server, client_of, descriptors):
    def forget(coroutine):
        run(coroutine)
        gc.collect()

    async def main(name):
        client = client_of(name)
        server.send_message(name, "a")
        await anext(client.messages())

    before = descriptors()
    for number in range(5):
        with pytest.warns(ResourceWarning, match="unclosed channel <gaechannel.aio.Client"):
            forget(main(f"forgotten {number}"))
    # The server notices by and by.
    for _ in range(1000):
        if descriptors() <= before:
            break
        threading.Event().wait(0.01)
    assert descriptors() <= before


def test_an_event_loop_that_ends_with_open_channels_leaks_nothing(run, server, client_of, descriptors):
    kept = []

    def forget(coroutine):
        run(coroutine)
        until_collected(*kept)

    async def main():
        for number in range(5):
            client = client_of(f"open {number}")
            kept.append(weakref.ref(client))
            asyncio.create_task(anext_of(client.messages()))  # noqa: RUF006 - on purpose
        await asyncio.sleep(0.05)

    with pytest.warns(ResourceWarning):
        forget(main())
    assert len(kept) == 5
    until(lambda: gc.collect() >= 0 and not aio._loops)


def test_a_channel_that_was_never_used_needs_no_close(name, client_of):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        client_of(name)
        gc.collect()


def test_a_task_that_waits_is_not_taken_by_the_garbage_collector(run, server, name, client_of, until):
    got = []

    async def listen():
        async with client_of(name) as client:
            async for message in client:
                got.append(message)
                if message == "stop":
                    return

    async def main():
        asyncio.create_task(listen())  # noqa: RUF006 - nobody refers to it, on purpose
        await until(lambda: server.service.is_connected(name))
        gc.collect()
        for text in ("a", "b", "stop"):
            server.send_message(name, text)
            await until(lambda expected=text: expected in got)
            gc.collect()

    run(main())
    assert got == ["a", "b", "stop"]


def test_half_used_iterators_and_cycles_are_collected(run, server, name, client_of):
    class Cyclic(aio.Client):
        pass

    async def main():
        client = client_of(name, Cyclic)
        client.me = client
        client.iterator = client.messages()
        server.send_message(name, "a")
        assert await anext(client.iterator) == "a"
        task = asyncio.create_task(anext_of(client.iterator))
        await asyncio.sleep(0.01)
        client.task = task
        task.cancel()
        await asyncio.wait([task])
        await client.close()
        return weakref.ref(client)

    until_collected(run(main()))


def test_a_channel_may_be_collected_in_another_thread(run, server, name, client_of, descriptors):
    async def main():
        for number in range(5):
            client = client_of(f"{name} {number}")
            server.send_message(f"{name} {number}", "a")
            await anext(client.messages())
            client.me = client
            going = weakref.ref(client)
            del client
            await asyncio.to_thread(until_collected, going)
        await asyncio.sleep(0)

    gc.collect()
    gc.disable()
    try:
        with pytest.warns(ResourceWarning):
            run(main())
    finally:
        gc.enable()


def test_what_comes_for_a_channel_that_is_going_in_another_thread_is_nobodys(run, server, name, client_of):
    going, goes = threading.Event(), threading.Event()

    class Slow:
        """Takes its time to go."""

        def __del__(self):
            going.set()
            assert goes.wait(20)

    class Careless(aio.Client):
        def __del__(self):
            """Tells no class above it."""

    held, made, drop = [], threading.Event(), threading.Event()

    def make_and_drop():
        # Without the GIL an object goes in the thread that made it.
        held.append(client_of(name, Careless))
        held[0].slow = Slow()
        made.set()
        assert drop.wait(20)
        held.clear()

    async def main():
        dropping = threading.Thread(target=make_and_drop)
        dropping.start()
        assert await asyncio.to_thread(made.wait, 20)
        client, other = held[0], client_of(f"{name} other")
        for _ in range(3):
            for one, to in ((client, name), (other, f"{name} other")):
                server.send_message(to, "a")
                assert await anext(one.messages()) == "a"
        del client, one
        drop.set()
        assert await asyncio.to_thread(going.wait, 20)
        # This wakes the event loop, which finds that the channel has news.
        server.send_message(name, "b")
        for _ in range(20):
            server.send_message(f"{name} other", "c")
            assert await anext(other.messages()) == "c"
        goes.set()
        await asyncio.to_thread(dropping.join, 20)
        await other.close()

    run(main())


class MeddlingLoop(asyncio.SelectorEventLoop):
    """Makes futures of a class of one's own, after it has done what it was told to."""

    future = asyncio.Future
    before = staticmethod(lambda: None)

    def create_future(self):
        self.before()
        return self.future(loop=self)


@pytest.fixture
def meddling():
    """An event loop, and what runs a coroutine in it."""
    with asyncio.Runner(loop_factory=MeddlingLoop) as runner:
        yield runner.get_loop(), lambda coroutine: runner.run(asyncio.wait_for(coroutine, 30))


@pytest.mark.parametrize("iterate", [aio.Client.messages, lambda client: aio.merge([client])])
def test_who_begins_to_wait_while_others_are_woken_waits_on(
    meddling, server, name, client_of, iterate, until
):
    loop, run = meddling

    async def main():
        async with client_of(name) as client:

            def wake_all():
                del loop.before
                client._drop_unsent()  # by which all who wait look again
                begun.append(asyncio.current_task())

            async def begin_while_all_are_woken(messages):
                loop.before = wake_all
                return await anext(messages)

            begun = []
            messages = iterate(client)
            first = asyncio.create_task(anext_of(messages))
            await until(lambda: server.service.is_connected(name))
            second = asyncio.create_task(begin_while_all_are_woken(messages))
            await until(lambda: second in begun)
            for text in "ab":
                server.send_message(name, text)
            got = [one if isinstance(one, str) else one[1] for one in await asyncio.gather(first, second)]
            assert sorted(got) == ["a", "b"]

    run(main())


def test_a_merge_may_go_while_those_who_wait_for_it_are_woken(meddling, server, name, client_of, until):
    loop, run = meddling
    held = []

    class Refusing(asyncio.Future):
        def set_result(self, result):
            held.clear()
            raise RuntimeError("refused")

    async def main():
        client = client_of(name)
        told = []
        loop.set_exception_handler(lambda _loop, context: told.append(context.get("exception")))
        loop.future = Refusing
        held.append(anext(aio.merge([client])))
        assert next(held[0]) is not None  # which waits, by nobody's await
        del loop.future
        await until(lambda: server.service.is_connected(name))
        server.send_message(name, "a")
        await until(lambda: told)
        assert (str(told[0]), held) == ("refused", [])
        assert await anext(client.messages()) == "a"
        await client.close()

    run(main())


# ---- Processes ----


def test_a_forked_child_must_make_its_own_channel(run, server, name, client_of, until):
    async def main():
        async with client_of(name) as client:
            waiting = asyncio.create_task(anext_of(client.messages()))
            await until(lambda: server.service.is_connected(name))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside threads
                child = os.fork()
            if child == 0:
                try:
                    await anext(client.messages())
                except ChannelError:
                    os._exit(7)
                finally:
                    os._exit(1)
            _, status = await asyncio.to_thread(os.waitpid, child, 0)
            assert os.waitstatus_to_exitcode(status) == 7
            server.send_message(name, "a")
            assert await waiting == "a"

    run(main())


# Where C code forks, none of Python's hooks run; nor do they in other interpreters than the one that forks.
# A process of its own, without another thread: such a child may run Python code only where none has asked for
# the GIL.
FORKED_BY_C = """
import asyncio, ctypes, os, sys
from gaechannel import ChannelError, aio

async def main(token, base_url):
    async with aio.Client(token, base_url=base_url) as client:
        assert await anext(client.messages()) == "a"
        child = ctypes.PyDLL(None).fork()
        if child == 0:
            try:
                await anext(client.messages())
            except ChannelError:
                os._exit(7)
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert await anext(client.messages()) == "b"

asyncio.run(main(*sys.argv[1:]))
"""


def test_a_child_that_c_code_has_forked_must_make_its_own_channel(server, name):
    token = server.create_channel(name)
    command = [sys.executable, "-c", FORKED_BY_C, token, server.base_url]
    for message in "ab":
        server.send_message(name, message)
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def python(script, *options, **environment):
    return subprocess.run(
        [sys.executable, *options, "-c", textwrap.dedent(script)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


USE = """
import asyncio
import contextlib
import logging
from gaechannel import aio
from gaechannel.server import LocalServer

# How long a step has taken is the machine's.
logging.getLogger("asyncio").addFilter(lambda record: not record.getMessage().startswith("Executing "))

async def main(server, name):
    async with aio.Client(server.create_channel(name), base_url=server.base_url) as client:
        server.send_message(name, "hi")
        async for message in client:
            assert message == "hi"
            break
        try:
            await asyncio.wait_for(client.messages().__anext__(), 0.01)
        except TimeoutError:
            pass
    async with aio.BrowserChannel(server.url + "/channel") as channel:
        await channel.send_json(1)
        await channel.flush(10)

with LocalServer() as server:
    for name in "abc":
        asyncio.run(main(server, name))
print("done")
"""


@pytest.mark.parametrize("environment", [{}, {"PYTHONASYNCIODEBUG": "1"}], ids=["plain", "debug"])
def test_no_warnings_in_development_mode(environment):
    done = python(USE, "-X", "dev", "-W", "error", **environment)
    assert (done.stdout, done.stderr, done.returncode) == ("done\n", "", 0)


def test_ctrl_c_ends_asyncio_run():
    done = python(
        """
        import asyncio, os, signal
        from gaechannel import aio
        from gaechannel.server import LocalServer

        async def main(server):
            async with aio.Client(server.create_channel("me"), base_url=server.base_url) as client:
                server.send_message("me", "hi")
                async for message in client:
                    os.kill(os.getpid(), signal.SIGINT)

        with LocalServer() as server:
            try:
                asyncio.run(main(server))
            except KeyboardInterrupt:
                print("interrupted")
        """,
        "-X",
        "dev",
        "-W",
        "error",
    )
    # asyncio's debug mode says, too, what took long: on a busy machine that may be anything.
    said = [line for line in done.stderr.splitlines() if not line.startswith("Executing ")]
    assert (done.stdout, said, done.returncode) == ("interrupted\n", [], 0)


def test_an_interpreter_that_ends_with_open_channels_ends_in_order():
    done = python(
        """
        import asyncio
        from gaechannel import aio
        from gaechannel.server import LocalServer

        server = LocalServer().start()
        client = aio.Client(server.create_channel("me"), base_url=server.base_url)

        async def main():
            server.send_message("me", "hi")
            print(await anext(client.messages()))

        asyncio.run(main())
        server.stop()
        """,
        "-W",
        "ignore",
    )
    assert (done.stdout, done.stderr, done.returncode) == ("hi\n", "", 0)


def ours():
    """How many there are, but for futures of event loops at work in other threads, which come and go."""
    gc.collect()
    kinds = (aio._Channel, aio._EventLoop, asyncio.AbstractEventLoop)
    objects = gc.get_objects()
    futures = [one for one in objects if isinstance(one, asyncio.Future)]
    return sum(isinstance(one, kinds) for one in objects) + sum(one.get_loop().is_closed() for one in futures)


def test_many_event_loops_leave_nothing_behind(run):
    with hostile.TalkServer(back=hostile.streams(hostile.messages(1, "a"))) as server:

        async def main():
            async with aio.Client("token", base_url=server.base_url) as client:
                assert await anext(client.messages()) == "a"

        for count in range(50):
            run(main())
            if count == 10:
                before = ours()
        until(lambda: ours() <= before)  # the server, in its thread, may have more to end yet


class PoorLoop(asyncio.SelectorEventLoop):
    """Has no memory whenever a channel's timer is set for the first, the third, the fifth time."""

    asked = 0
    is_poor = True

    def check(self, callback):
        if getattr(callback, "__name__", "") == "_on_timer":
            self.asked += 1
            if self.is_poor and self.asked % 2:
                raise MemoryError

    def call_soon(self, callback, *args, **options):
        self.check(callback)
        return super().call_soon(callback, *args, **options)

    def call_later(self, delay, callback, *args, **options):
        self.check(callback)
        return super().call_later(delay, callback, *args, **options)


def test_a_timer_that_could_not_be_set_is_set_all_the_same():
    async def main():
        told = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context))
        with ScriptedServer() as script:
            script.on("open", opened())
            script.on("back", brought([1, "a"]), status("500 No"), held([2, "b"]))
            async with aio.BrowserChannel(script.url, max_backoff=0.05) as channel:
                got = []
                while len(got) < 2:
                    with contextlib.suppress(MemoryError):
                        got.append(await channel.recv(20))
                asyncio.get_running_loop().is_poor = False
        assert got == ["a", "b"]
        assert all(isinstance(context["exception"], MemoryError) for context in told)

    with asyncio.Runner(loop_factory=PoorLoop) as runner:
        runner.run(main())
