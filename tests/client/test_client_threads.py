"""Threads, signals, forks, garbage: whatever else happens in the process while a channel waits."""

import contextlib
import gc
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from pathlib import Path

import pytest
from hostile import TalkServer, chunk, hang, message, messages, ok, silence, streams
from waiting import until, until_collected

import gaechannel
from gaechannel import ChannelError, Client

pytestmark = pytest.mark.timeout(60)

HERE = Path(__file__).parent
# Times are those of a machine that has other things to do as well: bench/ measures. A sanitizer or a tracer
# makes all of it longer still.
SLOW = 10 if os.environ.get("GAECHANNEL_SANITIZE") == "1" or sys.gettrace() is not None else 1


def in_thread(function, *args):
    """Run it in a thread; returns the thread and a list that gets its result, or what it raised."""
    result = []

    def run():
        try:
            result.append(function(*args))
        except BaseException as error:
            result.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, result


def waiting(server):
    """Wait until the back channel was asked for."""
    until(lambda: server.of("back"))


# ---- The interpreter's lock ----


def test_another_thread_runs_while_a_channel_waits(client_of):
    with TalkServer() as server:
        client = client_of(server)
        thread, _ = in_thread(next, client.messages())
        waiting(server)  # in Python, which needs the lock
        assert thread.is_alive()
        client.close()
        thread.join()


# ---- close() ----


@pytest.mark.parametrize("step", ["page", "opening", "connect", "back"])
def test_close_from_another_thread_ends_a_waiting_next(client_of, step):
    with TalkServer(**{step: hang}) as server:
        client = client_of(server)
        thread, result = in_thread(list, client.messages())
        until(lambda: server.of(step))
        started = time.monotonic()
        client.close()
        thread.join(20)
        assert time.monotonic() - started < 5
        assert result == [[]]
        assert client.closed


def test_close_while_waiting_for_the_backoff_ends_a_waiting_next(client_of):
    with TalkServer(back=[ok(messages(1, "a")), b"nonsense\r\n\r\n"]) as server:
        client = client_of(server, max_backoff=60)
        thread, result = in_thread(list, client.messages())
        until(lambda: len(server.of("back")) > 1)
        time.sleep(0.05)
        started = time.monotonic()
        client.close()
        thread.join(20)
        assert time.monotonic() - started < 5
        assert result == [["a"]]


def test_close_while_a_token_is_asked_for(client_of):
    asked, go = threading.Event(), threading.Event()

    def ask():
        asked.set()
        go.wait(20)
        return "token"

    with TalkServer() as server:
        client = client_of(server, token=ask)
        thread, result = in_thread(list, client.messages())
        asked.wait(20)
        client.close()
        go.set()
        thread.join(20)
        assert result == [[]]
        assert server.requests == []


def test_close_by_many_threads_at_once(client_of):
    with TalkServer() as server:
        client = client_of(server)
        readers = [in_thread(list, client.messages()) for _ in range(4)]
        waiting(server)
        closers = [in_thread(client.close) for _ in range(8)]
        for thread, result in closers:
            thread.join(20)
            assert result == [None]
        for thread, result in readers:
            thread.join(20)
            assert result == [[]]


def test_close_by_the_one_who_reads(client_of):
    with TalkServer(back=streams(messages(1, "a", "b", "c"))) as server:
        client = client_of(server)
        got = []
        for text in client.messages():
            got.append(text)
            if text == "b":
                client.close()
        assert got == ["a", "b"]


def test_close_gives_the_connection_back(client_of):
    gone = threading.Event()

    def back(_request, peer):
        peer.start()
        peer.until_gone()
        gone.set()

    with TalkServer(back=back) as server:
        client = client_of(server)
        thread, _ = in_thread(list, client.messages())
        waiting(server)
        client.close()
        assert gone.wait(20)
        thread.join(20)


# ---- Two readers ----


