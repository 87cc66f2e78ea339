"""Arguments that make no sense, and clients where they do not belong."""

import os
import socket
import ssl

import pytest

import gaechannel
from gaechannel import (
    BrowserChannel,
    ChannelTimeout,
    Client,
    TalkDecoder,
    TransportError,
    WebChannel,
    aio,
    merge,
)

URL = "http://127.0.0.1:1/talkgadget"


@pytest.fixture
def silent():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/talkgadget"


@pytest.mark.parametrize("name", ["user_agent", "proxy"])
def test_a_line_end_cannot_smuggle_a_header_in(name):
    with pytest.raises(ValueError, match="line end"):
        Client("token", base_url=URL, **{name: "a\nX-Evil: 1"})
    with pytest.raises(TypeError, match="must be a str"):
        Client("token", base_url=URL, **{name: 5})


NO_PROXIES = [
    "not a url",
    "user:s3cret@ x",
    "ftp://proxy.invalid",
    "socks9://proxy.invalid:3128",
    "http://127.0.0.1:99999",
    "127.0.0.1:99999",
    "http://127.0.0.1:x",
    "http://",
    "http://[::1",
    "http://127.0.0.1:9\x7f",
]
PROXIES = [
    "127.0.0.1:1",
    "http://127.0.0.1:1",
    "HTTP://127.0.0.1:1/",
    "http://user:s3cret@127.0.0.1:1",
    "user:s3cret@127.0.0.1:1",
    "[::1]:1",
    "http://proxy_1.invalid:3128",
    *(f"{scheme}://127.0.0.1:1" for scheme in ("socks4", "socks4a", "socks5", "socks5h", "socks")),
]


@pytest.mark.parametrize("proxy", NO_PROXIES)
def test_what_names_no_proxy_is_refused_at_once(proxy):
    with pytest.raises(ValueError, match="proxy must be the URL of a proxy, such as") as raised:
        Client("token", base_url=URL, proxy=proxy)
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize("proxy", NO_PROXIES)
@pytest.mark.parametrize("name", ["http_proxy", "ALL_PROXY"])
def test_a_variable_that_names_no_proxy_is_named(monkeypatch, proxy, name):
    monkeypatch.setenv(name, proxy)
    client = Client("token", base_url="http://talk.invalid/x")
    with pytest.raises(TransportError) as raised:
        next(client.messages())
    words = f"the environment's {name} is not the URL of a proxy, such as http://HOST:PORT"
    assert str(raised.value).startswith(words)
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize("proxy", PROXIES)
def test_what_libcurl_takes_for_a_proxy_is_taken(monkeypatch, proxy):
    def why(**options):
        with pytest.raises(TransportError) as raised:
            next(Client("token", base_url="http://talk.invalid/x", **options).messages())
        assert "s3cret" not in str(raised.value)
        return str(raised.value)

    assert " (through the proxy " in why(proxy=proxy)
    monkeypatch.setenv("http_proxy", proxy)
    assert ", the environment's http_proxy) (" in why()


def test_the_shortest_timeout_is_one(silent):
    with pytest.raises(ChannelTimeout):
        next(Client("token", base_url=silent, request_timeout=1e-9).messages())


@pytest.mark.parametrize(
    "url", [URL + "?a=b", URL + "#top", "http://127.0.0.1:99999/", "ftp://host/", "host"]
)
def test_a_url_that_no_request_can_be_made_of_is_refused(url):
    with pytest.raises(ValueError, match="base_url must be"):
        Client("token", base_url=url)


def test_a_query_in_a_url_is_told_where_it_belongs():
    with pytest.raises(ValueError, match="params="):
        BrowserChannel(URL + "?a=b")


@pytest.mark.parametrize("module", [aio, gaechannel])
def test_an_address_in_the_loggers_place_is_told_where_it_belongs(module):
    with pytest.raises(TypeError, match="base_url="):
        module.Client("token", URL)


@pytest.mark.parametrize("module", [aio, gaechannel])
@pytest.mark.parametrize("verify", [ssl.create_default_context(), 1, None, b"ca.pem"])
def test_what_is_no_place_of_certificates_is_refused(module, verify):
    with pytest.raises(TypeError, match=r"verify must be .* not .*cert="):
        module.BrowserChannel(URL, verify=verify)


@pytest.mark.parametrize("module", [aio, gaechannel])
def test_buffered_is_one_of_three(module):
    for buffered in (True, False, "auto"):
        module.Client("token", base_url=URL, buffered=buffered)
    with pytest.raises(TypeError, match='buffered must be True, False or "auto"'):
        module.Client("token", base_url=URL, buffered=1)
    with pytest.raises(ValueError, match='buffered must be True, False or "auto"'):
        module.WebChannel(URL, buffered="yes")


