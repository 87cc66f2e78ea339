"""Client's names: those of the 2011 module, and what came later."""

import collections.abc
import inspect
import json
import logging
import sys
import time
from urllib.parse import parse_qs, urlsplit

import pytest
from hostile import CLID, GSESSIONID, TalkServer, frame, message, messages, ok, opening, page, reply, streams

import gaechannel
from gaechannel import ChannelClosed, ChannelError, Client, HTTPStatusError, TransportError, random_string

pytestmark = pytest.mark.timeout(30)


# ---- Attributes ----


def test_a_new_client_has_the_old_attributes(client_of):
    client = client_of("http://127.0.0.1:1/talkgadget/", token="abcd")
    assert client.token == "abcd"
    assert client.base_url == "http://127.0.0.1:1/talkgadget"
    assert client.sid is None
    assert client.gsessionid is None
    assert client.clid is None
    assert client.logger is logging.getLogger("Channel")
    assert client.auto_reconnect is True
    assert client.max_reconnects is None
    assert client.backoff_ == 0.02
    assert client._request_id == 1
    assert client._msg_id == 0
    assert client._trial == 1
    assert client.is_initialized() is False
    assert client.closed is False
    assert Client("abcd").backoff_ == 1


def test_the_attributes_follow_what_happens(client_of, take):
    with TalkServer(back=[ok(messages(1, "a")), streams(messages(2, "b"))]) as server:
        client = client_of(server)
        take(client, 2)
        assert client.sid == "SID1"
        assert client.gsessionid == GSESSIONID
        assert client.clid == CLID
        assert client._msg_id == 2
        assert client._request_id == 3
        assert client._trial == 1
        assert client.is_initialized() is True


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("token", "another"),
        ("base_url", "http://127.0.0.1:2"),
        ("sid", "SID9"),
        ("gsessionid", "gs9"),
        ("clid", "CLID9"),
        ("auto_reconnect", False),
        ("max_reconnects", 7),
        ("max_reconnects", None),
        ("max_reconnects_trials", 3),
        ("_request_id", 41),
        ("_msg_id", 17),
        ("_trial", 4),
        ("logger", logging.getLogger("mine")),
    ],
)
def test_attributes_can_be_set(client_of, name, value):
    client = client_of("http://127.0.0.1:1")
    setattr(client, name, value)
    assert getattr(client, name) == value
    if name not in ("token", "base_url", "max_reconnects", "max_reconnects_trials"):
        with pytest.raises(AttributeError):
            delattr(client, name)


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("token", 7, TypeError),
        ("base_url", "file:///etc", ValueError),
        ("sid", b"bytes", TypeError),
        ("_msg_id", "x", TypeError),
        ("_request_id", 2**70, OverflowError),
        ("backoff_", "x", TypeError),
        ("max_reconnects", "x", TypeError),
    ],
)
def test_what_makes_no_sense_is_refused(client_of, name, value, error):
    client = client_of("http://127.0.0.1:1")
    with pytest.raises(error):
        setattr(client, name, value)


@pytest.mark.parametrize("value", [2**31, 2**40, 2**62])
def test_a_large_number_of_reconnects_is_a_large_number(client_of, value):
    client = client_of("http://127.0.0.1:1")
    client.max_reconnects = value
    assert client.max_reconnects >= 2**31 - 1


def test_backoff_grows_with_failures_and_can_be_set(client_of):
    client = client_of("http://127.0.0.1:1", max_backoff=8)
    for value in (1, 2, 4, 8):
        client.backoff_ = value
        assert client.backoff_ == value
    client.backoff_ = 100
    assert client.backoff_ == 8
    client.backoff_ = 0
    assert client.backoff_ == 1


def test_requests_obey_what_was_set(client_of, take):
    with TalkServer(back=streams(messages(8, "old") + messages(9, "a"))) as server:
        client = client_of(server)
        client._connect()
        client._request_id = 41
        client._msg_id = 8
        client._trial = 5
        client.clid = "C1L2I3D4"
        client.gsessionid = "gs-2"
        assert take(client, 1) == ["a"]
        query = server.requests[-1].query
        assert (query["AID"], query["t"], query["gsessionid"]) == ("8", "5", "gs-2")
        client._connect()
        assert server.of("connect")[-1].query["RID"] == "41"