def test_two_threads_share_the_messages_of_one_iterator(client_of):
    count = 20_000
    bodies = [ok(messages(n, *map(str, range(n, n + 500)))) for n in range(1, count, 500)]
    with TalkServer(back=[*bodies, silence]) as server:
        client = client_of(server)
        iterator = client.messages()
        got = [[] for _ in range(4)]

        def read(into):
            for text in iterator:
                into.append(int(text))

        threads = [in_thread(read, into)[0] for into in got]
        until(lambda: sum(map(len, got)) >= count)
        client.close()
        for thread in threads:
            thread.join(20)
        assert sorted(number for into in got for number in into) == list(range(1, count + 1))
        assert all(into == sorted(into) for into in got)


def test_iterators_of_one_client_share_its_messages(client_of):
    with TalkServer(back=streams(messages(1, *map(str, range(200))))) as server:
        client = client_of(server)
        one, other = client.messages(), iter(client)
        got = [text for _ in range(100) for text in (next(one), next(other))]
        assert got == [str(number) for number in range(200)]
        assert len(server.of("back")) == 1


def test_who_initializes_in_another_thread_does_not_end_an_iteration(client_of):
    ends = threading.Event()

    def first(_request, peer):
        peer.start()
        peer.send(chunk(message(1, "a")))
        peer.wait(ends)
        peer.close()

    with TalkServer(back=[first, streams(chunk(message(1, "b")))]) as server:
        client = client_of(server)
        iterator = client.messages()
        assert next(iterator) == "a"
        reader, got = in_thread(next, iterator)
        initializer, failed = in_thread(client.initialize)
        # What was reached is forgotten; or more has come since.
        until(lambda: client.aid == 0 or len(server.of("page")) == 2)
        ends.set()
        for thread in (initializer, reader):
            thread.join(20)
        assert failed == [None]
        assert got == ["b"]
        assert len(server.of("page")) == 2
        client.close()


def test_attributes_can_be_read_while_another_thread_waits(client_of):
    with TalkServer() as server:
        client = client_of(server)
        thread, _ = in_thread(list, client.messages())
        waiting(server)
        started = time.monotonic()
        for _ in range(100):
            assert client.sid == "SID1"
            assert client.stats.sessions == 1
            assert "open" in repr(client)
        assert time.monotonic() - started < 10
        client.close()
        thread.join(20)


# ---- Signals ----


def child(code, *arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=HERE, **options,
    )  # fmt: skip


INTERRUPTED = """
import sys, time
from gaechannel import Client
client = Client("token", base_url=sys.argv[1], timeout=20)
iterator = client.messages()
print("ready", flush=True)
try:
    print(next(iterator), flush=True)
except KeyboardInterrupt:
    print("interrupted", time.monotonic(), flush=True)
print(next(iterator), flush=True)
client.close()
"""


@pytest.mark.parametrize("step", ["page", "back"])
def test_ctrl_c_interrupts_at_once_and_the_iterator_goes_on(step):
    go = threading.Event()

    def late(_request, peer):
        peer.wait(go)
        if step == "page":
            from hostile import page

            peer.send(ok(page()))
        else:
            peer.start()
            peer.send(messages(1, "after all"))
            peer.until_gone()

    back = late if step == "back" else streams(messages(1, "after all"))
    with TalkServer(**{"back": back, step: late}) as server, child(INTERRUPTED, server.base_url) as process:
        until(lambda: server.of(step))
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "ready\n"
        words = process.stdout.readline().split()
        assert words[0] == "interrupted", process.stderr.read()
        assert float(words[1]) - started < 5
        go.set()
        assert process.stdout.readline() == "after all\n"
        assert process.wait(30) == 0
        # Nothing was asked twice.
        assert len(server.of(step)) == 1


def test_close_in_a_signal_handler_ends_a_waiting_next(client_of):
    with TalkServer() as server:
        client = client_of(server)
        old = signal.signal(signal.SIGUSR1, lambda *_: client.close())
        try:
            threading.Thread(target=lambda: (waiting(server), os.kill(os.getpid(), signal.SIGUSR1))).start()
            assert list(client.messages()) == []
        finally:
            signal.signal(signal.SIGUSR1, old)
        assert client.closed


