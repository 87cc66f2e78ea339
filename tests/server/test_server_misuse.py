"""A server's arguments that make no sense are refused by name, with what may be and what was given."""

import pytest

from gaechannel.server import (
    WEBCHANNEL,
    BrowserChannelService,
    ChannelService,
    ConnectionLimits,
    Limits,
    LocalServer,
    make_app,
)


def test_what_is_left_out_is_no_mistake():
    names = [
        "service",
        "mounts",
        "admin",
        "admin_token",
        "ssl_context",
        "unix",
        "metrics",
        "sockets",
        "state",
    ]
    LocalServer(**dict.fromkeys(names), trust_proxy=(), allow_origins=(), host_names=None)
    Limits(session_timeout=float("inf"), backchannel_bytes=None)
    ConnectionLimits(max_connections=None, max_connections_per_address=None)
    LocalServer(trust_proxy="10.0.0.0/8", allow_origins="https://example.org", host_names="example.org")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"service": BrowserChannelService()}, "service must be a ChannelService or None, not Browser"),
        ({"host": 5}, "host must be a str, not int"),
        ({"port": "8080"}, "port must be an int, not str"),
        (
            {"mounts": [BrowserChannelService()]},
            "mounts must be a mapping of paths to BrowserChannelServices",
        ),
        ({"mounts": {"/foo": WEBCHANNEL}}, r"mounts\['/foo'\] must be a BrowserChannelService, not Dialect"),
        ({"mounts": {5: BrowserChannelService()}}, "a path of mounts must be a str, not int"),
        ({"admin": 8081}, "admin must be HOST:PORT or the path of a Unix socket, a str, not int"),
        ({"metrics": 8081}, "metrics must be HOST:PORT or the path of a Unix socket, a str, not int"),
        ({"admin_token": 5}, "admin_token must be a str or None, not int"),
        ({"ssl_context": "cert.pem"}, "ssl_context must be an ssl.SSLContext or None, not str"),
        ({"backlog": True}, "backlog must be an int, not True"),
        ({"unix_mode": "660"}, "unix_mode must be an int, such as 0o660, not str"),
        ({"sockets": []}, "sockets must be a mapping of names to lists of sockets, or None, not list"),
        ({"trust_proxy": 5}, "trust_proxy must be addresses and networks, not int"),
        ({"trust_proxy": [5]}, "each of trust_proxy must be a str, not int"),
        ({"allow_origins": 5}, "allow_origins must be origins, such as https://example.org, not int"),
        ({"host_names": 5}, "host_names must be names of hosts, or None, not int"),
        ({"access_log": True}, "access_log must be a logger or None, not bool"),
        ({"state": 5}, "state must be a path or None, not int"),
        ({"redis": 6379}, "redis must be a Redis's URL, a str, or None, not int"),
        ({"reuse_port": 1}, "reuse_port must be True or False, not int"),
        ({"strict": None}, "strict must be True or False, not NoneType"),
        ({"keepalive": "25"}, "keepalive must be a number of seconds, not str"),
        ({"session_timeout": None}, "session_timeout must be a number of seconds, not NoneType"),
        ({"max_sessions": 5.5}, "max_sessions must be an int, not float"),
        ({"backchannel_bytes": "10"}, "backchannel_bytes must be an int or None, not str"),
        ({"host_prefix": 5}, "host_prefix must be a str or None, not int"),
        ({"idle_seconds": "1"}, "idle_seconds must be a number of seconds, not str"),
        ({"max_connections": "1"}, "max_connections must be an int or None, not str"),
        ({"hold": None}, "hold must be an int, not NoneType"),
        ({"key": "a secret of 16 bytes"}, "key must be bytes or None, not str"),
        ({"clock": 5}, "clock must be a callable, not int"),
        ({"monotonic": None}, "monotonic must be a callable, not NoneType"),
        ({"counters": 5}, "counters must be Counters or None, not int"),
        ({"presence_url": 5}, "presence_url must be a str or None, not int"),
        ({"on_connected": 5}, "on_connected must be a callable or None, not int"),
        (
            {"on_disconnected": lambda: None},
            r"on_disconnected is called as on_disconnected\(client_id\), but",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_is_of_another_type_is_refused(options, words):
    with pytest.raises(TypeError, match=f"^{words}"):
        LocalServer(**options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"port": 65536}, "port must be at most 65535, not 65536"),
        ({"port": -1}, "port must be at least 0, not -1"),
        (
            {"mounts": {"foo": BrowserChannelService()}},
            "a path of mounts must begin with a slash, as 'foo' does",
        ),
        ({"admin": "8081"}, "admin: '8081' is neither HOST:PORT nor the path of a Unix socket"),
        ({"metrics": "8082"}, "metrics: '8082' is neither HOST:PORT nor the path of a Unix socket"),
        ({"admin_token": ""}, "admin_token is empty"),
        ({"backlog": 0}, "backlog must be at least 1, not 0"),
        ({"sockets": {"https": []}}, "sockets are for public, admin, metrics, not for 'https'"),
        ({"trust_proxy": "proxy"}, "trust_proxy: 'proxy' is neither an address nor a network, such as 127"),
        ({"keepalive": 0}, "keepalive must be a positive number of seconds, not 0"),
        ({"keepalive": float("nan")}, "keepalive must be a positive number of seconds, not nan"),
        ({"max_body": 0}, "max_body must be at least 1, not 0"),
        ({"max_head": 0}, "max_head must be at least 1, not 0"),
        ({"hold": -1}, "hold must be at least 0, not -1"),
        ({"presence_url": "localhost:8080"}, "presence_url must begin with http:// or https:// and a host"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_value_that_makes_no_sense_is_refused(options, words):
    with pytest.raises(ValueError, match=f"^{words}"):
        LocalServer(**options)


@pytest.mark.parametrize("make", [make_app, LocalServer])
def test_what_cannot_be_mounted_is_refused_by_an_application_too(make):
    with pytest.raises(TypeError, match="must be a BrowserChannelService, not ChannelService"):
        make(mounts={"/foo": ChannelService()})


def test_a_service_wants_a_dialect_and_a_function_of_a_session():
    with pytest.raises(
        TypeError, match=r"dialect must be a Dialect, such as gaechannel.server.WEBCHANNEL, not str"
    ):
        BrowserChannelService(dialect="webchannel")
    with pytest.raises(TypeError, match="on_session must be a callable or None, not int"):
        BrowserChannelService(5)
    with pytest.raises(TypeError, match=r"on_session is called as on_session\(session\), but"):
        BrowserChannelService(lambda: None)