def test_base_url_can_be_changed_before_connecting(client_of, take):
    with TalkServer(back=streams(messages(1, "a"))) as server:
        client = client_of("http://127.0.0.1:1/nobody")
        client.base_url = server.base_url + "/"
        assert take(client, 1) == ["a"]


# ---- Constructor ----


@pytest.mark.parametrize(
    ("arguments", "options", "error"),
    [
        ((), {}, TypeError),
        ((None,), {}, TypeError),
        ((b"\xff",), {}, ValueError),
        (("",), {}, ValueError),
        (("token",), {"base_url": "ftp://x"}, ValueError),
        (("token",), {"base_url": "http://"}, ValueError),
        (("token",), {"base_url": "http://x y"}, ValueError),
        (("token",), {"base_url": "http://x/#fragment"}, ValueError),
        (("token",), {"base_url": "http://x:99999"}, ValueError),
        (("token",), {"base_url": "http://x\n"}, ValueError),
        (("token",), {"timeout": 0}, ValueError),
        (("token",), {"timeout": -1}, ValueError),
        (("token",), {"timeout": float("nan")}, ValueError),
        (("token",), {"timeout": float("inf")}, ValueError),
        (("token",), {"connect_timeout": 0}, ValueError),
        (("token",), {"max_backoff": 0}, ValueError),
        (("token",), {"max_chunk_size": 0}, ValueError),
        (("token",), {"queue_limit": 0}, ValueError),
        (("token",), {"max_reconnects": -1}, ValueError),
        (("token",), {"headers": {"Bad Name": "x"}}, ValueError),
        (("token",), {"headers": {"X": "a\r\nY: b"}}, ValueError),
        (("token",), {"headers": [("", "x")]}, ValueError),
        (("token",), {"no_such_option": 1}, TypeError),
        (("token",), {"timeout": "soon"}, TypeError),
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments, options, error):
    with pytest.raises(error):
        Client(*arguments, **options)


@pytest.mark.parametrize("module", [gaechannel, gaechannel.aio])
@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("foo", "'foo'"),
        ("http://host:99999/x", "'http://host:99999/x'"),
        ("http://me:s3cret@host/#f", "'http://…@host/#…'"),
        ("http://me:s3/c?ret@a@host/ x", "'http://…@host/ x'"),
        ("me:s3cret@host", "'…@host'"),
        ("http://host/?token=s3cret", "'http://host/?…'"),
        ("http://ho st/channel-s3cret-s3cret-s3cret", "'http://ho st/…'"),
        ("http://host\n", r"'http://host\n'"),
    ],
)
def test_a_url_that_is_none_is_named_and_shown_without_secrets(module, url, shown, monkeypatch):
    def words(make):
        with pytest.raises(ValueError, match="must be http") as caught:
            make()
        assert "s3cret" not in str(caught.value)
        return str(caught.value)

    client = module.Client("token", base_url="http://host")
    wanted = (
        "must be http://… or https://… with a host and a sound port, without spaces, query or fragment,"
        f" not {shown}"
    )
    assert words(lambda: module.Client("token", base_url=url)) == f"base_url {wanted}"
    assert words(lambda: setattr(client, "base_url", url)) == f"base_url {wanted}"
    assert words(lambda: module.DevClient("token", url)) == f"url {wanted}"
    monkeypatch.setenv("GAECHANNEL_BASE_URL", url)
    assert words(lambda: module.Client("token")) == f"the environment's GAECHANNEL_BASE_URL {wanted}"
    hint = "; a two-way channel's query stands in params=" if "?" in url else ""
    for two_way in (module.BrowserChannel, module.WebChannel):
        assert words(lambda two_way=two_way: two_way(url)) == f"url {wanted}{hint}"


def test_the_old_arguments_are_positional():
    logger = logging.getLogger("mine")
    assert list(inspect.signature(Client).parameters)[:2] == ["token", "logger"]
    assert Client("token", logger).logger is logger
    assert Client(token="token", logger=None).logger is logging.getLogger("Channel")