@pytest.mark.parametrize("module", [aio, gaechannel])
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"timeout": -1}, "timeout must be a positive, finite number of seconds or None, not -1"),
        ({"request_timeout": 0}, "request_timeout must be a positive, finite number of seconds, not 0"),
        ({"max_chunk_size": 0}, "max_chunk_size must be at least 1, not 0"),
        ({"max_unsent": -5}, "max_unsent must be at least 1, not -5"),
        ({"max_reconnects": -1}, "max_reconnects must be at least 0, or None, not -1"),
        ({"buffered": "maybe"}, "buffered must be True, False or \"auto\", not 'maybe'"),
        ({"bind_path": "/a?s3cret"}, r"bind_path must be empty or begin .* not '/a\?…'"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_value_that_makes_no_sense_is_named_with_what_may_be(module, options, words):
    with pytest.raises(ValueError, match=f"^{words}$"):
        module.BrowserChannel(URL, **options)


@pytest.mark.parametrize("module", [aio, gaechannel])
@pytest.mark.parametrize("name", ["max_chunk_size", "queue_limit", "max_unsent", "max_reconnects", "timeout"])
def test_a_number_past_all_is_no_limit(module, name):
    module.BrowserChannel(URL, **{name: 2**70})


def test_what_is_no_certificates_file_is_refused():
    with pytest.raises(TypeError, match="cert must be"):
        BrowserChannel(URL, cert=5)


@pytest.mark.parametrize("logger", ["name", 5])
def test_what_cannot_warn_is_no_logger(logger):
    with pytest.raises(TypeError, match="logger"):
        Client("token", logger, base_url=URL)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork()")
def test_repr_works_in_a_forked_child():
    client = Client("token", base_url=URL)
    child = os.fork()
    if child == 0:
        os._exit(0 if "another process" in repr(client) else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert repr(client) == f"<Client of {URL}, new>"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Client("token", base_url=5), "base_url must be a str, not int"),
        (
            lambda: Client(lambda channel: "t", base_url=URL),
            r"token is called as token\(\), but",
        ),
        (lambda: Client("token", base_url=URL, headers=5), "headers must be a mapping, or pairs"),
        (
            lambda: Client("token", base_url=URL, headers="Name: value"),
            "headers must be a mapping, or pairs of strings, .* not str",
        ),
        (
            lambda: Client("token", base_url=URL, headers={"Name": 5}),
            "the header Name must be a str",
        ),
        (lambda: Client("token", base_url=URL, timeout="5"), "timeout must be a number of seconds or None"),
        (
            lambda: Client("token", base_url=URL, request_timeout=None),
            "request_timeout must be a number of seconds",
        ),
        (lambda: Client("token", base_url=URL, queue_limit=1.5), "queue_limit must be an int, not float"),
        (lambda: Client("token", base_url=URL, max_reconnects="3"), "max_reconnects must be an int or None"),
        (lambda: aio.Client("token", base_url=URL, http2="no"), "http2 must be True or False, not str"),
        (lambda: WebChannel(URL, auto_reconnect=None), "auto_reconnect must be True or False, not NoneType"),
        (
            lambda: setattr(Client("token", base_url=URL), "max_reconnects", "3"),
            "max_reconnects must be an int or None, not str",
        ),
        (lambda: Client("token", base_url=URL, timeuot=5), "argument 'timeuot'"),
        (lambda: aio.Client("token", base_url=URL, max_backof=5), "argument 'max_backof'"),
        (
            lambda: Client("token", base_url=URL, timeout=True),
            "timeout must be a number of seconds or None, not True",
        ),
        (
            lambda: aio.WebChannel(URL, max_backoff=False),
            "max_backoff must be a number of seconds, not False",
        ),
        (lambda: Client("token", base_url=URL, queue_limit=True), "queue_limit must be an int, not True"),
        (lambda: Client("token", base_url=URL, max_reconnects=True), "max_reconnects must be an int or None"),
        (lambda: BrowserChannel(URL).flush(True), "timeout must be a number of seconds or None, not True"),
        (
            lambda: BrowserChannel(URL, params=5),
            "params must be a mapping of strings, or a callable .*, not int",
        ),
        (
            lambda: WebChannel(URL, params="a=b"),
            "params must be a mapping of strings, or a callable .*, not str",
        ),
        (lambda: BrowserChannel(URL).send([1]), "a map must be a mapping, such as a dict, not list"),
        (lambda: BrowserChannel(URL).flush("5"), "timeout must be a number of seconds or None, not str"),
        (lambda: TalkDecoder(clid=5), "clid must be a str or None"),
        (lambda: merge(Client("token", base_url=URL)), "in a list for one"),
        (lambda: aio.merge(aio.Client("token", base_url=URL)), "in a list for one"),
    ],
)
def test_an_argument_of_a_wrong_type_is_named(make, words):
    with pytest.raises(TypeError, match=words):
        make()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: BrowserChannel(URL, cert=("a",)), "cert must be a path, or a pair of paths.* has 1$"),
        (
            lambda: BrowserChannel(URL, cert=("a", "b", "c")),
            "cert must be a path, or a pair of paths.* has 3$",
        ),
        (
            lambda: BrowserChannel(URL, headers=[("Name", "a", "b")]),
            "headers must be a pair of strings, not 3",
        ),
    ],
)
def test_what_is_no_pair_is_counted(make, words):
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize(
    ("send", "words"),
    [
        (lambda channel: channel.send({"x": 1, "a": b"x"}), "the field 'a' cannot be JSON: .*bytes"),
        (lambda channel: channel.send_json({"a": b"x"}), "the object cannot be JSON: .*bytes"),
    ],
)
def test_what_cannot_be_sent_is_named(send, words):
    with BrowserChannel(URL) as channel, pytest.raises(TypeError, match=words):
        send(channel)


def test_a_message_that_cannot_be_sent_is_named():
    with WebChannel(URL) as channel, pytest.raises(ValueError, match="the message cannot be JSON: "):
        channel.send({"a": float("nan")})


def test_a_token_of_two_lines_is_refused():
    with pytest.raises(ValueError, match="token has a line end"):
        Client("token\n", base_url=URL)


def test_params_that_are_numbers_go_as_text():
    assert BrowserChannel(URL, params={"count": 5}).unsent == 0


def test_a_wait_takes_no_negative_time(silent):
    words = "timeout must be 0 or more seconds, or None, not -1"
    with Client("token", base_url=silent) as client:
        with pytest.raises(ValueError, match=words):
            client.recv(timeout=-1)
        with pytest.raises(ValueError, match=words):
            merge([client], timeout=-1)