def test_a_signal_handler_that_raises_leaves_the_iterator_usable(client_of):
    class Alarm(Exception):
        pass

    def ring(*_):
        raise Alarm

    def kill():
        os.kill(os.getpid(), signal.SIGUSR1)

    go = threading.Event()

    def back(_request, peer):
        peer.start()
        peer.wait(go)
        peer.send(messages(1, "a"))
        peer.until_gone()

    with TalkServer(back=back) as server:
        iterator = client_of(server).messages()
        old = signal.signal(signal.SIGUSR1, ring)
        try:
            for _ in range(3):
                ready = threading.Event()
                thread, _ = in_thread(
                    lambda ready=ready: (ready.wait(), waiting(server), time.sleep(0.02), kill())
                )
                with pytest.raises(Alarm):  # noqa: PT012 - not before it is expected
                    ready.set()
                    next(iterator)
                thread.join()
        finally:
            signal.signal(signal.SIGUSR1, old)
        go.set()
        assert next(iterator) == "a"
        assert len(server.of("back")) == 1


# ---- fork ----


def test_a_forked_child_cannot_use_the_channel_and_the_parent_goes_on(client_of):
    go = threading.Event()

    def back(_request, peer):
        peer.start()
        peer.send(messages(1, "a"))
        peer.wait(go)
        peer.send(messages(2, "b"))
        peer.until_gone()

    with TalkServer(back=back) as server:
        client = client_of(server)
        iterator = client.messages()
        assert next(iterator) == "a"
        reading, writing = os.pipe()
        process = os.fork()
        if process == 0:
            said = []
            for use in (lambda: next(iterator), client.messages, lambda: client.sid, client.initialize):
                try:
                    use()
                    said.append("nothing")
                except ChannelError as error:
                    said.append(str(error))
                except BaseException as error:
                    said.append(repr(error))
            client.close()
            os.write(writing, "\n".join(said).encode())
            del iterator, use
            client = None
            gc.collect()
            # A new one can be made and used here.
            with Client("token", base_url=server.base_url) as fresh:
                os.write(writing, b"\n" + next(fresh.messages()).encode())
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            said = pipe.read().split("\n")
        assert os.waitpid(process, 0)[1] == 0
        assert len(said) == 5
        assert all("forked" in words for words in said[:4]), said
        assert said[4] == "a"
        go.set()
        assert next(iterator) == "b"
        assert len(list(server.of("back"))) == 2


def test_a_child_forked_while_another_thread_waits_ends_well(client_of):
    with TalkServer() as server:
        client = client_of(server)
        thread, _ = in_thread(list, client.messages())
        waiting(server)
        process = os.fork()
        if process == 0:
            with contextlib.suppress(ChannelError):
                client.messages()
            client.close()
            client = None
            gc.collect()
            os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 7
        assert thread.is_alive()
        client.close()
        thread.join(20)


# ---- Garbage ----


@pytest.mark.parametrize("taken", [0, 1, 3])
def test_a_half_read_iterator_is_collected_with_its_client(taken):
    gone = threading.Event()

    def back(_request, peer):
        peer.start()
        peer.send(messages(1, "a", "b", "c"))
        peer.until_gone()
        gone.set()

    with TalkServer(back=back) as server:
        client = Client("token", base_url=server.base_url)
        iterator = client.messages()
        for _ in range(taken):
            next(iterator)
        reference = weakref.ref(client)
        del client
        assert reference() is not None
        del iterator
        assert reference() is None
        assert not taken or gone.wait(20)


class Holding(Client):
    pass


def test_cycles_are_collected():
    with TalkServer(back=streams(messages(1, "a"))) as server:
        references = []
        for kind in ("iterator", "token", "logger", "method"):

            class Owner:
                def token(self):
                    return "token"

                def debug(self, *args):
                    pass

                info = warning = error = debug

            owner = Owner()
            client = Holding(
                owner.token if kind == "token" else "token",
                owner if kind == "logger" else None,
                base_url=server.base_url,
            )
            owner.client = client
            iterator = client.messages()
            assert next(iterator) == "a"
            if kind == "iterator":
                client.iterator = iterator
            if kind == "method":
                client._get_bind_url = client._get_init_url
            references.append(weakref.ref(client))
            del owner, client, iterator
        until_collected(*references)