def test_init_twice_and_never_do_no_harm():
    client = Client("token")
    with pytest.raises(RuntimeError, match="twice"):
        Client.__init__(client, "token")
    empty = Client.__new__(Client)
    for use in (
        empty.messages,
        empty.initialize,
        lambda: empty.sid,
        lambda: setattr(empty, "sid", "x"),
        lambda: empty.stats,
    ):
        with pytest.raises(RuntimeError, match="__init__"):
            use()
    empty.close()


def test_random_string_is_ascii_letters():
    text = random_string(500)
    assert len(text) == 500
    assert text.isascii()
    assert text.isalpha()
    assert random_string(20) != random_string(20)
    assert random_string(0) == ""
    assert random_string(len=3).isalpha()


# ---- Step by step ----


def test_the_steps_can_be_taken_one_by_one(client_of, take):
    with TalkServer(back=streams(messages(1, "a"))) as server:
        client = client_of(server)
        client.initialize()
        assert server.steps() == ["page"]
        assert (client.clid, client.gsessionid, client.sid) == (CLID, GSESSIONID, None)
        client._fetch_sid()
        assert server.steps() == ["page", "opening"]
        assert client.sid == "SID1"
        client._connect()
        assert server.steps() == ["page", "opening", "connect"]
        assert take(client.long_poll_messages(), 1) == ["a"]
        assert server.steps() == ["page", "opening", "connect", "back"]


def test_each_step_is_done_anew_when_asked_again(client_of):
    with TalkServer(opening=[ok(opening("SID1")), ok(opening("SID2"))]) as server:
        client = client_of(server)
        for method in (
            client.initialize,
            client.initialize,
            client._fetch_sid,
            client._fetch_sid,
            client._connect,
            client._connect,
        ):
            method()
        assert server.steps() == ["page", "page", "opening", "opening", "connect", "connect"]
        assert client.sid == "SID2"
        assert [r.query["RID"] for r in server.requests[2:]] == ["1", "2", "3", "4"]


def test_the_steps_may_be_taken_again_while_iterating(client_of):
    def numbered(request, peer):
        peer.start()
        peer.send(messages(int(request.query["AID"]) + 1, "x"))
        peer.until_gone()

    with TalkServer(opening=[ok(opening(f"SID{n}")) for n in range(1, 9)], back=numbered) as server:
        client = client_of(server)
        iterator = client.messages()
        started = time.monotonic()
        assert next(iterator) == "x"
        for method, steps in [
            (client._connect, ["connect", "back"]),
            (client._fetch_sid, ["opening", "connect", "back"]),
            (client.initialize, ["page", "opening", "connect", "back"]),
        ]:
            before = len(server.requests)
            method()
            assert next(iterator) == "x"
            assert server.steps()[before:] == steps
        assert time.monotonic() - started < 5


@pytest.mark.parametrize("name", ["sid", "clid"])
def test_ids_that_are_taken_away_while_iterating_are_got_again(client_of, name):
    with TalkServer(
        opening=[ok(opening("SID1")), ok(opening("SID2"))],
        back=[streams(messages(1, "a")), streams(messages(1, "b"))],
    ) as server:
        client = client_of(server)
        iterator = client.messages()
        assert next(iterator) == "a"
        setattr(client, name, None)
        client._msg_id = 0
        if name == "clid":
            client.sid = None
        assert next(iterator) == "b"
        assert server.steps()[4:] == ([] if name == "sid" else ["page"]) + ["opening", "connect", "back"]


def test_long_poll_messages_ends_with_its_back_channel(client_of):
    with TalkServer(back=[ok(messages(1, "a", "b")), ok(messages(3, "c")), ok(b"")]) as server:
        client = client_of(server)
        assert list(client.long_poll_messages()) == ["a", "b"]
        assert list(client.long_poll_messages()) == ["c"]
        assert list(client.long_poll_messages()) == []
        assert server.steps() == ["page", "opening", "connect", "back", "back", "back"]
        assert [r.query["AID"] for r in server.of("back")] == ["0", "2", "3"]


