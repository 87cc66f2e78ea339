"""Client against the local channel server: order, reopening, restarts, nothing lost and nothing doubled."""

import random
import threading

import pytest
from hostile import TalkServer, chunk, cut, message, messages, ok, streams
from waiting import until

from gaechannel import Client, InvalidToken, TokenExpired, TransportError
from gaechannel.server import ChannelService, LocalServer

pytestmark = pytest.mark.timeout(60)

ODD_TEXTS = [
    "",
    "plain",
    "é€😀 \u2028\u2029 \ufeff \U0010ffff",
    "\"quotes\" 'both' \\ back\\\\slashes /",
    "\0\x01\b\f\n\r\t\v\x7f\x80",
    "[[1,2]]\n12\n[]",
    "</script><!--",
    "\\u0041 \\x41 \\",
    '{"json": [1, null, "é"]}',
    "x" * 32_767,
    "😀" * 8_000,
]


@pytest.fixture
def local():
    """A server whose back channels last long."""
    with LocalServer() as server:
        yield server


def test_messages_arrive_in_order_as_they_were_sent(local, client_of, take):
    client = client_of(local, token=local.create_channel("me"))
    for text in ODD_TEXTS:
        local.send_message("me", text)
    assert take(client.messages(), len(ODD_TEXTS)) == ODD_TEXTS


def test_messages_arrive_as_they_are_sent(local, client_of):
    client = client_of(local, token=local.create_channel("me"))
    iterator = client.messages()
    for number in range(200):
        local.send_message("me", str(number))
        assert next(iterator) == str(number)
    assert client.stats.messages == 200
    assert client.stats.sessions == 1


def test_a_client_gets_only_its_own_messages(local, client_of, take):
    one, other = (client_of(local, token=local.create_channel(name)) for name in ("one", "other"))
    for number in range(20):
        local.send_message("one", f"one {number}")
        local.send_message("other", f"other {number}")
    assert take(one, 20) == [f"one {number}" for number in range(20)]
    assert take(other, 20) == [f"other {number}" for number in range(20)]