def test_the_last_reference_may_go_in_a_thread_or_in_a_message_handler():
    with TalkServer(back=streams(messages(1, "a", "b"))) as server:
        box = [Client("token", base_url=server.base_url).messages()]
        assert next(box[0]) == "a"
        thread, result = in_thread(box.clear)
        thread.join(20)
        assert result == [None]
        for text in Client("token", base_url=server.base_url).messages():
            assert text == "a"
            break


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no /proc")
def test_clients_leak_neither_descriptors_nor_memory():
    with TalkServer(back=streams(messages(1, *["x" * 1000] * 50))) as server:

        def use(count):
            for number in range(count):
                client = Client("token", base_url=server.base_url)
                iterator = client.messages()
                for _ in range(number % 60 % 51):
                    next(iterator)
                if number % 2:
                    client.close()

        use(60)
        until(lambda: len(server.sockets) == 0)
        before = descriptors(), resident()
        use(200)
        until(lambda: len(server.sockets) == 0)
        assert descriptors() <= before[0]
        # AddressSanitizer keeps what is freed; and looks for leaks by itself.
        assert SLOW > 1 or resident() - before[1] < 4 * 2**20


def test_a_client_that_is_interrupted_in_the_middle_of_everything_is_collected():
    for step in ("page", "opening", "connect", "back"):
        with TalkServer(**{step: hang}) as server:
            client = Client("token", base_url=server.base_url)
            thread, _ = in_thread(list, client.messages())
            until(lambda server=server, step=step: server.of(step))
            client.close()
            thread.join(20)
            del thread, _
            reference = weakref.ref(client)
            del client
            until_collected(reference)


# ---- Interpreters ----


def run_script(code, *arguments):
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=50,
        cwd=HERE,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    # What counts lines in processes of their own does not start in a sub-interpreter, and says so.
    assert result.stderr == "" or "coverage" in result.stderr
    return result.stdout


def test_the_module_loads_in_a_sub_interpreter_again_and_again():
    code = """
try:
    import _xxsubinterpreters as interpreters
except ImportError:
    try:
        import _interpreters as interpreters
    except ImportError:
        raise SystemExit(0)
inner = '''
import gaechannel
assert gaechannel.Decoder().feed(b'9\\\\n[[1,"a"]]') == [(1, "a")]
client = gaechannel.Client("token")
iterator = client.messages()
try:
    gaechannel.talkparser.parse("[1 2]")
except gaechannel.ParseError:
    print("ok")
'''
import gaechannel
for _ in range(3):
    one = interpreters.create()
    problem = interpreters.run_string(one, inner)
    assert problem is None, problem
    interpreters.destroy(one)
assert gaechannel.talkparser.parse("[1]") == [1]
"""
    assert run_script(code) in ("ok\n" * 3, "")


def test_a_process_may_end_with_channels_in_use():
    code = """
import sys, threading
from gaechannel import Client
client = Client("token", base_url=sys.argv[1])
kept = client.messages()
print(next(kept))
other = Client("token", base_url=sys.argv[1]).messages()
print(next(other))
def wait():
    list(other)
threading.Thread(target=wait, daemon=True).start()
"""
    with TalkServer(back=streams(messages(1, "a"))) as server:
        assert run_script(code, server.base_url) == "a\na\n"


def test_importing_starts_no_thread_and_loads_no_server():
    code = """
import sys, threading
import gaechannel
assert threading.active_count() == 1
loaded = [name for name in sys.modules if name.startswith(("aiohttp", "gaechannel.server", "asyncio"))]
assert not loaded, loaded
"""
    run_script(code)


def test_nothing_of_the_module_is_shared_that_could_change():
    assert gaechannel.Client is not gaechannel._core.Channel
    with pytest.raises(TypeError):
        gaechannel._core.Channel.close = None
    with pytest.raises(TypeError):
        gaechannel.Decoder.feed = None