def test_long_poll_messages_raises_what_messages_would_mend(client_of):
    with TalkServer(
        back=[reply(b"", "503 Busy"), reply(b"", "400 Unknown SID"), ok(messages(1, "a"))]
    ) as server:
        client = client_of(server)
        for words in ("503 Busy", "Unknown SID"):
            with pytest.raises(HTTPStatusError, match=words):
                next(client.long_poll_messages())
        assert list(client.long_poll_messages()) == ["a"]
        assert len(server.of("opening")) == 2


def test_parse_init_response_takes_the_ids_from_a_page(client_of):
    client = client_of("http://127.0.0.1:1")
    for text in (page().decode(), page()):
        client.clid = None
        client._parse_init_response(text)
        assert (client.clid, client.gsessionid) == (CLID, GSESSIONID)
        assert client.is_initialized()
    with pytest.raises(ChannelError, match="WcsDataClient"):
        client._parse_init_response("<html></html>")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (["c", [CLID, ["ae", "text"]]], "text"),
        (("c", (CLID, ("ae", "text"))), "text"),
        (["c", ["OTHER", ["ae", "text"]]], None),
        (["c", [CLID, ["xx", "text"]]], None),
        (["d", [CLID, ["ae", "text"]]], None),
        (["noop"], None),
        (["c", [CLID, ["ae"]]], None),
        (None, None),
        (7, None),
    ],
)
def test_parse_channel_message_gives_the_text_that_is_ours(client_of, body, text):
    client = client_of("http://127.0.0.1:1")
    client.clid = CLID
    assert client._parse_channel_message(body) == text


def test_get_init_url_is_what_would_be_asked(client_of):
    client = client_of("http://127.0.0.1:1/talkgadget", token="a b/ü")
    url = urlsplit(client._get_init_url())
    query = parse_qs(url.query)
    assert url.geturl().startswith("http://127.0.0.1:1/talkgadget/d?")
    assert query["token"] == ["a b/ü"]
    xpc = json.loads(query["xpc"][0])
    assert len(xpc.pop("cn")) == 10
    blank = "http://127.0.0.1:1/talkgadget/xpc_blank"
    assert xpc == {"tp": "null", "ppu": blank, "lpu": blank}


def test_get_bind_url_takes_parameters(client_of):
    client = client_of("http://127.0.0.1:1/talkgadget", token="a b/ü")
    client.clid, client.gsessionid = "C é", "G&"
    url = urlsplit(client._get_bind_url(RID="rpc", CI=0, zx="mine", extra="x&y"))
    query = {key: value for key, (value,) in parse_qs(url.query).items()}
    assert url.path == "/talkgadget/dch/bind"
    assert query.pop("t") == "1"
    assert query == {
        "VER": "8", "token": "a b/ü", "gsessionid": "G&", "clid": "C é", "prop": "data",
        "RID": "rpc", "CI": "0", "zx": "mine", "extra": "x&y",
    }  # fmt: skip
    client.sid = "SID1"
    assert "SID=SID1" in client._get_bind_url()


# ---- Overrides ----