def feed(server, client, count):
    """Send numbers from another thread, not all of them before nine of the back channels have ended."""
    part = count // 10

    def run():
        for number in range(count):
            server.send_message("me", str(number))
            if number % part == 0:
                until(lambda number=number: client.stats.reconnects >= number // part)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.parametrize("limit", [{"backchannel_seconds": 0.02}, {"backchannel_bytes": 200}])
def test_back_channels_that_end_many_times_a_second_lose_nothing(client_of, take, limit):
    with LocalServer(**limit) as server:
        client = client_of(server, token=server.create_channel("me"))
        client._connect()  # what is sent to nobody is not all kept
        thread = feed(server, client, 2000)
        assert take(client, 2000) == [str(number) for number in range(2000)]
        thread.join()
        assert client.stats.reconnects >= 9
        assert client.stats.sessions == 1
        assert client.stats.messages == 2000


def test_keep_alives_are_no_messages_and_move_aid(client_of):
    with LocalServer(keepalive=0.02) as server:
        client = client_of(server, token=server.create_channel("me"), timeout=2.0)
        server.send_message("me", "first")
        iterator = client.messages()
        assert next(iterator) == "first"
        timer = threading.Timer(3.0, server.send_message, ("me", "later"))
        timer.start()
        assert next(iterator) == "later"
        timer.join()
        assert client.stats.reconnects == 0
        assert client.stats.arrays > 5
        assert client._msg_id == client.stats.arrays - 1


def test_connections_that_are_cut_again_and_again_lose_nothing(local, client_of, take):
    client = client_of(local, token=local.create_channel("me"), max_backoff=0.005)
    stopping = threading.Event()

    def cut_often():
        chance = random.Random(1)
        while not stopping.wait(chance.random() * 0.02):
            local.cut()

    iterator = client.messages()
    local.send_message("me", "begin")
    assert next(iterator) == "begin"
    threads = [feed(local, client, 2000), threading.Thread(target=cut_often)]
    threads[1].start()
    try:
        assert take(iterator, 2000) == [str(number) for number in range(2000)]
    finally:
        stopping.set()
        for thread in threads:
            thread.join()
    assert client.stats.sessions == 1
    assert client.stats.reconnects >= 9


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_server_that_comes_back_with_its_sessions_loses_nothing(client_of, take, how):
    server = LocalServer()
    with server:
        client = client_of(server, token=server.create_channel("me"), max_backoff=0.05)
        iterator = client.messages()
        server.send_message("me", "before")
        assert next(iterator) == "before"
        getattr(server, how)()
        for number in range(5):
            server.send_message("me", f"meanwhile {number}")
        timer = threading.Timer(0.3, server.start)
        timer.start()
        assert take(iterator, 5) == [f"meanwhile {number}" for number in range(5)]
        timer.join()
        assert client.stats.sessions == 1


def test_a_server_that_comes_back_without_its_sessions_is_opened_anew(client_of, log):
    server = LocalServer()
    with server:
        client = client_of(server, token=server.create_channel("me"), max_backoff=0.05)
        iterator = client.messages()
        server.send_message("me", "before")
        assert next(iterator) == "before"
        old = client.sid
        server.kill(keep_sessions=False)
        server.start()
        timer = threading.Timer(
            0, lambda: (until(lambda: server.service.is_connected("me")), server.send_message("me", "after"))
        )
        timer.start()
        assert next(iterator) == "after"
        timer.join()
        assert client.stats.sessions == 2
        assert client.sid != old
    assert any("lost" in text for text in log.at(30))


def test_a_server_that_stays_away_is_given_up_after_max_reconnects(client_of):
    with LocalServer() as server:
        client = client_of(server, token=server.create_channel("me"), max_reconnects=3)
        iterator = client.messages()
        server.send_message("me", "before")
        assert next(iterator) == "before"
        server.kill()
        with pytest.raises(TransportError):
            next(iterator)


def test_a_forged_token_is_invalid_and_an_old_one_expired(client_of):
    now = [1000.0]
    with LocalServer(ChannelService(clock=lambda: now[0])) as server:
        token = server.create_channel("me", duration_minutes=1)
        with pytest.raises(InvalidToken):
            next(client_of(server, token=token[:-3] + "xyz").messages())
        now[0] += 61
        with pytest.raises(TokenExpired):
            next(client_of(server, token=token).messages())


def test_a_token_that_expires_while_listening_is_renewed(client_of):
    now = [1000.0]
    with LocalServer(ChannelService(clock=lambda: now[0], backchannel_seconds=0.05)) as server:
        asked = []
        server.create_channel("me")

        def ask():
            asked.append(server.create_channel("me", duration_minutes=1))
            return asked[-1]

        client = client_of(server, token=ask)
        iterator = client.messages()
        server.send_message("me", "one")
        assert next(iterator) == "one"
        now[0] += 61
        # What is sent before the new session listens goes to the old one.
        stopping = threading.Event()

        def send():
            while not stopping.wait(0.01):
                server.send_message("me", "two")

        thread = threading.Thread(target=send)
        thread.start()
        until(lambda: next(iterator) == "two" and len(asked) == 2)
        stopping.set()
        thread.join()
        assert client.token == asked[1]


def test_the_environment_says_where_the_server_is(local, monkeypatch):
    monkeypatch.setenv("GAECHANNEL_BASE_URL", local.base_url + "/")
    with Client(local.create_channel("me")) as client:
        assert client.base_url == local.base_url
        local.send_message("me", "hello")
        assert next(iter(client)) == "hello"


# ---- What was received is not received again ----


def test_arrays_that_come_again_are_dropped(client_of, take):
    with TalkServer(
        back=[
            ok(messages(1, "a", "b", "c")),
            # As if the last AID had not reached the server.
            ok(messages(1, "a", "b", "c", "d")),
            ok(chunk(message(3, "c"), message(4, "d"), message(5, "e")) + messages(5, "e")),
            streams(messages(4, "d"), messages(6, "f")),
        ]
    ) as server:
        client = client_of(server)
        assert take(client, 6) == ["a", "b", "c", "d", "e", "f"]
        assert [request.query["AID"] for request in server.of("back")] == ["0", "3", "4", "5"]
        assert client.stats.messages == 6
        assert client.stats.arrays == 7


def test_ids_may_have_gaps_but_never_go_back(client_of, take):
    with TalkServer(
        back=streams(messages(5, "a") + messages(100, "b") + messages(50, "old") + messages(101, "c"))
    ) as server:
        assert take(client_of(server), 3) == ["a", "b", "c"]


def test_aid_is_0_and_not_1_before_anything_came(client_of, take):
    with TalkServer(back=[cut, streams(messages(1, "a"))]) as server:
        assert take(client_of(server), 1) == ["a"]
        assert [request.query.get("AID") for request in server.requests[1:]] == [
            None,
            *["0"] * len(server.requests[2:]),
        ]


def test_what_a_cut_chunk_held_was_not_received(client_of, take):
    body = messages(2, "b")
    with TalkServer(back=[ok(messages(1, "a") + body[:-1]), streams(messages(2, "b", "c"))]) as server:
        assert take(client_of(server), 3) == ["a", "b", "c"]
        assert [request.query["AID"] for request in server.of("back")] == ["0", "1"]