class Overriding(Client):
    """As code of 2011 did to add parameters, or to go through a gateway."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.calls = []

    def _get_bind_url(self, **kwargs):
        self.calls.append(kwargs)
        return super()._get_bind_url(gateway="yes", **kwargs)

    def _get_init_url(self):
        self.calls.append("init")
        return super()._get_init_url() + "&gateway=yes"


def test_a_subclass_that_makes_the_urls_is_obeyed(client_of, take):
    with TalkServer(back=[ok(messages(1, "a")), streams(messages(2, "b"))]) as server:
        client = client_of(server, cls=Overriding)
        assert take(client, 2) == ["a", "b"]
        assert all(request.query["gateway"] == "yes" for request in server.requests)
        assert client.calls == [
            "init",
            {"RID": 1, "CVER": 1},
            {"RID": 2, "AID": 0, "CVER": 1},
            {"CI": 0, "AID": 0, "TYPE": "xmlhttp", "RID": "rpc"},
            {"CI": 0, "AID": 1, "TYPE": "xmlhttp", "RID": "rpc"},
        ]
        # What super() made is what would have been asked.
        assert server.requests[2].query["SID"] == "SID1"
        assert server.requests[2].query["AID"] == "0"


def test_an_instances_own_methods_are_obeyed(client_of, take):
    with TalkServer(back=streams(messages(1, "a"))) as server:
        client = client_of(server)
        original = client._get_bind_url
        client._get_bind_url = lambda **kwargs: original(**kwargs) + "&mine=1"
        assert take(client, 1) == ["a"]
        assert ["mine" in request.query for request in server.requests] == [False, True, True, True]
        del client._get_bind_url
        client._connect()
        assert "mine" not in server.requests[-1].query


@pytest.mark.parametrize("name", ["_get_init_url", "_get_bind_url"])
@pytest.mark.parametrize(
    ("url", "error"),
    [
        (None, TypeError),
        (b"http://127.0.0.1/", TypeError),
        ("", ValueError),
        ("file:///etc/passwd", TransportError),
        ("gopher://127.0.0.1/", TransportError),
        ("not a url", TransportError),
        ("http://127.0.0.1:1/\r\nX: y", TransportError),
        (ZeroDivisionError("mine"), ZeroDivisionError),
    ],
)
def test_an_override_that_makes_no_url_raises_and_may_do_better_next_time(client_of, name, url, error):
    with TalkServer(back=streams(messages(1, "a"))) as server:
        client = client_of(server)
        original = getattr(client, name)
        answers = [url]

        def override(**kwargs):
            if not answers:
                return original(**kwargs)
            answer = answers.pop()
            if isinstance(answer, Exception):
                raise answer
            return answer

        setattr(client, name, override)
        with pytest.raises(error):
            next(client.messages())
        assert next(client.messages()) == "a"
        assert server.of("page")


def test_a_subclass_may_add_attributes_and_have_a_weak_reference(client_of):
    import weakref

    client = client_of("http://127.0.0.1:1", cls=Overriding)
    assert weakref.ref(client)() is client
    assert client.__dict__ == {"calls": []}


# ---- Iterating, closing ----


def test_messages_is_an_iterator_and_a_client_iterable(client_of):
    with TalkServer(back=streams(messages(1, "a", "b", "c"))) as server:
        client = client_of(server)
        iterator = client.messages()
        assert isinstance(iterator, collections.abc.Iterator)
        assert iter(iterator) is iterator
        assert next(iterator) == "a"
        assert next(iter(client)) == "b"
        assert next(client.messages()) == "c"
        assert server.steps() == ["page", "opening", "connect", "back"]


def test_an_iterator_that_is_closed_ends_and_the_channel_goes_on(client_of):
    with TalkServer(back=streams(messages(1, "a", "b"))) as server:
        client = client_of(server)
        iterator = client.messages()
        assert next(iterator) == "a"
        iterator.close()
        assert list(iterator) == []
        assert next(client.messages()) == "b"


def test_nothing_is_asked_before_the_first_message_is_wanted(client_of):
    with TalkServer() as server:
        client = client_of(server)
        client.messages()
        iter(client)
        client.long_poll_messages()
        assert server.requests == []


def test_a_client_that_was_closed_cannot_be_used(client_of):
    with TalkServer(back=streams(messages(1, "a"))) as server:
        with client_of(server) as client:
            iterator = client.messages()
            assert next(iterator) == "a"
            assert not client.closed
        assert client.closed
        assert list(iterator) == []
        for use in (
            client.messages,
            client.long_poll_messages,
            client.__iter__,
            client.initialize,
            client._fetch_sid,
            client._connect,
        ):
            with pytest.raises(ChannelClosed):
                use()
        client.close()
        # What is known stays known.
        assert client.sid == "SID1"
        assert client.stats.messages == 1
        assert "closed" in repr(client)


def test_repr_names_the_server_and_the_state(client_of, take):
    with TalkServer(back=streams(messages(1, "a"))) as server:
        client = client_of(server, cls=Overriding)
        assert repr(client) == f"<Overriding of {server.base_url}, new>"
        take(client, 1)
        assert repr(client) == f"<Overriding of {server.base_url}, open>"


def test_stats_count_what_happens(client_of, take):
    body = messages(1, "a", "é") + frame('[[3,["noop"]]]')
    with TalkServer(back=[ok(body), streams(messages(4, "b"))]) as server:
        client = client_of(server)
        assert client.stats == (0, 0, 0, 0, 0, 0, None)
        before = time.time()
        take(client, 3)
        stats = client.stats
        assert stats.messages == 3
        assert stats.arrays == 5
        assert stats.chunks == 5
        assert stats.reconnects == 1
        assert stats.sessions == 1
        assert stats.bytes == len(page() + opening() + frame("[1,2,23]") + body + messages(4, "b"))
        assert before - 0.1 <= stats.last_message_time <= time.time() + 0.1


# ---- The log ----


def test_the_log_says_what_the_old_one_said_at_the_old_levels(client_of, take, log):
    with TalkServer(
        back=[ok(messages(1, "a%s")), ok(b"oops\n"), reply(b"", "503 Busy"), streams(messages(2, "b"))]
    ) as server:
        take(client_of(server), 2)
    assert {record.name for record in log.records} == {"Channel"}
    debug, warnings = log.at(10), log.at(30)
    for words in (
        "initializing",
        "Fetching sid",
        "connecting",
        "Starting long poll",
        "clid: ",
        "gsessionid: ",
        "sid: ",
    ):
        assert any(text.startswith(words) for text in debug), words
    assert "channel msg: 'a%s'" in debug
    assert any(text.startswith("TalkMessageCorrupted") for text in warnings)
    assert any("503 Busy" in text for text in warnings)
    assert sum(text.startswith("reconnecting in") for text in warnings) == 2


def test_a_quiet_logger_is_told_nothing_in_detail(client_of, take, log):
    logging.getLogger("Channel").setLevel(logging.WARNING)
    with TalkServer(back=streams(messages(1, "a"))) as server:
        take(client_of(server), 1)
    assert log.records == []


class Odd:
    """A logger that has only what the old module used."""

    def __init__(self):
        self.said = []

    def debug(self, text, *args):
        self.said.append(text % args)

    info = warning = error = debug


def test_a_logger_of_ones_own_is_told_all(client_of, take):
    logger = Odd()
    with TalkServer(back=[ok(b"oops\n"), streams(messages(1, "a"))]) as server:
        take(client_of(server, logger=logger), 1)
    assert any("oops" not in text and "TalkMessageCorrupted" in text for text in logger.said)
    assert "channel msg: 'a'" in logger.said


def test_what_a_logger_raises_comes_out_and_loses_no_message(client_of):
    class Failing(Odd):
        def debug(self, text, *args):
            if "Starting long poll" in text % args:
                raise ZeroDivisionError
            super().debug(text, *args)

    with TalkServer(back=[ok(messages(1, "a")), streams(messages(2, "b"))]) as server:
        iterator = client_of(server, logger=Failing()).messages()
        got = []
        for _ in range(10):
            try:
                got.append(next(iterator))
            except ZeroDivisionError:
                continue
            if len(got) == 2:
                break
        assert got == ["a", "b"]


# ---- The package ----


def test_the_package_names_what_it_offers():
    assert sorted(gaechannel.__all__) == sorted(set(gaechannel.__all__))
    for name in gaechannel.__all__:
        assert hasattr(gaechannel, name), name
    assert issubclass(gaechannel.ChannelTimeout, TimeoutError)
    assert issubclass(gaechannel.TransportError, IOError)
    assert issubclass(gaechannel.ParseError, ValueError)
    assert "aiohttp" not in sys.modules or "gaechannel.server" in sys.modules


def test_a_message_with_a_lone_surrogate_is_kept_as_json_keeps_it(client_of, take):
    body = frame(f'[[1,["c",["{CLID}",["ae","a\\ud83d b"]]]]]') + frame(f"[{message(2, 'next')}]")
    with TalkServer(back=streams(body)) as server:
        assert take(client_of(server), 2) == ["a\ud83d b", "next"]
